/*
 * Answers that walk the ledger, page by page.
 */
#ifndef KITH_LOYALTY_QUERY_H
#define KITH_LOYALTY_QUERY_H

#include "services/loyalty/loyalty_request.h"

/* Appends a StatementReply: postings of one account after `after_number`, oldest first. */
void loyalty_query_statement(const struct view *view, struct loyalty_account_key account,
                             const struct loyalty_statement_request *request, struct buffer *out);

/* Appends an AccountsReply: the programmes' own accounts, then the customers'. `seq` is the
 * journal's end. A page's key is its table and the key of its last account.
 * STATUS_MALFORMED: `after` is no key of a page. */
MUST_USE enum status loyalty_query_accounts(const struct view *view,
                                            const struct loyalty_accounts_request *request,
                                            uint64_t seq, struct buffer *out,
                                            struct refusal *refusal);

#endif
