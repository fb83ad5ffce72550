/*
 * What stands in a service's journal, as a flat list: read by the messages' form alone, with
 * numbers, hashes and chain worked out again.
 */
#ifndef KITH_TESTS_SIM_FACTS_H
#define KITH_TESTS_SIM_FACTS_H

#include "kith/v1/block.pb-c.h"
#include "tests/sim/sim_world.h"

struct sim_fact {
    uint64_t seq;
    int64_t wall_ms; /* of its block */
    const Kith__V1__Fact *fact;
};

struct sim_facts {
    size_t count;
    size_t capacity;
    struct sim_fact *facts; /* facts[seq - 1] */
    size_t part_count;
    size_t part_capacity;
    Kith__V1__PublicPart **parts;
};

/* Of the node's journal as it is now; whatever is wrong with it ends the process. */
void sim_facts_read(const struct sim_node *node, struct sim_facts *facts);
void sim_facts_release(struct sim_facts *facts);
/* NULL: there is no such fact. */
const struct sim_fact *sim_fact_at(const struct sim_facts *facts, uint64_t seq);

#endif
