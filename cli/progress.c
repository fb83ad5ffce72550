#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define TERMINAL_MS 200
#define LOG_MS 10000
#define LEFT_BYTES 32

void progress_begin(struct progress *progress, const struct progress_state *state, int64_t now_ms)
{
    *progress = (struct progress){ .is_terminal = isatty(STDERR_FILENO) != 0,
                                   .begun_at_ms = now_ms,
                                   .told_at_ms = now_ms,
                                   .rows_before = state->rows,
                                   .share_before = state->share };
}

/* "1:05 left"; empty while nothing can be said. */
static void left_text(const struct progress *progress, const struct progress_state *state,
                      int64_t spent_ms, char out[LEFT_BYTES])
{
    double done = state->share - progress->share_before;
    out[0] = '\0';
    if (done < 0.001) {
        return;
    }
    double left_s = (double)spent_ms / 1000 * (1 - state->share) / done;
    uint64_t seconds = left_s < 1e7 ? (uint64_t)left_s : UINT64_C(10000000);
    (void)snprintf(out, LEFT_BYTES, ", %" PRIu64 ":%02u left", seconds / 60,
                   (unsigned)(seconds % 60));
}

void progress_tell(struct progress *progress, const struct progress_state *state, int64_t now_ms)
{
    if (now_ms - progress->told_at_ms < (progress->is_terminal ? TERMINAL_MS : LOG_MS)) {
        return;
    }
    progress->told_at_ms = now_ms;
    int64_t spent_ms = now_ms - progress->begun_at_ms;
    uint64_t rows = state->rows - progress->rows_before;
    uint64_t rate = spent_ms > 0 ? rows * 1000 / (uint64_t)spent_ms : 0;
    char left[LEFT_BYTES];
    left_text(progress, state, spent_ms, left);
    (void)fprintf(stderr, "%s%" PRIu64 " rows, %" PRIu64 " rows/s, %d %%%s%s",
                  progress->is_terminal ? "\r" : "kith: ", state->rows, rate,
                  (int)(state->share * 100), left, progress->is_terminal ? "\033[K" : "\n");
    (void)fflush(stderr);
    progress->is_open = progress->is_terminal;
}

void progress_end(struct progress *progress)
{
    if (progress->is_open) {
        (void)fputc('\n', stderr);
        progress->is_open = false;
    }
}
