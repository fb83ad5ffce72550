/*
 * Waiting until everything acknowledged before the call is in what is asked: ingestion's
 * end, then loyalty, segmentation, campaign, reporting, each waiting for all positions
 * answered before. What that pass itself causes later is not waited for; but of campaign also
 * what it has still to decide, and what its channels have still to answer.
 */
#ifndef KITH_CLI_WAIT_PASS_H
#define KITH_CLI_WAIT_PASS_H

#include "cli/suite.h"

/* Ends at `service`, which is the one to be asked. Does nothing with --stale. On failure
 * names who lags and by how much, on stderr, and returns EXIT_UNREACHABLE. */
MUST_USE int wait_pass(struct suite *suite, const struct invocation *invocation,
                       const char *service);
/* The same, content with what campaign has heard of: for who asks it to decide something. */
MUST_USE int wait_arrival(struct suite *suite, const struct invocation *invocation,
                          const char *service);

/* Asks a question that its service keeps until it knows the answer, as often as need be and
 * for as long as --wait allows; call->timeout_ms is set here. Returns the first reply that
 * `is_final`, or when the time is over the newest. NULL: the refusal tells why. */
const void *wait_answer(struct suite *suite, struct suite_call *call,
                        bool (*is_final)(const void *reply), struct refusal *refusal);

/* The newest fact of a feed's shard. STATUS_OK, or the refusal says why not. */
MUST_USE enum status wait_feed_end(struct suite *suite, const char *service, uint32_t shard,
                                   uint64_t *seq, struct refusal *refusal);

#endif
