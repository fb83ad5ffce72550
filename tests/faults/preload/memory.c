/* Memory that is asked for and not given: from C, from C++, and from the kernel as a map. */
#include "tests/faults/preload/memory.h"

#include "tests/faults/preload/next_call.h"
#include "tests/faults/preload/write_log.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef void *malloc_call(size_t);
typedef void *calloc_call(size_t, size_t);
typedef void *realloc_call(void *, size_t);
typedef void *aligned_call(size_t, size_t);
typedef int posix_memalign_call(void **, size_t, size_t);
typedef void *mmap_call(void *, size_t, int, int, int, off_t);
typedef int getattr_call(pthread_t, pthread_attr_t *);
typedef int getprotobyname_call(const char *, struct protoent *, char *, size_t,
                                struct protoent **);
typedef void *new_nothrow_call(size_t, const void *);
typedef void bad_alloc_call(void);

/* Not C's names. With an address sanitizer neither of them asks malloc. */
void *new_object(size_t size) __asm__("_Znwm");
void *new_array(size_t size) __asm__("_Znam");
void *new_object_or_null(size_t size, const void *nothrow) __asm__("_ZnwmRKSt9nothrow_t");
void *new_array_or_null(size_t size, const void *nothrow) __asm__("_ZnamRKSt9nothrow_t");

/* The loader asks for memory before there is an environment to find the log in. */
static _Atomic bool is_ready;

__attribute__((constructor)) static void memory_open(void)
{
    atomic_store(&is_ready, write_log() != NULL);
}

static _Thread_local bool thread_is_exempt;

void memory_exempt(bool is_exempt)
{
    thread_is_exempt = is_exempt;
}

static bool is_refused(void)
{
    if (!atomic_load(&is_ready) || thread_is_exempt ||
        !write_log_fault_strikes(program_invocation_name, FAULT_MEMORY)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    NEXT(malloc_call, "malloc")
    return is_refused() ? NULL : next.call(size);
}

void *calloc(size_t count, size_t size)
{
    NEXT(calloc_call, "calloc")
    return is_refused() ? NULL : next.call(count, size);
}

void *realloc(void *memory, size_t size)
{
    NEXT(realloc_call, "realloc")
    return is_refused() ? NULL : next.call(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    NEXT(aligned_call, "aligned_alloc")
    return is_refused() ? NULL : next.call(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    NEXT(posix_memalign_call, "posix_memalign")
    return is_refused() ? ENOMEM : next.call(memory, alignment, size);
}

/* NOLINTBEGIN(readability-function-size): six arguments are what mmap takes */
void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    NEXT(mmap_call, "mmap")
    return is_refused() ? MAP_FAILED : next.call(address, size, protection, flags, file, offset);
}

/* off_t has 64 bits here. */
void *mmap64(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    return mmap(address, size, protection, flags, file, offset);
}
/* NOLINTEND(readability-function-size) */

/* ---- what the services do not ask, and who asks dies of a no by its own fault */

/* An address sanitizer, of each new thread. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    NEXT(getattr_call, "pthread_getattr_np")
    memory_exempt(true);
    int error = next.call(thread, attributes);
    memory_exempt(false);
    return error;
}

/* libpgm, when a context of libzmq is made: glibc 2.36 follows a pointer that it was not given. */
int getprotobyname_r(const char *name, struct protoent *found_protocol, char *buffer, size_t size,
                     struct protoent **result)
{
    NEXT(getprotobyname_call, "getprotobyname_r")
    memory_exempt(true);
    int error = next.call(name, found_protocol, buffer, size, result);
    memory_exempt(false);
    return error;
}

/* ---- C++ */

static void bad_alloc_throw(void)
{
    union {
        void *object;
        bad_alloc_call *call;
    } thrower = { .object = dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv") };
    if (thrower.object != NULL) {
        thrower.call();
    }
    abort();
}

void *new_object(size_t size)
{
    NEXT(malloc_call, "_Znwm")
    if (is_refused()) {
        bad_alloc_throw();
    }
    return next.call(size);
}

void *new_array(size_t size)
{
    NEXT(malloc_call, "_Znam")
    if (is_refused()) {
        bad_alloc_throw();
    }
    return next.call(size);
}

void *new_object_or_null(size_t size, const void *nothrow)
{
    NEXT(new_nothrow_call, "_ZnwmRKSt9nothrow_t")
    return is_refused() ? NULL : next.call(size, nothrow);
}

void *new_array_or_null(size_t size, const void *nothrow)
{
    NEXT(new_nothrow_call, "_ZnamRKSt9nothrow_t")
    return is_refused() ? NULL : next.call(size, nothrow);
}
