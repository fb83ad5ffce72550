#include "services/segmentation/segmentation_service.h"

#include "common/config/campaigns_config.h"
#include "common/event/event_codec.h"
#include "services/segmentation/segmentation_codec.h"
#include "services/segmentation/segmentation_config.h"
#include "services/segmentation/segmentation_query.h"
#include "services/segmentation/segmentation_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Version of the tables in segmentation_key.h. */
#define SEGMENTATION_SCHEMA 2
/* What the largest fact of a feed and the rules unpack to, with room. */
#define SEGMENTATION_ARENA_BYTES (8 * 1024 * 1024)
#define SEGMENTATION_SUITE_KEY_BYTES 32
/* One for each feed's shard, and segmentation's own. */
#define SEGMENTATION_POSITIONS_MAX (LIMIT_FEEDS * LIMIT_SHARDS + 1)

struct segmentation {
    uint8_t suite_key[SEGMENTATION_SUITE_KEY_BYTES];
    struct buffer compiled; /* as configured */
    struct buffer text;
    struct segmentation_rules rules; /* in force: what state says, parsed */
    struct segmentation_work work;
    struct segmentation_rules asked; /* an older version that a question is about */
    struct segmentation_work asked_work;
    struct segmentation_front front;
    struct segmentation_head head; /* as state has it, once it is known */
    bool head_is_known;
    struct arena input;                 /* of the request or event in hand */
    struct arena evolved;               /* of what is evolved meanwhile */
    struct buffer body;                 /* of the fact or record that is emitted */
    struct segmentation_record record;  /* the same, before it is encoded */
    struct segmentation_record reading; /* what is evolved meanwhile */
    struct segmentation_moves moves;
    struct campaigns campaigns; /* as configured */
    struct segmentation_contact contact;
    struct turn_position positions[SEGMENTATION_POSITIONS_MAX];
};

/* ---- life */

static enum status configuration_read(struct segmentation *segmentation,
                                      const struct service_environment *environment,
                                      struct refusal *refusal)
{
    struct yaml_node *segments = environment->config->segments;
    /* Its place is free until state's own rules are read. */
    struct segmentation_rules *rules = &segmentation->asked;
    enum status status = segmentation_config_read(environment->own->own, segments, rules, refusal);
    if (status == STATUS_OK) {
        status = campaigns_config_read(environment->config, &segmentation->campaigns, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = segmentation_rules_encode(rules, &segmentation->input, &segmentation->compiled);
    if (status != STATUS_OK) {
        return config_fault(segments, refusal,
                            "segments: take more than %d bytes when compiled; make fewer, or "
                            "simpler ones",
                            SEGMENTATION_COMPILED_BYTES);
    }
    segmentation_config_text(rules, &segmentation->text);
    return STATUS_OK;
}

static void segmentation_close(void **service)
{
    struct segmentation *segmentation = *service;
    if (segmentation == NULL) {
        return;
    }
    buffer_release(&segmentation->compiled);
    buffer_release(&segmentation->text);
    buffer_release(&segmentation->body);
    arena_release(&segmentation->input);
    arena_release(&segmentation->evolved);
    free(segmentation);
    *service = NULL;
}

static enum status segmentation_open(void **service, const struct service_environment *environment,
                                     struct refusal *refusal)
{
    assert(environment->suite_key.size == SEGMENTATION_SUITE_KEY_BYTES);
    struct segmentation *segmentation = memory_allocate(sizeof *segmentation);
    memcpy(segmentation->suite_key, environment->suite_key.data, sizeof segmentation->suite_key);
    buffer_init(&segmentation->compiled, SEGMENTATION_COMPILED_BYTES);
    buffer_init(&segmentation->text, SEGMENTATION_RULES_TEXT_BYTES);
    buffer_init(&segmentation->body, LIMIT_RECORD_BYTES);
    arena_init(&segmentation->input, SEGMENTATION_ARENA_BYTES);
    arena_init(&segmentation->evolved, SEGMENTATION_ARENA_BYTES);
    segmentation->work.rules = &segmentation->rules;
    segmentation->asked_work.rules = &segmentation->asked;
    segmentation->front = segmentation_front_unknown();
    void *opened = segmentation;
    enum status status = configuration_read(segmentation, environment, refusal);
    if (status != STATUS_OK) {
        segmentation_close(&opened);
        return status;
    }
    *service = opened;
    return STATUS_OK;
}

/* ---- rules */

/* Rules of a version from state. */
static void rules_load(struct segmentation *segmentation, const struct view *view, uint32_t version,
                       struct segmentation_rules *rules)
{
    struct buffer compiled;
    buffer_init(&compiled, SEGMENTATION_COMPILED_BYTES);
    segmentation_rules_load(view, version, &compiled);
    arena_reset(&segmentation->evolved);
    enum status status =
        segmentation_rules_decode(buffer_span(&compiled), &segmentation->evolved, rules);
    assert(status == STATUS_OK);
    rules->version = version;
    segmentation_core_rules_bind(view, rules);
    buffer_release(&compiled);
}

/* It is asked for with each event, and nobody but evolve changes it. */
static const struct segmentation_head *head_find(struct segmentation *segmentation,
                                                 const struct view *view)
{
    if (!segmentation->head_is_known) {
        (void)segmentation_head_load(view, &segmentation->head);
        segmentation->head_is_known = true;
    }
    return &segmentation->head;
}

/* The newest rules, whose fact may lie before the checkpoint. */
static void rules_renew(struct segmentation *segmentation, const struct view *view)
{
    uint32_t version = head_find(segmentation, view)->rules_version;
    if (segmentation->rules.version != version) {
        rules_load(segmentation, view, version, &segmentation->rules);
    }
}

/* Those that a customer's memberships were decided by. */
static struct segmentation_work *work_find(struct segmentation *segmentation,
                                           const struct view *view, uint32_t version)
{
    if (version == segmentation->rules.version) {
        return &segmentation->work;
    }
    if (version != segmentation->asked.version) {
        rules_load(segmentation, view, version, &segmentation->asked);
    }
    return &segmentation->asked_work;
}

static void segmentation_start(void *service, struct turn *turn)
{
    struct segmentation *segmentation = service;
    const struct segmentation_head *head = head_find(segmentation, turn_view(turn));
    rules_renew(segmentation, turn_view(turn));
    struct span compiled = buffer_span(&segmentation->compiled);
    struct hash128 hash = hash128_of_span(compiled);
    if (head->rules_version > 0 && hash128_equal(hash, head->rules_hash)) {
        return;
    }
    /* Also an empty set is said: it tells how long events are kept. */
    struct segmentation_rules_fact changed = {
        .version = head->rules_version + 1,
        .hash = hash,
        .compiled = compiled,
        .text = buffer_span(&segmentation->text),
    };
    buffer_clear(&segmentation->body);
    segmentation_rules_fact_encode(&changed, &segmentation->body);
    struct fact fact = { .type = FACT_RULES_CHANGED,
                         .version = 1,
                         .body = buffer_span(&segmentation->body) };
    (void)turn_emit(turn, &fact);
}

/* ---- deciding */

static void record_emit(struct segmentation *segmentation, struct turn *turn)
{
    buffer_clear(&segmentation->body);
    segmentation_record_encode(&segmentation->record, &segmentation->body);
    turn_record(turn, buffer_span(&segmentation->body));
}

/* Entries and exits of a customer whose figures have just changed. Returns how many. */
static size_t moves_emit(struct segmentation *segmentation, struct turn *turn, bool by_time)
{
    struct segmentation_moves *moves = &segmentation->moves;
    segmentation_core_decide(turn_view(turn), &segmentation->work, segmentation->record.customer,
                             segmentation->record.now_ms, moves);
    for (size_t i = 0; i < moves->count; i++) {
        struct segmentation_move *move = &moves->moves[i];
        move->by_time = by_time && !move->entered;
        segmentation->contact.count = 0;
        if (move->entered) {
            segmentation_core_contact(turn_view(turn), move->customer, &segmentation->campaigns,
                                      segmentation_name_span(&move->segment),
                                      &segmentation->contact);
        }
        buffer_clear(&segmentation->body);
        segmentation_move_encode(move, &segmentation->contact, &segmentation->body);
        struct fact fact = {
            .type = segmentation_move_type(move),
            .version = 1,
            .has_customer = true,
            .customer = move->customer,
            .subject = segmentation_subject_sealed(&move->subject),
            .body = buffer_span(&segmentation->body),
        };
        (void)turn_emit(turn, &fact);
    }
    return moves->count;
}

static void segmentation_fold(void *service, struct turn *turn, const struct feed_name *feed,
                              const struct fact *fact)
{
    (void)feed; /* there is only one */
    assert(fact->type == FACT_EVENT_ACCEPTED && fact->has_customer);
    struct segmentation *segmentation = service;
    struct segmentation_record *record = &segmentation->record;
    arena_reset(&segmentation->input);
    struct accepted_event event = { 0 };
    enum status status = accepted_event_decode(fact->body, &segmentation->input, &event);
    assert(status == STATUS_OK);
    if (segmentation_event_tells_profile(event.type)) {
        status = accepted_event_open(fact->body, &segmentation->input, &event);
        assert(status == STATUS_OK);
    }
    segmentation_event_read(fact, &event, &segmentation->input, &record->event);
    record->event.now_ms = turn_now(turn);
    record->kind = SEGMENTATION_RECORD_EVENT;
    record->customer = fact->customer;
    record->now_ms = record->event.now_ms;
    record_emit(segmentation, turn);
    (void)moves_emit(segmentation, turn, false);
}

/* ---- time */

static bool segmentation_due(void *service, const struct view *view, int64_t *due_ms)
{
    struct segmentation *segmentation = service;
    return segmentation_core_due(view, head_find(segmentation, view), &segmentation->front, due_ms);
}

static void customers_advance(struct segmentation *segmentation, struct turn *turn, int64_t due_ms,
                              size_t facts_max)
{
    struct segmentation_front *front = &segmentation->front;
    assert(turn_now(turn) == due_ms);
    for (size_t made = 0; made < facts_max && segmentation_front_find(turn_view(turn), front) &&
                          front->key.at_ms == due_ms;
         made++) {
        arena_reset(&segmentation->input);
        segmentation->record.kind = SEGMENTATION_RECORD_ADVANCED;
        segmentation->record.customer = front->key.customer;
        segmentation->record.now_ms = due_ms;
        record_emit(segmentation, turn);
        made += moves_emit(segmentation, turn, true);
    }
}

static void customers_visit(struct segmentation *segmentation, struct turn *turn, size_t facts_max)
{
    struct segmentation_record *record = &segmentation->record;
    for (size_t made = 0; made < facts_max; made++) {
        arena_reset(&segmentation->input);
        record->now_ms = turn_now(turn);
        record->rules_version = segmentation->rules.version;
        if (!segmentation_core_visit_next(turn_view(turn), &record->customer)) {
            record->kind = SEGMENTATION_RECORD_VISITS_ENDED;
            record_emit(segmentation, turn);
            return;
        }
        record->kind = SEGMENTATION_RECORD_VISITED;
        record_emit(segmentation, turn);
        made += moves_emit(segmentation, turn, false);
    }
}

static void segmentation_tick(void *service, struct turn *turn, int64_t due_ms, size_t facts_max)
{
    struct segmentation *segmentation = service;
    if (head_find(segmentation, turn_view(turn))->visiting) {
        customers_visit(segmentation, turn, facts_max);
    } else {
        customers_advance(segmentation, turn, due_ms, facts_max);
    }
}

/* ---- evolving */

static void rules_evolve(struct segmentation *segmentation, const struct change *change,
                         const struct fact *fact)
{
    struct segmentation_rules_fact changed = { 0 };
    enum status status =
        segmentation_rules_fact_decode(fact->body, &segmentation->evolved, &changed);
    assert(status == STATUS_OK);
    struct segmentation_rules *rules = &segmentation->rules;
    status = segmentation_rules_decode(changed.compiled, &segmentation->evolved, rules);
    assert(status == STATUS_OK);
    struct segmentation_rules_change rules_change = {
        .version = changed.version,
        .hash = changed.hash,
        .compiled = changed.compiled,
        .recorded_at_ms = fact->recorded_at_ms,
        .rules = &rules->rules,
    };
    segmentation_core_rules_evolve(change, &rules_change);
    segmentation->head_is_known = false;
    rules->version = changed.version;
    segmentation_core_rules_bind(&change->view, rules);
}

static void record_evolve(struct segmentation *segmentation, const struct change *change,
                          struct span bytes)
{
    struct segmentation_record *record = &segmentation->reading;
    enum status status = segmentation_record_decode(bytes, record);
    assert(status == STATUS_OK);
    switch (record->kind) {
    case SEGMENTATION_RECORD_EVENT:
        segmentation_core_event_evolve(change, &segmentation->work, &record->event);
        break;
    case SEGMENTATION_RECORD_ADVANCED:
        segmentation_core_advance_evolve(change, &segmentation->work, record->customer,
                                         record->now_ms);
        break;
    case SEGMENTATION_RECORD_VISITED:
        segmentation_core_visit_evolve(change, &segmentation->work, record->customer,
                                       record->now_ms);
        segmentation->head_is_known = false;
        break;
    case SEGMENTATION_RECORD_VISITS_ENDED:
        segmentation_core_visits_end_evolve(change);
        segmentation->head_is_known = false;
        return;
    }
    struct segmentation_due_key due = { .at_ms = segmentation->work.customer.due_ms,
                                        .customer = record->customer };
    segmentation_front_learn(&segmentation->front, due);
}

static void segmentation_evolve(void *service, const struct change *change,
                                const struct record *record)
{
    struct segmentation *segmentation = service;
    const struct fact *fact = &record->fact;
    rules_renew(segmentation, &change->view);
    arena_reset(&segmentation->evolved);
    if (record->is_private) {
        record_evolve(segmentation, change, record->private_record);
        return;
    }
    if (fact->type == FACT_RULES_CHANGED) {
        rules_evolve(segmentation, change, fact);
        return;
    }
    struct segmentation_move move = { .entered = false };
    enum status status = segmentation_move_decode(fact, &segmentation->evolved, &move);
    assert(status == STATUS_OK);
    segmentation_core_move_evolve(change, &segmentation->work, &move, fact->recorded_at_ms);
}

/* ---- questions */

static void positions_append(struct segmentation *segmentation, struct turn *turn,
                             enum segmentation_reply kind, struct reply *reply)
{
    size_t count = turn_positions(turn, segmentation->positions, SEGMENTATION_POSITIONS_MAX);
    segmentation_positions_append(kind, segmentation->positions, count, reply->body);
}

static enum status count_handle(void *service, struct turn *turn, struct span body,
                                struct reply *reply)
{
    struct segmentation *segmentation = service;
    struct span segment = { 0 };
    arena_reset(&segmentation->input);
    enum status status =
        segmentation_count_decode(body, &segmentation->input, &segment, reply->refusal);
    if (status == STATUS_OK) {
        status = segmentation_query_count(turn_view(turn), &segmentation->rules, segment,
                                          reply->body, reply->refusal);
    }
    if (status == STATUS_OK) {
        positions_append(segmentation, turn, SEGMENTATION_COUNT, reply);
    }
    return status;
}

static enum status list_handle(void *service, struct turn *turn, struct span body,
                               struct reply *reply)
{
    struct segmentation *segmentation = service;
    struct segmentation_list_request request = { 0 };
    arena_reset(&segmentation->input);
    enum status status =
        segmentation_list_decode(body, &segmentation->input, &request, reply->refusal);
    if (status == STATUS_OK) {
        status = segmentation_query_list(turn_view(turn), &segmentation->rules, &request,
                                         reply->body, reply->refusal);
    }
    if (status == STATUS_OK) {
        positions_append(segmentation, turn, SEGMENTATION_LIST, reply);
    }
    return status;
}

static enum status why_answer(struct segmentation *segmentation, struct turn *turn,
                              const struct segmentation_why_request *request, struct reply *reply)
{
    struct span key = span_of(segmentation->suite_key, sizeof segmentation->suite_key);
    struct segmentation_why why = { .request = request,
                                    .id = customer_id_of(key, "customer", request->customer),
                                    .now_ms = turn_now(turn) };
    if (!segmentation_customer_load(turn_view(turn), why.id, &why.customer)) {
        return refusal_set(reply->refusal, STATUS_NOT_FOUND, "the customer '%.*s' is not known",
                           (int)request->customer.size, (const char *)request->customer.data);
    }
    struct segmentation_work *work = work_find(segmentation, turn_view(turn), why.customer.version);
    return segmentation_query_why(turn_view(turn), work, &why, reply->body, reply->refusal);
}

static enum status why_handle(void *service, struct turn *turn, struct span body,
                              struct reply *reply)
{
    struct segmentation *segmentation = service;
    struct segmentation_why_request request = { 0 };
    arena_reset(&segmentation->input);
    enum status status =
        segmentation_why_decode(body, &segmentation->input, &request, reply->refusal);
    if (status == STATUS_OK) {
        status = why_answer(segmentation, turn, &request, reply);
    }
    if (status == STATUS_OK) {
        positions_append(segmentation, turn, SEGMENTATION_WHY, reply);
    }
    return status;
}

/* ---- the page */

static const struct store_table tables[] = {
    { SEGMENTATION_TABLE_CUSTOMER, "customer", STORE_TABLE_CLUSTERED },
    { SEGMENTATION_TABLE_PROFILE, "profile", STORE_TABLE_CLUSTERED },
    { SEGMENTATION_TABLE_EVENT, "event", STORE_TABLE_CLUSTERED },
    { SEGMENTATION_TABLE_FEATURE, "feature", STORE_TABLE_CLUSTERED },
    { SEGMENTATION_TABLE_LATEST, "latest", STORE_TABLE_CLUSTERED },
    { SEGMENTATION_TABLE_MEMBERSHIP, "membership", STORE_TABLE_CLUSTERED },
    { SEGMENTATION_TABLE_DUE, "due", STORE_TABLE_TREE },
    { SEGMENTATION_TABLE_MEMBER, "member", STORE_TABLE_TREE },
    { SEGMENTATION_TABLE_SEGMENT, "segment", STORE_TABLE_TREE },
    { SEGMENTATION_TABLE_SEGMENT_NUMBER, "segment_number", STORE_TABLE_TREE },
    { SEGMENTATION_TABLE_RULES, "rules", STORE_TABLE_TREE },
    { SEGMENTATION_TABLE_HEAD, "head", STORE_TABLE_TREE },
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
    { "segmentation.Count", false, count_handle },
    { "segmentation.List", false, list_handle },
    { "segmentation.Why", false, why_handle },
};

const struct service_definition segmentation_definition = {
    .name = "segmentation",
    .schema = SEGMENTATION_SCHEMA,
    .tables = tables,
    .table_count = COUNT(tables),
    .feeds = feeds,
    .feed_count = COUNT(feeds),
    .methods = methods,
    .method_count = COUNT(methods),
    .keeps_journal = true,
    .open = segmentation_open,
    .close = segmentation_close,
    .start = segmentation_start,
    .fold = segmentation_fold,
    .due = segmentation_due,
    .tick = segmentation_tick,
    .evolve = segmentation_evolve,
};
