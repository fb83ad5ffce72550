/*
 * A filter in memory before a run: says of most keys that the run does not have them, and
 * is wrong the other way only, for about one new key in 1,000.
 *
 * A blocked Bloom filter: a key sets one bit in each of the eight words of one line, and a
 * look touches that one line, a line of the processor's cache. 16 bits a key: to look into a
 * run for nothing takes 3 us, and with 12 bits (one in 240) and a dozen runs that would be
 * more than all the rest of a look.
 *
 * The words are written to the file as they lie in memory: like the pages around them, which
 * LMDB keeps in the byte order of the machine.
 */
#ifndef KITH_STORE_RUN_FILTER_H
#define KITH_STORE_RUN_FILTER_H

#include "common/base/bytes.h"

#define RUN_FILTER_LINE_WORDS 8
#define RUN_FILTER_LINE_BYTES 64
#define RUN_FILTER_BITS_A_KEY 16

/* Whoever has the struct that was initialized owns the memory; copies of it only look. */
struct run_filter {
    uint64_t *words; /* on the border of a line */
    uint32_t lines;
    void *memory;
};

/* How many lines the filter of a run of so many keys has. */
uint32_t run_filter_lines(uint64_t keys);
/* Empty: says no to every key. At least one line. */
void run_filter_init(struct run_filter *filter, uint32_t lines);
void run_filter_release(struct run_filter *filter);

/* Here and below `hash` is store_key_hash() of a whole key: one for the filters of all runs. */
void run_filter_add(struct run_filter *filter, uint64_t hash);

/* Eight words of one line. */
static inline uint64_t *run_filter_line(const struct run_filter *filter, uint64_t hash)
{
    uint64_t line = ((hash >> 32) * filter->lines) >> 32;
    return filter->words + line * RUN_FILTER_LINE_WORDS;
}

/* Mixed, because the line was chosen by the upper half. */
static inline uint64_t run_filter_bits(uint64_t hash)
{
    return (hash * UINT64_C(0x9e3779b97f4a7c15)) >> 16;
}

/* Brings the line near, so that the lines of many filters come at the same time. */
static inline void run_filter_prefetch(const struct run_filter *filter, uint64_t hash)
{
    __builtin_prefetch(run_filter_line(filter, hash));
}

/* False: certainly not. Without a branch on the bits: nobody could foretell it. */
static inline bool run_filter_may_hold(const struct run_filter *filter, uint64_t hash)
{
    const uint64_t *line = run_filter_line(filter, hash);
    uint64_t bits = run_filter_bits(hash);
    uint64_t all = 1;
    for (unsigned i = 0; i < RUN_FILTER_LINE_WORDS; i++) {
        all &= line[i] >> ((bits >> (6 * i)) & 63U);
    }
    return (all & 1U) != 0;
}

#endif
