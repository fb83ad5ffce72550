/*
 * The tables of segmentation and their keys. Numbers and times are big-endian, so that one
 * customer's records are in order, oldest first.
 *
 *   customer        customer 16                        who is known, what is due next, what is held
 *   profile         customer 16 | name 1..64           an attribute
 *   event           customer 16 | at 8 | number 8      what happened, for as long as rules may ask
 *   feature         customer 16 | feature 2            a windowed figure that is not zero,
 *                                                    where it is not held with the customer
 *   latest          customer 16 | hash 16              the newest event of a (type, category);
 *                                                    where it is not held with the customer
 *   membership      customer 16 | segment 4            since when
 *   due             at 8 | customer 16                 when time alone changes a figure
 *   member          segment 4 | text 1..64             -> customer, for lists
 *   segment         number 4                           name, and how many members
 *   segment_number  name 1..64                         -> number
 *   rules           version 4 | chunk 2                rules as compiled, in pieces; all versions
 *   head            1                                  newest version, visits that are left
 *
 * A segment's number is given at its first appearance in the rules and never again. A
 * feature's is its place in the rules of the customer's version.
 */
#ifndef KITH_SEGMENTATION_KEY_H
#define KITH_SEGMENTATION_KEY_H

#include "common/base/hash.h"
#include "common/base/id.h"
#include "common/base/limits.h"

/* For ever: files hold these numbers. */
enum segmentation_table {
    SEGMENTATION_TABLE_CUSTOMER = 16,
    SEGMENTATION_TABLE_PROFILE = 17,
    SEGMENTATION_TABLE_EVENT = 18,
    SEGMENTATION_TABLE_FEATURE = 19,
    SEGMENTATION_TABLE_LATEST = 20,
    SEGMENTATION_TABLE_MEMBERSHIP = 21,
    SEGMENTATION_TABLE_DUE = 22,
    SEGMENTATION_TABLE_MEMBER = 23,
    SEGMENTATION_TABLE_SEGMENT = 24,
    SEGMENTATION_TABLE_SEGMENT_NUMBER = 25,
    SEGMENTATION_TABLE_RULES = 26,
    SEGMENTATION_TABLE_HEAD = 27,
};

#define SEGMENTATION_CUSTOMER_BYTES 16
/* The longest key of all: a customer and a name. */
#define SEGMENTATION_KEY_BYTES_MAX (SEGMENTATION_CUSTOMER_BYTES + LIMIT_ID_BYTES)

/* Any key of ours, ready for a view. */
struct segmentation_key {
    size_t size;
    uint8_t bytes[SEGMENTATION_KEY_BYTES_MAX];
};
struct span segmentation_key_span(const struct segmentation_key *key);

/* `number` is the customer's own count of events, so that no two are ever one. */
struct segmentation_event_key {
    struct customer_id customer;
    int64_t at_ms;
    uint64_t number; /* from 1 */
};
struct segmentation_due_key {
    int64_t at_ms;
    struct customer_id customer;
};

struct segmentation_key segmentation_customer_key(struct customer_id customer);
/* `name` is at most LIMIT_ID_BYTES (asserted). */
struct segmentation_key segmentation_profile_key(struct customer_id customer, struct span name);
struct segmentation_key segmentation_event_key_encode(struct segmentation_event_key key);
struct segmentation_key segmentation_feature_key(struct customer_id customer, uint16_t feature);
struct segmentation_key segmentation_latest_key(struct customer_id customer, struct hash128 what);
struct segmentation_key segmentation_membership_key(struct customer_id customer, uint32_t segment);
struct segmentation_key segmentation_due_key_encode(struct segmentation_due_key key);
/* `text` is at most LIMIT_ID_BYTES (asserted). */
struct segmentation_key segmentation_member_key(uint32_t segment, struct span text);
struct segmentation_key segmentation_segment_key(uint32_t number);
struct segmentation_key segmentation_rules_key(uint32_t version, uint16_t chunk);
/* All chunks of a version. */
struct segmentation_key segmentation_rules_prefix(uint32_t version);
struct segmentation_key segmentation_head_key(void);

/* STATUS_MALFORMED: not such a key. */
MUST_USE enum status segmentation_customer_key_decode(struct span bytes,
                                                      struct customer_id *customer);
MUST_USE enum status segmentation_event_key_decode(struct span bytes,
                                                   struct segmentation_event_key *key);
MUST_USE enum status segmentation_feature_key_decode(struct span bytes, uint16_t *feature);
MUST_USE enum status segmentation_membership_key_decode(struct span bytes, uint32_t *segment);
MUST_USE enum status segmentation_due_key_decode(struct span bytes,
                                                 struct segmentation_due_key *key);
/* `text` looks into `bytes`. */
MUST_USE enum status segmentation_member_key_decode(struct span bytes, uint32_t *segment,
                                                    struct span *text);

#endif
