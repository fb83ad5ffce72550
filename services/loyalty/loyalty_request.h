/*
 * What is asked of the ledger and what it answers, in and out of Protocol Buffers. Spans point
 * into the arena, which the caller resets before.
 */
#ifndef KITH_LOYALTY_REQUEST_H
#define KITH_LOYALTY_REQUEST_H

#include "common/base/arena.h"
#include "common/service/service.h"
#include "services/loyalty/loyalty_core.h"

struct loyalty_spend_request {
    struct span customer;
    struct span programme; /* empty: the first */
    int64_t points;        /* 1..LIMIT_AMOUNT */
};
struct loyalty_balance_request {
    struct span customer;
    struct span programme;
};
struct loyalty_statement_request {
    struct span customer;
    struct span programme;
    uint64_t after_number;
    uint32_t limit; /* 1..REQUEST_PAGE_MAX */
};
struct loyalty_accounts_request {
    struct span after; /* empty: from the first */
    uint32_t limit;
};

/* All of them: STATUS_MALFORMED with a violation for each faulty field. */
MUST_USE enum status loyalty_spend_decode(struct span body, struct arena *arena,
                                          struct loyalty_spend_request *request,
                                          struct refusal *refusal);
MUST_USE enum status loyalty_reverse_decode(struct span body, struct arena *arena,
                                            uint64_t *posting, struct refusal *refusal);
MUST_USE enum status loyalty_balance_decode(struct span body, struct arena *arena,
                                            struct loyalty_balance_request *request,
                                            struct refusal *refusal);
MUST_USE enum status loyalty_statement_decode(struct span body, struct arena *arena,
                                              struct loyalty_statement_request *request,
                                              struct refusal *refusal);
MUST_USE enum status loyalty_accounts_decode(struct span body, struct arena *arena,
                                             struct loyalty_accounts_request *request,
                                             struct refusal *refusal);

/* ---- replies; each appends to `out`, which has room for a page (asserted) */

/* The posting that a command made, at `seq`. The customer is named unless sealed. */
void loyalty_post_reply_encode(const struct loyalty_posting *posting, uint64_t seq,
                               struct buffer *out);
/* Without positions. */
void loyalty_balance_reply_encode(const struct loyalty_found *found, struct span customer,
                                  struct buffer *out);
void loyalty_balance_positions_append(const struct turn_position *positions, size_t count,
                                      struct buffer *out);

/* A statement is its lines, then its end. */
void loyalty_statement_line_append(const struct loyalty_entry *entry, uint64_t number,
                                   struct buffer *out);
void loyalty_statement_end_append(bool more, struct buffer *out);

/* An account of a page: a customer's or one of the programme's own. */
struct loyalty_account_row {
    const struct loyalty_name *programme;
    const struct customer_id *customer; /* NULL: the programme's own `own` */
    enum loyalty_own_kind own;
    int64_t balance;
    uint64_t postings;
};
void loyalty_account_row_append(const struct loyalty_account_row *row, struct buffer *out);
/* `next` empty: that was all. */
void loyalty_accounts_end_append(struct span next, uint64_t seq, struct buffer *out);

#endif
