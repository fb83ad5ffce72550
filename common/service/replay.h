/*
 * State as the fold of a journal: recovery and `verify-state` evolve blocks by the same
 * code. Nothing is decided here.
 */
#ifndef KITH_SERVICE_REPLAY_H
#define KITH_SERVICE_REPLAY_H

#include "common/journal/journal.h"
#include "common/service/service.h"

/* Before this instant no request's age stands in the table; at first: LIMIT_TIME_LEAST_MS. What
 * was dropped from there leaves marks until a checkpoint has merged them, and a scan from the
 * table's beginning would pass all of them, block by block. Held beside the state, not in it. */
struct ledger_ages {
    int64_t from_ms;
};

/* Asked after each block, and while one waits for room in memory: shall it go on? */
struct replay_watch {
    void *context;
    bool (*goes_on)(void *context); /* NULL: always */
};

struct replay {
    const struct service_definition *definition;
    void *service;
    struct store *store;
    struct arena arena;
    struct ledger_ages ages;
    bool learns_cause;                /* as ledger_learns_cause says */
    struct journal_position position; /* after the newest block evolved */
    uint64_t blocks;
    struct replay_watch watch; /* filled in by the caller after replay_init */
    bool is_told_to_end;
};

void replay_init(struct replay *replay, const struct service_definition *definition, void *service,
                 struct store *store);
void replay_release(struct replay *replay);

/* Evolves the journal's blocks after `replay->position` up to and with block `last`, making
 * checkpoints when memory asks for one. `refusal` says what failed.
 *   STATUS_CORRUPT  a block cannot be read
 *   STATUS_ABORTED  its watch says that it shall not go on: what was evolved is whole blocks
 *   otherwise       the state cannot be written */
MUST_USE enum status replay_run(struct replay *replay, struct journal *journal, uint64_t last,
                                struct refusal *refusal);

#endif
