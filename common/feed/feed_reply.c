#include "common/feed/feed_reply.h"

#include "common/base/field.h"

#include <string.h>

/* The numbers are those of feed.proto and wire.proto. */
enum reply_field {
    REPLY_EPOCH = 1,
    REPLY_END = 2,
    REPLY_END_BLOCK = 3,
    REPLY_END_RECORDED_AT = 4,
    REPLY_INPUT = 5,
    REPLY_CHAIN_BEFORE = 6,
    REPLY_BLOCK = 7,
    REPLY_SETTLED_CAUSE = 8,
    REPLY_SETTLED_AT = 9,
    REPLY_FIELDS,
};
enum position_field { POSITION_FEED = 1, POSITION_SHARD = 2, POSITION_SEQ = 3, POSITION_FIELDS };
enum block_field { BLOCK_HEADER = 1, BLOCK_PUBLIC_PART = 2, BLOCK_FIELDS };

/* More than any of the messages has. */
#define FIELDS_MAX 16

/* A message's fields by their numbers. */
struct fields {
    bool there[FIELDS_MAX];
    struct field at[FIELDS_MAX];
};

/* `bytes_fields` and `lists`: bit n for field n; all others hold numbers. What stands in a list
 * is left to the caller. False: no such message. */
struct fields_shape {
    uint32_t end; /* numbers from here on are unknown */
    unsigned bytes_fields;
    unsigned lists;
};

static bool fields_read(const struct fields_shape *shape, struct span bytes, struct fields *fields)
{
    struct field field = { .number = 0 };
    enum field_step step = field_next(&bytes, &field);
    for (; step == FIELD_READ; step = field_next(&bytes, &field)) {
        if (field.number >= shape->end) {
            continue;
        }
        bool is_bytes = (shape->bytes_fields >> field.number & 1U) != 0;
        bool is_list = (shape->lists >> field.number & 1U) != 0;
        if (field.kind != (is_bytes ? FIELD_BYTES : FIELD_VARINT) ||
            (fields->there[field.number] && !is_list)) {
            return false;
        }
        fields->there[field.number] = true;
        fields->at[field.number] = field;
    }
    return step == FIELD_END;
}

static const struct fields_shape reply_shape = {
    .end = REPLY_FIELDS,
    .bytes_fields = 1U << REPLY_INPUT | 1U << REPLY_CHAIN_BEFORE | 1U << REPLY_BLOCK,
    .lists = 1U << REPLY_INPUT | 1U << REPLY_BLOCK,
};
static const struct fields_shape position_shape = {
    .end = POSITION_FIELDS,
    .bytes_fields = 1U << POSITION_FEED,
};
static const struct fields_shape block_shape = {
    .end = BLOCK_FIELDS,
    .bytes_fields = 1U << BLOCK_HEADER | 1U << BLOCK_PUBLIC_PART,
};

static bool block_decode(struct span bytes, struct feed_reply_block *block)
{
    struct fields fields = { .there = { false } };
    if (!fields_read(&block_shape, bytes, &fields)) {
        return false;
    }
    *block = (struct feed_reply_block){ .header = fields.at[BLOCK_HEADER].bytes,
                                        .is_whole = fields.there[BLOCK_PUBLIC_PART],
                                        .public_part = fields.at[BLOCK_PUBLIC_PART].bytes };
    return true;
}

/* An input whose name no feed can have says nothing, nor do those beyond what a service may
 * read. */
static bool input_take(struct span bytes, struct feed_progress *progress)
{
    struct fields fields = { .there = { false } };
    if (!fields_read(&position_shape, bytes, &fields) ||
        fields.at[POSITION_SHARD].value > UINT32_MAX) {
        return false;
    }
    struct feed_name feed = { .shard = (uint32_t)fields.at[POSITION_SHARD].value };
    struct span name = fields.at[POSITION_FEED].bytes;
    if (name.size == 0 || name.size >= sizeof feed.name ||
        memchr(name.data, '\0', name.size) != NULL || progress->input_count == LIMIT_FEEDS) {
        return true;
    }
    memcpy(feed.name, name.data, name.size);
    progress->inputs[progress->input_count].feed = feed;
    progress->inputs[progress->input_count].seq = fields.at[POSITION_SEQ].value;
    progress->input_count += 1;
    return true;
}

static bool lists_take(struct span body, struct feed_reply *reply)
{
    struct feed_reply_block block = { .is_whole = false };
    struct field field = { .number = 0 };
    bool sound = true;
    while (sound && field_next(&body, &field) == FIELD_READ) {
        if (field.number == REPLY_INPUT) {
            sound = input_take(field.bytes, &reply->progress);
        } else if (field.number == REPLY_BLOCK) {
            sound = block_decode(field.bytes, &block);
            reply->block_count += 1;
        }
    }
    return sound;
}

bool feed_reply_decode(struct span body, struct feed_reply *reply)
{
    struct fields fields = { .there = { false } };
    struct feed_reply decoded = { .epoch = 0 };
    if (!fields_read(&reply_shape, body, &fields) || !lists_take(body, &decoded)) {
        return false;
    }
    decoded.epoch = fields.at[REPLY_EPOCH].value;
    decoded.chain_before = fields.at[REPLY_CHAIN_BEFORE].bytes;
    struct feed_progress *progress = &decoded.progress;
    progress->known = true;
    progress->end = fields.at[REPLY_END].value;
    progress->end_recorded_at_ms = field_signed(fields.at[REPLY_END_RECORDED_AT].value);
    progress->has_settled = fields.there[REPLY_SETTLED_CAUSE] && fields.there[REPLY_SETTLED_AT];
    progress->settled =
        (struct feed_moment){ .cause = fields.at[REPLY_SETTLED_CAUSE].value,
                              .at_ms = field_signed(fields.at[REPLY_SETTLED_AT].value) };
    *reply = decoded;
    return true;
}

bool feed_reply_block_take(struct span *rest, struct feed_reply_block *block)
{
    struct field field = { .number = 0 };
    while (field_next(rest, &field) == FIELD_READ) {
        if (field.number == REPLY_BLOCK) {
            return block_decode(field.bytes, block);
        }
    }
    return false;
}
