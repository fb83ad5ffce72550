/*
 * An operator. Where a service went on with a copy of its journal, whoever reads it stands still
 * until somebody says from where it goes on: here, from where it stands, since the copy is whole.
 */
#include "common/service/shell_internal.h"
#include "tests/sim/sim_clients.h"
#include "tests/sim/sim_story.h"

#include <inttypes.h>

/* Of the looks at a feed that stands still: after so many somebody has made up his mind. */
#define RESOLVED_PER_MILLE 150

static bool is_asked(const struct sim_clients *clients, const struct sim_node *node)
{
    for (size_t i = 0; i < clients->count; i++) {
        const struct sim_command *command = clients->commands[i];
        if (command->what == SIM_ACCEPT && command->node == node->number && !command->is_answered) {
            return true;
        }
    }
    return false;
}

/*
 * What is named must be where the feed stands when the command is decided, or facts would be
 * folded twice, or never. A blow in between takes back what was folded since the last
 * checkpoint where no journal holds it; and under the event clock the time that was passed over,
 * which nothing brings back when no event follows.
 */
static bool may_lead(const struct sim_world *world, const struct sim_node *node)
{
    return world->is_calm || (node->journal != NULL && !world->swarm.is_event_clock);
}

static void feed_lead_on(struct sim_world *world, const struct sim_node *node, unsigned feed)
{
    struct sim_command *command = sim_command_add(world->clients, SIM_OPERATOR);
    command->what = SIM_ACCEPT;
    command->node = node->number;
    command->feed = feed;
    command->from = feed_reader_cursor(node->shell->readers[feed])->to;
    sim_accept_encode(node->feeds[feed].feed.name, node->feeds[feed].feed.shard, command);
    sim_log(world, "%s/%" PRIu32 " is to go on with %s/%" PRIu32 " after %" PRIu64,
            node->definition->name, node->shard, node->feeds[feed].feed.name,
            node->feeds[feed].feed.shard, command->from);
    sim_command_begin(world->clients, command);
}

static void node_look(struct sim_world *world, struct sim_node *node, struct sim_random *random)
{
    for (unsigned i = 0; i < node->feed_count; i++) {
        if (feed_reader_stopped(node->shell->readers[i]) == NULL ||
            !sim_chance(random, RESOLVED_PER_MILLE)) {
            continue;
        }
        if (world->is_calm) {
            /* Of the blows that were to come: none may fall between this and its answer. */
            sim_disk_disarm(world->disk, node->number);
        }
        feed_lead_on(world, node, i);
        return;
    }
}

void sim_operator_look(struct sim_world *world)
{
    struct sim_random *random = &world->clients->clients[SIM_OPERATOR].random;
    for (size_t i = 0; i < world->node_count && world->swarm.has_replaced; i++) {
        struct sim_node *node = &world->nodes[i];
        if (node->shell != NULL && !sim_disk_is_struck(world->disk, node->number) &&
            may_lead(world, node) && !is_asked(world->clients, node)) {
            node_look(world, node, random);
        }
    }
}
