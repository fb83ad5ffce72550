/*
 * Memory of the client: bytes that grow, and a budget for what a message from outside may unpack
 * to. Out of memory ends the process.
 */
#ifndef KITH_CLIENT_MEMORY_H
#define KITH_CLIENT_MEMORY_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* All zero; freed with free(). */
void *kith_allocate(size_t size);
char *kith_text_copy(const char *text);

/* All zero is empty. */
struct kith_bytes {
    uint8_t *data;
    size_t size;
    size_t room;
};
void kith_bytes_append(struct kith_bytes *bytes, const void *data, size_t size);
/* Appends the packed message. */
void kith_bytes_pack(struct kith_bytes *bytes, const ProtobufCMessage *message);
void kith_bytes_release(struct kith_bytes *bytes);

/* What unpacking may take. It holds its own address: never copy one in use. */
struct kith_budget {
    ProtobufCAllocator allocator;
    size_t left;
};
/* Unpacks within what `size` bytes may come to. NULL: malformed or past that. Ended with
 * kith_unpacked_free() and the same budget. */
void *kith_unpack(struct kith_budget *budget, const ProtobufCMessageDescriptor *descriptor,
                  const void *bytes, size_t size);
/* Takes NULL. */
void kith_unpacked_free(struct kith_budget *budget, void *message);

/* protobuf-c never writes to what it packs, but its types do not say so. */
char *kith_unconst_text(const char *text);
ProtobufCBinaryData kith_unconst_bytes(const void *data, size_t size);

#endif
