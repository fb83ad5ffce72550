/* link: kith_parts */
#include "cli/run_file.h"
#include "ingest_fixture.h"

#define NOW_MS INT64_C(1700000000000)

struct fixture {
    struct test_folder folder;
    struct hash128 digests[2];
    const char *names[2];
    struct run_identity identity;
    struct run_file *run;
    struct refusal refusal;
};

static void fixture_open(struct fixture *fixture)
{
    *fixture = (struct fixture){ .folder = folder_open(),
                                 .digests = { { { 1 } }, { { 2 } } },
                                 .names = { "a.csv", "b \"\xC3\xA9\".csv" } };
    refusal_init(&fixture->refusal);
    fixture->identity = (struct run_identity){ .files = fixture->digests,
                                               .names = fixture->names,
                                               .file_count = 2,
                                               .map = { { 3 } },
                                               .batch_rows = 1000 };
}

static void fixture_close(struct fixture *fixture)
{
    run_file_close(&fixture->run);
    folder_close(&fixture->folder);
}

static struct run_state *run_open(struct fixture *fixture, int64_t now_ms)
{
    run_file_close(&fixture->run);
    enum status status = run_file_open(&fixture->run, fixture->folder.path, &fixture->identity,
                                       now_ms, &fixture->refusal);
    ck_assert_msg(status == STATUS_OK, "%s", fixture->refusal.message);
    return run_file_state(fixture->run);
}

static void run_save(struct fixture *fixture, int64_t now_ms)
{
    ck_assert_int_eq(run_file_save(fixture->run, now_ms, &fixture->refusal), STATUS_OK);
}

START_TEST(a_new_run_begins_at_its_first_row)
{
    struct fixture fixture;
    fixture_open(&fixture);
    const struct run_state *state = run_open(&fixture, NOW_MS);
    ck_assert_int_eq((int)run_file_past(fixture.run), RUN_NEW);
    ck_assert_uint_eq(strlen(state->id), 32);
    ck_assert_uint_eq(state->batch, 1);
    ck_assert_uint_eq(state->counts.rows, 0);
    ck_assert_uint_eq(state->place.rows, 0);
    ck_assert(!state->finished);
    fixture_close(&fixture);
}
END_TEST

START_TEST(an_interrupted_run_goes_on_where_it_was_saved)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct run_state *state = run_open(&fixture, NOW_MS);
    state->batch = 8;
    state->place = (struct load_place){ .file = 1, .offset = UINT64_C(1) << 40, .rows = 77 };
    state->counts =
        (struct run_counts){ .rows = 7000, .accepted = 6000, .duplicate = 900, .rejected = 100 };
    run_save(&fixture, NOW_MS);
    struct run_state saved = *state;
    state = run_open(&fixture, NOW_MS + RUN_AGE_MS_MAX);
    ck_assert_int_eq((int)run_file_past(fixture.run), RUN_RESUMED);
    ck_assert_str_eq(state->id, saved.id);
    ck_assert_uint_eq(state->batch, 8);
    ck_assert_uint_eq(state->place.file, 1);
    ck_assert_uint_eq(state->place.offset, UINT64_C(1) << 40);
    ck_assert_uint_eq(state->place.rows, 77);
    ck_assert_mem_eq(&state->counts, &saved.counts, sizeof saved.counts);
    ck_assert_int_eq(state->saved_at_ms, NOW_MS);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_run_that_was_not_saved_leaves_nothing)
{
    struct fixture fixture;
    fixture_open(&fixture);
    char id[RUN_ID_BYTES];
    memcpy(id, run_open(&fixture, NOW_MS)->id, sizeof id);
    ck_assert_str_ne(run_open(&fixture, NOW_MS)->id, id);
    ck_assert_int_eq((int)run_file_past(fixture.run), RUN_NEW);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_finished_run_makes_room_for_a_new_one)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct run_state *state = run_open(&fixture, NOW_MS);
    char id[RUN_ID_BYTES];
    memcpy(id, state->id, sizeof id);
    state->finished = true;
    state->batch = 5;
    run_save(&fixture, NOW_MS);
    state = run_open(&fixture, NOW_MS);
    ck_assert_int_eq((int)run_file_past(fixture.run), RUN_NEW);
    ck_assert_str_ne(state->id, id);
    ck_assert_uint_eq(state->batch, 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_run_whose_keys_are_forgotten_begins_anew)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct run_state *state = run_open(&fixture, NOW_MS);
    char id[RUN_ID_BYTES];
    memcpy(id, state->id, sizeof id);
    state->batch = 5;
    run_save(&fixture, NOW_MS);
    state = run_open(&fixture, NOW_MS + RUN_AGE_MS_MAX + 1);
    ck_assert_int_eq((int)run_file_past(fixture.run), RUN_TOO_OLD);
    ck_assert_str_ne(state->id, id);
    ck_assert_uint_eq(state->batch, 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_restart_is_another_run_from_the_first_row)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct run_state *state = run_open(&fixture, NOW_MS);
    char id[RUN_ID_BYTES];
    memcpy(id, state->id, sizeof id);
    state->batch = 5;
    state->counts = (struct run_counts){ .rows = 1, .accepted = 1 };
    run_file_restart(fixture.run);
    ck_assert_str_ne(state->id, id);
    ck_assert_uint_eq(state->batch, 1);
    ck_assert_uint_eq(state->counts.rows, 0);
    fixture_close(&fixture);
}
END_TEST

/* Each is another run, and the first one is still there afterwards. */
START_TEST(another_content_order_map_or_batch_is_another_run)
{
    struct fixture fixture;
    fixture_open(&fixture);
    char id[RUN_ID_BYTES];
    memcpy(id, run_open(&fixture, NOW_MS)->id, sizeof id);
    run_save(&fixture, NOW_MS);
    struct run_identity first = fixture.identity;
    struct hash128 swapped[2] = { fixture.digests[1], fixture.digests[0] };
    struct run_identity others[] = { first, first, first, first, first };
    others[0].files = swapped;
    others[1].file_count = 1;
    others[2].map.bytes[15] = 1;
    others[3].by_time = true;
    others[4].batch_rows = 999;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        fixture.identity = others[i];
        ck_assert_str_ne(run_open(&fixture, NOW_MS)->id, id);
        ck_assert_int_eq((int)run_file_past(fixture.run), RUN_NEW);
    }
    fixture.identity = first;
    fixture.names[0] = "another name";
    ck_assert_str_eq(run_open(&fixture, NOW_MS)->id, id);
    fixture_close(&fixture);
}
END_TEST

START_TEST(two_loaders_of_one_run_are_one_too_many)
{
    struct fixture fixture;
    fixture_open(&fixture);
    (void)run_open(&fixture, NOW_MS);
    struct run_file *second = NULL;
    ck_assert_int_eq(
        run_file_open(&second, fixture.folder.path, &fixture.identity, NOW_MS, &fixture.refusal),
        STATUS_EXISTS);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(fixture.refusal.message, "another kith ingest"));
    run_file_close(&fixture.run);
    ck_assert_int_eq(
        run_file_open(&second, fixture.folder.path, &fixture.identity, NOW_MS, &fixture.refusal),
        STATUS_OK);
    run_file_close(&second);
    fixture_close(&fixture);
}
END_TEST

/* The name of the only run file. */
static void run_path(const struct fixture *fixture, char *path, size_t size)
{
    char folder[200];
    (void)snprintf(folder, sizeof folder, "%s/runs", fixture->folder.path);
    DIR *entries = opendir(folder);
    ck_assert_ptr_nonnull(entries);
    struct dirent *entry = readdir(entries);
    while (entry != NULL && strstr(entry->d_name, ".json") == NULL) {
        entry = readdir(entries);
    }
    ck_assert_ptr_nonnull(entry);
    (void)snprintf(path, size, "%s/%s", folder, entry->d_name);
    ck_assert_int_eq(closedir(entries), 0);
}

static const char *const broken_texts[] = {
    "",
    "{",
    "[]",
    "{\"run\":\"x\"}",
    "{\"run\":\"00112233445566778899aabbccddeeff\",\"saved_at\":\"2026-01-01T00:00:00Z\","
    "\"batch\":0,\"place\":{\"file\":0,\"offset\":0,\"rows\":0},\"rows\":0,\"accepted\":0,"
    "\"duplicate\":0,\"rejected\":0}",
    "{\"run\":\"00112233445566778899aabbccddeeff\",\"saved_at\":\"2026-01-01T00:00:00Z\","
    "\"batch\":1,\"place\":{\"file\":0,\"offset\":0,\"rows\":0},\"rows\":2,\"accepted\":1,"
    "\"duplicate\":0,\"rejected\":0}",
};

START_TEST(a_file_of_somebody_else_is_refused)
{
    struct fixture fixture;
    fixture_open(&fixture);
    (void)run_open(&fixture, NOW_MS);
    run_save(&fixture, NOW_MS);
    run_file_close(&fixture.run);
    char path[700];
    run_path(&fixture, path, sizeof path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(broken_texts[_i], file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(run_file_open(&fixture.run, fixture.folder.path, &fixture.identity, NOW_MS,
                                   &fixture.refusal),
                     STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fixture.refusal.message, path));
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_name_is_known_with_its_newest_content)
{
    struct fixture fixture;
    fixture_open(&fixture);
    char folder[4096];
    ck_assert_int_eq(run_folder_make(fixture.folder.path, folder, sizeof folder, NULL), STATUS_OK);
    static const struct {
        const char *source;
        const char *name;
        uint8_t content;
        bool is_other;
    } notes[] = {
        { "s", "/x/a.csv", 1, false }, { "s", "/x/a.csv", 1, false }, { "s", "/x/a.csv", 2, true },
        { "s", "/y/a.csv", 2, false }, { "s", "a.csv", 3, true },     { "s", "b.csv", 1, false },
        { "t", "a.csv", 1, false },    { "s", "a.csv", 3, false },
    };
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        bool is_other = !notes[i].is_other;
        struct run_name name = { notes[i].source, notes[i].name, { { notes[i].content } } };
        ck_assert_int_eq(run_name_note(folder, &name, &is_other, NULL), STATUS_OK);
        ck_assert_msg(is_other == notes[i].is_other, "note %zu", i);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_told)
{
    struct fixture fixture;
    fixture_open(&fixture);
    ck_assert_int_eq(
        run_file_open(&fixture.run, "/nowhere/at/all", &fixture.identity, NOW_MS, &fixture.refusal),
        STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(fixture.refusal.message, "/nowhere/at/all/runs"));
    fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run file");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, a_new_run_begins_at_its_first_row);
    tcase_add_test(cases, an_interrupted_run_goes_on_where_it_was_saved);
    tcase_add_test(cases, a_run_that_was_not_saved_leaves_nothing);
    tcase_add_test(cases, a_finished_run_makes_room_for_a_new_one);
    tcase_add_test(cases, a_run_whose_keys_are_forgotten_begins_anew);
    tcase_add_test(cases, a_restart_is_another_run_from_the_first_row);
    tcase_add_test(cases, another_content_order_map_or_batch_is_another_run);
    tcase_add_test(cases, two_loaders_of_one_run_are_one_too_many);
    tcase_add_loop_test(cases, a_file_of_somebody_else_is_refused, 0,
                        (int)(sizeof broken_texts / sizeof broken_texts[0]));
    tcase_add_test(cases, a_name_is_known_with_its_newest_content);
    tcase_add_test(cases, a_folder_that_is_not_there_is_told);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
