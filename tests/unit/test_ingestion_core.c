#include "services/ingestion/ingestion_core.h"
#include "tests/support/memory_view.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define WALL_MS INT64_C(1000000000000)

static struct memory_view *memory;
static struct refusal refusal;

static void setup(void)
{
    memory_view_open(&memory);
    refusal_init(&refusal);
}

static void teardown(void)
{
    memory_view_close(&memory);
}

static struct hash128 hash_of(const char *text)
{
    return hash128_of_span(span_of_text(text));
}

static struct customer_id customer_of(const char *name)
{
    static const uint8_t key[32] = { 7 };
    return customer_id_of(span_of(key, sizeof key), "customer", span_of_text(name));
}

/* An event in four words. */
struct sample {
    const char *id;
    const char *content;
    const char *customer;
    int64_t occurred_at_ms;
};

static struct ingestion_candidate candidate_of(const struct sample *sample, struct event *event)
{
    *event = (struct event){
        .source = span_of_text("till"),
        .id = span_of_text(sample->id),
        .occurred_at_ms = sample->occurred_at_ms,
    };
    return (struct ingestion_candidate){
        .event = event,
        .key = ingestion_event_key_of(event->source, event->id),
        .content_hash = hash_of(sample->content),
        .customer = customer_of(sample->customer),
    };
}

static struct ingestion_verdict decide(const struct sample *sample)
{
    struct event event = { .attribute_count = 0 };
    struct ingestion_candidate candidate = candidate_of(sample, &event);
    struct view view = memory_view_reader(memory);
    return ingestion_event_decide(&view, &candidate, WALL_MS);
}

static void accept_sample(const struct sample *sample, uint64_t seq)
{
    struct event event = { .attribute_count = 0 };
    struct ingestion_candidate candidate = candidate_of(sample, &event);
    struct ingestion_verdict verdict = decide(sample);
    ck_assert_int_eq(verdict.outcome, INGESTION_ACCEPTED);
    struct ingestion_accepted accepted = {
        .key = candidate.key,
        .content_hash = candidate.content_hash,
        .customer = candidate.customer,
        .new_customer = verdict.new_customer,
        .seq = seq,
    };
    struct change change = memory_view_writer(memory);
    ingestion_accepted_evolve(&change, &accepted);
}

static struct ingestion_entry entry_of(uint64_t number, uint64_t seq, const char *id,
                                       struct span content)
{
    return (struct ingestion_entry){
        .number = number,
        .seq = seq,
        .reason = INGESTION_ID_REUSED,
        .recorded_at_ms = WALL_MS,
        .content_hash = hash128_of_span(content),
        .content_size = content.size,
        .source = span_of_text("till"),
        .id = span_of_text(id),
        .explanation = span_of_text("because"),
    };
}

static void quarantine(uint64_t number, uint64_t seq, const char *id, struct span content)
{
    struct ingestion_entry entry = entry_of(number, seq, id, content);
    struct change change = memory_view_writer(memory);
    ingestion_quarantined_evolve(&change, &entry, content);
}

/* ---- what becomes of an event */

/* Before each row: (a, one) of anna stands at 5; (a, two) is entry 1 with its fact at 6;
 * (f, later) is entry 2 with its fact at 7. */
struct decide_row {
    const char *name;
    struct sample sample;
    enum ingestion_outcome outcome;
    uint64_t known_seq;
    enum ingestion_reason reason;
    bool new_customer;
};

static const struct decide_row decide_rows[] = {
    { "a new id of a known customer is accepted",
      { "b", "one", "anna", WALL_MS },
      INGESTION_ACCEPTED,
      0,
      0,
      false },
    { "a new customer is told", { "b", "one", "bert", WALL_MS }, INGESTION_ACCEPTED, 0, 0, true },
    { "the same content is a duplicate of the first",
      { "a", "one", "anna", WALL_MS },
      INGESTION_DUPLICATE,
      5,
      0,
      false },
    { "a duplicate is one whatever the clock says",
      { "a", "one", "anna", WALL_MS + LIMIT_FUTURE_MS + 1 },
      INGESTION_DUPLICATE,
      5,
      0,
      false },
    { "other content under the id is rejected",
      { "a", "three", "anna", WALL_MS },
      INGESTION_REJECTED,
      5,
      INGESTION_ID_REUSED,
      false },
    { "the same wrong content is a duplicate of its entry",
      { "a", "two", "anna", WALL_MS },
      INGESTION_DUPLICATE,
      6,
      0,
      false },
    { "an id that was reused comes before its date",
      { "a", "three", "anna", WALL_MS + LIMIT_FUTURE_MS + 1 },
      INGESTION_REJECTED,
      5,
      INGESTION_ID_REUSED,
      false },
    { "five minutes ahead is accepted",
      { "b", "one", "bert", WALL_MS + LIMIT_FUTURE_MS },
      INGESTION_ACCEPTED,
      0,
      0,
      true },
    { "later than five minutes ahead is rejected",
      { "b", "one", "bert", WALL_MS + LIMIT_FUTURE_MS + 1 },
      INGESTION_REJECTED,
      0,
      INGESTION_FUTURE,
      false },
    { "the same future event is a duplicate of its entry",
      { "f", "later", "bert", WALL_MS + LIMIT_FUTURE_MS + 1 },
      INGESTION_DUPLICATE,
      7,
      0,
      false },
    { "what was future is accepted when its time has come",
      { "f", "later", "bert", WALL_MS },
      INGESTION_ACCEPTED,
      0,
      0,
      true },
    { "the oldest date is accepted",
      { "b", "one", "anna", LIMIT_TIME_LEAST_MS },
      INGESTION_ACCEPTED,
      0,
      0,
      false },
};

static void rows_setup(void)
{
    struct sample first = { "a", "one", "anna", WALL_MS };
    accept_sample(&first, 5);
    quarantine(1, 6, "a", span_of_text("two"));
    quarantine(2, 7, "f", span_of_text("later"));
}

START_TEST(each_event_gets_its_verdict)
{
    const struct decide_row *row = &decide_rows[_i];
    rows_setup();
    uint64_t writes = memory_view_writes(memory);
    struct ingestion_verdict verdict = decide(&row->sample);
    ck_assert_msg(verdict.outcome == row->outcome, "%s: outcome %d", row->name,
                  (int)verdict.outcome);
    ck_assert_msg(verdict.known_seq == row->known_seq, "%s: seq %d", row->name,
                  (int)verdict.known_seq);
    ck_assert_msg(verdict.reason == row->reason, "%s: reason %d", row->name, (int)verdict.reason);
    ck_assert_msg(verdict.new_customer == row->new_customer, "%s: new customer", row->name);
    ck_assert_msg(memory_view_writes(memory) == writes, "%s: decide changed state", row->name);
}
END_TEST

START_TEST(an_id_belongs_to_its_source)
{
    rows_setup();
    struct event event = { .attribute_count = 0 };
    struct sample sample = { "a", "one", "anna", WALL_MS };
    struct ingestion_candidate candidate = candidate_of(&sample, &event);
    event.source = span_of_text("web");
    candidate.key = ingestion_event_key_of(event.source, event.id);
    struct view view = memory_view_reader(memory);
    struct ingestion_verdict verdict = ingestion_event_decide(&view, &candidate, WALL_MS);
    ck_assert_int_eq(verdict.outcome, INGESTION_ACCEPTED);
}
END_TEST

START_TEST(source_and_id_do_not_run_together)
{
    struct ingestion_event_key left = ingestion_event_key_of(span_of_text("ab"), span_of_text("c"));
    struct ingestion_event_key right =
        ingestion_event_key_of(span_of_text("a"), span_of_text("bc"));
    ck_assert(!hash128_equal(left.hash, right.hash));
}
END_TEST

START_TEST(the_memo_says_what_the_hash_says)
{
    static const char *const ids[] = { "1", "1", "2", "12", "1", "" };
    struct ingestion_key_memo memo = { .is_set = false };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        for (size_t k = 0; k < sizeof ids / sizeof ids[0]; k++) {
            struct ingestion_event_key got =
                ingestion_key_memo_event(&memo, span_of_text(ids[i]), span_of_text(ids[k]));
            struct ingestion_event_key want =
                ingestion_event_key_of(span_of_text(ids[i]), span_of_text(ids[k]));
            ck_assert(hash128_equal(got.hash, want.hash));
        }
    }
}
END_TEST

START_TEST(a_customer_keeps_the_first_seq)
{
    struct sample first = { "a", "one", "anna", WALL_MS };
    struct sample second = { "b", "one", "anna", WALL_MS };
    accept_sample(&first, 5);
    accept_sample(&second, 6);
    ck_assert_uint_eq(memory_view_count(memory, INGESTION_TABLE_EVENT), 2);
    ck_assert_uint_eq(memory_view_count(memory, INGESTION_TABLE_CUSTOMER), 1);
    struct view view = memory_view_reader(memory);
    ck_assert(ingestion_customer_is_known(&view, customer_of("anna")));
    ck_assert(!ingestion_customer_is_known(&view, customer_of("bert")));
}
END_TEST

START_TEST(a_raw_row_is_kept_once)
{
    struct view view = memory_view_reader(memory);
    struct span source = span_of_text("till");
    struct span row = span_of_text("a;b;c");
    struct ingestion_verdict verdict =
        ingestion_raw_decide(&view, source, span_of_text("9"), hash128_of_span(row));
    ck_assert_int_eq(verdict.outcome, INGESTION_REJECTED);
    ck_assert_int_eq(verdict.reason, INGESTION_UNREADABLE);
    quarantine(1, 4, "9", row);
    verdict = ingestion_raw_decide(&view, source, span_of_text("9"), hash128_of_span(row));
    ck_assert_int_eq(verdict.outcome, INGESTION_DUPLICATE);
    ck_assert_uint_eq(verdict.known_seq, 4);
    verdict = ingestion_raw_decide(&view, source, span_of_text("8"), hash128_of_span(row));
    ck_assert_int_eq(verdict.outcome, INGESTION_REJECTED);
    verdict = ingestion_raw_decide(&view, source, span_of_text("9"), hash_of("a;b;d"));
    ck_assert_int_eq(verdict.outcome, INGESTION_REJECTED);
}
END_TEST

START_TEST(explanations_name_what_is_wrong)
{
    struct ingestion_verdict verdict = {
        .outcome = INGESTION_REJECTED,
        .reason = INGESTION_ID_REUSED,
        .known_seq = 12,
    };
    struct event event = { .occurred_at_ms = INT64_C(1893456000000) };
    ingestion_rejection_explain(&verdict, &event, WALL_MS, &refusal);
    ck_assert_ptr_nonnull(strstr(refusal.message, "position 12"));
    verdict.reason = INGESTION_FUTURE;
    ingestion_rejection_explain(&verdict, &event, WALL_MS, &refusal);
    ck_assert_ptr_nonnull(strstr(refusal.message, "2030-01-01T00:00:00Z"));
    ck_assert_ptr_nonnull(strstr(refusal.message, "2001-09-09T01:46:40Z"));
}
END_TEST

/* ---- the quarantine */

struct retry_row {
    const char *name;
    struct sample sample;
    enum status status;
    const char *sentence;
};

static const struct retry_row retry_rows[] = {
    { "a new id of its own is accepted", { "c", "two", "anna", WALL_MS }, STATUS_OK, "" },
    { "the entry's own content, when nothing speaks against it any more",
      { "f", "later", "bert", WALL_MS },
      STATUS_OK,
      "" },
    { "the reused id again is refused",
      { "a", "two", "anna", WALL_MS },
      STATUS_REFUSED,
      "has other content" },
    { "the event that was first is refused",
      { "a", "one", "anna", WALL_MS },
      STATUS_REFUSED,
      "accepted at position 5: drop the entry" },
    { "a date too far ahead is refused",
      { "c", "two", "anna", WALL_MS + LIMIT_FUTURE_MS + 1 },
      STATUS_REFUSED,
      "more than 5 minutes after" },
};

START_TEST(each_retry_gets_its_verdict)
{
    const struct retry_row *row = &retry_rows[_i];
    rows_setup();
    struct event event = { .attribute_count = 0 };
    struct ingestion_candidate candidate = candidate_of(&row->sample, &event);
    struct ingestion_verdict verdict = { .outcome = INGESTION_INVALID };
    struct view view = memory_view_reader(memory);
    enum status status = ingestion_retry_decide(&view, &candidate, WALL_MS, &verdict, &refusal);
    ck_assert_msg(status == row->status, "%s: %d", row->name, (int)status);
    ck_assert_msg(strstr(refusal.message, row->sentence) != NULL, "%s: %s", row->name,
                  refusal.message);
    ck_assert_int_eq(verdict.outcome, status == STATUS_OK ? INGESTION_ACCEPTED : INGESTION_INVALID);
}
END_TEST

START_TEST(an_entry_comes_back_with_its_content)
{
    static const size_t sizes[] = { 1, INGESTION_PART_BYTES - 1, INGESTION_PART_BYTES,
                                    INGESTION_PART_BYTES + 1, LIMIT_EVENT_BYTES };
    static uint8_t bytes[LIMIT_EVENT_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    struct view view = memory_view_reader(memory);
    for (uint64_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct span content = span_of(bytes, sizes[i]);
        ck_assert_uint_eq(ingestion_entry_next(&view), i + 1);
        quarantine(i + 1, 10 + i, "a", content);
        struct ingestion_entry entry = { .number = 0 };
        ck_assert(ingestion_entry_load(&view, i + 1, &entry));
        ck_assert_uint_eq(entry.seq, 10 + i);
        ck_assert_int_eq(entry.reason, INGESTION_ID_REUSED);
        ck_assert_int_eq(entry.recorded_at_ms, WALL_MS);
        ck_assert(!entry.raw);
        ck_assert(hash128_equal(entry.content_hash, hash128_of_span(content)));
        ck_assert(span_equal(entry.source, span_of_text("till")));
        ck_assert(span_equal(entry.id, span_of_text("a")));
        ck_assert(span_equal(entry.explanation, span_of_text("because")));
        struct buffer loaded = { .limit = LIMIT_EVENT_BYTES };
        ck_assert_int_eq(ingestion_entry_content_load(&view, &entry, &loaded), STATUS_OK);
        ck_assert(span_equal(buffer_span(&loaded), content));
        buffer_release(&loaded);
    }
}
END_TEST

START_TEST(the_largest_entry_is_one_record)
{
    static char explanation[INGESTION_EXPLANATION_BYTES];
    static char id[LIMIT_ID_BYTES];
    memset(explanation, 'e', sizeof explanation);
    memset(id, 'i', sizeof id);
    struct ingestion_entry entry = entry_of(1, 1, "", span_of_text("row"));
    entry.raw = true;
    entry.reason = INGESTION_UNREADABLE;
    entry.source = span_of(id, sizeof id);
    entry.id = span_of(id, sizeof id);
    entry.explanation = span_of(explanation, sizeof explanation);
    struct change change = memory_view_writer(memory);
    ingestion_quarantined_evolve(&change, &entry, span_of_text("row"));
    struct ingestion_entry loaded = { .number = 0 };
    ck_assert(ingestion_entry_load(&change.view, 1, &loaded));
    ck_assert(loaded.raw);
    ck_assert_int_eq(loaded.reason, INGESTION_UNREADABLE);
    ck_assert_uint_eq(loaded.explanation.size, sizeof explanation);
    ck_assert_uint_eq(loaded.id.size, sizeof id);
    ck_assert_uint_eq(memory_view_count(memory, INGESTION_TABLE_QUARANTINE), 1);
}
END_TEST

START_TEST(a_closed_entry_is_gone_and_its_neighbours_are_not)
{
    static uint8_t bytes[3 * INGESTION_PART_BYTES];
    for (uint64_t i = 1; i <= 3; i++) {
        bytes[0] = (uint8_t)i;
        quarantine(i, i, "a", span_of(bytes, sizeof bytes));
    }
    struct change change = memory_view_writer(memory);
    ingestion_closed_evolve(&change, 2);
    struct ingestion_entry entry = { .number = 0 };
    ck_assert(!ingestion_entry_load(&change.view, 2, &entry));
    ck_assert_uint_eq(memory_view_count(memory, INGESTION_TABLE_QUARANTINE_PART), 6);
    ck_assert_uint_eq(ingestion_counters_load(&change.view).entries_open, 2);
    for (uint64_t i = 1; i <= 3; i += 2) {
        ck_assert(ingestion_entry_load(&change.view, i, &entry));
        struct buffer loaded = { .limit = LIMIT_EVENT_BYTES };
        ck_assert_int_eq(ingestion_entry_content_load(&change.view, &entry, &loaded), STATUS_OK);
        ck_assert_uint_eq(loaded.data[0], i);
        buffer_release(&loaded);
    }
    /* Numbers are never used again, and what was closed does not come back. */
    ck_assert_uint_eq(ingestion_entry_next(&change.view), 4);
    bytes[0] = 2;
    struct ingestion_verdict verdict =
        ingestion_raw_decide(&change.view, span_of_text("till"), span_of_text("a"),
                             hash128_of_span(span_of(bytes, sizeof bytes)));
    ck_assert_int_eq(verdict.outcome, INGESTION_DUPLICATE);
    ck_assert_uint_eq(verdict.known_seq, 2);
}
END_TEST

struct numbers {
    uint64_t seen[8];
    size_t count;
    size_t most;
};

static bool number_note(void *argument, const struct ingestion_entry *entry)
{
    struct numbers *numbers = argument;
    numbers->seen[numbers->count++] = entry->number;
    return numbers->count < numbers->most;
}

START_TEST(a_walk_begins_after_the_entry_named_and_ends_when_told)
{
    for (uint64_t i = 1; i <= 5; i++) {
        quarantine(i, i, "a", span_of_text("row"));
    }
    struct change change = memory_view_writer(memory);
    ingestion_closed_evolve(&change, 3);
    struct numbers numbers = { .most = 2 };
    ingestion_entries_walk(&change.view, 1, number_note, &numbers);
    ck_assert_uint_eq(numbers.count, 2);
    ck_assert_uint_eq(numbers.seen[0], 2);
    ck_assert_uint_eq(numbers.seen[1], 4);
    numbers = (struct numbers){ .most = 8 };
    ingestion_entries_walk(&change.view, 0, number_note, &numbers);
    ck_assert_uint_eq(numbers.count, 4);
    numbers = (struct numbers){ .most = 8 };
    ingestion_entries_walk(&change.view, 5, number_note, &numbers);
    ingestion_entries_walk(&change.view, UINT64_MAX, number_note, &numbers);
    ck_assert_uint_eq(numbers.count, 0);
}
END_TEST

/* ---- runs */

struct run_row {
    const char *name;
    const char *run;
    uint64_t batch;
    enum status status;
    const char *sentence;
};

/* Before each row: batches 1 to 3 of run x are taken. */
static const struct run_row run_rows[] = {
    { "the next batch", "x", 4, STATUS_OK, "" },
    { "a batch too early", "x", 5, STATUS_ABORTED,
      "batch 5 of run x came before batch 4: send 4 first" },
    { "the newest batch again", "x", 3, STATUS_REFUSED, "batch 3 of run x was taken before" },
    { "the first batch again", "x", 1, STATUS_REFUSED, "send 4 next" },
    { "the first batch of a new run", "y", 1, STATUS_OK, "" },
    { "the second batch of a new run", "y", 2, STATUS_ABORTED, "send 1 first" },
};

START_TEST(batches_of_a_run_are_taken_in_order)
{
    const struct run_row *row = &run_rows[_i];
    struct change change = memory_view_writer(memory);
    struct ingestion_run_key key = ingestion_run_key_of(span_of_text("x"));
    for (uint64_t batch = 1; batch <= 3; batch++) {
        ingestion_run_evolve(&change, &key, batch);
    }
    enum status status =
        ingestion_run_decide(&change.view, span_of_text(row->run), row->batch, &refusal);
    ck_assert_msg(status == row->status, "%s: %d", row->name, (int)status);
    ck_assert_msg(strstr(refusal.message, row->sentence) != NULL, "%s: %s", row->name,
                  refusal.message);
}
END_TEST

/* ---- the clock */

struct advance_row {
    const char *name;
    struct ingestion_advance advance;
    bool wall_clock;
    enum status status;
    int64_t to_ms;
    const char *sentence;
};

static const struct advance_row advance_rows[] = {
    { "to a later time", { false, WALL_MS + 1 }, false, STATUS_OK, WALL_MS + 1, "" },
    { "to now", { false, WALL_MS }, false, STATUS_OK, WALL_MS, "" },
    { "by a day", { true, 86400000 }, false, STATUS_OK, WALL_MS + 86400000, "" },
    { "to an earlier time",
      { false, WALL_MS - 1000 },
      false,
      STATUS_REFUSED,
      -1,
      "it is 2001-09-09T01:46:40Z and the clock does not go back to 2001-09-09T01:46:39Z" },
    { "back by a second", { true, -1000 }, false, STATUS_REFUSED, -1, "2001-09-09T01:46:39Z" },
    { "to the last time", { false, LIMIT_TIME_MOST_MS }, false, STATUS_OK, LIMIT_TIME_MOST_MS, "" },
    { "past the last time", { false, LIMIT_TIME_MOST_MS + 1 }, false, STATUS_MALFORMED, -1, "" },
    { "by more than a number holds", { true, INT64_MAX }, false, STATUS_MALFORMED, -1, "" },
    { "back by more than a number holds", { true, INT64_MIN }, false, STATUS_MALFORMED, -1, "" },
    { "under the wall clock",
      { false, WALL_MS + 1 },
      true,
      STATUS_REFUSED,
      -1,
      "use suite.clock: event" },
    { "nonsense under the wall clock",
      { false, INT64_MAX },
      true,
      STATUS_REFUSED,
      -1,
      "use suite.clock: event" },
};

START_TEST(the_clock_goes_forward_only)
{
    const struct advance_row *row = &advance_rows[_i];
    int64_t to_ms = -1;
    enum status status =
        ingestion_advance_decide(&row->advance, !row->wall_clock, WALL_MS, &to_ms, &refusal);
    ck_assert_msg(status == row->status, "%s: %d", row->name, (int)status);
    ck_assert_msg(to_ms == row->to_ms, "%s: to %lld", row->name, (long long)to_ms);
    ck_assert_msg(strstr(refusal.message, row->sentence) != NULL, "%s: %s", row->name,
                  refusal.message);
}
END_TEST

#define ROWS(rows) (int)(sizeof(rows) / sizeof(rows)[0])

int main(void)
{
    TCase *tests = tcase_create("ingestion core");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, each_event_gets_its_verdict, 0, ROWS(decide_rows));
    tcase_add_test(tests, an_id_belongs_to_its_source);
    tcase_add_test(tests, source_and_id_do_not_run_together);
    tcase_add_test(tests, the_memo_says_what_the_hash_says);
    tcase_add_test(tests, a_customer_keeps_the_first_seq);
    tcase_add_test(tests, a_raw_row_is_kept_once);
    tcase_add_test(tests, explanations_name_what_is_wrong);
    tcase_add_loop_test(tests, each_retry_gets_its_verdict, 0, ROWS(retry_rows));
    tcase_add_test(tests, an_entry_comes_back_with_its_content);
    tcase_add_test(tests, the_largest_entry_is_one_record);
    tcase_add_test(tests, a_closed_entry_is_gone_and_its_neighbours_are_not);
    tcase_add_test(tests, a_walk_begins_after_the_entry_named_and_ends_when_told);
    tcase_add_loop_test(tests, batches_of_a_run_are_taken_in_order, 0, ROWS(run_rows));
    tcase_add_loop_test(tests, the_clock_goes_forward_only, 0, ROWS(advance_rows));
    Suite *suite = suite_create("ingestion core");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
