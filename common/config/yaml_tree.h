/*
 * A YAML file as a small tree with line numbers, read by libyaml's event API under bounds:
 * at most 256 KiB, depth 8, one document; anchors, aliases, tags and doubled keys refused.
 */
#ifndef KITH_CONFIG_YAML_TREE_H
#define KITH_CONFIG_YAML_TREE_H

#include "common/base/refusal.h"

#include <stdbool.h>

#define YAML_FILE_BYTES_MAX (256 * 1024)
#define YAML_DEPTH_MAX 8
/* Of one mapping: doubled keys are found by comparing each key with those before it. */
#define YAML_KEYS_MAX 1024
#define YAML_INCLUDES_MAX 64
/* Nodes and text of a file and all that it includes; the densest single file fits. */
#define YAML_TREE_BYTES_MAX (16 * 1024 * 1024)

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_tree; /* owns nodes and text */

/* A key that a reader of a mapping asked for, whether it is there or not. */
struct yaml_known {
    const char *key;
    const struct yaml_known *next;
};

struct yaml_node {
    enum yaml_kind kind;
    unsigned line; /* from 1 */
    const char *file;
    const char *key; /* in a mapping: this entry's key; otherwise NULL */
    unsigned key_line;
    const char *text; /* scalar: its text */
    bool quoted;      /* scalar: in quotes or a block, so it is text whatever it looks like */
    struct yaml_node *first; /* children in the file's order */
    struct yaml_node *next;
    bool used;                      /* read by somebody; what is not is an unknown key */
    const struct yaml_known *known; /* mapping: see yaml_node_know */
    struct yaml_tree *tree;
};

/* STATUS_MALFORMED: `refusal` message says FILE:LINE: what and how to mend it.
 * STATUS_NOT_FOUND: no such file. STATUS_DENIED: it may not be read.
 * A plain scalar without text is `key:` with nothing behind it.
 *
 * Top-level `include:` (a list of paths relative to the file) is read too when
 * `follow_includes`: each included file is a mapping whose top-level sequences and mappings
 * are joined to the root; a key in both is a doubled key unless both are sequences, which
 * are appended. An included file includes none itself; where one is missing, that is
 * STATUS_MALFORMED at the line that names it. */
MUST_USE enum status yaml_tree_load(struct yaml_tree **tree, const char *path, bool follow_includes,
                                    struct refusal *refusal);
/* The same from memory; `name` stands in messages. No includes. */
MUST_USE enum status yaml_tree_parse(struct yaml_tree **tree, const char *name, const char *text,
                                     size_t size, struct refusal *refusal);
void yaml_tree_close(struct yaml_tree **tree);
struct yaml_node *yaml_tree_root(struct yaml_tree *tree);

/* Remembers that readers of `mapping` know `key`, so that whoever misspelt it can be told.
 * The key is copied. */
void yaml_node_know(struct yaml_node *mapping, const char *key);

#endif
