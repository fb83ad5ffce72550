/* link: segmentation_service common_wire */
/*
 * Rules, facts and private records to bytes and back, and bytes that nobody wrote.
 */
#include "common/base/field.h"
#include "common/wire/pb.h"
#include "kith/v1/segmentation.pb-c.h"
#include "kith/v1/segmentation_private.pb-c.h"
#include "services/segmentation/segmentation_codec.h"
#include "services/segmentation/segmentation_record.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct segmentation_rules *rules;
static struct segmentation_rules *again;
static struct rules_builder builder;
static struct arena arena;
static struct buffer out;

static void setup(void)
{
    rules = memory_allocate(sizeof *rules);
    again = memory_allocate(sizeof *again);
    rules_build(&builder, &rules->rules);
    rules->history_days = 400;
    arena_init(&arena, (size_t)8 * 1024 * 1024);
    buffer_init(&out, LIMIT_RECORD_BYTES);
}

static void teardown(void)
{
    free(rules);
    free(again);
    arena_release(&arena);
    buffer_release(&out);
}

/* ---- rules */

static struct rules_clause clause_of(enum rules_kind kind, uint32_t days,
                                     enum rules_comparison comparison, int64_t number)
{
    return (struct rules_clause){ .kind = kind,
                                  .subject = span_of_text("purchase"),
                                  .category = span_of_text("roaming"),
                                  .days = days,
                                  .comparison = comparison,
                                  .number = number };
}

static void add(struct rules_clause clause)
{
    ck_assert_int_eq(rules_clause_add(&builder, &clause), STATUS_OK);
}

static void group(enum rules_kind kind)
{
    ck_assert_int_eq(rules_group_begin(&builder, kind), STATUS_OK);
}

static void group_end(void)
{
    ck_assert_int_eq(rules_group_end(&builder), STATUS_OK);
}

static void rules_make(void)
{
    ck_assert_int_eq(rules_segment_begin(&builder, span_of_text("first")), STATUS_OK);
    add(clause_of(RULES_SUM, 90, RULES_AT_LEAST, -20000));
    ck_assert_int_eq(rules_segment_end(&builder), STATUS_OK);
    ck_assert_int_eq(rules_segment_begin(&builder, span_of_text("second")), STATUS_OK);
    group(RULES_ALL);
    group(RULES_NOT);
    group(RULES_ANY);
    add(clause_of(RULES_COUNT, 400, RULES_EQUALS, 0));
    add(clause_of(RULES_LAST, 4000, RULES_OLDER_THAN, 0));
    group_end();
    group_end();
    struct rules_clause clause = { .kind = RULES_ATTRIBUTE,
                                   .subject = span_of_text("tier"),
                                   .comparison = RULES_IN,
                                   .value_count = 2,
                                   .values = { span_of_text("gold"), span_of_text("silver") } };
    add(clause);
    clause = (struct rules_clause){ .kind = RULES_ATTRIBUTE,
                                    .subject = span_of_text("age"),
                                    .comparison = RULES_LESS_THAN,
                                    .number = INT64_MIN };
    add(clause);
    group_end();
    ck_assert_int_eq(rules_segment_end(&builder), STATUS_OK);
}

START_TEST(rules_come_back_as_they_were)
{
    rules_make();
    ck_assert_int_eq(segmentation_rules_encode(rules, &arena, &out), STATUS_OK);
    ck_assert_int_eq(segmentation_rules_decode(buffer_span(&out), &arena, again), STATUS_OK);
    ck_assert_uint_eq(again->history_days, 400);
    ck_assert_uint_eq(again->rules.segment_count, 2);
    ck_assert_uint_eq(again->rules.node_count, rules->rules.node_count);
    ck_assert_uint_eq(again->rules.feature_count, 3);
    struct buffer second;
    buffer_init(&second, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(segmentation_rules_encode(again, &arena, &second), STATUS_OK);
    ck_assert(span_equal(buffer_span(&out), buffer_span(&second)));
    buffer_release(&second);
}
END_TEST

START_TEST(an_empty_set_of_rules_says_how_long_history_is)
{
    ck_assert_int_eq(segmentation_rules_encode(rules, &arena, &out), STATUS_OK);
    ck_assert_uint_gt(out.size, 0);
    ck_assert_int_eq(segmentation_rules_decode(buffer_span(&out), &arena, again), STATUS_OK);
    ck_assert_uint_eq(again->rules.segment_count, 0);
    ck_assert_uint_eq(again->history_days, 400);
}
END_TEST

START_TEST(rules_that_are_cut_or_look_back_past_history_are_corrupt)
{
    rules_make();
    ck_assert_int_eq(segmentation_rules_encode(rules, &arena, &out), STATUS_OK);
    for (size_t size = 0; size < out.size; size++) {
        arena_reset(&arena);
        enum status status = segmentation_rules_decode(span_of(out.data, size), &arena, again);
        /* Between two segments the cut cannot be seen: that is what the hash is for. */
        ck_assert(status == STATUS_CORRUPT || again->rules.segment_count < 2);
    }
    rules->history_days = 399;
    buffer_clear(&out);
    arena_reset(&arena);
    ck_assert_int_eq(segmentation_rules_encode(rules, &arena, &out), STATUS_OK);
    ck_assert_int_eq(segmentation_rules_decode(buffer_span(&out), &arena, again), STATUS_CORRUPT);
}
END_TEST

START_TEST(rules_past_the_compiled_bound_are_a_limit)
{
    rules_make();
    struct buffer small;
    buffer_init(&small, 40);
    ck_assert_int_eq(segmentation_rules_encode(rules, &arena, &small), STATUS_LIMIT);
    buffer_release(&small);
    uint8_t *large = memory_allocate(SEGMENTATION_COMPILED_BYTES + 1);
    struct span bytes = span_of(large, SEGMENTATION_COMPILED_BYTES + 1);
    ck_assert_int_eq(segmentation_rules_decode(bytes, &arena, again), STATUS_CORRUPT);
    free(large);
}
END_TEST

/* One segment of these nodes, as bytes that nobody of ours would write. */
static enum status nodes_decode(const int *kinds, size_t count)
{
    Kith__V1__RuleNode nodes[8];
    Kith__V1__RuleNode *pointers[8];
    char subject[] = "purchase";
    for (size_t i = 0; i < count; i++) {
        kith__v1__rule_node__init(&nodes[i]);
        nodes[i].has_kind = true;
        nodes[i].kind = (Kith__V1__RuleKind)kinds[i];
        nodes[i].has_comparison = true;
        nodes[i].comparison = KITH__V1__RULE_COMPARISON__RULE_AT_LEAST;
        nodes[i].subject = subject;
        nodes[i].has_days = true;
        nodes[i].days = 3;
        pointers[i] = &nodes[i];
    }
    char name[] = "s";
    Kith__V1__SegmentRule segment = KITH__V1__SEGMENT_RULE__INIT;
    Kith__V1__SegmentRule *segments[] = { &segment };
    segment.name = name;
    segment.n_nodes = count;
    segment.nodes = pointers;
    Kith__V1__SegmentRules message = KITH__V1__SEGMENT_RULES__INIT;
    message.has_history_days = true;
    message.history_days = 400;
    message.n_segments = 1;
    message.segments = segments;
    buffer_clear(&out);
    arena_reset(&arena);
    ck_assert_int_eq(pb_pack(&message.base, &out), STATUS_OK);
    return segmentation_rules_decode(buffer_span(&out), &arena, again);
}

START_TEST(nodes_that_form_no_rule_are_corrupt)
{
    static const struct {
        enum status status;
        size_t count;
        int kinds[5];
    } rows[] = {
        { STATUS_OK, 1, { RULES_COUNT } },
        { STATUS_OK, 3, { RULES_ALL, RULES_COUNT, 0 } },
        { STATUS_CORRUPT, 0, { 0 } },
        { STATUS_CORRUPT, 1, { 0 } },
        { STATUS_CORRUPT, 1, { 8 } },
        { STATUS_CORRUPT, 1, { -1 } },
        { STATUS_CORRUPT, 2, { RULES_COUNT, RULES_COUNT } },
        { STATUS_CORRUPT, 2, { RULES_ALL, RULES_COUNT } },
        { STATUS_CORRUPT, 2, { RULES_ALL, 0 } },
        { STATUS_CORRUPT, 4, { RULES_NOT, RULES_COUNT, RULES_COUNT, 0 } },
        { STATUS_CORRUPT, 4, { RULES_ALL, RULES_COUNT, 0, 0 } },
        { STATUS_CORRUPT, 1, { RULES_LAST } }, /* of which nothing is at least */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(nodes_decode(rows[i].kinds, rows[i].count) == rows[i].status, "row %zu", i);
    }
}
END_TEST

/* Wherever it ends. */
START_TEST(an_arena_that_is_too_small_is_a_limit)
{
    rules_make();
    enum status status = STATUS_LIMIT;
    size_t bytes = 0;
    for (; status == STATUS_LIMIT; bytes += 8) {
        struct arena small;
        ck_assert_uint_lt(bytes, (size_t)1024 * 1024);
        arena_init(&small, bytes);
        buffer_clear(&out);
        status = segmentation_rules_encode(rules, &small, &out);
        arena_release(&small);
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(bytes, 8);
}
END_TEST

START_TEST(the_fact_of_new_rules_comes_back_and_a_false_hash_does_not)
{
    struct segmentation_rules_fact changed = {
        .version = 3,
        .compiled = span_of_text("compiled"),
        .text = span_of_text("text"),
    };
    changed.hash = hash128_of_span(changed.compiled);
    segmentation_rules_fact_encode(&changed, &out);
    struct segmentation_rules_fact read = { .version = 0 };
    ck_assert_int_eq(segmentation_rules_fact_decode(buffer_span(&out), &arena, &read), STATUS_OK);
    ck_assert_uint_eq(read.version, 3);
    ck_assert(span_equal(read.compiled, changed.compiled) && span_equal(read.text, changed.text));
    changed.hash.bytes[0] ^= 1;
    buffer_clear(&out);
    segmentation_rules_fact_encode(&changed, &out);
    ck_assert_int_eq(segmentation_rules_fact_decode(buffer_span(&out), &arena, &read),
                     STATUS_CORRUPT);
}
END_TEST

/* ---- facts */

static struct segmentation_move move_of(bool entered)
{
    struct segmentation_move move = { .entered = entered,
                                      .by_time = !entered,
                                      .rules_version = 7,
                                      .customer = { .bytes = { 9 } },
                                      .subject = { .size = 2, .bytes = "ab" } };
    move.segment.size = 4;
    memcpy(move.segment.text, "gold", 5);
    return move;
}

static struct segmentation_contact contact;

static void contact_add(const char *name, uint32_t key_id, const char *value)
{
    contact.items[contact.count++] = (struct segmentation_contact_item){
        .name = segmentation_name_of(span_of_text(name)),
        .value = { .key_id = key_id, .bytes = span_of_text(value) },
    };
}

static struct fact fact_of(const struct segmentation_move *move)
{
    buffer_clear(&out);
    segmentation_move_encode(move, &contact, &out);
    return (struct fact){ .type = segmentation_move_type(move),
                          .version = 1,
                          .has_customer = true,
                          .customer = move->customer,
                          .subject = segmentation_subject_sealed(&move->subject),
                          .body = buffer_span(&out) };
}

START_TEST(entries_and_exits_come_back_as_they_were)
{
    for (int i = 0; i < 2; i++) {
        struct segmentation_move move = move_of(i == 0);
        struct segmentation_move read = { .entered = false };
        struct fact fact = fact_of(&move);
        ck_assert_uint_eq(fact.type, i == 0 ? FACT_SEGMENT_ENTERED : FACT_SEGMENT_EXITED);
        ck_assert_int_eq(segmentation_move_decode(&fact, &arena, &read), STATUS_OK);
        ck_assert(read.entered == move.entered && read.by_time == move.by_time);
        ck_assert_str_eq(read.segment.text, "gold");
        ck_assert_uint_eq(read.rules_version, 7);
        ck_assert(customer_id_equal(read.customer, move.customer));
        ck_assert_uint_eq(read.subject.size, 2);
        ck_assert_int_eq(memcmp(read.subject.bytes, "ab", 2), 0);
    }
}
END_TEST

START_TEST(an_entry_carries_the_contact_and_an_exit_does_not)
{
    contact.count = 0;
    struct segmentation_move move = move_of(true);
    struct buffer plain = { .limit = LIMIT_RECORD_BYTES };
    struct fact fact = fact_of(&move);
    ck_assert_int_eq(buffer_append(&plain, fact.body), STATUS_OK);
    contact_add("phone", 0, "+41 44");
    contact_add("email", 7, "\x01\xff");
    fact = fact_of(&move);
    ck_assert(span_has_prefix(fact.body, buffer_span(&plain)));
    const Kith__V1__SegmentEntered *message =
        pb_unpack(&kith__v1__segment_entered__descriptor, &arena, fact.body);
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(message->n_contact, 2);
    ck_assert_str_eq(message->contact[0]->name, "phone");
    ck_assert_uint_eq(message->contact[0]->value->key_id, 0);
    ck_assert(span_equal(pb_span(message->contact[0]->value->bytes), span_of_text("+41 44")));
    ck_assert_str_eq(message->contact[1]->name, "email");
    ck_assert_uint_eq(message->contact[1]->value->key_id, 7);
    ck_assert(span_equal(pb_span(message->contact[1]->value->bytes), span_of_text("\x01\xff")));
    struct segmentation_move read = { .entered = false };
    ck_assert_int_eq(segmentation_move_decode(&fact, &arena, &read), STATUS_OK);
    ck_assert_str_eq(read.segment.text, "gold");
    move = move_of(false);
    fact = fact_of(&move);
    contact.count = 0;
    buffer_clear(&plain);
    ck_assert_int_eq(buffer_append(&plain, fact.body), STATUS_OK);
    ck_assert(span_equal(fact_of(&move).body, buffer_span(&plain)));
    buffer_release(&plain);
}
END_TEST

START_TEST(the_fullest_entry_fits_a_fact)
{
    char value[LIMIT_TEXT_BYTES + 1] = { 0 };
    char name[LIMIT_ID_BYTES + 1] = { 0 };
    memset(value, 'v', LIMIT_TEXT_BYTES);
    memset(name, 'n', LIMIT_ID_BYTES);
    contact.count = 0;
    for (size_t i = 0; i < CAMPAIGNS_NEEDS_MAX; i++) {
        contact_add(name, UINT32_MAX, value);
    }
    struct segmentation_move move = move_of(true);
    struct segmentation_move read = { .entered = false };
    struct fact fact = fact_of(&move);
    ck_assert_int_eq(segmentation_move_decode(&fact, &arena, &read), STATUS_OK);
    ck_assert_uint_lt(fact.body.size, LIMIT_RECORD_BYTES / 2);
    contact.count = 0;
}
END_TEST

START_TEST(facts_that_say_no_move_are_corrupt)
{
    struct segmentation_move move = move_of(true);
    struct segmentation_move read = { .entered = false };
    struct fact fact = fact_of(&move);
    fact.type = FACT_POINTS_EARNED;
    ck_assert_int_eq(segmentation_move_decode(&fact, &arena, &read), STATUS_CORRUPT);
    fact = fact_of(&move);
    fact.has_customer = false;
    ck_assert_int_eq(segmentation_move_decode(&fact, &arena, &read), STATUS_CORRUPT);
    fact = fact_of(&move);
    uint8_t long_subject[SEGMENTATION_SUBJECT_BYTES + 1] = { 0 };
    fact.subject.bytes = span_of(long_subject, sizeof long_subject);
    ck_assert_int_eq(segmentation_move_decode(&fact, &arena, &read), STATUS_CORRUPT);
    move.rules_version = 0;
    fact = fact_of(&move);
    ck_assert_int_eq(segmentation_move_decode(&fact, &arena, &read), STATUS_CORRUPT);
    fact.body = span_of(NULL, 0);
    ck_assert_int_eq(segmentation_move_decode(&fact, &arena, &read), STATUS_CORRUPT);
}
END_TEST

/* ---- private records */

static struct segmentation_record written;
static struct segmentation_record read_back;

static enum status record_pass(void)
{
    buffer_clear(&out);
    memset(&read_back, 0, sizeof read_back);
    segmentation_record_encode(&written, &out);
    return segmentation_record_decode(buffer_span(&out), &read_back);
}

/* Generated code reads what was written, and writes the same bytes again. */
static const Kith__V1__SegmentationRecord *generated_pass(void)
{
    const Kith__V1__SegmentationRecord *record =
        pb_unpack(&kith__v1__segmentation_record__descriptor, &arena, buffer_span(&out));
    ck_assert_ptr_nonnull(record);
    ck_assert_uint_eq(record->base.n_unknown_fields, 0);
    struct buffer packed;
    buffer_init(&packed, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(pb_pack(&record->base, &packed), STATUS_OK);
    ck_assert(span_equal(buffer_span(&packed), buffer_span(&out)));
    buffer_release(&packed);
    return record;
}

/* With all that an event can have. */
static void event_make(void)
{
    static char text[LIMIT_TEXT_BYTES];
    memset(text, 't', sizeof text);
    memset(&written, 0, sizeof written);
    struct segmentation_event *event = &written.event;
    event->customer.bytes[3] = 5;
    event->subject = (struct segmentation_subject){ .key_id = 4, .size = 3, .bytes = "abc" };
    event->type = span_of_text("profile_changed");
    event->category = span_of_text("roaming");
    event->amount_minor = -LIMIT_AMOUNT;
    event->occurred_at_ms = LIMIT_TIME_LEAST_MS;
    event->now_ms = LIMIT_TIME_MOST_MS;
    event->said_count = 5;
    event->said[0].name = span_of_text("tier");
    event->said[0].text = span_of(text, sizeof text);
    event->said[1].name = span_of_text("age");
    event->said[1].text = span_of_text("0");
    event->said[1].has_integer = true;
    event->said[2].name = span_of_text("gone");
    event->said[3] = (struct segmentation_said){ .name = span_of_text("phone"),
                                                 .text = span_of_text("+41"),
                                                 .personal = true };
    event->said[4] = (struct segmentation_said){
        .name = span_of_text("email"), .text = span_of("\0\xff", 2), .personal = true, .key_id = 9
    };
}

START_TEST(an_event_comes_back_as_it_was)
{
    event_make();
    const struct segmentation_event *event = &written.event;
    ck_assert_int_eq(record_pass(), STATUS_OK);
    const struct segmentation_event *got = &read_back.event;
    ck_assert_int_eq(read_back.kind, SEGMENTATION_RECORD_EVENT);
    ck_assert(customer_id_equal(read_back.customer, event->customer));
    ck_assert_int_eq(read_back.now_ms, LIMIT_TIME_MOST_MS);
    ck_assert_uint_eq(got->subject.key_id, 4);
    ck_assert_uint_eq(got->subject.size, 3);
    ck_assert_int_eq(memcmp(got->subject.bytes, "abc", 3), 0);
    ck_assert(span_equal(got->type, event->type) && span_equal(got->category, event->category));
    ck_assert_int_eq(got->amount_minor, event->amount_minor);
    ck_assert_int_eq(got->occurred_at_ms, event->occurred_at_ms);
    ck_assert_uint_eq(got->said_count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert(span_equal(got->said[i].name, event->said[i].name));
        ck_assert(span_equal(got->said[i].text, event->said[i].text));
        ck_assert(got->said[i].has_integer == event->said[i].has_integer);
        ck_assert(got->said[i].personal == event->said[i].personal);
        ck_assert_uint_eq(got->said[i].key_id, event->said[i].key_id);
    }
}
END_TEST

START_TEST(the_other_records_come_back_as_they_were)
{
    const enum segmentation_record_kind kinds[] = { SEGMENTATION_RECORD_ADVANCED,
                                                    SEGMENTATION_RECORD_VISITED };
    for (size_t i = 0; i < 2; i++) {
        memset(&written, 0, sizeof written);
        written.kind = kinds[i];
        written.customer.bytes[15] = 7;
        written.now_ms = -5;
        ck_assert_int_eq(record_pass(), STATUS_OK);
        ck_assert_int_eq(read_back.kind, kinds[i]);
        ck_assert(customer_id_equal(read_back.customer, written.customer));
        ck_assert_int_eq(read_back.now_ms, -5);
        ck_assert_uint_le(out.size, 32); /* one for each expiry: small */
        const Kith__V1__SegmentationRecord *record = generated_pass();
        ck_assert_int_eq((int)record->record_case, i == 0 ? 2 : 3);
        ck_assert_int_eq(i == 0 ? record->advanced->now_ms : record->visited->now_ms, -5);
    }
    written.kind = SEGMENTATION_RECORD_VISITS_ENDED;
    written.rules_version = 3;
    ck_assert_int_eq(record_pass(), STATUS_OK);
    ck_assert_int_eq(read_back.kind, SEGMENTATION_RECORD_VISITS_ENDED);
    ck_assert_uint_eq(read_back.rules_version, 3);
    ck_assert_uint_eq(generated_pass()->visits_ended->rules_version, 3);
}
END_TEST

static void said_has_its_bytes(const Kith__V1__ProfileAttribute *said,
                               const struct segmentation_said *from)
{
    ck_assert_uint_eq(said->base.n_unknown_fields, 0);
    ck_assert(span_equal(pb_text(said->name), from->name));
    ck_assert((said->personal != NULL) == from->personal);
    if (said->personal != NULL) {
        ck_assert_uint_eq(said->personal->key_id, from->key_id);
        ck_assert(span_equal(pb_span(said->personal->bytes), from->text));
    } else {
        ck_assert(span_equal(pb_text(said->text), from->text));
    }
    ck_assert(said->has_integer == from->has_integer && said->integer == from->integer);
}

START_TEST(an_event_has_the_bytes_that_generated_code_gives_it)
{
    event_make();
    const struct segmentation_event *event = &written.event;
    ck_assert_int_eq(record_pass(), STATUS_OK);
    const Kith__V1__SegmentationEvent *message = generated_pass()->event;
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(message->base.n_unknown_fields, 0);
    ck_assert_uint_eq(message->customer.len, 16);
    ck_assert_mem_eq(message->customer.data, event->customer.bytes, 16);
    ck_assert_uint_eq(message->subject->key_id, 4);
    ck_assert(span_equal(pb_span(message->subject->bytes), span_of_text("abc")));
    ck_assert(span_equal(pb_text(message->type), event->type));
    ck_assert(span_equal(pb_text(message->category), event->category));
    ck_assert_int_eq(message->amount_minor, event->amount_minor);
    ck_assert_int_eq(message->occurred_at_ms, event->occurred_at_ms);
    ck_assert_int_eq(message->now_ms, event->now_ms);
    ck_assert_uint_eq(message->n_attributes, 5);
    for (size_t i = 0; i < 5; i++) {
        said_has_its_bytes(message->attributes[i], &event->said[i]);
    }
}
END_TEST

START_TEST(an_event_with_little_in_it_has_those_bytes_too)
{
    memset(&written, 0, sizeof written);
    written.event.type = span_of_text("usage");
    ck_assert_int_eq(record_pass(), STATUS_OK);
    const Kith__V1__SegmentationEvent *message = generated_pass()->event;
    ck_assert_uint_eq(read_back.event.subject.size, 0);
    ck_assert(message->subject->has_bytes && !message->subject->has_key_id);
    ck_assert_ptr_null(message->category);
    ck_assert(!message->has_amount_minor && message->has_occurred_at_ms && message->has_now_ms);
    ck_assert_uint_eq(message->n_attributes, 0);
}
END_TEST

START_TEST(the_fullest_event_fits_a_record)
{
    char texts[LIMIT_EVENT_BYTES / LIMIT_ATTRIBUTES];
    memset(texts, 'x', sizeof texts);
    event_make();
    struct segmentation_event *event = &written.event;
    event->subject.size = SEGMENTATION_SUBJECT_BYTES;
    event->said_count = LIMIT_ATTRIBUTES;
    for (size_t i = 0; i < LIMIT_ATTRIBUTES; i++) {
        event->said[i] = (struct segmentation_said){ .name = span_of(texts, LIMIT_ID_BYTES),
                                                     .text = span_of(texts, sizeof texts),
                                                     .personal = i % 2 == 0,
                                                     .key_id = i % 2 == 0 ? UINT32_MAX : 0,
                                                     .has_integer = i % 2 != 0,
                                                     .integer = i % 2 != 0 ? INT64_MIN : 0 };
    }
    ck_assert_int_eq(record_pass(), STATUS_OK);
    const Kith__V1__SegmentationEvent *message = generated_pass()->event;
    for (size_t i = 0; i < LIMIT_ATTRIBUTES; i++) {
        said_has_its_bytes(message->attributes[i], &event->said[i]);
    }
}
END_TEST

/* Appends bytes to the event within the record, and to the record itself. What is read back
 * points into `bytes`, which so outlives the call. */
static enum status bytes_pass(struct span within, struct span behind)
{
    struct field_writer counter = { .out = NULL };
    buffer_clear(&out);
    segmentation_record_encode(&written, &out);
    field_put_head(&counter, 1, out.size);
    ck_assert_uint_le(counter.size, 3); /* of which the record's own head has as many */
    struct span event = span_of(out.data + counter.size, out.size - counter.size);
    static uint8_t bytes[512];
    struct field_writer writer = { .out = bytes };
    field_put_head(&writer, 1, event.size + within.size);
    memcpy(bytes + writer.size, event.data, event.size);
    writer.size += event.size;
    memcpy(bytes + writer.size, within.data, within.size);
    writer.size += within.size;
    memcpy(bytes + writer.size, behind.data, behind.size);
    writer.size += behind.size;
    return segmentation_record_decode(span_of(bytes, writer.size), &read_back);
}

START_TEST(what_a_newer_service_adds_is_passed_over_and_what_stands_twice_is_not)
{
    struct span none = span_of("", 0);
    struct span newer = span_of("\x7a\x01x\x78\x05", 5); /* fields 15 */
    memset(&written, 0, sizeof written);
    written.event.type = span_of_text("usage");
    ck_assert_int_eq(bytes_pass(none, none), STATUS_OK);
    ck_assert_int_eq(bytes_pass(newer, newer), STATUS_OK);
    ck_assert(span_equal(read_back.event.type, span_of_text("usage")));
    ck_assert_int_eq(bytes_pass(span_of_text("\x1a\x01x"), none), STATUS_CORRUPT); /* type */
    ck_assert_int_eq(bytes_pass(span_of_text("\x38\x02"), none), STATUS_CORRUPT);  /* now_ms */
    ck_assert_int_eq(bytes_pass(none, span_of("\x0a\0", 2)), STATUS_CORRUPT);      /* event */
    ck_assert_int_eq(bytes_pass(none, span_of("\x22\x02\x08\x01", 4)), STATUS_CORRUPT);
    /* category as a number; an attribute whose key is past 32 bits, one that is cut */
    ck_assert_int_eq(bytes_pass(span_of_text("\x20\x01"), none), STATUS_CORRUPT);
    ck_assert_int_eq(
        bytes_pass(span_of_text("\x42\x0b\x0a\x01x\x22\x06\x08\x80\x80\x80\x80\x10"), none),
        STATUS_CORRUPT);
    ck_assert_int_eq(
        bytes_pass(span_of_text("\x42\x0b\x0a\x01x\x22\x06\x08\xff\xff\xff\xff\x0f"), none),
        STATUS_OK);
    ck_assert_uint_eq(read_back.event.said[0].key_id, UINT32_MAX);
    ck_assert_int_eq(bytes_pass(span_of_text("\x42\x02\x0a\x01"), none), STATUS_CORRUPT);
}
END_TEST

START_TEST(a_record_that_is_cut_is_corrupt)
{
    event_make();
    written.event.said[0].text.size = 3;
    ck_assert_int_eq(record_pass(), STATUS_OK);
    for (size_t size = 0; size < out.size; size++) {
        ck_assert_int_eq(segmentation_record_decode(span_of(out.data, size), &read_back),
                         STATUS_CORRUPT);
    }
}
END_TEST

START_TEST(records_with_values_that_nobody_wrote_are_corrupt)
{
    memset(&written, 0, sizeof written);
    struct segmentation_event *event = &written.event;
    event->type = span_of_text("purchase");
    ck_assert_int_eq(record_pass(), STATUS_OK);
    event->amount_minor = LIMIT_AMOUNT + 1;
    ck_assert_int_eq(record_pass(), STATUS_CORRUPT);
    event->amount_minor = 0;
    event->occurred_at_ms = LIMIT_TIME_MOST_MS + 1;
    ck_assert_int_eq(record_pass(), STATUS_CORRUPT);
    event->occurred_at_ms = 0;
    event->now_ms = LIMIT_TIME_LEAST_MS - 1;
    ck_assert_int_eq(record_pass(), STATUS_CORRUPT);
    event->now_ms = 0;
    event->type = span_of_text("");
    ck_assert_int_eq(record_pass(), STATUS_CORRUPT);
    event->type = span_of_text("purchase");
    event->said_count = 1;
    event->said[0].name = span_of_text("");
    ck_assert_int_eq(record_pass(), STATUS_CORRUPT);
    written.kind = SEGMENTATION_RECORD_VISITS_ENDED;
    ck_assert_int_eq(record_pass(), STATUS_CORRUPT);
    ck_assert_int_eq(segmentation_record_decode(span_of(NULL, 0), &read_back), STATUS_CORRUPT);
}
END_TEST

/* ---- accepted events */

START_TEST(what_is_kept_of_an_event_is_what_rules_can_ask_for)
{
    const struct attribute attributes[] = {
        { .name = span_of_text("category"), .kind = ATTRIBUTE_TEXT, .text = span_of_text("home") },
        { .name = span_of_text("age"), .kind = ATTRIBUTE_INTEGER, .integer = -7 },
        { .name = span_of_text("flag"), .kind = ATTRIBUTE_FLAG, .integer = 1 },
        { .name = span_of_text("born"), .kind = ATTRIBUTE_AT, .integer = 0 },
        { .name = span_of_text("bill"),
          .kind = ATTRIBUTE_MONEY,
          .money = { .minor = 1250, .currency = "EUR" } },
        { .name = span_of_text("gone"), .kind = ATTRIBUTE_TEXT },
    };
    struct accepted_event accepted = { .type = span_of_text("profile_changed"),
                                       .occurred_at_ms = 5,
                                       .attribute_count = 6,
                                       .attributes = attributes };
    struct fact fact = { .recorded_at_ms = 8, .has_customer = true };
    struct segmentation_event event;
    segmentation_event_read(&fact, &accepted, &arena, &event);
    ck_assert(span_equal(event.category, span_of_text("home")));
    ck_assert_int_eq(event.amount_minor, 0);
    ck_assert_uint_eq(event.said_count, 6);
    const char *const texts[] = { "home", "-7", "true", "1970-01-01T00:00:00Z", "12.50 EUR", "" };
    for (size_t i = 0; i < 6; i++) {
        ck_assert(span_equal(event.said[i].text, span_of_text(texts[i])));
        ck_assert(event.said[i].has_integer == (i == 1));
    }
    ck_assert_int_eq(event.said[1].integer, -7);
    accepted.personal = attributes;
    accepted.personal_count = 2;
    segmentation_event_read(&fact, &accepted, &arena, &event);
    ck_assert_uint_eq(event.said_count, 8);
    ck_assert(event.said[7].personal && !event.said[7].has_integer && !event.said[5].personal);
    ck_assert(span_equal(event.said[7].text, span_of_text("-7")));
    accepted.type = span_of_text("purchase");
    accepted.has_amount = true;
    accepted.amount.minor = 99;
    segmentation_event_read(&fact, &accepted, &arena, &event);
    ck_assert_uint_eq(event.said_count, 0); /* only two types tell of the profile */
    ck_assert_int_eq(event.amount_minor, 99);
}
END_TEST

START_TEST(a_category_that_rules_cannot_name_is_none)
{
    char text[LIMIT_ID_BYTES + 2] = { 0 };
    memset(text, 'c', LIMIT_ID_BYTES + 1);
    struct attribute attribute = { .name = span_of_text("category"),
                                   .kind = ATTRIBUTE_TEXT,
                                   .text = span_of(text, LIMIT_ID_BYTES + 1) };
    struct accepted_event accepted = { .type = span_of_text("usage"),
                                       .attribute_count = 1,
                                       .attributes = &attribute };
    struct fact fact = { .has_customer = true };
    struct segmentation_event event;
    segmentation_event_read(&fact, &accepted, &arena, &event);
    ck_assert_uint_eq(event.category.size, 0);
    attribute.text.size = LIMIT_ID_BYTES;
    segmentation_event_read(&fact, &accepted, &arena, &event);
    ck_assert_uint_eq(event.category.size, LIMIT_ID_BYTES);
    attribute.kind = ATTRIBUTE_INTEGER;
    segmentation_event_read(&fact, &accepted, &arena, &event);
    ck_assert_uint_eq(event.category.size, 0);
}
END_TEST

static Suite *suite_of_codec(void)
{
    Suite *suite = suite_create("segmentation_codec");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, rules_come_back_as_they_were);
    tcase_add_test(tcase, an_empty_set_of_rules_says_how_long_history_is);
    tcase_add_test(tcase, rules_that_are_cut_or_look_back_past_history_are_corrupt);
    tcase_add_test(tcase, rules_past_the_compiled_bound_are_a_limit);
    tcase_add_test(tcase, nodes_that_form_no_rule_are_corrupt);
    tcase_add_test(tcase, an_arena_that_is_too_small_is_a_limit);
    tcase_add_test(tcase, the_fact_of_new_rules_comes_back_and_a_false_hash_does_not);
    tcase_add_test(tcase, entries_and_exits_come_back_as_they_were);
    tcase_add_test(tcase, an_entry_carries_the_contact_and_an_exit_does_not);
    tcase_add_test(tcase, the_fullest_entry_fits_a_fact);
    tcase_add_test(tcase, facts_that_say_no_move_are_corrupt);
    tcase_add_test(tcase, an_event_comes_back_as_it_was);
    tcase_add_test(tcase, an_event_has_the_bytes_that_generated_code_gives_it);
    tcase_add_test(tcase, an_event_with_little_in_it_has_those_bytes_too);
    tcase_add_test(tcase, the_fullest_event_fits_a_record);
    tcase_add_test(tcase, what_a_newer_service_adds_is_passed_over_and_what_stands_twice_is_not);
    tcase_add_test(tcase, a_record_that_is_cut_is_corrupt);
    tcase_add_test(tcase, the_other_records_come_back_as_they_were);
    tcase_add_test(tcase, records_with_values_that_nobody_wrote_are_corrupt);
    tcase_add_test(tcase, what_is_kept_of_an_event_is_what_rules_can_ask_for);
    tcase_add_test(tcase, a_category_that_rules_cannot_name_is_none);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_codec());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
