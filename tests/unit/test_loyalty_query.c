/* link: loyalty_service */
#include "common/wire/message.h"
#include "common/wire/pb.h"
#include "kith/v1/loyalty.pb-c.h"
#include "services/loyalty/loyalty_query.h"
#include "tests/unit/loyalty_fixture.h"

#include <check.h>
#include <stdlib.h>

#define ARENA_BYTES (4 * 1024 * 1024)

struct question {
    struct ledger ledger;
    struct arena arena;
    struct buffer reply;
};

static void question_init(struct question *question)
{
    ledger_open(&question->ledger);
    arena_init(&question->arena, ARENA_BYTES);
    buffer_init(&question->reply, LIMIT_BODY_BYTES);
}

static void question_release(struct question *question)
{
    ledger_close(&question->ledger);
    arena_release(&question->arena);
    buffer_release(&question->reply);
}

static const Kith__V1__StatementReply *statement_ask(struct question *question, uint8_t customer,
                                                     uint64_t after, uint32_t limit)
{
    struct loyalty_found found = { .key = { .programme = 0 } };
    ck_assert_int_eq(ledger_find(&question->ledger, "bonus", customer, &found), STATUS_OK);
    struct loyalty_statement_request request = { .after_number = after, .limit = limit };
    buffer_clear(&question->reply);
    arena_reset(&question->arena);
    loyalty_query_statement(&question->ledger.view, found.key, &request, &question->reply);
    const Kith__V1__StatementReply *reply = pb_unpack(
        &kith__v1__statement_reply__descriptor, &question->arena, buffer_span(&question->reply));
    ck_assert_ptr_nonnull(reply);
    return reply;
}

START_TEST(a_statement_stays_with_one_account_and_pages)
{
    struct question question;
    question_init(&question);
    uint64_t seqs[5];
    for (size_t i = 0; i < 5; i++) {
        seqs[i] = ledger_earn(&question.ledger, 0, 1, 1000);
        (void)ledger_earn(&question.ledger, 0, 2, 1000); /* the neighbour */
        (void)ledger_earn(&question.ledger, 0, 0, 1000);
        (void)ledger_earn(&question.ledger, 1, 1, 1000); /* the other programme */
    }
    ck_assert_int_eq(ledger_reverse(&question.ledger, seqs[1]), STATUS_OK);
    const Kith__V1__StatementReply *reply = statement_ask(&question, 1, 0, 4);
    ck_assert_uint_eq(reply->n_lines, 4);
    ck_assert(reply->more);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(reply->lines[i]->number, i + 1);
        ck_assert_uint_eq(reply->lines[i]->posting, seqs[i]);
        ck_assert_uint_eq(reply->lines[i]->type, FACT_POINTS_EARNED);
        ck_assert_int_eq(reply->lines[i]->balance_after, 10 * (int64_t)(i + 1));
        ck_assert_int_eq(reply->lines[i]->occurred_at_ms, FIXTURE_NOW_MS);
        ck_assert_int_eq(reply->lines[i]->recorded_at_ms, FIXTURE_NOW_MS + 1);
        ck_assert_int_eq(reply->lines[i]->has_reversed_by, i == 1);
    }
    ck_assert_uint_eq(reply->lines[1]->reversed_by, question.ledger.seq);
    reply = statement_ask(&question, 1, 4, 4);
    ck_assert_uint_eq(reply->n_lines, 2);
    ck_assert(!reply->more);
    ck_assert_uint_eq(reply->lines[1]->type, FACT_POINTS_REVERSED);
    ck_assert_uint_eq(reply->lines[1]->reverses, seqs[1]);
    ck_assert_int_eq(reply->lines[1]->points, -10);
    reply = statement_ask(&question, 1, 2, 4);
    ck_assert_msg(reply->n_lines == 4 && !reply->more, "a full page that is the last");
    ck_assert_uint_eq(statement_ask(&question, 1, 6, 4)->n_lines, 0);
    ck_assert_uint_eq(statement_ask(&question, 1, UINT64_MAX, 4)->n_lines, 0);
    question_release(&question);
}
END_TEST

/* Walks all pages of `limit` accounts, adding up; returns how many there were. */
static size_t accounts_walk(struct question *question, uint32_t limit, int64_t *sum,
                            size_t *own_count)
{
    uint8_t after[64];
    size_t after_size = 0;
    size_t count = 0;
    for (int page = 0; page < 100; page++) {
        struct loyalty_accounts_request request = { .after = span_of(after, after_size),
                                                    .limit = limit };
        buffer_clear(&question->reply);
        arena_reset(&question->arena);
        enum status status =
            loyalty_query_accounts(&question->ledger.view, &request, 4711, &question->reply, NULL);
        ck_assert_int_eq(status, STATUS_OK);
        const Kith__V1__AccountsReply *reply = pb_unpack(
            &kith__v1__accounts_reply__descriptor, &question->arena, buffer_span(&question->reply));
        ck_assert_ptr_nonnull(reply);
        ck_assert_uint_eq(reply->seq, 4711);
        ck_assert_uint_le(reply->n_accounts, limit);
        for (size_t i = 0; i < reply->n_accounts; i++) {
            *sum += reply->accounts[i]->balance;
            *own_count += reply->accounts[i]->has_own ? 1 : 0;
            ck_assert(reply->accounts[i]->has_own != reply->accounts[i]->has_customer);
        }
        count += reply->n_accounts;
        if (!reply->has_next) {
            return count;
        }
        ck_assert_uint_eq(reply->n_accounts, limit);
        ck_assert_uint_le(reply->next.len, sizeof after);
        memcpy(after, reply->next.data, reply->next.len);
        after_size = reply->next.len;
    }
    return 0;
}

START_TEST(pages_of_any_size_hold_each_account_once_and_sum_to_zero)
{
    struct question question;
    question_init(&question);
    for (uint8_t customer = 0; customer < 9; customer++) {
        (void)ledger_earn(&question.ledger, 0, customer, 1000 + customer * 100);
        (void)ledger_earn(&question.ledger, customer % 2, customer, 300);
    }
    ck_assert_int_eq(ledger_spend(&question.ledger, "bonus", 3, 5), STATUS_OK);
    /* 9 in bonus, 4 of them in travel too; issued of both and spent of one. */
    for (uint32_t limit = 1; limit <= 20; limit++) {
        int64_t sum = 0;
        size_t own_count = 0;
        ck_assert_uint_eq(accounts_walk(&question, limit, &sum, &own_count), 9 + 4 + 3);
        ck_assert_uint_eq(own_count, 3);
        ck_assert_int_eq(sum, 0);
    }
    question_release(&question);
}
END_TEST

START_TEST(an_empty_ledger_has_an_empty_page)
{
    struct question question;
    question_init(&question);
    int64_t sum = 0;
    size_t own_count = 0;
    ck_assert_uint_eq(accounts_walk(&question, 5, &sum, &own_count), 0);
    question_release(&question);
}
END_TEST

START_TEST(the_largest_page_fits_a_reply)
{
    struct question question;
    question_init(&question);
    for (int i = 0; i <= REQUEST_PAGE_MAX; i++) {
        ck_assert_uint_ne(ledger_earn(&question.ledger, 0, 1, 1000), 0);
    }
    const Kith__V1__StatementReply *reply = statement_ask(&question, 1, 0, REQUEST_PAGE_MAX);
    ck_assert_uint_eq(reply->n_lines, REQUEST_PAGE_MAX);
    ck_assert(reply->more);
    question_release(&question);
}
END_TEST

START_TEST(a_page_key_that_no_page_gave_is_refused)
{
    struct question question;
    question_init(&question);
    const uint8_t bytes[32] = { LOYALTY_TABLE_ACCOUNT };
    const uint8_t other[32] = { LOYALTY_TABLE_ENTRY };
    const struct span keys[] = { span_of(bytes, 1), span_of(bytes, 20), span_of(bytes, 22),
                                 span_of(other, 21), span_of(other, 29) };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct loyalty_accounts_request request = { .after = keys[i], .limit = 5 };
        refusal_init(&question.ledger.refusal);
        ck_assert_int_eq(loyalty_query_accounts(&question.ledger.view, &request, 1, &question.reply,
                                                &question.ledger.refusal),
                         STATUS_MALFORMED);
        ck_assert_str_eq(question.ledger.refusal.violations[0].field, "after");
        ck_assert_uint_eq(question.reply.size, 0);
    }
    question_release(&question);
}
END_TEST

static Suite *loyalty_query_suite(void)
{
    TCase *tests = tcase_create("loyalty_query");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_statement_stays_with_one_account_and_pages);
    tcase_add_test(tests, pages_of_any_size_hold_each_account_once_and_sum_to_zero);
    tcase_add_test(tests, an_empty_ledger_has_an_empty_page);
    tcase_add_test(tests, the_largest_page_fits_a_reply);
    tcase_add_test(tests, a_page_key_that_no_page_gave_is_refused);
    Suite *suite = suite_create("loyalty_query");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(loyalty_query_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
