/* Points of customers: balance, spending, granting, taking back, statement. */
#include "cli/command.h"
#include "cli/fact_json.h"
#include "cli/ledger_verify.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "cli/wait_pass.h"
#include "common/base/money.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"

#include <assert.h>
#include <stdio.h>

#define PAGE_LINES 1000

/* What the commands below read from their words and options. */
struct wanted {
    struct words words;
    const char *programme; /* NULL: the first */
    const char *key;
    const char *reference; /* NULL: none */
    uint64_t shard;
    bool shard_given;
};

/* protobuf-c's texts are not const, though packing only reads them. */
static char *text_of(struct wanted *wanted, size_t word)
{
    return wanted->words.texts[word];
}

static struct suite_call loyalty_call(const struct suite *suite, uint32_t shard)
{
    return (struct suite_call){ .service = "loyalty",
                                .shard = shard,
                                .socket = SUITE_COMMANDS,
                                .timeout_ms = suite_patience_ms(suite) };
}

static struct suite *loyalty_open(const struct invocation *invocation, int *code)
{
    struct suite *suite = suite_open(invocation, code);
    if (suite != NULL && suite_shards_needed(suite, "loyalty") == 0) {
        *code = EXIT_FAILED;
        suite_close(&suite);
    }
    return suite;
}

/* The customer's shard; false: said why, and *code is set. */
static bool shard_find(struct suite *suite, const char *customer, uint32_t *shard, int *code)
{
    struct refusal refusal;
    refusal_init(&refusal);
    if (suite_shard_of(suite, "loyalty", customer, shard, &refusal) == STATUS_OK) {
        return true;
    }
    *code = output_refusal(/* who= */ NULL, &refusal);
    return false;
}

/* A buffer of an id that protobuf-c may point at. */
struct optional_id {
    char text[LIMIT_ID_BYTES + 2];
};

/* NULL stays NULL. */
static char *optional_id_of(const char *given, struct optional_id *id)
{
    if (given == NULL) {
        return NULL;
    }
    /* One byte more than an id may have is kept, so that the service refuses a long one. */
    (void)snprintf(id->text, sizeof id->text, "%s", given);
    return id->text;
}

static char *programme_of(const struct wanted *wanted, struct optional_id *id)
{
    return optional_id_of(wanted->programme, id);
}

/* ---- balance */

static void balance_print(const struct invocation *invocation, const Kith__V1__BalanceReply *reply)
{
    struct positions positions = { 0 };
    positions_take(&positions, reply->positions, reply->n_positions);
    json_t *object = json_object();
    output_put(object, "customer", output_text_or_null(reply->customer));
    output_put(object, "programme", output_text_or_null(reply->programme));
    output_put(object, "available", json_integer(reply->available));
    output_put(object, "earned", json_integer(reply->earned));
    output_put(object, "spent", json_integer(reply->spent));
    output_put(object, "postings", output_unsigned(reply->postings));
    output_put(object, "positions", positions_json(&positions));
    output_object(invocation, object);
}

static int balance_ask(const struct invocation *invocation, struct suite *suite,
                       struct wanted *wanted)
{
    int code = wait_pass(suite, invocation, "loyalty");
    uint32_t shard = 0;
    if (code != EXIT_DONE || !shard_find(suite, text_of(wanted, 0), &shard, &code)) {
        return code;
    }
    struct optional_id programme;
    Kith__V1__BalanceRequest request = KITH__V1__BALANCE_REQUEST__INIT;
    request.customer = text_of(wanted, 0);
    request.programme = programme_of(wanted, &programme);
    struct suite_call call = loyalty_call(suite, shard);
    call.method = "loyalty.Balance";
    call.message = &request.base;
    call.reply = &kith__v1__balance_reply__descriptor;
    const Kith__V1__BalanceReply *reply = suite_ask(suite, &call, &code);
    if (reply != NULL) {
        balance_print(invocation, reply);
    }
    return code;
}

/* ---- spend and reverse */

static void post_print(const struct invocation *invocation, const Kith__V1__PostReply *reply,
                       uint32_t shard)
{
    json_t *object = json_object();
    output_put(object, "posting", output_unsigned(reply->posting));
    output_put(object, "shard", json_integer(shard));
    output_put(object, "customer", output_text_or_null(reply->customer));
    output_put(object, "programme", output_text_or_null(reply->programme));
    output_put(object, "points", json_integer(reply->points));
    output_put(object, "balance", json_integer(reply->balance));
    output_object(invocation, object);
}

static int post_send(const struct invocation *invocation, struct suite *suite,
                     struct suite_call *call)
{
    int code = EXIT_DONE;
    call->reply = &kith__v1__post_reply__descriptor;
    const Kith__V1__PostReply *reply = suite_ask(suite, call, &code);
    if (reply != NULL) {
        post_print(invocation, reply, call->shard);
    }
    return code;
}

static int spend_send(const struct invocation *invocation, struct suite *suite,
                      struct wanted *wanted, int64_t points)
{
    int code = EXIT_DONE;
    uint32_t shard = 0;
    if (!shard_find(suite, text_of(wanted, 0), &shard, &code)) {
        return code;
    }
    struct optional_id programme;
    Kith__V1__SpendRequest request = KITH__V1__SPEND_REQUEST__INIT;
    request.customer = text_of(wanted, 0);
    request.programme = programme_of(wanted, &programme);
    request.has_points = 1;
    request.points = points;
    struct suite_call call = loyalty_call(suite, shard);
    call.method = "loyalty.Spend";
    call.key = wanted->key;
    call.message = &request.base;
    return post_send(invocation, suite, &call);
}

static void grant_print(const struct invocation *invocation, const Kith__V1__Posting *granted,
                        const Kith__V1__PostBatchReply *reply, uint32_t shard)
{
    json_t *object = json_object();
    output_put(object, "posting", output_unsigned(reply->results[0]->first_posting));
    output_put(object, "shard", json_integer(shard));
    output_put(object, "customer", output_text_or_null(granted->customer));
    output_put(object, "points", json_integer(granted->points));
    output_put(object, "reference", output_text_or_null(granted->reference));
    output_object(invocation, object);
}

/* A batch of one, all or nothing: its refusal is the request's. */
static int grant_send(const struct invocation *invocation, struct suite *suite,
                      struct wanted *wanted, int64_t points)
{
    int code = EXIT_DONE;
    uint32_t shard = 0;
    if (!shard_find(suite, text_of(wanted, 0), &shard, &code)) {
        return code;
    }
    struct optional_id programme;
    struct optional_id reference;
    Kith__V1__Posting granted = KITH__V1__POSTING__INIT;
    granted.has_kind = 1;
    granted.kind = KITH__V1__POSTING_KIND__POSTING_GRANT;
    granted.customer = text_of(wanted, 0);
    granted.programme = programme_of(wanted, &programme);
    granted.has_points = 1;
    granted.points = points;
    granted.reference = optional_id_of(wanted->reference, &reference);
    Kith__V1__Posting *postings[] = { &granted };
    Kith__V1__PostRequest request = KITH__V1__POST_REQUEST__INIT;
    request.n_postings = 1;
    request.postings = postings;
    request.has_all_or_nothing = 1;
    request.all_or_nothing = 1;
    struct suite_call call = loyalty_call(suite, shard);
    call.method = "loyalty.Post";
    call.key = wanted->key;
    call.message = &request.base;
    call.reply = &kith__v1__post_batch_reply__descriptor;
    const Kith__V1__PostBatchReply *reply = suite_ask(suite, &call, &code);
    if (reply != NULL && reply->n_results == 1) {
        grant_print(invocation, &granted, reply, shard);
    }
    return code;
}

static int reverse_send(const struct invocation *invocation, struct suite *suite,
                        const struct wanted *wanted, uint64_t posting)
{
    uint32_t shards = suite_shards(suite, "loyalty");
    if (wanted->shard >= shards || (shards > 1 && !wanted->shard_given)) {
        return options_wrong_use(invocation,
                                 "loyalty has %u shards, and a posting's number is its shard's "
                                 "own; give --shard, 0 to %u",
                                 shards, shards - 1);
    }
    Kith__V1__ReverseRequest request = KITH__V1__REVERSE_REQUEST__INIT;
    request.has_posting = 1;
    request.posting = posting;
    struct suite_call call = loyalty_call(suite, (uint32_t)wanted->shard);
    call.method = "loyalty.Reverse";
    call.key = wanted->key;
    call.message = &request.base;
    return post_send(invocation, suite, &call);
}

/* ---- statement */

static json_t *line_json(const Kith__V1__StatementLine *line)
{
    json_t *object = json_object();
    output_put(object, "posting", output_unsigned(line->posting));
    output_put(object, "number", output_unsigned(line->number));
    output_put(object, "type", fact_type_json(line->type));
    output_put(object, "points", json_integer(line->points));
    output_put(object, "balance_after", json_integer(line->balance_after));
    output_put(object, "occurred_at", output_time(line->occurred_at_ms));
    output_put(object, "recorded_at", output_time(line->recorded_at_ms));
    output_put(object, "reverses",
               line->reverses != 0 ? output_unsigned(line->reverses) : json_null());
    output_put(object, "reversed_by",
               line->reversed_by != 0 ? output_unsigned(line->reversed_by) : json_null());
    return object;
}

static int lines_ask(struct suite *suite, struct wanted *wanted, struct listing *listing)
{
    int code = EXIT_DONE;
    uint32_t shard = 0;
    if (!shard_find(suite, text_of(wanted, 0), &shard, &code)) {
        return code;
    }
    struct optional_id programme;
    Kith__V1__StatementRequest request = KITH__V1__STATEMENT_REQUEST__INIT;
    request.customer = text_of(wanted, 0);
    request.programme = programme_of(wanted, &programme);
    request.has_after_number = 1;
    request.has_limit = 1;
    request.limit = PAGE_LINES;
    for (;;) {
        struct suite_call call = loyalty_call(suite, shard);
        call.method = "loyalty.Statement";
        call.message = &request.base;
        call.reply = &kith__v1__statement_reply__descriptor;
        const Kith__V1__StatementReply *reply = suite_ask(suite, &call, &code);
        if (reply == NULL) {
            return code;
        }
        for (size_t i = 0; i < reply->n_lines; i++) {
            listing_add(listing, line_json(reply->lines[i]));
        }
        if (!reply->more || reply->n_lines == 0) {
            return EXIT_DONE;
        }
        request.after_number = reply->lines[reply->n_lines - 1]->number;
    }
}

static int statement_ask(const struct invocation *invocation, struct suite *suite,
                         struct wanted *wanted)
{
    int code = wait_pass(suite, invocation, "loyalty");
    if (code != EXIT_DONE) {
        return code;
    }
    struct listing *listing = NULL;
    listing_open(&listing, invocation);
    code = lines_ask(suite, wanted, listing);
    listing_close(&listing, code == EXIT_DONE ? "this customer has no postings" : NULL);
    return code;
}

/* ---- running */

/* A whole number, at least 1. */
static int number_read(const struct invocation *invocation, const char *name, const char *text,
                       int64_t *number)
{
    int64_t value = 0;
    if (integer_parse(span_of_text(text), &value) != STATUS_OK || value < 1) {
        return options_wrong_use(invocation, "%s is a whole number from 1, not '%s'", name, text);
    }
    *number = value;
    return EXIT_DONE;
}

static int customer_run(const struct invocation *invocation,
                        int (*ask)(const struct invocation *, struct suite *, struct wanted *))
{
    static const char *const names[] = { "CUSTOMER" };
    struct wanted wanted = { 0 };
    struct option options[] = { { "--programme", OPTION_TEXT, &wanted.programme, false } };
    struct option_form form = { .options = options,
                                .option_count = 1,
                                .word_names = names,
                                .words_least = 1,
                                .words_most = 1 };
    int code = options_read(invocation, &form, &wanted.words);
    struct suite *suite = code == EXIT_DONE ? loyalty_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    code = ask(invocation, suite, &wanted);
    suite_close(&suite);
    return code;
}

static int balance_run(const struct invocation *invocation)
{
    return customer_run(invocation, balance_ask);
}

static int statement_run(const struct invocation *invocation)
{
    return customer_run(invocation, statement_ask);
}

static int key_check(const struct invocation *invocation, const struct wanted *wanted)
{
    return wanted->key != NULL
               ? EXIT_DONE
               : options_wrong_use(invocation, "--key KEY is missing: it names this attempt, so "
                                               "that sending it again posts nothing twice");
}

/* `option_count`: 3 with --reference, 2 without. */
static int points_run(const struct invocation *invocation, size_t option_count,
                      int (*send)(const struct invocation *, struct suite *, struct wanted *,
                                  int64_t))
{
    static const char *const names[] = { "CUSTOMER", "POINTS" };
    struct wanted wanted = { 0 };
    struct option options[] = { { "--programme", OPTION_TEXT, &wanted.programme, false },
                                { "--key", OPTION_TEXT, &wanted.key, false },
                                { "--reference", OPTION_TEXT, &wanted.reference, false } };
    struct option_form form = { .options = options,
                                .option_count = option_count,
                                .word_names = names,
                                .words_least = 2,
                                .words_most = 2 };
    int64_t points = 0;
    int code = options_read(invocation, &form, &wanted.words);
    if (code == EXIT_DONE) {
        code = number_read(invocation, "POINTS", text_of(&wanted, 1), &points);
    }
    if (code == EXIT_DONE) {
        code = key_check(invocation, &wanted);
    }
    struct suite *suite = code == EXIT_DONE ? loyalty_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    code = send(invocation, suite, &wanted, points);
    suite_close(&suite);
    return code;
}

static int spend_run(const struct invocation *invocation)
{
    return points_run(invocation, 2, spend_send);
}

static int grant_run(const struct invocation *invocation)
{
    return points_run(invocation, 3, grant_send);
}

static int reverse_run(const struct invocation *invocation)
{
    static const char *const names[] = { "POSTING" };
    struct wanted wanted = { 0 };
    struct option options[] = { { "--key", OPTION_TEXT, &wanted.key, false },
                                { "--shard", OPTION_NUMBER, &wanted.shard, false } };
    struct option_form form = { .options = options,
                                .option_count = 2,
                                .word_names = names,
                                .words_least = 1,
                                .words_most = 1 };
    int64_t posting = 0;
    int code = options_read(invocation, &form, &wanted.words);
    wanted.shard_given = options[1].given;
    if (code == EXIT_DONE) {
        code = number_read(invocation, "POSTING", text_of(&wanted, 0), &posting);
    }
    if (code == EXIT_DONE) {
        code = key_check(invocation, &wanted);
    }
    struct suite *suite = code == EXIT_DONE ? loyalty_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    code = reverse_send(invocation, suite, &wanted, (uint64_t)posting);
    suite_close(&suite);
    return code;
}

const struct command commands_loyalty[] = {
    { .name = "loyalty balance",
      .usage = "loyalty balance CUSTOMER [--programme P] [--json] [--stale] [--wait DURATION]",
      .summary = "the points that a customer has",
      .help = "Answers after everything acknowledged before the call is in.\n"
              "\n"
              "  --programme P  of this programme; the first one of the configuration otherwise\n"
              "\n"
              "examples:\n"
              "  kith loyalty balance 07592\n"
              "  kith loyalty balance 07592 --json | jq .available\n",
      .needs_suite = true,
      .run = balance_run },
    { .name = "loyalty spend",
      .usage = "loyalty spend CUSTOMER POINTS --key KEY [--programme P] [--json]",
      .summary = "takes points from a customer, who gets something for them",
      .help = "Refused when the customer has fewer points.\n"
              "\n"
              "  --key KEY      names this attempt: sent again, it spends only once and gets the\n"
              "                 first answer again\n"
              "  --programme P  of this programme; the first one of the configuration otherwise\n"
              "\n"
              "examples:\n"
              "  kith loyalty spend 07592 500 --key order-8812\n"
              "  kith loyalty spend 07592 500 --key order-8812 --json | jq .balance\n",
      .needs_suite = true,
      .run = spend_run },
    { .name = "loyalty grant",
      .usage = "loyalty grant CUSTOMER POINTS --key KEY [--programme P] [--reference ID] [--json]",
      .summary = "gives a customer points that no event earned",
      .help = "For a campaign's reward, or to make good.\n"
              "\n"
              "  --key KEY       names this attempt: sent again, it grants only once and gets the\n"
              "                  first answer again\n"
              "  --programme P   of this programme; the first one of the configuration otherwise\n"
              "  --reference ID  why: a ticket, a campaign; stands in the posting's fact\n"
              "\n"
              "examples:\n"
              "  kith loyalty grant 07592 500 --key ticket-8812 --reference ticket-8812\n"
              "  kith loyalty grant 07592 500 --key ticket-8812 --json | jq .posting\n",
      .needs_suite = true,
      .run = grant_run },
    { .name = "loyalty reverse",
      .usage = "loyalty reverse POSTING --key KEY [--shard N] [--json]",
      .summary = "takes a posting back, by a posting of its own",
      .help = "POSTING is the number that spend printed, or that a statement shows.\n"
              "\n"
              "  --key KEY  names this attempt: sent again, it takes back only once\n"
              "  --shard N  where the posting lies; needed when loyalty has several shards\n"
              "\n"
              "examples:\n"
              "  kith loyalty reverse 4711 --key cancel-8812\n"
              "  kith loyalty reverse 4711 --key cancel-8812 --json | jq .balance\n",
      .needs_suite = true,
      .run = reverse_run },
    { .name = "loyalty statement",
      .usage = "loyalty statement CUSTOMER [--programme P] [--json]",
      .summary = "every posting of a customer, oldest first",
      .help = "What was earned, spent and taken back, and the balance after each.\n"
              "\n"
              "  --programme P  of this programme; the first one of the configuration otherwise\n"
              "\n"
              "examples:\n"
              "  kith loyalty statement 07592\n"
              "  kith loyalty statement 07592 --json | jq .points\n",
      .needs_suite = true,
      .run = statement_run },
    { .name = "loyalty verify",
      .usage = "loyalty verify [--json]",
      .summary = "adds the whole ledger up anew and compares every account",
      .help = "Reads every posting from the feed, adds them up without the service's own sums,\n"
              "and compares the result with each account that the service keeps: exit 1, with\n"
              "the account and the posting, when they differ.\n"
              "\n"
              "examples:\n"
              "  kith loyalty verify\n"
              "  kith loyalty verify --json | jq .ok\n",
      .needs_suite = true,
      .run = loyalty_verify_run },
    { .name = NULL },
};
