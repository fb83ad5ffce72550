/*
 * Room on the disk for the checkpoints to come. What a checkpoint of M bytes of memory, merged
 * in pieces that change D bytes of pages each, takes of the file's free pages and its end:
 *
 *   the run, the data's growth   2.5 M together (measured: 0.75 to 1.0 with values of 100 bytes,
 *                                2.4 with values of 1,000, of which a page holds three); of what
 *                                may come 1.5 times as much, which is generous itself
 *   pages at work                3 D: LMDB never writes over a page that is in use, and those
 *                                that a commit frees can be taken by the one after the next
 *
 * A merge of runs writes as much as its runs take before they are free: it begins only where
 * the map stays below the bound at which commands are refused, and the disk is not tight even
 * when all of that lies behind the end of the file. Else it would end the process, and again
 * after each start.
 *
 * Records that are merged may each lie on a page of its own, so D is that of small pieces: a
 * disk that is not tight has room for large ones anyway, and a tight one gets small ones. So does
 * a map that nears its end.
 *
 * While another process reads a snapshot (`verify state`), no page that is freed after it can be
 * taken again: those count as used, and what a checkpoint changes comes on top of all that. How
 * long it goes on nobody knows, a process that was stopped reads for ever. So that much room is
 * looked for, but not reserved: the file would keep it when the snapshot has long gone.
 */
#include "common/base/disk.h"
#include "common/store/store_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MERGE_RECORDS_TIGHT 64
/* Beside its records a piece changes pages above them, lists of free pages and meta. */
#define PIECE_PAGES (MERGE_RECORDS_TIGHT + MERGE_RECORDS_TIGHT / 2 + 16)
#define PIECES_AT_WORK 3
/* What a map has left is little, or too little for what memory holds: no more than one part of so
 * many, since a small map has no room for what a large one keeps free. */
#define MAP_TIGHT_SHARE 2
#define MAP_REST_SHARE 4
/* Reserved beyond what is needed, so that not every turn asks the disk. */
#define RESERVE_STEP_BYTES ((size_t)256 * 1024)
/* Nobody else reads: later than any snapshot. */
#define SNAPSHOT_NONE SIZE_MAX
/* What an entry of a memtable takes at the least, with its place in the hash table. */
#define ENTRY_BYTES_LEAST 64
/* What each piece changes besides the pages of the tree. */
#define PIECE_PAGES_OWN 16

static int file_of(const struct store *store)
{
    int file = -1;
    int code = mdb_env_get_fd(store->file.env, &file);
    assert(code == MDB_SUCCESS);
    return file;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* By how much `a` is more than `b`. */
static size_t over(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

/* ---- what others read */

/* A line of mdb_reader_list(): process, thread, and the snapshot, or "-" where there is none. */
static int reader_note(const char *line, void *argument)
{
    size_t *oldest = argument;
    char *at = NULL;
    long process = strtol(line, &at, 10);
    if (at == line || process == (long)getpid()) {
        return 0; /* a heading, or one of ours, which are short */
    }
    (void)strtoull(at, &at, 16);
    char *end = NULL;
    size_t snapshot = (size_t)strtoull(at, &end, 10);
    if (end != at) {
        *oldest = least(*oldest, snapshot);
    }
    return 0;
}

/* The transaction whose state is the oldest that another process still reads. LMDB tells of its
 * readers in text only. */
static size_t snapshot_oldest(const struct store *store)
{
    size_t oldest = SNAPSHOT_NONE;
    int code = mdb_reader_list(store->file.env, reader_note, &oldest);
    assert(code >= 0); /* as reader_note() says */
    return oldest;
}

size_t store_pinned_pages(const struct store *store, MDB_txn *txn)
{
    size_t oldest = snapshot_oldest(store);
    size_t pages = 0;
    if (oldest == SNAPSHOT_NONE) {
        return 0;
    }
    MDB_cursor *cursor = store_file_cursor(txn, LMDB_TABLE_FREE);
    /* Lists of pages by the transaction that has freed them, each after its length: what
     * `mdb_stat -f` reads. LMDB takes those of transactions before the oldest snapshot. */
    MDB_val key = { .mv_size = sizeof oldest, .mv_data = &oldest };
    MDB_val list = { 0 };
    int code = mdb_cursor_get(cursor, &key, &list, MDB_SET_RANGE);
    while (code == MDB_SUCCESS) {
        size_t count = 0;
        memcpy(&count, list.mv_data, sizeof count);
        pages += count;
        code = mdb_cursor_get(cursor, &key, &list, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return pages;
}

/* ---- room */

size_t store_merge_records(const struct store *store)
{
    size_t records = store->options.checkpoint_records;
    bool is_tight = atomic_load(&store->map_is_tight) || disk_is_tight(file_of(store));
    return is_tight ? least(records, MERGE_RECORDS_TIGHT) : records;
}

uint64_t store_disk_free_bytes(const struct store *store)
{
    return disk_free_bytes(file_of(store));
}

static bool merge_fits(const struct store *store, size_t used, size_t more, size_t page_bytes)
{
    MDB_envinfo info = { 0 };
    int code = mdb_env_info(store->file.env, &info);
    assert(code == MDB_SUCCESS);
    size_t end = info.me_last_pgno + 1;
    size_t wanted = used + more;
    uint64_t growth = wanted > end ? (uint64_t)(wanted - end) * page_bytes : 0;
    return wanted <= info.me_mapsize / page_bytes / 5 * 4 &&
           growth + LIMIT_DISK_TIGHT_BYTES <= disk_free_bytes(file_of(store));
}

bool store_runs_merge_has_room(const struct store *store)
{
    MDB_txn *txn = NULL;
    size_t more = 0;
    size_t page_bytes = 1;
    if (disk_is_tight(file_of(store)) || store_file_read_begin(&store->file, &txn) != STATUS_OK) {
        return false;
    }
    enum status status = run_set_merge_pages(store->runs, txn, &more);
    size_t used = more > 0 ? store_pages(store, txn, &page_bytes) : 0;
    mdb_txn_abort(txn);
    return status == STATUS_OK && (more == 0 || merge_fits(store, used, more, page_bytes));
}

/* What the merges of all that is in memory, and of `more` bytes, change besides: for each record
 * a leaf and a page above it, but each of them once for each memtable, since they are merged in
 * the order of the keys. 0: nobody else reads, and what is freed can be taken again. */
static size_t pinned_growth(const struct store *store, size_t more)
{
    if (snapshot_oldest(store) == SNAPSHOT_NONE) {
        return 0;
    }
    MDB_stat data = { 0 };
    int code = mdb_stat(store->reader, store->file.data, &data);
    assert(code == MDB_SUCCESS);
    size_t records = memtable_count(store->active) + more / ENTRY_BYTES_LEAST;
    records += store->frozen != NULL ? memtable_count(store->frozen) : 0;
    size_t leaves = data.ms_leaf_pages + (store_memory_bytes(store) + more) / data.ms_psize;
    size_t pages = least(records, 2 * leaves) + least(records, 2 * data.ms_branch_pages);
    size_t pieces = 2 * (records / store_merge_records(store) + 2); /* written and merged */
    return (pages + pieces * PIECE_PAGES_OWN) * data.ms_psize;
}

static bool growth_fits(const struct store *store, size_t growth, size_t end, size_t map)
{
    uint64_t reserved = store->reserved_to > end ? store->reserved_to - end : 0;
    uint64_t disk = disk_free_bytes(file_of(store));
    return growth <= over(map, end) && (growth <= reserved || growth - reserved <= disk);
}

enum status store_reserve(struct store *store, size_t more)
{
    MDB_envinfo info = { 0 };
    MDB_stat stat = { 0 };
    int code = mdb_env_info(store->file.env, &info);
    assert(code == MDB_SUCCESS);
    code = mdb_env_stat(store->file.env, &stat);
    assert(code == MDB_SUCCESS);
    size_t used = 0;
    size_t map = 0;
    store_space(store, &used, &map);
    size_t end = (info.me_last_pgno + 1) * stat.ms_psize;
    size_t unused = over(end, used);
    size_t memory = store_memory_bytes(store);
    size_t needed = 2 * memory + memory / 2 + more + more / 2 +
                    (size_t)PIECES_AT_WORK * PIECE_PAGES * stat.ms_psize;
    size_t rest = over(map, used);
    atomic_store(&store->map_is_tight, rest < least(LIMIT_DISK_TIGHT_BYTES, map / MAP_TIGHT_SHARE));
    size_t growth = pinned_growth(store, more);
    if (rest < least(needed, map / MAP_REST_SHARE) ||
        (growth > 0 && !growth_fits(store, over(needed + growth, unused), end, map))) {
        return STATUS_LIMIT;
    }
    size_t most = over(map, end);
    needed = least(over(needed, unused), most);
    if (end + needed <= store->reserved_to) {
        return STATUS_OK;
    }
    size_t wanted = least(needed + RESERVE_STEP_BYTES, most);
    enum status status = disk_reserve(file_of(store), end, wanted);
    if (status == STATUS_LIMIT) {
        wanted = needed;
        status = disk_reserve(file_of(store), end, wanted);
    }
    if (status == STATUS_OK) {
        store->reserved_to = end + wanted;
    }
    return status;
}
