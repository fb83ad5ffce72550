#include "services/segmentation/segmentation_record.h"

#include "common/base/field.h"
#include "common/base/money.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The only texts that are made here: a number, a time, an amount with its currency. */
#define MADE_TEXT_BYTES 40
/* Amounts are shown in units of two fraction digits. */
#define MONEY_DIGITS 2

/* Field by field, both ways, because there is one for each event. The numbers are those of
 * segmentation_private.proto and wire.proto. */
enum record_field { RECORD_EVENT = 1, RECORD_ADVANCED, RECORD_VISITED, RECORD_VISITS_ENDED };
enum event_field {
    EVENT_CUSTOMER = 1,
    EVENT_SUBJECT,
    EVENT_TYPE,
    EVENT_CATEGORY,
    EVENT_AMOUNT_MINOR,
    EVENT_OCCURRED_AT_MS,
    EVENT_NOW_MS,
    EVENT_ATTRIBUTES,
};
enum said_field { SAID_NAME = 1, SAID_TEXT, SAID_INTEGER, SAID_PERSONAL };
enum sealed_field { SEALED_KEY_ID = 1, SEALED_BYTES };
/* Of a customer that was advanced or visited. */
enum instant_field { INSTANT_CUSTOMER = 1, INSTANT_NOW_MS };
enum ended_field { ENDED_RULES_VERSION = 1 };

/* ---- private records, written */

static struct span customer_span(const struct customer_id *customer)
{
    return span_of(customer->bytes, sizeof customer->bytes);
}

static void sealed_put(struct field_writer *writer, uint32_t number, struct sealed sealed)
{
    size_t key_size = sealed.key_id == 0 ? 0 : 1 + field_varint_size(sealed.key_id);
    size_t size = key_size + 1 + field_varint_size(sealed.bytes.size) + sealed.bytes.size;
    field_put_head(writer, number, size);
    if (sealed.key_id != 0) {
        field_put_unsigned(writer, SEALED_KEY_ID, sealed.key_id);
    }
    field_put_bytes(writer, SEALED_BYTES, sealed.bytes);
}

static void said_write(struct field_writer *writer, const struct segmentation_said *said)
{
    field_put_bytes(writer, SAID_NAME, said->name);
    if (said->personal) {
        sealed_put(writer, SAID_PERSONAL,
                   (struct sealed){ .key_id = said->key_id, .bytes = said->text });
        return;
    }
    if (said->text.size > 0) {
        field_put_bytes(writer, SAID_TEXT, said->text);
    }
    if (said->has_integer) {
        field_put_signed(writer, SAID_INTEGER, said->integer);
    }
}

static void event_write(struct field_writer *writer, const struct segmentation_event *event)
{
    field_put_bytes(writer, EVENT_CUSTOMER, customer_span(&event->customer));
    sealed_put(writer, EVENT_SUBJECT, segmentation_subject_sealed(&event->subject));
    field_put_bytes(writer, EVENT_TYPE, event->type);
    if (event->category.size > 0) {
        field_put_bytes(writer, EVENT_CATEGORY, event->category);
    }
    if (event->amount_minor != 0) {
        field_put_signed(writer, EVENT_AMOUNT_MINOR, event->amount_minor);
    }
    field_put_signed(writer, EVENT_OCCURRED_AT_MS, event->occurred_at_ms);
    field_put_signed(writer, EVENT_NOW_MS, event->now_ms);
    for (size_t i = 0; i < event->said_count; i++) {
        struct field_writer counter = { .out = NULL };
        said_write(&counter, &event->said[i]);
        field_put_head(writer, EVENT_ATTRIBUTES, counter.size);
        said_write(writer, &event->said[i]);
    }
}

/* What the record's field of this number holds. */
static void part_write(struct field_writer *writer, uint32_t number,
                       const struct segmentation_record *record)
{
    if (number == RECORD_EVENT) {
        event_write(writer, &record->event);
    } else if (number == RECORD_VISITS_ENDED) {
        field_put_unsigned(writer, ENDED_RULES_VERSION, record->rules_version);
    } else {
        field_put_bytes(writer, INSTANT_CUSTOMER, customer_span(&record->customer));
        field_put_signed(writer, INSTANT_NOW_MS, record->now_ms);
    }
}

static const enum record_field numbers[] = {
    [SEGMENTATION_RECORD_EVENT] = RECORD_EVENT,
    [SEGMENTATION_RECORD_ADVANCED] = RECORD_ADVANCED,
    [SEGMENTATION_RECORD_VISITED] = RECORD_VISITED,
    [SEGMENTATION_RECORD_VISITS_ENDED] = RECORD_VISITS_ENDED,
};

void segmentation_record_encode(const struct segmentation_record *record, struct buffer *out)
{
    uint32_t number = numbers[record->kind];
    struct field_writer part = { .out = NULL };
    part_write(&part, number, record);
    struct field_writer head = { .out = NULL };
    field_put_head(&head, number, part.size);
    enum status status = buffer_reserve(out, head.size + part.size);
    assert(status == STATUS_OK);
    struct field_writer writer = { .out = out->data + out->size };
    field_put_head(&writer, number, part.size);
    part_write(&writer, number, record);
    assert(writer.size == head.size + part.size);
    out->size += writer.size;
}

/* ---- private records, read */

/* The fields of a message, by number. */
struct shape {
    const enum field_kind *kinds;
    uint32_t count;    /* numbers run from 1 to count - 1 */
    uint32_t repeated; /* the number of the only one that may stand twice; 0: none may */
};
#define SHAPE_OF(array, number)                                                                    \
    {                                                                                              \
        (array), sizeof(array) / sizeof(array)[0], (number)                                        \
    }

static const enum field_kind record_kinds[] = {
    [RECORD_EVENT] = FIELD_BYTES,
    [RECORD_ADVANCED] = FIELD_BYTES,
    [RECORD_VISITED] = FIELD_BYTES,
    [RECORD_VISITS_ENDED] = FIELD_BYTES,
};
static const enum field_kind event_kinds[] = {
    [EVENT_CUSTOMER] = FIELD_BYTES,      [EVENT_SUBJECT] = FIELD_BYTES,
    [EVENT_TYPE] = FIELD_BYTES,          [EVENT_CATEGORY] = FIELD_BYTES,
    [EVENT_AMOUNT_MINOR] = FIELD_VARINT, [EVENT_OCCURRED_AT_MS] = FIELD_VARINT,
    [EVENT_NOW_MS] = FIELD_VARINT,       [EVENT_ATTRIBUTES] = FIELD_BYTES,
};
static const enum field_kind said_kinds[] = {
    [SAID_NAME] = FIELD_BYTES,
    [SAID_TEXT] = FIELD_BYTES,
    [SAID_INTEGER] = FIELD_VARINT,
    [SAID_PERSONAL] = FIELD_BYTES,
};
static const enum field_kind sealed_kinds[] = {
    [SEALED_KEY_ID] = FIELD_VARINT,
    [SEALED_BYTES] = FIELD_BYTES,
};
static const enum field_kind instant_kinds[] = {
    [INSTANT_CUSTOMER] = FIELD_BYTES,
    [INSTANT_NOW_MS] = FIELD_VARINT,
};
static const enum field_kind ended_kinds[] = { [ENDED_RULES_VERSION] = FIELD_VARINT };

static const struct shape record_shape = SHAPE_OF(record_kinds, 0);
static const struct shape event_shape = SHAPE_OF(event_kinds, EVENT_ATTRIBUTES);
static const struct shape said_shape = SHAPE_OF(said_kinds, 0);
static const struct shape sealed_shape = SHAPE_OF(sealed_kinds, 0);
static const struct shape instant_shape = SHAPE_OF(instant_kinds, 0);
static const struct shape ended_shape = SHAPE_OF(ended_kinds, 0);

#define BIT(number) (1U << (number))
/* Of an event, in every one. */
#define EVENT_REQUIRED                                                                             \
    (BIT(EVENT_CUSTOMER) | BIT(EVENT_SUBJECT) | BIT(EVENT_TYPE) | BIT(EVENT_OCCURRED_AT_MS) |      \
     BIT(EVENT_NOW_MS))
#define INSTANT_REQUIRED (BIT(INSTANT_CUSTOMER) | BIT(INSTANT_NOW_MS))

/* One message as it is being read. */
struct reading {
    const struct shape *shape;
    struct span rest;
    uint32_t seen; /* bit n: field n was there */
    bool is_broken;
};

static bool field_is_fit(const struct reading *reading, const struct field *field)
{
    const struct shape *shape = reading->shape;
    bool stands_twice = (reading->seen & BIT(field->number)) != 0;
    return field->kind == shape->kinds[field->number] &&
           (!stands_twice || field->number == shape->repeated);
}

/* The next field of the shape; others only a newer service knows. False: there is none, or the
 * message is broken. */
static bool reading_next(struct reading *reading, struct field *field)
{
    enum field_step step = field_next(&reading->rest, field);
    while (step == FIELD_READ && field->number >= reading->shape->count) {
        step = field_next(&reading->rest, field);
    }
    reading->is_broken =
        step == FIELD_BROKEN || (step == FIELD_READ && !field_is_fit(reading, field));
    if (step != FIELD_READ || reading->is_broken) {
        return false;
    }
    reading->seen |= BIT(field->number);
    return true;
}

static bool reading_has(const struct reading *reading, uint32_t fields)
{
    return !reading->is_broken && (reading->seen & fields) == fields;
}

static bool time_read(uint64_t value, int64_t *at_ms)
{
    *at_ms = field_signed(value);
    return *at_ms >= LIMIT_TIME_LEAST_MS && *at_ms <= LIMIT_TIME_MOST_MS;
}

static bool customer_read(struct span bytes, struct customer_id *customer)
{
    if (bytes.size != sizeof customer->bytes) {
        return false;
    }
    memcpy(customer->bytes, bytes.data, sizeof customer->bytes);
    return true;
}

static bool sealed_read(struct span bytes, struct sealed *sealed)
{
    struct reading reading = { .shape = &sealed_shape, .rest = bytes };
    struct field field = { .value = 0 };
    *sealed = (struct sealed){ .key_id = 0 };
    while (reading_next(&reading, &field)) {
        if (field.number == SEALED_BYTES) {
            sealed->bytes = field.bytes;
        } else if (field.value <= UINT32_MAX) {
            sealed->key_id = (uint32_t)field.value;
        } else {
            return false;
        }
    }
    return reading_has(&reading, 0);
}

static bool subject_read(struct span bytes, struct segmentation_subject *subject)
{
    struct sealed sealed = { .key_id = 0 };
    if (!sealed_read(bytes, &sealed) || sealed.bytes.size > SEGMENTATION_SUBJECT_BYTES) {
        return false;
    }
    *subject = segmentation_subject_of(sealed);
    return true;
}

static bool said_read(struct span bytes, struct segmentation_said *said)
{
    struct reading reading = { .shape = &said_shape, .rest = bytes };
    struct field field = { .value = 0 };
    struct sealed personal = { .key_id = 0 };
    *said = (struct segmentation_said){ .has_integer = false };
    while (reading_next(&reading, &field)) {
        if (field.number == SAID_NAME) {
            said->name = field.bytes;
        } else if (field.number == SAID_TEXT) {
            said->text = field.bytes;
        } else if (field.number == SAID_INTEGER) {
            said->has_integer = true;
            said->integer = field_signed(field.value);
        } else if (sealed_read(field.bytes, &personal)) {
            said->personal = true;
        } else {
            return false;
        }
    }
    if (said->personal) {
        said->text = personal.bytes;
        said->key_id = personal.key_id;
    }
    return reading_has(&reading, BIT(SAID_NAME)) && said->name.size >= 1 &&
           said->name.size <= LIMIT_ID_BYTES && said->text.size <= LIMIT_TEXT_BYTES;
}

static bool event_field_read(const struct field *field, struct segmentation_event *event)
{
    switch (field->number) {
    case EVENT_CUSTOMER:
        return customer_read(field->bytes, &event->customer);
    case EVENT_SUBJECT:
        return subject_read(field->bytes, &event->subject);
    case EVENT_TYPE:
        event->type = field->bytes;
        return event->type.size >= 1 && event->type.size <= LIMIT_ID_BYTES;
    case EVENT_CATEGORY:
        event->category = field->bytes;
        return event->category.size <= LIMIT_ID_BYTES;
    case EVENT_AMOUNT_MINOR:
        event->amount_minor = field_signed(field->value);
        return event->amount_minor >= -LIMIT_AMOUNT && event->amount_minor <= LIMIT_AMOUNT;
    case EVENT_OCCURRED_AT_MS:
        return time_read(field->value, &event->occurred_at_ms);
    case EVENT_NOW_MS:
        return time_read(field->value, &event->now_ms);
    default:
        return event->said_count < LIMIT_ATTRIBUTES &&
               said_read(field->bytes, &event->said[event->said_count++]);
    }
}

static bool event_read(struct span bytes, struct segmentation_event *event)
{
    struct reading reading = { .shape = &event_shape, .rest = bytes };
    struct field field = { .value = 0 };
    event->category = span_of(NULL, 0);
    event->amount_minor = 0;
    event->said_count = 0;
    while (reading_next(&reading, &field)) {
        if (!event_field_read(&field, event)) {
            return false;
        }
    }
    return reading_has(&reading, EVENT_REQUIRED);
}

static bool instant_read(struct span bytes, struct segmentation_record *record)
{
    struct reading reading = { .shape = &instant_shape, .rest = bytes };
    struct field field = { .value = 0 };
    while (reading_next(&reading, &field)) {
        bool valid = field.number == INSTANT_CUSTOMER
                         ? customer_read(field.bytes, &record->customer)
                         : time_read(field.value, &record->now_ms);
        if (!valid) {
            return false;
        }
    }
    return reading_has(&reading, INSTANT_REQUIRED);
}

static bool ended_read(struct span bytes, struct segmentation_record *record)
{
    struct reading reading = { .shape = &ended_shape, .rest = bytes };
    struct field field = { .value = 0 };
    while (reading_next(&reading, &field)) {
        if (field.value == 0 || field.value > UINT32_MAX) {
            return false;
        }
        record->rules_version = (uint32_t)field.value;
    }
    return reading_has(&reading, BIT(ENDED_RULES_VERSION));
}

static bool part_read(const struct field *field, struct segmentation_record *record)
{
    switch (field->number) {
    case RECORD_EVENT:
        record->kind = SEGMENTATION_RECORD_EVENT;
        if (!event_read(field->bytes, &record->event)) {
            return false;
        }
        record->customer = record->event.customer;
        record->now_ms = record->event.now_ms;
        return true;
    case RECORD_ADVANCED:
        record->kind = SEGMENTATION_RECORD_ADVANCED;
        return instant_read(field->bytes, record);
    case RECORD_VISITED:
        record->kind = SEGMENTATION_RECORD_VISITED;
        return instant_read(field->bytes, record);
    default:
        record->kind = SEGMENTATION_RECORD_VISITS_ENDED;
        return ended_read(field->bytes, record);
    }
}

enum status segmentation_record_decode(struct span bytes, struct segmentation_record *record)
{
    struct reading reading = { .shape = &record_shape, .rest = bytes };
    struct field part = { .value = 0 };
    struct field another = { .value = 0 };
    if (!reading_next(&reading, &part) || reading_next(&reading, &another) || reading.is_broken) {
        return STATUS_CORRUPT;
    }
    return part_read(&part, record) ? STATUS_OK : STATUS_CORRUPT;
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

bool segmentation_event_tells_profile(struct span type)
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
    /* One by one: the room for what is said of the profile is large, and mostly not used. */
    event->customer = fact->customer;
    event->subject = segmentation_subject_of(fact->subject);
    event->type = accepted->type;
    event->category = span_of(NULL, 0);
    event->amount_minor = accepted->has_amount ? accepted->amount.minor : 0;
    event->occurred_at_ms = accepted->occurred_at_ms;
    event->now_ms = fact->recorded_at_ms;
    event->said_count = 0;
    for (size_t i = 0; i < accepted->attribute_count; i++) {
        const struct attribute *attribute = &accepted->attributes[i];
        bool text = attribute->kind == ATTRIBUTE_TEXT;
        if (text && attribute->text.size <= LIMIT_ID_BYTES &&
            span_equal(attribute->name, span_of_text("category"))) {
            event->category = attribute->text;
        }
    }
    if (segmentation_event_tells_profile(accepted->type)) {
        profile_read(accepted, arena, event);
    }
}
