/* link: kith_parts */
#include "cli/suite_file.h"
#include "cli/supervisor_control.h"
#include "cli/supervisor_plan.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct suite_restart restart = { .first_delay_ms = 100, .most_delay_ms = 5000 };

/* A plan whose process was started and, if wanted, became ready. */
static struct plan plan_at(enum plan_phase phase)
{
    struct plan plan = { 0 };
    plan_start(&plan, 0);
    plan_started(&plan);
    if (phase == PLAN_RUNNING) {
        plan_ready(&plan);
    }
    ck_assert_int_eq(plan.phase, phase);
    return plan;
}

/* ---- how long to wait */

struct delay_row {
    uint32_t early_deaths;
    int64_t delay_ms;
};

static const struct delay_row delay_rows[] = {
    { 0, 0 },    { 1, 100 },  { 2, 200 },  { 3, 400 },           { 4, 800 },
    { 5, 1600 }, { 6, 3200 }, { 7, 5000 }, { UINT32_MAX, 5000 },
};

START_TEST(the_delay_doubles_up_to_the_most)
{
    const struct delay_row *row = &delay_rows[_i];
    ck_assert_int_eq(plan_delay_ms(&restart, row->early_deaths), row->delay_ms);
}
END_TEST

START_TEST(a_first_delay_above_the_most_is_the_most)
{
    struct suite_restart odd = { .first_delay_ms = 9000, .most_delay_ms = 5000 };
    ck_assert_int_eq(plan_delay_ms(&odd, 1), 5000);
}
END_TEST

/* ---- dying */

START_TEST(who_was_ready_is_started_again_at_once)
{
    struct plan plan = plan_at(PLAN_RUNNING);
    for (uint64_t i = 1; i <= 3; i++) {
        plan_died(&plan, &restart, 1000);
        ck_assert_int_eq(plan.phase, PLAN_RESTARTING);
        ck_assert_int_eq(plan.due_ms, 1000);
        ck_assert_uint_eq(plan.restarts, i);
        plan_started(&plan);
        plan_ready(&plan);
    }
}
END_TEST

START_TEST(who_dies_before_it_is_ready_waits_longer_each_time)
{
    struct plan plan = plan_at(PLAN_STARTING);
    plan_died(&plan, &restart, 1000);
    ck_assert_int_eq(plan.due_ms, 1100);
    plan_started(&plan);
    plan_died(&plan, &restart, 2000);
    ck_assert_int_eq(plan.due_ms, 2200);
    ck_assert_uint_eq(plan.early_deaths, 2);
}
END_TEST

START_TEST(readiness_ends_the_back_off)
{
    struct plan plan = plan_at(PLAN_STARTING);
    plan_died(&plan, &restart, 1000);
    plan_started(&plan);
    plan_ready(&plan);
    ck_assert_uint_eq(plan.early_deaths, 0);
    plan_died(&plan, &restart, 5000);
    ck_assert_int_eq(plan.due_ms, 5000);
}
END_TEST

/* ---- asked to stop and to start */

START_TEST(a_stop_that_was_asked_for_is_no_restart)
{
    struct plan plan = plan_at(PLAN_RUNNING);
    ck_assert(plan_stop(&plan, 1000));
    ck_assert_int_eq(plan.phase, PLAN_STOPPING);
    ck_assert_int_eq(plan.due_ms, 1000 + SUPERVISOR_STOP_MS);
    plan_died(&plan, &restart, 1200);
    ck_assert_int_eq(plan.phase, PLAN_STOPPED);
    plan_start(&plan, 3000);
    ck_assert_int_eq(plan.phase, PLAN_RESTARTING);
    ck_assert_int_eq(plan.due_ms, 3000);
    ck_assert_uint_eq(plan.restarts, 0);
}
END_TEST

START_TEST(who_is_stopped_stays_so)
{
    struct plan plan = plan_at(PLAN_RUNNING);
    ck_assert(plan_stop(&plan, 0));
    ck_assert(!plan_stop(&plan, 5));
    ck_assert_int_eq(plan.due_ms, SUPERVISOR_STOP_MS);
    plan_died(&plan, &restart, 10);
    ck_assert(!plan_stop(&plan, 20));
    ck_assert_int_eq(plan.phase, PLAN_STOPPED);
}
END_TEST

START_TEST(a_stop_while_nothing_runs_needs_no_signal)
{
    struct plan plan = plan_at(PLAN_STARTING);
    plan_died(&plan, &restart, 0);
    ck_assert(!plan_stop(&plan, 10));
    ck_assert_int_eq(plan.phase, PLAN_STOPPED);
}
END_TEST

START_TEST(a_start_during_a_stop_comes_after_it)
{
    struct plan plan = plan_at(PLAN_RUNNING);
    ck_assert(plan_stop(&plan, 0));
    plan_start(&plan, 5);
    ck_assert_int_eq(plan.phase, PLAN_STOPPING);
    plan_died(&plan, &restart, 10);
    ck_assert_int_eq(plan.phase, PLAN_RESTARTING);
    ck_assert_int_eq(plan.due_ms, 10);
    ck_assert_uint_eq(plan.restarts, 0);
}
END_TEST

START_TEST(the_last_word_between_start_and_stop_counts)
{
    struct plan plan = plan_at(PLAN_RUNNING);
    ck_assert(plan_stop(&plan, 0));
    plan_start(&plan, 5);
    ck_assert(!plan_stop(&plan, 6));
    plan_died(&plan, &restart, 10);
    ck_assert_int_eq(plan.phase, PLAN_STOPPED);
}
END_TEST

START_TEST(a_start_that_is_asked_for_ends_the_waiting)
{
    struct plan plan = plan_at(PLAN_STARTING);
    for (int i = 0; i < 8; i++) {
        plan_died(&plan, &restart, 0);
        plan_started(&plan);
    }
    plan_died(&plan, &restart, 0);
    ck_assert_int_eq(plan.due_ms, 5000);
    plan_start(&plan, 50);
    ck_assert_int_eq(plan.due_ms, 50);
    ck_assert_uint_eq(plan.early_deaths, 0);
    ck_assert_uint_eq(plan.restarts, 9);
}
END_TEST

START_TEST(a_start_of_what_runs_changes_nothing)
{
    struct plan plan = plan_at(PLAN_RUNNING);
    plan_start(&plan, 5);
    ck_assert_int_eq(plan.phase, PLAN_RUNNING);
}
END_TEST

/* ---- what it writes, and its lock */

static void folder_make(char data[64])
{
    char run[80];
    (void)snprintf(data, 64, "/tmp/kith-supervisor-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(data));
    (void)snprintf(run, sizeof run, "%s/run", data);
    ck_assert_int_eq(mkdir(run, 0700), 0);
}

static void folder_remove(const char *data)
{
    static const char *const names[] = { "run/suite.json", "run/supervisor.lock", "run", "" };
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", data, names[i]);
        (void)remove(path);
    }
}

static void text_write(const char *data, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/run/suite.json", data);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(what_is_written_is_read_back)
{
    char data[64];
    struct refusal refusal;
    refusal_init(&refusal);
    folder_make(data);
    struct suite_file file = {
        .config = "/etc/kith \"x\".yaml",
        .event_clock = true,
        .pid = 17,
        .member_count = 2,
        .members = { { .name = "loyalty", .shards = 2, .pid = 18, .state = "running" },
                     { .name = "loyalty",
                       .shard = 1,
                       .shards = 2,
                       .restarts = 3,
                       .state = "stopped" } },
    };
    struct suite_file back = { 0 };
    ck_assert_int_eq(suite_file_save(&file, data, &refusal), STATUS_OK);
    ck_assert_int_eq(suite_file_load(&back, data, &refusal), STATUS_OK);
    ck_assert_str_eq(back.config, file.config);
    ck_assert(back.event_clock);
    ck_assert_int_eq(back.pid, 17);
    ck_assert_uint_eq(back.member_count, 2);
    ck_assert_uint_eq(back.members[1].shard, 1);
    ck_assert_uint_eq(back.members[1].restarts, 3);
    ck_assert_str_eq(back.members[1].state, "stopped");
    ck_assert_ptr_eq(suite_file_find(&back, "loyalty"), &back.members[0]);
    ck_assert_ptr_null(suite_file_find(&back, "reporting"));
    suite_file_remove(data);
    ck_assert_int_eq(suite_file_load(&back, data, &refusal), STATUS_NOT_FOUND);
    folder_remove(data);
}
END_TEST

static const char *const foreign_files[] = {
    "",
    "{",
    "[]",
    "{\"config\":\"x\",\"clock\":\"wall\",\"pid\":1}",
    "{\"config\":\"x\",\"clock\":\"wall\",\"pid\":-1,\"services\":[]}",
    "{\"config\":7,\"clock\":\"wall\",\"pid\":1,\"services\":[]}",
    "{\"config\":\"x\",\"clock\":\"wall\",\"pid\":1,\"services\":[{\"name\":\"loyalty\"}]}",
    "{\"config\":\"x\",\"clock\":\"wall\",\"pid\":1,\"services\":[{\"name\":\"loyalty\","
    "\"shard\":1,\"shards\":1,\"pid\":1,\"restarts\":0,\"state\":\"running\"}]}",
    "{\"config\":\"x\",\"clock\":\"wall\",\"pid\":1,\"services\":[{\"name\":"
    "\"a name of more than twenty-three letters\",\"shard\":0,\"shards\":1,\"pid\":1,"
    "\"restarts\":0,\"state\":\"running\"}]}",
};

START_TEST(a_file_of_another_form_is_refused)
{
    char data[64];
    struct refusal refusal;
    struct suite_file file = { .pid = 5 };
    refusal_init(&refusal);
    folder_make(data);
    text_write(data, foreign_files[_i]);
    ck_assert_int_eq(suite_file_load(&file, data, &refusal), STATUS_CORRUPT);
    ck_assert_int_eq(file.pid, 5);
    folder_remove(data);
}
END_TEST

START_TEST(only_one_supervisor_has_the_lock)
{
    char data[64];
    struct refusal refusal;
    int first = -1;
    int second = -1;
    refusal_init(&refusal);
    folder_make(data);
    ck_assert_int_eq(supervisor_lock_holder(data), 0);
    ck_assert_int_eq(supervisor_lock(data, &first, &refusal), STATUS_OK);
    ck_assert_int_eq(supervisor_lock_holder(data), getpid());
    ck_assert_int_eq(supervisor_lock(data, &second, &refusal), STATUS_EXISTS);
    ck_assert_int_eq(second, -1);
    /* Asking and being refused took nothing away. */
    ck_assert_int_eq(supervisor_lock_holder(data), getpid());
    ck_assert_int_eq(close(first), 0);
    ck_assert_int_eq(supervisor_lock_holder(data), 0);
    folder_remove(data);
}
END_TEST

/* ---- asking it */

#define ASK_MS 5000

/* Says nothing at the first look, and then whether it was the right request. */
static const char *answer(void *argument, const struct control_request *request, bool is_new)
{
    int *looks = argument;
    *looks += 1;
    ck_assert(is_new == (*looks == 1));
    if (is_new) {
        return NULL;
    }
    bool right = request->verb == CONTROL_START && strcmp(request->service, "loyalty") == 0;
    return right ? "ok" : "error: wrong";
}

/* Another process asks, and ends with the status that it got. */
static pid_t ask(const char *data, enum control_verb verb)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct refusal refusal;
        refusal_init(&refusal);
        _exit((int)control_ask(data, verb, "loyalty", ASK_MS, &refusal));
    }
    return pid;
}

struct ask_row {
    enum control_verb verb;
    enum status status;
};

static const struct ask_row ask_rows[] = {
    { CONTROL_START, STATUS_OK },
    { CONTROL_STOP, STATUS_REFUSED },
};

START_TEST(a_request_is_answered_when_it_is_done)
{
    char data[64];
    struct refusal refusal;
    struct control *control = NULL;
    int looks = 0;
    refusal_init(&refusal);
    folder_make(data);
    ck_assert_int_eq(control_open(&control, data, &refusal), STATUS_OK);
    pid_t pid = ask(data, ask_rows[_i].verb);
    while (looks < 2) {
        struct pollfd descriptors[CONTROL_DESCRIPTORS_MAX];
        size_t count = control_descriptors(control, descriptors);
        ck_assert_int_ge(poll(descriptors, count, looks == 0 ? ASK_MS : 0), 0);
        control_step(control);
        control_answer_all(control, answer, &looks);
    }
    int ended = 0;
    ck_assert_int_eq(waitpid(pid, &ended, 0), pid);
    ck_assert(WIFEXITED(ended));
    ck_assert_int_eq(WEXITSTATUS(ended), (int)ask_rows[_i].status);
    control_close(&control);
    folder_remove(data);
}
END_TEST

START_TEST(without_a_supervisor_nobody_answers)
{
    char data[64];
    struct refusal refusal;
    refusal_init(&refusal);
    folder_make(data);
    ck_assert_int_eq(control_ask(data, CONTROL_STOP, "loyalty", ASK_MS, &refusal),
                     STATUS_UNREACHABLE);
    folder_remove(data);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
    struct path path = { "kept" };
    struct refusal refusal;
    char *text = calloc(1, PATH_BYTES + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', PATH_BYTES);
    refusal_init(&refusal);
    ck_assert_int_eq(path_make(&path, &refusal, "%s", text), STATUS_LIMIT);
    ck_assert_str_eq(path.text, "kept");
    text[PATH_BYTES - 1] = '\0';
    ck_assert_int_eq(path_make(&path, &refusal, "%s", text), STATUS_OK);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("supervisor");
    TCase *cases = tcase_create("all");
    tcase_add_loop_test(cases, the_delay_doubles_up_to_the_most, 0,
                        (int)(sizeof delay_rows / sizeof delay_rows[0]));
    tcase_add_test(cases, a_first_delay_above_the_most_is_the_most);
    tcase_add_test(cases, who_was_ready_is_started_again_at_once);
    tcase_add_test(cases, who_dies_before_it_is_ready_waits_longer_each_time);
    tcase_add_test(cases, readiness_ends_the_back_off);
    tcase_add_test(cases, a_stop_that_was_asked_for_is_no_restart);
    tcase_add_test(cases, who_is_stopped_stays_so);
    tcase_add_test(cases, a_stop_while_nothing_runs_needs_no_signal);
    tcase_add_test(cases, a_start_during_a_stop_comes_after_it);
    tcase_add_test(cases, the_last_word_between_start_and_stop_counts);
    tcase_add_test(cases, a_start_that_is_asked_for_ends_the_waiting);
    tcase_add_test(cases, a_start_of_what_runs_changes_nothing);
    tcase_add_test(cases, what_is_written_is_read_back);
    tcase_add_loop_test(cases, a_file_of_another_form_is_refused, 0,
                        (int)(sizeof foreign_files / sizeof foreign_files[0]));
    tcase_add_test(cases, only_one_supervisor_has_the_lock);
    tcase_add_loop_test(cases, a_request_is_answered_when_it_is_done, 0,
                        (int)(sizeof ask_rows / sizeof ask_rows[0]));
    tcase_add_test(cases, without_a_supervisor_nobody_answers);
    tcase_add_test(cases, a_path_that_is_too_long_is_refused);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
