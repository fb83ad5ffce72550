/*
 * Who a subscriber is: all of it follows from the world and the subscriber's number, so nobody
 * is kept. People come in kinds whose habits differ; the events tell them apart, and nothing
 * else does.
 *
 * Four numbers in a row are a block and fall into households; businesses of 64 numbers in a
 * row are one company.
 */
#ifndef KITH_CLI_GEN_PEOPLE_H
#define KITH_CLI_GEN_PEOPLE_H

#include "cli/gen_world.h"

#include <stddef.h>

#define GEN_BLOCK 4
#define GEN_COMPANY_BLOCK 64
/* The day of a thing that never comes to pass. */
#define GEN_NEVER INT32_MAX

enum gen_kind { GEN_STUDENT, GEN_WORKER, GEN_PARENT, GEN_MANAGER, GEN_SENIOR, GEN_KIND_COUNT };
enum gen_plan { GEN_PREPAID, GEN_BASIC, GEN_UNLIMITED, GEN_FAMILY, GEN_BUSINESS, GEN_PLAN_COUNT };
enum gen_region { GEN_NORTH, GEN_EAST, GEN_SOUTH, GEN_WEST, GEN_CENTRE, GEN_REGION_COUNT };
enum gen_handset { GEN_HANDSET_BASIC, GEN_HANDSET_SMART, GEN_HANDSET_TOP, GEN_HANDSET_COUNT };
enum gen_age { GEN_AGE_18, GEN_AGE_25, GEN_AGE_35, GEN_AGE_50, GEN_AGE_65, GEN_AGE_COUNT };
enum gen_channel { GEN_SMS, GEN_EMAIL, GEN_APP, GEN_SHOP, GEN_WEB, GEN_VOUCHER, GEN_CHANNEL_COUNT };

/* What a kind of people does. Chances are out of 10,000, a day unless said otherwise. */
struct gen_habit {
    uint16_t data;
    uint16_t voice;
    uint16_t messages;
    uint16_t weekend_percent; /* of the three on a Saturday or Sunday */
    uint16_t sessions_most;   /* of data, on a day that has any */
    uint16_t session_megabytes;
    uint16_t calls_most;
    uint16_t call_seconds;
    uint16_t messages_most;
    uint16_t purchase;
    uint16_t recharge; /* while prepaid */
    uint16_t recharge_minor;
    uint16_t contact;
    uint16_t complaint;
    uint16_t trip; /* an epoch */
    uint16_t summer_trip;
    uint16_t sleep; /* an epoch */
    uint16_t late;  /* a bill */
    uint16_t unpaid;
    uint16_t half_life_days; /* half of them leave within */
    uint8_t busy_pass;
    uint8_t plans[8]; /* an eighth each; enum gen_plan, and below the other enums */
    uint8_t handsets[8];
    uint8_t ages[8];
    uint8_t channels[8];
    uint8_t contacts[8]; /* enum gen_contact */
};

enum gen_contact { GEN_HALL, GEN_HOTLINE, GEN_ONLINE };

struct gen_person {
    uint32_t number;
    uint64_t key;
    enum gen_kind kind;
    const struct gen_habit *habit;
    uint32_t household; /* the number of its first member */
    uint32_t household_size;
    int32_t bill_day; /* of the month, 1 to 28 */
    int32_t busy_pass;
    bool joins_later; /* not a subscriber on day 0 */

    /* set by gen_person_complete */
    enum gen_region region;
    enum gen_plan plans[2]; /* until the change, and from it on */
    enum gen_handset handsets[2];
    enum gen_age age;
    enum gen_channel channel; /* that the person prefers */
    bool consents;            /* to be written to */
    bool has_company;
    uint32_t company;
    int32_t since_year;
    uint32_t appetite; /* 1 to 8: how much of a thing, in quarters of the usual */
    int32_t join_day;
    int32_t active_day; /* the first day with events besides the registration */
    int32_t change_day;
    int32_t leave_day;
    int32_t quiet_day; /* from here on nothing is used any more */
};

/* What is cheap to know and tells whether a visit has anything to do. */
void gen_person_sketch(const struct gen_world *world, uint32_t number, struct gen_person *person);
void gen_person_complete(const struct gen_world *world, struct gen_person *person);

enum gen_plan gen_person_plan(const struct gen_person *person, int32_t day);
enum gen_handset gen_person_handset(const struct gen_person *person, int32_t day);
/* Uses nothing and buys nothing for some weeks, and then comes back. */
bool gen_person_sleeps(const struct gen_person *person, int32_t day);
bool gen_person_travels(const struct gen_person *person, const struct gen_date *date);

#endif
