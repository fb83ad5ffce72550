#include "common/wire/pb.h"

#include <assert.h>

#define PB_FIELD_MAX ((UINT32_C(1) << 29) - 1)
/* Tag (32 bits) and length (64 bits) at seven bits a byte. */
#define PB_FIELD_HEAD_BYTES 15
#define PB_VARINT_BYTES 10
/* The low bits of a tag hold the wire type. */
#define PB_TYPE_BITS 3U
#define PB_TYPE_MASK 7U

static void *arena_alloc(void *data, size_t size)
{
    return arena_allocate(data, size);
}

static void arena_free(void *data, void *memory)
{
    /* The arena gives all back at once. */
    (void)data;
    (void)memory;
}

static size_t varint_put(uint8_t *out, uint64_t value)
{
    size_t size = 0;
    while (value > 0x7F) {
        out[size++] = (uint8_t)(value | 0x80U);
        value >>= 7U;
    }
    out[size++] = (uint8_t)value;
    return size;
}

/* Takes a number of at most 64 bits off the front of `rest`. */
static bool varint_take(struct span *rest, uint64_t *value)
{
    uint64_t taken = 0;
    for (size_t i = 0; i < rest->size && i < PB_VARINT_BYTES; i++) {
        uint64_t byte = rest->data[i];
        if (i == PB_VARINT_BYTES - 1 && byte > 1) {
            return false; /* past 64 bits */
        }
        taken |= (byte & 0x7FU) << (7U * i);
        if (byte <= 0x7F) {
            *rest = span_of(rest->data + i + 1, rest->size - i - 1);
            *value = taken;
            return true;
        }
    }
    return false;
}

static bool bytes_take(struct span *rest, uint64_t size, struct span *bytes)
{
    if (size > rest->size) {
        return false;
    }
    *bytes = span_of(rest->data, (size_t)size);
    *rest = span_of(rest->data + size, rest->size - (size_t)size);
    return true;
}

/* False: a group, which nobody writes any more, or no type at all. */
static bool type_of_tag(uint64_t tag, enum pb_type *type)
{
    uint64_t bits = tag & PB_TYPE_MASK;
    if (bits != PB_VARINT && bits != PB_FIXED64 && bits != PB_LENGTH_DELIMITED &&
        bits != PB_FIXED32) {
        return false;
    }
    *type = (enum pb_type)bits;
    return true;
}

/* What stands behind the tag. */
static bool value_take(struct span *rest, struct pb_field *field)
{
    switch (field->type) {
    case PB_VARINT:
        return varint_take(rest, &field->number_value);
    case PB_LENGTH_DELIMITED:
        return varint_take(rest, &field->number_value) &&
               bytes_take(rest, field->number_value, &field->bytes);
    case PB_FIXED64:
        return bytes_take(rest, sizeof(uint64_t), &field->bytes);
    case PB_FIXED32:
        return bytes_take(rest, sizeof(uint32_t), &field->bytes);
    }
    return false;
}

ProtobufCAllocator pb_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){
        .alloc = arena_alloc,
        .free = arena_free,
        .allocator_data = arena,
    };
}

void *pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct arena *arena,
                struct span bytes)
{
    ProtobufCAllocator allocator = pb_allocator(arena);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &allocator, bytes.size, bytes.data);
    /* protobuf-c hides three things: what follows a NUL in a text, the upper half of a number too
     * large for its field, and all but the last of a field given twice. Each makes the message
     * pack to another size than it came in. */
    if (message != NULL && protobuf_c_message_get_packed_size(message) != bytes.size) {
        return NULL;
    }
    return message;
}

enum status pb_pack(const ProtobufCMessage *message, struct buffer *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    enum status status = buffer_reserve(out, size);
    if (status != STATUS_OK || size == 0) {
        return status;
    }
    size_t written = protobuf_c_message_pack(message, out->data + out->size);
    assert(written == size);
    out->size += written;
    return STATUS_OK;
}

enum status pb_field_begin(struct buffer *out, uint32_t field, size_t size)
{
    assert(field >= 1 && field <= PB_FIELD_MAX);
    uint8_t head[PB_FIELD_HEAD_BYTES] = { 0 };
    size_t head_size = varint_put(head, (uint64_t)field << PB_TYPE_BITS | PB_LENGTH_DELIMITED);
    head_size += varint_put(head + head_size, size);
    assert(head_size <= sizeof head);
    return buffer_append(out, span_of(head, head_size));
}

bool pb_field_next(struct span *rest, struct pb_field *field)
{
    struct span left = *rest;
    uint64_t tag = 0;
    if (!varint_take(&left, &tag) || tag >> PB_TYPE_BITS == 0 ||
        tag >> PB_TYPE_BITS > PB_FIELD_MAX) {
        return false;
    }
    struct pb_field taken = { .field = (uint32_t)(tag >> PB_TYPE_BITS) };
    if (!type_of_tag(tag, &taken.type) || !value_take(&left, &taken)) {
        return false;
    }
    *field = taken;
    *rest = left;
    return true;
}

int64_t pb_signed(uint64_t number_value)
{
    uint64_t magnitude = number_value >> 1U;
    return (number_value & 1U) != 0 ? -(int64_t)magnitude - 1 : (int64_t)magnitude;
}

struct span pb_span(ProtobufCBinaryData bytes)
{
    return span_of(bytes.data, bytes.len);
}

ProtobufCBinaryData pb_bytes(struct span span)
{
    /* protobuf-c never writes to what it packs, but its type does not say so. */
    union {
        const uint8_t *read_only;
        uint8_t *plain;
    } data = { .read_only = span.data };
    return (ProtobufCBinaryData){ .len = span.size, .data = data.plain };
}

struct span pb_text(const char *text)
{
    return text == NULL ? span_of(NULL, 0) : span_of_text(text);
}
