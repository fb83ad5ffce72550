#include "tests/support/memory_view.h"

#include "common/base/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One allocation: key and value follow each other. */
struct entry {
    uint8_t table;
    size_t key_size;
    size_t value_size;
    uint8_t *bytes;
};

struct memory_view {
    struct entry *entries; /* by table, then key */
    size_t count;
    size_t capacity;
    uint8_t **lent; /* copies that gets have handed out since the last write */
    size_t lent_count;
    size_t lent_capacity;
    uint64_t writes;
    bool scanning;
};

static struct span entry_key(const struct entry *entry)
{
    return span_of(entry->bytes, entry->key_size);
}

static struct span entry_value(const struct entry *entry)
{
    return span_of(entry->bytes + entry->key_size, entry->value_size);
}

static int entry_compare(const struct entry *entry, uint8_t table, struct span key)
{
    if (entry->table != table) {
        return entry->table < table ? -1 : 1;
    }
    return span_compare(entry_key(entry), key);
}

/* The first entry that does not lie before (table, key). */
static size_t lower_bound(const struct memory_view *memory, uint8_t table, struct span key)
{
    size_t low = 0;
    size_t high = memory->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry_compare(&memory->entries[middle], table, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct memory_view *memory, size_t at, uint8_t table, struct span key)
{
    return at < memory->count && entry_compare(&memory->entries[at], table, key) == 0;
}

static void *room_for_one(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    return memory_resize(array, *capacity * size);
}

static void lent_release(struct memory_view *memory)
{
    for (size_t i = 0; i < memory->lent_count; i++) {
        free(memory->lent[i]);
    }
    memory->lent_count = 0;
}

static bool memory_get(void *context, uint8_t table, struct span key, struct span *value)
{
    struct memory_view *memory = context;
    size_t at = lower_bound(memory, table, key);
    if (!is_at(memory, at, table, key)) {
        return false;
    }
    struct span found = entry_value(&memory->entries[at]);
    uint8_t *copy = memory_allocate(found.size == 0 ? 1 : found.size);
    if (found.size > 0) {
        memcpy(copy, found.data, found.size);
    }
    memory->lent = room_for_one(memory->lent, memory->lent_count, &memory->lent_capacity,
                                sizeof *memory->lent);
    memory->lent[memory->lent_count++] = copy;
    *value = span_of(copy, found.size);
    return true;
}

static void memory_scan(void *context, const struct view_range *range, view_visit visit,
                        void *argument)
{
    struct memory_view *memory = context;
    bool outer = memory->scanning;
    memory->scanning = true;
    for (size_t at = lower_bound(memory, range->table, range->from); at < memory->count; at++) {
        const struct entry *entry = &memory->entries[at];
        if (entry->table != range->table ||
            !visit(argument, entry_key(entry), entry_value(entry))) {
            break;
        }
    }
    memory->scanning = outer;
}

static void entry_remove(struct memory_view *memory, size_t at)
{
    free(memory->entries[at].bytes);
    memmove(&memory->entries[at], &memory->entries[at + 1],
            (memory->count - at - 1) * sizeof *memory->entries);
    memory->count -= 1;
}

static void entry_insert(struct memory_view *memory, size_t at, struct entry entry)
{
    memory->entries =
        room_for_one(memory->entries, memory->count, &memory->capacity, sizeof *memory->entries);
    memmove(&memory->entries[at + 1], &memory->entries[at],
            (memory->count - at) * sizeof *memory->entries);
    memory->entries[at] = entry;
    memory->count += 1;
}

static void memory_put(void *context, uint8_t table, struct span key, struct span value)
{
    struct memory_view *memory = context;
    assert(!memory->scanning);
    assert(key.size >= 1 && key.size <= LIMIT_STATE_KEY_BYTES);
    assert(value.size <= LIMIT_STATE_VALUE_BYTES);
    struct entry entry = {
        .table = table,
        .key_size = key.size,
        .value_size = value.size,
        .bytes = memory_allocate(key.size + value.size),
    };
    /* Copied before anything is freed: key and value may be spans of this very state. */
    memcpy(entry.bytes, key.data, key.size);
    if (value.size > 0) {
        memcpy(entry.bytes + key.size, value.data, value.size);
    }
    size_t at = lower_bound(memory, table, key);
    if (is_at(memory, at, table, key)) {
        entry_remove(memory, at);
    }
    entry_insert(memory, at, entry);
    memory->writes += 1;
    lent_release(memory);
}

static void memory_delete(void *context, uint8_t table, struct span key)
{
    struct memory_view *memory = context;
    assert(!memory->scanning);
    size_t at = lower_bound(memory, table, key);
    if (is_at(memory, at, table, key)) {
        entry_remove(memory, at);
    }
    memory->writes += 1;
    lent_release(memory);
}

void memory_view_open(struct memory_view **memory)
{
    struct memory_view *opened = memory_allocate(sizeof *opened);
    *opened = (struct memory_view){ .entries = NULL };
    *memory = opened;
}

void memory_view_close(struct memory_view **memory)
{
    struct memory_view *closing = *memory;
    *memory = NULL;
    if (closing == NULL) {
        return;
    }
    for (size_t i = 0; i < closing->count; i++) {
        free(closing->entries[i].bytes);
    }
    lent_release(closing);
    free(closing->lent);
    free(closing->entries);
    free(closing);
}

struct view memory_view_reader(struct memory_view *memory)
{
    return (struct view){ .context = memory, .get = memory_get, .scan = memory_scan };
}

struct change memory_view_writer(struct memory_view *memory)
{
    return (struct change){
        .view = memory_view_reader(memory),
        .context = memory,
        .put = memory_put,
        .delete = memory_delete,
    };
}

size_t memory_view_count(const struct memory_view *memory, uint8_t table)
{
    size_t count = 0;
    for (size_t i = 0; i < memory->count; i++) {
        count += memory->entries[i].table == table ? 1 : 0;
    }
    return count;
}

uint64_t memory_view_writes(const struct memory_view *memory)
{
    return memory->writes;
}

bool memory_view_equal(const struct memory_view *left, const struct memory_view *right)
{
    if (left->count != right->count) {
        return false;
    }
    for (size_t i = 0; i < left->count; i++) {
        const struct entry *one = &left->entries[i];
        const struct entry *other = &right->entries[i];
        if (entry_compare(one, other->table, entry_key(other)) != 0 ||
            !span_equal(entry_value(one), entry_value(other))) {
            return false;
        }
    }
    return true;
}
