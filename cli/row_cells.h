/*
 * Where a row ends, and what stands in its columns: the three formats, over bytes in
 * memory. row_reader.h is for files.
 */
#ifndef KITH_CLI_ROW_CELLS_H
#define KITH_CLI_ROW_CELLS_H

#include "cli/row_reader.h"

/* How the columns of rows and of the map hang together. */
struct row_binding {
    const struct map *map;
    size_t column_count; /* of a row, as the header says; 0: no header */
    size_t bound_count;  /* what follows has this many */
    uint16_t *slots;     /* column of the row -> column of the map, or ROW_UNBOUND */
};
#define ROW_UNBOUND UINT16_MAX

/* By numbers; header_bind comes after it where there is a header. */
void row_binding_init(struct row_binding *binding, const struct map *map);
void row_binding_release(struct row_binding *binding);

struct row_cells {
    struct row_cell cells[MAP_COLUMNS_MAX];
    uint8_t *scratch;            /* LIMIT_EVENT_BYTES: texts that do not stand as they are */
    char fault[ROW_FAULT_BYTES]; /* when filling said false */
    struct json_t *json;         /* whose texts the cells hold */
};

void row_cells_init(struct row_cells *cells);
void row_cells_release(struct row_cells *cells);
/* The cells of one row of at most LIMIT_EVENT_BYTES. False: it is no row of its format. */
bool row_cells_fill(struct row_cells *cells, const struct row_binding *binding, struct span bytes);
/* Binds by the names in the header. */
MUST_USE enum status row_header_bind(struct row_cells *cells, struct row_binding *binding,
                                     const char *name, struct span header, struct refusal *refusal);

enum row_border {
    BORDER_FOUND,
    BORDER_MISSING, /* these bytes hold no end of a row */
    BORDER_QUOTED,  /* nor that of a quoted text that begins in them */
};
/* How long the first row in `bytes` is, its LF included. */
enum row_border row_border_find(const struct map *map, struct span bytes, size_t *size);
/* A line without anything in it. */
bool row_is_blank(const struct map *map, struct span bytes);

/* A JSON object's members as cells. */
bool row_json_fill(struct row_cells *cells, const struct map *map, struct span bytes);

#endif
