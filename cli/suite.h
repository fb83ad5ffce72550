/*
 * A running suite, as commands see it: which services it has, asking them, and the
 * sentences for when it is not there.
 */
#ifndef KITH_CLI_SUITE_H
#define KITH_CLI_SUITE_H

#include "cli/command.h"
#include "cli/suite_file.h"
#include "common/base/id.h"
#include "common/base/position.h"
#include "common/client/client.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

struct suite;

/* EXIT_DONE when a supervisor runs; otherwise says how to start one, and EXIT_UNREACHABLE. */
int suite_running_check(const struct invocation *invocation);

/* Reads DIR/run/suite.json; asks nobody yet. NULL on failure: said on stderr, and *code is
 * what to exit with (EXIT_UNREACHABLE when the suite does not run). */
struct suite *suite_open(const struct invocation *invocation, int *code);
void suite_close(struct suite **suite);

const struct suite_file *suite_facts(const struct suite *suite);
/* Milliseconds until --wait is over, at least 1000: a question is always given a chance. */
int64_t suite_patience_ms(const struct suite *suite);
/* How many shards; 0: the suite has no such service. */
uint32_t suite_shards(const struct suite *suite, const char *service);
/* The same, and when it is 0, "this suite has no SERVICE service" on stderr. */
uint32_t suite_shards_needed(const struct suite *suite, const char *service);
/* The shard whose partition the customer lies in.
 * STATUS_NOT_FOUND and others as suite_key_load. */
MUST_USE enum status suite_shard_of(struct suite *suite, const char *service, const char *customer,
                                    uint32_t *shard, struct refusal *refusal);

enum suite_socket { SUITE_COMMANDS, SUITE_FEED };

/* Opened at first use, closed with the suite. NULL: `refusal` says why. */
struct client *suite_client(struct suite *suite, const char *service, uint32_t shard,
                            enum suite_socket socket, struct refusal *refusal);

struct suite_call {
    const char *service;
    uint32_t shard;
    enum suite_socket socket;
    const char *method;
    const char *key; /* commands; NULL otherwise */
    const ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *reply;
    int64_t timeout_ms;
};

/* Asks and unpacks the answer, which lives until the next call to this suite. NULL: the
 * refusal tells why. */
const void *suite_call(struct suite *suite, const struct suite_call *call, struct refusal *refusal);
/* suite_call, and on failure says so ("loyalty/0: ...") and sets *code. */
const void *suite_ask(struct suite *suite, const struct suite_call *call, int *code);

/* ---- positions: how far something goes, per feed */

struct positions {
    size_t count;
    struct {
        struct feed_name feed;
        uint64_t seq;
    } items[LIMIT_FEEDS];
};

/* Sets a feed's position, or makes it the lesser of what it is and `seq`: an answer made of
 * several includes only what all of them include. Past LIMIT_FEEDS it is dropped. */
void positions_lower(struct positions *positions, const char *feed, uint32_t shard, uint64_t seq);
/* The same for each of a reply's positions. */
struct Kith__V1__Position;
void positions_take(struct positions *positions, struct Kith__V1__Position *const *taken,
                    size_t count);
/* {"ingestion/0": 123} */
json_t *positions_json(const struct positions *positions);

/* ---- time */

int64_t suite_monotonic_ms(void);

#endif
