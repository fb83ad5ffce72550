/*
 * One connection: a DEALER that speaks header and body, to a service (ipc) or to
 * kith-bench-limit (tcp). Nothing here blocks but channels_wait.
 */
#ifndef KITH_BENCH_CHANNEL_H
#define KITH_BENCH_CHANNEL_H

#include "common/wire/wire.h"

struct channel {
    void *socket;
    struct buffer header; /* of the newest message received */
    struct buffer body;
};

void channel_open(struct channel *channel, void *context, const char *endpoint);
void channel_close(struct channel *channel);

/* False: the socket takes no more now. */
bool channel_send(struct channel *channel, struct span header, struct span body);
/* A question or a command, its header made here. */
bool channel_ask(struct channel *channel, const char *method, uint64_t request_id,
                 struct span body);
/* The next message into header and body; false: none waits. */
bool channel_receive(struct channel *channel);
/* The newest message as a reply; ends the program if it is none. */
struct reply_header channel_reply(const struct channel *channel);

/* Until one of them has something to take, at most wait_us. */
void channels_wait(struct channel *const *channels, size_t count, int64_t wait_us);

#endif
