/*
 * Permanent tables as sorted runs: how runs come and go.
 *
 *   write    a memtable's permanent records, in order, into an empty slot; then the filter
 *   publish  the list with the new run, in the transaction that says what it holds
 *   merge    four runs of a level into one of the next; its last transaction publishes
 *   empty    the slots of runs that no list has any longer; their pages are free then
 *
 * Each is done in pieces, within transactions that the caller begins and commits. A process
 * that ends between any two leaves runs that the list does not name; opening takes their
 * slots for empty ones to be. A piece that cannot be committed leaves the set ahead of the
 * file: then it can only be closed.
 *
 * One thread uses a set and its writers. What other threads get are lists (run_list.h).
 *
 * Only this library knows this header.
 */
#ifndef KITH_STORE_RUN_SET_H
#define KITH_STORE_RUN_SET_H

#include "common/store/run_list.h"

/* Runs of one level that are worth a merge, and the most that one takes when they wait. */
#define RUN_MERGE_FROM 4
#define RUN_MERGE_MOST 8

struct run_set;

/* `file` is open for writing and outlives the set. Loads the filters.
 *   STATUS_CORRUPT, STATUS_REFUSED, STATUS_LIMIT, STATUS_INTERNAL; `refusal` says why. */
MUST_USE enum status run_set_open(struct run_set **set, const struct store_file *file,
                                  struct refusal *refusal);
/* Takes NULL's address, clears. Writers must be closed; lists that others hold live on. */
void run_set_close(struct run_set **set);

/* Those of its file, as long as it is open. For any thread. */
const struct run_slots *run_set_slots(const struct run_set *set);

/* The newest list: hand it to others only once what published it is committed. It lives as
 * long as the set has no newer one; who keeps it longer shares it. */
struct run_list *run_set_list(const struct run_set *set);

/* ---- writing a run */

struct run_writer;

/* Of `records_most` records at most (asserted).
 *   STATUS_LIMIT  no slot is free: run_set_work, and let go of old lists, until one is */
MUST_USE enum status run_writer_open(struct run_writer **writer, struct run_set *set,
                                     uint64_t records_most);
/* Forgets an unfinished run; its slot is emptied by run_set_work. Takes NULL's address. */
void run_writer_close(struct run_writer **writer);
/* Keys ascend (asserted), and are whole. */
MUST_USE enum status run_writer_add(struct run_writer *writer, MDB_txn *txn, struct span key,
                                    struct span value);
/* What was put into LMDB since the writer was opened, blocks and pieces of the filter: two
 * of them change a page. This is what a transaction of the caller's is bounded by. */
uint64_t run_writer_puts(const struct run_writer *writer);
/* After the last record, until `is_finished`: the filter, `puts` pieces of it at most. */
MUST_USE enum status run_writer_finish(struct run_writer *writer, MDB_txn *txn, size_t puts,
                                       bool *is_finished);
/* The finished run becomes the newest one of the list. Without records nothing changes. On
 * STATUS_OK closes the writer. */
MUST_USE enum status run_set_publish(struct run_set *set, MDB_txn *txn, struct run_writer **writer);

/* ---- in the background */

/* Something is to be merged or emptied. */
bool run_set_has_work(const struct run_set *set);
/* Something is to be emptied, which run_set_work does first. */
bool run_set_has_dead(const struct run_set *set);
/* Pages of the runs that would be merged next, of the file as `txn` sees it: so many the new
 * one takes before they are free. 0: a merge is under way, or there is none. */
MUST_USE enum status run_set_merge_pages(const struct run_set *set, MDB_txn *txn, size_t *pages);
/* One piece of it, that puts `puts` blocks at most and reads RUN_MERGE_MOST times as many; or
 * one slot emptied, which changes few pages however long the run was. The list may be a newer
 * one afterwards. STATUS_CORRUPT: a run that is merged is broken, `broken` is where. */
MUST_USE enum status run_set_work(struct run_set *set, MDB_txn *txn, size_t puts,
                                  struct store_key *broken);

#endif
