/* link: campaign_service */
/* covers: services/campaign/campaign_codec.c services/campaign/campaign_codec_rules.c
 *         services/campaign/campaign_record.c services/campaign/campaign_request.c
 *         services/campaign/campaign_key.c */
/*
 * Bodies of commands, questions, facts and private records from any bytes. The first byte
 * chooses; what is taken must be within campaign's bounds, and come back from its own encoding.
 */
#include "common/wire/message.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/campaign_private.pb-c.h"
#include "services/campaign/campaign_codec.h"
#include "services/campaign/campaign_record.h"
#include "services/campaign/campaign_request.h"
#include "tests/fuzz/message_maker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* In the order of the cases below. */
static const ProtobufCMessageDescriptor *const messages[] = {
    &kith__v1__trigger_request__descriptor,
    &kith__v1__campaign_record__descriptor,
    &kith__v1__segment_entered__descriptor,
    &kith__v1__segment_exited__descriptor,
    &kith__v1__rules_changed__descriptor,
    &kith__v1__dispatch__descriptor,
    &kith__v1__dispatch__descriptor,
    &kith__v1__dispatch__descriptor,
    &kith__v1__dispatch__descriptor,
    &kith__v1__decisions_request__descriptor,
    &kith__v1__dispatch_request__descriptor,
    &kith__v1__dispatch_message__descriptor,
    NULL,
};
#define KIND_COUNT (sizeof messages / sizeof messages[0])

/* A request is refused with a sentence, or taken whole. */
static void outcome_check(enum status status, const struct refusal *refusal)
{
    assert(status == STATUS_OK || status == STATUS_MALFORMED);
    assert((status == STATUS_OK) == (refusal->status == STATUS_OK));
}

static void requests_try(struct span body, struct arena *arena)
{
    struct refusal refusal = { 0 };
    struct campaign_trigger_request trigger = { .campaign = { 0 } };
    enum status status = campaign_trigger_decode(body, arena, &trigger, &refusal);
    outcome_check(status, &refusal);
    assert(status != STATUS_OK ||
           (id_text_is_valid(trigger.campaign) && id_text_is_valid(trigger.customer)));
    struct campaign_decisions_request decisions = { .limit = 0 };
    refusal_init(&refusal);
    status = campaign_decisions_decode(body, arena, &decisions, &refusal);
    outcome_check(status, &refusal);
    assert(status != STATUS_OK || (decisions.limit >= 1 && decisions.limit <= REQUEST_PAGE_MAX));
    struct hash128 dispatch = { .bytes = { 0 } };
    refusal_init(&refusal);
    outcome_check(campaign_dispatch_decode(body, arena, &dispatch, &refusal), &refusal);
    refusal_init(&refusal);
    outcome_check(campaign_settle_decode(body, arena, &refusal), &refusal);
    refusal_init(&refusal);
    outcome_check(campaign_campaigns_decode(body, arena, &refusal), &refusal);
}

/* The encoding of what was read reads as the same. */
static void decision_try(struct span body, struct arena *arena, uint32_t type)
{
    struct fact fact = { .type = type, .version = 1, .has_customer = true, .body = body };
    struct campaign_decision decision = { .number = 0 };
    if (campaign_decision_decode(&fact, arena, &decision) != STATUS_OK) {
        return;
    }
    struct buffer bytes;
    buffer_init(&bytes, LIMIT_RECORD_BYTES);
    campaign_decision_encode(&decision, &bytes);
    fact.body = buffer_span(&bytes);
    struct campaign_decision back = { .number = 0 };
    enum status status = campaign_decision_decode(&fact, arena, &back);
    assert(status == STATUS_OK);
    assert(back.becomes == decision.becomes && back.number == decision.number);
    assert(back.reason == decision.reason && back.plan.trigger == decision.plan.trigger);
    assert(strcmp(back.plan.campaign.text, decision.plan.campaign.text) == 0);
    assert(strcmp(back.plan.step.text, decision.plan.step.text) == 0);
    assert(span_equal(back.message.bytes, decision.message.bytes));
    buffer_release(&bytes);
}

static void record_try(struct span body, struct arena *arena)
{
    struct campaign_record *record = memory_allocate(2 * sizeof *record);
    struct campaign_record *back = record + 1;
    if (campaign_record_decode(body, arena, record) == STATUS_OK) {
        struct buffer bytes;
        buffer_init(&bytes, LIMIT_RECORD_BYTES);
        campaign_record_encode(record, arena, &bytes);
        enum status status = campaign_record_decode(buffer_span(&bytes), arena, back);
        assert(status == STATUS_OK && back->kind == record->kind);
        assert(back->moved.plan_count == record->moved.plan_count);
        assert(back->moved.contact_count == record->moved.contact_count);
        buffer_release(&bytes);
    }
    free(record);
}

static void moved_try(struct span body, struct arena *arena, uint32_t type)
{
    struct fact fact = { .type = type,
                         .version = 1,
                         .has_customer = true,
                         .subject = { .bytes = span_of_text("ann") },
                         .body = body };
    struct campaign_moved *moved = memory_allocate(sizeof *moved);
    if (campaign_moved_read(&fact, arena, moved) == STATUS_OK) {
        assert(id_text_is_valid(campaign_name_span(&moved->segment)));
        assert(moved->contact_count <= CAMPAIGNS_NEEDS_MAX && moved->plan_count == 0);
    }
    free(moved);
}

static void rules_try(struct span body, struct arena *arena)
{
    struct campaign_rules_change change = { .version = 0 };
    if (campaign_rules_fact_decode(body, arena, &change) == STATUS_OK) {
        assert(change.version > 0 && change.count <= CAMPAIGNS_MAX);
    }
    struct campaign_parts parts = { .text = { 0 } };
    if (campaign_message_decode(body, arena, &parts) == STATUS_OK) {
        assert(parts.address.size + parts.subject.size + parts.text.size <= body.size);
    }
}

/* A key has one encoding. */
static void keys_try(struct span bytes)
{
    struct span name = { 0 };
    struct customer_id customer = { .bytes = { 0 } };
    if (campaign_key_name_decode(bytes, &name) == STATUS_OK) {
        assert(name.size >= 1 && name.size <= LIMIT_ID_BYTES && name.size < bytes.size);
    }
    if (campaign_key_customer_decode(bytes, &name, &customer) == STATUS_OK) {
        struct campaign_key again = campaign_key_of_customer(name, customer);
        assert(span_equal(campaign_key_span(&again), bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct span body = span_of(data + 1, size - 1);
    size_t kind = data[0] % KIND_COUNT;
    switch (kind) {
    case 0:
    case 9:
    case 10:
        requests_try(body, &arena);
        break;
    case 1:
        record_try(body, &arena);
        break;
    case 2:
        moved_try(body, &arena, FACT_SEGMENT_ENTERED);
        break;
    case 3:
        moved_try(body, &arena, FACT_SEGMENT_EXITED);
        break;
    case 4:
    case 11:
        rules_try(body, &arena);
        break;
    case 12:
        keys_try(body);
        break;
    default:
        decision_try(body, &arena, FACT_DISPATCH_INTENDED + (uint32_t)kind - 5U);
        break;
    }
    arena_release(&arena);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    static const struct message_kinds kinds = { .messages = messages,
                                                .count = KIND_COUNT,
                                                .inner = &kith__v1__campaigns__descriptor };
    return message_mutate_in_place(&kinds, data, size, size_max, seed);
}
