/* link: kith_client libzmq libsodium */
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

static void hash(const void *first, size_t first_bytes, const void *second, size_t second_bytes,
                 uint8_t out[HASH_BYTES])
{
    crypto_generichash_state state;
    ck_assert_int_eq(crypto_generichash_init(&state, NULL, 0, HASH_BYTES), 0);
    ck_assert_int_eq(crypto_generichash_update(&state, first, first_bytes), 0);
    ck_assert_int_eq(crypto_generichash_update(&state, second, second_bytes), 0);
    ck_assert_int_eq(crypto_generichash_final(&state, out, HASH_BYTES), 0);
}

static uint64_t journal_end(const struct journal *journal)
{
    return journal->count == 0 ? 0 : journal->blocks[journal->count - 1].last_seq;
}

static size_t facts_pack(const struct fact_plan *plans, size_t count, uint64_t first_seq,
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
static void block_seal(struct journal *journal, size_t index, uint64_t number, uint64_t first_seq)
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

static void block_append_plans(struct journal *journal, const struct fact_plan *plans, size_t count)
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

static void block_append(struct journal *journal, size_t count)
{
    struct fact_plan plans[FACTS_MAX];
    for (size_t i = 0; i < count; i++) {
        plans[i] = (struct fact_plan){ .type = 16, .customer_bytes = 16, .subject = "c1" };
    }
    block_append_plans(journal, plans, count);
}

/* Blocks of 3, 2 and 3 facts. */
static void journal_fill(struct journal *journal)
{
    *journal = (struct journal){ .epoch = EPOCH, .seed = 11 };
    block_append(journal, 3);
    block_append(journal, 2);
    block_append(journal, 3);
}

/* ---- a service that answers Fetch from the journal */

/* The block that comes after what the reader has. */
static size_t fetch_place(const struct journal *journal, const Kith__V1__FetchRequest *asked)
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

static void fetch_answer(struct server *server, struct journal *journal,
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

static void newest_forget(struct journal *journal)
{
    if (journal->newest != NULL) {
        kith__v1__fetch_request__free_unpacked(journal->newest, NULL);
        journal->newest = NULL;
    }
}

static void request_serve(struct server *server, struct journal *journal,
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

static void producer(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        request_serve(server, server->argument, &request);
        request_release(&request);
    }
}

/* ---- reading */

static struct kith_feed *feed_open(const struct server *server, const struct kith_cursor *cursor)
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
static void fact_comes(struct kith_feed *feed, uint64_t seq)
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

static void facts_come(struct kith_feed *feed, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++) {
        fact_comes(feed, seq);
    }
}

static void nothing_comes(struct kith_feed *feed)
{
    struct kith_fact fact;
    ck_assert_int_eq(kith_feed_next(feed, SOON_MS, &fact, NULL), KITH_DEADLINE_EXCEEDED);
}

/* The feed stands still, and says so each time. */
static void feed_stops(struct kith_feed *feed, enum kith_status status, const char *words)
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
static void stage_begin(struct server *server, struct journal *journal)
{
    journal_fill(journal);
    journal->blocks_at_once = 1;
    server_prepare(server);
    server_begin(server, producer, journal);
}

static void stage_end(struct server *server, struct journal *journal, struct kith_feed **feed)
{
    kith_feed_close(feed);
    ck_assert_ptr_null(*feed);
    server_clear(server);
    newest_forget(journal);
}

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

/* ---- a journal that is not the one that was read */

/* Reads the first `before` facts; then the feed must stop. */
static void loss_is_told(struct journal *journal, uint64_t before, const char *words)
{
    struct server server;
    server_prepare(&server);
    server_begin(&server, producer, journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, before);
    feed_stops(feed, KITH_DATA_LOSS, words);
    stage_end(&server, journal, &feed);
}

START_TEST(a_gap_is_told)
{
    struct journal journal;
    journal_fill(&journal);
    block_seal(&journal, 1, 3, 4); /* a block's number is left out */
    loss_is_told(&journal, 3, "a gap: block 3 at seq 4 came, and block 2 at seq 4 should be next");
    journal_fill(&journal);
    block_seal(&journal, 1, 2, 5); /* a seq is left out */
    loss_is_told(&journal, 3, "a gap: block 2 at seq 5");
    journal_fill(&journal);
    block_seal(&journal, 1, 2, 3); /* a seq comes twice */
    loss_is_told(&journal, 3, "a gap: block 2 at seq 3");
    journal_fill(&journal);
    block_seal(&journal, 0, 1, 2);
    loss_is_told(&journal, 0, "a gap: block 1 at seq 2");
}
END_TEST

START_TEST(a_gap_after_a_cursor_without_chain_is_told)
{
    struct server server;
    struct journal journal;
    struct kith_cursor cursor = { .epoch = EPOCH, .seq = 3 };
    journal_fill(&journal);
    block_seal(&journal, 1, 2, 5);
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    struct kith_feed *feed = feed_open(&server, &cursor);
    feed_stops(feed, KITH_DATA_LOSS, "a gap: block 2 begins at seq 5, and 4 should come next");
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(changed_facts_are_told)
{
    struct journal journal;
    journal_fill(&journal);
    journal.blocks[1].public_part[7] ^= 1;
    loss_is_told(&journal, 3, "the facts of block 2 have another hash");

    journal_fill(&journal); /* fewer facts than announced, and the hash holds */
    journal.blocks[1].public_bytes = 0;
    block_seal(&journal, 1, 2, 4);
    loss_is_told(&journal, 3, "the facts of block 2 cannot be read");

    journal_fill(&journal);
    memset(journal.blocks[1].public_part, 0xff, 20);
    block_seal(&journal, 1, 2, 4);
    loss_is_told(&journal, 3, "the facts of block 2 cannot be read");

    journal_fill(&journal);
    memset(journal.blocks[1].header, 0xff, journal.blocks[1].header_bytes);
    loss_is_told(&journal, 3, "a block's header cannot be read");

    journal_fill(&journal);
    journal.blocks[1].header_bytes = 0;
    loss_is_told(&journal, 3, "a block's header is not of this version");
}
END_TEST

START_TEST(a_changed_chain_is_told)
{
    struct server server;
    struct journal journal;
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, 3);
    struct kith_cursor cursor = kith_feed_cursor(feed);
    kith_feed_close(&feed);
    cursor.chain[0] ^= 1;
    feed = feed_open(&server, &cursor);
    feed_stops(feed, KITH_DATA_LOSS, "the chain differs");
    stage_end(&server, &journal, &feed);

    journal_fill(&journal);
    journal.is_chain_wrong = true;
    loss_is_told(&journal, 0, "the chain differs");
}
END_TEST

START_TEST(another_epoch_is_told)
{
    struct server server;
    struct journal journal;
    struct kith_cursor cursor = { .epoch = EPOCH + 1, .seq = 3 };
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, &cursor);
    feed_stops(feed, KITH_DATA_LOSS, "another epoch");
    stage_end(&server, &journal, &feed);

    journal_fill(&journal);
    journal.epoch = 0;
    loss_is_told(&journal, 0, "another epoch");
}
END_TEST

START_TEST(a_journal_that_ends_before_the_cursor_is_told)
{
    struct server server;
    struct journal journal;
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, 8);
    struct kith_cursor cursor = kith_feed_cursor(feed);
    kith_feed_close(&feed);
    server_end(&server);
    journal.end = 7;
    server_begin(&server, producer, &journal);
    feed = feed_open(&server, &cursor);
    feed_stops(feed, KITH_DATA_LOSS, "ends before what was read");
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_fact_about_no_proper_customer_is_told)
{
    static const struct fact_plan plans[] = {
        { .type = 16, .customer_bytes = 15 },
        { .type = 16,
          .customer_bytes = 16,
          .subject = "a subject of more than sixty-four bytes, which no identifier can ever have" },
        { .type = 16, .customer_bytes = 16, .subject = "a\x1b[2J" },
    };
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct journal journal;
        journal_fill(&journal);
        block_append_plans(&journal, &plans[i], 1);
        loss_is_told(&journal, 8, "a fact's customer cannot be read");
    }
}
END_TEST

/* ---- refusals */

START_TEST(what_the_service_refuses_for_good_stops_the_feed)
{
    static const enum kith_status codes[] = { KITH_DATA_LOSS, KITH_NOT_FOUND, KITH_OUT_OF_RANGE,
                                              KITH_PERMISSION_DENIED };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct server server;
        struct journal journal;
        journal_fill(&journal);
        journal.refusal = codes[i];
        journal.refusals = 1;
        server_prepare(&server);
        server_begin(&server, producer, &journal);
        struct kith_feed *feed = feed_open(&server, NULL);
        feed_stops(feed, codes[i], "it says no");
        stage_end(&server, &journal, &feed);
    }
}
END_TEST

START_TEST(what_the_service_cannot_do_now_it_is_asked_again)
{
    struct server server;
    struct journal journal;
    journal_fill(&journal);
    journal.refusal = KITH_RESOURCE_EXHAUSTED;
    journal.refusals = 2;
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, 8);
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_reply_that_cannot_be_read_is_told_and_asked_for_again)
{
    struct server server;
    struct journal journal;
    struct kith_fact fact;
    struct kith_error error;
    journal_fill(&journal);
    journal.is_rubbish = true;
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    ck_assert_int_eq(kith_feed_next(feed, SOON_MS, &fact, &error), KITH_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot be read"));
    server_end(&server);
    journal.is_rubbish = false;
    server_begin(&server, producer, &journal);
    while (kith_feed_next(feed, SOON_MS, &fact, &error) != KITH_OK) {
        ck_assert_int_eq(error.status, KITH_UNAVAILABLE);
    }
    ck_assert_uint_eq(fact.seq, 1);
    stage_end(&server, &journal, &feed);
}
END_TEST

/* ---- hostile bytes */

START_TEST(no_spoiled_reply_gets_a_wrong_fact_through)
{
    struct server server;
    struct journal journal;
    journal_fill(&journal);
    journal.spoil_times = SIZE_MAX;
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    for (int i = 0; i < 150; i++) {
        struct kith_feed *feed = feed_open(&server, NULL);
        struct kith_fact fact;
        uint64_t seq = 1;
        while (kith_feed_next(feed, 20, &fact, NULL) == KITH_OK) {
            char body[32];
            (void)snprintf(body, sizeof body, "body %u", (unsigned)seq);
            ck_assert_uint_eq(fact.seq, seq);
            ck_assert_uint_eq(fact.body_bytes, strlen(body));
            ck_assert_mem_eq(fact.body, body, fact.body_bytes);
            ck_assert_uint_le(seq, 8);
            seq += 1;
        }
        kith_feed_close(&feed);
    }
    server_clear(&server);
    newest_forget(&journal);
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
    TCase *loss = tcase_create("loss");
    tcase_set_timeout(loss, 60);
    tcase_add_test(loss, a_gap_is_told);
    tcase_add_test(loss, a_gap_after_a_cursor_without_chain_is_told);
    tcase_add_test(loss, changed_facts_are_told);
    tcase_add_test(loss, a_changed_chain_is_told);
    tcase_add_test(loss, another_epoch_is_told);
    tcase_add_test(loss, a_journal_that_ends_before_the_cursor_is_told);
    tcase_add_test(loss, a_fact_about_no_proper_customer_is_told);
    tcase_add_test(loss, what_the_service_refuses_for_good_stops_the_feed);
    tcase_add_test(loss, what_the_service_cannot_do_now_it_is_asked_again);
    tcase_add_test(loss, a_reply_that_cannot_be_read_is_told_and_asked_for_again);
    tcase_add_test(loss, no_spoiled_reply_gets_a_wrong_fact_through);
    suite_add_tcase(suite, loss);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
