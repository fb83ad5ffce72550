/*
 * The rows of all files of a load, mapped, one after the other: in the order of the files,
 * or sorted by when they happened.
 */
#ifndef KITH_CLI_LOAD_SOURCE_H
#define KITH_CLI_LOAD_SOURCE_H

#include "cli/input_file.h"
#include "cli/load_row.h"
#include "cli/row_event.h"

/* Each holds a descriptor. */
#define LOAD_FILES_MAX 256

/* All of it outlives the source. */
struct load_source_options {
    const struct input_file *files;
    size_t file_count;
    const struct map *map;
    const struct zone *zone;
    bool by_time;
    const char *folder; /* for what does not fit into memory */
    size_t memory_bytes;
};

struct load_source;

/* Looks at each file's header and, by time, reads and sorts all. Errors name the file. */
MUST_USE enum status load_source_open(struct load_source **source,
                                      const struct load_source_options *options,
                                      struct refusal *refusal);
void load_source_close(struct load_source **source);
/* Goes on from a place that load_source_place told of the same files; nothing was read. */
MUST_USE enum status load_source_seek(struct load_source *source, struct load_place place,
                                      struct refusal *refusal);
/* The row lives until the next call. */
enum row_step load_source_next(struct load_source *source, struct load_row *row,
                               struct refusal *refusal);
struct load_place load_source_place(const struct load_source *source);
/* How much of all bytes the rows before this place are, from 0 to 1. */
double load_source_share(const struct load_source *source);

#endif
