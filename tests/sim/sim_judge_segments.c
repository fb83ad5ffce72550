/* Who belongs to which segment: counted again from the events, at the end and at each moment at
 * which somebody is said to have entered or left. */
#include "kith/v1/segmentation.pb-c.h"
#include "kith/v1/service.pb-c.h"
#include "tests/sim/sim_judge.h"

#include <inttypes.h>
#include <string.h>

/* ---- the rules, written a second time */

struct window {
    int64_t count;
    int64_t sum_minor;
};

/* Purchases of (at - days, at]. */
static struct window purchases_of(const struct sim_judge *judge, unsigned customer,
                                  struct sim_moment moment, int64_t days)
{
    struct window window = { .count = 0 };
    for (size_t i = 0; i < judge->accepted_count; i++) {
        const struct sim_accepted *accepted = &judge->accepted[i];
        const struct sim_story *story = accepted->story;
        if (accepted->fact->seq <= moment.seq && story->customer == customer &&
            strcmp(story->type, "purchase") == 0 && story->occurred_at_ms <= moment.at_ms &&
            story->occurred_at_ms > moment.at_ms - days * SIM_DAY_MS) {
            window.count += 1;
            window.sum_minor += story->amount_minor;
        }
    }
    return window;
}

/* What was said last: by when it happened, and of one instant what came later. */
static bool is_gold(const struct sim_judge *judge, unsigned customer, struct sim_moment moment)
{
    const struct sim_story *newest = NULL;
    for (size_t i = 0; i < judge->accepted_count; i++) {
        const struct sim_accepted *accepted = &judge->accepted[i];
        const struct sim_story *story = accepted->story;
        if (accepted->fact->seq <= moment.seq && story->customer == customer &&
            strcmp(story->attribute, "tier") == 0 &&
            (newest == NULL || story->occurred_at_ms >= newest->occurred_at_ms)) {
            newest = story;
        }
    }
    return newest != NULL && strcmp(newest->value, "gold") == 0;
}

bool sim_belongs(const struct sim_judge *judge, unsigned customer, unsigned segment,
                 struct sim_moment moment)
{
    switch (segment) {
    case 0:
        return purchases_of(judge, customer, moment, 2).count >= 3;
    case 1:
        return purchases_of(judge, customer, moment, 3).sum_minor >= 10000;
    case 2:
        return is_gold(judge, customer, moment);
    default:
        return is_gold(judge, customer, moment) &&
               purchases_of(judge, customer, moment, 1).count == 0;
    }
}

/* ---- what was said */

struct standing {
    struct sim_judge *judge;
    const struct sim_node *node;
    bool is_member[SIM_CUSTOMERS_MAX][SIM_SEGMENTS];
};

static bool cause_is_of(const struct sim_judge *judge, uint64_t cause, unsigned customer)
{
    for (size_t i = 0; i < judge->accepted_count; i++) {
        if (judge->accepted[i].fact->seq == cause) {
            return judge->accepted[i].story->customer == customer;
        }
    }
    return false;
}

/* Written in the first turns after a blow. */
static bool is_of_beginning(const struct sim_node *node, uint64_t seq)
{
    for (size_t i = 0; i < node->beginning_count; i++) {
        if (node->beginnings[i].first_seq <= seq && seq <= node->beginnings[i].last_seq) {
            return true;
        }
    }
    return false;
}

static void move_judge(struct standing *standing, const struct sim_fact *fact, bool enters,
                       const char *name)
{
    struct sim_judge *judge = standing->judge;
    unsigned customer = sim_customer_of(judge, fact->fact);
    unsigned segment = sim_text_find(name, sim_segments, SIM_SEGMENTS);
    if (customer == SIM_CUSTOMERS_MAX || segment == SIM_SEGMENTS ||
        sim_shard_of_customer(judge->world, "segmentation", customer) != standing->node->shard) {
        sim_fail(judge->world, "segmentation/%" PRIu32 ", fact %" PRIu64 ": of nobody here",
                 standing->node->shard, fact->seq);
    }
    bool *is_member = &standing->is_member[customer][segment];
    struct sim_moment moment = { .seq = fact->fact->cause, .at_ms = fact->fact->recorded_at_ms };
    if (*is_member == enters || sim_belongs(judge, customer, segment, moment) != enters) {
        sim_fail(judge->world,
                 "segmentation/%" PRIu32 ", fact %" PRIu64 ": %s is said to have %s %s, %s",
                 standing->node->shard, fact->seq, judge->clients->customers[customer],
                 enters ? "entered" : "left", name,
                 *is_member == enters ? "and had before" : "which does not follow from the events");
    }
    *is_member = enters;
    if (enters && !cause_is_of(judge, fact->fact->cause, customer)) {
        sim_sometimes(judge->world, SIM_ENTRY_BY_TIME);
        if (is_of_beginning(standing->node, fact->seq)) {
            sim_sometimes(judge->world, SIM_ENTRY_BY_TIME_AT_START);
        }
    }
}

static void entry_judge(struct standing *standing, const struct sim_fact *fact)
{
    Kith__V1__SegmentEntered *entered =
        kith__v1__segment_entered__unpack(NULL, fact->fact->body.len, fact->fact->body.data);
    move_judge(standing, fact, true, entered->segment);
    kith__v1__segment_entered__free_unpacked(entered, NULL);
}

static void exit_judge(struct standing *standing, const struct sim_fact *fact)
{
    Kith__V1__SegmentExited *exited =
        kith__v1__segment_exited__unpack(NULL, fact->fact->body.len, fact->fact->body.data);
    move_judge(standing, fact, false, exited->segment);
    if (exited->by_time) {
        sim_sometimes(standing->judge->world, SIM_EXIT_BY_TIME);
    }
    kith__v1__segment_exited__free_unpacked(exited, NULL);
}

static void facts_judge(struct standing *standing)
{
    const struct sim_facts *facts = &standing->judge->facts[standing->node->number];
    for (size_t i = 0; i < facts->count; i++) {
        uint32_t type = facts->facts[i].fact->type;
        if (type == KITH__V1__FACT_TYPE__FACT_SEGMENT_ENTERED) {
            entry_judge(standing, &facts->facts[i]);
        } else if (type == KITH__V1__FACT_TYPE__FACT_SEGMENT_EXITED) {
            exit_judge(standing, &facts->facts[i]);
        }
    }
}

/* ---- the end */

/* The service's now, before and after it was asked for its lists. */
static void now_find(const struct standing *standing, int64_t *least_ms, int64_t *most_ms)
{
    const struct sim_clients *clients = standing->judge->clients;
    *least_ms = INT64_MAX;
    *most_ms = INT64_MIN;
    for (size_t i = clients->first_question; i < clients->count; i++) {
        const struct sim_command *command = clients->commands[i];
        if (command->node != standing->node->number || command->question != SIM_ASK_STATUS) {
            continue;
        }
        Kith__V1__StatusReply *reply =
            kith__v1__status_reply__unpack(NULL, command->answer_size, command->answer);
        *least_ms = reply->now_ms < *least_ms ? reply->now_ms : *least_ms;
        *most_ms = reply->now_ms > *most_ms ? reply->now_ms : *most_ms;
        kith__v1__status_reply__free_unpacked(reply, NULL);
    }
}

static bool is_listed(const Kith__V1__ListReply *reply, const char *customer)
{
    for (size_t i = 0; i < reply->n_customers; i++) {
        if (strcmp(reply->customers[i], customer) == 0) {
            return true;
        }
    }
    return false;
}

static void list_judge(const struct standing *standing, const struct sim_command *command)
{
    const struct sim_judge *judge = standing->judge;
    struct sim_moment before = { .seq = UINT64_MAX };
    struct sim_moment after = { .seq = UINT64_MAX };
    Kith__V1__ListReply *reply =
        kith__v1__list_reply__unpack(NULL, command->answer_size, command->answer);
    now_find(standing, &before.at_ms, &after.at_ms);
    if (command->code != STATUS_OK || reply == NULL) {
        sim_fail(judge->world, "segment %s cannot be listed: code %u",
                 sim_segments[command->subject], command->code);
    }
    for (unsigned i = 0; i < judge->clients->customer_count; i++) {
        if (sim_shard_of_customer(judge->world, "segmentation", i) != standing->node->shard) {
            continue;
        }
        bool is_there = is_listed(reply, judge->clients->customers[i]);
        bool should = sim_belongs(judge, i, command->subject, after);
        /* What changes in these very moments is seen by some and not by others. */
        bool is_sure = should == sim_belongs(judge, i, command->subject, before);
        if (is_there != standing->is_member[i][command->subject] ||
            (is_sure && is_there != should)) {
            sim_fail(judge->world, "%s is%s listed in %s, and by the events should%s be",
                     judge->clients->customers[i], is_there ? "" : " not",
                     sim_segments[command->subject], should ? "" : " not");
        }
    }
    kith__v1__list_reply__free_unpacked(reply, NULL);
}

static void lists_judge(const struct standing *standing)
{
    const struct sim_clients *clients = standing->judge->clients;
    for (size_t i = clients->first_question; i < clients->count; i++) {
        const struct sim_command *command = clients->commands[i];
        if (command->node == standing->node->number && command->question == SIM_ASK_LIST) {
            list_judge(standing, command);
        }
    }
}

void sim_judge_segments(struct sim_judge *judge)
{
    for (uint32_t shard = 0; shard < sim_shards_of(judge->world, "segmentation"); shard++) {
        struct standing standing = { .judge = judge,
                                     .node = sim_node_find(judge->world, "segmentation", shard) };
        facts_judge(&standing);
        lists_judge(&standing);
    }
}
