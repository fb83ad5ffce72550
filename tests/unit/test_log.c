/* link: common_log jansson */
#include "common/log/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 1998-06-30T12:00:00.250Z */
#define NOW_MS INT64_C(899208000250)

static int64_t wall_ms(void *context)
{
    (void)context;
    return NOW_MS;
}

static const struct clock fixed_clock = { .wall_ms = wall_ms };

/* A log that writes into a pipe. A pipe of packets: each write is one read, so a line in two
 * writes would be seen. */
struct rig {
    struct log log;
    int read_end;
    char line[2 * LOG_LINE_BYTES];
};

static struct rig rig_make(bool json)
{
    struct rig rig = { .read_end = -1 };
    int ends[2] = { -1, -1 };
    ck_assert_int_eq(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    log_init(&rig.log, &fixed_clock, ends[1], "loyalty");
    rig.log.json = json;
    rig.read_end = ends[0];
    return rig;
}

static void rig_release(struct rig *rig)
{
    ck_assert_int_eq(close(rig->log.descriptor), 0);
    ck_assert_int_eq(close(rig->read_end), 0);
}

/* The one line that was written since, its line feed cut off; NULL: none. */
static const char *line_of(struct rig *rig)
{
    ssize_t size = read(rig->read_end, rig->line, sizeof rig->line - 1);
    if (size < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        return NULL;
    }
    ck_assert_int_gt(size, 0);
    ck_assert_int_le(size, LOG_LINE_BYTES);
    ck_assert_int_eq(rig->line[size - 1], '\n');
    rig->line[size - 1] = '\0';
    ck_assert_ptr_null(strchr(rig->line, '\n'));
    ck_assert_uint_eq(strlen(rig->line), (size_t)size - 1);
    char more = 0;
    ck_assert_int_eq(read(rig->read_end, &more, 1), -1);
    return rig->line;
}

START_TEST(a_line_for_people_is_logfmt)
{
    struct rig rig = rig_make(false);
    log_line(&rig.log, LOG_LEVEL_WARN, "feed stopped", "feed=%s seq=%" PRId64, "ingestion/0",
             INT64_C(42));
    ck_assert_str_eq(line_of(&rig), "time=1998-06-30T12:00:00.250Z level=warn service=loyalty "
                                    "message=\"feed stopped\" feed=ingestion/0 seq=42");
    log_line(&rig.log, LOG_LEVEL_INFO, "ready", NULL);
    ck_assert_str_eq(line_of(&rig), "time=1998-06-30T12:00:00.250Z level=info service=loyalty "
                                    "message=\"ready\"");
    rig_release(&rig);
}
END_TEST

START_TEST(a_line_for_programs_is_json)
{
    struct rig rig = rig_make(true);
    char quoted[64] = { 0 };
    log_line(&rig.log, LOG_LEVEL_ERROR, "cannot \"open\"", "path=%s errno=%d ratio=0.5 again",
             log_quote("/a b/\"c\"\\d", quoted, sizeof quoted), 2);
    ck_assert_str_eq(line_of(&rig),
                     "{\"time\":\"1998-06-30T12:00:00.250Z\",\"level\":\"error\","
                     "\"service\":\"loyalty\",\"message\":\"cannot \\\"open\\\"\","
                     "\"path\":\"/a b/\\\"c\\\"\\\\d\",\"errno\":2,\"ratio\":0.5,\"again\":true}");
    log_line(&rig.log, LOG_LEVEL_INFO, "ready", NULL);
    ck_assert_str_eq(line_of(&rig), "{\"time\":\"1998-06-30T12:00:00.250Z\",\"level\":\"info\","
                                    "\"service\":\"loyalty\",\"message\":\"ready\"}");
    rig_release(&rig);
}
END_TEST

/* Fields as they are given, then as they stand in JSON and in logfmt. */
struct form {
    const char *given;
    const char *json;
    const char *logfmt;
};

static const struct form forms[] = {
    { "a=1", "\"a\":1", "a=1" },
    { "a=-1 b=0", "\"a\":-1,\"b\":0", "a=-1 b=0" },
    { "a=-0.25", "\"a\":-0.25", "a=-0.25" },
    { "a=true b=false", "\"a\":true,\"b\":false", "a=true b=false" },
    { "a=null", "\"a\":\"null\"", "a=null" },
    { "  a=1   b=2  ", "\"a\":1,\"b\":2", "a=1 b=2" },
    { "a=\"1\"", "\"a\":\"1\"", "a=\"1\"" },
    { "a=\"b c\" d=e", "\"a\":\"b c\",\"d\":\"e\"", "a=\"b c\" d=e" },
    { "a=\"\"", "\"a\":\"\"", "a=\"\"" },
    { "a=", "\"a\":\"\"", "a=\"\"" },
    { "a= b=1", "\"a\":\"\",\"b\":1", "a=\"\" b=1" },
    { "a", "\"a\":true", "a=true" },
    { "a b=1", "\"a\":true,\"b\":1", "a=true b=1" },
    { "a=b=c", "\"a\":\"b=c\"", "a=b=c" },
    { "a=01", "\"a\":\"01\"", "a=01" },
    { "a=1e5 b=0x1f c=1_0", "\"a\":\"1e5\",\"b\":\"0x1f\",\"c\":\"1_0\"", "a=1e5 b=0x1f c=1_0" },
    { "a=1. b=.5 c=- d=1.2.3", "\"a\":\"1.\",\"b\":\".5\",\"c\":\"-\",\"d\":\"1.2.3\"",
      "a=1. b=.5 c=- d=1.2.3" },
    { "a=123456789012345", "\"a\":123456789012345", "a=123456789012345" },
    { "a=1234567890123456", "\"a\":\"1234567890123456\"", "a=1234567890123456" },
    { "a=b\"c", "\"a\":\"b\\\"c\"", "a=\"b\\\"c\"" },
    { "a=b\\c", "\"a\":\"b\\\\c\"", "a=\"b\\\\c\"" },
    { "a=\"x\\ny\\u0041\\q\"", "\"a\":\"x\\ny\\u0041\\\\q\"", "a=\"x\\ny\\u0041\\\\q\"" },
    { "a=\"\\u00zz\"", "\"a\":\"\\\\u00zz\"", "a=\"\\\\u00zz\"" },
    { "a=\"open", "\"a\":\"open\"", "a=\"open\"" },
    { "a=\"open\\", "\"a\":\"open\\\\\"", "a=\"open\\\\\"" },
    { "a=\"", "\"a\":\"\"", "a=\"\"" },
    { "a=\"x\"y=1", "\"a\":\"x\",\"y\":1", "a=\"x\" y=1" },
    { "a=x\ny", "\"a\":\"x\\ny\"", "a=\"x\\ny\"" },
    { "a=\"x\ny\"", "\"a\":\"x\\ny\"", "a=\"x\\ny\"" },
    { "a=\x1b[31m", "\"a\":\"\\u001b[31m\"", "a=\"\\u001b[31m\"" },
    { "a=\xc2\x9b", "\"a\":\"\\u009b\"", "a=\"\\u009b\"" },
    { "a=\x7f", "\"a\":\"\\u007f\"", "a=\"\\u007f\"" },
    { "a=\xc3\xa4", "\"a\":\"\xc3\xa4\"", "a=\xc3\xa4" },
    { "a=\xff\xc3", "\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\"", "a=\"\xef\xbf\xbd\xef\xbf\xbd\"" },
    { "a=\xc3(", "\"a\":\"\xef\xbf\xbd(\"", "a=\"\xef\xbf\xbd(\"" },
    { "\"k\n=1", "\"\\\"k\\n\":1", "\\\"k\\n=1" },
    { "", "", "" },
};

START_TEST(each_form_of_a_field_is_written_as_it_should_be)
{
    const struct form *form = &forms[_i];
    struct rig json = rig_make(true);
    log_line(&json.log, LOG_LEVEL_INFO, "m", "%s", form->given);
    char wanted[256] = { 0 };
    (void)snprintf(wanted, sizeof wanted,
                   "{\"time\":\"1998-06-30T12:00:00.250Z\",\"level\":\"info\",\"service\":"
                   "\"loyalty\",\"message\":\"m\"%s%s}",
                   form->json[0] == '\0' ? "" : ",", form->json);
    const char *line = line_of(&json);
    ck_assert_str_eq(line, wanted);
    json_t *read = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(read);
    json_decref(read);
    rig_release(&json);

    struct rig logfmt = rig_make(false);
    log_line(&logfmt.log, LOG_LEVEL_INFO, "m", "%s", form->given);
    (void)snprintf(wanted, sizeof wanted,
                   "time=1998-06-30T12:00:00.250Z level=info service=loyalty message=\"m\"%s%s",
                   form->logfmt[0] == '\0' ? "" : " ", form->logfmt);
    ck_assert_str_eq(line_of(&logfmt), wanted);
    rig_release(&logfmt);
}
END_TEST

START_TEST(a_line_below_the_least_level_is_not_written)
{
    struct rig rig = rig_make(true);
    log_line(&rig.log, LOG_LEVEL_DEBUG, "quiet", NULL);
    ck_assert_ptr_null(line_of(&rig));
    rig.log.least = LOG_LEVEL_DEBUG;
    log_line(&rig.log, LOG_LEVEL_DEBUG, "loud", NULL);
    ck_assert_ptr_nonnull(line_of(&rig));
    rig.log.least = LOG_LEVEL_ERROR;
    log_line(&rig.log, LOG_LEVEL_WARN, "quiet", NULL);
    ck_assert_ptr_null(line_of(&rig));
    rig_release(&rig);
}
END_TEST

START_TEST(what_does_not_fit_a_line_is_left_out_whole_and_the_line_says_so)
{
    static char long_value[3 * LOG_LINE_BYTES];
    /* Around the bound of the line, and around that of the fields' text. */
    for (size_t size = LOG_LINE_BYTES - 200; size < LOG_LINE_BYTES + 20; size++) {
        memset(long_value, 'x', size);
        long_value[size] = '\0';
        for (unsigned json = 0; json < 2; json++) {
            struct rig rig = rig_make(json == 1);
            log_line(&rig.log, LOG_LEVEL_INFO, "m", "first=1 long=%s", long_value);
            const char *line = line_of(&rig);
            ck_assert_ptr_nonnull(line);
            bool whole = strstr(line, long_value) != NULL;
            bool truncated = strstr(line, "truncated") != NULL;
            ck_assert_int_ne(whole, truncated);
            ck_assert(truncated || size < LOG_LINE_BYTES - 50);
            ck_assert_int_eq(strstr(line, "xx") != NULL, whole);
            ck_assert_ptr_nonnull(strstr(line, "first"));
            rig_release(&rig);
        }
    }
}
END_TEST

START_TEST(a_truncated_line_is_still_json)
{
    struct rig rig = rig_make(true);
    static char text[2 * LOG_LINE_BYTES];
    memset(text, '\x01', sizeof text - 1);
    log_line(&rig.log, LOG_LEVEL_INFO, text, "a=1 b=\"%s\" c=2", text);
    json_t *read = json_loads(line_of(&rig), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(read);
    ck_assert(json_is_true(json_object_get(read, "truncated")));
    ck_assert_ptr_nonnull(json_object_get(read, "a"));
    ck_assert_ptr_null(json_object_get(read, "b"));
    ck_assert_uint_gt(json_string_length(json_object_get(read, "message")), 100);
    json_decref(read);
    rig_release(&rig);
}
END_TEST

START_TEST(a_lost_line_changes_no_errno_and_ends_nothing)
{
    struct log log;
    log_init(&log, &fixed_clock, -1, "x");
    errno = ENOSPC;
    log_line(&log, LOG_LEVEL_ERROR, "nobody hears this", NULL);
    ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

START_TEST(a_terminal_gets_logfmt_and_anything_else_json)
{
    struct log log;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(terminal, 0);
    log_init(&log, &fixed_clock, terminal, "a service whose name is far too long for a line");
    ck_assert(!log.json);
    ck_assert_uint_eq(strlen(log.service), sizeof log.service - 1);
    ck_assert_int_eq(log.least, LOG_LEVEL_INFO);
    ck_assert_int_eq(close(terminal), 0);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(null, 0);
    log_init(&log, &fixed_clock, null, "x");
    ck_assert(log.json);
    ck_assert_int_eq(close(null), 0);
}
END_TEST

START_TEST(levels_are_read_by_their_names_only)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    for (unsigned i = 0; i < 4; i++) {
        enum log_level level = LOG_LEVEL_DEBUG;
        ck_assert(log_level_parse(names[i], &level));
        ck_assert_uint_eq(level, i);
    }
    enum log_level level = LOG_LEVEL_WARN;
    ck_assert(!log_level_parse("INFO", &level));
    ck_assert(!log_level_parse("", &level));
    ck_assert(!log_level_parse("information", &level));
    ck_assert_int_eq(level, LOG_LEVEL_WARN);
}
END_TEST

START_TEST(quoting_fits_any_size_and_cuts_after_whole_characters)
{
    static const char *const cuts[] = { "\"\"",          "\"a\"",         "\"a\"",
                                        "\"a\xc3\xa4\"", "\"a\xc3\xa4\"", "\"a\xc3\xa4\\n\"" };
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        char out[16];
        memset(out, '#', sizeof out);
        ck_assert_ptr_eq(log_quote("a\xc3\xa4\n", out, 3 + i), out);
        ck_assert_str_eq(out, cuts[i]);
        ck_assert_int_eq(out[3 + i], '#');
    }
    char out[4] = { 0 };
    ck_assert_str_eq(log_quote("", out, sizeof out), "\"\"");
}
END_TEST

START_TEST(a_throttle_lets_one_pass_each_second_and_counts_the_others)
{
    struct log_throttle throttle = { 0 };
    uint64_t suppressed = 99;
    ck_assert(log_throttle_pass(&throttle, 5000, &suppressed));
    ck_assert_uint_eq(suppressed, 0);
    suppressed = 99;
    for (int64_t now = 5000; now < 6000; now += 100) {
        ck_assert(!log_throttle_pass(&throttle, now, &suppressed));
    }
    ck_assert_uint_eq(suppressed, 99);
    ck_assert(log_throttle_pass(&throttle, 6000, &suppressed));
    ck_assert_uint_eq(suppressed, 10);
    ck_assert(!log_throttle_pass(&throttle, 6999, &suppressed));
    ck_assert(log_throttle_pass(&throttle, 60000, &suppressed));
    ck_assert_uint_eq(suppressed, 1);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("log");
    tcase_add_test(tests, a_line_for_people_is_logfmt);
    tcase_add_test(tests, a_line_for_programs_is_json);
    tcase_add_loop_test(tests, each_form_of_a_field_is_written_as_it_should_be, 0,
                        sizeof forms / sizeof forms[0]);
    tcase_add_test(tests, a_line_below_the_least_level_is_not_written);
    tcase_add_test(tests, what_does_not_fit_a_line_is_left_out_whole_and_the_line_says_so);
    tcase_add_test(tests, a_truncated_line_is_still_json);
    tcase_add_test(tests, a_lost_line_changes_no_errno_and_ends_nothing);
    tcase_add_test(tests, a_terminal_gets_logfmt_and_anything_else_json);
    tcase_add_test(tests, levels_are_read_by_their_names_only);
    tcase_add_test(tests, quoting_fits_any_size_and_cuts_after_whole_characters);
    tcase_add_test(tests, a_throttle_lets_one_pass_each_second_and_counts_the_others);
    Suite *suite = suite_create("log");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
