#include "tests/sim/sim_network.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Which queue of which opening of which port. */
struct place {
    uint32_t port;
    uint32_t opening;  /* 0: whoever is there when it arrives */
    uint32_t is_reply; /* 0 or 1 */
    uint32_t index;    /* a server, or a peer */
};
static_assert(sizeof(struct place) <= ROUTE_BYTES_MAX, "a route holds a place");
/* Routes are compared by their bytes: those of a gap would follow from chance. */
static_assert(sizeof(struct place) == 4 * sizeof(uint32_t), "a place has no gaps");

struct sim_envelope {
    struct sim_envelope *next;
    struct place to;
    struct route route;
    size_t header_size;
    size_t body_size;
    uint8_t bytes[];
};

/* ---- queues */

static void queue_put(struct sim_queue *queue, struct sim_envelope *envelope)
{
    envelope->next = NULL;
    if (queue->newest == NULL) {
        queue->oldest = envelope;
    } else {
        queue->newest->next = envelope;
    }
    queue->newest = envelope;
    queue->count += 1;
}

static struct sim_envelope *queue_take(struct sim_queue *queue)
{
    struct sim_envelope *envelope = queue->oldest;
    if (envelope != NULL) {
        queue->oldest = envelope->next;
        queue->newest = queue->oldest == NULL ? NULL : queue->newest;
        queue->count -= 1;
    }
    return envelope;
}

static void queue_empty(struct sim_queue *queue)
{
    for (struct sim_envelope *at = queue_take(queue); at != NULL; at = queue_take(queue)) {
        free(at);
    }
}

/* ---- sending */

struct content {
    struct span header;
    struct span body;
};

static struct sim_envelope *envelope_make(const struct place *to, const struct route *route,
                                          const struct content *content)
{
    size_t size = content->header.size + content->body.size;
    struct sim_envelope *envelope = memory_allocate(sizeof *envelope + size);
    envelope->to = *to;
    envelope->route = *route;
    envelope->header_size = content->header.size;
    envelope->body_size = content->body.size;
    if (content->header.size > 0) {
        memcpy(envelope->bytes, content->header.data, content->header.size);
    }
    if (content->body.size > 0) {
        memcpy(envelope->bytes + content->header.size, content->body.data, content->body.size);
    }
    return envelope;
}

static void send_one(struct sim_network *network, const struct place *to, const struct route *route,
                     const struct content *content)
{
    const struct sim_weather *weather = &network->weather;
    int64_t delay_us =
        sim_between(&network->random, weather->delay_least_us, weather->delay_most_us);
    if (sim_chance(&network->random, weather->late_per_mille)) {
        delay_us += sim_between(&network->random, 0, weather->late_most_us);
        network->counters.late += 1;
    }
    struct sim_event event = { .at_us = *network->now_us + delay_us,
                               .kind = SIM_DELIVER,
                               .target = to->port,
                               .message = envelope_make(to, route, content) };
    sim_schedule_put(network->schedule, event);
}

static void send(struct sim_network *network, unsigned from, const struct place *to,
                 const struct route *route, const struct content *content)
{
    const struct sim_weather *weather = &network->weather;
    network->counters.sent += 1;
    if (network->apart_until_us[from][to->port] > *network->now_us) {
        network->counters.kept_apart += 1;
        return;
    }
    if (sim_chance(&network->random, weather->loss_per_mille)) {
        network->counters.lost += 1;
        return;
    }
    if (sim_chance(&network->random, weather->twice_per_mille)) {
        network->counters.doubled += 1;
        send_one(network, to, route, content);
    }
    send_one(network, to, route, content);
}

static void ask(struct sim_port *port, const struct place *to, unsigned peer,
                const struct content *content)
{
    struct place back = {
        .port = port->number, .opening = port->opening, .is_reply = 1, .index = peer
    };
    struct route route = { .server = (enum transport_server)to->index, .size = sizeof back };
    memcpy(route.bytes, &back, sizeof back);
    send(port->network, port->number, to, &route, content);
}

void sim_network_ask(struct sim_network *network, unsigned from, unsigned to, struct span header,
                     struct span body)
{
    struct place place = { .port = to, .index = TRANSPORT_COMMAND };
    ask(&network->ports[from], &place, 0, &(struct content){ header, body });
}

/* ---- arriving */

bool sim_network_deliver(struct sim_network *network, void *message, unsigned *port)
{
    struct sim_envelope *envelope = message;
    struct sim_port *to = &network->ports[envelope->to.port];
    if (!to->is_open || (envelope->to.opening != 0 && envelope->to.opening != to->opening)) {
        network->counters.to_nobody += 1;
        free(envelope);
        return false;
    }
    queue_put(envelope->to.is_reply != 0 ? &to->inboxes[envelope->to.index]
                                         : &to->servers[envelope->to.index],
              envelope);
    *port = to->number;
    return true;
}

void sim_network_forget(void *message)
{
    free(message);
}

/* ---- as a transport */

static bool lend(struct sim_network *network, struct sim_envelope *envelope,
                 struct message *message)
{
    if (envelope == NULL) {
        return false;
    }
    *message = (struct message){
        .route = envelope->route,
        .header = span_of(envelope->bytes, envelope->header_size),
        .body = span_of(envelope->bytes + envelope->header_size, envelope->body_size),
        .owned = { envelope, NULL },
    };
    network->lent += 1;
    return true;
}

static bool port_receive(void *context, enum transport_server server, struct message *message)
{
    struct sim_port *port = context;
    return lend(port->network, queue_take(&port->servers[server]), message);
}

static bool port_peer_receive(void *context, unsigned peer, struct message *message)
{
    struct sim_port *port = context;
    return lend(port->network, queue_take(&port->inboxes[peer]), message);
}

static void port_message_release(void *context, struct message *message)
{
    struct sim_port *port = context;
    sim_client_give_back(port->network, message);
}

static bool port_peer_send(void *context, unsigned peer, struct span header, struct span body)
{
    struct sim_port *port = context;
    assert(peer < port->peer_count);
    if (!port->is_mute) {
        struct place to = { .port = port->peers[peer], .index = TRANSPORT_FEED };
        ask(port, &to, peer, &(struct content){ header, body });
    }
    return true;
}

static bool port_reply(void *context, const struct route *route, struct span header,
                       struct span body)
{
    struct sim_port *port = context;
    struct place to = { 0 };
    assert(route->size == sizeof to);
    memcpy(&to, route->bytes, sizeof to);
    if (!port->is_mute) {
        send(port->network, port->number, &to, route, &(struct content){ header, body });
    }
    return true;
}

/* Nothing comes while one waits: there is one thread. */
static void port_wait(void *context, int64_t timeout_ms)
{
    (void)context;
    (void)timeout_ms;
}

static uint64_t port_dropped(void *context)
{
    (void)context;
    return 0;
}

struct transport sim_transport(struct sim_port *port)
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

bool sim_client_take(struct sim_network *network, unsigned port, struct message *message)
{
    return lend(network, queue_take(&network->ports[port].inboxes[0]), message);
}

void sim_client_give_back(struct sim_network *network, struct message *message)
{
    assert(message->owned[0] != NULL && network->lent > 0);
    free(message->owned[0]);
    network->lent -= 1;
    *message = (struct message){ .owned = { NULL, NULL } };
}

bool sim_port_has_waiting(const struct sim_port *port)
{
    size_t waiting = 0;
    for (unsigned i = 0; i < TRANSPORT_SERVER_COUNT; i++) {
        waiting += port->servers[i].count;
    }
    for (unsigned i = 0; i < SIM_PEERS_MAX; i++) {
        waiting += port->inboxes[i].count;
    }
    return waiting > 0;
}

/* ---- opening and closing */

void sim_port_open(struct sim_network *network, unsigned number, const unsigned *peers,
                   unsigned peer_count)
{
    struct sim_port *port = &network->ports[number];
    assert(number < SIM_PORTS_MAX && !port->is_open && peer_count <= SIM_PEERS_MAX);
    network->openings += 1;
    *port = (struct sim_port){ .network = network,
                               .number = number,
                               .is_open = true,
                               .opening = network->openings,
                               .peer_count = peer_count };
    for (unsigned i = 0; i < peer_count; i++) {
        port->peers[i] = peers[i];
    }
}

void sim_port_close(struct sim_network *network, unsigned number)
{
    struct sim_port *port = &network->ports[number];
    for (unsigned i = 0; i < TRANSPORT_SERVER_COUNT; i++) {
        queue_empty(&port->servers[i]);
    }
    for (unsigned i = 0; i < SIM_PEERS_MAX; i++) {
        queue_empty(&port->inboxes[i]);
    }
    port->is_open = false;
}

void sim_network_init(struct sim_network *network, struct sim_schedule *schedule,
                      const int64_t *now_us, struct sim_random random)
{
    *network = (struct sim_network){ .schedule = schedule, .now_us = now_us, .random = random };
    network->weather = (struct sim_weather){ .delay_least_us = 50, .delay_most_us = 300 };
}

void sim_network_release(const struct sim_network *network)
{
    for (unsigned i = 0; i < SIM_PORTS_MAX; i++) {
        assert(!network->ports[i].is_open);
    }
    assert(network->lent == 0);
}
