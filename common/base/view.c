#include "common/base/view.h"

bool view_get(const struct view *view, uint8_t table, struct span key, struct span *value)
{
    return view->get(view->context, table, key, value);
}

void view_scan(const struct view *view, uint8_t table, struct span from, view_visit visit,
               void *argument)
{
    view->scan(view->context, table, from, visit, argument);
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
    struct walk walk = { .prefix = prefix, .visit = visit, .argument = argument };
    view_scan(view, table, prefix, walk_visit, &walk);
}

void change_put(const struct change *change, uint8_t table, struct span key, struct span value)
{
    change->put(change->context, table, key, value);
}

void change_delete(const struct change *change, uint8_t table, struct span key)
{
    change->delete (change->context, table, key);
}
