/* link: kith_parts */
#include "cli/options.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARGV_MAX 16

struct fixture {
    const char *config;
    bool detach;
    uint64_t count;
    int64_t at_ms;
    int64_t day;
    int64_t wait_ms;
    struct option options[6];
    char texts[ARGV_MAX][80];
    char *argv[ARGV_MAX];
    int argc;
    struct words words;
    struct refusal refusal;
};

static const char *const word_names[] = { "FILE", "PLACE" };

/* `line`: words with one space between. */
static void line_split(struct fixture *fixture, const char *line)
{
    const char *rest = line;
    while (*rest != '\0') {
        size_t size = strcspn(rest, " ");
        char *text = fixture->texts[fixture->argc];
        ck_assert_int_lt(fixture->argc, ARGV_MAX);
        ck_assert_uint_lt(size, sizeof fixture->texts[0]);
        memcpy(text, rest, size);
        text[size] = '\0';
        fixture->argv[fixture->argc++] = text;
        rest += size + (rest[size] == ' ' ? 1 : 0);
    }
}

static enum status parse(struct fixture *fixture, const char *line)
{
    *fixture = (struct fixture){ .config = "none", .wait_ms = 30000 };
    refusal_init(&fixture->refusal);
    struct option options[] = {
        { "-c", OPTION_TEXT, &fixture->config, false },
        { "--detach", OPTION_FLAG, &fixture->detach, false },
        { "--count", OPTION_NUMBER, &fixture->count, false },
        { "--at", OPTION_TIME, &fixture->at_ms, false },
        { "--day", OPTION_DATE, &fixture->day, false },
        { "--wait", OPTION_DURATION, &fixture->wait_ms, false },
    };
    memcpy(fixture->options, options, sizeof options);
    struct option_form form = { .options = fixture->options,
                                .option_count = 6,
                                .word_names = word_names,
                                .words_least = 1,
                                .words_most = 2 };
    line_split(fixture, line);
    return options_parse(&form, fixture->argc, fixture->argv, &fixture->words, &fixture->refusal);
}

START_TEST(options_and_words_may_be_mixed)
{
    struct fixture fixture;
    ck_assert_int_eq(parse(&fixture, "a.csv -c kith.yaml there --count 12 --detach"), STATUS_OK);
    ck_assert_uint_eq(fixture.words.count, 2);
    ck_assert_str_eq(fixture.words.texts[0], "a.csv");
    ck_assert_str_eq(fixture.words.texts[1], "there");
    ck_assert_str_eq(fixture.config, "kith.yaml");
    ck_assert_uint_eq(fixture.count, 12);
    ck_assert(fixture.detach);
    ck_assert(fixture.options[0].given);
    ck_assert(!fixture.options[3].given);
}
END_TEST

START_TEST(a_value_may_follow_an_equals_sign)
{
    struct fixture fixture;
    ck_assert_int_eq(parse(&fixture, "a --count=7 -c=x=y"), STATUS_OK);
    ck_assert_uint_eq(fixture.count, 7);
    ck_assert_str_eq(fixture.config, "x=y");
}
END_TEST

START_TEST(what_is_not_given_keeps_its_default)
{
    struct fixture fixture;
    ck_assert_int_eq(parse(&fixture, "a"), STATUS_OK);
    ck_assert_str_eq(fixture.config, "none");
    ck_assert_int_eq(fixture.wait_ms, 30000);
}
END_TEST

START_TEST(times_dates_and_durations_are_read)
{
    struct fixture fixture;
    ck_assert_int_eq(parse(&fixture, "a --at 1970-01-01T00:00:01Z --day 1970-01-03 --wait 2m"),
                     STATUS_OK);
    ck_assert_int_eq(fixture.at_ms, 1000);
    ck_assert_int_eq(fixture.day, 2);
    ck_assert_int_eq(fixture.wait_ms, 120000);
}
END_TEST

START_TEST(after_two_dashes_all_are_words)
{
    struct fixture fixture;
    ck_assert_int_eq(parse(&fixture, "-- --detach -c"), STATUS_OK);
    ck_assert_uint_eq(fixture.words.count, 2);
    ck_assert_str_eq(fixture.words.texts[0], "--detach");
    ck_assert(!fixture.detach);
}
END_TEST

START_TEST(a_single_dash_is_a_word)
{
    struct fixture fixture;
    ck_assert_int_eq(parse(&fixture, "-"), STATUS_OK);
    ck_assert_str_eq(fixture.words.texts[0], "-");
}
END_TEST

/* A word that begins with a dash may be a value. */
START_TEST(a_value_may_look_like_an_option)
{
    struct fixture fixture;
    ck_assert_int_eq(parse(&fixture, "a -c --detach"), STATUS_OK);
    ck_assert_str_eq(fixture.config, "--detach");
    ck_assert(!fixture.detach);
}
END_TEST

struct wrong_row {
    const char *line;
    const char *sentence;
};

static const struct wrong_row wrong_rows[] = {
    { "", "FILE is missing" },
    { "a b c", "'c' is one word too many" },
    { "a --cuont 5", "unknown option '--cuont', did you mean '--count'?" },
    { "a --nothing-like-it", "unknown option '--nothing-like-it'" },
    { "a --count", "--count takes a whole number from 0, and nothing follows it" },
    { "a --count five", "--count takes a whole number from 0, not 'five'" },
    { "a --count -5", "--count takes a whole number from 0, not '-5'" },
    { "a --count 5x", "--count takes a whole number from 0, not '5x'" },
    { "a --count 99999999999999999999",
      "--count takes a whole number from 0, not '99999999999999999999'" },
    { "a --count 1 --count 2", "--count is given twice" },
    { "a --detach=yes", "--detach takes no value" },
    { "a --at yesterday", "--at takes a time such as 1998-06-30T00:00:00Z, not 'yesterday'" },
    { "a --day 1998-02-30", "--day takes a date such as 1998-06-30, not '1998-02-30'" },
    { "a --wait soon", "--wait takes a duration such as 30s, 90m, 1d or PT1H, not 'soon'" },
};

START_TEST(wrong_use_is_named)
{
    const struct wrong_row *row = &wrong_rows[_i];
    struct fixture fixture;
    ck_assert_int_eq(parse(&fixture, row->line), STATUS_MALFORMED);
    ck_assert_str_eq(fixture.refusal.message, row->sentence);
    ck_assert_uint_eq(fixture.words.count, 0);
}
END_TEST

START_TEST(the_distance_counts_letters)
{
    ck_assert_uint_eq(options_distance("status", "status"), 0);
    ck_assert_uint_eq(options_distance("status", "statuz"), 1);
    ck_assert_uint_eq(options_distance("status", "stats"), 1);
    ck_assert_uint_eq(options_distance("", "up"), 2);
    ck_assert_uint_eq(options_distance("tail", "down"), 4);
}
END_TEST

START_TEST(very_long_words_are_as_far_apart_as_can_be)
{
    char word[65];
    memset(word, 'x', 64);
    word[64] = '\0';
    ck_assert_uint_eq(options_distance(word, "up"), SIZE_MAX);
    ck_assert_uint_eq(options_distance("up", word), SIZE_MAX);
    word[63] = '\0';
    ck_assert_uint_eq(options_distance(word, word), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli options");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, options_and_words_may_be_mixed);
    tcase_add_test(cases, a_value_may_follow_an_equals_sign);
    tcase_add_test(cases, what_is_not_given_keeps_its_default);
    tcase_add_test(cases, times_dates_and_durations_are_read);
    tcase_add_test(cases, after_two_dashes_all_are_words);
    tcase_add_test(cases, a_single_dash_is_a_word);
    tcase_add_test(cases, a_value_may_look_like_an_option);
    tcase_add_loop_test(cases, wrong_use_is_named, 0,
                        (int)(sizeof wrong_rows / sizeof wrong_rows[0]));
    tcase_add_test(cases, the_distance_counts_letters);
    tcase_add_test(cases, very_long_words_are_as_far_apart_as_can_be);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
