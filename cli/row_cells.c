#include "cli/row_cells.h"

#include "common/base/money.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* ---- borders */

/* Behind the last quote of a text that begins at `at`, its first quote being before it;
 * SIZE_MAX when there is none. */
static size_t quoted_end(struct span bytes, size_t at)
{
    while (at < bytes.size) {
        const uint8_t *quote = memchr(bytes.data + at, '"', bytes.size - at);
        if (quote == NULL) {
            return SIZE_MAX;
        }
        at = (size_t)(quote - bytes.data) + 1;
        if (at == bytes.size || bytes.data[at] != '"') {
            return at;
        }
        at++; /* two quotes are one that belongs to the text */
    }
    return SIZE_MAX;
}

/* The next delimiter or LF from `at` on; the size when there is none. */
static size_t field_end(struct span bytes, size_t at, char delimiter)
{
    while (at < bytes.size && bytes.data[at] != (uint8_t)delimiter && bytes.data[at] != '\n') {
        at++;
    }
    return at;
}

static enum row_border csv_border_find(struct span bytes, char delimiter, size_t *size)
{
    size_t at = 0;
    while (at < bytes.size) {
        at = bytes.data[at] == '"' ? quoted_end(bytes, at + 1) : at;
        if (at == SIZE_MAX) {
            return BORDER_QUOTED;
        }
        at = field_end(bytes, at, delimiter) + 1;
        if (at <= bytes.size && bytes.data[at - 1] == '\n') {
            *size = at;
            return BORDER_FOUND;
        }
    }
    return BORDER_MISSING;
}

enum row_border row_border_find(const struct map *map, struct span bytes, size_t *size)
{
    const uint8_t *end = bytes.size > 0 ? memchr(bytes.data, '\n', bytes.size) : NULL;
    size_t line = end == NULL ? bytes.size : (size_t)(end - bytes.data) + 1;
    if (map->format == MAP_CSV && line > 0 && memchr(bytes.data, '"', line) != NULL) {
        return csv_border_find(bytes, map->delimiter, size);
    }
    if (end == NULL) {
        return BORDER_MISSING;
    }
    *size = line;
    return BORDER_FOUND;
}

bool row_is_blank(const struct map *map, struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        /* A blank in CSV is a text. */
        if (map->format == MAP_CSV || !is_blank(bytes.data[i])) {
            return false;
        }
    }
    return true;
}

/* ---- binding */

void row_binding_init(struct row_binding *binding, const struct map *map)
{
    *binding = (struct row_binding){ .map = map, .bound_count = MAP_NUMBER_MAX };
    binding->slots = memory_allocate(MAP_NUMBER_MAX * sizeof *binding->slots);
    memset(binding->slots, 0xFF, MAP_NUMBER_MAX * sizeof *binding->slots); /* ROW_UNBOUND */
    if (map->header || map->format == MAP_NDJSON) {
        return;
    }
    for (size_t i = 0; i < map->column_count; i++) {
        int64_t number = 0;
        enum status status = integer_parse(span_of_text(map->columns[i]), &number);
        assert(status == STATUS_OK && number >= 1 && number <= MAP_NUMBER_MAX);
        binding->slots[number - 1] = (uint16_t)i;
    }
}

void row_binding_release(struct row_binding *binding)
{
    free(binding->slots);
    *binding = (struct row_binding){ .map = NULL };
}

/* ---- cells */

void row_cells_init(struct row_cells *cells)
{
    *cells = (struct row_cells){ .json = NULL };
    cells->scratch = memory_allocate(LIMIT_EVENT_BYTES);
}

void row_cells_release(struct row_cells *cells)
{
    json_decref(cells->json);
    free(cells->scratch);
    *cells = (struct row_cells){ .json = NULL };
}

/* Cutting a row into texts, from its front. */
struct cutting {
    struct span bytes;
    size_t at;
    char delimiter;
    uint8_t *scratch;
    size_t scratch_used;
    bool more;         /* CSV: a delimiter stood behind the text before */
    const char *fault; /* NULL: none yet */
};

/* The text of a quoted field whose first quote is at `at`. What is written is shorter than
 * what is read, so the scratch has room for all texts of a row. */
static struct span quoted_take(struct cutting *cutting)
{
    size_t begin = cutting->at + 1;
    size_t end = quoted_end(cutting->bytes, begin);
    if (end == SIZE_MAX) {
        cutting->fault = "a quoted text is not closed";
        return span_of(NULL, 0);
    }
    cutting->at = end;
    uint8_t *out = cutting->scratch + cutting->scratch_used;
    size_t size = 0;
    for (size_t i = begin; i < end - 1; i++) {
        out[size++] = cutting->bytes.data[i];
        i += cutting->bytes.data[i] == '"' ? 1 : 0;
    }
    cutting->scratch_used += size;
    return span_of(out, size);
}

static bool csv_cut(struct cutting *cutting, struct span *text)
{
    if (!cutting->more) {
        return false;
    }
    bool quoted = cutting->at < cutting->bytes.size && cutting->bytes.data[cutting->at] == '"';
    size_t begin = cutting->at;
    struct span taken = quoted ? quoted_take(cutting) : span_of(NULL, 0);
    if (cutting->fault != NULL) {
        return false;
    }
    size_t end = cutting->at;
    while (end < cutting->bytes.size && cutting->bytes.data[end] != (uint8_t)cutting->delimiter) {
        end++;
    }
    if (quoted && end != cutting->at) {
        cutting->fault = "something follows the closing quote of a text";
        return false;
    }
    *text = quoted ? taken : span_of(cutting->bytes.data + begin, end - begin);
    cutting->more = end < cutting->bytes.size;
    cutting->at = end + 1;
    return true;
}

static bool columns_cut(struct cutting *cutting, struct span *text)
{
    size_t begin = cutting->at;
    while (begin < cutting->bytes.size && is_blank(cutting->bytes.data[begin])) {
        begin++;
    }
    size_t end = begin;
    while (end < cutting->bytes.size && !is_blank(cutting->bytes.data[end])) {
        end++;
    }
    cutting->at = end;
    if (begin == end) {
        return false;
    }
    *text = span_of(cutting->bytes.data + begin, end - begin);
    return true;
}

static struct cutting cutting_of(const struct row_cells *cells, const struct map *map,
                                 struct span bytes)
{
    return (struct cutting){
        .bytes = bytes, .delimiter = map->delimiter, .scratch = cells->scratch, .more = true
    };
}

static bool text_cut(struct cutting *cutting, const struct map *map, struct span *text)
{
    return map->format == MAP_CSV ? csv_cut(cutting, text) : columns_cut(cutting, text);
}

static bool fault_set(struct row_cells *cells, const char *fault)
{
    (void)snprintf(cells->fault, sizeof cells->fault, "%s", fault);
    return false;
}

bool row_cells_fill(struct row_cells *cells, const struct row_binding *binding, struct span bytes)
{
    const struct map *map = binding->map;
    assert(bytes.size <= LIMIT_EVENT_BYTES);
    memset(cells->cells, 0, map->column_count * sizeof cells->cells[0]);
    if (map->format == MAP_NDJSON) {
        return row_json_fill(cells, map, bytes);
    }
    struct cutting cutting = cutting_of(cells, map, bytes);
    struct span text = { NULL, 0 };
    size_t count = 0;
    for (; text_cut(&cutting, map, &text); count++) {
        uint16_t slot = count < binding->bound_count ? binding->slots[count] : ROW_UNBOUND;
        if (slot != ROW_UNBOUND) {
            cells->cells[slot] = (struct row_cell){ .is_there = true, .text = text };
        }
    }
    if (cutting.fault != NULL) {
        return fault_set(cells, cutting.fault);
    }
    if (binding->column_count != 0 && count != binding->column_count) {
        (void)snprintf(cells->fault, sizeof cells->fault,
                       "the row has %zu columns and the header has %zu", count,
                       binding->column_count);
        return false;
    }
    return true;
}

/* ---- the header */

static size_t column_find(const struct map *map, struct span name)
{
    for (size_t i = 0; i < map->column_count; i++) {
        if (span_equal(span_of_text(map->columns[i]), name)) {
            return i;
        }
    }
    return MAP_NO_COLUMN;
}

static enum status missing_refuse(const struct map *map, const bool *seen, const char *name,
                                  struct refusal *refusal)
{
    for (size_t i = 0; i < map->column_count; i++) {
        if (!seen[i]) {
            return refusal_set(refusal, STATUS_MALFORMED,
                               "%s: its header has no column '%s', which the map names; mend the "
                               "map, or its format",
                               name, map->columns[i]);
        }
    }
    return STATUS_OK;
}

enum status row_header_bind(struct row_cells *cells, struct row_binding *binding, const char *name,
                            struct span header, struct refusal *refusal)
{
    const struct map *map = binding->map;
    bool seen[MAP_COLUMNS_MAX] = { false };
    struct cutting cutting = cutting_of(cells, map, header);
    struct span text = { NULL, 0 };
    size_t count = 0;
    for (; text_cut(&cutting, map, &text); count++) {
        size_t column = column_find(map, text);
        if (count == MAP_NUMBER_MAX) {
            return refusal_set(refusal, STATUS_MALFORMED,
                               "%s: its header has more than %d columns; is the map's format "
                               "right?",
                               name, MAP_NUMBER_MAX);
        }
        if (column == MAP_NO_COLUMN) {
            continue;
        }
        if (seen[column]) {
            return refusal_set(refusal, STATUS_MALFORMED,
                               "%s: its header names the column '%s' twice; rename one, or write "
                               "header: false and numbers",
                               name, map->columns[column]);
        }
        seen[column] = true;
        binding->slots[count] = (uint16_t)column;
    }
    if (cutting.fault != NULL) {
        return refusal_set(refusal, STATUS_MALFORMED, "%s: in its header %s; mend the file", name,
                           cutting.fault);
    }
    binding->column_count = count;
    binding->bound_count = count;
    return missing_refuse(map, seen, name, refusal);
}
