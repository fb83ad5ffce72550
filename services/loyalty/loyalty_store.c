#include "services/loyalty/loyalty_store.h"

#include "common/base/record.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 1

/* Sizes of values, version byte included. */
#define ACCOUNT_FIXED_BYTES (1 + 4 * 8 + 4 + 1)
#define OWN_BYTES (1 + 2 * 8)
#define ENTRY_BYTES (1 + 8 + 1 + 1 + 6 * 8)
#define POSTING_BYTES (1 + LOYALTY_ENTRY_KEY_BYTES)
#define REVERSAL_BYTES (1 + 8)
#define HEAD_BYTES (1 + 4 + 4 + 16 + 4)
#define PROGRAMME_BYTES (1 + 4)
/* Chunks are raw bytes: the version of what is in them is the rules' own affair. */
#define CHUNK_BYTES LIMIT_STATE_VALUE_BYTES
#define HEAD_KEY 1

struct loyalty_name loyalty_name_of(struct span text)
{
    assert(text.size <= LIMIT_ID_BYTES);
    struct loyalty_name name = { .size = (uint8_t)text.size };
    if (text.size > 0) {
        memcpy(name.text, text.data, text.size);
    }
    return name;
}

struct span loyalty_name_span(const struct loyalty_name *name)
{
    return span_of(name->text, name->size);
}

struct loyalty_subject loyalty_subject_of(struct sealed sealed)
{
    assert(sealed.bytes.size <= LOYALTY_SUBJECT_BYTES);
    struct loyalty_subject subject = { .key_id = sealed.key_id,
                                       .size = (uint8_t)sealed.bytes.size };
    if (sealed.bytes.size > 0) {
        memcpy(subject.bytes, sealed.bytes.data, sealed.bytes.size);
    }
    return subject;
}

struct sealed loyalty_subject_sealed(const struct loyalty_subject *subject)
{
    return (struct sealed){ .key_id = subject->key_id,
                            .bytes = span_of(subject->bytes, subject->size) };
}

void loyalty_account_decode(struct span value, struct loyalty_account *account)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    *account = (struct loyalty_account){ 0 };
    account->balance = record_read_signed(&reader);
    account->earned = record_read_signed(&reader);
    account->spent = record_read_signed(&reader);
    account->postings = record_read64(&reader);
    account->subject.key_id = record_read32(&reader);
    account->subject.size = record_read8(&reader);
    assert(account->subject.size <= LOYALTY_SUBJECT_BYTES);
    record_read_into(&reader, account->subject.bytes, account->subject.size);
    record_read_end(&reader);
}

bool loyalty_account_load(const struct view *view, struct loyalty_account_key key,
                          struct loyalty_account *account)
{
    struct loyalty_account_key_bytes bytes = loyalty_account_key_encode(key);
    struct span value = { 0 };
    if (!view_get(view, LOYALTY_TABLE_ACCOUNT, span_of(bytes.bytes, sizeof bytes.bytes), &value)) {
        *account = (struct loyalty_account){ 0 };
        return false;
    }
    loyalty_account_decode(value, account);
    return true;
}

void loyalty_account_put(const struct change *change, struct loyalty_account_key key,
                         const struct loyalty_account *account)
{
    uint8_t value[ACCOUNT_FIXED_BYTES + LOYALTY_SUBJECT_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_signed(&writer, account->balance);
    record_write_signed(&writer, account->earned);
    record_write_signed(&writer, account->spent);
    record_write64(&writer, account->postings);
    record_write32(&writer, account->subject.key_id);
    record_write8(&writer, account->subject.size);
    record_write_bytes(&writer, span_of(account->subject.bytes, account->subject.size));

    struct loyalty_account_key_bytes bytes = loyalty_account_key_encode(key);
    change_put(change, LOYALTY_TABLE_ACCOUNT, span_of(bytes.bytes, sizeof bytes.bytes),
               record_written(&writer));
}

void loyalty_own_decode(struct span value, struct loyalty_own *own)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    own->balance = record_read_signed(&reader);
    own->postings = record_read64(&reader);
    record_read_end(&reader);
}

bool loyalty_customer_is_known(const struct view *view, struct customer_id customer)
{
    struct span value = { 0 };
    return view_get(view, LOYALTY_TABLE_CUSTOMER, span_of(customer.bytes, sizeof customer.bytes),
                    &value);
}

void loyalty_customer_put(const struct change *change, struct customer_id customer)
{
    const uint8_t value = RECORD_VERSION;
    change_put(change, LOYALTY_TABLE_CUSTOMER, span_of(customer.bytes, sizeof customer.bytes),
               span_of(&value, sizeof value));
}

bool loyalty_own_load(const struct view *view, struct loyalty_own_key key, struct loyalty_own *own)
{
    struct loyalty_own_key_bytes bytes = loyalty_own_key_encode(key);
    struct span value = { 0 };
    if (!view_get(view, LOYALTY_TABLE_OWN, span_of(bytes.bytes, sizeof bytes.bytes), &value)) {
        *own = (struct loyalty_own){ 0 };
        return false;
    }
    loyalty_own_decode(value, own);
    return true;
}

void loyalty_own_put(const struct change *change, struct loyalty_own_key key,
                     const struct loyalty_own *own)
{
    uint8_t value[OWN_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_signed(&writer, own->balance);
    record_write64(&writer, own->postings);

    struct loyalty_own_key_bytes bytes = loyalty_own_key_encode(key);
    change_put(change, LOYALTY_TABLE_OWN, span_of(bytes.bytes, sizeof bytes.bytes),
               record_written(&writer));
}

static uint64_t reversal_load(const struct view *view, uint64_t reversed)
{
    struct loyalty_posting_key_bytes bytes = loyalty_posting_key_encode(reversed);
    struct span value = { 0 };
    if (!view_get(view, LOYALTY_TABLE_REVERSAL, span_of(bytes.bytes, sizeof bytes.bytes), &value)) {
        return 0;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    uint64_t reversal = record_read64(&reader);
    record_read_end(&reader);
    return reversal;
}

void loyalty_reversal_put(const struct change *change, uint64_t reversed, uint64_t reversal)
{
    uint8_t value[REVERSAL_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write64(&writer, reversal);

    struct loyalty_posting_key_bytes bytes = loyalty_posting_key_encode(reversed);
    change_put(change, LOYALTY_TABLE_REVERSAL, span_of(bytes.bytes, sizeof bytes.bytes),
               record_written(&writer));
}

void loyalty_entry_decode(const struct view *view, struct span value, struct loyalty_entry *entry)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    entry->posting = record_read64(&reader);
    uint8_t kind = record_read8(&reader);
    uint8_t counter = record_read8(&reader);
    assert(kind <= LOYALTY_GRANTED && counter <= LOYALTY_OWN_SPENT);
    entry->kind = (enum loyalty_kind)kind;
    entry->counter = (enum loyalty_own_kind)counter;
    entry->points = record_read_signed(&reader);
    entry->balance_after = record_read_signed(&reader);
    entry->occurred_at_ms = record_read_signed(&reader);
    entry->recorded_at_ms = record_read_signed(&reader);
    entry->reverses = record_read64(&reader);
    entry->reversed_by = record_read64(&reader);
    record_read_end(&reader);
    /* Tables of version 1 said it in the entry itself. */
    if (entry->reversed_by == 0 && entry->kind != LOYALTY_REVERSED) {
        entry->reversed_by = reversal_load(view, entry->posting);
    }
}

bool loyalty_entry_load(const struct view *view, struct loyalty_entry_key key,
                        struct loyalty_entry *entry)
{
    struct loyalty_entry_key_bytes bytes = loyalty_entry_key_encode(key);
    struct span value = { 0 };
    if (!view_get(view, LOYALTY_TABLE_ENTRY, span_of(bytes.bytes, sizeof bytes.bytes), &value)) {
        *entry = (struct loyalty_entry){ 0 };
        return false;
    }
    loyalty_entry_decode(view, value, entry);
    return true;
}

void loyalty_entry_put(const struct change *change, struct loyalty_entry_key key,
                       const struct loyalty_entry *entry)
{
    assert(entry->reversed_by == 0);
    uint8_t value[ENTRY_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write64(&writer, entry->posting);
    record_write8(&writer, (uint8_t)entry->kind);
    record_write8(&writer, (uint8_t)entry->counter);
    record_write_signed(&writer, entry->points);
    record_write_signed(&writer, entry->balance_after);
    record_write_signed(&writer, entry->occurred_at_ms);
    record_write_signed(&writer, entry->recorded_at_ms);
    record_write64(&writer, entry->reverses);
    record_write64(&writer, entry->reversed_by);

    struct loyalty_entry_key_bytes bytes = loyalty_entry_key_encode(key);
    change_put(change, LOYALTY_TABLE_ENTRY, span_of(bytes.bytes, sizeof bytes.bytes),
               record_written(&writer));
}

bool loyalty_posting_load(const struct view *view, uint64_t seq, struct loyalty_entry_key *key)
{
    struct loyalty_posting_key_bytes bytes = loyalty_posting_key_encode(seq);
    struct span value = { 0 };
    if (!view_get(view, LOYALTY_TABLE_POSTING, span_of(bytes.bytes, sizeof bytes.bytes), &value)) {
        *key = (struct loyalty_entry_key){ 0 };
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    enum status status = loyalty_entry_key_decode(record_read_rest(&reader), key);
    assert(status == STATUS_OK);
    return true;
}

void loyalty_posting_put(const struct change *change, uint64_t seq, struct loyalty_entry_key key)
{
    uint8_t value[POSTING_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    struct loyalty_entry_key_bytes entry = loyalty_entry_key_encode(key);
    record_write_bytes(&writer, span_of(entry.bytes, sizeof entry.bytes));

    struct loyalty_posting_key_bytes bytes = loyalty_posting_key_encode(seq);
    change_put(change, LOYALTY_TABLE_POSTING, span_of(bytes.bytes, sizeof bytes.bytes),
               record_written(&writer));
}

bool loyalty_head_load(const struct view *view, struct loyalty_head *head)
{
    uint8_t key = HEAD_KEY;
    struct span value = { 0 };
    *head = (struct loyalty_head){ 0 };
    if (!view_get(view, LOYALTY_TABLE_HEAD, span_of(&key, sizeof key), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    head->rules_version = record_read32(&reader);
    head->rules_bytes = record_read32(&reader);
    record_read_into(&reader, head->rules_hash.bytes, sizeof head->rules_hash.bytes);
    head->programme_count = record_read32(&reader);
    record_read_end(&reader);
    return true;
}

void loyalty_head_put(const struct change *change, const struct loyalty_head *head)
{
    uint8_t value[HEAD_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, head->rules_version);
    record_write32(&writer, head->rules_bytes);
    record_write_bytes(&writer, span_of(head->rules_hash.bytes, sizeof head->rules_hash.bytes));
    record_write32(&writer, head->programme_count);

    uint8_t key = HEAD_KEY;
    change_put(change, LOYALTY_TABLE_HEAD, span_of(&key, sizeof key), record_written(&writer));
}

void loyalty_rules_load(const struct view *view, const struct loyalty_head *head,
                        struct buffer *out)
{
    size_t before = out->size;
    for (uint16_t chunk = 0; out->size - before < head->rules_bytes; chunk++) {
        struct loyalty_rules_key_bytes key = loyalty_rules_key_encode(head->rules_version, chunk);
        struct span value = { 0 };
        bool found =
            view_get(view, LOYALTY_TABLE_RULES, span_of(key.bytes, sizeof key.bytes), &value);
        assert(found && value.size > 0);
        enum status status = buffer_append(out, value);
        assert(status == STATUS_OK);
    }
    assert(out->size - before == head->rules_bytes);
}

void loyalty_rules_put(const struct change *change, uint32_t version, struct span compiled)
{
    assert(compiled.size <= LOYALTY_COMPILED_BYTES);
    uint16_t chunk = 0;
    for (size_t at = 0; at < compiled.size; at += CHUNK_BYTES) {
        size_t left = compiled.size - at;
        struct loyalty_rules_key_bytes key = loyalty_rules_key_encode(version, chunk++);
        change_put(change, LOYALTY_TABLE_RULES, span_of(key.bytes, sizeof key.bytes),
                   span_of(compiled.data + at, left < CHUNK_BYTES ? left : CHUNK_BYTES));
    }
}

bool loyalty_programme_load(const struct view *view, struct span name, uint32_t *number)
{
    struct span value = { 0 };
    if (!view_get(view, LOYALTY_TABLE_PROGRAMME, name, &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    *number = record_read32(&reader);
    record_read_end(&reader);
    return true;
}

struct loyalty_name loyalty_programme_name_load(const struct view *view, uint32_t number)
{
    struct loyalty_programme_name_key_bytes key = loyalty_programme_name_key_encode(number);
    struct span value = { 0 };
    bool found =
        view_get(view, LOYALTY_TABLE_PROGRAMME_NAME, span_of(key.bytes, sizeof key.bytes), &value);
    assert(found && value.size > 1);
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    return loyalty_name_of(record_read_rest(&reader));
}

void loyalty_programme_put(const struct change *change, const struct loyalty_name *name,
                           uint32_t number)
{
    uint8_t value[PROGRAMME_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, number);
    change_put(change, LOYALTY_TABLE_PROGRAMME, loyalty_name_span(name), record_written(&writer));

    uint8_t back[1 + LIMIT_ID_BYTES] = { 0 };
    struct record_writer back_writer = record_writer_of(back, sizeof back, RECORD_VERSION);
    record_write_bytes(&back_writer, loyalty_name_span(name));
    struct loyalty_programme_name_key_bytes key = loyalty_programme_name_key_encode(number);
    change_put(change, LOYALTY_TABLE_PROGRAMME_NAME, span_of(key.bytes, sizeof key.bytes),
               record_written(&back_writer));
}
