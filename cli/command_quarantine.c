/* What ingestion could not take for an event, or not for a new one. */
#include "cli/command.h"
#include "cli/event_json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/row_event.h"
#include "cli/suite.h"
#include "common/base/money.h"
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "kith/v1/ingestion.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ENTRIES 100
#define EVENT_ARENA_BYTES (64 * 1024)
/* Random digits, a dot and an entry's number. */
#define KEY_BYTES (LIMIT_ID_BYTES + 1)
#define KEY_RANDOM_BYTES 8

static const char *const reason_names[] = { "unreadable", "id_reused", "future" };

/* ---- asking */

static struct suite_call quarantine_call(const struct suite *suite)
{
    return (struct suite_call){ .service = "ingestion",
                                .socket = SUITE_COMMANDS,
                                .timeout_ms = suite_patience_ms(suite) };
}

/* The suite, if it has one shard of ingestion. NULL: *code says why. */
static struct suite *ingestion_open(const struct invocation *invocation, int *code)
{
    struct suite *suite = suite_open(invocation, code);
    if (suite == NULL) {
        return NULL;
    }
    uint32_t shards = suite_shards_needed(suite, "ingestion");
    if (shards != 1) {
        if (shards > 1) {
            output_say("this suite has %u shards of ingestion, and their entries have the same "
                       "numbers; set services.ingestion.shards to 1",
                       shards);
        }
        *code = EXIT_FAILED;
        suite_close(&suite);
    }
    return suite;
}

/* Entries after the one named. NULL: *code says why. */
static const Kith__V1__QuarantineListReply *page_ask(struct suite *suite, uint64_t after, int *code)
{
    Kith__V1__QuarantineListRequest request = KITH__V1__QUARANTINE_LIST_REQUEST__INIT;
    request.has_after_entry = 1;
    request.after_entry = after;
    request.has_limit = 1;
    request.limit = PAGE_ENTRIES;
    struct suite_call call = quarantine_call(suite);
    call.method = "ingestion.QuarantineList";
    call.message = &request.base;
    call.reply = &kith__v1__quarantine_list_reply__descriptor;
    return suite_ask(suite, &call, code);
}

/* One entry with its content; lives until the next question. */
static const Kith__V1__QuarantineEntry *entry_ask(struct suite *suite, uint64_t number, int *code)
{
    Kith__V1__QuarantineListRequest request = KITH__V1__QUARANTINE_LIST_REQUEST__INIT;
    request.has_entry = 1;
    request.entry = number;
    struct suite_call call = quarantine_call(suite);
    call.method = "ingestion.QuarantineShow";
    call.message = &request.base;
    call.reply = &kith__v1__quarantine_list_reply__descriptor;
    const Kith__V1__QuarantineListReply *reply = suite_ask(suite, &call, code);
    if (reply == NULL) {
        return NULL;
    }
    if (reply->n_entries != 1) {
        output_say("the quarantine has no open entry %" PRIu64, number);
        *code = EXIT_FAILED;
        return NULL;
    }
    return reply->entries[0];
}

static int entry_number(const struct invocation *invocation, const char *text, uint64_t *number)
{
    int64_t value = 0;
    if (integer_parse(span_of_text(text), &value) != STATUS_OK || value < 1) {
        return options_wrong_use(invocation, "ENTRY is a number from 1, not '%s'", text);
    }
    *number = (uint64_t)value;
    return EXIT_DONE;
}

/* ---- entries as JSON */

static const char *reason_text(Kith__V1__QuarantineReason reason)
{
    unsigned number = (unsigned)reason;
    return number < sizeof reason_names / sizeof reason_names[0] ? reason_names[number] : "other";
}

static json_t *entry_json(const Kith__V1__QuarantineEntry *entry)
{
    json_t *object = json_object();
    output_put(object, "entry", output_unsigned(entry->entry));
    output_put(object, "reason", json_string(reason_text(entry->reason)));
    output_put(object, "source", output_text_or_null(entry->source));
    output_put(object, "id", output_text_or_null(entry->id));
    output_put(object, "recorded_at", output_time(entry->recorded_at_ms));
    output_put(object, "raw", json_boolean(entry->raw));
    output_put(object, "seq", output_unsigned(entry->seq));
    output_put(object, "explanation", output_text_or_null(entry->explanation));
    return object;
}

static json_t *event_json(const struct event *event)
{
    json_t *object = json_object();
    output_put(object, "type", output_text(event->type));
    output_put(object, "customer", output_text(event->customer));
    output_put(object, "occurred_at", output_time(event->occurred_at_ms));
    if (event->has_amount) {
        output_put(object, "amount", money_json(&event->amount));
    }
    json_t *attributes = json_object();
    for (size_t i = 0; i < event->attribute_count; i++) {
        const struct attribute *attribute = &event->attributes[i];
        output_put_named(attributes, attribute->name, attribute_json(attribute));
    }
    output_put(object, "attributes", attributes);
    return object;
}

/* What was kept: the row as it stood, or the event. */
static void content_put(json_t *object, const Kith__V1__QuarantineEntry *entry)
{
    struct span content = pb_span(entry->content);
    struct arena arena;
    arena_init(&arena, EVENT_ARENA_BYTES);
    struct event event = { .attribute_count = 0 };
    if (!entry->raw && event_decode(content, &arena, &event, NULL) == STATUS_OK) {
        output_put(object, "event", event_json(&event));
    } else {
        output_put(object, "content", output_text(content));
    }
    arena_release(&arena);
}

/* ---- list and show */

static int list_run(const struct invocation *invocation)
{
    struct option_form form = { .options = NULL };
    int code = options_read(invocation, &form, NULL);
    struct suite *suite = code == EXIT_DONE ? ingestion_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    struct listing *listing = NULL;
    listing_open(&listing, invocation);
    uint64_t after = 0;
    bool more = true;
    while (more && code == EXIT_DONE) {
        const Kith__V1__QuarantineListReply *page = page_ask(suite, after, &code);
        more = page != NULL && page->n_entries > 0;
        for (size_t i = 0; more && i < page->n_entries; i++) {
            listing_add(listing, entry_json(page->entries[i]));
            after = page->entries[i]->entry;
        }
    }
    listing_close(&listing, code == EXIT_DONE ? "the quarantine is empty" : NULL);
    suite_close(&suite);
    return code;
}

static int show_run(const struct invocation *invocation)
{
    static const char *const names[] = { "ENTRY" };
    struct option_form form = { .word_names = names, .words_least = 1, .words_most = 1 };
    struct words words = { 0 };
    uint64_t number = 0;
    int code = options_read(invocation, &form, &words);
    if (code == EXIT_DONE) {
        code = entry_number(invocation, words.texts[0], &number);
    }
    struct suite *suite = code == EXIT_DONE ? ingestion_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    const Kith__V1__QuarantineEntry *entry = entry_ask(suite, number, &code);
    if (entry != NULL) {
        json_t *object = entry_json(entry);
        content_put(object, entry);
        output_object(invocation, object);
    }
    suite_close(&suite);
    return code;
}

/* ---- retry */

struct retry {
    struct suite *suite;
    struct map *map; /* NULL: none */
    struct zone *zone;
    struct row_mapper *mapper;
    char random[2 * KEY_RANDOM_BYTES + 1];
    struct buffer event;
    struct refusal refusal; /* of the entry in hand */
    uint64_t tried;
    uint64_t accepted;
};

static void random_text(char text[2 * KEY_RANDOM_BYTES + 1])
{
    uint8_t bytes[KEY_RANDOM_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    hex_encode(span_of(bytes, sizeof bytes), text);
}

/* The only row of the content, mapped, in retry->event. */
static enum status row_map(struct retry *retry, struct row_reader *reader, struct span id)
{
    struct row row = { .number = 0 };
    if (row_reader_next(reader, &row, &retry->refusal) != ROW_READ) {
        return refusal_set(&retry->refusal, STATUS_REFUSED,
                           "by this map the content is a header without a row; use a map with "
                           "header: false and numbers for columns");
    }
    struct row_origin origin = { .digest = "", .kept_id = id };
    struct row_event made = { .is_event = false };
    row_mapper_apply(retry->mapper, &row, &origin, &made);
    if (!made.is_event) {
        return refusal_set(&retry->refusal, STATUS_REFUSED, "%.*s", (int)made.reason.size,
                           (const char *)made.reason.data);
    }
    buffer_clear(&retry->event);
    enum status status = buffer_append(&retry->event, made.encoded);
    assert(status == STATUS_OK);
    if (row_reader_next(reader, &row, &retry->refusal) != ROW_END) {
        return refusal_set(&retry->refusal, STATUS_REFUSED,
                           "by this map the content is more than one row");
    }
    return STATUS_OK;
}

static enum status raw_map(struct retry *retry, const Kith__V1__QuarantineEntry *entry)
{
    if (retry->map == NULL) {
        return refusal_set(&retry->refusal, STATUS_REFUSED,
                           "is a row that its map could not read; name a mended one with --map");
    }
    if (entry->source == NULL || strcmp(entry->source, retry->map->source) != 0) {
        return refusal_set(&retry->refusal, STATUS_REFUSED,
                           "comes from another source than the map is for");
    }
    struct span id = pb_text(entry->id);
    if (retry->map->id_is_row && id.size == 0) {
        return refusal_set(&retry->refusal, STATUS_REFUSED,
                           "has no id; the map must name columns for it");
    }
    struct span content = pb_span(entry->content);
    if (content.size == LIMIT_EVENT_BYTES) {
        return refusal_set(&retry->refusal, STATUS_REFUSED,
                           "is only the front of a row that was too long; shorten the row in its "
                           "file and load that");
    }
    struct row_input input = {
        .name = "its content", .descriptor = -1, .size = content.size, .memory = content
    };
    struct row_reader *reader = NULL;
    enum status status = row_reader_open(&reader, &input, retry->map, &retry->refusal);
    if (status == STATUS_OK) {
        status = row_map(retry, reader, id);
    }
    row_reader_close(&reader);
    return status;
}

static enum status retry_call(struct retry *retry, uint64_t number, bool has_event)
{
    Kith__V1__QuarantineRetryRequest request = KITH__V1__QUARANTINE_RETRY_REQUEST__INIT;
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof key, "retry.%s.%" PRIu64, retry->random, number);
    request.has_entry = 1;
    request.entry = number;
    request.has_event = has_event;
    request.event = pb_bytes(buffer_span(&retry->event));
    struct suite_call call = quarantine_call(retry->suite);
    call.method = "ingestion.QuarantineRetry";
    call.key = key;
    call.message = &request.base;
    call.reply = &kith__v1__quarantine_retry_reply__descriptor;
    return suite_call(retry->suite, &call, &retry->refusal) != NULL ? STATUS_OK
                                                                    : retry->refusal.status;
}

/* Says what became of one entry. False: ingestion cannot be asked, and asking on is no use. */
static bool entry_retry(struct retry *retry, uint64_t number, int *code)
{
    const Kith__V1__QuarantineEntry *entry = entry_ask(retry->suite, number, code);
    if (entry == NULL) {
        return *code != EXIT_UNREACHABLE;
    }
    refusal_init(&retry->refusal);
    retry->tried++;
    bool raw = entry->raw;
    enum status status = raw ? raw_map(retry, entry) : STATUS_OK;
    if (status == STATUS_OK) {
        status = retry_call(retry, number, raw);
    }
    if (status == STATUS_OK) {
        retry->accepted++;
        return true;
    }
    char who[40];
    (void)snprintf(who, sizeof who, "entry %" PRIu64, number);
    *code = output_refusal(who, &retry->refusal);
    return *code != EXIT_UNREACHABLE;
}

/* A page of entries' numbers. */
struct page {
    uint64_t numbers[PAGE_ENTRIES];
    size_t count;
};

/* False: ingestion cannot be asked. */
static bool page_read(struct retry *retry, uint64_t after, struct page *page, int *code)
{
    int page_code = EXIT_DONE;
    const Kith__V1__QuarantineListReply *reply = page_ask(retry->suite, after, &page_code);
    if (reply == NULL) {
        *code = page_code;
        return false;
    }
    page->count = reply->n_entries < PAGE_ENTRIES ? reply->n_entries : PAGE_ENTRIES;
    for (size_t i = 0; i < page->count; i++) {
        page->numbers[i] = reply->entries[i]->entry;
    }
    return true;
}

/* Each entry once: those that stay are behind us. */
static void all_retry(struct retry *retry, int *code)
{
    struct page page = { .count = 0 };
    bool goes_on = page_read(retry, 0, &page, code);
    while (goes_on && page.count > 0) {
        for (size_t i = 0; i < page.count && goes_on; i++) {
            goes_on = entry_retry(retry, page.numbers[i], code);
        }
        goes_on = goes_on && page_read(retry, page.numbers[page.count - 1], &page, code);
    }
}

static enum status retry_map_open(struct retry *retry, const char *path)
{
    struct suite_config config = { .service_count = 0 };
    enum status status = map_open(&retry->map, path, &retry->refusal);
    if (status == STATUS_OK) {
        status = suite_config_load(&config, suite_facts(retry->suite)->config, &retry->refusal);
    }
    if (status == STATUS_OK) {
        status = zone_open(&retry->zone, config.time_zone, &retry->refusal);
        suite_config_release(&config);
    }
    if (status == STATUS_OK) {
        row_mapper_open(&retry->mapper, retry->map, retry->zone);
    }
    return status;
}

static int retry_open(struct retry *retry, const struct invocation *invocation, const char *map)
{
    int code = EXIT_DONE;
    retry->suite = ingestion_open(invocation, &code);
    if (retry->suite == NULL) {
        return code;
    }
    buffer_init(&retry->event, LIMIT_EVENT_BYTES);
    refusal_init(&retry->refusal);
    random_text(retry->random);
    if (map != NULL && retry_map_open(retry, map) != STATUS_OK) {
        code = output_refusal(NULL, &retry->refusal);
    }
    return code;
}

static void retry_close(struct retry *retry)
{
    row_mapper_close(&retry->mapper);
    zone_close(&retry->zone);
    map_close(&retry->map);
    buffer_release(&retry->event);
    suite_close(&retry->suite);
}

static int retry_run(const struct invocation *invocation)
{
    static const char *const names[] = { "ENTRY" };
    const char *map = NULL;
    bool all = false;
    struct option options[] = {
        { .name = "--map", .kind = OPTION_TEXT, .target = &map },
        { .name = "--all", .kind = OPTION_FLAG, .target = &all },
    };
    struct option_form form = {
        .options = options, .option_count = 2, .word_names = names, .words_most = 1
    };
    struct words words = { 0 };
    uint64_t number = 0;
    int code = options_read(invocation, &form, &words);
    if (code == EXIT_DONE && (words.count == 1) == all) {
        code = options_wrong_use(invocation, "takes an ENTRY, or --all");
    }
    if (code == EXIT_DONE && !all) {
        code = entry_number(invocation, words.texts[0], &number);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    struct retry retry = { .suite = NULL };
    code = retry_open(&retry, invocation, map);
    bool is_open = code == EXIT_DONE;
    if (is_open && all) {
        all_retry(&retry, &code);
    } else if (is_open) {
        (void)entry_retry(&retry, number, &code);
    }
    retry_close(&retry);
    if (is_open) {
        json_t *object = json_object();
        output_put(object, "retried", output_unsigned(retry.tried));
        output_put(object, "accepted", output_unsigned(retry.accepted));
        output_put(object, "refused", output_unsigned(retry.tried - retry.accepted));
        output_object(invocation, object);
    }
    return code;
}

/* ---- drop */

static int entry_drop(struct suite *suite, uint64_t number)
{
    Kith__V1__QuarantineDropRequest request = KITH__V1__QUARANTINE_DROP_REQUEST__INIT;
    char random[2 * KEY_RANDOM_BYTES + 1];
    char key[KEY_BYTES];
    int code = EXIT_DONE;
    random_text(random);
    (void)snprintf(key, sizeof key, "drop.%s.%" PRIu64, random, number);
    request.has_entry = 1;
    request.entry = number;
    struct suite_call call = quarantine_call(suite);
    call.method = "ingestion.QuarantineDrop";
    call.key = key;
    call.message = &request.base;
    call.reply = &kith__v1__quarantine_drop_reply__descriptor;
    return suite_ask(suite, &call, &code) != NULL ? EXIT_DONE : code;
}

static int drop_run(const struct invocation *invocation)
{
    static const char *const names[] = { "ENTRY" };
    bool yes = false;
    struct option options[] = { { .name = "--yes", .kind = OPTION_FLAG, .target = &yes } };
    struct option_form form = { .options = options,
                                .option_count = 1,
                                .word_names = names,
                                .words_least = 1,
                                .words_most = 1 };
    struct words words = { 0 };
    uint64_t number = 0;
    int code = options_read(invocation, &form, &words);
    if (code == EXIT_DONE) {
        code = entry_number(invocation, words.texts[0], &number);
    }
    if (code == EXIT_DONE && !yes) {
        code = options_wrong_use(invocation,
                                 "a dropped entry does not come back: see it with kith quarantine "
                                 "show %" PRIu64 ", then say --yes",
                                 number);
    }
    struct suite *suite = code == EXIT_DONE ? ingestion_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    code = entry_drop(suite, number);
    suite_close(&suite);
    if (code == EXIT_DONE) {
        json_t *object = json_object();
        output_put(object, "dropped", output_unsigned(number));
        output_object(invocation, object);
    }
    return code;
}

const struct command commands_quarantine[] = {
    { .name = "quarantine list",
      .usage = "quarantine list [--json]",
      .summary = "what ingestion keeps because it could not take it",
      .help = "Prints the open entries, oldest first, without their contents. Reasons:\n"
              "\n"
              "  unreadable  the row is no event by the map that it was loaded with\n"
              "  id_reused   source and id are those of another event\n"
              "  future      dated more than 5 minutes after it came\n"
              "\n"
              "examples:\n"
              "  kith quarantine list\n"
              "  kith quarantine list --json | jq -r .explanation | sort | uniq -c\n",
      .needs_suite = true,
      .run = list_run },
    { .name = "quarantine show",
      .usage = "quarantine show ENTRY [--json]",
      .summary = "one entry with its content",
      .help = "Prints an entry with the event, or with the row as it stood in its file: behind\n"
              "the file's header, where it has one.\n"
              "\n"
              "examples:\n"
              "  kith quarantine show 1\n"
              "  kith quarantine show 1 --json | jq -r .content\n",
      .needs_suite = true,
      .run = show_run },
    { .name = "quarantine retry",
      .usage = "quarantine retry ENTRY|--all [--map MAP] [--json]",
      .summary = "try entries again",
      .help = "An event is tried as it is; it helps when its time has come. A row is mapped again\n"
              "with MAP and keeps its id. What is accepted leaves the quarantine; what is not\n"
              "stays, and the reason is told. Exits with 1 unless all were accepted.\n"
              "\n"
              "examples:\n"
              "  kith quarantine retry 1\n"
              "  kith quarantine retry --all --map orders-mended.yaml\n",
      .needs_suite = true,
      .run = retry_run },
    { .name = "quarantine drop",
      .usage = "quarantine drop ENTRY --yes",
      .summary = "give an entry up",
      .help = "The entry leaves the quarantine for good; that it was dropped stays in ingestion's\n"
              "journal, and the same row does not come in again.\n"
              "\n"
              "examples:\n"
              "  kith quarantine drop 1 --yes\n",
      .needs_suite = true,
      .run = drop_run },
    { .name = NULL },
};
