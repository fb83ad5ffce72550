/* Which feeds were led on: each time by one command, which its journal knows as it was given. That
 * nothing was folded twice or passed over is seen by all that follows from it. */
#include "kith/v1/service.pb-c.h"
#include "tests/sim/sim_judge.h"

#include <inttypes.h>
#include <string.h>

#define ACCEPTED KITH__V1__FACT_TYPE__FACT_CONSUMER_ACCEPTED

static bool fact_is_of(const struct sim_node *node, const Kith__V1__Fact *fact,
                       const struct sim_command *command)
{
    const struct feed_name *feed = &node->feeds[command->feed].feed;
    Kith__V1__ConsumerAccepted *accepted =
        kith__v1__consumer_accepted__unpack(NULL, fact->body.len, fact->body.data);
    bool is_same = accepted != NULL && accepted->feed != NULL && accepted->reason != NULL &&
                   strcmp(accepted->feed, feed->name) == 0 && accepted->shard == feed->shard &&
                   accepted->from == command->from && strcmp(accepted->reason, SIM_REASON) == 0;
    kith__v1__consumer_accepted__free_unpacked(accepted, NULL);
    return is_same;
}

/* The fact that it was told of; 0: its service keeps no journal. */
static uint64_t told_seq(const struct sim_judge *judge, const struct sim_command *command)
{
    Kith__V1__AcceptReply *reply =
        kith__v1__accept_reply__unpack(NULL, command->answer_size, command->answer);
    if (command->code != STATUS_OK || reply == NULL) {
        sim_fail(judge->world, "command %" PRIu64 " (%s): code %u %s", command->number,
                 command->method, command->code, command->message);
    }
    uint64_t seq = reply->seq;
    kith__v1__accept_reply__free_unpacked(reply, NULL);
    return seq;
}

static void accept_judge(const struct sim_judge *judge, const struct sim_command *command)
{
    const struct sim_node *node = &judge->world->nodes[command->node];
    uint64_t seq = told_seq(judge, command);
    const struct sim_fact *fact = sim_fact_at(&judge->facts[command->node], seq);
    bool is_there = fact != NULL && fact->fact->type == ACCEPTED;
    if (node->journal == NULL ? seq != 0 : !is_there || !fact_is_of(node, fact->fact, command)) {
        sim_fail(judge->world,
                 "command %" PRIu64 " (%s) was told of fact %" PRIu64 " of %s/%" PRIu32
                 ", which is not its own",
                 command->number, command->method, seq, node->definition->name, node->shard);
    }
    sim_sometimes(judge->world, SIM_FEED_LED_ON);
}

/* How many commands were told of this fact. */
static unsigned commands_of(const struct sim_judge *judge, size_t node, uint64_t seq)
{
    unsigned count = 0;
    for (size_t i = 0; i < judge->clients->count; i++) {
        const struct sim_command *command = judge->clients->commands[i];
        if (command->what == SIM_ACCEPT && command->node == node &&
            told_seq(judge, command) == seq) {
            count += 1;
        }
    }
    return count;
}

static void facts_judge(const struct sim_judge *judge, size_t node)
{
    const struct sim_facts *facts = &judge->facts[node];
    for (size_t i = 0; i < facts->count; i++) {
        const struct sim_fact *fact = &facts->facts[i];
        if (fact->fact->type == ACCEPTED && commands_of(judge, node, fact->seq) != 1) {
            sim_fail(judge->world,
                     "%s, fact %" PRIu64 ": a feed was led on by %u commands, not by one",
                     sim_node_name(&judge->world->nodes[node]), fact->seq,
                     commands_of(judge, node, fact->seq));
        }
    }
}

/* Of a feed that nobody reads. */
static void refusal_judge(const struct sim_judge *judge, const struct sim_command *command)
{
    if (command->code != STATUS_NOT_FOUND) {
        sim_fail(judge->world, "command %" PRIu64 " (%s): code %u %s", command->number,
                 command->method, command->code, command->message);
    }
    sim_sometimes(judge->world, SIM_ACCEPT_REFUSED);
}

void sim_judge_feeds(struct sim_judge *judge)
{
    for (size_t i = 0; i < judge->clients->count; i++) {
        const struct sim_command *command = judge->clients->commands[i];
        if (command->what == SIM_ACCEPT) {
            accept_judge(judge, command);
        } else if (command->what == SIM_ACCEPT_WRONG) {
            refusal_judge(judge, command);
        }
    }
    for (size_t i = 0; i < judge->world->node_count; i++) {
        facts_judge(judge, i);
    }
}
