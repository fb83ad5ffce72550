/*
 * The LMDB environment of a state: its three tables, its transactions, and the few records
 * that say what the file holds.
 *
 *   data   filed key              ->  sealed value
 *   run    filed key              ->  sealed after-image, of the checkpoint being made
 *   meta   "identity"             ->  format (4) | shard (4) | schema (4) | service
 *          "closed"               ->  position (48) | records (8) | chain (8) of the run
 *          "checkpoint"           ->  position (48)
 *
 * A position is seq (8) | block (8) | chain (32). Numbers are big-endian, values sealed.
 *
 * Only this library knows this header. All statuses come from store_status_from_lmdb.
 */
#ifndef KITH_STORE_STORE_FILE_H
#define KITH_STORE_STORE_FILE_H

#include "common/store/store.h"
#include "common/store/store_record.h"

#include <lmdb.h>

struct store_file {
    MDB_env *env;
    MDB_dbi data;
    MDB_dbi run;
    MDB_dbi meta;
};

/* NOT_FOUND no such record; LIMIT map or disk full; CORRUPT broken pages; else INTERNAL. */
enum status store_status_from_lmdb(int code);
MDB_val store_value_of(struct span span);
struct span store_span_of(MDB_val value);

/* Opens for writing, creating what is missing, and checks whose file it is.
 * STATUS_CORRUPT, STATUS_REFUSED, STATUS_LIMIT, STATUS_INTERNAL; `refusal` says why. */
MUST_USE enum status store_file_open(struct store_file *file, const struct store_options *options,
                                     struct refusal *refusal);
/* Opens for reading beside another process that may write. STATUS_NOT_FOUND: no file, or
 * nothing in it yet; else as above. */
MUST_USE enum status store_file_open_to_read(struct store_file *file,
                                             const struct store_options *options,
                                             struct refusal *refusal);
void store_file_close(struct store_file *file);

MUST_USE enum status store_file_write_begin(const struct store_file *file, MDB_txn **txn);
MUST_USE enum status store_file_read_begin(const struct store_file *file, MDB_txn **txn);
/* Commits and syncs when `status` is OK, else drops the transaction and returns `status`.
 * The handle is gone either way. */
MUST_USE enum status store_file_write_end(MDB_txn **txn, enum status status);

/* The caller closes it. Memory is all that it needs: without, the process ends with a message. */
MDB_cursor *store_file_cursor(MDB_txn *txn, MDB_dbi table);

MUST_USE enum status store_file_put(MDB_txn *txn, MDB_dbi table, struct span key, struct span value,
                                    unsigned flags);
/* Deleting what is not there is fine. */
MUST_USE enum status store_file_delete(MDB_txn *txn, MDB_dbi table, struct span key);
MUST_USE enum status store_file_count(MDB_txn *txn, MDB_dbi table, uint64_t *records);

/* ---- what the file holds; STATUS_NOT_FOUND: no such record, STATUS_CORRUPT: broken */

struct store_closed {
    struct journal_position position;
    struct run_digest run;
};

MUST_USE enum status store_closed_get(const struct store_file *file, MDB_txn *txn,
                                      struct store_closed *closed);
MUST_USE enum status store_closed_put(const struct store_file *file, MDB_txn *txn,
                                      const struct store_closed *closed);
/* Zeroes where nothing was checkpointed yet. */
MUST_USE enum status store_position_get(const struct store_file *file, MDB_txn *txn,
                                        struct journal_position *position);
/* Writes `checkpoint` and takes `closed` away. */
MUST_USE enum status store_position_put(const struct store_file *file, MDB_txn *txn,
                                        const struct journal_position *position);

/* Reads the whole run. STATUS_CORRUPT: it is not the one that was closed, or a record's
 * checksum is wrong; `refusal` says which. */
MUST_USE enum status store_run_check(const struct store_file *file, MDB_txn *txn,
                                     const struct store_closed *closed,
                                     const struct store_options *options, struct refusal *refusal);

/* The sentence about a record with a wrong checksum: table and key. */
#define STORE_RECORD_TEXT_BYTES 256
void store_record_describe(const struct store_options *options, struct span key,
                           char out[STORE_RECORD_TEXT_BYTES]);

#endif
