#include "services/ingestion/ingestion_store.h"

#include "common/base/limits.h"

#include <assert.h>
#include <string.h>

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

/* A record of known size, its version checked. */
static bool fixed_load(const struct view *view, enum ingestion_table table, struct span key,
                       size_t size, struct span *value)
{
    if (!view_get(view, (uint8_t)table, key, value)) {
        return false;
    }
    assert(value->size == size && value->data[0] == RECORD_VERSION);
    return true;
}

static void number_put(const struct change *change, enum ingestion_table table, struct span key,
                       uint64_t number)
{
    uint8_t value[NUMBER_BYTES] = { RECORD_VERSION };
    be64_put(value + 1, number);
    change_put(change, (uint8_t)table, key, span_of(value, sizeof value));
}

static void pair_put(const struct change *change, enum ingestion_table table, struct span key,
                     const uint64_t pair[2])
{
    uint8_t value[PAIR_BYTES] = { RECORD_VERSION };
    be64_put(value + 1, pair[0]);
    be64_put(value + 9, pair[1]);
    change_put(change, (uint8_t)table, key, span_of(value, sizeof value));
}

bool ingestion_event_load(const struct view *view, const struct ingestion_event_key *key,
                          struct ingestion_event *event)
{
    struct span value = { NULL, 0 };
    if (!fixed_load(view, INGESTION_TABLE_EVENT, hash_span(&key->hash), EVENT_BYTES, &value)) {
        return false;
    }
    memcpy(event->content_hash.bytes, value.data + 1, sizeof event->content_hash.bytes);
    event->seq = be64_get(value.data + 17);
    return true;
}

void ingestion_event_put(const struct change *change, const struct ingestion_event_key *key,
                         const struct ingestion_event *event)
{
    uint8_t value[EVENT_BYTES] = { RECORD_VERSION };
    memcpy(value + 1, event->content_hash.bytes, sizeof event->content_hash.bytes);
    be64_put(value + 17, event->seq);
    change_put(change, INGESTION_TABLE_EVENT, hash_span(&key->hash), span_of(value, sizeof value));
}

bool ingestion_customer_is_known(const struct view *view, struct customer_id customer)
{
    struct span value = { NULL, 0 };
    return fixed_load(view, INGESTION_TABLE_CUSTOMER,
                      span_of(customer.bytes, sizeof customer.bytes), NUMBER_BYTES, &value);
}

void ingestion_customer_put(const struct change *change, struct customer_id customer,
                            uint64_t first_seq)
{
    number_put(change, INGESTION_TABLE_CUSTOMER, span_of(customer.bytes, sizeof customer.bytes),
               first_seq);
}

uint64_t ingestion_run_load(const struct view *view, const struct ingestion_run_key *key)
{
    struct span value = { NULL, 0 };
    if (!fixed_load(view, INGESTION_TABLE_RUN, hash_span(&key->hash), NUMBER_BYTES, &value)) {
        return 1;
    }
    return be64_get(value.data + 1);
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

static uint8_t *text_write(uint8_t *out, struct span text)
{
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
    return out + text.size;
}

static struct span entry_encode(const struct ingestion_entry *entry, uint8_t out[ENTRY_BYTES_MAX])
{
    assert(entry->source.size <= LIMIT_ID_BYTES && entry->id.size <= LIMIT_ID_BYTES);
    assert(entry->explanation.size <= INGESTION_EXPLANATION_BYTES);
    out[0] = RECORD_VERSION;
    be64_put(out + 1, entry->seq);
    out[9] = (uint8_t)entry->reason;
    out[10] = entry->raw ? 1 : 0;
    be_time_put(out + 11, entry->recorded_at_ms);
    memcpy(out + 19, entry->content_hash.bytes, sizeof entry->content_hash.bytes);
    be32_put(out + 35, (uint32_t)entry->content_size);
    be16_put(out + 39, (uint16_t)entry->source.size);
    be16_put(out + 41, (uint16_t)entry->id.size);
    be16_put(out + 43, (uint16_t)entry->explanation.size);
    uint8_t *end = text_write(out + ENTRY_HEAD_BYTES, entry->source);
    end = text_write(end, entry->id);
    end = text_write(end, entry->explanation);
    return span_of(out, (size_t)(end - out));
}

static void entry_decode(uint64_t number, struct span value, struct ingestion_entry *entry)
{
    assert(value.size >= ENTRY_HEAD_BYTES && value.data[0] == RECORD_VERSION);
    const uint8_t *in = value.data;
    size_t source_size = be16_get(in + 39);
    size_t id_size = be16_get(in + 41);
    size_t explanation_size = be16_get(in + 43);
    assert(value.size == ENTRY_HEAD_BYTES + source_size + id_size + explanation_size);
    *entry = (struct ingestion_entry){
        .number = number,
        .seq = be64_get(in + 1),
        .reason = reason_of(in[9]),
        .raw = in[10] != 0,
        .recorded_at_ms = be_time_get(in + 11),
        .content_size = be32_get(in + 35),
        .source = span_of(in + ENTRY_HEAD_BYTES, source_size),
        .id = span_of(in + ENTRY_HEAD_BYTES + source_size, id_size),
        .explanation = span_of(in + ENTRY_HEAD_BYTES + source_size + id_size, explanation_size),
    };
    memcpy(entry->content_hash.bytes, in + 19, sizeof entry->content_hash.bytes);
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
        struct span value = { NULL, 0 };
        bool is_there = view_get(view, INGESTION_TABLE_QUARANTINE_PART,
                                 span_of(key.bytes, sizeof key.bytes), &value);
        assert(is_there && value.size >= 1 && value.data[0] == RECORD_VERSION);
        status = buffer_append(content, span_of(value.data + 1, value.size - 1));
        assert(status == STATUS_OK);
    }
    assert(content->size == end);
    return STATUS_OK;
}

static void part_put(const struct change *change, uint64_t entry, uint32_t part, struct span piece)
{
    uint8_t value[1 + INGESTION_PART_BYTES] = { RECORD_VERSION };
    memcpy(value + 1, piece.data, piece.size);
    struct ingestion_part_key key = ingestion_part_key_encode(entry, part);
    change_put(change, INGESTION_TABLE_QUARANTINE_PART, span_of(key.bytes, sizeof key.bytes),
               span_of(value, 1 + piece.size));
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
    struct span value = { NULL, 0 };
    if (!fixed_load(view, INGESTION_TABLE_QUARANTINE_INDEX, hash_span(&key->hash), PAIR_BYTES,
                    &value)) {
        return false;
    }
    arrival->entry = be64_get(value.data + 1);
    arrival->seq = be64_get(value.data + 9);
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
    struct span value = { NULL, 0 };
    if (!fixed_load(view, INGESTION_TABLE_COUNTERS, span_of(counters_key, sizeof counters_key),
                    PAIR_BYTES, &value)) {
        return (struct ingestion_counters){ .entries = 0 };
    }
    return (struct ingestion_counters){
        .entries = be64_get(value.data + 1),
        .entries_open = be64_get(value.data + 9),
    };
}

void ingestion_counters_put(const struct change *change, struct ingestion_counters counters)
{
    pair_put(change, INGESTION_TABLE_COUNTERS, span_of(counters_key, sizeof counters_key),
             (const uint64_t[]){ counters.entries, counters.entries_open });
}
