/*
 * The rules of the points ledger, and nothing else.
 *
 * Double entry: a posting adds points to one customer's account and takes as many from one
 * of the programme's own accounts, so that all accounts of a programme sum to zero after
 * each posting.
 *
 *   earned     customer + n, issued - n
 *   granted    the same, for no event: an operator or a campaign says so
 *   spent      customer - n, spent  + n
 *   reversed   the posting it names, the other way round, against the same own account
 *
 * Pure: no clock, no socket, no store of its own, no log, no allocation. Deciding reads a
 * view; evolve alone changes state, and asserts what deciding promised.
 * Units: points are whole points; amounts are minor units; time is milliseconds since 1970.
 *
 * What the rules come to where others could think otherwise:
 *   - An earning cannot be refused, since the event has happened. It is cut so that neither
 *     the account passes LIMIT_AMOUNT nor the programme LOYALTY_ISSUED_MAX; what is cut off
 *     is not given later.
 *   - An event without an amount, or with one of zero or less, earns nothing: what a refund
 *     takes back, a reversal says.
 *   - A posting is reversed once and whole; a reversal is never reversed.
 *   - A programme that left the rules earns nothing more, but its accounts stay: they can be
 *     asked for, spent and reversed.
 */
#ifndef KITH_LOYALTY_CORE_H
#define KITH_LOYALTY_CORE_H

#include "common/base/event.h"
#include "common/base/refusal.h"
#include "services/loyalty/loyalty_store.h"

/* Both together keep the compiled rules and their text within one record. */
#define LOYALTY_PROGRAMMES_MAX 8
#define LOYALTY_EARN_RULES_MAX 16
/* What one programme may have given out: what a thousand full accounts hold. */
#define LOYALTY_ISSUED_MAX (1000 * LIMIT_AMOUNT)

enum loyalty_rounding {
    LOYALTY_ROUND_FLOOR,
    LOYALTY_ROUND_HALF_UP,
    LOYALTY_ROUND_CEILING,
};

/* `points` for each `unit_minor` of the event's amount. Both are 1..LIMIT_AMOUNT, and
 * their product fits 63 bits. */
struct loyalty_earn_rule {
    struct loyalty_name event_type;
    int64_t points;
    int64_t unit_minor;
    enum loyalty_rounding rounding;
};

struct loyalty_programme {
    struct loyalty_name name;
    uint32_t number; /* in keys; 0 before loyalty_core_rules_number() */
    size_t rule_count;
    struct loyalty_earn_rule rules[LOYALTY_EARN_RULES_MAX]; /* one for a type of event */
};

struct loyalty_rules {
    size_t programme_count;
    struct loyalty_programme programmes[LOYALTY_PROGRAMMES_MAX]; /* the first is the default */
};

/* A posting, decided or read back. Spans look into what it was made from. */
struct loyalty_posting {
    enum loyalty_kind kind;
    struct loyalty_name programme;
    struct customer_id customer;
    struct loyalty_subject subject;
    int64_t points; /* added to the customer's account; never 0 */
    int64_t balance_after;
    uint64_t number; /* within the customer's account, from 1 */
    enum loyalty_own_kind counter;
    int64_t occurred_at_ms;
    struct span source; /* of the event that earned; empty: none */
    struct span event_id;
    uint64_t reverses;
    struct span reference; /* of what was granted or spent; empty: none */
};

/* An accepted event with its fact's envelope. */
struct loyalty_earning {
    struct customer_id customer;
    struct loyalty_subject subject;
    const struct accepted_event *event;
};

/* An account that a request means: the programme may be empty for the default. */
struct loyalty_asked {
    struct span programme;
    struct customer_id customer;
};

/* The account as it stands, and what the programme has given out, once deciding has asked. */
struct loyalty_found {
    struct loyalty_name programme;
    struct loyalty_account_key key;
    struct loyalty_account account;
    struct loyalty_own issued;
    bool has_issued;
};

/* True if a rule's numbers are within the bounds above. */
bool loyalty_core_rule_is_valid(const struct loyalty_earn_rule *rule);
/* The rule for events of this type; NULL: such events earn nothing. */
const struct loyalty_earn_rule *loyalty_core_rule_find(const struct loyalty_programme *programme,
                                                       struct span event_type);
/* amount_minor * points / unit_minor, rounded once and exactly; 0..LIMIT_AMOUNT. */
int64_t loyalty_core_points(const struct loyalty_earn_rule *rule, int64_t amount_minor);

/* Decides what an event earns in `programme`, which is of the rules in force; `found` is the
 * account it goes to. False: nothing to post; the outputs are untouched. */
bool loyalty_core_earn(const struct view *view, const struct loyalty_programme *programme,
                       const struct loyalty_earning *earning, struct loyalty_found *found,
                       struct loyalty_posting *posting);

/* A customer who is known and never earned has an empty account.
 *   STATUS_NOT_FOUND  there is no such programme, or no such customer
 *   STATUS_REFUSED    no programme was named and the rules have none */
MUST_USE enum status loyalty_core_account_find(const struct view *view,
                                               const struct loyalty_rules *rules,
                                               const struct loyalty_asked *asked,
                                               struct loyalty_found *found,
                                               struct refusal *refusal);

/* `points` is 1..LIMIT_AMOUNT (asserted).
 *   STATUS_REFUSED  more than the balance */
MUST_USE enum status loyalty_core_spend(const struct loyalty_found *found, int64_t points,
                                        int64_t now_ms, struct loyalty_posting *posting,
                                        struct refusal *refusal);

struct loyalty_grant {
    struct loyalty_subject subject; /* as the sender names the customer */
    int64_t points;                 /* 1..LIMIT_AMOUNT (asserted) */
    int64_t now_ms;
};
/* Unlike an earning a grant is refused rather than cut; on STATUS_OK `found` knows what the
 * programme has issued. In this order:
 *   STATUS_REFUSED  it does not fit under LIMIT_AMOUNT
 *   STATUS_REFUSED  the programme may not give out as much */
MUST_USE enum status loyalty_core_grant(const struct view *view, struct loyalty_found *found,
                                        const struct loyalty_grant *grant,
                                        struct loyalty_posting *posting, struct refusal *refusal);

/* In this order:
 *   STATUS_NOT_FOUND  there is no posting with this seq
 *   STATUS_REFUSED    it is a reversal itself
 *   STATUS_REFUSED    it was reversed before
 *   STATUS_REFUSED    an earning of more points than the account still has
 *   STATUS_REFUSED    a spending that no longer fits under LIMIT_AMOUNT */
MUST_USE enum status loyalty_core_reverse(const struct view *view, uint64_t seq, int64_t now_ms,
                                          struct loyalty_posting *posting, struct refusal *refusal);

/* A posting that stands in the journal at `seq`. */
struct loyalty_posted {
    const struct loyalty_posting *posting;
    uint64_t seq;
    int64_t recorded_at_ms;
    /* What stands before the posting, if whoever decided has it at hand; NULL: it is looked for. */
    const struct loyalty_found *found;
};
void loyalty_core_posting_evolve(const struct change *change, const struct loyalty_posted *posted);

/* Rules as the journal holds them: `version` follows the newest one's (asserted), and
 * programmes that were never named before get their numbers. */
struct loyalty_rules_change {
    uint32_t version;
    struct hash128 hash;
    struct span compiled;
    const struct loyalty_rules *rules; /* what `compiled` says */
};
void loyalty_core_rules_evolve(const struct change *change,
                               const struct loyalty_rules_change *rules_change);
/* Looks up the numbers of the programmes, which there are since the rules came into force. */
void loyalty_core_rules_number(const struct view *view, struct loyalty_rules *rules);

#endif
