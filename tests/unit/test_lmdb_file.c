/* link: common_lmdb lmdb */
#include "common/lmdb/lmdb_file.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)1024 * 1024)

struct place {
    char folder[64];
    char path[96];
    char made[96]; /* where the file is before it has its name */
};

static struct place place_make(void)
{
    struct place place = { .folder = "/tmp/kith-lmdb-file-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(place.folder));
    (void)snprintf(place.path, sizeof place.path, "%s/a.mdb", place.folder);
    (void)snprintf(place.made, sizeof place.made, "%s/a.mdb.new", place.folder);
    return place;
}

static void place_remove(const struct place *place)
{
    (void)unlink(place->path);
    ck_assert_int_eq(rmdir(place->folder), 0);
}

/* LMDB knows it, and nothing is in it. */
static void empty_check(const struct place *place)
{
    MDB_env *environment = NULL;
    MDB_stat content = { 0 };
    struct stat facts;
    ck_assert_int_eq(mdb_env_create(&environment), MDB_SUCCESS);
    ck_assert_int_eq(
        mdb_env_open(environment, place->path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_RDONLY, 0),
        MDB_SUCCESS);
    ck_assert_int_eq(mdb_env_stat(environment, &content), MDB_SUCCESS);
    ck_assert_uint_eq(content.ms_entries, 0);
    mdb_env_close(environment);
    ck_assert_int_eq(stat(place->path, &facts), 0);
    ck_assert_uint_eq(facts.st_mode & 0777U, LMDB_FILE_MODE);
    ck_assert_int_eq(access(place->made, F_OK), -1);
}

static void text_store(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_file_is_made_whole)
{
    struct place place = place_make();
    ck_assert_int_eq(lmdb_file_make(place.path, MAP_BYTES), 0);
    empty_check(&place);
    ck_assert_int_eq(lmdb_file_make(place.path, MAP_BYTES), 0);
    empty_check(&place);
    place_remove(&place);
}
END_TEST

START_TEST(what_a_start_that_was_cut_off_left_goes)
{
    struct place place = place_make();
    text_store(place.made, "half a page");
    ck_assert_int_eq(lmdb_file_make(place.path, MAP_BYTES), 0);
    empty_check(&place);
    place_remove(&place);
}
END_TEST

START_TEST(a_file_that_is_there_stays_as_it_is)
{
    struct place place = place_make();
    char text[16] = "";
    text_store(place.path, "not LMDB's");
    ck_assert_int_eq(lmdb_file_make(place.path, MAP_BYTES), 0);
    FILE *file = fopen(place.path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_str_eq(text, "not LMDB's");
    place_remove(&place);
}
END_TEST

START_TEST(a_file_that_cannot_be_made_is_not_there)
{
    struct place place = place_make();
    char missing[128];
    (void)snprintf(missing, sizeof missing, "%s/none/a.mdb", place.folder);
    ck_assert_int_eq(lmdb_file_make(missing, MAP_BYTES), ENOENT);
    /* Something stands where it is to be made. */
    ck_assert_int_eq(mkdir(place.made, 0700), 0);
    ck_assert_int_eq(lmdb_file_make(place.path, MAP_BYTES), EISDIR);
    ck_assert_int_eq(rmdir(place.made), 0);
    ck_assert_int_eq(access(place.path, F_OK), -1);
    place_remove(&place);
}
END_TEST

START_TEST(a_name_without_room_for_another_is_too_long)
{
    char path[PATH_MAX];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(lmdb_file_make(path, MAP_BYTES), ENAMETOOLONG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lmdb_file");
    TCase *tests = tcase_create("lmdb_file");
    tcase_add_test(tests, a_file_is_made_whole);
    tcase_add_test(tests, what_a_start_that_was_cut_off_left_goes);
    tcase_add_test(tests, a_file_that_is_there_stays_as_it_is);
    tcase_add_test(tests, a_file_that_cannot_be_made_is_not_there);
    tcase_add_test(tests, a_name_without_room_for_another_is_too_long);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
