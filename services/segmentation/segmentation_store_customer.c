/* A customer, and what is kept with it: figures, and the newest events. */
#include "services/segmentation/segmentation_store_bytes.h"

#include <assert.h>
#include <string.h>

/* Version 1 ended with the subject, version 2 with the segments. */
#define CUSTOMER_VERSION 3
/* Sizes of values, version byte included where it is not part of another. */
#define FIGURE_BYTES (8 + 16 + 8)
#define LATEST_BYTES (1 + 8)
#define HELD_BYTES                                                                                 \
    (1 + SEGMENTATION_HELD_FIGURES * FIGURE_BYTES + 1 + SEGMENTATION_HELD_LATEST * (16 + 8))
#define CUSTOMER_BYTES_MOST                                                                        \
    (1 + 4 + 4 * 8 + 2 * 4 + 4 + 1 + SEGMENTATION_SUBJECT_BYTES + 8 + 1 +                          \
     SEGMENTATION_LISTED_MAX * 4 + HELD_BYTES)

static_assert(CUSTOMER_BYTES_MOST <= LIMIT_STATE_VALUE_BYTES, "a record of state");
static_assert(SEGMENTATION_HELD_FIGURES == 8, "a bit for each in one byte");

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

static void figure_read(struct record_reader *reader, struct segmentation_figure *figure)
{
    figure->count = record_read64(reader);
    uint64_t high = record_read64(reader);
    uint64_t low = record_read64(reader);
    /* Shifting a negative number is undefined, multiplying is not, and here it fits. */
    figure->sum = (rules_sum)(int64_t)high * ((rules_sum)1 << 64) + (rules_sum)low;
    figure->oldest_ms = record_read_signed(reader);
    assert(figure->count > 0);
}

static void figure_write(struct record_writer *writer, const struct segmentation_figure *figure)
{
    uint64_t low = (uint64_t)figure->sum;
    record_write64(writer, figure->count);
    record_write_signed(writer, (int64_t)((figure->sum - (rules_sum)low) / ((rules_sum)1 << 64)));
    record_write64(writer, low);
    record_write_signed(writer, figure->oldest_ms);
}

/* Which of the held figures are not empty comes first, a bit for each. */
static void held_read(struct record_reader *reader, struct segmentation_customer *customer)
{
    uint8_t bits = record_read8(reader);
    for (size_t i = 0; i < SEGMENTATION_HELD_FIGURES; i++) {
        if ((bits >> i & 1) != 0) {
            figure_read(reader, &customer->held[i]);
        }
    }
    customer->latest_count = record_read8(reader);
    assert(customer->latest_count <= SEGMENTATION_HELD_LATEST);
    for (size_t i = 0; i < customer->latest_count; i++) {
        struct segmentation_latest *latest = &customer->latest[i];
        record_read_into(reader, latest->what.bytes, sizeof latest->what.bytes);
        latest->at_ms = record_read_signed(reader);
    }
}

static void held_write(struct record_writer *writer, const struct segmentation_customer *customer)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < SEGMENTATION_HELD_FIGURES; i++) {
        bits |= customer->held[i].count > 0 ? 1U << i : 0;
    }
    record_write8(writer, (uint8_t)bits);
    for (size_t i = 0; i < SEGMENTATION_HELD_FIGURES; i++) {
        if (customer->held[i].count > 0) {
            figure_write(writer, &customer->held[i]);
        }
    }
    record_write8(writer, customer->latest_count);
    for (size_t i = 0; i < customer->latest_count; i++) {
        const struct segmentation_latest *latest = &customer->latest[i];
        record_write_bytes(writer, span_of(latest->what.bytes, sizeof latest->what.bytes));
        record_write_signed(writer, latest->at_ms);
    }
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
    struct record_reader reader = record_reader_of(value, CUSTOMER_VERSION);
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
    places_read(&reader, customer);
    held_read(&reader, customer);
    record_read_end(&reader);
    return true;
}

void segmentation_customer_put(const struct change *change, struct customer_id id,
                               const struct segmentation_customer *customer)
{
    uint8_t value[CUSTOMER_BYTES_MOST];
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
    held_write(&writer, customer);
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

/* ---- figures */

struct figures_walk {
    struct segmentation_figure *figures;
    size_t count;
    size_t left;
};

static void figure_decode(struct span value, struct segmentation_figure *figure)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    figure_read(&reader, figure);
    record_read_end(&reader);
}

static bool figure_visit(void *argument, struct span key, struct span value)
{
    struct figures_walk *walk = argument;
    uint16_t feature = 0;
    enum status status = segmentation_feature_key_decode(key, &feature);
    assert(status == STATUS_OK && feature < walk->count);
    figure_decode(value, &walk->figures[feature]);
    walk->left -= 1;
    return walk->left > 0;
}

/* Those with a record of their own, where it is known which they are. */
static void figures_get(const struct view *view, struct customer_id id, uint64_t bits,
                        const struct figures_walk *into)
{
    for (; bits != 0; bits &= bits - 1) {
        uint16_t feature = (uint16_t)__builtin_ctzll(bits);
        struct segmentation_key key = segmentation_feature_key(id, feature);
        struct span value = { 0 };
        bool found = record_get(view, SEGMENTATION_TABLE_FEATURE, &key, &value);
        assert(found && feature < into->count);
        figure_decode(value, &into->figures[feature]);
    }
}

void segmentation_figures_load(const struct view *view, struct customer_id id,
                               const struct segmentation_customer *customer,
                               struct segmentation_figure *figures, size_t count)
{
    size_t held = count < SEGMENTATION_HELD_FIGURES ? count : SEGMENTATION_HELD_FIGURES;
    memset(figures, 0, count * sizeof *figures);
    memcpy(figures, customer->held, held * sizeof *figures);
    if (customer->figures == 0) {
        return;
    }
    struct figures_walk walk = { .figures = figures, .count = count, .left = customer->figures };
    if ((uint32_t)__builtin_popcountll(customer->figure_bits) == customer->figures) {
        figures_get(view, id, customer->figure_bits, &walk);
        return;
    }
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

static void records_delete(const struct change *change, struct customer_id id, size_t records)
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

void segmentation_figures_delete(const struct change *change, struct customer_id id,
                                 struct segmentation_customer *customer)
{
    records_delete(change, id, customer->figures);
    customer->figures = 0;
    customer->figure_bits = 0;
    memset(customer->held, 0, sizeof customer->held);
}

static void record_change(const struct change *change, struct customer_id id, uint16_t feature,
                          const struct segmentation_figure *figure)
{
    struct segmentation_key key = segmentation_feature_key(id, feature);
    if (figure->count == 0) {
        record_delete(change, SEGMENTATION_TABLE_FEATURE, &key);
        return;
    }
    uint8_t value[1 + FIGURE_BYTES];
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    figure_write(&writer, figure);
    record_put(change, SEGMENTATION_TABLE_FEATURE, &key, record_written(&writer));
}

void segmentation_figures_put(const struct change *change, struct customer_id id,
                              struct segmentation_customer *customer,
                              const struct segmentation_figures *from)
{
    customer->figures = 0;
    customer->figure_bits = 0;
    for (size_t i = 0; i < from->count; i++) {
        const struct segmentation_figure *figure = &from->figures[i];
        bool is_there = figure->count > 0;
        if (i < SEGMENTATION_HELD_FIGURES) {
            customer->held[i] = is_there ? *figure : (struct segmentation_figure){ .count = 0 };
            continue;
        }
        customer->figures += is_there ? 1 : 0;
        if (is_there && i < SEGMENTATION_FIGURE_BITS) {
            customer->figure_bits |= UINT64_C(1) << i;
        }
        if (from->changed[i]) {
            record_change(change, id, (uint16_t)i, figure);
        }
    }
}

/* ---- the newest events */

/* Its place among those that are held. latest_count: it is none of them. */
static size_t latest_find(const struct segmentation_customer *customer, struct hash128 what)
{
    size_t i = 0;
    while (i < customer->latest_count && !hash128_equal(customer->latest[i].what, what)) {
        i += 1;
    }
    return i;
}

static bool latest_get(const struct view *view, struct customer_id id, struct hash128 what,
                       int64_t *at_ms)
{
    struct segmentation_key key = segmentation_latest_key(id, what);
    struct span value = { 0 };
    if (!record_get(view, SEGMENTATION_TABLE_LATEST, &key, &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    *at_ms = record_read_signed(&reader);
    record_read_end(&reader);
    return true;
}

bool segmentation_latest_load(const struct view *view, struct customer_id id,
                              const struct segmentation_customer *customer, struct hash128 what,
                              int64_t *at_ms)
{
    *at_ms = 0;
    size_t place = latest_find(customer, what);
    if (place < customer->latest_count) {
        *at_ms = customer->latest[place].at_ms;
        return true;
    }
    /* None has a record of its own while there is room here. */
    return customer->latest_count == SEGMENTATION_HELD_LATEST && latest_get(view, id, what, at_ms);
}

static void latest_record_put(const struct change *change, struct customer_id id,
                              struct hash128 what, int64_t at_ms)
{
    uint8_t value[LATEST_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_signed(&writer, at_ms);
    struct segmentation_key key = segmentation_latest_key(id, what);
    record_put(change, SEGMENTATION_TABLE_LATEST, &key, record_written(&writer));
}

void segmentation_latest_put(const struct change *change, struct customer_id id,
                             struct segmentation_customer *customer, struct hash128 what,
                             int64_t at_ms)
{
    size_t place = latest_find(customer, what);
    if (place == SEGMENTATION_HELD_LATEST) {
        latest_record_put(change, id, what, at_ms);
        return;
    }
    if (place == customer->latest_count) {
        customer->latest_count++;
    }
    customer->latest[place] = (struct segmentation_latest){ .what = what, .at_ms = at_ms };
}
