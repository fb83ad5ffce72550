/* How state changes: the only place where it does. */
#include "services/campaign/campaign_core.h"

#include <assert.h>
#include <string.h>

/* ---- planning */

void campaign_core_plan_evolve(const struct change *change, struct customer_id customer,
                               const struct campaign_plan *plan, int64_t at_ms)
{
    struct span campaign = campaign_name_span(&plan->campaign);
    struct campaign_standing standing = { .rules_version = 0 };
    struct campaign_head head = { .rules_version = 0 };
    struct campaign_dispatch dispatch = { .state = CAMPAIGN_PLANNED };
    bool found = campaign_standing_load(&change->view, campaign, &standing) &&
                 campaign_head_load(&change->view, &head);
    assert(found && !campaign_dispatch_load(&change->view, plan->dispatch, &dispatch));
    head.orders += 1;
    head.planned += 1;
    campaign_head_put(change, &head);
    standing.queued += 1;
    campaign_standing_put(change, campaign, &standing);
    struct campaign_queued queued = { .dispatch = plan->dispatch,
                                      .order = head.orders,
                                      .planned_at_ms = at_ms };
    campaign_queued_put(change, campaign, standing.queued, &queued);
    dispatch = (struct campaign_dispatch){
        .state = CAMPAIGN_PLANNED,
        .campaign = plan->campaign,
        .customer = customer,
        .trigger = plan->trigger,
        .step = plan->step,
    };
    campaign_dispatch_put(change, plan->dispatch, &dispatch);
}

void campaign_core_moved_evolve(const struct change *change, const struct campaign_moved *moved)
{
    struct span segment = campaign_name_span(&moved->segment);
    campaign_customer_put(change, moved->customer, &moved->subject);
    for (size_t i = 0; i < moved->contact_count; i++) {
        campaign_contact_put(change, moved->customer, moved->contact[i].name,
                             moved->contact[i].value);
    }
    if (moved->entered) {
        campaign_member_put(change, segment, moved->customer, moved->at_ms);
    } else {
        campaign_member_delete(change, segment, moved->customer);
    }
    for (size_t i = 0; i < moved->plan_count; i++) {
        campaign_core_plan_evolve(change, moved->customer, &moved->plans[i], moved->at_ms);
    }
}

/* ---- schedules */

void campaign_core_schedule_evolve(const struct change *change,
                                   const struct campaign_schedule_ran *ran)
{
    struct span campaign = campaign_name_span(&ran->campaign);
    struct campaign_standing standing = { .rules_version = 0 };
    bool found = campaign_standing_load(&change->view, campaign, &standing);
    assert(found && standing.has_schedule);
    assert(standing.is_running ? standing.after_ms == ran->due_ms
                               : standing.after_ms < ran->due_ms);
    standing.after_ms = ran->due_ms;
    standing.is_running = !ran->done;
    standing.has_cursor = standing.is_running && ran->has_after;
    standing.cursor = standing.has_cursor ? ran->after : (struct customer_id){ .bytes = { 0 } };
    campaign_standing_put(change, campaign, &standing);
}

/* ---- decisions */

/* The first in the queue is decided. */
static void queue_take(const struct change *change, struct span campaign,
                       struct campaign_standing *standing, struct hash128 dispatch)
{
    struct campaign_queued queued = { .order = 0 };
    standing->taken += 1;
    bool found = campaign_queued_load(&change->view, campaign, standing->taken, &queued);
    assert(found && hash128_equal(queued.dispatch, dispatch));
    campaign_queued_delete(change, campaign, standing->taken);
}

static void cap_add(const struct change *change, const struct campaign_decision *decision,
                    int64_t at_ms)
{
    struct span campaign = campaign_name_span(&decision->plan.campaign);
    struct campaign_cap cap = { .count = 0 };
    (void)campaign_cap_load(&change->view, campaign, decision->customer, &cap);
    if (cap.count == CAMPAIGNS_CAP_MESSAGES_MAX) {
        memmove(cap.intents, cap.intents + 1, (cap.count - 1U) * sizeof cap.intents[0]);
        cap.count = CAMPAIGNS_CAP_MESSAGES_MAX - 1;
    }
    cap.intents[cap.count++] =
        (struct campaign_capped){ .number = decision->number, .at_ms = at_ms, .is_open = true };
    campaign_cap_put(change, campaign, decision->customer, &cap);
}

/* An outcome is known: one that was refused does not count any more. */
static void cap_settle(const struct change *change, const struct campaign_decision *decision)
{
    struct span campaign = campaign_name_span(&decision->plan.campaign);
    struct campaign_cap cap = { .count = 0 };
    (void)campaign_cap_load(&change->view, campaign, decision->customer, &cap);
    uint8_t kept = 0;
    for (size_t i = 0; i < cap.count; i++) {
        struct campaign_capped intent = cap.intents[i];
        bool is_it = intent.number == decision->number;
        intent.is_open = intent.is_open && !is_it;
        if (!is_it || decision->becomes != CAMPAIGN_SUPPRESSED) {
            cap.intents[kept++] = intent;
        }
    }
    cap.count = kept;
    campaign_cap_put(change, campaign, decision->customer, &cap);
}

/* Takes the channel's first free place. Deciding saw that there is one. */
static uint8_t place_take(const struct change *change, struct span channel)
{
    uint32_t places = campaign_places_load(&change->view, channel);
    assert(places != UINT32_MAX);
    uint8_t place = (uint8_t)__builtin_ctz(~places);
    campaign_places_put(change, channel, places | (UINT32_C(1) << place));
    return place;
}

static void place_free(const struct change *change, struct span channel, uint8_t place)
{
    uint32_t places = campaign_places_load(&change->view, channel);
    assert(place < CAMPAIGNS_IN_FLIGHT_MAX && (places >> place & 1U) == 1U);
    campaign_places_put(change, channel, places & ~(UINT32_C(1) << place));
    campaign_open_delete(change, channel, place);
}

static uint8_t open_add(const struct change *change, const struct campaign_decision *decision,
                        uint64_t seq, int64_t at_ms)
{
    struct span message = decision->message.bytes;
    assert(message.size <= CAMPAIGN_SEALED_BYTES);
    struct span channel = campaign_name_span(&decision->channel);
    struct campaign_open open = {
        .seq = seq,
        .dispatch = decision->plan.dispatch,
        .channel_identity = decision->channel_identity,
        .campaign = decision->plan.campaign,
        .customer = decision->customer,
        .at_ms = at_ms,
        .key_id = decision->message.key_id,
        .size = (uint16_t)message.size,
    };
    if (message.size > 0) {
        memcpy(open.message, message.data, message.size);
    }
    uint8_t place = place_take(change, channel);
    campaign_open_put(change, channel, place, &open);
    return place;
}

/* A schedule came as far as this customer. */
static void cursor_move(struct campaign_standing *standing, struct customer_id customer)
{
    assert(standing->is_running);
    standing->has_cursor = true;
    standing->cursor = customer;
}

static void decision_add(const struct change *change, const struct campaign_decision *decision,
                         uint64_t seq, int64_t at_ms)
{
    struct span campaign = campaign_name_span(&decision->plan.campaign);
    struct campaign_standing standing = { .rules_version = 0 };
    struct campaign_head head = { .rules_version = 0 };
    bool found = campaign_standing_load(&change->view, campaign, &standing) &&
                 campaign_head_load(&change->view, &head);
    assert(found && decision->number == standing.decided + 1);
    standing.decided = decision->number;
    if (decision->plan.trigger == CAMPAIGN_BY_SCHEDULE) {
        cursor_move(&standing, decision->customer);
    } else {
        queue_take(change, campaign, &standing, decision->plan.dispatch);
        head.planned -= 1;
    }
    struct campaign_dispatch dispatch = {
        .state = decision->becomes,
        .campaign = decision->plan.campaign,
        .customer = decision->customer,
        .trigger = decision->plan.trigger,
        .step = decision->plan.step,
        .number = decision->number,
        .channel = decision->channel,
        .reason = decision->reason,
        .detail = decision->detail,
        .decided_at_ms = at_ms,
    };
    if (decision->becomes == CAMPAIGN_OPEN) {
        dispatch.place = open_add(change, decision, seq, at_ms);
        cap_add(change, decision, at_ms);
        standing.open += 1;
        head.open += 1;
    } else {
        standing.suppressed += 1;
    }
    campaign_dispatch_put(change, decision->plan.dispatch, &dispatch);
    campaign_decision_put(change, campaign, decision->number, decision->plan.dispatch);
    campaign_standing_put(change, campaign, &standing);
    campaign_head_put(change, &head);
}

static void outcome_add(const struct change *change, const struct campaign_decision *decision,
                        struct campaign_dispatch *dispatch)
{
    struct span campaign = campaign_name_span(&decision->plan.campaign);
    struct campaign_standing standing = { .rules_version = 0 };
    struct campaign_head head = { .rules_version = 0 };
    bool found = campaign_standing_load(&change->view, campaign, &standing) &&
                 campaign_head_load(&change->view, &head);
    assert(found && decision->number == dispatch->number);
    place_free(change, campaign_name_span(&dispatch->channel), dispatch->place);
    cap_settle(change, decision);
    standing.open -= 1;
    standing.sent += decision->becomes == CAMPAIGN_SENT;
    standing.suppressed += decision->becomes == CAMPAIGN_SUPPRESSED;
    standing.unknown += decision->becomes == CAMPAIGN_UNKNOWN;
    campaign_standing_put(change, campaign, &standing);
    head.open -= 1;
    campaign_head_put(change, &head);
    dispatch->state = decision->becomes;
    dispatch->place = 0;
    dispatch->reason = decision->reason;
    dispatch->detail = decision->detail;
    campaign_dispatch_put(change, decision->plan.dispatch, dispatch);
}

void campaign_core_decision_evolve(const struct change *change,
                                   const struct campaign_decision *decision, uint64_t seq,
                                   int64_t recorded_at_ms)
{
    struct campaign_dispatch dispatch = { .state = CAMPAIGN_PLANNED };
    bool is_known = campaign_dispatch_load(&change->view, decision->plan.dispatch, &dispatch);
    if (is_known && dispatch.state == CAMPAIGN_OPEN) {
        assert(decision->becomes >= CAMPAIGN_SENT);
        outcome_add(change, decision, &dispatch);
        return;
    }
    assert(decision->becomes == CAMPAIGN_OPEN || decision->becomes == CAMPAIGN_SUPPRESSED);
    assert(is_known == (decision->plan.trigger != CAMPAIGN_BY_SCHEDULE));
    assert(dispatch.state == CAMPAIGN_PLANNED);
    decision_add(change, decision, seq, recorded_at_ms);
}

/* ---- rules */

static bool schedule_is_kept(const struct campaign_standing *standing,
                             const struct campaign_schedule *schedule)
{
    return standing->has_schedule == schedule->is_set &&
           (!schedule->is_set || (standing->first_ms == schedule->first_ms &&
                                  standing->every_days == schedule->every_days));
}

void campaign_core_rules_evolve(const struct change *change,
                                const struct campaign_rules_change *rules)
{
    struct campaign_head head = { .rules_version = 0 };
    (void)campaign_head_load(&change->view, &head);
    assert(rules->version == head.rules_version + 1);
    for (size_t i = 0; i < rules->count; i++) {
        const struct campaign_schedule *schedule = &rules->campaigns[i].schedule;
        struct span name = campaign_name_span(&rules->campaigns[i].name);
        struct campaign_standing standing = { .rules_version = 0 };
        bool was_there = campaign_standing_load(&change->view, name, &standing) &&
                         standing.rules_version == head.rules_version;
        standing.since_ms = was_there ? standing.since_ms : rules->at_ms;
        if (!was_there || !schedule_is_kept(&standing, schedule)) {
            standing.has_schedule = schedule->is_set;
            standing.first_ms = schedule->is_set ? schedule->first_ms : 0;
            standing.every_days = schedule->is_set ? schedule->every_days : 0;
            standing.after_ms = rules->at_ms;
            standing.is_running = false;
            standing.has_cursor = false;
            standing.cursor = (struct customer_id){ .bytes = { 0 } };
        }
        standing.rules_version = rules->version;
        campaign_standing_put(change, name, &standing);
    }
    head.rules_version = rules->version;
    head.rules_hash = rules->hash;
    campaign_head_put(change, &head);
}
