/* link: common_rules */
/*
 * The rules language: what may be built, what a rule comes to, how it reads.
 */
#include "common/rules/rules_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(899164800000)
#define DAY_MS INT64_C(86400000)

static struct rules *rules;
static struct rules_builder builder;

static void setup(void)
{
    rules = memory_allocate(sizeof *rules);
    rules_build(&builder, rules);
}

static void teardown(void)
{
    free(rules);
}

/* ---- one customer's figures, as a test sets them */

static struct rules_window window;
static bool has_latest;
static int64_t latest_ms;
static bool has_attribute;
static struct rules_attribute attribute;

static struct rules_window window_answer(void *context, size_t feature)
{
    (void)context;
    ck_assert_uint_lt(feature, rules->feature_count);
    return window;
}

static bool latest_answer(void *context, size_t feature, int64_t *at_ms)
{
    (void)context;
    ck_assert_uint_eq(rules->features[feature].days, 0);
    *at_ms = latest_ms;
    return has_latest;
}

static bool attribute_answer(void *context, struct span name, struct rules_attribute *out)
{
    (void)context;
    ck_assert(span_equal(name, span_of_text("tier")));
    *out = attribute;
    return has_attribute;
}

static const struct rules_values values = {
    .now_ms = NOW_MS,
    .window = window_answer,
    .latest = latest_answer,
    .attribute = attribute_answer,
};

/* ---- clauses */

static struct rules_clause count_clause(enum rules_comparison comparison, int64_t number)
{
    return (struct rules_clause){ .kind = RULES_COUNT,
                                  .subject = span_of_text("purchase"),
                                  .days = 30,
                                  .comparison = comparison,
                                  .number = number };
}

static struct rules_clause tier_clause(const char *value)
{
    return (struct rules_clause){ .kind = RULES_ATTRIBUTE,
                                  .subject = span_of_text("tier"),
                                  .comparison = RULES_IN,
                                  .value_count = 1,
                                  .values = { span_of_text(value) } };
}

static enum status add(struct rules_clause clause)
{
    return rules_clause_add(&builder, &clause);
}

static void begin(const char *name)
{
    ck_assert_int_eq(rules_segment_begin(&builder, span_of_text(name)), STATUS_OK);
}

static void end(void)
{
    ck_assert_int_eq(rules_segment_end(&builder), STATUS_OK);
}

static void group(enum rules_kind kind)
{
    ck_assert_int_eq(rules_group_begin(&builder, kind), STATUS_OK);
}

static void group_end(void)
{
    ck_assert_int_eq(rules_group_end(&builder), STATUS_OK);
}

static void one(struct rules_clause clause)
{
    begin("s");
    ck_assert_int_eq(add(clause), STATUS_OK);
    end();
}

/* ---- evaluation */

/* clang-format off */
static const struct number_row {
    enum rules_comparison comparison;
    bool below; /* 2, of 3 */
    bool equal;
    bool above;
} number_rows[] = {
    { RULES_AT_LEAST,  false, true,  true  },
    { RULES_AT_MOST,   true,  true,  false },
    { RULES_MORE_THAN, false, false, true  },
    { RULES_LESS_THAN, true,  false, false },
    { RULES_EQUALS,    false, true,  false },
};
/* clang-format on */
#define NUMBER_ROWS ((int)(sizeof number_rows / sizeof number_rows[0]))

START_TEST(a_count_and_a_sum_are_compared_with_their_number)
{
    const struct number_row *row = &number_rows[_i];
    const bool wanted[] = { row->below, row->equal, row->above };
    struct rules_clause clause = count_clause(row->comparison, 3);
    begin("count");
    ck_assert_int_eq(add(clause), STATUS_OK);
    end();
    begin("sum");
    clause.kind = RULES_SUM;
    ck_assert_int_eq(add(clause), STATUS_OK);
    end();
    for (int64_t value = 2; value <= 4; value++) {
        window = (struct rules_window){ .count = (uint64_t)value };
        ck_assert(rules_segment_holds(rules, 0, &values) == wanted[value - 2]);
        window = (struct rules_window){ .sum = value };
        ck_assert(rules_segment_holds(rules, 1, &values) == wanted[value - 2]);
    }
}
END_TEST

START_TEST(a_sum_past_64_bits_is_more_than_any_number)
{
    struct rules_clause clause = count_clause(RULES_MORE_THAN, LIMIT_AMOUNT);
    clause.kind = RULES_SUM;
    one(clause);
    window.sum = (rules_sum)INT64_MAX * 4;
    ck_assert(rules_segment_holds(rules, 0, &values));
    window.sum = (rules_sum)INT64_MIN * 4;
    ck_assert(!rules_segment_holds(rules, 0, &values));
}
END_TEST

START_TEST(the_last_event_is_within_days_or_older_and_an_unknown_one_is_neither)
{
    struct rules_clause clause = { .kind = RULES_LAST,
                                   .subject = span_of_text("purchase"),
                                   .days = 10,
                                   .comparison = RULES_WITHIN };
    begin("within");
    ck_assert_int_eq(add(clause), STATUS_OK);
    end();
    begin("older");
    clause.comparison = RULES_OLDER_THAN;
    ck_assert_int_eq(add(clause), STATUS_OK);
    end();
    const struct {
        int64_t before_ms;
        bool within;
    } rows[] = { { 0, true }, { 10 * DAY_MS - 1, true }, { 10 * DAY_MS, false } };
    has_latest = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        latest_ms = NOW_MS - rows[i].before_ms;
        ck_assert(rules_segment_holds(rules, 0, &values) == rows[i].within);
        ck_assert(rules_segment_holds(rules, 1, &values) != rows[i].within);
    }
    has_latest = false;
    ck_assert(!rules_segment_holds(rules, 0, &values));
    ck_assert(!rules_segment_holds(rules, 1, &values));
}
END_TEST

START_TEST(an_attribute_is_one_of_the_texts_to_the_byte_or_a_number_in_range)
{
    struct rules_clause clause = tier_clause("gold");
    clause.value_count = 2;
    clause.values[1] = span_of_text("5");
    one(clause);
    begin("number");
    struct rules_clause number = { .kind = RULES_ATTRIBUTE,
                                   .subject = span_of_text("tier"),
                                   .comparison = RULES_AT_LEAST,
                                   .number = -5 };
    ck_assert_int_eq(add(number), STATUS_OK);
    end();
    has_attribute = true;
    attribute = (struct rules_attribute){ .text = span_of_text("gold") };
    ck_assert(rules_segment_holds(rules, 0, &values));
    ck_assert(!rules_segment_holds(rules, 1, &values)); /* a text is in no range */
    attribute.text = span_of_text("Gold");
    ck_assert(!rules_segment_holds(rules, 0, &values));
    attribute.text = span_of_text("golden");
    ck_assert(!rules_segment_holds(rules, 0, &values));
    attribute = (struct rules_attribute){ span_of_text("5"), true, 5 };
    ck_assert(rules_segment_holds(rules, 0, &values));
    ck_assert(rules_segment_holds(rules, 1, &values));
    attribute = (struct rules_attribute){ span_of_text("-6"), true, -6 };
    ck_assert(!rules_segment_holds(rules, 1, &values));
    has_attribute = false;
    ck_assert(!rules_segment_holds(rules, 0, &values));
}
END_TEST

/* Two clauses with their outcomes: whether the count is met, whether the tier is gold. */
static bool truth(enum rules_kind kind, bool first, bool second)
{
    rules_build(&builder, rules);
    begin("s");
    group(kind);
    ck_assert_int_eq(add(count_clause(RULES_AT_LEAST, 1)), STATUS_OK);
    if (kind != RULES_NOT) {
        ck_assert_int_eq(add(tier_clause("gold")), STATUS_OK);
    }
    group_end();
    end();
    window = (struct rules_window){ .count = first ? 1 : 0 };
    has_attribute = true;
    attribute = (struct rules_attribute){ .text = span_of_text(second ? "gold" : "tin") };
    return rules_segment_holds(rules, 0, &values);
}

START_TEST(groups_join_their_members)
{
    for (int i = 0; i < 4; i++) {
        bool first = (i & 1) != 0;
        bool second = (i & 2) != 0;
        ck_assert(truth(RULES_ALL, first, second) == (first && second));
        ck_assert(truth(RULES_ANY, first, second) == (first || second));
        ck_assert(truth(RULES_NOT, first, second) == !first);
    }
}
END_TEST

START_TEST(groups_nest_and_what_follows_an_inner_one_is_not_lost)
{
    begin("s");
    group(RULES_ALL);
    group(RULES_NOT);
    group(RULES_ANY);
    ck_assert_int_eq(add(tier_clause("tin")), STATUS_OK);
    ck_assert_int_eq(add(tier_clause("lead")), STATUS_OK);
    group_end();
    group_end();
    ck_assert_int_eq(add(count_clause(RULES_AT_LEAST, 1)), STATUS_OK);
    group_end();
    end();
    has_attribute = true;
    attribute = (struct rules_attribute){ .text = span_of_text("gold") };
    window = (struct rules_window){ .count = 1 };
    ck_assert(rules_segment_holds(rules, 0, &values));
    window.count = 0;
    ck_assert(!rules_segment_holds(rules, 0, &values));
    window.count = 1;
    attribute.text = span_of_text("lead");
    ck_assert(!rules_segment_holds(rules, 0, &values));
}
END_TEST

/* ---- any rule at all */

/* Clause i of the rule holds where bit i is set; each has a window, and so a feature, of its own.
 */
static uint32_t held;
static size_t asked;

static struct rules_window bit_answer(void *context, size_t feature)
{
    (void)context;
    ck_assert_uint_lt(feature, RULES_CLAUSES_MAX);
    asked += 1;
    return (struct rules_window){ .count = held >> feature & 1U };
}

static const struct rules_values bits = { .now_ms = NOW_MS, .window = bit_answer };

static void bit_add(void)
{
    struct rules_clause clause = count_clause(RULES_AT_LEAST, 1);
    clause.days = (uint32_t)rules->feature_count + 1;
    ck_assert_int_eq(add(clause), STATUS_OK);
}

#define RULE_ROUNDS 200
static uint64_t chance_state;

static unsigned draw(unsigned below)
{
    chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(chance_state >> 33U) % below;
}

/* The groups around what is drawn next, and how many members each still gets. */
struct drawn {
    size_t depth;
    size_t left[RULES_DEPTH_MAX];
};

static void drawn_begin(struct drawn *drawn)
{
    enum rules_kind kind = (enum rules_kind)(RULES_ALL + draw(3));
    group(kind);
    drawn->left[drawn->depth++] = kind == RULES_NOT ? 1 : 1 + draw(3);
}

static void rule_draw(void)
{
    struct drawn drawn = { .depth = 0 };
    drawn_begin(&drawn);
    while (drawn.depth > 0) {
        size_t *left = &drawn.left[drawn.depth - 1];
        bool may_nest = drawn.depth + 1 < RULES_DEPTH_MAX && builder.group_count < 12;
        if (*left == 0) {
            group_end();
            drawn.depth -= 1;
            continue;
        }
        *left -= 1;
        if (may_nest && draw(2) == 0) {
            drawn_begin(&drawn);
        } else {
            bit_add();
        }
    }
}

/* The same from the back, with nothing left out: what is in a group is known before it. */
static bool holds_plainly(void)
{
    bool holds[RULES_SEGMENT_NODES_MAX] = { false };
    for (size_t at = rules->node_count; at > 0; at--) {
        const struct rules_node *node = &rules->nodes[at - 1];
        if (!rules_kind_is_group(node->kind)) {
            holds[at - 1] = (held >> node->feature & 1U) != 0;
            continue;
        }
        bool all = true;
        bool any = false;
        for (size_t member = at; member < node->end; member = rules->nodes[member].end) {
            all = all && holds[member];
            any = any || holds[member];
        }
        holds[at - 1] = node->kind == RULES_NOT ? !any : node->kind == RULES_ANY ? any : all;
    }
    return holds[0];
}

START_TEST(any_rule_comes_to_what_its_members_come_to)
{
    chance_state = 20;
    for (int round = 0; round < RULE_ROUNDS; round++) {
        rules_build(&builder, rules);
        begin("s");
        rule_draw();
        end();
        for (int i = 0; i < 64; i++) {
            held = draw(1U << 30U) << 2U | draw(4);
            ck_assert(rules_segment_holds(rules, 0, &bits) == holds_plainly());
        }
    }
}
END_TEST

START_TEST(what_is_left_of_a_settled_group_is_not_asked_for)
{
    begin("s");
    group(RULES_ANY);
    group(RULES_ALL);
    for (int i = 0; i < 3; i++) {
        bit_add();
    }
    group_end();
    bit_add();
    bit_add();
    group_end();
    end();
    static const struct {
        uint32_t held;
        size_t asked;
        bool holds;
    } rows[] = {
        { 7, 3, true }, { 6, 3, false }, { 8, 2, true }, { 9, 3, true }, { 11, 4, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        held = rows[i].held;
        asked = 0;
        ck_assert(rules_segment_holds(rules, 0, &bits) == rows[i].holds);
        ck_assert_uint_eq(asked, rows[i].asked);
    }
}
END_TEST

/* ---- features */

START_TEST(clauses_over_the_same_window_share_a_figure)
{
    struct rules_clause clause = count_clause(RULES_AT_LEAST, 1);
    begin("s");
    group(RULES_ALL);
    ck_assert_int_eq(add(clause), STATUS_OK);
    clause.kind = RULES_SUM;
    ck_assert_int_eq(add(clause), STATUS_OK);
    ck_assert_uint_eq(rules->feature_count, 1);
    clause.category = span_of_text("roaming");
    ck_assert_int_eq(add(clause), STATUS_OK);
    clause.days = 31;
    ck_assert_int_eq(add(clause), STATUS_OK);
    ck_assert_uint_eq(rules->feature_count, 3);
    group_end();
    end();
    ck_assert_uint_eq(rules_days_most(rules), 31);
    struct span purchase = span_of_text("purchase");
    ck_assert(rules_feature_takes(rules, 0, purchase, span_of_text("roaming")));
    ck_assert(rules_feature_takes(rules, 0, purchase, span_of_text("")));
    ck_assert(rules_feature_takes(rules, 1, purchase, span_of_text("roaming")));
    ck_assert(!rules_feature_takes(rules, 1, purchase, span_of_text("")));
    ck_assert(!rules_feature_takes(rules, 0, span_of_text("purchases"), span_of_text("")));
}
END_TEST

/* ---- what may not be built */

START_TEST(a_clause_that_cannot_be_is_refused)
{
    struct rules_clause good = count_clause(RULES_AT_LEAST, 1);
    struct rules_clause last = { .kind = RULES_LAST,
                                 .subject = span_of_text("purchase"),
                                 .days = 1,
                                 .comparison = RULES_WITHIN };
    struct rules_clause bad[16];
    size_t count = 0;
    bad[count] = good;
    bad[count++].days = 0;
    bad[count] = good;
    bad[count++].days = RULES_DAYS_MAX + 1;
    bad[count] = good;
    bad[count++].number = -1;
    bad[count] = good;
    bad[count++].number = LIMIT_AMOUNT + 1;
    bad[count] = good;
    bad[count++].subject = span_of_text("Purchase");
    bad[count] = good;
    bad[count++].comparison = RULES_WITHIN;
    bad[count] = good;
    bad[count++].kind = RULES_ALL;
    bad[count] = last;
    bad[count++].comparison = RULES_AT_LEAST;
    bad[count] = last;
    bad[count++].number = 1;
    bad[count] = tier_clause("gold");
    bad[count++].value_count = 0;
    bad[count] = tier_clause("gold");
    bad[count++].value_count = RULES_VALUES_MAX + 1;
    bad[count] = tier_clause("gold");
    bad[count++].days = 1;
    bad[count] = tier_clause("gold");
    bad[count++].category = span_of_text("roaming");
    bad[count] = tier_clause("");
    count++;
    bad[count] = tier_clause("a\nb");
    count++;
    begin("s");
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(add(bad[i]) == STATUS_MALFORMED, "clause %zu", i);
    }
    ck_assert_int_eq(add(good), STATUS_OK);
}
END_TEST

START_TEST(a_segment_has_exactly_one_rule_and_its_own_name)
{
    begin("s");
    ck_assert_int_eq(rules_segment_end(&builder), STATUS_MALFORMED);
    ck_assert_int_eq(rules_group_end(&builder), STATUS_MALFORMED);
    group(RULES_ALL);
    ck_assert_int_eq(rules_group_end(&builder), STATUS_MALFORMED); /* empty */
    ck_assert_int_eq(rules_segment_end(&builder), STATUS_MALFORMED);
    ck_assert_int_eq(add(tier_clause("gold")), STATUS_OK);
    group_end();
    ck_assert_int_eq(add(tier_clause("gold")), STATUS_MALFORMED); /* a second one */
    ck_assert_int_eq(rules_group_begin(&builder, RULES_ALL), STATUS_MALFORMED);
    end();
    ck_assert_int_eq(rules_segment_begin(&builder, span_of_text("s")), STATUS_EXISTS);
    ck_assert_int_eq(rules_segment_begin(&builder, span_of_text("")), STATUS_MALFORMED);
    begin("t");
    group(RULES_NOT);
    ck_assert_int_eq(add(tier_clause("gold")), STATUS_OK);
    ck_assert_int_eq(add(tier_clause("tin")), STATUS_OK);
    ck_assert_int_eq(rules_group_end(&builder), STATUS_MALFORMED); /* not of two */
    ck_assert_int_eq(rules_group_begin(&builder, RULES_COUNT), STATUS_MALFORMED);
}
END_TEST

/* ---- bounds */

START_TEST(depth_ends_at_its_bound)
{
    begin("s");
    for (int depth = 1; depth < RULES_DEPTH_MAX; depth++) {
        group(RULES_NOT);
    }
    ck_assert_int_eq(rules_group_begin(&builder, RULES_NOT), STATUS_LIMIT);
    ck_assert_int_eq(add(tier_clause("gold")), STATUS_OK);
    for (int depth = 1; depth < RULES_DEPTH_MAX; depth++) {
        group_end();
    }
    end();
    has_attribute = true;
    attribute = (struct rules_attribute){ .text = span_of_text("gold") };
    ck_assert(!rules_segment_holds(rules, 0, &values)); /* seven times not */
}
END_TEST

/* A clause of a window that no other has; in a group of its own, as far as groups go. */
static void clause_of_its_own(int segment, int number)
{
    struct rules_clause clause = count_clause(RULES_AT_LEAST, 0);
    clause.days = (uint32_t)(1 + segment * RULES_CLAUSES_MAX + number);
    bool grouped = number > 0 && number < RULES_GROUPS_MAX;
    if (grouped) {
        group(RULES_ANY);
    }
    ck_assert_int_eq(add(clause), STATUS_OK);
    if (grouped) {
        group_end();
    }
}

START_TEST(segments_and_clauses_end_at_their_bounds_and_all_of_them_fit)
{
    for (int i = 0; i < RULES_SEGMENTS_MAX; i++) {
        char name[] = { 's', (char)('0' + i / 10), (char)('0' + i % 10), '\0' };
        begin(name);
        group(RULES_ALL);
        for (int j = 0; j < RULES_CLAUSES_MAX; j++) {
            clause_of_its_own(i, j);
        }
        ck_assert_int_eq(add(count_clause(RULES_AT_LEAST, 1)), STATUS_LIMIT);
        ck_assert_int_eq(rules_group_begin(&builder, RULES_ALL), STATUS_LIMIT);
        group_end();
        end();
    }
    ck_assert_int_eq(rules_segment_begin(&builder, span_of_text("more")), STATUS_LIMIT);
    ck_assert_uint_eq(rules->node_count, RULES_NODES_MAX);
    ck_assert_uint_eq(rules->feature_count, RULES_FEATURES_MAX);
    ck_assert(rules_segment_holds(rules, RULES_SEGMENTS_MAX - 1, &values));
    ck_assert_uint_eq(rules_segment_find(rules, span_of_text("s63")), 63);
    ck_assert_uint_eq(rules_segment_find(rules, span_of_text("more")), RULES_SEGMENTS_MAX);
}
END_TEST

START_TEST(texts_end_at_their_bound_and_each_is_kept_once)
{
    char value[RULES_VALUE_BYTES + 1] = { 0 };
    memset(value, 'x', RULES_VALUE_BYTES);
    begin("s");
    group(RULES_ANY);
    enum status status = STATUS_OK;
    size_t added = 0;
    for (int i = 0; i < RULES_CLAUSES_MAX && status == STATUS_OK; i++) {
        struct rules_clause clause = tier_clause(value);
        char texts[RULES_VALUES_MAX][RULES_VALUE_BYTES + 1];
        for (int j = 0; j < RULES_VALUES_MAX; j++) {
            memcpy(texts[j], value, sizeof value);
            texts[j][0] = (char)('a' + i % 16);
            texts[j][1] = (char)('a' + j % 16);
            texts[j][2] = (char)('a' + i / 16 * 2 + j / 16);
            clause.values[j] = span_of_text(texts[j]);
        }
        clause.value_count = RULES_VALUES_MAX;
        status = add(clause);
        added += status == STATUS_OK ? 1 : 0;
    }
    ck_assert_int_eq(status, STATUS_LIMIT);
    ck_assert_uint_eq(added, RULES_TEXT_BYTES / (RULES_VALUES_MAX * RULES_VALUE_BYTES) - 1);
    size_t before = rules->text_size;
    ck_assert_int_eq(add(tier_clause("xxxx")), STATUS_OK); /* stands within another */
    ck_assert_uint_eq(rules->text_size, before);
}
END_TEST

/* ---- texts */

static const char *text_of(enum status (*write)(const struct rules *, size_t, struct buffer *),
                           size_t at)
{
    static char text[512];
    struct buffer out;
    buffer_init(&out, sizeof text - 1);
    ck_assert_int_eq(write(rules, at, &out), STATUS_OK);
    memcpy(text, out.data, out.size);
    text[out.size] = '\0';
    buffer_release(&out);
    return text;
}

START_TEST(rules_read_as_people_would_say_them)
{
    struct rules_clause clause = count_clause(RULES_AT_LEAST, 20000);
    clause.kind = RULES_SUM;
    clause.days = 90;
    one(clause);
    ck_assert_str_eq(text_of(rules_segment_text, 0), "sum(purchase) over 90 days >= 200.00");
    begin("t");
    group(RULES_ALL);
    ck_assert_int_eq(add(tier_clause("gold")), STATUS_OK);
    group(RULES_NOT);
    clause = count_clause(RULES_LESS_THAN, 5);
    clause.days = 1;
    clause.category = span_of_text("roaming");
    ck_assert_int_eq(add(clause), STATUS_OK);
    group_end();
    group(RULES_ANY);
    clause = (struct rules_clause){ .kind = RULES_LAST,
                                    .subject = span_of_text("recharge"),
                                    .days = 10,
                                    .comparison = RULES_OLDER_THAN };
    ck_assert_int_eq(add(clause), STATUS_OK);
    clause.comparison = RULES_WITHIN;
    ck_assert_int_eq(add(clause), STATUS_OK);
    group_end();
    clause = tier_clause("gold");
    clause.value_count = 2;
    clause.values[1] = span_of_text("silver");
    ck_assert_int_eq(add(clause), STATUS_OK);
    clause = (struct rules_clause){ .kind = RULES_ATTRIBUTE,
                                    .subject = span_of_text("age"),
                                    .comparison = RULES_AT_MOST,
                                    .number = -3 };
    ck_assert_int_eq(add(clause), STATUS_OK);
    group_end();
    end();
    ck_assert_str_eq(text_of(rules_segment_text, 1),
                     "all(tier = gold, not(count(purchase, category roaming) over 1 day < 5), "
                     "any(last(recharge) older than 10 days, last(recharge) within 10 days), "
                     "tier in (gold, silver), age <= -3)");
}
END_TEST

START_TEST(every_comparison_has_its_sign)
{
    static const struct {
        enum rules_comparison comparison;
        const char *text;
    } rows[] = {
        { RULES_AT_LEAST, "count(purchase) over 30 days >= 3" },
        { RULES_AT_MOST, "count(purchase) over 30 days <= 3" },
        { RULES_MORE_THAN, "count(purchase) over 30 days > 3" },
        { RULES_LESS_THAN, "count(purchase) over 30 days < 3" },
        { RULES_EQUALS, "count(purchase) over 30 days = 3" },
    };
    size_t count = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < count; i++) {
        begin(rows[i].text);
        ck_assert_int_eq(add(count_clause(rows[i].comparison, 3)), STATUS_OK);
        end();
    }
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(text_of(rules_segment_text, i), rows[i].text);
    }
}
END_TEST

START_TEST(values_read_with_their_unit)
{
    struct rules_clause clause = count_clause(RULES_AT_LEAST, 1);
    one(clause);
    begin("sum");
    clause.kind = RULES_SUM;
    ck_assert_int_eq(add(clause), STATUS_OK);
    end();
    begin("last");
    clause = (struct rules_clause){ .kind = RULES_LAST,
                                    .subject = span_of_text("recharge"),
                                    .days = 10,
                                    .comparison = RULES_WITHIN };
    ck_assert_int_eq(add(clause), STATUS_OK);
    end();
    begin("tier");
    ck_assert_int_eq(add(tier_clause("gold")), STATUS_OK);
    end();
    window = (struct rules_window){ .count = 3, .sum = 21345 };
    has_latest = true;
    latest_ms = INT64_C(898992000000);
    has_attribute = true;
    attribute = (struct rules_attribute){ .text = span_of_text("gold") };
    const char *const wanted[] = { "3", "213.45", "1998-06-28T00:00:00Z", "gold" };
    struct buffer out;
    buffer_init(&out, 64);
    for (size_t i = 0; i < 4; i++) {
        buffer_clear(&out);
        ck_assert_int_eq(rules_value_text(rules, i, &values, &out), STATUS_OK);
        ck_assert(span_equal(buffer_span(&out), span_of_text(wanted[i])));
    }
    has_latest = false;
    has_attribute = false;
    for (size_t i = 2; i < 4; i++) {
        buffer_clear(&out);
        ck_assert_int_eq(rules_value_text(rules, i, &values, &out), STATUS_OK);
        ck_assert(span_equal(buffer_span(&out), span_of_text("unknown")));
    }
    buffer_release(&out);
}
END_TEST

START_TEST(sums_of_any_size_have_two_digits_behind_the_point)
{
    const struct {
        rules_sum sum;
        const char *text;
    } rows[] = {
        { 0, "0.00" },
        { 5, "0.05" },
        { -5, "-0.05" },
        { 100, "1.00" },
        { -12345, "-123.45" },
        { INT64_MAX, "92233720368547758.07" },
        { (rules_sum)INT64_MAX * 1000000, "92233720368547758070000.00" },
        { (rules_sum)INT64_MIN * 1000000, "-92233720368547758080000.00" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[RULES_SUM_TEXT_BYTES];
        rules_sum_format(rows[i].sum, text);
        ck_assert_str_eq(text, rows[i].text);
    }
    char longest[RULES_SUM_TEXT_BYTES];
    rules_sum_format((rules_sum)1 << 126, longest);
    ck_assert_uint_eq(strlen(longest), 39);
}
END_TEST

START_TEST(a_text_past_the_buffers_limit_is_a_limit)
{
    one(count_clause(RULES_AT_LEAST, 1));
    struct buffer out;
    buffer_init(&out, 10);
    ck_assert_int_eq(rules_segment_text(rules, 0, &out), STATUS_LIMIT);
    buffer_release(&out);
    /* Already the group has no room: what is in it is not begun. */
    begin("t");
    group(RULES_ALL);
    ck_assert_int_eq(add(tier_clause("gold")), STATUS_OK);
    group_end();
    end();
    buffer_init(&out, 2);
    ck_assert_int_eq(rules_segment_text(rules, 1, &out), STATUS_LIMIT);
    ck_assert_uint_eq(out.size, 0);
    buffer_release(&out);
}
END_TEST

static Suite *suite_of_rules(void)
{
    Suite *suite = suite_create("rules");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, a_count_and_a_sum_are_compared_with_their_number, 0, NUMBER_ROWS);
    tcase_add_test(tcase, a_sum_past_64_bits_is_more_than_any_number);
    tcase_add_test(tcase, the_last_event_is_within_days_or_older_and_an_unknown_one_is_neither);
    tcase_add_test(tcase, an_attribute_is_one_of_the_texts_to_the_byte_or_a_number_in_range);
    tcase_add_test(tcase, groups_join_their_members);
    tcase_add_test(tcase, groups_nest_and_what_follows_an_inner_one_is_not_lost);
    tcase_add_test(tcase, any_rule_comes_to_what_its_members_come_to);
    tcase_add_test(tcase, what_is_left_of_a_settled_group_is_not_asked_for);
    tcase_add_test(tcase, clauses_over_the_same_window_share_a_figure);
    tcase_add_test(tcase, a_clause_that_cannot_be_is_refused);
    tcase_add_test(tcase, a_segment_has_exactly_one_rule_and_its_own_name);
    tcase_add_test(tcase, depth_ends_at_its_bound);
    tcase_add_test(tcase, segments_and_clauses_end_at_their_bounds_and_all_of_them_fit);
    tcase_add_test(tcase, texts_end_at_their_bound_and_each_is_kept_once);
    tcase_add_test(tcase, rules_read_as_people_would_say_them);
    tcase_add_test(tcase, every_comparison_has_its_sign);
    tcase_add_test(tcase, values_read_with_their_unit);
    tcase_add_test(tcase, sums_of_any_size_have_two_digits_behind_the_point);
    tcase_add_test(tcase, a_text_past_the_buffers_limit_is_a_limit);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_rules());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
