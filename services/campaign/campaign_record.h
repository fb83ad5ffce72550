/*
 * What campaign reads of segmentation, and its private records.
 *
 * Decoding gives a whole struct or nothing. Spans point into the arena, which the caller
 * resets before.
 */
#ifndef KITH_CAMPAIGN_RECORD_H
#define KITH_CAMPAIGN_RECORD_H

#include "common/base/arena.h"
#include "services/campaign/campaign_core.h"

/* Reads FACT_SEGMENT_ENTERED and FACT_SEGMENT_EXITED; without at_ms and plans.
 * STATUS_CORRUPT: neither, or values that segmentation never wrote. */
MUST_USE enum status campaign_moved_read(const struct fact *fact, struct arena *arena,
                                         struct campaign_moved *moved);

/* For ever the cases of CampaignRecord. */
enum campaign_record_kind {
    CAMPAIGN_RECORD_MOVED = 1,
    CAMPAIGN_RECORD_PLANNED = 2,
    CAMPAIGN_RECORD_SCHEDULE_RAN = 3,
};

struct campaign_record {
    enum campaign_record_kind kind;
    struct campaign_moved moved;
    struct campaign_planned {
        struct customer_id customer;
        struct campaign_plan plan;
        int64_t at_ms;
    } planned;
    struct campaign_schedule_ran ran;
};

/* Takes what it needs in between from `arena`. */
void campaign_record_encode(const struct campaign_record *record, struct arena *arena,
                            struct buffer *out);
/* STATUS_CORRUPT: not a record of campaign's, or values that it never wrote. */
MUST_USE enum status campaign_record_decode(struct span bytes, struct arena *arena,
                                            struct campaign_record *record);

#endif
