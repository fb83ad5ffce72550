#include "bench/trace.h"

#include "common/base/bytes.h"

#include <stdlib.h>

#define RUNS_FIRST 1024

void trace_release(struct trace *trace)
{
    free(trace->runs);
    *trace = (struct trace){ .count = 0 };
}

void trace_note(struct trace *trace, const struct trace_run *run)
{
    if (trace->count == trace->capacity) {
        trace->capacity = trace->capacity == 0 ? RUNS_FIRST : 2 * trace->capacity;
        trace->runs = memory_resize(trace->runs, trace->capacity * sizeof *trace->runs);
    }
    trace->runs[trace->count++] = *run;
}

static int run_compare(const void *a, const void *b)
{
    const struct trace_run *left = a;
    const struct trace_run *right = b;
    return left->first_seq < right->first_seq ? -1 : left->first_seq > right->first_seq;
}

void trace_sort(struct trace *trace)
{
    if (trace->count > 0) {
        qsort(trace->runs, trace->count, sizeof *trace->runs, run_compare);
    }
}

const struct trace_run *trace_find(const struct trace *trace, uint64_t seq)
{
    size_t low = 0;
    size_t high = trace->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct trace_run *run = &trace->runs[middle];
        if (seq < run->first_seq) {
            high = middle;
        } else if (seq >= run->first_seq + run->count) {
            low = middle + 1;
        } else {
            return run;
        }
    }
    return NULL;
}
