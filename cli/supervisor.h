/*
 * What `kith up` becomes: it starts every shard of every service, starts again what dies,
 * and stops all of them at the end. One thread, one loop, nothing blocks.
 */
#ifndef KITH_CLI_SUPERVISOR_H
#define KITH_CLI_SUPERVISOR_H

#include "common/config/suite.h"

struct supervisor_options {
    const char *data;        /* absolute; DIR, DIR/run and DIR/log are there */
    const char *config_path; /* absolute */
    const struct suite_config *config;
    int lock;      /* held, see supervisor_lock; stays the caller's */
    int ready_out; /* detached: one byte goes here when all are ready, and talk then goes to
                    * DIR/log/supervisor.log; -1: in the foreground */
};

/* Until SIGTERM or SIGINT, or the first start fails, which is said on stderr. Returns the
 * exit code. */
int supervisor_run(const struct supervisor_options *options);

#endif
