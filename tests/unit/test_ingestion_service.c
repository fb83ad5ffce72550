/* link: ingestion_service ingestion_core common_event common_wire */
/*
 * Ingestion's handlers over a turn in memory. The functions of a turn are defined here, so
 * the linker takes none of the shell: what is tested is the service alone. After each test
 * the facts and private records are replayed into an empty state, which must come out the
 * same.
 */
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "kith/v1/ingestion.pb-c.h"
#include "services/ingestion/ingestion_service.h"
#include "tests/support/memory_view.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_MS INT64_C(1000000000000)
#define RECORDS_MAX 256
#define REQUEST_ITEMS_MAX 16

/* ---- a turn in memory */

struct kept {
    struct record record;
    struct buffer body;
    struct buffer subject;
};

struct turn {
    void *service;
    struct memory_view *memory;
    struct view view;
    int64_t now_ms;
    int64_t wall_ms;
    uint64_t seq;
    struct kept kept[RECORDS_MAX];
    size_t kept_count;
};

const struct view *turn_view(struct turn *turn)
{
    return &turn->view;
}

int64_t turn_now(const struct turn *turn)
{
    return turn->now_ms;
}

int64_t turn_wall(const struct turn *turn)
{
    return turn->wall_ms;
}

void turn_now_raise(struct turn *turn, int64_t now_ms)
{
    turn->now_ms = now_ms > turn->now_ms ? now_ms : turn->now_ms;
}

uint64_t turn_next_seq(const struct turn *turn)
{
    return turn->seq + 1;
}

static struct span copy_into(struct buffer *buffer, struct span bytes)
{
    buffer_init(buffer, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(buffer_append(buffer, bytes), STATUS_OK);
    return buffer_span(buffer);
}

static void record_keep(struct turn *turn, const struct record *record)
{
    ck_assert_uint_lt(turn->kept_count, RECORDS_MAX);
    struct kept *kept = &turn->kept[turn->kept_count++];
    kept->record = *record;
    if (record->is_private) {
        kept->record.private_record = copy_into(&kept->body, record->private_record);
    } else {
        kept->record.fact.body = copy_into(&kept->body, record->fact.body);
        kept->record.fact.subject.bytes = copy_into(&kept->subject, record->fact.subject.bytes);
    }
    struct change change = memory_view_writer(turn->memory);
    ingestion_definition.evolve(turn->service, &change, &kept->record);
}

uint64_t turn_emit(struct turn *turn, struct fact *fact)
{
    fact->seq = ++turn->seq;
    fact->recorded_at_ms = turn->now_ms;
    struct record record = { .fact = *fact };
    record_keep(turn, &record);
    return fact->seq;
}

void turn_record(struct turn *turn, struct span record)
{
    struct record kept = { .is_private = true, .private_record = record };
    record_keep(turn, &kept);
}

/* ---- the fixture */

static struct turn turn;
static struct suite_config config;
static const uint8_t suite_key[32] = { 1, 2, 3 };
static struct arena arena;
static struct buffer body;
static struct buffer answer;
static struct refusal refusal;

static void *service_open(enum suite_clock clock)
{
    config = (struct suite_config){ .clock = clock };
    struct service_environment environment = {
        .config = &config,
        .suite_key = span_of(suite_key, sizeof suite_key),
    };
    void *service = NULL;
    ck_assert_int_eq(ingestion_definition.open(&service, &environment, &refusal), STATUS_OK);
    return service;
}

static void begin(enum suite_clock clock)
{
    turn = (struct turn){ .now_ms = clock == SUITE_CLOCK_WALL ? WALL_MS : 0, .wall_ms = WALL_MS };
    memory_view_open(&turn.memory);
    turn.view = memory_view_reader(turn.memory);
    turn.service = service_open(clock);
    arena_init(&arena, 1024 * 1024);
    buffer_init(&body, LIMIT_BODY_BYTES);
    buffer_init(&answer, LIMIT_BODY_BYTES);
}

static void setup_wall(void)
{
    begin(SUITE_CLOCK_WALL);
}

static void setup_event(void)
{
    begin(SUITE_CLOCK_EVENT);
}

static void replay_assert_equal(void)
{
    struct memory_view *memory = NULL;
    memory_view_open(&memory);
    struct change change = memory_view_writer(memory);
    void *service = service_open(SUITE_CLOCK_WALL);
    for (size_t i = 0; i < turn.kept_count; i++) {
        ingestion_definition.evolve(service, &change, &turn.kept[i].record);
    }
    ck_assert(memory_view_equal(memory, turn.memory));
    ingestion_definition.close(&service);
    memory_view_close(&memory);
}

static void teardown(void)
{
    replay_assert_equal();
    for (size_t i = 0; i < turn.kept_count; i++) {
        buffer_release(&turn.kept[i].body);
        buffer_release(&turn.kept[i].subject);
    }
    ingestion_definition.close(&turn.service);
    memory_view_close(&turn.memory);
    arena_release(&arena);
    buffer_release(&body);
    buffer_release(&answer);
}

/* ---- asking */

static const struct service_method *method_find(const char *name)
{
    const struct service_method *methods = ingestion_definition.methods;
    size_t i = 0;
    while (i < ingestion_definition.method_count && strcmp(methods[i].name, name) != 0) {
        i += 1;
    }
    ck_assert_uint_lt(i, ingestion_definition.method_count);
    return &methods[i];
}

/* Sends a request; whoever refuses, or only asks, has changed nothing. */
static enum status ask(const char *method, const ProtobufCMessage *message)
{
    buffer_clear(&body);
    buffer_clear(&answer);
    refusal_init(&refusal);
    ck_assert_int_eq(pb_pack(message, &body), STATUS_OK);
    const struct service_method *found = method_find(method);
    struct reply reply = { .body = &answer, .refusal = &refusal };
    size_t kept_before = turn.kept_count;
    uint64_t writes_before = memory_view_writes(turn.memory);
    enum status status = found->handle(turn.service, &turn, buffer_span(&body), &reply);
    bool may_change = status == STATUS_OK && found->is_command;
    ck_assert(may_change || turn.kept_count == kept_before);
    ck_assert(may_change || memory_view_writes(turn.memory) == writes_before);
    ck_assert_int_eq(status != STATUS_OK, refusal.status != STATUS_OK);
    return status;
}

/* An item in a few words: a `row` is raw. */
struct sample {
    const char *id;
    const char *customer;
    int64_t occurred_at_ms;
    uint32_t version; /* makes another content */
    const char *row;
};

static struct span sample_encode(const struct sample *sample, struct buffer *out)
{
    struct event event = {
        .source = span_of_text("till"),
        .id = span_of_text(sample->id),
        .type = span_of_text(EVENT_RATING),
        .customer = span_of_text(sample->customer),
        .occurred_at_ms = sample->occurred_at_ms,
        .schema_version = sample->version,
    };
    buffer_init(out, LIMIT_EVENT_BYTES);
    ck_assert_int_eq(event_encode(&event, out), STATUS_OK);
    return buffer_span(out);
}

static char text_till[] = "till";
static char text_reason[] = "no date";

/* One request, with its parts. */
struct asked {
    Kith__V1__IngestItem items[REQUEST_ITEMS_MAX];
    Kith__V1__IngestItem *places[REQUEST_ITEMS_MAX];
    Kith__V1__RawRow raws[REQUEST_ITEMS_MAX];
    struct buffer events[REQUEST_ITEMS_MAX];
    char ids[REQUEST_ITEMS_MAX][16];
};

static void item_fill(struct asked *asked, size_t i, const struct sample *sample)
{
    kith__v1__ingest_item__init(&asked->items[i]);
    asked->places[i] = &asked->items[i];
    if (sample->row == NULL) {
        asked->items[i].item_case = KITH__V1__INGEST_ITEM__ITEM_EVENT;
        asked->items[i].event = pb_bytes(sample_encode(sample, &asked->events[i]));
        return;
    }
    kith__v1__raw_row__init(&asked->raws[i]);
    (void)snprintf(asked->ids[i], sizeof asked->ids[i], "%s", sample->id);
    asked->raws[i].source = text_till;
    asked->raws[i].id = asked->ids[i];
    asked->raws[i].has_bytes = true;
    asked->raws[i].bytes = pb_bytes(span_of_text(sample->row));
    asked->raws[i].reason = text_reason;
    asked->items[i].item_case = KITH__V1__INGEST_ITEM__ITEM_RAW;
    asked->items[i].raw = &asked->raws[i];
}

static enum status ingest_run(const struct sample *samples, size_t count, char *run,
                              uint64_t run_batch)
{
    ck_assert_uint_le(count, REQUEST_ITEMS_MAX);
    struct asked asked = { .places = { NULL } };
    Kith__V1__IngestRequest request = KITH__V1__INGEST_REQUEST__INIT;
    request.n_items = count;
    request.items = asked.places;
    request.run = run;
    request.has_run_batch = run != NULL;
    request.run_batch = run_batch;
    for (size_t i = 0; i < count; i++) {
        item_fill(&asked, i, &samples[i]);
    }
    enum status status = ask("ingestion.Ingest", &request.base);
    for (size_t i = 0; i < count; i++) {
        buffer_release(&asked.events[i]);
    }
    return status;
}

static Kith__V1__IngestReply *ingest(const struct sample *samples, size_t count)
{
    ck_assert_int_eq(ingest_run(samples, count, NULL, 0), STATUS_OK);
    arena_reset(&arena);
    Kith__V1__IngestReply *reply =
        pb_unpack(&kith__v1__ingest_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    return reply;
}

static void ingest_one(const struct sample *sample, unsigned outcome, uint64_t seq)
{
    const Kith__V1__IngestReply *reply = ingest(sample, 1);
    ck_assert_uint_eq(reply->n_results, 1);
    ck_assert_uint_eq((unsigned)reply->results[0]->outcome, outcome);
    ck_assert_uint_eq(reply->results[0]->first_seq, seq);
}

static const struct fact *fact_at(size_t index)
{
    ck_assert_uint_lt(index, turn.kept_count);
    ck_assert(!turn.kept[index].record.is_private);
    return &turn.kept[index].record.fact;
}

#define ACCEPTED KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED
#define DUPLICATE KITH__V1__INGEST_OUTCOME__INGEST_DUPLICATE
#define REJECTED KITH__V1__INGEST_OUTCOME__INGEST_REJECTED
#define INVALID KITH__V1__INGEST_OUTCOME__INGEST_INVALID

/* ---- batches */

START_TEST(items_of_a_batch_see_those_before_them)
{
    const struct sample samples[] = {
        { "1", "anna", WALL_MS, 1, NULL },
        { "2", "anna", WALL_MS, 1, NULL },
        { "1", "anna", WALL_MS, 1, NULL },
        { "1", "anna", WALL_MS, 2, NULL },
        { "1", "anna", WALL_MS, 2, NULL },
        { "", "anna", WALL_MS, 1, NULL },
        { "3", "bert", WALL_MS * 2, 1, NULL },
        { "4", "", 0, 0, "a;b" },
        { "4", "", 0, 0, "a;b" },
        { "5", "bert", WALL_MS, 1, NULL },
    };
    static const struct {
        unsigned outcome;
        uint64_t seq;
        uint32_t count;
    } wanted[] = { { ACCEPTED, 1, 2 },  { DUPLICATE, 1, 1 }, { REJECTED, 3, 1 },
                   { DUPLICATE, 3, 1 }, { INVALID, 0, 1 },   { REJECTED, 4, 2 },
                   { DUPLICATE, 5, 1 }, { ACCEPTED, 6, 1 } };
    const Kith__V1__IngestReply *reply = ingest(samples, sizeof samples / sizeof samples[0]);
    ck_assert_uint_eq(reply->n_results, sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < reply->n_results; i++) {
        ck_assert_uint_eq((unsigned)reply->results[i]->outcome, wanted[i].outcome);
        ck_assert_uint_eq(reply->results[i]->first_seq, wanted[i].seq);
        ck_assert_uint_eq(reply->results[i]->count, wanted[i].count);
    }
    ck_assert_str_eq(reply->results[4]->violations[0]->field, "id");
    ck_assert_uint_eq(turn.seq, 6);
}
END_TEST

START_TEST(an_accepted_fact_says_all_that_its_readers_need)
{
    const struct sample samples[] = { { "1", "anna", WALL_MS - 5, 1, NULL },
                                      { "2", "anna", WALL_MS - 9, 1, NULL } };
    (void)ingest(samples, 2);
    struct buffer encoded = { .limit = LIMIT_EVENT_BYTES };
    struct hash128 hash = hash128_of_span(sample_encode(&samples[0], &encoded));
    for (size_t i = 0; i < 2; i++) {
        const struct fact *fact = fact_at(i);
        ck_assert_uint_eq(fact->type, FACT_EVENT_ACCEPTED);
        ck_assert_uint_eq(fact->version, 1);
        ck_assert_uint_eq(fact->cause, fact->seq);
        ck_assert_int_eq(fact->recorded_at_ms, WALL_MS);
        ck_assert(fact->has_customer);
        ck_assert(
            customer_id_equal(fact->customer, customer_id_of(span_of(suite_key, sizeof suite_key),
                                                             "customer", span_of_text("anna"))));
        ck_assert_uint_eq(fact->subject.key_id, 0);
        ck_assert(span_equal(fact->subject.bytes, span_of_text("anna")));
        struct accepted_event accepted = { .attribute_count = 0 };
        ck_assert_int_eq(accepted_event_decode(fact->body, &arena, &accepted), STATUS_OK);
        ck_assert_int_eq(accepted.new_customer, i == 0);
        ck_assert_int_eq(accepted.occurred_at_ms, samples[i].occurred_at_ms);
        ck_assert_int_eq(hash128_equal(accepted.content_hash, hash), i == 0);
    }
    buffer_release(&encoded);
}
END_TEST

static bool fact_has_new_customer(size_t index)
{
    struct accepted_event accepted = { .attribute_count = 0 };
    ck_assert_int_eq(accepted_event_decode(fact_at(index)->body, NULL, &accepted), STATUS_OK);
    return accepted.new_customer;
}

/* A service that was started anew remembers nobody and looks into the state. */
START_TEST(a_customer_is_new_once_remembered_or_not)
{
    const struct sample samples[] = {
        { "1", "anna", WALL_MS, 1, NULL }, { "2", "anna", WALL_MS, 1, NULL },
        { "3", "bert", WALL_MS, 1, NULL }, { "4", "anna", WALL_MS, 1, NULL },
        { "5", "bert", WALL_MS, 1, NULL }, { "6", "carl", WALL_MS, 1, NULL },
    };
    static const bool is_new[] = { true, false, true, false, false, true };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        if (i % 3 == 0) {
            ingestion_definition.close(&turn.service);
            turn.service = service_open(SUITE_CLOCK_WALL);
        }
        ingest_one(&samples[i], ACCEPTED, i + 1);
        ck_assert_int_eq(fact_has_new_customer(i), is_new[i]);
    }
}
END_TEST

START_TEST(what_is_invalid_leaves_nothing)
{
    const struct sample sample = { "1", "", WALL_MS, 1, NULL };
    ingest_one(&sample, INVALID, 0);
    ck_assert_uint_eq(turn.kept_count, 0);
}
END_TEST

START_TEST(a_batch_that_is_malformed_leaves_nothing)
{
    ck_assert_int_eq(ingest_run(NULL, 0, NULL, 0), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "items");
}
END_TEST

START_TEST(a_run_goes_on_batch_by_batch)
{
    const struct sample samples[] = { { "1", "anna", WALL_MS, 1, NULL },
                                      { "2", "anna", WALL_MS, 1, NULL },
                                      { "", "anna", WALL_MS, 1, NULL } };
    ck_assert_int_eq(ingest_run(&samples[0], 1, text_till, 2), STATUS_ABORTED);
    ck_assert_int_eq(ingest_run(&samples[0], 1, text_till, 1), STATUS_OK);
    ck_assert_int_eq(ingest_run(&samples[0], 1, text_till, 1), STATUS_REFUSED);
    ck_assert_int_eq(ingest_run(&samples[1], 1, text_till, 3), STATUS_ABORTED);
    ck_assert_str_eq(refusal.message, "batch 3 of run till came before batch 2: send 2 first");
    ck_assert_int_eq(ingest_run(&samples[1], 1, text_till, 2), STATUS_OK);
    /* A batch of which nothing is kept is a batch all the same. */
    ck_assert_int_eq(ingest_run(&samples[2], 1, text_till, 3), STATUS_OK);
    ck_assert_int_eq(ingest_run(&samples[2], 1, text_till, 4), STATUS_OK);
    ck_assert_uint_eq(turn.seq, 2);
}
END_TEST

/* ---- the event clock */

START_TEST(accepted_events_move_the_clock_and_others_do_not)
{
    static const struct {
        struct sample sample;
        unsigned outcome;
        int64_t now_ms;
    } rows[] = {
        { { "1", "anna", 5000, 1, NULL }, ACCEPTED, 5000 },
        { { "2", "anna", 4000, 1, NULL }, ACCEPTED, 5000 },
        { { "2", "anna", 9000, 1, NULL }, REJECTED, 5000 },
        { { "3", "anna", WALL_MS + LIMIT_FUTURE_MS + 1, 1, NULL }, REJECTED, 5000 },
        { { "1", "anna", 5000, 1, NULL }, DUPLICATE, 5000 },
        { { "", "anna", 9000, 1, NULL }, INVALID, 5000 },
        { { "4", "anna", 6000, 1, NULL }, ACCEPTED, 6000 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const Kith__V1__IngestReply *reply = ingest(&rows[i].sample, 1);
        ck_assert_uint_eq((unsigned)reply->results[0]->outcome, rows[i].outcome);
        ck_assert_int_eq(turn.now_ms, rows[i].now_ms);
    }
    ck_assert_int_eq(fact_at(0)->recorded_at_ms, 5000);
    ck_assert_int_eq(fact_at(turn.kept_count - 1)->recorded_at_ms, 6000);
}
END_TEST

START_TEST(the_clock_is_advanced_by_a_fact)
{
    Kith__V1__AdvanceClockRequest request = KITH__V1__ADVANCE_CLOCK_REQUEST__INIT;
    request.has_to_ms = true;
    request.to_ms = 7000;
    ck_assert_int_eq(ask("ingestion.AdvanceClock", &request.base), STATUS_OK);
    const Kith__V1__AdvanceClockReply *reply =
        pb_unpack(&kith__v1__advance_clock_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(reply->now_ms, 7000);
    ck_assert_uint_eq(reply->seq, 1);
    ck_assert_uint_eq(fact_at(0)->type, FACT_CLOCK_ADVANCED);
    ck_assert_uint_eq(fact_at(0)->cause, 1);
    ck_assert_int_eq(fact_at(0)->recorded_at_ms, 7000);
    request.has_to_ms = false;
    request.has_by_ms = true;
    request.by_ms = 500;
    ck_assert_int_eq(ask("ingestion.AdvanceClock", &request.base), STATUS_OK);
    ck_assert_int_eq(turn.now_ms, 7500);
    request.by_ms = -1;
    ck_assert_int_eq(ask("ingestion.AdvanceClock", &request.base), STATUS_REFUSED);
    ck_assert_int_eq(turn.now_ms, 7500);
}
END_TEST

START_TEST(the_wall_clock_is_nobodys_to_set)
{
    Kith__V1__AdvanceClockRequest request = KITH__V1__ADVANCE_CLOCK_REQUEST__INIT;
    request.has_by_ms = true;
    request.by_ms = 500;
    ck_assert_int_eq(ask("ingestion.AdvanceClock", &request.base), STATUS_REFUSED);
    ck_assert_int_eq(turn.now_ms, WALL_MS);
    const struct sample sample = { "1", "anna", WALL_MS + 1000, 1, NULL };
    ingest_one(&sample, ACCEPTED, 1);
    ck_assert_int_eq(turn.now_ms, WALL_MS);
}
END_TEST

/* ---- the quarantine */

static enum status retry(uint64_t entry, const struct sample *replacement)
{
    struct buffer encoded = { .limit = LIMIT_EVENT_BYTES };
    Kith__V1__QuarantineRetryRequest request = KITH__V1__QUARANTINE_RETRY_REQUEST__INIT;
    request.has_entry = true;
    request.entry = entry;
    request.has_event = replacement != NULL;
    if (replacement != NULL) {
        request.event = pb_bytes(sample_encode(replacement, &encoded));
    }
    enum status status = ask("ingestion.QuarantineRetry", &request.base);
    buffer_release(&encoded);
    return status;
}

static enum status drop(uint64_t entry)
{
    Kith__V1__QuarantineDropRequest request = KITH__V1__QUARANTINE_DROP_REQUEST__INIT;
    request.has_entry = true;
    request.entry = entry;
    return ask("ingestion.QuarantineDrop", &request.base);
}

static uint64_t entries_open(void)
{
    Kith__V1__QuarantineListRequest request = KITH__V1__QUARANTINE_LIST_REQUEST__INIT;
    ck_assert_int_eq(ask("ingestion.QuarantineList", &request.base), STATUS_OK);
    arena_reset(&arena);
    const Kith__V1__QuarantineListReply *reply =
        pb_unpack(&kith__v1__quarantine_list_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_entries, reply->total);
    return reply->total;
}

static void closed_assert(bool accepted)
{
    const struct fact *fact = fact_at(turn.kept_count - 1);
    ck_assert_uint_eq(fact->type, FACT_QUARANTINE_CLOSED);
    ck_assert_uint_eq(fact->cause, fact->seq);
    const Kith__V1__QuarantineClosed *closed =
        pb_unpack(&kith__v1__quarantine_closed__descriptor, &arena, fact->body);
    ck_assert_ptr_nonnull(closed);
    ck_assert_uint_eq(closed->entry, 1);
    ck_assert_int_eq(closed->accepted, accepted);
}

START_TEST(a_future_event_is_accepted_when_its_time_has_come)
{
    const struct sample sample = { "1", "anna", WALL_MS + LIMIT_FUTURE_MS + 1, 1, NULL };
    ingest_one(&sample, REJECTED, 1);
    ck_assert_uint_eq(entries_open(), 1);
    ck_assert_int_eq(retry(1, NULL), STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "more than 5 minutes after"));
    turn.wall_ms += 1;
    ck_assert_int_eq(retry(1, NULL), STATUS_OK);
    const Kith__V1__QuarantineRetryReply *reply =
        pb_unpack(&kith__v1__quarantine_retry_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->result->first_seq, 2);
    ck_assert_uint_eq(fact_at(1)->type, FACT_EVENT_ACCEPTED);
    closed_assert(true);
    ck_assert_uint_eq(entries_open(), 0);
    ck_assert_int_eq(retry(1, NULL), STATUS_NOT_FOUND);
    ingest_one(&sample, DUPLICATE, 2);
}
END_TEST

START_TEST(a_reused_id_gets_in_under_another_id)
{
    const struct sample first = { "1", "anna", WALL_MS, 1, NULL };
    const struct sample other = { "1", "anna", WALL_MS, 2, NULL };
    const struct sample mended = { "1b", "anna", WALL_MS, 2, NULL };
    const struct sample invalid = { "1b", "", WALL_MS, 2, NULL };
    ingest_one(&first, ACCEPTED, 1);
    ingest_one(&other, REJECTED, 2);
    ingest_one(&other, DUPLICATE, 2);
    ck_assert_int_eq(retry(1, NULL), STATUS_REFUSED);
    ck_assert_int_eq(retry(1, &first), STATUS_REFUSED);
    ck_assert_int_eq(retry(1, &invalid), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "customer");
    ck_assert_uint_eq(entries_open(), 1);
    ck_assert_int_eq(retry(1, &mended), STATUS_OK);
    closed_assert(true);
    ingest_one(&mended, DUPLICATE, 3);
    ingest_one(&other, DUPLICATE, 2);
    ck_assert_uint_eq(entries_open(), 0);
}
END_TEST

START_TEST(a_raw_row_needs_a_replacement)
{
    const struct sample row = { "1", "", 0, 0, "a;b" };
    const struct sample meant = { "1", "anna", WALL_MS, 1, NULL };
    ingest_one(&row, REJECTED, 1);
    ck_assert_int_eq(retry(1, NULL), STATUS_REFUSED);
    ck_assert_int_eq(retry(1, &meant), STATUS_OK);
    closed_assert(true);
    ingest_one(&row, DUPLICATE, 1);
}
END_TEST

START_TEST(what_is_dropped_does_not_come_back)
{
    const struct sample row = { "1", "", 0, 0, "a;b" };
    ck_assert_int_eq(drop(1), STATUS_NOT_FOUND);
    ingest_one(&row, REJECTED, 1);
    ck_assert_int_eq(drop(1), STATUS_OK);
    closed_assert(false);
    ck_assert_uint_eq(answer.size, 0);
    ck_assert_int_eq(drop(1), STATUS_NOT_FOUND);
    ingest_one(&row, DUPLICATE, 1);
    ck_assert_uint_eq(entries_open(), 0);
}
END_TEST

START_TEST(an_entry_shows_the_bytes_that_came)
{
    const struct sample row = { "1", "", 0, 0, "a;b" };
    ingest_one(&row, REJECTED, 1);
    Kith__V1__QuarantineListRequest request = KITH__V1__QUARANTINE_LIST_REQUEST__INIT;
    request.has_entry = true;
    request.entry = 1;
    ck_assert_int_eq(ask("ingestion.QuarantineShow", &request.base), STATUS_OK);
    const Kith__V1__QuarantineListReply *reply =
        pb_unpack(&kith__v1__quarantine_list_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_entries, 1);
    ck_assert_str_eq(reply->entries[0]->explanation, "no date");
    ck_assert(span_equal(pb_span(reply->entries[0]->content), span_of_text("a;b")));
    ck_assert_int_eq(reply->entries[0]->recorded_at_ms, WALL_MS);
    request.entry = 2;
    ck_assert_int_eq(ask("ingestion.QuarantineShow", &request.base), STATUS_NOT_FOUND);
}
END_TEST

int main(void)
{
    TCase *wall = tcase_create("under the wall clock");
    tcase_add_checked_fixture(wall, setup_wall, teardown);
    tcase_add_test(wall, items_of_a_batch_see_those_before_them);
    tcase_add_test(wall, an_accepted_fact_says_all_that_its_readers_need);
    tcase_add_test(wall, a_customer_is_new_once_remembered_or_not);
    tcase_add_test(wall, what_is_invalid_leaves_nothing);
    tcase_add_test(wall, a_batch_that_is_malformed_leaves_nothing);
    tcase_add_test(wall, a_run_goes_on_batch_by_batch);
    tcase_add_test(wall, the_wall_clock_is_nobodys_to_set);
    tcase_add_test(wall, a_future_event_is_accepted_when_its_time_has_come);
    tcase_add_test(wall, a_reused_id_gets_in_under_another_id);
    tcase_add_test(wall, a_raw_row_needs_a_replacement);
    tcase_add_test(wall, what_is_dropped_does_not_come_back);
    tcase_add_test(wall, an_entry_shows_the_bytes_that_came);
    TCase *event = tcase_create("under the event clock");
    tcase_add_checked_fixture(event, setup_event, teardown);
    tcase_add_test(event, accepted_events_move_the_clock_and_others_do_not);
    tcase_add_test(event, the_clock_is_advanced_by_a_fact);
    Suite *suite = suite_create("ingestion service");
    suite_add_tcase(suite, wall);
    suite_add_tcase(suite, event);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
