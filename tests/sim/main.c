/* Runs seeds. See docs/testing.md. */
#include "common/base/bytes.h"
#include "tests/sim/sim_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_WRONG_USE 2
/* One in so many seeds runs twice, and both runs must have the same digest. */
#define TWICE_EVERY 20

static const char *const control_names[SIM_CONTROL_COUNT] = {
    [SIM_CONTROL_NONE] = "none",
    [SIM_CONTROL_NO_SYNC] = "no-sync",
    [SIM_CONTROL_EARLY_REPLY] = "early-reply",
    [SIM_CONTROL_LOOSE_CURSOR] = "loose-cursor",
    [SIM_CONTROL_NO_KEYS] = "no-keys",
    [SIM_CONTROL_NO_DEDUPE] = "no-dedupe",
};

const char *sim_sometimes_text(enum sim_sometimes what)
{
    static const char *const texts[SIM_SOMETIMES_COUNT] = {
#define X(name, text) text,
        SIM_SOMETIMES_MAP(X)
#undef X
    };
    return texts[what];
}

void sim_replay_show(const struct sim_options *options, uint64_t steps)
{
    (void)printf("again: kith-sim --seed %" PRIu64, options->seed);
    if (steps > 0) {
        (void)printf(" --until %" PRIu64, steps + 1);
    }
    if (options->control != SIM_CONTROL_NONE) {
        (void)printf(" --control %s", control_names[options->control]);
    }
    for (unsigned i = 0; i < SIM_TROUBLES; i++) {
        if ((options->without >> i & 1U) == 1U) {
            (void)printf(" --without %s", sim_troubles[i]);
        }
    }
    (void)printf(" --trace\n");
}

/* ---- what is asked for */

struct request {
    struct sim_options options;
    uint64_t seeds;
    bool is_twice;
    bool wants_all; /* each state must be reached */
    bool is_silent;
};

static void help_print(void)
{
    (void)printf(
        "usage: kith-sim --seed N [--until STEP] [--trace] [--twice]\n"
        "       kith-sim --seeds COUNT [--from N] [--reach]\n"
        "       kith-sim --seeds COUNT [--from N] --control NAME\n"
        "\n"
        "Runs the five services on a simulated clock, network and disk.\n"
        "  --without NAME   leaves out a kind of trouble: loss, twice, late, slow, apart, kill,\n"
        "                   power, blackout, stop, leaps, errors, full, frozen, small, replaced\n"
        "  --reach          fails unless each state that is worth reaching was reached\n"
        "  --control NAME   breaks something, and fails unless a seed finds it:\n"
        "                   no-sync, early-reply, loose-cursor, no-keys, no-dedupe\n"
        "  --keep           leaves the folder of a seed that fails\n"
        "  --folder DIR     where the stores lie (default: /dev/shm, or else TMPDIR)\n"
        "\n"
        "Exit: 0 done, 1 found something, 2 wrong use.\n");
}

static bool number_take(const char *text, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = text == NULL ? 0 : strtoull(text, &end, 10);
    return text != NULL && errno == 0 && end != text && *end == '\0';
}

static bool control_take(const char *text, enum sim_control *control)
{
    for (unsigned i = 0; text != NULL && i < SIM_CONTROL_COUNT; i++) {
        if (strcmp(text, control_names[i]) == 0) {
            *control = (enum sim_control)i;
            return true;
        }
    }
    return false;
}

static bool trouble_take(const char *text, uint32_t *without)
{
    for (unsigned i = 0; text != NULL && i < SIM_TROUBLES; i++) {
        if (strcmp(text, sim_troubles[i]) == 0) {
            *without |= UINT32_C(1) << i;
            return true;
        }
    }
    return false;
}

/* True: it was an option without a value. */
static bool flag_take(const char *word, struct request *request)
{
    if (strcmp(word, "--trace") == 0) {
        request->options.traces = true;
    } else if (strcmp(word, "--keep") == 0) {
        request->options.keeps = true;
    } else if (strcmp(word, "--twice") == 0) {
        request->is_twice = true;
    } else if (strcmp(word, "--reach") == 0) {
        request->wants_all = true;
    } else {
        return false;
    }
    return true;
}

static bool option_take(const char *word, const char *value, struct request *request)
{
    if (strcmp(word, "--seed") == 0) {
        request->seeds = 1;
        return number_take(value, &request->options.seed);
    }
    if (strcmp(word, "--seeds") == 0) {
        return number_take(value, &request->seeds) && request->seeds > 0;
    }
    if (strcmp(word, "--from") == 0) {
        return number_take(value, &request->options.seed);
    }
    if (strcmp(word, "--until") == 0) {
        return number_take(value, &request->options.until);
    }
    if (strcmp(word, "--folder") == 0) {
        request->options.parent = value;
        return value != NULL;
    }
    if (strcmp(word, "--without") == 0) {
        return trouble_take(value, &request->options.without);
    }
    return strcmp(word, "--control") == 0 && control_take(value, &request->options.control);
}

static bool request_read(int argc, char **argv, struct request *request)
{
    for (int i = 1; i < argc; i++) {
        if (flag_take(argv[i], request)) {
            continue;
        }
        if (!option_take(argv[i], i + 1 < argc ? argv[i + 1] : NULL, request)) {
            (void)fprintf(stderr, "kith-sim: %s is not understood; see kith-sim --help\n", argv[i]);
            return false;
        }
        i += 1;
    }
    return request->seeds > 0;
}

/* ---- seeds */

/* An assertion of the services: the log says what led to it. */
static void aborted(int signal_number)
{
    struct sim_world *world = sim_world_current();
    if (world != NULL) {
        sim_fail(world, "a service ended itself (signal %d)", signal_number);
    }
}

static uint64_t seed_run(const struct request *request, uint64_t *sometimes)
{
    struct sigaction action = { .sa_handler = aborted, .sa_flags = (int)SA_RESETHAND };
    (void)sigaction(SIGABRT, &action, NULL);
    uint64_t digest = sim_world_run(&request->options, sometimes);
    bool is_twice = request->is_twice || (request->seeds > 1 && request->options.until == 0 &&
                                          request->options.seed % TWICE_EVERY == 0);
    if (is_twice) {
        uint64_t again = sim_world_run(&request->options, sometimes);
        if (again != digest) {
            (void)printf("seed %" PRIu64 " is not the same twice: %016" PRIx64 ", %016" PRIx64 "\n",
                         request->options.seed, digest, again);
            (void)fflush(stdout);
            _exit(EXIT_FAILURE);
        }
    }
    return digest;
}

static void be_silent(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0) {
        perror("kith-sim");
        _exit(EXIT_SUCCESS);
    }
}

/* In a process of its own: one that fails ends that and no other. */
static bool seed_run_apart(const struct request *request, uint64_t *sometimes)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (request->is_silent) {
            be_silent();
        }
        (void)seed_run(request, sometimes);
        (void)fflush(stdout);
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("kith-sim");
        exit(EXIT_FAILURE);
    }
    if (WIFSIGNALED(status) && !request->is_silent) {
        (void)printf("seed %" PRIu64 " ended by signal %d\n", request->options.seed,
                     WTERMSIG(status));
        sim_replay_show(&request->options, 0);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* Leaves away each kind of trouble without which the seed fails as well. */
static void seed_shrink(const struct request *request)
{
    uint64_t unused[SIM_SOMETIMES_COUNT] = { 0 };
    struct request smaller = *request;
    smaller.is_silent = true;
    for (unsigned i = 0; i < SIM_TROUBLES; i++) {
        uint32_t before = smaller.options.without;
        smaller.options.without |= UINT32_C(1) << i;
        if (seed_run_apart(&smaller, unused)) {
            smaller.options.without = before;
        }
    }
    (void)printf("with less trouble, ");
    sim_replay_show(&smaller.options, 0);
}

static bool reached_all(const uint64_t *sometimes)
{
    bool is_all = true;
    for (unsigned i = 0; i < SIM_SOMETIMES_COUNT; i++) {
        (void)printf("%10" PRIu64 "  %s\n", sometimes[i],
                     sim_sometimes_text((enum sim_sometimes)i));
        is_all = is_all && sometimes[i] > 0;
    }
    for (unsigned i = 0; i < SIM_SOMETIMES_COUNT; i++) {
        if (sometimes[i] == 0) {
            (void)printf("never reached: %s\n", sim_sometimes_text((enum sim_sometimes)i));
        }
    }
    return is_all;
}

/* False: it failed, and has said so. */
static bool seed_try(const struct request *request, uint64_t *sometimes)
{
    bool is_fine = seed_run_apart(request, sometimes);
    if (!is_fine && request->options.control == SIM_CONTROL_NONE) {
        seed_shrink(request);
    }
    return is_fine;
}

static int seeds_run(struct request *request)
{
    size_t size = SIM_SOMETIMES_COUNT * sizeof(uint64_t);
    uint64_t *sometimes =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sometimes == MAP_FAILED) {
        perror("kith-sim");
        return EXIT_FAILURE;
    }
    bool is_control = request->options.control != SIM_CONTROL_NONE;
    uint64_t failed = 0;
    uint64_t first = request->options.seed;
    for (uint64_t i = 0; i < request->seeds && !(is_control && failed > 0); i++) {
        request->options.seed = first + i;
        failed += seed_try(request, sometimes) ? 0 : 1;
    }
    if (is_control) {
        (void)printf(failed > 0 ? "found by seed %" PRIu64 "\n"
                                : "not found by any seed up to %" PRIu64 "\n",
                     request->options.seed);
        return failed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    bool is_all = !request->wants_all || reached_all(sometimes);
    (void)printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " failed\n", request->seeds, first,
                 failed);
    return failed == 0 && is_all ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct request request = { .options.parent = "/dev/shm" };
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        help_print();
        return argc < 2 ? EXIT_WRONG_USE : EXIT_SUCCESS;
    }
    if (access(request.options.parent, W_OK) != 0) {
        const char *folder = getenv("TMPDIR");
        request.options.parent = folder == NULL ? "/tmp" : folder;
    }
    if (!request_read(argc, argv, &request)) {
        return EXIT_WRONG_USE;
    }
    if (sodium_init() < 0) {
        (void)fprintf(stderr, "kith-sim: libsodium cannot start\n");
        return EXIT_FAILURE;
    }
    if (request.seeds > 1 || request.options.control != SIM_CONTROL_NONE) {
        return seeds_run(&request);
    }
    uint64_t sometimes[SIM_SOMETIMES_COUNT] = { 0 };
    uint64_t digest = seed_run(&request, sometimes);
    (void)printf("seed %" PRIu64 ": digest %016" PRIx64 "\n", request.options.seed, digest);
    return EXIT_SUCCESS;
}
