/*
 * A point in the order in which derived facts follow each other under the event clock: what
 * a fact goes back to, and when it was recorded.
 */
#ifndef KITH_FEED_FEED_MOMENT_H
#define KITH_FEED_FEED_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

struct feed_moment {
    uint64_t cause; /* a seq of ingestion's */
    int64_t at_ms;
};

bool feed_moment_is_before(struct feed_moment a, struct feed_moment b);
struct feed_moment feed_moment_least(struct feed_moment a, struct feed_moment b);

#endif
