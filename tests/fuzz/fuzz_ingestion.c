/* link: ingestion_service */
/* covers: services/ingestion/ingestion_codec.c services/ingestion/ingestion_batch.c */
/*
 * Ingestion's commands, questions, facts and private records from any bytes. The first byte
 * chooses; what is taken must be within ingestion's bounds, and come back from its own encoding.
 */
#include "kith/v1/block.pb-c.h"
#include "kith/v1/event.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/ingestion_private.pb-c.h"
#include "services/ingestion/ingestion_batch.h"
#include "services/ingestion/ingestion_codec.h"
#include "tests/fuzz/message_cases.h"

#include <assert.h>

/* A request is refused with a sentence, or taken whole. */
static void outcome_check(enum status status, const struct refusal *refusal)
{
    assert(status == STATUS_OK || status == STATUS_MALFORMED);
    assert((status == STATUS_OK) == (refusal->status == STATUS_OK));
    assert((status == STATUS_OK) == (refusal->violation_count == 0));
}

static void outcome_take(const struct ingest_item *item, uint64_t *seq,
                         struct ingest_results *results)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct ingest_result result = { .outcome = item->event.size % 3 };
    if (item->is_raw && ingest_raw_check(&item->raw, &refusal) != STATUS_OK) {
        assert(refusal.violation_count > 0);
        result.outcome = 3;
        result.refusal = &refusal;
    } else {
        *seq += 1;
        result.seq = *seq;
    }
    ingest_results_add(results, &result);
}

static void batch_try(struct span body, struct arena *arena)
{
    (void)arena;
    struct refusal refusal;
    struct ingest_request request = { .item_count = 0 };
    refusal_init(&refusal);
    enum status status = ingest_request_decode(body, &request, &refusal);
    outcome_check(status, &refusal);
    if (status != STATUS_OK) {
        return;
    }
    struct ingest_item item = { .is_raw = false };
    struct buffer reply;
    buffer_init(&reply, LIMIT_BODY_BYTES);
    struct ingest_results results = { .out = &reply };
    size_t count = 0;
    uint64_t seq = 0;
    while (ingest_item_next(&request.items, &item)) {
        outcome_take(&item, &seq, &results);
        count += 1;
    }
    ingest_results_end(&results);
    assert(count == request.item_count && count >= 1 && count <= LIMIT_BATCH_ITEMS);
    assert(request.run.size == 0 || request.run_batch > 0);
    Kith__V1__IngestReply *told = kith__v1__ingest_reply__unpack(NULL, reply.size, reply.data);
    assert(told != NULL && told->n_results >= 1 && told->n_results <= count);
    kith__v1__ingest_reply__free_unpacked(told, NULL);
    buffer_release(&reply);
}

static void advance_try(struct span body, struct arena *arena)
{
    struct refusal refusal;
    struct ingestion_advance advance = { .ms = 0 };
    int64_t to_ms = 0;
    refusal_init(&refusal);
    enum status status = ingestion_advance_request_decode(body, arena, &advance, &refusal);
    outcome_check(status, &refusal);
    if (status != STATUS_OK) {
        return;
    }
    status = ingestion_advance_decide(&advance, true, INT64_C(899164800000), &to_ms, &refusal);
    assert(status != STATUS_OK || (to_ms >= LIMIT_TIME_LEAST_MS && to_ms <= LIMIT_TIME_MOST_MS));
    assert(status != STATUS_OK || to_ms >= INT64_C(899164800000));
}

/* Which of two questions the request asks. */
enum { LIST_PAGE, LIST_SHOW };

static void list_try(struct span body, struct arena *arena, uint32_t question)
{
    bool is_show = question == LIST_SHOW;
    struct refusal refusal;
    struct ingestion_list_request request = { .limit = 0 };
    refusal_init(&refusal);
    enum status status = ingestion_list_request_decode(body, is_show, arena, &request, &refusal);
    outcome_check(status, &refusal);
    assert(status != STATUS_OK || is_show ||
           (request.limit >= 1 && request.limit <= INGESTION_LIST_MAX));
    assert(status != STATUS_OK || is_show == (request.entry > 0));
}

static void entry_commands_try(struct span body, struct arena *arena)
{
    struct refusal refusal;
    struct ingestion_retry_request retry = { .entry = 0 };
    uint64_t entry = 0;
    refusal_init(&refusal);
    enum status status = ingestion_retry_request_decode(body, arena, &retry, &refusal);
    outcome_check(status, &refusal);
    assert(status != STATUS_OK || retry.entry > 0);
    refusal_init(&refusal);
    status = ingestion_drop_request_decode(body, arena, &entry, &refusal);
    outcome_check(status, &refusal);
    assert((status == STATUS_OK) == (entry > 0));
}

static void quarantined_try(struct span body, struct arena *arena)
{
    struct ingestion_entry entry = { .number = 0 };
    struct ingestion_entry back = { .number = 0 };
    struct span content = { 0 };
    struct span content_back = { 0 };
    struct buffer again;
    enum status status = ingestion_quarantined_decode(body, arena, &entry, &content);
    assert(status == STATUS_OK || status == STATUS_CORRUPT);
    if (status != STATUS_OK || body.size > LIMIT_RECORD_BYTES / 2) {
        return;
    }
    buffer_init(&again, LIMIT_RECORD_BYTES);
    ingestion_quarantined_encode(&entry, content, arena, &again);
    status = ingestion_quarantined_decode(buffer_span(&again), arena, &back, &content_back);
    assert(status == STATUS_OK && back.number == entry.number && back.reason == entry.reason);
    assert(span_equal(content, content_back) && span_equal(entry.source, back.source));
    assert(span_equal(entry.explanation, back.explanation));
    buffer_release(&again);
}

static void closed_try(struct span body, struct arena *arena)
{
    struct ingestion_closed closed = { .entry = 0 };
    struct buffer again;
    if (ingestion_closed_decode(body, arena, &closed) != STATUS_OK) {
        return;
    }
    struct ingestion_closed back = { .entry = 0 };
    buffer_init(&again, LIMIT_RECORD_BYTES);
    ingestion_closed_encode(&closed, &again);
    enum status status = ingestion_closed_decode(buffer_span(&again), arena, &back);
    assert(status == STATUS_OK && back.entry == closed.entry && back.accepted == closed.accepted);
    buffer_release(&again);
}

static void run_try(struct span body, struct arena *arena)
{
    struct ingestion_run_key run = { .hash = { .bytes = { 0 } } };
    struct ingestion_run_key back = { .hash = { .bytes = { 0 } } };
    uint64_t batch = 0;
    uint64_t batch_back = 0;
    struct buffer again;
    if (ingestion_run_record_decode(body, arena, &run, &batch) != STATUS_OK) {
        return;
    }
    buffer_init(&again, LIMIT_RECORD_BYTES);
    ingestion_run_encode(&run, batch, &again);
    enum status status =
        ingestion_run_record_decode(buffer_span(&again), arena, &back, &batch_back);
    assert(status == STATUS_OK && batch == batch_back && hash128_equal(run.hash, back.hash));
    buffer_release(&again);
}

static const struct message_case cases[] = {
    { &kith__v1__ingest_request__descriptor, batch_try, NULL, 0 },
    { &kith__v1__advance_clock_request__descriptor, advance_try, NULL, 0 },
    { &kith__v1__quarantine_list_request__descriptor, NULL, list_try, LIST_PAGE },
    { &kith__v1__quarantine_list_request__descriptor, NULL, list_try, LIST_SHOW },
    { &kith__v1__quarantine_retry_request__descriptor, entry_commands_try, NULL, 0 },
    { &kith__v1__quarantine_drop_request__descriptor, entry_commands_try, NULL, 0 },
    { &kith__v1__event_quarantined__descriptor, quarantined_try, NULL, 0 },
    { &kith__v1__quarantine_closed__descriptor, closed_try, NULL, 0 },
    { &kith__v1__ingestion_record__descriptor, run_try, NULL, 0 },
};

static const struct message_cases target = {
    .cases = cases,
    .count = sizeof cases / sizeof cases[0],
    .arena_bytes = INGESTION_ARENA_BYTES,
    .inner = &kith__v1__event__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return message_cases_try(&target, data, size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return message_cases_mutate(&target, data, size, size_max, seed);
}
