/*
 * The shell around every service. A service supplies a definition: its tables, its feeds,
 * its methods, and five functions; everything else (sockets, turns, group commit, replies
 * after the sync, idempotency, feeds, recovery, checkpoints, admin HTTP) is here, once.
 *
 *   command, question --> method handler --+
 *   fact of a feed ----> fold -------------+--> turn_emit / turn_record --> evolve
 *   time --------------> tick -------------+
 *
 * One thread runs a shard. Within a handler, fold or tick the service reads turn_view(),
 * decides, and emits; each emitted fact is evolved at once, so the next decision sees it.
 * State changes nowhere else: evolve gets the very bytes that replay will get. Nothing
 * leaves before the turn's blocks are synced.
 */
#ifndef KITH_SERVICE_SERVICE_H
#define KITH_SERVICE_SERVICE_H

#include "common/base/fact.h"
#include "common/base/position.h"
#include "common/base/refusal.h"
#include "common/base/view.h"
#include "common/config/suite.h"
#include "common/store/store.h"

/* Tables 1..15 are the shell's own; a service's begin here. */
#define SERVICE_TABLE_FIRST 16

struct turn; /* one turn in progress */

/* ---- what a service may do within a turn */

const struct view *turn_view(struct turn *turn);
/* The service's now: what recorded_at of an emitted fact will be. Never goes back. */
int64_t turn_now(const struct turn *turn);
/* Wall time of the turn, for those rules that are about the wall clock. */
int64_t turn_wall(const struct turn *turn);
/* The ingestion position that the input in hand goes back to. */
uint64_t turn_cause(const struct turn *turn);
/* The key of the command in hand, as its sender wrote it; empty where there is none. */
struct span turn_key(const struct turn *turn);
/* Under the wall clock, for a service with effects: feeds hold more than was folded, or may.
 * What reaches outside is not decided by that: tick is not called, and a handler asks here. */
bool turn_is_behind(struct turn *turn);
/* Ingestion only, clock: event: this record's now. Earlier values change nothing. The
 * shell has no say in it, since ingestion is where time comes from. */
void turn_now_raise(struct turn *turn, int64_t now_ms);
/* How far the service has folded its feeds, and its own end, this turn included:
 * what an answer states. At most `max`; returns how many. */
struct turn_position {
    struct feed_name feed;
    uint64_t seq;
};
size_t turn_positions(const struct turn *turn, struct turn_position *positions, size_t max);

/* Decides a fact: sets recorded_at (turn_now), cause (unless the fact has one already) and
 * seq, appends it to the block and evolves it. Returns its seq. `fact->body` may live on
 * the caller's stack. At most LIMIT_RECORD_BYTES (asserted). */
uint64_t turn_emit(struct turn *turn, struct fact *fact);
/* The same for a private record: what evolve needs and no fact says. */
void turn_record(struct turn *turn, struct span record);
/* The next `count` facts, whose bodies and subjects come to `bytes`, will stand in one block.
 * Asked before the first of them is emitted, and only if they are. False: no block holds as
 * much. */
MUST_USE bool turn_together(struct turn *turn, size_t count, size_t bytes);
/* The seq that the next emitted fact will get. */
uint64_t turn_next_seq(const struct turn *turn);
/* Reporting only (keeps_journal false): writes state directly while folding. */
const struct change *turn_change(struct turn *turn);

/* ---- what a service supplies */

/* Reply of a handler. `body` is empty at the start; fill it on STATUS_OK. `refusal` gets
 * the sentence otherwise. */
struct reply {
    struct buffer *body;
    struct refusal *refusal;
    /* Questions only, set with STATUS_OK: this is not the last word. The shell keeps the
     * question and asks again after each turn that changed something; when its timeout_ms is
     * nearly over, or LIMIT_PARKED_MS are, it sends what it has. */
    bool is_early;
};

/* STATUS_MALFORMED: the body is wrong; nothing was emitted, nothing is kept, the next
 * attempt is decided anew. Any other status, and the reply, is kept under the request's
 * key like a success. A handler that refuses has emitted nothing (asserted). */
typedef enum status (*service_handler)(void *service, struct turn *turn, struct span body,
                                       struct reply *reply);

struct service_method {
    const char *name; /* "loyalty.Spend" */
    bool is_command;  /* carries a key; otherwise a question, which must emit nothing */
    service_handler handle;
};

/* A feed that the service reads: each of its shards. A type in neither list, or with a
 * version above 1, stops the feed. */
struct service_feed {
    const char *name;
    const uint32_t *types_folded;
    size_t folded_count;
    const uint32_t *types_ignored;
    size_t ignored_count;
};

/* What reaches outside: the loop hands over what is durable and takes outcomes back as
 * input. Nothing here is called while state is rebuilt or verified. */
struct service_effects {
    /* Once, after recovery and before the first turn: starts what carries effects out, and
     * tells it what stood open. */
    enum status (*start)(void *service, const struct view *view, struct refusal *refusal);
    /* Ends it; what is not finished stays open. Called also where start failed. */
    void (*stop)(void *service);
    /* After each synced turn that emitted something: hands over what has become durable. */
    void (*synced)(void *service, const struct view *view);
    /* Readable when `take` has something to take; -1: never. Asked once, before start. */
    int (*descriptor)(void *service);
    /* Takes outcomes, each decided and evolved like a command; at most about facts_max facts.
     * True: took something. */
    bool (*take)(void *service, struct turn *turn, size_t facts_max);
    /* Under the event clock: something must be decided outside before later facts are folded
     * and time goes on, so that the order in which effects come back changes nothing. */
    bool (*holds)(void *service, const struct view *view);
    /* Why an effect is stuck, for readyz and status; false: none is. */
    bool (*is_stuck)(void *service, char *why, size_t size);
    /* Something was handed over, and what came of it may be told soon: worth waiting for
     * before a stop, since it may never be known otherwise. */
    bool (*is_out)(void *service, const struct view *view);
};

struct service_environment {
    const struct suite_config *config;
    const struct suite_service *own;
    const char *data; /* the suite's folder */
    uint32_t shard;
    struct span suite_key; /* 32 bytes */
};

struct service_definition {
    const char *name;
    uint32_t schema; /* version of the tables */
    const struct store_table *tables;
    size_t table_count;
    const struct service_feed *feeds;
    size_t feed_count;
    const struct service_method *methods;
    size_t method_count;
    /* False: reporting, whose journal is the feeds. It has no commands but the shell's own, whose
     * replies are kept in the state and wait for a checkpoint. */
    bool keeps_journal;
    bool keeps_keys_for_ever; /* true: loyalty */

    /* Reads the service's own configuration, checked whole. The service owns what it
     * allocates and ends it in close. */
    enum status (*open)(void **service, const struct service_environment *environment,
                        struct refusal *refusal);
    void (*close)(void **service);
    /* At start, after recovery, before any input, in a turn of its own: compare the
     * configured rules with those in state and emit FACT_RULES_CHANGED if they differ.
     * NULL: no rules. */
    void (*start)(void *service, struct turn *turn);
    /* A fact of a type that is folded. turn_now and turn_cause are the fact's. NULL for a
     * service without feeds. */
    void (*fold)(void *service, struct turn *turn, const struct feed_name *feed,
                 const struct fact *fact);
    /* When something is next due by time alone; false: nothing. Called often: must be
     * cheap. NULL: never. */
    bool (*due)(void *service, const struct view *view, int64_t *due_ms);
    /* Handles what is due at `due_ms`, in the order (customer, kind), emitting at most
     * about `facts_max` facts; it is called again while due() says so. */
    void (*tick)(void *service, struct turn *turn, int64_t due_ms, size_t facts_max);
    /* The only thing that changes state. Never fails: bytes that do not decode are a bug
     * or rot that slipped through a hash, and end the process. May keep caches in
     * `service` that follow from state. */
    void (*evolve)(void *service, const struct change *change, const struct record *record);
    /* NULL: nothing leaves this service but facts and replies. */
    const struct service_effects *effects;
};

/* main() of every service: verbs, options, exit codes. Returns the exit code. */
int service_main(const struct service_definition *definition, int argc, char **argv);

#endif
