/*
 * Numbers that look drawn by lot and follow from the seed alone: what is drawn is named by a
 * key and a purpose, so that it can be drawn again at any time and nothing need be kept.
 */
#ifndef KITH_CLI_GEN_DRAW_H
#define KITH_CLI_GEN_DRAW_H

#include <stdbool.h>
#include <stdint.h>

/* What is drawn of one key: each purpose has numbers of its own. Those from GEN_DRAW_DAYS on
 * count on: a number for each day, month or epoch. */
enum gen_purpose {
    GEN_DRAW_ORDER = 1,
    GEN_DRAW_BLOCK,
    GEN_DRAW_LIFE,
    GEN_DRAW_LOOKS,
    GEN_DRAW_CHANGE,
    GEN_DRAW_CALLS,
    GEN_DRAW_MONEY,
    GEN_DRAW_CONTACT,
    GEN_DRAW_SHIFT,
    GEN_DRAW_DAYS = 1 << 8,
    GEN_DRAW_BILLS = 2 << 8 << 8,
    GEN_DRAW_SLEEP = 3 << 8 << 8,
    GEN_DRAW_TRIPS = 4 << 8 << 8,
    GEN_DRAW_FAULTS = 5 << 8 << 8,
};

/* The finalizer of SplitMix64: each bit of the result depends on each bit of `value`. */
static inline uint64_t gen_mix(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

static inline uint64_t gen_draw(uint64_t key, uint64_t purpose)
{
    return gen_mix(key ^ (purpose * UINT64_C(0xD6E8FEB86659FD93)));
}

/* 0 to below - 1, from 16 bits of a drawn number: the slice 0, 1, 2 or 3. */
static inline uint32_t gen_slice(uint64_t drawn, unsigned slice, uint32_t below)
{
    return (uint32_t)((drawn >> (16 * slice)) & 0xFFFFU) * below >> 16;
}

/* True so many times out of 10,000. */
static inline bool gen_chance(uint64_t drawn, unsigned slice, uint32_t of_10000)
{
    return gen_slice(drawn, slice, 10000) < of_10000;
}

#endif
