#include "cli/gen_people.h"

#include "cli/gen_draw.h"

#include <assert.h>

/* Sleeping and travelling are drawn once for each of these stretches of days. */
#define SLEEP_EPOCH_DAYS 128
#define TRIP_EPOCH_DAYS 32
/* Out of 10,000 subscribers, those that join in each month that is written. */
#define JOIN_PER_MONTH 120
#define JOIN_MOST 3000

static const struct gen_habit habits[GEN_KIND_COUNT] = {
    [GEN_STUDENT] = { .data = 9200,
                      .voice = 2500,
                      .messages = 2600,
                      .weekend_percent = 100,
                      .sessions_most = 5,
                      .session_megabytes = 260,
                      .calls_most = 3,
                      .call_seconds = 140,
                      .messages_most = 9,
                      .purchase = 330,
                      .recharge = 900,
                      .recharge_minor = 700,
                      .contact = 70,
                      .complaint = 8,
                      .trip = 300,
                      .summer_trip = 2200,
                      .sleep = 600,
                      .late = 2600,
                      .unpaid = 300,
                      .half_life_days = 500,
                      .busy_pass = 7,
                      .plans = { GEN_PREPAID, GEN_PREPAID, GEN_PREPAID, GEN_PREPAID, GEN_BASIC,
                                 GEN_BASIC, GEN_UNLIMITED, GEN_UNLIMITED },
                      .handsets = { 1, 1, 1, 1, 1, 2, 2, 2 },
                      .ages = { 0, 0, 0, 0, 0, 0, 1, 1 },
                      .channels = { 2, 2, 2, 2, 2, 0, 0, 1 },
                      .contacts = { 2, 2, 2, 2, 2, 1, 1, 0 } },
    [GEN_WORKER] = { .data = 7800,
                     .voice = 4000,
                     .messages = 1400,
                     .weekend_percent = 90,
                     .sessions_most = 4,
                     .session_megabytes = 130,
                     .calls_most = 4,
                     .call_seconds = 170,
                     .messages_most = 4,
                     .purchase = 170,
                     .recharge = 800,
                     .recharge_minor = 1200,
                     .contact = 90,
                     .complaint = 9,
                     .trip = 500,
                     .summer_trip = 1500,
                     .sleep = 400,
                     .late = 1500,
                     .unpaid = 150,
                     .half_life_days = 700,
                     .busy_pass = 6,
                     .plans = { GEN_PREPAID, GEN_PREPAID, GEN_PREPAID, GEN_BASIC, GEN_BASIC,
                                GEN_BASIC, GEN_UNLIMITED, GEN_UNLIMITED },
                     .handsets = { 0, 1, 1, 1, 1, 1, 2, 2 },
                     .ages = { 1, 1, 1, 2, 2, 2, 3, 3 },
                     .channels = { 0, 0, 0, 2, 2, 2, 1, 1 },
                     .contacts = { 1, 1, 1, 1, 2, 2, 0, 0 } },
    [GEN_PARENT] = { .data = 7600,
                     .voice = 5200,
                     .messages = 1200,
                     .weekend_percent = 115,
                     .sessions_most = 4,
                     .session_megabytes = 110,
                     .calls_most = 5,
                     .call_seconds = 150,
                     .messages_most = 4,
                     .purchase = 220,
                     .recharge = 700,
                     .recharge_minor = 1500,
                     .contact = 110,
                     .complaint = 10,
                     .trip = 200,
                     .summer_trip = 3200,
                     .sleep = 150,
                     .late = 1200,
                     .unpaid = 80,
                     .half_life_days = 1400,
                     .busy_pass = 6,
                     .plans = { GEN_FAMILY, GEN_FAMILY, GEN_FAMILY, GEN_FAMILY, GEN_FAMILY,
                                GEN_FAMILY, GEN_UNLIMITED, GEN_PREPAID },
                     .handsets = { 0, 1, 1, 1, 1, 1, 1, 2 },
                     .ages = { 1, 2, 2, 2, 2, 2, 3, 3 },
                     .channels = { 0, 0, 1, 1, 1, 2, 2, 2 },
                     .contacts = { 1, 1, 1, 2, 2, 2, 0, 0 } },
    [GEN_MANAGER] = { .data = 8800,
                      .voice = 8600,
                      .messages = 1500,
                      .weekend_percent = 35,
                      .sessions_most = 5,
                      .session_megabytes = 90,
                      .calls_most = 9,
                      .call_seconds = 210,
                      .messages_most = 5,
                      .purchase = 120,
                      .recharge = 900,
                      .recharge_minor = 3000,
                      .contact = 150,
                      .complaint = 14,
                      .trip = 3600,
                      .summer_trip = 2400,
                      .sleep = 50,
                      .late = 500,
                      .unpaid = 20,
                      .half_life_days = 1000,
                      .busy_pass = 4,
                      .plans = { GEN_BUSINESS, GEN_BUSINESS, GEN_BUSINESS, GEN_BUSINESS,
                                 GEN_BUSINESS, GEN_BUSINESS, GEN_BUSINESS, GEN_UNLIMITED },
                      .handsets = { 1, 1, 2, 2, 2, 2, 2, 2 },
                      .ages = { 1, 2, 2, 2, 3, 3, 3, 3 },
                      .channels = { 1, 1, 1, 1, 1, 0, 0, 2 },
                      .contacts = { 1, 1, 1, 1, 1, 2, 2, 2 } },
    [GEN_SENIOR] = { .data = 2200,
                     .voice = 6000,
                     .messages = 900,
                     .weekend_percent = 105,
                     .sessions_most = 2,
                     .session_megabytes = 40,
                     .calls_most = 3,
                     .call_seconds = 320,
                     .messages_most = 2,
                     .purchase = 40,
                     .recharge = 380,
                     .recharge_minor = 1000,
                     .contact = 120,
                     .complaint = 7,
                     .trip = 150,
                     .summer_trip = 400,
                     .sleep = 900,
                     .late = 400,
                     .unpaid = 40,
                     .half_life_days = 2000,
                     .busy_pass = 3,
                     .plans = { GEN_PREPAID, GEN_PREPAID, GEN_PREPAID, GEN_PREPAID, GEN_BASIC,
                                GEN_BASIC, GEN_BASIC, GEN_BASIC },
                     .handsets = { 0, 0, 0, 0, 0, 1, 1, 1 },
                     .ages = { 3, 4, 4, 4, 4, 4, 4, 4 },
                     .channels = { 0, 0, 0, 0, 0, 0, 1, 1 },
                     .contacts = { 0, 0, 0, 0, 1, 1, 1, 2 } },
};

/* ---- blocks, households, kinds */

struct household {
    uint8_t first; /* place in the block */
    uint8_t size;
};
/* How a block of four falls into households. */
static const struct household patterns[8][GEN_BLOCK] = {
    { { 0, 4 }, { 0, 4 }, { 0, 4 }, { 0, 4 } }, { { 0, 4 }, { 0, 4 }, { 0, 4 }, { 0, 4 } },
    { { 0, 3 }, { 0, 3 }, { 0, 3 }, { 3, 1 } }, { { 0, 2 }, { 0, 2 }, { 2, 2 }, { 2, 2 } },
    { { 0, 2 }, { 0, 2 }, { 2, 1 }, { 3, 1 } }, { { 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 1 } },
    { { 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 1 } }, { { 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 1 } },
};

/* In a family of four the last one studies. */
static enum gen_kind kind_choose(const struct gen_person *person, uint64_t drawn)
{
    static const uint8_t small[8] = { GEN_STUDENT, GEN_STUDENT, GEN_WORKER, GEN_WORKER,
                                      GEN_WORKER,  GEN_MANAGER, GEN_SENIOR, GEN_SENIOR };
    if (person->household_size == 4 && person->number % GEN_BLOCK == 3) {
        return GEN_STUDENT;
    }
    return person->household_size >= 3 ? GEN_PARENT : (enum gen_kind)small[drawn >> 61];
}

void gen_person_sketch(const struct gen_world *world, uint32_t number, struct gen_person *person)
{
    uint64_t block = gen_draw(world->key + number / GEN_BLOCK, GEN_DRAW_BLOCK);
    const struct household *home = &patterns[block >> 61][number % GEN_BLOCK];
    uint64_t key = gen_mix(world->key ^ gen_mix(number));
    person->number = number;
    person->key = key;
    person->household = number - number % GEN_BLOCK + home->first;
    person->household_size = home->size;
    person->kind = kind_choose(person, key);
    person->habit = &habits[person->kind];
    person->bill_day = 1 + (int32_t)gen_slice(key, 0, 28);
    person->busy_pass = person->habit->busy_pass;
    uint32_t joins = world->months * JOIN_PER_MONTH;
    /* The first subscriber is always there, so that no world is empty. */
    person->joins_later = number > 0 && gen_chance(key, 1, joins < JOIN_MOST ? joins : JOIN_MOST);
}

/* ---- a life */

/* Days until something that half of all meet within `half_life` days: the zeros before the
 * first one of a drawn number are distributed so, and its next bits lie between them. */
static int32_t days_until(uint64_t drawn, uint32_t half_life)
{
    uint32_t zeros = drawn == 0 ? 64 : (uint32_t)__builtin_clzll(drawn);
    uint64_t rest = zeros >= 63 ? 0 : drawn << (zeros + 1);
    uint64_t halves = ((uint64_t)zeros << 16) + 65536 - (rest >> 48);
    return (int32_t)(halves * half_life >> 16);
}

static void life_draw(const struct gen_world *world, struct gen_person *person)
{
    uint64_t drawn = gen_draw(person->key, GEN_DRAW_LIFE);
    uint64_t leaving = gen_mix(drawn);
    uint64_t changing = gen_draw(person->key, GEN_DRAW_CHANGE);
    person->join_day = 0;
    person->active_day = 0;
    if (person->joins_later) {
        person->join_day = 1 + (int32_t)(drawn % (uint32_t)(world->days - 1));
        person->active_day = person->join_day + 1;
    }
    int32_t stays = 20 + days_until(leaving, person->habit->half_life_days);
    person->leave_day = person->active_day + stays;
    person->quiet_day = person->leave_day - 10 - (int32_t)gen_slice(drawn, 3, 35);
    person->change_day = person->active_day + 5 + days_until(changing, 1500);
    if (person->change_day >= person->leave_day - 60) {
        person->change_day = GEN_NEVER;
    }
}

/* From prepaid to a bill, from a small bill to a larger one; with a new handset. */
static enum gen_plan plan_after(enum gen_plan plan)
{
    return plan == GEN_PREPAID ? GEN_BASIC : (plan == GEN_BASIC ? GEN_UNLIMITED : plan);
}

static void looks_draw(struct gen_person *person)
{
    const struct gen_habit *habit = person->habit;
    uint64_t drawn = gen_draw(person->key, GEN_DRAW_LOOKS);
    uint64_t more = gen_mix(drawn);
    person->plans[0] = (enum gen_plan)habit->plans[drawn & 7];
    person->plans[1] = plan_after(person->plans[0]);
    person->handsets[0] = (enum gen_handset)habit->handsets[drawn >> 3 & 7];
    person->handsets[1] =
        person->handsets[0] == GEN_HANDSET_BASIC ? GEN_HANDSET_SMART : GEN_HANDSET_TOP;
    person->age = (enum gen_age)habit->ages[drawn >> 6 & 7];
    person->channel = (enum gen_channel)habit->channels[drawn >> 9 & 7];
    person->consents = (drawn >> 12 & 15) < 11;
    person->appetite =
        1 + (uint32_t)(drawn >> 16 & 3) + (uint32_t)(drawn >> 18 & 3) + (uint32_t)(drawn >> 20 & 1);
    person->has_company = person->kind == GEN_MANAGER;
    person->company = person->number / GEN_COMPANY_BLOCK;
    /* More have come lately than long ago. */
    uint32_t years = gen_slice(more, 0, 16) * gen_slice(more, 1, 16) / 15;
    person->since_year = GEN_YEAR_FIRST - 1 - (int32_t)years;
}

void gen_person_complete(const struct gen_world *world, struct gen_person *person)
{
    /* A household lives together. */
    uint64_t home = gen_draw(world->key + person->household, GEN_DRAW_BLOCK);
    person->region = (enum gen_region)gen_slice(home, 0, GEN_REGION_COUNT);
    life_draw(world, person);
    looks_draw(person);
    if (person->joins_later) {
        person->since_year = GEN_YEAR_FIRST + gen_month_of(world, person->join_day) / 12;
    }
}

enum gen_plan gen_person_plan(const struct gen_person *person, int32_t day)
{
    return person->plans[day >= person->change_day ? 1 : 0];
}

enum gen_handset gen_person_handset(const struct gen_person *person, int32_t day)
{
    return person->handsets[day >= person->change_day ? 1 : 0];
}

bool gen_person_sleeps(const struct gen_person *person, int32_t day)
{
    /* Each person's epochs begin on a day of its own. */
    int32_t shifted = day + (int32_t)gen_slice(person->key, 2, SLEEP_EPOCH_DAYS);
    uint64_t drawn = gen_draw(person->key, GEN_DRAW_SLEEP + (uint64_t)(shifted / SLEEP_EPOCH_DAYS));
    if (!gen_chance(drawn, 0, person->habit->sleep)) {
        return false;
    }
    int32_t begin = (int32_t)gen_slice(drawn, 1, 48);
    int32_t length = 20 + (int32_t)gen_slice(drawn, 2, 60);
    int32_t place = shifted % SLEEP_EPOCH_DAYS;
    return place >= begin && place < begin + length;
}

bool gen_person_travels(const struct gen_person *person, const struct gen_date *date)
{
    const struct gen_habit *habit = person->habit;
    uint64_t drawn =
        gen_draw(person->key, GEN_DRAW_TRIPS + (uint64_t)(date->day / TRIP_EPOCH_DAYS));
    if (!gen_chance(drawn, 0, date->is_summer ? habit->summer_trip : habit->trip)) {
        return false;
    }
    int32_t begin = (int32_t)gen_slice(drawn, 1, 22);
    int32_t length = 3 + (int32_t)gen_slice(drawn, 2, 7);
    int32_t place = date->day % TRIP_EPOCH_DAYS;
    return place >= begin && place < begin + length;
}
