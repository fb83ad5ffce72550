/*
 * What is broken on purpose. The linker's --wrap puts these between the services and the functions
 * that they call, so nothing of this stands in the services themselves.
 */
#include "common/service/shell_internal.h"
#include "services/ingestion/ingestion_store.h"
#include "tests/sim/sim_world.h"

/* The linker makes these names. NOLINTBEGIN(readability-identifier-naming) */
enum status __real_journal_append(struct journal *journal, const struct block *blocks,
                                  size_t count);
enum status __wrap_journal_append(struct journal *journal, const struct block *blocks,
                                  size_t count);
void __real_block_folded_add(struct block_builder *builder, const struct folded *folded);
void __wrap_block_folded_add(struct block_builder *builder, const struct folded *folded);
bool __real_ledger_request_get(const struct view *view, struct hash128 key,
                               struct request_place *place);
bool __wrap_ledger_request_get(const struct view *view, struct hash128 key,
                               struct request_place *place);
bool __real_ingestion_event_load(const struct view *view, const struct ingestion_event_key *key,
                                 struct ingestion_event *event);
bool __wrap_ingestion_event_load(const struct view *view, const struct ingestion_event_key *key,
                                 struct ingestion_event *event);

static bool is_broken(enum sim_control control)
{
    const struct sim_world *world = sim_world_current();
    return world != NULL && world->options.control == control;
}

enum status __wrap_journal_append(struct journal *journal, const struct block *blocks, size_t count)
{
    if (is_broken(SIM_CONTROL_EARLY_REPLY)) {
        const struct sim_node *running = sim_world_current()->running;
        if (running != NULL && running->shell != NULL) {
            replies_send(running->shell);
        }
    }
    return __real_journal_append(journal, blocks, count);
}

void __wrap_block_folded_add(struct block_builder *builder, const struct folded *folded)
{
    if (!is_broken(SIM_CONTROL_LOOSE_CURSOR)) {
        __real_block_folded_add(builder, folded);
    }
}

bool __wrap_ledger_request_get(const struct view *view, struct hash128 key,
                               struct request_place *place)
{
    return !is_broken(SIM_CONTROL_NO_KEYS) && __real_ledger_request_get(view, key, place);
}

bool __wrap_ingestion_event_load(const struct view *view, const struct ingestion_event_key *key,
                                 struct ingestion_event *event)
{
    return !is_broken(SIM_CONTROL_NO_DEDUPE) && __real_ingestion_event_load(view, key, event);
}
/* NOLINTEND(readability-identifier-naming) */
