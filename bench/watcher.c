#include "bench/watcher.h"

#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRIVALS_FIRST 4096

void watcher_open(struct watcher *watcher, void *context, const struct watcher_options *options)
{
    *watcher = (struct watcher){ .type = options->type };
    char consumer[48];
    (void)snprintf(consumer, sizeof consumer, "bench/%ld", (long)getpid());
    struct feed_reader_options reader = {
        .consumer = consumer,
        .cursor = { .to = options->after },
        .partition_last = PARTITION_COUNT - 1,
        .every_block = true,
    };
    (void)snprintf(reader.feed.name, sizeof reader.feed.name, "%s", options->feed);
    feed_reader_open(&watcher->reader, &reader);
    channel_open(&watcher->channel, context, options->endpoint);
    buffer_init(&watcher->header, LIMIT_HEADER_BYTES);
    buffer_init(&watcher->body, LIMIT_MESSAGE_BYTES);
}

void watcher_release(struct watcher *watcher)
{
    feed_reader_close(&watcher->reader);
    channel_close(&watcher->channel);
    buffer_release(&watcher->header);
    buffer_release(&watcher->body);
    free(watcher->arrivals);
}

static void arrival_note(struct watcher *watcher, uint64_t cause, int64_t at_us)
{
    if (watcher->count == watcher->capacity) {
        watcher->capacity = watcher->capacity == 0 ? ARRIVALS_FIRST : 2 * watcher->capacity;
        watcher->arrivals =
            memory_resize(watcher->arrivals, watcher->capacity * sizeof *watcher->arrivals);
    }
    watcher->arrivals[watcher->count++] = (struct arrival){ .cause = cause, .at_us = at_us };
}

static void items_take(struct watcher *watcher, bool notes)
{
    int64_t now_us = bench_now_us();
    struct feed_item item = { .fact = NULL };
    while (feed_reader_item(watcher->reader, &item)) {
        bool counts = item.fact != NULL && item.fact->type == watcher->type;
        watcher->facts += counts ? 1 : 0;
        if (counts && notes) {
            arrival_note(watcher, item.cause, now_us);
        }
        feed_reader_advance(watcher->reader);
    }
    const char *stopped = feed_reader_stopped(watcher->reader);
    if (stopped != NULL) {
        bench_fail("the feed %s stands still: %s", feed_reader_feed(watcher->reader)->name,
                   stopped);
    }
}

/* What a full queue does not take is sent again when it is overdue. */
static void fetch_send(struct watcher *watcher, int64_t now_ms)
{
    if (feed_reader_fetch(watcher->reader, now_ms, /* durable= */ 0, &watcher->header,
                          &watcher->body)) {
        (void)channel_send(&watcher->channel, buffer_span(&watcher->header),
                           buffer_span(&watcher->body));
    }
}

void watcher_take(struct watcher *watcher, bool notes)
{
    int64_t now_ms = bench_now_us() / 1000;
    while (channel_receive(&watcher->channel)) {
        feed_reader_reply(watcher->reader, now_ms, buffer_span(&watcher->channel.header),
                          buffer_span(&watcher->channel.body));
    }
    if (feed_reader_is_behind(watcher->reader)) {
        fetch_send(watcher, now_ms);
    }
    items_take(watcher, notes);
    fetch_send(watcher, now_ms);
}

int64_t watcher_due_us(const struct watcher *watcher)
{
    return feed_reader_fetch_at(watcher->reader) * 1000;
}

bool watcher_at_end(const struct watcher *watcher)
{
    return feed_reader_progress(watcher->reader)->known && feed_reader_at_end(watcher->reader);
}
