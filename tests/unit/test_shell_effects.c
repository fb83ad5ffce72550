/* link: kith_test_support common_service */
#include "tests/unit/feeds_fixture.h"

/* What reaches outside, and a service behind one that reads ingestion: campaign's place. */

enum { INGESTION, SEGMENTATION, CAMPAIGN, SERVICES };

static struct town town;

static struct toy_outside *outside(void)
{
    return &town.nodes[CAMPAIGN].toy.outside;
}

static void effects_start(void)
{
    struct refusal refusal;
    refusal_init(&refusal);
    outside()->watched = span_of_text("anna");
    ck_assert_int_eq(shell_effects_start(town.nodes[CAMPAIGN].shell, &refusal), STATUS_OK);
}

static void town_open(bool event_clock)
{
    static const char *const names[] = { "ingestion", "segmentation", "campaign" };
    town_begin(&town);
    for (size_t i = 0; i < SERVICES; i++) {
        struct toy_node_options options = { .event_clock = event_clock };
        options.toy.name = names[i];
        options.toy.folds_echoes = true;
        options.toy.reaches_out = i == CAMPAIGN;
        if (i > 0) {
            options.toy.reads[0] = names[i - 1];
            options.toy.read_count = 1;
        }
        (void)town_add(&town, &options);
    }
    effects_start();
}

static void setup(void)
{
    town_open(true);
}

static void teardown(void)
{
    town_end(&town);
}

static void tell(const char *customer, int64_t n, int64_t at_ms)
{
    town_send_add(&town, INGESTION, &(struct toy_add){ customer, n, TOY_WALL_MS + at_ms });
}

START_TEST(nothing_starts_before_it_is_told_to)
{
    ck_assert_uint_eq(outside()->started, 1);
    struct toy_node *node = &town.nodes[CAMPAIGN];
    toy_node_crash(node);
    toy_node_reopen(node);
    ck_assert_uint_eq(outside()->started, 0);
    effects_start();
    ck_assert_uint_eq(outside()->started, 1);
    toy_node_crash(node);
    ck_assert_uint_eq(outside()->stopped, 1);
    toy_node_reopen(node);
}
END_TEST

START_TEST(what_is_durable_is_handed_over_and_comes_back_as_a_fact)
{
    tell("anna", 5, 1);
    town_run(&town, 30);
    ck_assert_uint_ge(outside()->synced, 1);
    ck_assert_int_eq(outside()->synced_sum, 5);
    uint64_t blocks = town_blocks(&town, CAMPAIGN);
    town_run(&town, 30);
    ck_assert_uint_eq(town_blocks(&town, CAMPAIGN), blocks);
    outside()->back = 3;
    town_run(&town, 3);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "anna"), 8);
    ck_assert_int_eq(outside()->synced_sum, 8);
    town_agrees(&town, CAMPAIGN);
}
END_TEST

START_TEST(what_comes_back_is_taken_in_slices)
{
    outside()->back = (size_t)LIMIT_TURN_TICK_FACTS * 2 + 1;
    toy_node_turn(&town.nodes[CAMPAIGN]);
    ck_assert_uint_eq(outside()->back, LIMIT_TURN_TICK_FACTS + 1);
    town_run(&town, 3);
    ck_assert_uint_eq(outside()->back, 0);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "anna"), LIMIT_TURN_TICK_FACTS * 2 + 1);
}
END_TEST

START_TEST(while_an_effect_holds_nothing_is_folded_and_nothing_spins)
{
    outside()->holds = true;
    tell("anna", 5, 1);
    town_run(&town, 30);
    ck_assert_int_eq(town_sum(&town, SEGMENTATION, "anna"), 5);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "anna"), 0);
    ck_assert_int_gt(shell_wait_ms(town.nodes[CAMPAIGN].shell), 0);
    /* Commands are taken all the same. */
    town_send_add(&town, CAMPAIGN, &(struct toy_add){ "berta", 2, 0 });
    town_run(&town, 3);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "berta"), 2);
    outside()->holds = false;
    town_run(&town, 30);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "anna"), 5);
}
END_TEST

START_TEST(under_the_wall_clock_nothing_is_held)
{
    town_end(&town);
    town_open(false);
    outside()->holds = true;
    tell("anna", 5, 0);
    town_run(&town, 30);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "anna"), 5);
}
END_TEST

START_TEST(time_goes_on_behind_a_service_that_says_nothing)
{
    tell("anna", 1, 1);
    town_run(&town, 30);
    toy_at_encode(&(struct toy_add){ "clara", 3, TOY_WALL_MS + 500 }, &town.clients[CAMPAIGN].body);
    (void)toy_client_send(&town.clients[CAMPAIGN], TRANSPORT_COMMAND, "toy.At", "timer");
    town_run(&town, 30);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "clara"), 0);
    /* An amount of nothing: segmentation makes no fact of it, but has come as far. */
    tell("anna", 0, 499);
    town_run(&town, 30);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "clara"), 0);
    /* What is due in between is held up as well: nothing is decided at a later time. */
    outside()->holds = true;
    tell("anna", 0, 600);
    town_run(&town, 30);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "clara"), 0);
    ck_assert_int_gt(shell_wait_ms(town.nodes[CAMPAIGN].shell), 0);
    outside()->back = 1;
    town_run(&town, 3);
    outside()->holds = false;
    town_run(&town, 30);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "clara"), 3);
    outside()->back = 1;
    town_run(&town, 3);
    struct seen_facts seen = town_see(&town, CAMPAIGN);
    ck_assert_uint_ge(seen.count, 3);
    ck_assert_int_eq(seen.facts[seen.count - 3].recorded_at_ms, TOY_WALL_MS + 499);
    ck_assert_int_eq(seen.facts[seen.count - 2].recorded_at_ms, TOY_WALL_MS + 500);
    ck_assert_int_eq(seen.facts[seen.count - 1].recorded_at_ms, TOY_WALL_MS + 600);
    free(seen.facts);
}
END_TEST

START_TEST(under_the_wall_clock_nothing_is_decided_by_what_is_behind)
{
    town_end(&town);
    town_open(false);
    toy_at_encode(&(struct toy_add){ "clara", 3, town.clock.wall_ms + 100 },
                  &town.clients[CAMPAIGN].body);
    (void)toy_client_send(&town.clients[CAMPAIGN], TRANSPORT_COMMAND, "toy.At", "timer");
    town_run(&town, 5);
    town_pass(&town, 200);
    for (int i = 0; i < 3; i++) {
        tell("anna", 5, 0);
        for (int round = 0; round < 10; round++) {
            town_round(&town, CAMPAIGN); /* those before it */
        }
    }
    town_run(&town, 30);
    struct seen_facts seen = town_see(&town, CAMPAIGN);
    ck_assert_uint_eq(seen.count, 5);
    ck_assert_uint_eq(seen.facts[0].type, TOY_TIMED);
    ck_assert_uint_eq(seen.facts[3].type, TOY_ECHOED);
    ck_assert_uint_eq(seen.facts[4].type, TOY_RANG);
    free(seen.facts);
}
END_TEST

START_TEST(under_the_wall_clock_a_feed_that_has_no_end_is_not_waited_for_for_ever)
{
    town_end(&town);
    town_open(false);
    town_run(&town, 5);
    toy_at_encode(&(struct toy_add){ "clara", 3, town.clock.wall_ms + 100 },
                  &town.clients[CAMPAIGN].body);
    (void)toy_client_send(&town.clients[CAMPAIGN], TRANSPORT_COMMAND, "toy.At", "timer");
    town_run(&town, 5);
    (void)town_hear(&town, CAMPAIGN);
    /* Whenever campaign looks there is more. */
    for (int i = 0; i < 400 && town_sum(&town, CAMPAIGN, "clara") == 0; i++) {
        tell("anna", 5, 0);
        town_round(&town, SERVICES);
    }
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "clara"), 3);
}
END_TEST

START_TEST(what_is_not_of_a_feed_goes_back_to_what_is_known)
{
    tell("anna", 5, 1);
    tell("anna", 6, 2);
    town_run(&town, 30);
    outside()->back = 1;
    town_run(&town, 3);
    struct seen_facts seen = town_see(&town, CAMPAIGN);
    ck_assert_uint_eq(seen.count, 3);
    ck_assert_uint_eq(seen.facts[2].cause, 2);
    ck_assert_int_eq(seen.facts[2].recorded_at_ms, TOY_WALL_MS + 2);
    free(seen.facts);
    /* Also after a crash. */
    toy_node_crash(&town.nodes[CAMPAIGN]);
    toy_node_reopen(&town.nodes[CAMPAIGN]);
    effects_start();
    outside()->back = 1;
    toy_node_turn(&town.nodes[CAMPAIGN]);
    seen = town_see(&town, CAMPAIGN);
    ck_assert_uint_eq(seen.count, 4);
    ck_assert_uint_eq(seen.facts[3].cause, 2);
    free(seen.facts);
    town_agrees(&town, CAMPAIGN);
}
END_TEST

START_TEST(what_is_out_is_taken_before_a_stop)
{
    struct shell *shell = town.nodes[CAMPAIGN].shell;
    ck_assert(!shell_effects_are_out(shell));
    outside()->back = 2;
    ck_assert(shell_effects_are_out(shell));
    tell("anna", 5, 1); /* not taken any more */
    ck_assert_int_eq(shell_effects_turn(shell), STATUS_OK);
    ck_assert(!shell_effects_are_out(shell));
    toy_node_stop(&town.nodes[CAMPAIGN]);
    toy_node_reopen(&town.nodes[CAMPAIGN]);
    ck_assert_int_eq(town_sum(&town, CAMPAIGN, "anna"), 2);
}
END_TEST

START_TEST(a_stuck_effect_is_told)
{
    char why[128] = "";
    ck_assert(shell_is_ready(town.nodes[CAMPAIGN].shell, why, sizeof why));
    outside()->is_stuck = true;
    ck_assert(!shell_is_ready(town.nodes[CAMPAIGN].shell, why, sizeof why));
    ck_assert_str_eq(why, "nobody answers outside");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shell_effects");
    TCase *tcase = tcase_create("effects");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, nothing_starts_before_it_is_told_to);
    tcase_add_test(tcase, what_is_durable_is_handed_over_and_comes_back_as_a_fact);
    tcase_add_test(tcase, what_comes_back_is_taken_in_slices);
    tcase_add_test(tcase, while_an_effect_holds_nothing_is_folded_and_nothing_spins);
    tcase_add_test(tcase, under_the_wall_clock_nothing_is_held);
    tcase_add_test(tcase, time_goes_on_behind_a_service_that_says_nothing);
    tcase_add_test(tcase, under_the_wall_clock_nothing_is_decided_by_what_is_behind);
    tcase_add_test(tcase, under_the_wall_clock_a_feed_that_has_no_end_is_not_waited_for_for_ever);
    tcase_add_test(tcase, what_is_not_of_a_feed_goes_back_to_what_is_known);
    tcase_add_test(tcase, what_is_out_is_taken_before_a_stop);
    tcase_add_test(tcase, a_stuck_effect_is_told);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
