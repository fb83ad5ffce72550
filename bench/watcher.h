/*
 * A subscriber to one feed: reads it as every reader does, checks its chain, and notes when
 * facts arrive that go back to an event (their cause).
 */
#ifndef KITH_BENCH_WATCHER_H
#define KITH_BENCH_WATCHER_H

#include "bench/channel.h"
#include "common/base/fact.h"
#include "common/feed/feed_reader.h"

struct arrival {
    uint64_t cause; /* ingestion's seq */
    int64_t at_us;
};

struct watcher {
    struct channel channel;
    struct feed_reader *reader;
    uint32_t type; /* of the facts that are noted; the others are passed */
    size_t count;
    size_t capacity;
    struct arrival *arrivals;
    uint64_t facts; /* of that type */
    struct buffer header;
    struct buffer body;
};

/* From behind `after` on. Facts of `type` are counted, and their arrivals kept if `keeps`. */
struct watcher_options {
    const char *feed;
    const char *endpoint;
    uint32_t type;
    uint64_t after;
};
void watcher_open(struct watcher *watcher, void *context, const struct watcher_options *options);
void watcher_release(struct watcher *watcher);
/* Sends a Fetch that is due, takes what has come. `notes`: arrivals are kept. */
void watcher_take(struct watcher *watcher, bool notes);
/* When to call watcher_take again even if nothing comes. */
int64_t watcher_due_us(const struct watcher *watcher);
/* Everything that the producer had at its last reply was taken. */
bool watcher_at_end(const struct watcher *watcher);

#endif
