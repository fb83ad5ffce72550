/* link: common_base */
#include "common/base/id.h"
#include "common/base/refusal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(a_new_refusal_refuses_nothing)
{
    struct refusal refusal;
    memset(&refusal, 0xff, sizeof refusal);
    refusal_init(&refusal);
    ck_assert_int_eq(refusal.status, STATUS_OK);
    ck_assert_str_eq(refusal.message, "");
    ck_assert_uint_eq(refusal.violation_count, 0);
    ck_assert_uint_eq(refusal.retry_after_ms, 0);
}
END_TEST

START_TEST(setting_gives_the_status_back_and_keeps_the_sentence)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = refusal_set(&refusal, STATUS_LIMIT, "%d of %s", 3, "them");
    ck_assert_int_eq(status, STATUS_LIMIT);
    ck_assert_int_eq(refusal.status, STATUS_LIMIT);
    ck_assert_str_eq(refusal.message, "3 of them");
}
END_TEST

START_TEST(nobody_needs_to_want_the_reason)
{
    ck_assert_int_eq(refusal_set(NULL, STATUS_DENIED, "no"), STATUS_DENIED);
    refusal_violation(NULL, "field", "rule", "mend");
}
END_TEST

START_TEST(a_violation_alone_is_malformed_and_has_a_sentence)
{
    struct refusal refusal;
    refusal_init(&refusal);
    refusal_violation(&refusal, "amount", "at least 1", "send a positive amount");
    ck_assert_int_eq(refusal.status, STATUS_MALFORMED);
    ck_assert_str_ne(refusal.message, "");
    ck_assert_uint_eq(refusal.violation_count, 1);
    ck_assert_str_eq(refusal.violations[0].field, "amount");
    ck_assert_str_eq(refusal.violations[0].rule, "at least 1");
    ck_assert_str_eq(refusal.violations[0].mend, "send a positive amount");
}
END_TEST

START_TEST(a_violation_leaves_a_status_that_is_set)
{
    struct refusal refusal;
    refusal_init(&refusal);
    (void)refusal_set(&refusal, STATUS_REFUSED, "too late");
    refusal_violation(&refusal, "at", "not in the past", "");
    ck_assert_int_eq(refusal.status, STATUS_REFUSED);
    ck_assert_str_eq(refusal.message, "too late");
}
END_TEST

START_TEST(violations_past_the_bound_are_dropped)
{
    struct refusal refusal;
    refusal_init(&refusal);
    for (unsigned i = 0; i < REFUSAL_VIOLATIONS_MAX + 3; i++) {
        char field[2] = { (char)('a' + i), '\0' };
        refusal_violation(&refusal, field, "rule", "mend");
    }
    ck_assert_uint_eq(refusal.violation_count, REFUSAL_VIOLATIONS_MAX);
    for (unsigned i = 0; i < REFUSAL_VIOLATIONS_MAX; i++) {
        ck_assert_int_eq(refusal.violations[i].field[0], (char)('a' + i));
    }
}
END_TEST

/* `lead` letters, then the character again and again; longer than any field. It may end
 * with half a character, which no field keeps. */
static void long_text_build(char text[400], const char *character, size_t lead)
{
    size_t size = strlen(character);
    memset(text, 0, 400);
    memset(text, 'x', lead);
    for (size_t at = lead; at < 399 - size; at++) {
        text[at] = character[(at - lead) % size];
    }
}

static void expect_cut(const char *field, size_t field_size, const char *text, size_t character)
{
    struct span cut = span_of_text(field);
    ck_assert(text_is_clean(cut));
    ck_assert(span_has_prefix(span_of_text(text), cut));
    ck_assert_uint_gt(cut.size + character, field_size - 1);
}

/* Characters of 1 to 4 bytes, each at every distance from the end. */
START_TEST(a_text_is_cut_between_characters)
{
    static const char *characters[] = { "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
    const char *character = characters[_i / 4];
    size_t size = strlen(character);
    char text[400] = { 0 };
    long_text_build(text, character, (size_t)_i % 4);
    struct refusal refusal;
    refusal_init(&refusal);
    (void)refusal_set(&refusal, STATUS_LIMIT, "%s", text);
    refusal_violation(&refusal, text, text, text);
    const struct violation *violation = &refusal.violations[0];
    expect_cut(refusal.message, sizeof refusal.message, text, size);
    expect_cut(violation->field, sizeof violation->field, text, size);
    expect_cut(violation->rule, sizeof violation->rule, text, size);
    expect_cut(violation->mend, sizeof violation->mend, text, size);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("refusal");
    tcase_add_test(tests, a_new_refusal_refuses_nothing);
    tcase_add_test(tests, setting_gives_the_status_back_and_keeps_the_sentence);
    tcase_add_test(tests, nobody_needs_to_want_the_reason);
    tcase_add_test(tests, a_violation_alone_is_malformed_and_has_a_sentence);
    tcase_add_test(tests, a_violation_leaves_a_status_that_is_set);
    tcase_add_test(tests, violations_past_the_bound_are_dropped);
    tcase_add_loop_test(tests, a_text_is_cut_between_characters, 0, 16);
    Suite *suite = suite_create("refusal");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
