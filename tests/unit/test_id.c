/* link: common_base */
#include "common/base/id.h"
#include "common/base/limits.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* 0, 1, ... 31: what the expected ids below were computed with, by Python's hashlib. */
static struct span test_key(uint8_t bytes[32])
{
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    return span_of(bytes, 32);
}

START_TEST(an_id_is_blake2b_of_kind_and_text)
{
    uint8_t key[32] = { 0 };
    char text[33] = { 0 };
    struct customer_id id = customer_id_of(test_key(key), "customer", span_of_text("0815"));
    hex_encode(span_of(id.bytes, sizeof id.bytes), text);
    ck_assert_str_eq(text, "0d5494f0ca1582e52631340693338a8d");
    ck_assert_uint_eq(customer_partition(id), 53);
}
END_TEST

START_TEST(another_kind_text_or_key_is_another_customer)
{
    uint8_t key[32] = { 0 };
    struct customer_id id = customer_id_of(test_key(key), "customer", span_of_text("0815"));
    ck_assert(
        customer_id_equal(id, customer_id_of(test_key(key), "customer", span_of_text("0815"))));
    ck_assert(!customer_id_equal(id, customer_id_of(test_key(key), "email", span_of_text("0815"))));
    ck_assert(
        !customer_id_equal(id, customer_id_of(test_key(key), "customer", span_of_text("0816"))));
    ck_assert(
        !customer_id_equal(id, customer_id_of(test_key(key), "custome", span_of_text("r0815"))));
    key[31] ^= 1;
    ck_assert(
        !customer_id_equal(id, customer_id_of(span_of(key, 32), "customer", span_of_text("0815"))));
}
END_TEST

START_TEST(a_partition_is_the_first_ten_bits)
{
    ck_assert_uint_eq(customer_partition((struct customer_id){ { 0, 0x3f, 0xff } }), 0);
    ck_assert_uint_eq(customer_partition((struct customer_id){ { 0, 0x40 } }), 1);
    ck_assert_uint_eq(customer_partition((struct customer_id){ { 1 } }), 4);
    ck_assert_uint_eq(customer_partition((struct customer_id){ { 0xff, 0xff } }),
                      PARTITION_COUNT - 1);
}
END_TEST

struct text_row {
    const char *name;
    const char *text;
    bool is_clean;
};

static const struct text_row text_rows[] = {
    { "nothing", "", true },
    { "letters", "Zo\xc3\xab", true },
    { "space and tilde, the ends of ASCII", " ~", true },
    { "the least of two bytes that is no control", "\xc2\xa0", true },
    { "the last of two bytes", "\xdf\xbf", true },
    { "the least of three bytes", "\xe0\xa0\x80", true },
    { "the last before the surrogates", "\xed\x9f\xbf", true },
    { "the first after the surrogates", "\xee\x80\x80", true },
    { "the last of three bytes", "\xef\xbf\xbf", true },
    { "the least of four bytes", "\xf0\x90\x80\x80", true },
    { "an emoji", "\xf0\x9f\x98\x80", true },
    { "the last code point", "\xf4\x8f\xbf\xbf", true },
    { "a line feed", "a\nb", false },
    { "a tab", "\t", false },
    { "delete", "\x7f", false },
    { "a control of two bytes", "\xc2\x80", false },
    { "the last control of two bytes", "\xc2\x9f", false },
    { "a continuation alone", "\x80", false },
    { "two bytes cut", "a\xc3", false },
    { "three bytes cut", "\xe2\x82", false },
    { "four bytes cut", "\xf0\x9f\x98", false },
    { "a lead byte before a letter",
      "\xc3"
      "a",
      false },
    { "a third byte that does not continue",
      "\xe2\x82"
      "a",
      false },
    { "a slash in two bytes", "\xc0\xaf", false },
    { "the last overlong of two bytes", "\xc1\xbf", false },
    { "the last overlong of three bytes", "\xe0\x9f\xbf", false },
    { "the last overlong of four bytes", "\xf0\x8f\xbf\xbf", false },
    { "the first surrogate", "\xed\xa0\x80", false },
    { "the last surrogate", "\xed\xbf\xbf", false },
    { "past the last code point", "\xf4\x90\x80\x80", false },
    { "five bytes", "\xf8\x88\x80\x80\x80", false },
    { "no byte of UTF-8", "\xff", false },
};

START_TEST(clean_text_is_valid_utf8_without_controls)
{
    const struct text_row *row = &text_rows[_i];
    ck_assert_msg(text_is_clean(span_of_text(row->text)) == row->is_clean, "%s", row->name);
}
END_TEST

START_TEST(a_nul_is_not_clean)
{
    ck_assert(!text_is_clean(span_of("a\0b", 3)));
}
END_TEST

#define LONG_TEXT_BYTES 27

/* Long texts are looked at by words: what is wrong is seen wherever it stands. */
START_TEST(a_byte_counts_the_same_at_each_place_of_a_text)
{
    uint8_t text[LONG_TEXT_BYTES];
    for (size_t size = 1; size <= sizeof text; size++) {
        for (size_t i = 0; i < size * 256; i++) {
            uint8_t byte = (uint8_t)(i % 256);
            memset(text, 'a', sizeof text);
            text[i / 256] = byte;
            ck_assert_int_eq(text_is_clean(span_of(text, size)), byte >= 0x20 && byte < 0x7f);
        }
    }
}
END_TEST

START_TEST(a_character_of_three_bytes_is_clean_at_each_place_of_a_text)
{
    static const uint8_t euro[] = { 0xe2, 0x82, 0xac };
    uint8_t text[LONG_TEXT_BYTES];
    for (size_t place = 0; place + sizeof euro <= sizeof text; place++) {
        memset(text, '~', sizeof text);
        memcpy(text + place, euro, sizeof euro);
        ck_assert(text_is_clean(span_of(text, sizeof text)));
        ck_assert(!text_is_clean(span_of(text, place + 1)));
        ck_assert(!text_is_clean(span_of(text, place + 2)));
        ck_assert(text_is_clean(span_of(text, place + 3)));
    }
}
END_TEST

START_TEST(an_id_from_outside_has_one_to_the_limit_of_bytes)
{
    char text[LIMIT_ID_BYTES + 1] = { 0 };
    memset(text, 'a', sizeof text);
    ck_assert(!id_text_is_valid(span_of(text, 0)));
    ck_assert(id_text_is_valid(span_of(text, 1)));
    ck_assert(id_text_is_valid(span_of(text, LIMIT_ID_BYTES)));
    ck_assert(!id_text_is_valid(span_of(text, LIMIT_ID_BYTES + 1)));
    ck_assert(!type_text_is_valid(span_of(text, 0)));
    ck_assert(type_text_is_valid(span_of(text, LIMIT_ID_BYTES)));
    ck_assert(!type_text_is_valid(span_of(text, LIMIT_ID_BYTES + 1)));
}
END_TEST

START_TEST(an_id_from_outside_is_clean)
{
    ck_assert(id_text_is_valid(span_of_text("Kunde 47/11 \xc3\xa4")));
    ck_assert(!id_text_is_valid(span_of_text("a\nb")));
    ck_assert(!id_text_is_valid(span_of_text("\xc3")));
}
END_TEST

START_TEST(a_type_is_small_letters_digits_underscores_and_points)
{
    ck_assert(type_text_is_valid(span_of_text("az09_.")));
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[1] = { (uint8_t)byte };
        bool is_allowed = byte != 0 && byte < 0x80 &&
                          strchr("abcdefghijklmnopqrstuvwxyz0123456789_.", (int)byte) != NULL;
        ck_assert_int_eq(type_text_is_valid(span_of(text, 1)), is_allowed);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("id");
    tcase_add_test(tests, an_id_is_blake2b_of_kind_and_text);
    tcase_add_test(tests, another_kind_text_or_key_is_another_customer);
    tcase_add_test(tests, a_partition_is_the_first_ten_bits);
    tcase_add_loop_test(tests, clean_text_is_valid_utf8_without_controls, 0,
                        (int)(sizeof text_rows / sizeof text_rows[0]));
    tcase_add_test(tests, a_nul_is_not_clean);
    tcase_add_test(tests, a_byte_counts_the_same_at_each_place_of_a_text);
    tcase_add_test(tests, a_character_of_three_bytes_is_clean_at_each_place_of_a_text);
    tcase_add_test(tests, an_id_from_outside_has_one_to_the_limit_of_bytes);
    tcase_add_test(tests, an_id_from_outside_is_clean);
    tcase_add_test(tests, a_type_is_small_letters_digits_underscores_and_points);
    Suite *suite = suite_create("id");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
