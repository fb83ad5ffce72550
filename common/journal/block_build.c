#include "common/journal/block.h"
#include "common/journal/block_fields.h"
#include "common/journal/block_raw.h"
#include "kith/v1/block.pb-c.h"

#include <assert.h>
#include <string.h>

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
FACT_TYPE_AGREES(POINTS_GRANTED);
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

/* For exactly `size` more bytes. */
static struct field_writer writer_of(struct buffer *buffer, size_t size)
{
    return (struct field_writer){ .out = buffer_extend(buffer, size) };
}

/* What a field of `size` bytes takes, its tag and length included. */
static size_t framed_size(uint32_t field, size_t size)
{
    struct field_writer counter = { .out = NULL };
    field_put_head(&counter, field, size);
    return counter.size + size;
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

static void sealed_write(struct field_writer *writer, const struct sealed *sealed)
{
    field_put_unsigned(writer, SEALED_KEY_ID, sealed->key_id);
    field_put_bytes(writer, SEALED_BYTES, sealed->bytes);
}

static bool sealed_is_there(const struct sealed *sealed)
{
    return sealed->key_id != 0 || sealed->bytes.size > 0;
}

static void fact_write(struct field_writer *writer, const struct fact *fact)
{
    field_put_unsigned(writer, FIELD_FACT_TYPE, fact->type);
    field_put_unsigned(writer, FIELD_FACT_VERSION, fact->version);
    field_put_signed(writer, FIELD_FACT_RECORDED_AT_MS, fact->recorded_at_ms);
    if (fact->cause != 0) {
        field_put_unsigned(writer, FIELD_FACT_CAUSE, fact->cause);
    }
    if (fact->has_customer) {
        field_put_bytes(writer, FIELD_FACT_CUSTOMER,
                        span_of(fact->customer.bytes, sizeof fact->customer.bytes));
    }
    if (sealed_is_there(&fact->subject)) {
        struct field_writer counter = { .out = NULL };
        sealed_write(&counter, &fact->subject);
        field_put_head(writer, FIELD_FACT_SUBJECT, counter.size);
        sealed_write(writer, &fact->subject);
    }
    if (fact->body.size > 0) {
        field_put_bytes(writer, FIELD_FACT_BODY, fact->body);
    }
}

uint64_t block_fact_add(struct block_builder *builder, const struct fact *fact)
{
    assert(fact->type != FACT_NONE && fact->version != 0);
    assert(fact->body.size <= LIMIT_RECORD_BYTES &&
           fact->subject.bytes.size <= LIMIT_RECORD_BYTES - fact->body.size);
    struct field_writer counter = { .out = NULL };
    fact_write(&counter, fact);
    size_t framed = framed_size(PUBLIC_FACTS, counter.size);
    struct field_writer writer = writer_of(&builder->public_part, framed);
    field_put_head(&writer, PUBLIC_FACTS, counter.size);
    fact_write(&writer, fact);
    assert(writer.size == framed);

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

static void entry_head_write(struct field_writer *writer, uint32_t after, enum entry_field field,
                             size_t size)
{
    field_put_unsigned(writer, ENTRY_AFTER, after);
    field_put_head(writer, field, size);
}

/* Writes everything of an entry but the `size` bytes of its content, for which `end` is set:
 * there the writer must stand when they are written. */
static struct field_writer entry_begin(struct block_builder *builder, enum entry_field field,
                                       size_t size, size_t *end)
{
    uint32_t after = builder->header.count;
    struct field_writer counter = { .out = NULL };
    entry_head_write(&counter, after, field, size);
    size_t entry_size = counter.size + size;
    *end = framed_size(PRIVATE_ENTRIES, entry_size);
    struct field_writer writer = writer_of(&builder->private_part, *end);
    field_put_head(&writer, PRIVATE_ENTRIES, entry_size);
    entry_head_write(&writer, after, field, size);
    return writer;
}

void block_record_add(struct block_builder *builder, struct span record)
{
    assert(record.size <= LIMIT_RECORD_BYTES);
    size_t end = 0;
    struct field_writer writer = entry_begin(builder, ENTRY_RECORD, record.size, &end);
    assert(writer.size + record.size == end);
    if (record.size > 0) {
        memcpy(writer.out + writer.size, record.data, record.size);
    }
}

static void outcome_write(struct field_writer *writer, const struct outcome *outcome)
{
    field_put_bytes(writer, OUTCOME_KEY, span_of(outcome->key.bytes, sizeof outcome->key.bytes));
    field_put_bytes(writer, OUTCOME_BODY_HASH,
                    span_of(outcome->body_hash.bytes, sizeof outcome->body_hash.bytes));
    field_put_signed(writer, OUTCOME_ISSUED_AT_MS, outcome->issued_at_ms);
    field_put_unsigned(writer, OUTCOME_CODE, outcome->status);
    field_put_bytes(writer, OUTCOME_REPLY_HEADER, outcome->reply_header);
    field_put_bytes(writer, OUTCOME_REPLY_BODY, outcome->reply_body);
}

void block_outcome_add(struct block_builder *builder, const struct outcome *outcome)
{
    struct field_writer counter = { .out = NULL };
    outcome_write(&counter, outcome);
    size_t end = 0;
    struct field_writer writer = entry_begin(builder, ENTRY_OUTCOME, counter.size, &end);
    outcome_write(&writer, outcome);
    assert(writer.size == end);
}

static void folded_write(struct field_writer *writer, const struct folded *folded)
{
    field_put_bytes(
        writer, FOLDED_FEED,
        span_of(folded->feed.name, strnlen(folded->feed.name, sizeof folded->feed.name)));
    field_put_unsigned(writer, FOLDED_SHARD, folded->feed.shard);
    field_put_unsigned(writer, FOLDED_EPOCH, folded->epoch);
    field_put_unsigned(writer, FOLDED_FROM, folded->from);
    field_put_unsigned(writer, FOLDED_TO, folded->to);
    field_put_unsigned(writer, FOLDED_BLOCK, folded->block);
    field_put_unsigned(writer, FOLDED_BLOCK_SEQ, folded->block_seq);
    field_put_bytes(writer, FOLDED_CHAIN, span_of(folded->chain.bytes, sizeof folded->chain.bytes));
}

void block_folded_add(struct block_builder *builder, const struct folded *folded)
{
    size_t name_size = strnlen(folded->feed.name, sizeof folded->feed.name);
    assert(name_size > 0 && name_size < sizeof folded->feed.name);
    struct field_writer counter = { .out = NULL };
    folded_write(&counter, folded);
    size_t end = 0;
    struct field_writer writer = entry_begin(builder, ENTRY_FOLDED, counter.size, &end);
    folded_write(&writer, folded);
    assert(writer.size == end);
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
    struct field_writer counter = { .out = NULL };
    field_put_signed(&counter, PRIVATE_NOW_MS, now_ms);
    struct field_writer writer = writer_of(&builder->private_part, counter.size);
    field_put_signed(&writer, PRIVATE_NOW_MS, now_ms);

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
