/* link: common_base */
#include "common/base/hash.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The expected hashes come from Python's hashlib.blake2b; stored data depends on them. */

static void expect_hex(const uint8_t *bytes, size_t size, const char *expected)
{
    char text[65] = { 0 };
    hex_encode(span_of(bytes, size), text);
    ck_assert_str_eq(text, expected);
}

START_TEST(a_hash_of_a_span_is_plain_blake2b)
{
    struct hash128 short_hash = hash128_of_span(span_of_text("abc"));
    struct hash256 long_hash = hash256_of_span(span_of_text("abc"));
    expect_hex(short_hash.bytes, sizeof short_hash.bytes, "cf4ab791c62b8d2b2109c90275287816");
    expect_hex(long_hash.bytes, sizeof long_hash.bytes,
               "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}
END_TEST

START_TEST(parts_are_hashed_with_their_lengths_and_the_key)
{
    uint8_t key[32] = { 0 };
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    struct span parts[] = { span_of_text("a"), span_of_text("bc") };
    struct hash128 plain = hash128_of(span_of(NULL, 0), parts, 2);
    struct hash128 keyed = hash128_of(span_of(key, sizeof key), parts, 2);
    struct hash128 nothing = hash128_of(span_of(NULL, 0), NULL, 0);
    expect_hex(plain.bytes, sizeof plain.bytes, "f657d58ed59382298356d21c95353a31");
    expect_hex(keyed.bytes, sizeof keyed.bytes, "6d9864c82cd987fd0dc4fe0778318435");
    expect_hex(nothing.bytes, sizeof nothing.bytes, "cae66941d9efbd404e4d88758ea67670");
}
END_TEST

START_TEST(a_byte_that_moves_between_parts_changes_the_hash)
{
    struct span left[] = { span_of_text("a"), span_of_text("bc") };
    struct span right[] = { span_of_text("ab"), span_of_text("c") };
    struct span longer[] = { span_of_text("a"), span_of_text("bc"), span_of(NULL, 0) };
    struct hash128 hash = hash128_of(span_of(NULL, 0), left, 2);
    ck_assert(hash128_equal(hash, hash128_of(span_of(NULL, 0), left, 2)));
    ck_assert(!hash128_equal(hash, hash128_of(span_of(NULL, 0), right, 2)));
    ck_assert(!hash128_equal(hash, hash128_of(span_of(NULL, 0), longer, 3)));
}
END_TEST

START_TEST(a_chain_depends_on_all_before_it)
{
    struct hash256 zero = { { 0 } };
    struct hash256 first = hash_chain(zero, span_of_text("abc"));
    struct hash256 second = hash_chain(first, span_of_text("abc"));
    expect_hex(first.bytes, sizeof first.bytes,
               "5db827e5e925e6b933a86596a0446c345c0d74d77f55a751ade5d7c7162eead8");
    ck_assert(!hash256_equal(first, second));
    ck_assert(!hash256_equal(first, hash_chain(zero, span_of_text("abd"))));
    ck_assert(hash256_equal(first, hash_chain(zero, span_of_text("abc"))));
}
END_TEST

START_TEST(hashes_are_equal_only_in_all_their_bytes)
{
    for (size_t i = 0; i < 16; i++) {
        struct hash128 other = { { 0 } };
        other.bytes[i] = 1;
        ck_assert(!hash128_equal((struct hash128){ { 0 } }, other));
    }
    for (size_t i = 0; i < 32; i++) {
        struct hash256 other = { { 0 } };
        other.bytes[i] = 1;
        ck_assert(!hash256_equal((struct hash256){ { 0 } }, other));
    }
}
END_TEST

START_TEST(checksums_do_not_change_between_builds)
{
    struct span nothing = span_of(NULL, 0);
    ck_assert_uint_eq(checksum_of(span_of_text("key"), span_of_text("value")),
                      UINT64_C(0xb19fcf792e11118e));
    ck_assert_uint_eq(checksum_of(nothing, nothing), UINT64_C(0x412f1275e10017f3));
}
END_TEST

START_TEST(a_checksum_sees_every_flipped_bit_and_a_moved_border)
{
    uint8_t record[48] = { 0 };
    for (size_t i = 0; i < sizeof record; i++) {
        record[i] = (uint8_t)i;
    }
    uint64_t sound = checksum_of(span_of(record, 16), span_of(record + 16, 32));
    for (size_t bit = 0; bit < 8 * sizeof record; bit++) {
        record[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        ck_assert_uint_ne(checksum_of(span_of(record, 16), span_of(record + 16, 32)), sound);
        record[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    ck_assert_uint_ne(checksum_of(span_of(record, 17), span_of(record + 17, 31)), sound);
    ck_assert_uint_eq(checksum_of(span_of(record, 16), span_of(record + 16, 32)), sound);
}
END_TEST

START_TEST(a_stream_in_pieces_is_the_hash_of_the_whole)
{
    uint8_t whole[1000] = { 0 };
    for (size_t i = 0; i < sizeof whole; i++) {
        whole[i] = (uint8_t)(i * 7);
    }
    struct hash128 expected = hash128_of_span(span_of(whole, sizeof whole));
    for (size_t piece = 1; piece <= sizeof whole; piece += 111) {
        struct hash_stream stream;
        hash_stream_init(&stream);
        for (size_t at = 0; at < sizeof whole; at += piece) {
            size_t rest = sizeof whole - at;
            hash_stream_add(&stream, span_of(whole + at, piece < rest ? piece : rest));
            hash_stream_add(&stream, span_of(NULL, 0));
        }
        ck_assert(hash128_equal(hash_stream_end128(&stream), expected));
    }
}
END_TEST

START_TEST(a_stream_of_nothing_is_the_hash_of_nothing)
{
    struct hash_stream stream;
    hash_stream_init(&stream);
    ck_assert(hash128_equal(hash_stream_end128(&stream), hash128_of_span(span_of(NULL, 0))));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("hash");
    tcase_add_test(tests, a_hash_of_a_span_is_plain_blake2b);
    tcase_add_test(tests, parts_are_hashed_with_their_lengths_and_the_key);
    tcase_add_test(tests, a_byte_that_moves_between_parts_changes_the_hash);
    tcase_add_test(tests, a_chain_depends_on_all_before_it);
    tcase_add_test(tests, hashes_are_equal_only_in_all_their_bytes);
    tcase_add_test(tests, checksums_do_not_change_between_builds);
    tcase_add_test(tests, a_checksum_sees_every_flipped_bit_and_a_moved_border);
    tcase_add_test(tests, a_stream_in_pieces_is_the_hash_of_the_whole);
    tcase_add_test(tests, a_stream_of_nothing_is_the_hash_of_nothing);
    Suite *suite = suite_create("hash");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
