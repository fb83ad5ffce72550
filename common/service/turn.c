/* What a service may do within a turn, and the blocks that come of it. */
#include "common/service/shell_internal.h"

#include <assert.h>
#include <string.h>

/* Envelope of a fact or record around its body, generously. */
#define ENVELOPE_BYTES 256
/* The most that a fact's envelope really has, for those that are counted by the thousand. */
#define ENVELOPE_BYTES_MOST 80

void turn_begin(struct turn *turn, struct shell *shell, int64_t wall_ms)
{
    turn->shell = shell;
    turn->wall_ms = wall_ms;
    turn->cause = cause_of_now(shell);
    turn->key = span_of(NULL, 0);
    turn->may_emit = false;
    turn->is_early = false;
    turn->emitted = 0;
    turn->tick_facts = 0;
    turn->input_bytes = 0;
    turn->begun = false;
    turn->block_count = 0;
    turn->outcomes_in_block = 0;
    turn->position = shell->position;
    turn->outcome_count = 0;
}

static void block_close(struct turn *turn)
{
    struct shell *shell = turn->shell;
    struct block *block = &turn->blocks[turn->block_count];
    ledger_block_end(&shell->change, &shell->ages, shell->now_ms, turn->wall_ms);
    block_seal(&turn->builders[turn->block_count], &turn->position, shell->now_ms, block);
    turn->position = block_position(block);
    turn->block_count += 1;
    turn->begun = false;
}

struct block_builder *turn_builder(struct turn *turn, size_t size)
{
    struct shell *shell = turn->shell;
    if (turn->begun && block_size(&turn->builders[turn->block_count]) + size > LIMIT_BLOCK_BYTES) {
        block_close(turn);
    }
    if (!turn->begun) {
        assert(turn->block_count < TURN_BLOCKS_MAX);
        block_begin(&turn->builders[turn->block_count], &turn->position, turn->wall_ms,
                    shell->now_ms);
        turn->begun = true;
        turn->outcomes_in_block = 0;
    }
    return &turn->builders[turn->block_count];
}

bool turn_is_full(const struct turn *turn)
{
    /* On a tight disk what is reserved has to do: one whole block, and what follows it. */
    return turn->block_count >= (turn->shell->space.is_tight ? 1 : TURN_BLOCKS_FULL);
}

static bool cursor_equal(const struct feed_cursor *a, const struct feed_cursor *b)
{
    return a->epoch == b->epoch && a->to == b->to && a->block == b->block &&
           a->block_seq == b->block_seq && hash256_equal(a->chain, b->chain);
}

/* Passing over facts without effect is worth no block of its own, or two services that
 * read each other would write for ever; it is found again by fetching. */
static bool cursors_are_worth_a_block(const struct shell *shell)
{
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (feed_reader_cursor(shell->readers[i])->to >=
            shell->journalled[i].to + CURSOR_IDLE_MAX) {
            return true;
        }
    }
    return false;
}

static void cursors_append(struct turn *turn)
{
    struct shell *shell = turn->shell;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        const struct feed_cursor *cursor = feed_reader_cursor(shell->readers[i]);
        if (cursor_equal(cursor, &shell->journalled[i])) {
            continue;
        }
        struct folded folded =
            folded_of(feed_reader_feed(shell->readers[i]), &shell->journalled[i], cursor);
        if (shell->options.journal != NULL) {
            block_folded_add(turn_builder(turn, ENVELOPE_BYTES), &folded);
        }
        ledger_cursor_put(&shell->change, &folded);
        shell->journalled[i] = *cursor;
    }
}

void turn_seal(struct turn *turn)
{
    struct shell *shell = turn->shell;
    bool has_blocks = turn->begun || turn->block_count > 0;
    if (shell->options.journal == NULL || has_blocks || cursors_are_worth_a_block(shell)) {
        cursors_append(turn);
    }
    if (turn->begun) {
        block_close(turn);
    }
    if (shell->options.journal == NULL) {
        ledger_block_end(&shell->change, &shell->ages, shell->now_ms, turn->wall_ms);
    }
}

/* ---- for services */

const struct view *turn_view(struct turn *turn)
{
    return &turn->shell->view;
}

int64_t turn_now(const struct turn *turn)
{
    return turn->shell->now_ms;
}

int64_t turn_wall(const struct turn *turn)
{
    return turn->wall_ms;
}

uint64_t turn_cause(const struct turn *turn)
{
    return turn->cause;
}

struct span turn_key(const struct turn *turn)
{
    return turn->key;
}

bool turn_is_behind(struct turn *turn)
{
    return effects_must_wait(turn->shell);
}

void turn_now_raise(struct turn *turn, int64_t now_ms)
{
    assert(turn->shell->definition->feed_count == 0);
    if (now_ms > turn->shell->now_ms) {
        turn->shell->now_ms = now_ms;
    }
}

uint64_t turn_next_seq(const struct turn *turn)
{
    uint64_t in_block = turn->begun ? turn->builders[turn->block_count].header.count : UINT64_C(0);
    return turn->position.seq + in_block + 1;
}

size_t turn_positions(const struct turn *turn, struct turn_position *positions, size_t max)
{
    const struct shell *shell = turn->shell;
    size_t count = 0;
    for (unsigned i = 0; i < shell->options.peer_count && count < max; i++) {
        positions[count].feed = *feed_reader_feed(shell->readers[i]);
        positions[count].seq = feed_reader_cursor(shell->readers[i])->to;
        count += 1;
    }
    if (shell->options.journal != NULL && count < max) {
        positions[count] = (struct turn_position){ .seq = turn_next_seq(turn) - 1 };
        positions[count].feed.shard = shell->options.shard;
        struct span name = span_of_text(shell->definition->name);
        assert(name.size < sizeof positions[count].feed.name);
        memcpy(positions[count].feed.name, name.data, name.size);
        count += 1;
    }
    return count;
}

bool turn_together(struct turn *turn, size_t count, size_t bytes)
{
    size_t needed = bytes + count * ENVELOPE_BYTES_MOST + ENVELOPE_BYTES;
    if (needed > LIMIT_BLOCK_BYTES) {
        return false;
    }
    (void)turn_builder(turn, needed);
    return true;
}

uint64_t turn_emit(struct turn *turn, struct fact *fact)
{
    struct shell *shell = turn->shell;
    assert(turn->may_emit && shell->options.journal != NULL);
    fact->recorded_at_ms = shell->now_ms;
    if (fact->cause == 0) {
        fact->cause = turn->cause;
    }
    struct block_builder *builder =
        turn_builder(turn, fact->body.size + fact->subject.bytes.size + ENVELOPE_BYTES);
    fact->seq = block_fact_add(builder, fact);
    turn->emitted += 1;
    shell->counters.facts += 1;
    if (shell->learns_cause) {
        ledger_cause_learn(&shell->change, fact->cause);
    }
    if (!ledger_fact_evolve(&shell->change, fact)) {
        struct record record = { .fact = *fact };
        shell->definition->evolve(shell->service, &shell->change, &record);
    }
    return fact->seq;
}

void turn_record(struct turn *turn, struct span record)
{
    struct shell *shell = turn->shell;
    assert(turn->may_emit && shell->options.journal != NULL);
    block_record_add(turn_builder(turn, record.size + ENVELOPE_BYTES), record);
    turn->emitted += 1;
    struct record evolved = { .is_private = true, .private_record = record };
    shell->definition->evolve(shell->service, &shell->change, &evolved);
}

const struct change *turn_change(struct turn *turn)
{
    assert(!turn->shell->definition->keeps_journal);
    return &turn->shell->change;
}
