/* link: segmentation_core */
/*
 * Windows, rules and time, case by case: instants at the edges, late events, what falls due,
 * rules that change. What chance finds stands in test_segmentation_property.c.
 */
#include "tests/unit/segmentation_fixture.h"

#include <stdio.h>

static struct fixture fixture;
static struct rules_builder builder;

static void setup(void)
{
    fixture_open(&fixture, &builder);
}

static void teardown(void)
{
    fixture_close(&fixture);
}

static struct rules_clause sum_of(uint32_t days, int64_t at_least)
{
    return window_clause(RULES_SUM, "purchase", days, RULES_AT_LEAST, at_least);
}

static struct rules_clause count_of(uint32_t days, int64_t at_least)
{
    return window_clause(RULES_COUNT, "purchase", days, RULES_AT_LEAST, at_least);
}

static void rules_of_one(struct rules_clause clause)
{
    segment_add(&builder, "s", clause);
    rules_put(&fixture);
}

/* The move that came `back` moves before the end; 0 is the newest. */
static const struct fixture_move *newest(size_t back)
{
    ck_assert_uint_gt(fixture.move_count, back);
    return &fixture.log[fixture.move_count - 1 - back];
}

/* ---- windows: what one event comes to at an instant after it */

/* clang-format off */
static const struct edge_row {
    const char *name;
    int64_t after_ms; /* the event, this much before now */
    bool counts;      /* in a window of ten days */
} edge_rows[] = {
    { "exactly now",                     0,                     true },
    { "a millisecond ago",               1,                     true },
    { "nine days ago",                   9 * MS_PER_DAY,        true },
    { "a millisecond within ten days",   10 * MS_PER_DAY - 1,   true },
    { "exactly ten days ago",            10 * MS_PER_DAY,       false },
    { "a millisecond past ten days",     10 * MS_PER_DAY + 1,   false },
};
/* clang-format on */
#define EDGE_ROWS ((int)(sizeof edge_rows / sizeof edge_rows[0]))

START_TEST(an_event_leaves_its_window_at_the_very_instant)
{
    const struct edge_row *row = &edge_rows[_i];
    rules_of_one(count_of(10, 1));
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 100);
    ck_assert(is_member(&fixture, 1, "s"));
    time_pass(&fixture, FIXTURE_NOW_MS + row->after_ms);
    ck_assert_msg(is_member(&fixture, 1, "s") == row->counts, "%s", row->name);
}
END_TEST

START_TEST(a_late_event_counts_in_every_window_that_still_holds_it)
{
    const struct edge_row *row = &edge_rows[_i];
    rules_of_one(count_of(10, 1));
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS, 0);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS - row->after_ms, 100);
    ck_assert_msg(is_member(&fixture, 1, "s") == row->counts, "%s", row->name);
    time_pass(&fixture, FIXTURE_NOW_MS - row->after_ms + days_ms(10));
    ck_assert(!is_member(&fixture, 1, "s"));
    ck_assert_uint_eq(fixture.move_count, row->counts ? 2 : 0);
}
END_TEST

START_TEST(a_last_event_is_within_days_like_a_window_and_older_from_then_on)
{
    const struct edge_row *row = &edge_rows[_i];
    segment_add(&builder, "within", last_clause("purchase", RULES_WITHIN, 10));
    segment_add(&builder, "older", last_clause("purchase", RULES_OLDER_THAN, 10));
    rules_put(&fixture);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 0);
    ck_assert(is_member(&fixture, 1, "within") && !is_member(&fixture, 1, "older"));
    time_pass(&fixture, FIXTURE_NOW_MS + row->after_ms);
    ck_assert_msg(is_member(&fixture, 1, "within") == row->counts, "%s", row->name);
    ck_assert_msg(is_member(&fixture, 1, "older") != row->counts, "%s", row->name);
}
END_TEST

static bool is_due(struct segmentation_front *front, int64_t *due_ms)
{
    struct segmentation_head head = { .visiting = false };
    (void)segmentation_head_load(&fixture.view, &head);
    return segmentation_core_due(&fixture.view, &head, front, due_ms);
}

START_TEST(time_alone_lets_a_customer_out_at_the_due_instant)
{
    rules_of_one(sum_of(90, 20000));
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 15000);
    ck_assert_uint_eq(fixture.move_count, 0);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS + days_ms(3), 5000);
    ck_assert_uint_eq(fixture.move_count, 1);
    ck_assert(newest(0)->entered && !newest(0)->by_time);
    ck_assert_int_eq(newest(0)->now_ms, FIXTURE_NOW_MS + days_ms(3));
    ck_assert_uint_eq(members_of(&fixture, "s"), 1);
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(300));
    ck_assert_uint_eq(fixture.move_count, 2);
    ck_assert(!newest(0)->entered && newest(0)->by_time);
    ck_assert_int_eq(newest(0)->now_ms, FIXTURE_NOW_MS + days_ms(90));
    ck_assert_uint_eq(members_of(&fixture, "s"), 0);
    ck_assert_uint_eq(fixture.ticks, 2); /* one for each event that left */
    int64_t due_ms = 0;
    struct segmentation_front front = segmentation_front_unknown();
    ck_assert(!is_due(&front, &due_ms));
    ck_assert_uint_eq(memory_view_count(fixture.memory, SEGMENTATION_TABLE_FEATURE), 0);
}
END_TEST

START_TEST(what_is_due_at_an_instant_comes_before_the_events_of_that_instant)
{
    rules_of_one(sum_of(10, 100));
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 100);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS + days_ms(10), 100);
    ck_assert_uint_eq(fixture.move_count, 3);
    ck_assert(newest(2)->entered);
    ck_assert(!newest(1)->entered && newest(1)->by_time);
    ck_assert(newest(0)->entered && !newest(0)->by_time);
    ck_assert_int_eq(newest(1)->now_ms, newest(0)->now_ms);
}
END_TEST

START_TEST(events_of_one_instant_leave_together_in_one_tick)
{
    rules_of_one(sum_of(10, 100));
    for (int i = 0; i < 5; i++) {
        happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 40);
    }
    ck_assert_uint_eq(fixture.move_count, 1);
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(10));
    ck_assert_uint_eq(fixture.move_count, 2);
    ck_assert_uint_eq(fixture.ticks, 1);
    ck_assert(!is_member(&fixture, 1, "s"));
}
END_TEST

START_TEST(several_windows_that_end_at_one_instant_are_decided_once)
{
    segment_add(&builder, "ten", count_of(10, 1));
    segment_add(&builder, "four", window_clause(RULES_COUNT, "usage", 4, RULES_AT_LEAST, 1));
    segment_begin(&builder, "neither");
    ck_assert_int_eq(rules_group_begin(&builder, RULES_NOT), STATUS_OK);
    ck_assert_int_eq(rules_group_begin(&builder, RULES_ANY), STATUS_OK);
    clause_add(&builder, count_of(10, 1));
    clause_add(&builder, window_clause(RULES_COUNT, "usage", 4, RULES_AT_LEAST, 1));
    ck_assert_int_eq(rules_group_end(&builder), STATUS_OK);
    ck_assert_int_eq(rules_group_end(&builder), STATUS_OK);
    segment_end(&builder);
    rules_put(&fixture);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 0);
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS + days_ms(6), 0);
    ck_assert(is_member(&fixture, 1, "ten") && is_member(&fixture, 1, "four"));
    size_t before = fixture.move_count;
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(10));
    ck_assert_uint_eq(fixture.ticks, 1);
    ck_assert_uint_eq(fixture.move_count, before + 3);
    ck_assert_str_eq(newest(2)->segment, "ten");
    ck_assert_str_eq(newest(1)->segment, "four");
    ck_assert_str_eq(newest(0)->segment, "neither");
    ck_assert(newest(0)->entered && !newest(0)->by_time);
}
END_TEST

START_TEST(customers_that_are_due_together_come_in_the_order_of_their_ids)
{
    rules_of_one(count_of(10, 1));
    const uint8_t order[] = { 7, 2, 9, 1 };
    for (size_t i = 0; i < sizeof order; i++) {
        happen(&fixture, order[i], "purchase", FIXTURE_NOW_MS, 0);
    }
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(10));
    ck_assert_uint_eq(fixture.move_count, 8);
    const uint8_t sorted[] = { 1, 2, 7, 9 };
    for (size_t i = 0; i < sizeof sorted; i++) {
        ck_assert_uint_eq(fixture.log[4 + i].customer, sorted[i]);
    }
}
END_TEST

/* ---- what counts */

START_TEST(an_event_without_worth_counts_but_adds_nothing)
{
    segment_add(&builder, "count", count_of(10, 2));
    segment_add(&builder, "sum", sum_of(10, 1));
    segment_add(&builder, "nothing", window_clause(RULES_SUM, "purchase", 10, RULES_EQUALS, 0));
    rules_put(&fixture);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 0);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS + 1, 0);
    ck_assert(is_member(&fixture, 1, "count"));
    ck_assert(!is_member(&fixture, 1, "sum"));
    ck_assert(is_member(&fixture, 1, "nothing"));
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS + 2, 1);
    ck_assert(is_member(&fixture, 1, "sum") && !is_member(&fixture, 1, "nothing"));
}
END_TEST

START_TEST(amounts_below_zero_take_away_and_give_back_when_they_leave)
{
    rules_of_one(sum_of(10, 100));
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, -50);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS + 1, 120);
    ck_assert(!is_member(&fixture, 1, "s"));
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(10));
    ck_assert(is_member(&fixture, 1, "s"));
    ck_assert(newest(0)->entered && !newest(0)->by_time);
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(10) + 1);
    ck_assert(!is_member(&fixture, 1, "s"));
}
END_TEST

START_TEST(only_events_of_the_category_count_where_a_rule_names_one)
{
    struct rules_clause clause = count_of(10, 1);
    clause.category = span_of_text("roaming");
    segment_add(&builder, "roaming", clause);
    segment_add(&builder, "any", count_of(10, 3));
    rules_put(&fixture);
    const char *const categories[] = { "", "home", "roaming" };
    for (size_t i = 0; i < 3; i++) {
        ck_assert(!is_member(&fixture, 1, "roaming"));
        struct segmentation_event event = { .customer = customer_of(1),
                                            .type = span_of_text("purchase"),
                                            .category = span_of_text(categories[i]),
                                            .occurred_at_ms = FIXTURE_NOW_MS,
                                            .now_ms = FIXTURE_NOW_MS };
        event_fold(&fixture, &event);
    }
    ck_assert(is_member(&fixture, 1, "roaming") && is_member(&fixture, 1, "any"));
}
END_TEST

START_TEST(the_last_event_of_a_category_is_not_that_of_another)
{
    struct rules_clause clause = last_clause("usage", RULES_WITHIN, 10);
    clause.category = span_of_text("roaming");
    segment_add(&builder, "s", clause);
    rules_put(&fixture);
    struct segmentation_event event = { .customer = customer_of(1),
                                        .type = span_of_text("usage"),
                                        .category = span_of_text("roaming"),
                                        .occurred_at_ms = FIXTURE_NOW_MS,
                                        .now_ms = FIXTURE_NOW_MS };
    event_fold(&fixture, &event);
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS + days_ms(9), 0);
    ck_assert(is_member(&fixture, 1, "s"));
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(10));
    ck_assert(!is_member(&fixture, 1, "s"));
}
END_TEST

/* More than a customer holds. */
#define FIGURES (SEGMENTATION_HELD_FIGURES + 2)

START_TEST(a_sum_past_64_bits_is_exact_and_comes_back)
{
    rules_of_one(sum_of(10, LIMIT_AMOUNT));
    for (int i = 0; i < 20; i++) {
        happen(&fixture, 1, "purchase", FIXTURE_NOW_MS + i, LIMIT_AMOUNT);
    }
    struct segmentation_figure figures[FIGURES] = { { .count = 0 } };
    bool changed[FIGURES] = { [0] = true, [FIGURES - 1] = true };
    struct segmentation_figures from = { .figures = figures, .changed = changed, .count = FIGURES };
    struct segmentation_customer customer = { .version = 0 };
    ck_assert(segmentation_customer_load(&fixture.view, customer_of(1), &customer));
    /* Twenty of them fit; what is tested is a figure whose sum does not: one that is held by
     * its customer, and one with a record of its own. */
    segmentation_figures_load(&fixture.view, customer_of(1), &customer, figures, FIGURES);
    ck_assert_uint_eq(figures[0].count, 20);
    figures[FIGURES - 1] = figures[0];
    const rules_sum sums[] = { (rules_sum)INT64_MAX * 1000 + 7, (rules_sum)INT64_MIN * 1000 - 7, -1,
                               (rules_sum)UINT64_MAX + 1, -(rules_sum)UINT64_MAX - 1 };
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
        figures[0].sum = sums[i];
        figures[FIGURES - 1].sum = sums[i];
        segmentation_figures_put(&fixture.change, customer_of(1), &customer, &from);
        segmentation_customer_put(&fixture.change, customer_of(1), &customer);
        ck_assert_uint_eq(customer.figures, 1);
        memset(figures, 0, sizeof figures);
        ck_assert(segmentation_customer_load(&fixture.view, customer_of(1), &customer));
        segmentation_figures_load(&fixture.view, customer_of(1), &customer, figures, FIGURES);
        ck_assert(figures[0].sum == sums[i] && figures[FIGURES - 1].sum == sums[i]);
    }
}
END_TEST

/* ---- events dated ahead */

START_TEST(an_event_dated_ahead_counts_when_now_gets_there)
{
    segment_add(&builder, "count", count_of(10, 1));
    segment_add(&builder, "last", last_clause("purchase", RULES_WITHIN, 10));
    rules_put(&fixture);
    struct segmentation_event event = { .customer = customer_of(1),
                                        .type = span_of_text("purchase"),
                                        .occurred_at_ms = FIXTURE_NOW_MS + 300000,
                                        .now_ms = FIXTURE_NOW_MS };
    event_fold(&fixture, &event);
    time_pass(&fixture, FIXTURE_NOW_MS + 299999);
    ck_assert_uint_eq(fixture.move_count, 0);
    time_pass(&fixture, FIXTURE_NOW_MS + 300000);
    ck_assert(is_member(&fixture, 1, "count") && is_member(&fixture, 1, "last"));
    time_pass(&fixture, FIXTURE_NOW_MS + 300000 + days_ms(10) - 1);
    ck_assert_uint_eq(fixture.move_count, 2);
    time_pass(&fixture, FIXTURE_NOW_MS + 300000 + days_ms(10));
    ck_assert_uint_eq(fixture.move_count, 4);
}
END_TEST

START_TEST(events_dated_ahead_to_one_instant_come_true_together)
{
    rules_of_one(sum_of(10, 300));
    for (int i = 0; i < 3; i++) {
        struct segmentation_event event = { .customer = customer_of(1),
                                            .type = span_of_text("purchase"),
                                            .amount_minor = 100,
                                            .occurred_at_ms = FIXTURE_NOW_MS + 5,
                                            .now_ms = FIXTURE_NOW_MS };
        event_fold(&fixture, &event);
    }
    time_pass(&fixture, FIXTURE_NOW_MS + 5);
    ck_assert_uint_eq(fixture.ticks, 1);
    ck_assert(is_member(&fixture, 1, "s"));
}
END_TEST

/* ---- attributes */

START_TEST(the_later_word_on_an_attribute_holds_whichever_came_first)
{
    rules_of_one(attribute_clause("tier", "gold"));
    say(&fixture, 1, "tier", "gold", FIXTURE_NOW_MS);
    ck_assert(is_member(&fixture, 1, "s"));
    say(&fixture, 1, "tier", "silver", FIXTURE_NOW_MS - 1);
    ck_assert(is_member(&fixture, 1, "s"));
    say(&fixture, 1, "tier", "silver", FIXTURE_NOW_MS);
    ck_assert(!is_member(&fixture, 1, "s"));
    say(&fixture, 1, "tier", "gold", FIXTURE_NOW_MS + 1);
    ck_assert(is_member(&fixture, 1, "s"));
    say(&fixture, 1, "tier", "", FIXTURE_NOW_MS + 2);
    ck_assert(!is_member(&fixture, 1, "s"));
    say(&fixture, 1, "tier", "gold", FIXTURE_NOW_MS + 1);
    ck_assert(!is_member(&fixture, 1, "s"));
}
END_TEST

START_TEST(what_is_unknown_satisfies_no_clause_but_its_not)
{
    segment_add(&builder, "gold", attribute_clause("tier", "gold"));
    segment_begin(&builder, "not_gold");
    ck_assert_int_eq(rules_group_begin(&builder, RULES_NOT), STATUS_OK);
    clause_add(&builder, attribute_clause("tier", "gold"));
    ck_assert_int_eq(rules_group_end(&builder), STATUS_OK);
    segment_end(&builder);
    segment_add(&builder, "within", last_clause("purchase", RULES_WITHIN, 10));
    segment_add(&builder, "older", last_clause("purchase", RULES_OLDER_THAN, 10));
    rules_put(&fixture);
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS, 0);
    ck_assert(!is_member(&fixture, 1, "gold") && is_member(&fixture, 1, "not_gold"));
    ck_assert(!is_member(&fixture, 1, "within") && !is_member(&fixture, 1, "older"));
}
END_TEST

static size_t profile_reads;

static bool get_counted(void *context, uint8_t table, struct span key, struct span *value)
{
    const struct view *view = context;
    profile_reads += table == SEGMENTATION_TABLE_PROFILE ? 1 : 0;
    return view_get(view, table, key, value);
}

static void scan_plainly(void *context, const struct view_range *range, view_visit visit,
                         void *argument)
{
    const struct view *view = context;
    view->scan(view->context, range, visit, argument);
}

START_TEST(a_rule_is_decided_again_only_after_what_may_have_changed_it)
{
    segment_begin(&builder, "s");
    ck_assert_int_eq(rules_group_begin(&builder, RULES_ALL), STATUS_OK);
    clause_add(&builder, attribute_clause("tier", "gold"));
    clause_add(&builder, count_of(10, 2));
    ck_assert_int_eq(rules_group_end(&builder), STATUS_OK);
    segment_end(&builder);
    rules_put(&fixture);
    struct view plain = fixture.view;
    fixture.view = (struct view){ .context = &plain, .get = get_counted, .scan = scan_plainly };
    profile_reads = 0;
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS, 0); /* the customer is new */
    ck_assert_uint_eq(profile_reads, 1);
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS, 0);
    ck_assert_uint_eq(profile_reads, 1);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 0);
    ck_assert_uint_eq(profile_reads, 2);
    happen(&fixture, 2, "usage", FIXTURE_NOW_MS, 0);
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS, 0); /* not in hand any more */
    ck_assert_uint_eq(profile_reads, 3);
    say(&fixture, 1, "tier", "gold", FIXTURE_NOW_MS);
    ck_assert_uint_eq(profile_reads, 4);
    ck_assert(!is_member(&fixture, 1, "s"));
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 0);
    ck_assert(is_member(&fixture, 1, "s"));
    ck_assert_uint_eq(profile_reads, 5);
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(10));
    ck_assert(!is_member(&fixture, 1, "s"));
    ck_assert_uint_eq(profile_reads, 6);
    fixture.view = plain;
}
END_TEST

/* ---- history */

START_TEST(history_forgets_what_no_window_can_ask_for_but_not_the_last_event)
{
    fixture.rules->history_days = 20;
    segment_add(&builder, "count", count_of(20, 1));
    segment_add(&builder, "older", last_clause("purchase", RULES_OLDER_THAN, 15));
    rules_put(&fixture);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 100);
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS + days_ms(20) - 1, 0);
    ck_assert_uint_eq(memory_view_count(fixture.memory, SEGMENTATION_TABLE_EVENT), 2);
    ck_assert(is_member(&fixture, 1, "count") && is_member(&fixture, 1, "older"));
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(20));
    ck_assert_uint_eq(memory_view_count(fixture.memory, SEGMENTATION_TABLE_EVENT), 1);
    ck_assert(!is_member(&fixture, 1, "count") && is_member(&fixture, 1, "older"));
    happen(&fixture, 1, "usage", FIXTURE_NOW_MS + days_ms(900), 0);
    ck_assert_uint_eq(memory_view_count(fixture.memory, SEGMENTATION_TABLE_EVENT), 1);
    ck_assert(is_member(&fixture, 1, "older"));
}
END_TEST

START_TEST(an_event_older_than_history_counts_nowhere_but_may_be_the_last)
{
    fixture.rules->history_days = 20;
    segment_add(&builder, "count", count_of(20, 1));
    segment_add(&builder, "older", last_clause("purchase", RULES_OLDER_THAN, 15));
    rules_put(&fixture);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS - days_ms(20), 100);
    ck_assert_uint_eq(memory_view_count(fixture.memory, SEGMENTATION_TABLE_EVENT), 0);
    ck_assert(!is_member(&fixture, 1, "count") && is_member(&fixture, 1, "older"));
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS - days_ms(20) + 1, 100);
    ck_assert_uint_eq(memory_view_count(fixture.memory, SEGMENTATION_TABLE_EVENT), 1);
    ck_assert(is_member(&fixture, 1, "count"));
}
END_TEST

START_TEST(a_long_gap_is_pruned_in_bounded_pieces_until_nothing_old_is_left)
{
    fixture.rules->history_days = 20;
    rules_of_one(count_of(20, 1000));
    for (int i = 0; i < 50; i++) {
        happen(&fixture, 1, "usage", FIXTURE_NOW_MS + i, 0);
    }
    size_t before = 50;
    for (int i = 0; i < 10; i++) {
        happen(&fixture, 1, "usage", FIXTURE_NOW_MS + days_ms(30) + i, 0);
        size_t left = memory_view_count(fixture.memory, SEGMENTATION_TABLE_EVENT);
        ck_assert_uint_ge(left + 16, before + 1);
        before = left;
    }
    ck_assert_uint_eq(before, 10);
}
END_TEST

START_TEST(an_event_touches_its_customers_records_and_no_others)
{
    rules_of_one(count_of(10, 1));
    for (uint8_t i = 1; i <= 100; i++) {
        happen(&fixture, i, "purchase", FIXTURE_NOW_MS, 100);
    }
    uint64_t before = memory_view_writes(fixture.memory);
    happen(&fixture, 50, "purchase", FIXTURE_NOW_MS + 1, 100);
    /* The event, and the customer with its figure and its newest event: it stays due when it was.
     */
    ck_assert_uint_eq(memory_view_writes(fixture.memory) - before, 2);
}
END_TEST

/* ---- rules that change */

static void rules_begin(void)
{
    rules_build(&builder, &fixture.rules->rules);
}

START_TEST(new_rules_take_every_customer_over_with_figures_from_history)
{
    rules_of_one(count_of(10, 3));
    for (uint8_t customer = 1; customer <= 3; customer++) {
        for (uint8_t i = 0; i < customer; i++) {
            happen(&fixture, customer, "purchase", FIXTURE_NOW_MS + i, 100);
        }
    }
    ck_assert_uint_eq(members_of(&fixture, "s"), 1);
    rules_begin();
    segment_add(&builder, "s", count_of(10, 2));
    segment_add(&builder, "new", sum_of(90, 100));
    rules_put(&fixture);
    ck_assert_uint_eq(members_of(&fixture, "s"), 2);
    ck_assert_uint_eq(members_of(&fixture, "new"), 3);
    ck_assert_uint_eq(newest(0)->rules_version, 2);
    struct segmentation_membership membership = { .version = 0 };
    ck_assert(segmentation_membership_load(&fixture.view, customer_of(3), 1, &membership));
    ck_assert_uint_eq(membership.version, 2); /* decided again, and stays */
    ck_assert_int_eq(membership.since_ms, FIXTURE_NOW_MS + 2);
    time_pass(&fixture, FIXTURE_NOW_MS + days_ms(400));
    ck_assert_uint_eq(members_of(&fixture, "s") + members_of(&fixture, "new"), 0);
}
END_TEST

START_TEST(a_segment_that_left_the_rules_is_left_by_its_members)
{
    segment_add(&builder, "gone", count_of(10, 1));
    segment_add(&builder, "kept", count_of(10, 1));
    rules_put(&fixture);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 100);
    rules_begin();
    segment_add(&builder, "kept", count_of(10, 1));
    rules_put(&fixture);
    ck_assert_uint_eq(fixture.move_count, 3);
    ck_assert(!newest(0)->entered && !newest(0)->by_time);
    ck_assert_str_eq(newest(0)->segment, "gone");
    ck_assert_uint_eq(members_of(&fixture, "gone"), 0);
    ck_assert_uint_eq(members_of(&fixture, "kept"), 1);
    rules_begin();
    segment_add(&builder, "gone", count_of(10, 1));
    rules_put(&fixture);
    ck_assert_uint_eq(members_of(&fixture, "gone"), 1);
    uint32_t number = 0;
    ck_assert(segmentation_number_load(&fixture.view, span_of_text("gone"), &number));
    ck_assert_uint_eq(number, 1); /* a number is given once */
}
END_TEST

START_TEST(segments_of_a_customer_are_listed_as_long_as_they_are_few)
{
    struct segmentation_customer customer = segmentation_customer_new();
    for (uint32_t i = 0; i < SEGMENTATION_LISTED_MAX; i++) {
        segmentation_customer_join(&customer, 100 - i);
        ck_assert_uint_eq(customer.segment_count, i + 1);
        ck_assert_uint_eq(customer.segments[0], 100 - i);
    }
    segmentation_customer_leave(&customer, 97);
    ck_assert_uint_eq(customer.segment_count, SEGMENTATION_LISTED_MAX - 1);
    ck_assert_uint_eq(customer.segments[SEGMENTATION_LISTED_MAX - 4], 98);
    segmentation_customer_join(&customer, 97);
    /* One more than the list takes, and then nothing is known until all are gone. */
    segmentation_customer_join(&customer, 7);
    ck_assert_uint_eq(customer.segment_count, SEGMENTATION_UNLISTED);
    segmentation_customer_leave(&customer, 7);
    ck_assert_uint_eq(customer.segment_count, SEGMENTATION_UNLISTED);
    for (uint32_t i = 0; i < SEGMENTATION_LISTED_MAX; i++) {
        segmentation_customer_leave(&customer, 100 - i);
    }
    ck_assert_uint_eq(customer.memberships, 0);
    ck_assert_uint_eq(customer.segment_count, 0);
}
END_TEST

START_TEST(a_customer_may_belong_to_more_segments_than_are_listed)
{
    enum { SEGMENTS = SEGMENTATION_LISTED_MAX + 3 };
    char names[SEGMENTS][4];
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        (void)snprintf(names[i], sizeof names[i], "s%u", i);
        segment_add(&builder, names[i], count_of(10 + i, 1));
    }
    rules_put(&fixture);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 100);
    ck_assert_uint_eq(fixture.move_count, SEGMENTS);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        time_pass(&fixture, FIXTURE_NOW_MS + days_ms(10 + i));
        ck_assert_uint_eq(fixture.move_count, SEGMENTS + i + 1);
        ck_assert_uint_eq(members_of(&fixture, names[i]), 0);
    }
}
END_TEST

START_TEST(more_types_of_events_may_happen_than_are_held)
{
    static const char *const types[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    const size_t count = sizeof types / sizeof types[0];
    segment_add(&builder, "first", last_clause(types[0], RULES_WITHIN, 10));
    segment_add(&builder, "last", last_clause(types[count - 1], RULES_WITHIN, 10));
    rules_put(&fixture);
    int64_t newest_ms = FIXTURE_NOW_MS + days_ms(2);
    for (size_t i = 0; i < count; i++) {
        happen(&fixture, 1, types[i], newest_ms, 100);
    }
    ck_assert_uint_eq(memory_view_count(fixture.memory, SEGMENTATION_TABLE_LATEST),
                      count - SEGMENTATION_HELD_LATEST);
    for (size_t i = 0; i < count; i++) { /* older ones change nothing */
        struct segmentation_event late = { .customer = customer_of(1),
                                           .type = span_of_text(types[i]),
                                           .occurred_at_ms = FIXTURE_NOW_MS,
                                           .now_ms = newest_ms };
        event_fold(&fixture, &late);
    }
    time_pass(&fixture, newest_ms + days_ms(10) - 1);
    ck_assert(is_member(&fixture, 1, "first") && is_member(&fixture, 1, "last"));
    time_pass(&fixture, newest_ms + days_ms(10));
    ck_assert(!is_member(&fixture, 1, "first") && !is_member(&fixture, 1, "last"));
}
END_TEST

static void front_is(const struct segmentation_front *front)
{
    struct segmentation_front found = segmentation_front_unknown();
    (void)segmentation_front_find(&fixture.view, &found);
    ck_assert_int_eq(front->key.at_ms, found.key.at_ms);
    ck_assert(found.key.at_ms == SEGMENTATION_NEVER ||
              customer_id_equal(front->key.customer, found.key.customer));
}

static void front_teach(struct segmentation_front *front, struct customer_id id)
{
    struct segmentation_customer customer = { .version = 0 };
    if (segmentation_customer_load(&fixture.view, id, &customer)) {
        struct segmentation_due_key due = { .at_ms = customer.due_ms, .customer = id };
        segmentation_front_learn(front, due);
    }
}

START_TEST(the_front_that_is_kept_is_the_one_that_is_found)
{
    rules_of_one(count_of(10, 1));
    struct segmentation_front front = segmentation_front_unknown();
    ck_assert(!segmentation_front_find(&fixture.view, &front));
    /* Days and customers so that each new one is sometimes before, sometimes behind the first,
     * and is sometimes the first itself. */
    static const struct {
        uint8_t customer;
        int64_t day;
    } happenings[] = { { 5, 0 }, { 3, 0 }, { 4, 0 }, { 3, 1 }, { 1, 2 },  { 5, 3 },
                       { 4, 9 }, { 2, 9 }, { 3, 9 }, { 1, 9 }, { 1, 10 }, { 6, 11 } };
    for (size_t i = 0; i < sizeof happenings / sizeof happenings[0]; i++) {
        happen(&fixture, happenings[i].customer, "purchase",
               FIXTURE_NOW_MS + days_ms(happenings[i].day), 100);
        for (uint8_t customer = 1; customer <= 6; customer++) {
            front_teach(&front, customer_of(customer));
        }
        ck_assert(segmentation_front_find(&fixture.view, &front));
        front_is(&front);
    }
}
END_TEST

START_TEST(visits_are_due_since_the_rules_changed_and_go_on_where_they_stood)
{
    rules_of_one(count_of(10, 1));
    int64_t due_ms = 0;
    struct segmentation_front front = segmentation_front_unknown();
    ck_assert(!is_due(&front, &due_ms)); /* nobody is known */
    ck_assert_int_eq(front.key.at_ms, SEGMENTATION_NEVER);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 100);
    happen(&fixture, 2, "purchase", FIXTURE_NOW_MS, 100);
    rules_begin();
    segment_add(&builder, "s", count_of(10, 2));
    rules_enact(&fixture);
    ck_assert(is_due(&front, &due_ms));
    ck_assert_int_eq(due_ms, FIXTURE_NOW_MS);
    struct customer_id id = { { 0 } };
    ck_assert(segmentation_core_visit_next(&fixture.view, &id));
    ck_assert(customer_id_equal(id, customer_of(1)));
    segmentation_core_visit_evolve(&fixture.change, fixture.work, id, fixture.now_ms);
    ck_assert(segmentation_core_visit_next(&fixture.view, &id));
    ck_assert(customer_id_equal(id, customer_of(2)));
    /* Who was not visited is still what the old rules made of it. */
    struct segmentation_customer customer = { .version = 0 };
    ck_assert(segmentation_customer_load(&fixture.view, customer_of(2), &customer));
    ck_assert_uint_eq(customer.version, 1);
    segmentation_core_visit_evolve(&fixture.change, fixture.work, id, fixture.now_ms);
    ck_assert(!segmentation_core_visit_next(&fixture.view, &id));
    segmentation_core_visits_end_evolve(&fixture.change);
    front = segmentation_front_unknown();
    ck_assert(is_due(&front, &due_ms));
    ck_assert_int_eq(due_ms, FIXTURE_NOW_MS + days_ms(10));
}
END_TEST

START_TEST(a_visit_at_a_due_instant_stands_at_that_instant)
{
    segment_add(&builder, "s", count_of(10, 1));
    segment_add(&builder, "last", last_clause("usage", RULES_WITHIN, 10));
    rules_put(&fixture);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 100);
    struct segmentation_event ahead = { .customer = customer_of(1),
                                        .type = span_of_text("usage"),
                                        .occurred_at_ms = FIXTURE_NOW_MS + days_ms(10),
                                        .now_ms = FIXTURE_NOW_MS };
    event_fold(&fixture, &ahead);
    fixture.now_ms = FIXTURE_NOW_MS + days_ms(10); /* the tick was cut off before this customer */
    rules_begin();
    segment_add(&builder, "last", last_clause("usage", RULES_WITHIN, 10));
    segment_add(&builder, "usage", window_clause(RULES_COUNT, "usage", 10, RULES_EQUALS, 1));
    rules_put(&fixture);
    ck_assert_uint_eq(members_of(&fixture, "s"), 0);
    ck_assert_uint_eq(members_of(&fixture, "last"), 1);
    ck_assert_uint_eq(members_of(&fixture, "usage"), 1);
    int64_t due_ms = 0;
    struct segmentation_front front = segmentation_front_unknown();
    ck_assert(is_due(&front, &due_ms));
    ck_assert_int_eq(due_ms, FIXTURE_NOW_MS + days_ms(20));
}
END_TEST

/* ---- lists */

static bool text_visit(void *argument, struct span text)
{
    char **at = argument;
    memcpy(*at, text.data, text.size);
    *at += text.size;
    return true;
}

START_TEST(members_are_listed_by_their_text_within_their_segment)
{
    segment_add(&builder, "a", count_of(10, 1));
    segment_add(&builder, "b", count_of(10, 1));
    rules_put(&fixture);
    happen(&fixture, 3, "purchase", FIXTURE_NOW_MS, 0);
    happen(&fixture, 1, "purchase", FIXTURE_NOW_MS, 0);
    happen(&fixture, 2, "purchase", FIXTURE_NOW_MS, 0);
    char listed[32] = { 0 };
    char *at = listed;
    segmentation_member_walk(&fixture.view, 1, span_of(NULL, 0), text_visit, &at);
    ck_assert_str_eq(listed, "cbcccd");
    memset(listed, 0, sizeof listed);
    at = listed;
    segmentation_member_walk(&fixture.view, 2, span_of_text("cc"), text_visit, &at);
    ck_assert_str_eq(listed, "cccd");
}
END_TEST

START_TEST(a_customer_whose_text_is_sealed_is_listed_by_its_id)
{
    struct segmentation_customer customer = segmentation_customer_new();
    customer.subject = (struct segmentation_subject){ .key_id = 7, .size = 3, .bytes = "xyz" };
    struct segmentation_name name = segmentation_customer_text(customer_of(9), &customer);
    ck_assert_str_eq(name.text, "00000000000000000000000000000009");
    customer.subject.key_id = 0;
    name = segmentation_customer_text(customer_of(9), &customer);
    ck_assert_str_eq(name.text, "xyz");
}
END_TEST

/* ---- what entries carry for campaigns */

static struct campaigns campaigns_of_two(void)
{
    struct campaigns campaigns = { .channel_count = 2, .campaign_count = 2 };
    memcpy(campaigns.channels[0].address, "phone", sizeof "phone");
    memcpy(campaigns.channels[1].address, "email", sizeof "email");
    campaigns.campaigns[0] = (struct campaign_rule){ .name = "one", .segment = "s" };
    memcpy(campaigns.campaigns[0].text, "{tier} {customer} {gone}",
           sizeof "{tier} {customer} {gone}");
    campaigns.campaigns[1] =
        (struct campaign_rule){ .name = "two", .segment = "other", .channel = 1 };
    memcpy(campaigns.campaigns[1].text, "{tier}", sizeof "{tier}");
    return campaigns;
}

/* A word that is kept for messages only. */
static void say_personally(const char *name, const char *text, int64_t at_ms)
{
    struct segmentation_event event = {
        .customer = customer_of(1),
        .type = span_of_text("profile_changed"),
        .occurred_at_ms = at_ms,
        .now_ms = fixture.now_ms,
        .said_count = 1,
        .said = { { .name = span_of_text(name), .text = span_of_text(text), .personal = true } },
    };
    event_fold(&fixture, &event);
}

static void contact_load(const struct campaigns *campaigns, const char *segment,
                         struct segmentation_contact *contact)
{
    segmentation_core_contact(&fixture.view, customer_of(1), campaigns, span_of_text(segment),
                              contact);
}

START_TEST(an_entry_carries_what_campaigns_of_its_segment_need_and_is_known)
{
    rules_of_one(count_of(10, 1));
    struct campaigns campaigns = campaigns_of_two();
    struct segmentation_contact contact = { .count = 77 };
    contact_load(&campaigns, "s", &contact);
    ck_assert_uint_eq(contact.count, 0);
    say(&fixture, 1, "tier", "gold", FIXTURE_NOW_MS);
    say(&fixture, 1, "gone", "soon", FIXTURE_NOW_MS);
    say(&fixture, 1, "gone", "", FIXTURE_NOW_MS);
    say_personally("phone", "+41 44", FIXTURE_NOW_MS);
    say_personally("email", "a@b", FIXTURE_NOW_MS);
    contact_load(&campaigns, "s", &contact);
    ck_assert_uint_eq(contact.count, 2);
    for (size_t i = 0; i < contact.count; i++) {
        const struct segmentation_contact_item *item = &contact.items[i];
        bool is_phone = strcmp(item->name.text, "phone") == 0;
        ck_assert(is_phone || strcmp(item->name.text, "tier") == 0);
        ck_assert(span_equal(item->value.bytes, span_of_text(is_phone ? "+41 44" : "gold")));
        ck_assert_uint_eq(item->value.key_id, 0);
    }
    contact_load(&campaigns, "other", &contact);
    ck_assert_uint_eq(contact.count, 2);
    contact_load(&campaigns, "no_campaigns", &contact);
    ck_assert_uint_eq(contact.count, 0);
}
END_TEST

START_TEST(no_rule_sees_a_personal_attribute)
{
    rules_of_one(attribute_clause("phone", "+41 44"));
    say_personally("phone", "+41 44", FIXTURE_NOW_MS);
    ck_assert(!is_member(&fixture, 1, "s"));
    ck_assert_uint_eq(fixture.move_count, 0);
    say(&fixture, 1, "phone", "+41 44", FIXTURE_NOW_MS);
    ck_assert(is_member(&fixture, 1, "s"));
}
END_TEST

static Suite *suite_of_segmentation(void)
{
    Suite *suite = suite_create("segmentation_core");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, an_event_leaves_its_window_at_the_very_instant, 0, EDGE_ROWS);
    tcase_add_loop_test(tcase, a_late_event_counts_in_every_window_that_still_holds_it, 0,
                        EDGE_ROWS);
    tcase_add_loop_test(tcase, a_last_event_is_within_days_like_a_window_and_older_from_then_on, 0,
                        EDGE_ROWS);
    tcase_add_test(tcase, time_alone_lets_a_customer_out_at_the_due_instant);
    tcase_add_test(tcase, what_is_due_at_an_instant_comes_before_the_events_of_that_instant);
    tcase_add_test(tcase, events_of_one_instant_leave_together_in_one_tick);
    tcase_add_test(tcase, several_windows_that_end_at_one_instant_are_decided_once);
    tcase_add_test(tcase, customers_that_are_due_together_come_in_the_order_of_their_ids);
    tcase_add_test(tcase, an_event_without_worth_counts_but_adds_nothing);
    tcase_add_test(tcase, amounts_below_zero_take_away_and_give_back_when_they_leave);
    tcase_add_test(tcase, only_events_of_the_category_count_where_a_rule_names_one);
    tcase_add_test(tcase, the_last_event_of_a_category_is_not_that_of_another);
    tcase_add_test(tcase, a_sum_past_64_bits_is_exact_and_comes_back);
    tcase_add_test(tcase, an_event_dated_ahead_counts_when_now_gets_there);
    tcase_add_test(tcase, events_dated_ahead_to_one_instant_come_true_together);
    tcase_add_test(tcase, the_later_word_on_an_attribute_holds_whichever_came_first);
    tcase_add_test(tcase, what_is_unknown_satisfies_no_clause_but_its_not);
    tcase_add_test(tcase, a_rule_is_decided_again_only_after_what_may_have_changed_it);
    tcase_add_test(tcase, history_forgets_what_no_window_can_ask_for_but_not_the_last_event);
    tcase_add_test(tcase, an_event_older_than_history_counts_nowhere_but_may_be_the_last);
    tcase_add_test(tcase, a_long_gap_is_pruned_in_bounded_pieces_until_nothing_old_is_left);
    tcase_add_test(tcase, an_event_touches_its_customers_records_and_no_others);
    tcase_add_test(tcase, new_rules_take_every_customer_over_with_figures_from_history);
    tcase_add_test(tcase, a_segment_that_left_the_rules_is_left_by_its_members);
    tcase_add_test(tcase, segments_of_a_customer_are_listed_as_long_as_they_are_few);
    tcase_add_test(tcase, a_customer_may_belong_to_more_segments_than_are_listed);
    tcase_add_test(tcase, more_types_of_events_may_happen_than_are_held);
    tcase_add_test(tcase, the_front_that_is_kept_is_the_one_that_is_found);
    tcase_add_test(tcase, visits_are_due_since_the_rules_changed_and_go_on_where_they_stood);
    tcase_add_test(tcase, a_visit_at_a_due_instant_stands_at_that_instant);
    tcase_add_test(tcase, members_are_listed_by_their_text_within_their_segment);
    tcase_add_test(tcase, a_customer_whose_text_is_sealed_is_listed_by_its_id);
    tcase_add_test(tcase, an_entry_carries_what_campaigns_of_its_segment_need_and_is_known);
    tcase_add_test(tcase, no_rule_sees_a_personal_attribute);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_segmentation());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
