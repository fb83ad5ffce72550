/*
 * The rules of campaigns: who is written to, and what becomes of it.
 *
 *   an entry, a command  -> planned, in the campaign's queue
 *   a schedule's instant -> running: the segment's members, one after the other
 *   both                 -> decided when the channel has a place free:
 *                           intended, or suppressed for the first reason that applies
 *   intended             -> sent, suppressed (the channel refused) or unknown
 *
 * Pure: no clock, no socket, no store of its own, no log. Deciding reads a view; evolve alone
 * changes state, and asserts what deciding promised. Time is milliseconds since 1970.
 *
 * What the rules come to where others could think otherwise:
 *   - All is looked at when the message would be handed over, not when it was planned: the
 *     segment, the cap, the validity, the words.
 *   - A cap counts intents whatever came of them, except those the channel refused. It covers
 *     (now - days, now].
 *   - A schedule's instants count from the rules that brought it: none that lies before them is
 *     made up for. An instant that passed while nothing ran is left out when the next has
 *     passed too.
 *   - A dispatch is what its campaign, customer and step say. The same again is not planned.
 *   - A campaign that left the rules keeps its numbers; what it had planned is suppressed.
 */
#ifndef KITH_CAMPAIGN_CORE_H
#define KITH_CAMPAIGN_CORE_H

#include "common/base/refusal.h"
#include "services/campaign/campaign_store.h"

/* What a template can come to at most: nothing but attributes, each as long as they get. */
#define CAMPAIGN_FILLED_BYTES ((CAMPAIGNS_TEMPLATE_BYTES / 3 + 1) * CAMPAIGN_CONTACT_BYTES)

/* The rules in force and how they are kept to. */
struct campaign_setup {
    const struct campaigns *campaigns;
    /* A decision that the outcome of an open message could turn waits for it. Otherwise an
     * open message counts. */
    bool waits_for_outcomes;
};

/* ---- planning */

struct campaign_plan {
    struct hash128 dispatch;
    struct campaign_name campaign;
    enum campaign_trigger trigger;
    struct campaign_step step;
};

struct campaign_step campaign_core_entry_step(uint64_t seq);
struct campaign_step campaign_core_schedule_step(int64_t due_ms);
/* `key` is at most LIMIT_ID_BYTES (asserted). */
struct campaign_step campaign_core_command_step(struct span key);
/* The id of a dispatch. `customer` is the identifier's text. */
struct hash128 campaign_core_dispatch_id(struct span campaign, struct span customer,
                                         const struct campaign_step *step);

/* An entry into a segment, or an exit. Spans look into what it was read from. */
struct campaign_moved {
    struct customer_id customer;
    struct campaign_subject subject;
    struct campaign_name segment;
    bool entered;
    int64_t told_at_ms; /* by segmentation; not journalled here */
    int64_t at_ms;
    size_t contact_count;
    struct campaign_said {
        struct span name;
        struct sealed value;
    } contact[CAMPAIGNS_NEEDS_MAX];
    size_t plan_count;
    struct campaign_plan plans[CAMPAIGNS_MAX];
};
/* An entry tells all that is known of what its campaigns need: what it does not tell is not
 * known any more, and becomes empty. Names look into `campaigns`. */
void campaign_core_contact_complete(const struct campaigns *campaigns,
                                    struct campaign_moved *moved);
/* A campaign that is new in an old suite writes to those who enter from then on.
 * Fills in the plans of an entry that segmentation's fact `seq` says. */
void campaign_core_entry_plan(const struct view *view, const struct campaign_setup *setup,
                              uint64_t seq, struct campaign_moved *moved);

/* ---- what is to be done next */

enum campaign_work_kind {
    CAMPAIGN_WORK_NONE,
    CAMPAIGN_WORK_PLANNED,  /* decide the first in a campaign's queue */
    CAMPAIGN_WORK_AUDIENCE, /* decide the next member of a schedule's audience, or end it */
    CAMPAIGN_WORK_BEGIN,    /* a schedule begins at due_ms */
};
struct campaign_work {
    enum campaign_work_kind kind;
    struct campaign_name campaign;
    size_t index; /* in the rules; theirs count: the campaign is gone */
    int64_t due_ms;
    uint64_t order; /* planned: smaller comes first */
};
struct campaign_survey {
    struct campaign_work work;
    bool is_running; /* a schedule is, whether it can go on or not */
};
/* A full channel, or one that `blocked` holds by its index in the rules, keeps nobody else
 * waiting. */
struct campaign_survey campaign_core_survey(const struct view *view,
                                            const struct campaign_setup *setup,
                                            const bool blocked[CAMPAIGNS_CHANNELS_MAX]);

/* Will a schedule's instant after `due_ms` have come at `until_ms`? */
bool campaign_core_is_overtaken(const struct campaign_rule *rule, int64_t due_ms, int64_t until_ms);

/* ---- deciding */

/* A dispatch in question. */
struct campaign_candidate {
    const struct campaign_rule *rule; /* NULL: the campaign is gone */
    struct campaign_plan plan;
    struct customer_id customer;
    int64_t now_ms;
    int64_t wall_ms; /* when it would be handed over, if that is later: validity goes by it */
};

/* A decision, or an outcome; decided or read back. */
struct campaign_decision {
    enum campaign_dispatch_state becomes; /* never planned */
    struct customer_id customer;
    struct campaign_subject subject;
    struct campaign_plan plan;
    uint64_t number; /* within the campaign, from 1 */
    struct campaign_name channel;
    struct hash128 channel_identity; /* intended only */
    enum campaign_reason reason;
    struct campaign_detail detail;
    uint32_t rules_version;
    struct sealed message; /* intended only; of the parts below, encoded */
};

/* A message in its parts, and where they are written. */
struct campaign_message {
    struct buffer address;
    struct buffer subject;
    struct buffer text;
};
void campaign_message_init(struct campaign_message *message);
void campaign_message_release(struct campaign_message *message);

/* False: it waits for an outcome, and `decision` is not to be used. Where it becomes open, the
 * message is filled, and the caller seals it. */
bool campaign_core_decide(const struct view *view, const struct campaign_setup *setup,
                          const struct campaign_candidate *candidate,
                          struct campaign_decision *decision, struct campaign_message *message);

/* What the channel said of an open dispatch. */
struct campaign_outcome {
    struct hash128 dispatch;
    enum campaign_dispatch_state becomes; /* sent, suppressed or unknown */
    struct span detail;                   /* at most CAMPAIGN_DETAIL_BYTES (asserted) */
};
/* The dispatch is open (asserted). */
void campaign_core_outcome(const struct view *view, const struct campaign_outcome *outcome,
                           struct campaign_decision *decision);

/* ---- evolve */

void campaign_core_moved_evolve(const struct change *change, const struct campaign_moved *moved);
/* A dispatch joins its campaign's queue. */
void campaign_core_plan_evolve(const struct change *change, struct customer_id customer,
                               const struct campaign_plan *plan, int64_t at_ms);

struct campaign_schedule_ran {
    struct campaign_name campaign;
    int64_t due_ms;
    bool has_after;
    struct customer_id after; /* came as far as this one; without it: begins */
    bool done;
};
void campaign_core_schedule_evolve(const struct change *change,
                                   const struct campaign_schedule_ran *ran);

void campaign_core_decision_evolve(const struct change *change,
                                   const struct campaign_decision *decision, uint64_t seq,
                                   int64_t recorded_at_ms);

/* Rules as the journal holds them: `version` follows the newest one's (asserted). */
struct campaign_rules_change {
    uint32_t version;
    struct hash128 hash;
    int64_t at_ms;
    size_t count;
    struct campaign_listed {
        struct campaign_name name;
        struct campaign_schedule schedule;
    } campaigns[CAMPAIGNS_MAX];
};
void campaign_core_rules_evolve(const struct change *change,
                                const struct campaign_rules_change *rules);

#endif
