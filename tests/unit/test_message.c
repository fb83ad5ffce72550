/* link: common_wire */
#include "common/wire/message.h"
#include "kith/v1/feed.pb-c.h"
#include "kith/v1/wire.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

static struct arena arena;
static struct buffer buffer;
static struct refusal refusal;

static void set_up(void)
{
    arena_init(&arena, PB_ARENA_LEAST);
    buffer_init(&buffer, 4096);
    refusal = (struct refusal){ 0 };
}

static void tear_down(void)
{
    arena_release(&arena);
    buffer_release(&buffer);
}

START_TEST(a_request_is_unpacked)
{
    message_position_append(1, (struct feed_name){ .name = "loyalty", .shard = 2 }, 3, &buffer);
    const Kith__V1__WaitRequest *request =
        request_unpack(&kith__v1__wait_request__descriptor, buffer_span(&buffer), &arena, &refusal);
    ck_assert_ptr_nonnull(request);
    ck_assert_uint_eq(request->n_positions, 1);
    ck_assert_str_eq(request->positions[0]->feed, "loyalty");
    ck_assert_uint_eq(request->positions[0]->shard, 2);
    ck_assert_uint_eq(request->positions[0]->seq, 3);
}
END_TEST

START_TEST(a_request_with_an_unknown_field_is_refused)
{
    const void *request =
        request_unpack(&kith__v1__position__descriptor, BYTES("\xF8\x01\x01"), &arena, &refusal);
    ck_assert_ptr_null(request);
    ck_assert_int_eq(refusal.status, STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "the body is not a Position");
}
END_TEST

START_TEST(a_request_that_is_no_message_is_refused)
{
    ck_assert_ptr_null(
        request_unpack(&kith__v1__position__descriptor, BYTES("\x0A\x7F"), &arena, &refusal));
    ck_assert_str_eq(refusal.message, "the body is not a Position");
}
END_TEST

START_TEST(a_request_may_have_so_many_bytes_and_no_more)
{
    static uint8_t longest[REQUEST_BYTES_MAX + 1];
    size_t text = REQUEST_BYTES_MAX - 3;
    memset(longest, 'a', sizeof longest);
    longest[0] = 0x0A; /* feed */
    longest[1] = (uint8_t)(text | 0x80U);
    longest[2] = (uint8_t)(text >> 7U);
    ck_assert_ptr_nonnull(request_unpack(&kith__v1__position__descriptor,
                                         span_of(longest, REQUEST_BYTES_MAX), &arena, &refusal));
    ck_assert_ptr_null(request_unpack(&kith__v1__position__descriptor,
                                      span_of(longest, sizeof longest), &arena, &refusal));
    ck_assert_int_eq(refusal.status, STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message, "the body has 1025 bytes, a Position has at most 1024");
}
END_TEST

START_TEST(an_id_is_there_and_valid_or_a_violation)
{
    ck_assert(request_id_check("a", "customer", "name one", &refusal));
    ck_assert_uint_eq(refusal.violation_count, 0);
    ck_assert(!request_id_check(NULL, "customer", "name one", &refusal));
    ck_assert(!request_id_check("", "segment", "name one", &refusal));
    ck_assert(!request_id_check("a\nb", "programme", "name one", &refusal));
    ck_assert_uint_eq(refusal.violation_count, 3);
    ck_assert_str_eq(refusal.violations[0].field, "customer");
    ck_assert_str_eq(refusal.violations[1].rule, REQUEST_ID_RULE);
    ck_assert_str_eq(refusal.violations[2].mend, "name one");
}
END_TEST

START_TEST(a_page_has_a_default_and_a_most)
{
    uint32_t limit = 0;
    ck_assert(request_limit_check(0, &limit, &refusal));
    ck_assert_uint_eq(limit, REQUEST_PAGE_DEFAULT);
    ck_assert(request_limit_check(1, &limit, &refusal));
    ck_assert_uint_eq(limit, 1);
    ck_assert(request_limit_check(REQUEST_PAGE_MAX, &limit, &refusal));
    ck_assert_uint_eq(limit, REQUEST_PAGE_MAX);
    ck_assert(!request_limit_check(REQUEST_PAGE_MAX + 1, &limit, &refusal));
    ck_assert_uint_eq(limit, REQUEST_PAGE_MAX);
    ck_assert_uint_eq(refusal.violation_count, 1);
    ck_assert_str_eq(refusal.violations[0].field, "limit");
}
END_TEST

START_TEST(elements_stand_one_after_the_other)
{
    Kith__V1__Position message = KITH__V1__POSITION__INIT;
    message.has_seq = true;
    message.seq = 5;
    message_element_append(7, &message.base, &buffer);
    message_element_append(7, &message.base, &buffer);
    message_append(&message.base, &buffer);
    ck_assert(span_equal(buffer_span(&buffer), BYTES("\x3A\x02\x18\x05\x3A\x02\x18\x05\x18\x05")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *tests = tcase_create("message");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_request_is_unpacked);
    tcase_add_test(tests, a_request_with_an_unknown_field_is_refused);
    tcase_add_test(tests, a_request_that_is_no_message_is_refused);
    tcase_add_test(tests, a_request_may_have_so_many_bytes_and_no_more);
    tcase_add_test(tests, an_id_is_there_and_valid_or_a_violation);
    tcase_add_test(tests, a_page_has_a_default_and_a_most);
    tcase_add_test(tests, elements_stand_one_after_the_other);
    suite_add_tcase(suite, tests);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
