#include "services/ingestion/ingestion_key.h"

#include <assert.h>
#include <string.h>

struct ingestion_event_key ingestion_event_key_of(struct span source, struct span id)
{
    struct span parts[] = { source, id };
    return (struct ingestion_event_key){ hash128_of(span_of(NULL, 0), parts, 2) };
}

struct ingestion_arrival_key ingestion_arrival_key_of(struct span source, struct span id,
                                                      struct hash128 content_hash)
{
    struct span parts[] = { source, id, span_of(content_hash.bytes, sizeof content_hash.bytes) };
    return (struct ingestion_arrival_key){ hash128_of(span_of(NULL, 0), parts, 3) };
}

struct ingestion_run_key ingestion_run_key_of(struct span run)
{
    return (struct ingestion_run_key){ hash128_of(span_of(NULL, 0), &run, 1) };
}

struct ingestion_event_key ingestion_key_memo_event(struct ingestion_key_memo *memo,
                                                    struct span source, struct span id)
{
    assert(source.size <= sizeof memo->source && id.size <= sizeof memo->id);
    if (memo->is_set && span_equal(source, span_of(memo->source, memo->source_size)) &&
        span_equal(id, span_of(memo->id, memo->id_size))) {
        return memo->key;
    }
    memo->key = ingestion_event_key_of(source, id);
    memo->is_set = true;
    memo->source_size = source.size;
    memo->id_size = id.size;
    memcpy(memo->source, source.data, source.size);
    memcpy(memo->id, id.data, id.size);
    return memo->key;
}

struct ingestion_entry_key ingestion_entry_key_encode(uint64_t entry)
{
    struct ingestion_entry_key key = { { 0 } };
    be64_put(key.bytes, entry);
    return key;
}

struct ingestion_part_key ingestion_part_key_encode(uint64_t entry, uint32_t part)
{
    struct ingestion_part_key key = { { 0 } };
    be64_put(key.bytes, entry);
    be32_put(key.bytes + 8, part);
    return key;
}
