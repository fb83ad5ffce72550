/* link: common_store */
#include "common/store/memtable.h"
#include "common/store/store_record.h"
#include "tests/unit/store_fixture.h"

static struct store_key key_of(uint64_t number)
{
    uint8_t bytes[8];
    be64_put(bytes, number);
    return store_key_of(TABLE_LOW, span_of(bytes, sizeof bytes));
}

static void number_put(struct memtable *memtable, uint64_t number, struct span value)
{
    struct store_key key = key_of(number);
    memtable_put(memtable, store_key_span(&key), value);
}

static const struct memtable_entry *number_find(const struct memtable *memtable, uint64_t number)
{
    struct store_key key = key_of(number);
    struct span whole = store_key_span(&key);
    return memtable_find(memtable, whole, store_key_hash(whole));
}

static const struct memtable_entry *first_of(struct memtable *memtable, uint8_t table)
{
    return memtable_lower_bound(memtable, span_of(&table, 1));
}

START_TEST(an_empty_table_has_nothing)
{
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    ck_assert_ptr_null(number_find(memtable, 1));
    ck_assert_ptr_null(first_of(memtable, TABLE_LOW));
    ck_assert_uint_eq(memtable_count(memtable), 0);
    memtable_close(&memtable);
    ck_assert_ptr_null(memtable);
    memtable_close(&memtable);
}
END_TEST

START_TEST(the_newest_value_of_a_key_is_found)
{
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    number_put(memtable, 1, span_of_text("first"));
    number_put(memtable, 1, span_of_text("a much longer one"));
    number_put(memtable, 1, span_of_text("last"));
    ck_assert(span_equal(memtable_entry_value(number_find(memtable, 1)), span_of_text("last")));
    ck_assert_uint_eq(memtable_count(memtable), 1);
    ck_assert_ptr_null(number_find(memtable, 0));
    ck_assert_ptr_null(number_find(memtable, 2));
    memtable_close(&memtable);
}
END_TEST

START_TEST(a_deleted_key_stays_as_a_tombstone_until_it_is_put_again)
{
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    struct store_key key = key_of(1);
    memtable_delete(memtable, store_key_span(&key));
    ck_assert(memtable_entry_is_tombstone(number_find(memtable, 1)));
    number_put(memtable, 1, span_of_text("again"));
    ck_assert(!memtable_entry_is_tombstone(number_find(memtable, 1)));
    memtable_delete(memtable, store_key_span(&key));
    const struct memtable_entry *entry = number_find(memtable, 1);
    ck_assert(memtable_entry_is_tombstone(entry));
    ck_assert_uint_eq(memtable_entry_value(entry).size, 0);
    ck_assert_uint_eq(memtable_count(memtable), 1);
    memtable_close(&memtable);
}
END_TEST

START_TEST(a_value_may_be_put_from_the_table_itself)
{
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    number_put(memtable, 1, span_of_text("points of this very table"));
    number_put(memtable, 1, memtable_entry_value(number_find(memtable, 1)));
    struct span whole = memtable_entry_value(number_find(memtable, 1));
    number_put(memtable, 1, span_of(whole.data + 10, whole.size - 10));
    ck_assert(span_equal(memtable_entry_value(number_find(memtable, 1)),
                         span_of_text("this very table")));
    /* Many more keys, so that the way to the entries is rebuilt while the value is read. */
    for (uint64_t i = 2; i < 500; i++) {
        number_put(memtable, i, memtable_entry_value(number_find(memtable, i - 1)));
    }
    ck_assert(span_equal(memtable_entry_value(number_find(memtable, 499)),
                         span_of_text("this very table")));
    memtable_close(&memtable);
}
END_TEST

START_TEST(keys_with_zeroes_at_their_ends_stay_apart_and_in_order)
{
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    static const uint8_t zeroes[12] = { 0 };
    for (size_t i = sizeof zeroes; i > 0; i--) {
        memtable_put(memtable, span_of(zeroes, i), span_of(zeroes, i));
    }
    ck_assert_uint_eq(memtable_count(memtable), sizeof zeroes);
    const struct memtable_entry *entry = first_of(memtable, zeroes[0]);
    for (size_t i = 1; i <= sizeof zeroes; i++) {
        ck_assert_ptr_nonnull(entry);
        ck_assert_uint_eq(memtable_entry_key(entry).size, i);
        ck_assert_uint_eq(memtable_entry_value(entry).size, i);
        entry = memtable_next(entry);
    }
    ck_assert_ptr_null(entry);
    memtable_close(&memtable);
}
END_TEST

/* The even numbers of 0 to 2 * ORDERED; 7919 and ORDERED have no common factor: each number
 * once, in no order. */
#define ORDERED 5000

static void evens_put(struct memtable *memtable, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        uint64_t number = i * 7919 % ORDERED;
        number_put(memtable, 2 * number, span_of(&number, sizeof number));
    }
}

static void evens_check(struct memtable *memtable)
{
    const struct memtable_entry *entry = first_of(memtable, TABLE_LOW);
    for (uint64_t i = 0; i < ORDERED; i++) {
        ck_assert_ptr_nonnull(entry);
        struct store_key key = key_of(2 * i);
        ck_assert(span_equal(memtable_entry_key(entry), store_key_span(&key)));
        ck_assert_ptr_eq(number_find(memtable, 2 * i), entry);
        ck_assert_ptr_null(number_find(memtable, 2 * i + 1));
        entry = memtable_next(entry);
        struct store_key between = key_of(2 * i + 1);
        ck_assert_ptr_eq(memtable_lower_bound(memtable, store_key_span(&between)), entry);
    }
    ck_assert_ptr_null(entry);
}

START_TEST(entries_come_in_the_order_of_their_keys)
{
    /* Whenever the first scan was: before all puts, between them, after them. */
    static const uint64_t scanned_at[] = { 0, 1, 2500, ORDERED };
    for (size_t i = 0; i < sizeof scanned_at / sizeof scanned_at[0]; i++) {
        struct memtable *memtable = NULL;
        memtable_open(&memtable, 0);
        evens_put(memtable, 0, scanned_at[i]);
        (void)first_of(memtable, TABLE_LOW);
        evens_put(memtable, scanned_at[i], ORDERED);
        ck_assert_uint_eq(memtable_count(memtable), ORDERED);
        evens_check(memtable);
        memtable_close(&memtable);
    }
}
END_TEST

START_TEST(ascending_and_descending_keys_come_in_order)
{
    for (int is_descending = 0; is_descending < 2; is_descending++) {
        struct memtable *memtable = NULL;
        memtable_open(&memtable, 0);
        (void)first_of(memtable, TABLE_LOW);
        for (uint64_t i = 0; i < ORDERED; i++) {
            uint64_t number = is_descending != 0 ? ORDERED - 1 - i : i;
            number_put(memtable, 2 * number, span_of(&number, sizeof number));
        }
        evens_check(memtable);
        memtable_close(&memtable);
    }
}
END_TEST

START_TEST(a_scan_stays_within_its_table)
{
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    const uint8_t keys[][2] = { { TABLE_LOW, 7 }, { TABLE_LOW + 1, 3 }, { TABLE_LOW, 9 } };
    for (size_t i = 0; i < 3; i++) {
        memtable_put(memtable, span_of(keys[i], 2), (struct span){ 0 });
    }
    const struct memtable_entry *entry = first_of(memtable, TABLE_LOW);
    ck_assert(span_equal(memtable_entry_key(entry), span_of(keys[0], 2)));
    entry = memtable_next(entry);
    ck_assert(span_equal(memtable_entry_key(entry), span_of(keys[2], 2)));
    ck_assert_ptr_null(memtable_next(entry));
    ck_assert_ptr_null(first_of(memtable, TABLE_LOW + 2));
    memtable_close(&memtable);
}
END_TEST

static void entry_check(const struct memtable_entry *entry, const struct model_record *record)
{
    ck_assert_ptr_nonnull(entry);
    struct store_key key = store_key_of(record->table, model_key(record));
    struct model_value value;
    model_value_make(record, &value);
    ck_assert(span_equal(memtable_entry_key(entry), store_key_span(&key)));
    ck_assert(span_equal(memtable_entry_value(entry), value.span));
}

START_TEST(it_holds_what_a_sorted_array_holds)
{
    struct chance chance = chance_draw("memtable");
    struct model *model = memory_allocate(sizeof *model);
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    for (size_t i = 0; i < 5000; i++) {
        struct model_record record = record_draw(&chance);
        struct model_value value;
        model_value_make(&record, &value);
        struct store_key key = store_key_of(record.table, model_key(&record));
        memtable_put(memtable, store_key_span(&key), value.span);
        model_put(model, &record);
    }
    ck_assert_uint_eq(memtable_count(memtable), model->count);
    const struct memtable_entry **entries = memtable_sort(memtable, NULL);
    for (size_t i = 0; i < model->count; i++) {
        entry_check(entries[i], &model->records[i]);
    }
    free(entries);
    memtable_close(&memtable);
    free(model);
}
END_TEST

START_TEST(clustered_tables_are_sorted_as_one_by_their_subjects)
{
    static const bool clustered[256] = { [TABLE_LOW] = true, [TABLE_HIGH] = true };
    static const struct {
        uint8_t table;
        const char *key;
    } expected[] = {
        { TABLE_LOW, "subject number 1" },    { TABLE_LOW, "subject number 1b" },
        { TABLE_HIGH, "subject number 1" },   { TABLE_HIGH, "subject number 1a" },
        { TABLE_HIGH, "subject number 2" },   { TABLE_LOW, "subject number 3" },
        { TABLE_MIDDLE, "subject number 0" },
    };
    size_t count = sizeof expected / sizeof expected[0];
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    for (size_t i = 0; i < count; i++) {
        size_t at = i * 3 % count; /* in another order */
        struct store_key key = store_key_of(expected[at].table, span_of_text(expected[at].key));
        memtable_put(memtable, store_key_span(&key), (struct span){ 0 });
    }
    const struct memtable_entry **entries = memtable_sort(memtable, clustered);
    for (size_t i = 0; i < count; i++) {
        struct store_key key = store_key_of(expected[i].table, span_of_text(expected[i].key));
        ck_assert(span_equal(memtable_entry_key(entries[i]), store_key_span(&key)));
    }
    free(entries);
    memtable_close(&memtable);
}
END_TEST

/* The oracle: filed keys, compared whole. */
static struct store_key filed_of(const struct memtable_entry *entry, const bool *clustered)
{
    struct span key = memtable_entry_key(entry);
    return clustered[key.data[0]] ? store_key_cluster(key) : store_key_copy(key);
}

static void order_check(const struct memtable *memtable, const bool *clustered)
{
    const struct memtable_entry **entries = memtable_sort(memtable, clustered);
    for (size_t i = 1; i < memtable_count(memtable); i++) {
        struct store_key before = filed_of(entries[i - 1], clustered);
        struct store_key after = filed_of(entries[i], clustered);
        ck_assert_int_lt(span_compare(store_key_span(&before), store_key_span(&after)), 0);
    }
    free(entries);
}

/* Of one table or two clustered ones: `varied` of the key's bytes, from `first` on, are any, the
 * others are all the same. */
static void keys_sort(struct chance *chance, size_t first, size_t varied, size_t count)
{
    static const bool clustered[256] = { [TABLE_LOW] = true, [TABLE_HIGH] = true };
    static const uint8_t tables[] = { TABLE_LOW, TABLE_MIDDLE, TABLE_HIGH };
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[LIMIT_STATE_KEY_BYTES] = { 0 };
        for (size_t j = first; j < first + varied; j++) {
            bytes[j] = (uint8_t)chance_next(chance);
        }
        uint8_t table = tables[chance_below(chance, sizeof tables)];
        size_t least = clustered[table] ? LIMIT_STATE_SUBJECT_BYTES : 0;
        size_t size = least + (size_t)chance_below(chance, LIMIT_STATE_KEY_BYTES - least + 1);
        struct store_key key = store_key_of(table, span_of(bytes, size));
        memtable_put(memtable, store_key_span(&key), (struct span){ 0 });
    }
    order_check(memtable, clustered);
    memtable_close(&memtable);
}

START_TEST(wherever_keys_differ_they_are_sorted)
{
    struct chance chance = chance_draw("memtable sort");
    for (size_t first = 0; first < 40; first++) {
        for (size_t varied = 0; varied <= 8; varied += 4) {
            keys_sort(&chance, first, varied, (size_t)chance_below(&chance, 400));
        }
    }
}
END_TEST

START_TEST(keys_that_lie_close_and_one_far_off_are_sorted)
{
    static const bool clustered[256] = { [TABLE_MIDDLE] = true };
    const uint64_t far[] = { 0, ORDERED + 7, UINT64_MAX };
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        struct memtable *memtable = NULL;
        memtable_open(&memtable, 0);
        for (uint64_t j = 0; j < ORDERED; j++) {
            number_put(memtable, 1 + j * 7919 % ORDERED, (struct span){ 0 });
        }
        number_put(memtable, far[i], (struct span){ 0 });
        ck_assert_uint_eq(memtable_count(memtable), ORDERED + 1);
        order_check(memtable, clustered);
        memtable_close(&memtable);
    }
}
END_TEST

START_TEST(the_same_puts_take_the_same_memory)
{
    size_t bytes[2] = { 0 };
    for (size_t round = 0; round < 2; round++) {
        struct memtable *memtable = NULL;
        memtable_open(&memtable, 0);
        for (uint64_t i = 0; i < 3000; i++) {
            number_put(memtable, i * 7919 % 1000, span_of_text("value"));
        }
        bytes[round] = memtable_bytes(memtable);
        memtable_close(&memtable);
    }
    ck_assert_uint_eq(bytes[0], bytes[1]);
}
END_TEST

START_TEST(memory_counts_what_is_put_and_not_how_often)
{
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    uint8_t value[1000] = { 0 };
    for (uint64_t i = 0; i < 100; i++) {
        number_put(memtable, i, span_of(value, sizeof value));
    }
    size_t bytes = memtable_bytes(memtable);
    ck_assert_uint_ge(bytes, 100 * sizeof value);
    ck_assert_uint_le(bytes, 120 * sizeof value);
    for (uint64_t i = 0; i < 10000; i++) {
        number_put(memtable, i % 100, span_of(value, sizeof value - i % 1000));
    }
    ck_assert_uint_eq(memtable_bytes(memtable), bytes);
    memtable_close(&memtable);
}
END_TEST

START_TEST(a_value_that_grows_byte_by_byte_costs_a_few_times_its_size)
{
    struct memtable *memtable = NULL;
    memtable_open(&memtable, 0);
    uint8_t value[LIMIT_STATE_VALUE_BYTES] = { 0 };
    number_put(memtable, 1, (struct span){ 0 });
    size_t empty = memtable_bytes(memtable);
    for (size_t size = 1; size <= sizeof value; size++) {
        value[size - 1] = (uint8_t)size;
        number_put(memtable, 1, span_of(value, size));
    }
    ck_assert(
        span_equal(memtable_entry_value(number_find(memtable, 1)), span_of(value, sizeof value)));
    ck_assert_uint_le(memtable_bytes(memtable) - empty, 5 * sizeof value);
    memtable_close(&memtable);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memtable");
    TCase *tcase = tcase_create("memtable");
    tcase_add_test(tcase, an_empty_table_has_nothing);
    tcase_add_test(tcase, the_newest_value_of_a_key_is_found);
    tcase_add_test(tcase, a_deleted_key_stays_as_a_tombstone_until_it_is_put_again);
    tcase_add_test(tcase, a_value_may_be_put_from_the_table_itself);
    tcase_add_test(tcase, keys_with_zeroes_at_their_ends_stay_apart_and_in_order);
    tcase_add_test(tcase, entries_come_in_the_order_of_their_keys);
    tcase_add_test(tcase, ascending_and_descending_keys_come_in_order);
    tcase_add_test(tcase, a_scan_stays_within_its_table);
    tcase_add_test(tcase, it_holds_what_a_sorted_array_holds);
    tcase_add_test(tcase, clustered_tables_are_sorted_as_one_by_their_subjects);
    tcase_add_test(tcase, wherever_keys_differ_they_are_sorted);
    tcase_add_test(tcase, keys_that_lie_close_and_one_far_off_are_sorted);
    tcase_add_test(tcase, the_same_puts_take_the_same_memory);
    tcase_add_test(tcase, memory_counts_what_is_put_and_not_how_often);
    tcase_add_test(tcase, a_value_that_grows_byte_by_byte_costs_a_few_times_its_size);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
