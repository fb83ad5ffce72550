/*
 * A command's own options, by a table on its stack: where each value goes, and what it may
 * be. "--from 5", "--from=5", and after "--" only words. Words and options may be mixed.
 */
#ifndef KITH_CLI_OPTIONS_H
#define KITH_CLI_OPTIONS_H

#include "cli/command.h"
#include "common/base/refusal.h"

#include <stddef.h>

enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char *: of argv */
    OPTION_NUMBER,   /* uint64_t: whole, not negative */
    OPTION_TIME,     /* int64_t: RFC 3339, as milliseconds since 1970 */
    OPTION_DATE,     /* int64_t: YYYY-MM-DD, as days since 1970 */
    OPTION_DURATION, /* int64_t: "30s", "PT30S", as milliseconds */
};

struct option {
    const char *name; /* "--from"; or short: "-c" */
    enum option_kind kind;
    void *target; /* as the kind says; keeps what it held when the option is not given */
    bool given;   /* set by options_parse */
};

/* What a command takes: its options, and its words by name. */
struct option_form {
    struct option *options;
    size_t option_count;
    const char *const *word_names; /* those that must be there, in their order */
    size_t words_least;
    size_t words_most;
};

struct words {
    char **texts; /* of argv */
    size_t count; /* between the form's least and most */
};

/* Takes the options out of `argv`: the words that remain stand at its front, in their order.
 * STATUS_MALFORMED: `refusal` names the option or the word and says what it takes. */
MUST_USE enum status options_parse(const struct option_form *form, int argc, char **argv,
                                   struct words *words, struct refusal *refusal);

/* The same for a command: on wrong use says so on stderr and returns EXIT_USAGE, otherwise
 * EXIT_DONE. */
MUST_USE int options_read(const struct invocation *invocation, const struct option_form *form,
                          struct words *words);
/* "kith COMMAND: SENTENCE" and where to read more, on stderr; EXIT_USAGE. */
int options_wrong_use(const struct invocation *invocation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How many letters must change to make one word of the other: for proposals. Words of more
 * than 63 bytes are as far apart as can be. */
size_t options_distance(const char *a, const char *b);

#endif
