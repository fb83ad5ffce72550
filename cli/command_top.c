/* What the services do at this moment: rates between two looks, lag, memory, positions. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_usage.h"
#include "cli/status_board.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS_DEFAULT 1000
#define EVERY_MS_LEAST 100
#define BYTES_PER_MB (1024.0 * 1024.0)

/* One service's shard at one look. */
struct look {
    bool is_there;
    int64_t at_ms; /* monotonic */
    uint64_t seq;
    uint64_t folded; /* positions of all its feeds together */
    bool has_usage;
    struct process_usage usage;
};

struct top {
    int64_t every_ms;
    uint64_t rounds; /* 0: for ever */
    bool is_terminal;
    struct look looks[SUITE_MEMBERS_MAX];
};

static uint64_t positions_sum(json_t *applied)
{
    uint64_t sum = 0;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(applied, key, value)
    {
        sum += (uint64_t)json_integer_value(value);
    }
    return sum;
}

static struct look look_of(const json_t *service)
{
    struct look look = { .at_ms = suite_monotonic_ms() };
    const json_t *seq = json_object_get(service, "seq");
    const json_t *pid = json_object_get(service, "pid");
    look.is_there = json_is_integer(seq);
    look.seq = (uint64_t)json_integer_value(seq);
    look.folded = positions_sum(json_object_get(service, "applied"));
    look.has_usage =
        json_is_integer(pid) && process_usage_read((pid_t)json_integer_value(pid), &look.usage);
    return look;
}

/* How much more there is than before, each second. A service that began anew counts from 0. */
static json_t *rate_json(uint64_t before, uint64_t now, int64_t spent_ms)
{
    if (spent_ms <= 0 || now < before) {
        return json_null();
    }
    return output_unsigned((now - before) * 1000 / (uint64_t)spent_ms);
}

static void rates_put(json_t *row, const struct look *before, const struct look *now)
{
    int64_t spent_ms = now->at_ms - before->at_ms;
    bool both = before->is_there && now->is_there;
    bool has_cpu =
        before->has_usage && now->has_usage && now->usage.pid == before->usage.pid && spent_ms > 0;
    output_put(row, "facts_per_s", both ? rate_json(before->seq, now->seq, spent_ms) : json_null());
    output_put(row, "folded_per_s",
               both ? rate_json(before->folded, now->folded, spent_ms) : json_null());
    output_put(row, "cpu_percent",
               has_cpu ? rate_json(before->usage.cpu_ms / 10, now->usage.cpu_ms / 10, spent_ms)
                       : json_null());
    output_put(row, "memory_mb",
               now->has_usage
                   ? json_integer((json_int_t)((double)now->usage.anonymous_bytes / BYTES_PER_MB))
                   : json_null());
}

static void copy_put(json_t *row, const json_t *service, const char *key)
{
    output_put(row, key, json_incref(json_object_get(service, key)));
}

static json_t *row_of(struct top *top, size_t index, const json_t *service)
{
    struct look now = look_of(service);
    json_t *row = json_object();
    copy_put(row, service, "name");
    copy_put(row, service, "shard");
    copy_put(row, service, "state");
    copy_put(row, service, "ready");
    rates_put(row, &top->looks[index], &now);
    copy_put(row, service, "lag");
    copy_put(row, service, "lag_seconds");
    copy_put(row, service, "seq");
    copy_put(row, service, "applied");
    copy_put(row, service, "restarts");
    top->looks[index] = now;
    return row;
}

/* For people: what fits 80 columns; the rest is in --json and in `kith status`. */
static json_t *person_rows(const json_t *rows)
{
    static const char *const keys[][2] = {
        { "name", "name" },
        { "shard", "shard" },
        { "state", "state" },
        { "facts/s", "facts_per_s" },
        { "folded/s", "folded_per_s" },
        { "cpu %", "cpu_percent" },
        { "mb", "memory_mb" },
        { "lag", "lag" },
        { "lag s", "lag_seconds" },
        { "seq", "seq" },
    };
    json_t *shown = json_array();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_object();
        for (size_t j = 0; j < sizeof keys / sizeof keys[0]; j++) {
            output_put(row, keys[j][0],
                       json_incref(json_object_get(json_array_get(rows, i), keys[j][1])));
        }
        (void)json_array_append_new(shown, row);
    }
    return shown;
}

static json_t *rows_read(struct top *top, struct status_board *board)
{
    json_t *services = status_board_read(board);
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(services) && i < SUITE_MEMBERS_MAX; i++) {
        (void)json_array_append_new(rows, row_of(top, i, json_array_get(services, i)));
    }
    json_decref(services);
    return rows;
}

static void rows_show(const struct invocation *invocation, const struct top *top,
                      const struct status_board *board, json_t *rows)
{
    if (invocation->json) {
        json_t *object = json_object();
        output_put(object, "now", board->has_now ? output_time(board->now_ms) : json_null());
        output_put(object, "services", json_incref(rows));
        output_line(object);
        return;
    }
    json_t *now = board->has_now ? output_time(board->now_ms) : json_string("unknown");
    /* Home, and what is left of the last look is wiped behind the new one: no flicker. */
    (void)fputs(top->is_terminal ? "\033[H\033[2J" : "", stdout);
    (void)printf("now %s\n\n", json_string_value(now));
    json_decref(now);
    json_t *shown = person_rows(rows);
    listing_print(shown, stdout, output_width(stdout));
    json_decref(shown);
    (void)fputs(top->is_terminal ? "\nend with Ctrl-C\n" : "\n", stdout);
}

/* What ends the loop in order. */
static sigset_t endings(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    return signals;
}

/* True: it is time to end. */
static bool pause_ms(int64_t ms)
{
    sigset_t signals = endings();
    struct timespec left = { .tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000 };
    return sigtimedwait(&signals, NULL, &left) > 0;
}

static void top_loop(const struct invocation *invocation, struct top *top, struct suite *suite)
{
    struct status_board board = { .suite = suite };
    json_decref(rows_read(top, &board)); /* what the first rates are counted from */
    for (uint64_t round = 0; top->rounds == 0 || round < top->rounds; round++) {
        if (pause_ms(top->every_ms)) {
            break;
        }
        json_t *rows = rows_read(top, &board);
        rows_show(invocation, top, &board, rows);
        json_decref(rows);
        (void)fflush(stdout);
    }
}

static int top_run(const struct invocation *invocation)
{
    struct top top = { .every_ms = EVERY_MS_DEFAULT, .is_terminal = isatty(STDOUT_FILENO) != 0 };
    struct option options[] = { { "--every", OPTION_DURATION, &top.every_ms, false },
                                { "--rounds", OPTION_NUMBER, &top.rounds, false } };
    struct option_form form = { .options = options, .option_count = 2 };
    struct words words = { .count = 0 };
    int code = options_read(invocation, &form, &words);
    if (code == EXIT_DONE && top.every_ms < EVERY_MS_LEAST) {
        return options_wrong_use(invocation, "--every takes 100ms or more");
    }
    struct suite *suite = code == EXIT_DONE ? suite_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    top.is_terminal = top.is_terminal && !invocation->json;
    if (!options[1].given && !top.is_terminal && !invocation->json) {
        top.rounds = 1;
    }
    sigset_t signals = endings();
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    top_loop(invocation, &top, suite);
    suite_close(&suite);
    return EXIT_DONE;
}

const struct command commands_top[] = {
    { .name = "top",
      .usage = "top [--every DURATION] [--rounds N]",
      .summary = "shows live what each service does: rates, lag, memory, positions",
      .help = "Looks again and again, until Ctrl-C. Into a file or a pipe: once, unless --rounds\n"
              "or --json is given.\n"
              "\n"
              "  facts/s   what the service wrote into its journal\n"
              "  folded/s  positions of its feeds that it went through\n"
              "  cpu %     of one core; mb: memory of its own, without mapped files\n"
              "  lag       facts that are there and not folded yet; lag s: how old they are\n"
              "  seq       the end of its journal; --json: also how far each feed is folded\n"
              "\n"
              "  --every DURATION  between two looks, 100ms or more; 1s otherwise\n"
              "  --rounds N        ends after N looks\n"
              "\n"
              "examples:\n"
              "  kith top --data data/demo\n"
              "  kith top --data data/demo --every 5s --json >>top.ndjson\n",
      .needs_suite = true,
      .run = top_run },
    { .name = NULL },
};
