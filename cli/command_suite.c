/* Starting and stopping a suite, and single services of it. */
#include "cli/command.h"
#include "cli/command_status.h"
#include "cli/config_check.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "cli/supervisor.h"
#include "cli/supervisor_control.h"
#include "common/base/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longer than the supervisor may take: it kills a service that does not end in 10 s. */
#define DOWN_MS 20000

/* ---- up */

struct up {
    const char *config_option;
    struct path data;   /* absolute */
    struct path config; /* absolute */
    bool detach;
    struct suite_config suite;
    int lock;
};

static enum status folder_make(const struct up *up, const char *name, struct refusal *refusal)
{
    struct path path;
    enum status status = path_make(&path, refusal, "%s%s", up->data.text, name);
    return status == STATUS_OK ? disk_folder_make(path.text, refusal) : status;
}

static enum status absolute_make(struct path *path, const char *text, struct refusal *refusal)
{
    if (realpath(text, path->text) == NULL) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "%s: %s", text, strerror(errno));
    }
    return STATUS_OK;
}

/* The suite's sockets lie in run: nobody else may reach them, also where it was there. */
static enum status folders_make(struct up *up, const char *data, struct refusal *refusal)
{
    enum status status = path_make(&up->data, refusal, "%s", data);
    if (status == STATUS_OK) {
        status = folder_make(up, "", refusal);
    }
    struct path given = up->data;
    if (status == STATUS_OK) {
        status = absolute_make(&up->data, given.text, refusal);
    }
    if (status == STATUS_OK) {
        status = folder_make(up, "/run", refusal);
    }
    if (status == STATUS_OK) {
        status = folder_make(up, "/log", refusal);
    }
    struct path run;
    if (status == STATUS_OK) {
        status = path_make(&run, refusal, "%s/run", up->data.text);
    }
    if (status == STATUS_OK && chmod(run.text, 0700) != 0) {
        return refusal_set(refusal, STATUS_DENIED, "%s: is not ours: %s", run.text,
                           strerror(errno));
    }
    return status;
}

/* Every socket's path must fit before anything is started. */
static enum status endpoints_check(const struct up *up, struct refusal *refusal)
{
    char endpoint[SUITE_ENDPOINT_BYTES];
    for (size_t i = 0; i < up->suite.service_count; i++) {
        const struct suite_service *service = &up->suite.services[i];
        enum status status = suite_endpoint(up->data.text, service->name, service->shards - 1,
                                            "feed", endpoint, sizeof endpoint, refusal);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* verify and others work on a suite that is down, and need to know its configuration. */
static enum status config_note(const struct up *up, struct refusal *refusal)
{
    struct path path;
    enum status status = path_make(&path, refusal, "%s/run/config", up->data.text);
    if (status != STATUS_OK) {
        return status;
    }
    (void)unlink(path.text); /* not there is as good */
    if (symlink(up->config.text, path.text) != 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "%s: cannot be made: %s", path.text,
                           strerror(errno));
    }
    return STATUS_OK;
}

static enum status up_prepare(struct up *up, const char *data, struct refusal *refusal)
{
    enum status status = folders_make(up, data, refusal);
    if (status == STATUS_OK) {
        status = endpoints_check(up, refusal);
    }
    if (status == STATUS_OK) {
        status = supervisor_lock(up->data.text, &up->lock, refusal);
    }
    if (status == STATUS_OK) {
        status = config_note(up, refusal);
    }
    if (status == STATUS_OK) {
        status = suite_key_create(up->data.text, refusal);
        status = status == STATUS_EXISTS ? STATUS_OK : status;
    }
    return status;
}

/* In the process that stays. */
static int up_run(struct up *up, int ready_out)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct path given = up->data; /* as the user named it */
    int code = EXIT_FAILED;
    if (up_prepare(up, given.text, &refusal) != STATUS_OK) {
        (void)output_refusal(/* who= */ NULL, &refusal);
    } else {
        struct supervisor_options options = { .data = up->data.text,
                                              .config_path = up->config.text,
                                              .config = &up->suite,
                                              .lock = up->lock,
                                              .ready_out = ready_out };
        code = supervisor_run(&options);
    }
    if (up->lock >= 0) {
        (void)close(up->lock);
    }
    return code;
}

/* The child supervises; this process waits until it says that all is ready, or is gone. */
static int up_detach(struct up *up)
{
    int ends[2] = { -1, -1 };
    if (pipe2(ends, O_CLOEXEC) != 0) {
        output_say("no pipe can be made: %s", strerror(errno));
        return EXIT_FAILED;
    }
    pid_t pid = fork();
    if (pid < 0) {
        output_say("no process can be made: %s", strerror(errno));
        (void)close(ends[0]);
        (void)close(ends[1]);
        return EXIT_FAILED;
    }
    if (pid == 0) {
        (void)close(ends[0]);
        (void)setsid();
        return up_run(up, ends[1]);
    }
    (void)close(ends[1]);
    char byte = 0;
    ssize_t size = read(ends[0], &byte, 1);
    while (size < 0 && errno == EINTR) {
        size = read(ends[0], &byte, 1);
    }
    (void)close(ends[0]);
    return size == 1 ? EXIT_DONE : EXIT_FAILED;
}

static int up_begin(const struct invocation *invocation)
{
    struct up up = { .lock = -1 };
    struct option options[] = { { "-c", OPTION_TEXT, &up.config_option, false },
                                { "--config", OPTION_TEXT, &up.config_option, false },
                                { "--detach", OPTION_FLAG, &up.detach, false } };
    struct option_form form = { .options = options, .option_count = 3 };
    struct refusal refusal;
    refusal_init(&refusal);
    int code = options_read(invocation, &form, /* words= */ NULL);
    if (code != EXIT_DONE) {
        return code;
    }
    if (up.config_option == NULL) {
        return options_wrong_use(invocation, "-c CONFIG is missing: the suite's configuration, "
                                             "such as config/example.yaml");
    }
    if (absolute_make(&up.config, up.config_option, &refusal) != STATUS_OK ||
        path_make(&up.data, &refusal, "%s", invocation->data) != STATUS_OK) {
        return output_refusal(/* who= */ NULL, &refusal);
    }
    code = config_check(up.config_option, &up.suite);
    if (code == EXIT_DONE) {
        code = up.detach ? up_detach(&up) : up_run(&up, /* ready_out= */ -1);
        suite_config_release(&up.suite);
    }
    return code;
}

/* ---- down */

/* Waits until the process is gone. False: it was not within the time. */
static bool process_await(int process, int64_t timeout_ms)
{
    int64_t until_ms = suite_monotonic_ms() + timeout_ms;
    for (;;) {
        int64_t left_ms = until_ms - suite_monotonic_ms();
        struct pollfd waiting = { .fd = process, .events = POLLIN };
        int ready = poll(&waiting, 1, left_ms < 0 ? 0 : (int)left_ms);
        if (ready > 0) {
            return true;
        }
        if (left_ms <= 0 || (ready < 0 && errno != EINTR)) {
            return false;
        }
    }
}

static int supervisor_stop(int64_t pid)
{
    int process = pidfd_open((pid_t)pid, 0);
    if (process < 0 && errno == ESRCH) {
        return EXIT_DONE; /* it ended by itself just now */
    }
    if (process < 0 || pidfd_send_signal(process, SIGTERM, /* info= */ NULL, 0) != 0) {
        output_say("process %" PRId64 " cannot be told to stop: %s", pid, strerror(errno));
        if (process >= 0) {
            (void)close(process);
        }
        return EXIT_FAILED;
    }
    bool gone = process_await(process, DOWN_MS);
    (void)close(process);
    if (!gone) {
        output_say("the supervisor, process %" PRId64 ", still runs after %d s", pid,
                   DOWN_MS / 1000);
        return EXIT_UNREACHABLE;
    }
    return EXIT_DONE;
}

static int down_run(const struct invocation *invocation)
{
    struct option_form form = { 0 };
    int code = options_read(invocation, &form, /* words= */ NULL);
    if (code != EXIT_DONE) {
        return code;
    }
    int64_t pid = supervisor_lock_holder(invocation->data);
    if (pid <= 1) {
        output_say("the suite in %s is not running", invocation->data);
        return EXIT_DONE;
    }
    return supervisor_stop(pid);
}

/* ---- one service */

static int service_tell(const struct invocation *invocation, const enum control_verb *verbs,
                        size_t count)
{
    static const char *const names[] = { "SERVICE" };
    struct option_form form = { .word_names = names, .words_least = 1, .words_most = 1 };
    struct words words = { 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    int code = options_read(invocation, &form, &words);
    code = code == EXIT_DONE ? suite_running_check(invocation) : code;
    for (size_t i = 0; i < count && code == EXIT_DONE; i++) {
        if (control_ask(invocation->data, verbs[i], words.texts[0], CONTROL_ANSWER_MS, &refusal) !=
            STATUS_OK) {
            code = output_refusal(words.texts[0], &refusal);
        }
    }
    return code;
}

static int stop_run(const struct invocation *invocation)
{
    static const enum control_verb verbs[] = { CONTROL_STOP };
    return service_tell(invocation, verbs, 1);
}

static int start_run(const struct invocation *invocation)
{
    static const enum control_verb verbs[] = { CONTROL_START };
    return service_tell(invocation, verbs, 1);
}

static int restart_run(const struct invocation *invocation)
{
    static const enum control_verb verbs[] = { CONTROL_STOP, CONTROL_START };
    return service_tell(invocation, verbs, 2);
}

const struct command commands_suite[] = {
    { .name = "up",
      .usage = "up -c CONFIG --data DIR [--detach]",
      .summary = "starts a suite and keeps its services running",
      .help =
          "Makes DIR at first use, starts every service of the configuration, and starts\n"
          "again what dies. What a service says goes to DIR/log.\n"
          "\n"
          "  -c, --config CONFIG  the suite's configuration\n"
          "  --detach             returns when all services are ready, and leaves them running;\n"
          "                       without it, Ctrl-C stops the suite\n"
          "\n"
          "examples:\n"
          "  kith up -c config/example.yaml --data /srv/kith\n"
          "  kith up -c config/example.yaml --data /tmp/demo --detach\n",
      .needs_suite = true,
      .run = up_begin },
    { .name = "down",
      .usage = "down --data DIR",
      .summary = "stops a suite",
      .help = "Returns when all its processes are gone; 0 also when it did not run.\n"
              "\n"
              "examples:\n"
              "  kith down --data /srv/kith\n"
              "  KITH_SUITE=/srv/kith kith down\n",
      .needs_suite = true,
      .run = down_run },
    { .name = "status",
      .usage = "status [--json]",
      .summary = "what runs, and how far each service has come",
      .help = "A service that does not answer within a second is shown as not ready.\n"
              "\n"
              "examples:\n"
              "  kith status --data /srv/kith\n"
              "  kith status --json | jq '.services[] | {name, lag}'\n",
      .needs_suite = true,
      .run = status_run },
    { .name = "stop",
      .usage = "stop SERVICE",
      .summary = "stops one service; the others go on",
      .help = "Returns when all its processes are gone.\n"
              "\n"
              "examples:\n"
              "  kith stop reporting\n"
              "  kith stop loyalty --data /srv/kith\n",
      .needs_suite = true,
      .run = stop_run },
    { .name = "start",
      .usage = "start SERVICE",
      .summary = "starts a service that was stopped",
      .help = "Returns when it is ready.\n"
              "\n"
              "examples:\n"
              "  kith start reporting\n"
              "  kith start loyalty --data /srv/kith\n",
      .needs_suite = true,
      .run = start_run },
    { .name = "restart",
      .usage = "restart SERVICE",
      .summary = "stops a service and starts it again, as after an upgrade",
      .help = "Returns when it is ready again.\n"
              "\n"
              "examples:\n"
              "  kith restart loyalty\n"
              "  kith restart ingestion --data /srv/kith\n",
      .needs_suite = true,
      .run = restart_run },
    { .name = NULL },
};
