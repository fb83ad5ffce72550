/* link: common_base */
#include "common/base/status.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(every_status_comes_back_from_its_code)
{
#define X(name, code, code_text, text)                                                             \
    ck_assert_int_eq(status_from_code(code), STATUS_##name);                                       \
    ck_assert_str_eq(status_code_text(STATUS_##name), code_text);                                  \
    ck_assert_str_eq(status_text(STATUS_##name), text);
    STATUS_MAP(X)
#undef X
}
END_TEST

START_TEST(codes_that_no_status_has_are_internal)
{
    /* 1 CANCELLED and 2 UNKNOWN are gRPC's, but nothing here means them. */
    static const unsigned codes[] = { 1, 2, 17, 1000, 0xffffffff };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        ck_assert_int_eq(status_from_code(codes[i]), STATUS_INTERNAL);
    }
}
END_TEST

START_TEST(the_names_are_those_of_the_wire)
{
    ck_assert_str_eq(status_code_text(STATUS_CORRUPT), "DATA_LOSS");
    ck_assert_str_eq(status_code_text(STATUS_REFUSED), "FAILED_PRECONDITION");
    ck_assert_str_eq(status_code_text(STATUS_OK), "OK");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("status");
    tcase_add_test(tests, every_status_comes_back_from_its_code);
    tcase_add_test(tests, codes_that_no_status_has_are_internal);
    tcase_add_test(tests, the_names_are_those_of_the_wire);
    Suite *suite = suite_create("status");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
