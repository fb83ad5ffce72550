/* link: common_feed */
#include "common/feed/feed_pace.h"

#include <check.h>
#include <stdlib.h>

#define NOW_MS INT64_C(5000)
#define MIB ((uint64_t)1024 * 1024)

static struct feed_pace pace_of(uint64_t written)
{
    struct feed_pace pace;
    feed_pace_init(&pace, 0, 10);
    feed_pace_note(&pace, written, 11, NOW_MS);
    return pace;
}

START_TEST(whoever_read_nothing_yet_may_begin_at_once)
{
    struct feed_pace pace = pace_of(MIB);
    ck_assert_int_le(feed_pace_resume_ms(&pace, 0), NOW_MS);
}
END_TEST

START_TEST(what_was_sent_is_waited_for_at_the_pace)
{
    struct feed_pace pace = pace_of(MIB);
    size_t sent = (size_t)20 * FEED_PACE_BYTES_PER_MS;
    uint64_t mark = feed_pace_mark(&pace, 0, sent, NOW_MS);
    ck_assert_int_eq(feed_pace_resume_ms(&pace, mark), NOW_MS + 20);
    /* What was not used before is gone. */
    mark = feed_pace_mark(&pace, mark, sent, NOW_MS + 30);
    ck_assert_int_eq(feed_pace_resume_ms(&pace, mark), NOW_MS + 50);
}
END_TEST

START_TEST(what_is_written_moves_a_reader_on)
{
    struct feed_pace pace = pace_of(MIB);
    size_t sent = (size_t)20 * FEED_PACE_BYTES_PER_MS;
    uint64_t mark = feed_pace_mark(&pace, 0, sent, NOW_MS);
    feed_pace_note(&pace, MIB + 10 * FEED_PACE_BYTES_PER_MS / FEED_PACE_FACTOR, 12, NOW_MS + 1);
    ck_assert_int_eq(feed_pace_resume_ms(&pace, mark), NOW_MS + 10);
    feed_pace_note(&pace, 2 * MIB, 13, NOW_MS + 2);
    ck_assert_int_le(feed_pace_resume_ms(&pace, mark), NOW_MS + 2);
}
END_TEST

START_TEST(a_writer_that_rests_is_not_waited_for)
{
    struct feed_pace pace = pace_of(MIB);
    uint64_t mark = feed_pace_mark(&pace, 0, (size_t)64 * MIB, NOW_MS);
    ck_assert_int_eq(feed_pace_resume_ms(&pace, mark), NOW_MS + FEED_PACE_QUIET_MS);
    feed_pace_note(&pace, MIB, 11, NOW_MS + 30); /* nothing more was written */
    ck_assert_int_eq(feed_pace_resume_ms(&pace, mark), NOW_MS + FEED_PACE_QUIET_MS);
    feed_pace_note(&pace, MIB + 1, 12, NOW_MS + 30);
    ck_assert_int_eq(feed_pace_resume_ms(&pace, mark), NOW_MS + 30 + FEED_PACE_QUIET_MS);
    struct feed_pace rested;
    feed_pace_init(&rested, MIB, 10);
    ck_assert_int_lt(feed_pace_resume_ms(&rested, mark), 0);
}
END_TEST

/* The writer never rests. */
START_TEST(whoever_was_sent_far_more_than_the_pace_gives_goes_on_soon)
{
    struct feed_pace pace = pace_of(MIB);
    uint64_t mark = 0;
    for (int i = 0; i < 1000; i++) {
        mark = feed_pace_mark(&pace, mark, (size_t)MIB, NOW_MS);
    }
    int64_t at_ms = NOW_MS;
    while (feed_pace_resume_ms(&pace, mark) > at_ms) {
        at_ms += 1;
        feed_pace_note(&pace, pace.written + 1, 12, at_ms);
        ck_assert_int_le(at_ms, NOW_MS + FEED_PACE_DEBT_BYTES / FEED_PACE_BYTES_PER_MS);
    }
}
END_TEST

START_TEST(near_is_what_was_written_last)
{
    struct feed_pace pace;
    feed_pace_init(&pace, 0, 10);
    ck_assert(!feed_pace_is_near(&pace, 9));
    ck_assert(feed_pace_is_near(&pace, 10));
    uint64_t written = 0;
    for (uint64_t block = 11; block <= 200; block++) {
        written += MIB;
        feed_pace_note(&pace, written, block, NOW_MS);
        uint64_t near_blocks = FEED_PACE_NEAR_BYTES / MIB;
        ck_assert(feed_pace_is_near(&pace, block));
        ck_assert(block < 10 + near_blocks || feed_pace_is_near(&pace, block - near_blocks));
        ck_assert(block <= 10 + 2 * near_blocks ||
                  !feed_pace_is_near(&pace, block - 2 * near_blocks));
    }
}
END_TEST

static Suite *feed_pace_suite(void)
{
    Suite *suite = suite_create("feed_pace");
    TCase *pace = tcase_create("pace");
    tcase_add_test(pace, whoever_read_nothing_yet_may_begin_at_once);
    tcase_add_test(pace, what_was_sent_is_waited_for_at_the_pace);
    tcase_add_test(pace, what_is_written_moves_a_reader_on);
    tcase_add_test(pace, a_writer_that_rests_is_not_waited_for);
    tcase_add_test(pace, whoever_was_sent_far_more_than_the_pace_gives_goes_on_soon);
    tcase_add_test(pace, near_is_what_was_written_last);
    suite_add_tcase(suite, pace);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(feed_pace_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
