/*
 * Sorting by time more than memory holds: what is added is sorted piece by piece into a
 * nameless file, and the pieces are merged when it is read. Stable: of equal times, what
 * was added first comes first.
 */
#ifndef KITH_CLI_ORDER_H
#define KITH_CLI_ORDER_H

#include "cli/row_reader.h"

/* One payload: a row, its event, and what stands around them. */
#define ORDER_PAYLOAD_BYTES (64 * 1024)
/* Pieces that are merged at a time; of more, neighbours are merged to one first. */
#define ORDER_FAN_IN 64
#define ORDER_MEMORY_BYTES (64 * 1024 * 1024)

struct order;

/* Takes about `memory_bytes` while it is filled, and about 8 MiB while it is read. Files are
 * made in `folder`, which lives on. */
void order_open(struct order **order, const char *folder, size_t memory_bytes);
void order_close(struct order **order);
/* At most ORDER_PAYLOAD_BYTES. */
MUST_USE enum status order_add(struct order *order, int64_t at_ms, struct span payload,
                               struct refusal *refusal);
/* No more is added; reading begins at the least time. */
MUST_USE enum status order_finish(struct order *order, struct refusal *refusal);
/* The next payload, which lives until the next call. */
enum row_step order_next(struct order *order, struct span *payload, struct refusal *refusal);

#endif
