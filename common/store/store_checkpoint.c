/*
 * Checkpoints in pieces, each one synced transaction of a bounded number of records.
 *
 *          begin: active becomes frozen
 *   IDLE -------------------------------> WRITE: frozen -> run, in key order
 *     ^                                     |  last piece: closed = {P, digest}
 *     |                                     v
 *     +---------------------------------- MERGE: run -> data; repeating it is harmless
 *          last piece: checkpoint = P, closed and the run go
 *
 * A process that ends in WRITE leaves an open run, which opening drops; one that ends in
 * MERGE leaves a closed run: opening reads it into the frozen memtable, which is the state at
 * P at once, and enters this machine there. Merging it takes as long as it did before, seconds
 * where it lies all over a large file, and nobody has to wait for that.
 *
 * The run is dropped whole, in the transaction that writes checkpoint = P, however long it
 * is. That changes none of its pages, it only puts them on the free list, so the bound on
 * what a transaction dirties holds. Measured with runs of 300,000 records (43 MB): taking
 * the records out in pieces wrote no less in any transaction and took half as many again.
 * And it is what still works when the map is full.
 *
 * The loop renews its snapshot between turns, so that the pages of the one before can be used
 * again. Reads stay right throughout: until the merge is complete all that it moves is in
 * the frozen memtable too, and that lies over the snapshot.
 */
#include "common/store/store_internal.h"

#include <assert.h>
#include <stdlib.h>

/* While memory is at its bound a turn waits for so many pieces. */
#define PIECES_AT_BOUND 4
#define FETCHED_AHEAD 8
/* A put into the run of the permanent tables is half a page of records. */
#define RECORDS_A_PUT 4
/* How soon the loop looks again where the flush thread is. */
#define FLUSH_LOOK_MS 20

/* ---- the pieces: each changes `checkpoint` and the transaction, the caller commits both */

static enum status entry_write(struct store *store, MDB_txn *txn, struct checkpoint *checkpoint)
{
    const struct memtable_entry *entry = store->sorted[checkpoint->written];
    if (checkpoint->written + FETCHED_AHEAD < store->sorted_count) {
        memtable_entry_fetch(store->sorted[checkpoint->written + FETCHED_AHEAD]);
    }
    struct span key = memtable_entry_key(entry);
    if (store->writer != NULL && store->is_permanent[key.data[0]]) {
        checkpoint->written++;
        return run_writer_add(store->writer, txn, key, memtable_entry_value(entry));
    }
    struct store_key filed; /* not cleared: one for each record */
    if (store->is_clustered[key.data[0]]) {
        filed = store_key_cluster(key);
        key = store_key_span(&filed);
    }
    struct store_image image = { memtable_entry_is_tombstone(entry), memtable_entry_value(entry) };
    uint8_t bytes[STORE_SEALED_BYTES_MAX];
    struct span sealed = store_image_seal(key, image, bytes);
    enum status status = store_file_put(txn, store->file.run, key, sealed, MDB_APPEND);
    if (status == STATUS_OK) {
        run_digest_add(&checkpoint->run, sealed);
        checkpoint->written++;
    }
    return status;
}

/* What the transaction has of the room that it may take, in records. */
static size_t piece_used(const struct store *store, uint64_t run_records, uint64_t puts)
{
    uint64_t more = store->writer != NULL ? run_writer_puts(store->writer) - puts : 0;
    return (size_t)(run_records + more * RECORDS_A_PUT);
}

static enum status entries_write(struct store *store, MDB_txn *txn, struct checkpoint *checkpoint,
                                 size_t *used)
{
    uint64_t before = checkpoint->run.records;
    uint64_t puts = store->writer != NULL ? run_writer_puts(store->writer) : 0;
    *used = 0;
    while (*used < store->options.checkpoint_records && checkpoint->written < store->sorted_count) {
        enum status status = entry_write(store, txn, checkpoint);
        if (status != STATUS_OK) {
            return status;
        }
        *used = piece_used(store, checkpoint->run.records - before, puts);
    }
    return STATUS_OK;
}

/* The run of the permanent records gets its filter and is published. */
static enum status writer_finish(struct store *store, MDB_txn *txn, size_t room, bool *is_finished)
{
    *is_finished = store->writer == NULL;
    if (*is_finished) {
        return STATUS_OK;
    }
    enum status status =
        run_writer_finish(store->writer, txn, room / RECORDS_A_PUT + 1, is_finished);
    if (status == STATUS_OK && *is_finished) {
        status = run_set_publish(store->runs, txn, &store->writer);
    }
    return status;
}

static enum status piece_write(struct store *store, MDB_txn *txn, struct checkpoint *checkpoint)
{
    size_t used = 0;
    enum status status = entries_write(store, txn, checkpoint, &used);
    if (status != STATUS_OK || checkpoint->written < store->sorted_count) {
        return status;
    }
    size_t most = store->options.checkpoint_records;
    bool is_finished = false;
    status = writer_finish(store, txn, used < most ? most - used : 0, &is_finished);
    if (status != STATUS_OK || !is_finished) {
        return status;
    }
    checkpoint->phase = CHECKPOINT_MERGE;
    struct store_closed closed = { checkpoint->position, checkpoint->run };
    return store_closed_put(&store->file, txn, &closed);
}

static enum status record_remove(MDB_cursor *data, struct span key)
{
    MDB_val key_value = store_value_of(key);
    MDB_val value = { 0 };
    int code = mdb_cursor_get(data, &key_value, &value, MDB_SET);
    if (code == MDB_NOTFOUND) {
        return STATUS_OK;
    }
    return store_status_from_lmdb(code == MDB_SUCCESS ? mdb_cursor_del(data, 0) : code);
}

/* `data` stands where the record before went: the next one mostly belongs on the same page. */
static enum status record_merge(const struct store *store, MDB_cursor *data, struct span key,
                                struct span run_sealed)
{
    struct store_image image = { 0 };
    if (!store_image_open(key, run_sealed, &image)) {
        store_corrupt_exit(store, key);
    }
    if (image.tombstone) {
        return record_remove(data, key);
    }
    uint8_t bytes[STORE_SEALED_BYTES_MAX];
    MDB_val key_value = store_value_of(key);
    MDB_val value = store_value_of(store_record_seal(key, image.value, bytes));
    return store_status_from_lmdb(mdb_cursor_put(data, &key_value, &value, 0));
}

/* The run does not change while it is merged: its pages, and spans into them, stay. */
static enum status records_merge(const struct store *store, MDB_cursor *cursor, MDB_cursor *data,
                                 struct checkpoint *checkpoint)
{
    MDB_val key = { 0 };
    MDB_val value = { 0 };
    if (checkpoint->merged > 0) {
        key = store_value_of(store_key_span(&checkpoint->merged_to));
        if (mdb_cursor_get(cursor, &key, &value, MDB_SET) != MDB_SUCCESS) {
            return STATUS_CORRUPT;
        }
    }
    size_t most = store_merge_records(store);
    uint64_t left = checkpoint->run.records - checkpoint->merged;
    for (size_t i = 0; i < most && i < left; i++) {
        if (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) != MDB_SUCCESS) {
            return STATUS_CORRUPT;
        }
        enum status status = record_merge(store, data, store_span_of(key), store_span_of(value));
        if (status != STATUS_OK) {
            return status;
        }
        checkpoint->merged++;
    }
    checkpoint->merged_to = store_key_copy(store_span_of(key));
    return STATUS_OK;
}

static enum status run_drop(const struct store *store, MDB_txn *txn)
{
    return store_status_from_lmdb(mdb_drop(txn, store->file.run, 0));
}

static enum status merge_finish(const struct store *store, MDB_txn *txn,
                                struct checkpoint *checkpoint)
{
    checkpoint->phase = CHECKPOINT_IDLE;
    enum status status = store_position_put(&store->file, txn, &checkpoint->position);
    return status == STATUS_OK ? run_drop(store, txn) : status;
}

static enum status piece_merge(const struct store *store, MDB_txn *txn,
                               struct checkpoint *checkpoint)
{
    MDB_cursor *cursor = store_file_cursor(txn, store->file.run);
    MDB_cursor *data = store_file_cursor(txn, store->file.data);
    enum status status = records_merge(store, cursor, data, checkpoint);
    mdb_cursor_close(data);
    mdb_cursor_close(cursor);
    if (status != STATUS_OK || checkpoint->merged < checkpoint->run.records) {
        return status;
    }
    return merge_finish(store, txn, checkpoint);
}

/* ---- the machine */

static enum status piece_make(struct store *store, MDB_txn *txn, struct checkpoint *checkpoint)
{
    switch (checkpoint->phase) {
    case CHECKPOINT_WRITE:
        return piece_write(store, txn, checkpoint);
    case CHECKPOINT_MERGE:
        return piece_merge(store, txn, checkpoint);
    case CHECKPOINT_IDLE:
        break;
    }
    assert(false); /* the caller has asked whether one is running */
    return STATUS_INTERNAL;
}

static enum status entries_sort(struct store *store)
{
    store->sorted = memtable_sort(store->frozen, store->is_clustered);
    store->sorted_count = memtable_count(store->frozen);
    return store_runs_write_begin(store);
}

enum status store_piece_make(struct store *store)
{
    if (store->checkpoint.phase == CHECKPOINT_WRITE && store->sorted == NULL) {
        enum status status = entries_sort(store);
        if (status != STATUS_OK) {
            return status;
        }
    }
    /* A copy: a piece that is not committed has not happened, here neither. */
    struct checkpoint checkpoint = store->checkpoint;
    MDB_txn *txn = NULL;
    enum status status = store_file_write_begin(&store->file, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_file_write_end(&txn, piece_make(store, txn, &checkpoint));
    if (status != STATUS_OK) {
        return status;
    }
    store->checkpoint = checkpoint;
    if (checkpoint.phase != CHECKPOINT_WRITE && store->sorted != NULL) {
        free(store->sorted);
        store->sorted = NULL;
        store_runs_offer(store);
    }
    return STATUS_OK;
}

/* ---- the loop's part */

bool store_checkpoint_running(const struct store *store)
{
    return store->checkpoint_runs;
}

int64_t store_checkpoint_look_ms(const struct store *store)
{
    return store->flush != NULL ? FLUSH_LOOK_MS : 0;
}

void store_checkpoint_begin(struct store *store, const struct journal_position *position)
{
    assert(!store->checkpoint_runs);
    assert(position->seq >= store->position.seq && position->block >= store->position.block);
    memtable_close(&store->frozen); /* the snapshot is from after the end of its checkpoint */
    assert(store->sorted == NULL);
    store->frozen = store->active;
    store->active = NULL;
    memtable_open(&store->active, memtable_count(store->frozen));
    store->checkpoint = (struct checkpoint){ .phase = CHECKPOINT_WRITE, .position = *position };
    store->checkpoint_runs = true;
    if (store->flush != NULL) {
        store_flush_begin(store);
    }
}

static enum status pieces_make(struct store *store, unsigned pieces, bool *is_done)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < pieces && status == STATUS_OK; i++) {
        if (store->checkpoint.phase != CHECKPOINT_IDLE) {
            status = store_piece_make(store);
        }
        if (status == STATUS_OK && store_runs_have_work(store)) {
            status = store_runs_work(store);
        }
    }
    *is_done = store->checkpoint.phase == CHECKPOINT_IDLE;
    return status;
}

/* With a flush thread: waits for `pieces`, which may be none. */
static enum status checkpoint_move(struct store *store, unsigned pieces)
{
    bool is_done = false;
    enum status status = store->flush != NULL ? store_flush_look(store, pieces, &is_done)
                                              : pieces_make(store, pieces, &is_done);
    if (status != STATUS_OK) {
        return status;
    }
    if (is_done) {
        store->position = store->checkpoint.position;
        store->checkpoint_runs = false;
    }
    return store_runs_take(store);
}

enum status store_checkpoint_step(struct store *store)
{
    assert(store->checkpoint_runs);
    assert(store->scans == 0);
    if (store_memory_is_full(store)) {
        return checkpoint_move(store, PIECES_AT_BOUND);
    }
    return checkpoint_move(store, store->flush != NULL ? 0 : 1);
}

static enum status checkpoint_finish(struct store *store)
{
    while (store->checkpoint_runs) {
        enum status status = checkpoint_move(store, 1);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status store_checkpoint_whole(struct store *store, const struct journal_position *position)
{
    enum status status = checkpoint_finish(store);
    if (status != STATUS_OK) {
        return status;
    }
    store_checkpoint_begin(store, position);
    status = checkpoint_finish(store);
    return status == STATUS_OK ? store_turn_end(store) : status;
}

/* ---- recovery */

/* Each record of it was looked at before. */
static void closed_run_load(struct store *store, MDB_txn *txn)
{
    MDB_cursor *cursor = store_file_cursor(txn, store->file.run);
    memtable_open(&store->frozen, store->checkpoint.run.records);
    MDB_val filed = { 0 };
    MDB_val sealed = { 0 };
    while (mdb_cursor_get(cursor, &filed, &sealed, MDB_NEXT) == MDB_SUCCESS) {
        struct store_key key = store_key_whole(store_span_of(filed));
        struct store_image image = { 0 };
        bool is_sound = store_image_open(store_span_of(filed), store_span_of(sealed), &image);
        assert(is_sound);
        if (image.tombstone) {
            memtable_delete(store->frozen, store_key_span(&key));
        } else {
            memtable_put(store->frozen, store_key_span(&key), image.value);
        }
        if (store->is_permanent[key.bytes[0]]) {
            atomic_store(&store->data_has_permanent, true); /* soon, or by now */
        }
    }
    mdb_cursor_close(cursor);
}

/* Enters the machine where a closed run is to be merged. It is looked at whole before
 * anything of it is. */
static enum status closed_run_look(struct store *store, MDB_txn *txn, struct refusal *refusal)
{
    struct store_closed closed = { 0 };
    enum status status = store_closed_get(&store->file, txn, &closed);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "%s: the record of the closed run is broken",
                           store->options.path);
    }
    status = store_run_check(&store->file, txn, &closed, &store->options, refusal);
    if (status == STATUS_OK) {
        store->checkpoint = (struct checkpoint){
            .phase = CHECKPOINT_MERGE,
            .position = closed.position,
            .run = closed.run,
        };
        store->checkpoint_runs = true;
        closed_run_load(store, txn);
    }
    return status;
}

static enum status open_run_drop(const struct store *store)
{
    MDB_txn *txn = NULL;
    enum status status = store_file_write_begin(&store->file, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t records = 0;
    status = store_file_count(txn, store->file.run, &records);
    if (status == STATUS_OK && records > 0) {
        status = run_drop(store, txn);
    }
    return store_file_write_end(&txn, status);
}

enum status store_checkpoint_recover(struct store *store, struct refusal *refusal)
{
    MDB_txn *txn = NULL;
    enum status status = store_file_read_begin(&store->file, &txn);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "cannot read %s: %s", store->options.path,
                           status_text(status));
    }
    status = closed_run_look(store, txn, refusal);
    mdb_txn_abort(txn);
    if (status != STATUS_OK) {
        return status;
    }
    if (store->checkpoint_runs) {
        return STATUS_OK;
    }
    status = open_run_drop(store);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "cannot drop what a crash has left in %s: %s",
                           store->options.path, status_text(status));
    }
    return STATUS_OK;
}
