/*
 * Messages between the ports of one process, by virtual time: late, lost, doubled, out of order,
 * or not at all while two ports are apart.
 *
 * A port is whoever speaks: a service's shard, or a client. A message that arrives while its port
 * is closed is lost; so is a reply to a port that was closed since it asked.
 */
#ifndef KITH_TESTS_SIM_NETWORK_H
#define KITH_TESTS_SIM_NETWORK_H

#include "common/wire/transport.h"
#include "tests/sim/sim_schedule.h"

#define SIM_PORTS_MAX 24
#define SIM_PEERS_MAX 16

/* How bad it is at present. */
struct sim_weather {
    int64_t delay_least_us;
    int64_t delay_most_us;
    uint64_t late_per_mille; /* take up to late_most_us more: others pass them */
    int64_t late_most_us;
    uint64_t loss_per_mille;
    uint64_t twice_per_mille;
};

struct sim_envelope;

struct sim_queue {
    struct sim_envelope *oldest;
    struct sim_envelope *newest;
    size_t count;
};

struct sim_network;

struct sim_port {
    struct sim_network *network;
    unsigned number;
    bool is_open;
    bool is_mute; /* whoever speaks here has ended already: nothing leaves any more */
    uint32_t opening;
    unsigned peer_count;
    unsigned peers[SIM_PEERS_MAX]; /* ports that serve feeds */
    struct sim_queue servers[TRANSPORT_SERVER_COUNT];
    struct sim_queue inboxes[SIM_PEERS_MAX];
};

struct sim_network_counters {
    uint64_t sent;
    uint64_t lost;
    uint64_t doubled;
    uint64_t late;
    uint64_t kept_apart;
    uint64_t to_nobody;
};

struct sim_network {
    struct sim_schedule *schedule;
    const int64_t *now_us;
    struct sim_random random;
    struct sim_weather weather;
    size_t lent;
    uint32_t openings;
    struct sim_port ports[SIM_PORTS_MAX];
    int64_t apart_until_us[SIM_PORTS_MAX][SIM_PORTS_MAX]; /* from, to */
    struct sim_network_counters counters;
};

void sim_network_init(struct sim_network *network, struct sim_schedule *schedule,
                      const int64_t *now_us, struct sim_random random);
/* All ports are closed by then; what is on its way is not freed: see sim_network_forget. */
void sim_network_release(const struct sim_network *network);

void sim_port_open(struct sim_network *network, unsigned number, const unsigned *peers,
                   unsigned peer_count);
void sim_port_close(struct sim_network *network, unsigned number);
struct transport sim_transport(struct sim_port *port);
bool sim_port_has_waiting(const struct sim_port *port);

/* A client's request. */
void sim_network_ask(struct sim_network *network, unsigned from, unsigned to, struct span header,
                     struct span body);

/* A message that arrives: true, and it is put where its port takes it. A client's is lent with
 * sim_client_take. */
bool sim_network_deliver(struct sim_network *network, void *message, unsigned *port);
/* The next answer at a client's port. Ended with sim_client_give_back. */
bool sim_client_take(struct sim_network *network, unsigned port, struct message *message);
void sim_client_give_back(struct sim_network *network, struct message *message);
/* A message that is never to arrive. */
void sim_network_forget(void *message);

#endif
