#include "clients/c/kith_connection.h"
#include "clients/c/kith_event.h"
#include "clients/c/kith_memory.h"
#include "clients/c/kith_reply.h"
#include "clients/c/kith_status.h"
#include "clients/c/kith_text.h"
#include "kith/v1/ingestion.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>

#define METHOD "ingestion.Ingest"
/* Tags of IngestRequest.items and IngestItem.event; both are followed by a length. */
#define TAG_ITEM 0x0A
#define TAG_EVENT 0x0A
#define VARINT_BYTES_MAX 10

struct kith_batch {
    struct kith_key key;
    struct kith_bytes body; /* a packed IngestRequest */
    struct kith_bytes event;
    size_t count;
    bool is_sent; /* the body and its key belong together from now on */
    struct kith_budget budget;
    Kith__V1__IngestReply *reply; /* NULL: none yet */
};

static void batch_empty(struct kith_batch *batch)
{
    kith_unpacked_free(&batch->budget, batch->reply);
    batch->reply = NULL;
    batch->body.size = 0;
    batch->count = 0;
    batch->is_sent = false;
}

void kith_batch_open(struct kith_batch **batch)
{
    struct kith_batch *opened = kith_allocate(sizeof *opened);
    kith_key_make(&opened->key);
    *batch = opened;
}

void kith_batch_close(struct kith_batch **batch)
{
    if (*batch != NULL) {
        batch_empty(*batch);
        kith_bytes_release(&(*batch)->body);
        kith_bytes_release(&(*batch)->event);
        free(*batch);
        *batch = NULL;
    }
}

void kith_batch_clear(struct kith_batch *batch)
{
    batch_empty(batch);
    kith_key_make(&batch->key);
}

size_t kith_batch_count(const struct kith_batch *batch)
{
    return batch->count;
}

/* ---- adding */

/* A tag and a length, as protobuf writes them. */
static size_t head_write(uint8_t tag, size_t length, uint8_t out[VARINT_BYTES_MAX + 1])
{
    size_t size = 0;
    out[size++] = tag;
    while (length >= 0x80) {
        out[size++] = (uint8_t)(length | 0x80);
        length >>= 7;
    }
    out[size++] = (uint8_t)length;
    return size;
}

static enum kith_status room_check(const struct kith_batch *batch, size_t item_bytes,
                                   struct kith_error *error)
{
    if (batch->is_sent) {
        return kith_error_set(error, KITH_FAILED_PRECONDITION,
                              "the batch was sent already: clear it before adding to it");
    }
    if (batch->count == KITH_BATCH_EVENTS) {
        return kith_error_set(error, KITH_RESOURCE_EXHAUSTED,
                              "the batch has %d events, which is the most: send it first",
                              KITH_BATCH_EVENTS);
    }
    if (batch->body.size + item_bytes > KITH_BODY_BYTES) {
        return kith_error_set(
            error, KITH_RESOURCE_EXHAUSTED,
            "the batch would have %zu bytes, and at most %d can be: send it first",
            batch->body.size + item_bytes, KITH_BODY_BYTES);
    }
    return KITH_OK;
}

enum kith_status kith_batch_add_packed(struct kith_batch *batch, const void *event,
                                       size_t event_bytes, struct kith_error *error)
{
    if (event == NULL || event_bytes == 0) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT, "the event is missing");
    }
    if (event_bytes > KITH_EVENT_BYTES) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "the event has %zu bytes, and at most %d can be", event_bytes,
                              KITH_EVENT_BYTES);
    }
    uint8_t inner[VARINT_BYTES_MAX + 1];
    uint8_t outer[VARINT_BYTES_MAX + 1];
    size_t inner_bytes = head_write(TAG_EVENT, event_bytes, inner);
    size_t outer_bytes = head_write(TAG_ITEM, inner_bytes + event_bytes, outer);
    enum kith_status status = room_check(batch, outer_bytes + inner_bytes + event_bytes, error);
    if (status != KITH_OK) {
        return status;
    }
    kith_bytes_append(&batch->body, outer, outer_bytes);
    kith_bytes_append(&batch->body, inner, inner_bytes);
    kith_bytes_append(&batch->body, event, event_bytes);
    batch->count += 1;
    return KITH_OK;
}

enum kith_status kith_batch_add(struct kith_batch *batch, const struct kith_event *event,
                                struct kith_error *error)
{
    batch->event.size = 0;
    enum kith_status status = kith_event_pack(event, &batch->event, error);
    if (status != KITH_OK) {
        return status;
    }
    return kith_batch_add_packed(batch, batch->event.data, batch->event.size, error);
}

/* ---- sending */

static uint64_t run_last_seq(const Kith__V1__IngestRun *run)
{
    return run->first_seq == 0 ? 0 : run->first_seq + run->count - 1;
}

/* Counts a run in. False: it makes no sense. */
static bool run_count(const Kith__V1__IngestRun *run, size_t left, struct kith_totals *totals)
{
    if (run->count == 0 || run->count > left || run->first_seq > UINT64_MAX - run->count) {
        return false;
    }
    switch (run->outcome) {
    case KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED:
        totals->accepted += run->count;
        break;
    case KITH__V1__INGEST_OUTCOME__INGEST_DUPLICATE:
        totals->duplicate += run->count;
        break;
    case KITH__V1__INGEST_OUTCOME__INGEST_REJECTED:
        totals->rejected += run->count;
        break;
    case KITH__V1__INGEST_OUTCOME__INGEST_INVALID:
        totals->invalid += run->count;
        break;
    case _KITH__V1__INGEST_OUTCOME_IS_INT_SIZE:
    default: /* a number that this version does not know */
        return false;
    }
    if (run_last_seq(run) > totals->seq_max) {
        totals->seq_max = run_last_seq(run);
    }
    return true;
}

/* Each event of the batch must have its outcome. */
static enum kith_status reply_check(const Kith__V1__IngestReply *reply, size_t count,
                                    struct kith_totals *totals, struct kith_error *error)
{
    struct kith_totals counted = { 0 };
    size_t left = count;
    for (size_t i = 0; i < reply->n_results; i++) {
        if (!run_count(reply->results[i], left, &counted)) {
            return kith_reply_senseless(METHOD, "a run of outcomes is out of bounds", error);
        }
        left -= reply->results[i]->count;
    }
    if (left > 0) {
        return kith_reply_senseless(METHOD, "it does not tell the outcome of each event", error);
    }
    *totals = counted;
    return KITH_OK;
}

static void text_clean(char *text)
{
    if (text != NULL) {
        kith_text_clean(text);
    }
}

static void reply_clean(const Kith__V1__IngestReply *reply)
{
    for (size_t i = 0; i < reply->n_results; i++) {
        const Kith__V1__IngestRun *run = reply->results[i];
        for (size_t j = 0; j < run->n_violations; j++) {
            text_clean(run->violations[j]->field);
            text_clean(run->violations[j]->rule);
            text_clean(run->violations[j]->mend);
        }
    }
}

static enum kith_status reply_unpack(struct kith_batch *batch, const struct kith_reply *reply,
                                     struct kith_totals *totals, struct kith_error *error)
{
    size_t body_bytes = 0;
    const void *body = kith_reply_body(reply, &body_bytes);
    struct kith_totals counted = { 0 };
    kith_unpacked_free(&batch->budget, batch->reply);
    batch->reply =
        kith_unpack(&batch->budget, &kith__v1__ingest_reply__descriptor, body, body_bytes);
    if (batch->reply == NULL) {
        return kith_reply_senseless(METHOD, "its body is another message", error);
    }
    enum kith_status status = reply_check(batch->reply, batch->count, &counted, error);
    if (status != KITH_OK) {
        kith_unpacked_free(&batch->budget, batch->reply);
        batch->reply = NULL;
        return status;
    }
    reply_clean(batch->reply);
    if (totals != NULL) {
        *totals = counted;
    }
    return KITH_OK;
}

enum kith_status kith_batch_send(struct kith_connection *connection, struct kith_batch *batch,
                                 struct kith_totals *totals, struct kith_error *error)
{
    if (batch->count == 0) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT, "the batch is empty");
    }
    if (!batch->is_sent) {
        batch->key.issued_at_ms = kith_wall_ms();
        batch->is_sent = true;
    }
    struct kith_request request = {
        .method = METHOD,
        .key = &batch->key,
        .body = batch->body.data,
        .body_bytes = batch->body.size,
    };
    struct kith_reply *reply = NULL;
    enum kith_status status = kith_call(connection, &request, &reply, error);
    if (status == KITH_OK) {
        status = reply_unpack(batch, reply, totals, error);
    }
    kith_reply_close(&reply);
    return status;
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static struct kith_violation violation_of(const Kith__V1__IngestRun *run)
{
    if (run->n_violations == 0) {
        return (struct kith_violation){ .field = "", .rule = "", .mend = "" };
    }
    const Kith__V1__Violation *first = run->violations[0];
    return (struct kith_violation){
        .field = text_or_empty(first->field),
        .rule = text_or_empty(first->rule),
        .mend = text_or_empty(first->mend),
    };
}

/* reply_check has seen that it is one of ours. */
static enum kith_outcome outcome_of(Kith__V1__IngestOutcome outcome)
{
    switch (outcome) {
    case KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED:
        return KITH_ACCEPTED;
    case KITH__V1__INGEST_OUTCOME__INGEST_DUPLICATE:
        return KITH_DUPLICATE;
    case KITH__V1__INGEST_OUTCOME__INGEST_REJECTED:
        return KITH_REJECTED;
    case KITH__V1__INGEST_OUTCOME__INGEST_INVALID:
    case _KITH__V1__INGEST_OUTCOME_IS_INT_SIZE:
        break;
    }
    return KITH_INVALID;
}

bool kith_batch_result(const struct kith_batch *batch, size_t index, struct kith_result *result)
{
    if (batch->reply == NULL || index >= batch->count) {
        return false;
    }
    size_t i = 0;
    while (index >= batch->reply->results[i]->count) {
        index -= batch->reply->results[i]->count;
        i += 1;
    }
    const Kith__V1__IngestRun *run = batch->reply->results[i];
    *result = (struct kith_result){
        .outcome = outcome_of(run->outcome),
        .seq = run->first_seq == 0 ? 0 : run->first_seq + index,
        .violation = violation_of(run),
    };
    return true;
}
