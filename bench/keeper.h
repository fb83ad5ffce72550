/*
 * Keeps a load to what its readers can follow: after each lap of events all of them are asked
 * to say when they have folded it (feed.Wait), and a load that is KEEPER_LAPS_MAX laps ahead
 * of the slowest pauses. The rate that comes of it is the highest at which nobody falls
 * behind.
 */
#ifndef KITH_BENCH_KEEPER_H
#define KITH_BENCH_KEEPER_H

#include "bench/channel.h"

#define KEEPER_LAP_EVENTS 16384
#define KEEPER_LAPS_MAX 4
#define KEEPER_READERS_MAX 8
/* A reader that has not folded a lap in this time ends the run. */
#define KEEPER_PATIENCE_US INT64_C(120000000)

struct keeper_reader {
    char name[24]; /* of the service */
    struct channel channel;
    uint64_t laps_done;
    uint64_t end; /* its own journal's, as it last said */
};

struct keeper {
    size_t count; /* 0: nobody is waited for */
    struct keeper_reader readers[KEEPER_READERS_MAX];
    uint64_t laps; /* begun; their numbers count from 1 */
    struct keeper_lap {
        uint64_t seq;
        int64_t begun_us;
    } newest[2 * KEEPER_LAPS_MAX]; /* lap n at n modulo the size */
};

/* `reader` is SERVICE=ENDPOINT, of its feed socket. */
void keeper_add(struct keeper *keeper, void *context, const char *reader);
void keeper_release(struct keeper *keeper);
/* Everything up to `seq` of ingestion is acknowledged. */
void keeper_acknowledged(struct keeper *keeper, uint64_t seq);
/* Asks about everything up to `seq`, whatever its lap. */
void keeper_lap(struct keeper *keeper, uint64_t seq);
/* Takes answers. */
void keeper_take(struct keeper *keeper);
/* Laps that the slowest reader is behind. */
uint64_t keeper_behind(const struct keeper *keeper);

#endif
