/* link: campaign_service campaign_core common_wire */
/* Every field of campaign's messages at fault, one at a time. */
#include "common/wire/pb.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/campaign_private.pb-c.h"
#include "services/campaign/campaign_codec.h"
#include "services/campaign/campaign_record.h"
#include "services/campaign/campaign_request.h"
#include "tests/unit/message_faults.h"

#include <stdlib.h>

#define NOW_MS INT64_C(899164800000)

static struct campaign_plan plan_of(void)
{
    return (struct campaign_plan){ .dispatch = { .bytes = { 7 } },
                                   .campaign = campaign_name_of(span_of_text("thanks")),
                                   .trigger = CAMPAIGN_BY_ENTRY,
                                   .step = campaign_core_entry_step(12) };
}

/* Sound records of the three kinds, on the heap. */
static struct campaign_record *record_of(enum campaign_record_kind kind)
{
    struct campaign_record *record = memory_allocate(sizeof *record);
    record->kind = kind;
    record->moved = (struct campaign_moved){
        .customer = { .bytes = { 3 } },
        .subject = campaign_subject_of((struct sealed){ .bytes = span_of_text("ann") }),
        .segment = campaign_name_of(span_of_text("big")),
        .entered = true,
        .at_ms = NOW_MS,
        .contact_count = 1,
        .contact = { { .name = span_of_text("phone"),
                       .value = { .bytes = span_of_text("1234") } } },
        .plan_count = 1,
        .plans = { plan_of() },
    };
    record->planned = (struct campaign_planned){ .customer = { .bytes = { 3 } },
                                                 .plan = plan_of(),
                                                 .at_ms = NOW_MS };
    record->ran = (struct campaign_schedule_ran){
        .campaign = campaign_name_of(span_of_text("thanks")),
        .due_ms = NOW_MS,
        .has_after = true,
        .after = { .bytes = { 4 } },
    };
    return record;
}

static bool record_is_taken(struct span bytes, struct arena *arena)
{
    struct campaign_record *record = memory_allocate(sizeof *record);
    enum status status = campaign_record_decode(bytes, arena, record);
    free(record);
    ck_assert(status == STATUS_OK || status == STATUS_CORRUPT);
    return status == STATUS_OK;
}

static ProtobufCMessage *moved_of(ProtobufCMessage *message)
{
    return &((Kith__V1__CampaignRecord *)(void *)message)->moved->base;
}

static ProtobufCMessage *moved_plan_of(ProtobufCMessage *message)
{
    return &((Kith__V1__CampaignRecord *)(void *)message)->moved->plans[0]->base;
}

static ProtobufCMessage *moved_contact_of(ProtobufCMessage *message)
{
    return &((Kith__V1__CampaignRecord *)(void *)message)->moved->contact[0]->base;
}

static ProtobufCMessage *planned_of(ProtobufCMessage *message)
{
    return &((Kith__V1__CampaignRecord *)(void *)message)->planned->base;
}

static ProtobufCMessage *ran_of(ProtobufCMessage *message)
{
    return &((Kith__V1__CampaignRecord *)(void *)message)->schedule_ran->base;
}

struct record_row {
    const char *name;
    enum campaign_record_kind kind;
    ProtobufCMessage *(*inner)(ProtobufCMessage *message);
    const char *taken;
};

static const struct record_row records[] = {
    { "whole", CAMPAIGN_RECORD_MOVED, NULL, "" },
    { "moved", CAMPAIGN_RECORD_MOVED, moved_of,
      "entered absent\nat_ms absent\ncontact absent\nplans absent\n" },
    { "a move's plan", CAMPAIGN_RECORD_MOVED, moved_plan_of, "trigger absent\n" },
    { "a move's contact", CAMPAIGN_RECORD_MOVED, moved_contact_of, "" },
    { "planned", CAMPAIGN_RECORD_PLANNED, planned_of, "at_ms absent\n" },
    { "ran", CAMPAIGN_RECORD_SCHEDULE_RAN, ran_of, "due_ms absent\nafter absent\ndone absent\n" },
};
#define RECORD_COUNT (sizeof records / sizeof records[0])

START_TEST(a_record_with_a_field_at_fault_is_corrupt)
{
    const struct record_row *row = &records[_i];
    struct campaign_record *record = record_of(row->kind);
    struct arena arena;
    struct buffer sound;
    arena_init(&arena, (size_t)1024 * 1024);
    buffer_init(&sound, LIMIT_RECORD_BYTES);
    campaign_record_encode(record, &arena, &sound);
    struct message_faults faults = { .descriptor = &kith__v1__campaign_record__descriptor,
                                     .sound = buffer_span(&sound),
                                     .inner = row->inner,
                                     .is_taken = record_is_taken };
    message_faults_try(&faults);
    ck_assert_msg(strcmp(faults.taken, row->taken) == 0, "%s: taken:\n%s", row->name, faults.taken);
    buffer_release(&sound);
    arena_release(&arena);
    free(record);
}
END_TEST

/* ---- segmentation's facts */

static bool moved_is_taken(struct span bytes, struct arena *arena, uint32_t type)
{
    struct fact fact = { .type = type,
                         .has_customer = true,
                         .subject = { .bytes = span_of_text("ann") },
                         .body = bytes };
    struct campaign_moved *moved = memory_allocate(sizeof *moved);
    enum status status = campaign_moved_read(&fact, arena, moved);
    free(moved);
    return status == STATUS_OK;
}

static bool entered_is_taken(struct span bytes, struct arena *arena)
{
    return moved_is_taken(bytes, arena, FACT_SEGMENT_ENTERED);
}

static bool exited_is_taken(struct span bytes, struct arena *arena)
{
    return moved_is_taken(bytes, arena, FACT_SEGMENT_EXITED);
}

START_TEST(a_move_with_a_field_at_fault_is_corrupt)
{
    char segment[] = "big";
    Kith__V1__SegmentEntered entered = KITH__V1__SEGMENT_ENTERED__INIT;
    Kith__V1__SegmentExited exited = KITH__V1__SEGMENT_EXITED__INIT;
    struct message_faults faults = { .is_taken = entered_is_taken };
    entered.segment = segment;
    exited.segment = segment;
    message_faults_expect(&faults, &entered.base,
                          "rules_version absent\nrules_version least\n"
                          "rules_version most\ncontact absent\n");
    faults.is_taken = exited_is_taken;
    message_faults_expect(&faults, &exited.base,
                          "rules_version absent\nrules_version least\n"
                          "rules_version most\nby_time absent\n");
}
END_TEST

START_TEST(a_record_of_bytes_that_are_no_message_is_corrupt)
{
    struct arena arena;
    arena_init(&arena, (size_t)1024 * 1024);
    ck_assert(!record_is_taken(span_of_text("\x0a"), &arena));
    arena_release(&arena);
}
END_TEST

/* ---- keys */

START_TEST(a_key_comes_back_from_its_bytes_and_from_no_others)
{
    struct span name = { 0 };
    struct customer_id customer = { .bytes = { 0 } };
    struct customer_id three = { .bytes = { 3 } };
    struct campaign_key key = campaign_key_of_customer(span_of_text("thanks"), three);
    struct span bytes = campaign_key_span(&key);
    ck_assert_int_eq(campaign_key_customer_decode(bytes, &name, &customer), STATUS_OK);
    ck_assert(span_equal(name, span_of_text("thanks")) && customer_id_equal(customer, three));
    for (size_t size = 0; size < bytes.size; size++) {
        struct span cut = span_of(bytes.data, size);
        ck_assert_int_eq(campaign_key_customer_decode(cut, &name, &customer), STATUS_MALFORMED);
    }
    ck_assert_int_eq(campaign_key_name_decode(bytes, &name), STATUS_MALFORMED);
    struct campaign_key alone = campaign_key_of_name(span_of_text("thanks"));
    ck_assert_int_eq(campaign_key_name_decode(campaign_key_span(&alone), &name), STATUS_OK);
    ck_assert(span_equal(name, span_of_text("thanks")));
    alone.bytes[0] = 0; /* a name without a byte */
    ck_assert_int_eq(campaign_key_name_decode(campaign_key_span(&alone), &name), STATUS_MALFORMED);
    alone.bytes[0] = LIMIT_ID_BYTES + 1;
    alone.size = LIMIT_ID_BYTES + 2;
    ck_assert_int_eq(campaign_key_name_decode(campaign_key_span(&alone), &name), STATUS_MALFORMED);
}
END_TEST

/* ---- requests */

static bool trigger_is_taken(struct span bytes, struct arena *arena)
{
    struct campaign_trigger_request request = { .campaign = { 0 } };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = campaign_trigger_decode(bytes, arena, &request, &refusal);
    ck_assert_int_eq(status == STATUS_OK, refusal.violation_count == 0);
    return status == STATUS_OK;
}

static bool decisions_is_taken(struct span bytes, struct arena *arena)
{
    struct campaign_decisions_request request = { .limit = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = campaign_decisions_decode(bytes, arena, &request, &refusal);
    ck_assert_int_eq(status == STATUS_OK, refusal.violation_count == 0);
    return status == STATUS_OK;
}

static bool dispatch_is_taken(struct span bytes, struct arena *arena)
{
    struct hash128 dispatch = { .bytes = { 0 } };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = campaign_dispatch_decode(bytes, arena, &dispatch, &refusal);
    ck_assert_int_eq(status == STATUS_OK, refusal.violation_count == 0);
    return status == STATUS_OK;
}

START_TEST(a_request_with_a_field_at_fault_is_refused)
{
    char campaign[] = "thanks";
    char customer[] = "ann";
    uint8_t id[16] = { 1 };
    struct message_faults faults = { .is_taken = trigger_is_taken };
    Kith__V1__TriggerRequest trigger = KITH__V1__TRIGGER_REQUEST__INIT;
    trigger.campaign = campaign;
    trigger.customer = customer;
    message_faults_expect(&faults, &trigger.base, "");
    Kith__V1__DecisionsRequest decisions = KITH__V1__DECISIONS_REQUEST__INIT;
    decisions.campaign = campaign;
    faults.is_taken = decisions_is_taken;
    message_faults_expect(&faults, &decisions.base,
                          "after_number absent\nafter_number least\nafter_number most\n"
                          "limit absent\nlimit least\n");
    Kith__V1__DispatchRequest dispatch = KITH__V1__DISPATCH_REQUEST__INIT;
    dispatch.has_dispatch = 1;
    dispatch.dispatch = (ProtobufCBinaryData){ .len = sizeof id, .data = id };
    faults.is_taken = dispatch_is_taken;
    message_faults_expect(&faults, &dispatch.base, "");
}
END_TEST

START_TEST(a_question_without_fields_takes_none)
{
    struct arena arena;
    struct refusal refusal;
    arena_init(&arena, (size_t)1024 * 1024);
    refusal_init(&refusal);
    ck_assert_int_eq(campaign_settle_decode(span_of(NULL, 0), &arena, &refusal), STATUS_OK);
    ck_assert_int_eq(campaign_campaigns_decode(span_of(NULL, 0), &arena, &refusal), STATUS_OK);
    struct span unknown = span_of_text("\x08\x01");
    ck_assert_int_eq(campaign_settle_decode(unknown, &arena, &refusal), STATUS_MALFORMED);
    ck_assert_int_eq(campaign_campaigns_decode(unknown, &arena, &refusal), STATUS_MALFORMED);
    arena_release(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("campaign_faults");
    TCase *tests = tcase_create("campaign_faults");
    tcase_add_loop_test(tests, a_record_with_a_field_at_fault_is_corrupt, 0, (int)RECORD_COUNT);
    tcase_add_test(tests, a_move_with_a_field_at_fault_is_corrupt);
    tcase_add_test(tests, a_record_of_bytes_that_are_no_message_is_corrupt);
    tcase_add_test(tests, a_key_comes_back_from_its_bytes_and_from_no_others);
    tcase_add_test(tests, a_request_with_a_field_at_fault_is_refused);
    tcase_add_test(tests, a_question_without_fields_takes_none);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
