#include "common/store/store_internal.h"

#include <assert.h>

static void layers_open(const struct store *store, struct span from, struct layers *layers)
{
    layers_add_memtable(layers, store->active, from);
    if (store->frozen != NULL) {
        layers_add_memtable(layers, store->frozen, from);
    }
    if (store->is_permanent[from.data[0]]) {
        layers_add_runs(layers, store->list, store->reader, from);
    }
    layers_add_table(layers, LAYER_DATA, store->reader, store->file.data, from);
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

void store_scan(void *context, uint8_t table, struct span from, view_visit visit, void *argument)
{
    struct store *store = context;
    assert(store->table_known[table]);
    struct store_key first = store_key_of(table, from);
    struct layers layers = { 0 };
    layers_open(store, store_key_span(&first), &layers);
    store->scans++;
    struct span key = { 0 };
    struct span value = { 0 };
    while (scan_step(store, &layers, &key, &value) && key.data[0] == table &&
           visit(argument, store_key_part(key), value)) {
    }
    store->scans--;
    layers_release(&layers);
}
