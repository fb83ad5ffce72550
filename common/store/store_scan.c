#include "common/store/store_internal.h"

#include <assert.h>

/* The clustered part of a scan that does not leave its subject. */
static size_t filed_within(size_t within)
{
    return within >= LIMIT_STATE_SUBJECT_BYTES ? 1 + LIMIT_STATE_SUBJECT_BYTES : 0;
}

static void layers_open(const struct store *store, const struct view_range *range,
                        struct span whole, const struct store_key *filed, struct layers *layers)
{
    layers_add_memtable(layers, store->active, store->is_clustered, whole);
    if (store->frozen != NULL) {
        layers_add_memtable(layers, store->frozen, store->is_clustered, whole);
    }
    if (store->is_permanent[range->table]) {
        layers_add_runs(layers, store->list, store->reader, whole);
    }
    struct layer_range looked_at = { .from = whole };
    if (store->is_clustered[range->table]) {
        looked_at = (struct layer_range){ .from = store_key_span(filed),
                                          .table = range->table,
                                          .within = filed_within(range->within) };
    }
    layers_add_table(layers, LAYER_DATA, store->reader, store->file.data, &looked_at);
}

static bool scan_step(const struct store *store, struct layers *layers, struct span *key,
                      struct span *value)
{
    enum status status = layers_next(layers, key, value);
    if (status == STATUS_CORRUPT) {
        store_corrupt_exit(store, *key);
    }
    return status == STATUS_OK;
}

void store_scan(void *context, const struct view_range *range, view_visit visit, void *argument)
{
    struct store *store = context;
    assert(store->table_known[range->table]);
    struct store_key whole = store_key_of(range->table, range->from);
    struct store_key filed = store_key_cluster(store_key_span(&whole));
    struct layers layers = { 0 };
    layers_open(store, range, store_key_span(&whole), &filed, &layers);
    store->scans++;
    struct span key = { 0 };
    struct span value = { 0 };
    bool goes_on = true;
    while (goes_on && scan_step(store, &layers, &key, &value) &&
           store_key_table(key) == range->table) {
        struct store_key found = store_key_whole(key);
        goes_on = visit(argument, store_key_part(store_key_span(&found)), value);
    }
    if (layers_end(&layers, &key) != STATUS_OK) {
        store_corrupt_exit(store, key);
    }
    store->scans--;
    layers_release(&layers);
}
