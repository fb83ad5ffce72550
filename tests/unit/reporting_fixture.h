/*
 * Reporting's state in memory for tests, and facts to fold into it.
 */
#ifndef KITH_TESTS_UNIT_REPORTING_FIXTURE_H
#define KITH_TESTS_UNIT_REPORTING_FIXTURE_H

#include "common/base/time_text.h"
#include "services/reporting/reporting_core.h"
#include "tests/support/memory_view.h"

#include <assert.h>
#include <string.h>

struct board {
    struct memory_view *memory;
    struct view view;
    struct change change;
    struct reporting_attributes attributes;
};

static inline void board_open(struct board *board, const char *first, const char *second)
{
    *board = (struct board){ .memory = NULL };
    memory_view_open(&board->memory);
    board->view = memory_view_reader(board->memory);
    board->change = memory_view_writer(board->memory);
    const char *names[] = { first, second };
    for (size_t i = 0; i < 2 && names[i] != NULL; i++) {
        struct reporting_name *name = &board->attributes.names[board->attributes.count++];
        name->size = (uint8_t)strlen(names[i]);
        memcpy(name->text, names[i], name->size);
    }
    reporting_core_attributes_number(&board->change, &board->attributes);
}

static inline void board_close(struct board *board)
{
    memory_view_close(&board->memory);
}

static inline struct customer_id customer_of(uint8_t number)
{
    struct customer_id customer = { .bytes = { 0 } };
    customer.bytes[15] = number;
    return customer;
}

static inline struct attribute text_attribute(const char *name, const char *text)
{
    return (struct attribute){ .name = span_of_text(name),
                               .kind = ATTRIBUTE_TEXT,
                               .text = span_of_text(text) };
}

/* An event on `day`, with at most one attribute. */
struct board_event {
    const char *type;
    int64_t day;
    int64_t amount_minor; /* 0: no amount */
    const char *name;     /* NULL: no attribute */
    const char *value;
    bool new_customer;
};

static inline void board_event(struct board *board, uint8_t customer,
                               const struct board_event *given)
{
    struct attribute attribute = { .kind = ATTRIBUTE_TEXT };
    struct accepted_event event = {
        .source = span_of_text("crm"),
        .id = span_of_text("1"),
        .type = span_of_text(given->type),
        .occurred_at_ms = given->day * MS_PER_DAY + 1,
        .has_amount = given->amount_minor != 0,
        .amount = { .minor = given->amount_minor, .currency = "EUR" },
        .attributes = &attribute,
        .new_customer = given->new_customer,
    };
    if (given->name != NULL) {
        attribute = text_attribute(given->name, given->value);
        event.attribute_count = 1;
    }
    reporting_core_event_fold(&board->change, &board->attributes, customer_of(customer), &event);
}

static inline void board_points(struct board *board, uint8_t customer, bool spending,
                                int64_t points, int64_t day)
{
    struct reporting_points fact = { .customer = customer_of(customer),
                                     .spending = spending,
                                     .points = points,
                                     .occurred_at_ms = day * MS_PER_DAY };
    reporting_core_points_fold(&board->change, &board->attributes, &fact);
}

static inline struct reporting_total board_total(const struct board *board)
{
    struct reporting_total total = { .events = 0 };
    reporting_total_load(&board->view, &total);
    return total;
}

/* A row: attribute NULL is no split, value NULL is without the attribute. */
static inline struct reporting_day board_day(const struct board *board, const char *attribute,
                                             int64_t day, const char *value)
{
    struct reporting_day_key key = { .attribute = REPORTING_ATTRIBUTE_NONE, .day = day };
    if (attribute != NULL) {
        bool known =
            reporting_attribute_load(&board->view, span_of_text(attribute), &key.attribute);
        assert(known);
    }
    if (value != NULL) {
        key.value.present = true;
        key.value.size = (uint8_t)strlen(value);
        memcpy(key.value.text, value, key.value.size);
    }
    struct reporting_day row = { .events = 0 };
    reporting_day_load(&board->view, &key, &row);
    return row;
}

#endif
