/* link: reporting_service reporting_core common_event common_wire */
/*
 * Reporting's folds and answers over a turn in memory, whose functions are defined here: what
 * is tested is the service alone, and that each type of fact on its page has its place.
 */
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/reporting.pb-c.h"
#include "services/reporting/reporting_service.h"
#include "tests/support/memory_view.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(899164800000)
#define DAY INT64_C(10407) /* 1998-06-30 */

/* ---- a turn in memory */

struct turn {
    void *service;
    struct memory_view *memory;
    struct view view;
    struct change change;
};

const struct view *turn_view(struct turn *turn)
{
    return &turn->view;
}

const struct change *turn_change(struct turn *turn)
{
    return &turn->change;
}

size_t turn_positions(const struct turn *turn, struct turn_position *positions, size_t max)
{
    (void)turn;
    assert(max >= 1);
    positions[0] = (struct turn_position){ { "ingestion", 0 }, 7 };
    return 1;
}

/* ---- the fixture */

static struct turn turn;
static struct arena arena;
static struct buffer body;
static struct buffer answer;
static struct refusal refusal;

static enum status service_open(const char *text, void **service)
{
    struct yaml_tree *tree = NULL;
    ck_assert_int_eq(yaml_tree_parse(&tree, "suite.yaml", text, strlen(text), &refusal), STATUS_OK);
    struct suite_config config = { .clock = SUITE_CLOCK_EVENT };
    struct suite_service own = { .own = yaml_tree_root(tree) };
    struct service_environment environment = { .config = &config, .own = &own };
    enum status status = reporting_definition.open(service, &environment, &refusal);
    yaml_tree_close(&tree);
    return status;
}

static void restart(const char *text)
{
    reporting_definition.close(&turn.service);
    ck_assert_int_eq(service_open(text, &turn.service), STATUS_OK);
}

static void setup(void)
{
    turn = (struct turn){ .service = NULL };
    memory_view_open(&turn.memory);
    turn.view = memory_view_reader(turn.memory);
    turn.change = memory_view_writer(turn.memory);
    arena_init(&arena, 1024 * 1024);
    buffer_init(&body, LIMIT_BODY_BYTES);
    buffer_init(&answer, LIMIT_BODY_BYTES);
    restart("attributes: [region]\n");
}

static void teardown(void)
{
    reporting_definition.close(&turn.service);
    memory_view_close(&turn.memory);
    arena_release(&arena);
    buffer_release(&body);
    buffer_release(&answer);
}

static void fold(const char *feed_name, uint32_t type, struct span fact_body)
{
    struct feed_name feed = { .shard = 0 };
    (void)snprintf(feed.name, sizeof feed.name, "%s", feed_name);
    struct fact fact = { .seq = 1,
                         .type = type,
                         .version = 1,
                         .has_customer = true,
                         .customer = { .bytes = { 9 } },
                         .body = fact_body };
    reporting_definition.fold(turn.service, &turn, &feed, &fact);
}

static void event_fold(const char *type, int64_t amount_minor, const char *region)
{
    struct attribute attribute = { .name = span_of_text("region"), .kind = ATTRIBUTE_TEXT };
    struct event event = {
        .source = span_of_text("pos"),
        .id = span_of_text("1"),
        .type = span_of_text(type),
        .customer = span_of_text("ann"),
        .occurred_at_ms = NOW_MS,
        .has_amount = amount_minor != 0,
        .amount = { amount_minor, "EUR" },
        .attributes = &attribute,
    };
    if (region != NULL) {
        attribute.text = span_of_text(region);
        event.attribute_count = 1;
    }
    struct hash128 hash = { { 0 } };
    buffer_clear(&body);
    ck_assert_int_eq(accepted_event_encode(&event, true, hash, &body), STATUS_OK);
    fold("ingestion", FACT_EVENT_ACCEPTED, buffer_span(&body));
}

static void points_fold(uint32_t type, Kith__V1__LedgerAccount counter, int64_t points)
{
    Kith__V1__PointsPosted message = KITH__V1__POINTS_POSTED__INIT;
    message.has_points = true;
    message.points = points;
    message.has_counter = true;
    message.counter = counter;
    message.has_occurred_at_ms = true;
    message.occurred_at_ms = NOW_MS;
    buffer_clear(&body);
    ck_assert_int_eq(pb_pack(&message.base, &body), STATUS_OK);
    fold("loyalty", type, buffer_span(&body));
}

static enum status call(size_t method, const ProtobufCMessage *message)
{
    buffer_clear(&body);
    buffer_clear(&answer);
    arena_reset(&arena);
    refusal_init(&refusal);
    ck_assert_int_eq(pb_pack(message, &body), STATUS_OK);
    struct reply reply = { .body = &answer, .refusal = &refusal };
    uint64_t writes = memory_view_writes(turn.memory);
    enum status status = reporting_definition.methods[method].handle(turn.service, &turn,
                                                                     buffer_span(&body), &reply);
    ck_assert_uint_eq(memory_view_writes(turn.memory), writes);
    return status;
}

static const Kith__V1__TotalsReply *totals(void)
{
    Kith__V1__TotalsRequest request = KITH__V1__TOTALS_REQUEST__INIT;
    ck_assert_str_eq(reporting_definition.methods[0].name, "reporting.Totals");
    ck_assert_int_eq(call(0, &request.base), STATUS_OK);
    const Kith__V1__TotalsReply *reply =
        pb_unpack(&kith__v1__totals_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    return reply;
}

/* NULL: refused. */
static const Kith__V1__DailyReply *daily(const char *by)
{
    char name[LIMIT_ID_BYTES + 1] = { 0 };
    (void)snprintf(name, sizeof name, "%s", by);
    Kith__V1__DailyRequest request = KITH__V1__DAILY_REQUEST__INIT;
    request.by = name;
    ck_assert_str_eq(reporting_definition.methods[1].name, "reporting.Daily");
    if (call(1, &request.base) != STATUS_OK) {
        return NULL;
    }
    return pb_unpack(&kith__v1__daily_reply__descriptor, &arena, buffer_span(&answer));
}

/* ---- tests */

START_TEST(each_type_of_fact_has_its_place_in_the_totals)
{
    event_fold("purchase", 2933, "north");
    fold("ingestion", FACT_EVENT_QUARANTINED, span_of(NULL, 0));
    points_fold(FACT_POINTS_EARNED, KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED, 29);
    points_fold(FACT_POINTS_GRANTED, KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED, 2);
    points_fold(FACT_POINTS_SPENT, KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT, -9);
    points_fold(FACT_POINTS_REVERSED, KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT, 4);
    points_fold(FACT_POINTS_REVERSED, KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED, -11);
    points_fold(FACT_POINTS_GRANTED, KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED, 10);
    fold("segmentation", FACT_SEGMENT_ENTERED, span_of(NULL, 0));
    fold("segmentation", FACT_SEGMENT_ENTERED, span_of(NULL, 0));
    fold("segmentation", FACT_SEGMENT_EXITED, span_of(NULL, 0));
    fold("campaign", FACT_DISPATCH_SENT, span_of(NULL, 0));
    fold("campaign", FACT_DISPATCH_SENT, span_of(NULL, 0));
    fold("campaign", FACT_DISPATCH_SENT, span_of(NULL, 0));
    fold("campaign", FACT_DISPATCH_SUPPRESSED, span_of(NULL, 0));
    fold("campaign", FACT_DISPATCH_SUPPRESSED, span_of(NULL, 0));
    fold("campaign", FACT_DISPATCH_UNKNOWN, span_of(NULL, 0));
    const Kith__V1__TotalsReply *reply = totals();
    ck_assert_uint_eq(reply->events, 1);
    ck_assert_uint_eq(reply->customers, 1);
    ck_assert_int_eq(reply->revenue_minor, 2933);
    ck_assert_uint_eq(reply->quarantined, 1);
    ck_assert_int_eq(reply->points_issued, 30);
    ck_assert_int_eq(reply->points_spent, 5);
    ck_assert_int_eq(reply->points_outstanding, 25);
    ck_assert_uint_eq(reply->segment_entries, 2);
    ck_assert_uint_eq(reply->segment_exits, 1);
    ck_assert_uint_eq(reply->sent, 3);
    ck_assert_uint_eq(reply->suppressed, 2);
    ck_assert_uint_eq(reply->unknown, 1);
    ck_assert_uint_eq(reply->n_positions, 1);
    ck_assert_str_eq(reply->positions[0]->feed, "ingestion");
}
END_TEST

START_TEST(every_type_on_the_page_is_one_that_is_folded)
{
    size_t folded = 0;
    for (size_t i = 0; i < reporting_definition.feed_count; i++) {
        folded += reporting_definition.feeds[i].folded_count;
    }
    ck_assert_msg(folded == 11, "the test above folds each of eleven types");
}
END_TEST

START_TEST(an_attribute_named_later_is_counted_from_then_on)
{
    event_fold("purchase", 100, "north");
    ck_assert_uint_eq(daily("region")->n_rows, 1);
    ck_assert_ptr_null(daily("colour"));
    ck_assert_str_eq(refusal.message,
                     "nothing is split by 'colour'; services.reporting.attributes names what is");
    restart("attributes: [colour, region]\n");
    event_fold("purchase", 20, "north");
    const Kith__V1__DailyReply *reply = daily("region");
    ck_assert_uint_eq(reply->n_rows, 1);
    ck_assert_int_eq(reply->rows[0]->day, DAY);
    ck_assert_str_eq(reply->rows[0]->value, "north");
    ck_assert_int_eq(reply->rows[0]->revenue_minor, 120);
    reply = daily("colour");
    ck_assert_uint_eq(reply->n_rows, 1);
    ck_assert_ptr_null(reply->rows[0]->value);
    ck_assert_int_eq(reply->rows[0]->revenue_minor, 20);
    restart("{}\n");
    event_fold("purchase", 3, "north");
    ck_assert_msg(daily("region")->rows[0]->revenue_minor == 120,
                  "an attribute that is no longer named stays as it was");
}
END_TEST

START_TEST(a_faulty_configuration_opens_nothing)
{
    void *service = NULL;
    ck_assert_int_eq(service_open("attributes: region\n", &service), STATUS_MALFORMED);
    ck_assert_ptr_null(service);
    ck_assert_int_eq(service_open("attribute: [region]\n", &service), STATUS_MALFORMED);
    ck_assert_ptr_null(service);
    reporting_definition.close(&service);
}
END_TEST

static Suite *reporting_service_suite(void)
{
    TCase *tests = tcase_create("reporting_service");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_type_of_fact_has_its_place_in_the_totals);
    tcase_add_test(tests, every_type_on_the_page_is_one_that_is_folded);
    tcase_add_test(tests, an_attribute_named_later_is_counted_from_then_on);
    tcase_add_test(tests, a_faulty_configuration_opens_nothing);
    Suite *suite = suite_create("reporting_service");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(reporting_service_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
