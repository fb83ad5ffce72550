/* link: kith_test_support common_service */
#include "tests/unit/feeds_fixture.h"

/* consumer.Accept at a service that keeps no journal: its state alone says what was decided. */

#define INGESTION 0
#define REPORTING 1
#define TURNS_MAX 1000

static const struct toy_node_options ingestion = { .toy.name = "ingestion" };
/* A record a piece: a checkpoint takes several turns, and a crash comes in between. */
static const struct toy_node_options reporting = {
    .toy = { .name = "reporting",
             .reads = { "ingestion" },
             .read_count = 1,
             .keeps_no_journal = true },
    .checkpoint_interval_ms = 100,
    .checkpoint_records = 1,
};
static const struct acceptance from_the_first = { .feed = "ingestion",
                                                  .from = 0,
                                                  .reason = "backup of Monday" };
static const struct acceptance from_the_second = { .feed = "ingestion",
                                                   .from = 1,
                                                   .reason = "backup of Monday" };

static struct town town;

static bool is_ready(void)
{
    char why[256] = "";
    return shell_is_ready(town.nodes[REPORTING].shell, why, sizeof why);
}

/* Reporting has folded a 5, and stands still: ingestion is put back from elsewhere, with three
 * facts of 100. */
static void setup(void)
{
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &reporting);
    town_send_add(&town, INGESTION, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 50);
    toy_node_remove(&town.nodes[INGESTION]);
    toy_node_open(&town.nodes[INGESTION], town.network, &town.clock, &ingestion);
    for (int i = 0; i < 3; i++) {
        town_send_add(&town, INGESTION, &(struct toy_add){ "anna", 100, 0 });
    }
    town_run(&town, 300);
    ck_assert(!is_ready());
}

static void teardown(void)
{
    town_end(&town);
}

/* ---- what it answers */

struct heard {
    bool is_there;
    enum status status;
    size_t header_size; /* without the request id */
    uint8_t header[512];
    size_t body_size;
};

/* The request id stands last in a header: two bytes for numbers below 128. */
#define REQUEST_ID_BYTES 2

static struct heard hear(void)
{
    struct heard heard = { .is_there = false };
    struct toy_answer answer;
    if (!toy_client_answer(&town.clients[REPORTING], TRANSPORT_COMMAND, &answer)) {
        return heard;
    }
    heard.is_there = true;
    heard.status = answer.header.refusal.status;
    heard.header_size = answer.message.header.size - REQUEST_ID_BYTES;
    ck_assert_uint_lt(answer.header.request_id, 128);
    ck_assert_uint_le(heard.header_size, sizeof heard.header);
    memcpy(heard.header, answer.message.header.data, heard.header_size);
    heard.body_size = answer.body.size;
    toy_answer_release(&answer);
    return heard;
}

/* Turns of reporting alone, in no time, until it answers. */
static struct heard await(void)
{
    struct heard heard = hear();
    for (int i = 0; i < TURNS_MAX && !heard.is_there; i++) {
        toy_node_turn(&town.nodes[REPORTING]);
        heard = hear();
    }
    ck_assert(heard.is_there);
    return heard;
}

static void ask(const char *key, const struct acceptance *acceptance)
{
    town_send_accept(&town, REPORTING, key, acceptance);
}

static struct heard accept(const char *key, const struct acceptance *acceptance)
{
    ask(key, acceptance);
    return await();
}

static void same(const struct heard *a, const struct heard *b)
{
    ck_assert_uint_eq(a->header_size, b->header_size);
    ck_assert_mem_eq(a->header, b->header, a->header_size);
    ck_assert_uint_eq(a->body_size, b->body_size);
}

static void crash(void)
{
    toy_node_crash(&town.nodes[REPORTING]);
    toy_node_reopen(&town.nodes[REPORTING]);
}

static int64_t sum(void)
{
    return town_sum(&town, REPORTING, "anna");
}

/* ---- durable before it is told */

START_TEST(what_was_answered_outlives_a_crash)
{
    ck_assert_int_eq(accept("k", &from_the_second).status, STATUS_OK);
    crash();
    town_run(&town, 200);
    ck_assert(is_ready());
    ck_assert_int_eq(sum(), 205);
}
END_TEST

START_TEST(what_was_not_answered_is_decided_anew_under_its_key)
{
    ask("k", &from_the_second);
    toy_node_turn(&town.nodes[REPORTING]);
    ck_assert(!hear().is_there);
    crash();
    town_run(&town, 200);
    ck_assert(!is_ready());
    ck_assert_int_eq(accept("k", &from_the_second).status, STATUS_OK);
    town_run(&town, 200);
    ck_assert(is_ready());
    ck_assert_int_eq(sum(), 205);
}
END_TEST

/* The one that runs was begun before: it holds nothing of it. */
START_TEST(a_checkpoint_that_runs_already_is_not_waited_for_alone)
{
    ask("k", &from_the_second);
    toy_node_turn(&town.nodes[REPORTING]);
    ck_assert(store_checkpoint_running(town.nodes[REPORTING].store));
    ck_assert_int_eq(accept("k2", &from_the_first).status, STATUS_OK); /* the reply to the first */
    ck_assert_int_eq(await().status, STATUS_OK);
    crash();
    town_run(&town, 200);
    ck_assert(is_ready());
    ck_assert_int_eq(sum(), 305);
}
END_TEST

START_TEST(questions_are_answered_meanwhile)
{
    ask("k", &from_the_second);
    toy_node_turn(&town.nodes[REPORTING]);
    ck_assert_int_eq(sum(), 5);
    ck_assert_int_eq(shell_wait_ms(town.nodes[REPORTING].shell), 0);
    ck_assert_int_eq(await().status, STATUS_OK);
}
END_TEST

START_TEST(a_stop_in_order_answers)
{
    ask("k", &from_the_second);
    toy_node_turn(&town.nodes[REPORTING]);
    ck_assert(!hear().is_there);
    toy_node_stop(&town.nodes[REPORTING]);
    ck_assert_int_eq(hear().status, STATUS_OK);
    toy_node_reopen(&town.nodes[REPORTING]);
    town_run(&town, 200);
    ck_assert_int_eq(sum(), 205);
}
END_TEST

/* ---- done once */

START_TEST(the_same_key_again_changes_nothing)
{
    struct heard first = accept("k", &from_the_first);
    ck_assert_int_eq(first.status, STATUS_OK);
    town_run(&town, 200);
    ck_assert_int_eq(sum(), 305);
    struct heard again = accept("k", &from_the_first);
    same(&first, &again);
    town_run(&town, 200);
    ck_assert_int_eq(sum(), 305);
    crash();
    again = accept("k", &from_the_first);
    same(&first, &again);
    town_run(&town, 200);
    ck_assert_int_eq(sum(), 305);
}
END_TEST

START_TEST(a_retry_before_the_checkpoint_waits_for_it_too)
{
    ask("k", &from_the_first);
    ask("k", &from_the_first);
    toy_node_turn(&town.nodes[REPORTING]);
    ask("k", &from_the_first);
    toy_node_turn(&town.nodes[REPORTING]);
    ck_assert(!hear().is_there);
    struct heard first = await();
    for (int i = 0; i < 2; i++) {
        struct heard again = await();
        same(&first, &again);
    }
    crash();
    town_run(&town, 200);
    ck_assert(is_ready());
    ck_assert_int_eq(sum(), 305);
}
END_TEST

START_TEST(the_same_key_with_another_body_is_refused)
{
    ck_assert_int_eq(accept("k", &from_the_second).status, STATUS_OK);
    ck_assert_int_eq(accept("k", &from_the_first).status, STATUS_EXISTS);
    town_run(&town, 200);
    ck_assert_int_eq(sum(), 205);
}
END_TEST

START_TEST(a_refusal_is_kept_under_its_key_too)
{
    struct acceptance wrong = from_the_first;
    wrong.feed = "loyalty";
    struct heard first = accept("k", &wrong);
    ck_assert_int_eq(first.status, STATUS_NOT_FOUND);
    crash();
    struct heard again = accept("k", &wrong);
    same(&first, &again);
    ck_assert_int_eq(accept("k", &from_the_first).status, STATUS_EXISTS);
    town_run(&town, 200);
    ck_assert(!is_ready());
}
END_TEST

START_TEST(a_key_is_forgotten_when_it_is_too_old_to_be_asked_for)
{
    ck_assert_int_eq(accept("k", &from_the_first).status, STATUS_OK);
    town_run(&town, 200);
    town_pass(&town, LIMIT_REQUEST_AGE_MS + DAY_MS);
    town_run(&town, 200);
    struct acceptance end = from_the_first;
    end.from = 3; /* a new attempt, though its key was used once */
    ck_assert_int_eq(accept("k", &end).status, STATUS_OK);
    town_run(&town, 200);
    ck_assert_int_eq(sum(), 305);
}
END_TEST

/* Whoever is not kept gets no answer, and asks again. */
START_TEST(no_more_replies_wait_than_a_turn_makes)
{
    size_t answered = 0;
    for (int i = 0; i < LIMIT_TURN_REQUESTS; i++) {
        ask("k", &from_the_first);
    }
    toy_node_turn(&town.nodes[REPORTING]);
    ask("k", &from_the_first);
    toy_node_settle(&town.nodes[REPORTING]);
    while (hear().is_there) {
        answered += 1;
    }
    ck_assert_uint_eq(answered, LIMIT_TURN_REQUESTS);
    ck_assert_int_eq(accept("k", &from_the_first).status, STATUS_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shell_accept");
    TCase *durable = tcase_create("durable");
    tcase_add_checked_fixture(durable, setup, teardown);
    tcase_set_timeout(durable, 30);
    tcase_add_test(durable, what_was_answered_outlives_a_crash);
    tcase_add_test(durable, what_was_not_answered_is_decided_anew_under_its_key);
    tcase_add_test(durable, a_checkpoint_that_runs_already_is_not_waited_for_alone);
    tcase_add_test(durable, questions_are_answered_meanwhile);
    tcase_add_test(durable, a_stop_in_order_answers);
    suite_add_tcase(suite, durable);
    TCase *once = tcase_create("once");
    tcase_add_checked_fixture(once, setup, teardown);
    tcase_set_timeout(once, 30);
    tcase_add_test(once, the_same_key_again_changes_nothing);
    tcase_add_test(once, a_retry_before_the_checkpoint_waits_for_it_too);
    tcase_add_test(once, the_same_key_with_another_body_is_refused);
    tcase_add_test(once, a_refusal_is_kept_under_its_key_too);
    tcase_add_test(once, a_key_is_forgotten_when_it_is_too_old_to_be_asked_for);
    tcase_add_test(once, no_more_replies_wait_than_a_turn_makes);
    suite_add_tcase(suite, once);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
