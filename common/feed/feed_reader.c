#include "common/feed/feed_reader.h"

#include "common/base/limits.h"
#include "common/feed/feed_reply.h"
#include "common/wire/pb.h"
#include "kith/v1/feed.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two replies: one is folded while the next is on its way. */
#define REPLIES_MAX 2
/* Memory of a reply that is kept for the next one in any case. */
#define HELD_BYTES_KEPT ((size_t)64 * 1024)
#define RETRY_MS 200
/* Types in one list of a Fetch. */
#define FETCH_TYPES_MAX 64

struct held_reply {
    struct buffer body;
    struct span rest;     /* of `body`: behind the block in hand */
    size_t block_count;   /* not passed yet */
    struct hash256 chain; /* before the next block of `rest` */
};

struct feed_reader {
    struct feed_reader_options options;
    char consumer[64];
    struct feed_cursor cursor;
    struct feed_progress progress;
    char stopped[384];

    /* The Fetch on its way. */
    uint64_t request_id;
    bool outstanding;
    bool silent; /* the one before it was not answered */
    int64_t fetch_at_ms;

    /* Where the next Fetch begins: after the newest block held. */
    struct journal_position fetched;
    bool located; /* `fetched` is a block's border; otherwise only its seq counts */

    struct held_reply held[REPLIES_MAX]; /* a ring */
    size_t held_first;
    size_t held_count;
    size_t held_bytes;

    /* The block in hand, decoded. */
    bool in_block;
    struct block block;
    struct arena facts_arena;
    struct block_facts facts;
    size_t fact_index;
};

static void cursor_take(struct feed_reader *reader, const struct feed_cursor *cursor)
{
    reader->cursor = *cursor;
    reader->located = cursor->block != 0 || cursor->to == 0;
    reader->fetched = (struct journal_position){
        .seq = reader->located ? cursor->block_seq : cursor->to,
        .block = cursor->block,
        .chain = cursor->chain,
    };
}

/* The nth that is held, the oldest being the first; n == held_count: the next free place. */
static struct held_reply *held_at(struct feed_reader *reader, size_t n)
{
    return &reader->held[(reader->held_first + n) % REPLIES_MAX];
}

/* Large replies come one after the other while the reader is behind; then their memory is
 * given back. */
static void held_clear(struct feed_reader *reader, struct held_reply *held)
{
    if (held->body.capacity > HELD_BYTES_KEPT && !feed_reader_is_behind(reader)) {
        buffer_release(&held->body);
    }
    buffer_clear(&held->body);
}

static void held_drop_oldest(struct feed_reader *reader)
{
    struct held_reply *held = held_at(reader, 0);
    reader->held_first = (reader->held_first + 1) % REPLIES_MAX;
    reader->held_count -= 1;
    reader->held_bytes -= held->body.size;
    held_clear(reader, held);
}

void feed_reader_open(struct feed_reader **reader, const struct feed_reader_options *options)
{
    assert(*reader == NULL);
    struct feed_reader *opened = memory_allocate(sizeof *opened);
    opened->options = *options;
    (void)snprintf(opened->consumer, sizeof opened->consumer, "%s", options->consumer);
    arena_init(&opened->facts_arena, LIMIT_BLOCK_BYTES * (size_t)PB_ARENA_FACTOR);
    for (size_t i = 0; i < REPLIES_MAX; i++) {
        buffer_init(&opened->held[i].body, LIMIT_MESSAGE_BYTES);
    }
    cursor_take(opened, &options->cursor);
    *reader = opened;
}

void feed_reader_close(struct feed_reader **reader)
{
    if (*reader == NULL) {
        return;
    }
    for (size_t i = 0; i < REPLIES_MAX; i++) {
        buffer_release(&(*reader)->held[i].body);
    }
    arena_release(&(*reader)->facts_arena);
    free(*reader);
    *reader = NULL;
}

void feed_reader_reset(struct feed_reader *reader, const struct feed_cursor *cursor)
{
    reader->progress.known = false;
    while (reader->held_count > 0) {
        held_drop_oldest(reader);
    }
    reader->in_block = false;
    reader->stopped[0] = '\0';
    reader->outstanding = false;
    reader->silent = false;
    reader->fetch_at_ms = 0;
    cursor_take(reader, cursor);
}

/* ---- asking */

static size_t types_copy(const uint32_t *types, size_t count, uint32_t out[FETCH_TYPES_MAX])
{
    assert(count <= FETCH_TYPES_MAX);
    for (size_t i = 0; i < count; i++) {
        out[i] = types[i];
    }
    return count;
}

static void fetch_encode(const struct feed_reader *reader, uint64_t durable, struct buffer *body)
{
    Kith__V1__FetchRequest request = KITH__V1__FETCH_REQUEST__INIT;
    Kith__V1__PartitionRange range = KITH__V1__PARTITION_RANGE__INIT;
    Kith__V1__PartitionRange *ranges[1] = { &range };
    char feed[sizeof reader->options.feed.name];
    memcpy(feed, reader->options.feed.name, sizeof feed);
    char consumer[sizeof reader->consumer];
    memcpy(consumer, reader->consumer, sizeof consumer);
    uint32_t ignored[FETCH_TYPES_MAX];
    uint32_t folded[FETCH_TYPES_MAX];
    const struct feed_reader_options *options = &reader->options;
    request.feed = feed;
    request.has_shard = 1;
    request.shard = reader->options.feed.shard;
    request.consumer = consumer;
    request.has_epoch = 1;
    request.epoch = reader->cursor.epoch;
    request.has_from = 1;
    request.from = reader->fetched.seq;
    if (reader->located) {
        request.has_block = 1;
        request.block = reader->fetched.block;
        request.has_chain = 1;
        request.chain =
            pb_bytes(span_of(reader->fetched.chain.bytes, sizeof reader->fetched.chain.bytes));
    }
    request.has_max_bytes = 1;
    request.max_bytes = LIMIT_BODY_BYTES;
    request.has_max_wait_ms = 1;
    request.max_wait_ms = FEED_FETCH_WAIT_MS;
    request.has_durable_position = 1;
    request.durable_position = durable;
    if (!reader->options.every_block) {
        range.has_first = 1;
        range.first = reader->options.partition_first;
        range.has_last = 1;
        range.last = reader->options.partition_last;
        request.partitions = ranges;
        request.n_partitions = 1;
        request.types_ignored = ignored;
        request.n_types_ignored =
            types_copy(options->types_ignored, options->ignored_count, ignored);
        /* Ignored types are not asked for; unknown ones must be seen. The folded ones stand
         * beside the ignored, since two types may share a bit of the filter; without any
         * ignored they would mean that nothing else is to be sent. */
        request.types_folded = folded;
        request.n_types_folded =
            options->ignored_count == 0
                ? 0
                : types_copy(options->types_folded, options->folded_count, folded);
    }
    buffer_clear(body);
    enum status status = pb_pack(&request.base, body);
    assert(status == STATUS_OK);
}

bool feed_reader_fetch(struct feed_reader *reader, int64_t monotonic_ms, uint64_t durable,
                       struct buffer *header, struct buffer *body)
{
    if (reader->stopped[0] != '\0' || monotonic_ms < feed_reader_fetch_at(reader)) {
        return false;
    }
    reader->request_id += 1;
    reader->silent = reader->silent || reader->outstanding;
    reader->outstanding = true;
    reader->fetch_at_ms = monotonic_ms + FEED_FETCH_LOST_MS;
    struct request_header request = { .request_id = reader->request_id,
                                      .method = "feed.Fetch",
                                      .timeout_ms = FEED_FETCH_LOST_MS };
    request_header_encode(&request, header);
    fetch_encode(reader, durable, body);
    return true;
}

int64_t feed_reader_fetch_at(const struct feed_reader *reader)
{
    if (reader->stopped[0] != '\0') {
        return INT64_MAX;
    }
    if (!reader->outstanding && (reader->held_count >= REPLIES_MAX ||
                                 reader->held_bytes > LIMIT_CONSUMER_BUFFER_BYTES / 2)) {
        return INT64_MAX;
    }
    return reader->fetch_at_ms;
}

/* ---- taking a reply in */

static void stop(struct feed_reader *reader, const char *what, const char *mend)
{
    (void)snprintf(reader->stopped, sizeof reader->stopped, "%s; %s", what, mend);
}

static bool epoch_take(struct feed_reader *reader, uint64_t epoch)
{
    if (reader->cursor.epoch == 0) {
        reader->cursor.epoch = epoch;
    }
    if (epoch != reader->cursor.epoch || epoch == 0) {
        stop(reader, "the producer's journal has another epoch",
             "it was restored: see `kith consumer --help`");
        return false;
    }
    return true;
}

/* Does this block follow from `at`? Then `at` moves behind it. `anywhere`: the first block
 * after a cursor set by hand, whose place the producer has found; it may begin earlier. */
static bool block_follows(const struct feed_reply_block *sent, bool anywhere,
                          struct journal_position *at)
{
    struct block block = { .header_bytes = sent->header };
    if (block_header_decode(block.header_bytes, &block.header) != STATUS_OK) {
        return false;
    }
    if (anywhere ? block.header.first_seq > at->seq + 1
                 : block.header.number != at->block + 1 || block.header.first_seq != at->seq + 1) {
        return false;
    }
    block.chain = hash_chain(at->chain, block.header_bytes);
    if (sent->is_whole) {
        block.public_part = sent->public_part;
        if (block_check(&block, &at->chain, false) != STATUS_OK) {
            return false;
        }
    }
    *at = block_position(&block);
    return true;
}

/* Checks every block of the reply; moves `fetched` behind them. */
static bool blocks_check(struct feed_reader *reader, const struct feed_reply *reply,
                         struct held_reply *held)
{
    struct journal_position at = reader->fetched;
    if (reply->block_count == 0) {
        return true;
    }
    if (reply->chain_before.size != sizeof held->chain.bytes) {
        return false;
    }
    memcpy(held->chain.bytes, reply->chain_before.data, sizeof held->chain.bytes);
    if (reader->located && !hash256_equal(at.chain, held->chain)) {
        return false;
    }
    at.chain = held->chain;
    bool anywhere = !reader->located;
    struct span rest = held->rest;
    struct feed_reply_block sent = { .is_whole = false };
    while (feed_reply_block_take(&rest, &sent)) {
        if (!block_follows(&sent, anywhere, &at)) {
            return false;
        }
        anywhere = false;
    }
    reader->fetched = at;
    reader->located = true;
    return true;
}

/* False: it is no FetchReply. */
static bool reply_hold(struct feed_reader *reader, struct span body)
{
    struct held_reply *held = held_at(reader, reader->held_count);
    struct feed_reply reply = { .epoch = 0 };
    assert(reader->held_count < REPLIES_MAX);
    if (buffer_append(&held->body, body) != STATUS_OK ||
        !feed_reply_decode(buffer_span(&held->body), &reply)) {
        held_clear(reader, held);
        return false;
    }
    held->rest = buffer_span(&held->body);
    held->block_count = reply.block_count;
    bool sound = epoch_take(reader, reply.epoch);
    if (sound && !blocks_check(reader, &reply, held)) {
        stop(reader, "DATA_LOSS: a block does not follow from what was folded before",
             "see `kith consumer --help`");
        sound = false;
    }
    if (sound) {
        reader->progress = reply.progress;
    }
    if (!sound || reply.block_count == 0) {
        held_clear(reader, held);
        return true;
    }
    reader->held_count += 1;
    reader->held_bytes += held->body.size;
    return true;
}

void feed_reader_reply(struct feed_reader *reader, int64_t monotonic_ms, struct span header,
                       struct span body)
{
    struct reply_header reply = { 0 };
    if (reply_header_decode(header, &reply) != STATUS_OK || !reader->outstanding ||
        reply.request_id != reader->request_id) {
        return;
    }
    reader->outstanding = false;
    reader->silent = false;
    reader->fetch_at_ms = monotonic_ms;
    if (reply.refusal.status == STATUS_OK) {
        reader->fetch_at_ms += reply_hold(reader, body) ? 0 : RETRY_MS;
    } else if (reply.refusal.status == STATUS_CORRUPT || reply.refusal.status == STATUS_RANGE ||
               reply.refusal.status == STATUS_MALFORMED ||
               reply.refusal.status == STATUS_NOT_FOUND) {
        char what[300];
        (void)snprintf(what, sizeof what, "%s: %s", status_code_text(reply.refusal.status),
                       reply.refusal.message);
        stop(reader, what, "see `kith consumer --help`");
    } else {
        reader->fetch_at_ms = monotonic_ms + RETRY_MS;
    }
}

/* ---- handing out */

static bool type_is_in(const uint32_t *types, size_t count, uint32_t type)
{
    for (size_t i = 0; i < count; i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

/* Takes the block in hand as passed whole. */
static void block_leave(struct feed_reader *reader)
{
    struct journal_position after = block_position(&reader->block);
    reader->cursor.block = after.block;
    reader->cursor.block_seq = after.seq;
    reader->cursor.chain = after.chain;
    if (after.seq > reader->cursor.to) {
        reader->cursor.to = after.seq;
    }
    reader->in_block = false;
    struct held_reply *held = held_at(reader, 0);
    held->block_count -= 1;
    if (held->block_count == 0) {
        held_drop_oldest(reader);
    }
}

/* Makes the oldest held block the one in hand. False: its facts cannot be decoded. */
static bool block_open(struct feed_reader *reader)
{
    struct held_reply *held = held_at(reader, 0);
    struct feed_reply_block sent = { .is_whole = false };
    bool is_there = feed_reply_block_take(&held->rest, &sent);
    struct block *block = &reader->block;
    *block = (struct block){ .header_bytes = sent.header };
    enum status status = block_header_decode(block->header_bytes, &block->header);
    assert(is_there && status == STATUS_OK); /* blocks_check has seen it */
    held->chain = hash_chain(held->chain, block->header_bytes);
    block->chain = held->chain;
    reader->facts = (struct block_facts){ 0 };
    reader->in_block = true;
    if (!sent.is_whole) {
        return true;
    }
    block->public_part = sent.public_part;
    arena_reset(&reader->facts_arena);
    return block_facts_decode(block, &reader->facts_arena, &reader->facts) == STATUS_OK;
}

/* Puts a block in hand that has a fact beyond the cursor. False: none is held. */
static bool block_enter(struct feed_reader *reader)
{
    while (!reader->in_block && reader->held_count > 0 && reader->stopped[0] == '\0') {
        if (!block_open(reader)) {
            stop(reader, "DATA_LOSS: a block's facts cannot be decoded",
                 "see `kith consumer --help`");
            return false;
        }
        const struct block_header *header = &reader->block.header;
        if (header->first_seq + header->count - 1 <= reader->cursor.to) {
            block_leave(reader);
            continue;
        }
        reader->fact_index = reader->cursor.to >= header->first_seq
                                 ? (size_t)(reader->cursor.to - header->first_seq + 1)
                                 : 0;
    }
    return reader->in_block && reader->stopped[0] == '\0';
}

bool feed_reader_item(struct feed_reader *reader, struct feed_item *item)
{
    if (!block_enter(reader)) {
        return false;
    }
    const struct feed_reader_options *options = &reader->options;
    if (feed_reader_at_stop(reader)) {
        return false;
    }
    if (reader->facts.count == 0) {
        uint64_t last = reader->block.header.first_seq + reader->block.header.count - 1;
        *item = (struct feed_item){ .seq = last,
                                    .recorded_at_ms = reader->block.header.recorded_at_ms };
        return true;
    }
    const struct fact *fact = &reader->facts.facts[reader->fact_index];
    bool welcome = options->folded_count == 0 && options->ignored_count == 0;
    bool folded = welcome || type_is_in(options->types_folded, options->folded_count, fact->type);
    bool known = folded || type_is_in(options->types_ignored, options->ignored_count, fact->type);
    if (!known || (fact->version > 1 && !welcome)) {
        char what[128];
        (void)snprintf(what, sizeof what,
                       "fact %" PRIu64 " has type %" PRIu32 " version %" PRIu32
                       ", which this program does not know",
                       fact->seq, fact->type, fact->version);
        stop(reader, what, "upgrade this service");
        return false;
    }
    uint16_t partition = fact->has_customer ? customer_partition(fact->customer) : 0;
    bool own = !fact->has_customer ||
               (partition >= options->partition_first && partition <= options->partition_last);
    *item = (struct feed_item){ .fact = fact,
                                .folds = folded && own,
                                .seq = fact->seq,
                                .recorded_at_ms = fact->recorded_at_ms,
                                .cause = fact->cause };
    return true;
}

void feed_reader_advance(struct feed_reader *reader)
{
    assert(reader->in_block);
    if (reader->facts.count == 0) {
        block_leave(reader);
        return;
    }
    reader->cursor.to = reader->facts.facts[reader->fact_index].seq;
    reader->fact_index += 1;
    if (reader->fact_index == reader->facts.count) {
        block_leave(reader);
    }
}

const struct feed_name *feed_reader_feed(const struct feed_reader *reader)
{
    return &reader->options.feed;
}

const struct feed_cursor *feed_reader_cursor(const struct feed_reader *reader)
{
    return &reader->cursor;
}

const struct feed_progress *feed_reader_progress(const struct feed_reader *reader)
{
    return &reader->progress;
}

bool feed_reader_at_end(const struct feed_reader *reader)
{
    return reader->progress.known && reader->held_count == 0 &&
           reader->cursor.to >= reader->progress.end;
}

bool feed_reader_is_behind(const struct feed_reader *reader)
{
    return reader->progress.known && reader->fetched.seq < reader->progress.end;
}

bool feed_reader_at_stop(const struct feed_reader *reader)
{
    return reader->options.stops && reader->cursor.to >= reader->options.stop_at;
}

bool feed_reader_is_silent(const struct feed_reader *reader)
{
    return reader->silent;
}

bool feed_reader_is_overdue(const struct feed_reader *reader, int64_t monotonic_ms)
{
    return reader->outstanding && monotonic_ms >= reader->fetch_at_ms;
}

size_t feed_reader_held_bytes(const struct feed_reader *reader)
{
    return reader->held_bytes;
}

const char *feed_reader_stopped(const struct feed_reader *reader)
{
    return reader->stopped[0] == '\0' ? NULL : reader->stopped;
}
