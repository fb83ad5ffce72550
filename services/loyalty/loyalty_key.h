/*
 * The tables of the ledger and their keys. Numbers are big-endian, so that one customer's
 * entries lie side by side, oldest first.
 *
 *   account         programme 4 | customer 16              what a customer has
 *   own             programme 4 | own account 1            what the programme gave and got
 *   entry           programme 4 | customer 16 | number 8   a posting, in its account's order
 *   posting         seq 8                                  -> key of its entry
 *   rules           version 4 | chunk 2                    rules as compiled, in pieces
 *   head            1                                      newest version, programmes known
 *   programme       name 1..64                             -> number
 *   programme_name  number 4                               -> name
 *   customer        customer 16                            who is known at all
 *   reversal        seq 8                                  -> seq of what took it back
 *
 * Entries, postings, customers and reversals are permanent: put once and never changed.
 * A programme's number is given at its first appearance in the rules and never again: names
 * are the outside's, and may be long.
 */
#ifndef KITH_LOYALTY_KEY_H
#define KITH_LOYALTY_KEY_H

#include "common/base/id.h"
#include "common/base/limits.h"

/* For ever: files hold these numbers. */
enum loyalty_table {
    LOYALTY_TABLE_ACCOUNT = 16,
    LOYALTY_TABLE_OWN = 17,
    LOYALTY_TABLE_ENTRY = 18,
    LOYALTY_TABLE_POSTING = 19,
    LOYALTY_TABLE_RULES = 20,
    LOYALTY_TABLE_HEAD = 21,
    LOYALTY_TABLE_PROGRAMME = 22,
    LOYALTY_TABLE_PROGRAMME_NAME = 23,
    LOYALTY_TABLE_CUSTOMER = 24,
    LOYALTY_TABLE_REVERSAL = 25,
};

/* The programme's own accounts; the numbers are those of LedgerAccount in loyalty.proto. */
enum loyalty_own_kind {
    LOYALTY_OWN_ISSUED = 0, /* balance is zero or less: what was given out */
    LOYALTY_OWN_SPENT = 1,  /* balance is zero or more: what came back */
};

struct loyalty_account_key {
    uint32_t programme;
    struct customer_id customer;
};
struct loyalty_own_key {
    uint32_t programme;
    enum loyalty_own_kind kind;
};
struct loyalty_entry_key {
    struct loyalty_account_key account;
    uint64_t number; /* from 1 */
};

#define LOYALTY_ACCOUNT_KEY_BYTES 20
#define LOYALTY_OWN_KEY_BYTES 5
#define LOYALTY_ENTRY_KEY_BYTES 28
#define LOYALTY_POSTING_KEY_BYTES 8
#define LOYALTY_RULES_KEY_BYTES 6
#define LOYALTY_PROGRAMME_NAME_KEY_BYTES 4

struct loyalty_account_key_bytes {
    uint8_t bytes[LOYALTY_ACCOUNT_KEY_BYTES];
};
struct loyalty_own_key_bytes {
    uint8_t bytes[LOYALTY_OWN_KEY_BYTES];
};
struct loyalty_entry_key_bytes {
    uint8_t bytes[LOYALTY_ENTRY_KEY_BYTES];
};
struct loyalty_posting_key_bytes {
    uint8_t bytes[LOYALTY_POSTING_KEY_BYTES];
};
struct loyalty_rules_key_bytes {
    uint8_t bytes[LOYALTY_RULES_KEY_BYTES];
};
struct loyalty_programme_name_key_bytes {
    uint8_t bytes[LOYALTY_PROGRAMME_NAME_KEY_BYTES];
};

struct loyalty_account_key_bytes loyalty_account_key_encode(struct loyalty_account_key key);
struct loyalty_own_key_bytes loyalty_own_key_encode(struct loyalty_own_key key);
struct loyalty_entry_key_bytes loyalty_entry_key_encode(struct loyalty_entry_key key);
struct loyalty_posting_key_bytes loyalty_posting_key_encode(uint64_t seq);
struct loyalty_rules_key_bytes loyalty_rules_key_encode(uint32_t version, uint16_t chunk);
struct loyalty_programme_name_key_bytes loyalty_programme_name_key_encode(uint32_t number);

/* STATUS_MALFORMED: not such a key. */
MUST_USE enum status loyalty_account_key_decode(struct span bytes, struct loyalty_account_key *key);
MUST_USE enum status loyalty_own_key_decode(struct span bytes, struct loyalty_own_key *key);
MUST_USE enum status loyalty_entry_key_decode(struct span bytes, struct loyalty_entry_key *key);

#endif
