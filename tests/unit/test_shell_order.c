/* link: kith_test_support common_service */
#include "tests/unit/feeds_fixture.h"
#include "tests/unit/store_fixture.h"

/* The event clock: what services make of one ingestion journal does not depend on when what
 * arrives, in which portions, or on who was restarted. */

#define ADDS 50
#define RUNS 3
/* Instants are so far apart, and timers whole multiples of it: much falls together. */
#define GRAIN_MS 50
#define STEPS_MAX 20000

static const char *const customers[] = { "anna", "berta", "clara", "dora", "emil" };

struct story {
    struct toy_add adds[ADDS];
};

/* Several of an instant, gaps in which timers ring, and now and then a late one. */
static void story_draw(struct chance *chance, struct story *story)
{
    int64_t at_ms = TOY_WALL_MS;
    for (size_t i = 0; i < ADDS; i++) {
        at_ms += (int64_t)chance_below(chance, 12) * GRAIN_MS;
        story->adds[i] = (struct toy_add){ .customer = customers[chance_below(chance, 5)],
                                           .n = (int64_t)chance_below(chance, 40),
                                           .at_ms = at_ms };
        if (chance_below(chance, 10) == 0) {
            story->adds[i].at_ms -= 1000;
        }
    }
}

/* ingestion, and behind it each service that reads all those before it. Which of them sets
 * what timers is the variant's. */
static void services_add(struct town *town, size_t count, size_t variant, struct chance *chance)
{
    static const char *const names[] = { "ingestion", "loyalty", "segmentation", "campaign",
                                         "reporting" };
    static const int64_t timers_ms[] = { 0, 7 * GRAIN_MS, 14 * GRAIN_MS, -GRAIN_MS, 0 };
    static const uint32_t batches[] = { 1, 7, LIMIT_TURN_REQUESTS };
    static const uint32_t slices[] = { 300, 1500, 8000 };
    for (size_t i = 0; i < count; i++) {
        struct toy_node_options options = { .event_clock = true };
        options.toy.name = names[i];
        for (size_t n = 0; n < i; n++) {
            options.toy.reads[n] = names[n];
        }
        options.toy.read_count = i;
        options.toy.folds_echoes = true;
        options.toy.timer_ms = timers_ms[(i + variant) % count];
        if (chance != NULL) {
            options.turn_requests_max = batches[chance_below(chance, 3)];
            options.turn_bytes_max = i == 0 ? 0 : slices[chance_below(chance, 3)];
            options.checkpoint_records = 1 + chance_below(chance, 7);
            options.checkpoint_interval_ms = 200;
        }
        (void)town_add(town, &options);
    }
}

/* One after the other, each with all that it will ever get. */
static void tell_in_order(struct town *town, const struct story *story)
{
    for (size_t i = 0; i < ADDS; i++) {
        town_send_add(town, 0, &story->adds[i]);
    }
    for (size_t i = 0; i < town->count; i++) {
        for (int round = 0; round < 300; round++) {
            town_round(town, i + 1);
        }
    }
}

/* ---- and any other way */

struct storm {
    struct chance chance;
    size_t sent;
};

static enum memory_fate storm_judge(void *context, const struct memory_passage *passage)
{
    struct storm *storm = context;
    if (passage->server == TRANSPORT_COMMAND) {
        return MEMORY_PASS;
    }
    uint64_t drawn = chance_below(&storm->chance, 20);
    return drawn < 7 ? MEMORY_HOLD : drawn == 7 ? MEMORY_DROP : MEMORY_PASS;
}

static void storm_step(struct town *town, struct storm *storm, const struct story *story)
{
    size_t i = chance_below(&storm->chance, town->count);
    if (storm->sent < ADDS && chance_below(&storm->chance, 4) == 0) {
        town_send_add(town, 0, &story->adds[storm->sent]);
        storm->sent += 1;
    }
    if (memory_network_held(town->network) > 0 && chance_below(&storm->chance, 3) == 0) {
        memory_network_let_go(town->network,
                              chance_below(&storm->chance, memory_network_held(town->network)));
    }
    toy_node_turn(&town->nodes[i]);
    town_pass(town, (int64_t)chance_below(&storm->chance, 40));
    if (i > 0 && chance_below(&storm->chance, 60) == 0) {
        toy_node_crash(&town->nodes[i]);
        toy_node_reopen(&town->nodes[i]);
    }
}

static void tell_in_a_storm(struct town *town, struct storm *storm, const struct story *story)
{
    memory_network_judge(town->network, storm_judge, storm);
    for (int step = 0; step < STEPS_MAX && storm->sent < ADDS; step++) {
        storm_step(town, storm, story);
    }
    ck_assert_uint_eq(storm->sent, ADDS);
    memory_network_judge(town->network, NULL, NULL);
    for (int step = 0; step < 300; step++) {
        town_run(town, 2);
        town_pass(town, 50);
    }
}

static void same_story(size_t count, uint64_t seed)
{
    struct chance drawn = { seed };
    struct storm storm = { .chance = { seed ^ UINT64_C(0x77) } };
    struct story *story = memory_allocate(sizeof *story);
    struct town *calm = memory_allocate(sizeof *calm);
    struct town *stormy = memory_allocate(sizeof *stormy);
    story_draw(&drawn, story);
    town_begin(calm);
    town_begin(stormy);
    services_add(calm, count, seed % count, NULL);
    services_add(stormy, count, seed % count, &storm.chance);
    tell_in_order(calm, story);
    tell_in_a_storm(stormy, &storm, story);
    for (size_t i = 0; i < count; i++) {
        struct seen_facts expected = town_see(calm, i);
        struct seen_facts seen = town_see(stormy, i);
        ck_assert_uint_ge(expected.count, ADDS / 2);
        seen_equal(&expected, &seen);
        free(expected.facts);
        free(seen.facts);
        town_agrees(stormy, i);
    }
    town_end(calm);
    town_end(stormy);
    free(story);
    free(calm);
    free(stormy);
}

START_TEST(facts_do_not_depend_on_what_arrives_when)
{
    same_story(3, chance_draw("test_shell_order").state + (uint64_t)_i);
}
END_TEST

/* Several derived feeds: what time makes of a cause in one comes after the others' answers,
 * and an answer to an answer after both. */
START_TEST(nor_do_they_where_services_read_several)
{
    same_story(4 + (size_t)_i % 2, chance_draw("test_shell_order").state + (uint64_t)_i);
}
END_TEST

/* ---- much of one instant */

#define TIMERS (2 * LIMIT_TURN_TICK_FACTS + 500)
#define TIMER_MS 100

/* Timers of many customers fall due together, between two facts. */
static void timers_tell(struct town *town)
{
    struct toy_node_options loyalty = {
        .event_clock = true, .toy = { .name = "loyalty", .reads = { "ingestion" }, .read_count = 1 }
    };
    loyalty.toy.timer_ms = TIMER_MS;
    town_begin(town);
    (void)town_add(town,
                   &(struct toy_node_options){ .toy.name = "ingestion", .event_clock = true });
    (void)town_add(town, &loyalty);
    for (int i = 0; i < TIMERS; i++) {
        char customer[16];
        (void)snprintf(customer, sizeof customer, "c%d", i);
        town_send_add(town, 0, &(struct toy_add){ customer, TOY_TIMER_DIGIT, TOY_WALL_MS });
    }
    town_run(town, 100);
    town_send_add(town, 0, &(struct toy_add){ "late", 1, TOY_WALL_MS + 10 * TIMER_MS });
    toy_node_turn(&town->nodes[0]);
}

static void timers_look(const struct town *town)
{
    struct seen_facts seen = town_see(town, 1);
    ck_assert_uint_eq(seen.count, 3 * TIMERS + 1);
    for (size_t i = 0; i < TIMERS; i++) {
        const struct seen_fact *rang = &seen.facts[2 * TIMERS + i];
        ck_assert_uint_eq(rang->type, TOY_RANG);
        ck_assert_int_eq(rang->recorded_at_ms, TOY_WALL_MS + TIMER_MS);
        ck_assert_uint_eq(rang->cause, TIMERS);
        ck_assert(i == 0 || memcmp(rang[-1].customer.bytes, rang->customer.bytes, 16) < 0);
    }
    ck_assert_uint_eq(seen.facts[3 * TIMERS].type, TOY_ECHOED);
    ck_assert_int_eq(seen.facts[3 * TIMERS].recorded_at_ms, TOY_WALL_MS + 10 * TIMER_MS);
    free(seen.facts);
}

START_TEST(what_is_due_comes_in_slices_before_what_comes_later)
{
    struct town *town = memory_allocate(sizeof *town);
    timers_tell(town);
    uint64_t before = journal_end(town->nodes[1].journal).seq;
    ck_assert_uint_eq(before, 2 * TIMERS);
    for (uint64_t slice = 1; slice <= 2; slice++) {
        uint64_t seq = journal_end(town->nodes[1].journal).seq;
        for (int turn = 0; turn < 50 && journal_end(town->nodes[1].journal).seq == seq; turn++) {
            town_pass(town, 100);
            toy_node_turn(&town->nodes[0]);
            toy_node_turn(&town->nodes[1]);
        }
        ck_assert_uint_eq(journal_end(town->nodes[1].journal).seq,
                          before + slice * LIMIT_TURN_TICK_FACTS);
        if (_i == 1) {
            toy_node_crash(&town->nodes[1]);
            toy_node_reopen(&town->nodes[1]);
        }
    }
    town_run(town, 200);
    timers_look(town);
    town_agrees(town, 1);
    town_end(town);
    free(town);
}
END_TEST

/* Nothing follows that would wake it: a timer set in the past rings all the same. */
START_TEST(what_is_due_already_does_not_wait_for_the_next_fact)
{
    struct town *town = memory_allocate(sizeof *town);
    town_begin(town);
    (void)town_add(town,
                   &(struct toy_node_options){ .toy.name = "ingestion", .event_clock = true });
    town_send_add(town, 0, &(struct toy_add){ "anna", 1, TOY_WALL_MS });
    town_send_at(town, 0, &(struct toy_add){ "anna", 7, TOY_WALL_MS + 1 });
    town_send_at(town, 0, &(struct toy_add){ "anna", 5, TOY_WALL_MS });
    toy_node_turn(&town->nodes[0]);
    ck_assert_int_eq(shell_wait_ms(town->nodes[0].shell), 0);
    toy_node_turn(&town->nodes[0]);
    ck_assert_int_eq(town_sum(town, 0, "anna"), 6);
    ck_assert_int_gt(shell_wait_ms(town->nodes[0].shell), 0);
    town_pass(town, DAY_MS);
    toy_node_turn(&town->nodes[0]);
    ck_assert_int_eq(town_sum(town, 0, "anna"), 6); /* the wall is no clock here */
    town_end(town);
    free(town);
}
END_TEST

/* Loyalty's timer is due as soon as it is set, but loyalty gets no turn to let it ring while
 * the others go on: they must wait with what comes after it. */
START_TEST(others_wait_for_what_is_due_already)
{
    static const int64_t amounts[] = { 7, 7, 1, 7, 7, 1 };
    struct town *town = memory_allocate(sizeof *town);
    town_begin(town);
    services_add(town, 4, 2, NULL); /* the variant in which loyalty's timers are in the past */
    town_run(town, 20);             /* all Fetches are parked */
    town_send_add(town, 0, &(struct toy_add){ "anna", TOY_TIMER_DIGIT, TOY_WALL_MS });
    toy_node_turn(&town->nodes[0]);
    toy_node_turn(&town->nodes[1]);
    for (int turn = 0; turn < 10; turn++) {
        toy_node_turn(&town->nodes[2]);
        toy_node_turn(&town->nodes[3]);
        toy_node_turn(&town->nodes[0]);
    }
    town_run(town, 200);
    struct seen_facts seen = town_see(town, 3);
    size_t echoes = 0;
    for (size_t i = 0; i < seen.count; i++) {
        bool is_echo = seen.facts[i].type == TOY_ECHOED; /* not a timer of its own */
        ck_assert(!is_echo || (echoes < 6 && seen.facts[i].amount == amounts[echoes]));
        echoes += is_echo ? 1 : 0;
    }
    ck_assert_uint_eq(echoes, 6);
    free(seen.facts);
    town_end(town);
    free(town);
}
END_TEST

static Suite *shell_order_suite(void)
{
    Suite *suite = suite_create("shell_order");
    TCase *order = tcase_create("order");
    tcase_set_timeout(order, 60);
    tcase_add_loop_test(order, facts_do_not_depend_on_what_arrives_when, 0, RUNS);
    tcase_add_loop_test(order, nor_do_they_where_services_read_several, 0, RUNS + 1);
    tcase_add_loop_test(order, what_is_due_comes_in_slices_before_what_comes_later, 0, 2);
    tcase_add_test(order, what_is_due_already_does_not_wait_for_the_next_fact);
    tcase_add_test(order, others_wait_for_what_is_due_already);
    suite_add_tcase(suite, order);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(shell_order_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
