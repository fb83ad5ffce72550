/* The shell's own tables: how far feeds are folded, which requests were decided, what time
 * it is. Changed live and in replay by the same functions. */
#include "common/base/record.h"
#include "common/service/shell_internal.h"
#include "common/wire/pb.h"
#include "kith/v1/block.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 1
#define CURSOR_KEY_BYTES 28
#define CURSOR_VALUE_BYTES (1 + 4 * 8 + 32)
#define PLACE_VALUE_BYTES (1 + 16 + 8 + 8 + 4 + 8)
#define REPLY_AT (PLACE_VALUE_BYTES + 2)
#define AGE_KEY_BYTES (8 + 16)
#define NOW_VALUE_BYTES (1 + 8 + 8)
/* Old keys dropped per block: more than a block can add, so the table cannot outgrow. */
#define EXPIRE_PER_BLOCK 128

const struct store_table shell_tables[SHELL_TABLES] = {
    { SHELL_TABLE_CURSOR, "shell_cursor", STORE_TABLE_TREE },
    { SHELL_TABLE_REQUEST, "shell_request", STORE_TABLE_TREE },
    { SHELL_TABLE_REQUEST_AGE, "shell_request_age", STORE_TABLE_TREE },
    { SHELL_TABLE_NOW, "shell_now", STORE_TABLE_TREE },
};

/* ---- cursors */

static void cursor_key(const struct feed_name *feed, uint8_t key[CURSOR_KEY_BYTES])
{
    size_t size = strlen(feed->name);
    assert(size < 24);
    memset(key, 0, CURSOR_KEY_BYTES);
    memcpy(key, feed->name, size);
    be32_put(key + 24, feed->shard);
}

struct folded folded_of(const struct feed_name *feed, const struct feed_cursor *before,
                        const struct feed_cursor *after)
{
    return (struct folded){ .feed = *feed,
                            .epoch = after->epoch,
                            .from = before->to,
                            .to = after->to,
                            .block = after->block,
                            .block_seq = after->block_seq,
                            .chain = after->chain };
}

void ledger_cursor_put(const struct change *change, const struct folded *folded)
{
    uint8_t key[CURSOR_KEY_BYTES];
    uint8_t value[CURSOR_VALUE_BYTES];
    cursor_key(&folded->feed, key);
    value[0] = RECORD_VERSION;
    be64_put(value + 1, folded->epoch);
    be64_put(value + 9, folded->to);
    be64_put(value + 17, folded->block);
    be64_put(value + 25, folded->block_seq);
    memcpy(value + 33, folded->chain.bytes, 32);
    change_put(change, SHELL_TABLE_CURSOR, span_of(key, sizeof key), span_of(value, sizeof value));
}

static void cursor_decode(struct span value, struct feed_cursor *cursor)
{
    assert(value.size == CURSOR_VALUE_BYTES && value.data[0] == RECORD_VERSION);
    cursor->epoch = be64_get(value.data + 1);
    cursor->to = be64_get(value.data + 9);
    cursor->block = be64_get(value.data + 17);
    cursor->block_seq = be64_get(value.data + 25);
    memcpy(cursor->chain.bytes, value.data + 33, 32);
}

bool ledger_cursor_get(const struct view *view, const struct feed_name *feed,
                       struct feed_cursor *cursor)
{
    uint8_t key[CURSOR_KEY_BYTES];
    struct span value = { NULL, 0 };
    cursor_key(feed, key);
    if (!view_get(view, SHELL_TABLE_CURSOR, span_of(key, sizeof key), &value)) {
        return false;
    }
    cursor_decode(value, cursor);
    return true;
}

bool ledger_cursor_decode(struct span key, struct span value, struct feed_name *feed,
                          struct feed_cursor *cursor)
{
    if (key.size != CURSOR_KEY_BYTES || value.size != CURSOR_VALUE_BYTES) {
        return false;
    }
    memcpy(feed->name, key.data, sizeof feed->name);
    feed->name[sizeof feed->name - 1] = '\0';
    feed->shard = be32_get(key.data + 24);
    cursor_decode(value, cursor);
    return true;
}

/* ---- requests */

static void age_key(int64_t issued_at_ms, struct hash128 key, uint8_t out[AGE_KEY_BYTES])
{
    be_time_put(out, issued_at_ms);
    memcpy(out + 8, key.bytes, 16);
}

/* Behind the place: the size of the header (2 bytes), the header, the body. Without a journal
 * there are the shell's own commands only, and their replies are short (asserted). */
static size_t reply_put(uint8_t value[LIMIT_STATE_VALUE_BYTES], const struct request_place *place)
{
    struct span header = place->reply_header;
    struct span body = place->reply_body;
    if (header.size == 0) {
        return PLACE_VALUE_BYTES;
    }
    assert(REPLY_AT + header.size + body.size <= LIMIT_STATE_VALUE_BYTES);
    be16_put(value + PLACE_VALUE_BYTES, (uint16_t)header.size);
    memcpy(value + REPLY_AT, header.data, header.size);
    if (body.size > 0) {
        memcpy(value + REPLY_AT + header.size, body.data, body.size);
    }
    return REPLY_AT + header.size + body.size;
}

static void reply_get(struct span value, struct request_place *place)
{
    place->reply_header = span_of(NULL, 0);
    place->reply_body = span_of(NULL, 0);
    if (value.size == PLACE_VALUE_BYTES) {
        return;
    }
    assert(value.size > REPLY_AT);
    size_t header_size = be16_get(value.data + PLACE_VALUE_BYTES);
    assert(header_size > 0 && header_size <= value.size - REPLY_AT);
    const uint8_t *body = value.data + REPLY_AT + header_size;
    place->reply_header = span_of(value.data + REPLY_AT, header_size);
    place->reply_body = span_of(body, value.size - REPLY_AT - header_size);
}

void ledger_request_put(const struct change *change, struct ledger_ages *ages, bool for_ever,
                        struct hash128 key, const struct request_place *place)
{
    uint8_t value[LIMIT_STATE_VALUE_BYTES];
    value[0] = RECORD_VERSION;
    memcpy(value + 1, place->body_hash.bytes, 16);
    be64_put(value + 17, place->first_seq);
    be64_put(value + 25, place->block);
    be32_put(value + 33, place->index);
    be_time_put(value + 37, place->issued_at_ms);
    size_t size = reply_put(value, place);
    change_put(change, SHELL_TABLE_REQUEST, span_of(key.bytes, 16), span_of(value, size));
    if (!for_ever) {
        uint8_t age[AGE_KEY_BYTES];
        age_key(place->issued_at_ms, key, age);
        change_put(change, SHELL_TABLE_REQUEST_AGE, span_of(age, sizeof age), span_of("", 0));
        if (place->issued_at_ms < ages->from_ms) {
            ages->from_ms = place->issued_at_ms;
        }
    }
}

bool ledger_request_get(const struct view *view, struct hash128 key, struct request_place *place)
{
    struct span value = { NULL, 0 };
    if (!view_get(view, SHELL_TABLE_REQUEST, span_of(key.bytes, 16), &value)) {
        return false;
    }
    assert(value.size >= PLACE_VALUE_BYTES && value.data[0] == RECORD_VERSION);
    memcpy(place->body_hash.bytes, value.data + 1, 16);
    place->first_seq = be64_get(value.data + 17);
    place->block = be64_get(value.data + 25);
    place->index = be32_get(value.data + 33);
    place->issued_at_ms = be_time_get(value.data + 37);
    reply_get(value, place);
    return true;
}

struct expire {
    int64_t before_ms;
    size_t count;
    uint8_t keys[EXPIRE_PER_BLOCK][AGE_KEY_BYTES];
};

static bool expire_collect(void *argument, struct span key, struct span value)
{
    struct expire *expire = argument;
    (void)value;
    assert(key.size == AGE_KEY_BYTES);
    if (be_time_get(key.data) >= expire->before_ms || expire->count == EXPIRE_PER_BLOCK) {
        return false;
    }
    memcpy(expire->keys[expire->count++], key.data, AGE_KEY_BYTES);
    return true;
}

static void requests_expire(const struct change *change, struct ledger_ages *ages, int64_t wall_ms)
{
    struct expire expire = { .before_ms = wall_ms - LIMIT_REQUEST_AGE_MS };
    uint8_t from[8];
    be_time_put(from, ages->from_ms);
    view_scan(&change->view, SHELL_TABLE_REQUEST_AGE, span_of(from, sizeof from), expire_collect,
              &expire);
    for (size_t i = 0; i < expire.count; i++) {
        change_delete(change, SHELL_TABLE_REQUEST, span_of(expire.keys[i] + 8, 16));
        change_delete(change, SHELL_TABLE_REQUEST_AGE, span_of(expire.keys[i], AGE_KEY_BYTES));
    }
    if (expire.count == EXPIRE_PER_BLOCK) {
        ages->from_ms = be_time_get(expire.keys[EXPIRE_PER_BLOCK - 1]); /* more may stand there */
    } else if (expire.before_ms > ages->from_ms) {
        ages->from_ms = expire.before_ms;
    }
}

void ledger_block_end(const struct change *change, struct ledger_ages *ages, int64_t now_ms,
                      int64_t wall_ms)
{
    uint8_t now[NOW_VALUE_BYTES] = { RECORD_VERSION };
    be_time_put(now + 1, now_ms);
    be_time_put(now + 9, wall_ms);
    change_put(change, SHELL_TABLE_NOW, span_of("", 0), span_of(now, sizeof now));
    requests_expire(change, ages, wall_ms);
}

/* Beside the service's now, which has the empty key. */
static const uint8_t cause_key[1] = { 'c' };

bool ledger_learns_cause(const struct service_definition *definition)
{
    for (size_t i = 0; i < definition->feed_count; i++) {
        if (strcmp(definition->feeds[i].name, "ingestion") == 0) {
            return false;
        }
    }
    return definition->feed_count > 0 && definition->keeps_journal;
}

uint64_t ledger_cause_get(const struct view *view)
{
    struct span value = { 0 };
    if (!view_get(view, SHELL_TABLE_NOW, span_of(cause_key, sizeof cause_key), &value)) {
        return 0;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    return record_read64(&reader);
}

static void cause_put(const struct change *change, uint64_t cause)
{
    uint8_t bytes[1 + 8];
    struct record_writer writer = record_writer_of(bytes, sizeof bytes, RECORD_VERSION);
    record_write64(&writer, cause);
    change_put(change, SHELL_TABLE_NOW, span_of(cause_key, sizeof cause_key),
               record_written(&writer));
}

void ledger_cause_learn(const struct change *change, uint64_t cause)
{
    if (cause > ledger_cause_get(&change->view)) {
        cause_put(change, cause);
    }
}

bool ledger_now_get(const struct view *view, int64_t *now_ms, int64_t *wall_ms)
{
    struct span value = { NULL, 0 };
    if (!view_get(view, SHELL_TABLE_NOW, span_of("", 0), &value)) {
        return false;
    }
    assert(value.size == NOW_VALUE_BYTES && value.data[0] == RECORD_VERSION);
    *now_ms = be_time_get(value.data + 1);
    *wall_ms = be_time_get(value.data + 9);
    return true;
}

/* ---- facts of the shell */

bool ledger_fact_evolve(const struct change *change, const struct fact *fact)
{
    if (fact->type != FACT_CONSUMER_ACCEPTED) {
        return false;
    }
    struct arena arena;
    arena_init(&arena, PB_ARENA_LEAST);
    const Kith__V1__ConsumerAccepted *accepted =
        pb_unpack(&kith__v1__consumer_accepted__descriptor, &arena, fact->body);
    assert(accepted != NULL && accepted->feed != NULL);
    struct folded folded = { .to = accepted->from };
    (void)snprintf(folded.feed.name, sizeof folded.feed.name, "%s", accepted->feed);
    folded.feed.shard = accepted->shard;
    ledger_cursor_put(change, &folded);
    /* Causes begin anew: those of a journal that was lost are no longer the newest. */
    if (ledger_cause_get(&change->view) > 0) {
        cause_put(change, 0);
    }
    arena_release(&arena);
    return true;
}
