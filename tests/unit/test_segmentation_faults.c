/* link: segmentation_service segmentation_core common_wire */
/* Every field of segmentation's messages at fault, one at a time, and keys of other sizes. */
#include "common/wire/pb.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"
#include "kith/v1/segmentation_private.pb-c.h"
#include "services/segmentation/segmentation_codec.h"
#include "services/segmentation/segmentation_record.h"
#include "services/segmentation/segmentation_request.h"
#include "tests/unit/message_faults.h"

#include <stdlib.h>

#define NOW_MS INT64_C(899164800000)

/* ---- private records */

static bool record_is_taken(struct span bytes, struct arena *arena)
{
    (void)arena;
    struct segmentation_record record = { .now_ms = 0 };
    enum status status = segmentation_record_decode(bytes, &record);
    ck_assert(status == STATUS_OK || status == STATUS_CORRUPT);
    return status == STATUS_OK;
}

static ProtobufCMessage *event_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentationRecord *)(void *)message)->event->base;
}

static ProtobufCMessage *said_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentationRecord *)(void *)message)->event->attributes[0]->base;
}

static ProtobufCMessage *advanced_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentationRecord *)(void *)message)->advanced->base;
}

static ProtobufCMessage *visited_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentationRecord *)(void *)message)->visited->base;
}

static ProtobufCMessage *ended_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentationRecord *)(void *)message)->visits_ended->base;
}

START_TEST(an_event_with_a_field_at_fault_is_corrupt)
{
    uint8_t customer[16] = { 3 };
    uint8_t who[3] = { 'a', 'n', 'n' };
    char type[] = "purchase";
    char name[] = "tier";
    char text[] = "gold";
    Kith__V1__Sealed subject = KITH__V1__SEALED__INIT;
    subject.has_bytes = 1;
    subject.bytes = (ProtobufCBinaryData){ .len = sizeof who, .data = who };
    Kith__V1__ProfileAttribute said = KITH__V1__PROFILE_ATTRIBUTE__INIT;
    Kith__V1__ProfileAttribute *saids[] = { &said };
    said.name = name;
    said.text = text;
    Kith__V1__SegmentationEvent event = KITH__V1__SEGMENTATION_EVENT__INIT;
    event.has_customer = 1;
    event.customer = (ProtobufCBinaryData){ .len = sizeof customer, .data = customer };
    event.subject = &subject;
    event.type = type;
    event.has_occurred_at_ms = 1;
    event.occurred_at_ms = NOW_MS;
    event.has_now_ms = 1;
    event.now_ms = NOW_MS;
    event.n_attributes = 1;
    event.attributes = saids;
    Kith__V1__SegmentationRecord record = KITH__V1__SEGMENTATION_RECORD__INIT;
    record.record_case = KITH__V1__SEGMENTATION_RECORD__RECORD_EVENT;
    record.event = &event;
    struct message_faults faults = { .inner = event_of, .is_taken = record_is_taken };
    message_faults_expect(&faults, &record.base,
                          "type control\ncategory absent\ncategory control\n"
                          "amount_minor absent\nattributes absent\n");
    faults.inner = said_of;
    message_faults_expect(&faults, &record.base,
                          "name control\ntext absent\ntext control\n"
                          "integer absent\ninteger least\ninteger most\npersonal absent\n");
    faults.inner = NULL;
    message_faults_expect(&faults, &record.base, "");
}
END_TEST

START_TEST(the_other_records_with_a_field_at_fault_are_corrupt)
{
    uint8_t customer[16] = { 3 };
    ProtobufCBinaryData id = { .len = sizeof customer, .data = customer };
    Kith__V1__SegmentationRecord record = KITH__V1__SEGMENTATION_RECORD__INIT;
    Kith__V1__SegmentationAdvanced advanced = KITH__V1__SEGMENTATION_ADVANCED__INIT;
    advanced.has_customer = 1;
    advanced.customer = id;
    advanced.has_now_ms = 1;
    advanced.now_ms = NOW_MS;
    record.record_case = KITH__V1__SEGMENTATION_RECORD__RECORD_ADVANCED;
    record.advanced = &advanced;
    struct message_faults faults = { .inner = advanced_of, .is_taken = record_is_taken };
    message_faults_expect(&faults, &record.base, "");
    Kith__V1__SegmentationVisited visited = KITH__V1__SEGMENTATION_VISITED__INIT;
    visited.has_customer = 1;
    visited.customer = id;
    visited.has_now_ms = 1;
    visited.now_ms = NOW_MS;
    record.record_case = KITH__V1__SEGMENTATION_RECORD__RECORD_VISITED;
    record.visited = &visited;
    faults.inner = visited_of;
    message_faults_expect(&faults, &record.base, "");
    Kith__V1__SegmentationVisitsEnded ended = KITH__V1__SEGMENTATION_VISITS_ENDED__INIT;
    ended.has_rules_version = 1;
    ended.rules_version = 2;
    record.record_case = KITH__V1__SEGMENTATION_RECORD__RECORD_VISITS_ENDED;
    record.visits_ended = &ended;
    faults.inner = ended_of;
    message_faults_expect(&faults, &record.base, "rules_version most\n");
}
END_TEST

/* ---- rules */

static bool rules_is_taken(struct span bytes, struct arena *arena)
{
    struct segmentation_rules *rules = memory_allocate(sizeof *rules);
    enum status status = segmentation_rules_decode(bytes, arena, rules);
    free(rules);
    return status == STATUS_OK;
}

static ProtobufCMessage *segment_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentRules *)(void *)message)->segments[0]->base;
}

static ProtobufCMessage *group_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentRules *)(void *)message)->segments[0]->nodes[0]->base;
}

static ProtobufCMessage *clause_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentRules *)(void *)message)->segments[0]->nodes[1]->base;
}

static ProtobufCMessage *text_clause_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentRules *)(void *)message)->segments[0]->nodes[2]->base;
}

static ProtobufCMessage *end_of(ProtobufCMessage *message)
{
    return &((Kith__V1__SegmentRules *)(void *)message)->segments[0]->nodes[3]->base;
}

/* all(count(visit, category x) over 30 days >= 1, tier in (gold)) */
static void nodes_fill(Kith__V1__RuleNode nodes[4], char *type, char *category, char **values)
{
    for (size_t i = 0; i < 4; i++) {
        kith__v1__rule_node__init(&nodes[i]);
        nodes[i].has_kind = 1;
    }
    nodes[0].kind = KITH__V1__RULE_KIND__RULE_ALL;
    nodes[1].kind = KITH__V1__RULE_KIND__RULE_COUNT;
    nodes[1].subject = type;
    nodes[1].category = category;
    nodes[1].has_days = 1;
    nodes[1].days = 30;
    nodes[1].has_comparison = 1;
    nodes[1].comparison = KITH__V1__RULE_COMPARISON__RULE_AT_LEAST;
    nodes[1].has_number = 1;
    nodes[1].number = 1;
    nodes[2].kind = KITH__V1__RULE_KIND__RULE_ATTRIBUTE;
    nodes[2].subject = category;
    nodes[2].has_comparison = 1;
    nodes[2].comparison = KITH__V1__RULE_COMPARISON__RULE_IN;
    nodes[2].values = values;
    nodes[2].n_values = 1;
    nodes[3].kind = KITH__V1__RULE_KIND__RULE_END;
}

/* Of a group and an end nothing is read but the kind. */
#define IGNORED                                                                                    \
    "comparison absent\ncomparison least\ncomparison most\n"                                       \
    "subject absent\nsubject long\nsubject control\n"                                              \
    "category absent\ncategory long\ncategory control\n"                                           \
    "days absent\ndays least\ndays most\nnumber absent\nnumber least\nnumber most\n"               \
    "values absent\n"

struct rules_row {
    const char *name;
    ProtobufCMessage *(*inner)(ProtobufCMessage *message);
    const char *taken;
};

static const struct rules_row rules_rows[] = {
    { "rules", NULL, "segments absent\n" },
    { "segment", segment_of, "" },
    { "group", group_of, IGNORED },
    { "clause", clause_of, "category absent\nnumber absent\nvalues absent\n" },
    { "text", text_clause_of, "category absent\ndays absent\ndays least\nnumber absent\n" },
    { "end", end_of, "kind absent\n" IGNORED },
};
#define RULES_ROWS (sizeof rules_rows / sizeof rules_rows[0])

START_TEST(rules_with_a_field_at_fault_are_corrupt)
{
    char name[] = "big";
    char type[] = "visit";
    char category[] = "tier";
    char gold[] = "gold";
    char *values[] = { gold };
    Kith__V1__RuleNode nodes[4];
    Kith__V1__RuleNode *pointers[] = { &nodes[0], &nodes[1], &nodes[2], &nodes[3] };
    nodes_fill(nodes, type, category, values);
    Kith__V1__SegmentRule segment = KITH__V1__SEGMENT_RULE__INIT;
    Kith__V1__SegmentRule *segments[] = { &segment };
    segment.name = name;
    segment.n_nodes = 4;
    segment.nodes = pointers;
    Kith__V1__SegmentRules rules = KITH__V1__SEGMENT_RULES__INIT;
    rules.has_history_days = 1;
    rules.history_days = 400;
    rules.n_segments = 1;
    rules.segments = segments;
    struct message_faults faults = { .inner = rules_rows[_i].inner, .is_taken = rules_is_taken };
    message_faults_expect(&faults, &rules.base, rules_rows[_i].taken);
}
END_TEST

static bool fact_is_taken(struct span bytes, struct arena *arena)
{
    struct segmentation_rules_fact changed = { .version = 0 };
    return segmentation_rules_fact_decode(bytes, arena, &changed) == STATUS_OK;
}

START_TEST(a_fact_of_new_rules_with_a_field_at_fault_is_corrupt)
{
    char name[] = SEGMENTATION_RULES_NAME;
    uint8_t compiled[3] = { 1, 2, 3 };
    struct hash128 hash = hash128_of_span(span_of(compiled, sizeof compiled));
    Kith__V1__RulesChanged changed = KITH__V1__RULES_CHANGED__INIT;
    changed.name = name;
    changed.has_rules_version = 1;
    changed.rules_version = 1;
    changed.has_compiled = 1;
    changed.compiled = (ProtobufCBinaryData){ .len = sizeof compiled, .data = compiled };
    changed.has_text_hash = 1;
    changed.text_hash = (ProtobufCBinaryData){ .len = sizeof hash.bytes, .data = hash.bytes };
    struct message_faults faults = { .is_taken = fact_is_taken };
    message_faults_expect(&faults, &changed.base,
                          "rules_version most\ntext absent\ntext long\ntext control\n");
}
END_TEST

/* ---- requests */

static bool count_is_taken(struct span bytes, struct arena *arena)
{
    struct span segment = { 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return segmentation_count_decode(bytes, arena, &segment, &refusal) == STATUS_OK;
}

static bool list_is_taken(struct span bytes, struct arena *arena)
{
    struct segmentation_list_request list = { .limit = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return segmentation_list_decode(bytes, arena, &list, &refusal) == STATUS_OK;
}

static bool why_is_taken(struct span bytes, struct arena *arena)
{
    struct segmentation_why_request why = { .segment = { 0 } };
    struct refusal refusal;
    refusal_init(&refusal);
    return segmentation_why_decode(bytes, arena, &why, &refusal) == STATUS_OK;
}

START_TEST(a_request_with_a_field_at_fault_is_refused)
{
    char segment[] = "big";
    char customer[] = "ann";
    Kith__V1__CountRequest count = KITH__V1__COUNT_REQUEST__INIT;
    count.segment = segment;
    struct message_faults faults = { .is_taken = count_is_taken };
    message_faults_expect(&faults, &count.base, "");
    Kith__V1__ListRequest list = KITH__V1__LIST_REQUEST__INIT;
    list.segment = segment;
    list.after = customer;
    faults.is_taken = list_is_taken;
    message_faults_expect(&faults, &list.base, "after absent\nlimit absent\nlimit least\n");
    Kith__V1__WhyRequest why = KITH__V1__WHY_REQUEST__INIT;
    why.segment = segment;
    why.customer = customer;
    faults.is_taken = why_is_taken;
    message_faults_expect(&faults, &why.base, "");
}
END_TEST

/* ---- keys */

START_TEST(a_key_comes_back_from_its_bytes_and_from_no_other_size)
{
    struct customer_id three = { .bytes = { 3 } };
    struct customer_id customer = { .bytes = { 0 } };
    struct segmentation_event_key event = { .customer = three, .at_ms = NOW_MS, .number = 7 };
    struct segmentation_due_key due = { .at_ms = -NOW_MS, .customer = three };
    struct segmentation_event_key event_back = { .number = 0 };
    struct segmentation_due_key due_back = { .at_ms = 0 };
    uint16_t feature = 0;
    uint32_t segment = 0;
    struct span text = { 0 };
    struct segmentation_key keys[] = {
        segmentation_customer_key(three),     segmentation_event_key_encode(event),
        segmentation_feature_key(three, 513), segmentation_membership_key(three, 70000),
        segmentation_due_key_encode(due),     segmentation_member_key(70000, span_of_text("ann")),
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct span bytes = segmentation_key_span(&keys[i]);
        enum status expected[6] = { 0 };
        for (size_t j = 0; j < 6; j++) {
            expected[j] = i == j ? STATUS_OK : STATUS_MALFORMED;
        }
        ck_assert_int_eq(segmentation_customer_key_decode(bytes, &customer), expected[0]);
        ck_assert_int_eq(segmentation_event_key_decode(bytes, &event_back), expected[1]);
        ck_assert_int_eq(segmentation_feature_key_decode(bytes, &feature), expected[2]);
        ck_assert_int_eq(segmentation_membership_key_decode(bytes, &segment), expected[3]);
        ck_assert_int_eq(segmentation_due_key_decode(bytes, &due_back), expected[4]);
    }
    ck_assert(customer_id_equal(customer, three) && feature == 513 && segment == 70000);
    ck_assert(event_back.number == 7 && event_back.at_ms == NOW_MS && due_back.at_ms == -NOW_MS);
    struct span member = segmentation_key_span(&keys[5]);
    ck_assert_int_eq(segmentation_member_key_decode(member, &segment, &text), STATUS_OK);
    ck_assert(segment == 70000 && span_equal(text, span_of_text("ann")));
    member.size = 4;
    ck_assert_int_eq(segmentation_member_key_decode(member, &segment, &text), STATUS_MALFORMED);
    member.size = 4 + LIMIT_ID_BYTES + 1;
    ck_assert_int_eq(segmentation_member_key_decode(member, &segment, &text), STATUS_MALFORMED);
    event.number = 0; /* no event has it */
    keys[1] = segmentation_event_key_encode(event);
    ck_assert_int_eq(segmentation_event_key_decode(segmentation_key_span(&keys[1]), &event_back),
                     STATUS_MALFORMED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("segmentation_faults");
    TCase *tests = tcase_create("segmentation_faults");
    tcase_add_test(tests, an_event_with_a_field_at_fault_is_corrupt);
    tcase_add_test(tests, the_other_records_with_a_field_at_fault_are_corrupt);
    tcase_add_loop_test(tests, rules_with_a_field_at_fault_are_corrupt, 0, (int)RULES_ROWS);
    tcase_add_test(tests, a_fact_of_new_rules_with_a_field_at_fault_is_corrupt);
    tcase_add_test(tests, a_request_with_a_field_at_fault_is_refused);
    tcase_add_test(tests, a_key_comes_back_from_its_bytes_and_from_no_other_size);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
