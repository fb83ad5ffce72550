/*
 * Tables of ingestion's state and the keys of their records. Keys are compared by bytes:
 * numbers are big-endian, so that entries of the quarantine lie in the order they came.
 */
#ifndef KITH_INGESTION_KEY_H
#define KITH_INGESTION_KEY_H

#include "common/base/hash.h"
#include "common/base/limits.h"

#include <stdint.h>

/* Numbers for ever. */
enum ingestion_table {
    INGESTION_TABLE_EVENT = 16,            /* event key -> content, seq */
    INGESTION_TABLE_CUSTOMER = 17,         /* customer id -> first seq */
    INGESTION_TABLE_RUN = 18,              /* run key -> next batch */
    INGESTION_TABLE_QUARANTINE = 19,       /* entry -> all but the content */
    INGESTION_TABLE_QUARANTINE_PART = 20,  /* entry | part (4) -> a piece of the content */
    INGESTION_TABLE_QUARANTINE_INDEX = 21, /* arrival key -> entry, seq */
    INGESTION_TABLE_COUNTERS = 22,         /* one record */
};

/* Who an event is: BLAKE2b-128 of (source, id). */
struct ingestion_event_key {
    struct hash128 hash;
};
/* What exactly arrived: BLAKE2b-128 of (source, id, content hash). */
struct ingestion_arrival_key {
    struct hash128 hash;
};
/* BLAKE2b-128 of a run's id. */
struct ingestion_run_key {
    struct hash128 hash;
};

struct ingestion_event_key ingestion_event_key_of(struct span source, struct span id);
struct ingestion_arrival_key ingestion_arrival_key_of(struct span source, struct span id,
                                                      struct hash128 content_hash);
struct ingestion_run_key ingestion_run_key_of(struct span run);

/* Remembers the newest event key: decide computes it, and evolve of the same event follows
 * at once. Follows from its arguments alone, so it may be forgotten at any time. */
struct ingestion_key_memo {
    bool is_set;
    uint8_t source[LIMIT_ID_BYTES];
    uint8_t id[LIMIT_ID_BYTES];
    size_t source_size;
    size_t id_size;
    struct ingestion_event_key key;
};

/* The same as ingestion_event_key_of(). */
struct ingestion_event_key ingestion_key_memo_event(struct ingestion_key_memo *memo,
                                                    struct span source, struct span id);

#define INGESTION_ENTRY_KEY_BYTES 8
#define INGESTION_PART_KEY_BYTES 12

struct ingestion_entry_key {
    uint8_t bytes[INGESTION_ENTRY_KEY_BYTES];
};
struct ingestion_part_key {
    uint8_t bytes[INGESTION_PART_KEY_BYTES];
};

struct ingestion_entry_key ingestion_entry_key_encode(uint64_t entry);
/* `part` counts from 0. */
struct ingestion_part_key ingestion_part_key_encode(uint64_t entry, uint32_t part);

#endif
