#include "services/segmentation/segmentation_store.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 1

/* Sizes of values, version byte included; those with a text without it. */
#define CUSTOMER_FIXED_BYTES (1 + 4 + 8 + 8 + 4 + 1)
#define ATTRIBUTE_FIXED_BYTES (1 + 8 + 1 + 8)
#define ENTRY_FIXED_BYTES (1 + 8 + 1)
#define FIGURE_BYTES (1 + 8 + 16 + 8)
#define LATEST_BYTES (1 + 8)
#define MEMBERSHIP_BYTES (1 + 4 + 8)
#define SEGMENT_FIXED_BYTES (1 + 8)
#define NUMBER_BYTES (1 + 4)
#define MEMBER_BYTES (1 + 16)
#define MARK_BYTES 1 /* of tables whose key says all */
#define HEAD_BYTES (1 + 4 + 16 + 8 + 4 + 1 + 1 + 16)
/* Chunks are raw bytes: the version of what is in them is the rules' own affair. */
#define CHUNK_BYTES LIMIT_STATE_VALUE_BYTES

/* What an attribute's record says it is. */
enum attribute_form { FORM_UNKNOWN = 0, FORM_TEXT = 1, FORM_INTEGER = 2 };

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

static void put_bytes(struct writer *writer, struct span bytes)
{
    if (bytes.size > 0) {
        memcpy(writer->at, bytes.data, bytes.size);
    }
    writer->at += bytes.size;
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

static bool record_get(const struct view *view, enum segmentation_table table,
                       const struct segmentation_key *key, struct span *value)
{
    return view_get(view, (uint8_t)table, segmentation_key_span(key), value);
}

static void record_put(const struct change *change, enum segmentation_table table,
                       const struct segmentation_key *key, struct span value)
{
    change_put(change, (uint8_t)table, segmentation_key_span(key), value);
}

static void record_delete(const struct change *change, enum segmentation_table table,
                          const struct segmentation_key *key)
{
    change_delete(change, (uint8_t)table, segmentation_key_span(key));
}

/* ---- names */

struct segmentation_name segmentation_name_of(struct span text)
{
    assert(text.size <= LIMIT_ID_BYTES);
    struct segmentation_name name = { .size = (uint8_t)text.size };
    if (text.size > 0) {
        memcpy(name.text, text.data, text.size);
    }
    return name;
}

struct span segmentation_name_span(const struct segmentation_name *name)
{
    return span_of(name->text, name->size);
}

struct segmentation_subject segmentation_subject_of(struct sealed sealed)
{
    assert(sealed.bytes.size <= SEGMENTATION_SUBJECT_BYTES);
    struct segmentation_subject subject = { .key_id = sealed.key_id,
                                            .size = (uint8_t)sealed.bytes.size };
    if (sealed.bytes.size > 0) {
        memcpy(subject.bytes, sealed.bytes.data, sealed.bytes.size);
    }
    return subject;
}

struct sealed segmentation_subject_sealed(const struct segmentation_subject *subject)
{
    return (struct sealed){ .key_id = subject->key_id,
                            .bytes = span_of(subject->bytes, subject->size) };
}

struct segmentation_name segmentation_customer_text(struct customer_id id,
                                                    const struct segmentation_customer *customer)
{
    const struct segmentation_subject *subject = &customer->subject;
    if (subject->key_id == 0 && subject->size >= 1 && subject->size <= LIMIT_ID_BYTES) {
        return segmentation_name_of(span_of(subject->bytes, subject->size));
    }
    struct segmentation_name name = { .size = 2 * sizeof id.bytes };
    hex_encode(span_of(id.bytes, sizeof id.bytes), name.text);
    return name;
}

/* ---- customers */

bool segmentation_customer_load(const struct view *view, struct customer_id id,
                                struct segmentation_customer *customer)
{
    struct segmentation_key key = segmentation_customer_key(id);
    struct span value = { 0 };
    *customer = (struct segmentation_customer){ .version = 0 };
    if (!record_get(view, SEGMENTATION_TABLE_CUSTOMER, &key, &value)) {
        return false;
    }
    assert(value.size >= CUSTOMER_FIXED_BYTES);
    struct reader reader = reader_of(value);
    customer->version = get32(&reader);
    customer->events = get64(&reader);
    customer->due_ms = get_signed(&reader);
    customer->subject.key_id = get32(&reader);
    customer->subject.size = get8(&reader);
    assert(customer->subject.size <= SEGMENTATION_SUBJECT_BYTES);
    assert(value.size == CUSTOMER_FIXED_BYTES + (size_t)customer->subject.size);
    memcpy(customer->subject.bytes, reader.at, customer->subject.size);
    return true;
}

void segmentation_customer_put(const struct change *change, struct customer_id id,
                               const struct segmentation_customer *customer)
{
    uint8_t value[CUSTOMER_FIXED_BYTES + SEGMENTATION_SUBJECT_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put32(&writer, customer->version);
    put64(&writer, customer->events);
    put_signed(&writer, customer->due_ms);
    put32(&writer, customer->subject.key_id);
    put8(&writer, customer->subject.size);
    put_bytes(&writer, span_of(customer->subject.bytes, customer->subject.size));

    struct segmentation_key key = segmentation_customer_key(id);
    record_put(change, SEGMENTATION_TABLE_CUSTOMER, &key,
               span_of(value, (size_t)(writer.at - value)));
}

struct customer_search {
    const struct customer_id *after;
    struct customer_id *next;
    bool found;
};

static bool customer_visit(void *argument, struct span key, struct span value)
{
    (void)value;
    struct customer_search *search = argument;
    struct customer_id customer = { { 0 } };
    enum status status = segmentation_customer_key_decode(key, &customer);
    assert(status == STATUS_OK);
    if (search->after != NULL && customer_id_equal(customer, *search->after)) {
        return true;
    }
    *search->next = customer;
    search->found = true;
    return false;
}

bool segmentation_customer_next(const struct view *view, const struct customer_id *after,
                                struct customer_id *next)
{
    struct customer_search search = { .after = after, .next = next };
    struct segmentation_key from = { .size = 0 };
    if (after != NULL) {
        from = segmentation_customer_key(*after);
    }
    view_scan(view, SEGMENTATION_TABLE_CUSTOMER, segmentation_key_span(&from), customer_visit,
              &search);
    return search.found;
}

/* ---- attributes */

bool segmentation_attribute_load(const struct view *view, struct customer_id id, struct span name,
                                 struct segmentation_attribute *attribute)
{
    struct segmentation_key key = segmentation_profile_key(id, name);
    struct span value = { 0 };
    *attribute = (struct segmentation_attribute){ .known = false };
    if (!record_get(view, SEGMENTATION_TABLE_PROFILE, &key, &value)) {
        return false;
    }
    assert(value.size >= ATTRIBUTE_FIXED_BYTES);
    struct reader reader = reader_of(value);
    attribute->at_ms = get_signed(&reader);
    uint8_t form = get8(&reader);
    attribute->integer = get_signed(&reader);
    assert(form <= FORM_INTEGER);
    attribute->known = form != FORM_UNKNOWN;
    attribute->has_integer = form == FORM_INTEGER;
    attribute->text = span_of(reader.at, value.size - ATTRIBUTE_FIXED_BYTES);
    return true;
}

static enum attribute_form attribute_form_of(const struct segmentation_attribute *attribute)
{
    if (!attribute->known) {
        return FORM_UNKNOWN;
    }
    return attribute->has_integer ? FORM_INTEGER : FORM_TEXT;
}

void segmentation_attribute_put(const struct change *change, struct customer_id id,
                                struct span name, const struct segmentation_attribute *attribute)
{
    uint8_t value[ATTRIBUTE_FIXED_BYTES + LIMIT_TEXT_BYTES];
    struct writer writer = { .at = value };
    assert(attribute->text.size <= LIMIT_TEXT_BYTES);
    put8(&writer, RECORD_VERSION);
    put_signed(&writer, attribute->at_ms);
    put8(&writer, (uint8_t)attribute_form_of(attribute));
    put_signed(&writer, attribute->integer);
    put_bytes(&writer, attribute->text);

    struct segmentation_key key = segmentation_profile_key(id, name);
    record_put(change, SEGMENTATION_TABLE_PROFILE, &key,
               span_of(value, (size_t)(writer.at - value)));
}

/* ---- events */

struct entry_walk {
    struct customer_id customer;
    segmentation_entry_visit visit;
    void *argument;
};

static bool entry_visit(void *argument, struct span key, struct span value)
{
    const struct entry_walk *walk = argument;
    struct segmentation_event_key event_key = { .number = 0 };
    enum status status = segmentation_event_key_decode(key, &event_key);
    assert(status == STATUS_OK);
    if (!customer_id_equal(event_key.customer, walk->customer)) {
        return false;
    }
    assert(value.size >= ENTRY_FIXED_BYTES);
    struct reader reader = reader_of(value);
    struct segmentation_entry entry = { .amount_minor = get_signed(&reader) };
    size_t type_size = get8(&reader);
    assert(value.size >= ENTRY_FIXED_BYTES + type_size);
    entry.type = span_of(reader.at, type_size);
    entry.category = span_of(reader.at + type_size, value.size - ENTRY_FIXED_BYTES - type_size);
    return walk->visit(walk->argument, &event_key, &entry);
}

void segmentation_entry_walk(const struct view *view, struct segmentation_event_key from,
                             segmentation_entry_visit visit, void *argument)
{
    struct entry_walk walk = { .customer = from.customer, .visit = visit, .argument = argument };
    struct segmentation_key key = segmentation_event_key_encode(from);
    view_scan(view, SEGMENTATION_TABLE_EVENT, segmentation_key_span(&key), entry_visit, &walk);
}

void segmentation_entry_put(const struct change *change, struct segmentation_event_key key,
                            const struct segmentation_entry *entry)
{
    uint8_t value[ENTRY_FIXED_BYTES + 2 * LIMIT_ID_BYTES];
    struct writer writer = { .at = value };
    assert(entry->type.size <= LIMIT_ID_BYTES && entry->category.size <= LIMIT_ID_BYTES);
    put8(&writer, RECORD_VERSION);
    put_signed(&writer, entry->amount_minor);
    put8(&writer, (uint8_t)entry->type.size);
    put_bytes(&writer, entry->type);
    put_bytes(&writer, entry->category);

    struct segmentation_key bytes = segmentation_event_key_encode(key);
    record_put(change, SEGMENTATION_TABLE_EVENT, &bytes,
               span_of(value, (size_t)(writer.at - value)));
}

void segmentation_entry_delete(const struct change *change, struct segmentation_event_key key)
{
    struct segmentation_key bytes = segmentation_event_key_encode(key);
    record_delete(change, SEGMENTATION_TABLE_EVENT, &bytes);
}

/* ---- figures */

struct figures_walk {
    struct segmentation_figure *figures;
    size_t count;
};

static bool figure_visit(void *argument, struct span key, struct span value)
{
    const struct figures_walk *walk = argument;
    uint16_t feature = 0;
    enum status status = segmentation_feature_key_decode(key, &feature);
    assert(status == STATUS_OK && feature < walk->count && value.size == FIGURE_BYTES);
    struct reader reader = reader_of(value);
    struct segmentation_figure *figure = &walk->figures[feature];
    figure->count = get64(&reader);
    uint64_t high = get64(&reader);
    uint64_t low = get64(&reader);
    /* Shifting a negative number is undefined, multiplying is not, and here it fits. */
    figure->sum = (rules_sum)(int64_t)high * ((rules_sum)1 << 64) + (rules_sum)low;
    figure->oldest_ms = get_signed(&reader);
    assert(figure->count > 0);
    return true;
}

void segmentation_figures_load(const struct view *view, struct customer_id id,
                               struct segmentation_figure *figures, size_t count)
{
    struct figures_walk walk = { .figures = figures, .count = count };
    struct segmentation_key prefix = segmentation_customer_key(id);
    memset(figures, 0, count * sizeof *figures);
    view_walk(view, SEGMENTATION_TABLE_FEATURE, segmentation_key_span(&prefix), figure_visit,
              &walk);
}

struct features_walk {
    uint16_t features[RULES_FEATURES_MAX];
    size_t count;
};

static bool feature_visit(void *argument, struct span key, struct span value)
{
    (void)value;
    struct features_walk *walk = argument;
    assert(walk->count < RULES_FEATURES_MAX);
    enum status status = segmentation_feature_key_decode(key, &walk->features[walk->count]);
    assert(status == STATUS_OK);
    walk->count += 1;
    return true;
}

void segmentation_figures_delete(const struct change *change, struct customer_id id)
{
    struct features_walk walk = { .count = 0 };
    struct segmentation_key prefix = segmentation_customer_key(id);
    view_walk(&change->view, SEGMENTATION_TABLE_FEATURE, segmentation_key_span(&prefix),
              feature_visit, &walk);
    for (size_t i = 0; i < walk.count; i++) {
        struct segmentation_key key = segmentation_feature_key(id, walk.features[i]);
        record_delete(change, SEGMENTATION_TABLE_FEATURE, &key);
    }
}

void segmentation_figure_put(const struct change *change, struct customer_id id, uint16_t feature,
                             const struct segmentation_figure *figure)
{
    struct segmentation_key key = segmentation_feature_key(id, feature);
    if (figure->count == 0) {
        record_delete(change, SEGMENTATION_TABLE_FEATURE, &key);
        return;
    }
    uint8_t value[FIGURE_BYTES];
    struct writer writer = { .at = value };
    uint64_t low = (uint64_t)figure->sum;
    put8(&writer, RECORD_VERSION);
    put64(&writer, figure->count);
    put_signed(&writer, (int64_t)((figure->sum - (rules_sum)low) / ((rules_sum)1 << 64)));
    put64(&writer, low);
    put_signed(&writer, figure->oldest_ms);
    record_put(change, SEGMENTATION_TABLE_FEATURE, &key, span_of(value, sizeof value));
}

bool segmentation_latest_load(const struct view *view, struct customer_id id, struct hash128 what,
                              int64_t *at_ms)
{
    struct segmentation_key key = segmentation_latest_key(id, what);
    struct span value = { 0 };
    *at_ms = 0;
    if (!record_get(view, SEGMENTATION_TABLE_LATEST, &key, &value)) {
        return false;
    }
    assert(value.size == LATEST_BYTES);
    struct reader reader = reader_of(value);
    *at_ms = get_signed(&reader);
    return true;
}

void segmentation_latest_put(const struct change *change, struct customer_id id,
                             struct hash128 what, int64_t at_ms)
{
    uint8_t value[LATEST_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put_signed(&writer, at_ms);
    struct segmentation_key key = segmentation_latest_key(id, what);
    record_put(change, SEGMENTATION_TABLE_LATEST, &key, span_of(value, sizeof value));
}

/* ---- memberships */

static void membership_decode(uint32_t segment, struct span value,
                              struct segmentation_membership *membership)
{
    assert(value.size == MEMBERSHIP_BYTES);
    struct reader reader = reader_of(value);
    membership->segment = segment;
    membership->version = get32(&reader);
    membership->since_ms = get_signed(&reader);
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
    size_t count;
};

static bool membership_visit(void *argument, struct span key, struct span value)
{
    struct memberships_walk *walk = argument;
    uint32_t segment = 0;
    enum status status = segmentation_membership_key_decode(key, &segment);
    assert(status == STATUS_OK && walk->count < RULES_SEGMENTS_MAX);
    membership_decode(segment, value, &walk->memberships[walk->count]);
    walk->count += 1;
    return true;
}

size_t segmentation_memberships_load(const struct view *view, struct customer_id id,
                                     struct segmentation_membership *memberships)
{
    struct memberships_walk walk = { .memberships = memberships };
    struct segmentation_key prefix = segmentation_customer_key(id);
    view_walk(view, SEGMENTATION_TABLE_MEMBERSHIP, segmentation_key_span(&prefix), membership_visit,
              &walk);
    return walk.count;
}

void segmentation_membership_put(const struct change *change, struct customer_id id,
                                 const struct segmentation_membership *membership)
{
    uint8_t value[MEMBERSHIP_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put32(&writer, membership->version);
    put_signed(&writer, membership->since_ms);
    struct segmentation_key key = segmentation_membership_key(id, membership->segment);
    record_put(change, SEGMENTATION_TABLE_MEMBERSHIP, &key, span_of(value, sizeof value));
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
    uint8_t value[MEMBER_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put_bytes(&writer, span_of(id.bytes, sizeof id.bytes));
    struct segmentation_key key = segmentation_member_key(segment, text);
    record_put(change, SEGMENTATION_TABLE_MEMBER, &key, span_of(value, sizeof value));
}

void segmentation_member_delete(const struct change *change, uint32_t segment, struct span text)
{
    struct segmentation_key key = segmentation_member_key(segment, text);
    record_delete(change, SEGMENTATION_TABLE_MEMBER, &key);
}

/* ---- due */

struct due_search {
    struct segmentation_due_key *due;
    bool found;
};

static bool due_visit(void *argument, struct span key, struct span value)
{
    (void)value;
    struct due_search *search = argument;
    enum status status = segmentation_due_key_decode(key, search->due);
    assert(status == STATUS_OK);
    search->found = true;
    return false;
}

bool segmentation_due_first(const struct view *view, struct segmentation_due_key from,
                            struct segmentation_due_key *due)
{
    struct due_search search = { .due = due };
    struct segmentation_key key = segmentation_due_key_encode(from);
    view_scan(view, SEGMENTATION_TABLE_DUE, segmentation_key_span(&key), due_visit, &search);
    return search.found;
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
    struct reader reader = reader_of(value);
    segment->members = get64(&reader);
    segment->name = segmentation_name_of(span_of(reader.at, value.size - SEGMENT_FIXED_BYTES));
    return true;
}

void segmentation_segment_put(const struct change *change, uint32_t number,
                              const struct segmentation_segment *segment)
{
    uint8_t value[SEGMENT_FIXED_BYTES + LIMIT_ID_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put64(&writer, segment->members);
    put_bytes(&writer, segmentation_name_span(&segment->name));
    struct segmentation_key key = segmentation_segment_key(number);
    record_put(change, SEGMENTATION_TABLE_SEGMENT, &key,
               span_of(value, (size_t)(writer.at - value)));
}

bool segmentation_number_load(const struct view *view, struct span name, uint32_t *number)
{
    struct span value = { 0 };
    *number = 0;
    if (!view_get(view, SEGMENTATION_TABLE_SEGMENT_NUMBER, name, &value)) {
        return false;
    }
    assert(value.size == NUMBER_BYTES);
    struct reader reader = reader_of(value);
    *number = get32(&reader);
    return true;
}

void segmentation_number_put(const struct change *change, struct span name, uint32_t number)
{
    uint8_t value[NUMBER_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put32(&writer, number);
    change_put(change, SEGMENTATION_TABLE_SEGMENT_NUMBER, name, span_of(value, sizeof value));
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
    assert(value.size == HEAD_BYTES);
    struct reader reader = reader_of(value);
    head->rules_version = get32(&reader);
    memcpy(head->rules_hash.bytes, reader.at, sizeof head->rules_hash.bytes);
    reader.at += sizeof head->rules_hash.bytes;
    head->rules_at_ms = get_signed(&reader);
    head->segment_count = get32(&reader);
    head->visiting = get8(&reader) != 0;
    head->has_visited = get8(&reader) != 0;
    memcpy(head->visited.bytes, reader.at, sizeof head->visited.bytes);
    return true;
}

void segmentation_head_put(const struct change *change, const struct segmentation_head *head)
{
    uint8_t value[HEAD_BYTES];
    struct writer writer = { .at = value };
    put8(&writer, RECORD_VERSION);
    put32(&writer, head->rules_version);
    put_bytes(&writer, span_of(head->rules_hash.bytes, sizeof head->rules_hash.bytes));
    put_signed(&writer, head->rules_at_ms);
    put32(&writer, head->segment_count);
    put8(&writer, head->visiting ? 1 : 0);
    put8(&writer, head->has_visited ? 1 : 0);
    put_bytes(&writer, span_of(head->visited.bytes, sizeof head->visited.bytes));
    struct segmentation_key key = segmentation_head_key();
    record_put(change, SEGMENTATION_TABLE_HEAD, &key, span_of(value, sizeof value));
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
