/* link: kith_test_support common_service */
#include "tests/unit/feed_producer_fixture.h"

/* ---- parking */

START_TEST(a_parked_fetch_is_answered_when_there_is_a_block)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    uint64_t id = fetch(&fixture, &(struct want){ .wait_ms = 500 });
    no_answer(&fixture);
    ck_assert_uint_eq(feed_producer_parked(fixture.producer), 1);
    wake(&fixture);
    no_answer(&fixture);
    append_facts(&fixture, 1);
    wake(&fixture);
    fetched_blocks(&fixture, id, 0, 1);
    ck_assert_uint_eq(feed_producer_parked(fixture.producer), 0);
    wake(&fixture);
    no_answer(&fixture);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_parked_fetch_is_answered_with_nothing_when_its_time_is_over)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    fixture.inputs = (struct feed_inputs){ .count = 1, .inputs = { { { "loyalty", 3 }, 17 } } };
    ck_assert_int_eq(feed_producer_deadline(fixture.producer), INT64_MAX);
    uint64_t id = fetch(&fixture, &(struct want){ .wait_ms = 500 });
    ck_assert_int_eq(feed_producer_deadline(fixture.producer), START_MS + 500);
    fixture.clock.monotonic_ms += 499;
    wake(&fixture);
    no_answer(&fixture);
    fixture.clock.monotonic_ms += 1;
    wake(&fixture);
    Kith__V1__FetchReply *reply = fetched(&fixture, id);
    ck_assert_uint_eq(reply->n_blocks, 0);
    ck_assert_uint_eq(reply->epoch, EPOCH);
    ck_assert_uint_eq(reply->n_inputs, 1);
    ck_assert_str_eq(reply->inputs[0]->feed, "loyalty");
    ck_assert_uint_eq(reply->inputs[0]->shard, 3);
    ck_assert_uint_eq(reply->inputs[0]->seq, 17);
    fetched_free(reply);
    ck_assert_int_eq(feed_producer_deadline(fixture.producer), INT64_MAX);
    fixture_end(&fixture);
}
END_TEST

START_TEST(no_fetch_is_parked_longer_than_the_bound)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    (void)fetch(&fixture, &(struct want){ .wait_ms = UINT32_MAX });
    ck_assert_int_eq(feed_producer_deadline(fixture.producer), START_MS + LIMIT_PARKED_MS);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_fetch_that_does_not_wait_is_answered_with_nothing)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    uint64_t id = fetch(&fixture, &(struct want){ .consumer = "loyalty/0" });
    fetched_blocks(&fixture, id, 0, 0);
    id = fetch(&fixture, &(struct want){ .consumer = "loyalty/0" });
    fetched_blocks(&fixture, id, 0, 0);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_newer_fetch_of_a_consumer_replaces_its_older)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    greet(&fixture, "loyalty/0");
    greet(&fixture, "loyalty/1");
    (void)fetch(&fixture, &(struct want){ .consumer = "loyalty/0", .wait_ms = 500 });
    uint64_t other = fetch(&fixture, &(struct want){ .consumer = "loyalty/1", .wait_ms = 500 });
    uint64_t newer = fetch(&fixture, &(struct want){ .consumer = "loyalty/0", .wait_ms = 500 });
    ck_assert_uint_eq(feed_producer_parked(fixture.producer), 2);
    append_facts(&fixture, 1);
    wake(&fixture);
    fetched_blocks(&fixture, other, 0, 1);
    fetched_blocks(&fixture, newer, 0, 1);
    no_answer(&fixture);
    fixture_end(&fixture);
}
END_TEST

START_TEST(readers_without_a_name_do_not_replace_each_other)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    uint64_t one = fetch(&fixture, &(struct want){ .wait_ms = 500 });
    uint64_t two = fetch(&fixture, &(struct want){ .wait_ms = 500 });
    append_facts(&fixture, 1);
    wake(&fixture);
    fetched_blocks(&fixture, one, 0, 1);
    fetched_blocks(&fixture, two, 0, 1);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_request_too_many_is_refused_with_a_time_to_come_back)
{
    struct fixture fixture;
    struct toy_answer answer;
    fixture_begin(&fixture, true);
    for (int i = 0; i < LIMIT_PARKED; i++) {
        (void)fetch(&fixture, &(struct want){ .wait_ms = 500 });
    }
    ck_assert_uint_eq(feed_producer_parked(fixture.producer), LIMIT_PARKED);
    no_answer(&fixture);
    uint64_t id = fetch(&fixture, &(struct want){ .wait_ms = 500 });
    ck_assert(toy_client_answer(&fixture.client, TRANSPORT_FEED, &answer));
    ck_assert_uint_eq(answer.header.request_id, id);
    ck_assert_int_eq(answer.header.refusal.status, STATUS_LIMIT);
    ck_assert_uint_gt(answer.header.refusal.retry_after_ms, 0);
    toy_answer_release(&answer);
    fixture.clock.monotonic_ms += 500;
    wake(&fixture);
    ck_assert_uint_eq(feed_producer_parked(fixture.producer), 0);
    fixture_end(&fixture);
}
END_TEST

START_TEST(moved_inputs_wake_a_reader_once)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    fixture.inputs = (struct feed_inputs){ .count = 1, .inputs = { { { "loyalty", 0 }, 1 } } };
    greet(&fixture, "reporting/0");
    uint64_t id = fetch(&fixture, &(struct want){ .consumer = "reporting/0", .wait_ms = 500 });
    wake(&fixture);
    no_answer(&fixture);
    fixture.inputs.inputs[0].seq = 2;
    wake(&fixture);
    Kith__V1__FetchReply *reply = fetched(&fixture, id);
    ck_assert_uint_eq(reply->n_blocks, 0);
    ck_assert_uint_eq(reply->inputs[0]->seq, 2);
    fetched_free(reply);
    (void)fetch(&fixture, &(struct want){ .consumer = "reporting/0", .wait_ms = 500 });
    wake(&fixture);
    no_answer(&fixture);
    ck_assert_uint_eq(feed_producer_parked(fixture.producer), 1);
    fixture_end(&fixture);
}
END_TEST

/* Under the event clock: where its cause rises, its time may be one less than before. */
START_TEST(what_is_settled_is_told_and_wakes_a_reader_when_it_grows)
{
    static const struct feed_moment moments[] = { { 0, -9 }, { 0, -8 }, { 1, -9 }, { 1, 70 } };
    struct fixture fixture;
    fixture_begin(&fixture, true);
    greet(&fixture, "reporting/0");
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        uint64_t id = fetch(&fixture, &(struct want){ .consumer = "reporting/0", .wait_ms = 500 });
        no_answer(&fixture);
        fixture.inputs.has_settled = true;
        fixture.inputs.settled = moments[i];
        wake(&fixture);
        Kith__V1__FetchReply *reply = fetched(&fixture, id);
        ck_assert(reply->has_settled_cause && reply->has_settled_at_ms);
        ck_assert_uint_eq(reply->settled_cause, moments[i].cause);
        ck_assert_int_eq(reply->settled_at_ms, moments[i].at_ms);
        fetched_free(reply);
    }
    fixture_end(&fixture);
}
END_TEST

/* What moved while no Fetch was there is told with the next one. */
START_TEST(inputs_that_moved_between_two_fetches_are_told_at_once)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    fixture.inputs = (struct feed_inputs){ .count = 1, .inputs = { { { "loyalty", 0 }, 1 } } };
    greet(&fixture, "reporting/0");
    fixture.inputs.inputs[0].seq = 5;
    uint64_t id = fetch(&fixture, &(struct want){ .consumer = "reporting/0", .wait_ms = 500 });
    fetched_blocks(&fixture, id, 0, 0);
    fixture_end(&fixture);
}
END_TEST

/* ---- Wait */

struct waiting {
    const char *feed;
    uint32_t shard;
    uint64_t seq;
};

static uint64_t wait_for(struct fixture *fixture, const struct waiting *waiting,
                         uint32_t timeout_ms)
{
    Kith__V1__WaitRequest request = KITH__V1__WAIT_REQUEST__INIT;
    Kith__V1__Position position = KITH__V1__POSITION__INIT;
    Kith__V1__Position *positions[1] = { &position };
    char feed[24];
    (void)snprintf(feed, sizeof feed, "%s", waiting->feed);
    position.feed = feed;
    position.has_shard = 1;
    position.shard = waiting->shard;
    position.has_seq = 1;
    position.seq = waiting->seq;
    request.positions = positions;
    request.n_positions = 1;
    request.has_timeout_ms = 1;
    request.timeout_ms = timeout_ms;
    return send(fixture, "feed.Wait", &request.base);
}

static void waited(struct fixture *fixture, uint64_t id, bool reached)
{
    struct toy_answer answer;
    ck_assert(toy_client_answer(&fixture->client, TRANSPORT_FEED, &answer));
    ck_assert_uint_eq(answer.header.request_id, id);
    ck_assert_int_eq(answer.header.refusal.status, STATUS_OK);
    Kith__V1__WaitReply *reply =
        kith__v1__wait_reply__unpack(NULL, answer.body.size, answer.body.data);
    ck_assert_ptr_nonnull(reply);
    ck_assert(reply->has_reached);
    ck_assert_int_eq(reply->reached != 0, reached);
    ck_assert_str_eq(reply->end->feed, "ingestion");
    ck_assert_uint_eq(reply->end->seq,
                      fixture->journal == NULL ? 0 : journal_end(fixture->journal).seq);
    ck_assert_uint_eq(reply->n_inputs, fixture->inputs.count);
    kith__v1__wait_reply__free_unpacked(reply, NULL);
    toy_answer_release(&answer);
}

START_TEST(a_wait_is_answered_when_all_is_folded)
{
    struct fixture fixture;
    struct waiting loyalty = { "loyalty", 0, 5 };
    fixture_begin(&fixture, true);
    fixture.inputs = (struct feed_inputs){ .count = 1, .inputs = { { { "loyalty", 0 }, 4 } } };
    uint64_t id = wait_for(&fixture, &loyalty, 1000);
    no_answer(&fixture);
    wake(&fixture);
    no_answer(&fixture);
    fixture.inputs.inputs[0].seq = 5;
    wake(&fixture);
    waited(&fixture, id, true);
    id = wait_for(&fixture, &loyalty, 1000);
    waited(&fixture, id, true);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_wait_says_so_when_its_time_is_over)
{
    struct fixture fixture;
    struct waiting own = { "ingestion", 0, 2 };
    fixture_begin(&fixture, true);
    append_facts(&fixture, 1);
    uint64_t id = wait_for(&fixture, &own, 0);
    waited(&fixture, id, false);
    id = wait_for(&fixture, &own, 1000);
    ck_assert_int_eq(feed_producer_deadline(fixture.producer), START_MS + 1000);
    fixture.clock.monotonic_ms += 1000;
    wake(&fixture);
    waited(&fixture, id, false);
    id = wait_for(&fixture, &own, 1000);
    append_facts(&fixture, 1);
    wake(&fixture);
    waited(&fixture, id, true);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_wait_for_what_is_not_read_here_waits_for_nothing)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    fixture.inputs = (struct feed_inputs){ .count = 1, .inputs = { { { "loyalty", 0 }, 4 } } };
    uint64_t id = wait_for(&fixture, &(struct waiting){ "campaign", 0, 9 }, 1000);
    waited(&fixture, id, true);
    id = wait_for(&fixture, &(struct waiting){ "loyalty", 1, 9 }, 1000);
    waited(&fixture, id, true);
    id = wait_for(&fixture, &(struct waiting){ "ingestion", 1, 9 }, 1000);
    waited(&fixture, id, true);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_wait_for_too_many_positions_is_malformed)
{
    struct fixture fixture;
    Kith__V1__WaitRequest request = KITH__V1__WAIT_REQUEST__INIT;
    Kith__V1__Position position = KITH__V1__POSITION__INIT;
    Kith__V1__Position *positions[LIMIT_FEEDS + 1];
    fixture_begin(&fixture, true);
    for (size_t i = 0; i < LIMIT_FEEDS + 1; i++) {
        positions[i] = &position;
    }
    request.positions = positions;
    request.n_positions = LIMIT_FEEDS + 1;
    refused(&fixture, send(&fixture, "feed.Wait", &request.base), STATUS_MALFORMED);
    request.n_positions = LIMIT_FEEDS;
    waited(&fixture, send(&fixture, "feed.Wait", &request.base), true);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_service_without_journal_answers_wait_only)
{
    struct fixture fixture;
    fixture_begin(&fixture, false);
    fixture.inputs = (struct feed_inputs){ .count = 1, .inputs = { { { "loyalty", 0 }, 4 } } };
    refused(&fixture, fetch(&fixture, &(struct want){ .wait_ms = 10 }), STATUS_NOT_FOUND);
    waited(&fixture, wait_for(&fixture, &(struct waiting){ "loyalty", 0, 4 }, 10), true);
    struct feed_consumer consumers[1];
    ck_assert_uint_eq(feed_producer_consumers(fixture.producer, consumers, 1), 0);
    fixture_end(&fixture);
}
END_TEST

/* ---- the registry */

START_TEST(consumers_are_known_with_their_lag)
{
    struct fixture fixture;
    struct feed_consumer consumers[4];
    fixture_begin(&fixture, true);
    append_facts(&fixture, 10);
    (void)fetch(&fixture, &(struct want){ .consumer = "loyalty/0", .durable = 4 });
    (void)fetch(&fixture, &(struct want){ .consumer = "reporting/0", .durable = 10 });
    (void)fetch(&fixture, &(struct want){ .durable = 1 });
    ck_assert_uint_eq(feed_producer_consumers(fixture.producer, consumers, 4), 2);
    ck_assert_str_eq(consumers[0].name, "loyalty/0");
    ck_assert_uint_eq(consumers[0].durable_position, 4);
    ck_assert_uint_eq(consumers[0].lag, 6);
    ck_assert_uint_eq(consumers[1].lag, 0);
    fixture.clock.monotonic_ms += 9;
    (void)fetch(&fixture, &(struct want){ .consumer = "loyalty/0", .durable = 7 });
    ck_assert_uint_eq(feed_producer_consumers(fixture.producer, consumers, 1), 1);
    ck_assert_uint_eq(consumers[0].lag, 3);
    ck_assert_int_eq(consumers[0].seen_ms, START_MS + 9);
    fixture_end(&fixture);
}
END_TEST

static size_t registry_find(const struct feed_registry *registry, const char *name)
{
    struct feed_consumer consumers[FEED_CONSUMERS_MAX];
    size_t found = 0;
    size_t count = feed_registry_list(registry, 0, consumers, FEED_CONSUMERS_MAX);
    for (size_t i = 0; i < count; i++) {
        found += strcmp(consumers[i].name, name) == 0 ? 1 : 0;
    }
    return found;
}

START_TEST(a_full_registry_gives_a_new_consumer_the_place_of_the_longest_unseen)
{
    struct feed_registry registry = { 0 };
    char name[32];
    for (int i = 0; i < FEED_CONSUMERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "reader/%d", i);
        ck_assert_uint_eq(feed_registry_note(&registry, name, 1, 1000 + i), UINT64_MAX);
        feed_registry_told(&registry, name, 7);
    }
    ck_assert_uint_eq(feed_registry_note(&registry, "reader/0", 1, 5000), 7);
    ck_assert_uint_eq(feed_registry_note(&registry, "newcomer", 1, 5001), UINT64_MAX);
    ck_assert_uint_eq(registry.count, FEED_CONSUMERS_MAX);
    ck_assert_uint_eq(registry_find(&registry, "newcomer"), 1);
    ck_assert_uint_eq(registry_find(&registry, "reader/0"), 1);
    ck_assert_uint_eq(registry_find(&registry, "reader/1"), 0);
    ck_assert_uint_eq(registry_find(&registry, "reader/2"), 1);
    feed_registry_told(&registry, "reader/1", 9); /* unknown by now */
    ck_assert_uint_eq(registry_find(&registry, "reader/1"), 0);
}
END_TEST

static Suite *feed_parking_suite(void)
{
    Suite *suite = suite_create("feed_parking");
    TCase *parking = tcase_create("parking");
    tcase_add_test(parking, a_parked_fetch_is_answered_when_there_is_a_block);
    tcase_add_test(parking, a_parked_fetch_is_answered_with_nothing_when_its_time_is_over);
    tcase_add_test(parking, no_fetch_is_parked_longer_than_the_bound);
    tcase_add_test(parking, a_fetch_that_does_not_wait_is_answered_with_nothing);
    tcase_add_test(parking, a_newer_fetch_of_a_consumer_replaces_its_older);
    tcase_add_test(parking, readers_without_a_name_do_not_replace_each_other);
    tcase_add_test(parking, a_request_too_many_is_refused_with_a_time_to_come_back);
    tcase_add_test(parking, moved_inputs_wake_a_reader_once);
    tcase_add_test(parking, inputs_that_moved_between_two_fetches_are_told_at_once);
    tcase_add_test(parking, what_is_settled_is_told_and_wakes_a_reader_when_it_grows);
    suite_add_tcase(suite, parking);
    TCase *waiting = tcase_create("waiting");
    tcase_add_test(waiting, a_wait_is_answered_when_all_is_folded);
    tcase_add_test(waiting, a_wait_says_so_when_its_time_is_over);
    tcase_add_test(waiting, a_wait_for_what_is_not_read_here_waits_for_nothing);
    tcase_add_test(waiting, a_wait_for_too_many_positions_is_malformed);
    tcase_add_test(waiting, a_service_without_journal_answers_wait_only);
    tcase_add_test(waiting, consumers_are_known_with_their_lag);
    tcase_add_test(waiting, a_full_registry_gives_a_new_consumer_the_place_of_the_longest_unseen);
    suite_add_tcase(suite, waiting);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(feed_parking_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
