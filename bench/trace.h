/*
 * When the events of a load were due and when they were acknowledged, by their seq: what comes
 * later of an event (its points, a segment's entry) is timed from there.
 */
#ifndef KITH_BENCH_TRACE_H
#define KITH_BENCH_TRACE_H

#include <stddef.h>
#include <stdint.h>

/* A run of seqs that one request was given. */
struct trace_run {
    uint64_t first_seq;
    uint32_t count;
    int64_t due_us;
    int64_t at_us;
};

/* Zeroes are an empty one. */
struct trace {
    size_t count;
    size_t capacity;
    struct trace_run *runs;
};

void trace_release(struct trace *trace);
void trace_note(struct trace *trace, const struct trace_run *run);
/* Before trace_find: answers come in another order than seqs. */
void trace_sort(struct trace *trace);
/* The run that holds `seq`; NULL: it was before this load. */
const struct trace_run *trace_find(const struct trace *trace, uint64_t seq);

#endif
