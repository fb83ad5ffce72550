/*
 * What the feeds add up to, and nothing else.
 *
 * Pure: no clock, no socket, no store of its own, no log, no allocation. A fold reads what
 * was, adds one fact, and writes what is; it touches the totals, the day's row of each
 * split, and the profile of the fact's own customer.
 *
 * Revenue is the amounts of purchases, bills paid and recharges, in minor units of the one
 * currency that the suite's sources use; currencies are not told apart.
 *
 * A day is the UTC day of occurred_at. An event is counted under its own value of an
 * attribute, else under the one in its customer's profile (what customer_registered and
 * profile_changed said last), else as without the attribute. A posting of points has no
 * attributes of its own and goes by the profile. Personal values are never looked at.
 *
 * As text: an integer in decimal, a flag as true or false, a time in RFC 3339, money as
 * minor units and currency ("2933 EUR"); a text is itself. At most REPORTING_VALUE_BYTES.
 *
 * Points issued are those earned and granted, less what of them was reversed; spent likewise. A
 * reversal counts on its own day, so a day may show less than zero.
 *
 * A sum that would pass 63 bits stays at the bound, for ever: whoever sees INT64_MAX or
 * INT64_MIN knows that it says "at least" and "at most".
 */
#ifndef KITH_REPORTING_CORE_H
#define KITH_REPORTING_CORE_H

#include "common/base/event.h"
#include "services/reporting/reporting_store.h"

struct reporting_name {
    uint8_t size; /* 1..LIMIT_ID_BYTES */
    char text[LIMIT_ID_BYTES + 1];
};

/* What the daily tables are split by. */
struct reporting_attributes {
    size_t count;
    struct reporting_name names[REPORTING_ATTRIBUTES_MAX];
    uint16_t numbers[REPORTING_ATTRIBUTES_MAX]; /* set by reporting_core_attributes_number */
};

/* Points that moved to or from a customer's account. */
struct reporting_points {
    struct customer_id customer;
    bool spending;  /* against what is spent; otherwise against what is issued */
    int64_t points; /* added to the customer's account */
    int64_t occurred_at_ms;
};

/* Looks up each attribute's number, or gives it one. */
void reporting_core_attributes_number(const struct change *change,
                                      struct reporting_attributes *attributes);

void reporting_core_event_fold(const struct change *change,
                               const struct reporting_attributes *attributes,
                               struct customer_id customer, const struct accepted_event *event);
void reporting_core_points_fold(const struct change *change,
                                const struct reporting_attributes *attributes,
                                const struct reporting_points *points);
void reporting_core_quarantined_fold(const struct change *change);
void reporting_core_membership_fold(const struct change *change, bool entered);
/* What became of a message. */
enum reporting_outcome { REPORTING_SENT, REPORTING_SUPPRESSED, REPORTING_UNKNOWN };
void reporting_core_dispatch_fold(const struct change *change, enum reporting_outcome outcome);

/* a + b, staying at the bound once it is reached. */
int64_t reporting_core_add(int64_t a, int64_t b);
/* Issued less spent: what customers hold. */
int64_t reporting_core_outstanding(const struct reporting_total *total);
/* An attribute's value as the tables show it. */
struct reporting_value reporting_core_value(const struct attribute *attribute);

#endif
