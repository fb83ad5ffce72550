/*
 * What the events of `kith gen` add up to, counted without any code of the services: totals
 * while they are written, and who belongs to which segment of config/demo.yaml by walking
 * through everybody's last weeks once more.
 *
 * The rules of config/demo.yaml stand here a second time, by hand. Whoever changes them there
 * changes them here too; tests/e2e/test_gen.py tells when that was forgotten.
 */
#ifndef KITH_CLI_GEN_TRUTH_H
#define KITH_CLI_GEN_TRUTH_H

#include "cli/gen_slot.h"

#include <jansson.h>

/* Days before the last event that are looked at again. */
#define GEN_TRUTH_DAYS 91

enum gen_segment {
    GEN_BIG_SPENDERS,
    GEN_SLEEPING_PREPAID,
    GEN_HEAVY_DATA,
    GEN_UNHAPPY,
    GEN_CHURN_RISK,
    GEN_VIP,
    GEN_ROAMERS,
    GEN_FAMILIES,
    GEN_SEGMENT_COUNT
};

/* The last event: of its visit the first `count` events were written. */
struct gen_end {
    struct gen_visit visit;
    size_t count;
    int64_t at_ms;
};

struct gen_truth {
    uint64_t events;
    uint64_t customers;
    int64_t revenue_minor;
    int64_t points_issued;
    uint64_t segments[GEN_SEGMENT_COUNT];
    struct gen_end end; /* when there are events */
};

/* An event was written. */
void gen_truth_event(struct gen_truth *truth, const struct gen_event *event);
/* Adds the subscriber to its segments; the totals and `end` stand. */
void gen_truth_subscriber(const struct gen_world *world, struct gen_truth *truth, uint32_t number);
/* What truth.json holds. */
json_t *gen_truth_json(const struct gen_truth *truth);

#endif
