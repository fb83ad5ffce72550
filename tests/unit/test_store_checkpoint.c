/* link: common_store */
#include "common/store/store.h"
#include "tests/unit/store_fixture.h"

/* ---- content that is known */

static void numbers_put(struct store *store, uint32_t from, uint32_t to, const char *value)
{
    struct change change = store_change(store);
    for (uint32_t i = from; i < to; i++) {
        uint8_t key[4];
        be32_put(key, i);
        change_put(&change, TABLE_MIDDLE, span_of(key, sizeof key), span_of_text(value));
    }
}

static size_t pieces(size_t records, size_t piece)
{
    return (records + piece - 1) / piece;
}

static void file_copy(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert(in >= 0 && out >= 0);
    char bytes[65536];
    ssize_t size = 0;
    while ((size = read(in, bytes, sizeof bytes)) > 0) {
        ck_assert_int_eq(write(out, bytes, (size_t)size), size);
    }
    ck_assert_int_eq(size, 0);
    ck_assert_int_eq(close(in), 0);
    ck_assert_int_eq(close(out), 0);
}

/* ---- crashes */

/* A crash after `steps` pieces; then the state is one of both, whole, and the position says
 * which. A run that was closed is merged from then on, and nothing changes by it. */
static void crash_check(struct two_states *states, size_t steps, size_t write_steps)
{
    struct store *store = two_states_open_new(states);
    struct journal_position position = position_of(2);
    store_checkpoint_begin(store, &position);
    steps_make(store, steps);
    struct view view = store_view(store);
    model_check(&states->new, &view);
    store_close(&store);

    store = store_make(&states->options);
    bool is_new = steps >= write_steps;
    position_check(store_checkpoint(store), is_new ? 2 : 1);
    view = store_view(store);
    model_check(is_new ? &states->new : &states->old, &view);
    ck_assert(store_checkpoint_running(store) == (is_new && steps < 2 * write_steps));
    while (store_checkpoint_running(store)) {
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
        ck_assert_int_eq(store_turn_end(store), STATUS_OK);
        position_check(store_checkpoint(store), 2);
        view = store_view(store);
        model_check(&states->new, &view);
    }
    store_close(&store);
}

START_TEST(a_crash_at_any_piece_leaves_the_old_state_or_the_new_one)
{
    struct two_states *states = two_states_make("crash");
    char kept[320] = "";
    (void)snprintf(kept, sizeof kept, "%s-old", states->folder.state);
    file_copy(states->folder.state, kept);

    /* How many records the run has is how many the memtable has. */
    struct store *store = two_states_open_new(states);
    struct journal_position position = position_of(2);
    store_checkpoint_begin(store, &position);
    size_t all = 0;
    size_t write_steps = 0;
    for (; store_checkpoint_running(store); all++) {
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
    }
    write_steps = all / 2; /* to write and to merge takes as many pieces each */
    ck_assert_uint_eq(all, 2 * write_steps);
    ck_assert_uint_ge(write_steps, 3);
    store_close(&store);

    for (size_t steps = 0; steps <= all; steps++) {
        file_copy(kept, states->folder.state);
        crash_check(states, steps, write_steps);
    }
    (void)unlink(kept);
    two_states_release(states);
}
END_TEST

START_TEST(a_run_that_is_merged_twice_changes_nothing)
{
    struct two_states *states = two_states_make("twice");
    struct store *store = two_states_open_new(states);
    struct journal_position position = position_of(2);
    store_checkpoint_begin(store, &position);
    /* Into the middle of the merge: some records are in the tables already. */
    while (store_checkpoint(store).block == 1) {
        char kept[320] = "";
        (void)snprintf(kept, sizeof kept, "%s-kept", states->folder.state);
        file_copy(states->folder.state, kept);
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
    }
    store_close(&store);
    char kept[320] = "";
    (void)snprintf(kept, sizeof kept, "%s-kept", states->folder.state);
    ck_assert_int_eq(rename(kept, states->folder.state), 0);
    for (size_t i = 0; i < 2; i++) {
        store = store_make(&states->options);
        struct view view = store_view(store);
        position_check(store_checkpoint(store), 2);
        model_check(&states->new, &view);
        store_close(&store);
    }
    two_states_release(states);
}
END_TEST

START_TEST(a_crash_after_a_crash_and_other_pieces_do_no_harm)
{
    struct two_states *states = two_states_make("crashes");
    for (uint64_t block = 2; block < 40; block++) {
        states->options.checkpoint_records = 1 + (size_t)chance_below(&states->chance, 7);
        struct store *store = two_states_open_new(states);
        struct view before = store_view(store);
        steps_make(store, SIZE_MAX); /* of the one that the crash has left */
        model_check(&states->new, &before);
        struct journal_position position = position_of(block);
        store_checkpoint_begin(store, &position);
        steps_make(store, (size_t)chance_below(&states->chance, 40));
        store_close(&store);
        store = store_make(&states->options);
        bool is_new = store_checkpoint(store).block == block;
        struct view view = store_view(store);
        model_check(is_new ? &states->new : &states->old, &view);
        states->old = is_new ? states->new : states->old;
        steps_make(store, (size_t)chance_below(&states->chance, 20));
        store_close(&store);
    }
    two_states_release(states);
}
END_TEST

/* ---- pieces */

/* Steps of a checkpoint of `records` new records. */
static size_t steps_count(size_t piece, uint32_t records)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.checkpoint_records = piece;
    struct store *store = store_make(&options);
    numbers_put(store, 0, records, "value");
    struct journal_position position = position_of(1);
    store_checkpoint_begin(store, &position);
    size_t steps = 0;
    for (; store_checkpoint_running(store); steps++) {
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
    }
    ck_assert_int_eq(store_turn_end(store), STATUS_OK);
    struct store_digest digests[TABLE_COUNT];
    store_digests(store, digests);
    ck_assert_uint_eq(digests[1].records, records);
    position_check(store_checkpoint(store), 1);
    store_close(&store);
    folder_remove(&folder);
    return steps;
}

START_TEST(no_piece_has_more_records_than_it_may)
{
    for (size_t piece = 1; piece <= 7; piece++) {
        ck_assert_uint_eq(steps_count(piece, (uint32_t)piece), 2);
        ck_assert_uint_eq(steps_count(piece, (uint32_t)piece + 1), 4);
        ck_assert_uint_eq(steps_count(piece, 29), 2 * pieces(29, piece));
    }
}
END_TEST

START_TEST(a_piece_is_bounded_also_when_nobody_says_how)
{
    ck_assert_uint_eq(steps_count(0, LIMIT_CHECKPOINT_RECORDS), 2);
    ck_assert_uint_eq(steps_count(0, LIMIT_CHECKPOINT_RECORDS + 1), 4);
}
END_TEST

START_TEST(a_checkpoint_of_nothing_moves_the_position)
{
    ck_assert_uint_eq(steps_count(5, 0), 2);
}
END_TEST

START_TEST(a_whole_checkpoint_finishes_the_one_that_runs)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.checkpoint_records = 2;
    struct store *store = store_make(&options);
    numbers_put(store, 0, 20, "first");
    struct journal_position position = position_of(1);
    store_checkpoint_begin(store, &position);
    ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
    numbers_put(store, 10, 30, "second");
    checkpoint_make(store, 2);
    ck_assert(!store_checkpoint_running(store));
    ck_assert_uint_lt(store_memory_bytes(store), 4096);
    struct store_digest live[TABLE_COUNT];
    struct store_digest read[TABLE_COUNT];
    store_digests(store, live);
    store_close(&store);
    digests_read(&options, read, &position);
    position_check(position, 2);
    digests_check(live, read);
    ck_assert_uint_eq(read[1].records, 30);
    folder_remove(&folder);
}
END_TEST

struct begin_twice {
    struct store_options options;
    uint64_t first;
    uint64_t second;
    bool finish;
};

static void twice_begin(void *argument)
{
    const struct begin_twice *twice = argument;
    struct store *store = store_make(&twice->options);
    struct journal_position position = position_of(twice->first);
    store_checkpoint_begin(store, &position);
    if (twice->finish) {
        steps_make(store, SIZE_MAX);
    }
    position = position_of(twice->second);
    store_checkpoint_begin(store, &position);
    store_close(&store);
}

static void idle_step(void *argument)
{
    const struct begin_twice *twice = argument;
    struct store *store = store_make(&twice->options);
    ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
}

START_TEST(checkpoints_follow_each_other_and_go_forward)
{
    struct folder folder = folder_make();
    struct begin_twice twice = { options_of(&folder), 1, 2, false };
    ck_assert(child_aborts(twice_begin, &twice));
    ck_assert(child_aborts(idle_step, &twice));
    twice.finish = true;
    ck_assert_int_eq(child_exit_code(twice_begin, &twice), 0);
    twice = (struct begin_twice){ options_of(&folder), 5, 4, true };
    ck_assert(child_aborts(twice_begin, &twice));
    folder_remove(&folder);
}
END_TEST

/* ---- a full map */

START_TEST(a_full_map_is_a_status_and_the_state_stays_whole)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.map_bytes = 128U << 10;
    options.checkpoint_records = 50;
    struct store *store = store_make(&options);
    numbers_put(store, 0, 100, "first");
    checkpoint_make(store, 1);
    struct store_digest first[TABLE_COUNT];
    store_digests(store, first);

    numbers_put(store, 50, 10000, "second");
    struct store_digest second[TABLE_COUNT];
    store_digests(store, second);
    struct journal_position position = position_of(2);
    store_checkpoint_begin(store, &position);
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < 1000; i++) {
        status = store_checkpoint_step(store);
    }
    ck_assert_int_eq(status, STATUS_LIMIT);
    ck_assert_int_eq(store_checkpoint_step(store), STATUS_LIMIT);
    struct store_digest digests[TABLE_COUNT];
    store_digests(store, digests);
    digests_check(digests, second);
    store_close(&store);

    /* Opening drops the open run, which is why it can be opened at all. */
    store = store_make(&options);
    position_check(store_checkpoint(store), 1);
    store_digests(store, digests);
    digests_check(digests, first);
    store_close(&store);

    options.map_bytes = 64U << 20;
    store = store_make(&options);
    numbers_put(store, 50, 10000, "second");
    checkpoint_make(store, 2);
    store_digests(store, digests);
    digests_check(digests, second);
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_checkpoint");
    TCase *tcase = tcase_create("store_checkpoint");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_crash_at_any_piece_leaves_the_old_state_or_the_new_one);
    tcase_add_test(tcase, a_run_that_is_merged_twice_changes_nothing);
    tcase_add_test(tcase, a_crash_after_a_crash_and_other_pieces_do_no_harm);
    tcase_add_test(tcase, no_piece_has_more_records_than_it_may);
    tcase_add_test(tcase, a_piece_is_bounded_also_when_nobody_says_how);
    tcase_add_test(tcase, a_checkpoint_of_nothing_moves_the_position);
    tcase_add_test(tcase, a_whole_checkpoint_finishes_the_one_that_runs);
    tcase_add_test(tcase, checkpoints_follow_each_other_and_go_forward);
    tcase_add_test(tcase, a_full_map_is_a_status_and_the_state_stays_whole);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
