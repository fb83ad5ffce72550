/*
 * The bytes of a record: its key, and its value sealed with a checksum.
 *
 *   whole key      table (1) | key
 *   filed key      the whole key; of a clustered table
 *                  0 (1) | subject (16) | table (1) | rest: its key is subject | rest
 *   sealed         value | checksum (8), XXH3-64 over filed key and value
 *   in the run     sealed (kind (1) | value): kind 0 a tombstone, 1 a value
 */
#ifndef KITH_STORE_STORE_RECORD_H
#define KITH_STORE_STORE_RECORD_H

#include "common/base/bytes.h"
#include "common/base/limits.h"

/* The longest key, its table, a byte for "clustered", and one for "just after this key" as the
 * start of a scan. */
#define STORE_KEY_BYTES_MAX (1 + 1 + LIMIT_STATE_KEY_BYTES + 1)
#define STORE_CHECKSUM_BYTES 8
#define STORE_SEALED_BYTES_MAX (1 + LIMIT_STATE_VALUE_BYTES + STORE_CHECKSUM_BYTES)

struct store_key {
    size_t size;
    uint8_t bytes[STORE_KEY_BYTES_MAX];
};

/* `key` is at most one byte longer than LIMIT_STATE_KEY_BYTES (asserted). */
static inline struct store_key store_key_of(uint8_t table, struct span key)
{
    assert(key.size <= LIMIT_STATE_KEY_BYTES + 1);
    struct store_key whole; /* not cleared: several are made for each event */
    whole.size = 1 + key.size;
    whole.bytes[0] = table;
    if (key.size > 0) {
        memcpy(whole.bytes + 1, key.data, key.size);
    }
    return whole;
}
/* Of a whole key, cut where a broken file has a longer one than any of ours. */
struct store_key store_key_copy(struct span whole);
static inline struct span store_key_span(const struct store_key *key)
{
    return span_of(key->bytes, key->size);
}
/* Without the table. */
static inline struct span store_key_part(struct span whole)
{
    assert(whole.size > 0);
    return span_of(whole.data + 1, whole.size - 1);
}

/* Of a whole key: by which memtables and the filters of runs know it. Filters are written to the
 * file, so it stays as it is. */
uint64_t store_key_hash(struct span whole);

/* Of a whole key of a clustered table; one that is shorter than a subject is only good as the
 * start of a scan. */
struct store_key store_key_cluster(struct span whole);
struct store_key store_key_whole(struct span filed);
bool store_key_is_clustered(struct span filed);
/* 0: it is clustered and too short to say. */
uint8_t store_key_table(struct span filed);

/* Writes the sealed value to `out`, which has STORE_SEALED_BYTES_MAX, and returns it. */
struct span store_record_seal(struct span key, struct span value, uint8_t *out);
/* False, and `value` untouched: the checksum is wrong. */
MUST_USE bool store_record_open(struct span key, struct span sealed, struct span *value);

/* What a checkpoint does to a record. */
struct store_image {
    bool tombstone;
    struct span value; /* empty for a tombstone */
};
struct span store_image_seal(struct span key, struct store_image image, uint8_t *out);
MUST_USE bool store_image_open(struct span key, struct span sealed, struct store_image *image);

/* What a closed run is known by: how many records it has, and a chain over their checksums,
 * which sees a record that is missing, twice there or out of place. */
struct run_digest {
    uint64_t records;
    uint64_t chain;
};
void run_digest_add(struct run_digest *digest, struct span sealed);
bool run_digest_equal(struct run_digest a, struct run_digest b);

#endif
