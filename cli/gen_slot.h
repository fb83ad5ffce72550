/*
 * What one subscriber does in one part of one day: the events of a visit, in their order. The
 * same visit gives the same events at any time, which is how they are counted again for the
 * truth without being kept.
 */
#ifndef KITH_CLI_GEN_SLOT_H
#define KITH_CLI_GEN_SLOT_H

#include "cli/gen_people.h"

/* Before this part of the day nobody calls. */
#define GEN_WAKE_PASS 2

enum gen_type {
    GEN_REGISTERED,
    GEN_PROFILE_CHANGED,
    GEN_USAGE,
    GEN_BILL_ISSUED,
    GEN_BILL_PAID,
    GEN_RECHARGE,
    GEN_PURCHASE,
    GEN_CONTACT,
    GEN_RATING,
    GEN_COMPLAINT,
    GEN_REFERRAL,
    GEN_CONTRACT_ENDED,
    GEN_TYPE_COUNT
};

enum gen_category {
    GEN_NO_CATEGORY,
    /* usage */
    GEN_VOICE,
    GEN_MESSAGES,
    GEN_DATA,
    GEN_ROAMING,
    /* purchase */
    GEN_DATA_PACK,
    GEN_MUSIC,
    GEN_GAMES,
    GEN_RINGTONE,
    GEN_NEWS,
    GEN_INSURANCE,
    GEN_NEW_HANDSET,
    /* service_contact */
    GEN_AT_HALL,
    GEN_BY_HOTLINE,
    GEN_ON_WEB,
    /* rating */
    GEN_RATED_LOW,
    GEN_RATED_MIDDLE,
    GEN_RATED_HIGH,
    /* complaint */
    GEN_OF_NETWORK,
    GEN_OF_BILL,
    GEN_OF_SERVICE,
    /* contract_ended */
    GEN_FOR_PRICE,
    GEN_FOR_NETWORK,
    GEN_FOR_MOVING,
    GEN_CATEGORY_COUNT
};

struct gen_event {
    enum gen_type type;
    enum gen_category category;
    uint32_t subject; /* the number of the subscriber whom it is about */
    bool has_amount;
    int64_t amount_minor;
    uint32_t seconds; /* usage; so the next two */
    uint32_t messages;
    uint32_t megabytes;
    uint32_t score;           /* rating: 1 to 5 */
    int32_t bill_month;       /* bill_issued, bill_paid: from 0 */
    enum gen_channel channel; /* recharge */
    uint32_t referred;        /* referral: the number of the one who came */
};

struct gen_slot {
    struct gen_person person; /* whole when there are events */
    size_t count;
    struct gen_event events[GEN_SLOT_EVENTS];
};

/* `visit->position` is not looked at. */
void gen_slot_fill(const struct gen_world *world, const struct gen_visit *visit,
                   struct gen_slot *slot);

/* The part of the day in which the person pays, buys, complains, joins, changes and leaves. */
int32_t gen_errand_pass(const struct gen_person *person, int32_t day);
/* Of the registration; the person is complete. */
int32_t gen_join_pass(const struct gen_person *person);

/* ---- for the files that fill slots */

void gen_slot_add(struct gen_slot *slot, const struct gen_event *event);
/* What is drawn for one day of a person. */
uint64_t gen_today(const struct gen_person *person, int32_t day);
void gen_usage_add(const struct gen_world *world, const struct gen_visit *visit,
                   struct gen_slot *slot);

#endif
