#include "services/segmentation/segmentation_record.h"

#include "common/base/money.h"
#include "common/base/time_text.h"
#include "common/wire/message.h"
#include "kith/v1/segmentation_private.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The only texts that are made here: a number, a time, an amount with its currency. */
#define MADE_TEXT_BYTES 40
/* Amounts are shown in units of two fraction digits. */
#define MONEY_DIGITS 2

/* ---- private records, written */

static ProtobufCBinaryData customer_bytes(const struct customer_id *customer)
{
    return pb_bytes(span_of(customer->bytes, sizeof customer->bytes));
}

/* The attributes of an event as they are written. */
struct written_said {
    Kith__V1__ProfileAttribute said[LIMIT_ATTRIBUTES];
    Kith__V1__ProfileAttribute *pointers[LIMIT_ATTRIBUTES];
    Kith__V1__Sealed personal[LIMIT_ATTRIBUTES];
};

static Kith__V1__Sealed *personal_write(const struct segmentation_said *from,
                                        Kith__V1__Sealed *sealed)
{
    kith__v1__sealed__init(sealed);
    sealed->has_key_id = from->key_id != 0;
    sealed->key_id = from->key_id;
    sealed->has_bytes = true;
    sealed->bytes = pb_bytes(from->text);
    return sealed;
}

static void said_write(const struct segmentation_event *event, struct arena *arena,
                       struct written_said *written)
{
    assert(event->said_count <= LIMIT_ATTRIBUTES);
    for (size_t i = 0; i < event->said_count; i++) {
        const struct segmentation_said *from = &event->said[i];
        Kith__V1__ProfileAttribute *said = &written->said[i];
        kith__v1__profile_attribute__init(said);
        said->name = message_text(arena, from->name);
        written->pointers[i] = said;
        if (from->personal) {
            said->personal = personal_write(from, &written->personal[i]);
            continue;
        }
        said->text = from->text.size > 0 ? message_text(arena, from->text) : NULL;
        said->has_integer = from->has_integer;
        said->integer = from->integer;
    }
}

static void event_write(const struct segmentation_event *event, struct arena *arena,
                        struct buffer *out)
{
    Kith__V1__Sealed subject = KITH__V1__SEALED__INIT;
    subject.has_key_id = event->subject.key_id != 0;
    subject.key_id = event->subject.key_id;
    subject.has_bytes = true;
    subject.bytes = pb_bytes(span_of(event->subject.bytes, event->subject.size));
    Kith__V1__SegmentationEvent message = KITH__V1__SEGMENTATION_EVENT__INIT;
    message.has_customer = true;
    message.customer = customer_bytes(&event->customer);
    message.subject = &subject;
    message.type = message_text(arena, event->type);
    message.category = event->category.size > 0 ? message_text(arena, event->category) : NULL;
    message.has_amount_minor = event->amount_minor != 0;
    message.amount_minor = event->amount_minor;
    message.has_occurred_at_ms = true;
    message.occurred_at_ms = event->occurred_at_ms;
    message.has_now_ms = true;
    message.now_ms = event->now_ms;
    struct written_said written;
    said_write(event, arena, &written);
    message.n_attributes = event->said_count;
    message.attributes = written.pointers;
    Kith__V1__SegmentationRecord record = KITH__V1__SEGMENTATION_RECORD__INIT;
    record.record_case = KITH__V1__SEGMENTATION_RECORD__RECORD_EVENT;
    record.event = &message;
    message_append(&record.base, out);
}

void segmentation_record_encode(const struct segmentation_record *from, struct arena *arena,
                                struct buffer *out)
{
    Kith__V1__SegmentationRecord record = KITH__V1__SEGMENTATION_RECORD__INIT;
    Kith__V1__SegmentationAdvanced advanced = KITH__V1__SEGMENTATION_ADVANCED__INIT;
    Kith__V1__SegmentationVisited visited = KITH__V1__SEGMENTATION_VISITED__INIT;
    Kith__V1__SegmentationVisitsEnded ended = KITH__V1__SEGMENTATION_VISITS_ENDED__INIT;
    switch (from->kind) {
    case SEGMENTATION_RECORD_EVENT:
        event_write(&from->event, arena, out);
        return;
    case SEGMENTATION_RECORD_ADVANCED:
        advanced.has_customer = true;
        advanced.customer = customer_bytes(&from->customer);
        advanced.has_now_ms = true;
        advanced.now_ms = from->now_ms;
        record.record_case = KITH__V1__SEGMENTATION_RECORD__RECORD_ADVANCED;
        record.advanced = &advanced;
        break;
    case SEGMENTATION_RECORD_VISITED:
        visited.has_customer = true;
        visited.customer = customer_bytes(&from->customer);
        visited.has_now_ms = true;
        visited.now_ms = from->now_ms;
        record.record_case = KITH__V1__SEGMENTATION_RECORD__RECORD_VISITED;
        record.visited = &visited;
        break;
    case SEGMENTATION_RECORD_VISITS_ENDED:
        ended.has_rules_version = true;
        ended.rules_version = from->rules_version;
        record.record_case = KITH__V1__SEGMENTATION_RECORD__RECORD_VISITS_ENDED;
        record.visits_ended = &ended;
        break;
    }
    message_append(&record.base, out);
}

/* ---- private records, read */

static bool time_is_valid(int64_t at_ms)
{
    return at_ms >= LIMIT_TIME_LEAST_MS && at_ms <= LIMIT_TIME_MOST_MS;
}

static bool customer_read(ProtobufCBinaryData bytes, struct customer_id *customer)
{
    if (bytes.len != sizeof customer->bytes) {
        return false;
    }
    memcpy(customer->bytes, bytes.data, sizeof customer->bytes);
    return true;
}

static bool said_read(const Kith__V1__ProfileAttribute *message, struct segmentation_said *said)
{
    *said = (struct segmentation_said){
        .name = pb_text(message->name),
        .text = pb_text(message->text),
        .has_integer = message->has_integer,
        .integer = message->integer,
    };
    if (message->personal != NULL) {
        said->personal = true;
        said->key_id = message->personal->key_id;
        said->text = pb_span(message->personal->bytes);
    }
    return said->name.size >= 1 && said->name.size <= LIMIT_ID_BYTES &&
           said->text.size <= LIMIT_TEXT_BYTES;
}

static bool event_is_valid(const Kith__V1__SegmentationEvent *message)
{
    return message->subject != NULL && message->subject->bytes.len <= SEGMENTATION_SUBJECT_BYTES &&
           pb_text(message->type).size >= 1 && pb_text(message->type).size <= LIMIT_ID_BYTES &&
           pb_text(message->category).size <= LIMIT_ID_BYTES &&
           message->amount_minor >= -LIMIT_AMOUNT && message->amount_minor <= LIMIT_AMOUNT &&
           message->has_occurred_at_ms && time_is_valid(message->occurred_at_ms) &&
           message->has_now_ms && time_is_valid(message->now_ms) &&
           message->n_attributes <= LIMIT_ATTRIBUTES;
}

static enum status event_read(const Kith__V1__SegmentationEvent *message,
                              struct segmentation_event *event)
{
    if (!event_is_valid(message) || !customer_read(message->customer, &event->customer)) {
        return STATUS_CORRUPT;
    }
    struct sealed subject = { .key_id = message->subject->key_id,
                              .bytes = pb_span(message->subject->bytes) };
    event->subject = segmentation_subject_of(subject);
    event->type = pb_text(message->type);
    event->category = pb_text(message->category);
    event->amount_minor = message->amount_minor;
    event->occurred_at_ms = message->occurred_at_ms;
    event->now_ms = message->now_ms;
    event->said_count = message->n_attributes;
    for (size_t i = 0; i < message->n_attributes; i++) {
        if (!said_read(message->attributes[i], &event->said[i])) {
            return STATUS_CORRUPT;
        }
    }
    return STATUS_OK;
}

static enum status instant_read(ProtobufCBinaryData customer, int64_t now_ms,
                                struct segmentation_record *record)
{
    record->now_ms = now_ms;
    bool valid = time_is_valid(now_ms) && customer_read(customer, &record->customer);
    return valid ? STATUS_OK : STATUS_CORRUPT;
}

enum status segmentation_record_decode(struct span bytes, struct arena *arena,
                                       struct segmentation_record *record)
{
    const Kith__V1__SegmentationRecord *message =
        pb_unpack(&kith__v1__segmentation_record__descriptor, arena, bytes);
    if (message == NULL) {
        return STATUS_CORRUPT;
    }
    enum status status = STATUS_CORRUPT;
    switch (message->record_case) {
    case KITH__V1__SEGMENTATION_RECORD__RECORD_EVENT:
        record->kind = SEGMENTATION_RECORD_EVENT;
        status = event_read(message->event, &record->event);
        record->customer = record->event.customer;
        record->now_ms = record->event.now_ms;
        return status;
    case KITH__V1__SEGMENTATION_RECORD__RECORD_ADVANCED:
        record->kind = SEGMENTATION_RECORD_ADVANCED;
        return instant_read(message->advanced->customer, message->advanced->now_ms, record);
    case KITH__V1__SEGMENTATION_RECORD__RECORD_VISITED:
        record->kind = SEGMENTATION_RECORD_VISITED;
        return instant_read(message->visited->customer, message->visited->now_ms, record);
    case KITH__V1__SEGMENTATION_RECORD__RECORD_VISITS_ENDED:
        record->kind = SEGMENTATION_RECORD_VISITS_ENDED;
        record->rules_version = message->visits_ended->rules_version;
        return record->rules_version > 0 ? STATUS_OK : STATUS_CORRUPT;
    case KITH__V1__SEGMENTATION_RECORD__RECORD__NOT_SET:
    case _KITH__V1__SEGMENTATION_RECORD__RECORD__CASE_IS_INT_SIZE:
        break;
    }
    return STATUS_CORRUPT;
}

/* ---- an accepted event */

/* The value as people read it, which is what rules compare. */
static struct span attribute_text(const struct attribute *attribute, struct arena *arena)
{
    if (attribute->kind == ATTRIBUTE_TEXT) {
        return attribute->text;
    }
    char *text = arena_allocate(arena, MADE_TEXT_BYTES);
    assert(text != NULL);
    text[0] = '\0';
    switch (attribute->kind) {
    case ATTRIBUTE_INTEGER:
        (void)snprintf(text, MADE_TEXT_BYTES, "%" PRId64, attribute->integer);
        break;
    case ATTRIBUTE_FLAG:
        (void)snprintf(text, MADE_TEXT_BYTES, "%s", attribute->integer != 0 ? "true" : "false");
        break;
    case ATTRIBUTE_AT:
        time_format(attribute->integer, text);
        break;
    case ATTRIBUTE_MONEY:
        decimal_format(attribute->money.minor, MONEY_DIGITS, text);
        (void)snprintf(text + strlen(text), MADE_TEXT_BYTES - strlen(text), " %s",
                       attribute->money.currency);
        break;
    case ATTRIBUTE_TEXT:
        break;
    }
    return span_of_text(text);
}

static bool event_tells_profile(struct span type)
{
    return span_equal(type, span_of_text(EVENT_CUSTOMER_REGISTERED)) ||
           span_equal(type, span_of_text(EVENT_PROFILE_CHANGED));
}

static void profile_read(const struct accepted_event *accepted, struct arena *arena,
                         struct segmentation_event *event)
{
    for (size_t i = 0; i < accepted->attribute_count; i++) {
        const struct attribute *attribute = &accepted->attributes[i];
        bool integer = attribute->kind == ATTRIBUTE_INTEGER;
        event->said[event->said_count++] = (struct segmentation_said){
            .name = attribute->name,
            .text = attribute_text(attribute, arena),
            .has_integer = integer,
            .integer = integer ? attribute->integer : 0,
        };
    }
    for (size_t i = 0; i < accepted->personal_count; i++) {
        event->said[event->said_count++] =
            (struct segmentation_said){ .name = accepted->personal[i].name,
                                        .text = attribute_text(&accepted->personal[i], arena),
                                        .personal = true };
    }
}

void segmentation_event_read(const struct fact *fact, const struct accepted_event *accepted,
                             struct arena *arena, struct segmentation_event *event)
{
    *event = (struct segmentation_event){
        .customer = fact->customer,
        .subject = segmentation_subject_of(fact->subject),
        .type = accepted->type,
        .amount_minor = accepted->has_amount ? accepted->amount.minor : 0,
        .occurred_at_ms = accepted->occurred_at_ms,
        .now_ms = fact->recorded_at_ms,
    };
    for (size_t i = 0; i < accepted->attribute_count; i++) {
        const struct attribute *attribute = &accepted->attributes[i];
        bool text = attribute->kind == ATTRIBUTE_TEXT;
        if (text && attribute->text.size <= LIMIT_ID_BYTES &&
            span_equal(attribute->name, span_of_text("category"))) {
            event->category = attribute->text;
        }
    }
    if (event_tells_profile(accepted->type)) {
        profile_read(accepted, arena, event);
    }
}
