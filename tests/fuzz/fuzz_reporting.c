/* link: reporting_service kith_test_support */
/* covers: services/reporting/reporting_codec.c services/reporting/reporting_query.c
 *         services/reporting/reporting_key.c */
/*
 * Reporting's questions, the facts that it folds, and its keys, from any bytes. The first byte
 * chooses. A question that is taken is answered from a small state, whatever page it asks for.
 */
#include "common/wire/message.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/reporting.pb-c.h"
#include "services/reporting/reporting_query.h"
#include "tests/fuzz/message_maker.h"
#include "tests/support/memory_view.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* In the order of the cases below. */
static const ProtobufCMessageDescriptor *const messages[] = {
    &kith__v1__daily_request__descriptor,  &kith__v1__daily_request__descriptor,
    &kith__v1__totals_request__descriptor, &kith__v1__points_posted__descriptor,
    &kith__v1__points_posted__descriptor,  NULL,
};
#define KIND_COUNT (sizeof messages / sizeof messages[0])

/* A request is refused with a sentence, or taken whole. */
static void outcome_check(enum status status, const struct refusal *refusal)
{
    assert(status == STATUS_OK || status == STATUS_MALFORMED);
    assert((status == STATUS_OK) == (refusal->status == STATUS_OK));
}

/* Three days of one attribute, "tier". */
static void state_fill(const struct change *change)
{
    struct reporting_day_key key = { .day = 0 };
    struct reporting_day day = { .events = 1 };
    uint16_t number = 0;
    enum status status = reporting_attribute_number(change, span_of_text("tier"), &number);
    assert(status == STATUS_OK);
    for (key.day = 0; key.day < 3; key.day++) {
        key.attribute = REPORTING_ATTRIBUTE_NONE;
        key.value = (struct reporting_value){ .present = false };
        reporting_day_put(change, &key, &day);
        key.attribute = number;
        reporting_day_put(change, &key, &day);
        key.value = (struct reporting_value){ .present = true, .size = 1, .text = { 'g' } };
        reporting_day_put(change, &key, &day);
    }
}

static void daily_answer(const struct reporting_daily_request *request)
{
    struct memory_view *memory = NULL;
    struct refusal refusal;
    struct buffer out;
    struct reporting_positions positions = { .count = 0 };
    memory_view_open(&memory);
    struct change change = memory_view_writer(memory);
    state_fill(&change);
    buffer_init(&out, LIMIT_BODY_BYTES);
    refusal_init(&refusal);
    enum status status = reporting_query_daily(&change.view, request, &positions, &out, &refusal);
    if (status == STATUS_OK) {
        Kith__V1__DailyReply *reply = kith__v1__daily_reply__unpack(NULL, out.size, out.data);
        assert(reply != NULL && reply->n_rows <= request->limit && reply->n_rows <= 6);
        for (size_t i = 0; i < reply->n_rows; i++) {
            assert(reply->rows[i]->day >= request->from_day);
            assert(reply->rows[i]->day <= request->to_day);
        }
        kith__v1__daily_reply__free_unpacked(reply, NULL);
    }
    assert(status == STATUS_OK || refusal.message[0] != '\0');
    buffer_release(&out);
    memory_view_close(&memory);
}

static void daily_try(struct span body, struct arena *arena)
{
    struct refusal refusal;
    struct reporting_daily_request request = { .limit = 0 };
    refusal_init(&refusal);
    enum status status = reporting_daily_decode(body, arena, &request, &refusal);
    outcome_check(status, &refusal);
    if (status == STATUS_OK) {
        assert(request.limit >= 1 && request.limit <= REQUEST_PAGE_MAX);
        assert(request.from_day <= request.to_day);
        daily_answer(&request);
    }
}

static void points_try(struct span body, struct arena *arena, uint32_t type)
{
    struct fact fact = { .type = type, .version = 1, .has_customer = true, .body = body };
    struct reporting_points points = { .points = 0 };
    enum status status = reporting_points_decode(&fact, arena, &points);
    assert(status == STATUS_OK || status == STATUS_CORRUPT);
}

/* A key has one encoding. */
static void key_try(struct span bytes)
{
    struct reporting_day_key key = { .day = 0 };
    if (reporting_day_key_decode(bytes, &key) == STATUS_OK) {
        struct reporting_day_key_bytes again = reporting_day_key_encode(&key);
        assert(span_equal(span_of(again.bytes, again.size), bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct arena arena;
    struct refusal refusal;
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    struct span body = span_of(data + 1, size - 1);
    size_t kind = data[0] % KIND_COUNT;
    switch (kind) {
    case 2:
        refusal_init(&refusal);
        outcome_check(reporting_totals_decode(body, &arena, &refusal), &refusal);
        break;
    case 3:
        points_try(body, &arena, FACT_POINTS_EARNED + (uint32_t)(size % 4));
        break;
    case 4:
        points_try(body, &arena, FACT_POINTS_REVERSED);
        break;
    case 5:
        key_try(body);
        break;
    default:
        daily_try(body, &arena);
        break;
    }
    arena_release(&arena);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    static const struct message_kinds kinds = { .messages = messages, .count = KIND_COUNT };
    return message_mutate_in_place(&kinds, data, size, size_max, seed);
}
