#include "services/campaign/campaign_core.h"

#include "common/base/time_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What templates call the identifier itself. */
#define CUSTOMER_VALUE "customer"

/* ---- planning */

struct campaign_step campaign_core_entry_step(uint64_t seq)
{
    struct campaign_step step = { .size = 0 };
    int length = snprintf(step.text, sizeof step.text, "entry/%" PRIu64, seq);
    assert(length > 0 && (size_t)length < sizeof step.text);
    step.size = (uint8_t)length;
    return step;
}

struct campaign_step campaign_core_schedule_step(int64_t due_ms)
{
    char time[TIME_TEXT_BYTES] = "";
    time_format(due_ms, time);
    struct campaign_step step = { .size = 0 };
    int length = snprintf(step.text, sizeof step.text, "schedule/%s", time);
    assert(length > 0 && (size_t)length < sizeof step.text);
    step.size = (uint8_t)length;
    return step;
}

struct campaign_step campaign_core_command_step(struct span key)
{
    static const char prefix[] = "command/";
    assert(key.size >= 1 && key.size <= LIMIT_ID_BYTES);
    struct campaign_step step = { .size = (uint8_t)(sizeof prefix - 1 + key.size) };
    memcpy(step.text, prefix, sizeof prefix - 1);
    memcpy(step.text + sizeof prefix - 1, key.data, key.size);
    return step;
}

struct hash128 campaign_core_dispatch_id(struct span campaign, struct span customer,
                                         const struct campaign_step *step)
{
    const struct span parts[] = { campaign, customer, span_of(step->text, step->size) };
    return hash128_of(span_of(NULL, 0), parts, sizeof parts / sizeof parts[0]);
}

static bool is_said(const struct campaign_moved *moved, struct span name)
{
    for (size_t i = 0; i < moved->contact_count; i++) {
        if (span_equal(moved->contact[i].name, name)) {
            return true;
        }
    }
    return false;
}

void campaign_core_contact_complete(const struct campaigns *campaigns, struct campaign_moved *moved)
{
    struct span needs[CAMPAIGNS_NEEDS_MAX];
    size_t count =
        moved->entered ? campaigns_needs(campaigns, campaign_name_span(&moved->segment), needs) : 0;
    for (size_t i = 0; i < count && moved->contact_count < CAMPAIGNS_NEEDS_MAX; i++) {
        if (!is_said(moved, needs[i])) {
            moved->contact[moved->contact_count++] = (struct campaign_said){ .name = needs[i] };
        }
    }
}

void campaign_core_entry_plan(const struct view *view, const struct campaign_setup *setup,
                              uint64_t seq, struct campaign_moved *moved)
{
    const struct campaigns *campaigns = setup->campaigns;
    struct span segment = campaign_name_span(&moved->segment);
    struct campaign_plan plan = { .trigger = CAMPAIGN_BY_ENTRY,
                                  .step = campaign_core_entry_step(seq) };
    moved->plan_count = 0;
    for (size_t i = 0; moved->entered && i < campaigns->campaign_count; i++) {
        const struct campaign_rule *rule = &campaigns->campaigns[i];
        struct campaign_standing standing = { .since_ms = INT64_MAX };
        if (!rule->on_entry || !span_equal(span_of_text(rule->segment), segment) ||
            !campaign_standing_load(view, span_of_text(rule->name), &standing) ||
            moved->told_at_ms < standing.since_ms) {
            continue;
        }
        plan.campaign = campaign_name_of(span_of_text(rule->name));
        plan.dispatch = campaign_core_dispatch_id(
            campaign_name_span(&plan.campaign), span_of(moved->subject.bytes, moved->subject.size),
            &plan.step);
        struct campaign_dispatch known = { .state = CAMPAIGN_PLANNED };
        if (!campaign_dispatch_load(view, plan.dispatch, &known)) {
            moved->plans[moved->plan_count++] = plan;
        }
    }
}

/* ---- what is to be done next */

/* The first instant of a schedule after `after_ms`. False: there is none any more. */
static bool instant_after(const struct campaign_schedule *schedule, int64_t after_ms,
                          int64_t *due_ms)
{
    int64_t due = schedule->first_ms;
    if (due <= after_ms) {
        if (schedule->every_days == 0) {
            return false;
        }
        /* Within 63 bits: times span 2^49 ms, and an interval is below 2^59. */
        int64_t interval_ms = schedule->every_days * MS_PER_DAY;
        due += ((after_ms - due) / interval_ms + 1) * interval_ms;
    }
    if (due > LIMIT_TIME_MOST_MS) {
        return false;
    }
    *due_ms = due;
    return true;
}

bool campaign_core_is_overtaken(const struct campaign_rule *rule, int64_t due_ms, int64_t until_ms)
{
    int64_t next_ms = 0;
    return instant_after(&rule->schedule, due_ms, &next_ms) && next_ms <= until_ms;
}

struct survey_walk {
    const struct view *view;
    const struct campaigns *campaigns;
    uint32_t rules_version;
    bool is_free[CAMPAIGNS_CHANNELS_MAX];
    struct campaign_survey survey;
};

/* Planned before schedules, those that run before those that begin. */
static bool work_comes_first(const struct campaign_work *a, const struct campaign_work *b)
{
    if (b->kind == CAMPAIGN_WORK_NONE || a->kind != b->kind) {
        return b->kind == CAMPAIGN_WORK_NONE || a->kind < b->kind;
    }
    switch (a->kind) {
    case CAMPAIGN_WORK_PLANNED:
        return a->order < b->order;
    case CAMPAIGN_WORK_BEGIN:
        return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->index < b->index);
    case CAMPAIGN_WORK_AUDIENCE:
    case CAMPAIGN_WORK_NONE:
        break;
    }
    return a->index < b->index;
}

/* What one campaign has before it now: the first in its queue, or else a schedule's audience. */
static struct campaign_work work_at_hand(const struct survey_walk *walk, struct span name,
                                         size_t index, const struct campaign_standing *standing)
{
    struct campaign_work work = { .campaign = campaign_name_of(name), .index = index };
    if (standing->taken < standing->queued) {
        struct campaign_queued queued = { .order = 0 };
        bool found = campaign_queued_load(walk->view, name, standing->taken + 1, &queued);
        assert(found);
        work.order = queued.order;
        work.due_ms = queued.planned_at_ms;
        work.kind = CAMPAIGN_WORK_PLANNED;
    } else if (index < walk->campaigns->campaign_count && standing->is_running) {
        work.due_ms = standing->after_ms;
        work.kind = CAMPAIGN_WORK_AUDIENCE;
    }
    return work;
}

/* The next instant of its schedule. */
static struct campaign_work work_to_begin(const struct survey_walk *walk, struct span name,
                                          size_t index, const struct campaign_standing *standing)
{
    struct campaign_work work = { .campaign = campaign_name_of(name), .index = index };
    bool is_gone = index == walk->campaigns->campaign_count;
    const struct campaign_schedule schedule = { .is_set = true,
                                                .first_ms = standing->first_ms,
                                                .every_days = standing->every_days };
    if (!is_gone && standing->has_schedule && !standing->is_running &&
        instant_after(&schedule, standing->after_ms, &work.due_ms)) {
        work.kind = CAMPAIGN_WORK_BEGIN;
    }
    return work;
}

/* What one campaign has to do. A channel that is not free keeps no schedule from beginning. */
static struct campaign_work work_of(const struct survey_walk *walk, struct span name, size_t index,
                                    const struct campaign_standing *standing)
{
    const struct campaigns *campaigns = walk->campaigns;
    bool is_free =
        index == campaigns->campaign_count || walk->is_free[campaigns->campaigns[index].channel];
    struct campaign_work work = { .kind = CAMPAIGN_WORK_NONE };
    if (is_free) {
        work = work_at_hand(walk, name, index, standing);
    }
    return work.kind != CAMPAIGN_WORK_NONE ? work : work_to_begin(walk, name, index, standing);
}

static bool survey_visit(void *argument, struct span key, struct span value)
{
    struct survey_walk *walk = argument;
    struct span name = { 0 };
    enum status status = campaign_key_name_decode(key, &name);
    assert(status == STATUS_OK);
    struct campaign_standing standing = { .rules_version = 0 };
    campaign_standing_decode(value, &standing);
    const struct campaigns *campaigns = walk->campaigns;
    const struct campaign_rule *rule =
        standing.rules_version == walk->rules_version ? campaigns_find(campaigns, name) : NULL;
    size_t index = rule == NULL ? campaigns->campaign_count : (size_t)(rule - campaigns->campaigns);
    struct campaign_work work = work_of(walk, name, index, &standing);
    if (work.kind != CAMPAIGN_WORK_NONE && work_comes_first(&work, &walk->survey.work)) {
        walk->survey.work = work;
    }
    walk->survey.is_running = walk->survey.is_running || (rule != NULL && standing.is_running);
    return true;
}

struct campaign_survey campaign_core_survey(const struct view *view,
                                            const struct campaign_setup *setup,
                                            const bool blocked[CAMPAIGNS_CHANNELS_MAX])
{
    struct survey_walk walk = { .view = view, .campaigns = setup->campaigns };
    struct campaign_head head = { .rules_version = 0 };
    (void)campaign_head_load(view, &head);
    walk.rules_version = head.rules_version;
    for (size_t i = 0; i < setup->campaigns->channel_count; i++) {
        const struct campaign_channel *channel = &setup->campaigns->channels[i];
        uint32_t places = campaign_places_load(view, span_of_text(channel->name));
        walk.is_free[i] =
            !blocked[i] && (uint32_t)__builtin_popcount(places) < channel->in_flight_max;
    }
    view_scan(view, CAMPAIGN_TABLE_CAMPAIGN, span_of(NULL, 0), survey_visit, &walk);
    return walk.survey;
}

/* ---- messages */

void campaign_message_init(struct campaign_message *message)
{
    buffer_init(&message->address, CAMPAIGN_CONTACT_BYTES);
    buffer_init(&message->subject, CAMPAIGN_FILLED_BYTES);
    buffer_init(&message->text, CAMPAIGN_FILLED_BYTES);
}

void campaign_message_release(struct campaign_message *message)
{
    buffer_release(&message->address);
    buffer_release(&message->subject);
    buffer_release(&message->text);
}

struct known_values {
    const struct view *view;
    struct customer_id customer;
    struct campaign_subject subject;
    struct campaign_contact contact; /* the newest that was asked for */
};

/* What cannot be read here is as good as not known. */
static bool contact_value(void *context, struct span name, struct span *value)
{
    struct known_values *known = context;
    if (span_equal(name, span_of_text(CUSTOMER_VALUE))) {
        *value = span_of(known->subject.bytes, known->subject.size);
        return known->subject.key_id == 0 && known->subject.size > 0;
    }
    if (!campaign_contact_load(known->view, known->customer, name, &known->contact)) {
        return false;
    }
    *value = span_of(known->contact.bytes, known->contact.size);
    return known->contact.key_id == 0 && known->contact.size > 0;
}

/* False: `missing` is what is not known. */
static bool template_fill(const char *text, const struct campaign_values *values,
                          struct buffer *out, struct span *missing)
{
    buffer_clear(out);
    enum status status = campaign_template_fill(text, values, out, missing);
    assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return status == STATUS_OK;
}

static enum campaign_reason message_fill(const struct campaigns *campaigns,
                                         const struct campaign_rule *rule,
                                         struct known_values *known,
                                         struct campaign_message *message,
                                         struct campaign_detail *detail)
{
    const struct campaign_channel *channel = &campaigns->channels[rule->channel];
    struct campaign_values values = { .context = known, .value = contact_value };
    buffer_clear(&message->address);
    if (channel->address[0] != '\0') {
        struct span address = { 0 };
        if (!contact_value(known, span_of_text(channel->address), &address)) {
            return CAMPAIGN_NO_ADDRESS;
        }
        enum status status = buffer_append(&message->address, address);
        assert(status == STATUS_OK);
    }
    struct span missing = { 0 };
    if (!template_fill(rule->subject, &values, &message->subject, &missing) ||
        !template_fill(rule->text, &values, &message->text, &missing)) {
        *detail = campaign_detail_of(missing);
        return CAMPAIGN_MISSING_ATTRIBUTE;
    }
    if (message->address.size + message->subject.size + message->text.size >
        CAMPAIGNS_MESSAGE_BYTES) {
        return CAMPAIGN_TOO_LONG;
    }
    return CAMPAIGN_REASON_NONE;
}

/* ---- deciding */

enum cap_answer { CAP_FREE, CAP_FULL, CAP_DEPENDS };

/* Whether one more message passes the cap, or the outcome of an open one will tell. */
static enum cap_answer cap_check(const struct view *view,
                                 const struct campaign_candidate *candidate)
{
    const struct campaign_rule *rule = candidate->rule;
    if (rule->cap_messages == 0) {
        return CAP_FREE;
    }
    struct campaign_cap cap = { .count = 0 };
    (void)campaign_cap_load(view, span_of_text(rule->name), candidate->customer, &cap);
    int64_t from_ms = candidate->now_ms - rule->cap_days * MS_PER_DAY;
    uint32_t counted = 0;
    uint32_t open = 0;
    for (size_t i = 0; i < cap.count; i++) {
        bool counts = cap.intents[i].at_ms > from_ms;
        counted += counts;
        open += counts && cap.intents[i].is_open;
    }
    if (counted < rule->cap_messages) {
        return CAP_FREE;
    }
    return counted - open < rule->cap_messages ? CAP_DEPENDS : CAP_FULL;
}

static bool is_valid(const struct campaign_candidate *candidate)
{
    const struct campaign_rule *rule = candidate->rule;
    int64_t at_ms = candidate->wall_ms > candidate->now_ms ? candidate->wall_ms : candidate->now_ms;
    return at_ms >= rule->valid_from_ms && at_ms < rule->valid_until_ms;
}

bool campaign_core_decide(const struct view *view, const struct campaign_setup *setup,
                          const struct campaign_candidate *candidate,
                          struct campaign_decision *decision, struct campaign_message *message)
{
    const struct campaign_rule *rule = candidate->rule;
    struct campaign_standing standing = { .rules_version = 0 };
    struct campaign_head head = { .rules_version = 0 };
    struct known_values known = { .view = view, .customer = candidate->customer };
    bool found =
        campaign_standing_load(view, campaign_name_span(&candidate->plan.campaign), &standing);
    found = campaign_head_load(view, &head) && found;
    found = campaign_customer_load(view, candidate->customer, &known.subject) && found;
    assert(found);
    struct campaign_decision decided = {
        .customer = candidate->customer,
        .subject = known.subject,
        .plan = candidate->plan,
        .number = standing.decided + 1,
        .rules_version = head.rules_version,
    };
    enum cap_answer cap = CAP_FREE;
    int64_t since_ms = 0;
    if (rule == NULL) {
        decided.reason = CAMPAIGN_GONE;
    } else if (!is_valid(candidate)) {
        decided.reason = CAMPAIGN_NOT_VALID;
    } else if (!campaign_member_load(view, span_of_text(rule->segment), candidate->customer,
                                     &since_ms)) {
        decided.reason = CAMPAIGN_NOT_IN_SEGMENT;
    } else {
        cap = cap_check(view, candidate);
        decided.reason =
            cap == CAP_FREE ? message_fill(setup->campaigns, rule, &known, message, &decided.detail)
                            : CAMPAIGN_CAP_REACHED;
    }
    if (cap == CAP_DEPENDS && setup->waits_for_outcomes) {
        return false;
    }
    decided.becomes = decided.reason == CAMPAIGN_REASON_NONE ? CAMPAIGN_OPEN : CAMPAIGN_SUPPRESSED;
    if (rule != NULL) {
        const struct campaign_channel *channel = &setup->campaigns->channels[rule->channel];
        decided.channel = campaign_name_of(span_of_text(channel->name));
        if (decided.becomes == CAMPAIGN_OPEN) {
            decided.channel_identity = campaign_channel_identity(channel);
        }
    }
    *decision = decided;
    return true;
}

void campaign_core_outcome(const struct view *view, const struct campaign_outcome *outcome,
                           struct campaign_decision *decision)
{
    struct campaign_dispatch dispatch = { .state = CAMPAIGN_PLANNED };
    struct campaign_subject subject = { .size = 0 };
    struct campaign_head head = { .rules_version = 0 };
    bool found = campaign_dispatch_load(view, outcome->dispatch, &dispatch) &&
                 campaign_customer_load(view, dispatch.customer, &subject) &&
                 campaign_head_load(view, &head);
    assert(found && dispatch.state == CAMPAIGN_OPEN);
    *decision = (struct campaign_decision){
        .becomes = outcome->becomes,
        .customer = dispatch.customer,
        .subject = subject,
        .plan = { .dispatch = outcome->dispatch,
                  .campaign = dispatch.campaign,
                  .trigger = dispatch.trigger,
                  .step = dispatch.step },
        .number = dispatch.number,
        .channel = dispatch.channel,
        .reason = outcome->becomes == CAMPAIGN_SUPPRESSED ? CAMPAIGN_REFUSED : CAMPAIGN_REASON_NONE,
        .detail = campaign_detail_of(outcome->detail),
        .rules_version = head.rules_version,
    };
}
