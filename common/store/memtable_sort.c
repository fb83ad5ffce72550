/*
 * Most keys begin with a hash: shared out by where their first bytes lie between the least and
 * the greatest, a few entries come into each part, and little is left to compare. Where many
 * come into one (times, one busy customer), that part is sorted like any array.
 */
#include "common/store/memtable_sort.h"

#include "common/base/limits.h"
#include "common/store/memtable.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of a part, were all as long: so many, and up to twice as many. */
#define PART_ENTRIES 2
/* So few are moved to their places one by one. */
#define FEW_ENTRIES 16

#define SUBJECT_BYTES LIMIT_STATE_SUBJECT_BYTES
#define REST_BYTES 7

static_assert(SUBJECT_BYTES + 1 + REST_BYTES == sizeof((struct sort_entry *)NULL)->prefixes,
              "the bytes that are looked at fill the prefixes");

struct parts {
    uint64_t least;
    unsigned shift; /* of how far a first prefix lies from the least */
    size_t count;
    size_t *ends;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* As a filed key begins, behind its first byte: subject, table, rest. Of one table that is the
 * order of its keys. Short ones are filled with zeroes: where prefixes differ they order as the
 * keys do, where they are equal nothing is said yet. */
struct sort_entry sort_entry_of(const struct memtable_entry *entry)
{
    struct span key = memtable_entry_key(entry);
    uint8_t bytes[SUBJECT_BYTES + 1 + REST_BYTES] = { 0 };
    size_t size = key.size - 1;
    memcpy(bytes, key.data + 1, least(size, SUBJECT_BYTES));
    bytes[SUBJECT_BYTES] = key.data[0];
    if (size > SUBJECT_BYTES) {
        memcpy(bytes + SUBJECT_BYTES + 1, key.data + 1 + SUBJECT_BYTES,
               least(size - SUBJECT_BYTES, REST_BYTES));
    }
    return (struct sort_entry){
        .prefixes = { be64_get(bytes), be64_get(bytes + 8), be64_get(bytes + 16) },
        .entry = entry,
    };
}

static int entry_compare(const void *a, const void *b)
{
    const struct sort_entry *left = a;
    const struct sort_entry *right = b;
    for (size_t i = 0; i < 3; i++) {
        if (left->prefixes[i] != right->prefixes[i]) {
            return left->prefixes[i] < right->prefixes[i] ? -1 : 1;
        }
    }
    return span_compare(memtable_entry_key(left->entry), memtable_entry_key(right->entry));
}

static void few_sort(struct sort_entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct sort_entry entry = entries[i];
        size_t place = i;
        for (; place > 0 && entry_compare(&entry, &entries[place - 1]) < 0; place--) {
            entries[place] = entries[place - 1];
        }
        entries[place] = entry;
    }
}

static void part_sort(struct sort_entry *entries, size_t count)
{
    if (count <= FEW_ENTRIES) {
        few_sort(entries, count);
    } else {
        qsort(entries, count, sizeof *entries, entry_compare);
    }
}

static size_t part_of(const struct parts *parts, const struct sort_entry *entry)
{
    return (size_t)((entry->prefixes[0] - parts->least) >> parts->shift);
}

static struct parts parts_of(const struct sort_entry *entries, size_t count)
{
    struct parts parts = { .least = UINT64_MAX };
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t prefix = entries[i].prefixes[0];
        parts.least = prefix < parts.least ? prefix : parts.least;
        most = prefix > most ? prefix : most;
    }
    while ((most - parts.least) >> parts.shift >= count / PART_ENTRIES) {
        parts.shift++;
    }
    parts.count = (size_t)((most - parts.least) >> parts.shift) + 1;
    parts.ends = memory_allocate(parts.count * sizeof *parts.ends);
    return parts;
}

/* Afterwards each part ends where the next one begins. */
static void entries_share(const struct sort_entry *entries, size_t count, struct parts *parts,
                          struct sort_entry *shared)
{
    for (size_t i = 0; i < count; i++) {
        parts->ends[part_of(parts, &entries[i])]++;
    }
    size_t begin = 0;
    for (size_t i = 0; i < parts->count; i++) {
        size_t size = parts->ends[i];
        parts->ends[i] = begin;
        begin += size;
    }
    for (size_t i = 0; i < count; i++) {
        shared[parts->ends[part_of(parts, &entries[i])]++] = entries[i];
    }
}

static void pointers_write(const struct sort_entry *entries, size_t count,
                           const struct memtable_entry **sorted)
{
    for (size_t i = 0; i < count; i++) {
        sorted[i] = entries[i].entry;
    }
}

void sort_entries(struct sort_entry *entries, size_t count, const struct memtable_entry **sorted)
{
    if (count <= FEW_ENTRIES) {
        few_sort(entries, count);
        pointers_write(entries, count, sorted);
        return;
    }
    struct parts parts = parts_of(entries, count);
    struct sort_entry *shared = memory_allocate_scattered(count * sizeof *shared);
    entries_share(entries, count, &parts, shared);
    size_t begin = 0;
    for (size_t i = 0; i < parts.count; i++) {
        part_sort(shared + begin, parts.ends[i] - begin);
        begin = parts.ends[i];
    }
    pointers_write(shared, count, sorted);
    free(shared);
    free(parts.ends);
}
