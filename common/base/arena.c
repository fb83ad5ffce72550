#include "common/base/arena.h"

#include "common/base/bytes.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#define ARENA_ALIGNMENT 16
/* Holds most messages whole; larger ones cost a few doublings, once. */
#define ARENA_CHUNK_LEAST 4096

struct arena_chunk {
    struct arena_chunk *next; /* the one before it in time, and smaller */
    size_t capacity;
    size_t used;
    _Alignas(ARENA_ALIGNMENT) uint8_t bytes[];
};

void arena_init(struct arena *arena, size_t limit)
{
    /* Far from where sizes overflow, so that the sums below need no check. */
    assert(limit <= SIZE_MAX / 4);
    *arena = (struct arena){ .limit = limit };
}

static void chunks_free(struct arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void arena_release(struct arena *arena)
{
    chunks_free(arena->chunks);
    arena_init(arena, arena->limit);
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
    struct arena_chunk *newest = arena->chunks;
    if (newest == NULL) {
        return;
    }
    /* The newest is the largest: after a few messages it holds a usual one alone. */
    chunks_free(newest->next);
    newest->next = NULL;
    newest->used = 0;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void chunk_add(struct arena *arena, size_t size)
{
    size_t doubled = arena->chunks == NULL ? 0 : 2 * arena->chunks->capacity;
    /* Never larger than all that may be handed out, so the arena's memory is bounded too. */
    size_t most = larger(arena->limit, size);
    size_t wanted = larger(larger(doubled, ARENA_CHUNK_LEAST), size);
    size_t capacity = wanted < most ? wanted : most;
    struct arena_chunk *chunk = memory_allocate_scattered(sizeof *chunk + capacity);
    chunk->next = arena->chunks;
    chunk->capacity = capacity;
    arena->chunks = chunk;
}

static bool chunk_has_room(const struct arena_chunk *chunk, size_t size)
{
    return chunk != NULL && size <= chunk->capacity - chunk->used;
}

void *arena_allocate(struct arena *arena, size_t size)
{
    if (size > arena->limit) {
        return NULL;
    }
    /* No bytes still get an address of their own. */
    size_t rounded = larger(size, 1) + ARENA_ALIGNMENT - 1;
    rounded -= rounded % ARENA_ALIGNMENT;
    if (rounded > arena->limit - arena->used) {
        return NULL;
    }
    if (!chunk_has_room(arena->chunks, rounded)) {
        chunk_add(arena, rounded);
    }
    struct arena_chunk *chunk = arena->chunks;
    void *memory = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used += rounded;
    return memory;
}
