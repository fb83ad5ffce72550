#include "common/store/run_block.h"

#include "common/base/hash.h"

#include <assert.h>
#include <string.h>

#define HEAD_BYTES 3

static_assert(HEAD_BYTES + LIMIT_STATE_VALUE_BYTES + STORE_CHECKSUM_BYTES <= RUN_BLOCK_BYTES_MAX,
              "a block holds one record of any size");
static_assert(LIMIT_STATE_VALUE_BYTES <= UINT16_MAX, "the size of a value has two bytes");
static_assert(STORE_KEY_BYTES_MAX <= UINT8_MAX, "the size of a key has one byte");

static void bytes_add(struct run_block *block, struct span bytes)
{
    if (bytes.size > 0) {
        memcpy(block->bytes + block->size, bytes.data, bytes.size);
        block->size += bytes.size;
    }
}

bool run_block_add(struct run_block *block, struct span key, struct span value)
{
    assert(key.size > 0 && key.size <= STORE_KEY_BYTES_MAX);
    assert(value.size <= LIMIT_STATE_VALUE_BYTES);
    /* Without this record's key: should it stay the last one, that is cut off. */
    if (block->size + HEAD_BYTES + value.size + STORE_CHECKSUM_BYTES > RUN_BLOCK_BYTES_MAX) {
        return false;
    }
    const uint8_t head[HEAD_BYTES] = { (uint8_t)(value.size >> 8), (uint8_t)(value.size & 0xff),
                                       (uint8_t)key.size };
    bytes_add(block, span_of(head, sizeof head));
    bytes_add(block, value);
    bytes_add(block, key);
    block->last_key_size = key.size;
    return true;
}

void run_block_seal(struct run_block *block, struct store_key *key, struct span *sealed)
{
    assert(block->last_key_size > 0);
    size_t size = block->size - block->last_key_size;
    *key = store_key_copy(span_of(block->bytes + size, block->last_key_size));
    be64_put(block->bytes + size, checksum_of(store_key_span(key), span_of(block->bytes, size)));
    *sealed = span_of(block->bytes, size + STORE_CHECKSUM_BYTES);
    assert(sealed->size <= RUN_BLOCK_BYTES_MAX);
}

void run_block_clear(struct run_block *block)
{
    block->size = 0;
    block->last_key_size = 0;
}

bool run_block_open(struct span key, struct span sealed, struct run_block_reader *reader)
{
    struct span records = { 0 };
    if (!store_record_open(key, sealed, &records)) {
        return false;
    }
    *reader = (struct run_block_reader){ key, records };
    return true;
}

enum status run_block_next(struct run_block_reader *reader, struct span *key, struct span *value)
{
    struct span rest = reader->rest;
    if (rest.size == 0) {
        return STATUS_NOT_FOUND;
    }
    if (rest.size < HEAD_BYTES) {
        return STATUS_CORRUPT;
    }
    size_t value_size = (size_t)rest.data[0] << 8 | rest.data[1];
    size_t key_size = rest.data[2];
    size_t left = rest.size - HEAD_BYTES;
    if (value_size > left) {
        return STATUS_CORRUPT;
    }
    left -= value_size;
    const uint8_t *bytes = rest.data + HEAD_BYTES;
    struct span found = left == 0 ? reader->key : span_of(bytes + value_size, key_size);
    if (key_size == 0 || found.size != key_size || (left > 0 && key_size >= left)) {
        return STATUS_CORRUPT;
    }
    *key = found;
    *value = span_of(bytes, value_size);
    reader->rest =
        left == 0 ? (struct span){ 0 } : span_of(bytes + value_size + key_size, left - key_size);
    return STATUS_OK;
}
