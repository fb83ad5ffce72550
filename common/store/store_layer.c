#include "common/store/store_layer.h"

#include "common/store/store_file.h"

#include <assert.h>
#include <stdlib.h>

static void memtable_layer_show(struct layer *layer)
{
    layer->has_record = layer->entry != NULL;
    if (layer->has_record) {
        layer->key = memtable_entry_key(layer->entry);
        layer->value = memtable_entry_value(layer->entry);
    }
}

static void sorted_layer_move(struct layer *layer, size_t at)
{
    layer->sorted_at = at;
    layer->entry = at < layer->sorted_count ? layer->sorted[at] : NULL;
    memtable_layer_show(layer);
}

static void table_layer_move(struct layers *layers, struct layer *layer, struct span from,
                             MDB_cursor_op operation)
{
    MDB_val key = store_value_of(from);
    MDB_val value = { 0 };
    int code = mdb_cursor_get(layer->cursor, &key, &value, operation);
    layer->has_record = code == MDB_SUCCESS;
    if (layer->has_record) {
        layer->key = store_span_of(key);
        layer->value = store_span_of(value);
    } else if (code != MDB_NOTFOUND) {
        layers->is_broken = true;
    }
}

static void runs_layer_move(struct layers *layers, struct layer *layer)
{
    enum status status = run_cursor_next(layer->runs, &layer->key, &layer->value);
    layer->has_record = status == STATUS_OK;
    if (status == STATUS_CORRUPT) {
        layers->is_broken = true;
        layers->broken = layer->key;
    }
}

static void layer_advance(struct layers *layers, struct layer *layer)
{
    switch (layer->kind) {
    case LAYER_MEMTABLE:
        layer->entry = memtable_next(layer->entry);
        memtable_layer_show(layer);
        return;
    case LAYER_SORTED:
        sorted_layer_move(layer, layer->sorted_at + 1);
        return;
    case LAYER_PERMANENT:
        runs_layer_move(layers, layer);
        return;
    case LAYER_RUN:
    case LAYER_DATA:
        table_layer_move(layers, layer, (struct span){ 0 }, MDB_NEXT);
        return;
    }
}

static struct layer *layer_add(struct layers *layers, enum layer_kind kind)
{
    assert(layers->count < LAYERS_MAX);
    struct layer *layer = &layers->layers[layers->count++];
    *layer = (struct layer){ .kind = kind };
    return layer;
}

void layers_add_memtable(struct layers *layers, struct memtable *memtable, struct span from)
{
    struct layer *layer = layer_add(layers, LAYER_MEMTABLE);
    layer->entry = memtable_lower_bound(memtable, from);
    memtable_layer_show(layer);
}

void layers_add_memtable_whole(struct layers *layers, const struct memtable *memtable)
{
    struct layer *layer = layer_add(layers, LAYER_SORTED);
    layer->sorted = memtable_sort(memtable);
    layer->sorted_count = memtable_count(memtable);
    sorted_layer_move(layer, 0);
}

void layers_add_table(struct layers *layers, enum layer_kind kind, MDB_txn *txn, MDB_dbi table,
                      struct span from)
{
    struct layer *layer = layer_add(layers, kind);
    int code = mdb_cursor_open(txn, table, &layer->cursor);
    assert(code == MDB_SUCCESS); /* memory is all that it needs */
    table_layer_move(layers, layer, from, MDB_SET_RANGE);
}

void layers_add_runs(struct layers *layers, const struct run_list *list, MDB_txn *txn,
                     struct span from)
{
    struct layer *layer = layer_add(layers, LAYER_PERMANENT);
    layer->runs = memory_allocate(sizeof *layer->runs);
    run_cursor_open(layer->runs, list->runs, list->count, txn, from);
    runs_layer_move(layers, layer);
}

static void layer_release(struct layer *layer)
{
    free(layer->sorted);
    if (layer->cursor != NULL) {
        mdb_cursor_close(layer->cursor);
    }
    if (layer->runs != NULL) {
        run_cursor_release(layer->runs);
        free(layer->runs);
    }
}

void layers_release(struct layers *layers)
{
    for (size_t i = 0; i < layers->count; i++) {
        layer_release(&layers->layers[i]);
    }
    *layers = (struct layers){ 0 };
}

/* The newest of the layers that stand at the smallest key. */
static const struct layer *layer_least(const struct layers *layers)
{
    const struct layer *least = NULL;
    for (size_t i = 0; i < layers->count; i++) {
        const struct layer *layer = &layers->layers[i];
        if (layer->has_record && (least == NULL || span_compare(layer->key, least->key) < 0)) {
            least = layer;
        }
    }
    return least;
}

/* Checksums are looked at only here: a record that a newer one hides may be broken, nobody
 * acts on it and the next merge writes over it. */
static bool layer_open(const struct layer *layer, struct store_image *image)
{
    switch (layer->kind) {
    case LAYER_MEMTABLE:
    case LAYER_SORTED:
        *image = (struct store_image){ memtable_entry_is_tombstone(layer->entry), layer->value };
        return true;
    case LAYER_RUN:
        return store_image_open(layer->key, layer->value, image);
    case LAYER_DATA:
        return store_record_open(layer->key, layer->value, &image->value);
    case LAYER_PERMANENT: /* whose blocks were found good */
        image->value = layer->value;
        return true;
    }
    return false;
}

static void layers_pass(struct layers *layers, struct span key)
{
    for (size_t i = 0; i < layers->count; i++) {
        struct layer *layer = &layers->layers[i];
        if (layer->has_record && span_equal(layer->key, key)) {
            layer_advance(layers, layer);
        }
    }
}

enum status layers_next(struct layers *layers, struct span *key, struct span *value)
{
    for (;;) {
        if (layers->is_broken) {
            *key = layers->broken;
            return STATUS_CORRUPT;
        }
        const struct layer *least = layer_least(layers);
        if (least == NULL) {
            return STATUS_NOT_FOUND;
        }
        *key = least->key;
        struct store_image image = { 0 };
        if (!layer_open(least, &image)) {
            return STATUS_CORRUPT;
        }
        layers_pass(layers, *key);
        if (!image.tombstone) {
            *value = image.value;
            return STATUS_OK;
        }
    }
}
