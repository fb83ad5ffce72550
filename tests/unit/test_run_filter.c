/* link: common_store */
#include "common/store/run_filter.h"
#include "common/store/store_record.h"
#include "tests/unit/store_fixture.h"

#define KEYS 50000

struct test_key {
    uint8_t bytes[17];
};

static struct test_key key_of(uint64_t number)
{
    struct test_key key = { { TABLE_LOW } };
    struct chance chance = { number };
    be64_put(key.bytes + 1, chance_next(&chance));
    be64_put(key.bytes + 9, chance_next(&chance));
    return key;
}

static uint64_t hash_of(uint64_t number)
{
    struct test_key key = key_of(number);
    return store_key_hash(span_of(key.bytes, sizeof key.bytes));
}

START_TEST(a_key_that_was_added_is_never_denied)
{
    for (uint64_t keys = 1; keys <= 4097; keys = keys * 2 + 1) {
        struct run_filter filter = { 0 };
        run_filter_init(&filter, run_filter_lines(keys));
        for (uint64_t i = 0; i < keys; i++) {
            run_filter_add(&filter, hash_of(i));
        }
        for (uint64_t i = 0; i < keys; i++) {
            ck_assert(run_filter_may_hold(&filter, hash_of(i)));
        }
        run_filter_release(&filter);
    }
}
END_TEST

START_TEST(fewer_than_two_new_keys_in_a_hundred_are_not_denied)
{
    struct chance chance = chance_draw("false positives");
    uint64_t first = chance_next(&chance) >> 1;
    struct run_filter filter = { 0 };
    run_filter_init(&filter, run_filter_lines(KEYS));
    for (uint64_t i = 0; i < KEYS; i++) {
        run_filter_add(&filter, hash_of(first + i));
    }
    size_t wrong = 0;
    for (uint64_t i = KEYS; i < 5 * (uint64_t)KEYS; i++) {
        wrong += run_filter_may_hold(&filter, hash_of(first + i)) ? 1 : 0;
    }
    printf("%zu of %d new keys were not denied\n", wrong, 4 * KEYS);
    ck_assert_uint_lt(wrong, 4 * KEYS / 50);
    /* What run_filter.h promises, with room for chance: one in 1,000. */
    ck_assert_uint_lt(wrong, 4 * KEYS / 500);
    run_filter_release(&filter);
}
END_TEST

START_TEST(an_empty_filter_denies_all)
{
    struct run_filter filter = { 0 };
    run_filter_init(&filter, run_filter_lines(0));
    for (uint64_t i = 0; i < 1000; i++) {
        ck_assert(!run_filter_may_hold(&filter, hash_of(i)));
    }
    run_filter_release(&filter);
    ck_assert_ptr_null(filter.memory);
    run_filter_release(&filter);
}
END_TEST

START_TEST(its_size_is_two_bytes_a_key_in_whole_lines)
{
    ck_assert_uint_eq(run_filter_lines(0), 1);
    ck_assert_uint_eq(run_filter_lines(1), 1);
    ck_assert_uint_eq(run_filter_lines(32), 1);
    ck_assert_uint_eq(run_filter_lines(33), 2);
    ck_assert_uint_eq(run_filter_lines(50000000), 1562500);
    ck_assert_uint_eq(run_filter_lines(50000001), 1562501);
}
END_TEST

START_TEST(lines_begin_where_lines_of_the_cache_do)
{
    /* Up to a few that are large enough to be laid on the borders of large pages. */
    for (uint32_t lines = 1; lines < 100000; lines = lines * 2 + lines % 3) {
        struct run_filter filter = { 0 };
        run_filter_init(&filter, lines);
        ck_assert_uint_eq((uintptr_t)filter.words % RUN_FILTER_LINE_BYTES, 0);
        /* The greatest hash is in the last line, the least in the first. */
        ck_assert_ptr_eq(run_filter_line(&filter, 0), filter.words);
        ck_assert_ptr_eq(run_filter_line(&filter, UINT64_MAX),
                         filter.words + (size_t)(lines - 1) * RUN_FILTER_LINE_WORDS);
        run_filter_add(&filter, 0);
        run_filter_add(&filter, UINT64_MAX);
        ck_assert(run_filter_may_hold(&filter, UINT64_MAX));
        run_filter_release(&filter);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_filter");
    TCase *tests = tcase_create("run_filter");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_key_that_was_added_is_never_denied);
    tcase_add_test(tests, fewer_than_two_new_keys_in_a_hundred_are_not_denied);
    tcase_add_test(tests, an_empty_filter_denies_all);
    tcase_add_test(tests, its_size_is_two_bytes_a_key_in_whole_lines);
    tcase_add_test(tests, lines_begin_where_lines_of_the_cache_do);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
