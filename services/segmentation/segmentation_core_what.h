/* What the newest event is remembered by. */
#ifndef KITH_SEGMENTATION_CORE_WHAT_H
#define KITH_SEGMENTATION_CORE_WHAT_H

#include "services/segmentation/segmentation_store.h"

/* Of a type of event; with an empty category, of all its events. */
static inline struct hash128 segmentation_what(struct span type, struct span category)
{
    struct span parts[] = { type, category };
    return hash128_of(span_of(NULL, 0), parts, sizeof parts / sizeof parts[0]);
}

/* Those that were asked for last: a few make up nearly all events, and the hash is one for
 * identity, not for speed. Begin with zeroes. */
#define SEGMENTATION_WHATS_MAX 64
struct segmentation_whats {
    struct segmentation_known_what {
        struct segmentation_name type; /* empty: nothing here yet */
        struct segmentation_name category;
        struct hash128 what;
    } known[SEGMENTATION_WHATS_MAX];
};

/* The same, of a type and a category of an event (asserted: both fit a name). */
static inline struct hash128 segmentation_what_find(struct segmentation_whats *whats,
                                                    struct span type, struct span category)
{
    assert(type.size > 0);
    struct segmentation_known_what *known =
        &whats->known[checksum_of(type, category) % SEGMENTATION_WHATS_MAX];
    if (!span_equal(segmentation_name_span(&known->type), type) ||
        !span_equal(segmentation_name_span(&known->category), category)) {
        *known = (struct segmentation_known_what){ .type = segmentation_name_of(type),
                                                   .category = segmentation_name_of(category),
                                                   .what = segmentation_what(type, category) };
    }
    return known->what;
}

#endif
