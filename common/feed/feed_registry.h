/*
 * Who reads a feed, and how far each has come for good.
 */
#ifndef KITH_FEED_FEED_REGISTRY_H
#define KITH_FEED_FEED_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#define FEED_CONSUMERS_MAX 256
#define FEED_CONSUMER_NAME_BYTES 65

struct feed_registry_entry {
    char name[FEED_CONSUMER_NAME_BYTES];
    uint64_t durable_position;
    int64_t seen_ms;      /* monotonic */
    uint64_t inputs_told; /* sum of the producer's input positions that it was told last */
    uint64_t pace_mark;   /* of feed_pace.h */
};

/* Zeroes are an empty registry. */
struct feed_registry {
    size_t count;
    struct feed_registry_entry entries[FEED_CONSUMERS_MAX];
};

struct feed_consumer {
    char name[FEED_CONSUMER_NAME_BYTES];
    uint64_t durable_position;
    int64_t seen_ms;
    uint64_t lag;   /* positions that a crash of the consumer would have it fold again */
    int64_t lag_ms; /* recorded_at from the first of them to the end; the registry leaves 0 */
};

/* A Fetch of `name` came. Returns what it was told of the inputs; UINT64_MAX: nothing yet.
 * When all places are taken a new name gets that of the consumer longest unseen. */
uint64_t feed_registry_note(struct feed_registry *registry, const char *name, uint64_t durable,
                            int64_t monotonic_ms);
/* `name` is being told. An unknown name changes nothing. */
void feed_registry_told(struct feed_registry *registry, const char *name, uint64_t inputs);
/* Its mark of feed_pace.h, at first 0. An unknown name has none: 0, and it changes nothing. */
uint64_t feed_registry_pace_mark(const struct feed_registry *registry, const char *name);
void feed_registry_paced(struct feed_registry *registry, const char *name, uint64_t mark);
/* At most `max` entries, with their lag behind `end`. Returns how many. */
size_t feed_registry_list(const struct feed_registry *registry, uint64_t end,
                          struct feed_consumer *out, size_t max);

#endif
