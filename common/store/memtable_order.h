/*
 * The entries of one table of a memtable in the order of their keys: a B+tree in the
 * memtable's arena. Nothing is ever taken out of it.
 *
 * Only the memtable knows this header.
 */
#ifndef KITH_STORE_MEMTABLE_ORDER_H
#define KITH_STORE_MEMTABLE_ORDER_H

#include "common/base/arena.h"
#include "common/base/bytes.h"

struct memtable_entry;
struct order_node;

/* A zeroed struct is empty. */
struct memtable_order {
    struct order_node *root;
};

/* `entry` has a key that is not in it yet. Returns the entry just before it; NULL: none. */
struct memtable_entry *memtable_order_insert(struct memtable_order *order, struct arena *arena,
                                             struct memtable_entry *entry);
/* The last entry with a key < `key`; NULL: none. */
struct memtable_entry *memtable_order_before(const struct memtable_order *order, struct span key);

#endif
