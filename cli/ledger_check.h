/*
 * A ledger added up from its postings, and compared with what somebody else has. Pure: it
 * knows neither feeds nor services. Each shard has a ledger of its own.
 */
#ifndef KITH_CLI_LEDGER_CHECK_H
#define KITH_CLI_LEDGER_CHECK_H

#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/base/refusal.h"

struct ledger_check;

/* Whose account: a customer's, or the programme's own `own` (a LedgerAccount). */
struct ledger_owner {
    struct span programme;
    bool is_customer;
    struct customer_id customer;
    uint32_t own;
};

struct ledger_posting {
    uint64_t seq;
    struct ledger_owner owner; /* a customer's account */
    uint32_t counter;          /* the programme's own account that the points come from */
    int64_t points;
    int64_t balance_after;
    uint64_t number;
};

struct ledger_totals {
    uint64_t postings;
    uint64_t accounts;
    int64_t sum; /* of all balances: zero */
};

void ledger_check_open(struct ledger_check **check);
void ledger_check_close(struct ledger_check **check);

/* Adds a posting, in the order of their seqs.
 * STATUS_CORRUPT: its balance_after or number is not what follows from those before, or the
 * sum of all accounts is no longer zero; the sentence names account and seq. */
MUST_USE enum status ledger_check_post(struct ledger_check *check,
                                       const struct ledger_posting *posting,
                                       struct refusal *refusal);

/* An account as the service has it after the newest posting added; `seq` is its number for
 * the sentence. STATUS_CORRUPT: it differs, or is one that no posting made, or came before. */
MUST_USE enum status ledger_check_compare(struct ledger_check *check,
                                          const struct ledger_owner *owner, int64_t balance,
                                          uint64_t seq, struct refusal *refusal);
/* After all accounts. STATUS_CORRUPT: one that had a posting up to `seq` was not compared. */
MUST_USE enum status ledger_check_complete(const struct ledger_check *check, uint64_t seq,
                                           struct refusal *refusal);

struct ledger_totals ledger_check_totals(const struct ledger_check *check);

#endif
