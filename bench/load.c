/*
 * The load generator: sends requests over many connections, follows feeds, and says in one
 * line of JSON what it saw. bench/run starts it.
 */
#include "bench/bench.h"
#include "bench/sender.h"
#include "common/base/field.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* How long an answer about readiness may take until it is asked again. */
#define READY_US 20000

/* ---- sending */

static void times_print(const char *name, const struct histogram *times)
{
    printf(", \"%s\": {\"count\": %" PRIu64 ", \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64
           ", \"max_us\": %" PRId64 "}",
           name, times->total, histogram_share_us(times, 0.5), histogram_share_us(times, 0.99),
           times->most_us);
}

static void watcher_print(const struct sender *sender, const struct watcher *watcher)
{
    struct histogram from_due = { .total = 0 };
    struct histogram from_acknowledged = { .total = 0 };
    for (size_t i = 0; i < watcher->count; i++) {
        const struct arrival *arrival = &watcher->arrivals[i];
        const struct trace_run *run = trace_find(&sender->trace, arrival->cause);
        if (run != NULL) {
            histogram_add(&from_due, arrival->at_us - run->due_us);
            histogram_add(&from_acknowledged, arrival->at_us - run->at_us);
        }
    }
    char name[64];
    const char *feed = feed_reader_feed(watcher->reader)->name;
    (void)snprintf(name, sizeof name, "%s_from_due", feed);
    times_print(name, &from_due);
    (void)snprintf(name, sizeof name, "%s_from_acknowledged", feed);
    times_print(name, &from_acknowledged);
}
static void send_run(const struct load_options *options, void *context)
{
    struct sender *sender = memory_allocate(sizeof *sender);
    sender_open(sender, options, context);
    int64_t took_us = sender_run(sender);
    int64_t cpu_us = bench_cpu_us();
    sender_settle(sender);
    printf("{\"items\": %" PRIu64 ", \"other\": %" PRIu64 ", \"requests\": %" PRIu64
           ", \"seconds\": %.3f, \"rate\": %.1f, \"newest_seq\": %" PRIu64 ", \"cpu_us\": %" PRId64,
           sender->accepted, sender->other, sender->requests, (double)took_us / 1e6,
           (double)sender->accepted * 1e6 / (double)took_us, sender->newest_seq, cpu_us);
    times_print("answer", &sender->times);
    times_print("held", &sender->held);
    trace_sort(&sender->trace);
    for (size_t i = 0; i < options->watch_count; i++) {
        watcher_print(sender, &sender->watchers[i]);
    }
    printf("}\n");
    sender_close(sender);
    free(sender);
}

/* ---- feeds and readiness */

/* Reads a feed from its first fact to its end. */
static void count_run(const struct load_options *options, void *context)
{
    struct watcher watcher;
    struct watcher_options from_begin = { .feed = options->run,
                                          .endpoint = options->feed,
                                          .type = FACT_EVENT_ACCEPTED };
    int64_t begin_us = bench_now_us();
    watcher_open(&watcher, context, &from_begin);
    while (!watcher_at_end(&watcher)) {
        struct channel *channel = &watcher.channel;
        watcher_take(&watcher, false);
        if (!watcher_at_end(&watcher)) {
            channels_wait(&channel, 1, watcher_due_us(&watcher) - bench_now_us());
        }
        if (feed_reader_is_silent(watcher.reader)) {
            bench_fail("%s does not answer", options->feed);
        }
    }
    double seconds = (double)(bench_now_us() - begin_us) / 1e6;
    printf("{\"events\": %" PRIu64 ", \"seconds\": %.3f, \"rate\": %.1f}\n", watcher.facts, seconds,
           (double)watcher.facts / seconds);
    watcher_release(&watcher);
}

/* Whether the service says that it is ready. A connection that is older than the process would
 * only connect again after a while, so each question has a new one. */
static bool is_ready(void *context, const char *endpoint)
{
    enum { STATUS_READY = 6 };
    struct channel channel;
    struct channel *one = &channel;
    bool ready = false;
    channel_open(&channel, context, endpoint);
    bool asked = channel_ask(&channel, "service.Status", 1, span_of(NULL, 0));
    channels_wait(&one, 1, READY_US);
    if (asked && channel_receive(&channel)) {
        struct span rest = buffer_span(&channel.body);
        struct field field = { .number = 0 };
        while (field_next(&rest, &field) == FIELD_READ) {
            ready = ready || (field.number == STATUS_READY && field.value != 0);
        }
    }
    channel_close(&channel);
    return ready;
}

static void ready_run(const struct load_options *options, void *context)
{
    int64_t until_us = bench_now_us() + (int64_t)(options->seconds * 1e6);
    while (!is_ready(context, options->endpoint)) {
        if (bench_now_us() >= until_us) {
            bench_fail("%s is not ready after %.0f s", options->endpoint, options->seconds);
        }
    }
    printf("{\"ready\": true}\n");
}
int main(int argc, char **argv)
{
    struct load_options options;
    if (!load_options_read(&options, argc, argv)) {
        return 2;
    }
    /* As every reader does: without it hashes are made by the slowest code there is. */
    if (sodium_init() < 0) {
        bench_fail("libsodium does not start");
    }
    void *context = zmq_ctx_new();
    if (strcmp(options.mode, "send") == 0) {
        send_run(&options, context);
    } else if (strcmp(options.mode, "count") == 0) {
        count_run(&options, context);
    } else {
        ready_run(&options, context);
    }
    (void)zmq_ctx_term(context);
    return EXIT_SUCCESS;
}
