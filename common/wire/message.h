/*
 * What requests and replies of all services have in common: the same bounds, the same
 * sentences when they are passed, and positions.
 *
 * A request that is longer than any of ours, or that holds a field we do not know, is refused
 * rather than half understood.
 */
#ifndef KITH_WIRE_MESSAGE_H
#define KITH_WIRE_MESSAGE_H

#include "common/base/position.h"
#include "common/base/refusal.h"
#include "common/wire/pb.h"

/* Two ids, a page's key and some numbers need a quarter of it. */
#define REQUEST_BYTES_MAX 1024
/* Rows of a page, and those of a page whose request names no number. */
#define REQUEST_PAGE_MAX 1000
#define REQUEST_PAGE_DEFAULT 100

#define REQUEST_ID_RULE "1 to 64 bytes of text without control characters"

/* ---- requests */

/* The message, in the arena, which the caller resets before. NULL: STATUS_MALFORMED, and
 * `refusal` says why. */
void *request_unpack(const ProtobufCMessageDescriptor *descriptor, struct span body,
                     struct arena *arena, struct refusal *refusal);
/* Each adds a violation when it says no; the caller says STATUS_MALFORMED after the last. */
bool request_id_check(const char *id, const char *field, const char *mend, struct refusal *refusal);
/* An absent limit, and zero, mean the default. */
bool request_limit_check(uint32_t given, uint32_t *limit, struct refusal *refusal);

/* ---- replies, facts and records; each appends to `out`, which has room for it (asserted) */

/* A text as protobuf-c wants it: in the arena, which has room for it (asserted), and ended by
 * a NUL. */
char *message_text(struct arena *arena, struct span text);
void message_append(const ProtobufCMessage *message, struct buffer *out);
/* One element of the repeated field `field`. */
void message_element_append(uint32_t field, const ProtobufCMessage *message, struct buffer *out);
/* The same for a kith.v1.Position. */
void message_position_append(uint32_t field, struct feed_name feed, uint64_t seq,
                             struct buffer *out);

#endif
