/*
 * What a zone file (TZif, RFC 9636) says: the changes of a zone's clocks, as a table for
 * the past and a rule for the years after it. Seconds since 1970, UTC.
 */
#ifndef KITH_BASE_ZONE_TABLE_H
#define KITH_BASE_ZONE_TABLE_H

#include "common/base/refusal.h"
#include "common/base/zone_rule.h"

#define ZONE_TYPES_MAX 256

/* A zeroed table is valid: offset 0 for ever. */
struct zone_table {
    int64_t *change_s;    /* the instants of the changes, ascending */
    uint8_t *change_type; /* the type that begins at each */
    size_t change_count;
    int64_t type_offset_s[ZONE_TYPES_MAX]; /* type 0 holds before the first change */
    bool has_rule;                         /* from the last change on */
    struct zone_rule rule;
};

/* On STATUS_OK the caller ends *table with zone_table_release. STATUS_CORRUPT: the bytes
 * are no zone file that we can use; `refusal` says why, with the file as "it". */
MUST_USE enum status zone_table_decode(struct span file, struct zone_table *table,
                                       struct refusal *refusal);
void zone_table_release(struct zone_table *table);

/* `at_s` lies within twice the years that texts can name, before and after 1970. */
struct zone_period zone_table_period(const struct zone_table *table, int64_t at_s);

#endif
