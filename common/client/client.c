#include "common/client/client.h"

#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/wire/transport.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long an attempt waits for its reply before the next is made: first, and at most. A
 * service that is merely slow is so asked less and less often. */
#define ATTEMPT_MS_FIRST 2000
#define ATTEMPT_MS_MAX 16000
/* Ids of calls, so that no reply to client_send is taken for one to client_call. */
#define CALL_ID_FIRST (UINT64_C(1) << 62)
/* Pause after a reply that says "not now" without saying for how long. */
#define PAUSE_MS 100

struct client {
    struct transport_zmq *zmq;
    struct transport transport; /* its one peer is the service */
    char *endpoint;
    uint64_t next_id; /* of the next attempt of a call */
    struct buffer header;
};

/* A call under way. */
struct call {
    struct request_header header; /* the request id is the attempt's */
    struct span body;
    int64_t ends_at_ms;
    int64_t attempt_ms; /* how long the next attempt may take */
};

/* The only place of the client that reads a clock. */
static int64_t clock_ms(clockid_t clock)
{
    struct timespec now = { 0 };
    int result = clock_gettime(clock, &now);
    assert(result == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool request_send(struct client *client, const struct request_header *header,
                         struct span body)
{
    assert(body.size <= LIMIT_BODY_BYTES);
    request_header_encode(header, &client->header);
    const struct transport *transport = &client->transport;
    return transport->peer_send(transport->context, 0, buffer_span(&client->header), body);
}

/* A reply that does not fit its reader is a refusal: asking again would not help. */
static void body_take(struct span bytes, struct reply_header *header, struct buffer *body)
{
    buffer_clear(body);
    if (header->refusal.status != STATUS_OK) {
        return;
    }
    if (buffer_append(body, bytes) != STATUS_OK) {
        (void)refusal_set(&header->refusal, STATUS_LIMIT,
                          "the reply has %zu bytes, more than the %zu that are expected",
                          bytes.size, body->limit);
    }
}

/* The next message that waits, if it is a reply. */
static bool reply_receive(struct client *client, struct reply_header *header, struct buffer *body)
{
    const struct transport *transport = &client->transport;
    struct message message = { 0 };
    if (!transport->peer_receive(transport->context, 0, &message)) {
        return false;
    }
    bool is_reply = reply_header_decode(message.header, header) == STATUS_OK;
    if (is_reply) {
        body_take(message.body, header, body);
    }
    transport->message_release(transport->context, &message);
    return is_reply;
}

/* Until something may have come. False: the moment is there. */
static bool arrival_wait(struct client *client, int64_t until_ms)
{
    int64_t left_ms = until_ms - monotonic_ms();
    if (left_ms <= 0) {
        return false;
    }
    client->transport.wait(client->transport.context, left_ms);
    return true;
}

/* Looks at least once. Who sends rubbish without end does not keep us past the moment. */
static bool reply_await(struct client *client, int64_t until_ms, struct reply_header *header,
                        struct buffer *body)
{
    do {
        if (reply_receive(client, header, body)) {
            return true;
        }
    } while (arrival_wait(client, until_ms));
    return false;
}

/* ---- opening and closing */

enum status client_open(struct client **client, const char *endpoint, struct refusal *refusal)
{
    struct client *opened = memory_allocate(sizeof *opened);
    opened->next_id = CALL_ID_FIRST;
    buffer_init(&opened->header, LIMIT_HEADER_BYTES);
    size_t endpoint_size = strlen(endpoint) + 1;
    opened->endpoint = memory_allocate(endpoint_size);
    memcpy(opened->endpoint, endpoint, endpoint_size);
    enum status status = client_reconnect(opened, refusal);
    if (status != STATUS_OK) {
        client_close(&opened);
        return status;
    }
    *client = opened;
    return STATUS_OK;
}

void client_close(struct client **client)
{
    struct client *closing = *client;
    if (closing == NULL) {
        return;
    }
    *client = NULL;
    transport_zmq_close(&closing->zmq);
    buffer_release(&closing->header);
    free(closing->endpoint);
    free(closing);
}

enum status client_reconnect(struct client *client, struct refusal *refusal)
{
    const char *const peers[] = { client->endpoint };
    struct transport_zmq_options options = { .peers = peers, .peer_count = 1 };
    struct transport_zmq *zmq = NULL;
    enum status status = transport_zmq_open(&zmq, &options, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    transport_zmq_close(&client->zmq);
    client->zmq = zmq;
    client->transport = transport_of_zmq(zmq);
    return STATUS_OK;
}

/* ---- one call */

/* The request's header but for its id. */
static void header_make(const struct client_request *request, struct request_header *header)
{
    *header = (struct request_header){
        .timeout_ms = (uint32_t)least(request->timeout_ms, UINT32_MAX),
        .issued_at_ms = clock_ms(CLOCK_REALTIME),
    };
    size_t method_size = strlen(request->method);
    assert(method_size < sizeof header->method);
    memcpy(header->method, request->method, method_size);
    if (request->key != NULL) {
        header->key_size = strlen(request->key);
        assert(header->key_size < sizeof header->key);
        memcpy(header->key, request->key, header->key_size);
    }
}

/* What would be a fault of the caller at the service is one here already. */
static enum status request_check(const struct client_request *request, struct refusal *refusal)
{
    assert(request->timeout_ms >= 0);
    if (request->key != NULL && !id_text_is_valid(span_of_text(request->key))) {
        enum status status = refusal_set(refusal, STATUS_MALFORMED, "the key is wrong");
        refusal_violation(refusal, "key",
                          "must be 1 to 64 bytes of UTF-8 without control characters",
                          "choose a shorter or plainer key");
        return status;
    }
    if (request->body.size > LIMIT_BODY_BYTES) {
        return refusal_set(refusal, STATUS_LIMIT,
                           "the request has %zu bytes, and at most %d can be; send it in parts",
                           request->body.size, LIMIT_BODY_BYTES);
    }
    return STATUS_OK;
}

/* 0 would mean that there is no hurry. */
static uint32_t timeout_of(int64_t left_ms)
{
    return left_ms < 1 ? 1 : (uint32_t)least(left_ms, UINT32_MAX);
}

/* One attempt. False: no reply to it came within its time. */
static bool attempt_make(struct client *client, struct call *call, struct reply_header *reply,
                         struct buffer *body)
{
    int64_t now_ms = monotonic_ms();
    int64_t until_ms = least(now_ms + call->attempt_ms, call->ends_at_ms);
    call->attempt_ms = least(2 * call->attempt_ms, ATTEMPT_MS_MAX);
    call->header.request_id = client->next_id++;
    call->header.timeout_ms = timeout_of(call->ends_at_ms - now_ms);
    if (!request_send(client, &call->header, call->body)) {
        return false;
    }
    do {
        if (!reply_await(client, until_ms, reply, body)) {
            return false;
        }
        if (reply->request_id == call->header.request_id) {
            return true;
        }
    } while (monotonic_ms() < until_ms); /* that one was an older attempt's */
    return false;
}

/* The service answered, and whether it did what it was asked is still unknown. */
static bool outcome_is_unknown(const struct reply_header *reply)
{
    return reply->refusal.status == STATUS_UNREACHABLE || reply->refusal.status == STATUS_TIMEOUT;
}

/* Replies that come meanwhile are to older attempts. */
static void pause_for(struct client *client, const struct call *call, uint32_t retry_after_ms)
{
    int64_t pause_ms = retry_after_ms > 0 ? retry_after_ms : PAUSE_MS;
    int64_t until_ms = least(monotonic_ms() + pause_ms, call->ends_at_ms);
    struct reply_header reply = { 0 };
    struct buffer body = { 0 };
    while (monotonic_ms() < until_ms) {
        (void)reply_await(client, until_ms, &reply, &body);
    }
    buffer_release(&body);
}

/* Makes an attempt and all that has to be done before another one. True: that was the last.
 * `reply` holds the newest word: the service's, or that there was none. */
static bool attempt_settles(struct client *client, struct call *call, struct reply_header *reply,
                            struct buffer *body)
{
    if (!attempt_make(client, call, reply, body)) {
        *reply = (struct reply_header){ 0 };
        (void)refusal_set(&reply->refusal, STATUS_UNREACHABLE, "nobody answers at %s",
                          client->endpoint);
        /* What still waits to be sent is the old attempt: it goes with the socket. */
        return client_reconnect(client, &reply->refusal) != STATUS_OK;
    }
    if (outcome_is_unknown(reply)) {
        pause_for(client, call, reply->refusal.retry_after_ms);
        return false;
    }
    return true;
}

enum status client_call(struct client *client, const struct client_request *request,
                        struct buffer *body, struct refusal *refusal)
{
    enum status status = request_check(request, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct call call = {
        .body = request->body,
        .ends_at_ms = monotonic_ms() + request->timeout_ms,
        .attempt_ms = ATTEMPT_MS_FIRST,
    };
    header_make(request, &call.header);
    struct reply_header reply = { 0 };
    bool is_settled = false;
    do {
        is_settled = attempt_settles(client, &call, &reply, body);
    } while (!is_settled && monotonic_ms() < call.ends_at_ms);
    status = reply.refusal.status;
    if (status != STATUS_OK) {
        buffer_clear(body);
    }
    if (refusal != NULL) {
        *refusal = reply.refusal;
    }
    return status;
}

/* ---- several in flight */

bool client_send(struct client *client, const struct client_request *request, uint64_t request_id)
{
    enum status status = request_check(request, NULL);
    assert(status == STATUS_OK && request_id < CALL_ID_FIRST);
    struct request_header header = { 0 };
    header_make(request, &header);
    header.request_id = request_id;
    return request_send(client, &header, request->body);
}

bool client_receive(struct client *client, int64_t timeout_ms, struct reply_header *header,
                    struct buffer *body)
{
    return reply_await(client, monotonic_ms() + timeout_ms, header, body);
}

bool client_send_raw(struct client *client, struct span header, struct span body)
{
    const struct transport *transport = &client->transport;
    return transport->peer_send(transport->context, 0, header, body);
}

/* The next message that waits, if it fits. */
static bool raw_receive(struct client *client, struct buffer *header, struct buffer *body)
{
    const struct transport *transport = &client->transport;
    struct message message = { 0 };
    if (!transport->peer_receive(transport->context, 0, &message)) {
        return false;
    }
    buffer_clear(header);
    buffer_clear(body);
    bool fits = buffer_append(header, message.header) == STATUS_OK &&
                buffer_append(body, message.body) == STATUS_OK;
    transport->message_release(transport->context, &message);
    return fits;
}

bool client_receive_raw(struct client *client, int64_t timeout_ms, struct buffer *header,
                        struct buffer *body)
{
    int64_t until_ms = monotonic_ms() + timeout_ms;
    do {
        if (raw_receive(client, header, body)) {
            return true;
        }
    } while (arrival_wait(client, until_ms));
    return false;
}
