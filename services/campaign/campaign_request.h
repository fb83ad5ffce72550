/*
 * What is asked of campaign and what it answers, in and out of Protocol Buffers. Spans point
 * into the arena, which the caller resets before.
 */
#ifndef KITH_CAMPAIGN_REQUEST_H
#define KITH_CAMPAIGN_REQUEST_H

#include "common/base/arena.h"
#include "common/service/service.h"
#include "services/campaign/campaign_core.h"

struct campaign_trigger_request {
    struct span campaign;
    struct span customer;
};
struct campaign_decisions_request {
    struct span campaign;
    uint64_t after_number;
    uint32_t limit; /* 1..REQUEST_PAGE_MAX */
};

/* All of them: STATUS_MALFORMED with a violation for each faulty field. */
MUST_USE enum status campaign_trigger_decode(struct span body, struct arena *arena,
                                             struct campaign_trigger_request *request,
                                             struct refusal *refusal);
MUST_USE enum status campaign_dispatch_decode(struct span body, struct arena *arena,
                                              struct hash128 *dispatch, struct refusal *refusal);
MUST_USE enum status campaign_decisions_decode(struct span body, struct arena *arena,
                                               struct campaign_decisions_request *request,
                                               struct refusal *refusal);
MUST_USE enum status campaign_campaigns_decode(struct span body, struct arena *arena,
                                               struct refusal *refusal);
MUST_USE enum status campaign_settle_decode(struct span body, struct arena *arena,
                                            struct refusal *refusal);

/* ---- replies; each appends to `out`, which has room for a page (asserted) */

/* A dispatch as it is told. The customer is named unless sealed. */
struct campaign_told {
    struct hash128 id;
    const struct campaign_dispatch *dispatch;
    const struct campaign_subject *subject;
};
/* A DispatchReply. */
void campaign_dispatch_reply_encode(const struct campaign_told *told, struct buffer *out);
/* Decisions are their rows, then their end. */
void campaign_decisions_row_append(const struct campaign_told *told, struct buffer *out);
void campaign_decisions_end_append(bool more, struct buffer *out);

/* A campaign of the rules, with what it came to. */
void campaign_figures_append(const struct campaigns *campaigns, const struct campaign_rule *rule,
                             const struct campaign_standing *standing, struct buffer *out);

/* Without positions. */
void campaign_settle_reply_encode(const struct campaign_head *head, bool settled,
                                  struct buffer *out);

enum campaign_reply { CAMPAIGN_DECISIONS, CAMPAIGN_CAMPAIGNS, CAMPAIGN_SETTLE };
void campaign_positions_append(enum campaign_reply kind, const struct turn_position *positions,
                               size_t count, struct buffer *out);

#endif
