/*
 * Segmentation in memory for tests: rules in force, and what the shell does around each
 * decision (what is due first, then the event, then its moves), in one call each. All moves
 * are kept in order.
 */
#ifndef KITH_TESTS_UNIT_SEGMENTATION_FIXTURE_H
#define KITH_TESTS_UNIT_SEGMENTATION_FIXTURE_H

#include "common/base/time_text.h"
#include "services/segmentation/segmentation_core.h"
#include "tests/support/memory_view.h"

#include <assert.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_MOVES_MAX 4096
#define FIXTURE_NOW_MS INT64_C(899164800000)

struct fixture_move {
    bool entered;
    bool by_time;
    uint8_t customer;
    uint32_t rules_version;
    char segment[16];
    int64_t now_ms;
};

struct fixture {
    struct memory_view *memory;
    struct view view;
    struct change change;
    struct segmentation_rules *rules;
    struct segmentation_work *work;
    struct segmentation_moves *moves;
    int64_t now_ms;
    size_t ticks;
    size_t move_count;
    struct fixture_move log[FIXTURE_MOVES_MAX];
};

/* Customers are numbers here; 1 and 2 are neighbours as keys. */
static inline struct customer_id customer_of(uint8_t number)
{
    struct customer_id customer = { .bytes = { 0 } };
    customer.bytes[15] = number;
    return customer;
}

static inline int64_t days_ms(int64_t days)
{
    return days * MS_PER_DAY;
}

/* ---- rules */

static inline struct rules_clause window_clause(enum rules_kind kind, const char *type,
                                                uint32_t days, enum rules_comparison comparison,
                                                int64_t number)
{
    return (struct rules_clause){ .kind = kind,
                                  .subject = span_of_text(type),
                                  .days = days,
                                  .comparison = comparison,
                                  .number = number };
}

static inline struct rules_clause last_clause(const char *type, enum rules_comparison comparison,
                                              uint32_t days)
{
    return (struct rules_clause){
        .kind = RULES_LAST, .subject = span_of_text(type), .days = days, .comparison = comparison
    };
}

static inline struct rules_clause attribute_clause(const char *name, const char *value)
{
    return (struct rules_clause){ .kind = RULES_ATTRIBUTE,
                                  .subject = span_of_text(name),
                                  .comparison = RULES_IN,
                                  .value_count = 1,
                                  .values = { span_of_text(value) } };
}

static inline void segment_begin(struct rules_builder *builder, const char *name)
{
    ck_assert_int_eq(rules_segment_begin(builder, span_of_text(name)), STATUS_OK);
}

static inline void segment_end(struct rules_builder *builder)
{
    ck_assert_int_eq(rules_segment_end(builder), STATUS_OK);
}

static inline void clause_add(struct rules_builder *builder, struct rules_clause clause)
{
    ck_assert_int_eq(rules_clause_add(builder, &clause), STATUS_OK);
}

/* A segment of one clause. */
static inline void segment_add(struct rules_builder *builder, const char *name,
                               struct rules_clause clause)
{
    segment_begin(builder, name);
    clause_add(builder, clause);
    segment_end(builder);
}

/* ---- what the shell does */

static inline void moves_take(struct fixture *fixture, struct customer_id id, bool by_time)
{
    segmentation_core_decide(&fixture->view, fixture->work, id, fixture->now_ms, fixture->moves);
    for (size_t i = 0; i < fixture->moves->count; i++) {
        struct segmentation_move *move = &fixture->moves->moves[i];
        move->by_time = by_time && !move->entered;
        segmentation_core_move_evolve(&fixture->change, fixture->work, move, fixture->now_ms);
        assert(fixture->move_count < FIXTURE_MOVES_MAX && move->segment.size < 16);
        struct fixture_move *kept = &fixture->log[fixture->move_count++];
        *kept = (struct fixture_move){ .entered = move->entered,
                                       .by_time = move->by_time,
                                       .customer = move->customer.bytes[15],
                                       .rules_version = move->rules_version,
                                       .now_ms = fixture->now_ms };
        memcpy(kept->segment, move->segment.text, move->segment.size);
    }
}

/* Visits everybody that is left. */
static inline void fixture_visit(struct fixture *fixture)
{
    struct customer_id id = { { 0 } };
    while (segmentation_core_visit_next(&fixture->view, &id)) {
        segmentation_core_visit_evolve(&fixture->change, fixture->work, id, fixture->now_ms);
        moves_take(fixture, id, false);
    }
    segmentation_core_visits_end_evolve(&fixture->change);
}

/* Puts the rules that were built in `fixture->rules` into force, as the journal would. The
 * compiled form is not looked at. */
static inline void rules_enact(struct fixture *fixture)
{
    struct segmentation_head head = { .rules_version = 0 };
    (void)segmentation_head_load(&fixture->view, &head);
    fixture->rules->version = head.rules_version + 1;
    struct segmentation_rules_change change = {
        .version = fixture->rules->version,
        .compiled = span_of_text("compiled"),
        .recorded_at_ms = fixture->now_ms,
        .rules = &fixture->rules->rules,
    };
    segmentation_core_rules_evolve(&fixture->change, &change);
    segmentation_core_rules_bind(&fixture->view, fixture->rules);
}

static inline void rules_put(struct fixture *fixture)
{
    rules_enact(fixture);
    struct segmentation_head head = { .rules_version = 0 };
    ck_assert(segmentation_head_load(&fixture->view, &head));
    if (head.visiting) {
        fixture_visit(fixture);
    }
}

/* Time passes: whatever is due by then is done, each at its own instant. */
static inline void time_pass(struct fixture *fixture, int64_t until_ms)
{
    struct segmentation_front front = segmentation_front_unknown();
    while (segmentation_front_find(&fixture->view, &front) && front.key.at_ms <= until_ms) {
        struct segmentation_due_key due = front.key;
        ck_assert_int_gt(due.at_ms, fixture->now_ms - 1);
        fixture->now_ms = due.at_ms;
        fixture->ticks += 1;
        segmentation_core_advance_evolve(&fixture->change, fixture->work, due.customer, due.at_ms);
        moves_take(fixture, due.customer, true);
        front = segmentation_front_unknown();
    }
    fixture->now_ms = until_ms;
}

/* An event that is folded when it is `now_ms`. */
static inline void event_fold(struct fixture *fixture, struct segmentation_event *event)
{
    time_pass(fixture, event->now_ms);
    event->subject.size = 2;
    event->subject.bytes[0] = 'c';
    event->subject.bytes[1] = (uint8_t)('a' + event->customer.bytes[15]);
    segmentation_core_event_evolve(&fixture->change, fixture->work, event);
    moves_take(fixture, event->customer, false);
}

/* An event that occurs now. */
static inline void happen(struct fixture *fixture, uint8_t customer, const char *type,
                          int64_t at_ms, int64_t amount_minor)
{
    struct segmentation_event event = {
        .customer = customer_of(customer),
        .type = span_of_text(type),
        .amount_minor = amount_minor,
        .occurred_at_ms = at_ms,
        .now_ms = at_ms > fixture->now_ms ? at_ms : fixture->now_ms,
    };
    event_fold(fixture, &event);
}

/* An event that says one thing of the profile. */
static inline void say(struct fixture *fixture, uint8_t customer, const char *name,
                       const char *text, int64_t at_ms)
{
    struct segmentation_event event = {
        .customer = customer_of(customer),
        .type = span_of_text("profile_changed"),
        .occurred_at_ms = at_ms,
        .now_ms = at_ms > fixture->now_ms ? at_ms : fixture->now_ms,
        .said_count = 1,
        .said = { { .name = span_of_text(name), .text = span_of_text(text) } },
    };
    event_fold(fixture, &event);
}

/* ---- life */

static inline void fixture_open(struct fixture *fixture, struct rules_builder *builder)
{
    memset(fixture, 0, sizeof *fixture);
    memory_view_open(&fixture->memory);
    fixture->view = memory_view_reader(fixture->memory);
    fixture->change = memory_view_writer(fixture->memory);
    fixture->rules = memory_allocate(sizeof *fixture->rules);
    fixture->work = memory_allocate(sizeof *fixture->work);
    fixture->moves = memory_allocate(sizeof *fixture->moves);
    fixture->work->rules = fixture->rules;
    fixture->rules->history_days = 400;
    fixture->now_ms = FIXTURE_NOW_MS;
    rules_build(builder, &fixture->rules->rules);
}

static inline void fixture_close(struct fixture *fixture)
{
    free(fixture->rules);
    free(fixture->work);
    free(fixture->moves);
    memory_view_close(&fixture->memory);
}

/* ---- looking */

static inline bool is_member(struct fixture *fixture, uint8_t customer, const char *segment)
{
    struct segmentation_membership membership = { .version = 0 };
    uint32_t number = 0;
    ck_assert(segmentation_number_load(&fixture->view, span_of_text(segment), &number));
    return segmentation_membership_load(&fixture->view, customer_of(customer), number, &membership);
}

static inline uint64_t members_of(struct fixture *fixture, const char *segment)
{
    struct segmentation_segment record = { .members = 0 };
    uint32_t number = 0;
    ck_assert(segmentation_number_load(&fixture->view, span_of_text(segment), &number));
    ck_assert(segmentation_segment_load(&fixture->view, number, &record));
    return record.members;
}

#endif
