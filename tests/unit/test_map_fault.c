/* link: common_service */
#include "common/service/map_fault.h"

#include <check.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES 8192

/* Looks at the second page of a file that has only one left. */
static _Noreturn void look_past_the_end(const char *path, int errors)
{
    ck_assert_int_eq(dup2(errors, STDERR_FILENO), STDERR_FILENO);
    map_fault_catch();
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, FILE_BYTES) != 0) {
        _exit(1);
    }
    const volatile uint8_t *bytes = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, file, 0);
    if (bytes == MAP_FAILED || bytes[FILE_BYTES - 1] != 0 || ftruncate(file, FILE_BYTES / 2) != 0) {
        _exit(2);
    }
    _exit(bytes[FILE_BYTES - 1] == 0 ? 3 : 4);
}

START_TEST(what_is_gone_from_a_mapped_file_ends_the_process_by_name)
{
    char folder[] = "/tmp/kith-map-XXXXXX";
    char path[64];
    char said[256] = "";
    int ends[2];
    int status = 0;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/state.mdb", folder);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        look_past_the_end(path, ends[1]);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(close(ends[1]), 0);
    size_t size = 0;
    ssize_t got = read(ends[0], said, sizeof said - 1);
    while (got > 0) {
        size += (size_t)got;
        got = read(ends[0], said + size, sizeof said - 1 - size);
    }
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), MAP_FAULT_EXIT);
    ck_assert_ptr_nonnull(strstr(said, path));
    ck_assert_ptr_nonnull(strstr(said, "was cut short"));
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("map_fault");
    tcase_add_test(tests, what_is_gone_from_a_mapped_file_ends_the_process_by_name);
    Suite *suite = suite_create("map_fault");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
