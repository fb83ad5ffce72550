/* link: kith_parts */
#include "cli/ledger_check.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ISSUED 0
#define SPENT 1

static struct ledger_owner customer(uint64_t number)
{
    struct ledger_owner owner = { .programme = span_of_text("points"), .is_customer = true };
    be64_put(owner.customer.bytes, number);
    return owner;
}

static struct ledger_owner own(const char *programme, uint32_t kind)
{
    return (struct ledger_owner){ .programme = span_of_text(programme), .own = kind };
}

/* A posting of a customer: number, points, balance after. */
static enum status post(struct ledger_check *check, uint64_t seq, struct ledger_owner owner,
                        const int64_t values[3])
{
    struct ledger_posting posting = { .seq = seq,
                                      .owner = owner,
                                      .counter = values[1] < 0 ? SPENT : ISSUED,
                                      .number = (uint64_t)values[0],
                                      .points = values[1],
                                      .balance_after = values[2] };
    struct refusal refusal;
    refusal_init(&refusal);
    return ledger_check_post(check, &posting, &refusal);
}
#define VALUES(number, points, balance) ((const int64_t[3]){ (number), (points), (balance) })

static enum status compare(struct ledger_check *check, struct ledger_owner owner, int64_t balance)
{
    struct refusal refusal;
    refusal_init(&refusal);
    return ledger_check_compare(check, &owner, balance, 9, &refusal);
}

static struct ledger_check *check_with_two_customers(void)
{
    struct ledger_check *check = NULL;
    ledger_check_open(&check);
    ck_assert_int_eq(post(check, 2, customer(1), VALUES(1, 100, 100)), STATUS_OK);
    ck_assert_int_eq(post(check, 3, customer(2), VALUES(1, 50, 50)), STATUS_OK);
    ck_assert_int_eq(post(check, 5, customer(1), VALUES(2, -30, 70)), STATUS_OK);
    return check;
}

START_TEST(an_empty_ledger_is_in_order)
{
    struct ledger_check *check = NULL;
    ledger_check_open(&check);
    ck_assert_int_eq(ledger_check_complete(check, 10, NULL), STATUS_OK);
    ck_assert_uint_eq(ledger_check_totals(check).accounts, 0);
    ledger_check_close(&check);
    ck_assert_ptr_null(check);
    ledger_check_close(&check);
}
END_TEST

START_TEST(postings_add_up_on_both_sides)
{
    struct ledger_check *check = check_with_two_customers();
    ck_assert_int_eq(compare(check, customer(1), 70), STATUS_OK);
    ck_assert_int_eq(compare(check, customer(2), 50), STATUS_OK);
    ck_assert_int_eq(compare(check, own("points", ISSUED), -150), STATUS_OK);
    ck_assert_int_eq(compare(check, own("points", SPENT), 30), STATUS_OK);
    ck_assert_int_eq(ledger_check_complete(check, 5, NULL), STATUS_OK);
    struct ledger_totals totals = ledger_check_totals(check);
    ck_assert_uint_eq(totals.postings, 3);
    ck_assert_uint_eq(totals.accounts, 4);
    ck_assert_int_eq(totals.sum, 0);
    ledger_check_close(&check);
}
END_TEST

START_TEST(a_wrong_balance_after_is_found)
{
    struct ledger_check *check = check_with_two_customers();
    struct refusal refusal;
    refusal_init(&refusal);
    struct ledger_posting posting = {
        .seq = 8, .owner = customer(2), .points = 5, .balance_after = 56, .number = 2
    };
    ck_assert_int_eq(ledger_check_post(check, &posting, &refusal), STATUS_CORRUPT);
    ck_assert_str_eq(refusal.message,
                     "seq 8: account of customer 00000000000000020000000000000000 in points: the "
                     "posting says balance 56, its postings add up to 55");
    ledger_check_close(&check);
}
END_TEST

START_TEST(a_wrong_number_is_found)
{
    struct ledger_check *check = check_with_two_customers();
    ck_assert_int_eq(post(check, 8, customer(2), VALUES(3, 5, 55)), STATUS_CORRUPT);
    ledger_check_close(&check);
}
END_TEST

START_TEST(a_balance_that_the_service_has_otherwise_is_found)
{
    struct ledger_check *check = check_with_two_customers();
    ck_assert_int_eq(compare(check, customer(1), 71), STATUS_CORRUPT);
    ck_assert_int_eq(compare(check, own("points", SPENT), 29), STATUS_CORRUPT);
    ledger_check_close(&check);
}
END_TEST

START_TEST(an_account_that_no_posting_made_must_be_empty)
{
    struct ledger_check *check = check_with_two_customers();
    ck_assert_int_eq(compare(check, customer(3), 0), STATUS_OK);
    ck_assert_int_eq(compare(check, customer(3), 1), STATUS_CORRUPT);
    ck_assert_int_eq(compare(check, own("miles", ISSUED), 0), STATUS_OK);
    ck_assert_int_eq(compare(check, own("miles", ISSUED), -1), STATUS_CORRUPT);
    ck_assert_uint_eq(ledger_check_totals(check).accounts, 4);
    ledger_check_close(&check);
}
END_TEST

START_TEST(an_account_that_the_service_lacks_is_found)
{
    struct ledger_check *check = check_with_two_customers();
    ck_assert_int_eq(compare(check, customer(1), 70), STATUS_OK);
    ck_assert_int_eq(compare(check, own("points", ISSUED), -150), STATUS_OK);
    ck_assert_int_eq(compare(check, own("points", SPENT), 30), STATUS_OK);
    /* Customer 2 came with seq 3: a comparison that began before needs not have it. */
    ck_assert_int_eq(ledger_check_complete(check, 2, NULL), STATUS_OK);
    ck_assert_int_eq(ledger_check_complete(check, 3, NULL), STATUS_CORRUPT);
    ledger_check_close(&check);
}
END_TEST

START_TEST(an_account_that_comes_twice_is_found)
{
    struct ledger_check *check = check_with_two_customers();
    ck_assert_int_eq(compare(check, customer(1), 70), STATUS_OK);
    ck_assert_int_eq(compare(check, customer(1), 70), STATUS_CORRUPT);
    ledger_check_close(&check);
}
END_TEST

START_TEST(programmes_are_kept_apart)
{
    struct ledger_check *check = check_with_two_customers();
    struct ledger_owner miles = customer(1);
    miles.programme = span_of_text("miles");
    ck_assert_int_eq(post(check, 9, miles, VALUES(1, 7, 7)), STATUS_OK);
    ck_assert_int_eq(compare(check, miles, 7), STATUS_OK);
    ck_assert_int_eq(compare(check, customer(1), 70), STATUS_OK);
    ck_assert_int_eq(compare(check, own("miles", ISSUED), -7), STATUS_OK);
    ledger_check_close(&check);
}
END_TEST

START_TEST(points_past_the_limit_are_refused)
{
    struct ledger_check *check = NULL;
    ledger_check_open(&check);
    ck_assert_int_eq(post(check, 1, customer(1), VALUES(1, LIMIT_AMOUNT, LIMIT_AMOUNT)), STATUS_OK);
    ck_assert_int_eq(post(check, 2, customer(2), VALUES(1, LIMIT_AMOUNT + 1, LIMIT_AMOUNT + 1)),
                     STATUS_CORRUPT);
    ck_assert_int_eq(post(check, 3, customer(3), VALUES(1, INT64_MIN, INT64_MIN)), STATUS_CORRUPT);
    ledger_check_close(&check);
}
END_TEST

START_TEST(many_accounts_find_their_places)
{
    struct ledger_check *check = NULL;
    ledger_check_open(&check);
    for (uint64_t i = 0; i < 20000; i++) {
        int64_t points = (int64_t)i + 1;
        /* Low bits alike: neighbours in the table. */
        ck_assert_int_eq(post(check, i + 1, customer(i << 20U), VALUES(1, points, points)),
                         STATUS_OK);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        ck_assert_int_eq(compare(check, customer(i << 20U), (int64_t)i + 1), STATUS_OK);
    }
    ck_assert_uint_eq(ledger_check_totals(check).accounts, 20001);
    ledger_check_close(&check);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger check");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, an_empty_ledger_is_in_order);
    tcase_add_test(cases, postings_add_up_on_both_sides);
    tcase_add_test(cases, a_wrong_balance_after_is_found);
    tcase_add_test(cases, a_wrong_number_is_found);
    tcase_add_test(cases, a_balance_that_the_service_has_otherwise_is_found);
    tcase_add_test(cases, an_account_that_no_posting_made_must_be_empty);
    tcase_add_test(cases, an_account_that_the_service_lacks_is_found);
    tcase_add_test(cases, an_account_that_comes_twice_is_found);
    tcase_add_test(cases, programmes_are_kept_apart);
    tcase_add_test(cases, points_past_the_limit_are_refused);
    tcase_add_test(cases, many_accounts_find_their_places);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
