/* link: kith_test_support common_service */
#include "common/service/admin.h"
#include "tests/unit/feeds_fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE_BYTES (256 * 1024)
/* Milliseconds that a loop may wait for the other side, all in all. */
#define PATIENCE_MS 5000

/* ---- a server, and who asks it */

struct served {
    struct admin *admin;
    const struct shell *shell; /* NULL: the texts below */
    const char *metrics;
    bool is_ready;
    unsigned asked; /* how often metrics were */
};

static void served_metrics(void *context, struct buffer *out)
{
    struct served *served = context;
    served->asked += 1;
    if (served->shell != NULL) {
        shell_metrics(served->shell, out);
    } else {
        ck_assert_int_eq(buffer_append(out, span_of_text(served->metrics)), STATUS_OK);
    }
}

static bool served_is_ready(void *context, char *why, size_t size)
{
    const struct served *served = context;
    if (!served->is_ready) {
        (void)snprintf(why, size, "feed ingestion/0 stands still");
    }
    return served->is_ready;
}

static void served_begin(struct served *served)
{
    struct refusal refusal;
    struct admin_source source = { served, served_metrics, served_is_ready };
    served->admin = NULL;
    ck_assert_int_eq(admin_open(&served->admin, &source, &refusal), STATUS_OK);
}

static int connect_to(const struct served *served)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)admin_port(served->admin)),
                                   .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(connection, 0);
    int result = connect(connection, (const struct sockaddr *)&address, sizeof address);
    ck_assert(result == 0 || errno == EINPROGRESS);
    return connection;
}

/* Waits until the server has something to do, and lets it; a short while at most. */
static void serve(struct served *served)
{
    struct pollfd descriptor = { .fd = admin_descriptor(served->admin), .events = POLLIN };
    (void)poll(&descriptor, 1, 10);
    admin_step(served->admin);
}

static void ask(struct served *served, int connection, const char *request)
{
    size_t size = strlen(request);
    ssize_t sent = -1;
    for (int waited = 0; sent < 0 && waited < PATIENCE_MS; waited += 10) {
        sent = send(connection, request, size, MSG_NOSIGNAL);
        serve(served);
    }
    ck_assert_int_eq(sent, (ssize_t)size);
}

struct page {
    int code; /* 0: the server hung up without an answer */
    bool is_over;
    size_t size;
    char text[PAGE_BYTES]; /* header and body */
    const char *body;
};

/* Reads on until the server hangs up, or `patience_ms` are over. */
static void hear(struct served *served, int connection, int patience_ms, struct page *page)
{
    for (int waited = 0; !page->is_over && waited < patience_ms; waited += 10) {
        ssize_t got = recv(connection, page->text + page->size, PAGE_BYTES - 1 - page->size, 0);
        page->is_over = got == 0 || (got < 0 && errno == ECONNRESET);
        page->size += got > 0 ? (size_t)got : 0;
        page->text[page->size] = '\0';
        serve(served);
    }
    page->body = strstr(page->text, "\r\n\r\n");
    page->body = page->body == NULL ? "" : page->body + 4;
    page->code = page->size > 12 ? (int)strtol(page->text + 9, NULL, 10) : 0;
}

/* The caller frees it. */
static struct page *get(struct served *served, const char *method, const char *path)
{
    char request[256];
    struct page *page = memory_allocate(sizeof *page);
    int connection = connect_to(served);
    (void)snprintf(request, sizeof request,
                   "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path);
    ask(served, connection, request);
    hear(served, connection, PATIENCE_MS, page);
    ck_assert(page->is_over);
    (void)close(connection);
    return page;
}

static void is_page(struct served *served, const char *path, int code, const char *text)
{
    struct page *page = get(served, "GET", path);
    ck_assert_int_eq(page->code, code);
    ck_assert_msg(strstr(page->body, text) != NULL, "%s", page->body);
    free(page);
}

/* ---- pages */

START_TEST(a_live_service_says_so)
{
    struct served served = { .metrics = "", .is_ready = false };
    served_begin(&served);
    is_page(&served, "/healthz", 200, "alive");
    admin_close(&served.admin);
    ck_assert_ptr_null(served.admin);
}
END_TEST

START_TEST(readiness_has_a_code_and_a_reason)
{
    struct served served = { .metrics = "", .is_ready = true };
    served_begin(&served);
    is_page(&served, "/readyz", 200, "ready");
    served.is_ready = false;
    is_page(&served, "/readyz", 503, "feed ingestion/0 stands still");
    admin_close(&served.admin);
}
END_TEST

START_TEST(other_pages_are_not_found)
{
    struct served served = { .metrics = "", .is_ready = true };
    served_begin(&served);
    is_page(&served, "/", 404, "/metrics");
    is_page(&served, "/metrics/", 404, "/metrics");
    is_page(&served, "/../etc/passwd", 404, "/metrics");
    ck_assert_uint_eq(served.asked, 0);
    admin_close(&served.admin);
}
END_TEST

START_TEST(only_reading_is_answered)
{
    static const char *const methods[] = { "POST", "PUT", "DELETE" };
    struct served served = { .metrics = "kith_x 1\n", .is_ready = true };
    served_begin(&served);
    for (size_t i = 0; i < 3; i++) {
        struct page *page = get(&served, methods[i], "/metrics");
        ck_assert_int_ne(page->code, 200);
        ck_assert_ptr_null(strstr(page->text, "kith_x"));
        free(page);
    }
    struct page *head = get(&served, "HEAD", "/metrics");
    ck_assert_int_eq(head->code, 200);
    ck_assert_str_eq(head->body, "");
    free(head);
    is_page(&served, "/metrics", 200, "kith_x 1");
    admin_close(&served.admin);
}
END_TEST

START_TEST(it_listens_on_this_machine_only)
{
    struct served served = { .metrics = "", .is_ready = true };
    struct served other = { .metrics = "", .is_ready = true };
    served_begin(&served);
    served_begin(&other);
    ck_assert_uint_ne(admin_port(served.admin), 0);
    ck_assert_uint_ne(admin_port(served.admin), admin_port(other.admin));
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)admin_port(served.admin)),
                                   .sin_addr = { .s_addr = htonl(0x7f000002) } };
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ne(connect(connection, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(connection);
    admin_close(&served.admin);
    admin_close(&other.admin);
}
END_TEST

/* ---- bounds */

/* Whoever has a place and says nothing keeps it for a while; those beyond the bound are
 * served when others have gone. Meanwhile the service turns in no circles. */
START_TEST(more_connections_than_the_bound_wait_for_a_place)
{
    enum { WAITING = 8 };
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct served served = { .metrics = "", .is_ready = true };
    int silent[ADMIN_CONNECTIONS_MAX];
    int waiting[WAITING];
    struct page *page = memory_allocate(sizeof *page);
    served_begin(&served);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        silent[i] = connect_to(&served);
        ask(&served, silent[i], "GET /heal");
    }
    for (size_t i = 0; i < WAITING; i++) {
        waiting[i] = connect_to(&served);
        ask(&served, waiting[i], request);
    }
    for (size_t i = 0; i < WAITING; i++) {
        *page = (struct page){ .code = 0 };
        hear(&served, waiting[i], 30, page);
        ck_assert_int_eq(page->code, 0);
        ck_assert(!page->is_over);
    }
    struct pollfd descriptor = { .fd = admin_descriptor(served.admin), .events = POLLIN };
    ck_assert_int_eq(poll(&descriptor, 1, 0), 0);
    ck_assert_int_ne(admin_wait_ms(served.admin), 0);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        (void)close(silent[i]);
    }
    for (size_t i = 0; i < WAITING; i++) {
        *page = (struct page){ .code = 0 };
        hear(&served, waiting[i], PATIENCE_MS, page);
        ck_assert_int_eq(page->code, 200);
        (void)close(waiting[i]);
    }
    free(page);
    admin_close(&served.admin);
}
END_TEST

START_TEST(an_open_connection_has_an_end)
{
    struct served served = { .metrics = "", .is_ready = true };
    served_begin(&served);
    int connection = connect_to(&served);
    ask(&served, connection, "GET /heal"); /* and never the rest */
    int64_t wait_ms = admin_wait_ms(served.admin);
    ck_assert_int_ge(wait_ms, 0);
    ck_assert_int_le(wait_ms, 10000);
    is_page(&served, "/healthz", 200, "alive"); /* others are served meanwhile */
    (void)close(connection);
    admin_close(&served.admin);
}
END_TEST

START_TEST(bytes_that_are_no_request_are_answered_with_an_error)
{
    struct served served = { .metrics = "kith_x 1\n", .is_ready = true };
    struct page *page = memory_allocate(sizeof *page);
    served_begin(&served);
    int connection = connect_to(&served);
    ask(&served, connection, "\x16\x03\x01 nonsense\r\n\r\n");
    hear(&served, connection, PATIENCE_MS, page);
    ck_assert(page->is_over);
    ck_assert_int_ne(page->code, 200);
    (void)close(connection);
    free(page);
    admin_close(&served.admin);
}
END_TEST

/* ---- metrics: the text format of Prometheus, read as strictly as it is written */

struct family {
    char name[80];
    bool has_help;
    bool has_type;
    unsigned samples;
};

static const char *name_end(const char *at)
{
    ck_assert_msg(isalpha((unsigned char)*at) || *at == '_', "no name: %.40s", at);
    while (isalnum((unsigned char)*at) || *at == '_') {
        at++;
    }
    return at;
}

/* ="value" with \\, \" and \n as the only escapes. */
static const char *value_end(const char *at)
{
    ck_assert_msg(at[0] == '=' && at[1] == '"', "no value: %.40s", at);
    at += 2;
    while (*at != '"') {
        bool is_escape = *at == '\\';
        ck_assert(*at != '\0' && *at != '\n');
        ck_assert(!is_escape || strchr("\\\"n", at[1]) != NULL);
        at += is_escape ? 2 : 1;
    }
    return at + 1;
}

/* {name="value",...} */
static const char *labels_end(const char *at)
{
    while (*at != '}') {
        at = value_end(name_end(at + 1));
        ck_assert_msg(*at == ',' || *at == '}', "no end: %.40s", at);
    }
    return at + 1;
}

static void sample_read(const char *line, struct family *family)
{
    char *end = NULL;
    const char *at = name_end(line);
    size_t size = (size_t)(at - line);
    ck_assert_msg(size == strlen(family->name) && memcmp(line, family->name, size) == 0,
                  "a sample outside of its family: %.60s", line);
    ck_assert_msg(family->has_help && family->has_type, "%s", family->name);
    at = *at == '{' ? labels_end(at) : at;
    ck_assert_int_eq(*at, ' ');
    ck_assert(isdigit((unsigned char)at[1]) || at[1] == '-');
    (void)strtod(at + 1, &end);
    ck_assert_msg(*end == '\0', "no number: %s", line);
    family->samples += 1;
}

static void comment_read(const char *line, struct family *family)
{
    bool is_help = strncmp(line, "# HELP ", 7) == 0;
    ck_assert_msg(is_help || strncmp(line, "# TYPE ", 7) == 0, "%s", line);
    const char *end = name_end(line + 7);
    ck_assert_int_eq(*end, ' ');
    if (is_help) {
        ck_assert(family->name[0] == '\0' || family->samples > 0);
        *family = (struct family){ .has_help = true };
        (void)snprintf(family->name, sizeof family->name, "%.*s", (int)(end - line - 7), line + 7);
        return;
    }
    bool is_counter = strcmp(end, " counter") == 0;
    ck_assert(is_counter || strcmp(end, " gauge") == 0);
    ck_assert(family->has_help && !family->has_type && family->samples == 0);
    ck_assert_int_eq(strncmp(line + 7, family->name, strlen(family->name)), 0);
    const char *total = strstr(family->name, "_total");
    ck_assert_msg(is_counter == (total != NULL && total[6] == '\0'), "%s", family->name);
    family->has_type = true;
}

#define FAMILIES_MAX 128

/* Each family stands there once. */
static void name_is_new(const char (*names)[80], size_t count, const char *name)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        same += strcmp(names[i], name) == 0 ? 1 : 0;
    }
    ck_assert_msg(same == 0, "%s stands there twice", name);
    ck_assert_uint_lt(count, FAMILIES_MAX);
}

/* Returns how many families there are. */
static size_t metrics_read(char *text)
{
    struct family family = { .samples = 0 };
    char names[FAMILIES_MAX][80];
    size_t count = 0;
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    char *next = NULL;
    for (char *line = strtok_r(text, "\n", &next); line != NULL;
         line = strtok_r(NULL, "\n", &next)) {
        if (line[0] != '#') {
            sample_read(line, &family);
            continue;
        }
        comment_read(line, &family);
        if (family.has_type) {
            name_is_new((const char(*)[80])names, count, family.name);
            memcpy(names[count++], family.name, sizeof family.name);
        }
    }
    return count;
}

START_TEST(metrics_are_prometheus_text)
{
    struct town town;
    struct served served = { .is_ready = true };
    struct toy_node_options loyalty = {
        .toy = { .name = "loyalty", .reads = { "ingestion" }, .read_count = 1 }
    };
    town_begin(&town);
    (void)town_add(&town, &(struct toy_node_options){ .toy.name = "ingestion" });
    (void)town_add(&town, &loyalty);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 10);
    served.shell = town.nodes[1].shell;
    served_begin(&served);
    struct page *page = get(&served, "GET", "/metrics");
    ck_assert_int_eq(page->code, 200);
    ck_assert_ptr_nonnull(strstr(page->text, "Content-Type: text/plain; version=0.0.4"));
    ck_assert_ptr_nonnull(
        strstr(page->body, "\nkith_journal_seq{service=\"loyalty\",shard=\"0\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(page->body, "\nkith_feed_applied{service=\"loyalty\",shard=\"0\","
                                             "feed=\"ingestion/0\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(page->body, "\nkith_ready{service=\"loyalty\",shard=\"0\"} 1\n"));
    ck_assert_uint_ge(metrics_read(page->text + (page->body - page->text)), 20);
    free(page);
    admin_close(&served.admin);
    town_end(&town);
}
END_TEST

/* A service that reads nobody has no line for feeds, and then no heading either. */
START_TEST(metrics_without_feeds_are_prometheus_text)
{
    struct town town;
    struct buffer text;
    buffer_init(&text, PAGE_BYTES);
    town_begin(&town);
    (void)town_add(&town, &(struct toy_node_options){ .toy.name = "ingestion" });
    shell_metrics(town.nodes[0].shell, &text);
    ck_assert_int_eq(buffer_append(&text, span_of("", 1)), STATUS_OK);
    ck_assert_uint_ge(metrics_read((char *)text.data), 20);
    buffer_release(&text);
    town_end(&town);
}
END_TEST

static Suite *admin_suite(void)
{
    Suite *suite = suite_create("admin");
    TCase *pages = tcase_create("pages");
    tcase_set_timeout(pages, 30);
    tcase_add_test(pages, a_live_service_says_so);
    tcase_add_test(pages, readiness_has_a_code_and_a_reason);
    tcase_add_test(pages, other_pages_are_not_found);
    tcase_add_test(pages, only_reading_is_answered);
    tcase_add_test(pages, it_listens_on_this_machine_only);
    tcase_add_test(pages, more_connections_than_the_bound_wait_for_a_place);
    tcase_add_test(pages, an_open_connection_has_an_end);
    tcase_add_test(pages, bytes_that_are_no_request_are_answered_with_an_error);
    tcase_add_test(pages, metrics_are_prometheus_text);
    tcase_add_test(pages, metrics_without_feeds_are_prometheus_text);
    suite_add_tcase(suite, pages);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(admin_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
