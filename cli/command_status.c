/* What the supervisor wrote, joined with what each service says of itself. */
#include "cli/command_status.h"

#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "common/wire/pb.h"
#include "kith/v1/service.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* All services together: they are asked at the same time. */
#define STATUS_MS 1000

struct answers {
    struct suite *suite;
    bool has_now;
    int64_t now_ms; /* the newest of all services */
};

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

static json_t *member_json(struct answers *answers, const struct suite_member *member,
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
    output_put(object, "applied", applied_json(answers->suite, reply));
    lag_put(object, reply);
    output_put(object, "admin_port", json_integer(reply->admin_port));
    bool has_now = reply->has_now_ms && reply->now_ms > LIMIT_TIME_LEAST_MS; /* no event yet */
    if (has_now && (!answers->has_now || reply->now_ms > answers->now_ms)) {
        answers->has_now = true;
        answers->now_ms = reply->now_ms;
    }
    output_put(object, "checkpoint_seq", output_unsigned(reply->checkpoint_seq));
    output_put(object, "version", output_text_or_null(reply->version));
    return object;
}

static json_t *services_json(struct answers *answers)
{
    const struct suite_file *facts = suite_facts(answers->suite);
    struct arena arena;
    struct buffer body;
    arena_init(&arena, (size_t)LIMIT_BODY_BYTES * PB_ARENA_FACTOR + PB_ARENA_LEAST);
    buffer_init(&body, LIMIT_BODY_BYTES);
    json_t *services = json_array();
    asks_send(answers->suite);
    int64_t until_ms = suite_monotonic_ms() + STATUS_MS;
    for (size_t i = 0; i < facts->member_count; i++) {
        const struct suite_member *member = &facts->members[i];
        const Kith__V1__StatusReply *reply =
            answer_take(answers->suite, member, until_ms, &arena, &body);
        int result = json_array_append_new(services, member_json(answers, member, reply));
        assert(result == 0);
    }
    buffer_release(&body);
    arena_release(&arena);
    return services;
}

/* ---- for people */

/* What a person looks for; the rest is in --json. */
static json_t *person_row(json_t *service)
{
    static const char *const keys[] = { "name", "shard", "pid",         "state",    "ready",
                                        "seq",  "lag",   "lag_seconds", "restarts", "not_ready" };
    json_t *row = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        output_put(row, keys[i], json_incref(json_object_get(service, keys[i])));
    }
    return row;
}

static void people_print(const struct invocation *invocation, const struct answers *answers,
                         const json_t *services)
{
    struct listing *listing = NULL;
    listing_open(&listing, invocation);
    for (size_t i = 0; i < json_array_size(services); i++) {
        listing_add(listing, person_row(json_array_get(services, i)));
    }
    json_t *now = answers->has_now ? output_time(answers->now_ms) : json_string("unknown");
    (void)printf("now %s\n\n", json_string_value(now));
    json_decref(now);
    listing_close(&listing, "this suite has no services");
}

int status_run(const struct invocation *invocation)
{
    struct option_form form = { 0 };
    int code = options_read(invocation, &form, /* words= */ NULL);
    struct suite *suite = code == EXIT_DONE ? suite_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    struct answers answers = { .suite = suite };
    json_t *services = services_json(&answers);
    if (invocation->json) {
        const struct suite_file *facts = suite_facts(suite);
        json_t *object = json_object();
        output_put(object, "now", answers.has_now ? output_time(answers.now_ms) : json_null());
        output_put(object, "clock", json_string(facts->event_clock ? "event" : "wall"));
        output_put(object, "supervisor", json_integer(facts->pid));
        output_put(object, "services", json_incref(services));
        output_line(object);
    } else {
        people_print(invocation, &answers, services);
    }
    json_decref(services);
    suite_close(&suite);
    return EXIT_DONE;
}
