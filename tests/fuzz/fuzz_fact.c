/* link: kith_parts */
/* covers: cli/fact_json.c cli/event_json.c cli/batch.c cli/load_row.c */
/*
 * What the command line makes of any answer: a fact of any type as JSON that can be read again,
 * a reply to a batch, counted only if it tells of every row.
 *
 * Input: type of the fact, or 255 for a reply (1 byte) | options (1) | body.
 */
#include "cli/batch.h"
#include "cli/fact_json.h"
#include "common/base/limits.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"
#include "tests/fuzz/message_maker.h"

#include <assert.h>
#include <stdlib.h>

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)
#define ROWS 3
#define HEAD_BYTES 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

static void fact_try(uint8_t type, uint8_t options, struct span body, struct arena *arena)
{
    struct feed_name feed = { .name = "ingestion" };
    struct span subject = span_of(body.data, body.size < LIMIT_ID_BYTES ? body.size : 3);
    struct fact fact = { .seq = 1,
                         .type = type,
                         .version = 1U + options / 128U,
                         .recorded_at_ms = (int64_t)((uint64_t)options << (options % 64)),
                         .has_customer = (options & 1) != 0,
                         .subject = { .key_id = (options & 2) != 0, .bytes = subject },
                         .body = body };
    json_t *json = fact_json(&feed, &fact, arena);
    assert(json != NULL);
    char *text = json_dumps(json, JSON_COMPACT);
    assert(text != NULL);
    json_t *again = json_loads(text, JSON_ALLOW_NUL, NULL);
    assert(again != NULL && json_is_integer(json_object_get(again, "seq")));
    json_decref(again);
    free(text);
    json_decref(json);
}

static enum status invalid_visit(void *argument, const struct batch_invalid *invalid)
{
    size_t *count = argument;
    assert(invalid->row < ROWS && text_is_clean(span_of_text(invalid->reason)));
    *count += 1;
    return STATUS_OK;
}

static void reply_try(struct span body, struct arena *arena)
{
    size_t invalid = 0;
    struct run_counts counts = { .rows = 0 };
    struct batch_reading reading = {
        .row_count = ROWS, .arena = arena, .visit = invalid_visit, .argument = &invalid
    };
    enum status status = batch_reply_read(&reading, body, &counts);
    assert(status == STATUS_OK || status == STATUS_MALFORMED);
    if (status == STATUS_OK) {
        assert(counts.accepted + counts.duplicate + counts.rejected + invalid == ROWS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES) {
        return 0;
    }
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct span body = span_of(data + HEAD_BYTES, size - HEAD_BYTES);
    if (data[0] == UINT8_MAX) {
        reply_try(body, &arena);
    } else {
        fact_try(data[0], data[1], body, &arena);
    }
    arena_release(&arena);
    return 0;
}

struct body_kind {
    uint8_t type;
    const ProtobufCMessageDescriptor *message;
};

/* Now and then an input begins anew as a sound body of its type. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    static const struct body_kind kinds[] = {
        { FACT_EVENT_ACCEPTED, &kith__v1__event_accepted__descriptor },
        { FACT_EVENT_QUARANTINED, &kith__v1__event_quarantined__descriptor },
        { FACT_QUARANTINE_CLOSED, &kith__v1__quarantine_closed__descriptor },
        { FACT_CLOCK_ADVANCED, &kith__v1__clock_advanced__descriptor },
        { FACT_POINTS_EARNED, &kith__v1__points_posted__descriptor },
        { FACT_POINTS_REVERSED, &kith__v1__points_posted__descriptor },
        { FACT_SEGMENT_ENTERED, &kith__v1__segment_entered__descriptor },
        { FACT_SEGMENT_EXITED, &kith__v1__segment_exited__descriptor },
        { FACT_DISPATCH_INTENDED, &kith__v1__dispatch__descriptor },
        { FACT_DISPATCH_SUPPRESSED, &kith__v1__dispatch__descriptor },
        { FACT_RULES_CHANGED, &kith__v1__rules_changed__descriptor },
        { FACT_CONSUMER_ACCEPTED, &kith__v1__consumer_accepted__descriptor },
        { UINT8_MAX, &kith__v1__ingest_reply__descriptor },
    };
    if (seed % 3 != 0 || size_max < HEAD_BYTES) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    const struct body_kind *kind = &kinds[seed / 3 % (sizeof kinds / sizeof kinds[0])];
    struct buffer out = { .data = data, .size = HEAD_BYTES, .limit = size_max };
    data[0] = kind->type;
    data[1] = (uint8_t)(seed >> 8);
    (void)message_make(kind->message, &kith__v1__attribute__descriptor, seed, &out);
    return out.size;
}
