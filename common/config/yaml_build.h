/*
 * The bytes of one YAML file to nodes, under the bounds of yaml_tree.h. Files, includes and
 * who owns the nodes are yaml_tree.c's matter.
 */
#ifndef KITH_CONFIG_YAML_BUILD_H
#define KITH_CONFIG_YAML_BUILD_H

#include "common/base/arena.h"
#include "common/base/bytes.h"
#include "common/config/yaml_tree.h"

struct yaml_source {
    struct yaml_tree *tree; /* whom the nodes will name as theirs */
    struct arena *arena;    /* where nodes and text lie */
    const char *file;       /* lives as long as the arena */
    struct span bytes;
};

/* STATUS_MALFORMED with FILE:LINE, or STATUS_OK and *root. */
MUST_USE enum status yaml_build(const struct yaml_source *source, struct yaml_node **root,
                                struct refusal *refusal);
/* A copy of `text` with a zero behind it; NULL: the arena is full. */
const char *yaml_text_copy(struct arena *arena, struct span text);

#endif
