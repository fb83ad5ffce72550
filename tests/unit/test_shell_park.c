/* link: kith_test_support common_service */
#include "tests/unit/shell_fixture.h"

/* Questions whose answer is not known yet. */

#define TIMEOUT_MS 10000

static struct bench bench;

static void setup(void)
{
    bench_begin(&bench, &(struct toy_node_options){ .shard = 0 });
    bench.client.timeout_ms = TIMEOUT_MS;
}

static void teardown(void)
{
    bench_end(&bench);
}

static uint64_t ask_until(const char *customer, int64_t n)
{
    toy_add_encode(&(struct toy_add){ customer, n, 0 }, &bench.client.body);
    return toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Until", NULL);
}

START_TEST(a_question_is_answered_when_its_answer_is_there)
{
    uint64_t asked = ask_until("anna", 5);
    toy_node_settle(&bench.node);
    ck_assert(!hear(&bench).is_there);
    ck_assert_int_eq(add(&bench, "k1", "anna", 3).sum, 3);
    toy_node_settle(&bench.node);
    ck_assert(!hear(&bench).is_there);
    uint64_t added = toy_client_add(&bench.client, "k2", &(struct toy_add){ "anna", 4, 0 });
    toy_node_turn(&bench.node);
    struct said first = hear(&bench);
    struct said second = hear(&bench);
    ck_assert_uint_eq(first.request_id, added);
    ck_assert_uint_eq(second.request_id, asked);
    ck_assert_int_eq(second.sum, 7);
    ck_assert(!hear(&bench).is_there);
}
END_TEST

START_TEST(what_is_known_already_is_answered_at_once)
{
    (void)add(&bench, "k1", "anna", 9);
    (void)ask_until("anna", 5);
    ck_assert_int_eq(turn(&bench).sum, 9);
}
END_TEST

START_TEST(when_the_time_is_nearly_over_what_is_known_is_sent)
{
    uint64_t asked = ask_until("anna", 5);
    toy_node_settle(&bench.node);
    int64_t wait_ms = shell_wait_ms(bench.node.shell);
    ck_assert_int_gt(wait_ms, 0);
    bench.clock.monotonic_ms += TIMEOUT_MS - 251;
    toy_node_turn(&bench.node);
    ck_assert(!hear(&bench).is_there);
    bench.clock.monotonic_ms += 1;
    ck_assert_int_eq(shell_wait_ms(bench.node.shell), 0);
    struct said said = turn(&bench);
    ck_assert_uint_eq(said.request_id, asked);
    ck_assert_int_eq(said.status, STATUS_OK);
    ck_assert_int_eq(said.sum, 0);
}
END_TEST

START_TEST(without_a_timeout_nothing_is_kept)
{
    bench.client.timeout_ms = 0;
    (void)ask_until("anna", 5);
    ck_assert_int_eq(turn(&bench).sum, 0);
}
END_TEST

START_TEST(one_question_more_than_the_bound_is_answered_at_once)
{
    size_t answered = 0;
    for (size_t i = 0; i < LIMIT_PARKED_QUESTIONS + 1; i++) {
        (void)ask_until("anna", 5);
        toy_node_turn(&bench.node);
        struct toy_answer answer;
        if (toy_client_answer(&bench.client, TRANSPORT_COMMAND, &answer)) {
            ck_assert_uint_eq(i, LIMIT_PARKED_QUESTIONS);
            toy_answer_release(&answer);
            answered += 1;
        }
    }
    ck_assert_uint_eq(answered, 1);
    /* All the others when it is known, though one turn does not send as many. */
    (void)toy_client_add(&bench.client, "k1", &(struct toy_add){ "anna", 5, 0 });
    toy_node_settle(&bench.node);
    struct toy_answer answer;
    while (toy_client_answer(&bench.client, TRANSPORT_COMMAND, &answer)) {
        ck_assert_int_eq(toy_sum_decode(answer.body), 5);
        toy_answer_release(&answer);
        answered += 1;
    }
    ck_assert_uint_eq(answered, LIMIT_PARKED_QUESTIONS + 2);
}
END_TEST

START_TEST(who_went_away_does_not_hold_the_places_for_ever)
{
    bench.client.timeout_ms = UINT32_MAX;
    for (size_t i = 0; i < LIMIT_PARKED_QUESTIONS; i++) {
        (void)ask_until("anna", 5);
        toy_node_turn(&bench.node);
    }
    toy_client_close(&bench.client);
    toy_client_open(&bench.client, bench.network, &bench.clock, "another", "loyalty");
    bench.client.timeout_ms = TIMEOUT_MS;
    bench.clock.monotonic_ms += (int64_t)3600 * 1000;
    toy_node_settle(&bench.node);
    (void)ask_until("anna", 5);
    toy_node_settle(&bench.node);
    ck_assert(!hear(&bench).is_there);
}
END_TEST

START_TEST(a_longer_time_is_cut_down_to_the_bound)
{
    bench.client.timeout_ms = LIMIT_PARKED_MS + 251;
    uint64_t asked = ask_until("anna", 5);
    toy_node_settle(&bench.node);
    bench.clock.monotonic_ms += LIMIT_PARKED_MS - 1;
    toy_node_settle(&bench.node);
    ck_assert(!hear(&bench).is_there);
    bench.clock.monotonic_ms += 1;
    ck_assert_int_eq(shell_wait_ms(bench.node.shell), 0);
    struct said said = turn(&bench);
    ck_assert_uint_eq(said.request_id, asked);
    ck_assert_int_eq(said.status, STATUS_OK);
    ck_assert_int_eq(said.sum, 0);
}
END_TEST

/* Asks in a body of so many bytes. True: an answer came at once. */
static bool is_answered_at_once(size_t size)
{
    toy_add_encode(&(struct toy_add){ "anna", 5, 0 }, &bench.client.body);
    while (bench.client.body.size < size) {
        ck_assert_int_eq(buffer_append(&bench.client.body, span_of_text(" ")), STATUS_OK);
    }
    (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Until", NULL);
    toy_node_settle(&bench.node);
    struct said said = hear(&bench);
    ck_assert(!said.is_there || said.status == STATUS_OK);
    return said.is_there;
}

START_TEST(a_question_that_is_too_long_is_not_kept)
{
    ck_assert(!is_answered_at_once(LIMIT_PARKED_BODY_BYTES));
    ck_assert(is_answered_at_once(LIMIT_PARKED_BODY_BYTES + 1));
}
END_TEST

START_TEST(questions_that_wait_end_with_the_service)
{
    (void)ask_until("anna", 5);
    toy_node_settle(&bench.node);
    bench_crash(&bench);
    toy_node_settle(&bench.node);
    ck_assert(!hear(&bench).is_there);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shell_park");
    TCase *tcase = tcase_create("park");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_question_is_answered_when_its_answer_is_there);
    tcase_add_test(tcase, what_is_known_already_is_answered_at_once);
    tcase_add_test(tcase, when_the_time_is_nearly_over_what_is_known_is_sent);
    tcase_add_test(tcase, without_a_timeout_nothing_is_kept);
    tcase_add_test(tcase, one_question_more_than_the_bound_is_answered_at_once);
    tcase_add_test(tcase, who_went_away_does_not_hold_the_places_for_ever);
    tcase_add_test(tcase, a_longer_time_is_cut_down_to_the_bound);
    tcase_add_test(tcase, a_question_that_is_too_long_is_not_kept);
    tcase_add_test(tcase, questions_that_wait_end_with_the_service);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
