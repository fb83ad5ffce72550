/* link: ingestion_service loyalty_service segmentation_service common_service bench_parts */
/*
 * In the steady state an event costs no memory of its own: whatever is allocated is allocated
 * for a request, a turn or a block, or when a table grows. Ingestion, loyalty and segmentation
 * run here together as they are, over queues in memory, and the linker puts a counter in front
 * of malloc, calloc and realloc (see tests/CMakeLists.txt). The same number of requests with
 * many events each and with few each must cost nearly the same.
 */
#include "bench/maker.h"
#include "common/base/disk.h"
#include "common/service/process.h"
#include "common/service/shell_internal.h"
#include "services/ingestion/ingestion_service.h"
#include "services/loyalty/loyalty_service.h"
#include "services/segmentation/segmentation_service.h"
#include "tests/support/toy_node.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICES 3
#define CUSTOMERS 500
#define REQUESTS 20
#define FEW 10
#define MANY 400
/* So many more events may cost one allocation: memory of tables that double, or grow by the
 * page. */
#define EVENTS_AN_ALLOCATION 200
/* Longer than checkpoints are apart. */
#define CHECKPOINT_MS 6000
#define ROUNDS_MAX 10000

/* ---- the counter */

/* Volatile: to a compiler that sees the whole program, malloc changes nothing of ours. */
static volatile uint64_t allocations;

/* The linker makes these names. NOLINTBEGIN(readability-identifier-naming) */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations += 1;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations += 1;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    allocations += 1;
    return __real_realloc(memory, size);
}
/* NOLINTEND(readability-identifier-naming) */

/* ---- three services */

struct node {
    struct process process;
    struct process_peers peers;
    struct memory_port *port;
    struct transport transport;
    struct journal *journal;
    struct store *store;
    void *service;
    struct shell *shell;
    uint64_t allocations; /* in its turns */
};

struct town {
    char folder[64];
    char config[96];
    struct toy_clock clock;
    struct memory_network *network;
    struct node nodes[SERVICES];
    struct toy_client client;
    struct maker maker;
    unsigned keys;
};

static const struct service_definition *const definitions[SERVICES] = { &ingestion_definition,
                                                                        &loyalty_definition,
                                                                        &segmentation_definition };

static const char config[] =
    "version: 1\n"
    "suite: {clock: wall, time_zone: UTC}\n"
    "services:\n"
    "  ingestion: {journal_map_bytes: 268435456, state_map_bytes: 268435456}\n"
    "  loyalty: {journal_map_bytes: 268435456, state_map_bytes: 268435456}\n"
    "  segmentation: {journal_map_bytes: 268435456, state_map_bytes: 268435456}\n"
    "programmes:\n"
    "  - name: points\n"
    "    earn:\n"
    "      - {event: purchase, points: 1, unit_minor: 100, rounding: floor}\n"
    "segments:\n"
    "  - name: big\n"
    "    rule: {sum: purchase, over_days: 90, at_least: \"1500.00\"}\n";

static int64_t clock_wall_ms(void *context)
{
    const struct toy_clock *clock = context;
    return clock->wall_ms;
}

static int64_t clock_monotonic_ms(void *context)
{
    const struct toy_clock *clock = context;
    return clock->monotonic_ms;
}

static void file_write(const char *path, const void *bytes, size_t size)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, bytes, size), (ssize_t)size);
    (void)close(descriptor);
}

static void folder_make(struct town *town)
{
    const char *parent = getenv("TMPDIR");
    uint8_t key[32];
    char path[128];
    (void)snprintf(town->folder, sizeof town->folder, "%s/kith-alloc-XXXXXX",
                   parent == NULL ? "/tmp" : parent);
    ck_assert_ptr_nonnull(mkdtemp(town->folder));
    (void)snprintf(town->config, sizeof town->config, "%s/kith.yaml", town->folder);
    file_write(town->config, config, sizeof config - 1);
    memset(key, 7, sizeof key);
    (void)snprintf(path, sizeof path, "%s/suite.key", town->folder);
    file_write(path, key, sizeof key);
}

static void stores_open(struct town *town, struct node *node)
{
    struct refusal refusal;
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%s/%s", town->folder, node->process.definition->name);
    ck_assert_int_eq(disk_folder_make(folder, &refusal), STATUS_OK);
    ck_assert_int_eq(disk_folder_make(node->process.folder, &refusal), STATUS_OK);
    node->process.journal_options.epoch = 1;
    ck_assert_int_eq(journal_open(&node->journal, &node->process.journal_options, &refusal),
                     STATUS_OK);
    ck_assert_int_eq(store_open(&node->store, &node->process.store_options, &refusal), STATUS_OK);
}

static void port_open(struct town *town, struct node *node)
{
    struct memory_peer peers[MEMORY_PEERS_MAX];
    ck_assert_uint_le(node->peers.count, MEMORY_PEERS_MAX);
    for (unsigned i = 0; i < node->peers.count; i++) {
        peers[i] = (struct memory_peer){ .name = node->peers.peers[i].feed.name,
                                         .server = TRANSPORT_FEED };
    }
    memory_port_open(&node->port, town->network, node->process.definition->name, peers,
                     node->peers.count);
    node->transport = transport_of_memory(node->port);
}

static void node_open(struct town *town, struct node *node,
                      const struct service_definition *definition)
{
    struct refusal refusal;
    refusal_init(&refusal);
    const struct process_options options = { .config = town->config, .data = town->folder };
    struct process *process = &node->process;
    enum status status = process_init(process, definition, &options, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    ck_assert_int_eq(process_peers_fill(process, &node->peers, &refusal), STATUS_OK);
    stores_open(town, node);
    port_open(town, node);
    ck_assert_int_eq(definition->open(&node->service, &process->environment, &refusal), STATUS_OK);
    const struct shell_options shell = {
        .definition = definition,
        .service = node->service,
        .clock = { &town->clock, clock_wall_ms, clock_monotonic_ms },
        .transport = &node->transport,
        .journal = node->journal,
        .store = node->store,
        .limits = process->own,
        .epoch = journal_epoch(node->journal),
        .peers = node->peers.peers,
        .peer_count = node->peers.count,
    };
    ck_assert_int_eq(shell_open(&node->shell, &shell, &refusal), STATUS_OK);
}

static void town_begin(struct town *town)
{
    *town = (struct town){ .clock = { .wall_ms = TOY_WALL_MS, .monotonic_ms = 1000 } };
    folder_make(town);
    memory_network_open(&town->network);
    for (size_t i = 0; i < SERVICES; i++) {
        node_open(town, &town->nodes[i], definitions[i]);
    }
    toy_client_open(&town->client, town->network, &town->clock, "asks", "ingestion");
    maker_init(&town->maker);
    town->maker.kind = MAKER_INGEST;
    town->maker.customers = CUSTOMERS;
    (void)snprintf(town->maker.run, sizeof town->maker.run, "r");
}

static int entry_remove(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void town_end(struct town *town)
{
    maker_release(&town->maker);
    toy_client_close(&town->client);
    for (size_t i = 0; i < SERVICES; i++) {
        struct node *node = &town->nodes[i];
        shell_close(&node->shell);
        definitions[i]->close(&node->service);
        memory_port_close(&node->port);
        store_close(&node->store);
        journal_close(&node->journal);
        process_release(&node->process);
    }
    memory_network_close(&town->network);
    ck_assert_int_eq(nftw(town->folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- events */

/* One turn of each. True: somebody has more to do. */
static bool town_turn(struct town *town)
{
    bool more = false;
    for (size_t i = 0; i < SERVICES; i++) {
        struct node *node = &town->nodes[i];
        uint64_t before = allocations;
        ck_assert_int_eq(shell_turn(node->shell), STATUS_OK);
        node->allocations += allocations - before;
    }
    for (size_t i = 0; i < SERVICES; i++) {
        more = more || memory_port_has_waiting(town->nodes[i].port) ||
               shell_wait_ms(town->nodes[i].shell) == 0;
    }
    return more;
}

static void town_pass(struct town *town, int64_t ms)
{
    town->clock.wall_ms += ms;
    town->clock.monotonic_ms += ms;
}

/* One request with so many events, folded everywhere. */
static void ingest(struct town *town, uint32_t events)
{
    char key[16];
    struct toy_answer answer;
    town->maker.batch = events;
    maker_next(&town->maker, town->clock.wall_ms, &town->client.body);
    town->keys += 1;
    (void)snprintf(key, sizeof key, "k%u", town->keys);
    (void)toy_client_send(&town->client, TRANSPORT_COMMAND, "ingestion.Ingest", key);
    int rounds = 0;
    do {
        rounds += 1;
        ck_assert_int_lt(rounds, ROUNDS_MAX);
    } while (town_turn(town));
    ck_assert(toy_client_answer(&town->client, TRANSPORT_COMMAND, &answer));
    ck_assert_int_eq(answer.header.refusal.status, STATUS_OK);
    toy_answer_release(&answer);
    town_pass(town, 1);
}

static void checkpoint_await(struct town *town, const struct node *node, uint64_t number)
{
    int rounds = 0;
    while (node->shell->counters.checkpoints < number && rounds < ROUNDS_MAX) {
        (void)town_turn(town);
        rounds += 1;
    }
    ck_assert_int_lt(rounds, ROUNDS_MAX);
}

/* Everything decided so far goes into the tables on disk. */
static void checkpoint(struct town *town)
{
    uint64_t numbers[SERVICES];
    town_pass(town, CHECKPOINT_MS);
    for (size_t i = 0; i < SERVICES; i++) {
        numbers[i] = town->nodes[i].shell->counters.checkpoints + 1;
    }
    for (size_t i = 0; i < SERVICES; i++) {
        checkpoint_await(town, &town->nodes[i], numbers[i]);
    }
}

static void requests(struct town *town, uint32_t events, uint64_t counts[SERVICES])
{
    for (size_t i = 0; i < SERVICES; i++) {
        town->nodes[i].allocations = 0;
    }
    for (int i = 0; i < REQUESTS; i++) {
        ingest(town, events);
    }
    checkpoint(town);
    for (size_t i = 0; i < SERVICES; i++) {
        counts[i] = town->nodes[i].allocations;
    }
}

START_TEST(an_event_costs_no_allocation_of_its_own)
{
    static struct town town;
    uint64_t few[SERVICES];
    uint64_t many[SERVICES];
    town_begin(&town);
    requests(&town, MANY, many); /* all customers are known after it, and buffers are large */
    requests(&town, FEW, few);
    requests(&town, MANY, many);
    ck_assert_uint_eq(journal_end(town.nodes[0].journal).seq - 1,
                      REQUESTS * (MANY + FEW + MANY) - 1);
    ck_assert_uint_ge(journal_end(town.nodes[1].journal).seq, REQUESTS * (MANY + FEW + MANY));
    for (size_t i = 0; i < SERVICES; i++) {
        (void)printf("%s: %" PRIu64 " allocations for %d requests of %d events, %" PRIu64
                     " for as many of %d\n",
                     definitions[i]->name, many[i], REQUESTS, MANY, few[i], FEW);
        ck_assert_msg(many[i] <= few[i] + REQUESTS * (MANY - FEW) / EVENTS_AN_ALLOCATION,
                      "%s: more events cost more allocations", definitions[i]->name);
    }
    town_end(&town);
}
END_TEST

START_TEST(the_counter_counts)
{
    struct buffer buffer;
    buffer_init(&buffer, 64);
    uint64_t before = allocations; /* the library Check allocates too */
    enum status status = buffer_append(&buffer, span_of_text("text"));
    uint64_t counted = allocations - before;
    buffer_release(&buffer);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(counted, 1);
}
END_TEST

static Suite *allocations_suite(void)
{
    Suite *suite = suite_create("allocations");
    TCase *steady = tcase_create("steady state");
    tcase_set_timeout(steady, 100);
    tcase_add_test(steady, the_counter_counts);
    tcase_add_test(steady, an_event_costs_no_allocation_of_its_own);
    suite_add_tcase(suite, steady);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(allocations_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
