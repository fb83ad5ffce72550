/* link: kith_parts */
/*
 * What `kith tail` shows of messages: who, why and when, and never the message itself.
 */
#include "cli/fact_json.h"
#include "common/base/limits.h"
#include "common/wire/pb.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static struct buffer body;
static char *line;

static void setup(void)
{
    arena_init(&arena, 1024 * 1024);
    buffer_init(&body, LIMIT_RECORD_BYTES);
    line = NULL;
}

static void teardown(void)
{
    arena_release(&arena);
    buffer_release(&body);
    free(line);
}

static void show(uint32_t type, const ProtobufCMessage *message)
{
    struct feed_name feed = { .name = "campaign" };
    buffer_clear(&body);
    ck_assert_int_eq(pb_pack(message, &body), STATUS_OK);
    struct fact fact = { .seq = 5,
                         .type = type,
                         .version = 1,
                         .has_customer = true,
                         .subject = { .bytes = span_of_text("ann") },
                         .body = buffer_span(&body) };
    json_t *object = fact_json(&feed, &fact, &arena);
    free(line);
    line = json_dumps(object, JSON_COMPACT);
    ck_assert_ptr_nonnull(line);
    json_decref(object);
}

static void shows(const char *part)
{
    ck_assert_msg(strstr(line, part) != NULL, "%s is missing in %s", part, line);
}

static char thanks[] = "thanks";
static char outbox[] = "outbox";
static char step[] = "entry/7";
static char detail[] = "550 no such user";
static const uint8_t dispatch[16] = { 0x0a, 0xff };

static Kith__V1__Dispatch dispatch_of(Kith__V1__Sealed *message)
{
    static const char text[] = "Dear Ann";
    kith__v1__sealed__init(message);
    message->has_bytes = 1;
    message->bytes = pb_bytes(span_of_text(text));
    Kith__V1__Dispatch made = KITH__V1__DISPATCH__INIT;
    made.has_dispatch = 1;
    made.dispatch = pb_bytes(span_of(dispatch, sizeof dispatch));
    made.campaign = thanks;
    made.has_number = 1;
    made.number = 3;
    made.channel = outbox;
    made.has_trigger = 1;
    made.trigger = KITH__V1__DISPATCH_TRIGGER__DISPATCH_BY_ENTRY;
    made.step = step;
    made.has_rules_version = 1;
    made.rules_version = 2;
    made.message = message;
    return made;
}

START_TEST(an_intent_is_shown_without_its_message)
{
    Kith__V1__Sealed message;
    Kith__V1__Dispatch intent = dispatch_of(&message);
    show(FACT_DISPATCH_INTENDED, &intent.base);
    shows("\"type\":\"dispatch.intended\"");
    shows("\"customer\":\"ann\"");
    shows("\"dispatch\":\"0aff0000000000000000000000000000\"");
    shows("\"campaign\":\"thanks\",\"number\":3,\"channel\":\"outbox\",\"trigger\":\"entry\"");
    shows("\"step\":\"entry/7\",\"rules_version\":2");
    ck_assert_ptr_null(strstr(line, "Dear"));
    ck_assert_ptr_null(strstr(line, "reason"));
}
END_TEST

static const struct outcome_row {
    uint32_t type;
    const char *name;
} outcome_rows[] = {
    { FACT_DISPATCH_SENT, "\"type\":\"dispatch.sent\"" },
    { FACT_DISPATCH_SUPPRESSED, "\"type\":\"dispatch.suppressed\"" },
    { FACT_DISPATCH_UNKNOWN, "\"type\":\"dispatch.unknown\"" },
};

START_TEST(each_outcome_has_its_name)
{
    Kith__V1__Sealed message;
    Kith__V1__Dispatch outcome = dispatch_of(&message);
    outcome.message = NULL;
    show(outcome_rows[_i].type, &outcome.base);
    shows(outcome_rows[_i].name);
    shows("\"campaign\":\"thanks\"");
}
END_TEST

static const struct reason_row {
    Kith__V1__SuppressedReason reason;
    const char *word;
} reason_rows[] = {
    { KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NOT_IN_SEGMENT, "not_in_segment" },
    { KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAP_REACHED, "cap_reached" },
    { KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NOT_VALID, "not_valid" },
    { KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NO_ADDRESS, "no_address" },
    { KITH__V1__SUPPRESSED_REASON__SUPPRESSED_MISSING_ATTRIBUTE, "missing_attribute" },
    { KITH__V1__SUPPRESSED_REASON__SUPPRESSED_TOO_LONG, "too_long" },
    { KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAMPAIGN_GONE, "campaign_gone" },
    { KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CHANNEL_REFUSED, "channel_refused" },
};

START_TEST(each_reason_is_a_word)
{
    Kith__V1__Sealed message;
    Kith__V1__Dispatch outcome = dispatch_of(&message);
    outcome.has_reason = 1;
    outcome.reason = reason_rows[_i].reason;
    outcome.detail = detail;
    show(FACT_DISPATCH_SUPPRESSED, &outcome.base);
    char part[64];
    (void)snprintf(part, sizeof part, "\"reason\":\"%s\",\"detail\":\"550", reason_rows[_i].word);
    shows(part);
}
END_TEST

START_TEST(words_for_states_and_triggers_are_those_that_scripts_know)
{
    json_t *words = json_pack("[oooooooo]", dispatch_state_json(0), dispatch_state_json(1),
                              dispatch_state_json(2), dispatch_state_json(3),
                              dispatch_trigger_json(0), dispatch_trigger_json(1),
                              dispatch_trigger_json(2), dispatch_reason_json(false, 1));
    line = json_dumps(words, JSON_COMPACT);
    ck_assert_str_eq(line, "[\"pending\",\"sent\",\"suppressed\",\"unknown\","
                           "\"entry\",\"schedule\",\"command\",null]");
    json_decref(words);
}
END_TEST

START_TEST(an_entry_is_shown_without_addresses)
{
    char name[] = "phone";
    Kith__V1__Sealed value = KITH__V1__SEALED__INIT;
    value.has_bytes = 1;
    value.bytes = pb_bytes(span_of_text("+41 44"));
    Kith__V1__ContactAttribute phone = KITH__V1__CONTACT_ATTRIBUTE__INIT;
    phone.name = name;
    phone.value = &value;
    Kith__V1__ContactAttribute *contact[] = { &phone };
    Kith__V1__SegmentEntered entry = KITH__V1__SEGMENT_ENTERED__INIT;
    entry.segment = thanks;
    entry.n_contact = 1;
    entry.contact = contact;
    show(FACT_SEGMENT_ENTERED, &entry.base);
    shows("\"segment\":\"thanks\"");
    ck_assert_ptr_null(strstr(line, "+41"));
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

/* ---- events */

START_TEST(texts_that_are_no_utf8_are_shown_as_digits)
{
    char broken[] = "\xff";
    char type[] = "visit";
    uint8_t hash[16] = { 1 };
    Kith__V1__Attribute attribute = KITH__V1__ATTRIBUTE__INIT;
    Kith__V1__Attribute *attributes[] = { &attribute };
    attribute.name = broken;
    attribute.value_case = KITH__V1__ATTRIBUTE__VALUE_TEXT;
    attribute.text = broken;
    Kith__V1__EventAccepted event = KITH__V1__EVENT_ACCEPTED__INIT;
    event.source = broken;
    event.id = broken;
    event.type = type;
    event.has_occurred_at_ms = 1;
    event.n_attributes = 1;
    event.attributes = attributes;
    event.has_content_hash = 1;
    event.content_hash = pb_bytes(span_of(hash, sizeof hash));
    show(FACT_EVENT_ACCEPTED, &event.base);
    shows("\"source\":\"0xff\"");
    shows("\"attributes\":{\"0xff\":\"0xff\"}");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("fact_json");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_intent_is_shown_without_its_message);
    tcase_add_loop_test(tests, each_outcome_has_its_name, 0, COUNT(outcome_rows));
    tcase_add_loop_test(tests, each_reason_is_a_word, 0, COUNT(reason_rows));
    tcase_add_test(tests, words_for_states_and_triggers_are_those_that_scripts_know);
    tcase_add_test(tests, texts_that_are_no_utf8_are_shown_as_digits);
    tcase_add_test(tests, an_entry_is_shown_without_addresses);
    Suite *suite = suite_create("cli_fact_json");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
