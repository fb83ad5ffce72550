/*
 * Campaign's facts in and out of Protocol Buffers. Private records and the facts it reads stand
 * in campaign_record.h, requests and replies in campaign_request.h.
 *
 * Decoding gives a whole struct or nothing. Spans point into the arena, which the caller
 * resets before.
 */
#ifndef KITH_CAMPAIGN_CODEC_H
#define KITH_CAMPAIGN_CODEC_H

#include "common/base/arena.h"
#include "services/campaign/campaign_core.h"

/* In the fact that says new rules. */
#define CAMPAIGN_RULES_NAME "campaigns"
/* Rules as compiled, and as people read them: both together fit one record. */
#define CAMPAIGN_COMPILED_BYTES (45 * 1024)
#define CAMPAIGN_RULES_TEXT_BYTES (16 * 1024)

/* ---- messages, as they are sealed */

void campaign_message_encode(const struct campaign_message *message, struct buffer *out);
struct campaign_parts {
    struct span address;
    struct span subject;
    struct span text;
};
/* STATUS_CORRUPT: not a message. */
MUST_USE enum status campaign_message_decode(struct span bytes, struct arena *arena,
                                             struct campaign_parts *parts);

/* ---- decisions and outcomes */

/* The type of the fact that says what a dispatch becomes. */
uint32_t campaign_decision_type(enum campaign_dispatch_state becomes);
void campaign_decision_encode(const struct campaign_decision *decision, struct buffer *out);
/* STATUS_CORRUPT: not a fact of campaign's four types, or values that campaign never wrote. */
MUST_USE enum status campaign_decision_decode(const struct fact *fact, struct arena *arena,
                                              struct campaign_decision *decision);

/* ---- rules */

/* Appends the compiled form; equal rules give equal bytes. `out` takes
 * CAMPAIGN_COMPILED_BYTES (asserted). */
void campaign_rules_encode(const struct campaigns *campaigns, struct buffer *out);
/* Appends them as a list without the templates, one way of writing each: for people who ask
 * what was in force. `out` takes CAMPAIGN_RULES_TEXT_BYTES (asserted). */
void campaign_rules_text(const struct campaigns *campaigns, struct buffer *out);

/* The body of FACT_RULES_CHANGED, without at_ms, which stands in the fact.
 * STATUS_CORRUPT: not such a body, another name, or a hash that does not match. */
MUST_USE enum status campaign_rules_fact_decode(struct span body, struct arena *arena,
                                                struct campaign_rules_change *change);

#endif
