#include "cli/load_source.h"

#include "cli/order.h"

#include <assert.h>
#include <stdlib.h>

struct load_source {
    struct load_source_options options;
    struct row_mapper *mapper;
    struct row_reader *reader; /* of the file in hand; NULL: not open yet */
    struct order *order;       /* by time */
    struct load_place place;
    uint64_t total_bytes;
    uint64_t files_bytes; /* of the files before the one in hand */
    uint64_t total_rows;  /* by time */
    char digest[2 * sizeof(struct hash128) + 1];
    struct buffer item;
    struct buffer packed;
};

/* ---- rows of files */

static enum status file_open(struct load_source *source, struct refusal *refusal)
{
    const struct input_file *file = &source->options.files[source->place.file];
    struct row_input input = { .name = file->name,
                               .descriptor = file->descriptor,
                               .size = file->size };
    hex_encode(span_of(file->digest.bytes, sizeof file->digest.bytes), source->digest);
    return row_reader_open(&source->reader, &input, source->options.map, refusal);
}

/* The file in hand is read: the content must still be what its rows' ids say. */
static enum status file_end(struct load_source *source, struct refusal *refusal)
{
    const struct input_file *file = &source->options.files[source->place.file];
    row_reader_close(&source->reader);
    source->files_bytes += file->size;
    source->place = (struct load_place){ .file = source->place.file + 1 };
    return input_file_recheck(file, refusal);
}

static void row_make(struct load_source *source, const struct row *row, struct load_row *made,
                     struct row_event *event)
{
    struct row_origin origin = { .digest = source->digest };
    row_mapper_apply(source->mapper, row, &origin, event);
    buffer_clear(&source->item);
    if (event->is_event) {
        load_item_event(event->encoded, &source->item);
    } else {
        struct load_raw raw = { .source = span_of_text(source->options.map->source),
                                .id = event->id,
                                .bytes = row->content,
                                .reason = event->reason };
        load_item_raw(&raw, &source->item);
    }
    *made = (struct load_row){ .item = buffer_span(&source->item),
                               .id = event->id,
                               .content = row->content };
}

/* The next row in the order of the files. */
static enum row_step files_next(struct load_source *source, struct load_row *row,
                                struct row_event *event, struct refusal *refusal)
{
    while (source->place.file < source->options.file_count) {
        if (source->reader == NULL && file_open(source, refusal) != STATUS_OK) {
            return ROW_BROKEN;
        }
        struct row read = { .number = 0 };
        enum row_step step = row_reader_next(source->reader, &read, refusal);
        if (step == ROW_READ) {
            row_make(source, &read, row, event);
            struct row_place place = row_reader_place(source->reader);
            source->place.offset = place.offset;
            source->place.rows = place.rows;
            return ROW_READ;
        }
        if (step == ROW_BROKEN || file_end(source, refusal) != STATUS_OK) {
            return ROW_BROKEN;
        }
    }
    return ROW_END;
}

/* ---- rows by time */

static enum status row_order(struct load_source *source, const struct load_row *row, int64_t at_ms,
                             struct refusal *refusal)
{
    buffer_clear(&source->packed);
    enum status status = load_row_pack(row, &source->packed);
    assert(status == STATUS_OK);
    source->total_rows++;
    return order_add(source->order, at_ms, buffer_span(&source->packed), refusal);
}

/* A row without a time of its own stays behind the one before it. */
static enum status rows_sort(struct load_source *source, struct refusal *refusal)
{
    order_open(&source->order, source->options.folder, source->options.memory_bytes);
    enum status status = STATUS_OK;
    struct load_row row = { .item = { NULL, 0 } };
    struct row_event event = { .is_event = false };
    int64_t at_ms = LIMIT_TIME_LEAST_MS;
    uint64_t file = 0;
    enum row_step step = files_next(source, &row, &event, refusal);
    while (step == ROW_READ && status == STATUS_OK) {
        if (source->place.file != file) {
            file = source->place.file;
            at_ms = LIMIT_TIME_LEAST_MS;
        }
        at_ms = event.is_event ? event.at_ms : at_ms;
        status = row_order(source, &row, at_ms, refusal);
        if (status == STATUS_OK) {
            step = files_next(source, &row, &event, refusal);
        }
    }
    if (step == ROW_BROKEN) {
        return refusal->status;
    }
    source->place = (struct load_place){ .file = 0 };
    return status == STATUS_OK ? order_finish(source->order, refusal) : status;
}

static enum row_step sorted_next(struct load_source *source, struct load_row *row,
                                 struct refusal *refusal)
{
    struct span packed = { NULL, 0 };
    enum row_step step = order_next(source->order, &packed, refusal);
    if (step == ROW_READ) {
        *row = load_row_take(&packed);
        source->place.rows++;
    }
    return step;
}

/* ---- public */

/* A header that does not fit its map stops the load before its first row leaves. */
static enum status headers_check(struct load_source *source, struct refusal *refusal)
{
    for (size_t i = 0; i < source->options.file_count; i++) {
        source->place.file = i;
        source->total_bytes += source->options.files[i].size;
        enum status status = file_open(source, refusal);
        row_reader_close(&source->reader);
        if (status != STATUS_OK) {
            return status;
        }
    }
    source->place.file = 0;
    return STATUS_OK;
}

enum status load_source_open(struct load_source **source, const struct load_source_options *options,
                             struct refusal *refusal)
{
    assert(*source == NULL && options->file_count <= LOAD_FILES_MAX);
    struct load_source *opened = memory_allocate(sizeof *opened);
    opened->options = *options;
    row_mapper_open(&opened->mapper, options->map, options->zone);
    buffer_init(&opened->item, LOAD_ITEM_BYTES);
    buffer_init(&opened->packed, ORDER_PAYLOAD_BYTES);
    enum status status = headers_check(opened, refusal);
    if (status == STATUS_OK && options->by_time) {
        status = rows_sort(opened, refusal);
    }
    if (status != STATUS_OK) {
        load_source_close(&opened);
        return status;
    }
    *source = opened;
    return STATUS_OK;
}

void load_source_close(struct load_source **source)
{
    struct load_source *closing = *source;
    if (closing == NULL) {
        return;
    }
    *source = NULL;
    row_mapper_close(&closing->mapper);
    row_reader_close(&closing->reader);
    order_close(&closing->order);
    buffer_release(&closing->item);
    buffer_release(&closing->packed);
    free(closing);
}

static enum status sorted_seek(struct load_source *source, uint64_t rows, struct refusal *refusal)
{
    struct load_row row = { .item = { NULL, 0 } };
    while (source->place.rows < rows) {
        enum row_step step = sorted_next(source, &row, refusal);
        if (step == ROW_BROKEN) {
            return refusal->status;
        }
        if (step == ROW_END) {
            return refusal_set(refusal, STATUS_CORRUPT,
                               "the run file says more rows than the files have");
        }
    }
    return STATUS_OK;
}

enum status load_source_seek(struct load_source *source, struct load_place place,
                             struct refusal *refusal)
{
    if (source->order != NULL) {
        return sorted_seek(source, place.rows, refusal);
    }
    if (place.file > source->options.file_count) {
        return refusal_set(refusal, STATUS_CORRUPT, "the run file names a file that is not there");
    }
    for (uint64_t i = 0; i < place.file; i++) {
        source->files_bytes += source->options.files[i].size;
    }
    source->place = place;
    /* Without rows before it, a file begins behind whatever its header is. */
    if (place.file == source->options.file_count || place.rows == 0) {
        return STATUS_OK;
    }
    enum status status = file_open(source, refusal);
    if (status == STATUS_OK) {
        row_reader_seek(source->reader,
                        (struct row_place){ .offset = place.offset, .rows = place.rows });
    }
    return status;
}

enum row_step load_source_next(struct load_source *source, struct load_row *row,
                               struct refusal *refusal)
{
    struct row_event event = { .is_event = false };
    return source->order != NULL ? sorted_next(source, row, refusal)
                                 : files_next(source, row, &event, refusal);
}

struct load_place load_source_place(const struct load_source *source)
{
    return source->place;
}

double load_source_share(const struct load_source *source)
{
    uint64_t done =
        source->order != NULL ? source->place.rows : source->files_bytes + source->place.offset;
    uint64_t total = source->order != NULL ? source->total_rows : source->total_bytes;
    return total == 0 ? 1.0 : (double)done / (double)total;
}
