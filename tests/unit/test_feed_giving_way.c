/* link: kith_test_support common_service */
#include "tests/unit/feed_producer_fixture.h"

/* ---- giving way */

/* Four old blocks that take a while at the pace, and one that is new. */
static void pacing_begin(struct fixture *fixture)
{
    fixture_begin(fixture, true);
    for (size_t i = 0; i < 4; i++) {
        append(fixture, &(struct content){ .facts = 8, .type = TOY_ADDED, .body_size = 60000 });
    }
    producer_restart(fixture);
    append_facts(fixture, 1);
    wake(fixture);
}

/* One block at a time. */
static uint64_t fetch_after(struct fixture *fixture, const char *consumer, size_t block)
{
    return fetch(fixture, &(struct want){ .consumer = consumer,
                                          .by_block = true,
                                          .block = block,
                                          .epoch = EPOCH,
                                          .wait_ms = 1000,
                                          .bytes_max = 1 });
}

START_TEST(a_reader_far_behind_gives_way_to_what_is_written)
{
    static const char *const consumers[] = { "reader/0", NULL };
    struct fixture fixture;
    pacing_begin(&fixture);
    fetched_blocks(&fixture, fetch_after(&fixture, consumers[_i], 0), 0, 1);
    uint64_t id = fetch_after(&fixture, consumers[_i], 1);
    no_answer(&fixture);
    int64_t resume_ms = feed_producer_deadline(fixture.producer);
    ck_assert_int_gt(resume_ms, START_MS + 5);
    ck_assert_int_le(resume_ms, START_MS + 50);
    fixture.clock.monotonic_ms = resume_ms - 1;
    wake(&fixture);
    no_answer(&fixture);
    fixture.clock.monotonic_ms = resume_ms;
    wake(&fixture);
    fetched_blocks(&fixture, id, 1, 1);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_reader_far_behind_comes_nearer_with_each_block_that_is_written)
{
    struct fixture fixture;
    pacing_begin(&fixture);
    fetched_blocks(&fixture, fetch_after(&fixture, "reader/0", 0), 0, 1);
    uint64_t id = fetch_after(&fixture, "reader/0", 1);
    no_answer(&fixture);
    append(&fixture, &(struct content){ .facts = 8, .type = TOY_ADDED, .body_size = 60000 });
    wake(&fixture);
    fetched_blocks(&fixture, id, 1, 1);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_reader_far_behind_does_not_wait_where_nothing_is_written)
{
    struct fixture fixture;
    pacing_begin(&fixture);
    fixture.clock.monotonic_ms += 50;
    for (size_t block = 0; block < 4; block++) {
        fetched_blocks(&fixture, fetch_after(&fixture, "reader/0", block), block, 1);
    }
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_reader_near_the_end_gives_way_to_nobody)
{
    struct fixture fixture;
    pacing_begin(&fixture);
    for (size_t i = 0; i < 3; i++) {
        append(&fixture, &(struct content){ .facts = 8, .type = TOY_ADDED, .body_size = 60000 });
        wake(&fixture);
    }
    for (size_t block = 4; block < 8; block++) {
        fetched_blocks(&fixture, fetch_after(&fixture, "reader/0", block), block, 1);
    }
    fixture_end(&fixture);
}
END_TEST

START_TEST(readers_far_behind_do_not_wait_for_each_other)
{
    struct fixture fixture;
    pacing_begin(&fixture);
    fetched_blocks(&fixture, fetch_after(&fixture, "reader/0", 0), 0, 1);
    fetched_blocks(&fixture, fetch_after(&fixture, "reader/1", 0), 0, 1);
    fetched_blocks(&fixture, fetch_after(&fixture, NULL, 0), 0, 1);
    (void)fetch_after(&fixture, "reader/1", 1);
    no_answer(&fixture);
    fixture_end(&fixture);
}
END_TEST

START_TEST(who_gives_way_is_answered_when_its_time_is_over)
{
    struct fixture fixture;
    pacing_begin(&fixture);
    fetched_blocks(&fixture, fetch_after(&fixture, "reader/0", 0), 0, 1);
    uint64_t id = fetch(
        &fixture,
        &(struct want){
            .consumer = "reader/0", .by_block = true, .block = 1, .epoch = EPOCH, .bytes_max = 1 });
    fetched_blocks(&fixture, id, 1, 1);
    fixture_end(&fixture);
}
END_TEST

static Suite *feed_giving_way_suite(void)
{
    Suite *suite = suite_create("feed_giving_way");
    TCase *pacing = tcase_create("pacing");
    tcase_add_loop_test(pacing, a_reader_far_behind_gives_way_to_what_is_written, 0, 2);
    tcase_add_test(pacing, a_reader_far_behind_comes_nearer_with_each_block_that_is_written);
    tcase_add_test(pacing, a_reader_far_behind_does_not_wait_where_nothing_is_written);
    tcase_add_test(pacing, a_reader_near_the_end_gives_way_to_nobody);
    tcase_add_test(pacing, readers_far_behind_do_not_wait_for_each_other);
    tcase_add_test(pacing, who_gives_way_is_answered_when_its_time_is_over);
    suite_add_tcase(suite, pacing);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(feed_giving_way_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
