/*
 * A service as a process: folders and files of a shard, the pid file's lock, signals, and
 * the loop around the shell.
 */
#ifndef KITH_SERVICE_PROCESS_H
#define KITH_SERVICE_PROCESS_H

#include "common/base/limits.h"
#include "common/log/log.h"
#include "common/service/shell.h"

#define PROCESS_PATH_BYTES 4096

/* What the command line said. */
struct process_options {
    const char *config;
    const char *data;
    uint32_t shard;
    bool json;
};

/* Everything that a service's verbs need, opened in this order and closed in reverse. */
struct process {
    const struct service_definition *definition;
    struct suite_config config;
    const struct suite_service *own;
    uint8_t suite_key[32];
    struct service_environment environment;
    struct store_table tables[64]; /* the shell's and the service's */
    size_t table_count;
    struct journal_options journal_options;
    struct store_options store_options;
    char folder[PROCESS_PATH_BYTES];
    char journal_path[PROCESS_PATH_BYTES + 16];
    char state_path[PROCESS_PATH_BYTES + 16];
};

/* Reads config and key, and fills in where things lie. The caller ends it with
 * process_release. */
MUST_USE enum status process_init(struct process *process,
                                  const struct service_definition *definition,
                                  const struct process_options *options, struct refusal *refusal);
void process_release(struct process *process);

/* The producer shards that the service reads, in the order of transport peers. */
struct process_peers {
    unsigned count;
    struct shell_peer peers[LIMIT_FEEDS];
    char endpoints[LIMIT_FEEDS][SUITE_ENDPOINT_BYTES];
};
MUST_USE enum status process_peers_fill(const struct process *process, struct process_peers *peers,
                                        struct refusal *refusal);

/* The verb `serve`: until SIGTERM or SIGINT. Returns the exit code. */
int process_serve(struct process *process, const struct process_options *options,
                  const struct log *log);

/* The verbs `verify-journal` and `verify-state`: their findings on stdout. */
int verify_journal(struct process *process, const struct process_options *options);
int verify_state(struct process *process, const struct process_options *options);

#endif
