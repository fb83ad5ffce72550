/* link: kith_test_support common_service */
#include "common/service/shell_internal.h"
#include "tests/unit/feeds_fixture.h"

/* What keeps a service from going on may not be what ends it: its journal is full, while those whom
 * it reads have more to say. */

#define MIB ((size_t)1024 * 1024)
#define CUSTOMERS 120 /* a round */

static const struct toy_node_options ingestion = { .toy.name = "ingestion" };
static const struct toy_node_options loyalty = {
    .toy = { .name = "loyalty", .reads = { "ingestion" }, .read_count = 1 },
    .checkpoint_interval_ms = 100,
    .turn_bytes_max = 64 * 1024,
};

static uint64_t folded(const struct town *town)
{
    return feed_reader_cursor(town->nodes[1].shell->readers[0])->to;
}

/* One customer more with each fact, so that the journal grows. */
static void round_of_new_customers(struct town *town, int round)
{
    for (int i = 0; i < CUSTOMERS; i++) {
        char customer[40];
        (void)snprintf(customer, sizeof customer, "customer-%d-%d", round, i);
        town_send_add(town, 0, &(struct toy_add){ customer, 1, 0 });
    }
    town_run(town, 2);
    (void)town_hear(town, 0);
}

/* Until the reader stands still, or all rounds are over. */
static int rounds_until_it_stands(struct town *town, int rounds)
{
    uint64_t before = UINT64_MAX;
    int round = 0;
    while (round < rounds && folded(town) != before) {
        before = folded(town);
        round_of_new_customers(town, round);
        town_run(town, 2);
        round += 1;
    }
    return round;
}

/* It has stopped folding, says why, and answers. */
static void stands_still(struct town *town)
{
    char why[256] = "";
    town_run(town, 100); /* what a checkpoint frees lets it go on a little */
    uint64_t before = folded(town);
    ck_assert_uint_lt(before, journal_end(town->nodes[0].journal).seq);
    town_run(town, 100);
    ck_assert_uint_eq(folded(town), before);
    ck_assert(!shell_is_ready(town->nodes[1].shell, why, sizeof why));
    ck_assert_msg(strstr(why, "store is full") != NULL, "%s", why);
    ck_assert_int_eq(town_sum(town, 1, "customer-0-0"), 1);
}

static void goes_on_in_a_larger_map(struct town *town)
{
    toy_node_stop(&town->nodes[1]);
    town->nodes[1].options.journal_map_bytes = 0;
    toy_node_reopen(&town->nodes[1]);
    town_run(town, 300);
    ck_assert_uint_eq(folded(town), journal_end(town->nodes[0].journal).seq);
    town_agrees(town, 1);
}

START_TEST(a_journal_without_room_is_no_reason_to_end)
{
    struct town town;
    struct toy_node_options small = loyalty;
    small.journal_map_bytes = MIB;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &small);
    ck_assert_int_lt(rounds_until_it_stands(&town, 1000), 1000);
    stands_still(&town);
    goes_on_in_a_larger_map(&town);
    town_end(&town);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shell_space");
    TCase *tests = tcase_create("full maps");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_journal_without_room_is_no_reason_to_end);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
