/*
 * Commands, questions, facts and private records of ingestion, but for the hot pair of
 * ingestion_batch.h: bytes in, whole structs out, and back. Decoded spans look into the
 * arena, which the caller resets before.
 */
#ifndef KITH_INGESTION_CODEC_H
#define KITH_INGESTION_CODEC_H

#include "common/base/arena.h"
#include "services/ingestion/ingestion_core.h"

/* Enough for any body that is no batch. */
#define INGESTION_ARENA_BYTES (1024 * 1024)
#define INGESTION_LIST_MAX 1000

/* ---- requests: STATUS_MALFORMED with the fields at fault */

MUST_USE enum status ingestion_advance_request_decode(struct span body, struct arena *arena,
                                                      struct ingestion_advance *advance,
                                                      struct refusal *refusal);

struct ingestion_list_request {
    uint64_t after_entry;
    uint32_t limit; /* 1..INGESTION_LIST_MAX; 100 unless said */
    uint64_t entry; /* QuarantineShow: the one */
};
/* QuarantineList: no `entry`. QuarantineShow: `entry` alone. */
MUST_USE enum status ingestion_list_request_decode(struct span body, bool is_show,
                                                   struct arena *arena,
                                                   struct ingestion_list_request *request,
                                                   struct refusal *refusal);

struct ingestion_retry_request {
    uint64_t entry;
    bool has_event;
    struct span event; /* an encoded Event */
};
MUST_USE enum status ingestion_retry_request_decode(struct span body, struct arena *arena,
                                                    struct ingestion_retry_request *request,
                                                    struct refusal *refusal);
MUST_USE enum status ingestion_drop_request_decode(struct span body, struct arena *arena,
                                                   uint64_t *entry, struct refusal *refusal);

/* ---- replies: appended to `out`, which has room for them (asserted) */

void ingestion_advance_reply_encode(int64_t now_ms, uint64_t seq, struct buffer *out);
void ingestion_retry_reply_encode(uint64_t seq, struct buffer *out);
/* One entry of a QuarantineListReply; `content` may be empty. The arena is for copies. */
void ingestion_list_entry_encode(const struct ingestion_entry *entry, struct span content,
                                 struct arena *arena, struct buffer *out);
void ingestion_list_total_encode(uint64_t total, struct buffer *out);

/* ---- facts and private records: decoding says STATUS_CORRUPT for other bytes */

/* FACT_EVENT_QUARANTINED; seq and recorded_at stand in the envelope. */
void ingestion_quarantined_encode(const struct ingestion_entry *entry, struct span content,
                                  struct arena *arena, struct buffer *out);
MUST_USE enum status ingestion_quarantined_decode(struct span body, struct arena *arena,
                                                  struct ingestion_entry *entry,
                                                  struct span *content);

/* FACT_QUARANTINE_CLOSED. */
struct ingestion_closed {
    uint64_t entry;
    bool accepted;
};
void ingestion_closed_encode(const struct ingestion_closed *closed, struct buffer *out);
MUST_USE enum status ingestion_closed_decode(struct span body, struct arena *arena,
                                             struct ingestion_closed *closed);

/* FACT_CLOCK_ADVANCED. */
void ingestion_clock_encode(int64_t to_ms, struct buffer *out);

/* The private record of a run's batch. */
void ingestion_run_encode(const struct ingestion_run_key *run, uint64_t batch, struct buffer *out);
MUST_USE enum status ingestion_run_record_decode(struct span record, struct arena *arena,
                                                 struct ingestion_run_key *run, uint64_t *batch);

#endif
