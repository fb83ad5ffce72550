/*
 * Who a record is about: the 16-byte id of a customer, its partition, and the text of
 * ids that come from outside.
 */
#ifndef KITH_BASE_ID_H
#define KITH_BASE_ID_H

#include "common/base/bytes.h"

struct customer_id {
    uint8_t bytes[16];
};

/* BLAKE2b-128 of (identifier kind, text) keyed per suite: every shard computes it
 * without asking. `suite_key` is 32 bytes. */
struct customer_id customer_id_of(struct span suite_key, const char *kind, struct span text);
static inline bool customer_id_equal(struct customer_id a, struct customer_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}
/* The first 10 bits: 0..PARTITION_COUNT - 1. */
uint16_t customer_partition(struct customer_id id);

/* Valid UTF-8 (no surrogates, no overlong forms), no control character. */
bool text_is_clean(struct span text);
/* An id from outside: 1 to LIMIT_ID_BYTES bytes of clean text. */
bool id_text_is_valid(struct span text);
/* A type of event: 1 to LIMIT_ID_BYTES of [a-z0-9_.]. */
bool type_text_is_valid(struct span text);

#endif
