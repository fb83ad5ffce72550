/* link: common_client common_wire */
#include "common/base/limits.h"
#include "common/client/client.h"
#include "common/wire/transport.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 5000

struct fixture {
    char folder[32];
    char endpoint[80];
    struct transport_zmq *zmq;
    struct transport transport;
    struct client *client;
    struct buffer header;
    struct buffer body;
};

static void fixture_open(struct fixture *fixture)
{
    struct refusal refusal;
    refusal_init(&refusal);
    *fixture = (struct fixture){ .folder = "/tmp/kith-raw-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
    (void)snprintf(fixture->endpoint, sizeof fixture->endpoint, "ipc://%s/feed", fixture->folder);
    struct transport_zmq_options options = { .servers = { fixture->endpoint, NULL } };
    ck_assert_int_eq(transport_zmq_open(&fixture->zmq, &options, &refusal), STATUS_OK);
    fixture->transport = transport_of_zmq(fixture->zmq);
    ck_assert_int_eq(client_open(&fixture->client, fixture->endpoint, &refusal), STATUS_OK);
    buffer_init(&fixture->header, LIMIT_HEADER_BYTES);
    buffer_init(&fixture->body, 64);
}

static void fixture_close(struct fixture *fixture)
{
    client_close(&fixture->client);
    transport_zmq_close(&fixture->zmq);
    buffer_release(&fixture->header);
    buffer_release(&fixture->body);
    (void)unlink(fixture->endpoint + strlen("ipc://"));
    (void)rmdir(fixture->folder);
}

/* Receives what the client sent and answers it with two texts. */
static void answer(struct fixture *fixture, const char *header, const char *body)
{
    struct message message = { 0 };
    struct transport *transport = &fixture->transport;
    while (!transport->receive(transport->context, TRANSPORT_COMMAND, &message)) {
        transport->wait(transport->context, PATIENCE_MS);
    }
    ck_assert(span_equal(message.header, span_of_text("head")));
    ck_assert(span_equal(message.body, span_of_text("body")));
    ck_assert(transport->reply(transport->context, &message.route, span_of_text(header),
                               span_of_text(body)));
    transport->message_release(transport->context, &message);
}

START_TEST(two_frames_go_out_and_come_back_as_they_are)
{
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert(client_send_raw(fixture.client, span_of_text("head"), span_of_text("body")));
    answer(&fixture, "answer", "");
    ck_assert(client_receive_raw(fixture.client, PATIENCE_MS, &fixture.header, &fixture.body));
    ck_assert(span_equal(buffer_span(&fixture.header), span_of_text("answer")));
    ck_assert_uint_eq(fixture.body.size, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_does_not_fit_is_dropped_and_the_next_is_taken)
{
    struct fixture fixture;
    char large[66];
    memset(large, 'x', 65);
    large[65] = '\0';
    fixture_open(&fixture);
    ck_assert(client_send_raw(fixture.client, span_of_text("head"), span_of_text("body")));
    answer(&fixture, "first", large);
    ck_assert(client_send_raw(fixture.client, span_of_text("head"), span_of_text("body")));
    answer(&fixture, "second", "fits");
    ck_assert(client_receive_raw(fixture.client, PATIENCE_MS, &fixture.header, &fixture.body));
    ck_assert(span_equal(buffer_span(&fixture.header), span_of_text("second")));
    ck_assert(span_equal(buffer_span(&fixture.body), span_of_text("fits")));
    fixture_close(&fixture);
}
END_TEST

START_TEST(nothing_is_received_where_nothing_came)
{
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert(!client_receive_raw(fixture.client, 0, &fixture.header, &fixture.body));
    fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client, raw");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, two_frames_go_out_and_come_back_as_they_are);
    tcase_add_test(cases, what_does_not_fit_is_dropped_and_the_next_is_taken);
    tcase_add_test(cases, nothing_is_received_where_nothing_came);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
