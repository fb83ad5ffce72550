/* link: common_event common_wire */
/* covers: common/event/event_codec.c common/event/event_part.c common/event/event_check.c
 *         common/base/field.c */
/*
 * Events and accepted events from any bytes. What is taken as an event must be one for
 * protobuf-c as well, must come back from its own encoding, and must survive being accepted.
 */
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "kith/v1/event.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "tests/fuzz/message_maker.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* Room for two lists of attributes: clear ones and personal ones. */
#define ARENA_BYTES (2 * LIMIT_ATTRIBUTES * sizeof(struct attribute))

/* Compares with generated code, unless the message is one that an encoder would not write
 * so, such as a number with leading zeros. */
static void generated_compare(struct span bytes, const struct event *event)
{
    struct arena arena;
    arena_init(&arena, PB_ARENA_FACTOR * bytes.size + PB_ARENA_LEAST);
    const Kith__V1__Event *message = pb_unpack(&kith__v1__event__descriptor, &arena, bytes);
    if (message != NULL) {
        assert(span_equal(pb_text(message->source), event->source));
        assert(span_equal(pb_text(message->id), event->id));
        assert(span_equal(pb_text(message->customer), event->customer));
        assert(message->occurred_at_ms == event->occurred_at_ms);
        assert((message->amount != NULL) == event->has_amount);
        assert(message->amount == NULL || message->amount->minor == event->amount.minor);
        assert(message->n_attributes == event->attribute_count);
    }
    arena_release(&arena);
}

static void accepted_try(const struct event *event, struct arena *arena, struct buffer *buffer)
{
    buffer_clear(buffer);
    struct hash128 hash = hash128_of_span(event->id);
    enum status status = accepted_event_encode(event, true, hash, buffer);
    assert(status == STATUS_OK);
    struct accepted_event accepted = { .attribute_count = 0 };
    arena_reset(arena);
    status = accepted_event_decode(buffer_span(buffer), arena, &accepted);
    assert(status == STATUS_OK && span_equal(accepted.id, event->id));
    status = accepted_event_open(buffer_span(buffer), arena, &accepted);
    assert(status == STATUS_OK);
    assert(accepted.attribute_count + accepted.personal_count == event->attribute_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct arena arena_again;
    struct buffer first;
    struct buffer second;
    arena_init(&arena, ARENA_BYTES);
    arena_init(&arena_again, ARENA_BYTES);
    buffer_init(&first, LIMIT_RECORD_BYTES);
    buffer_init(&second, LIMIT_RECORD_BYTES);
    struct refusal refusal = { .violation_count = 0 };
    struct event event = { .attribute_count = 0 };
    struct event again = { .attribute_count = 0 };
    enum status status = event_decode(span_of(data, size), &arena, &event, &refusal);
    assert(status == STATUS_OK || (status == STATUS_MALFORMED && refusal.violation_count > 0));
    /* An encoding is never longer than what it was read from. */
    if (status == STATUS_OK) {
        generated_compare(span_of(data, size), &event);
        status = event_encode(&event, &first);
        assert(status == STATUS_OK && first.size <= size);
        status = event_decode(buffer_span(&first), &arena_again, &again, &refusal);
        assert(status == STATUS_OK);
        status = event_encode(&again, &second);
        assert(status == STATUS_OK && span_equal(buffer_span(&first), buffer_span(&second)));
        accepted_try(&event, &arena_again, &second);
    }
    arena_reset(&arena);
    struct accepted_event accepted = { .attribute_count = 0 };
    status = accepted_event_decode(span_of(data, size), &arena, &accepted);
    assert(status == STATUS_OK || status == STATUS_CORRUPT);
    if (status == STATUS_OK) {
        status = accepted_event_open(span_of(data, size), &arena, &accepted);
        assert(status == STATUS_OK || accepted.personal_count == 0);
    }
    buffer_release(&first);
    buffer_release(&second);
    arena_release(&arena);
    arena_release(&arena_again);
    return 0;
}

/* Now and then an input begins anew as a sound message. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    struct buffer out = { .data = data, .limit = size_max };
    if (seed % 4 != 0) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    return message_make(seed % 8 == 0 ? &kith__v1__event__descriptor
                                      : &kith__v1__event_accepted__descriptor,
                        &kith__v1__attribute__descriptor, seed, &out);
}
