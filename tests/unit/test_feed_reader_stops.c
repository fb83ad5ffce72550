/* link: kith_test_support common_feed */
#include "tests/unit/feed_reader_fixture.h"

START_TEST(refusals_that_no_retry_mends_stop_the_feed)
{
    static const enum status stopping[] = { STATUS_CORRUPT, STATUS_RANGE, STATUS_MALFORMED,
                                            STATUS_NOT_FOUND };
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    answer_refused(&reading, stopping[_i]);
    is_stopped(&reading, "because");
    is_stopped(&reading, status_code_text(stopping[_i]));
    reading_end(&reading);
}
END_TEST

START_TEST(other_refusals_are_retried_after_a_while)
{
    static const enum status passing[] = { STATUS_LIMIT, STATUS_UNREACHABLE, STATUS_INTERNAL,
                                           STATUS_TIMEOUT };
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    answer_refused(&reading, passing[_i]);
    ck_assert_ptr_null(feed_reader_stopped(reading.reader));
    ck_assert(!ask(&reading));
    ck_assert_int_gt(feed_reader_fetch_at(reading.reader), reading.now_ms);
    reading.now_ms = feed_reader_fetch_at(reading.reader);
    ck_assert(ask(&reading));
    reading_end(&reading);
}
END_TEST

START_TEST(another_epoch_stops_the_feed)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    answer_blocks(&reading, 0, 0);
    ck_assert_uint_eq(feed_reader_cursor(reading.reader)->epoch, EPOCH);
    reading.source.epoch = EPOCH + 1;
    answer_blocks(&reading, 1, 1);
    is_stopped(&reading, "epoch");
    ck_assert_uint_eq(feed_reader_cursor(reading.reader)->epoch, EPOCH);
    reading_end(&reading);
}
END_TEST

START_TEST(a_reply_without_epoch_stops_the_feed)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    reading.source.epoch = 0;
    answer_blocks(&reading, 0, 0);
    is_stopped(&reading, "epoch");
    reading_end(&reading);
}
END_TEST

START_TEST(a_missing_block_stops_the_feed)
{
    static const size_t gaps[][2] = { { 0, 2 }, { 1, 2 }, { 0, 0 }, { 1, 0 } };
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    answer(&reading, gaps[_i], 2);
    is_stopped(&reading, "DATA_LOSS");
    ck_assert_uint_eq(feed_reader_cursor(reading.reader)->to, 0);
    reading_end(&reading);
}
END_TEST

START_TEST(a_block_that_was_had_already_stops_the_feed)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    answer_blocks(&reading, 0, 1);
    passes(&reading, 1, 3);
    answer_blocks(&reading, 1, 2);
    is_stopped(&reading, "DATA_LOSS");
    ck_assert_uint_eq(feed_reader_cursor(reading.reader)->to, 3);
    reading_end(&reading);
}
END_TEST

START_TEST(a_block_of_another_chain_stops_the_feed)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    answer_blocks(&reading, 0, 1);
    reading.source.has_chain_before = true;
    reading.source.chain_before = reading.source.blocks[1].after.chain;
    reading.source.chain_before.bytes[31] ^= 1;
    answer_blocks(&reading, 2, 2);
    is_stopped(&reading, "DATA_LOSS");
    reading_end(&reading);
}
END_TEST

START_TEST(a_changed_fact_stops_the_feed)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    struct buffer *part = &reading.source.blocks[1].builder.public_part;
    part->data[part->size - 1] ^= 1;
    answer_blocks(&reading, 0, 1);
    is_stopped(&reading, "DATA_LOSS");
    reading_end(&reading);
}
END_TEST

START_TEST(a_changed_header_stops_the_feed)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    reading.source.blocks[1].builder.header_bytes.data[0] ^= 0x40;
    reading.source.header_only[1] = true;
    answer_blocks(&reading, 0, 1);
    is_stopped(&reading, "DATA_LOSS");
    reading_end(&reading);
}
END_TEST

START_TEST(an_unknown_type_stops_the_feed_before_it)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct fact fact = fact_of(TOY_TIMED, 0);
    reading_begin(&reading, &options);
    answer_fact(&reading, &fact);
    ck_assert_uint_eq(pass(&reading), 0);
    is_stopped(&reading, "type 41");
    ck_assert_uint_eq(feed_reader_cursor(reading.reader)->to, 0);
    reading_end(&reading);
}
END_TEST

START_TEST(a_newer_version_stops_the_feed_whatever_its_type)
{
    static const uint32_t types[] = { TOY_ADDED, TOY_ECHOED };
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct fact fact = fact_of(types[_i], 0);
    fact.version = 2;
    reading_begin(&reading, &options);
    answer_fact(&reading, &fact);
    ck_assert_uint_eq(pass(&reading), 0);
    is_stopped(&reading, "version 2");
    reading_end(&reading);
}
END_TEST

static Suite *feed_reader_stops_suite(void)
{
    Suite *suite = suite_create("feed_reader_stops");
    TCase *stopping = tcase_create("stopping");
    tcase_add_loop_test(stopping, refusals_that_no_retry_mends_stop_the_feed, 0, 4);
    tcase_add_loop_test(stopping, other_refusals_are_retried_after_a_while, 0, 4);
    tcase_add_test(stopping, another_epoch_stops_the_feed);
    tcase_add_test(stopping, a_reply_without_epoch_stops_the_feed);
    tcase_add_loop_test(stopping, a_missing_block_stops_the_feed, 0, 4);
    tcase_add_test(stopping, a_block_that_was_had_already_stops_the_feed);
    tcase_add_test(stopping, a_block_of_another_chain_stops_the_feed);
    tcase_add_test(stopping, a_changed_fact_stops_the_feed);
    tcase_add_test(stopping, a_changed_header_stops_the_feed);
    tcase_add_test(stopping, an_unknown_type_stops_the_feed_before_it);
    tcase_add_loop_test(stopping, a_newer_version_stops_the_feed_whatever_its_type, 0, 2);
    suite_add_tcase(suite, stopping);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(feed_reader_stops_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
