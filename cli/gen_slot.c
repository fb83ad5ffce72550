#include "cli/gen_slot.h"

#include "cli/gen_draw.h"

#include <assert.h>

/* Out of 10,000. */
#define RATES_A_CONTACT 4500
#define BROUGHT_BY_A_FRIEND 4000
#define FAULTY_MONTHS 1500
/* How often people complain before they leave, and while their region's network is down. */
#define COMPLAINTS_BEFORE_LEAVING 6
#define COMPLAINTS_IN_A_FAULT 14
#define UNHAPPY_DAYS 60
#define FAULT_DAYS 4
/* No bill is paid later. */
#define PAY_DAYS_MOST 45
#define NOT_PAID (-1)

/* Minor units a month; nothing while prepaid. */
static const int64_t fees[GEN_PLAN_COUNT] = {
    [GEN_BASIC] = 1499, [GEN_UNLIMITED] = 2999, [GEN_FAMILY] = 4499, [GEN_BUSINESS] = 5999
};
static const int64_t prices[GEN_CATEGORY_COUNT] = {
    [GEN_DATA_PACK] = 999, [GEN_MUSIC] = 499, [GEN_GAMES] = 299,
    [GEN_RINGTONE] = 99,   [GEN_NEWS] = 199,  [GEN_INSURANCE] = 599,
};
static const int64_t handset_prices[GEN_HANDSET_COUNT] = {
    [GEN_HANDSET_SMART] = 24900, [GEN_HANDSET_TOP] = 69950
};
/* What each kind of people buys, an eighth each. */
static const uint8_t baskets[GEN_KIND_COUNT][8] = {
    [GEN_STUDENT] = { GEN_GAMES, GEN_GAMES, GEN_GAMES, GEN_MUSIC, GEN_MUSIC, GEN_DATA_PACK,
                      GEN_DATA_PACK, GEN_RINGTONE },
    [GEN_WORKER] = { GEN_MUSIC, GEN_MUSIC, GEN_GAMES, GEN_NEWS, GEN_NEWS, GEN_DATA_PACK,
                     GEN_DATA_PACK, GEN_INSURANCE },
    [GEN_PARENT] = { GEN_INSURANCE, GEN_INSURANCE, GEN_GAMES, GEN_GAMES, GEN_MUSIC, GEN_MUSIC,
                     GEN_DATA_PACK, GEN_NEWS },
    [GEN_MANAGER] = { GEN_NEWS, GEN_NEWS, GEN_NEWS, GEN_DATA_PACK, GEN_DATA_PACK, GEN_DATA_PACK,
                      GEN_INSURANCE, GEN_INSURANCE },
    [GEN_SENIOR] = { GEN_INSURANCE, GEN_INSURANCE, GEN_INSURANCE, GEN_RINGTONE, GEN_RINGTONE,
                     GEN_NEWS, GEN_NEWS, GEN_NEWS },
};

/* ---- what everybody uses */

void gen_slot_add(struct gen_slot *slot, const struct gen_event *event)
{
    assert(slot->count < GEN_SLOT_EVENTS);
    slot->events[slot->count++] = *event;
}

uint64_t gen_today(const struct gen_person *person, int32_t day)
{
    return gen_draw(person->key, GEN_DRAW_DAYS + (uint64_t)day);
}

/* 9 to 21 o'clock; of the top bits of the day, which nothing else uses. */
static int32_t errand_pass(uint64_t today)
{
    return 3 + (int32_t)(today >> 62);
}

/* A day's use is summed in the person's busy part of the day, at times in the one before. */
static int32_t sum_pass(const struct gen_person *person, uint64_t today)
{
    return person->busy_pass - ((today >> 60 & 3) == 0 ? 1 : 0);
}

int32_t gen_errand_pass(const struct gen_person *person, int32_t day)
{
    return errand_pass(gen_today(person, day));
}

int32_t gen_join_pass(const struct gen_person *person)
{
    return person->joins_later ? gen_errand_pass(person, person->join_day) : 0;
}

static struct gen_event event_of(const struct gen_slot *slot, enum gen_type type)
{
    return (struct gen_event){ .type = type, .subject = slot->person.number };
}

static struct gen_event event_of_money(const struct gen_slot *slot, enum gen_type type,
                                       int64_t minor)
{
    struct gen_event event = event_of(slot, type);
    event.has_amount = true;
    event.amount_minor = minor;
    return event;
}

/* ---- coming, changing, leaving */

/* Numbers go by pairs: who comes later may have been brought by the other one. */
static void referral_add(const struct gen_world *world, struct gen_slot *slot)
{
    uint32_t friend_number = slot->person.number ^ 1U;
    uint64_t drawn = gen_draw(slot->person.key, GEN_DRAW_MONEY);
    if (friend_number >= world->subscribers || !gen_chance(drawn, 0, BROUGHT_BY_A_FRIEND)) {
        return;
    }
    struct gen_person other;
    int32_t day = slot->person.join_day;
    gen_person_sketch(world, friend_number, &other);
    gen_person_complete(world, &other);
    if (day >= other.active_day && day < other.leave_day) {
        struct gen_event event = event_of(slot, GEN_REFERRAL);
        event.subject = friend_number;
        event.referred = slot->person.number;
        gen_slot_add(slot, &event);
    }
}

static void join_add(const struct gen_world *world, struct gen_slot *slot)
{
    struct gen_event event = event_of(slot, GEN_REGISTERED);
    gen_slot_add(slot, &event);
    if (slot->person.joins_later) {
        referral_add(world, slot);
    }
}

static void change_add(struct gen_slot *slot)
{
    enum gen_handset handset = slot->person.handsets[1];
    struct gen_event event = event_of_money(slot, GEN_PURCHASE, handset_prices[handset]);
    event.category = GEN_NEW_HANDSET;
    gen_slot_add(slot, &event);
    event = event_of(slot, GEN_PROFILE_CHANGED);
    gen_slot_add(slot, &event);
}

static void leave_add(struct gen_slot *slot)
{
    static const enum gen_category reasons[4] = { GEN_FOR_PRICE, GEN_FOR_PRICE, GEN_FOR_NETWORK,
                                                  GEN_FOR_MOVING };
    struct gen_event event = event_of(slot, GEN_CONTRACT_ENDED);
    event.category = reasons[slot->person.key >> 20 & 3];
    gen_slot_add(slot, &event);
    event = event_of(slot, GEN_PROFILE_CHANGED);
    gen_slot_add(slot, &event);
}

/* ---- bills */

static int32_t bill_issue_day(const struct gen_world *world, const struct gen_person *person,
                              int32_t month)
{
    return world->month_starts[month] + person->bill_day - 1;
}

/* 0: there is none. */
static int64_t bill_minor(const struct gen_world *world, const struct gen_person *person,
                          int32_t month)
{
    int32_t day = bill_issue_day(world, person, month);
    int64_t fee = fees[gen_person_plan(person, day)];
    if (fee == 0 || day < person->active_day || day >= person->leave_day) {
        return 0;
    }
    uint64_t drawn = gen_draw(person->key, GEN_DRAW_BILLS + (uint64_t)month);
    int64_t extras = fee * (int64_t)gen_slice(drawn, 0, 10 * person->appetite) / 100;
    struct gen_date before = gen_date_of(world, day < 10 ? 0 : day - 10);
    int64_t roaming = gen_person_travels(person, &before) ? 800 + gen_slice(drawn, 1, 4000) : 0;
    return fee + extras + roaming + gen_slice(drawn, 2, 100);
}

/* Days from the bill until it is paid. */
static int32_t pay_days(const struct gen_person *person, int32_t month)
{
    uint64_t drawn = gen_mix(gen_draw(person->key, GEN_DRAW_BILLS + (uint64_t)month));
    if (gen_chance(drawn, 0, person->habit->unpaid)) {
        return NOT_PAID;
    }
    bool is_late = gen_chance(drawn, 1, person->habit->late);
    return is_late ? PAY_DAYS_MOST - (int32_t)gen_slice(drawn, 2, 25)
                   : 2 + (int32_t)gen_slice(drawn, 2, 13);
}

static void bill_issue_add(const struct gen_world *world, int32_t month, struct gen_slot *slot)
{
    struct gen_event event =
        event_of_money(slot, GEN_BILL_ISSUED, bill_minor(world, &slot->person, month));
    event.bill_month = month;
    if (event.amount_minor > 0) {
        gen_slot_add(slot, &event);
    }
}

/* A bill that is paid today is of this month or of one of the two before. */
static void bills_pay_add(const struct gen_world *world, const struct gen_date *date,
                          struct gen_slot *slot)
{
    const struct gen_person *person = &slot->person;
    for (int32_t month = date->month < 2 ? 0 : date->month - 2; month <= date->month; month++) {
        int32_t days = date->day - bill_issue_day(world, person, month);
        bool is_due = days >= 0 && days <= PAY_DAYS_MOST && days == pay_days(person, month);
        int64_t minor = is_due ? bill_minor(world, person, month) : 0;
        if (minor > 0) {
            struct gen_event event = event_of_money(slot, GEN_BILL_PAID, minor);
            event.bill_month = month;
            gen_slot_add(slot, &event);
        }
    }
}

/* ---- money by hand */

static void recharge_add(uint64_t more, const struct gen_date *date, struct gen_slot *slot)
{
    static const uint8_t channels[8] = { GEN_SHOP, GEN_SHOP, GEN_APP,     GEN_APP,
                                         GEN_APP,  GEN_WEB,  GEN_VOUCHER, GEN_VOUCHER };
    const struct gen_person *person = &slot->person;
    if (gen_person_plan(person, date->day) != GEN_PREPAID ||
        !gen_chance(more, 1, person->habit->recharge)) {
        return;
    }
    uint64_t drawn = gen_draw(more, GEN_DRAW_MONEY);
    int64_t half = person->habit->recharge_minor / 2;
    struct gen_event event =
        event_of_money(slot, GEN_RECHARGE, half * (1 + (int64_t)(drawn >> 20 & 3)));
    event.channel = (enum gen_channel)channels[drawn & 7];
    gen_slot_add(slot, &event);
}

static void purchase_add(uint64_t more, struct gen_slot *slot)
{
    const struct gen_person *person = &slot->person;
    uint32_t chance = person->habit->purchase * person->appetite / 4;
    if (!gen_chance(more, 0, chance)) {
        return;
    }
    uint64_t drawn = gen_draw(more, GEN_DRAW_SHIFT);
    enum gen_category category = (enum gen_category)baskets[person->kind][drawn & 7];
    struct gen_event event = event_of_money(slot, GEN_PURCHASE, prices[category]);
    event.category = category;
    gen_slot_add(slot, &event);
}

/* ---- talk */

static bool is_before_leaving(const struct gen_person *person, int32_t day)
{
    return day >= person->leave_day - UNHAPPY_DAYS;
}

/* Each region's network fails for some days of some months. */
static bool network_fails(const struct gen_world *world, enum gen_region region,
                          const struct gen_date *date)
{
    uint64_t which = (uint64_t)region * GEN_MONTHS_MAX + (uint64_t)date->month;
    uint64_t drawn = gen_draw(world->key, GEN_DRAW_FAULTS + which);
    int32_t begin = 1 + (int32_t)gen_slice(drawn, 1, 24);
    return gen_chance(drawn, 0, FAULTY_MONTHS) && date->month_day >= begin &&
           date->month_day < begin + FAULT_DAYS;
}

static void rating_add(uint64_t drawn, bool is_unhappy, struct gen_slot *slot)
{
    static const uint8_t usual[16] = { 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 3, 3, 3, 2, 1 };
    static const uint8_t unhappy[16] = { 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1 };
    struct gen_event event = event_of(slot, GEN_RATING);
    event.score = is_unhappy ? unhappy[drawn & 15] : usual[drawn & 15];
    event.category =
        event.score <= 2 ? GEN_RATED_LOW : (event.score == 3 ? GEN_RATED_MIDDLE : GEN_RATED_HIGH);
    gen_slot_add(slot, &event);
}

static void contact_add(uint64_t more, bool is_unhappy, struct gen_slot *slot)
{
    static const enum gen_category categories[] = {
        [GEN_HALL] = GEN_AT_HALL, [GEN_HOTLINE] = GEN_BY_HOTLINE, [GEN_ONLINE] = GEN_ON_WEB
    };
    const struct gen_habit *habit = slot->person.habit;
    if (!gen_chance(more, 2, is_unhappy ? habit->contact * 2U : habit->contact)) {
        return;
    }
    uint64_t drawn = gen_draw(more, GEN_DRAW_CONTACT);
    struct gen_event event = event_of(slot, GEN_CONTACT);
    event.category = categories[habit->contacts[drawn & 7]];
    gen_slot_add(slot, &event);
    if (gen_chance(drawn, 1, RATES_A_CONTACT)) {
        rating_add(drawn >> 32, is_unhappy, slot);
    }
}

static void complaint_add(const struct gen_world *world, uint64_t more, const struct gen_date *date,
                          struct gen_slot *slot)
{
    const struct gen_person *person = &slot->person;
    bool fails = network_fails(world, person->region, date);
    uint32_t chance = person->habit->complaint;
    chance *= is_before_leaving(person, date->day) ? COMPLAINTS_BEFORE_LEAVING : 1;
    chance *= fails ? COMPLAINTS_IN_A_FAULT : 1;
    if (!gen_chance(more, 3, chance)) {
        return;
    }
    static const enum gen_category about[4] = { GEN_OF_NETWORK, GEN_OF_BILL, GEN_OF_BILL,
                                                GEN_OF_SERVICE };
    struct gen_event event = event_of(slot, GEN_COMPLAINT);
    event.category = fails ? GEN_OF_NETWORK : about[gen_mix(more) & 3];
    gen_slot_add(slot, &event);
}

/* ---- a visit */

static void errands_add(const struct gen_world *world, const struct gen_date *date, uint64_t today,
                        struct gen_slot *slot)
{
    const struct gen_person *person = &slot->person;
    uint64_t more = gen_mix(today);
    bills_pay_add(world, date, slot);
    if (date->day < person->quiet_day && !gen_person_sleeps(person, date->day)) {
        recharge_add(more, date, slot);
        purchase_add(more, slot);
    }
    contact_add(more, is_before_leaving(person, date->day), slot);
    complaint_add(world, more, date, slot);
    if (date->day == person->change_day) {
        change_add(slot);
    }
}

static bool visit_is_idle(const struct gen_world *world, const struct gen_visit *visit,
                          uint64_t today, const struct gen_person *person)
{
    bool is_night =
        visit->pass == 0 && (visit->date.day == 0 || visit->date.month_day == person->bill_day);
    bool has_calls = world->calls && visit->pass >= GEN_WAKE_PASS;
    return !has_calls && !is_night && visit->pass != errand_pass(today) &&
           visit->pass != sum_pass(person, today);
}

/* Of somebody who is a subscriber all day long. */
static void day_add(const struct gen_world *world, const struct gen_visit *visit, uint64_t today,
                    struct gen_slot *slot)
{
    const struct gen_date *date = &visit->date;
    if (visit->pass == 0 && date->month_day == slot->person.bill_day) {
        bill_issue_add(world, date->month, slot);
    }
    if (visit->pass == errand_pass(today)) {
        errands_add(world, date, today, slot);
    }
    if (world->calls || visit->pass == sum_pass(&slot->person, today)) {
        gen_usage_add(world, visit, slot);
    }
}

void gen_slot_fill(const struct gen_world *world, const struct gen_visit *visit,
                   struct gen_slot *slot)
{
    struct gen_person *person = &slot->person;
    int32_t day = visit->date.day;
    slot->count = 0;
    gen_person_sketch(world, visit->number, person);
    uint64_t today = gen_today(person, day);
    if (visit_is_idle(world, visit, today, person)) {
        return;
    }
    gen_person_complete(world, person);
    if (day == person->join_day && visit->pass == gen_join_pass(person)) {
        join_add(world, slot);
    }
    if (day >= person->active_day && day < person->leave_day) {
        day_add(world, visit, today, slot);
    } else if (day == person->leave_day && visit->pass == errand_pass(today)) {
        leave_add(slot);
    }
}
