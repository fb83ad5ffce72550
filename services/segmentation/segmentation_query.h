/*
 * Answers about segments and their members, from a view.
 */
#ifndef KITH_SEGMENTATION_QUERY_H
#define KITH_SEGMENTATION_QUERY_H

#include "services/segmentation/segmentation_core.h"
#include "services/segmentation/segmentation_request.h"

/* All append a reply without its positions. STATUS_NOT_FOUND: `rules` have no such segment. */

MUST_USE enum status segmentation_query_count(const struct view *view,
                                              const struct segmentation_rules *rules,
                                              struct span segment, struct buffer *out,
                                              struct refusal *refusal);
/* A page, ascending by the bytes of the customers' texts. */
MUST_USE enum status segmentation_query_list(const struct view *view,
                                             const struct segmentation_rules *rules,
                                             const struct segmentation_list_request *request,
                                             struct buffer *out, struct refusal *refusal);

/* Who is asked about. */
struct segmentation_why {
    const struct segmentation_why_request *request;
    struct customer_id id;
    struct segmentation_customer customer;
    int64_t now_ms;
};
/* `work->rules` are of the customer's version: those that decided, whatever is in force. */
MUST_USE enum status segmentation_query_why(const struct view *view, struct segmentation_work *work,
                                            const struct segmentation_why *why, struct buffer *out,
                                            struct refusal *refusal);

#endif
