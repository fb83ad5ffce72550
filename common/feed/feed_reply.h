/*
 * What a Fetch is answered with, looked at where it lies: nearly all of a reply is blocks, and
 * none of them is copied. Stricter than protobuf: a field that is no list stands once at most.
 * Fields that nobody here knows are passed over.
 */
#ifndef KITH_FEED_FEED_REPLY_H
#define KITH_FEED_FEED_REPLY_H

#include "common/feed/feed_reader.h"

struct feed_reply {
    uint64_t epoch;
    struct feed_progress progress;
    struct span chain_before; /* of the first block; empty: it is not there */
    size_t block_count;
};

/* A block as it was sent. */
struct feed_reply_block {
    struct span header; /* empty: it is not there */
    bool is_whole;      /* its public part was sent, too */
    struct span public_part;
};

/* Everything in it looks into `body`. False: these bytes are no reply. */
bool feed_reply_decode(struct span body, struct feed_reply *reply);
/* Takes the next block off `rest`, at first the body of a reply that was decoded. False: that
 * was the last one. */
bool feed_reply_block_take(struct span *rest, struct feed_reply_block *block);

#endif
