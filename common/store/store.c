#include "common/store/store.h"

#include "common/store/store_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* LMDB's own list of tables: its pages are in use too, as are those of the list of free ones. */
#define LMDB_TABLE_NAMES 1
#define LMDB_META_PAGES 2

void store_corrupt_exit(const struct store *store, struct span key)
{
    char text[STORE_RECORD_TEXT_BYTES] = "";
    store_record_describe(&store->options, key, text);
    (void)fprintf(stderr, "%s: %s\n", store->options.path, text);
    /* No exit handlers: they would run over a state that is known to be wrong. */
    _exit(STORE_CORRUPT_EXIT_CODE);
}

/* ---- reading */

static struct store_key key_check(const struct store *store, uint8_t table, struct span key)
{
    assert(store->table_known[table]);
    assert(key.size <= LIMIT_STATE_KEY_BYTES);
    assert(!store->is_clustered[table] || key.size >= LIMIT_STATE_SUBJECT_BYTES);
    return store_key_of(table, key);
}

static const struct memtable_entry *memory_find(const struct store *store, struct span key,
                                                uint64_t hash)
{
    if (store->frozen == NULL) {
        return memtable_find(store->active, key, hash);
    }
    memtable_expect(store->frozen, hash); /* most keys are in neither */
    const struct memtable_entry *entry = memtable_find(store->active, key, hash);
    return entry != NULL ? entry : memtable_find(store->frozen, key, hash);
}

static void neighbour_check(const struct store *store, int code, MDB_val key, MDB_val sealed)
{
    struct span value = { 0 };
    struct span found = code == MDB_SUCCESS ? store_span_of(key) : span_of(NULL, 0);
    if (code != MDB_NOTFOUND &&
        (code != MDB_SUCCESS || !store_record_open(found, store_span_of(sealed), &value))) {
        store_corrupt_exit(store, found);
    }
}

/* A record of the tree. Where it seems to be absent, those on both sides of its place must be
 * whole: one whose key has rotted stands there, and its checksum is over the key, too. */
static bool file_get(const struct store *store, MDB_cursor *cursor, struct span key,
                     struct span *value)
{
    MDB_val found = store_value_of(key);
    MDB_val sealed = { 0 };
    int code = mdb_cursor_get(cursor, &found, &sealed, MDB_SET_RANGE);
    neighbour_check(store, code, found, sealed);
    if (code == MDB_SUCCESS && span_equal(store_span_of(found), key)) {
        *value = span_of(sealed.mv_data, sealed.mv_size - STORE_CHECKSUM_BYTES);
        return true;
    }
    code = mdb_cursor_get(cursor, &found, &sealed, code == MDB_SUCCESS ? MDB_PREV : MDB_LAST);
    neighbour_check(store, code, found, sealed);
    return false;
}

static bool store_get(void *context, uint8_t table, struct span key, struct span *value)
{
    const struct store *store = context;
    struct store_key whole = key_check(store, table, key);
    struct span stored = store_key_span(&whole);
    uint64_t hash = store_key_hash(stored);
    if (store->is_permanent[table]) {
        run_list_prefetch(store->list, hash); /* most keys are new */
    }
    const struct memtable_entry *entry = memory_find(store, stored, hash);
    if (entry == NULL) {
        if (store->is_clustered[table]) {
            struct store_key filed = store_key_cluster(stored);
            return file_get(store, store->cluster, store_key_span(&filed), value);
        }
        if (!store->is_permanent[table]) {
            return file_get(store, store->tree, stored, value);
        }
        return store_runs_get(store, stored, hash, value) ||
               (atomic_load_explicit(&store->data_has_permanent, memory_order_relaxed) &&
                file_get(store, store->tree, stored, value));
    }
    if (memtable_entry_is_tombstone(entry)) {
        return false;
    }
    *value = memtable_entry_value(entry);
    return true;
}

struct view store_view(struct store *store)
{
    return (struct view){ .context = store, .get = store_get, .scan = store_scan };
}

/* ---- changing */

static void store_put(void *context, uint8_t table, struct span key, struct span value)
{
    struct store *store = context;
    assert(store->scans == 0); /* a scan stands on entries that a put may write over */
    assert(value.size <= LIMIT_STATE_VALUE_BYTES);
    struct store_key whole = key_check(store, table, key);
    memtable_put(store->active, store_key_span(&whole), value);
    store->touched++;
}

static void store_delete(void *context, uint8_t table, struct span key)
{
    struct store *store = context;
    assert(store->scans == 0);
    assert(!store->is_permanent[table]);
    struct store_key whole = key_check(store, table, key);
    memtable_delete(store->active, store_key_span(&whole));
    store->touched++;
}

struct change store_change(struct store *store)
{
    return (struct change){
        .view = store_view(store),
        .context = store,
        .put = store_put,
        .delete = store_delete,
    };
}

uint64_t store_touched(const struct store *store)
{
    return store->touched;
}

/* ---- opening */

static char *text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memory_allocate(size);
    memcpy(copy, text, size);
    return copy;
}

static struct store *store_allocate(const struct store_options *options)
{
    struct store *store = memory_allocate(sizeof *store);
    struct store_table *tables = memory_allocate((options->table_count + 1) * sizeof *tables);
    for (size_t i = 0; i < options->table_count; i++) {
        uint8_t id = options->tables[i].id;
        assert(id >= 1 && id <= 254 && !store->table_known[id]);
        store->table_known[id] = true;
        store->is_permanent[id] = options->tables[i].kind == STORE_TABLE_PERMANENT;
        store->is_clustered[id] = options->tables[i].kind == STORE_TABLE_CLUSTERED;
        tables[i] = options->tables[i];
    }
    store->options = *options;
    store->options.tables = tables;
    store->options.path = text_copy(options->path);
    if (options->checkpoint_records == 0) {
        store->options.checkpoint_records = LIMIT_CHECKPOINT_RECORDS;
    }
    assert(store->options.checkpoint_records <= LIMIT_CHECKPOINT_RECORDS);
    memtable_open(&store->active, 0);
    return store;
}

static enum status store_load(struct store *store, struct refusal *refusal)
{
    enum status status = store_file_open(&store->file, &store->options, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_runs_open(store, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_checkpoint_recover(store, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_file_read_begin(&store->file, &store->reader);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "cannot read %s: %s", store->options.path,
                           status_text(status));
    }
    store->cluster = store_file_cursor(store->reader, store->file.data);
    store->tree = store_file_cursor(store->reader, store->file.data);
    status = store_runs_take(store);
    if (status != STATUS_OK) {
        return status;
    }
    store_runs_data_look(store);
    if (store->checkpoint_runs) {
        store->position = store->checkpoint.position;
        return STATUS_OK;
    }
    status = store_position_get(&store->file, store->reader, &store->position);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "%s: the record of its checkpoint is broken",
                           store->options.path);
    }
    return STATUS_OK;
}

enum status store_open(struct store **store, const struct store_options *options,
                       struct refusal *refusal)
{
    assert(*store == NULL);
    struct store *opened = store_allocate(options);
    enum status status = store_load(opened, refusal);
    if (status != STATUS_OK) {
        store_close(&opened);
        return status;
    }
    if (options->has_flush_thread) {
        store_flush_open(opened);
        if (opened->checkpoint_runs) {
            store_flush_begin(opened);
        }
    }
    *store = opened;
    return STATUS_OK;
}

/* What was allocated here, but is seen by others as constant. */
static void constant_free(const void *memory)
{
    union {
        const void *given;
        void *taken;
    } pointer = { .given = memory };
    free(pointer.taken);
}

void store_close(struct store **store)
{
    struct store *closed = *store;
    if (closed == NULL) {
        return;
    }
    assert(closed->scans == 0);
    store_flush_close(closed);
    free(closed->sorted);
    store_runs_close(closed);
    if (closed->cluster != NULL) {
        mdb_cursor_close(closed->cluster);
    }
    if (closed->tree != NULL) {
        mdb_cursor_close(closed->tree);
    }
    if (closed->reader != NULL) {
        mdb_txn_abort(closed->reader);
    }
    store_file_close(&closed->file);
    memtable_close(&closed->active);
    memtable_close(&closed->frozen);
    constant_free(closed->options.path);
    constant_free(closed->options.tables);
    free(closed);
    *store = NULL;
}

/* ---- between turns */

struct journal_position store_checkpoint(const struct store *store)
{
    return store->position;
}

enum status store_turn_end(struct store *store)
{
    assert(store->scans == 0);
    /* The snapshot first: what the frozen memtable has must be in it before that goes. */
    enum status status = store_runs_take(store);
    if (status == STATUS_OK && store->flush != NULL) {
        status = store_flush_status(store);
    }
    if (status == STATUS_OK && !store->checkpoint_runs) {
        memtable_close(&store->frozen);
    }
    return status;
}

size_t store_memory_bytes(const struct store *store)
{
    size_t frozen = store->frozen == NULL ? 0 : memtable_bytes(store->frozen);
    return memtable_bytes(store->active) + frozen;
}

bool store_memory_is_full(const struct store *store)
{
    return store_memory_bytes(store) >= store->options.memtable_bytes_max;
}

bool store_wants_checkpoint(const struct store *store)
{
    return memtable_count(store->active) > 0 &&
           memtable_bytes(store->active) >= store->options.memtable_bytes_max / 4;
}

void store_readers_check(struct store *store)
{
    int dead = 0;
    /* A failure leaves dead readers where they are; the next call looks again. */
    (void)mdb_reader_check(store->file.env, &dead);
}

size_t store_pages(const struct store *store, MDB_txn *txn, size_t *page_bytes)
{
    const MDB_dbi tables[] = { LMDB_TABLE_FREE, LMDB_TABLE_NAMES, store->file.data, store->file.run,
                               store->file.meta };
    size_t pages = LMDB_META_PAGES;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        MDB_stat stat = { 0 };
        int code = mdb_stat(txn, tables[i], &stat);
        assert(code == MDB_SUCCESS);
        pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
        *page_bytes = stat.ms_psize;
    }
    return pages + store_runs_pages(store, txn) + store_pinned_pages(store, txn);
}

void store_space(const struct store *store, size_t *used_bytes, size_t *map_bytes)
{
    size_t page_bytes = 0;
    size_t pages = store_pages(store, store->reader, &page_bytes);
    MDB_envinfo info = { 0 };
    int code = mdb_env_info(store->file.env, &info);
    assert(code == MDB_SUCCESS);
    *used_bytes = pages * page_bytes;
    *map_bytes = info.me_mapsize;
}
