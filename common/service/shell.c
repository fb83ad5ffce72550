/* Opening and recovery, the turn, stopping. */
#include "common/service/shell_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How soon it is looked again whether feeds have come to their end. */
#define EFFECTS_LOOK_MS 50

/* ---- recovery */

static enum status recover(struct shell *shell, struct refusal *refusal)
{
    shell->position = store_checkpoint(shell->options.store);
    if (shell->options.journal == NULL) {
        return STATUS_OK;
    }
    enum status status = journal_position_check(shell->options.journal, &shell->position);
    if (status == STATUS_CORRUPT) {
        return refusal_set(refusal, status,
                           "the state holds block %" PRIu64 ", seq %" PRIu64
                           ", which is not in the journal beside it; one of the two files was "
                           "put back from elsewhere",
                           shell->position.block, shell->position.seq);
    }
    if (status != STATUS_OK) {
        return refusal_set(refusal, status, "the journal cannot be read: %s", status_text(status));
    }
    struct replay replay;
    replay_init(&replay, shell->definition, shell->service, shell->options.store);
    replay.watch = shell->options.watch;
    status = replay_run(&replay, shell->options.journal, UINT64_MAX, refusal);
    shell->position = replay.position;
    shell->counters.recovered_blocks = replay.blocks;
    replay_release(&replay);
    assert(status != STATUS_OK ||
           shell->position.block == journal_end(shell->options.journal).block);
    return status;
}

/* ---- opening */

static const struct service_feed *feed_find(const struct service_definition *definition,
                                            const char *name)
{
    for (size_t i = 0; i < definition->feed_count; i++) {
        if (strcmp(definition->feeds[i].name, name) == 0) {
            return &definition->feeds[i];
        }
    }
    return NULL;
}

static void reader_open(struct shell *shell, unsigned i, const char *consumer)
{
    uint32_t shards = shell->options.limits->shards;
    const struct feed_name *name = &shell->options.peers[i].feed;
    const struct service_feed *feed = feed_find(shell->definition, name->name);
    assert(feed != NULL);
    struct feed_reader_options options = {
        .feed = *name,
        .consumer = consumer,
        .partition_first = (uint16_t)(shell->options.shard * PARTITION_COUNT / shards),
        .partition_last = (uint16_t)((shell->options.shard + 1) * PARTITION_COUNT / shards - 1),
        .types_folded = feed->types_folded,
        .folded_count = feed->folded_count,
        .types_ignored = feed->types_ignored,
        .ignored_count = feed->ignored_count,
        .every_block = shell->options.event_clock,
        .stops = shell->options.stop_at != NULL,
        .stop_at = shell->options.stop_at != NULL ? shell->options.stop_at[i] : 0,
    };
    (void)ledger_cursor_get(&shell->view, name, &options.cursor);
    shell->journalled[i] = options.cursor;
    shell->durable[i] = options.cursor;
    shell->checkpoint_cursors[i] = options.cursor;
    feed_reader_open(&shell->readers[i], &options);
}

static void readers_open(struct shell *shell)
{
    char consumer[64];
    (void)snprintf(consumer, sizeof consumer, "%s/%" PRIu32, shell->definition->name,
                   shell->options.shard);
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        reader_open(shell, i, shell->options.consumer != NULL ? shell->options.consumer : consumer);
    }
}

static struct shell *shell_allocate(const struct shell_options *options)
{
    struct shell *shell = memory_allocate(sizeof *shell);
    shell->options = *options;
    shell->definition = options->definition;
    shell->service = options->service;
    shell->learns_cause = ledger_learns_cause(options->definition);
    shell->view = store_view(options->store);
    shell->change = store_change(options->store);
    shell->now_ms = LIMIT_TIME_LEAST_MS;
    shell->ages.from_ms = LIMIT_TIME_LEAST_MS;
    arena_init(&shell->arena, (size_t)LIMIT_MESSAGE_BYTES * 64);
    buffer_init(&shell->scratch_header, LIMIT_HEADER_BYTES * 2);
    buffer_init(&shell->scratch_body, LIMIT_BODY_BYTES);
    for (size_t i = 0; i < LIMIT_TURN_REQUESTS; i++) {
        buffer_init(&shell->outgoing[i].header, LIMIT_HEADER_BYTES * 2);
        buffer_init(&shell->outgoing[i].body, LIMIT_BODY_BYTES);
        buffer_init(&shell->held[i].header, LIMIT_HEADER_BYTES * 2);
        buffer_init(&shell->held[i].body, LIMIT_BODY_BYTES);
    }
    for (size_t i = 0; i < TURN_BLOCKS_MAX; i++) {
        block_builder_init(&shell->turn.builders[i]);
    }
    park_open(&shell->park);
    return shell;
}

static int64_t monotonic_now(const struct shell *shell)
{
    return shell->options.clock.monotonic_ms(shell->options.clock.context);
}

static enum status turn_finish(struct shell *shell);

/* A turn of its own for the rules: an input like any other, decided once. */
static enum status start_turn(struct shell *shell, struct refusal *refusal)
{
    if (shell->definition->start == NULL) {
        return STATUS_OK;
    }
    space_check(shell); /* it commits like any other, and wants room ahead like any other */
    int64_t wall = shell->options.clock.wall_ms(shell->options.clock.context);
    shell->wall_ms = wall > shell->wall_ms ? wall : shell->wall_ms;
    if (shell->definition->effects != NULL && !shell->options.event_clock &&
        shell->now_ms == LIMIT_TIME_LEAST_MS) {
        /* What others did before this service was there is no business of its effects. */
        shell->now_ms = shell->wall_ms;
    }
    turn_begin(&shell->turn, shell, shell->wall_ms);
    shell->turn.may_emit = true;
    shell->definition->start(shell->service, &shell->turn);
    shell->turn.may_emit = false;
    enum status status = turn_finish(shell);
    if (status != STATUS_OK) {
        return refusal_set(refusal, status,
                           "what the start decided, such as new rules, could not be committed, its "
                           "outcome is unknown: %s",
                           status_text(status));
    }
    return STATUS_OK;
}

enum status shell_open(struct shell **shell, const struct shell_options *options,
                       struct refusal *refusal)
{
    assert(*shell == NULL && options->peer_count <= LIMIT_FEEDS);
    struct shell *opened = shell_allocate(options);
    struct feed_name self = { .shard = options->shard };
    (void)snprintf(self.name, sizeof self.name, "%s", options->definition->name);
    enum status status = recover(opened, refusal);
    if (status != STATUS_OK) {
        shell_close(&opened);
        return status;
    }
    (void)ledger_now_get(&opened->view, &opened->now_ms, &opened->wall_ms);
    opened->caught_up_at_ms = monotonic_now(opened);
    opened->cause_known = ledger_cause_get(&opened->view);
    readers_open(opened);
    feed_producer_open(&opened->producer, options->journal, self, options->transport);
    opened->checkpoint_at_ms = monotonic_now(opened) + options->limits->checkpoint_interval_ms;
    opened->dirty = opened->counters.recovered_blocks > 0;
    feeds_inputs_refresh(opened);
    *shell = opened;
    return start_turn(opened, refusal);
}

void shell_close(struct shell **shell)
{
    struct shell *closing = *shell;
    if (closing == NULL) {
        return;
    }
    if (closing->has_waiting) {
        closing->options.transport->message_release(closing->options.transport->context,
                                                    &closing->waiting);
    }
    effects_stop(closing);
    park_close(&closing->park);
    for (unsigned i = 0; i < LIMIT_FEEDS; i++) {
        feed_reader_close(&closing->readers[i]);
    }
    feed_producer_close(&closing->producer);
    for (size_t i = 0; i < TURN_BLOCKS_MAX; i++) {
        block_builder_release(&closing->turn.builders[i]);
    }
    for (size_t i = 0; i < LIMIT_TURN_REQUESTS; i++) {
        buffer_release(&closing->outgoing[i].header);
        buffer_release(&closing->outgoing[i].body);
        buffer_release(&closing->held[i].header);
        buffer_release(&closing->held[i].body);
    }
    buffer_release(&closing->scratch_header);
    buffer_release(&closing->scratch_body);
    arena_release(&closing->arena);
    free(closing);
    *shell = NULL;
}

/* ---- checkpoints */

static void checkpoint_begin(struct shell *shell)
{
    if (shell->options.journal == NULL) {
        /* No journal to stand in: the number says only which checkpoint is newer. */
        shell->position.block += 1;
    }
    store_checkpoint_begin(shell->options.store, &shell->position);
    memcpy(shell->checkpoint_cursors, shell->journalled, sizeof shell->checkpoint_cursors);
    shell->dirty = false;
    shell->checkpoint_at_ms = monotonic_now(shell) + shell->options.limits->checkpoint_interval_ms;
}

static void checkpoint_done(struct shell *shell)
{
    shell->counters.checkpoints += 1;
    if (shell->options.journal == NULL) {
        memcpy(shell->durable, shell->checkpoint_cursors, sizeof shell->durable);
    }
    replies_release(shell);
}

/* A piece more of the checkpoint that runs; begins one that is wanted. */
static enum status checkpoint_consider(struct shell *shell)
{
    struct store *store = shell->options.store;
    bool running = store_checkpoint_running(store);
    bool wanted = store_wants_checkpoint(store) || space_wants_checkpoint(shell) ||
                  shell->held_count > 0 ||
                  (shell->dirty && monotonic_now(shell) >= shell->checkpoint_at_ms);
    if (!running && wanted) {
        checkpoint_begin(shell);
        running = true;
    }
    if (!running) {
        return STATUS_OK;
    }
    enum status status = store_checkpoint_step(store);
    if (status == STATUS_OK && !store_checkpoint_running(store)) {
        checkpoint_done(shell);
    }
    /* What the piece has written is seen from here on. */
    return status == STATUS_OK ? store_turn_end(store) : status;
}

/* ---- the turn */

/* Seals and syncs what was decided, and only then lets anything out. */
static enum status turn_finish(struct shell *shell)
{
    struct turn *turn = &shell->turn;
    turn_seal(turn);
    if (turn->block_count > 0) {
        enum status status =
            journal_append(shell->options.journal, turn->blocks, turn->block_count);
        if (status != STATUS_OK) {
            return status; /* no ack, no nack: what is on disk decides */
        }
        shell->position = turn->position;
        shell->dirty = true;
        shell->counters.blocks += turn->block_count;
        memcpy(shell->durable, shell->journalled, sizeof shell->durable);
    }
    shell->counters.turns += 1;
    feeds_inputs_refresh(shell);
    replies_send(shell);
    if (turn->block_count > 0) {
        effects_synced(shell);
    }
    return STATUS_OK;
}

/* Commands, feeds and idle time in rotation: equal slices, so that none takes more than
 * half of the turn while another waits. */
static void inputs_apply(struct shell *shell)
{
    struct turn *turn = &shell->turn;
    size_t turn_bytes = space_turn_bytes(shell);
    size_t slice = turn_bytes / 4 < TURN_SLICE_BYTES ? turn_bytes / 4 : TURN_SLICE_BYTES;
    bool more = true;
    unsigned waits_left = LIMIT_TURN_REQUESTS;
    bool took_effects = effects_take(shell);
    (void)time_settle(shell, time_of_command(shell));
    while (more && turn->input_bytes < turn_bytes && turn->tick_facts < LIMIT_TURN_TICK_FACTS) {
        bool took_requests = requests_take(shell, slice);
        bool took_facts = feeds_take(shell, slice);
        more = took_requests || took_facts || took_effects;
        took_effects = false;
        if (!more && waits_left > 0) {
            waits_left -= 1;
            more = requests_await(shell);
        }
    }
    time_follow(shell);
    park_ask(shell);
}

static void feed_requests_take(struct shell *shell)
{
    const struct transport *transport = shell->options.transport;
    struct message message;
    for (size_t i = 0;
         i < LIMIT_PARKED && transport->receive(transport->context, TRANSPORT_FEED, &message);
         i++) {
        feed_producer_request(shell->producer, &message, &shell->inputs, monotonic_now(shell));
        transport->message_release(transport->context, &message);
    }
}

static void housekeeping(struct shell *shell)
{
    int64_t now = monotonic_now(shell);
    if (now >= shell->readers_check_at_ms) {
        shell->readers_check_at_ms = now + READERS_CHECK_MS;
        store_readers_check(shell->options.store);
        if (shell->options.journal != NULL) {
            journal_readers_check(shell->options.journal);
        }
    }
    space_check(shell);
}

enum status shell_turn(struct shell *shell)
{
    int64_t wall = shell->options.clock.wall_ms(shell->options.clock.context);
    shell->wall_ms = wall > shell->wall_ms ? wall : shell->wall_ms;
    housekeeping(shell);
    feeds_receive(shell);
    turn_begin(&shell->turn, shell, shell->wall_ms);
    inputs_apply(shell);
    enum status status = turn_finish(shell);
    if (status != STATUS_OK) {
        return status;
    }
    feed_producer_wake(shell->producer, &shell->inputs, monotonic_now(shell));
    feed_requests_take(shell);
    feeds_ask(shell);
    status = store_turn_end(shell->options.store);
    return status == STATUS_OK ? checkpoint_consider(shell) : status;
}

static void wait_until(int64_t *wait_ms, int64_t now_ms, int64_t at_ms)
{
    if (at_ms == INT64_MAX) {
        return;
    }
    int64_t until = at_ms > now_ms ? at_ms - now_ms : 0;
    if (until < *wait_ms) {
        *wait_ms = until;
    }
}

int64_t shell_wait_ms(struct shell *shell)
{
    int64_t now = monotonic_now(shell);
    int64_t wait_ms = READERS_CHECK_MS;
    int64_t due_ms = 0;
    const struct service_definition *definition = shell->definition;
    if ((shell->has_waiting && time_is_known(shell)) || feeds_have_work(shell)) {
        return 0;
    }
    bool running = store_checkpoint_running(shell->options.store);
    if (running) {
        wait_ms = store_checkpoint_look_ms(shell->options.store);
    } else if (shell->held_count > 0) {
        return 0; /* the checkpoint that they wait for begins with the next turn */
    }
    if (shell->space.full != NULL) {
        wait_until(&wait_ms, now, shell->space.check_at_ms);
    }
    wait_until(&wait_ms, now, feed_producer_deadline(shell->producer));
    wait_until(&wait_ms, now, park_deadline(shell));
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        wait_until(&wait_ms, now, feed_reader_fetch_at(shell->readers[i]));
    }
    if (shell->dirty && !running) { /* the next one begins when this one has ended */
        wait_until(&wait_ms, now, shell->checkpoint_at_ms);
    }
    if (shell->space.stops || definition->due == NULL ||
        !definition->due(shell->service, &shell->view, &due_ms)) {
        return wait_ms;
    }
    if (due_ms <= shell->now_ms) {
        bool waits = effects_must_wait(shell) && wait_ms > EFFECTS_LOOK_MS;
        return waits ? EFFECTS_LOOK_MS : 0;
    }
    if (time_passes(shell)) {
        wait_until(&wait_ms, shell->options.clock.wall_ms(shell->options.clock.context), due_ms);
    }
    return wait_ms;
}

enum status shell_effects_turn(struct shell *shell)
{
    turn_begin(&shell->turn, shell, shell->wall_ms);
    (void)effects_take(shell);
    return turn_finish(shell);
}

enum status shell_stop(struct shell *shell)
{
    turn_begin(&shell->turn, shell, shell->wall_ms);
    enum status status = turn_finish(shell);
    if (status != STATUS_OK) {
        return status;
    }
    if (shell->options.journal == NULL) {
        shell->position.block += 1;
    }
    status = store_checkpoint_whole(shell->options.store, &shell->position);
    if (status == STATUS_OK) {
        replies_release(shell);
    }
    return status;
}

bool shell_is_at_stop(const struct shell *shell)
{
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (!feed_reader_at_stop(shell->readers[i])) {
            return false;
        }
    }
    return true;
}

uint64_t shell_progress(const struct shell *shell)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        sum += feed_reader_cursor(shell->readers[i])->to;
    }
    return sum;
}

bool shell_is_ready(const struct shell *shell, char *why, size_t size)
{
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        const char *stopped = feed_reader_stopped(shell->readers[i]);
        if (stopped != NULL) {
            const struct feed_name *feed = feed_reader_feed(shell->readers[i]);
            (void)snprintf(why, size, "feed %s/%" PRIu32 " stands still: %s", feed->name,
                           feed->shard, stopped);
            return false;
        }
    }
    if (effects_are_stuck(shell, why, size)) {
        return false;
    }
    if (shell->space.full != NULL) {
        (void)snprintf(why, size, "%s", shell->space.full);
        return false;
    }
    return true;
}
