#include "clients/c/kith_connection.h"

#include "clients/c/kith_reply.h"
#include "clients/c/kith_socket.h"
#include "clients/c/kith_status.h"
#include "clients/c/kith_text.h"
#include "kith/v1/wire.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PROTOCOL_VERSION 1
#define METHOD_BYTES_MAX 63
/* How long an attempt waits for its reply: first, and at most. A service that is merely slow is so
 * asked less and less often. */
#define ATTEMPT_MS_FIRST 2000
#define ATTEMPT_MS_MAX 16000
/* Pause after a reply that says "not now" without saying for how long. */
#define PAUSE_MS 100

struct kith_connection {
    struct kith_socket *socket;
    char *endpoint;
    int64_t timeout_ms;
    uint64_t newest_id;
    uint64_t senseless_count; /* messages of the call under way that were no replies */
    struct kith_bytes header;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- opening and closing */

enum kith_status kith_open(struct kith_connection **connection, const char *endpoint,
                           struct kith_error *error)
{
    struct kith_socket *socket = NULL;
    enum kith_status status = kith_socket_open(&socket, endpoint, error);
    if (status != KITH_OK) {
        return status;
    }
    struct kith_connection *opened = kith_allocate(sizeof *opened);
    opened->socket = socket;
    opened->endpoint = kith_text_copy(endpoint);
    opened->timeout_ms = KITH_TIMEOUT_MS;
    *connection = opened;
    return KITH_OK;
}

void kith_close(struct kith_connection **connection)
{
    struct kith_connection *closing = *connection;
    if (closing == NULL) {
        return;
    }
    *connection = NULL;
    kith_socket_close(&closing->socket);
    kith_bytes_release(&closing->header);
    free(closing->endpoint);
    free(closing);
}

void kith_connection_renew(struct kith_connection *connection)
{
    struct kith_error error;
    if (kith_socket_renew(connection->socket, connection->endpoint, &error) != KITH_OK) {
        return; /* the old one may come to life again */
    }
}

const char *kith_connection_endpoint(const struct kith_connection *connection)
{
    return connection->endpoint;
}

void kith_timeout_set(struct kith_connection *connection, int64_t timeout_ms)
{
    connection->timeout_ms = timeout_ms < 1 ? 1 : kith_timeout_within(timeout_ms);
}

void kith_key_make(struct kith_key *key)
{
    uint8_t chance[16] = { 0 };
    size_t have = 0;
    while (have < sizeof chance) {
        ssize_t more = getrandom(chance + have, sizeof chance - have, 0);
        have += more > 0 ? (size_t)more : 0; /* a signal may come before the kernel is seeded */
    }
    *key = (struct kith_key){ .issued_at_ms = kith_wall_ms() };
    for (size_t i = 0; i < sizeof chance; i++) {
        (void)snprintf(key->text + 2 * i, 3, "%02x", chance[i]);
    }
}

/* ---- single messages */

uint64_t kith_connection_send(struct kith_connection *connection,
                              const struct kith_outgoing *outgoing)
{
    Kith__V1__RequestHeader header = KITH__V1__REQUEST_HEADER__INIT;
    header.has_version = true;
    header.version = PROTOCOL_VERSION;
    header.has_request_id = true;
    header.request_id = connection->newest_id + 1;
    header.method = kith_unconst_text(outgoing->method);
    header.has_timeout_ms = true;
    /* 0 would mean that there is no hurry. */
    header.timeout_ms = outgoing->timeout_ms < 1 ? 1 : (uint32_t)outgoing->timeout_ms;
    if (outgoing->key != NULL) {
        header.key = kith_unconst_text(outgoing->key->text);
        header.has_issued_at_ms = true;
        header.issued_at_ms = outgoing->key->issued_at_ms;
    }
    connection->header.size = 0;
    kith_bytes_pack(&connection->header, &header.base);
    struct kith_frame head = { connection->header.data, connection->header.size };
    struct kith_frame body = { outgoing->body, outgoing->body_bytes };
    if (!kith_socket_send(connection->socket, head, body)) {
        return 0;
    }
    connection->newest_id += 1;
    return connection->newest_id;
}

/* The next message that waits, if it is the reply. */
static bool reply_take(struct kith_connection *connection, uint64_t request_id,
                       const struct kith_message *message, struct kith_reply **reply)
{
    struct kith_reply *opened = NULL;
    if (!kith_reply_open(&opened, message)) {
        connection->senseless_count += 1;
        return false;
    }
    if (kith_reply_request_id(opened) != request_id) {
        kith_reply_close(&opened); /* to an older attempt */
        return false;
    }
    *reply = opened;
    return true;
}

/* Who sends rubbish without end does not keep us past the moment. */
bool kith_connection_await(struct kith_connection *connection, uint64_t request_id,
                           int64_t until_ms, struct kith_reply **reply)
{
    int64_t left_ms = 0;
    do {
        struct kith_message message = { 0 };
        bool is_here = false;
        switch (kith_socket_receive(connection->socket, &message)) {
        case KITH_TAKEN:
            is_here = reply_take(connection, request_id, &message, reply);
            kith_socket_release(connection->socket);
            break;
        case KITH_TAKEN_BAD:
            connection->senseless_count += 1;
            break;
        case KITH_TAKEN_NOTHING:
            kith_socket_wait(connection->socket, until_ms - kith_monotonic_ms());
            break;
        }
        if (is_here) {
            return true;
        }
        left_ms = until_ms - kith_monotonic_ms();
    } while (left_ms > 0);
    return false;
}

void kith_connection_pause(struct kith_connection *connection, int64_t until_ms)
{
    while (kith_monotonic_ms() < until_ms) {
        struct kith_reply *unasked = NULL;
        (void)kith_connection_await(connection, 0, until_ms, &unasked);
        kith_reply_close(&unasked);
    }
}

/* ---- one call */

/* A call under way. */
struct call {
    const struct kith_request *request;
    int64_t ends_at_ms;
    int64_t attempt_ms; /* how long the next attempt may take */
    bool may_grow;
};

static bool method_is_valid(const char *method)
{
    if (method == NULL) {
        return false;
    }
    size_t size = strnlen(method, METHOD_BYTES_MAX + 1);
    return size >= 1 && size <= METHOD_BYTES_MAX &&
           strspn(method, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
               size;
}

static bool timeout_is_valid(int64_t timeout_ms)
{
    return timeout_ms == kith_timeout_within(timeout_ms);
}

/* What would be a fault of the caller at the service is one here already. */
static enum kith_status request_check(const struct kith_request *request, struct kith_error *error)
{
    if (!method_is_valid(request->method)) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "the method must be 1 to %d of A-Z a-z 0-9 _ .", METHOD_BYTES_MAX);
    }
    if (request->key != NULL && !kith_id_is_valid(request->key->text)) {
        return kith_error_id(error, "the key");
    }
    if (request->body_bytes > KITH_BODY_BYTES) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "the body of %s has %zu bytes, and at most %d can be: send it in "
                              "parts",
                              request->method, request->body_bytes, KITH_BODY_BYTES);
    }
    if (request->body == NULL && request->body_bytes > 0) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT, "the body of %s is missing",
                              request->method);
    }
    if (!timeout_is_valid(request->timeout_ms) || !timeout_is_valid(request->attempt_ms)) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "the time-outs of %s must be 0 to %d ms", request->method,
                              KITH_TIMEOUT_MS_MAX);
    }
    return KITH_OK;
}

/* One attempt. NULL: no reply to it came within its time. */
static struct kith_reply *attempt_make(struct kith_connection *connection, struct call *call)
{
    const struct kith_request *request = call->request;
    int64_t now_ms = kith_monotonic_ms();
    int64_t until_ms = least(now_ms + call->attempt_ms, call->ends_at_ms);
    if (call->may_grow) {
        call->attempt_ms = least(2 * call->attempt_ms, ATTEMPT_MS_MAX);
    }
    struct kith_outgoing outgoing = {
        .method = request->method,
        .key = request->key,
        .body = request->body,
        .body_bytes = request->body_bytes,
        .timeout_ms = call->ends_at_ms - now_ms,
    };
    struct kith_reply *reply = NULL;
    uint64_t id = kith_connection_send(connection, &outgoing);
    if (id == 0) {
        kith_connection_pause(connection, least(now_ms + PAUSE_MS, until_ms));
        return NULL;
    }
    (void)kith_connection_await(connection, id, until_ms, &reply);
    return reply;
}

static enum kith_status nobody_answers(const struct kith_connection *connection,
                                       const struct call *call, struct kith_error *error)
{
    char senseless[80] = "";
    if (connection->senseless_count > 0) {
        (void)snprintf(senseless, sizeof senseless,
                       " (%" PRIu64 " messages came that are no replies)",
                       connection->senseless_count);
    }
    return kith_error_set(error, KITH_UNAVAILABLE, "%s: no reply from %s%s%s",
                          call->request->method, connection->endpoint, senseless,
                          call->request->key == NULL
                              ? ""
                              : "; whether it was done is unknown: send it again with the same "
                                "key");
}

/* The pause before the next attempt; -1: this reply is the last word. */
static int64_t pause_after(const struct kith_reply *reply)
{
    enum kith_status status = kith_reply_status(reply);
    uint32_t wanted_ms = kith_reply_retry_after_ms(reply);
    if (status == KITH_UNAVAILABLE || status == KITH_DEADLINE_EXCEEDED) {
        return wanted_ms > 0 ? (int64_t)wanted_ms : PAUSE_MS;
    }
    if (status == KITH_RESOURCE_EXHAUSTED && wanted_ms > 0) {
        return wanted_ms;
    }
    return -1;
}

/* Makes attempts until there is a last word or the time is over. NULL: there was no word. */
static struct kith_reply *reply_get(struct kith_connection *connection, struct call *call)
{
    struct kith_reply *newest = NULL;
    do {
        struct kith_reply *reply = attempt_make(connection, call);
        if (reply == NULL) {
            /* What still waits to be sent is the old attempt: it goes with the socket. */
            kith_connection_renew(connection);
            continue;
        }
        kith_reply_close(&newest);
        newest = reply;
        int64_t pause_ms = pause_after(newest);
        int64_t resume_ms = kith_monotonic_ms() + pause_ms;
        if (pause_ms < 0 || resume_ms >= call->ends_at_ms) {
            return newest;
        }
        kith_connection_pause(connection, resume_ms);
    } while (kith_monotonic_ms() < call->ends_at_ms);
    return newest;
}

enum kith_status kith_call(struct kith_connection *connection, const struct kith_request *request,
                           struct kith_reply **reply, struct kith_error *error)
{
    if (reply != NULL) {
        *reply = NULL;
    }
    enum kith_status status = request_check(request, error);
    if (status != KITH_OK) {
        return status;
    }
    int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : connection->timeout_ms;
    struct call call = {
        .request = request,
        .ends_at_ms = kith_monotonic_ms() + timeout_ms,
        .attempt_ms = request->attempt_ms > 0 ? request->attempt_ms : ATTEMPT_MS_FIRST,
        .may_grow = request->attempt_ms == 0,
    };
    connection->senseless_count = 0;
    struct kith_reply *newest = reply_get(connection, &call);
    if (newest == NULL) {
        return nobody_answers(connection, &call, error);
    }
    status = kith_reply_tell(newest, error);
    if (reply != NULL) {
        *reply = newest;
    } else {
        kith_reply_close(&newest);
    }
    return status;
}

/* ---- asking with messages */

enum kith_status kith_ask(struct kith_connection *connection, const struct kith_question *question,
                          struct kith_budget *budget, void **answer, struct kith_error *error)
{
    struct kith_bytes packed = { 0 };
    kith_bytes_pack(&packed, question->message);
    struct kith_request request = {
        .method = question->method,
        .key = question->key,
        .body = packed.data,
        .body_bytes = packed.size,
        .timeout_ms = question->timeout_ms,
        .attempt_ms = question->attempt_ms,
    };
    struct kith_reply *reply = NULL;
    enum kith_status status = kith_call(connection, &request, &reply, error);
    kith_bytes_release(&packed);
    if (status == KITH_OK) {
        size_t body_bytes = 0;
        const void *body = kith_reply_body(reply, &body_bytes);
        void *message = kith_unpack(budget, question->reply, body, body_bytes);
        if (message == NULL) {
            status = kith_reply_senseless(question->method, "its body is another message", error);
        } else {
            *answer = message;
        }
    }
    kith_reply_close(&reply);
    return status;
}
