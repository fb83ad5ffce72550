#include "bench/bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t clock_us(clockid_t clock)
{
    struct timespec now = { 0 };
    if (clock_gettime(clock, &now) != 0) {
        bench_fail("the clock cannot be read");
    }
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t bench_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t bench_wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t bench_cpu_us(void)
{
    return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

double bench_number(const char *name, const char *text)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= 0 && value <= 1e15)) {
        bench_fail("%s is a number from 0, not '%s'", name, text);
    }
    return value;
}
