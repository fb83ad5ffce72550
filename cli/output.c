#include "cli/output.h"

#include "common/base/id.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_FLAGS (JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9))
#define CELL_BYTES 512
#define COLUMNS_MAX 24
#define COLUMN_GAP 2
/* No column is cut to less. */
#define COLUMN_LEAST 8
#define NAME_LEAST 4

struct listing {
    const struct invocation *invocation;
    json_t *rows; /* of the table; with --json it stays empty */
    size_t count;
};

/* ---- values */

void output_put(json_t *object, const char *key, json_t *value)
{
    int result = json_object_set_new(object, key, value);
    assert(result == 0); /* `value` is there, and the key is text of ours */
}

/* The process ends without memory; a value is there or was no UTF-8. */
static json_t *made(json_t *value)
{
    assert(value != NULL);
    return value;
}

json_t *output_text(struct span text)
{
    json_t *value = json_stringn(text.size > 0 ? (const char *)text.data : "", text.size);
    if (value != NULL) {
        return value;
    }
    char *digits = memory_allocate(2 * text.size + 3);
    digits[0] = '0';
    digits[1] = 'x';
    hex_encode(text, digits + 2);
    value = made(json_string(digits));
    free(digits);
    return value;
}

void output_put_named(json_t *object, struct span key, json_t *value)
{
    json_t *name = output_text(key);
    output_put(object, json_string_value(name), value);
    json_decref(name);
}

json_t *output_text_or_null(const char *text)
{
    return text == NULL ? json_null() : output_text(span_of_text(text));
}

json_t *output_unsigned(uint64_t number)
{
    return made(json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number));
}

json_t *output_time(int64_t at_ms)
{
    char text[TIME_TEXT_BYTES];
    time_format(at_ms, text);
    return made(json_string(text));
}

/* ---- cells of a table */

struct cell {
    char text[CELL_BYTES];
    size_t columns; /* that it takes on a terminal: its characters */
};

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0U) == 0x80U;
}

static size_t columns_of(const char *text)
{
    size_t columns = 0;
    for (const char *at = text; *at != '\0'; at++) {
        columns += is_continuation(*at) ? 0 : 1;
    }
    return columns;
}

/* The bytes of the first `columns` characters. */
static size_t bytes_of(const char *text, size_t columns)
{
    size_t bytes = 0;
    for (size_t i = 0; i < columns && text[bytes] != '\0'; i++) {
        bytes++;
        while (is_continuation(text[bytes])) {
            bytes++;
        }
    }
    return bytes;
}

/* Appends what fits, whole characters only. A value may hold what a terminal would obey. */
static void cell_append(struct cell *cell, const char *text)
{
    size_t size = strlen(cell->text);
    for (const char *at = text; *at != '\0' && size + 5 < sizeof cell->text; at++) {
        bool is_control = iscntrl((unsigned char)*at) != 0;
        cell->text[size++] = *at;
        if (is_control) {
            cell->text[size - 1] = '?';
        }
        while (is_continuation(at[1]) && size + 1 < sizeof cell->text) {
            cell->text[size++] = *++at;
        }
    }
    cell->text[size] = '\0';
}

static void scalar_append(struct cell *cell, const json_t *value)
{
    char number[32];
    switch (json_typeof(value)) {
    case JSON_STRING:
        cell_append(cell, json_string_value(value));
        break;
    case JSON_INTEGER:
        (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        cell_append(cell, number);
        break;
    case JSON_TRUE:
        cell_append(cell, "yes");
        break;
    case JSON_FALSE:
        cell_append(cell, "no");
        break;
    case JSON_NULL:
        cell_append(cell, "-");
        break;
    case JSON_REAL:
    case JSON_OBJECT:
    case JSON_ARRAY: {
        char *text = json_dumps(value, LINE_FLAGS | JSON_ENCODE_ANY);
        cell_append(cell, text != NULL ? text : "");
        free(text);
        break;
    }
    }
}

/* An object as "ingestion/0 123, loyalty/0 45". */
static void cell_fill(struct cell *cell, json_t *value)
{
    cell->text[0] = '\0';
    if (!json_is_object(value)) {
        scalar_append(cell, value);
    } else if (json_object_size(value) == 0) {
        cell_append(cell, "-");
    }
    const char *key = NULL;
    json_t *member = NULL;
    const char *before = "";
    json_object_foreach(value, key, member)
    {
        cell_append(cell, before);
        cell_append(cell, key);
        cell_append(cell, " ");
        scalar_append(cell, member);
        before = ", ";
    }
    cell->columns = columns_of(cell->text);
}

/* ---- tables */

struct column {
    const char *key;
    size_t width;
    size_t texts; /* the widest text, without the name above it */
    bool right;   /* numbers stand at the right */
};

struct table {
    size_t count;
    struct column columns[COLUMNS_MAX];
    FILE *file;
};

static void columns_take(struct table *table, json_t *first)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(first, key, value)
    {
        if (table->count == COLUMNS_MAX) {
            return;
        }
        table->columns[table->count].key = key;
        table->columns[table->count].width = columns_of(key);
        table->columns[table->count].right = json_is_integer(value);
        table->count++;
    }
}

/* What stands in a row's column; nothing, where the row has no such key. */
static void member_fill(const struct table *table, const json_t *row, size_t column,
                        struct cell *cell)
{
    json_t *member = json_object_get(row, table->columns[column].key);
    cell->text[0] = '\0';
    cell->columns = 0;
    if (member != NULL) {
        cell_fill(cell, member);
    }
}

static void row_measure(struct table *table, const json_t *row)
{
    struct cell cell;
    for (size_t j = 0; j < table->count; j++) {
        member_fill(table, row, j, &cell);
        struct column *column = &table->columns[j];
        column->texts = cell.columns > column->texts ? cell.columns : column->texts;
        column->width = cell.columns > column->width ? cell.columns : column->width;
    }
}

static size_t table_width(const struct table *table)
{
    size_t total = 0;
    for (size_t j = 0; j < table->count; j++) {
        total += table->columns[j].width + (j > 0 ? COLUMN_GAP : 0);
    }
    return total;
}

/* What a column may be cut to: first its texts, down to its name; then its name, down to its
 * texts, since numbers must not be cut. */
static size_t width_least(const struct column *column, bool cuts_names)
{
    size_t kept = cuts_names ? column->texts : columns_of(column->key);
    return kept > COLUMN_LEAST || cuts_names ? kept : COLUMN_LEAST;
}

/* Takes one column of text from the widest column that has some to give. */
static bool widest_cut(struct table *table, bool cuts_names)
{
    struct column *widest = NULL;
    for (size_t j = 0; j < table->count; j++) {
        struct column *column = &table->columns[j];
        size_t least = width_least(column, cuts_names);
        least = least < NAME_LEAST ? NAME_LEAST : least;
        if (column->width > least && (widest == NULL || column->width > widest->width)) {
            widest = column;
        }
    }
    if (widest == NULL) {
        return false;
    }
    widest->width -= 1;
    widest->texts = widest->texts < widest->width ? widest->texts : widest->width;
    return true;
}

/* Cuts until a row fits, or nothing more can be cut: then it is longer than it should be. */
static void table_fit(struct table *table, size_t width)
{
    bool cuts_names = false;
    while (table_width(table) > width) {
        if (widest_cut(table, cuts_names)) {
            continue;
        }
        if (cuts_names) {
            return;
        }
        cuts_names = true;
    }
}

static void spaces_print(FILE *file, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)fputc(' ', file);
    }
}

static void cell_print(const struct table *table, size_t column, const struct cell *cell)
{
    size_t width = table->columns[column].width;
    bool last = column + 1 == table->count;
    spaces_print(table->file, column > 0 ? COLUMN_GAP : 0);
    if (cell->columns > width) {
        size_t bytes = bytes_of(cell->text, width - 1);
        (void)fprintf(table->file, "%.*s…", (int)bytes, cell->text);
        return;
    }
    size_t space = width - cell->columns;
    bool right = table->columns[column].right;
    spaces_print(table->file, right ? space : 0);
    (void)fputs(cell->text, table->file);
    spaces_print(table->file, right || last ? 0 : space);
}

static void head_fill(const char *key, struct cell *cell)
{
    cell->text[0] = '\0';
    cell_append(cell, key);
    for (char *at = cell->text; *at != '\0'; at++) {
        int letter = *at == '_' ? ' ' : (toupper)((unsigned char)*at);
        *at = (char)letter;
    }
    cell->columns = columns_of(cell->text);
}

static void head_print(const struct table *table)
{
    bool coloured = output_is_coloured(table->file);
    struct cell cell;
    (void)fputs(coloured ? "\033[1m" : "", table->file);
    for (size_t j = 0; j < table->count; j++) {
        head_fill(table->columns[j].key, &cell);
        cell_print(table, j, &cell);
    }
    (void)fputs(coloured ? "\033[0m\n" : "\n", table->file);
}

static void row_print(const struct table *table, const json_t *row)
{
    struct cell cell;
    for (size_t j = 0; j < table->count; j++) {
        member_fill(table, row, j, &cell);
        cell_print(table, j, &cell);
    }
    (void)fputc('\n', table->file);
}

void listing_print(const json_t *rows, FILE *file, size_t width)
{
    struct table table = { .file = file };
    size_t count = json_array_size(rows);
    columns_take(&table, json_array_get(rows, 0));
    for (size_t i = 0; i < count; i++) {
        row_measure(&table, json_array_get(rows, i));
    }
    table_fit(&table, width);
    head_print(&table);
    for (size_t i = 0; i < count; i++) {
        row_print(&table, json_array_get(rows, i));
    }
}

/* Of the terminal; what goes elsewhere is not cut. */
size_t output_width(FILE *file)
{
    struct winsize size = { 0 };
    if (isatty(fileno(file)) == 0) {
        return SIZE_MAX;
    }
    if (ioctl(fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return OUTPUT_WIDTH_DEFAULT;
    }
    return size.ws_col;
}

/* ---- objects */

void output_line(json_t *object)
{
    char *text = json_dumps(object, LINE_FLAGS);
    assert(text != NULL);
    (void)puts(text);
    free(text);
    json_decref(object);
}

/* A list behind its name: what is wider than `width` goes on below, broken at a comma. */
static void value_print(const char *text, size_t indent, size_t width)
{
    while (columns_of(text) + indent > width) {
        size_t most = width > indent ? bytes_of(text, width - indent) : 0;
        size_t kept = 0;
        for (size_t i = 0; i < most; i++) {
            kept = text[i] == ',' && text[i + 1] == ' ' ? i + 1 : kept;
        }
        if (kept == 0) {
            break;
        }
        (void)printf("%.*s\n", (int)kept, text);
        spaces_print(stdout, indent);
        text += kept + 1;
    }
    (void)printf("%s\n", text);
}

void output_object(const struct invocation *invocation, json_t *object)
{
    if (invocation->json) {
        output_line(object);
        return;
    }
    size_t width = 0;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        width = columns_of(key) > width ? columns_of(key) : width;
    }
    struct cell cell;
    json_object_foreach(object, key, value)
    {
        cell_fill(&cell, value);
        (void)printf("%s", key);
        spaces_print(stdout, width - columns_of(key) + COLUMN_GAP);
        value_print(cell.text, width + COLUMN_GAP,
                    json_is_object(value) ? output_width(stdout) : SIZE_MAX);
    }
    json_decref(object);
}

void listing_open(struct listing **listing, const struct invocation *invocation)
{
    assert(*listing == NULL);
    struct listing *opened = memory_allocate(sizeof *opened);
    opened->invocation = invocation;
    opened->rows = made(json_array());
    *listing = opened;
}

void listing_add(struct listing *listing, json_t *object)
{
    listing->count++;
    if (listing->invocation->json) {
        output_line(object);
        return;
    }
    int result = json_array_append_new(listing->rows, object);
    assert(result == 0);
}

void listing_close(struct listing **listing, const char *nothing)
{
    struct listing *closing = *listing;
    if (closing == NULL) {
        return;
    }
    *listing = NULL;
    if (json_array_size(closing->rows) > 0) {
        listing_print(closing->rows, stdout, output_width(stdout));
    } else if (closing->count == 0 && nothing != NULL && !closing->invocation->json) {
        output_say("%s", nothing);
    }
    json_decref(closing->rows);
    free(closing);
}

/* ---- talk */

void output_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("kith: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

int output_refusal(const char *who, const struct refusal *refusal)
{
    const char *message =
        refusal->message[0] != '\0' ? refusal->message : status_text(refusal->status);
    output_say("%s%s%s", who != NULL ? who : "", who != NULL ? ": " : "", message);
    for (size_t i = 0; i < refusal->violation_count; i++) {
        const struct violation *violation = &refusal->violations[i];
        (void)fprintf(stderr, "  %s: %s; %s\n", violation->field, violation->rule, violation->mend);
    }
    bool unreachable = refusal->status == STATUS_UNREACHABLE || refusal->status == STATUS_TIMEOUT;
    return unreachable ? EXIT_UNREACHABLE : EXIT_FAILED;
}

bool output_is_coloured(FILE *file)
{
    const char *plain = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(fileno(file)) != 0 && (plain == NULL || plain[0] == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}
