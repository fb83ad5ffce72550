/* link: common_journal common_base kith_proto */
#include "common/base/limits.h"
#include "common/journal/block.h"
#include "kith/v1/block.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)32 * 1024 * 1024)
#define WALL_MS INT64_C(1700000000123)
#define NOW_MS INT64_C(1700000000777)

/* Before all blocks here: somewhere in the middle of a journal. */
static const struct journal_position middle = { .seq = 41, .block = 7, .chain = { { 1, 2, 3 } } };

static struct customer_id customer_of(uint8_t first, uint8_t last)
{
    struct customer_id customer = { { 0 } };
    customer.bytes[0] = first;
    customer.bytes[15] = last;
    return customer;
}

static struct fact fact_full(void)
{
    return (struct fact){ .type = FACT_POINTS_EARNED,
                          .version = 3,
                          .recorded_at_ms = WALL_MS + 5,
                          .cause = UINT64_C(1) << 40,
                          .has_customer = true,
                          .customer = customer_of(0xff, 9),
                          .subject = { .key_id = 12, .bytes = span_of("sealed text", 11) },
                          .body = span_of("body\0with zero", 14) };
}

static struct fact fact_least(void)
{
    return (struct fact){ .type = FACT_CLOCK_ADVANCED, .version = 1, .recorded_at_ms = -1 };
}

static struct outcome outcome_some(void)
{
    return (struct outcome){ .key = { { 1, 1 } },
                             .body_hash = { { 2, 2 } },
                             .issued_at_ms = WALL_MS - 1,
                             .status = STATUS_REFUSED,
                             .reply_header = span_of_text("header"),
                             .reply_body = span_of_text("body") };
}

static struct folded folded_some(void)
{
    return (struct folded){ .feed = { .name = "ingestion", .shard = 2 },
                            .epoch = UINT64_MAX,
                            .from = 10,
                            .to = 20,
                            .block = 3,
                            .block_seq = 19,
                            .chain = { { 7 } } };
}

static void fact_is(const struct fact *found, const struct fact *expected, uint64_t seq)
{
    ck_assert_uint_eq(found->seq, seq);
    ck_assert_uint_eq(found->type, expected->type);
    ck_assert_uint_eq(found->version, expected->version);
    ck_assert_int_eq(found->recorded_at_ms, expected->recorded_at_ms);
    ck_assert_uint_eq(found->cause, expected->cause);
    ck_assert_int_eq(found->has_customer, expected->has_customer);
    ck_assert(customer_id_equal(found->customer, expected->customer));
    ck_assert_uint_eq(found->subject.key_id, expected->subject.key_id);
    ck_assert(span_equal(found->subject.bytes, expected->subject.bytes));
    ck_assert(span_equal(found->body, expected->body));
}

/* Two facts and one private entry of each kind, in this order: record, fact, outcome,
 * folded, fact, outcome. */
static void mixed_block_build(struct block_builder *builder, struct block *block)
{
    block_begin(builder, &middle, WALL_MS, WALL_MS);
    block_record_add(builder, span_of_text("first record"));
    struct fact fact = fact_full();
    ck_assert_uint_eq(block_fact_add(builder, &fact), 42);
    struct outcome outcome = outcome_some();
    block_outcome_add(builder, &outcome);
    struct folded folded = folded_some();
    block_folded_add(builder, &folded);
    fact = fact_least();
    ck_assert_uint_eq(block_fact_add(builder, &fact), 43);
    outcome = (struct outcome){ .status = STATUS_OK };
    block_outcome_add(builder, &outcome);
    block_seal(builder, &middle, NOW_MS, block);
}

struct seen {
    struct block_entry entries[16];
    size_t count;
    size_t most; /* end the walk after so many */
};

static bool entry_keep(void *argument, const struct block_entry *entry)
{
    struct seen *seen = argument;
    ck_assert_uint_lt(seen->count, 16);
    seen->entries[seen->count++] = *entry;
    return seen->count < seen->most;
}

START_TEST(facts_come_back_as_they_were_added)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);

    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct block_facts facts = { 0 };
    ck_assert_int_eq(block_facts_decode(&block, &arena, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.count, 2);
    struct fact full = fact_full();
    struct fact least = fact_least();
    fact_is(&facts.facts[0], &full, 42);
    fact_is(&facts.facts[1], &least, 43);
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

START_TEST(entries_come_back_in_the_order_in_which_they_were_added)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);

    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct seen seen = { .most = 16 };
    int64_t now_ms = 0;
    ck_assert_int_eq(block_walk(&block, &arena, entry_keep, &seen, &now_ms), STATUS_OK);
    ck_assert_int_eq(now_ms, NOW_MS);
    ck_assert_uint_eq(seen.count, 6);

    const struct block_entry *entries = seen.entries;
    ck_assert_int_eq(entries[0].kind, BLOCK_ENTRY_RECORD);
    ck_assert(entries[0].record.is_private);
    ck_assert(span_equal(entries[0].record.private_record, span_of_text("first record")));

    struct fact full = fact_full();
    ck_assert_int_eq(entries[1].kind, BLOCK_ENTRY_RECORD);
    ck_assert(!entries[1].record.is_private);
    fact_is(&entries[1].record.fact, &full, 42);

    struct outcome outcome = outcome_some();
    ck_assert_int_eq(entries[2].kind, BLOCK_ENTRY_OUTCOME);
    ck_assert_uint_eq(entries[2].outcome_index, 0);
    ck_assert(hash128_equal(entries[2].outcome.key, outcome.key));
    ck_assert(hash128_equal(entries[2].outcome.body_hash, outcome.body_hash));
    ck_assert_int_eq(entries[2].outcome.issued_at_ms, outcome.issued_at_ms);
    ck_assert_int_eq(entries[2].outcome.status, outcome.status);
    ck_assert(span_equal(entries[2].outcome.reply_header, outcome.reply_header));
    ck_assert(span_equal(entries[2].outcome.reply_body, outcome.reply_body));

    struct folded folded = folded_some();
    ck_assert_int_eq(entries[3].kind, BLOCK_ENTRY_FOLDED);
    ck_assert_str_eq(entries[3].folded.feed.name, folded.feed.name);
    ck_assert_uint_eq(entries[3].folded.feed.shard, folded.feed.shard);
    ck_assert_uint_eq(entries[3].folded.epoch, folded.epoch);
    ck_assert_uint_eq(entries[3].folded.from, folded.from);
    ck_assert_uint_eq(entries[3].folded.to, folded.to);
    ck_assert_uint_eq(entries[3].folded.block, folded.block);
    ck_assert_uint_eq(entries[3].folded.block_seq, folded.block_seq);
    ck_assert(hash256_equal(entries[3].folded.chain, folded.chain));

    struct fact least = fact_least();
    fact_is(&entries[4].record.fact, &least, 43);
    ck_assert_int_eq(entries[5].kind, BLOCK_ENTRY_OUTCOME);
    ck_assert_uint_eq(entries[5].outcome_index, 1);
    ck_assert_int_eq(entries[5].outcome.status, STATUS_OK);
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

START_TEST(a_walk_ends_where_the_visitor_says)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    for (size_t most = 1; most <= 6; most++) {
        struct seen seen = { .most = most };
        int64_t now_ms = 0;
        arena_reset(&arena);
        ck_assert_int_eq(block_walk(&block, &arena, entry_keep, &seen, &now_ms), STATUS_OK);
        ck_assert_uint_eq(seen.count, most);
    }
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

START_TEST(the_header_tells_what_is_in_the_block)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    struct block_header header = { 0 };
    ck_assert_int_eq(block_header_decode(block.header_bytes, &header), STATUS_OK);
    ck_assert_uint_eq(header.number, 8);
    ck_assert_uint_eq(header.first_seq, 42);
    ck_assert_uint_eq(header.count, 2);
    ck_assert_int_eq(header.wall_ms, WALL_MS);
    ck_assert_int_eq(header.recorded_at_ms, WALL_MS + 5);
    ck_assert_uint_eq(header.partitions, UINT64_MAX); /* one fact is about nobody */
    ck_assert_uint_eq(header.types,
                      (UINT64_C(1) << FACT_POINTS_EARNED) | (UINT64_C(1) << FACT_CLOCK_ADVANCED));
    ck_assert_uint_eq(header.public_bytes, block.public_part.size);
    ck_assert_uint_eq(header.private_bytes, block.private_part.size);
    ck_assert(hash256_equal(header.public_hash, hash256_of_span(block.public_part)));
    ck_assert(hash256_equal(header.private_hash, hash256_of_span(block.private_part)));

    struct journal_position after = block_position(&block);
    ck_assert_uint_eq(after.seq, 43);
    ck_assert_uint_eq(after.block, 8);
    ck_assert(hash256_equal(after.chain, hash_chain(middle.chain, block.header_bytes)));
    block_builder_release(&builder);
}
END_TEST

START_TEST(recorded_at_never_goes_back)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    block_begin(&builder, &middle, WALL_MS, WALL_MS + 100);
    struct fact fact = fact_full();
    (void)block_fact_add(&builder, &fact);
    block_seal(&builder, &middle, NOW_MS, &block);
    ck_assert_int_eq(block.header.recorded_at_ms, WALL_MS + 100);
    block_builder_release(&builder);
}
END_TEST

START_TEST(a_filter_finds_the_partition_and_type_of_a_fact)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    struct fact fact = fact_full();
    /* The first ten bits count: 0x01 and the top two bits of 0x80 are partition 6. */
    fact.customer = (struct customer_id){ { 0x01, 0x80 } };
    fact.type = 66; /* bit 2 */
    block_begin(&builder, &middle, WALL_MS, WALL_MS);
    (void)block_fact_add(&builder, &fact);
    block_seal(&builder, &middle, NOW_MS, &block);
    const struct block_header *header = &block.header;
    ck_assert_uint_eq(header->partitions, 1);
    ck_assert_uint_eq(header->types, 4);
    ck_assert(block_may_hold(header, UINT64_MAX, UINT64_MAX));
    ck_assert(block_may_hold(header, 1, 4));
    ck_assert(!block_may_hold(header, 2, 4));
    ck_assert(!block_may_hold(header, 1, 2));

    fact.customer = customer_of(0xff, 0); /* partition 1020, bit 63 */
    block_begin(&builder, &middle, WALL_MS, WALL_MS);
    (void)block_fact_add(&builder, &fact);
    block_seal(&builder, &middle, NOW_MS, &block);
    ck_assert_uint_eq(header->partitions, UINT64_C(1) << 63);
    block_builder_release(&builder);
}
END_TEST

START_TEST(a_block_without_facts_keeps_the_place_of_the_next)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    block_begin(&builder, &middle, WALL_MS, WALL_MS);
    ck_assert(block_is_empty(&builder));
    ck_assert_uint_eq(block_size(&builder), 0);
    block_record_add(&builder, span_of(NULL, 0)); /* no bytes are a record, too */
    ck_assert(!block_is_empty(&builder));
    block_seal(&builder, &middle, NOW_MS, &block);
    ck_assert_int_eq(block_check(&block, &middle.chain, true), STATUS_OK);
    ck_assert_uint_eq(block.header.first_seq, middle.seq + 1);
    ck_assert_uint_eq(block_position(&block).seq, middle.seq);
    ck_assert(!block_may_hold(&block.header, UINT64_MAX, UINT64_MAX));

    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct seen seen = { .most = 16 };
    int64_t now_ms = 0;
    struct block_facts facts = { .count = 1 };
    ck_assert_int_eq(block_facts_decode(&block, &arena, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.count, 0);
    ck_assert_int_eq(block_walk(&block, &arena, entry_keep, &seen, &now_ms), STATUS_OK);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert(seen.entries[0].record.is_private);
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

START_TEST(a_builder_is_used_again)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    struct journal_position at = middle;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    for (uint64_t round = 0; round < 20; round++) {
        block_begin(&builder, &at, WALL_MS, WALL_MS);
        ck_assert(block_is_empty(&builder));
        for (uint64_t i = 0; i < round; i++) {
            struct fact fact = fact_full();
            ck_assert_uint_eq(block_fact_add(&builder, &fact), at.seq + 1 + i);
        }
        block_seal(&builder, &at, NOW_MS, &block);
        ck_assert_int_eq(block_check(&block, &at.chain, true), STATUS_OK);
        struct block_facts facts = { 0 };
        arena_reset(&arena);
        ck_assert_int_eq(block_facts_decode(&block, &arena, &facts), STATUS_OK);
        ck_assert_uint_eq(facts.count, round);
        at = block_position(&block);
    }
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

/* ---- what must not pass */

START_TEST(no_flipped_bit_of_a_block_passes_the_check)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    struct buffer *parts[] = { &builder.header_bytes, &builder.public_part, &builder.private_part };
    for (size_t part = 0; part < 3; part++) {
        for (size_t bit = 0; bit < parts[part]->size * 8; bit++) {
            parts[part]->data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
            ck_assert_int_eq(block_check(&block, &middle.chain, true), STATUS_CORRUPT);
            /* A reader of the feed has no private part and does not miss it. */
            ck_assert_int_eq(block_check(&block, &middle.chain, false),
                             part == 2 ? STATUS_OK : STATUS_CORRUPT);
            parts[part]->data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        }
    }
    ck_assert_int_eq(block_check(&block, &middle.chain, true), STATUS_OK);
    block_builder_release(&builder);
}
END_TEST

static void header_tampered(struct block_header *header, unsigned field)
{
    uint64_t *wide[] = { &header->number, &header->first_seq, &header->partitions, &header->types };
    uint32_t *narrow[] = { &header->count, &header->public_bytes, &header->private_bytes };
    if (field < 4) {
        *wide[field] ^= 1;
    } else if (field < 7) {
        *narrow[field - 4] ^= 1;
    } else if (field == 7) {
        header->wall_ms ^= 1;
    } else if (field == 8) {
        header->recorded_at_ms ^= 1;
    } else if (field == 9) {
        header->public_hash.bytes[31] ^= 1;
    } else {
        header->private_hash.bytes[0] ^= 1;
    }
}

START_TEST(no_tampered_field_of_a_header_passes_the_check)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    for (unsigned field = 0; field <= 10; field++) {
        struct block tampered = block;
        header_tampered(&tampered.header, field);
        ck_assert_int_eq(block_check(&tampered, &middle.chain, true), STATUS_CORRUPT);
        ck_assert_int_eq(block_check(&tampered, &middle.chain, false), STATUS_CORRUPT);
    }
    struct block tampered = block;
    tampered.chain.bytes[5] ^= 1;
    ck_assert_int_eq(block_check(&tampered, &middle.chain, true), STATUS_CORRUPT);
    tampered = block;
    tampered.public_part.size -= 1;
    ck_assert_int_eq(block_check(&tampered, &middle.chain, false), STATUS_CORRUPT);
    tampered = block;
    tampered.public_part = span_of(NULL, 0);
    ck_assert_int_eq(block_check(&tampered, &middle.chain, false), STATUS_CORRUPT);
    tampered = block;
    tampered.private_part = span_of(NULL, 0);
    ck_assert_int_eq(block_check(&tampered, &middle.chain, true), STATUS_CORRUPT);
    ck_assert_int_eq(block_check(&tampered, &middle.chain, false), STATUS_OK);
    block_builder_release(&builder);
}
END_TEST

START_TEST(a_block_does_not_follow_another_chain)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    struct hash256 other = middle.chain;
    other.bytes[0] ^= 1;
    ck_assert_int_eq(block_check(&block, &other, true), STATUS_CORRUPT);
    block_builder_release(&builder);
}
END_TEST

START_TEST(a_cut_header_is_no_header)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    struct block_header header = { .number = 99 };
    for (size_t size = 0; size < block.header_bytes.size; size++) {
        struct span cut = span_of(block.header_bytes.data, size);
        ck_assert_int_eq(block_header_decode(cut, &header), STATUS_CORRUPT);
    }
    ck_assert_int_eq(block_header_decode(span_of(NULL, 0), &header), STATUS_CORRUPT);
    ck_assert_uint_eq(header.number, 99);
    block_builder_release(&builder);
}
END_TEST

/* A header by protobuf-c's hand, to try values that a builder would not write. */
static struct span header_packed(const struct block *block, unsigned fault, uint8_t *out)
{
    Kith__V1__BlockHeader message = KITH__V1__BLOCK_HEADER__INIT;
    struct block_header header = block->header;
    message.has_version = 1;
    message.version = fault == 1 ? 2 : 1;
    message.has_number = fault != 2;
    message.number = fault == 3 ? 0 : header.number;
    message.has_first_seq = 1;
    message.first_seq = fault == 4 ? 0 : header.first_seq;
    message.first_seq = fault == 5 ? UINT64_MAX - 1 : message.first_seq;
    message.has_count = 1;
    message.count = fault == 6 ? UINT32_MAX : header.count;
    message.count = fault == 7 ? 0 : message.count;
    message.has_wall_ms = 1;
    message.wall_ms = header.wall_ms;
    message.has_recorded_at_ms = 1;
    message.recorded_at_ms = header.recorded_at_ms;
    message.has_partitions = 1;
    message.partitions = header.partitions;
    message.has_types = 1;
    message.types = header.types;
    message.has_public_bytes = 1;
    message.public_bytes = fault == 8 ? UINT32_MAX : header.public_bytes;
    message.has_private_bytes = 1;
    message.private_bytes = fault == 9 ? UINT32_MAX : header.private_bytes;
    message.has_public_hash = 1;
    message.public_hash = (ProtobufCBinaryData){ fault == 10 ? 31 : 32, header.public_hash.bytes };
    message.has_private_hash = fault != 11;
    message.private_hash = (ProtobufCBinaryData){ 32, header.private_hash.bytes };
    return span_of(out, kith__v1__block_header__pack(&message, out));
}

START_TEST(a_header_with_values_out_of_range_is_no_header)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    uint8_t out[256] = { 0 };
    struct block_header header = { 0 };
    /* Without a fault protobuf-c writes the very bytes that we write. */
    ck_assert(span_equal(header_packed(&block, 0, out), block.header_bytes));
    for (unsigned fault = 1; fault <= 11; fault++) {
        struct span bytes = header_packed(&block, fault, out);
        ck_assert_msg(block_header_decode(bytes, &header) == STATUS_CORRUPT, "fault %u", fault);
    }
    block_builder_release(&builder);
}
END_TEST

/* `partitions` has eight bytes, and no other form. */
START_TEST(a_header_with_a_field_of_another_form_is_no_header)
{
    struct block_header header = { .number = 99 };
    static const uint8_t varint[] = { 7U << 3U, 0 };
    static const uint8_t four_bytes[] = { 7U << 3U | 5U, 0, 0, 0, 0 };
    ck_assert_int_eq(block_header_decode(span_of(varint, sizeof varint), &header), STATUS_CORRUPT);
    ck_assert_int_eq(block_header_decode(span_of(four_bytes, sizeof four_bytes), &header),
                     STATUS_CORRUPT);
    ck_assert_uint_eq(header.number, 99);
}
END_TEST

/* ---- protobuf-c reads what we write, and the other way round */

START_TEST(protobuf_c_reads_the_same_facts_and_writes_the_same_bytes)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    Kith__V1__PublicPart *part =
        kith__v1__public_part__unpack(NULL, block.public_part.size, block.public_part.data);
    ck_assert_ptr_nonnull(part);
    ck_assert_uint_eq(part->n_facts, 2);
    const Kith__V1__Fact *fact = part->facts[0];
    struct fact full = fact_full();
    ck_assert_uint_eq(fact->type, full.type);
    ck_assert_uint_eq(fact->version, full.version);
    ck_assert_int_eq(fact->recorded_at_ms, full.recorded_at_ms);
    ck_assert_uint_eq(fact->cause, full.cause);
    ck_assert(span_equal(span_of(fact->customer.data, fact->customer.len),
                         span_of(full.customer.bytes, 16)));
    ck_assert_uint_eq(fact->subject->key_id, full.subject.key_id);
    ck_assert(span_equal(span_of(fact->subject->bytes.data, fact->subject->bytes.len),
                         full.subject.bytes));
    ck_assert(span_equal(span_of(fact->body.data, fact->body.len), full.body));
    ck_assert(!part->facts[1]->has_customer && !part->facts[1]->has_cause);
    ck_assert_int_eq(part->facts[1]->recorded_at_ms, -1);

    struct buffer packed;
    buffer_init(&packed, LIMIT_BLOCK_BYTES);
    ck_assert_int_eq(buffer_reserve(&packed, kith__v1__public_part__get_packed_size(part)),
                     STATUS_OK);
    packed.size = kith__v1__public_part__pack(part, packed.data);
    ck_assert(span_equal(buffer_span(&packed), block.public_part));
    buffer_release(&packed);
    kith__v1__public_part__free_unpacked(part, NULL);
    block_builder_release(&builder);
}
END_TEST

START_TEST(protobuf_c_reads_the_same_private_part_and_writes_the_same_bytes)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    Kith__V1__PrivatePart *part =
        kith__v1__private_part__unpack(NULL, block.private_part.size, block.private_part.data);
    ck_assert_ptr_nonnull(part);
    ck_assert_uint_eq(part->n_entries, 4);
    ck_assert_int_eq(part->now_ms, NOW_MS);
    ck_assert_uint_eq(part->entries[0]->after, 0);
    ck_assert_uint_eq(part->entries[3]->after, 2);
    ck_assert_int_eq(part->entries[1]->entry_case, KITH__V1__PRIVATE_ENTRY__ENTRY_OUTCOME);
    ck_assert_uint_eq(part->entries[1]->outcome->code, STATUS_REFUSED);
    ck_assert_int_eq(part->entries[2]->entry_case, KITH__V1__PRIVATE_ENTRY__ENTRY_FOLDED);
    ck_assert_str_eq(part->entries[2]->folded->feed, "ingestion");
    ck_assert_uint_eq(part->entries[2]->folded->block_seq, 19);

    struct buffer packed;
    buffer_init(&packed, LIMIT_BLOCK_BYTES);
    ck_assert_int_eq(buffer_reserve(&packed, kith__v1__private_part__get_packed_size(part)),
                     STATUS_OK);
    packed.size = kith__v1__private_part__pack(part, packed.data);
    ck_assert(span_equal(buffer_span(&packed), block.private_part));
    buffer_release(&packed);
    kith__v1__private_part__free_unpacked(part, NULL);
    block_builder_release(&builder);
}
END_TEST

/* ---- hostile parts: each row is a part, whole, with a fitting header around it */

struct hostile_row {
    const char *name;
    const char *bytes;
    size_t size;
    uint32_t count;
};

#define ROW(name, text, count)                                                                     \
    {                                                                                              \
        name, text, sizeof(text) - 1, count                                                        \
    }

static const struct hostile_row hostile_public[] = {
    ROW("not a fact", "\x12\x04\x08\x01\x18\x00", 1),
    ROW("a number for a fact", "\x08\x05\x08\x05\x08\x05", 1),
    ROW("a length past the end", "\x0a\x05\x08\x01\x18\x00", 1),
    ROW("a length of ten bytes", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 1),
    ROW("a length past 64 bits", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 1),
    ROW("an endless length", "\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 1),
    ROW("a number longer than it must be", "\x0a\x05\x08\x81\x00\x18\x00", 1),
    ROW("fewer facts than counted",
        "\x0a\x0a\x08\x01\x18\x00\x3a\x04"
        "abcd",
        2),
    ROW("more facts than counted", "\x0a\x04\x08\x01\x18\x00\x0a\x04\x08\x01\x18\x00", 1),
    ROW("no type", "\x0a\x04\x10\x01\x18\x00", 1),
    ROW("type none", "\x0a\x04\x08\x00\x18\x00", 1),
    ROW("no time", "\x0a\x04\x08\x01\x10\x01", 1),
    ROW("version 0", "\x0a\x06\x08\x01\x10\x00\x18\x00", 1),
    ROW("a type past 32 bits", "\x0a\x08\x08\x80\x80\x80\x80\x10\x18\x00", 1),
    ROW("a field twice", "\x0a\x06\x08\x01\x18\x00\x18\x00", 1),
    ROW("fields out of order", "\x0a\x04\x18\x00\x08\x01", 1),
    ROW("an unknown field", "\x0a\x06\x08\x01\x18\x00\x40\x00", 1),
    ROW("field 0", "\x0a\x06\x00\x01\x08\x01\x18\x00", 1),
    ROW("a group", "\x0a\x05\x08\x01\x18\x00\x1b", 1),
    ROW("the wrong wire type", "\x0a\x06\x0a\x00\x08\x01\x18\x00", 1),
    ROW("a customer of two bytes",
        "\x0a\x08\x08\x01\x18\x00\x2a\x02"
        "ab",
        1),
    ROW("a customer of no bytes", "\x0a\x06\x08\x01\x18\x00\x2a\x00", 1),
    ROW("a subject that is none", "\x0a\x08\x08\x01\x18\x00\x32\x02\x18\x00", 1),
    ROW("a body past its fact", "\x0a\x06\x08\x01\x18\x00\x3a\x04", 1),
    ROW("a tag without a value", "\x0a\x05\x08\x01\x18\x00\x20", 1),
};

static const struct hostile_row hostile_private[] = {
    ROW("no now", "\x0a\x04\x08\x00\x12\x00", 0),
    ROW("an entry after now", "\x10\x02\x0a\x04\x08\x00\x12\x00", 0),
    ROW("an entry without a kind", "\x0a\x02\x08\x00\x10\x02", 0),
    ROW("an entry of two kinds", "\x0a\x06\x08\x00\x12\x00\x1a\x00\x10\x02", 0),
    ROW("an entry of no place", "\x0a\x02\x12\x00\x10\x02", 0),
    ROW("an entry after facts that are not there", "\x0a\x04\x08\x01\x12\x00\x10\x02", 0),
    ROW("an entry past the end", "\x0a\x7f\x08\x00\x12\x00\x10\x02", 0),
    ROW("an empty outcome", "\x0a\x04\x08\x00\x1a\x00\x10\x02", 0),
    ROW("an outcome with a short key",
        "\x0a\x1d\x08\x00\x1a\x19\x0a\x01k\x12\x10"
        "0123456789abcdef"
        "\x18\x00\x20\x00\x10\x02",
        0),
    ROW("an outcome with a short hash of its body",
        "\x0a\x1d\x08\x00\x1a\x19\x0a\x10"
        "0123456789abcdef"
        "\x12\x01h\x18\x00\x20\x00\x10\x02",
        0),
    ROW("an outcome with a code that is none",
        "\x0a\x2e\x08\x00\x1a\x2a\x0a\x10"
        "0123456789abcdef"
        "\x12\x10"
        "0123456789abcdef"
        "\x18\x00\x20\x63\x2a\x00\x10\x02",
        0),
    ROW("an empty folded", "\x0a\x04\x08\x00\x22\x00\x10\x02", 0),
    ROW("nothing", "", 0),
};

static enum status hostile_walk(struct span public_part, struct span private_part, uint32_t count)
{
    struct block block = { .header = { .number = 1,
                                       .first_seq = 1,
                                       .count = count,
                                       .public_bytes = (uint32_t)public_part.size,
                                       .private_bytes = (uint32_t)private_part.size },
                           .public_part = public_part,
                           .private_part = private_part };
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct seen seen = { .most = 16 };
    int64_t now_ms = 77;
    enum status status = block_walk(&block, &arena, entry_keep, &seen, &now_ms);
    if (status != STATUS_OK) {
        ck_assert_uint_eq(seen.count, 0);
        ck_assert_int_eq(now_ms, 77);
    }
    arena_release(&arena);
    return status;
}

START_TEST(hostile_parts_are_corrupt_and_nothing_of_them_is_seen)
{
    struct span sound_private = span_of("\x10\x02", 2);
    for (size_t i = 0; i < sizeof hostile_public / sizeof *hostile_public; i++) {
        const struct hostile_row *row = &hostile_public[i];
        /* A copy of exact size, so that the sanitizer sees a read past it. */
        uint8_t *copy = memory_allocate(row->size);
        memcpy(copy, row->bytes, row->size);
        enum status status = hostile_walk(span_of(copy, row->size), sound_private, row->count);
        free(copy);
        ck_assert_msg(status == STATUS_CORRUPT, "%s", row->name);
    }
    for (size_t i = 0; i < sizeof hostile_private / sizeof *hostile_private; i++) {
        const struct hostile_row *row = &hostile_private[i];
        uint8_t *copy = memory_allocate(row->size + 1);
        memcpy(copy, row->bytes, row->size);
        enum status status = hostile_walk(span_of(NULL, 0), span_of(copy, row->size), row->count);
        free(copy);
        ck_assert_msg(status == STATUS_CORRUPT, "%s", row->name);
    }
    ck_assert_int_eq(hostile_walk(span_of("\x0a\x04\x08\x01\x18\x00", 6), sound_private, 1),
                     STATUS_OK);
}
END_TEST

/* A part and the header that counts its bytes and facts. */
START_TEST(a_part_that_does_not_fit_its_header_is_corrupt)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    int64_t now_ms = 77;
    for (unsigned fault = 0; fault <= 4; fault++) {
        struct block changed = block;
        changed.header.public_bytes -= fault == 1 ? 1 : 0;
        changed.header.private_bytes -= fault == 2 ? 1 : 0;
        changed.header.count = fault == 3 ? 0 : changed.header.count;
        changed.header.count = fault == 4 ? changed.header.public_bytes : changed.header.count;
        struct seen seen = { .most = 16 };
        enum status status = block_walk(&changed, &arena, entry_keep, &seen, &now_ms);
        ck_assert_msg(status == (fault == 0 ? STATUS_OK : STATUS_CORRUPT), "fault %u", fault);
        ck_assert_uint_eq(seen.count, fault == 0 ? 6 : 0);
    }
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

/* Replaces the first `from` in the private part by as many bytes of `to`. */
static enum status private_replaced(const char *from, const char *to, size_t size)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    uint8_t *place = memmem(builder.private_part.data, builder.private_part.size, from, size);
    ck_assert_ptr_nonnull(place);
    memcpy(place, to, size);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct seen seen = { .most = 16 };
    int64_t now_ms = 0;
    enum status status = block_walk(&block, &arena, entry_keep, &seen, &now_ms);
    arena_release(&arena);
    block_builder_release(&builder);
    return status;
}

START_TEST(the_name_of_a_feed_has_no_zero_and_an_end)
{
    ck_assert_int_eq(private_replaced("ingestion", "reporting", 9), STATUS_OK);
    ck_assert_int_eq(private_replaced("ingestion", "ing\0stion", 9), STATUS_CORRUPT);
    ck_assert_int_eq(private_replaced("\x0a\x09ingestion", "\x0a\x00ingestion", 11),
                     STATUS_CORRUPT);
}
END_TEST

/* The private part by protobuf-c's hand, with values that a builder would not write. */
static struct span private_packed(const struct block *block, unsigned fault, struct buffer *out)
{
    char name[sizeof((struct feed_name *)NULL)->name + 1] = { 0 };
    memset(name, 'f', sizeof name - 1);
    Kith__V1__PrivatePart *part =
        kith__v1__private_part__unpack(NULL, block->private_part.size, block->private_part.data);
    ck_assert_ptr_nonnull(part);
    Kith__V1__FeedFolded *folded = part->entries[2]->folded;
    char *before = folded->feed;
    folded->feed = fault == 1 ? name : before; /* no room for its end */
    folded->chain.len -= fault == 2 ? 1 : 0;
    part->entries[0]->after = fault == 3 ? 2 : 0; /* and the next goes back */
    size_t size = kith__v1__private_part__get_packed_size(part);
    ck_assert_int_eq(buffer_reserve(out, size), STATUS_OK);
    out->size = kith__v1__private_part__pack(part, out->data);
    folded->feed = before;
    kith__v1__private_part__free_unpacked(part, NULL);
    return buffer_span(out);
}

START_TEST(entries_that_no_builder_writes_are_corrupt)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    struct arena arena;
    struct buffer out;
    arena_init(&arena, ARENA_BYTES);
    buffer_init(&out, LIMIT_BLOCK_BYTES);
    int64_t now_ms = 77;
    for (unsigned fault = 0; fault <= 3; fault++) {
        struct block changed = block;
        buffer_clear(&out);
        changed.private_part = private_packed(&block, fault, &out);
        changed.header.private_bytes = (uint32_t)changed.private_part.size;
        struct seen seen = { .most = 16 };
        enum status status = block_walk(&changed, &arena, entry_keep, &seen, &now_ms);
        ck_assert_msg(status == (fault == 0 ? STATUS_OK : STATUS_CORRUPT), "fault %u", fault);
        ck_assert_uint_eq(seen.count, fault == 0 ? 6 : 0);
    }
    buffer_release(&out);
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

START_TEST(a_short_arena_gives_a_status)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    mixed_block_build(&builder, &block);
    struct arena arena;
    arena_init(&arena, 64);
    struct block_facts facts = { 0 };
    ck_assert_int_eq(block_facts_decode(&block, &arena, &facts), STATUS_LIMIT);
    ck_assert_ptr_null(facts.facts);
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

/* ---- bounds */

START_TEST(a_block_takes_a_largest_record_at_its_bound)
{
    static const uint8_t bytes[LIMIT_RECORD_BYTES];
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    block_begin(&builder, &middle, WALL_MS, WALL_MS);
    struct fact fact = fact_full();
    fact.body = span_of(bytes, sizeof bytes - fact.subject.bytes.size);
    fact.cause = UINT64_MAX;
    fact.recorded_at_ms = INT64_MIN;
    fact.type = UINT32_MAX;
    fact.version = UINT32_MAX;
    fact.subject.key_id = UINT32_MAX;
    uint32_t count = 0;
    while (block_size(&builder) < LIMIT_BLOCK_BYTES) {
        (void)block_fact_add(&builder, &fact);
        count += 1;
    }
    ck_assert_uint_gt(block_size(&builder), LIMIT_BLOCK_BYTES);
    block_seal(&builder, &middle, INT64_MAX, &block);
    struct block_header header = { 0 };
    ck_assert_int_eq(block_header_decode(block.header_bytes, &header), STATUS_OK);
    ck_assert_int_eq(block_check(&block, &middle.chain, true), STATUS_OK);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct block_facts facts = { 0 };
    ck_assert_int_eq(block_facts_decode(&block, &arena, &facts), STATUS_OK);
    ck_assert_uint_eq(facts.count, count);
    for (uint32_t i = 0; i < count; i++) {
        fact_is(&facts.facts[i], &fact, middle.seq + 1 + i);
    }
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

START_TEST(a_private_part_takes_a_largest_reply_at_its_bound)
{
    static const uint8_t bytes[LIMIT_BODY_BYTES];
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    block_begin(&builder, &middle, WALL_MS, WALL_MS);
    size_t records = 0;
    while (block_size(&builder) + LIMIT_RECORD_BYTES < LIMIT_BLOCK_BYTES) {
        block_record_add(&builder, span_of(bytes, LIMIT_RECORD_BYTES));
        records += 1;
    }
    struct outcome outcome = outcome_some();
    outcome.reply_header = span_of(bytes, LIMIT_HEADER_BYTES);
    outcome.reply_body = span_of(bytes, sizeof bytes);
    block_outcome_add(&builder, &outcome);
    block_seal(&builder, &middle, INT64_MIN, &block);
    ck_assert_int_eq(block_check(&block, &middle.chain, true), STATUS_OK);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct seen seen = { .most = 16 };
    int64_t now_ms = 0;
    ck_assert_uint_lt(records, 16);
    ck_assert_int_eq(block_walk(&block, &arena, entry_keep, &seen, &now_ms), STATUS_OK);
    ck_assert_uint_eq(seen.count, records + 1);
    ck_assert(span_equal(seen.entries[records].outcome.reply_body, outcome.reply_body));
    ck_assert_int_eq(now_ms, INT64_MIN);
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

START_TEST(numbers_of_every_length_come_back)
{
    struct block_builder builder;
    block_builder_init(&builder);
    struct block block = { 0 };
    block_begin(&builder, &middle, INT64_MIN, INT64_MIN);
    for (unsigned bit = 0; bit < 64; bit++) {
        struct fact fact = fact_least();
        fact.cause = UINT64_C(1) << bit;
        fact.recorded_at_ms = bit % 2 == 0 ? INT64_MIN >> bit : INT64_MAX >> bit;
        (void)block_fact_add(&builder, &fact);
    }
    block_seal(&builder, &middle, NOW_MS, &block);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct block_facts facts = { 0 };
    ck_assert_int_eq(block_facts_decode(&block, &arena, &facts), STATUS_OK);
    for (unsigned bit = 0; bit < 64; bit++) {
        ck_assert_uint_eq(facts.facts[bit].cause, UINT64_C(1) << bit);
        ck_assert_int_eq(facts.facts[bit].recorded_at_ms,
                         bit % 2 == 0 ? INT64_MIN >> bit : INT64_MAX >> bit);
    }
    arena_release(&arena);
    block_builder_release(&builder);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("block");
    tcase_add_test(tests, facts_come_back_as_they_were_added);
    tcase_add_test(tests, entries_come_back_in_the_order_in_which_they_were_added);
    tcase_add_test(tests, a_walk_ends_where_the_visitor_says);
    tcase_add_test(tests, the_header_tells_what_is_in_the_block);
    tcase_add_test(tests, recorded_at_never_goes_back);
    tcase_add_test(tests, a_filter_finds_the_partition_and_type_of_a_fact);
    tcase_add_test(tests, a_block_without_facts_keeps_the_place_of_the_next);
    tcase_add_test(tests, a_builder_is_used_again);
    tcase_add_test(tests, no_flipped_bit_of_a_block_passes_the_check);
    tcase_add_test(tests, no_tampered_field_of_a_header_passes_the_check);
    tcase_add_test(tests, a_block_does_not_follow_another_chain);
    tcase_add_test(tests, a_cut_header_is_no_header);
    tcase_add_test(tests, a_header_with_values_out_of_range_is_no_header);
    tcase_add_test(tests, a_header_with_a_field_of_another_form_is_no_header);
    tcase_add_test(tests, protobuf_c_reads_the_same_facts_and_writes_the_same_bytes);
    tcase_add_test(tests, protobuf_c_reads_the_same_private_part_and_writes_the_same_bytes);
    tcase_add_test(tests, hostile_parts_are_corrupt_and_nothing_of_them_is_seen);
    tcase_add_test(tests, a_part_that_does_not_fit_its_header_is_corrupt);
    tcase_add_test(tests, the_name_of_a_feed_has_no_zero_and_an_end);
    tcase_add_test(tests, entries_that_no_builder_writes_are_corrupt);
    tcase_add_test(tests, a_short_arena_gives_a_status);
    tcase_add_test(tests, a_block_takes_a_largest_record_at_its_bound);
    tcase_add_test(tests, a_private_part_takes_a_largest_reply_at_its_bound);
    tcase_add_test(tests, numbers_of_every_length_come_back);
    Suite *suite = suite_create("block");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
