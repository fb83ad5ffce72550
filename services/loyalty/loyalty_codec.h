/*
 * The ledger's messages in and out of Protocol Buffers: facts and rules. Requests and
 * replies stand in loyalty_request.h.
 *
 * Decoding gives a whole struct or nothing. Spans point into the arena, which the caller
 * resets before, or where there is none into the bytes that were decoded.
 */
#ifndef KITH_LOYALTY_CODEC_H
#define KITH_LOYALTY_CODEC_H

#include "common/base/arena.h"
#include "services/loyalty/loyalty_core.h"

/* In the fact that says new rules. */
#define LOYALTY_RULES_NAME "programmes"
/* Rules as the configuration wrote them, for people. */
#define LOYALTY_RULES_TEXT_BYTES (32 * 1024)

/* Appends the body of the fact that says this posting. */
void loyalty_posting_encode(const struct loyalty_posting *posting, struct buffer *out);
/* The type of the fact that says a posting of this kind. */
uint32_t loyalty_posting_type(enum loyalty_kind kind);
/* STATUS_CORRUPT: not a fact of the ledger's four types, or values that no ledger wrote. */
MUST_USE enum status loyalty_posting_decode(const struct fact *fact,
                                            struct loyalty_posting *posting);

/* Private records: a customer's first event. */
void loyalty_customer_seen_encode(struct customer_id customer, struct buffer *out);
/* STATUS_CORRUPT: not such a record. */
MUST_USE enum status loyalty_customer_seen_decode(struct span record, struct arena *arena,
                                                  struct customer_id *customer);

/* Appends the compiled form; equal rules give equal bytes.
 * STATUS_LIMIT: past the buffer's limit. */
MUST_USE enum status loyalty_rules_encode(const struct loyalty_rules *rules, struct buffer *out);
/* STATUS_CORRUPT: not rules, or past their bounds. */
MUST_USE enum status loyalty_rules_decode(struct span compiled, struct arena *arena,
                                          struct loyalty_rules *rules);

#endif
