/*
 * The segments of the suite's configuration:
 *
 *   segments:
 *     - name: silent_gold
 *       rule:                        # one of all, any, not, count, sum, last, attribute
 *         all:
 *           - attribute: tier
 *             equals: gold           # or in: [gold, silver]; whole numbers: at_least and so on
 *           - not:
 *               count: recharge      # the type of event
 *               category: roaming    # optional: only events of this category
 *               over_days: 30        # the window: up to and with now
 *               at_least: 1          # or at_most, more_than, less_than, equals
 *           - sum: purchase
 *             over_days: 90
 *             at_least: "200.00"     # units with two digits behind the point
 *           - last: purchase
 *             within_days: 10        # or older_than_days
 *
 * and, of services.segmentation, history_days: how long events are kept for windows.
 */
#ifndef KITH_SEGMENTATION_CONFIG_H
#define KITH_SEGMENTATION_CONFIG_H

#include "common/config/config.h"
#include "services/segmentation/segmentation_core.h"

#define SEGMENTATION_HISTORY_DAYS_DEFAULT 400

/* Reads and checks both parts; NULL: nothing stands there. Sets `rules->rules` and
 * `rules->history_days`. STATUS_MALFORMED: `refusal` says FILE:LINE, what is wrong and how to
 * mend it, and `rules` is not to be used. */
MUST_USE enum status segmentation_config_read(struct yaml_node *own, struct yaml_node *segments,
                                              struct segmentation_rules *rules,
                                              struct refusal *refusal);
/* Appends a line for each segment, for people who ask what was in force. Lines that find no
 * room are left away, and dots say so. */
void segmentation_config_text(const struct segmentation_rules *rules, struct buffer *out);

#endif
