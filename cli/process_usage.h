/* What a process uses, as Linux tells in /proc. */
#ifndef KITH_CLI_PROCESS_USAGE_H
#define KITH_CLI_PROCESS_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_usage {
    pid_t pid;
    uint64_t cpu_ms;          /* user and system, since it began */
    uint64_t anonymous_bytes; /* memory that is its own: no mapped files */
};

/* False: there is no such process, or it may not be looked at. */
bool process_usage_read(pid_t pid, struct process_usage *usage);

#endif
