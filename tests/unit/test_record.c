/* link: common_base */
#include "common/base/record.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

#define VERSION 7
#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

START_TEST(what_is_written_has_one_form)
{
    uint8_t bytes[64] = { 0 };
    struct record_writer writer = record_writer_of(bytes, sizeof bytes, VERSION);
    record_write8(&writer, 0xAB);
    record_write16(&writer, 0x0102);
    record_write32(&writer, 0x03040506);
    record_write64(&writer, UINT64_C(0x0708090A0B0C0D0E));
    record_write_signed(&writer, -2);
    record_write_time(&writer, -2);
    record_write_bytes(&writer, BYTES("text"));
    record_write_bytes(&writer, span_of(NULL, 0));
    ck_assert(span_equal(record_written(&writer),
                         BYTES("\x07\xAB\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E"
                               "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE"
                               "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFE"
                               "text")));
}
END_TEST

START_TEST(what_was_written_is_read)
{
    uint8_t bytes[1 + 1 + 2 + 4 + 8 + 8 + 8 + 8 + 4 + 2 + 3] = { 0 };
    struct record_writer writer = record_writer_of(bytes, sizeof bytes, VERSION);
    record_write8(&writer, UINT8_MAX);
    record_write16(&writer, UINT16_MAX - 1);
    record_write32(&writer, UINT32_MAX - 2);
    record_write64(&writer, UINT64_MAX - 3);
    record_write_signed(&writer, INT64_MIN);
    record_write_signed(&writer, INT64_MAX);
    record_write_time(&writer, INT64_MIN);
    record_write_bytes(&writer, BYTES("textin.it"));
    ck_assert_uint_eq(record_written(&writer).size, sizeof bytes);

    struct record_reader reader = record_reader_of(record_written(&writer), VERSION);
    ck_assert_uint_eq(record_read8(&reader), UINT8_MAX);
    ck_assert_uint_eq(record_read16(&reader), UINT16_MAX - 1);
    ck_assert_uint_eq(record_read32(&reader), UINT32_MAX - 2);
    ck_assert_uint_eq(record_read64(&reader), UINT64_MAX - 3);
    ck_assert(record_read_signed(&reader) == INT64_MIN);
    ck_assert(record_read_signed(&reader) == INT64_MAX);
    ck_assert(record_read_time(&reader) == INT64_MIN);
    ck_assert(span_equal(record_read_bytes(&reader, 4), BYTES("text")));
    char in[2] = { 0 };
    record_read_into(&reader, in, sizeof in);
    ck_assert(in[0] == 'i' && in[1] == 'n');
    ck_assert(span_equal(record_read_rest(&reader), BYTES(".it")));
    ck_assert_uint_eq(record_read_rest(&reader).size, 0);
    record_read_end(&reader);
}
END_TEST

/* ---- each of these ends the process */

START_TEST(an_empty_value_is_no_record)
{
    (void)record_reader_of(span_of(NULL, 0), VERSION);
}
END_TEST

START_TEST(another_version_is_not_read)
{
    (void)record_reader_of(BYTES("\x08"), VERSION);
}
END_TEST

START_TEST(a_number_that_is_cut_is_not_read)
{
    struct record_reader reader = record_reader_of(BYTES("\x07\x01\x02\x03"), VERSION);
    (void)record_read32(&reader);
}
END_TEST

START_TEST(bytes_past_the_end_are_not_read)
{
    struct record_reader reader = record_reader_of(BYTES("\x07text"), VERSION);
    (void)record_read_bytes(&reader, 5);
}
END_TEST

START_TEST(bytes_left_over_are_no_end)
{
    struct record_reader reader = record_reader_of(BYTES("\x07x"), VERSION);
    record_read_end(&reader);
}
END_TEST

START_TEST(nothing_is_written_past_the_end)
{
    uint8_t bytes[8] = { 0 };
    struct record_writer writer = record_writer_of(bytes, sizeof bytes, VERSION);
    record_write64(&writer, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tests = tcase_create("record");
    tcase_add_test(tests, what_is_written_has_one_form);
    tcase_add_test(tests, what_was_written_is_read);
    tcase_add_test_raise_signal(tests, an_empty_value_is_no_record, SIGABRT);
    tcase_add_test_raise_signal(tests, another_version_is_not_read, SIGABRT);
    tcase_add_test_raise_signal(tests, a_number_that_is_cut_is_not_read, SIGABRT);
    tcase_add_test_raise_signal(tests, bytes_past_the_end_are_not_read, SIGABRT);
    tcase_add_test_raise_signal(tests, bytes_left_over_are_no_end, SIGABRT);
    tcase_add_test_raise_signal(tests, nothing_is_written_past_the_end, SIGABRT);
    suite_add_tcase(suite, tests);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
