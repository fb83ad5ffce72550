#include "common/event/event_codec.h"

#include "common/event/event_part.h"

#include <assert.h>
#include <string.h>

/* The numbers are those of proto/kith/v1/event.proto and ingestion.proto. */
enum event_field {
    EVENT_SOURCE = 1,
    EVENT_ID,
    EVENT_TYPE,
    EVENT_CUSTOMER,
    EVENT_OCCURRED_AT_MS,
    EVENT_SCHEMA_VERSION,
    EVENT_AMOUNT,
    EVENT_ATTRIBUTES,
};
enum accepted_field {
    ACCEPTED_SOURCE = 1,
    ACCEPTED_ID,
    ACCEPTED_TYPE,
    ACCEPTED_OCCURRED_AT_MS,
    ACCEPTED_SCHEMA_VERSION,
    ACCEPTED_AMOUNT,
    ACCEPTED_ATTRIBUTES,
    ACCEPTED_SEALED,
    ACCEPTED_CONTENT_HASH,
    ACCEPTED_NEW_CUSTOMER,
};
enum sealed_field { SEALED_ATTRIBUTE_NAME = 1, SEALED_ATTRIBUTE_VALUE };
enum sealed_value_field { SEALED_KEY_ID = 1, SEALED_BYTES };

static const struct shape_field event_fields[] = {
    [EVENT_SOURCE] = { "source", FIELD_BYTES, false },
    [EVENT_ID] = { "id", FIELD_BYTES, false },
    [EVENT_TYPE] = { "type", FIELD_BYTES, false },
    [EVENT_CUSTOMER] = { "customer", FIELD_BYTES, false },
    [EVENT_OCCURRED_AT_MS] = { "occurred_at_ms", FIELD_VARINT, false },
    [EVENT_SCHEMA_VERSION] = { "schema_version", FIELD_VARINT, false },
    [EVENT_AMOUNT] = { "amount", FIELD_BYTES, false },
    [EVENT_ATTRIBUTES] = { "attributes", FIELD_BYTES, true },
};
static const struct shape_field accepted_fields[] = {
    [ACCEPTED_SOURCE] = { "source", FIELD_BYTES, false },
    [ACCEPTED_ID] = { "id", FIELD_BYTES, false },
    [ACCEPTED_TYPE] = { "type", FIELD_BYTES, false },
    [ACCEPTED_OCCURRED_AT_MS] = { "occurred_at_ms", FIELD_VARINT, false },
    [ACCEPTED_SCHEMA_VERSION] = { "schema_version", FIELD_VARINT, false },
    [ACCEPTED_AMOUNT] = { "amount", FIELD_BYTES, false },
    [ACCEPTED_ATTRIBUTES] = { "attributes", FIELD_BYTES, true },
    [ACCEPTED_SEALED] = { "sealed", FIELD_BYTES, true },
    [ACCEPTED_CONTENT_HASH] = { "content_hash", FIELD_BYTES, false },
    [ACCEPTED_NEW_CUSTOMER] = { "new_customer", FIELD_VARINT, false },
};

static const struct shape_field sealed_fields[] = {
    [SEALED_ATTRIBUTE_NAME] = { "name", FIELD_BYTES, false },
    [SEALED_ATTRIBUTE_VALUE] = { "value", FIELD_BYTES, false },
};
static const struct shape_field sealed_value_fields[] = {
    [SEALED_KEY_ID] = { "key_id", FIELD_VARINT, false },
    [SEALED_BYTES] = { "bytes", FIELD_BYTES, false },
};

static const struct shape event_shape = SHAPE_OF(event_fields);
static const struct shape accepted_shape = SHAPE_OF(accepted_fields);
static const struct shape sealed_shape = SHAPE_OF(sealed_fields);
static const struct shape sealed_value_shape = SHAPE_OF(sealed_value_fields);

static void event_field_decode(const struct field *field, struct event_faults *faults,
                               struct event *event)
{
    switch (field->number) {
    case EVENT_SOURCE:
        event->source = field->bytes;
        break;
    case EVENT_ID:
        event->id = field->bytes;
        break;
    case EVENT_TYPE:
        event->type = field->bytes;
        break;
    case EVENT_CUSTOMER:
        event->customer = field->bytes;
        break;
    case EVENT_OCCURRED_AT_MS:
        event->occurred_at_ms = field_signed(field->value);
        break;
    case EVENT_SCHEMA_VERSION:
        event->schema_version = schema_version_decode(field->value, faults);
        break;
    default:
        event->has_amount = true;
        money_decode(field->bytes, "amount.", faults, &event->amount);
        break;
    }
}

enum status event_decode(struct span bytes, struct arena *arena, struct event *event,
                         struct refusal *refusal)
{
    struct event_faults faults = { .refusal = refusal };
    if (bytes.size > LIMIT_EVENT_BYTES) {
        event_fault(&faults, "event", "is longer than 16384 bytes", "shorten its texts");
        return STATUS_MALFORMED;
    }
    struct event decoded = { .attribute_count = 0 };
    struct attribute_list list = { .arena = arena };
    struct reading reading = { .shape = &event_shape, .faults = &faults, .rest = bytes };
    struct field field = { .number = 0 };
    while (reading_next(&reading, &field)) {
        if (field.number != EVENT_ATTRIBUTES) {
            event_field_decode(&field, &faults, &decoded);
        } else if (attributes_add(&list, &reading, field.bytes) != STATUS_OK) {
            return refusal_set(refusal, STATUS_LIMIT, "no room for the attributes of an event");
        }
    }
    if (!reading_saw(&reading, EVENT_OCCURRED_AT_MS)) {
        event_fault(&faults, "occurred_at_ms", "is missing",
                    "send milliseconds since 1970-01-01T00:00:00Z");
    }
    decoded.attributes = list.attributes;
    decoded.attribute_count = list.count;
    event_check(&decoded, &faults);
    if (faults.count > 0) {
        return STATUS_MALFORMED;
    }
    *event = decoded;
    return STATUS_OK;
}

enum status event_validate(const struct event *event, struct refusal *refusal)
{
    struct event_faults faults = { .refusal = refusal };
    event_check(event, &faults);
    return faults.count == 0 ? STATUS_OK : STATUS_MALFORMED;
}

static void event_write(struct field_writer *writer, const struct event *event)
{
    text_write(writer, EVENT_SOURCE, event->source);
    text_write(writer, EVENT_ID, event->id);
    text_write(writer, EVENT_TYPE, event->type);
    text_write(writer, EVENT_CUSTOMER, event->customer);
    field_put_signed(writer, EVENT_OCCURRED_AT_MS, event->occurred_at_ms);
    if (event->schema_version != 0) {
        field_put_unsigned(writer, EVENT_SCHEMA_VERSION, event->schema_version);
    }
    if (event->has_amount) {
        money_put(writer, EVENT_AMOUNT, &event->amount);
    }
    for (size_t i = 0; i < event->attribute_count; i++) {
        attribute_put(writer, EVENT_ATTRIBUTES, &event->attributes[i]);
    }
}

enum status event_encode(const struct event *event, struct buffer *out)
{
    struct field_writer counter = { .out = NULL };
    event_write(&counter, event);
    if (counter.size > LIMIT_EVENT_BYTES) {
        return STATUS_LIMIT;
    }
    enum status status = buffer_reserve(out, counter.size);
    if (status != STATUS_OK) {
        return status;
    }
    struct field_writer writer = { .out = out->data + out->size };
    event_write(&writer, event);
    assert(writer.size == counter.size);
    out->size += writer.size;
    return STATUS_OK;
}

/* SealedAttribute: the value's bytes are the whole Attribute. Its key_id is 0 and left out. */
static void sealed_write(struct field_writer *writer, const struct attribute *attribute)
{
    struct field_writer value = { .out = NULL };
    attribute_write(&value, attribute);
    struct field_writer sealed = { .out = NULL };
    field_put_head(&sealed, SEALED_BYTES, value.size);
    text_write(writer, SEALED_ATTRIBUTE_NAME, attribute->name);
    field_put_head(writer, SEALED_ATTRIBUTE_VALUE, sealed.size + value.size);
    field_put_head(writer, SEALED_BYTES, value.size);
    attribute_write(writer, attribute);
}

static void attributes_write(struct field_writer *writer, const struct event *event)
{
    for (size_t i = 0; i < event->attribute_count; i++) {
        if (!event->attributes[i].personal) {
            attribute_put(writer, ACCEPTED_ATTRIBUTES, &event->attributes[i]);
        }
    }
    for (size_t i = 0; i < event->attribute_count; i++) {
        if (event->attributes[i].personal) {
            struct field_writer counter = { .out = NULL };
            sealed_write(&counter, &event->attributes[i]);
            field_put_head(writer, ACCEPTED_SEALED, counter.size);
            sealed_write(writer, &event->attributes[i]);
        }
    }
}

static void accepted_write(struct field_writer *writer, const struct event *event,
                           bool new_customer, const struct hash128 *content_hash)
{
    text_write(writer, ACCEPTED_SOURCE, event->source);
    text_write(writer, ACCEPTED_ID, event->id);
    text_write(writer, ACCEPTED_TYPE, event->type);
    field_put_signed(writer, ACCEPTED_OCCURRED_AT_MS, event->occurred_at_ms);
    if (event->schema_version != 0) {
        field_put_unsigned(writer, ACCEPTED_SCHEMA_VERSION, event->schema_version);
    }
    if (event->has_amount) {
        money_put(writer, ACCEPTED_AMOUNT, &event->amount);
    }
    attributes_write(writer, event);
    field_put_bytes(writer, ACCEPTED_CONTENT_HASH,
                    span_of(content_hash->bytes, sizeof content_hash->bytes));
    if (new_customer) {
        field_put_unsigned(writer, ACCEPTED_NEW_CUSTOMER, 1);
    }
}

enum status accepted_event_encode(const struct event *event, bool new_customer,
                                  struct hash128 content_hash, struct buffer *out)
{
    struct field_writer counter = { .out = NULL };
    accepted_write(&counter, event, new_customer, &content_hash);
    enum status status = buffer_reserve(out, counter.size);
    if (status != STATUS_OK) {
        return status;
    }
    struct field_writer writer = { .out = out->data + out->size };
    accepted_write(&writer, event, new_customer, &content_hash);
    assert(writer.size == counter.size);
    out->size += writer.size;
    return STATUS_OK;
}

static void accepted_field_decode(const struct field *field, struct event_faults *faults,
                                  struct accepted_event *event)
{
    switch (field->number) {
    case ACCEPTED_SOURCE:
        event->source = field->bytes;
        break;
    case ACCEPTED_ID:
        event->id = field->bytes;
        break;
    case ACCEPTED_TYPE:
        event->type = field->bytes;
        break;
    case ACCEPTED_OCCURRED_AT_MS:
        event->occurred_at_ms = field_signed(field->value);
        break;
    case ACCEPTED_SCHEMA_VERSION:
        event->schema_version = schema_version_decode(field->value, faults);
        break;
    case ACCEPTED_AMOUNT:
        event->has_amount = true;
        money_decode(field->bytes, "amount.", faults, &event->amount);
        break;
    case ACCEPTED_CONTENT_HASH:
        if (field->bytes.size == sizeof event->content_hash.bytes) {
            memcpy(event->content_hash.bytes, field->bytes.data, field->bytes.size);
        } else {
            event_fault(faults, "content_hash", "is not 16 bytes", "");
        }
        break;
    case ACCEPTED_NEW_CUSTOMER:
        event->new_customer = field->value != 0;
        break;
    default:
        break; /* sealed: for those who hold the key */
    }
}

/* The bounds that readers count on. What an event must mean was checked when it was accepted
 * and is not checked again: rules may change, facts do not. */
static bool attributes_are_bounded(const struct attribute *attributes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct attribute *attribute = &attributes[i];
        if (attribute->name.size < 1 || attribute->name.size > LIMIT_ID_BYTES ||
            attribute->text.size > LIMIT_TEXT_BYTES) {
            return false;
        }
    }
    return true;
}

static bool accepted_is_bounded(const struct accepted_event *event)
{
    return attributes_are_bounded(event->attributes, event->attribute_count) &&
           event->source.size >= 1 && event->source.size <= LIMIT_ID_BYTES && event->id.size >= 1 &&
           event->id.size <= LIMIT_ID_BYTES && event->type.size >= 1 &&
           event->type.size <= LIMIT_ID_BYTES && event->amount.minor <= LIMIT_AMOUNT &&
           event->amount.minor >= -LIMIT_AMOUNT && event->occurred_at_ms >= LIMIT_TIME_LEAST_MS &&
           event->occurred_at_ms <= LIMIT_TIME_MOST_MS;
}

enum status accepted_event_decode(struct span body, struct arena *arena,
                                  struct accepted_event *event)
{
    struct event_faults faults = { .refusal = NULL };
    struct accepted_event decoded = { .attribute_count = 0 };
    struct attribute_list list = { .arena = arena };
    struct reading reading = { .shape = &accepted_shape, .faults = &faults, .rest = body };
    struct field field = { .number = 0 };
    while (reading_next(&reading, &field)) {
        if (field.number != ACCEPTED_ATTRIBUTES) {
            accepted_field_decode(&field, &faults, &decoded);
        } else if (arena != NULL && attributes_add(&list, &reading, field.bytes) != STATUS_OK) {
            return STATUS_CORRUPT;
        }
    }
    decoded.attributes = list.attributes;
    decoded.attribute_count = list.count;
    if (faults.count > 0 || list.count > LIMIT_ATTRIBUTES || !accepted_is_bounded(&decoded) ||
        !reading_saw(&reading, ACCEPTED_OCCURRED_AT_MS) ||
        !reading_saw(&reading, ACCEPTED_CONTENT_HASH)) {
        return STATUS_CORRUPT;
    }
    *event = decoded;
    return STATUS_OK;
}

/* ---- personal attributes */

/* What a SealedAttribute holds. False: under a key that is not at hand. */
static bool sealed_open(struct span bytes, struct event_faults *faults, struct span *opened)
{
    struct reading reading = { .shape = &sealed_shape, .faults = faults, .rest = bytes };
    struct field field = { .number = 0 };
    struct span value = { 0 };
    uint64_t key_id = 0;
    *opened = (struct span){ 0 };
    while (reading_next(&reading, &field)) {
        value = field.number == SEALED_ATTRIBUTE_VALUE ? field.bytes : value;
    }
    reading = (struct reading){ .shape = &sealed_value_shape, .faults = faults, .rest = value };
    while (reading_next(&reading, &field)) {
        if (field.number == SEALED_KEY_ID) {
            key_id = field.value;
        } else {
            *opened = field.bytes;
        }
    }
    return key_id == 0;
}

enum status accepted_event_open(struct span body, struct arena *arena, struct accepted_event *event)
{
    struct event_faults faults = { .refusal = NULL };
    struct attribute_list list = { .arena = arena };
    struct reading reading = { .shape = &accepted_shape, .faults = &faults, .rest = body };
    struct field field = { .number = 0 };
    struct span opened = { 0 };
    while (reading_next(&reading, &field)) {
        if (field.number == ACCEPTED_SEALED && sealed_open(field.bytes, &faults, &opened) &&
            attributes_add(&list, &reading, opened) != STATUS_OK) {
            return STATUS_CORRUPT;
        }
    }
    if (faults.count > 0 || list.count + event->attribute_count > LIMIT_ATTRIBUTES ||
        !attributes_are_bounded(list.attributes, list.count)) {
        return STATUS_CORRUPT;
    }
    event->personal = list.attributes;
    event->personal_count = list.count;
    return STATUS_OK;
}
