/* What the newest event is remembered by. */
#ifndef KITH_SEGMENTATION_CORE_WHAT_H
#define KITH_SEGMENTATION_CORE_WHAT_H

#include "common/base/hash.h"

/* Of a type of event; with an empty category, of all its events. */
static inline struct hash128 segmentation_what(struct span type, struct span category)
{
    struct span parts[] = { type, category };
    return hash128_of(span_of(NULL, 0), parts, sizeof parts / sizeof parts[0]);
}

#endif
