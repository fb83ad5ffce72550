/* link: kith_client libzmq libsodium */
#include "tests/unit/libkith_feed_fixture.h"

START_TEST(facts_come_in_order_and_without_gaps)
{
    struct server server;
    struct journal journal;
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    ck_assert_uint_eq(kith_feed_end(feed), 0);
    facts_come(feed, 1, 8);
    nothing_comes(feed);
    ck_assert_uint_eq(kith_feed_end(feed), 8);
    struct kith_cursor cursor = kith_feed_cursor(feed);
    ck_assert_uint_eq(cursor.epoch, EPOCH);
    ck_assert_uint_eq(cursor.block, 3);
    ck_assert_uint_eq(cursor.block_seq, 8);
    ck_assert_mem_eq(cursor.chain, journal.blocks[2].chain, sizeof cursor.chain);
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_fact_has_all_that_the_service_said_of_it)
{
    struct server server;
    struct journal journal;
    struct kith_fact fact;
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    ck_assert_int_eq(kith_feed_next(feed, LATE_MS, &fact, NULL), KITH_OK);
    ck_assert_uint_eq(fact.type, 16);
    ck_assert_int_eq(fact.recorded_at_ms, 5);
    ck_assert_uint_eq(fact.cause, 0);
    ck_assert(fact.has_customer);
    ck_assert_mem_eq(fact.customer, "0123456789abcde", 16);
    ck_assert_str_eq(fact.subject, "c1");
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_reader_goes_on_where_its_cursor_stands)
{
    /* Also within a block, and with one block to a reply. */
    for (uint64_t stop = 0; stop <= 8; stop++) {
        struct server server;
        struct journal journal;
        struct kith_cursor cursor;
        char text[KITH_CURSOR_TEXT_BYTES];
        stage_begin(&server, &journal);
        struct kith_feed *feed = feed_open(&server, NULL);
        facts_come(feed, 1, stop);
        cursor = kith_feed_cursor(feed);
        kith_cursor_write(&cursor, text);
        kith_feed_close(&feed);

        memset(&cursor, 0xff, sizeof cursor);
        ck_assert_int_eq(kith_cursor_read(text, &cursor, NULL), KITH_OK);
        feed = feed_open(&server, &cursor);
        facts_come(feed, stop + 1, 8);
        nothing_comes(feed);
        stage_end(&server, &journal, &feed);
    }
}
END_TEST

START_TEST(a_reader_with_nothing_but_epoch_and_seq_goes_on_after_it)
{
    for (uint64_t stop = 1; stop <= 8; stop++) {
        struct server server;
        struct journal journal;
        struct kith_cursor cursor = { .epoch = EPOCH, .seq = stop };
        stage_begin(&server, &journal);
        struct kith_feed *feed = feed_open(&server, &cursor);
        facts_come(feed, stop + 1, 8);
        nothing_comes(feed);
        stage_end(&server, &journal, &feed);
    }
}
END_TEST

START_TEST(a_fetch_says_where_the_reader_stands_and_what_it_has_saved)
{
    struct server server;
    struct journal journal;
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, 8);
    kith_feed_saved(feed, 6);
    nothing_comes(feed);
    server_end(&server);
    const Kith__V1__FetchRequest *asked = journal.newest;
    ck_assert_str_eq(asked->feed, "loyalty");
    ck_assert_str_eq(asked->consumer, "test");
    ck_assert_uint_eq(asked->epoch, EPOCH);
    ck_assert_uint_eq(asked->from, 8);
    ck_assert_uint_eq(asked->block, 3);
    ck_assert_mem_eq(asked->chain.data, journal.blocks[2].chain, HASH_BYTES);
    ck_assert_uint_eq(asked->durable_position, 6);
    ck_assert_uint_gt(asked->max_wait_ms, 0);
    ck_assert_uint_eq(asked->n_types_folded, 0);
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_service_that_comes_back_is_read_on)
{
    struct server server;
    struct journal journal;
    struct kith_fact fact;
    struct kith_error error;
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, 8);
    nothing_comes(feed);
    server_end(&server);
    enum kith_status status = KITH_OK;
    do {
        status = kith_feed_next(feed, SOON_MS, &fact, &error);
    } while (status == KITH_DEADLINE_EXCEEDED);
    ck_assert_int_eq(status, KITH_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "nobody answers"));

    block_append(&journal, 2);
    server_begin(&server, producer, &journal);
    do {
        status = kith_feed_next(feed, SOON_MS, &fact, &error);
    } while (status == KITH_UNAVAILABLE);
    ck_assert_int_eq(status, KITH_OK);
    ck_assert_uint_eq(fact.seq, 9);
    facts_come(feed, 10, 10);
    stage_end(&server, &journal, &feed);
}
END_TEST

/* ---- filters */

static const uint32_t wanted_types[] = { 16, 18 };
static const uint32_t ignored_types[] = { 17 };

static struct kith_feed *filtered_open(const struct server *server, bool has_ignored)
{
    struct kith_feed *feed = NULL;
    struct kith_feed_options options = {
        .endpoint = server->endpoint,
        .feed = "loyalty",
        .consumer = "test",
        .types = wanted_types,
        .type_count = 2,
        .ignored = ignored_types,
        .ignored_count = has_ignored ? 1 : 0,
    };
    ck_assert_int_eq(kith_feed_open(&feed, &options, NULL), KITH_OK);
    return feed;
}

START_TEST(blocks_that_the_filter_left_out_are_passed)
{
    static const struct fact_plan others[] = { { .type = 17 }, { .type = 40 } };
    struct server server;
    struct journal journal;
    journal_fill(&journal);
    block_append_plans(&journal, others, 2);
    block_append(&journal, 1);
    block_append_plans(&journal, others, 2);
    journal.blocks[3].is_left_out = true;
    journal.blocks[5].is_left_out = true;
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    struct kith_feed *feed = filtered_open(&server, false);
    facts_come(feed, 1, 8);
    facts_come(feed, 11, 11);
    nothing_comes(feed);
    ck_assert_uint_eq(kith_feed_cursor(feed).seq, 13);
    ck_assert_uint_eq(kith_feed_cursor(feed).block, 6);
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(facts_that_were_asked_for_may_not_be_left_out)
{
    for (int i = 0; i < 3; i++) {
        static const struct fact_plan unknown = { .type = 40 };
        struct server server;
        struct journal journal;
        journal_fill(&journal);
        block_append_plans(&journal, &unknown, 1);
        journal.blocks[i == 2 ? 3 : 1].is_left_out = true;
        server_prepare(&server);
        server_begin(&server, producer, &journal);
        struct kith_feed *feed = i == 0 ? feed_open(&server, NULL) : filtered_open(&server, i == 2);
        facts_come(feed, 1, i == 2 ? 8 : 3);
        feed_stops(feed, KITH_DATA_LOSS, "came without its facts");
        stage_end(&server, &journal, &feed);
    }
}
END_TEST

static void mixed_begin(struct server *server, struct journal *journal, uint32_t last_type,
                        uint32_t last_version)
{
    const struct fact_plan plans[] = {
        { .type = 17 },
        { .type = 16 },
        { .type = 17 },
        { .type = 18 },
        { .type = last_type, .version = last_version },
    };
    *journal = (struct journal){ .epoch = EPOCH };
    block_append_plans(journal, plans, 5);
    server_prepare(server);
    server_begin(server, producer, journal);
}

START_TEST(only_wanted_types_are_handed_out)
{
    struct server server;
    struct journal journal;
    mixed_begin(&server, &journal, 99, 7);
    struct kith_feed *feed = filtered_open(&server, false);
    facts_come(feed, 2, 2);
    facts_come(feed, 4, 4);
    nothing_comes(feed); /* what nobody asked for may be of any type and version */
    ck_assert_uint_eq(kith_feed_cursor(feed).seq, 5);
    server_end(&server);
    ck_assert_uint_eq(journal.newest->n_types_folded, 2);
    ck_assert_uint_eq(journal.newest->types_folded[1], 18);
    ck_assert_uint_eq(journal.newest->n_types_ignored, 0);
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_type_in_neither_list_stops_the_feed)
{
    struct server server;
    struct journal journal;
    mixed_begin(&server, &journal, 99, 1);
    struct kith_feed *feed = filtered_open(&server, true);
    facts_come(feed, 2, 2);
    facts_come(feed, 4, 4);
    feed_stops(feed, KITH_UNIMPLEMENTED, "fact 5 has type 99");
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_version_that_is_not_known_stops_the_feed)
{
    for (int i = 0; i < 2; i++) {
        struct server server;
        struct journal journal;
        mixed_begin(&server, &journal, 16, 2);
        struct kith_feed *feed = i == 0 ? filtered_open(&server, false) : feed_open(&server, NULL);
        if (i == 0) {
            facts_come(feed, 2, 2);
            facts_come(feed, 4, 4);
        } else {
            facts_come(feed, 1, 4);
        }
        feed_stops(feed, KITH_UNIMPLEMENTED, "fact 5 has type 16 version 2");
        stage_end(&server, &journal, &feed);
    }
}
END_TEST

/* ---- options and cursors */

START_TEST(options_out_of_bounds_are_refused)
{
    static const uint32_t types[KITH_FEED_TYPES + 1];
    const struct kith_feed_options whole = { .endpoint = "ipc:///tmp/nobody",
                                             .feed = "loyalty",
                                             .consumer = "test" };
    struct kith_feed_options options[8] = {
        whole, whole, whole, whole, whole, whole, whole, whole
    };
    options[0].feed = NULL;
    options[1].consumer = "";
    options[2].endpoint = "nonsense";
    options[3].types = types;
    options[3].type_count = KITH_FEED_TYPES + 1;
    options[4].ignored = types;
    options[4].ignored_count = KITH_FEED_TYPES + 1;
    options[5].cursor = (struct kith_cursor){ .seq = UINT64_MAX };
    options[6].cursor = (struct kith_cursor){ .seq = 3, .block = 1, .block_seq = 4 };
    options[7].cursor = (struct kith_cursor){ .seq = 3, .block_seq = 3 };
    for (size_t i = 0; i < 8; i++) {
        struct kith_feed *feed = NULL;
        ck_assert_int_eq(kith_feed_open(&feed, &options[i], NULL), KITH_INVALID_ARGUMENT);
        ck_assert_ptr_null(feed);
    }
    struct kith_feed *feed = NULL;
    options[3].type_count = KITH_FEED_TYPES;
    ck_assert_int_eq(kith_feed_open(&feed, &options[3], NULL), KITH_OK);
    kith_feed_close(&feed);
}
END_TEST

START_TEST(a_cursor_survives_its_text_and_nothing_else_passes_for_one)
{
    struct kith_cursor cursor = {
        .epoch = UINT64_MAX, .seq = UINT64_MAX, .block = UINT64_MAX, .block_seq = UINT64_MAX
    };
    struct kith_cursor read;
    char text[KITH_CURSOR_TEXT_BYTES];
    memset(cursor.chain, 0xab, sizeof cursor.chain);
    kith_cursor_write(&cursor, text);
    ck_assert_int_eq(kith_cursor_read(text, &read, NULL), KITH_OK);
    ck_assert_uint_eq(read.epoch, UINT64_MAX);
    ck_assert_uint_eq(read.seq, UINT64_MAX);
    ck_assert_uint_eq(read.block, UINT64_MAX);
    ck_assert_uint_eq(read.block_seq, UINT64_MAX);
    ck_assert_mem_eq(read.chain, cursor.chain, sizeof read.chain);

    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) { /* cut anywhere, it is none */
        char cut[KITH_CURSOR_TEXT_BYTES] = "";
        memcpy(cut, text, i);
        ck_assert_int_eq(kith_cursor_read(cut, &read, NULL), KITH_INVALID_ARGUMENT);
    }
    text[size] = 'a';
    text[size + 1] = '\0';
    ck_assert_int_eq(kith_cursor_read(text, &read, NULL), KITH_INVALID_ARGUMENT);
    text[size] = '\n';
    ck_assert_int_eq(kith_cursor_read(text, &read, NULL), KITH_OK);
    ck_assert_int_eq(kith_cursor_read(NULL, &read, NULL), KITH_INVALID_ARGUMENT);
    ck_assert_int_eq(kith_cursor_read("kith-cursor-1 0 99999999999999999999 0 0 ", &read, NULL),
                     KITH_INVALID_ARGUMENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libkith_feed");
    TCase *reading = tcase_create("reading");
    tcase_set_timeout(reading, 60);
    tcase_add_test(reading, facts_come_in_order_and_without_gaps);
    tcase_add_test(reading, a_fact_has_all_that_the_service_said_of_it);
    tcase_add_test(reading, a_reader_goes_on_where_its_cursor_stands);
    tcase_add_test(reading, a_reader_with_nothing_but_epoch_and_seq_goes_on_after_it);
    tcase_add_test(reading, a_fetch_says_where_the_reader_stands_and_what_it_has_saved);
    tcase_add_test(reading, a_service_that_comes_back_is_read_on);
    tcase_add_test(reading, blocks_that_the_filter_left_out_are_passed);
    tcase_add_test(reading, facts_that_were_asked_for_may_not_be_left_out);
    tcase_add_test(reading, only_wanted_types_are_handed_out);
    tcase_add_test(reading, a_type_in_neither_list_stops_the_feed);
    tcase_add_test(reading, a_version_that_is_not_known_stops_the_feed);
    tcase_add_test(reading, options_out_of_bounds_are_refused);
    tcase_add_test(reading, a_cursor_survives_its_text_and_nothing_else_passes_for_one);
    suite_add_tcase(suite, reading);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
