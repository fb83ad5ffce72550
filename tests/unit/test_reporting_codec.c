/* link: reporting_service */
#include "common/wire/message.h"
#include "common/wire/pb.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/reporting.pb-c.h"
#include "services/reporting/reporting_config.h"
#include "services/reporting/reporting_query.h"
#include "tests/unit/reporting_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES (4 * 1024 * 1024)
#define DAY INT64_C(10000)

struct codec {
    struct arena arena;
    struct buffer bytes;
    struct refusal refusal;
};

static void codec_init(struct codec *codec)
{
    arena_init(&codec->arena, ARENA_BYTES);
    buffer_init(&codec->bytes, LIMIT_BODY_BYTES);
    refusal_init(&codec->refusal);
}

static void codec_release(struct codec *codec)
{
    arena_release(&codec->arena);
    buffer_release(&codec->bytes);
}

static void message_put(struct codec *codec, const ProtobufCMessage *message)
{
    buffer_clear(&codec->bytes);
    ck_assert_int_eq(pb_pack(message, &codec->bytes), STATUS_OK);
}

/* ---- facts */

static enum status points_try(struct codec *codec, const Kith__V1__PointsPosted *message,
                              struct reporting_points *points)
{
    message_put(codec, &message->base);
    struct fact fact = { .type = FACT_POINTS_REVERSED,
                         .has_customer = true,
                         .customer = customer_of(3),
                         .body = buffer_span(&codec->bytes) };
    return reporting_points_decode(&fact, &codec->arena, points);
}

START_TEST(a_posting_says_which_of_the_programmes_accounts_it_moves)
{
    struct codec codec;
    codec_init(&codec);
    Kith__V1__PointsPosted message = KITH__V1__POINTS_POSTED__INIT;
    message.has_points = true;
    message.points = -7;
    message.has_counter = true;
    message.counter = KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED;
    message.has_occurred_at_ms = true;
    message.occurred_at_ms = 5;
    struct reporting_points points = { .points = 4711 };
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_OK);
    ck_assert_int_eq(points.points, -7);
    ck_assert(!points.spending);
    ck_assert(customer_id_equal(points.customer, customer_of(3)));
    ck_assert_int_eq(points.occurred_at_ms, 5);
    message.counter = KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT;
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_OK);
    ck_assert(points.spending);
    codec_release(&codec);
}
END_TEST

START_TEST(a_posting_that_no_ledger_wrote_is_corrupt)
{
    struct codec codec;
    codec_init(&codec);
    Kith__V1__PointsPosted valid = KITH__V1__POINTS_POSTED__INIT;
    valid.has_points = true;
    valid.points = 7;
    valid.has_counter = true;
    valid.has_occurred_at_ms = true;
    struct reporting_points points = { .points = 4711 };
    Kith__V1__PointsPosted message = valid;
    message.points = 0;
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_CORRUPT);
    message.points = LIMIT_AMOUNT + 1;
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_CORRUPT);
    message.points = INT64_MIN;
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_CORRUPT);
    message = valid;
    message.has_counter = false;
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_CORRUPT);
    message = valid;
    message.counter = (Kith__V1__LedgerAccount)2;
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_CORRUPT);
    message = valid;
    message.has_occurred_at_ms = false;
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_CORRUPT);
    message = valid;
    message.occurred_at_ms = INT64_MAX;
    ck_assert_int_eq(points_try(&codec, &message, &points), STATUS_CORRUPT);
    struct fact nobody = { .type = FACT_POINTS_EARNED };
    ck_assert_int_eq(reporting_points_decode(&nobody, &codec.arena, &points), STATUS_CORRUPT);
    ck_assert_int_eq(points.points, 4711);
    codec_release(&codec);
}
END_TEST

/* ---- requests */

static enum status daily_try(struct codec *codec, const Kith__V1__DailyRequest *message,
                             struct reporting_daily_request *request)
{
    message_put(codec, &message->base);
    refusal_init(&codec->refusal);
    return reporting_daily_decode(buffer_span(&codec->bytes), &codec->arena, request,
                                  &codec->refusal);
}

START_TEST(an_empty_daily_request_means_all_days_without_a_split)
{
    struct codec codec;
    codec_init(&codec);
    Kith__V1__DailyRequest message = KITH__V1__DAILY_REQUEST__INIT;
    struct reporting_daily_request request = { .limit = 4711 };
    ck_assert_int_eq(daily_try(&codec, &message, &request), STATUS_OK);
    ck_assert_uint_eq(request.by.size, 0);
    ck_assert_int_eq(request.from_day, days_from_civil(1, 1, 1));
    ck_assert_int_eq(request.to_day, days_from_civil(9999, 12, 31));
    ck_assert_uint_eq(request.limit, REQUEST_PAGE_DEFAULT);
    ck_assert_uint_eq(request.after.size, 0);
    ck_assert_int_eq(reporting_totals_decode(span_of(NULL, 0), &codec.arena, &codec.refusal),
                     STATUS_OK);
    codec_release(&codec);
}
END_TEST

START_TEST(each_fault_of_a_daily_request_is_named)
{
    struct codec codec;
    codec_init(&codec);
    struct reporting_daily_request request = { .limit = 4711 };
    Kith__V1__DailyRequest message = KITH__V1__DAILY_REQUEST__INIT;
    message.has_from_day = true;
    message.from_day = 5;
    message.has_to_day = true;
    message.to_day = 4;
    ck_assert_int_eq(daily_try(&codec, &message, &request), STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.violations[0].field, "to_day");
    message.to_day = INT64_MAX;
    ck_assert_int_eq(daily_try(&codec, &message, &request), STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.violations[0].field, "to_day");
    message.to_day = 5;
    message.from_day = INT64_MIN;
    ck_assert_int_eq(daily_try(&codec, &message, &request), STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.violations[0].field, "from_day");
    message.from_day = 5;
    message.has_limit = true;
    message.limit = REQUEST_PAGE_MAX + 1;
    char empty[] = "";
    message.by = empty;
    ck_assert_int_eq(daily_try(&codec, &message, &request), STATUS_MALFORMED);
    ck_assert_uint_eq(codec.refusal.violation_count, 2);
    ck_assert_str_eq(codec.refusal.violations[0].field, "by");
    ck_assert_str_eq(codec.refusal.violations[1].field, "limit");
    ck_assert_uint_eq(request.limit, 4711);
    message.by = NULL;
    message.limit = REQUEST_PAGE_MAX;
    ck_assert_int_eq(daily_try(&codec, &message, &request), STATUS_OK);
    ck_assert_uint_eq(request.limit, REQUEST_PAGE_MAX);
    codec_release(&codec);
}
END_TEST

START_TEST(a_request_with_an_unknown_field_or_too_long_is_refused)
{
    struct codec codec;
    codec_init(&codec);
    const uint8_t unknown[] = { 0x48, 1 };
    ck_assert_int_eq(
        reporting_totals_decode(span_of(unknown, sizeof unknown), &codec.arena, &codec.refusal),
        STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.message, "the body is not a TotalsRequest");
    static uint8_t large[REQUEST_BYTES_MAX + 1];
    ck_assert_int_eq(
        reporting_totals_decode(span_of(large, sizeof large), &codec.arena, &codec.refusal),
        STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.message,
                     "the body has 1025 bytes, a TotalsRequest has at most 1024");
    codec_release(&codec);
}
END_TEST

/* ---- answers */

START_TEST(totals_say_which_positions_they_include)
{
    struct codec codec;
    codec_init(&codec);
    struct board board;
    board_open(&board, NULL, NULL);
    board_event(&board, 1, &(struct board_event){ EVENT_PURCHASE, DAY, 2933, NULL, NULL, true });
    board_points(&board, 1, false, 29, DAY);
    board_points(&board, 1, true, -9, DAY);
    reporting_core_quarantined_fold(&board.change);
    reporting_core_membership_fold(&board.change, true);
    reporting_core_dispatch_fold(&board.change, REPORTING_SUPPRESSED);
    struct turn_position items[] = { { { "ingestion", 0 }, 2 }, { { "loyalty", 3 }, 4 } };
    struct reporting_positions positions = { .items = items, .count = 2 };
    reporting_query_totals(&board.view, &positions, &codec.bytes);
    const Kith__V1__TotalsReply *reply =
        pb_unpack(&kith__v1__totals_reply__descriptor, &codec.arena, buffer_span(&codec.bytes));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->events, 1);
    ck_assert_uint_eq(reply->customers, 1);
    ck_assert_int_eq(reply->revenue_minor, 2933);
    ck_assert_int_eq(reply->points_issued, 29);
    ck_assert_int_eq(reply->points_spent, 9);
    ck_assert_int_eq(reply->points_outstanding, 20);
    ck_assert_uint_eq(reply->quarantined, 1);
    ck_assert_uint_eq(reply->segment_entries, 1);
    ck_assert_uint_eq(reply->segment_exits, 0);
    ck_assert_uint_eq(reply->suppressed, 1);
    ck_assert(reply->has_sent && reply->sent == 0 && reply->has_unknown && reply->unknown == 0);
    ck_assert_uint_eq(reply->n_positions, 2);
    ck_assert_str_eq(reply->positions[1]->feed, "loyalty");
    ck_assert_uint_eq(reply->positions[1]->shard, 3);
    ck_assert_uint_eq(reply->positions[1]->seq, 4);
    board_close(&board);
    codec_release(&codec);
}
END_TEST

/* Rows for days 0..9, each with the values none, "a" and "b". */
static void rows_fill(struct board *board)
{
    for (int64_t day = 0; day < 10; day++) {
        board_event(board, 1, &(struct board_event){ EVENT_USAGE, day, 0, NULL, NULL, false });
        board_event(board, 1, &(struct board_event){ EVENT_USAGE, day, 0, "region", "b", false });
        board_event(board, 1, &(struct board_event){ EVENT_USAGE, day, 0, "region", "a", false });
    }
}

/* All rows that were read, as day and value. */
struct shown {
    char text[256];
    size_t used;
};

static void rows_show(const Kith__V1__DailyReply *reply, struct shown *shown)
{
    for (size_t i = 0; i < reply->n_rows; i++) {
        const char *value = reply->rows[i]->value;
        shown->used +=
            (size_t)snprintf(shown->text + shown->used, sizeof shown->text - shown->used, "%d%s ",
                             (int)reply->rows[i]->day, value == NULL ? "-" : value);
        ck_assert_uint_lt(shown->used, sizeof shown->text);
    }
}

static const Kith__V1__DailyReply *daily_ask(struct codec *codec, const struct view *view,
                                             const struct reporting_daily_request *request)
{
    struct reporting_positions none = { .count = 0 };
    buffer_clear(&codec->bytes);
    arena_reset(&codec->arena);
    enum status status =
        reporting_query_daily(view, request, &none, &codec->bytes, &codec->refusal);
    ck_assert_int_eq(status, STATUS_OK);
    const Kith__V1__DailyReply *reply =
        pb_unpack(&kith__v1__daily_reply__descriptor, &codec->arena, buffer_span(&codec->bytes));
    ck_assert_ptr_nonnull(reply);
    return reply;
}

static void pages_walk(struct codec *codec, const struct view *view,
                       struct reporting_daily_request request, struct shown *shown)
{
    uint8_t after[REPORTING_DAY_KEY_BYTES];
    *shown = (struct shown){ .used = 0 };
    for (int page = 0; page < 100; page++) {
        const Kith__V1__DailyReply *reply = daily_ask(codec, view, &request);
        rows_show(reply, shown);
        if (!reply->has_next) {
            return;
        }
        ck_assert_uint_eq(reply->n_rows, request.limit);
        memcpy(after, reply->next.data, reply->next.len);
        request.after = span_of(after, reply->next.len);
    }
    ck_abort_msg("pages without end");
}

START_TEST(pages_of_any_size_hold_each_row_of_the_days_asked_once)
{
    struct codec codec;
    codec_init(&codec);
    struct board board;
    board_open(&board, "colour", "region");
    rows_fill(&board);
    struct shown shown = { .used = 0 };
    for (uint32_t limit = 1; limit <= 10; limit++) {
        struct reporting_daily_request request = {
            .by = span_of_text("region"), .from_day = 3, .to_day = 5, .limit = limit
        };
        pages_walk(&codec, &board.view, request, &shown);
        ck_assert_str_eq(shown.text, "3- 3a 3b 4- 4a 4b 5- 5a 5b ");
        request.by = span_of_text("");
        pages_walk(&codec, &board.view, request, &shown);
        ck_assert_str_eq(shown.text, "3- 4- 5- ");
        request.from_day = 20;
        request.to_day = 30;
        pages_walk(&codec, &board.view, request, &shown);
        ck_assert_str_eq(shown.text, "");
    }
    board_close(&board);
    codec_release(&codec);
}
END_TEST

START_TEST(a_split_or_a_page_that_is_not_there_is_refused)
{
    struct codec codec;
    codec_init(&codec);
    struct board board;
    board_open(&board, "region", "colour");
    rows_fill(&board);
    struct reporting_positions none = { .count = 0 };
    struct reporting_daily_request request = { .by = span_of_text("tariff"), .limit = 5 };
    ck_assert_int_eq(
        reporting_query_daily(&board.view, &request, &none, &codec.bytes, &codec.refusal),
        STATUS_NOT_FOUND);
    ck_assert_str_eq(codec.refusal.message, "nothing is split by 'tariff'; "
                                            "services.reporting.attributes names what is");
    struct reporting_day_key key = { .attribute = board.attributes.numbers[1], .day = 3 };
    struct reporting_day_key_bytes of_colour = reporting_day_key_encode(&key);
    const struct span keys[] = { span_of("x", 1), span_of(of_colour.bytes, of_colour.size) };
    request.by = span_of_text("region");
    for (size_t i = 0; i < 2; i++) {
        refusal_init(&codec.refusal);
        request.after = keys[i];
        ck_assert_int_eq(
            reporting_query_daily(&board.view, &request, &none, &codec.bytes, &codec.refusal),
            STATUS_MALFORMED);
        ck_assert_str_eq(codec.refusal.violations[0].field, "after");
    }
    ck_assert_uint_eq(codec.bytes.size, 0);
    board_close(&board);
    codec_release(&codec);
}
END_TEST

/* ---- configuration */

static enum status config_try(const char *text, struct reporting_attributes *attributes,
                              struct refusal *refusal)
{
    struct yaml_tree *tree = NULL;
    refusal_init(refusal);
    enum status status = yaml_tree_parse(&tree, "suite.yaml", text, strlen(text), refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal->message);
    status = reporting_config_read(yaml_tree_root(tree), attributes, refusal);
    yaml_tree_close(&tree);
    return status;
}

START_TEST(the_attributes_to_split_by_are_a_list_of_names)
{
    struct refusal refusal;
    struct reporting_attributes attributes = { .count = 4711 };
    ck_assert_int_eq(reporting_config_read(NULL, &attributes, &refusal), STATUS_OK);
    ck_assert_uint_eq(attributes.count, 0);
    ck_assert_int_eq(config_try("attributes: [region, tariff]\n", &attributes, &refusal),
                     STATUS_OK);
    ck_assert_uint_eq(attributes.count, 2);
    ck_assert_str_eq(attributes.names[0].text, "region");
    ck_assert_uint_eq(attributes.names[1].size, 6);
    const struct {
        const char *text;
        const char *message;
    } rows[] = {
        { "attributes: region\n", "suite.yaml:1: attributes: must be a list" },
        { "attributes:\n  - a\n  - a\n", "suite.yaml:3: attributes: 'a' is named twice" },
        { "attributes:\n  - ''\n", "suite.yaml:2: attributes: each is a name" },
        { "attributes:\n  - { a: b }\n", "suite.yaml:2: attributes: each is a name" },
        { "attribute: [a]\n", "suite.yaml:1: attribute" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(config_try(rows[i].text, &attributes, &refusal), STATUS_MALFORMED);
        ck_assert_msg(strncmp(refusal.message, rows[i].message, strlen(rows[i].message)) == 0,
                      "'%s'", refusal.message);
        ck_assert_uint_eq(attributes.count, 2);
    }
}
END_TEST

START_TEST(there_are_at_most_sixteen_attributes)
{
    struct refusal refusal;
    struct reporting_attributes attributes = { .count = 0 };
    ck_assert_int_eq(config_try("attributes: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]\n",
                                &attributes, &refusal),
                     STATUS_OK);
    ck_assert_uint_eq(attributes.count, REPORTING_ATTRIBUTES_MAX);
    ck_assert_int_eq(config_try("attributes: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]\n",
                                &attributes, &refusal),
                     STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "more than 16 names"));
}
END_TEST

static Suite *reporting_codec_suite(void)
{
    TCase *tests = tcase_create("reporting_codec");
    tcase_add_test(tests, a_posting_says_which_of_the_programmes_accounts_it_moves);
    tcase_add_test(tests, a_posting_that_no_ledger_wrote_is_corrupt);
    tcase_add_test(tests, an_empty_daily_request_means_all_days_without_a_split);
    tcase_add_test(tests, each_fault_of_a_daily_request_is_named);
    tcase_add_test(tests, a_request_with_an_unknown_field_or_too_long_is_refused);
    tcase_add_test(tests, totals_say_which_positions_they_include);
    tcase_add_test(tests, pages_of_any_size_hold_each_row_of_the_days_asked_once);
    tcase_add_test(tests, a_split_or_a_page_that_is_not_there_is_refused);
    tcase_add_test(tests, the_attributes_to_split_by_are_a_list_of_names);
    tcase_add_test(tests, there_are_at_most_sixteen_attributes);
    Suite *suite = suite_create("reporting_codec");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(reporting_codec_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
