/* link: kith_test_support common_service */
#include "kith/v1/service.pb-c.h"
#include "tests/unit/shell_fixture.h"

/* ---- commands and questions */

START_TEST(replies_and_answers_leave_after_the_journal_has_what_they_tell)
{
    struct bench bench;
    struct watch watch = { .bench = &bench };
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    memory_network_judge(bench.network, watch_judge, &watch);
    for (int i = 0; i < 5; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        send_add(&bench, key, "anna", 3);
    }
    toy_add_encode(&(struct toy_add){ "anna", 0, 0 }, &bench.client.body);
    (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Get", NULL);
    uint64_t blocks = blocks_of(&bench);
    toy_node_turn(&bench.node);
    ck_assert_uint_eq(blocks_of(&bench), blocks + 1); /* one block for all of them */
    ck_assert_uint_eq(watch.replies, 6);
    ck_assert_uint_eq(watch.too_early, 0);
    for (int i = 1; i <= 5; i++) {
        struct said said = hear(&bench);
        ck_assert_int_eq(said.status, STATUS_OK);
        ck_assert_int_eq(said.sum, 3 * i);
    }
    ck_assert_int_eq(hear(&bench).sum, 15); /* the question saw all of its turn */
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(a_question_writes_no_block)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    (void)add(&bench, "k", "anna", 3);
    uint64_t blocks = blocks_of(&bench);
    ck_assert_int_eq(get(&bench, "anna").sum, 3);
    ck_assert_int_eq(get(&bench, "berta").sum, 0);
    ck_assert_uint_eq(blocks_of(&bench), blocks);
    bench_end(&bench);
}
END_TEST

START_TEST(a_retry_gets_the_first_reply_whenever_it_comes)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    send_add(&bench, "k1", "anna", 5);
    send_add(&bench, "k1", "anna", 5); /* in the same turn */
    toy_node_turn(&bench.node);
    struct said first = hear(&bench);
    struct said again = hear(&bench);
    ck_assert_int_eq(first.sum, 5);
    same(&first, &again);
    (void)add(&bench, "k2", "anna", 5);
    again = add(&bench, "k1", "anna", 5); /* in a later turn */
    same(&first, &again);
    bench_crash(&bench);
    again = add(&bench, "k1", "anna", 5); /* of another process */
    same(&first, &again);
    toy_node_stop(&bench.node);
    toy_node_reopen(&bench.node);
    again = add(&bench, "k1", "anna", 5); /* out of the checkpoint */
    same(&first, &again);
    ck_assert_uint_eq(bench.node.toy.decided, 0);
    ck_assert_int_eq(get(&bench, "anna").sum, 10);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(the_nth_outcome_of_a_block_is_found_again)
{
    struct bench bench;
    struct said first[10];
    char key[16];
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    for (int i = 0; i < 10; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        send_add(&bench, key, "anna", i);
    }
    toy_node_turn(&bench.node);
    for (int i = 0; i < 10; i++) {
        first[i] = hear(&bench);
    }
    bench_crash(&bench);
    for (int i = 9; i >= 0; i--) {
        (void)snprintf(key, sizeof key, "k%d", i);
        struct said again = add(&bench, key, "anna", i);
        same(&first[i], &again);
    }
    bench_end(&bench);
}
END_TEST

START_TEST(a_key_with_another_body_or_method_is_refused)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    send_add(&bench, "k1", "anna", 5);
    send_add(&bench, "k1", "anna", 6);
    toy_node_turn(&bench.node);
    ck_assert_int_eq(hear(&bench).status, STATUS_OK);
    ck_assert_int_eq(hear(&bench).status, STATUS_EXISTS);
    ck_assert_int_eq(add(&bench, "k1", "berta", 5).status, STATUS_EXISTS);
    bench_crash(&bench);
    ck_assert_int_eq(add(&bench, "k1", "anna", 7).status, STATUS_EXISTS);
    toy_add_encode(&(struct toy_add){ "anna", 5, 0 }, &bench.client.body);
    (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.At", "k1");
    ck_assert_int_eq(turn(&bench).status, STATUS_EXISTS);
    ck_assert_uint_eq(bench.node.toy.decided, 0);
    ck_assert_int_eq(get(&bench, "anna").sum, 5);
    bench_end(&bench);
}
END_TEST

START_TEST(a_refusal_is_kept_like_a_success)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    struct said first = plain(&bench, "toy.Fail", "k1");
    ck_assert_int_eq(first.status, STATUS_REFUSED);
    struct said again = plain(&bench, "toy.Fail", "k1");
    same(&first, &again);
    ck_assert_uint_eq(bench.node.toy.decided, 1);
    bench_crash(&bench);
    again = plain(&bench, "toy.Fail", "k1");
    same(&first, &again);
    ck_assert_uint_eq(bench.node.toy.decided, 0);
    ck_assert_uint_eq(blocks_of(&bench), 1); /* without any fact */
    ck_assert_uint_eq(journal_end(bench.node.journal).seq, 0);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(what_says_nothing_of_the_command_is_not_kept)
{
    static const char *const methods[] = { "toy.Bad", "toy.Abort" };
    static const enum status statuses[] = { STATUS_MALFORMED, STATUS_ABORTED };
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    ck_assert_int_eq(plain(&bench, methods[_i], "k1").status, statuses[_i]);
    ck_assert_int_eq(plain(&bench, methods[_i], "k1").status, statuses[_i]);
    ck_assert_uint_eq(bench.node.toy.decided, 2);
    ck_assert_uint_eq(blocks_of(&bench), 0);
    ck_assert_int_eq(add(&bench, "k1", "anna", 5).status, STATUS_OK); /* the key is free */
    bench_end(&bench);
}
END_TEST

START_TEST(a_command_without_key_is_refused)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    send_add(&bench, NULL, "anna", 5);
    struct said said = turn(&bench);
    ck_assert_int_eq(said.status, STATUS_MALFORMED);
    ck_assert_uint_eq(said.refusal.violation_count, 1);
    ck_assert_str_eq(said.refusal.violations[0].field, "key");
    ck_assert_uint_eq(bench.node.toy.decided, 0);
    bench_end(&bench);
}
END_TEST

static struct said add_issued(struct bench *bench, const char *key, int64_t issued_at_ms)
{
    toy_add_encode(&(struct toy_add){ "anna", 1, 0 }, &bench->client.body);
    (void)toy_client_send_issued(&bench->client, "toy.Add", key, issued_at_ms);
    return turn(bench);
}

START_TEST(a_key_from_too_long_ago_or_from_the_future_is_refused)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    int64_t oldest = TOY_WALL_MS - LIMIT_REQUEST_AGE_MS;
    int64_t newest = TOY_WALL_MS + LIMIT_FUTURE_MS;
    ck_assert_int_eq(add_issued(&bench, "k1", oldest - 1).status, STATUS_REFUSED);
    ck_assert_int_eq(add_issued(&bench, "k2", oldest).status, STATUS_OK);
    ck_assert_int_eq(add_issued(&bench, "k3", newest).status, STATUS_OK);
    ck_assert_int_eq(add_issued(&bench, "k4", newest + 1).status, STATUS_MALFORMED);
    ck_assert_uint_eq(bench.node.toy.decided, 2);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(keys_are_forgotten_after_seven_days_and_replay_forgets_the_same)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    int64_t issued = bench.clock.wall_ms;
    ck_assert_int_eq(add_issued(&bench, "k1", issued).sum, 1);
    bench.clock.wall_ms += LIMIT_REQUEST_AGE_MS;
    (void)add(&bench, "k2", "berta", 1); /* a block, at whose end nothing is too old yet */
    ck_assert_int_eq(add_issued(&bench, "k1", issued).sum, 1);
    bench_agrees(&bench);
    bench.clock.wall_ms += 1;
    ck_assert_int_eq(add_issued(&bench, "k1", issued).sum, 1); /* still known: the same reply */
    (void)add(&bench, "k3", "berta", 1);
    ck_assert_int_eq(add_issued(&bench, "k1", issued).status, STATUS_REFUSED);
    ck_assert_int_eq(add(&bench, "k1", "anna", 1).sum, 2); /* a new attempt by the same name */
    bench_agrees(&bench);
    bench_crash(&bench);
    ck_assert_int_eq(add_issued(&bench, "k1", issued).status, STATUS_OK);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(many_keys_are_forgotten_over_several_blocks)
{
    struct bench bench;
    struct toy_digests digests;
    char key[16];
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    for (int i = 0; i < 300; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        send_add(&bench, key, "anna", 1);
    }
    toy_node_settle(&bench.node);
    toy_client_close(&bench.client);
    toy_client_open(&bench.client, bench.network, &bench.clock, "client", "loyalty");
    bench.clock.wall_ms += LIMIT_REQUEST_AGE_MS + 1;
    for (int i = 0; i < 3; i++) {
        (void)snprintf(key, sizeof key, "late%d", i);
        (void)add(&bench, key, "anna", 1);
        bench_agrees(&bench);
    }
    toy_node_digests(&bench.node, &digests);
    ck_assert_uint_eq(digests.tables[1].records, 3); /* requests */
    ck_assert_uint_eq(digests.tables[2].records, 3); /* their ages */
    bench_end(&bench);
}
END_TEST

START_TEST(a_service_may_keep_its_keys_for_ever)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ .toy.keeps_keys_for_ever = true });
    int64_t issued = bench.clock.wall_ms;
    struct said first = add_issued(&bench, "k1", issued);
    bench.clock.wall_ms += 400 * DAY_MS;
    (void)add(&bench, "k2", "anna", 1);
    struct said again = add_issued(&bench, "k1", issued);
    same(&first, &again);
    ck_assert_int_eq(add_issued(&bench, "k3", issued).status, STATUS_REFUSED);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

/* A key that was forgotten at a later time must not be taken again at an earlier one. */
START_TEST(wall_time_does_not_go_back_over_a_restart)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    int64_t issued = bench.clock.wall_ms;
    ck_assert_int_eq(add_issued(&bench, "k1", issued).sum, 1);
    bench.clock.wall_ms += LIMIT_REQUEST_AGE_MS + 1;
    (void)add(&bench, "k2", "berta", 1);
    toy_node_stop(&bench.node); /* all is in the checkpoint, no block follows it */
    bench.clock.wall_ms -= DAY_MS;
    toy_node_reopen(&bench.node);
    ck_assert_int_eq(add_issued(&bench, "k1", issued).status, STATUS_REFUSED);
    bench_crash(&bench);
    ck_assert_int_eq(add_issued(&bench, "k1", issued).status, STATUS_REFUSED);
    ck_assert_int_eq(get(&bench, "anna").sum, 1);
    bench_end(&bench);
}
END_TEST

START_TEST(methods_and_bodies_that_nobody_takes_are_refused)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    ck_assert_int_eq(plain(&bench, "toy.Sing", "k1").status, STATUS_UNIMPLEMENTED);
    uint8_t *large = memory_allocate(LIMIT_BODY_BYTES + 1);
    buffer_clear(&bench.client.body);
    ck_assert_int_eq(buffer_append(&bench.client.body, span_of(large, LIMIT_BODY_BYTES + 1)),
                     STATUS_OK);
    free(large);
    (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Add", "k1");
    ck_assert_int_eq(turn(&bench).status, STATUS_MALFORMED);
    ck_assert_uint_eq(bench.node.toy.decided, 0);
    struct transport *transport = &bench.client.transport;
    (void)transport->peer_send(transport->context, TRANSPORT_COMMAND, span_of_text("\xff"),
                               span_of("", 0));
    toy_node_turn(&bench.node);
    struct toy_answer answer;
    ck_assert(toy_client_answer(&bench.client, TRANSPORT_COMMAND, &answer));
    ck_assert_int_eq(answer.header.refusal.status, STATUS_MALFORMED);
    ck_assert_uint_eq(answer.header.request_id, 0);
    toy_answer_release(&answer);
    bench_end(&bench);
}
END_TEST

START_TEST(a_service_tells_its_status)
{
    struct bench bench;
    struct toy_answer answer;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    (void)add(&bench, "k1", "anna", 5);
    send_plain(&bench, "service.Status", NULL);
    toy_node_turn(&bench.node);
    ck_assert(toy_client_answer(&bench.client, TRANSPORT_COMMAND, &answer));
    Kith__V1__StatusReply *reply =
        kith__v1__status_reply__unpack(NULL, answer.body.size, answer.body.data);
    ck_assert_ptr_nonnull(reply);
    ck_assert_str_eq(reply->name, "loyalty");
    ck_assert_uint_eq(reply->seq, 1);
    ck_assert(reply->ready);
    ck_assert_int_eq(reply->now_ms, TOY_WALL_MS);
    ck_assert_uint_eq(reply->epoch, journal_epoch(bench.node.journal));
    kith__v1__status_reply__free_unpacked(reply, NULL);
    toy_answer_release(&answer);
    bench_end(&bench);
}
END_TEST

static Suite *shell_suite(void)
{
    Suite *suite = suite_create("shell");
    TCase *requests = tcase_create("requests");
    tcase_add_test(requests, replies_and_answers_leave_after_the_journal_has_what_they_tell);
    tcase_add_test(requests, a_question_writes_no_block);
    tcase_add_test(requests, a_retry_gets_the_first_reply_whenever_it_comes);
    tcase_add_test(requests, the_nth_outcome_of_a_block_is_found_again);
    tcase_add_test(requests, a_key_with_another_body_or_method_is_refused);
    tcase_add_test(requests, a_refusal_is_kept_like_a_success);
    tcase_add_loop_test(requests, what_says_nothing_of_the_command_is_not_kept, 0, 2);
    tcase_add_test(requests, a_command_without_key_is_refused);
    tcase_add_test(requests, a_key_from_too_long_ago_or_from_the_future_is_refused);
    tcase_add_test(requests, keys_are_forgotten_after_seven_days_and_replay_forgets_the_same);
    tcase_add_test(requests, many_keys_are_forgotten_over_several_blocks);
    tcase_add_test(requests, a_service_may_keep_its_keys_for_ever);
    tcase_add_test(requests, wall_time_does_not_go_back_over_a_restart);
    tcase_add_test(requests, methods_and_bodies_that_nobody_takes_are_refused);
    tcase_add_test(requests, a_service_tells_its_status);
    suite_add_tcase(suite, requests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(shell_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
