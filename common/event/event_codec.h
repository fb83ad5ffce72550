/*
 * Events in and out of Protocol Buffers, validated: whoever decodes gets a whole event or
 * the list of its faults. Ingestion, the command line and every reader of ingestion's feed
 * share it.
 */
#ifndef KITH_EVENT_EVENT_CODEC_H
#define KITH_EVENT_EVENT_CODEC_H

#include "common/base/arena.h"
#include "common/base/event.h"
#include "common/base/refusal.h"

/* Decodes and validates an encoded Event. Texts are spans of `bytes`, attributes lie in
 * `arena`, which the caller resets before; `refusal` is touched by faults only.
 *   STATUS_MALFORMED  `refusal` has a violation per faulty field
 *   STATUS_LIMIT      the arena has no room for LIMIT_ATTRIBUTES attributes */
MUST_USE enum status event_decode(struct span bytes, struct arena *arena, struct event *event,
                                  struct refusal *refusal);
/* Checks what event_decode checks, on a struct that somebody built. */
MUST_USE enum status event_validate(const struct event *event, struct refusal *refusal);
/* Appends the encoding; two calls with equal events append equal bytes.
 * STATUS_LIMIT: longer than LIMIT_EVENT_BYTES. */
MUST_USE enum status event_encode(const struct event *event, struct buffer *out);

/* The body of FACT_EVENT_ACCEPTED. `event`'s personal attributes are sealed (key_id 0
 * until sealing exists: plain), the others stay clear. Appends to `out`. */
MUST_USE enum status accepted_event_encode(const struct event *event, bool new_customer,
                                           struct hash128 content_hash, struct buffer *out);
/* Texts are spans of `body`, attributes lie in `arena`; with NULL they are left out, for who
 * asks for the event's identity alone. STATUS_CORRUPT: not such a body, or a full arena. */
MUST_USE enum status accepted_event_decode(struct span body, struct arena *arena,
                                           struct accepted_event *event);
/* Adds the personal attributes of the same body to the decoded event, those whose key is at
 * hand (key_id 0: plain). With the clear ones they are at most LIMIT_ATTRIBUTES.
 * STATUS_CORRUPT: as above, and the event is untouched. */
MUST_USE enum status accepted_event_open(struct span body, struct arena *arena,
                                         struct accepted_event *event);

#endif
