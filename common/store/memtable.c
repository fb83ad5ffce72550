/*
 * A skip list in an arena, and beside it a hash table of its entries.
 *
 * The list has the order, for scans and for the run. The table answers the most frequent
 * question, whether a key is here at all, with one or two looks at memory where the list
 * needs a dozen: most keys that are asked for are in a layer below.
 *
 * How high an entry stands follows from the hash of its key, so that the same puts build the
 * same list in every run. Each link carries the first bytes of the key that it leads to:
 * most comparisons then need no look at the entry itself.
 */
#include "common/store/memtable.h"

#include "common/base/arena.h"
#include "common/base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* With one entry in four of a level also in the next, enough for 4^12 entries. */
#define HEIGHT_MAX 12
#define SLOTS_LEAST 64
/* No bound of its own: who writes watches memtable_bytes() and slows down. */
#define MEMTABLE_BYTES_MOST (SIZE_MAX / 4)

struct memtable_link {
    struct memtable_entry *entry; /* NULL: the end of the level */
    uint64_t prefix;              /* of entry's key */
};

struct memtable_entry {
    uint8_t *value;
    uint32_t value_size;
    uint32_t value_capacity;
    uint16_t key_size;
    uint8_t height;
    bool tombstone;
    struct memtable_link links[]; /* `height` of them, then the key, then the first value */
};

/* Open addressing, linear probing; nothing is ever taken out. */
struct memtable_slot {
    uint64_t hash;
    struct memtable_entry *entry; /* NULL: free, and the end of a probe */
};

struct memtable {
    struct arena arena;
    struct memtable_slot *slots;
    size_t slot_count; /* a power of two, at least twice the entries */
    size_t count;
    size_t height; /* of the highest entry */
    struct memtable_link head[HEIGHT_MAX];
};

/* A search: the links that a new entry would stand behind, one for each level. */
struct search {
    struct span key;
    uint64_t prefix;
    struct memtable_link *path[HEIGHT_MAX];
};

/* Shorter keys are filled with zeroes: where prefixes differ they order as the keys do,
 * where they are equal nothing is said yet. */
static uint64_t prefix_of(struct span key)
{
    uint8_t bytes[sizeof(uint64_t)] = { 0 };
    if (key.size > 0) {
        memcpy(bytes, key.data, key.size < sizeof bytes ? key.size : sizeof bytes);
    }
    return be64_get(bytes);
}

static uint64_t hash_of(struct span key)
{
    return checksum_of(key, (struct span){ 0 });
}

/* From the upper half of the hash; the lower one has the place in the table. */
static size_t height_of(uint64_t hash)
{
    uint32_t bits = (uint32_t)(hash >> 32);
    size_t height = 1;
    while (height < HEIGHT_MAX && (bits & 3) == 0) {
        height++;
        bits >>= 2;
    }
    return height;
}

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
    memtable->slots = memory_allocate(memtable->slot_count * sizeof *memtable->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].entry != NULL) {
            *slot_find(memtable, memtable_entry_key(old[i].entry), old[i].hash) = old[i];
        }
    }
    free(old);
}

/* ---- the list */

static bool link_is_before(const struct memtable_link *link, uint64_t prefix, struct span key)
{
    if (link->entry == NULL || link->prefix > prefix) {
        return false;
    }
    return link->prefix < prefix || span_compare(memtable_entry_key(link->entry), key) < 0;
}

static void *arena_take(struct memtable *memtable, size_t size)
{
    void *memory = arena_allocate(&memtable->arena, size);
    assert(memory != NULL); /* no host has that much */
    return memory;
}

static void path_find(struct memtable *memtable, struct search *search)
{
    struct memtable_link *links = memtable->head;
    for (size_t level = HEIGHT_MAX; level-- > 0;) {
        while (link_is_before(&links[level], search->prefix, search->key)) {
            links = links[level].entry->links;
        }
        search->path[level] = &links[level];
    }
}

static void entry_link(struct memtable *memtable, struct memtable_entry *entry)
{
    struct span key = memtable_entry_key(entry);
    struct search search = { .key = key, .prefix = prefix_of(key) };
    path_find(memtable, &search);
    for (size_t level = 0; level < entry->height; level++) {
        entry->links[level] = *search.path[level];
        *search.path[level] = (struct memtable_link){ entry, search.prefix };
    }
    memtable->height = entry->height > memtable->height ? entry->height : memtable->height;
}

static struct memtable_entry *entry_allocate(struct memtable *memtable, struct span key,
                                             size_t height, size_t value_capacity)
{
    assert(key.size <= UINT16_MAX);
    size_t key_offset = sizeof(struct memtable_entry) + height * sizeof(struct memtable_link);
    struct memtable_entry *entry = arena_take(memtable, key_offset + key.size + value_capacity);
    uint8_t *key_bytes = (uint8_t *)entry + key_offset;
    *entry = (struct memtable_entry){
        .value = key_bytes + key.size,
        .value_capacity = (uint32_t)value_capacity,
        .key_size = (uint16_t)key.size,
        .height = (uint8_t)height,
    };
    if (key.size > 0) {
        memcpy(key_bytes, key.data, key.size);
    }
    return entry;
}

/* The entry of the key; a new one has room for a value of `value_capacity`. */
static struct memtable_entry *entry_obtain(struct memtable *memtable, struct span key,
                                           size_t value_capacity)
{
    uint64_t hash = hash_of(key);
    struct memtable_slot *slot = slot_find(memtable, key, hash);
    if (slot->entry != NULL) {
        return slot->entry;
    }
    struct memtable_entry *entry = entry_allocate(memtable, key, height_of(hash), value_capacity);
    *slot = (struct memtable_slot){ hash, entry };
    entry_link(memtable, entry);
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

void memtable_open(struct memtable **memtable)
{
    assert(*memtable == NULL);
    struct memtable *opened = memory_allocate(sizeof *opened);
    *opened = (struct memtable){ .slot_count = SLOTS_LEAST, .height = 1 };
    opened->slots = memory_allocate(opened->slot_count * sizeof *opened->slots);
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

const struct memtable_entry *memtable_lower_bound(const struct memtable *memtable, struct span from)
{
    uint64_t prefix = prefix_of(from);
    const struct memtable_link *links = memtable->head;
    for (size_t level = memtable->height; level-- > 0;) {
        while (link_is_before(&links[level], prefix, from)) {
            links = links[level].entry->links;
        }
    }
    return links[0].entry;
}

const struct memtable_entry *memtable_find(const struct memtable *memtable, struct span key)
{
    return slot_find(memtable, key, hash_of(key))->entry;
}

const struct memtable_entry *memtable_next(const struct memtable_entry *entry)
{
    return entry->links[0].entry;
}

struct span memtable_entry_key(const struct memtable_entry *entry)
{
    return span_of(&entry->links[entry->height], entry->key_size);
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

size_t memtable_bytes(const struct memtable *memtable)
{
    return memtable->arena.used + memtable->slot_count * sizeof *memtable->slots;
}
