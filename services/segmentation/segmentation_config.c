#include "services/segmentation/segmentation_config.h"

#include "common/config/yaml_fault.h"
#include "common/rules/rules_text.h"

#include <assert.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SUM_DIGITS 2
#define KINDS_KNOWN "all, any, not, count, sum, last, attribute"
#define COMPARISONS_KNOWN "at_least, at_most, more_than, less_than, equals"

/* The text for people: a rule of many groups and values takes some lines of it. */
#define LINE_BYTES_MAX (256 * 1024)
#define DOTS "...\n"

/* ---- keys */

struct rule_key {
    const char *key;
    enum rules_kind kind;
};
static const struct rule_key rule_keys[] = {
    { "all", RULES_ALL },
    { "any", RULES_ANY },
    { "not", RULES_NOT },
    { "count", RULES_COUNT },
    { "sum", RULES_SUM },
    { "last", RULES_LAST },
    { "attribute", RULES_ATTRIBUTE },
};

#define OF(kind) (1U << (kind))
#define OF_WINDOWS (OF(RULES_COUNT) | OF(RULES_SUM))
#define OF_EVENTS (OF_WINDOWS | OF(RULES_LAST))
#define OF_NUMBERS (OF_WINDOWS | OF(RULES_ATTRIBUTE))

/* What may stand beside the key that names the clause, and for which clauses. */
struct clause_key {
    const char *key;
    unsigned kinds;
    enum rules_comparison comparison; /* 0: not one */
};
static const struct clause_key clause_keys[] = {
    { "category", OF_EVENTS, 0 },
    { "over_days", OF_WINDOWS, 0 },
    { "at_least", OF_NUMBERS, RULES_AT_LEAST },
    { "at_most", OF_NUMBERS, RULES_AT_MOST },
    { "more_than", OF_NUMBERS, RULES_MORE_THAN },
    { "less_than", OF_NUMBERS, RULES_LESS_THAN },
    { "equals", OF_NUMBERS, RULES_EQUALS },
    { "within_days", OF(RULES_LAST), RULES_WITHIN },
    { "older_than_days", OF(RULES_LAST), RULES_OLDER_THAN },
    { "in", OF(RULES_ATTRIBUTE), RULES_IN },
};

/* ---- reading one clause */

/* A clause being read; its texts are the nodes'. */
struct clause_reading {
    struct yaml_node *node;
    const struct rule_key *head;
    const struct yaml_node *subject; /* the value behind the head: what the clause is about */
    struct yaml_node *compared;      /* the value behind the comparison */
    const char *compared_key;
    struct rules_clause clause;
    uint32_t history_days;
    struct refusal *refusal;
};

static enum status type_check(const struct yaml_node *node, struct refusal *refusal)
{
    char shown[YAML_SHOWN_BYTES] = { 0 };
    if (node->kind != YAML_SCALAR) {
        return config_fault(node, refusal, "%s: must be one value, not a list or a mapping",
                            node->key);
    }
    if (!type_text_is_valid(span_of_text(node->text))) {
        return config_fault(node, refusal,
                            "%s: '%s' is no name of one; write small letters, digits, '_' and '.'",
                            node->key, yaml_text_show(node->text, shown));
    }
    return STATUS_OK;
}

/* Finds the comparison; keys that belong to other clauses are faults. */
static enum status comparison_find(struct clause_reading *reading)
{
    for (size_t i = 0; i < COUNT_OF(clause_keys); i++) {
        const struct clause_key *key = &clause_keys[i];
        struct yaml_node *child = config_child(reading->node, key->key);
        if (child == NULL) {
            continue;
        }
        if ((key->kinds & OF(reading->head->kind)) == 0) {
            return config_fault(child, reading->refusal, "%s: does not go with %s; take it out",
                                key->key, reading->head->key);
        }
        if (key->comparison != 0 && reading->compared != NULL) {
            return config_fault(child, reading->refusal,
                                "%s: stands beside %s; take one of them out", key->key,
                                reading->compared_key);
        }
        if (key->comparison != 0) {
            reading->compared = child;
            reading->compared_key = key->key;
            reading->clause.comparison = key->comparison;
        }
    }
    return config_keys_check(reading->node, reading->refusal);
}

static enum status days_read(const struct yaml_node *node, struct clause_reading *reading)
{
    int64_t days = 0;
    enum status status = config_integer(node, 1, RULES_DAYS_MAX, &days, reading->refusal);
    reading->clause.days = (uint32_t)days;
    return status;
}

static enum status sum_read(struct clause_reading *reading)
{
    struct config_field field = { .key = reading->compared_key,
                                  .kind = CONFIG_DECIMAL,
                                  .required = true,
                                  .least = -LIMIT_AMOUNT,
                                  .most = LIMIT_AMOUNT,
                                  .digits = SUM_DIGITS };
    return config_fields_read(reading->node, &field, 1, &reading->clause.number, reading->refusal);
}

static enum status number_read(struct clause_reading *reading)
{
    if (reading->clause.kind == RULES_SUM) {
        return sum_read(reading);
    }
    int64_t least = reading->clause.kind == RULES_COUNT ? 0 : INT64_MIN;
    int64_t most = reading->clause.kind == RULES_COUNT ? LIMIT_AMOUNT : INT64_MAX;
    return config_integer(reading->compared, least, most, &reading->clause.number,
                          reading->refusal);
}

static enum status window_read(struct clause_reading *reading)
{
    struct yaml_node *over = config_child(reading->node, "over_days");
    if (over == NULL) {
        return config_fault(reading->subject, reading->refusal,
                            "over_days: is missing; write how many days %s looks back",
                            reading->head->key);
    }
    if (reading->compared == NULL) {
        return config_fault(reading->subject, reading->refusal,
                            "%s: is compared with nothing; write one of " COMPARISONS_KNOWN,
                            reading->head->key);
    }
    enum status status = days_read(over, reading);
    if (status == STATUS_OK && reading->clause.days > reading->history_days) {
        return config_fault(over, reading->refusal,
                            "over_days: %u is more than services.segmentation.history_days, %u; "
                            "raise that, or look back less far",
                            reading->clause.days, reading->history_days);
    }
    return status == STATUS_OK ? number_read(reading) : status;
}

static enum status last_read(struct clause_reading *reading)
{
    if (reading->compared == NULL) {
        return config_fault(reading->subject, reading->refusal,
                            "last: is compared with nothing; write within_days or older_than_days");
    }
    return days_read(reading->compared, reading);
}

/* One value that an attribute may have. */
static enum status value_add(const struct yaml_node *node, struct clause_reading *reading)
{
    const char *key = reading->compared_key;
    struct rules_clause *clause = &reading->clause;
    if (clause->value_count == RULES_VALUES_MAX) {
        return config_fault(node, reading->refusal, "%s: has more than %d values; write fewer", key,
                            RULES_VALUES_MAX);
    }
    if (node->kind != YAML_SCALAR || node->text[0] == '\0') {
        return config_fault(node, reading->refusal,
                            "%s: a value is missing; write a text or number", key);
    }
    struct span text = span_of_text(node->text);
    if (text.size > RULES_VALUE_BYTES || !text_is_clean(text)) {
        return config_fault(node, reading->refusal,
                            "%s: a value has at most %d bytes on one line; shorten it", key,
                            RULES_VALUE_BYTES);
    }
    clause->values[clause->value_count] = text;
    clause->value_count += 1;
    return STATUS_OK;
}

static enum status values_read(struct clause_reading *reading)
{
    if (reading->compared->kind != YAML_SEQUENCE || reading->compared->first == NULL) {
        return config_fault(reading->compared, reading->refusal,
                            "in: must be a list of values; write in: [north, south]");
    }
    enum status status = STATUS_OK;
    for (struct yaml_node *item = reading->compared->first; item != NULL && status == STATUS_OK;
         item = item->next) {
        status = value_add(item, reading);
    }
    return status;
}

static enum status attribute_read(struct clause_reading *reading)
{
    if (reading->compared == NULL) {
        return config_fault(reading->subject, reading->refusal,
                            "attribute: is compared with nothing; write equals, in, at_least, "
                            "at_most, more_than or less_than");
    }
    if (reading->clause.comparison == RULES_EQUALS) {
        reading->clause.comparison = RULES_IN;
        return value_add(reading->compared, reading);
    }
    return reading->clause.comparison == RULES_IN ? values_read(reading) : number_read(reading);
}

static enum status category_read(struct clause_reading *reading)
{
    const struct yaml_node *category = config_child(reading->node, "category");
    if (category == NULL) {
        return STATUS_OK;
    }
    if (category->kind != YAML_SCALAR || !id_text_is_valid(span_of_text(category->text))) {
        return config_fault(category, reading->refusal,
                            "category: must be 1 to %d bytes on one line; write one value",
                            LIMIT_ID_BYTES);
    }
    reading->clause.category = span_of_text(category->text);
    return STATUS_OK;
}

/* Reads the mapping into `reading->clause`. */
static enum status clause_read(struct clause_reading *reading)
{
    enum status status = type_check(reading->subject, reading->refusal);
    if (status == STATUS_OK) {
        reading->clause.kind = reading->head->kind;
        reading->clause.subject = span_of_text(reading->subject->text);
        status = comparison_find(reading);
    }
    if (status == STATUS_OK) {
        status = category_read(reading);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (reading->head->kind == RULES_LAST) {
        return last_read(reading);
    }
    return reading->head->kind == RULES_ATTRIBUTE ? attribute_read(reading) : window_read(reading);
}

/* ---- reading a rule */

/* The rule of one segment while it is read, without recursion. */
struct rule_reading {
    struct rules_builder *builder;
    uint32_t history_days;
    size_t depth;
    struct yaml_node *next[RULES_DEPTH_MAX]; /* in each group that is open: what comes next */
    struct refusal *refusal;
};

/* Which of the seven kinds this mapping is. NULL: none, and `refusal` says why. */
static const struct rule_key *head_find(struct yaml_node *node, struct refusal *refusal)
{
    if (node->kind != YAML_MAPPING) {
        (void)config_fault(node, refusal, "%s: must be a mapping; write one of " KINDS_KNOWN,
                           node->key == NULL ? "item" : node->key);
        return NULL;
    }
    const struct rule_key *found = NULL;
    for (size_t i = 0; i < COUNT_OF(rule_keys); i++) {
        struct yaml_node *child = config_child(node, rule_keys[i].key);
        if (child != NULL && found != NULL) {
            (void)config_fault(child, refusal, "%s: stands beside %s; put both below an all or any",
                               rule_keys[i].key, found->key);
            return NULL;
        }
        found = child != NULL ? &rule_keys[i] : found;
    }
    /* A misspelt kind is best told as the unknown key that it is. */
    if (found == NULL && config_keys_check(node, refusal) == STATUS_OK) {
        (void)config_fault(node, refusal, "a rule is missing; write one of " KINDS_KNOWN);
    }
    return found;
}

static enum status group_open(struct yaml_node *node, const struct rule_key *head,
                              struct rule_reading *reading)
{
    struct yaml_node *members = config_child(node, head->key);
    assert(members != NULL);
    enum status status = config_keys_check(node, reading->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    bool is_list = members->kind == YAML_SEQUENCE;
    if (head->kind != RULES_NOT && (!is_list || members->first == NULL)) {
        return config_fault(members, reading->refusal,
                            "%s: must be a list of rules; begin each with a dash", head->key);
    }
    if (head->kind == RULES_NOT && is_list) {
        return config_fault(members, reading->refusal,
                            "not: takes one rule; put an all or any below it");
    }
    if (rules_group_begin(reading->builder, head->kind) != STATUS_OK) {
        return config_fault(node, reading->refusal,
                            "%s: nested deeper than %d levels, or more than %d groups in one "
                            "segment; make two segments of it",
                            head->key, RULES_DEPTH_MAX, RULES_GROUPS_MAX);
    }
    assert(reading->depth < RULES_DEPTH_MAX);
    reading->next[reading->depth++] = head->kind == RULES_NOT ? members : members->first;
    return STATUS_OK;
}

static enum status clause_take(struct yaml_node *node, const struct rule_key *head,
                               struct rule_reading *reading)
{
    struct clause_reading clause = { .node = node,
                                     .head = head,
                                     .subject = config_child(node, head->key),
                                     .history_days = reading->history_days,
                                     .refusal = reading->refusal };
    enum status status = clause_read(&clause);
    if (status != STATUS_OK) {
        return status;
    }
    status = rules_clause_add(reading->builder, &clause.clause);
    assert(status != STATUS_MALFORMED);
    if (status != STATUS_OK) {
        return config_fault(node, reading->refusal,
                            "a segment has at most %d clauses, and all names and values together "
                            "at most %d bytes; make it simpler",
                            RULES_CLAUSES_MAX, RULES_TEXT_BYTES);
    }
    return STATUS_OK;
}

/* The next rule in the groups that are open, ending those that are done. NULL: all are. */
static struct yaml_node *rule_next(struct rule_reading *reading)
{
    while (reading->depth > 0 && reading->next[reading->depth - 1] == NULL) {
        enum status status = rules_group_end(reading->builder);
        assert(status == STATUS_OK);
        reading->depth -= 1;
    }
    if (reading->depth == 0) {
        return NULL;
    }
    struct yaml_node **place = &reading->next[reading->depth - 1];
    struct yaml_node *node = *place;
    /* What stands below `not` is a value of a mapping; what follows it there is none of ours. */
    *place = node->key == NULL ? node->next : NULL;
    return node;
}

/* A clause whole, or the beginning of a group. */
static enum status node_read(struct yaml_node *node, struct rule_reading *reading)
{
    const struct rule_key *head = head_find(node, reading->refusal);
    if (head == NULL) {
        return STATUS_MALFORMED;
    }
    return rules_kind_is_group(head->kind) ? group_open(node, head, reading)
                                           : clause_take(node, head, reading);
}

static enum status rule_read(struct yaml_node *rule, struct rule_reading *reading)
{
    struct yaml_node *node = rule;
    enum status status = STATUS_OK;
    while (node != NULL && status == STATUS_OK) {
        status = node_read(node, reading);
        node = status == STATUS_OK ? rule_next(reading) : NULL;
    }
    return status;
}

/* ---- reading segments */

struct segment_fields {
    char name[LIMIT_ID_BYTES + 1];
};
static const struct config_field segment_table[] = {
    { .key = "name",
      .kind = CONFIG_TEXT,
      .required = true,
      .least = 1,
      .offset = offsetof(struct segment_fields, name),
      .size = LIMIT_ID_BYTES + 1 },
};

static enum status segment_begin(const struct yaml_node *node, const char *name,
                                 struct rules_builder *builder, struct refusal *refusal)
{
    enum status status = rules_segment_begin(builder, span_of_text(name));
    assert(status != STATUS_MALFORMED);
    if (status == STATUS_EXISTS) {
        return config_fault(node, refusal, "name: '%s' is a segment above; choose another name",
                            name);
    }
    if (status != STATUS_OK) {
        return config_fault(node, refusal,
                            "segments: at most %d, and all names and values together at most %d "
                            "bytes; leave some away",
                            RULES_SEGMENTS_MAX, RULES_TEXT_BYTES);
    }
    return STATUS_OK;
}

static enum status segment_read(struct yaml_node *node, struct rules_builder *builder,
                                uint32_t history_days, struct refusal *refusal)
{
    struct segment_fields fields = { .name = "" };
    enum status status =
        config_fields_read(node, segment_table, COUNT_OF(segment_table), &fields, refusal);
    if (status == STATUS_OK) {
        status = segment_begin(node, fields.name, builder, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct yaml_node *rule = config_child(node, "rule");
    status = config_keys_check(node, refusal);
    if (status == STATUS_OK && rule == NULL) {
        return config_fault(node, refusal, "rule: is missing; write who belongs to '%s'",
                            fields.name);
    }
    struct rule_reading reading = { .builder = builder,
                                    .history_days = history_days,
                                    .refusal = refusal };
    if (status == STATUS_OK) {
        status = rule_read(rule, &reading);
    }
    if (status == STATUS_OK) {
        status = rules_segment_end(builder);
        assert(status == STATUS_OK);
    }
    return status;
}

static enum status history_days_read(struct yaml_node *own, uint32_t *history_days,
                                     struct refusal *refusal)
{
    static const struct config_field field = {
        .key = "history_days", .kind = CONFIG_U32, .least = 1, .most = SEGMENTATION_HISTORY_DAYS_MAX
    };
    *history_days = SEGMENTATION_HISTORY_DAYS_DEFAULT;
    if (own == NULL) {
        return STATUS_OK;
    }
    enum status status = config_fields_read(own, &field, 1, history_days, refusal);
    return status == STATUS_OK ? config_unused_check(own, refusal) : status;
}

enum status segmentation_config_read(struct yaml_node *own, struct yaml_node *segments,
                                     struct segmentation_rules *rules, struct refusal *refusal)
{
    struct rules_builder builder;
    rules_build(&builder, &rules->rules);
    enum status status = history_days_read(own, &rules->history_days, refusal);
    if (status != STATUS_OK || segments == NULL) {
        return status;
    }
    if (segments->kind != YAML_SEQUENCE) {
        return config_fault(segments, refusal,
                            "segments: must be a list; write each entry behind a '-'");
    }
    for (struct yaml_node *item = segments->first; item != NULL && status == STATUS_OK;
         item = item->next) {
        status = segment_read(item, &builder, rules->history_days, refusal);
    }
    return status;
}

/* ---- text */

static void line_write(const struct segmentation_rules *rules, size_t segment, struct buffer *line)
{
    enum status status =
        buffer_append(line, rules_span(&rules->rules, rules->rules.segments[segment].name));
    assert(status == STATUS_OK);
    status = buffer_append(line, span_of_text(": "));
    assert(status == STATUS_OK);
    status = rules_segment_text(&rules->rules, segment, line);
    assert(status == STATUS_OK);
    status = buffer_append(line, span_of_text("\n"));
    assert(status == STATUS_OK);
}

void segmentation_config_text(const struct segmentation_rules *rules, struct buffer *out)
{
    struct buffer line;
    buffer_init(&line, LINE_BYTES_MAX);
    bool fits = true;
    for (size_t i = 0; i < rules->rules.segment_count && fits; i++) {
        buffer_clear(&line);
        line_write(rules, i, &line);
        /* Room for the dots stays free, so that they always fit. */
        fits = out->size + line.size + strlen(DOTS) <= out->limit;
        enum status status = buffer_append(out, fits ? buffer_span(&line) : span_of_text(DOTS));
        assert(status == STATUS_OK);
    }
    buffer_release(&line);
}
