#include "services/segmentation/segmentation_core.h"

#include <assert.h>
#include <string.h>

/* ---- rules */

static void segments_number(const struct change *change, const struct rules *rules,
                            struct segmentation_head *head)
{
    for (size_t i = 0; i < rules->segment_count; i++) {
        struct span name = rules_span(rules, rules->segments[i].name);
        uint32_t number = 0;
        if (segmentation_number_load(&change->view, name, &number)) {
            continue;
        }
        head->segment_count += 1;
        struct segmentation_segment segment = { .name = segmentation_name_of(name) };
        segmentation_segment_put(change, head->segment_count, &segment);
        segmentation_number_put(change, name, head->segment_count);
    }
}

void segmentation_core_rules_evolve(const struct change *change,
                                    const struct segmentation_rules_change *rules_change)
{
    struct segmentation_head head = { .rules_version = 0 };
    (void)segmentation_head_load(&change->view, &head);
    assert(rules_change->version == head.rules_version + 1);
    struct customer_id first = { { 0 } };
    head.rules_version = rules_change->version;
    head.rules_hash = rules_change->hash;
    head.rules_at_ms = rules_change->recorded_at_ms;
    head.visiting = segmentation_customer_next(&change->view, NULL, &first);
    head.has_visited = false;
    head.visited = (struct customer_id){ { 0 } };
    segments_number(change, rules_change->rules, &head);
    segmentation_rules_put(change, rules_change->version, rules_change->compiled);
    segmentation_head_put(change, &head);
}

void segmentation_core_rules_bind(const struct view *view, struct segmentation_rules *rules)
{
    const struct rules *compiled = &rules->rules;
    for (size_t i = 0; i < compiled->segment_count; i++) {
        struct span name = rules_span(compiled, compiled->segments[i].name);
        bool known = segmentation_number_load(view, name, &rules->numbers[i]);
        assert(known);
    }
    for (size_t i = 0; i < compiled->feature_count; i++) {
        const struct rules_feature *feature = &compiled->features[i];
        rules->latest[i] = (struct hash128){ { 0 } };
        if (feature->days == 0) {
            rules->latest[i] = segmentation_what(rules_span(compiled, feature->type),
                                                 rules_span(compiled, feature->category));
        }
    }
}

void segmentation_core_visits_end_evolve(const struct change *change)
{
    struct segmentation_head head = { .visiting = false };
    bool found = segmentation_head_load(&change->view, &head);
    assert(found && head.visiting);
    head.visiting = false;
    head.has_visited = false;
    head.visited = (struct customer_id){ { 0 } };
    segmentation_head_put(change, &head);
}

bool segmentation_core_visit_next(const struct view *view, struct customer_id *id)
{
    struct segmentation_head head = { .visiting = false };
    bool found = segmentation_head_load(view, &head);
    assert(found && head.visiting);
    return segmentation_customer_next(view, head.has_visited ? &head.visited : NULL, id);
}

bool segmentation_core_due(const struct view *view, const struct segmentation_head *head,
                           struct segmentation_front *front, int64_t *due_ms)
{
    if (head->visiting) {
        *due_ms = head->rules_at_ms;
        return true;
    }
    if (!segmentation_front_find(view, front)) {
        return false;
    }
    *due_ms = front->key.at_ms;
    return true;
}

/* ---- figures */

static void touched_clear(struct segmentation_work *work)
{
    work->is_anew = false;
    work->is_told = false;
    memset(work->touched, 0, work->rules->rules.feature_count * sizeof work->touched[0]);
}

bool segmentation_core_work_load(const struct view *view, struct segmentation_work *work,
                                 struct customer_id id)
{
    if (work->is_loaded && work->version == work->rules->version &&
        customer_id_equal(work->id, id)) {
        return true;
    }
    work->is_loaded = false;
    if (!segmentation_customer_load(view, id, &work->customer)) {
        return false;
    }
    segmentation_core_work_begin(view, work, id);
    return true;
}

void segmentation_core_work_begin(const struct view *view, struct segmentation_work *work,
                                  struct customer_id id)
{
    assert(work->customer.version == work->rules->version);
    segmentation_figures_load(view, id, &work->customer, work->figures,
                              work->rules->rules.feature_count);
    work->is_loaded = true;
    work->version = work->rules->version;
    work->id = id;
    touched_clear(work);
}

static struct rules_window window_answer(void *context, size_t feature)
{
    const struct segmentation_answers *answers = context;
    const struct segmentation_figure *figure = &answers->work->figures[feature];
    return (struct rules_window){ .count = figure->count, .sum = figure->sum };
}

static bool latest_answer(void *context, size_t feature, int64_t *at_ms)
{
    const struct segmentation_answers *answers = context;
    const struct segmentation_work *work = answers->work;
    return segmentation_latest_load(answers->view, work->id, &work->customer,
                                    work->rules->latest[feature], at_ms);
}

static struct segmentation_asked attribute_load(const struct segmentation_answers *answers,
                                                struct span name)
{
    struct segmentation_attribute found = { .known = false };
    bool is_known = segmentation_attribute_load(answers->view, answers->work->id, name, &found) &&
                    found.known && !found.personal;
    return (struct segmentation_asked){ .name = name,
                                        .is_known = is_known,
                                        .attribute = { .text = found.text,
                                                       .has_integer = found.has_integer,
                                                       .integer = found.integer } };
}

static bool attribute_answer(void *context, struct span name, struct rules_attribute *attribute)
{
    struct segmentation_answers *answers = context;
    size_t i = 0;
    while (i < answers->asked_count && !span_equal(answers->asked[i].name, name)) {
        i += 1;
    }
    struct segmentation_asked asked =
        i < answers->asked_count ? answers->asked[i] : attribute_load(answers, name);
    if (i == answers->asked_count && i < SEGMENTATION_ASKED_MAX) {
        answers->asked[i] = asked;
        answers->asked_count += 1;
    }
    if (asked.is_known) {
        *attribute = asked.attribute;
    }
    return asked.is_known;
}

struct rules_values segmentation_core_values(struct segmentation_answers *answers, int64_t now_ms)
{
    return (struct rules_values){ .context = answers,
                                  .now_ms = now_ms,
                                  .window = window_answer,
                                  .latest = latest_answer,
                                  .attribute = attribute_answer };
}

/* ---- decide */

/* What is being decided of one customer. */
struct decision {
    const struct view *view;
    const struct segmentation_work *work;
    uint32_t segments[RULES_SEGMENTS_MAX]; /* that it belongs to */
    struct segmentation_moves *moves;
};

static void move_add(const struct decision *decision, struct segmentation_name segment,
                     bool entered)
{
    struct segmentation_moves *moves = decision->moves;
    assert(moves->count < SEGMENTATION_MOVES_MAX);
    moves->moves[moves->count] = (struct segmentation_move){
        .entered = entered,
        .segment = segment,
        .rules_version = decision->work->rules->version,
        .customer = decision->work->id,
        .subject = decision->work->customer.subject,
    };
    moves->count += 1;
}

static bool rules_have(const struct segmentation_rules *rules, uint32_t number)
{
    for (size_t i = 0; i < rules->rules.segment_count; i++) {
        if (rules->numbers[i] == number) {
            return true;
        }
    }
    return false;
}

static void memberships_find(struct decision *decision)
{
    const struct segmentation_customer *customer = &decision->work->customer;
    if (customer->segment_count == customer->memberships) {
        memcpy(decision->segments, customer->segments,
               customer->segment_count * sizeof customer->segments[0]);
        return;
    }
    struct segmentation_membership memberships[RULES_SEGMENTS_MAX];
    segmentation_memberships_load(decision->view, decision->work->id, memberships,
                                  customer->memberships);
    for (size_t i = 0; i < customer->memberships; i++) {
        decision->segments[i] = memberships[i].segment;
    }
}

static bool is_member(const struct decision *decision, uint32_t number)
{
    for (size_t i = 0; i < decision->work->customer.memberships; i++) {
        if (decision->segments[i] == number) {
            return true;
        }
    }
    return false;
}

/* Whether one of its clauses may say something else than when the segment was decided last. */
static bool segment_is_touched(const struct segmentation_work *work, size_t segment)
{
    const struct rules *rules = &work->rules->rules;
    bool is_touched = work->is_anew;
    for (size_t i = rules->segments[segment].first; i < rules->segments[segment].end && !is_touched;
         i++) {
        const struct rules_node *node = &rules->nodes[i];
        if (node->kind == RULES_ATTRIBUTE) {
            is_touched = work->is_told;
        } else if (!rules_kind_is_group(node->kind)) {
            is_touched = work->touched[node->feature];
        }
    }
    return is_touched;
}

void segmentation_core_decide(const struct view *view, struct segmentation_work *work,
                              struct customer_id id, int64_t now_ms,
                              struct segmentation_moves *moves)
{
    struct decision decision = { .view = view, .work = work, .moves = moves };
    moves->count = 0;
    bool known = segmentation_core_work_load(view, work, id);
    assert(known);
    memberships_find(&decision);
    for (size_t i = 0; i < work->customer.memberships; i++) {
        struct segmentation_segment segment = { .members = 0 };
        if (!rules_have(work->rules, decision.segments[i])) {
            bool named = segmentation_segment_load(view, decision.segments[i], &segment);
            assert(named);
            move_add(&decision, segment.name, false);
        }
    }
    const struct rules *rules = &work->rules->rules;
    struct segmentation_answers answers = { .view = view, .work = work };
    struct rules_values values = segmentation_core_values(&answers, now_ms);
    for (size_t i = 0; i < rules->segment_count; i++) {
        bool is_in = is_member(&decision, work->rules->numbers[i]);
        if (segment_is_touched(work, i) && rules_segment_holds(rules, i, &values) != is_in) {
            move_add(&decision, segmentation_name_of(rules_span(rules, rules->segments[i].name)),
                     !is_in);
        }
    }
    touched_clear(work);
}

void segmentation_core_contact(const struct view *view, struct customer_id id,
                               const struct campaigns *campaigns, struct span segment,
                               struct segmentation_contact *contact)
{
    struct span needs[CAMPAIGNS_NEEDS_MAX];
    size_t count = campaigns_needs(campaigns, segment, needs);
    contact->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct segmentation_attribute found = { .known = false };
        if (segmentation_attribute_load(view, id, needs[i], &found) && found.known) {
            contact->items[contact->count++] = (struct segmentation_contact_item){
                .name = segmentation_name_of(needs[i]),
                .value = { .key_id = found.key_id, .bytes = found.text },
            };
        }
    }
}

/* ---- entries and exits */

void segmentation_core_move_evolve(const struct change *change, struct segmentation_work *work,
                                   const struct segmentation_move *move, int64_t recorded_at_ms)
{
    struct segmentation_membership membership = { .version = 0 };
    struct segmentation_segment segment = { .members = 0 };
    struct segmentation_customer *customer = &work->customer;
    uint32_t number = 0;
    bool known =
        segmentation_number_load(&change->view, segmentation_name_span(&move->segment), &number) &&
        segmentation_segment_load(&change->view, number, &segment) &&
        segmentation_core_work_load(&change->view, work, move->customer);
    assert(known && customer->version == move->rules_version);
    bool member = segmentation_membership_load(&change->view, move->customer, number, &membership);
    assert(member != move->entered);
    struct segmentation_name text = segmentation_customer_text(move->customer, customer);
    if (move->entered) {
        membership.version = move->rules_version;
        membership.since_ms = recorded_at_ms;
        segmentation_membership_put(change, move->customer, &membership);
        segmentation_member_put(change, number, segmentation_name_span(&text), move->customer);
        segment.members += 1;
        segmentation_customer_join(customer, number);
    } else {
        assert(segment.members > 0);
        segmentation_membership_delete(change, move->customer, number);
        segmentation_member_delete(change, number, segmentation_name_span(&text));
        segment.members -= 1;
        segmentation_customer_leave(customer, number);
    }
    segmentation_segment_put(change, number, &segment);
    segmentation_customer_put(change, move->customer, customer);
}
