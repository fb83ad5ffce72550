/* Memberships, what is due, segments and their rules. */
#include "services/segmentation/segmentation_store_bytes.h"

#include <assert.h>
#include <string.h>

/* Sizes of values, version byte included; those with a text without it. */
#define MEMBERSHIP_BYTES (1 + 4 + 8)
#define SEGMENT_FIXED_BYTES (1 + 8)
#define NUMBER_BYTES (1 + 4)
#define MEMBER_BYTES (1 + 16)
#define MARK_BYTES 1 /* of tables whose key says all */
#define HEAD_BYTES (1 + 4 + 16 + 8 + 4 + 1 + 1 + 16)
/* Chunks are raw bytes: the version of what is in them is the rules' own affair. */
#define CHUNK_BYTES LIMIT_STATE_VALUE_BYTES

/* ---- memberships */

static void membership_decode(uint32_t segment, struct span value,
                              struct segmentation_membership *membership)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    membership->segment = segment;
    membership->version = record_read32(&reader);
    membership->since_ms = record_read_signed(&reader);
    record_read_end(&reader);
}

bool segmentation_membership_load(const struct view *view, struct customer_id id, uint32_t segment,
                                  struct segmentation_membership *membership)
{
    struct segmentation_key key = segmentation_membership_key(id, segment);
    struct span value = { 0 };
    *membership = (struct segmentation_membership){ .segment = segment };
    if (!record_get(view, SEGMENTATION_TABLE_MEMBERSHIP, &key, &value)) {
        return false;
    }
    membership_decode(segment, value, membership);
    return true;
}

struct memberships_walk {
    struct segmentation_membership *memberships;
    size_t found;
    size_t count;
};

static bool membership_visit(void *argument, struct span key, struct span value)
{
    struct memberships_walk *walk = argument;
    uint32_t segment = 0;
    enum status status = segmentation_membership_key_decode(key, &segment);
    assert(status == STATUS_OK);
    membership_decode(segment, value, &walk->memberships[walk->found]);
    walk->found += 1;
    return walk->found < walk->count;
}

void segmentation_memberships_load(const struct view *view, struct customer_id id,
                                   struct segmentation_membership *memberships, size_t count)
{
    assert(count <= RULES_SEGMENTS_MAX);
    if (count == 0) {
        return;
    }
    struct memberships_walk walk = { .memberships = memberships, .count = count };
    struct segmentation_key prefix = segmentation_customer_key(id);
    view_walk(view, SEGMENTATION_TABLE_MEMBERSHIP, segmentation_key_span(&prefix), membership_visit,
              &walk);
    assert(walk.found == count);
}

void segmentation_membership_put(const struct change *change, struct customer_id id,
                                 const struct segmentation_membership *membership)
{
    uint8_t value[MEMBERSHIP_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, membership->version);
    record_write_signed(&writer, membership->since_ms);
    struct segmentation_key key = segmentation_membership_key(id, membership->segment);
    record_put(change, SEGMENTATION_TABLE_MEMBERSHIP, &key, record_written(&writer));
}

void segmentation_membership_delete(const struct change *change, struct customer_id id,
                                    uint32_t segment)
{
    struct segmentation_key key = segmentation_membership_key(id, segment);
    record_delete(change, SEGMENTATION_TABLE_MEMBERSHIP, &key);
}

struct member_walk {
    uint32_t segment;
    segmentation_member_visit visit;
    void *argument;
};

static bool member_visit(void *argument, struct span key, struct span value)
{
    (void)value;
    const struct member_walk *walk = argument;
    uint32_t segment = 0;
    struct span text = { 0 };
    enum status status = segmentation_member_key_decode(key, &segment, &text);
    assert(status == STATUS_OK);
    return segment == walk->segment && walk->visit(walk->argument, text);
}

void segmentation_member_walk(const struct view *view, uint32_t segment, struct span from,
                              segmentation_member_visit visit, void *argument)
{
    struct member_walk walk = { .segment = segment, .visit = visit, .argument = argument };
    struct segmentation_key key = segmentation_member_key(segment, from);
    view_scan(view, SEGMENTATION_TABLE_MEMBER, segmentation_key_span(&key), member_visit, &walk);
}

void segmentation_member_put(const struct change *change, uint32_t segment, struct span text,
                             struct customer_id id)
{
    uint8_t value[MEMBER_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_bytes(&writer, span_of(id.bytes, sizeof id.bytes));
    struct segmentation_key key = segmentation_member_key(segment, text);
    record_put(change, SEGMENTATION_TABLE_MEMBER, &key, record_written(&writer));
}

void segmentation_member_delete(const struct change *change, uint32_t segment, struct span text)
{
    struct segmentation_key key = segmentation_member_key(segment, text);
    record_delete(change, SEGMENTATION_TABLE_MEMBER, &key);
}

/* ---- due */

struct segmentation_front segmentation_front_unknown(void)
{
    return (struct segmentation_front){ .key = { .at_ms = INT64_MIN } };
}

static bool due_visit(void *argument, struct span key, struct span value)
{
    struct segmentation_front *front = argument;
    (void)value;
    enum status status = segmentation_due_key_decode(key, &front->key);
    assert(status == STATUS_OK);
    return false;
}

bool segmentation_front_find(const struct view *view, struct segmentation_front *front)
{
    if (!front->is_exact) {
        struct segmentation_key from = segmentation_due_key_encode(front->key);
        *front =
            (struct segmentation_front){ .key = { .at_ms = SEGMENTATION_NEVER }, .is_exact = true };
        view_scan(view, SEGMENTATION_TABLE_DUE, segmentation_key_span(&from), due_visit, front);
    }
    return front->key.at_ms != SEGMENTATION_NEVER;
}

void segmentation_front_learn(struct segmentation_front *front, struct segmentation_due_key due)
{
    struct segmentation_key mine = segmentation_due_key_encode(due);
    struct segmentation_key first = segmentation_due_key_encode(front->key);
    int order = span_compare(segmentation_key_span(&mine), segmentation_key_span(&first));
    if (order < 0) {
        front->key = due; /* nothing else lies between: exact, if what was known is */
    } else if (order > 0 && customer_id_equal(front->key.customer, due.customer)) {
        front->is_exact = false; /* the first is gone; who comes next is not known */
    }
}

void segmentation_due_put(const struct change *change, struct segmentation_due_key due)
{
    uint8_t value[MARK_BYTES] = { RECORD_VERSION };
    struct segmentation_key key = segmentation_due_key_encode(due);
    record_put(change, SEGMENTATION_TABLE_DUE, &key, span_of(value, sizeof value));
}

void segmentation_due_delete(const struct change *change, struct segmentation_due_key due)
{
    struct segmentation_key key = segmentation_due_key_encode(due);
    record_delete(change, SEGMENTATION_TABLE_DUE, &key);
}

/* ---- segments */

bool segmentation_segment_load(const struct view *view, uint32_t number,
                               struct segmentation_segment *segment)
{
    struct segmentation_key key = segmentation_segment_key(number);
    struct span value = { 0 };
    *segment = (struct segmentation_segment){ .members = 0 };
    if (!record_get(view, SEGMENTATION_TABLE_SEGMENT, &key, &value)) {
        return false;
    }
    assert(value.size > SEGMENT_FIXED_BYTES);
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    segment->members = record_read64(&reader);
    segment->name = segmentation_name_of(record_read_rest(&reader));
    return true;
}

void segmentation_segment_put(const struct change *change, uint32_t number,
                              const struct segmentation_segment *segment)
{
    uint8_t value[SEGMENT_FIXED_BYTES + LIMIT_ID_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write64(&writer, segment->members);
    record_write_bytes(&writer, segmentation_name_span(&segment->name));
    struct segmentation_key key = segmentation_segment_key(number);
    record_put(change, SEGMENTATION_TABLE_SEGMENT, &key, record_written(&writer));
}

bool segmentation_number_load(const struct view *view, struct span name, uint32_t *number)
{
    struct span value = { 0 };
    *number = 0;
    if (!view_get(view, SEGMENTATION_TABLE_SEGMENT_NUMBER, name, &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    *number = record_read32(&reader);
    record_read_end(&reader);
    return true;
}

void segmentation_number_put(const struct change *change, struct span name, uint32_t number)
{
    uint8_t value[NUMBER_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, number);
    change_put(change, SEGMENTATION_TABLE_SEGMENT_NUMBER, name, record_written(&writer));
}

/* ---- head and rules */

bool segmentation_head_load(const struct view *view, struct segmentation_head *head)
{
    struct segmentation_key key = segmentation_head_key();
    struct span value = { 0 };
    *head = (struct segmentation_head){ .rules_version = 0 };
    if (!record_get(view, SEGMENTATION_TABLE_HEAD, &key, &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    head->rules_version = record_read32(&reader);
    record_read_into(&reader, head->rules_hash.bytes, sizeof head->rules_hash.bytes);
    head->rules_at_ms = record_read_signed(&reader);
    head->segment_count = record_read32(&reader);
    head->visiting = record_read8(&reader) != 0;
    head->has_visited = record_read8(&reader) != 0;
    record_read_into(&reader, head->visited.bytes, sizeof head->visited.bytes);
    record_read_end(&reader);
    return true;
}

void segmentation_head_put(const struct change *change, const struct segmentation_head *head)
{
    uint8_t value[HEAD_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, head->rules_version);
    record_write_bytes(&writer, span_of(head->rules_hash.bytes, sizeof head->rules_hash.bytes));
    record_write_signed(&writer, head->rules_at_ms);
    record_write32(&writer, head->segment_count);
    record_write8(&writer, head->visiting ? 1 : 0);
    record_write8(&writer, head->has_visited ? 1 : 0);
    record_write_bytes(&writer, span_of(head->visited.bytes, sizeof head->visited.bytes));
    struct segmentation_key key = segmentation_head_key();
    record_put(change, SEGMENTATION_TABLE_HEAD, &key, record_written(&writer));
}

static bool chunk_visit(void *argument, struct span key, struct span value)
{
    (void)key;
    struct buffer *out = argument;
    enum status status = buffer_append(out, value);
    assert(status == STATUS_OK);
    return true;
}

void segmentation_rules_load(const struct view *view, uint32_t version, struct buffer *out)
{
    struct segmentation_key prefix = segmentation_rules_prefix(version);
    view_walk(view, SEGMENTATION_TABLE_RULES, segmentation_key_span(&prefix), chunk_visit, out);
}

void segmentation_rules_put(const struct change *change, uint32_t version, struct span compiled)
{
    assert(compiled.size <= SEGMENTATION_COMPILED_BYTES);
    uint16_t chunk = 0;
    for (size_t at = 0; at < compiled.size; at += CHUNK_BYTES) {
        size_t left = compiled.size - at;
        struct segmentation_key key = segmentation_rules_key(version, chunk++);
        record_put(change, SEGMENTATION_TABLE_RULES, &key,
                   span_of(compiled.data + at, left < CHUNK_BYTES ? left : CHUNK_BYTES));
    }
}
