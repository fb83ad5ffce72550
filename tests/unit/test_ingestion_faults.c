/* link: ingestion_service ingestion_core reporting_service common_event common_wire */
/* Every field of ingestion's messages at fault, and of reporting's questions, one at a time. */
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "kith/v1/event.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/ingestion_private.pb-c.h"
#include "kith/v1/reporting.pb-c.h"
#include "services/ingestion/ingestion_codec.h"
#include "services/reporting/reporting_codec.h"
#include "tests/unit/message_faults.h"

#include <stdlib.h>

/* ---- facts and private records */

static bool quarantined_is_taken(struct span bytes, struct arena *arena)
{
    struct ingestion_entry entry = { .number = 0 };
    struct span content = { 0 };
    return ingestion_quarantined_decode(bytes, arena, &entry, &content) == STATUS_OK;
}

static ProtobufCMessage *content_of(ProtobufCMessage *message)
{
    return &((Kith__V1__EventQuarantined *)(void *)message)->content->base;
}

START_TEST(a_quarantined_fact_with_a_field_at_fault_is_corrupt)
{
    uint8_t hash[16] = { 1 };
    uint8_t row[3] = { 'r', 'o', 'w' };
    char text[] = "crm";
    Kith__V1__Sealed content = KITH__V1__SEALED__INIT;
    content.has_bytes = 1;
    content.bytes = (ProtobufCBinaryData){ .len = sizeof row, .data = row };
    Kith__V1__EventQuarantined fact = KITH__V1__EVENT_QUARANTINED__INIT;
    fact.has_entry = 1;
    fact.entry = 4;
    fact.explanation = text;
    fact.source = text;
    fact.id = text;
    fact.content = &content;
    fact.has_content_hash = 1;
    fact.content_hash = (ProtobufCBinaryData){ .len = sizeof hash, .data = hash };
    struct message_faults faults = { .is_taken = quarantined_is_taken };
    message_faults_expect(&faults, &fact.base,
                          "entry most\nreason absent\nexplanation absent\nexplanation control\n"
                          "source absent\nsource control\nid absent\nid control\nraw absent\n");
    faults.inner = content_of;
    message_faults_expect(&faults, &fact.base,
                          "key_id absent\nkey_id least\nkey_id most\nbytes absent\nbytes long\n");
}
END_TEST

static bool closed_is_taken(struct span bytes, struct arena *arena)
{
    struct ingestion_closed closed = { .entry = 0 };
    return ingestion_closed_decode(bytes, arena, &closed) == STATUS_OK;
}

static bool run_is_taken(struct span bytes, struct arena *arena)
{
    struct ingestion_run_key run = { .hash = { .bytes = { 0 } } };
    uint64_t batch = 0;
    return ingestion_run_record_decode(bytes, arena, &run, &batch) == STATUS_OK;
}

static ProtobufCMessage *run_of(ProtobufCMessage *message)
{
    return &((Kith__V1__IngestionRecord *)(void *)message)->run_taken->base;
}

START_TEST(what_ingestion_wrote_with_a_field_at_fault_is_corrupt)
{
    uint8_t id[16] = { 1 };
    Kith__V1__QuarantineClosed closed = KITH__V1__QUARANTINE_CLOSED__INIT;
    closed.has_entry = 1;
    closed.entry = 4;
    struct message_faults faults = { .is_taken = closed_is_taken };
    message_faults_expect(&faults, &closed.base, "entry most\naccepted absent\n");
    Kith__V1__IngestionRunTaken taken = KITH__V1__INGESTION_RUN_TAKEN__INIT;
    Kith__V1__IngestionRecord record = KITH__V1__INGESTION_RECORD__INIT;
    taken.has_run = 1;
    taken.run = (ProtobufCBinaryData){ .len = sizeof id, .data = id };
    taken.has_batch = 1;
    taken.batch = 2;
    record.record_case = KITH__V1__INGESTION_RECORD__RECORD_RUN_TAKEN;
    record.run_taken = &taken;
    faults.is_taken = run_is_taken;
    message_faults_expect(&faults, &record.base, "");
    faults.inner = run_of;
    message_faults_expect(&faults, &record.base, "");
}
END_TEST

static bool accepted_is_taken(struct span bytes, struct arena *arena)
{
    struct accepted_event event = { .attribute_count = 0 };
    enum status status = accepted_event_decode(bytes, arena, &event);
    return status == STATUS_OK && accepted_event_open(bytes, arena, &event) == STATUS_OK;
}

static ProtobufCMessage *attribute_of(ProtobufCMessage *message)
{
    return &((Kith__V1__EventAccepted *)(void *)message)->attributes[0]->base;
}

static ProtobufCMessage *money_of(ProtobufCMessage *message)
{
    return &((Kith__V1__EventAccepted *)(void *)message)->amount->base;
}

START_TEST(an_accepted_event_with_a_field_at_fault_is_corrupt)
{
    uint8_t hash[16] = { 1 };
    char text[] = "crm";
    char currency[] = "EUR";
    Kith__V1__Money money = KITH__V1__MONEY__INIT;
    money.has_minor = 1;
    money.minor = 5;
    money.currency = currency;
    Kith__V1__Attribute attribute = KITH__V1__ATTRIBUTE__INIT;
    Kith__V1__Attribute *attributes[] = { &attribute };
    attribute.name = text;
    attribute.value_case = KITH__V1__ATTRIBUTE__VALUE_TEXT;
    attribute.text = text;
    Kith__V1__EventAccepted event = KITH__V1__EVENT_ACCEPTED__INIT;
    event.source = text;
    event.id = text;
    event.type = text;
    event.has_occurred_at_ms = 1;
    event.amount = &money;
    event.n_attributes = 1;
    event.attributes = attributes;
    event.has_content_hash = 1;
    event.content_hash = (ProtobufCBinaryData){ .len = sizeof hash, .data = hash };
    struct message_faults faults = { .is_taken = accepted_is_taken };
    message_faults_expect(
        &faults, &event.base,
        "source control\nid control\ntype control\nschema_version absent\n"
        "schema_version least\nschema_version most\namount absent\nattributes absent\n"
        "sealed absent\nnew_customer absent\n");
    faults.inner = attribute_of;
    message_faults_expect(&faults, &event.base,
                          "name control\ntext control\ninteger least\ninteger most\n"
                          "at_ms least\nat_ms most\npersonal absent\n");
    faults.inner = money_of;
    message_faults_expect(&faults, &event.base,
                          "currency absent\ncurrency long\ncurrency control\n");
}
END_TEST

/* ---- requests */

static bool advance_is_taken(struct span bytes, struct arena *arena)
{
    struct ingestion_advance advance = { .ms = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return ingestion_advance_request_decode(bytes, arena, &advance, &refusal) == STATUS_OK;
}

static bool list_is_taken(struct span bytes, struct arena *arena)
{
    struct ingestion_list_request list = { .limit = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return ingestion_list_request_decode(bytes, false, arena, &list, &refusal) == STATUS_OK;
}

static bool show_is_taken(struct span bytes, struct arena *arena)
{
    struct ingestion_list_request show = { .limit = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return ingestion_list_request_decode(bytes, true, arena, &show, &refusal) == STATUS_OK;
}

static bool retry_is_taken(struct span bytes, struct arena *arena)
{
    struct ingestion_retry_request retry = { .entry = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return ingestion_retry_request_decode(bytes, arena, &retry, &refusal) == STATUS_OK;
}

static bool drop_is_taken(struct span bytes, struct arena *arena)
{
    uint64_t entry = 0;
    struct refusal refusal;
    refusal_init(&refusal);
    return ingestion_drop_request_decode(bytes, arena, &entry, &refusal) == STATUS_OK;
}

static bool daily_is_taken(struct span bytes, struct arena *arena)
{
    struct reporting_daily_request daily = { .limit = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return reporting_daily_decode(bytes, arena, &daily, &refusal) == STATUS_OK;
}

START_TEST(a_request_with_a_field_at_fault_is_refused)
{
    struct message_faults faults = { .is_taken = advance_is_taken };
    Kith__V1__AdvanceClockRequest advance = KITH__V1__ADVANCE_CLOCK_REQUEST__INIT;
    advance.has_to_ms = 1;
    advance.to_ms = 5;
    /* Whether there is such an instant is the core's to say. */
    message_faults_expect(&faults, &advance.base, "to_ms least\nto_ms most\nby_ms absent\n");
    Kith__V1__QuarantineListRequest list = KITH__V1__QUARANTINE_LIST_REQUEST__INIT;
    faults.is_taken = list_is_taken;
    message_faults_expect(&faults, &list.base,
                          "after_entry absent\nafter_entry least\nafter_entry most\nlimit absent\n"
                          "entry absent\n");
    list.has_entry = 1;
    list.entry = 4;
    faults.is_taken = show_is_taken;
    message_faults_expect(&faults, &list.base, "after_entry absent\nlimit absent\nentry most\n");
    Kith__V1__QuarantineRetryRequest retry = KITH__V1__QUARANTINE_RETRY_REQUEST__INIT;
    retry.has_entry = 1;
    retry.entry = 4;
    faults.is_taken = retry_is_taken;
    message_faults_expect(&faults, &retry.base, "entry most\nevent absent\nevent long\n");
    Kith__V1__QuarantineDropRequest drop = KITH__V1__QUARANTINE_DROP_REQUEST__INIT;
    drop.has_entry = 1;
    drop.entry = 4;
    faults.is_taken = drop_is_taken;
    message_faults_expect(&faults, &drop.base, "entry most\n");
}
END_TEST

START_TEST(a_daily_question_with_a_field_at_fault_is_refused)
{
    char by[] = "tier";
    Kith__V1__DailyRequest daily = KITH__V1__DAILY_REQUEST__INIT;
    daily.by = by;
    struct message_faults faults = { .is_taken = daily_is_taken };
    message_faults_expect(&faults, &daily.base,
                          "by absent\nfrom_day absent\nto_day absent\nafter absent\n"
                          "limit absent\nlimit least\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ingestion_faults");
    TCase *tests = tcase_create("ingestion_faults");
    tcase_add_test(tests, a_quarantined_fact_with_a_field_at_fault_is_corrupt);
    tcase_add_test(tests, what_ingestion_wrote_with_a_field_at_fault_is_corrupt);
    tcase_add_test(tests, an_accepted_event_with_a_field_at_fault_is_corrupt);
    tcase_add_test(tests, a_request_with_a_field_at_fault_is_refused);
    tcase_add_test(tests, a_daily_question_with_a_field_at_fault_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
