/* link: kith_test_support common_service */
#include "common/service/shell_internal.h"
#include "tests/unit/shell_fixture.h"

#define AGES 300
#define FIRST_MS TOY_WALL_MS

/* The state of a toy, and from where on the ages of its requests are looked for. */
struct watched {
    struct bench bench;
    struct change inner;
    struct change change;
    struct ledger_ages ages;
    int64_t from_ms;
};

static bool watched_get(void *context, uint8_t table, struct span key, struct span *value)
{
    const struct watched *watched = context;
    return watched->inner.view.get(watched->inner.view.context, table, key, value);
}

static void watched_scan(void *context, const struct view_range *range, view_visit visit,
                         void *argument)
{
    struct watched *watched = context;
    if (range->table == SHELL_TABLE_REQUEST_AGE) {
        watched->from_ms =
            range->from.size < 8 ? LIMIT_TIME_LEAST_MS : be_time_get(range->from.data);
    }
    watched->inner.view.scan(watched->inner.view.context, range, visit, argument);
}

static void watched_put(void *context, uint8_t table, struct span key, struct span value)
{
    const struct watched *watched = context;
    watched->inner.put(watched->inner.context, table, key, value);
}

static void watched_delete(void *context, uint8_t table, struct span key)
{
    const struct watched *watched = context;
    watched->inner.delete(watched->inner.context, table, key);
}

static void watched_begin(struct watched *watched)
{
    *watched = (struct watched){ .ages.from_ms = LIMIT_TIME_LEAST_MS };
    bench_begin(&watched->bench, &(struct toy_node_options){ 0 });
    watched->inner = store_change(watched->bench.node.store);
    watched->change = (struct change){
        .view = { .context = watched, .get = watched_get, .scan = watched_scan },
        .context = watched,
        .put = watched_put,
        .delete = watched_delete,
    };
}

static struct hash128 key_of(uint32_t number)
{
    struct hash128 key = { { 0 } };
    be32_put(key.bytes, number);
    return key;
}

static void put(struct watched *watched, uint32_t number, int64_t issued_at_ms)
{
    struct request_place place = { .issued_at_ms = issued_at_ms };
    ledger_request_put(&watched->change, &watched->ages, false, key_of(number), &place);
}

static bool is_known(const struct watched *watched, uint32_t number)
{
    struct request_place place;
    return ledger_request_get(&watched->change.view, key_of(number), &place);
}

static void block_end(struct watched *watched, int64_t wall_ms)
{
    ledger_block_end(&watched->change, &watched->ages, wall_ms, wall_ms);
}

START_TEST(keys_are_known_for_their_time_and_no_longer)
{
    struct watched watched;
    watched_begin(&watched);
    put(&watched, 1, FIRST_MS);
    put(&watched, 2, FIRST_MS + 1);
    block_end(&watched, FIRST_MS + LIMIT_REQUEST_AGE_MS);
    ck_assert(is_known(&watched, 1) && is_known(&watched, 2));
    block_end(&watched, FIRST_MS + LIMIT_REQUEST_AGE_MS + 1);
    ck_assert(!is_known(&watched, 1) && is_known(&watched, 2));
    bench_end(&watched.bench);
}
END_TEST

START_TEST(what_was_forgotten_is_not_passed_again)
{
    struct watched watched;
    int64_t wall_ms = FIRST_MS + AGES + LIMIT_REQUEST_AGE_MS;
    watched_begin(&watched);
    for (uint32_t i = 0; i < AGES; i++) {
        put(&watched, i, FIRST_MS + i);
    }
    for (int i = 0; i < 3; i++) { /* 128 a block */
        ck_assert(is_known(&watched, AGES - 1));
        block_end(&watched, wall_ms);
    }
    for (uint32_t i = 0; i < AGES; i++) {
        ck_assert(!is_known(&watched, i));
    }
    block_end(&watched, wall_ms);
    ck_assert_int_ge(watched.from_ms, FIRST_MS + AGES - 1);
    bench_end(&watched.bench);
}
END_TEST

START_TEST(a_key_that_is_older_than_all_others_is_forgotten_too)
{
    struct watched watched;
    watched_begin(&watched);
    put(&watched, 1, FIRST_MS);
    block_end(&watched, FIRST_MS + LIMIT_REQUEST_AGE_MS + 10);
    put(&watched, 2, FIRST_MS - 10);
    put(&watched, 3, FIRST_MS + 10);
    block_end(&watched, FIRST_MS + LIMIT_REQUEST_AGE_MS + 10);
    ck_assert(!is_known(&watched, 2) && is_known(&watched, 3));
    bench_end(&watched.bench);
}
END_TEST

START_TEST(many_of_one_instant_are_all_forgotten)
{
    struct watched watched;
    watched_begin(&watched);
    for (uint32_t i = 0; i < AGES; i++) {
        put(&watched, i, FIRST_MS);
    }
    for (int i = 0; i < 3; i++) {
        block_end(&watched, FIRST_MS + LIMIT_REQUEST_AGE_MS + 1);
    }
    for (uint32_t i = 0; i < AGES; i++) {
        ck_assert(!is_known(&watched, i));
    }
    bench_end(&watched.bench);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shell_ledger");
    TCase *tests = tcase_create("requests");
    tcase_add_test(tests, keys_are_known_for_their_time_and_no_longer);
    tcase_add_test(tests, what_was_forgotten_is_not_passed_again);
    tcase_add_test(tests, a_key_that_is_older_than_all_others_is_forgotten_too);
    tcase_add_test(tests, many_of_one_instant_are_all_forgotten);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
