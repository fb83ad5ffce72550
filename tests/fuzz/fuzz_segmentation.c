/* link: segmentation_service common_wire */
/* covers: services/segmentation/segmentation_codec.c services/segmentation/segmentation_record.c
 *         services/segmentation/segmentation_request.c services/segmentation/segmentation_key.c
 *         common/rules/rules.c common/rules/rules_text.c */
/*
 * Segmentation's messages from any bytes: rules, private records, facts and questions. What is
 * taken comes back from its own encoding, and rules that are taken can be read and evaluated.
 */
#include "common/rules/rules_text.h"
#include "common/wire/message.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"
#include "kith/v1/segmentation_private.pb-c.h"
#include "services/segmentation/segmentation_codec.h"
#include "services/segmentation/segmentation_record.h"
#include "services/segmentation/segmentation_request.h"
#include "tests/fuzz/message_cases.h"

#include <assert.h>
#include <stdlib.h>

#define TEXT_BYTES (256 * 1024)

/* ---- rules */

static struct rules_window window_answer(void *context, size_t feature)
{
    const struct rules *rules = context;
    assert(feature < rules->feature_count);
    return (struct rules_window){ .count = feature, .sum = (rules_sum)feature * LIMIT_AMOUNT };
}

static bool latest_answer(void *context, size_t feature, int64_t *at_ms)
{
    const struct rules *rules = context;
    assert(feature < rules->feature_count && rules->features[feature].days == 0);
    *at_ms = -(int64_t)feature;
    return feature % 2 == 0;
}

static bool attribute_answer(void *context, struct span name, struct rules_attribute *attribute)
{
    (void)context;
    *attribute = (struct rules_attribute){ .text = name, .has_integer = name.size % 2 == 0 };
    return name.size % 3 != 0;
}

static void rules_use(struct rules *rules)
{
    struct rules_values values = { .context = rules,
                                   .window = window_answer,
                                   .latest = latest_answer,
                                   .attribute = attribute_answer };
    struct buffer text;
    buffer_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < rules->segment_count; i++) {
        buffer_clear(&text);
        (void)rules_segment_holds(rules, i, &values);
        enum status status = rules_segment_text(rules, i, &text);
        assert(status == STATUS_OK && text.size > 0);
        assert(rules_segment_find(rules, rules_span(rules, rules->segments[i].name)) == i);
    }
    buffer_release(&text);
}

static void rules_try(struct span bytes, struct arena *arena)
{
    struct segmentation_rules *rules = memory_allocate(sizeof *rules);
    struct segmentation_rules *again = memory_allocate(sizeof *again);
    struct buffer out;
    struct buffer second;
    buffer_init(&out, SEGMENTATION_COMPILED_BYTES);
    buffer_init(&second, SEGMENTATION_COMPILED_BYTES);
    enum status status = segmentation_rules_decode(bytes, arena, rules);
    assert(status == STATUS_OK || status == STATUS_CORRUPT);
    if (status == STATUS_OK) {
        rules_use(&rules->rules);
        status = segmentation_rules_encode(rules, arena, &out);
        assert(status == STATUS_OK || status == STATUS_LIMIT);
    }
    if (status == STATUS_OK) {
        status = segmentation_rules_decode(buffer_span(&out), arena, again);
        assert(status == STATUS_OK);
        status = segmentation_rules_encode(again, arena, &second);
        assert(status == STATUS_OK && span_equal(buffer_span(&out), buffer_span(&second)));
    }
    buffer_release(&out);
    buffer_release(&second);
    free(rules);
    free(again);
}

/* ---- records and facts */

static void record_try(struct span bytes, struct arena *arena)
{
    (void)arena;
    struct segmentation_record record = { .now_ms = 0 };
    struct segmentation_record again = { .now_ms = 0 };
    struct buffer first;
    struct buffer second;
    buffer_init(&first, LIMIT_RECORD_BYTES);
    buffer_init(&second, LIMIT_RECORD_BYTES);
    enum status status = segmentation_record_decode(bytes, &record);
    assert(status == STATUS_OK || status == STATUS_CORRUPT);
    if (status == STATUS_OK && bytes.size < LIMIT_RECORD_BYTES / 2) {
        segmentation_record_encode(&record, &first);
        status = segmentation_record_decode(buffer_span(&first), &again);
        assert(status == STATUS_OK);
        segmentation_record_encode(&again, &second);
        assert(span_equal(buffer_span(&first), buffer_span(&second)));
    }
    buffer_release(&first);
    buffer_release(&second);
}

static void facts_try(struct span bytes, struct arena *arena)
{
    struct segmentation_rules_fact changed = { .version = 0 };
    enum status status = segmentation_rules_fact_decode(bytes, arena, &changed);
    assert(status == STATUS_OK || status == STATUS_CORRUPT);
    struct fact fact = { .type = FACT_SEGMENT_ENTERED, .has_customer = true, .body = bytes };
    struct segmentation_move move = { .rules_version = 0 };
    status = segmentation_move_decode(&fact, arena, &move);
    assert(status == STATUS_CORRUPT || move.rules_version > 0);
    fact.type = FACT_SEGMENT_EXITED;
    status = segmentation_move_decode(&fact, arena, &move);
    assert(status == STATUS_CORRUPT || move.segment.size > 0);
}

static void questions_try(struct span bytes, struct arena *arena)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct span segment = { 0 };
    struct segmentation_list_request list = { .limit = 0 };
    struct segmentation_why_request why = { .segment = { 0 } };
    enum status status = segmentation_count_decode(bytes, arena, &segment, &refusal);
    assert(status == STATUS_MALFORMED || id_text_is_valid(segment));
    status = segmentation_list_decode(bytes, arena, &list, &refusal);
    assert(status == STATUS_MALFORMED || (list.limit >= 1 && list.limit <= REQUEST_PAGE_MAX));
    status = segmentation_why_decode(bytes, arena, &why, &refusal);
    assert(status == STATUS_MALFORMED || id_text_is_valid(why.customer));
}

/* A key has one encoding. */
static void keys_try(struct span bytes, struct arena *arena)
{
    (void)arena;
    struct customer_id customer = { .bytes = { 0 } };
    struct segmentation_event_key event = { .number = 0 };
    struct segmentation_due_key due = { .at_ms = 0 };
    uint16_t feature = 0;
    uint32_t segment = 0;
    struct span text = { 0 };
    struct segmentation_key again = { .size = bytes.size };
    if (segmentation_customer_key_decode(bytes, &customer) == STATUS_OK) {
        again = segmentation_customer_key(customer);
        assert(span_equal(segmentation_key_span(&again), bytes));
    }
    if (segmentation_event_key_decode(bytes, &event) == STATUS_OK) {
        again = segmentation_event_key_encode(event);
        assert(span_equal(segmentation_key_span(&again), bytes));
    }
    if (segmentation_due_key_decode(bytes, &due) == STATUS_OK) {
        again = segmentation_due_key_encode(due);
        assert(span_equal(segmentation_key_span(&again), bytes));
    }
    if (segmentation_member_key_decode(bytes, &segment, &text) == STATUS_OK) {
        again = segmentation_member_key(segment, text);
        assert(span_equal(segmentation_key_span(&again), bytes));
    }
    enum status status = segmentation_feature_key_decode(bytes, &feature);
    assert((status == STATUS_OK) == (bytes.size == SEGMENTATION_CUSTOMER_BYTES + sizeof feature));
    status = segmentation_membership_key_decode(bytes, &segment);
    assert((status == STATUS_OK) == (bytes.size == SEGMENTATION_CUSTOMER_BYTES + sizeof segment));
}

static const struct message_case cases[] = {
    { &kith__v1__segment_rules__descriptor, rules_try, NULL, 0 },
    { &kith__v1__segmentation_record__descriptor, record_try, NULL, 0 },
    { &kith__v1__segment_entered__descriptor, facts_try, NULL, 0 },
    { &kith__v1__list_request__descriptor, questions_try, NULL, 0 },
    { &kith__v1__rules_changed__descriptor, facts_try, NULL, 0 },
    { &kith__v1__segment_exited__descriptor, facts_try, NULL, 0 },
    { &kith__v1__why_request__descriptor, questions_try, NULL, 0 },
    { NULL, keys_try, NULL, 0 },
};

static const struct message_cases target = {
    .cases = cases,
    .count = sizeof cases / sizeof cases[0],
    .arena_bytes = (size_t)16 * 1024 * 1024,
    .inner = &kith__v1__segment_rules__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return message_cases_try(&target, data, size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return message_cases_mutate(&target, data, size, size_max, seed);
}
