/* The function of the same name that comes after this library: the one that the program meant. */
#ifndef KITH_FAULTS_NEXT_CALL_H
#define KITH_FAULTS_NEXT_CALL_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

/* NOLINTBEGIN(bugprone-macro-parentheses): a type takes none */
#define NEXT(type, name)                                                                           \
    static _Atomic(void *) found;                                                                  \
    union {                                                                                        \
        void *object;                                                                              \
        type *call;                                                                                \
    } next = { .object = atomic_load(&found) };                                                    \
    if (next.object == NULL) {                                                                     \
        next.object = dlsym(RTLD_NEXT, name);                                                      \
        atomic_store(&found, next.object);                                                         \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
