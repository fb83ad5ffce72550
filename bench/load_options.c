#include "bench/load_options.h"

#include "bench/bench.h"
#include "bench/maker.h"
#include "common/base/limits.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void usage_print(void)
{
    (void)fputs("usage: kith-bench-load send --to ENDPOINT --run NAME [OPTION...]\n"
                "       kith-bench-load count --feed ENDPOINT --run FEED\n"
                "       kith-bench-load ready --to ENDPOINT [--seconds S]\n"
                "\n"
                "  --method M         ingest, post or spend\n"
                "  --batch N          items of a request; 1\n"
                "  --connections N    1\n"
                "  --in-flight N      requests of each connection; 1\n"
                "  --seconds S        how long at most, for SIGTERM ends it too; 1\n"
                "  --items N          at most so many\n"
                "  --rate R           items a second; as many as are answered otherwise\n"
                "  --customers N      1000\n"
                "  --sequential       each customer once, in order\n"
                "  --reader S=E       keep to what SERVICE at its feed socket E can follow\n"
                "  --watch F=E@SEQ    note when facts of FEED arrive, from behind SEQ on\n",
                stderr);
}

enum option_number {
    OPTION_TO = 1,
    OPTION_FEED,
    OPTION_RUN,
    OPTION_METHOD,
    OPTION_SEQUENTIAL,
    OPTION_READER,
    OPTION_WATCH,
    OPTION_NUMBERS /* those that are numbers come after, in the order of number_places */
};

static const struct option long_options[] = {
    { "to", required_argument, NULL, OPTION_TO },
    { "feed", required_argument, NULL, OPTION_FEED },
    { "run", required_argument, NULL, OPTION_RUN },
    { "method", required_argument, NULL, OPTION_METHOD },
    { "sequential", no_argument, NULL, OPTION_SEQUENTIAL },
    { "reader", required_argument, NULL, OPTION_READER },
    { "watch", required_argument, NULL, OPTION_WATCH },
    { "batch", required_argument, NULL, OPTION_NUMBERS },
    { "connections", required_argument, NULL, OPTION_NUMBERS + 1 },
    { "in-flight", required_argument, NULL, OPTION_NUMBERS + 2 },
    { "seconds", required_argument, NULL, OPTION_NUMBERS + 3 },
    { "items", required_argument, NULL, OPTION_NUMBERS + 4 },
    { "rate", required_argument, NULL, OPTION_NUMBERS + 5 },
    { "customers", required_argument, NULL, OPTION_NUMBERS + 6 },
    { NULL, 0, NULL, 0 },
};

static void list_add(const char **list, size_t *count, size_t most, const char *text)
{
    if (*count == most) {
        bench_fail("at most %zu of them: %s", most, text);
    }
    list[(*count)++] = text;
}

static void option_take(struct load_options *options, int option, const char *text)
{
    double *const number_places[] = {
        &options->batch, &options->connections, &options->in_flight, &options->seconds,
        &options->items, &options->rate,        &options->customers,
    };
    assert(text != NULL || option == OPTION_SEQUENTIAL);
    switch (option) {
    case OPTION_TO:
        options->endpoint = text;
        break;
    case OPTION_FEED:
        options->feed = text;
        break;
    case OPTION_RUN:
        options->run = text;
        break;
    case OPTION_METHOD:
        options->method = text;
        break;
    case OPTION_SEQUENTIAL:
        options->sequential = true;
        break;
    case OPTION_READER:
        list_add(options->readers, &options->reader_count, KEEPER_READERS_MAX, text);
        break;
    case OPTION_WATCH:
        list_add(options->watches, &options->watch_count, LOAD_WATCHES_MAX, text);
        break;
    default:
        assert(option >= OPTION_NUMBERS);
        *number_places[option - OPTION_NUMBERS] = bench_number(long_options[option - 1].name, text);
    }
}

bool load_options_read(struct load_options *options, int argc, char **argv)
{
    *options = (struct load_options){ .method = "ingest",
                                      .run = "",
                                      .seconds = 1,
                                      .batch = 1,
                                      .connections = 1,
                                      .in_flight = 1,
                                      .customers = 1000 };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?') {
            usage_print();
            return false;
        }
        option_take(options, option, optarg);
    }
    options->mode = optind + 1 == argc ? argv[optind] : "";
    bool sends = strcmp(options->mode, "send") == 0 && options->endpoint != NULL;
    bool counts = strcmp(options->mode, "count") == 0 && options->feed != NULL;
    bool asks = strcmp(options->mode, "ready") == 0 && options->endpoint != NULL;
    if ((!sends && !counts && !asks) || strlen(options->run) > MAKER_RUN_BYTES - 2 ||
        options->batch < 1 || options->batch > LIMIT_BATCH_ITEMS || options->customers < 1) {
        usage_print();
        return false;
    }
    return true;
}
