/*
 * protobuf-c over our arena and buffers. Generated structs live and die inside codecs.
 */
#ifndef KITH_WIRE_PB_H
#define KITH_WIRE_PB_H

#include "common/base/arena.h"
#include "common/base/bytes.h"

#include <protobuf-c/protobuf-c.h>

/* What a message may unpack to, as a multiple of its bytes, and at least. */
#define PB_ARENA_FACTOR 48
#define PB_ARENA_LEAST (64 * 1024)

/* An allocator that takes from `arena` and frees nothing. */
ProtobufCAllocator pb_allocator(struct arena *arena);
/* Unpacks into the arena (reset by the caller). NULL: malformed, or past the arena, or not
 * what an encoder writes: a NUL in a text, a number too large for its field, a field given
 * twice. Texts may still hold what text_is_clean refuses. */
void *pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct arena *arena,
                struct span bytes);
/* Appends the packed message. STATUS_LIMIT: past the buffer's limit. */
MUST_USE enum status pb_pack(const ProtobufCMessage *message, struct buffer *out);
/* Appends tag and length of a length-delimited field, then nothing: the caller appends
 * `size` bytes. For writing a repeated field piece by piece. */
MUST_USE enum status pb_field_begin(struct buffer *out, uint32_t field, size_t size);

struct span pb_span(ProtobufCBinaryData bytes);
ProtobufCBinaryData pb_bytes(struct span span);
/* The text of an optional string field; empty when NULL. */
struct span pb_text(const char *text);

#endif
