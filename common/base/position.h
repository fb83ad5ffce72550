/*
 * Where a journal, or a reader of it, stands; and which feed is meant.
 */
#ifndef KITH_BASE_POSITION_H
#define KITH_BASE_POSITION_H

#include "common/base/hash.h"

/* After these. Zeroes: before the first. */
struct journal_position {
    uint64_t seq;   /* newest fact */
    uint64_t block; /* newest block */
    struct hash256 chain;
};

struct feed_name {
    char name[24]; /* "ingestion" */
    uint32_t shard;
};

#endif
