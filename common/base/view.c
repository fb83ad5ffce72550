#include "common/base/view.h"

#include <assert.h>

bool view_get(const struct view *view, uint8_t table, struct span key, struct span *value)
{
    return view->get(view->context, table, key, value);
}

void view_scan(const struct view *view, uint8_t table, struct span from, view_visit visit,
               void *argument)
{
    struct view_range range = { .table = table, .from = from };
    view->scan(view->context, &range, visit, argument);
}

struct walk {
    struct span prefix;
    view_visit visit;
    void *argument;
};

static bool walk_visit(void *argument, struct span key, struct span value)
{
    const struct walk *walk = argument;
    return span_has_prefix(key, walk->prefix) && walk->visit(walk->argument, key, value);
}

void view_walk(const struct view *view, uint8_t table, struct span prefix, view_visit visit,
               void *argument)
{
    struct view_range range = { .table = table, .from = prefix, .within = prefix.size };
    view_walk_from(view, &range, visit, argument);
}

void view_walk_from(const struct view *view, const struct view_range *range, view_visit visit,
                    void *argument)
{
    assert(range->within <= range->from.size);
    struct walk walk = { .prefix = span_of(range->from.data, range->within),
                         .visit = visit,
                         .argument = argument };
    view->scan(view->context, range, walk_visit, &walk);
}

void change_put(const struct change *change, uint8_t table, struct span key, struct span value)
{
    change->put(change->context, table, key, value);
}

void change_delete(const struct change *change, uint8_t table, struct span key)
{
    change->delete (change->context, table, key);
}
