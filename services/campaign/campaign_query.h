/*
 * Answers out of campaign's records.
 */
#ifndef KITH_CAMPAIGN_QUERY_H
#define KITH_CAMPAIGN_QUERY_H

#include "services/campaign/campaign_request.h"

/* Appends a DispatchReply. `is_pending`: its outcome is still to come.
 * STATUS_NOT_FOUND: there is no such dispatch. */
MUST_USE enum status campaign_query_dispatch(const struct view *view, struct hash128 id,
                                             struct buffer *out, bool *is_pending,
                                             struct refusal *refusal);
/* Appends a DecisionsReply without positions: decisions of one campaign after a number.
 * STATUS_NOT_FOUND: no rules ever named the campaign. */
MUST_USE enum status campaign_query_decisions(const struct view *view,
                                              const struct campaign_decisions_request *request,
                                              struct buffer *out, struct refusal *refusal);
/* Appends a CampaignsReply without positions: the rules' campaigns, in their order. */
void campaign_query_campaigns(const struct view *view, const struct campaigns *campaigns,
                              struct buffer *out);

#endif
