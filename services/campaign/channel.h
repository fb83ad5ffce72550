/*
 * A channel carries messages to people: one worker thread each, so that a slow server holds
 * up no one else. The loop hands over intents that are durable, and takes outcomes back.
 *
 *   file   NDJSON, one append a message, fdatasync before it is called sent
 *   smtp   libcurl; the dispatch is the Message-ID
 *
 * All functions are the loop's; none of them waits for the channel, except open (file: reads
 * the tail) and close.
 */
#ifndef KITH_CAMPAIGN_CHANNEL_H
#define KITH_CAMPAIGN_CHANNEL_H

#include "common/base/hash.h"
#include "common/base/refusal.h"
#include "common/rules/campaigns.h"

#define CHANNEL_DETAIL_BYTES 200

struct channel;

/* A message to be sent; spans are the caller's until the call returns. */
struct channel_intent {
    struct hash128 dispatch;
    struct span campaign;
    struct span customer; /* the identifier's text */
    struct span address;  /* may be empty: file only */
    struct span subject;  /* may be empty */
    struct span text;
    int64_t at_ms; /* when it was decided, by the service's clock */
};

enum channel_result {
    CHANNEL_SENT,
    CHANNEL_REFUSED, /* certain: nobody got it, and a second attempt would fare no better */
    CHANNEL_UNKNOWN, /* somebody may have got it */
};

struct channel_outcome {
    struct hash128 dispatch;
    enum channel_result result;
    char detail[CHANNEL_DETAIL_BYTES]; /* clean text for people; empty when sent */
};

struct channel_options {
    const struct campaign_channel *channel; /* copied */
    const char *data;                       /* the suite's folder */
    uint32_t shard;
    int wake; /* an eventfd that is written to when an outcome can be taken; stays the caller's */
};

/* Starts the worker. file: makes DATA/outbox (or `folder`)/NAME-SHARD.ndjson, locks it, and cuts
 * a torn last line. smtp: does not connect yet.
 *   STATUS_REFUSED   another process has the file
 *   STATUS_INTERNAL  the host says no: path and reason are in the refusal */
MUST_USE enum status channel_open(struct channel **channel, const struct channel_options *options,
                                  struct refusal *refusal);
/* Ends the worker: what it is sending right now is finished first (at most its own time-out),
 * what has not begun, or was put off, is dropped: its intent stays open. Takes NULL; leaves NULL.
 */
void channel_close(struct channel **channel);

/* An intent that stood open when the service began, before any channel_send. file: looked up
 * in the tail, and sent if it is not there. smtp: its outcome is unknown, at once. */
void channel_recover(struct channel *channel, const struct channel_intent *intent);
/* Hands over an intent. At most in_flight_max without an outcome taken (asserted). */
void channel_send(struct channel *channel, const struct channel_intent *intent);
/* The next outcome, in the order in which they became known: that of sending, but for messages
 * that a server put off, which hold up nobody else. False: none waits. */
bool channel_outcome_take(struct channel *channel, struct channel_outcome *outcome);
/* Why nothing moves at present, such as a server that is not reached; false: all is well. */
bool channel_is_stuck(struct channel *channel, char *why, size_t size);

#endif
