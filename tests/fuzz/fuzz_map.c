/* link: kith_parts */
/* covers: cli/map.c cli/map_reading.c */
/*
 * Any bytes as a map: a map within its bounds that rows can be read with, or a sentence that
 * names a line.
 */
#include "cli/row_event.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void column_check(const struct map *map, size_t column)
{
    assert(column == MAP_NO_COLUMN || column < map->column_count);
}

static void map_check(const struct map *map)
{
    assert(map->column_count <= MAP_COLUMNS_MAX && map->column_count >= 1);
    assert(map->value_count <= MAP_VALUES_MAX && map->amount_type_count <= MAP_TYPES_MAX);
    assert(map->attribute_count <= LIMIT_ATTRIBUTES);
    assert(map->customer_column < map->column_count && map->time_column < map->column_count);
    assert(map->id_is_row == (map->id_column_count == 0));
    assert((map->type.text[0] == '\0') == (map->type_column != MAP_NO_COLUMN));
    column_check(map, map->type_column);
    for (size_t i = 0; i < map->id_column_count; i++) {
        assert(map->id_columns[i] < map->column_count);
    }
    for (size_t i = 0; i < map->attribute_count; i++) {
        assert(map->attributes[i].column < map->column_count);
        assert(strlen(map->attributes[i].name) >= 1);
    }
}

/* A few rows, whatever they are to this map. */
static void rows_read(const struct map *map)
{
    static const char text[] = "a b c\n1 19980630 1.00\n1,1998-06-30,1\n{\"a\":1,\"b\":\"x\"}\n";
    struct span bytes = span_of(text, sizeof text - 1);
    struct row_input input = { .name = "f", .descriptor = -1, .size = bytes.size, .memory = bytes };
    struct row_reader *reader = NULL;
    if (row_reader_open(&reader, &input, map, NULL) != STATUS_OK) {
        return;
    }
    struct zone *zone = NULL;
    enum status status = zone_open(&zone, "UTC", NULL);
    assert(status == STATUS_OK);
    struct row_mapper *mapper = NULL;
    row_mapper_open(&mapper, map, zone);
    struct row row = { .number = 0 };
    struct row_origin origin = { .digest = "00112233445566778899aabbccddeeff" };
    struct row_event made = { .is_event = false };
    while (row_reader_next(reader, &row, NULL) == ROW_READ) {
        row_mapper_apply(mapper, &row, &origin, &made);
        assert(made.is_event || made.reason.size > 0);
    }
    row_mapper_close(&mapper);
    zone_close(&zone);
    row_reader_close(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct map *map = NULL;
    enum status status = map_parse(&map, "f", span_of(data, size), &refusal);
    if (status != STATUS_OK) {
        assert(status == STATUS_MALFORMED && map == NULL);
        assert(strncmp(refusal.message, "f:", 2) == 0);
        return 0;
    }
    map_check(map);
    rows_read(map);
    map_close(&map);
    return 0;
}
