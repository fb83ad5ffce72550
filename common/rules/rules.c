#include "common/rules/rules.h"

#include "common/base/id.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <string.h>

_Static_assert(RULES_NODES_MAX <= UINT16_MAX && RULES_FEATURES_MAX <= UINT16_MAX &&
                   RULES_VALUES_ALL_MAX <= UINT16_MAX && RULES_TEXT_BYTES <= UINT16_MAX,
               "places in the arrays fit 16 bits");

/* ---- reading */

struct span rules_span(const struct rules *rules, struct rules_text text)
{
    return span_of(rules->text + text.at, text.size);
}

size_t rules_segment_find(const struct rules *rules, struct span name)
{
    for (size_t i = 0; i < rules->segment_count; i++) {
        if (span_equal(rules_span(rules, rules->segments[i].name), name)) {
            return i;
        }
    }
    return RULES_SEGMENTS_MAX;
}

bool rules_kind_is_group(enum rules_kind kind)
{
    return kind == RULES_ALL || kind == RULES_ANY || kind == RULES_NOT;
}

uint32_t rules_days_most(const struct rules *rules)
{
    uint32_t most = 0;
    for (size_t i = 0; i < rules->feature_count; i++) {
        most = rules->features[i].days > most ? rules->features[i].days : most;
    }
    return most;
}

bool rules_feature_takes(const struct rules *rules, size_t feature, struct span type,
                         struct span category)
{
    const struct rules_feature *wanted = &rules->features[feature];
    if (!span_equal(rules_span(rules, wanted->type), type)) {
        return false;
    }
    return wanted->category.size == 0 || span_equal(rules_span(rules, wanted->category), category);
}

/* ---- texts and features, each kept once */

static enum status text_keep(struct rules *rules, struct span text, struct rules_text *kept)
{
    /* Anywhere in what is there, also within another text: nothing tells texts apart but the
     * places that name them. */
    const uint8_t *found = NULL;
    if (text.size > 0 && rules->text_size >= text.size) {
        for (size_t at = 0; at + text.size <= rules->text_size && found == NULL; at++) {
            bool same = memcmp(rules->text + at, text.data, text.size) == 0;
            found = same ? rules->text + at : NULL;
        }
    }
    if (found == NULL) {
        if (text.size > RULES_TEXT_BYTES - rules->text_size) {
            return STATUS_LIMIT;
        }
        if (text.size > 0) {
            memcpy(rules->text + rules->text_size, text.data, text.size);
        }
        found = rules->text + rules->text_size;
        rules->text_size += text.size;
    }
    *kept =
        (struct rules_text){ .at = (uint16_t)(found - rules->text), .size = (uint16_t)text.size };
    if (text.size == 0) {
        kept->at = 0;
    }
    return STATUS_OK;
}

static enum status feature_keep(struct rules *rules, const struct rules_clause *clause,
                                uint16_t *kept)
{
    struct rules_feature feature = { .days = clause->kind == RULES_LAST ? 0 : clause->days };
    enum status status = text_keep(rules, clause->subject, &feature.type);
    if (status == STATUS_OK) {
        status = text_keep(rules, clause->category, &feature.category);
    }
    if (status != STATUS_OK) {
        return status;
    }
    size_t at = 0;
    for (; at < rules->feature_count; at++) {
        const struct rules_feature *other = &rules->features[at];
        if (other->days == feature.days &&
            span_equal(rules_span(rules, other->type), clause->subject) &&
            span_equal(rules_span(rules, other->category), clause->category)) {
            break;
        }
    }
    if (at == rules->feature_count) {
        assert(rules->feature_count < RULES_FEATURES_MAX); /* one a clause at most */
        rules->features[rules->feature_count++] = feature;
    }
    *kept = (uint16_t)at;
    return STATUS_OK;
}

static enum status values_keep(struct rules *rules, const struct rules_clause *clause,
                               struct rules_node *node)
{
    if (clause->value_count > RULES_VALUES_ALL_MAX - rules->value_count) {
        return STATUS_LIMIT;
    }
    node->value_first = (uint16_t)rules->value_count;
    node->value_count = (uint16_t)clause->value_count;
    for (size_t i = 0; i < clause->value_count; i++) {
        struct rules_text *kept = &rules->values[rules->value_count + i];
        enum status status = text_keep(rules, clause->values[i], kept);
        if (status != STATUS_OK) {
            return status;
        }
    }
    rules->value_count += clause->value_count;
    return STATUS_OK;
}

/* ---- what a clause may be */

static bool comparison_is_of_number(enum rules_comparison comparison)
{
    return comparison >= RULES_AT_LEAST && comparison <= RULES_EQUALS;
}

static bool days_are_valid(uint32_t days)
{
    return days >= 1 && days <= RULES_DAYS_MAX;
}

static bool window_is_valid(const struct rules_clause *clause)
{
    int64_t least = clause->kind == RULES_COUNT ? 0 : -LIMIT_AMOUNT;
    return days_are_valid(clause->days) && comparison_is_of_number(clause->comparison) &&
           clause->number >= least && clause->number <= LIMIT_AMOUNT && clause->value_count == 0;
}

static bool last_is_valid(const struct rules_clause *clause)
{
    bool fits = clause->comparison == RULES_WITHIN || clause->comparison == RULES_OLDER_THAN;
    return fits && days_are_valid(clause->days) && clause->number == 0 && clause->value_count == 0;
}

static bool values_are_valid(const struct rules_clause *clause)
{
    if (clause->value_count < 1 || clause->value_count > RULES_VALUES_MAX) {
        return false;
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        struct span value = clause->values[i];
        if (value.size < 1 || value.size > RULES_VALUE_BYTES || !text_is_clean(value)) {
            return false;
        }
    }
    return true;
}

static bool attribute_is_valid(const struct rules_clause *clause)
{
    if (clause->days != 0 || clause->category.size > 0) {
        return false;
    }
    if (clause->comparison == RULES_IN) {
        return clause->number == 0 && values_are_valid(clause);
    }
    return clause->comparison >= RULES_AT_LEAST && clause->comparison <= RULES_LESS_THAN &&
           clause->value_count == 0;
}

static bool clause_is_valid(const struct rules_clause *clause)
{
    if (!type_text_is_valid(clause->subject) ||
        (clause->category.size > 0 && !id_text_is_valid(clause->category))) {
        return false;
    }
    switch (clause->kind) {
    case RULES_COUNT:
    case RULES_SUM:
        return window_is_valid(clause);
    case RULES_LAST:
        return last_is_valid(clause);
    case RULES_ATTRIBUTE:
        return attribute_is_valid(clause);
    case RULES_ALL:
    case RULES_ANY:
    case RULES_NOT:
        return false;
    }
    return false;
}

/* ---- building */

void rules_build(struct rules_builder *builder, struct rules *rules)
{
    memset(rules, 0, sizeof *rules);
    *builder = (struct rules_builder){ .rules = rules };
}

enum status rules_segment_begin(struct rules_builder *builder, struct span name)
{
    struct rules *rules = builder->rules;
    if (!id_text_is_valid(name)) {
        return STATUS_MALFORMED;
    }
    if (rules_segment_find(rules, name) < RULES_SEGMENTS_MAX) {
        return STATUS_EXISTS;
    }
    if (rules->segment_count == RULES_SEGMENTS_MAX) {
        return STATUS_LIMIT;
    }
    struct rules_segment *segment = &rules->segments[rules->segment_count];
    enum status status = text_keep(rules, name, &segment->name);
    if (status != STATUS_OK) {
        return status;
    }
    segment->first = (uint16_t)rules->node_count;
    *builder = (struct rules_builder){ .rules = rules };
    return STATUS_OK;
}

enum status rules_segment_end(struct rules_builder *builder)
{
    struct rules *rules = builder->rules;
    if (builder->depth != 0 || builder->members[0] != 1) {
        return STATUS_MALFORMED;
    }
    rules->segments[rules->segment_count].end = (uint16_t)rules->node_count;
    rules->segment_count += 1;
    return STATUS_OK;
}

/* Appends a node; its place is within all bounds by those of clauses and groups. */
static void node_append(struct rules_builder *builder, const struct rules_node *node)
{
    struct rules *rules = builder->rules;
    assert(rules->node_count < RULES_NODES_MAX);
    builder->members[builder->depth] += 1;
    rules->nodes[rules->node_count] = *node;
    rules->node_count += 1;
    rules->nodes[rules->node_count - 1].end = (uint16_t)rules->node_count;
}

enum status rules_group_begin(struct rules_builder *builder, enum rules_kind kind)
{
    if (!rules_kind_is_group(kind) || (builder->depth == 0 && builder->members[0] > 0)) {
        return STATUS_MALFORMED;
    }
    /* What is in the group must still find room below it. */
    if (builder->depth + 1 == RULES_DEPTH_MAX || builder->group_count == RULES_GROUPS_MAX) {
        return STATUS_LIMIT;
    }
    struct rules_node node = { .kind = kind };
    builder->open[builder->depth] = (uint16_t)builder->rules->node_count;
    node_append(builder, &node);
    builder->group_count += 1;
    builder->depth += 1;
    builder->members[builder->depth] = 0;
    return STATUS_OK;
}

enum status rules_group_end(struct rules_builder *builder)
{
    if (builder->depth == 0) {
        return STATUS_MALFORMED;
    }
    size_t members = builder->members[builder->depth];
    struct rules_node *group = &builder->rules->nodes[builder->open[builder->depth - 1]];
    if (members == 0 || (group->kind == RULES_NOT && members > 1)) {
        return STATUS_MALFORMED;
    }
    group->end = (uint16_t)builder->rules->node_count;
    builder->depth -= 1;
    return STATUS_OK;
}

enum status rules_clause_add(struct rules_builder *builder, const struct rules_clause *clause)
{
    if (!clause_is_valid(clause) || (builder->depth == 0 && builder->members[0] > 0)) {
        return STATUS_MALFORMED;
    }
    if (builder->clause_count == RULES_CLAUSES_MAX) {
        return STATUS_LIMIT;
    }
    struct rules *rules = builder->rules;
    struct rules_node node = { .kind = clause->kind,
                               .comparison = clause->comparison,
                               .days = clause->days,
                               .number = clause->number };
    enum status status = values_keep(rules, clause, &node);
    if (status == STATUS_OK && clause->kind == RULES_ATTRIBUTE) {
        status = text_keep(rules, clause->subject, &node.attribute);
    } else if (status == STATUS_OK) {
        status = feature_keep(rules, clause, &node.feature);
    }
    if (status == STATUS_OK) {
        node_append(builder, &node);
        builder->clause_count += 1;
    }
    return status;
}

void rules_clause_get(const struct rules *rules, size_t node, struct rules_clause *clause)
{
    const struct rules_node *from = &rules->nodes[node];
    assert(!rules_kind_is_group(from->kind));
    *clause = (struct rules_clause){ .kind = from->kind,
                                     .comparison = from->comparison,
                                     .days = from->days,
                                     .number = from->number,
                                     .value_count = from->value_count };
    if (from->kind == RULES_ATTRIBUTE) {
        clause->subject = rules_span(rules, from->attribute);
    } else {
        clause->subject = rules_span(rules, rules->features[from->feature].type);
        clause->category = rules_span(rules, rules->features[from->feature].category);
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        clause->values[i] = rules_span(rules, rules->values[from->value_first + i]);
    }
}

/* ---- evaluation */

static bool number_holds(enum rules_comparison comparison, rules_sum value, int64_t number)
{
    switch (comparison) {
    case RULES_AT_LEAST:
        return value >= number;
    case RULES_AT_MOST:
        return value <= number;
    case RULES_MORE_THAN:
        return value > number;
    case RULES_LESS_THAN:
        return value < number;
    case RULES_EQUALS:
        return value == number;
    case RULES_WITHIN:
    case RULES_OLDER_THAN:
    case RULES_IN:
        break;
    }
    assert(false);
    return false;
}

static bool last_holds(const struct rules_node *node, const struct rules_values *values)
{
    int64_t latest_ms = 0;
    if (!values->latest(values->context, node->feature, &latest_ms)) {
        return false;
    }
    assert(latest_ms <= values->now_ms);
    bool within = latest_ms > values->now_ms - (int64_t)node->days * MS_PER_DAY;
    return within == (node->comparison == RULES_WITHIN);
}

static bool attribute_holds(const struct rules *rules, const struct rules_node *node,
                            const struct rules_values *values)
{
    struct rules_attribute attribute = { .has_integer = false };
    if (!values->attribute(values->context, rules_span(rules, node->attribute), &attribute)) {
        return false;
    }
    if (node->comparison != RULES_IN) {
        return attribute.has_integer &&
               number_holds(node->comparison, attribute.integer, node->number);
    }
    for (size_t i = 0; i < node->value_count; i++) {
        struct span value = rules_span(rules, rules->values[node->value_first + i]);
        if (span_equal(attribute.text, value)) {
            return true;
        }
    }
    return false;
}

bool rules_clause_holds(const struct rules *rules, size_t node, const struct rules_values *values)
{
    const struct rules_node *clause = &rules->nodes[node];
    struct rules_window window = { .count = 0 };
    switch (clause->kind) {
    case RULES_COUNT:
        window = values->window(values->context, clause->feature);
        return number_holds(clause->comparison, (rules_sum)window.count, clause->number);
    case RULES_SUM:
        window = values->window(values->context, clause->feature);
        return number_holds(clause->comparison, window.sum, clause->number);
    case RULES_LAST:
        return last_holds(clause, values);
    case RULES_ATTRIBUTE:
        return attribute_holds(rules, clause, values);
    case RULES_ALL:
    case RULES_ANY:
    case RULES_NOT:
        break;
    }
    assert(false);
    return false;
}

/* Whether a member settles its group: what it says is `*holds`, and `is_last` that none follows.
 * Then `*holds` is what the group says. */
static bool group_settles(enum rules_kind kind, bool is_last, bool *holds)
{
    if (kind == RULES_NOT) {
        *holds = !*holds;
        return true;
    }
    return is_last || *holds == (kind == RULES_ANY);
}

bool rules_segment_holds(const struct rules *rules, size_t segment,
                         const struct rules_values *values)
{
    assert(segment < rules->segment_count);
    const struct rules_node *nodes = rules->nodes;
    const struct rules_node *open[RULES_DEPTH_MAX] = { NULL }; /* the groups around `node` */
    size_t depth = 0;
    size_t node = rules->segments[segment].first;
    bool holds = false;
    do {
        for (; rules_kind_is_group(nodes[node].kind); node++) {
            assert(depth < RULES_DEPTH_MAX);
            open[depth++] = &nodes[node];
        }
        holds = rules_clause_holds(rules, node, values);
        node += 1;
        /* What is left of a settled group is never asked for; it may settle the one around it. */
        while (depth > 0 &&
               group_settles(open[depth - 1]->kind, open[depth - 1]->end == node, &holds)) {
            depth -= 1;
            node = open[depth]->end;
        }
    } while (depth > 0);
    return holds;
}
