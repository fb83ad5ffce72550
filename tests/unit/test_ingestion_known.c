/* link: ingestion_service ingestion_core common_event common_wire */
#include "services/ingestion/ingestion_known.h"

#include <check.h>
#include <stdlib.h>

#define IDS_MOST ((size_t)INGESTION_KNOWN_LINES_MOST * INGESTION_KNOWN_LINE_IDS)

static struct ingestion_known known;

static void setup(void)
{
    known = (struct ingestion_known){ .id_count = 0 };
}

static void teardown(void)
{
    ingestion_known_release(&known);
}

/* Spread like a hash: by a mixer that gives each number a result of its own. */
static struct customer_id customer_of(uint64_t number)
{
    struct customer_id customer = { { 0 } };
    uint64_t mixed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30U)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27U)) * UINT64_C(0x94d049bb133111eb);
    be64_put(customer.bytes, mixed);
    be64_put(customer.bytes + 8, mixed ^ (mixed >> 31U));
    return customer;
}

static size_t remembered_count(uint64_t from, uint64_t to)
{
    size_t count = 0;
    for (uint64_t number = from; number < to; number++) {
        count += ingestion_known_has(&known, customer_of(number)) ? 1 : 0;
    }
    return count;
}

START_TEST(nobody_is_remembered_at_first)
{
    ck_assert(!ingestion_known_has(&known, customer_of(1)));
    ck_assert(!ingestion_known_has(&known, (struct customer_id){ { 0 } }));
}
END_TEST

START_TEST(who_is_added_is_remembered_and_nobody_else)
{
    for (uint64_t number = 0; number < 100; number++) {
        ingestion_known_add(&known, customer_of(number));
        ingestion_known_add(&known, customer_of(number));
        ck_assert(ingestion_known_has(&known, customer_of(number)));
        ck_assert(!ingestion_known_has(&known, customer_of(number + 1)));
    }
    ck_assert_uint_eq(remembered_count(0, 100), 100);
    ck_assert_uint_eq(known.id_count, 100);
}
END_TEST

START_TEST(an_id_that_differs_in_one_bit_is_another)
{
    for (size_t bit = 0; bit < 128; bit++) {
        struct customer_id customer = customer_of(bit);
        ingestion_known_add(&known, customer);
        customer.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        ck_assert(!ingestion_known_has(&known, customer));
    }
}
END_TEST

START_TEST(an_id_of_zeroes_is_looked_up_each_time)
{
    struct customer_id zeroes = { { 0 } };
    ingestion_known_add(&known, customer_of(0));
    ingestion_known_add(&known, zeroes);
    ck_assert(!ingestion_known_has(&known, zeroes));
    ck_assert(ingestion_known_has(&known, customer_of(0)));
}
END_TEST

/* All in one line: only the bytes that choose no line differ. */
START_TEST(a_full_line_gives_up_one_for_the_next)
{
    for (uint8_t number = 1; number <= 64; number++) {
        struct customer_id newest = { { number, [7] = number } };
        ingestion_known_add(&known, newest);
        ck_assert(ingestion_known_has(&known, newest));
    }
    size_t count = 0;
    for (uint8_t number = 1; number <= 64; number++) {
        struct customer_id customer = { { number, [7] = number } };
        count += ingestion_known_has(&known, customer) ? 1 : 0;
    }
    ck_assert_uint_eq(count, INGESTION_KNOWN_LINE_IDS);
    ck_assert_uint_eq(known.id_count, INGESTION_KNOWN_LINE_IDS);
}
END_TEST

START_TEST(growing_forgets_nobody)
{
    uint64_t number = 0;
    while (known.line_count <= INGESTION_KNOWN_LINES_LEAST) {
        size_t before = remembered_count(0, number);
        ingestion_known_add(&known, customer_of(number++));
        ck_assert_uint_ge(remembered_count(0, number), before);
    }
    ck_assert_uint_eq(known.line_count, 2 * INGESTION_KNOWN_LINES_LEAST);
    ck_assert_uint_gt(number, INGESTION_KNOWN_LINES_LEAST * INGESTION_KNOWN_LINE_IDS / 2);
    ck_assert_uint_eq(remembered_count(0, number), known.id_count);
}
END_TEST

START_TEST(it_grows_up_to_its_bound_and_then_displaces)
{
    uint64_t many = 2 * IDS_MOST;
    for (uint64_t number = 0; number < many; number++) {
        ingestion_known_add(&known, customer_of(number));
    }
    ck_assert_uint_eq(known.line_count, INGESTION_KNOWN_LINES_MOST);
    ck_assert_uint_le(known.id_count, IDS_MOST);
    ck_assert_uint_gt(known.id_count, IDS_MOST * 9 / 10);
    ck_assert_uint_eq(remembered_count(0, many), known.id_count);
    ck_assert_uint_eq(remembered_count(many, many + 1000), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ingestion_known");
    TCase *tests = tcase_create("known");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, nobody_is_remembered_at_first);
    tcase_add_test(tests, who_is_added_is_remembered_and_nobody_else);
    tcase_add_test(tests, an_id_that_differs_in_one_bit_is_another);
    tcase_add_test(tests, an_id_of_zeroes_is_looked_up_each_time);
    tcase_add_test(tests, a_full_line_gives_up_one_for_the_next);
    tcase_add_test(tests, growing_forgets_nobody);
    tcase_add_test(tests, it_grows_up_to_its_bound_and_then_displaces);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
