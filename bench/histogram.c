#include "bench/histogram.h"

#include <stddef.h>

/* Below 64 each number has a bucket; above, each doubling has 64. */
static size_t bucket_of(uint64_t us)
{
    if (us < 64) {
        return (size_t)us;
    }
    unsigned shift = 57U - (unsigned)__builtin_clzll(us);
    size_t bucket = (size_t)shift * 64 + (size_t)(us >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest number of a bucket. */
static int64_t bucket_most(size_t bucket)
{
    if (bucket < 128) {
        return (int64_t)bucket;
    }
    unsigned shift = (unsigned)(bucket / 64 - 1);
    uint64_t least = (uint64_t)(bucket % 64 + 64) << shift;
    return (int64_t)(least + (UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    int64_t counted = us < 0 ? 0 : us;
    histogram->counts[bucket_of((uint64_t)counted)] += 1;
    histogram->total += 1;
    if (counted > histogram->most_us) {
        histogram->most_us = counted;
    }
}

int64_t histogram_share_us(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->total;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (histogram->counts[i] > 0 && (double)seen >= wanted) {
            int64_t most_us = bucket_most(i);
            return most_us < histogram->most_us ? most_us : histogram->most_us;
        }
    }
    return histogram->most_us;
}
