/*
 * A toy that is served: its folder, its two stores, its port and its shell, under a clock
 * that the test moves by hand. And a client that asks it.
 */
#ifndef KITH_TESTS_SUPPORT_TOY_NODE_H
#define KITH_TESTS_SUPPORT_TOY_NODE_H

#include "common/service/shell.h"
#include "common/wire/wire.h"
#include "tests/support/memory_transport.h"
#include "tests/support/toy_service.h"

#define TOY_TABLES 5 /* the shell's and the toy's */
#define TOY_WALL_MS INT64_C(1750000000000)

struct toy_clock {
    int64_t wall_ms;
    int64_t monotonic_ms;
    int64_t wall_step_ms; /* each look at it moves it on */
};

struct toy_node_options {
    struct toy_options toy;
    uint32_t read_shards; /* of the first feed that it reads; 0: 1 */
    bool event_clock;
    uint32_t shard;
    uint32_t shards;                 /* 0: 1 */
    size_t checkpoint_records;       /* 0: the usual */
    bool has_flush_thread;           /* of its own state, as a process has */
    uint32_t checkpoint_interval_ms; /* as those below: 0 is the usual */
    uint32_t turn_requests_max;
    uint32_t turn_bytes_max;
    size_t journal_map_bytes;
};

struct toy_node {
    struct toy_node_options options;
    struct toy_clock *clock;
    struct memory_network *network;
    struct toy toy;
    char folder[64];
    char journal_path[96];
    char state_path[96];
    struct suite_service limits;
    struct memory_port *port;
    struct transport transport;
    struct journal *journal;
    struct store *store;
    struct shell *shell;
};

/* A new folder, and the toy served from it. `node` must stay where it is. Its port bears
 * the toy's name, and "-N" behind it where the shard is not 0. */
void toy_node_open(struct toy_node *node, struct memory_network *network, struct toy_clock *clock,
                   const struct toy_node_options *options);
/* Serves again from the same folder, with what stands in node->options. The status is that
 * of shell_open, and on failure the node is as after a crash. */
MUST_USE enum status toy_node_try(struct toy_node *node, struct refusal *refusal);
/* The same, asserted to go well. */
void toy_node_reopen(struct toy_node *node);
/* Ends it without a word: what is not in the stores is lost. */
void toy_node_crash(struct toy_node *node);
/* Ends it in order. */
void toy_node_stop(struct toy_node *node);
/* Ends it, and removes its folder. */
void toy_node_remove(struct toy_node *node);

/* The name of the port of a toy's shard. */
void toy_port_name(char *out, size_t size, const char *name, uint32_t shard);

void toy_node_turn(struct toy_node *node);
/* Turns until there is nothing to do now; asserts that this comes. */
void toy_node_settle(struct toy_node *node);

/* Digests of what the shell sees; and of the journal evolved into an empty store. */
struct toy_digests {
    struct store_digest tables[TOY_TABLES];
};
void toy_node_digests(const struct toy_node *node, struct toy_digests *digests);
void toy_node_rebuild(struct toy_node *node, struct toy_digests *digests);
/* The first of the tables below that the toy owns; those before are the shell's. */
#define TOY_TABLES_OWN (TOY_TABLES - 1)
/* Of the tables from `first` on. */
bool toy_digests_equal(const struct toy_digests *a, const struct toy_digests *b, size_t first);

/* ---- a client */

struct toy_client {
    struct memory_port *port;
    struct transport transport;
    const struct toy_clock *clock;
    uint64_t request_id; /* of the newest request */
    uint32_t timeout_ms; /* of the requests to come; 0: none */
    struct buffer header;
    struct buffer body;
};

/* `target`: the name of the port that it asks. */
void toy_client_open(struct toy_client *client, struct memory_network *network,
                     const struct toy_clock *clock, const char *name, const char *target);
void toy_client_close(struct toy_client *client);

/* Sends client->body to `server`. `key` NULL: a question. Returns the request's id. */
uint64_t toy_client_send(struct toy_client *client, enum transport_server server,
                         const char *method, const char *key);
/* The same with a time of the key that is not now. */
uint64_t toy_client_send_issued(struct toy_client *client, const char *method, const char *key,
                                int64_t issued_at_ms);
uint64_t toy_client_add(struct toy_client *client, const char *key, const struct toy_add *add);

/* The next answer of `server`; false: none is here. Ended with toy_answer_release. */
struct toy_answer {
    struct toy_client *client;
    struct message message;
    struct reply_header header;
    struct span body;
};
bool toy_client_answer(struct toy_client *client, enum transport_server server,
                       struct toy_answer *answer);
void toy_answer_release(struct toy_answer *answer);

#endif
