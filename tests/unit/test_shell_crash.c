/* link: kith_test_support common_service */
#include "tests/unit/shell_fixture.h"
#include "tests/unit/store_fixture.h"

/* Commands to two services, one of which reads the other; a network that loses and doubles
 * messages; and both services ended without a word wherever it comes. However that goes, the
 * end is the same as if nothing had happened. */

#define COMMANDS 40
#define STEPS 80
#define ROUNDS_MAX 2000
#define TIMERS_WITHIN_MS 3000
#define RUNS 4

struct command {
    const char *method;
    char key[16];
    struct toy_add add;
};

/* What one client has sent and heard. */
struct asking {
    struct toy_client client;
    struct command commands[COMMANDS];
    size_t sent;
    struct said answers[COMMANDS];
    size_t answered;
};

struct world {
    struct memory_network *network;
    struct toy_clock clock;
    struct toy_node nodes[2]; /* ingestion, and loyalty, which reads it */
    struct asking askings[2];
    struct chance workload;
    struct chance faults;
    bool has_faults;
    uint64_t crashes;
};

static const char *const customers[] = { "anna", "berta", "clara", "dora", "emil" };

static void command_draw(struct world *world, size_t i, struct command *command)
{
    uint64_t drawn = chance_below(&world->workload, 10);
    (void)snprintf(command->key, sizeof command->key, "k%zu", i);
    command->add.customer = customers[chance_below(&world->workload, 5)];
    command->add.n = (int64_t)chance_below(&world->workload, 1000) - 300;
    /* No two timers at one instant: they would ring as one. */
    command->add.at_ms =
        TOY_WALL_MS + 1 + (int64_t)(chance_below(&world->workload, 40) * 60 + i) % TIMERS_WITHIN_MS;
    command->method = drawn == 0 ? "toy.Fail" : drawn <= 3 ? "toy.At" : "toy.Add";
    if (drawn > 3) {
        command->add.at_ms = 0;
    }
}

static enum memory_fate faulty_judge(void *context, const struct memory_passage *passage)
{
    struct world *world = context;
    uint64_t drawn = chance_below(&world->faults, 20);
    (void)passage;
    return drawn == 0 ? MEMORY_DROP : drawn == 1 ? MEMORY_TWICE : MEMORY_PASS;
}

static void world_begin(struct world *world, uint64_t seed, bool has_faults)
{
    *world = (struct world){ .clock = { .wall_ms = TOY_WALL_MS },
                             .workload = { seed },
                             .faults = { seed ^ UINT64_C(0x5555) },
                             .has_faults = has_faults };
    struct toy_node_options ingestion = { .toy.name = "ingestion", .toy.rules = "1" };
    struct toy_node_options loyalty = { .toy.name = "loyalty",
                                        .toy.reads = { "ingestion" },
                                        .toy.read_count = 1 };
    memory_network_open(&world->network);
    if (has_faults) {
        loyalty.checkpoint_records = 1 + chance_below(&world->faults, 7);
        loyalty.checkpoint_interval_ms = 100;
        ingestion.checkpoint_records = 1 + chance_below(&world->faults, 7);
        ingestion.checkpoint_interval_ms = 150;
        memory_network_judge(world->network, faulty_judge, world);
    }
    toy_node_open(&world->nodes[0], world->network, &world->clock, &ingestion);
    toy_node_open(&world->nodes[1], world->network, &world->clock, &loyalty);
    for (size_t i = 0; i < 2; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "client%zu", i);
        toy_client_open(&world->askings[i].client, world->network, &world->clock, name,
                        world->nodes[i].options.toy.name);
        for (size_t n = 0; n < COMMANDS; n++) {
            command_draw(world, n, &world->askings[i].commands[n]);
        }
    }
}

static void world_end(struct world *world)
{
    for (size_t i = 0; i < 2; i++) {
        toy_client_close(&world->askings[i].client);
        toy_node_remove(&world->nodes[i]);
    }
    memory_network_close(&world->network);
}

/* ---- asking */

/* The request's id is the command's number. */
static void command_send(struct asking *asking, size_t n)
{
    const struct command *command = &asking->commands[n];
    asking->client.request_id = n;
    toy_add_encode(&command->add, &asking->client.body);
    (void)toy_client_send(&asking->client, TRANSPORT_COMMAND, command->method, command->key);
}

static void commands_send(struct asking *asking, uint64_t fresh)
{
    for (uint64_t i = 0; i < fresh && asking->sent < COMMANDS; i++) {
        command_send(asking, asking->sent);
        asking->sent += 1;
    }
}

static void commands_send_again(struct asking *asking)
{
    for (size_t n = 0; n < asking->sent; n++) {
        if (!asking->answers[n].is_there) {
            command_send(asking, n);
        }
    }
}

/* Whatever is heard of a command says the same as the first time. */
static void answer_take(struct asking *asking, const struct toy_answer *answer)
{
    struct said *first = &asking->answers[answer->header.request_id - 1];
    struct hash256 body_hash = hash256_of_span(answer->body);
    if (!first->is_there) {
        first->is_there = true;
        first->status = answer->header.refusal.status;
        first->refusal = answer->header.refusal;
        first->body_hash = body_hash;
        asking->answered += 1;
    }
    ck_assert_int_eq(answer->header.refusal.status, first->status);
    ck_assert_str_eq(answer->header.refusal.message, first->refusal.message);
    ck_assert(hash256_equal(body_hash, first->body_hash));
}

static void answers_hear(struct asking *asking)
{
    struct toy_answer answer;
    while (toy_client_answer(&asking->client, TRANSPORT_COMMAND, &answer)) {
        answer_take(asking, &answer);
        toy_answer_release(&answer);
    }
}

/* ---- going on */

static void node_agrees(struct toy_node *node)
{
    struct toy_digests live;
    struct toy_digests rebuilt;
    toy_node_digests(node, &live);
    toy_node_rebuild(node, &rebuilt);
    ck_assert(toy_digests_equal(&live, &rebuilt, 0));
}

static void node_strike(struct world *world, size_t i)
{
    if (!world->has_faults || chance_below(&world->faults, 12) != 0) {
        return;
    }
    if (chance_below(&world->faults, 4) == 0) {
        toy_node_stop(&world->nodes[i]);
    } else {
        toy_node_crash(&world->nodes[i]);
    }
    world->crashes += 1;
    toy_node_reopen(&world->nodes[i]);
    node_agrees(&world->nodes[i]);
}

static void step(struct world *world)
{
    int64_t passed_ms = (int64_t)chance_below(&world->workload, 60);
    world->clock.wall_ms += passed_ms;
    world->clock.monotonic_ms += passed_ms;
    for (size_t i = 0; i < 2; i++) {
        commands_send(&world->askings[i], chance_below(&world->workload, 3));
        toy_node_turn(&world->nodes[i]);
        node_strike(world, i);
        answers_hear(&world->askings[i]);
    }
}

static bool is_done(const struct world *world)
{
    const struct shell *loyalty = world->nodes[1].shell;
    char why[256];
    ck_assert_msg(shell_is_ready(loyalty, why, sizeof why), "%s", why);
    return world->askings[0].answered == COMMANDS && world->askings[1].answered == COMMANDS &&
           world->clock.wall_ms > TOY_WALL_MS + 2 * TIMERS_WITHIN_MS;
}

static void world_run(struct world *world)
{
    for (int i = 0; i < STEPS; i++) {
        step(world);
        if (i % 10 == 9) {
            commands_send_again(&world->askings[0]);
            commands_send_again(&world->askings[1]);
        }
    }
    world->has_faults = false;
    memory_network_judge(world->network, NULL, NULL);
    for (int i = 0; i < ROUNDS_MAX && !is_done(world); i++) {
        world->clock.wall_ms += 100;
        world->clock.monotonic_ms += 100;
        for (size_t n = 0; n < 2; n++) {
            commands_send(&world->askings[n], COMMANDS);
            commands_send_again(&world->askings[n]);
            toy_node_turn(&world->nodes[n]);
            answers_hear(&world->askings[n]);
        }
    }
    ck_assert(is_done(world));
    for (int i = 0; i < 30; i++) { /* what was last added is fetched and folded */
        world->clock.monotonic_ms += 100;
        toy_node_turn(&world->nodes[0]);
        toy_node_turn(&world->nodes[1]);
    }
}

static void answers_equal(const struct asking *a, const struct asking *b)
{
    for (size_t n = 0; n < COMMANDS; n++) {
        ck_assert_int_eq(a->answers[n].status, b->answers[n].status);
    }
}

static void worlds_equal(struct world *a, struct world *b)
{
    for (size_t i = 0; i < 2; i++) {
        struct toy_digests one;
        struct toy_digests other;
        toy_node_digests(&a->nodes[i], &one);
        toy_node_digests(&b->nodes[i], &other);
        ck_assert(toy_digests_equal(&one, &other, TOY_TABLES_OWN));
        answers_equal(&a->askings[i], &b->askings[i]);
        node_agrees(&a->nodes[i]);
        node_agrees(&b->nodes[i]);
    }
}

START_TEST(services_that_crash_end_where_undisturbed_ones_do)
{
    uint64_t seed = chance_draw("test_shell_crash").state + (uint64_t)_i;
    struct world *calm = memory_allocate(sizeof *calm);
    struct world *stormy = memory_allocate(sizeof *stormy);
    world_begin(calm, seed, false);
    world_begin(stormy, seed, true);
    world_run(calm);
    world_run(stormy);
    ck_assert_uint_eq(calm->crashes, 0);
    ck_assert_uint_gt(stormy->crashes, 0);
    worlds_equal(calm, stormy);
    world_end(calm);
    world_end(stormy);
    free(calm);
    free(stormy);
}
END_TEST

static Suite *shell_crash_suite(void)
{
    Suite *suite = suite_create("shell_crash");
    TCase *crashes = tcase_create("crashes");
    tcase_set_timeout(crashes, 60);
    tcase_add_loop_test(crashes, services_that_crash_end_where_undisturbed_ones_do, 0, RUNS);
    suite_add_tcase(suite, crashes);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(shell_crash_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
