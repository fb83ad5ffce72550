/*
 * What every command of `kith` is given, and the table of them.
 *
 *   main.c          finds the command, reads the common options
 *   options.c       a command's own options, by a table
 *   command_*.c     one subject each: suite (up, down, status), ingest, gen, report,
 *                   loyalty, segment, campaign, tail, clock, quarantine, config, verify, consumer
 *   suite.c         where the services are, asking them
 *   wait_pass.c     the one pass of waiting for what was acknowledged
 *   feed_stream.c   the facts of one shard of a feed, one by one
 *   output.c        JSON lines and tables
 *   supervisor*.c   what `kith up` does: starts services, and starts them again
 *
 * Results go to stdout, talk to stderr. Exit: 0 done, 1 failed or refused, 2 wrong use,
 * 3 not reachable or waited too long.
 */
#ifndef KITH_CLI_COMMAND_H
#define KITH_CLI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
};

struct command;

struct invocation {
    const struct command *command; /* the one that runs: its name stands in messages */
    const char *data;              /* --data, or KITH_SUITE; NULL: neither was given */
    bool json;                     /* --json */
    bool stale;                    /* --stale: do not wait for what was acknowledged */
    int64_t wait_ms;               /* --wait: how long to wait, and for an answer; 30 s */
    int argc;                      /* words after the command's own name(s), options included */
    char **argv;
};

/* `name` may have two words ("loyalty balance"). */
struct command {
    const char *name;
    const char *usage;   /* "loyalty balance CUSTOMER [--programme P]" */
    const char *summary; /* one line for the list */
    const char *help;    /* what it does, options, two or three examples */
    bool needs_suite;    /* main refuses with the mend if `data` is NULL */
    int (*run)(const struct invocation *invocation);
};

/* Each file of commands offers its own table, ended by a NULL name. */
extern const struct command commands_suite[]; /* up, down, status, stop, start, restart */
extern const struct command commands_top[];
extern const struct command commands_ingest[];
extern const struct command commands_gen[];
extern const struct command commands_report[];
extern const struct command commands_loyalty[];
extern const struct command commands_segment[];
extern const struct command commands_campaign[];
extern const struct command commands_clock[];
extern const struct command commands_tail[];
extern const struct command commands_quarantine[];
extern const struct command commands_check[]; /* config check, verify, consumer */
extern const struct command commands_completion[];

#endif
