/* link: common_wire */
/* covers: common/wire/wire.c common/base/refusal.c common/base/id.c */
/*
 * Headers of requests and replies from any bytes. What is taken must agree with what
 * protobuf-c reads from the same bytes, and must come back from its own encoding.
 */
#include "common/base/limits.h"
#include "common/wire/pb.h"
#include "common/wire/wire.h"
#include "kith/v1/wire.pb-c.h"
#include "tests/fuzz/message_maker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

static void request_compare(const struct request_header *got, const Kith__V1__RequestHeader *other)
{
    assert(other->version == WIRE_VERSION);
    assert(got->request_id == other->request_id);
    assert(strcmp(got->method, other->method) == 0);
    assert(got->timeout_ms == other->timeout_ms);
    assert(span_equal(span_of(got->key, got->key_size), pb_text(other->key)));
    assert(got->issued_at_ms == other->issued_at_ms);
}

static void request_try(struct span bytes, struct arena *arena, struct buffer *buffer)
{
    struct request_header got = { 0 };
    struct refusal refusal = { 0 };
    if (request_header_decode(bytes, &got, &refusal) != STATUS_OK) {
        assert(refusal.status == STATUS_MALFORMED && refusal.violation_count == 1);
        return;
    }
    arena_reset(arena);
    const Kith__V1__RequestHeader *other =
        pb_unpack(&kith__v1__request_header__descriptor, arena, bytes);
    if (other != NULL) {
        request_compare(&got, other);
    }
    struct request_header again = { 0 };
    request_header_encode(&got, buffer);
    enum status status = request_header_decode(buffer_span(buffer), &again, &refusal);
    assert(status == STATUS_OK);
    assert(strcmp(again.method, got.method) == 0 && strcmp(again.key, got.key) == 0);
}

static void reply_try(struct span bytes, struct arena *arena, struct buffer *buffer)
{
    struct reply_header got = { 0 };
    if (reply_header_decode(bytes, &got) != STATUS_OK) {
        return;
    }
    arena_reset(arena);
    const Kith__V1__ReplyHeader *other =
        pb_unpack(&kith__v1__reply_header__descriptor, arena, bytes);
    if (other != NULL) {
        assert(got.request_id == other->request_id);
        assert(got.refusal.status == status_from_code(other->code));
        assert(got.refusal.retry_after_ms == other->retry_after_ms);
    }
    struct reply_header again = { 0 };
    reply_header_encode(&got, buffer);
    enum status status = reply_header_decode(buffer_span(buffer), &again);
    assert(status == STATUS_OK);
    assert(again.refusal.status == got.refusal.status);
    assert(again.refusal.violation_count == got.refusal.violation_count);
    assert(strcmp(again.refusal.message, got.refusal.message) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct buffer buffer;
    arena_init(&arena, PB_ARENA_FACTOR * size + PB_ARENA_LEAST);
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    request_try(span_of(data, size), &arena, &buffer);
    reply_try(span_of(data, size), &arena, &buffer);
    buffer_release(&buffer);
    arena_release(&arena);
    return 0;
}

/* Now and then an input begins anew as a sound header. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    struct buffer out = { .data = data, .limit = size_max };
    if (seed % 4 != 0) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    return message_make(seed % 8 == 0 ? &kith__v1__request_header__descriptor
                                      : &kith__v1__reply_header__descriptor,
                        NULL, seed, &out);
}
