/*
 * Room on the disk and in the maps.
 *
 * Each store has room of its own reserved behind its end, as much as a turn and the
 * checkpoints after it may take. So whatever fills the disk, a turn that was begun finds room,
 * and so does the checkpoint of what it left in memory. There are two bounds:
 *
 *   disk_reserve_bytes are not left, or a map is at 80 %
 *           no new commands; feeds are folded and time passes
 *   what must be ahead of a store cannot be reserved, or a map ends there
 *           nothing that writes but the checkpoint of what is in memory; questions are answered
 *
 * Both end by themselves when there is room; a map gets it when it is made larger.
 */
#include "common/service/shell_internal.h"

/* A turn on a tight disk: this much input, and one request more. */
#define TIGHT_TURN_BYTES ((size_t)64 * 1024)
/* What the blocks of such a turn may take: three times the largest request, and the pages
 * around them. */
#define JOURNAL_AHEAD_BYTES ((size_t)4 * LIMIT_BODY_BYTES)
/* What such a turn may add to the memtable. */
#define MEMORY_AHEAD_BYTES ((size_t)2 * LIMIT_BODY_BYTES)
/* A look at the store asks each of its tables, so not every turn takes one: so much more is
 * reserved, and it is looked at again when memory has grown by that, or after a while, since
 * what runs in the background takes room too. */
#define STORE_LOOK_BYTES ((size_t)256 * 1024)
#define STORE_LOOK_MS 100
/* On a tight disk a memtable is written down as soon as this. */
#define TIGHT_MEMORY_BYTES ((size_t)512 * 1024)

static const char map_is_full[] = "the store is full up to its reserve";
static const char disk_is_full[] = "the disk is full up to its reserve";

static uint64_t free_bytes_of(const struct shell *shell)
{
    const struct shell_options *options = &shell->options;
    return options->journal != NULL ? journal_disk_free_bytes(options->journal)
                                    : store_disk_free_bytes(options->store);
}

static bool is_nearly_full(size_t used_bytes, size_t map_bytes)
{
    return used_bytes / 4 >= map_bytes / 5;
}

/* It ends within `bytes`. A small map has no room for what a large one keeps free. */
static bool ends_within(size_t used_bytes, size_t map_bytes, size_t bytes, size_t share)
{
    size_t bound = bytes < map_bytes / share ? bytes : map_bytes / share;
    return used_bytes + bound > map_bytes;
}

static bool is_tight_map(size_t used_bytes, size_t map_bytes)
{
    return ends_within(used_bytes, map_bytes, LIMIT_DISK_TIGHT_BYTES, 2);
}

/* True: what must be ahead of it is reserved. */
static bool journal_look(struct shell *shell, bool *is_full)
{
    size_t used = 0;
    size_t map = 0;
    if (shell->options.journal == NULL) {
        return true;
    }
    journal_space(shell->options.journal, &used, &map);
    *is_full = is_nearly_full(used, map);
    shell->space.journal_is_tight = is_tight_map(used, map);
    return !ends_within(used, map, JOURNAL_AHEAD_BYTES, 8) &&
           journal_reserve(shell->options.journal, JOURNAL_AHEAD_BYTES) == STATUS_OK;
}

static bool store_look_is_due(struct shell *shell, int64_t now_ms)
{
    struct space *space = &shell->space;
    size_t memory = store_memory_bytes(shell->options.store);
    if (memory < space->memory_bytes) {
        space->memory_bytes = memory; /* and what was written down has used what was reserved */
    }
    return space->is_tight || space->full != NULL || now_ms >= space->store_look_at_ms ||
           memory > space->memory_bytes + STORE_LOOK_BYTES;
}

/* The same, if it is time to look. */
static bool store_look(struct shell *shell, int64_t now_ms)
{
    struct space *space = &shell->space;
    struct store *store = shell->options.store;
    size_t used = 0;
    size_t map = 0;
    if (!store_look_is_due(shell, now_ms)) {
        return true;
    }
    space->store_look_at_ms = now_ms + STORE_LOOK_MS;
    space->memory_bytes = store_memory_bytes(store);
    store_space(store, &used, &map);
    space->store_is_full = is_nearly_full(used, map);
    space->store_is_tight = is_tight_map(used, map);
    return store_reserve(store, MEMORY_AHEAD_BYTES + STORE_LOOK_BYTES) == STATUS_OK;
}

void space_check(struct shell *shell)
{
    struct space *space = &shell->space;
    int64_t now = shell->options.clock.monotonic_ms(shell->options.clock.context);
    if (space->stops && now < space->check_at_ms) {
        return;
    }
    space->check_at_ms = now + SPACE_CHECK_MS;
    uint64_t free_bytes = free_bytes_of(shell);
    /* Who only rebuilds a state takes no commands. */
    bool is_low =
        shell->options.stop_at == NULL && free_bytes < shell->options.limits->disk_reserve_bytes;
    bool journal_is_full = false;
    bool is_reserved = journal_look(shell, &journal_is_full);
    is_reserved = store_look(shell, now) && is_reserved;
    bool map_is_tight = space->journal_is_tight || space->store_is_tight;
    space->is_tight = map_is_tight || free_bytes < LIMIT_DISK_TIGHT_BYTES;
    space->stops = !is_reserved;
    space->full = NULL;
    if (is_low || space->stops) {
        space->full = !is_low && map_is_tight ? map_is_full : disk_is_full;
    } else if (journal_is_full || space->store_is_full) {
        space->full = map_is_full;
    }
}

size_t space_turn_bytes(const struct shell *shell)
{
    const struct suite_service *limits = shell->options.limits;
    bool is_small = shell->space.is_tight || store_memory_is_full(shell->options.store);
    return is_small && limits->turn_bytes_max > TIGHT_TURN_BYTES ? TIGHT_TURN_BYTES
                                                                 : limits->turn_bytes_max;
}

bool space_wants_checkpoint(const struct shell *shell)
{
    const struct space *space = &shell->space;
    return shell->dirty &&
           (space->stops ||
            (space->is_tight && store_memory_bytes(shell->options.store) >= TIGHT_MEMORY_BYTES));
}
