/*
 * What a service has decided, as every part of the suite that does not care what it
 * means sees it: the envelope and the body's bytes.
 */
#ifndef KITH_BASE_FACT_H
#define KITH_BASE_FACT_H

#include "common/base/id.h"

/* FactType of proto/kith/v1/block.proto, for those who may not see it: numbers for ever.
 * common/journal asserts that both lists agree. */
enum fact_type {
    FACT_NONE = 0,
    FACT_EVENT_ACCEPTED = 1,
    FACT_EVENT_QUARANTINED = 2,
    FACT_QUARANTINE_CLOSED = 3,
    FACT_CLOCK_ADVANCED = 4,
    FACT_POINTS_EARNED = 16,
    FACT_POINTS_SPENT = 17,
    FACT_POINTS_REVERSED = 18,
    FACT_POINTS_GRANTED = 19,
    FACT_SEGMENT_ENTERED = 28,
    FACT_SEGMENT_EXITED = 29,
    FACT_DISPATCH_INTENDED = 40,
    FACT_DISPATCH_SENT = 41,
    FACT_DISPATCH_SUPPRESSED = 42,
    FACT_DISPATCH_UNKNOWN = 43,
    FACT_RULES_CHANGED = 56,
    FACT_CONSUMER_ACCEPTED = 57,
};

/* A personal value: the text of an identifier, a value of an attribute marked personal.
 * key_id 0: the bytes are plain. */
struct sealed {
    uint32_t key_id;
    struct span bytes;
};

struct fact {
    uint64_t seq; /* its place in its journal, from 1; 0 until it stands in one */
    uint32_t type;
    uint32_t version;
    int64_t recorded_at_ms;
    uint64_t cause; /* ingestion's seq that it goes back to */
    bool has_customer;
    struct customer_id customer;
    struct sealed subject; /* the text of the customer's identifier; empty: none */
    struct span body;      /* the message that the type names, encoded */
};

/* What evolve is given: a fact of the service's own journal, or a private record, which
 * holds what evolve needs of a foreign event and no fact says. */
struct record {
    bool is_private;
    struct fact fact;           /* when not private */
    struct span private_record; /* when private: bytes of the service's own message */
};

#endif
