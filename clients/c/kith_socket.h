/*
 * The one place of the client that calls ZeroMQ: a DEALER, and messages of two frames.
 */
#ifndef KITH_CLIENT_SOCKET_H
#define KITH_CLIENT_SOCKET_H

#include "clients/c/kith.h"

struct kith_socket; /* with a context of its own */

KITH_MUST_USE enum kith_status kith_socket_open(struct kith_socket **opened, const char *endpoint,
                                                struct kith_error *error);
/* Takes NULL's address; leaves NULL. */
void kith_socket_close(struct kith_socket **closed);
/* Drops the connection, with all that waits in it, and makes a new one. */
KITH_MUST_USE enum kith_status kith_socket_renew(struct kith_socket *connected,
                                                 const char *endpoint, struct kith_error *error);

struct kith_frame {
    const void *data;
    size_t size;
};
/* Never blocks. False: the socket takes no more now, and nothing of it will be sent. */
bool kith_socket_send(struct kith_socket *connected, struct kith_frame header,
                      struct kith_frame body);

/* A message taken in; its frames live until kith_socket_release(). */
struct kith_message {
    struct kith_frame header;
    struct kith_frame body;
};

enum kith_taken {
    KITH_TAKEN,
    KITH_TAKEN_NOTHING, /* none waits */
    KITH_TAKEN_BAD,     /* not two frames: dropped */
};
/* Never blocks. The message before must have been released. */
enum kith_taken kith_socket_receive(struct kith_socket *connected, struct kith_message *message);
void kith_socket_release(struct kith_socket *connected);
/* Until something may have come, or the time is over. */
void kith_socket_wait(struct kith_socket *connected, int64_t timeout_ms);

#endif
