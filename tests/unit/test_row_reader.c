/* link: kith_parts */
#include "common/base/limits.h"
#include "ingest_fixture.h"

#define COLUMNS_MAP "version: 1\nsource: s\nformat: columns\n" MAP_EVENT
#define CSV_MAP "version: 1\nsource: s\nformat: csv\n" MAP_EVENT
#define JSON_MAP "version: 1\nsource: s\nformat: ndjson\n" MAP_EVENT
#define BARE_MAP                                                                                   \
    "version: 1\nsource: s\nformat: csv\nheader: false\n"                                          \
    "event: {type: visit, id: row, customer: 1, occurred_at: 2}\n"

/* The cells a, b and c of each row as "a|b|c" and a line feed; "-" is one that is not there;
 * a row with a fault is "!fault". */
static void rows_tell(struct row_reader *reader, char *out, size_t size)
{
    struct row row = { .number = 0 };
    size_t used = 0;
    uint64_t number = row_reader_place(reader).rows;
    out[0] = '\0';
    while (row_reader_next(reader, &row, NULL) == ROW_READ) {
        ck_assert_uint_eq(row.number, ++number);
        if (row.fault != NULL) {
            used += (size_t)snprintf(out + used, size - used, "!%s\n", row.fault);
            continue;
        }
        for (size_t i = 0; i < 3; i++) {
            const struct row_cell *cell = &row.cells[i];
            used += (size_t)snprintf(
                out + used, size - used, "%.*s%s", cell->is_there ? (int)cell->text.size : 1,
                cell->is_there ? (const char *)cell->text.data : "-", i == 2 ? "\n" : "|");
        }
        ck_assert_uint_lt(used, size);
    }
}

struct reading_row {
    const char *name;
    const char *map;
    const char *text;
    const char *told;
};

static const struct reading_row readings[] = {
    { "columns", COLUMNS_MAP, "a b c\n1 2 3\n4 5 6\n", "1|2|3\n4|5|6\n" },
    { "columns in another order", COLUMNS_MAP, "c x a b\n1 2 3 4\n", "3|4|1\n" },
    { "blanks at both ends and between", COLUMNS_MAP, " a  b\tc \n\t1  2 \t 3  \n", "1|2|3\n" },
    { "a last line without its end", COLUMNS_MAP, "a b c\n1 2 3\n4 5 6", "1|2|3\n4|5|6\n" },
    { "CRLF", COLUMNS_MAP, "a b c\r\n1 2 3\r\n4 5 6\r\n", "1|2|3\n4|5|6\n" },
    { "CRLF and no end", COLUMNS_MAP, "a b c\r\n1 2 3\r", "1|2|3\n" },
    { "empty lines are no rows", COLUMNS_MAP, "\n\na b c\n\n1 2 3\n \t\n\r\n4 5 6\n\n",
      "1|2|3\n4|5|6\n" },
    { "too few columns", COLUMNS_MAP, "a b c\n1 2\n4 5 6\n",
      "!the row has 2 columns and the header has 3\n4|5|6\n" },
    { "too many columns", COLUMNS_MAP, "a b c\n1 2 3 4\n4 5 6\n",
      "!the row has 4 columns and the header has 3\n4|5|6\n" },
    { "a file without a byte", COLUMNS_MAP, "", "" },
    { "a header alone", COLUMNS_MAP, "a b c", "" },
    { "a mark before UTF-8", COLUMNS_MAP,
      "\xEF\xBB\xBF"
      "a b c\n1 2 3\n",
      "1|2|3\n" },

    { "csv", CSV_MAP, "a,b,c\n1,2,3\n", "1|2|3\n" },
    { "empty cells", CSV_MAP, "a,b,c\n,,\n,2,\n", "||\n|2|\n" },
    { "blanks belong to the text", CSV_MAP, "a,b,c\n 1 , 2,3 \n", " 1 | 2|3 \n" },
    { "quotes", CSV_MAP, "a,b,c\n\"1\",\"2,2\",\"3\"\"3\"\n", "1|2,2|3\"3\n" },
    { "quotes around nothing", CSV_MAP, "a,b,c\n\"\",\"\",\"\"\n", "||\n" },
    { "a quoted line feed", CSV_MAP, "a,b,c\n1,\"2\n2\",3\n4,5,6\n", "1|2\n2|3\n4|5|6\n" },
    { "a quoted CRLF", CSV_MAP, "a,b,c\r\n1,2,\"3\r\n3\"\r\n", "1|2|3\r\n3\n" },
    { "a quoted header", CSV_MAP, "\"a\",\"b\",\"c\"\n1,2,3\n", "1|2|3\n" },
    { "quoted at the end without LF", CSV_MAP, "a,b,c\n1,2,\"3\"", "1|2|3\n" },
    { "a quote within a text is a byte", CSV_MAP, "a,b,c\n1,2\"2,3\n4,5,6\n", "1|2\"2|3\n4|5|6\n" },
    { "something behind the quote", CSV_MAP, "a,b,c\n1,\"2\"x,3\n4,5,6\n",
      "!something follows the closing quote of a text\n4|5|6\n" },
    { "a quote that is not closed costs its line", CSV_MAP, "a,b,c\n1,\"2,3\n4,5,6\n7,8,9\n",
      "!a quoted text is not closed within 16384 bytes, or at all\n4|5|6\n7|8|9\n" },
    { "a quote that is not closed in the last line", CSV_MAP, "a,b,c\n4,5,6\n1,\"2,3",
      "4|5|6\n!a quoted text is not closed within 16384 bytes, or at all\n" },
    { "a lone quote at the end", CSV_MAP, "a,b,c\n4,5,6\n\"",
      "4|5|6\n!a quoted text is not closed within 16384 bytes, or at all\n" },
    { "numbers for names", BARE_MAP, "1,2\n3\n4,5,6\n", "1|2|-\n3|-|-\n4|5|-\n" },

    { "ndjson", JSON_MAP, "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}\n", "1|2|3\n" },
    { "numbers keep their text", JSON_MAP,
      "{\"a\":29.330,\"b\": -7 ,\"c\":1e400}\n{\"a\" : 90071992547409931.1,\"c\":0}\n",
      "!the line is no JSON object; see its byte 30\n90071992547409931.1|-|0\n" },
    { "true, false and null", JSON_MAP, "{\"a\":true,\"b\":false,\"c\":null}\n", "true|false|-\n" },
    { "other members of any kind", JSON_MAP,
      "{\"x\":{\"a\":[1,{\"b\":\"}\\\"]\"}]},\"a\":1,\"y\":[],\"b\":\"\\u00e9\\n\",\"z\":\"\\\\\","
      "\"c\":3.0}\n",
      "1|\xC3\xA9\n|3.0\n" },
    { "blanks everywhere", JSON_MAP, " { \"a\" : 1 , \"b\" :\t2,\"c\": 3 } \n\n", "1|2|3\n" },
    { "an object of nothing", JSON_MAP, "{}\n", "-|-|-\n" },
    { "a list in a column", JSON_MAP, "{\"a\":[1]}\n{\"a\":1}\n",
      "!column a holds a list or an object\n1|-|-\n" },
    { "a key twice", JSON_MAP, "{\"a\":1,\"a\":2}\n",
      "!the line is no JSON object; see its byte 10\n" },
    { "no object", JSON_MAP, "[1]\n{\"a\":2}", "!the line is JSON and no object\n2|-|-\n" },
    { "no JSON", JSON_MAP, "{\"a\":\n{\"a\":2}",
      "!the line is no JSON object; see its byte 5\n2|-|-\n" },
};

START_TEST(rows_are_read)
{
    const struct reading_row *row = &readings[_i];
    struct map *map = map_of(row->map);
    struct row_reader *reader = reader_of(map, span_of_text(row->text));
    char told[1024];
    rows_tell(reader, told, sizeof told);
    ck_assert_msg(strcmp(told, row->told) == 0, "%s: '%s' is not '%s'", row->name, told, row->told);
    ck_assert_uint_eq(row_reader_place(reader).offset, strlen(row->text));
    row_reader_close(&reader);
    map_close(&map);
}
END_TEST

/* From each place on, the rest is read as if nothing had stood before it. */
START_TEST(reading_goes_on_at_any_place)
{
    const struct reading_row *row = &readings[_i];
    struct map *map = map_of(row->map);
    struct row_reader *whole = reader_of(map, span_of_text(row->text));
    struct row read = { .number = 0 };
    do {
        struct row_reader *part = reader_of(map, span_of_text(row->text));
        row_reader_seek(part, row_reader_place(whole));
        char told[1024];
        rows_tell(part, told, sizeof told);
        size_t size = strlen(told);
        ck_assert_uint_le(size, strlen(row->told));
        ck_assert_msg(strcmp(row->told + strlen(row->told) - size, told) == 0, "%s: '%s'",
                      row->name, told);
        row_reader_close(&part);
    } while (row_reader_next(whole, &read, NULL) == ROW_READ);
    row_reader_close(&whole);
    map_close(&map);
}
END_TEST

static const struct {
    const char *map;
    const char *text;
    const char *message;
} bad_headers[] = {
    { COLUMNS_MAP, "a b\n1 2\n", "f: its header has no column 'c', which the map names" },
    { COLUMNS_MAP, "a b c a\n", "f: its header names the column 'a' twice" },
    { CSV_MAP, "a b c\n", "f: its header has no column 'a'" },
    { CSV_MAP, "a,\"b\"x,c\n", "f: in its header something follows the closing quote" },
};

START_TEST(a_header_that_does_not_fit_is_refused)
{
    struct map *map = map_of(bad_headers[_i].map);
    struct span bytes = span_of_text(bad_headers[_i].text);
    struct row_input input = { .name = "f", .descriptor = -1, .size = bytes.size, .memory = bytes };
    struct row_reader *reader = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(row_reader_open(&reader, &input, map, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_null(reader);
    const char *message = bad_headers[_i].message;
    ck_assert_msg(strncmp(refusal.message, message, strlen(message)) == 0, "%s", refusal.message);
    map_close(&map);
}
END_TEST

/* A header, a row of `size` bytes with `end`, and a row behind it. */
static struct buffer long_text(size_t size, const char *end)
{
    struct buffer text;
    buffer_init(&text, 8 * 1024 * 1024);
    ck_assert_int_eq(buffer_append(&text, BYTES("a,b,c\n1,2,")), STATUS_OK);
    ck_assert_int_eq(buffer_reserve(&text, size), STATUS_OK);
    memset(text.data + text.size, 'x', size - 4);
    text.size += size - 4;
    ck_assert_int_eq(buffer_append(&text, span_of_text(end)), STATUS_OK);
    ck_assert_int_eq(buffer_append(&text, BYTES("4,5,6\n")), STATUS_OK);
    return text;
}

START_TEST(the_longest_row_is_read)
{
    static const char *const ends[] = { "\n", "\r\n" };
    struct map *map = map_of(CSV_MAP);
    struct buffer text = long_text(LIMIT_EVENT_BYTES, ends[_i]);
    struct row_reader *reader = reader_of(map, buffer_span(&text));
    struct row row = { .number = 0 };
    ck_assert_int_eq((int)row_reader_next(reader, &row, NULL), ROW_READ);
    ck_assert_ptr_null(row.fault);
    ck_assert(!row.is_cut);
    ck_assert_uint_eq(row.bytes.size, LIMIT_EVENT_BYTES);
    /* With its header it would be too long, so it is kept without. */
    ck_assert_uint_eq(row.content.size, LIMIT_EVENT_BYTES);
    ck_assert_int_eq((int)row_reader_next(reader, &row, NULL), ROW_READ);
    ck_assert(span_is(row.bytes, "4,5,6"));
    ck_assert(span_is(row.content, "a,b,c\n4,5,6"));
    row_reader_close(&reader);
    buffer_release(&text);
    map_close(&map);
}
END_TEST

static const size_t long_sizes[] = { LIMIT_EVENT_BYTES + 1, LIMIT_EVENT_BYTES + 2,
                                     LIMIT_EVENT_BYTES + 3, 300 * 1024, 3 * 1024 * 1024 };

/* It is cut, told from others by all of its bytes, and the row behind it is read. */
START_TEST(a_row_that_is_too_long_is_bad_and_not_the_end)
{
    struct map *map = map_of(CSV_MAP);
    struct buffer text = long_text(long_sizes[_i], "\n");
    struct hash128 hashes[2];
    for (int i = 0; i < 2; i++) {
        struct row_reader *reader = reader_of(map, buffer_span(&text));
        struct row row = { .number = 0 };
        ck_assert_int_eq((int)row_reader_next(reader, &row, NULL), ROW_READ);
        ck_assert(row.is_cut);
        ck_assert_str_eq(row.fault, "the row is longer than 16384 bytes");
        ck_assert_uint_eq(row.content.size, LIMIT_EVENT_BYTES);
        ck_assert(span_has_prefix(row.content, BYTES("1,2,xxx")));
        hashes[i] = row.whole;
        ck_assert_int_eq((int)row_reader_next(reader, &row, NULL), ROW_READ);
        ck_assert_ptr_null(row.fault);
        ck_assert(span_is(row.bytes, "4,5,6"));
        ck_assert_uint_eq(row.number, 2);
        ck_assert_int_eq((int)row_reader_next(reader, &row, NULL), ROW_END);
        row_reader_close(&reader);
        text.data[6 + long_sizes[_i] - 1] = 'y'; /* its last byte */
    }
    ck_assert(!hash128_equal(hashes[0], hashes[1]));
    buffer_release(&text);
    map_close(&map);
}
END_TEST

START_TEST(a_quote_that_swallows_too_much_costs_its_line)
{
    struct map *map = map_of(CSV_MAP);
    struct buffer text;
    buffer_init(&text, 1024 * 1024);
    ck_assert_int_eq(buffer_append(&text, BYTES("a,b,c\n1,\"2,3\n")), STATUS_OK);
    for (int i = 0; i < 5000; i++) {
        ck_assert_int_eq(buffer_append(&text, BYTES("4,5,6\n")), STATUS_OK);
    }
    ck_assert_int_eq(buffer_append(&text, BYTES("7,8\",9\n")), STATUS_OK);
    struct row_reader *reader = reader_of(map, buffer_span(&text));
    struct row row = { .number = 0 };
    size_t faults = 0;
    while (row_reader_next(reader, &row, NULL) == ROW_READ) {
        faults += row.fault != NULL ? 1 : 0;
    }
    ck_assert_uint_eq(faults, 1);
    ck_assert_uint_eq(row.number, 5002);
    row_reader_close(&reader);
    buffer_release(&text);
    map_close(&map);
}
END_TEST

/* More rows than the window holds, so that each of its borders is met. */
START_TEST(many_rows_are_read_through_the_window)
{
    struct map *map = map_of(CSV_MAP);
    struct buffer text;
    buffer_init(&text, 8 * 1024 * 1024);
    ck_assert_int_eq(buffer_append(&text, BYTES("a,b,c\n")), STATUS_OK);
    for (int i = 0; i < 60000; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "%d,\"x\ny\",%d%s", i, i * 7, i % 3 == 0 ? "\r\n" : "\n");
        ck_assert_int_eq(buffer_append(&text, span_of_text(line)), STATUS_OK);
    }
    struct row_reader *reader = reader_of(map, buffer_span(&text));
    struct row row = { .number = 0 };
    for (int i = 0; i < 60000; i++) {
        char expected[32];
        ck_assert_int_eq((int)row_reader_next(reader, &row, NULL), ROW_READ);
        ck_assert_ptr_null(row.fault);
        (void)snprintf(expected, sizeof expected, "%d", i * 7);
        ck_assert(span_is(row.cells[2].text, expected));
        ck_assert(span_is(row.cells[1].text, "x\ny"));
    }
    ck_assert_int_eq((int)row_reader_next(reader, &row, NULL), ROW_END);
    row_reader_close(&reader);
    buffer_release(&text);
    map_close(&map);
}
END_TEST

int main(void)
{
    int reading_count = (int)(sizeof readings / sizeof readings[0]);
    Suite *suite = suite_create("row reader");
    TCase *cases = tcase_create("all");
    tcase_add_loop_test(cases, rows_are_read, 0, reading_count);
    tcase_add_loop_test(cases, reading_goes_on_at_any_place, 0, reading_count);
    tcase_add_loop_test(cases, a_header_that_does_not_fit_is_refused, 0,
                        (int)(sizeof bad_headers / sizeof bad_headers[0]));
    tcase_add_loop_test(cases, the_longest_row_is_read, 0, 2);
    tcase_add_loop_test(cases, a_row_that_is_too_long_is_bad_and_not_the_end, 0,
                        (int)(sizeof long_sizes / sizeof long_sizes[0]));
    tcase_add_test(cases, a_quote_that_swallows_too_much_costs_its_line);
    tcase_add_test(cases, many_rows_are_read_through_the_window);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
