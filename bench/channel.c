#include "bench/channel.h"

#include "bench/bench.h"
#include "common/base/limits.h"

#include <errno.h>
#include <zmq.h>

#define CHANNELS_MAX 512
#define HIGH_WATER 64

static void option_set(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) != 0) {
        bench_fail("a socket takes no option %d: %s", option, zmq_strerror(zmq_errno()));
    }
}

void channel_open(struct channel *channel, void *context, const char *endpoint)
{
    *channel = (struct channel){ .socket = zmq_socket(context, ZMQ_DEALER) };
    if (channel->socket == NULL) {
        bench_fail("there is no socket: %s", zmq_strerror(zmq_errno()));
    }
    option_set(channel->socket, ZMQ_LINGER, 0);
    option_set(channel->socket, ZMQ_SNDHWM, HIGH_WATER);
    option_set(channel->socket, ZMQ_RCVHWM, HIGH_WATER);
    option_set(channel->socket, ZMQ_RECONNECT_IVL, 10);
    if (zmq_connect(channel->socket, endpoint) != 0) {
        bench_fail("cannot connect to %s: %s", endpoint, zmq_strerror(zmq_errno()));
    }
    buffer_init(&channel->header, LIMIT_HEADER_BYTES);
    buffer_init(&channel->body, LIMIT_MESSAGE_BYTES);
}

void channel_close(struct channel *channel)
{
    if (channel->socket != NULL) {
        (void)zmq_close(channel->socket);
        channel->socket = NULL;
    }
    buffer_release(&channel->header);
    buffer_release(&channel->body);
}

bool channel_send(struct channel *channel, struct span header, struct span body)
{
    int flags = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    if (zmq_send(channel->socket, header.data, header.size, flags) < 0) {
        return false;
    }
    if (zmq_send(channel->socket, body.data, body.size, ZMQ_DONTWAIT) < 0) {
        bench_fail("half a message was sent: %s", zmq_strerror(zmq_errno()));
    }
    return true;
}

bool channel_ask(struct channel *channel, const char *method, uint64_t request_id, struct span body)
{
    struct request_header request = { .request_id = request_id, .timeout_ms = 60000 };
    (void)snprintf(request.method, sizeof request.method, "%s", method);
    struct buffer header = { .limit = LIMIT_HEADER_BYTES };
    request_header_encode(&request, &header);
    bool sent = channel_send(channel, buffer_span(&header), body);
    buffer_release(&header);
    return sent;
}

/* One frame; false: none waits. */
static bool frame_take(struct channel *channel, struct buffer *out)
{
    zmq_msg_t frame;
    (void)zmq_msg_init(&frame);
    bool taken = zmq_msg_recv(&frame, channel->socket, ZMQ_DONTWAIT) >= 0;
    if (taken) {
        buffer_clear(out);
        struct span bytes = span_of(zmq_msg_data(&frame), zmq_msg_size(&frame));
        if (buffer_append(out, bytes) != STATUS_OK) {
            bench_fail("a frame of %zu bytes came", bytes.size);
        }
    } else if (zmq_errno() != EAGAIN && zmq_errno() != EINTR) {
        bench_fail("cannot receive: %s", zmq_strerror(zmq_errno()));
    }
    (void)zmq_msg_close(&frame);
    return taken;
}

bool channel_receive(struct channel *channel)
{
    if (!frame_take(channel, &channel->header)) {
        return false;
    }
    if (!frame_take(channel, &channel->body)) {
        bench_fail("a message without a body came");
    }
    return true;
}

struct reply_header channel_reply(const struct channel *channel)
{
    struct reply_header reply = { .request_id = 0 };
    if (reply_header_decode(buffer_span(&channel->header), &reply) != STATUS_OK) {
        bench_fail("a reply cannot be read");
    }
    return reply;
}

void channels_wait(struct channel *const *channels, size_t count, int64_t wait_us)
{
    zmq_pollitem_t items[CHANNELS_MAX];
    if (count > CHANNELS_MAX) {
        bench_fail("at most %d connections", CHANNELS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = (zmq_pollitem_t){ .socket = channels[i]->socket, .events = ZMQ_POLLIN };
    }
    /* Rounded up: who waits too short spins. */
    long wait_ms = wait_us <= 0 ? 0 : (long)((wait_us + 999) / 1000);
    if (zmq_poll(items, (int)count, wait_ms) < 0 && zmq_errno() != EINTR) {
        bench_fail("cannot wait: %s", zmq_strerror(zmq_errno()));
    }
}
