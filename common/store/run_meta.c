/*
 * What the file says of its runs: the slots, the list, and the filters that are loaded.
 */
#include "common/base/hash.h"
#include "common/store/run_list.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LIST_FORMAT 1
#define ENTRY_BYTES 30
#define LIST_BYTES_MAX (4 + LIMIT_STATE_RUNS * ENTRY_BYTES)

static_assert(LIST_BYTES_MAX <= LIMIT_STATE_VALUE_BYTES, "the list fits one record");

static const struct span list_key = { (const uint8_t *)"runs", 4 };

/* ---- slots */

static enum status slots_open(MDB_txn *txn, unsigned flags, struct run_slots *slots)
{
    struct run_slots opened = { .count = LIMIT_STATE_RUNS };
    for (size_t i = 0; i < opened.count; i++) {
        char name[32] = "";
        (void)snprintf(name, sizeof name, "runs.%zu", i);
        int code = mdb_dbi_open(txn, name, flags, &opened.tables[i]);
        if (code != MDB_SUCCESS) {
            return store_status_from_lmdb(code);
        }
    }
    *slots = opened;
    return STATUS_OK;
}

enum status run_slots_open(const struct store_file *file, struct run_slots *slots)
{
    MDB_txn *txn = NULL;
    enum status status = store_file_write_begin(file, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    return store_file_write_end(&txn, slots_open(txn, MDB_CREATE, slots));
}

enum status run_slots_open_to_read(const struct store_file *file, struct run_slots *slots)
{
    MDB_txn *txn = NULL;
    enum status status = store_file_read_begin(file, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    struct run_slots opened = { 0 };
    status = slots_open(txn, 0, &opened);
    if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    }
    /* The end of a read transaction, but only a commit keeps the handles of the tables. */
    status = store_file_write_end(&txn, status);
    if (status == STATUS_OK) {
        *slots = opened;
    }
    return status;
}

enum status run_slots_pages(const struct run_slots *slots, MDB_txn *txn, size_t *pages)
{
    size_t sum = 0;
    for (size_t i = 0; i < slots->count; i++) {
        MDB_stat stat = { 0 };
        int code = mdb_stat(txn, slots->tables[i], &stat);
        if (code != MDB_SUCCESS) {
            return store_status_from_lmdb(code);
        }
        sum += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    }
    *pages = sum;
    return STATUS_OK;
}

/* ---- the list */

static void entry_encode(const struct run *run, uint8_t *out)
{
    out[0] = run->slot;
    out[1] = run->level;
    be64_put(out + 2, run->records);
    be64_put(out + 10, run->chain);
    be32_put(out + 18, run->filter.lines);
    be64_put(out + 22, run->filter_chain);
}

/* Its filter is empty, but has its size. */
static struct run *entry_decode(const struct run_slots *slots, const uint8_t *bytes)
{
    struct run *run = run_open(slots, bytes[0]);
    run->level = bytes[1];
    run->records = be64_get(bytes + 2);
    run->chain = be64_get(bytes + 10);
    run_filter_init(&run->filter, be32_get(bytes + 18));
    run->filter_chain = be64_get(bytes + 22);
    return run;
}

enum status run_list_put(const struct store_file *file, MDB_txn *txn, const struct run_list *list)
{
    uint8_t bytes[LIST_BYTES_MAX];
    be32_put(bytes, LIST_FORMAT);
    for (size_t i = 0; i < list->count; i++) {
        entry_encode(list->runs[i], bytes + 4 + i * ENTRY_BYTES);
    }
    uint8_t sealed[STORE_SEALED_BYTES_MAX];
    struct span value = span_of(bytes, 4 + list->count * ENTRY_BYTES);
    return store_file_put(txn, file->meta, list_key, store_record_seal(list_key, value, sealed), 0);
}

/* A good checksum over slots that there are not, or over one slot twice, is no list of ours. */
static bool entries_are_sound(const struct run_slots *slots, struct span entries)
{
    bool is_taken[LIMIT_STATE_RUNS] = { false };
    if (entries.size % ENTRY_BYTES != 0) {
        return false;
    }
    for (size_t at = 0; at < entries.size; at += ENTRY_BYTES) {
        const uint8_t *entry = entries.data + at;
        if (entry[0] >= slots->count || is_taken[entry[0]] || be32_get(entry + 18) == 0) {
            return false;
        }
        is_taken[entry[0]] = true;
    }
    return true;
}

/* STATUS_NOT_FOUND: there was never a run. */
static enum status entries_get(const struct store_file *file, const struct run_slots *slots,
                               MDB_txn *txn, struct span *entries, struct refusal *refusal)
{
    MDB_val key = store_value_of(list_key);
    MDB_val value = { 0 };
    int code = mdb_get(txn, file->meta, &key, &value);
    if (code == MDB_NOTFOUND) {
        return STATUS_NOT_FOUND;
    }
    struct span list = { 0 };
    if (code != MDB_SUCCESS || !store_record_open(list_key, store_span_of(value), &list) ||
        list.size < 4) {
        return refusal_set(refusal, STATUS_CORRUPT, "the list of runs is broken");
    }
    if (be32_get(list.data) > LIST_FORMAT) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "the list of runs has format %u, this program knows %u: "
                           "use the newer program",
                           be32_get(list.data), (unsigned)LIST_FORMAT);
    }
    struct span found = span_of(list.data + 4, list.size - 4);
    if (!entries_are_sound(slots, found)) {
        return refusal_set(refusal, STATUS_CORRUPT, "the list of runs is broken");
    }
    *entries = found;
    return STATUS_OK;
}

/* ---- filters */

static enum status piece_load(struct run_filter *filter, uint32_t number, struct span sealed,
                              struct run_digest *digest)
{
    uint8_t key[RUN_FILTER_PIECE_KEY_BYTES] = { RUN_FILTER_TABLE };
    be32_put(key + 1, number);
    struct span piece = { 0 };
    size_t first = (size_t)number * RUN_FILTER_PIECE_LINES;
    size_t left = filter->lines - first;
    size_t lines = left < RUN_FILTER_PIECE_LINES ? left : RUN_FILTER_PIECE_LINES;
    if (!store_record_open(span_of(key, sizeof key), sealed, &piece) ||
        piece.size != lines * RUN_FILTER_LINE_BYTES) {
        return STATUS_CORRUPT;
    }
    memcpy(filter->words + first * RUN_FILTER_LINE_WORDS, piece.data, piece.size);
    run_digest_add(digest, sealed);
    return STATUS_OK;
}

/* `number` is of the first piece that could not be loaded. */
static enum status pieces_load(struct run *run, MDB_cursor *cursor, uint32_t *number)
{
    uint8_t first[RUN_FILTER_PIECE_KEY_BYTES] = { RUN_FILTER_TABLE };
    uint32_t pieces = (run->filter.lines - 1) / RUN_FILTER_PIECE_LINES + 1;
    struct run_digest digest = { 0 };
    for (*number = 0; *number < pieces; (*number)++) {
        MDB_val key = store_value_of(span_of(first, sizeof first));
        MDB_val value = { 0 };
        if (mdb_cursor_get(cursor, &key, &value, *number == 0 ? MDB_SET : MDB_NEXT) !=
            MDB_SUCCESS) {
            return STATUS_CORRUPT;
        }
        enum status status = piece_load(&run->filter, *number, store_span_of(value), &digest);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return digest.chain == run->filter_chain ? STATUS_OK : STATUS_CORRUPT;
}

static enum status filter_load(struct run *run, MDB_txn *txn, struct refusal *refusal)
{
    MDB_cursor *cursor = store_file_cursor(txn, run->table);
    uint32_t number = 0;
    enum status status = pieces_load(run, cursor, &number);
    mdb_cursor_close(cursor);
    if (status != STATUS_OK) {
        (void)refusal_set(refusal, status, "the filter of runs.%u is broken at piece %u",
                          (unsigned)run->slot, number);
    }
    return status;
}

enum status run_list_load(const struct store_file *file, const struct run_slots *slots,
                          MDB_txn *txn, struct run_list **list, struct refusal *refusal)
{
    struct span entries = { 0 };
    enum status status = entries_get(file, slots, txn, &entries, refusal);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    struct run *runs[LIMIT_STATE_RUNS] = { NULL };
    size_t count = entries.size / ENTRY_BYTES;
    for (size_t i = 0; i < count; i++) {
        runs[i] = entry_decode(slots, entries.data + i * ENTRY_BYTES);
    }
    struct run_list *loaded = run_list_of(runs, count, mdb_txn_id(txn));
    status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = filter_load(runs[i], txn, refusal);
    }
    if (status != STATUS_OK) {
        run_list_release(&loaded);
        return status;
    }
    *list = loaded;
    return STATUS_OK;
}
