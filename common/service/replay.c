#include "common/service/replay.h"

#include "common/service/shell_internal.h"

#include <inttypes.h>

struct evolve {
    struct replay *replay;
    struct change change;
    const struct block *block;
};

struct run {
    struct replay *replay;
    uint64_t last;
    enum status status;
    struct refusal *refusal;
};

void replay_init(struct replay *replay, const struct service_definition *definition, void *service,
                 struct store *store)
{
    *replay = (struct replay){ .definition = definition, .service = service, .store = store };
    replay->ages.from_ms = LIMIT_TIME_LEAST_MS;
    replay->learns_cause = ledger_learns_cause(definition);
    replay->position = store_checkpoint(store);
    arena_init(&replay->arena, (size_t)LIMIT_MESSAGE_BYTES * 64);
}

void replay_release(struct replay *replay)
{
    arena_release(&replay->arena);
}

static bool entry_evolve(void *argument, const struct block_entry *entry)
{
    const struct evolve *evolve = argument;
    const struct service_definition *definition = evolve->replay->definition;
    switch (entry->kind) {
    case BLOCK_ENTRY_RECORD:
        if (!entry->record.is_private && evolve->replay->learns_cause) {
            ledger_cause_learn(&evolve->change, entry->record.fact.cause);
        }
        if (entry->record.is_private || !ledger_fact_evolve(&evolve->change, &entry->record.fact)) {
            definition->evolve(evolve->replay->service, &evolve->change, &entry->record);
        }
        break;
    case BLOCK_ENTRY_OUTCOME: {
        struct request_place place = { .body_hash = entry->outcome.body_hash,
                                       .first_seq = evolve->block->header.first_seq,
                                       .block = evolve->block->header.number,
                                       .index = entry->outcome_index,
                                       .issued_at_ms = entry->outcome.issued_at_ms };
        ledger_request_put(&evolve->change, &evolve->replay->ages, definition->keeps_keys_for_ever,
                           entry->outcome.key, &place);
        break;
    }
    case BLOCK_ENTRY_FOLDED:
        ledger_cursor_put(&evolve->change, &entry->folded);
        break;
    }
    return true;
}

static enum status checkpoint_move(struct replay *replay)
{
    struct store *store = replay->store;
    enum status status = STATUS_OK;
    if (store_wants_checkpoint(store) && !store_checkpoint_running(store)) {
        store_checkpoint_begin(store, &replay->position);
    }
    if (store_checkpoint_running(store)) {
        status = store_checkpoint_step(store);
    }
    return status == STATUS_OK ? store_turn_end(store) : status;
}

static bool goes_on(struct replay *replay)
{
    const struct replay_watch *watch = &replay->watch;
    if (!replay->is_told_to_end && watch->goes_on != NULL) {
        replay->is_told_to_end = !watch->goes_on(watch->context);
    }
    return !replay->is_told_to_end;
}

/* Keeps memory within its bound while a long tail is evolved. A turn takes less input there, a
 * block comes whole, and a step waits for less than it brings: so the next one waits until there
 * is room. That ends: what is full has a checkpoint that runs, or is worth one. */
static enum status memory_keep(struct replay *replay)
{
    enum status status = checkpoint_move(replay);
    while (status == STATUS_OK && store_memory_is_full(replay->store) && goes_on(replay)) {
        status = checkpoint_move(replay);
    }
    return status;
}

static bool block_evolve(void *argument, const struct block *block)
{
    struct run *run = argument;
    struct replay *replay = run->replay;
    struct evolve evolve = { .replay = replay,
                             .change = store_change(replay->store),
                             .block = block };
    int64_t now_ms = 0;
    if (block->header.number > run->last) {
        return false;
    }
    arena_reset(&replay->arena);
    run->status = block_walk(block, &replay->arena, entry_evolve, &evolve, &now_ms);
    if (run->status != STATUS_OK) {
        (void)refusal_set(run->refusal, run->status, "block %" PRIu64 " cannot be evolved",
                          block->header.number);
        return false;
    }
    ledger_block_end(&evolve.change, &replay->ages, now_ms, block->header.wall_ms);
    replay->position = block_position(block);
    replay->blocks += 1;
    run->status = memory_keep(replay);
    if (run->status != STATUS_OK) {
        (void)refusal_set(run->refusal, run->status,
                          "the state cannot be written, block %" PRIu64 " was evolved: %s",
                          block->header.number, status_text(run->status));
    } else if (!goes_on(replay)) {
        run->status =
            refusal_set(run->refusal, STATUS_ABORTED,
                        "told to end when block %" PRIu64 " was evolved", block->header.number);
    }
    return run->status == STATUS_OK;
}

enum status replay_run(struct replay *replay, struct journal *journal, uint64_t last,
                       struct refusal *refusal)
{
    struct run run = { .replay = replay, .last = last, .status = STATUS_OK, .refusal = refusal };
    enum status status = journal_read(journal, &replay->position, block_evolve, &run, refusal);
    return status == STATUS_OK ? run.status : status;
}
