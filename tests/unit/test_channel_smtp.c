/* link: campaign_service */
#include "services/campaign/channel_mail.h"
#include "tests/unit/channel_fixture.h"

#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#define PYTHON "/usr/bin/python3"
#define SERVER "tests/support/smtp_server.py"
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- a mail server */

struct server {
    pid_t pid;
    int input; /* it ends when this does */
    char port[16];
};

/* On this port, or "0" for any. */
static void server_start(struct server *server, const struct fixture *fixture, const char *port)
{
    int input[2] = { -1, -1 };
    int output[2] = { -1, -1 };
    ck_assert_int_eq(pipe2(input, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(output, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, input[0], 0), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, output[1], 1), 0);
    char words[5][128] = { PYTHON, SERVER, "", "--port", "" };
    (void)snprintf(words[2], sizeof words[2], "%s", fixture->folder);
    (void)snprintf(words[4], sizeof words[4], "%s", port);
    char *arguments[] = { words[0], words[1], words[2], words[3], words[4], NULL };
    ck_assert_int_eq(posix_spawn(&server->pid, PYTHON, &actions, NULL, arguments, environ), 0);
    ck_assert_int_eq(posix_spawn_file_actions_destroy(&actions), 0);
    ck_assert_int_eq(close(input[0]), 0);
    ck_assert_int_eq(close(output[1]), 0);
    server->input = input[1];
    size_t size = 0;
    while (memchr(server->port, '\n', size) == NULL) {
        ck_assert_uint_lt(size, sizeof server->port - 1);
        ssize_t got = read(output[0], server->port + size, sizeof server->port - 1 - size);
        ck_assert_msg(got > 0, "no mail server; is python3-aiosmtpd there?");
        size += (size_t)got;
    }
    server->port[size - 1] = '\0';
    ck_assert_int_eq(close(output[0]), 0);
}

static void server_stop(struct server *server)
{
    ck_assert_int_eq(close(server->input), 0);
    ck_assert_int_eq(waitpid(server->pid, NULL, 0), server->pid);
}

/* A channel to a server that is not started yet, or not at all. */
static void fixture_point(struct fixture *fixture, const char *port)
{
    (void)snprintf(fixture->rule.url, sizeof fixture->rule.url, "smtp://127.0.0.1:%s", port);
    (void)snprintf(fixture->rule.from, sizeof fixture->rule.from, "care@operator.example");
    (void)snprintf(fixture->rule.address, sizeof fixture->rule.address, "email");
}

/* An open channel and its server, which behaves so. */
static void fixture_serve(struct fixture *fixture, struct server *server, const char *behaviour)
{
    fixture_init(fixture, CAMPAIGN_CHANNEL_SMTP);
    file_write(fixture, "behave", behaviour);
    server_start(server, fixture, "0");
    fixture_point(fixture, server->port);
    fixture_open(fixture);
}

static void fixture_end(struct fixture *fixture, struct server *server)
{
    channel_close(&fixture->channel);
    server_stop(server);
    fixture_release(fixture);
}

/* What the server has kept, a list; the caller's. */
static json_t *kept(const struct fixture *fixture)
{
    json_t *messages = json_array();
    const char *line = file_read(fixture, "messages.ndjson");
    while (line[0] != '\0') {
        size_t size = strcspn(line, "\n");
        json_t *message = json_loadb(line, size, 0, NULL);
        ck_assert_ptr_nonnull(message);
        ck_assert_int_eq(json_array_append_new(messages, message), 0);
        line += size + 1;
    }
    return messages;
}

static void kept_expect(const struct fixture *fixture, size_t count)
{
    json_t *messages = kept(fixture);
    ck_assert_uint_eq(json_array_size(messages), count);
    json_decref(messages);
}

/* Until the server has kept so many. */
static void kept_wait(const struct fixture *fixture, size_t count)
{
    int64_t end_ms = now_ms() + ANSWER_MS;
    size_t found = 0;
    while (found < count) {
        json_t *messages = kept(fixture);
        found = json_array_size(messages);
        json_decref(messages);
        ck_assert_msg(now_ms() < end_ms, "not kept in time");
        (void)poll(NULL, 0, POLL_MS);
    }
}

static const char *text_of(const json_t *message, const char *key)
{
    const char *text = json_string_value(json_object_get(message, key));
    ck_assert_msg(text != NULL, "%s: no such text", key);
    return text;
}

/* ---- sending */

START_TEST(a_message_arrives_with_all_its_headers)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    struct channel_intent intent = intent_of(1);
    intent.subject = span_of_text("Thank you");
    intent.text = span_of_text("Dear Anna,\n\n.\n..dots\nGr\xc3\xbc\xc3\x9f"
                               "e\n");
    channel_send(fixture.channel, &intent);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    well_expect(&fixture);

    json_t *messages = kept(&fixture);
    ck_assert_uint_eq(json_array_size(messages), 1);
    const json_t *message = json_array_get(messages, 0);
    ck_assert_str_eq(text_of(message, "from"), "care@operator.example");
    const json_t *to = json_object_get(message, "to");
    ck_assert_uint_eq(json_array_size(to), 1);
    ck_assert_str_eq(json_string_value(json_array_get(to, 0)), "anna@mail.example");
    ck_assert_str_eq(text_of(message, "text"), "Dear Anna,\n\n.\n..dots\nGr\xc3\xbc\xc3\x9f"
                                               "e\n");
    static const char *const headers[][2] = {
        { "Subject", "Thank you" },
        { "From", "care@operator.example" },
        { "To", "anna@mail.example" },
        { "Date", "Thu, 01 Jan 1998 00:00:00 +0000" },
        { "Message-ID", "<d1000000000000000000000000000001@operator.example>" },
        { "X-Kith-Dispatch", "d1000000000000000000000000000001" },
        { "MIME-Version", "1.0" },
        { "Content-Type", "text/plain; charset=\"utf-8\"" },
        { "Content-Transfer-Encoding", "base64" },
    };
    const json_t *found = json_object_get(message, "headers");
    ck_assert_uint_eq(json_object_size(found), sizeof headers / sizeof headers[0]);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        ck_assert_str_eq(text_of(found, headers[i][0]), headers[i][1]);
    }
    json_decref(messages);
    fixture_end(&fixture, &server);
}
END_TEST

#define TEN "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x8e\x81"

static const char *const subjects[] = {
    "plain",
    "Gr\xc3\xbc\xc3\x9f"
    "e",
    "=?UTF-8?B?eA==?=",
    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN,
    "a" TEN TEN TEN TEN TEN TEN TEN TEN,
    "ab" TEN TEN TEN TEN TEN TEN TEN TEN,
    "A subject that is plain and far too long to stand on one line beside its name, as some are",
};

static void lines_check(const char *raw)
{
    for (const char *line = raw; line[0] != '\0';) {
        size_t size = strcspn(line, "\r\n");
        ck_assert_uint_le(size, 78 + strlen("Subject: "));
        line += size + strspn(line + size, "\r\n");
    }
}

START_TEST(a_subject_arrives_as_it_was_and_its_lines_are_short)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        struct channel_intent intent = intent_of((uint8_t)i);
        intent.subject = span_of_text(subjects[i]);
        channel_send(fixture.channel, &intent);
    }
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        outcome_expect(&fixture, (uint8_t)i, CHANNEL_SENT, "");
    }
    json_t *messages = kept(&fixture);
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        const json_t *message = json_array_get(messages, i);
        ck_assert_str_eq(text_of(json_object_get(message, "headers"), "Subject"), subjects[i]);
        lines_check(text_of(message, "raw"));
    }
    json_decref(messages);
    fixture_end(&fixture, &server);
}
END_TEST

START_TEST(messages_arrive_in_their_order_by_one_connection)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        message_send(&fixture, i);
    }
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        outcome_expect(&fixture, i, CHANNEL_SENT, "");
    }
    json_t *messages = kept(&fixture);
    ck_assert_uint_eq(json_array_size(messages), CAMPAIGNS_IN_FLIGHT_MAX);
    json_t *peer = json_object_get(json_array_get(messages, 0), "peer");
    for (size_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        char dispatch[40] = { 0 };
        const json_t *message = json_array_get(messages, i);
        (void)snprintf(dispatch, sizeof dispatch, "d1000000000000000000000000%06zx", i);
        ck_assert_str_eq(text_of(json_object_get(message, "headers"), "X-Kith-Dispatch"), dispatch);
        ck_assert_int_eq(json_equal(json_object_get(message, "peer"), peer), 1);
    }
    json_decref(messages);
    fixture_end(&fixture, &server);
}
END_TEST

/* ---- what can never be sent */

struct impossible {
    const char *address;
    const char *subject;
    const char *why;
};

static const struct impossible impossibles[] = {
    { "", "", "the address is no single e-mail address" },
    { "anna", "", "the address is no single e-mail address" },
    { "a@b.example,c@d.example", "", "the address is no single e-mail address" },
    { "a@b.example> SIZE=1", "", "the address is no single e-mail address" },
    { "a@b.example\r\nRCPT TO:<c@d.example>", "", "the address is no single e-mail address" },
    { "Anna <a@b.example>", "", "the address is no single e-mail address" },
    { "a@b.example", "x\r\nBcc: c@d.example",
      "the subject holds a control character or is not "
      "UTF-8" },
    { "a@b.example", "\xff", "the subject holds a control character or is not UTF-8" },
};

START_TEST(nothing_that_could_smuggle_a_header_or_an_address_is_sent)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    for (size_t i = 0; i < COUNT_OF(impossibles); i++) {
        struct channel_intent intent = intent_of((uint8_t)i);
        intent.address = span_of_text(impossibles[i].address);
        intent.subject = span_of_text(impossibles[i].subject);
        channel_send(fixture.channel, &intent);
    }
    message_send(&fixture, 99);
    for (size_t i = 0; i < COUNT_OF(impossibles); i++) {
        outcome_expect(&fixture, (uint8_t)i, CHANNEL_REFUSED, impossibles[i].why);
    }
    outcome_expect(&fixture, 99, CHANNEL_SENT, "");
    kept_expect(&fixture, 1);
    fixture_end(&fixture, &server);
}
END_TEST

START_TEST(a_message_longer_than_an_e_mail_may_be_is_refused)
{
    static char text[CHANNEL_MAIL_BYTES];
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    struct channel_intent intent = intent_of(1);
    intent.text = span_of(text, sizeof text);
    channel_send(fixture.channel, &intent);
    outcome_expect(&fixture, 1, CHANNEL_REFUSED, "the message is too long for an e-mail");
    fixture_end(&fixture, &server);
}
END_TEST

/* ---- servers that say no, later, or nothing */

struct settled {
    const char *behaviour;
    enum channel_result result;
    const char *detail;
    size_t kept; /* with the one that follows */
};

#define HUNG_UP "the server had the message and hung up without an answer"

static const struct settled settled_rows[] = {
    { "554-data", CHANNEL_REFUSED, "the server refused it: 554 5.5.1", 1 },
    { "554-final", CHANNEL_REFUSED, "the server refused it: 554 5.6.0", 1 },
    { "drop", CHANNEL_UNKNOWN, HUNG_UP, 1 },
    { "keep-drop", CHANNEL_UNKNOWN, HUNG_UP, 2 },
    { "keep-hang", CHANNEL_UNKNOWN, "the server had the message and did not answer in time", 2 },
};

START_TEST(what_the_server_did_settles_the_message_and_the_next_is_sent)
{
    const struct settled *row = &settled_rows[_i];
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, row->behaviour);
    channel_close(&fixture.channel);
    fixture.timing.attempt_most_ms = strcmp(row->behaviour, "keep-hang") == 0 ? 700 : ANSWER_MS;
    fixture_open(&fixture);
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, row->result, row->detail);
    file_write(&fixture, "behave", "ok");
    message_send(&fixture, 2);
    /* Not certain of a loaded machine: a time-out meanwhile is tried again. */
    struct channel_outcome outcome = outcome_wait(&fixture);
    ck_assert(hash128_equal(outcome.dispatch, dispatch_of(2)));
    ck_assert_int_eq(outcome.result, CHANNEL_SENT);
    kept_expect(&fixture, row->kept);
    fixture_end(&fixture, &server);
}
END_TEST

START_TEST(a_time_out_also_ends_what_hangs_on_a_connection_in_use)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    channel_close(&fixture.channel);
    fixture.timing.attempt_most_ms = 2000;
    fixture_open(&fixture);
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    file_write(&fixture, "behave", "keep-hang");
    int64_t begin_ms = now_ms();
    message_send(&fixture, 2);
    outcome_expect(&fixture, 2, CHANNEL_UNKNOWN,
                   "the server had the message and did not answer in time");
    ck_assert_int_lt(now_ms() - begin_ms, ANSWER_MS / 2);
    kept_expect(&fixture, 2);
    fixture_end(&fixture, &server);
}
END_TEST

START_TEST(an_address_that_the_server_refuses_is_not_repeated_in_the_detail)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    struct channel_intent intent = intent_of(1);
    intent.address = span_of_text("nobody@mail.example");
    channel_send(fixture.channel, &intent);
    message_send(&fixture, 2);
    outcome_expect(&fixture, 1, CHANNEL_REFUSED, "the server refused it: 550 5.1.1");
    outcome_expect(&fixture, 2, CHANNEL_SENT, "");
    kept_expect(&fixture, 1);
    fixture_end(&fixture, &server);
}
END_TEST

struct put_off {
    const char *behaviour;
    const char *why;
};

static const struct put_off put_offs[] = {
    { "450-rcpt", "the server puts it off: 450 4.2.1" },
    { "451-data", "the server puts it off: 451 4.7.1" },
    { "451-final", "the server puts it off: 451 4.3.0" },
};

/* Outcomes of messages 1 to `count`, in any order: they are sent. */
static void all_sent_expect(struct fixture *fixture, uint8_t count)
{
    bool is_there[UINT8_MAX + 1] = { false };
    for (uint8_t i = 0; i < count; i++) {
        struct channel_outcome outcome = outcome_wait(fixture);
        uint8_t number = outcome.dispatch.bytes[15];
        ck_assert_msg(outcome.result == CHANNEL_SENT, "%u: %s", number, outcome.detail);
        ck_assert(number >= 1 && number <= count && !is_there[number]);
        is_there[number] = true;
    }
}

static void busy_send(struct fixture *fixture, uint8_t number)
{
    struct channel_intent intent = intent_of(number);
    intent.address = span_of_text("busy@mail.example");
    channel_send(fixture->channel, &intent);
}

START_TEST(what_is_put_off_is_sent_once_when_the_server_takes_it)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, put_offs[_i].behaviour);
    message_send(&fixture, 1);
    message_send(&fixture, 2);
    stuck_wait(&fixture, put_offs[_i].why);
    no_outcome_expect(&fixture);
    file_write(&fixture, "behave", "ok");
    all_sent_expect(&fixture, 2);
    well_expect(&fixture);
    kept_expect(&fixture, 2);
    fixture_end(&fixture, &server);
}
END_TEST

START_TEST(who_is_put_off_holds_up_nobody_else)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    channel_close(&fixture.channel);
    fixture.timing.put_off_first_ms = ANSWER_MS;
    fixture_open(&fixture);
    busy_send(&fixture, 1);
    for (uint8_t i = 2; i <= 5; i++) {
        message_send(&fixture, i);
        outcome_expect(&fixture, i, CHANNEL_SENT, "");
    }
    stuck_wait(&fixture, "the server puts it off: 450 4.1.2");
    message_send(&fixture, 6);
    outcome_expect(&fixture, 6, CHANNEL_SENT, "");
    no_outcome_expect(&fixture);
    kept_expect(&fixture, 5);
    int64_t begin_ms = now_ms();
    fixture_end(&fixture, &server);
    ck_assert_int_lt(now_ms() - begin_ms, ANSWER_MS / 2);
}
END_TEST

START_TEST(who_is_put_off_too_often_is_refused_and_the_others_are_sent)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    channel_close(&fixture.channel);
    fixture.timing.put_off_most = 4;
    fixture_open(&fixture);
    busy_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_REFUSED, "put off too often: 450 4.1.2");
    ck_assert_uint_eq(strlen(file_read(&fixture, "tries")), 4);
    well_expect(&fixture);
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        busy_send(&fixture, i);
    }
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        struct channel_outcome outcome = outcome_wait(&fixture);
        ck_assert_int_eq(outcome.result, CHANNEL_REFUSED);
    }
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    kept_expect(&fixture, 1);
    fixture_end(&fixture, &server);
}
END_TEST

static const struct put_off stops[] = {
    { "421-mail", "the server puts us off: 421 4.3.2" },
    { "451-mail", "the server puts us off: 451 4.3.1" },
    { "550-mail", "the server refuses us: 550 5.7.1" },
    { "530-mail", "the server refuses us: 530 5.7.0" },
    { "421-rcpt", "the server puts us off: 421 4.3.2" },
    { "530-rcpt", "the server refuses us: 530 5.7.0" },
};

START_TEST(what_is_not_about_the_message_is_never_its_end)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, stops[_i].behaviour);
    channel_close(&fixture.channel);
    fixture.timing.put_off_most = 2;
    fixture_open(&fixture);
    message_send(&fixture, 1);
    message_send(&fixture, 2);
    stuck_wait(&fixture, stops[_i].why);
    int64_t end_ms = now_ms() + ANSWER_MS;
    while (strlen(file_read(&fixture, "tries")) < 8) {
        ck_assert_msg(now_ms() < end_ms, "not tried in time");
        (void)poll(NULL, 0, POLL_MS);
    }
    no_outcome_expect(&fixture);
    file_write(&fixture, "behave", "ok");
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    outcome_expect(&fixture, 2, CHANNEL_SENT, "");
    kept_expect(&fixture, 2);
    fixture_end(&fixture, &server);
}
END_TEST

START_TEST(a_server_that_comes_and_goes_gets_each_message_once)
{
    struct fixture fixture;
    struct server server;
    char port[sizeof server.port] = { 0 };
    fixture_serve(&fixture, &server, "ok");
    memcpy(port, server.port, sizeof port);
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    server_stop(&server);
    message_send(&fixture, 2);
    stuck_wait(&fixture, "");
    server_start(&server, &fixture, port);
    outcome_expect(&fixture, 2, CHANNEL_SENT, "");
    message_send(&fixture, 3);
    outcome_expect(&fixture, 3, CHANNEL_SENT, "");
    well_expect(&fixture);
    kept_expect(&fixture, 3);
    fixture_end(&fixture, &server);
}
END_TEST

/* ---- starting again, and ending */

START_TEST(what_stood_open_is_unknown_at_once_without_a_server)
{
    struct fixture fixture;
    fixture_init(&fixture, CAMPAIGN_CHANNEL_SMTP);
    fixture_point(&fixture, "1");
    fixture.rule.in_flight_max = 1;
    fixture_open(&fixture);
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        message_recover(&fixture, i);
    }
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        outcome_expect(&fixture, i, CHANNEL_UNKNOWN, "the service ended while it was being sent");
    }
    well_expect(&fixture);
    fixture_release(&fixture);
}
END_TEST

START_TEST(closing_does_not_wait_for_a_server_that_is_not_there)
{
    struct fixture fixture;
    fixture_init(&fixture, CAMPAIGN_CHANNEL_SMTP);
    fixture_point(&fixture, "1");
    fixture.timing.delay_first_ms = ANSWER_MS;
    fixture.timing.delay_most_ms = ANSWER_MS;
    fixture_open(&fixture);
    message_send(&fixture, 1);
    stuck_wait(&fixture, "onnect");
    int64_t begin_ms = now_ms();
    channel_close(&fixture.channel);
    ck_assert_int_lt(now_ms() - begin_ms, ANSWER_MS / 2);
    fixture_release(&fixture);
}
END_TEST

START_TEST(closing_gives_up_what_a_silent_server_has_not_asked_for)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "ok");
    fixture.timing.attempt_most_ms = ANSWER_MS;
    channel_close(&fixture.channel);
    fixture_open(&fixture);
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    /* A stopped server takes bytes and says nothing, neither to MAIL nor to QUIT. */
    ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
    int64_t begin_ms = now_ms();
    message_send(&fixture, 2);
    channel_close(&fixture.channel);
    ck_assert_int_lt(now_ms() - begin_ms, ANSWER_MS / 2);
    begin_ms = now_ms();
    ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
    fixture_open(&fixture);
    message_send(&fixture, 3);
    outcome_expect(&fixture, 3, CHANNEL_SENT, "");
    ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
    channel_close(&fixture.channel);
    ck_assert_int_lt(now_ms() - begin_ms, ANSWER_MS / 2);
    ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
    kept_expect(&fixture, 2);
    server_stop(&server);
    fixture_release(&fixture);
}
END_TEST

START_TEST(closing_waits_for_a_message_that_the_server_has_and_begins_no_other)
{
    struct fixture fixture;
    struct server server;
    fixture_serve(&fixture, &server, "delay 1500");
    message_send(&fixture, 1);
    message_send(&fixture, 2);
    kept_wait(&fixture, 1);
    int64_t begin_ms = now_ms();
    channel_close(&fixture.channel);
    ck_assert_int_gt(now_ms() - begin_ms, 100);
    kept_expect(&fixture, 1);
    server_stop(&server);
    fixture_release(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel_smtp");
    TCase *tests = tcase_create("channel_smtp");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, a_message_arrives_with_all_its_headers);
    tcase_add_test(tests, a_subject_arrives_as_it_was_and_its_lines_are_short);
    tcase_add_test(tests, messages_arrive_in_their_order_by_one_connection);
    tcase_add_test(tests, nothing_that_could_smuggle_a_header_or_an_address_is_sent);
    tcase_add_test(tests, a_message_longer_than_an_e_mail_may_be_is_refused);
    tcase_add_loop_test(tests, what_the_server_did_settles_the_message_and_the_next_is_sent, 0,
                        (int)COUNT_OF(settled_rows));
    tcase_add_test(tests, a_time_out_also_ends_what_hangs_on_a_connection_in_use);
    tcase_add_test(tests, an_address_that_the_server_refuses_is_not_repeated_in_the_detail);
    tcase_add_loop_test(tests, what_is_put_off_is_sent_once_when_the_server_takes_it, 0,
                        (int)COUNT_OF(put_offs));
    tcase_add_test(tests, who_is_put_off_holds_up_nobody_else);
    tcase_add_test(tests, who_is_put_off_too_often_is_refused_and_the_others_are_sent);
    tcase_add_loop_test(tests, what_is_not_about_the_message_is_never_its_end, 0,
                        (int)COUNT_OF(stops));
    tcase_add_test(tests, a_server_that_comes_and_goes_gets_each_message_once);
    tcase_add_test(tests, what_stood_open_is_unknown_at_once_without_a_server);
    tcase_add_test(tests, closing_does_not_wait_for_a_server_that_is_not_there);
    tcase_add_test(tests, closing_gives_up_what_a_silent_server_has_not_asked_for);
    tcase_add_test(tests, closing_waits_for_a_message_that_the_server_has_and_begins_no_other);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
