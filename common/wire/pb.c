#include "common/wire/pb.h"

#include "common/base/field.h"

#include <assert.h>

/* Tag (32 bits) and length (64 bits) at seven bits a byte. */
#define PB_FIELD_HEAD_BYTES 15

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
    assert(field >= 1 && field <= FIELD_NUMBER_MAX);
    uint8_t head[PB_FIELD_HEAD_BYTES] = { 0 };
    struct field_writer writer = { .out = head };
    field_put_head(&writer, field, size);
    assert(writer.size <= sizeof head);
    return buffer_append(out, span_of(head, writer.size));
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
