/*
 * Structured log lines on stderr: logfmt on a terminal, JSON otherwise. No personal data
 * above debug.
 */
#ifndef KITH_LOG_LOG_H
#define KITH_LOG_LOG_H

#include "common/base/clock.h"

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log {
    const struct clock *clock;
    int descriptor;
    bool json;
    enum log_level least;
    char service[32];
};

/* `name` stands in every line. `json` is chosen by isatty(descriptor). */
void log_init(struct log *log, const struct clock *clock, int descriptor, const char *name);
/* "debug", "info", "warn", "error"; false: none of them. */
bool log_level_parse(const char *text, enum log_level *level);

/* Of one line, its line feed included: what a pipe takes in one piece (PIPE_BUF), so lines
 * of several processes do not mix. Fields that do not fit are left out, and truncated=true
 * says so. */
#define LOG_LINE_BYTES 4096

/* `fields` is a printf format of key=value pairs separated by blanks, where values that may
 * hold anything but letters, digits and the like are given through log_quote. NULL: no
 * fields. One line, one write; a line that cannot be written is lost.
 *
 * In JSON, numbers of at most 15 digits stay numbers (every reader holds those exactly) and
 * true and false stay themselves; all else, and all that is quoted, is a string. A word
 * without `=` is a key with the value true. */
void log_line(const struct log *log, enum log_level level, const char *message, const char *fields,
              ...) __attribute__((format(printf, 4, 5)));

/* A value in double quotes, for one that may hold blanks, quotes or worse: JSON's escapes,
 * U+FFFD for bytes that are not UTF-8. Cut after a whole character where `size` (at least
 * 3) ends. Returns `out`, so that it can stand among the arguments of log_line. */
const char *log_quote(const char *text, char *out, size_t size);

/* At most one line a second for what a peer can cause as often as it likes. */
struct log_throttle {
    int64_t next_ms;
    uint64_t suppressed;
};
/* True: say it now; *suppressed gets how many were not said before. */
bool log_throttle_pass(struct log_throttle *throttle, int64_t now_ms, uint64_t *suppressed);

#endif
