/* link: common_base */
#include "common/base/limits.h"
#include "common/base/money.h"

#include <check.h>
#include <stdlib.h>

#define UNTOUCHED INT64_C(-4711)

struct integer_row {
    const char *text;
    enum status status;
    int64_t value;
};

static const struct integer_row integer_rows[] = {
    { "0", STATUS_OK, 0 },
    { "-0", STATUS_OK, 0 },
    { "007", STATUS_OK, 7 },
    { "-42", STATUS_OK, -42 },
    { "9223372036854775807", STATUS_OK, INT64_MAX },
    { "-9223372036854775808", STATUS_OK, INT64_MIN },
    { "9223372036854775808", STATUS_RANGE, UNTOUCHED },
    { "-9223372036854775809", STATUS_RANGE, UNTOUCHED },
    { "99999999999999999999999", STATUS_RANGE, UNTOUCHED },
    { "", STATUS_MALFORMED, UNTOUCHED },
    { "-", STATUS_MALFORMED, UNTOUCHED },
    { "--1", STATUS_MALFORMED, UNTOUCHED },
    { "+1", STATUS_MALFORMED, UNTOUCHED },
    { " 1", STATUS_MALFORMED, UNTOUCHED },
    { "1 ", STATUS_MALFORMED, UNTOUCHED },
    { "1.0", STATUS_MALFORMED, UNTOUCHED },
    { "0x10", STATUS_MALFORMED, UNTOUCHED },
    { "1e3", STATUS_MALFORMED, UNTOUCHED },
    { "99999999999999999999999x", STATUS_MALFORMED, UNTOUCHED },
};

START_TEST(integers_are_a_minus_and_digits_and_nothing_else)
{
    const struct integer_row *row = &integer_rows[_i];
    int64_t value = UNTOUCHED;
    enum status status = integer_parse(span_of_text(row->text), &value);
    ck_assert_msg(status == row->status, "'%s': %s", row->text, status_code_text(status));
    ck_assert_int_eq(value, row->value);
}
END_TEST

START_TEST(a_nul_within_a_number_is_not_its_end)
{
    int64_t value = UNTOUCHED;
    ck_assert_int_eq(integer_parse(span_of("1\0002", 3), &value), STATUS_MALFORMED);
    ck_assert_int_eq(decimal_parse(span_of("1\0002", 3), 2, &value), STATUS_MALFORMED);
    ck_assert_int_eq(value, UNTOUCHED);
}
END_TEST

struct decimal_row {
    const char *text;
    unsigned digits;
    enum status status;
    int64_t minor;
};

static const struct decimal_row decimal_rows[] = {
    { "29.33", 2, STATUS_OK, 2933 },
    { "29", 2, STATUS_OK, 2900 },
    { "29.3", 2, STATUS_OK, 2930 },
    { "29.330000", 2, STATUS_OK, 2933 },
    { "29.000", 0, STATUS_OK, 29 },
    { "0.01", 2, STATUS_OK, 1 },
    { "-0.01", 2, STATUS_OK, -1 },
    { "-0", 2, STATUS_OK, 0 },
    { "1.234", 3, STATUS_OK, 1234 },
    { "1", 15, STATUS_OK, LIMIT_AMOUNT },
    { "10000000000000.00", 2, STATUS_OK, LIMIT_AMOUNT },
    { "-10000000000000.00", 2, STATUS_OK, -LIMIT_AMOUNT },
    { "10000000000000.01", 2, STATUS_RANGE, UNTOUCHED },
    { "-10000000000000.01", 2, STATUS_RANGE, UNTOUCHED },
    { "1000000000000001", 0, STATUS_RANGE, UNTOUCHED },
    { "99999999999999999999999999", 2, STATUS_RANGE, UNTOUCHED },
    { "9223372036854775808", 0, STATUS_RANGE, UNTOUCHED },
    { "29.331", 2, STATUS_MALFORMED, UNTOUCHED },
    { "29.001", 2, STATUS_MALFORMED, UNTOUCHED },
    { "29.5", 0, STATUS_MALFORMED, UNTOUCHED },
    { ".5", 2, STATUS_MALFORMED, UNTOUCHED },
    { "5.", 2, STATUS_MALFORMED, UNTOUCHED },
    { ".", 2, STATUS_MALFORMED, UNTOUCHED },
    { "", 2, STATUS_MALFORMED, UNTOUCHED },
    { "-", 2, STATUS_MALFORMED, UNTOUCHED },
    { "+1.00", 2, STATUS_MALFORMED, UNTOUCHED },
    { "1,00", 2, STATUS_MALFORMED, UNTOUCHED },
    { "1.0.0", 2, STATUS_MALFORMED, UNTOUCHED },
    { "1.-5", 2, STATUS_MALFORMED, UNTOUCHED },
    { "1e2", 2, STATUS_MALFORMED, UNTOUCHED },
    { " 1", 2, STATUS_MALFORMED, UNTOUCHED },
    { "nan", 2, STATUS_MALFORMED, UNTOUCHED },
};

START_TEST(decimals_become_minor_units_without_losing_a_digit)
{
    const struct decimal_row *row = &decimal_rows[_i];
    int64_t minor = UNTOUCHED;
    enum status status = decimal_parse(span_of_text(row->text), row->digits, &minor);
    ck_assert_msg(status == row->status, "'%s': %s", row->text, status_code_text(status));
    ck_assert_int_eq(minor, row->minor);
}
END_TEST

struct format_row {
    int64_t minor;
    unsigned digits;
    const char *text;
};

static const struct format_row format_rows[] = {
    { 2933, 2, "29.33" },
    { 2900, 2, "29.00" },
    { 1, 2, "0.01" },
    { -1, 2, "-0.01" },
    { 0, 2, "0.00" },
    { 0, 0, "0" },
    { -7, 0, "-7" },
    { 1234, 3, "1.234" },
    { 1, 15, "0.000000000000001" },
    { INT64_MAX, 2, "92233720368547758.07" },
    { INT64_MIN, 2, "-92233720368547758.08" },
    { INT64_MIN, 15, "-9223.372036854775808" },
};

START_TEST(minor_units_are_written_with_all_their_digits)
{
    const struct format_row *row = &format_rows[_i];
    char text[32] = { 0 };
    decimal_format(row->minor, row->digits, text);
    ck_assert_str_eq(text, row->text);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    static const int64_t minors[] = { 0, 1, -1, 99, 100, -12345, LIMIT_AMOUNT, -LIMIT_AMOUNT };
    for (size_t i = 0; i < sizeof minors / sizeof minors[0]; i++) {
        for (unsigned digits = 0; digits <= 15; digits++) {
            char text[32] = { 0 };
            int64_t minor = UNTOUCHED;
            decimal_format(minors[i], digits, text);
            ck_assert_int_eq(decimal_parse(span_of_text(text), digits, &minor), STATUS_OK);
            ck_assert_int_eq(minor, minors[i]);
        }
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("money");
    tcase_add_loop_test(tests, integers_are_a_minus_and_digits_and_nothing_else, 0,
                        (int)(sizeof integer_rows / sizeof integer_rows[0]));
    tcase_add_test(tests, a_nul_within_a_number_is_not_its_end);
    tcase_add_loop_test(tests, decimals_become_minor_units_without_losing_a_digit, 0,
                        (int)(sizeof decimal_rows / sizeof decimal_rows[0]));
    tcase_add_loop_test(tests, minor_units_are_written_with_all_their_digits, 0,
                        (int)(sizeof format_rows / sizeof format_rows[0]));
    tcase_add_test(tests, what_is_written_is_read_back);
    Suite *suite = suite_create("money");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
