/*
 * Sends the requests of a load and takes what comes back: over many connections, with so many
 * in flight, by a schedule or as fast as answers come, for a time, for a number of items, or
 * until somebody says stop. Follows feeds meanwhile, and keeps to what readers can take.
 *
 * A request's time runs from when it was due: with a rate that is its place in the schedule, so
 * that a service which stands still is charged for all that had to wait meanwhile.
 */
#ifndef KITH_BENCH_SENDER_H
#define KITH_BENCH_SENDER_H

#include "bench/histogram.h"
#include "bench/keeper.h"
#include "bench/load_options.h"
#include "bench/maker.h"
#include "bench/trace.h"
#include "bench/watcher.h"

#define SENDER_CONNECTIONS_MAX 256
#define SENDER_SLOTS_MAX 1024

/* A place for a request that is on its way. */
struct sender_slot {
    bool is_busy;
    int64_t due_us;
    uint64_t generation; /* tells answers of older requests apart */
};

struct sender {
    struct load_options options;
    void *context;
    size_t connection_count;
    struct channel connections[SENDER_CONNECTIONS_MAX];
    size_t slot_count;
    struct sender_slot slots[SENDER_SLOTS_MAX];
    struct maker maker;
    struct keeper keeper;
    struct watcher watchers[LOAD_WATCHES_MAX];
    struct histogram times;
    struct histogram held; /* by the slowest reader: how long each pause was */
    struct trace trace;    /* only when feeds are watched */
    struct buffer header;
    struct buffer body;
    int64_t begin_us;
    int64_t end_us;
    int64_t held_since_us; /* 0: not held */
    uint64_t requests;     /* sent */
    uint64_t busy;         /* of them not answered */
    uint64_t accepted;     /* items */
    uint64_t other;        /* items that came to something else */
    uint64_t newest_seq;
};

/* `sender` is zeroed memory. From here on SIGTERM and SIGINT end the load, not the program. */
void sender_open(struct sender *sender, const struct load_options *options, void *context);
void sender_close(struct sender *sender);

/* The whole load. Returns how long it took, in microseconds: to the last answer, and until its
 * readers had folded everything. */
int64_t sender_run(struct sender *sender);
/* Waits until the watched feeds have had nothing more to say for a while. */
void sender_settle(struct sender *sender);

#endif
