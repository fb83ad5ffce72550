/* link: common_base */
#include "common/base/field.h"

#include <check.h>
#include <stdlib.h>

#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

START_TEST(numbers_of_every_size_come_back)
{
    static const int64_t numbers[] = { 0,   -1,        1,         63,        -64,      64,
                                       -65, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint8_t bytes[32] = { 0 };
        struct field_writer counter = { .out = NULL };
        struct field_writer writer = { .out = bytes };
        field_put_signed(&counter, 15, numbers[i]);
        field_put_signed(&writer, 15, numbers[i]);
        ck_assert_uint_eq(writer.size, counter.size);
        struct span rest = span_of(bytes, writer.size);
        struct field field = { .number = 0 };
        ck_assert_int_eq(field_next(&rest, &field), FIELD_READ);
        ck_assert_uint_eq(field.number, 15);
        ck_assert_int_eq(field_signed(field.value), numbers[i]);
        ck_assert_int_eq(field_next(&rest, &field), FIELD_END);
    }
}
END_TEST

START_TEST(the_least_size_of_a_number_is_what_writing_it_takes)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t edges[] = { (UINT64_C(1) << bit) - 1, UINT64_C(1) << bit };
        for (size_t i = 0; i < 2; i++) {
            uint8_t bytes[FIELD_VARINT_BYTES_MAX] = { 0 };
            struct field_writer writer = { .out = bytes };
            field_put_varint(&writer, edges[i]);
            ck_assert_uint_eq(writer.size, field_varint_size(edges[i]));
        }
    }
    ck_assert_uint_eq(field_varint_size(UINT64_MAX), FIELD_VARINT_BYTES_MAX);
}
END_TEST

START_TEST(a_fixed_number_is_eight_bytes_the_least_one_first)
{
    uint8_t bytes[16] = { 0 };
    struct field_writer counter = { .out = NULL };
    struct field_writer writer = { .out = bytes };
    field_put_fixed64(&counter, 2, UINT64_C(0x0807060504030201));
    field_put_fixed64(&writer, 2, UINT64_C(0x0807060504030201));
    ck_assert_uint_eq(counter.size, 9);
    ck_assert(
        span_equal(span_of(bytes, writer.size), BYTES("\x11\x01\x02\x03\x04\x05\x06\x07\x08")));
}
END_TEST

START_TEST(the_walk_takes_each_type_and_stops_at_faults)
{
    struct span rest = BYTES("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01" /* 2^64 - 1 */
                             "\x11"
                             "12345678"
                             "\x1D"
                             "abcd"
                             "\x22\x00"
                             "\x0B");
    struct field field = { 0 };
    ck_assert_int_eq(field_next(&rest, &field), FIELD_READ);
    ck_assert(field.number == 1 && field.kind == FIELD_VARINT && field.value == UINT64_MAX);
    ck_assert_int_eq(field_next(&rest, &field), FIELD_READ);
    ck_assert(field.number == 2 && field.kind == FIELD_FIXED);
    ck_assert(span_equal(field.bytes, BYTES("12345678")));
    ck_assert_int_eq(field_next(&rest, &field), FIELD_READ);
    ck_assert(field.number == 3 && field.kind == FIELD_FIXED);
    ck_assert(span_equal(field.bytes, BYTES("abcd")));
    ck_assert_int_eq(field_next(&rest, &field), FIELD_READ);
    ck_assert(field.number == 4 && field.kind == FIELD_BYTES && field.bytes.size == 0);
    ck_assert_int_eq(field_next(&rest, &field), FIELD_BROKEN); /* a group, and cut */
}
END_TEST

static const struct span broken[] = {
    { (const uint8_t *)"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11 }, /* past 64 bits */
    { (const uint8_t *)"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12 },
    { (const uint8_t *)"\x80\x80\x80\x80\x10\x01", 6 }, /* field 2^29 */
    { (const uint8_t *)"\x00\x01", 2 },                 /* field 0 */
    { (const uint8_t *)"\x80\x00\x01", 3 },             /* field 0, at length */
    { (const uint8_t *)"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01x", 12 },
    { (const uint8_t *)"\x0A\x02x", 3 }, /* shorter than it says */
    { (const uint8_t *)"\x09"
                       "1234567",
      8 },
    { (const uint8_t *)"\x0D"
                       "123",
      4 },
    { (const uint8_t *)"\x08", 1 },
    { (const uint8_t *)"\x08\x80", 2 },
    { (const uint8_t *)"\x0B\x01", 2 }, /* groups */
    { (const uint8_t *)"\x0C\x01", 2 },
    { (const uint8_t *)"\x0E\x01", 2 }, /* no type at all */
    { (const uint8_t *)"\x0F\x01", 2 },
};

START_TEST(what_is_no_field_is_broken)
{
    struct span rest = broken[_i];
    struct field field = { 0 };
    ck_assert_int_eq(field_next(&rest, &field), FIELD_BROKEN);
}
END_TEST

START_TEST(the_highest_number_of_a_field_is_read)
{
    uint8_t bytes[16] = { 0 };
    struct field_writer writer = { .out = bytes };
    field_put_bytes(&writer, FIELD_NUMBER_MAX, BYTES("a"));
    struct span rest = span_of(bytes, writer.size);
    struct field field = { 0 };
    ck_assert_int_eq(field_next(&rest, &field), FIELD_READ);
    ck_assert_uint_eq(field.number, FIELD_NUMBER_MAX);
    ck_assert(span_equal(field.bytes, BYTES("a")));
}
END_TEST

START_TEST(nothing_is_the_end)
{
    struct span none = span_of(NULL, 0);
    struct field field = { 0 };
    ck_assert_int_eq(field_next(&none, &field), FIELD_END);
}
END_TEST

START_TEST(signed_numbers_are_read_at_their_edges)
{
    ck_assert(field_signed(0) == 0);
    ck_assert(field_signed(1) == -1);
    ck_assert(field_signed(2) == 1);
    ck_assert(field_signed(UINT64_MAX - 1) == INT64_MAX);
    ck_assert(field_signed(UINT64_MAX) == INT64_MIN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("field");
    TCase *tests = tcase_create("field");
    tcase_add_test(tests, numbers_of_every_size_come_back);
    tcase_add_test(tests, the_least_size_of_a_number_is_what_writing_it_takes);
    tcase_add_test(tests, a_fixed_number_is_eight_bytes_the_least_one_first);
    tcase_add_test(tests, the_walk_takes_each_type_and_stops_at_faults);
    tcase_add_loop_test(tests, what_is_no_field_is_broken, 0, sizeof broken / sizeof broken[0]);
    tcase_add_test(tests, the_highest_number_of_a_field_is_read);
    tcase_add_test(tests, nothing_is_the_end);
    tcase_add_test(tests, signed_numbers_are_read_at_their_edges);
    suite_add_tcase(suite, tests);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
