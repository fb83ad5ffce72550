/*
 * Admin HTTP on 127.0.0.1 and a free port: /metrics, /healthz, /readyz. Driven from the
 * service's own loop: no thread, and no answer while a turn is under way.
 */
#ifndef KITH_SERVICE_ADMIN_H
#define KITH_SERVICE_ADMIN_H

#include "common/base/bytes.h"
#include "common/base/refusal.h"

#include <stdbool.h>

#define ADMIN_CONNECTIONS_MAX 32

struct admin;

struct admin_source {
    void *context;
    void (*metrics)(void *context, struct buffer *out);
    bool (*is_ready)(void *context, char *why, size_t size);
};

MUST_USE enum status admin_open(struct admin **admin, const struct admin_source *source,
                                struct refusal *refusal);
void admin_close(struct admin **admin);
unsigned admin_port(const struct admin *admin);
/* Readable when there is something to do. */
int admin_descriptor(const struct admin *admin);
/* Answers what waits; returns at once. */
void admin_step(struct admin *admin);
/* Milliseconds until a connection times out; -1: none. */
int64_t admin_wait_ms(const struct admin *admin);

#endif
