#include "common/journal/journal.h"

#include "common/base/disk.h"
#include "common/journal/journal_file.h"
#include "common/lmdb/lmdb_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One table for the blocks, one for meta. */
#define TABLES_MAX 2
/* Each thread that reads takes a slot; a killed process leaves its own behind. */
#define READERS_MAX 1024
#define META_BYTES_MAX 128
/* Where a transaction's id stands in a meta page of LMDB 0.9, in native byte order. */
#define META_ID_OFFSET 144
#define META_READS_MAX 8
/* Reserved beyond what is asked for, so that not every turn asks the disk. */
#define RESERVE_STEP_BYTES ((size_t)256 * 1024)

static enum status open_fault(struct refusal *refusal, const struct journal_options *options,
                              int lmdb)
{
    enum status status = journal_status_of(lmdb);
    if (status == STATUS_NOT_FOUND && !options->read_only) {
        status = STATUS_INTERNAL; /* the folder is missing, where a file would be made */
    }
    return refusal_set(refusal, status, "journal %s: %s", options->path, mdb_strerror(lmdb));
}

/* ---- the environment */

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/* Durability hangs on what is not among these flags. */
static void flags_assert(MDB_env *environment, unsigned wanted)
{
    unsigned flags = 0;
    int result = mdb_env_get_flags(environment, &flags);
    assert(result == MDB_SUCCESS && flags == wanted);
}

static int environment_open(MDB_env *environment, const struct journal_options *options)
{
    unsigned flags = MDB_NOTLS | MDB_NOSUBDIR | (options->read_only ? MDB_RDONLY : 0U);
    int result = mdb_env_set_maxdbs(environment, TABLES_MAX);
    if (result == MDB_SUCCESS) {
        result = mdb_env_set_maxreaders(environment, READERS_MAX);
    }
    if (result == MDB_SUCCESS) {
        result = mdb_env_set_mapsize(environment, whole_pages(options->map_bytes));
    }
    if (result == MDB_SUCCESS) {
        result = mdb_env_open(environment, options->path, flags, LMDB_FILE_MODE);
    }
    if (result != MDB_SUCCESS) {
        return result;
    }
    flags_assert(environment, flags);
    return MDB_SUCCESS;
}

/* ---- its tables */

static bool environment_is_empty(MDB_txn *txn)
{
    MDB_dbi names = 0;
    MDB_stat stat = { 0 };
    return mdb_dbi_open(txn, NULL, 0, &names) == MDB_SUCCESS &&
           mdb_stat(txn, names, &stat) == MDB_SUCCESS && stat.ms_entries == 0;
}

static int tables_make(struct journal *journal, MDB_txn *txn, const struct journal_options *options)
{
    MDB_dbi meta = 0;
    int result = mdb_dbi_open(txn, "meta", MDB_CREATE, &meta);
    if (result == MDB_SUCCESS) {
        result = mdb_dbi_open(txn, "blocks", MDB_CREATE, &journal->blocks);
    }
    if (result != MDB_SUCCESS) {
        return result;
    }
    struct buffer bytes = { 0 };
    buffer_init(&bytes, META_BYTES_MAX);
    journal->epoch = options->epoch;
    journal->meta_commit = mdb_txn_id(txn);
    journal_meta_encode(&(struct journal_meta){ .commit = journal->meta_commit,
                                                .epoch = journal->epoch,
                                                .shard = options->shard,
                                                .service = span_of_text(options->service) },
                        &bytes);
    char name[] = JOURNAL_META_KEY;
    MDB_val key = { .mv_data = name, .mv_size = strlen(name) };
    MDB_val value = { .mv_data = bytes.data, .mv_size = bytes.size };
    result = mdb_put(txn, meta, &key, &value, 0);
    buffer_release(&bytes);
    return result;
}

/* Is the file the journal of this service and shard? */
static enum status meta_check(struct journal *journal, MDB_val value,
                              const struct journal_options *options, struct refusal *refusal)
{
    struct journal_meta meta = { 0 };
    enum status status = journal_meta_decode(value, &meta);
    if (status == STATUS_REFUSED) {
        return refusal_set(refusal, status,
                           "journal %s was written by a newer version of the program; "
                           "use that one",
                           options->path);
    }
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "journal %s: its meta record is damaged",
                           options->path);
    }
    if (!span_equal(meta.service, span_of_text(options->service)) || meta.shard != options->shard) {
        return refusal_set(refusal, STATUS_CORRUPT, "journal %s is that of %.*s/%u, not of %s/%u",
                           options->path, (int)meta.service.size, (const char *)meta.service.data,
                           meta.shard, options->service, options->shard);
    }
    journal->epoch = meta.epoch;
    journal->meta_commit = meta.commit;
    return STATUS_OK;
}

static enum status tables_find(struct journal *journal, MDB_txn *txn,
                               const struct journal_options *options, struct refusal *refusal)
{
    MDB_dbi meta = 0;
    char name[] = JOURNAL_META_KEY;
    MDB_val key = { .mv_data = name, .mv_size = strlen(name) };
    MDB_val value = { 0 };
    int result = mdb_dbi_open(txn, "meta", 0, &meta);
    if (result == MDB_SUCCESS) {
        result = mdb_get(txn, meta, &key, &value);
    }
    if (result == MDB_SUCCESS) {
        result = mdb_dbi_open(txn, "blocks", 0, &journal->blocks);
    }
    if (result == MDB_NOTFOUND) {
        return refusal_set(refusal, STATUS_CORRUPT, "%s is not a journal", options->path);
    }
    if (result != MDB_SUCCESS) {
        return open_fault(refusal, options, result);
    }
    return meta_check(journal, value, options, refusal);
}

/* An environment without any table is what a crash before the first commit leaves. */
static enum status tables_open(struct journal *journal, MDB_txn *txn,
                               const struct journal_options *options, struct refusal *refusal)
{
    if (!environment_is_empty(txn)) {
        return tables_find(journal, txn, options, refusal);
    }
    if (options->read_only) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "journal %s is not there yet", options->path);
    }
    int result = tables_make(journal, txn, options);
    return result == MDB_SUCCESS ? STATUS_OK : open_fault(refusal, options, result);
}

static enum status file_open(struct journal *journal, const struct journal_options *options,
                             struct refusal *refusal)
{
    int result = MDB_SUCCESS;
    if (!options->read_only) {
        result = lmdb_file_make(options->path, whole_pages(options->map_bytes));
    }
    if (result == MDB_SUCCESS) {
        result = mdb_env_create(&journal->environment);
    }
    if (result == MDB_SUCCESS) {
        result = environment_open(journal->environment, options);
    }
    MDB_txn *txn = NULL;
    if (result == MDB_SUCCESS) {
        result =
            mdb_txn_begin(journal->environment, NULL, options->read_only ? MDB_RDONLY : 0U, &txn);
    }
    if (result != MDB_SUCCESS) {
        return open_fault(refusal, options, result);
    }
    enum status status = tables_open(journal, txn, options, refusal);
    if (status != STATUS_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    /* Handles of tables live on only after a commit, also of one that only read. LMDB frees
     * the transaction even when the commit fails. */
    result = mdb_txn_commit(txn);
    if (result == MDB_SUCCESS && !options->read_only) {
        /* A writer that was killed may have left a commit that the machine shows us and the
         * disk does not have yet. From here on it is told to others. */
        result = mdb_env_sync(journal->environment, 1);
    }
    return result == MDB_SUCCESS ? STATUS_OK : open_fault(refusal, options, result);
}

/* ---- its end */

/* Of LMDB's two meta pages each commit writes the elder one, and the one with the greater
 * transaction id counts: an id that lost a bit would take us one commit back. So the two
 * must follow one another. */
static enum status ids_read(struct journal *journal, uint64_t ids[2])
{
    static_assert(MDB_VERSION_MAJOR == 0 && MDB_VERSION_MINOR == 9, "META_ID_OFFSET is of 0.9");
    int file = -1;
    MDB_stat stat = { 0 };
    int result = mdb_env_get_fd(journal->environment, &file);
    assert(result == MDB_SUCCESS);
    result = mdb_env_stat(journal->environment, &stat);
    assert(result == MDB_SUCCESS);
    for (off_t page = 0; page < 2; page++) {
        ssize_t size =
            pread(file, &ids[page], sizeof ids[page], page * (off_t)stat.ms_psize + META_ID_OFFSET);
        if (size != (ssize_t)sizeof ids[page]) {
            return STATUS_INTERNAL;
        }
    }
    return STATUS_OK;
}

static enum status ids_check(struct journal *journal, const struct journal_options *options,
                             struct refusal *refusal)
{
    /* Another process may commit between the two reads, but not each time. */
    for (unsigned attempt = 0; attempt < META_READS_MAX; attempt++) {
        uint64_t ids[2] = { 0 };
        enum status status = ids_read(journal, ids);
        if (status != STATUS_OK) {
            return refusal_set(refusal, status, "journal %s: its first pages cannot be read",
                               options->path);
        }
        bool in_place = ids[0] % 2 == 0 && ids[1] % 2 == 1;
        if (in_place && (ids[0] == ids[1] + 1 || ids[1] == ids[0] + 1)) {
            return STATUS_OK;
        }
    }
    return refusal_set(refusal, STATUS_CORRUPT,
                       "journal %s: its last two commits do not follow one another", options->path);
}

/* The newest block with all its hashes. */
static enum status end_check(struct journal *journal, struct snapshot *snapshot, const char **fault)
{
    struct block newest = { 0 };
    enum status status = snapshot_move(snapshot, MDB_LAST, NULL, &newest, fault);
    if (status == STATUS_NOT_FOUND) {
        *fault = "blocks are missing behind it";
        return snapshot_ends_with(snapshot, 0) ? STATUS_OK : STATUS_CORRUPT;
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct journal_position before = { 0 };
    status = snapshot_before(snapshot, &newest, &before, fault);
    if (status != STATUS_OK) {
        return status;
    }
    if (block_check(&newest, &before.chain, true) != STATUS_OK) {
        *fault = "its hashes or its chain are wrong";
        return STATUS_CORRUPT;
    }
    if (!snapshot_ends_with(snapshot, newest.header.number)) {
        *fault = "blocks are missing before or behind it";
        return STATUS_CORRUPT;
    }
    journal->end = block_position(&newest);
    journal->end_recorded_at_ms = newest.header.recorded_at_ms;
    return STATUS_OK;
}

static enum status end_find(struct journal *journal, const struct journal_options *options,
                            struct refusal *refusal)
{
    struct snapshot snapshot = { 0 };
    enum status status = snapshot_open(journal, &snapshot);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "journal %s cannot be read", options->path);
    }
    const char *fault = "";
    status = end_check(journal, &snapshot, &fault);
    if (status != STATUS_OK) {
        struct refusal inner = { 0 };
        (void)snapshot_fault(&snapshot, &inner, fault);
        status = refusal_set(refusal, status, "journal %s: %s", options->path, inner.message);
    }
    snapshot_close(&snapshot);
    return status;
}

enum status journal_open(struct journal **journal, const struct journal_options *options,
                         struct refusal *refusal)
{
    size_t name_size = strlen(options->service);
    assert(name_size > 0 && name_size <= LIMIT_ID_BYTES);
    assert(options->read_only || options->epoch != 0);
    struct journal *opened = memory_allocate(sizeof *opened);
    opened->read_only = options->read_only;
    enum status status = file_open(opened, options, refusal);
    if (status == STATUS_OK) {
        journal_readers_check(opened);
        status = ids_check(opened, options, refusal);
    }
    if (status == STATUS_OK) {
        status = end_find(opened, options, refusal);
    }
    if (status != STATUS_OK) {
        journal_close(&opened);
        return status;
    }
    *journal = opened;
    return STATUS_OK;
}

void journal_close(struct journal **journal)
{
    if (*journal == NULL) {
        return;
    }
    /* Needed after a failed open, too. */
    if ((*journal)->environment != NULL) {
        mdb_env_close((*journal)->environment);
    }
    free(*journal);
    *journal = NULL;
}

/* ---- what it says of itself */

uint64_t journal_epoch(const struct journal *journal)
{
    return journal->epoch;
}

struct journal_position journal_end(const struct journal *journal)
{
    return journal->end;
}

int64_t journal_end_recorded_at_ms(const struct journal *journal)
{
    return journal->end_recorded_at_ms;
}

uint64_t journal_written_bytes(const struct journal *journal)
{
    return journal->written_bytes;
}

void journal_space(const struct journal *journal, size_t *used_bytes, size_t *map_bytes)
{
    MDB_envinfo info = { 0 };
    MDB_stat stat = { 0 };
    int result = mdb_env_info(journal->environment, &info);
    assert(result == MDB_SUCCESS);
    result = mdb_env_stat(journal->environment, &stat);
    assert(result == MDB_SUCCESS);
    *used_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
    *map_bytes = info.me_mapsize;
}

static int file_of(const struct journal *journal)
{
    int file = -1;
    int result = mdb_env_get_fd(journal->environment, &file);
    assert(result == MDB_SUCCESS);
    return file;
}

uint64_t journal_disk_free_bytes(const struct journal *journal)
{
    return disk_free_bytes(file_of(journal));
}

enum status journal_reserve(struct journal *journal, size_t bytes)
{
    size_t end = 0;
    size_t map = 0;
    journal_space(journal, &end, &map);
    /* A map that is nearly full never asks for more than its rest. */
    size_t most = map > end ? map - end : 0;
    size_t needed = bytes < most ? bytes : most;
    if (end + needed <= journal->reserved_to) {
        return STATUS_OK;
    }
    size_t wanted = needed + RESERVE_STEP_BYTES < most ? needed + RESERVE_STEP_BYTES : most;
    enum status status = disk_reserve(file_of(journal), end, wanted);
    if (status == STATUS_LIMIT) {
        wanted = needed;
        status = disk_reserve(file_of(journal), end, wanted);
    }
    if (status == STATUS_OK) {
        journal->reserved_to = end + wanted;
    }
    return status;
}

void journal_readers_check(struct journal *journal)
{
    int dead = 0;
    /* A failure leaves dead slots for the next time. */
    (void)mdb_reader_check(journal->environment, &dead);
}

/* ---- appending */

static int block_put(struct journal *journal, MDB_txn *txn, const struct block *block)
{
    struct block_key key = block_key_of(block->header.first_seq, block->header.number);
    MDB_val key_value = { .mv_data = key.bytes, .mv_size = sizeof key.bytes };
    /* LMDB gives the place and the block is written there: no copy between. */
    MDB_val value = { .mv_size = stored_block_size(block) };
    int result = mdb_put(txn, journal->blocks, &key_value, &value, MDB_APPEND | MDB_RESERVE);
    if (result == MDB_SUCCESS) {
        stored_block_encode(block, mdb_txn_id(txn), value.mv_data);
    }
    return result;
}

static void follows_assert(const struct journal_position *before, const struct block *block)
{
    assert(block->header.number == before->block + 1);
    assert(block->header.first_seq == before->seq + 1);
    assert(block->header.public_bytes == block->public_part.size);
    assert(block->header.private_bytes == block->private_part.size);
    assert(hash256_equal(hash_chain(before->chain, block->header_bytes), block->chain));
}

enum status journal_append(struct journal *journal, const struct block *blocks, size_t count)
{
    assert(count > 0 && !journal->read_only);
    if (journal->broken) {
        return STATUS_INTERNAL;
    }
    MDB_txn *txn = NULL;
    int result = mdb_txn_begin(journal->environment, NULL, 0, &txn);
    if (result != MDB_SUCCESS) {
        return journal_status_of(result);
    }
    struct journal_position end = journal->end;
    uint64_t written_bytes = 0;
    for (size_t i = 0; i < count && result == MDB_SUCCESS; i++) {
        follows_assert(&end, &blocks[i]);
        result = block_put(journal, txn, &blocks[i]);
        written_bytes += stored_block_size(&blocks[i]);
        end = block_position(&blocks[i]);
    }
    if (result != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return journal_status_of(result);
    }
    /* LMDB frees the handle even when the commit fails: it must not be touched again. What
     * reached the disk is then unknown, and only a new open can tell. */
    result = mdb_txn_commit(txn);
    if (result != MDB_SUCCESS) {
        journal->broken = true;
        return journal_status_of(result);
    }
    journal->end = end;
    journal_border_note(journal, &end);
    journal->written_bytes += written_bytes;
    journal->end_recorded_at_ms = blocks[count - 1].header.recorded_at_ms;
    return STATUS_OK;
}
