#include "cli/suite.h"

#include "cli/output.h"
#include "common/wire/pb.h"
#include "kith/v1/wire.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOCKET_KINDS 2
/* Even when all patience is used up, whoever is there gets this long to answer. */
#define PATIENCE_MS_LEAST 1000

struct suite {
    const char *data;
    int64_t ends_at_ms; /* when --wait is over */
    struct suite_file file;
    bool has_key;
    uint8_t key[SUITE_KEY_BYTES];
    struct client *clients[SUITE_MEMBERS_MAX][SOCKET_KINDS];
    struct buffer request;
    struct buffer reply;
    struct arena arena;
};

int64_t suite_monotonic_ms(void)
{
    struct timespec now = { 0 };
    int result = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(result == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- opening and closing */

int suite_running_check(const struct invocation *invocation)
{
    /* A supervisor that was killed left its files; its services went with it. */
    if (supervisor_lock_holder(invocation->data) != 0) {
        return EXIT_DONE;
    }
    output_say("the suite in %s is not running; start it with kith up -c CONFIG --data %s",
               invocation->data, invocation->data);
    return EXIT_UNREACHABLE;
}

/* A supervisor writes the file before it starts anything, so one that runs has none only in
 * its first moments. */
static int not_there(const struct invocation *invocation, const struct refusal *refusal)
{
    if (refusal->status != STATUS_NOT_FOUND) {
        return output_refusal(/* who= */ NULL, refusal);
    }
    output_say("the suite in %s is just starting, or stopping; see kith status --data %s",
               invocation->data, invocation->data);
    return EXIT_UNREACHABLE;
}

struct suite *suite_open(const struct invocation *invocation, int *code)
{
    struct refusal refusal;
    refusal_init(&refusal);
    *code = suite_running_check(invocation);
    if (*code != EXIT_DONE) {
        return NULL;
    }
    struct suite *opened = memory_allocate(sizeof *opened);
    opened->data = invocation->data;
    opened->ends_at_ms = suite_monotonic_ms() + invocation->wait_ms;
    buffer_init(&opened->request, LIMIT_BODY_BYTES);
    buffer_init(&opened->reply, LIMIT_MESSAGE_BYTES);
    arena_init(&opened->arena, (size_t)LIMIT_MESSAGE_BYTES * PB_ARENA_FACTOR + PB_ARENA_LEAST);
    enum status status = suite_file_load(&opened->file, invocation->data, &refusal);
    if (status != STATUS_OK) {
        *code = not_there(invocation, &refusal);
        suite_close(&opened);
    }
    return opened;
}

void suite_close(struct suite **suite)
{
    struct suite *closing = *suite;
    if (closing == NULL) {
        return;
    }
    *suite = NULL;
    for (size_t i = 0; i < closing->file.member_count; i++) {
        for (size_t j = 0; j < SOCKET_KINDS; j++) {
            client_close(&closing->clients[i][j]);
        }
    }
    buffer_release(&closing->request);
    buffer_release(&closing->reply);
    arena_release(&closing->arena);
    free(closing);
}

/* ---- who is there */

const struct suite_file *suite_facts(const struct suite *suite)
{
    return &suite->file;
}

int64_t suite_patience_ms(const struct suite *suite)
{
    int64_t left_ms = suite->ends_at_ms - suite_monotonic_ms();
    return left_ms < PATIENCE_MS_LEAST ? PATIENCE_MS_LEAST : left_ms;
}

uint32_t suite_shards(const struct suite *suite, const char *service)
{
    const struct suite_member *first = suite_file_find(&suite->file, service);
    return first == NULL ? 0 : first->shards;
}

uint32_t suite_shards_needed(const struct suite *suite, const char *service)
{
    uint32_t shards = suite_shards(suite, service);
    if (shards == 0) {
        output_say("this suite has no %s service; name it below services in %s", service,
                   suite->file.config);
    }
    return shards;
}

enum status suite_shard_of(struct suite *suite, const char *service, const char *customer,
                           uint32_t *shard, struct refusal *refusal)
{
    uint32_t shards = suite_shards(suite, service);
    assert(shards > 0);
    if (shards == 1) {
        *shard = 0;
        return STATUS_OK;
    }
    if (!suite->has_key) {
        enum status status = suite_key_load(suite->data, suite->key, refusal);
        if (status != STATUS_OK) {
            return status;
        }
        suite->has_key = true;
    }
    struct customer_id id =
        customer_id_of(span_of(suite->key, sizeof suite->key), "customer", span_of_text(customer));
    uint32_t partition = customer_partition(id);
    uint32_t owner = 0;
    while (partition >= (owner + 1) * PARTITION_COUNT / shards) {
        owner++;
    }
    *shard = owner;
    return STATUS_OK;
}

struct client *suite_client(struct suite *suite, const char *service, uint32_t shard,
                            enum suite_socket socket, struct refusal *refusal)
{
    const struct suite_member *first = suite_file_find(&suite->file, service);
    if (first == NULL || shard >= first->shards) {
        (void)refusal_set(refusal, STATUS_NOT_FOUND, "this suite has no %s/%u", service, shard);
        return NULL;
    }
    struct client **client = &suite->clients[(size_t)(first - suite->file.members) + shard][socket];
    char endpoint[SUITE_ENDPOINT_BYTES];
    if (*client == NULL &&
        suite_endpoint(suite->data, service, shard, socket == SUITE_FEED ? "feed" : "cmd", endpoint,
                       sizeof endpoint, refusal) == STATUS_OK &&
        client_open(client, endpoint, refusal) != STATUS_OK) {
        assert(*client == NULL);
    }
    return *client;
}

/* ---- asking */

const void *suite_call(struct suite *suite, const struct suite_call *call, struct refusal *refusal)
{
    struct client *client = suite_client(suite, call->service, call->shard, call->socket, refusal);
    if (client == NULL) {
        return NULL;
    }
    buffer_clear(&suite->request);
    arena_reset(&suite->arena);
    if (pb_pack(call->message, &suite->request) != STATUS_OK) {
        (void)refusal_set(refusal, STATUS_LIMIT, "the request is larger than a message can be");
        return NULL;
    }
    struct client_request request = { .method = call->method,
                                      .key = call->key,
                                      .body = buffer_span(&suite->request),
                                      .timeout_ms = call->timeout_ms };
    enum status status = client_call(client, &request, &suite->reply, refusal);
    if (status == STATUS_UNREACHABLE) {
        (void)refusal_set(refusal, status, "does not answer; see kith status");
    }
    if (status != STATUS_OK) {
        return NULL;
    }
    const void *reply = pb_unpack(call->reply, &suite->arena, buffer_span(&suite->reply));
    if (reply == NULL) {
        (void)refusal_set(refusal, STATUS_MALFORMED,
                          "its answer to %s cannot be read by this version of kith", call->method);
    }
    return reply;
}

const void *suite_ask(struct suite *suite, const struct suite_call *call, int *code)
{
    struct refusal refusal;
    refusal_init(&refusal);
    const void *reply = suite_call(suite, call, &refusal);
    if (reply == NULL) {
        char who[64];
        (void)snprintf(who, sizeof who, "%s/%u", call->service, call->shard);
        *code = output_refusal(who, &refusal);
    }
    return reply;
}

/* ---- positions */

void positions_lower(struct positions *positions, const char *feed, uint32_t shard, uint64_t seq)
{
    for (size_t i = 0; i < positions->count; i++) {
        const struct feed_name *known = &positions->items[i].feed;
        if (known->shard == shard && strcmp(known->name, feed) == 0) {
            positions->items[i].seq = seq < positions->items[i].seq ? seq : positions->items[i].seq;
            return;
        }
    }
    if (positions->count == LIMIT_FEEDS) {
        return;
    }
    size_t added = positions->count++;
    struct feed_name *name = &positions->items[added].feed;
    *name = (struct feed_name){ .shard = shard };
    (void)snprintf(name->name, sizeof name->name, "%s", feed);
    positions->items[added].seq = seq;
}

void positions_take(struct positions *positions, Kith__V1__Position *const *taken, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (taken[i]->feed != NULL) {
            positions_lower(positions, taken[i]->feed, taken[i]->shard, taken[i]->seq);
        }
    }
}

json_t *positions_json(const struct positions *positions)
{
    json_t *object = json_object();
    assert(object != NULL);
    for (size_t i = 0; i < positions->count; i++) {
        char name[sizeof positions->items[i].feed.name + 16];
        (void)snprintf(name, sizeof name, "%s/%u", positions->items[i].feed.name,
                       positions->items[i].feed.shard);
        output_put(object, name, output_unsigned(positions->items[i].seq));
    }
    return object;
}
