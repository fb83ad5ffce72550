/*
 * Fields of a Protocol Buffers message, read and written one at a time.
 *
 * What there is for each event or request is the suite's hottest: events, postings, headers,
 * blocks, results, segmentation's own records. Generated code copies every text, loses what
 * follows a NUL in it and keeps quiet about a field that stands twice. Here a text is a span of
 * the bytes that came, and each field is seen as it stands; what a message may hold is its
 * reader's affair. Other messages are left to generated code.
 *
 * What runs for each field is inline: it is a quarter of what an event costs.
 */
#ifndef KITH_BASE_FIELD_H
#define KITH_BASE_FIELD_H

#include "common/base/bytes.h"

#include <endian.h>
#include <string.h>

enum field_kind { FIELD_VARINT, FIELD_FIXED, FIELD_BYTES };

struct field {
    uint32_t number;
    enum field_kind kind;
    uint64_t value;    /* FIELD_VARINT */
    struct span bytes; /* FIELD_BYTES: text, bytes or an embedded message; FIELD_FIXED: 4 or 8 */
};

enum field_step {
    FIELD_READ,
    FIELD_END,
    FIELD_BROKEN /* these bytes are no message */
};

/* The wire's own numbers; 3 and 4 are groups, which nobody here sends. */
#define FIELD_WIRE_VARINT 0U
#define FIELD_WIRE_FIXED64 1U
#define FIELD_WIRE_BYTES 2U
#define FIELD_WIRE_FIXED32 5U

#define FIELD_NUMBER_MAX ((UINT32_C(1) << 29) - 1)
/* The least that a field takes: tag, and a number or a length. */
#define FIELD_BYTES_LEAST 2

#define FIELD_VARINT_BYTES_MAX 10

/* field_next() for whatever is not usual. */
enum field_step field_next_any(struct span *rest, struct field *field);

/* Takes a number off `rest`. False: cut, or past 64 bits. */
static inline bool field_varint_take(struct span *rest, uint64_t *value)
{
    uint64_t taken = 0;
    for (size_t i = 0; i < rest->size && i < FIELD_VARINT_BYTES_MAX; i++) {
        uint64_t byte = rest->data[i];
        taken |= (byte & 0x7fU) << (7 * i);
        if (byte < 0x80) {
            rest->data += i + 1;
            rest->size -= i + 1;
            *value = taken;
            return i < FIELD_VARINT_BYTES_MAX - 1 || byte <= 1;
        }
    }
    return false;
}

/* Takes the first field off `rest` and sets what its kind has, the rest of `field` staying as
 * it was. FIELD_BROKEN: what is left is of no use. */
static inline enum field_step field_next(struct span *rest, struct field *field)
{
    /* Nearly all fields have a number below 16 and are shorter than 128 bytes. */
    if (rest->size < FIELD_BYTES_LEAST || rest->data[0] >= 0x80 || rest->data[0] < 8) {
        return rest->size == 0 ? FIELD_END : field_next_any(rest, field);
    }
    unsigned wire = rest->data[0] & 7U;
    size_t size = rest->data[1];
    field->number = rest->data[0] >> 3U;
    if (wire == FIELD_WIRE_BYTES && size < 0x80 && size <= rest->size - 2) {
        field->kind = FIELD_BYTES;
        field->bytes.data = rest->data + 2;
        field->bytes.size = size;
        rest->data += 2 + size;
        rest->size -= 2 + size;
        return FIELD_READ;
    }
    if (wire == FIELD_WIRE_VARINT) {
        field->kind = FIELD_VARINT;
        rest->data += 1;
        rest->size -= 1;
        return field_varint_take(rest, &field->value) ? FIELD_READ : FIELD_BROKEN;
    }
    return field_next_any(rest, field);
}

/* A sint64's value. */
static inline int64_t field_signed(uint64_t value)
{
    uint64_t half = value >> 1U;
    return (value & 1U) == 0 ? (int64_t)half : -(int64_t)half - 1;
}

/* The least bytes that hold `value`. */
static inline size_t field_varint_size(uint64_t value)
{
    /* Seven bits a byte, without a division: 9/64 is close enough to 1/7 up to 64 bits. */
    unsigned bits = 64U - (unsigned)__builtin_clzll(value | 1U);
    return (bits * 9U + 64U) / 64U;
}

/* Writes fields, or only counts their bytes: a message is written by one function that runs
 * once without `out`, to learn the size, and once with that much room. */
struct field_writer {
    uint8_t *out; /* NULL: counts */
    size_t size;
};

static inline void field_put_varint(struct field_writer *writer, uint64_t value)
{
    if (writer->out == NULL) {
        writer->size += field_varint_size(value);
        return;
    }
    uint64_t left = value;
    while (left > 0x7f) {
        writer->out[writer->size++] = (uint8_t)(left | 0x80U);
        left >>= 7U;
    }
    writer->out[writer->size++] = (uint8_t)left;
}

static inline void field_put_unsigned(struct field_writer *writer, uint32_t number, uint64_t value)
{
    field_put_varint(writer, (uint64_t)number << 3U | FIELD_WIRE_VARINT);
    field_put_varint(writer, value);
}

/* As sint64. */
static inline void field_put_signed(struct field_writer *writer, uint32_t number, int64_t value)
{
    uint64_t doubled = (uint64_t)value << 1U;
    field_put_unsigned(writer, number, value < 0 ? ~doubled : doubled);
}

static inline void field_put_fixed64(struct field_writer *writer, uint32_t number, uint64_t value)
{
    field_put_varint(writer, (uint64_t)number << 3U | FIELD_WIRE_FIXED64);
    if (writer->out != NULL) {
        uint64_t little = htole64(value);
        memcpy(writer->out + writer->size, &little, sizeof little);
    }
    writer->size += sizeof value;
}

/* Begins an embedded message of `size` bytes; the caller puts its fields next. */
static inline void field_put_head(struct field_writer *writer, uint32_t number, size_t size)
{
    field_put_varint(writer, (uint64_t)number << 3U | FIELD_WIRE_BYTES);
    field_put_varint(writer, size);
}

static inline void field_put_bytes(struct field_writer *writer, uint32_t number, struct span bytes)
{
    field_put_head(writer, number, bytes.size);
    if (writer->out != NULL && bytes.size > 0) {
        memcpy(writer->out + writer->size, bytes.data, bytes.size);
    }
    writer->size += bytes.size;
}

#endif
