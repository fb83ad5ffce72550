/*
 * What the files of the shell share. Nobody else includes this.
 *
 *   shell.c     opening, recovery, the turn, stopping
 *   turn.c      what a service may do within a turn; blocks of the turn
 *   request.c   commands and questions: idempotency, deciding, outcomes
 *   park.c      questions that wait for their answer
 *   follow.c    feeds folded in order, time that passes, cursors
 *   effects.c   what reaches outside, and comes back
 *   ledger.c    the shell's own tables: cursors, requests, now; their evolve
 *   space.c     room on the disk and in the maps
 *   builtin.c   service.Status and consumer.Accept
 *   metrics.c   Prometheus text
 */
#ifndef KITH_SERVICE_SHELL_INTERNAL_H
#define KITH_SERVICE_SHELL_INTERNAL_H

#include "common/base/limits.h"
#include "common/feed/feed_producer.h"
#include "common/feed/feed_reader.h"
#include "common/service/replay.h"
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
/* Where a turn has answered so many, it is worth to wait so long, at a time, for those who ask
 * again: a sync costs ten times as much, whoever is in it. */
#define CROWD_LEAST 8
#define CROWD_WAIT_US 100
#define SPACE_CHECK_MS 1000

/* ---- the shell's own tables: numbers for ever */
enum shell_table {
    SHELL_TABLE_CURSOR = 1,      /* feed name, shard -> cursor */
    SHELL_TABLE_REQUEST = 2,     /* hash of the key -> where its outcome stands, or the reply */
    SHELL_TABLE_REQUEST_AGE = 3, /* issued_at, hash of the key -> nothing */
    SHELL_TABLE_NOW = 4,         /* -> the service's now, the newest wall time */
};
#define SHELL_TABLES 4
extern const struct store_table shell_tables[SHELL_TABLES];

/* Where the outcome of a request stands in the journal. A service without one keeps the reply
 * here, and `block` is the number of the first checkpoint that holds it. */
struct request_place {
    struct hash128 body_hash;
    uint64_t first_seq;
    uint64_t block;
    uint32_t index; /* the nth outcome of its block */
    int64_t issued_at_ms;
    struct span reply_header; /* what stands before the request id; empty: in the journal */
    struct span reply_body;
};

struct outgoing {
    struct route route;
    uint64_t checkpoint; /* must be whole before it leaves; 0: none, the turn's sync is enough */
    struct buffer header;
    struct buffer body;
};

/* An outcome of this turn, so that a second copy of the request gets the same. */
struct turn_outcome {
    struct hash128 key;
    size_t outgoing;
    size_t stored_bytes; /* of its header: what stands before the request id */
};

struct turn {
    struct shell *shell;
    int64_t wall_ms;
    uint64_t cause;
    struct span key; /* of the command in hand */
    bool may_emit;
    bool is_early;     /* the answer just given is not the last word */
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

/* What there is room for, as of this turn. */
struct space {
    const char *full; /* why no command is decided; NULL: there is room */
    bool stops;       /* not even what feeds and time bring: what is reserved must last */
    bool is_tight;    /* small turns, early checkpoints */
    bool journal_is_tight;
    int64_t check_at_ms;
    /* Of the store, which is not looked at in each turn. */
    bool store_is_full;
    bool store_is_tight;
    int64_t store_look_at_ms;
    size_t memory_bytes; /* the least since the last look */
};

struct shell {
    struct shell_options options;
    const struct service_definition *definition;
    void *service;
    struct view view;
    struct change change;
    struct ledger_ages ages;
    int64_t now_ms;  /* the service's now */
    int64_t wall_ms; /* the newest wall time of a turn; never goes back */
    struct turn turn;
    size_t outgoing_count;
    struct outgoing outgoing[LIMIT_TURN_REQUESTS];
    size_t held_count;
    struct outgoing held[LIMIT_TURN_REQUESTS]; /* until their checkpoint is whole */
    size_t answered_before;                    /* by the turn before this one */
    struct message waiting; /* a request that could not be decided yet: ticks first */
    bool has_waiting;
    struct park *park;
    bool park_changed; /* something changed since all questions in it were asked */
    const struct service_effects *effects; /* NULL: none are carried out */
    bool learns_cause;                     /* from its own facts: it does not read ingestion */
    uint64_t cause_known;                  /* the newest, for such a service */
    int64_t caught_up_at_ms;  /* monotonic: when effects last had nothing to wait for */
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
    struct space space;
    struct arena arena;
    struct buffer scratch_header;
    struct buffer scratch_body;
    struct shell_counters counters;
};

/* ---- turn.c */
void turn_begin(struct turn *turn, struct shell *shell, int64_t wall_ms);
/* The open builder with room for `size` more bytes; seals a full one. */
struct block_builder *turn_builder(struct turn *turn, size_t size);
/* It has made as many blocks as there is room for: no more input. */
bool turn_is_full(const struct turn *turn);
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
void ledger_request_put(const struct change *change, struct ledger_ages *ages, bool for_ever,
                        struct hash128 key, const struct request_place *place);
bool ledger_request_get(const struct view *view, struct hash128 key, struct request_place *place);
/* At the end of a block: the service's now, the wall time, and keys that are too old at it. */
void ledger_block_end(const struct change *change, struct ledger_ages *ages, int64_t now_ms,
                      int64_t wall_ms);
/* As of the newest block: the service's now and the newest wall time. */
bool ledger_now_get(const struct view *view, int64_t *now_ms, int64_t *wall_ms);
/* A service that reads feeds, but not ingestion's, knows the newest cause from its own facts. */
bool ledger_learns_cause(const struct service_definition *definition);
void ledger_cause_learn(const struct change *change, uint64_t cause);
uint64_t ledger_cause_get(const struct view *view);
/* What an own fact of the shell (FACT_CONSUMER_ACCEPTED) changes; false: not one. */
bool ledger_fact_evolve(const struct change *change, const struct fact *fact);

/* ---- request.c */
/* Takes commands and questions until a slice is full. True: took something. */
bool requests_take(struct shell *shell, size_t slice_bytes);
/* When nothing waits any more: where many ask, those who were answered just now soon ask again,
 * and may still be taken before the sync. True: somebody came. */
bool requests_await(struct shell *shell);
/* Holds those back that a checkpoint must come before. */
void replies_send(struct shell *shell);
/* Sends what was held back for a checkpoint that is whole by now. */
void replies_release(struct shell *shell);

/* Runs the handler and makes its reply the newest outgoing one. */
enum status method_run(struct shell *shell, const struct route *route,
                       const struct request_header *header, const struct service_method *method,
                       struct span body);

/* ---- park.c */
struct park;
void park_open(struct park **park);
void park_close(struct park **park);
/* Answers a question, or keeps it. */
void question_answer(struct shell *shell, const struct message *message,
                     const struct request_header *header, const struct service_method *method);
/* After a turn's inputs: asks again whatever waits, if the turn changed something or the time
 * of a question is over. */
void park_ask(struct shell *shell);
/* When the first must be answered in any case, monotonic; INT64_MAX: none waits. */
int64_t park_deadline(const struct shell *shell);

/* ---- effects.c */
void effects_stop(struct shell *shell);
/* Takes what came back. True: took something. */
bool effects_take(struct shell *shell);
/* Hands over what has become durable. */
void effects_synced(struct shell *shell);
/* Under the wall clock: what is known is behind, so nothing is decided yet. */
bool effects_must_wait(struct shell *shell);
/* Neither later facts nor later time may be taken yet. */
bool effects_hold(const struct shell *shell);
bool effects_are_stuck(const struct shell *shell, char *why, size_t size);

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
/* Event clock, without ingestion's feed: lets time go on as far as all producers have come. */
void time_follow(struct shell *shell);
void feeds_ask(struct shell *shell);
void feeds_receive(struct shell *shell);
uint64_t cause_of_now(const struct shell *shell);
/* Is there an item that may be folded now? */
bool feeds_have_work(struct shell *shell);
void feeds_inputs_refresh(struct shell *shell);

/* ---- space.c */
/* Before a turn: reserves what it and the checkpoints after it may need. */
void space_check(struct shell *shell);
/* How many bytes of input a turn may take. */
size_t space_turn_bytes(const struct shell *shell);
/* Memory is better written down now, while there is room for it. */
bool space_wants_checkpoint(const struct shell *shell);

/* ---- builtin.c */
const struct service_method *builtin_find(const char *method);

#endif
