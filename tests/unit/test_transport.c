/* link: common_wire */
#include "common/base/limits.h"
#include "common/wire/socket.h"
#include "common/wire/transport.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

#define ENDPOINT_BYTES 64

/* A service with both servers, and a peer of its own that talks to its command server. */
struct fixture {
    char folder[32];
    char endpoints[TRANSPORT_SERVER_COUNT][ENDPOINT_BYTES];
    int wake[2];
    struct transport_zmq *zmq;
    struct transport transport;
};

static void endpoint_make(char *out, const char *folder, const char *name)
{
    struct buffer text;
    buffer_init(&text, ENDPOINT_BYTES);
    ck_assert_int_eq(buffer_append(&text, BYTES("ipc://")), STATUS_OK);
    ck_assert_int_eq(buffer_append(&text, span_of_text(folder)), STATUS_OK);
    ck_assert_int_eq(buffer_append(&text, BYTES("/")), STATUS_OK);
    ck_assert_int_eq(buffer_append(&text, span_of(name, strlen(name) + 1)), STATUS_OK);
    memcpy(out, text.data, text.size);
    buffer_release(&text);
}

static void fixture_open(struct fixture *fixture)
{
    *fixture = (struct fixture){ .folder = "/tmp/kith-wire-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
    ck_assert_int_eq(pipe(fixture->wake), 0);
    endpoint_make(fixture->endpoints[TRANSPORT_COMMAND], fixture->folder, "cmd");
    endpoint_make(fixture->endpoints[TRANSPORT_FEED], fixture->folder, "feed");
    const char *peers[] = { fixture->endpoints[TRANSPORT_COMMAND] };
    struct transport_zmq_options options = {
        .servers = { fixture->endpoints[TRANSPORT_COMMAND], fixture->endpoints[TRANSPORT_FEED] },
        .peers = peers,
        .peer_count = 1,
        .wake_descriptors = fixture->wake,
        .wake_count = 1,
    };
    ck_assert_int_eq(transport_zmq_open(&fixture->zmq, &options, NULL), STATUS_OK);
    fixture->transport = transport_of_zmq(fixture->zmq);
}

static void fixture_close(struct fixture *fixture)
{
    transport_zmq_close(&fixture->zmq);
    ck_assert_ptr_null(fixture->zmq);
    for (int i = 0; i < TRANSPORT_SERVER_COUNT; i++) {
        (void)unlink(fixture->endpoints[i] + strlen("ipc://"));
    }
    (void)close(fixture->wake[0]);
    (void)close(fixture->wake[1]);
    ck_assert_int_eq(rmdir(fixture->folder), 0);
}

/* Waits for the next request; Check's own time-out ends a test that gets none. */
static void request_await(struct fixture *fixture, enum transport_server server,
                          struct message *message)
{
    const struct transport *transport = &fixture->transport;
    while (!transport->receive(transport->context, server, message)) {
        transport->wait(transport->context, -1);
    }
}

static void reply_await(struct fixture *fixture, struct message *message)
{
    const struct transport *transport = &fixture->transport;
    while (!transport->peer_receive(transport->context, 0, message)) {
        transport->wait(transport->context, -1);
    }
}

static void message_drop(struct fixture *fixture, struct message *message)
{
    fixture->transport.message_release(fixture->transport.context, message);
}

static uint64_t dropped(const struct fixture *fixture)
{
    return fixture->transport.dropped(fixture->transport.context);
}

/* A caller outside of the transport, which may send whatever it likes. */
struct stranger {
    void *context;
    void *socket;
};

static void stranger_open(struct stranger *stranger, const char *endpoint)
{
    stranger->context = zmq_ctx_new();
    stranger->socket = NULL;
    ck_assert_int_eq(
        socket_open(&stranger->socket, stranger->context, SOCKET_CALLER, endpoint, NULL),
        STATUS_OK);
}

static void stranger_close(struct stranger *stranger)
{
    socket_close(&stranger->socket);
    ck_assert_int_eq(zmq_ctx_term(stranger->context), 0);
}

static void stranger_send(const struct stranger *stranger, const char *const *frames, size_t count)
{
    struct span spans[8] = { { 0 } };
    for (size_t i = 0; i < count; i++) {
        spans[i] = span_of_text(frames[i]);
    }
    ck_assert(socket_send(stranger->socket, spans, count));
}

START_TEST(a_request_gets_its_reply)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct message message = { 0 };
    ck_assert(!transport->receive(transport->context, TRANSPORT_COMMAND, &message));
    ck_assert(!transport->peer_receive(transport->context, 0, &message));

    ck_assert(transport->peer_send(transport->context, 0, BYTES("ask"), BYTES("what")));
    request_await(&fixture, TRANSPORT_COMMAND, &message);
    ck_assert_int_eq(message.route.server, TRANSPORT_COMMAND);
    ck_assert(span_equal(message.header, BYTES("ask")));
    ck_assert(span_equal(message.body, BYTES("what")));
    ck_assert(transport->reply(transport->context, &message.route, BYTES("say"), BYTES("this")));
    message_drop(&fixture, &message);
    ck_assert_ptr_null(message.header.data);

    reply_await(&fixture, &message);
    ck_assert(span_equal(message.header, BYTES("say")));
    ck_assert(span_equal(message.body, BYTES("this")));
    message_drop(&fixture, &message);
    ck_assert_uint_eq(dropped(&fixture), 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(empty_frames_and_the_largest_body_go_through)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct message message = { 0 };
    uint8_t *large = memory_allocate(LIMIT_MESSAGE_BYTES);
    memset(large, 'L', LIMIT_MESSAGE_BYTES);
    ck_assert(transport->peer_send(transport->context, 0, span_of(NULL, 0), span_of(NULL, 0)));
    request_await(&fixture, TRANSPORT_COMMAND, &message);
    ck_assert_uint_eq(message.header.size, 0);
    ck_assert_uint_eq(message.body.size, 0);
    struct span body = span_of(large, LIMIT_MESSAGE_BYTES);
    ck_assert(transport->reply(transport->context, &message.route, span_of(NULL, 0), body));
    message_drop(&fixture, &message);
    reply_await(&fixture, &message);
    ck_assert(span_equal(message.body, body));
    message_drop(&fixture, &message);
    free(large);
    fixture_close(&fixture);
}
END_TEST

START_TEST(messages_that_are_held_keep_their_bytes)
{
    /* Twice what the transport keeps spare, so that both ways of giving back are taken. */
    enum { HELD = 4 * LIMIT_TURN_REQUESTS };
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct message *held = memory_allocate(HELD * sizeof *held);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < HELD; i++) {
            uint8_t number[4] = { 0 };
            be32_put(number, i);
            struct span bytes = span_of(number, sizeof number);
            ck_assert(transport->peer_send(transport->context, 0, bytes, bytes));
            request_await(&fixture, TRANSPORT_COMMAND, &held[i]);
        }
        for (uint32_t i = 0; i < HELD; i++) {
            ck_assert_uint_eq(be32_get(held[i].header.data), i);
            ck_assert_uint_eq(be32_get(held[i].body.data), i);
            message_drop(&fixture, &held[i]);
        }
    }
    free(held);
    fixture_close(&fixture);
}
END_TEST

START_TEST(servers_do_not_mix)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct stranger stranger;
    stranger_open(&stranger, fixture.endpoints[TRANSPORT_FEED]);
    stranger_send(&stranger, (const char *const[]){ "fetch", "" }, 2);
    struct message message = { 0 };
    request_await(&fixture, TRANSPORT_FEED, &message);
    ck_assert_int_eq(message.route.server, TRANSPORT_FEED);
    ck_assert(span_equal(message.header, BYTES("fetch")));
    struct message other = { 0 };
    ck_assert(!transport->receive(transport->context, TRANSPORT_COMMAND, &other));
    ck_assert_ptr_null(other.owned[0]);
    message_drop(&fixture, &message);
    stranger_close(&stranger);
    fixture_close(&fixture);
}
END_TEST

START_TEST(messages_of_another_form_are_dropped_whole_and_counted)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct stranger stranger;
    stranger_open(&stranger, fixture.endpoints[TRANSPORT_COMMAND]);
    stranger_send(&stranger, (const char *const[]){ "alone" }, 1);
    stranger_send(&stranger, (const char *const[]){ "one", "two", "three" }, 3);
    stranger_send(&stranger, (const char *const[]){ "", "1", "2", "3", "4", "5" }, 6);
    stranger_send(&stranger, (const char *const[]){ "good", "body" }, 2);
    struct message message = { 0 };
    request_await(&fixture, TRANSPORT_COMMAND, &message);
    ck_assert(span_equal(message.header, BYTES("good")));
    ck_assert(span_equal(message.body, BYTES("body")));
    ck_assert_uint_eq(dropped(&fixture), 3);
    message_drop(&fixture, &message);
    stranger_close(&stranger);
    fixture_close(&fixture);
}
END_TEST

START_TEST(replies_of_another_form_are_dropped_whole_and_counted)
{
    struct fixture fixture;
    fixture_open(&fixture);
    void *context = zmq_ctx_new();
    void *server = NULL;
    char endpoint[ENDPOINT_BYTES] = { 0 };
    endpoint_make(endpoint, fixture.folder, "other");
    ck_assert_int_eq(socket_open(&server, context, SOCKET_SERVER, endpoint, NULL), STATUS_OK);
    const char *peers[] = { endpoint };
    struct transport_zmq_options options = { .peers = peers, .peer_count = 1 };
    struct transport_zmq *zmq = NULL;
    ck_assert_int_eq(transport_zmq_open(&zmq, &options, NULL), STATUS_OK);
    struct transport caller = transport_of_zmq(zmq);
    struct message message = { 0 };
    ck_assert(!caller.receive(caller.context, TRANSPORT_COMMAND, &message));
    ck_assert(caller.peer_send(caller.context, 0, BYTES("ask"), BYTES("")));

    uint8_t identity[ROUTE_BYTES_MAX] = { 0 };
    uint8_t frame[8] = { 0 };
    int size = zmq_recv(server, identity, sizeof identity, 0);
    ck_assert_int_gt(size, 0);
    ck_assert_int_eq(zmq_recv(server, frame, sizeof frame, 0), 3);
    ck_assert_int_eq(zmq_recv(server, frame, sizeof frame, 0), 0);

    struct span route = span_of(identity, (size_t)size);
    const struct span alone[] = { route, BYTES("alone") };
    const struct span three[] = { route, BYTES("one"), BYTES("two"), BYTES("three") };
    const struct span good[] = { route, BYTES("say"), BYTES("this") };
    ck_assert(socket_send(server, alone, 2));
    ck_assert(socket_send(server, three, 4));
    ck_assert(socket_send(server, good, 3));
    while (!caller.peer_receive(caller.context, 0, &message)) {
        caller.wait(caller.context, -1);
    }
    ck_assert(span_equal(message.body, BYTES("this")));
    ck_assert_uint_eq(caller.dropped(caller.context), 2);
    caller.message_release(caller.context, &message);

    socket_close(&server);
    transport_zmq_close(&zmq);
    ck_assert_int_eq(zmq_ctx_term(context), 0);
    (void)unlink(endpoint + strlen("ipc://"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(who_sends_rubbish_without_end_does_not_hold_the_loop)
{
    enum { RUBBISH = 4 * LIMIT_TURN_REQUESTS };
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct stranger stranger;
    stranger_open(&stranger, fixture.endpoints[TRANSPORT_COMMAND]);
    struct message message = { 0 };
    const struct span rubbish = BYTES("rubbish");
    for (int sent = 0; sent < RUBBISH;) {
        if (socket_send(stranger.socket, &rubbish, 1)) {
            sent++;
            continue;
        }
        uint64_t before = dropped(&fixture);
        ck_assert(!transport->receive(transport->context, TRANSPORT_COMMAND, &message));
        ck_assert_uint_le(dropped(&fixture) - before, LIMIT_TURN_REQUESTS);
    }
    while (dropped(&fixture) < RUBBISH) {
        transport->wait(transport->context, -1);
        ck_assert(!transport->receive(transport->context, TRANSPORT_COMMAND, &message));
    }
    stranger_close(&stranger);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_message_past_the_bound_never_arrives)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct stranger stranger;
    stranger_open(&stranger, fixture.endpoints[TRANSPORT_COMMAND]);
    uint8_t *large = memory_allocate(LIMIT_MESSAGE_BYTES + 1);
    const struct span too_large[] = { BYTES("large"), span_of(large, LIMIT_MESSAGE_BYTES + 1) };
    const struct span good[] = { BYTES("good"), BYTES("") };
    ck_assert(socket_send(stranger.socket, too_large, 2));
    /* ZeroMQ ends that connection; over a new one the caller may speak again. */
    struct message message = { 0 };
    const struct transport *transport = &fixture.transport;
    bool is_there = false;
    while (!is_there) {
        bool is_sent = socket_send(stranger.socket, good, 2);
        (void)is_sent; /* not while the old connection ends */
        transport->wait(transport->context, 20);
        is_there = transport->receive(transport->context, TRANSPORT_COMMAND, &message);
    }
    ck_assert(span_equal(message.header, BYTES("good")));
    message_drop(&fixture, &message);
    free(large);
    stranger_close(&stranger);
    fixture_close(&fixture);
}
END_TEST

START_TEST(an_identity_that_is_too_long_is_dropped_and_counted)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct message message = { 0 };
    for (size_t size = ROUTE_BYTES_MAX; size <= ROUTE_BYTES_MAX + 1; size++) {
        struct stranger stranger;
        stranger_open(&stranger, fixture.endpoints[TRANSPORT_COMMAND]);
        char identity[ROUTE_BYTES_MAX + 1] = { 0 };
        memset(identity, 'i', size);
        /* An identity counts from the next connection on. */
        ck_assert_int_eq(zmq_disconnect(stranger.socket, fixture.endpoints[TRANSPORT_COMMAND]), 0);
        ck_assert_int_eq(zmq_setsockopt(stranger.socket, ZMQ_ROUTING_ID, identity, size), 0);
        ck_assert_int_eq(zmq_connect(stranger.socket, fixture.endpoints[TRANSPORT_COMMAND]), 0);
        stranger_send(&stranger, (const char *const[]){ "ask", "" }, 2);
        if (size <= ROUTE_BYTES_MAX) {
            request_await(&fixture, TRANSPORT_COMMAND, &message);
            ck_assert_uint_eq(message.route.size, size);
            message_drop(&fixture, &message);
        }
        while (size > ROUTE_BYTES_MAX && dropped(&fixture) == 0) {
            transport->wait(transport->context, -1);
            ck_assert(!transport->receive(transport->context, TRANSPORT_COMMAND, &message));
        }
        stranger_close(&stranger);
    }
    ck_assert_uint_eq(dropped(&fixture), 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_reply_to_a_peer_that_is_gone_is_counted)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct stranger stranger;
    stranger_open(&stranger, fixture.endpoints[TRANSPORT_COMMAND]);
    stranger_send(&stranger, (const char *const[]){ "ask", "" }, 2);
    struct message message = { 0 };
    request_await(&fixture, TRANSPORT_COMMAND, &message);
    stranger_close(&stranger);
    /* ZeroMQ's own thread finds out in its own time. */
    while (transport->reply(transport->context, &message.route, BYTES("say"), BYTES("this"))) {
        transport->wait(transport->context, 1);
    }
    ck_assert_uint_eq(dropped(&fixture), 1);
    message_drop(&fixture, &message);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_given_up_and_not_waited_for)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct stranger stranger;
    stranger_open(&stranger, fixture.endpoints[TRANSPORT_COMMAND]);
    stranger_send(&stranger, (const char *const[]){ "ask", "" }, 2);
    struct message message = { 0 };
    request_await(&fixture, TRANSPORT_COMMAND, &message);
    uint8_t *large = memory_allocate(LIMIT_BODY_BYTES);
    int taken = 0;
    while (transport->reply(transport->context, &message.route, BYTES("say"),
                            span_of(large, LIMIT_BODY_BYTES))) {
        taken++;
        /* Both queues, what the kernel holds, and what is under way. */
        ck_assert_int_lt(taken, 2 * LIMIT_IN_FLIGHT + 32 + 32 + 8);
    }
    ck_assert_int_ge(taken, LIMIT_IN_FLIGHT);
    ck_assert_uint_eq(dropped(&fixture), 1);
    message_drop(&fixture, &message);
    free(large);
    stranger_close(&stranger);
    fixture_close(&fixture);
}
END_TEST

/* As many requests as one connection may have open, then all replies at once. */
static void exchange_full(struct fixture *fixture)
{
    const struct transport *transport = &fixture->transport;
    struct message requests[LIMIT_IN_FLIGHT] = { 0 };
    for (int i = 0; i < LIMIT_IN_FLIGHT; i++) {
        while (!transport->peer_send(transport->context, 0, BYTES("ask"), BYTES(""))) {
            transport->wait(transport->context, 1);
        }
    }
    for (int i = 0; i < LIMIT_IN_FLIGHT; i++) {
        request_await(fixture, TRANSPORT_COMMAND, &requests[i]);
    }
    for (int i = 0; i < LIMIT_IN_FLIGHT; i++) {
        ck_assert(
            transport->reply(transport->context, &requests[i].route, BYTES("say"), BYTES("this")));
        message_drop(fixture, &requests[i]);
    }
}

START_TEST(all_replies_that_one_connection_awaits_fit_at_once)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct message reply = { 0 };
    /* Again and again without a pause: ZeroMQ learns late what has left its queue. */
    for (int round = 0; round < 20; round++) {
        exchange_full(&fixture);
        for (int i = 0; i < LIMIT_IN_FLIGHT; i++) {
            reply_await(&fixture, &reply);
            message_drop(&fixture, &reply);
        }
    }
    ck_assert_uint_eq(dropped(&fixture), 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_wait_ends_when_a_descriptor_is_readable)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    transport->wait(transport->context, 0);
    ck_assert_int_eq(write(fixture.wake[1], "x", 1), 1);
    transport->wait(transport->context, -1);
    transport->wait(transport->context, INT64_MAX);
    struct message message = { 0 };
    ck_assert(!transport->receive(transport->context, TRANSPORT_COMMAND, &message));
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_request_ends_a_linger_and_its_time_does)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    struct message message = { 0 };
    ck_assert(!transport->receive(transport->context, TRANSPORT_FEED, &message));
    ck_assert(!transport->linger(transport->context, TRANSPORT_FEED, 1));
    ck_assert(transport->peer_send(transport->context, 0, BYTES("ask"), BYTES("what")));
    while (!transport->receive(transport->context, TRANSPORT_COMMAND, &message)) {
        /* Check's own time-out ends a test in which none of these does. */
        while (!transport->linger(transport->context, TRANSPORT_COMMAND, 999999)) {
        }
    }
    ck_assert(span_equal(message.body, BYTES("what")));
    message_drop(&fixture, &message);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_wait_ends_when_another_process_writes)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(write(fixture.wake[1], "x", 1) == 1 ? 0 : 1);
    }
    transport->wait(transport->context, -1);
    char byte = 0;
    ck_assert_int_eq(read(fixture.wake[0], &byte, 1), 1);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_peer_need_not_be_there_yet)
{
    struct fixture fixture;
    fixture_open(&fixture);
    char late[ENDPOINT_BYTES] = { 0 };
    endpoint_make(late, fixture.folder, "late");
    const char *peers[] = { late };
    struct transport_zmq_options asking = { .peers = peers, .peer_count = 1 };
    struct transport_zmq *caller_zmq = NULL;
    ck_assert_int_eq(transport_zmq_open(&caller_zmq, &asking, NULL), STATUS_OK);
    struct transport caller = transport_of_zmq(caller_zmq);
    int sent = 0;
    while (caller.peer_send(caller.context, 0, BYTES("ask"), BYTES("early"))) {
        sent++;
        ck_assert_int_le(sent, 8);
    }
    ck_assert_int_eq(sent, 8); /* bounded while nobody is there */

    struct transport_zmq_options answering = { .servers = { late, NULL } };
    struct transport_zmq *server_zmq = NULL;
    ck_assert_int_eq(transport_zmq_open(&server_zmq, &answering, NULL), STATUS_OK);
    struct transport server = transport_of_zmq(server_zmq);
    struct message message = { 0 };
    while (!server.receive(server.context, TRANSPORT_COMMAND, &message)) {
        server.wait(server.context, -1);
    }
    ck_assert(span_equal(message.body, BYTES("early")));
    server.message_release(server.context, &message);
    transport_zmq_close(&server_zmq);
    transport_zmq_close(&caller_zmq);
    (void)unlink(late + strlen("ipc://"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_cannot_be_opened_leaves_nothing_behind)
{
    struct refusal refusal = { 0 };
    struct transport_zmq *zmq = NULL;
    const char *peers[] = { "ipc:///tmp/kith-nobody", "tcp://127.0.0.1:7400" };
    struct transport_zmq_options options = { .peers = peers, .peer_count = 2 };
    ck_assert_int_eq(transport_zmq_open(&zmq, &options, &refusal), STATUS_REFUSED);
    ck_assert_ptr_null(zmq);
    ck_assert_ptr_nonnull(strstr(refusal.message, "CURVE"));
    transport_zmq_close(&zmq);
}
END_TEST

START_TEST(a_thousand_connections_each_get_their_own_reply)
{
    enum { CALLERS = 1000 };
    struct rlimit files = { 0 };
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);

    struct fixture fixture;
    fixture_open(&fixture);
    const struct transport *transport = &fixture.transport;
    void *context = zmq_ctx_new();
    ck_assert_int_eq(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, CALLERS + 8), 0);
    void **callers = memory_allocate(CALLERS * sizeof *callers);
    uint8_t number[4] = { 0 };
    for (uint32_t i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(socket_open(&callers[i], context, SOCKET_CALLER,
                                     fixture.endpoints[TRANSPORT_COMMAND], NULL),
                         STATUS_OK);
        be32_put(number, i);
        const struct span frames[] = { BYTES("ask"), span_of(number, sizeof number) };
        ck_assert(socket_send(callers[i], frames, 2));
    }
    for (int i = 0; i < CALLERS; i++) {
        struct message message = { 0 };
        request_await(&fixture, TRANSPORT_COMMAND, &message);
        ck_assert(transport->reply(transport->context, &message.route, BYTES("say"), message.body));
        message_drop(&fixture, &message);
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        uint8_t frame[8] = { 0 };
        ck_assert_int_eq(zmq_recv(callers[i], frame, sizeof frame, 0), 3);
        ck_assert_int_eq(zmq_recv(callers[i], frame, sizeof frame, 0), 4);
        ck_assert_uint_eq(be32_get(frame), i);
        socket_close(&callers[i]);
    }
    ck_assert_uint_eq(dropped(&fixture), 0);
    free(callers);
    ck_assert_int_eq(zmq_ctx_term(context), 0);
    fixture_close(&fixture);
}
END_TEST

static void forms_add(TCase *tcase)
{
    tcase_add_test(tcase, a_request_gets_its_reply);
    tcase_add_test(tcase, empty_frames_and_the_largest_body_go_through);
    tcase_add_test(tcase, messages_that_are_held_keep_their_bytes);
    tcase_add_test(tcase, servers_do_not_mix);
    tcase_add_test(tcase, messages_of_another_form_are_dropped_whole_and_counted);
    tcase_add_test(tcase, replies_of_another_form_are_dropped_whole_and_counted);
    tcase_add_test(tcase, who_sends_rubbish_without_end_does_not_hold_the_loop);
    tcase_add_test(tcase, a_message_past_the_bound_never_arrives);
    tcase_add_test(tcase, an_identity_that_is_too_long_is_dropped_and_counted);
}

static void peers_add(TCase *tcase)
{
    tcase_add_test(tcase, a_reply_to_a_peer_that_is_gone_is_counted);
    tcase_add_test(tcase, a_peer_that_does_not_read_is_given_up_and_not_waited_for);
    tcase_add_test(tcase, all_replies_that_one_connection_awaits_fit_at_once);
    tcase_add_test(tcase, a_wait_ends_when_a_descriptor_is_readable);
    tcase_add_test(tcase, a_request_ends_a_linger_and_its_time_does);
    tcase_add_test(tcase, a_wait_ends_when_another_process_writes);
    tcase_add_test(tcase, a_peer_need_not_be_there_yet);
    tcase_add_test(tcase, what_cannot_be_opened_leaves_nothing_behind);
    tcase_add_test(tcase, a_thousand_connections_each_get_their_own_reply);
}

int main(void)
{
    Suite *suite = suite_create("transport");
    TCase *forms = tcase_create("forms");
    forms_add(forms);
    tcase_set_timeout(forms, 30);
    suite_add_tcase(suite, forms);
    TCase *peers = tcase_create("peers");
    peers_add(peers);
    tcase_set_timeout(peers, 60);
    suite_add_tcase(suite, peers);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
