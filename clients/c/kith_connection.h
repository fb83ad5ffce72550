/*
 * A connection from inside: single messages, for those who do not simply ask and wait.
 */
#ifndef KITH_CLIENT_CONNECTION_H
#define KITH_CLIENT_CONNECTION_H

#include "clients/c/kith.h"
#include "clients/c/kith_memory.h"

struct kith_outgoing {
    const char *method;
    const struct kith_key *key; /* NULL: none */
    const void *body;
    size_t body_bytes;
    int64_t timeout_ms;
};

/* Sends under a request id of its own, which it returns. 0: the socket takes no more now. */
uint64_t kith_connection_send(struct kith_connection *connection,
                              const struct kith_outgoing *outgoing);
/* The reply to that request, if it comes before the moment on the monotonic clock; all else that
 * comes is dropped. Looks at least once. */
bool kith_connection_await(struct kith_connection *connection, uint64_t request_id,
                           int64_t until_ms, struct kith_reply **reply);
/* Until the moment; replies that come meanwhile are to older requests, or to none. */
void kith_connection_pause(struct kith_connection *connection, int64_t until_ms);
/* Gives up what is in flight and connects anew. If the host lets us have no new socket, the old
 * one stays. */
void kith_connection_renew(struct kith_connection *connection);
const char *kith_connection_endpoint(const struct kith_connection *connection);

/* A call with messages. */
struct kith_question {
    const char *method;
    const struct kith_key *key; /* NULL: none */
    const ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *reply;
    int64_t timeout_ms; /* 0: the connection's */
    int64_t attempt_ms; /* as in struct kith_request */
};
/* The reply's body unpacked, to be ended with kith_unpacked_free(). As kith_call();
 * KITH_INTERNAL also for a body that is no such message. */
KITH_MUST_USE enum kith_status kith_ask(struct kith_connection *connection,
                                        const struct kith_question *question,
                                        struct kith_budget *budget, void **answer,
                                        struct kith_error *error);

#endif
