/*
 * The shell itself, with everything it touches as an argument: the same code runs a
 * process over ZeroMQ and, in tests, over queues in memory and a clock by hand.
 */
#ifndef KITH_SERVICE_SHELL_H
#define KITH_SERVICE_SHELL_H

#include "common/base/clock.h"
#include "common/journal/journal.h"
#include "common/log/log.h"
#include "common/service/replay.h"
#include "common/service/service.h"
#include "common/wire/transport.h"

struct shell;

/* A producer shard that this service reads; its index is its transport peer. */
struct shell_peer {
    struct feed_name feed;
};

struct shell_options {
    const struct service_definition *definition;
    void *service; /* what definition->open made; stays the caller's */
    uint32_t shard;
    struct clock clock;
    const struct transport *transport;
    struct journal *journal; /* NULL: the service keeps none */
    struct store *store;
    const struct log *log;
    const struct suite_service *limits;
    bool event_clock;
    uint64_t epoch; /* of the journal; without one: of this store */
    const struct shell_peer *peers;
    unsigned peer_count;
    unsigned admin_port; /* only told in status */
    /* For verify: read under another name, so that the service's own Fetch is not replaced,
     * and per peer no further than this. NULL: as the service itself. */
    const char *consumer;
    const uint64_t *stop_at;
    struct replay_watch watch; /* over the recovery */
};

/* Recovers: evolves the blocks after the checkpoint, checks state against the journal,
 * then lets the service start (RulesChanged). On STATUS_OK the caller owns *shell.
 *   STATUS_CORRUPT  journal and state do not belong together, or rot
 *   STATUS_ABORTED  the watch over its recovery says that it shall not go on
 * Where it fails and *shell is the caller's all the same, the commit of the start's own turn has
 * failed: its outcome is unknown, as with shell_turn. */
MUST_USE enum status shell_open(struct shell **shell, const struct shell_options *options,
                                struct refusal *refusal);
void shell_close(struct shell **shell);
/* From here on effects leave the process; without this call none do. */
MUST_USE enum status shell_effects_start(struct shell *shell, struct refusal *refusal);

/* One turn: drain, decide, evolve, append, sync, answer. Anything but STATUS_OK: the
 * outcome of the turn is unknown, end the process without a word to anybody. */
MUST_USE enum status shell_turn(struct shell *shell);
/* How long the caller may wait for input before the next turn; 0: there is work. */
int64_t shell_wait_ms(struct shell *shell);
/* Before a stop: is an effect still out whose outcome may come soon? And a turn that takes
 * outcomes and nothing else. */
bool shell_effects_are_out(const struct shell *shell);
MUST_USE enum status shell_effects_turn(struct shell *shell);
/* Finish: a last block for what is folded and not yet journalled, a whole checkpoint. */
MUST_USE enum status shell_stop(struct shell *shell);

/* Every feed is folded up to its `stop_at`. */
bool shell_is_at_stop(const struct shell *shell);
/* The sum of all positions folded: whoever waits for progress compares two. */
uint64_t shell_progress(const struct shell *shell);

/* True when all is well; otherwise `why` says what stands still. */
bool shell_is_ready(const struct shell *shell, char *why, size_t size);

/* Prometheus text. */
void shell_metrics(const struct shell *shell, struct buffer *out);

#endif
