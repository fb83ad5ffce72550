/*
 * The envelope of requests and replies: header frame and body frame.
 */
#ifndef KITH_WIRE_WIRE_H
#define KITH_WIRE_WIRE_H

#include "common/base/bytes.h"
#include "common/base/field.h"
#include "common/base/refusal.h"

#define WIRE_VERSION 1
#define WIRE_METHOD_BYTES 64

/* A request's header, checked; a plain value. */
struct request_header {
    uint64_t request_id;
    char method[WIRE_METHOD_BYTES];
    uint32_t timeout_ms; /* 0: none; no question is kept for longer than LIMIT_PARKED_MS */
    char key[72];        /* empty: none */
    size_t key_size;
    int64_t issued_at_ms;
};

struct reply_header {
    uint64_t request_id;
    struct refusal refusal; /* status STATUS_OK: done */
};

/* Checks size, version, method, key (1..64 bytes of clean text if there, and then issued_at
 * too) and that no field is unknown. STATUS_MALFORMED with the field in `refusal`, else
 * untouched; request_id is set whenever it could be read, so that the refusal finds its
 * caller, and is 0 otherwise. */
MUST_USE enum status request_header_decode(struct span bytes, struct request_header *header,
                                           struct refusal *refusal);
/* Into `out`, cleared first. */
void request_header_encode(const struct request_header *header, struct buffer *out);

/* STATUS_MALFORMED: also without a code, so that an empty header is not taken for success.
 * Control characters in texts become '?'. */
MUST_USE enum status reply_header_decode(struct span bytes, struct reply_header *header);
/* Into `out`, cleared first. request_id 0 is left out: that is the stored part below. */
void reply_header_encode(const struct reply_header *header, struct buffer *out);
/* The fields of a Violation, which other messages than headers hold too. */
void violation_write(struct field_writer *writer, const struct violation *violation);
/* The stored part of a reply header: everything but the request id, which each attempt
 * has anew. `out` is cleared first. */
void reply_header_compose(struct span stored, uint64_t request_id, struct buffer *out);

#endif
