/*
 * Calls that none of our files may make. The compiler includes this header before
 * each of our own files (cmake/KithFlags.cmake); nobody includes it by hand.
 *
 * A banned call becomes a name that does not exist, and the name says what to use.
 * The headers that declare the real functions come first: later includes of them
 * are then empty, and the macros touch no declaration. `#pragma GCC poison` would
 * do it in fewer words, but it also strikes at system headers that are included
 * later and mention a name without calling it.
 */
#ifndef KITH_BASE_BANNED_H
#define KITH_BASE_BANNED_H

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* NOLINTBEGIN(readability-identifier-naming): these macros bear the functions' names. */

/* No bound on what is written, or a bound that forgets the closing zero. */
#undef strcpy
#undef stpcpy
#undef strcat
#undef strncpy
#undef stpncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef gets
#undef bcopy
#define strcpy(...) banned_strcpy_use_memcpy_with_a_checked_size
#define stpcpy(...) banned_stpcpy_use_memcpy_with_a_checked_size
#define strcat(...) banned_strcat_use_snprintf
#define strncpy(...) banned_strncpy_use_memcpy_with_a_checked_size
#define stpncpy(...) banned_stpncpy_use_memcpy_with_a_checked_size
#define strncat(...) banned_strncat_use_snprintf
#define sprintf(...) banned_sprintf_use_snprintf
#define vsprintf(...) banned_vsprintf_use_vsnprintf
#define gets(...) banned_gets_use_fgets
#define bcopy(...) banned_bcopy_use_memmove

/* Silent about overflow and about what follows the number. */
#undef atoi
#undef atol
#undef atoll
#undef atof
#undef scanf
#undef fscanf
#undef sscanf
#define atoi(...) banned_atoi_use_strtol_and_check
#define atol(...) banned_atol_use_strtol_and_check
#define atoll(...) banned_atoll_use_strtoll_and_check
#define atof(...) banned_atof_use_strtod_and_check
#define scanf(...) banned_scanf_parse_with_strto_functions
#define fscanf(...) banned_fscanf_parse_with_strto_functions
#define sscanf(...) banned_sscanf_parse_with_strto_functions

/* Results in storage that the next call overwrites. */
#undef strtok
#undef gmtime
#undef localtime
#undef ctime
#undef ctime_r
#undef asctime
#undef asctime_r
#define strtok(...) banned_strtok_use_strcspn_and_strspn
#define gmtime(...) banned_gmtime_use_gmtime_r
#define localtime(...) banned_localtime_use_localtime_r
#define ctime(...) banned_ctime_use_strftime
#define ctime_r(...) banned_ctime_r_use_strftime
#define asctime(...) banned_asctime_use_strftime
#define asctime_r(...) banned_asctime_r_use_strftime

/* Chance is given to a function, as a seed or as bytes; keys come from libsodium. */
#undef rand
#undef srand
#undef rand_r
#undef random
#undef srandom
#undef drand48
#undef lrand48
#define rand(...) banned_rand_use_a_seeded_generator_or_libsodium
#define srand(...) banned_srand_use_a_seeded_generator_or_libsodium
#define rand_r(...) banned_rand_r_use_a_seeded_generator_or_libsodium
#define random(...) banned_random_use_a_seeded_generator_or_libsodium
#define srandom(...) banned_srandom_use_a_seeded_generator_or_libsodium
#define drand48(...) banned_drand48_use_a_seeded_generator_or_libsodium
#define lrand48(...) banned_lrand48_use_a_seeded_generator_or_libsodium

/* Races, shells, jumps over cleanups, stack of unknown size. */
#undef mktemp
#undef tmpnam
#undef tempnam
#undef system
#undef popen
#undef signal
#undef alloca
#undef strdupa
#undef strndupa
#undef vfork
#undef longjmp
#define mktemp(...) banned_mktemp_use_mkstemp
#define tmpnam(...) banned_tmpnam_use_mkstemp
#define tempnam(...) banned_tempnam_use_mkstemp
#define system(...) banned_system_use_posix_spawn
#define popen(...) banned_popen_use_posix_spawn
#define signal(...) banned_signal_use_sigaction
#define alloca(...) banned_alloca_use_a_bounded_array
#define strdupa(...) banned_strdupa_use_strdup
#define strndupa(...) banned_strndupa_use_strndup
#define vfork(...) banned_vfork_use_posix_spawn
#define longjmp(...) banned_longjmp_return_a_status

/* NOLINTEND(readability-identifier-naming) */

#endif
