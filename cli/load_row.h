/*
 * A row on its way to ingestion: as the item that is sent, and as it stood in its file, for
 * the case that ingestion takes the item for no event.
 */
#ifndef KITH_CLI_LOAD_ROW_H
#define KITH_CLI_LOAD_ROW_H

#include "common/base/bytes.h"
#include "common/base/limits.h"

/* An item: a raw row with its texts, or an event, and a few bytes around them. */
#define LOAD_ITEM_BYTES (LIMIT_EVENT_BYTES + LIMIT_TEXT_BYTES + 2 * LIMIT_ID_BYTES + 64)

/* A place between two rows. Sorted rows have one file and no offsets. */
struct load_place {
    uint64_t file;
    uint64_t offset;
    uint64_t rows; /* of this file before it */
};

struct load_row {
    struct span item; /* an encoded IngestItem */
    struct span id;   /* may be empty */
    struct span content;
};

/* A row that is kept as it is, with the reason. */
struct load_raw {
    struct span source;
    struct span id; /* may be empty */
    struct span bytes;
    struct span reason;
};

/* Each is appended to `out`, which has room for LOAD_ITEM_BYTES more (asserted). */
void load_item_event(struct span event, struct buffer *out);
void load_item_raw(const struct load_raw *raw, struct buffer *out);

/* The three spans side by side. Packing appends; STATUS_LIMIT: past the buffer. */
MUST_USE enum status load_row_pack(const struct load_row *row, struct buffer *out);
/* Takes the first row off `rest`, which holds packed rows only. */
struct load_row load_row_take(struct span *rest);

#endif
