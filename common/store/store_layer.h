/*
 * Layers of records laid over each other, read in the order of their filed keys: of records
 * with one key the newest layer's counts, and a tombstone hides those below it.
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

/* What of the file is looked at. */
struct layer_range {
    struct span from; /* filed */
    uint8_t table; /* of a clustered one: only its records, although others lie between; 0: all */
    size_t within; /* bytes of `from`: see view.h */
};

struct layer {
    enum layer_kind kind;
    const bool *clustered;              /* of each table, of a memtable */
    const struct memtable_entry *entry; /* of a memtable; NULL: ended */
    const struct memtable_entry **sorted;
    size_t sorted_count;
    size_t sorted_at;        /* entry's place */
    struct run_cursor *runs; /* of permanent tables, on the heap */
    MDB_cursor *cursor;      /* of the others */
    struct layer_range range;
    bool has_record;
    struct span key;       /* filed */
    struct store_key made; /* where a memtable's key is another one */
    struct span value;     /* sealed, where it comes from a table of the file */
};

struct layers {
    struct layer layers[LAYERS_MAX]; /* newest first */
    size_t count;
    bool is_broken;           /* the file cannot be followed */
    struct span broken;       /* at this key; empty: no page of it */
    struct store_key current; /* where the key that was handed out would not stay */
};

/* From the newest to the oldest, each from the first key >= `from`. A zeroed struct is empty,
 * and stays where it is once there is a layer. Memtables must not be written to, `txn` not be
 * ended, `list` not be released and `from` live on before layers_release. `clustered` tells for
 * each of 256 tables whether it is. */

/* Ends with the table that the whole key `from` begins with. */
void layers_add_memtable(struct layers *layers, struct memtable *memtable, const bool *clustered,
                         struct span from);
/* All tables. */
void layers_add_memtable_whole(struct layers *layers, const struct memtable *memtable,
                               const bool *clustered);
void layers_add_table(struct layers *layers, enum layer_kind kind, MDB_txn *txn, MDB_dbi table,
                      const struct layer_range *range);
void layers_add_runs(struct layers *layers, const struct run_list *list, MDB_txn *txn,
                     struct span from);
void layers_release(struct layers *layers);

/* The next record: filed key and open value, which live until the next one is asked for.
 *   STATUS_NOT_FOUND  there is none
 *   STATUS_CORRUPT    its checksum is wrong; `key` is its key, or empty if no record could
 *                     be read */
MUST_USE enum status layers_next(struct layers *layers, struct span *key, struct span *value);
/* For whoever asks for no more: what the data stands at is no rotten record that hides others.
 *   STATUS_CORRUPT  as above */
MUST_USE enum status layers_end(struct layers *layers, struct span *key);

#endif
