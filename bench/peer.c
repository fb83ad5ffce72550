/*
 * The client of PostgreSQL: sends it the same events and postings that Kith is sent, over so
 * many connections, each waiting for its answer before it asks again, and says in one line of
 * JSON what it saw. bench/peers starts it, peers.sql says what the server does.
 *
 * Statements are prepared once and their parameters are binary: nothing is spent on text.
 */
#include "bench/bench.h"
#include "bench/histogram.h"
#include "common/base/bytes.h"
#include "common/base/limits.h"

#include <getopt.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 256
#define PARAMETERS_MAX 8
#define ARRAY_BYTES_MAX (1024 * 1024)
/* The types' numbers in PostgreSQL's catalogue. */
#define TYPE_INT8 20
#define TYPE_TEXT 25
#define TYPE_INT8_ARRAY 1016
#define TYPE_TEXT_ARRAY 1009
#define STATEMENT "work"

struct options {
    const char *mode;
    const char *server; /* how libpq is told where */
    const char *run;    /* keys and ids begin with it */
    double seconds;
    double clients;
    double batch;
    double accounts;
};

struct client {
    const struct options *options;
    unsigned number;
    pthread_t thread;
    PGconn *connection;
    int64_t end_us;
    uint64_t random;
    uint64_t made;
    uint64_t accepted;
    struct histogram times;
    struct buffer parameters[PARAMETERS_MAX];
};

/* What is prepared, and what fills its parameters for one call. */
struct work {
    const char *mode;
    const char *statement;
    int parameter_count;
    Oid types[PARAMETERS_MAX];
    void (*fill)(struct client *client);
    uint64_t (*count)(PGresult *result); /* items that were new */
};

/* ---- parameters */

static void append(struct buffer *out, const void *bytes, size_t size)
{
    if (buffer_append(out, span_of(bytes, size)) != STATUS_OK) {
        bench_fail("a parameter is too long; make smaller batches");
    }
}

static void int4_append(struct buffer *out, uint32_t value)
{
    uint8_t bytes[4];
    be32_put(bytes, value);
    append(out, bytes, sizeof bytes);
}

static void int8_append(struct buffer *out, uint64_t value)
{
    uint8_t bytes[8];
    be64_put(bytes, value);
    append(out, bytes, sizeof bytes);
}

/* An array's binary form: one dimension, no nulls, counted from 1; its elements follow. */
static void array_begin(struct buffer *out, uint32_t type, uint32_t count)
{
    buffer_clear(out);
    int4_append(out, 1);
    int4_append(out, 0);
    int4_append(out, type);
    int4_append(out, count);
    int4_append(out, 1);
}

static void element_int8(struct buffer *out, uint64_t value)
{
    int4_append(out, 8);
    int8_append(out, value);
}

static void element_text(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    int4_append(out, (uint32_t)size);
    append(out, text, size);
}

/* xorshift64*, as in the load for Kith. */
static uint64_t draw(struct client *client, uint64_t below)
{
    uint64_t x = client->random;
    x ^= x >> 12U;
    x ^= x << 25U;
    x ^= x >> 27U;
    client->random = x;
    return ((x * UINT64_C(0x2545f4914f6cdd1d)) >> 16U) % below;
}

static void name_make(struct client *client, char *out, size_t size)
{
    (void)snprintf(out, size, "%s.%u.%012" PRIu64, client->options->run, client->number,
                   client->made);
    client->made += 1;
}

/* ---- events */

enum { EVENT_ID, EVENT_CUSTOMER, EVENT_AT, EVENT_AMOUNT, EVENT_CHANNEL, EVENT_PARAMETERS };

static void events_fill(struct client *client)
{
    static const char *const channels[] = { "shop", "web", "app" };
    struct buffer *all = client->parameters;
    uint32_t count = (uint32_t)client->options->batch;
    uint64_t now_ms = (uint64_t)bench_wall_ms();
    array_begin(&all[EVENT_ID], TYPE_TEXT, count);
    array_begin(&all[EVENT_CUSTOMER], TYPE_TEXT, count);
    array_begin(&all[EVENT_AT], TYPE_INT8, count);
    array_begin(&all[EVENT_AMOUNT], TYPE_INT8, count);
    array_begin(&all[EVENT_CHANNEL], TYPE_TEXT, count);
    for (uint32_t i = 0; i < count; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "c%08" PRIu64,
                       draw(client, (uint64_t)client->options->accounts));
        element_text(&all[EVENT_CUSTOMER], text);
        element_text(&all[EVENT_CHANNEL], channels[client->made % 3]);
        name_make(client, text, sizeof text);
        element_text(&all[EVENT_ID], text);
        element_int8(&all[EVENT_AT], now_ms);
        element_int8(&all[EVENT_AMOUNT], 100 + draw(client, 8901));
    }
}

static uint64_t rows_count(PGresult *result)
{
    return (uint64_t)bench_number("rows", PQcmdTuples(result));
}

/* ---- postings */

enum { POST_KEY, POST_DEBIT, POST_CREDIT, POST_POINTS, POST_PARAMETERS };

static void accounts_draw(struct client *client, uint64_t *debit, uint64_t *credit)
{
    uint64_t count = (uint64_t)client->options->accounts;
    *debit = draw(client, count);
    *credit = (*debit + 1 + draw(client, count - 1)) % count;
}

static void posting_fill(struct client *client)
{
    struct buffer *all = client->parameters;
    uint64_t debit = 0;
    uint64_t credit = 0;
    char key[64];
    for (size_t i = 0; i < POST_PARAMETERS; i++) {
        buffer_clear(&all[i]);
    }
    accounts_draw(client, &debit, &credit);
    name_make(client, key, sizeof key);
    append(&all[POST_KEY], key, strlen(key));
    int8_append(&all[POST_DEBIT], debit);
    int8_append(&all[POST_CREDIT], credit);
    int8_append(&all[POST_POINTS], 1);
}

static void postings_fill(struct client *client)
{
    struct buffer *all = client->parameters;
    uint32_t count = (uint32_t)client->options->batch;
    array_begin(&all[POST_KEY], TYPE_TEXT, count);
    array_begin(&all[POST_DEBIT], TYPE_INT8, count);
    array_begin(&all[POST_CREDIT], TYPE_INT8, count);
    array_begin(&all[POST_POINTS], TYPE_INT8, count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t debit = 0;
        uint64_t credit = 0;
        char key[64];
        accounts_draw(client, &debit, &credit);
        name_make(client, key, sizeof key);
        element_text(&all[POST_KEY], key);
        element_int8(&all[POST_DEBIT], debit);
        element_int8(&all[POST_CREDIT], credit);
        element_int8(&all[POST_POINTS], 1);
    }
}

/* The functions answer in binary: a boolean, or a number of 8 bytes. */
static uint64_t answer_count(PGresult *result)
{
    uint64_t value = 0;
    const char *bytes = PQgetvalue(result, 0, 0);
    for (int i = 0; i < PQgetlength(result, 0, 0); i++) {
        value = value << 8U | (uint8_t)bytes[i];
    }
    return value;
}

static const struct work works[] = {
    { "intake",
      "insert into event (source, id, type, customer, occurred_at_ms, amount_minor, currency, "
      "channel) select 'bench', e.id, 'purchase', e.customer, e.at, e.amount, 'USD', e.channel "
      "from unnest($1, $2, $3, $4, $5) as e (id, customer, at, amount, channel) "
      "on conflict do nothing",
      EVENT_PARAMETERS,
      { TYPE_TEXT_ARRAY, TYPE_TEXT_ARRAY, TYPE_INT8_ARRAY, TYPE_INT8_ARRAY, TYPE_TEXT_ARRAY },
      events_fill,
      rows_count },
    { "post",
      "select post($1, $2, $3, $4)",
      POST_PARAMETERS,
      { TYPE_TEXT, TYPE_INT8, TYPE_INT8, TYPE_INT8 },
      posting_fill,
      answer_count },
    { "post-many",
      "select post_many($1, $2, $3, $4)",
      POST_PARAMETERS,
      { TYPE_TEXT_ARRAY, TYPE_INT8_ARRAY, TYPE_INT8_ARRAY, TYPE_INT8_ARRAY },
      postings_fill,
      answer_count },
};

static const struct work *work_find(const char *mode)
{
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        if (strcmp(works[i].mode, mode) == 0) {
            return &works[i];
        }
    }
    return NULL;
}

/* ---- a client */

static void client_open(struct client *client, const struct work *work)
{
    client->random = UINT64_C(0x9e3779b97f4a7c15) * (client->number + 1);
    client->connection = PQconnectdb(client->options->server);
    if (PQstatus(client->connection) != CONNECTION_OK) {
        bench_fail("cannot connect: %s", PQerrorMessage(client->connection));
    }
    PGresult *prepared = PQprepare(client->connection, STATEMENT, work->statement,
                                   work->parameter_count, work->types);
    if (PQresultStatus(prepared) != PGRES_COMMAND_OK) {
        bench_fail("cannot prepare: %s", PQerrorMessage(client->connection));
    }
    PQclear(prepared);
    for (size_t i = 0; i < PARAMETERS_MAX; i++) {
        buffer_init(&client->parameters[i], ARRAY_BYTES_MAX);
    }
}

static void client_close(struct client *client)
{
    PQfinish(client->connection);
    for (size_t i = 0; i < PARAMETERS_MAX; i++) {
        buffer_release(&client->parameters[i]);
    }
}

/* One call, durable when it is answered. */
static void client_call(struct client *client, const struct work *work)
{
    const char *values[PARAMETERS_MAX] = { NULL };
    int sizes[PARAMETERS_MAX] = { 0 };
    int formats[PARAMETERS_MAX] = { 0 };
    int64_t begin_us = bench_now_us();
    work->fill(client);
    for (int i = 0; i < work->parameter_count; i++) {
        values[i] = (const char *)client->parameters[i].data;
        sizes[i] = (int)client->parameters[i].size;
        formats[i] = 1;
    }
    PGresult *result = PQexecPrepared(client->connection, STATEMENT, work->parameter_count, values,
                                      sizes, formats, 1);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        bench_fail("%s fails: %s", work->mode, PQerrorMessage(client->connection));
    }
    client->accepted += work->count(result);
    PQclear(result);
    histogram_add(&client->times, bench_now_us() - begin_us);
}

static void *client_run(void *argument)
{
    struct client *client = argument;
    const struct work *work = work_find(client->options->mode);
    while (bench_now_us() < client->end_us) {
        client_call(client, work);
    }
    return NULL;
}

/* ---- all of them */

static void histograms_add(struct histogram *sum, const struct histogram *more)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum->counts[i] += more->counts[i];
    }
    sum->total += more->total;
    sum->most_us = more->most_us > sum->most_us ? more->most_us : sum->most_us;
}

static void load_run(const struct options *options, const struct work *work)
{
    size_t count = (size_t)options->clients;
    struct client *clients = memory_allocate(count * sizeof *clients);
    for (size_t i = 0; i < count; i++) {
        clients[i].options = options;
        clients[i].number = (unsigned)i;
        client_open(&clients[i], work);
    }
    int64_t begin_us = bench_now_us();
    for (size_t i = 0; i < count; i++) {
        clients[i].end_us = begin_us + (int64_t)(options->seconds * 1e6);
        if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) != 0) {
            bench_fail("there are no %zu threads", count);
        }
    }
    struct histogram times = { .total = 0 };
    uint64_t accepted = 0;
    uint64_t made = 0;
    for (size_t i = 0; i < count; i++) {
        (void)pthread_join(clients[i].thread, NULL);
    }
    double seconds = (double)(bench_now_us() - begin_us) / 1e6;
    for (size_t i = 0; i < count; i++) {
        accepted += clients[i].accepted;
        made += clients[i].made;
        histograms_add(&times, &clients[i].times);
        client_close(&clients[i]);
    }
    printf("{\"items\": %" PRIu64 ", \"other\": %" PRIu64
           ", \"seconds\": %.3f, \"rate\": %.1f, \"answer\": {\"count\": %" PRIu64
           ", \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64 ", \"max_us\": %" PRId64 "}}\n",
           accepted, made - accepted, seconds, (double)accepted / seconds, times.total,
           histogram_share_us(&times, 0.5), histogram_share_us(&times, 0.99), times.most_us);
    free(clients);
}

static void usage_print(void)
{
    (void)fputs("usage: kith-bench-peer intake|post|post-many --server CONNINFO --run NAME\n"
                "                       [--clients N] [--batch N] [--seconds S] [--accounts N]\n",
                stderr);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        { "server", required_argument, NULL, 's' },
        { "run", required_argument, NULL, 'r' },
        { "clients", required_argument, NULL, 'c' },
        { "batch", required_argument, NULL, 'b' },
        { "seconds", required_argument, NULL, 't' },
        { "accounts", required_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 },
    };
    struct options options = {
        .mode = "", .run = "r", .seconds = 1, .clients = 1, .batch = 1, .accounts = 1000
    };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 's':
            options.server = optarg;
            break;
        case 'r':
            options.run = optarg;
            break;
        case 'c':
            options.clients = bench_number("clients", optarg);
            break;
        case 'b':
            options.batch = bench_number("batch", optarg);
            break;
        case 't':
            options.seconds = bench_number("seconds", optarg);
            break;
        case 'a':
            options.accounts = bench_number("accounts", optarg);
            break;
        default:
            usage_print();
            return 2;
        }
    }
    options.mode = optind + 1 == argc ? argv[optind] : "";
    const struct work *work = work_find(options.mode);
    if (work == NULL || options.server == NULL || options.clients < 1 ||
        options.clients > CLIENTS_MAX || options.batch < 1 || options.batch > LIMIT_BATCH_ITEMS ||
        options.accounts < 2) {
        usage_print();
        return 2;
    }
    load_run(&options, work);
    return EXIT_SUCCESS;
}
