/*
 * What the files of the block codec share: the part of protobuf's wire format that blocks
 * are made of. Internal to common/journal.
 *
 * By hand, because facts pass here by the million: each is written straight into its block
 * and read without a copy. It is stricter than protobuf: a message has the fields of
 * block.proto and no others, in ascending order, each at most once, and numbers in their
 * shortest form. Blocks are hashed; there is no second way to write one.
 */
#ifndef KITH_JOURNAL_BLOCK_RAW_H
#define KITH_JOURNAL_BLOCK_RAW_H

#include "common/base/limits.h"
#include "common/journal/block.h"

#include <endian.h>
#include <string.h>

#define BLOCK_FORMAT 1

/* A fact's envelope: everything but body and subject, with tags and lengths. */
#define BLOCK_FACT_ENVELOPE_BYTES 96
/* What either part may grow to: a block passes its bound by the last record only. An
 * outcome is such a record too, and keeps a whole reply. */
#define BLOCK_PUBLIC_BYTES_MAX (LIMIT_BLOCK_BYTES + LIMIT_RECORD_BYTES + BLOCK_FACT_ENVELOPE_BYTES)
#define BLOCK_PRIVATE_BYTES_MAX (LIMIT_BLOCK_BYTES + LIMIT_BODY_BYTES + 2 * LIMIT_HEADER_BYTES)
/* All fields of a header at their largest: 150. */
#define BLOCK_HEADER_BYTES_MAX 160
/* The least a fact takes in a public part: tag, length, type, recorded_at. */
#define BLOCK_FACT_BYTES_LEAST 6

/* Writes the header; `out` has BLOCK_HEADER_BYTES_MAX. Returns the size. */
size_t block_header_encode(const struct block_header *header, uint8_t *out);

enum raw_wire { RAW_WIRE_VARINT = 0, RAW_WIRE_FIXED64 = 1, RAW_WIRE_BYTES = 2 };

/* Field numbers of all messages here are below 16, so a tag is one byte. */
#define RAW_TAG(field, wire) ((uint8_t)(((field) << 3) | (wire)))

/* ---- writing: each function returns where the next byte goes */

static inline size_t raw_varint_size(uint64_t value)
{
    /* Seven bits a byte, without a division: 9/64 is close enough to 1/7 for 1 to 64 bits. */
    unsigned bits = 64U - (unsigned)__builtin_clzll(value | 1);
    return (bits * 9 + 64) / 64;
}

static inline uint64_t raw_zigzag(int64_t value)
{
    uint64_t doubled = (uint64_t)value << 1;
    return value < 0 ? ~doubled : doubled;
}

static inline int64_t raw_unzigzag(uint64_t value)
{
    uint64_t half = value >> 1;
    return (value & 1) != 0 ? -(int64_t)half - 1 : (int64_t)half;
}

/* Sizes with the tag. */
static inline size_t raw_number_size(uint64_t value)
{
    return 1 + raw_varint_size(value);
}

static inline size_t raw_bytes_size(size_t size)
{
    return 1 + raw_varint_size(size) + size;
}

static inline uint8_t *raw_varint_put(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)((value & 0x7f) | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static inline uint8_t *raw_number_put(uint8_t *out, unsigned field, uint64_t value)
{
    *out++ = RAW_TAG(field, RAW_WIRE_VARINT);
    return raw_varint_put(out, value);
}

static inline uint8_t *raw_fixed64_put(uint8_t *out, unsigned field, uint64_t value)
{
    *out++ = RAW_TAG(field, RAW_WIRE_FIXED64);
    uint64_t little = htole64(value);
    memcpy(out, &little, sizeof little);
    return out + sizeof little;
}

/* Tag and length; `size` bytes must follow. */
static inline uint8_t *raw_begin(uint8_t *out, unsigned field, size_t size)
{
    *out++ = RAW_TAG(field, RAW_WIRE_BYTES);
    return raw_varint_put(out, size);
}

static inline uint8_t *raw_bytes_put(uint8_t *out, unsigned field, const void *data, size_t size)
{
    out = raw_begin(out, field, size);
    if (size > 0) {
        memcpy(out, data, size);
    }
    return out + size;
}

/* ---- reading */

enum raw_kind {
    RAW_ABSENT, /* no such field in this message */
    RAW_U32,
    RAW_U64,
    RAW_FIXED64,
    RAW_BYTES,
};

/* A message's fields by their numbers. */
struct raw_shape {
    uint16_t required; /* bit n: field n must be there */
    uint8_t kinds[16];
};

/* A field's value; what is absent is zero, and its `bytes.data` NULL. */
struct raw_value {
    uint64_t number;
    struct span bytes;
};

/* Fills `values`, which the caller has zeroed; its place n is field n. False: the bytes are
 * not such a message. */
bool raw_message_decode(const struct raw_shape *shape, struct span bytes, struct raw_value *values);
/* At a tag whose field holds bytes: `item` gets them. Returns what follows, NULL: malformed. */
const uint8_t *raw_item_get(const uint8_t *at, const uint8_t *end, struct span *item);

#endif
