/*
 * The state of a service without a journal, built again from the feeds up to the positions
 * that a checkpoint states.
 */
#ifndef KITH_SERVICE_REFOLD_H
#define KITH_SERVICE_REFOLD_H

#include "common/base/limits.h"
#include "common/service/process.h"

struct refold_cursors {
    size_t count;
    struct {
        struct feed_name feed;
        uint64_t to;
    } cursors[LIMIT_FEEDS];
};

/* A view_visit: notes a record of the shell's cursor table in a struct refold_cursors. */
bool refold_cursor_note(void *argument, struct span key, struct span value);

/* Folds the feeds into the empty `store`, from their beginning up to `cursors`. The
 * producers must run. STATUS_UNREACHABLE: a feed brought nothing for half a minute. */
MUST_USE enum status refold(struct process *process, struct store *store,
                            const struct refold_cursors *cursors, struct refusal *refusal);

#endif
