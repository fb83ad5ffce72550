#include "services/segmentation/segmentation_query.h"

#include "common/rules/rules_text.h"

#include <assert.h>

/* A clause at its longest: names, a list of values; a text of an attribute is shorter. */
#define TEXT_BYTES_MAX (8 * 1024)

static enum status segment_find(const struct segmentation_rules *rules, struct span name,
                                size_t *segment, struct refusal *refusal)
{
    size_t found = rules_segment_find(&rules->rules, name);
    if (found == RULES_SEGMENTS_MAX) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no segment '%.*s'", (int)name.size,
                           (const char *)name.data);
    }
    *segment = found;
    return STATUS_OK;
}

enum status segmentation_query_count(const struct view *view,
                                     const struct segmentation_rules *rules, struct span segment,
                                     struct buffer *out, struct refusal *refusal)
{
    size_t index = 0;
    enum status status = segment_find(rules, segment, &index, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct segmentation_segment record = { .members = 0 };
    bool found = segmentation_segment_load(view, rules->numbers[index], &record);
    assert(found);
    segmentation_count_reply_encode(segment, record.members, out);
    return STATUS_OK;
}

struct list_page {
    struct span after;
    uint32_t left; /* customers that still fit */
    bool more;
    struct buffer *out;
};

static bool list_visit(void *argument, struct span text)
{
    struct list_page *page = argument;
    if (span_equal(text, page->after)) {
        return true;
    }
    if (page->left == 0) {
        page->more = true;
        return false;
    }
    page->left -= 1;
    segmentation_list_customer_append(text, page->out);
    return true;
}

enum status segmentation_query_list(const struct view *view, const struct segmentation_rules *rules,
                                    const struct segmentation_list_request *request,
                                    struct buffer *out, struct refusal *refusal)
{
    size_t index = 0;
    enum status status = segment_find(rules, request->segment, &index, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct list_page page = { .after = request->after, .left = request->limit, .out = out };
    segmentation_member_walk(view, rules->numbers[index], request->after, list_visit, &page);
    segmentation_list_end_append(page.more, out);
    return STATUS_OK;
}

/* ---- why */

/* The buffer's text, ended with a NUL. */
static char *text_end(struct buffer *buffer)
{
    enum status status = buffer_append(buffer, span_of("", 1));
    assert(status == STATUS_OK);
    return (char *)buffer->data;
}

static void clauses_append(const struct segmentation_rules *rules, size_t segment,
                           const struct rules_values *values, struct buffer *out)
{
    struct buffer text;
    struct buffer value;
    buffer_init(&text, TEXT_BYTES_MAX);
    buffer_init(&value, TEXT_BYTES_MAX);
    const struct rules_segment *nodes = &rules->rules.segments[segment];
    for (size_t node = nodes->first; node < nodes->end; node++) {
        if (rules_kind_is_group(rules->rules.nodes[node].kind)) {
            continue;
        }
        buffer_clear(&text);
        buffer_clear(&value);
        enum status status = rules_clause_text(&rules->rules, node, &text);
        assert(status == STATUS_OK);
        status = rules_value_text(&rules->rules, node, values, &value);
        assert(status == STATUS_OK);
        bool holds = rules_clause_holds(&rules->rules, node, values);
        segmentation_clause_append(text_end(&text), text_end(&value), holds, out);
    }
    buffer_release(&text);
    buffer_release(&value);
}

enum status segmentation_query_why(const struct view *view, struct segmentation_work *work,
                                   const struct segmentation_why *why, struct buffer *out,
                                   struct refusal *refusal)
{
    const struct segmentation_rules *rules = work->rules;
    assert(why->customer.version == rules->version);
    size_t segment = 0;
    enum status status = segment_find(rules, why->request->segment, &segment, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct segmentation_membership membership = { .version = 0 };
    bool member = segmentation_membership_load(view, why->id, rules->numbers[segment], &membership);
    assert(!member || membership.version == rules->version);
    struct segmentation_why_head head = {
        .segment = why->request->segment,
        .customer = why->request->customer,
        .member = member,
        .rules_version = rules->version,
        .since_ms = membership.since_ms,
    };
    segmentation_why_head_append(&head, out);
    /* Within a tick's instant those that are still to come stand just before it. */
    int64_t as_of_ms = why->customer.due_ms <= why->now_ms ? why->customer.due_ms - 1 : why->now_ms;
    bool known = segmentation_core_work_load(view, work, why->id);
    assert(known);
    struct segmentation_answers answers = { .view = view, .work = work };
    struct rules_values values = segmentation_core_values(&answers, as_of_ms);
    clauses_append(rules, segment, &values, out);
    return STATUS_OK;
}
