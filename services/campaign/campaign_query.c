#include "services/campaign/campaign_query.h"

#include <assert.h>

/* A dispatch with its customer. False: there is none. */
struct query_told {
    struct campaign_dispatch dispatch;
    struct campaign_subject subject;
    struct campaign_told told;
};

static bool told_load(const struct view *view, struct hash128 id, struct query_told *query)
{
    if (!campaign_dispatch_load(view, id, &query->dispatch)) {
        return false;
    }
    bool found = campaign_customer_load(view, query->dispatch.customer, &query->subject);
    assert(found);
    query->told = (struct campaign_told){ id, &query->dispatch, &query->subject };
    return true;
}

enum status campaign_query_dispatch(const struct view *view, struct hash128 id, struct buffer *out,
                                    bool *is_pending, struct refusal *refusal)
{
    struct query_told query;
    if (!told_load(view, id, &query)) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no such dispatch");
    }
    campaign_dispatch_reply_encode(&query.told, out);
    *is_pending = query.dispatch.state == CAMPAIGN_PLANNED || query.dispatch.state == CAMPAIGN_OPEN;
    return STATUS_OK;
}

enum status campaign_query_decisions(const struct view *view,
                                     const struct campaign_decisions_request *request,
                                     struct buffer *out, struct refusal *refusal)
{
    struct campaign_standing standing = { .rules_version = 0 };
    if (!campaign_standing_load(view, request->campaign, &standing)) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no campaign '%.*s'",
                           (int)request->campaign.size, (const char *)request->campaign.data);
    }
    uint64_t left =
        request->after_number < standing.decided ? standing.decided - request->after_number : 0;
    uint64_t rows = left < request->limit ? left : request->limit;
    for (uint64_t i = 1; i <= rows; i++) {
        struct hash128 id = { .bytes = { 0 } };
        struct query_told query;
        bool found =
            campaign_decision_load(view, request->campaign, request->after_number + i, &id) &&
            told_load(view, id, &query);
        assert(found);
        campaign_decisions_row_append(&query.told, out);
    }
    campaign_decisions_end_append(rows < left, out);
    return STATUS_OK;
}

void campaign_query_campaigns(const struct view *view, const struct campaigns *campaigns,
                              struct buffer *out)
{
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        const struct campaign_rule *rule = &campaigns->campaigns[i];
        struct campaign_standing standing = { .rules_version = 0 };
        (void)campaign_standing_load(view, span_of_text(rule->name), &standing);
        campaign_figures_append(campaigns, rule, &standing, out);
    }
}
