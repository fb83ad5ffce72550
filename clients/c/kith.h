/*
 * libkith: how other systems speak to a Kith suite from C.
 *
 *   connection   one service's socket: commands and questions, asked again until there is a word
 *   batch        events on their way to ingestion
 *   feed         a subscription: the facts of a service, in order, without gaps, each once
 *
 * Threads: a connection, a batch and a feed belong to the thread that uses them, so make one for
 * each thread; different ones may be used at the same moment. None may be used after fork() in
 * the child. A signal does not end a wait: whoever must stop soon waits in short steps.
 *
 * Units: times are milliseconds since 1970, UTC; time-outs are milliseconds; points are whole
 * points; money is minor units (cents) and an ISO 4217 code. Waits are 0 (just look) to
 * KITH_TIMEOUT_MS_MAX; what lies beyond is brought within.
 *
 * Ids (customer, source, event, key, segment, programme, campaign, consumer) are 1 to 64 bytes of
 * UTF-8 without control characters.
 *
 * Errors: every function that can fail returns a status, and writes a sentence for people to
 * `error`, which may be NULL. Outputs are untouched on failure. Texts that came from a service
 * are UTF-8 without control characters. Running out of memory ends the process, as it does in
 * ZeroMQ below.
 *
 * The messages themselves, for kith_call() and for the bodies of facts, are the protobuf-c
 * structs of <kith/v1/....pb-c.h>; they are in this library.
 */
#ifndef KITH_H
#define KITH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_API __attribute__((visibility("default")))
#define KITH_MUST_USE __attribute__((warn_unused_result))

/* Bounds of the protocol. What is beyond them is refused here, before anything is sent. */
#define KITH_ID_BYTES 64
#define KITH_BODY_BYTES (1024 * 1024) /* of a request's body */
#define KITH_BATCH_EVENTS 4096
#define KITH_EVENT_BYTES (16 * 1024)
#define KITH_EVENT_ATTRIBUTES 64
#define KITH_TEXT_BYTES 1024 /* of an attribute */
#define KITH_WAIT_POSITIONS 64
#define KITH_FEED_TYPES 64 /* in one list of a subscription */

/* Of a connection that was told nothing else; and the most there can be. */
#define KITH_TIMEOUT_MS 10000
#define KITH_TIMEOUT_MS_MAX (24 * 3600 * 1000)

/* ---- what a call came to */

/* The protocol's codes, which are gRPC's. */
enum kith_status {
    KITH_OK = 0,
    KITH_INVALID_ARGUMENT = 3,    /* bytes or fields are wrong: mend and send */
    KITH_DEADLINE_EXCEEDED = 4,   /* the outcome is unknown: send again with the same key */
    KITH_NOT_FOUND = 5,           /* no such customer, segment, campaign, feed */
    KITH_ALREADY_EXISTS = 6,      /* the key was used with another body: take a new key */
    KITH_PERMISSION_DENIED = 7,   /* not allowed */
    KITH_RESOURCE_EXHAUSTED = 8,  /* a bound is reached: wait, send again with the same key */
    KITH_FAILED_PRECONDITION = 9, /* a rule says no */
    KITH_ABORTED = 10,            /* out of order: send what is missing first */
    KITH_OUT_OF_RANGE = 11,       /* a position that the journal does not hold */
    KITH_UNIMPLEMENTED = 12,      /* no such method */
    KITH_INTERNAL = 13,           /* a bug, a fault of the host, or a reply that makes no sense */
    KITH_UNAVAILABLE = 14,        /* the outcome is unknown: send again with the same key */
    KITH_DATA_LOSS = 15,          /* epoch, chain or checksum differ: stop, a person must look */
    KITH_UNAUTHENTICATED = 16,    /* who are you */
};

/* "DATA_LOSS"; "UNKNOWN" for a number that is no status. Static. */
KITH_API const char *kith_status_name(enum kith_status status);

/* The version of this library, such as "0.1.0". Static. */
KITH_API const char *kith_version(void);

#define KITH_ERROR_BYTES 1024

/* Written by every function that fails, and by no other. */
struct kith_error {
    enum kith_status status;
    uint32_t retry_after_ms;     /* what the service asked for; 0: nothing */
    char text[KITH_ERROR_BYTES]; /* a sentence, with each field at fault and how to mend it */
};

/* ---- connections */

struct kith_connection;

/*
 * Connects to a service's socket: "ipc:///path" (at most 107 bytes of path), such as
 * "ipc:///var/lib/kith/run/loyalty-0.cmd", or "tcp://host:port". Nobody need be there yet. On
 * KITH_OK the caller owns *connection and ends it with kith_close().
 *
 *   KITH_INVALID_ARGUMENT  the endpoint is none of these
 *   KITH_INTERNAL          the host says no, such as too many open files
 */
KITH_API KITH_MUST_USE enum kith_status kith_open(struct kith_connection **connection,
                                                  const char *endpoint, struct kith_error *error);
/* Takes NULL's address; leaves NULL. What is still in flight is given up. */
KITH_API void kith_close(struct kith_connection **connection);

/* How long a call may take that names no time-out itself: 1 to KITH_TIMEOUT_MS_MAX; what lies
 * beyond is brought within. */
KITH_API void kith_timeout_set(struct kith_connection *connection, int64_t timeout_ms);

/* ---- commands and questions */

/*
 * A command happens once. Its key names the attempt: whoever does not know what came of it sends
 * it again with the same key, issued_at and body, and is told what happened the first time. To do
 * so after a crash as well, keep the key where the reason for the command is kept. A service
 * remembers keys for 7 days, loyalty for ever.
 */
struct kith_key {
    char text[KITH_ID_BYTES + 1];
    int64_t issued_at_ms; /* when the key was made */
};
/* 128 bits of chance as 32 characters, made now. */
KITH_API void kith_key_make(struct kith_key *key);

struct kith_request {
    const char *method;         /* "loyalty.Spend" */
    const struct kith_key *key; /* commands; NULL: a question */
    const void *body;           /* the method's packed message */
    size_t body_bytes;          /* at most KITH_BODY_BYTES */
    int64_t timeout_ms;         /* for all attempts together; 0: the connection's */
    /* How long an attempt waits before the next is made; 0: 2 seconds, then twice as long each
     * time. For questions that a service answers late on purpose. */
    int64_t attempt_ms;
};

struct kith_violation {
    const char *field;
    const char *rule;
    const char *mend;
};

struct kith_reply;

/*
 * Sends, and sends again with the same key and issued_at while the outcome is unknown
 * (DEADLINE_EXCEEDED, UNAVAILABLE, no reply at all), or while the service says how long to wait,
 * and there is time left. Returns the status of the newest word.
 *
 * *reply is the service's answer, whatever its status, and is to be ended with kith_reply_close().
 * It is NULL if there was none: nothing was sent (KITH_INVALID_ARGUMENT: method, key, size or
 * time-out are out of bounds), or nobody answered (KITH_UNAVAILABLE: unknown whether it was done).
 * `reply` may be NULL for who wants no body.
 */
KITH_API KITH_MUST_USE enum kith_status kith_call(struct kith_connection *connection,
                                                  const struct kith_request *request,
                                                  struct kith_reply **reply,
                                                  struct kith_error *error);

KITH_API enum kith_status kith_reply_status(const struct kith_reply *reply);
/* Empty if there is none, like the texts of a violation. All texts and bytes of a reply live as
 * long as the reply. */
KITH_API const char *kith_reply_message(const struct kith_reply *reply);
KITH_API uint32_t kith_reply_retry_after_ms(const struct kith_reply *reply);
KITH_API size_t kith_reply_violation_count(const struct kith_reply *reply);
/* `index` below the count; all texts are empty otherwise. */
KITH_API struct kith_violation kith_reply_violation(const struct kith_reply *reply, size_t index);
/* The packed message; never NULL, even where *body_bytes is 0. */
KITH_API const void *kith_reply_body(const struct kith_reply *reply, size_t *body_bytes);
/* Takes NULL's address; leaves NULL. */
KITH_API void kith_reply_close(struct kith_reply **reply);

/* ---- events, to ingestion's .cmd */

struct kith_money {
    int64_t minor;
    const char *currency; /* NULL: there is no money here */
};

enum kith_attribute_kind {
    KITH_ATTRIBUTE_TEXT,
    KITH_ATTRIBUTE_INTEGER,
    KITH_ATTRIBUTE_FLAG,
    KITH_ATTRIBUTE_TIME,
    KITH_ATTRIBUTE_MONEY,
};

struct kith_attribute {
    const char *name; /* 1 to 64 of a-z 0-9 _ . */
    enum kith_attribute_kind kind;
    bool personal; /* sealed before it is journalled */
    union {
        const char *text; /* at most KITH_TEXT_BYTES */
        int64_t integer;
        bool flag;
        int64_t at_ms;
        struct kith_money money;
    } value;
};

/* A fact about a customer. `source` and `id` together name it for ever: the same event sent twice
 * counts once, and must be the same in all its fields. */
struct kith_event {
    const char *source;
    const char *id;
    const char *type; /* "purchase"; 1 to 64 of a-z 0-9 _ . */
    const char *customer;
    int64_t occurred_at_ms;
    uint32_t schema_version;  /* of the sender's own; 0 stands for 1 */
    struct kith_money amount; /* needed by purchase, bill_paid and recharge */
    const struct kith_attribute *attributes;
    size_t attribute_count; /* at most KITH_EVENT_ATTRIBUTES */
};

/* Events that are sent, and answered, together. It has a key of its own, so that sending it again
 * after an unknown outcome does nothing twice. */
struct kith_batch;

KITH_API void kith_batch_open(struct kith_batch **batch);
/* Takes NULL's address; leaves NULL. */
KITH_API void kith_batch_close(struct kith_batch **batch);

/*
 * Copies the event into the batch. Nothing is added unless KITH_OK is returned.
 *
 *   KITH_INVALID_ARGUMENT     a field is missing or passes its bound, which the error names
 *   KITH_RESOURCE_EXHAUSTED   the batch is full: send it, clear it, add the event again
 *   KITH_FAILED_PRECONDITION  it was sent already: clear it first
 */
KITH_API KITH_MUST_USE enum kith_status
kith_batch_add(struct kith_batch *batch, const struct kith_event *event, struct kith_error *error);
/* The same with a packed kith.v1.Event, whose bytes are sent as they are. */
KITH_API KITH_MUST_USE enum kith_status kith_batch_add_packed(struct kith_batch *batch,
                                                              const void *event, size_t event_bytes,
                                                              struct kith_error *error);
KITH_API size_t kith_batch_count(const struct kith_batch *batch);
/* Empties it and gives it a new key. */
KITH_API void kith_batch_clear(struct kith_batch *batch);

enum kith_outcome {
    KITH_ACCEPTED,  /* new, and on disk */
    KITH_DUPLICATE, /* known already, with the same bytes */
    KITH_REJECTED, /* put into the quarantine: its id is known with other bytes, or too far ahead */
    KITH_INVALID,  /* fields are wrong; nothing was kept */
};

struct kith_totals {
    uint32_t accepted;
    uint32_t duplicate;
    uint32_t rejected;
    uint32_t invalid;
    uint64_t seq_max; /* a position of ingestion's feed by which all of it has happened */
};

/*
 * Sends the batch, as kith_call() does. KITH_OK: the service has judged each event; how is told by
 * `totals`, which may be NULL, and by kith_batch_result(). After KITH_UNAVAILABLE and
 * KITH_DEADLINE_EXCEEDED call it again with the batch as it is. An empty batch is
 * KITH_INVALID_ARGUMENT.
 */
KITH_API KITH_MUST_USE enum kith_status kith_batch_send(struct kith_connection *connection,
                                                        struct kith_batch *batch,
                                                        struct kith_totals *totals,
                                                        struct kith_error *error);

struct kith_result {
    enum kith_outcome outcome;
    uint64_t seq; /* of the event, of the one it repeats, or of the quarantine's fact; 0: none */
    struct kith_violation violation; /* KITH_INVALID: the first; texts live until the next clear */
};
/* What became of the event number `index`, from 0. False: the batch was not sent, or the index is
 * none of its. */
KITH_API bool kith_batch_result(const struct kith_batch *batch, size_t index,
                                struct kith_result *result);

/* ---- balances, at loyalty's .cmd */

struct kith_balance {
    char programme[KITH_ID_BYTES + 1];
    int64_t available_points; /* earned - spent */
    int64_t earned_points;
    int64_t spent_points;
    uint64_t postings;
};

/* `programme` NULL: the first of the configuration. KITH_NOT_FOUND: nothing is known of this
 * customer or programme. */
KITH_API KITH_MUST_USE enum kith_status
kith_balance_read(struct kith_connection *connection, const char *customer, const char *programme,
                  struct kith_balance *balance, struct kith_error *error);

/* ---- campaigns, at campaign's .cmd */

struct kith_dispatch_id {
    uint8_t bytes[16];
};

struct kith_trigger {
    const char *campaign;
    const char *customer;
    const struct kith_key *key; /* the same key is the same message: it is sent once */
};

/* Asks a campaign to write to a customer. KITH_OK: that is on disk, and whether it is sent is
 * decided in its turn: see kith_dispatch_wait(). `dispatch` names it. */
KITH_API KITH_MUST_USE enum kith_status kith_campaign_trigger(struct kith_connection *connection,
                                                              const struct kith_trigger *trigger,
                                                              struct kith_dispatch_id *dispatch,
                                                              struct kith_error *error);

enum kith_dispatch_state {
    KITH_DISPATCH_PENDING,    /* not decided, or the channel has not answered */
    KITH_DISPATCH_SENT,       /* the channel took it */
    KITH_DISPATCH_SUPPRESSED, /* it is not sent; `reason` says why */
    KITH_DISPATCH_UNKNOWN,    /* the channel may have it; it is not sent again */
};

struct kith_dispatch {
    enum kith_dispatch_state state;
    char reason[32];  /* "CAP_REACHED", as in campaign.proto; empty unless suppressed */
    char detail[256]; /* for people; may be empty, is cut where it is longer */
    char channel[KITH_ID_BYTES + 1]; /* empty: none yet */
    uint64_t number;                 /* of the decision within the campaign; 0: none yet */
    int64_t decided_at_ms;           /* 0: not yet */
};

/* Waits until it is known what became of a dispatch, or timeout_ms is over: then the state is
 * still KITH_DISPATCH_PENDING, which is no failure. The last question of a wait may take a second
 * more, and that is how long a mere look takes (timeout_ms 0). */
KITH_API KITH_MUST_USE enum kith_status
kith_dispatch_wait(struct kith_connection *connection, const struct kith_dispatch_id *id,
                   int64_t timeout_ms, struct kith_dispatch *dispatch, struct kith_error *error);

/* ---- reading what was written, at any service's .feed */

struct kith_position {
    const char *feed; /* "ingestion" */
    uint32_t shard;
    uint64_t seq;
};

/*
 * Waits until the service has folded all these positions: an event accepted at seq 7 of
 * ingestion is in loyalty's balances once loyalty has folded ("ingestion", 0, 7). At most
 * KITH_WAIT_POSITIONS; a feed that the service does not read holds nothing up.
 * KITH_DEADLINE_EXCEEDED: it has not after timeout_ms.
 */
KITH_API KITH_MUST_USE enum kith_status kith_wait(struct kith_connection *connection,
                                                  const struct kith_position *positions,
                                                  size_t count, int64_t timeout_ms,
                                                  struct kith_error *error);

/* ---- subscriptions */

/*
 * How far a feed was read. All zero: from its very beginning. With nothing but `epoch` and `seq`:
 * from the fact after `seq`; the chain is then checked from there on, and not what came before.
 * Keep the whole cursor where the effects of the facts are kept, in the same transaction, and
 * each fact acts once.
 */
struct kith_cursor {
    uint64_t epoch; /* names the journal; 0: not known yet, any will do */
    uint64_t seq;   /* of the newest fact that was handed out or passed */
    uint64_t block; /* the newest block that is whole */
    uint64_t block_seq;
    uint8_t chain[32];
};

#define KITH_CURSOR_TEXT_BYTES 192

/* The cursor as one line without its end, for a file or a column, and back.
 * KITH_INVALID_ARGUMENT: no such line. */
KITH_API void kith_cursor_write(const struct kith_cursor *cursor,
                                char text[KITH_CURSOR_TEXT_BYTES]);
KITH_API KITH_MUST_USE enum kith_status
kith_cursor_read(const char *text, struct kith_cursor *cursor, struct kith_error *error);

struct kith_feed_options {
    const char *endpoint; /* of the service's .feed */
    const char *feed;     /* "loyalty" */
    uint32_t shard;
    const char *consumer; /* your name, an id. Of two that use one name at the same time only one
                             is served */
    struct kith_cursor cursor;
    /* The types of facts that are handed out (see FactType in block.proto), and those that are
     * known and passed over. No types: all. Types, and none ignored: all others are passed over.
     * Both: a fact of any other type ends the subscription with KITH_UNIMPLEMENTED. At most
     * KITH_FEED_TYPES each. */
    const uint32_t *types;
    size_t type_count;
    const uint32_t *ignored;
    size_t ignored_count;
};

struct kith_feed;

/* Copies all of the options. KITH_INVALID_ARGUMENT: a name or the endpoint is wrong;
 * KITH_INTERNAL: as in kith_open(). */
KITH_API KITH_MUST_USE enum kith_status kith_feed_open(struct kith_feed **feed,
                                                       const struct kith_feed_options *options,
                                                       struct kith_error *error);
/* Takes NULL's address; leaves NULL. */
KITH_API void kith_feed_close(struct kith_feed **feed);

struct kith_fact {
    uint64_t seq; /* from 1, without gaps, whatever is passed over */
    uint32_t type;
    int64_t recorded_at_ms;
    uint64_t cause; /* the seq of ingestion's fact that it goes back to; 0: none */
    bool has_customer;
    uint8_t customer[16];            /* the same for the same customer, everywhere */
    char subject[KITH_ID_BYTES + 1]; /* the customer's identifier; empty: about nobody, or sealed */
    const void *body;                /* the packed message that `type` names; never NULL */
    size_t body_bytes;               /* lives until the next call with this feed */
};

/*
 * The next fact, waiting for it up to timeout_ms. Every block is checked before one of its facts
 * is handed out: its number and first seq continue the last one's, the chain and the hashes hold.
 *
 *   KITH_DEADLINE_EXCEEDED  nothing new; go on
 *   KITH_UNAVAILABLE        the service does not answer, or not now; go on, the feed connects anew
 *
 * After any other failure the feed stands still and says the same again:
 *
 *   KITH_DATA_LOSS          a gap, or another epoch, chain or hash: this is not the journal that
 *                           was read so far. What was handed out is sound
 *   KITH_OUT_OF_RANGE       the journal ends before the cursor
 *   KITH_UNIMPLEMENTED      a fact of a type, or of a version of a type, that is not known here
 *   KITH_NOT_FOUND and others that the service refuses with
 */
KITH_API KITH_MUST_USE enum kith_status kith_feed_next(struct kith_feed *feed, int64_t timeout_ms,
                                                       struct kith_fact *fact,
                                                       struct kith_error *error);

/* Where the feed stands: behind the fact that was handed out last, and behind all that was passed
 * over after it. */
KITH_API struct kith_cursor kith_feed_cursor(const struct kith_feed *feed);
/* Tells that all up to `seq` would survive a crash of yours; the service's operators see how far
 * you lag. Until then it is the seq of the cursor that the feed was opened with. */
KITH_API void kith_feed_saved(struct kith_feed *feed, uint64_t seq);
/* The newest seq of the journal as of the last answer; 0 before the first. */
KITH_API uint64_t kith_feed_end(const struct kith_feed *feed);

#ifdef __cplusplus
}
#endif

#endif
