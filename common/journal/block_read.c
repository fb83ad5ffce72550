#include "common/journal/block.h"
#include "common/journal/block_fields.h"
#include "common/journal/block_raw.h"

#include <assert.h>
#include <string.h>

/* What follows the entries. */
static const struct raw_shape private_tail_shape = {
    .required = 1U << PRIVATE_NOW_MS,
    .kinds = { [PRIVATE_NOW_MS] = RAW_U64 },
};

static const struct raw_shape entry_shape = {
    .required = 1U << ENTRY_AFTER,
    .kinds = { [ENTRY_AFTER] = RAW_U32,
               [ENTRY_RECORD] = RAW_BYTES,
               [ENTRY_OUTCOME] = RAW_BYTES,
               [ENTRY_FOLDED] = RAW_BYTES },
};

static const struct raw_shape outcome_shape = {
    .required = 1U << OUTCOME_KEY | 1U << OUTCOME_BODY_HASH | 1U << OUTCOME_ISSUED_AT_MS |
                1U << OUTCOME_CODE,
    .kinds = { [OUTCOME_KEY] = RAW_BYTES,
               [OUTCOME_BODY_HASH] = RAW_BYTES,
               [OUTCOME_ISSUED_AT_MS] = RAW_U64,
               [OUTCOME_CODE] = RAW_U32,
               [OUTCOME_REPLY_HEADER] = RAW_BYTES,
               [OUTCOME_REPLY_BODY] = RAW_BYTES },
};

static const struct raw_shape folded_shape = {
    .required = (1U << FOLDED_FIELDS) - 2, /* all of them */
    .kinds = { [FOLDED_FEED] = RAW_BYTES,
               [FOLDED_SHARD] = RAW_U32,
               [FOLDED_EPOCH] = RAW_U64,
               [FOLDED_FROM] = RAW_U64,
               [FOLDED_TO] = RAW_U64,
               [FOLDED_BLOCK] = RAW_U64,
               [FOLDED_BLOCK_SEQ] = RAW_U64,
               [FOLDED_CHAIN] = RAW_BYTES },
};

/* ---- facts */

/* Decoded as by raw_message_decode, without a table between: facts are read by the million. */

static bool sealed_field_set(struct sealed *sealed, const struct field *field)
{
    switch (field->number) {
    case SEALED_KEY_ID:
        sealed->key_id = (uint32_t)field->value;
        return field->kind == FIELD_VARINT && field->value <= UINT32_MAX;
    case SEALED_BYTES:
        sealed->bytes = field->bytes;
        return field->kind == FIELD_BYTES;
    default:
        return false;
    }
}

static bool sealed_decode(struct span bytes, struct sealed *sealed)
{
    struct span rest = bytes;
    struct field field = { 0 };
    uint32_t last = 0;
    bool sound = true;
    while (sound && rest.size > 0) {
        sound = raw_field_take(&rest, &field) && field.number > last &&
                sealed_field_set(sealed, &field);
        last = field.number;
    }
    return sound;
}

static bool customer_decode(const struct field *field, struct fact *fact)
{
    if (field->kind != FIELD_BYTES || field->bytes.size != sizeof fact->customer.bytes) {
        return false;
    }
    fact->has_customer = true;
    memcpy(fact->customer.bytes, field->bytes.data, sizeof fact->customer.bytes);
    return true;
}

static bool fact_field_set(struct fact *fact, const struct field *field)
{
    switch (field->number) {
    case FIELD_FACT_TYPE:
        fact->type = (uint32_t)field->value;
        return field->kind == FIELD_VARINT && field->value <= UINT32_MAX;
    case FIELD_FACT_VERSION:
        fact->version = (uint32_t)field->value;
        return field->kind == FIELD_VARINT && field->value <= UINT32_MAX;
    case FIELD_FACT_RECORDED_AT_MS:
        fact->recorded_at_ms = field_signed(field->value);
        return field->kind == FIELD_VARINT;
    case FIELD_FACT_CAUSE:
        fact->cause = field->value;
        return field->kind == FIELD_VARINT;
    case FIELD_FACT_CUSTOMER:
        return customer_decode(field, fact);
    case FIELD_FACT_SUBJECT:
        return field->kind == FIELD_BYTES && sealed_decode(field->bytes, &fact->subject);
    case FIELD_FACT_BODY:
        fact->body = field->bytes;
        return field->kind == FIELD_BYTES;
    default:
        return false;
    }
}

static bool fact_decode(struct span bytes, struct fact *fact)
{
    const unsigned required = 1U << FIELD_FACT_TYPE | 1U << FIELD_FACT_RECORDED_AT_MS;
    struct span rest = bytes;
    struct field field = { 0 };
    uint32_t last = 0;
    unsigned present = 0;
    fact->version = 1;
    while (rest.size > 0) {
        if (!raw_field_take(&rest, &field) || field.number <= last ||
            !fact_field_set(fact, &field)) {
            return false;
        }
        last = field.number;
        present |= 1U << last;
    }
    return (present & required) == required && fact->type != FACT_NONE && fact->version != 0;
}

static bool facts_fill(const struct block *block, struct fact *facts)
{
    struct span rest = block->public_part;
    for (uint32_t i = 0; i < block->header.count; i++) {
        struct span item = { 0 };
        facts[i] = (struct fact){ .seq = block->header.first_seq + i };
        if (!raw_item_take(&rest, PUBLIC_FACTS, &item) || !fact_decode(item, &facts[i])) {
            return false;
        }
    }
    return rest.size == 0;
}

enum status block_facts_decode(const struct block *block, struct arena *arena,
                               struct block_facts *facts)
{
    size_t count = block->header.count;
    if (block->public_part.size != block->header.public_bytes ||
        count > block->public_part.size / BLOCK_FACT_BYTES_LEAST) {
        return STATUS_CORRUPT;
    }
    if (count == 0) {
        *facts = (struct block_facts){ 0 };
        return block->public_part.size == 0 ? STATUS_OK : STATUS_CORRUPT;
    }
    struct fact *decoded = arena_allocate(arena, count * sizeof *decoded);
    if (decoded == NULL) {
        return STATUS_LIMIT;
    }
    if (!facts_fill(block, decoded)) {
        return STATUS_CORRUPT;
    }
    *facts = (struct block_facts){ .count = count, .facts = decoded };
    return STATUS_OK;
}

/* ---- all entries */

struct walk {
    struct block_facts facts;
    size_t passed; /* facts visited so far */
    block_visit visit;
    void *argument;
    bool ended; /* the visitor wants no more */
    struct block_entry entry;
};

static bool outcome_decode(struct span bytes, struct outcome *outcome)
{
    struct raw_value values[OUTCOME_FIELDS] = { 0 };
    if (!raw_message_decode(&outcome_shape, bytes, values) ||
        values[OUTCOME_KEY].bytes.size != sizeof outcome->key.bytes ||
        values[OUTCOME_BODY_HASH].bytes.size != sizeof outcome->body_hash.bytes) {
        return false;
    }
    *outcome = (struct outcome){
        .issued_at_ms = field_signed(values[OUTCOME_ISSUED_AT_MS].number),
        .status = status_from_code((unsigned)values[OUTCOME_CODE].number),
        .reply_header = values[OUTCOME_REPLY_HEADER].bytes,
        .reply_body = values[OUTCOME_REPLY_BODY].bytes,
    };
    memcpy(outcome->key.bytes, values[OUTCOME_KEY].bytes.data, sizeof outcome->key.bytes);
    memcpy(outcome->body_hash.bytes, values[OUTCOME_BODY_HASH].bytes.data,
           sizeof outcome->body_hash.bytes);
    /* A code that no status has would come back as another one. */
    return (unsigned)outcome->status == values[OUTCOME_CODE].number;
}

static bool folded_decode(struct span bytes, struct folded *folded)
{
    struct raw_value values[FOLDED_FIELDS] = { 0 };
    if (!raw_message_decode(&folded_shape, bytes, values) ||
        values[FOLDED_CHAIN].bytes.size != sizeof folded->chain.bytes) {
        return false;
    }
    struct span name = values[FOLDED_FEED].bytes;
    if (name.size == 0 || name.size >= sizeof folded->feed.name ||
        memchr(name.data, '\0', name.size) != NULL) {
        return false;
    }
    *folded = (struct folded){
        .feed.shard = (uint32_t)values[FOLDED_SHARD].number,
        .epoch = values[FOLDED_EPOCH].number,
        .from = values[FOLDED_FROM].number,
        .to = values[FOLDED_TO].number,
        .block = values[FOLDED_BLOCK].number,
        .block_seq = values[FOLDED_BLOCK_SEQ].number,
    };
    memcpy(folded->feed.name, name.data, name.size);
    memcpy(folded->chain.bytes, values[FOLDED_CHAIN].bytes.data, sizeof folded->chain.bytes);
    return true;
}

/* Exactly one of the three kinds. */
static bool entry_decode(const struct raw_value *values, struct block_entry *entry)
{
    struct span record = values[ENTRY_RECORD].bytes;
    struct span outcome = values[ENTRY_OUTCOME].bytes;
    struct span folded = values[ENTRY_FOLDED].bytes;
    if ((record.data != NULL) + (outcome.data != NULL) + (folded.data != NULL) != 1) {
        return false;
    }
    if (record.data != NULL) {
        entry->kind = BLOCK_ENTRY_RECORD;
        entry->record = (struct record){ .is_private = true, .private_record = record };
        return true;
    }
    if (outcome.data != NULL) {
        entry->kind = BLOCK_ENTRY_OUTCOME;
        return outcome_decode(outcome, &entry->outcome);
    }
    entry->kind = BLOCK_ENTRY_FOLDED;
    return folded_decode(folded, &entry->folded);
}

static void entry_visit(struct walk *walk)
{
    if (walk->visit != NULL && !walk->ended) {
        walk->ended = !walk->visit(walk->argument, &walk->entry);
    }
    if (walk->entry.kind == BLOCK_ENTRY_OUTCOME) {
        walk->entry.outcome_index += 1;
    }
}

static void facts_visit(struct walk *walk, size_t until)
{
    for (; walk->passed < until; walk->passed++) {
        walk->entry.kind = BLOCK_ENTRY_RECORD;
        walk->entry.record = (struct record){ .fact = walk->facts.facts[walk->passed] };
        entry_visit(walk);
    }
}

static bool entry_walk(struct span bytes, struct walk *walk)
{
    struct raw_value values[ENTRY_FIELDS] = { 0 };
    if (!raw_message_decode(&entry_shape, bytes, values)) {
        return false;
    }
    uint64_t after = values[ENTRY_AFTER].number;
    if (after < walk->passed || after > walk->facts.count) {
        return false;
    }
    facts_visit(walk, (size_t)after);
    if (!entry_decode(values, &walk->entry)) {
        return false;
    }
    entry_visit(walk);
    return true;
}

/* Without a visitor it only checks. */
static enum status entries_walk(struct span private_part, struct walk *walk, int64_t *now_ms)
{
    struct span rest = private_part;
    struct span item = { 0 };
    while (!walk->ended && raw_item_take(&rest, PRIVATE_ENTRIES, &item)) {
        if (!entry_walk(item, walk)) {
            return STATUS_CORRUPT;
        }
    }
    if (walk->ended) {
        return STATUS_OK;
    }
    facts_visit(walk, walk->facts.count);
    struct raw_value values[PRIVATE_FIELDS] = { 0 };
    if (!raw_message_decode(&private_tail_shape, rest, values)) {
        return STATUS_CORRUPT;
    }
    *now_ms = field_signed(values[PRIVATE_NOW_MS].number);
    return STATUS_OK;
}

enum status block_walk(const struct block *block, struct arena *arena, block_visit visit,
                       void *argument, int64_t *now_ms)
{
    if (block->private_part.size != block->header.private_bytes || block->private_part.size == 0) {
        return STATUS_CORRUPT;
    }
    struct walk walk = { 0 };
    enum status status = block_facts_decode(block, arena, &walk.facts);
    if (status != STATUS_OK) {
        return status;
    }
    /* Once without the visitor: it is to see all of a block or nothing of it. */
    struct walk check = walk;
    int64_t now_found = 0;
    status = entries_walk(block->private_part, &check, &now_found);
    if (status != STATUS_OK) {
        return status;
    }
    walk.visit = visit;
    walk.argument = argument;
    status = entries_walk(block->private_part, &walk, &now_found);
    assert(status == STATUS_OK); /* as before */
    *now_ms = now_found;
    return STATUS_OK;
}
