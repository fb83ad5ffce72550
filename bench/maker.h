/*
 * Bodies of requests: batches of events, batches of postings, single spendings. The same
 * options make the same customers and amounts; identifiers begin with the run's name, so that
 * no two runs on one store send the same event.
 *
 * An event is a purchase of 1.00 to 90.00 by a customer drawn evenly, and each 50th is one of
 * 600.00: with 1,000.00 spent by everybody before, a segment of those who spent 1,500.00 is
 * entered at a steady rate.
 */
#ifndef KITH_BENCH_MAKER_H
#define KITH_BENCH_MAKER_H

#include "common/base/bytes.h"

#define MAKER_RUN_BYTES 16

enum maker_kind {
    MAKER_INGEST, /* ingestion.Ingest */
    MAKER_POST,   /* loyalty.Post: grants of 1 and spendings of 1, by turns */
    MAKER_SPEND,  /* loyalty.Spend of 1 point; a batch is one */
};

struct maker {
    enum maker_kind kind;
    uint32_t batch; /* items of a body, 1..LIMIT_BATCH_ITEMS */
    uint32_t customers;
    bool sequential; /* each customer once, in order; and each buys for 1,000.00 */
    char run[MAKER_RUN_BYTES];
    uint64_t made; /* items so far */
    uint64_t random;
    struct buffer event;
};

void maker_init(struct maker *maker);
void maker_release(struct maker *maker);
const char *maker_method(const struct maker *maker);
/* The next body, into `body`, cleared first. `wall_ms` is when its events happen. */
void maker_next(struct maker *maker, int64_t wall_ms, struct buffer *body);

#endif
