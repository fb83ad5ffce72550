#include "common/store/store_layer.h"

#include "common/store/store_file.h"

#include <assert.h>
#include <stdlib.h>

static void memtable_layer_show(struct layer *layer)
{
    layer->has_record = layer->entry != NULL;
    if (!layer->has_record) {
        return;
    }
    layer->key = memtable_entry_key(layer->entry);
    layer->value = memtable_entry_value(layer->entry);
    if (layer->clustered[layer->key.data[0]]) {
        layer->made = store_key_cluster(layer->key);
        layer->key = store_key_span(&layer->made);
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

/* A record that is not handed out, but bounds what is: with a rotten key it would hide others. */
static void bound_check(struct layers *layers, struct span key, struct span sealed)
{
    struct span value = { 0 };
    if (!store_record_open(key, sealed, &value)) {
        layers->is_broken = true;
        layers->broken = key;
    }
}

/* At the place where a scan begins: the record before it. Back by a step, since another search
 * may come to another place, if a key there has rotted. */
static void table_layer_look_back(struct layers *layers, struct layer *layer)
{
    MDB_val key = { 0 };
    MDB_val value = { 0 };
    int code = mdb_cursor_get(layer->cursor, &key, &value, layer->has_record ? MDB_PREV : MDB_LAST);
    if (code == MDB_NOTFOUND) {
        return; /* there is none, and the cursor has not moved */
    }
    if (code != MDB_SUCCESS) {
        layers->is_broken = true;
        return;
    }
    bound_check(layers, store_span_of(key), store_span_of(value));
    if (layer->has_record) {
        table_layer_move(layers, layer, (struct span){ 0 }, MDB_NEXT);
    }
}

/* The first key of the table behind that of a record of another table. False: no subject
 * follows. */
static bool cluster_next(struct span key, uint8_t table, struct store_key *next)
{
    *next = store_key_whole(key);
    uint8_t passed = next->bytes[0];
    next->bytes[0] = table;
    next->size = 1 + LIMIT_STATE_SUBJECT_BYTES;
    if (passed > table) {
        size_t i = next->size - 1;
        while (i > 0 && ++next->bytes[i] == 0) {
            i -= 1;
        }
        if (i == 0) {
            return false;
        }
    }
    *next = store_key_cluster(store_key_span(next));
    return true;
}

/* In a cluster lie records of other tables between those of one. */
static void cluster_layer_settle(struct layers *layers, struct layer *layer)
{
    const struct layer_range *range = &layer->range;
    struct span within = span_of(range->from.data, range->within);
    while (layer->has_record && store_key_table(layer->key) != range->table) {
        struct store_key next = { .size = 0 };
        bound_check(layers, layer->key, layer->value);
        layer->has_record = store_key_is_clustered(layer->key) &&
                            cluster_next(layer->key, range->table, &next) &&
                            span_has_prefix(store_key_span(&next), within);
        if (layer->has_record) {
            table_layer_move(layers, layer, store_key_span(&next), MDB_SET_RANGE);
        }
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
        if (layer->range.table != 0) {
            cluster_layer_settle(layers, layer);
        }
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

void layers_add_memtable(struct layers *layers, struct memtable *memtable, const bool *clustered,
                         struct span from)
{
    struct layer *layer = layer_add(layers, LAYER_MEMTABLE);
    layer->clustered = clustered;
    layer->entry = memtable_lower_bound(memtable, from);
    memtable_layer_show(layer);
}

void layers_add_memtable_whole(struct layers *layers, const struct memtable *memtable,
                               const bool *clustered)
{
    struct layer *layer = layer_add(layers, LAYER_SORTED);
    layer->clustered = clustered;
    layer->sorted = memtable_sort(memtable, clustered);
    layer->sorted_count = memtable_count(memtable);
    sorted_layer_move(layer, 0);
}

void layers_add_table(struct layers *layers, enum layer_kind kind, MDB_txn *txn, MDB_dbi table,
                      const struct layer_range *range)
{
    struct layer *layer = layer_add(layers, kind);
    layer->range = *range;
    layer->cursor = store_file_cursor(txn, table);
    table_layer_move(layers, layer, range->from, MDB_SET_RANGE);
    if (kind == LAYER_DATA && range->from.size > 0) {
        table_layer_look_back(layers, layer);
    }
    if (range->table != 0) {
        cluster_layer_settle(layers, layer);
    }
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

/* Besides here, checksums are looked at where a scan begins, leaps and ends (bound_check): any
 * other record that a newer one hides may be broken, nobody acts on it and the next merge writes
 * over it. */
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

/* What a layer made of its key, it makes anew of the next one. */
static struct span key_keep(struct layers *layers, const struct layer *layer)
{
    if (layer->key.data != layer->made.bytes) {
        return layer->key;
    }
    layers->current = layer->made;
    return store_key_span(&layers->current);
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

enum status layers_end(struct layers *layers, struct span *key)
{
    for (size_t i = 0; i < layers->count; i++) {
        const struct layer *layer = &layers->layers[i];
        if (layer->kind == LAYER_DATA && layer->has_record) {
            bound_check(layers, layer->key, layer->value);
        }
    }
    *key = layers->broken;
    return layers->is_broken ? STATUS_CORRUPT : STATUS_OK;
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
        *key = key_keep(layers, least);
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
