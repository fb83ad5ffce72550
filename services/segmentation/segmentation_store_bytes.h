/* How the files of the store reach their records; nobody else's. */
#ifndef KITH_SEGMENTATION_STORE_BYTES_H
#define KITH_SEGMENTATION_STORE_BYTES_H

#include "common/base/record.h"
#include "services/segmentation/segmentation_store.h"

#define RECORD_VERSION 1

static inline bool record_get(const struct view *view, enum segmentation_table table,
                              const struct segmentation_key *key, struct span *value)
{
    return view_get(view, (uint8_t)table, segmentation_key_span(key), value);
}

static inline void record_put(const struct change *change, enum segmentation_table table,
                              const struct segmentation_key *key, struct span value)
{
    change_put(change, (uint8_t)table, segmentation_key_span(key), value);
}

static inline void record_delete(const struct change *change, enum segmentation_table table,
                                 const struct segmentation_key *key)
{
    change_delete(change, (uint8_t)table, segmentation_key_span(key));
}

#endif
