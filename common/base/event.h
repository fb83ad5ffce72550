/*
 * A fact about a customer, as plain structs: what cores decide on. Spans look into the
 * bytes that were decoded, or into the arena they were decoded with.
 */
#ifndef KITH_BASE_EVENT_H
#define KITH_BASE_EVENT_H

#include "common/base/fact.h"
#include "common/base/hash.h"
#include "common/base/limits.h"

struct money {
    int64_t minor;
    char currency[4]; /* ISO 4217 and the NUL; empty: no money */
};

enum attribute_kind {
    ATTRIBUTE_TEXT,
    ATTRIBUTE_INTEGER,
    ATTRIBUTE_FLAG,
    ATTRIBUTE_AT,
    ATTRIBUTE_MONEY,
};

struct attribute {
    struct span name;
    enum attribute_kind kind;
    struct span text;   /* ATTRIBUTE_TEXT */
    int64_t integer;    /* ATTRIBUTE_INTEGER, _FLAG (0, 1), _AT (ms) */
    struct money money; /* ATTRIBUTE_MONEY */
    bool personal;
};

/* An event as a source system sends it, validated. */
struct event {
    struct span source;
    struct span id;
    struct span type;
    struct span customer; /* the identifier's text */
    int64_t occurred_at_ms;
    uint32_t schema_version;
    bool has_amount;
    struct money amount;
    size_t attribute_count;
    const struct attribute *attributes;
};

/* The body of FACT_EVENT_ACCEPTED; customer and subject stand in the fact's envelope. */
struct accepted_event {
    struct span source;
    struct span id;
    struct span type;
    int64_t occurred_at_ms;
    uint32_t schema_version;
    bool has_amount;
    struct money amount;
    size_t attribute_count;
    const struct attribute *attributes; /* the clear ones; personal values stay sealed */
    bool new_customer;
    struct hash128 content_hash;
    /* Set by who opens them: accepted_event_open. */
    size_t personal_count;
    const struct attribute *personal;
};

/* The types that the suite knows by meaning; any other [a-z0-9_.] is a custom type. */
#define EVENT_CUSTOMER_REGISTERED "customer_registered"
#define EVENT_PROFILE_CHANGED "profile_changed"
#define EVENT_PURCHASE "purchase"
#define EVENT_USAGE "usage"
#define EVENT_BILL_PAID "bill_paid"
#define EVENT_RECHARGE "recharge"
#define EVENT_SERVICE_CONTACT "service_contact"
#define EVENT_RATING "rating"
#define EVENT_COMPLAINT "complaint"
#define EVENT_REFERRAL "referral"
#define EVENT_CAMPAIGN_RESPONSE "campaign_response"

#endif
