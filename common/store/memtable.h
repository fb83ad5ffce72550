/*
 * Records in memory: what was put or deleted and is not in the file yet. A deleted record
 * stays as a tombstone, so that it hides one in a layer below.
 *
 * Keys are whole: table byte and key, also where the file has them otherwise (store_record.h).
 * Entries never move, but a value may be written over by the next put of its key. Only puts
 * and deletes change a memtable; one that is no longer written to may be read for as long as it
 * lives: by one thread as it likes, and by a second one that only sorts it and reads entries.
 */
#ifndef KITH_STORE_MEMTABLE_H
#define KITH_STORE_MEMTABLE_H

#include "common/base/bytes.h"

struct memtable;
struct memtable_entry;

/* `expected` entries come without growing: growing looks at all there are. */
void memtable_open(struct memtable **memtable, size_t expected);
void memtable_close(struct memtable **memtable);

/* Copies key and value. `value` may lie in the memtable itself. */
void memtable_put(struct memtable *memtable, struct span key, struct span value);
void memtable_delete(struct memtable *memtable, struct span key);

/* A key with this hash will be looked for soon. */
void memtable_expect(const struct memtable *memtable, uint64_t hash);
/* NULL: neither record nor tombstone. `hash` is store_key_hash(key). */
const struct memtable_entry *memtable_find(const struct memtable *memtable, struct span key,
                                           uint64_t hash);
/* The first entry of the table that `from` begins with, with key >= `from`, tombstones too.
 * NULL: none. The first call for a table puts its entries in order, which from then on each
 * new one pays for; a table that nobody scans never pays. */
const struct memtable_entry *memtable_lower_bound(struct memtable *memtable, struct span from);
/* The next of its table. Only entries that came from memtable_lower_bound or from here. */
const struct memtable_entry *memtable_next(const struct memtable_entry *entry);
/* All entries of all tables in the order of the file's keys (store_record.h): memtable_count()
 * of them, which the caller frees. `clustered` tells for each of 256 tables whether it is;
 * NULL: none. Changes nothing. */
const struct memtable_entry **memtable_sort(const struct memtable *memtable, const bool *clustered);

/* It will be read soon: entries in the order of their keys lie anywhere in memory. */
static inline void memtable_entry_fetch(const struct memtable_entry *entry)
{
    __builtin_prefetch(entry);
    __builtin_prefetch((const char *)entry + 64);
}
struct span memtable_entry_key(const struct memtable_entry *entry);
/* Empty for a tombstone. */
struct span memtable_entry_value(const struct memtable_entry *entry);
bool memtable_entry_is_tombstone(const struct memtable_entry *entry);

/* Entries, tombstones too. */
size_t memtable_count(const struct memtable *memtable);
size_t memtable_table_count(const struct memtable *memtable, uint8_t table);
/* Memory of the entries, of what values have outgrown, and of the way to them. */
size_t memtable_bytes(const struct memtable *memtable);

#endif
