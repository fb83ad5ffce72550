/*
 * The records of reporting over a view or a change: one struct, one table, one encoding.
 *
 * A value is a version byte and big-endian numbers. A record that does not decode is rot that
 * slipped through a checksum, or a bug: the process ends.
 */
#ifndef KITH_REPORTING_STORE_H
#define KITH_REPORTING_STORE_H

#include "common/base/view.h"
#include "services/reporting/reporting_key.h"

/* What a daily table may be split by: each costs a record per event, and all values of a
 * customer fit one record of state. */
#define REPORTING_ATTRIBUTES_MAX 16

struct reporting_total {
    uint64_t events;
    uint64_t customers;
    int64_t revenue_minor;
    int64_t points_issued;
    int64_t points_spent;
    uint64_t quarantined;
    uint64_t segment_entries;
    uint64_t segment_exits;
    uint64_t sent; /* messages */
    uint64_t suppressed;
    uint64_t unknown;
};

struct reporting_day {
    uint64_t events;
    int64_t revenue_minor;
    int64_t points_issued;
    int64_t points_spent;
};

/* What a customer's profile says of the attributes that the configuration names. */
struct reporting_profile {
    size_t count;
    struct reporting_profile_item {
        uint16_t attribute;
        struct reporting_value value;
    } items[REPORTING_ATTRIBUTES_MAX];
};

/* Loading what is not there gives zeroes. */
void reporting_total_load(const struct view *view, struct reporting_total *total);
void reporting_total_put(const struct change *change, const struct reporting_total *total);

void reporting_day_load(const struct view *view, const struct reporting_day_key *key,
                        struct reporting_day *day);
void reporting_day_put(const struct change *change, const struct reporting_day_key *key,
                       const struct reporting_day *day);
/* Of a value that a scan met. */
void reporting_day_decode(struct span value, struct reporting_day *day);

void reporting_profile_load(const struct view *view, struct customer_id customer,
                            struct reporting_profile *profile);
void reporting_profile_put(const struct change *change, struct customer_id customer,
                           const struct reporting_profile *profile);

/* False: the configuration never named it. */
bool reporting_attribute_load(const struct view *view, struct span name, uint16_t *number);
/* Its number, given now if it has none. STATUS_LIMIT: all numbers are used up. */
MUST_USE enum status reporting_attribute_number(const struct change *change, struct span name,
                                                uint16_t *number);

#endif
