/*
 * What kith-bench-load is told on its command line.
 */
#ifndef KITH_BENCH_LOAD_OPTIONS_H
#define KITH_BENCH_LOAD_OPTIONS_H

#include "bench/keeper.h"

#include <stdbool.h>
#include <stddef.h>

#define LOAD_WATCHES_MAX 2

struct load_options {
    const char *mode;
    const char *endpoint;
    const char *feed;
    const char *method;
    const char *run;
    double seconds;
    double rate;  /* items a second; 0: as fast as answers come */
    double items; /* 0: until the time is over */
    double batch;
    double connections;
    double in_flight; /* of each connection */
    double customers;
    bool sequential;
    size_t reader_count;
    const char *readers[KEEPER_READERS_MAX];
    size_t watch_count;
    const char *watches[LOAD_WATCHES_MAX];
};
/* False: it was no call that makes sense, and the usage was printed. The texts are argv's. */
bool load_options_read(struct load_options *options, int argc, char **argv);

#endif
