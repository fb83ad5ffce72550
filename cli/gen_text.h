/*
 * An event as a line of JSON, and the map that says how `kith ingest` reads such lines.
 */
#ifndef KITH_CLI_GEN_TEXT_H
#define KITH_CLI_GEN_TEXT_H

#include "cli/gen_slot.h"
#include "common/base/bytes.h"

/* No line is longer, its end included. */
#define GEN_LINE_BYTES 768

/* Which event of which visit, when, and the how manieth of all. */
struct gen_line {
    const struct gen_slot *slot;
    const struct gen_event *event;
    const struct gen_date *date;
    int64_t at_ms;
    uint64_t number; /* from 1: the event's id */
};

/* Writes at most GEN_LINE_BYTES; returns how many. */
size_t gen_line_write(const struct gen_world *world, const struct gen_line *line, char *out);

/* Events of another seed are another source's: their ids say nothing of each other. */
void gen_map_write(uint64_t seed, struct buffer *out);

#endif
