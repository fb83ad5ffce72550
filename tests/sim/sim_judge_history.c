/*
 * Under the event clock everything has its exact moment: so memberships are compared at each
 * event and at each end of a window, and schedules at each of their instants. What was passed over
 * between two events would be seen nowhere else.
 */
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"
#include "tests/sim/sim_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLD 2
#define NEWS "news"
/* 2025-12-28T09:00:00Z, as sim_config.c has it. */
#define NEWS_FIRST_MS INT64_C(1766912400000)

struct move {
    unsigned customer;
    unsigned segment;
    bool enters;
    uint64_t cause;
    int64_t at_ms;
};

struct history {
    struct sim_judge *judge;
    int64_t end_ms;
    size_t count;
    struct move *moves; /* of all shards; a customer's in their order */
};

/* ---- reading */

static void move_add(struct history *history, const Kith__V1__Fact *fact)
{
    bool enters = fact->type == KITH__V1__FACT_TYPE__FACT_SEGMENT_ENTERED;
    struct move *move = &history->moves[history->count++];
    *move = (struct move){ .customer = sim_customer_of(history->judge, fact),
                           .enters = enters,
                           .cause = fact->cause,
                           .at_ms = fact->recorded_at_ms };
    /* Both messages have the segment as their first field. */
    Kith__V1__SegmentEntered *told =
        enters ? kith__v1__segment_entered__unpack(NULL, fact->body.len, fact->body.data) : NULL;
    Kith__V1__SegmentExited *left =
        enters ? NULL : kith__v1__segment_exited__unpack(NULL, fact->body.len, fact->body.data);
    move->segment =
        sim_text_find(enters ? told->segment : left->segment, sim_segments, SIM_SEGMENTS);
    kith__v1__segment_entered__free_unpacked(told, NULL);
    kith__v1__segment_exited__free_unpacked(left, NULL);
}

/* Of one shard. */
static void facts_read(struct history *history, const struct sim_facts *facts)
{
    history->moves =
        memory_resize(history->moves, (history->count + facts->count + 1) * sizeof *history->moves);
    for (size_t i = 0; i < facts->count; i++) {
        uint32_t type = facts->facts[i].fact->type;
        if (type == KITH__V1__FACT_TYPE__FACT_SEGMENT_ENTERED ||
            type == KITH__V1__FACT_TYPE__FACT_SEGMENT_EXITED) {
            move_add(history, facts->facts[i].fact);
        }
    }
}

/* ---- memberships */

static bool stood(const struct history *history, unsigned customer, unsigned segment,
                  struct sim_moment moment)
{
    bool is_member = false;
    for (size_t i = 0; i < history->count; i++) {
        const struct move *move = &history->moves[i];
        if (move->customer == customer && move->segment == segment && move->cause <= moment.seq &&
            move->at_ms <= moment.at_ms) {
            is_member = move->enters;
        }
    }
    return is_member;
}

/* By the events up to `known`; by what was told up to `told`. */
static void moment_judge(const struct history *history, unsigned customer, struct sim_moment known,
                         struct sim_moment told)
{
    for (unsigned i = 0; i < SIM_SEGMENTS; i++) {
        bool is_member = stood(history, customer, i, told);
        if (is_member != sim_belongs(history->judge, customer, i, known)) {
            sim_fail(history->judge->world,
                     "%s was%s in %s at %" PRId64 ", after event %" PRIu64 ", and should%s have",
                     history->judge->clients->customers[customer], is_member ? "" : " not",
                     sim_segments[i], known.at_ms, known.seq, is_member ? " not" : "");
        }
    }
}

/* The newest event before an instant. False: one is of that very instant. */
static bool newest_before(const struct sim_judge *judge, int64_t at_ms, uint64_t *seq)
{
    *seq = 0;
    for (size_t i = 0; i < judge->accepted_count; i++) {
        const struct sim_fact *fact = judge->accepted[i].fact;
        if (fact->fact->recorded_at_ms == at_ms) {
            return false;
        }
        if (fact->fact->recorded_at_ms < at_ms) {
            *seq = fact->seq;
        }
    }
    return true;
}

/* After an event, and when it leaves each of the windows. */
static void event_judge(const struct history *history, const struct sim_accepted *accepted)
{
    int64_t folded_ms = accepted->fact->fact->recorded_at_ms;
    unsigned customer = accepted->story->customer;
    struct sim_moment moment = { .seq = accepted->fact->seq, .at_ms = folded_ms };
    moment_judge(history, customer, moment, moment);
    for (int64_t days = 1; days <= 3; days++) {
        moment.at_ms = accepted->story->occurred_at_ms + days * SIM_DAY_MS;
        /* What time makes of it may go back to any fact of ingestion before that. */
        struct sim_moment told = { .seq = UINT64_MAX, .at_ms = moment.at_ms };
        if (moment.at_ms > folded_ms && moment.at_ms <= history->end_ms &&
            newest_before(history->judge, moment.at_ms, &moment.seq)) {
            moment_judge(history, customer, moment, told);
        }
    }
}

/* ---- schedules */

static bool was_written_to(const struct history *history, unsigned customer, const char *step)
{
    struct sim_judge *judge = history->judge;
    uint32_t shard = sim_shard_of_customer(judge->world, "campaign", customer);
    const struct sim_node *node = sim_node_find(judge->world, "campaign", shard);
    const struct sim_facts *facts = &judge->facts[node->number];
    bool found = false;
    for (size_t i = 0; i < facts->count && !found; i++) {
        const Kith__V1__Fact *fact = facts->facts[i].fact;
        if ((fact->type != KITH__V1__FACT_TYPE__FACT_DISPATCH_INTENDED &&
             fact->type != KITH__V1__FACT_TYPE__FACT_DISPATCH_SUPPRESSED) ||
            sim_customer_of(judge, fact) != customer) {
            continue;
        }
        Kith__V1__Dispatch *told =
            kith__v1__dispatch__unpack(NULL, fact->body.len, fact->body.data);
        found = strcmp(told->campaign, NEWS) == 0 && strcmp(told->step, step) == 0;
        kith__v1__dispatch__free_unpacked(told, NULL);
    }
    return found;
}

/* Who is a member at an instant of the schedule is decided about, and nobody else. */
static void instant_judge(const struct history *history, int64_t at_ms, const char *step)
{
    struct sim_moment moment = { .seq = UINT64_MAX, .at_ms = at_ms };
    for (unsigned i = 0; i < history->judge->clients->customer_count; i++) {
        bool should = stood(history, i, GOLD, moment);
        if (was_written_to(history, i, step) != should) {
            sim_fail(history->judge->world, "%s is%s in gold at %s, and it was%s decided",
                     history->judge->clients->customers[i], should ? "" : " not", step,
                     should ? " not" : "");
        }
    }
}

static void schedule_judge(const struct history *history)
{
    static const char *const days[] = { "2025-12-28", "2025-12-29", "2025-12-30", "2025-12-31",
                                        "2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04" };
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        char step[64];
        uint64_t seq = 0;
        int64_t at_ms = NEWS_FIRST_MS + (int64_t)i * SIM_DAY_MS;
        (void)snprintf(step, sizeof step, "schedule/%sT09:00:00Z", days[i]);
        if (at_ms <= history->end_ms && newest_before(history->judge, at_ms, &seq)) {
            instant_judge(history, at_ms, step);
        }
    }
}

void sim_judge_history(struct sim_judge *judge)
{
    const struct sim_node *node = sim_node_find(judge->world, "ingestion", 0);
    const struct sim_facts *facts = &judge->facts[node->number];
    struct history history = { .judge = judge, .end_ms = INT64_MIN };
    if (!judge->world->swarm.is_event_clock || facts->count == 0) {
        return;
    }
    history.end_ms = facts->facts[facts->count - 1].fact->recorded_at_ms;
    for (uint32_t shard = 0; shard < sim_shards_of(judge->world, "segmentation"); shard++) {
        node = sim_node_find(judge->world, "segmentation", shard);
        facts_read(&history, &judge->facts[node->number]);
    }
    for (size_t i = 0; i < judge->accepted_count; i++) {
        event_judge(&history, &judge->accepted[i]);
    }
    schedule_judge(&history);
    free(history.moves);
}
