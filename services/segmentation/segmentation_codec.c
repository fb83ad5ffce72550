#include "services/segmentation/segmentation_codec.h"

#include "common/wire/message.h"
#include "common/wire/rules_fact.h"
#include "kith/v1/segmentation.pb-c.h"
#include "kith/v1/segmentation_private.pb-c.h"

#include <assert.h>
#include <string.h>

_Static_assert(RULES_ALL == (int)KITH__V1__RULE_KIND__RULE_ALL, "same numbers");
_Static_assert(RULES_ATTRIBUTE == (int)KITH__V1__RULE_KIND__RULE_ATTRIBUTE, "same numbers");
_Static_assert(RULES_AT_LEAST == (int)KITH__V1__RULE_COMPARISON__RULE_AT_LEAST, "same numbers");
_Static_assert(RULES_IN == (int)KITH__V1__RULE_COMPARISON__RULE_IN, "same numbers");

/* Groups end with an end of their own. */
#define WRITTEN_NODES_MAX (RULES_SEGMENT_NODES_MAX + RULES_GROUPS_MAX)
/* A text that ends with a NUL, for protobuf-c. NULL: the arena is full. */
static char *text_copy(struct arena *arena, struct span text)
{
    char *copy = arena_allocate(arena, text.size + 1);
    if (copy != NULL) {
        if (text.size > 0) {
            memcpy(copy, text.data, text.size);
        }
        copy[text.size] = '\0';
    }
    return copy;
}

/* ---- rules, written */

static enum status values_write(const struct rules_clause *clause, struct arena *arena,
                                Kith__V1__RuleNode *message)
{
    if (clause->value_count == 0) {
        return STATUS_OK;
    }
    message->values = arena_allocate(arena, clause->value_count * sizeof *message->values);
    if (message->values == NULL) {
        return STATUS_LIMIT;
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        message->values[i] = text_copy(arena, clause->values[i]);
        if (message->values[i] == NULL) {
            return STATUS_LIMIT;
        }
    }
    message->n_values = clause->value_count;
    return STATUS_OK;
}

static enum status clause_write(const struct rules *rules, size_t node, struct arena *arena,
                                Kith__V1__RuleNode *message)
{
    struct rules_clause clause = { .value_count = 0 };
    rules_clause_get(rules, node, &clause);
    message->has_comparison = true;
    message->comparison = (Kith__V1__RuleComparison)clause.comparison;
    message->subject = text_copy(arena, clause.subject);
    message->category = clause.category.size > 0 ? text_copy(arena, clause.category) : NULL;
    message->has_days = clause.days > 0;
    message->days = clause.days;
    message->has_number = clause.number != 0;
    message->number = clause.number;
    if (message->subject == NULL || (clause.category.size > 0 && message->category == NULL)) {
        return STATUS_LIMIT;
    }
    return values_write(&clause, arena, message);
}

/* The nodes of one segment as they are written. */
struct written_nodes {
    size_t count;
    Kith__V1__RuleNode nodes[WRITTEN_NODES_MAX];
    Kith__V1__RuleNode *pointers[WRITTEN_NODES_MAX];
};

static Kith__V1__RuleNode *node_begin(struct written_nodes *written, int kind)
{
    assert(written->count < WRITTEN_NODES_MAX);
    Kith__V1__RuleNode *message = &written->nodes[written->count];
    kith__v1__rule_node__init(message);
    message->has_kind = true;
    message->kind = (Kith__V1__RuleKind)kind;
    written->pointers[written->count] = message;
    written->count += 1;
    return message;
}

static enum status nodes_write(const struct rules *rules, const struct rules_segment *segment,
                               struct arena *arena, struct written_nodes *written)
{
    size_t ends[RULES_DEPTH_MAX] = { 0 };
    size_t depth = 0;
    enum status status = STATUS_OK;
    for (size_t node = segment->first; node < segment->end && status == STATUS_OK; node++) {
        Kith__V1__RuleNode *message = node_begin(written, (int)rules->nodes[node].kind);
        if (rules_kind_is_group(rules->nodes[node].kind)) {
            assert(depth < RULES_DEPTH_MAX);
            ends[depth++] = rules->nodes[node].end;
        } else {
            status = clause_write(rules, node, arena, message);
        }
        for (; depth > 0 && ends[depth - 1] == node + 1; depth--) {
            (void)node_begin(written, KITH__V1__RULE_KIND__RULE_END);
        }
    }
    return status;
}

enum status segmentation_rules_encode(const struct segmentation_rules *rules, struct arena *arena,
                                      struct buffer *out)
{
    size_t count = rules->rules.segment_count;
    Kith__V1__SegmentRule segments[RULES_SEGMENTS_MAX];
    Kith__V1__SegmentRule *pointers[RULES_SEGMENTS_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct rules_segment *segment = &rules->rules.segments[i];
        struct written_nodes *written = arena_allocate(arena, sizeof *written);
        if (written == NULL) {
            return STATUS_LIMIT;
        }
        written->count = 0;
        enum status status = nodes_write(&rules->rules, segment, arena, written);
        kith__v1__segment_rule__init(&segments[i]);
        segments[i].name = text_copy(arena, rules_span(&rules->rules, segment->name));
        if (status != STATUS_OK || segments[i].name == NULL) {
            return STATUS_LIMIT;
        }
        segments[i].n_nodes = written->count;
        segments[i].nodes = written->pointers;
        pointers[i] = &segments[i];
    }
    Kith__V1__SegmentRules message = KITH__V1__SEGMENT_RULES__INIT;
    message.has_history_days = true;
    message.history_days = rules->history_days;
    message.n_segments = count;
    message.segments = pointers;
    return pb_pack(&message.base, out);
}

/* ---- rules, read */

static enum status clause_read(const Kith__V1__RuleNode *message, struct rules_builder *builder)
{
    if (message->n_values > RULES_VALUES_MAX || (int)message->comparison < RULES_AT_LEAST ||
        (int)message->comparison > RULES_IN) {
        return STATUS_CORRUPT;
    }
    struct rules_clause clause = {
        .kind = (enum rules_kind)message->kind,
        .subject = pb_text(message->subject),
        .category = pb_text(message->category),
        .days = message->days,
        .comparison = (enum rules_comparison)message->comparison,
        .number = message->number,
        .value_count = message->n_values,
    };
    for (size_t i = 0; i < message->n_values; i++) {
        clause.values[i] = pb_text(message->values[i]);
    }
    return rules_clause_add(builder, &clause);
}

static enum status node_read(const Kith__V1__RuleNode *message, struct rules_builder *builder)
{
    int kind = (int)message->kind;
    if (kind < KITH__V1__RULE_KIND__RULE_END || kind > RULES_ATTRIBUTE) {
        return STATUS_CORRUPT;
    }
    if (kind == KITH__V1__RULE_KIND__RULE_END) {
        return rules_group_end(builder);
    }
    if (rules_kind_is_group((enum rules_kind)kind)) {
        return rules_group_begin(builder, (enum rules_kind)kind);
    }
    return clause_read(message, builder);
}

static enum status segment_read(const Kith__V1__SegmentRule *message, struct rules_builder *builder)
{
    enum status status = rules_segment_begin(builder, pb_text(message->name));
    for (size_t i = 0; i < message->n_nodes && status == STATUS_OK; i++) {
        status = node_read(message->nodes[i], builder);
    }
    return status == STATUS_OK ? rules_segment_end(builder) : status;
}

enum status segmentation_rules_decode(struct span compiled, struct arena *arena,
                                      struct segmentation_rules *rules)
{
    if (compiled.size > SEGMENTATION_COMPILED_BYTES) {
        return STATUS_CORRUPT;
    }
    const Kith__V1__SegmentRules *message =
        pb_unpack(&kith__v1__segment_rules__descriptor, arena, compiled);
    if (message == NULL || message->history_days < 1 ||
        message->history_days > SEGMENTATION_HISTORY_DAYS_MAX) {
        return STATUS_CORRUPT;
    }
    struct rules_builder builder;
    rules_build(&builder, &rules->rules);
    for (size_t i = 0; i < message->n_segments; i++) {
        if (segment_read(message->segments[i], &builder) != STATUS_OK) {
            return STATUS_CORRUPT;
        }
    }
    rules->history_days = message->history_days;
    return rules_days_most(&rules->rules) <= rules->history_days ? STATUS_OK : STATUS_CORRUPT;
}

void segmentation_rules_fact_encode(const struct segmentation_rules_fact *changed,
                                    struct buffer *out)
{
    struct rules_fact fact = {
        .version = changed->version,
        .hash = changed->hash,
        .compiled = changed->compiled,
        .text = changed->text,
    };
    rules_fact_encode(&fact, SEGMENTATION_RULES_NAME, out);
}

enum status segmentation_rules_fact_decode(struct span body, struct arena *arena,
                                           struct segmentation_rules_fact *changed)
{
    struct rules_fact fact = { 0 };
    enum status status = rules_fact_decode(body, SEGMENTATION_RULES_NAME, arena, &fact);
    if (status != STATUS_OK) {
        return status;
    }
    *changed = (struct segmentation_rules_fact){
        .version = fact.version,
        .hash = fact.hash,
        .compiled = fact.compiled,
        .text = fact.text,
    };
    return STATUS_OK;
}

/* ---- facts */

uint32_t segmentation_move_type(const struct segmentation_move *move)
{
    return move->entered ? FACT_SEGMENT_ENTERED : FACT_SEGMENT_EXITED;
}

/* The attributes of an entry as they are written. */
struct written_contact {
    Kith__V1__ContactAttribute items[CAMPAIGNS_NEEDS_MAX];
    Kith__V1__ContactAttribute *pointers[CAMPAIGNS_NEEDS_MAX];
    Kith__V1__Sealed values[CAMPAIGNS_NEEDS_MAX];
    struct segmentation_name names[CAMPAIGNS_NEEDS_MAX];
};

static void contact_write(const struct segmentation_contact *contact,
                          struct written_contact *written)
{
    assert(contact->count <= CAMPAIGNS_NEEDS_MAX);
    for (size_t i = 0; i < contact->count; i++) {
        const struct segmentation_contact_item *from = &contact->items[i];
        Kith__V1__ContactAttribute *item = &written->items[i];
        Kith__V1__Sealed *value = &written->values[i];
        kith__v1__contact_attribute__init(item);
        kith__v1__sealed__init(value);
        written->names[i] = from->name;
        item->name = written->names[i].text;
        item->value = value;
        value->has_key_id = from->value.key_id != 0;
        value->key_id = from->value.key_id;
        value->has_bytes = true;
        value->bytes = pb_bytes(from->value.bytes);
        written->pointers[i] = item;
    }
}

void segmentation_move_encode(const struct segmentation_move *move,
                              const struct segmentation_contact *contact, struct buffer *out)
{
    struct segmentation_name segment = move->segment;
    if (move->entered) {
        Kith__V1__SegmentEntered message = KITH__V1__SEGMENT_ENTERED__INIT;
        message.segment = segment.text;
        message.has_rules_version = true;
        message.rules_version = move->rules_version;
        struct written_contact written;
        contact_write(contact, &written);
        message.n_contact = contact->count;
        message.contact = written.pointers;
        message_append(&message.base, out);
        return;
    }
    Kith__V1__SegmentExited message = KITH__V1__SEGMENT_EXITED__INIT;
    message.segment = segment.text;
    message.has_rules_version = true;
    message.rules_version = move->rules_version;
    message.has_by_time = true;
    message.by_time = move->by_time;
    message_append(&message.base, out);
}

/* What both facts have. */
static enum status move_read(const struct fact *fact, const char *segment, uint32_t rules_version,
                             struct segmentation_move *move)
{
    struct span name = pb_text(segment);
    if (!fact->has_customer || fact->subject.bytes.size > SEGMENTATION_SUBJECT_BYTES ||
        !id_text_is_valid(name) || rules_version == 0) {
        return STATUS_CORRUPT;
    }
    *move = (struct segmentation_move){
        .entered = fact->type == FACT_SEGMENT_ENTERED,
        .segment = segmentation_name_of(name),
        .rules_version = rules_version,
        .customer = fact->customer,
        .subject = segmentation_subject_of(fact->subject),
    };
    return STATUS_OK;
}

enum status segmentation_move_decode(const struct fact *fact, struct arena *arena,
                                     struct segmentation_move *move)
{
    if (fact->type == FACT_SEGMENT_ENTERED) {
        const Kith__V1__SegmentEntered *message =
            pb_unpack(&kith__v1__segment_entered__descriptor, arena, fact->body);
        return message == NULL ? STATUS_CORRUPT
                               : move_read(fact, message->segment, message->rules_version, move);
    }
    if (fact->type != FACT_SEGMENT_EXITED) {
        return STATUS_CORRUPT;
    }
    const Kith__V1__SegmentExited *message =
        pb_unpack(&kith__v1__segment_exited__descriptor, arena, fact->body);
    enum status status = STATUS_CORRUPT;
    if (message != NULL) {
        status = move_read(fact, message->segment, message->rules_version, move);
    }
    if (status == STATUS_OK) {
        move->by_time = message->by_time;
    }
    return status;
}
