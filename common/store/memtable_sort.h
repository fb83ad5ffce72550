/*
 * Entries of a memtable put in the order in which the file has them (store_record.h).
 *
 * Only the memtable knows this header.
 */
#ifndef KITH_STORE_MEMTABLE_SORT_H
#define KITH_STORE_MEMTABLE_SORT_H

#include "common/base/bytes.h"

struct memtable_entry;

/* What of its key mostly decides where an entry goes. */
struct sort_entry {
    uint64_t prefixes[3];
    const struct memtable_entry *entry;
};

struct sort_entry sort_entry_of(const struct memtable_entry *entry);
/* All of one table, or all of clustered ones, and no key twice. Writes them to `sorted`, which
 * has `count` places; `entries` is used up. */
void sort_entries(struct sort_entry *entries, size_t count, const struct memtable_entry **sorted);

#endif
