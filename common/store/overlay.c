/*
 * Two sorted sources: the view below pushes its records at a visit, and between them the
 * changes held here are let in at their places.
 */
#include "common/store/overlay.h"

#include "common/store/memtable.h"
#include "common/store/store_record.h"

#include <assert.h>
#include <stdlib.h>

struct overlay {
    struct view below;
    struct memtable *changes;
    unsigned scans; /* running, one within the other */
};

struct overlay_scan {
    const struct memtable_entry *next; /* the first change that is not passed; NULL: none */
    view_visit visit;
    void *argument;
    bool is_ended; /* by the visit */
};

static bool overlay_get(void *context, uint8_t table, struct span key, struct span *value)
{
    const struct overlay *overlay = context;
    struct store_key whole = store_key_of(table, key);
    struct span changed = store_key_span(&whole);
    const struct memtable_entry *entry =
        memtable_find(overlay->changes, changed, store_key_hash(changed));
    if (entry == NULL) {
        return view_get(&overlay->below, table, key, value);
    }
    if (memtable_entry_is_tombstone(entry)) {
        return false;
    }
    *value = memtable_entry_value(entry);
    return true;
}

static struct span scan_key(const struct overlay_scan *scan)
{
    return store_key_part(memtable_entry_key(scan->next));
}

/* False: the visit has had enough. */
static bool scan_show(struct overlay_scan *scan, struct span key, struct span value)
{
    scan->is_ended = !scan->visit(scan->argument, key, value);
    return !scan->is_ended;
}

/* Lets the next change in; a tombstone only passes. */
static bool scan_show_change(struct overlay_scan *scan)
{
    const struct memtable_entry *entry = scan->next;
    struct span key = scan_key(scan);
    scan->next = memtable_next(entry);
    return memtable_entry_is_tombstone(entry) || scan_show(scan, key, memtable_entry_value(entry));
}

static bool scan_visit_below(void *argument, struct span key, struct span value)
{
    struct overlay_scan *scan = argument;
    while (scan->next != NULL && span_compare(scan_key(scan), key) < 0) {
        if (!scan_show_change(scan)) {
            return false;
        }
    }
    if (scan->next != NULL && span_equal(scan_key(scan), key)) {
        return scan_show_change(scan);
    }
    return scan_show(scan, key, value);
}

static void overlay_scan(void *context, const struct view_range *range, view_visit visit,
                         void *argument)
{
    struct overlay *overlay = context;
    struct store_key first = store_key_of(range->table, range->from);
    struct overlay_scan scan = {
        .next = memtable_lower_bound(overlay->changes, store_key_span(&first)),
        .visit = visit,
        .argument = argument,
    };
    overlay->scans++;
    overlay->below.scan(overlay->below.context, range, scan_visit_below, &scan);
    while (!scan.is_ended && scan.next != NULL) {
        (void)scan_show_change(&scan); /* the loop asks the scan itself */
    }
    overlay->scans--;
}

static void overlay_put(void *context, uint8_t table, struct span key, struct span value)
{
    struct overlay *overlay = context;
    assert(overlay->scans == 0);
    assert(key.size <= LIMIT_STATE_KEY_BYTES && value.size <= LIMIT_STATE_VALUE_BYTES);
    struct store_key whole = store_key_of(table, key);
    memtable_put(overlay->changes, store_key_span(&whole), value);
}

static void overlay_delete(void *context, uint8_t table, struct span key)
{
    struct overlay *overlay = context;
    assert(overlay->scans == 0);
    assert(key.size <= LIMIT_STATE_KEY_BYTES);
    struct store_key whole = store_key_of(table, key);
    memtable_delete(overlay->changes, store_key_span(&whole));
}

void overlay_open(struct overlay **overlay, const struct view *below)
{
    assert(*overlay == NULL);
    struct overlay *opened = memory_allocate(sizeof *opened);
    opened->below = *below;
    memtable_open(&opened->changes, 0);
    *overlay = opened;
}

void overlay_close(struct overlay **overlay)
{
    if (*overlay == NULL) {
        return;
    }
    assert((*overlay)->scans == 0);
    memtable_close(&(*overlay)->changes);
    free(*overlay);
    *overlay = NULL;
}

struct change overlay_change(struct overlay *overlay)
{
    return (struct change){
        .view = { .context = overlay, .get = overlay_get, .scan = overlay_scan },
        .context = overlay,
        .put = overlay_put,
        .delete = overlay_delete,
    };
}

void overlay_keep(struct overlay *overlay, const struct change *target)
{
    const struct memtable_entry **entries = memtable_sort(overlay->changes, NULL);
    for (size_t i = 0; i < memtable_count(overlay->changes); i++) {
        struct span whole = memtable_entry_key(entries[i]);
        struct span key = store_key_part(whole);
        if (memtable_entry_is_tombstone(entries[i])) {
            change_delete(target, whole.data[0], key);
        } else {
            change_put(target, whole.data[0], key, memtable_entry_value(entries[i]));
        }
    }
    free(entries);
}
