/* What reporting says it all adds up to. */
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/reporting.pb-c.h"
#include "tests/sim/sim_judge.h"

#include <inttypes.h>
#include <string.h>

struct totals {
    int64_t events;
    int64_t customers;
    int64_t revenue_minor;
    int64_t points_issued;
    int64_t points_spent;
    int64_t quarantined;
    int64_t entries;
    int64_t exits;
    int64_t sent;
    int64_t suppressed;
    int64_t unknown;
};

static void points_count(const Kith__V1__Fact *fact, struct totals *totals)
{
    Kith__V1__PointsPosted *posted =
        kith__v1__points_posted__unpack(NULL, fact->body.len, fact->body.data);
    if (posted->counter == KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED) {
        totals->points_issued += posted->points;
    } else {
        totals->points_spent -= posted->points;
    }
    kith__v1__points_posted__free_unpacked(posted, NULL);
}

static void fact_count(const Kith__V1__Fact *fact, struct totals *totals)
{
    totals->quarantined += fact->type == KITH__V1__FACT_TYPE__FACT_EVENT_QUARANTINED;
    totals->entries += fact->type == KITH__V1__FACT_TYPE__FACT_SEGMENT_ENTERED;
    totals->exits += fact->type == KITH__V1__FACT_TYPE__FACT_SEGMENT_EXITED;
    totals->sent += fact->type == KITH__V1__FACT_TYPE__FACT_DISPATCH_SENT;
    totals->suppressed += fact->type == KITH__V1__FACT_TYPE__FACT_DISPATCH_SUPPRESSED;
    totals->unknown += fact->type == KITH__V1__FACT_TYPE__FACT_DISPATCH_UNKNOWN;
    if (fact->type >= KITH__V1__FACT_TYPE__FACT_POINTS_EARNED &&
        fact->type <= KITH__V1__FACT_TYPE__FACT_POINTS_GRANTED) {
        points_count(fact, totals);
    }
}

static struct totals counted(const struct sim_judge *judge)
{
    struct totals totals = { .events = (int64_t)judge->accepted_count };
    for (size_t i = 0; i < judge->accepted_count; i++) {
        const struct sim_story *story = judge->accepted[i].story;
        bool is_paid =
            strcmp(story->type, "purchase") == 0 || strcmp(story->type, "bill_paid") == 0;
        totals.customers += judge->accepted[i].is_first;
        totals.revenue_minor += is_paid ? story->amount_minor : 0;
    }
    for (size_t n = 0; n < judge->world->node_count; n++) {
        for (size_t i = 0; i < judge->facts[n].count; i++) {
            fact_count(judge->facts[n].facts[i].fact, &totals);
        }
    }
    return totals;
}

/* Each shard has its own customers' part. What is about nobody, all of them have. */
static void told_add(const struct sim_judge *judge, const struct sim_command *command,
                     struct totals *told)
{
    Kith__V1__TotalsReply *reply =
        kith__v1__totals_reply__unpack(NULL, command->answer_size, command->answer);
    if (command->code != STATUS_OK || reply == NULL) {
        sim_fail(judge->world, "the totals cannot be asked: code %u", command->code);
    }
    told->events += (int64_t)reply->events;
    told->customers += (int64_t)reply->customers;
    told->revenue_minor += reply->revenue_minor;
    told->points_issued += reply->points_issued;
    told->points_spent += reply->points_spent;
    told->quarantined += (int64_t)reply->quarantined;
    told->entries += (int64_t)reply->segment_entries;
    told->exits += (int64_t)reply->segment_exits;
    told->sent += (int64_t)reply->sent;
    told->suppressed += (int64_t)reply->suppressed;
    told->unknown += (int64_t)reply->unknown;
    kith__v1__totals_reply__free_unpacked(reply, NULL);
}

static void equal(const struct sim_judge *judge, const char *what, int64_t told, int64_t counted_is)
{
    if (told != counted_is) {
        sim_fail(judge->world, "reporting tells of %" PRId64 " %s, there are %" PRId64, told, what,
                 counted_is);
    }
}

void sim_judge_report(struct sim_judge *judge)
{
    const struct sim_clients *clients = judge->clients;
    struct totals right = counted(judge);
    struct totals told = { .events = 0 };
    uint32_t shards = sim_shards_of(judge->world, "reporting");
    for (size_t i = clients->first_question; i < clients->count; i++) {
        if (clients->commands[i]->question == SIM_ASK_TOTALS &&
            clients->commands[i]->what == SIM_QUESTION) {
            told_add(judge, clients->commands[i], &told);
        }
    }
    equal(judge, "events", told.events, right.events);
    equal(judge, "customers", told.customers, right.customers);
    equal(judge, "minor units of revenue", told.revenue_minor, right.revenue_minor);
    equal(judge, "points issued", told.points_issued, right.points_issued);
    equal(judge, "points spent", told.points_spent, right.points_spent);
    equal(judge, "entries", told.entries, right.entries);
    equal(judge, "exits", told.exits, right.exits);
    equal(judge, "messages sent", told.sent, right.sent);
    equal(judge, "messages suppressed", told.suppressed, right.suppressed);
    equal(judge, "messages unknown", told.unknown, right.unknown);
    equal(judge, "quarantined", told.quarantined, right.quarantined * (int64_t)shards);
}
