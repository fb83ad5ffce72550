/*
 * A service's state: tables behind get, put, delete and ordered scan, made durable by
 * checkpoints in pieces. A write-back layer over an LMDB environment of its own.
 *
 * Reading looks into the active memtable, then the frozen one, then LMDB. A checkpoint
 *   1. freezes the active memtable at a block border P (no copying),
 *   2. appends its after-images in key order to the table `run`, at most
 *      LIMIT_CHECKPOINT_RECORDS a synced transaction; the last writes `closed {P, digest}`,
 *   3. merges the run into the tables, again in pieces; the last writes `checkpoint = P`,
 *      then the run is dropped.
 * After a crash a closed run is read into memory and merged from its first record on, an open
 * one is dropped; the state is then exactly that of the newest P, and the caller evolves the
 * later blocks.
 * Permanent tables are not merged into the tables: their part of a run stays one, and runs
 * are merged with each other in the background (run_list.h, run_set.h).
 *
 * One thread uses it, the loop. With `has_flush_thread` a second one, the store's own, writes
 * the file; without, the loop does in store_checkpoint_step, and everything happens in the
 * order of its calls. LMDB flags: MDB_NOTLS | MDB_NORDAHEAD, asserted. Each record carries a
 * checksum over table, key and value; a wrong one ends the process with its table and key.
 */
#ifndef KITH_STORE_STORE_H
#define KITH_STORE_STORE_H

#include "common/base/position.h"
#include "common/base/refusal.h"
#include "common/base/view.h"

struct store;

enum store_table_kind {
    STORE_TABLE_TREE = 0,
    /* Records are put once and never changed or deleted (asserted as far as it is seen): then
     * a new one costs the same however many there are, and a filter in memory says of nearly
     * every key that is not there that it is not. Putting one again as it was does no harm. */
    STORE_TABLE_PERMANENT,
    /* Keys begin with a subject of LIMIT_STATE_SUBJECT_BYTES (asserted), and what the file has of
     * one subject lies together, whatever table it is of: so what an event reads and changes of its
     * customer is one page, and not one of each table. */
    STORE_TABLE_CLUSTERED,
};

struct store_table {
    uint8_t id; /* 1..254, for ever */
    const char *name;
    enum store_table_kind kind;
};

struct store_options {
    const char *path; /* .../state.mdb */
    const char *service;
    uint32_t shard;
    uint32_t schema; /* the service's version of its tables; a newer file is refused */
    const struct store_table *tables;
    size_t table_count;
    size_t map_bytes;
    size_t memtable_bytes_max; /* active and frozen together; reaching it slows, never stops */
    size_t checkpoint_records; /* a transaction's records; 0: LIMIT_CHECKPOINT_RECORDS */
    bool has_flush_thread;
};

/* Opens or creates. Where a checkpoint was closed and not yet merged it runs on from there: it
 * is in memory, and what the store holds. The caller owns *store.
 *   STATUS_CORRUPT, STATUS_REFUSED (newer, or another service's), STATUS_INTERNAL. */
MUST_USE enum status store_open(struct store **store, const struct store_options *options,
                                struct refusal *refusal);
/* Forgets what is not checkpointed. Takes NULL's address's NULL. */
void store_close(struct store **store);

struct view store_view(struct store *store);
struct change store_change(struct store *store);
/* Records put or deleted since open: shows that an event touches its customer's only. */
uint64_t store_touched(const struct store *store);

/* The journal position whose state the file holds, its closed run with it (zeroes: empty). */
struct journal_position store_checkpoint(const struct store *store);

/* Between two turns: renews the read transaction, drops a merged frozen memtable. Spans
 * from the view die here. Anything but STATUS_OK: the file could not be written, by now or by
 * the flush thread, and nobody may read on; the caller ends the process. */
MUST_USE enum status store_turn_end(struct store *store);

/* Active and frozen memtables. */
size_t store_memory_bytes(const struct store *store);
/* They have come to their bound: until a checkpoint has ended there should come little more. */
bool store_memory_is_full(const struct store *store);
/* True when the active memtable is worth a checkpoint: a quarter of the bound. */
bool store_wants_checkpoint(const struct store *store);
bool store_checkpoint_running(const struct store *store);
/* Freeze at P. Only between turns and when none is running (asserted). */
void store_checkpoint_begin(struct store *store, const struct journal_position *position);
/* After each turn while one is running: makes one piece, a synced transaction, or takes note
 * of how far the flush thread is. When memory is at its bound it waits for a few pieces, so
 * that what comes in is slowed to what goes out. Anything but STATUS_OK: the caller ends the
 * process. */
MUST_USE enum status store_checkpoint_step(struct store *store);
/* How soon it is worth to look again while a checkpoint is running, in milliseconds. */
int64_t store_checkpoint_look_ms(const struct store *store);
/* Finishes a running checkpoint, then makes one of everything. For a graceful stop. */
MUST_USE enum status store_checkpoint_whole(struct store *store,
                                            const struct journal_position *position);

/* Makes sure that a checkpoint of all that is in memory, and of `more` bytes that may come to
 * it, finds room on the disk, whatever others write there, and in the map. While another process
 * reads a snapshot that is more: it is looked for, but not reserved. Between turns only.
 *   STATUS_LIMIT     there is none
 *   STATUS_INTERNAL  the host says no */
MUST_USE enum status store_reserve(struct store *store, size_t more);
/* What the disk has left, besides what is reserved. */
uint64_t store_disk_free_bytes(const struct store *store);

/* Frees what processes that were killed have been reading. */
void store_readers_check(struct store *store);
/* What another process's snapshot keeps from being taken again counts as used. */
void store_space(const struct store *store, size_t *used_bytes, size_t *map_bytes);

/* ---- digests: what `verify state` compares */

struct store_digest {
    const char *table;
    uint64_t records;
    struct hash128 digest; /* over (key, value) in key order */
};
/* Of the state as it is now, memtables included. `digests` has table_count places. */
void store_digests(struct store *store, struct store_digest *digests);
/* Hands out the records of one table on the way of a digest over a file. */
struct store_watch {
    uint8_t table;
    view_visit visit; /* its answer is not looked at */
    void *argument;
};
/* Of the newest P in a file that another process may be writing to: reads one snapshot,
 * laying a closed run over the tables. `position` gets P. `watch`
 * may be NULL. A record with a wrong checksum
 * is STATUS_CORRUPT, with table and key in `refusal`. */
MUST_USE enum status store_digests_of_file(const struct store_options *options,
                                           const struct store_watch *watch,
                                           struct store_digest *digests,
                                           struct journal_position *position,
                                           struct refusal *refusal);

#endif
