#include "services/campaign/campaign_service.h"

#include "common/config/campaigns_config.h"
#include "common/wire/rules_fact.h"
#include "services/campaign/campaign_codec.h"
#include "services/campaign/campaign_internal.h"
#include "services/campaign/campaign_query.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Version of the tables in campaign_key.h. */
#define CAMPAIGN_SCHEMA 1
/* What the largest fact of a feed and the rules unpack to, with room. */
#define CAMPAIGN_ARENA_BYTES (4 * 1024 * 1024)
/* What a command decides at once, so that its reply mostly knows. */
#define CAMPAIGN_COMMAND_FACTS 64

/* ---- life */

static enum status configuration_read(struct campaign *campaign,
                                      const struct service_environment *environment,
                                      struct refusal *refusal)
{
    struct yaml_node *own = environment->own->own;
    enum status status = own == NULL ? STATUS_OK : config_unused_check(own, refusal);
    if (status == STATUS_OK) {
        status = campaigns_config_read(environment->config, &campaign->campaigns, refusal);
    }
    if (status == STATUS_OK) {
        campaign_rules_encode(&campaign->campaigns, &campaign->compiled);
        campaign_rules_text(&campaign->campaigns, &campaign->text);
    }
    return status;
}

static void campaign_close(void **service)
{
    struct campaign *campaign = *service;
    if (campaign == NULL) {
        return;
    }
    assert(!campaign->outbox.is_started);
    if (campaign->outbox.wake >= 0) {
        (void)close(campaign->outbox.wake);
    }
    buffer_release(&campaign->compiled);
    buffer_release(&campaign->text);
    buffer_release(&campaign->body);
    buffer_release(&campaign->sealed);
    campaign_message_release(&campaign->message);
    arena_release(&campaign->input);
    arena_release(&campaign->evolved);
    free(campaign->data);
    free(campaign);
    *service = NULL;
}

static char *text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memory_allocate(size);
    memcpy(copy, text, size);
    return copy;
}

static enum status campaign_open(void **service, const struct service_environment *environment,
                                 struct refusal *refusal)
{
    assert(environment->suite_key.size == CAMPAIGN_SUITE_KEY_BYTES);
    struct campaign *campaign = memory_allocate(sizeof *campaign);
    memcpy(campaign->suite_key, environment->suite_key.data, sizeof campaign->suite_key);
    /* None where the configuration is only checked. */
    campaign->data = environment->data != NULL ? text_copy(environment->data) : NULL;
    campaign->shard = environment->shard;
    campaign->is_event_clock = environment->config->clock == SUITE_CLOCK_EVENT;
    campaign->setup.campaigns = &campaign->campaigns;
    campaign->setup.waits_for_outcomes = campaign->is_event_clock;
    campaign->outbox.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    buffer_init(&campaign->compiled, CAMPAIGN_COMPILED_BYTES);
    buffer_init(&campaign->text, CAMPAIGN_RULES_TEXT_BYTES);
    buffer_init(&campaign->body, LIMIT_RECORD_BYTES);
    buffer_init(&campaign->sealed, CAMPAIGN_SEALED_BYTES);
    campaign_message_init(&campaign->message);
    arena_init(&campaign->input, CAMPAIGN_ARENA_BYTES);
    arena_init(&campaign->evolved, CAMPAIGN_ARENA_BYTES);
    void *opened = campaign;
    enum status status =
        campaign->outbox.wake >= 0
            ? configuration_read(campaign, environment, refusal)
            : refusal_set(refusal, STATUS_INTERNAL, "eventfd: %s", strerrorname_np(errno));
    if (status != STATUS_OK) {
        campaign_close(&opened);
        return status;
    }
    *service = opened;
    return STATUS_OK;
}

/* ---- rules */

static void campaign_start(void *service, struct turn *turn)
{
    struct campaign *campaign = service;
    struct campaign_head head = { .rules_version = 0 };
    (void)campaign_head_load(turn_view(turn), &head);
    struct span compiled = buffer_span(&campaign->compiled);
    struct hash128 hash = hash128_of_span(compiled);
    bool none = head.rules_version == 0 && compiled.size == 0;
    if (none || (head.rules_version > 0 && hash128_equal(hash, head.rules_hash))) {
        return;
    }
    struct rules_fact changed = {
        .version = head.rules_version + 1,
        .hash = hash,
        .compiled = compiled,
        .text = buffer_span(&campaign->text),
    };
    buffer_clear(&campaign->body);
    rules_fact_encode(&changed, CAMPAIGN_RULES_NAME, &campaign->body);
    struct fact fact = { .type = FACT_RULES_CHANGED,
                         .version = 1,
                         .body = buffer_span(&campaign->body) };
    (void)turn_emit(turn, &fact);
}

/* ---- what comes in */

void campaign_record_emit(struct campaign *campaign, struct turn *turn)
{
    buffer_clear(&campaign->body);
    campaign_record_encode(&campaign->record, &campaign->input, &campaign->body);
    turn_record(turn, buffer_span(&campaign->body));
}

static void campaign_fold(void *service, struct turn *turn, const struct feed_name *feed,
                          const struct fact *fact)
{
    (void)feed; /* there is only one */
    struct campaign *campaign = service;
    struct campaign_moved *moved = &campaign->record.moved;
    arena_reset(&campaign->input);
    enum status status = campaign_moved_read(fact, &campaign->input, moved);
    assert(status == STATUS_OK);
    moved->told_at_ms = fact->recorded_at_ms;
    moved->at_ms = turn_now(turn);
    campaign_core_contact_complete(&campaign->campaigns, moved);
    campaign_core_entry_plan(turn_view(turn), &campaign->setup, fact->seq, moved);
    campaign->record.kind = CAMPAIGN_RECORD_MOVED;
    campaign_record_emit(campaign, turn);
}

static bool campaign_due(void *service, const struct view *view, int64_t *due_ms)
{
    const struct campaign_survey *survey = campaign_survey_renew(service, view);
    *due_ms = survey->work.due_ms;
    return survey->work.kind != CAMPAIGN_WORK_NONE;
}

static void campaign_tick(void *service, struct turn *turn, int64_t due_ms, size_t facts_max)
{
    struct campaign *campaign = service;
    assert(due_ms <= turn_now(turn));
    arena_reset(&campaign->input);
    campaign_pump(campaign, turn, facts_max);
}

/* ---- evolve */

static void record_evolve(struct campaign *campaign, const struct change *change, struct span bytes)
{
    struct campaign_record *record = &campaign->reading;
    enum status status = campaign_record_decode(bytes, &campaign->evolved, record);
    assert(status == STATUS_OK);
    switch (record->kind) {
    case CAMPAIGN_RECORD_MOVED:
        campaign_core_moved_evolve(change, &record->moved);
        break;
    case CAMPAIGN_RECORD_PLANNED:
        campaign_core_plan_evolve(change, record->planned.customer, &record->planned.plan,
                                  record->planned.at_ms);
        break;
    case CAMPAIGN_RECORD_SCHEDULE_RAN:
        campaign_core_schedule_evolve(change, &record->ran);
        break;
    }
}

static void rules_evolve(struct campaign *campaign, const struct change *change,
                         const struct fact *fact)
{
    struct campaign_rules_change rules = { .version = 0 };
    enum status status = campaign_rules_fact_decode(fact->body, &campaign->evolved, &rules);
    assert(status == STATUS_OK);
    rules.at_ms = fact->recorded_at_ms;
    campaign_core_rules_evolve(change, &rules);
}

static void decision_evolve(struct campaign *campaign, const struct change *change,
                            const struct fact *fact)
{
    struct campaign_decision decision = { .becomes = CAMPAIGN_PLANNED };
    enum status status = campaign_decision_decode(fact, &campaign->evolved, &decision);
    assert(status == STATUS_OK);
    campaign_core_decision_evolve(change, &decision, fact->seq, fact->recorded_at_ms);
}

static void campaign_evolve(void *service, const struct change *change, const struct record *record)
{
    struct campaign *campaign = service;
    campaign_survey_forget(campaign);
    arena_reset(&campaign->evolved);
    if (record->is_private) {
        record_evolve(campaign, change, record->private_record);
    } else if (record->fact.type == FACT_RULES_CHANGED) {
        rules_evolve(campaign, change, &record->fact);
    } else {
        decision_evolve(campaign, change, &record->fact);
    }
}

/* ---- commands and questions */

static void positions_append(struct campaign *campaign, struct turn *turn, enum campaign_reply kind,
                             struct reply *reply)
{
    size_t count = turn_positions(turn, campaign->positions, CAMPAIGN_POSITIONS_MAX);
    campaign_positions_append(kind, campaign->positions, count, reply->body);
}

/* Who the command means, and the dispatch that it makes. */
static enum status trigger_plan(const struct campaign *campaign, struct turn *turn,
                                const struct campaign_trigger_request *request,
                                struct campaign_planned *planned, struct refusal *refusal)
{
    if (campaigns_find(&campaign->campaigns, request->campaign) == NULL) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no campaign '%.*s'",
                           (int)request->campaign.size, (const char *)request->campaign.data);
    }
    struct span key = span_of(campaign->suite_key, sizeof campaign->suite_key);
    struct campaign_subject subject = { .size = 0 };
    planned->customer = customer_id_of(key, "customer", request->customer);
    if (!campaign_customer_load(turn_view(turn), planned->customer, &subject)) {
        return refusal_set(refusal, STATUS_NOT_FOUND,
                           "the customer '%.*s' has never been in a segment that campaign has "
                           "heard of",
                           (int)request->customer.size, (const char *)request->customer.data);
    }
    struct campaign_plan *plan = &planned->plan;
    plan->campaign = campaign_name_of(request->campaign);
    plan->trigger = CAMPAIGN_BY_COMMAND;
    plan->step = campaign_core_command_step(turn_key(turn));
    plan->dispatch = campaign_core_dispatch_id(request->campaign, request->customer, &plan->step);
    planned->at_ms = turn_now(turn);
    return STATUS_OK;
}

static enum status trigger_handle(void *service, struct turn *turn, struct span body,
                                  struct reply *reply)
{
    struct campaign *campaign = service;
    struct campaign_trigger_request request = { .campaign = { 0 } };
    arena_reset(&campaign->input);
    enum status status = campaign_trigger_decode(body, &campaign->input, &request, reply->refusal);
    struct campaign_planned *planned = &campaign->record.planned;
    if (status == STATUS_OK) {
        status = trigger_plan(campaign, turn, &request, planned, reply->refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct hash128 id = planned->plan.dispatch;
    struct campaign_dispatch known = { .state = CAMPAIGN_PLANNED };
    if (!campaign_dispatch_load(turn_view(turn), id, &known)) {
        campaign->record.kind = CAMPAIGN_RECORD_PLANNED;
        campaign_record_emit(campaign, turn);
        if (!turn_is_behind(turn)) {
            campaign_pump(campaign, turn, CAMPAIGN_COMMAND_FACTS);
        }
    }
    bool is_pending = false;
    return campaign_query_dispatch(turn_view(turn), id, reply->body, &is_pending, reply->refusal);
}

static enum status dispatch_handle(void *service, struct turn *turn, struct span body,
                                   struct reply *reply)
{
    struct campaign *campaign = service;
    struct hash128 id = { .bytes = { 0 } };
    arena_reset(&campaign->input);
    enum status status = campaign_dispatch_decode(body, &campaign->input, &id, reply->refusal);
    if (status == STATUS_OK) {
        status = campaign_query_dispatch(turn_view(turn), id, reply->body, &reply->is_early,
                                         reply->refusal);
    }
    return status;
}

static enum status decisions_handle(void *service, struct turn *turn, struct span body,
                                    struct reply *reply)
{
    struct campaign *campaign = service;
    struct campaign_decisions_request request = { .limit = 0 };
    arena_reset(&campaign->input);
    enum status status =
        campaign_decisions_decode(body, &campaign->input, &request, reply->refusal);
    if (status == STATUS_OK) {
        status = campaign_query_decisions(turn_view(turn), &request, reply->body, reply->refusal);
    }
    if (status == STATUS_OK) {
        positions_append(campaign, turn, CAMPAIGN_DECISIONS, reply);
    }
    return status;
}

static enum status campaigns_handle(void *service, struct turn *turn, struct span body,
                                    struct reply *reply)
{
    struct campaign *campaign = service;
    arena_reset(&campaign->input);
    enum status status = campaign_campaigns_decode(body, &campaign->input, reply->refusal);
    if (status == STATUS_OK) {
        campaign_query_campaigns(turn_view(turn), &campaign->campaigns, reply->body);
        positions_append(campaign, turn, CAMPAIGN_CAMPAIGNS, reply);
    }
    return status;
}

static enum status settle_handle(void *service, struct turn *turn, struct span body,
                                 struct reply *reply)
{
    struct campaign *campaign = service;
    arena_reset(&campaign->input);
    enum status status = campaign_settle_decode(body, &campaign->input, reply->refusal);
    if (status == STATUS_OK) {
        struct campaign_head head = { .rules_version = 0 };
        (void)campaign_head_load(turn_view(turn), &head);
        reply->is_early = head.planned > 0 || head.open > 0 ||
                          campaign_survey_renew(campaign, turn_view(turn))->is_running;
        campaign_settle_reply_encode(&head, !reply->is_early, reply->body);
        positions_append(campaign, turn, CAMPAIGN_SETTLE, reply);
    }
    return status;
}

/* ---- the page */

static const struct store_table tables[] = {
    { CAMPAIGN_TABLE_CAMPAIGN, "campaign", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_MEMBER, "member", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_CUSTOMER, "customer", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_CONTACT, "contact", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_QUEUE, "queue", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_DISPATCH, "dispatch", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_DECISION, "decision", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_CHANNEL, "channel", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_OPEN, "open", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_CAP, "cap", STORE_TABLE_TREE },
    { CAMPAIGN_TABLE_HEAD, "head", STORE_TABLE_TREE },
};

static const uint32_t segmentation_folded[] = { FACT_SEGMENT_ENTERED, FACT_SEGMENT_EXITED };
static const uint32_t segmentation_ignored[] = { FACT_RULES_CHANGED, FACT_CONSUMER_ACCEPTED };

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const struct service_feed feeds[] = {
    { "segmentation", segmentation_folded, COUNT(segmentation_folded), segmentation_ignored,
      COUNT(segmentation_ignored) },
};

static const struct service_method methods[] = {
    { "campaign.Trigger", true, trigger_handle },
    { "campaign.Dispatch", false, dispatch_handle },
    { "campaign.Decisions", false, decisions_handle },
    { "campaign.Campaigns", false, campaigns_handle },
    { "campaign.Settle", false, settle_handle },
};

const struct service_definition campaign_definition = {
    .name = "campaign",
    .schema = CAMPAIGN_SCHEMA,
    .tables = tables,
    .table_count = COUNT(tables),
    .feeds = feeds,
    .feed_count = COUNT(feeds),
    .methods = methods,
    .method_count = COUNT(methods),
    .keeps_journal = true,
    .open = campaign_open,
    .close = campaign_close,
    .start = campaign_start,
    .fold = campaign_fold,
    .due = campaign_due,
    .tick = campaign_tick,
    .evolve = campaign_evolve,
    .effects = &campaign_effects,
};
