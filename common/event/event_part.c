#include "common/event/event_part.h"

#include <stdio.h>
#include <string.h>

/* The numbers are those of proto/kith/v1/event.proto. */
enum money_field { MONEY_MINOR = 1, MONEY_CURRENCY };
enum attribute_field {
    ATTRIBUTE_FIELD_NAME = 1,
    ATTRIBUTE_FIELD_TEXT,
    ATTRIBUTE_FIELD_INTEGER,
    ATTRIBUTE_FIELD_FLAG,
    ATTRIBUTE_FIELD_AT_MS,
    ATTRIBUTE_FIELD_MONEY,
    ATTRIBUTE_FIELD_PERSONAL,
};

static const struct shape_field money_fields[] = {
    [MONEY_MINOR] = { "minor", FIELD_VARINT, false },
    [MONEY_CURRENCY] = { "currency", FIELD_BYTES, false },
};
static const struct shape_field attribute_fields[] = {
    [ATTRIBUTE_FIELD_NAME] = { "name", FIELD_BYTES, false },
    [ATTRIBUTE_FIELD_TEXT] = { "text", FIELD_BYTES, false },
    [ATTRIBUTE_FIELD_INTEGER] = { "integer", FIELD_VARINT, false },
    [ATTRIBUTE_FIELD_FLAG] = { "flag", FIELD_VARINT, false },
    [ATTRIBUTE_FIELD_AT_MS] = { "at_ms", FIELD_VARINT, false },
    [ATTRIBUTE_FIELD_MONEY] = { "money", FIELD_BYTES, false },
    [ATTRIBUTE_FIELD_PERSONAL] = { "personal", FIELD_VARINT, false },
};
static const struct shape money_shape = SHAPE_OF(money_fields);
static const struct shape attribute_shape = SHAPE_OF(attribute_fields);

/* Says what is wrong with a field that may not stand where it stands. */
static void field_blame(const struct reading *reading, const struct field *field)
{
    if (field->number >= reading->shape->count) {
        char name[24] = "";
        (void)snprintf(name, sizeof name, "field %u", field->number);
        event_fault(reading->faults, name, "is unknown",
                    "leave it out, or send to a program that knows it");
        return;
    }
    const struct shape_field *shape = &reading->shape->fields[field->number];
    if (field->kind != shape->kind) {
        event_fault(reading->faults, shape->name, "has another type in event.proto",
                    "encode it as event.proto says");
        return;
    }
    event_fault(reading->faults, shape->name, "stands twice", "send it once");
}

static bool field_is_fit(const struct reading *reading, const struct field *field)
{
    if (field->number >= reading->shape->count) {
        return false;
    }
    const struct shape_field *shape = &reading->shape->fields[field->number];
    return field->kind == shape->kind && (shape->repeated || !reading_saw(reading, field->number));
}

bool reading_next(struct reading *reading, struct field *field)
{
    enum field_step step = field_next(&reading->rest, field);
    while (step == FIELD_READ && !field_is_fit(reading, field)) {
        field_blame(reading, field);
        step = field_next(&reading->rest, field);
    }
    if (step == FIELD_READ) {
        reading->seen |= UINT32_C(1) << field->number;
        return true;
    }
    if (step == FIELD_BROKEN) {
        event_fault(reading->faults, "bytes", "are no Protocol Buffers message",
                    "encode the event as event.proto says");
    }
    return false;
}

void money_decode(struct span bytes, const char *part, struct event_faults *faults,
                  struct money *money)
{
    faults->part = part;
    struct reading reading = { .shape = &money_shape, .faults = faults, .rest = bytes };
    struct field field = { .number = 0 };
    while (reading_next(&reading, &field)) {
        if (field.number == MONEY_MINOR) {
            money->minor = field_signed(field.value);
        } else if (field.bytes.size == sizeof money->currency - 1) {
            memcpy(money->currency, field.bytes.data, sizeof money->currency - 1);
        } else {
            money->currency[0] = '?'; /* there, and no code: the check says so */
        }
    }
    if (!reading_saw(&reading, MONEY_MINOR)) {
        event_fault(faults, "minor", "is missing",
                    "send the amount in the currency's smallest unit");
    }
    faults->part = NULL;
}

static void attribute_value_decode(const struct field *field, struct event_faults *faults,
                                   struct attribute *attribute)
{
    switch (field->number) {
    case ATTRIBUTE_FIELD_TEXT:
        attribute->kind = ATTRIBUTE_TEXT;
        attribute->text = field->bytes;
        break;
    case ATTRIBUTE_FIELD_INTEGER:
        attribute->kind = ATTRIBUTE_INTEGER;
        attribute->integer = field_signed(field->value);
        break;
    case ATTRIBUTE_FIELD_FLAG:
        attribute->kind = ATTRIBUTE_FLAG;
        attribute->integer = field->value != 0 ? 1 : 0;
        break;
    case ATTRIBUTE_FIELD_AT_MS:
        attribute->kind = ATTRIBUTE_AT;
        attribute->integer = field_signed(field->value);
        break;
    default:
        attribute->kind = ATTRIBUTE_MONEY;
        money_decode(field->bytes, "money.", faults, &attribute->money);
        break;
    }
}

static void attribute_decode(struct span bytes, struct event_faults *faults,
                             struct attribute *attribute)
{
    struct attribute decoded = { .kind = ATTRIBUTE_TEXT };
    struct reading reading = { .shape = &attribute_shape, .faults = faults, .rest = bytes };
    struct field field = { .number = 0 };
    size_t values = 0;
    while (reading_next(&reading, &field)) {
        if (field.number == ATTRIBUTE_FIELD_NAME) {
            decoded.name = field.bytes;
        } else if (field.number == ATTRIBUTE_FIELD_PERSONAL) {
            decoded.personal = field.value != 0;
        } else {
            values += 1;
            attribute_value_decode(&field, faults, &decoded);
        }
    }
    if (values == 0) {
        event_fault(faults, "value", "is missing", "send text, integer, flag, at_ms or money");
    } else if (values > 1) {
        event_fault(faults, "value", "stands twice",
                    "send one of text, integer, flag, at_ms and money");
    }
    *attribute = decoded;
}

static bool room_make(struct attribute_list *list, size_t rest_size)
{
    size_t most = 1 + rest_size / FIELD_BYTES_LEAST;
    list->room = most < LIMIT_ATTRIBUTES ? most : LIMIT_ATTRIBUTES;
    list->attributes = arena_allocate(list->arena, list->room * sizeof *list->attributes);
    return list->attributes != NULL;
}

enum status attributes_add(struct attribute_list *list, const struct reading *reading,
                           struct span bytes)
{
    if (list->count == 0 && !room_make(list, reading->rest.size)) {
        return STATUS_LIMIT;
    }
    list->count += 1;
    if (list->count <= list->room) {
        reading->faults->attribute = list->count;
        attribute_decode(bytes, reading->faults, &list->attributes[list->count - 1]);
        reading->faults->attribute = 0;
    }
    return STATUS_OK;
}

uint32_t schema_version_decode(uint64_t value, struct event_faults *faults)
{
    if (value > UINT32_MAX) {
        event_fault(faults, "schema_version", "does not fit 32 bits", "count versions from 1");
        return 0;
    }
    return (uint32_t)value;
}

void text_write(struct field_writer *writer, uint32_t number, struct span text)
{
    if (text.size > 0) {
        field_put_bytes(writer, number, text);
    }
}

static void money_write(struct field_writer *writer, const struct money *money)
{
    field_put_signed(writer, MONEY_MINOR, money->minor);
    text_write(writer, MONEY_CURRENCY,
               span_of(money->currency, strnlen(money->currency, sizeof money->currency)));
}

void money_put(struct field_writer *writer, uint32_t number, const struct money *money)
{
    struct field_writer counter = { .out = NULL };
    money_write(&counter, money);
    field_put_head(writer, number, counter.size);
    if (writer->out == NULL) {
        writer->size += counter.size;
        return;
    }
    money_write(writer, money);
}

void attribute_write(struct field_writer *writer, const struct attribute *attribute)
{
    text_write(writer, ATTRIBUTE_FIELD_NAME, attribute->name);
    switch (attribute->kind) {
    case ATTRIBUTE_TEXT:
        field_put_bytes(writer, ATTRIBUTE_FIELD_TEXT, attribute->text);
        break;
    case ATTRIBUTE_INTEGER:
        field_put_signed(writer, ATTRIBUTE_FIELD_INTEGER, attribute->integer);
        break;
    case ATTRIBUTE_FLAG:
        field_put_unsigned(writer, ATTRIBUTE_FIELD_FLAG, attribute->integer != 0 ? 1 : 0);
        break;
    case ATTRIBUTE_AT:
        field_put_signed(writer, ATTRIBUTE_FIELD_AT_MS, attribute->integer);
        break;
    case ATTRIBUTE_MONEY:
        money_put(writer, ATTRIBUTE_FIELD_MONEY, &attribute->money);
        break;
    }
    if (attribute->personal) {
        field_put_unsigned(writer, ATTRIBUTE_FIELD_PERSONAL, 1);
    }
}

void attribute_put(struct field_writer *writer, uint32_t number, const struct attribute *attribute)
{
    struct field_writer counter = { .out = NULL };
    attribute_write(&counter, attribute);
    field_put_head(writer, number, counter.size);
    if (writer->out == NULL) {
        writer->size += counter.size;
        return;
    }
    attribute_write(writer, attribute);
}
