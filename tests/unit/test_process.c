/* link: kith_test_support common_service */
/*
 * A toy as a process of its own: exit codes, and what it says. A child serves it from a folder;
 * its disk fails, or it is told to stop, where the test wants that to happen.
 */
#include "tests/support/toy_service.h"
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define EXIT_OUTCOME_UNKNOWN 75

/* ---- a toy that is served */

/* What happens in the child. Its own memory holds all of it but `seen`, which is the parent's
 * too. */
static struct {
    struct toy toy;
    struct service_definition definition;
    char *config;
    char *data;
    char *log;
    bool fails_in_start;  /* its disk, from when its rules are decided on */
    bool stops_in_start;  /* SIGTERM comes then */
    bool stops_in_evolve; /* it comes with the first record that is evolved */
    bool disk_fails;
    struct seen {
        uint64_t evolved;
    } * seen;
} child;

static bool write_fails(void)
{
    errno = EIO;
    return child.disk_fails;
}

/* LMDB's writes come here. The C library's declarations have names of their own:
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t at)
{
    return write_fails() ? -1 : syscall(SYS_pwrite64, descriptor, bytes, size, at);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t at)
{
    return pwrite(descriptor, bytes, size, at);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    return write_fails() ? -1 : syscall(SYS_writev, descriptor, pieces, count);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

static enum status child_open(void **service, const struct service_environment *environment,
                              struct refusal *refusal)
{
    (void)environment;
    (void)refusal;
    *service = &child.toy;
    return STATUS_OK;
}

static void child_close(void **service)
{
    *service = NULL;
}

static void child_start(void *service, struct turn *turn)
{
    child.toy.definition.start(service, turn);
    child.disk_fails = child.fails_in_start;
    if (child.stops_in_start) {
        (void)raise(SIGTERM);
    }
}

static void child_evolve(void *service, const struct change *change, const struct record *record)
{
    child.toy.definition.evolve(service, change, record);
    child.seen->evolved += 1;
    if (child.stops_in_evolve && child.seen->evolved == 1) {
        (void)raise(SIGTERM);
    }
}

static void child_serve(void *argument)
{
    char name[] = "kith-loyalty";
    char verb[] = "serve";
    char option_config[] = "--config";
    char option_data[] = "--data";
    char *arguments[] = { name, verb, option_config, child.config, option_data, child.data, NULL };
    (void)argument;
    int log = open(child.log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0) {
        _exit(EXIT_FAILURE);
    }
    _exit(service_main(&child.definition, 6, arguments));
}

/* ---- its folder */

struct scene {
    char folder[64];
    char config[96];
    char state[128];
    char log[96];
    char said[4096]; /* by the newest child */
};

static const char config_text[] = "version: 1\n"
                                  "suite: {clock: wall, time_zone: UTC}\n"
                                  "services:\n"
                                  "  loyalty: {journal_map_bytes: 67108864, "
                                  "state_map_bytes: 67108864}\n";

static void file_write(const char *path, const void *bytes, size_t size)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, bytes, size), (ssize_t)size);
    (void)close(descriptor);
}

static void scene_begin(struct scene *scene)
{
    const char *parent = getenv("TMPDIR");
    uint8_t key[32] = { 7 };
    char path[96];
    *scene = (struct scene){ .said = "" };
    (void)snprintf(scene->folder, sizeof scene->folder, "%s/kith-process-XXXXXX",
                   parent == NULL ? "/tmp" : parent);
    ck_assert_ptr_nonnull(mkdtemp(scene->folder));
    (void)snprintf(scene->config, sizeof scene->config, "%s/kith.yaml", scene->folder);
    (void)snprintf(scene->state, sizeof scene->state, "%s/loyalty/0/state.mdb", scene->folder);
    (void)snprintf(scene->log, sizeof scene->log, "%s/log", scene->folder);
    (void)snprintf(path, sizeof path, "%s/suite.key", scene->folder);
    file_write(scene->config, config_text, sizeof config_text - 1);
    file_write(path, key, sizeof key);
    child.config = scene->config;
    child.data = scene->folder;
    child.log = scene->log;
    child.seen =
        mmap(NULL, sizeof *child.seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(child.seen, MAP_FAILED);
}

static int entry_remove(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void scene_end(struct scene *scene)
{
    ck_assert_int_eq(munmap(child.seen, sizeof *child.seen), 0);
    ck_assert_int_eq(nftw(scene->folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void said_read(struct scene *scene)
{
    int log = open(scene->log, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(log, 0);
    ssize_t size = read(log, scene->said, sizeof scene->said - 1);
    ck_assert_int_ge(size, 0);
    scene->said[size] = '\0';
    (void)close(log);
}

/* Serves with these rules until it ends; the exit code. What is to happen stands in `child`, for
 * this once. */
static int scene_serve(struct scene *scene, const char *rules)
{
    toy_init(&child.toy, &(struct toy_options){ .name = "loyalty", .rules = rules });
    child.definition = child.toy.definition;
    child.definition.open = child_open;
    child.definition.close = child_close;
    child.definition.start = child_start;
    child.definition.evolve = child_evolve;
    child.seen->evolved = 0;
    int code = child_exit_code(child_serve, NULL);
    child.fails_in_start = false;
    child.stops_in_start = false;
    child.stops_in_evolve = false;
    said_read(scene);
    return code;
}

/* Each start with other rules is a block. */
static void blocks_make(struct scene *scene, int count)
{
    for (int i = 0; i < count; i++) {
        child.stops_in_start = true;
        ck_assert_int_eq(scene_serve(scene, i % 2 == 0 ? "1" : "2"), EXIT_SUCCESS);
        ck_assert_uint_eq(child.seen->evolved, 1);
        ck_assert_ptr_nonnull(strstr(scene->said, "\"stopped\""));
    }
}

/* ---- a start that fails */

START_TEST(a_start_whose_own_commit_fails_says_that_its_outcome_is_unknown)
{
    struct scene scene;
    scene_begin(&scene);
    blocks_make(&scene, 1);
    child.fails_in_start = true;
    ck_assert_int_eq(scene_serve(&scene, "2"), EXIT_OUTCOME_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(scene.said, "a commit failed, its outcome is unknown"));
    ck_assert_ptr_null(strstr(scene.said, "kith-loyalty: \n"));
    child.stops_in_start = true; /* it is decided again, once */
    ck_assert_int_eq(scene_serve(&scene, "2"), EXIT_SUCCESS);
    ck_assert_uint_eq(child.seen->evolved, 1);
    child.stops_in_start = true;
    ck_assert_int_eq(scene_serve(&scene, "2"), EXIT_SUCCESS);
    ck_assert_uint_eq(child.seen->evolved, 0);
    scene_end(&scene);
}
END_TEST

/* ---- a stop */

START_TEST(a_stop_ends_a_recovery_between_two_blocks)
{
    struct scene scene;
    scene_begin(&scene);
    blocks_make(&scene, 3);
    ck_assert_int_eq(unlink(scene.state), 0);
    child.stops_in_evolve = true;
    ck_assert_int_eq(scene_serve(&scene, "1"), EXIT_SUCCESS);
    ck_assert_uint_eq(child.seen->evolved, 1);
    ck_assert_ptr_nonnull(strstr(scene.said, "\"stopped\""));
    ck_assert_ptr_null(strstr(scene.said, "\"serving\""));
    child.stops_in_start = true;
    ck_assert_int_eq(scene_serve(&scene, "1"), EXIT_SUCCESS);
    ck_assert_uint_eq(child.seen->evolved, 3); /* no checkpoint was forced */
    child.stops_in_start = true;
    ck_assert_int_eq(scene_serve(&scene, "1"), EXIT_SUCCESS);
    ck_assert_uint_eq(child.seen->evolved, 0); /* now there is one */
    scene_end(&scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *starts = tcase_create("starts");
    tcase_set_timeout(starts, 60);
    tcase_add_test(starts, a_start_whose_own_commit_fails_says_that_its_outcome_is_unknown);
    suite_add_tcase(suite, starts);
    TCase *stops = tcase_create("stops");
    tcase_set_timeout(stops, 60);
    tcase_add_test(stops, a_stop_ends_a_recovery_between_two_blocks);
    suite_add_tcase(suite, stops);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
