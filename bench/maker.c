#include "bench/maker.h"

#include "bench/bench.h"
#include "common/base/field.h"
#include "common/event/event_codec.h"

#include <assert.h>
#include <string.h>

/* The numbers are those of ingestion.proto and loyalty.proto. */
enum { REQUEST_ITEMS = 1, ITEM_EVENT = 1 };
enum { POSTING_KIND = 1, POSTING_CUSTOMER = 2, POSTING_POINTS = 4 };
enum { KIND_SPEND = 1, KIND_GRANT = 2 };
enum { SPEND_CUSTOMER = 1, SPEND_POINTS = 3 };

#define CUSTOMER_DIGITS 8
#define ID_DIGITS 12
/* A posting's fields and their heads. */
#define POSTING_BYTES 64

struct text {
    size_t size;
    char bytes[MAKER_RUN_BYTES + ID_DIGITS];
};

void maker_init(struct maker *maker)
{
    buffer_init(&maker->event, LIMIT_EVENT_BYTES);
    maker->random = UINT64_C(0x9e3779b97f4a7c15);
}

void maker_release(struct maker *maker)
{
    buffer_release(&maker->event);
}

const char *maker_method(const struct maker *maker)
{
    switch (maker->kind) {
    case MAKER_INGEST:
        return "ingestion.Ingest";
    case MAKER_POST:
        return "loyalty.Post";
    case MAKER_SPEND:
        return "loyalty.Spend";
    }
    assert(false);
    return "";
}

/* xorshift64*: cheap, and good enough to choose customers. */
static uint64_t draw(struct maker *maker)
{
    uint64_t x = maker->random;
    x ^= x >> 12U;
    x ^= x << 25U;
    x ^= x >> 27U;
    maker->random = x;
    return (x * UINT64_C(0x2545f4914f6cdd1d)) >> 16U;
}

/* By hand: printf would take longer than all the rest of an event. */
static void digits_put(struct text *text, uint64_t number, size_t digits)
{
    uint64_t left = number;
    for (size_t i = digits; i > 0; i--) {
        text->bytes[text->size + i - 1] = (char)('0' + left % 10);
        left /= 10;
    }
    text->size += digits;
}

static struct text customer_of(struct maker *maker)
{
    struct text text = { .size = 1, .bytes = "c" };
    uint64_t number = maker->sequential ? maker->made : draw(maker);
    digits_put(&text, number % maker->customers, CUSTOMER_DIGITS);
    return text;
}

static struct span text_span(const struct text *text)
{
    return span_of(text->bytes, text->size);
}

static void append(struct buffer *out, struct span bytes)
{
    if (buffer_append(out, bytes) != STATUS_OK) {
        bench_fail("a body of more than 1 MiB; make smaller batches");
    }
}

/* ---- events */

static int64_t amount_of(struct maker *maker)
{
    if (maker->sequential) {
        return 100000;
    }
    return maker->made % 50 == 49 ? 60000 : 100 + (int64_t)(draw(maker) % 8901);
}

static void event_append(struct maker *maker, int64_t wall_ms, struct buffer *body)
{
    static const char *const channels[] = { "shop", "web", "app" };
    struct text customer = customer_of(maker);
    struct text id = { .size = strlen(maker->run) };
    memcpy(id.bytes, maker->run, id.size);
    digits_put(&id, maker->made, ID_DIGITS);
    struct attribute channel = {
        .name = span_of_text("channel"),
        .kind = ATTRIBUTE_TEXT,
        .text = span_of_text(channels[maker->made % 3]),
    };
    struct event event = {
        .source = span_of_text("bench"),
        .id = text_span(&id),
        .type = span_of_text(EVENT_PURCHASE),
        .customer = text_span(&customer),
        .occurred_at_ms = wall_ms,
        .schema_version = 1,
        .has_amount = true,
        .amount = { amount_of(maker), "USD" },
        .attribute_count = 1,
        .attributes = &channel,
    };
    buffer_clear(&maker->event);
    enum status status = event_encode(&event, &maker->event);
    assert(status == STATUS_OK);
    uint8_t heads[16];
    struct field_writer item = { .out = NULL };
    field_put_head(&item, ITEM_EVENT, maker->event.size);
    struct field_writer writer = { .out = heads };
    field_put_head(&writer, REQUEST_ITEMS, item.size + maker->event.size);
    field_put_head(&writer, ITEM_EVENT, maker->event.size);
    append(body, span_of(heads, writer.size));
    append(body, buffer_span(&maker->event));
}

/* ---- postings */

static void posting_append(struct maker *maker, struct buffer *body)
{
    struct text customer = customer_of(maker);
    uint8_t fields[POSTING_BYTES];
    struct field_writer posting = { .out = fields };
    field_put_unsigned(&posting, POSTING_KIND, maker->made % 2 == 0 ? KIND_GRANT : KIND_SPEND);
    field_put_bytes(&posting, POSTING_CUSTOMER, text_span(&customer));
    field_put_signed(&posting, POSTING_POINTS, 1);
    uint8_t head[16];
    struct field_writer writer = { .out = head };
    field_put_head(&writer, REQUEST_ITEMS, posting.size);
    append(body, span_of(head, writer.size));
    append(body, span_of(fields, posting.size));
}

static void spend_append(struct maker *maker, struct buffer *body)
{
    struct text customer = customer_of(maker);
    uint8_t fields[POSTING_BYTES];
    struct field_writer writer = { .out = fields };
    field_put_bytes(&writer, SPEND_CUSTOMER, text_span(&customer));
    field_put_signed(&writer, SPEND_POINTS, 1);
    append(body, span_of(fields, writer.size));
}

void maker_next(struct maker *maker, int64_t wall_ms, struct buffer *body)
{
    buffer_clear(body);
    for (uint32_t i = 0; i < maker->batch; i++) {
        switch (maker->kind) {
        case MAKER_INGEST:
            event_append(maker, wall_ms, body);
            break;
        case MAKER_POST:
            posting_append(maker, body);
            break;
        case MAKER_SPEND:
            spend_append(maker, body);
            break;
        }
        maker->made += 1;
    }
}
