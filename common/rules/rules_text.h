/*
 * Rules and the figures they are compared with, as people read them:
 *
 *   sum(purchase) over 90 days >= 200.00
 *   count(usage, category roaming) over 30 days < 5
 *   last(purchase) within 10 days
 *   tier = gold        region in (north, south)
 *   all(tier = gold, not(count(recharge) over 30 days >= 1))
 */
#ifndef KITH_RULES_RULES_TEXT_H
#define KITH_RULES_RULES_TEXT_H

#include "common/rules/rules.h"

/* All of them append to `out`; STATUS_LIMIT: past its limit, and what was written so far
 * stays. */

/* The clause at `node`. */
MUST_USE enum status rules_clause_text(const struct rules *rules, size_t node, struct buffer *out);
/* The whole rule of a segment, without its name. */
MUST_USE enum status rules_segment_text(const struct rules *rules, size_t segment,
                                        struct buffer *out);
/* What the clause at `node` is compared with: "213.45", "3", "1998-06-28T00:00:00Z", "gold";
 * "unknown" where nothing is known. */
MUST_USE enum status rules_value_text(const struct rules *rules, size_t node,
                                      const struct rules_values *values, struct buffer *out);

#define RULES_SUM_TEXT_BYTES 48
/* Minor units with two digits behind the point. */
void rules_sum_format(rules_sum sum, char out[RULES_SUM_TEXT_BYTES]);

#endif
