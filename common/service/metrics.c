/* What the shell knows of itself, as Prometheus text. */
#include "common/service/shell_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES 256

static void line_append(struct buffer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line that does not fit is left out: the page has a bound. */
static void line_append(struct buffer *out, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size > 0 && (size_t)size < sizeof line) {
        (void)!buffer_append(out, span_of(line, (size_t)size));
    }
}

struct metric {
    const char *name;
    const char *type;
    const char *help;
    uint64_t value;
};

static void metric_append(const struct shell *shell, struct buffer *out,
                          const struct metric *metric)
{
    line_append(out, "# HELP kith_%s %s\n# TYPE kith_%s %s\n", metric->name, metric->help,
                metric->name, metric->type);
    line_append(out, "kith_%s{service=\"%s\",shard=\"%" PRIu32 "\"} %" PRIu64 "\n", metric->name,
                shell->definition->name, shell->options.shard, metric->value);
}

static void feeds_append(const struct shell *shell, struct buffer *out)
{
    line_append(out, "# HELP kith_feed_applied Newest position folded.\n"
                     "# TYPE kith_feed_applied gauge\n");
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        const struct feed_name *feed = feed_reader_feed(shell->readers[i]);
        line_append(out,
                    "kith_feed_applied{service=\"%s\",shard=\"%" PRIu32 "\",feed=\"%s/%" PRIu32
                    "\"} %" PRIu64 "\n",
                    shell->definition->name, shell->options.shard, feed->name, feed->shard,
                    feed_reader_cursor(shell->readers[i])->to);
    }
    line_append(out, "# HELP kith_feed_lag Positions not yet folded.\n"
                     "# TYPE kith_feed_lag gauge\n");
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        const struct feed_name *feed = feed_reader_feed(shell->readers[i]);
        const struct feed_progress *progress = feed_reader_progress(shell->readers[i]);
        uint64_t applied = feed_reader_cursor(shell->readers[i])->to;
        line_append(out,
                    "kith_feed_lag{service=\"%s\",shard=\"%" PRIu32 "\",feed=\"%s/%" PRIu32
                    "\"} %" PRIu64 "\n",
                    shell->definition->name, shell->options.shard, feed->name, feed->shard,
                    progress->known && progress->end > applied ? progress->end - applied : 0);
    }
}

void shell_metrics(const struct shell *shell, struct buffer *out)
{
    const struct shell_counters *counters = &shell->counters;
    char why[256];
    size_t state_used = 0;
    size_t state_map = 0;
    size_t journal_used = 0;
    size_t journal_map = 0;
    store_space(shell->options.store, &state_used, &state_map);
    if (shell->options.journal != NULL) {
        journal_space(shell->options.journal, &journal_used, &journal_map);
    }
    const struct metric metrics[] = {
        { "ready", "gauge", "1 when all feeds run and there is room.",
          shell_is_ready(shell, why, sizeof why) ? 1 : 0 },
        { "turns_total", "counter", "Turns since start.", counters->turns },
        { "blocks_total", "counter", "Blocks journalled since start.", counters->blocks },
        { "facts_total", "counter", "Facts decided since start.", counters->facts },
        { "commands_total", "counter", "Commands decided since start.", counters->commands },
        { "questions_total", "counter", "Questions answered since start.", counters->questions },
        { "refused_total", "counter", "Requests refused since start.", counters->refused },
        { "replayed_total", "counter", "Retries that got a stored reply.", counters->replayed },
        { "folded_total", "counter", "Facts of feeds folded since start.", counters->folded },
        { "ticks_total", "counter", "Instants at which time alone was due.", counters->ticks },
        { "checkpoints_total", "counter", "Checkpoints since start.", counters->checkpoints },
        { "recovered_blocks_total", "counter", "Blocks evolved at start.",
          counters->recovered_blocks },
        { "dropped_messages_total", "counter", "Messages dropped by the transport.",
          shell->options.transport->dropped(shell->options.transport->context) },
        { "parked_requests", "gauge", "Fetches and Waits that wait here.",
          feed_producer_parked(shell->producer) },
        { "journal_seq", "gauge", "Newest position of the own journal.", shell->position.seq },
        { "checkpoint_seq", "gauge", "Newest position in the durable state.",
          store_checkpoint(shell->options.store).seq },
        { "records_touched_total", "counter", "State records put or deleted since start.",
          store_touched(shell->options.store) },
        { "memtable_bytes", "gauge", "State not yet checkpointed.",
          store_memory_bytes(shell->options.store) },
        { "memtable_bytes_max", "gauge", "Its bound.", shell->options.limits->memtable_bytes_max },
        { "state_used_bytes", "gauge", "Bytes used in the state file.", state_used },
        { "state_map_bytes", "gauge", "Its bound.", state_map },
        { "journal_used_bytes", "gauge", "Bytes used in the journal file.", journal_used },
        { "journal_map_bytes", "gauge", "Its bound.", journal_map },
    };
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        metric_append(shell, out, &metrics[i]);
    }
    if (shell->options.peer_count > 0) {
        feeds_append(shell, out);
    }
}
