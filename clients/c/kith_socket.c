#include "clients/c/kith_socket.h"

#include "clients/c/kith_memory.h"
#include "clients/c/kith_status.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <zmq.h>

/* The protocol's bound for a whole message; ZeroMQ ends a connection that passes it. */
#define MESSAGE_BYTES (2 * 1024 * 1024)

struct kith_socket {
    void *context;
    void *dealer;
    zmq_msg_t header;
    zmq_msg_t body;
};

struct option {
    int name;
    int value;
};

static const struct option options[] = {
    { ZMQ_LINGER, 0 }, /* what is unsent at the end is settled by sending it again */
    { ZMQ_RCVHWM, 32 },
    { ZMQ_SNDHWM, 8 },
    { ZMQ_HANDSHAKE_IVL, 3000 },
    { ZMQ_HEARTBEAT_IVL, 2000 }, /* half-open connections are found */
    { ZMQ_HEARTBEAT_TIMEOUT, 6000 },
    { ZMQ_HEARTBEAT_TTL, 6000 },
    { ZMQ_RECONNECT_IVL, 50 },
    { ZMQ_RECONNECT_IVL_MAX, 5000 },
};

#define OPTION_COUNT (sizeof options / sizeof options[0])

static bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ZeroMQ knows more transports; none of them leads to a service. */
static enum kith_status endpoint_check(const char *endpoint, struct kith_error *error)
{
    const size_t path_most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (endpoint == NULL) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT, "the endpoint is missing");
    }
    if (text_begins(endpoint, "tcp://")) {
        return KITH_OK;
    }
    if (!text_begins(endpoint, "ipc:///")) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "endpoint '%s': must be ipc:///path or tcp://host:port", endpoint);
    }
    size_t path_size = strlen(endpoint) - strlen("ipc://");
    if (path_size > path_most) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "endpoint '%s': the path has %zu bytes, and at most %zu can be",
                              endpoint, path_size, path_most);
    }
    return KITH_OK;
}

static enum kith_status host_fault(struct kith_error *error, const char *what, const char *endpoint)
{
    enum kith_status status = errno == EINVAL ? KITH_INVALID_ARGUMENT : KITH_INTERNAL;
    return kith_error_set(error, status, "endpoint '%s': cannot %s: %s", endpoint, what,
                          zmq_strerror(errno));
}

static void dealer_close(void **dealer)
{
    if (*dealer != NULL) {
        int result = zmq_close(*dealer);
        assert(result == 0); /* fails only for what is no socket */
        *dealer = NULL;
    }
}

static void dealer_configure(void *dealer)
{
    int64_t message_bytes = MESSAGE_BYTES;
    int result = zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &message_bytes, sizeof message_bytes);
    assert(result == 0);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        result = zmq_setsockopt(dealer, options[i].name, &options[i].value, sizeof(int));
        assert(result == 0); /* constants: they are right or never were */
    }
}

enum kith_status kith_socket_renew(struct kith_socket *connected, const char *endpoint,
                                   struct kith_error *error)
{
    void *dealer = zmq_socket(connected->context, ZMQ_DEALER);
    if (dealer == NULL) {
        return host_fault(error, "make a socket", endpoint);
    }
    dealer_configure(dealer);
    if (zmq_connect(dealer, endpoint) != 0) {
        enum kith_status status = host_fault(error, "connect", endpoint);
        dealer_close(&dealer);
        return status;
    }
    dealer_close(&connected->dealer);
    connected->dealer = dealer;
    return KITH_OK;
}

enum kith_status kith_socket_open(struct kith_socket **opened, const char *endpoint,
                                  struct kith_error *error)
{
    enum kith_status status = endpoint_check(endpoint, error);
    if (status != KITH_OK) {
        return status;
    }
    struct kith_socket *made = kith_allocate(sizeof *made);
    (void)zmq_msg_init(&made->header);
    (void)zmq_msg_init(&made->body);
    made->context = zmq_ctx_new();
    if (made->context == NULL) {
        status = host_fault(error, "begin", endpoint);
    } else {
        status = kith_socket_renew(made, endpoint, error);
    }
    if (status != KITH_OK) {
        kith_socket_close(&made);
        return status;
    }
    *opened = made;
    return KITH_OK;
}

void kith_socket_close(struct kith_socket **closed)
{
    struct kith_socket *closing = *closed;
    if (closing == NULL) {
        return;
    }
    *closed = NULL;
    kith_socket_release(closing);
    dealer_close(&closing->dealer);
    while (closing->context != NULL && zmq_ctx_term(closing->context) != 0 && errno == EINTR) {
    }
    free(closing);
}

static bool frame_send(void *dealer, struct kith_frame frame, int flags)
{
    int result = -1;
    do {
        result = zmq_send(dealer, frame.data, frame.size, flags | ZMQ_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    return result >= 0;
}

/* A send looks only now and then, about once a millisecond, whether its queue was read; to be
 * asked for events makes ZeroMQ look. */
static void dealer_refresh(void *dealer)
{
    int events = 0;
    size_t size = sizeof events;
    (void)zmq_getsockopt(dealer, ZMQ_EVENTS, &events, &size);
}

bool kith_socket_send(struct kith_socket *connected, struct kith_frame header,
                      struct kith_frame body)
{
    /* Whether there is room is decided with the first frame. Should the connection end before the
     * second, ZeroMQ forgets the first. */
    if (!frame_send(connected->dealer, header, ZMQ_SNDMORE)) {
        dealer_refresh(connected->dealer);
        if (!frame_send(connected->dealer, header, ZMQ_SNDMORE)) {
            return false;
        }
    }
    return frame_send(connected->dealer, body, 0);
}

static bool frame_receive(void *dealer, zmq_msg_t *frame)
{
    int result = -1;
    do {
        result = zmq_msg_recv(frame, dealer, ZMQ_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    return result >= 0;
}

/* All frames of a message are there as soon as its first is. */
static void frames_drain(void *dealer, zmq_msg_t *last)
{
    while (zmq_msg_more(last) != 0 && frame_receive(dealer, last)) {
    }
}

static struct kith_frame frame_of(zmq_msg_t *frame)
{
    return (struct kith_frame){ .data = zmq_msg_data(frame), .size = zmq_msg_size(frame) };
}

enum kith_taken kith_socket_receive(struct kith_socket *connected, struct kith_message *message)
{
    zmq_msg_t *header = &connected->header;
    zmq_msg_t *body = &connected->body;
    if (!frame_receive(connected->dealer, header)) {
        return KITH_TAKEN_NOTHING;
    }
    bool is_pair = zmq_msg_more(header) != 0 && frame_receive(connected->dealer, body) &&
                   zmq_msg_more(body) == 0;
    if (!is_pair) {
        frames_drain(connected->dealer, zmq_msg_more(header) != 0 ? body : header);
        kith_socket_release(connected);
        return KITH_TAKEN_BAD;
    }
    *message = (struct kith_message){ .header = frame_of(header), .body = frame_of(body) };
    return KITH_TAKEN;
}

void kith_socket_release(struct kith_socket *connected)
{
    (void)zmq_msg_close(&connected->header);
    (void)zmq_msg_close(&connected->body);
    (void)zmq_msg_init(&connected->header);
    (void)zmq_msg_init(&connected->body);
}

void kith_socket_wait(struct kith_socket *connected, int64_t timeout_ms)
{
    zmq_pollitem_t item = { .socket = connected->dealer, .events = ZMQ_POLLIN };
    long timeout = timeout_ms > INT_MAX ? INT_MAX : (long)timeout_ms;
    /* A signal, or whatever else ends it early, makes the caller look and wait again. */
    (void)zmq_poll(&item, 1, timeout < 0 ? 0 : timeout);
}
