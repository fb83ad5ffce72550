/* link: kith_parts */
#include "cli/row_event.h"
#include "common/base/limits.h"
#include "common/base/time_text.h"
#include "common/event/event_codec.h"
#include "ingest_fixture.h"

#define DIGEST "00112233445566778899aabbccddeeff"
#define HEAD "version: 1\nsource: shop\nformat: csv\nheader: false\n"

/* A map and a row, the mapper between them, and what came out. */
struct fixture {
    struct map *map;
    struct zone *zone;
    struct row_mapper *mapper;
    struct row_reader *reader;
    struct row_event made;
    struct arena arena;
    struct event event;
};

static void fixture_open(struct fixture *fixture, const char *map, const char *zone)
{
    *fixture = (struct fixture){ .map = map_of(map) };
    ck_assert_int_eq(zone_open(&fixture->zone, zone, NULL), STATUS_OK);
    row_mapper_open(&fixture->mapper, fixture->map, fixture->zone);
    arena_init(&fixture->arena, 64 * 1024);
}

static void row_apply(struct fixture *fixture, struct span row)
{
    struct row_origin origin = { .digest = DIGEST };
    struct row read = { .number = 0 };
    row_reader_close(&fixture->reader);
    fixture->reader = reader_of(fixture->map, row);
    ck_assert_int_eq((int)row_reader_next(fixture->reader, &read, NULL), ROW_READ);
    row_mapper_apply(fixture->mapper, &read, &origin, &fixture->made);
    if (fixture->made.is_event) {
        arena_reset(&fixture->arena);
        ck_assert_int_eq(
            event_decode(fixture->made.encoded, &fixture->arena, &fixture->event, NULL), STATUS_OK);
        ck_assert_int_eq(fixture->made.at_ms, fixture->event.occurred_at_ms);
    }
}

static void fixture_close(struct fixture *fixture)
{
    row_reader_close(&fixture->reader);
    row_mapper_close(&fixture->mapper);
    zone_close(&fixture->zone);
    arena_release(&fixture->arena);
    map_close(&fixture->map);
}

/* ---- good rows */

START_TEST(a_row_becomes_an_event)
{
    struct fixture fixture;
    fixture_open(&fixture,
                 HEAD "event:\n"
                      "  type: {column: 1, values: {P: purchase, R: recharge}}\n"
                      "  id: [2]\n"
                      "  customer: 3\n"
                      "  occurred_at: {column: 4, format: rfc3339}\n"
                      "  amount: {column: 5, currency_column: 6, digits: 3}\n"
                      "  attributes:\n"
                      "    - {name: items, column: 7, type: integer}\n"
                      "    - {name: new, column: 8, type: flag}\n"
                      "    - {name: seen, column: 9, type: at, format: unix_s}\n"
                      "    - {name: fee, column: 10, type: money, currency: EUR}\n"
                      "    - {name: mail, column: 11, personal: true}\n",
                 "UTC");
    row_apply(&fixture, BYTES("R,o1,c1,1998-06-30T12:00:00Z,12.345,KWD,-3,Yes,86400,1.5,a@b"));
    ck_assert(fixture.made.is_event);
    const struct event *event = &fixture.event;
    ck_assert(span_is(event->source, "shop"));
    ck_assert(span_is(event->type, "recharge"));
    ck_assert(span_is(event->id, "o1"));
    ck_assert(span_is(event->customer, "c1"));
    char at[TIME_TEXT_BYTES];
    time_format(event->occurred_at_ms, at);
    ck_assert_str_eq(at, "1998-06-30T12:00:00Z");
    ck_assert_uint_eq(event->schema_version, 1);
    ck_assert(event->has_amount);
    ck_assert_int_eq(event->amount.minor, 12345);
    ck_assert_str_eq(event->amount.currency, "KWD");
    ck_assert_uint_eq(event->attribute_count, 5);
    ck_assert_int_eq(event->attributes[0].integer, -3);
    ck_assert_int_eq(event->attributes[1].integer, 1);
    ck_assert_int_eq(event->attributes[2].integer, MS_PER_DAY);
    ck_assert_int_eq(event->attributes[3].money.minor, 150);
    ck_assert(event->attributes[4].personal);
    ck_assert(span_is(event->attributes[4].text, "a@b"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(an_empty_cell_is_no_attribute_and_no_amount)
{
    struct fixture fixture;
    fixture_open(&fixture,
                 HEAD "event: {type: visit, id: row, customer: 1, occurred_at: 2,\n"
                      "        amount: {column: 3, currency: EUR},\n"
                      "        attributes: [{name: x, column: 4}, {name: y, column: 5}]}\n",
                 "UTC");
    row_apply(&fixture, BYTES("c,0,,,y"));
    ck_assert(fixture.made.is_event);
    ck_assert(!fixture.event.has_amount);
    ck_assert_uint_eq(fixture.event.attribute_count, 1);
    ck_assert(span_is(fixture.event.attributes[0].name, "y"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(only_the_types_that_are_named_have_an_amount)
{
    struct fixture fixture;
    fixture_open(&fixture,
                 HEAD "event: {type: {column: 1}, id: row, customer: 2, occurred_at: 3,\n"
                      "        amount: {column: 4, currency: EUR, event_types: [purchase]}}\n",
                 "UTC");
    row_apply(&fixture, BYTES("purchase,c,0,1"));
    ck_assert(fixture.made.is_event && fixture.event.has_amount);
    row_apply(&fixture, BYTES("visit,c,0,no amount at all"));
    ck_assert(fixture.made.is_event && !fixture.event.has_amount);
    fixture_close(&fixture);
}
END_TEST

/* ---- ids */

static struct span id_of(struct fixture *fixture, struct span row)
{
    row_apply(fixture, row);
    return fixture->made.id;
}

START_TEST(a_row_is_named_by_content_and_number)
{
    struct fixture fixture;
    fixture_open(&fixture, HEAD "event: {type: visit, id: row, customer: 1, occurred_at: 2}\n",
                 "UTC");
    ck_assert(span_is(id_of(&fixture, BYTES("c,0")), DIGEST ":1"));
    struct row row = { .number = 0 };
    struct row_origin origin = { .digest = DIGEST };
    row_reader_close(&fixture.reader);
    fixture.reader = reader_of(fixture.map, BYTES("a,0\n\nb\nc,0\n"));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq((int)row_reader_next(fixture.reader, &row, NULL), ROW_READ);
    }
    row_mapper_apply(fixture.mapper, &row, &origin, &fixture.made);
    ck_assert(span_is(fixture.made.id, DIGEST ":3"));
    origin.kept_id = BYTES("kept:7");
    row_mapper_apply(fixture.mapper, &row, &origin, &fixture.made);
    ck_assert(span_is(fixture.made.id, "kept:7"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(columns_name_a_row_and_never_two)
{
    struct fixture fixture;
    fixture_open(&fixture,
                 HEAD "event: {type: visit, id: {columns: [1, 2], prefix: p-}, customer: 3,\n"
                      "        occurred_at: 4}\n",
                 "UTC");
    ck_assert(span_is(id_of(&fixture, BYTES("a,b,c,0")), "p-a:b"));
    ck_assert(span_is(id_of(&fixture, BYTES("a:b,c,c,0")), "p-a\\:b:c"));
    ck_assert(span_is(id_of(&fixture, BYTES("a,b:c,c,0")), "p-a:b\\:c"));
    ck_assert(span_is(id_of(&fixture, BYTES("a\\,b,c,0")), "p-a\\\\:b"));
    fixture_close(&fixture);
    fixture_open(&fixture, HEAD "event: {type: visit, id: [1], customer: 2, occurred_at: 3}\n",
                 "UTC");
    ck_assert(span_is(id_of(&fixture, BYTES("a:b\\c,c,0")), "a:b\\c"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(an_id_of_64_bytes_fits_and_one_of_65_does_not)
{
    struct fixture fixture;
    fixture_open(&fixture, HEAD "event: {type: visit, id: [1], customer: 2, occurred_at: 3}\n",
                 "UTC");
    uint8_t row[LIMIT_ID_BYTES + 8];
    static const uint8_t rest[] = { ',', 'c', ',', '0' };
    for (size_t size = LIMIT_ID_BYTES; size <= LIMIT_ID_BYTES + 1; size++) {
        memset(row, 'x', size);
        memcpy(row + size, rest, sizeof rest);
        row_apply(&fixture, span_of(row, size + sizeof rest));
        ck_assert(fixture.made.is_event == (size == LIMIT_ID_BYTES));
        ck_assert_uint_eq(fixture.made.id.size, size == LIMIT_ID_BYTES ? size : 0);
    }
    fixture_close(&fixture);
}
END_TEST

/* A bad row whose id can be read keeps it, so that it is the same row when it comes again. */
START_TEST(a_bad_row_keeps_its_id)
{
    struct fixture fixture;
    fixture_open(&fixture, HEAD "event: {type: visit, id: [1], customer: 2, occurred_at: 3}\n",
                 "UTC");
    row_apply(&fixture, BYTES("o1,c,never"));
    ck_assert(!fixture.made.is_event);
    ck_assert(span_is(fixture.made.id, "o1"));
    row_apply(&fixture, BYTES("o\x01,c,0"));
    ck_assert(!fixture.made.is_event);
    ck_assert_uint_eq(fixture.made.id.size, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(rows_that_are_cut_are_told_apart)
{
    struct fixture fixture;
    fixture_open(&fixture, HEAD "event: {type: visit, id: [1], customer: 2, occurred_at: 3}\n",
                 "UTC");
    char *row = malloc(2 * LIMIT_EVENT_BYTES);
    ck_assert_ptr_nonnull(row);
    memset(row, 'x', 2 * LIMIT_EVENT_BYTES);
    char first[LIMIT_ID_BYTES];
    row_apply(&fixture, span_of(row, 2 * LIMIT_EVENT_BYTES));
    ck_assert_uint_eq(fixture.made.id.size, 4 + 32);
    memcpy(first, fixture.made.id.data, fixture.made.id.size);
    row[2 * LIMIT_EVENT_BYTES - 1] = 'y';
    row_apply(&fixture, span_of(row, 2 * LIMIT_EVENT_BYTES));
    ck_assert(!span_equal(fixture.made.id, span_of(first, 4 + 32)));
    free(row);
    fixture_close(&fixture);
}
END_TEST

/* ---- times */

static const struct {
    const char *text;
    enum map_time format;
    const char *at; /* NULL: no such time */
} times[] = {
    { "19980630", MAP_TIME_AUTO, "1998-06-29T22:00:00Z" },
    { "1998-06-30", MAP_TIME_AUTO, "1998-06-29T22:00:00Z" },
    { "1998-06-30T00:00:00Z", MAP_TIME_AUTO, "1998-06-30T00:00:00Z" },
    { "1998-06-30T00:00:00+02:00", MAP_TIME_AUTO, "1998-06-29T22:00:00Z" },
    { "899164800", MAP_TIME_AUTO, "1998-06-30T00:00:00Z" },
    { "899164800001", MAP_TIME_AUTO, "1998-06-30T00:00:00.001Z" },
    { "0", MAP_TIME_AUTO, "1970-01-01T00:00:00Z" },
    { "19980630", MAP_TIME_YYYYMMDD, "1998-06-29T22:00:00Z" },
    { "19981230", MAP_TIME_YYYYMMDD, "1998-12-29T23:00:00Z" },
    { "19980631", MAP_TIME_YYYYMMDD, NULL },
    { "1998063", MAP_TIME_YYYYMMDD, NULL },
    { "1998-06-30", MAP_TIME_YYYYMMDD, NULL },
    { "00000101", MAP_TIME_YYYYMMDD, NULL },
    { "1998-06-30", MAP_TIME_YYYY_MM_DD, "1998-06-29T22:00:00Z" },
    { "1998-02-29", MAP_TIME_YYYY_MM_DD, NULL },
    { "19980630", MAP_TIME_YYYY_MM_DD, NULL },
    { "1998-06-30", MAP_TIME_RFC3339, NULL },
    { "19980630", MAP_TIME_UNIX_S, "1970-08-20T06:10:30Z" },
    { "-1", MAP_TIME_UNIX_S, "1969-12-31T23:59:59Z" },
    { "1.5", MAP_TIME_UNIX_S, NULL },
    { "99999999999999999999", MAP_TIME_UNIX_S, NULL },
    { "9223372036854775807", MAP_TIME_UNIX_S, NULL },
    { "-1", MAP_TIME_UNIX_MS, "1969-12-31T23:59:59.999Z" },
    { "", MAP_TIME_AUTO, NULL },
    { "yesterday", MAP_TIME_AUTO, NULL },
};

START_TEST(times_are_read_and_days_begin_in_the_zone)
{
    struct zone *zone = NULL;
    ck_assert_int_eq(zone_open(&zone, "Europe/Madrid", NULL), STATUS_OK);
    int64_t at_ms = 4711;
    enum status status =
        row_time_parse(span_of_text(times[_i].text), times[_i].format, zone, &at_ms);
    if (times[_i].at == NULL) {
        ck_assert_int_eq(status, STATUS_MALFORMED);
        ck_assert_int_eq(at_ms, 4711);
    } else {
        char text[TIME_TEXT_BYTES];
        ck_assert_int_eq(status, STATUS_OK);
        time_format(at_ms, text);
        ck_assert_str_eq(text, times[_i].at);
    }
    zone_close(&zone);
}
END_TEST

/* The mapper remembers a day's beginning; another day is another beginning. */
START_TEST(each_day_begins_when_the_zone_says)
{
    struct fixture fixture;
    fixture_open(&fixture, HEAD "event: {type: visit, id: row, customer: 1, occurred_at: 2}\n",
                 "Europe/Madrid");
    row_apply(&fixture, BYTES("c,1998-06-30"));
    int64_t summer = fixture.made.at_ms;
    row_apply(&fixture, BYTES("c,1998-12-30"));
    int64_t winter = fixture.made.at_ms;
    ck_assert_int_eq(winter - summer, 183 * MS_PER_DAY + 3600 * 1000);
    row_apply(&fixture, BYTES("c,1998-06-30"));
    ck_assert_int_eq(fixture.made.at_ms, summer);
    fixture_close(&fixture);
}
END_TEST

/* ---- bad rows */

#define FULL_MAP                                                                                   \
    HEAD "event:\n"                                                                                \
         "  type: {column: 1, values: {P: purchase, V: visit}}\n"                                  \
         "  id: [2]\n"                                                                             \
         "  customer: 3\n"                                                                         \
         "  occurred_at: {column: 4, format: yyyymmdd}\n"                                          \
         "  amount: {column: 5, currency_column: 6}\n"                                             \
         "  attributes:\n"                                                                         \
         "    - {name: n, column: 7, type: integer}\n"                                             \
         "    - {name: f, column: 8, type: flag}\n"                                                \
         "    - {name: w, column: 9, type: at, format: unix_ms}\n"                                 \
         "    - {name: m, column: 10, type: money, currency: EUR}\n"

static const struct {
    const char *row;
    const char *reason; /* NULL: it is an event */
} bad_rows[] = {
    { "P,o,c,19980630,1,EUR,1,1,1,1", NULL },
    { "V,o,c,19980630", NULL },
    { "X,o,c,19980630", "type: column 1 holds none of the map's values" },
    { ",o,c,19980630", "type: column 1 is empty" },
    { "V,,c,19980630", "id: column 2 is empty" },
    { "V,o,,19980630", "customer: column 3 is empty" },
    { "V,o,c", "occurred_at: column 4 is empty" },
    { "V,o,c,1998-06-30", "occurred_at: column 4 is no day such as 19980630" },
    { "P,o,c,19980630", "amount is missing" },
    { "V,o,c,19980630,secret,EUR", "amount: column 5 is no amount" },
    { "V,o,c,19980630,1.234,EUR", "amount: column 5 is no amount" },
    { "V,o,c,19980630,10000000000000.01,EUR", "amount: column 5 is no amount" },
    { "V,o,c,19980630,1,EURO", "amount: column 6 is no currency" },
    { "V,o,c,19980630,1,eur", "amount.currency is not three capital letters" },
    { "V,o,c,19980630,-1,EUR", "amount.minor is negative" },
    { "V,o,c,19980630,,,1.5", "attribute n: column 7 is no whole number" },
    { "V,o,c,19980630,,,,maybe", "attribute f: column 8 is none of true" },
    { "V,o,c,19980630,,,,,now", "attribute w: column 9 is no number of milliseconds" },
    { "V,o,c,19980630,,,,,,x", "m: column 10 is no amount" },
    { "V,o,\"a\nb\",19980630", "customer is no clean text" },
    { "V,o,\xFF,19980630", "customer is no clean text" },
    { "V,o,\"c\"x,19980630", "something follows the closing quote of a text" },
};

START_TEST(a_bad_row_has_a_reason_that_names_no_values)
{
    struct fixture fixture;
    fixture_open(&fixture, FULL_MAP, "UTC");
    row_apply(&fixture, span_of_text(bad_rows[_i].row));
    const char *reason = bad_rows[_i].reason;
    char told[LIMIT_TEXT_BYTES + 1];
    (void)snprintf(told, sizeof told, "%.*s", (int)fixture.made.reason.size,
                   fixture.made.is_event ? "" : (const char *)fixture.made.reason.data);
    ck_assert_msg(fixture.made.is_event == (reason == NULL), "'%s'", told);
    if (reason != NULL) {
        ck_assert_msg(strncmp(told, reason, strlen(reason)) == 0, "'%s' is not '%s'", told, reason);
        ck_assert_ptr_null(strstr(told, "secret"));
    }
    fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("row event");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, a_row_becomes_an_event);
    tcase_add_test(cases, an_empty_cell_is_no_attribute_and_no_amount);
    tcase_add_test(cases, only_the_types_that_are_named_have_an_amount);
    tcase_add_test(cases, a_row_is_named_by_content_and_number);
    tcase_add_test(cases, columns_name_a_row_and_never_two);
    tcase_add_test(cases, an_id_of_64_bytes_fits_and_one_of_65_does_not);
    tcase_add_test(cases, a_bad_row_keeps_its_id);
    tcase_add_test(cases, rows_that_are_cut_are_told_apart);
    tcase_add_loop_test(cases, times_are_read_and_days_begin_in_the_zone, 0,
                        (int)(sizeof times / sizeof times[0]));
    tcase_add_test(cases, each_day_begins_when_the_zone_says);
    tcase_add_loop_test(cases, a_bad_row_has_a_reason_that_names_no_values, 0,
                        (int)(sizeof bad_rows / sizeof bad_rows[0]));
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
