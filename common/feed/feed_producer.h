/*
 * The sending side of a feed: answers Fetch from the journal, parks what must wait, and
 * knows its consumers and their lag. Also parks Wait, which asks how far this service has
 * folded others. Nothing polls: parked requests are looked at when a turn was synced and
 * when their time is over. A Fetch of a reader far behind gives way to what is written here.
 */
#ifndef KITH_FEED_FEED_PRODUCER_H
#define KITH_FEED_FEED_PRODUCER_H

#include "common/base/limits.h"
#include "common/feed/feed_moment.h"
#include "common/feed/feed_registry.h"
#include "common/journal/journal.h"
#include "common/wire/transport.h"
#include "common/wire/wire.h"

struct feed_producer;

struct feed_input {
    struct feed_name feed;
    uint64_t seq;
};

/* What the producer had folded of others as of its last synced block. */
struct feed_inputs {
    size_t count;
    struct feed_input inputs[LIMIT_FEEDS];
    /* Of each input: its feed is stopped, so what it was folded to says nothing about the
     * journal that its producer has now. */
    bool stopped[LIMIT_FEEDS];
    /* Under the event clock: what is still to come here is later than this. It only grows. */
    bool has_settled;
    struct feed_moment settled;
};

/* `journal` NULL: the service has no feed (reporting) and answers Wait only. Both outlive
 * the producer. */
void feed_producer_open(struct feed_producer **producer, struct journal *journal,
                        struct feed_name self, const struct transport *transport);
void feed_producer_close(struct feed_producer **producer);

/* Takes a request that came in at TRANSPORT_FEED: answers, parks or refuses it. The
 * message stays the caller's. Only between turns, when all that was decided is synced. */
void feed_producer_request(struct feed_producer *producer, const struct message *message,
                           const struct feed_inputs *inputs, int64_t monotonic_ms);
/* After a sync, and when feed_producer_deadline has come: answers whoever can be. */
void feed_producer_wake(struct feed_producer *producer, const struct feed_inputs *inputs,
                        int64_t monotonic_ms);
/* When to wake it in any case: the earliest time-out of a parked request, or when a reader that
 * gives way to what is written may go on. INT64_MAX: never. */
int64_t feed_producer_deadline(const struct feed_producer *producer);

size_t feed_producer_parked(const struct feed_producer *producer);
/* Copies at most `max` consumers with their lag as of now. */
size_t feed_producer_consumers(const struct feed_producer *producer, struct feed_consumer *out,
                               size_t max);

#endif
