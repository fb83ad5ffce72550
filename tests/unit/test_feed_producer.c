/* link: kith_test_support common_service */
#include "common/feed/feed_producer.h"
#include "common/wire/pb.h"
#include "kith/v1/feed.pb-c.h"
#include "tests/support/toy_node.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EPOCH UINT64_C(0x77)
#define WALL_MS INT64_C(1750000000000)
#define START_MS 1000 /* of the monotonic clock */
#define MAP_BYTES ((size_t)64 * 1024 * 1024)
#define BLOCKS_MAX 16

/* ---- a producer over a real journal, and a client that asks it */

struct fixture {
    char folder[64];
    char path[96];
    struct journal *journal;
    struct memory_network *network;
    struct memory_port *port;
    struct transport transport;
    struct feed_producer *producer;
    struct toy_client client;
    struct toy_clock clock;
    struct feed_inputs inputs;
    char feed[16];                                /* protobuf-c wants its texts writable */
    struct journal_position ends[BLOCKS_MAX + 1]; /* after each block; 0: the beginning */
    size_t block_count;
};

static void fixture_begin(struct fixture *fixture, bool has_journal)
{
    *fixture = (struct fixture){ .clock = { .wall_ms = WALL_MS, .monotonic_ms = START_MS },
                                 .feed = "ingestion" };
    struct refusal refusal;
    const char *parent = getenv("TMPDIR");
    (void)snprintf(fixture->folder, sizeof fixture->folder, "%s/kith-feed-XXXXXX",
                   parent == NULL ? "/tmp" : parent);
    ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/journal.mdb", fixture->folder);
    struct journal_options options = {
        .path = fixture->path, .service = "ingestion", .map_bytes = MAP_BYTES, .epoch = EPOCH
    };
    if (has_journal) {
        ck_assert_int_eq(journal_open(&fixture->journal, &options, &refusal), STATUS_OK);
    }
    memory_network_open(&fixture->network);
    memory_port_open(&fixture->port, fixture->network, "ingestion", NULL, 0);
    fixture->transport = transport_of_memory(fixture->port);
    struct feed_name self = { "ingestion", 0 };
    feed_producer_open(&fixture->producer, fixture->journal, self, &fixture->transport);
    toy_client_open(&fixture->client, fixture->network, &fixture->clock, "reader", "ingestion");
}

static void fixture_end(struct fixture *fixture)
{
    char lock[128];
    toy_client_close(&fixture->client);
    feed_producer_close(&fixture->producer);
    ck_assert_ptr_null(fixture->producer);
    memory_port_close(&fixture->port);
    memory_network_close(&fixture->network);
    journal_close(&fixture->journal);
    (void)snprintf(lock, sizeof lock, "%s-lock", fixture->path);
    (void)unlink(fixture->path);
    (void)unlink(lock);
    ck_assert_int_eq(rmdir(fixture->folder), 0);
}

struct content {
    size_t facts;
    uint32_t type;
    uint16_t partition;
    size_t body_size;
};

/* One block more in the journal. Nobody is woken by that. */
static void append(struct fixture *fixture, const struct content *content)
{
    struct block_builder builder;
    struct block block;
    struct journal_position before = journal_end(fixture->journal);
    uint8_t body[LIMIT_RECORD_BYTES] = { 0 };
    block_builder_init(&builder);
    block_begin(&builder, &before, WALL_MS, WALL_MS);
    for (size_t i = 0; i < content->facts; i++) {
        struct fact fact = { .type = content->type,
                             .version = 1,
                             .recorded_at_ms = WALL_MS + 5,
                             .has_customer = true,
                             .body = span_of(body, content->body_size) };
        be16_put(fact.customer.bytes, (uint16_t)(content->partition << 6));
        (void)block_fact_add(&builder, &fact);
    }
    if (content->facts == 0) {
        block_record_add(&builder, span_of_text("private"));
    }
    block_seal(&builder, &before, WALL_MS + 5, &block);
    ck_assert_int_eq(journal_append(fixture->journal, &block, 1), STATUS_OK);
    block_builder_release(&builder);
    fixture->block_count += 1;
    ck_assert_uint_le(fixture->block_count, BLOCKS_MAX);
    fixture->ends[fixture->block_count] = journal_end(fixture->journal);
}

static void append_facts(struct fixture *fixture, size_t count)
{
    append(fixture, &(struct content){ .facts = count, .type = TOY_ADDED });
}

/* As after a start: whatever is there was written long ago. */
static void producer_restart(struct fixture *fixture)
{
    struct feed_name self = { "ingestion", 0 };
    feed_producer_close(&fixture->producer);
    feed_producer_open(&fixture->producer, fixture->journal, self, &fixture->transport);
}

/* ---- asking */

static void deliver(struct fixture *fixture)
{
    struct message message;
    while (fixture->transport.receive(fixture->transport.context, TRANSPORT_FEED, &message)) {
        feed_producer_request(fixture->producer, &message, &fixture->inputs,
                              fixture->clock.monotonic_ms);
        fixture->transport.message_release(fixture->transport.context, &message);
    }
}

static uint64_t send(struct fixture *fixture, const char *method, const ProtobufCMessage *message)
{
    buffer_clear(&fixture->client.body);
    ck_assert_int_eq(pb_pack(message, &fixture->client.body), STATUS_OK);
    uint64_t id = toy_client_send(&fixture->client, TRANSPORT_FEED, method, NULL);
    deliver(fixture);
    return id;
}

struct want {
    const char *consumer;
    uint64_t from;
    bool by_block; /* from the end of block `block`, whose seq `from` is */
    size_t block;
    uint64_t epoch;
    uint32_t wait_ms;
    uint32_t bytes_max;
    uint64_t durable;
};

/* Of which feed, the caller says. */
static Kith__V1__FetchRequest fetch_of(const struct want *want)
{
    Kith__V1__FetchRequest request = KITH__V1__FETCH_REQUEST__INIT;
    request.has_epoch = 1;
    request.epoch = want->epoch;
    request.has_from = 1;
    request.from = want->from;
    request.has_max_bytes = want->bytes_max != 0;
    request.max_bytes = want->bytes_max;
    request.has_max_wait_ms = 1;
    request.max_wait_ms = want->wait_ms;
    request.has_durable_position = 1;
    request.durable_position = want->durable;
    return request;
}

static uint64_t fetch(struct fixture *fixture, const struct want *want)
{
    Kith__V1__FetchRequest request = fetch_of(want);
    char consumer[96];
    request.feed = fixture->feed;
    if (want->consumer != NULL) {
        (void)snprintf(consumer, sizeof consumer, "%s", want->consumer);
        request.consumer = consumer;
    }
    if (want->by_block) {
        const struct journal_position *end = &fixture->ends[want->block];
        request.from = end->seq;
        request.has_block = 1;
        request.block = end->block;
        request.has_chain = 1;
        request.chain = pb_bytes(span_of(end->chain.bytes, sizeof end->chain.bytes));
    }
    return send(fixture, "feed.Fetch", &request.base);
}

static void wake(struct fixture *fixture)
{
    feed_producer_wake(fixture->producer, &fixture->inputs, fixture->clock.monotonic_ms);
}

/* ---- answers */

static void no_answer(struct fixture *fixture)
{
    struct toy_answer answer;
    ck_assert(!toy_client_answer(&fixture->client, TRANSPORT_FEED, &answer));
}

static void refused(struct fixture *fixture, uint64_t id, enum status status)
{
    struct toy_answer answer;
    ck_assert(toy_client_answer(&fixture->client, TRANSPORT_FEED, &answer));
    ck_assert_uint_eq(answer.header.request_id, id);
    ck_assert_str_eq(status_code_text(answer.header.refusal.status), status_code_text(status));
    ck_assert_uint_eq(answer.body.size, 0);
    if (status != STATUS_OK) {
        ck_assert(answer.header.refusal.message[0] != '\0' ||
                  answer.header.refusal.violation_count > 0);
    }
    toy_answer_release(&answer);
}

/* The answer to request `id`, freed with protobuf-c's own. */
static Kith__V1__FetchReply *fetched(struct fixture *fixture, uint64_t id)
{
    struct toy_answer answer;
    ck_assert(toy_client_answer(&fixture->client, TRANSPORT_FEED, &answer));
    ck_assert_uint_eq(answer.header.request_id, id);
    ck_assert_int_eq(answer.header.refusal.status, STATUS_OK);
    Kith__V1__FetchReply *reply =
        kith__v1__fetch_reply__unpack(NULL, answer.body.size, answer.body.data);
    ck_assert_ptr_nonnull(reply);
    toy_answer_release(&answer);
    return reply;
}

static void fetched_free(Kith__V1__FetchReply *reply)
{
    kith__v1__fetch_reply__free_unpacked(reply, NULL);
}

/* Answered with this many blocks, the first of them after block `after`. */
static void fetched_blocks(struct fixture *fixture, uint64_t id, size_t after, size_t count)
{
    Kith__V1__FetchReply *reply = fetched(fixture, id);
    ck_assert_uint_eq(reply->n_blocks, count);
    ck_assert_uint_eq(reply->epoch, EPOCH);
    ck_assert_uint_eq(reply->end, journal_end(fixture->journal).seq);
    ck_assert_uint_eq(reply->end_block, journal_end(fixture->journal).block);
    ck_assert_uint_eq(reply->chain_before.len, 32);
    ck_assert_mem_eq(reply->chain_before.data, fixture->ends[after].chain.bytes, 32);
    for (size_t i = 0; i < count; i++) {
        struct block_header header;
        ck_assert_int_eq(block_header_decode(pb_span(reply->blocks[i]->header), &header),
                         STATUS_OK);
        ck_assert_uint_eq(header.number, after + i + 1);
    }
    fetched_free(reply);
}

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
    ck_assert_int_eq(feed_producer_deadline(fixture.producer), START_MS + LIMIT_FETCH_WAIT_MS);
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

/* The first Fetch of a consumer is answered at once, since it was told of no inputs yet. */
static void greet(struct fixture *fixture, const char *consumer)
{
    uint64_t id = fetch(fixture, &(struct want){ .consumer = consumer, .wait_ms = 500 });
    fetched_blocks(fixture, id, 0, 0);
}

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
    TCase *pacing = tcase_create("pacing");
    tcase_add_loop_test(pacing, a_reader_far_behind_gives_way_to_what_is_written, 0, 2);
    tcase_add_test(pacing, a_reader_far_behind_comes_nearer_with_each_block_that_is_written);
    tcase_add_test(pacing, a_reader_far_behind_does_not_wait_where_nothing_is_written);
    tcase_add_test(pacing, a_reader_near_the_end_gives_way_to_nobody);
    tcase_add_test(pacing, readers_far_behind_do_not_wait_for_each_other);
    tcase_add_test(pacing, who_gives_way_is_answered_when_its_time_is_over);
    suite_add_tcase(suite, pacing);
    TCase *refusing = tcase_create("refusing");
    tcase_add_test(refusing, another_epoch_is_data_loss);
    tcase_add_test(refusing, a_chain_or_block_that_is_not_here_is_data_loss);
    tcase_add_test(refusing, a_seq_beyond_the_end_is_out_of_range);
    tcase_add_test(refusing, a_block_without_its_chain_is_malformed);
    tcase_add_test(refusing, feeds_that_are_not_here_are_not_found);
    tcase_add_test(refusing, a_consumer_name_that_is_no_id_is_malformed);
    tcase_add_test(refusing, bytes_that_are_no_request_are_refused);
    suite_add_tcase(suite, refusing);
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
    SRunner *runner = srunner_create(feed_producer_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
