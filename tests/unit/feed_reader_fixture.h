/*
 * A feed reader and the blocks of a producer, from which replies are made as a test wants them.
 */
#ifndef KITH_TESTS_FEED_READER_FIXTURE_H
#define KITH_TESTS_FEED_READER_FIXTURE_H

#include "common/feed/feed_reader.h"
#include "common/wire/pb.h"
#include "kith/v1/feed.pb-c.h"
#include "tests/support/toy_service.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH UINT64_C(0xabcdef)
#define BLOCKS 6
#define WALL_MS INT64_C(1750000000000)
#define START_MS 5000 /* of the monotonic clock */

/* ---- a producer's blocks, and replies made of them */

struct made {
    struct block_builder builder;
    struct block block;
    struct journal_position before;
    struct journal_position after;
};

struct source {
    struct made blocks[BLOCKS];
    uint64_t epoch;
    struct hash256 chain_before; /* what the next reply says, where has_chain_before */
    bool has_chain_before;
    bool header_only[BLOCKS];
    const char *input; /* the name of an input, with 11 as its seq, and 12 settled */
};

static inline struct fact fact_of(uint32_t type, uint16_t partition)
{
    struct fact fact = { .type = type, .version = 1, .recorded_at_ms = WALL_MS, .cause = 3 };
    fact.has_customer = true;
    be16_put(fact.customer.bytes, (uint16_t)(partition << 6));
    return fact;
}

static inline void block_start(struct source *source, size_t i)
{
    struct made *made = &source->blocks[i];
    block_builder_init(&made->builder);
    if (i > 0) {
        made->before = source->blocks[i - 1].after;
    }
    block_begin(&made->builder, &made->before, WALL_MS, WALL_MS);
}

static inline void block_finish(struct source *source, size_t i)
{
    struct made *made = &source->blocks[i];
    block_seal(&made->builder, &made->before, WALL_MS, &made->block);
    made->after = block_position(&made->block);
}

/* Block i (from 0) holds i + 1 facts: 1, 2-3, 4-6, 7-10, 11-15, 16-21. */
static inline void source_make(struct source *source)
{
    *source = (struct source){ .epoch = EPOCH };
    for (size_t i = 0; i < BLOCKS; i++) {
        block_start(source, i);
        for (size_t n = 0; n <= i; n++) {
            struct fact fact = fact_of(TOY_ADDED, (uint16_t)(n * 16));
            (void)block_fact_add(&source->blocks[i].builder, &fact);
        }
        block_finish(source, i);
    }
}

static inline void source_release(struct source *source)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        block_builder_release(&source->blocks[i].builder);
    }
}

static inline void feed_block_fill(struct source *source, size_t i, Kith__V1__FeedBlock *sent)
{
    const struct block *block = &source->blocks[i].block;
    *sent = (Kith__V1__FeedBlock)KITH__V1__FEED_BLOCK__INIT;
    sent->has_header = 1;
    sent->header = pb_bytes(block->header_bytes);
    sent->has_public_part = !source->header_only[i];
    sent->public_part = pb_bytes(block->public_part);
}

static inline void reply_encode(struct source *source, const size_t *numbers, size_t count,
                                struct buffer *body)
{
    Kith__V1__FetchReply reply = KITH__V1__FETCH_REPLY__INIT;
    Kith__V1__FeedBlock blocks[BLOCKS + 1];
    Kith__V1__FeedBlock *pointers[BLOCKS + 1];
    Kith__V1__Position input = KITH__V1__POSITION__INIT;
    Kith__V1__Position *inputs[1] = { &input };
    char name[24];
    for (size_t i = 0; i < count; i++) {
        feed_block_fill(source, numbers[i], &blocks[i]);
        pointers[i] = &blocks[i];
    }
    reply.has_epoch = 1;
    reply.epoch = source->epoch;
    reply.has_end = 1;
    reply.end = source->blocks[BLOCKS - 1].after.seq;
    reply.has_end_recorded_at_ms = 1;
    reply.end_recorded_at_ms = WALL_MS + 7;
    if (!source->has_chain_before && count > 0) {
        source->chain_before = source->blocks[numbers[0]].before.chain;
    }
    reply.has_chain_before = 1;
    reply.chain_before = pb_bytes(span_of(source->chain_before.bytes, 32));
    reply.n_blocks = count;
    reply.blocks = pointers;
    if (source->input != NULL) {
        (void)snprintf(name, sizeof name, "%s", source->input);
        input.feed = name;
        input.has_seq = 1;
        input.seq = 11;
        reply.n_inputs = 1;
        reply.inputs = inputs;
        reply.has_settled_cause = 1;
        reply.settled_cause = 12;
        reply.has_settled_at_ms = 1;
        reply.settled_at_ms = WALL_MS;
    }
    buffer_clear(body);
    ck_assert_int_eq(pb_pack(&reply.base, body), STATUS_OK);
}

/* ---- a reader and what was last asked */

struct reading {
    struct source source;
    struct feed_reader *reader;
    struct buffer header;
    struct buffer body;
    int64_t now_ms;
    uint64_t asked; /* the id of the newest Fetch */
};

static const uint32_t folded_types[] = { TOY_ADDED, TOY_ADDED + 64 };
static const uint32_t ignored_types[] = { TOY_ECHOED, TOY_RANG + 64 };

static inline struct feed_reader_options options_of(void)
{
    return (struct feed_reader_options){ .feed = { "ingestion", 0 },
                                         .consumer = "loyalty/0",
                                         .partition_first = 0,
                                         .partition_last = PARTITION_COUNT - 1,
                                         .types_folded = folded_types,
                                         .folded_count = 2,
                                         .types_ignored = ignored_types,
                                         .ignored_count = 2 };
}

static inline void reading_begin(struct reading *reading, const struct feed_reader_options *options)
{
    *reading = (struct reading){ .now_ms = START_MS };
    source_make(&reading->source);
    buffer_init(&reading->header, LIMIT_HEADER_BYTES);
    buffer_init(&reading->body, LIMIT_MESSAGE_BYTES);
    feed_reader_open(&reading->reader, options);
}

static inline void reading_end(struct reading *reading)
{
    feed_reader_close(&reading->reader);
    ck_assert_ptr_null(reading->reader);
    source_release(&reading->source);
    buffer_release(&reading->header);
    buffer_release(&reading->body);
}

/* Is a Fetch due? Then it counts as sent. */
static inline bool ask(struct reading *reading)
{
    struct request_header header = { 0 };
    if (!feed_reader_fetch(reading->reader, reading->now_ms, 9, &reading->header, &reading->body)) {
        return false;
    }
    ck_assert_int_eq(request_header_decode(buffer_span(&reading->header), &header, NULL),
                     STATUS_OK);
    ck_assert_str_eq(header.method, "feed.Fetch");
    ck_assert_uint_gt(header.request_id, reading->asked);
    reading->asked = header.request_id;
    return true;
}

static inline void answer_as(struct reading *reading, uint64_t request_id, const size_t *numbers,
                             size_t count)
{
    struct reply_header header = { .request_id = request_id };
    reply_header_encode(&header, &reading->header);
    reply_encode(&reading->source, numbers, count, &reading->body);
    feed_reader_reply(reading->reader, reading->now_ms, buffer_span(&reading->header),
                      buffer_span(&reading->body));
}

static inline void answer(struct reading *reading, const size_t *numbers, size_t count)
{
    ck_assert(ask(reading));
    answer_as(reading, reading->asked, numbers, count);
}

/* One block with one fact, as the first of the feed. */
static inline void answer_fact(struct reading *reading, const struct fact *fact)
{
    size_t first[] = { 0 };
    block_builder_release(&reading->source.blocks[0].builder);
    block_start(&reading->source, 0);
    (void)block_fact_add(&reading->source.blocks[0].builder, fact);
    block_finish(&reading->source, 0);
    answer(reading, first, 1);
}

/* Blocks first..last in one reply. */
static inline void answer_blocks(struct reading *reading, size_t first, size_t last)
{
    size_t numbers[BLOCKS];
    for (size_t i = first; i <= last; i++) {
        numbers[i - first] = i;
    }
    answer(reading, numbers, last + 1 - first);
}

static inline void answer_refused(struct reading *reading, enum status status)
{
    struct reply_header header = { .refusal.status = status };
    ck_assert(ask(reading));
    header.request_id = reading->asked;
    (void)snprintf(header.refusal.message, sizeof header.refusal.message, "because");
    reply_header_encode(&header, &reading->header);
    feed_reader_reply(reading->reader, reading->now_ms, buffer_span(&reading->header),
                      span_of("", 0));
}

/* The next item's seq, passed; 0: there is none. */
static inline uint64_t pass(struct reading *reading)
{
    struct feed_item item = { 0 };
    if (!feed_reader_item(reading->reader, &item)) {
        return 0;
    }
    feed_reader_advance(reading->reader);
    ck_assert_uint_eq(feed_reader_cursor(reading->reader)->to, item.seq);
    return item.seq;
}

static inline void passes(struct reading *reading, uint64_t first, uint64_t last)
{
    for (uint64_t seq = first; seq <= last; seq++) {
        ck_assert_uint_eq(pass(reading), seq);
    }
    ck_assert_uint_eq(pass(reading), 0);
}

static inline void is_stopped(struct reading *reading, const char *text)
{
    struct feed_item item = { 0 };
    const char *why = feed_reader_stopped(reading->reader);
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(strstr(why, text) != NULL, "%s", why);
    ck_assert(!feed_reader_item(reading->reader, &item));
    reading->now_ms += INT64_C(24) * 3600 * 1000;
    ck_assert(!ask(reading));
    ck_assert_int_eq(feed_reader_fetch_at(reading->reader), INT64_MAX);
}

/* The Fetch that was sent last; freed with protobuf-c's own. */
static inline Kith__V1__FetchRequest *request_of(const struct reading *reading)
{
    Kith__V1__FetchRequest *request =
        kith__v1__fetch_request__unpack(NULL, reading->body.size, reading->body.data);
    ck_assert_ptr_nonnull(request);
    return request;
}

#endif
