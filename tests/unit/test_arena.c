/* link: common_base */
#include "common/base/arena.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(pieces_are_aligned_and_do_not_overlap)
{
    enum { PIECES = 500 };
    struct arena arena;
    uint8_t *pieces[PIECES] = { 0 };
    arena_init(&arena, 1024 * 1024);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = arena_allocate(&arena, i);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)(i % 256), i);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < i; k++) {
            ck_assert_uint_eq(pieces[i][k], i % 256);
        }
    }
    arena_release(&arena);
}
END_TEST

START_TEST(the_limit_is_reached_and_not_passed)
{
    struct arena arena;
    arena_init(&arena, 64);
    ck_assert_ptr_nonnull(arena_allocate(&arena, 48));
    ck_assert_ptr_null(arena_allocate(&arena, 17));
    ck_assert_ptr_nonnull(arena_allocate(&arena, 16));
    ck_assert_uint_eq(arena.used, 64);
    ck_assert_ptr_null(arena_allocate(&arena, 1));
    ck_assert_ptr_null(arena_allocate(&arena, 0));
    arena_reset(&arena);
    ck_assert_ptr_nonnull(arena_allocate(&arena, 64));
    arena_release(&arena);
}
END_TEST

START_TEST(a_size_that_would_wrap_around_is_past_the_limit)
{
    struct arena arena;
    arena_init(&arena, 1024);
    ck_assert_ptr_null(arena_allocate(&arena, SIZE_MAX));
    ck_assert_ptr_null(arena_allocate(&arena, SIZE_MAX - 15));
    ck_assert_ptr_null(arena_allocate(&arena, 1025));
    ck_assert_uint_eq(arena.used, 0);
    arena_release(&arena);
}
END_TEST

START_TEST(no_bytes_still_get_an_address_of_their_own)
{
    struct arena arena;
    arena_init(&arena, 1024);
    void *first = arena_allocate(&arena, 0);
    void *second = arena_allocate(&arena, 0);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_ne(first, second);
    arena_release(&arena);
}
END_TEST

static void message_unpack(struct arena *arena)
{
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_ptr_nonnull(arena_allocate(arena, 1000));
    }
    arena_reset(arena);
}

START_TEST(a_steady_state_allocates_nothing)
{
    struct arena arena;
    arena_init(&arena, 128 * 1024);
    for (unsigned round = 0; round < 10; round++) {
        message_unpack(&arena);
    }
    const struct arena_chunk *kept = arena.chunks;
    for (unsigned round = 0; round < 10; round++) {
        message_unpack(&arena);
        ck_assert_ptr_eq(arena.chunks, kept);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(a_released_arena_is_empty_and_usable)
{
    struct arena arena;
    arena_init(&arena, 1024);
    arena_reset(&arena);
    ck_assert_ptr_nonnull(arena_allocate(&arena, 100));
    arena_release(&arena);
    ck_assert_ptr_null(arena.chunks);
    ck_assert_ptr_nonnull(arena_allocate(&arena, 1024));
    arena_release(&arena);
    arena_release(&arena);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("arena");
    tcase_add_test(tests, pieces_are_aligned_and_do_not_overlap);
    tcase_add_test(tests, the_limit_is_reached_and_not_passed);
    tcase_add_test(tests, a_size_that_would_wrap_around_is_past_the_limit);
    tcase_add_test(tests, no_bytes_still_get_an_address_of_their_own);
    tcase_add_test(tests, a_steady_state_allocates_nothing);
    tcase_add_test(tests, a_released_arena_is_empty_and_usable);
    Suite *suite = suite_create("arena");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
