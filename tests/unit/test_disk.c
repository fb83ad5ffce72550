/* link: common_base */
#include "common/base/disk.h"
#include "common/base/limits.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PART_BYTES ((uint64_t)1024 * 1024)

static int file_make(void)
{
    char path[] = "/tmp/kith-disk-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(unlink(path), 0); /* it lives as long as it is open */
    return file;
}

static uint64_t bytes_on_disk(int file)
{
    struct stat facts;
    ck_assert_int_eq(fstat(file, &facts), 0);
    ck_assert_int_eq(facts.st_size, 0);
    return (uint64_t)facts.st_blocks * 512;
}

START_TEST(what_is_reserved_is_on_the_disk_and_the_file_no_longer)
{
    int file = file_make();
    ck_assert_int_eq(disk_reserve(file, 0, 0), STATUS_OK);
    ck_assert_uint_eq(bytes_on_disk(file), 0);
    ck_assert_int_eq(disk_reserve(file, 0, PART_BYTES), STATUS_OK);
    ck_assert_uint_ge(bytes_on_disk(file), PART_BYTES);
    ck_assert_int_eq(disk_reserve(file, 0, PART_BYTES), STATUS_OK);
    ck_assert_uint_lt(bytes_on_disk(file), 2 * PART_BYTES);
    ck_assert_int_eq(disk_reserve(file, PART_BYTES, PART_BYTES), STATUS_OK);
    ck_assert_uint_ge(bytes_on_disk(file), 2 * PART_BYTES);
    (void)close(file);
}
END_TEST

START_TEST(more_than_there_is_cannot_be_reserved)
{
    int file = file_make();
    struct statvfs facts;
    ck_assert_int_eq(fstatvfs(file, &facts), 0);
    uint64_t all = (uint64_t)facts.f_blocks * facts.f_frsize;
    /* Past what a file may have where the disk itself is larger. */
    ck_assert_int_eq(disk_reserve(file, 0, all + (UINT64_C(1) << 60)), STATUS_LIMIT);
    ck_assert_int_eq(disk_reserve(-1, 0, PART_BYTES), STATUS_INTERNAL);
    (void)close(file);
}
END_TEST

/* There are files that nobody can reserve room for, on what has none. */
START_TEST(a_disk_that_cannot_reserve_is_asked_what_is_free)
{
    int file = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(disk_reserve(file, 0, 1), STATUS_LIMIT);
    (void)close(file);
}
END_TEST

START_TEST(free_bytes_are_those_that_the_disk_states)
{
    int file = file_make();
    struct statvfs facts;
    ck_assert_int_eq(fstatvfs(file, &facts), 0);
    uint64_t stated = (uint64_t)facts.f_bavail * facts.f_frsize;
    uint64_t told = disk_free_bytes(file);
    /* Others write, too. */
    ck_assert_uint_lt(told, stated + stated / 4 + 1);
    ck_assert_uint_gt(told + stated / 4 + 1, stated);
    (void)close(file);
    ck_assert_uint_eq(disk_free_bytes(-1), UINT64_MAX);
    ck_assert(!disk_is_tight(-1)); /* who cannot be asked is no reason to go slowly */
}
END_TEST

START_TEST(stores_lie_on_disks_and_on_nothing_that_looks_like_one)
{
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(disk_kind_check("/tmp", &refusal), STATUS_OK);
    ck_assert_int_eq(disk_kind_check("/proc", &refusal), STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "/proc"));
    ck_assert_ptr_nonnull(strstr(refusal.message, "ext4"));
    ck_assert_int_eq(disk_kind_check("/tmp/no such folder", &refusal), STATUS_INTERNAL);
}
END_TEST

START_TEST(a_name_is_synced_where_it_stands)
{
    char base[] = "/tmp/kith-disk-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(base));
    char path[64];
    /* The folder is what is synced: whether the name is in it, it does not say. */
    (void)snprintf(path, sizeof path, "%s/one", base);
    ck_assert_int_eq(disk_name_sync(path), STATUS_OK);
    ck_assert_int_eq(disk_name_sync("/"), STATUS_OK);
    (void)snprintf(path, sizeof path, "%s/none/one", base);
    errno = 0;
    ck_assert_int_eq(disk_name_sync(path), STATUS_INTERNAL);
    ck_assert_int_eq(errno, ENOENT);
    /* A folder that holds names which nobody can sync. */
    ck_assert_int_eq(disk_name_sync("/proc/self/none"), STATUS_INTERNAL);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_not_synced)
{
    char path[PATH_MAX + 2];
    memset(path, 'x', sizeof path);
    path[sizeof path - 2] = '/';
    path[sizeof path - 1] = '\0';
    path[0] = '/';
    ck_assert_int_eq(disk_name_sync(path), STATUS_OK); /* the folder's own name is short */
    path[sizeof path - 3] = '/';
    path[sizeof path - 2] = 'x';
    ck_assert_int_eq(disk_name_sync(path), STATUS_INTERNAL);
    ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

START_TEST(a_folder_is_made_once_and_stays)
{
    struct refusal refusal;
    refusal_init(&refusal);
    char base[] = "/tmp/kith-disk-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(base));
    char path[64];
    (void)snprintf(path, sizeof path, "%s/one/", base);
    struct stat facts;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(disk_folder_make(path, &refusal), STATUS_OK);
        ck_assert_int_eq(stat(path, &facts), 0);
        ck_assert(S_ISDIR(facts.st_mode));
        ck_assert_uint_eq(facts.st_mode & 0777U, 0700);
    }
    ck_assert_int_eq(disk_folder_make("/", &refusal), STATUS_OK);
    ck_assert_int_eq(disk_folder_make("/proc/self", &refusal), STATUS_OK); /* not for us to sync */
    (void)snprintf(path, sizeof path, "%s/none/two", base);
    ck_assert_int_eq(disk_folder_make(path, &refusal), STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(refusal.message, path));
    (void)snprintf(path, sizeof path, "%s/one", base);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

START_TEST(a_folder_without_a_slash_is_made_where_we_are)
{
    struct refusal refusal;
    refusal_init(&refusal);
    char base[] = "/tmp/kith-disk-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(base));
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(before, 0);
    ck_assert_int_eq(chdir(base), 0);
    ck_assert_int_eq(disk_folder_make("here", &refusal), STATUS_OK);
    ck_assert_int_eq(rmdir("here"), 0);
    ck_assert_int_eq(fchdir(before), 0);
    (void)close(before);
    ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("disk");
    tcase_add_test(tests, what_is_reserved_is_on_the_disk_and_the_file_no_longer);
    tcase_add_test(tests, more_than_there_is_cannot_be_reserved);
    tcase_add_test(tests, a_disk_that_cannot_reserve_is_asked_what_is_free);
    tcase_add_test(tests, free_bytes_are_those_that_the_disk_states);
    tcase_add_test(tests, stores_lie_on_disks_and_on_nothing_that_looks_like_one);
    tcase_add_test(tests, a_name_is_synced_where_it_stands);
    tcase_add_test(tests, a_name_that_is_too_long_is_not_synced);
    tcase_add_test(tests, a_folder_is_made_once_and_stays);
    tcase_add_test(tests, a_folder_without_a_slash_is_made_where_we_are);
    Suite *suite = suite_create("disk");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
