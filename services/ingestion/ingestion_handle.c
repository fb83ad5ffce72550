#include "services/ingestion/ingestion_handle.h"

#include "services/ingestion/ingestion_batch.h"
#include "services/ingestion/ingestion_query.h"

#include <assert.h>
#include <inttypes.h>

/* ---- items of a batch */

/* The result of an item that gets no fact. */
static struct ingest_result known_result(const struct ingestion_verdict *verdict)
{
    return (struct ingest_result){ .outcome = verdict->outcome, .seq = verdict->known_seq };
}

static struct ingest_result invalid_result(const struct refusal *refusal)
{
    return (struct ingest_result){ .outcome = INGESTION_INVALID, .refusal = refusal };
}

static uint64_t event_quarantine(struct ingestion *ingestion, struct turn *turn,
                                 const struct ingestion_candidate *candidate,
                                 const struct ingestion_verdict *verdict, struct span bytes)
{
    refusal_init(&ingestion->refusal);
    ingestion_rejection_explain(verdict, candidate->event, turn_wall(turn), &ingestion->refusal);
    struct ingestion_entry entry = {
        .reason = verdict->reason,
        .content_hash = candidate->content_hash,
        .source = candidate->event->source,
        .id = candidate->event->id,
        .explanation = span_of_text(ingestion->refusal.message),
    };
    return ingestion_emit_quarantined(ingestion, turn, entry, bytes);
}

static struct ingest_result event_ingest(struct ingestion *ingestion, struct turn *turn,
                                         struct span bytes)
{
    struct event event = { .attribute_count = 0 };
    struct ingestion_candidate candidate = { .event = NULL };
    if (ingestion_candidate_decode(ingestion, bytes, &event, &candidate, &ingestion->refusal) !=
        STATUS_OK) {
        return invalid_result(&ingestion->refusal);
    }
    struct ingestion_verdict verdict =
        ingestion_event_decide(turn_view(turn), &candidate, turn_wall(turn));
    struct ingest_result result = known_result(&verdict);
    if (verdict.outcome == INGESTION_ACCEPTED) {
        result.seq = ingestion_emit_accepted(ingestion, turn, &candidate, verdict.new_customer);
    } else if (verdict.outcome == INGESTION_REJECTED) {
        result.seq = event_quarantine(ingestion, turn, &candidate, &verdict, bytes);
    }
    return result;
}

static struct ingest_result raw_ingest(struct ingestion *ingestion, struct turn *turn,
                                       const struct ingest_raw *raw)
{
    if (ingest_raw_check(raw, &ingestion->refusal) != STATUS_OK) {
        return invalid_result(&ingestion->refusal);
    }
    struct hash128 content_hash = hash128_of_span(raw->bytes);
    struct ingestion_verdict verdict =
        ingestion_raw_decide(turn_view(turn), raw->source, raw->id, content_hash);
    struct ingest_result result = known_result(&verdict);
    if (verdict.outcome == INGESTION_REJECTED) {
        struct ingestion_entry entry = {
            .reason = verdict.reason,
            .raw = true,
            .content_hash = content_hash,
            .source = raw->source,
            .id = raw->id,
            .explanation = raw->reason,
        };
        result.seq = ingestion_emit_quarantined(ingestion, turn, entry, raw->bytes);
    }
    return result;
}

enum status ingestion_handle_ingest(void *service, struct turn *turn, struct span body,
                                    struct reply *reply)
{
    struct ingestion *ingestion = service;
    struct ingest_request request = { .item_count = 0 };
    enum status status = ingest_request_decode(body, &request, reply->refusal);
    if (status == STATUS_OK && request.run.size > 0) {
        status =
            ingestion_run_decide(turn_view(turn), request.run, request.run_batch, reply->refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct ingest_results results = { .out = reply->body };
    struct ingest_item item = { .is_raw = false };
    while (ingest_item_next(&request.items, &item)) {
        struct ingest_result result = item.is_raw ? raw_ingest(ingestion, turn, &item.raw)
                                                  : event_ingest(ingestion, turn, item.event);
        ingest_results_add(&results, &result);
    }
    ingest_results_end(&results);
    if (request.run.size > 0) {
        ingestion_record_run(ingestion, turn, request.run, request.run_batch);
    }
    return STATUS_OK;
}

/* ---- the clock */

enum status ingestion_handle_advance(void *service, struct turn *turn, struct span body,
                                     struct reply *reply)
{
    struct ingestion *ingestion = service;
    arena_reset(&ingestion->request_arena);
    struct ingestion_advance advance = { .is_relative = false };
    enum status status =
        ingestion_advance_request_decode(body, &ingestion->request_arena, &advance, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    int64_t to_ms = 0;
    status = ingestion_advance_decide(&advance, ingestion->event_clock, turn_now(turn), &to_ms,
                                      reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t seq = ingestion_emit_clock(ingestion, turn, to_ms);
    ingestion_advance_reply_encode(to_ms, seq, reply->body);
    return STATUS_OK;
}

/* ---- the quarantine */

enum status ingestion_handle_list(void *service, struct turn *turn, struct span body,
                                  struct reply *reply)
{
    struct ingestion *ingestion = service;
    arena_reset(&ingestion->request_arena);
    struct ingestion_list_request request = { .entry = 0 };
    enum status status = ingestion_list_request_decode(body, false, &ingestion->request_arena,
                                                       &request, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    ingestion_query_list(turn_view(turn), &request, &ingestion->request_arena, reply->body);
    return STATUS_OK;
}

enum status ingestion_handle_show(void *service, struct turn *turn, struct span body,
                                  struct reply *reply)
{
    struct ingestion *ingestion = service;
    arena_reset(&ingestion->request_arena);
    struct ingestion_list_request request = { .entry = 0 };
    enum status status = ingestion_list_request_decode(body, true, &ingestion->request_arena,
                                                       &request, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    return ingestion_query_show(turn_view(turn), request.entry, &ingestion->request_arena,
                                reply->body, reply->refusal);
}

/* The event that is to be tried: the replacement, or what was kept. */
static enum status retry_event_load(struct ingestion *ingestion, const struct view *view,
                                    const struct ingestion_retry_request *request,
                                    struct span *event, struct refusal *refusal)
{
    struct ingestion_entry entry = { .number = 0 };
    enum status status = ingestion_query_entry(view, request->entry, &entry, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    if (request->has_event) {
        *event = request->event;
        return STATUS_OK;
    }
    if (entry.raw) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "entry %" PRIu64 " is a row that is no event: send the event that it "
                           "should have been",
                           request->entry);
    }
    buffer_clear(&ingestion->content);
    status = ingestion_entry_content_load(view, &entry, &ingestion->content);
    assert(status == STATUS_OK);
    *event = buffer_span(&ingestion->content);
    return STATUS_OK;
}

enum status ingestion_handle_retry(void *service, struct turn *turn, struct span body,
                                   struct reply *reply)
{
    struct ingestion *ingestion = service;
    arena_reset(&ingestion->request_arena);
    struct ingestion_retry_request request = { .entry = 0 };
    struct span bytes = { NULL, 0 };
    enum status status =
        ingestion_retry_request_decode(body, &ingestion->request_arena, &request, reply->refusal);
    if (status == STATUS_OK) {
        status = retry_event_load(ingestion, turn_view(turn), &request, &bytes, reply->refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct event event = { .attribute_count = 0 };
    struct ingestion_candidate candidate = { .event = NULL };
    struct ingestion_verdict verdict = { .outcome = INGESTION_INVALID };
    status = ingestion_candidate_decode(ingestion, bytes, &event, &candidate, reply->refusal);
    if (status == STATUS_OK) {
        status = ingestion_retry_decide(turn_view(turn), &candidate, turn_wall(turn), &verdict,
                                        reply->refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t seq = ingestion_emit_accepted(ingestion, turn, &candidate, verdict.new_customer);
    struct ingestion_closed closed = { .entry = request.entry, .accepted = true };
    (void)ingestion_emit_closed(ingestion, turn, closed);
    ingestion_retry_reply_encode(seq, reply->body);
    return STATUS_OK;
}

enum status ingestion_handle_drop(void *service, struct turn *turn, struct span body,
                                  struct reply *reply)
{
    struct ingestion *ingestion = service;
    arena_reset(&ingestion->request_arena);
    struct ingestion_closed closed = { .accepted = false };
    enum status status = ingestion_drop_request_decode(body, &ingestion->request_arena,
                                                       &closed.entry, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct ingestion_entry entry = { .number = 0 };
    status = ingestion_query_entry(turn_view(turn), closed.entry, &entry, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    (void)ingestion_emit_closed(ingestion, turn, closed);
    return STATUS_OK;
}
