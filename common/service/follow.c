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

/* The newest ingestion position folded: what time alone, or a command, goes back to. */
uint64_t cause_of_now(const struct shell *shell)
{
    uint64_t cause = 0;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (is_ingestion(feed_reader_feed(shell->readers[i])) &&
            feed_reader_cursor(shell->readers[i])->to > cause) {
            cause = feed_reader_cursor(shell->readers[i])->to;
        }
    }
    return cause;
}

/* ---- time */

bool time_settle(struct shell *shell, int64_t until_ms)
{
    const struct service_definition *definition = shell->definition;
    struct turn *turn = &shell->turn;
    int64_t due_ms = 0;
    while (definition->due != NULL && definition->due(shell->service, &shell->view, &due_ms) &&
           due_ms <= until_ms) {
        if (turn->tick_facts >= LIMIT_TURN_TICK_FACTS || turn->block_count >= TURN_BLOCKS_FULL) {
            return false;
        }
        if (due_ms > shell->now_ms) {
            shell->now_ms = due_ms;
        }
        turn->cause = cause_of_now(shell);
        turn->may_emit = true;
        turn->emitted = 0;
        definition->tick(shell->service, turn, due_ms, LIMIT_TURN_TICK_FACTS - turn->tick_facts);
        turn->may_emit = false;
        turn->tick_facts += turn->emitted > 0 ? turn->emitted : 1;
        shell->counters.ticks += 1;
    }
    if (until_ms > shell->now_ms) {
        shell->now_ms = until_ms;
    }
    return true;
}

/* Under the wall clock time passes here too, but not ahead of facts that already wait to
 * be folded with an earlier now. Under the event clock only facts move time. */
int64_t time_of_command(const struct shell *shell)
{
    bool wall = !shell->options.event_clock && feeds_are_at_end(shell);
    return wall && shell->turn.wall_ms > shell->now_ms ? shell->turn.wall_ms : shell->now_ms;
}

/* ---- which item is next */

/* The ingestion position up to which reader `i` has certainly handed out everything. */
static uint64_t certain_cause(const struct shell *shell, unsigned i)
{
    const struct feed_reader *reader = shell->readers[i];
    if (feed_reader_at_stop(reader)) {
        return UINT64_MAX;
    }
    if (is_ingestion(feed_reader_feed(reader))) {
        return feed_reader_cursor(reader)->to;
    }
    const struct feed_progress *progress = feed_reader_progress(reader);
    uint64_t cause = UINT64_MAX;
    if (!progress->known || feed_reader_cursor(reader)->to < progress->end) {
        return 0;
    }
    for (size_t j = 0; j < progress->input_count; j++) {
        if (is_ingestion(&progress->inputs[j].feed) && progress->inputs[j].seq < cause) {
            cause = progress->inputs[j].seq;
        }
    }
    return cause;
}

/* The cause rule: a derived fact waits for ingestion's. Under the event clock every other
 * feed must have come as far, so that the order is the same whatever arrives first. */
static bool item_may_fold(const struct shell *shell, unsigned index, const struct feed_item *item,
                          const bool *has_item)
{
    if (item->fact == NULL) {
        return true;
    }
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        bool matters =
            shell->options.event_clock || is_ingestion(feed_reader_feed(shell->readers[i]));
        bool own_is_ingestion = is_ingestion(feed_reader_feed(shell->readers[index]));
        if (i == index || has_item[i] || !matters ||
            (own_is_ingestion && !shell->options.event_clock)) {
            continue;
        }
        if (certain_cause(shell, i) < item->cause) {
            return false;
        }
    }
    return true;
}

static bool item_is_before(const struct shell *shell, unsigned a, const struct feed_item *item_a,
                           unsigned b, const struct feed_item *item_b)
{
    if (item_a->cause != item_b->cause) {
        return item_a->cause < item_b->cause;
    }
    unsigned rank_a = feed_rank(feed_reader_feed(shell->readers[a])->name);
    unsigned rank_b = feed_rank(feed_reader_feed(shell->readers[b])->name);
    return rank_a != rank_b ? rank_a < rank_b : a < b;
}

/* The item with the least (cause, feed, shard) of those at hand, if it may be folded. */
static bool next_item(struct shell *shell, unsigned *index, struct feed_item *item)
{
    bool has_item[LIMIT_FEEDS] = { false };
    bool found = false;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        struct feed_item candidate = { 0 };
        has_item[i] = feed_reader_item(shell->readers[i], &candidate);
        if (has_item[i] && is_ingestion(feed_reader_feed(shell->readers[i]))) {
            candidate.cause = candidate.seq;
        }
        if (has_item[i] && (!found || item_is_before(shell, i, &candidate, *index, item))) {
            *index = i;
            *item = candidate;
            found = true;
        }
    }
    return found && item_may_fold(shell, *index, item, has_item);
}

bool feeds_have_work(struct shell *shell)
{
    unsigned index = 0;
    struct feed_item item = { 0 };
    return next_item(shell, &index, &item);
}

bool feeds_are_at_end(const struct shell *shell)
{
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (!feed_reader_at_end(shell->readers[i])) {
            return false;
        }
    }
    return true;
}

/* ---- folding */

bool feeds_take(struct shell *shell, size_t slice_bytes)
{
    struct turn *turn = &shell->turn;
    size_t taken_bytes = 0;
    unsigned index = 0;
    struct feed_item item = { 0 };
    bool took = false;
    while (taken_bytes < slice_bytes && turn->block_count < TURN_BLOCKS_FULL &&
           next_item(shell, &index, &item)) {
        /* A service that keeps no journal takes time from its facts as they come. */
        if (!time_settle(shell, item.recorded_at_ms > shell->now_ms ? item.recorded_at_ms
                                                                    : shell->now_ms)) {
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
        }
        taken_bytes += ITEM_ENVELOPE_BYTES + (item.fact != NULL ? item.fact->body.size : 0);
        feed_reader_advance(shell->readers[index]);
        took = true;
    }
    turn->input_bytes += taken_bytes;
    return took;
}

/* ---- asking and receiving */

void feeds_ask(struct shell *shell)
{
    const struct transport *transport = shell->options.transport;
    int64_t now = shell->options.clock.monotonic_ms(shell->options.clock.context);
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        if (feed_reader_fetch(shell->readers[i], now, shell->durable[i].to, &shell->scratch_header,
                              &shell->scratch_body)) {
            /* One that the socket does not take is sent again when its time is over. */
            (void)transport->peer_send(transport->context, i, buffer_span(&shell->scratch_header),
                                       buffer_span(&shell->scratch_body));
        }
    }
}

void feeds_receive(struct shell *shell)
{
    const struct transport *transport = shell->options.transport;
    int64_t now = shell->options.clock.monotonic_ms(shell->options.clock.context);
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        struct message message;
        while (transport->peer_receive(transport->context, i, &message)) {
            feed_reader_reply(shell->readers[i], now, message.header, message.body);
            transport->message_release(transport->context, &message);
        }
    }
}

void feeds_inputs_refresh(struct shell *shell)
{
    shell->inputs.count = shell->options.peer_count;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        shell->inputs.inputs[i].feed = *feed_reader_feed(shell->readers[i]);
        shell->inputs.inputs[i].seq = feed_reader_cursor(shell->readers[i])->to;
    }
}
