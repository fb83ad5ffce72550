/*
 * Answers from the tables of reporting.
 */
#ifndef KITH_REPORTING_QUERY_H
#define KITH_REPORTING_QUERY_H

#include "services/reporting/reporting_codec.h"

/* Appends a TotalsReply. */
void reporting_query_totals(const struct view *view, const struct reporting_positions *positions,
                            struct buffer *out);

/* Appends a DailyReply: a page of one split's rows, ascending by (day, value). A page's key
 * is the key of its last row.
 *   STATUS_NOT_FOUND  `by` is no attribute that was ever split by
 *   STATUS_MALFORMED  `after` is no key of a page of this split */
MUST_USE enum status reporting_query_daily(const struct view *view,
                                           const struct reporting_daily_request *request,
                                           const struct reporting_positions *positions,
                                           struct buffer *out, struct refusal *refusal);

#endif
