/*
 * Ingestion's facts, from a decision into the turn. The cause of each is itself: every
 * other fact of the suite goes back to one of these.
 */
#ifndef KITH_INGESTION_EMIT_H
#define KITH_INGESTION_EMIT_H

#include "common/base/arena.h"
#include "common/service/service.h"
#include "services/ingestion/ingestion_codec.h"
#include "services/ingestion/ingestion_known.h"

/* The service between its calls: configuration, and memory that is used again. */
struct ingestion {
    bool event_clock;
    uint8_t suite_key[32];
    struct arena request_arena; /* what a command or question unpacks to */
    struct arena item_arena;    /* the attributes of the event in hand */
    struct arena evolve_arena;  /* what the fact in hand unpacks to */
    struct buffer body;         /* of the fact that is being made */
    struct buffer content;      /* of the entry that is being retried */
    struct refusal refusal;     /* of the item in hand */
    struct ingestion_key_memo memo;
    struct ingestion_known known;
};

/* Decodes an event and computes its keys, once. Attributes lie in the item arena until the
 * next call. STATUS_MALFORMED with violations. */
MUST_USE enum status ingestion_candidate_decode(struct ingestion *ingestion, struct span bytes,
                                                struct event *event,
                                                struct ingestion_candidate *candidate,
                                                struct refusal *refusal);

/* Each returns the fact's seq. Under the event clock an accepted event moves now. */
uint64_t ingestion_emit_accepted(struct ingestion *ingestion, struct turn *turn,
                                 const struct ingestion_candidate *candidate, bool new_customer);
/* `entry` says reason, texts, hash and whether the content is raw; number and seq are given
 * here. */
uint64_t ingestion_emit_quarantined(struct ingestion *ingestion, struct turn *turn,
                                    struct ingestion_entry entry, struct span content);
uint64_t ingestion_emit_closed(struct ingestion *ingestion, struct turn *turn,
                               struct ingestion_closed closed);
uint64_t ingestion_emit_clock(struct ingestion *ingestion, struct turn *turn, int64_t to_ms);
void ingestion_record_run(struct ingestion *ingestion, struct turn *turn, struct span run,
                          uint64_t batch);

/* The service's evolve: what follows from a fact or private record. */
void ingestion_evolve(void *service, const struct change *change, const struct record *record);

#endif
