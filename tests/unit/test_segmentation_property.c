/* link: segmentation_core */
/*
 * Random events, rules and changes of rules through the core, against an oracle that keeps
 * nothing but the raw events and computes every figure of every customer from scratch at each
 * instant. Compared are all moves in their order and all figures. KITH_TEST_SEED runs one
 * again.
 */
#include "tests/unit/segmentation_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Instants lie on a grid, so that edges meet often. */
#define STEP_MS (MS_PER_DAY / 4)
#define STEPS 140
#define CUSTOMERS 4
#define EVENTS_MAX 160
#define HISTORY_DAYS 10
#define SEGMENTS 4
#define NAMES 6
#define TERMS 3
#define LEAVES 3
#define ROUNDS 25

static const char *const types[] = { "purchase", "usage", "recharge" };
static const char *const categories[] = { "", "home", "roaming" };
static const char *const attributes[] = { "tier", "age" };
static const char *const values[] = { "", "gold", "silver", "5" };
static const uint32_t windows[] = { 1, 2, 3, 5, 10 };
static const char *const names[NAMES] = { "s0", "s1", "s2", "s3", "s4", "s5" };

/* ---- chance */

static uint64_t chance_state;

static unsigned draw(unsigned bound)
{
    chance_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = chance_state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((mixed ^ (mixed >> 31)) % bound);
}

/* ---- what is drawn */

struct raw_event {
    unsigned customer; /* from 1 */
    unsigned type;
    unsigned category;
    int64_t amount;
    int64_t at_ms;
    int step; /* when it is folded */
    bool says;
    unsigned attribute;
    unsigned value;
};

struct leaf {
    enum rules_kind kind;
    unsigned type;
    unsigned category;
    uint32_t days;
    enum rules_comparison comparison;
    int64_t number;
    unsigned attribute;
    unsigned value; /* of an attribute that equals */
};
/* [not] leaf, or [not] any/all of leaves */
struct term {
    bool negated;
    bool any;
    size_t leaf_count;
    struct leaf leaves[LEAVES];
};
struct spec {
    unsigned name;
    bool any;
    size_t term_count;
    struct term terms[TERMS];
};

static struct leaf leaf_draw(void)
{
    struct leaf leaf = { .type = draw(3), .category = draw(3) == 0 ? draw(3) : 0 };
    leaf.days = windows[draw(5)];
    unsigned kind = draw(8);
    if (kind < 3) {
        leaf.kind = RULES_COUNT;
        leaf.comparison = (enum rules_comparison)(RULES_AT_LEAST + draw(5));
        leaf.number = draw(4);
    } else if (kind < 6) {
        leaf.kind = RULES_SUM;
        leaf.comparison = (enum rules_comparison)(RULES_AT_LEAST + draw(5));
        leaf.number = (int64_t)draw(5) * 50 - 50;
    } else if (kind == 6) {
        leaf.kind = RULES_LAST;
        leaf.comparison = draw(2) == 0 ? RULES_WITHIN : RULES_OLDER_THAN;
    } else {
        leaf.kind = RULES_ATTRIBUTE;
        leaf.attribute = draw(2);
        leaf.comparison = draw(2) == 0 ? RULES_IN : RULES_AT_LEAST;
        leaf.value = 1 + draw(3);
        leaf.number = 3 + draw(4);
    }
    return leaf;
}

static void spec_draw(struct spec *spec, unsigned name)
{
    *spec = (struct spec){ .name = name, .any = draw(2) == 0, .term_count = 1 + draw(TERMS) };
    for (size_t i = 0; i < spec->term_count; i++) {
        struct term *term = &spec->terms[i];
        *term = (struct term){ .negated = draw(3) == 0,
                               .any = draw(2) == 0,
                               .leaf_count = 1 + draw(LEAVES) };
        for (size_t j = 0; j < term->leaf_count; j++) {
            term->leaves[j] = leaf_draw();
        }
    }
}

/* ---- the same rules for the core */

static void leaf_add(struct rules_builder *builder, const struct leaf *leaf)
{
    struct rules_clause clause = { .kind = leaf->kind, .comparison = leaf->comparison };
    if (leaf->kind == RULES_ATTRIBUTE) {
        clause.subject = span_of_text(attributes[leaf->attribute]);
        bool equals = leaf->comparison == RULES_IN;
        clause.value_count = equals ? 1 : 0;
        clause.values[0] = span_of_text(values[leaf->value]);
        clause.number = equals ? 0 : leaf->number;
    } else {
        clause.subject = span_of_text(types[leaf->type]);
        clause.category = span_of_text(categories[leaf->category]);
        clause.days = leaf->days;
        clause.number = leaf->number;
    }
    clause_add(builder, clause);
}

static void group_open(struct rules_builder *builder, enum rules_kind kind)
{
    ck_assert_int_eq(rules_group_begin(builder, kind), STATUS_OK);
}

static void group_close(struct rules_builder *builder)
{
    ck_assert_int_eq(rules_group_end(builder), STATUS_OK);
}

static void term_add(struct rules_builder *builder, const struct term *term)
{
    if (term->negated) {
        group_open(builder, RULES_NOT);
    }
    if (term->leaf_count > 1) {
        group_open(builder, term->any ? RULES_ANY : RULES_ALL);
    }
    for (size_t i = 0; i < term->leaf_count; i++) {
        leaf_add(builder, &term->leaves[i]);
    }
    if (term->leaf_count > 1) {
        group_close(builder);
    }
    if (term->negated) {
        group_close(builder);
    }
}

static void spec_add(struct rules_builder *builder, const struct spec *spec)
{
    segment_begin(builder, names[spec->name]);
    group_open(builder, spec->any ? RULES_ANY : RULES_ALL);
    for (size_t i = 0; i < spec->term_count; i++) {
        term_add(builder, &spec->terms[i]);
    }
    group_close(builder);
    segment_end(builder);
}

/* ---- the oracle */

struct oracle {
    size_t event_count;
    struct raw_event events[EVENTS_MAX]; /* as folded so far */
    size_t spec_count;
    struct spec specs[SEGMENTS];
    uint32_t version;
    unsigned numbered[NAMES]; /* names in the order of their first appearance */
    size_t numbered_count;
    bool known[CUSTOMERS + 1];
    bool member[CUSTOMERS + 1][NAMES];
    size_t move_count;
    struct fixture_move moves[FIXTURE_MOVES_MAX];
};

static struct oracle oracle;

static bool event_fits(const struct raw_event *event, unsigned customer, unsigned type,
                       unsigned category)
{
    return event->customer == customer && event->type == type &&
           (category == 0 || event->category == category);
}

static void window_compute(unsigned customer, const struct leaf *leaf, int64_t now_ms,
                           int64_t *count, int64_t *sum)
{
    *count = 0;
    *sum = 0;
    for (size_t i = 0; i < oracle.event_count; i++) {
        const struct raw_event *event = &oracle.events[i];
        if (event_fits(event, customer, leaf->type, leaf->category) && event->at_ms <= now_ms &&
            event->at_ms > now_ms - (int64_t)leaf->days * MS_PER_DAY) {
            *count += 1;
            *sum += event->amount;
        }
    }
}

static bool latest_compute(unsigned customer, const struct leaf *leaf, int64_t now_ms,
                           int64_t *latest_ms)
{
    bool found = false;
    for (size_t i = 0; i < oracle.event_count; i++) {
        const struct raw_event *event = &oracle.events[i];
        if (event_fits(event, customer, leaf->type, leaf->category) && event->at_ms <= now_ms &&
            (!found || event->at_ms > *latest_ms)) {
            *latest_ms = event->at_ms;
            found = true;
        }
    }
    return found;
}

/* The value that stands: 0 is unknown. */
static unsigned attribute_compute(unsigned customer, unsigned attribute)
{
    unsigned value = 0;
    int64_t at_ms = INT64_MIN;
    for (size_t i = 0; i < oracle.event_count; i++) {
        const struct raw_event *event = &oracle.events[i];
        if (event->customer == customer && event->says && event->attribute == attribute &&
            event->at_ms >= at_ms) {
            at_ms = event->at_ms;
            value = event->value;
        }
    }
    return value;
}

static bool compares(enum rules_comparison comparison, int64_t value, int64_t number)
{
    const bool holds[] = { false,          value >= number, value <= number,
                           value > number, value < number,  value == number };
    return holds[comparison];
}

static bool leaf_compute(unsigned customer, const struct leaf *leaf, int64_t now_ms)
{
    int64_t count = 0;
    int64_t sum = 0;
    int64_t latest_ms = 0;
    if (leaf->kind == RULES_ATTRIBUTE) {
        unsigned value = attribute_compute(customer, leaf->attribute);
        if (leaf->comparison == RULES_IN) {
            return value == leaf->value;
        }
        return value == 3 && leaf->number <= 5; /* the only number there is */
    }
    if (leaf->kind == RULES_LAST) {
        if (!latest_compute(customer, leaf, now_ms, &latest_ms)) {
            return false;
        }
        bool older = now_ms - latest_ms >= (int64_t)leaf->days * MS_PER_DAY;
        return older == (leaf->comparison == RULES_OLDER_THAN);
    }
    window_compute(customer, leaf, now_ms, &count, &sum);
    return compares(leaf->comparison, leaf->kind == RULES_COUNT ? count : sum, leaf->number);
}

static bool term_compute(unsigned customer, const struct term *term, int64_t now_ms)
{
    size_t holding = 0;
    for (size_t i = 0; i < term->leaf_count; i++) {
        holding += leaf_compute(customer, &term->leaves[i], now_ms) ? 1 : 0;
    }
    bool holds = term->any ? holding > 0 : holding == term->leaf_count;
    return holds != term->negated;
}

static bool spec_compute(unsigned customer, const struct spec *spec, int64_t now_ms)
{
    size_t holding = 0;
    for (size_t i = 0; i < spec->term_count; i++) {
        holding += term_compute(customer, &spec->terms[i], now_ms) ? 1 : 0;
    }
    return spec->any ? holding > 0 : holding == spec->term_count;
}

static void move_expect(unsigned customer, unsigned name, bool by_time, int64_t now_ms)
{
    bool entered = !oracle.member[customer][name];
    oracle.member[customer][name] = entered;
    ck_assert_uint_lt(oracle.move_count, FIXTURE_MOVES_MAX);
    struct fixture_move *move = &oracle.moves[oracle.move_count++];
    *move = (struct fixture_move){ .entered = entered,
                                   .by_time = by_time && !entered,
                                   .customer = (uint8_t)customer,
                                   .rules_version = oracle.version,
                                   .now_ms = now_ms };
    (void)snprintf(move->segment, sizeof move->segment, "%s", names[name]);
}

static bool specs_have(unsigned name)
{
    for (size_t i = 0; i < oracle.spec_count; i++) {
        if (oracle.specs[i].name == name) {
            return true;
        }
    }
    return false;
}

static void customer_expect(unsigned customer, bool by_time, int64_t now_ms)
{
    if (!oracle.known[customer]) {
        return;
    }
    for (size_t i = 0; i < oracle.numbered_count; i++) {
        unsigned name = oracle.numbered[i];
        if (oracle.member[customer][name] && !specs_have(name)) {
            move_expect(customer, name, by_time, now_ms);
        }
    }
    for (size_t i = 0; i < oracle.spec_count; i++) {
        const struct spec *spec = &oracle.specs[i];
        if (spec_compute(customer, spec, now_ms) != oracle.member[customer][spec->name]) {
            move_expect(customer, spec->name, by_time, now_ms);
        }
    }
}

static void everybody_expect(bool by_time, int64_t now_ms)
{
    for (unsigned customer = 1; customer <= CUSTOMERS; customer++) {
        customer_expect(customer, by_time, now_ms);
    }
}

static void specs_draw(void)
{
    bool taken[NAMES] = { false };
    oracle.spec_count = 1 + draw(SEGMENTS);
    oracle.version += 1;
    for (size_t i = 0; i < oracle.spec_count; i++) {
        unsigned name = draw(NAMES);
        while (taken[name]) {
            name = (name + 1) % NAMES;
        }
        taken[name] = true;
        spec_draw(&oracle.specs[i], name);
        bool numbered = false;
        for (size_t j = 0; j < oracle.numbered_count; j++) {
            numbered = numbered || oracle.numbered[j] == name;
        }
        if (!numbered) {
            oracle.numbered[oracle.numbered_count++] = name;
        }
    }
}

/* ---- both side by side */

static struct fixture fixture;

static void rules_change(void)
{
    struct rules_builder builder;
    specs_draw();
    rules_build(&builder, &fixture.rules->rules);
    for (size_t i = 0; i < oracle.spec_count; i++) {
        spec_add(&builder, &oracle.specs[i]);
    }
    rules_put(&fixture);
    everybody_expect(false, fixture.now_ms);
}

static struct raw_event event_draw(int step)
{
    struct raw_event event = { .customer = 1 + draw(CUSTOMERS),
                               .type = draw(3),
                               .category = draw(3),
                               .amount = (int64_t)draw(6) * 50 - 50,
                               .step = step,
                               .says = draw(4) == 0,
                               .attribute = draw(2),
                               .value = draw(4) };
    unsigned when = draw(10);
    int64_t steps = step;
    if (when < 3) {
        steps -= draw(60); /* late, also past what history keeps */
    } else if (when == 3) {
        steps += 1 + draw(3); /* dated ahead */
    }
    event.at_ms = FIXTURE_NOW_MS + steps * STEP_MS;
    return event;
}

static void event_both(const struct raw_event *raw, int64_t now_ms)
{
    struct segmentation_event event = {
        .customer = customer_of((uint8_t)raw->customer),
        .type = span_of_text(types[raw->type]),
        .category = span_of_text(categories[raw->category]),
        .amount_minor = raw->amount,
        .occurred_at_ms = raw->at_ms,
        .now_ms = now_ms,
        .said_count = raw->says ? 1 : 0,
    };
    event.said[0] = (struct segmentation_said){ .name = span_of_text(attributes[raw->attribute]),
                                                .text = span_of_text(values[raw->value]),
                                                .has_integer = raw->value == 3,
                                                .integer = raw->value == 3 ? 5 : 0 };
    event_fold(&fixture, &event);
    oracle.events[oracle.event_count++] = *raw;
    oracle.known[raw->customer] = true;
    customer_expect(raw->customer, false, now_ms);
}

static void moves_compare(void)
{
    for (size_t i = 0; i < oracle.move_count && i < fixture.move_count; i++) {
        const struct fixture_move *wanted = &oracle.moves[i];
        const struct fixture_move *got = &fixture.log[i];
        ck_assert_msg(
            wanted->entered == got->entered && wanted->by_time == got->by_time &&
                wanted->customer == got->customer && wanted->rules_version == got->rules_version &&
                strcmp(wanted->segment, got->segment) == 0 && wanted->now_ms == got->now_ms,
            "move %zu: wanted %s %u %s at %lld, got %s %u %s at %lld", i, wanted->segment,
            wanted->customer, wanted->entered ? "in" : "out", (long long)wanted->now_ms,
            got->segment, got->customer, got->entered ? "in" : "out", (long long)got->now_ms);
    }
    ck_assert_uint_eq(fixture.move_count, oracle.move_count);
}

/* Every figure that a leaf needs, as the core keeps it and as it is. */
static void leaf_compare(const struct rules_values *core, size_t feature, unsigned customer,
                         const struct leaf *leaf)
{
    int64_t wanted_count = 0;
    int64_t wanted_sum = 0;
    int64_t wanted_ms = 0;
    int64_t latest_ms = 0;
    if (leaf->kind == RULES_ATTRIBUTE) {
        return;
    }
    if (leaf->kind == RULES_LAST) {
        bool known = latest_compute(customer, leaf, fixture.now_ms, &wanted_ms);
        ck_assert(core->latest(core->context, feature, &latest_ms) == known);
        ck_assert_int_eq(latest_ms, wanted_ms);
        return;
    }
    window_compute(customer, leaf, fixture.now_ms, &wanted_count, &wanted_sum);
    struct rules_window window = core->window(core->context, feature);
    ck_assert_uint_eq(window.count, (uint64_t)wanted_count);
    ck_assert(window.sum == wanted_sum);
}

/* The next clause at or after a node. */
static size_t clause_from(size_t node)
{
    while (rules_kind_is_group(fixture.rules->rules.nodes[node].kind)) {
        node++;
    }
    return node;
}

static void spec_compare(const struct rules_values *core, size_t segment, unsigned customer)
{
    const struct rules *rules = &fixture.rules->rules;
    const struct spec *spec = &oracle.specs[segment];
    size_t node = rules->segments[segment].first;
    for (size_t i = 0; i < spec->term_count; i++) {
        const struct term *term = &spec->terms[i];
        for (size_t j = 0; j < term->leaf_count; j++) {
            node = clause_from(node);
            leaf_compare(core, rules->nodes[node].feature, customer, &term->leaves[j]);
            node++;
        }
    }
}

static void figures_compare(void)
{
    for (unsigned customer = 1; customer <= CUSTOMERS; customer++) {
        struct customer_id id = customer_of((uint8_t)customer);
        if (!segmentation_core_work_load(&fixture.view, fixture.work, id)) {
            ck_assert(!oracle.known[customer]);
            continue;
        }
        struct segmentation_answers answers = { .view = &fixture.view, .work = fixture.work };
        struct rules_values core = segmentation_core_values(&answers, fixture.now_ms);
        for (size_t i = 0; i < oracle.spec_count; i++) {
            spec_compare(&core, i, customer);
        }
    }
}

static void members_compare(void)
{
    for (size_t i = 0; i < oracle.numbered_count; i++) {
        uint64_t wanted = 0;
        for (unsigned customer = 1; customer <= CUSTOMERS; customer++) {
            wanted += oracle.member[customer][oracle.numbered[i]] ? 1 : 0;
        }
        ck_assert_uint_eq(members_of(&fixture, names[oracle.numbered[i]]), wanted);
    }
}

static void step_run(int step)
{
    int64_t now_ms = FIXTURE_NOW_MS + (int64_t)step * STEP_MS;
    time_pass(&fixture, now_ms);
    everybody_expect(true, now_ms);
    moves_compare();
    if (step == 0 || draw(40) == 0) {
        rules_change();
        moves_compare();
    }
    for (unsigned left = draw(4); left > 0 && oracle.event_count < EVENTS_MAX; left--) {
        struct raw_event event = event_draw(step);
        event_both(&event, now_ms);
        moves_compare();
    }
    figures_compare();
    members_compare();
}

START_TEST(moves_and_figures_are_those_computed_from_all_events_at_each_instant)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    chance_state = (uint64_t)now.tv_nsec ^ ((uint64_t)getpid() << 32) ^ (uint64_t)_i;
    const char *given = getenv("KITH_TEST_SEED");
    if (given != NULL) {
        chance_state = strtoull(given, NULL, 10);
    }
    printf("KITH_TEST_SEED=%llu\n", (unsigned long long)chance_state);
    (void)fflush(stdout);
    struct rules_builder builder;
    memset(&oracle, 0, sizeof oracle);
    fixture_open(&fixture, &builder);
    fixture.rules->history_days = HISTORY_DAYS;
    for (int step = 0; step < STEPS; step++) {
        step_run(step);
    }
    fixture_close(&fixture);
}
END_TEST

static Suite *suite_of_properties(void)
{
    Suite *suite = suite_create("segmentation_property");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, moves_and_figures_are_those_computed_from_all_events_at_each_instant,
                        0, ROUNDS);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_properties());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
