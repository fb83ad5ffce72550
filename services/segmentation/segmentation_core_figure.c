/* Figures and history of one customer: what events, time and new rules change in them. */
#include "common/base/time_text.h"
#include "services/segmentation/segmentation_core.h"

#include <assert.h>
#include <string.h>

/* Old events deleted with each change of a customer: more than come in, and a bound. */
#define PRUNE_MAX 16

/* One customer's change in hand. */
struct hand {
    const struct change *change;
    struct segmentation_work *work;
    struct customer_id id;
    struct segmentation_customer *customer; /* work's own */
    int64_t now_ms;
};

/* An event of history, by value: spans die with the next put. */
struct happening {
    struct segmentation_event_key key;
    struct segmentation_name type;
    struct segmentation_name category;
    int64_t amount_minor;
};

static int64_t window_begin_ms(int64_t now_ms, uint32_t days)
{
    return now_ms - (int64_t)days * MS_PER_DAY;
}

/* ---- figures */

static void figure_add(struct segmentation_figure *figure, int64_t amount_minor, int64_t at_ms)
{
    if (figure->count == 0 || at_ms < figure->oldest_ms) {
        figure->oldest_ms = at_ms;
    }
    figure->count += 1;
    figure->sum += amount_minor;
}

/* Counts an event in the windows that hold it now. Those of its kind that do not, and the
 * newest events of its kind, are touched by it all the same. */
static void figures_count(struct hand *hand, int64_t at_ms, const struct segmentation_entry *entry)
{
    const struct rules *rules = &hand->work->rules->rules;
    assert(at_ms <= hand->now_ms);
    for (size_t i = 0; i < rules->feature_count; i++) {
        if (!rules_feature_takes(rules, i, entry->type, entry->category)) {
            continue;
        }
        uint32_t days = rules->features[i].days;
        hand->work->touched[i] = true;
        if (days > 0 && at_ms > window_begin_ms(hand->now_ms, days)) {
            figure_add(&hand->work->figures[i], entry->amount_minor, at_ms);
            hand->work->changed[i] = true;
        }
    }
}

static void figures_put(struct hand *hand)
{
    struct segmentation_figures figures = { .figures = hand->work->figures,
                                            .changed = hand->work->changed,
                                            .count = hand->work->rules->rules.feature_count };
    segmentation_figures_put(hand->change, hand->id, hand->customer, &figures);
}

/* ---- the newest event */

static void latest_raise(struct hand *hand, struct hash128 what, int64_t at_ms)
{
    int64_t latest_ms = 0;
    if (!segmentation_latest_load(&hand->change->view, hand->id, hand->customer, what,
                                  &latest_ms) ||
        at_ms > latest_ms) {
        segmentation_latest_put(hand->change, hand->id, hand->customer, what, at_ms);
    }
}

static void latest_evolve(struct hand *hand, int64_t at_ms, struct span type, struct span category)
{
    struct segmentation_whats *whats = &hand->work->whats;
    latest_raise(hand, segmentation_what_find(whats, type, span_of(NULL, 0)), at_ms);
    if (category.size > 0) {
        latest_raise(hand, segmentation_what_find(whats, type, category), at_ms);
    }
}

/* ---- what is next due */

static void due_lower(int64_t *due_ms, int64_t at_ms, int64_t now_ms)
{
    if (at_ms > now_ms && at_ms < *due_ms) {
        *due_ms = at_ms;
    }
}

static bool first_visit(void *argument, const struct segmentation_event_key *key,
                        const struct segmentation_entry *entry)
{
    struct happening *happening = argument;
    happening->key = *key;
    happening->type = segmentation_name_of(entry->type);
    happening->category = segmentation_name_of(entry->category);
    happening->amount_minor = entry->amount_minor;
    return false;
}

/* The first event of history at or after `from`. */
static bool happening_first(const struct hand *hand, struct segmentation_event_key from,
                            struct happening *happening)
{
    *happening = (struct happening){ .key = { .number = 0 } };
    segmentation_entry_walk(&hand->change->view, from, first_visit, happening);
    return happening->key.number > 0;
}

/* The first instant after now at which a window loses an event, the newest event passes a
 * threshold, or an event that was dated ahead comes true. */
static int64_t due_decide(const struct hand *hand)
{
    const struct segmentation_rules *rules = hand->work->rules;
    int64_t due_ms = SEGMENTATION_NEVER;
    for (size_t i = 0; i < rules->rules.feature_count; i++) {
        const struct segmentation_figure *figure = &hand->work->figures[i];
        if (figure->count > 0) {
            int64_t days_ms = (int64_t)rules->rules.features[i].days * MS_PER_DAY;
            assert(figure->oldest_ms + days_ms > hand->now_ms);
            due_lower(&due_ms, figure->oldest_ms + days_ms, hand->now_ms);
        }
    }
    for (size_t i = 0; i < rules->rules.node_count; i++) {
        const struct rules_node *node = &rules->rules.nodes[i];
        int64_t latest_ms = 0;
        if (node->kind == RULES_LAST &&
            segmentation_latest_load(&hand->change->view, hand->id, hand->customer,
                                     rules->latest[node->feature], &latest_ms)) {
            due_lower(&due_ms, latest_ms + (int64_t)node->days * MS_PER_DAY, hand->now_ms);
        }
    }
    struct segmentation_event_key ahead = { .customer = hand->id, .at_ms = hand->now_ms + 1 };
    struct happening happening;
    if (hand->customer->newest_ms > hand->now_ms && happening_first(hand, ahead, &happening)) {
        due_lower(&due_ms, happening.key.at_ms, hand->now_ms);
    }
    return due_ms;
}

/* ---- pruning */

struct prune {
    int64_t end_ms; /* what occurred up to here is older than history keeps */
    size_t count;
    struct segmentation_event_key keys[PRUNE_MAX];
    int64_t oldest_ms; /* of what stays */
};

static bool prune_visit(void *argument, const struct segmentation_event_key *key,
                        const struct segmentation_entry *entry)
{
    (void)entry;
    struct prune *prune = argument;
    if (key->at_ms > prune->end_ms || prune->count == PRUNE_MAX) {
        prune->oldest_ms = key->at_ms;
        return false;
    }
    prune->keys[prune->count] = *key;
    prune->count += 1;
    return true;
}

static void history_prune(struct hand *hand)
{
    struct prune prune = { .end_ms = window_begin_ms(hand->now_ms, hand->work->rules->history_days),
                           .oldest_ms = INT64_MAX };
    if (hand->customer->oldest_ms > prune.end_ms) {
        return;
    }
    /* Not from the beginning: what was pruned before may lie there as tombstones still. */
    struct segmentation_event_key from = { .customer = hand->id,
                                           .at_ms = hand->customer->oldest_ms };
    segmentation_entry_walk(&hand->change->view, from, prune_visit, &prune);
    for (size_t i = 0; i < prune.count; i++) {
        segmentation_entry_delete(hand->change, prune.keys[i]);
    }
    hand->customer->oldest_ms = prune.oldest_ms;
}

/* ---- a change from begin to end */

static struct hand hand_of(const struct change *change, struct segmentation_work *work,
                           struct customer_id id, int64_t now_ms)
{
    assert(work->rules->version > 0);
    size_t count = work->rules->rules.feature_count;
    memset(work->changed, 0, count * sizeof work->changed[0]);
    return (struct hand){
        .change = change, .work = work, .id = id, .customer = &work->customer, .now_ms = now_ms
    };
}

/* Puts figures, customer and its place in the due table. */
static void hand_end(struct hand *hand)
{
    struct segmentation_due_key due = { .at_ms = hand->customer->due_ms, .customer = hand->id };
    figures_put(hand);
    int64_t next_ms = due_decide(hand);
    if (next_ms != due.at_ms && due.at_ms != SEGMENTATION_NEVER) {
        segmentation_due_delete(hand->change, due);
    }
    if (next_ms != due.at_ms && next_ms != SEGMENTATION_NEVER) {
        due.at_ms = next_ms;
        segmentation_due_put(hand->change, due);
    }
    hand->customer->due_ms = next_ms;
    history_prune(hand);
    segmentation_customer_put(hand->change, hand->id, hand->customer);
}

/* ---- an event */

static void history_put(struct hand *hand, struct segmentation_event_key key,
                        const struct segmentation_entry *entry)
{
    struct segmentation_customer *customer = hand->customer;
    customer->oldest_ms = key.at_ms < customer->oldest_ms ? key.at_ms : customer->oldest_ms;
    customer->newest_ms = key.at_ms > customer->newest_ms ? key.at_ms : customer->newest_ms;
    segmentation_entry_put(hand->change, key, entry);
}

static void said_evolve(struct hand *hand, const struct segmentation_event *event,
                        const struct segmentation_said *said)
{
    struct segmentation_attribute attribute = { .known = false };
    bool found = segmentation_attribute_load(&hand->change->view, hand->id, said->name, &attribute);
    if (found && attribute.at_ms > event->occurred_at_ms) {
        return; /* a later word on it stands */
    }
    attribute = (struct segmentation_attribute){
        .at_ms = event->occurred_at_ms,
        .known = said->text.size > 0,
        .has_integer = said->has_integer,
        .integer = said->integer,
        .text = said->text,
        .personal = said->personal,
        .key_id = said->key_id,
    };
    segmentation_attribute_put(hand->change, hand->id, said->name, &attribute);
}

void segmentation_core_event_evolve(const struct change *change, struct segmentation_work *work,
                                    const struct segmentation_event *event)
{
    struct hand hand = hand_of(change, work, event->customer, event->now_ms);
    if (!segmentation_core_work_load(&change->view, work, hand.id)) {
        work->customer = segmentation_customer_new();
        work->customer.version = work->rules->version;
        work->customer.subject = event->subject;
        segmentation_core_work_begin(&change->view, work, hand.id);
        work->is_anew = true;
    }
    /* Visits and what was due came first, so the windows stand exactly at now. */
    assert(hand.customer->due_ms > event->now_ms);
    hand.customer->events += 1;
    work->is_told = work->is_told || event->said_count > 0;
    for (size_t i = 0; i < event->said_count; i++) {
        said_evolve(&hand, event, &event->said[i]);
    }
    struct segmentation_entry entry = { .type = event->type,
                                        .category = event->category,
                                        .amount_minor = event->amount_minor };
    struct segmentation_event_key key = { .customer = hand.id,
                                          .at_ms = event->occurred_at_ms,
                                          .number = hand.customer->events };
    if (key.at_ms > window_begin_ms(hand.now_ms, work->rules->history_days)) {
        history_put(&hand, key, &entry);
    }
    if (key.at_ms <= hand.now_ms) {
        latest_evolve(&hand, key.at_ms, entry.type, entry.category);
        figures_count(&hand, key.at_ms, &entry);
    }
    hand_end(&hand);
}

/* ---- time */

struct expiry {
    struct hand *hand;
    size_t feature;
    int64_t oldest_ms; /* the instant that leaves the window */
};

/* Takes away what happened at the instant that leaves, then finds the oldest event left. */
static bool expiry_visit(void *argument, const struct segmentation_event_key *key,
                         const struct segmentation_entry *entry)
{
    const struct expiry *expiry = argument;
    const struct rules *rules = &expiry->hand->work->rules->rules;
    struct segmentation_figure *figure = &expiry->hand->work->figures[expiry->feature];
    bool leaves = key->at_ms == expiry->oldest_ms;
    if (key->at_ms > expiry->hand->now_ms || (!leaves && figure->count == 0)) {
        return false;
    }
    if (!rules_feature_takes(rules, expiry->feature, entry->type, entry->category)) {
        return true;
    }
    if (!leaves) {
        figure->oldest_ms = key->at_ms;
        return false;
    }
    assert(figure->count > 0);
    figure->count -= 1;
    figure->sum -= entry->amount_minor;
    return true;
}

/* Events of one instant leave together. */
static void figure_expire(struct hand *hand, size_t feature)
{
    struct segmentation_figure *figure = &hand->work->figures[feature];
    struct expiry expiry = { .hand = hand, .feature = feature, .oldest_ms = figure->oldest_ms };
    struct segmentation_event_key from = { .customer = hand->id, .at_ms = figure->oldest_ms };
    uint64_t count = figure->count;
    segmentation_entry_walk(&hand->change->view, from, expiry_visit, &expiry);
    assert(figure->count < count);
    assert(figure->count > 0 ? figure->oldest_ms > expiry.oldest_ms : figure->sum == 0);
    if (figure->count == 0) {
        figure->oldest_ms = 0;
    }
    hand->work->changed[feature] = true;
}

static struct segmentation_entry happening_entry(const struct happening *happening)
{
    return (struct segmentation_entry){
        .type = segmentation_name_span(&happening->type),
        .category = segmentation_name_span(&happening->category),
        .amount_minor = happening->amount_minor,
    };
}

/* What was dated ahead and comes true now. `counts`: in the figures too. */
static void ahead_evolve(struct hand *hand, bool counts)
{
    struct segmentation_event_key from = { .customer = hand->id, .at_ms = hand->now_ms };
    struct happening happening;
    while (hand->customer->newest_ms >= hand->now_ms && happening_first(hand, from, &happening) &&
           happening.key.at_ms == hand->now_ms) {
        struct segmentation_entry entry = happening_entry(&happening);
        latest_evolve(hand, hand->now_ms, entry.type, entry.category);
        if (counts) {
            figures_count(hand, hand->now_ms, &entry);
        }
        from.number = happening.key.number + 1;
    }
}

void segmentation_core_advance_evolve(const struct change *change, struct segmentation_work *work,
                                      struct customer_id id, int64_t now_ms)
{
    struct hand hand = hand_of(change, work, id, now_ms);
    bool known = segmentation_core_work_load(&change->view, work, id);
    assert(known && hand.customer->due_ms == now_ms);
    work->is_anew = true;
    for (size_t i = 0; i < work->rules->rules.feature_count; i++) {
        int64_t days_ms = (int64_t)work->rules->rules.features[i].days * MS_PER_DAY;
        if (work->figures[i].count > 0 && work->figures[i].oldest_ms + days_ms == now_ms) {
            figure_expire(&hand, i);
        }
    }
    ahead_evolve(&hand, true);
    hand_end(&hand);
}

/* ---- new rules */

static bool rebuild_visit(void *argument, const struct segmentation_event_key *key,
                          const struct segmentation_entry *entry)
{
    struct hand *hand = argument;
    if (key->at_ms > hand->now_ms) {
        return false;
    }
    figures_count(hand, key->at_ms, entry);
    return true;
}

void segmentation_core_visit_evolve(const struct change *change, struct segmentation_work *work,
                                    struct customer_id id, int64_t now_ms)
{
    struct hand hand = hand_of(change, work, id, now_ms);
    bool known = segmentation_customer_load(&change->view, id, hand.customer);
    /* What is due at this very instant may not have been ticked yet: the figures are made as
     * of now in any case, and the newest events brought up to it. */
    assert(known && hand.customer->due_ms >= now_ms);
    hand.customer->version = work->rules->version;
    segmentation_figures_delete(change, id, hand.customer);
    segmentation_core_work_begin(&change->view, work, id);
    work->is_anew = true;
    ahead_evolve(&hand, false);
    struct segmentation_event_key from = {
        .customer = id,
        .at_ms = window_begin_ms(now_ms, rules_days_most(&work->rules->rules)) + 1,
    };
    segmentation_entry_walk(&change->view, from, rebuild_visit, &hand);
    hand_end(&hand);

    struct segmentation_membership memberships[RULES_SEGMENTS_MAX];
    segmentation_memberships_load(&change->view, id, memberships, hand.customer->memberships);
    for (size_t i = 0; i < hand.customer->memberships; i++) {
        memberships[i].version = work->rules->version;
        segmentation_membership_put(change, id, &memberships[i]);
    }
    struct segmentation_head head = { .visiting = false };
    bool found = segmentation_head_load(&change->view, &head);
    assert(found && head.visiting && head.rules_version == work->rules->version);
    head.has_visited = true;
    head.visited = id;
    segmentation_head_put(change, &head);
}
