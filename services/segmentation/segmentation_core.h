/*
 * Who belongs to which segment, and nothing else: figures over windows that end now, the
 * rules decided on them, entries and exits.
 *
 *   event    figures, profile and history of its customer change     event_evolve
 *   time     windows of a customer move on to an instant              advance_evolve
 *   rules    each customer is taken over, figures from history        visit_evolve
 *
 * after each of which decide() compares the rules with the memberships: what differs is an
 * entry or an exit, and a fact. Between two due instants of a customer nothing about it can
 * change by time alone, so its windows stand at any instant in between.
 *
 * Pure: no clock, no socket, no store of its own, no log, no allocation. Time is
 * milliseconds since 1970; amounts are minor units, whatever their currency.
 *
 * What the rules come to where others could think otherwise:
 *   - A window of N days is (now - N d, now]. An event counts from its occurred_at on, and
 *     no longer once now is occurred_at + N d.
 *   - A late event counts in every window that still holds it. One that is older than
 *     history_days is in no window; it still may be the newest of its type.
 *   - An event dated ahead of now counts when now gets there; what it says of the profile
 *     holds at once.
 *   - The newest event of a type is remembered for ever, whatever history_days is.
 *   - Of two events about one attribute the one that occurred later holds, whichever came
 *     first; of one instant the one that came later. An empty text takes an attribute away.
 *   - Sums are exact: 128 bits hold 10^15 minor units more often than events can be counted.
 */
#ifndef KITH_SEGMENTATION_CORE_H
#define KITH_SEGMENTATION_CORE_H

#include "common/rules/campaigns.h"
#include "services/segmentation/segmentation_core_what.h"

#define SEGMENTATION_HISTORY_DAYS_MAX RULES_DAYS_MAX
/* Each membership may end, and each segment may be entered. */
#define SEGMENTATION_MOVES_MAX (2 * RULES_SEGMENTS_MAX)

/* A version of the rules with what evaluating needs besides. */
struct segmentation_rules {
    uint32_t version; /* 0: none yet */
    uint32_t history_days;
    struct rules rules;
    /* set by segmentation_core_rules_bind */
    uint32_t numbers[RULES_SEGMENTS_MAX];      /* of the segments */
    struct hash128 latest[RULES_FEATURES_MAX]; /* key of `latest` for features without days */
};

/* The customer in hand and its figures; too large for a stack. */
struct segmentation_work {
    const struct segmentation_rules *rules; /* of the customer's version */
    /* Who it is, as state has it: a customer is mostly decided right after it was evolved. What
     * changes it in state changes it here, or forgets it. */
    bool is_loaded;
    uint32_t version; /* of the rules */
    struct customer_id id;
    struct segmentation_customer customer;
    struct segmentation_figure figures[RULES_FEATURES_MAX];
    bool changed[RULES_FEATURES_MAX];
    /* What may have changed since it was decided last; what has not says now what it said then. */
    bool is_anew;                     /* all: it is new, or time or new rules have been at it */
    bool is_told;                     /* attributes */
    bool touched[RULES_FEATURES_MAX]; /* windows and newest events */
    struct segmentation_whats whats;  /* of any customer */
};

/* Takes the customer in hand. False: it is not known, and nobody is. */
bool segmentation_core_work_load(const struct view *view, struct segmentation_work *work,
                                 struct customer_id id);
/* The same with the record in `work->customer`, which state may be about to get. */
void segmentation_core_work_begin(const struct view *view, struct segmentation_work *work,
                                  struct customer_id id);

/* What an event says of an attribute. */
struct segmentation_said {
    struct span name;
    struct span text; /* as people read it; empty: it is taken away */
    bool has_integer;
    int64_t integer;
    bool personal;
    uint32_t key_id; /* of a personal text; 0: plain */
};
struct segmentation_event {
    struct customer_id customer;
    struct segmentation_subject subject;
    struct span type;
    struct span category; /* empty: none, or longer than rules can name */
    int64_t amount_minor; /* 0: none */
    int64_t occurred_at_ms;
    int64_t now_ms;
    size_t said_count;
    struct segmentation_said said[LIMIT_ATTRIBUTES];
};

/* An entry or an exit. */
struct segmentation_move {
    bool entered;
    bool by_time; /* an exit that no event caused */
    struct segmentation_name segment;
    uint32_t rules_version;
    struct customer_id customer;
    struct segmentation_subject subject;
};
struct segmentation_moves {
    size_t count;
    struct segmentation_move moves[SEGMENTATION_MOVES_MAX];
};

/* What an entry says of the customer to campaigns of the segment. */
struct segmentation_contact {
    size_t count;
    struct segmentation_contact_item {
        struct segmentation_name name;
        struct sealed value; /* of the text; lives as view.h says */
    } items[CAMPAIGNS_NEEDS_MAX];
};

/* ---- rules */

struct segmentation_rules_change {
    uint32_t version;
    struct hash128 hash;
    struct span compiled;
    int64_t recorded_at_ms;
    const struct rules *rules; /* what `compiled` says */
};
/* `version` follows the newest one's (asserted). New segments get their numbers, and if
 * anybody is known, visits begin. */
void segmentation_core_rules_evolve(const struct change *change,
                                    const struct segmentation_rules_change *rules_change);
/* Fills what state knows of rules that it holds. */
void segmentation_core_rules_bind(const struct view *view, struct segmentation_rules *rules);

/* ---- evolve: `work->rules` are the newest (asserted) */

void segmentation_core_event_evolve(const struct change *change, struct segmentation_work *work,
                                    const struct segmentation_event *event);
/* The customer is due at now_ms (asserted). */
void segmentation_core_advance_evolve(const struct change *change, struct segmentation_work *work,
                                      struct customer_id id, int64_t now_ms);
void segmentation_core_visit_evolve(const struct change *change, struct segmentation_work *work,
                                    struct customer_id id, int64_t now_ms);
void segmentation_core_visits_end_evolve(const struct change *change);
void segmentation_core_move_evolve(const struct change *change, struct segmentation_work *work,
                                   const struct segmentation_move *move, int64_t recorded_at_ms);

/* ---- decide */

/* The exits and entries that make a customer's memberships what the rules say: first exits
 * from segments that the rules no longer have, then the rules' segments in their order. Follows
 * each evolve of the customer before anything else is evolved: the next begins from there. */
void segmentation_core_decide(const struct view *view, struct segmentation_work *work,
                              struct customer_id id, int64_t now_ms,
                              struct segmentation_moves *moves);
/* What the profile has of the attributes that campaigns of `segment` need, in their order;
 * those that are not known are left out. */
void segmentation_core_contact(const struct view *view, struct customer_id id,
                               const struct campaigns *campaigns, struct span segment,
                               struct segmentation_contact *contact);
/* When something is next due. False: never. Visits are due since the rules changed. `head` is as
 * state has it. */
bool segmentation_core_due(const struct view *view, const struct segmentation_head *head,
                           struct segmentation_front *front, int64_t *due_ms);
/* The next customer to visit. False: none is left. */
bool segmentation_core_visit_next(const struct view *view, struct customer_id *id);

/* ---- figures, for whoever evaluates clauses */

#define SEGMENTATION_ASKED_MAX 8
struct segmentation_answers {
    const struct view *view;
    const struct segmentation_work *work; /* with the customer in hand */
    /* The attributes that were asked for so far: segments mostly ask for the same few. */
    size_t asked_count;
    struct segmentation_asked {
        struct span name;
        bool is_known;
        struct rules_attribute attribute;
    } asked[SEGMENTATION_ASKED_MAX];
};
/* `answers` lives as long as the values, and the customer is in hand as long. */
struct rules_values segmentation_core_values(struct segmentation_answers *answers, int64_t now_ms);

#endif
