/*
 * Rows of a file, one after the other, whatever they are: columns separated by blanks,
 * CSV (RFC 4180), or a JSON object a line. A row that is none is handed on with its fault
 * and reading goes on behind it.
 *
 * Lines end with LF or CRLF; a last line without an end is a row; empty lines are no rows,
 * and the header is none either. A row is at most LIMIT_EVENT_BYTES.
 */
#ifndef KITH_CLI_ROW_READER_H
#define KITH_CLI_ROW_READER_H

#include "cli/map.h"

#define ROW_FAULT_BYTES 192

/* What a row has in a column that the map names. */
struct row_cell {
    bool is_there;
    struct span text;
};

/* Lives until the next call. */
struct row {
    uint64_t number;   /* from 1 */
    struct span bytes; /* as it stands, without its end */
    /* What is kept of a row that is no event: the header, a line feed and the row, so that
     * it can be read alone; where that is too long, the row. */
    struct span content;
    bool is_cut;                  /* it goes on behind `bytes` */
    struct hash128 whole;         /* of all its bytes, when it is cut */
    const char *fault;            /* NULL: `cells` tells all */
    const struct row_cell *cells; /* one for each column of the map */
};

/* Where rows are read from: a descriptor that can be read by offset, or memory. */
struct row_input {
    const char *name; /* for messages */
    int descriptor;   /* -1: memory */
    uint64_t size;    /* what lies behind does not belong to it */
    struct span memory;
};

/* A place between two rows. */
struct row_place {
    uint64_t offset;
    uint64_t rows; /* before it */
};

enum row_step {
    ROW_READ,
    ROW_END,
    ROW_BROKEN /* the host cannot read on; the refusal says why */
};

struct row_reader;

/* Reads the header, if the map has one. Map and descriptor outlive the reader.
 * STATUS_MALFORMED: the header lacks a column that the map names. */
MUST_USE enum status row_reader_open(struct row_reader **reader, const struct row_input *input,
                                     const struct map *map, struct refusal *refusal);
void row_reader_close(struct row_reader **reader);
/* Anything but ROW_READ leaves `row` untouched. */
enum row_step row_reader_next(struct row_reader *reader, struct row *row, struct refusal *refusal);
struct row_place row_reader_place(const struct row_reader *reader);
/* Goes to a place that row_reader_place told of the same content. */
void row_reader_seek(struct row_reader *reader, struct row_place place);

#endif
