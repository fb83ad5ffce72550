#include "common/store/run_set.h"

#include "common/base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* So many records later the line of the filter that a key belongs to has come. */
#define FILTER_AHEAD 16

struct run_writer {
    struct run_set *set;
    struct run *run;
    uint64_t records_most;
    uint64_t puts;
    struct run_digest blocks;
    struct run_digest pieces;
    uint32_t pieces_put;
    bool is_finished;
    uint64_t hashes[FILTER_AHEAD]; /* of the newest keys, to go into the filter */
    struct store_key last;
    struct run_block block;
};

/* What is merged, and how far. */
struct run_merge {
    struct run_writer *writer;          /* NULL: nothing is */
    struct run *inputs[RUN_MERGE_MOST]; /* newest first; the list holds them */
    struct run_digest digests[RUN_MERGE_MOST];
    size_t count;
    bool is_read;          /* whole; only the filter is missing */
    struct store_key from; /* the first key that was not merged */
};

struct run_set {
    const struct store_file *file;
    struct run_slots slots;
    bool is_taken[LIMIT_STATE_RUNS];    /* by a run of the list, one being written, or a dead one */
    struct run *dead[LIMIT_STATE_RUNS]; /* to be emptied */
    size_t dead_count;
    struct run_list *list;
    struct run_merge merge;
};

/* ---- slots */

/* The last one is for merges, which are what frees slots. */
static bool slot_find(const struct run_set *set, size_t spare, uint8_t *slot)
{
    size_t free_count = 0;
    for (size_t i = 0; i < LIMIT_STATE_RUNS; i++) {
        if (!set->is_taken[i]) {
            *slot = (uint8_t)i;
            free_count++;
        }
    }
    return free_count > spare;
}

/* Takes over the caller's hold. */
static void run_bury(struct run_set *set, struct run *run)
{
    assert(set->dead_count < LIMIT_STATE_RUNS);
    set->dead[set->dead_count++] = run;
}

/* LIMIT_STATE_RUNS: none of the dead can be emptied yet. */
static size_t dead_find(const struct run_set *set)
{
    for (size_t i = 0; i < set->dead_count; i++) {
        if (run_is_alone(set->dead[i])) {
            return i;
        }
    }
    return LIMIT_STATE_RUNS;
}

/* Dropped whole, however long it is: that changes none of its pages, it only puts them on
 * the free list. */
static enum status dead_empty(struct run_set *set, MDB_txn *txn, size_t place)
{
    struct run *run = set->dead[place];
    enum status status = store_status_from_lmdb(mdb_drop(txn, run->table, 0));
    if (status == STATUS_OK) {
        set->is_taken[run->slot] = false;
        set->dead[place] = set->dead[--set->dead_count];
        run_release(&run);
    }
    return status;
}

/* ---- writing */

static enum status writer_open(struct run_writer **writer, struct run_set *set,
                               uint64_t records_most, size_t spare)
{
    uint8_t slot = 0;
    if (!slot_find(set, spare, &slot)) {
        return STATUS_LIMIT;
    }
    struct run_writer *opened = memory_allocate(sizeof *opened);
    opened->set = set;
    opened->records_most = records_most;
    opened->run = run_open(&set->slots, slot);
    run_filter_init(&opened->run->filter, run_filter_lines(records_most));
    set->is_taken[slot] = true;
    *writer = opened;
    return STATUS_OK;
}

enum status run_writer_open(struct run_writer **writer, struct run_set *set, uint64_t records_most)
{
    return writer_open(writer, set, records_most, set->merge.writer == NULL ? 1 : 0);
}

void run_writer_close(struct run_writer **writer)
{
    struct run_writer *closed = *writer;
    *writer = NULL;
    if (closed == NULL) {
        return;
    }
    if (closed->run != NULL) {
        run_bury(closed->set, closed->run);
    }
    free(closed);
}

static enum status writer_put(struct run_writer *writer, MDB_txn *txn, struct span key,
                              struct span sealed)
{
    writer->puts++;
    return store_file_put(txn, writer->run->table, key, sealed, MDB_APPEND);
}

static enum status block_put(struct run_writer *writer, MDB_txn *txn)
{
    struct store_key key = { 0 };
    struct span sealed = { 0 };
    run_block_seal(&writer->block, &key, &sealed);
    enum status status = writer_put(writer, txn, store_key_span(&key), sealed);
    if (status == STATUS_OK) {
        run_digest_add(&writer->blocks, sealed);
        run_block_clear(&writer->block);
    }
    return status;
}

/* The key's line of the filter is anywhere in memory: fetched now, written to later. */
static void hash_add(struct run_writer *writer, uint64_t hash)
{
    uint64_t *place = &writer->hashes[writer->run->records % FILTER_AHEAD];
    if (writer->run->records >= FILTER_AHEAD) {
        run_filter_add(&writer->run->filter, *place);
    }
    run_filter_prefetch(&writer->run->filter, hash);
    *place = hash;
}

static void hashes_finish(struct run_writer *writer)
{
    for (uint64_t i = 0; i < FILTER_AHEAD && i < writer->run->records; i++) {
        run_filter_add(&writer->run->filter, writer->hashes[i]);
    }
}

enum status run_writer_add(struct run_writer *writer, MDB_txn *txn, struct span key,
                           struct span value)
{
    assert(writer->pieces_put == 0 && !writer->is_finished);
    assert(writer->run->records < writer->records_most);
    assert(key.size > 0 && key.size < STORE_KEY_BYTES_MAX && key.data[0] < RUN_FILTER_TABLE);
    assert(span_compare(store_key_span(&writer->last), key) < 0);
    if (!run_block_add(&writer->block, key, value)) {
        enum status status = block_put(writer, txn);
        if (status != STATUS_OK) {
            return status;
        }
        bool is_added = run_block_add(&writer->block, key, value);
        assert(is_added);
    }
    hash_add(writer, store_key_hash(key));
    writer->run->records++;
    writer->last.size = key.size;
    memcpy(writer->last.bytes, key.data, key.size);
    return STATUS_OK;
}

uint64_t run_writer_puts(const struct run_writer *writer)
{
    return writer->puts;
}

static enum status piece_put(struct run_writer *writer, MDB_txn *txn)
{
    const struct run_filter *filter = &writer->run->filter;
    size_t first = (size_t)writer->pieces_put * RUN_FILTER_PIECE_LINES;
    size_t left = filter->lines - first;
    size_t lines = left < RUN_FILTER_PIECE_LINES ? left : RUN_FILTER_PIECE_LINES;
    uint8_t key[RUN_FILTER_PIECE_KEY_BYTES] = { RUN_FILTER_TABLE };
    be32_put(key + 1, writer->pieces_put);
    struct span piece =
        span_of(filter->words + first * RUN_FILTER_LINE_WORDS, lines * RUN_FILTER_LINE_BYTES);
    uint8_t bytes[RUN_FILTER_PIECE_LINES * RUN_FILTER_LINE_BYTES + STORE_CHECKSUM_BYTES];
    memcpy(bytes, piece.data, piece.size);
    be64_put(bytes + piece.size, checksum_of(span_of(key, sizeof key), piece));
    struct span sealed = span_of(bytes, piece.size + STORE_CHECKSUM_BYTES);
    enum status status = writer_put(writer, txn, span_of(key, sizeof key), sealed);
    if (status == STATUS_OK) {
        run_digest_add(&writer->pieces, sealed);
        writer->pieces_put++;
    }
    return status;
}

enum status run_writer_finish(struct run_writer *writer, MDB_txn *txn, size_t puts,
                              bool *is_finished)
{
    if (writer->block.size > 0) {
        enum status status = block_put(writer, txn);
        if (status != STATUS_OK) {
            return status;
        }
    }
    hashes_finish(writer); /* doing it again does no harm */
    uint32_t pieces = (writer->run->filter.lines - 1) / RUN_FILTER_PIECE_LINES + 1;
    for (size_t i = 0; i < puts && writer->pieces_put < pieces; i++) {
        enum status status = piece_put(writer, txn);
        if (status != STATUS_OK) {
            return status;
        }
    }
    writer->is_finished = writer->pieces_put == pieces;
    *is_finished = writer->is_finished;
    return STATUS_OK;
}

/* ---- publishing */

/* The list without `gone`, which lie side by side, and with `run` in their place: that is
 * where its records' age puts it. */
static enum status list_replace(struct run_set *set, MDB_txn *txn, size_t place, size_t gone,
                                struct run_writer *writer)
{
    struct run *runs[LIMIT_STATE_RUNS] = { NULL };
    const struct run_list *before = set->list;
    size_t count = 0;
    for (size_t i = 0; i < place; i++) {
        runs[count++] = run_share(before->runs[i]);
    }
    writer->run->chain = writer->blocks.chain;
    writer->run->filter_chain = writer->pieces.chain;
    runs[count++] = writer->run;
    writer->run = NULL;
    for (size_t i = place + gone; i < before->count; i++) {
        runs[count++] = run_share(before->runs[i]);
    }
    struct run_list *after = run_list_of(runs, count, mdb_txn_id(txn));
    enum status status = run_list_put(set->file, txn, after);
    if (status != STATUS_OK) {
        run_list_release(&after);
        return status;
    }
    for (size_t i = place; i < place + gone; i++) {
        run_bury(set, run_share(before->runs[i]));
    }
    run_list_release(&set->list);
    set->list = after;
    return STATUS_OK;
}

enum status run_set_publish(struct run_set *set, MDB_txn *txn, struct run_writer **writer)
{
    assert((*writer)->set == set && (*writer)->is_finished);
    if ((*writer)->run->records > 0) {
        enum status status = list_replace(set, txn, 0, 0, *writer);
        if (status != STATUS_OK) {
            return status;
        }
    }
    run_writer_close(writer);
    return STATUS_OK;
}

/* ---- merging */

/* The runs of the lowest level that has enough of them. Levels never fall from the newest to
 * the oldest, so those of one lie side by side; the oldest of them go first, so that it stays
 * so. 0: no level has. */
static size_t inputs_find(const struct run_list *list, size_t *place)
{
    size_t first = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->runs[i]->level != list->runs[first]->level) {
            first = i;
        }
        bool is_last = i + 1 == list->count || list->runs[i + 1]->level != list->runs[i]->level;
        size_t count = i + 1 - first;
        if (is_last && count >= RUN_MERGE_FROM) {
            size_t taken = count < RUN_MERGE_MOST ? count : RUN_MERGE_MOST;
            *place = i + 1 - taken;
            return taken;
        }
    }
    return 0;
}

static enum status merge_begin(struct run_set *set)
{
    size_t place = 0;
    struct run_merge merge = { .count = inputs_find(set->list, &place) };
    assert(merge.count > 0);
    uint64_t records = 0;
    for (size_t i = 0; i < merge.count; i++) {
        merge.inputs[i] = set->list->runs[place + i];
        records += merge.inputs[i]->records;
    }
    merge.from = (struct store_key){ .size = 1 };
    enum status status = writer_open(&merge.writer, set, records, 0);
    if (status == STATUS_OK) {
        merge.writer->run->level = (uint8_t)(merge.inputs[0]->level + 1);
        set->merge = merge;
    }
    return status;
}

static enum status records_merge(struct run_merge *merge, struct run_cursor *cursor, MDB_txn *txn,
                                 size_t puts, struct span *key)
{
    struct run_writer *writer = merge->writer;
    uint64_t puts_most = writer->puts + puts;
    while (writer->puts < puts_most) {
        struct span value = { 0 };
        enum status status = run_cursor_next(cursor, key, &value);
        if (status == STATUS_OK) {
            status = run_writer_add(writer, txn, *key, value);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* What was read whole must be what was written: a merge must not make good what is broken. */
static enum status inputs_check(const struct run_merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        if (merge->digests[i].chain != merge->inputs[i]->chain) {
            return STATUS_CORRUPT;
        }
    }
    return STATUS_OK;
}

static enum status piece_merge(struct run_merge *merge, MDB_txn *txn, size_t puts,
                               struct store_key *broken)
{
    struct run_cursor cursor = { 0 };
    struct span key = { 0 };
    run_cursor_open(&cursor, merge->inputs, merge->count, txn, store_key_span(&merge->from));
    for (size_t i = 0; i < merge->count; i++) {
        cursor.heads[i].digest = merge->digests[i];
    }
    enum status status = records_merge(merge, &cursor, txn, puts, &key);
    for (size_t i = 0; i < merge->count; i++) {
        merge->digests[i] = cursor.heads[i].digest;
    }
    run_cursor_release(&cursor);
    if (status == STATUS_NOT_FOUND) {
        merge->is_read = true;
        status = inputs_check(merge);
        key = store_key_span(&merge->writer->last);
    }
    if (status == STATUS_CORRUPT) {
        *broken = store_key_copy(key);
    }
    /* Just after the last one: its bytes and a zero. */
    merge->from = merge->writer->last;
    merge->from.bytes[merge->from.size++] = 0;
    return status;
}

static enum status merge_finish(struct run_set *set, MDB_txn *txn, size_t puts)
{
    struct run_merge *merge = &set->merge;
    bool is_finished = false;
    enum status status = run_writer_finish(merge->writer, txn, puts, &is_finished);
    if (status != STATUS_OK || !is_finished) {
        return status;
    }
    size_t place = 0;
    while (set->list->runs[place] != merge->inputs[0]) {
        place++;
    }
    status = list_replace(set, txn, place, merge->count, merge->writer);
    if (status == STATUS_OK) {
        run_writer_close(&merge->writer);
    }
    return status;
}

bool run_set_has_dead(const struct run_set *set)
{
    return dead_find(set) < LIMIT_STATE_RUNS;
}

bool run_set_has_work(const struct run_set *set)
{
    size_t place = 0;
    uint8_t slot = 0;
    return set->merge.writer != NULL || dead_find(set) < LIMIT_STATE_RUNS ||
           (inputs_find(set->list, &place) > 0 && slot_find(set, 0, &slot));
}

enum status run_set_merge_pages(const struct run_set *set, MDB_txn *txn, size_t *pages)
{
    size_t place = 0;
    struct run_slots inputs = { 0 };
    if (set->merge.writer == NULL) {
        inputs.count = inputs_find(set->list, &place);
    }
    for (size_t i = 0; i < inputs.count; i++) {
        inputs.tables[i] = set->list->runs[place + i]->table;
    }
    return run_slots_pages(&inputs, txn, pages);
}

enum status run_set_work(struct run_set *set, MDB_txn *txn, size_t puts, struct store_key *broken)
{
    assert(puts > 0 && run_set_has_work(set));
    size_t dead = dead_find(set);
    if (dead < LIMIT_STATE_RUNS) {
        return dead_empty(set, txn, dead);
    }
    if (set->merge.writer == NULL) {
        enum status status = merge_begin(set);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (!set->merge.is_read) {
        return piece_merge(&set->merge, txn, puts, broken);
    }
    return merge_finish(set, txn, puts);
}

/* ---- opening */

/* Slots that hold something and that no run of the list has: what a crash left. */
static enum status dead_collect(struct run_set *set, MDB_txn *txn)
{
    for (size_t i = 0; i < set->list->count; i++) {
        set->is_taken[set->list->runs[i]->slot] = true;
    }
    for (size_t i = 0; i < LIMIT_STATE_RUNS; i++) {
        uint64_t records = 0;
        enum status status = store_file_count(txn, set->slots.tables[i], &records);
        if (status != STATUS_OK) {
            return status;
        }
        if (!set->is_taken[i] && records > 0) {
            set->is_taken[i] = true;
            run_bury(set, run_open(&set->slots, (uint8_t)i));
        }
    }
    return STATUS_OK;
}

static enum status set_load(struct run_set *set, struct refusal *refusal)
{
    MDB_txn *txn = NULL;
    enum status status = store_file_read_begin(set->file, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    status = run_list_load(set->file, &set->slots, txn, &set->list, refusal);
    if (status == STATUS_OK) {
        status = dead_collect(set, txn);
    }
    mdb_txn_abort(txn);
    return status;
}

enum status run_set_open(struct run_set **set, const struct store_file *file,
                         struct refusal *refusal)
{
    struct run_set *opened = memory_allocate(sizeof *opened);
    opened->file = file;
    enum status status = run_slots_open(file, &opened->slots);
    if (status != STATUS_OK) {
        (void)refusal_set(refusal, status, "the runs cannot be opened: %s", status_text(status));
        free(opened);
        return status;
    }
    status = set_load(opened, refusal);
    if (status != STATUS_OK) {
        run_set_close(&opened);
        return status;
    }
    *set = opened;
    return STATUS_OK;
}

void run_set_close(struct run_set **set)
{
    struct run_set *closed = *set;
    *set = NULL;
    if (closed == NULL) {
        return;
    }
    run_writer_close(&closed->merge.writer);
    run_list_release(&closed->list);
    for (size_t i = 0; i < closed->dead_count; i++) {
        run_release(&closed->dead[i]);
    }
    free(closed);
}

const struct run_slots *run_set_slots(const struct run_set *set)
{
    return &set->slots;
}

struct run_list *run_set_list(const struct run_set *set)
{
    return set->list;
}
