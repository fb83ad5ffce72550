/*
 * A feed as libkith reads it: a journal made by hand, and a service that answers Fetch from it as
 * a test wants it. It is built on the messages alone, like the client that is tested.
 */
#ifndef KITH_TESTS_LIBKITH_FEED_FIXTURE_H
#define KITH_TESTS_LIBKITH_FEED_FIXTURE_H

#include "kith/v1/block.pb-c.h"
#include "kith/v1/feed.pb-c.h"
#include "tests/unit/libkith_fixture.h"

#include <sodium.h>

#define SOON_MS 300
#define LATE_MS 20000
#define EPOCH UINT64_C(0xabcdef)
#define BLOCKS_MAX 16
#define FACTS_MAX 8
#define PART_ROOM 2048
#define HASH_BYTES 32

/* ---- a journal: blocks of facts, one after the other */

struct kept_block {
    uint8_t header[256];
    size_t header_bytes;
    uint8_t public_part[PART_ROOM];
    size_t public_bytes;
    uint64_t last_seq;
    uint64_t types;            /* bit (type mod 64) */
    uint8_t chain[HASH_BYTES]; /* after it */
    bool is_left_out;          /* by the filter */
};

struct journal {
    size_t count;
    struct kept_block blocks[BLOCKS_MAX];
    uint64_t epoch;
    /* What a test does to replies. */
    size_t blocks_at_once; /* 0: all */
    size_t spoil_times;    /* this many are spoiled, drawn from seed */
    uint64_t seed;
    enum kith_status refusal; /* KITH_OK: none */
    unsigned refusals;        /* of the first requests */
    uint64_t end;             /* 0: the true one */
    bool is_chain_wrong;
    bool is_rubbish;
    Kith__V1__FetchRequest *newest; /* as it came */
};

struct fact_plan {
    uint32_t type;
    uint32_t version;
    uint32_t customer_bytes;
    const char *subject;
};

static inline void hash(const void *first, size_t first_bytes, const void *second,
                        size_t second_bytes, uint8_t out[HASH_BYTES])
{
    crypto_generichash_state state;
    ck_assert_int_eq(crypto_generichash_init(&state, NULL, 0, HASH_BYTES), 0);
    ck_assert_int_eq(crypto_generichash_update(&state, first, first_bytes), 0);
    ck_assert_int_eq(crypto_generichash_update(&state, second, second_bytes), 0);
    ck_assert_int_eq(crypto_generichash_final(&state, out, HASH_BYTES), 0);
}

static inline uint64_t journal_end(const struct journal *journal)
{
    return journal->count == 0 ? 0 : journal->blocks[journal->count - 1].last_seq;
}

static inline size_t facts_pack(const struct fact_plan *plans, size_t count, uint64_t first_seq,
                                uint8_t *out)
{
    Kith__V1__PublicPart part = KITH__V1__PUBLIC_PART__INIT;
    Kith__V1__Fact facts[FACTS_MAX];
    Kith__V1__Sealed subjects[FACTS_MAX];
    Kith__V1__Fact *list[FACTS_MAX];
    char bodies[FACTS_MAX][32];
    uint8_t customer[16] = "0123456789abcde";
    for (size_t i = 0; i < count; i++) {
        kith__v1__fact__init(&facts[i]);
        kith__v1__sealed__init(&subjects[i]);
        list[i] = &facts[i];
        facts[i].has_type = true;
        facts[i].type = plans[i].type;
        facts[i].has_version = plans[i].version > 0;
        facts[i].version = plans[i].version;
        facts[i].has_recorded_at_ms = true;
        facts[i].recorded_at_ms = 5;
        facts[i].has_customer = plans[i].customer_bytes > 0;
        facts[i].customer.data = customer;
        facts[i].customer.len = plans[i].customer_bytes;
        if (plans[i].subject != NULL) {
            facts[i].subject = &subjects[i];
            subjects[i].has_bytes = true;
            subjects[i].bytes.len = strlen(plans[i].subject);
            subjects[i].bytes.data = malloc(subjects[i].bytes.len + 1);
            memcpy(subjects[i].bytes.data, plans[i].subject, subjects[i].bytes.len);
        }
        (void)snprintf(bodies[i], sizeof bodies[i], "body %u", (unsigned)(first_seq + i));
        facts[i].has_body = true;
        facts[i].body.data = (uint8_t *)bodies[i];
        facts[i].body.len = strlen(bodies[i]);
    }
    part.facts = list;
    part.n_facts = count;
    ck_assert_uint_le(kith__v1__public_part__get_packed_size(&part), PART_ROOM);
    size_t size = kith__v1__public_part__pack(&part, out);
    for (size_t i = 0; i < count; i++) {
        free(subjects[i].bytes.data);
    }
    return size;
}

/* The header anew, and the chain from there on: after the block was changed on purpose. */
static inline void block_seal(struct journal *journal, size_t index, uint64_t number,
                              uint64_t first_seq)
{
    static const uint8_t none[HASH_BYTES];
    struct kept_block *block = &journal->blocks[index];
    uint8_t public_hash[HASH_BYTES];
    Kith__V1__BlockHeader header = KITH__V1__BLOCK_HEADER__INIT;
    hash(NULL, 0, block->public_part, block->public_bytes, public_hash);
    header.has_version = true;
    header.version = 1;
    header.has_number = true;
    header.number = number;
    header.has_first_seq = true;
    header.first_seq = first_seq;
    header.has_count = true;
    header.count = (uint32_t)(block->last_seq - first_seq + 1);
    header.has_types = true;
    header.types = block->types;
    header.has_public_hash = true;
    header.public_hash.data = public_hash;
    header.public_hash.len = sizeof public_hash;
    block->header_bytes = kith__v1__block_header__pack(&header, block->header);
    hash(index == 0 ? none : journal->blocks[index - 1].chain, HASH_BYTES, block->header,
         block->header_bytes, block->chain);
}

static inline void block_append_plans(struct journal *journal, const struct fact_plan *plans,
                                      size_t count)
{
    ck_assert_uint_lt(journal->count, BLOCKS_MAX);
    uint64_t first_seq = journal_end(journal) + 1;
    struct kept_block *block = &journal->blocks[journal->count];
    block->public_bytes = facts_pack(plans, count, first_seq, block->public_part);
    block->last_seq = first_seq + count - 1;
    for (size_t i = 0; i < count; i++) {
        block->types |= UINT64_C(1) << (plans[i].type % 64);
    }
    journal->count += 1;
    block_seal(journal, journal->count - 1, journal->count, first_seq);
}

static inline void block_append(struct journal *journal, size_t count)
{
    struct fact_plan plans[FACTS_MAX];
    for (size_t i = 0; i < count; i++) {
        plans[i] = (struct fact_plan){ .type = 16, .customer_bytes = 16, .subject = "c1" };
    }
    block_append_plans(journal, plans, count);
}

/* Blocks of 3, 2 and 3 facts. */
static inline void journal_fill(struct journal *journal)
{
    *journal = (struct journal){ .epoch = EPOCH, .seed = 11 };
    block_append(journal, 3);
    block_append(journal, 2);
    block_append(journal, 3);
}

/* ---- a service that answers Fetch from the journal */

/* The block that comes after what the reader has. */
static inline size_t fetch_place(const struct journal *journal, const Kith__V1__FetchRequest *asked)
{
    if (asked->has_block) {
        return asked->block;
    }
    size_t index = 0;
    while (index < journal->count && journal->blocks[index].last_seq <= asked->from) {
        index += 1;
    }
    return index;
}

static inline void fetch_answer(struct server *server, struct journal *journal,
                                const struct request *request)
{
    static uint8_t none[HASH_BYTES];
    Kith__V1__FetchReply reply = KITH__V1__FETCH_REPLY__INIT;
    Kith__V1__FeedBlock sent[BLOCKS_MAX];
    Kith__V1__FeedBlock *list[BLOCKS_MAX];
    size_t begin = fetch_place(journal, journal->newest);
    uint8_t packed[BLOCKS_MAX * PART_ROOM];
    reply.has_epoch = true;
    reply.epoch = journal->epoch;
    reply.has_end = true;
    reply.end = journal->end != 0 ? journal->end : journal_end(journal);
    reply.has_chain_before = true;
    reply.chain_before.data = begin == 0 ? none : journal->blocks[begin - 1].chain;
    reply.chain_before.len = journal->is_chain_wrong ? HASH_BYTES - 1 : HASH_BYTES;
    for (size_t i = begin; i < journal->count; i++) {
        struct kept_block *block = &journal->blocks[i];
        Kith__V1__FeedBlock *out = &sent[reply.n_blocks];
        if (journal->blocks_at_once > 0 && reply.n_blocks == journal->blocks_at_once) {
            break;
        }
        kith__v1__feed_block__init(out);
        out->has_header = true;
        out->header = (ProtobufCBinaryData){ block->header_bytes, block->header };
        out->has_public_part = !block->is_left_out;
        out->public_part = (ProtobufCBinaryData){ block->public_bytes, block->public_part };
        list[reply.n_blocks++] = out;
    }
    reply.blocks = list;
    size_t size = kith__v1__fetch_reply__pack(&reply, packed);
    if (journal->spoil_times > 0) {
        journal->spoil_times -= 1;
        size = bytes_spoil(&journal->seed, packed, size);
    }
    server_answer(server, request,
                  journal->is_rubbish ? (struct bytes){ "\x08", 1 }
                                      : (struct bytes){ packed, size });
}

static inline void newest_forget(struct journal *journal)
{
    if (journal->newest != NULL) {
        kith__v1__fetch_request__free_unpacked(journal->newest, NULL);
        journal->newest = NULL;
    }
}

static inline void request_serve(struct server *server, struct journal *journal,
                                 const struct request *request)
{
    newest_forget(journal);
    journal->newest = kith__v1__fetch_request__unpack(NULL, request->body_bytes, request->body);
    ck_assert_ptr_nonnull(journal->newest);
    ck_assert_str_eq(request->header->method, "feed.Fetch");
    if (journal->refusals > 0) {
        journal->refusals -= 1;
        server_refuse(server, request, journal->refusal, 0);
    } else {
        fetch_answer(server, journal, request);
    }
}

static inline void producer(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        request_serve(server, server->argument, &request);
        request_release(&request);
    }
}

/* ---- reading */

static inline struct kith_feed *feed_open(const struct server *server,
                                          const struct kith_cursor *cursor)
{
    struct kith_feed *feed = NULL;
    struct kith_feed_options options = { .endpoint = server->endpoint,
                                         .feed = "loyalty",
                                         .consumer = "test" };
    if (cursor != NULL) {
        options.cursor = *cursor;
    }
    ck_assert_int_eq(kith_feed_open(&feed, &options, NULL), KITH_OK);
    return feed;
}

/* The fact comes next, as it was journalled. */
static inline void fact_comes(struct kith_feed *feed, uint64_t seq)
{
    struct kith_fact fact;
    struct kith_error error;
    char body[32];
    (void)snprintf(body, sizeof body, "body %u", (unsigned)seq);
    ck_assert_msg(kith_feed_next(feed, LATE_MS, &fact, &error) == KITH_OK, "%s", error.text);
    ck_assert_uint_eq(fact.seq, seq);
    ck_assert_uint_eq(fact.body_bytes, strlen(body));
    ck_assert_mem_eq(fact.body, body, fact.body_bytes);
    ck_assert_uint_eq(kith_feed_cursor(feed).seq, seq);
}

static inline void facts_come(struct kith_feed *feed, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++) {
        fact_comes(feed, seq);
    }
}

static inline void nothing_comes(struct kith_feed *feed)
{
    struct kith_fact fact;
    ck_assert_int_eq(kith_feed_next(feed, SOON_MS, &fact, NULL), KITH_DEADLINE_EXCEEDED);
}

/* The feed stands still, and says so each time. */
static inline void feed_stops(struct kith_feed *feed, enum kith_status status, const char *words)
{
    struct kith_cursor before = kith_feed_cursor(feed);
    for (int i = 0; i < 2; i++) {
        struct kith_fact fact;
        struct kith_error error;
        ck_assert_int_eq(kith_feed_next(feed, LATE_MS, &fact, &error), status);
        ck_assert_msg(strstr(error.text, words) != NULL, "'%s' lacks '%s'", error.text, words);
        ck_assert_ptr_nonnull(strstr(error.text, "feed loyalty/0"));
    }
    ck_assert_uint_eq(kith_feed_cursor(feed).seq, before.seq);
}

/* The server's own while it runs: what a test changes in the journal it changes before. */
static inline void stage_begin(struct server *server, struct journal *journal)
{
    journal_fill(journal);
    journal->blocks_at_once = 1;
    server_prepare(server);
    server_begin(server, producer, journal);
}

static inline void stage_end(struct server *server, struct journal *journal,
                             struct kith_feed **feed)
{
    kith_feed_close(feed);
    ck_assert_ptr_null(*feed);
    server_clear(server);
    newest_forget(journal);
}

#endif
