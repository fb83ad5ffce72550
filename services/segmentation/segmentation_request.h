/*
 * What is asked of segmentation and what it answers, in and out of Protocol Buffers. Spans
 * point into the arena, which the caller resets before.
 */
#ifndef KITH_SEGMENTATION_REQUEST_H
#define KITH_SEGMENTATION_REQUEST_H

#include "common/base/arena.h"
#include "common/service/service.h"
#include "services/segmentation/segmentation_store.h"

struct segmentation_list_request {
    struct span segment;
    struct span after; /* empty: from the first */
    uint32_t limit;    /* 1..REQUEST_PAGE_MAX */
};
struct segmentation_why_request {
    struct span segment;
    struct span customer;
};

/* All of them: STATUS_MALFORMED with a violation for each faulty field. */
MUST_USE enum status segmentation_count_decode(struct span body, struct arena *arena,
                                               struct span *segment, struct refusal *refusal);
MUST_USE enum status segmentation_list_decode(struct span body, struct arena *arena,
                                              struct segmentation_list_request *request,
                                              struct refusal *refusal);
MUST_USE enum status segmentation_why_decode(struct span body, struct arena *arena,
                                             struct segmentation_why_request *request,
                                             struct refusal *refusal);

/* ---- replies; each appends to `out`, which has room for it (asserted) */

enum segmentation_reply { SEGMENTATION_COUNT, SEGMENTATION_LIST, SEGMENTATION_WHY };
/* Positions stand last in each reply. */
void segmentation_positions_append(enum segmentation_reply reply,
                                   const struct turn_position *positions, size_t count,
                                   struct buffer *out);

void segmentation_count_reply_encode(struct span segment, uint64_t count, struct buffer *out);

/* A list is its customers, then its end. */
void segmentation_list_customer_append(struct span text, struct buffer *out);
void segmentation_list_end_append(bool more, struct buffer *out);

/* A why is its head, then its clauses. */
struct segmentation_why_head {
    struct span segment;
    struct span customer;
    bool member;
    uint32_t rules_version;
    int64_t since_ms; /* of a member */
};
void segmentation_why_head_append(const struct segmentation_why_head *head, struct buffer *out);
/* Each text ends with a NUL. */
void segmentation_clause_append(char *text, char *value, bool holds, struct buffer *out);

#endif
