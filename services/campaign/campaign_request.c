#include "services/campaign/campaign_request.h"

#include "common/wire/message.h"
#include "kith/v1/campaign.pb-c.h"

#include <string.h>

#define SAME_NUMBER(own, proto) _Static_assert((int)(own) == (int)(proto), "same numbers")
SAME_NUMBER(CAMPAIGN_SENT - 1, KITH__V1__DISPATCH_STATE__DISPATCH_IS_SENT);
SAME_NUMBER(CAMPAIGN_SUPPRESSED - 1, KITH__V1__DISPATCH_STATE__DISPATCH_IS_SUPPRESSED);
SAME_NUMBER(CAMPAIGN_UNKNOWN - 1, KITH__V1__DISPATCH_STATE__DISPATCH_IS_UNKNOWN);

/* Repeated fields, written one by one. */
#define FIELD_DECISIONS 1
#define FIELD_DECISIONS_POSITIONS 3
#define FIELD_FIGURES 1
#define FIELD_CAMPAIGNS_POSITIONS 2
#define FIELD_SETTLE_POSITIONS 4

/* ---- requests */

static bool campaign_check(const char *campaign, struct refusal *refusal)
{
    return request_id_check(campaign, "campaign", "name a campaign of the configuration", refusal);
}

enum status campaign_trigger_decode(struct span body, struct arena *arena,
                                    struct campaign_trigger_request *request,
                                    struct refusal *refusal)
{
    const Kith__V1__TriggerRequest *message =
        request_unpack(&kith__v1__trigger_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    bool valid = campaign_check(message->campaign, refusal);
    valid = request_id_check(message->customer, "customer", "name the customer as its source does",
                             refusal) &&
            valid;
    if (!valid) {
        return STATUS_MALFORMED;
    }
    *request = (struct campaign_trigger_request){
        .campaign = pb_text(message->campaign),
        .customer = pb_text(message->customer),
    };
    return STATUS_OK;
}

enum status campaign_dispatch_decode(struct span body, struct arena *arena,
                                     struct hash128 *dispatch, struct refusal *refusal)
{
    const Kith__V1__DispatchRequest *message =
        request_unpack(&kith__v1__dispatch_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    if (message->dispatch.len != sizeof dispatch->bytes) {
        refusal_violation(refusal, "dispatch", "16 bytes",
                          "give the dispatch as a reply or a fact shows it");
        return STATUS_MALFORMED;
    }
    memcpy(dispatch->bytes, message->dispatch.data, message->dispatch.len);
    return STATUS_OK;
}

enum status campaign_decisions_decode(struct span body, struct arena *arena,
                                      struct campaign_decisions_request *request,
                                      struct refusal *refusal)
{
    const Kith__V1__DecisionsRequest *message =
        request_unpack(&kith__v1__decisions_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    uint32_t limit = 0;
    bool valid = campaign_check(message->campaign, refusal);
    valid = request_limit_check(message->limit, &limit, refusal) && valid;
    if (!valid) {
        return STATUS_MALFORMED;
    }
    *request = (struct campaign_decisions_request){
        .campaign = pb_text(message->campaign),
        .after_number = message->after_number,
        .limit = limit,
    };
    return STATUS_OK;
}

enum status campaign_campaigns_decode(struct span body, struct arena *arena,
                                      struct refusal *refusal)
{
    return request_unpack(&kith__v1__campaigns_request__descriptor, body, arena, refusal) == NULL
               ? STATUS_MALFORMED
               : STATUS_OK;
}

enum status campaign_settle_decode(struct span body, struct arena *arena, struct refusal *refusal)
{
    return request_unpack(&kith__v1__settle_request__descriptor, body, arena, refusal) == NULL
               ? STATUS_MALFORMED
               : STATUS_OK;
}

/* ---- replies */

/* What a DispatchReply points to: protobuf-c's text is not const. */
struct told_texts {
    struct campaign_dispatch dispatch;
    struct campaign_name customer;
    struct hash128 id;
};

static Kith__V1__DispatchReply told_write(const struct campaign_told *told,
                                          struct told_texts *texts)
{
    *texts = (struct told_texts){ .dispatch = *told->dispatch, .id = told->id };
    struct campaign_dispatch *dispatch = &texts->dispatch;
    if (told->subject->key_id == 0 && told->subject->size <= LIMIT_ID_BYTES) {
        texts->customer = campaign_name_of(span_of(told->subject->bytes, told->subject->size));
    }
    bool is_decided = dispatch->number > 0;
    bool is_pending = dispatch->state == CAMPAIGN_PLANNED || dispatch->state == CAMPAIGN_OPEN;
    Kith__V1__DispatchReply message = KITH__V1__DISPATCH_REPLY__INIT;
    message.has_dispatch = true;
    message.dispatch = pb_bytes(span_of(texts->id.bytes, sizeof texts->id.bytes));
    message.campaign = dispatch->campaign.text;
    message.customer = texts->customer.size > 0 ? texts->customer.text : NULL;
    message.has_state = true;
    message.state = is_pending ? KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING
                               : (Kith__V1__DispatchState)(dispatch->state - 1);
    message.has_reason = dispatch->reason != CAMPAIGN_REASON_NONE;
    message.reason = (Kith__V1__SuppressedReason)dispatch->reason;
    message.detail = dispatch->detail.size > 0 ? dispatch->detail.text : NULL;
    message.has_number = is_decided;
    message.number = dispatch->number;
    message.has_trigger = true;
    message.trigger = (Kith__V1__DispatchTrigger)dispatch->trigger;
    message.step = dispatch->step.text;
    message.channel = dispatch->channel.size > 0 ? dispatch->channel.text : NULL;
    message.has_decided_at_ms = is_decided;
    message.decided_at_ms = dispatch->decided_at_ms;
    return message;
}

void campaign_dispatch_reply_encode(const struct campaign_told *told, struct buffer *out)
{
    struct told_texts texts;
    Kith__V1__DispatchReply message = told_write(told, &texts);
    message_append(&message.base, out);
}

void campaign_decisions_row_append(const struct campaign_told *told, struct buffer *out)
{
    struct told_texts texts;
    Kith__V1__DispatchReply message = told_write(told, &texts);
    message_element_append(FIELD_DECISIONS, &message.base, out);
}

void campaign_decisions_end_append(bool more, struct buffer *out)
{
    Kith__V1__DecisionsReply message = KITH__V1__DECISIONS_REPLY__INIT;
    message.has_more = true;
    message.more = more;
    message_append(&message.base, out);
}

void campaign_figures_append(const struct campaigns *campaigns, const struct campaign_rule *rule,
                             const struct campaign_standing *standing, struct buffer *out)
{
    struct campaign_name name = campaign_name_of(span_of_text(rule->name));
    struct campaign_name segment = campaign_name_of(span_of_text(rule->segment));
    struct campaign_name channel =
        campaign_name_of(span_of_text(campaigns->channels[rule->channel].name));
    Kith__V1__CampaignFigures message = KITH__V1__CAMPAIGN_FIGURES__INIT;
    message.campaign = name.text;
    message.segment = segment.text;
    message.channel = channel.text;
    message.has_sent = true;
    message.sent = standing->sent;
    message.has_suppressed = true;
    message.suppressed = standing->suppressed;
    message.has_unknown = true;
    message.unknown = standing->unknown;
    message.has_open = true;
    message.open = standing->open;
    message.has_planned = true;
    message.planned = standing->queued - standing->taken;
    message_element_append(FIELD_FIGURES, &message.base, out);
}

void campaign_settle_reply_encode(const struct campaign_head *head, bool settled,
                                  struct buffer *out)
{
    Kith__V1__SettleReply message = KITH__V1__SETTLE_REPLY__INIT;
    message.has_settled = true;
    message.settled = settled;
    message.has_planned = true;
    message.planned = head->planned;
    message.has_open = true;
    message.open = head->open;
    message_append(&message.base, out);
}

void campaign_positions_append(enum campaign_reply kind, const struct turn_position *positions,
                               size_t count, struct buffer *out)
{
    static const uint32_t fields[] = {
        [CAMPAIGN_DECISIONS] = FIELD_DECISIONS_POSITIONS,
        [CAMPAIGN_CAMPAIGNS] = FIELD_CAMPAIGNS_POSITIONS,
        [CAMPAIGN_SETTLE] = FIELD_SETTLE_POSITIONS,
    };
    for (size_t i = 0; i < count; i++) {
        message_position_append(fields[kind], positions[i].feed, positions[i].seq, out);
    }
}
