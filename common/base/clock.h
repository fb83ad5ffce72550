/*
 * Time as an argument. Only clock_os.c in common/service reads a clock.
 */
#ifndef KITH_BASE_CLOCK_H
#define KITH_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    void *context;
    int64_t (*wall_ms)(void *context);      /* since 1970, UTC */
    int64_t (*monotonic_ms)(void *context); /* for time-outs and nothing else */
};

#endif
