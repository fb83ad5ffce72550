/* Feeds folded in order, and the time that passes with them. */
#include "common/service/shell_internal.h"

#include <assert.h>
#include <string.h>

#define ITEM_ENVELOPE_BYTES 64

/* Order of facts of one cause: the way events travel. */
static unsigned feed_rank(const char *name)
{
    static const char *const order[] = { "ingestion", "loyalty", "segmentation", "campaign" };
    unsigned rank = 0;
    while (rank < 4 && strcmp(order[rank], name) != 0) {
        rank += 1;
    }
    return rank;
}

static bool is_ingestion(const struct feed_name *feed)
{
    return strcmp(feed->name, "ingestion") == 0;
}

/* The newest ingestion position folded: what time alone, or a command, goes back to. Who does
 * not read ingestion has it from those who do. */
uint64_t cause_of_now(const struct shell *shell)
{
    uint64_t cause = shell->cause_known;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (is_ingestion(feed_reader_feed(shell->readers[i])) &&
            feed_reader_cursor(shell->readers[i])->to > cause) {
            cause = feed_reader_cursor(shell->readers[i])->to;
        }
    }
    return cause;
}

/* ---- time */

/* What is due next, if it is due by then and may be handled yet. */
static bool due_next(struct shell *shell, int64_t until_ms, int64_t *due_ms)
{
    const struct service_definition *definition = shell->definition;
    return definition->due != NULL && !effects_must_wait(shell) &&
           definition->due(shell->service, &shell->view, due_ms) && *due_ms <= until_ms;
}

/* Makes it that time, unless it has passed already. False: an effect holds time up. */
static bool now_raise(struct shell *shell, int64_t at_ms)
{
    if (at_ms > shell->now_ms) {
        if (effects_hold(shell)) {
            return false;
        }
        shell->now_ms = at_ms;
    }
    return true;
}

static void tick(struct shell *shell, int64_t due_ms)
{
    struct turn *turn = &shell->turn;
    turn->cause = cause_of_now(shell);
    turn->may_emit = true;
    turn->emitted = 0;
    shell->definition->tick(shell->service, turn, due_ms, LIMIT_TURN_TICK_FACTS - turn->tick_facts);
    turn->may_emit = false;
    turn->tick_facts += turn->emitted > 0 ? turn->emitted : 1;
    shell->counters.ticks += 1;
}

bool time_settle(struct shell *shell, int64_t until_ms)
{
    struct turn *turn = &shell->turn;
    int64_t due_ms = 0;
    if (shell->space.stops) {
        return false;
    }
    while (due_next(shell, until_ms, &due_ms)) {
        if (turn->tick_facts >= LIMIT_TURN_TICK_FACTS || turn_is_full(turn) ||
            !now_raise(shell, due_ms)) {
            return false;
        }
        tick(shell, due_ms);
    }
    return now_raise(shell, until_ms);
}

/* Is it sure that nothing of this feed is to be folded before the wall's now? What is held
 * and may not be folded yet waits for another feed. */
static bool reader_lets_time_pass(const struct feed_reader *reader)
{
    return feed_reader_at_end(reader) || feed_reader_held_bytes(reader) > 0 ||
           feed_reader_is_silent(reader) || feed_reader_stopped(reader) != NULL;
}

bool time_passes(struct shell *shell)
{
    if (shell->options.event_clock || feeds_have_work(shell)) {
        return false;
    }
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (!reader_lets_time_pass(shell->readers[i])) {
            return false;
        }
    }
    return true;
}

bool time_is_known(struct shell *shell)
{
    return shell->options.event_clock || shell->now_ms > LIMIT_TIME_LEAST_MS || time_passes(shell);
}

int64_t time_of_command(struct shell *shell)
{
    /* Not the turn's: what comes in while it lasts may have happened since it began. Dated ahead,
     * each such event would have to be kept by others until its time comes. */
    int64_t wall_ms = shell->options.clock.wall_ms(shell->options.clock.context);
    return wall_ms > shell->now_ms && time_passes(shell) ? wall_ms : shell->now_ms;
}

/* ---- which item is next */

static struct feed_moment moment_of(const struct feed_item *item)
{
    return (struct feed_moment){ .cause = item->cause, .at_ms = item->recorded_at_ms };
}

/* What is still to come of a feed that has handed out all that its reader has: it is later
 * than *moment. False: nothing is known of that. */
static bool reader_settled(const struct feed_reader *reader, struct feed_moment *moment)
{
    const struct feed_progress *progress = feed_reader_progress(reader);
    if (!progress->known || !progress->has_settled ||
        feed_reader_cursor(reader)->to < progress->end) {
        return false;
    }
    *moment = progress->settled;
    return true;
}

/* What `cause` of an item of `reader` means in `feed`. A cause does not say of which shard of
 * ingestion it is, but it is of one that the producer had folded: so in each it means no more
 * than that. */
static uint64_t cause_in(const struct feed_reader *reader, uint64_t cause,
                         const struct feed_name *feed)
{
    const struct feed_progress *progress = feed_reader_progress(reader);
    for (size_t i = 0; i < progress->input_count; i++) {
        if (progress->inputs[i].feed.shard == feed->shard &&
            strcmp(progress->inputs[i].feed.name, feed->name) == 0) {
            return progress->inputs[i].seq < cause ? progress->inputs[i].seq : cause;
        }
    }
    return cause;
}

/* May `items[index]` be folded although feed `i` has nothing at hand? The cause rule: a
 * derived fact waits for ingestion's. Under the event clock every other feed must have come
 * as far, so that the order is the same whatever arrives first. */
static bool item_is_in_turn(const struct shell *shell, unsigned index,
                            const struct feed_item *items, unsigned i)
{
    const struct feed_reader *reader = shell->readers[i];
    const struct feed_name *feed = feed_reader_feed(reader);
    struct feed_moment settled = { 0 };
    if (feed_reader_at_stop(reader)) {
        return true;
    }
    if (is_ingestion(feed)) {
        return feed_reader_cursor(reader)->to >=
               cause_in(shell->readers[index], items[index].cause, feed);
    }
    return !shell->options.event_clock ||
           (reader_settled(reader, &settled) &&
            !feed_moment_is_before(settled, moment_of(&items[index])));
}

static bool item_may_fold(const struct shell *shell, unsigned index, const struct feed_item *items,
                          const bool *has_item)
{
    if (items[index].fact == NULL ||
        (is_ingestion(feed_reader_feed(shell->readers[index])) && !shell->options.event_clock)) {
        return true;
    }
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (!has_item[i] && !item_is_in_turn(shell, index, items, i)) {
            return false;
        }
    }
    return true;
}

/* By cause, feed, shard. Under the event clock those of one cause go by time first: what
 * time alone makes of a cause comes after what the others make of it at once. */
static bool item_is_before(const struct shell *shell, unsigned a, const struct feed_item *item_a,
                           unsigned b, const struct feed_item *item_b)
{
    if (item_a->cause != item_b->cause) {
        return item_a->cause < item_b->cause;
    }
    if (shell->options.event_clock && item_a->recorded_at_ms != item_b->recorded_at_ms) {
        return item_a->recorded_at_ms < item_b->recorded_at_ms;
    }
    unsigned rank_a = feed_rank(feed_reader_feed(shell->readers[a])->name);
    unsigned rank_b = feed_rank(feed_reader_feed(shell->readers[b])->name);
    return rank_a != rank_b ? rank_a < rank_b : a < b;
}

/* The first of the items at hand, if it may be folded; under the wall clock, of those that
 * may be folded. */
static bool next_item(struct shell *shell, unsigned *index, struct feed_item *item)
{
    if (effects_hold(shell) || shell->space.stops) {
        return false;
    }
    struct feed_item items[LIMIT_FEEDS];
    bool has_item[LIMIT_FEEDS] = { false };
    bool in_order = shell->options.event_clock;
    bool found = false;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        has_item[i] = feed_reader_item(shell->readers[i], &items[i]);
        if (has_item[i] && is_ingestion(feed_reader_feed(shell->readers[i]))) {
            items[i].cause = items[i].seq;
        }
    }
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (has_item[i] && (!found || item_is_before(shell, i, &items[i], *index, item)) &&
            (in_order || item_may_fold(shell, i, items, has_item))) {
            *index = i;
            *item = items[i];
            found = true;
        }
    }
    return found && (!in_order || item_may_fold(shell, *index, items, has_item));
}

bool feeds_have_work(struct shell *shell)
{
    unsigned index = 0;
    struct feed_item item = { 0 };
    return next_item(shell, &index, &item);
}

/* ---- folding */

static void cause_learn(struct shell *shell, uint64_t cause)
{
    if (shell->learns_cause && cause > shell->cause_known) {
        shell->cause_known = cause;
    }
}

/* Decides what effects wait for, as far as that can be: it holds up what comes next, and one
 * sync is enough for many. */
static bool holds_settle(struct shell *shell)
{
    return !effects_hold(shell) || (time_settle(shell, shell->now_ms) && !effects_hold(shell));
}

bool feeds_take(struct shell *shell, size_t slice_bytes)
{
    struct turn *turn = &shell->turn;
    size_t taken_bytes = 0;
    unsigned index = 0;
    struct feed_item item = { 0 };
    bool took = false;
    while (taken_bytes < slice_bytes && !turn_is_full(turn) && holds_settle(shell) &&
           next_item(shell, &index, &item)) {
        /* A service that keeps no journal takes time from its facts as they come. A block that
         * the filter left out is ahead of its cause, and so says nothing about time. */
        bool is_later = item.fact != NULL && item.recorded_at_ms > shell->now_ms;
        if (!time_settle(shell, is_later ? item.recorded_at_ms : shell->now_ms)) {
            break;
        }
        if (item.folds) {
            turn->cause = item.cause;
            turn->may_emit = true;
            turn->emitted = 0;
            shell->definition->fold(shell->service, turn, feed_reader_feed(shell->readers[index]),
                                    item.fact);
            turn->may_emit = false;
            shell->counters.folded += 1;
            shell->dirty = true;
            cause_learn(shell, item.cause);
        }
        taken_bytes += ITEM_ENVELOPE_BYTES + (item.fact != NULL ? item.fact->body.size : 0);
        feed_reader_advance(shell->readers[index]);
        took = true;
    }
    turn->input_bytes += taken_bytes;
    return took;
}

void time_follow(struct shell *shell)
{
    struct feed_moment reached = { .cause = UINT64_MAX, .at_ms = INT64_MAX };
    unsigned count = shell->options.peer_count;
    if (!shell->options.event_clock || count == 0 || !shell->learns_cause) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        struct feed_moment settled = { 0 };
        struct feed_item item = { 0 };
        if (feed_reader_item(shell->readers[i], &item) ||
            !reader_settled(shell->readers[i], &settled)) {
            return;
        }
        reached = feed_moment_least(reached, settled);
    }
    cause_learn(shell, reached.cause);
    (void)time_settle(shell, reached.at_ms);
}

/* ---- asking and receiving */

static void feed_ask(struct shell *shell, unsigned i)
{
    const struct transport *transport = shell->options.transport;
    int64_t now = shell->options.clock.monotonic_ms(shell->options.clock.context);
    if (feed_reader_fetch(shell->readers[i], now, shell->durable[i].to, &shell->scratch_header,
                          &shell->scratch_body)) {
        /* One that the socket does not take is sent again when its time is over. */
        (void)transport->peer_send(transport->context, i, buffer_span(&shell->scratch_header),
                                   buffer_span(&shell->scratch_body));
    }
}

static void feed_receive(struct shell *shell, unsigned i)
{
    const struct transport *transport = shell->options.transport;
    int64_t now = shell->options.clock.monotonic_ms(shell->options.clock.context);
    struct message message;
    while (transport->peer_receive(transport->context, i, &message)) {
        feed_reader_reply(shell->readers[i], now, message.header, message.body);
        transport->message_release(transport->context, &message);
    }
}

void feeds_ask(struct shell *shell)
{
    int64_t now = shell->options.clock.monotonic_ms(shell->options.clock.context);
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        /* A turn may last longer than a Fetch has time. What was answered meanwhile is here: its
         * producer is not gone, and what it sent is not asked for again. */
        if (feed_reader_is_overdue(shell->readers[i], now)) {
            feed_receive(shell, i);
        }
        feed_ask(shell, i);
    }
}

void feeds_receive(struct shell *shell)
{
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        feed_receive(shell, i);
        /* At the end a Fetch is sent when the turn is over, and brings all that came meanwhile. */
        if (feed_reader_is_behind(shell->readers[i])) {
            feed_ask(shell, i);
        }
    }
}

/* What is still to come here is later than *moment: after what was folded of ingestion and
 * the time that it is, and not before anything that others have still to say. False: nothing
 * is known of that. */
static bool shell_settled(struct shell *shell, struct feed_moment *moment)
{
    int64_t due_ms = 0;
    const struct service_definition *definition = shell->definition;
    struct feed_moment settled = { .cause = cause_of_now(shell), .at_ms = shell->now_ms };
    bool is_due = definition->due != NULL &&
                  definition->due(shell->service, &shell->view, &due_ms) && due_ms <= shell->now_ms;
    if (is_due || effects_hold(shell)) {
        settled.at_ms -= 1;
    }
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        struct feed_moment other = settled;
        struct feed_item item = { 0 };
        if (is_ingestion(feed_reader_feed(shell->readers[i]))) {
            continue;
        }
        if (feed_reader_item(shell->readers[i], &item)) {
            other = moment_of(&item);
            other.at_ms -= 1;
        } else if (!reader_settled(shell->readers[i], &other)) {
            return false;
        }
        settled = feed_moment_least(settled, other);
    }
    *moment = settled;
    return true;
}

void feeds_inputs_refresh(struct shell *shell)
{
    shell->inputs.count = shell->options.peer_count;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        shell->inputs.inputs[i].feed = *feed_reader_feed(shell->readers[i]);
        shell->inputs.inputs[i].seq = feed_reader_cursor(shell->readers[i])->to;
        shell->inputs.stopped[i] = feed_reader_stopped(shell->readers[i]) != NULL;
    }
    struct feed_moment settled = { 0 };
    if (shell->options.event_clock && shell_settled(shell, &settled) &&
        (!shell->inputs.has_settled || feed_moment_is_before(shell->inputs.settled, settled))) {
        shell->inputs.has_settled = true;
        shell->inputs.settled = settled;
    }
}
