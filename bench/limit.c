/*
 * The limit: what a service cannot pass on this machine with these libraries. It takes the same
 * requests as ingestion and loyalty, unpacks them with protobuf-c, drops what it has seen by a
 * hash in memory, appends what came as one block to LMDB, syncs, and then answers all that the
 * block holds. No rules, no state on disk, no feeds, no checkpoints.
 *
 *   kith-bench-limit FOLDER ITEMS    prints its endpoint and serves until it is killed, or until
 *                                    it has seen ITEMS
 */
#include "bench/bench.h"
#include "common/base/arena.h"
#include "common/base/field.h"
#include "common/base/limits.h"
#include "common/wire/pb.h"
#include "common/wire/wire.h"
#include "kith/v1/event.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"

#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zmq.h>

#define MAP_BYTES (UINT64_C(32) << 30U)
#define ARENA_BYTES (64 * 1024 * 1024)

/* A request of the turn: who asked, and how many of its items are new. */
struct asked {
    zmq_msg_t identity;
    uint64_t request_id;
    uint32_t count;
    uint64_t first_seq;
};

struct limit {
    void *socket;
    MDB_env *env;
    MDB_dbi table;
    XXH128_hash_t *seen; /* zero: a free slot */
    uint64_t seen_slots; /* a power of two, at least twice the items */
    uint64_t seen_most;
    uint64_t seen_count;
    uint64_t seq; /* of the newest item */
    size_t asked_count;
    struct asked asked[LIMIT_TURN_REQUESTS];
    struct buffer block;
    struct buffer reply;
    struct buffer body;
    struct arena arena;
};

static void lmdb_check(int code, const char *what)
{
    if (code != 0) {
        bench_fail("%s: %s", what, mdb_strerror(code));
    }
}

static void seen_open(struct limit *limit, double items)
{
    limit->seen_most = (uint64_t)items;
    limit->seen_slots = 1024;
    while (limit->seen_slots < 2 * limit->seen_most) {
        limit->seen_slots *= 2;
    }
    /* Written once now, so that no page of it comes into being while it is measured. */
    size_t size = limit->seen_slots * sizeof *limit->seen;
    limit->seen = malloc(size);
    if (limit->seen == NULL) {
        bench_fail("there is no memory for the hashes");
    }
    memset(limit->seen, 0, size);
}

static void limit_open(struct limit *limit, void *context, const char *folder)
{
    MDB_txn *txn = NULL;
    lmdb_check(mdb_env_create(&limit->env), "create");
    lmdb_check(mdb_env_set_mapsize(limit->env, MAP_BYTES), "map");
    lmdb_check(mdb_env_open(limit->env, folder, MDB_NOTLS, 0600), folder);
    lmdb_check(mdb_txn_begin(limit->env, NULL, 0, &txn), "begin");
    lmdb_check(mdb_dbi_open(txn, NULL, 0, &limit->table), "table");
    lmdb_check(mdb_txn_commit(txn), "commit");
    buffer_init(&limit->block, 2 * LIMIT_TURN_BYTES);
    buffer_init(&limit->reply, LIMIT_HEADER_BYTES);
    buffer_init(&limit->body, LIMIT_HEADER_BYTES);
    arena_init(&limit->arena, ARENA_BYTES);
    char endpoint[64] = "";
    size_t size = sizeof endpoint;
    limit->socket = zmq_socket(context, ZMQ_ROUTER);
    if (limit->socket == NULL || zmq_bind(limit->socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(limit->socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        bench_fail("cannot listen: %s", zmq_strerror(zmq_errno()));
    }
    printf("%s\n", endpoint);
    (void)fflush(stdout);
}

/* ---- what is seen */

/* False: it was there. */
static bool seen_add(struct limit *limit, XXH128_hash_t hash)
{
    uint64_t at = hash.low64 & (limit->seen_slots - 1);
    while (limit->seen[at].low64 != 0 || limit->seen[at].high64 != 0) {
        if (XXH128_isEqual(limit->seen[at], hash)) {
            return false;
        }
        at = (at + 1) & (limit->seen_slots - 1);
    }
    if (limit->seen_count == limit->seen_most) {
        bench_fail("the table of hashes is full; allow more items");
    }
    limit->seen[at] = hash;
    limit->seen_count += 1;
    return true;
}

static void *unpack(struct limit *limit, const ProtobufCMessageDescriptor *descriptor,
                    struct span bytes)
{
    ProtobufCAllocator allocator = pb_allocator(&limit->arena);
    void *message = protobuf_c_message_unpack(descriptor, &allocator, bytes.size, bytes.data);
    if (message == NULL) {
        bench_fail("a %s cannot be unpacked", descriptor->short_name);
    }
    return message;
}

/* New events: by source and id. */
static uint32_t events_take(struct limit *limit, struct span body)
{
    uint32_t count = 0;
    const Kith__V1__IngestRequest *request =
        unpack(limit, &kith__v1__ingest_request__descriptor, body);
    for (size_t i = 0; i < request->n_items; i++) {
        const Kith__V1__Event *event =
            unpack(limit, &kith__v1__event__descriptor, pb_span(request->items[i]->event));
        XXH128_hash_t hash = XXH3_128bits_withSeed(
            event->id, strlen(event->id), XXH3_64bits(event->source, strlen(event->source)));
        count += seen_add(limit, hash) ? 1 : 0;
    }
    return count;
}

/* Postings: by the request's key, which covers them all. */
static uint32_t postings_take(struct limit *limit, const struct request_header *header,
                              struct span body)
{
    uint32_t count = 1;
    if (strcmp(header->method, "loyalty.Post") == 0) {
        const Kith__V1__PostRequest *request =
            unpack(limit, &kith__v1__post_request__descriptor, body);
        count = (uint32_t)request->n_postings;
    } else {
        (void)unpack(limit, &kith__v1__spend_request__descriptor, body);
    }
    return seen_add(limit, XXH3_128bits(header->key, header->key_size)) ? count : 0;
}

/* ---- a turn */

static void append(struct buffer *out, struct span bytes)
{
    if (buffer_append(out, bytes) != STATUS_OK) {
        bench_fail("a turn of more than %d bytes", 2 * LIMIT_TURN_BYTES);
    }
}

/* Header and body, after the identity. */
static void request_take(struct limit *limit, struct asked *asked)
{
    zmq_msg_t frames[2];
    for (size_t i = 0; i < 2; i++) {
        (void)zmq_msg_init(&frames[i]);
        if (zmq_msg_recv(&frames[i], limit->socket, 0) < 0) {
            bench_fail("half a request: %s", zmq_strerror(zmq_errno()));
        }
    }
    struct refusal refusal;
    refusal_init(&refusal);
    struct request_header header = { .request_id = 0 };
    struct span bytes = span_of(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]));
    struct span body = span_of(zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]));
    if (request_header_decode(bytes, &header, &refusal) != STATUS_OK) {
        bench_fail("a header cannot be read: %s", refusal.message);
    }
    arena_reset(&limit->arena);
    bool is_event = strcmp(header.method, "ingestion.Ingest") == 0;
    asked->request_id = header.request_id;
    asked->first_seq = limit->seq + 1;
    asked->count = is_event ? events_take(limit, body) : postings_take(limit, &header, body);
    limit->seq += asked->count;
    append(&limit->block, body);
    for (size_t i = 0; i < 2; i++) {
        (void)zmq_msg_close(&frames[i]);
    }
}

/* Takes what waits, up to a turn's bounds. False: nothing did. */
static bool requests_take(struct limit *limit)
{
    limit->asked_count = 0;
    buffer_clear(&limit->block);
    while (limit->asked_count < LIMIT_TURN_REQUESTS && limit->block.size < LIMIT_TURN_BYTES) {
        struct asked *asked = &limit->asked[limit->asked_count];
        (void)zmq_msg_init(&asked->identity);
        if (zmq_msg_recv(&asked->identity, limit->socket, ZMQ_DONTWAIT) < 0) {
            (void)zmq_msg_close(&asked->identity);
            break;
        }
        limit->asked_count += 1;
        request_take(limit, asked);
    }
    return limit->asked_count > 0;
}

static void block_append(struct limit *limit, uint64_t number)
{
    uint8_t key[8];
    be64_put(key, number);
    MDB_txn *txn = NULL;
    MDB_val place = { .mv_size = sizeof key, .mv_data = key };
    MDB_val block = { .mv_size = limit->block.size, .mv_data = limit->block.data };
    lmdb_check(mdb_txn_begin(limit->env, NULL, 0, &txn), "begin");
    lmdb_check(mdb_put(txn, limit->table, &place, &block, MDB_APPEND), "put");
    lmdb_check(mdb_txn_commit(txn), "commit");
}

static void reply_send(struct limit *limit, struct asked *asked)
{
    struct reply_header header = { .request_id = asked->request_id };
    reply_header_encode(&header, &limit->reply);
    buffer_clear(&limit->body);
    Kith__V1__IngestRun run = KITH__V1__INGEST_RUN__INIT;
    run.has_count = 1;
    run.count = asked->count;
    run.has_outcome = 1;
    run.has_first_seq = 1;
    run.first_seq = asked->first_seq;
    size_t size = protobuf_c_message_get_packed_size(&run.base);
    if (pb_field_begin(&limit->body, 1, size) != STATUS_OK ||
        pb_pack(&run.base, &limit->body) != STATUS_OK) {
        bench_fail("a reply is too long");
    }
    (void)zmq_msg_send(&asked->identity, limit->socket, ZMQ_SNDMORE);
    (void)zmq_send(limit->socket, limit->reply.data, limit->reply.size, ZMQ_SNDMORE);
    (void)zmq_send(limit->socket, limit->body.data, limit->body.size, 0);
}

int main(int argc, char **argv)
{
    if (argc != 3 || argv[1][0] == '-') {
        (void)fputs("usage: kith-bench-limit FOLDER ITEMS\n", stderr);
        return 2;
    }
    struct limit *limit = memory_allocate(sizeof *limit);
    void *context = zmq_ctx_new();
    seen_open(limit, bench_number("ITEMS", argv[2]));
    limit_open(limit, context, argv[1]);
    zmq_pollitem_t item = { .socket = limit->socket, .events = ZMQ_POLLIN };
    for (uint64_t number = 1;;) {
        (void)zmq_poll(&item, 1, -1);
        if (!requests_take(limit)) {
            continue;
        }
        block_append(limit, number++);
        for (size_t i = 0; i < limit->asked_count; i++) {
            reply_send(limit, &limit->asked[i]);
        }
    }
}
