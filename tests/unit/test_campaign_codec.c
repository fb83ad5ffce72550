/* link: campaign_service campaign_core common_wire */
/*
 * Facts, private records and rules there and back, and bytes that campaign never wrote.
 */
#include "common/wire/pb.h"
#include "common/wire/rules_fact.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/campaign_private.pb-c.h"
#include "services/campaign/campaign_codec.h"
#include "services/campaign/campaign_record.h"
#include "services/campaign/channel.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(899164800000)

static struct arena arena;
static struct buffer out;

_Static_assert(CHANNEL_DETAIL_BYTES <= CAMPAIGN_DETAIL_BYTES + 1, "what a channel says is kept");

static void setup(void)
{
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    buffer_init(&out, LIMIT_RECORD_BYTES);
}

static void teardown(void)
{
    arena_release(&arena);
    buffer_release(&out);
}

/* `size` letters and a NUL; at most LIMIT_TEXT_BYTES. */
static const char *letters(size_t size)
{
    static char text[2 * LIMIT_TEXT_BYTES + 1];
    ck_assert_uint_lt(size, sizeof text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static struct customer_id customer_of(uint8_t number)
{
    return (struct customer_id){ .bytes = { number } };
}

static struct campaign_plan plan_of(enum campaign_trigger trigger)
{
    return (struct campaign_plan){
        .dispatch = { .bytes = { 7, 8 } },
        .campaign = campaign_name_of(span_of_text("thanks")),
        .trigger = trigger,
        .step = campaign_core_entry_step(12),
    };
}

/* ---- decisions */

static struct campaign_decision decision_of(enum campaign_dispatch_state becomes)
{
    struct campaign_decision decision = {
        .becomes = becomes,
        .customer = customer_of(3),
        .subject = campaign_subject_of((struct sealed){ .bytes = span_of_text("ann") }),
        .plan = plan_of(CAMPAIGN_BY_ENTRY),
        .number = 9,
        .channel = campaign_name_of(span_of_text("post")),
        .rules_version = 2,
    };
    if (becomes == CAMPAIGN_OPEN) {
        decision.message.bytes = span_of_text("sealed");
        decision.channel_identity = hash128_of_span(span_of_text("file"));
    }
    if (becomes == CAMPAIGN_SUPPRESSED) {
        decision.reason = CAMPAIGN_MISSING_ATTRIBUTE;
        decision.detail = campaign_detail_of(span_of_text("city"));
    }
    return decision;
}

static struct fact fact_of(const struct campaign_decision *decision)
{
    buffer_clear(&out);
    campaign_decision_encode(decision, &out);
    return (struct fact){ .type = campaign_decision_type(decision->becomes),
                          .version = 1,
                          .has_customer = true,
                          .customer = decision->customer,
                          .subject = campaign_subject_sealed(&decision->subject),
                          .body = buffer_span(&out) };
}

static enum status back(const struct fact *fact, struct campaign_decision *decision)
{
    arena_reset(&arena);
    return campaign_decision_decode(fact, &arena, decision);
}

START_TEST(decisions_come_back_as_they_were)
{
    for (enum campaign_dispatch_state each = CAMPAIGN_OPEN; each <= CAMPAIGN_UNKNOWN; each++) {
        struct campaign_decision decision = decision_of(each);
        struct fact fact = fact_of(&decision);
        struct campaign_decision again = { .number = 0 };
        ck_assert_int_eq(back(&fact, &again), STATUS_OK);
        ck_assert_int_eq(again.becomes, each);
        ck_assert(hash128_equal(again.plan.dispatch, decision.plan.dispatch));
        ck_assert_str_eq(again.plan.campaign.text, "thanks");
        ck_assert_str_eq(again.plan.step.text, "entry/12");
        ck_assert_str_eq(again.channel.text, "post");
        ck_assert(hash128_equal(again.channel_identity, decision.channel_identity));
        ck_assert_uint_eq(again.number, 9);
        ck_assert_uint_eq(again.rules_version, 2);
        ck_assert_int_eq(again.reason, decision.reason);
        ck_assert_str_eq(again.detail.text, decision.detail.text);
        ck_assert(span_equal(again.message.bytes, decision.message.bytes));
        ck_assert(customer_id_equal(again.customer, decision.customer));
    }
}
END_TEST

START_TEST(the_fullest_decision_comes_back)
{
    struct campaign_decision decision = decision_of(CAMPAIGN_OPEN);
    char key[LIMIT_ID_BYTES + 1] = "";
    memset(key, 'k', LIMIT_ID_BYTES);
    decision.plan.campaign = campaign_name_of(span_of_text(key));
    decision.channel = decision.plan.campaign;
    decision.plan.step = campaign_core_command_step(span_of_text(key));
    decision.number = UINT64_MAX;
    decision.message.bytes = span_of_text(letters(CAMPAIGN_SEALED_BYTES));
    struct fact fact = fact_of(&decision);
    struct campaign_decision again = { .number = 0 };
    ck_assert_int_eq(back(&fact, &again), STATUS_OK);
    ck_assert_uint_eq(again.message.bytes.size, CAMPAIGN_SEALED_BYTES);
    ck_assert_str_eq(again.plan.step.text, decision.plan.step.text);
    decision.message.bytes = span_of_text(letters(CAMPAIGN_SEALED_BYTES + 1));
    fact = fact_of(&decision);
    ck_assert_int_eq(back(&fact, &again), STATUS_CORRUPT);
}
END_TEST

START_TEST(a_decision_that_is_cut_is_corrupt)
{
    struct campaign_decision decision = decision_of(CAMPAIGN_OPEN);
    struct fact fact = fact_of(&decision);
    size_t size = fact.body.size;
    for (fact.body.size = 0; fact.body.size < size; fact.body.size++) {
        struct campaign_decision again = { .number = 0 };
        ck_assert_int_eq(back(&fact, &again), STATUS_CORRUPT);
    }
}
END_TEST

static void corrupt(const struct campaign_decision *decision)
{
    struct fact fact = fact_of(decision);
    struct campaign_decision again = { .number = 0 };
    ck_assert_int_eq(back(&fact, &again), STATUS_CORRUPT);
    ck_assert_uint_eq(again.number, 0);
}

START_TEST(decisions_with_values_that_nobody_wrote_are_corrupt)
{
    struct campaign_decision decision = decision_of(CAMPAIGN_OPEN);
    decision.number = 0;
    corrupt(&decision);
    decision = decision_of(CAMPAIGN_OPEN);
    decision.rules_version = 0;
    corrupt(&decision);
    decision = decision_of(CAMPAIGN_OPEN);
    decision.plan.campaign = campaign_name_of(span_of_text("a\tb"));
    corrupt(&decision);
    decision = decision_of(CAMPAIGN_OPEN);
    decision.plan.step = campaign_step_of(span_of(NULL, 0));
    corrupt(&decision);
    decision = decision_of(CAMPAIGN_OPEN);
    decision.plan.trigger = (enum campaign_trigger)3;
    corrupt(&decision);
    decision = decision_of(CAMPAIGN_OPEN);
    decision.reason = CAMPAIGN_TOO_LONG; /* and yet intended */
    corrupt(&decision);
    decision = decision_of(CAMPAIGN_OPEN);
    decision.channel.size = 0; /* only who is gone has none */
    corrupt(&decision);
    decision = decision_of(CAMPAIGN_SENT);
    decision.detail = campaign_detail_of(span_of_text("all is well"));
    corrupt(&decision);
    decision = decision_of(CAMPAIGN_SUPPRESSED);
    decision.reason = CAMPAIGN_REASON_NONE;
    corrupt(&decision);
    decision.reason = (enum campaign_reason)9;
    corrupt(&decision);
    decision.reason = CAMPAIGN_GONE; /* and yet with a channel */
    corrupt(&decision);
}
END_TEST

START_TEST(a_decision_about_nobody_or_of_another_type_is_corrupt)
{
    struct campaign_decision decision = decision_of(CAMPAIGN_SENT);
    struct fact fact = fact_of(&decision);
    struct campaign_decision again = { .number = 0 };
    fact.type = FACT_DISPATCH_INTENDED; /* without a message */
    ck_assert_int_eq(back(&fact, &again), STATUS_CORRUPT);
    fact.type = FACT_SEGMENT_ENTERED;
    ck_assert_int_eq(back(&fact, &again), STATUS_CORRUPT);
    fact.type = FACT_DISPATCH_SENT;
    fact.has_customer = false;
    ck_assert_int_eq(back(&fact, &again), STATUS_CORRUPT);
    fact.has_customer = true;
    fact.subject.bytes = span_of_text(letters(CAMPAIGN_SUBJECT_BYTES + 1));
    ck_assert_int_eq(back(&fact, &again), STATUS_CORRUPT);
}
END_TEST

/* ---- messages */

START_TEST(a_message_of_all_its_bytes_comes_back_from_its_seal)
{
    struct campaign_message message;
    campaign_message_init(&message);
    ck_assert_int_eq(buffer_append(&message.address, span_of_text(letters(700))), STATUS_OK);
    ck_assert_int_eq(buffer_append(&message.subject, span_of_text("Hello")), STATUS_OK);
    ck_assert_int_eq(
        buffer_append(&message.text, span_of_text(letters(CAMPAIGNS_MESSAGE_BYTES - 705))),
        STATUS_OK);
    struct buffer sealed;
    buffer_init(&sealed, CAMPAIGN_SEALED_BYTES);
    campaign_message_encode(&message, &sealed);
    struct campaign_parts parts = { .text = { 0 } };
    ck_assert_int_eq(campaign_message_decode(buffer_span(&sealed), &arena, &parts), STATUS_OK);
    ck_assert(span_equal(parts.address, buffer_span(&message.address)));
    ck_assert(span_equal(parts.subject, buffer_span(&message.subject)));
    ck_assert(span_equal(parts.text, buffer_span(&message.text)));
    ck_assert_int_eq(campaign_message_decode(span_of(sealed.data, sealed.size - 1), &arena, &parts),
                     STATUS_CORRUPT);
    buffer_release(&sealed);
    campaign_message_release(&message);
}
END_TEST

/* ---- private records */

static struct campaign_record *record;
static struct campaign_record *again;

static void records_setup(void)
{
    setup();
    record = memory_allocate(sizeof *record);
    again = memory_allocate(sizeof *again);
}

static void records_teardown(void)
{
    free(record);
    free(again);
    teardown();
}

static enum status record_back(void)
{
    buffer_clear(&out);
    arena_reset(&arena);
    campaign_record_encode(record, &arena, &out);
    return campaign_record_decode(buffer_span(&out), &arena, again);
}

static void moved_make(void)
{
    record->kind = CAMPAIGN_RECORD_MOVED;
    struct campaign_moved *moved = &record->moved;
    moved->customer = customer_of(3);
    moved->subject = campaign_subject_of(
        (struct sealed){ .key_id = 4, .bytes = span_of_text(letters(CAMPAIGN_SUBJECT_BYTES)) });
    moved->segment = campaign_name_of(span_of_text("big"));
    moved->entered = true;
    moved->at_ms = NOW_MS;
}

START_TEST(the_fullest_move_comes_back_as_it_was)
{
    moved_make();
    struct campaign_moved *moved = &record->moved;
    static const char value[CAMPAIGN_CONTACT_BYTES] = { 0 };
    moved->contact_count = CAMPAIGNS_NEEDS_MAX;
    for (size_t i = 0; i < CAMPAIGNS_NEEDS_MAX; i++) {
        moved->contact[i] = (struct campaign_said){
            .name = span_of_text("phone"),
            .value = { .key_id = (uint32_t)i, .bytes = span_of(value, sizeof value) },
        };
    }
    moved->plan_count = CAMPAIGNS_MAX;
    for (size_t i = 0; i < CAMPAIGNS_MAX; i++) {
        moved->plans[i] = plan_of(CAMPAIGN_BY_ENTRY);
        moved->plans[i].dispatch.bytes[15] = (uint8_t)i;
    }
    ck_assert_int_eq(record_back(), STATUS_OK);
    ck_assert_int_eq(again->kind, CAMPAIGN_RECORD_MOVED);
    ck_assert(customer_id_equal(again->moved.customer, moved->customer));
    ck_assert_uint_eq(again->moved.subject.key_id, 4);
    ck_assert_uint_eq(again->moved.subject.size, CAMPAIGN_SUBJECT_BYTES);
    ck_assert_str_eq(again->moved.segment.text, "big");
    ck_assert(again->moved.entered);
    ck_assert_int_eq(again->moved.at_ms, NOW_MS);
    ck_assert_uint_eq(again->moved.contact_count, CAMPAIGNS_NEEDS_MAX);
    ck_assert_uint_eq(again->moved.contact[5].value.key_id, 5);
    ck_assert_uint_eq(again->moved.contact[5].value.bytes.size, CAMPAIGN_CONTACT_BYTES);
    ck_assert_uint_eq(again->moved.plan_count, CAMPAIGNS_MAX);
    ck_assert_uint_eq(again->moved.plans[31].dispatch.bytes[15], 31);
    ck_assert_str_eq(again->moved.plans[31].step.text, "entry/12");
}
END_TEST

START_TEST(the_other_records_come_back_as_they_were)
{
    record->kind = CAMPAIGN_RECORD_PLANNED;
    record->planned = (struct campaign_planned){ .customer = customer_of(5),
                                                 .plan = plan_of(CAMPAIGN_BY_COMMAND),
                                                 .at_ms = NOW_MS };
    ck_assert_int_eq(record_back(), STATUS_OK);
    ck_assert_int_eq(again->kind, CAMPAIGN_RECORD_PLANNED);
    ck_assert_int_eq(again->planned.plan.trigger, CAMPAIGN_BY_COMMAND);
    ck_assert_int_eq(again->planned.at_ms, NOW_MS);
    record->kind = CAMPAIGN_RECORD_SCHEDULE_RAN;
    record->ran =
        (struct campaign_schedule_ran){ .campaign = campaign_name_of(span_of_text("thanks")),
                                        .due_ms = NOW_MS,
                                        .has_after = true,
                                        .after = customer_of(6) };
    ck_assert_int_eq(record_back(), STATUS_OK);
    ck_assert(again->ran.has_after && !again->ran.done);
    ck_assert(customer_id_equal(again->ran.after, customer_of(6)));
    record->ran.has_after = false;
    record->ran.done = true;
    ck_assert_int_eq(record_back(), STATUS_OK);
    ck_assert(!again->ran.has_after && again->ran.done);
}
END_TEST

START_TEST(records_with_values_that_nobody_wrote_are_corrupt)
{
    ck_assert_int_eq(campaign_record_decode(span_of(NULL, 0), &arena, again), STATUS_CORRUPT);
    moved_make();
    record->moved.at_ms = LIMIT_TIME_MOST_MS + 1;
    ck_assert_int_eq(record_back(), STATUS_CORRUPT);
    moved_make();
    record->moved.segment.size = 0;
    ck_assert_int_eq(record_back(), STATUS_CORRUPT);
    moved_make();
    record->moved.subject.size = 0;
    ck_assert_int_eq(record_back(), STATUS_CORRUPT);
    moved_make();
    record->moved.contact_count = 1;
    record->moved.contact[0].name = span_of_text("");
    ck_assert_int_eq(record_back(), STATUS_CORRUPT);
    moved_make();
    record->moved.contact_count = 0;
    record->moved.plan_count = 1;
    record->moved.plans[0] = plan_of((enum campaign_trigger)3);
    ck_assert_int_eq(record_back(), STATUS_CORRUPT);
    record->kind = CAMPAIGN_RECORD_SCHEDULE_RAN;
    record->ran.due_ms = LIMIT_TIME_LEAST_MS - 1;
    ck_assert_int_eq(record_back(), STATUS_CORRUPT);
}
END_TEST

START_TEST(a_move_is_read_from_segmentations_facts_only)
{
    static const uint8_t segment_big[] = { 0x0a, 3, 'b', 'i', 'g' };
    struct fact fact = { .type = FACT_SEGMENT_EXITED,
                         .version = 1,
                         .has_customer = true,
                         .customer = customer_of(3),
                         .subject = { .bytes = span_of_text("ann") },
                         .body = span_of(segment_big, sizeof segment_big) };
    struct campaign_moved *moved = &again->moved;
    ck_assert_int_eq(campaign_moved_read(&fact, &arena, moved), STATUS_OK);
    ck_assert(!moved->entered);
    ck_assert_str_eq(moved->segment.text, "big");
    fact.type = FACT_SEGMENT_ENTERED;
    ck_assert_int_eq(campaign_moved_read(&fact, &arena, moved), STATUS_OK);
    ck_assert(moved->entered);
    fact.body = span_of(segment_big, sizeof segment_big - 1);
    ck_assert_int_eq(campaign_moved_read(&fact, &arena, moved), STATUS_CORRUPT);
    fact.body = span_of(NULL, 0); /* of no segment */
    ck_assert_int_eq(campaign_moved_read(&fact, &arena, moved), STATUS_CORRUPT);
    fact.body = span_of(segment_big, sizeof segment_big);
    fact.subject.bytes.size = 0;
    ck_assert_int_eq(campaign_moved_read(&fact, &arena, moved), STATUS_CORRUPT);
    fact.type = FACT_RULES_CHANGED;
    ck_assert_int_eq(campaign_moved_read(&fact, &arena, moved), STATUS_CORRUPT);
}
END_TEST

/* ---- rules */

static void text_set(char *field, size_t size)
{
    memcpy(field, letters(size - 1), size);
}

/* As many and as long as the configuration may make them. */
static struct campaigns *fullest_rules(void)
{
    struct campaigns *campaigns = memory_allocate(sizeof *campaigns);
    campaigns->channel_count = CAMPAIGNS_CHANNELS_MAX;
    for (size_t i = 0; i < CAMPAIGNS_CHANNELS_MAX; i++) {
        struct campaign_channel *channel = &campaigns->channels[i];
        channel->in_flight_max = CAMPAIGNS_IN_FLIGHT_MAX;
        text_set(channel->name, sizeof channel->name);
        text_set(channel->address, sizeof channel->address);
        text_set(channel->folder, sizeof channel->folder);
        text_set(channel->url, sizeof channel->url);
        text_set(channel->from, sizeof channel->from);
    }
    campaigns->campaign_count = CAMPAIGNS_MAX;
    for (size_t i = 0; i < CAMPAIGNS_MAX; i++) {
        struct campaign_rule *rule = &campaigns->campaigns[i];
        text_set(rule->name, sizeof rule->name);
        text_set(rule->segment, sizeof rule->segment);
        text_set(rule->subject, sizeof rule->subject);
        text_set(rule->text, sizeof rule->text);
        rule->schedule = (struct campaign_schedule){ true, LIMIT_TIME_MOST_MS, UINT32_MAX };
        rule->cap_messages = UINT32_MAX;
        rule->cap_days = UINT32_MAX;
        rule->valid_from_ms = LIMIT_TIME_LEAST_MS;
        rule->valid_until_ms = LIMIT_TIME_MOST_MS;
    }
    return campaigns;
}

struct encoded_rules {
    struct buffer compiled;
    struct buffer text;
    struct rules_fact fact;
};

static struct rules_fact rules_fact_of(uint32_t version, struct span compiled, struct span text)
{
    return (struct rules_fact){
        .version = version, .hash = hash128_of_span(compiled), .compiled = compiled, .text = text
    };
}

static void rules_make(const struct campaigns *campaigns, struct encoded_rules *rules)
{
    buffer_init(&rules->compiled, CAMPAIGN_COMPILED_BYTES);
    buffer_init(&rules->text, CAMPAIGN_RULES_TEXT_BYTES);
    campaign_rules_encode(campaigns, &rules->compiled);
    campaign_rules_text(campaigns, &rules->text);
    rules->fact = rules_fact_of(3, buffer_span(&rules->compiled), buffer_span(&rules->text));
}

static void rules_release(struct encoded_rules *rules)
{
    buffer_release(&rules->compiled);
    buffer_release(&rules->text);
}

START_TEST(the_fullest_rules_fit_their_fact_and_come_back)
{
    struct campaigns *campaigns = fullest_rules();
    struct encoded_rules rules;
    rules_make(campaigns, &rules);
    rules_fact_encode(&rules.fact, CAMPAIGN_RULES_NAME, &out);
    struct campaign_rules_change change = { .version = 0 };
    ck_assert_int_eq(campaign_rules_fact_decode(buffer_span(&out), &arena, &change), STATUS_OK);
    ck_assert_uint_eq(change.version, 3);
    ck_assert(hash128_equal(change.hash, hash128_of_span(buffer_span(&rules.compiled))));
    ck_assert_uint_eq(change.count, CAMPAIGNS_MAX);
    ck_assert_uint_eq(change.campaigns[31].name.size, LIMIT_ID_BYTES);
    ck_assert(change.campaigns[31].schedule.is_set);
    ck_assert_int_eq(change.campaigns[31].schedule.first_ms, LIMIT_TIME_MOST_MS);
    ck_assert_uint_eq(change.campaigns[31].schedule.every_days, UINT32_MAX);
    rules_release(&rules);
    free(campaigns);
}
END_TEST

START_TEST(rules_without_bounds_are_told_without_them)
{
    struct campaigns *campaigns = memory_allocate(sizeof *campaigns);
    campaigns->channel_count = 1;
    campaigns->channels[0] =
        (struct campaign_channel){ .name = "post", .address = "phone", .in_flight_max = 4 };
    campaigns->campaign_count = 1;
    campaigns->campaigns[0] = (struct campaign_rule){
        .name = "thanks",
        .segment = "big",
        .text = "Dear {customer}",
        .on_entry = true,
        .cap_messages = 2,
        .cap_days = 30,
        .valid_from_ms = INT64_MIN,
        .valid_until_ms = NOW_MS,
    };
    struct encoded_rules rules;
    rules_make(campaigns, &rules);
    ck_assert(
        span_equal(buffer_span(&rules.text),
                   span_of_text("channels:\n"
                                "  - {name: post, kind: file, in_flight_max: 4, address: phone}\n"
                                "campaigns:\n"
                                "  - {name: thanks, segment: big, channel: post, on_entry: true, "
                                "cap: {messages: 2, per_days: 30}, valid_until: "
                                "\"1998-06-30T00:00:00Z\"}\n")));
    rules_fact_encode(&rules.fact, CAMPAIGN_RULES_NAME, &out);
    struct campaign_rules_change change = { .version = 0 };
    ck_assert_int_eq(campaign_rules_fact_decode(buffer_span(&out), &arena, &change), STATUS_OK);
    ck_assert_uint_eq(change.count, 1);
    ck_assert(!change.campaigns[0].schedule.is_set);
    rules_release(&rules);
    free(campaigns);
}
END_TEST

START_TEST(rules_with_a_false_hash_or_cut_are_corrupt)
{
    struct campaigns *campaigns = fullest_rules();
    campaigns->channel_count = 1;
    campaigns->campaign_count = 1;
    campaigns->campaigns[0].channel = 0;
    struct encoded_rules rules;
    rules_make(campaigns, &rules);
    rules_fact_encode(&rules.fact, CAMPAIGN_RULES_NAME, &out);
    struct campaign_rules_change change = { .version = 0 };
    out.data[30] ^= 1; /* of the hash: name and version take 13 bytes, and it 18 */
    ck_assert_int_eq(campaign_rules_fact_decode(buffer_span(&out), &arena, &change),
                     STATUS_CORRUPT);
    out.data[30] ^= 1;
    ck_assert_int_eq(campaign_rules_fact_decode(buffer_span(&out), &arena, &change), STATUS_OK);
    for (size_t size = 0; size < 100; size++) {
        arena_reset(&arena);
        ck_assert_int_eq(campaign_rules_fact_decode(span_of(out.data, size), &arena, &change),
                         STATUS_CORRUPT);
    }
    rules_release(&rules);
    free(campaigns);
}
END_TEST

START_TEST(rules_that_no_configuration_holds_are_corrupt)
{
    struct campaigns *campaigns = fullest_rules();
    struct encoded_rules rules;
    campaigns->campaigns[7].name[0] = '\0';
    rules_make(campaigns, &rules);
    rules_fact_encode(&rules.fact, CAMPAIGN_RULES_NAME, &out);
    struct campaign_rules_change change = { .version = 0 };
    ck_assert_int_eq(campaign_rules_fact_decode(buffer_span(&out), &arena, &change),
                     STATUS_CORRUPT);
    rules.fact.version = 0;
    buffer_clear(&out);
    rules_fact_encode(&rules.fact, CAMPAIGN_RULES_NAME, &out);
    ck_assert_int_eq(campaign_rules_fact_decode(buffer_span(&out), &arena, &change),
                     STATUS_CORRUPT);
    /* One campaign more than there may be: each is two bytes and its name. */
    uint8_t many[(CAMPAIGNS_MAX + 1) * 5] = { 0 };
    for (size_t i = 0; i <= CAMPAIGNS_MAX; i++) {
        static const uint8_t one[] = { 0x12, 3, 0x0a, 1, 'n' };
        memcpy(many + i * sizeof one, one, sizeof one);
    }
    rules.fact = rules_fact_of(1, span_of(many, sizeof many), span_of_text(""));
    buffer_clear(&out);
    rules_fact_encode(&rules.fact, CAMPAIGN_RULES_NAME, &out);
    ck_assert_int_eq(campaign_rules_fact_decode(buffer_span(&out), &arena, &change),
                     STATUS_CORRUPT);
    rules.fact = rules_fact_of(1, span_of(many, sizeof many - 5), span_of_text(""));
    buffer_clear(&out);
    rules_fact_encode(&rules.fact, CAMPAIGN_RULES_NAME, &out);
    ck_assert_int_eq(campaign_rules_fact_decode(buffer_span(&out), &arena, &change), STATUS_OK);
    rules_release(&rules);
    free(campaigns);
}
END_TEST

static Suite *suite_of_codec(void)
{
    Suite *suite = suite_create("campaign_codec");
    TCase *facts = tcase_create("facts");
    tcase_add_checked_fixture(facts, setup, teardown);
    suite_add_tcase(suite, facts);
    tcase_add_test(facts, decisions_come_back_as_they_were);
    tcase_add_test(facts, the_fullest_decision_comes_back);
    tcase_add_test(facts, a_decision_that_is_cut_is_corrupt);
    tcase_add_test(facts, decisions_with_values_that_nobody_wrote_are_corrupt);
    tcase_add_test(facts, a_decision_about_nobody_or_of_another_type_is_corrupt);
    tcase_add_test(facts, a_message_of_all_its_bytes_comes_back_from_its_seal);
    tcase_add_test(facts, the_fullest_rules_fit_their_fact_and_come_back);
    tcase_add_test(facts, rules_without_bounds_are_told_without_them);
    tcase_add_test(facts, rules_with_a_false_hash_or_cut_are_corrupt);
    tcase_add_test(facts, rules_that_no_configuration_holds_are_corrupt);
    TCase *records = tcase_create("records");
    tcase_add_checked_fixture(records, records_setup, records_teardown);
    suite_add_tcase(suite, records);
    tcase_add_test(records, the_fullest_move_comes_back_as_it_was);
    tcase_add_test(records, the_other_records_come_back_as_they_were);
    tcase_add_test(records, records_with_values_that_nobody_wrote_are_corrupt);
    tcase_add_test(records, a_move_is_read_from_segmentations_facts_only);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_codec());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
