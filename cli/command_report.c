/* What the feeds add up to. Shards own customers apart from each other, so their totals add. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "cli/wait_pass.h"
#include "common/base/time_text.h"
#include "kith/v1/reporting.pb-c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 1000

static struct suite_call reporting_call(const struct suite *suite, uint32_t shard)
{
    return (struct suite_call){ .service = "reporting",
                                .shard = shard,
                                .socket = SUITE_COMMANDS,
                                .timeout_ms = suite_patience_ms(suite) };
}

/* Opens the suite and waits until reporting has what was acknowledged. */
static struct suite *reporting_open(const struct invocation *invocation, int *code)
{
    struct suite *suite = suite_open(invocation, code);
    if (suite == NULL) {
        return NULL;
    }
    *code = suite_shards_needed(suite, "reporting") == 0
                ? EXIT_FAILED
                : wait_pass(suite, invocation, "reporting");
    if (*code != EXIT_DONE) {
        suite_close(&suite);
    }
    return suite;
}

/* ---- totals */

struct totals {
    uint64_t events;
    uint64_t customers;
    int64_t revenue_minor;
    int64_t points_issued;
    int64_t points_spent;
    int64_t points_outstanding;
    uint64_t quarantined;
    uint64_t segment_entries;
    uint64_t segment_exits;
    uint64_t sent;
    uint64_t suppressed;
    uint64_t unknown;
    struct positions positions;
};

static void totals_add(struct totals *totals, const Kith__V1__TotalsReply *reply)
{
    totals->events += reply->events;
    totals->customers += reply->customers;
    totals->revenue_minor += reply->revenue_minor;
    totals->points_issued += reply->points_issued;
    totals->points_spent += reply->points_spent;
    totals->points_outstanding += reply->points_outstanding;
    totals->quarantined += reply->quarantined;
    totals->segment_entries += reply->segment_entries;
    totals->segment_exits += reply->segment_exits;
    totals->sent += reply->sent;
    totals->suppressed += reply->suppressed;
    totals->unknown += reply->unknown;
    positions_take(&totals->positions, reply->positions, reply->n_positions);
}

static json_t *totals_json(const struct totals *totals)
{
    json_t *object = json_object();
    output_put(object, "events", output_unsigned(totals->events));
    output_put(object, "customers", output_unsigned(totals->customers));
    output_put(object, "revenue_minor", json_integer(totals->revenue_minor));
    output_put(object, "points_issued", json_integer(totals->points_issued));
    output_put(object, "points_spent", json_integer(totals->points_spent));
    output_put(object, "points_outstanding", json_integer(totals->points_outstanding));
    output_put(object, "quarantined", output_unsigned(totals->quarantined));
    output_put(object, "segment_entries", output_unsigned(totals->segment_entries));
    output_put(object, "segment_exits", output_unsigned(totals->segment_exits));
    output_put(object, "sent", output_unsigned(totals->sent));
    output_put(object, "suppressed", output_unsigned(totals->suppressed));
    output_put(object, "unknown", output_unsigned(totals->unknown));
    output_put(object, "positions", positions_json(&totals->positions));
    return object;
}

static int totals_ask(struct suite *suite, struct totals *totals)
{
    Kith__V1__TotalsRequest request = KITH__V1__TOTALS_REQUEST__INIT;
    int code = EXIT_DONE;
    uint32_t shards = suite_shards(suite, "reporting");
    for (uint32_t shard = 0; shard < shards && code == EXIT_DONE; shard++) {
        struct suite_call call = reporting_call(suite, shard);
        call.method = "reporting.Totals";
        call.message = &request.base;
        call.reply = &kith__v1__totals_reply__descriptor;
        const Kith__V1__TotalsReply *reply = suite_ask(suite, &call, &code);
        if (reply != NULL) {
            totals_add(totals, reply);
        }
    }
    return code;
}

static int totals_run(const struct invocation *invocation)
{
    struct option_form form = { 0 };
    int code = options_read(invocation, &form, /* words= */ NULL);
    if (code != EXIT_DONE) {
        return code;
    }
    struct suite *suite = reporting_open(invocation, &code);
    if (suite == NULL) {
        return code;
    }
    struct totals totals = { 0 };
    code = totals_ask(suite, &totals);
    if (code == EXIT_DONE) {
        output_object(invocation, totals_json(&totals));
    }
    suite_close(&suite);
    return code;
}

/* ---- daily */

struct daily_row {
    int64_t day;
    bool has_value;
    char value[LIMIT_TEXT_BYTES + 1];
    uint64_t events;
    int64_t revenue_minor;
    int64_t points_issued;
    int64_t points_spent;
};

struct daily {
    const char *by; /* NULL: no split */
    int64_t from_day;
    int64_t to_day;
    struct daily_row *rows;
    size_t count;
    size_t room;
};

static void daily_add(struct daily *daily, const Kith__V1__DailyRow *row)
{
    if (daily->count == daily->room) {
        daily->room = daily->room == 0 ? PAGE_ROWS : 2 * daily->room;
        daily->rows = memory_resize(daily->rows, daily->room * sizeof *daily->rows);
    }
    struct daily_row *added = &daily->rows[daily->count++];
    *added = (struct daily_row){
        .day = row->day,
        .has_value = row->value != NULL,
        .events = row->events,
        .revenue_minor = row->revenue_minor,
        .points_issued = row->points_issued,
        .points_spent = row->points_spent,
    };
    (void)snprintf(added->value, sizeof added->value, "%s", row->value != NULL ? row->value : "");
}

/* The day, then rows without the attribute, then by bytes. */
static int daily_compare(const void *left, const void *right)
{
    const struct daily_row *a = left;
    const struct daily_row *b = right;
    if (a->day != b->day) {
        return a->day < b->day ? -1 : 1;
    }
    if (a->has_value != b->has_value) {
        return a->has_value ? 1 : -1;
    }
    return strcmp(a->value, b->value);
}

/* Rows of several shards: in order, and those of the same day and value made one. */
static void daily_merge(struct daily *daily)
{
    if (daily->count == 0) {
        return;
    }
    qsort(daily->rows, daily->count, sizeof *daily->rows, daily_compare);
    size_t last = 0;
    for (size_t i = 1; i < daily->count; i++) {
        struct daily_row *kept = &daily->rows[last];
        const struct daily_row *row = &daily->rows[i];
        if (daily_compare(kept, row) != 0) {
            daily->rows[++last] = *row;
            continue;
        }
        kept->events += row->events;
        kept->revenue_minor += row->revenue_minor;
        kept->points_issued += row->points_issued;
        kept->points_spent += row->points_spent;
    }
    daily->count = last + 1;
}

/* All pages of one shard. */
static int daily_ask(struct suite *suite, uint32_t shard, struct daily *daily)
{
    uint8_t after[LIMIT_HEADER_BYTES];
    char by[LIMIT_ID_BYTES + 1];
    (void)snprintf(by, sizeof by, "%s", daily->by != NULL ? daily->by : "");
    Kith__V1__DailyRequest request = KITH__V1__DAILY_REQUEST__INIT;
    request.by = daily->by != NULL ? by : NULL;
    request.has_from_day = 1;
    request.from_day = daily->from_day;
    request.has_to_day = 1;
    request.to_day = daily->to_day;
    request.has_limit = 1;
    request.limit = PAGE_ROWS;
    int code = EXIT_DONE;
    for (;;) {
        struct suite_call call = reporting_call(suite, shard);
        call.method = "reporting.Daily";
        call.message = &request.base;
        call.reply = &kith__v1__daily_reply__descriptor;
        const Kith__V1__DailyReply *reply = suite_ask(suite, &call, &code);
        if (reply == NULL) {
            return code;
        }
        for (size_t i = 0; i < reply->n_rows; i++) {
            daily_add(daily, reply->rows[i]);
        }
        if (!reply->has_next || reply->next.len == 0 || reply->next.len > sizeof after) {
            return EXIT_DONE;
        }
        memcpy(after, reply->next.data, reply->next.len);
        request.has_after = 1;
        request.after = (ProtobufCBinaryData){ .len = reply->next.len, .data = after };
    }
}

static void daily_print(const struct invocation *invocation, const struct daily *daily)
{
    struct listing *listing = NULL;
    listing_open(&listing, invocation);
    for (size_t i = 0; i < daily->count; i++) {
        const struct daily_row *row = &daily->rows[i];
        char day[TIME_TEXT_BYTES];
        date_format(row->day, day);
        json_t *object = json_object();
        output_put(object, "day", json_string(day));
        if (daily->by != NULL) {
            output_put(object, "value", output_text_or_null(row->has_value ? row->value : NULL));
        }
        output_put(object, "events", output_unsigned(row->events));
        output_put(object, "revenue_minor", json_integer(row->revenue_minor));
        output_put(object, "points_issued", json_integer(row->points_issued));
        output_put(object, "points_spent", json_integer(row->points_spent));
        listing_add(listing, object);
    }
    listing_close(&listing, "no event lies between these days");
}

static int daily_answer(const struct invocation *invocation, struct daily *daily)
{
    int code = EXIT_DONE;
    struct suite *suite = reporting_open(invocation, &code);
    if (suite == NULL) {
        return code;
    }
    uint32_t shards = suite_shards(suite, "reporting");
    for (uint32_t shard = 0; shard < shards && code == EXIT_DONE; shard++) {
        code = daily_ask(suite, shard, daily);
    }
    if (code == EXIT_DONE) {
        daily_merge(daily);
        daily_print(invocation, daily);
    }
    suite_close(&suite);
    return code;
}

static int daily_run(const struct invocation *invocation)
{
    struct daily daily = { .from_day = day_of_ms(LIMIT_TIME_LEAST_MS),
                           .to_day = day_of_ms(LIMIT_TIME_MOST_MS) };
    struct option options[] = {
        { "--by", OPTION_TEXT, &daily.by, false },
        { "--from", OPTION_DATE, &daily.from_day, false },
        { "--to", OPTION_DATE, &daily.to_day, false },
    };
    struct option_form form = { .options = options, .option_count = 3 };
    int code = options_read(invocation, &form, /* words= */ NULL);
    if (code != EXIT_DONE) {
        return code;
    }
    if (daily.by != NULL && strlen(daily.by) > LIMIT_ID_BYTES) {
        return options_wrong_use(
            invocation, "--by takes the name of an attribute, at most %d bytes", LIMIT_ID_BYTES);
    }
    if (daily.from_day > daily.to_day) {
        return options_wrong_use(invocation, "--from lies after --to");
    }
    code = daily_answer(invocation, &daily);
    free(daily.rows);
    return code;
}

const struct command commands_report[] = {
    { .name = "report totals",
      .usage = "report totals [--json] [--stale] [--wait DURATION]",
      .summary = "events, customers, revenue and points of the whole suite",
      .help = "Adds up everything that was acknowledged before the call. `positions` tells how\n"
              "far each feed is included.\n"
              "\n"
              "examples:\n"
              "  kith report totals --data /srv/kith\n"
              "  kith report totals --json | jq .revenue_minor\n"
              "  kith report totals --stale\n",
      .needs_suite = true,
      .run = totals_run },
    { .name = "report daily",
      .usage = "report daily [--by ATTRIBUTE] [--from DATE] [--to DATE] [--json]",
      .summary = "the same per day, and per value of an attribute",
      .help =
          "One row for each day on which something occurred, in the suite's time zone.\n"
          "\n"
          "  --by ATTRIBUTE  a row for each value of an attribute that the configuration names\n"
          "  --from DATE     the first day, such as 1997-01-01\n"
          "  --to DATE       the last day; it is included\n"
          "\n"
          "examples:\n"
          "  kith report daily --from 1997-01-01 --to 1997-01-31\n"
          "  kith report daily --by channel --json\n",
      .needs_suite = true,
      .run = daily_run },
    { .name = NULL },
};
