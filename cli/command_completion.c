/* Completion for shells, made of what the commands say of themselves. */
#include "cli/command_list.h"
#include "cli/options.h"
#include "cli/output.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COMMON_OPTIONS "--data --json --stale --wait --help"
#define OPTION_BYTES 32

/* Options that were printed already, each between blanks. */
struct printed {
    char text[1024];
    size_t size;
};

static void option_print(struct printed *printed, const char *option, size_t size)
{
    char word[OPTION_BYTES];
    (void)snprintf(word, sizeof word, " %.*s ", (int)size, option);
    bool is_whole =
        size >= 4 && size + 3 <= sizeof word && printed->size + size + 2 <= sizeof printed->text;
    if (!is_whole || strstr(printed->text, word) != NULL ||
        strstr(" " COMMON_OPTIONS " ", word) != NULL) {
        return;
    }
    printed->size += (size_t)snprintf(printed->text + printed->size,
                                      sizeof printed->text - printed->size, "%s", word + 1);
    (void)fputs(word + 1, stdout);
}

/* The options that a command's usage and help name, each once. */
static void options_print(const char *usage, const char *help)
{
    const char *texts[2] = { usage, help };
    struct printed printed = { .text = " ", .size = 1 };
    for (size_t i = 0; i < 2; i++) {
        for (const char *at = strstr(texts[i], "--"); at != NULL; at = strstr(at, "--")) {
            size_t size = 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");
            option_print(&printed, at, size);
            at += size;
        }
    }
}

/* First words, or the second words of one group; each once, since a group's names stand
 * together in the list. */
static void words_print(const char *group)
{
    char last[64] = "";
    size_t skip = group != NULL ? strlen(group) + 1 : 0;
    struct command_cursor cursor = { 0 };
    for (const struct command *command = command_next(&cursor); command != NULL;
         command = command_next(&cursor)) {
        if (group != NULL &&
            (strncmp(command->name, group, skip - 1) != 0 || command->name[skip - 1] != ' ')) {
            continue;
        }
        const char *word = command->name + skip;
        int size = (int)strcspn(word, " ");
        if (strncmp(last, word, (size_t)size) == 0 && last[size] == '\0') {
            continue;
        }
        (void)snprintf(last, sizeof last, "%.*s", size, word);
        (void)printf("%s ", last);
    }
}

static void groups_print(void)
{
    char last[64] = "";
    struct command_cursor cursor = { 0 };
    for (const struct command *command = command_next(&cursor); command != NULL;
         command = command_next(&cursor)) {
        size_t size = strcspn(command->name, " ");
        if (command->name[size] == '\0' ||
            (strncmp(last, command->name, size) == 0 && last[size] == '\0')) {
            continue;
        }
        (void)snprintf(last, sizeof last, "%.*s", (int)size, command->name);
        (void)printf("    '%s') words='", last);
        words_print(last);
        (void)printf("' ;;\n");
    }
}

static void commands_print(void)
{
    struct command_cursor cursor = { 0 };
    for (const struct command *command = command_next(&cursor); command != NULL;
         command = command_next(&cursor)) {
        (void)printf("    '%s' | '%s '*) options='", command->name, command->name);
        options_print(command->usage, command->help);
        (void)printf("' ;;\n");
    }
}

/* Words before the cursor that are no options name the command: one or two of them. */
static void bash_print(void)
{
    (void)printf(
        "# Completion of kith for bash: source <(kith completion bash)\n"
        "_kith() {\n"
        "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
        "  local command='' words='' options='' word skip=no count=0 i\n"
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "    word=${COMP_WORDS[i]}\n"
        "    if [[ $skip == yes ]]; then skip=no; continue; fi\n"
        "    case $word in\n"
        "    --data | --wait) skip=yes ;;\n"
        "    -*) ;;\n"
        "    *) if ((count < 2)); then command+=${command:+ }$word; fi\n"
        "       count=$((count + 1)) ;;\n"
        "    esac\n"
        "  done\n"
        "  case $before in\n"
        "  --data | --out) mapfile -t COMPREPLY < <(compgen -d -- \"$current\"); return ;;\n"
        "  --config | --map) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;\n"
        "  esac\n"
        "  if ((count == 0)); then words='");
    words_print(NULL);
    (void)printf("'; fi\n"
                 "  if ((count == 1)); then\n"
                 "    case $command in\n");
    groups_print();
    (void)printf("    esac\n"
                 "  fi\n"
                 "  case $command in\n");
    commands_print();
    (void)printf("  esac\n"
                 "  if [[ $current == -* ]]; then\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$options " COMMON_OPTIONS
                 "\" -- \"$current\")\n"
                 "  elif [[ -n $words ]]; then\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
                 "  else\n"
                 "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
                 "  fi\n"
                 "}\n"
                 "complete -o filenames -F _kith kith\n");
}

static int completion_run(const struct invocation *invocation)
{
    static const char *const names[] = { "SHELL" };
    struct option_form form = { .word_names = names, .words_least = 1, .words_most = 1 };
    struct words words = { .count = 0 };
    int code = options_read(invocation, &form, &words);
    if (code != EXIT_DONE) {
        return code;
    }
    if (strcmp(words.texts[0], "bash") != 0) {
        return options_wrong_use(invocation, "there is completion for bash only, not '%s'",
                                 words.texts[0]);
    }
    bash_print();
    return EXIT_DONE;
}

const struct command commands_completion[] = {
    { .name = "completion",
      .usage = "completion bash",
      .summary = "prints completion of commands and options for a shell",
      .help = "Into the shell that runs now, or for all that will:\n"
              "\n"
              "examples:\n"
              "  source <(kith completion bash)\n"
              "  kith completion bash >/etc/bash_completion.d/kith\n",
      .needs_suite = false,
      .run = completion_run },
    { .name = NULL },
};
