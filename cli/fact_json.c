#include "cli/fact_json.h"

#include "cli/event_json.h"
#include "cli/output.h"
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- names */

/* "FACT_POINTS_EARNED" without its first `skip` letters, in small ones, its words joined by
 * `joint`. */
static json_t *enum_json(const ProtobufCEnumDescriptor *descriptor, int value, size_t skip,
                         char joint)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);
    char text[64];
    if (known == NULL) {
        (void)snprintf(text, sizeof text, "%d", value);
        return json_string(text);
    }
    (void)snprintf(text, sizeof text, "%s", known->name + skip);
    for (char *at = text; *at != '\0'; at++) {
        int letter = (tolower)((unsigned char)*at); /* in brackets: glibc's macro is a page */
        *at = (char)letter;
        if (*at == '_') {
            *at = joint;
        }
    }
    return json_string(text);
}

json_t *fact_type_json(uint32_t type)
{
    return enum_json(&kith__v1__fact_type__descriptor, (int)type, strlen("FACT_"), '.');
}

json_t *dispatch_json(struct span dispatch)
{
    char text[2 * LIMIT_ID_BYTES + 1] = "";
    if (dispatch.size <= LIMIT_ID_BYTES) {
        hex_encode(dispatch, text);
    }
    return json_string(text);
}

json_t *dispatch_reason_json(bool has_reason, int reason)
{
    if (!has_reason || reason == KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NOT_SAID) {
        return json_null();
    }
    return enum_json(&kith__v1__suppressed_reason__descriptor, reason, strlen("SUPPRESSED_"), '_');
}

json_t *dispatch_trigger_json(int trigger)
{
    return enum_json(&kith__v1__dispatch_trigger__descriptor, trigger, strlen("DISPATCH_BY_"), '_');
}

json_t *dispatch_state_json(int state)
{
    return enum_json(&kith__v1__dispatch_state__descriptor, state, strlen("DISPATCH_IS_"), '_');
}

/* ---- ingestion */

/* A body that is not what its type says: shown as bytes, since who looks wants to see it. */
static void bytes_put(json_t *object, struct span body)
{
    output_put(object, "undecoded", json_true());
    output_put(object, "bytes", output_unsigned(body.size));
}

static void accepted_put(json_t *object, struct span body, struct arena *arena)
{
    struct accepted_event event = { 0 };
    if (accepted_event_decode(body, arena, &event) != STATUS_OK) {
        bytes_put(object, body);
        return;
    }
    output_put(object, "event_type", output_text(event.type));
    output_put(object, "source", output_text(event.source));
    output_put(object, "id", output_text(event.id));
    output_put(object, "schema_version", json_integer(event.schema_version));
    if (event.has_amount) {
        output_put(object, "amount", money_json(&event.amount));
    }
    json_t *attributes = json_object();
    for (size_t i = 0; i < event.attribute_count; i++) {
        const struct attribute *attribute = &event.attributes[i];
        output_put_named(attributes, attribute->name, attribute_json(attribute));
    }
    output_put(object, "attributes", attributes);
    output_put(object, "new_customer", json_boolean(event.new_customer));
}

static void quarantined_put(json_t *object, const void *message)
{
    const Kith__V1__EventQuarantined *body = message;
    output_put(object, "entry", output_unsigned(body->entry));
    output_put(object, "reason",
               enum_json(&kith__v1__quarantine_reason__descriptor, (int)body->reason,
                         strlen("QUARANTINE_"), '_'));
    output_put(object, "explanation", output_text_or_null(body->explanation));
    output_put(object, "source", output_text_or_null(body->source));
    output_put(object, "id", output_text_or_null(body->id));
    output_put(object, "raw", json_boolean(body->raw));
}

static void closed_put(json_t *object, const void *message)
{
    const Kith__V1__QuarantineClosed *body = message;
    output_put(object, "entry", output_unsigned(body->entry));
    output_put(object, "accepted", json_boolean(body->accepted));
}

static void clock_put(json_t *object, const void *message)
{
    const Kith__V1__ClockAdvanced *body = message;
    output_put(object, "to", output_time(body->to_ms));
}

/* ---- loyalty and segmentation */

static void posted_put(json_t *object, const void *message)
{
    const Kith__V1__PointsPosted *body = message;
    output_put(object, "programme", output_text_or_null(body->programme));
    output_put(object, "points", json_integer(body->points));
    output_put(object, "balance_after", json_integer(body->balance_after));
    output_put(object, "number", output_unsigned(body->number));
    output_put(object, "counter",
               enum_json(&kith__v1__ledger_account__descriptor, (int)body->counter,
                         strlen("LEDGER_"), '_'));
    if (body->source != NULL) {
        output_put(object, "source", output_text_or_null(body->source));
        output_put(object, "event_id", output_text_or_null(body->event_id));
    }
    if (body->has_reverses) {
        output_put(object, "reverses", output_unsigned(body->reverses));
    }
    if (body->reference != NULL) {
        output_put(object, "reference", output_text_or_null(body->reference));
    }
}

static void entered_put(json_t *object, const void *message)
{
    const Kith__V1__SegmentEntered *body = message;
    output_put(object, "segment", output_text_or_null(body->segment));
    output_put(object, "rules_version", json_integer(body->rules_version));
}

static void exited_put(json_t *object, const void *message)
{
    const Kith__V1__SegmentExited *body = message;
    output_put(object, "segment", output_text_or_null(body->segment));
    output_put(object, "rules_version", json_integer(body->rules_version));
    output_put(object, "by_time", json_boolean(body->by_time));
}

/* ---- campaign */

/* Without the message, which is for the customer alone. */
static void dispatch_put(json_t *object, const void *message)
{
    const Kith__V1__Dispatch *body = message;
    output_put(object, "dispatch", dispatch_json(pb_span(body->dispatch)));
    output_put(object, "campaign", output_text_or_null(body->campaign));
    output_put(object, "number", output_unsigned(body->number));
    output_put(object, "channel", output_text_or_null(body->channel));
    output_put(object, "trigger", dispatch_trigger_json((int)body->trigger));
    output_put(object, "step", output_text_or_null(body->step));
    if (body->has_reason) {
        output_put(object, "reason", dispatch_reason_json(true, (int)body->reason));
    }
    if (body->detail != NULL) {
        output_put(object, "detail", output_text_or_null(body->detail));
    }
    output_put(object, "rules_version", json_integer(body->rules_version));
}

/* ---- any service */

static void rules_put(json_t *object, const void *message)
{
    const Kith__V1__RulesChanged *body = message;
    output_put(object, "name", output_text_or_null(body->name));
    output_put(object, "rules_version", json_integer(body->rules_version));
    output_put(object, "text", output_text_or_null(body->text));
}

static void consumer_put(json_t *object, const void *message)
{
    const Kith__V1__ConsumerAccepted *body = message;
    output_put(object, "accepted_feed", output_text_or_null(body->feed));
    output_put(object, "accepted_shard", json_integer(body->shard));
    output_put(object, "from", output_unsigned(body->from));
    output_put(object, "reason", output_text_or_null(body->reason));
}

/* ---- the fact */

/* Bodies that protobuf-c unpacks; events have a codec of their own. */
struct body_form {
    uint32_t type;
    const ProtobufCMessageDescriptor *descriptor;
    void (*put)(json_t *object, const void *message);
};

static const struct body_form body_forms[] = {
    { FACT_EVENT_QUARANTINED, &kith__v1__event_quarantined__descriptor, quarantined_put },
    { FACT_QUARANTINE_CLOSED, &kith__v1__quarantine_closed__descriptor, closed_put },
    { FACT_CLOCK_ADVANCED, &kith__v1__clock_advanced__descriptor, clock_put },
    { FACT_POINTS_EARNED, &kith__v1__points_posted__descriptor, posted_put },
    { FACT_POINTS_SPENT, &kith__v1__points_posted__descriptor, posted_put },
    { FACT_POINTS_REVERSED, &kith__v1__points_posted__descriptor, posted_put },
    { FACT_POINTS_GRANTED, &kith__v1__points_posted__descriptor, posted_put },
    { FACT_SEGMENT_ENTERED, &kith__v1__segment_entered__descriptor, entered_put },
    { FACT_SEGMENT_EXITED, &kith__v1__segment_exited__descriptor, exited_put },
    { FACT_DISPATCH_INTENDED, &kith__v1__dispatch__descriptor, dispatch_put },
    { FACT_DISPATCH_SENT, &kith__v1__dispatch__descriptor, dispatch_put },
    { FACT_DISPATCH_SUPPRESSED, &kith__v1__dispatch__descriptor, dispatch_put },
    { FACT_DISPATCH_UNKNOWN, &kith__v1__dispatch__descriptor, dispatch_put },
    { FACT_RULES_CHANGED, &kith__v1__rules_changed__descriptor, rules_put },
    { FACT_CONSUMER_ACCEPTED, &kith__v1__consumer_accepted__descriptor, consumer_put },
};

static const struct body_form *form_find(uint32_t type)
{
    for (size_t i = 0; i < sizeof body_forms / sizeof body_forms[0]; i++) {
        if (body_forms[i].type == type) {
            return &body_forms[i];
        }
    }
    return NULL;
}

/* When it happened in the world, for those facts that say so. */
static bool occurred_at_of(const struct fact *fact, struct arena *arena, int64_t *occurred_at_ms)
{
    if (fact->type == FACT_EVENT_ACCEPTED) {
        struct accepted_event event = { 0 };
        bool decoded = accepted_event_decode(fact->body, arena, &event) == STATUS_OK;
        *occurred_at_ms = event.occurred_at_ms;
        return decoded;
    }
    const struct body_form *form = form_find(fact->type);
    if (form == NULL || form->put != posted_put) {
        return false;
    }
    const Kith__V1__PointsPosted *posted = pb_unpack(form->descriptor, arena, fact->body);
    if (posted == NULL || !posted->has_occurred_at_ms) {
        return false;
    }
    *occurred_at_ms = posted->occurred_at_ms;
    return true;
}

static void body_put(json_t *object, const struct fact *fact, struct arena *arena)
{
    if (fact->type == FACT_EVENT_ACCEPTED) {
        accepted_put(object, fact->body, arena);
        return;
    }
    const struct body_form *form = form_find(fact->type);
    const void *message = form != NULL ? pb_unpack(form->descriptor, arena, fact->body) : NULL;
    if (message == NULL) {
        bytes_put(object, fact->body);
        return;
    }
    form->put(object, message);
}

json_t *fact_json(const struct feed_name *feed, const struct fact *fact, struct arena *arena)
{
    json_t *object = json_object();
    bool readable = fact->subject.key_id == 0 && fact->subject.bytes.size > 0;
    int64_t occurred_at_ms = 0;
    arena_reset(arena);
    output_put(object, "feed", output_text_or_null(feed->name));
    output_put(object, "shard", json_integer(feed->shard));
    output_put(object, "seq", output_unsigned(fact->seq));
    output_put(object, "type", fact_type_json(fact->type));
    output_put(object, "customer", readable ? output_text(fact->subject.bytes) : json_null());
    if (occurred_at_of(fact, arena, &occurred_at_ms)) {
        output_put(object, "occurred_at", output_time(occurred_at_ms));
    }
    output_put(object, "recorded_at", output_time(fact->recorded_at_ms));
    if (fact->cause != 0) {
        output_put(object, "cause", output_unsigned(fact->cause));
    }
    body_put(object, fact, arena);
    return object;
}
