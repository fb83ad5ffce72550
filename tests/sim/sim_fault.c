#include "tests/sim/sim_fault.h"

#include "common/service/shell_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define DOWN_MOST_US 1500000
#define APART_MOST_US 2000000
#define FULL_MOST_US 2500000
#define FROZEN_MOST_US 3000000
#define BACK_MOST_MS 120000
#define WRITES_MOST 25
#define SYNCS_MOST 5
/* While the stores are made. */
#define FIRST_WRITES_MOST 12
#define LEAP_MOST_MS (INT64_C(20) * 3600 * 1000)
/* Keys are known for seven days of the wall clock. */
#define LEAPS_MOST_MS (INT64_C(6) * 24 * 3600 * 1000)

const char *const sim_troubles[SIM_TROUBLES] = {
    "loss", "twice", "late",   "slow", "apart",  "kill",  "power",   "blackout",
    "stop", "leaps", "errors", "full", "frozen", "small", "replaced"
};

/* In the order of sim_troubles. */
static void troubles_drop(struct sim_swarm *swarm, uint32_t without)
{
    bool *const places[SIM_TROUBLES] = {
        &swarm->has_loss,   &swarm->has_twice, &swarm->has_late,     &swarm->has_slow,
        &swarm->has_apart,  &swarm->has_kill,  &swarm->has_power,    &swarm->has_blackout,
        &swarm->has_stop,   &swarm->has_leaps, &swarm->has_errors,   &swarm->has_full,
        &swarm->has_frozen, &swarm->has_small, &swarm->has_replaced,
    };
    for (unsigned i = 0; i < SIM_TROUBLES; i++) {
        *places[i] = *places[i] && (without >> i & 1U) == 0;
    }
}

struct sim_swarm sim_swarm_draw(const struct sim_options *options)
{
    struct sim_random random = sim_stream(options->seed, 1);
    struct sim_swarm swarm = { .is_event_clock = sim_chance(&random, 450) };
    swarm.has_loss = sim_chance(&random, 400);
    swarm.has_twice = sim_chance(&random, 400);
    swarm.has_late = sim_chance(&random, 400);
    swarm.has_slow = sim_chance(&random, 300);
    swarm.has_apart = sim_chance(&random, 300);
    swarm.has_kill = sim_chance(&random, 500);
    swarm.has_power = sim_chance(&random, 500);
    swarm.has_blackout = sim_chance(&random, 200);
    swarm.has_stop = sim_chance(&random, 250);
    swarm.has_leaps = !swarm.is_event_clock && sim_chance(&random, 700);
    swarm.has_errors = sim_chance(&random, 300);
    swarm.has_full = sim_chance(&random, 200);
    swarm.has_frozen = sim_chance(&random, 300);
    swarm.has_small = sim_chance(&random, 400);
    swarm.consumer_shards = sim_chance(&random, 200) ? 2 : 1;
    swarm.has_replaced = sim_chance(&random, 250);
    troubles_drop(&swarm, options->without);
    return swarm;
}

struct sim_weather sim_weather_draw(const struct sim_swarm *swarm, struct sim_random *random)
{
    struct sim_weather weather = { .delay_least_us = 50, .delay_most_us = 400 };
    if (swarm->has_slow) {
        weather.delay_least_us = sim_between(random, 100, 5000);
        weather.delay_most_us = weather.delay_least_us + sim_between(random, 100, 60000);
    }
    weather.loss_per_mille = swarm->has_loss ? (uint64_t)sim_between(random, 5, 200) : 0;
    weather.twice_per_mille = swarm->has_twice ? (uint64_t)sim_between(random, 5, 200) : 0;
    weather.late_per_mille = swarm->has_late ? (uint64_t)sim_between(random, 5, 200) : 0;
    weather.late_most_us = sim_between(random, 1000, 1500000);
    return weather;
}

/* ---- one thing */

static struct sim_node *node_draw(struct sim_world *world)
{
    struct sim_node *node = &world->nodes[sim_below(&world->faults, world->node_count)];
    return node->shell == NULL || sim_disk_is_struck(world->disk, node->number) ? NULL : node;
}

static void node_kill(struct sim_world *world, enum sim_blow blow)
{
    struct sim_node *node = node_draw(world);
    if (node == NULL) {
        return;
    }
    if (sim_chance(&world->faults, 300)) {
        sim_disk_strike(world->disk, node->number, blow);
    } else {
        sim_disk_arm(world->disk, node->number, blow, 1 + sim_below(&world->faults, WRITES_MOST));
    }
}

static void blackout(struct sim_world *world)
{
    sim_sometimes(world, SIM_BLACKOUT);
    for (size_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].shell != NULL) {
            sim_disk_strike(world->disk, (unsigned)i, SIM_POWER);
        }
    }
}

static void set_apart(struct sim_world *world)
{
    unsigned count = (unsigned)world->node_count;
    unsigned a = (unsigned)sim_below(&world->faults, count);
    unsigned b = (unsigned)sim_below(&world->faults, count + SIM_CLIENTS);
    b = b < count ? b : SIM_NODES_MAX + b - count;
    int64_t until_us = world->now_us + sim_between(&world->faults, 50000, APART_MOST_US);
    uint64_t which = sim_below(&world->faults, 3);
    if (which != 0) {
        world->network.apart_until_us[a][b] = until_us;
    }
    if (which != 1) {
        world->network.apart_until_us[b][a] = until_us;
    }
    sim_sometimes(world, SIM_APART);
    sim_log(world, "ports %u and %u are apart", a, b);
}

static void start_later(struct sim_world *world, const struct sim_node *node)
{
    struct sim_event event = { .at_us =
                                   world->now_us + sim_between(&world->faults, 0, DOWN_MOST_US),
                               .kind = SIM_START,
                               .target = node->number,
                               .number = node->starts };
    sim_schedule_put(&world->schedule, event);
}

static void node_stop(struct sim_world *world)
{
    struct sim_node *node = node_draw(world);
    if (node == NULL) {
        return;
    }
    sim_log(world, "%s/%" PRIu32 " stops", node->definition->name, node->shard);
    sim_sometimes(world, SIM_STOPPED_AND_STARTED);
    if (!sim_node_stop(node)) {
        return;
    }
    if (!sim_disk_is_struck(world->disk, node->number)) {
        sim_node_close(node);
        start_later(world, node);
    }
}

static void journal_replace(struct sim_world *world)
{
    struct sim_node *node = node_draw(world);
    if (node == NULL || node->journal == NULL) {
        return;
    }
    sim_log(world, "%s/%" PRIu32 " goes on with a copy of its journal", node->definition->name,
            node->shard);
    if (sim_node_stop(node) && sim_journal_copy(node)) {
        sim_sometimes(world, SIM_JOURNAL_REPLACED);
        sim_node_close(node);
        start_later(world, node);
    }
}

static void error_arm(struct sim_world *world)
{
    const struct sim_node *node = node_draw(world);
    uint64_t syncs = 1 + sim_below(&world->faults, SYNCS_MOST);
    if (sim_chance(&world->faults, 400)) {
        node = sim_node_find(world, "campaign", 0);
        sim_disk_arm_error(world->disk, node->number, "/outbox/", syncs);
    } else if (node != NULL) {
        sim_disk_arm_error(world->disk, node->number, "", syncs);
    }
}

static void disk_fill(struct sim_world *world)
{
    struct sim_node *node = node_draw(world);
    if (node != NULL) {
        node->full_until_us = world->now_us + sim_between(&world->faults, 100000, FULL_MOST_US);
        sim_disk_fill(world->disk, node->number, true);
        sim_sometimes(world, SIM_DISK_FULL);
        sim_log(world, "%s/%" PRIu32 " has a full disk", node->definition->name, node->shard);
    }
}

static void freeze(struct sim_world *world)
{
    struct sim_node *node = node_draw(world);
    if (node != NULL) {
        node->busy_until_us = world->now_us + sim_between(&world->faults, 1000, FROZEN_MOST_US);
        node->wake_number += 1;
        node->wake_at_us = 0;
        sim_wake(world, node, node->busy_until_us);
        sim_sometimes(world, SIM_FROZEN);
        sim_log(world, "%s/%" PRIu32 " stands still", node->definition->name, node->shard);
    }
}

static void leap_back(struct sim_world *world)
{
    world->leapt_ms -= sim_between(&world->faults, 1, BACK_MOST_MS);
    sim_sometimes(world, SIM_WALL_BACK);
    sim_log(world, "the wall clock goes back");
}

static void leap(struct sim_world *world)
{
    if (sim_chance(&world->faults, 150)) {
        leap_back(world);
        return;
    }
    int64_t leap_ms = sim_between(&world->faults, 1, LEAP_MOST_MS);
    if (sim_chance(&world->faults, 500)) {
        leap_ms /= 60;
    }
    if (world->leapt_ms + leap_ms <= LEAPS_MOST_MS) {
        world->leapt_ms += leap_ms;
        sim_sometimes(world, SIM_WALL_LEAPT);
        sim_log(world, "the wall clock leaps %" PRId64 " ms ahead", leap_ms);
    }
}

void sim_fault_first(struct sim_world *world)
{
    bool has_blows = world->swarm.has_power || world->swarm.has_kill;
    enum sim_blow blow = world->swarm.has_power ? SIM_POWER : SIM_KILL;
    for (size_t i = 0; i < world->node_count && has_blows; i++) {
        uint64_t writes = 1 + sim_below(&world->faults, FIRST_WRITES_MOST);
        if (sim_chance(&world->faults, 200)) {
            sim_disk_arm(world->disk, (unsigned)i, blow, writes);
        }
    }
}

static void end_one(struct sim_world *world)
{
    node_kill(world, SIM_KILL);
}

static void power_cut(struct sim_world *world)
{
    node_kill(world, SIM_POWER);
}

void sim_fault(struct sim_world *world)
{
    const struct sim_swarm *swarm = &world->swarm;
    if (swarm->has_replaced && sim_chance(&world->faults, 80)) {
        journal_replace(world);
        return;
    }
    const struct {
        bool is_there;
        uint64_t weight;
        void (*happen)(struct sim_world *world);
    } faults[] = {
        { swarm->has_kill, 25, end_one },     { swarm->has_power, 25, power_cut },
        { swarm->has_blackout, 4, blackout }, { swarm->has_apart, 16, set_apart },
        { swarm->has_stop, 5, node_stop },    { swarm->has_errors, 6, error_arm },
        { swarm->has_full, 4, disk_fill },    { swarm->has_frozen, 4, freeze },
        { swarm->has_leaps, 11, leap },
    };
    uint64_t drawn = sim_below(&world->faults, 100);
    uint64_t passed = 0;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        bool is_this = drawn >= passed && drawn < passed + faults[i].weight;
        passed += faults[i].weight;
        if (is_this && faults[i].is_there) {
            faults[i].happen(world);
        }
    }
}

/* ---- afterwards */

void sim_blows_settle(struct sim_world *world)
{
    for (size_t i = 0; i < world->node_count; i++) {
        struct sim_node *node = &world->nodes[i];
        if (node->full_until_us > 0 && (world->is_calm || node->full_until_us <= world->now_us)) {
            node->full_until_us = 0;
            sim_disk_fill(world->disk, node->number, false);
        }
        if (node->is_open && node->has_failed) {
            sim_disk_strike(world->disk, node->number, SIM_KILL);
        }
        if (node->is_open && sim_disk_is_struck(world->disk, node->number)) {
            sim_node_close(node);
            sim_disk_restore(world->disk, node->number);
            node->was_struck = true;
            start_later(world, node);
        }
    }
}

void sim_calm(struct sim_world *world)
{
    world->is_calm = true;
    world->network.weather = (struct sim_weather){ .delay_least_us = 50, .delay_most_us = 300 };
    memset(world->network.apart_until_us, 0, sizeof world->network.apart_until_us);
    sim_log(world, "trouble is over");
}
