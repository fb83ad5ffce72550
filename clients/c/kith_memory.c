#include "clients/c/kith_memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An empty submessage of two bytes unpacks to about 90. */
#define UNPACK_FACTOR 48
#define UNPACK_LEAST ((size_t)64 * 1024)

#define ROOM_FIRST 256

static void *memory_or_end(void *memory)
{
    if (memory == NULL) {
        (void)fputs("libkith: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *kith_allocate(size_t size)
{
    return memory_or_end(calloc(1, size));
}

char *kith_text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = kith_allocate(size);
    memcpy(copy, text, size);
    return copy;
}

/* Room for `size` bytes more, of which the first is returned. */
static uint8_t *bytes_extend(struct kith_bytes *bytes, size_t size)
{
    assert(size <= SIZE_MAX / 4 && bytes->size <= SIZE_MAX / 4);
    size_t needed = bytes->size + size;
    if (needed > bytes->room) {
        size_t room = bytes->room < ROOM_FIRST ? ROOM_FIRST : 2 * bytes->room;
        room = room < needed ? needed : room;
        bytes->data = memory_or_end(realloc(bytes->data, room));
        bytes->room = room;
    }
    uint8_t *added = bytes->data + bytes->size;
    bytes->size = needed;
    return added;
}

void kith_bytes_append(struct kith_bytes *bytes, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(bytes_extend(bytes, size), data, size);
    }
}

void kith_bytes_pack(struct kith_bytes *bytes, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > 0) {
        size_t packed = protobuf_c_message_pack(message, bytes_extend(bytes, size));
        assert(packed == size);
    }
}

void kith_bytes_release(struct kith_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct kith_bytes){ 0 };
}

static void *budget_allocate(void *data, size_t size)
{
    struct kith_budget *budget = data;
    if (size > budget->left) {
        return NULL;
    }
    budget->left -= size;
    return kith_allocate(size > 0 ? size : 1);
}

static void budget_free(void *data, void *memory)
{
    (void)data; /* what was freed is not spent again: a message is unpacked once */
    free(memory);
}

void *kith_unpack(struct kith_budget *budget, const ProtobufCMessageDescriptor *descriptor,
                  const void *bytes, size_t size)
{
    *budget = (struct kith_budget){
        .allocator = { .alloc = budget_allocate, .free = budget_free, .allocator_data = budget },
        .left = size * UNPACK_FACTOR + UNPACK_LEAST,
    };
    return protobuf_c_message_unpack(descriptor, &budget->allocator, size, bytes);
}

void kith_unpacked_free(struct kith_budget *budget, void *message)
{
    if (message != NULL) {
        protobuf_c_message_free_unpacked(message, &budget->allocator);
    }
}

char *kith_unconst_text(const char *text)
{
    union {
        const char *read_only;
        char *plain;
    } pointer = { .read_only = text };
    return pointer.plain;
}

ProtobufCBinaryData kith_unconst_bytes(const void *data, size_t size)
{
    union {
        const void *read_only;
        uint8_t *plain;
    } pointer = { .read_only = data };
    return (ProtobufCBinaryData){ .len = size, .data = pointer.plain };
}
