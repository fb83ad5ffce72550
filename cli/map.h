/*
 * A map: how a row of somebody's file becomes an event. Read from YAML and checked whole,
 * so that a slip in it stops a load before the first row leaves. config/maps has examples.
 */
#ifndef KITH_CLI_MAP_H
#define KITH_CLI_MAP_H

#include "common/base/event.h"
#include "common/base/refusal.h"

/* Bytes of a column's name. */
#define MAP_COLUMN_BYTES 128
/* Different columns that one map may name: two for each attribute, and the rest. */
#define MAP_COLUMNS_MAX 192
/* Columns of a row, where they have numbers for names. */
#define MAP_NUMBER_MAX 4096
#define MAP_VALUES_MAX 64
#define MAP_VALUE_BYTES 64
#define MAP_ID_COLUMNS_MAX 8
#define MAP_PREFIX_BYTES 32
#define MAP_TYPES_MAX 32
/* Digits behind the point of any currency of ISO 4217. */
#define MAP_DIGITS_MAX 4

/* No column. */
#define MAP_NO_COLUMN SIZE_MAX

enum map_format { MAP_COLUMNS, MAP_CSV, MAP_NDJSON };
enum map_time {
    MAP_TIME_AUTO, /* any of the others: 8 digits are a day, 10 seconds, 13 milliseconds */
    MAP_TIME_YYYYMMDD,
    MAP_TIME_YYYY_MM_DD,
    MAP_TIME_RFC3339,
    MAP_TIME_UNIX_S,
    MAP_TIME_UNIX_MS,
};

struct map_type_text {
    char text[LIMIT_ID_BYTES + 1];
};
/* A column's value and the type of event that it means. */
struct map_value {
    char value[MAP_VALUE_BYTES + 1];
    struct map_type_text type;
};
/* Where an amount stands. Either a currency for all rows or a column that names it. */
struct map_money {
    size_t column;
    char currency[4]; /* empty: see currency_column */
    size_t currency_column;
    unsigned digits;
};
struct map_attribute {
    char name[LIMIT_ID_BYTES + 1];
    size_t column;
    enum attribute_kind kind;
    enum map_time time;     /* ATTRIBUTE_AT */
    struct map_money money; /* ATTRIBUTE_MONEY */
    bool personal;
};

/* Columns are numbered in the order in which the map first names them; a member `column` is
 * such a number. */
struct map {
    struct hash128 digest; /* of the file */
    char source[LIMIT_ID_BYTES + 1];
    enum map_format format;
    char delimiter; /* MAP_CSV */
    bool header;    /* the first row names the columns; otherwise they are "1", "2", ... */
    size_t column_count;
    char columns[MAP_COLUMNS_MAX][MAP_COLUMN_BYTES + 1];

    struct map_type_text type; /* of all rows; empty: see type_column */
    size_t type_column;
    size_t value_count; /* 0: the column's text is the type */
    struct map_value values[MAP_VALUES_MAX];

    bool id_is_row; /* the file's digest and the row's number */
    size_t id_column_count;
    size_t id_columns[MAP_ID_COLUMNS_MAX];
    char id_prefix[MAP_PREFIX_BYTES + 1];

    size_t customer_column;
    size_t time_column;
    enum map_time time;

    bool has_amount;
    struct map_money amount;
    size_t amount_type_count; /* 0: rows of every type have it */
    struct map_type_text amount_types[MAP_TYPES_MAX];

    size_t attribute_count;
    struct map_attribute attributes[LIMIT_ATTRIBUTES];
};

/* Whether some row's time may be a day alone, which begins when the suite's zone says. */
bool map_needs_zone(const struct map *map);

/* *map must be NULL before; the caller ends it with map_close.
 *   STATUS_MALFORMED  "FILE:LINE: key: what is wrong; how to mend it"
 *   STATUS_NOT_FOUND, STATUS_DENIED, STATUS_LIMIT  the file cannot be read */
MUST_USE enum status map_open(struct map **map, const char *path, struct refusal *refusal);
/* The same from memory; `name` stands in messages. */
MUST_USE enum status map_parse(struct map **map, const char *name, struct span text,
                               struct refusal *refusal);
void map_close(struct map **map);

#endif
