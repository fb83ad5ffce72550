/* What every service answers about itself, and how an operator leads a stopped feed on. */
#include "common/service/shell_internal.h"
#include "common/wire/message.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/service.pb-c.h"
#include "kith_version.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_CONSUMERS_MAX 64

/* Messages of one status reply, in one place so that nothing is allocated. */
struct status_parts {
    Kith__V1__FeedStatus feeds[LIMIT_FEEDS];
    Kith__V1__FeedStatus *feed_pointers[LIMIT_FEEDS];
    char feed_names[LIMIT_FEEDS][24];
    char stopped[LIMIT_FEEDS][384];
    struct feed_consumer known[STATUS_CONSUMERS_MAX];
    Kith__V1__ConsumerStatus consumers[STATUS_CONSUMERS_MAX];
    Kith__V1__ConsumerStatus *consumer_pointers[STATUS_CONSUMERS_MAX];
};

static void feed_status_fill(const struct shell *shell, unsigned i, struct status_parts *parts)
{
    const struct feed_reader *reader = shell->readers[i];
    const struct feed_progress *progress = feed_reader_progress(reader);
    Kith__V1__FeedStatus *feed = &parts->feeds[i];
    *feed = (Kith__V1__FeedStatus)KITH__V1__FEED_STATUS__INIT;
    memcpy(parts->feed_names[i], feed_reader_feed(reader)->name, sizeof parts->feed_names[i]);
    feed->feed = parts->feed_names[i];
    feed->has_shard = 1;
    feed->shard = feed_reader_feed(reader)->shard;
    feed->has_applied = 1;
    feed->applied = feed_reader_cursor(reader)->to;
    feed->has_end = progress->known;
    feed->end = progress->end;
    feed->has_lag = progress->known;
    feed->lag = progress->end > feed->applied ? progress->end - feed->applied : 0;
    feed->has_lag_ms = progress->known;
    feed->lag_ms = feed->lag > 0 && progress->end_recorded_at_ms > shell->now_ms
                       ? progress->end_recorded_at_ms - shell->now_ms
                       : 0;
    if (feed_reader_stopped(reader) != NULL) {
        (void)snprintf(parts->stopped[i], sizeof parts->stopped[i], "%s",
                       feed_reader_stopped(reader));
        feed->stopped = parts->stopped[i];
    }
    parts->feed_pointers[i] = feed;
}

static size_t consumers_fill(const struct shell *shell, struct status_parts *parts)
{
    size_t count = feed_producer_consumers(shell->producer, parts->known, STATUS_CONSUMERS_MAX);
    for (size_t i = 0; i < count; i++) {
        Kith__V1__ConsumerStatus *consumer = &parts->consumers[i];
        *consumer = (Kith__V1__ConsumerStatus)KITH__V1__CONSUMER_STATUS__INIT;
        consumer->consumer = parts->known[i].name;
        consumer->has_durable_position = 1;
        consumer->durable_position = parts->known[i].durable_position;
        consumer->has_lag = 1;
        consumer->lag = parts->known[i].lag;
        consumer->has_lag_ms = 1;
        consumer->lag_ms = parts->known[i].lag_ms;
        parts->consumer_pointers[i] = consumer;
    }
    return count;
}

static enum status status_handle(void *context, struct turn *turn, struct span body,
                                 struct reply *reply)
{
    struct shell *shell = context;
    struct status_parts parts = { 0 };
    Kith__V1__StatusReply message = KITH__V1__STATUS_REPLY__INIT;
    char name[24];
    char why[256] = "";
    char version[] = KITH_VERSION;
    arena_reset(&shell->arena);
    if (request_unpack(&kith__v1__status_request__descriptor, body, &shell->arena,
                       reply->refusal) == NULL) {
        return STATUS_MALFORMED;
    }
    (void)snprintf(name, sizeof name, "%s", shell->definition->name);
    message.name = name;
    message.has_shard = 1;
    message.shard = shell->options.shard;
    message.has_now_ms = 1;
    message.now_ms = shell->now_ms;
    message.has_seq = 1;
    message.seq = turn_next_seq(turn) - 1;
    message.has_epoch = 1;
    message.epoch = shell->options.epoch;
    message.has_ready = 1;
    message.ready = shell_is_ready(shell, why, sizeof why);
    message.not_ready = message.ready ? NULL : why;
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        feed_status_fill(shell, i, &parts);
    }
    message.n_feeds = shell->options.peer_count;
    message.feeds = parts.feed_pointers;
    message.n_consumers = consumers_fill(shell, &parts);
    message.consumers = parts.consumer_pointers;
    message.has_admin_port = 1;
    message.admin_port = shell->options.admin_port;
    message.has_records_touched = 1;
    message.records_touched = store_touched(shell->options.store);
    message.has_checkpoint_seq = 1;
    message.checkpoint_seq = store_checkpoint(shell->options.store).seq;
    message.has_pid = 1;
    message.pid = (uint32_t)getpid();
    message.version = version;
    return pb_pack(&message.base, reply->body);
}

/* ---- consumer.Accept */

static enum status accept_check(const struct shell *shell, const Kith__V1__AcceptRequest *request,
                                unsigned *index, struct refusal *refusal)
{
    if (request == NULL || request->base.n_unknown_fields > 0 || request->feed == NULL ||
        !request->has_from || request->reason == NULL || request->reason[0] == '\0') {
        refusal_violation(refusal, "feed, from, reason", "all three are needed",
                          "name the feed, the position to go on from, and why");
        return STATUS_MALFORMED;
    }
    struct span reason = span_of_text(request->reason);
    if (reason.size > LIMIT_TEXT_BYTES || !text_is_clean(reason)) {
        refusal_violation(refusal, "reason", "at most 1024 bytes without control characters",
                          "say it in a sentence");
        return STATUS_MALFORMED;
    }
    for (unsigned i = 0; i < shell->options.peer_count; i++) {
        const struct feed_name *feed = feed_reader_feed(shell->readers[i]);
        if (strcmp(feed->name, request->feed) == 0 && feed->shard == request->shard) {
            *index = i;
            return STATUS_OK;
        }
    }
    return refusal_set(refusal, STATUS_NOT_FOUND, "%s does not read feed %s/%u",
                       shell->definition->name, request->feed, request->shard);
}

static enum status accept_handle(void *context, struct turn *turn, struct span body,
                                 struct reply *reply)
{
    struct shell *shell = context;
    unsigned index = 0;
    arena_reset(&shell->arena);
    const Kith__V1__AcceptRequest *request =
        pb_unpack(&kith__v1__accept_request__descriptor, &shell->arena, body);
    enum status status = accept_check(shell, request, &index, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    Kith__V1__ConsumerAccepted accepted = KITH__V1__CONSUMER_ACCEPTED__INIT;
    accepted.feed = request->feed;
    accepted.has_shard = 1;
    accepted.shard = request->shard;
    accepted.has_from = 1;
    accepted.from = request->from;
    accepted.reason = request->reason;
    buffer_clear(&shell->scratch_body);
    status = pb_pack(&accepted.base, &shell->scratch_body);
    assert(status == STATUS_OK);
    struct feed_cursor cursor = { .to = request->from };
    feed_reader_reset(shell->readers[index], &cursor);
    shell->cause_known = 0;
    /* It goes back to where the feed goes on: nobody who orders by cause could wait for a
     * position of the journal that was lost. */
    turn->cause = cause_of_now(shell);
    struct fact fact = { .type = FACT_CONSUMER_ACCEPTED,
                         .version = 1,
                         .body = buffer_span(&shell->scratch_body) };
    Kith__V1__AcceptReply answer = KITH__V1__ACCEPT_REPLY__INIT;
    if (shell->options.journal != NULL) {
        answer.has_seq = 1;
        answer.seq = turn_emit(turn, &fact);
    } else {
        (void)ledger_fact_evolve(&shell->change, &fact);
    }
    shell->journalled[index] = cursor;
    shell->dirty = true;
    return pb_pack(&answer.base, reply->body);
}

const struct service_method *builtin_find(const char *method)
{
    static const struct service_method methods[] = {
        { "service.Status", false, status_handle },
        { "consumer.Accept", true, accept_handle },
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, method) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}
