/*
 * The permanent tables of a store: how their runs take part in reading, in checkpoints and in
 * the background.
 *
 * A checkpoint writes its permanent records as one run, which is published in the transaction
 * that closes the checkpoint's run: from there on it is finished whatever happens. Where no
 * slot is free (merges wait where there is no room for them), they go the way of all other tables.
 */
#include "common/store/store_internal.h"

#include <assert.h>

/* Of background work in one transaction, 2 KB each: so long may a journal's sync wait. */
#define WORK_PUTS 1000

/* ---- opening */

/* What a crash has left unfinished. */
static enum status dead_empty(struct store *store)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && run_set_has_dead(store->runs)) {
        struct store_key broken = { 0 };
        MDB_txn *txn = NULL;
        status = store_file_write_begin(&store->file, &txn);
        if (status == STATUS_OK) {
            status = store_file_write_end(&txn, run_set_work(store->runs, txn, WORK_PUTS, &broken));
        }
    }
    return status;
}

static bool has_permanent(const struct store *store)
{
    for (size_t i = 0; i < store->options.table_count; i++) {
        if (store->options.tables[i].kind == STORE_TABLE_PERMANENT) {
            return true;
        }
    }
    return false;
}

enum status store_runs_open(struct store *store, struct refusal *refusal)
{
    atomic_init(&store->offered, NULL);
    atomic_init(&store->data_has_permanent, false);
    if (!has_permanent(store)) {
        return STATUS_OK;
    }
    struct refusal why = { 0 };
    enum status status = run_set_open(&store->runs, &store->file, &why);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "%s: %s", store->options.path, why.message);
    }
    status = dead_empty(store);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "cannot read the runs of %s: %s", store->options.path,
                           status_text(status));
    }
    store_runs_offer(store);
    return STATUS_OK;
}

void store_runs_data_look(struct store *store)
{
    MDB_cursor *cursor = store_file_cursor(store->reader, store->file.data);
    for (size_t i = 0; i < store->options.table_count; i++) {
        uint8_t table = store->options.tables[i].id;
        MDB_val key = store_value_of(span_of(&table, 1));
        MDB_val value = { 0 };
        bool is_there = store->is_permanent[table] &&
                        mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE) == MDB_SUCCESS &&
                        store_span_of(key).data[0] == table;
        if (is_there) {
            atomic_store(&store->data_has_permanent, true);
        }
    }
    mdb_cursor_close(cursor);
}

void store_runs_close(struct store *store)
{
    run_writer_close(&store->writer);
    run_list_release(&store->list);
    struct run_list *offered = atomic_exchange(&store->offered, NULL);
    run_list_release(&offered);
    run_set_close(&store->runs);
}

/* ---- the loop's part */

enum status store_runs_take(struct store *store)
{
    /* First the list: the snapshot that comes after it sees all that it names. */
    struct run_list *offered = atomic_exchange(&store->offered, NULL);
    mdb_txn_reset(store->reader);
    int code = mdb_txn_renew(store->reader);
    if (code != MDB_SUCCESS) {
        run_list_release(&offered);
        return store_status_from_lmdb(code);
    }
    code = mdb_cursor_renew(store->reader, store->cluster);
    assert(code == MDB_SUCCESS); /* it was one of this transaction */
    code = mdb_cursor_renew(store->reader, store->tree);
    assert(code == MDB_SUCCESS);
    if (offered != NULL) {
        assert(run_list_fits(offered, store->reader));
        run_list_release(&store->list);
        store->list = offered;
    }
    return STATUS_OK;
}

bool store_runs_get(const struct store *store, struct span key, uint64_t hash, struct span *value)
{
    enum status status = run_list_get(store->list, store->reader, hash, key, value);
    if (status == STATUS_CORRUPT) {
        store_corrupt_exit(store, key);
    }
    return status == STATUS_OK;
}

size_t store_runs_pages(const struct store *store, MDB_txn *txn)
{
    size_t pages = 0;
    if (store->runs != NULL) {
        enum status status = run_slots_pages(run_set_slots(store->runs), txn, &pages);
        assert(status == STATUS_OK);
    }
    return pages;
}

/* ---- the part of whoever writes the file */

void store_runs_offer(struct store *store)
{
    if (store->runs != NULL) {
        struct run_list *newest = run_list_share(run_set_list(store->runs));
        struct run_list *before = atomic_exchange(&store->offered, newest);
        run_list_release(&before);
    }
}

enum status store_runs_write_begin(struct store *store)
{
    assert(store->writer == NULL);
    uint64_t records = 0;
    for (size_t i = 0; i < store->options.table_count; i++) {
        uint8_t table = store->options.tables[i].id;
        if (store->is_permanent[table]) {
            records += memtable_table_count(store->frozen, table);
        }
    }
    if (records == 0) {
        return STATUS_OK;
    }
    enum status status = run_writer_open(&store->writer, store->runs, records);
    if (status != STATUS_LIMIT) {
        return status;
    }
    atomic_store(&store->data_has_permanent, true);
    return STATUS_OK;
}

bool store_runs_have_work(const struct store *store)
{
    return store->runs != NULL && run_set_has_work(store->runs) &&
           (run_set_has_dead(store->runs) || store_runs_merge_has_room(store));
}

enum status store_runs_work(struct store *store)
{
    MDB_txn *txn = NULL;
    enum status status = store_file_write_begin(&store->file, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    struct store_key broken = { 0 };
    status = run_set_work(store->runs, txn, WORK_PUTS, &broken);
    if (status == STATUS_CORRUPT) {
        store_corrupt_exit(store, store_key_span(&broken));
    }
    status = store_file_write_end(&txn, status);
    if (status == STATUS_OK) {
        store_runs_offer(store);
    }
    return status;
}
