/*
 * How far a load is, on stderr: one line that is written over on a terminal, a line every
 * ten seconds elsewhere.
 */
#ifndef KITH_CLI_PROGRESS_H
#define KITH_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_terminal;
    int64_t begun_at_ms; /* monotonic */
    int64_t told_at_ms;
    uint64_t rows_before; /* of an earlier part of the run */
    double share_before;
    bool is_open; /* a line stands there without its end */
};

struct progress_state {
    uint64_t rows;
    double share; /* of all bytes, 0 to 1 */
};

void progress_begin(struct progress *progress, const struct progress_state *state, int64_t now_ms);
/* Tells when it is time to. */
void progress_tell(struct progress *progress, const struct progress_state *state, int64_t now_ms);
/* Before anything else is said on stderr. */
void progress_end(struct progress *progress);

#endif
