/*
 * A service as libkith meets it: a ROUTER in a thread of its own that does what a test's script
 * says. It is built on ZeroMQ and the messages alone, like the client that is tested.
 */
#ifndef KITH_TESTS_LIBKITH_FIXTURE_H
#define KITH_TESTS_LIBKITH_FIXTURE_H

#include "clients/c/kith.h"
#include "kith/v1/wire.pb-c.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define PEER_BYTES_MAX 256
#define BODY_ROOM (2 * 1024 * 1024)
#define POLL_MS 10

#ifdef __SANITIZE_THREAD__
/* ZeroMQ is not instrumented: what passes between its threads is not seen to be in order. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libzmq.so\n";
}
#endif

struct server;
/* Runs until it returns, and the server with it. */
typedef void (*server_script)(struct server *server);

struct server {
    char folder[32];
    char endpoint[64];
    void *context;
    void *router;
    pthread_t thread;
    bool runs;
    server_script script;
    void *argument;   /* the script's own */
    atomic_bool ends; /* the test is over */
    atomic_uint taken;
};

struct request {
    uint8_t peer[PEER_BYTES_MAX];
    size_t peer_bytes;
    Kith__V1__RequestHeader *header;
    uint8_t *body;
    size_t body_bytes;
};

static inline int64_t now_ms(void)
{
    struct timespec now = { 0 };
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what scripts are made of */

static inline void request_release(struct request *request)
{
    if (request->header != NULL) {
        kith__v1__request_header__free_unpacked(request->header, NULL);
    }
    free(request->body);
    *request = (struct request){ 0 };
}

static inline size_t frame_take(void *router, void *out, size_t room)
{
    int size = zmq_recv(router, out, room, 0);
    ck_assert_int_ge(size, 0);
    ck_assert_uint_le((size_t)size, room);
    return (size_t)size;
}

/* Waits for a request. False: the test is over. */
static inline bool server_take(struct server *server, struct request *request)
{
    zmq_pollitem_t item = { .socket = server->router, .events = ZMQ_POLLIN };
    while (zmq_poll(&item, 1, POLL_MS) == 0) {
        if (atomic_load(&server->ends)) {
            return false;
        }
    }
    *request = (struct request){ .body = malloc(BODY_ROOM) };
    uint8_t header[4096];
    request->peer_bytes = frame_take(server->router, request->peer, sizeof request->peer);
    size_t header_bytes = frame_take(server->router, header, sizeof header);
    request->body_bytes = frame_take(server->router, request->body, BODY_ROOM);
    request->header = kith__v1__request_header__unpack(NULL, header_bytes, header);
    ck_assert_ptr_nonnull(request->header);
    (void)atomic_fetch_add(&server->taken, 1);
    return true;
}

struct bytes {
    const void *data;
    size_t size;
};

static inline void frame_give(void *router, struct bytes frame, int flags)
{
    ck_assert_int_ge(zmq_send(router, frame.data, frame.size, flags), 0);
}

/* Frames as they are; a peer that is gone is no failure. */
static inline void server_send_raw(struct server *server, const struct request *to,
                                   const struct bytes *frames, size_t count)
{
    frame_give(server->router, (struct bytes){ to->peer, to->peer_bytes },
               count > 0 ? ZMQ_SNDMORE : 0);
    for (size_t i = 0; i < count; i++) {
        frame_give(server->router, frames[i], i + 1 < count ? ZMQ_SNDMORE : 0);
    }
}

static inline void server_send(struct server *server, const struct request *to,
                               const Kith__V1__ReplyHeader *header, struct bytes body)
{
    uint8_t packed[64 * 1024];
    ck_assert_uint_le(kith__v1__reply_header__get_packed_size(header), sizeof packed);
    size_t size = kith__v1__reply_header__pack(header, packed);
    const struct bytes frames[] = { { packed, size }, body };
    server_send_raw(server, to, frames, 2);
}

/* A reply to this request; `retry_after_ms` 0: none. */
static inline void server_refuse(struct server *server, const struct request *request,
                                 enum kith_status code, uint32_t retry_after_ms)
{
    char message[] = "it says no";
    Kith__V1__ReplyHeader header = KITH__V1__REPLY_HEADER__INIT;
    header.has_request_id = true;
    header.request_id = request->header->request_id;
    header.has_code = true;
    header.code = (uint32_t)code;
    header.message = message;
    header.has_retry_after_ms = retry_after_ms > 0;
    header.retry_after_ms = retry_after_ms;
    server_send(server, request, &header, (struct bytes){ "", 0 });
}

static inline void server_answer(struct server *server, const struct request *request,
                                 struct bytes body)
{
    Kith__V1__ReplyHeader header = KITH__V1__REPLY_HEADER__INIT;
    header.has_request_id = true;
    header.request_id = request->header->request_id;
    header.has_code = true;
    server_send(server, request, &header, body);
}

static inline void server_answer_message(struct server *server, const struct request *request,
                                         const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(size + 1);
    ck_assert_uint_eq(protobuf_c_message_pack(message, packed), size);
    server_answer(server, request, (struct bytes){ packed, size });
    free(packed);
}

/* ---- the server */

static inline void *server_run(void *argument)
{
    struct server *server = argument;
    server->router = zmq_socket(server->context, ZMQ_ROUTER);
    int linger = 500; /* what the script said last must still arrive */
    ck_assert_int_eq(zmq_setsockopt(server->router, ZMQ_LINGER, &linger, sizeof linger), 0);
    ck_assert_int_eq(zmq_bind(server->router, server->endpoint), 0);
    server->script(server);
    ck_assert_int_eq(zmq_close(server->router), 0);
    return NULL;
}

/* A folder and an endpoint; nobody listens yet. */
static inline void server_prepare(struct server *server)
{
    *server = (struct server){ .folder = "/tmp/libkith-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    (void)snprintf(server->endpoint, sizeof server->endpoint, "ipc://%s/s", server->folder);
}

static inline void server_begin(struct server *server, server_script script, void *argument)
{
    ck_assert(!server->runs);
    server->script = script;
    server->argument = argument;
    server->runs = true;
    atomic_store(&server->ends, false);
    server->context = zmq_ctx_new();
    ck_assert_int_eq(pthread_create(&server->thread, NULL, server_run, server), 0);
}

static inline void server_end(struct server *server)
{
    if (server->runs) {
        atomic_store(&server->ends, true);
        ck_assert_int_eq(pthread_join(server->thread, NULL), 0);
        ck_assert_int_eq(zmq_ctx_term(server->context), 0);
        server->runs = false;
    }
}

static inline void server_clear(struct server *server)
{
    server_end(server);
    (void)unlink(server->endpoint + strlen("ipc://"));
    ck_assert_int_eq(rmdir(server->folder), 0);
}

/* ---- chance, the same for the same seed */

static inline uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

/* Bytes flipped, cut out or set, as in a message that somebody has tampered with. */
static inline size_t bytes_spoil(uint64_t *seed, uint8_t *bytes, size_t size)
{
    uint32_t times = 1 + draw(seed, 4);
    for (uint32_t i = 0; i < times && size > 0; i++) {
        uint32_t at = draw(seed, (uint32_t)size);
        switch (draw(seed, 3)) {
        case 0:
            bytes[at] ^= (uint8_t)(1U << draw(seed, 8));
            break;
        case 1:
            bytes[at] = (uint8_t)draw(seed, 256);
            break;
        default:
            size = draw(seed, 4) == 0 ? at : size;
            break;
        }
    }
    return size;
}

#endif
