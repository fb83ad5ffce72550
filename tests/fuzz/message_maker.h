/*
 * Messages of any descriptor, made from chance: plain bytes hardly ever get past the first
 * check of a decoder. Most fields are there and hold what a field of their kind may hold; now
 * and then one is twice there, unknown, of another kind or cut.
 */
#ifndef KITH_TESTS_FUZZ_MESSAGE_MAKER_H
#define KITH_TESTS_FUZZ_MESSAGE_MAKER_H

#include "common/base/bytes.h"

#include <protobuf-c/protobuf-c.h>
#include <string.h>

#define MAKER_DEPTH_MAX 6
#define MAKER_REPEAT_MAX 4
/* Tag and length of a field, at most. */
#define MAKER_HEAD_BYTES 10

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

struct message_maker {
    uint64_t chance;
    const ProtobufCMessageDescriptor *inner;
    uint8_t *out;
    size_t size;
    size_t size_max;
    unsigned depth;
};

/* splitmix64 */
static inline uint64_t maker_chance(struct message_maker *maker)
{
    maker->chance += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = maker->chance;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static inline bool maker_one_in(struct message_maker *maker, unsigned many)
{
    return maker_chance(maker) % many == 0;
}

/* What finds no room is left away: a message that is cut is a case of its own. */
static inline void maker_put(struct message_maker *maker, const void *bytes, size_t size)
{
    if (size > 0 && size <= maker->size_max - maker->size) {
        memcpy(maker->out + maker->size, bytes, size);
        maker->size += size;
    }
}

static inline void maker_put_varint(struct message_maker *maker, uint64_t value)
{
    uint8_t bytes[MAKER_HEAD_BYTES] = { 0 };
    size_t size = 0;
    do {
        bytes[size] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        size += 1;
        value >>= 7;
    } while (value > 0);
    maker_put(maker, bytes, size);
}

static inline uint64_t maker_number(struct message_maker *maker)
{
    static const uint64_t numbers[] = {
        0,
        1,
        2,
        3,
        5,
        10,
        16,
        28,
        40,
        56,
        100,
        1000,
        4096,
        INT32_MAX,
        UINT32_MAX,
        UINT64_C(899164800000),
        UINT64_C(1000000000000000),
        UINT64_C(1000000000000001),
        INT64_MAX,
        (uint64_t)INT64_MAX + 1,
        UINT64_MAX,
    };
    uint64_t chance = maker_chance(maker);
    if (chance % 8 == 0) {
        return maker_chance(maker) >> (chance >> 8) % 64;
    }
    return numbers[(chance >> 8) % (chance % 2 == 0 ? 8 : sizeof numbers / sizeof numbers[0])];
}

static inline struct span maker_text(struct message_maker *maker)
{
    static const char *const texts[] = {
        "ann",
        "bob",
        "bonus",
        "purchase",
        "visit",
        "crm",
        "1",
        "EUR",
        "tier",
        "gold",
        "big_spenders",
        "thanks",
        "outbox",
        "phone",
        "entry/1",
        "ingestion",
        "loyalty",
        "loyalty/0",
        "segments",
        "Hello {customer} {tier}",
        "/tmp",
        "",
        "a\nb",
        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
        "\xff",
        "\xed\xa0\x80",
        "smtp://127.0.0.1:25",
        "care@operator.example",
        "0123456789012345678901234567890123456789012345678901234567890123",
        "01234567890123456789012345678901234567890123456789012345678901234",
    };
    uint64_t chance = maker_chance(maker);
    return span_of_text(texts[chance % (sizeof texts / sizeof texts[0])]);
}

/* Messages within messages, at most MAKER_DEPTH_MAX of them. */
/* NOLINTBEGIN(misc-no-recursion) */

static inline void maker_message(struct message_maker *maker,
                                 const ProtobufCMessageDescriptor *descriptor);

/* The message behind a length, which takes the room it needs once it is known. */
static inline void maker_nested(struct message_maker *maker,
                                const ProtobufCMessageDescriptor *descriptor)
{
    struct message_maker inside = *maker;
    if (maker->size_max - maker->size <= MAKER_HEAD_BYTES || maker->depth >= MAKER_DEPTH_MAX) {
        maker_put_varint(maker, 0);
        return;
    }
    inside.depth += 1;
    inside.out = maker->out + maker->size + MAKER_HEAD_BYTES;
    inside.size = 0;
    inside.size_max = maker->size_max - maker->size - MAKER_HEAD_BYTES;
    maker_message(&inside, descriptor);
    maker->chance = inside.chance;
    maker_put_varint(maker, inside.size);
    memmove(maker->out + maker->size, inside.out, inside.size);
    maker->size += inside.size;
}

static inline void maker_bytes(struct message_maker *maker)
{
    static const size_t sizes[] = { 16, 16, 32, 32, 0, 1, 15, 17, 64 };
    uint8_t bytes[64] = { 0 };
    uint64_t chance = maker_chance(maker);
    size_t size = sizes[chance % (sizeof sizes / sizeof sizes[0])];
    if (maker->inner != NULL && (chance >> 8) % 2 == 0) {
        maker_nested(maker, maker->inner);
        return;
    }
    bytes[15] = (uint8_t)((chance >> 16) % 3);
    maker_put_varint(maker, size);
    maker_put(maker, bytes, size);
}

static inline void maker_enum(struct message_maker *maker, const ProtobufCEnumDescriptor *known)
{
    uint64_t chance = maker_chance(maker);
    maker_put_varint(maker, chance % 16 == 0
                                ? chance >> 32
                                : (uint64_t)known->values[(chance >> 8) % known->n_values].value);
}

static inline void maker_signed(struct message_maker *maker)
{
    uint64_t number = maker_number(maker);
    maker_put_varint(maker, (number << 1) ^ (maker_one_in(maker, 8) ? UINT64_MAX : 0));
}

static inline void maker_string(struct message_maker *maker)
{
    struct span text = maker_text(maker);
    maker_put_varint(maker, text.size);
    maker_put(maker, text.data, text.size);
}

static inline void maker_value(struct message_maker *maker, const ProtobufCFieldDescriptor *field)
{
    uint64_t fixed = maker_chance(maker);
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        maker_string(maker);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        maker_bytes(maker);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        maker_nested(maker, field->descriptor);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        maker_enum(maker, field->descriptor);
        break;
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SINT64:
        maker_signed(maker);
        break;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        maker_put(maker, &fixed, 8);
        break;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        maker_put(maker, &fixed, 4);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        maker_put_varint(maker, fixed % 2);
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        maker_put_varint(maker, maker_number(maker));
        break;
    }
}

static inline unsigned maker_wire_type(ProtobufCType type)
{
    if (type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_BYTES ||
        type == PROTOBUF_C_TYPE_MESSAGE) {
        return 2;
    }
    if (type == PROTOBUF_C_TYPE_FIXED64 || type == PROTOBUF_C_TYPE_SFIXED64 ||
        type == PROTOBUF_C_TYPE_DOUBLE) {
        return 1;
    }
    return type == PROTOBUF_C_TYPE_FIXED32 || type == PROTOBUF_C_TYPE_SFIXED32 ||
                   type == PROTOBUF_C_TYPE_FLOAT
               ? 5
               : 0;
}

static inline void maker_field(struct message_maker *maker, const ProtobufCFieldDescriptor *field)
{
    unsigned wire = maker_wire_type(field->type);
    uint32_t id = field->id;
    if (maker_one_in(maker, 256)) {
        wire = (unsigned)(maker_chance(maker) % 6);
    }
    if (maker_one_in(maker, 256)) {
        id = (uint32_t)(maker_chance(maker) % 64 + 1);
    }
    maker_put_varint(maker, (uint64_t)id << 3 | wire);
    maker_value(maker, field);
}

/* Of a oneof's fields at most one is there: the one whose turn it is. */
static inline bool maker_is_chosen(const ProtobufCMessageDescriptor *descriptor, unsigned index,
                                   uint64_t choice)
{
    const ProtobufCFieldDescriptor *field = &descriptor->fields[index];
    uint64_t count = 0;
    uint64_t rank = 0;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &descriptor->fields[i];
        if ((other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
            other->quantifier_offset == field->quantifier_offset) {
            rank += i < index;
            count += 1;
        }
    }
    return choice % count == rank;
}

static inline void maker_message(struct message_maker *maker,
                                 const ProtobufCMessageDescriptor *descriptor)
{
    uint64_t choice = maker_chance(maker);
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        uint64_t times = maker_one_in(maker, 6) ? 0 : 1;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            times = maker_chance(maker) % MAKER_REPEAT_MAX;
        } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
            times = maker_is_chosen(descriptor, i, choice) ? 1 : 0;
        }
        for (uint64_t k = 0; k < times; k++) {
            maker_field(maker, field);
        }
    }
}

/* NOLINTEND(misc-no-recursion) */

/* A message of the descriptor into `out`. Returns its size. */
static inline size_t message_make(const ProtobufCMessageDescriptor *descriptor,
                                  const ProtobufCMessageDescriptor *inner, uint64_t chance,
                                  struct buffer *out)
{
    struct message_maker maker = { .chance = chance,
                                   .inner = inner,
                                   .out = out->data + out->size,
                                   .size_max = out->limit - out->size };
    maker_message(&maker, descriptor);
    out->size += maker.size;
    return maker.size;
}

#endif
