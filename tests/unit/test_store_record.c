/* link: common_store */
/* The bytes of a record: what is sealed opens again, and nothing else does. */
#include "common/store/store_record.h"

#include <check.h>
#include <signal.h>
#include <string.h>

static const struct span key = { (const uint8_t *)"\x10key", 4 };
static const struct span other_key = { (const uint8_t *)"\x11key", 4 };

START_TEST(a_sealed_value_opens_under_its_own_key_alone)
{
    uint8_t out[STORE_SEALED_BYTES_MAX];
    struct span value = { 0 };
    struct span sealed = store_record_seal(key, span_of_text("value"), out);
    ck_assert(store_record_open(key, sealed, &value));
    ck_assert(span_equal(value, span_of_text("value")));
    ck_assert(!store_record_open(other_key, sealed, &value));
    sealed = store_record_seal(key, span_of(NULL, 0), out);
    ck_assert(store_record_open(key, sealed, &value) && value.size == 0);
}
END_TEST

START_TEST(any_flipped_bit_and_any_cut_is_seen)
{
    uint8_t out[STORE_SEALED_BYTES_MAX];
    struct span value = { 0 };
    struct span sealed = store_record_seal(key, span_of_text("value"), out);
    for (size_t i = 0; i < sealed.size * 8; i++) {
        out[i / 8] ^= (uint8_t)(1U << i % 8);
        ck_assert(!store_record_open(key, sealed, &value));
        out[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t size = 0; size < sealed.size; size++) {
        ck_assert(!store_record_open(key, span_of(out, size), &value));
    }
    ck_assert(store_record_open(key, sealed, &value));
}
END_TEST

START_TEST(an_image_is_a_value_or_a_tombstone)
{
    uint8_t out[STORE_SEALED_BYTES_MAX];
    struct store_image image = { .tombstone = true };
    struct span sealed = store_image_seal(key, image, out);
    image.tombstone = false;
    ck_assert(store_image_open(key, sealed, &image));
    ck_assert(image.tombstone && image.value.size == 0);
    image = (struct store_image){ .value = span_of_text("value") };
    sealed = store_image_seal(key, image, out);
    image = (struct store_image){ .tombstone = true };
    ck_assert(store_image_open(key, sealed, &image));
    ck_assert(!image.tombstone && span_equal(image.value, span_of_text("value")));
    ck_assert(!store_image_open(other_key, sealed, &image));
}
END_TEST

START_TEST(sealed_bytes_that_are_no_image_do_not_open)
{
    static const struct span inners[] = {
        { (const uint8_t *)"", 0 },       /* without a kind */
        { (const uint8_t *)"\0x", 2 },    /* a tombstone with a value */
        { (const uint8_t *)"\2value", 6 } /* of a third kind */
    };
    uint8_t out[STORE_SEALED_BYTES_MAX];
    for (size_t i = 0; i < sizeof inners / sizeof inners[0]; i++) {
        struct store_image image = { .tombstone = false };
        struct span sealed = store_record_seal(key, inners[i], out);
        ck_assert(!store_image_open(key, sealed, &image));
    }
}
END_TEST

START_TEST(a_key_of_a_broken_file_is_cut_and_another_is_not)
{
    uint8_t bytes[STORE_KEY_BYTES_MAX + 10] = { 0x10 };
    struct store_key copy = store_key_copy(span_of(bytes, sizeof bytes));
    ck_assert_uint_eq(copy.size, STORE_KEY_BYTES_MAX);
    copy = store_key_copy(key);
    ck_assert(span_equal(store_key_span(&copy), key));
    struct store_key whole = store_key_of(0x10, span_of_text("key"));
    ck_assert(span_equal(store_key_span(&whole), key));
    ck_assert(span_equal(store_key_part(key), span_of_text("key")));
}
END_TEST

START_TEST(a_clustered_key_begins_with_its_subject)
{
    struct span plain = span_of_text("sixteen bytes ..and the rest");
    struct store_key whole = store_key_of(0x10, plain);
    struct store_key filed = store_key_cluster(store_key_span(&whole));
    ck_assert(span_equal(store_key_span(&filed), span_of((const uint8_t *)"\0sixteen bytes ..\x10"
                                                                          "and the rest",
                                                         30)));
    ck_assert(store_key_is_clustered(store_key_span(&filed)));
    ck_assert(!store_key_is_clustered(store_key_span(&whole)));
    ck_assert_uint_eq(store_key_table(store_key_span(&filed)), 0x10);
    ck_assert_uint_eq(store_key_table(store_key_span(&whole)), 0x10);
    struct store_key again = store_key_whole(store_key_span(&filed));
    ck_assert(span_equal(store_key_span(&again), store_key_span(&whole)));
    again = store_key_whole(store_key_span(&whole));
    ck_assert(span_equal(store_key_span(&again), store_key_span(&whole)));
}
END_TEST

START_TEST(a_clustered_key_that_is_too_short_or_too_long_is_of_no_harm)
{
    struct store_key whole = store_key_of(0x10, span_of_text("short"));
    struct store_key filed = store_key_cluster(store_key_span(&whole));
    ck_assert(span_equal(store_key_span(&filed), span_of((const uint8_t *)"\0short", 6)));
    ck_assert_uint_eq(store_key_table(store_key_span(&filed)), 0);
    struct store_key again = store_key_whole(store_key_span(&filed));
    ck_assert(span_equal(store_key_span(&again), store_key_span(&filed)));
    uint8_t bytes[STORE_KEY_BYTES_MAX + 10] = { 0 };
    again = store_key_whole(span_of(bytes, sizeof bytes));
    ck_assert_uint_eq(again.size, STORE_KEY_BYTES_MAX);
}
END_TEST

START_TEST(the_longest_key_fits_in_either_form)
{
    uint8_t bytes[LIMIT_STATE_KEY_BYTES + 1] = { 0 }; /* with a byte for "just after" */
    struct store_key whole = store_key_of(0x10, span_of(bytes, sizeof bytes));
    struct store_key filed = store_key_cluster(store_key_span(&whole));
    ck_assert_uint_eq(filed.size, STORE_KEY_BYTES_MAX);
    struct store_key again = store_key_whole(store_key_span(&filed));
    ck_assert(span_equal(store_key_span(&again), store_key_span(&whole)));
}
END_TEST

START_TEST(a_key_longer_than_the_longest_is_a_bug)
{
    uint8_t bytes[LIMIT_STATE_KEY_BYTES + 2] = { 0 };
    (void)store_key_of(0x10, span_of(bytes, sizeof bytes));
}
END_TEST

START_TEST(a_digest_sees_a_record_that_is_missing_or_out_of_place)
{
    uint8_t first[STORE_SEALED_BYTES_MAX];
    uint8_t second[STORE_SEALED_BYTES_MAX];
    struct span a = store_record_seal(key, span_of_text("a"), first);
    struct span b = store_record_seal(key, span_of_text("b"), second);
    struct run_digest both = { 0 };
    struct run_digest turned = { 0 };
    struct run_digest twice = { 0 };
    run_digest_add(&both, a);
    run_digest_add(&turned, b);
    run_digest_add(&twice, a);
    ck_assert(run_digest_equal(both, twice));
    ck_assert(!run_digest_equal(both, turned));
    run_digest_add(&both, b);
    run_digest_add(&turned, a);
    run_digest_add(&twice, a);
    ck_assert(!run_digest_equal(both, turned) && !run_digest_equal(both, twice));
    both.records += 1;
    turned = both;
    turned.records += 1;
    ck_assert(!run_digest_equal(both, turned));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_record");
    TCase *tests = tcase_create("store_record");
    tcase_add_test(tests, a_sealed_value_opens_under_its_own_key_alone);
    tcase_add_test(tests, any_flipped_bit_and_any_cut_is_seen);
    tcase_add_test(tests, an_image_is_a_value_or_a_tombstone);
    tcase_add_test(tests, sealed_bytes_that_are_no_image_do_not_open);
    tcase_add_test(tests, a_key_of_a_broken_file_is_cut_and_another_is_not);
    tcase_add_test(tests, a_clustered_key_begins_with_its_subject);
    tcase_add_test(tests, a_clustered_key_that_is_too_short_or_too_long_is_of_no_harm);
    tcase_add_test(tests, the_longest_key_fits_in_either_form);
    tcase_add_test_raise_signal(tests, a_key_longer_than_the_longest_is_a_bug, SIGABRT);
    tcase_add_test(tests, a_digest_sees_a_record_that_is_missing_or_out_of_place);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
