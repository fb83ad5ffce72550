/* link: common_config */
#include "common/config/config.h"

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum colour { RED, GREEN, BLUE };

struct sample {
    uint32_t shards;
    uint64_t map_bytes;
    int64_t shift;
    bool enabled;
    char name[9];
    enum colour colour;
    int64_t price_minor;
};

static const char *const colours[] = { "red", "green", "blue", NULL };

/* clang-format off */
static const struct config_field fields[] = {
    { .key = "shards", .kind = CONFIG_U32, .offset = offsetof(struct sample, shards),
      .least = 1, .most = 64 },
    { .key = "map_bytes", .kind = CONFIG_U64, .offset = offsetof(struct sample, map_bytes),
      .least = 0, .most = INT64_MAX },
    { .key = "shift", .kind = CONFIG_I64, .offset = offsetof(struct sample, shift),
      .least = INT64_MIN, .most = INT64_MAX },
    { .key = "enabled", .kind = CONFIG_BOOL, .offset = offsetof(struct sample, enabled) },
    { .key = "name", .kind = CONFIG_TEXT, .offset = offsetof(struct sample, name),
      .size = sizeof(((struct sample *)NULL)->name), .least = 2 },
    { .key = "colour", .kind = CONFIG_CHOICE, .offset = offsetof(struct sample, colour),
      .choices = colours },
    { .key = "price", .kind = CONFIG_DECIMAL, .offset = offsetof(struct sample, price_minor),
      .least = -100, .most = 20000, .digits = 2 },
};
/* clang-format on */
#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static struct yaml_tree *parsed(const char *text)
{
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = yaml_tree_parse(&tree, "t.yaml", text, strlen(text), &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    return tree;
}

static enum status sample_read(const char *text, struct sample *sample, struct refusal *refusal)
{
    struct yaml_tree *tree = parsed(text);
    refusal_init(refusal);
    enum status status =
        config_fields_read(yaml_tree_root(tree), fields, FIELD_COUNT, sample, refusal);
    if (status == STATUS_OK) {
        status = config_unused_check(yaml_tree_root(tree), refusal);
    }
    yaml_tree_close(&tree);
    return status;
}

START_TEST(fields_of_all_kinds_are_read)
{
    struct sample sample = { .shards = 0 };
    struct refusal refusal;
    enum status status = sample_read("shards: 64\n"
                                     "map_bytes: 9223372036854775807\n"
                                     "shift: -9223372036854775808\n"
                                     "enabled: true\n"
                                     "name: \"12345678\"\n"
                                     "colour: blue\n"
                                     "price: \"200.00\"\n",
                                     &sample, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    ck_assert_uint_eq(sample.shards, 64);
    ck_assert_uint_eq(sample.map_bytes, INT64_MAX);
    ck_assert_int_eq(sample.shift, INT64_MIN);
    ck_assert(sample.enabled);
    ck_assert_str_eq(sample.name, "12345678");
    ck_assert_int_eq(sample.colour, BLUE);
    ck_assert_int_eq(sample.price_minor, 20000);
}
END_TEST

START_TEST(what_is_not_in_the_file_keeps_its_default)
{
    struct sample sample = { .shards = 7,
                             .map_bytes = 8,
                             .shift = 9,
                             .enabled = true,
                             .name = "default",
                             .colour = GREEN,
                             .price_minor = 10 };
    struct refusal refusal;
    ck_assert_int_eq(
        sample_read("{shards: 1, enabled: false, name: ab, price: -1}", &sample, &refusal),
        STATUS_OK);
    ck_assert_uint_eq(sample.shards, 1);
    ck_assert_uint_eq(sample.map_bytes, 8);
    ck_assert_int_eq(sample.shift, 9);
    ck_assert(!sample.enabled);
    ck_assert_str_eq(sample.name, "ab");
    ck_assert_int_eq(sample.colour, GREEN);
    ck_assert_int_eq(sample.price_minor, -100);
}
END_TEST

struct fault {
    const char *text;
    const char *message; /* it begins so, after "t.yaml:" */
};

static const struct fault faults[] = {
    { "shards: 0", "1: shards: 0 is not in 1..64" },
    { "shards: 65", "1: shards: 65 is not in 1..64" },
    { "shards: -1", "1: shards: -1 is not in 1..64" },
    { "shards: 99999999999999999999", "1: shards: 99999999999999999999 is not in 1..64" },
    { "map_bytes: 9223372036854775808", "1: map_bytes: 9223372036854775808 is not in 0.." },
    { "map_bytes: -1", "1: map_bytes: -1 is not in 0.." },
    { "shift: 9223372036854775808", "1: shift: 9223372036854775808 is not in" },
    { "shift: -9223372036854775809", "1: shift: -9223372036854775809 is not in" },
    { "shards: 12abc", "1: shards: '12abc' is not a whole number" },
    { "shards: 070000", "1: shards: '070000' is not a whole number" },
    { "shards: 00", "1: shards: '00' is not a whole number" },
    { "shards: 01", "1: shards: '01' is not a whole number" },
    { "shards: 1_000", "1: shards: '1_000' is not a whole number" },
    { "shards: 1 000", "1: shards: '1 000' is not a whole number" },
    { "shards: +5", "1: shards: '+5' is not a whole number" },
    { "shards: 0x10", "1: shards: '0x10' is not a whole number" },
    { "shards: 0o7", "1: shards: '0o7' is not a whole number" },
    { "shards: 1.0", "1: shards: '1.0' is not a whole number" },
    { "shards: 1e1", "1: shards: '1e1' is not a whole number" },
    { "shards: '1'", "1: shards: '1' is not a whole number" },
    { "shards: |\n  1", "1: shards: '1' is not a whole number" },
    { "shards: ~", "1: shards: '~' is not a whole number" },
    { "shards: '-'", "1: shards: '-' is not a whole number" },
    { "shift: -0", "1: shift: '-0' is not a whole number" },
    { "shift: -01", "1: shift: '-01' is not a whole number" },
    { "shift: --1", "1: shift: '--1' is not a whole number" },
    { "shards:", "1: shards: has no value" },
    { "name:", "1: name: has no value" },
    { "shards:\n  - 1", "1: shards: must be one value" },
    { "name: x\nshards:\n  a: 1", "2: shards: must be one value" },
    { "enabled: yes", "1: enabled: 'yes' is neither of two" },
    { "enabled: True", "1: enabled: 'True' is neither of two" },
    { "enabled: \"true\"", "1: enabled: 'true' is neither of two" },
    { "enabled: 1", "1: enabled: '1' is neither of two" },
    { "name: a", "1: name: has 1 bytes; write 2 to 8" },
    { "name: ''", "1: name: has 0 bytes; write 2 to 8" },
    { "name: 123456789", "1: name: has 9 bytes; write 2 to 8" },
    { "name: \"a\\nb\"", "1: name: holds a line break or a tab" },
    { "name: \"a\\tb\"", "1: name: holds a line break or a tab" },
    { "colour: pink", "1: colour: 'pink' is not known; write one of: red, green, blue" },
    { "colour: re", "1: colour: 're' is not known" },
    { "price: 1.234", "1: price: '1.234' is not an amount" },
    { "price: 1,23", "1: price: '1,23' is not an amount" },
    { "price: 07.00", "1: price: '07.00' is not an amount" },
    { "price: +1", "1: price: '+1' is not an amount" },
    { "price: 200.01", "1: price: 200.01 is not in -1.00..200.00" },
    { "price: -1.01", "1: price: -1.01 is not in -1.00..200.00" },
    { "price: 99999999999999999999", "1: price: 99999999999999999999 is not in" },
    { "[shards]", "1: item: must be a mapping" },
    { "shards", "1: item: must be a mapping" },
    { "enabled: true\nshrads: 1", "2: shrads: unknown key; did you mean 'shards'?" },
    { "shard: 1", "1: shard: unknown key; did you mean 'shards'?" },
    { "color: red", "1: color: unknown key; did you mean 'colour'?" },
    { "map_byte: 1", "1: map_byte: unknown key; did you mean 'map_bytes'?" },
    { "mapbytes: 1", "1: mapbytes: unknown key; did you mean 'map_bytes'?" },
    { "map: 1", "1: map: unknown key; take it out" },
    { "zz: 1", "1: zz: unknown key; take it out" },
    { "name: ab\n\nfoo:\n  - bar: 1", "3: foo: unknown key" },
};

START_TEST(each_fault_is_told_with_its_line_and_leaves_the_target_alone)
{
    const struct fault *fault = &faults[_i];
    struct sample sample = { .shards = 7, .name = "default" };
    struct refusal refusal;
    ck_assert_int_eq(sample_read(fault->text, &sample, &refusal), STATUS_MALFORMED);
    const char *prefix = "t.yaml:";
    ck_assert_msg(
        strncmp(refusal.message, prefix, strlen(prefix)) == 0 &&
            strncmp(refusal.message + strlen(prefix), fault->message, strlen(fault->message)) == 0,
        "wanted \"%s\", got \"%s\"", fault->message, refusal.message);
    ck_assert_uint_eq(sample.shards, 7);
}
END_TEST

START_TEST(a_later_fault_leaves_the_fields_before_it_alone_too)
{
    struct sample sample = { .shards = 7 };
    struct refusal refusal;
    ck_assert_int_eq(sample_read("{shards: 9, price: x}", &sample, &refusal), STATUS_MALFORMED);
    ck_assert_uint_eq(sample.shards, 7);
}
END_TEST

START_TEST(a_long_key_has_no_proposal_and_no_harm)
{
    char text[300] = { 0 };
    memset(text, 'k', 200);
    memcpy(text + 200, ": 1", 4);
    struct sample sample = { .shards = 7 };
    struct refusal refusal;
    ck_assert_int_eq(sample_read(text, &sample, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "kkk...: unknown key; take it out"));
}
END_TEST

START_TEST(a_required_field_is_missed_at_the_mapping_it_belongs_to)
{
    static const struct config_field required[] = {
        { .key = "name", .kind = CONFIG_TEXT, .size = 9, .required = true },
    };
    struct yaml_tree *tree = parsed("a: 1\nowner:\n  other: 2\nlist:\n  - x: 1\n");
    char name[9] = "before";
    struct refusal refusal;
    refusal_init(&refusal);
    struct yaml_node *root = yaml_tree_root(tree);
    ck_assert_int_eq(config_fields_read(config_child(root, "owner"), required, 1, name, &refusal),
                     STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:2: name: is missing; write it in owner");
    struct yaml_node *item = config_child(root, "list")->first;
    ck_assert_int_eq(config_fields_read(item, required, 1, name, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:5: name: is missing; write it in this mapping");
    ck_assert_str_eq(name, "before");
    yaml_tree_close(&tree);
}
END_TEST

START_TEST(children_are_found_and_marked_and_what_is_no_mapping_has_none)
{
    struct yaml_tree *tree = parsed("a: 1\nb: [x]\n");
    struct yaml_node *root = yaml_tree_root(tree);
    ck_assert_ptr_null(config_child(root, "c"));
    struct yaml_node *b = config_child(root, "b");
    ck_assert_ptr_nonnull(b);
    ck_assert(b->used);
    ck_assert(!root->first->used);
    ck_assert_ptr_null(config_child(b, "x"));
    ck_assert_ptr_null(config_child(root->first, "x"));
    yaml_tree_close(&tree);
}
END_TEST

START_TEST(unread_keys_are_found_below_lists_and_in_the_files_order)
{
    struct yaml_tree *tree = parsed("a:\n  - [{b: 1}]\n  - {c: 2}\nd: 3\n");
    struct yaml_node *root = yaml_tree_root(tree);
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(config_unused_check(NULL, &refusal), STATUS_OK);
    struct yaml_node *list = config_child(root, "a");
    ck_assert_int_eq(config_unused_check(root, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:2: b: unknown key; take it out");
    ck_assert_int_eq(config_keys_check(root, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:4: d: unknown key; take it out");
    ck_assert_ptr_nonnull(config_child(list->first->first, "b"));
    ck_assert_int_eq(config_unused_check(root, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:3: c: unknown key; take it out");
    ck_assert_ptr_nonnull(config_child(list->first->next, "c"));
    ck_assert_ptr_nonnull(config_child(root, "d"));
    ck_assert_int_eq(config_unused_check(root, &refusal), STATUS_OK);
    ck_assert_int_eq(config_keys_check(root, &refusal), STATUS_OK);
    yaml_tree_close(&tree);
}
END_TEST

START_TEST(the_deepest_tree_is_walked_to_its_end)
{
    struct yaml_tree *tree = parsed("[[[[[[[{a: 1}]]]]]]]");
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(config_unused_check(yaml_tree_root(tree), &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:1: a: unknown key; take it out");
    yaml_tree_close(&tree);
}
END_TEST

START_TEST(proposals_come_from_the_same_mapping_only)
{
    struct yaml_tree *tree = parsed("outer: {lenght: 1}\n");
    struct yaml_node *root = yaml_tree_root(tree);
    struct yaml_node *outer = config_child(root, "outer");
    ck_assert_ptr_null(config_child(root, "length"));
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(config_unused_check(root, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:1: lenght: unknown key; take it out");
    char asked[] = "length";
    ck_assert_ptr_null(config_child(outer, asked));
    memset(asked, 'x', sizeof asked - 1); /* the tree keeps a copy of its own */
    ck_assert_int_eq(config_unused_check(root, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:1: lenght: unknown key; did you mean 'length'?");
    yaml_tree_close(&tree);
}
END_TEST

START_TEST(a_fault_names_the_line_of_a_value_or_of_a_mappings_name)
{
    struct yaml_tree *tree = parsed("a:\n  b:\n    c:\n      1\n");
    struct yaml_node *a = config_child(yaml_tree_root(tree), "a");
    struct yaml_node *c = config_child(config_child(a, "b"), "c");
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(config_fault(a, &refusal, "%s %d", "number", 5), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:1: number 5");
    ck_assert_int_eq(config_fault(c, &refusal, "here"), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "t.yaml:4: here");
    yaml_tree_close(&tree);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("config");
    tcase_add_test(tests, fields_of_all_kinds_are_read);
    tcase_add_test(tests, what_is_not_in_the_file_keeps_its_default);
    tcase_add_loop_test(tests, each_fault_is_told_with_its_line_and_leaves_the_target_alone, 0,
                        sizeof faults / sizeof faults[0]);
    tcase_add_test(tests, a_later_fault_leaves_the_fields_before_it_alone_too);
    tcase_add_test(tests, a_long_key_has_no_proposal_and_no_harm);
    tcase_add_test(tests, a_required_field_is_missed_at_the_mapping_it_belongs_to);
    tcase_add_test(tests, children_are_found_and_marked_and_what_is_no_mapping_has_none);
    tcase_add_test(tests, unread_keys_are_found_below_lists_and_in_the_files_order);
    tcase_add_test(tests, the_deepest_tree_is_walked_to_its_end);
    tcase_add_test(tests, proposals_come_from_the_same_mapping_only);
    tcase_add_test(tests, a_fault_names_the_line_of_a_value_or_of_a_mappings_name);
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
