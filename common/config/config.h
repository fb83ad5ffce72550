/*
 * Reading a YAML mapping by a table of fields: kind, least, most, default. Unknown keys,
 * wrong types and ranges are errors that name file and line.
 */
#ifndef KITH_CONFIG_CONFIG_H
#define KITH_CONFIG_CONFIG_H

#include "common/config/yaml_tree.h"

#include <stddef.h>
#include <stdint.h>

enum config_kind {
    CONFIG_U32,
    CONFIG_U64,
    CONFIG_I64,
    CONFIG_BOOL,
    CONFIG_TEXT,   /* char[size] in the struct; `least` is the fewest bytes; clean text */
    CONFIG_CHOICE, /* one of `choices`; an int in the struct gets its index */
    CONFIG_DECIMAL /* int64_t minor units with `digits` fraction digits; may be in quotes */
};

struct config_field {
    const char *key;
    enum config_kind kind;
    size_t offset;
    size_t size;   /* CONFIG_TEXT: of the array */
    bool required; /* otherwise the struct keeps what it held: its default */
    int64_t least;
    int64_t most;
    unsigned digits;
    const char *const *choices; /* ends with NULL */
};

/* Reads the fields that `node` (a mapping) has into `target`, whose defaults the caller
 * set. Marks what it read as used. STATUS_MALFORMED: "FILE:LINE: key: rule; mend", and
 * `target` is as it was. */
MUST_USE enum status config_fields_read(struct yaml_node *node, const struct config_field *fields,
                                        size_t count, void *target, struct refusal *refusal);
/* The child of a mapping, marked as used; NULL: none, or `node` is no mapping. */
struct yaml_node *config_child(struct yaml_node *node, const char *key);
/* STATUS_MALFORMED at the first key below `node` that nobody read, with the nearest known
 * key (one that a reader of the same mapping asked for) as a proposal where one is near.
 * NULL is taken: nothing there, nothing unused. */
MUST_USE enum status config_unused_check(const struct yaml_node *node, struct refusal *refusal);
/* The same for the keys of this one mapping: what lies below them has other readers. */
MUST_USE enum status config_keys_check(const struct yaml_node *node, struct refusal *refusal);
/* "FILE:LINE: " and the rest, STATUS_MALFORMED. */
enum status config_fault(const struct yaml_node *node, struct refusal *refusal, const char *format,
                         ...) __attribute__((format(printf, 3, 4)));
/* Strict numbers: the whole scalar, decimal, no sign but '-', no leading zeros, no
 * underscores, no quotes. */
MUST_USE enum status config_integer(const struct yaml_node *node, int64_t least, int64_t most,
                                    int64_t *value, struct refusal *refusal);

#endif
