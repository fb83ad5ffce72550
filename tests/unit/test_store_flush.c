/* link: common_store */
/* The flush thread: what holds for checkpoints holds as well while a second thread makes them. */
#include "tests/unit/store_fixture.h"

#define CHECKPOINTS 8

/* As a shell does after each turn. */
static void turn_finish(struct store *store, uint64_t block)
{
    if (!store_checkpoint_running(store)) {
        struct journal_position position = position_of(block);
        store_checkpoint_begin(store, &position);
    }
    ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
    ck_assert_int_eq(store_turn_end(store), STATUS_OK);
}

START_TEST(the_state_is_right_while_another_thread_writes_it)
{
    struct two_states *states = two_states_make("flush");
    states->options.has_flush_thread = true;
    struct store *store = store_make(&states->options);
    struct view view = store_view(store);
    struct model *model = &states->old;
    uint64_t block = 2;
    uint64_t checkpoints = 0;
    for (; checkpoints < CHECKPOINTS; block++) {
        uint64_t before = store_checkpoint(store).block;
        changes_draw(states, model, store, 20);
        turn_finish(store, block);
        model_check_some(&states->chance, model, &view);
        checkpoints += store_checkpoint(store).block != before ? 1 : 0;
    }
    checkpoint_make(store, block);
    model_check(model, &view);
    store_close(&store);
    store = store_make(&states->options);
    view = store_view(store);
    position_check(store_checkpoint(store), block);
    model_check(model, &view);
    struct store_digest live[TABLE_COUNT];
    struct store_digest fresh[TABLE_COUNT];
    store_digests(store, live);
    fresh_digests(model, fresh);
    digests_check(live, fresh);
    store_close(&store);
    two_states_release(states);
}
END_TEST

START_TEST(what_is_closed_in_between_is_old_or_new)
{
    struct two_states *states = two_states_make("flush closed");
    states->options.has_flush_thread = true;
    for (uint64_t block = 2; block < 40; block++) {
        struct store *store = two_states_open_new(states);
        steps_make(store, SIZE_MAX); /* of the one that was left */
        struct journal_position position = position_of(block);
        store_checkpoint_begin(store, &position);
        for (uint64_t i = chance_below(&states->chance, 4); i > 0; i--) {
            ck_assert(!store_checkpoint_running(store) ||
                      store_checkpoint_step(store) == STATUS_OK);
        }
        store_close(&store);
        store = store_make(&states->options);
        bool is_new = store_checkpoint(store).block == block;
        struct view view = store_view(store);
        model_check(is_new ? &states->new : &states->old, &view);
        states->old = is_new ? states->new : states->old;
        store_close(&store);
    }
    two_states_release(states);
}
END_TEST

/* As a crash leaves it: the run is closed, and none of it merged. */
static void closed_run_leave(struct two_states *states)
{
    states->options.has_flush_thread = false;
    bool is_left = false;
    for (size_t steps = 1; !is_left; steps++) {
        struct store *store = two_states_open_new(states);
        struct journal_position position = position_of(2);
        store_checkpoint_begin(store, &position);
        steps_make(store, steps);
        store_close(&store);
        store = store_make(&states->options);
        is_left = store_checkpoint_running(store);
        store_close(&store);
    }
    states->options.has_flush_thread = true;
}

START_TEST(what_a_crash_left_to_merge_is_merged_by_the_thread)
{
    struct two_states *states = two_states_make("flush left");
    closed_run_leave(states);
    struct store *store = store_make(&states->options);
    ck_assert(store_checkpoint_running(store));
    struct model *model = &states->new;
    struct view view = store_view(store);
    /* The loop only looks, and works meanwhile: nobody else makes the pieces. */
    while (store_checkpoint_running(store)) {
        position_check(store_checkpoint(store), 2);
        changes_draw(states, model, store, 1);
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
        ck_assert_int_eq(store_turn_end(store), STATUS_OK);
        model_check_some(&states->chance, model, &view);
    }
    checkpoint_make(store, 3);
    store_close(&store);
    store = store_make(&states->options);
    ck_assert(!store_checkpoint_running(store));
    position_check(store_checkpoint(store), 3);
    view = store_view(store);
    model_check(model, &view);
    store_close(&store);
    two_states_release(states);
}
END_TEST

START_TEST(at_the_bound_of_memory_the_loop_waits_for_the_thread)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.memtable_bytes_max = 64U << 10;
    options.has_flush_thread = true;
    struct store *store = store_make(&options);
    struct change change = store_change(store);
    uint8_t value[1000] = { 0 };
    size_t most = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        uint8_t key[4];
        be32_put(key, i);
        change_put(&change, TABLE_LOW, span_of(key, 4), span_of(value, sizeof value));
        if (store_wants_checkpoint(store) || store_checkpoint_running(store)) {
            turn_finish(store, i);
        }
        most = store_memory_bytes(store) > most ? store_memory_bytes(store) : most;
    }
    /* 4 MB went through. Without waiting, nothing would bound what is ahead of the disk. */
    ck_assert_uint_le(most, 4 * options.memtable_bytes_max);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_piece_that_fails_is_told_to_the_loop)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.map_bytes = 256U << 10;
    options.has_flush_thread = true;
    struct store *store = store_make(&options);
    struct change change = store_change(store);
    uint8_t value[LIMIT_STATE_VALUE_BYTES] = { 0 };
    for (uint32_t i = 0; i < 600; i++) {
        uint8_t key[4];
        be32_put(key, i);
        change_put(&change, TABLE_LOW, span_of(key, 4), span_of(value, 1000));
    }
    struct journal_position position = position_of(1);
    store_checkpoint_begin(store, &position);
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        ck_assert(store_checkpoint_running(store));
        status = store_checkpoint_step(store);
    }
    ck_assert_int_eq(status, STATUS_LIMIT);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_flush");
    TCase *tcase = tcase_create("store_flush");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_state_is_right_while_another_thread_writes_it);
    tcase_add_test(tcase, what_is_closed_in_between_is_old_or_new);
    tcase_add_test(tcase, what_a_crash_left_to_merge_is_merged_by_the_thread);
    tcase_add_test(tcase, at_the_bound_of_memory_the_loop_waits_for_the_thread);
    tcase_add_test(tcase, a_piece_that_fails_is_told_to_the_loop);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
