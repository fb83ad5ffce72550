/*
 * A bump allocator with a hard cap: what one message unpacks to, freed at once.
 */
#ifndef KITH_BASE_ARENA_H
#define KITH_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used;                /* bytes handed out since the last reset */
    size_t limit;
};

void arena_init(struct arena *arena, size_t limit);
void arena_release(struct arena *arena);
/* Keeps the first chunk, so that a steady state allocates nothing. */
void arena_reset(struct arena *arena);
/* 16-byte aligned. NULL: past the limit. */
void *arena_allocate(struct arena *arena, size_t size);

#endif
