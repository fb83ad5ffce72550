#include "cli/load_row.h"

#include "common/base/field.h"

#include <assert.h>

/* The numbers are those of proto/kith/v1/ingestion.proto. */
enum { ITEM_EVENT = 1, ITEM_RAW = 2 };
enum { RAW_SOURCE = 1, RAW_ID, RAW_BYTES, RAW_REASON };

/* Sizes of item, id and content before a packed row. */
#define PACK_HEAD_BYTES 12

void load_item_event(struct span event, struct buffer *out)
{
    enum status status = buffer_reserve(out, LOAD_ITEM_BYTES);
    assert(status == STATUS_OK && event.size <= LIMIT_EVENT_BYTES);
    struct field_writer writer = { .out = out->data + out->size };
    field_put_bytes(&writer, ITEM_EVENT, event);
    out->size += writer.size;
}

static void raw_write(struct field_writer *writer, const struct load_raw *raw)
{
    field_put_bytes(writer, RAW_SOURCE, raw->source);
    if (raw->id.size > 0) {
        field_put_bytes(writer, RAW_ID, raw->id);
    }
    field_put_bytes(writer, RAW_BYTES, raw->bytes);
    field_put_bytes(writer, RAW_REASON, raw->reason);
}

void load_item_raw(const struct load_raw *raw, struct buffer *out)
{
    struct field_writer counter = { .out = NULL };
    raw_write(&counter, raw);
    enum status status = buffer_reserve(out, LOAD_ITEM_BYTES);
    assert(status == STATUS_OK && counter.size + 8 <= LOAD_ITEM_BYTES);
    struct field_writer writer = { .out = out->data + out->size };
    field_put_head(&writer, ITEM_RAW, counter.size);
    raw_write(&writer, raw);
    out->size += writer.size;
}

static void part_append(struct buffer *out, struct span part)
{
    enum status status = buffer_append(out, part);
    assert(status == STATUS_OK); /* room was made */
}

enum status load_row_pack(const struct load_row *row, struct buffer *out)
{
    uint8_t head[PACK_HEAD_BYTES];
    be32_put(head, (uint32_t)row->item.size);
    be32_put(head + 4, (uint32_t)row->id.size);
    be32_put(head + 8, (uint32_t)row->content.size);
    enum status status =
        buffer_reserve(out, sizeof head + row->item.size + row->id.size + row->content.size);
    if (status != STATUS_OK) {
        return status;
    }
    part_append(out, span_of(head, sizeof head));
    part_append(out, row->item);
    part_append(out, row->id);
    part_append(out, row->content);
    return STATUS_OK;
}

static struct span part_take(struct span *rest, size_t size)
{
    assert(size <= rest->size);
    struct span part = span_of(rest->data, size);
    *rest = span_of(rest->data + size, rest->size - size);
    return part;
}

struct load_row load_row_take(struct span *rest)
{
    struct span head = part_take(rest, PACK_HEAD_BYTES);
    struct load_row row = { .item = { NULL, 0 } };
    row.item = part_take(rest, be32_get(head.data));
    row.id = part_take(rest, be32_get(head.data + 4));
    row.content = part_take(rest, be32_get(head.data + 8));
    return row;
}
