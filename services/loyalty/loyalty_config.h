/*
 * The programmes of the suite's configuration:
 *
 *   programmes:
 *     - name: bonus
 *       earn:
 *         - event: purchase      # a type of event
 *           points: 1            # default 1: for each
 *           unit_minor: 100      # so many minor units of the amount
 *           rounding: floor      # default floor; half_up, ceiling
 */
#ifndef KITH_LOYALTY_CONFIG_H
#define KITH_LOYALTY_CONFIG_H

#include "common/config/config.h"
#include "services/loyalty/loyalty_core.h"

/* Reads and checks the whole list; NULL is an empty one. STATUS_MALFORMED: `refusal` says
 * FILE:LINE, what is wrong and how to mend it. */
MUST_USE enum status loyalty_config_read(struct yaml_node *programmes, struct loyalty_rules *rules,
                                         struct refusal *refusal);
/* Appends the rules as such a list, one way of writing each: for people who ask what was in
 * force. STATUS_LIMIT: past the buffer's limit. */
MUST_USE enum status loyalty_config_text(const struct loyalty_rules *rules, struct buffer *out);

#endif
