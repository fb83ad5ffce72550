#include "clients/c/kith_chain.h"
#include "clients/c/kith_connection.h"
#include "clients/c/kith_reply.h"
#include "clients/c/kith_status.h"
#include "clients/c/kith_text.h"
#include "kith/v1/feed.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define METHOD "feed.Fetch"
/* A Fetch waits this long at the service, and is given up when nothing came in time. */
#define FETCH_WAIT_MS 1000
#define FETCH_LOST_MS 3000
/* After a reply that says "not now", and after one without blocks: who answers at once and has
 * nothing to say must not keep us busy. */
#define RETRY_MS 200
#define NOTHING_MS 10
#define SEQ_MAX (UINT64_MAX / 4)
#define FACT_VERSION 1

struct type_list {
    uint32_t types[KITH_FEED_TYPES];
    size_t count;
};

struct kith_feed {
    struct kith_connection *connection;
    char *name;
    char *consumer;
    uint32_t shard;
    struct type_list wanted;
    struct type_list ignored;

    struct kith_cursor cursor;
    struct kith_chain at; /* behind the newest block that was gone through */
    uint64_t saved;
    uint64_t end;
    struct kith_error stopped; /* why it stands still; KITH_OK: it runs */

    /* The Fetch on its way. */
    uint64_t fetch_id; /* 0: none */
    int64_t fetch_lost_at_ms;
    int64_t fetch_at_ms;      /* the next one not before */
    struct kith_error absent; /* why the service gives nothing; KITH_OK: it does */

    /* The reply in hand, and its block in hand. */
    struct kith_budget budget;
    Kith__V1__FetchReply *reply; /* NULL: none */
    size_t block_index;
    bool in_block;
    struct kith_block block;
    size_t fact_index;
};

/* ---- opening and closing */

static bool cursor_is_sane(const struct kith_cursor *cursor)
{
    return cursor->seq < SEQ_MAX && cursor->block < SEQ_MAX && cursor->block_seq <= cursor->seq &&
           (cursor->block != 0 || cursor->block_seq == 0);
}

static enum kith_status options_check(const struct kith_feed_options *options,
                                      struct kith_error *error)
{
    if (!kith_id_is_valid(options->feed)) {
        return kith_error_id(error, "feed");
    }
    if (!kith_id_is_valid(options->consumer)) {
        return kith_error_id(error, "consumer");
    }
    if (options->type_count > KITH_FEED_TYPES || options->ignored_count > KITH_FEED_TYPES) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "%zu and %zu types are listed, and at most %d of each can be",
                              options->type_count, options->ignored_count, KITH_FEED_TYPES);
    }
    if (!cursor_is_sane(&options->cursor)) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "the cursor is none that kith_feed_cursor() gave");
    }
    return KITH_OK;
}

static void types_copy(struct type_list *list, const uint32_t *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        list->types[i] = types[i];
    }
    list->count = count;
}

enum kith_status kith_feed_open(struct kith_feed **feed, const struct kith_feed_options *options,
                                struct kith_error *error)
{
    enum kith_status status = options_check(options, error);
    if (status != KITH_OK) {
        return status;
    }
    struct kith_connection *connection = NULL;
    status = kith_open(&connection, options->endpoint, error);
    if (status != KITH_OK) {
        return status;
    }
    const struct kith_cursor *cursor = &options->cursor;
    struct kith_feed *opened = kith_allocate(sizeof *opened);
    opened->connection = connection;
    opened->name = kith_text_copy(options->feed);
    opened->consumer = kith_text_copy(options->consumer);
    opened->shard = options->shard;
    types_copy(&opened->wanted, options->types, options->type_count);
    types_copy(&opened->ignored, options->ignored, options->ignored_count);
    opened->cursor = *cursor;
    opened->saved = cursor->seq;
    opened->at = (struct kith_chain){
        .is_known = cursor->block != 0 || cursor->seq == 0,
        .block = cursor->block,
        .seq = cursor->block != 0 ? cursor->block_seq : cursor->seq,
    };
    if (cursor->block != 0) { /* before the first block the chain is all zero */
        memcpy(opened->at.bytes, cursor->chain, sizeof opened->at.bytes);
    }
    *feed = opened;
    return KITH_OK;
}

static void reply_drop(struct kith_feed *feed)
{
    kith_unpacked_free(&feed->budget, feed->reply);
    feed->reply = NULL;
    feed->block_index = 0;
}

static void block_drop(struct kith_feed *feed)
{
    kith_block_release(&feed->block);
    feed->in_block = false;
}

void kith_feed_close(struct kith_feed **feed)
{
    struct kith_feed *closing = *feed;
    if (closing == NULL) {
        return;
    }
    *feed = NULL;
    block_drop(closing);
    reply_drop(closing);
    kith_close(&closing->connection);
    free(closing->name);
    free(closing->consumer);
    free(closing);
}

struct kith_cursor kith_feed_cursor(const struct kith_feed *feed)
{
    return feed->cursor;
}

void kith_feed_saved(struct kith_feed *feed, uint64_t seq)
{
    feed->saved = seq;
}

uint64_t kith_feed_end(const struct kith_feed *feed)
{
    return feed->end;
}

/* ---- standing still */

static void stop(struct kith_feed *feed, const struct kith_error *why)
{
    (void)kith_error_set(&feed->stopped, why->status, "feed %s/%" PRIu32 ": %s", feed->name,
                         feed->shard, why->text);
}

static void stop_data_loss(struct kith_feed *feed, const char *why)
{
    struct kith_error error;
    (void)kith_error_set(&error, KITH_DATA_LOSS, "%s", why);
    stop(feed, &error);
}

static enum kith_status error_tell(const struct kith_error *known, struct kith_error *error)
{
    if (error != NULL) {
        *error = *known;
    }
    return known->status;
}

/* ---- fetching */

static void fetch_pack(const struct kith_feed *feed, struct kith_bytes *out)
{
    Kith__V1__FetchRequest request = KITH__V1__FETCH_REQUEST__INIT;
    struct type_list wanted = feed->wanted;
    struct type_list ignored = feed->ignored;
    request.feed = feed->name;
    request.has_shard = true;
    request.shard = feed->shard;
    request.consumer = feed->consumer;
    request.has_epoch = true;
    request.epoch = feed->cursor.epoch;
    request.has_from = true;
    request.from = feed->at.seq;
    if (feed->at.is_known) {
        request.has_block = true;
        request.block = feed->at.block;
        request.has_chain = true;
        request.chain = kith_unconst_bytes(feed->at.bytes, sizeof feed->at.bytes);
    }
    request.has_max_bytes = true;
    request.max_bytes = KITH_BODY_BYTES;
    request.has_max_wait_ms = true;
    request.max_wait_ms = FETCH_WAIT_MS;
    request.n_types_folded = wanted.count;
    request.types_folded = wanted.types;
    request.n_types_ignored = wanted.count == 0 ? 0 : ignored.count;
    request.types_ignored = ignored.types;
    request.has_durable_position = true;
    request.durable_position = feed->saved;
    kith_bytes_pack(out, &request.base);
}

static void fetch_send(struct kith_feed *feed)
{
    struct kith_bytes body = { 0 };
    fetch_pack(feed, &body);
    struct kith_outgoing outgoing = {
        .method = METHOD,
        .body = body.data,
        .body_bytes = body.size,
        .timeout_ms = FETCH_LOST_MS,
    };
    feed->fetch_id = kith_connection_send(feed->connection, &outgoing);
    feed->fetch_lost_at_ms = kith_monotonic_ms() + FETCH_LOST_MS;
    kith_bytes_release(&body);
}

/* The service is there and cannot serve now. */
static void absent_set(struct kith_feed *feed, const char *why)
{
    (void)kith_error_set(&feed->absent, KITH_UNAVAILABLE, "feed %s/%" PRIu32 " at %s: %s",
                         feed->name, feed->shard, kith_connection_endpoint(feed->connection), why);
    feed->fetch_at_ms = kith_monotonic_ms() + RETRY_MS;
}

/* Whether the reply goes on from where we are; otherwise the feed is stopped. */
static bool reply_follows(struct kith_feed *feed)
{
    const Kith__V1__FetchReply *reply = feed->reply;
    if (feed->cursor.epoch == 0) {
        feed->cursor.epoch = reply->epoch;
    }
    if (reply->epoch == 0 || reply->epoch != feed->cursor.epoch) {
        stop_data_loss(feed, "the journal has another epoch: it was restored or made anew");
        return false;
    }
    if (reply->end < feed->at.seq) {
        stop_data_loss(feed, "the journal ends before what was read of it");
        return false;
    }
    if (reply->n_blocks == 0) {
        return true;
    }
    bool is_chain = reply->chain_before.len == sizeof feed->at.bytes;
    if (is_chain && !feed->at.is_known) {
        memcpy(feed->at.bytes, reply->chain_before.data, sizeof feed->at.bytes);
    }
    if (!is_chain || memcmp(reply->chain_before.data, feed->at.bytes, sizeof feed->at.bytes) != 0) {
        stop_data_loss(feed, "the chain differs from that of the blocks that were read");
        return false;
    }
    return true;
}

static void body_take(struct kith_feed *feed, const struct kith_reply *reply)
{
    size_t body_bytes = 0;
    const void *body = kith_reply_body(reply, &body_bytes);
    feed->reply = kith_unpack(&feed->budget, &kith__v1__fetch_reply__descriptor, body, body_bytes);
    if (feed->reply == NULL) {
        absent_set(feed, "a reply came that cannot be read");
        return;
    }
    feed->absent.status = KITH_OK;
    if (!reply_follows(feed)) {
        reply_drop(feed);
        return;
    }
    feed->end = feed->reply->end;
    if (feed->reply->n_blocks == 0) {
        feed->fetch_at_ms = kith_monotonic_ms() + NOTHING_MS;
    }
}

static void reply_take(struct kith_feed *feed, const struct kith_reply *reply)
{
    struct kith_error error;
    switch (kith_reply_tell(reply, &error)) {
    case KITH_OK:
        body_take(feed, reply);
        return;
    case KITH_DEADLINE_EXCEEDED:
    case KITH_RESOURCE_EXHAUSTED:
    case KITH_ABORTED:
    case KITH_INTERNAL:
    case KITH_UNAVAILABLE:
        absent_set(feed, error.text);
        return;
    case KITH_INVALID_ARGUMENT:
    case KITH_NOT_FOUND:
    case KITH_ALREADY_EXISTS:
    case KITH_PERMISSION_DENIED:
    case KITH_FAILED_PRECONDITION:
    case KITH_OUT_OF_RANGE:
    case KITH_UNIMPLEMENTED:
    case KITH_DATA_LOSS:
    case KITH_UNAUTHENTICATED:
        stop(feed, &error);
        return;
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Asks, unless that is on its way, and takes the reply if it comes before the moment. */
static void fetch(struct kith_feed *feed, int64_t until_ms)
{
    if (feed->fetch_id == 0) {
        kith_connection_pause(feed->connection, least(feed->fetch_at_ms, until_ms));
        if (kith_monotonic_ms() < feed->fetch_at_ms) {
            return;
        }
        fetch_send(feed);
    }
    if (feed->fetch_id == 0) {
        absent_set(feed, "nothing can be sent");
        return;
    }
    struct kith_reply *reply = NULL;
    int64_t patience_ms = least(until_ms, feed->fetch_lost_at_ms);
    if (kith_connection_await(feed->connection, feed->fetch_id, patience_ms, &reply)) {
        feed->fetch_id = 0;
        reply_take(feed, reply);
        kith_reply_close(&reply);
        return;
    }
    if (kith_monotonic_ms() >= feed->fetch_lost_at_ms) {
        feed->fetch_id = 0;
        absent_set(feed, "nobody answers");
        kith_connection_renew(feed->connection);
    }
}

/* ---- going through blocks */

/* What the cursor says once this fact, or the whole block, is passed. */
static void cursor_pass(struct kith_feed *feed, uint64_t seq)
{
    const struct kith_chain *after = &feed->block.after;
    if (seq > feed->cursor.seq) {
        feed->cursor.seq = seq;
    }
    if (seq == after->seq) {
        feed->cursor.block = after->block;
        feed->cursor.block_seq = after->seq;
        memcpy(feed->cursor.chain, after->bytes, sizeof feed->cursor.chain);
    }
}

static void block_leave(struct kith_feed *feed)
{
    cursor_pass(feed, feed->block.after.seq);
    feed->at = feed->block.after;
    block_drop(feed);
}

static uint64_t types_mask(const struct type_list *list)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < list->count; i++) {
        mask |= UINT64_C(1) << (list->types[i] % 64);
    }
    return mask;
}

/* What a Fetch asks for: types without any ignored mean just these; beside ignored ones every
 * other type is to be seen as well. */
static uint64_t types_asked(const struct kith_feed *feed)
{
    uint64_t wanted = types_mask(&feed->wanted);
    if (feed->wanted.count == 0) {
        return UINT64_MAX;
    }
    return feed->ignored.count == 0 ? wanted : ~types_mask(&feed->ignored) | wanted;
}

/* Checks the next block of the reply and takes it in hand. False: there is none, or it is not
 * sound. */
static bool block_enter(struct kith_feed *feed)
{
    if (feed->reply == NULL) {
        return false;
    }
    if (feed->block_index == feed->reply->n_blocks) {
        reply_drop(feed);
        return false;
    }
    const Kith__V1__FeedBlock *sent = feed->reply->blocks[feed->block_index];
    struct kith_block_bytes bytes = {
        .header = sent->header,
        .public_part = sent->public_part,
        .has_public_part = sent->has_public_part,
        .types_asked = types_asked(feed),
    };
    struct kith_error error;
    if (kith_block_open(&feed->block, &feed->at, &bytes, &error) != KITH_OK) {
        stop(feed, &error);
        return false;
    }
    uint64_t passed = feed->cursor.seq;
    feed->in_block = true;
    feed->block_index += 1;
    feed->fact_index =
        passed < feed->block.first_seq ? 0 : (size_t)(passed - feed->block.first_seq + 1);
    return true;
}

static bool type_is_in(const struct type_list *list, uint32_t type)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->types[i] == type) {
            return true;
        }
    }
    return false;
}

/* Whether a fact is handed out. One that may not be passed over either stops the feed. */
static bool fact_is_wanted(struct kith_feed *feed, const Kith__V1__Fact *fact, uint64_t seq)
{
    bool is_wanted = feed->wanted.count == 0 || type_is_in(&feed->wanted, fact->type);
    bool may_pass = feed->ignored.count == 0 || type_is_in(&feed->ignored, fact->type);
    bool is_known = !fact->has_version || fact->version <= FACT_VERSION;
    if (is_wanted ? is_known : may_pass) {
        return is_wanted;
    }
    struct kith_error error;
    (void)kith_error_set(&error, KITH_UNIMPLEMENTED,
                         "fact %" PRIu64 " has type %" PRIu32 " version %" PRIu32
                         ", which is not known here; upgrade",
                         seq, fact->type, fact->has_version ? fact->version : FACT_VERSION);
    stop(feed, &error);
    return false;
}

/* The customer's identifier, where it is plain. */
static bool subject_take(const Kith__V1__Sealed *subject, char out[KITH_ID_BYTES + 1])
{
    if (subject == NULL || subject->key_id != 0 || subject->bytes.len == 0) {
        return true;
    }
    if (subject->bytes.len > KITH_ID_BYTES) {
        return false;
    }
    memcpy(out, subject->bytes.data, subject->bytes.len);
    return kith_id_is_valid(out) && strlen(out) == subject->bytes.len;
}

/* False: it is none, and the feed is stopped. */
static bool fact_fill(struct kith_feed *feed, const Kith__V1__Fact *sent, uint64_t seq,
                      struct kith_fact *fact)
{
    struct kith_fact filled = {
        .seq = seq,
        .type = sent->type,
        .recorded_at_ms = sent->recorded_at_ms,
        .cause = sent->cause,
        .has_customer = sent->has_customer,
        .body = "",
    };
    if (sent->body.len > 0) {
        filled.body = sent->body.data;
        filled.body_bytes = sent->body.len;
    }
    bool is_fact = subject_take(sent->subject, filled.subject);
    if (sent->has_customer) {
        is_fact = is_fact && sent->customer.len == sizeof filled.customer;
    }
    if (!is_fact) {
        stop_data_loss(feed, "a fact's customer cannot be read");
        return false;
    }
    if (sent->has_customer) {
        memcpy(filled.customer, sent->customer.data, sizeof filled.customer);
    }
    *fact = filled;
    return true;
}

/* The next wanted fact of the block in hand. False: there is none, or the feed is stopped. */
static bool block_fact_next(struct kith_feed *feed, struct kith_fact *fact)
{
    const struct kith_block *block = &feed->block;
    size_t count = block->facts == NULL ? 0 : block->facts->n_facts;
    while (feed->fact_index < count) {
        const Kith__V1__Fact *sent = block->facts->facts[feed->fact_index];
        uint64_t seq = block->first_seq + feed->fact_index;
        bool is_handed = fact_is_wanted(feed, sent, seq) && fact_fill(feed, sent, seq, fact);
        if (feed->stopped.status != KITH_OK) {
            return false;
        }
        feed->fact_index += 1;
        cursor_pass(feed, seq);
        if (is_handed) {
            return true;
        }
    }
    return false;
}

/* The next wanted fact of all that is in hand. */
static bool fact_next(struct kith_feed *feed, struct kith_fact *fact)
{
    while (feed->stopped.status == KITH_OK && (feed->in_block || block_enter(feed))) {
        if (block_fact_next(feed, fact)) {
            return true;
        }
        if (feed->stopped.status == KITH_OK) {
            block_leave(feed);
        }
    }
    return false;
}

static enum kith_status nothing_tell(const struct kith_feed *feed, int64_t timeout_ms,
                                     struct kith_error *error)
{
    if (feed->absent.status != KITH_OK) {
        return error_tell(&feed->absent, error);
    }
    return kith_error_set(error, KITH_DEADLINE_EXCEEDED,
                          "feed %s/%" PRIu32 ": nothing new in %" PRId64 " ms", feed->name,
                          feed->shard, timeout_ms);
}

enum kith_status kith_feed_next(struct kith_feed *feed, int64_t timeout_ms, struct kith_fact *fact,
                                struct kith_error *error)
{
    int64_t until_ms = kith_monotonic_ms() + kith_timeout_within(timeout_ms);
    bool is_over = false;
    while (!fact_next(feed, fact)) {
        if (feed->stopped.status != KITH_OK) {
            return error_tell(&feed->stopped, error);
        }
        if (is_over) {
            return nothing_tell(feed, timeout_ms, error);
        }
        fetch(feed, until_ms);
        is_over = kith_monotonic_ms() >= until_ms;
    }
    return KITH_OK;
}
