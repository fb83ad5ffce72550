#include "common/journal/block.h"
#include "common/journal/block_fields.h"
#include "common/journal/block_raw.h"
#include "kith/v1/block.pb-c.h"

#include <assert.h>

/* Both lists are numbers for ever; those who may not see the generated one use ours. */
#define FACT_TYPE_AGREES(name)                                                                     \
    static_assert((int)FACT_##name == (int)KITH__V1__FACT_TYPE__FACT_##name, #name)
FACT_TYPE_AGREES(NONE);
FACT_TYPE_AGREES(EVENT_ACCEPTED);
FACT_TYPE_AGREES(EVENT_QUARANTINED);
FACT_TYPE_AGREES(QUARANTINE_CLOSED);
FACT_TYPE_AGREES(CLOCK_ADVANCED);
FACT_TYPE_AGREES(POINTS_EARNED);
FACT_TYPE_AGREES(POINTS_SPENT);
FACT_TYPE_AGREES(POINTS_REVERSED);
FACT_TYPE_AGREES(SEGMENT_ENTERED);
FACT_TYPE_AGREES(SEGMENT_EXITED);
FACT_TYPE_AGREES(RULES_CHANGED);
FACT_TYPE_AGREES(CONSUMER_ACCEPTED);

/* Room for `size` more bytes, which the caller writes. The bounds of a part are wider than
 * those of a block: whoever fills one stops before. */
static uint8_t *buffer_extend(struct buffer *buffer, size_t size)
{
    enum status status = buffer_reserve(buffer, size);
    assert(status == STATUS_OK);
    uint8_t *out = buffer->data + buffer->size;
    buffer->size += size;
    return out;
}

void block_builder_init(struct block_builder *builder)
{
    *builder = (struct block_builder){ 0 };
    buffer_init(&builder->public_part, BLOCK_PUBLIC_BYTES_MAX);
    buffer_init(&builder->private_part, BLOCK_PRIVATE_BYTES_MAX);
    buffer_init(&builder->header_bytes, BLOCK_HEADER_BYTES_MAX);
}

void block_builder_release(struct block_builder *builder)
{
    buffer_release(&builder->public_part);
    buffer_release(&builder->private_part);
    buffer_release(&builder->header_bytes);
}

void block_begin(struct block_builder *builder, const struct journal_position *before,
                 int64_t wall_ms, int64_t recorded_at_ms)
{
    buffer_clear(&builder->public_part);
    buffer_clear(&builder->private_part);
    buffer_clear(&builder->header_bytes);
    builder->header = (struct block_header){ .number = before->block + 1,
                                             .first_seq = before->seq + 1,
                                             .wall_ms = wall_ms,
                                             .recorded_at_ms = recorded_at_ms };
}

/* ---- facts */

static size_t sealed_size(const struct sealed *sealed)
{
    return raw_number_size(sealed->key_id) + raw_bytes_size(sealed->bytes.size);
}

static bool sealed_is_there(const struct sealed *sealed)
{
    return sealed->key_id != 0 || sealed->bytes.size > 0;
}

static size_t fact_size(const struct fact *fact)
{
    size_t size = raw_number_size(fact->type) + raw_number_size(fact->version) +
                  raw_number_size(raw_zigzag(fact->recorded_at_ms));
    if (fact->cause != 0) {
        size += raw_number_size(fact->cause);
    }
    if (fact->has_customer) {
        size += raw_bytes_size(sizeof fact->customer.bytes);
    }
    if (sealed_is_there(&fact->subject)) {
        size += raw_bytes_size(sealed_size(&fact->subject));
    }
    if (fact->body.size > 0) {
        size += raw_bytes_size(fact->body.size);
    }
    return size;
}

static uint8_t *fact_put(uint8_t *out, const struct fact *fact)
{
    out = raw_number_put(out, FIELD_FACT_TYPE, fact->type);
    out = raw_number_put(out, FIELD_FACT_VERSION, fact->version);
    out = raw_number_put(out, FIELD_FACT_RECORDED_AT_MS, raw_zigzag(fact->recorded_at_ms));
    if (fact->cause != 0) {
        out = raw_number_put(out, FIELD_FACT_CAUSE, fact->cause);
    }
    if (fact->has_customer) {
        out = raw_bytes_put(out, FIELD_FACT_CUSTOMER, fact->customer.bytes,
                            sizeof fact->customer.bytes);
    }
    if (sealed_is_there(&fact->subject)) {
        out = raw_begin(out, FIELD_FACT_SUBJECT, sealed_size(&fact->subject));
        out = raw_number_put(out, SEALED_KEY_ID, fact->subject.key_id);
        out = raw_bytes_put(out, SEALED_BYTES, fact->subject.bytes.data, fact->subject.bytes.size);
    }
    if (fact->body.size > 0) {
        out = raw_bytes_put(out, FIELD_FACT_BODY, fact->body.data, fact->body.size);
    }
    return out;
}

uint64_t block_fact_add(struct block_builder *builder, const struct fact *fact)
{
    assert(fact->type != FACT_NONE && fact->version != 0);
    assert(fact->body.size <= LIMIT_RECORD_BYTES &&
           fact->subject.bytes.size <= LIMIT_RECORD_BYTES - fact->body.size);
    size_t size = fact_size(fact);
    size_t framed = raw_bytes_size(size);
    uint8_t *out = buffer_extend(&builder->public_part, framed);
    uint8_t *end = fact_put(raw_begin(out, PUBLIC_FACTS, size), fact);
    assert(end == out + framed);

    struct block_header *header = &builder->header;
    header->count += 1;
    header->types |= UINT64_C(1) << (fact->type % 64);
    /* Nobody's fact is everybody's: no filter by partition may leave it out. */
    header->partitions |=
        fact->has_customer ? UINT64_C(1) << (customer_partition(fact->customer) / 16) : UINT64_MAX;
    if (fact->recorded_at_ms > header->recorded_at_ms) {
        header->recorded_at_ms = fact->recorded_at_ms;
    }
    return header->first_seq + header->count - 1;
}

/* ---- private entries */

/* Writes everything of an entry but the `size` bytes of its content, which go to the
 * returned place. */
static uint8_t *entry_begin(struct block_builder *builder, enum entry_field field, size_t size)
{
    uint32_t after = builder->header.count;
    size_t entry_size = raw_number_size(after) + raw_bytes_size(size);
    uint8_t *out = buffer_extend(&builder->private_part, raw_bytes_size(entry_size));
    out = raw_begin(out, PRIVATE_ENTRIES, entry_size);
    out = raw_number_put(out, ENTRY_AFTER, after);
    return raw_begin(out, field, size);
}

void block_record_add(struct block_builder *builder, struct span record)
{
    assert(record.size <= LIMIT_RECORD_BYTES);
    uint8_t *out = entry_begin(builder, ENTRY_RECORD, record.size);
    if (record.size > 0) {
        memcpy(out, record.data, record.size);
    }
}

void block_outcome_add(struct block_builder *builder, const struct outcome *outcome)
{
    size_t size = raw_bytes_size(sizeof outcome->key.bytes) +
                  raw_bytes_size(sizeof outcome->body_hash.bytes) +
                  raw_number_size(raw_zigzag(outcome->issued_at_ms)) +
                  raw_number_size(outcome->status) + raw_bytes_size(outcome->reply_header.size) +
                  raw_bytes_size(outcome->reply_body.size);
    uint8_t *out = entry_begin(builder, ENTRY_OUTCOME, size);
    const uint8_t *begin = out;
    out = raw_bytes_put(out, OUTCOME_KEY, outcome->key.bytes, sizeof outcome->key.bytes);
    out = raw_bytes_put(out, OUTCOME_BODY_HASH, outcome->body_hash.bytes,
                        sizeof outcome->body_hash.bytes);
    out = raw_number_put(out, OUTCOME_ISSUED_AT_MS, raw_zigzag(outcome->issued_at_ms));
    out = raw_number_put(out, OUTCOME_CODE, outcome->status);
    out = raw_bytes_put(out, OUTCOME_REPLY_HEADER, outcome->reply_header.data,
                        outcome->reply_header.size);
    out =
        raw_bytes_put(out, OUTCOME_REPLY_BODY, outcome->reply_body.data, outcome->reply_body.size);
    assert(out == begin + size);
}

void block_folded_add(struct block_builder *builder, const struct folded *folded)
{
    size_t name_size = strnlen(folded->feed.name, sizeof folded->feed.name);
    assert(name_size > 0 && name_size < sizeof folded->feed.name);
    size_t size = raw_bytes_size(name_size) + raw_number_size(folded->feed.shard) +
                  raw_number_size(folded->epoch) + raw_number_size(folded->from) +
                  raw_number_size(folded->to) + raw_number_size(folded->block) +
                  raw_number_size(folded->block_seq) + raw_bytes_size(sizeof folded->chain.bytes);
    uint8_t *out = entry_begin(builder, ENTRY_FOLDED, size);
    const uint8_t *begin = out;
    out = raw_bytes_put(out, FOLDED_FEED, folded->feed.name, name_size);
    out = raw_number_put(out, FOLDED_SHARD, folded->feed.shard);
    out = raw_number_put(out, FOLDED_EPOCH, folded->epoch);
    out = raw_number_put(out, FOLDED_FROM, folded->from);
    out = raw_number_put(out, FOLDED_TO, folded->to);
    out = raw_number_put(out, FOLDED_BLOCK, folded->block);
    out = raw_number_put(out, FOLDED_BLOCK_SEQ, folded->block_seq);
    out = raw_bytes_put(out, FOLDED_CHAIN, folded->chain.bytes, sizeof folded->chain.bytes);
    assert(out == begin + size);
}

/* ---- the whole */

size_t block_size(const struct block_builder *builder)
{
    return builder->public_part.size + builder->private_part.size;
}

bool block_is_empty(const struct block_builder *builder)
{
    return block_size(builder) == 0;
}

void block_seal(struct block_builder *builder, const struct journal_position *before,
                int64_t now_ms, struct block *block)
{
    struct block_header *header = &builder->header;
    assert(header->number == before->block + 1 && header->first_seq == before->seq + 1);
    assert(builder->header_bytes.size == 0); /* sealed once */
    uint64_t now = raw_zigzag(now_ms);
    (void)raw_number_put(buffer_extend(&builder->private_part, raw_number_size(now)),
                         PRIVATE_NOW_MS, now);

    struct span public_part = buffer_span(&builder->public_part);
    struct span private_part = buffer_span(&builder->private_part);
    header->public_bytes = (uint32_t)public_part.size;
    header->private_bytes = (uint32_t)private_part.size;
    header->public_hash = hash256_of_span(public_part);
    header->private_hash = hash256_of_span(private_part);
    uint8_t encoded[BLOCK_HEADER_BYTES_MAX] = { 0 };
    size_t size = block_header_encode(header, encoded);
    memcpy(buffer_extend(&builder->header_bytes, size), encoded, size);

    struct span header_bytes = buffer_span(&builder->header_bytes);
    *block = (struct block){ .header = *header,
                             .header_bytes = header_bytes,
                             .public_part = public_part,
                             .private_part = private_part,
                             .chain = hash_chain(before->chain, header_bytes) };
}
