#include "common/feed/feed_pace.h"

/* A mark is a number of bytes on the scale FACTOR * written + BYTES_PER_MS * time: whoever is
 * behind the scale may go on. */

void feed_pace_init(struct feed_pace *pace, uint64_t written, uint64_t end_block)
{
    *pace = (struct feed_pace){
        .written = written,
        .written_at_ms = INT64_MIN / 2,
        .near_block = end_block,
        .next_block = end_block,
        .next_written = written,
    };
}

void feed_pace_note(struct feed_pace *pace, uint64_t written, uint64_t end_block, int64_t now_ms)
{
    if (written == pace->written) {
        return;
    }
    pace->written = written;
    pace->written_at_ms = now_ms;
    if (written - pace->next_written >= FEED_PACE_NEAR_BYTES) {
        pace->near_block = pace->next_block;
        pace->next_block = end_block;
        pace->next_written = written;
    }
}

bool feed_pace_is_near(const struct feed_pace *pace, uint64_t block)
{
    return block >= pace->near_block;
}

int64_t feed_pace_resume_ms(const struct feed_pace *pace, uint64_t mark)
{
    int64_t quiet_at_ms = pace->written_at_ms + FEED_PACE_QUIET_MS;
    uint64_t granted = FEED_PACE_FACTOR * pace->written;
    uint64_t lacking = mark > granted ? mark - granted : 0;
    int64_t granted_at_ms =
        (int64_t)((lacking + FEED_PACE_BYTES_PER_MS - 1) / FEED_PACE_BYTES_PER_MS);
    return granted_at_ms < quiet_at_ms ? granted_at_ms : quiet_at_ms;
}

uint64_t feed_pace_mark(const struct feed_pace *pace, uint64_t mark, size_t bytes, int64_t now_ms)
{
    uint64_t scale = FEED_PACE_FACTOR * pace->written + FEED_PACE_BYTES_PER_MS * (uint64_t)now_ms;
    uint64_t next = (mark > scale ? mark : scale) + bytes;
    return next < scale + FEED_PACE_DEBT_BYTES ? next : scale + FEED_PACE_DEBT_BYTES;
}
