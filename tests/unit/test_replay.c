/* link: kith_test_support common_service */
/* A long journal evolved into an empty state: what recovery and `verify-state` do. */
#include "common/service/replay.h"
#include "common/service/shell_internal.h"
#include "tests/unit/shell_fixture.h"
#include "tests/unit/store_fixture.h"

#define BLOCKS 12
#define FACTS_A_BLOCK LIMIT_BATCH_ITEMS
#define FACT_BYTES 200 /* so many of them nearly fill a block */
#define RECORD_BYTES 100
#define MEMORY_BYTES_MAX ((size_t)1024 * 1024)
/* A few pieces hold less than a block brings. */
#define CHECKPOINT_RECORDS 300

/* A service whose every fact is a record more. */
struct grower {
    struct store *store;
    size_t memory_most;
};

static void grower_evolve(void *service, const struct change *change, const struct record *record)
{
    struct grower *grower = service;
    uint8_t key[8];
    uint8_t value[RECORD_BYTES] = { 0 };
    ck_assert(!record->is_private);
    be64_put(key, record->fact.seq);
    change_put(change, TOY_TABLE, span_of(key, sizeof key), span_of(value, sizeof value));
    size_t memory = store_memory_bytes(grower->store);
    grower->memory_most = memory > grower->memory_most ? memory : grower->memory_most;
}

/* A journal, and an empty state that it is evolved into. */
struct rebuild {
    struct bench bench;
    struct service_definition definition;
    struct store_table tables[TOY_TABLES];
    struct folder folder;
    struct store_options options;
    struct grower grower;
    struct replay replay;
};

static void rebuild_begin(struct rebuild *rebuild)
{
    char key[16];
    bench_begin(&rebuild->bench, &(struct toy_node_options){ 0 });
    for (int i = 0; i < BLOCKS; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(many(&rebuild->bench, key, FACTS_A_BLOCK, FACT_BYTES).status, STATUS_OK);
    }
    ck_assert_uint_eq(blocks_of(&rebuild->bench), BLOCKS);
    rebuild->definition = rebuild->bench.node.toy.definition;
    rebuild->definition.evolve = grower_evolve;
    memcpy(rebuild->tables, shell_tables, sizeof shell_tables);
    rebuild->tables[SHELL_TABLES] = rebuild->definition.tables[0];
    rebuild->folder = folder_make();
    rebuild->options = options_of(&rebuild->folder);
    rebuild->options.tables = rebuild->tables;
    rebuild->options.table_count = TOY_TABLES;
    rebuild->options.memtable_bytes_max = MEMORY_BYTES_MAX;
    rebuild->options.checkpoint_records = CHECKPOINT_RECORDS;
}

static void rebuild_open(struct rebuild *rebuild)
{
    rebuild->grower = (struct grower){ .store = store_make(&rebuild->options) };
    replay_init(&rebuild->replay, &rebuild->definition, &rebuild->grower, rebuild->grower.store);
}

static enum status rebuild_run(struct rebuild *rebuild)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status =
        replay_run(&rebuild->replay, rebuild->bench.node.journal, UINT64_MAX, &refusal);
    ck_assert(status == STATUS_OK || refusal.message[0] != '\0');
    return status;
}

static void rebuild_close(struct rebuild *rebuild)
{
    replay_release(&rebuild->replay);
    store_close(&rebuild->grower.store);
}

static void rebuild_end(struct rebuild *rebuild)
{
    folder_remove(&rebuild->folder);
    bench_end(&rebuild->bench);
}

static uint64_t records_of(const struct rebuild *rebuild)
{
    struct store_digest digests[TOY_TABLES];
    store_digests(rebuild->grower.store, digests);
    return digests[SHELL_TABLES].records;
}

/* ---- memory */

START_TEST(memory_has_its_bound_while_a_journal_is_evolved)
{
    struct rebuild rebuild;
    rebuild_begin(&rebuild);
    rebuild.options.has_flush_thread = _i == 1;
    rebuild_open(&rebuild);
    ck_assert_int_eq(rebuild_run(&rebuild), STATUS_OK);
    ck_assert_uint_eq(rebuild.replay.position.block, BLOCKS);
    ck_assert_uint_gt(rebuild.grower.memory_most, MEMORY_BYTES_MAX); /* it was reached */
    ck_assert_uint_le(rebuild.grower.memory_most, 4 * MEMORY_BYTES_MAX);
    ck_assert_uint_eq(records_of(&rebuild), BLOCKS * FACTS_A_BLOCK);
    rebuild_close(&rebuild);
    rebuild_end(&rebuild);
}
END_TEST

/* ---- ending early */

struct ending {
    const struct rebuild *rebuild;
    uint64_t block; /* the one after which it shall not go on; 0: where memory is full */
    unsigned asked;
    unsigned refused;
};

static bool ending_goes_on(void *context)
{
    struct ending *ending = context;
    const struct replay *replay = &ending->rebuild->replay;
    bool ends = ending->block == 0 ? store_memory_is_full(replay->store)
                                   : replay->position.block == ending->block;
    ending->asked += 1;
    ending->refused += ends ? 1 : 0;
    return !ends;
}

/* The rest, from what the file has, comes to the same. */
static void ending_check(struct rebuild *rebuild)
{
    rebuild_close(rebuild);
    rebuild_open(rebuild);
    ck_assert_uint_lt(rebuild->replay.position.block, BLOCKS);
    ck_assert_int_eq(rebuild_run(rebuild), STATUS_OK);
    ck_assert_uint_eq(records_of(rebuild), BLOCKS * FACTS_A_BLOCK);
    rebuild_close(rebuild);
    rebuild_end(rebuild);
}

START_TEST(who_is_told_to_end_does_so_after_a_block_and_keeps_its_checkpoints)
{
    struct rebuild rebuild;
    struct ending ending = { .rebuild = &rebuild, .block = BLOCKS / 2 };
    rebuild_begin(&rebuild);
    rebuild.options.has_flush_thread = _i == 1;
    rebuild_open(&rebuild);
    rebuild.replay.watch = (struct replay_watch){ &ending, ending_goes_on };
    ck_assert_int_eq(rebuild_run(&rebuild), STATUS_ABORTED);
    ck_assert_uint_eq(rebuild.replay.position.block, BLOCKS / 2);
    ck_assert_uint_ge(ending.asked, BLOCKS / 2);
    ck_assert_uint_eq(ending.refused, 1);
    ck_assert_uint_gt(store_checkpoint(rebuild.grower.store).block, 0);
    ending_check(&rebuild);
}
END_TEST

START_TEST(who_is_told_to_end_does_not_wait_for_room_in_memory)
{
    struct rebuild rebuild;
    struct ending ending = { .rebuild = &rebuild };
    rebuild_begin(&rebuild);
    rebuild.options.has_flush_thread = _i == 1;
    rebuild_open(&rebuild);
    rebuild.replay.watch = (struct replay_watch){ &ending, ending_goes_on };
    ck_assert_int_eq(rebuild_run(&rebuild), STATUS_ABORTED);
    ck_assert(store_memory_is_full(rebuild.grower.store));
    ck_assert_uint_eq(ending.refused, 1);
    ending_check(&rebuild);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay");
    TCase *memory = tcase_create("memory");
    tcase_set_timeout(memory, 60);
    tcase_add_loop_test(memory, memory_has_its_bound_while_a_journal_is_evolved, 0, 2);
    suite_add_tcase(suite, memory);
    TCase *ending = tcase_create("ending");
    tcase_set_timeout(ending, 60);
    tcase_add_loop_test(ending, who_is_told_to_end_does_so_after_a_block_and_keeps_its_checkpoints,
                        0, 2);
    tcase_add_loop_test(ending, who_is_told_to_end_does_not_wait_for_room_in_memory, 0, 2);
    suite_add_tcase(suite, ending);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
