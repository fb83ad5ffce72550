/*
 * A hash table of entries in an arena, and for each table that is scanned the order of its
 * entries.
 *
 * Most keys that are asked for are in a layer below, and most tables are only asked for single
 * keys: one look at memory says that a key is not here. The order costs several, so it is made
 * for those tables only that somebody scans, and when he first does.
 */
#include "common/store/memtable.h"

#include "common/base/arena.h"
#include "common/store/memtable_order.h"
#include "common/store/memtable_sort.h"
#include "common/store/store_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_LEAST 64
#define TABLES 256
/* No bound of its own: who writes watches memtable_bytes() and slows down. */
#define MEMTABLE_BYTES_MOST (SIZE_MAX / 4)

struct memtable_entry {
    uint8_t *value;
    struct memtable_entry *older; /* of the same table, put before it; NULL: the first */
    struct memtable_entry *next;  /* in order, where the table has one; NULL: the last */
    uint32_t value_size;
    uint32_t value_capacity;
    uint16_t key_size;
    bool tombstone;
    uint8_t key[]; /* then the first value */
};

/* Open addressing, linear probing; nothing is ever taken out. */
struct memtable_slot {
    uint64_t hash;
    struct memtable_entry *entry; /* NULL: free, and the end of a probe */
};

struct memtable_table {
    struct memtable_entry *newest; /* NULL: it has no entry */
    size_t count;
    bool is_ordered;
    struct memtable_order order;
    struct memtable_entry *first; /* in order */
};

struct memtable {
    struct arena arena;
    struct memtable_slot *slots;
    size_t slot_count; /* a power of two, at least twice the entries */
    size_t count;
    struct memtable_table tables[TABLES];
};

/* ---- the hash table */
/* The slot of the key, or the free one where it belongs. */
static struct memtable_slot *slot_find(const struct memtable *memtable, struct span key,
                                       uint64_t hash)
{
    size_t mask = memtable->slot_count - 1;
    /* It ends: at least half of the slots are free. */
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        struct memtable_slot *slot = &memtable->slots[i];
        if (slot->entry == NULL ||
            (slot->hash == hash && span_equal(memtable_entry_key(slot->entry), key))) {
            return slot;
        }
    }
}

static void slots_grow(struct memtable *memtable)
{
    struct memtable_slot *old = memtable->slots;
    size_t old_count = memtable->slot_count;
    memtable->slot_count = old_count * 2;
    memtable->slots = memory_allocate_scattered(memtable->slot_count * sizeof *memtable->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].entry != NULL) {
            *slot_find(memtable, memtable_entry_key(old[i].entry), old[i].hash) = old[i];
        }
    }
    free(old);
}

/* ---- the order of a table */

static void entry_order(struct memtable *memtable, struct memtable_table *table,
                        struct memtable_entry *entry)
{
    struct memtable_entry *before = memtable_order_insert(&table->order, &memtable->arena, entry);
    struct memtable_entry **link = before != NULL ? &before->next : &table->first;
    entry->next = *link;
    *link = entry;
}

static void table_order(struct memtable *memtable, struct memtable_table *table)
{
    table->is_ordered = true;
    for (struct memtable_entry *entry = table->newest; entry != NULL; entry = entry->older) {
        entry_order(memtable, table, entry);
    }
}

/* ---- entries */

static void *arena_take(struct memtable *memtable, size_t size)
{
    void *memory = arena_allocate(&memtable->arena, size);
    assert(memory != NULL); /* no host has that much */
    return memory;
}

static struct memtable_entry *entry_allocate(struct memtable *memtable, struct span key,
                                             size_t value_capacity)
{
    assert(key.size > 0 && key.size <= UINT16_MAX);
    struct memtable_entry *entry = arena_take(memtable, sizeof *entry + key.size + value_capacity);
    *entry = (struct memtable_entry){
        .value = entry->key + key.size,
        .value_capacity = (uint32_t)value_capacity,
        .key_size = (uint16_t)key.size,
    };
    memcpy(entry->key, key.data, key.size);
    return entry;
}

static void entry_enlist(struct memtable *memtable, struct memtable_entry *entry)
{
    struct memtable_table *table = &memtable->tables[entry->key[0]];
    entry->older = table->newest;
    table->newest = entry;
    table->count++;
    if (table->is_ordered) {
        entry_order(memtable, table, entry);
    }
}

/* The entry of the key; a new one has room for a value of `value_capacity`. */
static struct memtable_entry *entry_obtain(struct memtable *memtable, struct span key,
                                           size_t value_capacity)
{
    uint64_t hash = store_key_hash(key);
    struct memtable_slot *slot = slot_find(memtable, key, hash);
    if (slot->entry != NULL) {
        return slot->entry;
    }
    struct memtable_entry *entry = entry_allocate(memtable, key, value_capacity);
    *slot = (struct memtable_slot){ hash, entry };
    entry_enlist(memtable, entry);
    memtable->count++;
    if (memtable->count * 2 > memtable->slot_count) {
        slots_grow(memtable);
    }
    return entry;
}

/* Outgrown values stay in the arena. Growing by half at least keeps their sum below a small
 * multiple of the newest, however often a value grows by a byte. */
static void value_grow(struct memtable *memtable, struct memtable_entry *entry, size_t size)
{
    size_t more = (size_t)entry->value_capacity + entry->value_capacity / 2;
    size_t capacity = size > more ? size : more;
    assert(capacity <= UINT32_MAX);
    entry->value = arena_take(memtable, capacity);
    entry->value_capacity = (uint32_t)capacity;
}

void memtable_open(struct memtable **memtable, size_t expected)
{
    assert(*memtable == NULL);
    struct memtable *opened = memory_allocate(sizeof *opened);
    opened->slot_count = SLOTS_LEAST;
    while (opened->slot_count < expected * 2) {
        opened->slot_count *= 2;
    }
    opened->slots = memory_allocate_scattered(opened->slot_count * sizeof *opened->slots);
    arena_init(&opened->arena, MEMTABLE_BYTES_MOST);
    *memtable = opened;
}

void memtable_close(struct memtable **memtable)
{
    if (*memtable == NULL) {
        return;
    }
    arena_release(&(*memtable)->arena);
    free((*memtable)->slots);
    free(*memtable);
    *memtable = NULL;
}

void memtable_put(struct memtable *memtable, struct span key, struct span value)
{
    assert(value.size <= UINT32_MAX);
    struct memtable_entry *entry = entry_obtain(memtable, key, value.size);
    if (value.size > entry->value_capacity) {
        value_grow(memtable, entry, value.size);
    }
    if (value.size > 0) {
        memmove(entry->value, value.data, value.size); /* it may be this very value */
    }
    entry->value_size = (uint32_t)value.size;
    entry->tombstone = false;
}

void memtable_delete(struct memtable *memtable, struct span key)
{
    struct memtable_entry *entry = entry_obtain(memtable, key, 0);
    entry->value_size = 0;
    entry->tombstone = true;
}

const struct memtable_entry *memtable_lower_bound(struct memtable *memtable, struct span from)
{
    assert(from.size > 0);
    struct memtable_table *table = &memtable->tables[from.data[0]];
    if (!table->is_ordered) {
        table_order(memtable, table);
    }
    const struct memtable_entry *before = memtable_order_before(&table->order, from);
    return before != NULL ? before->next : table->first;
}

void memtable_expect(const struct memtable *memtable, uint64_t hash)
{
    __builtin_prefetch(&memtable->slots[(size_t)hash & (memtable->slot_count - 1)]);
}

const struct memtable_entry *memtable_find(const struct memtable *memtable, struct span key,
                                           uint64_t hash)
{
    return slot_find(memtable, key, hash)->entry;
}

const struct memtable_entry *memtable_next(const struct memtable_entry *entry)
{
    return entry->next;
}

struct span memtable_entry_key(const struct memtable_entry *entry)
{
    return span_of(entry->key, entry->key_size);
}

struct span memtable_entry_value(const struct memtable_entry *entry)
{
    return span_of(entry->value, entry->value_size);
}

bool memtable_entry_is_tombstone(const struct memtable_entry *entry)
{
    return entry->tombstone;
}

size_t memtable_count(const struct memtable *memtable)
{
    return memtable->count;
}

size_t memtable_table_count(const struct memtable *memtable, uint8_t table)
{
    return memtable->tables[table].count;
}

size_t memtable_bytes(const struct memtable *memtable)
{
    /* Without the slots that were made for more to come: with them, the larger a checkpoint was the
     * sooner the next one would be wanted. */
    return memtable->arena.used + memtable->count * 2 * sizeof *memtable->slots;
}

/* ---- all of it, sorted */

/* Goes from entry to entry as they lie in memory. */
static size_t table_gather(const struct memtable_table *table, struct sort_entry *gathered)
{
    size_t count = 0;
    for (const struct memtable_entry *entry = table->newest; entry != NULL; entry = entry->older) {
        gathered[count++] = sort_entry_of(entry);
    }
    return count;
}

static size_t cluster_gather(const struct memtable *memtable, const bool *clustered,
                             struct sort_entry *gathered)
{
    size_t count = 0;
    for (size_t table = 0; clustered != NULL && table < TABLES; table++) {
        if (clustered[table]) {
            count += table_gather(&memtable->tables[table], gathered + count);
        }
    }
    return count;
}

const struct memtable_entry **memtable_sort(const struct memtable *memtable, const bool *clustered)
{
    struct sort_entry *gathered =
        memory_allocate_scattered((memtable->count + 1) * sizeof *gathered);
    const struct memtable_entry **sorted =
        memory_allocate((memtable->count + 1) * sizeof(struct memtable_entry *));
    size_t count = cluster_gather(memtable, clustered, gathered); /* before all other tables */
    sort_entries(gathered, count, sorted);
    for (size_t table = 0; table < TABLES; table++) {
        if (clustered == NULL || !clustered[table]) {
            size_t more = table_gather(&memtable->tables[table], gathered);
            sort_entries(gathered, more, sorted + count);
            count += more;
        }
    }
    assert(count == memtable->count);
    free(gathered);
    return sorted;
}
