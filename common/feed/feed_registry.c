#include "common/feed/feed_registry.h"

#include <stdio.h>
#include <string.h>

/* The place of `name`; registry->count: it has none. */
static size_t entry_index(const struct feed_registry *registry, const char *name)
{
    size_t i = 0;
    while (i < registry->count && strcmp(registry->entries[i].name, name) != 0) {
        i += 1;
    }
    return i;
}

static struct feed_registry_entry *entry_find(struct feed_registry *registry, const char *name)
{
    size_t i = entry_index(registry, name);
    return i < registry->count ? &registry->entries[i] : NULL;
}

/* A place for a new name: a free one, or that of the consumer longest unseen. */
static struct feed_registry_entry *entry_place(struct feed_registry *registry)
{
    if (registry->count < FEED_CONSUMERS_MAX) {
        return &registry->entries[registry->count++];
    }
    struct feed_registry_entry *oldest = &registry->entries[0];
    for (size_t i = 1; i < registry->count; i++) {
        if (registry->entries[i].seen_ms < oldest->seen_ms) {
            oldest = &registry->entries[i];
        }
    }
    return oldest;
}

uint64_t feed_registry_note(struct feed_registry *registry, const char *name, uint64_t durable,
                            int64_t monotonic_ms)
{
    struct feed_registry_entry *entry = entry_find(registry, name);
    if (entry == NULL) {
        entry = entry_place(registry);
        *entry = (struct feed_registry_entry){ .inputs_told = UINT64_MAX };
        (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    }
    entry->durable_position = durable;
    entry->seen_ms = monotonic_ms;
    return entry->inputs_told;
}

void feed_registry_told(struct feed_registry *registry, const char *name, uint64_t inputs)
{
    struct feed_registry_entry *entry = entry_find(registry, name);
    if (entry != NULL) {
        entry->inputs_told = inputs;
    }
}

uint64_t feed_registry_pace_mark(const struct feed_registry *registry, const char *name)
{
    size_t i = entry_index(registry, name);
    return i < registry->count ? registry->entries[i].pace_mark : 0;
}

void feed_registry_paced(struct feed_registry *registry, const char *name, uint64_t mark)
{
    struct feed_registry_entry *entry = entry_find(registry, name);
    if (entry != NULL) {
        entry->pace_mark = mark;
    }
}

size_t feed_registry_list(const struct feed_registry *registry, uint64_t end,
                          struct feed_consumer *out, size_t max)
{
    size_t count = registry->count < max ? registry->count : max;
    for (size_t i = 0; i < count; i++) {
        const struct feed_registry_entry *entry = &registry->entries[i];
        out[i] = (struct feed_consumer){
            .durable_position = entry->durable_position,
            .seen_ms = entry->seen_ms,
            .lag = end > entry->durable_position ? end - entry->durable_position : 0,
        };
        memcpy(out[i].name, entry->name, sizeof out[i].name);
    }
    return count;
}
