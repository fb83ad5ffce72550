/*
 * Every bound of the suite, with its reason. docs/protocol.md repeats those that a
 * client meets. A bound that is not tested does not belong here.
 */
#ifndef KITH_BASE_LIMITS_H
#define KITH_BASE_LIMITS_H

#include <stdint.h>

/* Ids from outside: customer, source, event, key, segment, programme. Fits an LMDB key
 * with room, and a person can still read it. */
#define LIMIT_ID_BYTES 64
/* Text of one attribute. */
#define LIMIT_TEXT_BYTES 1024
#define LIMIT_ATTRIBUTES 64
#define LIMIT_EVENT_BYTES (16 * 1024)
/* Items of one batch: a batch of small events stays well under the body's bound. */
#define LIMIT_BATCH_ITEMS 4096
#define LIMIT_BODY_BYTES (1024 * 1024)
#define LIMIT_HEADER_BYTES 4096
/* A message on the wire: a Fetch reply may hold one whole block and its envelope. */
#define LIMIT_MESSAGE_BYTES (2 * 1024 * 1024)

/* A block: one LMDB overflow value, copied once into a message. A block may pass the
 * bound by the last record only, and no record is larger than this. */
#define LIMIT_BLOCK_BYTES (1024 * 1024)
#define LIMIT_RECORD_BYTES (64 * 1024)
/* One turn of a service: what waits is taken up to here, then synced. */
#define LIMIT_TURN_REQUESTS 64
#define LIMIT_TURN_BYTES (8 * 1024 * 1024)
#define LIMIT_TURN_TICK_FACTS 1000
/* Requests of one connection that are not answered yet. */
#define LIMIT_IN_FLIGHT 32
/* Fetches and Waits that a service keeps until there is something to send. */
#define LIMIT_PARKED 4096
/* The longest that one of them is kept, and of the questions below: who asked may be gone, and
 * the place is another's. */
#define LIMIT_PARKED_MS 30000
/* Questions that a service keeps until their answer is known, by number and by size of one. */
#define LIMIT_PARKED_QUESTIONS 1024
#define LIMIT_PARKED_BODY_BYTES 256
/* Blocks that a consumer holds until it may fold them, by bytes. */
#define LIMIT_CONSUMER_BUFFER_BYTES (8 * 1024 * 1024)
/* Producer shards that one service reads. */
#define LIMIT_FEEDS 64
#define LIMIT_SHARDS 64

/* Keys of requests are kept this long by the sender's issued_at; older is refused. */
#define LIMIT_REQUEST_AGE_MS (INT64_C(7) * 24 * 3600 * 1000)
/* An event may be dated this far ahead of the wall clock; further is quarantined. */
#define LIMIT_FUTURE_MS (INT64_C(5) * 60 * 1000)

/* Points and minor units; sums of 10^3 of them still fit 63 bits. */
#define LIMIT_AMOUNT INT64_C(1000000000000000)
/* 0001-01-01 and 9999-12-31T23:59:59.999Z: what RFC 3339 can write. */
#define LIMIT_TIME_LEAST_MS INT64_C(-62135596800000)
#define LIMIT_TIME_MOST_MS INT64_C(253402300799999)

/* Virtual partitions of customers, fixed for ever: the first 10 bits of the id. */
#define PARTITION_COUNT 1024

/* One transaction of a checkpoint: 5,000 records are 8 to 66 ms at worst. */
#define LIMIT_CHECKPOINT_RECORDS 5000
/* Records of the state: larger ones would go to LMDB's overflow pages. */
#define LIMIT_STATE_KEY_BYTES 96
#define LIMIT_STATE_SUBJECT_BYTES 16 /* whom a record of a clustered table is about */
#define LIMIT_STATE_VALUE_BYTES 1900

/* Sorted runs of permanent tables, live ones and those being written: four of a level become
 * one, so this is enough for twelve levels, and their list fits one record. */
#define LIMIT_STATE_RUNS 48

/* Below this a disk is tight: turns and the pieces of checkpoints get small, so that little
 * room ahead of each store is enough. Five services' largest turns fit above it. */
#define LIMIT_DISK_TIGHT_BYTES (UINT64_C(256) * 1024 * 1024)

#endif
