/*
 * What the files of the journal share: the open journal, the form of what is stored, and a
 * snapshot to read from. Internal to common/journal.
 *
 *   table meta    "journal" ->
 *                 format (4) | commit (8) | epoch (8) | shard (4) | service | checksum (8)
 *   table blocks  first seq (8) | number (8) ->
 *                 format (4) | commit (8) | chain (32) |
 *                 sizes of header, public, private part (4 each) |
 *                 header | public part | private part | checksum (8)
 *
 * Numbers are big-endian. A checksum is over the key and all of the value before it; in
 * every format of meta it stands last and the format first.
 *
 * `commit` is the id of the LMDB transaction that wrote the record. LMDB has no checksums:
 * one flipped bit in its own pages may lead it back to the state before the last commit,
 * where everything fits together. But then the newest record's commit is not the
 * environment's. (A compacting copy counts transactions anew and is refused likewise.)
 */
#ifndef KITH_JOURNAL_JOURNAL_FILE_H
#define KITH_JOURNAL_JOURNAL_FILE_H

#include "common/base/limits.h"
#include "common/journal/journal.h"

#include <lmdb.h>

#define JOURNAL_FORMAT 1
#define JOURNAL_META_KEY "journal"
/* Borders of blocks that are remembered: those where readers stand. */
#define JOURNAL_BORDERS 64

struct journal {
    MDB_env *environment;
    MDB_dbi blocks;
    uint64_t epoch;
    uint64_t meta_commit;
    struct journal_position end;
    int64_t end_recorded_at_ms;
    uint64_t written_bytes;
    struct journal_position borders[JOURNAL_BORDERS]; /* a ring; zeroes are a border too */
    unsigned border_next;
    uint64_t reserved_to; /* the disk has room for the file up to here */
    bool read_only;
    bool broken; /* a commit failed: what is on disk is unknown to this process */
};

/* CORRUPT for what the file did, LIMIT for no room, NOT_FOUND, INTERNAL for the rest. */
enum status journal_status_of(int lmdb);

/* ---- the form of what is stored */

struct block_key {
    uint8_t bytes[16];
};

struct block_key block_key_of(uint64_t first_seq, uint64_t number);

size_t stored_block_size(const struct block *block);
/* `out` has stored_block_size() bytes. */
void stored_block_encode(const struct block *block, uint64_t commit, uint8_t *out);
/* `block` looks into `value`. STATUS_CORRUPT: checksum, sizes, or not the block of `key`;
 * `fault` gets what is wrong, a static text. */
MUST_USE enum status stored_block_decode(struct block_key key, MDB_val value, struct block *block,
                                         uint64_t *commit, const char **fault);

struct journal_meta {
    uint64_t commit;
    uint64_t epoch;
    uint32_t shard;
    struct span service;
};

/* Appends to `out`, which has a limit of at least 128 bytes. */
void journal_meta_encode(const struct journal_meta *meta, struct buffer *out);
/* `meta` looks into `value`. STATUS_CORRUPT; STATUS_REFUSED: a newer format. */
MUST_USE enum status journal_meta_decode(MDB_val value, struct journal_meta *meta);

/* ---- borders */

/* Remembers a border that was read or written here. Blocks never change: who comes back to it
 * need not read the block before it once more. */
void journal_border_note(struct journal *journal, const struct journal_position *border);
/* The border at (seq, block) of `at`, with its chain. False: it is not remembered. */
bool journal_border_find(const struct journal *journal, const struct journal_position *at,
                         struct journal_position *border);

/* ---- reading */

/* One state of the blocks, seen through a cursor. */
struct snapshot {
    MDB_txn *txn;
    MDB_cursor *cursor;
    struct block_key at; /* where the cursor stands, for the sentence about a fault */
    uint64_t commit;     /* the newest of the records read so far */
};

MUST_USE enum status snapshot_open(struct journal *journal, struct snapshot *snapshot);
void snapshot_close(struct snapshot *snapshot);

/* Moves the cursor (to `key`, where the operation wants one), decodes the block there.
 * STATUS_NOT_FOUND: there is none. */
MUST_USE enum status snapshot_move(struct snapshot *snapshot, MDB_cursor_op operation,
                                   const struct block_key *key, struct block *block,
                                   const char **fault);
/* At the block under the cursor, `block`: the position before it, read from its neighbour,
 * which must fit. The cursor moves there. */
MUST_USE enum status snapshot_before(struct snapshot *snapshot, const struct block *block,
                                     struct journal_position *before, const char **fault);
/* STATUS_CORRUPT, and what is wrong with the block under the cursor. */
enum status snapshot_fault(const struct snapshot *snapshot, struct refusal *refusal,
                           const char *fault);
/* Is `number`, the newest block found, the newest that was written? */
bool snapshot_ends_with(const struct snapshot *snapshot, uint64_t number);

#endif
