#include "services/ingestion/ingestion_known.h"

#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct ingestion_known_line) == INGESTION_KNOWN_LINE_BYTES,
              "the ids of a line fill it");

/* An id is a hash: any of its bytes choose as well as others. The first do not, since of a shard's
 * customers all have much the same. */
#define LINE_OFFSET 8
#define PLACE_OFFSET 7

static const struct customer_id nobody = { { 0 } };

static struct ingestion_known_line *line_of(const struct ingestion_known *known,
                                            struct customer_id customer)
{
    return &known->lines[be64_get(customer.bytes + LINE_OFFSET) & (known->line_count - 1)];
}

static bool line_has(const struct ingestion_known_line *line, struct customer_id customer)
{
    for (size_t i = 0; i < INGESTION_KNOWN_LINE_IDS; i++) {
        if (customer_id_equal(line->ids[i], customer)) {
            return true;
        }
    }
    return false;
}

/* The first free place; a line without one gives up an id. */
static struct customer_id *place_take(struct ingestion_known *known,
                                      struct ingestion_known_line *line,
                                      struct customer_id customer)
{
    for (size_t i = 0; i < INGESTION_KNOWN_LINE_IDS; i++) {
        if (customer_id_equal(line->ids[i], nobody)) {
            known->id_count += 1;
            return &line->ids[i];
        }
    }
    return &line->ids[customer.bytes[PLACE_OFFSET] % INGESTION_KNOWN_LINE_IDS];
}

static void lines_make(struct ingestion_known *known, size_t line_count)
{
    size_t size = line_count * sizeof *known->lines;
    size_t border = INGESTION_KNOWN_LINE_BYTES;
    uint8_t *memory = memory_allocate_scattered(size + border);
    void *lines = memory + border - (uintptr_t)memory % border;
    *known = (struct ingestion_known){
        .lines = lines,
        .line_count = line_count,
        .memory = memory,
    };
}

/* One line's ids go to two lines, so each finds a place. */
static void grow(struct ingestion_known *known)
{
    struct ingestion_known old = *known;
    lines_make(known, old.line_count == 0 ? INGESTION_KNOWN_LINES_LEAST : old.line_count * 2);
    for (size_t i = 0; i < old.line_count * INGESTION_KNOWN_LINE_IDS; i++) {
        struct customer_id id =
            old.lines[i / INGESTION_KNOWN_LINE_IDS].ids[i % INGESTION_KNOWN_LINE_IDS];
        if (!customer_id_equal(id, nobody)) {
            *place_take(known, line_of(known, id), id) = id;
        }
    }
    ingestion_known_release(&old);
}

void ingestion_known_release(struct ingestion_known *known)
{
    free(known->memory);
    *known = (struct ingestion_known){ .id_count = 0 };
}

void ingestion_known_expect(const struct ingestion_known *known, struct customer_id customer)
{
    if (known->line_count > 0) {
        __builtin_prefetch(line_of(known, customer));
    }
}

bool ingestion_known_has(const struct ingestion_known *known, struct customer_id customer)
{
    return known->line_count > 0 && line_has(line_of(known, customer), customer) &&
           !customer_id_equal(customer, nobody);
}

void ingestion_known_add(struct ingestion_known *known, struct customer_id customer)
{
    /* More than half full, lines begin to overflow. */
    bool is_full = known->id_count >= known->line_count * INGESTION_KNOWN_LINE_IDS / 2;
    if (is_full && known->line_count < INGESTION_KNOWN_LINES_MOST) {
        grow(known);
    }
    struct ingestion_known_line *line = line_of(known, customer);
    if (!line_has(line, customer)) {
        *place_take(known, line, customer) = customer;
    }
}
