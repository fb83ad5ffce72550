/* link: campaign_service campaign_core common_wire */
/*
 * Campaign's page over a turn in memory, with channels that do nothing but what the test says.
 * The functions of a channel are defined here too, so the linker takes none of the real ones.
 */
#include "tests/unit/campaign_fixture.h"

#include <poll.h>
#include <unistd.h>

#define SENT_MAX 256

/* ---- channels */

struct sent {
    struct hash128 dispatch;
    bool is_recovered;
    int64_t at_ms;
    char channel[LIMIT_ID_BYTES + 1];
    char customer[LIMIT_ID_BYTES + 1];
    char address[LIMIT_ID_BYTES + 1];
    char text[CAMPAIGNS_MESSAGE_BYTES + 1];
};

struct channel {
    char name[LIMIT_ID_BYTES + 1];
    int wake;
    size_t outcome_count;
    size_t taken;
    struct channel_outcome outcomes[SENT_MAX];
};

static struct channel channels[CAMPAIGNS_CHANNELS_MAX];
static size_t channel_count;
static struct sent sent[SENT_MAX];
static size_t sent_count;
static const char *stuck;
static const char *stuck_channel; /* NULL: all are */
static bool opening_fails;

static void text_copy(char *out, size_t size, struct span text)
{
    ck_assert_uint_lt(text.size, size);
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
    out[text.size] = '\0';
}

enum status channel_open(struct channel **channel, const struct channel_options *options,
                         struct refusal *why)
{
    ck_assert_uint_lt(channel_count, CAMPAIGNS_CHANNELS_MAX);
    if (opening_fails) {
        return refusal_set(why, STATUS_REFUSED, "the file is another's");
    }
    *channel = &channels[channel_count++];
    **channel = (struct channel){ .wake = options->wake };
    text_copy((*channel)->name, sizeof(*channel)->name, span_of_text(options->channel->name));
    return STATUS_OK;
}

void channel_close(struct channel **channel)
{
    if (*channel != NULL) {
        channel_count -= 1;
        *channel = NULL;
    }
}

static void sent_keep(const struct channel *channel, const struct channel_intent *intent,
                      bool is_recovered)
{
    ck_assert_uint_lt(sent_count, SENT_MAX);
    struct sent *kept = &sent[sent_count++];
    *kept = (struct sent){ .dispatch = intent->dispatch,
                           .is_recovered = is_recovered,
                           .at_ms = intent->at_ms };
    text_copy(kept->channel, sizeof kept->channel, span_of_text(channel->name));
    text_copy(kept->customer, sizeof kept->customer, intent->customer);
    text_copy(kept->address, sizeof kept->address, intent->address);
    text_copy(kept->text, sizeof kept->text, intent->text);
}

void channel_recover(struct channel *channel, const struct channel_intent *intent)
{
    sent_keep(channel, intent, true);
}

void channel_send(struct channel *channel, const struct channel_intent *intent)
{
    sent_keep(channel, intent, false);
}

bool channel_outcome_take(struct channel *channel, struct channel_outcome *outcome)
{
    if (channel->taken == channel->outcome_count) {
        return false;
    }
    *outcome = channel->outcomes[channel->taken++];
    return true;
}

bool channel_is_stuck(struct channel *channel, char *why, size_t size)
{
    if (stuck == NULL || (stuck_channel != NULL && strcmp(stuck_channel, channel->name) != 0)) {
        return false;
    }
    int length = snprintf(why, size, "%s: %s", channel->name, stuck);
    return length > 0;
}

/* ---- fixture */

static const char rules[] = "segments:\n"
                            "  - {name: big}\n"
                            "  - {name: small}\n"
                            "channels:\n"
                            "  - {name: post, kind: file, address: phone, in_flight_max: 2}\n"
                            "  - {name: lines, kind: file, in_flight_max: 1}\n"
                            "campaigns:\n"
                            "  - name: thanks\n"
                            "    segment: big\n"
                            "    channel: post\n"
                            "    on_entry: true\n"
                            "    text: \"Dear {customer}\"\n"
                            "    cap: {messages: 1, per_days: 30}\n"
                            "  - name: hello\n"
                            "    segment: small\n"
                            "    channel: lines\n"
                            "    text: \"Hello {name}\"\n"
                            "    schedule: {first: \"1998-07-01T00:00:00Z\", every_days: 7}\n";
/* The same without the second channel and its campaign. */
static const char fewer[] = "segments:\n"
                            "  - {name: big}\n"
                            "channels:\n"
                            "  - {name: post, kind: file, address: phone, in_flight_max: 2}\n"
                            "campaigns:\n"
                            "  - name: thanks\n"
                            "    segment: big\n"
                            "    channel: post\n"
                            "    on_entry: true\n"
                            "    text: \"Dear {customer}\"\n"
                            "    cap: {messages: 1, per_days: 30}\n";
static const int64_t first_ms = START_MS + MS_PER_DAY;

static const struct told phone[FIELDS_MAX] = { { "phone", "0700" } };
static const struct told name[FIELDS_MAX] = { { "name", "you" } };

static void setup(void)
{
    channel_count = 0;
    sent_count = 0;
    stuck = NULL;
    stuck_channel = NULL;
    opening_fails = false;
    fixture_open();
    restart(rules, SUITE_CLOCK_EVENT);
}

static void teardown(void)
{
    fixture_close();
    ck_assert_uint_eq(channel_count, 0);
}

static void sync_turn(void)
{
    campaign_effects.synced(turn.service, &turn.view);
}

static bool wakes(void)
{
    struct pollfd descriptor = { .fd = campaign_effects.descriptor(turn.service),
                                 .events = POLLIN };
    ck_assert_int_ge(descriptor.fd, 0);
    return poll(&descriptor, 1, 0) == 1;
}

/* A channel says what became of a message that it was given. */
static void outcome(size_t sent_index, enum channel_result result, const char *detail)
{
    ck_assert_uint_lt(sent_index, sent_count);
    size_t i = 0;
    while (i < channel_count && strcmp(channels[i].name, sent[sent_index].channel) != 0) {
        i += 1;
    }
    ck_assert_uint_lt(i, channel_count);
    struct channel_outcome *told = &channels[i].outcomes[channels[i].outcome_count++];
    *told = (struct channel_outcome){ .dispatch = sent[sent_index].dispatch, .result = result };
    text_copy(told->detail, sizeof told->detail, span_of_text(detail));
    const uint64_t one = 1;
    ck_assert_int_eq(write(channels[i].wake, &one, sizeof one), sizeof one);
}

/* As the loop does: takes outcomes, decides what they made room for, hands over. */
static void loop(void)
{
    if (wakes()) {
        (void)campaign_effects.take(turn.service, &turn, 1000);
    }
    settle();
    sync_turn();
}

static struct campaign_head head_now(void)
{
    struct campaign_head head = { .planned = 0 };
    (void)campaign_head_load(&turn.view, &head);
    return head;
}

/* ---- tests */

START_TEST(an_entry_is_planned_then_decided_then_handed_over_then_sent)
{
    enter("ann", "big", phone);
    ck_assert_uint_eq(head_now().planned, 1);
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_INTENDED), 0);
    ck_assert(campaign_effects.holds(turn.service, &turn.view));
    settle();
    ck_assert(!campaign_effects.holds(turn.service, &turn.view));
    ck_assert_uint_eq(head_now().planned, 0);
    ck_assert_uint_eq(head_now().open, 1);
    struct campaign_decision intended = newest();
    ck_assert_int_eq(intended.becomes, CAMPAIGN_OPEN);
    ck_assert_str_eq(intended.plan.step.text, "entry/1");
    struct campaign_parts parts = { .text = { 0 } };
    ck_assert_int_eq(campaign_message_decode(intended.message.bytes, &arena, &parts), STATUS_OK);
    ck_assert(span_equal(parts.text, span_of_text("Dear ann")));
    ck_assert_uint_eq(sent_count, 0); /* nothing leaves before it is durable */
    sync_turn();
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_str_eq(sent[0].channel, "post");
    ck_assert_str_eq(sent[0].customer, "ann");
    ck_assert_str_eq(sent[0].address, "0700");
    ck_assert_str_eq(sent[0].text, "Dear ann");
    ck_assert_int_eq(sent[0].at_ms, START_MS);
    ck_assert(!wakes());
    outcome(0, CHANNEL_SENT, "");
    loop();
    ck_assert(!wakes());
    struct campaign_decision told = newest();
    ck_assert_int_eq(told.becomes, CAMPAIGN_SENT);
    ck_assert(hash128_equal(told.plan.dispatch, intended.plan.dispatch));
    ck_assert_uint_eq(told.number, 1);
    ck_assert_uint_eq(head_now().open, 0);
    sync_turn();
    ck_assert_uint_eq(sent_count, 1); /* and only once */
}
END_TEST

START_TEST(a_full_channel_decides_as_places_become_free)
{
    enter("ann", "big", phone);
    enter("bob", "big", phone);
    enter("cid", "big", phone);
    loop();
    ck_assert_uint_eq(sent_count, 2);
    ck_assert(campaign_effects.holds(turn.service, &turn.view));
    int64_t due_ms = 0;
    campaign_definition.due(turn.service, &turn.view, &due_ms);
    ck_assert_int_gt(due_ms, turn.now_ms); /* the schedule */
    leave("cid", "big");
    outcome(1, CHANNEL_REFUSED, "no such number");
    loop();
    ck_assert_uint_eq(sent_count, 2);
    struct campaign_decision told = newest();
    ck_assert_int_eq(told.reason, CAMPAIGN_NOT_IN_SEGMENT);
    ck_assert_uint_eq(told.number, 3);
    const Kith__V1__DecisionsReply *page = decisions("thanks", 0, 0);
    ck_assert_uint_eq(page->n_decisions, 3);
    ck_assert_int_eq((int)page->decisions[0]->state, KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING);
    ck_assert_int_eq((int)page->decisions[1]->state,
                     KITH__V1__DISPATCH_STATE__DISPATCH_IS_SUPPRESSED);
    ck_assert_int_eq((int)page->decisions[1]->reason,
                     KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CHANNEL_REFUSED);
    ck_assert_str_eq(page->decisions[1]->detail, "no such number");
}
END_TEST

START_TEST(under_the_event_clock_a_cap_waits_for_the_outcome_that_may_turn_it)
{
    enter("ann", "big", phone);
    loop();
    leave("ann", "big");
    enter("ann", "big", phone);
    enter("bob", "big", phone);
    loop(); /* it does not spin */
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_uint_eq(head_now().planned, 2);
    ck_assert(campaign_effects.holds(turn.service, &turn.view));
    restart(rules, SUITE_CLOCK_EVENT);
    ck_assert_uint_eq(sent_count, 2); /* recovered */
    loop();
    ck_assert_uint_eq(head_now().planned, 2);
    outcome(1, CHANNEL_REFUSED, "busy");
    loop();
    ck_assert_uint_eq(sent_count, 4);
    ck_assert_str_eq(sent[2].customer, "ann");
    ck_assert_str_eq(sent[3].customer, "bob");
    ck_assert(!campaign_effects.holds(turn.service, &turn.view));
}
END_TEST

START_TEST(under_the_wall_clock_an_open_message_counts)
{
    restart(rules, SUITE_CLOCK_WALL);
    enter("ann", "big", phone);
    settle();
    enter("ann", "big", phone);
    ck_assert(!campaign_effects.holds(turn.service, &turn.view));
    loop();
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_int_eq(newest().reason, CAMPAIGN_CAP_REACHED);
}
END_TEST

START_TEST(a_schedule_writes_to_its_segment_in_the_order_of_keys)
{
    static const char *const customers[] = { "ann", "bob", "cid", "dan" };
    for (size_t i = 0; i < 4; i++) {
        enter(customers[i], "small", name);
    }
    settle_by(first_ms - 1, 1000);
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_INTENDED), 0);
    settle_by(first_ms + 5, 1000);
    ck_assert_int_eq(turn.now_ms, first_ms); /* time stands still until it is through */
    ck_assert(campaign_effects.holds(turn.service, &turn.view));
    for (size_t i = 0; i < 4; i++) {
        loop();
        ck_assert_uint_eq(sent_count, i + 1); /* one place */
        ck_assert(i == 0 ||
                  memcmp(id_of(sent[i - 1].customer).bytes, id_of(sent[i].customer).bytes, 16) < 0);
        outcome(i, CHANNEL_SENT, "");
    }
    ck_assert_str_eq(newest().plan.step.text, "schedule/1998-07-01T00:00:00Z");
    loop();
    ck_assert(!campaign_effects.holds(turn.service, &turn.view));
    settle_by(first_ms + MS_PER_DAY, 1000);
    ck_assert_int_eq(turn.now_ms, first_ms + MS_PER_DAY);
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_SENT), 4);
    int64_t due_ms = 0;
    ck_assert(campaign_definition.due(turn.service, &turn.view, &due_ms));
    ck_assert_int_eq(due_ms, first_ms + 7 * MS_PER_DAY);
}
END_TEST

START_TEST(a_schedule_goes_on_after_a_restart_and_ticks_of_one_fact)
{
    enter("ann", "small", name);
    enter("bob", "small", name);
    enter("cid", "small", NULL); /* nobody told the name */
    settle_by(first_ms, 1);
    sync_turn();
    size_t open = sent_count;
    ck_assert_uint_eq(open, 1);
    restart(rules, SUITE_CLOCK_EVENT);
    ck_assert_uint_eq(sent_count, 2);
    ck_assert(sent[1].is_recovered);
    ck_assert(hash128_equal(sent[0].dispatch, sent[1].dispatch));
    outcome(1, CHANNEL_UNKNOWN, "it was handed over, and then the service ended");
    settle_by(first_ms, 1);
    loop();
    for (size_t i = 2; i < sent_count; i++) {
        outcome(i, CHANNEL_SENT, "");
        loop();
    }
    ck_assert(!campaign_effects.holds(turn.service, &turn.view));
    const Kith__V1__DecisionsReply *page = decisions("hello", 0, 0);
    ck_assert_uint_eq(page->n_decisions, 3);
    size_t missing = 0;
    for (size_t i = 0; i < 3; i++) {
        missing += page->decisions[i]->has_reason != 0;
        ck_assert(!page->decisions[i]->has_reason ||
                  strcmp(page->decisions[i]->detail, "name") == 0);
    }
    ck_assert_uint_eq(missing, 1);
}
END_TEST

START_TEST(under_the_wall_clock_only_the_newest_missed_instant_runs)
{
    restart(rules, SUITE_CLOCK_WALL);
    enter("ann", "small", name);
    turn.wall_ms = first_ms + 20 * MS_PER_DAY;
    settle_by(turn.wall_ms, 1000);
    sync_turn();
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_str_eq(newest().plan.step.text, "schedule/1998-07-15T00:00:00Z");
}
END_TEST

START_TEST(a_command_is_not_decided_by_what_is_behind)
{
    const Kith__V1__DispatchReply *reply = NULL;
    enter("ann", "small", name);
    turn.is_behind = true;
    ck_assert_int_eq(trigger("hello", "ann", &reply), STATUS_OK);
    ck_assert_int_eq((int)reply->state, KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING);
    ck_assert(!reply->has_number);
    turn.is_behind = false;
    settle();
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_INTENDED), 1);
}
END_TEST

START_TEST(a_command_is_answered_with_its_decision)
{
    const Kith__V1__DispatchReply *reply = NULL;
    ck_assert_int_eq(trigger("thanks", "ann", &reply), STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(refusal.message, "'ann'"));
    ck_assert_int_eq(trigger("none", "ann", &reply), STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(refusal.message, "'none'"));
    enter("ann", "small", name);
    ck_assert_int_eq(trigger("thanks", "ann", &reply), STATUS_OK);
    ck_assert_int_eq((int)reply->state, KITH__V1__DISPATCH_STATE__DISPATCH_IS_SUPPRESSED);
    ck_assert_int_eq((int)reply->reason, KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NOT_IN_SEGMENT);
    ck_assert_str_eq(reply->step, "command/k1");
    ck_assert_str_eq(reply->customer, "ann");
    turn.key = "k2";
    ck_assert_int_eq(trigger("hello", "ann", &reply), STATUS_OK);
    ck_assert_int_eq((int)reply->state, KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING);
    ck_assert_uint_eq(reply->number, 1);
    ck_assert_int_eq(reply->decided_at_ms, START_MS);
    ck_assert_str_eq(reply->channel, "lines");
    size_t facts = turn.fact_count;
    ck_assert_int_eq(trigger("hello", "ann", &reply), STATUS_OK); /* the same again */
    ck_assert_uint_eq(turn.fact_count, facts);
    ck_assert_int_eq((int)reply->state, KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING);
    turn.key = "k3";
    ck_assert_int_eq(trigger("hello", "ann", &reply), STATUS_OK); /* the channel is full */
    ck_assert_int_eq((int)reply->state, KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING);
    ck_assert(!reply->has_number && reply->channel == NULL && !reply->has_decided_at_ms);
}
END_TEST

START_TEST(a_question_about_a_dispatch_is_early_until_its_outcome_is_known)
{
    Kith__V1__DispatchRequest request = KITH__V1__DISPATCH_REQUEST__INIT;
    uint8_t id[16] = { 1 };
    request.has_dispatch = true;
    request.dispatch = pb_bytes(span_of(id, sizeof id));
    ck_assert_int_eq(ask("campaign.Dispatch", &request.base), STATUS_NOT_FOUND);
    enter("ann", "big", phone);
    loop();
    memcpy(id, sent[0].dispatch.bytes, sizeof id);
    ck_assert_int_eq(ask("campaign.Dispatch", &request.base), STATUS_OK);
    ck_assert(is_early);
    outcome(0, CHANNEL_UNKNOWN, "the line broke");
    loop();
    ck_assert_int_eq(ask("campaign.Dispatch", &request.base), STATUS_OK);
    ck_assert(!is_early);
    const Kith__V1__DispatchReply *reply =
        pb_unpack(&kith__v1__dispatch_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq((int)reply->state, KITH__V1__DISPATCH_STATE__DISPATCH_IS_UNKNOWN);
    ck_assert_str_eq(reply->detail, "the line broke");
    request.dispatch.len = 15;
    ck_assert_int_eq(ask("campaign.Dispatch", &request.base), STATUS_MALFORMED);
}
END_TEST

static const Kith__V1__SettleReply *settle_ask(void)
{
    Kith__V1__SettleRequest request = KITH__V1__SETTLE_REQUEST__INIT;
    ck_assert_int_eq(ask("campaign.Settle", &request.base), STATUS_OK);
    const Kith__V1__SettleReply *reply =
        pb_unpack(&kith__v1__settle_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert(reply->settled == !is_early);
    return reply;
}

START_TEST(all_is_settled_when_nothing_is_planned_open_or_running)
{
    ck_assert(settle_ask()->settled);
    enter("ann", "big", phone);
    ck_assert_uint_eq(settle_ask()->planned, 1);
    ck_assert(is_early);
    loop();
    ck_assert_uint_eq(settle_ask()->open, 1);
    ck_assert(is_early);
    outcome(0, CHANNEL_SENT, "");
    loop();
    ck_assert(settle_ask()->settled);
    enter("bob", "small", name);
    settle_by(first_ms, 1); /* it has begun, and the first is open */
    loop();
    ck_assert(!settle_ask()->settled);
}
END_TEST

START_TEST(figures_say_what_each_campaign_came_to)
{
    enter("ann", "big", phone);
    enter("bob", "big", phone);
    enter("cid", "big", NULL);
    loop();
    outcome(0, CHANNEL_SENT, "");
    loop();
    Kith__V1__CampaignsRequest request = KITH__V1__CAMPAIGNS_REQUEST__INIT;
    ck_assert_int_eq(ask("campaign.Campaigns", &request.base), STATUS_OK);
    const Kith__V1__CampaignsReply *reply =
        pb_unpack(&kith__v1__campaigns_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_campaigns, 2);
    ck_assert_uint_eq(reply->n_positions, 1);
    const Kith__V1__CampaignFigures *thanks = reply->campaigns[0];
    ck_assert_str_eq(thanks->campaign, "thanks");
    ck_assert_str_eq(thanks->segment, "big");
    ck_assert_str_eq(thanks->channel, "post");
    ck_assert_uint_eq(thanks->sent, 1);
    ck_assert_uint_eq(thanks->suppressed, 1);
    ck_assert_uint_eq(thanks->open, 1);
    ck_assert_uint_eq(thanks->planned, 0);
    ck_assert_uint_eq(thanks->unknown, 0);
}
END_TEST

START_TEST(decisions_come_page_by_page)
{
    char customer[8] = "";
    for (unsigned i = 0; i < 1001; i++) {
        (void)snprintf(customer, sizeof customer, "c%u", i);
        enter(customer, "big", NULL); /* no address */
    }
    settle();
    const Kith__V1__DecisionsReply *page = decisions("thanks", 0, 0);
    ck_assert_uint_eq(page->n_decisions, 100);
    ck_assert(page->more);
    ck_assert_uint_eq(page->decisions[99]->number, 100);
    page = decisions("thanks", 1, 1000);
    ck_assert_uint_eq(page->n_decisions, 1000);
    ck_assert(!page->more);
    ck_assert_str_eq(page->decisions[999]->customer, "c1000");
    page = decisions("thanks", UINT64_MAX, 1);
    ck_assert_uint_eq(page->n_decisions, 0);
    Kith__V1__DecisionsRequest request = KITH__V1__DECISIONS_REQUEST__INIT;
    char none[] = "none";
    request.campaign = none;
    ck_assert_int_eq(ask("campaign.Decisions", &request.base), STATUS_NOT_FOUND);
    request.has_limit = true;
    request.limit = 1001;
    request.campaign = NULL;
    ck_assert_int_eq(ask("campaign.Decisions", &request.base), STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 2);
}
END_TEST

START_TEST(rules_are_said_once_and_again_only_when_they_change)
{
    ck_assert_uint_eq(facts_of(FACT_RULES_CHANGED), 1);
    restart(rules, SUITE_CLOCK_EVENT);
    ck_assert_uint_eq(facts_of(FACT_RULES_CHANGED), 1);
    restart(fewer, SUITE_CLOCK_EVENT);
    ck_assert_uint_eq(facts_of(FACT_RULES_CHANGED), 2);
}
END_TEST

START_TEST(what_a_lost_channel_had_is_unknown_and_what_its_campaign_planned_is_suppressed)
{
    enter("ann", "small", name);
    enter("bob", "small", name);
    const Kith__V1__DispatchReply *reply = NULL;
    ck_assert_int_eq(trigger("hello", "ann", &reply), STATUS_OK);
    turn.key = "k2";
    ck_assert_int_eq(trigger("hello", "bob", &reply), STATUS_OK);
    sync_turn();
    ck_assert_uint_eq(sent_count, 1);
    restart(fewer, SUITE_CLOCK_EVENT);
    ck_assert(wakes());
    ck_assert_uint_eq(sent_count, 1);
    loop();
    ck_assert_uint_eq(head_now().open, 0);
    ck_assert_uint_eq(head_now().planned, 0);
    const Kith__V1__DecisionsReply *page = decisions("hello", 0, 0);
    ck_assert_uint_eq(page->n_decisions, 2);
    ck_assert_int_eq((int)page->decisions[0]->state, KITH__V1__DISPATCH_STATE__DISPATCH_IS_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(page->decisions[0]->detail, "configuration"));
    ck_assert_int_eq((int)page->decisions[1]->reason,
                     KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAMPAIGN_GONE);
    ck_assert(!wakes());
}
END_TEST

START_TEST(open_messages_are_recovered_in_the_order_of_their_intents)
{
    enter("ann", "big", phone);
    enter("bob", "big", phone);
    loop();
    outcome(0, CHANNEL_SENT, "");
    loop();
    enter("cid", "big", phone); /* takes ann's place, which comes before bob's */
    loop();
    ck_assert_uint_eq(sent_count, 3);
    restart(rules, SUITE_CLOCK_EVENT);
    ck_assert_uint_eq(sent_count, 5);
    ck_assert_str_eq(sent[3].customer, "bob");
    ck_assert_str_eq(sent[4].customer, "cid");
    ck_assert_str_eq(sent[4].text, "Dear cid");
}
END_TEST

START_TEST(outcomes_past_the_bound_of_a_turn_wait_for_the_next)
{
    enter("ann", "big", phone);
    enter("bob", "big", phone);
    loop();
    outcome(0, CHANNEL_SENT, "");
    outcome(1, CHANNEL_SENT, "");
    ck_assert(campaign_effects.take(turn.service, &turn, 1));
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_SENT), 1);
    ck_assert(wakes());
    ck_assert(campaign_effects.take(turn.service, &turn, 1));
    ck_assert(wakes());
    ck_assert(!campaign_effects.take(turn.service, &turn, 1));
    ck_assert(!wakes());
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_SENT), 2);
}
END_TEST

START_TEST(who_is_stuck_says_why)
{
    char why[64] = "";
    ck_assert(!campaign_effects.is_stuck(turn.service, why, sizeof why));
    stuck = "the disk is full";
    ck_assert(campaign_effects.is_stuck(turn.service, why, sizeof why));
    ck_assert_str_eq(why, "post: the disk is full");
}
END_TEST

START_TEST(a_channel_that_does_not_open_stops_the_start)
{
    campaign_effects.stop(turn.service);
    opening_fails = true;
    ck_assert_int_eq(campaign_effects.start(turn.service, &turn.view, &refusal), STATUS_REFUSED);
    campaign_effects.stop(turn.service);
}
END_TEST

START_TEST(who_waits_for_outcomes_knows_where_before_anything_is_started)
{
    void *service = NULL;
    ck_assert_int_eq(service_open(rules, SUITE_CLOCK_WALL, &service), STATUS_OK);
    ck_assert_int_ge(campaign_effects.descriptor(service), 0);
    campaign_definition.close(&service);
}
END_TEST

START_TEST(who_entered_before_a_campaign_was_there_gets_nothing_for_that)
{
    int64_t since_ms = turn.now_ms;
    turn.now_ms = since_ms - 1;
    enter("ann", "big", phone);
    turn.now_ms = since_ms;
    enter("bob", "big", phone);
    settle();
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_INTENDED), 1);
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_SUPPRESSED), 0);
}
END_TEST

START_TEST(an_address_that_was_taken_away_is_not_used_any_more)
{
    enter("ann", "big", phone);
    leave("ann", "big");
    enter("ann", "big", NULL);
    settle();
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_INTENDED), 0);
    ck_assert_uint_eq(facts_of(FACT_DISPATCH_SUPPRESSED), 2);
    replay();
}
END_TEST

START_TEST(what_was_handed_over_is_out_until_it_is_told_or_stuck)
{
    ck_assert(!campaign_effects.is_out(turn.service, &turn.view));
    enter("ann", "big", phone);
    settle();
    ck_assert(campaign_effects.is_out(turn.service, &turn.view));
    stuck = "the disk is full";
    ck_assert(!campaign_effects.is_out(turn.service, &turn.view));
}
END_TEST

START_TEST(a_stuck_channel_says_nothing_about_what_another_has_in_hand)
{
    stuck = "the disk is full";
    stuck_channel = "lines";
    ck_assert(!campaign_effects.is_out(turn.service, &turn.view));
    enter("ann", "big", phone);
    loop();
    ck_assert(campaign_effects.is_out(turn.service, &turn.view));
    outcome(0, CHANNEL_SENT, "");
    loop();
    ck_assert(!campaign_effects.is_out(turn.service, &turn.view));
    const Kith__V1__DispatchReply *reply = NULL;
    enter("bob", "small", name);
    ck_assert_int_eq(trigger("hello", "bob", &reply), STATUS_OK);
    loop();
    ck_assert_uint_eq(sent_count, 2);
    ck_assert(!campaign_effects.is_out(turn.service, &turn.view));
}
END_TEST

/* The first channel, carried out otherwise. */
static const char *const changed_channels[] = {
    "  - {name: post, kind: file, folder: /elsewhere, address: phone, in_flight_max: 2}\n",
    "  - {name: post, kind: smtp, url: \"smtp://localhost\", from: a@b.example, address: phone}\n",
};

START_TEST(what_was_handed_over_to_another_kind_or_folder_is_unknown)
{
    char changed[sizeof fewer + 256] = "";
    static const char campaigns_key[] = "campaigns:\n";
    (void)snprintf(changed, sizeof changed, "segments:\n  - {name: big}\nchannels:\n%s%s",
                   changed_channels[_i], strstr(fewer, campaigns_key));
    enter("ann", "big", phone);
    loop();
    ck_assert_uint_eq(sent_count, 1);
    restart(changed, SUITE_CLOCK_EVENT);
    ck_assert_uint_eq(sent_count, 1); /* the new one never hears of it */
    ck_assert(wakes());
    loop();
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_uint_eq(head_now().open, 0);
    struct campaign_decision told = newest();
    ck_assert_int_eq(told.becomes, CAMPAIGN_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(told.detail.text, "configuration"));
    ck_assert(!wakes());
    enter("bob", "big", phone);
    loop();
    ck_assert_uint_eq(sent_count, 2);
    restart(changed, SUITE_CLOCK_EVENT);
    ck_assert_uint_eq(sent_count, 3);
    ck_assert(sent[2].is_recovered);
    ck_assert(!wakes());
}
END_TEST

START_TEST(faulty_rules_and_faulty_requests_are_refused)
{
    void *service = NULL;
    ck_assert_int_eq(service_open("campaigns:\n  - {name: x}\n", SUITE_CLOCK_WALL, &service),
                     STATUS_MALFORMED);
    ck_assert_ptr_null(service);
    Kith__V1__TriggerRequest request = KITH__V1__TRIGGER_REQUEST__INIT;
    ck_assert_int_eq(ask("campaign.Trigger", &request.base), STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 2);
}
END_TEST

static Suite *suite_of_service(void)
{
    Suite *suite = suite_create("campaign_service");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, an_entry_is_planned_then_decided_then_handed_over_then_sent);
    tcase_add_test(tcase, a_full_channel_decides_as_places_become_free);
    tcase_add_test(tcase, under_the_event_clock_a_cap_waits_for_the_outcome_that_may_turn_it);
    tcase_add_test(tcase, under_the_wall_clock_an_open_message_counts);
    tcase_add_test(tcase, a_schedule_writes_to_its_segment_in_the_order_of_keys);
    tcase_add_test(tcase, a_schedule_goes_on_after_a_restart_and_ticks_of_one_fact);
    tcase_add_test(tcase, under_the_wall_clock_only_the_newest_missed_instant_runs);
    tcase_add_test(tcase, a_command_is_not_decided_by_what_is_behind);
    tcase_add_test(tcase, a_command_is_answered_with_its_decision);
    tcase_add_test(tcase, a_question_about_a_dispatch_is_early_until_its_outcome_is_known);
    tcase_add_test(tcase, all_is_settled_when_nothing_is_planned_open_or_running);
    tcase_add_test(tcase, figures_say_what_each_campaign_came_to);
    tcase_add_test(tcase, decisions_come_page_by_page);
    tcase_add_test(tcase, rules_are_said_once_and_again_only_when_they_change);
    tcase_add_test(tcase,
                   what_a_lost_channel_had_is_unknown_and_what_its_campaign_planned_is_suppressed);
    tcase_add_test(tcase, open_messages_are_recovered_in_the_order_of_their_intents);
    tcase_add_test(tcase, outcomes_past_the_bound_of_a_turn_wait_for_the_next);
    tcase_add_test(tcase, who_is_stuck_says_why);
    tcase_add_test(tcase, a_channel_that_does_not_open_stops_the_start);
    tcase_add_test(tcase, who_waits_for_outcomes_knows_where_before_anything_is_started);
    tcase_add_test(tcase, who_entered_before_a_campaign_was_there_gets_nothing_for_that);
    tcase_add_test(tcase, an_address_that_was_taken_away_is_not_used_any_more);
    tcase_add_test(tcase, what_was_handed_over_is_out_until_it_is_told_or_stuck);
    tcase_add_test(tcase, a_stuck_channel_says_nothing_about_what_another_has_in_hand);
    tcase_add_loop_test(tcase, what_was_handed_over_to_another_kind_or_folder_is_unknown, 0,
                        (int)(sizeof changed_channels / sizeof changed_channels[0]));
    tcase_add_test(tcase, faulty_rules_and_faulty_requests_are_refused);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_service());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
