/*
 * A digest for each table: over size, key, size, value of each record in key order. It sees
 * what a table holds, not how it came there or in which layer it lies.
 */
#include "common/store/store_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct digest_pass {
    const struct store_options *options;
    struct store_digest *digests;
    const struct store_watch *watch; /* NULL: nobody looks on */
    struct hash_stream *streams;     /* one for each table: those of a cluster take turns */
};

static void pass_begin(struct digest_pass *pass)
{
    size_t count = pass->options->table_count;
    pass->streams =
        aligned_alloc(_Alignof(struct hash_stream), (count + 1) * sizeof *pass->streams);
    assert(pass->streams != NULL); /* as with memory_allocate, which aligns less */
    for (size_t i = 0; i < count; i++) {
        pass->digests[i] = (struct store_digest){ .table = pass->options->tables[i].name };
        hash_stream_init(&pass->streams[i]);
    }
}

static void pass_end(struct digest_pass *pass)
{
    for (size_t i = 0; i < pass->options->table_count; i++) {
        pass->digests[i].digest = hash_stream_end128(&pass->streams[i]);
    }
    free(pass->streams);
    pass->streams = NULL;
}

/* The table's place. table_count: the service has no such table. */
static size_t table_find(const struct store_options *options, uint8_t table)
{
    size_t i = 0;
    while (i < options->table_count && options->tables[i].id != table) {
        i += 1;
    }
    return i;
}

static void bytes_add(struct hash_stream *stream, struct span bytes)
{
    uint8_t size[4];
    be32_put(size, (uint32_t)bytes.size);
    hash_stream_add(stream, span_of(size, sizeof size));
    hash_stream_add(stream, bytes);
}

static bool record_add(struct digest_pass *pass, struct span key, struct span value)
{
    uint8_t table = store_key_table(key);
    size_t place = table_find(pass->options, table);
    if (place == pass->options->table_count) {
        return false;
    }
    struct store_key whole = store_key_whole(key);
    struct span part = store_key_part(store_key_span(&whole));
    bytes_add(&pass->streams[place], part);
    bytes_add(&pass->streams[place], value);
    if (pass->watch != NULL && pass->watch->table == table) {
        (void)pass->watch->visit(pass->watch->argument, part, value);
    }
    pass->digests[place].records++;
    return true;
}

/* STATUS_NOT_FOUND: all records were added. STATUS_REFUSED: `key` is of no known table. */
static enum status records_add(struct digest_pass *pass, struct layers *layers, struct span *key)
{
    for (;;) {
        struct span value = { 0 };
        enum status status = layers_next(layers, key, &value);
        if (status != STATUS_OK) {
            return status;
        }
        if (!record_add(pass, *key, value)) {
            return STATUS_REFUSED;
        }
    }
}

static enum status layers_digest(struct digest_pass *pass, struct layers *layers, struct span *key)
{
    pass_begin(pass);
    enum status status = records_add(pass, layers, key);
    pass_end(pass);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Before the first key of any table. */
static struct span lowest_key(void)
{
    static const uint8_t lowest[1] = { 0 };
    return span_of(lowest, sizeof lowest);
}

void store_digests(struct store *store, struct store_digest *digests)
{
    struct layers layers = { 0 };
    struct span key = { 0 };
    layers_add_memtable_whole(&layers, store->active, store->is_clustered);
    if (store->frozen != NULL) {
        layers_add_memtable_whole(&layers, store->frozen, store->is_clustered);
    }
    if (store->list != NULL) {
        layers_add_runs(&layers, store->list, store->reader, lowest_key());
    }
    struct layer_range all = { .from = lowest_key() };
    layers_add_table(&layers, LAYER_DATA, store->reader, store->file.data, &all);
    struct digest_pass pass = { .options = &store->options, .digests = digests };
    enum status status = layers_digest(&pass, &layers, &key);
    if (status != STATUS_OK) {
        store_corrupt_exit(store, key);
    }
    layers_release(&layers);
}

/* ---- of a file */

/* One snapshot of a file that is open for reading. */
struct snapshot {
    struct store_file file;
    MDB_txn *txn;
    struct run_list *runs;
    bool has_closed_run;
    struct journal_position position;
};

static enum status snapshot_look(struct snapshot *snapshot, const struct store_options *options,
                                 struct refusal *refusal)
{
    struct store_closed closed = { 0 };
    enum status status = store_closed_get(&snapshot->file, snapshot->txn, &closed);
    if (status == STATUS_OK) {
        snapshot->has_closed_run = true;
        snapshot->position = closed.position;
        return store_run_check(&snapshot->file, snapshot->txn, &closed, options, refusal);
    }
    if (status == STATUS_NOT_FOUND) {
        status = store_position_get(&snapshot->file, snapshot->txn, &snapshot->position);
    }
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "%s: the record of its checkpoint is broken",
                           options->path);
    }
    return STATUS_OK;
}

static enum status snapshot_open(struct snapshot *snapshot, const struct store_options *options,
                                 struct refusal *refusal)
{
    enum status status = store_file_open_to_read(&snapshot->file, options, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct run_slots slots = { 0 };
    status = run_slots_open_to_read(&snapshot->file, &slots);
    if (status == STATUS_OK) {
        status = store_file_read_begin(&snapshot->file, &snapshot->txn);
    }
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "cannot read %s: %s", options->path,
                           status_text(status));
    }
    struct refusal why = { 0 };
    status = run_list_load(&snapshot->file, &slots, snapshot->txn, &snapshot->runs, &why);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "%s: %s", options->path, why.message);
    }
    return snapshot_look(snapshot, options, refusal);
}

static void snapshot_close(struct snapshot *snapshot)
{
    run_list_release(&snapshot->runs);
    if (snapshot->txn != NULL) {
        mdb_txn_abort(snapshot->txn);
    }
    store_file_close(&snapshot->file);
}

static enum status snapshot_digest(const struct snapshot *snapshot, struct digest_pass *pass,
                                   struct refusal *refusal)
{
    const struct store_options *options = pass->options;
    struct layers layers = { 0 };
    struct layer_range all = { .from = lowest_key() };
    if (snapshot->has_closed_run) {
        layers_add_table(&layers, LAYER_RUN, snapshot->txn, snapshot->file.run, &all);
    }
    layers_add_runs(&layers, snapshot->runs, snapshot->txn, lowest_key());
    layers_add_table(&layers, LAYER_DATA, snapshot->txn, snapshot->file.data, &all);
    struct span key = { 0 };
    enum status status = layers_digest(pass, &layers, &key);
    if (status == STATUS_REFUSED) {
        status = refusal_set(refusal, STATUS_CORRUPT, "%s has records of table %u, which %s lacks",
                             options->path, store_key_table(key), options->service);
    } else if (status != STATUS_OK) {
        char text[STORE_RECORD_TEXT_BYTES] = "";
        store_record_describe(options, key, text);
        status = refusal_set(refusal, status, "%s", text);
    }
    layers_release(&layers);
    return status;
}

enum status store_digests_of_file(const struct store_options *options,
                                  const struct store_watch *watch, struct store_digest *digests,
                                  struct journal_position *position, struct refusal *refusal)
{
    size_t size = options->table_count * sizeof *digests;
    struct store_digest *found = memory_allocate(size + 1); /* there may be no table */
    struct snapshot snapshot = { 0 };
    enum status status = snapshot_open(&snapshot, options, refusal);
    if (status == STATUS_OK) {
        struct digest_pass pass = { .options = options, .digests = found, .watch = watch };
        status = snapshot_digest(&snapshot, &pass, refusal);
    }
    if (status == STATUS_OK) {
        memcpy(digests, found, size);
        *position = snapshot.position;
    }
    snapshot_close(&snapshot);
    free(found);
    return status;
}
