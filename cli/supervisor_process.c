#include "cli/supervisor_process.h"

#include "cli/output.h"
#include "cli/program.h"
#include "common/wire/pb.h"
#include "kith/v1/service.pb-c.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_TAIL_BYTES 2048
#define EXIT_NOT_STARTED 127

enum status process_init(struct process *process, const struct process_suite *suite,
                         const struct suite_service *service, uint32_t shard,
                         struct refusal *refusal)
{
    *process = (struct process){ .suite = suite, .shard = shard, .shards = service->shards };
    memcpy(process->name, service->name, sizeof process->name);
    enum status status = program_find(service->name, &process->program, refusal);
    if (status == STATUS_OK) {
        status = path_make(&process->log, refusal, "%s/log/%s-%u.log", suite->data, service->name,
                           shard);
    }
    return status;
}

void process_release(struct process *process)
{
    client_close(&process->probe);
}

/* ---- starting */

/* In the child of a process with threads: only what a signal handler may do. */
static _Noreturn void child_become(char *const *argv, int log, pid_t parent)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigaction(SIGPIPE, &plain, NULL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* Its own group: what a terminal sends on Ctrl-C is for the supervisor alone. */
    (void)setpgid(0, 0);
    /* A supervisor that was killed takes its services with it, so that the next one does not
     * find their stores locked. It may be gone already. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) {
        _exit(EXIT_NOT_STARTED);
    }
    (void)execv(argv[0], argv);
    _exit(EXIT_NOT_STARTED);
}

static int64_t size_of(int descriptor)
{
    struct stat facts;
    return fstat(descriptor, &facts) == 0 ? facts.st_size : 0;
}

/* execv takes texts that it could write to; it does not. */
static enum status spawn(struct process *process, int log, struct refusal *refusal)
{
    char shard[16];
    char serve[] = "serve";
    char config_option[] = "--config";
    char data_option[] = "--data";
    char shard_option[] = "--shard";
    struct path config;
    struct path data;
    enum status status = path_make(&config, refusal, "%s", process->suite->config);
    if (status == STATUS_OK) {
        status = path_make(&data, refusal, "%s", process->suite->data);
    }
    if (status != STATUS_OK) {
        return status;
    }
    (void)snprintf(shard, sizeof shard, "%" PRIu32, process->shard);
    char *const argv[] = { process->program.text, serve,       config_option,
                           config.text,           data_option, data.text,
                           shard_option,          shard,       NULL };
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "%s cannot be started: %s",
                           process->program.text, strerror(errno));
    }
    if (pid == 0) {
        child_become(argv, log, parent);
    }
    process->pid = pid;
    return STATUS_OK;
}

/* A service locks its pid file as long as it lives, also when its supervisor was killed. */
static bool is_served(const struct process *process)
{
    struct path path;
    if (path_make(&path, NULL, "%s/run/%s-%" PRIu32 ".pid", process->suite->data, process->name,
                  process->shard) != STATUS_OK) {
        return false;
    }
    int file = open(path.text, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    bool locked = flock(file, LOCK_EX | LOCK_NB) != 0;
    (void)close(file);
    return locked;
}

enum status process_start(struct process *process, int64_t now_ms, struct refusal *refusal)
{
    if (is_served(process)) {
        (void)snprintf(process->not_ready, sizeof process->not_ready,
                       "another process serves this shard still");
        return refusal_set(refusal, STATUS_ABORTED, "%s", process->not_ready);
    }
    int log = open(process->log.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "%s: cannot be opened: %s", process->log.text,
                           strerror(errno));
    }
    process->log_bytes = size_of(log);
    enum status status = spawn(process, log, refusal);
    (void)close(log); /* the child has its own */
    if (status == STATUS_OK) {
        plan_started(&process->plan);
        process->started_at_ms = now_ms;
        process->not_ready[0] = '\0';
    }
    return status;
}

/* ---- ready? */

static bool probe_ask(struct process *process)
{
    struct client_request request = { .method = "service.Status",
                                      .timeout_ms = SUPERVISOR_START_MS };
    char endpoint[SUITE_ENDPOINT_BYTES];
    if (process->probe == NULL &&
        (suite_endpoint(process->suite->data, process->name, process->shard, "cmd", endpoint,
                        sizeof endpoint, NULL) != STATUS_OK ||
         client_open(&process->probe, endpoint, NULL) != STATUS_OK)) {
        return false;
    }
    return client_send(process->probe, &request, /* request_id= */ 1);
}

static bool reply_is_ready(struct process *process, struct span body)
{
    struct arena arena;
    arena_init(&arena, body.size * PB_ARENA_FACTOR + PB_ARENA_LEAST);
    const Kith__V1__StatusReply *reply =
        pb_unpack(&kith__v1__status_reply__descriptor, &arena, body);
    bool ready = reply != NULL && reply->ready;
    const char *why = reply != NULL && reply->not_ready != NULL ? reply->not_ready : "";
    (void)snprintf(process->not_ready, sizeof process->not_ready, "%s", why);
    arena_release(&arena);
    return ready;
}

void process_probe(struct process *process)
{
    assert(process->plan.phase == PLAN_STARTING);
    process->asked = process->asked || probe_ask(process);
    if (!process->asked) {
        return;
    }
    struct reply_header header = { 0 };
    struct buffer body;
    buffer_init(&body, LIMIT_BODY_BYTES);
    if (client_receive(process->probe, /* timeout_ms= */ 0, &header, &body)) {
        process->asked = false;
        if (header.refusal.status == STATUS_OK && reply_is_ready(process, buffer_span(&body))) {
            plan_ready(&process->plan);
            client_close(&process->probe);
        }
    }
    buffer_release(&body);
}

/* ---- ending */

void process_ended(struct process *process, int64_t now_ms)
{
    process->pid = 0;
    process->asked = false;
    /* What waits to be sent was for the one that is gone. */
    client_close(&process->probe);
    plan_died(&process->plan, &process->suite->restart, now_ms);
}

void process_stop(struct process *process, int64_t now_ms)
{
    if (plan_stop(&process->plan, now_ms)) {
        (void)kill(process->pid, SIGTERM); /* not reaped yet, so the pid is still its own */
        client_close(&process->probe);
        process->asked = false;
    }
}

void process_kill(struct process *process)
{
    assert(process->plan.phase == PLAN_STOPPING);
    output_say("%s/%" PRIu32 " did not end within %d s and is killed", process->name,
               process->shard, SUPERVISOR_STOP_MS / 1000);
    (void)kill(process->pid, SIGKILL);
    process->plan.due_ms = INT64_MAX;
}

void process_log_print(const struct process *process)
{
    char text[LOG_TAIL_BYTES + 1];
    int log = open(process->log.text, O_RDONLY | O_CLOEXEC);
    if (log < 0) {
        return;
    }
    int64_t end = size_of(log);
    int64_t begin = end - LOG_TAIL_BYTES;
    bool cut = begin > process->log_bytes;
    ssize_t size = pread(log, text, LOG_TAIL_BYTES, cut ? begin : process->log_bytes);
    (void)close(log);
    if (size <= 0) {
        return;
    }
    text[size] = '\0';
    const char *whole_lines = cut ? strchr(text, '\n') : NULL;
    const char *from = whole_lines != NULL ? whole_lines + 1 : text;
    (void)fprintf(stderr, "the end of %s:\n%s%s", process->log.text, from,
                  text[size - 1] == '\n' ? "" : "\n");
}

struct suite_member process_member(const struct process *process)
{
    struct suite_member member = { .shard = process->shard,
                                   .shards = process->shards,
                                   .pid = process->pid,
                                   .restarts = process->plan.restarts };
    memcpy(member.name, process->name, sizeof member.name);
    (void)snprintf(member.state, sizeof member.state, "%s", plan_phase_text(process->plan.phase));
    return member;
}
