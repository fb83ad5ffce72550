/*
 * The store and the journal without a service: turns as a shell makes them, at a steady rate,
 * over so many keys; how long a commit of the journal takes while checkpoints are made, and
 * while none are; and what memory is kept. bench/store starts it.
 *
 *   kith-bench-store FOLDER [OPTION...]   an empty folder; prints one line of JSON
 */
#include "common/store/store.h"

#include "bench/bench.h"
#include "bench/histogram.h"
#include "common/base/limits.h"
#include "common/journal/journal.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE "bench"
#define TABLE 1
#define MAP_BYTES ((size_t)32 * 1024 * 1024 * 1024)
/* What a shell has as its default, and reserves before each turn. */
#define MEMTABLE_BYTES ((size_t)256 * 1024 * 1024)
#define JOURNAL_AHEAD_BYTES ((size_t)4 * 1024 * 1024)
#define MEMORY_AHEAD_BYTES ((size_t)2 * 1024 * 1024)
#define KEY_BYTES 16
#define VALUE_BYTES 100
#define LOAD_RECORDS 1000 /* of a turn that fills the store */
#define SAMPLES_MAX 4096

struct options {
    const char *folder;
    double keys;
    double runs;    /* by turns with and without checkpoints */
    double seconds; /* of each */
    double rate;    /* records a second */
    double records; /* of a turn */
    double interval_ms;
    double checkpoints; /* then one more run, of so many; 0: none */
};

struct bench {
    struct options options;
    struct journal *journal;
    struct store *store;
    struct change change;
    struct block_builder builder;
    struct journal_position position;
    bool makes_checkpoints;
    int64_t checkpoint_at_us;
    uint64_t checkpoints; /* ended */
    uint64_t random;
    struct histogram commits;
    struct histogram turns; /* from when they were due */
    size_t sample_count;
    uint64_t samples[SAMPLES_MAX]; /* anonymous memory after each checkpoint */
};

static void status_check(enum status status, const char *what, const struct refusal *refusal)
{
    if (status != STATUS_OK) {
        bench_fail("%s: %s %s", what, status_code_text(status),
                   refusal == NULL ? "" : refusal->message);
    }
}

/* Memory that no file stands behind. */
static uint64_t anonymous_bytes(void)
{
    char line[256];
    uint64_t found = 0;
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) {
        bench_fail("there is no /proc/self/status");
    }
    while (fgets(line, sizeof line, file) != NULL) {
        static const char name[] = "RssAnon:";
        if (strncmp(line, name, sizeof name - 1) == 0) {
            found = (uint64_t)strtoull(line + sizeof name - 1, NULL, 10) * 1024;
        }
    }
    (void)fclose(file);
    return found;
}

/* ---- opening */

static void bench_open(struct bench *bench)
{
    static const struct store_table table = { TABLE, "keys", STORE_TABLE_TREE };
    char path[2][512];
    struct refusal refusal;
    refusal_init(&refusal);
    (void)snprintf(path[0], sizeof path[0], "%s/journal.mdb", bench->options.folder);
    (void)snprintf(path[1], sizeof path[1], "%s/state.mdb", bench->options.folder);
    struct journal_options journal = {
        .path = path[0],
        .service = SERVICE,
        .map_bytes = MAP_BYTES,
        .epoch = 1,
    };
    struct store_options store = {
        .path = path[1],
        .service = SERVICE,
        .schema = 1,
        .tables = &table,
        .table_count = 1,
        .map_bytes = MAP_BYTES,
        .memtable_bytes_max = MEMTABLE_BYTES,
        .has_flush_thread = true,
    };
    status_check(journal_open(&bench->journal, &journal, &refusal), path[0], &refusal);
    status_check(store_open(&bench->store, &store, &refusal), path[1], &refusal);
    bench->change = store_change(bench->store);
    bench->position = journal_end(bench->journal);
    bench->random = UINT64_C(0x9e3779b97f4a7c15);
    block_builder_init(&bench->builder);
}

static void bench_close(struct bench *bench)
{
    block_builder_release(&bench->builder);
    store_close(&bench->store);
    journal_close(&bench->journal);
}

/* ---- a turn */

static uint64_t draw(struct bench *bench)
{
    uint64_t x = bench->random;
    x ^= x >> 12U;
    x ^= x << 25U;
    x ^= x >> 27U;
    bench->random = x;
    return (x * UINT64_C(0x2545f4914f6cdd1d)) >> 16U;
}

/* The finalizer of SplitMix64: keys lie apart, as hashes of customers do. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30U)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27U)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31U);
}

/* One record: a fact in the block, a value in the state. */
static void record_put(struct bench *bench, uint64_t number)
{
    uint8_t key[KEY_BYTES];
    uint8_t value[VALUE_BYTES] = { 0 };
    be64_put(key, mix(number + 1));
    be64_put(key + 8, number);
    be64_put(value, draw(bench));
    struct fact fact = {
        .type = FACT_EVENT_ACCEPTED,
        .version = 1,
        .body = span_of(value, sizeof value),
    };
    (void)block_fact_add(&bench->builder, &fact);
    change_put(&bench->change, TABLE, span_of(key, sizeof key), span_of(value, sizeof value));
}

static void checkpoint_note(struct bench *bench)
{
    bench->checkpoints += 1;
    if (bench->sample_count < SAMPLES_MAX) {
        bench->samples[bench->sample_count++] = anonymous_bytes();
    }
}

/* What a shell does about checkpoints between two turns. */
static void checkpoints_make(struct bench *bench)
{
    struct store *store = bench->store;
    int64_t now_us = bench_now_us();
    bool is_due = now_us >= bench->checkpoint_at_us || store_wants_checkpoint(store);
    if (!store_checkpoint_running(store) && is_due) {
        store_checkpoint_begin(store, &bench->position);
        bench->checkpoint_at_us = now_us + (int64_t)(bench->options.interval_ms * 1000);
    }
    if (store_checkpoint_running(store)) {
        status_check(store_checkpoint_step(store), "checkpoint", NULL);
        if (!store_checkpoint_running(store)) {
            checkpoint_note(bench);
        }
    }
}

/* `first`: of keys in order; UINT64_MAX: each is drawn. */
static void turn_make(struct bench *bench, uint64_t first, uint64_t count, int64_t due_us)
{
    uint64_t keys = (uint64_t)bench->options.keys;
    int64_t wall_ms = bench_wall_ms();
    struct block block;
    status_check(journal_reserve(bench->journal, JOURNAL_AHEAD_BYTES), "room", NULL);
    status_check(store_reserve(bench->store, MEMORY_AHEAD_BYTES), "room", NULL);
    block_begin(&bench->builder, &bench->position, wall_ms, wall_ms);
    for (uint64_t i = 0; i < count; i++) {
        record_put(bench, first == UINT64_MAX ? draw(bench) % keys : first + i);
    }
    block_seal(&bench->builder, &bench->position, wall_ms, &block);
    int64_t begin_us = bench_now_us();
    status_check(journal_append(bench->journal, &block, 1), "append", NULL);
    int64_t end_us = bench_now_us();
    bench->position = block_position(&block);
    histogram_add(&bench->commits, end_us - begin_us);
    histogram_add(&bench->turns, end_us - due_us);
    status_check(store_turn_end(bench->store), "snapshot", NULL);
    if (bench->makes_checkpoints) {
        checkpoints_make(bench);
        status_check(store_turn_end(bench->store), "snapshot", NULL);
    }
}

/* ---- runs */

static void times_print(const char *name, const struct histogram *times)
{
    printf(", \"%s\": {\"count\": %" PRIu64 ", \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64
           ", \"p999_us\": %" PRId64 ", \"max_us\": %" PRId64 "}",
           name, times->total, histogram_share_us(times, 0.5), histogram_share_us(times, 0.99),
           histogram_share_us(times, 0.999), times->most_us);
}

static void keys_load(struct bench *bench)
{
    int64_t begin_us = bench_now_us();
    uint64_t keys = (uint64_t)bench->options.keys;
    bench->makes_checkpoints = true;
    for (uint64_t i = 0; i < keys; i += LOAD_RECORDS) {
        turn_make(bench, i, keys - i < LOAD_RECORDS ? keys - i : LOAD_RECORDS, begin_us);
    }
    status_check(store_checkpoint_whole(bench->store, &bench->position), "checkpoint", NULL);
    printf("{\"keys\": %" PRIu64 ", \"seconds\": %.3f, \"runs\": [", keys,
           (double)(bench_now_us() - begin_us) / 1e6);
}

/* Turns at the rate that was asked for, `seconds` long or until `checkpoints` have ended. */
static void run_make(struct bench *bench, bool makes_checkpoints, double seconds,
                     uint64_t checkpoints)
{
    double turn_us = bench->options.records * 1e6 / bench->options.rate;
    int64_t begin_us = bench_now_us();
    uint64_t turns = 0;
    bench->makes_checkpoints = makes_checkpoints;
    bench->checkpoint_at_us = begin_us + (int64_t)(bench->options.interval_ms * 1000);
    bench->commits = (struct histogram){ .total = 0 };
    bench->turns = (struct histogram){ .total = 0 };
    bench->checkpoints = 0;
    bench->sample_count = 0;
    for (int64_t now_us = begin_us; (double)(now_us - begin_us) < seconds * 1e6 &&
                                    (checkpoints == 0 || bench->checkpoints < checkpoints);
         now_us = bench_now_us()) {
        int64_t due_us = begin_us + (int64_t)((double)turns * turn_us);
        if (due_us > now_us) {
            (void)usleep((useconds_t)(due_us - now_us));
        }
        turn_make(bench, UINT64_MAX, (uint64_t)bench->options.records, due_us);
        turns += 1;
    }
    double took_s = (double)(bench_now_us() - begin_us) / 1e6;
    printf("{\"with_checkpoints\": %s, \"ended\": %" PRIu64
           ", \"seconds\": %.3f, \"records\": %.0f, \"anonymous\": %" PRIu64,
           makes_checkpoints ? "true" : "false", bench->checkpoints, took_s,
           (double)turns * bench->options.records, anonymous_bytes());
    times_print("commit", &bench->commits);
    times_print("turn", &bench->turns);
    printf(", \"anonymous_after\": [");
    for (size_t i = 0; i < bench->sample_count; i++) {
        printf("%s%" PRIu64, i == 0 ? "" : ", ", bench->samples[i]);
    }
    printf("]}");
    /* The next one begins with nothing to write down. */
    status_check(store_checkpoint_whole(bench->store, &bench->position), "checkpoint", NULL);
}

static void all_run(const struct options *options)
{
    struct bench *bench = memory_allocate(sizeof *bench);
    bench->options = *options;
    bench_open(bench);
    keys_load(bench);
    for (uint64_t i = 0; (double)i < options->runs; i++) {
        printf("%s", i == 0 ? "" : ", ");
        run_make(bench, i % 2 == 0, options->seconds, 0);
    }
    printf("]");
    if (options->checkpoints > 0) {
        printf(", \"long\": ");
        run_make(bench, true, 1e9, (uint64_t)options->checkpoints);
    }
    printf("}\n");
    bench_close(bench);
    free(bench);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        { "keys", required_argument, NULL, 0 },
        { "runs", required_argument, NULL, 1 },
        { "seconds", required_argument, NULL, 2 },
        { "rate", required_argument, NULL, 3 },
        { "records", required_argument, NULL, 4 },
        { "interval-ms", required_argument, NULL, 5 },
        { "checkpoints", required_argument, NULL, 6 },
        { NULL, 0, NULL, 0 },
    };
    struct options options = {
        .keys = 1e7, .runs = 6, .seconds = 30, .rate = 50000, .records = 100, .interval_ms = 5000
    };
    double *const places[] = { &options.keys,       &options.runs,    &options.seconds,
                               &options.rate,       &options.records, &options.interval_ms,
                               &options.checkpoints };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?') {
            return 2;
        }
        *places[option] = bench_number(long_options[option].name, optarg);
    }
    if (optind + 1 != argc || options.keys < 1 || options.records < 1 || options.rate <= 0 ||
        options.records > LOAD_RECORDS) {
        (void)fputs("usage: kith-bench-store FOLDER [--keys N] [--runs N] [--seconds S]\n"
                    "                       [--rate RECORDS] [--records N] [--interval-ms MS]\n"
                    "                       [--checkpoints N]\n",
                    stderr);
        return 2;
    }
    options.folder = argv[optind];
    all_run(&options);
    return EXIT_SUCCESS;
}
