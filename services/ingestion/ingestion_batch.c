#include "services/ingestion/ingestion_batch.h"

#include "common/base/field.h"
#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/wire/pb.h"
#include "common/wire/wire.h"

#include <assert.h>
#include <stdio.h>

/* The numbers are those of proto/kith/v1/ingestion.proto. */
enum request_field { REQUEST_ITEMS = 1, REQUEST_RUN, REQUEST_RUN_BATCH };
enum item_field { ITEM_EVENT = 1, ITEM_RAW };
enum raw_field { RAW_SOURCE = 1, RAW_ID, RAW_BYTES, RAW_REASON };
enum { REPLY_RESULTS = 1 };
enum run_field { RUN_COUNT = 1, RUN_OUTCOME, RUN_FIRST_SEQ, RUN_VIOLATIONS };

static bool raw_decode(struct span bytes, struct ingest_raw *raw)
{
    struct ingest_raw decoded = { .id = { NULL, 0 } };
    struct span *const places[] = {
        [RAW_SOURCE] = &decoded.source,
        [RAW_ID] = &decoded.id,
        [RAW_BYTES] = &decoded.bytes,
        [RAW_REASON] = &decoded.reason,
    };
    struct span rest = bytes;
    struct field field = { .number = 0 };
    enum field_step step = field_next(&rest, &field);
    for (; step == FIELD_READ; step = field_next(&rest, &field)) {
        if (field.number > RAW_REASON || field.kind != FIELD_BYTES ||
            places[field.number]->data != NULL) {
            return false;
        }
        *places[field.number] = field.bytes;
    }
    *raw = decoded;
    return step == FIELD_END;
}

/* An item has exactly one field: the event or the raw row. */
static bool item_decode(struct span bytes, struct ingest_item *item)
{
    struct span rest = bytes;
    struct field field = { .number = 0 };
    if (field_next(&rest, &field) != FIELD_READ || rest.size > 0 || field.kind != FIELD_BYTES) {
        return false;
    }
    struct ingest_item decoded = { .is_raw = field.number == ITEM_RAW };
    if (field.number == ITEM_EVENT) {
        decoded.event = field.bytes;
    } else if (field.number != ITEM_RAW || !raw_decode(field.bytes, &decoded.raw)) {
        return false;
    }
    *item = decoded;
    return true;
}

bool ingest_item_next(struct span *items, struct ingest_item *item)
{
    struct field field = { .number = 0 };
    while (field_next(items, &field) == FIELD_READ) {
        if (field.number == REQUEST_ITEMS) {
            bool is_item = item_decode(field.bytes, item);
            assert(is_item); /* the request was decoded */
            return true;
        }
    }
    return false;
}

static void item_check(struct span bytes, size_t index, struct refusal *refusal)
{
    struct ingest_item item = { .is_raw = false };
    if (item_decode(bytes, &item)) {
        return;
    }
    char place[32] = "";
    (void)snprintf(place, sizeof place, "items[%zu]", index);
    refusal_violation(refusal, place, "is neither an event nor a raw row",
                      "send exactly one of both");
}

static void request_field_decode(const struct field *field, struct ingest_request *request,
                                 struct refusal *refusal)
{
    if (field->number == REQUEST_ITEMS && field->kind == FIELD_BYTES) {
        item_check(field->bytes, request->item_count, refusal);
        request->item_count += 1;
    } else if (field->number == REQUEST_RUN && field->kind == FIELD_BYTES &&
               request->run.data == NULL) {
        request->run = field->bytes;
    } else if (field->number == REQUEST_RUN_BATCH && field->kind == FIELD_VARINT &&
               request->run_batch == 0) {
        request->run_batch = field->value;
    } else {
        char place[32] = "";
        (void)snprintf(place, sizeof place, "field %u", field->number);
        refusal_violation(refusal, place, "is unknown, of another type, or stands twice",
                          "encode the request as ingestion.proto says");
    }
}

static void request_check(const struct ingest_request *request, struct refusal *refusal)
{
    if (request->item_count == 0) {
        refusal_violation(refusal, "items", "are missing", "send 1 to 4096 items");
    }
    if (request->item_count > LIMIT_BATCH_ITEMS) {
        refusal_violation(refusal, "items", "are more than 4096", "send several batches");
    }
    bool has_run = request->run.data != NULL;
    if (has_run && !id_text_is_valid(request->run)) {
        refusal_violation(refusal, "run", "is not 1 to 64 bytes of clean text",
                          "name the run, or leave it out");
    }
    if (has_run && (request->run_batch == 0 || request->run_batch == UINT64_MAX)) {
        refusal_violation(refusal, "run_batch", "is no batch's number",
                          "count the run's batches from 1");
    }
    if (!has_run && request->run_batch != 0) {
        refusal_violation(refusal, "run", "is missing", "name the run, or leave run_batch out");
    }
}

enum status ingest_request_decode(struct span body, struct ingest_request *request,
                                  struct refusal *refusal)
{
    struct refusal found;
    refusal_init(&found);
    struct ingest_request decoded = { .items = body };
    struct span rest = body;
    struct field field = { .number = 0 };
    enum field_step step = field_next(&rest, &field);
    for (; step == FIELD_READ; step = field_next(&rest, &field)) {
        request_field_decode(&field, &decoded, &found);
    }
    if (step == FIELD_BROKEN) {
        (void)refusal_set(refusal, STATUS_MALFORMED, "the body is no IngestRequest");
        refusal_violation(refusal, "body", "must be an encoded IngestRequest",
                          "encode it with proto/kith/v1/ingestion.proto");
        return STATUS_MALFORMED;
    }
    request_check(&decoded, &found);
    if (found.status != STATUS_OK) {
        (void)refusal_set(&found, STATUS_MALFORMED, "%s %s: %s", found.violations[0].field,
                          found.violations[0].rule, found.violations[0].mend);
        *refusal = found;
        return STATUS_MALFORMED;
    }
    *request = decoded;
    return STATUS_OK;
}

enum status ingest_raw_check(const struct ingest_raw *raw, struct refusal *refusal)
{
    refusal_init(refusal);
    if (!id_text_is_valid(raw->source)) {
        refusal_violation(refusal, "raw.source", "is not 1 to 64 bytes of clean text",
                          "name the source");
    }
    if (raw->id.size > 0 && !id_text_is_valid(raw->id)) {
        refusal_violation(refusal, "raw.id", "is not 1 to 64 bytes of clean text",
                          "leave out an id that cannot be read");
    }
    if (raw->bytes.size == 0 || raw->bytes.size > LIMIT_EVENT_BYTES) {
        refusal_violation(refusal, "raw.bytes", "are not 1 to 16384", "send the row, or its start");
    }
    if (raw->reason.size == 0 || raw->reason.size > LIMIT_TEXT_BYTES ||
        !text_is_clean(raw->reason)) {
        refusal_violation(refusal, "raw.reason", "is not 1 to 1024 bytes of clean text",
                          "say in a sentence what is wrong with the row");
    }
    return refusal->status;
}

static size_t violation_size(const struct violation *violation)
{
    struct field_writer counter = { .out = NULL };
    violation_write(&counter, violation);
    return counter.size;
}

/* How many of the refusal's violations still fit. */
static size_t violations_take(struct ingest_results *results, const struct refusal *refusal)
{
    size_t count = refusal == NULL ? 0 : refusal->violation_count;
    for (size_t i = 0; i < count; i++) {
        size_t size = violation_size(&refusal->violations[i]);
        if (results->violation_bytes + size > INGEST_VIOLATIONS_BYTES) {
            results->violation_bytes = INGEST_VIOLATIONS_BYTES; /* none fits from here on */
            return i;
        }
        results->violation_bytes += size;
    }
    return count;
}

static void run_fields_write(struct field_writer *writer, const struct ingest_results *results,
                             size_t violation_count)
{
    const struct ingest_result *run = &results->open;
    field_put_unsigned(writer, RUN_COUNT, results->open_count);
    field_put_unsigned(writer, RUN_OUTCOME, run->outcome);
    if (run->seq != 0) {
        field_put_unsigned(writer, RUN_FIRST_SEQ, run->seq);
    }
    for (size_t i = 0; i < violation_count; i++) {
        const struct violation *violation = &run->refusal->violations[i];
        field_put_head(writer, RUN_VIOLATIONS, violation_size(violation));
        violation_write(writer, violation);
    }
}

/* Field by field, because each event that comes alone gets one of these. */
static void run_write(struct ingest_results *results)
{
    if (results->open_count == 0) {
        return;
    }
    struct buffer *out = results->out;
    size_t violation_count = violations_take(results, results->open.refusal);
    struct field_writer counter = { .out = NULL };
    run_fields_write(&counter, results, violation_count);
    /* A reply has room for the results of the largest batch. */
    enum status status = pb_field_begin(out, REPLY_RESULTS, counter.size);
    assert(status == STATUS_OK);
    status = buffer_reserve(out, counter.size);
    assert(status == STATUS_OK);
    struct field_writer writer = { .out = out->data + out->size };
    run_fields_write(&writer, results, violation_count);
    out->size += writer.size;
    results->open_count = 0;
}

static bool run_goes_on(const struct ingest_results *results, const struct ingest_result *result)
{
    if (results->open_count == 0 || results->open.outcome != result->outcome ||
        results->open.refusal != NULL || result->refusal != NULL) {
        return false;
    }
    uint64_t next = results->open.seq == 0 ? 0 : results->open.seq + results->open_count;
    return result->seq == next;
}

void ingest_results_add(struct ingest_results *results, const struct ingest_result *result)
{
    struct ingest_result added = *result;
    if (results->violation_bytes >= INGEST_VIOLATIONS_BYTES) {
        added.refusal = NULL;
    }
    if (run_goes_on(results, &added)) {
        results->open_count += 1;
        return;
    }
    run_write(results);
    results->open = added;
    results->open_count = 1;
    if (added.refusal != NULL) {
        run_write(results); /* the caller's refusal does not live on */
    }
}

void ingest_results_end(struct ingest_results *results)
{
    run_write(results);
}
