#include "services/reporting/reporting_service.h"

#include "common/event/event_codec.h"
#include "services/reporting/reporting_config.h"
#include "services/reporting/reporting_query.h"

#include <assert.h>
#include <stdlib.h>

/* Version of the tables in reporting_key.h. */
#define REPORTING_SCHEMA 1
/* What the largest fact of a feed unpacks to, with room. */
#define REPORTING_ARENA_BYTES (4 * 1024 * 1024)
#define REPORTING_POSITIONS_MAX LIMIT_FEEDS

struct reporting {
    struct reporting_attributes attributes;
    bool numbered; /* the attributes have their numbers */
    struct arena input;
    struct turn_position positions[REPORTING_POSITIONS_MAX];
};

/* ---- life */

static void reporting_close(void **service)
{
    struct reporting *reporting = *service;
    if (reporting == NULL) {
        return;
    }
    arena_release(&reporting->input);
    free(reporting);
    *service = NULL;
}

static enum status reporting_open(void **service, const struct service_environment *environment,
                                  struct refusal *refusal)
{
    struct reporting_attributes attributes = { .count = 0 };
    enum status status = reporting_config_read(environment->own->own, &attributes, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct reporting *reporting = memory_allocate(sizeof *reporting);
    *reporting = (struct reporting){ .attributes = attributes };
    arena_init(&reporting->input, REPORTING_ARENA_BYTES);
    *service = reporting;
    return STATUS_OK;
}

/* ---- facts */

static void event_fold(struct reporting *reporting, const struct change *change,
                       const struct fact *fact)
{
    assert(fact->has_customer);
    struct accepted_event event = { 0 };
    enum status status = accepted_event_decode(fact->body, &reporting->input, &event);
    assert(status == STATUS_OK);
    reporting_core_event_fold(change, &reporting->attributes, fact->customer, &event);
}

static void points_fold(struct reporting *reporting, const struct change *change,
                        const struct fact *fact)
{
    struct reporting_points points = { .points = 0 };
    enum status status = reporting_points_decode(fact, &reporting->input, &points);
    assert(status == STATUS_OK);
    reporting_core_points_fold(change, &reporting->attributes, &points);
}

static void reporting_fold(void *service, struct turn *turn, const struct feed_name *feed,
                           const struct fact *fact)
{
    (void)feed; /* a type of fact is one service's only */
    struct reporting *reporting = service;
    const struct change *change = turn_change(turn);
    if (!reporting->numbered) {
        reporting_core_attributes_number(change, &reporting->attributes);
        reporting->numbered = true;
    }
    arena_reset(&reporting->input);
    switch (fact->type) {
    case FACT_EVENT_ACCEPTED:
        event_fold(reporting, change, fact);
        return;
    case FACT_EVENT_QUARANTINED:
        reporting_core_quarantined_fold(change);
        return;
    case FACT_POINTS_EARNED:
    case FACT_POINTS_SPENT:
    case FACT_POINTS_REVERSED:
    case FACT_POINTS_GRANTED:
        points_fold(reporting, change, fact);
        return;
    case FACT_SEGMENT_ENTERED:
    case FACT_SEGMENT_EXITED:
        reporting_core_membership_fold(change, fact->type == FACT_SEGMENT_ENTERED);
        return;
    case FACT_DISPATCH_SENT:
        reporting_core_dispatch_fold(change, REPORTING_SENT);
        return;
    case FACT_DISPATCH_SUPPRESSED:
        reporting_core_dispatch_fold(change, REPORTING_SUPPRESSED);
        return;
    case FACT_DISPATCH_UNKNOWN:
        reporting_core_dispatch_fold(change, REPORTING_UNKNOWN);
        return;
    default:
        assert(false); /* the page below names what is folded */
    }
}

/* ---- questions */

static struct reporting_positions positions_of(struct reporting *reporting, const struct turn *turn)
{
    size_t count = turn_positions(turn, reporting->positions, REPORTING_POSITIONS_MAX);
    return (struct reporting_positions){ .items = reporting->positions, .count = count };
}

static enum status totals_handle(void *service, struct turn *turn, struct span body,
                                 struct reply *reply)
{
    struct reporting *reporting = service;
    arena_reset(&reporting->input);
    enum status status = reporting_totals_decode(body, &reporting->input, reply->refusal);
    if (status == STATUS_OK) {
        struct reporting_positions positions = positions_of(reporting, turn);
        reporting_query_totals(turn_view(turn), &positions, reply->body);
    }
    return status;
}

static enum status daily_handle(void *service, struct turn *turn, struct span body,
                                struct reply *reply)
{
    struct reporting *reporting = service;
    struct reporting_daily_request request = { .limit = 0 };
    arena_reset(&reporting->input);
    enum status status = reporting_daily_decode(body, &reporting->input, &request, reply->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct reporting_positions positions = positions_of(reporting, turn);
    return reporting_query_daily(turn_view(turn), &request, &positions, reply->body,
                                 reply->refusal);
}

/* ---- the page */

static const struct store_table tables[] = {
    { REPORTING_TABLE_TOTAL, "total", STORE_TABLE_TREE },
    { REPORTING_TABLE_DAY, "day", STORE_TABLE_TREE },
    { REPORTING_TABLE_PROFILE, "profile", STORE_TABLE_TREE },
    { REPORTING_TABLE_ATTRIBUTE, "attribute", STORE_TABLE_TREE },
    { REPORTING_TABLE_HEAD, "head", STORE_TABLE_TREE },
};

static const uint32_t ingestion_folded[] = { FACT_EVENT_ACCEPTED, FACT_EVENT_QUARANTINED };
static const uint32_t ingestion_ignored[] = { FACT_QUARANTINE_CLOSED, FACT_CLOCK_ADVANCED };
static const uint32_t loyalty_folded[] = { FACT_POINTS_EARNED, FACT_POINTS_SPENT,
                                           FACT_POINTS_REVERSED, FACT_POINTS_GRANTED };
static const uint32_t segmentation_folded[] = { FACT_SEGMENT_ENTERED, FACT_SEGMENT_EXITED };
static const uint32_t campaign_folded[] = { FACT_DISPATCH_SENT, FACT_DISPATCH_SUPPRESSED,
                                            FACT_DISPATCH_UNKNOWN };
/* What was intended has an outcome of its own, which is what counts. */
static const uint32_t campaign_ignored[] = { FACT_DISPATCH_INTENDED, FACT_RULES_CHANGED,
                                             FACT_CONSUMER_ACCEPTED };
/* What every service that reads feeds and has rules may say. */
static const uint32_t any_ignored[] = { FACT_RULES_CHANGED, FACT_CONSUMER_ACCEPTED };

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const struct service_feed feeds[] = {
    { "ingestion", ingestion_folded, COUNT(ingestion_folded), ingestion_ignored,
      COUNT(ingestion_ignored) },
    { "loyalty", loyalty_folded, COUNT(loyalty_folded), any_ignored, COUNT(any_ignored) },
    { "segmentation", segmentation_folded, COUNT(segmentation_folded), any_ignored,
      COUNT(any_ignored) },
    { "campaign", campaign_folded, COUNT(campaign_folded), campaign_ignored,
      COUNT(campaign_ignored) },
};

static const struct service_method methods[] = {
    { "reporting.Totals", false, totals_handle },
    { "reporting.Daily", false, daily_handle },
};

/* No journal: its checkpoint holds state and cursors, and the feeds are read again from
 * there. So there is nothing to emit and nothing to evolve. */
const struct service_definition reporting_definition = {
    .name = "reporting",
    .schema = REPORTING_SCHEMA,
    .tables = tables,
    .table_count = COUNT(tables),
    .feeds = feeds,
    .feed_count = COUNT(feeds),
    .methods = methods,
    .method_count = COUNT(methods),
    .keeps_journal = false,
    .open = reporting_open,
    .close = reporting_close,
    .fold = reporting_fold,
};
