/*
 * Deciding over a state in memory: each reason, in the order in which they are looked at, and
 * the edges of windows.
 */
#include "common/base/time_text.h"
#include "services/campaign/campaign_core.h"
#include "tests/support/memory_view.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define NOW_MS INT64_C(899164800000)

static struct memory_view *memory;
static struct view view;
static struct change change;
static struct campaigns campaigns;
static struct campaign_setup setup;
static struct campaign_message message;
static struct campaign_decision decision;
static uint64_t seq;
static uint32_t version;
static int64_t wall_ms; /* 0: as now is */

/* ---- fixture */

static void text_set(char *out, size_t size, const char *text)
{
    int length = snprintf(out, size, "%s", text);
    ck_assert(length >= 0 && (size_t)length < size);
}
#define SET(field, text) text_set(field, sizeof(field), text)

static struct customer_id customer_of(uint8_t number)
{
    struct customer_id customer = { .bytes = { 0 } };
    customer.bytes[15] = number;
    return customer;
}

static void rules_put(int64_t at_ms)
{
    struct campaign_rules_change rules = { .version = ++version,
                                           .at_ms = at_ms,
                                           .count = campaigns.campaign_count };
    for (size_t i = 0; i < rules.count; i++) {
        rules.campaigns[i].name = campaign_name_of(span_of_text(campaigns.campaigns[i].name));
        rules.campaigns[i].schedule = campaigns.campaigns[i].schedule;
    }
    campaign_core_rules_evolve(&change, &rules);
}

static struct campaign_rule *rule_add(const char *name, size_t channel)
{
    struct campaign_rule *rule = &campaigns.campaigns[campaigns.campaign_count++];
    *rule = (struct campaign_rule){ .channel = channel,
                                    .on_entry = true,
                                    .valid_from_ms = INT64_MIN,
                                    .valid_until_ms = INT64_MAX };
    SET(rule->name, name);
    SET(rule->segment, "big");
    SET(rule->text, "Dear {customer}, {tier}");
    return rule;
}

static void channel_add(const char *name, const char *address, uint32_t in_flight_max)
{
    struct campaign_channel *channel = &campaigns.channels[campaigns.channel_count++];
    *channel = (struct campaign_channel){ .in_flight_max = in_flight_max };
    SET(channel->name, name);
    SET(channel->address, address);
}

static void setup_all(void)
{
    memory_view_open(&memory);
    view = memory_view_reader(memory);
    change = memory_view_writer(memory);
    memset(&campaigns, 0, sizeof campaigns);
    setup = (struct campaign_setup){ .campaigns = &campaigns };
    campaign_message_init(&message);
    seq = 0;
    version = 0;
    wall_ms = 0;
    channel_add("post", "phone", 2);
    channel_add("mail", "", 2);
    (void)rule_add("thanks", 0);
}

static void teardown_all(void)
{
    campaign_message_release(&message);
    memory_view_close(&memory);
}

/* An entry, or an exit, of a customer whose identifier is "cN". */
static void move(uint8_t number, bool entered, const char *phone, const char *tier)
{
    char text[8] = "";
    (void)snprintf(text, sizeof text, "c%u", number);
    struct campaign_moved moved = {
        .customer = customer_of(number),
        .subject = campaign_subject_of((struct sealed){ .bytes = span_of_text(text) }),
        .segment = campaign_name_of(span_of_text("big")),
        .entered = entered,
        .told_at_ms = NOW_MS,
        .at_ms = NOW_MS,
    };
    if (phone != NULL) {
        moved.contact[moved.contact_count].name = span_of_text("phone");
        moved.contact[moved.contact_count++].value.bytes = span_of_text(phone);
    }
    if (tier != NULL) {
        moved.contact[moved.contact_count].name = span_of_text("tier");
        moved.contact[moved.contact_count++].value.bytes = span_of_text(tier);
    }
    campaign_core_entry_plan(&view, &setup, ++seq, &moved);
    ck_assert(entered || moved.plan_count == 0);
    campaign_core_moved_evolve(&change, &moved);
}

/* Decides the first that waits in a queue. False: it waits. */
static bool decide_at(int64_t now_ms)
{
    const bool blocked[CAMPAIGNS_CHANNELS_MAX] = { false };
    struct campaign_survey survey = campaign_core_survey(&view, &setup, blocked);
    ck_assert_int_eq(survey.work.kind, CAMPAIGN_WORK_PLANNED);
    struct span name = campaign_name_span(&survey.work.campaign);
    struct campaign_standing standing = { .taken = 0 };
    struct campaign_queued queued = { .order = 0 };
    struct campaign_dispatch dispatch = { .number = 0 };
    ck_assert(campaign_standing_load(&view, name, &standing));
    ck_assert(campaign_queued_load(&view, name, standing.taken + 1, &queued));
    ck_assert(campaign_dispatch_load(&view, queued.dispatch, &dispatch));
    struct campaign_candidate candidate = {
        .rule = survey.work.index < campaigns.campaign_count
                    ? &campaigns.campaigns[survey.work.index]
                    : NULL,
        .plan = { queued.dispatch, dispatch.campaign, dispatch.trigger, dispatch.step },
        .customer = dispatch.customer,
        .now_ms = now_ms,
        .wall_ms = wall_ms,
    };
    if (!campaign_core_decide(&view, &setup, &candidate, &decision, &message)) {
        return false;
    }
    decision.message.bytes = span_of_text("sealed");
    campaign_core_decision_evolve(&change, &decision, ++seq, now_ms);
    return true;
}

static enum campaign_reason reason_at(int64_t now_ms)
{
    ck_assert(decide_at(now_ms));
    ck_assert_int_eq(decision.becomes,
                     decision.reason == CAMPAIGN_REASON_NONE ? CAMPAIGN_OPEN : CAMPAIGN_SUPPRESSED);
    return decision.reason;
}

/* What the channel says of the newest intent. */
static void outcome(enum campaign_dispatch_state becomes)
{
    struct campaign_outcome told = { .dispatch = decision.plan.dispatch,
                                     .becomes = becomes,
                                     .detail = span_of_text(becomes == CAMPAIGN_SENT ? "" : "no") };
    struct campaign_decision outcome_of = { .number = 0 };
    campaign_core_outcome(&view, &told, &outcome_of);
    ck_assert_uint_eq(outcome_of.number, decision.number);
    campaign_core_decision_evolve(&change, &outcome_of, ++seq, NOW_MS);
}

static bool span_is(struct buffer buffer, const char *text)
{
    return span_equal(buffer_span(&buffer), span_of_text(text));
}

/* ---- reasons */

START_TEST(a_member_with_an_address_is_written_to)
{
    rules_put(NOW_MS);
    move(1, true, "0700 1", "gold");
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    ck_assert_uint_eq(decision.number, 1);
    ck_assert_str_eq(decision.channel.text, "post");
    ck_assert_str_eq(decision.plan.step.text, "entry/1");
    ck_assert_uint_eq(decision.rules_version, 1);
    ck_assert(span_is(message.address, "0700 1"));
    ck_assert(span_is(message.subject, ""));
    ck_assert(span_is(message.text, "Dear c1, gold"));
}
END_TEST

START_TEST(a_campaign_that_is_gone_writes_to_nobody)
{
    rules_put(NOW_MS);
    move(1, true, "1", "gold");
    campaigns.campaign_count = 0;
    rules_put(NOW_MS);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_GONE);
    ck_assert_uint_eq(decision.channel.size, 0);
    ck_assert_uint_eq(decision.rules_version, 2);
}
END_TEST

START_TEST(validity_begins_with_its_first_moment_and_ends_before_its_last)
{
    campaigns.campaigns[0].valid_from_ms = NOW_MS + 10;
    campaigns.campaigns[0].valid_until_ms = NOW_MS + 20;
    rules_put(NOW_MS);
    for (uint8_t i = 1; i <= 4; i++) {
        move(i, true, "1", "gold");
    }
    ck_assert_int_eq(reason_at(NOW_MS + 9), CAMPAIGN_NOT_VALID);
    ck_assert_int_eq(reason_at(NOW_MS + 10), CAMPAIGN_REASON_NONE);
    ck_assert_int_eq(reason_at(NOW_MS + 19), CAMPAIGN_REASON_NONE);
    outcome(CAMPAIGN_SENT);
    ck_assert_int_eq(reason_at(NOW_MS + 20), CAMPAIGN_NOT_VALID);
}
END_TEST

START_TEST(what_was_slept_through_is_valid_if_it_is_when_it_is_handed_over)
{
    campaigns.campaigns[0].valid_from_ms = NOW_MS;
    campaigns.campaigns[0].valid_until_ms = NOW_MS + 20;
    rules_put(NOW_MS);
    for (uint8_t i = 1; i <= 3; i++) {
        move(i, true, "1", "gold");
    }
    wall_ms = NOW_MS + 19;
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    outcome(CAMPAIGN_SENT);
    wall_ms = NOW_MS + 20;
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_NOT_VALID);
    wall_ms = NOW_MS; /* behind now, as a clock that went back */
    ck_assert_int_eq(reason_at(NOW_MS + 20), CAMPAIGN_NOT_VALID);
}
END_TEST

START_TEST(who_left_meanwhile_is_not_written_to)
{
    rules_put(NOW_MS);
    move(1, true, "1", "gold");
    move(1, false, NULL, NULL);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_NOT_IN_SEGMENT);
    ck_assert_str_eq(decision.channel.text, "post");
}
END_TEST

START_TEST(the_cap_covers_its_days_back_to_but_not_with_their_first_moment)
{
    campaigns.campaigns[0].cap_messages = 1;
    campaigns.campaigns[0].cap_days = 30;
    rules_put(NOW_MS);
    for (unsigned i = 0; i < 4; i++) {
        move(1, true, "1", "gold");
    }
    int64_t window_ms = 30 * MS_PER_DAY;
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_CAP_REACHED);
    ck_assert_int_eq(reason_at(NOW_MS + window_ms - 1), CAMPAIGN_CAP_REACHED);
    ck_assert_int_eq(reason_at(NOW_MS + window_ms), CAMPAIGN_REASON_NONE);
}
END_TEST

START_TEST(a_cap_is_each_customers_and_each_campaigns_own)
{
    campaigns.campaigns[0].cap_messages = 1;
    campaigns.campaigns[0].cap_days = 30;
    *rule_add("other", 1) = campaigns.campaigns[0];
    SET(campaigns.campaigns[1].name, "other");
    campaigns.campaigns[1].channel = 1;
    rules_put(NOW_MS);
    move(1, true, "1", "gold");
    move(2, true, "2", "gold");
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    }
}
END_TEST

START_TEST(what_the_channel_refused_does_not_count_and_what_is_unknown_does)
{
    campaigns.campaigns[0].cap_messages = 1;
    campaigns.campaigns[0].cap_days = 30;
    rules_put(NOW_MS);
    for (unsigned i = 0; i < 3; i++) {
        move(1, true, "1", "gold");
    }
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    outcome(CAMPAIGN_SUPPRESSED);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    outcome(CAMPAIGN_UNKNOWN);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_CAP_REACHED);
    struct campaign_standing standing = { .taken = 0 };
    ck_assert(campaign_standing_load(&view, span_of_text("thanks"), &standing));
    ck_assert_uint_eq(standing.suppressed, 2);
    ck_assert_uint_eq(standing.unknown, 1);
    ck_assert_uint_eq(standing.open, 0);
    ck_assert_uint_eq(standing.decided, 3);
}
END_TEST

START_TEST(where_an_outcome_may_turn_the_cap_the_decision_waits_if_it_is_to)
{
    campaigns.campaigns[0].cap_messages = 1;
    campaigns.campaigns[0].cap_days = 30;
    setup.waits_for_outcomes = true;
    rules_put(NOW_MS);
    for (unsigned i = 0; i < 3; i++) {
        move(1, true, "1", "gold");
    }
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    struct campaign_decision first = decision;
    ck_assert(!decide_at(NOW_MS));
    decision = first;
    outcome(CAMPAIGN_SUPPRESSED);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    first = decision;
    ck_assert(!decide_at(NOW_MS));
    decision = first;
    outcome(CAMPAIGN_SENT);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_CAP_REACHED);
}
END_TEST

START_TEST(the_widest_cap_counts_all_its_messages)
{
    campaigns.campaigns[0].cap_messages = CAMPAIGNS_CAP_MESSAGES_MAX;
    campaigns.campaigns[0].cap_days = CAMPAIGNS_CAP_DAYS_MAX;
    rules_put(NOW_MS);
    for (unsigned i = 0; i < CAMPAIGNS_CAP_MESSAGES_MAX + 3; i++) {
        move(1, true, "1", "gold");
    }
    for (unsigned i = 0; i < CAMPAIGNS_CAP_MESSAGES_MAX; i++) {
        ck_assert_int_eq(reason_at(NOW_MS + i), CAMPAIGN_REASON_NONE);
        outcome(CAMPAIGN_SENT);
    }
    int64_t window_ms = CAMPAIGNS_CAP_DAYS_MAX * MS_PER_DAY;
    ck_assert_int_eq(reason_at(NOW_MS + window_ms - 1), CAMPAIGN_CAP_REACHED);
    ck_assert_int_eq(reason_at(NOW_MS + window_ms), CAMPAIGN_REASON_NONE);
    ck_assert_int_eq(reason_at(NOW_MS + window_ms), CAMPAIGN_CAP_REACHED);
}
END_TEST

START_TEST(without_an_address_nothing_is_sent_unless_the_channel_has_none)
{
    (void)rule_add("lines", 1);
    rules_put(NOW_MS);
    move(1, true, NULL, "gold");
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_NO_ADDRESS);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    ck_assert_str_eq(decision.channel.text, "mail");
    move(2, true, "", "gold");
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_NO_ADDRESS);
}
END_TEST

START_TEST(an_attribute_that_is_not_known_is_named)
{
    SET(campaigns.campaigns[0].subject, "{city} is calling");
    rules_put(NOW_MS);
    move(1, true, "1", "gold");
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_MISSING_ATTRIBUTE);
    ck_assert_str_eq(decision.detail.text, "city");
}
END_TEST

START_TEST(what_is_missing_comes_before_what_is_too_long)
{
    char tier[CAMPAIGN_CONTACT_BYTES + 1] = "";
    memset(tier, 'x', sizeof tier - 1);
    SET(campaigns.campaigns[0].text, "{tier}{tier}{city}");
    rules_put(NOW_MS);
    move(1, true, "1", tier);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_MISSING_ATTRIBUTE);
    SET(campaigns.campaigns[0].text, "{tier}{tier}");
    move(2, true, "1", tier);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_TOO_LONG);
}
END_TEST

START_TEST(a_message_of_all_its_bytes_is_sent_and_one_more_is_too_long)
{
    char tier[1000 + 1] = "";
    memset(tier, 'x', sizeof tier - 1);
    char text[CAMPAIGNS_TEMPLATE_BYTES + 1] = "{tier}";
    memset(text + 6, 'y', CAMPAIGNS_MESSAGE_BYTES - 1000 - 1);
    SET(campaigns.campaigns[0].text, text);
    rules_put(NOW_MS);
    move(1, true, "1", tier);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    ck_assert_uint_eq(message.address.size + message.text.size, CAMPAIGNS_MESSAGE_BYTES);
    move(2, true, "12", tier);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_TOO_LONG);
}
END_TEST

START_TEST(the_longest_template_of_the_longest_attributes_is_only_too_long)
{
    char value[CAMPAIGN_CONTACT_BYTES + 1] = "";
    memset(value, 'x', sizeof value - 1);
    char text[CAMPAIGNS_TEMPLATE_BYTES + 1] = "";
    for (size_t at = 0; at + 3 < sizeof text; at += 3) {
        memcpy(text + at, "{t}", 4);
    }
    SET(campaigns.campaigns[0].text, text);
    rules_put(NOW_MS);
    move(1, true, "1", "gold");
    campaign_contact_put(&change, customer_of(1), span_of_text("t"),
                         (struct sealed){ .bytes = span_of_text(value) });
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_TOO_LONG);
}
END_TEST

START_TEST(reasons_are_looked_at_in_their_order)
{
    struct campaign_rule *rule = &campaigns.campaigns[0];
    rule->valid_until_ms = NOW_MS;
    rule->cap_messages = 1;
    rule->cap_days = 1;
    SET(rule->text, "{city}");
    rules_put(NOW_MS);
    for (unsigned i = 0; i < 5; i++) {
        move(1, true, NULL, NULL);
    }
    move(1, false, NULL, NULL);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_NOT_VALID);
    rule->valid_until_ms = INT64_MAX;
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_NOT_IN_SEGMENT);
    campaign_member_put(&change, span_of_text("big"), customer_of(1), NOW_MS);
    struct campaign_cap cap = { .count = 1, .intents = { { .number = 99, .at_ms = NOW_MS } } };
    campaign_cap_put(&change, span_of_text("thanks"), customer_of(1), &cap);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_CAP_REACHED);
    rule->cap_messages = 2;
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_NO_ADDRESS);
    campaign_contact_put(&change, customer_of(1), span_of_text("phone"),
                         (struct sealed){ .bytes = span_of_text("1") });
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_MISSING_ATTRIBUTE);
}
END_TEST

START_TEST(what_is_sealed_with_a_key_is_as_good_as_not_known)
{
    rules_put(NOW_MS);
    move(1, true, "1", NULL);
    campaign_contact_put(&change, customer_of(1), span_of_text("tier"),
                         (struct sealed){ .key_id = 7, .bytes = span_of_text("cipher") });
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_MISSING_ATTRIBUTE);
}
END_TEST

/* ---- ids */

START_TEST(a_dispatch_is_its_campaign_customer_and_step)
{
    struct campaign_step step = campaign_core_entry_step(UINT64_MAX);
    ck_assert_str_eq(step.text, "entry/18446744073709551615");
    struct span ann = span_of_text("ann");
    struct hash128 id = campaign_core_dispatch_id(span_of_text("thanks"), ann, &step);
    ck_assert(hash128_equal(id, campaign_core_dispatch_id(span_of_text("thanks"), ann, &step)));
    ck_assert(!hash128_equal(
        id, campaign_core_dispatch_id(span_of_text("thank"), span_of_text("sann"), &step)));
    struct campaign_step other = campaign_core_schedule_step(NOW_MS);
    ck_assert_str_eq(other.text, "schedule/1998-06-30T00:00:00Z");
    ck_assert(!hash128_equal(id, campaign_core_dispatch_id(span_of_text("thanks"), ann, &other)));
    char key[LIMIT_ID_BYTES + 1] = "";
    memset(key, 'k', LIMIT_ID_BYTES);
    other = campaign_core_command_step(span_of_text(key));
    ck_assert_uint_eq(other.size, 8 + LIMIT_ID_BYTES);
    ck_assert_uint_eq(strlen(other.text), other.size);
}
END_TEST

START_TEST(the_same_entry_again_plans_nothing)
{
    rules_put(NOW_MS);
    move(1, true, "1", "gold");
    seq -= 1; /* a feed whose journal was put back */
    move(1, true, "1", "gold");
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    const bool blocked[CAMPAIGNS_CHANNELS_MAX] = { false };
    ck_assert_int_eq(campaign_core_survey(&view, &setup, blocked).work.kind, CAMPAIGN_WORK_NONE);
}
END_TEST

/* ---- queues */

START_TEST(a_full_channel_keeps_no_other_waiting)
{
    (void)rule_add("other", 1);
    rules_put(NOW_MS);
    for (uint8_t i = 1; i <= 3; i++) {
        move(i, true, "1", "gold");
    }
    /* Each entry plans both campaigns; two places each. */
    static const char *const expected[] = { "thanks", "other", "thanks", "other" };
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
        ck_assert_str_eq(decision.plan.campaign.text, expected[i]);
    }
    const bool blocked[CAMPAIGNS_CHANNELS_MAX] = { false };
    ck_assert_int_eq(campaign_core_survey(&view, &setup, blocked).work.kind, CAMPAIGN_WORK_NONE);
    outcome(CAMPAIGN_SENT);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    ck_assert_str_eq(decision.plan.campaign.text, "other");
    ck_assert_uint_eq(decision.number, 3);
    ck_assert_int_eq(campaign_core_survey(&view, &setup, blocked).work.kind, CAMPAIGN_WORK_NONE);
}
END_TEST

START_TEST(campaigns_of_one_channel_take_turns_as_they_were_planned)
{
    *rule_add("zebra", 0) = campaigns.campaigns[0];
    SET(campaigns.campaigns[1].name, "a");
    campaigns.channels[0].in_flight_max = CAMPAIGNS_IN_FLIGHT_MAX;
    rules_put(NOW_MS);
    move(1, true, "1", "gold");
    move(2, true, "1", "gold");
    static const char *const expected[] = { "thanks", "a", "thanks", "a" };
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
        ck_assert_str_eq(decision.plan.campaign.text, expected[i]);
    }
}
END_TEST

START_TEST(a_channel_takes_as_many_as_there_are_places_at_all)
{
    campaigns.channels[0].in_flight_max = CAMPAIGNS_IN_FLIGHT_MAX;
    rules_put(NOW_MS);
    for (uint8_t i = 0; i <= CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        move(i, true, "1", "gold");
    }
    struct campaign_decision third = { .number = 0 };
    for (unsigned i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
        third = i == 2 ? decision : third;
    }
    ck_assert_uint_eq(campaign_places_load(&view, span_of_text("post")), UINT32_MAX);
    decision = third;
    outcome(CAMPAIGN_SENT);
    ck_assert_uint_eq(campaign_places_load(&view, span_of_text("post")), UINT32_MAX - 4);
    ck_assert_int_eq(reason_at(NOW_MS), CAMPAIGN_REASON_NONE);
    struct campaign_dispatch dispatch = { .number = 0 };
    ck_assert(campaign_dispatch_load(&view, decision.plan.dispatch, &dispatch));
    ck_assert_uint_eq(dispatch.place, 2);
}
END_TEST

/* ---- schedules */

static struct campaign_work begin_work(void)
{
    const bool blocked[CAMPAIGNS_CHANNELS_MAX] = { false };
    return campaign_core_survey(&view, &setup, blocked).work;
}

static void schedule_ran(int64_t due_ms)
{
    struct campaign_schedule_ran ran = { .campaign = campaign_name_of(span_of_text("thanks")),
                                         .due_ms = due_ms };
    campaign_core_schedule_evolve(&change, &ran);
    const bool blocked[CAMPAIGNS_CHANNELS_MAX] = { false };
    struct campaign_survey survey = campaign_core_survey(&view, &setup, blocked);
    ck_assert(survey.is_running);
    ck_assert_int_eq(survey.work.kind, CAMPAIGN_WORK_AUDIENCE);
    ran.done = true;
    campaign_core_schedule_evolve(&change, &ran);
}

START_TEST(a_schedule_is_due_at_its_instants_after_its_rules_came)
{
    campaigns.campaigns[0].schedule =
        (struct campaign_schedule){ .is_set = true, .first_ms = NOW_MS - 10, .every_days = 7 };
    rules_put(NOW_MS);
    int64_t due_ms = NOW_MS - 10 + 7 * MS_PER_DAY;
    ck_assert_int_eq(begin_work().kind, CAMPAIGN_WORK_BEGIN);
    ck_assert_int_eq(begin_work().due_ms, due_ms);
    schedule_ran(due_ms);
    ck_assert_int_eq(begin_work().due_ms, due_ms + 7 * MS_PER_DAY);
}
END_TEST

START_TEST(a_schedule_with_another_interval_is_another)
{
    campaigns.campaigns[0].schedule = (struct campaign_schedule){
        .is_set = true, .first_ms = NOW_MS - 50 * MS_PER_DAY, .every_days = 7
    };
    rules_put(NOW_MS - 100 * MS_PER_DAY);
    ck_assert_int_eq(begin_work().due_ms, NOW_MS - 50 * MS_PER_DAY);
    campaigns.campaigns[0].schedule.every_days = 3;
    rules_put(NOW_MS);
    ck_assert_int_eq(begin_work().due_ms, NOW_MS + MS_PER_DAY);
}
END_TEST

/* Not in the order of their names, by which they are found. */
START_TEST(schedules_of_one_instant_begin_and_run_in_the_order_of_the_file)
{
    static const char *const names[] = { "thanks", "also", "zebra" };
    struct campaign_schedule_ran ran = { .due_ms = NOW_MS + 1 };
    (void)rule_add("also", 0);
    (void)rule_add("zebra", 1);
    for (size_t i = 0; i < 3; i++) {
        campaigns.campaigns[i].schedule =
            (struct campaign_schedule){ .is_set = true, .first_ms = NOW_MS + 1, .every_days = 7 };
    }
    rules_put(NOW_MS);
    ck_assert_uint_eq(begin_work().index, 0);
    for (size_t i = 3; i > 0; i--) { /* the last of the file runs first */
        ran.campaign = campaign_name_of(span_of_text(names[i - 1]));
        campaign_core_schedule_evolve(&change, &ran);
        ck_assert_int_eq(begin_work().kind, CAMPAIGN_WORK_AUDIENCE);
        ck_assert_uint_eq(begin_work().index, i - 1);
    }
}
END_TEST

START_TEST(before_anything_was_folded_a_schedule_is_due_from_its_first_instant)
{
    campaigns.campaigns[0].schedule =
        (struct campaign_schedule){ .is_set = true, .first_ms = NOW_MS, .every_days = 7 };
    rules_put(LIMIT_TIME_LEAST_MS);
    ck_assert_int_eq(begin_work().due_ms, NOW_MS);
}
END_TEST

START_TEST(a_schedule_without_an_interval_is_due_once_and_not_at_its_rules_own_moment)
{
    campaigns.campaigns[0].schedule =
        (struct campaign_schedule){ .is_set = true, .first_ms = NOW_MS };
    rules_put(NOW_MS);
    ck_assert_int_eq(begin_work().kind, CAMPAIGN_WORK_NONE);
    campaigns.campaigns[0].schedule.first_ms = NOW_MS + 1;
    rules_put(NOW_MS);
    ck_assert_int_eq(begin_work().due_ms, NOW_MS + 1);
    schedule_ran(NOW_MS + 1);
    ck_assert_int_eq(begin_work().kind, CAMPAIGN_WORK_NONE);
}
END_TEST

START_TEST(a_schedule_that_is_added_or_returns_makes_up_for_nothing)
{
    rules_put(NOW_MS - 100 * MS_PER_DAY);
    struct campaign_schedule weekly = { .is_set = true,
                                        .first_ms = NOW_MS - 50 * MS_PER_DAY,
                                        .every_days = 7 };
    campaigns.campaigns[0].schedule = weekly;
    rules_put(NOW_MS);
    ck_assert_int_eq(begin_work().due_ms, NOW_MS + 6 * MS_PER_DAY);
    rules_put(NOW_MS + 10 * MS_PER_DAY); /* unchanged: it goes on where it stood */
    ck_assert_int_eq(begin_work().due_ms, NOW_MS + 6 * MS_PER_DAY);
    campaigns.campaign_count = 0;
    rules_put(NOW_MS + 10 * MS_PER_DAY);
    ck_assert_int_eq(begin_work().kind, CAMPAIGN_WORK_NONE);
    campaigns.campaign_count = 1;
    rules_put(NOW_MS + 14 * MS_PER_DAY);
    ck_assert_int_eq(begin_work().due_ms, NOW_MS + 20 * MS_PER_DAY);
}
END_TEST

START_TEST(a_schedule_ends_where_calendars_do)
{
    campaigns.campaigns[0].schedule =
        (struct campaign_schedule){ .is_set = true, .first_ms = NOW_MS, .every_days = UINT32_MAX };
    rules_put(LIMIT_TIME_LEAST_MS);
    schedule_ran(NOW_MS);
    ck_assert_int_eq(begin_work().kind, CAMPAIGN_WORK_NONE);
}
END_TEST

START_TEST(an_instant_is_overtaken_once_the_next_has_come)
{
    struct campaign_rule *rule = &campaigns.campaigns[0];
    rule->schedule =
        (struct campaign_schedule){ .is_set = true, .first_ms = NOW_MS, .every_days = 1 };
    ck_assert(!campaign_core_is_overtaken(rule, NOW_MS, NOW_MS + MS_PER_DAY - 1));
    ck_assert(campaign_core_is_overtaken(rule, NOW_MS, NOW_MS + MS_PER_DAY));
    rule->schedule.every_days = 0;
    ck_assert(!campaign_core_is_overtaken(rule, NOW_MS, LIMIT_TIME_MOST_MS));
}
END_TEST

/* ---- keys */

START_TEST(keys_come_back_and_no_name_is_the_beginning_of_another)
{
    char longest[LIMIT_ID_BYTES + 1] = "";
    memset(longest, 'n', LIMIT_ID_BYTES);
    struct campaign_key key = campaign_key_of_customer(span_of_text(longest), customer_of(9));
    struct span name = { 0 };
    struct customer_id customer = { .bytes = { 0 } };
    ck_assert_int_eq(campaign_key_customer_decode(campaign_key_span(&key), &name, &customer),
                     STATUS_OK);
    ck_assert(span_equal(name, span_of_text(longest)));
    ck_assert_uint_eq(customer.bytes[15], 9);
    ck_assert_int_eq(campaign_key_name_decode(campaign_key_span(&key), &name), STATUS_MALFORMED);
    key.size = (uint8_t)(key.size - 1);
    ck_assert_int_eq(campaign_key_customer_decode(campaign_key_span(&key), &name, &customer),
                     STATUS_MALFORMED);
    ck_assert_int_eq(campaign_key_name_decode(span_of(NULL, 0), &name), STATUS_MALFORMED);
    struct campaign_key shorter = campaign_key_of_name(span_of_text("big"));
    struct campaign_key other = campaign_key_of_customer(span_of_text("bigger"), customer_of(9));
    ck_assert(!span_has_prefix(campaign_key_span(&other), campaign_key_span(&shorter)));
}
END_TEST

START_TEST(members_are_walked_in_the_order_of_their_keys_within_their_segment)
{
    struct span segment = span_of_text("big");
    campaign_member_put(&change, segment, customer_of(3), NOW_MS);
    campaign_member_put(&change, segment, customer_of(1), NOW_MS);
    campaign_member_put(&change, span_of_text("bih"), customer_of(2), NOW_MS);
    campaign_member_put(&change, span_of_text("bi"), customer_of(2), NOW_MS);
    struct customer_id found = { .bytes = { 0 } };
    ck_assert(campaign_member_next(&view, segment, NULL, &found));
    ck_assert_uint_eq(found.bytes[15], 1);
    struct customer_id second = customer_of(2); /* who has left meanwhile */
    ck_assert(campaign_member_next(&view, segment, &second, &found));
    ck_assert_uint_eq(found.bytes[15], 3);
    ck_assert(!campaign_member_next(&view, segment, &found, &found));
}
END_TEST

static struct campaign_moved entry_told_at(int64_t told_at_ms)
{
    return (struct campaign_moved){ .customer = customer_of(1),
                                    .segment = campaign_name_of(span_of_text("big")),
                                    .entered = true,
                                    .told_at_ms = told_at_ms,
                                    .at_ms = NOW_MS };
}

START_TEST(an_entry_from_before_its_rules_plans_nothing)
{
    struct campaign_moved moved = entry_told_at(NOW_MS);
    campaign_core_entry_plan(&view, &setup, 1, &moved);
    ck_assert_uint_eq(moved.plan_count, 0); /* the file names a campaign, no fact does */
    rules_put(NOW_MS);
    campaign_core_entry_plan(&view, &setup, 1, &moved);
    ck_assert_uint_eq(moved.plan_count, 1);
    moved = entry_told_at(NOW_MS - 1);
    campaign_core_entry_plan(&view, &setup, 2, &moved);
    ck_assert_uint_eq(moved.plan_count, 0);
}
END_TEST

START_TEST(what_an_entry_does_not_say_of_its_customer_is_no_longer_known)
{
    struct campaign_moved moved = entry_told_at(NOW_MS);
    moved.contact_count = 1;
    moved.contact[0] =
        (struct campaign_said){ .name = span_of_text("tier"), .value.bytes = span_of_text("gold") };
    campaign_core_contact_complete(&campaigns, &moved);
    ck_assert_uint_eq(moved.contact_count, 2);
    ck_assert(span_equal(moved.contact[0].value.bytes, span_of_text("gold")));
    ck_assert(span_equal(moved.contact[1].name, span_of_text("phone")));
    ck_assert_uint_eq(moved.contact[1].value.bytes.size, 0);
    moved.contact_count = 0;
    moved.entered = false;
    campaign_core_contact_complete(&campaigns, &moved);
    ck_assert_uint_eq(moved.contact_count, 0);
}
END_TEST

START_TEST(what_is_not_there_is_not_loaded)
{
    struct hash128 dispatch = { .bytes = { 1 } };
    struct campaign_dispatch known = { .number = 1 };
    struct campaign_open open = { .seq = 1 };
    ck_assert(!campaign_dispatch_load(&view, dispatch, &known));
    ck_assert(known.state == CAMPAIGN_PLANNED && known.number == 0);
    ck_assert(!campaign_decision_load(&view, span_of_text("thanks"), 1, &dispatch));
    ck_assert(hash128_equal(dispatch, (struct hash128){ .bytes = { 0 } }));
    ck_assert(!campaign_open_load(&view, span_of_text("post"), 0, &open));
    ck_assert_uint_eq(open.seq, 0);
    ck_assert_uint_eq(campaign_places_load(&view, span_of_text("post")), 0);
}
END_TEST

START_TEST(an_open_message_comes_back_from_its_place_until_it_is_deleted)
{
    struct span post = span_of_text("post");
    struct campaign_open open = { .seq = 7, .dispatch = { .bytes = { 3 } }, .at_ms = -NOW_MS };
    struct campaign_open back = { .seq = 0 };
    for (uint16_t size = 0; size <= 2; size++) {
        open.size = size;
        memset(open.message, 'm', size);
        campaign_open_put(&change, post, 1, &open);
        ck_assert(campaign_open_load(&view, post, 1, &back));
        ck_assert(back.seq == 7 && back.at_ms == -NOW_MS && back.size == size);
        ck_assert(hash128_equal(back.dispatch, open.dispatch));
        ck_assert_mem_eq(back.message, open.message, sizeof back.message);
    }
    ck_assert(!campaign_open_load(&view, post, 0, &back));
    campaign_open_delete(&change, post, 1);
    ck_assert(!campaign_open_load(&view, post, 1, &back));
}
END_TEST

static Suite *suite_of_core(void)
{
    Suite *suite = suite_create("campaign_core");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup_all, teardown_all);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_member_with_an_address_is_written_to);
    tcase_add_test(tcase, a_campaign_that_is_gone_writes_to_nobody);
    tcase_add_test(tcase, validity_begins_with_its_first_moment_and_ends_before_its_last);
    tcase_add_test(tcase, what_was_slept_through_is_valid_if_it_is_when_it_is_handed_over);
    tcase_add_test(tcase, who_left_meanwhile_is_not_written_to);
    tcase_add_test(tcase, the_cap_covers_its_days_back_to_but_not_with_their_first_moment);
    tcase_add_test(tcase, a_cap_is_each_customers_and_each_campaigns_own);
    tcase_add_test(tcase, what_the_channel_refused_does_not_count_and_what_is_unknown_does);
    tcase_add_test(tcase, where_an_outcome_may_turn_the_cap_the_decision_waits_if_it_is_to);
    tcase_add_test(tcase, the_widest_cap_counts_all_its_messages);
    tcase_add_test(tcase, without_an_address_nothing_is_sent_unless_the_channel_has_none);
    tcase_add_test(tcase, an_attribute_that_is_not_known_is_named);
    tcase_add_test(tcase, what_is_missing_comes_before_what_is_too_long);
    tcase_add_test(tcase, a_message_of_all_its_bytes_is_sent_and_one_more_is_too_long);
    tcase_add_test(tcase, the_longest_template_of_the_longest_attributes_is_only_too_long);
    tcase_add_test(tcase, reasons_are_looked_at_in_their_order);
    tcase_add_test(tcase, what_is_sealed_with_a_key_is_as_good_as_not_known);
    tcase_add_test(tcase, a_dispatch_is_its_campaign_customer_and_step);
    tcase_add_test(tcase, the_same_entry_again_plans_nothing);
    tcase_add_test(tcase, a_full_channel_keeps_no_other_waiting);
    tcase_add_test(tcase, campaigns_of_one_channel_take_turns_as_they_were_planned);
    tcase_add_test(tcase, a_channel_takes_as_many_as_there_are_places_at_all);
    tcase_add_test(tcase, a_schedule_is_due_at_its_instants_after_its_rules_came);
    tcase_add_test(tcase, a_schedule_with_another_interval_is_another);
    tcase_add_test(tcase, schedules_of_one_instant_begin_and_run_in_the_order_of_the_file);
    tcase_add_test(tcase, before_anything_was_folded_a_schedule_is_due_from_its_first_instant);
    tcase_add_test(tcase,
                   a_schedule_without_an_interval_is_due_once_and_not_at_its_rules_own_moment);
    tcase_add_test(tcase, a_schedule_that_is_added_or_returns_makes_up_for_nothing);
    tcase_add_test(tcase, a_schedule_ends_where_calendars_do);
    tcase_add_test(tcase, an_instant_is_overtaken_once_the_next_has_come);
    tcase_add_test(tcase, keys_come_back_and_no_name_is_the_beginning_of_another);
    tcase_add_test(tcase, members_are_walked_in_the_order_of_their_keys_within_their_segment);
    tcase_add_test(tcase, an_entry_from_before_its_rules_plans_nothing);
    tcase_add_test(tcase, what_an_entry_does_not_say_of_its_customer_is_no_longer_known);
    tcase_add_test(tcase, what_is_not_there_is_not_loaded);
    tcase_add_test(tcase, an_open_message_comes_back_from_its_place_until_it_is_deleted);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_core());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
