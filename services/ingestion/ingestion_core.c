#include "services/ingestion/ingestion_core.h"

#include "common/base/time_text.h"

#include <assert.h>
#include <inttypes.h>

/* Rejected, or a duplicate of an arrival that was rejected before. */
static struct ingestion_verdict rejection(const struct view *view,
                                          const struct ingestion_arrival_key *key,
                                          const struct ingestion_verdict *rejected)
{
    struct ingestion_arrival arrival = { .entry = 0 };
    if (ingestion_arrival_load(view, key, &arrival)) {
        return (struct ingestion_verdict){
            .outcome = INGESTION_DUPLICATE,
            .known_seq = arrival.seq,
        };
    }
    return *rejected;
}

/* What the event is by itself, whatever the quarantine knows of it. */
static struct ingestion_verdict
event_judge(const struct view *view, const struct ingestion_candidate *candidate, int64_t wall_ms)
{
    struct ingestion_event known = { .seq = 0 };
    if (ingestion_event_load(view, &candidate->key, &known)) {
        struct ingestion_verdict verdict = {
            .outcome = INGESTION_DUPLICATE,
            .known_seq = known.seq,
        };
        if (!hash128_equal(known.content_hash, candidate->content_hash)) {
            verdict.outcome = INGESTION_REJECTED;
            verdict.reason = INGESTION_ID_REUSED;
        }
        return verdict;
    }
    if (candidate->event->occurred_at_ms > wall_ms + LIMIT_FUTURE_MS) {
        return (struct ingestion_verdict){
            .outcome = INGESTION_REJECTED,
            .reason = INGESTION_FUTURE,
        };
    }
    return (struct ingestion_verdict){
        .outcome = INGESTION_ACCEPTED,
        .new_customer = !candidate->customer_is_known &&
                        !ingestion_customer_is_known(view, candidate->customer),
    };
}

struct ingestion_verdict ingestion_event_decide(const struct view *view,
                                                const struct ingestion_candidate *candidate,
                                                int64_t wall_ms)
{
    struct ingestion_verdict verdict = event_judge(view, candidate, wall_ms);
    if (verdict.outcome != INGESTION_REJECTED) {
        return verdict;
    }
    struct ingestion_arrival_key key = ingestion_arrival_key_of(
        candidate->event->source, candidate->event->id, candidate->content_hash);
    return rejection(view, &key, &verdict);
}

struct ingestion_verdict ingestion_raw_decide(const struct view *view, struct span source,
                                              struct span id, struct hash128 content_hash)
{
    struct ingestion_arrival_key key = ingestion_arrival_key_of(source, id, content_hash);
    struct ingestion_verdict rejected = {
        .outcome = INGESTION_REJECTED,
        .reason = INGESTION_UNREADABLE,
    };
    return rejection(view, &key, &rejected);
}

void ingestion_rejection_explain(const struct ingestion_verdict *verdict, const struct event *event,
                                 int64_t wall_ms, struct refusal *refusal)
{
    assert(verdict->outcome == INGESTION_REJECTED);
    char occurred_at[TIME_TEXT_BYTES] = "";
    char wall[TIME_TEXT_BYTES] = "";
    switch (verdict->reason) {
    case INGESTION_ID_REUSED:
        (void)refusal_set(refusal, STATUS_REFUSED,
                          "source and id are those of the event at position %" PRIu64
                          ", which has other content: give it an id of its own",
                          verdict->known_seq);
        return;
    case INGESTION_FUTURE:
        time_format(event->occurred_at_ms, occurred_at);
        time_format(wall_ms, wall);
        (void)refusal_set(refusal, STATUS_REFUSED,
                          "the event is dated %s, more than 5 minutes after %s, when it came: "
                          "mend the date, or try again when it has passed",
                          occurred_at, wall);
        return;
    case INGESTION_UNREADABLE:
        (void)refusal_set(refusal, STATUS_REFUSED, "the row is no event");
        return;
    }
}

enum status ingestion_retry_decide(const struct view *view,
                                   const struct ingestion_candidate *candidate, int64_t wall_ms,
                                   struct ingestion_verdict *verdict, struct refusal *refusal)
{
    struct ingestion_verdict judged = event_judge(view, candidate, wall_ms);
    if (judged.outcome == INGESTION_DUPLICATE) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "the event was accepted at position %" PRIu64 ": drop the entry",
                           judged.known_seq);
    }
    if (judged.outcome == INGESTION_REJECTED) {
        ingestion_rejection_explain(&judged, candidate->event, wall_ms, refusal);
        return STATUS_REFUSED;
    }
    *verdict = judged;
    return STATUS_OK;
}

enum status ingestion_run_decide(const struct view *view, struct span run, uint64_t batch,
                                 struct refusal *refusal)
{
    struct ingestion_run_key key = ingestion_run_key_of(run);
    uint64_t next = ingestion_run_load(view, &key);
    if (batch < next) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "batch %" PRIu64 " of run %.*s was taken before: send %" PRIu64 " next",
                           batch, (int)run.size, (const char *)run.data, next);
    }
    if (batch > next) {
        return refusal_set(refusal, STATUS_ABORTED,
                           "batch %" PRIu64 " of run %.*s came before batch %" PRIu64
                           ": send %" PRIu64 " first",
                           batch, (int)run.size, (const char *)run.data, next, next);
    }
    return STATUS_OK;
}

enum status ingestion_advance_decide(const struct ingestion_advance *advance, bool event_clock,
                                     int64_t now_ms, int64_t *to_ms, struct refusal *refusal)
{
    if (!event_clock) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "the suite runs by the wall clock, which nobody sets: "
                           "use suite.clock: event");
    }
    int64_t target = advance->ms;
    bool overflows = advance->is_relative && __builtin_add_overflow(now_ms, target, &target);
    if (overflows || target < LIMIT_TIME_LEAST_MS || target > LIMIT_TIME_MOST_MS) {
        refusal_violation(refusal, advance->is_relative ? "by_ms" : "to_ms",
                          "leads outside the years 1 to 9999", "name a time within them");
        return STATUS_MALFORMED;
    }
    if (target < now_ms) {
        char now[TIME_TEXT_BYTES] = "";
        char to[TIME_TEXT_BYTES] = "";
        time_format(now_ms, now);
        time_format(target, to);
        return refusal_set(refusal, STATUS_REFUSED,
                           "it is %s and the clock does not go back to %s: name a later time", now,
                           to);
    }
    *to_ms = target;
    return STATUS_OK;
}

uint64_t ingestion_entry_next(const struct view *view)
{
    return ingestion_counters_load(view).entries + 1;
}

void ingestion_accepted_evolve(const struct change *change,
                               const struct ingestion_accepted *accepted)
{
    struct ingestion_event event = {
        .content_hash = accepted->content_hash,
        .seq = accepted->seq,
    };
    ingestion_event_put(change, &accepted->key, &event);
    if (accepted->new_customer) {
        ingestion_customer_put(change, accepted->customer, accepted->seq);
    }
}

void ingestion_quarantined_evolve(const struct change *change, const struct ingestion_entry *entry,
                                  struct span content)
{
    struct ingestion_counters counters = ingestion_counters_load(&change->view);
    assert(entry->number == counters.entries + 1);
    counters.entries += 1;
    counters.entries_open += 1;
    ingestion_counters_put(change, counters);
    ingestion_entry_put(change, entry, content);
    struct ingestion_arrival_key key =
        ingestion_arrival_key_of(entry->source, entry->id, entry->content_hash);
    struct ingestion_arrival arrival = { .entry = entry->number, .seq = entry->seq };
    ingestion_arrival_put(change, &key, &arrival);
}

void ingestion_closed_evolve(const struct change *change, uint64_t entry)
{
    struct ingestion_counters counters = ingestion_counters_load(&change->view);
    assert(counters.entries_open > 0);
    counters.entries_open -= 1;
    ingestion_counters_put(change, counters);
    ingestion_entry_delete(change, entry);
}

void ingestion_run_evolve(const struct change *change, const struct ingestion_run_key *run,
                          uint64_t batch)
{
    assert(batch < UINT64_MAX);
    ingestion_run_put(change, run, batch + 1);
}
