/*
 * One process of a service: starting it with its log file, asking whether it is ready,
 * and telling it to end.
 */
#ifndef KITH_CLI_SUPERVISOR_PROCESS_H
#define KITH_CLI_SUPERVISOR_PROCESS_H

#include "cli/suite_file.h"
#include "cli/supervisor_plan.h"
#include "common/client/client.h"

#include <sys/types.h>

/* What all processes of a suite share; outlives them. */
struct process_suite {
    const char *data;   /* absolute */
    const char *config; /* absolute */
    struct suite_restart restart;
};

struct process {
    const struct process_suite *suite;
    char name[24];
    uint32_t shard;
    uint32_t shards;
    struct plan plan;
    pid_t pid; /* 0: none */
    struct path program;
    struct path log;
    int64_t log_bytes;     /* of the log file when the process was started */
    int64_t started_at_ms; /* monotonic */
    struct client *probe;  /* while it is starting */
    bool asked;            /* the probe awaits a reply */
    char not_ready[160];   /* what it last said */
};

/* Finds the program and the log file's place; starts nothing. */
MUST_USE enum status process_init(struct process *process, const struct process_suite *suite,
                                  const struct suite_service *service, uint32_t shard,
                                  struct refusal *refusal);
void process_release(struct process *process);

/* Starts it; the plan says that it is due. STATUS_ABORTED: the process of an earlier
 * supervisor still ends; look again soon. */
MUST_USE enum status process_start(struct process *process, int64_t now_ms,
                                   struct refusal *refusal);
/* One look whether it is ready, which then the plan knows. Never waits. */
void process_probe(struct process *process);
/* It is gone: the plan decides what now. */
void process_ended(struct process *process, int64_t now_ms);
/* Asks the plan to stop it and tells the process. */
void process_stop(struct process *process, int64_t now_ms);
/* It did not end in time. */
void process_kill(struct process *process);

/* The last lines that it wrote since it was started, on stderr. */
void process_log_print(const struct process *process);
struct suite_member process_member(const struct process *process);

#endif
