/*
 * Sends the rows of a source to ingestion in batches, several in flight, until each has its
 * reply: resends with the same keys what was lost, refused for now, or out of order.
 */
#ifndef KITH_CLI_LOADER_H
#define KITH_CLI_LOADER_H

#include "cli/load_source.h"
#include "cli/run_file.h"

/* All of it outlives the loader. */
struct loader_options {
    const char *endpoint;       /* of ingestion's commands */
    struct load_source *source; /* at the place that the run's state names */
    struct run_file *run;       /* saved at least once */
    const char *source_name;    /* of raw rows */
    uint64_t batch_rows;        /* 1..LIMIT_BATCH_ITEMS */
    unsigned in_flight;         /* 1..LIMIT_IN_FLIGHT */
    uint64_t rate;              /* rows a second; 0: as fast as can be */
    int64_t wait_ms;            /* how long no batch need be answered */
    int stop_descriptor;        /* readable: stop cleanly; -1: never */
};

enum load_end {
    LOAD_DONE,        /* every row has its reply; the run's state says so, and is saved */
    LOAD_STOPPED,     /* as was asked for */
    LOAD_UNREACHABLE, /* nothing was answered for wait_ms */
    LOAD_STALE,       /* ingestion does not know this run as we do: a new one is needed */
    LOAD_FAILED,
};

/* The state is saved about once a second and at the end, whatever the end. The refusal
 * explains all ends but LOAD_DONE and LOAD_STOPPED. */
enum load_end loader_run(const struct loader_options *options, struct refusal *refusal);

#endif
