/* link: loyalty_service */
#include "services/loyalty/loyalty_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status config_try(const char *text, struct loyalty_rules *rules,
                              struct refusal *refusal)
{
    struct yaml_tree *tree = NULL;
    refusal_init(refusal);
    enum status status = yaml_tree_parse(&tree, "suite.yaml", text, strlen(text), refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal->message);
    struct yaml_node *programmes = config_child(yaml_tree_root(tree), "programmes");
    status = loyalty_config_read(programmes, rules, refusal);
    yaml_tree_close(&tree);
    return status;
}

static const char usual[] = "programmes:\n"
                            "  - name: bonus\n"
                            "    earn:\n"
                            "      - { event: purchase, points: 2, unit_minor: 100 }\n"
                            "      - event: bill_paid\n"
                            "        unit_minor: 1000\n"
                            "        rounding: half_up\n"
                            "  - name: travel\n";

START_TEST(programmes_are_read_with_their_defaults)
{
    static struct loyalty_rules rules;
    struct refusal refusal;
    ck_assert_msg(config_try(usual, &rules, &refusal) == STATUS_OK, "%s", refusal.message);
    ck_assert_uint_eq(rules.programme_count, 2);
    const struct loyalty_programme *bonus = &rules.programmes[0];
    ck_assert_str_eq(bonus->name.text, "bonus");
    ck_assert_uint_eq(bonus->rule_count, 2);
    ck_assert_str_eq(bonus->rules[0].event_type.text, "purchase");
    ck_assert_int_eq(bonus->rules[0].points, 2);
    ck_assert_int_eq(bonus->rules[0].unit_minor, 100);
    ck_assert_int_eq(bonus->rules[0].rounding, LOYALTY_ROUND_FLOOR);
    ck_assert_int_eq(bonus->rules[1].points, 1);
    ck_assert_int_eq(bonus->rules[1].rounding, LOYALTY_ROUND_HALF_UP);
    ck_assert_str_eq(rules.programmes[1].name.text, "travel");
    ck_assert_uint_eq(rules.programmes[1].rule_count, 0);
}
END_TEST

START_TEST(no_list_and_an_empty_one_are_no_programmes)
{
    static struct loyalty_rules rules;
    struct refusal refusal;
    rules.programme_count = 4711;
    ck_assert_int_eq(config_try("version: 1\n", &rules, &refusal), STATUS_OK);
    ck_assert_uint_eq(rules.programme_count, 0);
    ck_assert_int_eq(config_try("programmes: []\n", &rules, &refusal), STATUS_OK);
    ck_assert_uint_eq(rules.programme_count, 0);
}
END_TEST

struct fault_row {
    const char *text;
    const char *message; /* how it begins */
};

static const struct fault_row fault_rows[] = {
    { "programmes: bonus\n", "suite.yaml:1: programmes: must be a list" },
    { "programmes:\n  - bonus\n", "suite.yaml:2: " },
    { "programmes:\n  - earn: []\n", "suite.yaml:2: name: is missing" },
    { "programmes:\n  - name: ''\n", "suite.yaml:2: name: " },
    { "programmes:\n  - name: a\n  - name: a\n", "suite.yaml:3: name: 'a' is a programme above" },
    { "programmes:\n  - name: a\n    earns: []\n", "suite.yaml:3: earns" },
    { "programmes:\n  - name: a\n    earn: 3\n", "suite.yaml:3: earn: must be a list" },
    { "programmes:\n  - name: a\n    earn:\n      - { points: 1, unit_minor: 1 }\n",
      "suite.yaml:4: event: is missing" },
    { "programmes:\n  - name: a\n    earn:\n      - { event: x }\n",
      "suite.yaml:4: unit_minor: is missing" },
    { "programmes:\n  - name: a\n    earn:\n      - { event: X, unit_minor: 1 }\n",
      "suite.yaml:4: event: 'X' is no type of event" },
    { "programmes:\n  - name: a\n    earn:\n      - event: x\n        unit_minor: 0\n",
      "suite.yaml:5: unit_minor: 0 is not in 1..1000000000000000" },
    { "programmes:\n  - name: a\n    earn:\n      - event: x\n        unit_minor: 1\n"
      "        points: 1000000000000001\n",
      "suite.yaml:6: points: " },
    { "programmes:\n  - name: a\n    earn:\n      - event: x\n        unit_minor: 1.5\n",
      "suite.yaml:5: unit_minor: '1.5' is not a whole number" },
    { "programmes:\n  - name: a\n    earn:\n      - event: x\n        unit_minor: 1\n"
      "        rounding: up\n",
      "suite.yaml:6: rounding: 'up' is not known" },
    { "programmes:\n  - name: a\n    earn:\n      - event: x\n        unit_minor: 1\n"
      "        per: 1\n",
      "suite.yaml:6: per" },
    { "programmes:\n  - name: a\n    earn:\n      - { event: x, unit_minor: 1 }\n"
      "      - { event: x, unit_minor: 2 }\n",
      "suite.yaml:5: event: 'x' earns already in programme 'a'" },
    { "programmes:\n  - name: a\n    earn:\n"
      "      - { event: x, unit_minor: 1000000000000000, points: 9224 }\n",
      "suite.yaml:4: points: 9224 times unit_minor 1000000000000000 does not fit 63 bits" },
};

START_TEST(a_fault_names_its_line_and_leaves_the_rules_alone)
{
    const struct fault_row *row = &fault_rows[_i];
    static struct loyalty_rules rules;
    struct refusal refusal;
    rules.programme_count = 4711;
    ck_assert_int_eq(config_try(row->text, &rules, &refusal), STATUS_MALFORMED);
    ck_assert_msg(strncmp(refusal.message, row->message, strlen(row->message)) == 0,
                  "'%s' instead of '%s'", refusal.message, row->message);
    ck_assert_uint_eq(rules.programme_count, 4711);
}
END_TEST

/* Programmes a0, a1, ... with rules for x0, x1, ... each. */
static void many_write(char *out, size_t size, int programmes, int rules)
{
    size_t used = (size_t)snprintf(out, size, "programmes:\n");
    for (int i = 0; i < programmes; i++) {
        used += (size_t)snprintf(out + used, size - used, "  - name: a%d\n    earn:\n", i);
        for (int j = 0; j < rules; j++) {
            used += (size_t)snprintf(out + used, size - used,
                                     "      - { event: x%d, unit_minor: 1 }\n", j);
        }
    }
    ck_assert_uint_lt(used, size);
}

START_TEST(the_bounds_of_both_lists_are_reached_and_not_passed)
{
    static char text[16384];
    static struct loyalty_rules rules;
    struct refusal refusal;
    many_write(text, sizeof text, LOYALTY_PROGRAMMES_MAX, LOYALTY_EARN_RULES_MAX);
    ck_assert_msg(config_try(text, &rules, &refusal) == STATUS_OK, "%s", refusal.message);
    ck_assert_uint_eq(rules.programme_count, LOYALTY_PROGRAMMES_MAX);
    ck_assert_uint_eq(rules.programmes[7].rule_count, LOYALTY_EARN_RULES_MAX);
    many_write(text, sizeof text, LOYALTY_PROGRAMMES_MAX + 1, 1);
    ck_assert_int_eq(config_try(text, &rules, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "programmes: has more than 8 entries"));
    many_write(text, sizeof text, 1, LOYALTY_EARN_RULES_MAX + 1);
    ck_assert_int_eq(config_try(text, &rules, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "earn: has more than 16 entries"));
}
END_TEST

static void rule_compare(const struct loyalty_earn_rule *a, const struct loyalty_earn_rule *b)
{
    ck_assert_str_eq(a->event_type.text, b->event_type.text);
    ck_assert_int_eq(a->points, b->points);
    ck_assert_int_eq(a->unit_minor, b->unit_minor);
    ck_assert_int_eq(a->rounding, b->rounding);
}

static void programme_compare(const struct loyalty_programme *a, const struct loyalty_programme *b)
{
    ck_assert_str_eq(a->name.text, b->name.text);
    ck_assert_uint_eq(a->rule_count, b->rule_count);
    for (size_t i = 0; i < a->rule_count; i++) {
        rule_compare(&a->rules[i], &b->rules[i]);
    }
}

START_TEST(the_text_of_rules_reads_back_as_the_same_rules)
{
    static struct loyalty_rules rules;
    static struct loyalty_rules back;
    struct refusal refusal;
    ck_assert_int_eq(config_try(usual, &rules, &refusal), STATUS_OK);
    struct buffer text;
    buffer_init(&text, 4096);
    const char head[] = "programmes:\n";
    ck_assert_int_eq(buffer_append(&text, span_of_text(head)), STATUS_OK);
    ck_assert_int_eq(loyalty_config_text(&rules, &text), STATUS_OK);
    ck_assert_int_eq(buffer_append(&text, span_of("", 1)), STATUS_OK);
    ck_assert_msg(config_try((const char *)text.data, &back, &refusal) == STATUS_OK, "%s",
                  refusal.message);
    ck_assert_uint_eq(rules.programme_count, back.programme_count);
    for (size_t i = 0; i < rules.programme_count; i++) {
        programme_compare(&rules.programmes[i], &back.programmes[i]);
    }
    buffer_release(&text);
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

static Suite *loyalty_config_suite(void)
{
    TCase *tests = tcase_create("loyalty_config");
    tcase_add_test(tests, programmes_are_read_with_their_defaults);
    tcase_add_test(tests, no_list_and_an_empty_one_are_no_programmes);
    tcase_add_loop_test(tests, a_fault_names_its_line_and_leaves_the_rules_alone, 0,
                        COUNT(fault_rows));
    tcase_add_test(tests, the_bounds_of_both_lists_are_reached_and_not_passed);
    tcase_add_test(tests, the_text_of_rules_reads_back_as_the_same_rules);
    Suite *suite = suite_create("loyalty_config");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(loyalty_config_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
