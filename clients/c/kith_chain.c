#include "clients/c/kith_chain.h"

#include "clients/c/kith_status.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#define BLOCK_VERSION 1
/* Sums of these never overflow. */
#define NUMBER_MAX (UINT64_MAX / 4)

_Static_assert(KITH_CHAIN_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

static void hash(const void *first, size_t first_size, ProtobufCBinaryData second,
                 uint8_t out[KITH_CHAIN_BYTES])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, KITH_CHAIN_BYTES);
    (void)crypto_generichash_update(&state, first, first_size);
    (void)crypto_generichash_update(&state, second.data, second.len);
    (void)crypto_generichash_final(&state, out, KITH_CHAIN_BYTES);
}

static bool header_is_sane(const Kith__V1__BlockHeader *header)
{
    return header->has_version && header->version == BLOCK_VERSION && header->number >= 1 &&
           header->number < NUMBER_MAX && header->first_seq >= 1 &&
           header->first_seq < NUMBER_MAX && header->public_hash.len == KITH_CHAIN_BYTES;
}

static enum kith_status place_check(const Kith__V1__BlockHeader *header,
                                    const struct kith_chain *before, struct kith_error *error)
{
    uint64_t next_seq = before->seq + 1;
    if (!before->is_known) {
        /* The producer has looked for the block that holds the next fact. */
        if (header->first_seq > next_seq) {
            return kith_error_set(error, KITH_DATA_LOSS,
                                  "a gap: block %" PRIu64 " begins at seq %" PRIu64 ", and %" PRIu64
                                  " should come next",
                                  header->number, header->first_seq, next_seq);
        }
        return KITH_OK;
    }
    if (header->number != before->block + 1 || header->first_seq != next_seq) {
        return kith_error_set(error, KITH_DATA_LOSS,
                              "a gap: block %" PRIu64 " at seq %" PRIu64 " came, and block %" PRIu64
                              " at seq %" PRIu64 " should be next",
                              header->number, header->first_seq, before->block + 1, next_seq);
    }
    return KITH_OK;
}

static enum kith_status facts_open(struct kith_block *block, const Kith__V1__BlockHeader *header,
                                   const struct kith_block_bytes *bytes, struct kith_error *error)
{
    uint8_t hashed[KITH_CHAIN_BYTES];
    hash(NULL, 0, bytes->public_part, hashed);
    if (memcmp(hashed, header->public_hash.data, sizeof hashed) != 0) {
        return kith_error_set(error, KITH_DATA_LOSS,
                              "the facts of block %" PRIu64 " have another hash than its header "
                              "says",
                              header->number);
    }
    block->facts = kith_unpack(&block->budget, &kith__v1__public_part__descriptor,
                               bytes->public_part.data, bytes->public_part.len);
    if (block->facts == NULL || block->facts->n_facts != header->count) {
        kith_block_release(block);
        return kith_error_set(error, KITH_DATA_LOSS,
                              "the facts of block %" PRIu64 " cannot be read", header->number);
    }
    return KITH_OK;
}

static enum kith_status block_fill(struct kith_block *block, const struct kith_chain *before,
                                   const Kith__V1__BlockHeader *header,
                                   const struct kith_block_bytes *bytes, struct kith_error *error)
{
    if (!header_is_sane(header)) {
        return kith_error_set(error, KITH_DATA_LOSS,
                              "a block's header is not of this version of the protocol");
    }
    enum kith_status status = place_check(header, before, error);
    if (status != KITH_OK) {
        return status;
    }
    *block = (struct kith_block){
        .after = { .is_known = true,
                   .block = header->number,
                   .seq = header->first_seq + header->count - 1 },
        .first_seq = header->first_seq,
        .count = header->count,
    };
    hash(before->bytes, sizeof before->bytes, bytes->header, block->after.bytes);
    if (bytes->has_public_part) {
        return facts_open(block, header, bytes, error);
    }
    if (header->count > 0 && (header->types & bytes->types_asked) != 0) {
        return kith_error_set(error, KITH_DATA_LOSS,
                              "block %" PRIu64 " came without its facts, which were asked for",
                              header->number);
    }
    return KITH_OK;
}

enum kith_status kith_block_open(struct kith_block *block, const struct kith_chain *before,
                                 const struct kith_block_bytes *bytes, struct kith_error *error)
{
    struct kith_budget budget = { 0 };
    Kith__V1__BlockHeader *header = kith_unpack(&budget, &kith__v1__block_header__descriptor,
                                                bytes->header.data, bytes->header.len);
    if (header == NULL) {
        return kith_error_set(error, KITH_DATA_LOSS, "a block's header cannot be read");
    }
    enum kith_status status = block_fill(block, before, header, bytes, error);
    kith_unpacked_free(&budget, header);
    return status;
}

void kith_block_release(struct kith_block *block)
{
    kith_unpacked_free(&block->budget, block->facts);
    block->facts = NULL;
}
