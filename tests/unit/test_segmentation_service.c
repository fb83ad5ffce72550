/* link: segmentation_service segmentation_core common_event common_wire */
/*
 * Segmentation's page over a turn in memory. The functions of a turn are defined here, so the
 * linker takes none of the shell: what is tested is the service alone. After each test what
 * was journalled is replayed into an empty state by a service without configuration, and the
 * state must come out the same.
 */
#include "common/base/time_text.h"
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "kith/v1/segmentation.pb-c.h"
#include "services/segmentation/segmentation_codec.h"
#include "services/segmentation/segmentation_service.h"
#include "tests/support/memory_view.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(899164800000)
#define KEPT_MAX 1024

/* ---- a turn in memory */

struct kept {
    bool is_private;
    struct fact fact;
    struct buffer bytes; /* the body, or the private record */
    struct buffer subject;
};

struct turn {
    void *service;
    struct memory_view *memory;
    struct view view;
    int64_t now_ms;
    size_t emitted; /* by the input in hand */
    size_t fact_count;
    size_t kept_count;
    struct kept kept[KEPT_MAX];
};

const struct view *turn_view(struct turn *turn)
{
    return &turn->view;
}

int64_t turn_now(const struct turn *turn)
{
    return turn->now_ms;
}

size_t turn_positions(const struct turn *turn, struct turn_position *positions, size_t max)
{
    assert(max >= 1);
    positions[0] = (struct turn_position){ { "segmentation", 0 }, turn->fact_count };
    return 1;
}

static struct span copy_into(struct buffer *buffer, struct span bytes)
{
    buffer_init(buffer, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(buffer_append(buffer, bytes), STATUS_OK);
    return buffer_span(buffer);
}

static struct kept *keep(struct turn *turn)
{
    ck_assert_uint_lt(turn->kept_count, KEPT_MAX);
    turn->emitted += 1;
    return &turn->kept[turn->kept_count++];
}

uint64_t turn_emit(struct turn *turn, struct fact *fact)
{
    struct kept *kept = keep(turn);
    turn->fact_count += 1;
    fact->seq = turn->fact_count;
    fact->recorded_at_ms = turn->now_ms;
    kept->fact = *fact;
    kept->fact.body = copy_into(&kept->bytes, fact->body);
    kept->fact.subject.bytes = copy_into(&kept->subject, fact->subject.bytes);
    struct change change = memory_view_writer(turn->memory);
    struct record record = { .fact = *fact };
    segmentation_definition.evolve(turn->service, &change, &record);
    return fact->seq;
}

void turn_record(struct turn *turn, struct span bytes)
{
    struct kept *kept = keep(turn);
    kept->is_private = true;
    struct change change = memory_view_writer(turn->memory);
    struct record record = { .is_private = true, .private_record = copy_into(&kept->bytes, bytes) };
    segmentation_definition.evolve(turn->service, &change, &record);
}

/* ---- the fixture */

static const uint8_t suite_key[32] = { 1, 2, 3 };

static struct turn turn;
static struct arena arena;
static struct buffer body;
static struct buffer answer;
static struct refusal refusal;

static const char spend_two[] = "segments:\n"
                                "  - name: spend\n"
                                "    rule: {sum: purchase, over_days: 90, at_least: \"2.00\"}\n"
                                "  - name: silent\n"
                                "    rule:\n"
                                "      all:\n"
                                "        - {attribute: tier, equals: gold}\n"
                                "        - not: {count: usage, over_days: 30, at_least: 1}\n";
static const char spend_three[] = "segments:\n"
                                  "  - name: spend\n"
                                  "    rule: {sum: purchase, over_days: 90, at_least: \"3.00\"}\n";

static enum status service_open(const char *text, void **service)
{
    struct yaml_tree *tree = NULL;
    ck_assert_int_eq(yaml_tree_parse(&tree, "suite.yaml", text, strlen(text), &refusal), STATUS_OK);
    struct suite_config config = { .segments = config_child(yaml_tree_root(tree), "segments"),
                                   .channels = config_child(yaml_tree_root(tree), "channels"),
                                   .campaigns = config_child(yaml_tree_root(tree), "campaigns") };
    struct suite_service own = { .own = config_child(yaml_tree_root(tree), "segmentation") };
    struct service_environment environment = {
        .config = &config,
        .own = &own,
        .suite_key = span_of(suite_key, sizeof suite_key),
    };
    enum status status = segmentation_definition.open(service, &environment, &refusal);
    yaml_tree_close(&tree);
    return status;
}

/* A process that starts over the state there is. */
static void restart(const char *text)
{
    segmentation_definition.close(&turn.service);
    ck_assert_int_eq(service_open(text, &turn.service), STATUS_OK);
    segmentation_definition.start(turn.service, &turn);
}

static void setup(void)
{
    memset(&turn, 0, sizeof turn);
    turn.now_ms = START_MS;
    memory_view_open(&turn.memory);
    turn.view = memory_view_reader(turn.memory);
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    buffer_init(&body, LIMIT_RECORD_BYTES);
    buffer_init(&answer, LIMIT_BODY_BYTES);
    refusal_init(&refusal);
    restart(spend_two);
}

static void replay(void)
{
    struct memory_view *again = NULL;
    void *service = NULL;
    memory_view_open(&again);
    struct change change = memory_view_writer(again);
    ck_assert_int_eq(service_open("other: 1\n", &service), STATUS_OK);
    for (size_t i = 0; i < turn.kept_count; i++) {
        const struct kept *kept = &turn.kept[i];
        struct record record = { .is_private = kept->is_private,
                                 .fact = kept->fact,
                                 .private_record = buffer_span(&kept->bytes) };
        segmentation_definition.evolve(service, &change, &record);
    }
    ck_assert(memory_view_equal(turn.memory, again));
    segmentation_definition.close(&service);
    memory_view_close(&again);
}

static void teardown(void)
{
    replay();
    for (size_t i = 0; i < turn.kept_count; i++) {
        buffer_release(&turn.kept[i].bytes);
        buffer_release(&turn.kept[i].subject);
    }
    segmentation_definition.close(&turn.service);
    memory_view_close(&turn.memory);
    arena_release(&arena);
    buffer_release(&body);
    buffer_release(&answer);
}

/* ---- what happens */

/* What the shell does until a moment: ticks, at most `facts_max` each. */
static void settle(int64_t until_ms, size_t facts_max)
{
    int64_t due_ms = 0;
    while (segmentation_definition.due(turn.service, &turn.view, &due_ms) && due_ms <= until_ms) {
        turn.now_ms = due_ms > turn.now_ms ? due_ms : turn.now_ms;
        turn.emitted = 0;
        segmentation_definition.tick(turn.service, &turn, due_ms, facts_max);
        ck_assert_uint_ge(turn.emitted, 1);
        ck_assert_uint_le(turn.emitted, facts_max + SEGMENTATION_MOVES_MAX);
    }
    turn.now_ms = until_ms > turn.now_ms ? until_ms : turn.now_ms;
}

static struct customer_id id_of(const char *customer)
{
    return customer_id_of(span_of(suite_key, sizeof suite_key), "customer", span_of_text(customer));
}

static void fold(const char *customer, struct event event)
{
    event.source = span_of_text("pos");
    event.id = span_of_text("1");
    event.customer = span_of_text(customer);
    struct buffer accepted;
    buffer_init(&accepted, LIMIT_RECORD_BYTES);
    struct hash128 hash = { { 0 } };
    ck_assert_int_eq(accepted_event_encode(&event, false, hash, &accepted), STATUS_OK);
    struct fact fact = { .type = FACT_EVENT_ACCEPTED,
                         .version = 1,
                         .recorded_at_ms = turn.now_ms,
                         .has_customer = true,
                         .customer = id_of(customer),
                         .subject = { .bytes = span_of_text(customer) },
                         .body = buffer_span(&accepted) };
    struct feed_name feed = { "ingestion", 0 };
    settle(turn.now_ms, 1000);
    segmentation_definition.fold(turn.service, &turn, &feed, &fact);
    buffer_release(&accepted);
}

static void buy(const char *customer, int64_t amount_minor)
{
    struct event event = { .type = span_of_text("purchase"),
                           .occurred_at_ms = turn.now_ms,
                           .has_amount = true,
                           .amount = { .minor = amount_minor, .currency = "EUR" } };
    fold(customer, event);
}

static void tell(const char *customer, const char *name, const char *text, bool personal)
{
    struct attribute attribute = { .name = span_of_text(name),
                                   .kind = ATTRIBUTE_TEXT,
                                   .text = span_of_text(text),
                                   .personal = personal };
    struct event event = { .type = span_of_text("profile_changed"),
                           .occurred_at_ms = turn.now_ms,
                           .attribute_count = 1,
                           .attributes = &attribute };
    fold(customer, event);
}

static void make_gold(const char *customer)
{
    tell(customer, "tier", "gold", false);
}

/* ---- questions */

static const struct service_method *method_find(const char *name)
{
    for (size_t i = 0; i < segmentation_definition.method_count; i++) {
        if (strcmp(segmentation_definition.methods[i].name, name) == 0) {
            return &segmentation_definition.methods[i];
        }
    }
    ck_abort_msg("no method %s", name);
    return NULL;
}

static enum status ask(const char *name, const ProtobufCMessage *request)
{
    const struct service_method *method = method_find(name);
    refusal_init(&refusal);
    buffer_clear(&body);
    buffer_clear(&answer);
    arena_reset(&arena);
    ck_assert_int_eq(pb_pack(request, &body), STATUS_OK);
    struct reply reply = { .body = &answer, .refusal = &refusal };
    ck_assert(!method->is_command);
    size_t before = turn.kept_count;
    enum status status = method->handle(turn.service, &turn, buffer_span(&body), &reply);
    ck_assert_uint_eq(turn.kept_count, before);
    return status;
}

static uint64_t count_of(char *segment)
{
    Kith__V1__CountRequest request = KITH__V1__COUNT_REQUEST__INIT;
    request.segment = segment;
    ck_assert_int_eq(ask("segmentation.Count", &request.base), STATUS_OK);
    const Kith__V1__CountReply *reply =
        pb_unpack(&kith__v1__count_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_str_eq(reply->segment, segment);
    ck_assert_uint_eq(reply->n_positions, 1);
    ck_assert_uint_eq(reply->positions[0]->seq, turn.fact_count);
    return reply->count;
}

static enum status why_ask(char *segment, char *customer, const Kith__V1__WhyReply **reply)
{
    Kith__V1__WhyRequest request = KITH__V1__WHY_REQUEST__INIT;
    request.segment = segment;
    request.customer = customer;
    enum status status = ask("segmentation.Why", &request.base);
    if (status == STATUS_OK) {
        *reply = pb_unpack(&kith__v1__why_reply__descriptor, &arena, buffer_span(&answer));
        ck_assert_ptr_nonnull(*reply);
    }
    return status;
}

static const Kith__V1__ListReply *list_ask(char *segment, char *after, uint32_t limit)
{
    Kith__V1__ListRequest request = KITH__V1__LIST_REQUEST__INIT;
    request.segment = segment;
    request.after = after;
    request.has_limit = limit > 0;
    request.limit = limit;
    ck_assert_int_eq(ask("segmentation.List", &request.base), STATUS_OK);
    const Kith__V1__ListReply *reply =
        pb_unpack(&kith__v1__list_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    return reply;
}

static char spend[] = "spend";
static char silent[] = "silent";
static char ann[] = "ann";

/* ---- tests */

START_TEST(an_event_is_an_entry_and_time_alone_an_exit)
{
    buy("ann", 150);
    ck_assert_uint_eq(count_of(spend), 0);
    buy("ann", 50);
    ck_assert_uint_eq(count_of(spend), 1);
    const struct fact *fact = &turn.kept[turn.kept_count - 1].fact;
    ck_assert_uint_eq(fact->type, FACT_SEGMENT_ENTERED);
    ck_assert(customer_id_equal(fact->customer, id_of("ann")));
    ck_assert(span_equal(fact->subject.bytes, span_of_text("ann")));
    settle(START_MS + 90 * MS_PER_DAY, 1000);
    ck_assert_uint_eq(count_of(spend), 0);
    fact = &turn.kept[turn.kept_count - 1].fact;
    ck_assert_uint_eq(fact->type, FACT_SEGMENT_EXITED);
    struct segmentation_move move = { .entered = true };
    ck_assert_int_eq(segmentation_move_decode(fact, &arena, &move), STATUS_OK);
    ck_assert(move.by_time && !move.entered);
    ck_assert_int_eq(fact->recorded_at_ms, START_MS + 90 * MS_PER_DAY);
}
END_TEST

START_TEST(why_says_each_clause_with_its_value)
{
    make_gold("ann");
    const Kith__V1__WhyReply *why = NULL;
    ck_assert_int_eq(why_ask(silent, ann, &why), STATUS_OK);
    ck_assert(why->member);
    ck_assert_uint_eq(why->rules_version, 1);
    ck_assert_int_eq(why->since_ms, START_MS);
    ck_assert_uint_eq(why->n_clauses, 2);
    ck_assert_str_eq(why->clauses[0]->text, "tier = gold");
    ck_assert_str_eq(why->clauses[0]->value, "gold");
    ck_assert(why->clauses[0]->holds);
    ck_assert_str_eq(why->clauses[1]->text, "count(usage) over 30 days >= 1");
    ck_assert_str_eq(why->clauses[1]->value, "0");
    ck_assert(!why->clauses[1]->holds);
    ck_assert_uint_eq(why->n_positions, 1);
    buy("ann", 123);
    ck_assert_int_eq(why_ask(spend, ann, &why), STATUS_OK);
    ck_assert(!why->member && !why->has_since_ms);
    ck_assert_str_eq(why->clauses[0]->value, "1.23");
}
END_TEST

START_TEST(who_or_what_is_not_known_is_not_found)
{
    char nobody[] = "nobody";
    char none[] = "none";
    const Kith__V1__WhyReply *why = NULL;
    buy("ann", 100);
    ck_assert_int_eq(why_ask(spend, nobody, &why), STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(refusal.message, "'nobody'"));
    ck_assert_int_eq(why_ask(none, ann, &why), STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(refusal.message, "'none'"));
    Kith__V1__CountRequest count = KITH__V1__COUNT_REQUEST__INIT;
    count.segment = none;
    ck_assert_int_eq(ask("segmentation.Count", &count.base), STATUS_NOT_FOUND);
    Kith__V1__ListRequest list = KITH__V1__LIST_REQUEST__INIT;
    list.segment = none;
    ck_assert_int_eq(ask("segmentation.List", &list.base), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(faulty_requests_name_their_fields)
{
    Kith__V1__WhyRequest why = KITH__V1__WHY_REQUEST__INIT;
    ck_assert_int_eq(ask("segmentation.Why", &why.base), STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 2);
    char tab[] = "a\tb";
    Kith__V1__ListRequest list = KITH__V1__LIST_REQUEST__INIT;
    list.segment = spend;
    list.after = tab;
    list.has_limit = true;
    list.limit = 1001;
    ck_assert_int_eq(ask("segmentation.List", &list.base), STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 2);
    Kith__V1__CountRequest count = KITH__V1__COUNT_REQUEST__INIT;
    ck_assert_int_eq(ask("segmentation.Count", &count.base), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "segment");
}
END_TEST

START_TEST(a_list_comes_page_by_page_in_the_order_of_bytes)
{
    const char *const customers[] = { "b", "a", "Z", "aa", "c" };
    for (size_t i = 0; i < 5; i++) {
        buy(customers[i], 200);
    }
    char sorted[5][3] = { "Z", "a", "aa", "b", "c" };
    const Kith__V1__ListReply *page = list_ask(spend, NULL, 0);
    ck_assert_uint_eq(page->n_customers, 5);
    ck_assert(!page->more);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(page->customers[i], sorted[i]);
    }
    page = list_ask(spend, NULL, 2);
    ck_assert(page->n_customers == 2 && page->more);
    page = list_ask(spend, sorted[1], 3);
    ck_assert(page->n_customers == 3 && !page->more);
    ck_assert_str_eq(page->customers[0], "aa");
    char between[] = "ab"; /* who left meanwhile may be named as well */
    page = list_ask(spend, between, 1);
    ck_assert_str_eq(page->customers[0], "b");
    ck_assert(page->more);
}
END_TEST

START_TEST(ticks_stop_between_customers_and_go_on)
{
    char name[] = "c00";
    for (int i = 0; i < 50; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        buy(name, 200);
    }
    ck_assert_uint_eq(count_of(spend), 50);
    int64_t due_ms = 0;
    ck_assert(segmentation_definition.due(turn.service, &turn.view, &due_ms));
    ck_assert_int_eq(due_ms, START_MS + 90 * MS_PER_DAY);
    turn.now_ms = due_ms;
    turn.emitted = 0;
    segmentation_definition.tick(turn.service, &turn, due_ms, 10);
    ck_assert_uint_eq(turn.emitted, 10); /* five customers: moved on, and out */
    ck_assert_uint_eq(count_of(spend), 45);
    settle(due_ms, 7);
    ck_assert_uint_eq(count_of(spend), 0);
    ck_assert(!segmentation_definition.due(turn.service, &turn.view, &due_ms));
}
END_TEST

START_TEST(why_is_answered_by_the_rules_that_decided_while_customers_are_taken_over)
{
    char name[] = "c0";
    for (int i = 0; i < 10; i++) {
        name[1] = (char)('0' + i);
        buy(name, 250);
    }
    restart(spend_three);
    int64_t due_ms = 0;
    ck_assert(segmentation_definition.due(turn.service, &turn.view, &due_ms));
    ck_assert_int_le(due_ms, turn.now_ms);
    segmentation_definition.tick(turn.service, &turn, due_ms, 8);
    unsigned old = 0;
    for (int i = 0; i < 10; i++) {
        name[1] = (char)('0' + i);
        const Kith__V1__WhyReply *why = NULL;
        ck_assert_int_eq(why_ask(spend, name, &why), STATUS_OK);
        bool by_old = why->rules_version == 1;
        old += by_old ? 1 : 0;
        ck_assert(why->member == by_old && why->clauses[0]->holds == by_old);
        ck_assert_str_eq(why->clauses[0]->text, by_old ? "sum(purchase) over 90 days >= 2.00"
                                                       : "sum(purchase) over 90 days >= 3.00");
        /* A segment that left the rules is still known to those who were not visited. */
        enum status wanted = by_old ? STATUS_OK : STATUS_NOT_FOUND;
        ck_assert_int_eq(why_ask(silent, name, &why), wanted);
    }
    ck_assert_uint_eq(old, 6); /* four were visited: a record and an exit each */
    settle(turn.now_ms, 3);
    ck_assert_uint_eq(count_of(spend), 0);
    ck_assert(!segmentation_definition.due(turn.service, &turn.view, &due_ms) ||
              due_ms > turn.now_ms);
}
END_TEST

START_TEST(a_restart_in_the_middle_of_visits_goes_on_with_the_next_customer)
{
    char name[] = "c0";
    for (int i = 0; i < 10; i++) {
        name[1] = (char)('0' + i);
        buy(name, 250);
    }
    restart(spend_three);
    int64_t due_ms = 0;
    ck_assert(segmentation_definition.due(turn.service, &turn.view, &due_ms));
    segmentation_definition.tick(turn.service, &turn, due_ms, 8);
    size_t before = turn.fact_count;
    restart(spend_three);
    ck_assert_uint_eq(turn.fact_count, before); /* the rules are the same */
    settle(turn.now_ms, 1000);
    ck_assert_uint_eq(turn.fact_count, before + 6);
    restart(spend_two);
    settle(turn.now_ms, 1000);
    ck_assert_uint_eq(count_of(spend), 10);
}
END_TEST

START_TEST(within_a_ticks_instant_who_is_still_to_come_stands_just_before_it)
{
    static const char within[] = "segments:\n"
                                 "  - name: spend\n"
                                 "    rule: {last: purchase, within_days: 10}\n";
    restart(within);
    buy("ann", 100);
    turn.now_ms += 10 * MS_PER_DAY; /* others of this instant came first */
    const Kith__V1__WhyReply *why = NULL;
    ck_assert_int_eq(why_ask(spend, ann, &why), STATUS_OK);
    ck_assert(why->member && why->clauses[0]->holds);
    ck_assert_str_eq(why->clauses[0]->value, "1998-06-30T00:00:00Z");
    settle(turn.now_ms, 1000);
    ck_assert_int_eq(why_ask(spend, ann, &why), STATUS_OK);
    ck_assert(!why->member && !why->clauses[0]->holds);
}
END_TEST

START_TEST(rules_are_said_once_and_again_only_when_they_change)
{
    ck_assert_uint_eq(turn.fact_count, 1);
    restart(spend_two);
    ck_assert_uint_eq(turn.fact_count, 1);
    restart("segmentation: {history_days: 401}\nother: 1\n");
    ck_assert_uint_eq(turn.fact_count, 2);
    struct segmentation_rules_fact changed = { .version = 0 };
    const struct fact *fact = &turn.kept[turn.kept_count - 1].fact;
    ck_assert_int_eq(segmentation_rules_fact_decode(fact->body, &arena, &changed), STATUS_OK);
    ck_assert_uint_eq(changed.version, 2);
    ck_assert_uint_eq(changed.text.size, 0);
}
END_TEST

static void text_add(struct buffer *text, const char *part)
{
    ck_assert_int_eq(buffer_append(text, span_of_text(part)), STATUS_OK);
}

static void large_segment_add(struct buffer *text, int number)
{
    char line[128];
    (void)snprintf(line, sizeof line, "  - name: s%d\n    rule:\n      any:\n", number);
    text_add(text, line);
    for (int i = 0; i < RULES_CLAUSES_MAX; i++) {
        (void)snprintf(line, sizeof line,
                       "        - {count: purchase, over_days: %d, at_least: 1}\n", 1 + i);
        text_add(text, line);
    }
}

/* Opens with so many segments of as many clauses as one may have. */
static enum status large_open(int segments)
{
    struct buffer text;
    buffer_init(&text, YAML_FILE_BYTES_MAX);
    text_add(&text, "segments:\n");
    for (int i = 0; i < segments; i++) {
        large_segment_add(&text, i);
    }
    ck_assert_int_eq(buffer_append(&text, span_of("", 1)), STATUS_OK);
    void *service = NULL;
    enum status status = service_open((const char *)text.data, &service);
    segmentation_definition.close(&service);
    buffer_release(&text);
    return status;
}

START_TEST(rules_that_no_fact_could_hold_are_refused_at_start)
{
    int most = 1;
    while (most <= RULES_SEGMENTS_MAX && large_open(most) == STATUS_OK) {
        most++;
    }
    ck_assert_int_ge(most, 50);
    ck_assert_int_le(most, RULES_SEGMENTS_MAX);
    ck_assert_ptr_nonnull(strstr(refusal.message, "40960 bytes"));
}
END_TEST

/* ---- what campaigns need */

static const char with_campaigns[] =
    "segments:\n"
    "  - name: spend\n"
    "    rule: {sum: purchase, over_days: 90, at_least: \"2.00\"}\n"
    "  - name: silent\n"
    "    rule: {attribute: tier, equals: gold}\n"
    "channels:\n"
    "  - {name: outbox, kind: file, address: phone}\n"
    "campaigns:\n"
    "  - name: thanks\n"
    "    segment: spend\n"
    "    channel: outbox\n"
    "    on_entry: true\n"
    "    text: \"Dear {first_name}, {customer}\"\n"
    "    valid: {from: \"1998-01-01T00:00:00Z\", until: \"1999-01-01T00:00:00Z\"}\n";

static const Kith__V1__SegmentEntered *newest_entry(void)
{
    const struct fact *fact = &turn.kept[turn.kept_count - 1].fact;
    ck_assert(!turn.kept[turn.kept_count - 1].is_private);
    ck_assert_uint_eq(fact->type, FACT_SEGMENT_ENTERED);
    const Kith__V1__SegmentEntered *message =
        pb_unpack(&kith__v1__segment_entered__descriptor, &arena, fact->body);
    ck_assert_ptr_nonnull(message);
    return message;
}

START_TEST(an_entry_carries_what_its_segments_campaigns_need)
{
    restart(with_campaigns);
    tell(ann, "first_name", "Ann", false);
    tell(ann, "phone", "+41 44", true);
    tell(ann, "email", "ann@example.org", true);
    buy(ann, 200);
    const Kith__V1__SegmentEntered *entry = newest_entry();
    ck_assert_str_eq(entry->segment, "spend");
    ck_assert_uint_eq(entry->n_contact, 2);
    ck_assert_str_eq(entry->contact[0]->name, "phone");
    ck_assert(span_equal(pb_span(entry->contact[0]->value->bytes), span_of_text("+41 44")));
    ck_assert_uint_eq(entry->contact[0]->value->key_id, 0);
    ck_assert_str_eq(entry->contact[1]->name, "first_name");
    ck_assert(span_equal(pb_span(entry->contact[1]->value->bytes), span_of_text("Ann")));
    make_gold(ann);
    ck_assert_msg(newest_entry()->n_contact == 0, "no campaign is about this segment");
    buy("bob", 200);
    ck_assert_msg(newest_entry()->n_contact == 0, "nothing is known of him");
}
END_TEST

START_TEST(without_campaigns_entries_are_what_they_were)
{
    tell(ann, "phone", "+41 44", true);
    buy(ann, 200);
    ck_assert_uint_eq(newest_entry()->n_contact, 0);
    const struct fact *fact = &turn.kept[turn.kept_count - 1].fact;
    static const char expected[] = "\x0a\x05spend\x10\x01";
    ck_assert(span_equal(fact->body, span_of_text(expected)));
}
END_TEST

START_TEST(campaigns_added_later_find_the_addresses_told_before)
{
    tell(ann, "phone", "+41 44", true);
    restart(with_campaigns);
    buy(ann, 200);
    ck_assert_uint_eq(newest_entry()->n_contact, 1);
}
END_TEST

START_TEST(faulty_campaigns_open_nothing)
{
    void *service = NULL;
    ck_assert_int_eq(service_open("campaigns:\n  - {name: thanks}\n", &service), STATUS_MALFORMED);
    ck_assert_ptr_null(service);
}
END_TEST

static Suite *suite_of_service(void)
{
    Suite *suite = suite_create("segmentation_service");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, an_event_is_an_entry_and_time_alone_an_exit);
    tcase_add_test(tcase, why_says_each_clause_with_its_value);
    tcase_add_test(tcase, who_or_what_is_not_known_is_not_found);
    tcase_add_test(tcase, faulty_requests_name_their_fields);
    tcase_add_test(tcase, a_list_comes_page_by_page_in_the_order_of_bytes);
    tcase_add_test(tcase, ticks_stop_between_customers_and_go_on);
    tcase_add_test(tcase, why_is_answered_by_the_rules_that_decided_while_customers_are_taken_over);
    tcase_add_test(tcase, a_restart_in_the_middle_of_visits_goes_on_with_the_next_customer);
    tcase_add_test(tcase, within_a_ticks_instant_who_is_still_to_come_stands_just_before_it);
    tcase_add_test(tcase, rules_are_said_once_and_again_only_when_they_change);
    tcase_add_test(tcase, rules_that_no_fact_could_hold_are_refused_at_start);
    tcase_add_test(tcase, an_entry_carries_what_its_segments_campaigns_need);
    tcase_add_test(tcase, without_campaigns_entries_are_what_they_were);
    tcase_add_test(tcase, campaigns_added_later_find_the_addresses_told_before);
    tcase_add_test(tcase, faulty_campaigns_open_nothing);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_service());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
