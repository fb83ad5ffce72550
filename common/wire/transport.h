/*
 * How messages come in and go out, as a service's shell sees it: an argument, so that the
 * same shell runs over ZeroMQ, and in one process over queues in memory.
 *
 * A message is two frames, header and body. Nothing here blocks except wait.
 */
#ifndef KITH_WIRE_TRANSPORT_H
#define KITH_WIRE_TRANSPORT_H

#include "common/base/bytes.h"
#include "common/base/refusal.h"

#define ROUTE_BYTES_MAX 32

enum transport_server {
    TRANSPORT_COMMAND, /* commands and questions */
    TRANSPORT_FEED,    /* Fetch and Wait */
    TRANSPORT_SERVER_COUNT,
};

/* Whom a reply goes to. */
struct route {
    enum transport_server server;
    uint8_t size;
    uint8_t bytes[ROUTE_BYTES_MAX];
};

/* A message that came in. The spans live until message_release. */
struct message {
    struct route route; /* requests only */
    struct span header;
    struct span body;
    void *owned[2]; /* the transport's own */
};

struct transport {
    void *context;
    /* The next request at `server`; false: none waits. What is not two frames is dropped
     * and counted. */
    bool (*receive)(void *context, enum transport_server server, struct message *message);
    /* False: the peer is gone or takes no more; dropped and counted, its retry fetches it. */
    bool (*reply)(void *context, const struct route *route, struct span header, struct span body);
    /* Peers are numbered from 0 in the order of transport options. */
    bool (*peer_send)(void *context, unsigned peer, struct span header, struct span body);
    bool (*peer_receive)(void *context, unsigned peer, struct message *message);
    void (*message_release)(void *context, struct message *message);
    /* Until something can be received, an extra descriptor is readable, or the time is
     * over; a signal may end it early. timeout_ms 0: just look; <0: for ever. */
    void (*wait)(void *context, int64_t timeout_ms);
    /* Until a request may be there at `server` that was not when `receive` last said so; false:
     * the time is over. NULL: whoever comes has come already, as where all is in memory. */
    bool (*linger)(void *context, enum transport_server server, int64_t timeout_us);
    /* Messages dropped so far, for the metrics. */
    uint64_t (*dropped)(void *context);
};

/* ---- over ZeroMQ */

struct transport_zmq;
struct transport_zmq_options {
    const char *servers[TRANSPORT_SERVER_COUNT]; /* endpoints to bind; NULL: none */
    const char *const *peers;                    /* endpoints to connect to */
    unsigned peer_count;
    const int *wake_descriptors; /* further descriptors that end a wait (signals, HTTP) */
    unsigned wake_count;
};
MUST_USE enum status transport_zmq_open(struct transport_zmq **transport,
                                        const struct transport_zmq_options *options,
                                        struct refusal *refusal);
/* Every message must have been released. Takes NULL; leaves NULL. */
void transport_zmq_close(struct transport_zmq **transport);
struct transport transport_of_zmq(struct transport_zmq *transport);

#endif
