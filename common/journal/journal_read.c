#include "common/journal/journal.h"
#include "common/journal/journal_file.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* LMDB reuses no page that a read transaction may still see, so none lives long: it is
 * renewed after so many blocks or bytes. */
#define SNAPSHOT_BLOCKS_MAX 64
#define SNAPSHOT_BYTES_MAX ((size_t)8 * 1024 * 1024)
/* A block's facts unpack to less than this many times its bytes. */
#define VERIFY_ARENA_BYTES ((size_t)64 * 1024 * 1024)

/* ---- snapshots */

enum status snapshot_open(struct journal *journal, struct snapshot *snapshot)
{
    MDB_txn *txn = NULL;
    int result = mdb_txn_begin(journal->environment, NULL, MDB_RDONLY, &txn);
    if (result != MDB_SUCCESS) {
        return journal_status_of(result);
    }
    MDB_cursor *cursor = NULL;
    result = mdb_cursor_open(txn, journal->blocks, &cursor);
    if (result != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return journal_status_of(result);
    }
    *snapshot = (struct snapshot){ .txn = txn, .cursor = cursor, .commit = journal->meta_commit };
    return STATUS_OK;
}

void snapshot_close(struct snapshot *snapshot)
{
    if (snapshot->txn == NULL) {
        return;
    }
    mdb_cursor_close(snapshot->cursor);
    mdb_txn_abort(snapshot->txn);
    *snapshot = (struct snapshot){ 0 };
}

/* Lets go of the state it saw and takes the newest. The cursor stands nowhere. */
static enum status snapshot_renew(struct snapshot *snapshot)
{
    mdb_txn_reset(snapshot->txn);
    int result = mdb_txn_renew(snapshot->txn);
    if (result == MDB_SUCCESS) {
        result = mdb_cursor_renew(snapshot->txn, snapshot->cursor);
    }
    return journal_status_of(result);
}

enum status snapshot_move(struct snapshot *snapshot, MDB_cursor_op operation,
                          const struct block_key *key, struct block *block, const char **fault)
{
    MDB_val key_value = { 0 };
    MDB_val value = { 0 };
    if (key != NULL) {
        snapshot->at = *key;
        key_value = (MDB_val){ .mv_data = snapshot->at.bytes, .mv_size = sizeof key->bytes };
    }
    int result = mdb_cursor_get(snapshot->cursor, &key_value, &value, operation);
    if (result != MDB_SUCCESS) {
        *fault = mdb_strerror(result);
        return journal_status_of(result);
    }
    if (key_value.mv_size != sizeof snapshot->at.bytes) {
        *fault = "its key is damaged";
        return STATUS_CORRUPT;
    }
    memmove(snapshot->at.bytes, key_value.mv_data, sizeof snapshot->at.bytes);
    uint64_t commit = 0;
    enum status status = stored_block_decode(snapshot->at, value, block, &commit, fault);
    if (commit > snapshot->commit) {
        snapshot->commit = commit;
    }
    return status;
}

enum status snapshot_before(struct snapshot *snapshot, const struct block *block,
                            struct journal_position *before, const char **fault)
{
    const struct block_header *header = &block->header;
    struct block neighbour = { 0 };
    struct journal_position found = { 0 };
    enum status status = snapshot_move(snapshot, MDB_PREV, NULL, &neighbour, fault);
    if (status == STATUS_OK) {
        found = block_position(&neighbour);
    } else if (status != STATUS_NOT_FOUND) {
        return status;
    }
    if (found.block + 1 != header->number || found.seq + 1 != header->first_seq) {
        *fault = "the block before it is missing";
        return STATUS_CORRUPT;
    }
    *before = found;
    return STATUS_OK;
}

enum status snapshot_fault(const struct snapshot *snapshot, struct refusal *refusal,
                           const char *fault)
{
    return refusal_set(refusal, STATUS_CORRUPT, "block %" PRIu64 " at seq %" PRIu64 ": %s",
                       be64_get(snapshot->at.bytes + 8), be64_get(snapshot->at.bytes), fault);
}

bool snapshot_ends_with(const struct snapshot *snapshot, uint64_t number)
{
    MDB_stat stat = { 0 };
    int result = mdb_stat(snapshot->txn, mdb_cursor_dbi(snapshot->cursor), &stat);
    assert(result == MDB_SUCCESS);
    return stat.ms_entries == number && mdb_txn_id(snapshot->txn) == snapshot->commit;
}

/* The newest block whose key is less than `key`. `is_last`: none has a key from `key` on. */
static enum status snapshot_below(struct snapshot *snapshot, struct block_key key,
                                  struct block *block, bool *is_last, const char **fault)
{
    MDB_val key_value = { .mv_data = key.bytes, .mv_size = sizeof key.bytes };
    MDB_val value = { 0 };
    int result = mdb_cursor_get(snapshot->cursor, &key_value, &value, MDB_SET_RANGE);
    if (result != MDB_SUCCESS && result != MDB_NOTFOUND) {
        *fault = mdb_strerror(result);
        return journal_status_of(result);
    }
    *is_last = result == MDB_NOTFOUND;
    return snapshot_move(snapshot, *is_last ? MDB_LAST : MDB_PREV, NULL, block, fault);
}

/* The border at (seq, block) of `at`, with its chain. STATUS_NOT_FOUND: it is none. */
static enum status snapshot_border(struct snapshot *snapshot, const struct journal_position *at,
                                   struct journal_position *border, const char **fault)
{
    struct journal_position found = { 0 };
    if (at->block > 0) {
        struct block block = { 0 };
        bool is_last = false;
        enum status status = snapshot_below(snapshot, block_key_of(at->seq + 1, at->block + 1),
                                            &block, &is_last, fault);
        if (status != STATUS_OK) {
            return status;
        }
        found = block_position(&block);
    }
    if (found.block != at->block || found.seq != at->seq) {
        return STATUS_NOT_FOUND;
    }
    *border = found;
    return STATUS_OK;
}

/* ---- reading on */

struct reading {
    struct snapshot snapshot;
    struct journal_position at; /* behind the newest block that was visited */
    bool on_block;              /* the cursor stands on that block */
    size_t blocks;              /* seen through this snapshot */
    size_t bytes;
    struct refusal *refusal;
};

static enum status block_fault(struct refusal *refusal, const struct journal_position *before,
                               const char *fault)
{
    return refusal_set(refusal, STATUS_CORRUPT, "block %" PRIu64 " at seq %" PRIu64 ": %s",
                       (before->block + 1), (before->seq + 1), fault);
}

static enum status reading_begin(struct reading *reading, struct journal *journal,
                                 const struct journal_position *after)
{
    enum status status = snapshot_open(journal, &reading->snapshot);
    if (status != STATUS_OK) {
        return refusal_set(reading->refusal, status, "the journal cannot be read");
    }
    /* At the end a block must be read: it says whether it is the one that was written last. */
    if (after->block < journal->end.block && journal_border_find(journal, after, &reading->at)) {
        return STATUS_OK;
    }
    const char *fault = "";
    status = snapshot_border(&reading->snapshot, after, &reading->at, &fault);
    if (status == STATUS_NOT_FOUND) {
        return block_fault(reading->refusal, after, "there is no block that ends before it");
    }
    return status == STATUS_OK ? STATUS_OK
                               : snapshot_fault(&reading->snapshot, reading->refusal, fault);
}

static enum status reading_renew(struct reading *reading)
{
    if (reading->blocks < SNAPSHOT_BLOCKS_MAX && reading->bytes < SNAPSHOT_BYTES_MAX) {
        return STATUS_OK;
    }
    reading->on_block = false;
    reading->blocks = 0;
    reading->bytes = 0;
    enum status status = snapshot_renew(&reading->snapshot);
    if (status != STATUS_OK) {
        return refusal_set(reading->refusal, status, "the journal cannot be read on");
    }
    return STATUS_OK;
}

/* The block behind `at`, whole and at its place. STATUS_NOT_FOUND: `at` is the end. */
static enum status reading_next(struct reading *reading, struct block *block)
{
    const struct journal_position *at = &reading->at;
    const char *fault = "";
    struct block_key key = block_key_of(at->seq + 1, at->block + 1);
    enum status status = snapshot_move(
        &reading->snapshot, reading->on_block ? MDB_NEXT : MDB_SET_RANGE, &key, block, &fault);
    if (status == STATUS_NOT_FOUND) {
        return snapshot_ends_with(&reading->snapshot, at->block)
                   ? STATUS_NOT_FOUND
                   : block_fault(reading->refusal, at, "it is missing at the end");
    }
    if (status != STATUS_OK) {
        return block_fault(reading->refusal, at, fault);
    }
    if (block->header.number != at->block + 1 || block->header.first_seq != at->seq + 1) {
        return block_fault(reading->refusal, at, "it is missing");
    }
    if (!hash256_equal(hash_chain(at->chain, block->header_bytes), block->chain)) {
        return block_fault(reading->refusal, at, "its chain is wrong");
    }
    reading->on_block = true;
    reading->blocks += 1;
    reading->bytes += stored_block_size(block);
    reading->at = block_position(block);
    return STATUS_OK;
}

enum status journal_read(struct journal *journal, const struct journal_position *after,
                         journal_visit visit, void *argument, struct refusal *refusal)
{
    struct reading reading = { .refusal = refusal };
    enum status status = reading_begin(&reading, journal, after);
    bool more = true;
    while (status == STATUS_OK && more) {
        struct block block = { 0 };
        status = reading_renew(&reading);
        if (status == STATUS_OK) {
            status = reading_next(&reading, &block);
        }
        if (status == STATUS_OK) {
            more = visit(argument, &block);
        }
    }
    snapshot_close(&reading.snapshot);
    if (reading.on_block) {
        journal_border_note(journal, &reading.at);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status journal_read_one(struct journal *journal, uint64_t first_seq, uint64_t block,
                             journal_visit visit, void *argument)
{
    struct snapshot snapshot = { 0 };
    enum status status = snapshot_open(journal, &snapshot);
    if (status != STATUS_OK) {
        return status;
    }
    struct block_key key = block_key_of(first_seq, block);
    struct block found = { 0 };
    const char *fault = "";
    status = snapshot_move(&snapshot, MDB_SET, &key, &found, &fault);
    if (status == STATUS_OK) {
        (void)visit(argument, &found);
    }
    snapshot_close(&snapshot);
    return status;
}

/* ---- places */

static enum status snapshot_locate(struct snapshot *snapshot, uint64_t seq,
                                   struct journal_position *before)
{
    const char *fault = "";
    struct block block = { 0 };
    struct journal_position end = { 0 };
    bool is_last = false;
    /* Blocks without facts share their first seq with the block that follows them, which
     * has the greater number: the newest one from there down is the one that holds it. */
    enum status status =
        snapshot_below(snapshot, block_key_of(seq + 1, 0), &block, &is_last, &fault);
    if (status == STATUS_OK) {
        end = block_position(&block);
    } else if (status != STATUS_NOT_FOUND) {
        return status;
    }
    if (seq <= end.seq) {
        return snapshot_before(snapshot, &block, before, &fault);
    }
    if (!is_last) {
        return STATUS_CORRUPT; /* the next block begins later: one is missing */
    }
    if (seq != end.seq + 1) {
        return STATUS_NOT_FOUND;
    }
    *before = end;
    return STATUS_OK;
}

enum status journal_locate(struct journal *journal, uint64_t seq, struct journal_position *before)
{
    if (seq == 0 || seq == UINT64_MAX) {
        return STATUS_NOT_FOUND;
    }
    struct snapshot snapshot = { 0 };
    enum status status = snapshot_open(journal, &snapshot);
    if (status == STATUS_OK) {
        status = snapshot_locate(&snapshot, seq, before);
    }
    snapshot_close(&snapshot);
    return status;
}

/* STATUS_NOT_FOUND: it is none. */
static enum status border_read(struct journal *journal, const struct journal_position *at,
                               struct journal_position *border)
{
    struct snapshot snapshot = { 0 };
    const char *fault = "";
    enum status status = snapshot_open(journal, &snapshot);
    if (status == STATUS_OK) {
        status = snapshot_border(&snapshot, at, border, &fault);
    }
    snapshot_close(&snapshot);
    return status;
}

enum status journal_position_check(struct journal *journal, const struct journal_position *position)
{
    struct journal_position border = { 0 };
    enum status status = STATUS_OK;
    if (!journal_border_find(journal, position, &border)) {
        status = border_read(journal, position, &border);
    }
    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK && !hash256_equal(border.chain, position->chain))) {
        return STATUS_CORRUPT;
    }
    return status;
}

/* ---- verifying */

struct verifying {
    struct journal_position at;
    struct journal_report report;
    struct arena arena;
    const struct block_header *header; /* of the block that is walked */
    bool hidden;                       /* a filter by its header would leave out one of its facts */
    const char *fault;                 /* NULL: none so far */
};

static bool entry_verify(void *argument, const struct block_entry *entry)
{
    struct verifying *verifying = argument;
    if (entry->kind == BLOCK_ENTRY_RECORD && !entry->record.is_private) {
        const struct fact *fact = &entry->record.fact;
        uint64_t partition =
            fact->has_customer ? UINT64_C(1) << (customer_partition(fact->customer) / 16) : 1;
        uint64_t type = UINT64_C(1) << (fact->type % 64);
        verifying->hidden = !block_may_hold(verifying->header, partition, type);
    }
    return !verifying->hidden;
}

static bool block_verify(void *argument, const struct block *block)
{
    struct verifying *verifying = argument;
    int64_t now_ms = 0;
    verifying->header = &block->header;
    arena_reset(&verifying->arena);
    if (block_check(block, &verifying->at.chain, true) != STATUS_OK) {
        verifying->fault = "its hashes are wrong";
    } else if (block_walk(block, &verifying->arena, entry_verify, verifying, &now_ms) !=
               STATUS_OK) {
        verifying->fault = "its facts or private entries cannot be decoded";
    } else if (verifying->hidden) {
        verifying->fault = "its header hides a fact";
    }
    if (verifying->fault != NULL) {
        return false;
    }
    verifying->at = block_position(block);
    verifying->report.blocks += 1;
    verifying->report.facts += block->header.count;
    verifying->report.bytes += stored_block_size(block);
    return true;
}

enum status journal_verify(struct journal *journal, struct journal_report *report,
                           struct refusal *refusal)
{
    struct verifying verifying = { 0 };
    arena_init(&verifying.arena, VERIFY_ARENA_BYTES);
    enum status status =
        journal_read(journal, &(struct journal_position){ 0 }, block_verify, &verifying, refusal);
    arena_release(&verifying.arena);
    if (status == STATUS_OK && verifying.fault != NULL) {
        status = block_fault(refusal, &verifying.at, verifying.fault);
    }
    if (status == STATUS_OK && report != NULL) {
        *report = verifying.report;
    }
    return status;
}
