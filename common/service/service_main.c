/* main() of every service: verbs and options. */
#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/service/clock_os.h"
#include "common/service/map_fault.h"
#include "common/service/process.h"
#include "kith_version.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_WRONG_USE 2

enum verb { VERB_SERVE, VERB_CHECK_CONFIG, VERB_VERIFY_JOURNAL, VERB_VERIFY_STATE, VERB_COUNT };

static const char *const verb_names[VERB_COUNT] = { "serve", "check-config", "verify-journal",
                                                    "verify-state" };

static void help_print(const char *name)
{
    (void)printf("usage: kith-%s serve --config FILE --data DIR [--shard N]\n"
                 "       kith-%s check-config --config FILE\n"
                 "       kith-%s verify-journal --config FILE --data DIR [--shard N] [--json]\n"
                 "       kith-%s verify-state --config FILE --data DIR [--shard N] [--json]\n"
                 "       kith-%s --version | --help\n"
                 "\n"
                 "serve            runs this service until SIGTERM; `kith up` does this for you\n"
                 "check-config     checks the file as far as it concerns this service\n"
                 "verify-journal   walks the journal: checksums, chain, numbers without gaps\n"
                 "verify-state     rebuilds the state and compares a digest of each table\n"
                 "\n"
                 "Exit: 0 done, 1 failed, 2 wrong use.\n",
                 name, name, name, name, name);
}

static int wrong_use(const char *name, const char *what, const char *word)
{
    (void)fprintf(stderr, "kith-%s: %s%s; see kith-%s --help\n", name, what, word, name);
    return EXIT_WRONG_USE;
}

/* One option and its value. 0: taken; otherwise the exit code. */
static int option_take(const char *name, struct process_options *options, const char *option,
                       const char *value)
{
    if (value == NULL) {
        return wrong_use(name, "a value is missing after ", option);
    }
    if (strcmp(option, "--config") == 0) {
        options->config = value;
        return 0;
    }
    if (strcmp(option, "--data") == 0) {
        options->data = value;
        return 0;
    }
    int64_t shard = 0;
    if (integer_parse(span_of_text(value), &shard) != STATUS_OK || shard < 0 ||
        shard >= LIMIT_SHARDS) {
        return wrong_use(name, "--shard takes a number from 0 to 63, not ", value);
    }
    options->shard = (uint32_t)shard;
    return 0;
}

static int options_read(const char *name, int argc, char **argv, struct process_options *options)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options->json = true;
            continue;
        }
        if (strcmp(argv[i], "--config") != 0 && strcmp(argv[i], "--data") != 0 &&
            strcmp(argv[i], "--shard") != 0) {
            return wrong_use(name, "unknown option ", argv[i]);
        }
        int code = option_take(name, options, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (code != 0) {
            return code;
        }
        i += 1;
    }
    return options->config == NULL ? wrong_use(name, "--config FILE is missing", "") : 0;
}

static enum verb verb_find(const char *word)
{
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        if (strcmp(word, verb_names[i]) == 0) {
            return (enum verb)i;
        }
    }
    return VERB_COUNT;
}

/* The shared part was checked by process_init; the rest is the service's to say. */
static int config_check(struct process *process)
{
    struct refusal refusal;
    void *service = NULL;
    refusal_init(&refusal);
    enum status status = process->definition->open(&service, &process->environment, &refusal);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", refusal.message);
        return EXIT_FAILURE;
    }
    process->definition->close(&service);
    return EXIT_SUCCESS;
}

static int verb_run(enum verb verb, struct process *process, const struct process_options *options)
{
    struct clock clock = clock_os();
    struct log log;
    switch (verb) {
    case VERB_SERVE:
        log_init(&log, &clock, STDERR_FILENO, process->definition->name);
        return process_serve(process, options, &log);
    case VERB_CHECK_CONFIG:
        return config_check(process);
    case VERB_VERIFY_JOURNAL:
        return verify_journal(process, options);
    case VERB_VERIFY_STATE:
        return verify_state(process, options);
    case VERB_COUNT:
        break;
    }
    return EXIT_FAILURE;
}

int service_main(const struct service_definition *definition, int argc, char **argv)
{
    const char *name = definition->name;
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        help_print(name);
        return argc < 2 ? EXIT_WRONG_USE : EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("kith-%s %s\n", name, KITH_VERSION);
        return EXIT_SUCCESS;
    }
    enum verb verb = verb_find(argv[1]);
    if (verb == VERB_COUNT) {
        return wrong_use(name, "unknown command ", argv[1]);
    }
    struct process_options options = { 0 };
    int code = options_read(name, argc, argv, &options);
    if (code != 0) {
        return code;
    }
    if (verb != VERB_CHECK_CONFIG && options.data == NULL) {
        return wrong_use(name, "--data DIR is missing", "");
    }
    if (sodium_init() < 0) {
        (void)fprintf(stderr, "kith-%s: libsodium cannot start\n", name);
        return EXIT_FAILURE;
    }
    map_fault_catch();
    struct process process = { 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    if (process_init(&process, definition, &options, &refusal) != STATUS_OK) {
        (void)fprintf(stderr, "kith-%s: %s\n", name, refusal.message);
        return EXIT_FAILURE;
    }
    code = verb_run(verb, &process, &options);
    process_release(&process);
    return code;
}
