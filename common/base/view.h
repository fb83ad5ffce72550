/*
 * How a core reads and changes state, and all that it knows of any store.
 *
 * Tables are numbers; keys and values are bytes that the service's own key and record
 * files encode. A returned span lives until the next put or delete, and no longer than
 * the turn: decode it into a struct at once. What a visit is shown lives until it returns.
 */
#ifndef KITH_BASE_VIEW_H
#define KITH_BASE_VIEW_H

#include "common/base/bytes.h"

/* One record of a scan. Return false to end it. No put or delete while it runs. */
typedef bool (*view_visit)(void *argument, struct span key, struct span value);

/* Records of `table` with key >= `from`. */
struct view_range {
    uint8_t table;
    struct span from;
    /* A hint: nobody looks at keys that do not share so many first bytes of `from`. The scan
     * may end there; that it does is the visit's affair. */
    size_t within;
};

struct view {
    void *context;
    /* False: no such record. There is no error: a record with a wrong checksum ends the
     * process before anybody acts on it. */
    bool (*get)(void *context, uint8_t table, struct span key, struct span *value);
    /* The records of the range, ascending by bytes, until `visit` says so. */
    void (*scan)(void *context, const struct view_range *range, view_visit visit, void *argument);
};

struct change {
    struct view view; /* sees what was put before */
    void *context;
    void (*put)(void *context, uint8_t table, struct span key, struct span value);
    void (*delete)(void *context, uint8_t table, struct span key);
};

bool view_get(const struct view *view, uint8_t table, struct span key, struct span *value);
void view_scan(const struct view *view, uint8_t table, struct span from, view_visit visit,
               void *argument);
/* Like view_scan, but ends where keys no longer begin with `prefix`. */
void view_walk(const struct view *view, uint8_t table, struct span prefix, view_visit visit,
               void *argument);
/* Like view_walk with the first `range->within` bytes of `range->from`, from there on. */
void view_walk_from(const struct view *view, const struct view_range *range, view_visit visit,
                    void *argument);
void change_put(const struct change *change, uint8_t table, struct span key, struct span value);
void change_delete(const struct change *change, uint8_t table, struct span key);

#endif
