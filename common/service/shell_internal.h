/*
 * What the files of the shell share. Nobody else includes this.
 *
 *   shell.c     opening, recovery, the turn, stopping
 *   turn.c      what a service may do within a turn; blocks of the turn
 *   request.c   commands and questions: idempotency, deciding, outcomes
 *   follow.c    feeds folded in order, time that passes, cursors
 *   ledger.c    the shell's own tables: cursors, requests, now; their evolve
 *   builtin.c   service.Status and consumer.Accept
 *   metrics.c   Prometheus text
 */
#ifndef KITH_SERVICE_SHELL_INTERNAL_H
#define KITH_SERVICE_SHELL_INTERNAL_H

#include "common/base/limits.h"
#include "common/feed/feed_producer.h"
#include "common/feed/feed_reader.h"
#include "common/service/shell.h"

/* A turn of LIMIT_TURN_BYTES of input makes at most about three times as many bytes of
 * blocks, and blocks are closed when the next record would not fit. */
#define TURN_BLOCKS_MAX 48
/* Intake stops here, so that one more request of the largest size still fits. */
#define TURN_BLOCKS_FULL 32
/* Feeds and commands take turns in slices of this many input bytes. */
#define TURN_SLICE_BYTES (256 * 1024)
/* Positions folded without effect before a block is written for the cursor alone. */
#define CURSOR_IDLE_MAX 100000
#define READERS_CHECK_MS 10000
#define SPACE_CHECK_MS 1000

/* ---- the shell's own tables: numbers for ever */
enum shell_table {
    SHELL_TABLE_CURSOR = 1,      /* feed name, shard -> cursor */
    SHELL_TABLE_REQUEST = 2,     /* hash of the key -> where its outcome stands */
    SHELL_TABLE_REQUEST_AGE = 3, /* issued_at, hash of the key -> nothing */
    SHELL_TABLE_NOW = 4,         /* -> the service's now, the newest wall time */
};
#define SHELL_TABLES 4
extern const struct store_table shell_tables[SHELL_TABLES];

/* Where the outcome of a request stands in the journal. */
struct request_place {
    struct hash128 body_hash;
    uint64_t first_seq;
    uint64_t block;
    uint32_t index; /* the nth outcome of its block */
    int64_t issued_at_ms;
};

struct outgoing {
    struct route route;
    struct buffer header;
    struct buffer body;
};

/* An outcome of this turn, so that a second copy of the request gets the same. */
struct turn_outcome {
    struct hash128 key;
    struct hash128 body_hash;
    size_t outgoing;
    size_t stored_bytes; /* of its header: what stands before the request id */
};

struct turn {
    struct shell *shell;
    int64_t wall_ms;
    uint64_t cause;
    bool may_emit;
    uint64_t emitted;  /* facts and private records of the input in hand */
    size_t tick_facts; /* emitted by ticks in this turn */
    size_t input_bytes;
    bool begun; /* builders[block_count] is open */
    size_t block_count;
    struct block blocks[TURN_BLOCKS_MAX];
    struct block_builder builders[TURN_BLOCKS_MAX];
    uint32_t outcomes_in_block;
    struct journal_position position; /* after the newest sealed block */
    size_t outcome_count;
    struct turn_outcome outcomes[LIMIT_TURN_REQUESTS];
};

struct shell_counters {
    uint64_t turns;
    uint64_t blocks;
    uint64_t facts;
    uint64_t commands;
    uint64_t questions;
    uint64_t refused;
    uint64_t replayed; /* retries that got the stored reply */
    uint64_t folded;
    uint64_t ticks;
    uint64_t checkpoints;
    uint64_t recovered_blocks;
};

struct shell {
    struct shell_options options;
    const struct service_definition *definition;
    void *service;
    struct view view;
    struct change change;
    int64_t now_ms;  /* the service's now */
    int64_t wall_ms; /* the newest wall time of a turn; never goes back */
    struct turn turn;
    size_t outgoing_count;
    struct outgoing outgoing[LIMIT_TURN_REQUESTS];
    struct message waiting; /* a request that could not be decided yet: ticks first */
    bool has_waiting;
    int64_t waiting_since_ms; /* monotonic */
    struct feed_producer *producer;
    struct feed_inputs inputs; /* as of the newest synced block */
    struct feed_reader *readers[LIMIT_FEEDS];
    struct feed_cursor journalled[LIMIT_FEEDS]; /* what the journal knows */
    struct feed_cursor durable[LIMIT_FEEDS];    /* what a crash would leave */
    struct journal_position position;           /* after the newest durable block */
    struct feed_cursor checkpoint_cursors[LIMIT_FEEDS];
    bool dirty; /* state has changed since the newest checkpoint began */
    int64_t checkpoint_at_ms;
    int64_t readers_check_at_ms;
    int64_t space_check_at_ms;
    bool is_full;
    struct arena arena;
    struct buffer scratch_header;
    struct buffer scratch_body;
    struct shell_counters counters;
};

/* ---- turn.c */
void turn_begin(struct turn *turn, struct shell *shell, int64_t wall_ms);
/* The open builder with room for `size` more bytes; seals a full one. */
struct block_builder *turn_builder(struct turn *turn, size_t size);
/* Appends cursors that moved, and seals the last block. */
void turn_seal(struct turn *turn);

/* ---- ledger.c */
struct folded folded_of(const struct feed_name *feed, const struct feed_cursor *before,
                        const struct feed_cursor *after);
void ledger_cursor_put(const struct change *change, const struct folded *folded);
bool ledger_cursor_get(const struct view *view, const struct feed_name *feed,
                       struct feed_cursor *cursor);
/* A record of the cursor table. False: not one. */
bool ledger_cursor_decode(struct span key, struct span value, struct feed_name *feed,
                          struct feed_cursor *cursor);
void ledger_request_put(const struct change *change, bool for_ever, struct hash128 key,
                        const struct request_place *place);
bool ledger_request_get(const struct view *view, struct hash128 key, struct request_place *place);
/* At the end of a block: the service's now, the wall time, and keys that are too old at it. */
void ledger_block_end(const struct change *change, int64_t now_ms, int64_t wall_ms);
/* As of the newest block: the service's now and the newest wall time. */
bool ledger_now_get(const struct view *view, int64_t *now_ms, int64_t *wall_ms);
/* What an own fact of the shell (FACT_CONSUMER_ACCEPTED) changes; false: not one. */
bool ledger_fact_evolve(const struct change *change, const struct fact *fact);

/* ---- request.c */
/* Takes commands and questions until a slice is full. True: took something. */
bool requests_take(struct shell *shell, size_t slice_bytes);
void replies_send(struct shell *shell);

/* ---- follow.c */
/* Ticks what is due up to `until_ms`, then makes it the service's now. False: the turn has
 * ticked enough, go on in the next. */
bool time_settle(struct shell *shell, int64_t until_ms);
/* Does time pass here without facts? Not under the event clock, and not ahead of facts that
 * wait to be folded, or may wait at a producer that has not answered yet. A feed that stands
 * still or whose producer is gone holds nothing up. */
bool time_passes(struct shell *shell);
/* False: a new service that was told of no time yet, so that there is no now to decide at. */
bool time_is_known(struct shell *shell);
/* The now of a command, or of a turn before its first input. */
int64_t time_of_command(struct shell *shell);
bool feeds_take(struct shell *shell, size_t slice_bytes);
void feeds_ask(struct shell *shell);
void feeds_receive(struct shell *shell);
uint64_t cause_of_now(const struct shell *shell);
/* Is there an item that may be folded now? */
bool feeds_have_work(struct shell *shell);
void feeds_inputs_refresh(struct shell *shell);

/* ---- builtin.c */
const struct service_method *builtin_find(const char *method);

#endif
