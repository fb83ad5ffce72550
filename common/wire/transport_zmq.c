/*
 * The transport over ZeroMQ: a ROUTER for each server, a DEALER for each peer, one context,
 * one thread. All but wait() look and go on: DONTWAIT on every call.
 */
#include "common/base/limits.h"
#include "common/wire/socket.h"
#include "common/wire/transport.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Envelopes kept for the next message: those of a turn at both servers. */
#define SPARE_ENVELOPES_MAX (2 * LIMIT_TURN_REQUESTS)
/* Bad messages dropped in one receive: who sends nothing else may not hold the loop. */
#define DROPS_PER_RECEIVE_MAX LIMIT_TURN_REQUESTS

/* The frames of a message that came in. On the heap and never moved: ZeroMQ keeps the bytes
 * of a small frame inside zmq_msg_t. */
struct envelope {
    zmq_msg_t frames[SOCKET_FRAME_COUNT];
    struct envelope *next; /* spare ones */
};

struct transport_zmq {
    void *context;
    void *servers[TRANSPORT_SERVER_COUNT]; /* NULL: not served */
    void **peers;
    unsigned peer_count;
    zmq_pollitem_t *items; /* servers, peers, wake descriptors */
    int item_count;
    struct envelope *spare;
    unsigned spare_count;
    uint64_t dropped;
};

/* ---- envelopes */

static struct envelope *envelope_take(struct transport_zmq *transport)
{
    struct envelope *envelope = transport->spare;
    if (envelope == NULL) {
        envelope = memory_allocate(sizeof *envelope);
    } else {
        transport->spare = envelope->next;
        transport->spare_count--;
    }
    for (int i = 0; i < SOCKET_FRAME_COUNT; i++) {
        (void)zmq_msg_init(&envelope->frames[i]); /* never fails */
    }
    return envelope;
}

static void envelope_give_back(struct transport_zmq *transport, struct envelope *envelope)
{
    for (int i = 0; i < SOCKET_FRAME_COUNT; i++) {
        (void)zmq_msg_close(&envelope->frames[i]); /* fails only for what is no message */
    }
    if (transport->spare_count == SPARE_ENVELOPES_MAX) {
        free(envelope);
        return;
    }
    envelope->next = transport->spare;
    transport->spare = envelope;
    transport->spare_count++;
}

/* ---- receiving */

/* The identity frame. SOCKET_TAKEN_BAD: one that we cannot keep; the message is drained. */
static enum socket_taken route_take(void *socket, struct route *route)
{
    zmq_msg_t identity;
    (void)zmq_msg_init(&identity);
    enum socket_taken taken = SOCKET_TAKEN_NOTHING;
    if (socket_frame_receive(socket, &identity)) {
        size_t size = zmq_msg_size(&identity);
        bool fits = size <= sizeof route->bytes && zmq_msg_more(&identity) != 0;
        taken = fits ? SOCKET_TAKEN : SOCKET_TAKEN_BAD;
        if (fits) {
            memcpy(route->bytes, zmq_msg_data(&identity), size);
            route->size = (uint8_t)size;
        } else {
            socket_frames_drain(socket, &identity);
        }
    }
    (void)zmq_msg_close(&identity);
    return taken;
}

/* Header and body into `message`, which keeps its route. */
static enum socket_taken frames_take(struct transport_zmq *transport, void *socket,
                                     struct message *message)
{
    struct envelope *envelope = envelope_take(transport);
    enum socket_taken taken = socket_frames_receive(socket, envelope->frames);
    if (taken != SOCKET_TAKEN) {
        envelope_give_back(transport, envelope);
        return taken;
    }
    message->header = socket_frame_span(&envelope->frames[SOCKET_FRAME_HEADER]);
    message->body = socket_frame_span(&envelope->frames[SOCKET_FRAME_BODY]);
    message->owned[0] = envelope;
    message->owned[1] = NULL;
    return SOCKET_TAKEN;
}

static enum socket_taken request_take(struct transport_zmq *transport, enum transport_server server,
                                      struct message *message)
{
    void *socket = transport->servers[server];
    struct message request = { .route = { .server = server } };
    enum socket_taken taken = route_take(socket, &request.route);
    if (taken == SOCKET_TAKEN) {
        taken = frames_take(transport, socket, &request);
    }
    if (taken == SOCKET_TAKEN) {
        *message = request;
    }
    return taken;
}

static enum socket_taken reply_take(struct transport_zmq *transport, unsigned peer,
                                    struct message *message)
{
    struct message reply = { 0 };
    enum socket_taken taken = frames_take(transport, transport->peers[peer], &reply);
    if (taken == SOCKET_TAKEN) {
        *message = reply;
    }
    return taken;
}

static bool transport_receive(void *context, enum transport_server server, struct message *message)
{
    struct transport_zmq *transport = context;
    if (transport->servers[server] == NULL) {
        return false;
    }
    enum socket_taken taken = SOCKET_TAKEN_BAD;
    for (int i = 0; i < DROPS_PER_RECEIVE_MAX && taken == SOCKET_TAKEN_BAD; i++) {
        taken = request_take(transport, server, message);
        transport->dropped += taken == SOCKET_TAKEN_BAD;
    }
    return taken == SOCKET_TAKEN;
}

static bool transport_peer_receive(void *context, unsigned peer, struct message *message)
{
    struct transport_zmq *transport = context;
    assert(peer < transport->peer_count);
    enum socket_taken taken = SOCKET_TAKEN_BAD;
    for (int i = 0; i < DROPS_PER_RECEIVE_MAX && taken == SOCKET_TAKEN_BAD; i++) {
        taken = reply_take(transport, peer, message);
        transport->dropped += taken == SOCKET_TAKEN_BAD;
    }
    return taken == SOCKET_TAKEN;
}

static void transport_message_release(void *context, struct message *message)
{
    if (message->owned[0] != NULL) {
        envelope_give_back(context, message->owned[0]);
    }
    *message = (struct message){ 0 };
}

/* ---- sending */

static bool transport_reply(void *context, const struct route *route, struct span header,
                            struct span body)
{
    struct transport_zmq *transport = context;
    void *socket = transport->servers[route->server];
    assert(socket != NULL);
    assert(header.size <= LIMIT_HEADER_BYTES && body.size <= LIMIT_MESSAGE_BYTES);
    const struct span frames[] = { span_of(route->bytes, route->size), header, body };
    bool is_sent = socket_send(socket, frames, 3);
    transport->dropped += !is_sent;
    return is_sent;
}

static bool transport_peer_send(void *context, unsigned peer, struct span header, struct span body)
{
    struct transport_zmq *transport = context;
    assert(peer < transport->peer_count);
    assert(header.size <= LIMIT_HEADER_BYTES && body.size <= LIMIT_BODY_BYTES);
    const struct span frames[] = { header, body };
    return socket_send(transport->peers[peer], frames, 2);
}

/* ---- waiting */

static void transport_wait(void *context, int64_t timeout_ms)
{
    struct transport_zmq *transport = context;
    long timeout = timeout_ms < 0 ? -1 : timeout_ms > LONG_MAX ? LONG_MAX : (long)timeout_ms;
    int result = zmq_poll(transport->items, transport->item_count, timeout);
    if (result < 0 && errno == ENOMEM) {
        memory_exhausted("a wait");
    }
    /* A signal ends the wait early; who waits looks and waits again. */
    assert(result >= 0 || errno == EINTR);
}

/* A socket's descriptor tells of news since it was last asked for a message in vain. */
static bool transport_linger(void *context, enum transport_server server, int64_t timeout_us)
{
    const struct transport_zmq *transport = context;
    assert(timeout_us >= 0 && timeout_us < 1000000);
    int descriptor = -1;
    size_t size = sizeof descriptor;
    int result = zmq_getsockopt(transport->servers[server], ZMQ_FD, &descriptor, &size);
    assert(result == 0);
    struct pollfd item = { .fd = descriptor, .events = POLLIN };
    const struct timespec timeout = { .tv_nsec = (long)timeout_us * 1000 };
    return ppoll(&item, 1, &timeout, NULL) > 0; /* a signal ends it like the time */
}

static uint64_t transport_dropped(void *context)
{
    const struct transport_zmq *transport = context;
    return transport->dropped;
}

/* ---- opening and closing */

static void poll_item_add(struct transport_zmq *transport, void *socket, int descriptor)
{
    transport->items[transport->item_count++] =
        (zmq_pollitem_t){ .socket = socket, .fd = descriptor, .events = ZMQ_POLLIN };
}

static void poll_items_make(struct transport_zmq *transport, const int *descriptors, unsigned count)
{
    size_t most = TRANSPORT_SERVER_COUNT + (size_t)transport->peer_count + count;
    transport->items = memory_allocate(most * sizeof *transport->items);
    for (int i = 0; i < TRANSPORT_SERVER_COUNT; i++) {
        if (transport->servers[i] != NULL) {
            poll_item_add(transport, transport->servers[i], -1);
        }
    }
    for (unsigned i = 0; i < transport->peer_count; i++) {
        poll_item_add(transport, transport->peers[i], -1);
    }
    for (unsigned i = 0; i < count; i++) {
        poll_item_add(transport, NULL, descriptors[i]);
    }
}

static enum status sockets_open(struct transport_zmq *transport,
                                const struct transport_zmq_options *options,
                                struct refusal *refusal)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < TRANSPORT_SERVER_COUNT && status == STATUS_OK; i++) {
        if (options->servers[i] != NULL) {
            status = socket_open(&transport->servers[i], transport->context, SOCKET_SERVER,
                                 options->servers[i], refusal);
        }
    }
    for (unsigned i = 0; i < options->peer_count && status == STATUS_OK; i++) {
        status = socket_open(&transport->peers[i], transport->context, SOCKET_CALLER,
                             options->peers[i], refusal);
    }
    return status;
}

enum status transport_zmq_open(struct transport_zmq **transport,
                               const struct transport_zmq_options *options, struct refusal *refusal)
{
    struct transport_zmq *opened = memory_allocate(sizeof *opened);
    opened->peer_count = options->peer_count;
    opened->peers = memory_allocate((opened->peer_count + (size_t)1) * sizeof *opened->peers);
    opened->context = zmq_ctx_new();
    if (opened->context == NULL) {
        enum status status =
            refusal_set(refusal, STATUS_INTERNAL, "cannot start ZeroMQ: %s", zmq_strerror(errno));
        transport_zmq_close(&opened);
        return status;
    }
    enum status status = sockets_open(opened, options, refusal);
    if (status != STATUS_OK) {
        transport_zmq_close(&opened);
        return status;
    }
    poll_items_make(opened, options->wake_descriptors, options->wake_count);
    *transport = opened;
    return STATUS_OK;
}

static void context_close(void *context)
{
    int result = -1;
    do {
        result = zmq_ctx_term(context);
    } while (result < 0 && errno == EINTR);
    assert(result == 0);
}

void transport_zmq_close(struct transport_zmq **transport)
{
    struct transport_zmq *closing = *transport;
    if (closing == NULL) {
        return;
    }
    *transport = NULL;
    for (int i = 0; i < TRANSPORT_SERVER_COUNT; i++) {
        socket_close(&closing->servers[i]);
    }
    for (unsigned i = 0; i < closing->peer_count; i++) {
        socket_close(&closing->peers[i]);
    }
    if (closing->context != NULL) {
        context_close(closing->context);
    }
    while (closing->spare != NULL) {
        struct envelope *envelope = closing->spare;
        closing->spare = envelope->next;
        free(envelope);
    }
    free(closing->items);
    free(closing->peers);
    free(closing);
}

struct transport transport_of_zmq(struct transport_zmq *transport)
{
    return (struct transport){
        .context = transport,
        .receive = transport_receive,
        .reply = transport_reply,
        .peer_send = transport_peer_send,
        .peer_receive = transport_peer_receive,
        .message_release = transport_message_release,
        .wait = transport_wait,
        .linger = transport_linger,
        .dropped = transport_dropped,
    };
}
