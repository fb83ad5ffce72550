#include "common/base/bytes.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SANITIZE_ADDRESS__
/* gcc brings the function, but no header that declares it. */
void __sanitizer_purge_allocator(void);
#endif

/* Small enough for a key, so that most buffers of keys grow once. */
#define BUFFER_CAPACITY_LEAST 64
/* Less is not worth large pages, of 2 MiB each. */
#define LARGE_LEAST_BYTES ((size_t)4 * 1024 * 1024)
#define PAGE_BYTES ((size_t)4096)

struct span span_of_text(const char *text)
{
    return span_of(text, strlen(text));
}

bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && span_compare(a, b) == 0;
}

int span_compare(struct span a, struct span b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    /* memcmp may not be given NULL, not even for no bytes. */
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool span_has_prefix(struct span span, struct span prefix)
{
    return span.size >= prefix.size &&
           (prefix.size == 0 || memcmp(span.data, prefix.data, prefix.size) == 0);
}

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){ .limit = limit };
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->limit);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

enum status buffer_reserve(struct buffer *buffer, size_t size)
{
    assert(buffer->size <= buffer->capacity && buffer->size <= buffer->limit);
    if (size > buffer->limit - buffer->size) {
        return STATUS_LIMIT;
    }
    size_t needed = buffer->size + size;
    if (needed <= buffer->capacity) {
        return STATUS_OK;
    }
    /* Doubling keeps the copies of a growing buffer linear; it stops at the limit. */
    size_t doubled = buffer->capacity > buffer->limit / 2 ? buffer->limit : buffer->capacity * 2;
    size_t capacity = doubled > BUFFER_CAPACITY_LEAST ? doubled : BUFFER_CAPACITY_LEAST;
    capacity = capacity > needed ? capacity : needed;
    buffer->data = memory_resize(buffer->data, capacity);
    buffer->capacity = capacity;
    return STATUS_OK;
}

enum status buffer_append(struct buffer *buffer, struct span bytes)
{
    enum status status = buffer_reserve(buffer, bytes.size);
    if (status != STATUS_OK) {
        return status;
    }
    if (bytes.size > 0) {
        memcpy(buffer->data + buffer->size, bytes.data, bytes.size);
        buffer->size += bytes.size;
    }
    return STATUS_OK;
}

void hex_encode(struct span bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.size; i++) {
        out[2 * i] = digits[bytes.data[i] >> 4];
        out[2 * i + 1] = digits[bytes.data[i] & 0x0f];
    }
    out[2 * bytes.size] = '\0';
}

/* The value of one digit; 16 for what is none. */
static unsigned hex_digit_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return (unsigned)(digit - '0');
    }
    if (digit >= 'a' && digit <= 'f') {
        return (unsigned)(digit - 'a' + 10);
    }
    if (digit >= 'A' && digit <= 'F') {
        return (unsigned)(digit - 'A' + 10);
    }
    return 16;
}

enum status hex_decode(struct span text, uint8_t *out, size_t size)
{
    if (text.size % 2 != 0 || text.size / 2 != size) {
        return STATUS_MALFORMED;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (hex_digit_value(text.data[i]) > 15) {
            return STATUS_MALFORMED;
        }
    }
    for (size_t i = 0; i < size; i++) {
        unsigned high = hex_digit_value(text.data[2 * i]);
        unsigned low = hex_digit_value(text.data[2 * i + 1]);
        out[i] = (uint8_t)((high << 4) | low);
    }
    return STATUS_OK;
}

void memory_exhausted(const char *wanted)
{
    (void)fprintf(stderr, "out of memory: there is none for %s\n", wanted);
    abort();
}

static _Noreturn void bytes_exhausted(size_t size)
{
    char wanted[32];
    (void)snprintf(wanted, sizeof wanted, "%zu bytes", size);
    memory_exhausted(wanted);
}

void *memory_allocate(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL) {
        bytes_exhausted(size);
    }
    return memory;
}

void *memory_allocate_scattered(size_t size)
{
    uint8_t *memory = memory_allocate(size);
    if (size < LARGE_LEAST_BYTES) {
        return memory;
    }
    /* Before any of it is touched. No large page begins between the pages at its ends. */
    uint8_t *page = memory + PAGE_BYTES - (uintptr_t)memory % PAGE_BYTES;
    (void)madvise(page, size - PAGE_BYTES, MADV_HUGEPAGE);
    return memory;
}

void *memory_resize(void *memory, size_t size)
{
    void *resized = realloc(memory, size > 0 ? size : 1);
    if (resized == NULL) {
        bytes_exhausted(size);
    }
    return resized;
}

void memory_give_back(void)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_purge_allocator(); /* it has an allocator of its own */
#else
    (void)malloc_trim(0);
#endif
}
