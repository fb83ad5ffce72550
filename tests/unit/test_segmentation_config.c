/* link: segmentation_service */
/*
 * Segments from YAML: what is read, and what is refused with file, line and mend.
 */
#include "services/segmentation/segmentation_codec.h"
#include "services/segmentation/segmentation_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct segmentation_rules *rules;
static struct refusal refusal;

static void setup(void)
{
    rules = memory_allocate(sizeof *rules);
    refusal_init(&refusal);
}

static void teardown(void)
{
    free(rules);
}

/* Reads `own` (a mapping in one line) and the segments below it, which begin at line 3. */
static enum status read_text(const char *own, const char *segments)
{
    struct buffer text;
    struct yaml_tree *tree = NULL;
    buffer_init(&text, YAML_FILE_BYTES_MAX);
    const char *const parts[] = { "own: ", own, "\nsegments:\n", segments };
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(buffer_append(&text, span_of_text(parts[i])), STATUS_OK);
    }
    ck_assert_int_eq(yaml_tree_parse(&tree, "f.yaml", (const char *)text.data, text.size, &refusal),
                     STATUS_OK);
    struct yaml_node *root = yaml_tree_root(tree);
    enum status status = segmentation_config_read(config_child(root, "own"),
                                                  config_child(root, "segments"), rules, &refusal);
    yaml_tree_close(&tree);
    buffer_release(&text);
    return status;
}

static const char *whole_text(void)
{
    static char text[4096];
    struct buffer out;
    buffer_init(&out, sizeof text - 1);
    segmentation_config_text(rules, &out);
    if (out.size > 0) {
        memcpy(text, out.data, out.size);
    }
    text[out.size] = '\0';
    buffer_release(&out);
    return text;
}

/* ---- what is read */

START_TEST(every_form_of_a_rule_is_read)
{
    enum status status = read_text("{history_days: 90}", "  - name: spend\n"
                                                         "    rule:\n"
                                                         "      sum: purchase\n"
                                                         "      category: roaming\n"
                                                         "      over_days: 90\n"
                                                         "      at_least: \"200.00\"\n"
                                                         "  - name: silent gold\n"
                                                         "    rule:\n"
                                                         "      all:\n"
                                                         "        - attribute: tier\n"
                                                         "          in: [gold, 7, true]\n"
                                                         "        - not:\n"
                                                         "            count: recharge\n"
                                                         "            over_days: 30\n"
                                                         "            more_than: 0\n"
                                                         "        - any:\n"
                                                         "            - last: purchase\n"
                                                         "              within_days: 10\n"
                                                         "            - last: usage\n"
                                                         "              older_than_days: 4000\n"
                                                         "            - attribute: region\n"
                                                         "              equals: north\n"
                                                         "            - attribute: age\n"
                                                         "              less_than: -5\n");
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    ck_assert_uint_eq(rules->history_days, 90);
    ck_assert_str_eq(whole_text(),
                     "spend: sum(purchase, category roaming) over 90 days >= 200.00\n"
                     "silent gold: all(tier in (gold, 7, true), not(count(recharge) over 30 days "
                     "> 0), any(last(purchase) within 10 days, last(usage) older than 4000 days, "
                     "region = north, age < -5))\n");
}
END_TEST

START_TEST(each_comparison_is_read)
{
    static const struct {
        const char *key;
        const char *sign;
    } rows[] = { { "at_least", ">=" },
                 { "at_most", "<=" },
                 { "more_than", ">" },
                 { "less_than", "<" },
                 { "equals", "=" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char yaml[256];
        char wanted[256];
        (void)snprintf(yaml, sizeof yaml,
                       "  - {name: a, rule: {sum: purchase, over_days: 1, %s: -12.5}}\n"
                       "  - {name: b, rule: {count: purchase, over_days: 2, %s: 3}}\n",
                       rows[i].key, rows[i].key);
        (void)snprintf(wanted, sizeof wanted,
                       "a: sum(purchase) over 1 day %s -12.50\n"
                       "b: count(purchase) over 2 days %s 3\n",
                       rows[i].sign, rows[i].sign);
        ck_assert_int_eq(read_text("{}", yaml), STATUS_OK);
        ck_assert_str_eq(whole_text(), wanted);
    }
}
END_TEST

START_TEST(without_segments_there_are_none_and_history_has_its_default)
{
    ck_assert_int_eq(segmentation_config_read(NULL, NULL, rules, &refusal), STATUS_OK);
    ck_assert_uint_eq(rules->rules.segment_count, 0);
    ck_assert_uint_eq(rules->history_days, SEGMENTATION_HISTORY_DAYS_DEFAULT);
    ck_assert_str_eq(whole_text(), "");
}
END_TEST

START_TEST(a_text_too_long_for_people_ends_with_dots)
{
    ck_assert_int_eq(read_text("{}", "  - {name: a, rule: {last: x, within_days: 1}}\n"
                                     "  - {name: b, rule: {last: x, within_days: 1}}\n"),
                     STATUS_OK);
    struct buffer out;
    buffer_init(&out, strlen("a: last(x) within 1 day\n...\n"));
    segmentation_config_text(rules, &out);
    ck_assert(span_equal(buffer_span(&out), span_of_text("a: last(x) within 1 day\n...\n")));
    buffer_release(&out);
}
END_TEST

/* ---- what is refused */

#define RULE(text) "  - name: s\n    rule: " text "\n"
#define CLAUSE "sum: purchase, over_days: 9, at_least: \"1.00\""

/* clang-format off */
static const struct fault_row {
    const char *own;
    const char *segments;
    unsigned line;
    const char *says;
} fault_rows[] = {
    { "{history_days: 0}",    RULE("{" CLAUSE "}"), 1, "history_days: 0 is not in 1..4000" },
    { "{history_days: 4001}", RULE("{" CLAUSE "}"), 1, "history_days: 4001 is not in 1..4000" },
    { "{history_day: 5}",     RULE("{" CLAUSE "}"), 1, "did you mean 'history_days'" },
    { "{history_days: 8}",    RULE("{" CLAUSE "}"), 4, "over_days: 9 is more than services.segmentation.history_days, 8" },
    { "{}", "  - rule: {" CLAUSE "}\n",             3, "name: is missing" },
    { "{}", "  - name: s\n",                        3, "rule: is missing" },
    { "{}", "  - name: s\n    rule: {" CLAUSE "}\n    colour: red\n", 5, "colour: unknown key" },
    { "{}", RULE("{" CLAUSE "}") RULE("{" CLAUSE "}"), 5, "'s' is a segment above" },
    { "{}", RULE("purchase"),                       4, "rule: must be a mapping" },
    { "{}", RULE("[]"),                             4, "rule: must be a mapping" },
    { "{}", RULE("{over_days: 9}"),                 4, "over_days: unknown key" },
    { "{}", RULE("{}"),                             4, "a rule is missing" },
    { "{}", RULE("{summ: purchase, over_days: 9}"), 4, "did you mean 'sum'" },
    { "{}", RULE("{" CLAUSE ", count: x}"),         4, "stands beside" },
    { "{}", RULE("{" CLAUSE ", within_days: 3}"),   4, "within_days: does not go with sum" },
    { "{}", RULE("{" CLAUSE ", at_most: 3}"),       4, "at_most: stands beside at_least" },
    { "{}", RULE("{" CLAUSE ", over_dayz: 3}"),     4, "did you mean 'over_days'" },
    { "{}", RULE("{sum: purchase, at_least: 1}"),   4, "over_days: is missing" },
    { "{}", RULE("{sum: purchase, over_days: 1}"),  4, "write one of at_least" },
    { "{}", RULE("{sum: purchase, over_days: 0, at_least: 1}"), 4, "over_days: 0 is not in" },
    { "{}", RULE("{sum: purchase, over_days: 1, at_least: \"1.001\"}"), 4, "'1.001' is not an amount" },
    { "{}", RULE("{count: purchase, over_days: 1, at_least: 1.5}"), 4, "'1.5' is not a whole number" },
    { "{}", RULE("{count: purchase, over_days: 1, at_least: -1}"), 4, "-1 is not in 0.." },
    { "{}", RULE("{count: Big Purchase, over_days: 1, at_least: 1}"), 4, "'Big Purchase' is no name" },
    { "{}", RULE("{count: [x], over_days: 1, at_least: 1}"), 4, "count: must be one value" },
    { "{}", RULE("{count: x, category: [a], over_days: 1, at_least: 1}"), 4, "category: must be" },
    { "{}", RULE("{last: purchase}"),               4, "within_days or older_than_days" },
    { "{}", RULE("{last: purchase, over_days: 3}"), 4, "over_days: does not go with last" },
    { "{}", RULE("{last: purchase, within_days: 4001}"), 4, "within_days: 4001 is not in" },
    { "{}", RULE("{last: p, within_days: 1, older_than_days: 2}"), 4, "stands beside within_days" },
    { "{}", RULE("{attribute: tier}"),              4, "attribute: is compared with nothing" },
    { "{}", RULE("{attribute: tier, category: x, equals: y}"), 4, "category: does not go with attribute" },
    { "{}", RULE("{attribute: tier, in: gold}"),    4, "in: must be a list" },
    { "{}", RULE("{attribute: tier, in: []}"),      4, "in: must be a list" },
    { "{}", RULE("{attribute: tier, in: [[a]]}"),   4, "in: a value is missing" },
    { "{}", RULE("{attribute: tier, equals: \"\"}"), 4, "equals: a value is missing" },
    { "{}", RULE("{attribute: age, at_least: old}"), 4, "'old' is not a whole number" },
    { "{}", RULE("{all: []}"),                      4, "all: must be a list of rules" },
    { "{}", RULE("{all: {" CLAUSE "}}"),            4, "all: must be a list of rules" },
    { "{}", RULE("{all: [x]}"),                     4, "item: must be a mapping" },
    { "{}", RULE("{not: [{" CLAUSE "}]}"),          4, "not: takes one rule" },
    { "{}", RULE("{not: {" CLAUSE "}, over_days: 3}"), 4, "over_days: unknown key" },
    { "{}", RULE("{all: [{" CLAUSE "}], any: [{" CLAUSE "}]}"), 4, "any: stands beside all" },
};
/* clang-format on */
#define FAULT_ROWS ((int)(sizeof fault_rows / sizeof fault_rows[0]))

START_TEST(a_fault_names_its_line_and_how_to_mend_it)
{
    const struct fault_row *row = &fault_rows[_i];
    char place[32];
    (void)snprintf(place, sizeof place, "f.yaml:%u: ", row->line);
    ck_assert_msg(read_text(row->own, row->segments) == STATUS_MALFORMED, "%s", row->segments);
    ck_assert_msg(strncmp(refusal.message, place, strlen(place)) == 0, "%s: %s", row->segments,
                  refusal.message);
    ck_assert_msg(strstr(refusal.message, row->says) != NULL, "%s: %s", row->segments,
                  refusal.message);
}
END_TEST

/* ---- bounds */

static void text_add(struct buffer *text, const char *part)
{
    ck_assert_int_eq(buffer_append(text, span_of_text(part)), STATUS_OK);
    ck_assert_int_eq(buffer_append(text, span_of("", 1)), STATUS_OK);
    text->size -= 1; /* a NUL follows that is not counted */
}

START_TEST(more_segments_than_the_bound_are_refused_at_the_first_that_is_too_many)
{
    struct buffer text;
    buffer_init(&text, YAML_FILE_BYTES_MAX);
    for (int i = 0; i <= RULES_SEGMENTS_MAX; i++) {
        char segment[128];
        (void)snprintf(segment, sizeof segment,
                       "  - {name: s%d, rule: {last: x, within_days: 1}}\n", i);
        text_add(&text, segment);
        enum status wanted = i < RULES_SEGMENTS_MAX ? STATUS_OK : STATUS_MALFORMED;
        ck_assert_int_eq(read_text("{}", (const char *)text.data), wanted);
    }
    ck_assert_ptr_nonnull(strstr(refusal.message, "f.yaml:67: segments: at most 64"));
    buffer_release(&text);
}
END_TEST

START_TEST(more_clauses_or_values_than_the_bound_are_refused)
{
    struct buffer text;
    buffer_init(&text, YAML_FILE_BYTES_MAX);
    text_add(&text, "  - name: s\n    rule:\n      all:\n");
    for (int i = 0; i <= RULES_CLAUSES_MAX; i++) {
        text_add(&text, "        - {last: x, within_days: 1}\n");
        enum status wanted = i < RULES_CLAUSES_MAX ? STATUS_OK : STATUS_MALFORMED;
        ck_assert_int_eq(read_text("{}", (const char *)text.data), wanted);
    }
    ck_assert_ptr_nonnull(strstr(refusal.message, "f.yaml:38: a segment has at most 32 clauses"));
    buffer_clear(&text);
    text_add(&text, "  - name: s\n    rule:\n      attribute: tier\n      in:\n");
    for (int i = 0; i <= RULES_VALUES_MAX; i++) {
        text_add(&text, "        - gold\n");
        enum status wanted = i < RULES_VALUES_MAX ? STATUS_OK : STATUS_MALFORMED;
        ck_assert_int_eq(read_text("{}", (const char *)text.data), wanted);
    }
    ck_assert_ptr_nonnull(strstr(refusal.message, "f.yaml:39: in: has more than 32 values"));
    buffer_release(&text);
}
END_TEST

static Suite *suite_of_config(void)
{
    Suite *suite = suite_create("segmentation_config");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, every_form_of_a_rule_is_read);
    tcase_add_test(tcase, each_comparison_is_read);
    tcase_add_test(tcase, without_segments_there_are_none_and_history_has_its_default);
    tcase_add_test(tcase, a_text_too_long_for_people_ends_with_dots);
    tcase_add_loop_test(tcase, a_fault_names_its_line_and_how_to_mend_it, 0, FAULT_ROWS);
    tcase_add_test(tcase, more_segments_than_the_bound_are_refused_at_the_first_that_is_too_many);
    tcase_add_test(tcase, more_clauses_or_values_than_the_bound_are_refused);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_config());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
