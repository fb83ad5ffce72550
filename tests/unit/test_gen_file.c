/* link: kith_parts */
#include "cli/gen_file.h"
#include "cli/gen_text.h"
#include "ingest_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LINES 20000
#define LINE_FORM "line %05d, which is as long as it is so that pieces end within the file\n"

static size_t file_size(const char *folder, const char *name)
{
    struct path path;
    struct stat state;
    ck_assert_int_eq(path_make(&path, NULL, "%s/%s", folder, name), STATUS_OK);
    ck_assert_int_eq(stat(path.text, &state), 0);
    return (size_t)state.st_size;
}

START_TEST(lines_of_many_pieces_are_all_there)
{
    struct test_folder folder = folder_open();
    struct gen_file file = { .descriptor = -1 };
    char expected[128];
    ck_assert_int_eq(gen_file_open(&file, folder.path, "f", NULL), STATUS_OK);
    for (int i = 0; i < LINES; i++) {
        char *line = NULL;
        ck_assert_int_eq(gen_file_line(&file, &line, NULL), STATUS_OK);
        int size = snprintf(line, GEN_LINE_BYTES, LINE_FORM, i);
        gen_file_take(&file, (size_t)size);
    }
    ck_assert_int_eq(gen_file_flush(&file, NULL), STATUS_OK);
    ck_assert_uint_eq(file.lines, LINES);
    size_t each = (size_t)snprintf(expected, sizeof expected, LINE_FORM, 0);
    ck_assert_uint_eq(file.bytes, LINES * each);
    ck_assert_uint_eq(file_size(folder.path, "f"), LINES * each);
    int descriptor = open(file.path.text, O_RDONLY | O_CLOEXEC);
    char found[128];
    for (int i = 0; i < LINES; i++) {
        (void)snprintf(expected, sizeof expected, LINE_FORM, i);
        ck_assert_int_eq(pread(descriptor, found, each, (off_t)each * i), (ssize_t)each);
        ck_assert_mem_eq(found, expected, each);
    }
    (void)close(descriptor);
    gen_file_close(&file);
    gen_file_close(&file);
    folder_close(&folder);
}
END_TEST

START_TEST(a_file_that_is_there_is_not_written_over)
{
    struct test_folder folder = folder_open();
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(gen_file_write(folder.path, "f", BYTES("first"), &refusal), STATUS_OK);
    ck_assert_int_ne(gen_file_write(folder.path, "f", BYTES("second one"), &refusal), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(refusal.message, "cannot be made: File exists"));
    ck_assert_uint_eq(file_size(folder.path, "f"), 5);
    folder_close(&folder);
}
END_TEST

START_TEST(a_folder_is_made_or_must_be_empty)
{
    struct test_folder folder = folder_open();
    struct path inner;
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(path_make(&inner, NULL, "%s/inner", folder.path), STATUS_OK);
    ck_assert_int_eq(gen_folder_make(inner.text, &refusal), STATUS_OK);
    ck_assert_int_eq(gen_folder_make(inner.text, &refusal), STATUS_OK);
    ck_assert_int_eq(gen_file_write(inner.text, ".f", BYTES("x"), &refusal), STATUS_OK);
    ck_assert_int_eq(gen_folder_make(inner.text, &refusal), STATUS_EXISTS);
    ck_assert_ptr_nonnull(strstr(refusal.message, "holds files already"));
    ck_assert_int_eq(path_make(&inner, NULL, "%s/inner/.f", folder.path), STATUS_OK);
    ck_assert_int_eq(gen_folder_make(inner.text, &refusal), STATUS_EXISTS);
    ck_assert_ptr_nonnull(strstr(refusal.message, "is a file"));
    folder_close(&folder);
}
END_TEST

/* Every write to this device finds the disk full. */
START_TEST(a_full_disk_is_told_with_what_was_written)
{
    struct gen_file file = { .descriptor = -1 };
    struct refusal refusal;
    char *line = NULL;
    refusal_init(&refusal);
    struct test_folder folder = folder_open();
    ck_assert_int_eq(gen_file_open(&file, folder.path, "f", NULL), STATUS_OK);
    (void)close(file.descriptor);
    file.descriptor = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(gen_file_line(&file, &line, NULL), STATUS_OK);
    line[0] = '\n';
    gen_file_take(&file, 1);
    ck_assert_int_eq(gen_file_flush(&file, &refusal), STATUS_LIMIT);
    ck_assert_ptr_nonnull(strstr(refusal.message, "No space left on device"));
    ck_assert_ptr_nonnull(strstr(refusal.message, " 0 whole lines"));
    gen_file_close(&file);
    folder_close(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gen_file");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, lines_of_many_pieces_are_all_there);
    tcase_add_test(cases, a_file_that_is_there_is_not_written_over);
    tcase_add_test(cases, a_folder_is_made_or_must_be_empty);
    tcase_add_test(cases, a_full_disk_is_told_with_what_was_written);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
