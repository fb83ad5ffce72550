#include "cli/row_reader.h"

#include "cli/input_file.h"
#include "cli/row_cells.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES (256 * 1024)
/* What decides where a row ends: the longest row and CRLF. */
#define LOOK_BYTES (LIMIT_EVENT_BYTES + 2)

struct row_reader {
    struct row_input input;
    const struct map *map;
    struct row_binding binding;
    struct row_cells cells;
    uint8_t *window; /* bytes of the input from place.offset on, but for what is consumed */
    size_t begin;
    size_t end;
    struct row_place place;
    struct buffer header; /* as it stands; empty: none */
    struct buffer content;
    uint8_t *cut; /* the front of a row that is too long */
};

/* A row as it was cut out of the input. */
struct taken {
    struct span bytes;
    bool is_cut;
    struct hash128 whole;
    const char *fault;
};

/* ---- the window */

static bool input_is_read(const struct row_reader *reader)
{
    return reader->place.offset + (reader->end - reader->begin) >= reader->input.size;
}

static enum status input_read(const struct row_reader *reader, uint64_t offset, uint8_t *out,
                              size_t *size, struct refusal *refusal)
{
    if (reader->input.descriptor >= 0) {
        return input_read_at(reader->input.descriptor, offset, out, size, refusal);
    }
    memcpy(out, reader->input.memory.data + offset, *size);
    return STATUS_OK;
}

/* Until the window decides where its first row ends, or holds all the rest. */
static enum status window_fill(struct row_reader *reader, struct refusal *refusal)
{
    size_t held = reader->end - reader->begin;
    if (held >= LOOK_BYTES || input_is_read(reader)) {
        return STATUS_OK;
    }
    memmove(reader->window, reader->window + reader->begin, held);
    reader->begin = 0;
    reader->end = held;
    uint64_t offset = reader->place.offset + held;
    uint64_t left = reader->input.size - offset;
    size_t wanted = left < WINDOW_BYTES - held ? (size_t)left : WINDOW_BYTES - held;
    size_t size = wanted;
    enum status status = input_read(reader, offset, reader->window + held, &size, refusal);
    if (status == STATUS_OK && size < wanted) {
        return refusal_set(refusal, STATUS_CORRUPT,
                           "%s: became shorter while it was read; load a copy that nobody "
                           "writes to",
                           reader->input.name);
    }
    reader->end += status == STATUS_OK ? size : 0;
    return status;
}

static struct span window_span(const struct row_reader *reader)
{
    return span_of(reader->window + reader->begin, reader->end - reader->begin);
}

static void window_skip(struct row_reader *reader, size_t size)
{
    assert(size <= reader->end - reader->begin);
    reader->begin += size;
    reader->place.offset += size;
}

/* ---- one row */

static struct span end_trimmed(struct span bytes)
{
    size_t size = bytes.size;
    size -= size > 0 && bytes.data[size - 1] == '\n' ? 1 : 0;
    size -= size > 0 && bytes.data[size - 1] == '\r' ? 1 : 0;
    return span_of(bytes.data, size);
}

/* A row that is in the window as a whole. */
static void whole_take(struct row_reader *reader, size_t size, struct taken *taken)
{
    taken->bytes = end_trimmed(span_of(reader->window + reader->begin, size));
    if (taken->bytes.size > LIMIT_EVENT_BYTES) {
        taken->is_cut = true;
        taken->whole = hash128_of_span(taken->bytes);
        taken->bytes.size = LIMIT_EVENT_BYTES;
    }
    window_skip(reader, size);
}

/* A row whose end is not in the first LOOK_BYTES: it goes on to the end of the line. */
static enum status long_take(struct row_reader *reader, struct taken *taken,
                             struct refusal *refusal)
{
    struct hash_stream stream;
    hash_stream_init(&stream);
    memcpy(reader->cut, reader->window + reader->begin, LIMIT_EVENT_BYTES);
    hash_stream_add(&stream, span_of(reader->window + reader->begin, LOOK_BYTES));
    window_skip(reader, LOOK_BYTES);
    enum status status = STATUS_OK;
    bool ended = false;
    while (!ended && status == STATUS_OK) {
        status = window_fill(reader, refusal);
        struct span held = window_span(reader);
        const uint8_t *line_end = held.size > 0 ? memchr(held.data, '\n', held.size) : NULL;
        size_t size = line_end != NULL ? (size_t)(line_end - held.data) : held.size;
        hash_stream_add(&stream, span_of(held.data, size));
        window_skip(reader, size + (line_end != NULL ? 1 : 0));
        ended = line_end != NULL || held.size == 0;
    }
    taken->bytes = span_of(reader->cut, LIMIT_EVENT_BYTES);
    taken->is_cut = true;
    taken->whole = hash_stream_end128(&stream);
    return status;
}

/* The window is filled and not empty. */
static enum status row_take(struct row_reader *reader, struct taken *taken, struct refusal *refusal)
{
    struct span look = window_span(reader);
    bool is_all = look.size <= LOOK_BYTES && input_is_read(reader);
    look.size = look.size < LOOK_BYTES ? look.size : LOOK_BYTES;
    size_t size = look.size;
    enum row_border border = row_border_find(reader->map, look, &size);
    if (border == BORDER_QUOTED) {
        /* The quote is more likely wrong than a text of so many lines: it costs its own line
         * and not the rest of the file. */
        const uint8_t *line_end = memchr(look.data, '\n', look.size);
        taken->fault = "a quoted text is not closed within 16384 bytes, or at all";
        border = line_end != NULL ? BORDER_FOUND : BORDER_MISSING;
        size = line_end != NULL ? (size_t)(line_end - look.data) + 1 : look.size;
    }
    if (border == BORDER_MISSING && !is_all) {
        return long_take(reader, taken, refusal);
    }
    whole_take(reader, size, taken);
    return STATUS_OK;
}

/* The next row that is not blank. */
static enum row_step row_step(struct row_reader *reader, struct taken *taken,
                              struct refusal *refusal)
{
    do {
        *taken = (struct taken){ .is_cut = false };
        if (window_fill(reader, refusal) != STATUS_OK) {
            return ROW_BROKEN;
        }
        if (reader->begin == reader->end) {
            return ROW_END;
        }
        if (row_take(reader, taken, refusal) != STATUS_OK) {
            return ROW_BROKEN;
        }
    } while (!taken->is_cut && row_is_blank(reader->map, taken->bytes));
    return ROW_READ;
}

/* ---- the header */

static void mark_skip(struct row_reader *reader)
{
    static const uint8_t mark[] = { 0xEF, 0xBB, 0xBF }; /* some programs begin UTF-8 so */
    if (span_has_prefix(window_span(reader), span_of(mark, sizeof mark))) {
        window_skip(reader, sizeof mark);
    }
}

static enum status header_read(struct row_reader *reader, struct refusal *refusal)
{
    struct taken taken = { .is_cut = false };
    enum row_step step = row_step(reader, &taken, refusal);
    if (step == ROW_END) {
        return STATUS_OK; /* no rows either */
    }
    if (step == ROW_BROKEN) {
        return refusal->status;
    }
    if (taken.is_cut) {
        return refusal_set(refusal, STATUS_MALFORMED,
                           "%s: its header is longer than %d bytes; is the map's format right?",
                           reader->input.name, LIMIT_EVENT_BYTES);
    }
    enum status status = buffer_append(&reader->header, taken.bytes);
    assert(status == STATUS_OK);
    return row_header_bind(&reader->cells, &reader->binding, reader->input.name,
                           buffer_span(&reader->header), refusal);
}

/* ---- public */

enum status row_reader_open(struct row_reader **reader, const struct row_input *input,
                            const struct map *map, struct refusal *refusal)
{
    assert(*reader == NULL);
    struct row_reader *opened = memory_allocate(sizeof *opened);
    opened->input = *input;
    opened->map = map;
    row_binding_init(&opened->binding, map);
    row_cells_init(&opened->cells);
    opened->window = memory_allocate(WINDOW_BYTES);
    opened->cut = memory_allocate(LIMIT_EVENT_BYTES);
    buffer_init(&opened->header, LIMIT_EVENT_BYTES);
    buffer_init(&opened->content, LIMIT_EVENT_BYTES);
    struct refusal found;
    refusal_init(&found);
    enum status status = window_fill(opened, &found);
    if (status == STATUS_OK) {
        mark_skip(opened);
    }
    if (status == STATUS_OK && map->header) {
        status = header_read(opened, &found);
    }
    if (status != STATUS_OK) {
        row_reader_close(&opened);
        return refusal_set(refusal, status, "%s", found.message);
    }
    *reader = opened;
    return STATUS_OK;
}

void row_reader_close(struct row_reader **reader)
{
    struct row_reader *closing = *reader;
    if (closing == NULL) {
        return;
    }
    *reader = NULL;
    row_binding_release(&closing->binding);
    row_cells_release(&closing->cells);
    buffer_release(&closing->header);
    buffer_release(&closing->content);
    free(closing->window);
    free(closing->cut);
    free(closing);
}

/* What is kept of a row: see struct row. */
static struct span content_make(struct row_reader *reader, struct span bytes)
{
    if (reader->header.size == 0 || reader->header.size + 1 + bytes.size > LIMIT_EVENT_BYTES) {
        return bytes;
    }
    buffer_clear(&reader->content);
    enum status status = buffer_append(&reader->content, buffer_span(&reader->header));
    assert(status == STATUS_OK);
    status = buffer_append(&reader->content, span_of("\n", 1));
    assert(status == STATUS_OK);
    status = buffer_append(&reader->content, bytes);
    assert(status == STATUS_OK);
    return buffer_span(&reader->content);
}

enum row_step row_reader_next(struct row_reader *reader, struct row *row, struct refusal *refusal)
{
    struct taken taken = { .is_cut = false };
    enum row_step step = row_step(reader, &taken, refusal);
    if (step != ROW_READ) {
        return step;
    }
    reader->place.rows += 1;
    const char *fault = taken.is_cut ? "the row is longer than 16384 bytes" : taken.fault;
    if (fault == NULL && !row_cells_fill(&reader->cells, &reader->binding, taken.bytes)) {
        fault = reader->cells.fault;
    }
    *row = (struct row){ .number = reader->place.rows,
                         .bytes = taken.bytes,
                         .content = content_make(reader, taken.bytes),
                         .is_cut = taken.is_cut,
                         .whole = taken.whole,
                         .fault = fault,
                         .cells = reader->cells.cells };
    return ROW_READ;
}

struct row_place row_reader_place(const struct row_reader *reader)
{
    return reader->place;
}

void row_reader_seek(struct row_reader *reader, struct row_place place)
{
    reader->begin = 0;
    reader->end = 0;
    reader->place = place;
}
