/* link: common_base */
#include "common/base/limits.h"
#include "common/base/time_text.h"

#include <check.h>
#include <stdlib.h>

#define UNTOUCHED INT64_C(-4711)

static void expect_day(int64_t number, int year, int month, int day)
{
    int found[3] = { 0 };
    civil_from_days(number, &found[0], &found[1], &found[2]);
    bool is_same = found[0] == year && found[1] == month && found[2] == day;
    if (!is_same || days_from_civil(year, month, day) != number ||
        !date_is_valid(year, month, day)) {
        ck_abort_msg("%d-%d-%d", year, month, day);
    }
}

/* Expects the days of a month from `number` on and returns the number of the day after. */
static int64_t expect_month(int64_t number, int year, int month)
{
    static const int month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int most = month_days[month - 1] + (month == 2 && is_leap);
    for (int day = 1; day <= most; day++) {
        expect_day(number, year, month, day);
        number++;
    }
    ck_assert(!date_is_valid(year, month, most + 1));
    return number;
}

START_TEST(days_are_counted_like_a_calendar_does)
{
    int64_t number = LIMIT_TIME_LEAST_MS / MS_PER_DAY;
    for (int month = 0; month < 2500 * 12; month++) {
        number = expect_month(number, 1 + month / 12, 1 + month % 12);
    }
    ck_assert_int_eq(number, days_from_civil(2501, 1, 1));
}
END_TEST

START_TEST(dates_outside_the_calendar_are_not_valid)
{
    ck_assert(!date_is_valid(0, 1, 1));
    ck_assert(!date_is_valid(-1, 1, 1));
    ck_assert(!date_is_valid(10000, 1, 1));
    ck_assert(!date_is_valid(2000, 0, 1));
    ck_assert(!date_is_valid(2000, 13, 1));
    ck_assert(!date_is_valid(2000, 1, 0));
    ck_assert(!date_is_valid(2000, 1, 32));
    ck_assert(date_is_valid(9999, 12, 31));
    ck_assert_int_eq(days_from_civil(9999, 12, 31), LIMIT_TIME_MOST_MS / MS_PER_DAY);
}
END_TEST

START_TEST(days_round_down_also_before_1970)
{
    ck_assert_int_eq(day_of_ms(0), 0);
    ck_assert_int_eq(day_of_ms(MS_PER_DAY - 1), 0);
    ck_assert_int_eq(day_of_ms(MS_PER_DAY), 1);
    ck_assert_int_eq(day_of_ms(-1), -1);
    ck_assert_int_eq(day_of_ms(-MS_PER_DAY), -1);
    ck_assert_int_eq(day_of_ms(-MS_PER_DAY - 1), -2);
}
END_TEST

struct format_row {
    int64_t at_ms;
    const char *text;
};

static const struct format_row format_rows[] = {
    { 0, "1970-01-01T00:00:00Z" },
    { -1, "1969-12-31T23:59:59.999Z" },
    { 1, "1970-01-01T00:00:00.001Z" },
    { 899208000000, "1998-06-30T12:00:00Z" },
    { 951782400120, "2000-02-29T00:00:00.120Z" },
    { LIMIT_TIME_LEAST_MS, "0001-01-01T00:00:00Z" },
    { LIMIT_TIME_MOST_MS, "9999-12-31T23:59:59.999Z" },
    /* No text that may be parsed, but a log may have to show them. */
    { LIMIT_TIME_MOST_MS + 1, "10000-01-01T00:00:00Z" },
    { LIMIT_TIME_LEAST_MS - 1, "0000-12-31T23:59:59.999Z" },
    { INT64_MAX, "292278994-08-17T07:12:55.807Z" },
    { INT64_MIN, "-292275055-05-16T16:47:04.192Z" },
};

START_TEST(instants_are_written_in_utc_with_milliseconds_if_any)
{
    const struct format_row *row = &format_rows[_i];
    char text[TIME_TEXT_BYTES] = { 0 };
    time_format(row->at_ms, text);
    ck_assert_str_eq(text, row->text);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    /* A stride of no round number, so that all fields take many values. */
    const int64_t stride_ms = INT64_C(98765432109);
    for (int64_t at_ms = LIMIT_TIME_LEAST_MS; at_ms <= LIMIT_TIME_MOST_MS; at_ms += stride_ms) {
        char text[TIME_TEXT_BYTES] = { 0 };
        int64_t parsed_ms = UNTOUCHED;
        int64_t parsed_day = UNTOUCHED;
        time_format(at_ms, text);
        ck_assert_int_eq(time_parse(span_of_text(text), &parsed_ms), STATUS_OK);
        ck_assert_int_eq(parsed_ms, at_ms);
        date_format(day_of_ms(at_ms), text);
        ck_assert_int_eq(date_parse(span_of_text(text), &parsed_day), STATUS_OK);
        ck_assert_int_eq(parsed_day, day_of_ms(at_ms));
    }
}
END_TEST

static const struct format_row parse_rows[] = {
    { 0, "1970-01-01T00:00:00Z" },
    { 0, "1970-01-01T00:00:00.000000000Z" },
    { 0, "1970-01-01T00:00:00+00:00" },
    { 0, "1970-01-01T00:00:00-00:00" },
    { 0, "1970-01-01T02:00:00+02:00" },
    { 0, "1969-12-31T14:30:00-09:30" },
    { 0, "1970-01-01T23:59:00+23:59" },
    { 100, "1970-01-01T00:00:00.1Z" },
    { 120, "1970-01-01T00:00:00.12Z" },
    { 123, "1970-01-01T00:00:00.123Z" },
    { 123, "1970-01-01T00:00:00.1239Z" },
    { 999, "1970-01-01T00:00:00.999999999999999999999999999Z" },
    { -1, "1969-12-31T23:59:59.999Z" },
    { 951782400000, "2000-02-29T00:00:00Z" },
    { LIMIT_TIME_LEAST_MS, "0001-01-01T00:00:00Z" },
    { LIMIT_TIME_MOST_MS, "9999-12-31T23:59:59.999Z" },
};

START_TEST(rfc_3339_is_read)
{
    const struct format_row *row = &parse_rows[_i];
    int64_t at_ms = UNTOUCHED;
    enum status status = time_parse(span_of_text(row->text), &at_ms);
    ck_assert_msg(status == STATUS_OK, "'%s' was refused", row->text);
    ck_assert_int_eq(at_ms, row->at_ms);
}
END_TEST

static const char *wrong_times[] = {
    "",
    "1970",
    "1970-01-01",
    "1970-01-01T00:00:00",
    "1970-01-01 00:00:00Z",
    "1970-01-01t00:00:00Z",
    "1970-01-01T00:00:00z",
    "1970-01-01T00:00Z",
    "1970-01-01T00:00:00.Z",
    "1970-01-01T00:00:00,5Z",
    "1970-01-01T00:00:00Z ",
    " 1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00ZZ",
    "1970-01-01T00:00:00+0200",
    "1970-01-01T00:00:00+02",
    "1970-01-01T00:00:00+24:00",
    "1970-01-01T00:00:00+00:60",
    "1970-01-01T00:00:00+02:00Z",
    "1970-1-01T00:00:00Z",
    "1970-01-1T00:00:00Z",
    "19700101T000000Z",
    "+1970-01-01T00:00:00Z",
    "-001-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "1970-00-01T00:00:00Z",
    "1970-13-01T00:00:00Z",
    "1970-01-00T00:00:00Z",
    "1970-01-32T00:00:00Z",
    "1970-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2000-02-31T00:00:00Z",
    "2000-04-31T00:00:00Z",
    "1970-01-01T24:00:00Z",
    "1970-01-01T00:60:00Z",
    "1970-01-01T00:00:60Z",
    "2016-12-31T23:59:60Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
};

START_TEST(all_else_is_no_time)
{
    int64_t at_ms = UNTOUCHED;
    enum status status = time_parse(span_of_text(wrong_times[_i]), &at_ms);
    ck_assert_msg(status == STATUS_MALFORMED, "'%s' was taken", wrong_times[_i]);
    ck_assert_int_eq(at_ms, UNTOUCHED);
}
END_TEST

START_TEST(a_time_does_not_go_on_behind_a_nul)
{
    int64_t at_ms = UNTOUCHED;
    ck_assert_int_eq(time_parse(span_of("1970-01-01T00:00:00Z\0", 21), &at_ms), STATUS_MALFORMED);
    ck_assert_int_eq(at_ms, UNTOUCHED);
}
END_TEST

START_TEST(dates_are_year_month_and_day)
{
    static const char *wrong[] = { "",           "1998-06-3",   "1998-06-31",
                                   "1998-6-30",  "1998-06-300", "19980630",
                                   "0000-01-01", "1998-06-30T", "30.06.1998",
                                   "1998/06/30" };
    int64_t day = UNTOUCHED;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        enum status status = date_parse(span_of_text(wrong[i]), &day);
        ck_assert_msg(status == STATUS_MALFORMED, "'%s' was taken", wrong[i]);
        ck_assert_int_eq(day, UNTOUCHED);
    }
    ck_assert_int_eq(date_parse(span_of_text("1998-06-30"), &day), STATUS_OK);
    ck_assert_int_eq(day, 10407);
    ck_assert_int_eq(date_parse(span_of_text("1969-12-31"), &day), STATUS_OK);
    ck_assert_int_eq(day, -1);
}
END_TEST

static const struct format_row duration_rows[] = {
    { MS_PER_DAY, "P1D" },
    { 90 * 60000, "PT90M" },
    { 14 * MS_PER_DAY, "P2W" },
    { 8 * MS_PER_DAY, "P1W1D" },
    { MS_PER_DAY + 2 * 3600000 + 3 * 60000 + 4000, "P1DT2H3M4S" },
    { 3600000 + 5000, "PT1H5S" },
    { 0, "PT0S" },
    { 365 * MS_PER_DAY, "P0365D" },
    { MS_PER_DAY, "1d" },
    { 90 * 60000, "90m" },
    { 30000, "30s" },
    { 14 * MS_PER_DAY, "2w" },
    { 500, "500ms" },
    { 7200000, "2h" },
    { 0, "0s" },
    { LIMIT_TIME_MOST_MS, "253402300799999ms" },
};

START_TEST(durations_are_iso_or_short)
{
    const struct format_row *row = &duration_rows[_i];
    int64_t duration_ms = UNTOUCHED;
    enum status status = duration_parse(span_of_text(row->text), &duration_ms);
    ck_assert_msg(status == STATUS_OK, "'%s' was refused", row->text);
    ck_assert_int_eq(duration_ms, row->at_ms);
}
END_TEST

static const char *wrong_durations[] = {
    "",
    "P",
    "PT",
    "P1DT",
    "P1",
    "1",
    "d",
    "PD",
    "P1Y",
    "P1M",
    "PT1D",
    "P1H",
    "P1D1W",
    "P1D1D",
    "PT1M1H",
    "PT1M1M",
    "P-1D",
    "-P1D",
    "-1d",
    "+1d",
    "P1.5D",
    "PT0.5S",
    "1.5h",
    "1h30m",
    "1 d",
    " 1d",
    "1d ",
    "P1DT1HT1M",
    "p1d",
    "P1d",
    "1D",
    "1M",
    "1y",
    "1mss",
    "500m s",
    "253402300800000ms",
    "99999999999999999999d",
    "9223372036854775807w",
    "P253402300799999W",
    "P2932897DT24H",
};

START_TEST(all_else_is_no_duration)
{
    int64_t duration_ms = UNTOUCHED;
    enum status status = duration_parse(span_of_text(wrong_durations[_i]), &duration_ms);
    ck_assert_msg(status == STATUS_MALFORMED, "'%s' was taken", wrong_durations[_i]);
    ck_assert_int_eq(duration_ms, UNTOUCHED);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof(table)[0]))

int main(void)
{
    TCase *tests = tcase_create("time_text");
    tcase_add_test(tests, days_are_counted_like_a_calendar_does);
    tcase_add_test(tests, dates_outside_the_calendar_are_not_valid);
    tcase_add_test(tests, days_round_down_also_before_1970);
    tcase_add_loop_test(tests, instants_are_written_in_utc_with_milliseconds_if_any, 0,
                        ROWS(format_rows));
    tcase_add_test(tests, what_is_written_is_read_back);
    tcase_add_loop_test(tests, rfc_3339_is_read, 0, ROWS(parse_rows));
    tcase_add_loop_test(tests, all_else_is_no_time, 0, ROWS(wrong_times));
    tcase_add_test(tests, a_time_does_not_go_on_behind_a_nul);
    tcase_add_test(tests, dates_are_year_month_and_day);
    tcase_add_loop_test(tests, durations_are_iso_or_short, 0, ROWS(duration_rows));
    tcase_add_loop_test(tests, all_else_is_no_duration, 0, ROWS(wrong_durations));
    Suite *suite = suite_create("time_text");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
