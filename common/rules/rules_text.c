#include "common/rules/rules_text.h"

#include "common/base/money.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Sums are shown in units of two fraction digits. */
#define SUM_DIGITS 2
#define PART_BYTES 160

/* ---- pieces */

/* Texts that follow each other; the first failure ends the writing. */
struct text_writer {
    struct buffer *out;
    enum status status;
};

static void put_span(struct text_writer *writer, struct span text)
{
    if (writer->status == STATUS_OK) {
        writer->status = buffer_append(writer->out, text);
    }
}

static void put(struct text_writer *writer, const char *text)
{
    put_span(writer, span_of_text(text));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct text_writer *writer,
                                                             const char *format, ...)
{
    char part[PART_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof part);
    put_span(writer, span_of(part, (size_t)length));
}

void rules_sum_format(rules_sum sum, char out[RULES_SUM_TEXT_BYTES])
{
    char reversed[RULES_SUM_TEXT_BYTES] = { 0 };
    size_t size = 0;
    bool negative = sum < 0;
    rules_sum rest = sum;
    for (unsigned place = 0; place <= SUM_DIGITS || rest != 0; place++) {
        if (place == SUM_DIGITS) {
            reversed[size++] = '.';
        }
        int digit = (int)(rest % 10);
        reversed[size++] = (char)('0' + (digit < 0 ? -digit : digit));
        rest /= 10;
    }
    if (negative) {
        reversed[size++] = '-';
    }
    assert(size < RULES_SUM_TEXT_BYTES);
    for (size_t i = 0; i < size; i++) {
        out[i] = reversed[size - 1 - i];
    }
    out[size] = '\0';
}

static const char *comparison_sign(enum rules_comparison comparison)
{
    switch (comparison) {
    case RULES_AT_LEAST:
        return ">=";
    case RULES_AT_MOST:
        return "<=";
    case RULES_MORE_THAN:
        return ">";
    case RULES_LESS_THAN:
        return "<";
    case RULES_EQUALS:
    case RULES_IN:
        return "=";
    case RULES_WITHIN:
        return "within";
    case RULES_OLDER_THAN:
        return "older than";
    }
    assert(false);
    return "";
}

/* ---- clauses */

static void figure_put(struct text_writer *writer, const char *name,
                       const struct rules_clause *clause)
{
    put(writer, name);
    put(writer, "(");
    put_span(writer, clause->subject);
    if (clause->category.size > 0) {
        put(writer, ", category ");
        put_span(writer, clause->category);
    }
    put(writer, ")");
}

static void days_put(struct text_writer *writer, const char *before, uint32_t days)
{
    put_format(writer, " %s %" PRIu32 " %s", before, days, days == 1 ? "day" : "days");
}

static void values_put(struct text_writer *writer, const struct rules_clause *clause)
{
    put_span(writer, clause->subject);
    if (clause->value_count == 1) {
        put(writer, " = ");
        put_span(writer, clause->values[0]);
        return;
    }
    put(writer, " in (");
    for (size_t i = 0; i < clause->value_count; i++) {
        put(writer, i == 0 ? "" : ", ");
        put_span(writer, clause->values[i]);
    }
    put(writer, ")");
}

static void clause_put(struct text_writer *writer, const struct rules_clause *clause)
{
    const char *sign = comparison_sign(clause->comparison);
    char sum[RULES_SUM_TEXT_BYTES] = { 0 };
    switch (clause->kind) {
    case RULES_COUNT:
        figure_put(writer, "count", clause);
        days_put(writer, "over", clause->days);
        put_format(writer, " %s %" PRId64, sign, clause->number);
        return;
    case RULES_SUM:
        figure_put(writer, "sum", clause);
        days_put(writer, "over", clause->days);
        rules_sum_format(clause->number, sum);
        put_format(writer, " %s %s", sign, sum);
        return;
    case RULES_LAST:
        figure_put(writer, "last", clause);
        days_put(writer, sign, clause->days);
        return;
    case RULES_ATTRIBUTE:
        if (clause->comparison == RULES_IN) {
            values_put(writer, clause);
            return;
        }
        put_span(writer, clause->subject);
        put_format(writer, " %s %" PRId64, sign, clause->number);
        return;
    case RULES_ALL:
    case RULES_ANY:
    case RULES_NOT:
        break;
    }
    assert(false);
}

enum status rules_clause_text(const struct rules *rules, size_t node, struct buffer *out)
{
    struct text_writer writer = { .out = out, .status = STATUS_OK };
    struct rules_clause clause = { .value_count = 0 };
    rules_clause_get(rules, node, &clause);
    clause_put(&writer, &clause);
    return writer.status;
}

/* ---- segments */

static void node_put(struct text_writer *writer, const struct rules *rules, size_t node)
{
    switch (rules->nodes[node].kind) {
    case RULES_ALL:
        put(writer, "all(");
        return;
    case RULES_ANY:
        put(writer, "any(");
        return;
    case RULES_NOT:
        put(writer, "not(");
        return;
    case RULES_COUNT:
    case RULES_SUM:
    case RULES_LAST:
    case RULES_ATTRIBUTE:
        break;
    }
    if (writer->status == STATUS_OK) {
        writer->status = rules_clause_text(rules, node, writer->out);
    }
}

enum status rules_segment_text(const struct rules *rules, size_t segment, struct buffer *out)
{
    struct text_writer writer = { .out = out, .status = STATUS_OK };
    size_t ends[RULES_DEPTH_MAX] = { 0 }; /* of the groups that are open */
    size_t depth = 0;
    bool follows = false; /* something of the same group stands before */
    for (size_t node = rules->segments[segment].first; node < rules->segments[segment].end;
         node++) {
        put(&writer, follows ? ", " : "");
        node_put(&writer, rules, node);
        follows = !rules_kind_is_group(rules->nodes[node].kind);
        if (!follows) {
            assert(depth < RULES_DEPTH_MAX);
            ends[depth++] = rules->nodes[node].end;
        }
        for (; depth > 0 && ends[depth - 1] == node + 1; depth--) {
            put(&writer, ")");
        }
    }
    return writer.status;
}

/* ---- values */

static void latest_put(struct text_writer *writer, size_t feature,
                       const struct rules_values *values)
{
    int64_t at_ms = 0;
    char text[TIME_TEXT_BYTES] = "unknown";
    if (values->latest(values->context, feature, &at_ms)) {
        time_format(at_ms, text);
    }
    put(writer, text);
}

static void attribute_put(struct text_writer *writer, struct span name,
                          const struct rules_values *values)
{
    struct rules_attribute attribute = { .has_integer = false };
    if (values->attribute(values->context, name, &attribute)) {
        put_span(writer, attribute.text);
    } else {
        put(writer, "unknown");
    }
}

enum status rules_value_text(const struct rules *rules, size_t node,
                             const struct rules_values *values, struct buffer *out)
{
    struct text_writer writer = { .out = out, .status = STATUS_OK };
    const struct rules_node *clause = &rules->nodes[node];
    char sum[RULES_SUM_TEXT_BYTES] = { 0 };
    switch (clause->kind) {
    case RULES_COUNT:
        put_format(&writer, "%" PRIu64, values->window(values->context, clause->feature).count);
        break;
    case RULES_SUM:
        rules_sum_format(values->window(values->context, clause->feature).sum, sum);
        put(&writer, sum);
        break;
    case RULES_LAST:
        latest_put(&writer, clause->feature, values);
        break;
    case RULES_ATTRIBUTE:
        attribute_put(&writer, rules_span(rules, clause->attribute), values);
        break;
    case RULES_ALL:
    case RULES_ANY:
    case RULES_NOT:
        assert(false);
    }
    return writer.status;
}
