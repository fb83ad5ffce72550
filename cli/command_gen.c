/* A telecom operator's life, made up: events, the map that reads them, and what they add up to. */
#include "cli/command.h"
#include "cli/gen_file.h"
#include "cli/gen_text.h"
#include "cli/gen_truth.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/suite.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEED_DEFAULT 1
#define SMALL_FILE_BYTES 65536
/* The clock is read once for so many visits, and once for so many counted subscribers. */
#define VISITS_A_LOOK 4096
#define SUBSCRIBERS_A_LOOK 256
/* A day that is counted again costs so much of one that is written: there is no text. */
#define COUNTING_COST 0.4

struct gen {
    const struct invocation *invocation;
    uint64_t subscribers;
    uint64_t months;
    uint64_t seed;
    uint64_t events; /* to stop after; UINT64_MAX: all */
    const char *detail;
    const char *folder;
    struct gen_world world;
    struct gen_file file;
    struct gen_slot slot;
    struct gen_truth truth;
    struct progress progress;
    double writing_share; /* of all work */
    int64_t begun_at_ms;
    struct refusal refusal;
};

/* ---- options */

static int options_check(const struct gen *gen)
{
    const struct invocation *invocation = gen->invocation;
    if (gen->subscribers < 1 || gen->subscribers > GEN_SUBSCRIBERS_MAX) {
        return options_wrong_use(invocation, "--subscribers takes 1 to %d", GEN_SUBSCRIBERS_MAX);
    }
    if (gen->months < 1 || gen->months > GEN_MONTHS_MAX) {
        return options_wrong_use(invocation, "--months takes 1 to %d", GEN_MONTHS_MAX);
    }
    if (gen->events < 1) {
        return options_wrong_use(invocation, "--events takes at least 1");
    }
    if (strcmp(gen->detail, "days") != 0 && strcmp(gen->detail, "calls") != 0) {
        return options_wrong_use(invocation, "--detail takes days or calls, not '%s'", gen->detail);
    }
    if (gen->folder == NULL) {
        return options_wrong_use(invocation,
                                 "--out is missing: it names the folder that is written");
    }
    return EXIT_DONE;
}

static int options_take(struct gen *gen)
{
    struct option options[] = {
        { .name = "--subscribers", .kind = OPTION_NUMBER, .target = &gen->subscribers },
        { .name = "--months", .kind = OPTION_NUMBER, .target = &gen->months },
        { .name = "--seed", .kind = OPTION_NUMBER, .target = &gen->seed },
        { .name = "--events", .kind = OPTION_NUMBER, .target = &gen->events },
        { .name = "--detail", .kind = OPTION_TEXT, .target = &gen->detail },
        { .name = "--out", .kind = OPTION_TEXT, .target = &gen->folder },
    };
    struct option_form form = { .options = options,
                                .option_count = sizeof options / sizeof options[0] };
    int code = options_read(gen->invocation, &form, /* words= */ NULL);
    if (code == EXIT_DONE && (!options[0].given || !options[1].given)) {
        code = options_wrong_use(gen->invocation, "%s is missing",
                                 options[0].given ? "--months" : "--subscribers");
    }
    return code == EXIT_DONE ? options_check(gen) : code;
}

/* ---- how far it is */

static void tell(struct gen *gen, double share)
{
    struct progress_state state = { .rows = gen->truth.events, .share = share };
    progress_tell(&gen->progress, &state, suite_monotonic_ms());
}

/* By days or by the events that are wanted, whichever comes first. */
static void tell_writing(struct gen *gen, const struct gen_visit *visit)
{
    double passes = visit->date.day * GEN_PASSES + visit->pass;
    double by_days = (passes + (double)visit->position / gen->world.subscribers) /
                     ((double)gen->world.days * GEN_PASSES);
    double by_events = (double)gen->truth.events / (double)gen->events;
    tell(gen, gen->writing_share * (by_days > by_events ? by_days : by_events));
}

/* ---- events */

static bool is_enough(const struct gen *gen)
{
    return gen->truth.events == gen->events;
}

static enum status visit_write(struct gen *gen, const struct gen_visit *visit)
{
    struct gen_line line = { .slot = &gen->slot, .date = &visit->date };
    for (size_t i = 0; i < gen->slot.count && !is_enough(gen); i++) {
        char *room = NULL;
        enum status status = gen_file_line(&gen->file, &room, &gen->refusal);
        if (status != STATUS_OK) {
            return status;
        }
        gen_truth_event(&gen->truth, &gen->slot.events[i]);
        line.event = &gen->slot.events[i];
        line.at_ms = gen_visit_at_ms(&gen->world, visit, (uint32_t)i);
        line.number = gen->truth.events;
        gen_file_take(&gen->file, gen_line_write(&gen->world, &line, room));
        gen->truth.end = (struct gen_end){ .visit = *visit, .count = i + 1, .at_ms = line.at_ms };
    }
    return STATUS_OK;
}

/* Everybody once. */
static enum status pass_write(struct gen *gen, struct gen_visit *visit)
{
    visit->number = gen_walk_number(&gen->world, visit->date.day, visit->pass, 0);
    enum status status = STATUS_OK;
    for (visit->position = 0;
         visit->position < gen->world.subscribers && !is_enough(gen) && status == STATUS_OK;
         visit->position++) {
        gen_slot_fill(&gen->world, visit, &gen->slot);
        status = visit_write(gen, visit);
        visit->number = gen_walk_next(&gen->world, visit->number);
        if (visit->position % VISITS_A_LOOK == 0) {
            tell_writing(gen, visit);
        }
    }
    return status;
}

static enum status days_write(struct gen *gen)
{
    enum status status = STATUS_OK;
    for (int32_t day = 0; day < gen->world.days && !is_enough(gen); day++) {
        struct gen_visit visit = { .date = gen_date_of(&gen->world, day) };
        for (; visit.pass < GEN_PASSES && status == STATUS_OK; visit.pass++) {
            status = pass_write(gen, &visit);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return gen_file_flush(&gen->file, &gen->refusal);
}

/* ---- the other files */

static void subscribers_count(struct gen *gen)
{
    assert(gen->truth.events > 0); /* the first subscriber is there on day 0 */
    for (uint32_t number = 0; number < gen->world.subscribers; number++) {
        gen_truth_subscriber(&gen->world, &gen->truth, number);
        if (number % SUBSCRIBERS_A_LOOK == 0) {
            double counted = (double)number / gen->world.subscribers;
            tell(gen, gen->writing_share + (1 - gen->writing_share) * counted);
        }
    }
}

static enum status map_write(struct gen *gen)
{
    struct buffer text;
    buffer_init(&text, SMALL_FILE_BYTES);
    gen_map_write(gen->seed, &text);
    enum status status = gen_file_write(gen->folder, "map.yaml", buffer_span(&text), &gen->refusal);
    buffer_release(&text);
    return status;
}

static enum status truth_write(struct gen *gen)
{
    char text[SMALL_FILE_BYTES];
    json_t *truth = gen_truth_json(&gen->truth);
    size_t size = json_dumpb(truth, text, sizeof text - 1, JSON_INDENT(2));
    json_decref(truth);
    assert(size > 0 && size < sizeof text);
    text[size++] = '\n';
    return gen_file_write(gen->folder, "truth.json", span_of(text, size), &gen->refusal);
}

/* ---- the command */

/* The truth comes last: a folder that has it is whole. */
static enum status folder_write(struct gen *gen)
{
    enum status status = gen_folder_make(gen->folder, &gen->refusal);
    if (status == STATUS_OK) {
        status = gen_file_open(&gen->file, gen->folder, "events.ndjson", &gen->refusal);
    }
    if (status == STATUS_OK) {
        status = days_write(gen);
    }
    if (status == STATUS_OK) {
        status = map_write(gen);
    }
    if (status == STATUS_OK) {
        subscribers_count(gen);
        status = truth_write(gen);
    }
    return status;
}

static void summary_print(const struct gen *gen)
{
    char until[TIME_TEXT_BYTES];
    time_format(gen->truth.end.at_ms, until);
    json_t *object = json_object();
    output_put(object, "folder", output_text(span_of_text(gen->folder)));
    output_put(object, "events", output_unsigned(gen->truth.events));
    output_put(object, "customers", output_unsigned(gen->truth.customers));
    output_put(object, "bytes", output_unsigned(gen->file.bytes));
    output_put(object, "until", output_text(span_of_text(until)));
    output_put(object, "elapsed_ms", json_integer(suite_monotonic_ms() - gen->begun_at_ms));
    output_object(gen->invocation, object);
}

static int gen_make(struct gen *gen)
{
    struct gen_settings settings = { .subscribers = (uint32_t)gen->subscribers,
                                     .months = (uint32_t)gen->months,
                                     .seed = gen->seed,
                                     .calls = strcmp(gen->detail, "calls") == 0 };
    gen_world_init(&gen->world, &settings);
    double counted = gen->world.days < GEN_TRUTH_DAYS ? gen->world.days : GEN_TRUTH_DAYS;
    gen->writing_share = gen->world.days / (gen->world.days + counted * COUNTING_COST);
    gen->begun_at_ms = suite_monotonic_ms();
    struct progress_state begin = { .rows = 0 };
    progress_begin(&gen->progress, &begin, gen->begun_at_ms);
    enum status status = folder_write(gen);
    progress_end(&gen->progress);
    if (status != STATUS_OK) {
        return output_refusal(NULL, &gen->refusal);
    }
    if (gen->events != UINT64_MAX && !is_enough(gen)) {
        output_say("%" PRIu64 " months of %" PRIu64 " subscribers have %" PRIu64 " events and no "
                   "more",
                   gen->months, gen->subscribers, gen->truth.events);
    }
    summary_print(gen);
    return EXIT_DONE;
}

static int gen_run(const struct invocation *invocation)
{
    struct gen *gen = memory_allocate(sizeof *gen);
    gen->invocation = invocation;
    gen->seed = SEED_DEFAULT;
    gen->events = UINT64_MAX;
    gen->detail = "days";
    refusal_init(&gen->refusal);
    int code = options_take(gen);
    if (code == EXIT_DONE) {
        code = gen_make(gen);
    }
    gen_file_close(&gen->file);
    free(gen);
    return code;
}

const struct command commands_gen[] = {
    { .name = "gen",
      .usage = "gen --subscribers N --months M --out DIR [--seed S] [--events N] "
               "[--detail days|calls]",
      .summary = "make up a telecom operator's events, and what they add up to",
      .help =
          "Writes the life of a made-up operator: subscribers with plan, region, handset, age,\n"
          "household and company, their usage, bills, recharges, purchases, contacts, ratings,\n"
          "complaints and referrals; some change their plan, some leave. Students, workers,\n"
          "parents, managers and seniors each have habits of their own. No person is real, and\n"
          "no address or phone number can be anybody's.\n"
          "\n"
          "The same arguments give the same bytes. The life begins on 2022-01-01 (UTC).\n"
          "\n"
          "  DIR/events.ndjson  one event a line, in the order of time\n"
          "  DIR/map.yaml       how `kith ingest` reads them\n"
          "  DIR/truth.json     what a suite with config/demo.yaml must say after the last event:\n"
          "                     events, customers, revenue, points, members of each segment\n"
          "\n"
          "  --subscribers N    1 to 10000000; about 40 events a month each\n"
          "  --months M         1 to 48\n"
          "  --out DIR          the folder; new, or empty\n"
          "  --seed S           another number is another life (default: 1)\n"
          "  --events N         stop after so many; the truth is that of these\n"
          "  --detail calls     each call, message and data session is an event; otherwise one a\n"
          "                     day and kind with their sum (days, the default)\n"
          "\n"
          "examples:\n"
          "  kith gen --subscribers 1000 --months 3 --seed 7 --out /tmp/operator\n"
          "  kith ingest --map /tmp/operator/map.yaml /tmp/operator/events.ndjson\n"
          "  kith gen --subscribers 200000 --months 12 --events 10000000 --out /srv/life --json\n",
      .run = gen_run },
    { .name = NULL },
};
