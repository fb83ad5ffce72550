#include "cli/options.h"

#include "common/base/money.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DISTANCE_BYTES_MAX 63

/* ---- values */

static const char *kind_text(enum option_kind kind)
{
    switch (kind) {
    case OPTION_FLAG:
        return "nothing";
    case OPTION_TEXT:
        return "a text";
    case OPTION_NUMBER:
        return "a whole number from 0";
    case OPTION_TIME:
        return "a time such as 1998-06-30T00:00:00Z";
    case OPTION_DATE:
        return "a date such as 1998-06-30";
    case OPTION_DURATION:
        return "a duration such as 30s, 90m, 1d or PT1H";
    }
    assert(false);
    return "";
}

static enum status number_take(const char *text, uint64_t *number)
{
    int64_t value = 0;
    enum status status = integer_parse(span_of_text(text), &value);
    if (status != STATUS_OK || value < 0) {
        return STATUS_MALFORMED;
    }
    *number = (uint64_t)value;
    return STATUS_OK;
}

static enum status value_take(const struct option *option, const char *text)
{
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->target = true;
        return STATUS_OK;
    case OPTION_TEXT:
        *(const char **)option->target = text;
        return STATUS_OK;
    case OPTION_NUMBER:
        return number_take(text, option->target);
    case OPTION_TIME:
        return time_parse(span_of_text(text), option->target);
    case OPTION_DATE:
        return date_parse(span_of_text(text), option->target);
    case OPTION_DURATION:
        return duration_parse(span_of_text(text), option->target);
    }
    assert(false);
    return STATUS_INTERNAL;
}

/* ---- finding */

/* Letters of `word` up to a '=' after them, or all. */
static size_t name_size(const char *word)
{
    return strcspn(word, "=");
}

static struct option *option_find(const struct option_form *form, const char *word)
{
    size_t size = name_size(word);
    for (size_t i = 0; i < form->option_count; i++) {
        const char *name = form->options[i].name;
        if (strlen(name) == size && memcmp(name, word, size) == 0) {
            return &form->options[i];
        }
    }
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t options_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > DISTANCE_BYTES_MAX || b_size > DISTANCE_BYTES_MAX) {
        return SIZE_MAX;
    }
    size_t row[DISTANCE_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = least(changed, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_size];
}

static enum status unknown_refuse(const struct option_form *form, const char *word,
                                  struct refusal *refusal)
{
    const char *nearest = NULL;
    size_t nearest_distance = 3;
    for (size_t i = 0; i < form->option_count; i++) {
        size_t distance = options_distance(form->options[i].name, word);
        if (distance < nearest_distance) {
            nearest = form->options[i].name;
            nearest_distance = distance;
        }
    }
    if (nearest != NULL) {
        return refusal_set(refusal, STATUS_MALFORMED, "unknown option '%s', did you mean '%s'?",
                           word, nearest);
    }
    return refusal_set(refusal, STATUS_MALFORMED, "unknown option '%s'", word);
}

/* ---- reading */

/* Takes argv[*at], which begins with a dash, and its value if that is the next word. */
static enum status option_take(const struct option_form *form, int argc, char **argv, int *at,
                               struct refusal *refusal)
{
    const char *word = argv[*at];
    struct option *option = option_find(form, word);
    if (option == NULL) {
        return unknown_refuse(form, word, refusal);
    }
    bool joined = word[name_size(word)] == '=';
    const char *value = joined ? word + name_size(word) + 1 : NULL;
    if (option->kind == OPTION_FLAG && joined) {
        return refusal_set(refusal, STATUS_MALFORMED, "%s takes no value", option->name);
    }
    if (option->given) {
        return refusal_set(refusal, STATUS_MALFORMED, "%s is given twice", option->name);
    }
    if (option->kind != OPTION_FLAG && !joined) {
        if (*at + 1 >= argc) {
            return refusal_set(refusal, STATUS_MALFORMED, "%s takes %s, and nothing follows it",
                               option->name, kind_text(option->kind));
        }
        *at += 1;
        value = argv[*at];
    }
    if (value_take(option, value) != STATUS_OK) {
        return refusal_set(refusal, STATUS_MALFORMED, "%s takes %s, not '%s'", option->name,
                           kind_text(option->kind), value);
    }
    option->given = true;
    return STATUS_OK;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static enum status words_check(const struct option_form *form, const struct words *words,
                               struct refusal *refusal)
{
    if (words->count < form->words_least) {
        return refusal_set(refusal, STATUS_MALFORMED, "%s is missing",
                           form->word_names[words->count]);
    }
    if (words->count > form->words_most) {
        return refusal_set(refusal, STATUS_MALFORMED, "'%s' is one word too many",
                           words->texts[form->words_most]);
    }
    return STATUS_OK;
}

enum status options_parse(const struct option_form *form, int argc, char **argv,
                          struct words *words, struct refusal *refusal)
{
    bool only_words = false;
    size_t count = 0;
    enum status status = STATUS_OK;
    for (int i = 0; i < argc && status == STATUS_OK; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && is_option(argv[i])) {
            status = option_take(form, argc, argv, &i, refusal);
        } else {
            argv[count++] = argv[i]; /* never past i */
        }
    }
    struct words taken = { .texts = argv, .count = count };
    if (status == STATUS_OK) {
        status = words_check(form, &taken, refusal);
    }
    if (status == STATUS_OK) {
        *words = taken;
    }
    return status;
}

int options_wrong_use(const struct invocation *invocation, const char *format, ...)
{
    const char *name = invocation->command->name;
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "kith %s: ", name);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\nusage: kith %s\nsee kith %s --help\n", invocation->command->usage,
                  name);
    va_end(arguments);
    return EXIT_USAGE;
}

int options_read(const struct invocation *invocation, const struct option_form *form,
                 struct words *words)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct words none = { 0 };
    enum status status = options_parse(form, invocation->argc, invocation->argv,
                                       words != NULL ? words : &none, &refusal);
    return status == STATUS_OK ? EXIT_DONE : options_wrong_use(invocation, "%s", refusal.message);
}
