#include "tests/sim/sim_facts.h"

#include "common/journal/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_BYTES 32

struct reading {
    const struct sim_node *node;
    struct sim_facts *facts;
    uint64_t blocks;
    int64_t recorded_at_ms; /* of the newest fact */
    uint8_t chain[CHAIN_BYTES];
};

_Noreturn static void broken(const struct reading *reading, const char *what)
{
    sim_fail(reading->node->world, "%s/%" PRIu32 ": block %" PRIu64 " of its journal: %s",
             reading->node->definition->name, reading->node->shard, reading->blocks + 1, what);
}

static void chain_check(struct reading *reading, const struct block *block)
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, CHAIN_BYTES);
    (void)crypto_generichash_update(&state, reading->chain, CHAIN_BYTES);
    (void)crypto_generichash_update(&state, block->header_bytes.data, block->header_bytes.size);
    (void)crypto_generichash_final(&state, reading->chain, CHAIN_BYTES);
    if (memcmp(reading->chain, block->chain.bytes, CHAIN_BYTES) != 0) {
        broken(reading, "its chain is not what its header makes of the one before");
    }
}

static void header_check(struct reading *reading, const struct block *block)
{
    Kith__V1__BlockHeader *header =
        kith__v1__block_header__unpack(NULL, block->header_bytes.size, block->header_bytes.data);
    uint8_t hash[CHAIN_BYTES];
    (void)crypto_generichash(hash, sizeof hash, block->public_part.data, block->public_part.size,
                             NULL, 0);
    bool is_right = header != NULL && header->number == reading->blocks + 1 &&
                    header->first_seq == reading->facts->count + 1 &&
                    header->public_hash.len == CHAIN_BYTES &&
                    memcmp(header->public_hash.data, hash, CHAIN_BYTES) == 0;
    if (!is_right) {
        broken(reading, "its number, its first seq or its hash is wrong");
    }
    kith__v1__block_header__free_unpacked(header, NULL);
}

static void fact_add(struct reading *reading, const Kith__V1__Fact *fact, int64_t wall_ms)
{
    struct sim_facts *facts = reading->facts;
    if (facts->count == facts->capacity) {
        facts->capacity = facts->capacity == 0 ? 64 : 2 * facts->capacity;
        facts->facts = memory_resize(facts->facts, facts->capacity * sizeof *facts->facts);
    }
    if (fact->recorded_at_ms < reading->recorded_at_ms) {
        broken(reading, "a fact was recorded before the one before it");
    }
    reading->recorded_at_ms = fact->recorded_at_ms;
    facts->facts[facts->count] =
        (struct sim_fact){ .seq = facts->count + 1, .wall_ms = wall_ms, .fact = fact };
    facts->count += 1;
}

static void part_keep(struct sim_facts *facts, Kith__V1__PublicPart *part)
{
    if (facts->part_count == facts->part_capacity) {
        facts->part_capacity = facts->part_capacity == 0 ? 64 : 2 * facts->part_capacity;
        facts->parts = memory_resize(facts->parts, facts->part_capacity * sizeof(void *));
    }
    facts->parts[facts->part_count++] = part;
}

static bool block_read(void *argument, const struct block *block)
{
    struct reading *reading = argument;
    chain_check(reading, block);
    header_check(reading, block);
    Kith__V1__PublicPart *part =
        kith__v1__public_part__unpack(NULL, block->public_part.size, block->public_part.data);
    if (part == NULL || part->n_facts != block->header.count) {
        broken(reading, "its facts cannot be read, or are not as many as it says");
    }
    part_keep(reading->facts, part);
    for (size_t i = 0; i < part->n_facts; i++) {
        fact_add(reading, part->facts[i], block->header.wall_ms);
    }
    reading->blocks += 1;
    return true;
}

void sim_facts_read(const struct sim_node *node, struct sim_facts *facts)
{
    struct reading reading = { .node = node, .facts = facts, .recorded_at_ms = INT64_MIN };
    struct journal_position start = { .seq = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    *facts = (struct sim_facts){ .count = 0 };
    if (node->journal != NULL &&
        journal_read(node->journal, &start, block_read, &reading, &refusal) != STATUS_OK) {
        broken(&reading, refusal.message);
    }
}

void sim_facts_release(struct sim_facts *facts)
{
    for (size_t i = 0; i < facts->part_count; i++) {
        kith__v1__public_part__free_unpacked(facts->parts[i], NULL);
    }
    free(facts->parts);
    free(facts->facts);
    *facts = (struct sim_facts){ .count = 0 };
}

const struct sim_fact *sim_fact_at(const struct sim_facts *facts, uint64_t seq)
{
    return seq == 0 || seq > facts->count ? NULL : &facts->facts[seq - 1];
}
