/*
 * What segmentation journals for its own evolve, in and out of Protocol Buffers.
 *
 * Spans of what is decoded point into the bytes that came.
 */
#ifndef KITH_SEGMENTATION_RECORD_H
#define KITH_SEGMENTATION_RECORD_H

#include "common/base/arena.h"
#include "common/base/event.h"
#include "services/segmentation/segmentation_core.h"

enum segmentation_record_kind {
    SEGMENTATION_RECORD_EVENT,
    SEGMENTATION_RECORD_ADVANCED,
    SEGMENTATION_RECORD_VISITED,
    SEGMENTATION_RECORD_VISITS_ENDED,
};
struct segmentation_record {
    enum segmentation_record_kind kind;
    struct segmentation_event event; /* of an event */
    struct customer_id customer;     /* of all but the end of visits */
    int64_t now_ms;                  /* likewise */
    uint32_t rules_version;          /* of the end of visits */
};
/* The record has room in `out` (asserted). */
void segmentation_record_encode(const struct segmentation_record *record, struct buffer *out);
/* Sets what the record's kind has. STATUS_CORRUPT: not such a record, or values that nobody
 * wrote; `record` is then not to be used. */
MUST_USE enum status segmentation_record_decode(struct span bytes,
                                                struct segmentation_record *record);

/* Whether events of this type say something of the profile: nobody looks at the personal
 * attributes of others. */
bool segmentation_event_tells_profile(struct span type);
/* What segmentation keeps of an accepted event; spans point into it and into the arena. */
void segmentation_event_read(const struct fact *fact, const struct accepted_event *accepted,
                             struct arena *arena, struct segmentation_event *event);

#endif
