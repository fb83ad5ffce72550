#include "services/loyalty/loyalty_store.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 1

/* Sizes of values, version byte included. */
#define ACCOUNT_FIXED_BYTES (1 + 4 * 8 + 4 + 1)
#define OWN_BYTES (1 + 2 * 8)
#define ENTRY_BYTES (1 + 8 + 1 + 1 + 6 * 8)
#define POSTING_BYTES (1 + LOYALTY_ENTRY_KEY_BYTES)
#define HEAD_BYTES (1 + 4 + 4 + 16 + 4)
#define PROGRAMME_BYTES (1 + 4)
/* Chunks are raw bytes: the version of what is in them is the rules' own affair. */
#define CHUNK_BYTES LIMIT_STATE_VALUE_BYTES
#define HEAD_KEY 1

/* A value being written or read, front to back. */
struct writer {
    uint8_t *at;
};
struct reader {
    const uint8_t *at;
};

static void put8(struct writer *writer, uint8_t value)
{
    *writer->at = value;
    writer->at += 1;
}

static void put32(struct writer *writer, uint32_t value)
{
    be32_put(writer->at, value);
    writer->at += 4;
}

static void put64(struct writer *writer, uint64_t value)
{
    be64_put(writer->at, value);
    writer->at += 8;
}

/* Amounts and times in two's complement: values need no order of bytes. */
static void put_signed(struct writer *writer, int64_t value)
{
    put64(writer, (uint64_t)value);
}

static uint8_t get8(struct reader *reader)
{
    uint8_t value = *reader->at;
    reader->at += 1;
    return value;
}

static uint32_t get32(struct reader *reader)
{
    uint32_t value = be32_get(reader->at);
    reader->at += 4;
    return value;
}

static uint64_t get64(struct reader *reader)
{
    uint64_t value = be64_get(reader->at);
    reader->at += 8;
    return value;
}

static int64_t get_signed(struct reader *reader)
{
    return (int64_t)get64(reader);
}

/* Past the version byte, which only this version writes. */
static struct reader reader_of(struct span value)
{
    assert(value.size >= 1 && value.data[0] == RECORD_VERSION);
    return (struct reader){ .at = value.data + 1 };
}

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
    assert(value.size >= ACCOUNT_FIXED_BYTES);
    struct reader reader = reader_of(value);
    *account = (struct loyalty_account){ 0 };
    account->balance = get_signed(&reader);
    account->earned = get_signed(&reader);
    account->spent = get_signed(&reader);
    account->postings = get64(&reader);
    account->subject.key_id = get32(&reader);
    account->subject.size = get8(&reader);
    assert(account->subject.size <= LOYALTY_SUBJECT_BYTES);
    assert(value.size == ACCOUNT_FIXED_BYTES + (size_t)account->subject.size);
    memcpy(account->subject.bytes, reader.at, account->subject.size);
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
    uint8_t value[ACCOUNT_FIXED_BYTES + LOYALTY_SUBJECT_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put_signed(&writer, account->balance);
    put_signed(&writer, account->earned);
    put_signed(&writer, account->spent);
    put64(&writer, account->postings);
    put32(&writer, account->subject.key_id);
    put8(&writer, account->subject.size);
    memcpy(writer.at, account->subject.bytes, account->subject.size);

    struct loyalty_account_key_bytes bytes = loyalty_account_key_encode(key);
    change_put(change, LOYALTY_TABLE_ACCOUNT, span_of(bytes.bytes, sizeof bytes.bytes),
               span_of(value, ACCOUNT_FIXED_BYTES + (size_t)account->subject.size));
}

void loyalty_own_decode(struct span value, struct loyalty_own *own)
{
    assert(value.size == OWN_BYTES);
    struct reader reader = reader_of(value);
    own->balance = get_signed(&reader);
    own->postings = get64(&reader);
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
    uint8_t value[OWN_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put_signed(&writer, own->balance);
    put64(&writer, own->postings);

    struct loyalty_own_key_bytes bytes = loyalty_own_key_encode(key);
    change_put(change, LOYALTY_TABLE_OWN, span_of(bytes.bytes, sizeof bytes.bytes),
               span_of(value, sizeof value));
}

void loyalty_entry_decode(struct span value, struct loyalty_entry *entry)
{
    assert(value.size == ENTRY_BYTES);
    struct reader reader = reader_of(value);
    entry->posting = get64(&reader);
    uint8_t kind = get8(&reader);
    uint8_t counter = get8(&reader);
    assert(kind <= LOYALTY_REVERSED && counter <= LOYALTY_OWN_SPENT);
    entry->kind = (enum loyalty_kind)kind;
    entry->counter = (enum loyalty_own_kind)counter;
    entry->points = get_signed(&reader);
    entry->balance_after = get_signed(&reader);
    entry->occurred_at_ms = get_signed(&reader);
    entry->recorded_at_ms = get_signed(&reader);
    entry->reverses = get64(&reader);
    entry->reversed_by = get64(&reader);
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
    loyalty_entry_decode(value, entry);
    return true;
}

void loyalty_entry_put(const struct change *change, struct loyalty_entry_key key,
                       const struct loyalty_entry *entry)
{
    uint8_t value[ENTRY_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put64(&writer, entry->posting);
    put8(&writer, (uint8_t)entry->kind);
    put8(&writer, (uint8_t)entry->counter);
    put_signed(&writer, entry->points);
    put_signed(&writer, entry->balance_after);
    put_signed(&writer, entry->occurred_at_ms);
    put_signed(&writer, entry->recorded_at_ms);
    put64(&writer, entry->reverses);
    put64(&writer, entry->reversed_by);

    struct loyalty_entry_key_bytes bytes = loyalty_entry_key_encode(key);
    change_put(change, LOYALTY_TABLE_ENTRY, span_of(bytes.bytes, sizeof bytes.bytes),
               span_of(value, sizeof value));
}

bool loyalty_posting_load(const struct view *view, uint64_t seq, struct loyalty_entry_key *key)
{
    struct loyalty_posting_key_bytes bytes = loyalty_posting_key_encode(seq);
    struct span value = { 0 };
    if (!view_get(view, LOYALTY_TABLE_POSTING, span_of(bytes.bytes, sizeof bytes.bytes), &value)) {
        *key = (struct loyalty_entry_key){ 0 };
        return false;
    }
    assert(value.size == POSTING_BYTES);
    struct reader reader = reader_of(value);
    enum status status = loyalty_entry_key_decode(span_of(reader.at, LOYALTY_ENTRY_KEY_BYTES), key);
    assert(status == STATUS_OK);
    return true;
}

void loyalty_posting_put(const struct change *change, uint64_t seq, struct loyalty_entry_key key)
{
    uint8_t value[POSTING_BYTES];
    value[0] = RECORD_VERSION;
    struct loyalty_entry_key_bytes entry = loyalty_entry_key_encode(key);
    memcpy(value + 1, entry.bytes, sizeof entry.bytes);

    struct loyalty_posting_key_bytes bytes = loyalty_posting_key_encode(seq);
    change_put(change, LOYALTY_TABLE_POSTING, span_of(bytes.bytes, sizeof bytes.bytes),
               span_of(value, sizeof value));
}

bool loyalty_head_load(const struct view *view, struct loyalty_head *head)
{
    uint8_t key = HEAD_KEY;
    struct span value = { 0 };
    *head = (struct loyalty_head){ 0 };
    if (!view_get(view, LOYALTY_TABLE_HEAD, span_of(&key, sizeof key), &value)) {
        return false;
    }
    assert(value.size == HEAD_BYTES);
    struct reader reader = reader_of(value);
    head->rules_version = get32(&reader);
    head->rules_bytes = get32(&reader);
    memcpy(head->rules_hash.bytes, reader.at, sizeof head->rules_hash.bytes);
    reader.at += sizeof head->rules_hash.bytes;
    head->programme_count = get32(&reader);
    return true;
}

void loyalty_head_put(const struct change *change, const struct loyalty_head *head)
{
    uint8_t value[HEAD_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put32(&writer, head->rules_version);
    put32(&writer, head->rules_bytes);
    memcpy(writer.at, head->rules_hash.bytes, sizeof head->rules_hash.bytes);
    writer.at += sizeof head->rules_hash.bytes;
    put32(&writer, head->programme_count);

    uint8_t key = HEAD_KEY;
    change_put(change, LOYALTY_TABLE_HEAD, span_of(&key, sizeof key), span_of(value, sizeof value));
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
    assert(value.size == PROGRAMME_BYTES);
    struct reader reader = reader_of(value);
    *number = get32(&reader);
    return true;
}

struct loyalty_name loyalty_programme_name_load(const struct view *view, uint32_t number)
{
    struct loyalty_programme_name_key_bytes key = loyalty_programme_name_key_encode(number);
    struct span value = { 0 };
    bool found =
        view_get(view, LOYALTY_TABLE_PROGRAMME_NAME, span_of(key.bytes, sizeof key.bytes), &value);
    assert(found && value.size > 1);
    struct reader reader = reader_of(value);
    return loyalty_name_of(span_of(reader.at, value.size - 1));
}

void loyalty_programme_put(const struct change *change, const struct loyalty_name *name,
                           uint32_t number)
{
    uint8_t value[PROGRAMME_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put32(&writer, number);
    change_put(change, LOYALTY_TABLE_PROGRAMME, loyalty_name_span(name),
               span_of(value, sizeof value));

    uint8_t back[1 + LIMIT_ID_BYTES];
    back[0] = RECORD_VERSION;
    memcpy(back + 1, name->text, name->size);
    struct loyalty_programme_name_key_bytes key = loyalty_programme_name_key_encode(number);
    change_put(change, LOYALTY_TABLE_PROGRAMME_NAME, span_of(key.bytes, sizeof key.bytes),
               span_of(back, 1 + (size_t)name->size));
}
