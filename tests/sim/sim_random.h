/*
 * Numbers that follow from the seed. Each subject has a stream of its own, so that one that
 * draws more or less leaves all others as they are: without faults the workload is the same.
 */
#ifndef KITH_TESTS_SIM_RANDOM_H
#define KITH_TESTS_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_mix(uint64_t value)
{
    uint64_t mixed = value + UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static inline struct sim_random sim_stream(uint64_t seed, uint64_t subject)
{
    return (struct sim_random){ sim_mix(seed) ^ sim_mix(subject * UINT64_C(0x100000001)) };
}

static inline uint64_t sim_next(struct sim_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return sim_mix(random->state);
}

/* 0..bound - 1 */
static inline uint64_t sim_below(struct sim_random *random, uint64_t bound)
{
    return sim_next(random) % bound;
}

/* least..most */
static inline int64_t sim_between(struct sim_random *random, int64_t least, int64_t most)
{
    return least + (int64_t)sim_below(random, (uint64_t)(most - least) + 1);
}

static inline bool sim_chance(struct sim_random *random, uint64_t per_mille)
{
    return sim_below(random, 1000) < per_mille;
}

#endif
