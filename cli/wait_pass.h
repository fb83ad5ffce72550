/*
 * Waiting until everything acknowledged before the call is in what is asked: ingestion's
 * end, then loyalty, segmentation, campaign, loyalty again, reporting, each waiting for all
 * positions answered before. What that pass itself causes later is not waited for.
 */
#ifndef KITH_CLI_WAIT_PASS_H
#define KITH_CLI_WAIT_PASS_H

#include "cli/suite.h"

/* Ends at `service`, which is the one to be asked. Does nothing with --stale. On failure
 * names who lags and by how much, on stderr, and returns EXIT_UNREACHABLE. */
MUST_USE int wait_pass(struct suite *suite, const struct invocation *invocation,
                       const char *service);

/* The newest fact of a feed's shard. STATUS_OK, or the refusal says why not. */
MUST_USE enum status wait_feed_end(struct suite *suite, const char *service, uint32_t shard,
                                   uint64_t *seq, struct refusal *refusal);

#endif
