/* link: common_store */
#include "common/store/store.h"
#include "tests/unit/store_fixture.h"

#include <lmdb.h>
#include <sys/stat.h>

/* ---- reading and changing */

START_TEST(a_new_store_holds_nothing_and_stands_before_the_first_block)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    struct model *model = memory_allocate(sizeof *model);
    struct view view = store_view(store);
    model_check(model, &view);
    ck_assert_uint_eq(store_checkpoint(store).seq, 0);
    ck_assert_uint_eq(store_checkpoint(store).block, 0);
    ck_assert(!store_checkpoint_running(store));
    ck_assert(!store_wants_checkpoint(store));
    ck_assert_uint_eq(store_touched(store), 0);
    free(model);
    store_close(&store);
    ck_assert_ptr_null(store);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

START_TEST(reads_see_what_was_put_and_not_what_was_deleted)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    text_put(store, TABLE_LOW, "a", "1");
    text_put(store, TABLE_LOW, "a", "2");
    text_put(store, TABLE_MIDDLE, "a", "other table");
    text_put(store, TABLE_LOW, "b", "");
    text_delete(store, TABLE_LOW, "c");
    text_check(store, TABLE_LOW, "a", "2");
    text_check(store, TABLE_MIDDLE, "a", "other table");
    text_check(store, TABLE_LOW, "b", "");
    text_check(store, TABLE_LOW, "c", NULL);
    text_check(store, TABLE_LOW, "", NULL);
    text_delete(store, TABLE_LOW, "a");
    text_check(store, TABLE_LOW, "a", NULL);
    text_check(store, TABLE_MIDDLE, "a", "other table");
    ck_assert_uint_eq(store_touched(store), 6);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

START_TEST(the_newest_of_three_layers_counts)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    text_put(store, TABLE_LOW, "a", "file");
    text_put(store, TABLE_LOW, "b", "file");
    text_put(store, TABLE_LOW, "c", "file");
    text_put(store, TABLE_LOW, "d", "file");
    checkpoint_make(store, 1);
    text_put(store, TABLE_LOW, "b", "frozen");
    text_delete(store, TABLE_LOW, "c");
    text_delete(store, TABLE_LOW, "d");
    struct journal_position position = position_of(2);
    store_checkpoint_begin(store, &position);
    text_put(store, TABLE_LOW, "c", "active");
    text_delete(store, TABLE_LOW, "b");
    text_check(store, TABLE_LOW, "a", "file");
    text_check(store, TABLE_LOW, "b", NULL);
    text_check(store, TABLE_LOW, "c", "active");
    text_check(store, TABLE_LOW, "d", NULL);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

START_TEST(closing_forgets_what_is_not_checkpointed)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    text_put(store, TABLE_LOW, "kept", "1");
    checkpoint_make(store, 5);
    text_put(store, TABLE_LOW, "kept", "2");
    text_put(store, TABLE_LOW, "lost", "1");
    store_close(&store);
    store = store_make(&options);
    position_check(store_checkpoint(store), 5);
    text_check(store, TABLE_LOW, "kept", "1");
    text_check(store, TABLE_LOW, "lost", NULL);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

/* ---- scans */

struct nested {
    struct view view;
    struct span from;
    size_t outer;
    size_t inner;
};

static bool inner_visit(void *argument, struct span key, struct span value)
{
    struct nested *nested = argument;
    ck_assert_uint_eq(key.size, 1);
    ck_assert_uint_eq(value.size, 1);
    nested->inner++;
    return true;
}

static bool outer_visit(void *argument, struct span key, struct span value)
{
    struct nested *nested = argument;
    struct span found = { 0 };
    ck_assert(view_get(&nested->view, TABLE_LOW, key, &found));
    ck_assert(span_equal(found, value));
    view_scan(&nested->view, TABLE_LOW, key, inner_visit, nested);
    nested->outer++;
    return true;
}

START_TEST(a_scan_may_read_and_scan)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    text_put(store, TABLE_LOW, "a", "1");
    text_put(store, TABLE_LOW, "c", "3");
    checkpoint_make(store, 1);
    text_put(store, TABLE_LOW, "b", "2");
    text_put(store, TABLE_MIDDLE, "a", "4");
    struct nested nested = { .view = store_view(store) };
    view_scan(&nested.view, TABLE_LOW, (struct span){ 0 }, outer_visit, &nested);
    ck_assert_uint_eq(nested.outer, 3);
    ck_assert_uint_eq(nested.inner, 3 + 2 + 1);
    /* And afterwards the store may be changed again. */
    text_put(store, TABLE_LOW, "b", "3");
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

/* ---- bugs of the caller */

struct misuse {
    struct store_options options;
    const struct change *change;
    size_t key_size;
    size_t value_size;
    uint8_t table;
};

static bool putting_visit(void *argument, struct span key, struct span value)
{
    const struct misuse *misuse = argument;
    change_put(misuse->change, TABLE_LOW, key, value);
    return true;
}

static bool deleting_visit(void *argument, struct span key, struct span value)
{
    const struct misuse *misuse = argument;
    change_delete(misuse->change, TABLE_LOW, key);
    return value.size > 0;
}

static bool ending_visit(void *argument, struct span key, struct span value)
{
    struct misuse *misuse = argument;
    ck_assert_int_eq(store_turn_end(misuse->change->context), STATUS_OK);
    return key.size > value.size;
}

static void visit_run(struct misuse *misuse, view_visit visit)
{
    struct store *store = store_make(&misuse->options);
    struct change change = store_change(store);
    misuse->change = &change;
    text_put(store, TABLE_LOW, "a", "1");
    view_scan(&change.view, TABLE_LOW, (struct span){ 0 }, visit, misuse);
}

static void put_during_scan(void *argument)
{
    visit_run(argument, putting_visit);
}

static void delete_during_scan(void *argument)
{
    visit_run(argument, deleting_visit);
}

static void turn_end_during_scan(void *argument)
{
    visit_run(argument, ending_visit);
}

START_TEST(a_change_during_a_scan_is_a_bug)
{
    struct folder folder = folder_make();
    struct misuse misuse = { .options = options_of(&folder) };
    ck_assert(child_aborts(put_during_scan, &misuse));
    ck_assert(child_aborts(delete_during_scan, &misuse));
    ck_assert(child_aborts(turn_end_during_scan, &misuse));
    folder_remove(&folder);
}
END_TEST

static void sized_put(void *argument)
{
    struct misuse *misuse = argument;
    struct store *store = store_make(&misuse->options);
    struct change change = store_change(store);
    uint8_t bytes[2 * LIMIT_STATE_VALUE_BYTES];
    memset(bytes, 'x', sizeof bytes);
    struct span key = span_of(bytes, misuse->key_size);
    struct span value = span_of(bytes, misuse->value_size);
    change_put(&change, misuse->table, key, value);
    checkpoint_make(store, 1);
    struct span found = { 0 };
    ck_assert(view_get(&change.view, misuse->table, key, &found));
    ck_assert(span_equal(found, value));
    store_close(&store);
}

START_TEST(keys_and_values_reach_their_bounds_and_not_past)
{
    struct folder folder = folder_make();
    struct misuse misuse = { .options = options_of(&folder), .table = TABLE_LOW };
    misuse.key_size = LIMIT_STATE_KEY_BYTES;
    misuse.value_size = LIMIT_STATE_VALUE_BYTES;
    sized_put(&misuse);
    misuse.key_size = LIMIT_STATE_KEY_BYTES + 1;
    ck_assert(child_aborts(sized_put, &misuse));
    misuse.key_size = LIMIT_STATE_KEY_BYTES;
    misuse.value_size = LIMIT_STATE_VALUE_BYTES + 1;
    ck_assert(child_aborts(sized_put, &misuse));
    folder_remove(&folder);
}
END_TEST

START_TEST(a_table_that_was_not_declared_is_a_bug)
{
    struct folder folder = folder_make();
    struct misuse misuse = { .options = options_of(&folder), .table = 2 };
    ck_assert(child_aborts(sized_put, &misuse));
    misuse.table = 0;
    ck_assert(child_aborts(sized_put, &misuse));
    folder_remove(&folder);
}
END_TEST

START_TEST(a_scan_may_begin_just_after_the_longest_key)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    struct change change = store_change(store);
    uint8_t key[LIMIT_STATE_KEY_BYTES + 1] = { 0 };
    change_put(&change, TABLE_LOW, span_of(key, LIMIT_STATE_KEY_BYTES), span_of_text("1"));
    text_put(store, TABLE_LOW, "b", "2");
    struct nested nested = { .view = change.view };
    view_scan(&change.view, TABLE_LOW, span_of(key, sizeof key), inner_visit, &nested);
    ck_assert_uint_eq(nested.inner, 1);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

/* ---- whose file it is */

static void refusal_check(const struct store_options *options, enum status expected,
                          const char *part)
{
    struct store *store = NULL;
    struct refusal refusal = { 0 };
    ck_assert_int_eq(store_open(&store, options, &refusal), expected);
    ck_assert_ptr_null(store);
    ck_assert_int_eq(refusal.status, expected);
    ck_assert_msg(strstr(refusal.message, part) != NULL, "%s", refusal.message);
}

START_TEST(a_file_of_another_service_or_shard_is_refused)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    text_put(store, TABLE_LOW, "a", "1");
    checkpoint_make(store, 1);
    store_close(&store);
    struct store_options other = options;
    other.service = "ingestion";
    refusal_check(&other, STATUS_REFUSED, "belongs to loyalty/0, not to ingestion/0");
    other = options;
    other.shard = 1;
    refusal_check(&other, STATUS_REFUSED, "belongs to loyalty/0, not to loyalty/1");
    store = store_make(&options);
    text_check(store, TABLE_LOW, "a", "1");
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_newer_schema_is_refused_and_an_older_one_is_raised)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.schema = 4;
    struct store *store = store_make(&options);
    store_close(&store);
    options.schema = 3;
    refusal_check(&options, STATUS_REFUSED, "tables of version 4, this program knows 3");
    options.schema = 5;
    store = store_make(&options);
    store_close(&store);
    options.schema = 4;
    refusal_check(&options, STATUS_REFUSED, "tables of version 5, this program knows 4");
    folder_remove(&folder);
}
END_TEST

static void foreign_make(const char *path)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi table = 0;
    ck_assert_int_eq(mdb_env_create(&env), 0);
    ck_assert_int_eq(mdb_env_set_maxdbs(env, 1), 0);
    ck_assert_int_eq(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, "somebody", MDB_CREATE, &table), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(a_file_of_somebody_else_is_refused)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    foreign_make(folder.state);
    refusal_check(&options, STATUS_REFUSED, "is not a state of Kith");
    folder_remove(&folder);
}
END_TEST

START_TEST(a_file_that_is_no_database_is_corrupt)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    int file = open(folder.state, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    char garbage[16384];
    memset(garbage, 'g', sizeof garbage);
    ck_assert_int_eq(write(file, garbage, sizeof garbage), (ssize_t)sizeof garbage);
    ck_assert_int_eq(close(file), 0);
    refusal_check(&options, STATUS_CORRUPT, "cannot open");
    folder_remove(&folder);
}
END_TEST

START_TEST(a_file_that_was_cut_off_while_it_was_made_is_in_nobodys_way)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    char made[sizeof folder.state + 8];
    (void)snprintf(made, sizeof made, "%s.new", options.path);
    FILE *torn = fopen(made, "we");
    ck_assert_ptr_nonnull(torn);
    ck_assert_int_ge(fputs("half a page", torn), 0);
    ck_assert_int_eq(fclose(torn), 0);
    struct store *store = store_make(&options);
    store_close(&store);
    ck_assert_int_eq(access(made, F_OK), -1);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_folder_that_is_missing_is_named)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    char path[300] = "";
    (void)snprintf(path, sizeof path, "%s/none/state.mdb", folder.path);
    options.path = path;
    refusal_check(&options, STATUS_INTERNAL, path);
    folder_remove(&folder);
}
END_TEST

/* ---- memory and space */

START_TEST(the_bound_of_memory_asks_for_checkpoints_and_stops_nothing)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.memtable_bytes_max = 64U << 10;
    struct store *store = store_make(&options);
    struct change change = store_change(store);
    uint8_t value[1000] = { 0 };
    bool wanted_early = true;
    for (uint32_t i = 0; i < 200; i++) {
        uint8_t key[4];
        be32_put(key, i);
        change_put(&change, TABLE_LOW, span_of(key, 4), span_of(value, sizeof value));
        wanted_early = i == 8 ? store_wants_checkpoint(store) : wanted_early;
    }
    ck_assert(!wanted_early);
    ck_assert(store_wants_checkpoint(store));
    ck_assert_uint_ge(store_memory_bytes(store), 3 * options.memtable_bytes_max);
    struct journal_position position = position_of(1);
    store_checkpoint_begin(store, &position);
    ck_assert(!store_wants_checkpoint(store));
    ck_assert_uint_ge(store_memory_bytes(store), 3 * options.memtable_bytes_max);
    steps_make(store, SIZE_MAX);
    ck_assert_int_eq(store_turn_end(store), STATUS_OK);
    ck_assert_uint_lt(store_memory_bytes(store), 4096);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

START_TEST(space_counts_pages_in_use_and_knows_the_map)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    size_t empty = 0;
    size_t full = 0;
    size_t emptied = 0;
    size_t map = 0;
    store_space(store, &empty, &map);
    ck_assert_uint_eq(map, options.map_bytes);
    struct change change = store_change(store);
    uint8_t bytes[1000] = { 0 };
    for (uint32_t i = 0; i < 1000; i++) {
        be32_put(bytes, i);
        change_put(&change, TABLE_LOW, span_of(bytes, 4), span_of(bytes, sizeof bytes));
    }
    checkpoint_make(store, 1);
    store_space(store, &full, &map);
    ck_assert_uint_ge(full, 1000 * sizeof bytes);
    for (uint32_t i = 0; i < 1000; i++) {
        be32_put(bytes, i);
        change_delete(&change, TABLE_LOW, span_of(bytes, 4));
    }
    checkpoint_make(store, 2);
    store_space(store, &emptied, &map);
    ck_assert_uint_lt(emptied, empty + 100000);
    store_readers_check(store);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

/* What was reserved for a checkpoint is as much as the file grows by it. */
START_TEST(a_checkpoint_stays_within_the_room_that_was_reserved_for_it)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.checkpoint_records = 64; /* as while the disk is tight */
    struct store *store = store_make(&options);
    struct change change = store_change(store);
    uint8_t bytes[100] = { 0 };
    struct stat before;
    struct stat after;
    for (uint64_t turn = 1; turn <= 5; turn++) {
        for (uint32_t i = 0; i < 2000; i++) {
            struct hash128 key = hash128_of_span(span_of(&(uint64_t){ turn << 32 | i }, 8));
            change_put(&change, TABLE_LOW, span_of(key.bytes, 16), span_of(bytes, sizeof bytes));
        }
        ck_assert_int_eq(store_reserve(store, 0), STATUS_OK);
        ck_assert_int_eq(stat(options.path, &before), 0);
        checkpoint_make(store, turn);
        ck_assert_int_eq(stat(options.path, &after), 0);
        ck_assert_int_le(after.st_size, before.st_blocks * 512);
    }
    ck_assert_uint_gt(store_disk_free_bytes(store), 0);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

/* ---- everything at once */

struct history {
    struct chance chance;
    struct store_options options;
    struct store *store;
    struct model now;
    struct model frozen;  /* as of a checkpoint that is being made */
    struct model durable; /* as of the newest P that the file surely has */
    uint64_t frozen_block;
    uint64_t durable_block;
    uint64_t block;
};

static void history_settle(struct history *history)
{
    if (!store_checkpoint_running(history->store) && history->frozen_block > 0) {
        position_check(store_checkpoint(history->store), history->frozen_block);
        history->durable = history->frozen;
        history->durable_block = history->frozen_block;
        history->frozen_block = 0;
    }
}

static void history_checkpoint(struct history *history)
{
    if (!store_checkpoint_running(history->store)) {
        history->block += 1 + chance_below(&history->chance, 3);
        history->frozen = history->now;
        history->frozen_block = history->block;
        struct journal_position position = position_of(history->block);
        store_checkpoint_begin(history->store, &position);
    }
    steps_make(history->store, (size_t)chance_below(&history->chance, 4));
    history_settle(history);
}

/* The state is then that of one of both checkpoints; which one, the store says. */
static void history_reopen(struct history *history)
{
    store_close(&history->store);
    history->options.checkpoint_records = 1 + (size_t)chance_below(&history->chance, 7);
    history->store = store_make(&history->options);
    uint64_t block = store_checkpoint(history->store).block;
    if (history->frozen_block > 0 && block == history->frozen_block) {
        history->durable = history->frozen;
        history->durable_block = block;
    }
    if (history->durable_block > 0) {
        position_check(store_checkpoint(history->store), history->durable_block);
    }
    history->now = history->durable;
    history->frozen_block = 0;
    struct view view = store_view(history->store);
    model_check(&history->now, &view);
}

static void history_turn(struct history *history)
{
    struct change change = store_change(history->store);
    size_t changes = (size_t)chance_below(&history->chance, 12);
    for (size_t i = 0; i < changes; i++) {
        change_draw(&history->chance, &history->now, &change);
        model_check_some(&history->chance, &history->now, &change.view);
    }
    uint64_t what = chance_below(&history->chance, 20);
    if (what < 12) {
        history_checkpoint(history);
    }
    if (what % 2 == 0) {
        ck_assert_int_eq(store_turn_end(history->store), STATUS_OK);
    }
    if (what == 19) {
        history_reopen(history);
    }
    struct view view = store_view(history->store);
    model_check_some(&history->chance, &history->now, &view);
}

START_TEST(whatever_happens_it_holds_what_a_sorted_array_holds)
{
    struct folder folder = folder_make();
    struct history *history = memory_allocate(sizeof *history);
    history->chance = chance_draw("store");
    history->options = options_of(&folder);
    history->options.checkpoint_records = 3;
    history->store = store_make(&history->options);
    history->block = 1;
    for (size_t turn = 0; turn < 800; turn++) {
        history_turn(history);
        if (turn % 20 == 0) {
            struct view view = store_view(history->store);
            model_check(&history->now, &view);
        }
    }
    store_close(&history->store);
    free(history);
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_new_store_holds_nothing_and_stands_before_the_first_block);
    tcase_add_test(tcase, reads_see_what_was_put_and_not_what_was_deleted);
    tcase_add_test(tcase, the_newest_of_three_layers_counts);
    tcase_add_test(tcase, closing_forgets_what_is_not_checkpointed);
    tcase_add_test(tcase, a_scan_may_read_and_scan);
    tcase_add_test(tcase, a_change_during_a_scan_is_a_bug);
    tcase_add_test(tcase, keys_and_values_reach_their_bounds_and_not_past);
    tcase_add_test(tcase, a_table_that_was_not_declared_is_a_bug);
    tcase_add_test(tcase, a_scan_may_begin_just_after_the_longest_key);
    tcase_add_test(tcase, a_file_of_another_service_or_shard_is_refused);
    tcase_add_test(tcase, a_newer_schema_is_refused_and_an_older_one_is_raised);
    tcase_add_test(tcase, a_file_of_somebody_else_is_refused);
    tcase_add_test(tcase, a_file_that_is_no_database_is_corrupt);
    tcase_add_test(tcase, a_file_that_was_cut_off_while_it_was_made_is_in_nobodys_way);
    tcase_add_test(tcase, a_folder_that_is_missing_is_named);
    tcase_add_test(tcase, the_bound_of_memory_asks_for_checkpoints_and_stops_nothing);
    tcase_add_test(tcase, space_counts_pages_in_use_and_knows_the_map);
    tcase_add_test(tcase, a_checkpoint_stays_within_the_room_that_was_reserved_for_it);
    tcase_add_test(tcase, whatever_happens_it_holds_what_a_sorted_array_holds);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
