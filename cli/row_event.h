/*
 * A row and its map make an event, or the reason why they do not. The reason names columns
 * and rules and never what stands in the row: it is kept in clear, the row may not be.
 */
#ifndef KITH_CLI_ROW_EVENT_H
#define KITH_CLI_ROW_EVENT_H

#include "cli/row_reader.h"
#include "common/base/zone.h"

/* Of a row: where it comes from. */
struct row_origin {
    /* `id: row` puts the row's number behind this: 32 hexadecimal digits. */
    const char *digest;
    /* When there is one, `id: row` is this: a row that is mapped again keeps its id. */
    struct span kept_id;
};

/* Lives until the next call. */
struct row_event {
    bool is_event;
    int64_t at_ms;       /* is_event */
    struct span id;      /* empty: none could be read */
    struct span encoded; /* is_event: an Event */
    struct span reason;  /* otherwise: a sentence of clean text */
};

struct row_mapper;

/* Map and zone outlive the mapper. */
void row_mapper_open(struct row_mapper **mapper, const struct map *map, const struct zone *zone);
void row_mapper_close(struct row_mapper **mapper);
void row_mapper_apply(struct row_mapper *mapper, const struct row *row,
                      const struct row_origin *origin, struct row_event *made);

/* "flag", "at" and the like from a cell's text. STATUS_MALFORMED: it is none. */
MUST_USE enum status row_time_parse(struct span text, enum map_time format, const struct zone *zone,
                                    int64_t *at_ms);
MUST_USE enum status row_flag_parse(struct span text, int64_t *flag);

#endif
