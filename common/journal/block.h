/*
 * A block: what one turn decided, in the bytes that are stored and sent.
 *
 *   header        BlockHeader of block.proto; the chain hashes these very bytes
 *   public part   PublicPart: the facts, for every reader of the feed
 *   private part  PrivatePart: what only the service's own recovery needs
 *
 * A builder writes one, a struct block looks at one, a cursor walks the records of one in
 * the order in which they were applied.
 */
#ifndef KITH_JOURNAL_BLOCK_H
#define KITH_JOURNAL_BLOCK_H

#include "common/base/arena.h"
#include "common/base/fact.h"
#include "common/base/hash.h"
#include "common/base/position.h"

struct block_header {
    uint64_t number;
    uint64_t first_seq;
    uint32_t count;
    int64_t wall_ms;
    int64_t recorded_at_ms;
    uint64_t partitions;
    uint64_t types;
    uint32_t public_bytes;
    uint32_t private_bytes;
    struct hash256 public_hash;
    struct hash256 private_hash;
};

/* A block somebody else holds; private_part is empty for a reader of the feed. */
struct block {
    struct block_header header;
    struct span header_bytes;
    struct span public_part;
    struct span private_part;
    struct hash256 chain; /* after this block */
};

/* ---- private entries */

struct folded {
    struct feed_name feed;
    uint64_t epoch;
    uint64_t from;
    uint64_t to;
    uint64_t block;
    uint64_t block_seq;
    struct hash256 chain;
};

struct outcome {
    struct hash128 key;
    struct hash128 body_hash;
    int64_t issued_at_ms;
    enum status status;
    struct span reply_header;
    struct span reply_body;
};

/* ---- writing */

struct block_builder {
    struct block_header header;
    struct buffer public_part;
    struct buffer private_part;
    struct buffer header_bytes;
};

void block_builder_init(struct block_builder *builder);
void block_builder_release(struct block_builder *builder);
/* Empty, keeping the memory. `before`: the position after which it goes. */
void block_begin(struct block_builder *builder, const struct journal_position *before,
                 int64_t wall_ms, int64_t recorded_at_ms);
/* Appends and returns the fact's seq. `fact->seq` is not read; type and version are not 0.
 * The record's size (its subject and body) must be within LIMIT_RECORD_BYTES (asserted):
 * whoever decides checks it before. */
uint64_t block_fact_add(struct block_builder *builder, const struct fact *fact);
void block_record_add(struct block_builder *builder, struct span record);
void block_outcome_add(struct block_builder *builder, const struct outcome *outcome);
void block_folded_add(struct block_builder *builder, const struct folded *folded);
/* Bytes so far, public and private; what the bound LIMIT_BLOCK_BYTES is held against. */
size_t block_size(const struct block_builder *builder);
/* Neither fact nor private entry. */
bool block_is_empty(const struct block_builder *builder);
/* Hashes and encodes. `*block` looks into the builder until the next block_begin;
 * `now_ms` is the service's now after it. */
void block_seal(struct block_builder *builder, const struct journal_position *before,
                int64_t now_ms, struct block *block);
/* The position after `block`. */
struct journal_position block_position(const struct block *block);

/* ---- reading */

/* Decodes a header. STATUS_CORRUPT: not a header, or values out of range. */
MUST_USE enum status block_header_decode(struct span bytes, struct block_header *header);
/* Checks sizes and hashes of the parts that are there (an absent private part is not
 * looked at), and that `chain` follows from `before` and the header.
 * STATUS_CORRUPT otherwise. */
MUST_USE enum status block_check(const struct block *block, const struct hash256 *before,
                                 bool with_private);

/* The facts of a public part, in order. Facts point into `block`'s bytes or `arena`, and
 * live as long as both. */
struct block_facts {
    size_t count;
    const struct fact *facts;
};
/* STATUS_CORRUPT: not a public part, or not header.count facts. STATUS_LIMIT: past the arena. */
MUST_USE enum status block_facts_decode(const struct block *block, struct arena *arena,
                                        struct block_facts *facts);

/* All entries of a block in the order in which they were applied: facts and private. */
enum block_entry_kind {
    BLOCK_ENTRY_RECORD, /* a fact or a private record */
    BLOCK_ENTRY_OUTCOME,
    BLOCK_ENTRY_FOLDED,
};
struct block_entry {
    enum block_entry_kind kind;
    struct record record;
    struct outcome outcome;
    struct folded folded;
    uint32_t outcome_index; /* this outcome is the nth of its block, from 0 */
};
/* Return false to end the walk. The entry is valid during the call, what its spans point to
 * as long as the block. */
typedef bool (*block_visit)(void *argument, const struct block_entry *entry);
/* `now_ms` gets the service's now after the block; a walk that is ended early leaves it.
 * STATUS_CORRUPT and STATUS_LIMIT as above, and then nothing was visited. */
MUST_USE enum status block_walk(const struct block *block, struct arena *arena, block_visit visit,
                                void *argument, int64_t *now_ms);

/* True if the block may hold a fact of a partition in `partitions` (bit p / 16) and of a
 * type in `types` (bit type mod 64). A header alone cannot tell for sure. */
bool block_may_hold(const struct block_header *header, uint64_t partitions, uint64_t types);

#endif
