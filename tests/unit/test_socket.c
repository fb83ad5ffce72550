/* link: common_wire */
#include "common/base/limits.h"
#include "common/wire/socket.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char folder[32];
    char endpoint[64];
    void *context;
};

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .folder = "/tmp/kith-socket-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
    (void)snprintf(fixture->endpoint, sizeof fixture->endpoint, "ipc://%s/s", fixture->folder);
    fixture->context = zmq_ctx_new();
    ck_assert_ptr_nonnull(fixture->context);
}

static void fixture_release(struct fixture *fixture)
{
    ck_assert_int_eq(zmq_ctx_term(fixture->context), 0);
    char path[64] = { 0 };
    (void)snprintf(path, sizeof path, "%s/s", fixture->folder);
    (void)unlink(path);
    ck_assert_int_eq(rmdir(fixture->folder), 0);
}

static int option_of(void *socket, int name)
{
    int value = -1;
    size_t size = sizeof value;
    ck_assert_int_eq(zmq_getsockopt(socket, name, &value, &size), 0);
    return value;
}

static void common_options_check(void *socket)
{
    int64_t message_bytes = 0;
    size_t size = sizeof message_bytes;
    ck_assert_int_eq(zmq_getsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes, &size), 0);
    ck_assert_int_eq(message_bytes, LIMIT_MESSAGE_BYTES);
    ck_assert_int_eq(option_of(socket, ZMQ_LINGER), 0);
    ck_assert_int_eq(option_of(socket, ZMQ_RCVHWM), 32);
    ck_assert_int_eq(option_of(socket, ZMQ_SNDBUF), 1 << 20);
    ck_assert_int_eq(option_of(socket, ZMQ_HANDSHAKE_IVL), 3000);
    ck_assert_int_eq(option_of(socket, ZMQ_HEARTBEAT_IVL), 2000);
    ck_assert_int_eq(option_of(socket, ZMQ_HEARTBEAT_TIMEOUT), 6000);
    ck_assert_int_eq(option_of(socket, ZMQ_HEARTBEAT_TTL), 6000);
}

START_TEST(a_server_has_the_options_of_the_design)
{
    struct fixture fixture;
    fixture_init(&fixture);
    void *socket = NULL;
    ck_assert_int_eq(socket_open(&socket, fixture.context, SOCKET_SERVER, fixture.endpoint, NULL),
                     STATUS_OK);
    common_options_check(socket);
    ck_assert_int_eq(option_of(socket, ZMQ_TYPE), ZMQ_ROUTER);
    ck_assert_int_eq(option_of(socket, ZMQ_SNDHWM), 2 * LIMIT_IN_FLIGHT);
    ck_assert_int_eq(option_of(socket, ZMQ_BACKLOG), 4096);
    socket_close(&socket);
    ck_assert_ptr_null(socket);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_reply_to_nobody_is_an_error)
{
    /* ZMQ_ROUTER_MANDATORY can be set and not read: what it does is looked at. */
    struct fixture fixture;
    fixture_init(&fixture);
    void *socket = NULL;
    ck_assert_int_eq(socket_open(&socket, fixture.context, SOCKET_SERVER, fixture.endpoint, NULL),
                     STATUS_OK);
    const struct span frames[] = { span_of_text("nobody"), span_of_text("hears") };
    ck_assert(!socket_send(socket, frames, 2));
    socket_close(&socket);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_caller_has_the_options_of_the_design)
{
    struct fixture fixture;
    fixture_init(&fixture);
    void *socket = NULL;
    ck_assert_int_eq(socket_open(&socket, fixture.context, SOCKET_CALLER, fixture.endpoint, NULL),
                     STATUS_OK);
    common_options_check(socket);
    ck_assert_int_eq(option_of(socket, ZMQ_TYPE), ZMQ_DEALER);
    ck_assert_int_eq(option_of(socket, ZMQ_SNDHWM), 8);
    ck_assert_int_eq(option_of(socket, ZMQ_IMMEDIATE), 0);
    ck_assert_int_eq(option_of(socket, ZMQ_RECONNECT_IVL), 50);
    ck_assert_int_eq(option_of(socket, ZMQ_RECONNECT_IVL_MAX), 500);
    socket_close(&socket);
    fixture_release(&fixture);
}
END_TEST

static const struct {
    const char *endpoint;
    const char *word; /* in the sentence */
} refused_rows[] = {
    { "tcp://127.0.0.1:7400", "CURVE" },
    { "tcp://*:*", "CURVE" },
    { "ipc://*", "ipc:///path" },
    { "ipc://@abstract", "ipc:///path" },
    { "ipc://relative/path", "ipc:///path" },
    { "ipc://", "ipc:///path" },
    { "inproc://x", "ipc:///path" },
    { "udp://127.0.0.1:1", "ipc:///path" },
    { "/tmp/x", "ipc:///path" },
    { "", "ipc:///path" },
};

START_TEST(endpoints_other_than_ipc_paths_are_refused_with_a_sentence)
{
    struct fixture fixture;
    fixture_init(&fixture);
    struct refusal refusal = { 0 };
    const char *endpoint = refused_rows[_i].endpoint;
    for (int kind = SOCKET_SERVER; kind <= SOCKET_CALLER; kind++) {
        void *socket = NULL;
        ck_assert_int_eq(socket_open(&socket, fixture.context,
                                     kind == SOCKET_SERVER ? SOCKET_SERVER : SOCKET_CALLER,
                                     endpoint, &refusal),
                         STATUS_REFUSED);
        ck_assert_ptr_null(socket);
        ck_assert_ptr_nonnull(strstr(refusal.message, refused_rows[_i].word));
        ck_assert_ptr_nonnull(strstr(refusal.message, endpoint));
    }
    fixture_release(&fixture);
}
END_TEST

START_TEST(paths_have_at_most_107_bytes)
{
    struct fixture fixture;
    fixture_init(&fixture);
    char endpoint[128] = { 0 };
    int size = snprintf(endpoint, sizeof endpoint, "ipc://%s/", fixture.folder);
    const size_t longest = strlen("ipc://") + 107;
    memset(endpoint + size, 'x', longest - (size_t)size);

    void *socket = NULL;
    ck_assert_int_eq(socket_open(&socket, fixture.context, SOCKET_SERVER, endpoint, NULL),
                     STATUS_OK);
    socket_close(&socket);

    endpoint[longest] = 'x';
    struct refusal refusal = { 0 };
    ck_assert_int_eq(socket_open(&socket, fixture.context, SOCKET_SERVER, endpoint, &refusal),
                     STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "107"));
    ck_assert_int_eq(zmq_ctx_term(fixture.context), 0); /* which also unlinks */
    endpoint[longest] = '\0';
    (void)unlink(endpoint + strlen("ipc://"));
    fixture.context = zmq_ctx_new();
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_a_fault_of_the_host)
{
    struct fixture fixture;
    fixture_init(&fixture);
    struct refusal refusal = { 0 };
    void *socket = NULL;
    char endpoint[64] = { 0 };
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/none/s", fixture.folder);
    ck_assert_int_eq(socket_open(&socket, fixture.context, SOCKET_SERVER, endpoint, &refusal),
                     STATUS_INTERNAL);
    ck_assert_ptr_null(socket);
    ck_assert_ptr_nonnull(strstr(refusal.message, "No such file"));
    /* A caller may be there first. */
    ck_assert_int_eq(socket_open(&socket, fixture.context, SOCKET_CALLER, endpoint, &refusal),
                     STATUS_OK);
    socket_close(&socket);
    fixture_release(&fixture);
}
END_TEST

START_TEST(closing_nothing_is_fine)
{
    void *socket = NULL;
    socket_close(&socket);
    ck_assert_ptr_null(socket);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("socket");
    TCase *tcase = tcase_create("socket");
    tcase_add_test(tcase, a_server_has_the_options_of_the_design);
    tcase_add_test(tcase, a_reply_to_nobody_is_an_error);
    tcase_add_test(tcase, a_caller_has_the_options_of_the_design);
    tcase_add_loop_test(tcase, endpoints_other_than_ipc_paths_are_refused_with_a_sentence, 0,
                        (int)(sizeof refused_rows / sizeof refused_rows[0]));
    tcase_add_test(tcase, paths_have_at_most_107_bytes);
    tcase_add_test(tcase, a_folder_that_is_not_there_is_a_fault_of_the_host);
    tcase_add_test(tcase, closing_nothing_is_fine);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
