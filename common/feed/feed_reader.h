/*
 * One reader of one shard of one feed: builds each Fetch, checks what comes back (epoch,
 * chain, hashes, types), and hands out facts one by one. It owns no socket and no clock.
 *
 *   next fetch due --feed_reader_fetch--> sent --feed_reader_reply--> items wait
 *         ^                                                             |
 *         +---------- feed_reader_item, feed_reader_advance <-----------+
 *
 * A reader moves through every position: a fact that is not wanted, or a block that the
 * producer's filter left out, is an item that only passes.
 */
#ifndef KITH_FEED_FEED_READER_H
#define KITH_FEED_FEED_READER_H

#include "common/base/limits.h"
#include "common/base/refusal.h"
#include "common/feed/feed_moment.h"
#include "common/journal/block.h"
#include "common/wire/wire.h"

/* A Fetch waits this long at the producer, and is sent again when nothing came by then. */
#define FEED_FETCH_WAIT_MS 500
#define FEED_FETCH_LOST_MS 1000

struct feed_reader;

/* How far: the newest seq folded, and the newest block that was passed whole. A cursor
 * with `to` and no `block` was set by hand; the producer finds the block. */
struct feed_cursor {
    uint64_t epoch; /* 0: not known yet */
    uint64_t to;
    uint64_t block;
    uint64_t block_seq;
    struct hash256 chain;
};

struct feed_reader_options {
    struct feed_name feed;
    const char *consumer; /* "loyalty/0"; copied */
    struct feed_cursor cursor;
    uint16_t partition_first; /* both included */
    uint16_t partition_last;
    const uint32_t *types_folded; /* both lists empty: every type is welcome; not copied */
    size_t folded_count;
    const uint32_t *types_ignored;
    size_t ignored_count;
    bool every_block; /* ask for all blocks whole: clock event, where each fact moves time */
    bool stops;       /* hand out nothing beyond `stop_at` */
    uint64_t stop_at;
};

struct feed_item {
    const struct fact *fact; /* NULL: a block that the filter left out */
    bool folds;              /* of a folded type and an own partition (or about nobody) */
    uint64_t seq;            /* the cursor's `to` once it is passed */
    int64_t recorded_at_ms;
    uint64_t cause;
};

/* What the producer last said of itself. */
struct feed_progress {
    bool known;
    uint64_t end;
    int64_t end_recorded_at_ms;
    bool has_settled; /* what is still to come after `end` is later than `settled` */
    struct feed_moment settled;
    size_t input_count;
    struct {
        struct feed_name feed;
        uint64_t seq;
    } inputs[LIMIT_FEEDS];
};

void feed_reader_open(struct feed_reader **reader, const struct feed_reader_options *options);
void feed_reader_close(struct feed_reader **reader);

/* A Fetch to be sent now? Then header and body (cleared first) hold it. `durable` is what
 * the consumer would still have after a crash. */
bool feed_reader_fetch(struct feed_reader *reader, int64_t monotonic_ms, uint64_t durable,
                       struct buffer *header, struct buffer *body);
/* When to ask feed_reader_fetch again, on the monotonic clock. */
int64_t feed_reader_fetch_at(const struct feed_reader *reader);
/* A reply came. One that answers no Fetch of ours is dropped. What it holds is copied. */
void feed_reader_reply(struct feed_reader *reader, int64_t monotonic_ms, struct span header,
                       struct span body);

/* The next item; false: none here now. It lives until feed_reader_advance. */
bool feed_reader_item(struct feed_reader *reader, struct feed_item *item);
/* The item is folded, or passed. */
void feed_reader_advance(struct feed_reader *reader);

const struct feed_name *feed_reader_feed(const struct feed_reader *reader);
const struct feed_cursor *feed_reader_cursor(const struct feed_reader *reader);
const struct feed_progress *feed_reader_progress(const struct feed_reader *reader);
/* Everything that the producer had at its last reply is passed. */
bool feed_reader_at_end(const struct feed_reader *reader);
/* At its last reply the producer had more than it sent: the next Fetch is answered at once, and
 * who sends it before folding what came does not wait for it. */
bool feed_reader_is_behind(const struct feed_reader *reader);
/* The bound that the options set is reached: nothing more will be handed out. */
bool feed_reader_at_stop(const struct feed_reader *reader);
/* A Fetch was not answered in its time, and none was since: the producer is not there. */
bool feed_reader_is_silent(const struct feed_reader *reader);
/* The answer to the Fetch on its way should be here by now: what lies at the socket is taken in
 * before the next Fetch, after which an answer to this one no longer counts. */
bool feed_reader_is_overdue(const struct feed_reader *reader, int64_t monotonic_ms);
/* Bytes of the replies held. */
size_t feed_reader_held_bytes(const struct feed_reader *reader);
/* Why the feed stands still (DATA_LOSS, unknown type); NULL: it runs. */
const char *feed_reader_stopped(const struct feed_reader *reader);
/* Forgets everything held and goes on from `cursor`, also when stopped. */
void feed_reader_reset(struct feed_reader *reader, const struct feed_cursor *cursor);

#endif
