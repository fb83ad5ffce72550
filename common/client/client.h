/*
 * Asking a service and waiting for its answer: what the command line and the supervisor
 * use. Blocking; one thread.
 */
#ifndef KITH_CLIENT_CLIENT_H
#define KITH_CLIENT_CLIENT_H

#include "common/wire/wire.h"

struct client;

/* Connects to "ipc:///...". Nobody need be there yet. */
MUST_USE enum status client_open(struct client **client, const char *endpoint,
                                 struct refusal *refusal);
void client_close(struct client **client);

struct client_request {
    const char *method;
    const char *key; /* commands; NULL otherwise */
    struct span body;
    int64_t timeout_ms; /* for all attempts together */
};

/* Sends, and sends again with the same key while the outcome is unknown (service
 * restarted, reply lost, "not now") and time is left. The reply's status is returned and
 * stands in `refusal`; `body` is cleared and filled on STATUS_OK, empty otherwise.
 * STATUS_UNREACHABLE: nobody answered in time. Without sending: STATUS_MALFORMED, the key is
 * not valid; STATUS_LIMIT, the body is too large. */
MUST_USE enum status client_call(struct client *client, const struct client_request *request,
                                 struct buffer *body, struct refusal *refusal);

/* ---- several in flight, for loaders: the caller keeps order and retries */

/* `request_id`, below 2^62, comes back with the reply. The key must be valid and the body
 * within LIMIT_BODY_BYTES. False: the socket takes no more now. */
bool client_send(struct client *client, const struct client_request *request, uint64_t request_id);
/* The next reply within timeout_ms. False: none came. `body` is cleared and filled; a reply
 * that does not fit it becomes a refusal with STATUS_LIMIT. */
bool client_receive(struct client *client, int64_t timeout_ms, struct reply_header *header,
                    struct buffer *body);
/* For those who make their headers themselves (common/feed); such a header's request id and
 * those of client_send share one space. False: the socket takes no more now, or none came. */
bool client_send_raw(struct client *client, struct span header, struct span body);
/* The next message of two frames, both cleared and filled; one that does not fit is dropped. */
bool client_receive_raw(struct client *client, int64_t timeout_ms, struct buffer *header,
                        struct buffer *body);
/* Drops the connection and makes a new one: what was in flight is unknown. */
MUST_USE enum status client_reconnect(struct client *client, struct refusal *refusal);

#endif
