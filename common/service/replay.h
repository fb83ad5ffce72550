/*
 * State as the fold of a journal: recovery and `verify-state` evolve blocks by the same
 * code. Nothing is decided here.
 */
#ifndef KITH_SERVICE_REPLAY_H
#define KITH_SERVICE_REPLAY_H

#include "common/journal/journal.h"
#include "common/service/service.h"

struct replay {
    const struct service_definition *definition;
    void *service;
    struct store *store;
    struct arena arena;
    bool learns_cause;                /* as ledger_learns_cause says */
    struct journal_position position; /* after the newest block evolved */
    uint64_t blocks;
};

void replay_init(struct replay *replay, const struct service_definition *definition, void *service,
                 struct store *store);
void replay_release(struct replay *replay);

/* Evolves the journal's blocks after `replay->position` up to and with block `last`, making
 * checkpoints when memory asks for one. STATUS_CORRUPT: a block cannot be read. */
MUST_USE enum status replay_run(struct replay *replay, struct journal *journal, uint64_t last,
                                struct refusal *refusal);

#endif
