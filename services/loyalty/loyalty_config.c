#include "services/loyalty/loyalty_config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* A line of the text: a name or a type, two amounts, and the words around them. */
#define LINE_BYTES 256

/* What a mapping is read into before it is checked as a whole. */
struct programme_fields {
    char name[LIMIT_ID_BYTES + 1];
};
struct earn_fields {
    char event[LIMIT_ID_BYTES + 1];
    int64_t points;
    int64_t unit_minor;
    int rounding;
};

static const char *const rounding_names[] = { "floor", "half_up", "ceiling", NULL };

/* clang-format off */
static const struct config_field programme_table[] = {
    { .key = "name", .kind = CONFIG_TEXT, .required = true, .least = 1,
      .offset = offsetof(struct programme_fields, name), .size = LIMIT_ID_BYTES + 1 },
};
static const struct config_field earn_table[] = {
    { .key = "event", .kind = CONFIG_TEXT, .required = true, .least = 1,
      .offset = offsetof(struct earn_fields, event), .size = LIMIT_ID_BYTES + 1 },
    { .key = "points", .kind = CONFIG_I64, .least = 1, .most = LIMIT_AMOUNT,
      .offset = offsetof(struct earn_fields, points) },
    { .key = "unit_minor", .kind = CONFIG_I64, .required = true, .least = 1,
      .most = LIMIT_AMOUNT, .offset = offsetof(struct earn_fields, unit_minor) },
    { .key = "rounding", .kind = CONFIG_CHOICE, .choices = rounding_names,
      .offset = offsetof(struct earn_fields, rounding) },
};
/* clang-format on */

#define FIELD_COUNT(table) (sizeof(table) / sizeof(table)[0])

static enum status list_check(const struct yaml_node *node, const char *key, size_t most,
                              struct refusal *refusal)
{
    if (node->kind != YAML_SEQUENCE) {
        return config_fault(node, refusal, "%s: must be a list; write each entry behind a '-'",
                            key);
    }
    size_t count = 0;
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
        count++;
        if (count > most) {
            return config_fault(item, refusal, "%s: has more than %zu entries; leave some away",
                                key, most);
        }
    }
    return STATUS_OK;
}

static enum status rule_read(struct yaml_node *node, struct loyalty_programme *programme,
                             struct refusal *refusal)
{
    struct earn_fields fields = { .points = 1, .rounding = LOYALTY_ROUND_FLOOR };
    enum status status =
        config_fields_read(node, earn_table, FIELD_COUNT(earn_table), &fields, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct span type = span_of_text(fields.event);
    if (!type_text_is_valid(type)) {
        return config_fault(node, refusal,
                            "event: '%s' is no type of event; write small letters, digits, '_' "
                            "and '.'",
                            fields.event);
    }
    if (loyalty_core_rule_find(programme, type) != NULL) {
        return config_fault(node, refusal,
                            "event: '%s' earns already in programme '%s'; write one rule for it",
                            fields.event, programme->name.text);
    }
    struct loyalty_earn_rule rule = {
        .event_type = loyalty_name_of(type),
        .points = fields.points,
        .unit_minor = fields.unit_minor,
        .rounding = (enum loyalty_rounding)fields.rounding,
    };
    if (!loyalty_core_rule_is_valid(&rule)) {
        return config_fault(node, refusal,
                            "points: %" PRId64 " times unit_minor %" PRId64
                            " does not fit 63 bits; divide both by the same number",
                            rule.points, rule.unit_minor);
    }
    programme->rules[programme->rule_count] = rule;
    programme->rule_count += 1;
    return config_unused_check(node, refusal);
}

static enum status earn_read(struct yaml_node *node, struct loyalty_programme *programme,
                             struct refusal *refusal)
{
    if (node == NULL) {
        return STATUS_OK; /* points of such a programme are only spent */
    }
    enum status status = list_check(node, "earn", LOYALTY_EARN_RULES_MAX, refusal);
    for (struct yaml_node *item = node->first; item != NULL && status == STATUS_OK;
         item = item->next) {
        status = rule_read(item, programme, refusal);
    }
    return status;
}

static bool programme_is_named(const struct loyalty_rules *rules, struct span name)
{
    for (size_t i = 0; i < rules->programme_count; i++) {
        if (span_equal(loyalty_name_span(&rules->programmes[i].name), name)) {
            return true;
        }
    }
    return false;
}

static enum status programme_read(struct yaml_node *node, struct loyalty_rules *rules,
                                  struct refusal *refusal)
{
    struct programme_fields fields = { 0 };
    enum status status =
        config_fields_read(node, programme_table, FIELD_COUNT(programme_table), &fields, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct span name = span_of_text(fields.name);
    if (programme_is_named(rules, name)) {
        return config_fault(node, refusal, "name: '%s' is a programme above; choose another name",
                            fields.name);
    }
    struct loyalty_programme *programme = &rules->programmes[rules->programme_count];
    *programme = (struct loyalty_programme){ .name = loyalty_name_of(name) };
    status = earn_read(config_child(node, "earn"), programme, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    rules->programme_count += 1;
    return config_unused_check(node, refusal);
}

enum status loyalty_config_read(struct yaml_node *programmes, struct loyalty_rules *rules,
                                struct refusal *refusal)
{
    struct loyalty_rules read = { 0 };
    if (programmes != NULL) {
        enum status status = list_check(programmes, "programmes", LOYALTY_PROGRAMMES_MAX, refusal);
        for (struct yaml_node *item = programmes->first; item != NULL && status == STATUS_OK;
             item = item->next) {
            status = programme_read(item, &read, refusal);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    *rules = read;
    return STATUS_OK;
}

/* ---- text */

static enum status line_append(struct buffer *out, const char *line, int length)
{
    assert(length > 0 && length < LINE_BYTES);
    return buffer_append(out, span_of(line, (size_t)length));
}

static enum status programme_text(const struct loyalty_programme *programme, struct buffer *out)
{
    char line[LINE_BYTES];
    int length = snprintf(line, sizeof line, "- name: %s\n%s", programme->name.text,
                          programme->rule_count > 0 ? "  earn:\n" : "");
    enum status status = line_append(out, line, length);
    for (size_t i = 0; i < programme->rule_count && status == STATUS_OK; i++) {
        const struct loyalty_earn_rule *rule = &programme->rules[i];
        length = snprintf(
            line, sizeof line,
            "    - { event: %s, points: %" PRId64 ", unit_minor: %" PRId64 ", rounding: %s }\n",
            rule->event_type.text, rule->points, rule->unit_minor, rounding_names[rule->rounding]);
        status = line_append(out, line, length);
    }
    return status;
}

enum status loyalty_config_text(const struct loyalty_rules *rules, struct buffer *out)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < rules->programme_count && status == STATUS_OK; i++) {
        status = programme_text(&rules->programmes[i], out);
    }
    return status;
}
