#include "services/reporting/reporting_store.h"

#include "common/base/record.h"

#include <assert.h>

#define RECORD_VERSION 1
/* A total with messages. One without any is written as it was before there were campaigns: so
 * older stores can be read, and a suite without campaign keeps the bytes that it had. */
#define TOTAL_VERSION_MESSAGES 2

/* Sizes of values, version byte included. */
#define TOTAL_BYTES (1 + 11 * 8)
#define DAY_BYTES (1 + 4 * 8)
#define PROFILE_ITEM_BYTES (2 + 1 + REPORTING_VALUE_BYTES)
#define PROFILE_BYTES (1 + 1 + REPORTING_ATTRIBUTES_MAX * PROFILE_ITEM_BYTES)
#define ATTRIBUTE_BYTES (1 + 2)
#define SINGLE_KEY 1

_Static_assert(PROFILE_BYTES <= LIMIT_STATE_VALUE_BYTES, "a profile is one record");
_Static_assert(REPORTING_DAY_KEY_BYTES <= LIMIT_STATE_KEY_BYTES, "a day's key is one key");

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
    bool messages = value.size > 0 && value.data[0] == TOTAL_VERSION_MESSAGES;
    struct record_reader reader =
        record_reader_of(value, messages ? TOTAL_VERSION_MESSAGES : RECORD_VERSION);
    total->events = record_read64(&reader);
    total->customers = record_read64(&reader);
    total->revenue_minor = record_read_signed(&reader);
    total->points_issued = record_read_signed(&reader);
    total->points_spent = record_read_signed(&reader);
    total->quarantined = record_read64(&reader);
    total->segment_entries = record_read64(&reader);
    total->segment_exits = record_read64(&reader);
    if (messages) {
        total->sent = record_read64(&reader);
        total->suppressed = record_read64(&reader);
        total->unknown = record_read64(&reader);
    }
    record_read_end(&reader);
}

void reporting_total_put(const struct change *change, const struct reporting_total *total)
{
    uint8_t value[TOTAL_BYTES] = { 0 };
    bool messages = total->sent > 0 || total->suppressed > 0 || total->unknown > 0;
    struct record_writer writer =
        record_writer_of(value, sizeof value, messages ? TOTAL_VERSION_MESSAGES : RECORD_VERSION);
    record_write64(&writer, total->events);
    record_write64(&writer, total->customers);
    record_write_signed(&writer, total->revenue_minor);
    record_write_signed(&writer, total->points_issued);
    record_write_signed(&writer, total->points_spent);
    record_write64(&writer, total->quarantined);
    record_write64(&writer, total->segment_entries);
    record_write64(&writer, total->segment_exits);
    if (messages) {
        record_write64(&writer, total->sent);
        record_write64(&writer, total->suppressed);
        record_write64(&writer, total->unknown);
    }
    single_put(change, REPORTING_TABLE_TOTAL, record_written(&writer));
}

/* ---- day */

void reporting_day_decode(struct span value, struct reporting_day *day)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    day->events = record_read64(&reader);
    day->revenue_minor = record_read_signed(&reader);
    day->points_issued = record_read_signed(&reader);
    day->points_spent = record_read_signed(&reader);
    record_read_end(&reader);
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
    uint8_t value[DAY_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write64(&writer, day->events);
    record_write_signed(&writer, day->revenue_minor);
    record_write_signed(&writer, day->points_issued);
    record_write_signed(&writer, day->points_spent);
    struct reporting_day_key_bytes bytes = reporting_day_key_encode(key);
    change_put(change, REPORTING_TABLE_DAY, span_of(bytes.bytes, bytes.size),
               record_written(&writer));
}

/* ---- profile: count 1 | (attribute 2 | size 1 | text)... */

static void profile_item_read(struct record_reader *reader, struct reporting_profile_item *item)
{
    item->attribute = record_read16(reader);
    uint8_t size = record_read8(reader);
    assert(size <= REPORTING_VALUE_BYTES);
    item->value = (struct reporting_value){ .present = true, .size = size };
    record_read_into(reader, item->value.text, size);
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
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    size_t count = record_read8(&reader);
    assert(count <= REPORTING_ATTRIBUTES_MAX);
    for (size_t i = 0; i < count; i++) {
        profile_item_read(&reader, &profile->items[i]);
    }
    record_read_end(&reader);
    profile->count = count;
}

void reporting_profile_put(const struct change *change, struct customer_id customer,
                           const struct reporting_profile *profile)
{
    assert(profile->count <= REPORTING_ATTRIBUTES_MAX);
    uint8_t value[PROFILE_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write8(&writer, (uint8_t)profile->count);
    for (size_t i = 0; i < profile->count; i++) {
        const struct reporting_profile_item *item = &profile->items[i];
        record_write16(&writer, item->attribute);
        record_write8(&writer, item->value.size);
        record_write_bytes(&writer, span_of(item->value.text, item->value.size));
    }
    change_put(change, REPORTING_TABLE_PROFILE, span_of(customer.bytes, sizeof customer.bytes),
               record_written(&writer));
}

/* ---- attributes */

static uint16_t number_read(struct span value)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    uint16_t number = record_read16(&reader);
    record_read_end(&reader);
    return number;
}

bool reporting_attribute_load(const struct view *view, struct span name, uint16_t *number)
{
    struct span value = { 0 };
    if (!view_get(view, REPORTING_TABLE_ATTRIBUTE, name, &value)) {
        return false;
    }
    *number = number_read(value);
    return true;
}

/* The newest number given; 0: none yet. */
static uint16_t newest_number(const struct view *view)
{
    struct span value = { 0 };
    if (!single_get(view, REPORTING_TABLE_HEAD, &value)) {
        return 0;
    }
    return number_read(value);
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
    uint8_t value[ATTRIBUTE_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write16(&writer, newest);
    change_put(change, REPORTING_TABLE_ATTRIBUTE, name, record_written(&writer));
    single_put(change, REPORTING_TABLE_HEAD, record_written(&writer));
    *number = newest;
    return STATUS_OK;
}
