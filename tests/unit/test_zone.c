/* link: common_base */
#include "common/base/money.h"
#include "common/base/time_text.h"
#include "common/base/zone.h"

#include <check.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct zone *zone_of(const char *name)
{
    struct zone *zone = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = zone_open(&zone, name, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s: %s", name, refusal.message);
    return zone;
}

static int64_t ms_of(const char *text)
{
    int64_t at_ms = 0;
    ck_assert_int_eq(time_parse(span_of_text(text), &at_ms), STATUS_OK);
    return at_ms;
}

/* --- against Python's zoneinfo --- */

static const char oracle_path[] = "tests/unit/zone_oracle.py";

static FILE *oracle_start(pid_t *child)
{
    int ends[2] = { -1, -1 };
    ck_assert_int_eq(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
    ck_assert_int_eq(posix_spawn_file_actions_addclose(&actions, ends[0]), 0);
    ck_assert_int_eq(posix_spawn_file_actions_addclose(&actions, ends[1]), 0);
    char program[] = "/usr/bin/python3";
    char no_cache[] = "-B";
    char script[sizeof oracle_path] = { 0 };
    memcpy(script, oracle_path, sizeof script);
    char *arguments[] = { program, no_cache, script, NULL };
    /* Nothing of ours: no TZ, no PYTHONTZPATH. */
    char *environment[] = { NULL };
    ck_assert_int_eq(posix_spawn(child, program, &actions, NULL, arguments, environment), 0);
    ck_assert_int_eq(posix_spawn_file_actions_destroy(&actions), 0);
    ck_assert_int_eq(close(ends[1]), 0);
    FILE *lines = fdopen(ends[0], "r");
    ck_assert_ptr_nonnull(lines);
    return lines;
}

static void oracle_end(FILE *lines, pid_t child)
{
    int state = 0;
    ck_assert_int_eq(fclose(lines), 0);
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state) && WEXITSTATUS(state) == 0);
}

/* Cuts the next word off the front of *rest. */
static char *word_take(char **rest)
{
    char *word = *rest;
    size_t size = strcspn(word, " \n");
    if (size == 0) {
        ck_abort_msg("the oracle wrote half a line");
    }
    *rest = word + size + (word[size] != '\0');
    word[size] = '\0';
    return word;
}

static int64_t number_take(char **rest)
{
    int64_t number = 0;
    if (integer_parse(span_of_text(word_take(rest)), &number) != STATUS_OK) {
        ck_abort_msg("the oracle wrote no number");
    }
    return number;
}

START_TEST(every_zone_agrees_with_python)
{
    pid_t child = -1;
    FILE *lines = oracle_start(&child);
    struct zone *zone = NULL;
    char name[128] = "";
    char line[256] = "";
    size_t count = 0;
    for (; fgets(line, sizeof line, lines) != NULL; count++) {
        char *rest = line;
        const char *asked_of = word_take(&rest);
        if (strcmp(name, asked_of) != 0) {
            zone_close(&zone);
            zone = zone_of(asked_of);
            (void)snprintf(name, sizeof name, "%s", asked_of);
        }
        bool wants_offset = strcmp(word_take(&rest), "offset") == 0;
        int64_t asked = number_take(&rest);
        int64_t expected = number_take(&rest);
        int64_t found = wants_offset ? zone_offset_ms(zone, asked) : zone_instant_ms(zone, asked);
        if (found != expected) {
            ck_abort_msg("%s, %s of %lld: %lld instead of %lld", name,
                         wants_offset ? "offset" : "instant", (long long)asked, (long long)found,
                         (long long)expected);
        }
    }
    zone_close(&zone);
    oracle_end(lines, child);
    /* Hundreds of zones with dozens of questions each: an oracle that is dumb is no proof. */
    ck_assert_uint_gt(count, 20000);
}
END_TEST

/* --- by hand --- */

START_TEST(utc_needs_no_database)
{
    struct zone *zone = zone_of("UTC");
    ck_assert_int_eq(zone_offset_ms(zone, 0), 0);
    ck_assert_int_eq(zone_local_ms(zone, -1), -1);
    ck_assert_int_eq(zone_instant_ms(zone, 12345), 12345);
    ck_assert_int_eq(zone_day(zone, -1), -1);
    ck_assert_int_eq(zone_day_start_ms(zone, 1), MS_PER_DAY);
    zone_close(&zone);
    ck_assert_ptr_null(zone);
    zone_close(&zone);
}
END_TEST

START_TEST(a_skipped_time_is_the_first_instant_after_the_gap)
{
    struct zone *zone = zone_of("Europe/Madrid");
    int64_t gap_end_ms = ms_of("2024-03-31T01:00:00Z");
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("2024-03-31T01:59:59.999Z")), gap_end_ms - 1);
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("2024-03-31T02:00:00Z")), gap_end_ms);
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("2024-03-31T02:30:00Z")), gap_end_ms);
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("2024-03-31T03:00:00Z")), gap_end_ms);
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("2024-03-31T03:00:00.001Z")), gap_end_ms + 1);
    zone_close(&zone);
}
END_TEST

START_TEST(a_time_that_comes_twice_is_the_first_of_both)
{
    struct zone *zone = zone_of("Europe/Madrid");
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("2024-10-27T02:00:00Z")),
                     ms_of("2024-10-27T00:00:00Z"));
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("2024-10-27T02:59:59.999Z")),
                     ms_of("2024-10-27T00:59:59.999Z"));
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("2024-10-27T03:00:00Z")),
                     ms_of("2024-10-27T02:00:00Z"));
    zone_close(&zone);
}
END_TEST

START_TEST(local_days_have_23_24_or_25_hours)
{
    struct zone *zone = zone_of("Europe/Madrid");
    static const struct {
        int month;
        int day;
        int hours;
    } rows[] = { { 3, 30, 24 }, { 3, 31, 23 }, { 4, 1, 24 }, { 10, 27, 25 }, { 10, 28, 24 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t day = days_from_civil(2024, rows[i].month, rows[i].day);
        int64_t start_ms = zone_day_start_ms(zone, day);
        int64_t end_ms = zone_day_start_ms(zone, day + 1);
        ck_assert_int_eq(end_ms - start_ms, rows[i].hours * INT64_C(3600000));
        ck_assert_int_eq(zone_day(zone, start_ms), day);
        ck_assert_int_eq(zone_day(zone, start_ms - 1), day - 1);
        ck_assert_int_eq(zone_day(zone, end_ms - 1), day);
    }
    zone_close(&zone);
}
END_TEST

START_TEST(a_day_that_was_left_out_is_empty)
{
    /* Samoa went over the date line: after the 29th came the 31st. */
    struct zone *zone = zone_of("Pacific/Apia");
    int64_t day = days_from_civil(2011, 12, 30);
    ck_assert_int_eq(zone_day_start_ms(zone, day), zone_day_start_ms(zone, day + 1));
    ck_assert_int_eq(zone_day(zone, zone_day_start_ms(zone, day)), day + 1);
    ck_assert_int_eq(zone_day(zone, zone_day_start_ms(zone, day) - 1), day - 1);
    zone_close(&zone);
}
END_TEST

START_TEST(a_day_whose_midnight_is_skipped_starts_after_the_gap)
{
    /* Clocks in Santiago go forward at midnight. */
    struct zone *zone = zone_of("America/Santiago");
    int64_t day = days_from_civil(2024, 9, 8);
    ck_assert_int_eq(zone_day_start_ms(zone, day), ms_of("2024-09-08T04:00:00Z"));
    ck_assert_int_eq(zone_local_ms(zone, ms_of("2024-09-08T04:00:00Z")),
                     ms_of("2024-09-08T01:00:00Z"));
    zone_close(&zone);
}
END_TEST

START_TEST(the_rule_still_holds_in_the_year_9999)
{
    struct zone *zone = zone_of("Europe/Madrid");
    ck_assert_int_eq(zone_offset_ms(zone, ms_of("9999-07-01T00:00:00Z")), 7200000);
    ck_assert_int_eq(zone_offset_ms(zone, ms_of("9999-12-31T23:59:59Z")), 3600000);
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("9999-12-31T23:59:59Z")),
                     ms_of("9999-12-31T22:59:59Z"));
    /* Before there was standard time: the mean time of Madrid. */
    ck_assert_int_eq(zone_offset_ms(zone, ms_of("0001-01-01T00:00:00Z")), -884000);
    ck_assert_int_eq(zone_instant_ms(zone, ms_of("0001-01-01T00:00:00Z")),
                     ms_of("0001-01-01T00:14:44Z"));
    zone_close(&zone);
}
END_TEST

START_TEST(the_time_zone_of_the_process_is_not_asked)
{
    ck_assert_int_eq(setenv("TZ", "Pacific/Kiritimati", 1), 0);
    tzset();
    struct zone *zone = zone_of("America/New_York");
    ck_assert_int_eq(zone_offset_ms(zone, ms_of("2024-01-01T00:00:00Z")), -5 * 3600000);
    zone_close(&zone);
}
END_TEST

static void expect_refused(const char *name, enum status expected)
{
    struct zone *zone = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = zone_open(&zone, name, &refusal);
    ck_assert_msg(status == expected, "'%s': %s", name, status_code_text(status));
    ck_assert_ptr_null(zone);
    ck_assert_str_ne(refusal.message, "");
}

START_TEST(names_that_lead_out_of_the_database_are_malformed)
{
    static const char *names[] = { "",
                                   "/etc/localtime",
                                   "../../../etc/passwd",
                                   "Europe/../Europe/Madrid",
                                   "Europe/./Madrid",
                                   "Europe//Madrid",
                                   "Europe/",
                                   "localtime",
                                   "posixrules",
                                   "posix/Europe/Madrid",
                                   "right/Europe/Madrid",
                                   ":Europe/Madrid",
                                   "Europe/Madrid ",
                                   "CET-1CEST,M3.5.0,M10.5.0/3",
                                   "Europe/Madrid\n" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        expect_refused(names[i], STATUS_MALFORMED);
    }
}
END_TEST

START_TEST(a_zone_that_does_not_exist_is_an_error_and_not_utc)
{
    char long_name[66] = { 0 };
    memset(long_name, 'A', 64);
    expect_refused("Europe/Atlantis", STATUS_NOT_FOUND);
    expect_refused("europe/madrid", STATUS_MALFORMED);
    expect_refused("EUROPE/MADRID", STATUS_NOT_FOUND);
    expect_refused("Europe", STATUS_NOT_FOUND);
    expect_refused("Europe/Madrid/x", STATUS_NOT_FOUND);
    expect_refused(long_name, STATUS_NOT_FOUND);
    long_name[64] = 'A';
    expect_refused(long_name, STATUS_MALFORMED);
    struct zone *zone = NULL;
    ck_assert_int_eq(zone_open(&zone, "Europe/Atlantis", NULL), STATUS_NOT_FOUND);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("zone");
    /* Python takes some seconds, and more beside other tests. */
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_zone_agrees_with_python);
    tcase_add_test(tests, utc_needs_no_database);
    tcase_add_test(tests, a_skipped_time_is_the_first_instant_after_the_gap);
    tcase_add_test(tests, a_time_that_comes_twice_is_the_first_of_both);
    tcase_add_test(tests, local_days_have_23_24_or_25_hours);
    tcase_add_test(tests, a_day_that_was_left_out_is_empty);
    tcase_add_test(tests, a_day_whose_midnight_is_skipped_starts_after_the_gap);
    tcase_add_test(tests, the_rule_still_holds_in_the_year_9999);
    tcase_add_test(tests, the_time_zone_of_the_process_is_not_asked);
    tcase_add_test(tests, names_that_lead_out_of_the_database_are_malformed);
    tcase_add_test(tests, a_zone_that_does_not_exist_is_an_error_and_not_utc);
    Suite *suite = suite_create("zone");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
