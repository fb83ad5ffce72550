/* link: common_store lmdb */
/* Runs that are broken: whoever reads them says so, and nothing makes them good. */
#include "tests/unit/run_set_fixture.h"

#include <sys/mman.h>

#define PAGE_BYTES 4096

/* Writes over one record of LMDB's with one bit of its value flipped; false: it has no such
 * bit. */
static bool bit_flip(struct bed *bed, MDB_dbi table, struct span key, size_t bit)
{
    uint8_t bytes[4096];
    MDB_txn *txn = write_begin(bed);
    MDB_val at = store_value_of(key);
    MDB_val value = { 0 };
    ck_assert_int_eq(mdb_get(txn, table, &at, &value), MDB_SUCCESS);
    struct span found = store_span_of(value);
    bool has_bit = bit / 8 < found.size;
    if (has_bit) {
        memcpy(bytes, found.data, found.size);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        ck_assert_int_eq(store_file_put(txn, table, key, span_of(bytes, found.size), 0), STATUS_OK);
    }
    write_end(txn);
    return has_bit;
}

START_TEST(a_flipped_bit_of_the_list_is_refused_at_open)
{
    struct bed *bed = bed_make("list bits");
    run_make(bed, 20);
    run_make(bed, 20);
    MDB_dbi meta = bed->file.meta;
    for (size_t bit = 0; bit_flip(bed, meta, span_of_text("runs"), bit); bit += 29) {
        struct refusal refusal = { 0 };
        ck_assert_int_eq(open_status(bed, &refusal), STATUS_CORRUPT);
        ck_assert_ptr_nonnull(strstr(refusal.message, "the list of runs is broken"));
        ck_assert(bit_flip(bed, meta, span_of_text("runs"), bit));
    }
    bed_close(bed);
    bed_open(bed);
    bed_check(bed);
    bed_remove(bed);
}
END_TEST

START_TEST(a_flipped_bit_of_a_filter_is_refused_at_open)
{
    struct bed *bed = bed_make("filter bits");
    run_make(bed, 30);
    run_make(bed, 100);
    MDB_dbi table = run_set_list(bed->set)->runs[0]->table;
    char name[64] = "";
    (void)snprintf(name, sizeof name, "the filter of runs.%u is broken at piece 1",
                   (unsigned)run_set_list(bed->set)->runs[0]->slot);
    const uint8_t piece[] = { RUN_FILTER_TABLE, 0, 0, 0, 1 };
    struct span key = span_of(piece, sizeof piece);
    for (size_t bit = 0; bit_flip(bed, table, key, bit); bit += 1201) {
        struct refusal refusal = { 0 };
        ck_assert_int_eq(open_status(bed, &refusal), STATUS_CORRUPT);
        ck_assert_str_eq(refusal.message, name);
        ck_assert(bit_flip(bed, table, key, bit));
    }
    bed_close(bed);
    bed_open(bed);
    MDB_txn *txn = write_begin(bed);
    ck_assert_int_eq(store_file_delete(txn, table, key), STATUS_OK);
    write_end(txn);
    struct refusal refusal = { 0 };
    ck_assert_int_eq(open_status(bed, &refusal), STATUS_CORRUPT);
    ck_assert_str_eq(refusal.message, name);
    bed_remove(bed);
}
END_TEST

/* The block that the record lies in, by its key. */
static struct store_key block_of(const struct bed *bed, const struct run *run, size_t record)
{
    MDB_txn *txn = read_begin(bed);
    MDB_cursor *cursor = NULL;
    ck_assert_int_eq(mdb_cursor_open(txn, run->table, &cursor), MDB_SUCCESS);
    MDB_val key = store_value_of(store_key_span(&bed->keys[record]));
    MDB_val value = { 0 };
    ck_assert_int_eq(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE), MDB_SUCCESS);
    struct store_key found = store_key_copy(store_span_of(key));
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return found;
}

static bool keys_equal(const struct store_key *a, const struct store_key *b)
{
    return span_equal(store_key_span(a), store_key_span(b));
}

static void broken_block_check(struct bed *bed, size_t record, const struct store_key *block)
{
    struct run_list *list = run_set_list(bed->set);
    struct span key = store_key_span(&bed->keys[record]);
    struct span value = { 0 };
    struct store_key broken = { 0 };
    MDB_txn *txn = read_begin(bed);
    ck_assert_int_eq(run_list_get(list, txn, store_key_hash(key), key, &value), STATUS_CORRUPT);
    ck_assert_int_eq(run_list_check(list, txn, &broken), STATUS_CORRUPT);
    ck_assert(keys_equal(&broken, block));
    struct run_cursor cursor = { 0 };
    run_cursor_open(&cursor, list->runs, list->count, txn, key);
    ck_assert_int_eq(run_cursor_next(&cursor, &key, &value), STATUS_CORRUPT);
    ck_assert(span_equal(key, store_key_span(block)));
    run_cursor_release(&cursor);
    struct layers layers = { 0 };
    layers_open(bed, txn, record, &layers);
    ck_assert_int_eq(layers_next(&layers, &key, &value), STATUS_CORRUPT);
    ck_assert(span_equal(key, store_key_span(block)));
    layers_release(&layers);
    mdb_txn_abort(txn);
}

START_TEST(a_flipped_bit_of_a_block_is_found_by_whoever_reads_it)
{
    struct bed *bed = bed_make("block bits");
    run_make(bed, 100);
    const struct run *run = run_set_list(bed->set)->runs[0];
    size_t record = (size_t)chance_below(&bed->chance, RECORDS);
    struct store_key block = block_of(bed, run, record);
    for (size_t bit = 0; bit_flip(bed, run->table, store_key_span(&block), bit); bit += 301) {
        broken_block_check(bed, record, &block);
        ck_assert(bit_flip(bed, run->table, store_key_span(&block), bit));
    }
    bed_check(bed);
    bed_remove(bed);
}
END_TEST

/* The block's key as it lies in the file. */
static uint8_t *block_key_find(MDB_txn *txn, const struct run *run, const struct store_key *block)
{
    MDB_cursor *cursor = NULL;
    ck_assert_int_eq(mdb_cursor_open(txn, run->table, &cursor), MDB_SUCCESS);
    MDB_val key = store_value_of(store_key_span(block));
    MDB_val value = { 0 };
    ck_assert_int_eq(mdb_cursor_get(cursor, &key, &value, MDB_SET_KEY), MDB_SUCCESS);
    mdb_cursor_close(cursor);
    return key.mv_data;
}

/* Where it lies, as a disk does it: LMDB would put the record where its new key belongs. */
static void byte_change(uint8_t *at, uint8_t bits)
{
    uint8_t *page = at - (uintptr_t)at % PAGE_BYTES;
    ck_assert_int_eq(mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
    *at ^= bits;
    ck_assert_int_eq(mprotect(page, PAGE_BYTES, PROT_READ), 0);
}

/* No record that is there is said not to be. */
static void nothing_is_missed(const struct bed *bed, MDB_txn *txn)
{
    const struct run_list *list = run_set_list(bed->set);
    for (size_t i = 0; i < RECORDS; i++) {
        struct span key = store_key_span(&bed->keys[i]);
        struct span value = { 0 };
        enum status status = run_list_get(list, txn, store_key_hash(key), key, &value);
        ck_assert_int_ne(status, bed->has[i] ? STATUS_NOT_FOUND : STATUS_OK);
    }
}

START_TEST(a_block_whose_key_has_rotted_is_not_passed_by)
{
    struct bed *bed = bed_make("key bits");
    run_make(bed, 60);
    const struct run *run = run_set_list(bed->set)->runs[0];
    struct store_key block = block_of(bed, run, (size_t)chance_below(&bed->chance, RECORDS / 2));
    MDB_txn *txn = read_begin(bed);
    uint8_t *key = block_key_find(txn, run, &block);
    for (size_t bit = 0; bit < 8 * block.size; bit++) {
        byte_change(key + bit / 8, (uint8_t)(1U << (bit % 8)));
        struct span value = { 0 };
        struct span last = store_key_span(&block);
        ck_assert_int_eq(
            run_list_get(run_set_list(bed->set), txn, store_key_hash(last), last, &value),
            STATUS_CORRUPT);
        nothing_is_missed(bed, txn);
        byte_change(key + bit / 8, (uint8_t)(1U << (bit % 8)));
    }
    mdb_txn_abort(txn);
    bed_check(bed);
    bed_remove(bed);
}
END_TEST

/* The merge of runs one of which is broken; `broken` is where it says so. */
static void merge_fails(struct bed *bed, struct store_key *broken)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        ck_assert(run_set_has_work(bed->set));
        status = work_step(bed, 5, broken);
    }
    ck_assert_int_eq(status, STATUS_CORRUPT);
    ck_assert_uint_eq(run_set_list(bed->set)->count, RUN_MERGE_FROM);
}

START_TEST(a_merge_makes_nothing_good_that_is_broken)
{
    struct bed *bed = bed_make("broken merge");
    for (size_t i = 0; i < RUN_MERGE_FROM; i++) {
        run_make(bed, 100);
    }
    size_t record = (size_t)chance_below(&bed->chance, RECORDS);
    struct store_key broken = { 0 };
    for (size_t i = 0; i < RUN_MERGE_FROM; i++) {
        MDB_dbi table = run_set_list(bed->set)->runs[i]->table;
        struct store_key block = block_of(bed, run_set_list(bed->set)->runs[i], record);
        ck_assert(bit_flip(bed, table, store_key_span(&block), 12));
        merge_fails(bed, &broken);
        ck_assert(keys_equal(&broken, &block));
        bed_close(bed);
        bed_open(bed);
        table = run_set_list(bed->set)->runs[i]->table;
        ck_assert(bit_flip(bed, table, store_key_span(&block), 12));
    }
    bed_close(bed);
    bed_open(bed);
    work_all(bed, 10);
    bed_check(bed);
    bed_remove(bed);
}
END_TEST

START_TEST(a_block_that_is_missing_is_seen)
{
    struct bed *bed = bed_make("missing block");
    for (size_t i = 0; i < RUN_MERGE_FROM; i++) {
        run_make(bed, 100);
    }
    const struct run *run = run_set_list(bed->set)->runs[2];
    struct store_key block = block_of(bed, run, RECORDS / 2);
    struct store_key broken = { 0 };
    MDB_txn *txn = write_begin(bed);
    ck_assert_int_eq(store_file_delete(txn, run->table, store_key_span(&block)), STATUS_OK);
    write_end(txn);
    txn = read_begin(bed);
    ck_assert_int_eq(run_list_check(run_set_list(bed->set), txn, &broken), STATUS_CORRUPT);
    mdb_txn_abort(txn);
    merge_fails(bed, &broken);
    bed_remove(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_rot");
    TCase *tests = tcase_create("run_rot");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_flipped_bit_of_the_list_is_refused_at_open);
    tcase_add_test(tests, a_flipped_bit_of_a_filter_is_refused_at_open);
    tcase_add_test(tests, a_flipped_bit_of_a_block_is_found_by_whoever_reads_it);
    tcase_add_test(tests, a_block_whose_key_has_rotted_is_not_passed_by);
    tcase_add_test(tests, a_merge_makes_nothing_good_that_is_broken);
    tcase_add_test(tests, a_block_that_is_missing_is_seen);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
