/*
 * What the parts of the oracle share: flat lists, and nothing clever.
 *
 *   sim_judge_events.c     what was sent in, and what became of each piece of it
 *   sim_judge_points.c     what was earned, spent, granted and taken back
 *   sim_judge_segments.c   who belongs where, counted again
 *   sim_judge_history.c    the same and schedules, moment by moment, under the event clock
 *   sim_judge_campaign.c   who was written to, and the lines and letters that left
 *   sim_judge_feeds.c      which feeds were led on, and from where
 *   sim_judge_report.c     what it all adds up to
 */
#ifndef KITH_TESTS_SIM_JUDGE_H
#define KITH_TESTS_SIM_JUDGE_H

#include "tests/sim/sim_clients.h"
#include "tests/sim/sim_facts.h"

#define SIM_DAY_MS (INT64_C(24) * 3600 * 1000)

/* An event that was accepted: what the client made up, and where it stands. */
struct sim_accepted {
    const struct sim_story *story;
    const struct sim_fact *fact;
    bool is_first; /* of its customer */
};

struct sim_judge {
    struct sim_world *world;
    const struct sim_clients *clients;
    struct sim_facts facts[SIM_NODES_MAX]; /* of each node */
    size_t accepted_count;
    struct sim_accepted *accepted; /* in their order */
};

/* As the services know it: events up to a position, at an instant. */
struct sim_moment {
    uint64_t seq;
    int64_t at_ms;
};

/* The name of a node as sentences have it; static. */
const char *sim_node_name(const struct sim_node *node);
/* The customer's number. SIM_CUSTOMERS_MAX: nobody's. */
unsigned sim_customer_of(const struct sim_judge *judge, const Kith__V1__Fact *fact);
unsigned sim_text_find(const char *text, const char *const *texts, unsigned count);

void sim_judge_events(struct sim_judge *judge);
void sim_judge_points(struct sim_judge *judge);
void sim_judge_segments(struct sim_judge *judge);
/* By the rules, from the events. */
bool sim_belongs(const struct sim_judge *judge, unsigned customer, unsigned segment,
                 struct sim_moment moment);
void sim_judge_history(struct sim_judge *judge);
void sim_judge_campaign(struct sim_judge *judge);
void sim_judge_feeds(struct sim_judge *judge);
void sim_judge_report(struct sim_judge *judge);

#endif
