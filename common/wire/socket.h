/*
 * The one place that makes ZeroMQ sockets: linger 0, RCVHWM 32, SNDHWM 8 (a server's 64, so
 * that the replies to LIMIT_IN_FLIGHT requests always fit), SNDBUF 1 MiB, MAXMSGSIZE, handshake
 * interval, heartbeats, ROUTER_MANDATORY. A test reads each option back.
 */
#ifndef KITH_WIRE_SOCKET_H
#define KITH_WIRE_SOCKET_H

#include "common/base/bytes.h"
#include "common/base/refusal.h"

#include <zmq.h>

enum socket_kind {
    SOCKET_SERVER, /* ROUTER, bound */
    SOCKET_CALLER, /* DEALER, connected */
};

/* `context` is a ZeroMQ context; *socket gets a ZeroMQ socket, closed with socket_close.
 * Endpoints: "ipc:///path" (at most 107 bytes of path) only; TCP needs CURVE, which the
 * gateway brings. STATUS_REFUSED with the sentence otherwise; STATUS_INTERNAL: the host
 * says no (no such folder, out of descriptors). */
MUST_USE enum status socket_open(void **socket, void *context, enum socket_kind kind,
                                 const char *endpoint, struct refusal *refusal);
/* Takes NULL's address; leaves NULL. */
void socket_close(void **socket);

/* ---- frames; nothing blocks, and a signal is no failure */

/* Sends a message of `count` frames. False: the queue is full, the peer is gone, or the
 * connection ended meanwhile; then nothing of the message was or will be sent. */
MUST_USE bool socket_send(void *socket, const struct span *frames, size_t count);
/* Into an initialised frame. False: none waits. */
MUST_USE bool socket_frame_receive(void *socket, zmq_msg_t *frame);
/* Lives as long as the frame, which may not be moved: small frames hold their bytes. */
struct span socket_frame_span(zmq_msg_t *frame);

/* ---- a message: header and body */

enum socket_frame {
    SOCKET_FRAME_HEADER,
    SOCKET_FRAME_BODY,
    SOCKET_FRAME_COUNT,
};
enum socket_taken {
    SOCKET_TAKEN,         /* a message of two frames */
    SOCKET_TAKEN_NOTHING, /* none waits */
    SOCKET_TAKEN_BAD,     /* one of another form, taken whole and of no use */
};

/* Into initialised frames, which the caller closes whatever comes back. A server's identity
 * frame must have been taken before. */
enum socket_taken socket_frames_receive(void *socket, zmq_msg_t frames[SOCKET_FRAME_COUNT]);
/* Takes what follows `last` in its message. */
void socket_frames_drain(void *socket, zmq_msg_t *last);

#endif
