#include "tests/support/toy_node.h"

#include "common/base/limits.h"
#include "common/service/replay.h"
#include "common/service/shell_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)256 * 1024 * 1024)
#define MEMTABLE_BYTES ((size_t)64 * 1024 * 1024)
#define CHECKPOINT_MS 5000
#define SETTLE_TURNS_MAX 100000

static_assert(TOY_TABLES == SHELL_TABLES + 1, "the shell's tables and the toy's one");

/* ---- the clock */

static int64_t clock_wall_ms(void *context)
{
    struct toy_clock *clock = context;
    clock->wall_ms += clock->wall_step_ms;
    return clock->wall_ms;
}

static int64_t clock_monotonic_ms(void *context)
{
    const struct toy_clock *clock = context;
    return clock->monotonic_ms;
}

/* ---- serving */

static void limits_fill(struct toy_node *node)
{
    const struct toy_node_options *options = &node->options;
    node->limits = (struct suite_service){
        .shards = options->shards == 0 ? 1 : options->shards,
        .memtable_bytes_max = MEMTABLE_BYTES,
        .turn_requests_max =
            options->turn_requests_max == 0 ? LIMIT_TURN_REQUESTS : options->turn_requests_max,
        .turn_bytes_max = options->turn_bytes_max == 0 ? LIMIT_TURN_BYTES : options->turn_bytes_max,
        .checkpoint_interval_ms =
            options->checkpoint_interval_ms == 0 ? CHECKPOINT_MS : options->checkpoint_interval_ms,
    };
}

/* Another one for each folder. */
static uint64_t epoch_of(const struct toy_node *node)
{
    struct hash128 hash = hash128_of_span(span_of_text(node->folder));
    return be64_get(hash.bytes) | 1;
}

static void store_open_at(const struct toy_node *node, const char *path, struct store **store)
{
    struct store_table tables[TOY_TABLES];
    struct refusal refusal;
    refusal_init(&refusal);
    memcpy(tables, shell_tables, sizeof shell_tables);
    tables[SHELL_TABLES] = node->toy.definition.tables[0];
    struct store_options options = { .path = path,
                                     .service = node->options.toy.name,
                                     .shard = node->options.shard,
                                     .schema = 1,
                                     .tables = tables,
                                     .table_count = TOY_TABLES,
                                     .map_bytes = MAP_BYTES,
                                     .memtable_bytes_max = MEMTABLE_BYTES,
                                     .checkpoint_records = node->options.checkpoint_records,
                                     .has_flush_thread = node->options.has_flush_thread };
    enum status status = store_open(store, &options, &refusal);
    assert(status == STATUS_OK);
}

static void journal_open_at(struct toy_node *node)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct journal_options options = { .path = node->journal_path,
                                       .service = node->options.toy.name,
                                       .shard = node->options.shard,
                                       .map_bytes = node->options.journal_map_bytes == 0
                                                        ? MAP_BYTES
                                                        : node->options.journal_map_bytes,
                                       .epoch = epoch_of(node) };
    enum status status = journal_open(&node->journal, &options, &refusal);
    assert(status == STATUS_OK);
}

void toy_port_name(char *out, size_t size, const char *name, uint32_t shard)
{
    int written = shard == 0 ? snprintf(out, size, "%s", name)
                             : snprintf(out, size, "%s-%" PRIu32, name, shard);
    assert(written > 0 && (size_t)written < size);
}

/* What it reads: all shards of the first feed, then the others. */
static unsigned peers_fill(const struct toy_node *node, struct shell_peer peers[MEMORY_PEERS_MAX])
{
    const struct toy_options *toy = &node->options.toy;
    unsigned count = 0;
    for (size_t i = 0; i < toy->read_count; i++) {
        uint32_t shards = i == 0 && node->options.read_shards > 0 ? node->options.read_shards : 1;
        for (uint32_t shard = 0; shard < shards; shard++) {
            assert(count < MEMORY_PEERS_MAX);
            struct feed_name *feed = &peers[count++].feed;
            (void)snprintf(feed->name, sizeof feed->name, "%s", toy->reads[i]);
            feed->shard = shard;
        }
    }
    return count;
}

static void port_open(struct toy_node *node, const struct shell_peer *feeds, unsigned count)
{
    struct memory_peer peers[MEMORY_PEERS_MAX];
    char names[MEMORY_PEERS_MAX][32];
    char name[32];
    for (unsigned i = 0; i < count; i++) {
        toy_port_name(names[i], sizeof names[i], feeds[i].feed.name, feeds[i].feed.shard);
        peers[i] = (struct memory_peer){ .name = names[i], .server = TRANSPORT_FEED };
    }
    toy_port_name(name, sizeof name, node->options.toy.name, node->options.shard);
    memory_port_open(&node->port, node->network, name, peers, count);
    node->transport = transport_of_memory(node->port);
}

enum status toy_node_try(struct toy_node *node, struct refusal *refusal)
{
    const struct toy_options *toy = &node->options.toy;
    struct shell_peer peers[MEMORY_PEERS_MAX] = { 0 };
    unsigned peer_count = peers_fill(node, peers);
    toy_init(&node->toy, toy);
    limits_fill(node);
    port_open(node, peers, peer_count);
    if (!toy->keeps_no_journal) {
        journal_open_at(node);
    }
    store_open_at(node, node->state_path, &node->store);
    struct shell_options options = {
        .definition = &node->toy.definition,
        .service = &node->toy,
        .shard = node->options.shard,
        .clock = { node->clock, clock_wall_ms, clock_monotonic_ms },
        .transport = &node->transport,
        .journal = node->journal,
        .store = node->store,
        .limits = &node->limits,
        .event_clock = node->options.event_clock,
        .epoch = node->journal != NULL ? journal_epoch(node->journal) : 0,
        .peers = peers,
        .peer_count = peer_count,
    };
    enum status status = shell_open(&node->shell, &options, refusal);
    if (status != STATUS_OK) {
        toy_node_crash(node);
    }
    return status;
}

void toy_node_reopen(struct toy_node *node)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = toy_node_try(node, &refusal);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%s: %s\n", node->options.toy.name, refusal.message);
    }
    assert(status == STATUS_OK);
}

void toy_node_open(struct toy_node *node, struct memory_network *network, struct toy_clock *clock,
                   const struct toy_node_options *options)
{
    *node = (struct toy_node){ .options = *options, .clock = clock, .network = network };
    const char *parent = getenv("TMPDIR");
    int size = snprintf(node->folder, sizeof node->folder, "%s/kith-toy-XXXXXX",
                        parent == NULL ? "/tmp" : parent);
    assert(size > 0 && size < (int)sizeof node->folder);
    const char *made = mkdtemp(node->folder);
    assert(made != NULL);
    (void)snprintf(node->journal_path, sizeof node->journal_path, "%s/journal.mdb", node->folder);
    (void)snprintf(node->state_path, sizeof node->state_path, "%s/state.mdb", node->folder);
    toy_node_reopen(node);
}

void toy_node_crash(struct toy_node *node)
{
    shell_close(&node->shell);
    memory_port_close(&node->port);
    store_close(&node->store);
    journal_close(&node->journal);
}

void toy_node_stop(struct toy_node *node)
{
    enum status status = shell_stop(node->shell);
    assert(status == STATUS_OK);
    toy_node_crash(node);
}

static void store_remove(const char *path)
{
    char lock[128];
    (void)snprintf(lock, sizeof lock, "%s-lock", path);
    (void)unlink(path);
    (void)unlink(lock);
}

void toy_node_remove(struct toy_node *node)
{
    toy_node_crash(node);
    store_remove(node->journal_path);
    store_remove(node->state_path);
    int failed = rmdir(node->folder);
    assert(failed == 0);
}

void toy_node_turn(struct toy_node *node)
{
    enum status status = shell_turn(node->shell);
    assert(status == STATUS_OK);
}

void toy_node_settle(struct toy_node *node)
{
    int turns = 0;
    do {
        toy_node_turn(node);
        turns += 1;
        assert(turns < SETTLE_TURNS_MAX);
    } while (memory_port_has_waiting(node->port) || shell_wait_ms(node->shell) == 0);
}

/* ---- digests */

void toy_node_digests(const struct toy_node *node, struct toy_digests *digests)
{
    store_digests(node->store, digests->tables);
}

void toy_node_rebuild(struct toy_node *node, struct toy_digests *digests)
{
    struct store *store = NULL;
    struct toy toy;
    struct replay replay;
    struct refusal refusal;
    char path[96];
    refusal_init(&refusal);
    (void)snprintf(path, sizeof path, "%s/rebuilt.mdb", node->folder);
    store_open_at(node, path, &store);
    toy_init(&toy, &node->options.toy);
    replay_init(&replay, &toy.definition, &toy, store);
    enum status status = replay_run(&replay, node->journal, UINT64_MAX, &refusal);
    assert(status == STATUS_OK);
    assert(replay.position.block == journal_end(node->journal).block);
    replay_release(&replay);
    store_digests(store, digests->tables);
    store_close(&store);
    store_remove(path);
}

bool toy_digests_equal(const struct toy_digests *a, const struct toy_digests *b, size_t first)
{
    for (size_t i = first; i < TOY_TABLES; i++) {
        if (a->tables[i].records != b->tables[i].records ||
            !hash128_equal(a->tables[i].digest, b->tables[i].digest)) {
            (void)fprintf(stderr, "table %s differs\n", a->tables[i].table);
            return false;
        }
    }
    return true;
}

/* ---- a client */

void toy_client_open(struct toy_client *client, struct memory_network *network,
                     const struct toy_clock *clock, const char *name, const char *target)
{
    const struct memory_peer peers[TRANSPORT_SERVER_COUNT] = {
        [TRANSPORT_COMMAND] = { target, TRANSPORT_COMMAND },
        [TRANSPORT_FEED] = { target, TRANSPORT_FEED },
    };
    *client = (struct toy_client){ .clock = clock };
    memory_port_open(&client->port, network, name, peers, TRANSPORT_SERVER_COUNT);
    client->transport = transport_of_memory(client->port);
    buffer_init(&client->header, LIMIT_HEADER_BYTES);
    buffer_init(&client->body, LIMIT_MESSAGE_BYTES);
}

void toy_client_close(struct toy_client *client)
{
    memory_port_close(&client->port);
    buffer_release(&client->header);
    buffer_release(&client->body);
}

static uint64_t send_header(struct toy_client *client, enum transport_server server,
                            struct request_header *header)
{
    client->request_id += 1;
    header->request_id = client->request_id;
    request_header_encode(header, &client->header);
    (void)client->transport.peer_send(client->transport.context, server,
                                      buffer_span(&client->header), buffer_span(&client->body));
    return client->request_id;
}

static struct request_header header_of(const char *method, const char *key, int64_t issued_at_ms)
{
    struct request_header header = { .issued_at_ms = issued_at_ms };
    (void)snprintf(header.method, sizeof header.method, "%s", method);
    if (key != NULL) {
        (void)snprintf(header.key, sizeof header.key, "%s", key);
        header.key_size = strlen(key);
    }
    return header;
}

uint64_t toy_client_send(struct toy_client *client, enum transport_server server,
                         const char *method, const char *key)
{
    struct request_header header = header_of(method, key, client->clock->wall_ms);
    header.timeout_ms = client->timeout_ms;
    return send_header(client, server, &header);
}

uint64_t toy_client_send_issued(struct toy_client *client, const char *method, const char *key,
                                int64_t issued_at_ms)
{
    struct request_header header = header_of(method, key, issued_at_ms);
    return send_header(client, TRANSPORT_COMMAND, &header);
}

uint64_t toy_client_add(struct toy_client *client, const char *key, const struct toy_add *add)
{
    toy_add_encode(add, &client->body);
    return toy_client_send(client, TRANSPORT_COMMAND, "toy.Add", key);
}

bool toy_client_answer(struct toy_client *client, enum transport_server server,
                       struct toy_answer *answer)
{
    *answer = (struct toy_answer){ .client = client };
    if (!client->transport.peer_receive(client->transport.context, server, &answer->message)) {
        return false;
    }
    enum status status = reply_header_decode(answer->message.header, &answer->header);
    assert(status == STATUS_OK);
    answer->body = answer->message.body;
    return true;
}

void toy_answer_release(struct toy_answer *answer)
{
    answer->client->transport.message_release(answer->client->transport.context, &answer->message);
}
