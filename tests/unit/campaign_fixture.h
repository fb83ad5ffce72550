/*
 * Campaign over a turn in memory. The functions of a turn are defined here, so the linker takes
 * none of the shell. When a fixture ends, what was journalled is replayed into an empty state by
 * a service without configuration, and the state must come out the same.
 */
#ifndef KITH_TESTS_UNIT_CAMPAIGN_FIXTURE_H
#define KITH_TESTS_UNIT_CAMPAIGN_FIXTURE_H

#include "common/base/time_text.h"
#include "common/wire/pb.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"
#include "services/campaign/campaign_codec.h"
#include "services/campaign/campaign_internal.h"
#include "services/campaign/campaign_service.h"
#include "tests/support/memory_view.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(899164800000) /* 1998-06-30 */
#define KEPT_MAX 4096
#define FIELDS_MAX 4

/* ---- a turn in memory */

struct kept {
    bool is_private;
    struct fact fact;
    struct buffer bytes; /* the body, or the private record */
    struct buffer subject;
};

struct turn {
    void *service;
    struct memory_view *memory;
    struct view view;
    int64_t now_ms;
    int64_t wall_ms;
    const char *key;
    bool is_behind;
    bool has_started; /* its effects */
    size_t fact_count;
    size_t kept_count;
    struct kept kept[KEPT_MAX];
};

const struct view *turn_view(struct turn *turn)
{
    return &turn->view;
}

int64_t turn_now(const struct turn *turn)
{
    return turn->now_ms;
}

int64_t turn_wall(const struct turn *turn)
{
    return turn->wall_ms;
}

bool turn_is_behind(struct turn *turn)
{
    return turn->is_behind;
}

struct span turn_key(const struct turn *turn)
{
    return span_of_text(turn->key);
}

size_t turn_positions(const struct turn *turn, struct turn_position *positions, size_t max)
{
    assert(max >= 1);
    positions[0] = (struct turn_position){ { "campaign", 0 }, turn->fact_count };
    return 1;
}

static inline struct span copy_into(struct buffer *buffer, struct span bytes)
{
    buffer_init(buffer, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(buffer_append(buffer, bytes), STATUS_OK);
    return buffer_span(buffer);
}

uint64_t turn_emit(struct turn *turn, struct fact *fact)
{
    ck_assert_uint_lt(turn->kept_count, KEPT_MAX);
    struct kept *kept = &turn->kept[turn->kept_count++];
    turn->fact_count += 1;
    fact->seq = turn->fact_count;
    fact->recorded_at_ms = turn->now_ms;
    kept->fact = *fact;
    kept->fact.body = copy_into(&kept->bytes, fact->body);
    kept->fact.subject.bytes = copy_into(&kept->subject, fact->subject.bytes);
    struct change change = memory_view_writer(turn->memory);
    struct record record = { .fact = *fact };
    campaign_definition.evolve(turn->service, &change, &record);
    return fact->seq;
}

void turn_record(struct turn *turn, struct span bytes)
{
    ck_assert_uint_lt(turn->kept_count, KEPT_MAX);
    struct kept *kept = &turn->kept[turn->kept_count++];
    kept->is_private = true;
    struct change change = memory_view_writer(turn->memory);
    struct record record = { .is_private = true, .private_record = copy_into(&kept->bytes, bytes) };
    campaign_definition.evolve(turn->service, &change, &record);
}

/* ---- life */

static const uint8_t suite_key[32] = { 1, 2, 3 };

static struct turn turn;
static struct arena arena;
static struct buffer body;
static struct buffer answer;
static struct refusal refusal;
static bool is_early;         /* the newest question's answer */
static uint64_t segment_seq;  /* of segmentation's newest fact */
static char data_folder[128]; /* where channels that are real write */

static inline enum status service_open(const char *text, enum suite_clock clock, void **service)
{
    struct yaml_tree *tree = NULL;
    ck_assert_int_eq(yaml_tree_parse(&tree, "suite.yaml", text, strlen(text), &refusal), STATUS_OK);
    struct yaml_node *root = yaml_tree_root(tree);
    struct suite_config config = {
        .clock = clock,
        .segments = config_child(root, "segments"),
        .channels = config_child(root, "channels"),
        .campaigns = config_child(root, "campaigns"),
    };
    struct suite_service own = { .own = config_child(root, "campaign") };
    struct service_environment environment = {
        .config = &config,
        .own = &own,
        .data = data_folder,
        .suite_key = span_of(suite_key, sizeof suite_key),
    };
    enum status status = campaign_definition.open(service, &environment, &refusal);
    yaml_tree_close(&tree);
    return status;
}

static inline void service_close(void)
{
    if (turn.has_started) {
        campaign_effects.stop(turn.service);
        turn.has_started = false;
    }
    campaign_definition.close(&turn.service);
}

/* A process that starts over the state there is. */
static inline void restart(const char *text, enum suite_clock clock)
{
    service_close();
    ck_assert_msg(service_open(text, clock, &turn.service) == STATUS_OK, "%s", refusal.message);
    turn.has_started = true;
    ck_assert_int_eq(campaign_effects.start(turn.service, &turn.view, &refusal), STATUS_OK);
    campaign_definition.start(turn.service, &turn);
}

static inline void fixture_open(void)
{
    memset(&turn, 0, sizeof turn);
    turn.now_ms = START_MS;
    turn.wall_ms = START_MS;
    turn.key = "k1";
    segment_seq = 0;
    memory_view_open(&turn.memory);
    turn.view = memory_view_reader(turn.memory);
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    buffer_init(&body, LIMIT_RECORD_BYTES);
    buffer_init(&answer, LIMIT_BODY_BYTES);
    refusal_init(&refusal);
}

static inline void replay(void)
{
    struct memory_view *again = NULL;
    void *service = NULL;
    memory_view_open(&again);
    struct change change = memory_view_writer(again);
    ck_assert_int_eq(service_open("other: 1\n", SUITE_CLOCK_WALL, &service), STATUS_OK);
    for (size_t i = 0; i < turn.kept_count; i++) {
        const struct kept *kept = &turn.kept[i];
        struct record record = { .is_private = kept->is_private,
                                 .fact = kept->fact,
                                 .private_record = buffer_span(&kept->bytes) };
        campaign_definition.evolve(service, &change, &record);
    }
    ck_assert(memory_view_equal(turn.memory, again));
    campaign_definition.close(&service);
    memory_view_close(&again);
}

static inline void fixture_close(void)
{
    service_close();
    replay();
    for (size_t i = 0; i < turn.kept_count; i++) {
        buffer_release(&turn.kept[i].bytes);
        buffer_release(&turn.kept[i].subject);
    }
    memory_view_close(&turn.memory);
    arena_release(&arena);
    buffer_release(&body);
    buffer_release(&answer);
}

/* ---- what happens */

/* What the shell does until a moment: ticks, at most `facts_max` each. Time stands still while
 * something is to be decided outside. */
static inline void settle_by(int64_t until_ms, size_t facts_max)
{
    int64_t due_ms = 0;
    size_t ticks = 0;
    while (campaign_definition.due(turn.service, &turn.view, &due_ms) && due_ms <= until_ms) {
        if (due_ms > turn.now_ms && campaign_effects.holds(turn.service, &turn.view)) {
            return;
        }
        turn.now_ms = due_ms > turn.now_ms ? due_ms : turn.now_ms;
        campaign_definition.tick(turn.service, &turn, due_ms, facts_max);
        ck_assert_uint_lt(ticks++, KEPT_MAX);
    }
    if (!campaign_effects.holds(turn.service, &turn.view) && until_ms > turn.now_ms) {
        turn.now_ms = until_ms;
    }
}

static inline void settle(void)
{
    settle_by(turn.now_ms, 1000);
}

static inline struct customer_id id_of(const char *customer)
{
    return customer_id_of(span_of(suite_key, sizeof suite_key), "customer", span_of_text(customer));
}

static inline void segment_fold(const char *customer, uint32_t type,
                                const ProtobufCMessage *message)
{
    struct buffer bytes;
    buffer_init(&bytes, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(pb_pack(message, &bytes), STATUS_OK);
    struct fact fact = { .seq = ++segment_seq,
                         .type = type,
                         .version = 1,
                         .recorded_at_ms = turn.now_ms,
                         .has_customer = true,
                         .customer = id_of(customer),
                         .subject = { .bytes = span_of_text(customer) },
                         .body = buffer_span(&bytes) };
    struct feed_name feed = { "segmentation", 0 };
    campaign_definition.fold(turn.service, &turn, &feed, &fact);
    buffer_release(&bytes);
}

/* What segmentation tells of a customer. */
struct told {
    const char *name;
    const char *value;
};

/* An entry that is folded, and nothing decided yet. */
static inline void enter(const char *customer, const char *segment,
                         const struct told told[FIELDS_MAX])
{
    Kith__V1__Sealed values[FIELDS_MAX];
    Kith__V1__ContactAttribute attributes[FIELDS_MAX];
    Kith__V1__ContactAttribute *pointers[FIELDS_MAX];
    char names[FIELDS_MAX][LIMIT_ID_BYTES + 1];
    char name[LIMIT_ID_BYTES + 1] = "";
    Kith__V1__SegmentEntered message = KITH__V1__SEGMENT_ENTERED__INIT;
    (void)snprintf(name, sizeof name, "%s", segment);
    message.segment = name;
    message.has_rules_version = true;
    message.rules_version = 1;
    for (size_t i = 0; told != NULL && i < FIELDS_MAX && told[i].name != NULL; i++) {
        kith__v1__sealed__init(&values[i]);
        values[i].has_bytes = true;
        values[i].bytes = pb_bytes(span_of_text(told[i].value));
        kith__v1__contact_attribute__init(&attributes[i]);
        (void)snprintf(names[i], sizeof names[i], "%s", told[i].name);
        attributes[i].name = names[i];
        attributes[i].value = &values[i];
        pointers[i] = &attributes[i];
        message.n_contact = i + 1;
    }
    message.contact = pointers;
    segment_fold(customer, FACT_SEGMENT_ENTERED, &message.base);
}

static inline void leave(const char *customer, const char *segment)
{
    char name[LIMIT_ID_BYTES + 1] = "";
    (void)snprintf(name, sizeof name, "%s", segment);
    Kith__V1__SegmentExited message = KITH__V1__SEGMENT_EXITED__INIT;
    message.segment = name;
    message.has_rules_version = true;
    message.rules_version = 1;
    segment_fold(customer, FACT_SEGMENT_EXITED, &message.base);
}

/* ---- commands and questions */

static inline enum status ask(const char *name, const ProtobufCMessage *request)
{
    refusal_init(&refusal);
    buffer_clear(&body);
    buffer_clear(&answer);
    arena_reset(&arena);
    ck_assert_int_eq(pb_pack(request, &body), STATUS_OK);
    struct reply reply = { .body = &answer, .refusal = &refusal };
    size_t before = turn.kept_count;
    for (size_t i = 0; i < campaign_definition.method_count; i++) {
        const struct service_method *method = &campaign_definition.methods[i];
        if (strcmp(method->name, name) == 0) {
            enum status status = method->handle(turn.service, &turn, buffer_span(&body), &reply);
            ck_assert(turn.kept_count == before || (method->is_command && status == STATUS_OK));
            is_early = reply.is_early;
            return status;
        }
    }
    ck_abort_msg("no method %s", name);
    return STATUS_UNIMPLEMENTED;
}

static inline enum status trigger(const char *campaign, const char *customer,
                                  const Kith__V1__DispatchReply **reply)
{
    char names[2][LIMIT_ID_BYTES + 1] = { "", "" };
    (void)snprintf(names[0], sizeof names[0], "%s", campaign);
    (void)snprintf(names[1], sizeof names[1], "%s", customer);
    Kith__V1__TriggerRequest request = KITH__V1__TRIGGER_REQUEST__INIT;
    request.campaign = names[0];
    request.customer = names[1];
    enum status status = ask("campaign.Trigger", &request.base);
    if (status == STATUS_OK) {
        *reply = pb_unpack(&kith__v1__dispatch_reply__descriptor, &arena, buffer_span(&answer));
        ck_assert_ptr_nonnull(*reply);
    }
    return status;
}

static inline const Kith__V1__DecisionsReply *decisions(const char *campaign, uint64_t after,
                                                        uint32_t limit)
{
    char name[LIMIT_ID_BYTES + 1] = "";
    (void)snprintf(name, sizeof name, "%s", campaign);
    Kith__V1__DecisionsRequest request = KITH__V1__DECISIONS_REQUEST__INIT;
    request.campaign = name;
    request.has_after_number = true;
    request.after_number = after;
    request.has_limit = limit > 0;
    request.limit = limit;
    ck_assert_int_eq(ask("campaign.Decisions", &request.base), STATUS_OK);
    const Kith__V1__DecisionsReply *reply =
        pb_unpack(&kith__v1__decisions_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_positions, 1);
    return reply;
}

/* ---- looking */

/* The newest fact about a dispatch. */
static inline struct campaign_decision newest(void)
{
    struct campaign_decision decision = { .number = 0 };
    size_t i = turn.kept_count;
    while (i > 0 &&
           (turn.kept[i - 1].is_private || turn.kept[i - 1].fact.type == FACT_RULES_CHANGED)) {
        i -= 1;
    }
    ck_assert_uint_gt(i, 0);
    arena_reset(&arena);
    ck_assert_int_eq(campaign_decision_decode(&turn.kept[i - 1].fact, &arena, &decision),
                     STATUS_OK);
    return decision;
}

static inline size_t facts_of(uint32_t type)
{
    size_t count = 0;
    for (size_t i = 0; i < turn.kept_count; i++) {
        count += !turn.kept[i].is_private && turn.kept[i].fact.type == type;
    }
    return count;
}

#endif
