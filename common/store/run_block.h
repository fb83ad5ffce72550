/*
 * Blocks: the records of a run, as many as fill half a page, packed into one value of LMDB.
 * That takes LMDB's share of a record's cost, in time and in room, once a block.
 *
 *   key      the whole key of the block's last record
 *   sealed   records | checksum (8) over key and records
 *   record   value size (2) | key size (1) | value | whole key
 *
 * The last record's key stands in the block's key only: a value of any size that a table may
 * have fits, and the block of a key is the first whose key is not less.
 */
#ifndef KITH_STORE_RUN_BLOCK_H
#define KITH_STORE_RUN_BLOCK_H

#include "common/store/store_record.h"

/* Two of these, with keys of the longest kind, fill one page of 4 KiB. */
#define RUN_BLOCK_BYTES_MAX 1932

struct run_block {
    size_t size;
    size_t last_key_size; /* 0: the block is empty */
    uint8_t bytes[RUN_BLOCK_BYTES_MAX + STORE_KEY_BYTES_MAX];
};

/* False, and nothing is changed: it does not fit. Into an empty block every record does. */
bool run_block_add(struct run_block *block, struct span key, struct span value);
/* The block's key and sealed bytes, which lie in `block` until run_block_clear. It must not
 * be empty, and takes no more records. */
void run_block_seal(struct run_block *block, struct store_key *key, struct span *sealed);
void run_block_clear(struct run_block *block);

/* What is still to be read of a block that was found good. */
struct run_block_reader {
    struct span key;
    struct span rest;
};

/* False: its checksum is wrong. */
MUST_USE bool run_block_open(struct span key, struct span sealed, struct run_block_reader *reader);
/* The next record, or STATUS_NOT_FOUND. STATUS_CORRUPT: a good checksum over something that
 * is no block. */
MUST_USE enum status run_block_next(struct run_block_reader *reader, struct span *key,
                                    struct span *value);

#endif
