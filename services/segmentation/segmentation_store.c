/* What is known of each customer. */
#include "services/segmentation/segmentation_store_bytes.h"

#include <assert.h>
#include <string.h>

/* Sizes of values, version byte included; those with a text without it. */
/* Version 1 ended with the subject. */
#define CUSTOMER_VERSION 2
#define CUSTOMER_FIXED_BYTES (1 + 4 + 4 * 8 + 2 * 4 + 4 + 1 + 8 + 1 + SEGMENTATION_LISTED_MAX * 4)
#define ATTRIBUTE_FIXED_BYTES (1 + 8 + 1 + 8)
#define ENTRY_FIXED_BYTES (1 + 8 + 1)
#define FIGURE_BYTES (1 + 8 + 16 + 8)
#define LATEST_BYTES (1 + 8)

/* What an attribute's record says it is. */
enum attribute_form { FORM_UNKNOWN = 0, FORM_TEXT = 1, FORM_INTEGER = 2, FORM_PERSONAL = 3 };

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

struct segmentation_customer segmentation_customer_new(void)
{
    return (struct segmentation_customer){ .due_ms = SEGMENTATION_NEVER,
                                           .oldest_ms = INT64_MAX,
                                           .newest_ms = INT64_MIN };
}

void segmentation_customer_join(struct segmentation_customer *customer, uint32_t segment)
{
    uint32_t at = customer->memberships++;
    if (customer->segment_count != at || at == SEGMENTATION_LISTED_MAX) {
        customer->segment_count = SEGMENTATION_UNLISTED;
        return;
    }
    while (at > 0 && customer->segments[at - 1] > segment) {
        customer->segments[at] = customer->segments[at - 1];
        at -= 1;
    }
    customer->segments[at] = segment;
    customer->segment_count = (uint8_t)customer->memberships;
}

void segmentation_customer_leave(struct segmentation_customer *customer, uint32_t segment)
{
    assert(customer->memberships > 0);
    customer->memberships -= 1;
    if (customer->memberships == 0) {
        customer->segment_count = 0;
        return;
    }
    if (customer->segment_count == SEGMENTATION_UNLISTED) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < customer->segment_count; i++) {
        if (customer->segments[i] != segment) {
            customer->segments[kept++] = customer->segments[i];
        }
    }
    assert(kept == customer->memberships);
    customer->segment_count = (uint8_t)kept;
}

static void places_read(struct record_reader *reader, struct segmentation_customer *customer)
{
    customer->figure_bits = record_read64(reader);
    customer->segment_count = record_read8(reader);
    bool is_listed = customer->segment_count != SEGMENTATION_UNLISTED;
    assert(!is_listed || customer->segment_count <= SEGMENTATION_LISTED_MAX);
    for (size_t i = 0; is_listed && i < customer->segment_count; i++) {
        customer->segments[i] = record_read32(reader);
    }
}

static void places_write(struct record_writer *writer, const struct segmentation_customer *customer)
{
    bool is_listed = customer->segment_count != SEGMENTATION_UNLISTED;
    record_write64(writer, customer->figure_bits);
    record_write8(writer, customer->segment_count);
    for (size_t i = 0; is_listed && i < customer->segment_count; i++) {
        record_write32(writer, customer->segments[i]);
    }
}

bool segmentation_customer_load(const struct view *view, struct customer_id id,
                                struct segmentation_customer *customer)
{
    struct segmentation_key key = segmentation_customer_key(id);
    struct span value = { 0 };
    *customer = (struct segmentation_customer){ .version = 0 };
    if (!record_get(view, SEGMENTATION_TABLE_CUSTOMER, &key, &value)) {
        return false;
    }
    assert(value.size > 0);
    bool is_listed = value.data[0] == CUSTOMER_VERSION;
    struct record_reader reader =
        record_reader_of(value, is_listed ? CUSTOMER_VERSION : RECORD_VERSION);
    customer->version = record_read32(&reader);
    customer->events = record_read64(&reader);
    customer->due_ms = record_read_signed(&reader);
    customer->oldest_ms = record_read_signed(&reader);
    customer->newest_ms = record_read_signed(&reader);
    customer->figures = record_read32(&reader);
    customer->memberships = record_read32(&reader);
    customer->subject.key_id = record_read32(&reader);
    customer->subject.size = record_read8(&reader);
    assert(customer->subject.size <= SEGMENTATION_SUBJECT_BYTES);
    record_read_into(&reader, customer->subject.bytes, customer->subject.size);
    if (is_listed) {
        places_read(&reader, customer);
    } else if (customer->memberships > 0) {
        customer->segment_count = SEGMENTATION_UNLISTED;
    }
    record_read_end(&reader);
    return true;
}

void segmentation_customer_put(const struct change *change, struct customer_id id,
                               const struct segmentation_customer *customer)
{
    uint8_t value[CUSTOMER_FIXED_BYTES + SEGMENTATION_SUBJECT_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, CUSTOMER_VERSION);
    record_write32(&writer, customer->version);
    record_write64(&writer, customer->events);
    record_write_signed(&writer, customer->due_ms);
    record_write_signed(&writer, customer->oldest_ms);
    record_write_signed(&writer, customer->newest_ms);
    record_write32(&writer, customer->figures);
    record_write32(&writer, customer->memberships);
    record_write32(&writer, customer->subject.key_id);
    record_write8(&writer, customer->subject.size);
    record_write_bytes(&writer, span_of(customer->subject.bytes, customer->subject.size));
    places_write(&writer, customer);
    struct segmentation_key key = segmentation_customer_key(id);
    record_put(change, SEGMENTATION_TABLE_CUSTOMER, &key, record_written(&writer));
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
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    attribute->at_ms = record_read_signed(&reader);
    uint8_t form = record_read8(&reader);
    int64_t number = record_read_signed(&reader);
    assert(form <= FORM_PERSONAL);
    attribute->known = form != FORM_UNKNOWN;
    attribute->has_integer = form == FORM_INTEGER;
    attribute->personal = form == FORM_PERSONAL;
    attribute->integer = attribute->personal ? 0 : number;
    attribute->key_id = attribute->personal ? (uint32_t)number : 0;
    attribute->text = record_read_rest(&reader);
    return true;
}

static enum attribute_form attribute_form_of(const struct segmentation_attribute *attribute)
{
    if (!attribute->known) {
        return FORM_UNKNOWN;
    }
    if (attribute->personal) {
        return FORM_PERSONAL;
    }
    return attribute->has_integer ? FORM_INTEGER : FORM_TEXT;
}

void segmentation_attribute_put(const struct change *change, struct customer_id id,
                                struct span name, const struct segmentation_attribute *attribute)
{
    uint8_t value[ATTRIBUTE_FIXED_BYTES + LIMIT_TEXT_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    assert(attribute->text.size <= LIMIT_TEXT_BYTES);
    record_write_signed(&writer, attribute->at_ms);
    record_write8(&writer, (uint8_t)attribute_form_of(attribute));
    record_write_signed(&writer, attribute->personal ? attribute->key_id : attribute->integer);
    record_write_bytes(&writer, attribute->text);

    struct segmentation_key key = segmentation_profile_key(id, name);
    record_put(change, SEGMENTATION_TABLE_PROFILE, &key, record_written(&writer));
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
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    struct segmentation_entry entry = { .amount_minor = record_read_signed(&reader) };
    size_t type_size = record_read8(&reader);
    entry.type = record_read_bytes(&reader, type_size);
    entry.category = record_read_rest(&reader);
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
    uint8_t value[ENTRY_FIXED_BYTES + 2 * LIMIT_ID_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    assert(entry->type.size <= LIMIT_ID_BYTES && entry->category.size <= LIMIT_ID_BYTES);
    record_write_signed(&writer, entry->amount_minor);
    record_write8(&writer, (uint8_t)entry->type.size);
    record_write_bytes(&writer, entry->type);
    record_write_bytes(&writer, entry->category);

    struct segmentation_key bytes = segmentation_event_key_encode(key);
    record_put(change, SEGMENTATION_TABLE_EVENT, &bytes, record_written(&writer));
}

void segmentation_entry_delete(const struct change *change, struct segmentation_event_key key)
{
    struct segmentation_key bytes = segmentation_event_key_encode(key);
    record_delete(change, SEGMENTATION_TABLE_EVENT, &bytes);
}

/* ---- figures */

struct figures_walk {
    const struct segmentation_figures *into;
    size_t left;
};

static void figure_decode(struct span value, struct segmentation_figure *figure)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    figure->count = record_read64(&reader);
    uint64_t high = record_read64(&reader);
    uint64_t low = record_read64(&reader);
    /* Shifting a negative number is undefined, multiplying is not, and here it fits. */
    figure->sum = (rules_sum)(int64_t)high * ((rules_sum)1 << 64) + (rules_sum)low;
    figure->oldest_ms = record_read_signed(&reader);
    record_read_end(&reader);
    assert(figure->count > 0);
}

static bool figure_visit(void *argument, struct span key, struct span value)
{
    struct figures_walk *walk = argument;
    uint16_t feature = 0;
    enum status status = segmentation_feature_key_decode(key, &feature);
    assert(status == STATUS_OK && feature < walk->into->count);
    figure_decode(value, &walk->into->figures[feature]);
    walk->left -= 1;
    return walk->left > 0;
}

static void figures_get(const struct view *view, struct customer_id id,
                        const struct segmentation_figures *into)
{
    for (uint64_t bits = into->bits; bits != 0; bits &= bits - 1) {
        uint16_t feature = (uint16_t)__builtin_ctzll(bits);
        struct segmentation_key key = segmentation_feature_key(id, feature);
        struct span value = { 0 };
        bool found = record_get(view, SEGMENTATION_TABLE_FEATURE, &key, &value);
        assert(found && feature < into->count);
        figure_decode(value, &into->figures[feature]);
    }
}

void segmentation_figures_load(const struct view *view, struct customer_id id,
                               const struct segmentation_figures *into)
{
    memset(into->figures, 0, into->count * sizeof *into->figures);
    if ((size_t)__builtin_popcountll(into->bits) == into->records) {
        figures_get(view, id, into);
        return;
    }
    struct figures_walk walk = { .into = into, .left = into->records };
    struct segmentation_key prefix = segmentation_customer_key(id);
    view_walk(view, SEGMENTATION_TABLE_FEATURE, segmentation_key_span(&prefix), figure_visit,
              &walk);
    assert(walk.left == 0);
}

struct features_walk {
    uint16_t features[RULES_FEATURES_MAX];
    size_t count;
    size_t records;
};

static bool feature_visit(void *argument, struct span key, struct span value)
{
    (void)value;
    struct features_walk *walk = argument;
    assert(walk->count < RULES_FEATURES_MAX);
    enum status status = segmentation_feature_key_decode(key, &walk->features[walk->count]);
    assert(status == STATUS_OK);
    walk->count += 1;
    return walk->count < walk->records;
}

void segmentation_figures_delete(const struct change *change, struct customer_id id, size_t records)
{
    if (records == 0) {
        return;
    }
    struct features_walk walk = { .records = records };
    struct segmentation_key prefix = segmentation_customer_key(id);
    view_walk(&change->view, SEGMENTATION_TABLE_FEATURE, segmentation_key_span(&prefix),
              feature_visit, &walk);
    assert(walk.count == records);
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
    uint8_t value[FIGURE_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    uint64_t low = (uint64_t)figure->sum;
    record_write64(&writer, figure->count);
    record_write_signed(&writer, (int64_t)((figure->sum - (rules_sum)low) / ((rules_sum)1 << 64)));
    record_write64(&writer, low);
    record_write_signed(&writer, figure->oldest_ms);
    record_put(change, SEGMENTATION_TABLE_FEATURE, &key, record_written(&writer));
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
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    *at_ms = record_read_signed(&reader);
    record_read_end(&reader);
    return true;
}

void segmentation_latest_put(const struct change *change, struct customer_id id,
                             struct hash128 what, int64_t at_ms)
{
    uint8_t value[LATEST_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_signed(&writer, at_ms);
    struct segmentation_key key = segmentation_latest_key(id, what);
    record_put(change, SEGMENTATION_TABLE_LATEST, &key, record_written(&writer));
}
