/*
 * The yearly rule at the end of a zone file, which holds after the last change that the
 * file lists: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX TZ, RFC 9636 section 3.3.1). Seconds.
 */
#ifndef KITH_BASE_ZONE_RULE_H
#define KITH_BASE_ZONE_RULE_H

#include "common/base/bytes.h"

/* When clocks change: on the `week`-th such weekday of the month (5: the last one), at
 * `time_s` from its midnight, by the clocks of before the change. */
struct zone_change {
    int month;   /* 1..12 */
    int week;    /* 1..5 */
    int weekday; /* 0: Sunday */
    int64_t time_s;
};

struct zone_rule {
    int64_t standard_offset_s; /* east of UTC */
    bool has_daylight;
    int64_t daylight_offset_s;
    struct zone_change to_daylight;
    struct zone_change to_standard;
};

/* A stretch of time with one offset: it holds before `end_s`. */
struct zone_period {
    int64_t offset_s;
    int64_t end_s; /* INT64_MAX: for ever */
};

/* STATUS_MALFORMED: no such rule, or one whose days are not given as M<month>.<week>.<day>;
 * the database has no others. */
MUST_USE enum status zone_rule_parse(struct span text, struct zone_rule *rule);
struct zone_period zone_rule_period(const struct zone_rule *rule, int64_t at_s);

#endif
