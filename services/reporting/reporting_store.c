#include "services/reporting/reporting_store.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 1

/* Sizes of values, version byte included. */
#define TOTAL_BYTES (1 + 8 * 8)
#define DAY_BYTES (1 + 4 * 8)
#define PROFILE_ITEM_BYTES (2 + 1 + REPORTING_VALUE_BYTES)
#define PROFILE_BYTES (1 + 1 + REPORTING_ATTRIBUTES_MAX * PROFILE_ITEM_BYTES)
#define ATTRIBUTE_BYTES (1 + 2)
#define SINGLE_KEY 1

_Static_assert(PROFILE_BYTES <= LIMIT_STATE_VALUE_BYTES, "a profile is one record");
_Static_assert(REPORTING_DAY_KEY_BYTES <= LIMIT_STATE_KEY_BYTES, "a day's key is one key");

/* A value being written or read, front to back. */
struct writer {
    uint8_t *at;
};
struct reader {
    const uint8_t *at;
};

static void put64(struct writer *writer, uint64_t value)
{
    be64_put(writer->at, value);
    writer->at += 8;
}

/* Two's complement: values need no order of bytes. */
static void put_signed(struct writer *writer, int64_t value)
{
    put64(writer, (uint64_t)value);
}

static uint64_t get64(struct reader *reader)
{
    uint64_t value = be64_get(reader->at);
    reader->at += 8;
    return value;
}

static int64_t get_signed(struct reader *reader)
{
    return (int64_t)get64(reader);
}

static struct reader reader_of(struct span value)
{
    assert(value.size >= 1 && value.data[0] == RECORD_VERSION);
    return (struct reader){ .at = value.data + 1 };
}

static bool single_get(const struct view *view, enum reporting_table table, struct span *value)
{
    uint8_t key = SINGLE_KEY;
    return view_get(view, (uint8_t)table, span_of(&key, sizeof key), value);
}

static void single_put(const struct change *change, enum reporting_table table, struct span value)
{
    uint8_t key = SINGLE_KEY;
    change_put(change, (uint8_t)table, span_of(&key, sizeof key), value);
}

/* ---- total */

void reporting_total_load(const struct view *view, struct reporting_total *total)
{
    *total = (struct reporting_total){ 0 };
    struct span value = { 0 };
    if (!single_get(view, REPORTING_TABLE_TOTAL, &value)) {
        return;
    }
    assert(value.size == TOTAL_BYTES);
    struct reader reader = reader_of(value);
    total->events = get64(&reader);
    total->customers = get64(&reader);
    total->revenue_minor = get_signed(&reader);
    total->points_issued = get_signed(&reader);
    total->points_spent = get_signed(&reader);
    total->quarantined = get64(&reader);
    total->segment_entries = get64(&reader);
    total->segment_exits = get64(&reader);
}

void reporting_total_put(const struct change *change, const struct reporting_total *total)
{
    uint8_t value[TOTAL_BYTES] = { RECORD_VERSION };
    struct writer writer = { .at = value + 1 };
    put64(&writer, total->events);
    put64(&writer, total->customers);
    put_signed(&writer, total->revenue_minor);
    put_signed(&writer, total->points_issued);
    put_signed(&writer, total->points_spent);
    put64(&writer, total->quarantined);
    put64(&writer, total->segment_entries);
    put64(&writer, total->segment_exits);
    single_put(change, REPORTING_TABLE_TOTAL, span_of(value, sizeof value));
}

/* ---- day */

void reporting_day_decode(struct span value, struct reporting_day *day)
{
    assert(value.size == DAY_BYTES);
    struct reader reader = reader_of(value);
    day->events = get64(&reader);
    day->revenue_minor = get_signed(&reader);
    day->points_issued = get_signed(&reader);
    day->points_spent = get_signed(&reader);
}

void reporting_day_load(const struct view *view, const struct reporting_day_key *key,
                        struct reporting_day *day)
{
    struct reporting_day_key_bytes bytes = reporting_day_key_encode(key);
    struct span value = { 0 };
    if (!view_get(view, REPORTING_TABLE_DAY, span_of(bytes.bytes, bytes.size), &value)) {
        *day = (struct reporting_day){ 0 };
        return;
    }
    reporting_day_decode(value, day);
}

void reporting_day_put(const struct change *change, const struct reporting_day_key *key,
                       const struct reporting_day *day)
{
    uint8_t value[DAY_BYTES] = { RECORD_VERSION };
    struct writer writer = { .at = value + 1 };
    put64(&writer, day->events);
    put_signed(&writer, day->revenue_minor);
    put_signed(&writer, day->points_issued);
    put_signed(&writer, day->points_spent);
    struct reporting_day_key_bytes bytes = reporting_day_key_encode(key);
    change_put(change, REPORTING_TABLE_DAY, span_of(bytes.bytes, bytes.size),
               span_of(value, sizeof value));
}

/* ---- profile: count 1 | (attribute 2 | size 1 | text)... */

static void profile_item_read(struct reader *reader, const uint8_t *end,
                              struct reporting_profile_item *item)
{
    assert(end - reader->at >= 3);
    item->attribute = be16_get(reader->at);
    size_t size = reader->at[2];
    reader->at += 3;
    assert(size <= REPORTING_VALUE_BYTES && (size_t)(end - reader->at) >= size);
    item->value = (struct reporting_value){ .present = true, .size = (uint8_t)size };
    memcpy(item->value.text, reader->at, size);
    reader->at += size;
}

void reporting_profile_load(const struct view *view, struct customer_id customer,
                            struct reporting_profile *profile)
{
    profile->count = 0;
    struct span value = { 0 };
    if (!view_get(view, REPORTING_TABLE_PROFILE, span_of(customer.bytes, sizeof customer.bytes),
                  &value)) {
        return;
    }
    assert(value.size >= 2 && value.size <= PROFILE_BYTES);
    struct reader reader = reader_of(value);
    size_t count = *reader.at;
    reader.at += 1;
    assert(count <= REPORTING_ATTRIBUTES_MAX);
    for (size_t i = 0; i < count; i++) {
        profile_item_read(&reader, value.data + value.size, &profile->items[i]);
    }
    assert(reader.at == value.data + value.size);
    profile->count = count;
}

void reporting_profile_put(const struct change *change, struct customer_id customer,
                           const struct reporting_profile *profile)
{
    assert(profile->count <= REPORTING_ATTRIBUTES_MAX);
    uint8_t value[PROFILE_BYTES] = { RECORD_VERSION, (uint8_t)profile->count };
    size_t size = 2;
    for (size_t i = 0; i < profile->count; i++) {
        const struct reporting_profile_item *item = &profile->items[i];
        be16_put(value + size, item->attribute);
        value[size + 2] = item->value.size;
        size += 3;
        memcpy(value + size, item->value.text, item->value.size);
        size += item->value.size;
    }
    change_put(change, REPORTING_TABLE_PROFILE, span_of(customer.bytes, sizeof customer.bytes),
               span_of(value, size));
}

/* ---- attributes */

bool reporting_attribute_load(const struct view *view, struct span name, uint16_t *number)
{
    struct span value = { 0 };
    if (!view_get(view, REPORTING_TABLE_ATTRIBUTE, name, &value)) {
        return false;
    }
    assert(value.size == ATTRIBUTE_BYTES);
    *number = be16_get(reader_of(value).at);
    return true;
}

/* The newest number given; 0: none yet. */
static uint16_t newest_number(const struct view *view)
{
    struct span value = { 0 };
    if (!single_get(view, REPORTING_TABLE_HEAD, &value)) {
        return 0;
    }
    assert(value.size == ATTRIBUTE_BYTES);
    return be16_get(reader_of(value).at);
}

enum status reporting_attribute_number(const struct change *change, struct span name,
                                       uint16_t *number)
{
    if (reporting_attribute_load(&change->view, name, number)) {
        return STATUS_OK;
    }
    uint16_t newest = newest_number(&change->view);
    if (newest == UINT16_MAX) {
        return STATUS_LIMIT;
    }
    newest = (uint16_t)(newest + 1);
    uint8_t value[ATTRIBUTE_BYTES] = { RECORD_VERSION };
    be16_put(value + 1, newest);
    change_put(change, REPORTING_TABLE_ATTRIBUTE, name, span_of(value, sizeof value));
    single_put(change, REPORTING_TABLE_HEAD, span_of(value, sizeof value));
    *number = newest;
    return STATUS_OK;
}
