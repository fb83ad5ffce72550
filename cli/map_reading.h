/*
 * What the parts of a map's reader share: scalars, columns and types of a YAML file, each
 * with the sentence for when it is wrong.
 */
#ifndef KITH_CLI_MAP_READING_H
#define KITH_CLI_MAP_READING_H

#include "cli/map.h"
#include "common/config/yaml_tree.h"

/* A map while it is read; the refusal is the caller's. */
struct map_reading {
    struct map *map;
    struct refusal *refusal;
};
/* One scalar of the file. */
struct map_scalar {
    char text[MAP_COLUMN_BYTES + 1];
};

/* All: STATUS_MALFORMED with FILE:LINE. */

/* The value of `key` below `parent`; empty when it is not there and need not be. */
MUST_USE enum status map_scalar_read(const struct map_reading *reading, struct yaml_node *parent,
                                     const char *key, bool required, struct map_scalar *scalar);
/* An item of a list, or the value of a mapping whose keys are the map's own. */
MUST_USE enum status map_item_read(const struct map_reading *reading, struct yaml_node *node,
                                   struct map_scalar *scalar);

MUST_USE enum status map_type_check(const struct map_reading *reading, const struct yaml_node *node,
                                    const char *text);
/* Of a text that was checked. */
void map_type_set(struct map_type_text *type, const char *text);

/* The number of the column of this name, which `node` names. */
MUST_USE enum status map_column_take(const struct map_reading *reading,
                                     const struct yaml_node *node, const char *name,
                                     size_t *column);
/* The column that `key` below `parent` names; MAP_NO_COLUMN when it is not there. */
MUST_USE enum status map_column_read(const struct map_reading *reading, struct yaml_node *parent,
                                     const char *key, bool required, size_t *column);

#endif
