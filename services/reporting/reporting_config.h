/*
 * Reporting's own keys under services.reporting:
 *
 *   services:
 *     reporting:
 *       attributes: [region, tariff]   # split the daily tables by these; default none
 *
 * An attribute that is named later is counted from then on, and one that is no longer named
 * stays as it was: reporting rebuilt from its feeds has all of either.
 */
#ifndef KITH_REPORTING_CONFIG_H
#define KITH_REPORTING_CONFIG_H

#include "common/config/config.h"
#include "services/reporting/reporting_core.h"

/* Reads and checks the keys; NULL: none. STATUS_MALFORMED: `refusal` says FILE:LINE, what is
 * wrong and how to mend it. */
MUST_USE enum status reporting_config_read(struct yaml_node *own,
                                           struct reporting_attributes *attributes,
                                           struct refusal *refusal);

#endif
