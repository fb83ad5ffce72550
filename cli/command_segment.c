/* Who belongs to which segment. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "cli/wait_pass.h"
#include "kith/v1/segmentation.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_CUSTOMERS 1000

struct words_read {
    char *texts[2];
};

static struct suite_call segmentation_call(const struct suite *suite, uint32_t shard)
{
    return (struct suite_call){ .service = "segmentation",
                                .shard = shard,
                                .socket = SUITE_COMMANDS,
                                .timeout_ms = suite_patience_ms(suite) };
}

/* Reads `count` words, opens the suite and waits for segmentation. NULL: *code says why. */
static struct suite *segmentation_open(const struct invocation *invocation, size_t count,
                                       struct words_read *read, int *code)
{
    static const char *const names[] = { "SEGMENT", "CUSTOMER" };
    struct option_form form = { .word_names = names, .words_least = count, .words_most = count };
    struct words words = { 0 };
    *code = options_read(invocation, &form, &words);
    if (*code != EXIT_DONE) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        read->texts[i] = words.texts[i];
    }
    struct suite *suite = suite_open(invocation, code);
    if (suite == NULL) {
        return NULL;
    }
    *code = suite_shards_needed(suite, "segmentation") == 0
                ? EXIT_FAILED
                : wait_pass(suite, invocation, "segmentation");
    if (*code != EXIT_DONE) {
        suite_close(&suite);
    }
    return suite;
}

/* ---- count */

static int count_run(const struct invocation *invocation)
{
    struct words_read read = { { NULL } };
    int code = EXIT_DONE;
    struct suite *suite = segmentation_open(invocation, 1, &read, &code);
    if (suite == NULL) {
        return code;
    }
    Kith__V1__CountRequest request = KITH__V1__COUNT_REQUEST__INIT;
    request.segment = read.texts[0];
    uint64_t count = 0;
    struct positions positions = { 0 };
    uint32_t shards = suite_shards(suite, "segmentation");
    for (uint32_t shard = 0; shard < shards && code == EXIT_DONE; shard++) {
        struct suite_call call = segmentation_call(suite, shard);
        call.method = "segmentation.Count";
        call.message = &request.base;
        call.reply = &kith__v1__count_reply__descriptor;
        const Kith__V1__CountReply *reply = suite_ask(suite, &call, &code);
        if (reply != NULL) {
            count += reply->count;
            positions_take(&positions, reply->positions, reply->n_positions);
        }
    }
    suite_close(&suite);
    if (code == EXIT_DONE) {
        json_t *object = json_object();
        output_put(object, "segment", output_text_or_null(read.texts[0]));
        output_put(object, "count", output_unsigned(count));
        output_put(object, "positions", positions_json(&positions));
        output_object(invocation, object);
    }
    return code;
}

/* ---- list */

/* A page of one shard, of which the first `at` are printed. */
struct page {
    char (*customers)[LIMIT_ID_BYTES + 1]; /* PAGE_CUSTOMERS of them */
    size_t count;
    size_t at;
    bool more;
};

struct merge {
    struct suite *suite;
    char *segment;
    struct page pages[LIMIT_SHARDS];
    uint32_t shards;
};

static int page_fill(struct merge *merge, uint32_t shard)
{
    struct page *page = &merge->pages[shard];
    char after[LIMIT_ID_BYTES + 1] = "";
    Kith__V1__ListRequest request = KITH__V1__LIST_REQUEST__INIT;
    request.segment = merge->segment;
    request.has_limit = 1;
    request.limit = PAGE_CUSTOMERS;
    if (page->count > 0) {
        memcpy(after, page->customers[page->count - 1], sizeof after);
        request.after = after;
    }
    struct suite_call call = segmentation_call(merge->suite, shard);
    call.method = "segmentation.List";
    call.message = &request.base;
    call.reply = &kith__v1__list_reply__descriptor;
    int code = EXIT_DONE;
    const Kith__V1__ListReply *reply = suite_ask(merge->suite, &call, &code);
    if (reply == NULL) {
        return code;
    }
    size_t count = reply->n_customers < PAGE_CUSTOMERS ? reply->n_customers : PAGE_CUSTOMERS;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(page->customers[i], sizeof page->customers[i], "%s", reply->customers[i]);
    }
    page->count = count;
    page->at = 0;
    page->more = reply->more && count > 0;
    return EXIT_DONE;
}

/* The shard whose next customer is the least; `shards` when all are through. */
static int least_find(struct merge *merge, uint32_t *least)
{
    *least = merge->shards;
    for (uint32_t shard = 0; shard < merge->shards; shard++) {
        struct page *page = &merge->pages[shard];
        int code = page->at == page->count && page->more ? page_fill(merge, shard) : EXIT_DONE;
        if (code != EXIT_DONE) {
            return code;
        }
        if (page->at == page->count) {
            continue;
        }
        const struct page *best = *least < merge->shards ? &merge->pages[*least] : NULL;
        if (best == NULL || strcmp(page->customers[page->at], best->customers[best->at]) < 0) {
            *least = shard;
        }
    }
    return EXIT_DONE;
}

static void customer_print(const struct invocation *invocation, const char *customer)
{
    if (!invocation->json) {
        (void)puts(customer);
        return;
    }
    json_t *object = json_object();
    output_put(object, "customer", output_text_or_null(customer));
    output_line(object);
}

static int list_run(const struct invocation *invocation)
{
    struct words_read read = { { NULL } };
    int code = EXIT_DONE;
    struct suite *suite = segmentation_open(invocation, 1, &read, &code);
    if (suite == NULL) {
        return code;
    }
    struct merge merge = { .suite = suite,
                           .segment = read.texts[0],
                           .shards = suite_shards(suite, "segmentation") };
    for (uint32_t i = 0; i < merge.shards; i++) {
        merge.pages[i].customers =
            memory_allocate(PAGE_CUSTOMERS * sizeof *merge.pages[i].customers);
        merge.pages[i].more = true;
    }
    uint32_t least = 0;
    code = least_find(&merge, &least);
    while (code == EXIT_DONE && least < merge.shards) {
        struct page *page = &merge.pages[least];
        customer_print(invocation, page->customers[page->at++]);
        code = least_find(&merge, &least);
    }
    for (uint32_t i = 0; i < merge.shards; i++) {
        free(merge.pages[i].customers);
    }
    suite_close(&suite);
    return code;
}

/* ---- why */

static json_t *clauses_json(const Kith__V1__WhyReply *reply)
{
    json_t *clauses = json_array();
    for (size_t i = 0; i < reply->n_clauses; i++) {
        const Kith__V1__ClauseValue *clause = reply->clauses[i];
        json_t *object = json_object();
        output_put(object, "text", output_text_or_null(clause->text));
        output_put(object, "value", output_text_or_null(clause->value));
        output_put(object, "holds", json_boolean(clause->holds));
        int result = json_array_append_new(clauses, object);
        assert(result == 0);
    }
    return clauses;
}

static void why_print(const struct invocation *invocation, const Kith__V1__WhyReply *reply)
{
    struct positions positions = { 0 };
    positions_take(&positions, reply->positions, reply->n_positions);
    json_t *object = json_object();
    json_t *clauses = clauses_json(reply);
    output_put(object, "segment", output_text_or_null(reply->segment));
    output_put(object, "customer", output_text_or_null(reply->customer));
    output_put(object, "member", json_boolean(reply->member));
    output_put(object, "rules_version", output_unsigned(reply->rules_version));
    output_put(object, "since", reply->has_since_ms ? output_time(reply->since_ms) : json_null());
    if (invocation->json) {
        output_put(object, "clauses", json_incref(clauses));
    }
    output_put(object, "positions", positions_json(&positions));
    output_object(invocation, object);
    if (!invocation->json) {
        (void)putchar('\n');
        listing_print(clauses, stdout, OUTPUT_WIDTH_DEFAULT);
    }
    json_decref(clauses);
}

static int why_run(const struct invocation *invocation)
{
    struct words_read read = { { NULL } };
    struct refusal refusal;
    refusal_init(&refusal);
    int code = EXIT_DONE;
    struct suite *suite = segmentation_open(invocation, 2, &read, &code);
    if (suite == NULL) {
        return code;
    }
    uint32_t shard = 0;
    if (suite_shard_of(suite, "segmentation", read.texts[1], &shard, &refusal) != STATUS_OK) {
        suite_close(&suite);
        return output_refusal(/* who= */ NULL, &refusal);
    }
    Kith__V1__WhyRequest request = KITH__V1__WHY_REQUEST__INIT;
    request.segment = read.texts[0];
    request.customer = read.texts[1];
    struct suite_call call = segmentation_call(suite, shard);
    call.method = "segmentation.Why";
    call.message = &request.base;
    call.reply = &kith__v1__why_reply__descriptor;
    const Kith__V1__WhyReply *reply = suite_ask(suite, &call, &code);
    if (reply != NULL) {
        why_print(invocation, reply);
    }
    suite_close(&suite);
    return code;
}

const struct command commands_segment[] = {
    { .name = "segment count",
      .usage = "segment count SEGMENT [--json] [--stale] [--wait DURATION]",
      .summary = "how many customers belong to a segment now",
      .help = "Counts after everything acknowledged before the call is in.\n"
              "\n"
              "examples:\n"
              "  kith segment count spend_200_in_90d\n"
              "  kith segment count spend_200_in_90d --json | jq .count\n",
      .needs_suite = true,
      .run = count_run },
    { .name = "segment list",
      .usage = "segment list SEGMENT [--json] [--stale] [--wait DURATION]",
      .summary = "the customers of a segment, one a line",
      .help = "Prints the customers in ascending order.\n"
              "\n"
              "examples:\n"
              "  kith segment list spend_200_in_90d > customers.txt\n"
              "  kith segment list spend_200_in_90d | wc -l\n",
      .needs_suite = true,
      .run = list_run },
    { .name = "segment why",
      .usage = "segment why SEGMENT CUSTOMER [--json]",
      .summary = "why a customer does or does not belong to a segment",
      .help = "Each clause of the segment's rule, the value that it was compared with, and\n"
              "whether it holds.\n"
              "\n"
              "examples:\n"
              "  kith segment why spend_200_in_90d 07592\n"
              "  kith segment why spend_200_in_90d 07592 --json | jq '.clauses[].text'\n",
      .needs_suite = true,
      .run = why_run },
    { .name = NULL },
};
