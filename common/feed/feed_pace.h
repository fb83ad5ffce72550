/*
 * How a reader that is far behind gives way to the writer. Everything about it competes with
 * what is written: the blocks it is sent, and whoever folds them on the same machine. So while
 * something is written, each such reader gets so many bytes for each that is written, and a
 * little beside it: it comes nearer all the time, and when the writer rests it goes as fast as
 * it can. Who is near the end waits for nothing.
 *
 * Plain numbers, no clock: milliseconds are the caller's monotonic ones.
 */
#ifndef KITH_FEED_FEED_PACE_H
#define KITH_FEED_FEED_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes for each byte that is written, so that whoever reads comes nearer. */
#define FEED_PACE_FACTOR 2
/* Bytes a millisecond beside it: 16 MB/s. */
#define FEED_PACE_BYTES_PER_MS 16384
/* The writer rests when it has written nothing for so long. */
#define FEED_PACE_QUIET_MS 50
/* A reader is near while no more than this was written behind it; beyond twice as much it is
 * far behind for sure. */
#define FEED_PACE_NEAR_BYTES (16 * 1024 * 1024)
/* A reader, or those without a name together, may ask for more than the pace gives: whose time is
 * over is answered in any case. No more than so much of it is waited for later. */
#define FEED_PACE_DEBT_BYTES (4 * 1024 * 1024)

struct feed_pace {
    uint64_t written; /* bytes */
    int64_t written_at_ms;
    uint64_t near_block; /* readers behind this block are near */
    uint64_t next_block; /* the end when next_written was */
    uint64_t next_written;
};

/* What was written before is far behind. */
void feed_pace_init(struct feed_pace *pace, uint64_t written, uint64_t end_block);
/* `written`: bytes so far, which only grow. */
void feed_pace_note(struct feed_pace *pace, uint64_t written, uint64_t end_block, int64_t now_ms);
bool feed_pace_is_near(const struct feed_pace *pace, uint64_t block);
/* When a reader that is not near, and whose mark is `mark`, may be sent more, if nothing is
 * written until then. */
int64_t feed_pace_resume_ms(const struct feed_pace *pace, uint64_t mark);
/* The mark of a reader, at first 0, that is sent so many bytes now. */
uint64_t feed_pace_mark(const struct feed_pace *pace, uint64_t mark, size_t bytes, int64_t now_ms);

#endif
