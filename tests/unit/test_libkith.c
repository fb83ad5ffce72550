/* link: kith_client libzmq */
#include "kith/v1/wire.pb-c.h"
#include "tests/unit/libkith_fixture.h"

#define SHORT_MS 300
#define LONG_MS 20000

static struct kith_connection *connect_to(const struct server *server)
{
    struct kith_connection *connection = NULL;
    ck_assert_int_eq(kith_open(&connection, server->endpoint, NULL), KITH_OK);
    return connection;
}

/* ---- asking */

static void echo(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        server_answer(server, &request, (struct bytes){ request.body, request.body_bytes });
        request_release(&request);
    }
}

START_TEST(a_question_is_answered_with_its_body)
{
    struct server server;
    server_prepare(&server);
    server_begin(&server, echo, NULL);
    struct kith_connection *connection = connect_to(&server);
    struct kith_request request = { .method = "test.Ask", .body = "what", .body_bytes = 4 };
    for (int i = 0; i < 2000; i++) { /* faster than ZeroMQ tells of room in its queue */
        struct kith_reply *reply = NULL;
        size_t size = 0;
        ck_assert_int_eq(kith_call(connection, &request, &reply, NULL), KITH_OK);
        ck_assert_int_eq(kith_reply_status(reply), KITH_OK);
        ck_assert_mem_eq(kith_reply_body(reply, &size), "what", 4);
        ck_assert_uint_eq(size, 4);
        ck_assert_str_eq(kith_reply_message(reply), "");
        ck_assert_uint_eq(kith_reply_violation_count(reply), 0);
        kith_reply_close(&reply);
        ck_assert_ptr_null(reply);
    }
    kith_close(&connection);
    ck_assert_ptr_null(connection);
    server_clear(&server);
}
END_TEST

/* Answers only what is as it should be. */
static void header_judge(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        const Kith__V1__RequestHeader *header = request.header;
        bool is_question = header->version == 1 && header->request_id > 0 &&
                           strcmp(header->method, "test.Ask") == 0 && header->key == NULL &&
                           !header->has_issued_at_ms && header->timeout_ms > 0 &&
                           header->timeout_ms <= 5000 && header->base.n_unknown_fields == 0;
        server_refuse(server, &request, is_question ? KITH_NOT_FOUND : KITH_INTERNAL, 0);
        request_release(&request);
    }
}

START_TEST(a_question_has_no_key_and_tells_how_long_it_waits)
{
    struct server server;
    server_prepare(&server);
    server_begin(&server, header_judge, NULL);
    struct kith_connection *connection = connect_to(&server);
    kith_timeout_set(connection, 5000);
    struct kith_request request = { .method = "test.Ask" };
    ck_assert_int_eq(kith_call(connection, &request, NULL, NULL), KITH_NOT_FOUND);
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

/* ---- asking again */

/* What the script does with the first requests; the next is answered. */
struct trouble {
    enum kith_status code; /* KITH_OK: says nothing at all */
    uint32_t retry_after_ms;
    unsigned times;
    bool is_same; /* each attempt had the key, issued_at and body of the first */
    uint64_t ids_sum;
};

static void troubled(struct server *server)
{
    struct trouble *trouble = server->argument;
    struct request request;
    trouble->is_same = true;
    for (unsigned i = 0; server_take(server, &request); i++) {
        trouble->is_same = trouble->is_same && request.header->key != NULL &&
                           strcmp(request.header->key, "key-1") == 0 &&
                           request.header->issued_at_ms == 1234567 && request.body_bytes == 4 &&
                           memcmp(request.body, "body", 4) == 0;
        trouble->ids_sum += request.header->request_id;
        if (i >= trouble->times) {
            server_answer(server, &request, (struct bytes){ "done", 4 });
        } else if (trouble->code != KITH_OK) {
            server_refuse(server, &request, trouble->code, trouble->retry_after_ms);
        }
        request_release(&request);
    }
}

static enum kith_status command_send(const struct server *server, int64_t attempt_ms,
                                     struct kith_error *error)
{
    struct kith_connection *connection = connect_to(server);
    struct kith_key key = { .text = "key-1", .issued_at_ms = 1234567 };
    struct kith_request request = {
        .method = "test.Do",
        .key = &key,
        .body = "body",
        .body_bytes = 4,
        .timeout_ms = LONG_MS,
        .attempt_ms = attempt_ms,
    };
    struct kith_reply *reply = NULL;
    enum kith_status status = kith_call(connection, &request, &reply, error);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(kith_reply_status(reply), status);
    kith_reply_close(&reply);
    kith_close(&connection);
    return status;
}

static void command_is_sent_again(enum kith_status code, uint32_t retry_after_ms)
{
    struct server server;
    struct trouble trouble = { .code = code, .retry_after_ms = retry_after_ms, .times = 3 };
    server_prepare(&server);
    server_begin(&server, troubled, &trouble);
    /* An attempt that is answered must not end before, however busy the machine is. */
    ck_assert_int_eq(command_send(&server, code == KITH_OK ? 100 : LONG_MS, NULL), KITH_OK);
    server_clear(&server);
    ck_assert(trouble.is_same);
    if (code != KITH_OK) {
        ck_assert_uint_eq(atomic_load(&server.taken), 4);
        ck_assert_uint_eq(trouble.ids_sum, 1 + 2 + 3 + 4);
    }
}

START_TEST(a_command_is_sent_again_with_the_same_key_until_its_outcome_is_known)
{
    command_is_sent_again(KITH_UNAVAILABLE, 0);
    command_is_sent_again(KITH_DEADLINE_EXCEEDED, 0);
    command_is_sent_again(KITH_UNAVAILABLE, 20);
    command_is_sent_again(KITH_RESOURCE_EXHAUSTED, 20);
    command_is_sent_again(KITH_OK, 0); /* silence */
}
END_TEST

START_TEST(what_the_service_has_decided_is_not_asked_again)
{
    static const enum kith_status codes[] = {
        KITH_INVALID_ARGUMENT,  KITH_NOT_FOUND,     KITH_ALREADY_EXISTS,
        KITH_PERMISSION_DENIED, KITH_ABORTED,       KITH_RESOURCE_EXHAUSTED,
        KITH_OUT_OF_RANGE,      KITH_UNIMPLEMENTED, KITH_FAILED_PRECONDITION,
        KITH_INTERNAL,          KITH_DATA_LOSS,     KITH_UNAUTHENTICATED,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct server server;
        struct kith_error error;
        struct trouble trouble = { .code = codes[i], .times = 1 };
        server_prepare(&server);
        server_begin(&server, troubled, &trouble);
        ck_assert_int_eq(command_send(&server, 0, &error), codes[i]);
        ck_assert_int_eq(error.status, codes[i]);
        ck_assert_str_eq(error.text, "it says no");
        server_clear(&server);
        ck_assert_uint_eq(atomic_load(&server.taken), 1);
    }
}
END_TEST

START_TEST(a_wait_that_would_outlast_the_call_is_left_to_the_caller)
{
    struct server server;
    struct kith_error error;
    struct trouble trouble = { .code = KITH_RESOURCE_EXHAUSTED,
                               .retry_after_ms = 2 * LONG_MS,
                               .times = 1 };
    server_prepare(&server);
    server_begin(&server, troubled, &trouble);
    ck_assert_int_eq(command_send(&server, 0, &error), KITH_RESOURCE_EXHAUSTED);
    ck_assert_uint_eq(error.retry_after_ms, 2 * LONG_MS);
    server_clear(&server);
}
END_TEST

START_TEST(nobody_there_is_told_in_time)
{
    struct server server;
    struct kith_error error;
    server_prepare(&server);
    struct kith_connection *connection = connect_to(&server);
    struct kith_key key;
    kith_key_make(&key);
    struct kith_request request = { .method = "test.Do", .key = &key, .timeout_ms = SHORT_MS };
    struct kith_reply *reply = NULL;
    int64_t before_ms = now_ms();
    ck_assert_int_eq(kith_call(connection, &request, &reply, &error), KITH_UNAVAILABLE);
    ck_assert_int_ge(now_ms() - before_ms, SHORT_MS);
    ck_assert_int_lt(now_ms() - before_ms, LONG_MS);
    ck_assert_ptr_null(reply);
    ck_assert_ptr_nonnull(strstr(error.text, server.endpoint));
    ck_assert_ptr_nonnull(strstr(error.text, "the same key"));
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

START_TEST(a_service_that_comes_back_is_found_again)
{
    struct server server;
    server_prepare(&server);
    struct kith_connection *connection = connect_to(&server);
    struct kith_request request = { .method = "test.Ask",
                                    .timeout_ms = LONG_MS,
                                    .attempt_ms = SHORT_MS };
    for (int i = 0; i < 3; i++) {
        server_begin(&server, echo, NULL);
        ck_assert_int_eq(kith_call(connection, &request, NULL, NULL), KITH_OK);
        server_end(&server);
    }
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

/* ---- what is refused before anything is sent */

static void is_refused_here(struct kith_connection *connection, const struct kith_request *request,
                            const char *words)
{
    struct kith_error error;
    struct kith_reply *reply = NULL;
    ck_assert_int_eq(kith_call(connection, request, &reply, &error), KITH_INVALID_ARGUMENT);
    ck_assert_ptr_null(reply);
    ck_assert_msg(strstr(error.text, words) != NULL, "'%s' lacks '%s'", error.text, words);
}

START_TEST(a_body_at_the_bound_is_sent_and_one_byte_more_is_not)
{
    struct server server;
    server_prepare(&server);
    server_begin(&server, echo, NULL);
    struct kith_connection *connection = connect_to(&server);
    uint8_t *body = calloc(1, KITH_BODY_BYTES + 1);
    struct kith_request request = { .method = "test.Ask",
                                    .body = body,
                                    .body_bytes = KITH_BODY_BYTES };
    ck_assert_int_eq(kith_call(connection, &request, NULL, NULL), KITH_OK);
    request.body_bytes += 1;
    is_refused_here(connection, &request, "1048577 bytes, and at most 1048576");
    ck_assert_uint_eq(atomic_load(&server.taken), 1);
    free(body);
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

START_TEST(methods_keys_and_times_out_of_bounds_are_refused_here)
{
    struct server server;
    server_prepare(&server);
    struct kith_connection *connection = connect_to(&server);
    char method[65] = "";
    memset(method, 'm', 64);
    is_refused_here(connection, &(struct kith_request){ .method = NULL }, "method");
    is_refused_here(connection, &(struct kith_request){ .method = "" }, "method");
    is_refused_here(connection, &(struct kith_request){ .method = "a b" }, "method");
    is_refused_here(connection, &(struct kith_request){ .method = method }, "method");
    is_refused_here(connection, &(struct kith_request){ .method = "a", .body_bytes = 1 },
                    "missing");
    is_refused_here(connection, &(struct kith_request){ .method = "a", .timeout_ms = -1 }, "0 to");
    is_refused_here(connection,
                    &(struct kith_request){ .method = "a", .timeout_ms = KITH_TIMEOUT_MS_MAX + 1 },
                    "0 to");
    is_refused_here(connection, &(struct kith_request){ .method = "a", .attempt_ms = -1 }, "0 to");

    static const char *const keys[] = {
        "", "a\nb", "\xff", "\xc2\x80", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "\xe2\x82"
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct kith_key key = { .issued_at_ms = 1 };
        (void)snprintf(key.text, sizeof key.text, "%s", keys[i]);
        is_refused_here(connection, &(struct kith_request){ .method = "a", .key = &key },
                        "the key");
    }
    struct kith_key endless = { .issued_at_ms = 1 };
    memset(endless.text, 'k', sizeof endless.text);
    is_refused_here(connection, &(struct kith_request){ .method = "a", .key = &endless },
                    "the key");
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

START_TEST(endpoints_that_lead_to_no_service_are_refused)
{
    static const char *const endpoints[] = { "",
                                             "inproc://a",
                                             "ipc://@abstract",
                                             "ipc://relative",
                                             "udp://127.0.0.1:1",
                                             "tcp://nonsense",
                                             "/tmp/a" };
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        struct kith_connection *connection = NULL;
        struct kith_error error;
        ck_assert_int_eq(kith_open(&connection, endpoints[i], &error), KITH_INVALID_ARGUMENT);
        ck_assert_ptr_null(connection);
        ck_assert_ptr_nonnull(strstr(error.text, endpoints[i]));
    }
    struct kith_connection *connection = NULL;
    struct kith_error error;
    char path[128] = "ipc:///";
    memset(path + 7, 'a', 107);
    ck_assert_int_eq(kith_open(&connection, path, &error), KITH_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.text, "108 bytes, and at most 107"));
    ck_assert_int_eq(kith_open(&connection, NULL, NULL), KITH_INVALID_ARGUMENT);
}
END_TEST

START_TEST(keys_are_made_anew_each_time)
{
    struct kith_key first;
    struct kith_key second;
    kith_key_make(&first);
    kith_key_make(&second);
    ck_assert_uint_eq(strlen(first.text), 32);
    ck_assert_uint_eq(strlen(second.text), 32);
    ck_assert_str_ne(first.text, second.text);
    ck_assert_int_gt(first.issued_at_ms, INT64_C(1700000000000));
}
END_TEST

START_TEST(each_status_has_its_name)
{
    ck_assert_str_eq(kith_status_name(KITH_OK), "OK");
    ck_assert_str_eq(kith_status_name(KITH_DATA_LOSS), "DATA_LOSS");
    ck_assert_str_eq(kith_status_name(KITH_UNAUTHENTICATED), "UNAUTHENTICATED");
    ck_assert_str_eq(kith_status_name((enum kith_status)1), "UNKNOWN");
    ck_assert_str_eq(kith_status_name((enum kith_status)99), "UNKNOWN");
    ck_assert_str_ne(kith_version(), "");
}
END_TEST

/* ---- words of a service */

static void violations_tell(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        char message[] = "wrong\n\033[31mred \xff end";
        char field[] = "points";
        char rule[] = "must be more than 0";
        char mend[] = "give\tpoints";
        Kith__V1__Violation whole = KITH__V1__VIOLATION__INIT;
        Kith__V1__Violation empty = KITH__V1__VIOLATION__INIT;
        Kith__V1__Violation *list[] = { &whole, &empty };
        Kith__V1__ReplyHeader header = KITH__V1__REPLY_HEADER__INIT;
        whole.field = field;
        whole.rule = rule;
        whole.mend = mend;
        header.has_request_id = true;
        header.request_id = request.header->request_id;
        header.has_code = true;
        header.code = request.body_bytes > 0 ? 4711 : KITH_INVALID_ARGUMENT;
        header.message = message;
        header.violations = list;
        header.n_violations = 2;
        server_send(server, &request, &header, (struct bytes){ "", 0 });
        request_release(&request);
    }
}

START_TEST(violations_are_told_and_no_text_harms_a_terminal)
{
    struct server server;
    struct kith_error error;
    struct kith_reply *reply = NULL;
    size_t size = 1;
    server_prepare(&server);
    server_begin(&server, violations_tell, NULL);
    struct kith_connection *connection = connect_to(&server);
    struct kith_request request = { .method = "test.Do" };
    ck_assert_int_eq(kith_call(connection, &request, &reply, &error), KITH_INVALID_ARGUMENT);
    ck_assert_str_eq(error.text, "wrong??[31mred ? end; points must be more than 0: give?points");
    ck_assert_uint_eq(kith_reply_violation_count(reply), 2);
    ck_assert_str_eq(kith_reply_violation(reply, 0).field, "points");
    ck_assert_str_eq(kith_reply_violation(reply, 1).mend, "");
    ck_assert_str_eq(kith_reply_violation(reply, 2).rule, "");
    ck_assert_ptr_nonnull(kith_reply_body(reply, &size));
    ck_assert_uint_eq(size, 0);
    kith_reply_close(&reply);

    request.body = "x";
    request.body_bytes = 1;
    ck_assert_int_eq(kith_call(connection, &request, NULL, &error), KITH_INTERNAL);
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

/* ---- hostile bytes */

static uint8_t zeros[3 * 1024 * 1024];

/* Sends all that is no reply, and then the reply. */
static void rubbish(struct server *server)
{
    static const uint8_t code_only[] = { 0x10, 0x00 };
    static const uint8_t id_only[] = { 0x08, 0x01 };
    static const uint8_t long_text[] = { 0x08, 0x01, 0x10, 0x00, 0x1a, 0xff, 0xff, 0xff, 0x7f };
    static const uint8_t endless_number[] = { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff,
                                              0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t other_kinds[] = { 0x0a, 0x01, 0x00, 0x12, 0x00 };
    const struct bytes empty = { "", 0 };
    const struct bytes headers[] = {
        { "", 0 },
        { code_only, sizeof code_only },
        { id_only, sizeof id_only },
        { long_text, sizeof long_text },
        { endless_number, sizeof endless_number },
        { other_kinds, sizeof other_kinds },
        { zeros, 4097 },
        { zeros, 64 },
    };
    struct request request;
    while (server_take(server, &request)) {
        for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
            const struct bytes frames[] = { headers[i], empty };
            server_send_raw(server, &request, frames, 2);
        }
        const struct bytes many[] = { empty, empty, empty, { zeros, 1000 } };
        server_send_raw(server, &request, many, 1);
        server_send_raw(server, &request, many, 3);
        server_send_raw(server, &request, many, 4);
        server_answer(server, &request, (struct bytes){ zeros, 1900 * 1000 });
        request_release(&request);
    }
}

START_TEST(what_is_no_reply_is_dropped)
{
    struct server server;
    struct kith_reply *reply = NULL;
    size_t size = 0;
    server_prepare(&server);
    server_begin(&server, rubbish, NULL);
    struct kith_connection *connection = connect_to(&server);
    struct kith_request request = { .method = "test.Ask", .timeout_ms = LONG_MS };
    ck_assert_int_eq(kith_call(connection, &request, &reply, NULL), KITH_OK);
    (void)kith_reply_body(reply, &size);
    ck_assert_uint_eq(size, 1900 * 1000);
    kith_reply_close(&reply);
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

static void nothing_but_rubbish(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        const struct bytes frames[] = { { "\xff\xff", 2 }, { "", 0 } };
        for (int i = 0; i < 20; i++) {
            server_send_raw(server, &request, frames, 2);
        }
        request_release(&request);
    }
}

START_TEST(rubbish_instead_of_a_reply_is_told)
{
    struct server server;
    struct kith_error error;
    server_prepare(&server);
    server_begin(&server, nothing_but_rubbish, NULL);
    struct kith_connection *connection = connect_to(&server);
    struct kith_request request = { .method = "test.Ask", .timeout_ms = SHORT_MS };
    ck_assert_int_eq(kith_call(connection, &request, NULL, &error), KITH_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "that are no replies"));
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

/* Replies to other requests, without end. */
static void replies_to_nobody(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        uint64_t asked = request.header->request_id;
        for (uint64_t i = 0; i < 100; i++) {
            request.header->request_id = i < 50 ? 0 : asked + i;
            server_answer(server, &request, (struct bytes){ "no", 2 });
        }
        request.header->request_id = asked;
        server_refuse(server, &request, KITH_UNAVAILABLE, 10);
        request_release(&request);
    }
}

START_TEST(replies_to_other_requests_are_dropped)
{
    struct server server;
    server_prepare(&server);
    server_begin(&server, replies_to_nobody, NULL);
    struct kith_connection *connection = connect_to(&server);
    struct kith_request request = { .method = "test.Ask", .timeout_ms = SHORT_MS };
    ck_assert_int_eq(kith_call(connection, &request, NULL, NULL), KITH_UNAVAILABLE);
    ck_assert_uint_gt(atomic_load(&server.taken), 1);
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

/* A message that passes the bound, once; then replies as they should be. */
static void oversized_once(struct server *server)
{
    struct request request;
    for (unsigned i = 0; server_take(server, &request); i++) {
        server_answer(server, &request, (struct bytes){ zeros, i == 0 ? sizeof zeros : 3 });
        request_release(&request);
    }
}

START_TEST(a_message_beyond_the_bound_ends_the_connection_and_not_the_call)
{
    struct server server;
    struct kith_reply *reply = NULL;
    size_t size = 0;
    server_prepare(&server);
    server_begin(&server, oversized_once, NULL);
    struct kith_connection *connection = connect_to(&server);
    struct kith_request request = { .method = "test.Ask",
                                    .timeout_ms = LONG_MS,
                                    .attempt_ms = SHORT_MS };
    ck_assert_int_eq(kith_call(connection, &request, &reply, NULL), KITH_OK);
    (void)kith_reply_body(reply, &size);
    ck_assert_uint_eq(size, 3);
    kith_reply_close(&reply);
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

#define SPOILED_PER_REQUEST 200

/* Replies that were tampered with, and then one that says that they are over. */
static void spoiled(struct server *server)
{
    uint64_t seed = 7;
    struct request request;
    while (server_take(server, &request)) {
        char text[] = "a rule says no";
        Kith__V1__Violation violation = KITH__V1__VIOLATION__INIT;
        Kith__V1__Violation *list[] = { &violation, &violation };
        Kith__V1__ReplyHeader header = KITH__V1__REPLY_HEADER__INIT;
        violation.field = text;
        violation.mend = text;
        header.has_request_id = true;
        header.request_id = request.header->request_id + 1000000;
        header.has_code = true;
        header.message = text;
        header.violations = list;
        header.n_violations = 2;
        for (int i = 0; i < SPOILED_PER_REQUEST; i++) {
            uint8_t packed[256];
            size_t size = kith__v1__reply_header__pack(&header, packed);
            const struct bytes frames[] = { { packed, bytes_spoil(&seed, packed, size) },
                                            { text, 3 } };
            server_send_raw(server, &request, frames, 2);
        }
        server_answer(server, &request, (struct bytes){ "", 0 });
        request_release(&request);
    }
}

START_TEST(no_spoiled_reply_does_harm)
{
    struct server server;
    server_prepare(&server);
    server_begin(&server, spoiled, NULL);
    struct kith_connection *connection = connect_to(&server);
    struct kith_request request = { .method = "test.Ask", .timeout_ms = LONG_MS };
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(kith_call(connection, &request, NULL, NULL), KITH_OK);
    }
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libkith");
    TCase *asking = tcase_create("asking");
    tcase_set_timeout(asking, 60);
    tcase_add_test(asking, a_question_is_answered_with_its_body);
    tcase_add_test(asking, a_question_has_no_key_and_tells_how_long_it_waits);
    tcase_add_test(asking, a_command_is_sent_again_with_the_same_key_until_its_outcome_is_known);
    tcase_add_test(asking, what_the_service_has_decided_is_not_asked_again);
    tcase_add_test(asking, a_wait_that_would_outlast_the_call_is_left_to_the_caller);
    tcase_add_test(asking, nobody_there_is_told_in_time);
    tcase_add_test(asking, a_service_that_comes_back_is_found_again);
    tcase_add_test(asking, violations_are_told_and_no_text_harms_a_terminal);
    suite_add_tcase(suite, asking);
    TCase *bounds = tcase_create("bounds");
    tcase_set_timeout(bounds, 60);
    tcase_add_test(bounds, a_body_at_the_bound_is_sent_and_one_byte_more_is_not);
    tcase_add_test(bounds, methods_keys_and_times_out_of_bounds_are_refused_here);
    tcase_add_test(bounds, endpoints_that_lead_to_no_service_are_refused);
    tcase_add_test(bounds, keys_are_made_anew_each_time);
    tcase_add_test(bounds, each_status_has_its_name);
    suite_add_tcase(suite, bounds);
    TCase *hostile = tcase_create("hostile");
    tcase_set_timeout(hostile, 60);
    tcase_add_test(hostile, what_is_no_reply_is_dropped);
    tcase_add_test(hostile, rubbish_instead_of_a_reply_is_told);
    tcase_add_test(hostile, replies_to_other_requests_are_dropped);
    tcase_add_test(hostile, a_message_beyond_the_bound_ends_the_connection_and_not_the_call);
    tcase_add_test(hostile, no_spoiled_reply_does_harm);
    suite_add_tcase(suite, hostile);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
