/*
 * DIR/run/suite.json: what runs, as the supervisor last wrote it, and paths below DIR.
 */
#ifndef KITH_CLI_SUITE_FILE_H
#define KITH_CLI_SUITE_FILE_H

#include "common/base/limits.h"
#include "common/base/refusal.h"
#include "common/config/suite.h"

#include <stdbool.h>
#include <stddef.h>

#define PATH_BYTES 4096
#define SUITE_MEMBERS_MAX (SUITE_SERVICES_MAX * LIMIT_SHARDS)

/* One shard of one service. */
struct suite_member {
    char name[24];
    uint32_t shard;
    uint32_t shards; /* that this service has */
    int64_t pid;     /* 0: none runs */
    uint64_t restarts;
    char state[16]; /* starting, running, restarting, stopping, stopped */
};

struct suite_file {
    char config[PATH_BYTES]; /* absolute */
    bool event_clock;
    int64_t pid; /* of the supervisor */
    size_t member_count;
    struct suite_member members[SUITE_MEMBERS_MAX]; /* shards of a service side by side */
};

struct path {
    char text[PATH_BYTES];
};
/* STATUS_LIMIT: longer than a path can be. */
MUST_USE enum status path_make(struct path *path, struct refusal *refusal, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* STATUS_NOT_FOUND: no supervisor has written one; STATUS_CORRUPT: it is not one of ours. */
MUST_USE enum status suite_file_load(struct suite_file *file, const char *data,
                                     struct refusal *refusal);
/* Whole or not at all, by a rename. */
MUST_USE enum status suite_file_save(const struct suite_file *file, const char *data,
                                     struct refusal *refusal);
void suite_file_remove(const char *data);
/* Whether both would be written alike. */
bool suite_file_equal(const struct suite_file *a, const struct suite_file *b);

/* The first shard of a service; NULL: the suite has no such service. */
const struct suite_member *suite_file_find(const struct suite_file *file, const char *name);

/* ---- the supervisor's lock, which holds its pid and goes with its process */

/* On STATUS_OK *descriptor keeps the lock until it is closed.
 * STATUS_EXISTS: another process has it. */
MUST_USE enum status supervisor_lock(const char *data, int *descriptor, struct refusal *refusal);
/* The pid of who holds the lock; 0: nobody. */
int64_t supervisor_lock_holder(const char *data);

#endif
