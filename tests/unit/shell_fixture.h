/*
 * What the tests of the shell share: one toy, one client that asks it, and what it heard.
 */
#ifndef KITH_TESTS_SHELL_FIXTURE_H
#define KITH_TESTS_SHELL_FIXTURE_H

#include "common/base/limits.h"
#include "tests/support/toy_node.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* ---- one toy and one client */

struct bench {
    struct memory_network *network;
    struct toy_clock clock;
    struct toy_node node;
    struct toy_client client;
};

static inline void bench_begin(struct bench *bench, const struct toy_node_options *options)
{
    *bench = (struct bench){ .clock = { .wall_ms = TOY_WALL_MS, .monotonic_ms = 1000 } };
    struct toy_node_options given = *options;
    given.toy.name = "loyalty";
    memory_network_open(&bench->network);
    toy_node_open(&bench->node, bench->network, &bench->clock, &given);
    toy_client_open(&bench->client, bench->network, &bench->clock, "client", "loyalty");
}

static inline void bench_end(struct bench *bench)
{
    toy_client_close(&bench->client);
    toy_node_remove(&bench->node);
    memory_network_close(&bench->network);
}

static inline void bench_crash(struct bench *bench)
{
    toy_node_crash(&bench->node);
    toy_node_reopen(&bench->node);
}

/* What the folders hold evolves to what the shell sees. */
static inline void bench_agrees(struct bench *bench)
{
    struct toy_digests live;
    struct toy_digests rebuilt;
    toy_node_digests(&bench->node, &live);
    toy_node_rebuild(&bench->node, &rebuilt);
    ck_assert(toy_digests_equal(&live, &rebuilt, 0));
}

/* ---- answers, kept */

struct said {
    bool is_there;
    uint64_t request_id;
    enum status status;
    struct refusal refusal;
    size_t header_size; /* without the request id */
    uint8_t header[512];
    size_t body_size;
    struct hash256 body_hash;
    int64_t sum;
};

/* The request id stands last in a header: two bytes for numbers below 128. */
#define REQUEST_ID_BYTES 2

static inline struct said hear(struct bench *bench)
{
    struct said said = { .is_there = false };
    struct toy_answer answer;
    if (!toy_client_answer(&bench->client, TRANSPORT_COMMAND, &answer)) {
        return said;
    }
    said.is_there = true;
    said.request_id = answer.header.request_id;
    said.refusal = answer.header.refusal;
    said.status = said.refusal.status;
    said.header_size = answer.message.header.size - REQUEST_ID_BYTES;
    ck_assert_uint_lt(said.request_id, 128);
    ck_assert_uint_le(said.header_size, sizeof said.header);
    memcpy(said.header, answer.message.header.data, said.header_size);
    said.body_size = answer.body.size;
    said.body_hash = hash256_of_span(answer.body);
    said.sum = answer.body.size >= 8 ? toy_sum_decode(answer.body) : 0;
    toy_answer_release(&answer);
    return said;
}

static inline void same(const struct said *a, const struct said *b)
{
    ck_assert(a->is_there && b->is_there);
    ck_assert_uint_ne(a->request_id, b->request_id);
    ck_assert_uint_eq(a->header_size, b->header_size);
    ck_assert_mem_eq(a->header, b->header, a->header_size);
    ck_assert_uint_eq(a->body_size, b->body_size);
    ck_assert(hash256_equal(a->body_hash, b->body_hash));
}

static inline void send_add(struct bench *bench, const char *key, const char *customer, int64_t n)
{
    (void)toy_client_add(&bench->client, key, &(struct toy_add){ customer, n, 0 });
}

static inline void send_plain(struct bench *bench, const char *method, const char *key)
{
    buffer_clear(&bench->client.body);
    (void)toy_client_send(&bench->client, TRANSPORT_COMMAND, method, key);
}

static inline struct said turn(struct bench *bench)
{
    toy_node_turn(&bench->node);
    struct said said = hear(bench);
    ck_assert(said.is_there);
    return said;
}

static inline struct said add(struct bench *bench, const char *key, const char *customer, int64_t n)
{
    send_add(bench, key, customer, n);
    return turn(bench);
}

static inline struct said plain(struct bench *bench, const char *method, const char *key)
{
    send_plain(bench, method, key);
    return turn(bench);
}

static inline struct said many(struct bench *bench, const char *key, uint32_t count, uint32_t bytes)
{
    toy_many_encode(count, bytes, &bench->client.body);
    (void)toy_client_send(&bench->client, TRANSPORT_COMMAND, "toy.Many", key);
    return turn(bench);
}

static inline struct said get(struct bench *bench, const char *customer)
{
    toy_add_encode(&(struct toy_add){ customer, 0, 0 }, &bench->client.body);
    (void)toy_client_send(&bench->client, TRANSPORT_COMMAND, "toy.Get", NULL);
    return turn(bench);
}

static inline void set_timer(struct bench *bench, const char *key, const struct toy_add *timer)
{
    toy_at_encode(timer, &bench->client.body);
    (void)toy_client_send(&bench->client, TRANSPORT_COMMAND, "toy.At", key);
}

static inline uint64_t blocks_of(const struct bench *bench)
{
    return journal_end(bench->node.journal).block;
}

static inline size_t hear_all(struct bench *bench)
{
    size_t count = 0;
    struct toy_answer answer;
    while (toy_client_answer(&bench->client, TRANSPORT_COMMAND, &answer)) {
        count += 1;
        toy_answer_release(&answer);
    }
    return count;
}

static inline void send_adds(struct bench *bench, int count)
{
    char key[16];
    for (int i = 0; i < count; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        send_add(bench, key, "anna", 1);
    }
}

/* ---- what leaves, and when */

struct watch {
    const struct bench *bench;
    uint64_t replies;
    uint64_t too_early;
};

/* Asked on the way of each reply: does the journal hold by now what it tells of? */
static inline enum memory_fate watch_judge(void *context, const struct memory_passage *passage)
{
    struct watch *watch = context;
    if (passage->is_reply && passage->body.size >= 16) {
        uint64_t seq = be64_get(passage->body.data + 8);
        watch->replies += 1;
        watch->too_early += journal_end(watch->bench->node.journal).seq < seq ? 1 : 0;
    }
    return MEMORY_PASS;
}

#endif
