/* link: kith_parts */
#include "cli/output.h"
#include "cli/suite.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PRINTED_BYTES 4096

/* What listing_print writes of rows given as JSON. */
static void print(const char *rows_text, size_t width, char out[PRINTED_BYTES])
{
    json_t *rows = json_loads(rows_text, 0, NULL);
    ck_assert_ptr_nonnull(rows);
    FILE *file = fmemopen(out, PRINTED_BYTES, "w");
    ck_assert_ptr_nonnull(file);
    listing_print(rows, file, width);
    ck_assert_int_eq(fclose(file), 0);
    json_decref(rows);
}

static void dump_is(json_t *value, const char *text)
{
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_PRESERVE_ORDER);
    ck_assert_ptr_nonnull(dumped);
    ck_assert_str_eq(dumped, text);
    free(dumped);
    json_decref(value);
}

START_TEST(columns_stand_under_their_names_and_numbers_at_the_right)
{
    char out[PRINTED_BYTES] = "";
    print("[{\"name\":\"loyalty\",\"seq\":7},{\"name\":\"in\",\"seq\":12345}]", 80, out);
    ck_assert_str_eq(out, "NAME       SEQ\n"
                          "loyalty      7\n"
                          "in       12345\n");
}
END_TEST

START_TEST(the_last_column_has_no_spaces_behind_it)
{
    char out[PRINTED_BYTES] = "";
    print("[{\"a\":1,\"text\":\"x\"},{\"a\":2,\"text\":\"long\"}]", 80, out);
    ck_assert_str_eq(out, "A  TEXT\n1  x\n2  long\n");
}
END_TEST

START_TEST(a_row_that_is_too_wide_is_cut_in_its_widest_column)
{
    char out[PRINTED_BYTES] = "";
    print("[{\"n\":1,\"reason\":\"the consumer stands still since noon\"}]", 20, out);
    ck_assert_str_eq(out, "N  REASON\n1  the consumer sta…\n");
}
END_TEST

START_TEST(characters_are_counted_and_not_bytes)
{
    char out[PRINTED_BYTES] = "";
    print("[{\"name\":\"Zoë\",\"n\":1},{\"name\":\"Anna\",\"n\":2}]", 80, out);
    ck_assert_str_eq(out, "NAME  N\nZoë   1\nAnna  2\n");
}
END_TEST

START_TEST(nothing_that_a_terminal_obeys_is_printed)
{
    char out[PRINTED_BYTES] = "";
    print("[{\"name\":\"a\\u001b[2Jb\\nc\"}]", 80, out);
    ck_assert_str_eq(out, "NAME\na?[2Jb?c\n");
}
END_TEST

START_TEST(a_missing_value_leaves_its_place_empty)
{
    char out[PRINTED_BYTES] = "";
    print("[{\"a\":\"x\",\"b\":\"y\"},{\"b\":\"z\"},{\"a\":null,\"b\":true}]", 80, out);
    ck_assert_str_eq(out, "A  B\nx  y\n   z\n-  yes\n");
}
END_TEST

START_TEST(an_object_in_a_cell_is_a_list)
{
    char out[PRINTED_BYTES] = "";
    print("[{\"positions\":{\"ingestion/0\":12,\"loyalty/0\":3}},{\"positions\":{}}]", 80, out);
    ck_assert_str_eq(out, "POSITIONS\ningestion/0 12, loyalty/0 3\n-\n");
}
END_TEST

START_TEST(a_very_long_text_is_cut_and_stays_whole_characters)
{
    char rows[2048];
    char out[PRINTED_BYTES] = "";
    size_t size = (size_t)snprintf(rows, sizeof rows, "[{\"t\":\"");
    for (int i = 0; i < 600; i++) {
        size += (size_t)snprintf(rows + size, sizeof rows - size, "é");
    }
    (void)snprintf(rows + size, sizeof rows - size, "\"}]");
    print(rows, SIZE_MAX, out);
    json_t *text = json_string(out); /* refuses half a character */
    ck_assert_ptr_nonnull(text);
    json_decref(text);
    ck_assert_uint_lt(strlen(out), 600);
}
END_TEST

START_TEST(bytes_that_are_no_text_become_digits)
{
    dump_is(output_text(span_of("ok", 2)), "\"ok\"");
    dump_is(output_text(span_of("\xFF\x01", 2)), "\"0xff01\"");
    dump_is(output_text(span_of(NULL, 0)), "\"\"");
    dump_is(output_text_or_null(NULL), "null");
}
END_TEST

START_TEST(times_are_rfc_3339)
{
    dump_is(output_time(899164800000), "\"1998-06-30T00:00:00Z\"");
}
END_TEST

START_TEST(numbers_stay_whole)
{
    dump_is(output_unsigned(9007199254740993), "9007199254740993");
    dump_is(output_unsigned(UINT64_MAX), "9223372036854775807");
}
END_TEST

START_TEST(an_answer_of_several_includes_the_least_of_each_position)
{
    struct positions positions = { 0 };
    positions_lower(&positions, "ingestion", 0, 12);
    positions_lower(&positions, "loyalty", 1, 5);
    positions_lower(&positions, "ingestion", 0, 10);
    positions_lower(&positions, "ingestion", 0, 11);
    dump_is(positions_json(&positions), "{\"ingestion/0\":10,\"loyalty/1\":5}");
}
END_TEST

START_TEST(positions_past_the_limit_are_dropped)
{
    struct positions positions = { 0 };
    for (uint32_t shard = 0; shard < LIMIT_FEEDS + 3; shard++) {
        positions_lower(&positions, "ingestion", shard, 1);
    }
    ck_assert_uint_eq(positions.count, LIMIT_FEEDS);
}
END_TEST

START_TEST(not_reachable_has_an_exit_code_of_its_own)
{
    struct refusal refusal;
    refusal_init(&refusal);
    (void)refusal_set(&refusal, STATUS_UNREACHABLE, "nobody answers");
    ck_assert_int_eq(output_refusal("loyalty/0", &refusal), EXIT_UNREACHABLE);
    (void)refusal_set(&refusal, STATUS_REFUSED, "too few points");
    ck_assert_int_eq(output_refusal("loyalty/0", &refusal), EXIT_FAILED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli output");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, columns_stand_under_their_names_and_numbers_at_the_right);
    tcase_add_test(cases, the_last_column_has_no_spaces_behind_it);
    tcase_add_test(cases, a_row_that_is_too_wide_is_cut_in_its_widest_column);
    tcase_add_test(cases, characters_are_counted_and_not_bytes);
    tcase_add_test(cases, nothing_that_a_terminal_obeys_is_printed);
    tcase_add_test(cases, a_missing_value_leaves_its_place_empty);
    tcase_add_test(cases, an_object_in_a_cell_is_a_list);
    tcase_add_test(cases, a_very_long_text_is_cut_and_stays_whole_characters);
    tcase_add_test(cases, bytes_that_are_no_text_become_digits);
    tcase_add_test(cases, times_are_rfc_3339);
    tcase_add_test(cases, numbers_stay_whole);
    tcase_add_test(cases, an_answer_of_several_includes_the_least_of_each_position);
    tcase_add_test(cases, positions_past_the_limit_are_dropped);
    tcase_add_test(cases, not_reachable_has_an_exit_code_of_its_own);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
