/*
 * What the tests of runs share: a file with a set of runs, and a model of the records in them:
 * which there are, of all that there may be. What a record holds follows from its number.
 */
#ifndef KITH_TESTS_UNIT_RUN_SET_FIXTURE_H
#define KITH_TESTS_UNIT_RUN_SET_FIXTURE_H

#include "common/store/run_set.h"
#include "common/store/store_layer.h"
#include "tests/unit/store_fixture.h"

/* The records that there may be, in the order of their keys: the model is which there are. */
#define RECORDS 1500

struct known_value {
    uint8_t bytes[LIMIT_STATE_VALUE_BYTES];
    struct span span;
};

struct bed {
    struct folder folder;
    struct store_options options;
    struct store_file file;
    struct run_set *set;
    struct chance chance;
    struct store_key keys[RECORDS];
    bool has[RECORDS];
};

/* ---- records that are known */

static inline int key_compare(const void *left, const void *right)
{
    const struct store_key *a = left;
    const struct store_key *b = right;
    return span_compare(store_key_span(a), store_key_span(b));
}

/* Three tables, one filled densely; some keys are the beginnings of others, some are as long
 * as a key may be. */
static inline void keys_draw(struct bed *bed)
{
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint8_t bytes[LIMIT_STATE_KEY_BYTES] = { 0 };
        uint64_t drawn = chance_next(&bed->chance);
        be64_put(bytes, i % 3 == 0 ? drawn : i);
        be32_put(bytes + 8, i);
        size_t size = drawn % 50 == 0 ? sizeof bytes : 12 + drawn % 8;
        bed->keys[i] = store_key_of(fixture_tables[i % TABLE_COUNT].id, span_of(bytes, size));
    }
    qsort(bed->keys, RECORDS, sizeof bed->keys[0], key_compare);
}

static inline void value_make(uint32_t record, struct known_value *value)
{
    struct chance chance = { record };
    size_t size = (size_t)chance_below(&chance, 40);
    if (record % 100 == 0) {
        size = LIMIT_STATE_VALUE_BYTES - record % 3;
    }
    for (size_t i = 0; i < size; i++) {
        value->bytes[i] = (uint8_t)chance_next(&chance);
    }
    value->span = span_of(value->bytes, size);
}

/* ---- a file */

static inline void bed_open(struct bed *bed)
{
    struct refusal refusal = { 0 };
    ck_assert_int_eq(store_file_open(&bed->file, &bed->options, &refusal), STATUS_OK);
    enum status status = run_set_open(&bed->set, &bed->file, &refusal);
    ck_assert_msg(status == STATUS_OK, "run_set_open: %s", refusal.message);
}

static inline void bed_close(struct bed *bed)
{
    run_set_close(&bed->set);
    store_file_close(&bed->file);
}

static inline struct bed *bed_make(const char *test)
{
    struct bed *bed = memory_allocate(sizeof *bed);
    bed->folder = folder_make();
    bed->options = options_of(&bed->folder);
    bed->chance = chance_draw(test);
    keys_draw(bed);
    bed_open(bed);
    return bed;
}

static inline void bed_remove(struct bed *bed)
{
    bed_close(bed);
    folder_remove(&bed->folder);
    free(bed);
}

static inline MDB_txn *write_begin(const struct bed *bed)
{
    MDB_txn *txn = NULL;
    ck_assert_int_eq(store_file_write_begin(&bed->file, &txn), STATUS_OK);
    return txn;
}

static inline void write_end(MDB_txn *txn)
{
    ck_assert_int_eq(store_file_write_end(&txn, STATUS_OK), STATUS_OK);
}

static inline MDB_txn *read_begin(const struct bed *bed)
{
    MDB_txn *txn = NULL;
    ck_assert_int_eq(store_file_read_begin(&bed->file, &txn), STATUS_OK);
    return txn;
}

/* ---- the model's questions */

static inline void get_check(const struct bed *bed, const struct run_list *list, MDB_txn *txn,
                             size_t i)
{
    struct span key = store_key_span(&bed->keys[i]);
    struct span found = { 0 };
    uint64_t hash = store_key_hash(key);
    run_list_prefetch(list, hash);
    enum status status = run_list_get(list, txn, hash, key, &found);
    ck_assert_int_eq(status, bed->has[i] ? STATUS_OK : STATUS_NOT_FOUND);
    if (bed->has[i]) {
        struct known_value expected;
        value_make((uint32_t)i, &expected);
        ck_assert(span_equal(found, expected.span));
    }
}

static inline void next_check(struct run_cursor *cursor, const struct store_key *expected_key,
                              size_t i)
{
    struct span key = { 0 };
    struct span value = { 0 };
    struct known_value expected;
    value_make((uint32_t)i, &expected);
    ck_assert_int_eq(run_cursor_next(cursor, &key, &value), STATUS_OK);
    ck_assert(span_equal(key, store_key_span(expected_key)));
    ck_assert(span_equal(value, expected.span));
}

/* Every record from `first` on, in order. */
static inline void scan_check(const struct bed *bed, const struct run_list *list, MDB_txn *txn,
                              size_t first)
{
    struct run_cursor cursor = { 0 };
    struct span key = { 0 };
    struct span value = { 0 };
    run_cursor_open(&cursor, list->runs, list->count, txn, store_key_span(&bed->keys[first]));
    for (size_t i = first; i < RECORDS; i++) {
        if (bed->has[i]) {
            next_check(&cursor, &bed->keys[i], i);
        }
    }
    ck_assert_int_eq(run_cursor_next(&cursor, &key, &value), STATUS_NOT_FOUND);
    run_cursor_release(&cursor);
}

static inline void list_check(const struct bed *bed, const struct run_list *list, MDB_txn *txn)
{
    struct store_key broken = { 0 };
    ck_assert(run_list_fits(list, txn));
    for (size_t i = 0; i < RECORDS; i++) {
        get_check(bed, list, txn, i);
    }
    scan_check(bed, list, txn, 0);
    ck_assert_int_eq(run_list_check(list, txn, &broken), STATUS_OK);
}

static inline void bed_check(const struct bed *bed)
{
    MDB_txn *txn = read_begin(bed);
    list_check(bed, run_set_list(bed->set), txn);
    mdb_txn_abort(txn);
}

/* ---- what is done to it */

static inline void record_add(const struct bed *bed, struct run_writer *writer, MDB_txn *txn,
                              size_t i)
{
    struct known_value value;
    value_make((uint32_t)i, &value);
    ck_assert_int_eq(run_writer_add(writer, txn, store_key_span(&bed->keys[i]), value.span),
                     STATUS_OK);
}

/* The run of a drawn share of the records, in one transaction. */
static inline void run_make(struct bed *bed, uint64_t share)
{
    struct run_writer *writer = NULL;
    ck_assert_int_eq(run_writer_open(&writer, bed->set, RECORDS), STATUS_OK);
    MDB_txn *txn = write_begin(bed);
    for (size_t i = 0; i < RECORDS; i++) {
        if (chance_below(&bed->chance, 100) < share) {
            record_add(bed, writer, txn, i);
            bed->has[i] = true;
        }
    }
    bool is_finished = false;
    ck_assert_int_eq(run_writer_finish(writer, txn, SIZE_MAX, &is_finished), STATUS_OK);
    ck_assert(is_finished);
    ck_assert_int_eq(run_set_publish(bed->set, txn, &writer), STATUS_OK);
    ck_assert_ptr_null(writer);
    write_end(txn);
}

static inline enum status work_step(struct bed *bed, size_t puts, struct store_key *broken)
{
    MDB_txn *txn = write_begin(bed);
    return store_file_write_end(&txn, run_set_work(bed->set, txn, puts, broken));
}

static inline void work_all(struct bed *bed, size_t puts)
{
    struct store_key broken = { 0 };
    while (run_set_has_work(bed->set)) {
        ck_assert_int_eq(work_step(bed, puts, &broken), STATUS_OK);
    }
}

static inline size_t pages_used(const struct bed *bed)
{
    struct run_slots slots = { 0 };
    size_t pages = 0;
    ck_assert_int_eq(run_slots_open_to_read(&bed->file, &slots), STATUS_OK);
    ck_assert_uint_eq(slots.count, LIMIT_STATE_RUNS);
    MDB_txn *txn = read_begin(bed);
    ck_assert_int_eq(run_slots_pages(&slots, txn, &pages), STATUS_OK);
    mdb_txn_abort(txn);
    return pages;
}

/* ---- reading it otherwise */

/* The tables and the runs as one, from a record on. */
static inline void layers_open(const struct bed *bed, MDB_txn *txn, size_t first,
                               struct layers *layers)
{
    struct span from = store_key_span(&bed->keys[first]);
    *layers = (struct layers){ 0 };
    struct layer_range range = { .from = from };
    layers_add_table(layers, LAYER_DATA, txn, bed->file.data, &range);
    layers_add_runs(layers, run_set_list(bed->set), txn, from);
}

/* What opening it again says. */
static inline enum status open_status(struct bed *bed, struct refusal *refusal)
{
    bed_close(bed);
    ck_assert_int_eq(store_file_open(&bed->file, &bed->options, refusal), STATUS_OK);
    enum status status = run_set_open(&bed->set, &bed->file, refusal);
    ck_assert((status == STATUS_OK) == (bed->set != NULL));
    return status;
}

#endif
