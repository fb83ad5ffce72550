/* link: common_journal common_base kith_proto */
/* covers: common/journal/block_header.c common/journal/block_raw.c common/journal/block_read.c */
/*
 * Hostile bytes as a block: decoding gives a status, reads nothing that is not there, and
 * accepts nothing that protobuf-c would not read as well.
 *
 * Input: size of the header (1 byte) | size of the public part (2 bytes, big-endian) |
 * header | public part | private part. The sizes and the count in the header are not held
 * against the parts; the parts are decoded as if a fitting header stood before them, for
 * that is what a forger would write.
 */
#include "common/journal/block.h"
#include "kith/v1/block.pb-c.h"

#include <assert.h>
#include <string.h>

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)
/* Facts of hostile parts are counted up to here. */
#define COUNT_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

struct counted {
    size_t facts;
    size_t others;
};

static bool entry_count(void *argument, const struct block_entry *entry)
{
    struct counted *counted = argument;
    bool is_fact = entry->kind == BLOCK_ENTRY_RECORD && !entry->record.is_private;
    if (is_fact) {
        counted->facts += 1;
    } else {
        counted->others += 1;
    }
    if (entry->kind == BLOCK_ENTRY_FOLDED) {
        assert(strnlen(entry->folded.feed.name, sizeof entry->folded.feed.name) <
               sizeof entry->folded.feed.name);
    }
    return true;
}

static void header_try(struct span bytes)
{
    struct block_header header = { 0 };
    if (block_header_decode(bytes, &header) != STATUS_OK) {
        return;
    }
    Kith__V1__BlockHeader *message = kith__v1__block_header__unpack(NULL, bytes.size, bytes.data);
    assert(message != NULL);
    assert(message->number == header.number && message->first_seq == header.first_seq);
    assert(message->count == header.count && message->wall_ms == header.wall_ms);
    /* A header has one encoding. */
    uint8_t packed[256] = { 0 };
    assert(kith__v1__block_header__get_packed_size(message) == bytes.size);
    (void)kith__v1__block_header__pack(message, packed);
    assert(memcmp(packed, bytes.data, bytes.size) == 0);
    kith__v1__block_header__free_unpacked(message, NULL);
}

static void parts_agree(const struct block *block, const struct counted *counted)
{
    Kith__V1__PublicPart *public_part =
        kith__v1__public_part__unpack(NULL, block->public_part.size, block->public_part.data);
    Kith__V1__PrivatePart *private_part =
        kith__v1__private_part__unpack(NULL, block->private_part.size, block->private_part.data);
    assert(public_part != NULL && public_part->n_facts == counted->facts);
    /* protobuf-c holds names to no rule, so it reads whatever we read. */
    assert(private_part != NULL && private_part->n_entries == counted->others);
    kith__v1__public_part__free_unpacked(public_part, NULL);
    kith__v1__private_part__free_unpacked(private_part, NULL);
}

/* The header that a forger would write: one that fits, but for the count of facts, which
 * is tried. */
static void parts_try(struct span public_part, struct span private_part)
{
    struct block block = { .header = { .number = 1,
                                       .first_seq = 1,
                                       .public_bytes = (uint32_t)public_part.size,
                                       .private_bytes = (uint32_t)private_part.size },
                           .public_part = public_part,
                           .private_part = private_part };
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    size_t accepted = 0;
    for (block.header.count = 0; block.header.count < COUNT_MAX; block.header.count++) {
        struct counted counted = { 0 };
        int64_t now_ms = 0;
        arena_reset(&arena);
        if (block_walk(&block, &arena, entry_count, &counted, &now_ms) == STATUS_OK) {
            assert(counted.facts == block.header.count);
            parts_agree(&block, &counted);
            accepted += 1;
        } else {
            assert(counted.facts + counted.others == 0);
        }
    }
    assert(accepted <= 1);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    struct span rest = span_of(data + 3, size - 3);
    size_t header = data[0] < rest.size ? data[0] : rest.size;
    size_t left = rest.size - header;
    size_t public_part = be16_get(data + 1) < left ? be16_get(data + 1) : left;
    header_try(span_of(rest.data, header));
    parts_try(span_of(rest.data + header, public_part),
              span_of(rest.data + header + public_part, left - public_part));
    return 0;
}

/* ---- seeds: now and then an input begins anew as a sound block */

static size_t seed_write(uint8_t *out, size_t size_max, unsigned seed)
{
    struct block_builder builder;
    struct block block = { 0 };
    struct journal_position before = { .seq = seed, .block = seed / 2 };
    block_builder_init(&builder);
    block_begin(&builder, &before, 1, 1);
    block_record_add(&builder, span_of_text("record"));
    for (unsigned i = 0; i < seed % 4; i++) {
        struct fact fact = { .type = 1 + i,
                             .version = 1,
                             .recorded_at_ms = -5,
                             .cause = seed,
                             .has_customer = i % 2 == 0,
                             .subject = { .key_id = i, .bytes = span_of_text("who") },
                             .body = span_of_text("body") };
        (void)block_fact_add(&builder, &fact);
    }
    struct outcome outcome = { .reply_body = span_of_text("reply") };
    block_outcome_add(&builder, &outcome);
    struct folded folded = { .feed = { .name = "ingestion" }, .epoch = seed };
    block_folded_add(&builder, &folded);
    block_seal(&builder, &before, 9, &block);

    size_t size = 3 + block.header_bytes.size + block.public_part.size + block.private_part.size;
    if (size <= size_max) {
        out[0] = (uint8_t)block.header_bytes.size;
        be16_put(out + 1, (uint16_t)block.public_part.size);
        memcpy(out + 3, block.header_bytes.data, block.header_bytes.size);
        out += 3 + block.header_bytes.size;
        if (block.public_part.size > 0) {
            memcpy(out, block.public_part.data, block.public_part.size);
        }
        memcpy(out + block.public_part.size, block.private_part.data, block.private_part.size);
    }
    block_builder_release(&builder);
    return size <= size_max ? size : 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    if (seed % 64 == 0 || size < 3) {
        size_t written = seed_write(data, size_max, seed / 64);
        size = written > 0 ? written : size;
    }
    return LLVMFuzzerMutate(data, size, size_max);
}
