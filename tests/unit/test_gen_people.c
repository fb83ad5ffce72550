/* link: kith_parts */
#include "cli/gen_people.h"
#include "common/base/bytes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PEOPLE 6000
#define MONTHS 24

struct crowd {
    struct gen_world world;
    struct gen_person people[PEOPLE];
};

static struct crowd *crowd_make(uint64_t seed)
{
    struct crowd *crowd = memory_allocate(sizeof *crowd);
    struct gen_settings settings = { .subscribers = PEOPLE, .months = MONTHS, .seed = seed };
    gen_world_init(&crowd->world, &settings);
    for (uint32_t number = 0; number < PEOPLE; number++) {
        gen_person_sketch(&crowd->world, number, &crowd->people[number]);
        gen_person_complete(&crowd->world, &crowd->people[number]);
    }
    return crowd;
}

START_TEST(a_person_follows_from_the_seed_and_the_number)
{
    struct crowd *one = crowd_make(1);
    struct crowd *same = crowd_make(1);
    struct crowd *other = crowd_make(2);
    int alike = 0;
    for (uint32_t i = 0; i < PEOPLE; i++) {
        ck_assert_uint_eq(one->people[i].key, same->people[i].key);
        ck_assert_int_eq(one->people[i].leave_day, same->people[i].leave_day);
        alike += one->people[i].leave_day == other->people[i].leave_day ? 1 : 0;
    }
    ck_assert_int_lt(alike, PEOPLE / 100);
    free(one);
    free(same);
    free(other);
}
END_TEST

START_TEST(a_household_is_as_large_as_it_says_and_lives_together)
{
    struct crowd *crowd = crowd_make(4);
    for (uint32_t i = 0; i < PEOPLE; i++) {
        const struct gen_person *person = &crowd->people[i];
        const struct gen_person *first = &crowd->people[person->household];
        ck_assert_uint_le(person->household, i);
        ck_assert_uint_lt(i - person->household, person->household_size);
        ck_assert_uint_eq(first->household, person->household);
        ck_assert_uint_eq(first->household_size, person->household_size);
        ck_assert_int_eq(first->region, person->region);
    }
    free(crowd);
}
END_TEST

START_TEST(lives_have_an_order)
{
    struct crowd *crowd = crowd_make(5);
    int later = 0;
    int leave = 0;
    for (uint32_t i = 0; i < PEOPLE; i++) {
        const struct gen_person *person = &crowd->people[i];
        ck_assert_int_ge(person->join_day, 0);
        ck_assert_int_lt(person->join_day, crowd->world.days);
        ck_assert_int_ge(person->active_day, person->join_day);
        ck_assert_int_gt(person->leave_day, person->active_day);
        ck_assert_int_lt(person->quiet_day, person->leave_day);
        ck_assert(person->change_day == GEN_NEVER || person->change_day < person->leave_day);
        ck_assert(person->change_day > person->active_day);
        ck_assert(person->bill_day >= 1 && person->bill_day <= 28);
        ck_assert(person->joins_later == (person->join_day > 0));
        later += person->joins_later ? 1 : 0;
        leave += person->leave_day < crowd->world.days ? 1 : 0;
    }
    ck_assert(!crowd->people[0].joins_later);
    /* In two years about 29 in 100 come and about as many leave. */
    ck_assert_int_gt(later, PEOPLE / 5);
    ck_assert_int_lt(later, PEOPLE / 3);
    ck_assert_int_gt(leave, PEOPLE / 6);
    ck_assert_int_lt(leave, PEOPLE / 2);
    free(crowd);
}
END_TEST

START_TEST(kinds_differ_in_what_can_be_seen)
{
    struct crowd *crowd = crowd_make(6);
    int of_kind[GEN_KIND_COUNT] = { 0 };
    int prepaid[GEN_KIND_COUNT] = { 0 };
    int young[GEN_KIND_COUNT] = { 0 };
    for (uint32_t i = 0; i < PEOPLE; i++) {
        const struct gen_person *person = &crowd->people[i];
        of_kind[person->kind]++;
        prepaid[person->kind] += person->plans[0] == GEN_PREPAID ? 1 : 0;
        young[person->kind] += person->age == GEN_AGE_18 ? 1 : 0;
        ck_assert(person->has_company == (person->kind == GEN_MANAGER));
        ck_assert(person->appetite >= 1 && person->appetite <= 8);
    }
    for (int kind = 0; kind < GEN_KIND_COUNT; kind++) {
        ck_assert_int_gt(of_kind[kind], PEOPLE / 20);
    }
    ck_assert_int_gt(young[GEN_STUDENT], of_kind[GEN_STUDENT] / 2);
    ck_assert_int_eq(young[GEN_SENIOR], 0);
    ck_assert_int_gt(prepaid[GEN_STUDENT], of_kind[GEN_STUDENT] / 3);
    ck_assert_int_eq(prepaid[GEN_MANAGER], 0);
    free(crowd);
}
END_TEST

START_TEST(some_sleep_and_some_travel_and_all_come_back)
{
    struct crowd *crowd = crowd_make(7);
    int slept = 0;
    int travelled = 0;
    int days = 0;
    for (uint32_t i = 0; i < PEOPLE; i += 10) {
        for (int32_t day = 0; day < crowd->world.days; day++) {
            struct gen_date date = gen_date_of(&crowd->world, day);
            slept += gen_person_sleeps(&crowd->people[i], day) ? 1 : 0;
            travelled += gen_person_travels(&crowd->people[i], &date) ? 1 : 0;
            days++;
        }
    }
    ck_assert_int_gt(slept, days / 200);
    ck_assert_int_lt(slept, days / 20);
    ck_assert_int_gt(travelled, days / 200);
    ck_assert_int_lt(travelled, days / 20);
    free(crowd);
}
END_TEST

START_TEST(a_change_holds_from_its_day_on)
{
    struct gen_person person = { .plans = { GEN_PREPAID, GEN_BASIC },
                                 .handsets = { GEN_HANDSET_BASIC, GEN_HANDSET_SMART },
                                 .change_day = 40 };
    ck_assert_int_eq(gen_person_plan(&person, 39), GEN_PREPAID);
    ck_assert_int_eq(gen_person_plan(&person, 40), GEN_BASIC);
    ck_assert_int_eq(gen_person_handset(&person, 39), GEN_HANDSET_BASIC);
    ck_assert_int_eq(gen_person_handset(&person, 40), GEN_HANDSET_SMART);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gen_people");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_person_follows_from_the_seed_and_the_number);
    tcase_add_test(cases, a_household_is_as_large_as_it_says_and_lives_together);
    tcase_add_test(cases, lives_have_an_order);
    tcase_add_test(cases, kinds_differ_in_what_can_be_seen);
    tcase_add_test(cases, some_sleep_and_some_travel_and_all_come_back);
    tcase_add_test(cases, a_change_holds_from_its_day_on);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
