#include "cli/order.h"

#include "cli/input_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Before each payload in the file: time (8), size (4). */
#define HEAD_BYTES 12
/* What a cursor holds of its piece: the largest record fits twice. */
#define CURSOR_BYTES (2 * (HEAD_BYTES + ORDER_PAYLOAD_BYTES))
#define OUT_BYTES (1024 * 1024)

/* A payload in memory. */
struct entry {
    int64_t at_ms;
    size_t offset; /* in the pool; of equal times the order in which they came */
    size_t size;
};

/* A sorted piece of the file. */
struct piece {
    uint64_t offset;
    uint64_t size;
};

/* Where a piece is read. */
struct cursor {
    uint64_t offset; /* of what is not in `data` yet */
    uint64_t left;
    uint8_t *data; /* CURSOR_BYTES */
    size_t begin;
    size_t end;
    bool has_head; /* the next record is in `data` as a whole */
    int64_t at_ms;
    size_t size;
};

struct merge {
    int descriptor;
    size_t count;
    struct cursor cursors[ORDER_FAN_IN];
};

/* A file while it is written. */
struct output {
    int descriptor;
    uint64_t offset; /* behind all that was put */
    struct buffer bytes;
};

struct order {
    const char *folder;
    size_t memory_bytes;
    struct buffer pool;
    struct entry *entries;
    size_t entry_count;
    size_t entry_room;
    struct output file; /* descriptor -1: all fits into memory */
    struct piece *pieces;
    size_t piece_count;
    size_t next_entry; /* reading from memory */
    struct merge merge;
    struct cursor *taken; /* whose record was handed out */
};

/* ---- writing */

static enum status output_flush(struct output *output, struct refusal *refusal)
{
    enum status status = input_write(output->descriptor, buffer_span(&output->bytes), refusal);
    buffer_clear(&output->bytes);
    return status;
}

static enum status output_put(struct output *output, int64_t at_ms, struct span payload,
                              struct refusal *refusal)
{
    if (output->bytes.size + HEAD_BYTES + payload.size > output->bytes.limit) {
        enum status status = output_flush(output, refusal);
        if (status != STATUS_OK) {
            return status;
        }
    }
    uint8_t head[HEAD_BYTES];
    be_time_put(head, at_ms);
    be32_put(head + 8, (uint32_t)payload.size);
    enum status status = buffer_append(&output->bytes, span_of(head, sizeof head));
    assert(status == STATUS_OK);
    status = buffer_append(&output->bytes, payload);
    assert(status == STATUS_OK);
    output->offset += HEAD_BYTES + payload.size;
    return STATUS_OK;
}

static enum status output_open(struct output *output, const char *folder, struct refusal *refusal)
{
    output->offset = 0;
    return input_nameless_open(folder, &output->descriptor, refusal);
}

static void output_close(struct output *output)
{
    if (output->descriptor >= 0) {
        (void)close(output->descriptor); /* nobody needs it any more */
    }
    output->descriptor = -1;
}

/* ---- filling */

static int entry_compare(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    if (a->at_ms != b->at_ms) {
        return a->at_ms < b->at_ms ? -1 : 1;
    }
    return a->offset < b->offset ? -1 : 1; /* no two are at one place */
}

static void entries_sort(struct order *order)
{
    if (order->entry_count > 0) {
        qsort(order->entries, order->entry_count, sizeof *order->entries, entry_compare);
    }
}

static struct span entry_payload(const struct order *order, const struct entry *entry)
{
    return span_of(order->pool.data + entry->offset, entry->size);
}

static void piece_add(struct order *order, struct piece piece)
{
    order->pieces = memory_resize(order->pieces, (order->piece_count + 1) * sizeof *order->pieces);
    order->pieces[order->piece_count++] = piece;
}

/* What is in memory becomes a piece of the file. */
static enum status piece_write(struct order *order, struct refusal *refusal)
{
    enum status status = STATUS_OK;
    if (order->file.descriptor < 0) {
        status = output_open(&order->file, order->folder, refusal);
    }
    struct piece piece = { .offset = order->file.offset };
    entries_sort(order);
    for (size_t i = 0; i < order->entry_count && status == STATUS_OK; i++) {
        status = output_put(&order->file, order->entries[i].at_ms,
                            entry_payload(order, &order->entries[i]), refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    piece.size = order->file.offset - piece.offset;
    piece_add(order, piece);
    order->entry_count = 0;
    buffer_clear(&order->pool);
    return STATUS_OK;
}

static bool memory_is_full(const struct order *order, size_t size)
{
    size_t used = order->pool.size + order->entry_count * sizeof *order->entries;
    return order->entry_count > 0 && used + size + sizeof *order->entries > order->memory_bytes;
}

enum status order_add(struct order *order, int64_t at_ms, struct span payload,
                      struct refusal *refusal)
{
    assert(payload.size <= ORDER_PAYLOAD_BYTES);
    if (memory_is_full(order, payload.size)) {
        enum status status = piece_write(order, refusal);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (order->entry_count == order->entry_room) {
        order->entry_room = order->entry_room == 0 ? 1024 : 2 * order->entry_room;
        order->entries = memory_resize(order->entries, order->entry_room * sizeof *order->entries);
    }
    order->entries[order->entry_count++] =
        (struct entry){ .at_ms = at_ms, .offset = order->pool.size, .size = payload.size };
    enum status status = buffer_append(&order->pool, payload);
    assert(status == STATUS_OK);
    return STATUS_OK;
}

/* ---- merging */

static enum status cursor_fill(struct cursor *cursor, int descriptor, struct refusal *refusal)
{
    size_t held = cursor->end - cursor->begin;
    memmove(cursor->data, cursor->data + cursor->begin, held);
    cursor->begin = 0;
    cursor->end = held;
    size_t wanted = cursor->left < CURSOR_BYTES - held ? (size_t)cursor->left : CURSOR_BYTES - held;
    size_t size = wanted;
    enum status status =
        input_read_at(descriptor, cursor->offset, cursor->data + held, &size, refusal);
    if (status != STATUS_OK || size < wanted) {
        return refusal_set(refusal, STATUS_INTERNAL, "a temporary file cannot be read back");
    }
    cursor->offset += size;
    cursor->left -= size;
    cursor->end += size;
    return STATUS_OK;
}

/* Makes the record at the cursor its head. */
static enum status cursor_look(struct cursor *cursor, int descriptor, struct refusal *refusal)
{
    size_t held = cursor->end - cursor->begin;
    if (held < HEAD_BYTES + ORDER_PAYLOAD_BYTES && cursor->left > 0) {
        enum status status = cursor_fill(cursor, descriptor, refusal);
        if (status != STATUS_OK) {
            return status;
        }
        held = cursor->end;
    }
    cursor->has_head = held > 0;
    if (cursor->has_head) {
        const uint8_t *head = cursor->data + cursor->begin;
        assert(held >= HEAD_BYTES);
        cursor->at_ms = be_time_get(head);
        cursor->size = be32_get(head + 8);
        assert(held >= HEAD_BYTES + cursor->size);
    }
    return STATUS_OK;
}

static enum status cursor_advance(struct cursor *cursor, int descriptor, struct refusal *refusal)
{
    cursor->begin += HEAD_BYTES + cursor->size;
    return cursor_look(cursor, descriptor, refusal);
}

static struct span cursor_payload(const struct cursor *cursor)
{
    return span_of(cursor->data + cursor->begin + HEAD_BYTES, cursor->size);
}

/* Begins to read pieces that lie side by side. */
static enum status merge_begin(struct merge *merge, int descriptor, const struct piece *pieces,
                               size_t count, struct refusal *refusal)
{
    assert(count <= ORDER_FAN_IN);
    merge->descriptor = descriptor;
    merge->count = count;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        uint8_t *data = merge->cursors[i].data;
        merge->cursors[i] =
            (struct cursor){ .offset = pieces[i].offset,
                             .left = pieces[i].size,
                             .data = data != NULL ? data : memory_allocate(CURSOR_BYTES) };
        status = cursor_look(&merge->cursors[i], descriptor, refusal);
    }
    return status;
}

/* The cursor of the least time, of equal ones the first piece's; NULL: all are read. */
static struct cursor *merge_least(struct merge *merge)
{
    struct cursor *least = NULL;
    for (size_t i = 0; i < merge->count; i++) {
        struct cursor *cursor = &merge->cursors[i];
        if (cursor->has_head && (least == NULL || cursor->at_ms < least->at_ms)) {
            least = cursor;
        }
    }
    return least;
}

/* Merges neighbours to one piece of another file. */
static enum status pieces_merge(struct order *order, const struct piece *pieces, size_t count,
                                struct output *output, struct refusal *refusal)
{
    enum status status = merge_begin(&order->merge, order->file.descriptor, pieces, count, refusal);
    struct cursor *least = NULL;
    while (status == STATUS_OK && (least = merge_least(&order->merge)) != NULL) {
        status = output_put(output, least->at_ms, cursor_payload(least), refusal);
        if (status == STATUS_OK) {
            status = cursor_advance(least, order->merge.descriptor, refusal);
        }
    }
    return status;
}

/* One pass over all pieces: each group of neighbours becomes one. */
static enum status pass_run(struct order *order, struct refusal *refusal)
{
    struct output output = { .descriptor = -1 };
    buffer_init(&output.bytes, OUT_BYTES);
    enum status status = output_open(&output, order->folder, refusal);
    size_t made = 0;
    for (size_t i = 0; i < order->piece_count && status == STATUS_OK; i += ORDER_FAN_IN) {
        size_t left = order->piece_count - i;
        struct piece piece = { .offset = output.offset };
        status = pieces_merge(order, &order->pieces[i], left < ORDER_FAN_IN ? left : ORDER_FAN_IN,
                              &output, refusal);
        piece.size = output.offset - piece.offset;
        order->pieces[made++] = piece; /* never past those that are read */
    }
    if (status == STATUS_OK) {
        status = output_flush(&output, refusal);
    }
    if (status != STATUS_OK) {
        output_close(&output);
        buffer_release(&output.bytes);
        return status;
    }
    order->piece_count = made;
    output_close(&order->file);
    buffer_release(&order->file.bytes);
    order->file = output;
    return STATUS_OK;
}

enum status order_finish(struct order *order, struct refusal *refusal)
{
    if (order->piece_count == 0) {
        entries_sort(order);
        return STATUS_OK;
    }
    enum status status = piece_write(order, refusal);
    if (status == STATUS_OK) {
        status = output_flush(&order->file, refusal);
    }
    /* From here on memory belongs to the merge. */
    buffer_release(&order->pool);
    while (status == STATUS_OK && order->piece_count > ORDER_FAN_IN) {
        status = pass_run(order, refusal);
    }
    return status == STATUS_OK ? merge_begin(&order->merge, order->file.descriptor, order->pieces,
                                             order->piece_count, refusal)
                               : status;
}

/* ---- reading */

static enum row_step memory_next(struct order *order, struct span *payload)
{
    if (order->next_entry == order->entry_count) {
        return ROW_END;
    }
    *payload = entry_payload(order, &order->entries[order->next_entry++]);
    return ROW_READ;
}

enum row_step order_next(struct order *order, struct span *payload, struct refusal *refusal)
{
    if (order->piece_count == 0) {
        return memory_next(order, payload);
    }
    if (order->taken != NULL &&
        cursor_advance(order->taken, order->merge.descriptor, refusal) != STATUS_OK) {
        return ROW_BROKEN;
    }
    order->taken = merge_least(&order->merge);
    if (order->taken == NULL) {
        return ROW_END;
    }
    *payload = cursor_payload(order->taken);
    return ROW_READ;
}

/* ---- opening and closing */

void order_open(struct order **order, const char *folder, size_t memory_bytes)
{
    assert(*order == NULL);
    struct order *opened = memory_allocate(sizeof *opened);
    opened->folder = folder;
    opened->memory_bytes = memory_bytes;
    opened->file.descriptor = -1;
    buffer_init(&opened->pool, memory_bytes + ORDER_PAYLOAD_BYTES);
    buffer_init(&opened->file.bytes, OUT_BYTES);
    *order = opened;
}

void order_close(struct order **order)
{
    struct order *closing = *order;
    if (closing == NULL) {
        return;
    }
    *order = NULL;
    for (size_t i = 0; i < ORDER_FAN_IN; i++) {
        free(closing->merge.cursors[i].data);
    }
    output_close(&closing->file);
    buffer_release(&closing->file.bytes);
    buffer_release(&closing->pool);
    free(closing->entries);
    free(closing->pieces);
    free(closing);
}
