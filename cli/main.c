/* Which command is meant, and the options that all of them share. */
#include "cli/command_list.h"
#include "cli/options.h"
#include "cli/output.h"
#include "common/base/time_text.h"
#include "kith_version.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS_DEFAULT 30000
/* A typing error changes at most so many letters. */
#define PROPOSAL_DISTANCE_MAX 3
#define NAME_BYTES 64

/* What stands anywhere on the line; the words that remain are argv's first. */
struct line {
    int argc;
    char **argv;
    bool help;
    bool version;
    struct invocation invocation;
};

/* ---- the common options */

static int wait_take(struct line *line, const char *text)
{
    if (duration_parse(span_of_text(text), &line->invocation.wait_ms) == STATUS_OK) {
        return EXIT_DONE;
    }
    output_say("--wait takes a duration such as 30s, 90m, 1d or PT1H, not '%s'", text);
    return EXIT_USAGE;
}

static bool flag_take(struct line *line, const char *word)
{
    if (strcmp(word, "--json") == 0) {
        line->invocation.json = true;
    } else if (strcmp(word, "--stale") == 0) {
        line->invocation.stale = true;
    } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        line->help = true;
    } else if (strcmp(word, "--version") == 0) {
        line->version = true;
    } else {
        return false;
    }
    return true;
}

/* The value of option `name` if argv[*at] is that option; NULL if it is not, or there is
 * none, and then *code says so. */
static const char *value_take(char **argv, int argc, int *at, const char *name, int *code)
{
    size_t size = strlen(name);
    const char *word = argv[*at];
    assert(word != NULL); /* argv holds argc of them */
    if (strncmp(word, name, size) != 0 || (word[size] != '=' && word[size] != '\0')) {
        return NULL;
    }
    if (word[size] == '=') {
        return word + size + 1;
    }
    if (*at + 1 < argc) {
        *at += 1;
        return argv[*at];
    }
    output_say("%s takes a value, and nothing follows it", name);
    *code = EXIT_USAGE;
    return NULL;
}

/* Takes argv[*at] if it is a common option, with its value; *taken says whether it was. */
static int option_take(struct line *line, int argc, char **argv, int *at, bool *taken)
{
    int code = EXIT_DONE;
    *taken = true;
    if (flag_take(line, argv[*at])) {
        return EXIT_DONE;
    }
    const char *data = value_take(argv, argc, at, "--data", &code);
    if (data != NULL) {
        line->invocation.data = data;
        return EXIT_DONE;
    }
    const char *wait = code == EXIT_DONE ? value_take(argv, argc, at, "--wait", &code) : NULL;
    if (wait != NULL) {
        return wait_take(line, wait);
    }
    *taken = false;
    return code;
}

/* Takes the common options out of argv. */
static int line_read(struct line *line, int argc, char **argv)
{
    int kept = 0;
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        bool taken = false;
        only_words = only_words || strcmp(word, "--") == 0;
        int code =
            only_words || word[0] != '-' ? EXIT_DONE : option_take(line, argc, argv, &i, &taken);
        if (code != EXIT_DONE) {
            return code;
        }
        if (!taken) {
            argv[kept++] = argv[i]; /* the command's own */
        }
    }
    line->argc = kept;
    line->argv = argv;
    return EXIT_DONE;
}

/* ---- the list of commands */

static bool begins_with_word(const char *name, const char *word)
{
    size_t size = strlen(word);
    return strncmp(name, word, size) == 0 && (name[size] == ' ' || name[size] == '\0');
}

/* Those of the group `word`, or all for NULL. */
static void list_print(const char *word)
{
    struct command_cursor cursor = { 0 };
    for (const struct command *command = command_next(&cursor); command != NULL;
         command = command_next(&cursor)) {
        if (word == NULL || begins_with_word(command->name, word)) {
            (void)printf("  %-18s %s\n", command->name, command->summary);
        }
    }
}

static void overview_print(void)
{
    (void)printf("usage: kith COMMAND [WORD...] [--OPTION...]\n\n");
    list_print(NULL);
    (void)printf("\n"
                 "  --data DIR       the suite's folder; or the variable KITH_SUITE\n"
                 "  --json           one JSON object a line\n"
                 "  --stale          do not wait for what was acknowledged to be in an answer\n"
                 "  --wait DURATION  how long to wait for it, and for answers; 30s otherwise\n"
                 "  --help           of a command: what it does, its options, examples\n"
                 "  --version\n"
                 "\n"
                 "Exit: 0 done, 1 failed or refused, 2 wrong use, 3 not reachable or waited too "
                 "long.\n");
}

static void help_print(const struct command *command)
{
    (void)printf("usage: kith %s\n\n%s: %s.\n\n%s", command->usage, command->name, command->summary,
                 command->help);
}

/* ---- finding */

/* The command whose name the first words are; *used is how many of them. */
static const struct command *command_find(const struct line *line, int *used)
{
    char two[NAME_BYTES] = "";
    if (line->argc > 1) {
        (void)snprintf(two, sizeof two, "%s %s", line->argv[0], line->argv[1]);
    }
    struct command_cursor cursor = { 0 };
    for (const struct command *command = command_next(&cursor); command != NULL;
         command = command_next(&cursor)) {
        bool is_two = strcmp(command->name, two) == 0;
        if (is_two || strcmp(command->name, line->argv[0]) == 0) {
            *used = is_two ? 2 : 1;
            return command;
        }
    }
    return NULL;
}

/* The nearest name to `typed`, if it could be meant. */
static const char *nearest_find(const char *typed, size_t *distance)
{
    const char *nearest = NULL;
    struct command_cursor cursor = { 0 };
    for (const struct command *command = command_next(&cursor); command != NULL;
         command = command_next(&cursor)) {
        size_t away = options_distance(command->name, typed);
        if (away < *distance) {
            nearest = command->name;
            *distance = away;
        }
    }
    return nearest;
}

static bool is_group(const char *word)
{
    struct command_cursor cursor = { 0 };
    for (const struct command *command = command_next(&cursor); command != NULL;
         command = command_next(&cursor)) {
        if (begins_with_word(command->name, word)) {
            return true;
        }
    }
    return false;
}

static int group_print(const char *word, int code)
{
    (void)printf("usage: kith %s COMMAND\n\n", word);
    list_print(word);
    return code;
}

static int unknown_say(const struct line *line)
{
    char typed[NAME_BYTES];
    size_t distance = PROPOSAL_DISTANCE_MAX;
    const char *first = line->argv[0];
    bool group = is_group(first) && line->argc > 1;
    (void)snprintf(typed, sizeof typed, "%s%s%s", first, line->argc > 1 ? " " : "",
                   line->argc > 1 ? line->argv[1] : "");
    const char *nearest = nearest_find(typed, &distance);
    if (!group) {
        const char *by_first = nearest_find(first, &distance);
        nearest = by_first != NULL ? by_first : nearest;
    }
    const char *shown = group || (nearest != NULL && strchr(nearest, ' ') != NULL) ? typed : first;
    if (nearest != NULL) {
        output_say("unknown command '%s', did you mean '%s'?", shown, nearest);
    } else {
        output_say("unknown command '%s'; kith alone lists them", shown);
    }
    return EXIT_USAGE;
}

/* ---- running */

static int data_missing(const struct command *command)
{
    (void)fprintf(stderr,
                  "kith %s: which suite? give --data DIR, or set KITH_SUITE to its folder\n",
                  command->name);
    return EXIT_USAGE;
}

static int command_run(struct line *line, const struct command *command, int used)
{
    if (line->help) {
        help_print(command);
        return EXIT_DONE;
    }
    line->invocation.command = command;
    line->invocation.argc = line->argc - used;
    line->invocation.argv = line->argv + used;
    if (command->needs_suite && line->invocation.data == NULL) {
        return data_missing(command);
    }
    if (sodium_init() < 0) {
        output_say("the host has no source of random bytes");
        return EXIT_FAILED;
    }
    int code = command->run(&line->invocation);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        output_say("the result could not be written");
        return EXIT_FAILED;
    }
    return code;
}

static int words_run(struct line *line)
{
    int used = 0;
    if (line->argc > 1 && strcmp(line->argv[0], "help") == 0) {
        line->help = true;
        line->argc -= 1;
        line->argv += 1;
    }
    const struct command *command = command_find(line, &used);
    if (command != NULL) {
        return command_run(line, command, used);
    }
    if (is_group(line->argv[0]) && (line->argc == 1 || line->help)) {
        return group_print(line->argv[0], line->help ? EXIT_DONE : EXIT_USAGE);
    }
    return unknown_say(line);
}

int main(int argc, char **argv)
{
    const char *data = getenv("KITH_SUITE");
    struct line line = {
        .invocation = { .data = data != NULL && data[0] != '\0' ? data : NULL,
                        .wait_ms = WAIT_MS_DEFAULT },
    };
    int code = line_read(&line, argc > 0 ? argc - 1 : 0, argv + (argc > 0 ? 1 : 0));
    if (code != EXIT_DONE) {
        return code;
    }
    if (line.version) {
        (void)printf("kith %s\n", KITH_VERSION);
        return EXIT_DONE;
    }
    if (line.argc == 0) {
        overview_print();
        return line.help ? EXIT_DONE : EXIT_USAGE;
    }
    return words_run(&line);
}
