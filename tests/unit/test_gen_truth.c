/* link: kith_parts */
#include "cli/gen_truth.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct sum_case {
    enum gen_type type;
    int64_t minor;
    int64_t revenue_minor;
    int64_t points;
};

START_TEST(revenue_and_points_are_those_of_the_three_payments)
{
    static const struct sum_case cases[] = {
        { GEN_BILL_PAID, 199, 199, 1 },  { GEN_BILL_PAID, 200, 200, 2 },
        { GEN_RECHARGE, 99, 99, 0 },     { GEN_RECHARGE, 1050, 1050, 10 },
        { GEN_PURCHASE, 49, 49, 0 },     { GEN_PURCHASE, 50, 50, 1 },
        { GEN_PURCHASE, 299, 299, 5 },   { GEN_PURCHASE, 69950, 69950, 1399 },
        { GEN_BILL_ISSUED, 5000, 0, 0 }, { GEN_USAGE, 5000, 0, 0 },
        { GEN_CONTRACT_ENDED, 0, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gen_truth truth = { .events = 0 };
        struct gen_event event = { .type = cases[i].type,
                                   .has_amount = cases[i].minor > 0,
                                   .amount_minor = cases[i].minor };
        gen_truth_event(&truth, &event);
        ck_assert_uint_eq(truth.events, 1);
        ck_assert_uint_eq(truth.customers, 0);
        ck_assert_int_eq(truth.revenue_minor, cases[i].revenue_minor);
        ck_assert_int_eq(truth.points_issued, cases[i].points);
    }
}
END_TEST

START_TEST(a_registration_is_a_customer)
{
    struct gen_truth truth = { .events = 7, .customers = 3 };
    struct gen_event event = { .type = GEN_REGISTERED };
    gen_truth_event(&truth, &event);
    ck_assert_uint_eq(truth.events, 8);
    ck_assert_uint_eq(truth.customers, 4);
}
END_TEST

START_TEST(all_segments_are_named)
{
    struct gen_truth truth = { .events = 1 };
    for (size_t i = 0; i < GEN_SEGMENT_COUNT; i++) {
        truth.segments[i] = i + 10;
    }
    json_t *told = gen_truth_json(&truth);
    const json_t *segments = json_object_get(told, "segments");
    ck_assert_uint_eq(json_object_size(segments), GEN_SEGMENT_COUNT);
    ck_assert_int_eq(json_integer_value(json_object_get(segments, "big_spenders")), 10);
    ck_assert_int_eq(json_integer_value(json_object_get(segments, "families")), 10 + GEN_FAMILIES);
    json_decref(told);
}
END_TEST

/* Only the first event was written: one customer is known, and who is in what follows from
 * the profile alone. */
START_TEST(nobody_counts_before_the_registration_was_written)
{
    struct gen_world world;
    struct gen_settings settings = { .subscribers = 500, .months = 2, .seed = 3 };
    struct gen_truth truth = { .events = 1, .customers = 1 };
    gen_world_init(&world, &settings);
    truth.end = (struct gen_end){ .visit = { .date = gen_date_of(&world, 0),
                                             .number = gen_walk_number(&world, 0, 0, 0) },
                                  .count = 1,
                                  .at_ms = world.begun_at_ms };
    for (uint32_t number = 0; number < settings.subscribers; number++) {
        gen_truth_subscriber(&world, &truth, number);
    }
    for (size_t i = 0; i < GEN_SEGMENT_COUNT; i++) {
        ck_assert_uint_le(truth.segments[i], 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gen_truth");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, revenue_and_points_are_those_of_the_three_payments);
    tcase_add_test(cases, a_registration_is_a_customer);
    tcase_add_test(cases, all_segments_are_named);
    tcase_add_test(cases, nobody_counts_before_the_registration_was_written);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
