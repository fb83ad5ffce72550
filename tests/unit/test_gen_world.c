/* link: kith_parts */
#include "cli/gen_world.h"
#include "common/base/bytes.h"
#include "common/base/time_text.h"

#include <check.h>
#include <stdlib.h>

static struct gen_world world_of(uint32_t subscribers, uint32_t months, uint64_t seed)
{
    struct gen_world world;
    struct gen_settings settings = { .subscribers = subscribers, .months = months, .seed = seed };
    gen_world_init(&world, &settings);
    return world;
}

START_TEST(each_pass_visits_everybody_once)
{
    static const uint32_t counts[] = { 1, 2, 3, 4, 6, 10, 30, 97, 1000, 1024, 2310 };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct gen_world world = world_of(counts[i], 1, i);
        bool *seen = memory_allocate(counts[i]);
        uint32_t walked = gen_walk_number(&world, 5, 2, 0);
        for (uint32_t position = 0; position < counts[i]; position++) {
            uint32_t number = gen_walk_number(&world, 5, 2, position);
            ck_assert_uint_lt(number, counts[i]);
            ck_assert(!seen[number]);
            seen[number] = true;
            ck_assert_uint_eq(number, walked);
            ck_assert_uint_eq(gen_walk_position(&world, 5, 2, number), position);
            walked = gen_walk_next(&world, walked);
        }
        free(seen);
    }
}
END_TEST

START_TEST(ten_million_are_walked_and_found)
{
    struct gen_world world = world_of(GEN_SUBSCRIBERS_MAX, GEN_MONTHS_MAX, 3);
    uint32_t last = GEN_SUBSCRIBERS_MAX - 1;
    for (uint32_t position = 0; position <= last; position += 99999) {
        uint32_t number = gen_walk_number(&world, world.days - 1, 7, position);
        ck_assert_uint_eq(gen_walk_position(&world, world.days - 1, 7, number), position);
    }
    ck_assert_uint_eq(gen_walk_position(&world, 0, 0, gen_walk_number(&world, 0, 0, last)), last);
}
END_TEST

START_TEST(parts_of_the_day_have_orders_of_their_own)
{
    struct gen_world world = world_of(1000, 1, 1);
    int same = 0;
    for (int32_t pass = 1; pass < GEN_PASSES; pass++) {
        same += gen_walk_number(&world, 0, pass, 0) == gen_walk_number(&world, 0, 0, 0) ? 1 : 0;
    }
    ck_assert_int_le(same, 1);
}
END_TEST

/* The last event of a visit and the first of the next one. */
static void visits_follow(const struct gen_world *world, struct gen_visit visit)
{
    int64_t last_ms = gen_visit_at_ms(world, &visit, GEN_SLOT_EVENTS - 1);
    ck_assert_int_ge(last_ms, gen_visit_at_ms(world, &visit, 0));
    if (visit.position + 1 < world->subscribers) {
        visit.position++;
        visit.number = gen_walk_next(world, visit.number);
    } else {
        visit.position = 0;
        visit.pass++;
        ck_assert_int_lt(last_ms, world->begun_at_ms + (int64_t)visit.date.day * MS_PER_DAY +
                                      (int64_t)visit.pass * GEN_PASS_MS);
    }
    ck_assert_int_ge(gen_visit_at_ms(world, &visit, 0), last_ms);
}

START_TEST(visits_come_in_the_order_of_time)
{
    static const uint32_t counts[] = { 1, 2, 7, 1000, 84375, 84376, 5400001, GEN_SUBSCRIBERS_MAX };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct gen_world world = world_of(counts[i], 1, i);
        uint32_t step = counts[i] / 200 + 1;
        struct gen_visit visit = { .date = gen_date_of(&world, 3), .pass = 4 };
        for (uint32_t position = 0; position < counts[i]; position += step) {
            visit.position = position;
            visit.number = gen_walk_number(&world, 3, 4, position);
            visits_follow(&world, visit);
        }
        visit.position = counts[i] - 1;
        visit.number = gen_walk_number(&world, 3, 4, visit.position);
        visits_follow(&world, visit);
    }
}
END_TEST

START_TEST(days_are_those_of_the_calendar)
{
    struct gen_world world = world_of(1, GEN_MONTHS_MAX, 1);
    int64_t first = days_from_civil(GEN_YEAR_FIRST, 1, 1);
    ck_assert_int_eq(world.days, days_from_civil(GEN_YEAR_FIRST + 4, 1, 1) - first);
    for (int32_t day = 0; day < world.days; day++) {
        struct gen_date date = gen_date_of(&world, day);
        int year = 0;
        int month = 0;
        int month_day = 0;
        civil_from_days(first + day, &year, &month, &month_day);
        ck_assert_int_eq(date.month, (year - GEN_YEAR_FIRST) * 12 + month - 1);
        ck_assert_int_eq(date.month_day, month_day);
        ck_assert(date.is_summer == (month == 7 || month == 8));
        /* 1970-01-01 was a Thursday. */
        int64_t weekday = (first + day + 3) % 7;
        ck_assert(date.is_weekend == (weekday >= 5));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gen_world");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, each_pass_visits_everybody_once);
    tcase_add_test(cases, ten_million_are_walked_and_found);
    tcase_add_test(cases, parts_of_the_day_have_orders_of_their_own);
    tcase_add_test(cases, visits_come_in_the_order_of_time);
    tcase_add_test(cases, days_are_those_of_the_calendar);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
