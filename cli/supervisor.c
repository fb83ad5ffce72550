#include "cli/supervisor.h"

#include "cli/command.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "cli/supervisor_control.h"
#include "cli/supervisor_process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* While a service starts it is asked this often; otherwise nothing is asked at all. */
#define PROBE_MS 25
/* So often is looked whether the process of a killed supervisor has ended. */
#define LEFTOVER_MS 50
/* So often suite.json is tried again on a full disk. */
#define WRITE_AGAIN_MS 1000

struct supervisor {
    const struct supervisor_options *options;
    struct process_suite suite;
    struct process *processes;
    size_t process_count;
    struct control *control;
    int signals;
    int64_t begun_at_ms;
    bool is_up;       /* all were ready once */
    bool is_stopping; /* for good */
    int code;
    struct suite_file written; /* what suite.json says */
    bool is_unwritten;         /* as long as the disk has no room for what it should say */
};

/* ---- opening and closing */

static int signals_open(void)
{
    sigset_t taken;
    struct sigaction ignored = { .sa_handler = SIG_IGN };
    (void)sigemptyset(&taken);
    (void)sigaddset(&taken, SIGTERM);
    (void)sigaddset(&taken, SIGINT);
    (void)sigaddset(&taken, SIGHUP);
    (void)sigaddset(&taken, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &taken, NULL);
    (void)sigaction(SIGPIPE, &ignored, NULL);
    return signalfd(-1, &taken, SFD_NONBLOCK | SFD_CLOEXEC);
}

static enum status shards_make(struct supervisor *supervisor, const struct suite_service *service,
                               struct refusal *refusal)
{
    for (uint32_t shard = 0; shard < service->shards; shard++) {
        struct process *process = &supervisor->processes[supervisor->process_count];
        enum status status = process_init(process, &supervisor->suite, service, shard, refusal);
        if (status != STATUS_OK) {
            return status;
        }
        supervisor->process_count++;
    }
    return STATUS_OK;
}

static enum status processes_make(struct supervisor *supervisor, struct refusal *refusal)
{
    const struct suite_config *config = supervisor->options->config;
    size_t count = 0;
    for (size_t i = 0; i < config->service_count; i++) {
        count += config->services[i].shards;
    }
    assert(count <= SUITE_MEMBERS_MAX);
    supervisor->processes = memory_allocate(count * sizeof *supervisor->processes);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < config->service_count && status == STATUS_OK; i++) {
        status = shards_make(supervisor, &config->services[i], refusal);
    }
    return status;
}

static enum status supervisor_open(struct supervisor *supervisor, struct refusal *refusal)
{
    const struct supervisor_options *options = supervisor->options;
    supervisor->suite = (struct process_suite){ .data = options->data,
                                                .config = options->config_path,
                                                .restart = options->config->restart };
    supervisor->begun_at_ms = suite_monotonic_ms();
    supervisor->signals = signals_open();
    if (supervisor->signals < 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "signals cannot be taken: %s",
                           strerror(errno));
    }
    enum status status = processes_make(supervisor, refusal);
    if (status == STATUS_OK) {
        status = control_open(&supervisor->control, options->data, refusal);
    }
    return status;
}

static void supervisor_close(struct supervisor *supervisor)
{
    control_close(&supervisor->control);
    for (size_t i = 0; i < supervisor->process_count; i++) {
        process_release(&supervisor->processes[i]);
    }
    free(supervisor->processes);
    if (supervisor->signals >= 0) {
        (void)close(supervisor->signals);
    }
}

/* ---- suite.json */

/* Writes it when it would say something else. */
static void file_renew(struct supervisor *supervisor)
{
    struct suite_file *file = memory_allocate(sizeof *file);
    struct refusal refusal;
    refusal_init(&refusal);
    file->event_clock = supervisor->options->config->clock == SUITE_CLOCK_EVENT;
    file->pid = getpid();
    (void)snprintf(file->config, sizeof file->config, "%s", supervisor->options->config_path);
    file->member_count = supervisor->process_count;
    for (size_t i = 0; i < supervisor->process_count; i++) {
        file->members[i] = process_member(&supervisor->processes[i]);
    }
    if (!suite_file_equal(file, &supervisor->written)) {
        bool said = supervisor->is_unwritten;
        supervisor->is_unwritten =
            suite_file_save(file, supervisor->options->data, &refusal) != STATUS_OK;
        if (!supervisor->is_unwritten) {
            supervisor->written = *file;
        } else if (!said) {
            (void)output_refusal(/* who= */ NULL, &refusal);
        }
    }
    free(file);
}

/* ---- stopping, and what goes wrong */

static void all_stop(struct supervisor *supervisor, int code)
{
    if (supervisor->is_stopping) {
        return;
    }
    supervisor->is_stopping = true;
    supervisor->code = code;
    for (size_t i = 0; i < supervisor->process_count; i++) {
        process_stop(&supervisor->processes[i], suite_monotonic_ms());
    }
}

static bool all_are(const struct supervisor *supervisor, enum plan_phase phase)
{
    for (size_t i = 0; i < supervisor->process_count; i++) {
        if (supervisor->processes[i].plan.phase != phase) {
            return false;
        }
    }
    return true;
}

/* Before the suite was up for the first time: who fails then is told about at once. */
static void start_fail(struct supervisor *supervisor, const struct process *process,
                       const char *what)
{
    output_say("%s/%" PRIu32 " %s", process->name, process->shard, what);
    process_log_print(process);
    all_stop(supervisor, EXIT_FAILED);
}

static void start_check(struct supervisor *supervisor, int64_t now_ms)
{
    bool late = now_ms >= supervisor->begun_at_ms + SUPERVISOR_START_MS;
    for (size_t i = 0; i < supervisor->process_count && !supervisor->is_stopping; i++) {
        const struct process *process = &supervisor->processes[i];
        if (process->plan.early_deaths >= SUPERVISOR_EARLY_DEATHS_MAX) {
            start_fail(supervisor, process, "does not start");
        } else if (late && process->plan.phase != PLAN_RUNNING) {
            char what[256];
            (void)snprintf(what, sizeof what, "is not ready after %d s%s%s",
                           SUPERVISOR_START_MS / 1000, process->not_ready[0] != '\0' ? ": " : "",
                           process->not_ready);
            start_fail(supervisor, process, what);
        }
    }
}

/* ---- up */

/* From here on the command that started us has returned; its terminal is not ours. */
static void talk_to_log(const struct supervisor *supervisor)
{
    struct path path;
    if (path_make(&path, NULL, "%s/log/supervisor.log", supervisor->options->data) != STATUS_OK) {
        return;
    }
    int log = open(path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log >= 0 && null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(log, STDOUT_FILENO);
        (void)dup2(log, STDERR_FILENO);
    }
    if (log > STDERR_FILENO) {
        (void)close(log);
    }
    if (null > STDERR_FILENO) {
        (void)close(null);
    }
}

static void up_tell(struct supervisor *supervisor)
{
    supervisor->is_up = true;
    file_renew(supervisor);
    if (supervisor->options->ready_out < 0) {
        output_say("the suite is up; stop it with Ctrl-C, or kith down --data %s",
                   supervisor->options->data);
        return;
    }
    talk_to_log(supervisor);
    if (write(supervisor->options->ready_out, "", 1) != 1) {
        all_stop(supervisor, EXIT_FAILED); /* who asked for the suite is gone */
    }
    (void)close(supervisor->options->ready_out);
}

/* ---- one process, one step */

static void ready_tell(const struct supervisor *supervisor, const struct process *process,
                       int64_t now_ms)
{
    if (process->plan.phase == PLAN_RUNNING) {
        int64_t took_ms = now_ms - process->started_at_ms;
        output_say("%s/%" PRIu32 " is ready after %" PRId64 ".%03" PRId64 " s%s", process->name,
                   process->shard, took_ms / 1000, took_ms % 1000,
                   supervisor->is_up ? " (started again)" : "");
    }
}

static void process_begin(struct supervisor *supervisor, struct process *process, int64_t now_ms)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = process_start(process, now_ms, &refusal);
    if (status == STATUS_ABORTED) {
        process->plan.due_ms = now_ms + LEFTOVER_MS;
    } else if (status != STATUS_OK) {
        (void)output_refusal(process->name, &refusal);
        process->plan.due_ms = now_ms + supervisor->suite.restart.most_delay_ms;
    }
}

static void process_step(struct supervisor *supervisor, struct process *process, int64_t now_ms)
{
    switch (process->plan.phase) {
    case PLAN_RESTARTING:
        if (now_ms >= process->plan.due_ms) {
            process_begin(supervisor, process, now_ms);
        }
        break;
    case PLAN_STARTING:
        process_probe(process);
        ready_tell(supervisor, process, now_ms);
        break;
    case PLAN_STOPPING:
        if (now_ms >= process->plan.due_ms) {
            process_kill(process);
        }
        break;
    case PLAN_RUNNING:
    case PLAN_STOPPED:
        break;
    }
}

/* ---- what comes from outside */

static struct process *process_of(struct supervisor *supervisor, pid_t pid)
{
    for (size_t i = 0; i < supervisor->process_count; i++) {
        if (supervisor->processes[i].pid == pid) {
            return &supervisor->processes[i];
        }
    }
    return NULL;
}

static void ending_tell(const struct process *process, int ended)
{
    if (process->plan.phase == PLAN_STOPPING) {
        return;
    }
    bool by_signal = WIFSIGNALED(ended);
    output_say("%s/%" PRIu32 " (process %ld) ended %s %d", process->name, process->shard,
               (long)process->pid, by_signal ? "by signal" : "with exit code",
               by_signal ? WTERMSIG(ended) : WEXITSTATUS(ended));
}

static void children_reap(struct supervisor *supervisor)
{
    int ended = 0;
    pid_t pid = waitpid(-1, &ended, WNOHANG);
    while (pid > 0) {
        struct process *process = process_of(supervisor, pid);
        if (process != NULL) {
            ending_tell(process, ended);
            process_ended(process, suite_monotonic_ms());
        }
        pid = waitpid(-1, &ended, WNOHANG);
    }
}

static void signals_take(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            continue;
        }
        output_say("stopping");
        all_stop(supervisor, supervisor->is_up ? EXIT_DONE : EXIT_FAILED);
    }
    children_reap(supervisor);
}

/* A request is done when all shards of its service are where it wants them. */
static const char *request_answer(void *argument, const struct control_request *request,
                                  bool is_new)
{
    struct supervisor *supervisor = argument;
    enum plan_phase wanted = request->verb == CONTROL_STOP ? PLAN_STOPPED : PLAN_RUNNING;
    bool known = false;
    bool done = true;
    if (supervisor->is_stopping) {
        return "error: the suite is stopping";
    }
    for (size_t i = 0; i < supervisor->process_count; i++) {
        struct process *process = &supervisor->processes[i];
        if (strcmp(process->name, request->service) != 0) {
            continue;
        }
        known = true;
        if (is_new && request->verb == CONTROL_STOP) {
            process_stop(process, suite_monotonic_ms());
        } else if (is_new) {
            plan_start(&process->plan, suite_monotonic_ms());
        }
        done = done && process->plan.phase == wanted;
        if (wanted == PLAN_RUNNING && process->plan.early_deaths >= SUPERVISOR_EARLY_DEATHS_MAX) {
            return "error: it does not start; see its file below log";
        }
    }
    if (!known) {
        return "error: this suite has no such service";
    }
    return done ? "ok" : NULL;
}

/* ---- the loop */

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When something is next to be done without anything coming in. */
static int64_t due_at(const struct supervisor *supervisor, int64_t now_ms)
{
    int64_t due_ms = supervisor->is_unwritten ? now_ms + WRITE_AGAIN_MS : INT64_MAX;
    for (size_t i = 0; i < supervisor->process_count; i++) {
        const struct plan *plan = &supervisor->processes[i].plan;
        if (plan->phase == PLAN_STARTING) {
            due_ms = earliest(due_ms, now_ms + PROBE_MS);
        } else if (plan->phase == PLAN_RESTARTING || plan->phase == PLAN_STOPPING) {
            due_ms = earliest(due_ms, plan->due_ms);
        }
    }
    return due_ms;
}

static void wait_for_work(struct supervisor *supervisor)
{
    struct pollfd descriptors[1 + CONTROL_DESCRIPTORS_MAX];
    descriptors[0] = (struct pollfd){ .fd = supervisor->signals, .events = POLLIN };
    size_t count = 1 + control_descriptors(supervisor->control, descriptors + 1);
    int64_t now_ms = suite_monotonic_ms();
    int64_t due_ms = due_at(supervisor, now_ms);
    int timeout_ms = -1;
    if (due_ms != INT64_MAX) {
        timeout_ms = due_ms <= now_ms ? 0 : (int)earliest(due_ms - now_ms, SUPERVISOR_START_MS);
    }
    (void)poll(descriptors, count, timeout_ms); /* a failure is looked at by who reads next */
}

static void loop(struct supervisor *supervisor)
{
    for (;;) {
        int64_t now_ms = suite_monotonic_ms();
        for (size_t i = 0; i < supervisor->process_count; i++) {
            process_step(supervisor, &supervisor->processes[i], now_ms);
        }
        if (!supervisor->is_up && !supervisor->is_stopping) {
            start_check(supervisor, now_ms);
        }
        if (!supervisor->is_up && !supervisor->is_stopping && all_are(supervisor, PLAN_RUNNING)) {
            up_tell(supervisor);
        }
        /* Before the answers: who hears that a service runs finds it in suite.json. */
        file_renew(supervisor);
        control_answer_all(supervisor->control, request_answer, supervisor);
        file_renew(supervisor);
        if (supervisor->is_stopping && all_are(supervisor, PLAN_STOPPED)) {
            return;
        }
        wait_for_work(supervisor);
        control_step(supervisor->control);
        signals_take(supervisor);
    }
}

int supervisor_run(const struct supervisor_options *options)
{
    struct supervisor *supervisor = memory_allocate(sizeof *supervisor);
    struct refusal refusal;
    refusal_init(&refusal);
    supervisor->options = options;
    supervisor->signals = -1;
    int code = EXIT_FAILED;
    if (supervisor_open(supervisor, &refusal) != STATUS_OK) {
        (void)output_refusal(/* who= */ NULL, &refusal);
    } else {
        for (size_t i = 0; i < supervisor->process_count; i++) {
            plan_start(&supervisor->processes[i].plan, supervisor->begun_at_ms);
        }
        file_renew(supervisor);
        loop(supervisor);
        suite_file_remove(options->data);
        code = supervisor->code;
    }
    supervisor_close(supervisor);
    free(supervisor);
    return code;
}
