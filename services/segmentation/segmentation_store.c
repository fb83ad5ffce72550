/* Names, attributes and events. */
#include "services/segmentation/segmentation_store_bytes.h"

#include <assert.h>
#include <string.h>

/* Sizes of values with a text without it, version byte included. */
#define ATTRIBUTE_FIXED_BYTES (1 + 8 + 1 + 8)
#define ENTRY_FIXED_BYTES (1 + 8 + 1)

/* What an attribute's record says it is. */
enum attribute_form { FORM_UNKNOWN = 0, FORM_TEXT = 1, FORM_INTEGER = 2, FORM_PERSONAL = 3 };

/* ---- names */

struct segmentation_name segmentation_name_of(struct span text)
{
    assert(text.size <= LIMIT_ID_BYTES);
    struct segmentation_name name = { .size = (uint8_t)text.size };
    if (text.size > 0) {
        memcpy(name.text, text.data, text.size);
    }
    return name;
}

struct span segmentation_name_span(const struct segmentation_name *name)
{
    return span_of(name->text, name->size);
}

struct segmentation_subject segmentation_subject_of(struct sealed sealed)
{
    assert(sealed.bytes.size <= SEGMENTATION_SUBJECT_BYTES);
    struct segmentation_subject subject = { .key_id = sealed.key_id,
                                            .size = (uint8_t)sealed.bytes.size };
    if (sealed.bytes.size > 0) {
        memcpy(subject.bytes, sealed.bytes.data, sealed.bytes.size);
    }
    return subject;
}

struct sealed segmentation_subject_sealed(const struct segmentation_subject *subject)
{
    return (struct sealed){ .key_id = subject->key_id,
                            .bytes = span_of(subject->bytes, subject->size) };
}

struct segmentation_name segmentation_customer_text(struct customer_id id,
                                                    const struct segmentation_customer *customer)
{
    const struct segmentation_subject *subject = &customer->subject;
    if (subject->key_id == 0 && subject->size >= 1 && subject->size <= LIMIT_ID_BYTES) {
        return segmentation_name_of(span_of(subject->bytes, subject->size));
    }
    struct segmentation_name name = { .size = 2 * sizeof id.bytes };
    hex_encode(span_of(id.bytes, sizeof id.bytes), name.text);
    return name;
}

/* ---- attributes */

bool segmentation_attribute_load(const struct view *view, struct customer_id id, struct span name,
                                 struct segmentation_attribute *attribute)
{
    struct segmentation_key key = segmentation_profile_key(id, name);
    struct span value = { 0 };
    *attribute = (struct segmentation_attribute){ .known = false };
    if (!record_get(view, SEGMENTATION_TABLE_PROFILE, &key, &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    attribute->at_ms = record_read_signed(&reader);
    uint8_t form = record_read8(&reader);
    int64_t number = record_read_signed(&reader);
    assert(form <= FORM_PERSONAL);
    attribute->known = form != FORM_UNKNOWN;
    attribute->has_integer = form == FORM_INTEGER;
    attribute->personal = form == FORM_PERSONAL;
    attribute->integer = attribute->personal ? 0 : number;
    attribute->key_id = attribute->personal ? (uint32_t)number : 0;
    attribute->text = record_read_rest(&reader);
    return true;
}

static enum attribute_form attribute_form_of(const struct segmentation_attribute *attribute)
{
    if (!attribute->known) {
        return FORM_UNKNOWN;
    }
    if (attribute->personal) {
        return FORM_PERSONAL;
    }
    return attribute->has_integer ? FORM_INTEGER : FORM_TEXT;
}

void segmentation_attribute_put(const struct change *change, struct customer_id id,
                                struct span name, const struct segmentation_attribute *attribute)
{
    uint8_t value[ATTRIBUTE_FIXED_BYTES + LIMIT_TEXT_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    assert(attribute->text.size <= LIMIT_TEXT_BYTES);
    record_write_signed(&writer, attribute->at_ms);
    record_write8(&writer, (uint8_t)attribute_form_of(attribute));
    record_write_signed(&writer, attribute->personal ? attribute->key_id : attribute->integer);
    record_write_bytes(&writer, attribute->text);

    struct segmentation_key key = segmentation_profile_key(id, name);
    record_put(change, SEGMENTATION_TABLE_PROFILE, &key, record_written(&writer));
}

/* ---- events */

struct entry_walk {
    segmentation_entry_visit visit;
    void *argument;
};

static bool entry_visit(void *argument, struct span key, struct span value)
{
    const struct entry_walk *walk = argument;
    struct segmentation_event_key event_key = { .number = 0 };
    enum status status = segmentation_event_key_decode(key, &event_key);
    assert(status == STATUS_OK);
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    struct segmentation_entry entry = { .amount_minor = record_read_signed(&reader) };
    size_t type_size = record_read8(&reader);
    entry.type = record_read_bytes(&reader, type_size);
    entry.category = record_read_rest(&reader);
    return walk->visit(walk->argument, &event_key, &entry);
}

void segmentation_entry_walk(const struct view *view, struct segmentation_event_key from,
                             segmentation_entry_visit visit, void *argument)
{
    struct entry_walk walk = { .visit = visit, .argument = argument };
    struct segmentation_key key = segmentation_event_key_encode(from);
    struct view_range range = { .table = SEGMENTATION_TABLE_EVENT,
                                .from = segmentation_key_span(&key),
                                .within = SEGMENTATION_CUSTOMER_BYTES };
    view_walk_from(view, &range, entry_visit, &walk);
}

void segmentation_entry_put(const struct change *change, struct segmentation_event_key key,
                            const struct segmentation_entry *entry)
{
    uint8_t value[ENTRY_FIXED_BYTES + 2 * LIMIT_ID_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    assert(entry->type.size <= LIMIT_ID_BYTES && entry->category.size <= LIMIT_ID_BYTES);
    record_write_signed(&writer, entry->amount_minor);
    record_write8(&writer, (uint8_t)entry->type.size);
    record_write_bytes(&writer, entry->type);
    record_write_bytes(&writer, entry->category);

    struct segmentation_key bytes = segmentation_event_key_encode(key);
    record_put(change, SEGMENTATION_TABLE_EVENT, &bytes, record_written(&writer));
}

void segmentation_entry_delete(const struct change *change, struct segmentation_event_key key)
{
    struct segmentation_key bytes = segmentation_event_key_encode(key);
    record_delete(change, SEGMENTATION_TABLE_EVENT, &bytes);
}
