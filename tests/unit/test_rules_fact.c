/* link: common_wire */
#include "common/wire/rules_fact.h"
#include "kith/v1/block.pb-c.h"
#include "tests/unit/message_faults.h"

#include <stdlib.h>

#define NAME "things"
#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

static struct arena arena;
static struct buffer out;

static void set_up(void)
{
    arena_init(&arena, PB_ARENA_LEAST);
    buffer_init(&out, 4096);
}

static void tear_down(void)
{
    arena_release(&arena);
    buffer_release(&out);
}

static struct rules_fact fact_of(struct span compiled, struct span text)
{
    return (struct rules_fact){
        .version = 300, .hash = hash128_of_span(compiled), .compiled = compiled, .text = text
    };
}

START_TEST(what_was_said_is_read)
{
    struct rules_fact said = fact_of(BYTES("\1\0\2"), BYTES("a: 1\n"));
    rules_fact_encode(&said, NAME, &out);
    struct rules_fact read = { .version = 0 };
    ck_assert_int_eq(rules_fact_decode(buffer_span(&out), NAME, &arena, &read), STATUS_OK);
    ck_assert_uint_eq(read.version, said.version);
    ck_assert(hash128_equal(read.hash, said.hash));
    ck_assert(span_equal(read.compiled, said.compiled));
    ck_assert(span_equal(read.text, said.text));
}
END_TEST

START_TEST(no_rules_are_rules_too)
{
    struct rules_fact said = fact_of(span_of(NULL, 0), span_of(NULL, 0));
    rules_fact_encode(&said, NAME, &out);
    struct rules_fact read = { .version = 0 };
    ck_assert_int_eq(rules_fact_decode(buffer_span(&out), NAME, &arena, &read), STATUS_OK);
    ck_assert_uint_eq(read.compiled.size, 0);
    ck_assert_uint_eq(read.text.size, 0);
}
END_TEST

/* They stand in journals. */
START_TEST(the_bytes_are_what_they_have_always_been)
{
    struct rules_fact said = fact_of(BYTES("\1\0\2"), BYTES("a: 1\n"));
    memset(said.hash.bytes, 0xAB, sizeof said.hash.bytes);
    rules_fact_encode(&said, NAME, &out);
    ck_assert(span_equal(buffer_span(&out),
                         BYTES("\x0A\6things\x10\xAC\x02\x1A\x10\xAB\xAB\xAB\xAB\xAB\xAB\xAB\xAB"
                               "\xAB\xAB\xAB\xAB\xAB\xAB\xAB\xAB\x22\3\1\0\2\x2A\5a: 1\n")));
}
END_TEST

START_TEST(the_rules_of_others_are_not_ours)
{
    struct rules_fact said = fact_of(BYTES("\1"), BYTES("a"));
    struct rules_fact read = { .version = 7 };
    rules_fact_encode(&said, "thing", &out);
    ck_assert_int_eq(rules_fact_decode(buffer_span(&out), NAME, &arena, &read), STATUS_CORRUPT);
    ck_assert_uint_eq(read.version, 7);
}
END_TEST

START_TEST(rules_with_the_hash_of_others_are_corrupt)
{
    struct rules_fact said = fact_of(BYTES("\1"), BYTES("a"));
    struct rules_fact read = { .version = 7 };
    said.hash.bytes[15] ^= 1;
    rules_fact_encode(&said, NAME, &out);
    ck_assert_int_eq(rules_fact_decode(buffer_span(&out), NAME, &arena, &read), STATUS_CORRUPT);
    ck_assert_uint_eq(read.version, 7);
}
END_TEST

static bool fact_is_taken(struct span bytes, struct arena *decoding)
{
    struct rules_fact read = { .version = 0 };
    return rules_fact_decode(bytes, NAME, decoding, &read) == STATUS_OK;
}

START_TEST(a_fact_with_a_field_at_fault_is_corrupt)
{
    struct rules_fact said = fact_of(BYTES("\1\2\3"), BYTES("a: 1\n"));
    rules_fact_encode(&said, NAME, &out);
    struct message_faults faults = { .descriptor = &kith__v1__rules_changed__descriptor,
                                     .sound = buffer_span(&out),
                                     .is_taken = fact_is_taken };
    message_faults_try(&faults);
    ck_assert_str_eq(faults.taken, "rules_version most\ntext absent\ntext long\ntext control\n");
    ck_assert(!fact_is_taken(span_of_text("\x0a"), &arena));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules_fact");
    TCase *tests = tcase_create("rules_fact");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_was_said_is_read);
    tcase_add_test(tests, no_rules_are_rules_too);
    tcase_add_test(tests, the_bytes_are_what_they_have_always_been);
    tcase_add_test(tests, the_rules_of_others_are_not_ours);
    tcase_add_test(tests, rules_with_the_hash_of_others_are_corrupt);
    tcase_add_test(tests, a_fact_with_a_field_at_fault_is_corrupt);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
