/*
 * What the tests of a feed's producer share: one over a real journal, and a client that asks it.
 */
#ifndef KITH_TESTS_FEED_PRODUCER_FIXTURE_H
#define KITH_TESTS_FEED_PRODUCER_FIXTURE_H

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

static inline void fixture_begin(struct fixture *fixture, bool has_journal)
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

static inline void fixture_end(struct fixture *fixture)
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
static inline void append(struct fixture *fixture, const struct content *content)
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

static inline void append_facts(struct fixture *fixture, size_t count)
{
    append(fixture, &(struct content){ .facts = count, .type = TOY_ADDED });
}

/* As after a start: whatever is there was written long ago. */
static inline void producer_restart(struct fixture *fixture)
{
    struct feed_name self = { "ingestion", 0 };
    feed_producer_close(&fixture->producer);
    feed_producer_open(&fixture->producer, fixture->journal, self, &fixture->transport);
}

/* ---- asking */

static inline void deliver(struct fixture *fixture)
{
    struct message message;
    while (fixture->transport.receive(fixture->transport.context, TRANSPORT_FEED, &message)) {
        feed_producer_request(fixture->producer, &message, &fixture->inputs,
                              fixture->clock.monotonic_ms);
        fixture->transport.message_release(fixture->transport.context, &message);
    }
}

static inline uint64_t send(struct fixture *fixture, const char *method,
                            const ProtobufCMessage *message)
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
static inline Kith__V1__FetchRequest fetch_of(const struct want *want)
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

static inline uint64_t fetch(struct fixture *fixture, const struct want *want)
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

static inline void wake(struct fixture *fixture)
{
    feed_producer_wake(fixture->producer, &fixture->inputs, fixture->clock.monotonic_ms);
}

/* ---- answers */

static inline void no_answer(struct fixture *fixture)
{
    struct toy_answer answer;
    ck_assert(!toy_client_answer(&fixture->client, TRANSPORT_FEED, &answer));
}

static inline void refused(struct fixture *fixture, uint64_t id, enum status status)
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
static inline Kith__V1__FetchReply *fetched(struct fixture *fixture, uint64_t id)
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

static inline void fetched_free(Kith__V1__FetchReply *reply)
{
    kith__v1__fetch_reply__free_unpacked(reply, NULL);
}

/* Answered with this many blocks, the first of them after block `after`. */
static inline void fetched_blocks(struct fixture *fixture, uint64_t id, size_t after, size_t count)
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

/* The first Fetch of a consumer is answered at once, since it was told of no inputs yet. */
static inline void greet(struct fixture *fixture, const char *consumer)
{
    uint64_t id = fetch(fixture, &(struct want){ .consumer = consumer, .wait_ms = 500 });
    fetched_blocks(fixture, id, 0, 0);
}

#endif
