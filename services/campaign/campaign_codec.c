#include "services/campaign/campaign_codec.h"

#include "common/wire/message.h"
#include "kith/v1/campaign.pb-c.h"

#include <assert.h>
#include <string.h>

#define SAME_NUMBER(own, proto) _Static_assert((int)(own) == (int)(proto), "same numbers")
SAME_NUMBER(CAMPAIGN_BY_ENTRY, KITH__V1__DISPATCH_TRIGGER__DISPATCH_BY_ENTRY);
SAME_NUMBER(CAMPAIGN_BY_SCHEDULE, KITH__V1__DISPATCH_TRIGGER__DISPATCH_BY_SCHEDULE);
SAME_NUMBER(CAMPAIGN_BY_COMMAND, KITH__V1__DISPATCH_TRIGGER__DISPATCH_BY_COMMAND);
SAME_NUMBER(CAMPAIGN_REASON_NONE, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NOT_SAID);
SAME_NUMBER(CAMPAIGN_NOT_IN_SEGMENT, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NOT_IN_SEGMENT);
SAME_NUMBER(CAMPAIGN_CAP_REACHED, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAP_REACHED);
SAME_NUMBER(CAMPAIGN_NOT_VALID, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NOT_VALID);
SAME_NUMBER(CAMPAIGN_NO_ADDRESS, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NO_ADDRESS);
SAME_NUMBER(CAMPAIGN_MISSING_ATTRIBUTE, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_MISSING_ATTRIBUTE);
SAME_NUMBER(CAMPAIGN_TOO_LONG, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_TOO_LONG);
SAME_NUMBER(CAMPAIGN_GONE, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAMPAIGN_GONE);
SAME_NUMBER(CAMPAIGN_REFUSED, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CHANNEL_REFUSED);

/* Numbers of the fields of DispatchMessage. */
#define FIELD_ADDRESS 1
#define FIELD_SUBJECT 2
#define FIELD_TEXT 3

/* ---- messages */

static void field_append(struct buffer *out, uint32_t field, struct span text)
{
    if (text.size == 0) {
        return;
    }
    enum status status = pb_field_begin(out, field, text.size);
    assert(status == STATUS_OK);
    status = buffer_append(out, text);
    assert(status == STATUS_OK);
}

void campaign_message_encode(const struct campaign_message *message, struct buffer *out)
{
    field_append(out, FIELD_ADDRESS, buffer_span(&message->address));
    field_append(out, FIELD_SUBJECT, buffer_span(&message->subject));
    field_append(out, FIELD_TEXT, buffer_span(&message->text));
}

enum status campaign_message_decode(struct span bytes, struct arena *arena,
                                    struct campaign_parts *parts)
{
    const Kith__V1__DispatchMessage *message =
        pb_unpack(&kith__v1__dispatch_message__descriptor, arena, bytes);
    if (message == NULL) {
        return STATUS_CORRUPT;
    }
    *parts = (struct campaign_parts){
        .address = pb_text(message->address),
        .subject = pb_text(message->subject),
        .text = pb_text(message->text),
    };
    return STATUS_OK;
}

/* ---- decisions and outcomes */

uint32_t campaign_decision_type(enum campaign_dispatch_state becomes)
{
    switch (becomes) {
    case CAMPAIGN_OPEN:
        return FACT_DISPATCH_INTENDED;
    case CAMPAIGN_SENT:
        return FACT_DISPATCH_SENT;
    case CAMPAIGN_SUPPRESSED:
        return FACT_DISPATCH_SUPPRESSED;
    case CAMPAIGN_UNKNOWN:
        return FACT_DISPATCH_UNKNOWN;
    case CAMPAIGN_PLANNED:
        break;
    }
    assert(false);
    return FACT_NONE;
}

static bool state_of_type(uint32_t type, enum campaign_dispatch_state *becomes)
{
    for (enum campaign_dispatch_state each = CAMPAIGN_OPEN; each <= CAMPAIGN_UNKNOWN; each++) {
        if (campaign_decision_type(each) == type) {
            *becomes = each;
            return true;
        }
    }
    return false;
}

void campaign_decision_encode(const struct campaign_decision *decision, struct buffer *out)
{
    /* Copies, since protobuf-c's text is not const. */
    struct campaign_plan plan = decision->plan;
    struct campaign_name channel = decision->channel;
    struct campaign_detail detail = decision->detail;
    struct hash128 identity = decision->channel_identity;
    Kith__V1__Dispatch message = KITH__V1__DISPATCH__INIT;
    message.has_dispatch = true;
    message.dispatch = pb_bytes(span_of(plan.dispatch.bytes, sizeof plan.dispatch.bytes));
    message.campaign = plan.campaign.text;
    message.has_number = true;
    message.number = decision->number;
    message.channel = channel.size > 0 ? channel.text : NULL;
    message.has_trigger = true;
    message.trigger = (Kith__V1__DispatchTrigger)plan.trigger;
    message.step = plan.step.text;
    message.has_reason = decision->reason != CAMPAIGN_REASON_NONE;
    message.reason = (Kith__V1__SuppressedReason)decision->reason;
    message.detail = detail.size > 0 ? detail.text : NULL;
    message.has_rules_version = true;
    message.rules_version = decision->rules_version;
    Kith__V1__Sealed sealed = KITH__V1__SEALED__INIT;
    sealed.has_key_id = decision->message.key_id != 0;
    sealed.key_id = decision->message.key_id;
    sealed.has_bytes = true;
    sealed.bytes = pb_bytes(decision->message.bytes);
    message.message = decision->becomes == CAMPAIGN_OPEN ? &sealed : NULL;
    message.has_channel_identity = decision->becomes == CAMPAIGN_OPEN;
    message.channel_identity = pb_bytes(span_of(identity.bytes, sizeof identity.bytes));
    message_append(&message.base, out);
}

static bool text_is_bounded(const char *text, size_t most)
{
    struct span span = pb_text(text);
    return span.size >= 1 && span.size <= most && text_is_clean(span);
}

static bool dispatch_is_whole(const Kith__V1__Dispatch *message)
{
    return message->dispatch.len == sizeof((struct hash128 *)NULL)->bytes &&
           id_text_is_valid(pb_text(message->campaign)) && message->number >= 1 &&
           (message->channel == NULL || id_text_is_valid(pb_text(message->channel))) &&
           (unsigned)message->trigger <= CAMPAIGN_BY_COMMAND &&
           text_is_bounded(message->step, CAMPAIGN_STEP_BYTES) &&
           (message->detail == NULL || text_is_bounded(message->detail, CAMPAIGN_DETAIL_BYTES)) &&
           message->rules_version >= 1;
}

/* Only what was suppressed has a reason, only what is intended has a message and says what the
 * channel was; only a campaign that is gone has none. */
static bool dispatch_fits(const Kith__V1__Dispatch *message, enum campaign_dispatch_state becomes)
{
    unsigned reason = message->has_reason ? (unsigned)message->reason : 0U;
    bool has_message = message->message != NULL;
    bool has_detail = message->detail != NULL;
    size_t identity = message->has_channel_identity ? message->channel_identity.len : 0;
    if ((becomes == CAMPAIGN_SUPPRESSED) != (reason >= 1) || reason > CAMPAIGN_REFUSED ||
        (becomes == CAMPAIGN_OPEN) != has_message ||
        identity != (has_message ? sizeof(struct hash128) : 0) ||
        (message->channel == NULL) != (reason == CAMPAIGN_GONE)) {
        return false;
    }
    if (has_detail && becomes != CAMPAIGN_SUPPRESSED && becomes != CAMPAIGN_UNKNOWN) {
        return false;
    }
    return !has_message || message->message->bytes.len <= CAMPAIGN_SEALED_BYTES;
}

enum status campaign_decision_decode(const struct fact *fact, struct arena *arena,
                                     struct campaign_decision *decision)
{
    enum campaign_dispatch_state becomes = CAMPAIGN_OPEN;
    if (!state_of_type(fact->type, &becomes) || !fact->has_customer ||
        fact->subject.bytes.size > CAMPAIGN_SUBJECT_BYTES) {
        return STATUS_CORRUPT;
    }
    const Kith__V1__Dispatch *message =
        pb_unpack(&kith__v1__dispatch__descriptor, arena, fact->body);
    if (message == NULL || !dispatch_is_whole(message) || !dispatch_fits(message, becomes)) {
        return STATUS_CORRUPT;
    }
    *decision = (struct campaign_decision){
        .becomes = becomes,
        .customer = fact->customer,
        .subject = campaign_subject_of(fact->subject),
        .plan = { .campaign = campaign_name_of(pb_text(message->campaign)),
                  .trigger = (enum campaign_trigger)message->trigger,
                  .step = campaign_step_of(pb_text(message->step)) },
        .number = message->number,
        .channel = campaign_name_of(pb_text(message->channel)),
        .reason = (enum campaign_reason)(message->has_reason ? message->reason : 0),
        .detail = campaign_detail_of(pb_text(message->detail)),
        .rules_version = message->rules_version,
    };
    memcpy(decision->plan.dispatch.bytes, message->dispatch.data, message->dispatch.len);
    if (message->message != NULL) {
        memcpy(decision->channel_identity.bytes, message->channel_identity.data,
               message->channel_identity.len);
        decision->message = (struct sealed){ .key_id = message->message->key_id,
                                             .bytes = pb_span(message->message->bytes) };
    }
    return STATUS_OK;
}
