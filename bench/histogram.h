/*
 * How long things took, in microseconds: counts by size, exact to 1 in 64.
 */
#ifndef KITH_BENCH_HISTOGRAM_H
#define KITH_BENCH_HISTOGRAM_H

#include <stdint.h>

/* Up to 2^40 us, which is twelve days. */
#define HISTOGRAM_BUCKETS (64 * 36)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    int64_t most_us;
};

void histogram_add(struct histogram *histogram, int64_t us);
/* The least time that `share` (0 to 1) of all took at most; 0 of none. */
int64_t histogram_share_us(const struct histogram *histogram, double share);

#endif
