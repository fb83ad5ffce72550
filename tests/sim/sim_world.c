#include "tests/sim/sim_world.h"

#include "services/campaign/campaign_service.h"
#include "services/ingestion/ingestion_service.h"
#include "services/loyalty/loyalty_service.h"
#include "services/reporting/reporting_service.h"
#include "services/segmentation/segmentation_service.h"
#include "tests/sim/sim_clients.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_oracle.h"

#include <assert.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAULTS_END_LEAST_US 3000000
#define FAULTS_END_MOST_US 9000000
#define FAULT_PAUSE_MOST_US 300000
#define RETRY_US 50000
#define LOOK_US 100000
/* So long must all be quiet before the oracle is asked. */
#define QUIET_US 700000
/* So long may it take after the last trouble. */
#define CALM_MOST_US 60000000

static struct sim_world *current; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

struct sim_world *sim_world_current(void)
{
    return current;
}

/* ---- time */

int64_t sim_monotonic_ms(const struct sim_world *world)
{
    return 1000000 + world->now_us / 1000;
}

int64_t sim_wall_ms(const struct sim_world *world)
{
    return SIM_WALL_MS + world->leapt_ms + world->now_us / 1000;
}

/* ---- what is told */

void sim_log(struct sim_world *world, const char *format, ...)
{
    char *line = world->log[world->log_next++ % SIM_LOG_LINES];
    int size = snprintf(line, SIM_LOG_BYTES, "%6" PRIu64 " %9.3f ms  ", world->steps,
                        (double)world->now_us / 1000);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + size, SIM_LOG_BYTES - (size_t)size, format, arguments);
    va_end(arguments);
    if (world->options.traces) {
        (void)printf("%s\n", line);
    }
}

void sim_log_show(const struct sim_world *world)
{
    size_t from = world->log_next > SIM_LOG_LINES ? world->log_next - SIM_LOG_LINES : 0;
    for (size_t i = from; i < world->log_next && !world->options.traces; i++) {
        (void)printf("%s\n", world->log[i % SIM_LOG_LINES]);
    }
}

static int entry_remove(const char *path, const struct stat *found, int kind, struct FTW *place)
{
    (void)found;
    (void)kind;
    (void)place;
    return remove(path);
}

static void folder_remove(const struct sim_world *world)
{
    (void)nftw(world->folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

void sim_fail(struct sim_world *world, const char *format, ...)
{
    va_list arguments;
    sim_log_show(world);
    (void)printf("seed %" PRIu64 " fails at step %" PRIu64 ": ", world->options.seed, world->steps);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
    sim_replay_show(&world->options, world->steps);
    (void)fflush(stdout);
    if (!world->options.keeps) {
        folder_remove(world);
    }
    _exit(EXIT_FAILURE);
}

void sim_sometimes(struct sim_world *world, enum sim_sometimes what)
{
    world->sometimes[what] += 1;
}

void sim_digest_add(struct sim_world *world, uint64_t value)
{
    world->digest = sim_mix(world->digest ^ value);
}

/* ---- nodes */

struct sim_node *sim_node_find(struct sim_world *world, const char *service, uint32_t shard)
{
    for (size_t i = 0; i < world->node_count; i++) {
        if (strcmp(world->nodes[i].definition->name, service) == 0 &&
            world->nodes[i].shard == shard) {
            return &world->nodes[i];
        }
    }
    return NULL;
}

uint32_t sim_shards_of(const struct sim_world *world, const char *service)
{
    uint32_t count = 0;
    for (size_t i = 0; i < world->node_count; i++) {
        count += strcmp(world->nodes[i].definition->name, service) == 0 ? 1 : 0;
    }
    return count;
}

void sim_wake(struct sim_world *world, struct sim_node *node, int64_t at_us)
{
    int64_t wake_us = at_us > node->busy_until_us ? at_us : node->busy_until_us;
    if (node->wake_at_us > world->now_us && node->wake_at_us <= wake_us) {
        return;
    }
    node->wake_number += 1;
    node->wake_at_us = wake_us;
    struct sim_event event = {
        .at_us = wake_us, .kind = SIM_WAKE, .target = node->number, .number = node->wake_number
    };
    sim_schedule_put(&world->schedule, event);
}

/* Who is struck says nothing more. */
static void node_struck(void *context, unsigned owner, const char *path)
{
    struct sim_world *world = context;
    const struct sim_node *node = &world->nodes[owner];
    bool is_power = sim_disk_blow_of(world->disk, owner) == SIM_POWER;
    const char *file = path == NULL ? "" : strrchr(path, '/') + 1;
    world->network.ports[owner].is_mute = true;
    if (path == NULL) {
        sim_sometimes(world, is_power ? SIM_POWER_LOST_AT_REST : SIM_KILLED_AT_REST);
    } else if (!is_power) {
        sim_sometimes(world, SIM_KILLED_IN_TURN);
    } else if (strcmp(file, "state.mdb") == 0) {
        sim_sometimes(world, SIM_POWER_LOST_IN_CHECKPOINT);
    } else {
        sim_sometimes(world, SIM_POWER_LOST_IN_COMMIT);
    }
    if (node->starts > 1 && world->now_us < node->started_us + 20000) {
        sim_sometimes(world, SIM_STRUCK_WHILE_RECOVERING);
    }
    sim_log(world, "%s/%" PRIu32 " %s %s%s", node->definition->name, node->shard,
            is_power ? "loses its power" : "is killed", path == NULL ? "at rest" : "writing ",
            file);
}

/* ---- opening and closing */

static void folder_make(struct sim_world *world)
{
    int size =
        snprintf(world->folder, sizeof world->folder, "%s/kith-sim-XXXXXX", world->options.parent);
    assert(size > 0 && size < (int)sizeof world->folder);
    const char *made = mkdtemp(world->folder);
    if (made == NULL) {
        sim_fail(world, "no folder can be made in %s", world->options.parent);
    }
    (void)snprintf(world->config, sizeof world->config, "%s/suite.yaml", world->folder);
}

static void nodes_make(struct sim_world *world)
{
    static const struct service_definition *const definitions[] = {
        &ingestion_definition, &loyalty_definition, &segmentation_definition, &campaign_definition,
        &reporting_definition
    };
    for (size_t i = 0; i < sizeof definitions / sizeof definitions[0]; i++) {
        uint32_t shards = i == 0 ? 1 : world->swarm.consumer_shards;
        for (uint32_t shard = 0; shard < shards; shard++) {
            sim_node_init(world, definitions[i], shard);
        }
    }
    for (size_t i = 0; i < world->node_count; i++) {
        sim_node_connect(&world->nodes[i]);
    }
}

static void event_put(struct sim_world *world, enum sim_event_kind kind, int64_t at_us)
{
    struct sim_event event = { .at_us = at_us, .kind = kind };
    sim_schedule_put(&world->schedule, event);
}

static void world_open(struct sim_world *world, const struct sim_options *options)
{
    uint64_t seed = options->seed;
    struct sim_random topology = sim_stream(seed, 2);
    *world = (struct sim_world){ .options = *options, .swarm = sim_swarm_draw(options) };
    current = world;
    world->faults = sim_stream(seed, 3);
    world->turns = sim_stream(seed, 4);
    world->carrying = sim_stream(seed, 5);
    world->quiet_since_us = INT64_MAX;
    sim_schedule_init(&world->schedule, sim_stream(seed, 6));
    sim_network_init(&world->network, &world->schedule, &world->now_us, sim_stream(seed, 7));
    folder_make(world);
    sim_disk_open(&world->disk, sim_stream(seed, 8), options->control == SIM_CONTROL_NO_SYNC);
    sim_disk_watch(world->disk, node_struck, world);
    sim_config_write(world);
    nodes_make(world);
    sim_clients_open(world);
    world->network.weather = sim_weather_draw(&world->swarm, &topology);
    world->faults_end_us = sim_between(&topology, FAULTS_END_LEAST_US, FAULTS_END_MOST_US);
    for (size_t i = 0; i < world->node_count; i++) {
        struct sim_event event = { .at_us = sim_between(&topology, 0, 200000),
                                   .kind = SIM_START,
                                   .target = (uint32_t)i };
        sim_schedule_put(&world->schedule, event);
    }
    event_put(world, SIM_FAULT, sim_between(&topology, 100000, 1000000));
    sim_fault_first(world);
    event_put(world, SIM_RETRY, RETRY_US);
    event_put(world, SIM_LOOK, world->faults_end_us);
}

static void world_close(struct sim_world *world)
{
    struct sim_event event;
    for (size_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].is_open) {
            sim_node_close(&world->nodes[i]);
        }
    }
    while (sim_schedule_take(&world->schedule, &event)) {
        if (event.kind == SIM_DELIVER) {
            sim_network_forget(event.message);
        }
    }
    sim_clients_close(world);
    sim_network_release(&world->network);
    sim_schedule_release(&world->schedule);
    sim_disk_close(&world->disk);
    folder_remove(world);
    current = NULL;
}

/* ---- one event */

static void deliver(struct sim_world *world, const struct sim_event *event)
{
    unsigned port = 0;
    if (!sim_network_deliver(&world->network, event->message, &port)) {
        return;
    }
    if (port >= SIM_NODES_MAX) {
        sim_client_hear(world, port);
    } else {
        sim_wake(world, &world->nodes[port], world->now_us);
    }
}

static void wake(struct sim_world *world, const struct sim_event *event)
{
    struct sim_node *node = &world->nodes[event->target];
    if (node->shell != NULL && !node->has_failed && node->wake_number == event->number) {
        sim_digest_add(world, event->target);
        sim_node_turn(node);
    }
}

static void start(struct sim_world *world, const struct sim_event *event)
{
    struct sim_node *node = &world->nodes[event->target];
    if (!node->is_open && node->starts == event->number) {
        sim_node_open(node);
    }
}

static void fault(struct sim_world *world)
{
    if (world->is_calm) {
        return;
    }
    sim_fault(world);
    event_put(world, SIM_FAULT,
              world->now_us + sim_between(&world->faults, 1000, FAULT_PAUSE_MOST_US));
}

static bool all_is_idle(struct sim_world *world)
{
    if (!sim_clients_are_done(world)) {
        return false;
    }
    for (size_t i = 0; i < world->node_count; i++) {
        if (!sim_node_is_idle(&world->nodes[i])) {
            return false;
        }
    }
    return true;
}

/* Nothing is left to do: asks the questions, and when they are answered, judges. */
static void quiet(struct sim_world *world)
{
    if (world->clients->first_question == 0) {
        sim_clients_ask_last(world);
        world->quiet_since_us = INT64_MAX;
        return;
    }
    sim_oracle_judge(world);
    /* What is broken on purpose must be found by its consequences alone. */
    for (size_t i = 0; i < world->node_count && world->options.control == SIM_CONTROL_NONE; i++) {
        sim_node_verify(&world->nodes[i]);
    }
    world->is_done = true;
}

static void look(struct sim_world *world)
{
    if (!world->is_calm) {
        sim_calm(world);
    }
    event_put(world, SIM_LOOK, world->now_us + LOOK_US);
    if (!all_is_idle(world)) {
        world->quiet_since_us = INT64_MAX;
    } else if (world->quiet_since_us == INT64_MAX) {
        world->quiet_since_us = world->now_us;
    } else if (world->now_us - world->quiet_since_us >= QUIET_US) {
        quiet(world);
    }
    if (!world->is_done && world->now_us > world->faults_end_us + CALM_MOST_US) {
        sim_stuck_tell(world);
        sim_fail(world, "a minute without trouble, and it is not done yet");
    }
}

static void event_happen(struct sim_world *world, const struct sim_event *event)
{
    switch (event->kind) {
    case SIM_DELIVER:
        deliver(world, event);
        return;
    case SIM_WAKE:
        wake(world, event);
        return;
    case SIM_CARRY:
        sim_channel_carry(world, event->target, event->number);
        return;
    case SIM_ASK:
        sim_client_ask(world, event->target);
        return;
    case SIM_RETRY:
        sim_clients_retry(world);
        sim_operator_look(world);
        event_put(world, SIM_RETRY, world->now_us + RETRY_US);
        return;
    case SIM_FAULT:
        fault(world);
        return;
    case SIM_START:
        start(world, event);
        return;
    case SIM_LOOK:
        look(world);
        return;
    }
    assert(false);
}

static void network_look(struct sim_world *world)
{
    const struct sim_network_counters *counters = &world->network.counters;
    world->sometimes[SIM_MESSAGE_LOST] += counters->lost;
    world->sometimes[SIM_MESSAGE_TWICE] += counters->doubled;
    world->sometimes[SIM_MESSAGE_LATE] += counters->late;
    world->sometimes[world->swarm.is_event_clock ? SIM_EVENT_CLOCK : SIM_WALL_CLOCK] += 1;
    world->sometimes[SIM_SEVERAL_SHARDS] += world->swarm.consumer_shards > 1 ? 1 : 0;
}

uint64_t sim_world_run(const struct sim_options *options, uint64_t *sometimes)
{
    struct sim_world *world = memory_allocate(sizeof *world);
    struct sim_event event;
    world_open(world, options);
    world->sometimes = sometimes;
    while (!world->is_done && sim_schedule_take(&world->schedule, &event)) {
        assert(event.at_us >= world->now_us);
        world->now_us = event.at_us;
        world->steps += 1;
        sim_digest_add(world, (uint64_t)event.at_us * 16 + event.kind);
        event_happen(world, &event);
        sim_blows_settle(world);
        if (options->until > 0 && world->steps >= options->until) {
            break;
        }
    }
    network_look(world);
    sim_log(world, "the end: %" PRIu64 " steps, digest %016" PRIx64, world->steps, world->digest);
    uint64_t digest = world->digest;
    world_close(world);
    free(world);
    return digest;
}
