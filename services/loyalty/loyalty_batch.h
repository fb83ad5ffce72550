/*
 * PostRequest in, PostBatchReply out: many postings at once. Results are run-length coded
 * while they come.
 */
#ifndef KITH_LOYALTY_BATCH_H
#define KITH_LOYALTY_BATCH_H

#include "common/base/arena.h"
#include "common/base/refusal.h"
#include "services/loyalty/loyalty_core.h"

/* Refusals are told in sentences until they fill this much of a reply, which is kept with its
 * key for ever; later ones have their code alone. */
#define LOYALTY_SENTENCES_BYTES (64 * 1024)

struct loyalty_item {
    enum loyalty_kind kind; /* LOYALTY_SPENT or LOYALTY_GRANTED */
    struct span customer;
    struct span programme; /* empty: the first */
    struct span reference; /* empty: none */
    int64_t points;        /* 1..LIMIT_AMOUNT */
};

struct loyalty_batch {
    size_t count; /* 1..LIMIT_BATCH_ITEMS */
    const struct loyalty_item *items;
    bool all_or_nothing;
};

/* Items lie in `arena`, which the caller resets before, and point into `body`.
 * STATUS_MALFORMED: with a violation for each faulty field, and nothing of the batch counts. */
MUST_USE enum status loyalty_batch_decode(struct span body, struct arena *arena,
                                          struct loyalty_batch *batch, struct refusal *refusal);

/* What became of one item. */
struct loyalty_result {
    enum status status;
    uint64_t posting; /* posted: its seq */
    const char *why;  /* refused: the sentence */
};

/* A reply while it is written. Begin with `out` and zeroes. */
struct loyalty_results {
    struct buffer *out;
    uint32_t count; /* of the run that may still grow; 0: none */
    enum status status;
    uint64_t first_posting;
    char why[sizeof((struct refusal *)NULL)->message];
    size_t sentence_bytes;
};

void loyalty_results_add(struct loyalty_results *results, const struct loyalty_result *result);
void loyalty_results_end(struct loyalty_results *results);

#endif
