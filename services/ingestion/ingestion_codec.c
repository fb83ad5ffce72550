#include "services/ingestion/ingestion_codec.h"

#include "common/base/limits.h"
#include "common/wire/message.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/ingestion_private.pb-c.h"

#include <assert.h>
#include <string.h>

#define LIST_LIMIT_USUAL 100
enum { LIST_REPLY_ENTRIES = 1 };

static_assert((int)INGESTION_UNREADABLE == (int)KITH__V1__QUARANTINE_REASON__QUARANTINE_UNREADABLE,
              "one list of reasons");
static_assert((int)INGESTION_ID_REUSED == (int)KITH__V1__QUARANTINE_REASON__QUARANTINE_ID_REUSED,
              "one list of reasons");
static_assert((int)INGESTION_FUTURE == (int)KITH__V1__QUARANTINE_REASON__QUARANTINE_FUTURE,
              "one list of reasons");
static_assert((int)INGESTION_ACCEPTED == (int)KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED,
              "one list of outcomes");
static_assert((int)INGESTION_DUPLICATE == (int)KITH__V1__INGEST_OUTCOME__INGEST_DUPLICATE,
              "one list of outcomes");
static_assert((int)INGESTION_REJECTED == (int)KITH__V1__INGEST_OUTCOME__INGEST_REJECTED,
              "one list of outcomes");
static_assert((int)INGESTION_INVALID == (int)KITH__V1__INGEST_OUTCOME__INGEST_INVALID,
              "one list of outcomes");

/* Unpacks a request, which may hold no field that this program does not know. */
static void *body_unpack(const ProtobufCMessageDescriptor *descriptor, struct arena *arena,
                         struct span body, struct refusal *refusal)
{
    ProtobufCMessage *message = pb_unpack(descriptor, arena, body);
    if (message == NULL || message->n_unknown_fields > 0) {
        (void)refusal_set(refusal, STATUS_MALFORMED, "the body is no %s%s", descriptor->short_name,
                          message == NULL ? "" : " that this program knows");
        refusal_violation(refusal, "body", "must be the method's encoded message, all of it known",
                          "encode it with proto/kith/v1/ingestion.proto");
        return NULL;
    }
    return message;
}

static enum status field_fault(struct refusal *refusal, const char *field, const char *rule,
                               const char *mend)
{
    (void)refusal_set(refusal, STATUS_MALFORMED, "%s %s: %s", field, rule, mend);
    refusal_violation(refusal, field, rule, mend);
    return STATUS_MALFORMED;
}

static enum status entry_check(uint64_t entry, struct refusal *refusal)
{
    if (entry == 0) {
        return field_fault(refusal, "entry", "is missing", "name an entry of the quarantine");
    }
    return STATUS_OK;
}

enum status ingestion_advance_request_decode(struct span body, struct arena *arena,
                                             struct ingestion_advance *advance,
                                             struct refusal *refusal)
{
    const Kith__V1__AdvanceClockRequest *message =
        body_unpack(&kith__v1__advance_clock_request__descriptor, arena, body, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    if (message->has_to_ms == message->has_by_ms) {
        return field_fault(refusal, "to_ms", "and by_ms are not exactly one", "send one of both");
    }
    *advance = (struct ingestion_advance){
        .is_relative = message->has_by_ms,
        .ms = message->has_by_ms ? message->by_ms : message->to_ms,
    };
    return STATUS_OK;
}

enum status ingestion_list_request_decode(struct span body, bool is_show, struct arena *arena,
                                          struct ingestion_list_request *request,
                                          struct refusal *refusal)
{
    const Kith__V1__QuarantineListRequest *message =
        body_unpack(&kith__v1__quarantine_list_request__descriptor, arena, body, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    struct ingestion_list_request decoded = {
        .after_entry = message->after_entry,
        .limit = message->has_limit ? message->limit : LIST_LIMIT_USUAL,
        .entry = message->entry,
    };
    if (is_show && (message->has_after_entry || message->has_limit)) {
        return field_fault(refusal, "entry", "is not alone", "ask for one entry or for a list");
    }
    if (is_show && entry_check(decoded.entry, refusal) != STATUS_OK) {
        return STATUS_MALFORMED;
    }
    if (!is_show && message->has_entry) {
        return field_fault(refusal, "entry", "stands in a list",
                           "ask for one entry by ingestion.QuarantineShow");
    }
    if (decoded.limit < 1 || decoded.limit > INGESTION_LIST_MAX) {
        return field_fault(refusal, "limit", "is not 1 to 1000", "ask for several pages");
    }
    *request = decoded;
    return STATUS_OK;
}

enum status ingestion_retry_request_decode(struct span body, struct arena *arena,
                                           struct ingestion_retry_request *request,
                                           struct refusal *refusal)
{
    const Kith__V1__QuarantineRetryRequest *message =
        body_unpack(&kith__v1__quarantine_retry_request__descriptor, arena, body, refusal);
    if (message == NULL || entry_check(message->entry, refusal) != STATUS_OK) {
        return STATUS_MALFORMED;
    }
    *request = (struct ingestion_retry_request){
        .entry = message->entry,
        .has_event = message->has_event,
        .event = pb_span(message->event),
    };
    return STATUS_OK;
}

enum status ingestion_drop_request_decode(struct span body, struct arena *arena, uint64_t *entry,
                                          struct refusal *refusal)
{
    const Kith__V1__QuarantineDropRequest *message =
        body_unpack(&kith__v1__quarantine_drop_request__descriptor, arena, body, refusal);
    if (message == NULL || entry_check(message->entry, refusal) != STATUS_OK) {
        return STATUS_MALFORMED;
    }
    *entry = message->entry;
    return STATUS_OK;
}

void ingestion_advance_reply_encode(int64_t now_ms, uint64_t seq, struct buffer *out)
{
    Kith__V1__AdvanceClockReply reply = KITH__V1__ADVANCE_CLOCK_REPLY__INIT;
    reply.has_now_ms = true;
    reply.now_ms = now_ms;
    reply.has_seq = true;
    reply.seq = seq;
    message_append(&reply.base, out);
}

void ingestion_retry_reply_encode(uint64_t seq, struct buffer *out)
{
    Kith__V1__IngestRun run = KITH__V1__INGEST_RUN__INIT;
    run.has_count = true;
    run.count = 1;
    run.has_outcome = true;
    run.outcome = KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED;
    run.has_first_seq = true;
    run.first_seq = seq;
    Kith__V1__QuarantineRetryReply reply = KITH__V1__QUARANTINE_RETRY_REPLY__INIT;
    reply.result = &run;
    message_append(&reply.base, out);
}

void ingestion_list_entry_encode(const struct ingestion_entry *entry, struct span content,
                                 struct arena *arena, struct buffer *out)
{
    Kith__V1__QuarantineEntry message = KITH__V1__QUARANTINE_ENTRY__INIT;
    message.has_entry = true;
    message.entry = entry->number;
    message.has_reason = true;
    message.reason = (Kith__V1__QuarantineReason)entry->reason;
    message.explanation = message_text(arena, entry->explanation);
    message.source = message_text(arena, entry->source);
    message.id = message_text(arena, entry->id);
    message.has_recorded_at_ms = true;
    message.recorded_at_ms = entry->recorded_at_ms;
    message.has_content = content.size > 0;
    message.content = pb_bytes(content);
    message.has_raw = true;
    message.raw = entry->raw;
    message.has_seq = true;
    message.seq = entry->seq;
    message_element_append(LIST_REPLY_ENTRIES, &message.base, out);
}

void ingestion_list_total_encode(uint64_t total, struct buffer *out)
{
    Kith__V1__QuarantineListReply reply = KITH__V1__QUARANTINE_LIST_REPLY__INIT;
    reply.has_total = true;
    reply.total = total;
    message_append(&reply.base, out);
}

void ingestion_quarantined_encode(const struct ingestion_entry *entry, struct span content,
                                  struct arena *arena, struct buffer *out)
{
    Kith__V1__Sealed sealed = KITH__V1__SEALED__INIT;
    sealed.has_bytes = true;
    sealed.bytes = pb_bytes(content);
    Kith__V1__EventQuarantined fact = KITH__V1__EVENT_QUARANTINED__INIT;
    fact.has_entry = true;
    fact.entry = entry->number;
    fact.has_reason = true;
    fact.reason = (Kith__V1__QuarantineReason)entry->reason;
    fact.explanation = message_text(arena, entry->explanation);
    fact.source = message_text(arena, entry->source);
    fact.id = message_text(arena, entry->id);
    fact.content = &sealed;
    fact.has_raw = true;
    fact.raw = entry->raw;
    fact.has_content_hash = true;
    fact.content_hash =
        pb_bytes(span_of(entry->content_hash.bytes, sizeof entry->content_hash.bytes));
    message_append(&fact.base, out);
}

static bool quarantined_is_whole(const Kith__V1__EventQuarantined *fact)
{
    return fact->entry > 0 && (unsigned)fact->reason <= INGESTION_FUTURE && fact->content != NULL &&
           fact->content->bytes.len <= LIMIT_EVENT_BYTES &&
           fact->content_hash.len == sizeof(struct hash128) &&
           pb_text(fact->source).size <= LIMIT_ID_BYTES &&
           pb_text(fact->id).size <= LIMIT_ID_BYTES &&
           pb_text(fact->explanation).size <= INGESTION_EXPLANATION_BYTES;
}

enum status ingestion_quarantined_decode(struct span body, struct arena *arena,
                                         struct ingestion_entry *entry, struct span *content)
{
    const Kith__V1__EventQuarantined *fact =
        pb_unpack(&kith__v1__event_quarantined__descriptor, arena, body);
    if (fact == NULL || !quarantined_is_whole(fact)) {
        return STATUS_CORRUPT;
    }
    *content = pb_span(fact->content->bytes);
    *entry = (struct ingestion_entry){
        .number = fact->entry,
        .reason = (enum ingestion_reason)fact->reason,
        .raw = fact->raw != 0,
        .content_size = content->size,
        .source = pb_text(fact->source),
        .id = pb_text(fact->id),
        .explanation = pb_text(fact->explanation),
    };
    memcpy(entry->content_hash.bytes, fact->content_hash.data, sizeof entry->content_hash.bytes);
    return STATUS_OK;
}

void ingestion_closed_encode(const struct ingestion_closed *closed, struct buffer *out)
{
    Kith__V1__QuarantineClosed fact = KITH__V1__QUARANTINE_CLOSED__INIT;
    fact.has_entry = true;
    fact.entry = closed->entry;
    fact.has_accepted = true;
    fact.accepted = closed->accepted;
    message_append(&fact.base, out);
}

enum status ingestion_closed_decode(struct span body, struct arena *arena,
                                    struct ingestion_closed *closed)
{
    const Kith__V1__QuarantineClosed *fact =
        pb_unpack(&kith__v1__quarantine_closed__descriptor, arena, body);
    if (fact == NULL || fact->entry == 0) {
        return STATUS_CORRUPT;
    }
    *closed = (struct ingestion_closed){ .entry = fact->entry, .accepted = fact->accepted != 0 };
    return STATUS_OK;
}

void ingestion_clock_encode(int64_t to_ms, struct buffer *out)
{
    Kith__V1__ClockAdvanced fact = KITH__V1__CLOCK_ADVANCED__INIT;
    fact.has_to_ms = true;
    fact.to_ms = to_ms;
    message_append(&fact.base, out);
}

void ingestion_run_encode(const struct ingestion_run_key *run, uint64_t batch, struct buffer *out)
{
    Kith__V1__IngestionRunTaken taken = KITH__V1__INGESTION_RUN_TAKEN__INIT;
    taken.has_run = true;
    taken.run = pb_bytes(span_of(run->hash.bytes, sizeof run->hash.bytes));
    taken.has_batch = true;
    taken.batch = batch;
    Kith__V1__IngestionRecord record = KITH__V1__INGESTION_RECORD__INIT;
    record.record_case = KITH__V1__INGESTION_RECORD__RECORD_RUN_TAKEN;
    record.run_taken = &taken;
    message_append(&record.base, out);
}

enum status ingestion_run_record_decode(struct span record, struct arena *arena,
                                        struct ingestion_run_key *run, uint64_t *batch)
{
    const Kith__V1__IngestionRecord *message =
        pb_unpack(&kith__v1__ingestion_record__descriptor, arena, record);
    if (message == NULL || message->record_case != KITH__V1__INGESTION_RECORD__RECORD_RUN_TAKEN ||
        message->run_taken->run.len != sizeof run->hash.bytes || message->run_taken->batch == 0 ||
        message->run_taken->batch == UINT64_MAX) {
        return STATUS_CORRUPT;
    }
    memcpy(run->hash.bytes, message->run_taken->run.data, sizeof run->hash.bytes);
    *batch = message->run_taken->batch;
    return STATUS_OK;
}
