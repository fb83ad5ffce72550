/* link: common_base */
#include "common/base/view.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct record {
    uint8_t table;
    const char *key;
    const char *value;
};

/* Two tables whose keys interleave, as neighbours that a walk must not wander into. */
static const struct record records[] = {
    { 1, "a", "1" },  { 1, "ab", "2" }, { 1, "ab1", "3" }, { 1, "ab2", "4" },
    { 1, "ac", "5" }, { 2, "ab", "6" }, { 2, "ab3", "7" },
};
#define RECORD_COUNT (sizeof records / sizeof records[0])

static bool table_get(void *context, uint8_t table, struct span key, struct span *value)
{
    unsigned *calls = context;
    (*calls)++;
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        if (records[i].table == table && span_equal(span_of_text(records[i].key), key)) {
            *value = span_of_text(records[i].value);
            return true;
        }
    }
    return false;
}

static void table_scan(void *context, const struct view_range *range, view_visit visit,
                       void *argument)
{
    unsigned *calls = context;
    (*calls)++;
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        struct span key = span_of_text(records[i].key);
        if (records[i].table != range->table || span_compare(key, range->from) < 0) {
            continue;
        }
        if (!visit(argument, key, span_of_text(records[i].value))) {
            return;
        }
    }
}

struct seen {
    char values[16];
    size_t count;
    size_t most;
};

static bool value_note(void *argument, struct span key, struct span value)
{
    struct seen *seen = argument;
    ck_assert_uint_gt(key.size, 0);
    seen->values[seen->count++] = (char)value.data[0];
    return seen->count < seen->most;
}

static struct view view_of(unsigned *calls)
{
    return (struct view){ .context = calls, .get = table_get, .scan = table_scan };
}

START_TEST(a_get_asks_the_store_once)
{
    unsigned calls = 0;
    struct view view = view_of(&calls);
    struct span value = span_of(NULL, 0);
    ck_assert(view_get(&view, 1, span_of_text("ab"), &value));
    ck_assert(span_equal(value, span_of_text("2")));
    ck_assert(view_get(&view, 2, span_of_text("ab"), &value));
    ck_assert(span_equal(value, span_of_text("6")));
    ck_assert(!view_get(&view, 1, span_of_text("b"), &value));
    ck_assert_uint_eq(calls, 3);
}
END_TEST

START_TEST(a_scan_goes_on_past_its_first_key)
{
    unsigned calls = 0;
    struct view view = view_of(&calls);
    struct seen seen = { .most = 10 };
    view_scan(&view, 1, span_of_text("ab1"), value_note, &seen);
    ck_assert_str_eq(seen.values, "345");
}
END_TEST

START_TEST(a_walk_ends_where_the_prefix_does)
{
    unsigned calls = 0;
    struct view view = view_of(&calls);
    struct seen seen = { .most = 10 };
    view_walk(&view, 1, span_of_text("ab"), value_note, &seen);
    ck_assert_str_eq(seen.values, "234");
    ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(a_walk_without_a_match_visits_nothing)
{
    unsigned calls = 0;
    struct view view = view_of(&calls);
    struct seen seen = { .most = 10 };
    view_walk(&view, 1, span_of_text("aa"), value_note, &seen);
    view_walk(&view, 1, span_of_text("z"), value_note, &seen);
    view_walk(&view, 3, span_of_text("ab"), value_note, &seen);
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

START_TEST(a_walk_with_an_empty_prefix_sees_the_table_and_no_other)
{
    unsigned calls = 0;
    struct view view = view_of(&calls);
    struct seen seen = { .most = 10 };
    view_walk(&view, 2, span_of(NULL, 0), value_note, &seen);
    ck_assert_str_eq(seen.values, "67");
}
END_TEST

START_TEST(a_visit_that_has_seen_enough_ends_the_walk)
{
    unsigned calls = 0;
    struct view view = view_of(&calls);
    struct seen seen = { .most = 2 };
    view_walk(&view, 1, span_of_text("a"), value_note, &seen);
    ck_assert_str_eq(seen.values, "12");
}
END_TEST

struct written {
    unsigned puts;
    unsigned deletes;
    uint8_t table;
    struct span key;
    struct span value;
};

static void written_put(void *context, uint8_t table, struct span key, struct span value)
{
    struct written *written = context;
    written->puts++;
    written->table = table;
    written->key = key;
    written->value = value;
}

static void written_delete(void *context, uint8_t table, struct span key)
{
    struct written *written = context;
    written->deletes++;
    written->table = table;
    written->key = key;
}

START_TEST(puts_and_deletes_reach_the_store_as_they_are)
{
    struct written written = { 0 };
    struct change change = { .context = &written, .put = written_put, .delete = written_delete };
    change_put(&change, 7, span_of_text("k"), span_of_text("v"));
    ck_assert_uint_eq(written.puts, 1);
    ck_assert_uint_eq(written.table, 7);
    ck_assert(span_equal(written.key, span_of_text("k")));
    ck_assert(span_equal(written.value, span_of_text("v")));
    change_delete(&change, 8, span_of_text("l"));
    ck_assert_uint_eq(written.puts, 1);
    ck_assert_uint_eq(written.deletes, 1);
    ck_assert_uint_eq(written.table, 8);
    ck_assert(span_equal(written.key, span_of_text("l")));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("view");
    tcase_add_test(tests, a_get_asks_the_store_once);
    tcase_add_test(tests, a_scan_goes_on_past_its_first_key);
    tcase_add_test(tests, a_walk_ends_where_the_prefix_does);
    tcase_add_test(tests, a_walk_without_a_match_visits_nothing);
    tcase_add_test(tests, a_walk_with_an_empty_prefix_sees_the_table_and_no_other);
    tcase_add_test(tests, a_visit_that_has_seen_enough_ends_the_walk);
    tcase_add_test(tests, puts_and_deletes_reach_the_store_as_they_are);
    Suite *suite = suite_create("view");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
