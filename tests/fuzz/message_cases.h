/*
 * The frame of a target that takes messages of many kinds: an input is a byte that chooses, and
 * the message behind it.
 */
#ifndef KITH_TESTS_FUZZ_MESSAGE_CASES_H
#define KITH_TESTS_FUZZ_MESSAGE_CASES_H

#include "common/base/arena.h"
#include "common/base/refusal.h"
#include "tests/fuzz/message_maker.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* One of both is set. */
struct message_case {
    const ProtobufCMessageDescriptor *message; /* NULL: any bytes will do */
    void (*plain_try)(struct span body, struct arena *arena);
    void (*typed_try)(struct span body, struct arena *arena, uint32_t type);
    uint32_t type; /* for the second: of the fact with this body, or what it asks for */
};

/* Seeds in the corpus know a case by its place: new ones come last. */
struct message_cases {
    const struct message_case *cases;
    size_t count;
    size_t arena_bytes;
    /* What bytes fields may hold besides bytes; NULL: nothing. */
    const ProtobufCMessageDescriptor *inner;
};

/* What LLVMFuzzerTestOneInput does in such a target. */
static inline int message_cases_try(const struct message_cases *cases, const uint8_t *data,
                                    size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct arena arena;
    arena_init(&arena, cases->arena_bytes);
    struct span body = span_of(data + 1, size - 1);
    const struct message_case *chosen = &cases->cases[data[0] % cases->count];
    if (chosen->typed_try != NULL) {
        chosen->typed_try(body, &arena, chosen->type);
    } else {
        chosen->plain_try(body, &arena);
    }
    arena_release(&arena);
    return 0;
}

/* What LLVMFuzzerCustomMutator does: now and then an input begins anew as a message of its
 * kind. */
static inline size_t message_cases_mutate(const struct message_cases *cases, uint8_t *data,
                                          size_t size, size_t size_max, unsigned seed)
{
    size_t kind = size > 0 ? data[0] % cases->count : 0;
    if (seed % 4 != 0 && size > 0) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    if (seed % 16 == 0) {
        kind = seed / 16 % cases->count;
    }
    if (cases->cases[kind].message == NULL || size_max < 2) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    struct buffer out = { .data = data, .limit = size_max };
    data[0] = (uint8_t)kind;
    out.size = 1;
    return 1 + message_make(cases->cases[kind].message, cases->inner, seed, &out);
}

/* A request is refused with a sentence, or taken whole. */
static inline void request_outcome_check(enum status status, const struct refusal *refusal)
{
    assert(status == STATUS_OK || status == STATUS_MALFORMED);
    assert((status == STATUS_OK) == (refusal->status == STATUS_OK));
}

#endif
