/*
 * Permanent tables as sorted runs: how they are read.
 *
 * A record of a permanent table is put once and never changed or deleted. So such tables are
 * kept as runs: immutable sets of records in the order of their keys, each in a named table
 * of LMDB, "runs.0" and so on, with a filter of its keys in memory before it.
 *
 *   runs.N   block's key          ->  sealed block (run_block.h)
 *            255 | number (4)     ->  sealed piece of the filter, behind all blocks
 *   meta     "runs"               ->  format (4) | the live runs, newest first, each
 *                                     slot (1) | level (1) | records (8) | chain (8) |
 *                                     filter's lines (4) | filter's chain (8)
 *
 * Numbers are big-endian, values sealed. A chain is over the checksums of what was written,
 * in its order: it sees what is missing, twice there or out of place.
 *
 * A list is what was live when it was published. It never changes, and lives until its last
 * holder releases it. A holder that reads through it
 *   - has a snapshot not older than the list (run_list_fits); a newer one is fine, because a
 *     run is emptied only when no list has it any longer;
 *   - so releases an older list only after it has the newer one: renew the snapshot, take the
 *     newest list that fits, release the one before.
 * Each list may be shared, released and read in any thread; a transaction by one at a time.
 *
 * Only this library knows this header.
 */
#ifndef KITH_STORE_RUN_LIST_H
#define KITH_STORE_RUN_LIST_H

#include "common/store/run_block.h"
#include "common/store/run_filter.h"
#include "common/store/store_file.h"

#include <stdatomic.h>

/* The table byte of the filter's pieces: above that of every table. */
#define RUN_FILTER_TABLE 255
/* As many whole lines as leave two pieces in one page. */
#define RUN_FILTER_PIECE_LINES 30
#define RUN_FILTER_PIECE_KEY_BYTES 5

/* The slots of a file. */
struct run_slots {
    MDB_dbi tables[LIMIT_STATE_RUNS];
    size_t count; /* 0: a file that never had any, opened to be read */
};
/* Makes what is missing. With a transaction of its own. */
MUST_USE enum status run_slots_open(const struct store_file *file, struct run_slots *slots);
/* In a file that is open for reading only. */
MUST_USE enum status run_slots_open_to_read(const struct store_file *file, struct run_slots *slots);
/* Pages that runs take, of the file as `txn` sees it. */
MUST_USE enum status run_slots_pages(const struct run_slots *slots, MDB_txn *txn, size_t *pages);

/* One run: never changed once it stands in a list. */
struct run {
    atomic_uint holders;
    MDB_dbi table;
    uint8_t slot;
    uint8_t level; /* so often it was merged */
    uint64_t records;
    uint64_t chain; /* of the blocks */
    uint64_t filter_chain;
    struct run_filter filter;
};
/* Of nothing, held once. */
struct run *run_open(const struct run_slots *slots, uint8_t slot);
struct run *run_share(struct run *run);
/* Clears *run. */
void run_release(struct run **run);
/* True when the caller's hold is the only one: no list has it. */
bool run_is_alone(const struct run *run);

struct run_list {
    atomic_uint holders;
    size_t published; /* number of the transaction that wrote it */
    size_t count;
    struct run *runs[LIMIT_STATE_RUNS];          /* newest first */
    struct run_filter filters[LIMIT_STATE_RUNS]; /* theirs, side by side to look into */
};
/* Held once; takes over the callers' holds of `runs`. */
struct run_list *run_list_of(struct run *const *runs, size_t count, size_t published);
struct run_list *run_list_share(struct run_list *list);
/* Takes NULL's address, clears. */
void run_list_release(struct run_list **list);

/* Of the file as `txn` sees it, filters and all.
 *   STATUS_CORRUPT  the list or a filter is broken; `refusal` names it
 *   STATUS_REFUSED  a newer program wrote it */
MUST_USE enum status run_list_load(const struct store_file *file, const struct run_slots *slots,
                                   MDB_txn *txn, struct run_list **list, struct refusal *refusal);
/* Puts the record of it. */
MUST_USE enum status run_list_put(const struct store_file *file, MDB_txn *txn,
                                  const struct run_list *list);

/* True: `txn` sees all that the list names. */
bool run_list_fits(const struct run_list *list, MDB_txn *txn);
/* Records of all runs; one that two of them have counts twice. */
uint64_t run_list_records(const struct run_list *list);

/* A hint that `hash` will be looked for. Most of the time of a look is the way from memory to
 * the filters: so all their lines come at the same time, and meanwhile other things are done. */
void run_list_prefetch(const struct run_list *list, uint64_t hash);
/* `hash` is store_key_hash(key). The value lives as long as the snapshot.
 * STATUS_NOT_FOUND; STATUS_CORRUPT: a broken block where the record would be. */
MUST_USE enum status run_list_get(const struct run_list *list, MDB_txn *txn, uint64_t hash,
                                  struct span key, struct span *value);

/* Reads every record of every run. STATUS_CORRUPT: a checksum is wrong, or a run is not what
 * was written; `broken` is the key at which that was seen, empty: nothing could be read. */
MUST_USE enum status run_list_check(const struct run_list *list, MDB_txn *txn,
                                    struct store_key *broken);

/* ---- all records in the order of their keys */

struct run_head {
    const struct run *run;
    MDB_cursor *cursor;
    bool has_record;
    bool is_broken;
    struct run_digest digest; /* of the blocks that were passed whole */
    struct span sealed;       /* the block it stands in */
    struct run_block_reader block;
    struct span key; /* where it is broken too: there */
    struct span value;
};

/* A zeroed one is empty. */
struct run_cursor {
    struct run_head heads[LIMIT_STATE_RUNS]; /* newest first */
    size_t count;
};

/* From the first whole key >= `from`. The runs must be held, and `txn` not be ended, before
 * run_cursor_release. Other tables may be written to meanwhile. */
void run_cursor_open(struct run_cursor *cursor, struct run *const *runs, size_t count, MDB_txn *txn,
                     struct span from);
void run_cursor_release(struct run_cursor *cursor);
/* The next record, of the newest run that has it. Spans live as long as the snapshot.
 *   STATUS_NOT_FOUND  there is none
 *   STATUS_CORRUPT    a broken block; `key` is where, empty if no page could be followed */
MUST_USE enum status run_cursor_next(struct run_cursor *cursor, struct span *key,
                                     struct span *value);

#endif
