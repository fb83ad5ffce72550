/* link: common_feed kith_proto */
/* covers: common/feed/feed_reader.c common/feed/feed_reply.c */
/*
 * Replies to Fetch from any bytes, and from a producer who lies: whatever comes, the reader
 * hands out facts one after the other, each behind the one before, or stands still and says why.
 *
 * Input: options (1 byte) | status of the replies (1) | faults of blocks (3) | size of the first
 * reply's body (2, big-endian) | both bodies.
 */
#include "common/feed/feed_reader.h"
#include "tests/fuzz/block_forger.h"
#include "tests/fuzz/message_maker.h"

#include <assert.h>
#include <stdlib.h>

#define HEAD_BYTES 7
#define ARENA_BYTES ((size_t)16 * 1024 * 1024)
#define EPOCH 77

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* Bits of the options. */
enum {
    OPTION_LISTS = 1,
    OPTION_EVERY_BLOCK = 2,
    OPTION_STOPS = 4,
    OPTION_BY_HAND = 8,
    OPTION_FORGED = 16,
    OPTION_OTHER_EPOCH = 32,
    OPTION_OLD_REQUEST = 64,
    OPTION_FAR = 128, /* the cursor stands near the end of all numbers */
};

static void items_take(struct feed_reader *reader)
{
    struct feed_item item = { .fact = NULL };
    while (feed_reader_item(reader, &item)) {
        const struct feed_cursor *cursor = feed_reader_cursor(reader);
        uint64_t before = cursor->to;
        assert(item.fact == NULL || (item.fact->seq == item.seq && item.seq > before));
        assert(item.fact == NULL || item.fact->type != 0);
        feed_reader_advance(reader);
        assert(cursor->to >= before && cursor->to >= item.seq);
        assert(cursor->block == 0 || cursor->block_seq <= cursor->to);
    }
    const struct feed_progress *progress = feed_reader_progress(reader);
    assert(progress->input_count <= LIMIT_FEEDS);
    for (size_t i = 0; i < progress->input_count; i++) {
        assert(memchr(progress->inputs[i].feed.name, '\0', sizeof progress->inputs[i].feed.name) !=
               NULL);
    }
}

static void reply_give(struct feed_reader *reader, uint8_t options, uint8_t code, struct span body)
{
    struct buffer header;
    struct buffer fetch;
    struct request_header asked = { .request_id = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    buffer_init(&header, LIMIT_HEADER_BYTES);
    buffer_init(&fetch, LIMIT_BODY_BYTES);
    int64_t now_ms = feed_reader_fetch_at(reader);
    if (now_ms < INT64_MAX && feed_reader_fetch(reader, now_ms, 0, &header, &fetch)) {
        enum status status = request_header_decode(buffer_span(&header), &asked, &refusal);
        assert(status == STATUS_OK);
        struct reply_header reply = { .request_id = asked.request_id };
        reply.request_id -= (options & OPTION_OLD_REQUEST) != 0;
        reply.refusal.status = code % 4 != 0 ? STATUS_OK : status_from_code(code / 4 % 17);
        reply_header_encode(&reply, &header);
        feed_reader_reply(reader, now_ms, buffer_span(&header), body);
        items_take(reader);
    }
    buffer_release(&header);
    buffer_release(&fetch);
}

static struct feed_reader *reader_make(uint8_t options, struct forger *forger)
{
    static const uint32_t folded[] = { FACT_EVENT_ACCEPTED, FACT_POINTS_EARNED };
    static const uint32_t ignored[] = { FACT_CLOCK_ADVANCED };
    bool has_lists = (options & OPTION_LISTS) != 0;
    struct feed_reader_options reading = { .feed = { .name = "ingestion" },
                                           .consumer = "fuzz/0",
                                           .partition_last = PARTITION_COUNT / 2,
                                           .types_folded = has_lists ? folded : NULL,
                                           .folded_count = has_lists ? 2 : 0,
                                           .types_ignored = has_lists ? ignored : NULL,
                                           .ignored_count = has_lists ? 1 : 0,
                                           .every_block = (options & OPTION_EVERY_BLOCK) != 0,
                                           .stops = (options & OPTION_STOPS) != 0,
                                           .stop_at = 2 };
    if ((options & OPTION_BY_HAND) != 0) {
        reading.cursor.to = (options & OPTION_FAR) != 0 ? UINT64_MAX : 1;
        reading.cursor.epoch = (options & OPTION_OTHER_EPOCH) != 0 ? EPOCH + 1 : 0;
    } else if ((options & OPTION_FAR) != 0) {
        reading.cursor = (struct feed_cursor){ .epoch = EPOCH,
                                               .to = UINT64_MAX - 4,
                                               .block = UINT64_MAX - 4,
                                               .block_seq = UINT64_MAX - 4 };
        forger->seq = reading.cursor.to;
        forger->block = reading.cursor.block;
    }
    struct feed_reader *reader = NULL;
    feed_reader_open(&reader, &reading);
    return reader;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES) {
        return 0;
    }
    uint8_t options = data[0];
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct forger forger = { .arena = &arena,
                             .epoch = EPOCH,
                             .faults = (uint32_t)data[2] << 16 | be16_get(data + 3) };
    struct span rest = span_of(data + HEAD_BYTES, size - HEAD_BYTES);
    size_t first = be16_get(data + 5) < rest.size ? be16_get(data + 5) : rest.size;
    struct span bodies[2] = { span_of(rest.data, first),
                              span_of(rest.data + first, rest.size - first) };
    struct feed_reader *reader = reader_make(options, &forger);
    for (size_t i = 0; i < 2; i++) {
        struct span body =
            (options & OPTION_FORGED) != 0 ? forger_reply(&forger, bodies[i]) : bodies[i];
        reply_give(reader, options, data[1], body);
    }
    items_take(reader);
    assert(feed_reader_stopped(reader) == NULL || strlen(feed_reader_stopped(reader)) > 0);
    feed_reader_close(&reader);
    arena_release(&arena);
    return 0;
}

/* Now and then an input begins anew as two sound replies. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    if (seed % 2 != 0 || size_max < HEAD_BYTES) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    struct buffer out = { .data = data, .size = HEAD_BYTES, .limit = size_max };
    data[0] = (uint8_t)(seed >> 3 | OPTION_FORGED);
    data[0] &= (uint8_t)(seed % 4 == 0 ? ~(OPTION_OLD_REQUEST | OPTION_OTHER_EPOCH) : 0xff);
    data[1] = (uint8_t)(seed % 32 == 0 ? seed >> 11 : 1);
    memset(data + 2, 0, 3);
    data[2 + seed % 3] = (uint8_t)(seed % 8 == 0 ? seed >> 16 : 0);
    size_t first = message_make(&kith__v1__fetch_reply__descriptor,
                                &kith__v1__public_part__descriptor, seed, &out);
    be16_put(data + 5, (uint16_t)(first > UINT16_MAX ? UINT16_MAX : first));
    (void)message_make(&kith__v1__fetch_reply__descriptor, &kith__v1__public_part__descriptor,
                       seed + 1, &out);
    return out.size;
}
