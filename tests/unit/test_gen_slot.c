/* link: kith_parts */
#include "cli/gen_slot.h"
#include "common/base/bytes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SUBSCRIBERS 200
#define MONTHS 12

struct life {
    struct gen_world world;
    struct gen_visit visit;
    struct gen_slot slot;
};

static struct life *life_open(bool calls)
{
    struct life *life = memory_allocate(sizeof *life);
    struct gen_settings settings = {
        .subscribers = SUBSCRIBERS, .months = MONTHS, .seed = 11, .calls = calls
    };
    gen_world_init(&life->world, &settings);
    return life;
}

static void visit_make(struct life *life, uint32_t number, int32_t part)
{
    life->visit = (struct gen_visit){ .date = gen_date_of(&life->world, part / GEN_PASSES),
                                      .pass = part % GEN_PASSES,
                                      .number = number };
    gen_slot_fill(&life->world, &life->visit, &life->slot);
}

typedef void visit_taker(const struct life *life, void *context);
typedef void event_taker(const struct life *life, const struct gen_event *event, void *context);

/* All visits of a subscriber that have events. */
static void visits_walk(struct life *life, uint32_t number, visit_taker *take, void *context)
{
    for (int32_t part = 0; part < life->world.days * GEN_PASSES; part++) {
        visit_make(life, number, part);
        if (life->slot.count > 0) {
            take(life, context);
        }
    }
}

struct event_walk {
    event_taker *take;
    void *context;
};

static void events_take(const struct life *life, void *context)
{
    const struct event_walk *walk = context;
    for (size_t i = 0; i < life->slot.count; i++) {
        walk->take(life, &life->slot.events[i], walk->context);
    }
}

static void events_walk(struct life *life, uint32_t number, event_taker *take, void *context)
{
    struct event_walk walk = { .take = take, .context = context };
    visits_walk(life, number, events_take, &walk);
}

static void visit_compare(const struct life *life, void *context)
{
    struct gen_slot *again = context;
    struct gen_visit visit = life->visit;
    memset(again, 0x5A, sizeof *again);
    visit.position = 17;
    gen_slot_fill(&life->world, &visit, again);
    ck_assert_uint_eq(again->count, life->slot.count);
    for (size_t i = 0; i < again->count; i++) {
        const struct gen_event *one = &life->slot.events[i];
        ck_assert_int_eq(again->events[i].type, one->type);
        ck_assert_int_eq(again->events[i].category, one->category);
        ck_assert_int_eq(again->events[i].amount_minor, one->amount_minor);
        ck_assert_uint_eq(again->events[i].subject, one->subject);
    }
}

START_TEST(a_visit_has_the_same_events_at_any_time)
{
    struct life *life = life_open(/* calls= */ true);
    struct gen_slot *again = memory_allocate(sizeof *again);
    for (uint32_t number = 0; number < SUBSCRIBERS; number += 20) {
        visits_walk(life, number, visit_compare, again);
    }
    free(again);
    free(life);
}
END_TEST

static void most_note(const struct life *life, void *context)
{
    size_t *most = context;
    *most = life->slot.count > *most ? life->slot.count : *most;
}

/* The most that habits allow is 9 calls, 5 sessions and 9 messages, and 13 errands. */
START_TEST(a_visit_has_room_for_the_busiest)
{
    struct life *life = life_open(/* calls= */ true);
    size_t most = 0;
    for (uint32_t number = 0; number < SUBSCRIBERS; number++) {
        visits_walk(life, number, most_note, &most);
    }
    ck_assert_uint_gt(most, 8);
    ck_assert_uint_le(most, 9 + 5 + 9 + 13);
    ck_assert_uint_lt(9 + 5 + 9 + 13, GEN_SLOT_EVENTS);
    free(life);
}
END_TEST

struct bills {
    int64_t issued_minor[MONTHS];
    int32_t issued_day[MONTHS];
    int64_t paid_minor[MONTHS];
    int issued;
    int paid;
    int late;
};

static void bill_note(const struct life *life, const struct gen_event *event, void *context)
{
    struct bills *bills = context;
    int32_t day = life->visit.date.day;
    int32_t month = event->bill_month;
    if (event->type == GEN_BILL_ISSUED) {
        ck_assert_int_eq(bills->issued_minor[month], 0);
        ck_assert_int_gt(event->amount_minor, 0);
        bills->issued_minor[month] = event->amount_minor;
        bills->issued_day[month] = day;
        bills->issued++;
    } else if (event->type == GEN_BILL_PAID) {
        ck_assert_int_eq(bills->paid_minor[month], 0);
        ck_assert_int_eq(bills->issued_minor[month], event->amount_minor);
        ck_assert(day > bills->issued_day[month] && day <= bills->issued_day[month] + 45);
        bills->paid_minor[month] = event->amount_minor;
        bills->paid++;
        bills->late += day > bills->issued_day[month] + 15 ? 1 : 0;
    }
}

START_TEST(what_is_paid_was_billed_and_is_paid_once)
{
    struct life *life = life_open(/* calls= */ false);
    int issued = 0;
    int paid = 0;
    int late = 0;
    for (uint32_t number = 0; number < SUBSCRIBERS; number++) {
        struct bills bills = { .issued = 0 };
        events_walk(life, number, bill_note, &bills);
        issued += bills.issued;
        paid += bills.paid;
        late += bills.late;
    }
    ck_assert_int_gt(issued, SUBSCRIBERS * MONTHS / 3);
    ck_assert_int_lt(paid, issued);
    ck_assert_int_gt(paid, issued * 8 / 10);
    ck_assert_int_gt(late, paid / 50);
    ck_assert_int_lt(late, paid / 4);
    free(life);
}
END_TEST

static void prepaid_check(const struct life *life, const struct gen_event *event, void *context)
{
    int *recharges = context;
    bool is_prepaid = gen_person_plan(&life->slot.person, life->visit.date.day) == GEN_PREPAID;
    if (event->type == GEN_RECHARGE) {
        ck_assert(is_prepaid);
        *recharges += 1;
    } else if (event->type == GEN_BILL_ISSUED) {
        ck_assert(!is_prepaid);
    }
}

START_TEST(prepaid_recharge_and_others_get_bills)
{
    struct life *life = life_open(/* calls= */ false);
    int recharges = 0;
    for (uint32_t number = 0; number < SUBSCRIBERS; number++) {
        events_walk(life, number, prepaid_check, &recharges);
    }
    ck_assert_int_gt(recharges, SUBSCRIBERS * MONTHS / 4);
    free(life);
}
END_TEST

static void referral_check(const struct life *life, const struct gen_event *event, void *context)
{
    int *referrals = context;
    if (event->type != GEN_REFERRAL) {
        return;
    }
    struct gen_person friend;
    gen_person_sketch(&life->world, event->subject, &friend);
    gen_person_complete(&life->world, &friend);
    ck_assert_uint_eq(event->referred, life->visit.number);
    ck_assert_uint_ne(event->subject, life->visit.number);
    ck_assert_int_ge(life->visit.date.day, friend.active_day);
    ck_assert_int_lt(life->visit.date.day, friend.leave_day);
    *referrals += 1;
}

START_TEST(who_brings_somebody_is_a_subscriber_then)
{
    struct life *life = life_open(/* calls= */ false);
    int referrals = 0;
    for (uint32_t number = 0; number < SUBSCRIBERS; number++) {
        events_walk(life, number, referral_check, &referrals);
    }
    ck_assert_int_gt(referrals, 3);
    free(life);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gen_slot");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_visit_has_the_same_events_at_any_time);
    tcase_add_test(cases, a_visit_has_room_for_the_busiest);
    tcase_add_test(cases, what_is_paid_was_billed_and_is_paid_once);
    tcase_add_test(cases, prepaid_recharge_and_others_get_bills);
    tcase_add_test(cases, who_brings_somebody_is_a_subscriber_then);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
