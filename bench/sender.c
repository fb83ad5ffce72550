#include "bench/sender.h"

#include "bench/bench.h"
#include "common/base/field.h"
#include "common/base/limits.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* An unanswered request ends the run: nothing was killed, so nothing may be lost. */
#define ANSWER_US INT64_C(60000000)
/* How long facts may take to arrive after the last acknowledgement. */
#define ARRIVE_US INT64_C(30000000)
#define QUIET_US INT64_C(1000000)
/* How long a wish to stop may go unseen. */
#define STOP_US INT64_C(100000)

/* ---- sending */

static void request_send(struct sender *sender, size_t index, int64_t due_us)
{
    struct sender_slot *slot = &sender->slots[index];
    slot->generation += 1;
    maker_next(&sender->maker, bench_wall_ms(), &sender->body);
    struct request_header header = {
        .request_id = slot->generation * SENDER_SLOTS_MAX + index,
        .timeout_ms = 60000,
        .issued_at_ms = bench_wall_ms(),
    };
    (void)snprintf(header.method, sizeof header.method, "%s", maker_method(&sender->maker));
    int size = snprintf(header.key, sizeof header.key, "%s.%" PRIu64, sender->options.run,
                        sender->requests);
    header.key_size = (size_t)size;
    request_header_encode(&header, &sender->header);
    struct channel *channel = &sender->connections[index % sender->connection_count];
    if (!channel_send(channel, buffer_span(&sender->header), buffer_span(&sender->body))) {
        bench_fail("%s takes no requests", sender->options.endpoint);
    }
    slot->is_busy = true;
    slot->due_us = due_us;
    sender->requests += 1;
    sender->busy += 1;
}

static bool is_over(const struct sender *sender, int64_t now_us)
{
    return now_us >= sender->end_us ||
           (sender->options.items > 0 && (double)sender->maker.made >= sender->options.items);
}

/* When the next request has its turn. */
static int64_t next_due_us(const struct sender *sender, int64_t now_us)
{
    if (sender->options.rate <= 0) {
        return now_us;
    }
    double done_us = (double)sender->maker.made / sender->options.rate * 1e6;
    return sender->begin_us + (int64_t)done_us;
}

/* Readers that are too far behind make the load wait. */
static bool is_held(struct sender *sender, int64_t now_us)
{
    bool held = keeper_behind(&sender->keeper) >= KEEPER_LAPS_MAX;
    if (held && sender->held_since_us == 0) {
        sender->held_since_us = now_us;
    } else if (!held && sender->held_since_us != 0) {
        histogram_add(&sender->held, now_us - sender->held_since_us);
        sender->held_since_us = 0;
    }
    return held;
}

/* Fills free slots with what is due. Returns when there will be more. */
static int64_t requests_send(struct sender *sender)
{
    int64_t now_us = bench_now_us();
    for (size_t i = 0; i < sender->slot_count; i++) {
        if (is_over(sender, now_us) || is_held(sender, now_us)) {
            return now_us + ANSWER_US;
        }
        int64_t due_us = next_due_us(sender, now_us);
        if (due_us > now_us) {
            return due_us;
        }
        if (!sender->slots[i].is_busy) {
            request_send(sender, i, due_us);
            now_us = bench_now_us();
        } else if (now_us - sender->slots[i].due_us > ANSWER_US) {
            bench_fail("%s has not answered for a minute", sender->options.endpoint);
        }
    }
    return now_us + ANSWER_US;
}

/* ---- answers */

/* The numbers of IngestRun and PostRun, which agree. */
enum { REPLY_RESULTS = 1, RUN_COUNT = 1, RUN_CODE = 2, RUN_FIRST = 3 };

static void run_count(struct sender *sender, struct span run, const struct sender_slot *slot,
                      int64_t now_us)
{
    uint64_t code = 0;
    struct trace_run noted = { .due_us = slot->due_us, .at_us = now_us };
    struct field field = { .number = 0 };
    while (field_next(&run, &field) == FIELD_READ) {
        if (field.number == RUN_COUNT) {
            noted.count = (uint32_t)field.value;
        } else if (field.number == RUN_CODE) {
            code = field.value;
        } else if (field.number == RUN_FIRST) {
            noted.first_seq = field.value;
        }
    }
    if (code != 0) {
        sender->other += noted.count;
        return;
    }
    sender->accepted += noted.count;
    uint64_t last_seq = noted.first_seq + noted.count - 1;
    if (last_seq > sender->newest_seq) {
        sender->newest_seq = last_seq;
    }
    if (sender->options.watch_count > 0) {
        trace_note(&sender->trace, &noted);
    }
}

static void answer_take(struct sender *sender, const struct channel *channel)
{
    int64_t now_us = bench_now_us();
    struct reply_header reply = channel_reply(channel);
    if (reply.refusal.status != STATUS_OK) {
        bench_fail("%s refuses: %s %s", sender->options.endpoint,
                   status_code_text(reply.refusal.status), reply.refusal.message);
    }
    struct sender_slot *slot = &sender->slots[reply.request_id % SENDER_SLOTS_MAX];
    if (!slot->is_busy || slot->generation != reply.request_id / SENDER_SLOTS_MAX) {
        bench_fail("%s answers what nobody asked", sender->options.endpoint);
    }
    histogram_add(&sender->times, now_us - slot->due_us);
    slot->is_busy = false;
    sender->busy -= 1;
    if (sender->maker.kind == MAKER_SPEND) {
        sender->accepted += 1;
        return;
    }
    struct span rest = buffer_span(&channel->body);
    struct field field = { .number = 0 };
    while (field_next(&rest, &field) == FIELD_READ) {
        if (field.number == REPLY_RESULTS) {
            run_count(sender, field.bytes, slot, now_us);
        }
    }
}

static void answers_take(struct sender *sender)
{
    for (size_t i = 0; i < sender->connection_count; i++) {
        while (channel_receive(&sender->connections[i])) {
            answer_take(sender, &sender->connections[i]);
        }
    }
    keeper_acknowledged(&sender->keeper, sender->newest_seq);
    keeper_take(&sender->keeper);
    for (size_t i = 0; i < sender->options.watch_count; i++) {
        watcher_take(&sender->watchers[i], true);
    }
}

/* ---- the loop */

static void wait_for_any(struct sender *sender, int64_t until_us)
{
    struct channel *all[SENDER_CONNECTIONS_MAX + KEEPER_READERS_MAX + LOAD_WATCHES_MAX];
    size_t count = 0;
    int64_t due_us = until_us;
    for (size_t i = 0; i < sender->connection_count; i++) {
        all[count++] = &sender->connections[i];
    }
    for (size_t i = 0; i < sender->keeper.count; i++) {
        all[count++] = &sender->keeper.readers[i].channel;
    }
    for (size_t i = 0; i < sender->options.watch_count; i++) {
        int64_t watch_us = watcher_due_us(&sender->watchers[i]);
        due_us = watch_us < due_us ? watch_us : due_us;
        all[count++] = &sender->watchers[i].channel;
    }
    channels_wait(all, count, due_us - bench_now_us());
}

/* All that readers are behind, too, belongs to the time that the load took. */
static void readers_settle(struct sender *sender)
{
    if (sender->keeper.count == 0 || sender->newest_seq == 0) {
        return;
    }
    /* The first asks about events and tells where derived feeds end, the second asks these. */
    for (int pass = 0; pass < 2; pass++) {
        keeper_lap(&sender->keeper, sender->newest_seq);
        while (keeper_behind(&sender->keeper) > 0) {
            wait_for_any(sender, bench_now_us() + ANSWER_US);
            keeper_take(&sender->keeper);
        }
    }
}

static bool is_stopped(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

int64_t sender_run(struct sender *sender)
{
    sender->begin_us = bench_now_us();
    sender->end_us = sender->begin_us + (int64_t)(sender->options.seconds * 1e6);
    for (;;) {
        int64_t until_us = requests_send(sender);
        int64_t now_us = bench_now_us();
        if (now_us < sender->end_us && is_stopped()) {
            sender->end_us = now_us;
        }
        if (sender->busy == 0 && is_over(sender, now_us)) {
            break;
        }
        int64_t end_us = now_us < sender->end_us ? sender->end_us : now_us + ANSWER_US;
        end_us = end_us < now_us + STOP_US ? end_us : now_us + STOP_US;
        wait_for_any(sender, until_us < end_us ? until_us : end_us);
        answers_take(sender);
    }
    readers_settle(sender);
    return bench_now_us() - sender->begin_us;
}

/* ---- feeds */

static uint64_t facts_seen(const struct sender *sender)
{
    uint64_t facts = 0;
    for (size_t i = 0; i < sender->options.watch_count; i++) {
        facts += sender->watchers[i].facts;
    }
    return facts;
}

/* Waits until the feeds have had nothing more to say for a while. */
void sender_settle(struct sender *sender)
{
    int64_t now_us = bench_now_us();
    int64_t until_us = now_us + ARRIVE_US;
    int64_t quiet_us = now_us + QUIET_US;
    uint64_t seen = facts_seen(sender);
    while (sender->options.watch_count > 0 && now_us < until_us && now_us < quiet_us) {
        wait_for_any(sender, quiet_us);
        answers_take(sender);
        now_us = bench_now_us();
        quiet_us = facts_seen(sender) == seen ? quiet_us : now_us + QUIET_US;
        seen = facts_seen(sender);
    }
}

/* ---- opening */

/* NAME=ENDPOINT@SEQ: a feed, from behind SEQ on. */
static void watcher_add(struct sender *sender, size_t index)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", sender->options.watches[index]);
    char *equals = strchr(text, '=');
    char *at = strrchr(text, '@');
    if (equals == NULL || at == NULL || at < equals) {
        bench_fail("a watched feed is NAME=ENDPOINT@SEQ, not '%s'", text);
    }
    *equals = '\0';
    *at = '\0';
    bool is_loyalty = strcmp(text, "loyalty") == 0;
    struct watcher_options options = {
        .feed = text,
        .endpoint = equals + 1,
        .type = is_loyalty ? FACT_POINTS_EARNED : FACT_SEGMENT_ENTERED,
        .after = (uint64_t)bench_number("watch", at + 1),
    };
    watcher_open(&sender->watchers[index], sender->context, &options);
}

/* SIGTERM and SIGINT wait until sender_run() looks. */
static void stops_take(void)
{
    sigset_t stops;
    if (sigemptyset(&stops) != 0 || sigaddset(&stops, SIGTERM) != 0 ||
        sigaddset(&stops, SIGINT) != 0 || sigprocmask(SIG_BLOCK, &stops, NULL) != 0) {
        bench_fail("signals cannot be held back");
    }
}

static enum maker_kind kind_of(const char *method)
{
    if (strcmp(method, "post") == 0) {
        return MAKER_POST;
    }
    if (strcmp(method, "spend") == 0) {
        return MAKER_SPEND;
    }
    if (strcmp(method, "ingest") != 0) {
        bench_fail("--method is ingest, post or spend, not '%s'", method);
    }
    return MAKER_INGEST;
}

void sender_open(struct sender *sender, const struct load_options *options, void *context)
{
    sender->options = *options;
    sender->context = context;
    stops_take();
    sender->connection_count = (size_t)options->connections;
    sender->slot_count = sender->connection_count * (size_t)options->in_flight;
    if (sender->connection_count < 1 || sender->connection_count > SENDER_CONNECTIONS_MAX ||
        sender->slot_count < 1 || sender->slot_count > SENDER_SLOTS_MAX ||
        options->in_flight > LIMIT_IN_FLIGHT) {
        bench_fail("1 to %d connections, each with 1 to %d in flight, %d in all",
                   SENDER_CONNECTIONS_MAX, LIMIT_IN_FLIGHT, SENDER_SLOTS_MAX);
    }
    sender->maker.kind = kind_of(options->method);
    sender->maker.batch = (uint32_t)options->batch;
    sender->maker.customers = (uint32_t)options->customers;
    sender->maker.sequential = options->sequential;
    (void)snprintf(sender->maker.run, sizeof sender->maker.run, "%s.", options->run);
    maker_init(&sender->maker);
    buffer_init(&sender->header, LIMIT_HEADER_BYTES);
    buffer_init(&sender->body, LIMIT_BODY_BYTES);
    for (size_t i = 0; i < sender->connection_count; i++) {
        channel_open(&sender->connections[i], sender->context, options->endpoint);
    }
    for (size_t i = 0; i < options->reader_count; i++) {
        keeper_add(&sender->keeper, sender->context, options->readers[i]);
    }
    for (size_t i = 0; i < options->watch_count; i++) {
        watcher_add(sender, i);
    }
}

void sender_close(struct sender *sender)
{
    for (size_t i = 0; i < sender->connection_count; i++) {
        channel_close(&sender->connections[i]);
    }
    for (size_t i = 0; i < sender->options.watch_count; i++) {
        watcher_release(&sender->watchers[i]);
    }
    keeper_release(&sender->keeper);
    maker_release(&sender->maker);
    buffer_release(&sender->header);
    buffer_release(&sender->body);
    trace_release(&sender->trace);
}
