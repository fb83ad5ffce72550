/* link: ingestion_service ingestion_core common_event common_wire */
#include "common/base/limits.h"
#include "common/wire/pb.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/ingestion_private.pb-c.h"
#include "services/ingestion/ingestion_batch.h"
#include "services/ingestion/ingestion_query.h"
#include "tests/support/memory_view.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static struct buffer body;
static struct refusal refusal;

static void setup(void)
{
    arena_init(&arena, INGESTION_ARENA_BYTES);
    buffer_init(&body, LIMIT_BODY_BYTES);
    refusal_init(&refusal);
}

static void teardown(void)
{
    arena_release(&arena);
    buffer_release(&body);
}

static void body_pack(const ProtobufCMessage *message)
{
    buffer_clear(&body);
    ck_assert_int_eq(pb_pack(message, &body), STATUS_OK);
}

static char text_till[] = "till";
static char text_nine[] = "9";
static char text_reason[] = "no date";

/* ---- batches */

/* Packs a request of `count` events ("e0", "e1", ... are not looked into). */
static void batch_pack(size_t count, char *run, uint64_t run_batch)
{
    static Kith__V1__IngestItem items[LIMIT_BATCH_ITEMS + 1];
    static Kith__V1__IngestItem *places[LIMIT_BATCH_ITEMS + 1];
    for (size_t i = 0; i < count; i++) {
        kith__v1__ingest_item__init(&items[i]);
        items[i].item_case = KITH__V1__INGEST_ITEM__ITEM_EVENT;
        items[i].event = pb_bytes(span_of_text("event"));
        places[i] = &items[i];
    }
    Kith__V1__IngestRequest request = KITH__V1__INGEST_REQUEST__INIT;
    request.n_items = count;
    request.items = places;
    request.run = run;
    request.has_run_batch = run_batch != 0;
    request.run_batch = run_batch;
    body_pack(&request.base);
}

START_TEST(a_batch_is_taken_item_by_item)
{
    Kith__V1__RawRow raw = KITH__V1__RAW_ROW__INIT;
    raw.source = text_till;
    raw.id = text_nine;
    raw.has_bytes = true;
    raw.bytes = pb_bytes(span_of("a;\0;c", 5));
    raw.reason = text_reason;
    Kith__V1__IngestItem first = KITH__V1__INGEST_ITEM__INIT;
    first.item_case = KITH__V1__INGEST_ITEM__ITEM_EVENT;
    first.event = pb_bytes(span_of_text("anything"));
    Kith__V1__IngestItem second = KITH__V1__INGEST_ITEM__INIT;
    second.item_case = KITH__V1__INGEST_ITEM__ITEM_RAW;
    second.raw = &raw;
    Kith__V1__IngestItem *items[] = { &first, &second };
    Kith__V1__IngestRequest message = KITH__V1__INGEST_REQUEST__INIT;
    message.n_items = 2;
    message.items = items;
    message.run = text_till;
    message.has_run_batch = true;
    message.run_batch = 7;
    body_pack(&message.base);

    struct ingest_request request = { .item_count = 0 };
    ck_assert_int_eq(ingest_request_decode(buffer_span(&body), &request, &refusal), STATUS_OK);
    ck_assert_uint_eq(request.item_count, 2);
    ck_assert(span_equal(request.run, span_of_text("till")));
    ck_assert_uint_eq(request.run_batch, 7);
    struct ingest_item item = { .is_raw = true };
    ck_assert(ingest_item_next(&request.items, &item));
    ck_assert(!item.is_raw);
    ck_assert(span_equal(item.event, span_of_text("anything")));
    ck_assert(ingest_item_next(&request.items, &item));
    ck_assert(item.is_raw);
    ck_assert(span_equal(item.raw.source, span_of_text("till")));
    ck_assert(span_equal(item.raw.id, span_of_text("9")));
    ck_assert(span_equal(item.raw.bytes, span_of("a;\0;c", 5)));
    ck_assert(span_equal(item.raw.reason, span_of_text("no date")));
    ck_assert_int_eq(ingest_raw_check(&item.raw, &refusal), STATUS_OK);
    ck_assert(!ingest_item_next(&request.items, &item));
}
END_TEST

START_TEST(the_largest_batch_is_taken_and_a_larger_one_is_not)
{
    struct ingest_request request = { .item_count = 0 };
    batch_pack(LIMIT_BATCH_ITEMS, NULL, 0);
    ck_assert_int_eq(ingest_request_decode(buffer_span(&body), &request, &refusal), STATUS_OK);
    ck_assert_uint_eq(request.item_count, LIMIT_BATCH_ITEMS);
    batch_pack(LIMIT_BATCH_ITEMS + 1, NULL, 0);
    ck_assert_int_eq(ingest_request_decode(buffer_span(&body), &request, &refusal),
                     STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "items");
    ck_assert_uint_eq(request.item_count, LIMIT_BATCH_ITEMS);
}
END_TEST

struct batch_row {
    const char *name;
    size_t count;
    char *run;
    uint64_t run_batch;
    const char *field;
};

static char text_unclean[] = "a\tb";
static const struct batch_row batch_rows[] = {
    { "no item", 0, NULL, 0, "items" },
    { "a run without a batch", 1, text_till, 0, "run_batch" },
    { "a batch without a run", 1, NULL, 1, "run" },
    { "a run of control characters", 1, text_unclean, 1, "run" },
    { "a batch that has no next", 1, text_till, UINT64_MAX, "run_batch" },
};

START_TEST(a_batch_is_refused_by_the_field)
{
    const struct batch_row *row = &batch_rows[_i];
    batch_pack(row->count, row->run, row->run_batch);
    struct ingest_request request = { .item_count = 0 };
    ck_assert_msg(ingest_request_decode(buffer_span(&body), &request, &refusal) == STATUS_MALFORMED,
                  "%s: taken", row->name);
    ck_assert_uint_eq(refusal.violation_count, 1);
    ck_assert_msg(strcmp(refusal.violations[0].field, row->field) == 0, "%s: %s", row->name,
                  refusal.message);
}
END_TEST

struct odd_row {
    const char *name;
    const char *bytes;
    size_t size;
    const char *field;
};

#define BYTES(text) (text), sizeof(text) - 1
static const struct odd_row odd_rows[] = {
    { "no message", BYTES("\x0a"), "body" },
    { "an empty item", BYTES("\x0a\x00"), "items[0]" },
    { "an event and a raw row", BYTES("\x0a\x05\x0a\x01x\x12\x00"), "items[0]" },
    { "an item of a third kind", BYTES("\x0a\x03\x1a\x01x"), "items[0]" },
    { "an event that is a number", BYTES("\x0a\x02\x08\x01"), "items[0]" },
    { "a raw row with an unknown field", BYTES("\x0a\x05\x12\x03\x2a\x01x"), "items[0]" },
    { "a raw row with two sources", BYTES("\x0a\x08\x12\x06\x0a\x01x\x0a\x01x"), "items[0]" },
    { "a broken raw row", BYTES("\x0a\x04\x12\x02\x0a\x05"), "items[0]" },
    { "the second item is none", BYTES("\x0a\x03\x0a\x01x\x0a\x00"), "items[1]" },
    { "an unknown field", BYTES("\x0a\x03\x0a\x01x\x20\x01"), "field 4" },
    { "the run twice", BYTES("\x0a\x03\x0a\x01x\x12\x01r\x12\x01r\x18\x01"), "field 2" },
    { "a run that is a number", BYTES("\x0a\x03\x0a\x01x\x10\x01"), "field 2" },
};

START_TEST(odd_batches_are_refused)
{
    const struct odd_row *row = &odd_rows[_i];
    struct ingest_request request = { .item_count = 77 };
    struct span bytes = span_of(row->bytes, row->size);
    ck_assert_msg(ingest_request_decode(bytes, &request, &refusal) == STATUS_MALFORMED, "%s: taken",
                  row->name);
    ck_assert_uint_eq(request.item_count, 77);
    ck_assert_int_eq(refusal.status, STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 1);
    ck_assert_msg(strcmp(refusal.violations[0].field, row->field) == 0, "%s: blames %s", row->name,
                  refusal.violations[0].field);
}
END_TEST

START_TEST(a_raw_row_is_checked_before_it_is_kept)
{
    static uint8_t bytes[LIMIT_EVENT_BYTES + 1];
    struct ingest_raw raw = {
        .source = span_of_text("till"),
        .bytes = span_of(bytes, LIMIT_EVENT_BYTES),
        .reason = span_of_text("no date"),
    };
    ck_assert_int_eq(ingest_raw_check(&raw, &refusal), STATUS_OK);
    raw.bytes.size += 1;
    ck_assert_int_eq(ingest_raw_check(&raw, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "raw.bytes");
    raw = (struct ingest_raw){ .id = span_of_text("\n") };
    ck_assert_int_eq(ingest_raw_check(&raw, &refusal), STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 4);
}
END_TEST

/* ---- results */

/* The reply, which has the bytes that protobuf-c writes of it. */
static Kith__V1__IngestReply *reply_unpack(void)
{
    arena_reset(&arena);
    Kith__V1__IngestReply *reply =
        pb_unpack(&kith__v1__ingest_reply__descriptor, &arena, buffer_span(&body));
    ck_assert_ptr_nonnull(reply);
    struct buffer again;
    buffer_init(&again, body.size);
    ck_assert_int_eq(pb_pack(&reply->base, &again), STATUS_OK);
    ck_assert(span_equal(buffer_span(&again), buffer_span(&body)));
    buffer_release(&again);
    return reply;
}

static void result_add(struct ingest_results *results, unsigned outcome, uint64_t seq)
{
    struct ingest_result result = { .outcome = outcome, .seq = seq };
    ingest_results_add(results, &result);
}

static void run_assert(const Kith__V1__IngestRun *run, uint32_t count, unsigned outcome,
                       uint64_t first_seq)
{
    ck_assert_uint_eq(run->count, count);
    ck_assert_uint_eq((unsigned)run->outcome, outcome);
    ck_assert_uint_eq(run->first_seq, first_seq);
}

START_TEST(all_accepted_is_one_run)
{
    struct ingest_results results = { .out = &body };
    for (uint64_t i = 0; i < LIMIT_BATCH_ITEMS; i++) {
        result_add(&results, INGESTION_ACCEPTED, 1000000 + i);
    }
    ingest_results_end(&results);
    ck_assert_uint_le(body.size, 20);
    const Kith__V1__IngestReply *reply = reply_unpack();
    ck_assert_uint_eq(reply->n_results, 1);
    run_assert(reply->results[0], LIMIT_BATCH_ITEMS, INGESTION_ACCEPTED, 1000000);
}
END_TEST

START_TEST(a_run_ends_where_outcome_or_count_breaks)
{
    struct ingest_results results = { .out = &body };
    result_add(&results, INGESTION_ACCEPTED, 5);
    result_add(&results, INGESTION_ACCEPTED, 6);
    result_add(&results, INGESTION_DUPLICATE, 7);
    result_add(&results, INGESTION_DUPLICATE, 7);
    result_add(&results, INGESTION_REJECTED, 8);
    result_add(&results, INGESTION_INVALID, 0);
    result_add(&results, INGESTION_INVALID, 0);
    result_add(&results, INGESTION_ACCEPTED, 9);
    ingest_results_end(&results);
    const Kith__V1__IngestReply *reply = reply_unpack();
    ck_assert_uint_eq(reply->n_results, 6);
    run_assert(reply->results[0], 2, INGESTION_ACCEPTED, 5);
    run_assert(reply->results[1], 1, INGESTION_DUPLICATE, 7);
    run_assert(reply->results[2], 1, INGESTION_DUPLICATE, 7);
    run_assert(reply->results[3], 1, INGESTION_REJECTED, 8);
    run_assert(reply->results[4], 2, INGESTION_INVALID, 0);
    ck_assert(!reply->results[4]->has_first_seq);
    run_assert(reply->results[5], 1, INGESTION_ACCEPTED, 9);
}
END_TEST

START_TEST(violations_stand_by_their_item)
{
    struct ingest_results results = { .out = &body };
    refusal_violation(&refusal, "amount.minor", "is negative", "send a refund");
    struct ingest_result invalid = { .outcome = INGESTION_INVALID, .refusal = &refusal };
    ingest_results_add(&results, &invalid);
    refusal_violation(&refusal, "id", "is missing", "send one");
    ingest_results_add(&results, &invalid);
    refusal_init(&refusal);
    ingest_results_end(&results);
    const Kith__V1__IngestReply *reply = reply_unpack();
    ck_assert_uint_eq(reply->n_results, 2);
    ck_assert_uint_eq(reply->results[0]->n_violations, 1);
    ck_assert_str_eq(reply->results[0]->violations[0]->field, "amount.minor");
    ck_assert_uint_eq(reply->results[1]->n_violations, 2);
    ck_assert_str_eq(reply->results[1]->violations[1]->mend, "send one");
}
END_TEST

START_TEST(the_worst_reply_fits_a_record)
{
    struct ingest_results results = { .out = &body };
    for (size_t i = 0; i < REFUSAL_VIOLATIONS_MAX; i++) {
        char text[160];
        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = '\0';
        refusal_violation(&refusal, text, text, text);
    }
    for (uint64_t i = 0; i < LIMIT_BATCH_ITEMS; i++) {
        struct ingest_result result = { .outcome = INGESTION_DUPLICATE };
        result.seq = (UINT64_C(1) << 41) + 2 * i; /* six bytes; a run never goes on */
        if (i % 100 == 0) {
            result = (struct ingest_result){ .outcome = INGESTION_INVALID, .refusal = &refusal };
        }
        ingest_results_add(&results, &result);
    }
    ingest_results_end(&results);
    ck_assert_uint_le(body.size, LIMIT_RECORD_BYTES - LIMIT_HEADER_BYTES / 4);
    const Kith__V1__IngestReply *reply = reply_unpack();
    ck_assert_uint_eq(reply->n_results, LIMIT_BATCH_ITEMS);
    ck_assert_uint_eq(reply->results[0]->n_violations, REFUSAL_VIOLATIONS_MAX);
    ck_assert_uint_eq(reply->results[4000]->n_violations, 0);
    ck_assert_uint_eq((unsigned)reply->results[4000]->outcome, INGESTION_INVALID);
}
END_TEST

/* ---- the other requests */

START_TEST(the_clock_is_set_to_or_by_but_not_both)
{
    struct ingestion_advance advance = { .is_relative = false };
    Kith__V1__AdvanceClockRequest message = KITH__V1__ADVANCE_CLOCK_REQUEST__INIT;
    body_pack(&message.base);
    ck_assert_int_eq(
        ingestion_advance_request_decode(buffer_span(&body), &arena, &advance, &refusal),
        STATUS_MALFORMED);
    message.has_by_ms = true;
    message.by_ms = -5;
    body_pack(&message.base);
    ck_assert_int_eq(
        ingestion_advance_request_decode(buffer_span(&body), &arena, &advance, &refusal),
        STATUS_OK);
    ck_assert(advance.is_relative);
    ck_assert_int_eq(advance.ms, -5);
    message.has_to_ms = true;
    body_pack(&message.base);
    ck_assert_int_eq(
        ingestion_advance_request_decode(buffer_span(&body), &arena, &advance, &refusal),
        STATUS_MALFORMED);
}
END_TEST

START_TEST(fields_of_a_later_protocol_are_refused)
{
    uint64_t entry = 0;
    ck_assert_int_eq(
        ingestion_drop_request_decode(span_of("\x08\x05", 2), &arena, &entry, &refusal), STATUS_OK);
    ck_assert_uint_eq(entry, 5);
    ck_assert_int_eq(
        ingestion_drop_request_decode(span_of("\x08\x05\x10\x01", 4), &arena, &entry, &refusal),
        STATUS_MALFORMED);
    ck_assert_str_eq(refusal.message,
                     "the body is no QuarantineDropRequest that this program knows");
    ck_assert_str_eq(refusal.violations[0].field, "body");
    ck_assert_int_eq(ingestion_drop_request_decode(span_of("\x08", 1), &arena, &entry, &refusal),
                     STATUS_MALFORMED);
    refusal_init(&refusal);
    ck_assert_int_eq(ingestion_drop_request_decode(span_of(NULL, 0), &arena, &entry, &refusal),
                     STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "entry");
}
END_TEST

START_TEST(a_list_has_a_limit_and_a_show_has_an_entry)
{
    struct ingestion_list_request request = { .entry = 0 };
    struct span nothing = span_of(NULL, 0);
    ck_assert_int_eq(ingestion_list_request_decode(nothing, false, &arena, &request, &refusal),
                     STATUS_OK);
    ck_assert_uint_eq(request.limit, 100);
    ck_assert_int_eq(ingestion_list_request_decode(nothing, true, &arena, &request, &refusal),
                     STATUS_MALFORMED);
    Kith__V1__QuarantineListRequest message = KITH__V1__QUARANTINE_LIST_REQUEST__INIT;
    static const uint32_t limits[] = { 0, 1, INGESTION_LIST_MAX, INGESTION_LIST_MAX + 1 };
    message.has_limit = true;
    for (size_t i = 0; i < 4; i++) {
        message.limit = limits[i];
        body_pack(&message.base);
        bool is_fit = limits[i] >= 1 && limits[i] <= INGESTION_LIST_MAX;
        ck_assert_int_eq(
            ingestion_list_request_decode(buffer_span(&body), false, &arena, &request, &refusal),
            is_fit ? STATUS_OK : STATUS_MALFORMED);
    }
    message.has_limit = false;
    message.has_entry = true;
    message.entry = 3;
    body_pack(&message.base);
    ck_assert_int_eq(
        ingestion_list_request_decode(buffer_span(&body), true, &arena, &request, &refusal),
        STATUS_OK);
    ck_assert_uint_eq(request.entry, 3);
    ck_assert_int_eq(
        ingestion_list_request_decode(buffer_span(&body), false, &arena, &request, &refusal),
        STATUS_MALFORMED);
}
END_TEST

/* ---- facts and private records */

static struct ingestion_entry sample_entry(struct span content)
{
    return (struct ingestion_entry){
        .number = 3,
        .reason = INGESTION_FUTURE,
        .raw = true,
        .content_hash = hash128_of_span(content),
        .content_size = content.size,
        .source = span_of_text("till"),
        .id = span_of_text("9"),
        .explanation = span_of_text("too early"),
    };
}

START_TEST(a_quarantined_fact_comes_back)
{
    static uint8_t bytes[LIMIT_EVENT_BYTES];
    struct span content = span_of(bytes, sizeof bytes);
    struct ingestion_entry entry = sample_entry(content);
    ingestion_quarantined_encode(&entry, content, &arena, &body);
    ck_assert_uint_le(body.size, LIMIT_RECORD_BYTES);
    struct ingestion_entry decoded = { .number = 0 };
    struct span kept = { NULL, 0 };
    ck_assert_int_eq(ingestion_quarantined_decode(buffer_span(&body), &arena, &decoded, &kept),
                     STATUS_OK);
    ck_assert_uint_eq(decoded.number, 3);
    ck_assert_int_eq(decoded.reason, INGESTION_FUTURE);
    ck_assert(decoded.raw);
    ck_assert_uint_eq(decoded.content_size, sizeof bytes);
    ck_assert(hash128_equal(decoded.content_hash, entry.content_hash));
    ck_assert(span_equal(decoded.source, entry.source));
    ck_assert(span_equal(decoded.id, entry.id));
    ck_assert(span_equal(decoded.explanation, entry.explanation));
    ck_assert(span_equal(kept, content));
    for (size_t size = 0; size < 64; size++) {
        arena_reset(&arena);
        ck_assert_int_eq(
            ingestion_quarantined_decode(span_of(body.data, size), &arena, &decoded, &kept),
            STATUS_CORRUPT);
    }
}
END_TEST

START_TEST(a_closed_fact_comes_back)
{
    struct ingestion_closed closed = { .entry = 12, .accepted = true };
    ingestion_closed_encode(&closed, &body);
    struct ingestion_closed decoded = { .entry = 0 };
    ck_assert_int_eq(ingestion_closed_decode(buffer_span(&body), &arena, &decoded), STATUS_OK);
    ck_assert_uint_eq(decoded.entry, 12);
    ck_assert(decoded.accepted);
    ck_assert_int_eq(ingestion_closed_decode(span_of(NULL, 0), &arena, &decoded), STATUS_CORRUPT);
}
END_TEST

START_TEST(the_record_of_a_run_comes_back)
{
    struct ingestion_run_key run = ingestion_run_key_of(span_of_text("x"));
    ingestion_run_encode(&run, 7, &body);
    struct ingestion_run_key decoded = { { { 0 } } };
    uint64_t batch = 0;
    ck_assert_int_eq(ingestion_run_record_decode(buffer_span(&body), &arena, &decoded, &batch),
                     STATUS_OK);
    ck_assert(hash128_equal(decoded.hash, run.hash));
    ck_assert_uint_eq(batch, 7);
    ck_assert_int_eq(ingestion_run_record_decode(span_of(NULL, 0), &arena, &decoded, &batch),
                     STATUS_CORRUPT);
    ck_assert_int_eq(ingestion_run_record_decode(span_of("\x0a\x00", 2), &arena, &decoded, &batch),
                     STATUS_CORRUPT);
}
END_TEST

/* ---- answers */

static void entries_put(struct memory_view *memory, uint64_t count, size_t explanation_size)
{
    static char explanation[INGESTION_EXPLANATION_BYTES];
    memset(explanation, 'e', sizeof explanation);
    struct change change = memory_view_writer(memory);
    for (uint64_t i = 1; i <= count; i++) {
        struct ingestion_entry entry = sample_entry(span_of_text("a;b"));
        entry.number = i;
        entry.seq = 100 + i;
        entry.recorded_at_ms = -1;
        entry.explanation = span_of(explanation, explanation_size);
        ingestion_quarantined_evolve(&change, &entry, span_of_text("a;b"));
    }
}

static Kith__V1__QuarantineListReply *list_ask(struct memory_view *memory, uint64_t after,
                                               uint32_t limit)
{
    struct view view = memory_view_reader(memory);
    struct ingestion_list_request request = { .after_entry = after, .limit = limit };
    buffer_clear(&body);
    ingestion_query_list(&view, &request, &arena, &body);
    arena_reset(&arena);
    Kith__V1__QuarantineListReply *reply =
        pb_unpack(&kith__v1__quarantine_list_reply__descriptor, &arena, buffer_span(&body));
    ck_assert_ptr_nonnull(reply);
    return reply;
}

START_TEST(a_list_is_paged_to_its_end)
{
    struct memory_view *memory = NULL;
    memory_view_open(&memory);
    entries_put(memory, 5, 10);
    const Kith__V1__QuarantineListReply *reply = list_ask(memory, 0, 3);
    ck_assert_uint_eq(reply->n_entries, 3);
    ck_assert_uint_eq(reply->total, 5);
    ck_assert_uint_eq(reply->entries[2]->entry, 3);
    ck_assert_uint_eq(reply->entries[2]->seq, 103);
    ck_assert_int_eq(reply->entries[2]->recorded_at_ms, -1);
    ck_assert_str_eq(reply->entries[2]->source, "till");
    ck_assert(!reply->entries[2]->has_content);
    reply = list_ask(memory, 3, 3);
    ck_assert_uint_eq(reply->n_entries, 2);
    reply = list_ask(memory, 5, 3);
    ck_assert_uint_eq(reply->n_entries, 0);
    ck_assert_uint_eq(reply->total, 5);
    memory_view_close(&memory);
}
END_TEST

START_TEST(a_page_of_long_explanations_stays_within_a_body)
{
    struct memory_view *memory = NULL;
    memory_view_open(&memory);
    entries_put(memory, 700, INGESTION_EXPLANATION_BYTES);
    const Kith__V1__QuarantineListReply *reply = list_ask(memory, 0, INGESTION_LIST_MAX);
    size_t first = reply->n_entries;
    ck_assert_uint_gt(first, 300);
    ck_assert_uint_lt(first, 700);
    reply = list_ask(memory, first, INGESTION_LIST_MAX);
    ck_assert_uint_eq(reply->n_entries, 700 - first);
    ck_assert_uint_eq(reply->entries[0]->entry, first + 1);
    memory_view_close(&memory);
}
END_TEST

START_TEST(one_entry_is_shown_with_its_content)
{
    struct memory_view *memory = NULL;
    memory_view_open(&memory);
    entries_put(memory, 2, 10);
    struct view view = memory_view_reader(memory);
    ck_assert_int_eq(ingestion_query_show(&view, 3, &arena, &body, &refusal), STATUS_NOT_FOUND);
    ck_assert_str_eq(refusal.message,
                     "the quarantine has no open entry 3: it is closed, or never was");
    ck_assert_int_eq(ingestion_query_show(&view, 2, &arena, &body, &refusal), STATUS_OK);
    const Kith__V1__QuarantineListReply *reply =
        pb_unpack(&kith__v1__quarantine_list_reply__descriptor, &arena, buffer_span(&body));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_entries, 1);
    ck_assert(span_equal(pb_span(reply->entries[0]->content), span_of_text("a;b")));
    memory_view_close(&memory);
}
END_TEST

#define ROWS(rows) (int)(sizeof(rows) / sizeof(rows)[0])

int main(void)
{
    TCase *tests = tcase_create("ingestion codec");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_batch_is_taken_item_by_item);
    tcase_add_test(tests, the_largest_batch_is_taken_and_a_larger_one_is_not);
    tcase_add_loop_test(tests, a_batch_is_refused_by_the_field, 0, ROWS(batch_rows));
    tcase_add_loop_test(tests, odd_batches_are_refused, 0, ROWS(odd_rows));
    tcase_add_test(tests, a_raw_row_is_checked_before_it_is_kept);
    tcase_add_test(tests, all_accepted_is_one_run);
    tcase_add_test(tests, a_run_ends_where_outcome_or_count_breaks);
    tcase_add_test(tests, violations_stand_by_their_item);
    tcase_add_test(tests, the_worst_reply_fits_a_record);
    tcase_add_test(tests, the_clock_is_set_to_or_by_but_not_both);
    tcase_add_test(tests, fields_of_a_later_protocol_are_refused);
    tcase_add_test(tests, a_list_has_a_limit_and_a_show_has_an_entry);
    tcase_add_test(tests, a_quarantined_fact_comes_back);
    tcase_add_test(tests, a_closed_fact_comes_back);
    tcase_add_test(tests, the_record_of_a_run_comes_back);
    tcase_add_test(tests, a_list_is_paged_to_its_end);
    tcase_add_test(tests, a_page_of_long_explanations_stays_within_a_body);
    tcase_add_test(tests, one_entry_is_shown_with_its_content);
    Suite *suite = suite_create("ingestion codec");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
