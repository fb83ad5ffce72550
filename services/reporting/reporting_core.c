#include "services/reporting/reporting_core.h"

#include "common/base/time_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A value of each attribute, in the order of the configuration. */
struct values {
    struct reporting_value items[REPORTING_ATTRIBUTES_MAX];
};

int64_t reporting_core_add(int64_t a, int64_t b)
{
    if (a == INT64_MAX || a == INT64_MIN) {
        return a;
    }
    int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) {
        return b > 0 ? INT64_MAX : INT64_MIN;
    }
    return sum;
}

int64_t reporting_core_outstanding(const struct reporting_total *total)
{
    /* INT64_MIN has no opposite; as a sum it is a bound already. */
    int64_t spent = total->points_spent == INT64_MIN ? INT64_MIN + 1 : total->points_spent;
    return reporting_core_add(total->points_issued, -spent);
}

/* Counts of facts: 64 bits of them are never reached. */
static uint64_t count_add(uint64_t count)
{
    uint64_t sum = 0;
    bool overflows = __builtin_add_overflow(count, 1, &sum);
    assert(!overflows);
    return sum;
}

/* ---- values */

/* Cut so that the last character is whole. */
static size_t text_cut(struct span text)
{
    if (text.size <= REPORTING_VALUE_BYTES) {
        return text.size;
    }
    size_t size = REPORTING_VALUE_BYTES;
    while (size > 0 && (text.data[size] & 0xC0U) == 0x80U) {
        size--;
    }
    return size;
}

static struct reporting_value value_of_text(struct span text)
{
    struct reporting_value value = { .present = true, .size = (uint8_t)text_cut(text) };
    if (value.size > 0) {
        memcpy(value.text, text.data, value.size);
    }
    return value;
}

struct reporting_value reporting_core_value(const struct attribute *attribute)
{
    char text[REPORTING_VALUE_BYTES];
    _Static_assert(REPORTING_VALUE_BYTES >= TIME_TEXT_BYTES, "a time fits");
    int length = 0;
    switch (attribute->kind) {
    case ATTRIBUTE_TEXT:
        return value_of_text(attribute->text);
    case ATTRIBUTE_INTEGER:
        length = snprintf(text, sizeof text, "%" PRId64, attribute->integer);
        break;
    case ATTRIBUTE_FLAG:
        return value_of_text(span_of_text(attribute->integer != 0 ? "true" : "false"));
    case ATTRIBUTE_AT:
        time_format(attribute->integer, text);
        return value_of_text(span_of_text(text));
    case ATTRIBUTE_MONEY:
        length = snprintf(text, sizeof text, "%" PRId64 " %s", attribute->money.minor,
                          attribute->money.currency);
        break;
    }
    assert(length > 0 && (size_t)length < sizeof text);
    return value_of_text(span_of(text, (size_t)length));
}

static struct reporting_value event_value(const struct accepted_event *event,
                                          const struct reporting_name *name)
{
    struct span wanted = span_of(name->text, name->size);
    for (size_t i = 0; i < event->attribute_count; i++) {
        if (span_equal(event->attributes[i].name, wanted)) {
            return reporting_core_value(&event->attributes[i]);
        }
    }
    return (struct reporting_value){ .present = false };
}

static struct reporting_value profile_value(const struct reporting_profile *profile,
                                            uint16_t attribute)
{
    for (size_t i = 0; i < profile->count; i++) {
        if (profile->items[i].attribute == attribute) {
            return profile->items[i].value;
        }
    }
    return (struct reporting_value){ .present = false };
}

/* Fills in from the customer's profile what `values` has not. */
static void profile_values_add(const struct view *view,
                               const struct reporting_attributes *attributes,
                               struct customer_id customer, struct values *values)
{
    struct reporting_profile profile = { 0 };
    reporting_profile_load(view, customer, &profile);
    for (size_t i = 0; i < attributes->count; i++) {
        if (!values->items[i].present) {
            values->items[i] = profile_value(&profile, attributes->numbers[i]);
        }
    }
}

/* Keeps what a profile event says. Values of attributes that the configuration no longer
 * names are dropped here, so that a profile never outgrows its record. */
static void profile_evolve(const struct change *change,
                           const struct reporting_attributes *attributes,
                           struct customer_id customer, const struct values *values)
{
    struct reporting_profile kept = { .count = 0 };
    for (size_t i = 0; i < attributes->count; i++) {
        if (values->items[i].present) {
            kept.items[kept.count] =
                (struct reporting_profile_item){ .attribute = attributes->numbers[i],
                                                 .value = values->items[i] };
            kept.count += 1;
        }
    }
    if (kept.count > 0) {
        reporting_profile_put(change, customer, &kept);
    }
}

/* ---- sums */

static void day_add(const struct change *change, const struct reporting_day_key *key,
                    const struct reporting_day *more)
{
    struct reporting_day day = { 0 };
    reporting_day_load(&change->view, key, &day);
    day.events += more->events;
    day.revenue_minor = reporting_core_add(day.revenue_minor, more->revenue_minor);
    day.points_issued = reporting_core_add(day.points_issued, more->points_issued);
    day.points_spent = reporting_core_add(day.points_spent, more->points_spent);
    reporting_day_put(change, key, &day);
}

/* The day's row without a split, and one for each attribute. */
static void days_add(const struct change *change, const struct reporting_attributes *attributes,
                     const struct values *values, int64_t day, const struct reporting_day *more)
{
    struct reporting_day_key key = { .attribute = REPORTING_ATTRIBUTE_NONE, .day = day };
    day_add(change, &key, more);
    for (size_t i = 0; i < attributes->count; i++) {
        key.attribute = attributes->numbers[i];
        key.value = values->items[i];
        day_add(change, &key, more);
    }
}

static bool type_is(const struct accepted_event *event, const char *type)
{
    return span_equal(event->type, span_of_text(type));
}

static int64_t event_revenue(const struct accepted_event *event)
{
    bool counts = type_is(event, EVENT_PURCHASE) || type_is(event, EVENT_BILL_PAID) ||
                  type_is(event, EVENT_RECHARGE);
    return counts && event->has_amount ? event->amount.minor : 0;
}

void reporting_core_attributes_number(const struct change *change,
                                      struct reporting_attributes *attributes)
{
    for (size_t i = 0; i < attributes->count; i++) {
        struct span name = span_of(attributes->names[i].text, attributes->names[i].size);
        enum status status = reporting_attribute_number(change, name, &attributes->numbers[i]);
        /* A configuration would have to bring new names four thousand times. */
        assert(status == STATUS_OK);
    }
}

void reporting_core_event_fold(const struct change *change,
                               const struct reporting_attributes *attributes,
                               struct customer_id customer, const struct accepted_event *event)
{
    struct values values = { 0 };
    for (size_t i = 0; i < attributes->count; i++) {
        values.items[i] = event_value(event, &attributes->names[i]);
    }
    if (attributes->count > 0) {
        profile_values_add(&change->view, attributes, customer, &values);
    }
    if (type_is(event, EVENT_CUSTOMER_REGISTERED) || type_is(event, EVENT_PROFILE_CHANGED)) {
        profile_evolve(change, attributes, customer, &values);
    }
    struct reporting_day more = { .events = 1, .revenue_minor = event_revenue(event) };
    days_add(change, attributes, &values, day_of_ms(event->occurred_at_ms), &more);

    struct reporting_total total = { 0 };
    reporting_total_load(&change->view, &total);
    total.events = count_add(total.events);
    total.customers = event->new_customer ? count_add(total.customers) : total.customers;
    total.revenue_minor = reporting_core_add(total.revenue_minor, more.revenue_minor);
    reporting_total_put(change, &total);
}

void reporting_core_points_fold(const struct change *change,
                                const struct reporting_attributes *attributes,
                                const struct reporting_points *points)
{
    struct values values = { 0 };
    if (attributes->count > 0) {
        profile_values_add(&change->view, attributes, points->customer, &values);
    }
    /* What an earning adds to the account is issued; what a spending takes from it is spent;
     * a reversal moves the same points the other way. */
    struct reporting_day more = {
        .points_issued = points->spending ? 0 : points->points,
        .points_spent = points->spending ? -points->points : 0,
    };
    days_add(change, attributes, &values, day_of_ms(points->occurred_at_ms), &more);

    struct reporting_total total = { 0 };
    reporting_total_load(&change->view, &total);
    total.points_issued = reporting_core_add(total.points_issued, more.points_issued);
    total.points_spent = reporting_core_add(total.points_spent, more.points_spent);
    reporting_total_put(change, &total);
}

void reporting_core_quarantined_fold(const struct change *change)
{
    struct reporting_total total = { 0 };
    reporting_total_load(&change->view, &total);
    total.quarantined = count_add(total.quarantined);
    reporting_total_put(change, &total);
}

void reporting_core_membership_fold(const struct change *change, bool entered)
{
    struct reporting_total total = { 0 };
    reporting_total_load(&change->view, &total);
    if (entered) {
        total.segment_entries = count_add(total.segment_entries);
    } else {
        total.segment_exits = count_add(total.segment_exits);
    }
    reporting_total_put(change, &total);
}

void reporting_core_dispatch_fold(const struct change *change, enum reporting_outcome outcome)
{
    struct reporting_total total = { 0 };
    reporting_total_load(&change->view, &total);
    switch (outcome) {
    case REPORTING_SENT:
        total.sent = count_add(total.sent);
        break;
    case REPORTING_SUPPRESSED:
        total.suppressed = count_add(total.suppressed);
        break;
    case REPORTING_UNKNOWN:
        total.unknown = count_add(total.unknown);
        break;
    }
    reporting_total_put(change, &total);
}
