/*
 * The body of FACT_RULES_CHANGED, by which a service says under which rules it decides from here
 * on: what they are is the service's own message, compiled from its configuration and checked.
 */
#ifndef KITH_WIRE_RULES_FACT_H
#define KITH_WIRE_RULES_FACT_H

#include "common/base/arena.h"
#include "common/base/bytes.h"
#include "common/base/hash.h"

struct rules_fact {
    uint32_t version;    /* 1, 2, ... */
    struct hash128 hash; /* of `compiled` */
    struct span compiled;
    struct span text; /* for people */
};

/* `name` says what the rules are of, as an id does. `out` has room for the body (asserted). */
void rules_fact_encode(const struct rules_fact *changed, const char *name, struct buffer *out);
/* Spans point into the arena, which the caller resets before.
 * STATUS_CORRUPT: not such a body, another name, or a hash that does not match. */
MUST_USE enum status rules_fact_decode(struct span body, const char *name, struct arena *arena,
                                       struct rules_fact *changed);

#endif
