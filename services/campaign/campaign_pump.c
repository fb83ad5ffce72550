/* Decides what can be decided: what is planned, and the audiences of schedules. */
#include "services/campaign/campaign_codec.h"
#include "services/campaign/campaign_internal.h"

#include <assert.h>
#include <string.h>

const struct campaign_survey *campaign_survey_renew(struct campaign *campaign,
                                                    const struct view *view)
{
    if (!campaign->is_surveyed) {
        campaign->survey = campaign_core_survey(view, &campaign->setup, campaign->is_blocked);
        campaign->is_surveyed = true;
    }
    return &campaign->survey;
}

void campaign_survey_forget(struct campaign *campaign)
{
    campaign->is_surveyed = false;
    memset(campaign->is_blocked, 0, sizeof campaign->is_blocked);
}

void campaign_decision_emit(struct campaign *campaign, struct turn *turn,
                            const struct campaign_decision *decision)
{
    buffer_clear(&campaign->body);
    campaign_decision_encode(decision, &campaign->body);
    struct fact fact = {
        .type = campaign_decision_type(decision->becomes),
        .version = 1,
        .has_customer = true,
        .customer = decision->customer,
        .subject = campaign_subject_sealed(&decision->subject),
        .body = buffer_span(&campaign->body),
    };
    (void)turn_emit(turn, &fact);
    if (decision->becomes == CAMPAIGN_OPEN) {
        campaign_outbox_add(&campaign->outbox, decision->plan.dispatch);
    }
}

/* Time passes in steps from one thing that is due to the next, and all of it may have been slept
 * through: nothing is handed over before the turn's wall time. */
static int64_t hand_over_ms(const struct campaign *campaign, const struct turn *turn)
{
    return campaign->is_event_clock ? turn_now(turn) : turn_wall(turn);
}

static void candidate_decide(struct campaign *campaign, struct turn *turn,
                             const struct campaign_candidate *candidate)
{
    struct campaign_decision decision = { .becomes = CAMPAIGN_PLANNED };
    if (!campaign_core_decide(turn_view(turn), &campaign->setup, candidate, &decision,
                              &campaign->message)) {
        campaign->is_blocked[candidate->rule->channel] = true;
        campaign->is_surveyed = false;
        return;
    }
    if (decision.becomes == CAMPAIGN_OPEN) {
        buffer_clear(&campaign->sealed);
        campaign_message_encode(&campaign->message, &campaign->sealed);
        decision.message.bytes = buffer_span(&campaign->sealed);
    }
    campaign_decision_emit(campaign, turn, &decision);
}

static void planned_decide(struct campaign *campaign, struct turn *turn,
                           const struct campaign_work *work)
{
    const struct view *view = turn_view(turn);
    struct span name = campaign_name_span(&work->campaign);
    struct campaign_standing standing = { .rules_version = 0 };
    struct campaign_queued queued = { .order = 0 };
    struct campaign_dispatch dispatch = { .state = CAMPAIGN_PLANNED };
    bool found = campaign_standing_load(view, name, &standing) &&
                 campaign_queued_load(view, name, standing.taken + 1, &queued) &&
                 campaign_dispatch_load(view, queued.dispatch, &dispatch);
    assert(found);
    struct campaign_candidate candidate = {
        .rule = work->index < campaign->campaigns.campaign_count
                    ? &campaign->campaigns.campaigns[work->index]
                    : NULL,
        .plan = { .dispatch = queued.dispatch,
                  .campaign = dispatch.campaign,
                  .trigger = dispatch.trigger,
                  .step = dispatch.step },
        .customer = dispatch.customer,
        .now_ms = turn_now(turn),
        .wall_ms = hand_over_ms(campaign, turn),
    };
    candidate_decide(campaign, turn, &candidate);
}

/* ---- schedules */

static void schedule_emit(struct campaign *campaign, struct turn *turn,
                          const struct campaign_schedule_ran *ran)
{
    campaign->record.kind = CAMPAIGN_RECORD_SCHEDULE_RAN;
    campaign->record.ran = *ran;
    campaign_record_emit(campaign, turn);
}

/* Under the wall clock an instant that was slept through, together with its successor, is left
 * out. So is one that meets an empty segment. */
static void schedule_begin(struct campaign *campaign, struct turn *turn,
                           const struct campaign_work *work)
{
    const struct campaign_rule *rule = &campaign->campaigns.campaigns[work->index];
    struct customer_id first = { .bytes = { 0 } };
    bool is_overtaken = !campaign->is_event_clock &&
                        campaign_core_is_overtaken(rule, work->due_ms, turn_wall(turn));
    bool has_audience =
        campaign_member_next(turn_view(turn), span_of_text(rule->segment), NULL, &first);
    struct campaign_schedule_ran ran = { .campaign = work->campaign,
                                         .due_ms = work->due_ms,
                                         .done = is_overtaken || !has_audience };
    schedule_emit(campaign, turn, &ran);
}

static void audience_decide(struct campaign *campaign, struct turn *turn,
                            const struct campaign_work *work)
{
    const struct view *view = turn_view(turn);
    const struct campaign_rule *rule = &campaign->campaigns.campaigns[work->index];
    struct campaign_standing standing = { .rules_version = 0 };
    bool found = campaign_standing_load(view, campaign_name_span(&work->campaign), &standing);
    assert(found && standing.is_running);
    struct campaign_schedule_ran ran = { .campaign = work->campaign, .due_ms = work->due_ms };
    if (!campaign_member_next(view, span_of_text(rule->segment),
                              standing.has_cursor ? &standing.cursor : NULL, &ran.after)) {
        ran.done = true;
        schedule_emit(campaign, turn, &ran);
        return;
    }
    struct campaign_subject subject = { .size = 0 };
    found = campaign_customer_load(view, ran.after, &subject);
    assert(found);
    struct campaign_candidate candidate = {
        .rule = rule,
        .plan = { .campaign = work->campaign,
                  .trigger = CAMPAIGN_BY_SCHEDULE,
                  .step = campaign_core_schedule_step(work->due_ms) },
        .customer = ran.after,
        .now_ms = turn_now(turn),
        .wall_ms = hand_over_ms(campaign, turn),
    };
    candidate.plan.dispatch =
        campaign_core_dispatch_id(campaign_name_span(&work->campaign),
                                  span_of(subject.bytes, subject.size), &candidate.plan.step);
    struct campaign_dispatch known = { .state = CAMPAIGN_PLANNED };
    if (campaign_dispatch_load(view, candidate.plan.dispatch, &known)) {
        ran.has_after = true;
        schedule_emit(campaign, turn, &ran);
        return;
    }
    candidate_decide(campaign, turn, &candidate);
}

/* False: there is nothing to decide now. */
static bool work_do(struct campaign *campaign, struct turn *turn, const struct campaign_work *work)
{
    switch (work->kind) {
    case CAMPAIGN_WORK_NONE:
        return false;
    case CAMPAIGN_WORK_PLANNED:
        planned_decide(campaign, turn, work);
        return true;
    case CAMPAIGN_WORK_AUDIENCE:
        audience_decide(campaign, turn, work);
        return true;
    case CAMPAIGN_WORK_BEGIN:
        break;
    }
    if (work->due_ms > turn_now(turn)) {
        return false;
    }
    schedule_begin(campaign, turn, work);
    return true;
}

void campaign_pump(struct campaign *campaign, struct turn *turn, size_t facts_max)
{
    bool goes_on = true;
    for (size_t made = 0; made < facts_max && goes_on; made++) {
        /* A copy, since deciding changes what is next. */
        struct campaign_work work = campaign_survey_renew(campaign, turn_view(turn))->work;
        goes_on = work_do(campaign, turn, &work);
    }
}
