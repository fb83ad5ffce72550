/* link: kith_parts */
#include "ingest_fixture.h"

#include <glob.h>

/* One slip in a map and what is said about it. */
struct slip {
    const char *text;
    const char *message;
};

#define TOP "version: 1\nsource: s\nformat: csv\n"
#define NEEDED "event:\n  type: visit\n  id: row\n  customer: a\n  occurred_at: b\n"

START_TEST(the_shipped_maps_are_read)
{
    glob_t found = { .gl_pathc = 0 };
    ck_assert_int_eq(glob("config/maps/*.yaml", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 2);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct map *map = NULL;
        struct refusal refusal;
        refusal_init(&refusal);
        enum status status = map_open(&map, found.gl_pathv[i], &refusal);
        ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
        map_close(&map);
        ck_assert_ptr_null(map);
    }
    globfree(&found);
}
END_TEST

START_TEST(a_shipped_map_says_what_it_should)
{
    struct map *map = NULL;
    ck_assert_int_eq(map_open(&map, "config/maps/subscribers.yaml", NULL), STATUS_OK);
    ck_assert_str_eq(map->source, "billing");
    ck_assert_int_eq((int)map->format, MAP_CSV);
    ck_assert(map->header);
    ck_assert(!map->id_is_row);
    ck_assert_uint_eq(map->id_column_count, 1);
    ck_assert_str_eq(map->columns[map->id_columns[0]], "order");
    ck_assert_str_eq(map->columns[map->type_column], "kind");
    ck_assert_str_eq(map->columns[map->amount.column], "amount");
    ck_assert_int_eq((int)map->time, MAP_TIME_YYYY_MM_DD);
    ck_assert(map_needs_zone(map));
    map_close(&map);
}
END_TEST

START_TEST(every_key_is_read)
{
    struct map *map = map_of("version: 1\n"
                             "source: shop\n"
                             "format: csv\n"
                             "delimiter: \";\"\n"
                             "header: true\n"
                             "event:\n"
                             "  type: {column: kind, values: {A: purchase, B: recharge}}\n"
                             "  id: {columns: [shop, bill], prefix: \"x-\"}\n"
                             "  customer: who\n"
                             "  occurred_at: {column: at, format: unix_ms}\n"
                             "  amount: {column: price, currency_column: money, digits: 3,\n"
                             "           event_types: [purchase, recharge]}\n"
                             "  attributes:\n"
                             "    - {name: when, column: at, type: at, format: rfc3339}\n"
                             "    - {name: fee, column: fee, type: money, currency: EUR}\n"
                             "    - {name: mail, column: mail, personal: true}\n"
                             "    - {name: new, column: new, type: flag}\n");
    ck_assert_int_eq(map->delimiter, ';');
    ck_assert_uint_eq(map->value_count, 2);
    ck_assert_str_eq(map->values[1].value, "B");
    ck_assert_str_eq(map->values[1].type.text, "recharge");
    ck_assert_uint_eq(map->id_column_count, 2);
    ck_assert_str_eq(map->id_prefix, "x-");
    ck_assert_int_eq((int)map->time, MAP_TIME_UNIX_MS);
    ck_assert_str_eq(map->columns[map->amount.currency_column], "money");
    ck_assert_str_eq(map->amount.currency, "");
    ck_assert_uint_eq(map->amount.digits, 3);
    ck_assert_uint_eq(map->amount_type_count, 2);
    ck_assert_uint_eq(map->attribute_count, 4);
    ck_assert_int_eq((int)map->attributes[0].time, MAP_TIME_RFC3339);
    ck_assert_uint_eq(map->attributes[0].column, map->time_column);
    ck_assert_str_eq(map->attributes[1].money.currency, "EUR");
    ck_assert_uint_eq(map->attributes[1].money.digits, 2);
    ck_assert(map->attributes[2].personal);
    ck_assert_int_eq((int)map->attributes[3].kind, ATTRIBUTE_FLAG);
    ck_assert(!map_needs_zone(map));
    map_close(&map);
}
END_TEST

START_TEST(columns_without_a_header_are_numbers)
{
    struct map *map = map_of("version: 1\nsource: s\nformat: columns\nheader: false\n"
                             "event: {type: visit, id: [1], customer: 2, occurred_at: 4096}\n");
    ck_assert(!map->header);
    ck_assert_str_eq(map->columns[map->time_column], "4096");
    map_close(&map);
}
END_TEST

START_TEST(the_digest_is_that_of_the_text)
{
    struct map *a = map_of(TOP NEEDED);
    struct map *b = map_of(TOP NEEDED "# a remark\n");
    ck_assert(!hash128_equal(a->digest, b->digest));
    map_close(&b);
    b = map_of(TOP NEEDED);
    ck_assert(hash128_equal(a->digest, b->digest));
    map_close(&a);
    map_close(&b);
}
END_TEST

static const struct slip slips[] = {
    { "version: 2\nsource: s\nformat: csv\n" NEEDED, "m.yaml:1: version: 2 is not in 1..1" },
    { "source: s\nformat: csv\n" NEEDED, "m.yaml:1: version: is missing" },
    { "version: 1\nformat: csv\n" NEEDED, "m.yaml:1: source: is missing" },
    { "version: 1\nsource: s\nformat: tsv\n" NEEDED,
      "m.yaml:3: format: 'tsv' is not known; write one of: columns, csv, ndjson" },
    { TOP "delimiter: \";;\"\n" NEEDED, "m.yaml:4: delimiter: must be one character" },
    { TOP "delimiter: '\"'\n" NEEDED, "m.yaml:4: delimiter: must be one character" },
    { "version: 1\nsource: s\nformat: columns\ndelimiter: ;\n" NEEDED,
      "m.yaml:4: delimiter: is for format: csv" },
    { "version: 1\nsource: s\nformat: ndjson\nheader: true\n" NEEDED,
      "m.yaml:4: header: JSON names its values itself" },
    { TOP, "m.yaml:1: event: must say what becomes of a row" },
    { TOP "event: row\n", "m.yaml:4: event: must say what becomes of a row" },
    { TOP NEEDED "colour: red\n", "m.yaml:9: colour: unknown key" },
    { TOP NEEDED "  custumer: c\n", "m.yaml:9: custumer: unknown key; did you mean 'customer'?" },
    { TOP "event:\n  id: row\n  customer: a\n  occurred_at: b\n", "m.yaml:4: type: is missing" },
    { TOP "event:\n  type: Visit\n", "m.yaml:5: 'Visit' is no type of event" },
    { TOP "event:\n  type: {column: k, values: {A: Visit}}\n",
      "m.yaml:5: 'Visit' is no type of event" },
    { TOP "event:\n  type: {column: k, values: []}\n", "m.yaml:5: values: must say which value" },
    { TOP "event:\n  type: {values: {A: visit}}\n", "m.yaml:5: column: is missing" },
    { TOP "event:\n  type: visit\n  id: order\n", "m.yaml:6: id: 'order' is not known; write row" },
    { TOP "event:\n  type: visit\n  id: []\n", "m.yaml:6: must be a list of columns" },
    { TOP "event:\n  type: visit\n  id: {prefix: x}\n", "m.yaml:6: id: names no columns" },
    { TOP "event:\n  type: visit\n  id: [[a]]\n", "m.yaml:6: must be one text" },
    { TOP "event:\n  type: visit\n  id: [a, b, c, d, e, f, g, h, i]\n",
      "m.yaml:6: is one column too many; name at most 8" },
    { TOP "event:\n  type: visit\n  id: row\n  occurred_at: b\n",
      "m.yaml:4: customer: is missing" },
    { TOP
      "event:\n  type: visit\n  id: row\n  customer: a\n  occurred_at: {column: b, format: x}\n",
      "m.yaml:8: format: 'x' is not known" },
    { TOP NEEDED "  amount: price\n", "m.yaml:9: amount: must say more than a column" },
    { TOP NEEDED "  amount: {column: p}\n", "m.yaml:9: must name one of currency and" },
    { TOP NEEDED "  amount: {column: p, currency: EUR, currency_column: c}\n",
      "m.yaml:9: must name one of currency and" },
    { TOP NEEDED "  amount: {column: p, currency: eur}\n",
      "m.yaml:9: currency: 'eur' is not three capital letters" },
    { TOP NEEDED "  amount: {column: p, currency: EUR, digits: 5}\n",
      "m.yaml:9: digits: 5 is not in 0..4" },
    { TOP NEEDED "  amount: {column: p, currency: EUR, event_types: purchase}\n",
      "m.yaml:9: event_types: must be a list" },
    { TOP NEEDED "  attributes: {name: c}\n", "m.yaml:9: attributes: must be a list" },
    { TOP NEEDED "  attributes:\n    - c\n", "m.yaml:10: attributes: are at most 64 mappings" },
    { TOP NEEDED "  attributes:\n    - {name: C, column: c}\n", "m.yaml:10: name: 'C' is no name" },
    { TOP NEEDED "  attributes:\n    - {name: c}\n", "m.yaml:10: column: is missing" },
    { TOP NEEDED "  attributes:\n    - {name: c, column: c}\n    - {name: c, column: d}\n",
      "m.yaml:11: name: c stands twice" },
    { TOP NEEDED "  attributes:\n    - {name: c, column: c, type: real}\n",
      "m.yaml:10: type: 'real' is not known" },
    { TOP NEEDED "  attributes:\n    - {name: c, column: c, format: auto}\n",
      "m.yaml:10: format: is for attributes of type at" },
    { TOP NEEDED "  attributes:\n    - {name: c, column: c, type: at, currency: EUR}\n",
      "m.yaml:10: currency: is for attributes of type money" },
    { TOP NEEDED "  attributes:\n    - {name: c, column: c, colour: red}\n",
      "m.yaml:10: colour: unknown key" },
    { TOP "header: false\nevent:\n  type: visit\n  id: row\n  customer: who\n",
      "m.yaml:8: 'who' is no column: without a header they are 1 to 4096" },
    { TOP "header: false\nevent:\n  type: visit\n  id: row\n  customer: 4097\n",
      "m.yaml:8: '4097' is no column" },
    { TOP "header: false\nevent:\n  type: visit\n  id: row\n  customer: 0\n",
      "m.yaml:8: '0' is no column" },
    { "- a\n", "m.yaml:1: item: must be a mapping" },
};

START_TEST(a_slip_is_told_with_its_line_and_how_to_mend_it)
{
    const struct slip *slip = &slips[_i];
    struct map *map = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(map_parse(&map, "m.yaml", span_of_text(slip->text), &refusal),
                     STATUS_MALFORMED);
    ck_assert_ptr_null(map);
    ck_assert_msg(strncmp(refusal.message, slip->message, strlen(slip->message)) == 0,
                  "'%s' is not '%s'", refusal.message, slip->message);
}
END_TEST

/* MAP_COLUMNS_MAX different columns fit and one more does not. */
START_TEST(columns_are_bounded)
{
    struct buffer text;
    buffer_init(&text, 1024 * 1024);
    const char *head = "version: 1\nsource: s\nformat: csv\nevent:\n  type: visit\n  id: row\n"
                       "  customer: a\n  occurred_at: a\n  attributes:\n";
    ck_assert_int_eq(buffer_append(&text, span_of_text(head)), STATUS_OK);
    for (int i = 0; i < LIMIT_ATTRIBUTES; i++) {
        char line[128];
        (void)snprintf(line, sizeof line,
                       "    - {name: n%d, column: c%d, type: money, currency_column: u%d}\n", i, i,
                       i);
        ck_assert_int_eq(buffer_append(&text, span_of_text(line)), STATUS_OK);
    }
    struct map *map = NULL;
    ck_assert_int_eq(map_parse(&map, "m", buffer_span(&text), NULL), STATUS_OK);
    ck_assert_uint_eq(map->column_count, 1 + 2 * LIMIT_ATTRIBUTES);
    ck_assert_uint_le(map->column_count, MAP_COLUMNS_MAX);
    map_close(&map);
    ck_assert_int_eq(buffer_append(&text, BYTES("    - {name: more, column: more}\n")), STATUS_OK);
    ck_assert_int_eq(map_parse(&map, "m", buffer_span(&text), NULL), STATUS_MALFORMED);
    buffer_release(&text);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_not_found)
{
    struct map *map = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(map_open(&map, "config/maps/nobody.yaml", &refusal), STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(refusal.message, "config/maps/nobody.yaml"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, the_shipped_maps_are_read);
    tcase_add_test(cases, a_shipped_map_says_what_it_should);
    tcase_add_test(cases, every_key_is_read);
    tcase_add_test(cases, columns_without_a_header_are_numbers);
    tcase_add_test(cases, the_digest_is_that_of_the_text);
    tcase_add_loop_test(cases, a_slip_is_told_with_its_line_and_how_to_mend_it, 0,
                        (int)(sizeof slips / sizeof slips[0]));
    tcase_add_test(cases, columns_are_bounded);
    tcase_add_test(cases, a_file_that_is_not_there_is_not_found);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
