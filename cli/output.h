/*
 * What commands print. Results go to stdout: with --json one object a line, otherwise a
 * table for people that fits the terminal. Talk goes to stderr.
 *
 * A command builds jansson objects and gives them away here; keys keep their order.
 */
#ifndef KITH_CLI_OUTPUT_H
#define KITH_CLI_OUTPUT_H

#include "cli/command.h"
#include "common/base/bytes.h"
#include "common/base/refusal.h"

#include <jansson.h>
#include <stdio.h>

/* Rows of a table wider than this many columns of text are cut. */
#define OUTPUT_WIDTH_DEFAULT 100

/* ---- values */

/* The object with one more key. `value` is taken; both live on in `object`. */
void output_put(json_t *object, const char *key, json_t *value);
/* The same under a key from outside, which is shown as output_text shows it. */
void output_put_named(json_t *object, struct span key, json_t *value);
/* A text; bytes that are no UTF-8 as "0x" and hexadecimal digits. */
json_t *output_text(struct span text);
/* NULL and NULL's text are null. */
json_t *output_text_or_null(const char *text);
/* Past 2^63 - 1, which no number of ours reaches, the greatest that JSON's readers take. */
json_t *output_unsigned(uint64_t number);
/* RFC 3339, UTC. */
json_t *output_time(int64_t at_ms);

/* ---- one object: a JSON line, or lines of "key  value" */

/* Takes `object`. */
void output_object(const struct invocation *invocation, json_t *object);
/* Always as a JSON line. Takes `object`. */
void output_line(json_t *object);

/* ---- many objects: JSON lines, or one table with a column for each key of the first */

struct listing;

void listing_open(struct listing **listing, const struct invocation *invocation);
/* Takes `object`. With --json it is printed at once. */
void listing_add(struct listing *listing, json_t *object);
/* Prints the table, or `nothing` (on stderr) when there was no object; ends the listing. */
void listing_close(struct listing **listing, const char *nothing);
/* The table of an array of objects into `file`, rows cut to `width` columns. */
void listing_print(const json_t *rows, FILE *file, size_t width);

/* ---- talk */

/* "kith: SENTENCE" on stderr. */
void output_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The refusal's sentence and its violations, on stderr; `who` ("loyalty/0") stands before
 * it unless NULL. Returns the exit code that its status means. */
int output_refusal(const char *who, const struct refusal *refusal);
/* Columns of the terminal that `file` is; no bound where it is none. */
size_t output_width(FILE *file);
/* Whether `file` is a terminal that may be coloured. */
bool output_is_coloured(FILE *file);

#endif
