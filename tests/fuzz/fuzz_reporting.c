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
#include "tests/fuzz/message_cases.h"
#include "tests/support/memory_view.h"

#include <assert.h>

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
    request_outcome_check(status, &refusal);
    if (status == STATUS_OK) {
        assert(request.limit >= 1 && request.limit <= REQUEST_PAGE_MAX);
        assert(request.from_day <= request.to_day);
        daily_answer(&request);
    }
}

static void totals_try(struct span body, struct arena *arena)
{
    struct refusal refusal;
    refusal_init(&refusal);
    request_outcome_check(reporting_totals_decode(body, arena, &refusal), &refusal);
}

static void typed_points_try(struct span body, struct arena *arena, uint32_t type)
{
    struct fact fact = { .type = type, .version = 1, .has_customer = true, .body = body };
    struct reporting_points points = { .points = 0 };
    enum status status = reporting_points_decode(&fact, arena, &points);
    assert(status == STATUS_OK || status == STATUS_CORRUPT);
}

static void points_try(struct span body, struct arena *arena)
{
    typed_points_try(body, arena, FACT_POINTS_EARNED + (uint32_t)((body.size + 1) % 4));
}

/* A key has one encoding. */
static void key_try(struct span bytes, struct arena *arena)
{
    (void)arena;
    struct reporting_day_key key = { .day = 0 };
    if (reporting_day_key_decode(bytes, &key) == STATUS_OK) {
        struct reporting_day_key_bytes again = reporting_day_key_encode(&key);
        assert(span_equal(span_of(again.bytes, again.size), bytes));
    }
}

static const struct message_case cases[] = {
    { &kith__v1__daily_request__descriptor, daily_try, NULL, 0 },
    { &kith__v1__daily_request__descriptor, daily_try, NULL, 0 },
    { &kith__v1__totals_request__descriptor, totals_try, NULL, 0 },
    { &kith__v1__points_posted__descriptor, points_try, NULL, 0 },
    { &kith__v1__points_posted__descriptor, NULL, typed_points_try, FACT_POINTS_REVERSED },
    { NULL, key_try, NULL, 0 },
};

static const struct message_cases target = {
    .cases = cases,
    .count = sizeof cases / sizeof cases[0],
    .arena_bytes = (size_t)4 * 1024 * 1024,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return message_cases_try(&target, data, size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return message_cases_mutate(&target, data, size, size_max, seed);
}
