#include "common/store/store_record.h"

#include "common/base/hash.h"

#include <assert.h>
#include <string.h>

/* No table has this number: those of a cluster come before all others. */
#define CLUSTER 0
#define CLUSTER_HEAD_BYTES (1 + LIMIT_STATE_SUBJECT_BYTES)

enum image_kind {
    IMAGE_TOMBSTONE = 0,
    IMAGE_VALUE = 1,
};

static void bytes_copy(uint8_t *out, struct span bytes)
{
    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    }
}

struct store_key store_key_copy(struct span whole)
{
    struct store_key key;
    key.size = whole.size;
    if (key.size > sizeof key.bytes) {
        key.size = sizeof key.bytes;
    }
    bytes_copy(key.bytes, span_of(whole.data, key.size));
    return key;
}

uint64_t store_key_hash(struct span whole)
{
    return checksum_of(whole, (struct span){ 0 });
}

struct store_key store_key_cluster(struct span whole)
{
    struct span key = store_key_part(whole);
    struct store_key filed;
    filed.size = 1 + key.size;
    filed.bytes[0] = CLUSTER;
    if (key.size < LIMIT_STATE_SUBJECT_BYTES) {
        bytes_copy(filed.bytes + 1, key);
        return filed;
    }
    filed.size += 1;
    bytes_copy(filed.bytes + 1, span_of(key.data, LIMIT_STATE_SUBJECT_BYTES));
    filed.bytes[CLUSTER_HEAD_BYTES] = whole.data[0];
    bytes_copy(filed.bytes + CLUSTER_HEAD_BYTES + 1,
               span_of(key.data + LIMIT_STATE_SUBJECT_BYTES, key.size - LIMIT_STATE_SUBJECT_BYTES));
    return filed;
}

bool store_key_is_clustered(struct span filed)
{
    return filed.size > 0 && filed.data[0] == CLUSTER;
}

uint8_t store_key_table(struct span filed)
{
    assert(filed.size > 0);
    if (!store_key_is_clustered(filed)) {
        return filed.data[0];
    }
    return filed.size > CLUSTER_HEAD_BYTES ? filed.data[CLUSTER_HEAD_BYTES] : 0;
}

struct store_key store_key_whole(struct span filed)
{
    if (!store_key_is_clustered(filed) || filed.size <= CLUSTER_HEAD_BYTES) {
        return store_key_copy(filed);
    }
    size_t rest = filed.size - CLUSTER_HEAD_BYTES - 1;
    size_t most = STORE_KEY_BYTES_MAX - CLUSTER_HEAD_BYTES; /* a broken file may have longer ones */
    rest = rest < most ? rest : most;
    struct store_key whole = { .size = CLUSTER_HEAD_BYTES + rest };
    whole.bytes[0] = filed.data[CLUSTER_HEAD_BYTES];
    bytes_copy(whole.bytes + 1, span_of(filed.data + 1, LIMIT_STATE_SUBJECT_BYTES));
    bytes_copy(whole.bytes + CLUSTER_HEAD_BYTES,
               span_of(filed.data + CLUSTER_HEAD_BYTES + 1, rest));
    return whole;
}

struct span store_record_seal(struct span key, struct span value, uint8_t *out)
{
    assert(value.size + STORE_CHECKSUM_BYTES <= STORE_SEALED_BYTES_MAX);
    bytes_copy(out, value);
    be64_put(out + value.size, checksum_of(key, value));
    return span_of(out, value.size + STORE_CHECKSUM_BYTES);
}

bool store_record_open(struct span key, struct span sealed, struct span *value)
{
    if (sealed.size < STORE_CHECKSUM_BYTES) {
        return false;
    }
    struct span inner = span_of(sealed.data, sealed.size - STORE_CHECKSUM_BYTES);
    if (be64_get(sealed.data + inner.size) != checksum_of(key, inner)) {
        return false;
    }
    *value = inner;
    return true;
}

struct span store_image_seal(struct span key, struct store_image image, uint8_t *out)
{
    assert(image.value.size <= LIMIT_STATE_VALUE_BYTES);
    uint8_t inner[1 + LIMIT_STATE_VALUE_BYTES];
    inner[0] = image.tombstone ? IMAGE_TOMBSTONE : IMAGE_VALUE;
    bytes_copy(inner + 1, image.value);
    return store_record_seal(key, span_of(inner, 1 + image.value.size), out);
}

bool store_image_open(struct span key, struct span sealed, struct store_image *image)
{
    struct span inner = { 0 };
    if (!store_record_open(key, sealed, &inner) || inner.size < 1) {
        return false;
    }
    bool tombstone = inner.data[0] == IMAGE_TOMBSTONE;
    if (tombstone ? inner.size != 1 : inner.data[0] != IMAGE_VALUE) {
        return false;
    }
    *image = (struct store_image){ tombstone, span_of(inner.data + 1, inner.size - 1) };
    return true;
}

void run_digest_add(struct run_digest *digest, struct span sealed)
{
    assert(sealed.size >= STORE_CHECKSUM_BYTES);
    uint8_t before[8];
    be64_put(before, digest->chain);
    struct span checksum =
        span_of(sealed.data + sealed.size - STORE_CHECKSUM_BYTES, STORE_CHECKSUM_BYTES);
    digest->chain = checksum_of(span_of(before, sizeof before), checksum);
    digest->records++;
}

bool run_digest_equal(struct run_digest a, struct run_digest b)
{
    return a.records == b.records && a.chain == b.chain;
}
