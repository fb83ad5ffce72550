/* link: common_base */
#include "common/base/bytes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(spans_order_by_bytes_and_a_prefix_comes_first)
{
    static const char *ascending[] = { "", "a", "a\x01", "aa", "ab", "b", "\xff" };
    const size_t count = sizeof ascending / sizeof ascending[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct span a = span_of_text(ascending[i]);
            struct span b = span_of_text(ascending[j]);
            int order = span_compare(a, b);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
            ck_assert_int_eq(span_equal(a, b), i == j);
        }
    }
}
END_TEST

START_TEST(an_empty_span_without_memory_is_like_any_empty_span)
{
    struct span nothing = span_of(NULL, 0);
    ck_assert(span_equal(nothing, span_of_text("")));
    ck_assert_int_eq(span_compare(nothing, nothing), 0);
    ck_assert_int_lt(span_compare(nothing, span_of_text("a")), 0);
    ck_assert(span_has_prefix(nothing, nothing));
    ck_assert(span_has_prefix(span_of_text("a"), nothing));
    ck_assert(!span_has_prefix(nothing, span_of_text("a")));
}
END_TEST

START_TEST(a_prefix_is_the_front_and_no_longer_than_the_span)
{
    ck_assert(span_has_prefix(span_of_text("abc"), span_of_text("ab")));
    ck_assert(span_has_prefix(span_of_text("abc"), span_of_text("abc")));
    ck_assert(!span_has_prefix(span_of_text("abc"), span_of_text("abcd")));
    ck_assert(!span_has_prefix(span_of_text("abc"), span_of_text("bc")));
}
END_TEST

START_TEST(a_buffer_takes_exactly_its_limit_and_not_a_byte_more)
{
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t byte = (uint8_t)i;
        ck_assert_int_eq(buffer_append(&buffer, span_of(&byte, 1)), STATUS_OK);
    }
    ck_assert_int_eq(buffer_append(&buffer, span_of_text("x")), STATUS_LIMIT);
    ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX), STATUS_LIMIT);
    ck_assert_int_eq(buffer_append(&buffer, span_of(NULL, 0)), STATUS_OK);
    ck_assert_uint_eq(buffer.size, 1000);
    ck_assert_uint_le(buffer.capacity, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert_uint_eq(buffer.data[i], (uint8_t)i);
    }
    buffer_release(&buffer);
}
END_TEST

START_TEST(a_released_buffer_is_empty_and_usable)
{
    struct buffer buffer = { .limit = 10 };
    ck_assert_int_eq(buffer_append(&buffer, span_of_text("abc")), STATUS_OK);
    buffer_clear(&buffer);
    ck_assert_uint_eq(buffer_span(&buffer).size, 0);
    ck_assert_int_eq(buffer_append(&buffer, span_of_text("de")), STATUS_OK);
    ck_assert(span_equal(buffer_span(&buffer), span_of_text("de")));
    buffer_release(&buffer);
    ck_assert_uint_eq(buffer.capacity, 0);
    ck_assert_int_eq(buffer_append(&buffer, span_of_text("0123456789")), STATUS_OK);
    ck_assert_int_eq(buffer_append(&buffer, span_of_text("!")), STATUS_LIMIT);
    buffer_release(&buffer);
    buffer_release(&buffer);
}
END_TEST

START_TEST(big_endian_numbers_come_back)
{
    static const uint64_t numbers[] = {
        0, 1, 0x7f, 0x80, 0x1234, 0x89abcdef, 0x0123456789abcdef, UINT64_MAX
    };
    uint8_t bytes[8] = { 0 };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        be16_put(bytes, (uint16_t)numbers[i]);
        ck_assert_uint_eq(be16_get(bytes), (uint16_t)numbers[i]);
        be32_put(bytes, (uint32_t)numbers[i]);
        ck_assert_uint_eq(be32_get(bytes), (uint32_t)numbers[i]);
        be64_put(bytes, numbers[i]);
        ck_assert_uint_eq(be64_get(bytes), numbers[i]);
    }
    be64_put(bytes, 0x0102030405060708);
    ck_assert_mem_eq(bytes, "\1\2\3\4\5\6\7\10", 8);
}
END_TEST

START_TEST(encoded_times_order_like_times_also_before_1970)
{
    static const int64_t ascending[] = { INT64_MIN, -86400000, -1, 0, 1, 256, INT64_MAX };
    uint8_t before[8] = { 0 };
    for (size_t i = 0; i < sizeof ascending / sizeof ascending[0]; i++) {
        uint8_t bytes[8] = { 0 };
        be_time_put(bytes, ascending[i]);
        ck_assert_int_eq(be_time_get(bytes), ascending[i]);
        if (i > 0) {
            ck_assert_int_lt(memcmp(before, bytes, sizeof bytes), 0);
        }
        memcpy(before, bytes, sizeof bytes);
    }
}
END_TEST

START_TEST(hexadecimal_comes_back_from_both_cases)
{
    char text[9] = { 0 };
    uint8_t bytes[4] = { 0 };
    hex_encode(span_of("\x00\x9f\xa0\xff", 4), text);
    ck_assert_str_eq(text, "009fa0ff");
    ck_assert_int_eq(hex_decode(span_of_text(text), bytes, sizeof bytes), STATUS_OK);
    ck_assert_mem_eq(bytes, "\x00\x9f\xa0\xff", 4);
    ck_assert_int_eq(hex_decode(span_of_text("DEADbeef"), bytes, sizeof bytes), STATUS_OK);
    ck_assert_mem_eq(bytes, "\xde\xad\xbe\xef", 4);
    hex_encode(span_of(NULL, 0), text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(what_is_not_hexadecimal_of_the_right_size_leaves_the_output_alone)
{
    static const char *wrong[] = { "",         "0",        "0011223",  "001122334", "0011223344",
                                   "0011223g", "00 12233", "0x112233", "001122/3",  "001122:3" };
    uint8_t bytes[4] = { 1, 2, 3, 4 };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        enum status status = hex_decode(span_of_text(wrong[i]), bytes, sizeof bytes);
        ck_assert_msg(status == STATUS_MALFORMED, "'%s' was taken", wrong[i]);
        ck_assert_mem_eq(bytes, "\1\2\3\4", 4);
    }
}
END_TEST

START_TEST(allocated_memory_is_zero_and_never_null)
{
    uint8_t *memory = memory_allocate(16);
    for (size_t i = 0; i < 16; i++) {
        ck_assert_uint_eq(memory[i], 0);
    }
    memory[0] = 7;
    memory = memory_resize(memory, 4096);
    ck_assert_uint_eq(memory[0], 7);
    free(memory);
    void *nothing = memory_allocate(0);
    ck_assert_ptr_nonnull(nothing);
    free(nothing);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("bytes");
    tcase_add_test(tests, spans_order_by_bytes_and_a_prefix_comes_first);
    tcase_add_test(tests, an_empty_span_without_memory_is_like_any_empty_span);
    tcase_add_test(tests, a_prefix_is_the_front_and_no_longer_than_the_span);
    tcase_add_test(tests, a_buffer_takes_exactly_its_limit_and_not_a_byte_more);
    tcase_add_test(tests, a_released_buffer_is_empty_and_usable);
    tcase_add_test(tests, big_endian_numbers_come_back);
    tcase_add_test(tests, encoded_times_order_like_times_also_before_1970);
    tcase_add_test(tests, hexadecimal_comes_back_from_both_cases);
    tcase_add_test(tests, what_is_not_hexadecimal_of_the_right_size_leaves_the_output_alone);
    tcase_add_test(tests, allocated_memory_is_zero_and_never_null);
    Suite *suite = suite_create("bytes");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
