/*
 * What the benchmarks' programs share: clocks in microseconds, and an end with a sentence.
 * A benchmark that cannot go on has nothing to say: it ends, and whoever started it sees why.
 */
#ifndef KITH_BENCH_BENCH_H
#define KITH_BENCH_BENCH_H

#include <stdint.h>

/* Monotonic. */
int64_t bench_now_us(void);
int64_t bench_wall_ms(void);
/* Processor time of this program so far, of all its threads. */
int64_t bench_cpu_us(void);
/* Prints the sentence to stderr and ends the program with 1. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* A whole or decimal number, 0 or more, that was given for `name`; ends the program otherwise. */
double bench_number(const char *name, const char *text);

#endif
