/* link: common_base */
#include "common/base/time_text.h"
#include "common/base/zone_table.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* A small zone file: one change, from 1 h to 2 h at `change_s`, and then a rule. */
struct file_parts {
    const char *magic;
    uint32_t leaps;
    uint32_t types;
    int64_t change_s[2];
    uint8_t change_type;
    int32_t offset_s;
    const char *last_line;
};

static const struct file_parts sound = {
    .magic = "TZif2",
    .types = 2,
    .change_s = { 0, 1000 },
    .change_type = 1,
    .offset_s = 7200,
    .last_line = "\nCET-1CEST,M3.5.0,M10.5.0/3\n",
};

static void bytes_add(struct buffer *file, const void *bytes, size_t size)
{
    ck_assert_int_eq(buffer_append(file, span_of(bytes, size)), STATUS_OK);
}

static void number_add(struct buffer *file, uint64_t value, size_t size)
{
    uint8_t bytes[8] = { 0 };
    be64_put(bytes, value);
    bytes_add(file, bytes + 8 - size, size);
}

static void header_add(struct buffer *file, const struct file_parts *parts, uint32_t changes)
{
    static const uint8_t reserved[15] = { 0 };
    bytes_add(file, parts->magic, 5);
    bytes_add(file, reserved, sizeof reserved);
    number_add(file, 0, 4);
    number_add(file, 0, 4);
    number_add(file, changes == 0 ? 0 : parts->leaps, 4);
    number_add(file, changes, 4);
    number_add(file, changes == 0 ? 0 : parts->types, 4);
    number_add(file, 0, 4);
}

static void file_build(struct buffer *file, const struct file_parts *parts)
{
    buffer_init(file, 4096);
    header_add(file, parts, 0);
    header_add(file, parts, 2);
    number_add(file, (uint64_t)parts->change_s[0], 8);
    number_add(file, (uint64_t)parts->change_s[1], 8);
    number_add(file, parts->change_type, 1);
    number_add(file, 0, 1);
    for (uint32_t i = 0; i < parts->types && i < 2; i++) {
        number_add(file, (uint64_t)(i == 0 ? 3600 : parts->offset_s), 4);
        number_add(file, 0, 2);
    }
    bytes_add(file, parts->last_line, strlen(parts->last_line));
}

static enum status file_decode(struct span bytes, struct zone_table *table)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = zone_table_decode(bytes, table, &refusal);
    ck_assert_int_eq(refusal.status, status);
    return status;
}

START_TEST(a_sound_file_gives_its_table_and_then_its_rule)
{
    struct buffer file;
    struct zone_table table = { 0 };
    file_build(&file, &sound);
    ck_assert_int_eq(file_decode(buffer_span(&file), &table), STATUS_OK);
    ck_assert_int_eq(zone_table_period(&table, -1).offset_s, 3600);
    ck_assert_int_eq(zone_table_period(&table, -1).end_s, 0);
    ck_assert_int_eq(zone_table_period(&table, 0).offset_s, 7200);
    ck_assert_int_eq(zone_table_period(&table, 999).end_s, 1000);
    ck_assert_int_eq(zone_table_period(&table, 1000).offset_s, 3600);
    /* The last Sunday of March 1970 was the 29th. */
    int64_t summer_s = days_from_civil(1970, 3, 29) * 86400 + 3600;
    ck_assert_int_eq(zone_table_period(&table, 1000).end_s, summer_s);
    ck_assert_int_eq(zone_table_period(&table, summer_s).offset_s, 7200);
    zone_table_release(&table);
    buffer_release(&file);
}
END_TEST

START_TEST(without_a_rule_the_last_change_was_the_last)
{
    struct buffer file;
    struct zone_table table = { 0 };
    struct file_parts parts = sound;
    parts.last_line = "\n\n";
    file_build(&file, &parts);
    ck_assert_int_eq(file_decode(buffer_span(&file), &table), STATUS_OK);
    ck_assert_int_eq(zone_table_period(&table, 1000).offset_s, 3600);
    ck_assert_int_eq(zone_table_period(&table, 1000).end_s, INT64_MAX);
    zone_table_release(&table);
    buffer_release(&file);
}
END_TEST

START_TEST(a_zeroed_table_is_utc)
{
    struct zone_table table = { 0 };
    ck_assert_int_eq(zone_table_period(&table, 0).offset_s, 0);
    ck_assert_int_eq(zone_table_period(&table, 0).end_s, INT64_MAX);
    zone_table_release(&table);
}
END_TEST

START_TEST(a_file_that_is_cut_anywhere_is_refused)
{
    struct buffer file;
    file_build(&file, &sound);
    for (size_t size = 0; size < file.size; size++) {
        struct zone_table table = { 0 };
        /* A copy of its own, so that the sanitizer sees a read past its end. */
        uint8_t *cut = memory_allocate(size);
        memcpy(cut, file.data, size);
        enum status status = file_decode(span_of(cut, size), &table);
        ck_assert_msg(status == STATUS_CORRUPT, "cut after %zu bytes", size);
        ck_assert_ptr_null(table.change_s);
        free(cut);
    }
    buffer_release(&file);
}
END_TEST

START_TEST(a_file_with_a_flipped_bit_is_read_or_refused_and_nothing_else)
{
    struct buffer file;
    file_build(&file, &sound);
    for (size_t bit = 0; bit < 8 * file.size; bit++) {
        struct zone_table table = { 0 };
        file.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        if (file_decode(buffer_span(&file), &table) == STATUS_OK) {
            (void)zone_table_period(&table, 0);
            (void)zone_table_period(&table, INT64_C(253402300799));
            zone_table_release(&table);
        }
        file.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    buffer_release(&file);
}
END_TEST

static void expect_corrupt(const char *name, struct file_parts parts)
{
    struct buffer file;
    struct zone_table table = { 0 };
    file_build(&file, &parts);
    enum status status = file_decode(buffer_span(&file), &table);
    ck_assert_msg(status == STATUS_CORRUPT, "%s: %s", name, status_code_text(status));
    ck_assert_ptr_null(table.change_s);
    buffer_release(&file);
}

START_TEST(what_a_zone_file_may_not_say_is_refused)
{
    struct file_parts parts = sound;
    parts.magic = "TZiF2";
    expect_corrupt("another format", parts);
    parts.magic = "TZif\0";
    expect_corrupt("version 1", parts);
    parts = sound;
    parts.leaps = 1;
    expect_corrupt("leap seconds", parts);
    parts = sound;
    parts.types = 0;
    expect_corrupt("no types", parts);
    parts.types = ZONE_TYPES_MAX + 1;
    expect_corrupt("too many types", parts);
    parts = sound;
    parts.change_type = 2;
    expect_corrupt("a type that is not there", parts);
    parts = sound;
    parts.offset_s = 26 * 3600;
    expect_corrupt("an offset of more than a day", parts);
    parts.offset_s = INT32_MIN;
    expect_corrupt("the least offset", parts);
    parts = sound;
    parts.change_s[1] = 0;
    expect_corrupt("two changes at once", parts);
    parts.change_s[1] = INT64_MAX;
    expect_corrupt("a change past all times", parts);
    parts = sound;
    parts.last_line = "CET-1\n";
    expect_corrupt("no line before the rule", parts);
    parts.last_line = "\nCET-1";
    expect_corrupt("no end of the line", parts);
    parts.last_line = "\nCET\n";
    expect_corrupt("half a rule", parts);
}
END_TEST

START_TEST(the_most_types_are_taken)
{
    struct buffer file;
    struct zone_table table = { 0 };
    buffer_init(&file, 4096);
    struct file_parts parts = sound;
    parts.types = ZONE_TYPES_MAX;
    header_add(&file, &parts, 0);
    header_add(&file, &parts, 1);
    number_add(&file, 0, 8);
    number_add(&file, ZONE_TYPES_MAX - 1, 1);
    for (uint32_t i = 0; i < ZONE_TYPES_MAX; i++) {
        number_add(&file, i, 4);
        number_add(&file, 0, 2);
    }
    bytes_add(&file, "\n\n", 2);
    ck_assert_int_eq(file_decode(buffer_span(&file), &table), STATUS_OK);
    ck_assert_int_eq(zone_table_period(&table, 0).offset_s, ZONE_TYPES_MAX - 1);
    zone_table_release(&table);
    buffer_release(&file);
}
END_TEST

/* --- rules --- */

static const char *wrong_rules[] = {
    "",
    "CET",
    "-1",
    "CET-1CEST",
    "CET-1CEST,M3.5.0",
    "CET-1CEST,M3.5.0,",
    "CET-1CEST,M3.5.0,M10.5.0/",
    "CET-1CEST,M3.5.0,M10.5.0/3,",
    "CET-1CEST,M3.5.0,M10.5.0 ",
    "CET-1CEST,M0.5.0,M10.5.0",
    "CET-1CEST,M13.5.0,M10.5.0",
    "CET-1CEST,M3.0.0,M10.5.0",
    "CET-1CEST,M3.6.0,M10.5.0",
    "CET-1CEST,M3.5.7,M10.5.0",
    "CET-1CEST,M3.5,M10.5.0",
    "CET-1CEST,M3.5.0/168,M10.5.0",
    "CET-1CEST,M3.5.0/1:60,M10.5.0",
    "CET-1CEST,J60,J300",
    "CET-1CEST,60,300",
    "CET-25",
    "CET--1",
    "CET-1:",
    "CET-1000",
    "<+01-1",
    "<+01>",
};

START_TEST(what_is_no_rule_is_refused)
{
    struct zone_rule rule = { .standard_offset_s = 4711 };
    enum status status = zone_rule_parse(span_of_text(wrong_rules[_i]), &rule);
    ck_assert_msg(status == STATUS_MALFORMED, "'%s' was taken", wrong_rules[_i]);
    ck_assert_int_eq(rule.standard_offset_s, 4711);
}
END_TEST

START_TEST(a_rule_has_all_its_parts)
{
    struct zone_rule rule = { 0 };
    struct span text = span_of_text("<+1030>-10:30:15<+11>-11,M10.1.0,M4.2.6/-1:30");
    ck_assert_int_eq(zone_rule_parse(text, &rule), STATUS_OK);
    ck_assert_int_eq(rule.standard_offset_s, 10 * 3600 + 30 * 60 + 15);
    ck_assert(rule.has_daylight);
    ck_assert_int_eq(rule.daylight_offset_s, 11 * 3600);
    ck_assert_int_eq(rule.to_daylight.month, 10);
    ck_assert_int_eq(rule.to_daylight.week, 1);
    ck_assert_int_eq(rule.to_daylight.weekday, 0);
    ck_assert_int_eq(rule.to_daylight.time_s, 7200);
    ck_assert_int_eq(rule.to_standard.month, 4);
    ck_assert_int_eq(rule.to_standard.week, 2);
    ck_assert_int_eq(rule.to_standard.weekday, 6);
    ck_assert_int_eq(rule.to_standard.time_s, -5400);
}
END_TEST

START_TEST(without_daylight_a_rule_holds_for_ever)
{
    struct zone_rule rule = { 0 };
    ck_assert_int_eq(zone_rule_parse(span_of_text("<-03>3"), &rule), STATUS_OK);
    ck_assert_int_eq(zone_rule_period(&rule, 0).offset_s, -3 * 3600);
    ck_assert_int_eq(zone_rule_period(&rule, 0).end_s, INT64_MAX);
}
END_TEST

START_TEST(periods_follow_each_other_through_the_years)
{
    static const char *texts[] = { "CET-1CEST,M3.5.0,M10.5.0/3", "AEST-10AEDT,M10.1.0,M4.1.0/3",
                                   "IST-1GMT0,M10.5.0,M3.5.0/1", "EET-2EEST,M3.4.4/50,M10.4.4/50",
                                   "<-02>2<-01>,M3.5.0/-1,M10.5.0/0" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct zone_rule rule = { 0 };
        ck_assert_int_eq(zone_rule_parse(span_of_text(texts[i]), &rule), STATUS_OK);
        int64_t at_s = zone_rule_period(&rule, 0).end_s;
        for (unsigned change = 0; change < 2 * 400; change++) {
            struct zone_period before = zone_rule_period(&rule, at_s - 1);
            struct zone_period period = zone_rule_period(&rule, at_s);
            ck_assert_int_eq(before.end_s, at_s);
            ck_assert_int_ne(before.offset_s, period.offset_s);
            ck_assert_int_gt(period.end_s, at_s + INT64_C(100) * 86400);
            ck_assert_int_lt(period.end_s, at_s + INT64_C(270) * 86400);
            at_s = period.end_s;
        }
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("zone_table");
    tcase_add_test(tests, a_sound_file_gives_its_table_and_then_its_rule);
    tcase_add_test(tests, without_a_rule_the_last_change_was_the_last);
    tcase_add_test(tests, a_zeroed_table_is_utc);
    tcase_add_test(tests, a_file_that_is_cut_anywhere_is_refused);
    tcase_add_test(tests, a_file_with_a_flipped_bit_is_read_or_refused_and_nothing_else);
    tcase_add_test(tests, what_a_zone_file_may_not_say_is_refused);
    tcase_add_test(tests, the_most_types_are_taken);
    tcase_add_loop_test(tests, what_is_no_rule_is_refused, 0,
                        (int)(sizeof wrong_rules / sizeof wrong_rules[0]));
    tcase_add_test(tests, a_rule_has_all_its_parts);
    tcase_add_test(tests, without_daylight_a_rule_holds_for_ever);
    tcase_add_test(tests, periods_follow_each_other_through_the_years);
    Suite *suite = suite_create("zone_table");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
