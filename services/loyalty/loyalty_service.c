#include "services/loyalty/loyalty_service.h"

#include "common/event/event_codec.h"
#include "common/store/overlay.h"
#include "common/wire/rules_fact.h"
#include "services/loyalty/loyalty_batch.h"
#include "services/loyalty/loyalty_codec.h"
#include "services/loyalty/loyalty_config.h"
#include "services/loyalty/loyalty_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Version of the tables in loyalty_key.h; 2: a reversal is a record, not part of an entry. */
#define LOYALTY_SCHEMA 2
/* What the largest fact of a feed and the rules unpack to, with room. */
#define LOYALTY_ARENA_BYTES (4 * 1024 * 1024)
#define LOYALTY_SUITE_KEY_BYTES 32
/* One for each producer's shard, and the ledger's own. */
#define LOYALTY_POSITIONS_MAX (LIMIT_FEEDS + 1)

struct loyalty {
    uint8_t suite_key[LOYALTY_SUITE_KEY_BYTES];
    struct buffer compiled; /* as configured */
    struct buffer text;
    struct loyalty_rules rules;        /* in force: what state says, parsed */
    struct arena input;                /* of the request in hand */
    struct arena evolved;              /* of the fact that is evolved meanwhile */
    struct buffer body;                /* of the fact that is emitted */
    struct loyalty_batch batch;        /* in hand; its items lie in `input` */
    const struct loyalty_found *found; /* where the posting that is emitted goes; NULL: unknown */
    struct turn_position positions[LOYALTY_POSITIONS_MAX];
};

/* ---- life */

static enum status configuration_read(struct loyalty *loyalty,
                                      const struct service_environment *environment,
                                      struct refusal *refusal)
{
    struct yaml_node *own = environment->own->own;
    enum status status = own == NULL ? STATUS_OK : config_unused_check(own, refusal);
    struct loyalty_rules rules = { 0 };
    if (status == STATUS_OK) {
        status = loyalty_config_read(environment->config->programmes, &rules, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    /* The bounds of rules are such that both fit. */
    status = loyalty_rules_encode(&rules, &loyalty->compiled);
    assert(status == STATUS_OK);
    status = loyalty_config_text(&rules, &loyalty->text);
    assert(status == STATUS_OK);
    return STATUS_OK;
}

static void loyalty_close(void **service)
{
    struct loyalty *loyalty = *service;
    if (loyalty == NULL) {
        return;
    }
    buffer_release(&loyalty->compiled);
    buffer_release(&loyalty->text);
    buffer_release(&loyalty->body);
    arena_release(&loyalty->input);
    arena_release(&loyalty->evolved);
    free(loyalty);
    *service = NULL;
}

static enum status loyalty_open(void **service, const struct service_environment *environment,
                                struct refusal *refusal)
{
    assert(environment->suite_key.size == LOYALTY_SUITE_KEY_BYTES);
    struct loyalty *loyalty = memory_allocate(sizeof *loyalty);
    memcpy(loyalty->suite_key, environment->suite_key.data, sizeof loyalty->suite_key);
    buffer_init(&loyalty->compiled, LOYALTY_COMPILED_BYTES);
    buffer_init(&loyalty->text, LOYALTY_RULES_TEXT_BYTES);
    buffer_init(&loyalty->body, LIMIT_RECORD_BYTES);
    arena_init(&loyalty->input, LOYALTY_ARENA_BYTES);
    arena_init(&loyalty->evolved, LOYALTY_ARENA_BYTES);
    void *opened = loyalty;
    enum status status = configuration_read(loyalty, environment, refusal);
    if (status != STATUS_OK) {
        loyalty_close(&opened);
        return status;
    }
    *service = opened;
    return STATUS_OK;
}

/* ---- rules */

/* The rules in force from state, whose facts may all lie before the checkpoint. */
static void rules_load(struct loyalty *loyalty, const struct view *view,
                       const struct loyalty_head *head)
{
    buffer_clear(&loyalty->body);
    loyalty_rules_load(view, head, &loyalty->body);
    arena_reset(&loyalty->input);
    enum status status =
        loyalty_rules_decode(buffer_span(&loyalty->body), &loyalty->input, &loyalty->rules);
    assert(status == STATUS_OK);
    loyalty_core_rules_number(view, &loyalty->rules);
}

static void loyalty_start(void *service, struct turn *turn)
{
    struct loyalty *loyalty = service;
    struct loyalty_head head = { 0 };
    (void)loyalty_head_load(turn_view(turn), &head);
    rules_load(loyalty, turn_view(turn), &head);
    struct span compiled = buffer_span(&loyalty->compiled);
    struct hash128 hash = hash128_of_span(compiled);
    bool none = head.rules_version == 0 && compiled.size == 0;
    if (none || (head.rules_version > 0 && hash128_equal(hash, head.rules_hash))) {
        return;
    }
    struct rules_fact changed = {
        .version = head.rules_version + 1,
        .hash = hash,
        .compiled = compiled,
        .text = buffer_span(&loyalty->text),
    };
    buffer_clear(&loyalty->body);
    rules_fact_encode(&changed, LOYALTY_RULES_NAME, &loyalty->body);
    struct fact fact = { .type = FACT_RULES_CHANGED,
                         .version = 1,
                         .body = buffer_span(&loyalty->body) };
    (void)turn_emit(turn, &fact);
}

/* ---- facts */

/* Evolving finds the account where deciding found it: nothing lies between. */
static uint64_t posting_emit(struct loyalty *loyalty, struct turn *turn,
                             const struct loyalty_found *found,
                             const struct loyalty_posting *posting)
{
    buffer_clear(&loyalty->body);
    loyalty_posting_encode(posting, &loyalty->body);
    struct fact fact = {
        .type = loyalty_posting_type(posting->kind),
        .version = 1,
        .has_customer = true,
        .customer = posting->customer,
        .subject = loyalty_subject_sealed(&posting->subject),
        .body = buffer_span(&loyalty->body),
    };
    loyalty->found = found;
    uint64_t seq = turn_emit(turn, &fact);
    loyalty->found = NULL;
    return seq;
}

static void loyalty_fold(void *service, struct turn *turn, const struct feed_name *feed,
                         const struct fact *fact)
{
    (void)feed; /* there is only one */
    assert(fact->type == FACT_EVENT_ACCEPTED && fact->has_customer);
    struct loyalty *loyalty = service;
    struct accepted_event event = { 0 };
    /* No rule asks for attributes. */
    enum status status = accepted_event_decode(fact->body, NULL, &event);
    assert(status == STATUS_OK);
    struct loyalty_earning earning = {
        .customer = fact->customer,
        .subject = loyalty_subject_of(fact->subject),
        .event = &event,
    };
    if (event.new_customer) {
        buffer_clear(&loyalty->body);
        loyalty_customer_seen_encode(fact->customer, &loyalty->body);
        turn_record(turn, buffer_span(&loyalty->body));
    }
    for (size_t i = 0; i < loyalty->rules.programme_count; i++) {
        struct loyalty_found found;
        struct loyalty_posting posting;
        if (loyalty_core_earn(turn_view(turn), &loyalty->rules.programmes[i], &earning, &found,
                              &posting)) {
            (void)posting_emit(loyalty, turn, &found, &posting);
        }
    }
}

static void rules_evolve(struct loyalty *loyalty, const struct change *change,
                         const struct fact *fact)
{
    struct rules_fact changed = { 0 };
    enum status status =
        rules_fact_decode(fact->body, LOYALTY_RULES_NAME, &loyalty->evolved, &changed);
    assert(status == STATUS_OK);
    status = loyalty_rules_decode(changed.compiled, &loyalty->evolved, &loyalty->rules);
    assert(status == STATUS_OK);
    struct loyalty_rules_change rules_change = {
        .version = changed.version,
        .hash = changed.hash,
        .compiled = changed.compiled,
        .rules = &loyalty->rules,
    };
    loyalty_core_rules_evolve(change, &rules_change);
    loyalty_core_rules_number(&change->view, &loyalty->rules);
}

static void customer_seen_evolve(struct loyalty *loyalty, const struct change *change,
                                 struct span record)
{
    struct customer_id customer = { 0 };
    enum status status = loyalty_customer_seen_decode(record, &loyalty->evolved, &customer);
    assert(status == STATUS_OK);
    loyalty_customer_put(change, customer);
}

static void loyalty_evolve(void *service, const struct change *change, const struct record *record)
{
    struct loyalty *loyalty = service;
    const struct fact *fact = &record->fact;
    arena_reset(&loyalty->evolved);
    if (record->is_private) {
        customer_seen_evolve(loyalty, change, record->private_record);
        return;
    }
    if (fact->type == FACT_RULES_CHANGED) {
        rules_evolve(loyalty, change, fact);
        return;
    }
    struct loyalty_posting posting = { 0 };
    enum status status = loyalty_posting_decode(fact, &posting);
    assert(status == STATUS_OK);
    struct loyalty_posted posted = { &posting, fact->seq, fact->recorded_at_ms, loyalty->found };
    loyalty_core_posting_evolve(change, &posted);
}

/* ---- commands and questions */

static enum status account_find(const struct loyalty *loyalty, const struct view *view,
                                const struct loyalty_balance_request *request,
                                struct loyalty_found *found, struct refusal *refusal)
{
    struct span key = span_of(loyalty->suite_key, sizeof loyalty->suite_key);
    struct loyalty_asked asked = {
        .programme = request->programme,
        .customer = customer_id_of(key, "customer", request->customer),
    };
    return loyalty_core_account_find(view, &loyalty->rules, &asked, found, refusal);
}

static enum status spend_handle(void *service, struct turn *turn, struct span body,
                                struct reply *reply)
{
    struct loyalty *loyalty = service;
    struct loyalty_spend_request request = { 0 };
    arena_reset(&loyalty->input);
    enum status status = loyalty_spend_decode(body, &loyalty->input, &request, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct loyalty_balance_request account = { .customer = request.customer,
                                               .programme = request.programme };
    struct loyalty_found found = { 0 };
    status = account_find(loyalty, turn_view(turn), &account, &found, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct loyalty_posting posting = { 0 };
    status = loyalty_core_spend(&found, request.points, turn_now(turn), &posting, reply->refusal);
    if (status == STATUS_OK) {
        uint64_t seq = posting_emit(loyalty, turn, &found, &posting);
        loyalty_post_reply_encode(&posting, seq, reply->body);
    }
    return status;
}

/* ---- many at once */

/* What a batch is decided on: the turn's own view, or an overlay over it. */
struct post {
    const struct loyalty *loyalty;
    const struct view *view;
    int64_t now_ms;
};

static enum status item_decide(const struct post *post, const struct loyalty_item *item,
                               struct loyalty_found *found, struct loyalty_posting *posting,
                               struct refusal *refusal)
{
    struct loyalty_balance_request account = { .customer = item->customer,
                                               .programme = item->programme };
    enum status status = account_find(post->loyalty, post->view, &account, found, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    if (item->kind == LOYALTY_SPENT) {
        status = loyalty_core_spend(found, item->points, post->now_ms, posting, refusal);
    } else {
        struct sealed named = { .bytes = item->customer };
        struct loyalty_grant grant = { .subject = loyalty_subject_of(named),
                                       .points = item->points,
                                       .now_ms = post->now_ms };
        status = loyalty_core_grant(post->view, found, &grant, posting, refusal);
    }
    if (status == STATUS_OK) {
        posting->reference = item->reference;
    }
    return status;
}

/* Decides the whole batch on `change`, which is thrown away afterwards. `fact_bytes` gets
 * what its facts come to. */
static enum status batch_try(struct loyalty *loyalty, struct turn *turn,
                             const struct change *change, size_t *fact_bytes,
                             struct refusal *refusal)
{
    const struct loyalty_batch *batch = &loyalty->batch;
    const struct post post = { loyalty, &change->view, turn_now(turn) };
    struct refusal why;
    refusal_init(&why);
    for (size_t i = 0; i < batch->count; i++) {
        struct loyalty_found found;
        struct loyalty_posting posting;
        enum status status = item_decide(&post, &batch->items[i], &found, &posting, &why);
        if (status != STATUS_OK) {
            return refusal_set(refusal, status, "postings[%zu]: %s; nothing was posted", i,
                               why.message);
        }
        buffer_clear(&loyalty->body);
        loyalty_posting_encode(&posting, &loyalty->body);
        *fact_bytes += loyalty->body.size + posting.subject.size;
        struct loyalty_posted posted = { &posting, turn_next_seq(turn) + i, post.now_ms, &found };
        loyalty_core_posting_evolve(change, &posted);
    }
    return STATUS_OK;
}

/* Whether all of the batch will be posted; nothing is so far. */
static enum status batch_check_whole(struct loyalty *loyalty, struct turn *turn,
                                     struct refusal *refusal)
{
    struct overlay *overlay = NULL;
    overlay_open(&overlay, turn_view(turn));
    struct change change = overlay_change(overlay);
    size_t fact_bytes = 0;
    enum status status = batch_try(loyalty, turn, &change, &fact_bytes, refusal);
    overlay_close(&overlay);
    if (status == STATUS_OK && !turn_together(turn, loyalty->batch.count, fact_bytes)) {
        refusal_violation(refusal, "all_or_nothing", "such a batch must fit one block of 1 MiB",
                          "send fewer postings at once");
        return STATUS_MALFORMED;
    }
    return status;
}

static enum status post_handle(void *service, struct turn *turn, struct span body,
                               struct reply *reply)
{
    struct loyalty *loyalty = service;
    struct loyalty_batch *batch = &loyalty->batch;
    const struct post post = { loyalty, turn_view(turn), turn_now(turn) };
    arena_reset(&loyalty->input);
    enum status status = loyalty_batch_decode(body, &loyalty->input, batch, reply->refusal);
    if (status == STATUS_OK && batch->all_or_nothing) {
        status = batch_check_whole(loyalty, turn, reply->refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct loyalty_results results = { .out = reply->body };
    struct refusal why; /* of the newest that was refused */
    refusal_init(&why);
    for (size_t i = 0; i < batch->count; i++) {
        struct loyalty_found found;
        struct loyalty_posting posting;
        struct loyalty_result result = { .why = why.message };
        result.status = item_decide(&post, &batch->items[i], &found, &posting, &why);
        assert(result.status == STATUS_OK || !batch->all_or_nothing);
        if (result.status == STATUS_OK) {
            result.posting = posting_emit(loyalty, turn, &found, &posting);
        }
        loyalty_results_add(&results, &result);
    }
    loyalty_results_end(&results);
    return STATUS_OK;
}

static enum status reverse_handle(void *service, struct turn *turn, struct span body,
                                  struct reply *reply)
{
    struct loyalty *loyalty = service;
    uint64_t seq = 0;
    arena_reset(&loyalty->input);
    enum status status = loyalty_reverse_decode(body, &loyalty->input, &seq, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct loyalty_posting posting = { 0 };
    status = loyalty_core_reverse(turn_view(turn), seq, turn_now(turn), &posting, reply->refusal);
    if (status == STATUS_OK) {
        uint64_t reversal = posting_emit(loyalty, turn, NULL, &posting);
        loyalty_post_reply_encode(&posting, reversal, reply->body);
    }
    return status;
}

static enum status balance_handle(void *service, struct turn *turn, struct span body,
                                  struct reply *reply)
{
    struct loyalty *loyalty = service;
    struct loyalty_balance_request request = { 0 };
    arena_reset(&loyalty->input);
    enum status status = loyalty_balance_decode(body, &loyalty->input, &request, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct loyalty_found found = { 0 };
    status = account_find(loyalty, turn_view(turn), &request, &found, reply->refusal);
    if (status == STATUS_OK) {
        size_t count = turn_positions(turn, loyalty->positions, LOYALTY_POSITIONS_MAX);
        loyalty_balance_reply_encode(&found, request.customer, reply->body);
        loyalty_balance_positions_append(loyalty->positions, count, reply->body);
    }
    return status;
}

static enum status statement_handle(void *service, struct turn *turn, struct span body,
                                    struct reply *reply)
{
    struct loyalty *loyalty = service;
    struct loyalty_statement_request request = { 0 };
    arena_reset(&loyalty->input);
    enum status status = loyalty_statement_decode(body, &loyalty->input, &request, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct loyalty_balance_request account = { .customer = request.customer,
                                               .programme = request.programme };
    struct loyalty_found found = { 0 };
    status = account_find(loyalty, turn_view(turn), &account, &found, reply->refusal);
    if (status == STATUS_OK) {
        loyalty_query_statement(turn_view(turn), found.key, &request, reply->body);
    }
    return status;
}

static enum status accounts_handle(void *service, struct turn *turn, struct span body,
                                   struct reply *reply)
{
    struct loyalty *loyalty = service;
    struct loyalty_accounts_request request = { 0 };
    arena_reset(&loyalty->input);
    enum status status = loyalty_accounts_decode(body, &loyalty->input, &request, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    return loyalty_query_accounts(turn_view(turn), &request, turn_next_seq(turn) - 1, reply->body,
                                  reply->refusal);
}

/* ---- the page */

static const struct store_table tables[] = {
    { LOYALTY_TABLE_ACCOUNT, "account", STORE_TABLE_TREE },
    { LOYALTY_TABLE_OWN, "own", STORE_TABLE_TREE },
    { LOYALTY_TABLE_ENTRY, "entry", STORE_TABLE_PERMANENT },
    { LOYALTY_TABLE_POSTING, "posting", STORE_TABLE_PERMANENT },
    { LOYALTY_TABLE_RULES, "rules", STORE_TABLE_TREE },
    { LOYALTY_TABLE_HEAD, "head", STORE_TABLE_TREE },
    { LOYALTY_TABLE_PROGRAMME, "programme", STORE_TABLE_TREE },
    { LOYALTY_TABLE_PROGRAMME_NAME, "programme_name", STORE_TABLE_TREE },
    { LOYALTY_TABLE_CUSTOMER, "customer", STORE_TABLE_PERMANENT },
    { LOYALTY_TABLE_REVERSAL, "reversal", STORE_TABLE_PERMANENT },
};

static const uint32_t ingestion_folded[] = { FACT_EVENT_ACCEPTED };
static const uint32_t ingestion_ignored[] = { FACT_EVENT_QUARANTINED, FACT_QUARANTINE_CLOSED,
                                              FACT_CLOCK_ADVANCED };

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const struct service_feed feeds[] = {
    { "ingestion", ingestion_folded, COUNT(ingestion_folded), ingestion_ignored,
      COUNT(ingestion_ignored) },
};

static const struct service_method methods[] = {
    { "loyalty.Spend", true, spend_handle },
    { "loyalty.Post", true, post_handle },
    { "loyalty.Reverse", true, reverse_handle },
    { "loyalty.Balance", false, balance_handle },
    { "loyalty.Statement", false, statement_handle },
    { "loyalty.Accounts", false, accounts_handle },
};

const struct service_definition loyalty_definition = {
    .name = "loyalty",
    .schema = LOYALTY_SCHEMA,
    .tables = tables,
    .table_count = COUNT(tables),
    .feeds = feeds,
    .feed_count = COUNT(feeds),
    .methods = methods,
    .method_count = COUNT(methods),
    .keeps_journal = true,
    .keeps_keys_for_ever = true,
    .open = loyalty_open,
    .close = loyalty_close,
    .start = loyalty_start,
    .fold = loyalty_fold,
    .evolve = loyalty_evolve,
};
