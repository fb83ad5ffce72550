/*
 * The rules of ingestion: what becomes of an arrival, and how state follows from facts.
 *
 *   arrival --+-- known, same content ---------------------------> DUPLICATE
 *             +-- known, other content --+-- seen like this -----> DUPLICATE (of the entry)
 *             |                          +-- new ----------------> REJECTED: ID_REUSED
 *             +-- dated too far ahead ---+-- seen like this -----> DUPLICATE (of the entry)
 *             |                          +-- new ----------------> REJECTED: FUTURE
 *             +-- otherwise -------------------------------------> ACCEPTED
 *   raw row --+-- seen like this --------------------------------> DUPLICATE (of the entry)
 *             +-- new -------------------------------------------> REJECTED: UNREADABLE
 *
 * Pure: no clock, no socket, no store, no log, no allocation. What is decided here changes
 * nothing; the evolve functions change state and ask nothing.
 */
#ifndef KITH_INGESTION_CORE_H
#define KITH_INGESTION_CORE_H

#include "common/base/event.h"
#include "common/base/refusal.h"
#include "services/ingestion/ingestion_store.h"

/* The numbers of IngestOutcome. */
enum ingestion_outcome {
    INGESTION_ACCEPTED = 0,
    INGESTION_DUPLICATE = 1,
    INGESTION_REJECTED = 2,
    INGESTION_INVALID = 3, /* no event at all; the core never sees it */
};

/* An event that arrived, with what is computed from it once. */
struct ingestion_candidate {
    const struct event *event;
    struct ingestion_event_key key;
    struct hash128 content_hash; /* of the bytes as received */
    struct customer_id customer;
    bool customer_is_known; /* for certain; false: the state says */
};

struct ingestion_verdict {
    enum ingestion_outcome outcome;
    uint64_t known_seq;           /* DUPLICATE: what was first; ID_REUSED: the other event */
    enum ingestion_reason reason; /* REJECTED */
    bool new_customer;            /* ACCEPTED */
};

struct ingestion_verdict ingestion_event_decide(const struct view *view,
                                                const struct ingestion_candidate *candidate,
                                                int64_t wall_ms);
struct ingestion_verdict ingestion_raw_decide(const struct view *view, struct span source,
                                              struct span id, struct hash128 content_hash);

/* Writes why an event is rejected, for people. */
void ingestion_rejection_explain(const struct ingestion_verdict *verdict, const struct event *event,
                                 int64_t wall_ms, struct refusal *refusal);

/* An entry of the quarantine, decided again with `candidate` in its place. The first status
 * that holds:
 *   STATUS_REFUSED  the event is known already, or would be rejected again */
MUST_USE enum status ingestion_retry_decide(const struct view *view,
                                            const struct ingestion_candidate *candidate,
                                            int64_t wall_ms, struct ingestion_verdict *verdict,
                                            struct refusal *refusal);

/* Batches of a run are taken in order. The first status that holds:
 *   STATUS_REFUSED  taken before
 *   STATUS_ABORTED  an earlier one is missing */
MUST_USE enum status ingestion_run_decide(const struct view *view, struct span run, uint64_t batch,
                                          struct refusal *refusal);

/* Where the event clock is to be set. */
struct ingestion_advance {
    bool is_relative;
    int64_t ms; /* an instant, or what is added to now */
};

/* The first status that holds:
 *   STATUS_REFUSED    the suite runs by the wall clock
 *   STATUS_MALFORMED  the instant lies outside the years 1 to 9999
 *   STATUS_REFUSED    it lies before now */
MUST_USE enum status ingestion_advance_decide(const struct ingestion_advance *advance,
                                              bool event_clock, int64_t now_ms, int64_t *to_ms,
                                              struct refusal *refusal);

/* The number that the next entry of the quarantine gets. */
uint64_t ingestion_entry_next(const struct view *view);

/* FACT_EVENT_ACCEPTED, version 1. */
struct ingestion_accepted {
    struct ingestion_event_key key;
    struct hash128 content_hash;
    struct customer_id customer;
    bool new_customer;
    uint64_t seq;
};
void ingestion_accepted_evolve(const struct change *change,
                               const struct ingestion_accepted *accepted);
/* FACT_EVENT_QUARANTINED, version 1. */
void ingestion_quarantined_evolve(const struct change *change, const struct ingestion_entry *entry,
                                  struct span content);
/* FACT_QUARANTINE_CLOSED, version 1. The arrival stays known: it does not come back. */
void ingestion_closed_evolve(const struct change *change, uint64_t entry);
/* The private record of a run's batch, version 1. */
void ingestion_run_evolve(const struct change *change, const struct ingestion_run_key *run,
                          uint64_t batch);

#endif
