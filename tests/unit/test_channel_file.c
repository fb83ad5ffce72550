/* link: campaign_service */
#include "tests/unit/channel_fixture.h"

#include <jansson.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#define OUTBOX "outbox/out-3.ndjson"

/* The line of message `number`, as the fixture makes it. */
#define LINE(number)                                                                               \
    "{\"dispatch\":\"d10000000000000000000000000000" number                                        \
    "\",\"campaign\":\"thanks\",\"customer\":\"c7\",\"to\":\"anna@mail.example\","                 \
    "\"text\":\"Dear Anna\",\"at\":\"1998-01-01T00:00:00Z\"}\n"

/* A fixture whose file holds `text` already. */
static void fixture_init_with(struct fixture *fixture, const char *text)
{
    char path[128] = { 0 };
    fixture_init(fixture, CAMPAIGN_CHANNEL_FILE);
    ck_assert_int_eq(mkdir(fixture_path(fixture, "outbox", path), 0700), 0);
    file_write(fixture, OUTBOX, text);
}

START_TEST(messages_become_lines_in_their_order)
{
    struct fixture fixture;
    char path[128] = { 0 };
    fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
    fixture_open(&fixture);
    no_outcome_expect(&fixture);
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    message_send(&fixture, 2);
    message_send(&fixture, 3);
    outcome_expect(&fixture, 2, CHANNEL_SENT, "");
    outcome_expect(&fixture, 3, CHANNEL_SENT, "");
    no_outcome_expect(&fixture);
    well_expect(&fixture);
    ck_assert_str_eq(file_read(&fixture, OUTBOX), LINE("01") LINE("02") LINE("03"));
    struct stat found;
    ck_assert_int_eq(stat(fixture_path(&fixture, OUTBOX, path), &found), 0);
    ck_assert_uint_eq(found.st_mode & 0777U, 0600);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_line_holds_what_was_given_however_odd)
{
    struct fixture fixture;
    fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
    fixture_open(&fixture);
    static const char text[] = "two\nlines \"quoted\" \\ \xc3\xa4 {\"dispatch\":\"\"";
    struct channel_intent intent = intent_of(1);
    intent.address = span_of_text("");
    intent.subject = span_of_text("s");
    intent.text = span_of_text(text);
    intent.at_ms = INT64_C(883612800005);
    channel_send(fixture.channel, &intent);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    const char *line = file_read(&fixture, OUTBOX);
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    json_t *read = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(read);
    ck_assert_str_eq(json_string_value(json_object_get(read, "text")), text);
    ck_assert_str_eq(json_string_value(json_object_get(read, "subject")), "s");
    ck_assert_str_eq(json_string_value(json_object_get(read, "at")), "1998-01-01T00:00:00.005Z");
    ck_assert_ptr_null(json_object_get(read, "to"));
    json_decref(read);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_message_that_is_not_utf8_or_too_long_is_refused_and_the_next_is_sent)
{
    static char text[10000];
    struct fixture fixture;
    fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
    fixture_open(&fixture);
    struct channel_intent intent = intent_of(1);
    intent.text = span_of_text("\xff");
    channel_send(fixture.channel, &intent);
    intent = intent_of(2);
    memset(text, 'x', sizeof text);
    intent.text = span_of(text, sizeof text);
    channel_send(fixture.channel, &intent);
    message_send(&fixture, 3);
    static const char why[] = "the message is not UTF-8, or too long for a line";
    outcome_expect(&fixture, 1, CHANNEL_REFUSED, why);
    outcome_expect(&fixture, 2, CHANNEL_REFUSED, why);
    outcome_expect(&fixture, 3, CHANNEL_SENT, "");
    ck_assert_str_eq(file_read(&fixture, OUTBOX), LINE("03"));
    fixture_release(&fixture);
}
END_TEST

START_TEST(as_many_as_may_be_in_flight_are_sent_again_and_again)
{
    struct fixture fixture;
    fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
    fixture_open(&fixture);
    for (int round = 0; round < 3; round++) {
        for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
            message_send(&fixture, i);
        }
        for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
            outcome_expect(&fixture, i, CHANNEL_SENT, "");
        }
    }
    fixture_release(&fixture);
}
END_TEST

START_TEST(one_more_than_may_be_in_flight_is_a_bug_of_the_caller)
{
    struct fixture fixture;
    fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
    fixture.rule.in_flight_max = 1;
    fixture_open(&fixture);
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    char path[128] = { 0 };
    ck_assert_int_eq(unlink(fixture_path(&fixture, OUTBOX, path)), 0);
    ck_assert_int_eq(rmdir(fixture_path(&fixture, "outbox", path)), 0);
    ck_assert_int_eq(rmdir(fixture.folder), 0);
    message_send(&fixture, 2);
    message_send(&fixture, 3);
}
END_TEST

START_TEST(a_folder_of_its_own_is_used_and_made)
{
    struct fixture fixture;
    char path[128] = { 0 };
    fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
    (void)snprintf(fixture.rule.folder, sizeof fixture.rule.folder, "%s/outbox", fixture.folder);
    (void)snprintf(fixture.rule.name, sizeof fixture.rule.name, "other");
    fixture_open(&fixture);
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    ck_assert_str_eq(file_read(&fixture, "outbox/other-3.ndjson"), LINE("01"));
    ck_assert_int_eq(unlink(fixture_path(&fixture, "outbox/other-3.ndjson", path)), 0);
    fixture_release(&fixture);
}
END_TEST

/* ---- starting again */

/* At `out`, where there is room for it and a zero. */
static void line_put(char *out, const char *line)
{
    memcpy(out, line, strlen(line) + 1);
}

struct torn {
    const char *found;
    const char *kept;
};

static const struct torn torn_rows[] = {
    { "", "" },
    { "{\"dispatch\":\"d1", "" },
    { LINE("01"), LINE("01") },
    { LINE("01") "{", LINE("01") },
    { LINE("01") "{\"dispatch\":\"d1000000000000000000000000000002\",\"campaign\"", LINE("01") },
    { "words\n\n", "words\n\n" },
};

START_TEST(a_torn_last_line_is_cut_and_whole_ones_stay)
{
    struct fixture fixture;
    char wanted[1024] = { 0 };
    fixture_init_with(&fixture, torn_rows[_i].found);
    fixture_open(&fixture);
    ck_assert_str_eq(file_read(&fixture, OUTBOX), torn_rows[_i].kept);
    message_send(&fixture, 9);
    outcome_expect(&fixture, 9, CHANNEL_SENT, "");
    (void)snprintf(wanted, sizeof wanted, "%s%s", torn_rows[_i].kept, LINE("09"));
    ck_assert_str_eq(file_read(&fixture, OUTBOX), wanted);
    fixture_release(&fixture);
}
END_TEST

/* As a loss of power may leave it: the lengths are there, and line ends are not. */
START_TEST(a_torn_end_of_a_whole_batch_is_cut)
{
    static char text[CAMPAIGNS_IN_FLIGHT_MAX * 8 * 1024 + sizeof LINE("01")];
    struct fixture fixture;
    memset(text, 'x', sizeof text - 1);
    line_put(text, LINE("01"));
    text[strlen(LINE("01"))] = 'x';
    fixture_init_with(&fixture, text);
    fixture_open(&fixture);
    ck_assert_str_eq(file_read(&fixture, OUTBOX), LINE("01"));
    message_recover(&fixture, 1);
    message_recover(&fixture, 2);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    outcome_expect(&fixture, 2, CHANNEL_SENT, "");
    ck_assert_str_eq(file_read(&fixture, OUTBOX), LINE("01") LINE("02"));
    fixture_release(&fixture);
}
END_TEST

/* Line 2 lost its sector, with its end, and 3 behind it is there: both go, and come again. */
START_TEST(a_hole_in_the_last_lines_is_cut_with_what_stands_behind_it)
{
    struct fixture fixture;
    char path[128] = { 0 };
    static const char hole[sizeof LINE("02") - 1 - 30];
    fixture_init_with(&fixture, LINE("01") LINE("02") LINE("03"));
    int file = open(fixture_path(&fixture, OUTBOX, path), O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pwrite(file, hole, sizeof hole, (off_t)strlen(LINE("01")) + 30),
                     (ssize_t)sizeof hole);
    ck_assert_int_eq(close(file), 0);
    fixture_open(&fixture);
    ck_assert_str_eq(file_read(&fixture, OUTBOX), LINE("01"));
    for (uint8_t i = 1; i <= 3; i++) {
        message_recover(&fixture, i);
    }
    for (uint8_t i = 1; i <= 3; i++) {
        outcome_expect(&fixture, i, CHANNEL_SENT, "");
    }
    ck_assert_str_eq(file_read(&fixture, OUTBOX), LINE("01") LINE("02") LINE("03"));
    fixture_release(&fixture);
}
END_TEST

START_TEST(what_was_written_is_sent_and_what_was_not_is_written_once)
{
    struct fixture fixture;
    /* 2 was written whole, 3 was torn, 4 was never begun. */
    fixture_init_with(&fixture, LINE("01") LINE("02") "{\"dispatch\":\"d1000000000000000000000000"
                                                      "000003\",\"campaign\":\"tha");
    fixture_open(&fixture);
    message_recover(&fixture, 2);
    message_recover(&fixture, 3);
    message_recover(&fixture, 4);
    message_send(&fixture, 5);
    for (uint8_t i = 2; i <= 5; i++) {
        outcome_expect(&fixture, i, CHANNEL_SENT, "");
    }
    ck_assert_str_eq(file_read(&fixture, OUTBOX),
                     LINE("01") LINE("02") LINE("03") LINE("04") LINE("05"));
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_line_that_lost_its_bytes_or_only_speaks_of_a_dispatch_is_not_found)
{
    struct fixture fixture;
    static const char lost[] = "{\"dispatch\":\"d1000000000000000000000000000001\",\"camp\n";
    static const char quoting[] =
        "{\"dispatch\":\"d1000000000000000000000000000007\",\"campaign\":\"x\",\"customer\":\"y\","
        "\"text\":\"{\\\"dispatch\\\":\\\"d1000000000000000000000000000002\\\"\"}\n";
    char text[1024] = { 0 };
    (void)snprintf(text, sizeof text, "%s%s", lost, quoting);
    fixture_init_with(&fixture, text);
    fixture_open(&fixture);
    message_recover(&fixture, 1);
    message_recover(&fixture, 2);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    outcome_expect(&fixture, 2, CHANNEL_SENT, "");
    (void)snprintf(text, sizeof text, "%s%s%s%s", lost, quoting, LINE("01"), LINE("02"));
    ck_assert_str_eq(file_read(&fixture, OUTBOX), text);
    fixture_release(&fixture);
}
END_TEST

/* As a loss of power may leave it where one sector was written and the one before was not. */
START_TEST(what_stands_behind_bytes_that_were_never_written_goes_with_them)
{
    struct fixture fixture;
    char path[128] = { 0 };
    char text[1024] = { 0 };
    size_t first = strlen(LINE("01"));
    line_put(text, LINE("01"));
    line_put(text + first + 100, LINE("02") LINE("03"));
    fixture_init_with(&fixture, "");
    FILE *file = fopen(fixture_path(&fixture, OUTBOX, path), "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, first + 100 + 2 * first, file), first + 100 + 2 * first);
    ck_assert_int_eq(fclose(file), 0);
    fixture_open(&fixture);
    for (uint8_t i = 1; i <= 3; i++) {
        message_recover(&fixture, i);
        outcome_expect(&fixture, i, CHANNEL_SENT, "");
    }
    struct stat found;
    ck_assert_int_eq(stat(path, &found), 0);
    ck_assert_int_eq(found.st_size, (off_t)(3 * first));
    ck_assert_str_eq(file_read(&fixture, OUTBOX), LINE("01") LINE("02") LINE("03"));
    fixture_release(&fixture);
}
END_TEST

START_TEST(what_stands_in_the_last_mebibyte_is_found_in_a_longer_file)
{
    static char text[1600 * 1024];
    struct fixture fixture;
    const size_t line = strlen(LINE("01"));
    const size_t count = sizeof text / line - 1;
    for (size_t i = 0; i < count; i++) {
        line_put(text + i * line, i == count / 2 ? LINE("02") : LINE("01"));
    }
    const size_t size = count * line;
    fixture_init_with(&fixture, text);
    fixture_open(&fixture);
    message_recover(&fixture, 2);
    message_recover(&fixture, 3);
    outcome_expect(&fixture, 2, CHANNEL_SENT, "");
    outcome_expect(&fixture, 3, CHANNEL_SENT, "");
    const char *after = file_read(&fixture, OUTBOX);
    ck_assert_uint_eq(strlen(after), size + line);
    ck_assert_str_eq(after + size, LINE("03"));
    fixture_release(&fixture);
}
END_TEST

START_TEST(recovering_takes_a_whole_window_even_where_it_has_become_smaller)
{
    struct fixture fixture;
    fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
    fixture.rule.in_flight_max = 1;
    fixture_open(&fixture);
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        message_recover(&fixture, i);
    }
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        outcome_expect(&fixture, i, CHANNEL_SENT, "");
    }
    fixture_release(&fixture);
}
END_TEST

/* ---- refusals of open */

START_TEST(a_file_that_somebody_else_writes_to_is_refused)
{
    struct fixture fixture;
    struct refusal refusal;
    char path[128] = { 0 };
    fixture_init_with(&fixture, LINE("01") "{");
    int other = open(fixture_path(&fixture, OUTBOX, path), O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(other, 0);
    ck_assert_int_eq(flock(other, LOCK_EX), 0);
    ck_assert_int_eq(fixture_try(&fixture, &refusal), STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "another process writes to it"));
    ck_assert_ptr_null(fixture.channel);
    ck_assert_str_eq(file_read(&fixture, OUTBOX), LINE("01") "{");
    ck_assert_int_eq(close(other), 0);
    fixture_open(&fixture);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_file_that_is_none_of_ours_is_left_alone)
{
    static char text[CAMPAIGNS_IN_FLIGHT_MAX * 8 * 1024 + 2];
    struct fixture fixture;
    struct refusal refusal;
    memset(text, 'x', sizeof text - 1);
    fixture_init_with(&fixture, text);
    ck_assert_int_eq(fixture_try(&fixture, &refusal), STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(refusal.message, "no line of ours"));
    ck_assert_str_eq(file_read(&fixture, OUTBOX), text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_told_with_its_path)
{
    struct fixture fixture;
    struct refusal refusal;
    fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
    (void)snprintf(fixture.rule.folder, sizeof fixture.rule.folder, "%s/not/there", fixture.folder);
    ck_assert_int_eq(fixture_try(&fixture, &refusal), STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(refusal.message, "/not/there: cannot be made"));
    fixture_release(&fixture);
}
END_TEST

/* ---- a full disk */

/* Files of this process may have `size` bytes at most. */
static void files_limit(rlim_t size)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#define MANY_LINES 5000

/* A file of MANY_LINES lines, so much longer than what Check writes for itself; its size. */
static size_t fixture_init_long(struct fixture *fixture)
{
    static char text[MANY_LINES * sizeof LINE("00") + 1];
    size_t size = strlen(LINE("00"));
    for (size_t i = 0; i < MANY_LINES; i++) {
        line_put(text + i * size, LINE("00"));
    }
    fixture_init_with(fixture, text);
    return MANY_LINES * size;
}

START_TEST(without_room_a_message_waits_in_one_piece_and_is_sent_when_there_is_some)
{
    struct fixture fixture;
    size_t size = fixture_init_long(&fixture);
    fixture_open(&fixture);
    message_send(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    files_limit((rlim_t)(size + strlen(LINE("01")) + 40));
    message_send(&fixture, 2);
    message_send(&fixture, 3);
    stuck_wait(&fixture, "out-3.ndjson cannot be written: ");
    no_outcome_expect(&fixture);
    files_limit(RLIM_INFINITY);
    outcome_expect(&fixture, 2, CHANNEL_SENT, "");
    outcome_expect(&fixture, 3, CHANNEL_SENT, "");
    message_send(&fixture, 4);
    outcome_expect(&fixture, 4, CHANNEL_SENT, "");
    ck_assert_str_eq(file_read(&fixture, OUTBOX) + size,
                     LINE("01") LINE("02") LINE("03") LINE("04"));
    well_expect(&fixture);
    fixture_release(&fixture);
}
END_TEST

START_TEST(closing_does_not_wait_for_room_and_what_is_left_is_found_open)
{
    struct fixture fixture;
    size_t size = fixture_init_long(&fixture);
    fixture.timing.delay_first_ms = ANSWER_MS;
    fixture.timing.delay_most_ms = ANSWER_MS;
    fixture_open(&fixture);
    files_limit((rlim_t)(size + 40));
    message_send(&fixture, 1);
    stuck_wait(&fixture, "cannot be written");
    int64_t begin_ms = now_ms();
    channel_close(&fixture.channel);
    ck_assert_int_lt(now_ms() - begin_ms, ANSWER_MS / 2);
    ck_assert_str_eq(file_read(&fixture, OUTBOX) + size, "");
    files_limit(RLIM_INFINITY);
    fixture_open(&fixture);
    message_recover(&fixture, 1);
    outcome_expect(&fixture, 1, CHANNEL_SENT, "");
    ck_assert_str_eq(file_read(&fixture, OUTBOX) + size, LINE("01"));
    fixture_release(&fixture);
}
END_TEST

START_TEST(closing_at_any_moment_leaves_whole_lines_without_gaps)
{
    struct fixture fixture;
    static const char *const wholes[] = { "", LINE("00"), LINE("00") LINE("01"),
                                          LINE("00") LINE("01") LINE("02") };
    for (int round = 0; round < 20; round++) {
        fixture_init(&fixture, CAMPAIGN_CHANNEL_FILE);
        fixture_open(&fixture);
        for (uint8_t i = 0; i < 3; i++) {
            message_send(&fixture, i);
        }
        channel_close(&fixture.channel);
        const char *text = file_read(&fixture, OUTBOX);
        size_t lines = strlen(text) / strlen(LINE("00"));
        ck_assert_uint_le(lines, 3);
        ck_assert_str_eq(text, wholes[lines]);
        fixture_release(&fixture);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel_file");
    TCase *tests = tcase_create("channel_file");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, messages_become_lines_in_their_order);
    tcase_add_test(tests, a_line_holds_what_was_given_however_odd);
    tcase_add_test(tests, a_message_that_is_not_utf8_or_too_long_is_refused_and_the_next_is_sent);
    tcase_add_test(tests, as_many_as_may_be_in_flight_are_sent_again_and_again);
    tcase_add_test_raise_signal(tests, one_more_than_may_be_in_flight_is_a_bug_of_the_caller,
                                SIGABRT);
    tcase_add_test(tests, a_folder_of_its_own_is_used_and_made);
    tcase_add_loop_test(tests, a_torn_last_line_is_cut_and_whole_ones_stay, 0,
                        (int)(sizeof torn_rows / sizeof torn_rows[0]));
    tcase_add_test(tests, a_torn_end_of_a_whole_batch_is_cut);
    tcase_add_test(tests, a_hole_in_the_last_lines_is_cut_with_what_stands_behind_it);
    tcase_add_test(tests, what_was_written_is_sent_and_what_was_not_is_written_once);
    tcase_add_test(tests, a_line_that_lost_its_bytes_or_only_speaks_of_a_dispatch_is_not_found);
    tcase_add_test(tests, what_stands_behind_bytes_that_were_never_written_goes_with_them);
    tcase_add_test(tests, what_stands_in_the_last_mebibyte_is_found_in_a_longer_file);
    tcase_add_test(tests, recovering_takes_a_whole_window_even_where_it_has_become_smaller);
    tcase_add_test(tests, a_file_that_somebody_else_writes_to_is_refused);
    tcase_add_test(tests, a_file_that_is_none_of_ours_is_left_alone);
    tcase_add_test(tests, a_folder_that_cannot_be_made_is_told_with_its_path);
    tcase_add_test(tests, without_room_a_message_waits_in_one_piece_and_is_sent_when_there_is_some);
    tcase_add_test(tests, closing_does_not_wait_for_room_and_what_is_left_is_found_open);
    tcase_add_test(tests, closing_at_any_moment_leaves_whole_lines_without_gaps);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
