/* link: common_store lmdb */
/* Runs are written, merged, listed and read, beside a model. */
#include "tests/unit/run_set_fixture.h"

/* ---- the model test */

/* A run that is written piece by piece while other things happen. */
struct writing {
    struct run_writer *writer; /* NULL: none is */
    size_t next;
    bool has[RECORDS];
};

static void writing_begin(struct bed *bed, struct writing *writing)
{
    *writing = (struct writing){ 0 };
    uint64_t share = 1 + chance_below(&bed->chance, 30);
    size_t count = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        writing->has[i] = chance_below(&bed->chance, 100) < share;
        count += writing->has[i] ? 1 : 0;
    }
    /* The number may be known exactly, or too high. */
    enum status status =
        run_writer_open(&writing->writer, bed->set, count + chance_below(&bed->chance, 3) * 100);
    ck_assert(status == STATUS_OK || status == STATUS_LIMIT);
}

/* True: this piece has published the run, once it is committed. */
static bool writing_step(struct bed *bed, struct writing *writing, MDB_txn *txn)
{
    size_t end = writing->next + 1 + (size_t)chance_below(&bed->chance, RECORDS / 2);
    for (; writing->next < end && writing->next < RECORDS; writing->next++) {
        size_t i = writing->next;
        if (writing->has[i]) {
            record_add(bed, writing->writer, txn, i);
        }
    }
    if (writing->next < RECORDS) {
        return false;
    }
    bool is_finished = false;
    size_t puts = 1 + (size_t)chance_below(&bed->chance, 3);
    ck_assert_int_eq(run_writer_finish(writing->writer, txn, puts, &is_finished), STATUS_OK);
    if (is_finished) {
        ck_assert_int_eq(run_set_publish(bed->set, txn, &writing->writer), STATUS_OK);
    }
    return is_finished;
}

/* One transaction: a piece of a run or of work. False: it was not committed. */
static bool step_draw(struct bed *bed, struct writing *writing)
{
    bool is_published = false;
    struct store_key broken = { 0 };
    bool has_work = run_set_has_work(bed->set);
    bool is_work = has_work && chance_below(&bed->chance, 2) == 0;
    if (!is_work && writing->writer == NULL) {
        writing_begin(bed, writing);
    }
    MDB_txn *txn = write_begin(bed);
    if (is_work) {
        size_t puts = 1 + (size_t)chance_below(&bed->chance, 20);
        ck_assert_int_eq(run_set_work(bed->set, txn, puts, &broken), STATUS_OK);
    } else if (writing->writer != NULL) {
        is_published = writing_step(bed, writing, txn);
    }
    if (chance_below(&bed->chance, 20) == 0) {
        mdb_txn_abort(txn);
        return false;
    }
    write_end(txn);
    for (size_t i = 0; is_published && i < RECORDS; i++) {
        bed->has[i] = bed->has[i] || writing->has[i];
    }
    return true;
}

/* The process ends; what it had in memory is gone. */
static void crash(struct bed *bed, struct writing *writing)
{
    run_writer_close(&writing->writer);
    bed_close(bed);
    bed_open(bed);
}

START_TEST(runs_agree_with_a_model_through_merges_and_crashes)
{
    struct bed *bed = bed_make("model");
    struct writing *writing = memory_allocate(sizeof *writing);
    for (size_t step = 0; step < 500; step++) {
        if (step % 400 == 0) {
            /* From few records again, so that new keys stay new. */
            run_writer_close(&writing->writer);
            bed_close(bed);
            (void)unlink(bed->folder.state);
            (void)unlink(bed->folder.lock);
            memset(bed->has, 0, sizeof bed->has);
            bed_open(bed);
        }
        bool is_committed = step_draw(bed, writing);
        if (!is_committed || chance_below(&bed->chance, 30) == 0) {
            crash(bed, writing);
            bed_check(bed);
        }
        if (step % 50 == 0) {
            bed_check(bed);
            MDB_txn *txn = read_begin(bed);
            scan_check(bed, run_set_list(bed->set), txn,
                       (size_t)chance_below(&bed->chance, RECORDS));
            mdb_txn_abort(txn);
        }
    }
    run_writer_close(&writing->writer);
    work_all(bed, 100);
    bed_check(bed);
    free(writing);
    bed_remove(bed);
}
END_TEST

START_TEST(a_crash_between_any_two_pieces_of_a_merge_loses_nothing)
{
    struct bed *bed = bed_make("merge");
    for (size_t i = 0; i < RUN_MERGE_FROM; i++) {
        run_make(bed, 20);
    }
    struct store_key broken = { 0 };
    size_t pieces = 0;
    /* Each time one piece further, until the merge comes to its end before the crash. */
    while (run_set_list(bed->set)->count > 1) {
        pieces++;
        for (size_t i = 0; i < pieces && run_set_has_work(bed->set); i++) {
            ck_assert_int_eq(work_step(bed, 4, &broken), STATUS_OK);
        }
        bed_close(bed);
        bed_open(bed);
        bed_check(bed);
    }
    ck_assert_uint_gt(pieces, 3);
    work_all(bed, 100);
    ck_assert_uint_eq(run_set_list(bed->set)->runs[0]->level, 1);
    /* Nothing but the one run is left in the file. */
    size_t pages = pages_used(bed);
    struct run_list *list = run_set_list(bed->set);
    MDB_txn *txn = read_begin(bed);
    MDB_stat stat = { 0 };
    ck_assert_int_eq(mdb_stat(txn, list->runs[0]->table, &stat), MDB_SUCCESS);
    mdb_txn_abort(txn);
    ck_assert_uint_eq(pages, stat.ms_branch_pages + stat.ms_leaf_pages);
    ck_assert_uint_eq(stat.ms_overflow_pages, 0);
    bed_remove(bed);
}
END_TEST

START_TEST(a_piece_puts_no_more_than_it_may)
{
    struct bed *bed = bed_make("pieces");
    for (size_t i = 0; i < RUN_MERGE_FROM; i++) {
        run_make(bed, 90);
    }
    struct store_key broken = { 0 };
    size_t blocks_before = pages_used(bed);
    for (size_t steps = 0; run_set_list(bed->set)->count > 1; steps++) {
        ck_assert_uint_lt(steps, 1000);
        ck_assert_int_eq(work_step(bed, 3, &broken), STATUS_OK);
        size_t pages = pages_used(bed);
        /* Three blocks, and the page above them now and then. */
        ck_assert_uint_le(pages, blocks_before + 5);
        blocks_before = pages;
    }
    bed_remove(bed);
}
END_TEST

/* ---- lists */

START_TEST(an_old_list_is_good_for_as_long_as_somebody_holds_it)
{
    struct bed *bed = bed_make("lists");
    for (size_t i = 0; i < RUN_MERGE_FROM; i++) {
        run_make(bed, 20);
    }
    struct run_list *old = run_list_share(run_set_list(bed->set));
    work_all(bed, 10);
    ck_assert_uint_eq(run_set_list(bed->set)->count, 1);
    /* A newer snapshot, and nothing of the old runs is gone: they wait to be emptied. */
    MDB_txn *txn = read_begin(bed);
    list_check(bed, old, txn);
    ck_assert(!run_set_has_work(bed->set));
    mdb_txn_abort(txn);
    size_t pages = pages_used(bed);
    run_list_release(&old);
    ck_assert_ptr_null(old);
    ck_assert(run_set_has_work(bed->set));
    work_all(bed, 10);
    ck_assert_uint_lt(pages_used(bed), pages);
    bed_check(bed);
    bed_remove(bed);
}
END_TEST

START_TEST(a_list_does_not_fit_a_snapshot_that_is_older)
{
    struct bed *bed = bed_make("fits");
    run_make(bed, 20);
    MDB_txn *txn = read_begin(bed);
    struct run_list *old = run_list_share(run_set_list(bed->set));
    ck_assert(run_list_fits(old, txn));
    run_make(bed, 20);
    ck_assert(!run_list_fits(run_set_list(bed->set), txn));
    mdb_txn_abort(txn);
    txn = read_begin(bed);
    ck_assert(run_list_fits(run_set_list(bed->set), txn));
    ck_assert(run_list_fits(old, txn));
    mdb_txn_abort(txn);
    run_list_release(&old);
    bed_remove(bed);
}
END_TEST

START_TEST(a_list_outlives_the_set)
{
    struct bed *bed = bed_make("outlives");
    run_make(bed, 50);
    struct run_list *list = run_list_share(run_set_list(bed->set));
    run_set_close(&bed->set);
    MDB_txn *txn = read_begin(bed);
    list_check(bed, list, txn);
    mdb_txn_abort(txn);
    run_list_release(&list);
    run_list_release(&list); /* of nothing */
    bed_remove(bed);
}
END_TEST

START_TEST(a_run_of_nothing_is_not_published)
{
    struct bed *bed = bed_make("nothing");
    run_make(bed, 0);
    ck_assert_uint_eq(run_set_list(bed->set)->count, 0);
    bed_check(bed);
    work_all(bed, 1);
    ck_assert_uint_eq(pages_used(bed), 0);
    run_make(bed, 10);
    ck_assert_uint_eq(run_set_list(bed->set)->count, 1);
    bed_remove(bed);
}
END_TEST

START_TEST(the_slots_come_to_an_end_and_a_merge_frees_some)
{
    struct bed *bed = bed_make("slots");
    for (size_t i = 0; i + 1 < LIMIT_STATE_RUNS; i++) {
        run_make(bed, 3);
    }
    struct run_writer *writer = NULL;
    ck_assert_int_eq(run_writer_open(&writer, bed->set, 10), STATUS_LIMIT);
    ck_assert_ptr_null(writer);
    bed_close(bed);
    bed_open(bed);
    ck_assert_uint_eq(run_set_list(bed->set)->count, LIMIT_STATE_RUNS - 1);
    ck_assert_int_eq(run_writer_open(&writer, bed->set, 10), STATUS_LIMIT);
    bed_check(bed);
    work_all(bed, 50);
    ck_assert_uint_lt(run_set_list(bed->set)->count, 12);
    ck_assert_int_eq(run_writer_open(&writer, bed->set, 10), STATUS_OK);
    run_writer_close(&writer);
    bed_check(bed);
    bed_remove(bed);
}
END_TEST

START_TEST(the_file_does_not_grow_while_the_same_is_merged_again_and_again)
{
    struct bed *bed = bed_make("growth");
    size_t most = 0;
    for (size_t round = 0; round < 30 * RUN_MERGE_FROM; round++) {
        run_make(bed, 100);
        work_all(bed, 512);
        size_t pages = pages_used(bed);
        most = pages > most ? pages : most;
    }
    MDB_envinfo info = { 0 };
    ck_assert_int_eq(mdb_env_info(bed->file.env, &info), MDB_SUCCESS);
    printf("runs had %zu pages at most, the file has %zu\n", most, info.me_last_pgno);
    ck_assert_uint_lt(info.me_last_pgno, 3 * most);
    bed_check(bed);
    bed_remove(bed);
}
END_TEST

/* ---- as a layer beside the tables */

/* Some records that a run has too, and some that none has. */
static void data_put(struct bed *bed)
{
    uint8_t sealed[STORE_SEALED_BYTES_MAX];
    MDB_txn *txn = write_begin(bed);
    for (size_t i = 0; i < RECORDS; i += 5) {
        struct known_value value;
        value_make((uint32_t)i, &value);
        struct span key = store_key_span(&bed->keys[i]);
        struct span record = store_record_seal(key, value.span, sealed);
        ck_assert_int_eq(store_file_put(txn, bed->file.data, key, record, 0), STATUS_OK);
        bed->has[i] = true;
    }
    write_end(txn);
}

static void layer_check(const struct bed *bed, struct layers *layers, size_t i)
{
    struct span key = { 0 };
    struct span value = { 0 };
    struct known_value expected;
    value_make((uint32_t)i, &expected);
    ck_assert_int_eq(layers_next(layers, &key, &value), STATUS_OK);
    ck_assert(span_equal(key, store_key_span(&bed->keys[i])));
    ck_assert(span_equal(value, expected.span));
}

static void layers_check(const struct bed *bed, MDB_txn *txn, size_t first)
{
    struct layers layers = { 0 };
    struct span key = { 0 };
    struct span value = { 0 };
    layers_open(bed, txn, first, &layers);
    for (size_t i = first; i < RECORDS; i++) {
        if (bed->has[i]) {
            layer_check(bed, &layers, i);
        }
    }
    ck_assert_int_eq(layers_next(&layers, &key, &value), STATUS_NOT_FOUND);
    layers_release(&layers);
}

START_TEST(runs_and_tables_are_read_as_one)
{
    struct bed *bed = bed_make("layers");
    run_make(bed, 30);
    run_make(bed, 30);
    data_put(bed);
    MDB_txn *txn = read_begin(bed);
    for (size_t first = 0; first < RECORDS; first += 333) {
        layers_check(bed, txn, first);
    }
    mdb_txn_abort(txn);
    bed_remove(bed);
}
END_TEST

/* ---- who else may open it */

START_TEST(a_file_without_runs_can_be_read)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct refusal refusal = { 0 };
    struct store_file file = { 0 };
    ck_assert_int_eq(store_file_open(&file, &options, &refusal), STATUS_OK);
    store_file_close(&file);
    ck_assert_int_eq(store_file_open_to_read(&file, &options, &refusal), STATUS_OK);
    struct run_slots slots = { 0 };
    struct run_list *list = NULL;
    MDB_txn *txn = NULL;
    ck_assert_int_eq(run_slots_open_to_read(&file, &slots), STATUS_OK);
    ck_assert_uint_eq(slots.count, 0);
    ck_assert_int_eq(store_file_read_begin(&file, &txn), STATUS_OK);
    ck_assert_int_eq(run_list_load(&file, &slots, txn, &list, &refusal), STATUS_OK);
    ck_assert_uint_eq(list->count, 0);
    ck_assert_uint_eq(run_list_records(list), 0);
    run_list_release(&list);
    mdb_txn_abort(txn);
    store_file_close(&file);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_file_can_be_read_that_is_open_for_reading_only)
{
    struct bed *bed = bed_make("reading");
    run_make(bed, 30);
    run_make(bed, 30);
    bed_close(bed);
    struct refusal refusal = { 0 };
    struct run_slots slots = { 0 };
    struct run_list *list = NULL;
    ck_assert_int_eq(store_file_open_to_read(&bed->file, &bed->options, &refusal), STATUS_OK);
    ck_assert_int_eq(run_slots_open_to_read(&bed->file, &slots), STATUS_OK);
    MDB_txn *txn = read_begin(bed);
    ck_assert_int_eq(run_list_load(&bed->file, &slots, txn, &list, &refusal), STATUS_OK);
    list_check(bed, list, txn);
    run_list_release(&list);
    mdb_txn_abort(txn);
    bed_remove(bed);
}
END_TEST

START_TEST(a_list_of_a_newer_program_is_refused)
{
    struct bed *bed = bed_make("newer");
    uint8_t format[4] = { 0, 0, 0, 2 };
    uint8_t sealed[64];
    struct span key = span_of_text("runs");
    MDB_txn *txn = write_begin(bed);
    struct span value = store_record_seal(key, span_of(format, sizeof format), sealed);
    ck_assert_int_eq(store_file_put(txn, bed->file.meta, key, value, 0), STATUS_OK);
    write_end(txn);
    struct refusal refusal = { 0 };
    ck_assert_int_eq(open_status(bed, &refusal), STATUS_REFUSED);
    bed_remove(bed);
}
END_TEST

/* ---- misuse */

static void add_twice(void *argument)
{
    struct bed *bed = argument;
    struct run_writer *writer = NULL;
    MDB_txn *txn = NULL;
    bed_open(bed);
    (void)!run_writer_open(&writer, bed->set, 10);
    (void)!store_file_write_begin(&bed->file, &txn);
    struct span key = store_key_span(&bed->keys[7]);
    (void)!run_writer_add(writer, txn, key, key);
    (void)!run_writer_add(writer, txn, key, key);
}

START_TEST(keys_that_do_not_ascend_end_the_process)
{
    struct bed *bed = bed_make("misuse");
    bed_close(bed);
    ck_assert(child_aborts(add_twice, bed));
    bed_remove(bed);
}
END_TEST

static void tests_add(TCase *tests)
{
    tcase_add_test(tests, runs_agree_with_a_model_through_merges_and_crashes);
    tcase_add_test(tests, a_crash_between_any_two_pieces_of_a_merge_loses_nothing);
    tcase_add_test(tests, a_piece_puts_no_more_than_it_may);
    tcase_add_test(tests, an_old_list_is_good_for_as_long_as_somebody_holds_it);
    tcase_add_test(tests, a_list_does_not_fit_a_snapshot_that_is_older);
    tcase_add_test(tests, a_list_outlives_the_set);
    tcase_add_test(tests, a_run_of_nothing_is_not_published);
    tcase_add_test(tests, the_slots_come_to_an_end_and_a_merge_frees_some);
    tcase_add_test(tests, the_file_does_not_grow_while_the_same_is_merged_again_and_again);
    tcase_add_test(tests, runs_and_tables_are_read_as_one);
    tcase_add_test(tests, a_file_without_runs_can_be_read);
    tcase_add_test(tests, a_file_can_be_read_that_is_open_for_reading_only);
    tcase_add_test(tests, a_list_of_a_newer_program_is_refused);
    tcase_add_test(tests, keys_that_do_not_ascend_end_the_process);
}

int main(void)
{
    Suite *suite = suite_create("run_set");
    TCase *tests = tcase_create("run_set");
    tcase_set_timeout(tests, 60);
    tests_add(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
