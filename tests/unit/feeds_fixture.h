/*
 * What the tests of services that read each other share: several toys on one network, each
 * with a client, and lists of what stands in their journals.
 */
#ifndef KITH_TESTS_FEEDS_FIXTURE_H
#define KITH_TESTS_FEEDS_FIXTURE_H

#include "common/base/limits.h"
#include "common/wire/pb.h"
#include "kith/v1/service.pb-c.h"
#include "tests/support/toy_node.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 5
#define DAY_MS (INT64_C(24) * 3600 * 1000)

struct town {
    struct memory_network *network;
    struct toy_clock clock;
    size_t count;
    struct toy_node nodes[NODES_MAX];
    struct toy_client clients[NODES_MAX];
    unsigned keys; /* made so far */
};

static inline void town_begin(struct town *town)
{
    *town = (struct town){ .clock = { .wall_ms = TOY_WALL_MS, .monotonic_ms = 1000 } };
    memory_network_open(&town->network);
}

/* One more toy; returns its number. */
static inline size_t town_add(struct town *town, const struct toy_node_options *options)
{
    size_t i = town->count;
    char port[32];
    char client[48];
    ck_assert_uint_lt(i, NODES_MAX);
    town->count += 1;
    toy_port_name(port, sizeof port, options->toy.name, options->shard);
    (void)snprintf(client, sizeof client, "asks-%s", port);
    toy_node_open(&town->nodes[i], town->network, &town->clock, options);
    toy_client_open(&town->clients[i], town->network, &town->clock, client, port);
    return i;
}

static inline void town_end(struct town *town)
{
    for (size_t i = 0; i < town->count; i++) {
        toy_client_close(&town->clients[i]);
        toy_node_remove(&town->nodes[i]);
    }
    memory_network_close(&town->network);
}

static inline void town_pass(struct town *town, int64_t ms)
{
    town->clock.wall_ms += ms;
    town->clock.monotonic_ms += ms;
}

/* A turn of each of the first `count` that are there, and 10 ms. */
static inline void town_round(struct town *town, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (town->nodes[i].shell != NULL) {
            toy_node_turn(&town->nodes[i]);
        }
    }
    town_pass(town, 10);
}

static inline void town_run(struct town *town, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        town_round(town, town->count);
    }
}

static inline void key_make(struct town *town, char key[16])
{
    town->keys += 1;
    (void)snprintf(key, 16, "k%u", town->keys);
}

static inline void town_send_add(struct town *town, size_t i, const struct toy_add *add)
{
    char key[16];
    key_make(town, key);
    (void)toy_client_add(&town->clients[i], key, add);
}

static inline void town_send_at(struct town *town, size_t i, const struct toy_add *timer)
{
    char key[16];
    key_make(town, key);
    toy_at_encode(timer, &town->clients[i].body);
    (void)toy_client_send(&town->clients[i], TRANSPORT_COMMAND, "toy.At", key);
}

struct acceptance {
    const char *feed;
    uint64_t from;
    const char *reason; /* NULL: it is left out */
};

static inline void town_send_accept(struct town *town, size_t i, const char *key,
                                    const struct acceptance *acceptance)
{
    Kith__V1__AcceptRequest request = KITH__V1__ACCEPT_REQUEST__INIT;
    struct toy_client *client = &town->clients[i];
    struct buffer text;
    char feed[24];
    (void)snprintf(feed, sizeof feed, "%s", acceptance->feed);
    buffer_init(&text, LIMIT_BODY_BYTES);
    if (acceptance->reason != NULL) {
        struct span reason = span_of(acceptance->reason, strlen(acceptance->reason) + 1);
        ck_assert_int_eq(buffer_append(&text, reason), STATUS_OK);
        request.reason = (char *)text.data;
    }
    request.feed = feed;
    request.has_from = 1;
    request.from = acceptance->from;
    buffer_clear(&client->body);
    ck_assert_int_eq(pb_pack(&request.base, &client->body), STATUS_OK);
    (void)toy_client_send(client, TRANSPORT_COMMAND, "consumer.Accept", key);
    buffer_release(&text);
}

/* Drops what was answered to client `i`; returns how many answers say OK. */
static inline size_t town_hear(struct town *town, size_t i)
{
    size_t count = 0;
    struct toy_answer answer;
    while (toy_client_answer(&town->clients[i], TRANSPORT_COMMAND, &answer)) {
        count += answer.header.refusal.status == STATUS_OK ? 1 : 0;
        toy_answer_release(&answer);
    }
    return count;
}

/* Drops what else was answered before. */
static inline int64_t town_sum(struct town *town, size_t i, const char *customer)
{
    struct toy_answer answer;
    (void)town_hear(town, i);
    toy_add_encode(&(struct toy_add){ customer, 0, 0 }, &town->clients[i].body);
    (void)toy_client_send(&town->clients[i], TRANSPORT_COMMAND, "toy.Get", NULL);
    toy_node_turn(&town->nodes[i]);
    ck_assert(toy_client_answer(&town->clients[i], TRANSPORT_COMMAND, &answer));
    int64_t sum = toy_sum_decode(answer.body);
    toy_answer_release(&answer);
    return sum;
}

static inline uint64_t town_blocks(const struct town *town, size_t i)
{
    return journal_end(town->nodes[i].journal).block;
}

static inline void town_agrees(struct town *town, size_t i)
{
    struct toy_digests live;
    struct toy_digests rebuilt;
    toy_node_digests(&town->nodes[i], &live);
    toy_node_rebuild(&town->nodes[i], &rebuilt);
    ck_assert(toy_digests_equal(&live, &rebuilt, 0));
}

/* ---- facts of a journal, in order */

struct seen_fact {
    uint32_t type;
    int64_t recorded_at_ms;
    uint64_t cause;
    int64_t amount;  /* of a toy's fact */
    uint64_t source; /* the seq of what it echoes, or when it is due */
    struct customer_id customer;
};

struct seen_facts {
    struct seen_fact *facts;
    size_t count;
};

static inline bool facts_see(void *argument, const struct block *block)
{
    struct seen_facts *seen = argument;
    struct arena arena;
    struct block_facts facts;
    arena_init(&arena, (size_t)64 * 1024 * 1024);
    ck_assert_int_eq(block_facts_decode(block, &arena, &facts), STATUS_OK);
    if (facts.count > 0) {
        seen->facts = memory_resize(seen->facts, (seen->count + facts.count) * sizeof *seen->facts);
    }
    for (size_t i = 0; i < facts.count; i++) {
        const struct fact *fact = &facts.facts[i];
        bool is_toys = fact->type >= TOY_ADDED && fact->type <= TOY_ECHOED;
        seen->facts[seen->count++] =
            (struct seen_fact){ .type = fact->type,
                                .recorded_at_ms = fact->recorded_at_ms,
                                .cause = fact->cause,
                                .amount = is_toys ? toy_fact_amount(fact) : 0,
                                .source = is_toys ? toy_fact_source(fact) : 0,
                                .customer = fact->customer };
    }
    arena_release(&arena);
    return true;
}

/* The caller frees seen.facts. */
static inline struct seen_facts town_see(const struct town *town, size_t i)
{
    struct seen_facts seen = { NULL, 0 };
    struct refusal refusal;
    struct journal_position start = { 0 };
    ck_assert_int_eq(journal_read(town->nodes[i].journal, &start, facts_see, &seen, &refusal),
                     STATUS_OK);
    return seen;
}

static inline void seen_equal(const struct seen_facts *a, const struct seen_facts *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const struct seen_fact *one = &a->facts[i];
        const struct seen_fact *other = &b->facts[i];
        bool equal = one->type == other->type && one->recorded_at_ms == other->recorded_at_ms &&
                     one->cause == other->cause && one->amount == other->amount &&
                     one->source == other->source &&
                     customer_id_equal(one->customer, other->customer);
        ck_assert_msg(equal,
                      "fact %zu: type %u, %u; recorded at %lld, %lld; cause %llu, %llu; amount "
                      "%lld, %lld; source %llu, %llu",
                      i + 1, one->type, other->type, (long long)one->recorded_at_ms,
                      (long long)other->recorded_at_ms, (unsigned long long)one->cause,
                      (unsigned long long)other->cause, (long long)one->amount,
                      (long long)other->amount, (unsigned long long)one->source,
                      (unsigned long long)other->source);
    }
    ck_assert_uint_eq(a->count, b->count);
}

#endif
