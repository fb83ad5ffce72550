/* A service's shard: opening, turns, ends of every kind, and whether its state is right. */
#include "common/service/replay.h"
#include "common/service/shell_internal.h"
#include "tests/sim/sim_world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLES_MAX 64
/* A turn takes this long, so that requests gather meanwhile. */
#define TURN_LEAST_US 100
#define TURN_MOST_US 1500
/* So long after a start is its beginning. */
#define BEGINNING_US 100000

static int64_t clock_wall_ms(void *context)
{
    return sim_wall_ms(context);
}

static int64_t clock_monotonic_ms(void *context)
{
    return sim_monotonic_ms(context);
}

/* ---- once */

void sim_node_init(struct sim_world *world, const struct service_definition *definition,
                   uint32_t shard)
{
    assert(world->node_count < SIM_NODES_MAX);
    unsigned number = (unsigned)world->node_count++;
    struct sim_node *node = &world->nodes[number];
    *node = (struct sim_node){
        .world = world, .number = number, .definition = definition, .shard = shard
    };
    char path[192];
    (void)snprintf(path, sizeof path, "%s/%s", world->folder, definition->name);
    (void)mkdir(path, 0700); /* an earlier shard may have made it */
    (void)snprintf(path, sizeof path, "%s/%s/%" PRIu32, world->folder, definition->name, shard);
    int failed = mkdir(path, 0700);
    assert(failed == 0);
    (void)snprintf(path, sizeof path, "%s/%s/%" PRIu32 "/", world->folder, definition->name, shard);
    sim_disk_own(world->disk, number, path);
    if (definition->effects != NULL) {
        (void)snprintf(path, sizeof path, "%s/outbox/outbox-%" PRIu32 ".", world->folder, shard);
        sim_disk_own(world->disk, number, path);
    }
}

void sim_node_connect(struct sim_node *node)
{
    for (size_t i = 0; i < node->definition->feed_count; i++) {
        const char *name = node->definition->feeds[i].name;
        uint32_t shards = sim_shards_of(node->world, name);
        for (uint32_t shard = 0; shard < shards; shard++) {
            const struct sim_node *producer = sim_node_find(node->world, name, shard);
            assert(producer != NULL && node->feed_count < SIM_PEERS_MAX);
            struct feed_name *feed = &node->feeds[node->feed_count].feed;
            (void)snprintf(feed->name, sizeof feed->name, "%s", name);
            feed->shard = shard;
            node->feed_ports[node->feed_count] = producer->number;
            node->feed_count += 1;
        }
    }
}

/* ---- opening */

static void refused(struct sim_node *node, const char *what, const struct refusal *refusal)
{
    if (sim_disk_errors_of(node->world->disk, node->number) > node->errors) {
        sim_log(node->world, "%s/%" PRIu32 " does not start: %s", node->definition->name,
                node->shard, refusal->message);
        sim_sometimes(node->world, SIM_SYNC_FAILED_AT_START);
        node->has_failed = true;
        return;
    }
    sim_fail(node->world, "%s/%" PRIu32 ": %s: %s", node->definition->name, node->shard, what,
             refusal->message);
}

static void process_open(struct sim_node *node, struct process *process)
{
    struct refusal refusal;
    refusal_init(&refusal);
    const struct process_options options = { .config = node->world->config,
                                             .data = node->world->folder,
                                             .shard = node->shard };
    *process = (struct process){ .definition = node->definition };
    if (process_init(process, node->definition, &options, &refusal) != STATUS_OK) {
        refused(node, "its configuration", &refusal);
    }
    node->limits = *process->own;
    struct sim_random random = sim_stream(node->world->options.seed, 100 + node->number);
    sim_limits_shrink(node->world, node, &random);
    process->journal_options.map_bytes = node->limits.journal_map_bytes;
    process->journal_options.epoch = sim_next(&random) | 1;
    process->store_options.map_bytes = node->limits.state_map_bytes;
    process->store_options.memtable_bytes_max = node->limits.memtable_bytes_max;
    process->store_options.checkpoint_records = node->limits.checkpoint_records;
    /* Checkpoints are made piece by piece between turns: one thread, one order. */
    process->store_options.has_flush_thread = false;
}

static void stores_open(struct sim_node *node)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = STATUS_OK;
    if (node->definition->keeps_journal) {
        status = journal_open(&node->journal, &node->process.journal_options, &refusal);
    }
    if (status == STATUS_OK) {
        status = store_open(&node->store, &node->process.store_options, &refusal);
    }
    if (status != STATUS_OK) {
        refused(node, "its stores", &refusal);
    }
}

static void shell_start(struct sim_node *node)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct shell_options options = {
        .definition = node->definition,
        .service = node->service,
        .shard = node->shard,
        .clock = { node->world, clock_wall_ms, clock_monotonic_ms },
        .transport = &node->transport,
        .journal = node->journal,
        .store = node->store,
        .limits = &node->limits,
        .event_clock = node->world->swarm.is_event_clock,
        .epoch = node->journal != NULL ? journal_epoch(node->journal) : 0,
        .peers = node->feeds,
        .peer_count = node->feed_count,
    };
    enum status status = shell_open(&node->shell, &options, &refusal);
    if (status == STATUS_OK) {
        status = shell_effects_start(node->shell, &refusal);
    }
    if (status != STATUS_OK) {
        refused(node, "its start", &refusal);
    }
}

static void start_look(struct sim_node *node)
{
    struct sim_world *world = node->world;
    const struct shell *shell = node->shell;
    bool has_recovered = shell->counters.recovered_blocks > 0;
    if (node->starts > 1 && shell->position.block > 0 && node->journal != NULL) {
        sim_sometimes(world, has_recovered ? SIM_BLOCKS_RECOVERED : SIM_NOTHING_TO_RECOVER);
        if (has_recovered && shell->position.block > node->told_block) {
            sim_sometimes(world, SIM_DURABLE_UNTOLD);
        }
    }
    sim_log(world, "%s/%" PRIu32 " starts at block %" PRIu64 ", %" PRIu64 " recovered",
            node->definition->name, node->shard, shell->position.block,
            shell->counters.recovered_blocks);
}

/* Of a life that follows a blow. What it says about its rules when it starts is not its turns'. */
static void beginning_open(struct sim_node *node)
{
    if (node->was_struck && node->journal != NULL && node->beginning_count < SIM_BEGINNINGS_MAX) {
        node->beginnings[node->beginning_count++] =
            (struct sim_beginning){ .first_seq = journal_end(node->journal).seq + 1 };
    }
}

void sim_node_open(struct sim_node *node)
{
    struct sim_world *world = node->world;
    struct refusal refusal;
    refusal_init(&refusal);
    assert(node->shell == NULL);
    world->running = node;
    node->starts += 1;
    node->started_us = world->now_us;
    node->busy_until_us = world->now_us;
    node->is_open = true;
    node->has_failed = false;
    node->errors = sim_disk_errors_of(world->disk, node->number);
    process_open(node, &node->process);
    sim_port_open(&world->network, node->number, node->feed_ports, node->feed_count);
    node->transport = sim_transport(&world->network.ports[node->number]);
    if (node->definition->open(&node->service, &node->process.environment, &refusal) != STATUS_OK) {
        refused(node, "its rules", &refusal);
    }
    stores_open(node);
    if (!node->has_failed) {
        shell_start(node);
    }
    world->running = NULL;
    if (!node->has_failed) {
        start_look(node);
        beginning_open(node);
        sim_wake(world, node, world->now_us);
    }
}
/* ---- turns */

/* The disk has what this turn wrote. */
static void beginning_look(struct sim_node *node)
{
    if (node->was_struck && node->beginning_count > 0 &&
        node->world->now_us < node->started_us + BEGINNING_US) {
        node->beginnings[node->beginning_count - 1].last_seq = journal_end(node->journal).seq;
    }
}

static void turn_look(struct sim_node *node, uint64_t commands_before, bool is_checkpoint)
{
    uint64_t commands = node->shell->counters.commands - commands_before;
    if (commands > 1) {
        sim_sometimes(node->world, SIM_MANY_IN_ONE_TURN);
    }
    if (commands > 0 && is_checkpoint) {
        sim_sometimes(node->world, SIM_CHECKPOINT_RUNNING);
    }
    const struct shell_counters *counters = &node->shell->counters;
    if (node->starts > 1 && node->world->now_us < node->started_us + BEGINNING_US &&
        counters->ticks > 0 && counters->facts > 0) {
        sim_sometimes(node->world, SIM_TIME_AT_START);
    }
    if (!sim_disk_is_struck(node->world->disk, node->number)) {
        node->told_block = node->shell->position.block;
        beginning_look(node);
    }
}

/* What is on disk decides; nobody was told anything. */
static void turn_failed(struct sim_node *node, enum status status)
{
    sim_log(node->world, "%s/%" PRIu32 " ends itself: %s", node->definition->name, node->shard,
            status_code_text(status));
    sim_sometimes(node->world, SIM_SYNC_FAILED);
    node->has_failed = true;
}

void sim_node_turn(struct sim_node *node)
{
    struct sim_world *world = node->world;
    struct shell *shell = node->shell;
    uint64_t commands = shell->counters.commands;
    uint64_t blocks = shell->counters.blocks;
    bool is_checkpoint = store_checkpoint_running(node->store);
    world->running = node;
    enum status status = shell_turn(shell);
    world->running = NULL;
    if (status != STATUS_OK) {
        turn_failed(node, status);
        return;
    }
    turn_look(node, commands, is_checkpoint);
    if (shell->counters.blocks > blocks) {
        struct journal_position end = journal_end(node->journal);
        sim_digest_add(world, be64_get(end.chain.bytes));
        sim_log(world, "%s/%" PRIu32 " wrote block %" PRIu64 ", seq %" PRIu64,
                node->definition->name, node->shard, end.block, end.seq);
    }
    node->busy_until_us = world->now_us + sim_between(&world->turns, TURN_LEAST_US, TURN_MOST_US);
    int64_t wait_ms = shell_wait_ms(shell);
    bool is_waiting = sim_port_has_waiting(&world->network.ports[node->number]);
    sim_wake(world, node,
             wait_ms == 0 || is_waiting ? node->busy_until_us : world->now_us + wait_ms * 1000);
}

/* ---- ends */

void sim_node_close(struct sim_node *node)
{
    struct sim_world *world = node->world;
    world->running = node;
    shell_close(&node->shell);
    node->definition->close(&node->service);
    sim_port_close(&world->network, node->number);
    store_close(&node->store);
    journal_close(&node->journal);
    process_release(&node->process);
    world->running = NULL;
    node->is_open = false;
    node->was_struck = false;
    node->wake_number += 1;
}

bool sim_node_stop(struct sim_node *node)
{
    node->world->running = node;
    enum status status = shell_stop(node->shell);
    node->world->running = NULL;
    if (status != STATUS_OK) {
        turn_failed(node, status);
    }
    return status == STATUS_OK;
}

/* ---- looking */

static bool feed_is_folded(const struct sim_node *node, unsigned i)
{
    const struct feed_name *feed = &node->feeds[i].feed;
    const struct sim_node *producer = sim_node_find(node->world, feed->name, feed->shard);
    const char *stopped = feed_reader_stopped(node->shell->readers[i]);
    if (stopped != NULL && producer->replacements > 0) {
        return false; /* an operator leads it on */
    }
    if (stopped != NULL) {
        sim_fail(node->world, "%s/%" PRIu32 " does not fold %s any more: %s",
                 node->definition->name, node->shard, feed->name, stopped);
    }
    return producer->shell != NULL &&
           feed_reader_cursor(node->shell->readers[i])->to >= journal_end(producer->journal).seq;
}

bool sim_node_is_idle(struct sim_node *node)
{
    int64_t due_ms = 0;
    if (node->shell == NULL || sim_port_has_waiting(&node->world->network.ports[node->number])) {
        return false;
    }
    for (unsigned i = 0; i < node->feed_count; i++) {
        if (!feed_is_folded(node, i)) {
            return false;
        }
    }
    return node->definition->due == NULL ||
           !node->definition->due(node->service, &node->shell->view, &due_ms) ||
           (due_ms > node->shell->now_ms &&
            (node->world->swarm.is_event_clock || due_ms > sim_wall_ms(node->world)));
}

/* ---- its state, built again */

static void tables_compare(struct sim_node *node, const struct store_digest *stored,
                           const struct store_digest *rebuilt)
{
    for (size_t i = 0; i < node->process.table_count; i++) {
        if (stored[i].records != rebuilt[i].records ||
            !hash128_equal(stored[i].digest, rebuilt[i].digest)) {
            sim_fail(node->world,
                     "%s/%" PRIu32 ": table %s has %" PRIu64 " records, its journal makes %" PRIu64
                     ", or others",
                     node->definition->name, node->shard, stored[i].table, stored[i].records,
                     rebuilt[i].records);
        }
    }
}

void sim_node_verify(struct sim_node *node)
{
    if (node->journal == NULL) {
        return;
    }
    struct process process;
    struct store *store = NULL;
    void *service = NULL;
    struct replay replay;
    struct refusal refusal;
    struct store_digest stored[TABLES_MAX];
    struct store_digest rebuilt[TABLES_MAX];
    char path[192];
    refusal_init(&refusal);
    (void)snprintf(path, sizeof path, "%s/verify-%u-%" PRIu64 ".mdb", node->world->folder,
                   node->number, node->starts);
    process_open(node, &process);
    process.store_options.path = path;
    node->world->running = NULL;
    enum status status = store_open(&store, &process.store_options, &refusal);
    if (status == STATUS_OK) {
        status = node->definition->open(&service, &process.environment, &refusal);
    }
    if (status == STATUS_OK) {
        replay_init(&replay, node->definition, service, store);
        status = replay_run(&replay, node->journal, UINT64_MAX, &refusal);
        replay_release(&replay);
    }
    if (status != STATUS_OK) {
        refused(node, "its journal", &refusal);
    }
    store_digests(node->store, stored);
    store_digests(store, rebuilt);
    tables_compare(node, stored, rebuilt);
    store_close(&store);
    node->definition->close(&service);
    process_release(&process);
    (void)unlink(path); /* the folder goes in the end */
}

/* ---- why it is not quiet */

void sim_stuck_tell(struct sim_world *world)
{
    for (size_t i = 0; i < world->node_count; i++) {
        struct sim_node *node = &world->nodes[i];
        int64_t due_ms = 0;
        char why[256] = "";
        if (node->shell != NULL && !shell_is_ready(node->shell, why, sizeof why)) {
            sim_log(world, "%s/%" PRIu32 " is not ready: %s", node->definition->name, node->shard,
                    why);
        }
        if (node->shell == NULL) {
            sim_log(world, "%s/%" PRIu32 " is down", node->definition->name, node->shard);
            continue;
        }
        for (unsigned j = 0; j < node->feed_count; j++) {
            sim_log(world, "%s/%" PRIu32 " has folded %s/%" PRIu32 " up to %" PRIu64,
                    node->definition->name, node->shard, node->feeds[j].feed.name,
                    node->feeds[j].feed.shard, feed_reader_cursor(node->shell->readers[j])->to);
        }
        if (node->definition->due != NULL &&
            node->definition->due(node->service, &node->shell->view, &due_ms)) {
            sim_log(world, "%s/%" PRIu32 " has something due at %" PRId64 ", now is %" PRId64,
                    node->definition->name, node->shard, due_ms, node->shell->now_ms);
        }
    }
}
