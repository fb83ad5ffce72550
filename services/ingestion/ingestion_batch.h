/*
 * IngestRequest in, IngestReply out: the hot messages, so nothing is copied. Items are
 * spans of the request's bytes, taken one after the other; results are run-length coded
 * while they come.
 */
#ifndef KITH_INGESTION_BATCH_H
#define KITH_INGESTION_BATCH_H

#include "common/base/bytes.h"
#include "common/base/refusal.h"

/* Violations are told until they fill this much of a reply: the reply is kept with its key
 * in a record of the journal, whose size is bounded. Later items are INVALID all the same. */
#define INGEST_VIOLATIONS_BYTES 8192

/* What the map could not make an event of. */
struct ingest_raw {
    struct span source;
    struct span id; /* may be empty: the row had none that could be read */
    struct span bytes;
    struct span reason;
};

struct ingest_item {
    bool is_raw;
    struct span event; /* an encoded Event, not looked into */
    struct ingest_raw raw;
};

struct ingest_request {
    struct span items; /* for ingest_item_next */
    size_t item_count; /* 1..LIMIT_BATCH_ITEMS */
    struct span run;   /* empty: none */
    uint64_t run_batch;
};

/* Checks the batch as a whole: each item is one. STATUS_MALFORMED otherwise. */
MUST_USE enum status ingest_request_decode(struct span body, struct ingest_request *request,
                                           struct refusal *refusal);
/* Takes the next item of a request that was decoded; false: there is none. */
bool ingest_item_next(struct span *items, struct ingest_item *item);
/* What a raw row must have to be kept. STATUS_MALFORMED with violations. */
MUST_USE enum status ingest_raw_check(const struct ingest_raw *raw, struct refusal *refusal);

/* What became of one item. */
struct ingest_result {
    unsigned outcome;              /* IngestOutcome */
    uint64_t seq;                  /* 0 for INVALID */
    const struct refusal *refusal; /* INVALID: its violations; otherwise NULL */
};

/* A reply while it is written. Begin with `out` and zeroes. */
struct ingest_results {
    struct buffer *out;
    struct ingest_result open; /* the run that may still grow */
    uint32_t open_count;       /* 0: none */
    size_t violation_bytes;
};

void ingest_results_add(struct ingest_results *results, const struct ingest_result *result);
void ingest_results_end(struct ingest_results *results);

#endif
