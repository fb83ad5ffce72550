/*
 * What becomes of a service's process, as a pure state machine: no process, no clock.
 *
 *   STOPPED --start--> STARTING --ready--> RUNNING
 *      ^                  |  \               |  \
 *      |                 died stop          died stop
 *      |                  v    \             v    \
 *      |             RESTARTING \       STARTING   \
 *      |                  |      v       (at once)  v
 *      +-------stop-------+    STOPPING <-----------+
 *      +---------------died-------+
 */
#ifndef KITH_CLI_SUPERVISOR_PLAN_H
#define KITH_CLI_SUPERVISOR_PLAN_H

#include "common/config/suite.h"

/* A service finishes within 5 s; twice that is too long. */
#define SUPERVISOR_STOP_MS 10000
/* A first start is given up after so many deaths before ready, or so long. */
#define SUPERVISOR_EARLY_DEATHS_MAX 3
#define SUPERVISOR_START_MS 60000

enum plan_phase {
    PLAN_STOPPED,
    PLAN_STARTING, /* a process runs and has not said yet that it is ready */
    PLAN_RUNNING,
    PLAN_RESTARTING, /* no process; one is due */
    PLAN_STOPPING,   /* a process runs and was told to end */
};

struct plan {
    enum plan_phase phase;
    int64_t due_ms;        /* RESTARTING: start then; STOPPING: kill then */
    uint32_t early_deaths; /* in a row: died before ready */
    uint64_t restarts;     /* starts that follow a death, not a request */
    bool start_again;      /* STOPPING: asked to start meanwhile */
};

/* "starting", as suite.json and status say it. */
const char *plan_phase_text(enum plan_phase phase);

/* How long to wait before the next start: not at all after a death that followed readiness;
 * otherwise the first delay, doubled for each further early death, up to the most. */
int64_t plan_delay_ms(const struct suite_restart *restart, uint32_t early_deaths);

/* Asked to run: due at once unless it runs; early deaths of before are forgotten. */
void plan_start(struct plan *plan, int64_t now_ms);
/* Asked to stop. True: there is a process to be told. */
bool plan_stop(struct plan *plan, int64_t now_ms);
/* RESTARTING and due: a process was started. */
void plan_started(struct plan *plan);
void plan_ready(struct plan *plan);
/* The process is gone, whatever the reason. */
void plan_died(struct plan *plan, const struct suite_restart *restart, int64_t now_ms);

#endif
