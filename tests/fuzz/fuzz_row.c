/* link: kith_parts */
/* covers: cli/row_reader.c cli/row_cells.c cli/row_json.c cli/row_event.c */
/*
 * Any bytes as a file of rows, in each format: every byte belongs to a row, to a line without
 * anything in it, or to the header; every row becomes an event that ingestion would read, or
 * has a reason; and reading goes on at any place as if it had not stopped.
 */
#include "cli/row_event.h"
#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/event/event_codec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENT                                                                                      \
    "event:\n"                                                                                     \
    "  type: {column: 1, values: {p: purchase, v: visit}}\n"                                       \
    "  id: [2, 3]\n"                                                                               \
    "  customer: 2\n"                                                                              \
    "  occurred_at: 3\n"                                                                           \
    "  amount: {column: 4, currency_column: 5}\n"                                                  \
    "  attributes:\n"                                                                              \
    "    - {name: i, column: 4, type: integer}\n"                                                  \
    "    - {name: f, column: 4, type: flag}\n"                                                     \
    "    - {name: a, column: 3, type: at}\n"                                                       \
    "    - {name: t, column: 5, personal: true}\n"

static const char *const map_texts[] = {
    "version: 1\nsource: s\nformat: columns\nheader: false\n" EVENT,
    "version: 1\nsource: s\nformat: csv\nheader: false\n" EVENT,
    "version: 1\nsource: s\nformat: csv\nheader: true\ndelimiter: tab\n" EVENT,
    "version: 1\nsource: s\nformat: ndjson\n" EVENT,
};
#define MAP_COUNT (sizeof map_texts / sizeof map_texts[0])

static void made_check(const struct row_event *made, const struct row *row)
{
    assert(row->content.size >= 1 && row->content.size <= LIMIT_EVENT_BYTES);
    assert(made->id.size == 0 || id_text_is_valid(made->id));
    assert(!row->is_cut || row->fault != NULL);
    assert(row->fault == NULL || !made->is_event);
    if (!made->is_event) {
        assert(made->reason.size >= 1 && made->reason.size <= LIMIT_TEXT_BYTES);
        assert(text_is_clean(made->reason));
        return;
    }
    struct arena arena;
    struct event event = { .attribute_count = 0 };
    arena_init(&arena, 64 * 1024);
    enum status status = event_decode(made->encoded, &arena, &event, NULL);
    assert(status == STATUS_OK && event.occurred_at_ms == made->at_ms);
    arena_release(&arena);
}

static struct row_reader *reader_make(const struct map *map, struct span bytes)
{
    struct row_input input = { .name = "f", .descriptor = -1, .size = bytes.size, .memory = bytes };
    struct row_reader *reader = NULL;
    enum status status = row_reader_open(&reader, &input, map, NULL);
    assert((status == STATUS_OK) == (reader != NULL));
    return reader;
}

/* The row at `place`, read by a reader that saw nothing else, is the same. */
static void place_check(const struct map *map, struct span bytes, struct row_place place,
                        const struct row *row)
{
    struct row_reader *reader = reader_make(map, bytes);
    struct row again = { .number = 0 };
    row_reader_seek(reader, place);
    enum row_step step = row_reader_next(reader, &again, NULL);
    assert(step == ROW_READ && again.number == row->number);
    assert(span_equal(again.content, row->content) && again.is_cut == row->is_cut);
    row_reader_close(&reader);
}

static void rows_check(const struct map *map, struct row_mapper *mapper, struct span bytes)
{
    struct row_reader *reader = reader_make(map, bytes);
    if (reader == NULL) {
        return;
    }
    struct row row = { .number = 0 };
    struct row_origin origin = { .digest = "00112233445566778899aabbccddeeff" };
    struct row_event made = { .is_event = false };
    struct row_place place = row_reader_place(reader);
    while (row_reader_next(reader, &row, NULL) == ROW_READ) {
        assert(row.number == place.rows + 1);
        row_mapper_apply(mapper, &row, &origin, &made);
        made_check(&made, &row);
        if (row.number % 16 == 1) {
            place_check(map, bytes, place, &row);
        }
        assert(row_reader_place(reader).offset > place.offset);
        place = row_reader_place(reader);
    }
    assert(row_reader_place(reader).offset == bytes.size);
    row_reader_close(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct map *map = NULL;
    enum status status = map_parse(&map, "m", span_of_text(map_texts[data[0] % MAP_COUNT]), NULL);
    assert(status == STATUS_OK);
    struct zone *zone = NULL;
    status = zone_open(&zone, "UTC", NULL);
    assert(status == STATUS_OK);
    struct row_mapper *mapper = NULL;
    row_mapper_open(&mapper, map, zone);
    rows_check(map, mapper, span_of(data + 1, size - 1));
    row_mapper_close(&mapper);
    zone_close(&zone);
    map_close(&map);
    return 0;
}
