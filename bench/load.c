/*
 * The load generator: sends requests over many connections, follows feeds, and says in one
 * line of JSON what it saw. bench/run starts it.
 *
 * A request's time runs from when it was due: with --rate that is its place in the schedule,
 * so that a service which stands still is charged for all that had to wait meanwhile.
 */
#include "bench/bench.h"
#include "bench/histogram.h"
#include "bench/keeper.h"
#include "bench/maker.h"
#include "bench/watcher.h"
#include "common/base/field.h"
#include "common/base/limits.h"

#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define CONNECTIONS_MAX 256
#define SLOTS_MAX 1024
#define WATCHERS_MAX 2
/* An unanswered request ends the run: nothing was killed, so nothing may be lost. */
#define ANSWER_US INT64_C(60000000)
/* How long facts may take to arrive after the last acknowledgement. */
#define ARRIVE_US INT64_C(30000000)
#define QUIET_US INT64_C(1000000)
/* How long an answer about readiness may take until it is asked again. */
#define READY_US 20000

struct options {
    const char *mode;
    const char *endpoint;
    const char *feed;
    const char *method;
    const char *run;
    double seconds;
    double rate;  /* items a second; 0: as fast as answers come */
    double items; /* 0: until the time is over */
    double batch;
    double connections;
    double in_flight; /* of each connection */
    double customers;
    bool sequential;
    size_t reader_count;
    const char *readers[KEEPER_READERS_MAX];
    size_t watch_count;
    const char *watches[WATCHERS_MAX];
};

/* A request that is on its way. */
struct slot {
    bool is_busy;
    int64_t due_us;
    uint64_t generation; /* tells answers of older requests apart */
};

/* When the events of a run of seqs were due and acknowledged. */
struct acknowledged {
    uint64_t first_seq;
    uint32_t count;
    int64_t due_us;
    int64_t at_us;
};

struct load {
    struct options options;
    void *context;
    size_t connection_count;
    struct channel connections[CONNECTIONS_MAX];
    size_t slot_count;
    struct slot slots[SLOTS_MAX];
    struct maker maker;
    struct keeper keeper;
    struct watcher watchers[WATCHERS_MAX];
    struct histogram times;
    struct histogram held; /* by the slowest reader: how long each pause was */
    struct buffer header;
    struct buffer body;
    int64_t begin_us;
    int64_t end_us;
    int64_t held_since_us; /* 0: not held */
    uint64_t requests;     /* sent */
    uint64_t busy;         /* of them not answered */
    uint64_t accepted;     /* items */
    uint64_t other;        /* items that came to something else */
    uint64_t newest_seq;
    size_t acknowledged_count;
    size_t acknowledged_capacity;
    struct acknowledged *acknowledged; /* only when feeds are watched */
};

/* ---- sending */

static void request_send(struct load *load, size_t index, int64_t due_us)
{
    struct slot *slot = &load->slots[index];
    slot->generation += 1;
    maker_next(&load->maker, bench_wall_ms(), &load->body);
    struct request_header header = {
        .request_id = slot->generation * SLOTS_MAX + index,
        .timeout_ms = 60000,
        .issued_at_ms = bench_wall_ms(),
    };
    (void)snprintf(header.method, sizeof header.method, "%s", maker_method(&load->maker));
    int size =
        snprintf(header.key, sizeof header.key, "%s.%" PRIu64, load->options.run, load->requests);
    header.key_size = (size_t)size;
    request_header_encode(&header, &load->header);
    struct channel *channel = &load->connections[index % load->connection_count];
    if (!channel_send(channel, buffer_span(&load->header), buffer_span(&load->body))) {
        bench_fail("%s takes no requests", load->options.endpoint);
    }
    slot->is_busy = true;
    slot->due_us = due_us;
    load->requests += 1;
    load->busy += 1;
}

static bool is_over(const struct load *load, int64_t now_us)
{
    return now_us >= load->end_us ||
           (load->options.items > 0 && (double)load->maker.made >= load->options.items);
}

/* When the next request has its turn. */
static int64_t next_due_us(const struct load *load, int64_t now_us)
{
    if (load->options.rate <= 0) {
        return now_us;
    }
    double done_us = (double)load->maker.made / load->options.rate * 1e6;
    return load->begin_us + (int64_t)done_us;
}

/* Readers that are too far behind make the load wait. */
static bool is_held(struct load *load, int64_t now_us)
{
    bool held = keeper_behind(&load->keeper) >= KEEPER_LAPS_MAX;
    if (held && load->held_since_us == 0) {
        load->held_since_us = now_us;
    } else if (!held && load->held_since_us != 0) {
        histogram_add(&load->held, now_us - load->held_since_us);
        load->held_since_us = 0;
    }
    return held;
}

/* Fills free slots with what is due. Returns when there will be more. */
static int64_t requests_send(struct load *load)
{
    int64_t now_us = bench_now_us();
    for (size_t i = 0; i < load->slot_count; i++) {
        if (is_over(load, now_us) || is_held(load, now_us)) {
            return now_us + ANSWER_US;
        }
        int64_t due_us = next_due_us(load, now_us);
        if (due_us > now_us) {
            return due_us;
        }
        if (!load->slots[i].is_busy) {
            request_send(load, i, due_us);
            now_us = bench_now_us();
        } else if (now_us - load->slots[i].due_us > ANSWER_US) {
            bench_fail("%s has not answered for a minute", load->options.endpoint);
        }
    }
    return now_us + ANSWER_US;
}

/* ---- answers */

/* The numbers of IngestRun and PostRun, which agree. */
enum { REPLY_RESULTS = 1, RUN_COUNT = 1, RUN_CODE = 2, RUN_FIRST = 3 };

static void acknowledged_note(struct load *load, const struct acknowledged *noted)
{
    if (load->options.watch_count == 0) {
        return;
    }
    if (load->acknowledged_count == load->acknowledged_capacity) {
        load->acknowledged_capacity =
            load->acknowledged_capacity == 0 ? 1024 : 2 * load->acknowledged_capacity;
        load->acknowledged = memory_resize(load->acknowledged, load->acknowledged_capacity *
                                                                   sizeof *load->acknowledged);
    }
    load->acknowledged[load->acknowledged_count++] = *noted;
}

static void run_count(struct load *load, struct span run, const struct slot *slot, int64_t now_us)
{
    uint64_t code = 0;
    struct acknowledged noted = { .due_us = slot->due_us, .at_us = now_us };
    struct field field = { .number = 0 };
    while (field_next(&run, &field) == FIELD_READ) {
        if (field.number == RUN_COUNT) {
            noted.count = (uint32_t)field.value;
        } else if (field.number == RUN_CODE) {
            code = field.value;
        } else if (field.number == RUN_FIRST) {
            noted.first_seq = field.value;
        }
    }
    if (code != 0) {
        load->other += noted.count;
        return;
    }
    load->accepted += noted.count;
    uint64_t last_seq = noted.first_seq + noted.count - 1;
    if (last_seq > load->newest_seq) {
        load->newest_seq = last_seq;
    }
    acknowledged_note(load, &noted);
}

static void answer_take(struct load *load, const struct channel *channel)
{
    int64_t now_us = bench_now_us();
    struct reply_header reply = channel_reply(channel);
    if (reply.refusal.status != STATUS_OK) {
        bench_fail("%s refuses: %s %s", load->options.endpoint,
                   status_code_text(reply.refusal.status), reply.refusal.message);
    }
    struct slot *slot = &load->slots[reply.request_id % SLOTS_MAX];
    if (!slot->is_busy || slot->generation != reply.request_id / SLOTS_MAX) {
        bench_fail("%s answers what nobody asked", load->options.endpoint);
    }
    histogram_add(&load->times, now_us - slot->due_us);
    slot->is_busy = false;
    load->busy -= 1;
    if (load->maker.kind == MAKER_SPEND) {
        load->accepted += 1;
        return;
    }
    struct span rest = buffer_span(&channel->body);
    struct field field = { .number = 0 };
    while (field_next(&rest, &field) == FIELD_READ) {
        if (field.number == REPLY_RESULTS) {
            run_count(load, field.bytes, slot, now_us);
        }
    }
}

static void answers_take(struct load *load)
{
    for (size_t i = 0; i < load->connection_count; i++) {
        while (channel_receive(&load->connections[i])) {
            answer_take(load, &load->connections[i]);
        }
    }
    keeper_acknowledged(&load->keeper, load->newest_seq);
    keeper_take(&load->keeper);
    for (size_t i = 0; i < load->options.watch_count; i++) {
        watcher_take(&load->watchers[i], true);
    }
}

/* ---- the loop */

static void wait_for_any(struct load *load, int64_t until_us)
{
    struct channel *all[CONNECTIONS_MAX + KEEPER_READERS_MAX + WATCHERS_MAX];
    size_t count = 0;
    int64_t due_us = until_us;
    for (size_t i = 0; i < load->connection_count; i++) {
        all[count++] = &load->connections[i];
    }
    for (size_t i = 0; i < load->keeper.count; i++) {
        all[count++] = &load->keeper.readers[i].channel;
    }
    for (size_t i = 0; i < load->options.watch_count; i++) {
        int64_t watch_us = watcher_due_us(&load->watchers[i]);
        due_us = watch_us < due_us ? watch_us : due_us;
        all[count++] = &load->watchers[i].channel;
    }
    channels_wait(all, count, due_us - bench_now_us());
}

/* All that readers are behind, too, belongs to the time that the load took. */
static void readers_settle(struct load *load)
{
    if (load->keeper.count == 0 || load->newest_seq == 0) {
        return;
    }
    /* The first asks about events and tells where derived feeds end, the second asks these. */
    for (int pass = 0; pass < 2; pass++) {
        keeper_lap(&load->keeper, load->newest_seq);
        while (keeper_behind(&load->keeper) > 0) {
            wait_for_any(load, bench_now_us() + ANSWER_US);
            keeper_take(&load->keeper);
        }
    }
}

static int64_t load_run(struct load *load)
{
    load->begin_us = bench_now_us();
    load->end_us = load->begin_us + (int64_t)(load->options.seconds * 1e6);
    for (;;) {
        int64_t until_us = requests_send(load);
        int64_t now_us = bench_now_us();
        if (load->busy == 0 && is_over(load, now_us)) {
            break;
        }
        int64_t end_us = now_us < load->end_us ? load->end_us : now_us + ANSWER_US;
        wait_for_any(load, until_us < end_us ? until_us : end_us);
        answers_take(load);
    }
    readers_settle(load);
    return bench_now_us() - load->begin_us;
}

/* ---- facts that go back to events */

static int acknowledged_compare(const void *a, const void *b)
{
    const struct acknowledged *left = a;
    const struct acknowledged *right = b;
    return left->first_seq < right->first_seq ? -1 : left->first_seq > right->first_seq;
}

/* The run of seqs that holds `seq`; NULL: it was before this load. */
static const struct acknowledged *acknowledged_find(const struct load *load, uint64_t seq)
{
    size_t low = 0;
    size_t high = load->acknowledged_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct acknowledged *run = &load->acknowledged[middle];
        if (seq < run->first_seq) {
            high = middle;
        } else if (seq >= run->first_seq + run->count) {
            low = middle + 1;
        } else {
            return run;
        }
    }
    return NULL;
}

static uint64_t facts_seen(const struct load *load)
{
    uint64_t facts = 0;
    for (size_t i = 0; i < load->options.watch_count; i++) {
        facts += load->watchers[i].facts;
    }
    return facts;
}

/* Waits until the feeds have had nothing more to say for a while. */
static void watchers_settle(struct load *load)
{
    int64_t now_us = bench_now_us();
    int64_t until_us = now_us + ARRIVE_US;
    int64_t quiet_us = now_us + QUIET_US;
    uint64_t seen = facts_seen(load);
    while (load->options.watch_count > 0 && now_us < until_us && now_us < quiet_us) {
        wait_for_any(load, quiet_us);
        answers_take(load);
        now_us = bench_now_us();
        quiet_us = facts_seen(load) == seen ? quiet_us : now_us + QUIET_US;
        seen = facts_seen(load);
    }
}

static void times_print(const char *name, const struct histogram *times)
{
    printf(", \"%s\": {\"count\": %" PRIu64 ", \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64
           ", \"max_us\": %" PRId64 "}",
           name, times->total, histogram_share_us(times, 0.5), histogram_share_us(times, 0.99),
           times->most_us);
}

static void watcher_print(const struct load *load, const struct watcher *watcher)
{
    struct histogram from_due = { .total = 0 };
    struct histogram from_acknowledged = { .total = 0 };
    for (size_t i = 0; i < watcher->count; i++) {
        const struct arrival *arrival = &watcher->arrivals[i];
        const struct acknowledged *run = acknowledged_find(load, arrival->cause);
        if (run != NULL) {
            histogram_add(&from_due, arrival->at_us - run->due_us);
            histogram_add(&from_acknowledged, arrival->at_us - run->at_us);
        }
    }
    char name[64];
    const char *feed = feed_reader_feed(watcher->reader)->name;
    (void)snprintf(name, sizeof name, "%s_from_due", feed);
    times_print(name, &from_due);
    (void)snprintf(name, sizeof name, "%s_from_acknowledged", feed);
    times_print(name, &from_acknowledged);
}

/* ---- modes */

/* NAME=ENDPOINT@SEQ: a feed, from behind SEQ on. */
static void watcher_add(struct load *load, size_t index)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", load->options.watches[index]);
    char *equals = strchr(text, '=');
    char *at = strrchr(text, '@');
    if (equals == NULL || at == NULL || at < equals) {
        bench_fail("a watched feed is NAME=ENDPOINT@SEQ, not '%s'", text);
    }
    *equals = '\0';
    *at = '\0';
    bool is_loyalty = strcmp(text, "loyalty") == 0;
    struct watcher_options options = {
        .feed = text,
        .endpoint = equals + 1,
        .type = is_loyalty ? FACT_POINTS_EARNED : FACT_SEGMENT_ENTERED,
        .after = (uint64_t)bench_number("watch", at + 1),
    };
    watcher_open(&load->watchers[index], load->context, &options);
}

static enum maker_kind kind_of(const char *method)
{
    if (strcmp(method, "post") == 0) {
        return MAKER_POST;
    }
    if (strcmp(method, "spend") == 0) {
        return MAKER_SPEND;
    }
    if (strcmp(method, "ingest") != 0) {
        bench_fail("--method is ingest, post or spend, not '%s'", method);
    }
    return MAKER_INGEST;
}

static void load_open(struct load *load)
{
    const struct options *options = &load->options;
    load->connection_count = (size_t)options->connections;
    load->slot_count = load->connection_count * (size_t)options->in_flight;
    if (load->connection_count < 1 || load->connection_count > CONNECTIONS_MAX ||
        load->slot_count < 1 || load->slot_count > SLOTS_MAX ||
        options->in_flight > LIMIT_IN_FLIGHT) {
        bench_fail("1 to %d connections, each with 1 to %d in flight, %d in all", CONNECTIONS_MAX,
                   LIMIT_IN_FLIGHT, SLOTS_MAX);
    }
    load->maker.kind = kind_of(options->method);
    load->maker.batch = (uint32_t)options->batch;
    load->maker.customers = (uint32_t)options->customers;
    load->maker.sequential = options->sequential;
    (void)snprintf(load->maker.run, sizeof load->maker.run, "%s.", options->run);
    maker_init(&load->maker);
    buffer_init(&load->header, LIMIT_HEADER_BYTES);
    buffer_init(&load->body, LIMIT_BODY_BYTES);
    for (size_t i = 0; i < load->connection_count; i++) {
        channel_open(&load->connections[i], load->context, options->endpoint);
    }
    for (size_t i = 0; i < options->reader_count; i++) {
        keeper_add(&load->keeper, load->context, options->readers[i]);
    }
    for (size_t i = 0; i < options->watch_count; i++) {
        watcher_add(load, i);
    }
}

static void load_close(struct load *load)
{
    for (size_t i = 0; i < load->connection_count; i++) {
        channel_close(&load->connections[i]);
    }
    for (size_t i = 0; i < load->options.watch_count; i++) {
        watcher_release(&load->watchers[i]);
    }
    keeper_release(&load->keeper);
    maker_release(&load->maker);
    buffer_release(&load->header);
    buffer_release(&load->body);
    free(load->acknowledged);
}

static void send_run(const struct options *options, void *context)
{
    struct load *load = memory_allocate(sizeof *load);
    load->options = *options;
    load->context = context;
    load_open(load);
    int64_t took_us = load_run(load);
    watchers_settle(load);
    printf("{\"items\": %" PRIu64 ", \"other\": %" PRIu64 ", \"requests\": %" PRIu64
           ", \"seconds\": %.3f, \"rate\": %.1f, \"newest_seq\": %" PRIu64,
           load->accepted, load->other, load->requests, (double)took_us / 1e6,
           (double)load->accepted * 1e6 / (double)took_us, load->newest_seq);
    times_print("answer", &load->times);
    times_print("held", &load->held);
    if (load->acknowledged_count > 0) {
        qsort(load->acknowledged, load->acknowledged_count, sizeof *load->acknowledged,
              acknowledged_compare);
    }
    for (size_t i = 0; i < options->watch_count; i++) {
        watcher_print(load, &load->watchers[i]);
    }
    printf("}\n");
    load_close(load);
    free(load);
}

/* Reads a feed from its first fact to its end. */
static void count_run(const struct options *options, void *context)
{
    struct watcher watcher;
    struct watcher_options from_begin = { .feed = options->run,
                                          .endpoint = options->feed,
                                          .type = FACT_EVENT_ACCEPTED };
    int64_t begin_us = bench_now_us();
    watcher_open(&watcher, context, &from_begin);
    while (!watcher_at_end(&watcher)) {
        struct channel *channel = &watcher.channel;
        watcher_take(&watcher, false);
        if (!watcher_at_end(&watcher)) {
            channels_wait(&channel, 1, watcher_due_us(&watcher) - bench_now_us());
        }
        if (feed_reader_is_silent(watcher.reader)) {
            bench_fail("%s does not answer", options->feed);
        }
    }
    double seconds = (double)(bench_now_us() - begin_us) / 1e6;
    printf("{\"events\": %" PRIu64 ", \"seconds\": %.3f, \"rate\": %.1f}\n", watcher.facts, seconds,
           (double)watcher.facts / seconds);
    watcher_release(&watcher);
}

/* Whether the service says that it is ready. A connection that is older than the process would
 * only connect again after a while, so each question has a new one. */
static bool is_ready(void *context, const char *endpoint)
{
    enum { STATUS_READY = 6 };
    struct channel channel;
    struct channel *one = &channel;
    bool ready = false;
    channel_open(&channel, context, endpoint);
    bool asked = channel_ask(&channel, "service.Status", 1, span_of(NULL, 0));
    channels_wait(&one, 1, READY_US);
    if (asked && channel_receive(&channel)) {
        struct span rest = buffer_span(&channel.body);
        struct field field = { .number = 0 };
        while (field_next(&rest, &field) == FIELD_READ) {
            ready = ready || (field.number == STATUS_READY && field.value != 0);
        }
    }
    channel_close(&channel);
    return ready;
}

static void ready_run(const struct options *options, void *context)
{
    int64_t until_us = bench_now_us() + (int64_t)(options->seconds * 1e6);
    while (!is_ready(context, options->endpoint)) {
        if (bench_now_us() >= until_us) {
            bench_fail("%s is not ready after %.0f s", options->endpoint, options->seconds);
        }
    }
    printf("{\"ready\": true}\n");
}

/* ---- options */

static void usage_print(void)
{
    (void)fputs("usage: kith-bench-load send --to ENDPOINT --run NAME [OPTION...]\n"
                "       kith-bench-load count --feed ENDPOINT --run FEED\n"
                "       kith-bench-load ready --to ENDPOINT [--seconds S]\n"
                "\n"
                "  --method M         ingest, post or spend\n"
                "  --batch N          items of a request; 1\n"
                "  --connections N    1\n"
                "  --in-flight N      requests of each connection; 1\n"
                "  --seconds S        how long; 1\n"
                "  --items N          at most so many\n"
                "  --rate R           items a second; as many as are answered otherwise\n"
                "  --customers N      1000\n"
                "  --sequential       each customer once, in order\n"
                "  --reader S=E       keep to what SERVICE at its feed socket E can follow\n"
                "  --watch F=E@SEQ    note when facts of FEED arrive, from behind SEQ on\n",
                stderr);
}

enum option_number {
    OPTION_TO = 1,
    OPTION_FEED,
    OPTION_RUN,
    OPTION_METHOD,
    OPTION_SEQUENTIAL,
    OPTION_READER,
    OPTION_WATCH,
    OPTION_NUMBERS /* those that are numbers come after, in the order of number_places */
};

static const struct option long_options[] = {
    { "to", required_argument, NULL, OPTION_TO },
    { "feed", required_argument, NULL, OPTION_FEED },
    { "run", required_argument, NULL, OPTION_RUN },
    { "method", required_argument, NULL, OPTION_METHOD },
    { "sequential", no_argument, NULL, OPTION_SEQUENTIAL },
    { "reader", required_argument, NULL, OPTION_READER },
    { "watch", required_argument, NULL, OPTION_WATCH },
    { "batch", required_argument, NULL, OPTION_NUMBERS },
    { "connections", required_argument, NULL, OPTION_NUMBERS + 1 },
    { "in-flight", required_argument, NULL, OPTION_NUMBERS + 2 },
    { "seconds", required_argument, NULL, OPTION_NUMBERS + 3 },
    { "items", required_argument, NULL, OPTION_NUMBERS + 4 },
    { "rate", required_argument, NULL, OPTION_NUMBERS + 5 },
    { "customers", required_argument, NULL, OPTION_NUMBERS + 6 },
    { NULL, 0, NULL, 0 },
};

static void list_add(const char **list, size_t *count, size_t most, const char *text)
{
    if (*count == most) {
        bench_fail("at most %zu of them: %s", most, text);
    }
    list[(*count)++] = text;
}

static void option_take(struct options *options, int option, const char *text)
{
    double *const number_places[] = {
        &options->batch, &options->connections, &options->in_flight, &options->seconds,
        &options->items, &options->rate,        &options->customers,
    };
    switch (option) {
    case OPTION_TO:
        options->endpoint = text;
        break;
    case OPTION_FEED:
        options->feed = text;
        break;
    case OPTION_RUN:
        options->run = text;
        break;
    case OPTION_METHOD:
        options->method = text;
        break;
    case OPTION_SEQUENTIAL:
        options->sequential = true;
        break;
    case OPTION_READER:
        list_add(options->readers, &options->reader_count, KEEPER_READERS_MAX, text);
        break;
    case OPTION_WATCH:
        list_add(options->watches, &options->watch_count, WATCHERS_MAX, text);
        break;
    default:
        assert(option >= OPTION_NUMBERS);
        *number_places[option - OPTION_NUMBERS] = bench_number(long_options[option - 1].name, text);
    }
}

int main(int argc, char **argv)
{
    struct options options = { .method = "ingest",
                               .run = "",
                               .seconds = 1,
                               .batch = 1,
                               .connections = 1,
                               .in_flight = 1,
                               .customers = 1000 };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?') {
            usage_print();
            return 2;
        }
        option_take(&options, option, optarg);
    }
    options.mode = optind + 1 == argc ? argv[optind] : "";
    bool sends = strcmp(options.mode, "send") == 0 && options.endpoint != NULL;
    bool counts = strcmp(options.mode, "count") == 0 && options.feed != NULL;
    bool asks = strcmp(options.mode, "ready") == 0 && options.endpoint != NULL;
    if ((!sends && !counts && !asks) || strlen(options.run) > MAKER_RUN_BYTES - 2 ||
        options.batch < 1 || options.batch > LIMIT_BATCH_ITEMS || options.customers < 1) {
        usage_print();
        return 2;
    }
    void *context = zmq_ctx_new();
    if (sends) {
        send_run(&options, context);
    } else if (counts) {
        count_run(&options, context);
    } else {
        ready_run(&options, context);
    }
    (void)zmq_ctx_term(context);
    return EXIT_SUCCESS;
}
