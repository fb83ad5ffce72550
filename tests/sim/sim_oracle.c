#include "tests/sim/sim_oracle.h"

#include "tests/sim/sim_judge.h"

#include <stdlib.h>
#include <string.h>

const char *sim_node_name(const struct sim_node *node)
{
    return node->definition->name;
}

unsigned sim_text_find(const char *text, const char *const *texts, unsigned count)
{
    unsigned i = 0;
    while (i < count && (text == NULL || strcmp(text, texts[i]) != 0)) {
        i += 1;
    }
    return i;
}

unsigned sim_customer_of(const struct sim_judge *judge, const Kith__V1__Fact *fact)
{
    for (unsigned i = 0; fact->subject != NULL && i < judge->clients->customer_count; i++) {
        const char *customer = judge->clients->customers[i];
        if (fact->subject->bytes.len == strlen(customer) &&
            memcmp(fact->subject->bytes.data, customer, strlen(customer)) == 0) {
            return i;
        }
    }
    return SIM_CUSTOMERS_MAX;
}

/* A key that was used for another request is refused, and nothing else of it is decided. */
static void judge_keys(const struct sim_judge *judge)
{
    for (size_t i = 0; i < judge->clients->count; i++) {
        const struct sim_command *command = judge->clients->commands[i];
        if (command->what != SIM_REUSE) {
            continue;
        }
        if (command->code != STATUS_EXISTS) {
            sim_fail(judge->world, "key %s came with another body: code %u", command->key,
                     command->code);
        }
        sim_sometimes(judge->world, SIM_KEY_REUSED);
    }
}

void sim_oracle_judge(struct sim_world *world)
{
    struct sim_judge judge = { .world = world, .clients = world->clients };
    for (size_t i = 0; i < world->node_count; i++) {
        sim_facts_read(&world->nodes[i], &judge.facts[i]);
    }
    judge_keys(&judge);
    sim_judge_events(&judge);
    sim_judge_points(&judge);
    sim_judge_segments(&judge);
    sim_judge_history(&judge);
    sim_judge_campaign(&judge);
    sim_judge_feeds(&judge);
    sim_judge_report(&judge);
    for (size_t i = 0; i < world->node_count; i++) {
        sim_facts_release(&judge.facts[i]);
    }
    free(judge.accepted);
}
