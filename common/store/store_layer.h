/*
 * Layers of records laid over each other, read in the order of their keys: of records with
 * one key the newest layer's counts, and a tombstone hides those below it.
 */
#ifndef KITH_STORE_STORE_LAYER_H
#define KITH_STORE_STORE_LAYER_H

#include "common/store/memtable.h"
#include "common/store/run_list.h"
#include "common/store/store_record.h"

#include <lmdb.h>

#define LAYERS_MAX 4

enum layer_kind {
    LAYER_MEMTABLE,
    LAYER_SORTED, /* a memtable too, over all its tables */
    LAYER_RUN,
    LAYER_DATA,
    LAYER_PERMANENT, /* the runs of the permanent tables */
};

struct layer {
    enum layer_kind kind;
    const struct memtable_entry *entry; /* of a memtable; NULL: ended */
    const struct memtable_entry **sorted;
    size_t sorted_count;
    size_t sorted_at;        /* entry's place */
    struct run_cursor *runs; /* of permanent tables, on the heap */
    MDB_cursor *cursor;      /* of the others */
    bool has_record;
    struct span key;
    struct span value; /* sealed, where it comes from a table of the file */
};

struct layers {
    struct layer layers[LAYERS_MAX]; /* newest first */
    size_t count;
    bool is_broken;     /* the file cannot be followed */
    struct span broken; /* at this key; empty: no page of it */
};

/* From the newest to the oldest, each from the first key >= `from`. A zeroed struct is empty.
 * Memtables must not be written to, `txn` not be ended and `list` not be released before
 * layers_release. */

/* Ends with the table that `from` begins with. */
void layers_add_memtable(struct layers *layers, struct memtable *memtable, struct span from);
/* All tables from the first. */
void layers_add_memtable_whole(struct layers *layers, const struct memtable *memtable);
void layers_add_table(struct layers *layers, enum layer_kind kind, MDB_txn *txn, MDB_dbi table,
                      struct span from);
void layers_add_runs(struct layers *layers, const struct run_list *list, MDB_txn *txn,
                     struct span from);
void layers_release(struct layers *layers);

/* The next record: whole key and open value, which live as long as the layers' memory.
 *   STATUS_NOT_FOUND  there is none
 *   STATUS_CORRUPT    its checksum is wrong; `key` is its key, or empty if no record could
 *                     be read */
MUST_USE enum status layers_next(struct layers *layers, struct span *key, struct span *value);

#endif
