/*
 * A service's journal: append-only, checksummed blocks in an LMDB environment of their own.
 * The truth: state is the fold of it.
 *
 * One process has it open for writing (the caller holds the pid file's lock), one thread
 * uses it. Key: first seq (8 bytes, big-endian) | block number (8). Value: a fixed prefix
 * (format, commit, chain, sizes), header, public part, private part, and a checksum over all.
 * No pointer into the map leaves this module except inside a visit.
 *
 * LMDB flags: MDB_NOTLS and, for a path that is a file, MDB_NOSUBDIR; read-only, MDB_RDONLY.
 * Nothing else, asserted at open.
 */
#ifndef KITH_JOURNAL_JOURNAL_H
#define KITH_JOURNAL_JOURNAL_H

#include "common/base/refusal.h"
#include "common/journal/block.h"

struct journal;

struct journal_options {
    const char *path;    /* .../journal.mdb; its folder must exist; fsynced after creation */
    const char *service; /* stands in the file; another service's journal is refused */
    uint32_t shard;
    size_t map_bytes; /* the most the file may ever hold; sparse */
    uint64_t epoch;   /* drawn by the caller, used only when the file is new; not 0 */
    bool read_only;   /* for verify: another process may be writing */
};

/* Opens or creates. Checks the newest block. On STATUS_OK the caller owns *journal.
 *   STATUS_CORRUPT  the newest block fails its checks, or it is not this journal
 *   STATUS_REFUSED  written by a newer version of the program
 *   STATUS_NOT_FOUND  read_only and there is none
 *   STATUS_LIMIT    no room on the disk, or no reader's slot
 *   STATUS_INTERNAL the host says no
 * `refusal` gets the sentence. */
MUST_USE enum status journal_open(struct journal **journal, const struct journal_options *options,
                                  struct refusal *refusal);
void journal_close(struct journal **journal);

uint64_t journal_epoch(const struct journal *journal);
/* After the newest block that is durable. */
struct journal_position journal_end(const struct journal *journal);
/* recorded_at of the newest block, 0 when empty. */
int64_t journal_end_recorded_at_ms(const struct journal *journal);
/* Bytes of the blocks that were appended since it was opened. */
uint64_t journal_written_bytes(const struct journal *journal);
/* Used and total bytes of the map, for the 80 % watermark and the metrics. */
void journal_space(const struct journal *journal, size_t *used_bytes, size_t *map_bytes);

/* Makes sure that blocks of so many bytes find room on the disk, whatever others write there.
 *   STATUS_LIMIT     there is none
 *   STATUS_INTERNAL  the host says no */
MUST_USE enum status journal_reserve(struct journal *journal, size_t bytes);
/* What the disk has left, besides what is reserved. */
uint64_t journal_disk_free_bytes(const struct journal *journal);

/* Appends blocks in one synced commit. They must follow the end and one another (asserted).
 * Anything but STATUS_OK: outcome unknown; the caller ends the process and says nothing. */
MUST_USE enum status journal_append(struct journal *journal, const struct block *blocks,
                                    size_t count);

/* ---- reading: inside a visit `block` points into the map; copy what must stay */

typedef bool (*journal_visit)(void *argument, const struct block *block);

/* Blocks after `after.block`, in order, until the end, until visit returns false.
 * Only (seq, block) of `after` are used. Renews its read transaction every so many blocks.
 * STATUS_CORRUPT: a stored block's checksum or chain is wrong; `refusal` names block and
 * seq. */
MUST_USE enum status journal_read(struct journal *journal, const struct journal_position *after,
                                  journal_visit visit, void *argument, struct refusal *refusal);
/* The block with this number that begins at first_seq.
 * STATUS_NOT_FOUND: there is none. */
MUST_USE enum status journal_read_one(struct journal *journal, uint64_t first_seq, uint64_t block,
                                      journal_visit visit, void *argument);
/* The position before the block that holds fact `seq` (1..end.seq); for end.seq + 1 the
 * journal's end. STATUS_NOT_FOUND otherwise. */
MUST_USE enum status journal_locate(struct journal *journal, uint64_t seq,
                                    struct journal_position *before);
/* Is `position` one of this journal's block borders, with this chain? Zeroes are.
 * STATUS_CORRUPT: no. */
MUST_USE enum status journal_position_check(struct journal *journal,
                                            const struct journal_position *position);

/* Clears the reader slots of dead processes; at start and every 10 s. */
void journal_readers_check(struct journal *journal);

/* Walks all blocks: checksums, hashes, chain, numbers and seqs without gaps, facts decode.
 * `report` may be NULL. STATUS_CORRUPT with the first fault in `refusal`. */
struct journal_report {
    uint64_t blocks;
    uint64_t facts;
    uint64_t bytes;
};
MUST_USE enum status journal_verify(struct journal *journal, struct journal_report *report,
                                    struct refusal *refusal);

#endif
