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
#include "tests/fuzz/message_cases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void requests_try(struct span body, struct arena *arena)
{
    struct refusal refusal = { 0 };
    struct campaign_trigger_request trigger = { .campaign = { 0 } };
    enum status status = campaign_trigger_decode(body, arena, &trigger, &refusal);
    request_outcome_check(status, &refusal);
    assert(status != STATUS_OK ||
           (id_text_is_valid(trigger.campaign) && id_text_is_valid(trigger.customer)));
    struct campaign_decisions_request decisions = { .limit = 0 };
    refusal_init(&refusal);
    status = campaign_decisions_decode(body, arena, &decisions, &refusal);
    request_outcome_check(status, &refusal);
    assert(status != STATUS_OK || (decisions.limit >= 1 && decisions.limit <= REQUEST_PAGE_MAX));
    struct hash128 dispatch = { .bytes = { 0 } };
    refusal_init(&refusal);
    request_outcome_check(campaign_dispatch_decode(body, arena, &dispatch, &refusal), &refusal);
    refusal_init(&refusal);
    request_outcome_check(campaign_settle_decode(body, arena, &refusal), &refusal);
    refusal_init(&refusal);
    request_outcome_check(campaign_campaigns_decode(body, arena, &refusal), &refusal);
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
static void keys_try(struct span bytes, struct arena *arena)
{
    (void)arena;
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

static const struct message_case cases[] = {
    { &kith__v1__trigger_request__descriptor, requests_try, NULL, 0 },
    { &kith__v1__campaign_record__descriptor, record_try, NULL, 0 },
    { &kith__v1__segment_entered__descriptor, NULL, moved_try, FACT_SEGMENT_ENTERED },
    { &kith__v1__segment_exited__descriptor, NULL, moved_try, FACT_SEGMENT_EXITED },
    { &kith__v1__rules_changed__descriptor, rules_try, NULL, 0 },
    { &kith__v1__dispatch__descriptor, NULL, decision_try, FACT_DISPATCH_INTENDED },
    { &kith__v1__dispatch__descriptor, NULL, decision_try, FACT_DISPATCH_SENT },
    { &kith__v1__dispatch__descriptor, NULL, decision_try, FACT_DISPATCH_SUPPRESSED },
    { &kith__v1__dispatch__descriptor, NULL, decision_try, FACT_DISPATCH_UNKNOWN },
    { &kith__v1__decisions_request__descriptor, requests_try, NULL, 0 },
    { &kith__v1__dispatch_request__descriptor, requests_try, NULL, 0 },
    { &kith__v1__dispatch_message__descriptor, rules_try, NULL, 0 },
    { NULL, keys_try, NULL, 0 },
};

static const struct message_cases target = {
    .cases = cases,
    .count = sizeof cases / sizeof cases[0],
    .arena_bytes = (size_t)4 * 1024 * 1024,
    .inner = &kith__v1__campaigns__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return message_cases_try(&target, data, size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return message_cases_mutate(&target, data, size, size_max, seed);
}
