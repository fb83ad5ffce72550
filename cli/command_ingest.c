/* Files into ingestion. */
#include "cli/command.h"
#include "cli/loader.h"
#include "cli/options.h"
#include "cli/order.h"
#include "cli/output.h"
#include "cli/suite.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH_ROWS 1000
#define IN_FLIGHT 8
/* Rows a second that a batch is a tenth of. */
#define RATE_PARTS 10
#define RATE_MOST 100000000
#define SUITE_LOOK_MS 100

struct ingest {
    const struct invocation *invocation;
    const char *map_path;
    const char *order;
    const char *zone_name;
    uint64_t batch_rows;
    uint64_t in_flight;
    uint64_t rate;
    bool by_time;
    struct map *map;
    struct zone *zone;
    char folder[PATH_BYTES];
    char endpoint[SUITE_ENDPOINT_BYTES];
    struct input_file files[LOAD_FILES_MAX];
    struct hash128 digests[LOAD_FILES_MAX];
    const char *names[LOAD_FILES_MAX];
    size_t file_count;
    struct run_file *run;
    struct load_source *source;
    struct refusal refusal;
};

static int64_t wall_ms(void)
{
    struct timespec now = { 0 };
    int result = clock_gettime(CLOCK_REALTIME, &now);
    assert(result == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- options */

/* A slow rate in large batches would come in fits and starts. */
static void batch_fit(struct ingest *ingest)
{
    if (ingest->rate > 0 && ingest->rate / RATE_PARTS < BATCH_ROWS) {
        ingest->batch_rows = ingest->rate < RATE_PARTS ? 1 : ingest->rate / RATE_PARTS;
    }
}

static int numbers_check(const struct ingest *ingest)
{
    const struct invocation *invocation = ingest->invocation;
    if (ingest->batch_rows < 1 || ingest->batch_rows > LIMIT_BATCH_ITEMS) {
        return options_wrong_use(invocation, "--batch takes 1 to %d", LIMIT_BATCH_ITEMS);
    }
    if (ingest->in_flight < 1 || ingest->in_flight > LIMIT_IN_FLIGHT) {
        return options_wrong_use(invocation, "--in-flight takes 1 to %d", LIMIT_IN_FLIGHT);
    }
    if (ingest->rate > RATE_MOST) {
        return options_wrong_use(invocation, "--rate takes at most %d", RATE_MOST);
    }
    return EXIT_DONE;
}

static int words_check(const struct ingest *ingest, const struct words *words)
{
    const struct invocation *invocation = ingest->invocation;
    if (ingest->map_path == NULL) {
        return options_wrong_use(invocation,
                                 "--map is missing: it says how a row becomes an event");
    }
    if (!ingest->by_time && strcmp(ingest->order, "file") != 0) {
        return options_wrong_use(invocation, "--order takes file or time, not '%s'", ingest->order);
    }
    size_t standard = 0;
    for (size_t i = 0; i < words->count; i++) {
        standard += strcmp(words->texts[i], "-") == 0 ? 1 : 0;
    }
    return standard > 1 ? options_wrong_use(invocation, "'-' can stand once only") : EXIT_DONE;
}

static int options_take(struct ingest *ingest, struct words *words)
{
    static const char *const names[] = { "FILE" };
    struct option options[] = {
        { .name = "--map", .kind = OPTION_TEXT, .target = &ingest->map_path },
        { .name = "--order", .kind = OPTION_TEXT, .target = &ingest->order },
        { .name = "--rate", .kind = OPTION_NUMBER, .target = &ingest->rate },
        { .name = "--batch", .kind = OPTION_NUMBER, .target = &ingest->batch_rows },
        { .name = "--in-flight", .kind = OPTION_NUMBER, .target = &ingest->in_flight },
        { .name = "--zone", .kind = OPTION_TEXT, .target = &ingest->zone_name },
    };
    struct option_form form = { .options = options,
                                .option_count = sizeof options / sizeof options[0],
                                .word_names = names,
                                .words_least = 1,
                                .words_most = LOAD_FILES_MAX };
    int code = options_read(ingest->invocation, &form, words);
    ingest->by_time = strcmp(ingest->order, "time") == 0;
    if (!options[3].given) {
        batch_fit(ingest);
    }
    if (code == EXIT_DONE) {
        code = words_check(ingest, words);
    }
    return code == EXIT_DONE ? numbers_check(ingest) : code;
}

/* ---- what the suite says */

/* A suite that is just being started gets --wait to say where its days begin. */
static enum status suite_file_await(const struct ingest *ingest, struct suite_file *file,
                                    struct refusal *refusal)
{
    int64_t until_ms = suite_monotonic_ms() + ingest->invocation->wait_ms;
    const struct timespec pause = { .tv_nsec = SUITE_LOOK_MS * 1000000L };
    enum status status = suite_file_load(file, ingest->invocation->data, refusal);
    while (status == STATUS_NOT_FOUND && suite_monotonic_ms() < until_ms) {
        (void)nanosleep(&pause, NULL); /* cut short by a signal is as good */
        status = suite_file_load(file, ingest->invocation->data, refusal);
    }
    return status;
}

static enum status suite_zone_open(struct ingest *ingest, const struct suite_file *file)
{
    struct suite_config config = { .service_count = 0 };
    enum status status = suite_config_load(&config, file->config, &ingest->refusal);
    if (status == STATUS_OK) {
        status = zone_open(&ingest->zone, config.time_zone, &ingest->refusal);
        suite_config_release(&config);
    }
    return status;
}

static enum status shards_check(struct ingest *ingest, const struct suite_file *file)
{
    const struct suite_member *first = suite_file_find(file, "ingestion");
    if (first == NULL || first->shards == 1) {
        return STATUS_OK;
    }
    return refusal_set(&ingest->refusal, STATUS_UNIMPLEMENTED,
                       "this suite has %u shards of ingestion, and a load goes to one; set "
                       "services.ingestion.shards to 1 in %s",
                       first->shards, file->config);
}

/* Ingestion must be up and nothing else, so the suite's own file is only asked for what
 * cannot be known without it: where a day begins. */
static int suite_learn(struct ingest *ingest)
{
    bool needs_zone = map_needs_zone(ingest->map) && ingest->zone_name == NULL;
    struct suite_file *file = memory_allocate(sizeof *file);
    enum status status = needs_zone
                             ? suite_file_await(ingest, file, &ingest->refusal)
                             : suite_file_load(file, ingest->invocation->data, &ingest->refusal);
    bool is_there = status == STATUS_OK;
    if (status == STATUS_NOT_FOUND && needs_zone) {
        free(file);
        output_say("the suite in %s is not running, so where its days begin is not known; start "
                   "it with kith up, or name the zone: --zone Europe/Madrid",
                   ingest->invocation->data);
        return EXIT_UNREACHABLE;
    }
    status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (status == STATUS_OK && is_there) {
        status = shards_check(ingest, file);
    }
    if (status == STATUS_OK && needs_zone) {
        status = suite_zone_open(ingest, file);
    } else if (status == STATUS_OK) {
        status = zone_open(&ingest->zone, ingest->zone_name != NULL ? ingest->zone_name : "UTC",
                           &ingest->refusal);
    }
    free(file);
    return status == STATUS_OK ? EXIT_DONE : output_refusal(NULL, &ingest->refusal);
}

/* ---- files, run and source */

static enum status files_open(struct ingest *ingest, const struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        enum status status =
            input_file_open(&ingest->files[i], words->texts[i], ingest->folder, &ingest->refusal);
        if (status != STATUS_OK) {
            return status;
        }
        ingest->file_count++;
        ingest->digests[i] = ingest->files[i].digest;
        ingest->names[i] = ingest->files[i].name;
    }
    return STATUS_OK;
}

static enum status names_note(struct ingest *ingest)
{
    for (size_t i = 0; i < ingest->file_count; i++) {
        const struct input_file *file = &ingest->files[i];
        struct run_name name = { .source = ingest->map->source,
                                 .name = file->name,
                                 .content = file->digest };
        bool is_other = false;
        enum status status =
            file->is_spooled ? STATUS_OK
                             : run_name_note(ingest->folder, &name, &is_other, &ingest->refusal);
        if (status != STATUS_OK) {
            return status;
        }
        if (is_other && ingest->map->id_is_row) {
            output_say("warning: %s came before with other content, and with id: row each row of "
                       "it is a new event, also those that came before; for files that grow or "
                       "are exported again name the columns that tell rows apart in %s, such as "
                       "id: [order]",
                       file->name, ingest->map_path);
        }
    }
    return STATUS_OK;
}

static void past_tell(const struct ingest *ingest)
{
    const struct run_state *state = run_file_state(ingest->run);
    switch (run_file_past(ingest->run)) {
    case RUN_NEW:
        return;
    case RUN_RESUMED:
        output_say("going on with run %s, of which %" PRIu64 " rows are done", state->id,
                   state->counts.rows);
        return;
    case RUN_TOO_OLD:
        output_say("an earlier run was interrupted more than 7 days ago, and ingestion has "
                   "forgotten its keys; a new run begins, and what the earlier one brought will "
                   "count as duplicate");
        return;
    }
}

static enum status run_open(struct ingest *ingest)
{
    struct run_identity identity = { .files = ingest->digests,
                                     .names = ingest->names,
                                     .file_count = ingest->file_count,
                                     .map = ingest->map->digest,
                                     .by_time = ingest->by_time,
                                     .batch_rows = ingest->batch_rows };
    enum status status = run_file_open(&ingest->run, ingest->invocation->data, &identity, wall_ms(),
                                       &ingest->refusal);
    if (status == STATUS_OK) {
        past_tell(ingest);
        status = names_note(ingest);
    }
    return status;
}

static enum status source_open(struct ingest *ingest)
{
    struct load_source_options options = { .files = ingest->files,
                                           .file_count = ingest->file_count,
                                           .map = ingest->map,
                                           .zone = ingest->zone,
                                           .by_time = ingest->by_time,
                                           .folder = ingest->folder,
                                           .memory_bytes = ORDER_MEMORY_BYTES };
    load_source_close(&ingest->source);
    enum status status = load_source_open(&ingest->source, &options, &ingest->refusal);
    if (status == STATUS_OK) {
        status =
            load_source_seek(ingest->source, run_file_state(ingest->run)->place, &ingest->refusal);
    }
    /* On disk before the first batch leaves: its keys must not be forgotten. */
    return status == STATUS_OK ? run_file_save(ingest->run, wall_ms(), &ingest->refusal) : status;
}

/* ---- loading */

/* Signals become readable there, so that a run can end between two batches. -1: it cannot. */
static int stop_descriptor_open(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

static enum load_end load_once(struct ingest *ingest, int stop_descriptor)
{
    if (source_open(ingest) != STATUS_OK) {
        return LOAD_FAILED;
    }
    struct loader_options options = { .endpoint = ingest->endpoint,
                                      .source = ingest->source,
                                      .run = ingest->run,
                                      .source_name = ingest->map->source,
                                      .batch_rows = ingest->batch_rows,
                                      .in_flight = (unsigned)ingest->in_flight,
                                      .rate = ingest->rate,
                                      .wait_ms = ingest->invocation->wait_ms,
                                      .stop_descriptor = stop_descriptor };
    return loader_run(&options, &ingest->refusal);
}

/* A run that ingestion does not know as we do is given up once. */
static enum load_end load_run(struct ingest *ingest)
{
    int stop_descriptor = stop_descriptor_open();
    enum load_end end = load_once(ingest, stop_descriptor);
    if (end == LOAD_STALE) {
        output_say("run %s cannot go on: %s; a new run begins, and what it brought already will "
                   "count as duplicate",
                   run_file_state(ingest->run)->id, ingest->refusal.message);
        run_file_restart(ingest->run);
        end = load_once(ingest, stop_descriptor);
    }
    if (stop_descriptor >= 0) {
        (void)close(stop_descriptor);
    }
    return end;
}

/* ---- the result */

static void result_print(const struct ingest *ingest, int64_t spent_ms)
{
    const struct run_state *state = run_file_state(ingest->run);
    const struct run_counts *counts = &state->counts;
    if (ingest->invocation->json) {
        json_t *object = json_object();
        output_put(object, "rows", output_unsigned(counts->rows));
        output_put(object, "accepted", output_unsigned(counts->accepted));
        output_put(object, "duplicate", output_unsigned(counts->duplicate));
        output_put(object, "rejected", output_unsigned(counts->rejected));
        output_put(object, "run", output_text_or_null(state->id));
        output_put(object, "seconds", json_real((double)spent_ms / 1000));
        output_line(object);
    } else {
        (void)printf("%" PRIu64 " rows in %" PRId64 ".%" PRId64 " s: %" PRIu64 " accepted, %" PRIu64
                     " duplicate, %" PRIu64 " rejected\n",
                     counts->rows, spent_ms / 1000, spent_ms % 1000 / 100, counts->accepted,
                     counts->duplicate, counts->rejected);
        if (counts->rejected > 0) {
            (void)printf("what was rejected is kept; see it with: kith quarantine list --data %s\n",
                         ingest->invocation->data);
        }
    }
    (void)fflush(stdout);
}

/* The result is told before the run counts as finished: who did not hear it asks again and
 * hears the same. */
static int load_finish(struct ingest *ingest, int64_t spent_ms)
{
    result_print(ingest, spent_ms);
    run_file_state(ingest->run)->finished = true;
    return run_file_save(ingest->run, wall_ms(), &ingest->refusal) == STATUS_OK
               ? EXIT_DONE
               : output_refusal(NULL, &ingest->refusal);
}

static int load_interrupted(const struct ingest *ingest, enum load_end end)
{
    const struct run_state *state = run_file_state(ingest->run);
    if (end != LOAD_STOPPED) {
        (void)output_refusal("ingestion/0", &ingest->refusal);
    }
    output_say("run %s is interrupted after %" PRIu64 " rows; the same command goes on with it",
               state->id, state->counts.rows);
    return end == LOAD_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
}

static int load_all(struct ingest *ingest, const struct words *words)
{
    const char *data = ingest->invocation->data;
    enum status status = suite_endpoint(data, "ingestion", 0, "cmd", ingest->endpoint,
                                        sizeof ingest->endpoint, &ingest->refusal);
    if (status == STATUS_OK) {
        status = run_folder_make(data, ingest->folder, sizeof ingest->folder, &ingest->refusal);
    }
    if (status == STATUS_OK) {
        status = files_open(ingest, words);
    }
    if (status == STATUS_OK) {
        status = run_open(ingest);
    }
    if (status != STATUS_OK) {
        return output_refusal(NULL, &ingest->refusal);
    }
    int64_t begun_at_ms = suite_monotonic_ms();
    enum load_end end = load_run(ingest);
    int64_t spent_ms = suite_monotonic_ms() - begun_at_ms;
    if (end == LOAD_FAILED && ingest->source == NULL) {
        return output_refusal(NULL, &ingest->refusal); /* the files are at fault */
    }
    return end == LOAD_DONE ? load_finish(ingest, spent_ms) : load_interrupted(ingest, end);
}

static void ingest_close(struct ingest **ingest)
{
    struct ingest *closing = *ingest;
    load_source_close(&closing->source);
    run_file_close(&closing->run);
    for (size_t i = 0; i < closing->file_count; i++) {
        input_file_close(&closing->files[i]);
    }
    zone_close(&closing->zone);
    map_close(&closing->map);
    free(closing);
    *ingest = NULL;
}

static int ingest_run(const struct invocation *invocation)
{
    struct ingest *ingest = memory_allocate(sizeof *ingest);
    ingest->invocation = invocation;
    ingest->order = "file";
    ingest->batch_rows = BATCH_ROWS;
    ingest->in_flight = IN_FLIGHT;
    refusal_init(&ingest->refusal);
    struct words words = { 0 };
    int code = options_take(ingest, &words);
    if (code == EXIT_DONE &&
        map_open(&ingest->map, ingest->map_path, &ingest->refusal) != STATUS_OK) {
        code = output_refusal(NULL, &ingest->refusal);
    }
    if (code == EXIT_DONE) {
        code = suite_learn(ingest);
    }
    if (code == EXIT_DONE) {
        code = load_all(ingest, &words);
    }
    ingest_close(&ingest);
    return code;
}

const struct command commands_ingest[] = {
    { .name = "ingest",
      .usage = "ingest FILE... --map MAP [--order file|time] [--rate N] [--batch N] "
               "[--in-flight N] [--zone NAME]",
      .summary = "load files of rows as events",
      .help =
          "Sends each row of the files to ingestion as an event, as MAP says, and tells how many\n"
          "were accepted, were known already (duplicate), or went to the quarantine (rejected).\n"
          "A row that is no event by its map is kept there too: nothing is dropped.\n"
          "\n"
          "A load that was interrupted goes on when the same command is given again, and counts\n"
          "as if nothing had happened. A load that is done counts anew, mostly duplicates.\n"
          "\n"
          "  FILE             a file; '-' is standard input, which is copied to a temporary file\n"
          "                   below the suite's folder first, because the content is needed\n"
          "                   twice: for the identity of rows, and to go on after a crash\n"
          "  --map MAP        how a row becomes an event; see config/maps\n"
          "  --order time     sort the rows of all files by when they happened; file (the\n"
          "                   default) takes them as they stand\n"
          "  --rate N         rows a second at most\n"
          "  --batch N        rows that are sent together, 1 to 4096 (default: 1000, fewer with a\n"
          "                   low --rate); changes speed, never facts\n"
          "  --in-flight N    batches that may wait for their answer, 1 to 32 (default: 8)\n"
          "  --zone NAME      where a day without a time begins (default: the suite's zone)\n"
          "  --wait TIME      how long ingestion may be unreachable (default: 30s)\n"
          "\n"
          "examples:\n"
          "  kith ingest subscribers.csv --map config/maps/subscribers.yaml\n"
          "  kith ingest 2025.csv 2026.csv --map orders.yaml --order time --json\n"
          "  zcat rows.csv.gz | kith ingest - --map orders.yaml --rate 5000\n",
      .needs_suite = true,
      .run = ingest_run },
    { .name = NULL },
};
