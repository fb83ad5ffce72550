/*
 * A ledger in memory for tests: rules in force, and what the shell does around each decision
 * (a seq, then evolve), in one call each.
 */
#ifndef KITH_TESTS_UNIT_LOYALTY_FIXTURE_H
#define KITH_TESTS_UNIT_LOYALTY_FIXTURE_H

#include "services/loyalty/loyalty_core.h"
#include "tests/support/memory_view.h"

#include <assert.h>
#include <string.h>

#define FIXTURE_NOW_MS INT64_C(899164800000)

struct ledger {
    struct memory_view *memory;
    struct view view;
    struct change change;
    struct loyalty_rules rules;
    uint32_t rules_version;
    uint64_t seq; /* of the newest fact */
    struct refusal refusal;
};

static inline struct loyalty_earn_rule rule_of(const char *event_type, int64_t points,
                                               int64_t unit_minor, enum loyalty_rounding rounding)
{
    return (struct loyalty_earn_rule){ .event_type = loyalty_name_of(span_of_text(event_type)),
                                       .points = points,
                                       .unit_minor = unit_minor,
                                       .rounding = rounding };
}

static inline struct loyalty_programme programme_of(const char *name, struct loyalty_earn_rule rule)
{
    return (struct loyalty_programme){ .name = loyalty_name_of(span_of_text(name)),
                                       .rule_count = 1,
                                       .rules = { rule } };
}

/* Customers are numbers here; 1 and 2 are neighbours as keys. */
static inline struct customer_id customer_of(uint8_t number)
{
    struct customer_id customer = { .bytes = { 0 } };
    customer.bytes[15] = number;
    return customer;
}

/* Puts `rules` into force as the journal would. The compiled form is not looked at. */
static inline void ledger_rules_put(struct ledger *ledger, const struct loyalty_rules *rules)
{
    ledger->rules = *rules;
    ledger->rules_version += 1;
    ledger->seq += 1;
    struct loyalty_rules_change change = {
        .version = ledger->rules_version,
        .compiled = span_of_text("compiled"),
        .rules = rules,
    };
    loyalty_core_rules_evolve(&ledger->change, &change);
    loyalty_core_rules_number(&ledger->view, &ledger->rules);
}

/* Two programmes: bonus gives 1 for 100 minor units of a purchase, rounded down, and travel
 * gives 3 for 200, rounded up. */
static inline void ledger_open(struct ledger *ledger)
{
    *ledger = (struct ledger){ .memory = NULL };
    memory_view_open(&ledger->memory);
    ledger->view = memory_view_reader(ledger->memory);
    ledger->change = memory_view_writer(ledger->memory);
    static const struct loyalty_rules none = { .programme_count = 0 };
    struct loyalty_rules rules = none;
    rules.programme_count = 2;
    rules.programmes[0] = programme_of("bonus", rule_of("purchase", 1, 100, LOYALTY_ROUND_FLOOR));
    rules.programmes[1] =
        programme_of("travel", rule_of("purchase", 3, 200, LOYALTY_ROUND_CEILING));
    ledger_rules_put(ledger, &rules);
}

static inline void ledger_close(struct ledger *ledger)
{
    memory_view_close(&ledger->memory);
}

static inline uint64_t ledger_post(struct ledger *ledger, const struct loyalty_posting *posting)
{
    ledger->seq += 1;
    struct loyalty_posted posted = { posting, ledger->seq, FIXTURE_NOW_MS + 1, NULL };
    loyalty_core_posting_evolve(&ledger->change, &posted);
    return ledger->seq;
}

/* A purchase folded for one programme. Returns the posting's seq; 0: nothing was posted. */
static inline uint64_t ledger_earn(struct ledger *ledger, size_t programme, uint8_t customer,
                                   int64_t amount_minor)
{
    struct accepted_event event = {
        .source = span_of_text("pos"),
        .id = span_of_text("receipt 7"),
        .type = span_of_text("purchase"),
        .occurred_at_ms = FIXTURE_NOW_MS,
        .has_amount = true,
        .amount = { .minor = amount_minor, .currency = "EUR" },
    };
    struct loyalty_earning earning = {
        .customer = customer_of(customer),
        .subject = { .size = 1, .bytes = { (uint8_t)('a' + customer) } },
        .event = &event,
    };
    struct loyalty_found found = { .key = { .programme = 0 } };
    struct loyalty_posting posting = { .points = 0 };
    if (!loyalty_core_earn(&ledger->view, &ledger->rules.programmes[programme], &earning, &found,
                           &posting)) {
        return 0;
    }
    return ledger_post(ledger, &posting);
}

static inline enum status ledger_find(struct ledger *ledger, const char *programme,
                                      uint8_t customer, struct loyalty_found *found)
{
    struct loyalty_asked asked = { .programme = span_of_text(programme),
                                   .customer = customer_of(customer) };
    refusal_init(&ledger->refusal);
    return loyalty_core_account_find(&ledger->view, &ledger->rules, &asked, found,
                                     &ledger->refusal);
}

static inline enum status ledger_spend(struct ledger *ledger, const char *programme,
                                       uint8_t customer, int64_t points)
{
    struct loyalty_found found = { .key = { .programme = 0 } };
    enum status status = ledger_find(ledger, programme, customer, &found);
    if (status != STATUS_OK) {
        return status;
    }
    struct loyalty_posting posting = { .points = 0 };
    status = loyalty_core_spend(&found, points, FIXTURE_NOW_MS, &posting, &ledger->refusal);
    if (status == STATUS_OK) {
        (void)ledger_post(ledger, &posting);
    }
    return status;
}

static inline enum status ledger_grant(struct ledger *ledger, const char *programme,
                                       uint8_t customer, int64_t points)
{
    struct loyalty_found found = { .key = { .programme = 0 } };
    enum status status = ledger_find(ledger, programme, customer, &found);
    if (status != STATUS_OK) {
        return status;
    }
    struct loyalty_posting posting = { .points = 0 };
    struct loyalty_grant grant = { .subject = { .size = 1, .bytes = { 'g' } },
                                   .points = points,
                                   .now_ms = FIXTURE_NOW_MS };
    status = loyalty_core_grant(&ledger->view, &found, &grant, &posting, &ledger->refusal);
    if (status == STATUS_OK) {
        (void)ledger_post(ledger, &posting);
    }
    return status;
}

static inline enum status ledger_reverse(struct ledger *ledger, uint64_t seq)
{
    struct loyalty_posting posting = { .points = 0 };
    refusal_init(&ledger->refusal);
    enum status status =
        loyalty_core_reverse(&ledger->view, seq, FIXTURE_NOW_MS, &posting, &ledger->refusal);
    if (status == STATUS_OK) {
        (void)ledger_post(ledger, &posting);
    }
    return status;
}

/* The account, or zeroes. */
static inline struct loyalty_account ledger_account(struct ledger *ledger, const char *programme,
                                                    uint8_t customer)
{
    struct loyalty_account account = { .balance = 0 };
    struct loyalty_account_key key = { .customer = customer_of(customer) };
    bool known = loyalty_programme_load(&ledger->view, span_of_text(programme), &key.programme);
    assert(known);
    (void)loyalty_account_load(&ledger->view, key, &account);
    return account;
}

static inline int64_t ledger_own(struct ledger *ledger, const char *programme,
                                 enum loyalty_own_kind kind)
{
    struct loyalty_own own = { .balance = 0 };
    struct loyalty_own_key key = { .kind = kind };
    bool known = loyalty_programme_load(&ledger->view, span_of_text(programme), &key.programme);
    assert(known);
    (void)loyalty_own_load(&ledger->view, key, &own);
    return own.balance;
}

#endif
