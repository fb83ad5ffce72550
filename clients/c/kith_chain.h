/*
 * A feed is a chain of blocks; here each is checked to be the one that follows.
 */
#ifndef KITH_CLIENT_CHAIN_H
#define KITH_CLIENT_CHAIN_H

#include "clients/c/kith.h"
#include "clients/c/kith_memory.h"
#include "kith/v1/block.pb-c.h"

#define KITH_CHAIN_BYTES 32

/* Behind a block: its number, its last seq and the chain up to it. */
struct kith_chain {
    bool is_known; /* false: only the seq, which was set by hand */
    uint64_t block;
    uint64_t seq;
    uint8_t bytes[KITH_CHAIN_BYTES];
};

/* A block that has been checked. */
struct kith_block {
    struct kith_chain after;
    uint64_t first_seq;
    uint32_t count;
    struct kith_budget budget;
    Kith__V1__PublicPart *facts; /* `count` of them; NULL: left out by the filter */
};

/* The parts as received. */
struct kith_block_bytes {
    ProtobufCBinaryData header;
    ProtobufCBinaryData public_part;
    bool has_public_part;
    uint64_t types_asked; /* bit (type mod 64): a block that holds one may not be left out */
};

/* On KITH_OK the block is ended with kith_block_release(). KITH_DATA_LOSS: it does not follow
 * `before`, or is not whole. */
KITH_MUST_USE enum kith_status kith_block_open(struct kith_block *block,
                                               const struct kith_chain *before,
                                               const struct kith_block_bytes *bytes,
                                               struct kith_error *error);
/* Takes one that is all zero. */
void kith_block_release(struct kith_block *block);

#endif
