/*
 * What the parts of the store share. Only this library knows this header.
 */
#ifndef KITH_STORE_STORE_INTERNAL_H
#define KITH_STORE_STORE_INTERNAL_H

#include "common/store/memtable.h"
#include "common/store/run_set.h"
#include "common/store/store.h"
#include "common/store/store_file.h"
#include "common/store/store_layer.h"

/* The table of LMDB's own that lists the free pages. */
#define LMDB_TABLE_FREE 0

enum checkpoint_phase {
    CHECKPOINT_IDLE,
    CHECKPOINT_WRITE, /* the frozen memtable into the run */
    CHECKPOINT_MERGE, /* the closed run into the tables */
};

/* How far a checkpoint is. What is in here has been committed. */
struct checkpoint {
    enum checkpoint_phase phase;
    struct journal_position position; /* P */
    uint64_t written;                 /* entries that are in the run */
    struct run_digest run;            /* of what the run holds */
    uint64_t merged;                  /* records of the run that are in the tables */
    struct store_key merged_to;       /* the last of them */
};

struct store {
    struct store_options options; /* path and tables are the store's own */
    bool table_known[256];
    bool is_permanent[256];
    bool is_clustered[256];
    struct store_file file;
    MDB_txn *reader;     /* the snapshot that reads look at */
    MDB_cursor *cluster; /* in it: what is read next mostly lies on the same page */
    MDB_cursor *tree;    /* in it, for tables that are not clustered */
    struct memtable *active;
    struct memtable *frozen;          /* NULL: none. Never written to */
    struct journal_position position; /* the newest P of the file that the loop knows of */
    bool checkpoint_runs;             /* begun, and the loop has not taken note of its end */
    struct flush *flush;              /* NULL: the loop writes itself */
    /* Of whoever writes the file: with a flush thread, its own while a checkpoint runs. */
    struct checkpoint checkpoint;
    const struct memtable_entry **sorted; /* those of the frozen memtable; NULL: not needed */
    size_t sorted_count;
    struct run_set *runs;      /* NULL: no table is permanent */
    struct run_writer *writer; /* of the checkpoint's permanent records; NULL: none */
    /* From whoever writes the file to the loop: the newest list, when it has changed. */
    _Atomic(struct run_list *) offered;
    /* Some record of a permanent table may be among those of the others. */
    atomic_bool data_has_permanent;
    struct run_list *list; /* what the loop reads; NULL: no table is permanent */
    uint64_t reserved_to;  /* the disk has room for the file up to here */
    /* From the loop to whoever writes the file: the map nears its end. */
    atomic_bool map_is_tight;
    uint64_t touched;
    unsigned scans; /* running, one within the other */
};

/* view.scan of a store. */
void store_scan(void *context, const struct view_range *range, view_visit visit, void *argument);

/* Names table and key on stderr and ends the process: state that is read wrong must not
 * reach a decision. `key` is whole or filed; empty: the file's pages cannot be followed. */
_Noreturn void store_corrupt_exit(const struct store *store, struct span key);
#define STORE_CORRUPT_EXIT_CODE 70

/* At open, before there is a reader: takes a closed run into memory, drops an open one. */
MUST_USE enum status store_checkpoint_recover(struct store *store, struct refusal *refusal);
/* One synced transaction of the checkpoint. Touches neither the active memtable nor the
 * reader. */
MUST_USE enum status store_piece_make(struct store *store);

/* ---- permanent tables (store_runs.c) */
/* At open, before there is a reader. */
MUST_USE enum status store_runs_open(struct store *store, struct refusal *refusal);
/* With a reader: files from before there were runs, and those of a checkpoint that found no
 * free slot, have permanent records among those of the trees. */
void store_runs_data_look(struct store *store);
void store_runs_close(struct store *store);
/* The snapshot and the list of runs become the newest ones. Spans into the old ones die. After
 * a commit that failed there is no newer snapshot, and none any more. */
MUST_USE enum status store_runs_take(struct store *store);
/* For a key that is not in memory. `hash` is store_key_hash(key), and was best announced with
 * run_list_prefetch before memory was looked at. */
MUST_USE bool store_runs_get(const struct store *store, struct span key, uint64_t hash,
                             struct span *value);
/* The part of a checkpoint: a writer for what the frozen memtable has. */
MUST_USE enum status store_runs_write_begin(struct store *store);
/* Lets the loop have the newest list, once it is committed. */
void store_runs_offer(struct store *store);
/* Background work: is there some, and one transaction of it. */
bool store_runs_have_work(const struct store *store);
MUST_USE enum status store_runs_work(struct store *store);
/* Pages that they take, as `txn` sees the file. */
size_t store_runs_pages(const struct store *store, MDB_txn *txn);

/* The thread that makes the pieces. */
void store_flush_open(struct store *store);
/* Ends between two pieces. Takes a store without one. */
void store_flush_close(struct store *store);
void store_flush_begin(struct store *store);
/* Of all that it has done. Not good: it has ended and writes nothing more. */
MUST_USE enum status store_flush_status(struct store *store);
/* Waits until it has made `pieces` more or is done, at most FLUSH_WAIT_MS; then how it is:
 * `is_done` becomes true once all of the checkpoint is in the file. */
MUST_USE enum status store_flush_look(struct store *store, unsigned pieces, bool *is_done);
/* Records of the next piece that merges: few while the disk or the map is tight. */
size_t store_merge_records(const struct store *store);
/* For whoever writes the file: disk and map have room for all that the merge of runs writes
 * that is under way or would be the next. */
bool store_runs_merge_has_room(const struct store *store);
/* Pages that are free, but not to be taken as long as another process reads an older snapshot;
 * `txn` only reads. */
size_t store_pinned_pages(const struct store *store, MDB_txn *txn);
/* Pages in use, pinned ones too, as `txn` sees the file, and the size of one. `txn` only reads. */
size_t store_pages(const struct store *store, MDB_txn *txn, size_t *page_bytes);

#endif
