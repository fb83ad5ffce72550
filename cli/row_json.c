/*
 * A line of ndjson. jansson reads it and says whether it is JSON; a number's text is then
 * taken from the line itself, because jansson would make a binary fraction of "29.33", and
 * no amount may go through one.
 */
#include "cli/row_cells.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- the members' own texts, in a line that is known to be one object */

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void space_skip(struct span bytes, size_t *at)
{
    while (*at < bytes.size && is_space(bytes.data[*at])) {
        *at += 1;
    }
}

/* From a quote to behind the one that ends it. */
static void string_skip(struct span bytes, size_t *at)
{
    *at += 1;
    while (*at < bytes.size && bytes.data[*at] != '"') {
        *at += bytes.data[*at] == '\\' ? 2 : 1;
    }
    *at += 1;
}

/* Steps over a byte of a value, or over a text as a whole; *depth counts brackets. */
static void value_step(struct span bytes, size_t *at, size_t *depth)
{
    uint8_t byte = bytes.data[*at];
    if (byte == '"') {
        string_skip(bytes, at);
        return;
    }
    *depth += byte == '{' || byte == '[' ? 1 : 0;
    *depth -= byte == '}' || byte == ']' ? 1 : 0;
    *at += 1;
}

static bool ends_value(uint8_t byte)
{
    return byte == ',' || byte == '}';
}

/* From the first byte of a value to the comma or brace behind it. */
static void value_skip(struct span bytes, size_t *at)
{
    size_t depth = 0;
    while (*at < bytes.size && (depth > 0 || !ends_value(bytes.data[*at]))) {
        value_step(bytes, at, &depth);
    }
}

static struct span trimmed(struct span bytes, size_t begin, size_t end)
{
    while (end > begin && is_space(bytes.data[end - 1])) {
        end--;
    }
    return span_of(bytes.data + begin, end - begin);
}

/* The value of the next member; *at begins at 0. */
static struct span member_take(struct span bytes, size_t *at)
{
    *at += 1; /* the brace or the comma */
    space_skip(bytes, at);
    string_skip(bytes, at);
    space_skip(bytes, at);
    *at += 1; /* the colon */
    space_skip(bytes, at);
    size_t begin = *at;
    value_skip(bytes, at);
    size_t end = *at < bytes.size ? *at : bytes.size;
    return begin < end ? trimmed(bytes, begin, end) : span_of(NULL, 0);
}

/* ---- cells */

static bool cell_fill(struct row_cell *cell, const json_t *value, struct span text)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        cell->text = span_of(json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
        cell->text = text;
        break;
    case JSON_NULL:
        return true; /* the same as not being there */
    case JSON_OBJECT:
    case JSON_ARRAY:
        return false;
    }
    cell->is_there = true;
    return true;
}

static size_t column_find(const struct map *map, const char *name)
{
    for (size_t i = 0; i < map->column_count; i++) {
        if (strcmp(map->columns[i], name) == 0) {
            return i;
        }
    }
    return MAP_NO_COLUMN;
}

bool row_json_fill(struct row_cells *cells, const struct map *map, struct span bytes)
{
    json_decref(cells->json);
    json_error_t error;
    cells->json = json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &error);
    if (cells->json == NULL) {
        /* jansson's sentence may quote the row, which may be nobody's business. */
        (void)snprintf(cells->fault, sizeof cells->fault,
                       "the line is no JSON object; see its byte %d", error.position);
        return false;
    }
    if (!json_is_object(cells->json)) {
        (void)snprintf(cells->fault, sizeof cells->fault, "the line is JSON and no object");
        return false;
    }
    size_t at = 0;
    space_skip(bytes, &at);
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(cells->json, key, value)
    {
        struct span text = member_take(bytes, &at); /* jansson keeps the order of members */
        size_t column = column_find(map, key);
        if (column != MAP_NO_COLUMN && !cell_fill(&cells->cells[column], value, text)) {
            (void)snprintf(cells->fault, sizeof cells->fault, "column %s holds a list or an object",
                           key);
            return false;
        }
    }
    return true;
}
