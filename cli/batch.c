#include "cli/batch.h"

#include "common/base/field.h"
#include "common/base/id.h"
#include "common/wire/pb.h"
#include "kith/v1/ingestion.pb-c.h"

#include <assert.h>
#include <stdio.h>

/* The numbers are those of proto/kith/v1/ingestion.proto. */
enum { REQUEST_ITEMS = 1, REQUEST_RUN, REQUEST_RUN_BATCH };

/* Run and number at the end of a body. */
#define TAIL_BYTES 128
/* Tag and size before an item. */
#define ITEM_HEAD_BYTES 8
#define NO_REASON "ingestion takes the row for no event and does not say why"

void batch_init(struct batch *batch)
{
    *batch = (struct batch){ .number = 0 };
    buffer_init(&batch->body, LIMIT_BODY_BYTES);
    buffer_init(&batch->rows, LIMIT_BODY_BYTES);
}

void batch_release(struct batch *batch)
{
    buffer_release(&batch->body);
    buffer_release(&batch->rows);
}

void batch_begin(struct batch *batch, uint64_t number)
{
    batch->number = number;
    batch->row_count = 0;
    buffer_clear(&batch->body);
    buffer_clear(&batch->rows);
}

static void item_append(struct buffer *body, struct span item)
{
    enum status status = buffer_reserve(body, ITEM_HEAD_BYTES + item.size);
    assert(status == STATUS_OK);
    struct field_writer writer = { .out = body->data + body->size };
    field_put_bytes(&writer, REQUEST_ITEMS, item);
    body->size += writer.size;
}

bool batch_add(struct batch *batch, const struct load_row *row)
{
    assert(row->item.size <= LOAD_ITEM_BYTES);
    if (batch->body.size + ITEM_HEAD_BYTES + row->item.size > LIMIT_BODY_BYTES - TAIL_BYTES) {
        return false;
    }
    struct load_row kept = { .id = row->id, .content = row->content };
    if (load_row_pack(&kept, &batch->rows) != STATUS_OK) {
        return false;
    }
    item_append(&batch->body, row->item);
    batch->row_count++;
    return true;
}

void batch_end(struct batch *batch, const char *run)
{
    enum status status = buffer_reserve(&batch->body, TAIL_BYTES);
    assert(status == STATUS_OK);
    struct field_writer writer = { .out = batch->body.data + batch->body.size };
    field_put_bytes(&writer, REQUEST_RUN, span_of_text(run));
    field_put_unsigned(&writer, REQUEST_RUN_BATCH, batch->number);
    assert(writer.size <= TAIL_BYTES);
    batch->body.size += writer.size;
}

struct load_row batch_row(const struct batch *batch, size_t index)
{
    assert(index < batch->row_count);
    struct span rest = buffer_span(&batch->rows);
    struct load_row row = load_row_take(&rest);
    for (size_t i = 0; i < index; i++) {
        row = load_row_take(&rest);
    }
    return row;
}

void batch_of_raw(const struct load_raw *raw, struct buffer *body)
{
    struct buffer item;
    buffer_init(&item, LOAD_ITEM_BYTES);
    load_item_raw(raw, &item);
    buffer_clear(body);
    item_append(body, buffer_span(&item));
    buffer_release(&item);
}

/* ---- the reply */

static void reason_make(const Kith__V1__IngestRun *run, char *reason, size_t size)
{
    size_t used = 0;
    reason[0] = '\0';
    for (size_t i = 0; i < run->n_violations && used < size; i++) {
        const Kith__V1__Violation *violation = run->violations[i];
        int added = snprintf(reason + used, size - used, "%s%s %s: %s", i == 0 ? "" : "; ",
                             violation->field != NULL ? violation->field : "",
                             violation->rule != NULL ? violation->rule : "",
                             violation->mend != NULL ? violation->mend : "");
        used += added > 0 ? (size_t)added : 0;
    }
    if (reason[0] == '\0' || !text_is_clean(span_of_text(reason))) {
        (void)snprintf(reason, size, NO_REASON);
    }
}

/* Visits the rows of an invalid run, the first of which is `row`. */
static enum status invalid_visit(const struct batch_reading *reading,
                                 const Kith__V1__IngestRun *run, size_t row)
{
    struct batch_invalid invalid = { .row = row };
    reason_make(run, invalid.reason, sizeof invalid.reason);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < run->count && status == STATUS_OK; i++) {
        status = reading->visit(reading->argument, &invalid);
        invalid.row++;
    }
    return status;
}

/* The sum of all runs is exactly the rows that were sent. */
static bool runs_add_up(const Kith__V1__IngestReply *reply, size_t row_count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < reply->n_results; i++) {
        sum += reply->results[i]->count;
    }
    return sum == row_count;
}

/* STATUS_MALFORMED: an outcome that this program does not know. */
static enum status run_read(const struct batch_reading *reading, const Kith__V1__IngestRun *run,
                            size_t row, struct run_counts *counts)
{
    switch ((unsigned)run->outcome) { /* of the wire: may be any number */
    case KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED:
        counts->accepted += run->count;
        break;
    case KITH__V1__INGEST_OUTCOME__INGEST_DUPLICATE:
        counts->duplicate += run->count;
        break;
    case KITH__V1__INGEST_OUTCOME__INGEST_REJECTED:
        counts->rejected += run->count;
        break;
    case KITH__V1__INGEST_OUTCOME__INGEST_INVALID:
        return invalid_visit(reading, run, row);
    default:
        return STATUS_MALFORMED;
    }
    counts->rows += run->count;
    return STATUS_OK;
}

enum status batch_reply_read(const struct batch_reading *reading, struct span body,
                             struct run_counts *counts)
{
    arena_reset(reading->arena);
    const Kith__V1__IngestReply *reply =
        pb_unpack(&kith__v1__ingest_reply__descriptor, reading->arena, body);
    if (reply == NULL || !runs_add_up(reply, reading->row_count)) {
        return STATUS_MALFORMED;
    }
    struct run_counts counted = *counts;
    enum status status = STATUS_OK;
    size_t row = 0;
    for (size_t i = 0; i < reply->n_results && status == STATUS_OK; i++) {
        status = run_read(reading, reply->results[i], row, &counted);
        row += reply->results[i]->count;
    }
    if (status == STATUS_OK) {
        *counts = counted;
    }
    return status;
}
