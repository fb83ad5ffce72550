/*
 * Replies to Fetch as somebody would write them who means harm: hashes and chain of blocks have
 * no key, so they can be made to fit whatever stands in the blocks. Without that no decoder of
 * facts would ever see hostile bytes.
 */
#ifndef KITH_TESTS_FUZZ_BLOCK_FORGER_H
#define KITH_TESTS_FUZZ_BLOCK_FORGER_H

#include "common/base/hash.h"
#include "common/wire/pb.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/feed.pb-c.h"

/* What is left wrong of a block, by the lowest three bits; other numbers: nothing. */
enum forged_fault {
    FORGED_OLD_PLACE = 4, /* number and seq as they stand */
    FORGED_COUNT = 5,
    FORGED_HASH = 6,
    FORGED_HEADER = 7, /* the header as it stands */
};

struct forger {
    struct arena *arena;
    uint64_t epoch; /* 0: the reply's own */
    uint64_t seq;   /* behind which the blocks go */
    uint64_t block;
    struct hash256 chain;
    uint32_t faults; /* three bits for each block */
};

static inline void *forger_unpack(const struct forger *forger,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  ProtobufCBinaryData bytes)
{
    ProtobufCAllocator allocator = pb_allocator(forger->arena);
    return protobuf_c_message_unpack(descriptor, &allocator, bytes.len, bytes.data);
}

static inline ProtobufCBinaryData forger_pack(const struct forger *forger,
                                              const ProtobufCMessage *message)
{
    ProtobufCBinaryData bytes = { .len = protobuf_c_message_get_packed_size(message) };
    bytes.data = arena_allocate(forger->arena, bytes.len + 1);
    if (bytes.data == NULL) {
        return (ProtobufCBinaryData){ .len = 0 };
    }
    (void)protobuf_c_message_pack(message, bytes.data);
    return bytes;
}

static inline void forger_place(struct forger *forger, Kith__V1__BlockHeader *header,
                                uint32_t fault)
{
    header->has_version = 1;
    header->version = 1;
    if (fault != FORGED_OLD_PLACE || header->number == 0 || header->first_seq == 0) {
        header->number = forger->block + 1;
        header->first_seq = forger->seq + 1;
    }
    header->has_number = 1;
    header->has_first_seq = 1;
    header->has_wall_ms = 1;
    header->has_recorded_at_ms = 1;
    header->has_partitions = 1;
    header->has_types = 1;
    header->has_private_bytes = 1;
    header->private_bytes = 0;
}

static inline void forger_block(struct forger *forger, Kith__V1__FeedBlock *sent, uint32_t fault)
{
    Kith__V1__BlockHeader fresh = KITH__V1__BLOCK_HEADER__INIT;
    Kith__V1__BlockHeader *header =
        forger_unpack(forger, &kith__v1__block_header__descriptor, sent->header);
    const Kith__V1__PublicPart *facts =
        forger_unpack(forger, &kith__v1__public_part__descriptor, sent->public_part);
    if (fault == FORGED_HEADER) {
        return;
    }
    struct hash256 hash = hash256_of_span(pb_span(sent->public_part));
    header = header == NULL ? &fresh : header;
    forger_place(forger, header, fault);
    header->has_count = 1;
    header->count = (facts == NULL ? 1 : (uint32_t)facts->n_facts) + (fault == FORGED_COUNT);
    header->has_public_bytes = 1;
    header->public_bytes = (uint32_t)sent->public_part.len;
    hash.bytes[0] ^= fault == FORGED_HASH;
    header->has_public_hash = 1;
    header->public_hash = pb_bytes(span_of(hash.bytes, sizeof hash.bytes));
    header->has_private_hash = 1;
    header->private_hash = header->public_hash;
    header->base.n_unknown_fields = 0;
    sent->has_header = 1;
    sent->header = forger_pack(forger, &header->base);
    forger->chain = hash_chain(forger->chain, pb_span(sent->header));
    forger->block = header->number;
    forger->seq = header->first_seq + header->count - 1;
}

/* The reply in `body` with blocks that follow from where the forger is, which moves behind
 * them. The same bytes where they are no reply. */
static inline struct span forger_reply(struct forger *forger, struct span body)
{
    struct hash256 before = forger->chain;
    Kith__V1__FetchReply *reply =
        forger_unpack(forger, &kith__v1__fetch_reply__descriptor, pb_bytes(body));
    if (reply == NULL) {
        return body;
    }
    for (size_t i = 0; i < reply->n_blocks; i++) {
        forger_block(forger, reply->blocks[i], (forger->faults >> (3 * (i % 8))) & 7);
    }
    reply->base.n_unknown_fields = 0;
    reply->has_epoch = 1;
    reply->epoch = forger->epoch == 0 ? reply->epoch : forger->epoch;
    reply->has_end = 1;
    reply->end = reply->end < forger->seq ? forger->seq : reply->end;
    reply->has_chain_before = 1;
    reply->chain_before = pb_bytes(span_of(before.bytes, sizeof before.bytes));
    return pb_span(forger_pack(forger, &reply->base));
}

#endif
