#include "services/ingestion/ingestion_emit.h"

#include "common/event/event_codec.h"

#include <assert.h>

#define FACT_VERSION 1

enum status ingestion_candidate_decode(struct ingestion *ingestion, struct span bytes,
                                       struct event *event, struct ingestion_candidate *candidate,
                                       struct refusal *refusal)
{
    arena_reset(&ingestion->item_arena);
    enum status status = event_decode(bytes, &ingestion->item_arena, event, refusal);
    if (status != STATUS_OK) {
        assert(status == STATUS_MALFORMED); /* the arena has room for any event */
        return status;
    }
    struct customer_id customer = customer_id_of(
        span_of(ingestion->suite_key, sizeof ingestion->suite_key), "customer", event->customer);
    ingestion_known_expect(&ingestion->known, customer);
    *candidate = (struct ingestion_candidate){
        .event = event,
        .key = ingestion_key_memo_event(&ingestion->memo, event->source, event->id),
        .content_hash = hash128_of_span(bytes),
        .customer = customer,
    };
    candidate->customer_is_known = ingestion_known_has(&ingestion->known, candidate->customer);
    return STATUS_OK;
}

static uint64_t fact_emit(const struct ingestion *ingestion, struct turn *turn, struct fact fact)
{
    fact.version = FACT_VERSION;
    fact.cause = turn_next_seq(turn);
    fact.body = buffer_span(&ingestion->body);
    uint64_t seq = turn_emit(turn, &fact);
    assert(seq == fact.cause);
    return seq;
}

uint64_t ingestion_emit_accepted(struct ingestion *ingestion, struct turn *turn,
                                 const struct ingestion_candidate *candidate, bool new_customer)
{
    if (ingestion->event_clock) {
        turn_now_raise(turn, candidate->event->occurred_at_ms);
    }
    buffer_clear(&ingestion->body);
    enum status status = accepted_event_encode(candidate->event, new_customer,
                                               candidate->content_hash, &ingestion->body);
    assert(status == STATUS_OK);
    uint64_t seq = fact_emit(ingestion, turn,
                             (struct fact){
                                 .type = FACT_EVENT_ACCEPTED,
                                 .has_customer = true,
                                 .customer = candidate->customer,
                                 .subject = { .key_id = 0, .bytes = candidate->event->customer },
                             });
    if (!candidate->customer_is_known) {
        ingestion_known_add(&ingestion->known, candidate->customer);
    }
    return seq;
}

uint64_t ingestion_emit_quarantined(struct ingestion *ingestion, struct turn *turn,
                                    struct ingestion_entry entry, struct span content)
{
    entry.number = ingestion_entry_next(turn_view(turn));
    entry.content_size = content.size;
    /* The request's structs are not read any more once an item is decided. */
    arena_reset(&ingestion->request_arena);
    buffer_clear(&ingestion->body);
    ingestion_quarantined_encode(&entry, content, &ingestion->request_arena, &ingestion->body);
    return fact_emit(ingestion, turn, (struct fact){ .type = FACT_EVENT_QUARANTINED });
}

uint64_t ingestion_emit_closed(struct ingestion *ingestion, struct turn *turn,
                               struct ingestion_closed closed)
{
    buffer_clear(&ingestion->body);
    ingestion_closed_encode(&closed, &ingestion->body);
    return fact_emit(ingestion, turn, (struct fact){ .type = FACT_QUARANTINE_CLOSED });
}

uint64_t ingestion_emit_clock(struct ingestion *ingestion, struct turn *turn, int64_t to_ms)
{
    turn_now_raise(turn, to_ms);
    buffer_clear(&ingestion->body);
    ingestion_clock_encode(to_ms, &ingestion->body);
    return fact_emit(ingestion, turn, (struct fact){ .type = FACT_CLOCK_ADVANCED });
}

void ingestion_record_run(struct ingestion *ingestion, struct turn *turn, struct span run,
                          uint64_t batch)
{
    struct ingestion_run_key key = ingestion_run_key_of(run);
    buffer_clear(&ingestion->body);
    ingestion_run_encode(&key, batch, &ingestion->body);
    turn_record(turn, buffer_span(&ingestion->body));
}

static void private_evolve(struct ingestion *ingestion, const struct change *change,
                           struct span record)
{
    struct ingestion_run_key run = { { { 0 } } };
    uint64_t batch = 0;
    enum status status =
        ingestion_run_record_decode(record, &ingestion->evolve_arena, &run, &batch);
    assert(status == STATUS_OK);
    ingestion_run_evolve(change, &run, batch);
}

static void accepted_evolve(struct ingestion *ingestion, const struct change *change,
                            const struct fact *fact)
{
    struct accepted_event event = { .attribute_count = 0 };
    enum status status = accepted_event_decode(fact->body, NULL, &event);
    assert(status == STATUS_OK && fact->has_customer);
    struct ingestion_accepted accepted = {
        .key = ingestion_key_memo_event(&ingestion->memo, event.source, event.id),
        .content_hash = event.content_hash,
        .customer = fact->customer,
        .new_customer = event.new_customer,
        .seq = fact->seq,
    };
    ingestion_accepted_evolve(change, &accepted);
}

static void quarantined_evolve(struct ingestion *ingestion, const struct change *change,
                               const struct fact *fact)
{
    struct ingestion_entry entry = { .number = 0 };
    struct span content = { NULL, 0 };
    enum status status =
        ingestion_quarantined_decode(fact->body, &ingestion->evolve_arena, &entry, &content);
    assert(status == STATUS_OK);
    entry.seq = fact->seq;
    entry.recorded_at_ms = fact->recorded_at_ms;
    ingestion_quarantined_evolve(change, &entry, content);
}

static void closed_evolve(struct ingestion *ingestion, const struct change *change,
                          const struct fact *fact)
{
    struct ingestion_closed closed = { .entry = 0 };
    enum status status = ingestion_closed_decode(fact->body, &ingestion->evolve_arena, &closed);
    assert(status == STATUS_OK);
    ingestion_closed_evolve(change, closed.entry);
}

void ingestion_evolve(void *service, const struct change *change, const struct record *record)
{
    struct ingestion *ingestion = service;
    arena_reset(&ingestion->evolve_arena);
    if (record->is_private) {
        private_evolve(ingestion, change, record->private_record);
        return;
    }
    assert(record->fact.version == FACT_VERSION);
    switch (record->fact.type) {
    case FACT_EVENT_ACCEPTED:
        accepted_evolve(ingestion, change, &record->fact);
        return;
    case FACT_EVENT_QUARANTINED:
        quarantined_evolve(ingestion, change, &record->fact);
        return;
    case FACT_QUARANTINE_CLOSED:
        closed_evolve(ingestion, change, &record->fact);
        return;
    case FACT_CLOCK_ADVANCED:
        return; /* now is the shell's, and stands in recorded_at */
    default:
        assert(false && "a fact that ingestion never makes");
    }
}
