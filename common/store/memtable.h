/*
 * Records in the order of their keys, in memory: what was put or deleted and is not in the
 * file yet. A deleted record stays as a tombstone, so that it hides one in a layer below.
 *
 * Keys are whole: table byte and key, as the file has them. Entries never move, but a value
 * may be written over by the next put of its key. Only puts and deletes change a memtable;
 * one that is no longer written to may be read for as long as it lives.
 */
#ifndef KITH_STORE_MEMTABLE_H
#define KITH_STORE_MEMTABLE_H

#include "common/base/bytes.h"

struct memtable;
struct memtable_entry;

void memtable_open(struct memtable **memtable);
void memtable_close(struct memtable **memtable);

/* Copies key and value. `value` may lie in the memtable itself. */
void memtable_put(struct memtable *memtable, struct span key, struct span value);
void memtable_delete(struct memtable *memtable, struct span key);

/* NULL: neither record nor tombstone. */
const struct memtable_entry *memtable_find(const struct memtable *memtable, struct span key);
/* The first entry with key >= `from`, tombstones too. NULL: none. */
const struct memtable_entry *memtable_lower_bound(const struct memtable *memtable,
                                                  struct span from);
const struct memtable_entry *memtable_next(const struct memtable_entry *entry);

struct span memtable_entry_key(const struct memtable_entry *entry);
/* Empty for a tombstone. */
struct span memtable_entry_value(const struct memtable_entry *entry);
bool memtable_entry_is_tombstone(const struct memtable_entry *entry);

/* Entries, tombstones too. */
size_t memtable_count(const struct memtable *memtable);
/* Memory of the entries, of what values have outgrown, and of the way to them. */
size_t memtable_bytes(const struct memtable *memtable);

#endif
