#include "cli/gen_truth.h"

#include "cli/output.h"
#include "common/base/time_text.h"

#include <assert.h>

/* config/demo.yaml, in minor units and days */
#define BIG_SPENDER_MINOR 12000
#define BIG_SPENDER_DAYS 60
#define SLEEPING_DAYS 45
#define HEAVY_DATA_MINOR 3000
#define HEAVY_DATA_DAYS 30
#define UNHAPPY_DAYS 30
#define CHURN_RISK_DAYS 14
#define VIP_MINOR 15000
#define VIP_DAYS 90
#define VIP_YEAR 2015
#define ROAMING_COUNT 3
#define ROAMING_DAYS 60
#define FAMILY_SIZE 3
#define POINT_MINOR 100

_Static_assert(GEN_TRUTH_DAYS > VIP_DAYS, "the longest window is walked through as a whole");

static const char *const segment_names[GEN_SEGMENT_COUNT] = {
    [GEN_BIG_SPENDERS] = "big_spenders", [GEN_SLEEPING_PREPAID] = "sleeping_prepaid",
    [GEN_HEAVY_DATA] = "heavy_data",     [GEN_UNHAPPY] = "unhappy",
    [GEN_CHURN_RISK] = "churn_risk",     [GEN_VIP] = "vip",
    [GEN_ROAMERS] = "roamers",           [GEN_FAMILIES] = "families",
};

/* ---- totals */

void gen_truth_event(struct gen_truth *truth, const struct gen_event *event)
{
    truth->events++;
    truth->customers += event->type == GEN_REGISTERED ? 1 : 0;
    if (event->type == GEN_BILL_PAID || event->type == GEN_RECHARGE) {
        truth->revenue_minor += event->amount_minor;
        truth->points_issued += event->amount_minor / POINT_MINOR;
    } else if (event->type == GEN_PURCHASE) {
        truth->revenue_minor += event->amount_minor;
        truth->points_issued += 2 * event->amount_minor / POINT_MINOR;
    }
}

/* ---- one subscriber's last weeks */

struct figures {
    bool is_registered;
    bool has_changed;
    bool has_left;
    bool used; /* within CHURN_RISK_DAYS */
    int64_t paid_60_minor;
    int64_t paid_90_minor;
    int64_t data_minor;
    uint32_t recharges;
    uint32_t troubles;
    uint32_t roamings;
};

struct walk {
    const struct gen_world *world;
    const struct gen_end *end;
    uint32_t number;
    struct gen_visit visit;
    struct gen_slot slot;
};

/* How many events of the visit were written: all, none, or the first of them. */
static size_t written_count(const struct walk *walk)
{
    const struct gen_visit *visit = &walk->visit;
    const struct gen_visit *last = &walk->end->visit;
    if (visit->date.day != last->date.day || visit->pass != last->pass) {
        bool is_before = visit->date.day < last->date.day ||
                         (visit->date.day == last->date.day && visit->pass < last->pass);
        return is_before ? walk->slot.count : 0;
    }
    if (visit->position != last->position) {
        return visit->position < last->position ? walk->slot.count : 0;
    }
    return walk->end->count;
}

/* Visits the subscriber again; the number of events there that were written. */
static size_t visit_again(struct walk *walk, int32_t pass)
{
    walk->visit.pass = pass;
    gen_slot_fill(walk->world, &walk->visit, &walk->slot);
    if (walk->slot.count == 0) {
        return 0;
    }
    walk->visit.position = gen_walk_position(walk->world, walk->visit.date.day, pass, walk->number);
    return written_count(walk);
}

/* Not longer ago than the window that ends with the last event. */
static bool is_within(const struct walk *walk, int64_t at_ms, int64_t days)
{
    return at_ms > walk->end->at_ms - days * MS_PER_DAY;
}

static void usage_figure(const struct walk *walk, const struct gen_event *event, int64_t at_ms,
                         struct figures *figures)
{
    figures->used = figures->used || is_within(walk, at_ms, CHURN_RISK_DAYS);
    if (event->category == GEN_DATA && is_within(walk, at_ms, HEAVY_DATA_DAYS)) {
        figures->data_minor += event->amount_minor;
    }
    if (event->category == GEN_ROAMING && is_within(walk, at_ms, ROAMING_DAYS)) {
        figures->roamings++;
    }
}

static void event_figure(const struct walk *walk, const struct gen_event *event, int64_t at_ms,
                         struct figures *figures)
{
    bool is_trouble = event->type == GEN_COMPLAINT ||
                      (event->type == GEN_RATING && event->category == GEN_RATED_LOW);
    if (event->type == GEN_USAGE) {
        usage_figure(walk, event, at_ms, figures);
    } else if (event->type == GEN_BILL_PAID) {
        figures->paid_60_minor +=
            is_within(walk, at_ms, BIG_SPENDER_DAYS) ? event->amount_minor : 0;
        figures->paid_90_minor += is_within(walk, at_ms, VIP_DAYS) ? event->amount_minor : 0;
    } else if (event->type == GEN_RECHARGE && is_within(walk, at_ms, SLEEPING_DAYS)) {
        figures->recharges++;
    } else if (is_trouble && is_within(walk, at_ms, UNHAPPY_DAYS)) {
        figures->troubles++;
    }
}

static void pass_figures(struct walk *walk, int32_t pass, struct figures *figures)
{
    size_t count = visit_again(walk, pass);
    for (size_t i = 0; i < count; i++) {
        const struct gen_event *event = &walk->slot.events[i];
        int64_t at_ms = gen_visit_at_ms(walk->world, &walk->visit, (uint32_t)i);
        if (event->subject == walk->number) {
            event_figure(walk, event, at_ms, figures);
        }
    }
}

static void day_figures(struct walk *walk, int32_t day, struct figures *figures)
{
    walk->visit.date = gen_date_of(walk->world, day);
    for (int32_t pass = 0; pass < GEN_PASSES; pass++) {
        pass_figures(walk, pass, figures);
    }
}

/* ---- the profile as it was told */

static bool was_told(struct walk *walk, int32_t day, int32_t pass, enum gen_type type)
{
    if (day > walk->end->visit.date.day) {
        return false;
    }
    walk->visit.date = gen_date_of(walk->world, day);
    size_t count = visit_again(walk, pass);
    for (size_t i = 0; i < count; i++) {
        if (walk->slot.events[i].type == type) {
            return true;
        }
    }
    return false;
}

static void profile_figures(struct walk *walk, const struct gen_person *person,
                            struct figures *figures)
{
    figures->is_registered =
        was_told(walk, person->join_day, gen_join_pass(person), GEN_REGISTERED);
    figures->has_changed = was_told(
        walk, person->change_day, gen_errand_pass(person, person->change_day), GEN_PROFILE_CHANGED);
    figures->has_left = was_told(walk, person->leave_day,
                                 gen_errand_pass(person, person->leave_day), GEN_PROFILE_CHANGED);
}

static bool used_on(struct walk *walk, int32_t day)
{
    bool used = false;
    for (int32_t pass = 0; pass < GEN_PASSES && !used; pass++) {
        used = was_told(walk, day, pass, GEN_USAGE);
    }
    return used;
}

/* Whether anything was used before the window in which nothing was. */
static bool used_before(struct walk *walk, const struct gen_person *person)
{
    bool used = false;
    int32_t day = walk->end->visit.date.day - CHURN_RISK_DAYS;
    for (; day >= person->active_day && !used; day--) {
        used = used_on(walk, day);
    }
    return used;
}

/* ---- segments */

static void segments_add(struct gen_truth *truth, struct walk *walk,
                         const struct gen_person *person, const struct figures *figures)
{
    enum gen_plan plan = person->plans[figures->has_changed ? 1 : 0];
    bool is_active = !figures->has_left;
    const bool holds[GEN_SEGMENT_COUNT] = {
        [GEN_BIG_SPENDERS] = figures->paid_60_minor >= BIG_SPENDER_MINOR,
        [GEN_SLEEPING_PREPAID] = is_active && plan == GEN_PREPAID && figures->recharges == 0,
        [GEN_HEAVY_DATA] = figures->data_minor >= HEAVY_DATA_MINOR,
        [GEN_UNHAPPY] = figures->troubles > 0,
        [GEN_CHURN_RISK] = is_active && !figures->used && used_before(walk, person),
        [GEN_VIP] =
            is_active && person->since_year <= VIP_YEAR && figures->paid_90_minor >= VIP_MINOR,
        [GEN_ROAMERS] = figures->roamings >= ROAMING_COUNT,
        [GEN_FAMILIES] = is_active && plan == GEN_FAMILY && person->household_size >= FAMILY_SIZE,
    };
    for (size_t i = 0; i < GEN_SEGMENT_COUNT; i++) {
        truth->segments[i] += holds[i] ? 1 : 0;
    }
}

void gen_truth_subscriber(const struct gen_world *world, struct gen_truth *truth, uint32_t number)
{
    struct gen_person person;
    struct figures figures = { .is_registered = false };
    struct walk walk = {
        .world = world, .end = &truth->end, .number = number, .visit = { .number = number }
    };
    gen_person_sketch(world, number, &person);
    gen_person_complete(world, &person);
    profile_figures(&walk, &person, &figures);
    if (!figures.is_registered) {
        return;
    }
    int32_t last = truth->end.visit.date.day;
    int32_t day = last - GEN_TRUTH_DAYS < person.join_day ? person.join_day : last - GEN_TRUTH_DAYS;
    for (; day <= last && day <= person.leave_day; day++) {
        day_figures(&walk, day, &figures);
    }
    segments_add(truth, &walk, &person, &figures);
}

json_t *gen_truth_json(const struct gen_truth *truth)
{
    json_t *object = json_object();
    output_put(object, "events", output_unsigned(truth->events));
    output_put(object, "customers", output_unsigned(truth->customers));
    output_put(object, "revenue_minor", json_integer(truth->revenue_minor));
    output_put(object, "points_issued", json_integer(truth->points_issued));
    json_t *segments = json_object();
    for (size_t i = 0; i < GEN_SEGMENT_COUNT; i++) {
        output_put(segments, segment_names[i], output_unsigned(truth->segments[i]));
    }
    output_put(object, "segments", segments);
    return object;
}
