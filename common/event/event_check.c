#include "common/event/event_check.h"

#include "common/base/id.h"

#include <stdio.h>
#include <string.h>

#define MEND_TEXT "send valid UTF-8 without control characters"

void event_fault(struct event_faults *faults, const char *field, const char *rule, const char *mend)
{
    struct violation place = { .field = "" };
    const char *part = faults->part == NULL ? "" : faults->part;
    if (faults->attribute > 0) {
        (void)snprintf(place.field, sizeof place.field, "attributes[%zu].%s%s",
                       faults->attribute - 1, part, field);
    } else {
        (void)snprintf(place.field, sizeof place.field, "%s%s", part, field);
    }
    faults->count += 1;
    if (faults->refusal == NULL) {
        return;
    }
    if (faults->count == 1) {
        refusal_init(faults->refusal);
        (void)refusal_set(faults->refusal, STATUS_MALFORMED, "%s %s: %s", place.field, rule, mend);
    }
    refusal_violation(faults->refusal, place.field, rule, mend);
}

static void id_check(struct event_faults *faults, const char *field, struct span text)
{
    if (text.size == 0) {
        event_fault(faults, field, "is missing", "send 1 to 64 bytes of text");
    } else if (text.size > LIMIT_ID_BYTES) {
        event_fault(faults, field, "is longer than 64 bytes", "send 1 to 64 bytes of text");
    } else if (!id_text_is_valid(text)) {
        event_fault(faults, field, "is no clean text", MEND_TEXT);
    }
}

static void type_check(struct event_faults *faults, const char *field, struct span text)
{
    if (text.size == 0) {
        event_fault(faults, field, "is missing", "send 1 to 64 of a-z, 0-9, _ and .");
    } else if (!type_text_is_valid(text)) {
        event_fault(faults, field, "is not 1 to 64 of a-z, 0-9, _ and .",
                    "write it in small letters without spaces");
    }
}

static void time_check(struct event_faults *faults, const char *field, int64_t at_ms)
{
    if (at_ms < LIMIT_TIME_LEAST_MS || at_ms > LIMIT_TIME_MOST_MS) {
        event_fault(faults, field, "lies outside the years 1 to 9999",
                    "send milliseconds since 1970-01-01T00:00:00Z");
    }
}

static bool currency_is_valid(const char currency[4])
{
    for (size_t i = 0; i < 3; i++) {
        if (currency[i] < 'A' || currency[i] > 'Z') {
            return false;
        }
    }
    return currency[3] == '\0';
}

static void money_check(struct event_faults *faults, const char *part, const struct money *money)
{
    faults->part = part;
    if (money->minor > LIMIT_AMOUNT || money->minor < -LIMIT_AMOUNT) {
        event_fault(faults, "minor", "is past 10^15 minor units",
                    "send the amount in the currency's smallest unit");
    }
    if (money->currency[0] == '\0') {
        event_fault(faults, "currency", "is missing", "send the ISO 4217 code, such as EUR");
    } else if (!currency_is_valid(money->currency)) {
        event_fault(faults, "currency", "is not three capital letters",
                    "send the ISO 4217 code, such as EUR");
    }
    faults->part = NULL;
}

static bool type_needs_amount(struct span type)
{
    return span_equal(type, span_of_text(EVENT_PURCHASE)) ||
           span_equal(type, span_of_text(EVENT_BILL_PAID)) ||
           span_equal(type, span_of_text(EVENT_RECHARGE));
}

static void amount_check(struct event_faults *faults, const struct event *event)
{
    if (!event->has_amount) {
        if (type_needs_amount(event->type)) {
            event_fault(faults, "amount", "is missing", "send what was paid, or another type");
        }
        return;
    }
    if (event->amount.minor < 0) {
        event_fault(faults, "amount.minor", "is negative", "send a refund as an event of its own");
    }
    money_check(faults, "amount.", &event->amount);
}

static void text_check(struct event_faults *faults, struct span text)
{
    if (text.size > LIMIT_TEXT_BYTES) {
        event_fault(faults, "text", "is longer than 1024 bytes", "shorten it");
    } else if (!text_is_clean(text)) {
        event_fault(faults, "text", "is no clean text", MEND_TEXT);
    }
}

static void value_check(struct event_faults *faults, const struct attribute *attribute)
{
    switch (attribute->kind) {
    case ATTRIBUTE_TEXT:
        text_check(faults, attribute->text);
        return;
    case ATTRIBUTE_INTEGER:
        return;
    case ATTRIBUTE_FLAG:
        if (attribute->integer != 0 && attribute->integer != 1) {
            event_fault(faults, "flag", "is neither 0 nor 1", "send a boolean");
        }
        return;
    case ATTRIBUTE_AT:
        time_check(faults, "at_ms", attribute->integer);
        return;
    case ATTRIBUTE_MONEY:
        money_check(faults, "money.", &attribute->money);
        return;
    }
    event_fault(faults, "value", "is of no known kind", "send text, integer, flag, at_ms or money");
}

static bool name_stands_before(const struct event *event, size_t index)
{
    struct span name = event->attributes[index].name;
    for (size_t i = 0; i < index; i++) {
        if (span_equal(event->attributes[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void attributes_check(struct event_faults *faults, const struct event *event)
{
    if (event->attribute_count > LIMIT_ATTRIBUTES) {
        event_fault(faults, "attributes", "are more than 64", "send the 64 that matter");
        return;
    }
    for (size_t i = 0; i < event->attribute_count; i++) {
        faults->attribute = i + 1;
        type_check(faults, "name", event->attributes[i].name);
        if (event->attributes[i].name.size > 0 && name_stands_before(event, i)) {
            event_fault(faults, "name", "stands twice", "send each attribute once");
        }
        value_check(faults, &event->attributes[i]);
    }
    faults->attribute = 0;
}

void event_check(const struct event *event, struct event_faults *faults)
{
    id_check(faults, "source", event->source);
    id_check(faults, "id", event->id);
    type_check(faults, "type", event->type);
    id_check(faults, "customer", event->customer);
    time_check(faults, "occurred_at_ms", event->occurred_at_ms);
    amount_check(faults, event);
    attributes_check(faults, event);
}
