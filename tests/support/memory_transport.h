/*
 * Messages in memory instead of ZeroMQ: shells of one process, and the test itself, speak
 * over queues, and the test decides what becomes of each message on its way.
 *
 * A port is whoever speaks. It serves (as a shell does) and has peers, which are servers of
 * other ports: a shell's are the feeds that it reads, a client's are whatever it asks. Ports
 * find each other by name, when a message is sent. A message to a name that no open port
 * bears is lost, as is a reply to a port that was closed since it asked, also if its name
 * was opened again.
 */
#ifndef KITH_TESTS_SUPPORT_MEMORY_TRANSPORT_H
#define KITH_TESTS_SUPPORT_MEMORY_TRANSPORT_H

#include "common/wire/transport.h"

#define MEMORY_PORTS_MAX 16
#define MEMORY_PEERS_MAX 8
/* Messages that wait in one queue; one more is lost. */
#define MEMORY_QUEUE_MAX 8192

struct memory_network;
struct memory_port;

struct memory_peer {
    const char *name; /* of the port that serves */
    enum transport_server server;
};

/* What becomes of a message. */
enum memory_fate {
    MEMORY_PASS,
    MEMORY_DROP,
    MEMORY_TWICE,
    MEMORY_HOLD, /* until memory_network_let_go */
};

struct memory_passage {
    const char *from;
    const char *to;
    enum transport_server server; /* that is asked, or that replies */
    bool is_reply;
    struct span header;
    struct span body;
};

typedef enum memory_fate (*memory_judge)(void *context, const struct memory_passage *passage);

void memory_network_open(struct memory_network **network);
/* All ports are closed and all messages released by then (asserted). */
void memory_network_close(struct memory_network **network);
/* Who decides from now on; NULL: everything passes. */
void memory_network_judge(struct memory_network *network, memory_judge judge, void *context);
/* Lets the `index`th of the messages held go on, the oldest being 0. */
void memory_network_let_go(struct memory_network *network, size_t index);
size_t memory_network_held(const struct memory_network *network);

/* `peers` are numbered from 0 as they stand; names are copied. */
void memory_port_open(struct memory_port **port, struct memory_network *network, const char *name,
                      const struct memory_peer *peers, unsigned peer_count);
/* What waits here is lost. */
void memory_port_close(struct memory_port **port);
struct transport transport_of_memory(struct memory_port *port);
/* Does anything wait here to be received? */
bool memory_port_has_waiting(const struct memory_port *port);

#endif
