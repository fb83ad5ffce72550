/* link: kith_parts */
#include "cli/batch.h"
#include "cli/loader.h"
#include "common/wire/pb.h"
#include "common/wire/transport.h"
#include "common/wire/wire.h"
#include "ingest_fixture.h"
#include "kith/v1/ingestion.pb-c.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ROWS 50

/*
 * An ingestion that does what a test says it should. It is another process and tells what it
 * was asked in a file: "KEY BATCH ITEMS OUTCOME" a line.
 */
struct ingestion {
    struct transport_zmq *zmq;
    struct transport transport;
    FILE *told;
    uint64_t next;     /* batch of the run */
    unsigned requests; /* so far, those of batch 2 */
    struct arena arena;
    struct buffer header;
    struct buffer body;
};

/* What becomes of a request of batch 2, by how often it came. */
enum mood {
    MOOD_FINE,
    MOOD_SILENT_ONCE,  /* decided, and the reply is lost */
    MOOD_DEAF_ONCE,    /* lost before it was decided */
    MOOD_BUSY_ONCE,    /* RESOURCE_EXHAUSTED */
    MOOD_PARTLY_BLIND, /* the batch's second row is no event */
    MOOD_FORGETFUL,    /* FAILED_PRECONDITION */
    MOOD_EMPTY,        /* knows no batch of this run */
    MOOD_LIAR,         /* a reply of fewer rows */
};

static void must(bool condition)
{
    if (!condition) {
        _exit(1);
    }
}

static void ingestion_reply(struct ingestion *ingestion, const struct message *message,
                            const struct reply_header *header)
{
    reply_header_encode(header, &ingestion->header);
    const struct transport *transport = &ingestion->transport;
    must(transport->reply(transport->context, &message->route, buffer_span(&ingestion->header),
                          buffer_span(&ingestion->body)));
}

/* All rows accepted but, with `blind`, the second, which is invalid. A raw row is rejected. */
static void results_make(struct ingestion *ingestion, const Kith__V1__IngestRequest *request,
                         bool blind, uint32_t missing)
{
    Kith__V1__Violation violation = KITH__V1__VIOLATION__INIT;
    Kith__V1__Violation *violations[] = { &violation };
    char field[] = "customer";
    char rule[] = "is odd";
    char mend[] = "even it";
    violation.field = field;
    violation.rule = rule;
    violation.mend = mend;
    Kith__V1__IngestRun runs[3];
    Kith__V1__IngestRun *places[3] = { &runs[0], &runs[1], &runs[2] };
    for (size_t i = 0; i < 3; i++) {
        kith__v1__ingest_run__init(&runs[i]);
        runs[i].has_count = 1;
        runs[i].has_outcome = 1;
    }
    Kith__V1__IngestReply reply = KITH__V1__INGEST_REPLY__INIT;
    bool raw = request->items[0]->item_case == KITH__V1__INGEST_ITEM__ITEM_RAW;
    reply.results = places;
    reply.n_results = blind ? 3 : 1;
    runs[0].count = (blind ? 1 : (uint32_t)request->n_items) - missing;
    runs[0].outcome =
        raw ? KITH__V1__INGEST_OUTCOME__INGEST_REJECTED : KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED;
    runs[1].count = 1;
    runs[1].outcome = KITH__V1__INGEST_OUTCOME__INGEST_INVALID;
    runs[1].n_violations = 1;
    runs[1].violations = violations;
    runs[2].count = (uint32_t)request->n_items - 2;
    runs[2].outcome = KITH__V1__INGEST_OUTCOME__INGEST_DUPLICATE;
    must(pb_pack(&reply.base, &ingestion->body) == STATUS_OK);
}

/* What the mood refuses; false: nothing. */
static bool mood_refuses(enum mood mood, bool second, bool first_time, struct refusal *refusal)
{
    if (first_time && mood == MOOD_BUSY_ONCE) {
        (void)refusal_set(refusal, STATUS_LIMIT, "busy");
        refusal->retry_after_ms = 20;
        return true;
    }
    if (second && mood == MOOD_FORGETFUL) {
        (void)refusal_set(refusal, STATUS_REFUSED, "taken before");
        return true;
    }
    return false;
}

static void mood_apply(struct ingestion *ingestion, enum mood mood,
                       const Kith__V1__IngestRequest *request, struct reply_header *header,
                       bool *silent)
{
    bool second = request->run_batch == 2;
    bool first_time = second && ingestion->requests++ == 0;
    uint64_t next = mood == MOOD_EMPTY ? 0 : ingestion->next;
    *silent = first_time && (mood == MOOD_SILENT_ONCE || mood == MOOD_DEAF_ONCE);
    if ((first_time && mood == MOOD_DEAF_ONCE) ||
        mood_refuses(mood, second, first_time, &header->refusal)) {
        return;
    }
    if (request->run != NULL && request->run_batch > next) {
        (void)refusal_set(&header->refusal, STATUS_ABORTED, "not yet");
        return;
    }
    ingestion->next += request->run != NULL && request->run_batch == next ? 1 : 0;
    results_make(ingestion, request, second && mood == MOOD_PARTLY_BLIND,
                 second && mood == MOOD_LIAR ? 1 : 0);
}

static void request_serve(struct ingestion *ingestion, const struct message *message,
                          enum mood mood)
{
    struct request_header asked = { 0 };
    must(request_header_decode(message->header, &asked, NULL) == STATUS_OK);
    arena_reset(&ingestion->arena);
    const Kith__V1__IngestRequest *request =
        pb_unpack(&kith__v1__ingest_request__descriptor, &ingestion->arena, message->body);
    must(request != NULL && request->n_items > 0);
    struct reply_header header = { .request_id = asked.request_id };
    bool silent = false;
    buffer_clear(&ingestion->body);
    mood_apply(ingestion, mood, request, &header, &silent);
    const char *outcome = silent ? "silent" : status_code_text(header.refusal.status);
    const Kith__V1__IngestItem *item = request->items[0];
    bool raw = item->item_case == KITH__V1__INGEST_ITEM__ITEM_RAW;
    (void)fprintf(ingestion->told, "%s %" PRIu64 " %zu %s %s%.*s\n", strchr(asked.key, '.') + 1,
                  request->run_batch, request->n_items, outcome, raw ? item->raw->reason : "-",
                  raw ? (int)item->raw->bytes.len : 0, raw ? (char *)item->raw->bytes.data : "");
    must(fflush(ingestion->told) == 0);
    if (!silent) {
        ingestion_reply(ingestion, message, &header);
    }
}

static void ingestion_serve(const char *endpoint, const char *told, enum mood mood)
{
    struct ingestion ingestion = { .next = 1, .told = fopen(told, "w") };
    struct transport_zmq_options options = { .servers = { endpoint, NULL } };
    must(ingestion.told != NULL && transport_zmq_open(&ingestion.zmq, &options, NULL) == STATUS_OK);
    ingestion.transport = transport_of_zmq(ingestion.zmq);
    buffer_init(&ingestion.header, LIMIT_HEADER_BYTES);
    buffer_init(&ingestion.body, LIMIT_BODY_BYTES);
    arena_init(&ingestion.arena, (size_t)64 * 1024 * 1024);
    const struct transport *transport = &ingestion.transport;
    struct message message = { 0 };
    for (;;) {
        while (!transport->receive(transport->context, TRANSPORT_COMMAND, &message)) {
            transport->wait(transport->context, -1);
        }
        request_serve(&ingestion, &message, mood);
        transport->message_release(transport->context, &message);
    }
}

/* ---- a load of ROWS rows */

struct fixture {
    struct test_folder folder;
    char endpoint[80];
    char told[80];
    pid_t service;
    struct map *map;
    struct zone *zone;
    struct input_file file;
    struct load_source *source;
    struct run_file *run;
    struct run_identity identity;
    const char *name;
    struct loader_options options;
    struct refusal refusal;
};

#define LOAD_MAP                                                                                   \
    "version: 1\nsource: s\nformat: columns\nheader: false\n"                                      \
    "event: {type: visit, id: row, customer: 1, occurred_at: {column: 2, format: unix_s}}\n"

static void rows_write(const char *path)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < ROWS; i++) {
        ck_assert_int_gt(fprintf(file, "c%d %d\n", i, i), 0);
    }
    ck_assert_int_eq(fclose(file), 0);
}

static void source_renew(struct fixture *fixture)
{
    struct load_source_options options = { .files = &fixture->file,
                                           .file_count = 1,
                                           .map = fixture->map,
                                           .zone = fixture->zone,
                                           .folder = fixture->folder.path,
                                           .memory_bytes = 1 << 20 };
    load_source_close(&fixture->source);
    ck_assert_int_eq(load_source_open(&fixture->source, &options, NULL), STATUS_OK);
    ck_assert_int_eq(load_source_seek(fixture->source, run_file_state(fixture->run)->place, NULL),
                     STATUS_OK);
    fixture->options.source = fixture->source;
}

static void service_start(struct fixture *fixture, enum mood mood)
{
    fixture->service = fork();
    ck_assert_int_ge(fixture->service, 0);
    if (fixture->service == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        ingestion_serve(fixture->endpoint, fixture->told, mood);
        _exit(0);
    }
}

static void fixture_open(struct fixture *fixture)
{
    static char path[80];
    *fixture = (struct fixture){ .folder = folder_open(), .map = map_of(LOAD_MAP) };
    const char *folder = fixture->folder.path;
    (void)snprintf(fixture->endpoint, sizeof fixture->endpoint, "ipc://%s/s", folder);
    (void)snprintf(fixture->told, sizeof fixture->told, "%s/told", folder);
    (void)snprintf(path, sizeof path, "%s/rows", folder);
    rows_write(path);
    ck_assert_int_eq(zone_open(&fixture->zone, "UTC", NULL), STATUS_OK);
    ck_assert_int_eq(input_file_open(&fixture->file, path, folder, NULL), STATUS_OK);
    fixture->name = fixture->file.name;
    fixture->identity = (struct run_identity){
        .files = &fixture->file.digest, .names = &fixture->name, .file_count = 1, .batch_rows = 7
    };
    ck_assert_int_eq(run_file_open(&fixture->run, folder, &fixture->identity, 0, NULL), STATUS_OK);
    fixture->options = (struct loader_options){ .endpoint = fixture->endpoint,
                                                .run = fixture->run,
                                                .source_name = "s",
                                                .batch_rows = 7,
                                                .in_flight = 4,
                                                .wait_ms = 20000,
                                                .stop_descriptor = -1 };
    source_renew(fixture);
}

static void service_end(struct fixture *fixture)
{
    ck_assert_int_eq(kill(fixture->service, SIGKILL), 0);
    ck_assert_int_eq(waitpid(fixture->service, NULL, 0), fixture->service);
}

static void fixture_close(struct fixture *fixture)
{
    load_source_close(&fixture->source);
    run_file_close(&fixture->run);
    input_file_close(&fixture->file);
    zone_close(&fixture->zone);
    map_close(&fixture->map);
    folder_close(&fixture->folder);
}

/* How many lines of what ingestion was asked hold `text`. */
static size_t told_count(const struct fixture *fixture, const char *text)
{
    FILE *file = fopen(fixture->told, "r");
    ck_assert_ptr_nonnull(file);
    char line[256];
    size_t count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        count += strstr(line, text) != NULL ? 1 : 0;
    }
    ck_assert_int_eq(fclose(file), 0);
    return count;
}

static void counts_check(const struct fixture *fixture, struct run_counts expected)
{
    const struct run_counts *counts = &run_file_state(fixture->run)->counts;
    ck_assert_uint_eq(counts->rows, expected.rows);
    ck_assert_uint_eq(counts->accepted, expected.accepted);
    ck_assert_uint_eq(counts->duplicate, expected.duplicate);
    ck_assert_uint_eq(counts->rejected, expected.rejected);
}

static void load_check(struct fixture *fixture, enum mood mood, struct run_counts expected)
{
    fixture_open(fixture);
    service_start(fixture, mood);
    enum load_end end = loader_run(&fixture->options, &fixture->refusal);
    ck_assert_msg(end == LOAD_DONE, "%d %s", (int)end, fixture->refusal.message);
    counts_check(fixture, expected);
    ck_assert_uint_eq(run_file_state(fixture->run)->batch, 9);
    ck_assert_uint_eq(run_file_state(fixture->run)->place.rows, ROWS);
    service_end(fixture);
}

START_TEST(all_rows_are_sent_once)
{
    struct fixture fixture;
    load_check(&fixture, MOOD_FINE, (struct run_counts){ .rows = ROWS, .accepted = ROWS });
    ck_assert_uint_eq(told_count(&fixture, " OK "), 8);
    ck_assert_uint_eq(told_count(&fixture, " "), 8);
    ck_assert_uint_eq(told_count(&fixture, "8 8 1 OK"), 1);
    fixture_close(&fixture);
}
END_TEST

/* Only as it is: the batches after it were refused, and come again behind it. */
START_TEST(what_was_asked_to_wait_comes_again_in_order)
{
    struct fixture fixture;
    load_check(&fixture, MOOD_BUSY_ONCE, (struct run_counts){ .rows = ROWS, .accepted = ROWS });
    ck_assert_uint_eq(told_count(&fixture, "2 2 7 RESOURCE_EXHAUSTED"), 1);
    ck_assert_uint_eq(told_count(&fixture, "2 2 7 OK"), 1);
    ck_assert_uint_eq(told_count(&fixture, " OK "), 8);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_gap_is_filled)
{
    struct fixture fixture;
    load_check(&fixture, MOOD_DEAF_ONCE, (struct run_counts){ .rows = ROWS, .accepted = ROWS });
    ck_assert_uint_eq(told_count(&fixture, "2 2 7 silent"), 1);
    ck_assert_uint_ge(told_count(&fixture, "ABORTED"), 1);
    ck_assert_uint_eq(told_count(&fixture, " OK "), 8);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_lost_reply_is_asked_for_with_the_same_key)
{
    struct fixture fixture;
    load_check(&fixture, MOOD_SILENT_ONCE, (struct run_counts){ .rows = ROWS, .accepted = ROWS });
    ck_assert_uint_eq(told_count(&fixture, "2 2 7 silent"), 1);
    ck_assert_uint_eq(told_count(&fixture, "2 2 7 OK"), 1);
    fixture_close(&fixture);
}
END_TEST

/* The second row of the second batch is row 9: it is kept as it stood, with the reason. */
START_TEST(a_row_that_is_no_event_to_ingestion_is_kept_as_it_is)
{
    struct fixture fixture;
    load_check(
        &fixture, MOOD_PARTLY_BLIND,
        (struct run_counts){ .rows = ROWS, .accepted = ROWS - 6, .duplicate = 5, .rejected = 1 });
    ck_assert_uint_eq(told_count(&fixture, "2.1 0 1 OK customer is odd: even itc8 8"), 1);
    fixture_close(&fixture);
}
END_TEST

static const struct {
    enum mood mood;
    enum load_end end;
    uint64_t batch; /* that the run's state ends with */
} ends[] = {
    { MOOD_FORGETFUL, LOAD_STALE, 2 },
    { MOOD_EMPTY, LOAD_STALE, 1 },
    { MOOD_LIAR, LOAD_FAILED, 2 },
};

START_TEST(a_run_that_cannot_go_on_ends_and_keeps_its_place)
{
    struct fixture fixture;
    fixture_open(&fixture);
    service_start(&fixture, ends[_i].mood);
    fixture.options.in_flight = 1;
    ck_assert_int_eq((int)loader_run(&fixture.options, &fixture.refusal), (int)ends[_i].end);
    ck_assert_int_ne(fixture.refusal.status, STATUS_OK);
    ck_assert_uint_eq(run_file_state(fixture.run)->batch, ends[_i].batch);
    ck_assert_uint_eq(run_file_state(fixture.run)->counts.rows, 7 * (ends[_i].batch - 1));
    service_end(&fixture);
    fixture_close(&fixture);
}
END_TEST

START_TEST(nobody_there_is_unreachable_and_the_run_goes_on_later)
{
    struct fixture fixture;
    fixture_open(&fixture);
    fixture.options.wait_ms = 200;
    ck_assert_int_eq((int)loader_run(&fixture.options, &fixture.refusal), LOAD_UNREACHABLE);
    counts_check(&fixture, (struct run_counts){ .rows = 0 });
    fixture.options.wait_ms = 20000;
    source_renew(&fixture);
    service_start(&fixture, MOOD_FINE);
    ck_assert_int_eq((int)loader_run(&fixture.options, &fixture.refusal), LOAD_DONE);
    counts_check(&fixture, (struct run_counts){ .rows = ROWS, .accepted = ROWS });
    service_end(&fixture);
    fixture_close(&fixture);
}
END_TEST

START_TEST(whoever_is_told_to_stop_stops_and_can_go_on)
{
    struct fixture fixture;
    int ends_of_pipe[2];
    fixture_open(&fixture);
    service_start(&fixture, MOOD_FINE);
    ck_assert_int_eq(pipe(ends_of_pipe), 0);
    ck_assert_int_eq(write(ends_of_pipe[1], "x", 1), 1);
    fixture.options.stop_descriptor = ends_of_pipe[0];
    ck_assert_int_eq((int)loader_run(&fixture.options, &fixture.refusal), LOAD_STOPPED);
    ck_assert_uint_lt(run_file_state(fixture.run)->counts.rows, ROWS);
    fixture.options.stop_descriptor = -1;
    source_renew(&fixture);
    ck_assert_int_eq((int)loader_run(&fixture.options, &fixture.refusal), LOAD_DONE);
    counts_check(&fixture, (struct run_counts){ .rows = ROWS, .accepted = ROWS });
    (void)close(ends_of_pipe[0]);
    (void)close(ends_of_pipe[1]);
    service_end(&fixture);
    fixture_close(&fixture);
}
END_TEST

/* ---- batches */

START_TEST(a_batch_ends_before_its_body_is_too_large)
{
    struct batch batch;
    batch_init(&batch);
    uint8_t *bytes = calloc(1, LOAD_ITEM_BYTES);
    ck_assert_ptr_nonnull(bytes);
    struct load_row row = { .item = span_of(bytes, LOAD_ITEM_BYTES),
                            .content = span_of(bytes, 100) };
    if (_i == 1) { /* rows that are much longer than the events of them */
        row = (struct load_row){ .item = span_of(bytes, 100),
                                 .content = span_of(bytes, LIMIT_EVENT_BYTES) };
    }
    size_t counts[2] = { 0 };
    for (size_t i = 0; i < 2; i++) {
        batch_begin(&batch, i + 1);
        while (batch_add(&batch, &row)) {
            counts[i]++;
        }
        batch_end(&batch, "00112233445566778899aabbccddeeff");
        ck_assert_uint_le(batch.body.size, LIMIT_BODY_BYTES);
        ck_assert_uint_le(batch.rows.size, LIMIT_BODY_BYTES);
    }
    ck_assert_uint_eq(counts[0], counts[1]);
    ck_assert_uint_gt(counts[0], 40);
    ck_assert_uint_eq(batch_row(&batch, counts[0] - 1).content.size, row.content.size);
    free(bytes);
    batch_release(&batch);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, all_rows_are_sent_once);
    tcase_add_test(cases, what_was_asked_to_wait_comes_again_in_order);
    tcase_add_test(cases, a_gap_is_filled);
    tcase_add_test(cases, a_lost_reply_is_asked_for_with_the_same_key);
    tcase_add_test(cases, a_row_that_is_no_event_to_ingestion_is_kept_as_it_is);
    tcase_add_loop_test(cases, a_run_that_cannot_go_on_ends_and_keeps_its_place, 0,
                        (int)(sizeof ends / sizeof ends[0]));
    tcase_add_test(cases, nobody_there_is_unreachable_and_the_run_goes_on_later);
    tcase_add_test(cases, whoever_is_told_to_stop_stops_and_can_go_on);
    tcase_add_loop_test(cases, a_batch_ends_before_its_body_is_too_large, 0, 2);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
