/*
 * Facts that reporting folds, what it is asked, and what it answers, in and out of Protocol
 * Buffers. Accepted events are common/event's. Spans point into the arena, which the caller
 * resets before.
 */
#ifndef KITH_REPORTING_CODEC_H
#define KITH_REPORTING_CODEC_H

#include "common/base/arena.h"
#include "common/base/refusal.h"
#include "common/service/service.h"
#include "services/reporting/reporting_core.h"

/* A fact of loyalty's three types. STATUS_CORRUPT: not such a fact. */
MUST_USE enum status reporting_points_decode(const struct fact *fact, struct arena *arena,
                                             struct reporting_points *points);

struct reporting_daily_request {
    struct span by; /* empty: no split */
    int64_t from_day;
    int64_t to_day; /* both included, from_day <= to_day */
    struct span after;
    uint32_t limit; /* 1..REQUEST_PAGE_MAX */
};

/* Both: STATUS_MALFORMED with a violation for each faulty field. */
MUST_USE enum status reporting_totals_decode(struct span body, struct arena *arena,
                                             struct refusal *refusal);
MUST_USE enum status reporting_daily_decode(struct span body, struct arena *arena,
                                            struct reporting_daily_request *request,
                                            struct refusal *refusal);

/* ---- replies; each appends to `out`, which has room for a page (asserted) */

/* What an answer includes. */
struct reporting_positions {
    const struct turn_position *items;
    size_t count;
};

void reporting_totals_reply_encode(const struct reporting_total *total,
                                   const struct reporting_positions *positions, struct buffer *out);
/* A daily reply is its rows, then its end. */
void reporting_daily_row_append(const struct reporting_day_key *key,
                                const struct reporting_day *day, struct buffer *out);
/* `next` empty: that was all. */
void reporting_daily_end_append(struct span next, const struct reporting_positions *positions,
                                struct buffer *out);

#endif
