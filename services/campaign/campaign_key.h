/*
 * The tables of campaign and their keys. A name stands with its size before it, so that no
 * name is the beginning of another's keys; numbers are big-endian.
 *
 *   campaign   name                      what a campaign came to, its schedule, its queue's ends
 *   member     segment | customer 16     who is in a segment now
 *   customer   customer 16               the identifier of everybody ever seen
 *   contact    customer 16 | attribute   what messages need of the profile
 *   queue      campaign | number 8       dispatches that wait to be decided
 *   dispatch   dispatch 16               all that is known of one
 *   decision   campaign | number 8       -> dispatch, in the order of deciding
 *   channel    name                      which of its places are taken
 *   open       channel | place 1         messages without an outcome
 *   cap        campaign | customer 16    the newest intents
 *   head       1                         newest rules, totals
 */
#ifndef KITH_CAMPAIGN_KEY_H
#define KITH_CAMPAIGN_KEY_H

#include "common/base/hash.h"
#include "common/base/id.h"
#include "common/base/limits.h"

/* For ever: files hold these numbers. */
enum campaign_table {
    CAMPAIGN_TABLE_CAMPAIGN = 16,
    CAMPAIGN_TABLE_MEMBER = 17,
    CAMPAIGN_TABLE_CUSTOMER = 18,
    CAMPAIGN_TABLE_CONTACT = 19,
    CAMPAIGN_TABLE_QUEUE = 20,
    CAMPAIGN_TABLE_DISPATCH = 21,
    CAMPAIGN_TABLE_DECISION = 22,
    CAMPAIGN_TABLE_CHANNEL = 23,
    CAMPAIGN_TABLE_OPEN = 24,
    CAMPAIGN_TABLE_CAP = 25,
    CAMPAIGN_TABLE_HEAD = 26,
};

struct campaign_key {
    uint8_t size;
    uint8_t bytes[LIMIT_STATE_KEY_BYTES];
};

struct span campaign_key_span(const struct campaign_key *key);

/* Names are 1 to LIMIT_ID_BYTES bytes (asserted). */
struct campaign_key campaign_key_of_name(struct span name);
struct campaign_key campaign_key_of_number(struct span campaign, uint64_t number);
/* A member of a segment, and a cap of a campaign. */
struct campaign_key campaign_key_of_customer(struct span name, struct customer_id customer);
struct campaign_key campaign_key_of_contact(struct customer_id customer, struct span attribute);
struct campaign_key campaign_key_of_place(struct span channel, uint8_t place);

/* `name` looks into the key. STATUS_MALFORMED: not such a key. */
MUST_USE enum status campaign_key_name_decode(struct span bytes, struct span *name);
MUST_USE enum status campaign_key_customer_decode(struct span bytes, struct span *name,
                                                  struct customer_id *customer);

#endif
