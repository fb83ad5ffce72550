/* Messages to customers: asking for one, what became of each, what campaigns came to. */
#include "cli/command.h"
#include "cli/fact_json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "cli/wait_pass.h"
#include "common/wire/pb.h"
#include "kith/v1/campaign.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_DECISIONS 1000
#define DISPATCH_BYTES 16

static struct suite_call campaign_call(const struct suite *suite, uint32_t shard)
{
    return (struct suite_call){ .service = "campaign",
                                .shard = shard,
                                .socket = SUITE_COMMANDS,
                                .timeout_ms = suite_patience_ms(suite) };
}

/* NULL: *code says why. */
static struct suite *campaign_open(const struct invocation *invocation, int *code)
{
    struct suite *suite = suite_open(invocation, code);
    if (suite != NULL && suite_shards_needed(suite, "campaign") == 0) {
        *code = EXIT_FAILED;
        suite_close(&suite);
    }
    return suite;
}

/* ---- trigger */

struct triggering {
    char *campaign;
    const char *customer;
    const char *key;
    uint32_t shard;
    uint8_t dispatch[DISPATCH_BYTES]; /* once it was asked for */
};

/* protobuf-c's texts are not const, though packing only reads them. */
struct customer_text {
    char text[LIMIT_ID_BYTES + 2];
};

static char *customer_of(const struct triggering *triggering, struct customer_text *customer)
{
    /* One byte more than an id may have is kept, so that the service refuses a long one. */
    (void)snprintf(customer->text, sizeof customer->text, "%s", triggering->customer);
    return customer->text;
}

static void trigger_print(const struct invocation *invocation, const Kith__V1__DispatchReply *reply)
{
    json_t *object = json_object();
    output_put(object, "dispatch", dispatch_json(pb_span(reply->dispatch)));
    output_put(object, "decision", dispatch_state_json((int)reply->state));
    output_put(object, "reason", dispatch_reason_json(reply->has_reason, (int)reply->reason));
    output_object(invocation, object);
}

static bool decision_is_there(const void *reply)
{
    const Kith__V1__DispatchReply *dispatch = reply;
    return dispatch->state != KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING;
}

/* The dispatch's decision, or that there is none when the time is over. */
static int decision_await(const struct invocation *invocation, struct suite *suite,
                          const struct triggering *triggering)
{
    struct refusal refusal;
    refusal_init(&refusal);
    Kith__V1__DispatchRequest request = KITH__V1__DISPATCH_REQUEST__INIT;
    request.has_dispatch = 1;
    request.dispatch = pb_bytes(span_of(triggering->dispatch, sizeof triggering->dispatch));
    struct suite_call call = campaign_call(suite, triggering->shard);
    call.method = "campaign.Dispatch";
    call.message = &request.base;
    call.reply = &kith__v1__dispatch_reply__descriptor;
    const Kith__V1__DispatchReply *reply = wait_answer(suite, &call, decision_is_there, &refusal);
    if (reply == NULL) {
        char who[64];
        (void)snprintf(who, sizeof who, "campaign/%u", triggering->shard);
        return output_refusal(who, &refusal);
    }
    trigger_print(invocation, reply);
    if (decision_is_there(reply)) {
        return EXIT_DONE;
    }
    output_say("still pending after %" PRId64 " ms; the same command with the same --key asks "
               "again, and sends nothing twice",
               invocation->wait_ms);
    return EXIT_UNREACHABLE;
}

static int trigger_send(const struct invocation *invocation, struct suite *suite,
                        struct triggering *triggering)
{
    struct customer_text customer;
    Kith__V1__TriggerRequest request = KITH__V1__TRIGGER_REQUEST__INIT;
    request.campaign = triggering->campaign;
    request.customer = customer_of(triggering, &customer);
    struct suite_call call = campaign_call(suite, triggering->shard);
    call.method = "campaign.Trigger";
    call.key = triggering->key;
    call.message = &request.base;
    call.reply = &kith__v1__dispatch_reply__descriptor;
    int code = EXIT_DONE;
    const Kith__V1__DispatchReply *reply = suite_ask(suite, &call, &code);
    if (reply == NULL) {
        return code;
    }
    if (reply->dispatch.len != sizeof triggering->dispatch) {
        output_say("campaign/%u: its answer names no dispatch", triggering->shard);
        return EXIT_FAILED;
    }
    if (decision_is_there(reply)) {
        trigger_print(invocation, reply);
        return EXIT_DONE;
    }
    memcpy(triggering->dispatch, reply->dispatch.data, sizeof triggering->dispatch);
    return decision_await(invocation, suite, triggering);
}

static int trigger_read(const struct invocation *invocation, struct triggering *triggering)
{
    static const char *const names[] = { "CAMPAIGN" };
    struct option options[] = { { "--customer", OPTION_TEXT, &triggering->customer, false },
                                { "--key", OPTION_TEXT, &triggering->key, false } };
    struct option_form form = { .options = options,
                                .option_count = 2,
                                .word_names = names,
                                .words_least = 1,
                                .words_most = 1 };
    struct words words = { 0 };
    int code = options_read(invocation, &form, &words);
    if (code != EXIT_DONE) {
        return code;
    }
    triggering->campaign = words.texts[0];
    if (triggering->customer == NULL) {
        return options_wrong_use(invocation, "--customer C is missing: whom to write to");
    }
    if (triggering->key == NULL) {
        return options_wrong_use(invocation, "--key KEY is missing: it names this message, so "
                                             "that asking again sends nothing twice");
    }
    return EXIT_DONE;
}

static int trigger_run(const struct invocation *invocation)
{
    struct triggering triggering = { .shard = 0 };
    int code = trigger_read(invocation, &triggering);
    struct suite *suite = code == EXIT_DONE ? campaign_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    struct refusal refusal;
    refusal_init(&refusal);
    if (suite_shard_of(suite, "campaign", triggering.customer, &triggering.shard, &refusal) !=
        STATUS_OK) {
        code = output_refusal(/* who= */ NULL, &refusal);
    } else {
        code = wait_arrival(suite, invocation, "campaign");
    }
    if (code == EXIT_DONE) {
        code = trigger_send(invocation, suite, &triggering);
    }
    suite_close(&suite);
    return code;
}

/* ---- decisions */

static json_t *decision_json(const Kith__V1__DispatchReply *decision)
{
    json_t *object = json_object();
    output_put(object, "number", output_unsigned(decision->number));
    output_put(object, "dispatch", dispatch_json(pb_span(decision->dispatch)));
    output_put(object, "customer", output_text_or_null(decision->customer));
    output_put(object, "decision", dispatch_state_json((int)decision->state));
    output_put(object, "reason", dispatch_reason_json(decision->has_reason, (int)decision->reason));
    output_put(object, "detail", output_text_or_null(decision->detail));
    output_put(object, "trigger", dispatch_trigger_json((int)decision->trigger));
    output_put(object, "step", output_text_or_null(decision->step));
    output_put(object, "channel", output_text_or_null(decision->channel));
    output_put(object, "at",
               decision->has_decided_at_ms ? output_time(decision->decided_at_ms) : json_null());
    return object;
}

/* All decisions of one shard, page by page. */
static int decisions_ask(struct suite *suite, char *campaign, uint32_t shard,
                         struct listing *listing)
{
    int code = EXIT_DONE;
    Kith__V1__DecisionsRequest request = KITH__V1__DECISIONS_REQUEST__INIT;
    request.campaign = campaign;
    request.has_after_number = 1;
    request.has_limit = 1;
    request.limit = PAGE_DECISIONS;
    for (;;) {
        struct suite_call call = campaign_call(suite, shard);
        call.method = "campaign.Decisions";
        call.message = &request.base;
        call.reply = &kith__v1__decisions_reply__descriptor;
        const Kith__V1__DecisionsReply *reply = suite_ask(suite, &call, &code);
        if (reply == NULL) {
            return code;
        }
        for (size_t i = 0; i < reply->n_decisions; i++) {
            listing_add(listing, decision_json(reply->decisions[i]));
        }
        if (!reply->more || reply->n_decisions == 0) {
            return EXIT_DONE;
        }
        request.after_number = reply->decisions[reply->n_decisions - 1]->number;
    }
}

static int decisions_list(const struct invocation *invocation, struct suite *suite, char *campaign)
{
    int code = wait_pass(suite, invocation, "campaign");
    if (code != EXIT_DONE) {
        return code;
    }
    struct listing *listing = NULL;
    listing_open(&listing, invocation);
    uint32_t shards = suite_shards(suite, "campaign");
    for (uint32_t shard = 0; shard < shards && code == EXIT_DONE; shard++) {
        code = decisions_ask(suite, campaign, shard, listing);
    }
    listing_close(&listing, code == EXIT_DONE ? "this campaign has decided nothing yet" : NULL);
    return code;
}

static int decisions_run(const struct invocation *invocation)
{
    static const char *const names[] = { "CAMPAIGN" };
    struct option_form form = { .word_names = names, .words_least = 1, .words_most = 1 };
    struct words words = { 0 };
    int code = options_read(invocation, &form, &words);
    struct suite *suite = code == EXIT_DONE ? campaign_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    code = decisions_list(invocation, suite, words.texts[0]);
    suite_close(&suite);
    return code;
}

/* ---- list */

static json_t *figures_json(const Kith__V1__CampaignFigures *figures)
{
    json_t *object = json_object();
    output_put(object, "campaign", output_text_or_null(figures->campaign));
    output_put(object, "segment", output_text_or_null(figures->segment));
    output_put(object, "channel", output_text_or_null(figures->channel));
    output_put(object, "sent", output_unsigned(figures->sent));
    output_put(object, "suppressed", output_unsigned(figures->suppressed));
    output_put(object, "unknown", output_unsigned(figures->unknown));
    output_put(object, "open", output_unsigned(figures->open));
    output_put(object, "planned", output_unsigned(figures->planned));
    return object;
}

/* The row of another shard for the same campaign; NULL: none. */
static json_t *row_find(const json_t *rows, const char *campaign)
{
    size_t count = json_array_size(rows);
    for (size_t i = 0; i < count && campaign != NULL; i++) {
        json_t *row = json_array_get(rows, i);
        const char *name = json_string_value(json_object_get(row, "campaign"));
        if (name != NULL && strcmp(name, campaign) == 0) {
            return row;
        }
    }
    return NULL;
}

/* Takes `added`: its numbers go into `row`. */
static void row_add(json_t *row, json_t *added)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(row, key, value)
    {
        if (json_is_integer(value)) {
            json_int_t more = json_integer_value(json_object_get(added, key));
            int result = json_integer_set(value, json_integer_value(value) + more);
            assert(result == 0);
        }
    }
    json_decref(added);
}

static int figures_ask(struct suite *suite, uint32_t shard, json_t *rows)
{
    int code = EXIT_DONE;
    Kith__V1__CampaignsRequest request = KITH__V1__CAMPAIGNS_REQUEST__INIT;
    struct suite_call call = campaign_call(suite, shard);
    call.method = "campaign.Campaigns";
    call.message = &request.base;
    call.reply = &kith__v1__campaigns_reply__descriptor;
    const Kith__V1__CampaignsReply *reply = suite_ask(suite, &call, &code);
    size_t count = reply != NULL ? reply->n_campaigns : 0;
    for (size_t i = 0; i < count; i++) {
        json_t *row = row_find(rows, reply->campaigns[i]->campaign);
        if (row != NULL) {
            row_add(row, figures_json(reply->campaigns[i]));
            continue;
        }
        int result = json_array_append_new(rows, figures_json(reply->campaigns[i]));
        assert(result == 0);
    }
    return code;
}

static void figures_print(const struct invocation *invocation, const json_t *rows)
{
    struct listing *listing = NULL;
    listing_open(&listing, invocation);
    size_t count = json_array_size(rows);
    for (size_t i = 0; i < count; i++) {
        listing_add(listing, json_incref(json_array_get(rows, i)));
    }
    listing_close(&listing, "this suite has no campaigns; name some below campaigns");
}

static int list_run(const struct invocation *invocation)
{
    struct option_form form = { 0 };
    int code = options_read(invocation, &form, /* words= */ NULL);
    struct suite *suite = code == EXIT_DONE ? campaign_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    json_t *rows = json_array();
    uint32_t shards = suite_shards(suite, "campaign");
    code = wait_pass(suite, invocation, "campaign");
    for (uint32_t shard = 0; shard < shards && code == EXIT_DONE; shard++) {
        code = figures_ask(suite, shard, rows);
    }
    if (code == EXIT_DONE) {
        figures_print(invocation, rows);
    }
    json_decref(rows);
    suite_close(&suite);
    return code;
}

const struct command commands_campaign[] = {
    { .name = "campaign trigger",
      .usage = "campaign trigger CAMPAIGN --customer C --key KEY [--json] [--wait DURATION]",
      .summary = "writes to one customer, if the campaign's rules allow it",
      .help =
          "Waits until it is decided and the channel has answered, and prints what became of\n"
          "it: sent, suppressed with the one reason, or unknown, when the channel may have\n"
          "sent it and nobody can tell. While the channel cannot be reached it stays pending:\n"
          "exit 3 when the time is over, and the same command asks again.\n"
          "\n"
          "  --customer C  who gets it\n"
          "  --key KEY     names this message: asked again, it is sent only once and the first\n"
          "                answer comes again\n"
          "\n"
          "examples:\n"
          "  kith campaign trigger thanks --customer 07592 --key order-8812\n"
          "  kith campaign trigger thanks --customer 07592 --key order-8812 --json | jq .reason\n",
      .needs_suite = true,
      .run = trigger_run },
    { .name = "campaign decisions",
      .usage = "campaign decisions CAMPAIGN [--json] [--stale] [--wait DURATION]",
      .summary = "every message of a campaign, and why those that were not sent were not",
      .help =
          "In the order in which they were decided. Waits until nothing is left to be decided;\n"
          "with --stale, what is decided so far.\n"
          "\n"
          "examples:\n"
          "  kith campaign decisions thanks\n"
          "  kith campaign decisions thanks --json | jq -r 'select(.reason) | .customer'\n",
      .needs_suite = true,
      .run = decisions_run },
    { .name = "campaign list",
      .usage = "campaign list [--json] [--stale] [--wait DURATION]",
      .summary = "the campaigns, and what each came to so far",
      .help = "How many messages were sent, suppressed, or are of unknown outcome. With --stale\n"
              "also how many are open, which is with their channel, and how many are planned.\n"
              "\n"
              "examples:\n"
              "  kith campaign list\n"
              "  kith campaign list --stale --json | jq '{campaign, open, planned}'\n",
      .needs_suite = true,
      .run = list_run },
    { .name = NULL },
};
