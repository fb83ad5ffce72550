/* link: ingestion_service loyalty_service segmentation_service */
/* link: campaign_service reporting_service */
/* covers: common/service/request.c common/service/builtin.c common/feed/feed_producer.c
 *         services/ingestion/ingestion_handle.c services/loyalty/loyalty_service.c
 *         services/segmentation/segmentation_query.c services/campaign/campaign_service.c
 *         services/campaign/campaign_query.c services/reporting/reporting_query.c */
/*
 * Every command and question of every service, as messages to its whole shell: with real stores
 * in memory, after two customers' events. Whatever comes is answered once, with a header that
 * decodes; and what was done is on record, so that a start over the same files agrees with it.
 *
 * Input: which service, and whether it is started anew at the end (1 byte) | messages, each:
 * method (1) | options (1) | size of the body (2, big-endian) | body.
 */
#include "common/event/event_codec.h"
#include "common/service/shell.h"
#include "common/service/shell_internal.h"
#include "common/wire/pb.h"
#include "common/wire/wire.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/event.pb-c.h"
#include "kith/v1/feed.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/reporting.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"
#include "kith/v1/service.pb-c.h"
#include "services/campaign/campaign_service.h"
#include "services/ingestion/ingestion_service.h"
#include "services/loyalty/loyalty_service.h"
#include "services/reporting/reporting_service.h"
#include "services/segmentation/segmentation_service.h"
#include "tests/fuzz/message_maker.h"
#include "tests/support/memory_transport.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)64 * 1024 * 1024)
#define MEMTABLE_BYTES ((size_t)4 * 1024 * 1024)
#define WALL_MS INT64_C(1750000000000)
#define EPOCH 77
#define MESSAGES_MAX 24
#define MESSAGE_HEAD_BYTES 4
#define TABLES_MAX (SHELL_TABLES + 16)
#define TURNS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* ---- what can be asked */

struct method {
    const char *name;
    const ProtobufCMessageDescriptor *request;
    bool is_command;
};

static const struct method any_methods[] = {
    { "service.Status", &kith__v1__status_request__descriptor, false },
    { "consumer.Accept", &kith__v1__accept_request__descriptor, true },
    { "feed.Fetch", &kith__v1__fetch_request__descriptor, false },
    { "feed.Wait", &kith__v1__wait_request__descriptor, false },
};
static const struct method ingestion_methods[] = {
    { "ingestion.Ingest", &kith__v1__ingest_request__descriptor, true },
    { "ingestion.AdvanceClock", &kith__v1__advance_clock_request__descriptor, true },
    { "ingestion.QuarantineList", &kith__v1__quarantine_list_request__descriptor, false },
    { "ingestion.QuarantineShow", &kith__v1__quarantine_list_request__descriptor, false },
    { "ingestion.QuarantineRetry", &kith__v1__quarantine_retry_request__descriptor, true },
    { "ingestion.QuarantineDrop", &kith__v1__quarantine_drop_request__descriptor, true },
};
static const struct method loyalty_methods[] = {
    { "loyalty.Spend", &kith__v1__spend_request__descriptor, true },
    { "loyalty.Post", &kith__v1__post_request__descriptor, true },
    { "loyalty.Reverse", &kith__v1__reverse_request__descriptor, true },
    { "loyalty.Balance", &kith__v1__balance_request__descriptor, false },
    { "loyalty.Statement", &kith__v1__statement_request__descriptor, false },
    { "loyalty.Accounts", &kith__v1__accounts_request__descriptor, false },
};
static const struct method segmentation_methods[] = {
    { "segmentation.Count", &kith__v1__count_request__descriptor, false },
    { "segmentation.List", &kith__v1__list_request__descriptor, false },
    { "segmentation.Why", &kith__v1__why_request__descriptor, false },
};
static const struct method campaign_methods[] = {
    { "campaign.Trigger", &kith__v1__trigger_request__descriptor, true },
    { "campaign.Dispatch", &kith__v1__dispatch_request__descriptor, false },
    { "campaign.Decisions", &kith__v1__decisions_request__descriptor, false },
    { "campaign.Campaigns", &kith__v1__campaigns_request__descriptor, false },
    { "campaign.Settle", &kith__v1__settle_request__descriptor, false },
};
static const struct method reporting_methods[] = {
    { "reporting.Totals", &kith__v1__totals_request__descriptor, false },
    { "reporting.Daily", &kith__v1__daily_request__descriptor, false },
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct subject {
    const struct service_definition *definition;
    const struct method *methods;
    size_t method_count;
};
static const struct subject subjects[] = {
    { &ingestion_definition, ingestion_methods, COUNT(ingestion_methods) },
    { &loyalty_definition, loyalty_methods, COUNT(loyalty_methods) },
    { &segmentation_definition, segmentation_methods, COUNT(segmentation_methods) },
    { &campaign_definition, campaign_methods, COUNT(campaign_methods) },
    { &reporting_definition, reporting_methods, COUNT(reporting_methods) },
};

static struct method method_of(const struct subject *subject, uint8_t number)
{
    size_t count = subject->method_count + COUNT(any_methods);
    size_t index = number % count;
    return index < subject->method_count ? subject->methods[index]
                                         : any_methods[index - subject->method_count];
}

static const char config_text[] =
    "version: 1\n"
    "suite: {clock: wall, time_zone: UTC}\n"
    "services: {ingestion: {}, loyalty: {}, segmentation: {}, campaign: {},\n"
    "           reporting: {attributes: [tier]}}\n"
    "programmes: [{name: bonus, earn: [{event: purchase, unit_minor: 100}]}]\n"
    "segments: [{name: big_spenders, rule: {sum: purchase, over_days: 90, at_least: \"1\"}}]\n"
    "channels: [{name: outbox, kind: file}]\n"
    "campaigns: [{name: thanks, segment: big_spenders, channel: outbox, on_entry: true,\n"
    "             text: \"Hello {customer}\", cap: {messages: 2, per_days: 3}}]\n";

/* ---- the world around the service */

struct world {
    const struct subject *subject;
    struct suite_config config;
    struct suite_service limits;
    char folder[128];
    int64_t now_ms;
    struct memory_network *network;
    struct memory_port *own;
    struct memory_port *client;
    struct memory_port *producers[MEMORY_PEERS_MAX];
    struct shell_peer peers[MEMORY_PEERS_MAX];
    unsigned peer_count;
    struct transport transport;
    struct store_table tables[TABLES_MAX];
    void *service;
    struct journal *journal;
    struct store *store;
    struct shell *shell;
    uint64_t sent;
    uint64_t answered;
    bool is_header_raw; /* of one of the messages: it may name any request */
};

static int64_t clock_read(void *context)
{
    const struct world *world = context;
    return world->now_ms;
}

/* suite.yaml, without a file that would outlive us. */
static void config_load(struct suite_config *config)
{
    char path[64];
    struct refusal refusal;
    refusal_init(&refusal);
    int descriptor = memfd_create("suite.yaml", MFD_CLOEXEC);
    ssize_t written = write(descriptor, config_text, sizeof config_text - 1);
    assert(written == (ssize_t)sizeof config_text - 1);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    enum status status = suite_config_load(config, path, &refusal);
    assert(status == STATUS_OK);
    (void)close(descriptor);
}

static void path_of(const struct world *world, const char *name, char path[160])
{
    (void)snprintf(path, 160, "%s/%s", world->folder, name);
}

static void stores_open(struct world *world)
{
    const struct service_definition *definition = world->subject->definition;
    char path[160];
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = STATUS_OK;
    if (definition->keeps_journal) {
        path_of(world, "journal.mdb", path);
        struct journal_options journal = {
            .path = path, .service = definition->name, .map_bytes = MAP_BYTES, .epoch = EPOCH
        };
        status = journal_open(&world->journal, &journal, &refusal);
        assert(status == STATUS_OK);
    }
    path_of(world, "state.mdb", path);
    assert(SHELL_TABLES + definition->table_count <= TABLES_MAX);
    memcpy(world->tables, shell_tables, sizeof shell_tables);
    memcpy(world->tables + SHELL_TABLES, definition->tables,
           definition->table_count * sizeof *definition->tables);
    struct store_options store = { .path = path,
                                   .service = definition->name,
                                   .schema = definition->schema,
                                   .tables = world->tables,
                                   .table_count = SHELL_TABLES + definition->table_count,
                                   .map_bytes = MAP_BYTES,
                                   .memtable_bytes_max = MEMTABLE_BYTES };
    status = store_open(&world->store, &store, &refusal);
    assert(status == STATUS_OK);
}

static void service_start(struct world *world)
{
    static const uint8_t suite_key[32] = { 1, 2, 3 };
    struct refusal refusal;
    refusal_init(&refusal);
    stores_open(world);
    world->limits = *suite_service_find(&world->config, world->subject->definition->name);
    world->limits.checkpoint_interval_ms = 1000;
    struct service_environment environment = { .config = &world->config,
                                               .own = &world->limits,
                                               .data = world->folder,
                                               .suite_key = span_of(suite_key, sizeof suite_key) };
    enum status status = world->subject->definition->open(&world->service, &environment, &refusal);
    assert(status == STATUS_OK);
    struct shell_options options = { .definition = world->subject->definition,
                                     .service = world->service,
                                     .clock = { world, clock_read, clock_read },
                                     .transport = &world->transport,
                                     .journal = world->journal,
                                     .store = world->store,
                                     .limits = &world->limits,
                                     .epoch = EPOCH,
                                     .peers = world->peers,
                                     .peer_count = world->peer_count };
    status = shell_open(&world->shell, &options, &refusal);
    assert(status == STATUS_OK);
}

static void service_end(struct world *world)
{
    shell_close(&world->shell);
    world->subject->definition->close(&world->service);
    store_close(&world->store);
    journal_close(&world->journal);
}

static void ports_open(struct world *world)
{
    const struct service_definition *definition = world->subject->definition;
    const struct memory_peer asked[TRANSPORT_SERVER_COUNT] = {
        [TRANSPORT_COMMAND] = { definition->name, TRANSPORT_COMMAND },
        [TRANSPORT_FEED] = { definition->name, TRANSPORT_FEED },
    };
    struct memory_peer peers[MEMORY_PEERS_MAX];
    for (size_t i = 0; i < definition->feed_count; i++) {
        const char *name = definition->feeds[i].name;
        peers[i] = (struct memory_peer){ name, TRANSPORT_FEED };
        (void)snprintf(world->peers[i].feed.name, sizeof world->peers[i].feed.name, "%s", name);
        memory_port_open(&world->producers[i], world->network, name, NULL, 0);
    }
    world->peer_count = (unsigned)definition->feed_count;
    memory_port_open(&world->own, world->network, definition->name, peers, world->peer_count);
    memory_port_open(&world->client, world->network, "client", asked, TRANSPORT_SERVER_COUNT);
    world->transport = transport_of_memory(world->own);
}

static void world_open(struct world *world, const struct subject *subject)
{
    const char *parent = getenv("TMPDIR");
    *world = (struct world){ .subject = subject, .now_ms = WALL_MS };
    (void)snprintf(world->folder, sizeof world->folder, "%s/kith-fuzz-XXXXXX",
                   parent == NULL ? "/tmp" : parent);
    const char *made = mkdtemp(world->folder);
    assert(made != NULL);
    config_load(&world->config);
    memory_network_open(&world->network);
    ports_open(world);
    service_start(world);
}

static void world_close(struct world *world)
{
    static const char *const names[] = { "journal.mdb", "journal.mdb-lock", "state.mdb",
                                         "state.mdb-lock" };
    char path[160];
    service_end(world);
    memory_port_close(&world->own);
    memory_port_close(&world->client);
    for (unsigned i = 0; i < world->peer_count; i++) {
        memory_port_close(&world->producers[i]);
    }
    memory_network_close(&world->network);
    suite_config_release(&world->config);
    for (size_t i = 0; i < COUNT(names); i++) {
        path_of(world, names[i], path);
        (void)unlink(path);
    }
    (void)rmdir(world->folder);
}

/* ---- the services it reads: two customers, and all that is known of them */

static struct customer_id customer_of(const char *text)
{
    static const uint8_t suite_key[32] = { 1, 2, 3 };
    return customer_id_of(span_of(suite_key, sizeof suite_key), "customer", span_of_text(text));
}

static void event_body(struct buffer *body, const char *customer)
{
    struct attribute tier = { .name = span_of_text("tier"),
                              .kind = ATTRIBUTE_TEXT,
                              .text = span_of_text("gold") };
    struct event event = { .source = span_of_text("crm"),
                           .id = span_of_text(customer),
                           .type = span_of_text("purchase"),
                           .customer = span_of_text(customer),
                           .occurred_at_ms = WALL_MS - 1000,
                           .schema_version = 1,
                           .has_amount = true,
                           .amount = { .minor = 50000, .currency = "EUR" },
                           .attributes = &tier,
                           .attribute_count = 1 };
    struct hash128 hash = hash128_of_span(event.id);
    enum status status = accepted_event_encode(&event, true, hash, body);
    assert(status == STATUS_OK);
}

static void entry_body(struct buffer *body)
{
    char segment[] = "big_spenders";
    Kith__V1__SegmentEntered entered = KITH__V1__SEGMENT_ENTERED__INIT;
    entered.segment = segment;
    entered.has_rules_version = 1;
    entered.rules_version = 1;
    enum status status = pb_pack(&entered.base, body);
    assert(status == STATUS_OK);
}

/* The only block of a feed. Other feeds than these two are empty. */
static void block_fill(struct block_builder *builder, const char *feed)
{
    static const char *const customers[] = { "ann", "bob" };
    struct buffer body;
    buffer_init(&body, LIMIT_RECORD_BYTES);
    for (size_t i = 0; i < COUNT(customers); i++) {
        buffer_clear(&body);
        struct fact fact = { .type = FACT_EVENT_ACCEPTED,
                             .version = 1,
                             .recorded_at_ms = WALL_MS - 500,
                             .cause = i + 1,
                             .has_customer = true,
                             .customer = customer_of(customers[i]),
                             .subject = { .bytes = span_of_text(customers[i]) } };
        if (strcmp(feed, "ingestion") == 0) {
            event_body(&body, customers[i]);
        } else {
            fact.type = FACT_SEGMENT_ENTERED;
            entry_body(&body);
        }
        fact.body = buffer_span(&body);
        (void)block_fact_add(builder, &fact);
    }
    buffer_release(&body);
}

static void fetch_answer(struct memory_port *port, const struct message *message,
                         uint64_t request_id, const char *feed)
{
    struct journal_position before = { .seq = 0 };
    struct block_builder builder;
    struct block block = { .chain = { .bytes = { 0 } } };
    struct buffer header;
    struct buffer body;
    Kith__V1__FetchReply reply = KITH__V1__FETCH_REPLY__INIT;
    Kith__V1__FeedBlock sent = KITH__V1__FEED_BLOCK__INIT;
    Kith__V1__FeedBlock *blocks[] = { &sent };
    block_builder_init(&builder);
    block_begin(&builder, &before, WALL_MS, WALL_MS);
    block_fill(&builder, feed);
    block_seal(&builder, &before, WALL_MS, &block);
    reply.has_epoch = 1;
    reply.epoch = EPOCH;
    reply.has_end = 1;
    reply.end = block.header.count;
    reply.has_chain_before = 1;
    reply.chain_before = pb_bytes(span_of(before.chain.bytes, sizeof before.chain.bytes));
    sent.has_header = 1;
    sent.header = pb_bytes(block.header_bytes);
    sent.has_public_part = 1;
    sent.public_part = pb_bytes(block.public_part);
    reply.blocks = blocks;
    reply.n_blocks = 1;
    buffer_init(&header, LIMIT_HEADER_BYTES);
    buffer_init(&body, LIMIT_BODY_BYTES);
    struct reply_header done = { .request_id = request_id };
    reply_header_encode(&done, &header);
    enum status status = pb_pack(&reply.base, &body);
    assert(status == STATUS_OK);
    struct transport transport = transport_of_memory(port);
    (void)transport.reply(transport.context, &message->route, buffer_span(&header),
                          buffer_span(&body));
    buffer_release(&header);
    buffer_release(&body);
    block_builder_release(&builder);
}

/* The first Fetch of each feed is answered; the others wait, as where nothing is new. */
static void fetch_serve(struct memory_port *port, const struct message *message, const char *feed)
{
    struct request_header asked = { .request_id = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = request_header_decode(message->header, &asked, &refusal);
    assert(status == STATUS_OK);
    bool is_known = strcmp(feed, "ingestion") == 0 || strcmp(feed, "segmentation") == 0;
    if (is_known && asked.request_id == 1) {
        fetch_answer(port, message, asked.request_id, feed);
    }
}

static void producers_serve(struct world *world)
{
    for (unsigned i = 0; i < world->peer_count; i++) {
        struct transport transport = transport_of_memory(world->producers[i]);
        struct message message;
        while (transport.receive(transport.context, TRANSPORT_FEED, &message)) {
            fetch_serve(world->producers[i], &message, world->peers[i].feed.name);
            transport.message_release(transport.context, &message);
        }
    }
}

/* ---- asking */

static void answers_take(struct world *world)
{
    struct transport transport = transport_of_memory(world->client);
    struct message message;
    for (unsigned server = 0; server < TRANSPORT_SERVER_COUNT; server++) {
        while (transport.peer_receive(transport.context, server, &message)) {
            struct reply_header reply = { .request_id = 0 };
            enum status status = reply_header_decode(message.header, &reply);
            assert(status == STATUS_OK);
            assert(world->is_header_raw || reply.request_id <= world->sent);
            assert(reply.refusal.status == STATUS_OK || message.body.size == 0);
            assert(message.body.size <= LIMIT_MESSAGE_BYTES);
            world->answered += 1;
            transport.message_release(transport.context, &message);
        }
    }
}

static void turns_run(struct world *world)
{
    int turns = 0;
    do {
        enum status status = shell_turn(world->shell);
        assert(status == STATUS_OK);
        producers_serve(world);
        answers_take(world);
        turns += 1;
    } while (turns < TURNS_MAX &&
             (memory_port_has_waiting(world->own) || shell_wait_ms(world->shell) == 0));
    assert(turns < TURNS_MAX);
}

/* Bits of a message's options. */
enum {
    OPTION_KEY = 3, /* one of three keys; 0: whatever the method needs */
    OPTION_NO_TIMEOUT = 4,
    OPTION_RAW_HEADER = 8, /* the body is the header */
    OPTION_LATER = 16,     /* time goes on after it */
    OPTION_OLD = 32,       /* the key was made long ago */
    OPTION_OTHER_SERVER = 64,
};

static void message_send(struct world *world, uint8_t number, uint8_t options, struct span body)
{
    struct method method = method_of(world->subject, number);
    struct transport transport = transport_of_memory(world->client);
    struct buffer header;
    struct request_header asked = { .request_id = world->sent + 1, .timeout_ms = 100 };
    unsigned server = strncmp(method.name, "feed.", 5) == 0 ? TRANSPORT_FEED : TRANSPORT_COMMAND;
    server ^= (options & OPTION_OTHER_SERVER) != 0;
    world->sent += 1;
    (void)snprintf(asked.method, sizeof asked.method, "%s", method.name);
    if (method.is_command || (options & OPTION_KEY) != 0) {
        unsigned key =
            (options & OPTION_KEY) == 0 ? 9 + (unsigned)world->sent : options & OPTION_KEY;
        asked.key_size = (size_t)snprintf(asked.key, sizeof asked.key, "k%u", key);
        asked.issued_at_ms =
            world->now_ms - ((options & OPTION_OLD) != 0 ? LIMIT_REQUEST_AGE_MS + 1 : 0);
    }
    asked.timeout_ms = (options & OPTION_NO_TIMEOUT) != 0 ? 0 : asked.timeout_ms;
    buffer_init(&header, LIMIT_HEADER_BYTES);
    request_header_encode(&asked, &header);
    bool is_raw = (options & OPTION_RAW_HEADER) != 0;
    struct span head = is_raw ? body : buffer_span(&header);
    world->is_header_raw = world->is_header_raw || is_raw;
    (void)transport.peer_send(transport.context, server, head, body);
    buffer_release(&header);
    turns_run(world);
    world->now_ms += (options & OPTION_LATER) != 0 ? 10 * 1000 : 1;
}

static void messages_send(struct world *world, struct span input)
{
    for (int i = 0; i < MESSAGES_MAX && input.size >= MESSAGE_HEAD_BYTES; i++) {
        size_t left = input.size - MESSAGE_HEAD_BYTES;
        size_t size = be16_get(input.data + 2) < left ? be16_get(input.data + 2) : left;
        message_send(world, input.data[0], input.data[1],
                     span_of(input.data + MESSAGE_HEAD_BYTES, size));
        input = span_of(input.data + MESSAGE_HEAD_BYTES + size, left - size);
    }
}

static void digests_take(const struct world *world, struct store_digest digests[TABLES_MAX])
{
    memset(digests, 0, TABLES_MAX * sizeof *digests);
    store_digests(world->store, digests);
}

/* Killed, and started over what is on disk: the same state. Reporting begins anew. */
static void kill_and_compare(struct world *world)
{
    struct store_digest before[TABLES_MAX];
    struct store_digest after[TABLES_MAX];
    if (!world->subject->definition->keeps_journal) {
        return;
    }
    digests_take(world, before);
    service_end(world);
    service_start(world);
    digests_take(world, after);
    for (size_t i = SHELL_TABLES; i < TABLES_MAX; i++) {
        assert(before[i].records == after[i].records);
        assert(hash128_equal(before[i].digest, after[i].digest));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct world *world = memory_allocate(sizeof *world);
    world_open(world, &subjects[data[0] % COUNT(subjects)]);
    turns_run(world);
    messages_send(world, span_of(data + 1, size - 1));
    world->now_ms += 60 * 1000; /* whatever is parked, is given up */
    turns_run(world);
    assert(world->answered <= world->sent);
    if (data[0] >= 128) {
        kill_and_compare(world);
    }
    world_close(world);
    free(world);
    return 0;
}

/* Now and then an input gets a sound message more, or begins anew with one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    if (seed % 2 != 0 || size_max < 256) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    if (size == 0 || seed % 16 == 0) {
        data[0] = (uint8_t)(seed >> 4);
        size = 1;
    }
    size_t begin = size + MESSAGE_HEAD_BYTES < size_max ? size : 1;
    const struct subject *subject = &subjects[data[0] % COUNT(subjects)];
    struct buffer out = { .data = data, .size = begin + MESSAGE_HEAD_BYTES, .limit = size_max };
    data[begin] = (uint8_t)(seed >> 12);
    data[begin + 1] = (uint8_t)(seed % 8 == 0 ? seed >> 20 & ~(unsigned)OPTION_RAW_HEADER : 0);
    size_t made = message_make(method_of(subject, data[begin]).request,
                               &kith__v1__event__descriptor, seed, &out);
    be16_put(data + begin + 2, (uint16_t)made);
    return out.size;
}
