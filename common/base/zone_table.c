#include "common/base/zone_table.h"

#include "common/base/limits.h"

#include <stdlib.h>
#include <string.h>

#define TZIF_HEADER_BYTES 44
#define TZIF_TYPE_BYTES 6
/* RFC 9636: an offset is less than 26 hours, either way. */
#define TZIF_OFFSET_S_MOST (26 * 3600 - 1)

struct tzif_counts {
    size_t universal;
    size_t standard;
    size_t leaps;
    size_t changes;
    size_t types;
    size_t letters;
};

/* Takes `size` bytes off the front; false: there are fewer. */
static bool span_take(struct span *rest, size_t size, struct span *taken)
{
    if (size > rest->size) {
        return false;
    }
    *taken = span_of(rest->data, size);
    *rest = span_of(rest->data + size, rest->size - size);
    return true;
}

static bool header_take(struct span *rest, struct tzif_counts *counts)
{
    struct span header = { 0 };
    /* Version 1 has no 64-bit times; nobody has made such files since 2005. */
    if (!span_take(rest, TZIF_HEADER_BYTES, &header) || memcmp(header.data, "TZif", 4) != 0 ||
        header.data[4] < '2') {
        return false;
    }
    *counts = (struct tzif_counts){
        .universal = be32_get(header.data + 20),
        .standard = be32_get(header.data + 24),
        .leaps = be32_get(header.data + 28),
        .changes = be32_get(header.data + 32),
        .types = be32_get(header.data + 36),
        .letters = be32_get(header.data + 40),
    };
    return true;
}

/* The block with 32-bit times, for readers of before 2005. */
static bool first_block_skip(struct span *rest)
{
    struct tzif_counts counts = { 0 };
    struct span block = { 0 };
    if (!header_take(rest, &counts)) {
        return false;
    }
    size_t size = counts.changes * (4 + 1) + counts.types * TZIF_TYPE_BYTES + counts.letters +
                  counts.leaps * (4 + 4) + counts.standard + counts.universal;
    return span_take(rest, size, &block);
}

static bool types_decode(struct zone_table *table, struct span types)
{
    for (size_t i = 0; i < types.size / TZIF_TYPE_BYTES; i++) {
        int64_t offset_s = (int32_t)be32_get(types.data + i * TZIF_TYPE_BYTES);
        if (offset_s < -TZIF_OFFSET_S_MOST || offset_s > TZIF_OFFSET_S_MOST) {
            return false;
        }
        table->type_offset_s[i] = offset_s;
    }
    return true;
}

static bool changes_decode(struct zone_table *table, struct span times, struct span types,
                           size_t type_count)
{
    table->change_count = types.size;
    table->change_s = memory_allocate(types.size * sizeof *table->change_s);
    table->change_type = memory_allocate(types.size);
    for (size_t i = 0; i < types.size; i++) {
        table->change_s[i] = (int64_t)be64_get(times.data + i * sizeof(int64_t));
        table->change_type[i] = types.data[i];
        bool ascends = i == 0 || table->change_s[i - 1] < table->change_s[i];
        /* Far past all our times, where milliseconds would overflow, is nonsense. */
        bool is_sane = table->change_s[i] <= LIMIT_TIME_MOST_MS / 1000;
        if (!ascends || !is_sane || types.data[i] >= type_count) {
            return false;
        }
    }
    return true;
}

static enum status second_block_decode(struct zone_table *table, struct span *rest,
                                       struct refusal *refusal)
{
    struct tzif_counts counts = { 0 };
    struct span times = { 0 };
    struct span change_types = { 0 };
    struct span types = { 0 };
    struct span skipped = { 0 };
    if (!header_take(rest, &counts) || counts.types == 0 || counts.types > ZONE_TYPES_MAX) {
        return refusal_set(refusal, STATUS_CORRUPT, "its second header is wrong");
    }
    if (counts.leaps > 0) {
        return refusal_set(refusal, STATUS_CORRUPT, "it counts leap seconds; our clocks do not");
    }
    size_t skipped_size = counts.letters + counts.standard + counts.universal;
    if (!span_take(rest, counts.changes * sizeof(int64_t), &times) ||
        !span_take(rest, counts.changes, &change_types) ||
        !span_take(rest, counts.types * TZIF_TYPE_BYTES, &types) ||
        !span_take(rest, skipped_size, &skipped)) {
        return refusal_set(refusal, STATUS_CORRUPT, "it is cut short");
    }
    if (!types_decode(table, types) || !changes_decode(table, times, change_types, counts.types)) {
        return refusal_set(refusal, STATUS_CORRUPT, "its table of changes is wrong");
    }
    return STATUS_OK;
}

/* The last line; an empty one means that the last change was the last for ever. */
static enum status rule_decode(struct zone_table *table, struct span rest, struct refusal *refusal)
{
    if (rest.size < 2 || rest.data[0] != '\n' || rest.data[rest.size - 1] != '\n') {
        return refusal_set(refusal, STATUS_CORRUPT, "it does not end with the line of its rule");
    }
    struct span line = span_of(rest.data + 1, rest.size - 2);
    if (line.size == 0) {
        return STATUS_OK;
    }
    table->has_rule = true;
    if (zone_rule_parse(line, &table->rule) != STATUS_OK) {
        return refusal_set(refusal, STATUS_CORRUPT, "its last line is no rule that we know");
    }
    return STATUS_OK;
}

/* How many changes lie at or before the instant. */
static size_t changes_until(const struct zone_table *table, int64_t at_s)
{
    size_t low = 0;
    size_t high = table->change_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->change_s[middle] <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

enum status zone_table_decode(struct span file, struct zone_table *table, struct refusal *refusal)
{
    if (!first_block_skip(&file)) {
        return refusal_set(refusal, STATUS_CORRUPT, "it is no zone file of version 2 or later");
    }
    struct zone_table decoded = { 0 };
    enum status status = second_block_decode(&decoded, &file, refusal);
    if (status == STATUS_OK) {
        status = rule_decode(&decoded, file, refusal);
    }
    if (status != STATUS_OK) {
        zone_table_release(&decoded);
        return status;
    }
    *table = decoded;
    return STATUS_OK;
}

void zone_table_release(struct zone_table *table)
{
    free(table->change_s);
    free(table->change_type);
    memset(table, 0, sizeof *table);
}

struct zone_period zone_table_period(const struct zone_table *table, int64_t at_s)
{
    size_t count = changes_until(table, at_s);
    bool is_last = count == table->change_count;
    if (is_last && table->has_rule) {
        return zone_rule_period(&table->rule, at_s);
    }
    uint8_t type = count == 0 ? 0 : table->change_type[count - 1];
    return (struct zone_period){
        .offset_s = table->type_offset_s[type],
        .end_s = is_last ? INT64_MAX : table->change_s[count],
    };
}
