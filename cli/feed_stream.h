/*
 * The facts of one shard of a feed, one by one, checked as every reader checks them.
 */
#ifndef KITH_CLI_FEED_STREAM_H
#define KITH_CLI_FEED_STREAM_H

#include "cli/suite.h"
#include "common/base/fact.h"

struct feed_stream;

struct feed_stream_options {
    const char *service;
    uint32_t shard;
    uint64_t after; /* the first fact is the one after this seq */
};

/* The suite outlives the stream. */
MUST_USE enum status feed_stream_open(struct feed_stream **stream, struct suite *suite,
                                      const struct feed_stream_options *options,
                                      struct refusal *refusal);
void feed_stream_close(struct feed_stream **stream);

/* The next fact, which lives until the next call.
 *   STATUS_TIMEOUT      none came within timeout_ms, and the producer answers; <0: for ever
 *   STATUS_UNREACHABLE  the producer did not answer at all in that time
 *   STATUS_CORRUPT      the feed stands still, the sentence says why */
MUST_USE enum status feed_stream_next(struct feed_stream *stream, int64_t timeout_ms,
                                      const struct fact **fact, struct refusal *refusal);

#endif
