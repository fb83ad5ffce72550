/*
 * Bytes with a size: spans that look, buffers that own, big-endian numbers.
 *
 * What runs several times for each field of each key and record is inline.
 */
#ifndef KITH_BASE_BYTES_H
#define KITH_BASE_BYTES_H

#include "common/base/status.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else owns. `data` may be NULL only when `size` is 0. */
struct span {
    const uint8_t *data;
    size_t size;
};

static inline struct span span_of(const void *data, size_t size)
{
    assert(data != NULL || size == 0);
    return (struct span){ .data = data, .size = size };
}
struct span span_of_text(const char *text);
bool span_equal(struct span a, struct span b);
/* By bytes, a shorter one before its continuation: <0, 0, >0. */
int span_compare(struct span a, struct span b);
bool span_has_prefix(struct span span, struct span prefix);

/* Bytes that grow up to `limit`. A zeroed buffer with a limit is empty and valid. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit;
};

void buffer_init(struct buffer *buffer, size_t limit);
/* Frees; takes NULL's contents too. The buffer is empty and usable afterwards. */
void buffer_release(struct buffer *buffer);
void buffer_clear(struct buffer *buffer);
/* Room for `size` more bytes at data + size. STATUS_LIMIT: past `limit`, unchanged.
 * The process ends if the host has no memory. */
MUST_USE enum status buffer_reserve(struct buffer *buffer, size_t size);
MUST_USE enum status buffer_append(struct buffer *buffer, struct span bytes);
static inline struct span buffer_span(const struct buffer *buffer)
{
    return span_of(buffer->data, buffer->size);
}

/* Big-endian, so that the order of bytes is the order of numbers. Signed times are
 * offset by 2^63 for the same reason. */
static inline void be16_put(uint8_t *out, uint16_t value)
{
    uint16_t big = htobe16(value);
    memcpy(out, &big, sizeof big);
}
static inline void be32_put(uint8_t *out, uint32_t value)
{
    uint32_t big = htobe32(value);
    memcpy(out, &big, sizeof big);
}
static inline void be64_put(uint8_t *out, uint64_t value)
{
    uint64_t big = htobe64(value);
    memcpy(out, &big, sizeof big);
}
static inline uint16_t be16_get(const uint8_t *in)
{
    uint16_t big = 0;
    memcpy(&big, in, sizeof big);
    return be16toh(big);
}
static inline uint32_t be32_get(const uint8_t *in)
{
    uint32_t big = 0;
    memcpy(&big, in, sizeof big);
    return be32toh(big);
}
static inline uint64_t be64_get(const uint8_t *in)
{
    uint64_t big = 0;
    memcpy(&big, in, sizeof big);
    return be64toh(big);
}
static inline void be_time_put(uint8_t *out, int64_t at_ms)
{
    be64_put(out, (uint64_t)at_ms ^ UINT64_C(1) << 63);
}
static inline int64_t be_time_get(const uint8_t *in)
{
    return (int64_t)(be64_get(in) ^ UINT64_C(1) << 63);
}

/* Lower-case hexadecimal, NUL at the end; `out` holds 2 * size + 1. */
void hex_encode(struct span bytes, char *out);
/* STATUS_MALFORMED: not hexadecimal or not exactly 2 * size digits. */
MUST_USE enum status hex_decode(struct span text, uint8_t *out, size_t size);

/* Ends the process with a message: there is no memory for what was `wanted`. */
_Noreturn void memory_exhausted(const char *wanted);
/* calloc and friends for what must not fail: else memory is exhausted. */
void *memory_allocate(size_t size);
/* The same for much memory that is looked at here and there: with large pages the processor
 * knows where they all are. That is only a hint to the host. */
void *memory_allocate_scattered(size_t size);
void *memory_resize(void *memory, size_t size);
/* What was freed, of all threads, goes back to the host: the allocator would keep what lies below
 * something that still lives. Takes milliseconds where that is much. */
void memory_give_back(void);

#endif
