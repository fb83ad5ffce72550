/* link: kith_test_support common_service */
#include "common/journal/journal_file.h"
#include "tests/unit/feed_producer_fixture.h"

#define READERS_MOST 1025 /* one more than a journal allows */

/* ---- blocks */

struct copied {
    uint8_t header[256];
    size_t header_size;
    uint8_t public_part[4096];
    size_t public_size;
};

static bool block_copy(void *argument, const struct block *block)
{
    struct copied *copied = argument;
    ck_assert_uint_le(block->header_bytes.size, sizeof copied->header);
    ck_assert_uint_le(block->public_part.size, sizeof copied->public_part);
    memcpy(copied->header, block->header_bytes.data, block->header_bytes.size);
    memcpy(copied->public_part, block->public_part.data, block->public_part.size);
    copied->header_size = block->header_bytes.size;
    copied->public_size = block->public_part.size;
    return false;
}

START_TEST(a_fetch_is_answered_with_the_blocks_as_they_are_stored)
{
    struct fixture fixture;
    struct copied stored;
    fixture_begin(&fixture, true);
    append_facts(&fixture, 3);
    append_facts(&fixture, 2);
    uint64_t id = fetch(&fixture, &(struct want){ .wait_ms = 100 });
    Kith__V1__FetchReply *reply = fetched(&fixture, id);
    ck_assert_uint_eq(reply->n_blocks, 2);
    ck_assert_uint_eq(reply->end, 5);
    ck_assert_int_eq(reply->end_recorded_at_ms, WALL_MS + 5);
    ck_assert_int_eq(journal_read_one(fixture.journal, 4, 2, block_copy, &stored), STATUS_OK);
    ck_assert_uint_eq(reply->blocks[1]->header.len, stored.header_size);
    ck_assert_mem_eq(reply->blocks[1]->header.data, stored.header, stored.header_size);
    ck_assert_uint_eq(reply->blocks[1]->public_part.len, stored.public_size);
    ck_assert_mem_eq(reply->blocks[1]->public_part.data, stored.public_part, stored.public_size);
    fetched_free(reply);
    ck_assert_uint_eq(feed_producer_parked(fixture.producer), 0);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_fetch_goes_on_where_the_reader_stands)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    append_facts(&fixture, 3);
    append_facts(&fixture, 0); /* private only */
    append_facts(&fixture, 2);
    append_facts(&fixture, 4);
    for (size_t block = 0; block < 4; block++) {
        uint64_t id =
            fetch(&fixture, &(struct want){ .by_block = true, .block = block, .epoch = EPOCH });
        fetched_blocks(&fixture, id, block, 4 - block);
    }
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_cursor_without_block_is_found_by_the_fact_that_follows)
{
    /* Facts 1-3, none, 4-5, 6-9: the seq, and the block before what follows it. A block
     * without facts goes with what comes after. */
    static const size_t before[] = { 0, 0, 0, 2, 2, 3, 3, 3, 3, 4 };
    struct fixture fixture;
    fixture_begin(&fixture, true);
    append_facts(&fixture, 3);
    append_facts(&fixture, 0);
    append_facts(&fixture, 2);
    append_facts(&fixture, 4);
    for (uint64_t from = 0; from <= 9; from++) {
        uint64_t id = fetch(&fixture, &(struct want){ .from = from });
        fetched_blocks(&fixture, id, before[from], 4 - before[from]);
    }
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_reply_stops_at_its_bytes_but_holds_one_block_at_least)
{
    struct fixture fixture;
    struct content large = { .facts = 4, .type = TOY_ADDED, .body_size = 10000 };
    fixture_begin(&fixture, true);
    append(&fixture, &large);
    append(&fixture, &large);
    append(&fixture, &large);
    uint64_t id = fetch(&fixture, &(struct want){ .bytes_max = 1 });
    fetched_blocks(&fixture, id, 0, 1);
    id = fetch(&fixture, &(struct want){ .bytes_max = 85000 });
    fetched_blocks(&fixture, id, 0, 2);
    id = fetch(&fixture, &(struct want){ .bytes_max = UINT32_MAX });
    fetched_blocks(&fixture, id, 0, 3);
    fixture_end(&fixture);
}
END_TEST

/* Whatever is asked for, a reply holds at most LIMIT_BODY_BYTES and one block. */
START_TEST(no_reply_is_larger_than_a_message)
{
    struct fixture fixture;
    struct content full = { .facts = 16, .type = TOY_ADDED, .body_size = LIMIT_RECORD_BYTES - 64 };
    fixture_begin(&fixture, true);
    append(&fixture, &(struct content){ .facts = 9, .type = TOY_ADDED, .body_size = 60000 });
    append(&fixture, &full);
    append(&fixture, &full);
    uint64_t id = fetch(&fixture, &(struct want){ .bytes_max = UINT32_MAX });
    fetched_blocks(&fixture, id, 0, 1);
    id = fetch(&fixture, &(struct want){ .by_block = true, .block = 1 });
    fetched_blocks(&fixture, id, 1, 1);
    fixture_end(&fixture);
}
END_TEST

/* ---- filters */

static const uint32_t some_types[] = { TOY_ADDED, TOY_ECHOED };

struct filter {
    uint32_t partition_first; /* 0 and 0: no filter */
    uint32_t partition_last;
    uint32_t folded; /* 0: none */
    uint32_t ignored;
    bool is_whole[4];
};

/* Blocks of (type, partition): (40, 0), (43, 20), (40, 1023), and one without facts. */
static const struct filter filters[] = {
    { 0, 0, 0, 0, { true, true, true, false } },
    { 0, 15, 0, 0, { true, false, false, false } },
    { 16, 31, 0, 0, { false, true, false, false } },
    { 1008, 5000, 0, 0, { false, false, true, false } },
    { 9, 8, 0, 0, { false, false, false, false } },
    { 0, 0, 0, TOY_ADDED, { false, true, false, false } },
    { 0, 0, TOY_ADDED, 0, { true, false, true, false } },
    { 0, 0, TOY_ADDED, TOY_ECHOED, { true, false, true, false } },
    { 0, 0, 0, TOY_TIMED, { true, true, true, false } },
    { 0, 0, TOY_ADDED + 64, TOY_ADDED, { true, true, true, false } },
    { 0, 31, 0, TOY_ADDED, { false, true, false, false } },
};
#define FILTERS ((int)(sizeof filters / sizeof filters[0]))

START_TEST(a_filter_leaves_headers)
{
    struct fixture fixture;
    const struct filter *filter = &filters[_i];
    Kith__V1__FetchRequest request = fetch_of(&(struct want){ .from = 0 });
    Kith__V1__PartitionRange range = KITH__V1__PARTITION_RANGE__INIT;
    Kith__V1__PartitionRange *ranges[1] = { &range };
    uint32_t folded = filter->folded;
    uint32_t ignored = filter->ignored;
    fixture_begin(&fixture, true);
    append(&fixture, &(struct content){ .facts = 1, .type = some_types[0], .partition = 0 });
    append(&fixture, &(struct content){ .facts = 2, .type = some_types[1], .partition = 20 });
    append(&fixture, &(struct content){ .facts = 1, .type = some_types[0], .partition = 1023 });
    append(&fixture, &(struct content){ .facts = 0 });
    range.has_first = 1;
    range.first = filter->partition_first;
    range.has_last = 1;
    range.last = filter->partition_last;
    request.feed = fixture.feed;
    request.partitions = ranges;
    request.n_partitions = filter->partition_first + filter->partition_last == 0 ? 0 : 1;
    request.types_folded = &folded;
    request.n_types_folded = folded == 0 ? 0 : 1;
    request.types_ignored = &ignored;
    request.n_types_ignored = ignored == 0 ? 0 : 1;
    uint64_t id = send(&fixture, "feed.Fetch", &request.base);
    Kith__V1__FetchReply *reply = fetched(&fixture, id);
    ck_assert_uint_eq(reply->n_blocks, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert(reply->blocks[i]->has_header);
        ck_assert_int_eq(reply->blocks[i]->has_public_part != 0, filter->is_whole[i]);
    }
    fetched_free(reply);
    fixture_end(&fixture);
}
END_TEST

/* ---- what is refused */

START_TEST(another_epoch_is_data_loss)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    append_facts(&fixture, 1);
    uint64_t id = fetch(&fixture, &(struct want){ .epoch = EPOCH + 1, .by_block = true });
    refused(&fixture, id, STATUS_CORRUPT);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_chain_or_block_that_is_not_here_is_data_loss)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    append_facts(&fixture, 3);
    append_facts(&fixture, 1);
    fixture.ends[3] = (struct journal_position){ .seq = 9, .block = 5 }; /* beyond the end */
    fixture.ends[4] = (struct journal_position){ .seq = 2, .block = 1 }; /* within a block */
    fixture.ends[5] = fixture.ends[1];                                   /* another chain */
    fixture.ends[5].chain.bytes[0] ^= 1;
    fixture.ends[6] = fixture.ends[0];
    fixture.ends[6].chain.bytes[0] ^= 1;
    for (size_t block = 3; block <= 6; block++) {
        uint64_t id = fetch(&fixture, &(struct want){ .by_block = true, .block = block });
        refused(&fixture, id, STATUS_CORRUPT);
    }
    fixture_end(&fixture);
}
END_TEST

/* As when too many read it, or memory is short. */
START_TEST(a_journal_that_cannot_be_read_now_is_no_data_loss)
{
    struct fixture fixture;
    MDB_txn *readers[READERS_MOST] = { NULL };
    size_t count = 0;
    fixture_begin(&fixture, true);
    append_facts(&fixture, 3);
    append_facts(&fixture, 1);
    for (size_t i = 0; i < JOURNAL_BORDERS; i++) {
        fixture.journal->borders[i] = (struct journal_position){ 0 };
    }
    while (mdb_txn_begin(fixture.journal->environment, NULL, MDB_RDONLY, &readers[count]) ==
           MDB_SUCCESS) {
        count += 1;
        ck_assert_uint_lt(count, READERS_MOST);
    }
    uint64_t id = fetch(&fixture, &(struct want){ .by_block = true, .block = 1 });
    refused(&fixture, id, STATUS_LIMIT);
    id = fetch(&fixture, &(struct want){ .from = 1 });
    refused(&fixture, id, STATUS_LIMIT);
    while (count > 0) {
        count -= 1;
        mdb_txn_abort(readers[count]);
    }
    fetched_free(
        fetched(&fixture, fetch(&fixture, &(struct want){ .by_block = true, .block = 1 })));
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_seq_beyond_the_end_is_out_of_range)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    append_facts(&fixture, 3);
    uint64_t id = fetch(&fixture, &(struct want){ .from = 4 });
    refused(&fixture, id, STATUS_RANGE);
    id = fetch(&fixture, &(struct want){ .from = UINT64_MAX });
    refused(&fixture, id, STATUS_RANGE);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_block_without_its_chain_is_malformed)
{
    struct fixture fixture;
    Kith__V1__FetchRequest request = fetch_of(&(struct want){ .from = 0 });
    fixture_begin(&fixture, true);
    request.feed = fixture.feed;
    request.has_block = 1;
    refused(&fixture, send(&fixture, "feed.Fetch", &request.base), STATUS_MALFORMED);
    request.has_chain = 1;
    request.chain = pb_bytes(span_of_text("short"));
    refused(&fixture, send(&fixture, "feed.Fetch", &request.base), STATUS_MALFORMED);
    fixture_end(&fixture);
}
END_TEST

START_TEST(feeds_that_are_not_here_are_not_found)
{
    struct fixture fixture;
    Kith__V1__FetchRequest request = fetch_of(&(struct want){ .from = 0 });
    char loyalty[] = "loyalty";
    fixture_begin(&fixture, true);
    request.feed = fixture.feed;
    request.has_shard = 1;
    request.shard = 1;
    refused(&fixture, send(&fixture, "feed.Fetch", &request.base), STATUS_NOT_FOUND);
    request.shard = 0;
    request.feed = loyalty;
    refused(&fixture, send(&fixture, "feed.Fetch", &request.base), STATUS_NOT_FOUND);
    request.feed = NULL;
    refused(&fixture, send(&fixture, "feed.Fetch", &request.base), STATUS_NOT_FOUND);
    fixture_end(&fixture);
}
END_TEST

START_TEST(a_consumer_name_that_is_no_id_is_malformed)
{
    struct fixture fixture;
    char name[80];
    fixture_begin(&fixture, true);
    memset(name, 'x', sizeof name);
    name[LIMIT_ID_BYTES + 1] = '\0';
    refused(&fixture, fetch(&fixture, &(struct want){ .consumer = name }), STATUS_MALFORMED);
    refused(&fixture, fetch(&fixture, &(struct want){ .consumer = "" }), STATUS_MALFORMED);
    refused(&fixture, fetch(&fixture, &(struct want){ .consumer = "a\nb" }), STATUS_MALFORMED);
    name[LIMIT_ID_BYTES] = '\0';
    greet(&fixture, name);
    fixture_end(&fixture);
}
END_TEST

START_TEST(bytes_that_are_no_request_are_refused)
{
    struct fixture fixture;
    fixture_begin(&fixture, true);
    buffer_clear(&fixture.client.body);
    ck_assert_int_eq(buffer_append(&fixture.client.body, span_of_text("\xff\xff")), STATUS_OK);
    uint64_t id = toy_client_send(&fixture.client, TRANSPORT_FEED, "feed.Fetch", NULL);
    deliver(&fixture);
    refused(&fixture, id, STATUS_MALFORMED);
    id = toy_client_send(&fixture.client, TRANSPORT_FEED, "feed.Wait", NULL);
    deliver(&fixture);
    refused(&fixture, id, STATUS_MALFORMED);
    id = toy_client_send(&fixture.client, TRANSPORT_FEED, "feed.Drop", NULL);
    deliver(&fixture);
    refused(&fixture, id, STATUS_UNIMPLEMENTED);
    struct transport *transport = &fixture.client.transport;
    (void)transport->peer_send(transport->context, TRANSPORT_FEED, span_of_text("\xff"),
                               span_of("", 0));
    deliver(&fixture);
    refused(&fixture, 0, STATUS_MALFORMED);
    fixture_end(&fixture);
}
END_TEST

static Suite *feed_producer_suite(void)
{
    Suite *suite = suite_create("feed_producer");
    TCase *blocks = tcase_create("blocks");
    tcase_add_test(blocks, a_fetch_is_answered_with_the_blocks_as_they_are_stored);
    tcase_add_test(blocks, a_fetch_goes_on_where_the_reader_stands);
    tcase_add_test(blocks, a_cursor_without_block_is_found_by_the_fact_that_follows);
    tcase_add_test(blocks, a_reply_stops_at_its_bytes_but_holds_one_block_at_least);
    tcase_add_test(blocks, no_reply_is_larger_than_a_message);
    tcase_add_loop_test(blocks, a_filter_leaves_headers, 0, FILTERS);
    suite_add_tcase(suite, blocks);
    TCase *refusing = tcase_create("refusing");
    tcase_add_test(refusing, another_epoch_is_data_loss);
    tcase_add_test(refusing, a_chain_or_block_that_is_not_here_is_data_loss);
    tcase_add_test(refusing, a_journal_that_cannot_be_read_now_is_no_data_loss);
    tcase_add_test(refusing, a_seq_beyond_the_end_is_out_of_range);
    tcase_add_test(refusing, a_block_without_its_chain_is_malformed);
    tcase_add_test(refusing, feeds_that_are_not_here_are_not_found);
    tcase_add_test(refusing, a_consumer_name_that_is_no_id_is_malformed);
    tcase_add_test(refusing, bytes_that_are_no_request_are_refused);
    suite_add_tcase(suite, refusing);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(feed_producer_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
