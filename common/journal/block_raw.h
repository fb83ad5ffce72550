/*
 * What the files of the block codec share: the messages that blocks are made of. Internal to
 * common/journal.
 *
 * Field by field, because facts pass here by the million: each is written straight into its
 * block and read without a copy. It is stricter than protobuf: a message has the fields of
 * block.proto and no others, in ascending order, each at most once, and numbers in their
 * shortest form. Blocks are hashed; there is no second way to write one.
 */
#ifndef KITH_JOURNAL_BLOCK_RAW_H
#define KITH_JOURNAL_BLOCK_RAW_H

#include "common/base/field.h"
#include "common/base/limits.h"
#include "common/journal/block.h"

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

enum raw_kind {
    RAW_ABSENT, /* no such field in this message */
    RAW_U32,
    RAW_U64,
    RAW_FIXED64,
    RAW_BYTES,
};

/* Field numbers of all messages here are below it, so a tag is one byte. */
#define RAW_FIELDS 16

/* A message's fields by their numbers. */
struct raw_shape {
    uint16_t required; /* bit n: field n must be there */
    uint8_t kinds[RAW_FIELDS];
};

/* A field's value; what is absent is zero, and its `bytes.data` NULL. */
struct raw_value {
    uint64_t number;
    struct span bytes;
};

/* A number in its shortest form: whose last byte says something, or that is one byte. */
static inline bool raw_varint_take(struct span *rest, uint64_t *value)
{
    if (rest->size > 0 && rest->data[0] < 0x80) {
        *value = rest->data[0];
        rest->data += 1;
        rest->size -= 1;
        return true;
    }
    return field_varint_take(rest, value) && rest->data[-1] != 0;
}

static inline bool raw_bytes_take(struct span *rest, size_t size, struct field *field)
{
    if (size > rest->size) {
        return false;
    }
    field->bytes.data = rest->data;
    field->bytes.size = size;
    rest->data += size;
    rest->size -= size;
    return true;
}

/* Takes the next field of a message that has one, its tag one byte. Sets what its kind has. */
static inline bool raw_field_take(struct span *rest, struct field *field)
{
    uint8_t tag = rest->data[0];
    rest->data += 1;
    rest->size -= 1;
    field->number = tag >> 3U;
    uint64_t size = 0;
    switch (tag & 7U) {
    case FIELD_WIRE_VARINT:
        field->kind = FIELD_VARINT;
        return tag < 0x80 && raw_varint_take(rest, &field->value);
    case FIELD_WIRE_BYTES:
        field->kind = FIELD_BYTES;
        return tag < 0x80 && raw_varint_take(rest, &size) && raw_bytes_take(rest, size, field);
    case FIELD_WIRE_FIXED64:
        field->kind = FIELD_FIXED;
        return tag < 0x80 && raw_bytes_take(rest, sizeof(uint64_t), field);
    default:
        return false;
    }
}

/* Fills `values`, which the caller has zeroed; its place n is field n. False: the bytes are
 * not such a message. */
bool raw_message_decode(const struct raw_shape *shape, struct span bytes, struct raw_value *values);
/* Takes `field`, which holds bytes, off the front of `rest`. False: another field stands
 * there, or it is malformed. */
bool raw_item_take(struct span *rest, uint32_t field, struct span *item);

#endif
