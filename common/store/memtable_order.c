/*
 * Each slot carries the first bytes of its key, so that a search within a node mostly stays
 * within the node: an entry is looked at only where those bytes are equal.
 *
 * A slot of an inner node has the least entry of its child, as which it was put there. That
 * of the first slot may be greater than entries that came since, and is never compared: what
 * is less than all other slots belongs there.
 */
#include "common/store/memtable_order.h"

#include "common/store/memtable.h"

#include <assert.h>
#include <string.h>

#define ORDER_FANOUT 32

struct order_node {
    bool is_leaf;
    size_t count;
    uint64_t prefixes[ORDER_FANOUT];
    struct memtable_entry *entries[ORDER_FANOUT];
    struct order_node *children[]; /* ORDER_FANOUT of them; a leaf has none */
};

struct order_key {
    uint64_t prefix;
    struct span whole;
};

/* All keys begin with the same table. Shorter ones are filled with zeroes: where prefixes
 * differ they order as the keys do, where they are equal nothing is said yet. */
static struct order_key key_of(struct span whole)
{
    assert(whole.size > 0);
    uint8_t bytes[sizeof(uint64_t)] = { 0 };
    size_t size = whole.size - 1;
    memcpy(bytes, whole.data + 1, size < sizeof bytes ? size : sizeof bytes);
    return (struct order_key){ be64_get(bytes), whole };
}

static struct order_node *node_allocate(struct arena *arena, bool is_leaf)
{
    size_t children = is_leaf ? 0 : ORDER_FANOUT * sizeof(struct order_node *);
    struct order_node *node = arena_allocate(arena, sizeof *node + children);
    assert(node != NULL); /* the arena has no bound of its own */
    node->is_leaf = is_leaf;
    node->count = 0;
    return node;
}

static bool slot_is_before(const struct order_node *node, size_t slot, const struct order_key *key)
{
    if (node->prefixes[slot] != key->prefix) {
        return node->prefixes[slot] < key->prefix;
    }
    return span_compare(memtable_entry_key(node->entries[slot]), key->whole) < 0;
}

/* How many slots, from `first` on, have keys less than this one; those before it have. */
static size_t slots_before(const struct order_node *node, size_t first, const struct order_key *key)
{
    size_t end = node->count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (slot_is_before(node, middle, key)) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

static size_t child_find(const struct order_node *node, const struct order_key *key)
{
    return slots_before(node, 1, key) - 1;
}

/* Makes room at `slot`, which the caller fills. */
static void slot_open(struct order_node *node, size_t slot)
{
    assert(node->count < ORDER_FANOUT);
    size_t after = node->count - slot;
    memmove(&node->prefixes[slot + 1], &node->prefixes[slot], after * sizeof node->prefixes[0]);
    memmove(&node->entries[slot + 1], &node->entries[slot], after * sizeof(void *));
    if (!node->is_leaf) {
        memmove(&node->children[slot + 1], &node->children[slot], after * sizeof(void *));
    }
    node->count++;
}

/* The upper half of a full child moves to a new one after it. */
static void child_split(struct arena *arena, struct order_node *parent, size_t slot)
{
    struct order_node *low = parent->children[slot];
    struct order_node *high = node_allocate(arena, low->is_leaf);
    size_t half = low->count / 2;
    high->count = low->count - half;
    memcpy(high->prefixes, &low->prefixes[half], high->count * sizeof high->prefixes[0]);
    memcpy(high->entries, &low->entries[half], high->count * sizeof(void *));
    if (!low->is_leaf) {
        memcpy(high->children, &low->children[half], high->count * sizeof(void *));
    }
    low->count = half;
    slot_open(parent, slot + 1);
    parent->prefixes[slot + 1] = high->prefixes[0];
    parent->entries[slot + 1] = high->entries[0];
    parent->children[slot + 1] = high;
}

static void root_grow(struct memtable_order *order, struct arena *arena)
{
    struct order_node *root = node_allocate(arena, false);
    root->count = 1;
    root->prefixes[0] = order->root->prefixes[0];
    root->entries[0] = order->root->entries[0];
    root->children[0] = order->root;
    order->root = root;
    child_split(arena, root, 0);
}

struct memtable_entry *memtable_order_insert(struct memtable_order *order, struct arena *arena,
                                             struct memtable_entry *entry)
{
    struct order_key key = key_of(memtable_entry_key(entry));
    if (order->root == NULL) {
        order->root = node_allocate(arena, true);
    }
    if (order->root->count == ORDER_FANOUT) {
        root_grow(order, arena);
    }
    struct order_node *node = order->root;
    while (!node->is_leaf) {
        size_t child = child_find(node, &key);
        if (node->children[child]->count == ORDER_FANOUT) {
            child_split(arena, node, child);
            child = child_find(node, &key);
        }
        node = node->children[child];
    }
    size_t slot = slots_before(node, 0, &key);
    slot_open(node, slot);
    node->prefixes[slot] = key.prefix;
    node->entries[slot] = entry;
    return slot > 0 ? node->entries[slot - 1] : NULL;
}

struct memtable_entry *memtable_order_before(const struct memtable_order *order, struct span key)
{
    const struct order_node *node = order->root;
    if (node == NULL) {
        return NULL;
    }
    struct order_key searched = key_of(key);
    while (!node->is_leaf) {
        node = node->children[child_find(node, &searched)];
    }
    size_t slots = slots_before(node, 0, &searched);
    return slots > 0 ? node->entries[slots - 1] : NULL;
}
