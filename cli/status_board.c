#include "cli/status_board.h"

#include "cli/output.h"
#include "common/wire/pb.h"
#include "kith/v1/service.pb-c.h"

#include <assert.h>
#include <stdio.h>

/* All services together: they are asked at the same time. */
#define STATUS_MS 1000

static void asks_send(struct suite *suite)
{
    const struct suite_file *facts = suite_facts(suite);
    struct client_request request = { .method = "service.Status", .timeout_ms = STATUS_MS };
    for (size_t i = 0; i < facts->member_count; i++) {
        const struct suite_member *member = &facts->members[i];
        struct client *client =
            suite_client(suite, member->name, member->shard, SUITE_COMMANDS, NULL);
        if (client != NULL) {
            (void)client_send(client, &request, /* request_id= */ 1);
        }
    }
}

/* NULL: no answer that can be read came until then. */
static const Kith__V1__StatusReply *answer_take(struct suite *suite,
                                                const struct suite_member *member, int64_t until_ms,
                                                struct arena *arena, struct buffer *body)
{
    struct client *client = suite_client(suite, member->name, member->shard, SUITE_COMMANDS, NULL);
    struct reply_header header = { 0 };
    int64_t left_ms = until_ms - suite_monotonic_ms();
    if (client == NULL || !client_receive(client, left_ms < 0 ? 0 : left_ms, &header, body) ||
        header.refusal.status != STATUS_OK) {
        return NULL;
    }
    arena_reset(arena);
    return pb_unpack(&kith__v1__status_reply__descriptor, arena, buffer_span(body));
}

/* ---- JSON */

static json_t *applied_json(const struct suite *suite, const Kith__V1__StatusReply *reply)
{
    json_t *applied = json_object();
    for (size_t i = 0; i < reply->n_feeds; i++) {
        const Kith__V1__FeedStatus *feed = reply->feeds[i];
        char name[64];
        const char *text = feed->feed != NULL ? feed->feed : "";
        if (suite_shards(suite, text) > 1) {
            (void)snprintf(name, sizeof name, "%s/%u", text, feed->shard);
        } else {
            (void)snprintf(name, sizeof name, "%s", text);
        }
        output_put(applied, name, output_unsigned(feed->applied));
    }
    return applied;
}

static void lag_put(json_t *object, const Kith__V1__StatusReply *reply)
{
    uint64_t lag = 0;
    int64_t lag_ms = 0;
    for (size_t i = 0; i < reply->n_feeds; i++) {
        lag += reply->feeds[i]->lag;
        lag_ms = reply->feeds[i]->lag_ms > lag_ms ? reply->feeds[i]->lag_ms : lag_ms;
    }
    output_put(object, "lag", output_unsigned(lag));
    output_put(object, "lag_seconds", json_integer(lag_ms / 1000));
}

/* The first feed that stands still, if one does. */
static const char *stopped_feed(const Kith__V1__StatusReply *reply)
{
    for (size_t i = 0; i < reply->n_feeds; i++) {
        if (reply->feeds[i]->stopped != NULL) {
            return reply->feeds[i]->stopped;
        }
    }
    return NULL;
}

static const char *silence_text(const struct suite_member *member)
{
    return member->pid == 0 ? "it does not run" : "it does not answer";
}

static json_t *member_json(struct status_board *board, const struct suite_member *member,
                           const Kith__V1__StatusReply *reply)
{
    json_t *object = json_object();
    output_put(object, "name", output_text_or_null(member->name));
    output_put(object, "shard", json_integer(member->shard));
    output_put(object, "pid", member->pid != 0 ? json_integer(member->pid) : json_null());
    output_put(object, "state", output_text_or_null(member->state));
    output_put(object, "ready", json_boolean(reply != NULL && reply->ready));
    const char *why = reply == NULL ? silence_text(member) : reply->not_ready;
    why = why == NULL ? stopped_feed(reply) : why;
    output_put(object, "not_ready", output_text_or_null(why));
    output_put(object, "restarts", output_unsigned(member->restarts));
    if (reply == NULL) {
        output_put(object, "seq", json_null());
        output_put(object, "applied", json_object());
        output_put(object, "lag", json_null());
        output_put(object, "lag_seconds", json_null());
        output_put(object, "admin_port", json_null());
        return object;
    }
    output_put(object, "seq", output_unsigned(reply->seq));
    output_put(object, "applied", applied_json(board->suite, reply));
    lag_put(object, reply);
    output_put(object, "admin_port", json_integer(reply->admin_port));
    bool has_now = reply->has_now_ms && reply->now_ms > LIMIT_TIME_LEAST_MS; /* no event yet */
    if (has_now && (!board->has_now || reply->now_ms > board->now_ms)) {
        board->has_now = true;
        board->now_ms = reply->now_ms;
    }
    output_put(object, "checkpoint_seq", output_unsigned(reply->checkpoint_seq));
    output_put(object, "version", output_text_or_null(reply->version));
    return object;
}

json_t *status_board_read(struct status_board *board)
{
    const struct suite_file *facts = suite_facts(board->suite);
    struct arena arena;
    struct buffer body;
    arena_init(&arena, (size_t)LIMIT_BODY_BYTES * PB_ARENA_FACTOR + PB_ARENA_LEAST);
    buffer_init(&body, LIMIT_BODY_BYTES);
    json_t *services = json_array();
    asks_send(board->suite);
    int64_t until_ms = suite_monotonic_ms() + STATUS_MS;
    for (size_t i = 0; i < facts->member_count; i++) {
        const struct suite_member *member = &facts->members[i];
        const Kith__V1__StatusReply *reply =
            answer_take(board->suite, member, until_ms, &arena, &body);
        int result = json_array_append_new(services, member_json(board, member, reply));
        assert(result == 0);
    }
    buffer_release(&body);
    arena_release(&arena);
    return services;
}
