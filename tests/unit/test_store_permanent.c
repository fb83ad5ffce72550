/* link: common_store */
/* A store with a permanent table: its records lie in runs, and nobody who reads can tell. */
#include "tests/unit/store_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define NUMBERS 600
#define TABLE_PERMANENT TABLE_MIDDLE

static const struct store_table permanent_tables[TABLE_COUNT] = {
    { TABLE_LOW, "low", STORE_TABLE_TREE },
    { TABLE_PERMANENT, "middle", STORE_TABLE_PERMANENT },
    { TABLE_HIGH, "high", STORE_TABLE_TREE },
};

static struct store_options permanent_options_of(const struct folder *folder)
{
    struct store_options options = options_of(folder);
    options.tables = permanent_tables;
    options.checkpoint_records = 7;
    return options;
}

/* Spread over the keys; the value follows from the number. */
struct number_bytes {
    uint8_t key[16];
    uint8_t value[24];
};

static struct number_bytes number_bytes_of(uint64_t number)
{
    struct number_bytes bytes = { { 0 }, { 0 } };
    struct chance chance = { number };
    be64_put(bytes.key, chance_next(&chance));
    be64_put(bytes.key + 8, number);
    for (size_t i = 0; i < sizeof bytes.value; i += 8) {
        be64_put(bytes.value + i, chance_next(&chance));
    }
    return bytes;
}

static void number_put(struct store *store, uint8_t table, uint64_t number)
{
    struct number_bytes bytes = number_bytes_of(number);
    struct change change = store_change(store);
    change_put(&change, table, span_of(bytes.key, sizeof bytes.key),
               span_of(bytes.value, sizeof bytes.value));
}

static void numbers_check(struct store *store, uint8_t table, uint64_t count)
{
    struct view view = store_view(store);
    for (uint64_t number = 0; number < count + 20; number++) {
        struct number_bytes bytes = number_bytes_of(number);
        struct span value = { 0 };
        bool is_there = view_get(&view, table, span_of(bytes.key, sizeof bytes.key), &value);
        ck_assert_int_eq(is_there, number < count);
        ck_assert(!is_there || span_equal(value, span_of(bytes.value, sizeof bytes.value)));
    }
}

struct order_check {
    uint8_t last[16];
    uint64_t count;
};

static bool order_visit(void *argument, struct span key, struct span value)
{
    struct order_check *check = argument;
    (void)value;
    ck_assert(check->count == 0 || span_compare(span_of(check->last, sizeof check->last), key) < 0);
    memcpy(check->last, key.data, sizeof check->last);
    check->count++;
    return true;
}

static void scan_check(struct store *store, uint8_t table, uint64_t count)
{
    struct view view = store_view(store);
    struct order_check check = { { 0 }, 0 };
    view_scan(&view, table, (struct span){ 0 }, order_visit, &check);
    ck_assert_uint_eq(check.count, count);
}

/* The file says the same as a store of trees with the same records. */
static void file_check(const struct store_options *options, uint64_t count, uint64_t block)
{
    struct folder folder = folder_make();
    struct store_options fresh_options = options_of(&folder);
    struct store *fresh = store_make(&fresh_options);
    for (uint64_t number = 0; number < count; number++) {
        number_put(fresh, TABLE_PERMANENT, number);
        number_put(fresh, TABLE_LOW, number);
    }
    struct store_digest expected[TABLE_COUNT];
    store_digests(fresh, expected);
    store_close(&fresh);
    struct store_digest found[TABLE_COUNT];
    struct journal_position position = { 0 };
    digests_read(options, found, &position);
    position_check(position, block);
    digests_check(found, expected);
    folder_remove(&folder);
}

static void both_put(struct store *store, uint64_t number)
{
    number_put(store, TABLE_PERMANENT, number);
    number_put(store, TABLE_LOW, number);
}

static void grow_and_check(bool has_flush_thread)
{
    struct folder folder = folder_make();
    struct store_options options = permanent_options_of(&folder);
    options.has_flush_thread = has_flush_thread;
    struct store *store = store_make(&options);
    uint64_t block = 1;
    for (uint64_t number = 0; number < NUMBERS; number++) {
        both_put(store, number);
        if (number % 9 != 8) {
            continue;
        }
        if (!store_checkpoint_running(store)) {
            struct journal_position position = position_of(block++);
            store_checkpoint_begin(store, &position);
        }
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
        ck_assert_int_eq(store_turn_end(store), STATUS_OK);
        if (number % 90 == 89) {
            numbers_check(store, TABLE_PERMANENT, number + 1);
            scan_check(store, TABLE_PERMANENT, number + 1);
        }
    }
    checkpoint_make(store, block);
    numbers_check(store, TABLE_PERMANENT, NUMBERS);
    store_close(&store);
    file_check(&options, NUMBERS, block);
    store = store_make(&options);
    numbers_check(store, TABLE_PERMANENT, NUMBERS);
    numbers_check(store, TABLE_LOW, NUMBERS);
    scan_check(store, TABLE_PERMANENT, NUMBERS);
    store_close(&store);
    folder_remove(&folder);
}

START_TEST(records_are_found_wherever_they_lie)
{
    grow_and_check(false);
}
END_TEST

START_TEST(records_are_found_while_a_thread_moves_them)
{
    grow_and_check(true);
}
END_TEST

START_TEST(a_crash_after_any_piece_leaves_the_old_or_the_new)
{
    struct chance chance = chance_draw("permanent crashes");
    struct folder folder = folder_make();
    struct store_options options = permanent_options_of(&folder);
    uint64_t count = 0;
    for (uint64_t block = 1; block < 60; block++) {
        struct store *store = store_make(&options);
        numbers_check(store, TABLE_PERMANENT, count);
        numbers_check(store, TABLE_LOW, count);
        uint64_t next = count + chance_below(&chance, 20);
        for (uint64_t number = count; number < next; number++) {
            both_put(store, number);
        }
        steps_make(store, SIZE_MAX); /* of the one that the crash has left */
        struct journal_position position = position_of(block);
        store_checkpoint_begin(store, &position);
        steps_make(store, (size_t)chance_below(&chance, 12));
        store_close(&store);
        store = store_make(&options);
        count = store_checkpoint(store).block == block ? next : count;
        store_close(&store);
    }
    ck_assert_uint_gt(count, 0);
    folder_remove(&folder);
}
END_TEST

START_TEST(records_put_before_the_table_was_permanent_are_found)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    for (uint64_t number = 0; number < 30; number++) {
        both_put(store, number);
    }
    checkpoint_make(store, 1);
    store_close(&store);
    options = permanent_options_of(&folder);
    store = store_make(&options);
    for (uint64_t number = 30; number < 60; number++) {
        both_put(store, number);
    }
    numbers_check(store, TABLE_PERMANENT, 60);
    checkpoint_make(store, 2);
    numbers_check(store, TABLE_PERMANENT, 60);
    scan_check(store, TABLE_PERMANENT, 60);
    store_close(&store);
    file_check(&options, 60, 2);
    folder_remove(&folder);
}
END_TEST

/* A closed run of a table that was a tree: what is merged at open lies in the tree. */
static void crash_as_tree_and_check(size_t steps)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.checkpoint_records = 7;
    struct store *store = store_make(&options);
    for (uint64_t number = 0; number < 30; number++) {
        number_put(store, TABLE_PERMANENT, number);
    }
    struct journal_position position = position_of(1);
    store_checkpoint_begin(store, &position);
    steps_make(store, steps);
    store_close(&store);
    options = permanent_options_of(&folder);
    store = store_make(&options);
    uint64_t count = store_checkpoint(store).block == 1 ? 30 : 0;
    numbers_check(store, TABLE_PERMANENT, count);
    scan_check(store, TABLE_PERMANENT, count);
    store_close(&store);
    folder_remove(&folder);
}

START_TEST(records_of_a_closed_run_from_before_the_table_was_permanent_are_found)
{
    for (size_t steps = 0; steps < 12; steps++) {
        crash_as_tree_and_check(steps);
    }
}
END_TEST

/* So many runs that the next one is merged with them. */
static uint64_t merge_prepare(const struct store_options *given)
{
    struct store_options options = *given;
    options.has_flush_thread = false;
    uint64_t count = 0;
    struct store *store = store_make(&options);
    for (uint64_t block = 1; block < 4; block++) {
        for (uint64_t i = 0; i < 3000; i++) {
            number_put(store, TABLE_PERMANENT, count++);
        }
        checkpoint_make(store, block);
    }
    store_close(&store);
    return count;
}

/* The file may grow by so much, and no more. */
static void growth_limit(const char *path, rlim_t bytes)
{
    struct stat facts;
    struct rlimit limit;
    ck_assert_int_eq(stat(path, &facts), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct sigaction ignored = { .sa_handler = SIG_IGN }; /* then writing says EFBIG */
    ck_assert_int_eq(sigaction(SIGXFSZ, &ignored, NULL), 0);
    limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : (rlim_t)facts.st_size + bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(after_background_work_that_failed_nothing_more_is_written)
{
    struct folder folder = folder_make();
    struct store_options options = permanent_options_of(&folder);
    options.checkpoint_records = 0;
    uint64_t count = merge_prepare(&options);
    options.has_flush_thread = true;
    options.memtable_bytes_max = 1; /* each step waits for the thread */
    growth_limit(options.path, 128U << 10);
    struct store *store = store_make(&options);
    number_put(store, TABLE_PERMANENT, count);
    enum status status = STATUS_OK;
    for (uint64_t block = 4; status == STATUS_OK && block < 100; block++) {
        struct journal_position position = position_of(block);
        store_checkpoint_begin(store, &position);
        while (status == STATUS_OK && store_checkpoint_running(store)) {
            status = store_checkpoint_step(store);
        }
    }
    ck_assert_int_ne(status, STATUS_OK);
    growth_limit(options.path, RLIM_INFINITY);
    store_close(&store);
    store = store_make(&options);
    numbers_check(store, TABLE_PERMANENT, count + (store_checkpoint(store).block >= 4 ? 1 : 0));
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_merge_that_the_map_has_no_room_for_is_not_begun)
{
    struct folder folder = folder_make();
    struct store_options options = permanent_options_of(&folder);
    options.checkpoint_records = 0;
    options.map_bytes = (size_t)800 << 10; /* room for the runs, but not twice */
    uint64_t count = merge_prepare(&options);
    options.has_flush_thread = true;
    struct store *store = store_make(&options);
    number_put(store, TABLE_PERMANENT, count++);
    for (uint64_t block = 4; block < 20; block++) {
        checkpoint_make(store, block);
    }
    store_close(&store);
    store = store_make(&options);
    numbers_check(store, TABLE_PERMANENT, count);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

static void permanent_delete(void *argument)
{
    struct change change = store_change(argument);
    change_delete(&change, TABLE_PERMANENT, span_of_text("key"));
}

START_TEST(nothing_of_it_is_deleted)
{
    struct folder folder = folder_make();
    struct store_options options = permanent_options_of(&folder);
    struct store *store = store_make(&options);
    ck_assert(child_aborts(permanent_delete, store));
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

START_TEST(space_counts_runs)
{
    struct folder folder = folder_make();
    struct store_options options = permanent_options_of(&folder);
    struct store *store = store_make(&options);
    size_t before = 0;
    size_t after = 0;
    size_t map = 0;
    store_space(store, &before, &map);
    for (uint64_t number = 0; number < 5000; number++) {
        number_put(store, TABLE_PERMANENT, number);
    }
    checkpoint_make(store, 1);
    store_space(store, &after, &map);
    ck_assert_uint_ge(after, before + (size_t)5000 * 40);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_permanent");
    TCase *tcase = tcase_create("store_permanent");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, records_are_found_wherever_they_lie);
    tcase_add_test(tcase, records_are_found_while_a_thread_moves_them);
    tcase_add_test(tcase, a_crash_after_any_piece_leaves_the_old_or_the_new);
    tcase_add_test(tcase, records_put_before_the_table_was_permanent_are_found);
    tcase_add_test(tcase, records_of_a_closed_run_from_before_the_table_was_permanent_are_found);
    tcase_add_test(tcase, after_background_work_that_failed_nothing_more_is_written);
    tcase_add_test(tcase, a_merge_that_the_map_has_no_room_for_is_not_begun);
    tcase_add_test(tcase, nothing_of_it_is_deleted);
    tcase_add_test(tcase, space_counts_runs);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
