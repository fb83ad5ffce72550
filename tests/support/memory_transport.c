#include "tests/support/memory_transport.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 32

/* A message on its way, in one allocation; header and body follow. */
struct envelope {
    struct envelope *next;
    struct route route;
    size_t header_size;
    size_t body_size;
    uint8_t bytes[];
};

struct queue {
    struct envelope *oldest;
    struct envelope *newest;
    size_t count;
};

/* Which queue of which opening of which port. */
struct place {
    uint32_t port;
    uint32_t opening;
    uint32_t is_reply; /* 0 or 1 */
    uint32_t index;    /* a server, or a peer */
};
/* Routes are compared by their bytes: those of a gap would follow from chance. */
static_assert(sizeof(struct place) == 4 * sizeof(uint32_t), "a place has no gaps");

struct memory_port {
    struct memory_network *network;
    unsigned number;
    uint32_t opening;
    char name[NAME_BYTES];
    unsigned peer_count;
    char peer_names[MEMORY_PEERS_MAX][NAME_BYTES];
    enum transport_server peer_servers[MEMORY_PEERS_MAX];
    struct queue servers[TRANSPORT_SERVER_COUNT];
    struct queue inboxes[MEMORY_PEERS_MAX];
    uint64_t dropped;
};

struct held {
    struct held *next;
    struct place place;
    struct envelope *envelope;
};

struct memory_network {
    struct memory_port *ports[MEMORY_PORTS_MAX];
    uint32_t openings; /* so far: no two ports ever have the same */
    memory_judge judge;
    void *judge_context;
    struct held *held;
    size_t held_count;
    size_t lent; /* envelopes that a receiver has and has not released */
};

/* ---- envelopes and queues */

static struct envelope *envelope_make(const struct route *route, struct span header,
                                      struct span body)
{
    struct envelope *envelope = memory_allocate(sizeof *envelope + header.size + body.size);
    envelope->route = *route;
    envelope->header_size = header.size;
    envelope->body_size = body.size;
    if (header.size > 0) {
        memcpy(envelope->bytes, header.data, header.size);
    }
    if (body.size > 0) {
        memcpy(envelope->bytes + header.size, body.data, body.size);
    }
    return envelope;
}

static bool queue_put(struct queue *queue, struct envelope *envelope)
{
    if (queue->count == MEMORY_QUEUE_MAX) {
        free(envelope);
        return false;
    }
    envelope->next = NULL;
    if (queue->newest == NULL) {
        queue->oldest = envelope;
    } else {
        queue->newest->next = envelope;
    }
    queue->newest = envelope;
    queue->count += 1;
    return true;
}

static struct envelope *queue_take(struct queue *queue)
{
    struct envelope *envelope = queue->oldest;
    if (envelope != NULL) {
        queue->oldest = envelope->next;
        queue->newest = queue->oldest == NULL ? NULL : queue->newest;
        queue->count -= 1;
    }
    return envelope;
}

static void queue_empty(struct queue *queue)
{
    struct envelope *envelope = queue_take(queue);
    while (envelope != NULL) {
        free(envelope);
        envelope = queue_take(queue);
    }
}

/* ---- delivering */

/* NULL: the port was closed since. */
static struct queue *place_queue(const struct memory_network *network, const struct place *place)
{
    struct memory_port *port = network->ports[place->port];
    if (port == NULL || port->opening != place->opening) {
        return NULL;
    }
    return place->is_reply != 0 ? &port->inboxes[place->index] : &port->servers[place->index];
}

static bool deliver(const struct memory_network *network, const struct place *place,
                    struct envelope *envelope)
{
    struct queue *queue = place_queue(network, place);
    if (queue == NULL) {
        free(envelope);
        return false;
    }
    return queue_put(queue, envelope);
}

static void hold(struct memory_network *network, const struct place *place,
                 struct envelope *envelope)
{
    struct held *held = memory_allocate(sizeof *held);
    *held = (struct held){ .place = *place, .envelope = envelope };
    struct held **end = &network->held;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = held;
    network->held_count += 1;
}

/* To what `place` names; `from` is whoever sends. */
static bool send_on(struct memory_port *from, const struct place *place,
                    const struct memory_passage *passage, const struct route *route)
{
    struct memory_network *network = from->network;
    enum memory_fate fate =
        network->judge == NULL ? MEMORY_PASS : network->judge(network->judge_context, passage);
    struct envelope *envelope = envelope_make(route, passage->header, passage->body);
    switch (fate) {
    case MEMORY_HOLD:
        hold(network, place, envelope);
        return true;
    case MEMORY_DROP:
        free(envelope);
        return true; /* whoever sent does not learn of it */
    case MEMORY_TWICE:
        (void)deliver(network, place, envelope_make(route, passage->header, passage->body));
        break;
    case MEMORY_PASS:
        break;
    }
    bool is_there = deliver(network, place, envelope);
    from->dropped += is_there ? 0 : 1;
    return is_there;
}

void memory_network_let_go(struct memory_network *network, size_t index)
{
    assert(index < network->held_count);
    struct held **link = &network->held;
    for (size_t i = 0; i < index; i++) {
        link = &(*link)->next;
    }
    struct held *held = *link;
    *link = held->next;
    network->held_count -= 1;
    (void)deliver(network, &held->place, held->envelope);
    free(held);
}

size_t memory_network_held(const struct memory_network *network)
{
    return network->held_count;
}

/* ---- as a transport */

static void lend(struct memory_port *port, struct envelope *envelope, struct message *message)
{
    *message = (struct message){
        .route = envelope->route,
        .header = span_of(envelope->bytes, envelope->header_size),
        .body = span_of(envelope->bytes + envelope->header_size, envelope->body_size),
        .owned = { envelope, NULL },
    };
    port->network->lent += 1;
}

static bool port_receive(void *context, enum transport_server server, struct message *message)
{
    struct memory_port *port = context;
    struct envelope *envelope = queue_take(&port->servers[server]);
    if (envelope == NULL) {
        return false;
    }
    lend(port, envelope, message);
    return true;
}

static bool port_peer_receive(void *context, unsigned peer, struct message *message)
{
    struct memory_port *port = context;
    assert(peer < port->peer_count);
    struct envelope *envelope = queue_take(&port->inboxes[peer]);
    if (envelope == NULL) {
        return false;
    }
    lend(port, envelope, message);
    return true;
}

static void port_message_release(void *context, struct message *message)
{
    struct memory_port *port = context;
    assert(message->owned[0] != NULL && port->network->lent > 0);
    free(message->owned[0]);
    port->network->lent -= 1;
    *message = (struct message){ 0 };
}

static struct memory_port *port_find(const struct memory_network *network, const char *name)
{
    for (unsigned i = 0; i < MEMORY_PORTS_MAX; i++) {
        if (network->ports[i] != NULL && strcmp(network->ports[i]->name, name) == 0) {
            return network->ports[i];
        }
    }
    return NULL;
}

static bool port_peer_send(void *context, unsigned peer, struct span header, struct span body)
{
    struct memory_port *port = context;
    assert(peer < port->peer_count);
    enum transport_server server = port->peer_servers[peer];
    const struct memory_port *to = port_find(port->network, port->peer_names[peer]);
    if (to == NULL) {
        port->dropped += 1;
        return false;
    }
    struct place place = { .port = to->number, .opening = to->opening, .index = server };
    struct place back = {
        .port = port->number, .opening = port->opening, .is_reply = 1, .index = peer
    };
    struct route route = { .server = server, .size = sizeof back };
    static_assert(sizeof back <= sizeof route.bytes, "a route holds a place");
    memcpy(route.bytes, &back, sizeof back);
    struct memory_passage passage = {
        .from = port->name, .to = to->name, .server = server, .header = header, .body = body
    };
    return send_on(port, &place, &passage, &route);
}

static bool port_reply(void *context, const struct route *route, struct span header,
                       struct span body)
{
    struct memory_port *port = context;
    struct place place = { 0 };
    assert(route->size == sizeof place);
    memcpy(&place, route->bytes, sizeof place);
    if (place_queue(port->network, &place) == NULL) {
        port->dropped += 1;
        return false;
    }
    struct memory_passage passage = { .from = port->name,
                                      .to = port->network->ports[place.port]->name,
                                      .server = route->server,
                                      .is_reply = 1,
                                      .header = header,
                                      .body = body };
    return send_on(port, &place, &passage, route);
}

/* Nothing comes while one waits: there is one thread. */
static void port_wait(void *context, int64_t timeout_ms)
{
    (void)context;
    (void)timeout_ms;
}

static uint64_t port_dropped(void *context)
{
    const struct memory_port *port = context;
    return port->dropped;
}

struct transport transport_of_memory(struct memory_port *port)
{
    return (struct transport){ .context = port,
                               .receive = port_receive,
                               .reply = port_reply,
                               .peer_send = port_peer_send,
                               .peer_receive = port_peer_receive,
                               .message_release = port_message_release,
                               .wait = port_wait,
                               .dropped = port_dropped };
}

bool memory_port_has_waiting(const struct memory_port *port)
{
    size_t waiting = 0;
    for (unsigned i = 0; i < TRANSPORT_SERVER_COUNT; i++) {
        waiting += port->servers[i].count;
    }
    for (unsigned i = 0; i < port->peer_count; i++) {
        waiting += port->inboxes[i].count;
    }
    return waiting > 0;
}

/* ---- opening and closing */

static void name_copy(char out[NAME_BYTES], const char *name)
{
    int size = snprintf(out, NAME_BYTES, "%s", name);
    assert(size > 0 && size < NAME_BYTES);
}

void memory_port_open(struct memory_port **port, struct memory_network *network, const char *name,
                      const struct memory_peer *peers, unsigned peer_count)
{
    assert(*port == NULL && peer_count <= MEMORY_PEERS_MAX && port_find(network, name) == NULL);
    struct memory_port *opened = memory_allocate(sizeof *opened);
    while (network->ports[opened->number] != NULL) {
        opened->number += 1;
        assert(opened->number < MEMORY_PORTS_MAX);
    }
    network->openings += 1;
    opened->network = network;
    opened->opening = network->openings;
    name_copy(opened->name, name);
    for (unsigned i = 0; i < peer_count; i++) {
        name_copy(opened->peer_names[i], peers[i].name);
        opened->peer_servers[i] = peers[i].server;
    }
    opened->peer_count = peer_count;
    network->ports[opened->number] = opened;
    *port = opened;
}

void memory_port_close(struct memory_port **port)
{
    struct memory_port *closing = *port;
    if (closing == NULL) {
        return;
    }
    for (unsigned i = 0; i < TRANSPORT_SERVER_COUNT; i++) {
        queue_empty(&closing->servers[i]);
    }
    for (unsigned i = 0; i < MEMORY_PEERS_MAX; i++) {
        queue_empty(&closing->inboxes[i]);
    }
    closing->network->ports[closing->number] = NULL;
    free(closing);
    *port = NULL;
}

void memory_network_open(struct memory_network **network)
{
    assert(*network == NULL);
    *network = memory_allocate(sizeof **network);
}

void memory_network_close(struct memory_network **network)
{
    struct memory_network *closing = *network;
    if (closing == NULL) {
        return;
    }
    for (unsigned i = 0; i < MEMORY_PORTS_MAX; i++) {
        assert(closing->ports[i] == NULL);
    }
    assert(closing->lent == 0);
    while (closing->held != NULL) {
        struct held *held = closing->held;
        closing->held = held->next;
        free(held->envelope);
        free(held);
    }
    free(closing);
    *network = NULL;
}

void memory_network_judge(struct memory_network *network, memory_judge judge, void *context)
{
    network->judge = judge;
    network->judge_context = context;
}
