/*
 * The records of the ledger over a view or a change: one struct, one table, one encoding.
 *
 * A value is a version byte and big-endian numbers. A record that does not decode is rot that
 * slipped through a checksum, or a bug: the process ends.
 */
#ifndef KITH_LOYALTY_STORE_H
#define KITH_LOYALTY_STORE_H

#include "common/base/fact.h"
#include "common/base/hash.h"
#include "common/base/view.h"
#include "services/loyalty/loyalty_key.h"

/* The text of an identifier (LIMIT_ID_BYTES) and what sealing adds to it. */
#define LOYALTY_SUBJECT_BYTES 128
/* Rules as compiled: what fits a RulesChanged beside their text. */
#define LOYALTY_COMPILED_BYTES (24 * 1024)

/* A name from outside: an id or a type of event, by value. */
struct loyalty_name {
    uint8_t size; /* 1..LIMIT_ID_BYTES; 0: none */
    char text[LIMIT_ID_BYTES + 1];
};
/* `text` is at most LIMIT_ID_BYTES (asserted). */
struct loyalty_name loyalty_name_of(struct span text);
struct span loyalty_name_span(const struct loyalty_name *name);

/* A customer's identifier as facts carry it, by value. */
struct loyalty_subject {
    uint32_t key_id; /* 0: plain */
    uint8_t size;    /* 0: none */
    uint8_t bytes[LOYALTY_SUBJECT_BYTES];
};
/* At most LOYALTY_SUBJECT_BYTES (asserted: ingestion bounds them). */
struct loyalty_subject loyalty_subject_of(struct sealed sealed);
struct sealed loyalty_subject_sealed(const struct loyalty_subject *subject);

/* balance = earned - spent, always. */
struct loyalty_account {
    int64_t balance; /* 0..LIMIT_AMOUNT */
    int64_t earned;  /* and granted, less what of it was taken back */
    int64_t spent;   /* less what was given back */
    uint64_t postings;
    struct loyalty_subject subject;
};

struct loyalty_own {
    int64_t balance;
    uint64_t postings;
};

/* For ever: entries hold these numbers. */
enum loyalty_kind { LOYALTY_EARNED, LOYALTY_SPENT, LOYALTY_REVERSED, LOYALTY_GRANTED };

/* A posting as the customer's account keeps it. */
struct loyalty_entry {
    uint64_t posting; /* its seq */
    enum loyalty_kind kind;
    enum loyalty_own_kind counter; /* where the points came from or went to */
    int64_t points;                /* added to the customer's account */
    int64_t balance_after;
    int64_t occurred_at_ms;
    int64_t recorded_at_ms;
    uint64_t reverses;    /* 0: takes nothing back */
    uint64_t reversed_by; /* 0: stands; a record of its own, put when that happens */
};

struct loyalty_head {
    uint32_t rules_version; /* 0: none yet */
    uint32_t rules_bytes;
    struct hash128 rules_hash;
    uint32_t programme_count; /* ever known: the newest programme's number */
};

/* False: no such record, and the output is zeroed: a new account is an empty one. */
bool loyalty_account_load(const struct view *view, struct loyalty_account_key key,
                          struct loyalty_account *account);
void loyalty_account_put(const struct change *change, struct loyalty_account_key key,
                         const struct loyalty_account *account);
/* Of a value that a scan met. */
void loyalty_account_decode(struct span value, struct loyalty_account *account);

/* Has the customer ever had an event? */
bool loyalty_customer_is_known(const struct view *view, struct customer_id customer);
void loyalty_customer_put(const struct change *change, struct customer_id customer);

bool loyalty_own_load(const struct view *view, struct loyalty_own_key key, struct loyalty_own *own);
void loyalty_own_put(const struct change *change, struct loyalty_own_key key,
                     const struct loyalty_own *own);
void loyalty_own_decode(struct span value, struct loyalty_own *own);

bool loyalty_entry_load(const struct view *view, struct loyalty_entry_key key,
                        struct loyalty_entry *entry);
/* Once for a key. What is new stands (asserted). */
void loyalty_entry_put(const struct change *change, struct loyalty_entry_key key,
                       const struct loyalty_entry *entry);
/* Of a value that a scan of `view` met. */
void loyalty_entry_decode(const struct view *view, struct span value, struct loyalty_entry *entry);
/* The posting with the seq `reversed` is taken back by the one with the seq `reversal`. */
void loyalty_reversal_put(const struct change *change, uint64_t reversed, uint64_t reversal);

/* Where the posting with this seq stands. False: there is none. */
bool loyalty_posting_load(const struct view *view, uint64_t seq, struct loyalty_entry_key *key);
void loyalty_posting_put(const struct change *change, uint64_t seq, struct loyalty_entry_key key);

bool loyalty_head_load(const struct view *view, struct loyalty_head *head);
void loyalty_head_put(const struct change *change, const struct loyalty_head *head);

/* The newest rules as compiled, appended to `out`. */
void loyalty_rules_load(const struct view *view, const struct loyalty_head *head,
                        struct buffer *out);
/* In pieces of a state record each. At most LOYALTY_COMPILED_BYTES (asserted). */
void loyalty_rules_put(const struct change *change, uint32_t version, struct span compiled);

/* A programme's number. False: no rules ever named it. */
bool loyalty_programme_load(const struct view *view, struct span name, uint32_t *number);
/* Of a number that a key holds; there must be one. */
struct loyalty_name loyalty_programme_name_load(const struct view *view, uint32_t number);
/* Both directions. */
void loyalty_programme_put(const struct change *change, const struct loyalty_name *name,
                           uint32_t number);

#endif
