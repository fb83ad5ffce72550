#include "cli/feed_stream.h"

#include "common/feed/feed_reader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct feed_stream {
    struct client *client; /* the suite's */
    struct feed_reader *reader;
    bool holds_item; /* the fact handed out last is not passed yet */
    struct buffer header;
    struct buffer body;
};

enum status feed_stream_open(struct feed_stream **stream, struct suite *suite,
                             const struct feed_stream_options *options, struct refusal *refusal)
{
    assert(*stream == NULL);
    struct client *client =
        suite_client(suite, options->service, options->shard, SUITE_FEED, refusal);
    if (client == NULL) {
        return refusal->status;
    }
    struct feed_stream *opened = memory_allocate(sizeof *opened);
    /* A name of its own, since a Fetch takes the place of an older one of the same reader. */
    char consumer[48];
    (void)snprintf(consumer, sizeof consumer, "kith/%ld", (long)getpid());
    struct feed_reader_options reader = {
        .feed = { .shard = options->shard },
        .consumer = consumer,
        .cursor = { .to = options->after },
        .partition_last = PARTITION_COUNT - 1,
        .every_block = true,
    };
    (void)snprintf(reader.feed.name, sizeof reader.feed.name, "%s", options->service);
    feed_reader_open(&opened->reader, &reader);
    opened->client = client;
    buffer_init(&opened->header, LIMIT_HEADER_BYTES);
    buffer_init(&opened->body, LIMIT_MESSAGE_BYTES);
    *stream = opened;
    return STATUS_OK;
}

void feed_stream_close(struct feed_stream **stream)
{
    struct feed_stream *closing = *stream;
    if (closing == NULL) {
        return;
    }
    *stream = NULL;
    feed_reader_close(&closing->reader);
    buffer_release(&closing->header);
    buffer_release(&closing->body);
    free(closing);
}

/* Sends the Fetch that is due. Full queues are as good as a lost one: it is sent again. */
static void fetch_send(struct feed_stream *stream)
{
    if (feed_reader_fetch(stream->reader, suite_monotonic_ms(), /* durable= */ 0, &stream->header,
                          &stream->body)) {
        (void)client_send_raw(stream->client, buffer_span(&stream->header),
                              buffer_span(&stream->body));
    }
}

/* One reply, or none until the next Fetch is due or the moment is there. */
static bool reply_take(struct feed_stream *stream, int64_t until_ms)
{
    int64_t fetch_at_ms = feed_reader_fetch_at(stream->reader);
    int64_t now_ms = suite_monotonic_ms();
    int64_t wait_ms = (fetch_at_ms < until_ms ? fetch_at_ms : until_ms) - now_ms;
    if (!client_receive_raw(stream->client, wait_ms < 0 ? 0 : wait_ms, &stream->header,
                            &stream->body)) {
        return false;
    }
    feed_reader_reply(stream->reader, suite_monotonic_ms(), buffer_span(&stream->header),
                      buffer_span(&stream->body));
    if (feed_reader_is_behind(stream->reader)) {
        fetch_send(stream); /* the next one comes while this one is looked at */
    }
    return true;
}

/* The next item that is a fact. */
static bool fact_take(struct feed_stream *stream, const struct fact **fact)
{
    if (stream->holds_item) {
        feed_reader_advance(stream->reader);
        stream->holds_item = false;
    }
    struct feed_item item = { 0 };
    while (feed_reader_item(stream->reader, &item)) {
        if (item.fact != NULL) {
            stream->holds_item = true;
            *fact = item.fact;
            return true;
        }
        feed_reader_advance(stream->reader);
    }
    return false;
}

enum status feed_stream_next(struct feed_stream *stream, int64_t timeout_ms,
                             const struct fact **fact, struct refusal *refusal)
{
    bool answered = false;
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : suite_monotonic_ms() + timeout_ms;
    for (;;) {
        if (fact_take(stream, fact)) {
            return STATUS_OK;
        }
        if (feed_reader_stopped(stream->reader) != NULL) {
            return refusal_set(refusal, STATUS_CORRUPT, "%s", feed_reader_stopped(stream->reader));
        }
        if (suite_monotonic_ms() >= until_ms) {
            break;
        }
        /* Who looked long at what came before finds the answer here, and need not ask again. */
        bool is_late = feed_reader_is_overdue(stream->reader, suite_monotonic_ms());
        if (is_late && reply_take(stream, until_ms)) {
            answered = true;
            continue;
        }
        fetch_send(stream);
        answered = reply_take(stream, until_ms) || answered;
    }
    if (answered) {
        return refusal_set(refusal, STATUS_TIMEOUT, "no further fact came in time");
    }
    return refusal_set(refusal, STATUS_UNREACHABLE, "does not answer; see kith status");
}
