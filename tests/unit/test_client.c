/* link: common_client */
#include "common/base/limits.h"
#include "common/client/client.h"
#include "common/wire/transport.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

struct fixture {
    char folder[32];
    char endpoint[64];
    pid_t service; /* 0: none runs */
    struct client *client;
    struct buffer body;
    struct refusal refusal;
};

/* What a service of a test does until it is killed. It is another process, so that it may be
 * slow, silent or gone while the client waits. */
typedef void (*service_script)(const char *endpoint);

/* Before any thread of ZeroMQ runs here: a fork copies only the caller's. */
static void service_start(struct fixture *fixture, service_script script)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        script(fixture->endpoint);
        _exit(0);
    }
    fixture->service = child;
}

static void fixture_open(struct fixture *fixture, service_script script)
{
    *fixture = (struct fixture){ .folder = "/tmp/kith-client-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
    struct buffer text;
    buffer_init(&text, sizeof fixture->endpoint);
    ck_assert_int_eq(buffer_append(&text, BYTES("ipc://")), STATUS_OK);
    ck_assert_int_eq(buffer_append(&text, span_of_text(fixture->folder)), STATUS_OK);
    ck_assert_int_eq(buffer_append(&text, BYTES("/s")), STATUS_OK);
    memcpy(fixture->endpoint, text.data, text.size);
    buffer_release(&text);
    if (script != NULL) {
        service_start(fixture, script);
    }
    buffer_init(&fixture->body, LIMIT_MESSAGE_BYTES);
    ck_assert_int_eq(client_open(&fixture->client, fixture->endpoint, NULL), STATUS_OK);
}

static void fixture_close(struct fixture *fixture)
{
    client_close(&fixture->client);
    ck_assert_ptr_null(fixture->client);
    buffer_release(&fixture->body);
    if (fixture->service != 0) {
        ck_assert_int_eq(kill(fixture->service, SIGKILL), 0);
        ck_assert_int_eq(waitpid(fixture->service, NULL, 0), fixture->service);
    }
    (void)unlink(fixture->endpoint + strlen("ipc://"));
    ck_assert_int_eq(rmdir(fixture->folder), 0);
}

static enum status ask(struct fixture *fixture, const char *key, int64_t timeout_ms)
{
    struct client_request request = {
        .method = "test.Ask",
        .key = key,
        .body = BYTES("question"),
        .timeout_ms = timeout_ms,
    };
    return client_call(fixture->client, &request, &fixture->body, &fixture->refusal);
}

static int64_t now_ms(void)
{
    struct timespec now = { 0 };
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- services; a fault ends the process, and the client then gets no answer */

struct service {
    struct transport_zmq *zmq;
    struct transport transport;
};

static void must(bool condition)
{
    if (!condition) {
        _exit(1);
    }
}

static void service_open(struct service *service, const char *endpoint)
{
    struct transport_zmq_options options = { .servers = { endpoint, NULL } };
    service->zmq = NULL;
    must(transport_zmq_open(&service->zmq, &options, NULL) == STATUS_OK);
    service->transport = transport_of_zmq(service->zmq);
}

static void service_take(struct service *service, struct message *message,
                         struct request_header *header)
{
    const struct transport *transport = &service->transport;
    while (!transport->receive(transport->context, TRANSPORT_COMMAND, message)) {
        transport->wait(transport->context, -1);
    }
    must(request_header_decode(message->header, header, NULL) == STATUS_OK);
}

static void service_answer(struct service *service, const struct message *message,
                           const struct reply_header *reply, struct span body)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    reply_header_encode(reply, &buffer);
    const struct transport *transport = &service->transport;
    must(transport->reply(transport->context, &message->route, buffer_span(&buffer), body));
    buffer_release(&buffer);
}

static void service_forget(struct service *service, struct message *message)
{
    service->transport.message_release(service->transport.context, message);
}

static void echo(const char *endpoint)
{
    struct service service;
    service_open(&service, endpoint);
    for (;;) {
        struct message message = { 0 };
        struct request_header header = { 0 };
        service_take(&service, &message, &header);
        struct reply_header reply = { .request_id = header.request_id };
        service_answer(&service, &message, &reply, message.body);
        service_forget(&service, &message);
    }
}

static void echo_when_told(const char *endpoint)
{
    (void)raise(SIGSTOP);
    echo(endpoint);
}

static bool is_same_attempt(const struct request_header *a, const struct request_header *b)
{
    return strcmp(a->key, b->key) == 0 && a->issued_at_ms == b->issued_at_ms &&
           strcmp(a->method, b->method) == 0 && a->request_id != b->request_id &&
           b->timeout_ms < a->timeout_ms;
}

/* Says nothing to the first request, and to the second whether it was its retry. */
static void lose_first(const char *endpoint)
{
    struct service service;
    struct message message = { 0 };
    struct request_header first = { 0 };
    service_open(&service, endpoint);
    service_take(&service, &message, &first);
    service_forget(&service, &message);
    for (;;) {
        struct request_header header = { 0 };
        service_take(&service, &message, &header);
        struct reply_header reply = { .request_id = header.request_id };
        bool is_same = is_same_attempt(&first, &header);
        service_answer(&service, &message, &reply, is_same ? BYTES("same") : BYTES("other"));
        service_forget(&service, &message);
    }
}

/* Ends with the first request in hand, and comes back. */
static void restart(const char *endpoint)
{
    struct service service;
    struct message message = { 0 };
    struct request_header header = { 0 };
    service_open(&service, endpoint);
    service_take(&service, &message, &header);
    service_forget(&service, &message);
    transport_zmq_close(&service.zmq);
    echo(endpoint);
}

static void refuse(const char *endpoint)
{
    struct service service;
    service_open(&service, endpoint);
    for (;;) {
        struct message message = { 0 };
        struct request_header header = { 0 };
        service_take(&service, &message, &header);
        struct reply_header reply = { .request_id = header.request_id };
        (void)refusal_set(&reply.refusal, STATUS_REFUSED, "not enough points");
        refusal_violation(&reply.refusal, "points", "must be at most the balance", "ask for less");
        service_answer(&service, &message, &reply, BYTES("not for you"));
        service_forget(&service, &message);
    }
}

static void not_now(const char *endpoint)
{
    struct service service;
    service_open(&service, endpoint);
    for (int i = 0;; i++) {
        struct message message = { 0 };
        struct request_header header = { 0 };
        service_take(&service, &message, &header);
        struct reply_header reply = { .request_id = header.request_id };
        if (i < 3) {
            (void)refusal_set(&reply.refusal, STATUS_UNREACHABLE, "starting");
            reply.refusal.retry_after_ms = 10;
        }
        service_answer(&service, &message, &reply, BYTES("now"));
        service_forget(&service, &message);
    }
}

static void starting(const char *endpoint)
{
    struct service service;
    service_open(&service, endpoint);
    for (;;) {
        struct message message = { 0 };
        struct request_header header = { 0 };
        service_take(&service, &message, &header);
        struct reply_header reply = { .request_id = header.request_id };
        (void)refusal_set(&reply.refusal, STATUS_UNREACHABLE, "still starting");
        reply.refusal.retry_after_ms = 3600000;
        service_answer(&service, &message, &reply, BYTES(""));
        service_forget(&service, &message);
    }
}

/* All kinds of wrong replies before the right one. */
static void rubbish(const char *endpoint)
{
    struct service service;
    service_open(&service, endpoint);
    for (;;) {
        struct message message = { 0 };
        struct request_header header = { 0 };
        service_take(&service, &message, &header);
        const struct transport *transport = &service.transport;
        const struct span headers[] = { BYTES("rubbish"), BYTES(""), BYTES("\x08\x01") };
        for (int i = 0; i < 3; i++) {
            must(transport->reply(transport->context, &message.route, headers[i], BYTES("no")));
        }
        struct reply_header reply = { .request_id = header.request_id - 1 };
        service_answer(&service, &message, &reply, BYTES("of an older attempt"));
        reply.request_id = 7;
        service_answer(&service, &message, &reply, BYTES("of nobody"));
        reply.request_id = header.request_id;
        service_answer(&service, &message, &reply, BYTES("good"));
        service_forget(&service, &message);
    }
}

static void silent(const char *endpoint)
{
    struct service service;
    service_open(&service, endpoint);
    for (;;) {
        struct message message = { 0 };
        struct request_header header = { 0 };
        service_take(&service, &message, &header);
        service_forget(&service, &message);
    }
}

/* ---- calls */

START_TEST(a_call_brings_back_the_reply)
{
    struct fixture fixture;
    fixture_open(&fixture, echo);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ask(&fixture, i == 1 ? "key" : NULL, 20000), STATUS_OK);
        ck_assert(span_equal(buffer_span(&fixture.body), BYTES("question")));
        ck_assert_int_eq(fixture.refusal.status, STATUS_OK);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_lost_reply_is_asked_for_again_with_the_same_key_and_time)
{
    struct fixture fixture;
    fixture_open(&fixture, lose_first);
    ck_assert_int_eq(ask(&fixture, "key", 20000), STATUS_OK);
    ck_assert(span_equal(buffer_span(&fixture.body), BYTES("same")));
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_question_is_asked_again_too)
{
    struct fixture fixture;
    fixture_open(&fixture, lose_first);
    ck_assert_int_eq(ask(&fixture, NULL, 20000), STATUS_OK);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_service_that_restarts_is_asked_again)
{
    struct fixture fixture;
    fixture_open(&fixture, restart);
    ck_assert_int_eq(ask(&fixture, "key", 20000), STATUS_OK);
    ck_assert(span_equal(buffer_span(&fixture.body), BYTES("question")));
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_service_that_says_not_now_is_asked_again)
{
    struct fixture fixture;
    fixture_open(&fixture, not_now);
    ck_assert_int_eq(ask(&fixture, "key", 20000), STATUS_OK);
    ck_assert(span_equal(buffer_span(&fixture.body), BYTES("now")));
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_refusal_comes_back_whole_and_at_once)
{
    struct fixture fixture;
    fixture_open(&fixture, refuse);
    ck_assert_int_eq(ask(&fixture, "key", 20000), STATUS_REFUSED);
    ck_assert_int_eq(fixture.refusal.status, STATUS_REFUSED);
    ck_assert_str_eq(fixture.refusal.message, "not enough points");
    ck_assert_uint_eq(fixture.refusal.violation_count, 1);
    ck_assert_str_eq(fixture.refusal.violations[0].mend, "ask for less");
    ck_assert_uint_eq(fixture.body.size, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(rubbish_and_replies_to_older_attempts_are_passed_over)
{
    struct fixture fixture;
    fixture_open(&fixture, rubbish);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ask(&fixture, "key", 20000), STATUS_OK);
        ck_assert(span_equal(buffer_span(&fixture.body), BYTES("good")));
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(nobody_there_is_unreachable_when_the_time_is_over)
{
    struct fixture fixture;
    fixture_open(&fixture, NULL);
    int64_t begin_ms = now_ms();
    ck_assert_int_eq(ask(&fixture, "key", 300), STATUS_UNREACHABLE);
    ck_assert_int_ge(now_ms() - begin_ms, 300);
    ck_assert_int_eq(fixture.refusal.status, STATUS_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(fixture.refusal.message, fixture.endpoint));
    fixture_close(&fixture);
}
END_TEST

START_TEST(silence_is_unreachable_also_past_the_first_attempt)
{
    struct fixture fixture;
    fixture_open(&fixture, silent);
    int64_t begin_ms = now_ms();
    ck_assert_int_eq(ask(&fixture, "key", 2500), STATUS_UNREACHABLE);
    ck_assert_int_ge(now_ms() - begin_ms, 2500);
    fixture_close(&fixture);
}
END_TEST

START_TEST(no_time_at_all_ends_at_once)
{
    struct fixture fixture;
    fixture_open(&fixture, NULL);
    ck_assert_int_eq(ask(&fixture, NULL, 0), STATUS_UNREACHABLE);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_long_pause_does_not_pass_the_time_and_keeps_the_reason)
{
    struct fixture fixture;
    fixture_open(&fixture, starting);
    ck_assert_int_eq(ask(&fixture, NULL, 1500), STATUS_UNREACHABLE);
    ck_assert_str_eq(fixture.refusal.message, "still starting");
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_reply_larger_than_the_buffer_is_a_refusal_and_not_asked_again)
{
    struct fixture fixture;
    fixture_open(&fixture, echo);
    fixture.body.limit = 4;
    ck_assert_int_eq(ask(&fixture, NULL, 20000), STATUS_LIMIT);
    ck_assert_uint_eq(fixture.body.size, 0);
    ck_assert_ptr_nonnull(strstr(fixture.refusal.message, "8 bytes"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(keys_and_bodies_past_their_bounds_are_not_sent)
{
    struct fixture fixture;
    fixture_open(&fixture, NULL);
    char key[LIMIT_ID_BYTES + 2] = { 0 };
    memset(key, 'k', LIMIT_ID_BYTES + 1);
    ck_assert_int_eq(ask(&fixture, key, 60000), STATUS_MALFORMED);
    ck_assert_str_eq(fixture.refusal.violations[0].field, "key");
    ck_assert_int_eq(ask(&fixture, "", 60000), STATUS_MALFORMED);
    ck_assert_int_eq(ask(&fixture, "a\nb", 60000), STATUS_MALFORMED);

    uint8_t *large = memory_allocate(LIMIT_BODY_BYTES + 1);
    struct client_request request = {
        .method = "test.Ask",
        .body = span_of(large, LIMIT_BODY_BYTES + 1),
        .timeout_ms = 60000,
    };
    ck_assert_int_eq(client_call(fixture.client, &request, &fixture.body, &fixture.refusal),
                     STATUS_LIMIT);
    free(large);
    fixture_close(&fixture);
}
END_TEST

START_TEST(the_longest_key_and_the_largest_body_go_through)
{
    struct fixture fixture;
    fixture_open(&fixture, echo);
    char key[LIMIT_ID_BYTES + 1] = { 0 };
    memset(key, 'k', LIMIT_ID_BYTES);
    uint8_t *large = memory_allocate(LIMIT_BODY_BYTES);
    memset(large, 'L', LIMIT_BODY_BYTES);
    struct client_request request = {
        .method = "test.Ask",
        .key = key,
        .body = span_of(large, LIMIT_BODY_BYTES),
        .timeout_ms = 20000,
    };
    ck_assert_int_eq(client_call(fixture.client, &request, &fixture.body, NULL), STATUS_OK);
    ck_assert(span_equal(buffer_span(&fixture.body), request.body));
    free(large);
    fixture_close(&fixture);
}
END_TEST

START_TEST(other_endpoints_than_ipc_are_refused)
{
    struct client *client = NULL;
    struct refusal refusal = { 0 };
    ck_assert_int_eq(client_open(&client, "tcp://127.0.0.1:7400", &refusal), STATUS_REFUSED);
    ck_assert_ptr_null(client);
    ck_assert_ptr_nonnull(strstr(refusal.message, "CURVE"));
    client_close(&client);
}
END_TEST

/* ---- several in flight */

/* As many as the socket takes of `count` further requests, numbered from *next. */
static void send_some(struct fixture *fixture, uint64_t *next, uint64_t last)
{
    while (*next <= last) {
        uint8_t number[8] = { 0 };
        be64_put(number, *next);
        struct client_request request = {
            .method = "test.Ask",
            .key = "key",
            .body = span_of(number, sizeof number),
        };
        if (!client_send(fixture->client, &request, *next)) {
            return;
        }
        (*next)++;
    }
}

START_TEST(requests_in_flight_are_answered_in_order)
{
    enum { REQUESTS = 2000 };
    struct fixture fixture;
    fixture_open(&fixture, echo);
    uint64_t next = 1;
    for (uint64_t expected = 1; expected <= REQUESTS; expected++) {
        uint64_t most = expected + LIMIT_IN_FLIGHT - 1;
        struct reply_header header = { 0 };
        send_some(&fixture, &next, most < REQUESTS ? most : REQUESTS);
        ck_assert(client_receive(fixture.client, 20000, &header, &fixture.body));
        ck_assert_uint_eq(header.request_id, expected);
        ck_assert_int_eq(header.refusal.status, STATUS_OK);
        ck_assert_uint_eq(fixture.body.size, 8);
        ck_assert_uint_eq(be64_get(fixture.body.data), expected);
    }
    struct reply_header header = { 0 };
    ck_assert(!client_receive(fixture.client, 0, &header, &fixture.body));
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_waits_for_nobody_is_bounded_and_gone_after_a_reconnect)
{
    struct fixture fixture;
    fixture_open(&fixture, echo_when_told);
    uint64_t next = 1;
    send_some(&fixture, &next, 1000);
    ck_assert_uint_eq(next, 1 + 8);
    struct reply_header header = { 0 };
    ck_assert(!client_receive(fixture.client, 50, &header, &fixture.body));
    ck_assert_int_eq(client_reconnect(fixture.client, NULL), STATUS_OK);
    ck_assert_int_eq(waitpid(fixture.service, NULL, WUNTRACED), fixture.service);
    ck_assert_int_eq(kill(fixture.service, SIGCONT), 0);
    send_some(&fixture, &next, next);
    ck_assert(client_receive(fixture.client, 20000, &header, &fixture.body));
    ck_assert_uint_eq(header.request_id, 9);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_call_takes_no_reply_of_another_request_for_its_own)
{
    struct fixture fixture;
    fixture_open(&fixture, echo);
    uint64_t next = 1;
    send_some(&fixture, &next, 3);
    ck_assert_int_eq(ask(&fixture, NULL, 20000), STATUS_OK);
    ck_assert(span_equal(buffer_span(&fixture.body), BYTES("question")));
    fixture_close(&fixture);
}
END_TEST

START_TEST(headers_made_elsewhere_go_out_and_come_back_as_they_are)
{
    struct fixture fixture;
    fixture_open(&fixture, echo);
    struct buffer header;
    buffer_init(&header, LIMIT_HEADER_BYTES);
    struct request_header request = { .request_id = 77, .method = "feed.Fetch" };
    request_header_encode(&request, &header);
    ck_assert(client_send_raw(fixture.client, buffer_span(&header), BYTES("any")));
    ck_assert(client_receive_raw(fixture.client, 20000, &header, &fixture.body));
    struct reply_header reply = { 0 };
    ck_assert_int_eq(reply_header_decode(buffer_span(&header), &reply), STATUS_OK);
    ck_assert_uint_eq(reply.request_id, 77);
    ck_assert(span_equal(buffer_span(&fixture.body), BYTES("any")));
    ck_assert(!client_receive_raw(fixture.client, 0, &header, &fixture.body));
    buffer_release(&header);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_message_that_does_not_fit_is_dropped_and_the_next_one_comes)
{
    struct fixture fixture;
    fixture_open(&fixture, echo);
    struct buffer header;
    struct buffer body;
    buffer_init(&header, LIMIT_HEADER_BYTES);
    buffer_init(&body, 4);
    struct request_header request = { .request_id = 1, .method = "feed.Fetch" };
    request_header_encode(&request, &header);
    ck_assert(client_send_raw(fixture.client, buffer_span(&header), BYTES("large")));
    ck_assert(client_send_raw(fixture.client, buffer_span(&header), BYTES("fits")));
    ck_assert(client_receive_raw(fixture.client, 20000, &header, &body));
    ck_assert(span_equal(buffer_span(&body), BYTES("fits")));
    buffer_release(&header);
    buffer_release(&body);
    fixture_close(&fixture);
}
END_TEST

static void calls_add(TCase *tcase)
{
    tcase_add_test(tcase, a_call_brings_back_the_reply);
    tcase_add_test(tcase, a_lost_reply_is_asked_for_again_with_the_same_key_and_time);
    tcase_add_test(tcase, a_question_is_asked_again_too);
    tcase_add_test(tcase, a_service_that_restarts_is_asked_again);
    tcase_add_test(tcase, a_service_that_says_not_now_is_asked_again);
    tcase_add_test(tcase, a_refusal_comes_back_whole_and_at_once);
    tcase_add_test(tcase, rubbish_and_replies_to_older_attempts_are_passed_over);
    tcase_add_test(tcase, nobody_there_is_unreachable_when_the_time_is_over);
    tcase_add_test(tcase, silence_is_unreachable_also_past_the_first_attempt);
    tcase_add_test(tcase, no_time_at_all_ends_at_once);
    tcase_add_test(tcase, a_long_pause_does_not_pass_the_time_and_keeps_the_reason);
}

static void bounds_add(TCase *tcase)
{
    tcase_add_test(tcase, a_reply_larger_than_the_buffer_is_a_refusal_and_not_asked_again);
    tcase_add_test(tcase, keys_and_bodies_past_their_bounds_are_not_sent);
    tcase_add_test(tcase, the_longest_key_and_the_largest_body_go_through);
    tcase_add_test(tcase, other_endpoints_than_ipc_are_refused);
    tcase_add_test(tcase, requests_in_flight_are_answered_in_order);
    tcase_add_test(tcase, what_waits_for_nobody_is_bounded_and_gone_after_a_reconnect);
    tcase_add_test(tcase, a_call_takes_no_reply_of_another_request_for_its_own);
    tcase_add_test(tcase, headers_made_elsewhere_go_out_and_come_back_as_they_are);
    tcase_add_test(tcase, a_message_that_does_not_fit_is_dropped_and_the_next_one_comes);
}

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *calls = tcase_create("calls");
    calls_add(calls);
    tcase_set_timeout(calls, 60);
    suite_add_tcase(suite, calls);
    TCase *bounds = tcase_create("bounds");
    bounds_add(bounds);
    tcase_set_timeout(bounds, 60);
    suite_add_tcase(suite, bounds);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
