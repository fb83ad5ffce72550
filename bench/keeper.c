#include "bench/keeper.h"

#include "bench/bench.h"
#include "common/base/field.h"
#include "common/base/limits.h"

#include <assert.h>
#include <string.h>

/* The numbers are those of feed.proto and wire.proto. */
enum { WAIT_POSITIONS = 1, WAIT_TIMEOUT = 2 };
enum { REPLY_END = 1, REPLY_REACHED = 3 };
enum { POSITION_FEED = 1, POSITION_SHARD = 2, POSITION_SEQ = 3 };

#define WAIT_BYTES 512

void keeper_add(struct keeper *keeper, void *context, const char *reader)
{
    const char *equals = strchr(reader, '=');
    size_t size = equals == NULL ? 0 : (size_t)(equals - reader);
    if (size == 0 || size >= sizeof keeper->readers[0].name) {
        bench_fail("a reader is SERVICE=ENDPOINT, not '%s'", reader);
    }
    if (keeper->count == KEEPER_READERS_MAX) {
        bench_fail("at most %d readers", KEEPER_READERS_MAX);
    }
    struct keeper_reader *added = &keeper->readers[keeper->count++];
    memcpy(added->name, reader, size);
    channel_open(&added->channel, context, equals + 1);
}

void keeper_release(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++) {
        channel_close(&keeper->readers[i].channel);
    }
}

static void position_put(struct field_writer *writer, const char *feed, uint64_t seq)
{
    struct span name = span_of_text(feed);
    struct field_writer counted = { .out = NULL };
    field_put_bytes(&counted, POSITION_FEED, name);
    field_put_unsigned(&counted, POSITION_SHARD, 0);
    field_put_unsigned(&counted, POSITION_SEQ, seq);
    field_put_head(writer, WAIT_POSITIONS, counted.size);
    field_put_bytes(writer, POSITION_FEED, name);
    field_put_unsigned(writer, POSITION_SHARD, 0);
    field_put_unsigned(writer, POSITION_SEQ, seq);
}

#define LAPS_KEPT (2 * KEEPER_LAPS_MAX)

/* About ingestion up to the lap's seq, and all other readers up to where they said they were:
 * who does not read one of them is not held up by it. */
static void lap_ask(struct keeper *keeper, struct keeper_reader *reader, uint64_t lap)
{
    uint8_t bytes[WAIT_BYTES];
    struct field_writer writer = { .out = bytes };
    position_put(&writer, "ingestion", keeper->newest[lap % LAPS_KEPT].seq);
    for (size_t i = 0; i < keeper->count; i++) {
        position_put(&writer, keeper->readers[i].name, keeper->readers[i].end);
    }
    field_put_unsigned(&writer, WAIT_TIMEOUT, LIMIT_PARKED_MS);
    assert(writer.size <= sizeof bytes);
    if (!channel_ask(&reader->channel, "feed.Wait", lap, span_of(bytes, writer.size))) {
        bench_fail("%s takes no requests", reader->name);
    }
}

void keeper_lap(struct keeper *keeper, uint64_t seq)
{
    keeper->laps += 1;
    keeper->newest[keeper->laps % LAPS_KEPT] =
        (struct keeper_lap){ .seq = seq, .begun_us = bench_now_us() };
    for (size_t i = 0; i < keeper->count; i++) {
        lap_ask(keeper, &keeper->readers[i], keeper->laps);
    }
}

void keeper_acknowledged(struct keeper *keeper, uint64_t seq)
{
    uint64_t newest_seq = keeper->newest[keeper->laps % LAPS_KEPT].seq;
    if (keeper->count > 0 && seq >= newest_seq + KEEPER_LAP_EVENTS) {
        keeper_lap(keeper, seq);
    }
}

static uint64_t position_seq(struct span position)
{
    uint64_t seq = 0;
    struct field field = { .number = 0 };
    while (field_next(&position, &field) == FIELD_READ) {
        if (field.number == POSITION_SEQ) {
            seq = field.value;
        }
    }
    return seq;
}

static void answer_take(struct keeper *keeper, struct keeper_reader *reader)
{
    struct reply_header reply = channel_reply(&reader->channel);
    if (reply.refusal.status != STATUS_OK) {
        bench_fail("%s refuses to wait: %s", reader->name, reply.refusal.message);
    }
    bool reached = false;
    struct span rest = buffer_span(&reader->channel.body);
    struct field field = { .number = 0 };
    while (field_next(&rest, &field) == FIELD_READ) {
        if (field.number == REPLY_END) {
            reader->end = position_seq(field.bytes);
        } else if (field.number == REPLY_REACHED) {
            reached = field.value != 0;
        }
    }
    if (reached) {
        reader->laps_done += 1;
        return;
    }
    uint64_t lap = reply.request_id;
    if (bench_now_us() - keeper->newest[lap % LAPS_KEPT].begun_us > KEEPER_PATIENCE_US) {
        bench_fail("%s falls behind and does not come back", reader->name);
    }
    lap_ask(keeper, reader, lap);
}

void keeper_take(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++) {
        while (channel_receive(&keeper->readers[i].channel)) {
            answer_take(keeper, &keeper->readers[i]);
        }
    }
}

uint64_t keeper_behind(const struct keeper *keeper)
{
    uint64_t least = keeper->laps;
    for (size_t i = 0; i < keeper->count; i++) {
        if (keeper->readers[i].laps_done < least) {
            least = keeper->readers[i].laps_done;
        }
    }
    return keeper->laps - least;
}
