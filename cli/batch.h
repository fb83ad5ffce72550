/*
 * A batch of rows as one IngestRequest, and what ingestion says of it.
 */
#ifndef KITH_CLI_BATCH_H
#define KITH_CLI_BATCH_H

#include "cli/run_file.h"
#include "common/base/arena.h"

struct batch {
    uint64_t number;    /* in its run, from 1 */
    struct buffer body; /* the request */
    struct buffer rows; /* packed, without their items */
    size_t row_count;
    struct load_place after; /* where the batch after it begins */
};

void batch_init(struct batch *batch);
void batch_release(struct batch *batch);
void batch_begin(struct batch *batch, uint64_t number);
/* False: it holds as many bytes as it may, and the row belongs to the next batch. Follows
 * from the rows alone, so that a batch made again is the same. The first row always fits. */
bool batch_add(struct batch *batch, const struct load_row *row);
/* No more rows are added. */
void batch_end(struct batch *batch, const char *run);
/* The row at `index`, its item empty. */
struct load_row batch_row(const struct batch *batch, size_t index);

/* A request of one raw row that belongs to no run; `body` is cleared first. */
void batch_of_raw(const struct load_raw *raw, struct buffer *body);

/* What is told of a row that ingestion takes for no event. */
struct batch_invalid {
    size_t row;
    char reason[LIMIT_TEXT_BYTES]; /* clean text */
};
typedef enum status (*batch_visit)(void *argument, const struct batch_invalid *invalid);

/* What a reply is read with. */
struct batch_reading {
    size_t row_count;    /* that were sent */
    struct arena *arena; /* reset */
    batch_visit visit;
    void *argument;
};

/* Adds what became of the rows to `counts`; each invalid one goes to `visit` and into no
 * count. STATUS_MALFORMED: not such a reply. Otherwise what `visit` says. */
MUST_USE enum status batch_reply_read(const struct batch_reading *reading, struct span body,
                                      struct run_counts *counts);

#endif
