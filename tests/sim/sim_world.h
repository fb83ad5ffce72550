/*
 * All five services in one process, and what surrounds them: a clock, a network, disks, channels
 * and clients, each by the seed. One event after the other; whatever happens follows from the
 * seed alone.
 */
#ifndef KITH_TESTS_SIM_WORLD_H
#define KITH_TESTS_SIM_WORLD_H

#include "common/service/process.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_sometimes.h"

#define SIM_NODES_MAX 12
#define SIM_CLIENTS 3
#define SIM_LOG_LINES 48
#define SIM_LOG_BYTES 160
#define SIM_CHANNELS_MAX 4
#define SIM_PROVIDED_MAX 4096
/* Later ones of a shard are not looked at. */
#define SIM_BEGINNINGS_MAX 64
/* Of the wall clock as the first event happens: 2026-01-05, a Monday. */
#define SIM_WALL_MS INT64_C(1767571200000)

/* What is broken on purpose, to see that the simulator finds it. */
enum sim_control {
    SIM_CONTROL_NONE,
    SIM_CONTROL_NO_SYNC,      /* a sync makes nothing safe */
    SIM_CONTROL_EARLY_REPLY,  /* replies leave before the block is durable */
    SIM_CONTROL_LOOSE_CURSOR, /* how far a feed was folded is not kept with what it did */
    SIM_CONTROL_NO_KEYS,      /* a request that comes again is decided again */
    SIM_CONTROL_NO_DEDUPE,    /* an event that comes again is accepted again */
    SIM_CONTROL_COUNT,
};

struct sim_options {
    uint64_t seed;
    uint64_t until; /* steps; 0: to the end */
    bool traces;
    bool keeps; /* the folder, where something fails */
    enum sim_control control;
    uint32_t without;   /* bit i: without the ith trouble of sim_troubles, whatever the seed says */
    const char *parent; /* where the folder is made */
};

/* Which kinds of trouble a seed has at all: most have few, since uniform trouble hides what
 * needs a long calm. */
struct sim_swarm {
    bool has_loss;
    bool has_twice;
    bool has_late;
    bool has_slow;
    bool has_apart;
    bool has_kill;
    bool has_power;
    bool has_blackout; /* all machines at once */
    bool has_stop;     /* services that end as they should, and come again */
    bool has_leaps;    /* of the wall clock */
    bool has_errors;   /* of syncs */
    bool has_full;     /* disks */
    bool has_frozen;   /* processes */
    bool has_small;    /* bounds are tiny */
    bool has_replaced; /* journals, by copies with another epoch */
    bool is_event_clock;
    uint32_t consumer_shards;
};

struct sim_world;

/* What a service wrote in its first turns after a blow, from one fact to another. */
struct sim_beginning {
    uint64_t first_seq;
    uint64_t last_seq; /* less than the first: nothing */
};

/* A service's shard. Its port has the same number. */
struct sim_node {
    struct sim_world *world;
    unsigned number;
    const struct service_definition *definition;
    uint32_t shard;
    struct process process;
    struct suite_service limits;
    struct shell_peer feeds[SIM_PEERS_MAX];
    unsigned feed_ports[SIM_PEERS_MAX];
    unsigned feed_count;
    struct transport transport;
    struct journal *journal;
    struct store *store;
    void *service;
    struct shell *shell; /* NULL: it is down */
    uint64_t starts;
    uint64_t wake_number; /* of the newest wake: older ones mean nothing */
    int64_t wake_at_us;
    int64_t busy_until_us;
    int64_t started_us;
    int64_t full_until_us;
    uint64_t told_block; /* the newest when its newest turn was over */
    bool is_open;
    bool has_failed;       /* a commit, or a start: the process ends itself */
    uint64_t errors;       /* of its disk, when it last started */
    uint64_t replacements; /* of its journal */
    bool was_struck;       /* its life before this one ended by a blow */
    size_t beginning_count;
    struct sim_beginning beginnings[SIM_BEGINNINGS_MAX];
};

/* A message that the mail server has taken. */
struct sim_provided {
    uint8_t dispatch[16];
    unsigned channel;
    unsigned count;
};

struct sim_clients;

struct sim_world {
    struct sim_options options;
    struct sim_swarm swarm;
    struct sim_random faults;
    struct sim_random turns;
    struct sim_random carrying;
    struct sim_schedule schedule;
    struct sim_network network;
    struct sim_disk *disk;
    char folder[128];
    char config[160];
    int64_t now_us;
    int64_t leapt_ms; /* the wall clock, ahead of the monotonic one */
    uint64_t steps;
    uint64_t digest;
    size_t node_count;
    struct sim_node nodes[SIM_NODES_MAX];
    struct sim_node *running; /* whose turn it is */
    uint64_t channel_lives;
    struct channel *channels[SIM_CHANNELS_MAX]; /* those that are open */
    size_t provided_count;
    struct sim_provided provided[SIM_PROVIDED_MAX];
    struct sim_clients *clients;
    bool is_calm; /* no more trouble */
    bool is_done;
    int64_t faults_end_us;
    int64_t quiet_since_us; /* INT64_MAX: not quiet */
    uint64_t *sometimes;    /* SIM_SOMETIMES_COUNT counters */
    size_t log_next;
    char log[SIM_LOG_LINES][SIM_LOG_BYTES];
};

/* The world that a call without an argument for it means. */
struct sim_world *sim_world_current(void);

int64_t sim_monotonic_ms(const struct sim_world *world);
int64_t sim_wall_ms(const struct sim_world *world);

/* One line of the log, which is shown when something fails. */
void sim_log(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Says what is wrong, how to see it again, and the last lines of the log; ends the process. */
_Noreturn void sim_fail(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_log_show(const struct sim_world *world);
/* The seed and what it is called with, as a command. */
void sim_replay_show(const struct sim_options *options, uint64_t steps);
void sim_sometimes(struct sim_world *world, enum sim_sometimes what);
void sim_digest_add(struct sim_world *world, uint64_t value);

/* Runs a seed to its end. False never comes back: what is wrong ends the process. Returns the
 * digest of all that happened. `sometimes` has SIM_SOMETIMES_COUNT places, added to. */
uint64_t sim_world_run(const struct sim_options *options, uint64_t *sometimes);

/* What stands in the way of quiet, as lines of the log. */
void sim_stuck_tell(struct sim_world *world);

/* ---- sim_world.c, for its parts */
void sim_wake(struct sim_world *world, struct sim_node *node, int64_t at_us);
/* The node that has the customer. NULL: the suite has no such service. */
struct sim_node *sim_node_find(struct sim_world *world, const char *service, uint32_t shard);
uint32_t sim_shards_of(const struct sim_world *world, const char *service);

/* ---- sim_node.c */
void sim_node_init(struct sim_world *world, const struct service_definition *definition,
                   uint32_t shard);
/* After all nodes are there: whom it reads. */
void sim_node_connect(struct sim_node *node);
void sim_node_open(struct sim_node *node);
void sim_node_turn(struct sim_node *node);
/* Ends it without a word. What its disk keeps is the disk's business. */
void sim_node_close(struct sim_node *node);
/* Makes it durable, as a service does before it ends as it should. False: its disk says no, and
 * it ends without a word. */
MUST_USE bool sim_node_stop(struct sim_node *node);
/* Everything of its feeds is folded, and nothing is due. */
bool sim_node_is_idle(struct sim_node *node);
/* State is what its journal makes of it; for reporting, what the feeds make of it. */
void sim_node_verify(struct sim_node *node);

/* ---- sim_copy.c */
/* Puts a copy in its journal's place, block by block the same, but with an epoch of its own:
 * whoever reads it must be led on. The node is stopped, and closed next. False: a blow fell
 * meanwhile, or its disk said no; the journal is the one that it was. */
MUST_USE bool sim_journal_copy(struct sim_node *node);

/* ---- sim_channel.c */
void sim_channel_carry(struct sim_world *world, unsigned index, uint64_t life);

/* ---- sim_config.c */
void sim_config_write(struct sim_world *world);
void sim_limits_shrink(struct sim_world *world, struct sim_node *node, struct sim_random *random);

#endif
