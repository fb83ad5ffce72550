#include "services/loyalty/loyalty_batch.h"

#include "common/base/field.h"
#include "common/wire/message.h"
#include "kith/v1/loyalty.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The numbers are those of PostRequest, Posting and PostBatchReply in loyalty.proto. */
enum request_field { REQUEST_POSTINGS = 1, REQUEST_ALL_OR_NOTHING };
enum item_field {
    ITEM_KIND = 1,
    ITEM_CUSTOMER,
    ITEM_PROGRAMME,
    ITEM_POINTS,
    ITEM_REFERENCE,
    ITEM_COUNT,
};
#define FIELD_RESULTS 1

_Static_assert(KITH__V1__POSTING_KIND__POSTING_SPEND == 1, "the only kinds");
_Static_assert(KITH__V1__POSTING_KIND__POSTING_GRANT == 2, "the only kinds");

/* ---- one posting of a request */

static const enum field_kind item_kinds[ITEM_COUNT] = {
    [ITEM_KIND] = FIELD_VARINT,   [ITEM_CUSTOMER] = FIELD_BYTES,  [ITEM_PROGRAMME] = FIELD_BYTES,
    [ITEM_POINTS] = FIELD_VARINT, [ITEM_REFERENCE] = FIELD_BYTES,
};

struct item_reading {
    struct loyalty_item item;
    uint64_t kind;
    unsigned seen; /* bit n: field n */
    bool has_unknown;
};

static bool item_saw(const struct item_reading *reading, enum item_field field)
{
    return (reading->seen >> field & 1U) != 0;
}

static void item_field_set(const struct field *field, struct item_reading *reading)
{
    switch (field->number) {
    case ITEM_KIND:
        reading->kind = field->value;
        break;
    case ITEM_CUSTOMER:
        reading->item.customer = field->bytes;
        break;
    case ITEM_PROGRAMME:
        reading->item.programme = field->bytes;
        break;
    case ITEM_POINTS:
        reading->item.points = field_signed(field->value);
        break;
    default:
        reading->item.reference = field->bytes;
        break;
    }
}

/* False: not a Posting, or a field of it stands there twice. */
static bool item_read(struct span bytes, struct item_reading *reading)
{
    struct span rest = bytes;
    struct field field = { .number = 0 };
    enum field_step step = FIELD_READ;
    while ((step = field_next(&rest, &field)) == FIELD_READ) {
        if (field.number >= ITEM_COUNT) {
            reading->has_unknown = true;
            continue;
        }
        if (field.kind != item_kinds[field.number] ||
            item_saw(reading, (enum item_field)field.number)) {
            return false;
        }
        reading->seen |= 1U << field.number;
        item_field_set(&field, reading);
    }
    bool spends = reading->kind == KITH__V1__POSTING_KIND__POSTING_SPEND;
    reading->item.kind = spends ? LOYALTY_SPENT : LOYALTY_GRANTED;
    return step == FIELD_END;
}

/* A fault of the field `name` of posting `index`. */
static void item_violation(size_t index, const char *name, const char *rule, const char *mend,
                           struct refusal *refusal)
{
    char place[40] = "";
    (void)snprintf(place, sizeof place, "postings[%zu].%s", index, name);
    refusal_violation(refusal, place, rule, mend);
}

static void item_check(const struct item_reading *reading, size_t index, struct refusal *refusal)
{
    const struct loyalty_item *item = &reading->item;
    if (reading->has_unknown || (reading->kind != KITH__V1__POSTING_KIND__POSTING_SPEND &&
                                 reading->kind != KITH__V1__POSTING_KIND__POSTING_GRANT)) {
        item_violation(index, "kind", "POSTING_SPEND or POSTING_GRANT",
                       "encode the posting as loyalty.proto says", refusal);
    }
    if (!id_text_is_valid(item->customer)) {
        item_violation(index, "customer", REQUEST_ID_RULE, "name the customer as its source does",
                       refusal);
    }
    if (item_saw(reading, ITEM_PROGRAMME) && !id_text_is_valid(item->programme)) {
        item_violation(index, "programme", REQUEST_ID_RULE,
                       "leave it away for the first programme, or name one of the configuration",
                       refusal);
    }
    if (item_saw(reading, ITEM_REFERENCE) && !id_text_is_valid(item->reference)) {
        item_violation(index, "reference", REQUEST_ID_RULE, "leave it away, or give an id",
                       refusal);
    }
    if (item->points < 1 || item->points > LIMIT_AMOUNT) {
        item_violation(index, "points", "1 to 1000000000000000",
                       "give the number of points to spend or to grant", refusal);
    }
}

/* ---- the request */

/* What a request holds besides its postings, and how many these are. */
struct request_reading {
    size_t count;
    bool saw_all_or_nothing;
    bool all_or_nothing;
};

static bool request_field_read(const struct field *field, struct request_reading *reading)
{
    if (field->number == REQUEST_POSTINGS) {
        reading->count += 1;
        return field->kind == FIELD_BYTES;
    }
    bool is_first = field->number == REQUEST_ALL_OR_NOTHING && !reading->saw_all_or_nothing;
    reading->saw_all_or_nothing = true;
    reading->all_or_nothing = field->value == 1;
    return is_first && field->kind == FIELD_VARINT && field->value <= 1;
}

/* False: not a PostRequest, or one with fields that are not known here. */
static bool request_read(struct span body, struct request_reading *reading)
{
    struct span rest = body;
    struct field field = { .number = 0 };
    enum field_step step = FIELD_READ;
    while ((step = field_next(&rest, &field)) == FIELD_READ) {
        if (!request_field_read(&field, reading)) {
            return false;
        }
    }
    return step == FIELD_END;
}

/* Of a body that request_read() has seen. False: one of them is not a Posting. */
static bool items_read(struct span body, struct loyalty_item *items, struct refusal *refusal)
{
    struct span rest = body;
    struct field field = { .number = 0 };
    size_t index = 0;
    while (field_next(&rest, &field) == FIELD_READ) {
        if (field.number != REQUEST_POSTINGS) {
            continue;
        }
        struct item_reading reading = { .seen = 0 };
        if (!item_read(field.bytes, &reading)) {
            return false;
        }
        item_check(&reading, index, refusal);
        items[index++] = reading.item;
    }
    return true;
}

static enum status body_refuse(struct refusal *refusal)
{
    (void)refusal_set(refusal, STATUS_MALFORMED, "the body is not a PostRequest");
    refusal_violation(refusal, "body", "must be the method's encoded message, all of it known",
                      "encode it with proto/kith/v1");
    return STATUS_MALFORMED;
}

enum status loyalty_batch_decode(struct span body, struct arena *arena, struct loyalty_batch *batch,
                                 struct refusal *refusal)
{
    struct request_reading reading = { .count = 0 };
    if (!request_read(body, &reading)) {
        return body_refuse(refusal);
    }
    if (reading.count == 0 || reading.count > LIMIT_BATCH_ITEMS) {
        refusal_violation(refusal, "postings", "1 to 4096", "send several batches");
        return STATUS_MALFORMED;
    }
    struct loyalty_item *items = arena_allocate(arena, reading.count * sizeof *items);
    if (items == NULL) {
        return refusal_set(refusal, STATUS_MALFORMED,
                           "the postings do not fit; send several batches");
    }
    struct refusal found;
    refusal_init(&found);
    if (!items_read(body, items, &found)) {
        return body_refuse(refusal);
    }
    if (found.status != STATUS_OK) {
        *refusal = found;
        return STATUS_MALFORMED;
    }
    *batch = (struct loyalty_batch){ .count = reading.count,
                                     .items = items,
                                     .all_or_nothing = reading.all_or_nothing };
    return STATUS_OK;
}

/* ---- the reply */

static void run_write(struct loyalty_results *results)
{
    if (results->count == 0) {
        return;
    }
    bool posted = results->status == STATUS_OK;
    Kith__V1__PostRun run = KITH__V1__POST_RUN__INIT;
    run.has_count = true;
    run.count = results->count;
    run.has_code = true;
    run.code = (uint32_t)results->status;
    run.has_first_posting = posted;
    run.first_posting = results->first_posting;
    size_t sentence_bytes = strlen(results->why);
    if (!posted && results->sentence_bytes + sentence_bytes <= LOYALTY_SENTENCES_BYTES) {
        results->sentence_bytes += sentence_bytes;
        run.message = results->why;
    }
    message_element_append(FIELD_RESULTS, &run.base, results->out);
    results->count = 0;
}

static bool run_goes_on(const struct loyalty_results *results, const struct loyalty_result *result)
{
    if (results->count == 0 || results->status != result->status) {
        return false;
    }
    return result->status == STATUS_OK ? result->posting == results->first_posting + results->count
                                       : strcmp(results->why, result->why) == 0;
}

void loyalty_results_add(struct loyalty_results *results, const struct loyalty_result *result)
{
    if (run_goes_on(results, result)) {
        results->count += 1;
        return;
    }
    run_write(results);
    results->count = 1;
    results->status = result->status;
    results->first_posting = result->posting;
    int length = snprintf(results->why, sizeof results->why, "%s", result->why);
    assert(length >= 0 && (size_t)length < sizeof results->why);
}

void loyalty_results_end(struct loyalty_results *results)
{
    run_write(results);
}
