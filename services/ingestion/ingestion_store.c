#include "services/ingestion/ingestion_store.h"

#include "common/base/limits.h"
#include "common/base/record.h"

#include <assert.h>

/* Of all tables; a table whose form changes counts its own. */
#define RECORD_VERSION 1

#define EVENT_BYTES (1 + 16 + 8)
#define NUMBER_BYTES (1 + 8)
#define PAIR_BYTES (1 + 8 + 8)
/* version, seq, reason, raw, recorded_at, content hash, content size, three text sizes */
#define ENTRY_HEAD_BYTES (1 + 8 + 1 + 1 + 8 + 16 + 4 + 2 + 2 + 2)
#define ENTRY_BYTES_MAX (ENTRY_HEAD_BYTES + 2 * LIMIT_ID_BYTES + INGESTION_EXPLANATION_BYTES)

static_assert(ENTRY_BYTES_MAX <= LIMIT_STATE_VALUE_BYTES, "an entry is one record");
static_assert(1 + INGESTION_PART_BYTES <= LIMIT_STATE_VALUE_BYTES, "a part is one record");

static struct span hash_span(const struct hash128 *hash)
{
    return span_of(hash->bytes, sizeof hash->bytes);
}

static bool record_load(const struct view *view, enum ingestion_table table, struct span key,
                        struct record_reader *reader)
{
    struct span value = { NULL, 0 };
    if (!view_get(view, (uint8_t)table, key, &value)) {
        return false;
    }
    *reader = record_reader_of(value, RECORD_VERSION);
    return true;
}

static void number_put(const struct change *change, enum ingestion_table table, struct span key,
                       uint64_t number)
{
    uint8_t value[NUMBER_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write64(&writer, number);
    change_put(change, (uint8_t)table, key, record_written(&writer));
}

static void pair_put(const struct change *change, enum ingestion_table table, struct span key,
                     const uint64_t pair[2])
{
    uint8_t value[PAIR_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write64(&writer, pair[0]);
    record_write64(&writer, pair[1]);
    change_put(change, (uint8_t)table, key, record_written(&writer));
}

bool ingestion_event_load(const struct view *view, const struct ingestion_event_key *key,
                          struct ingestion_event *event)
{
    struct record_reader reader = { 0 };
    if (!record_load(view, INGESTION_TABLE_EVENT, hash_span(&key->hash), &reader)) {
        return false;
    }
    record_read_into(&reader, event->content_hash.bytes, sizeof event->content_hash.bytes);
    event->seq = record_read64(&reader);
    record_read_end(&reader);
    return true;
}

void ingestion_event_put(const struct change *change, const struct ingestion_event_key *key,
                         const struct ingestion_event *event)
{
    uint8_t value[EVENT_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_bytes(&writer, hash_span(&event->content_hash));
    record_write64(&writer, event->seq);
    change_put(change, INGESTION_TABLE_EVENT, hash_span(&key->hash), record_written(&writer));
}

bool ingestion_customer_is_known(const struct view *view, struct customer_id customer)
{
    struct record_reader reader = { 0 };
    if (!record_load(view, INGESTION_TABLE_CUSTOMER, span_of(customer.bytes, sizeof customer.bytes),
                     &reader)) {
        return false;
    }
    (void)record_read64(&reader); /* the seq of its first event */
    record_read_end(&reader);
    return true;
}

void ingestion_customer_put(const struct change *change, struct customer_id customer,
                            uint64_t first_seq)
{
    number_put(change, INGESTION_TABLE_CUSTOMER, span_of(customer.bytes, sizeof customer.bytes),
               first_seq);
}

uint64_t ingestion_run_load(const struct view *view, const struct ingestion_run_key *key)
{
    struct record_reader reader = { 0 };
    if (!record_load(view, INGESTION_TABLE_RUN, hash_span(&key->hash), &reader)) {
        return 1;
    }
    uint64_t next_batch = record_read64(&reader);
    record_read_end(&reader);
    return next_batch;
}

void ingestion_run_put(const struct change *change, const struct ingestion_run_key *key,
                       uint64_t next_batch)
{
    number_put(change, INGESTION_TABLE_RUN, hash_span(&key->hash), next_batch);
}

static enum ingestion_reason reason_of(uint8_t number)
{
    assert(number <= INGESTION_FUTURE);
    return (enum ingestion_reason)number;
}

static struct span entry_encode(const struct ingestion_entry *entry, uint8_t out[ENTRY_BYTES_MAX])
{
    assert(entry->source.size <= LIMIT_ID_BYTES && entry->id.size <= LIMIT_ID_BYTES);
    assert(entry->explanation.size <= INGESTION_EXPLANATION_BYTES);
    struct record_writer writer = record_writer_of(out, ENTRY_BYTES_MAX, RECORD_VERSION);
    record_write64(&writer, entry->seq);
    record_write8(&writer, (uint8_t)entry->reason);
    record_write8(&writer, entry->raw ? 1 : 0);
    record_write_time(&writer, entry->recorded_at_ms);
    record_write_bytes(&writer, hash_span(&entry->content_hash));
    record_write32(&writer, (uint32_t)entry->content_size);
    record_write16(&writer, (uint16_t)entry->source.size);
    record_write16(&writer, (uint16_t)entry->id.size);
    record_write16(&writer, (uint16_t)entry->explanation.size);
    record_write_bytes(&writer, entry->source);
    record_write_bytes(&writer, entry->id);
    record_write_bytes(&writer, entry->explanation);
    return record_written(&writer);
}

static void entry_decode(uint64_t number, struct span value, struct ingestion_entry *entry)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    *entry = (struct ingestion_entry){ .number = number };
    entry->seq = record_read64(&reader);
    entry->reason = reason_of(record_read8(&reader));
    entry->raw = record_read8(&reader) != 0;
    entry->recorded_at_ms = record_read_time(&reader);
    record_read_into(&reader, entry->content_hash.bytes, sizeof entry->content_hash.bytes);
    entry->content_size = record_read32(&reader);
    size_t source_size = record_read16(&reader);
    size_t id_size = record_read16(&reader);
    size_t explanation_size = record_read16(&reader);
    entry->source = record_read_bytes(&reader, source_size);
    entry->id = record_read_bytes(&reader, id_size);
    entry->explanation = record_read_bytes(&reader, explanation_size);
    record_read_end(&reader);
}

bool ingestion_entry_load(const struct view *view, uint64_t number, struct ingestion_entry *entry)
{
    struct ingestion_entry_key key = ingestion_entry_key_encode(number);
    struct span value = { NULL, 0 };
    if (!view_get(view, INGESTION_TABLE_QUARANTINE, span_of(key.bytes, sizeof key.bytes), &value)) {
        return false;
    }
    entry_decode(number, value, entry);
    return true;
}

static uint32_t part_count(size_t content_size)
{
    return (uint32_t)((content_size + INGESTION_PART_BYTES - 1) / INGESTION_PART_BYTES);
}

enum status ingestion_entry_content_load(const struct view *view,
                                         const struct ingestion_entry *entry,
                                         struct buffer *content)
{
    enum status status = buffer_reserve(content, entry->content_size);
    if (status != STATUS_OK) {
        return status;
    }
    size_t end = content->size + entry->content_size;
    for (uint32_t part = 0; part < part_count(entry->content_size); part++) {
        struct ingestion_part_key key = ingestion_part_key_encode(entry->number, part);
        struct record_reader reader = { 0 };
        bool is_there = record_load(view, INGESTION_TABLE_QUARANTINE_PART,
                                    span_of(key.bytes, sizeof key.bytes), &reader);
        assert(is_there);
        status = buffer_append(content, record_read_rest(&reader));
        assert(status == STATUS_OK);
    }
    assert(content->size == end);
    return STATUS_OK;
}

static void part_put(const struct change *change, uint64_t entry, uint32_t part, struct span piece)
{
    uint8_t value[1 + INGESTION_PART_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_bytes(&writer, piece);
    struct ingestion_part_key key = ingestion_part_key_encode(entry, part);
    change_put(change, INGESTION_TABLE_QUARANTINE_PART, span_of(key.bytes, sizeof key.bytes),
               record_written(&writer));
}

void ingestion_entry_put(const struct change *change, const struct ingestion_entry *entry,
                         struct span content)
{
    assert(content.size == entry->content_size && content.size <= UINT32_MAX);
    uint8_t value[ENTRY_BYTES_MAX] = { 0 };
    struct ingestion_entry_key key = ingestion_entry_key_encode(entry->number);
    change_put(change, INGESTION_TABLE_QUARANTINE, span_of(key.bytes, sizeof key.bytes),
               entry_encode(entry, value));
    for (uint32_t part = 0; part < part_count(content.size); part++) {
        size_t start = (size_t)part * INGESTION_PART_BYTES;
        size_t left = content.size - start;
        size_t size = left < INGESTION_PART_BYTES ? left : INGESTION_PART_BYTES;
        part_put(change, entry->number, part, span_of(content.data + start, size));
    }
}

void ingestion_entry_delete(const struct change *change, uint64_t number)
{
    struct ingestion_entry entry = { .number = 0 };
    bool is_there = ingestion_entry_load(&change->view, number, &entry);
    assert(is_there);
    for (uint32_t part = 0; part < part_count(entry.content_size); part++) {
        struct ingestion_part_key key = ingestion_part_key_encode(number, part);
        change_delete(change, INGESTION_TABLE_QUARANTINE_PART,
                      span_of(key.bytes, sizeof key.bytes));
    }
    struct ingestion_entry_key key = ingestion_entry_key_encode(number);
    change_delete(change, INGESTION_TABLE_QUARANTINE, span_of(key.bytes, sizeof key.bytes));
}

struct entries_walk {
    ingestion_entry_visit visit;
    void *argument;
};

static bool entries_walk_visit(void *argument, struct span key, struct span value)
{
    const struct entries_walk *walk = argument;
    assert(key.size == INGESTION_ENTRY_KEY_BYTES);
    struct ingestion_entry entry = { .number = 0 };
    entry_decode(be64_get(key.data), value, &entry);
    return walk->visit(walk->argument, &entry);
}

void ingestion_entries_walk(const struct view *view, uint64_t after, ingestion_entry_visit visit,
                            void *argument)
{
    if (after == UINT64_MAX) {
        return;
    }
    struct entries_walk walk = { .visit = visit, .argument = argument };
    struct ingestion_entry_key from = ingestion_entry_key_encode(after + 1);
    view_scan(view, INGESTION_TABLE_QUARANTINE, span_of(from.bytes, sizeof from.bytes),
              entries_walk_visit, &walk);
}

bool ingestion_arrival_load(const struct view *view, const struct ingestion_arrival_key *key,
                            struct ingestion_arrival *arrival)
{
    struct record_reader reader = { 0 };
    if (!record_load(view, INGESTION_TABLE_QUARANTINE_INDEX, hash_span(&key->hash), &reader)) {
        return false;
    }
    arrival->entry = record_read64(&reader);
    arrival->seq = record_read64(&reader);
    record_read_end(&reader);
    return true;
}

void ingestion_arrival_put(const struct change *change, const struct ingestion_arrival_key *key,
                           const struct ingestion_arrival *arrival)
{
    pair_put(change, INGESTION_TABLE_QUARANTINE_INDEX, hash_span(&key->hash),
             (const uint64_t[]){ arrival->entry, arrival->seq });
}

static const uint8_t counters_key[] = { 1 };

struct ingestion_counters ingestion_counters_load(const struct view *view)
{
    struct record_reader reader = { 0 };
    struct ingestion_counters counters = { .entries = 0 };
    if (!record_load(view, INGESTION_TABLE_COUNTERS, span_of(counters_key, sizeof counters_key),
                     &reader)) {
        return counters;
    }
    counters.entries = record_read64(&reader);
    counters.entries_open = record_read64(&reader);
    record_read_end(&reader);
    return counters;
}

void ingestion_counters_put(const struct change *change, struct ingestion_counters counters)
{
    pair_put(change, INGESTION_TABLE_COUNTERS, span_of(counters_key, sizeof counters_key),
             (const uint64_t[]){ counters.entries, counters.entries_open });
}
