/*
 * A reply as it came from a service, checked.
 */
#ifndef KITH_CLIENT_REPLY_H
#define KITH_CLIENT_REPLY_H

#include "clients/c/kith.h"
#include "clients/c/kith_socket.h"

/* A copy of the message. False: its header is none, so that nothing may be concluded from it. */
bool kith_reply_open(struct kith_reply **reply, const struct kith_message *message);
uint64_t kith_reply_request_id(const struct kith_reply *reply);
/* The reply's status. Unless it is KITH_OK, its words go to `error`. */
enum kith_status kith_reply_tell(const struct kith_reply *reply, struct kith_error *error);
/* KITH_INTERNAL: the reply to `method` cannot be understood. */
KITH_MUST_USE enum kith_status kith_reply_senseless(const char *method, const char *why,
                                                    struct kith_error *error);

#endif
