/* link: kith_test_support common_feed */
#include "tests/unit/feed_reader_fixture.h"

/* ---- asking */

START_TEST(the_first_fetch_asks_for_all_from_the_beginning)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_str_eq(request->feed, "ingestion");
    ck_assert_str_eq(request->consumer, "loyalty/0");
    ck_assert_uint_eq(request->epoch, 0);
    ck_assert_uint_eq(request->from, 0);
    ck_assert_uint_eq(request->block, 0);
    ck_assert_uint_eq(request->durable_position, 9);
    ck_assert_uint_eq(request->max_wait_ms, FEED_FETCH_WAIT_MS);
    ck_assert_uint_eq(request->max_bytes, LIMIT_BODY_BYTES);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    reading_end(&reading);
}
END_TEST

/* A filter is 64 bits: a folded type may share its bit with one that is ignored. */
START_TEST(a_fetch_names_folded_types_beside_the_ignored)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_uint_eq(request->n_types_ignored, 2);
    ck_assert_uint_eq(request->types_ignored[0], TOY_ECHOED);
    ck_assert_uint_eq(request->n_types_folded, 2);
    ck_assert_uint_eq(request->types_folded[1], TOY_ADDED + 64);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    reading_end(&reading);
}
END_TEST

/* With the folded types alone the producer would leave out the unknown. */
START_TEST(a_fetch_that_ignores_nothing_names_no_types)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    options.ignored_count = 0;
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_uint_eq(request->n_types_ignored, 0);
    ck_assert_uint_eq(request->n_types_folded, 0);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    reading_end(&reading);
}
END_TEST

START_TEST(a_fetch_for_every_block_has_no_filter)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    options.every_block = true;
    options.partition_last = 15;
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_uint_eq(request->n_partitions, 0);
    ck_assert_uint_eq(request->n_types_ignored, 0);
    ck_assert_uint_eq(request->n_types_folded, 0);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    reading_end(&reading);
}
END_TEST

START_TEST(a_fetch_goes_on_after_the_newest_block_held)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    answer_blocks(&reading, 0, 2);
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_uint_eq(request->epoch, EPOCH);
    ck_assert_uint_eq(request->from, 6);
    ck_assert_uint_eq(request->block, 3);
    ck_assert_mem_eq(request->chain.data, reading.source.blocks[2].after.chain.bytes, 32);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    reading_end(&reading);
}
END_TEST

START_TEST(a_fetch_without_answer_is_sent_again_when_its_time_is_over)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    ck_assert(!ask(&reading));
    ck_assert_int_eq(feed_reader_fetch_at(reading.reader), START_MS + FEED_FETCH_LOST_MS);
    reading.now_ms += FEED_FETCH_LOST_MS - 1;
    ck_assert(!ask(&reading));
    reading.now_ms += 1;
    ck_assert(ask(&reading));
    reading_end(&reading);
}
END_TEST

START_TEST(a_producer_that_answers_nothing_is_silent)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    ck_assert(!feed_reader_is_silent(reading.reader));
    ck_assert(ask(&reading));
    ck_assert(!feed_reader_is_silent(reading.reader)); /* it has time to answer */
    reading.now_ms += FEED_FETCH_LOST_MS;
    ck_assert(ask(&reading));
    ck_assert(feed_reader_is_silent(reading.reader));
    answer_as(&reading, reading.asked, NULL, 0);
    ck_assert(!feed_reader_is_silent(reading.reader));
    ck_assert(ask(&reading));
    ck_assert(!feed_reader_is_silent(reading.reader));
    reading_end(&reading);
}
END_TEST

START_TEST(no_third_fetch_goes_out_while_two_replies_are_held)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    answer_blocks(&reading, 0, 0);
    answer_blocks(&reading, 1, 2);
    size_t held = feed_reader_held_bytes(reading.reader);
    ck_assert_uint_gt(held, 0);
    ck_assert_uint_le(held, LIMIT_CONSUMER_BUFFER_BYTES);
    reading.now_ms += INT64_C(24) * 3600 * 1000;
    ck_assert(!ask(&reading));
    ck_assert_int_eq(feed_reader_fetch_at(reading.reader), INT64_MAX);
    ck_assert_uint_eq(pass(&reading), 1);
    ck_assert_uint_lt(feed_reader_held_bytes(reading.reader), held);
    ck_assert(ask(&reading));
    passes(&reading, 2, 6);
    ck_assert_uint_eq(feed_reader_held_bytes(reading.reader), 0);
    reading_end(&reading);
}
END_TEST

START_TEST(a_reader_is_behind_until_it_has_what_the_producer_had)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    ck_assert(!feed_reader_is_behind(reading.reader)); /* nothing is known yet */
    answer_blocks(&reading, 0, 1);
    ck_assert(feed_reader_is_behind(reading.reader));
    answer_blocks(&reading, 2, BLOCKS - 1); /* before anything was folded */
    ck_assert(!feed_reader_is_behind(reading.reader));
    passes(&reading, 1, 21);
    ck_assert(feed_reader_at_end(reading.reader));
    reading_end(&reading);
}
END_TEST

/* ---- replies that are not taken */

START_TEST(replies_to_older_fetches_are_dropped)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    size_t first[] = { 0 };
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    uint64_t older = reading.asked;
    reading.now_ms += FEED_FETCH_LOST_MS;
    ck_assert(ask(&reading));
    answer_as(&reading, older, first, 1);
    ck_assert_uint_eq(pass(&reading), 0);
    answer_as(&reading, reading.asked, first, 1);
    answer_as(&reading, reading.asked, first, 1); /* the same again */
    answer_as(&reading, 0, first, 1);
    passes(&reading, 1, 1);
    ck_assert_ptr_null(feed_reader_stopped(reading.reader));
    reading_end(&reading);
}
END_TEST

START_TEST(a_reply_before_any_fetch_is_dropped)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    size_t first[] = { 0 };
    reading_begin(&reading, &options);
    answer_as(&reading, 0, first, 1);
    answer_as(&reading, 1, first, 1);
    ck_assert_uint_eq(pass(&reading), 0);
    ck_assert(!feed_reader_progress(reading.reader)->known);
    reading_end(&reading);
}
END_TEST

/* Asking at once would go round as fast as the producer answers. */
START_TEST(a_reply_that_is_no_message_is_asked_for_again_later)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    struct reply_header header = { .request_id = reading.asked };
    reply_header_encode(&header, &reading.header);
    feed_reader_reply(reading.reader, reading.now_ms, buffer_span(&reading.header),
                      span_of_text("\xff\xff"));
    ck_assert_uint_eq(pass(&reading), 0);
    ck_assert_ptr_null(feed_reader_stopped(reading.reader));
    ck_assert(!ask(&reading));
    reading.now_ms = feed_reader_fetch_at(reading.reader);
    answer_blocks(&reading, 0, 0);
    passes(&reading, 1, 1);
    reading_end(&reading);
}
END_TEST

START_TEST(a_reply_without_a_readable_header_changes_nothing)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    feed_reader_reply(reading.reader, reading.now_ms, span_of_text("\xff"), span_of("", 0));
    ck_assert(!ask(&reading));
    ck_assert_int_eq(feed_reader_fetch_at(reading.reader), START_MS + FEED_FETCH_LOST_MS);
    reading_end(&reading);
}
END_TEST

/* ---- facts */

START_TEST(facts_come_one_by_one_over_blocks_and_replies)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct feed_item item = { 0 };
    reading_begin(&reading, &options);
    ck_assert(!feed_reader_item(reading.reader, &item));
    answer_blocks(&reading, 0, 1);
    answer_blocks(&reading, 2, 4);
    ck_assert(feed_reader_item(reading.reader, &item));
    ck_assert(feed_reader_item(reading.reader, &item)); /* looking moves nothing */
    ck_assert_uint_eq(item.seq, 1);
    ck_assert(item.folds);
    ck_assert_uint_eq(item.cause, 3);
    ck_assert_int_eq(item.recorded_at_ms, WALL_MS);
    passes(&reading, 1, 15);
    const struct feed_cursor *cursor = feed_reader_cursor(reading.reader);
    ck_assert_uint_eq(cursor->block, 5);
    ck_assert_uint_eq(cursor->block_seq, 15);
    ck_assert_mem_eq(cursor->chain.bytes, reading.source.blocks[4].after.chain.bytes, 32);
    ck_assert(!feed_reader_at_end(reading.reader));
    answer_blocks(&reading, 5, 5);
    passes(&reading, 16, 21);
    ck_assert(feed_reader_at_end(reading.reader));
    reading_end(&reading);
}
END_TEST

START_TEST(an_empty_reply_tells_how_far_the_producer_is)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    reading.source.input = "ingestion";
    answer(&reading, NULL, 0);
    const struct feed_progress *progress = feed_reader_progress(reading.reader);
    ck_assert(progress->known);
    ck_assert_uint_eq(progress->end, 21);
    ck_assert_int_eq(progress->end_recorded_at_ms, WALL_MS + 7);
    ck_assert_uint_eq(progress->input_count, 1);
    ck_assert_str_eq(progress->inputs[0].feed.name, "ingestion");
    ck_assert_uint_eq(progress->inputs[0].seq, 11);
    ck_assert(progress->has_settled);
    ck_assert_uint_eq(progress->settled.cause, 12);
    ck_assert_int_eq(progress->settled.at_ms, WALL_MS);
    ck_assert(!feed_reader_at_end(reading.reader));
    ck_assert(ask(&reading)); /* the next one may wait at the producer */
    reading_end(&reading);
}
END_TEST

START_TEST(a_block_without_facts_passes_unseen)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    reading_begin(&reading, &options);
    block_builder_release(&reading.source.blocks[1].builder);
    block_start(&reading.source, 1);
    block_record_add(&reading.source.blocks[1].builder, span_of_text("private"));
    block_finish(&reading.source, 1);
    answer_blocks(&reading, 0, 1);
    passes(&reading, 1, 1);
    ck_assert_uint_eq(feed_reader_cursor(reading.reader)->block, 2);
    ck_assert_uint_eq(feed_reader_cursor(reading.reader)->to, 1);
    ck_assert_uint_eq(feed_reader_held_bytes(reading.reader), 0);
    reading_end(&reading);
}
END_TEST

START_TEST(a_block_that_the_filter_left_out_is_passed_as_one)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct feed_item item = { 0 };
    reading_begin(&reading, &options);
    reading.source.header_only[1] = true;
    reading.source.header_only[2] = true;
    answer_blocks(&reading, 0, 3);
    ck_assert_uint_eq(pass(&reading), 1);
    ck_assert(feed_reader_item(reading.reader, &item));
    ck_assert_ptr_null(item.fact);
    ck_assert(!item.folds);
    ck_assert_uint_eq(pass(&reading), 3);
    ck_assert_uint_eq(pass(&reading), 6);
    ck_assert_mem_eq(feed_reader_cursor(reading.reader)->chain.bytes,
                     reading.source.blocks[2].after.chain.bytes, 32);
    passes(&reading, 7, 10);
    reading_end(&reading);
}
END_TEST

START_TEST(facts_of_other_partitions_only_pass)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct feed_item item = { 0 };
    options.partition_first = 16;
    options.partition_last = 31;
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_uint_eq(request->n_partitions, 1);
    ck_assert_uint_eq(request->partitions[0]->first, 16);
    ck_assert_uint_eq(request->partitions[0]->last, 31);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    size_t numbers[] = { 0, 1, 2 };
    answer_as(&reading, reading.asked, numbers, 3);
    /* The nth fact of a block is of partition 16 n. */
    static const bool own[] = { false, false, true, false, true, false };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        ck_assert(feed_reader_item(reading.reader, &item));
        ck_assert_ptr_nonnull(item.fact);
        ck_assert_int_eq(item.folds, own[i]);
        feed_reader_advance(reading.reader);
    }
    reading_end(&reading);
}
END_TEST

START_TEST(a_fact_about_nobody_folds_on_every_shard)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct feed_item item = { 0 };
    struct fact fact = fact_of(TOY_ADDED, 0);
    options.partition_first = 512;
    fact.has_customer = false;
    reading_begin(&reading, &options);
    answer_fact(&reading, &fact);
    ck_assert(feed_reader_item(reading.reader, &item));
    ck_assert(item.folds);
    reading_end(&reading);
}
END_TEST

START_TEST(an_ignored_type_only_passes)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct feed_item item = { 0 };
    struct fact fact = fact_of(TOY_ECHOED, 0);
    reading_begin(&reading, &options);
    answer_fact(&reading, &fact);
    ck_assert(feed_reader_item(reading.reader, &item));
    ck_assert(!item.folds);
    ck_assert_uint_eq(pass(&reading), 1);
    reading_end(&reading);
}
END_TEST

START_TEST(a_reader_without_lists_takes_every_type_and_version)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct feed_item item = { 0 };
    struct fact fact = fact_of(1000, 0);
    fact.version = 9;
    options.folded_count = 0;
    options.ignored_count = 0;
    reading_begin(&reading, &options);
    answer_fact(&reading, &fact);
    ck_assert(feed_reader_item(reading.reader, &item));
    ck_assert(item.folds);
    reading_end(&reading);
}
END_TEST

/* ---- cursors */

START_TEST(reading_goes_on_in_the_middle_of_a_block)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    struct source source;
    source_make(&source);
    options.cursor = (struct feed_cursor){
        .epoch = EPOCH, .to = 5, .block = 2, .block_seq = 3, .chain = source.blocks[1].after.chain
    };
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_uint_eq(request->from, 3);
    ck_assert_uint_eq(request->block, 2);
    ck_assert_uint_eq(request->epoch, EPOCH);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    size_t numbers[] = { 2, 3 };
    answer_as(&reading, reading.asked, numbers, 2);
    passes(&reading, 6, 10);
    source_release(&source);
    reading_end(&reading);
}
END_TEST

START_TEST(the_producer_finds_the_block_of_a_cursor_set_by_hand)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    options.cursor.to = 8;
    reading_begin(&reading, &options);
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_uint_eq(request->from, 8);
    ck_assert(!request->has_block);
    ck_assert(!request->has_chain);
    ck_assert_uint_eq(request->epoch, 0);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    size_t numbers[] = { 3 };
    answer_as(&reading, reading.asked, numbers, 1);
    ck_assert_uint_eq(pass(&reading), 9);
    ck_assert_uint_eq(pass(&reading), 10);
    ck_assert_mem_eq(feed_reader_cursor(reading.reader)->chain.bytes,
                     reading.source.blocks[3].after.chain.bytes, 32);
    answer_blocks(&reading, 4, 5);
    passes(&reading, 11, 21);
    reading_end(&reading);
}
END_TEST

START_TEST(a_gap_after_a_cursor_set_by_hand_stops_the_feed)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    options.cursor.to = 8;
    reading_begin(&reading, &options);
    answer_blocks(&reading, 4, 4); /* begins with 11 */
    is_stopped(&reading, "DATA_LOSS");
    reading_end(&reading);
}
END_TEST

START_TEST(an_empty_reply_leaves_a_cursor_set_by_hand_as_it_is)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    options.cursor.to = 21;
    reading_begin(&reading, &options);
    answer(&reading, NULL, 0);
    ck_assert(feed_reader_at_end(reading.reader));
    ck_assert(ask(&reading));
    Kith__V1__FetchRequest *request = request_of(&reading);
    ck_assert_uint_eq(request->from, 21);
    ck_assert(!request->has_block);
    kith__v1__fetch_request__free_unpacked(request, NULL);
    reading_end(&reading);
}
END_TEST

START_TEST(a_reset_forgets_what_is_held_and_why_it_stopped)
{
    struct reading reading;
    struct feed_reader_options options = options_of();
    size_t first[] = { 0 };
    reading_begin(&reading, &options);
    answer_blocks(&reading, 0, 1);
    ck_assert_uint_eq(pass(&reading), 1);
    ck_assert_uint_eq(pass(&reading), 2); /* in the middle of a block */
    ck_assert(ask(&reading));
    uint64_t before = reading.asked;
    feed_reader_reset(reading.reader, &(struct feed_cursor){ .to = 3 });
    ck_assert_uint_eq(feed_reader_held_bytes(reading.reader), 0);
    ck_assert_uint_eq(pass(&reading), 0);
    answer_as(&reading, before, first, 1); /* of the time before: dropped */
    ck_assert_uint_eq(feed_reader_held_bytes(reading.reader), 0);
    reading.source.epoch = EPOCH + 1; /* a cursor by hand knows no epoch */
    answer_blocks(&reading, 2, 2);
    passes(&reading, 4, 6);
    reading.source.epoch = EPOCH + 2;
    answer_blocks(&reading, 3, 3);
    ck_assert_ptr_nonnull(feed_reader_stopped(reading.reader));
    feed_reader_reset(reading.reader, &(struct feed_cursor){ .to = 6 });
    ck_assert_ptr_null(feed_reader_stopped(reading.reader));
    answer_blocks(&reading, 3, 3);
    passes(&reading, 7, 10);
    reading_end(&reading);
}
END_TEST

static Suite *feed_reader_suite(void)
{
    Suite *suite = suite_create("feed_reader");
    TCase *asking = tcase_create("asking");
    tcase_add_test(asking, the_first_fetch_asks_for_all_from_the_beginning);
    tcase_add_test(asking, a_fetch_names_folded_types_beside_the_ignored);
    tcase_add_test(asking, a_fetch_that_ignores_nothing_names_no_types);
    tcase_add_test(asking, a_fetch_for_every_block_has_no_filter);
    tcase_add_test(asking, a_fetch_goes_on_after_the_newest_block_held);
    tcase_add_test(asking, a_fetch_without_answer_is_sent_again_when_its_time_is_over);
    tcase_add_test(asking, a_producer_that_answers_nothing_is_silent);
    tcase_add_test(asking, no_third_fetch_goes_out_while_two_replies_are_held);
    tcase_add_test(asking, a_reader_is_behind_until_it_has_what_the_producer_had);
    tcase_add_test(asking, replies_to_older_fetches_are_dropped);
    tcase_add_test(asking, a_reply_before_any_fetch_is_dropped);
    tcase_add_test(asking, a_reply_that_is_no_message_is_asked_for_again_later);
    tcase_add_test(asking, a_reply_without_a_readable_header_changes_nothing);
    suite_add_tcase(suite, asking);
    TCase *facts = tcase_create("facts");
    tcase_add_test(facts, facts_come_one_by_one_over_blocks_and_replies);
    tcase_add_test(facts, an_empty_reply_tells_how_far_the_producer_is);
    tcase_add_test(facts, a_block_without_facts_passes_unseen);
    tcase_add_test(facts, a_block_that_the_filter_left_out_is_passed_as_one);
    tcase_add_test(facts, facts_of_other_partitions_only_pass);
    tcase_add_test(facts, a_fact_about_nobody_folds_on_every_shard);
    tcase_add_test(facts, an_ignored_type_only_passes);
    tcase_add_test(facts, a_reader_without_lists_takes_every_type_and_version);
    tcase_add_test(facts, reading_goes_on_in_the_middle_of_a_block);
    tcase_add_test(facts, the_producer_finds_the_block_of_a_cursor_set_by_hand);
    tcase_add_test(facts, a_gap_after_a_cursor_set_by_hand_stops_the_feed);
    tcase_add_test(facts, an_empty_reply_leaves_a_cursor_set_by_hand_as_it_is);
    tcase_add_test(facts, a_reset_forgets_what_is_held_and_why_it_stopped);
    suite_add_tcase(suite, facts);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(feed_reader_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
