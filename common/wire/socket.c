#include "common/wire/socket.h"

#include "common/base/limits.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#define IPC_SCHEME "ipc://"

/* Messages that a socket holds per peer. */
#define RECEIVE_HIGH_WATER 32
#define CALLER_SEND_HIGH_WATER 8
/* A turn answers all requests of a connection at once, and ZeroMQ tells the sender of room
 * only after half a queue was read: twice the replies that a peer may await always fit. */
#define SERVER_SEND_HIGH_WATER (2 * LIMIT_IN_FLIGHT)

/* What the kernel holds of a connection on its way: as much as the largest reply of a feed, or a
 * reader gets it in slices, one change of threads for each. net.core.wmem_max may allow less. */
#define SEND_BYTES (1 << 20)

struct option {
    int name;
    int value;
};

/* clang-format off */
static const struct option options_of_all[] = {
    { ZMQ_LINGER, 0 },             /* what is unsent at the end, a retry settles */
    { ZMQ_SNDBUF, SEND_BYTES },
    { ZMQ_RCVHWM, RECEIVE_HIGH_WATER },
    { ZMQ_HANDSHAKE_IVL, 3000 },   /* who connects and says nothing is put out */
    { ZMQ_HEARTBEAT_IVL, 2000 },   /* half-open connections are found */
    { ZMQ_HEARTBEAT_TIMEOUT, 6000 },
    { ZMQ_HEARTBEAT_TTL, 6000 },
};
static const struct option options_of_server[] = {
    { ZMQ_SNDHWM, SERVER_SEND_HIGH_WATER },
    { ZMQ_ROUTER_MANDATORY, 1 },   /* a reply to nobody is an error and not a silence */
    { ZMQ_BACKLOG, 4096 },
};
static const struct option options_of_caller[] = {
    { ZMQ_SNDHWM, CALLER_SEND_HIGH_WATER },
    { ZMQ_IMMEDIATE, 0 },          /* a request may wait for a service that starts */
    { ZMQ_RECONNECT_IVL, 50 },     /* on one machine a service is back soon */
    { ZMQ_RECONNECT_IVL_MAX, 500 },
};
/* clang-format on */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void options_set(void *socket, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int result =
            zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof options[i].value);
        assert(result == 0); /* constants: they are right or never were */
    }
}

static void socket_configure(void *socket, enum socket_kind kind)
{
    int64_t message_bytes = LIMIT_MESSAGE_BYTES;
    int result = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes, sizeof message_bytes);
    assert(result == 0);
    options_set(socket, options_of_all, COUNT_OF(options_of_all));
    switch (kind) {
    case SOCKET_SERVER:
        options_set(socket, options_of_server, COUNT_OF(options_of_server));
        return;
    case SOCKET_CALLER:
        options_set(socket, options_of_caller, COUNT_OF(options_of_caller));
        return;
    }
}

static bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static enum status endpoint_check(const char *endpoint, struct refusal *refusal)
{
    if (text_begins(endpoint, "tcp://")) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "endpoint '%s': TCP needs CURVE, which only the gateway has; use "
                           "ipc:///path",
                           endpoint);
    }
    /* Only a path lies in a folder that keeps others out: an abstract name (ipc://@x) does not. */
    const size_t scheme_size = sizeof IPC_SCHEME - 1;
    if (!text_begins(endpoint, IPC_SCHEME "/")) {
        return refusal_set(refusal, STATUS_REFUSED, "endpoint '%s': must be ipc:///path", endpoint);
    }
    size_t path_size = strlen(endpoint) - scheme_size;
    const size_t path_size_max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (path_size > path_size_max) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "endpoint '%s': the path has %zu bytes, and at most %zu can be; choose "
                           "a shorter data folder",
                           endpoint, path_size, path_size_max);
    }
    return STATUS_OK;
}

static enum status host_fault(struct refusal *refusal, const char *what, const char *endpoint)
{
    return refusal_set(refusal, STATUS_INTERNAL, "endpoint '%s': cannot %s: %s", endpoint, what,
                       zmq_strerror(errno));
}

static enum status socket_attach(void *socket, enum socket_kind kind, const char *endpoint,
                                 struct refusal *refusal)
{
    switch (kind) {
    case SOCKET_SERVER:
        if (zmq_bind(socket, endpoint) != 0) {
            return host_fault(refusal, "bind", endpoint);
        }
        return STATUS_OK;
    case SOCKET_CALLER:
        if (zmq_connect(socket, endpoint) != 0) {
            return host_fault(refusal, "connect", endpoint);
        }
        return STATUS_OK;
    }
    return STATUS_INTERNAL;
}

enum status socket_open(void **socket, void *context, enum socket_kind kind, const char *endpoint,
                        struct refusal *refusal)
{
    enum status status = endpoint_check(endpoint, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    void *opened = zmq_socket(context, kind == SOCKET_SERVER ? ZMQ_ROUTER : ZMQ_DEALER);
    if (opened == NULL) {
        return host_fault(refusal, "make a socket", endpoint);
    }
    socket_configure(opened, kind);
    status = socket_attach(opened, kind, endpoint, refusal);
    if (status != STATUS_OK) {
        socket_close(&opened);
        return status;
    }
    *socket = opened;
    return STATUS_OK;
}

void socket_close(void **socket)
{
    if (*socket != NULL) {
        int result = zmq_close(*socket);
        assert(result == 0); /* fails only for what is no socket */
        *socket = NULL;
    }
}

static bool frame_send(void *socket, struct span bytes, int flags)
{
    int result = -1;
    do {
        result = zmq_send(socket, bytes.data, bytes.size, flags | ZMQ_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    if (result < 0 && errno == ENOMEM) {
        memory_exhausted("a message");
    }
    assert(result >= 0 || errno == EAGAIN || errno == EHOSTUNREACH);
    return result >= 0;
}

/* A send looks only now and then whether its queue was read, about once a millisecond; to
 * ask for events makes ZeroMQ look. */
static void socket_refresh(void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    int result = -1;
    do {
        result = zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size);
    } while (result < 0 && errno == EINTR);
    assert(result == 0);
}

bool socket_send(void *socket, const struct span *frames, size_t count)
{
    assert(count >= 1);
    int more = count > 1 ? ZMQ_SNDMORE : 0;
    /* Whether the peer is there and takes a message is decided with its first frame. */
    if (!frame_send(socket, frames[0], more)) {
        socket_refresh(socket);
        if (!frame_send(socket, frames[0], more)) {
            return false;
        }
    }
    bool is_sent = true;
    for (size_t i = 1; i < count; i++) {
        /* If the connection ends in between, ZeroMQ forgets what went before, and wants to
         * be given the rest all the same. */
        is_sent = frame_send(socket, frames[i], i + 1 < count ? ZMQ_SNDMORE : 0) && is_sent;
    }
    return is_sent;
}

bool socket_frame_receive(void *socket, zmq_msg_t *frame)
{
    int result = -1;
    do {
        result = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    assert(result >= 0 || errno == EAGAIN);
    return result >= 0;
}

struct span socket_frame_span(zmq_msg_t *frame)
{
    return span_of(zmq_msg_data(frame), zmq_msg_size(frame));
}

enum socket_taken socket_frames_receive(void *socket, zmq_msg_t frames[SOCKET_FRAME_COUNT])
{
    zmq_msg_t *header = &frames[SOCKET_FRAME_HEADER];
    zmq_msg_t *body = &frames[SOCKET_FRAME_BODY];
    if (!socket_frame_receive(socket, header)) {
        return SOCKET_TAKEN_NOTHING;
    }
    if (zmq_msg_more(header) == 0) {
        return SOCKET_TAKEN_BAD;
    }
    /* ZeroMQ hands over a message only when all of its frames are there. */
    bool is_there = socket_frame_receive(socket, body);
    assert(is_there);
    if (zmq_msg_more(body) == 0) {
        return SOCKET_TAKEN;
    }
    socket_frames_drain(socket, body);
    return SOCKET_TAKEN_BAD;
}

void socket_frames_drain(void *socket, zmq_msg_t *last)
{
    while (zmq_msg_more(last) != 0) {
        bool is_there = socket_frame_receive(socket, last);
        assert(is_there);
    }
}
