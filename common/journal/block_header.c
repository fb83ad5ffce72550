#include "common/journal/block.h"
#include "common/journal/block_raw.h"

#include <assert.h>
#include <string.h>

/* Fields of BlockHeader. */
enum header_field {
    HEADER_VERSION = 1,
    HEADER_NUMBER = 2,
    HEADER_FIRST_SEQ = 3,
    HEADER_COUNT = 4,
    HEADER_WALL_MS = 5,
    HEADER_RECORDED_AT_MS = 6,
    HEADER_PARTITIONS = 7,
    HEADER_TYPES = 8,
    HEADER_PUBLIC_BYTES = 9,
    HEADER_PRIVATE_BYTES = 10,
    HEADER_PUBLIC_HASH = 11,
    HEADER_PRIVATE_HASH = 12,
    HEADER_FIELDS,
};

static const struct raw_shape header_shape = {
    .required = (1U << HEADER_FIELDS) - 2, /* all of them */
    .kinds = { [HEADER_VERSION] = RAW_U32,
               [HEADER_NUMBER] = RAW_U64,
               [HEADER_FIRST_SEQ] = RAW_U64,
               [HEADER_COUNT] = RAW_U32,
               [HEADER_WALL_MS] = RAW_U64,
               [HEADER_RECORDED_AT_MS] = RAW_U64,
               [HEADER_PARTITIONS] = RAW_FIXED64,
               [HEADER_TYPES] = RAW_FIXED64,
               [HEADER_PUBLIC_BYTES] = RAW_U32,
               [HEADER_PRIVATE_BYTES] = RAW_U32,
               [HEADER_PUBLIC_HASH] = RAW_BYTES,
               [HEADER_PRIVATE_HASH] = RAW_BYTES },
};

size_t block_header_encode(const struct block_header *header, uint8_t *out)
{
    struct field_writer at = { .size = 0 };
    at.out = out;
    field_put_unsigned(&at, HEADER_VERSION, BLOCK_FORMAT);
    field_put_unsigned(&at, HEADER_NUMBER, header->number);
    field_put_unsigned(&at, HEADER_FIRST_SEQ, header->first_seq);
    field_put_unsigned(&at, HEADER_COUNT, header->count);
    field_put_signed(&at, HEADER_WALL_MS, header->wall_ms);
    field_put_signed(&at, HEADER_RECORDED_AT_MS, header->recorded_at_ms);
    field_put_fixed64(&at, HEADER_PARTITIONS, header->partitions);
    field_put_fixed64(&at, HEADER_TYPES, header->types);
    field_put_unsigned(&at, HEADER_PUBLIC_BYTES, header->public_bytes);
    field_put_unsigned(&at, HEADER_PRIVATE_BYTES, header->private_bytes);
    field_put_bytes(&at, HEADER_PUBLIC_HASH,
                    span_of(header->public_hash.bytes, sizeof header->public_hash.bytes));
    field_put_bytes(&at, HEADER_PRIVATE_HASH,
                    span_of(header->private_hash.bytes, sizeof header->private_hash.bytes));
    assert(at.size <= BLOCK_HEADER_BYTES_MAX);
    return at.size;
}

static bool header_is_possible(const struct block_header *header)
{
    return header->number >= 1 && header->first_seq >= 1 &&
           header->first_seq <= UINT64_MAX - header->count - 1 &&
           header->public_bytes <= BLOCK_PUBLIC_BYTES_MAX &&
           header->private_bytes <= BLOCK_PRIVATE_BYTES_MAX &&
           header->count <= header->public_bytes / BLOCK_FACT_BYTES_LEAST &&
           (header->count == 0) == (header->public_bytes == 0);
}

enum status block_header_decode(struct span bytes, struct block_header *header)
{
    struct raw_value values[HEADER_FIELDS] = { 0 };
    if (bytes.size > BLOCK_HEADER_BYTES_MAX || !raw_message_decode(&header_shape, bytes, values) ||
        values[HEADER_VERSION].number != BLOCK_FORMAT ||
        values[HEADER_PUBLIC_HASH].bytes.size != sizeof header->public_hash.bytes ||
        values[HEADER_PRIVATE_HASH].bytes.size != sizeof header->private_hash.bytes) {
        return STATUS_CORRUPT;
    }
    struct block_header decoded = {
        .number = values[HEADER_NUMBER].number,
        .first_seq = values[HEADER_FIRST_SEQ].number,
        .count = (uint32_t)values[HEADER_COUNT].number,
        .wall_ms = field_signed(values[HEADER_WALL_MS].number),
        .recorded_at_ms = field_signed(values[HEADER_RECORDED_AT_MS].number),
        .partitions = values[HEADER_PARTITIONS].number,
        .types = values[HEADER_TYPES].number,
        .public_bytes = (uint32_t)values[HEADER_PUBLIC_BYTES].number,
        .private_bytes = (uint32_t)values[HEADER_PRIVATE_BYTES].number,
    };
    memcpy(decoded.public_hash.bytes, values[HEADER_PUBLIC_HASH].bytes.data,
           sizeof decoded.public_hash.bytes);
    memcpy(decoded.private_hash.bytes, values[HEADER_PRIVATE_HASH].bytes.data,
           sizeof decoded.private_hash.bytes);
    if (!header_is_possible(&decoded)) {
        return STATUS_CORRUPT;
    }
    *header = decoded;
    return STATUS_OK;
}

/* A header has one encoding, so a header struct and bytes that differ are two headers. */
static bool header_is_of(const struct block_header *header, struct span bytes)
{
    uint8_t encoded[BLOCK_HEADER_BYTES_MAX] = { 0 };
    size_t size = block_header_encode(header, encoded);
    return span_equal(span_of(encoded, size), bytes);
}

static bool part_is_of(struct span part, uint32_t size, struct hash256 hash)
{
    return part.size == size && hash256_equal(hash256_of_span(part), hash);
}

enum status block_check(const struct block *block, const struct hash256 *before, bool with_private)
{
    const struct block_header *header = &block->header;
    bool sound = header_is_possible(header) && header_is_of(header, block->header_bytes) &&
                 hash256_equal(hash_chain(*before, block->header_bytes), block->chain) &&
                 part_is_of(block->public_part, header->public_bytes, header->public_hash);
    if (sound && with_private) {
        sound = part_is_of(block->private_part, header->private_bytes, header->private_hash);
    }
    return sound ? STATUS_OK : STATUS_CORRUPT;
}

struct journal_position block_position(const struct block *block)
{
    return (struct journal_position){ .seq = block->header.first_seq + block->header.count - 1,
                                      .block = block->header.number,
                                      .chain = block->chain };
}

bool block_may_hold(const struct block_header *header, uint64_t partitions, uint64_t types)
{
    return (header->partitions & partitions) != 0 && (header->types & types) != 0;
}
