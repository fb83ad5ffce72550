/*
 * The records of ingestion's state, read through a view and written through a change.
 *
 * Each value begins with a version byte; numbers in it are big-endian. A record that does
 * not decode is a bug (the store has checked its bytes) and ends the process.
 */
#ifndef KITH_INGESTION_STORE_H
#define KITH_INGESTION_STORE_H

#include "common/base/id.h"
#include "common/base/view.h"
#include "services/ingestion/ingestion_key.h"

/* A piece of a quarantined content; with the version byte it stays within
 * LIMIT_STATE_VALUE_BYTES. */
#define INGESTION_PART_BYTES 1800
/* The sentence of a quarantine: one text attribute long. */
#define INGESTION_EXPLANATION_BYTES 1024

struct ingestion_event {
    struct hash128 content_hash;
    uint64_t seq; /* where it was accepted */
};

/* False: never accepted. */
bool ingestion_event_load(const struct view *view, const struct ingestion_event_key *key,
                          struct ingestion_event *event);
void ingestion_event_put(const struct change *change, const struct ingestion_event_key *key,
                         const struct ingestion_event *event);

bool ingestion_customer_is_known(const struct view *view, struct customer_id customer);
void ingestion_customer_put(const struct change *change, struct customer_id customer,
                            uint64_t first_seq);

/* The batch that must come next; 1 for an unknown run. */
uint64_t ingestion_run_load(const struct view *view, const struct ingestion_run_key *key);
void ingestion_run_put(const struct change *change, const struct ingestion_run_key *key,
                       uint64_t next_batch);

/* Why something is in the quarantine; the numbers of QuarantineReason. */
enum ingestion_reason {
    INGESTION_UNREADABLE = 0,
    INGESTION_ID_REUSED = 1,
    INGESTION_FUTURE = 2,
};

/* One open entry of the quarantine. Loaded spans live as long as those of the view. */
struct ingestion_entry {
    uint64_t number; /* from 1 */
    uint64_t seq;    /* of its fact */
    enum ingestion_reason reason;
    int64_t recorded_at_ms;
    bool raw; /* the content is a raw row, not an Event */
    struct hash128 content_hash;
    size_t content_size;
    struct span source;
    struct span id;
    struct span explanation;
};

bool ingestion_entry_load(const struct view *view, uint64_t number, struct ingestion_entry *entry);
/* Appends the content of an entry that was loaded. STATUS_LIMIT: past the buffer's limit. */
MUST_USE enum status ingestion_entry_content_load(const struct view *view,
                                                  const struct ingestion_entry *entry,
                                                  struct buffer *content);
/* `content` is as long as the entry says. */
void ingestion_entry_put(const struct change *change, const struct ingestion_entry *entry,
                         struct span content);
/* Also its content. */
void ingestion_entry_delete(const struct change *change, uint64_t number);
/* Entries with a number above `after`, ascending. Return false to end; no put meanwhile. */
typedef bool (*ingestion_entry_visit)(void *argument, const struct ingestion_entry *entry);
void ingestion_entries_walk(const struct view *view, uint64_t after, ingestion_entry_visit visit,
                            void *argument);

/* Where an arrival went; stays when the entry is closed. */
struct ingestion_arrival {
    uint64_t entry;
    uint64_t seq;
};

bool ingestion_arrival_load(const struct view *view, const struct ingestion_arrival_key *key,
                            struct ingestion_arrival *arrival);
void ingestion_arrival_put(const struct change *change, const struct ingestion_arrival_key *key,
                           const struct ingestion_arrival *arrival);

struct ingestion_counters {
    uint64_t entries;      /* ever made: the newest one's number */
    uint64_t entries_open; /* in the quarantine now */
};

/* Zeroes at the start. */
struct ingestion_counters ingestion_counters_load(const struct view *view);
void ingestion_counters_put(const struct change *change, struct ingestion_counters counters);

#endif
