#include "common/config/config.h"

#include "common/base/bytes.h"
#include "common/base/id.h"
#include "common/base/money.h"
#include "common/config/yaml_fault.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A key at this distance or nearer is proposed: two letters wrong, missing or too many. */
#define PROPOSAL_DISTANCE_MAX 2
/* Keys longer than any of ours are compared with none. */
#define PROPOSAL_KEY_BYTES_MAX 48

/* A field's value, checked and not yet stored. */
struct field_value {
    int64_t number; /* all kinds but CONFIG_TEXT */
    struct span text;
};

/* ---- faults */

enum status config_fault(const struct yaml_node *node, struct refusal *refusal, const char *format,
                         ...)
{
    char sentence[sizeof refusal->message] = { 0 };
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    /* A mapping begins at its first entry; people look for the line with its name. */
    bool named = node->key != NULL && node->kind != YAML_SCALAR;
    struct yaml_place place = { .file = node->file, .line = named ? node->key_line : node->line };
    return yaml_fault(refusal, place, "%s", sentence);
}

static const char *node_name(const struct yaml_node *node)
{
    return node->key == NULL ? "item" : node->key;
}

/* ---- values */

static bool node_is_empty(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && !node->quoted && node->text[0] == '\0';
}

static enum status scalar_check(const struct yaml_node *node, struct refusal *refusal)
{
    if (node->kind != YAML_SCALAR) {
        return config_fault(node, refusal, "%s: must be one value, not a list or a mapping",
                            node_name(node));
    }
    if (node_is_empty(node)) {
        return config_fault(node, refusal, "%s: has no value; write one behind the colon",
                            node_name(node));
    }
    return STATUS_OK;
}

/* integer_parse takes "007" and "-0"; in a file they are a slip or somebody's octal. */
static bool integer_is_canonical(const char *text)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] == '0') {
        return digits == text && digits[1] == '\0';
    }
    return digits[0] != '\0' && strspn(digits, "0123456789") == strlen(digits);
}

enum status config_integer(const struct yaml_node *node, int64_t least, int64_t most,
                           int64_t *value, struct refusal *refusal)
{
    enum status status = scalar_check(node, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    char shown[YAML_SHOWN_BYTES] = { 0 };
    (void)yaml_text_show(node->text, shown);
    if (node->quoted || !integer_is_canonical(node->text)) {
        return config_fault(node, refusal,
                            "%s: '%s' is not a whole number; write decimal digits only",
                            node_name(node), shown);
    }
    int64_t number = 0;
    status = integer_parse(span_of_text(node->text), &number);
    if (status != STATUS_OK || number < least || number > most) {
        return config_fault(node, refusal,
                            "%s: %s is not in %" PRId64 "..%" PRId64 "; write a number that is",
                            node_name(node), shown, least, most);
    }
    *value = number;
    return STATUS_OK;
}

static enum status bool_read(const struct yaml_node *node, int64_t *value, struct refusal *refusal)
{
    bool is_true = strcmp(node->text, "true") == 0;
    if (node->quoted || (!is_true && strcmp(node->text, "false") != 0)) {
        char shown[YAML_SHOWN_BYTES] = { 0 };
        return config_fault(node, refusal, "%s: '%s' is neither of two; write true or false",
                            node_name(node), yaml_text_show(node->text, shown));
    }
    *value = is_true ? 1 : 0;
    return STATUS_OK;
}

static enum status text_read(const struct yaml_node *node, const struct config_field *field,
                             struct span *value, struct refusal *refusal)
{
    struct span text = span_of_text(node->text);
    if (!text_is_clean(text)) {
        return config_fault(node, refusal, "%s: holds a line break or a tab; write it on one line",
                            node_name(node));
    }
    size_t most = field->size - 1;
    if (text.size > most || (int64_t)text.size < field->least) {
        return config_fault(node, refusal, "%s: has %zu bytes; write %" PRId64 " to %zu",
                            node_name(node), text.size, field->least, most);
    }
    *value = text;
    return STATUS_OK;
}

/* "a, b, c" of what a choice may be. */
static void choices_list(const char *const *choices, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; choices[i] != NULL; i++) {
        int added = snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ", choices[i]);
        assert(added >= 0);
        used += (size_t)added;
        if (used >= size) {
            return;
        }
    }
}

static enum status choice_read(const struct yaml_node *node, const struct config_field *field,
                               int64_t *value, struct refusal *refusal)
{
    assert(field->choices != NULL);
    for (int64_t i = 0; field->choices[i] != NULL; i++) {
        if (strcmp(node->text, field->choices[i]) == 0) {
            *value = i;
            return STATUS_OK;
        }
    }
    char list[128] = { 0 };
    choices_list(field->choices, list, sizeof list);
    char shown[YAML_SHOWN_BYTES] = { 0 };
    return config_fault(node, refusal, "%s: '%s' is not known; write one of: %s", node_name(node),
                        yaml_text_show(node->text, shown), list);
}

/* decimal_parse takes "007.50"; in a file that is a slip. */
static enum status decimal_strict_parse(const char *text, unsigned digits, int64_t *minor)
{
    const char *first = text[0] == '-' ? text + 1 : text;
    if (first[0] == '0' && first[1] != '.' && first[1] != '\0') {
        return STATUS_MALFORMED;
    }
    return decimal_parse(span_of_text(text), digits, minor);
}

static enum status decimal_read(const struct yaml_node *node, const struct config_field *field,
                                int64_t *value, struct refusal *refusal)
{
    char shown[YAML_SHOWN_BYTES] = { 0 };
    (void)yaml_text_show(node->text, shown);
    int64_t minor = 0;
    enum status status = decimal_strict_parse(node->text, field->digits, &minor);
    if (status == STATUS_MALFORMED) {
        return config_fault(
            node, refusal,
            "%s: '%s' is not an amount; write digits, with at most %u behind a point",
            node_name(node), shown, field->digits);
    }
    if (status != STATUS_OK || minor < field->least || minor > field->most) {
        char least[32] = { 0 };
        char most[32] = { 0 };
        decimal_format(field->least, field->digits, least);
        decimal_format(field->most, field->digits, most);
        return config_fault(node, refusal, "%s: %s is not in %s..%s; write an amount that is",
                            node_name(node), shown, least, most);
    }
    *value = minor;
    return STATUS_OK;
}

/* ---- fields */

static enum status field_read(const struct yaml_node *node, const struct config_field *field,
                              struct field_value *value, struct refusal *refusal)
{
    enum status status = scalar_check(node, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    switch (field->kind) {
    case CONFIG_U32:
    case CONFIG_U64:
    case CONFIG_I64:
        return config_integer(node, field->least, field->most, &value->number, refusal);
    case CONFIG_BOOL:
        return bool_read(node, &value->number, refusal);
    case CONFIG_TEXT:
        return text_read(node, field, &value->text, refusal);
    case CONFIG_CHOICE:
        return choice_read(node, field, &value->number, refusal);
    case CONFIG_DECIMAL:
        return decimal_read(node, field, &value->number, refusal);
    }
    return STATUS_INTERNAL;
}

static void field_store(const struct config_field *field, const struct field_value *value,
                        void *target)
{
    uint8_t *out = (uint8_t *)target + field->offset;
    uint32_t small = (uint32_t)value->number;
    uint64_t large = (uint64_t)value->number;
    bool flag = value->number != 0;
    int index = (int)value->number;
    switch (field->kind) {
    case CONFIG_U32:
        memcpy(out, &small, sizeof small);
        return;
    case CONFIG_U64:
        memcpy(out, &large, sizeof large);
        return;
    case CONFIG_I64:
    case CONFIG_DECIMAL:
        memcpy(out, &value->number, sizeof value->number);
        return;
    case CONFIG_BOOL:
        memcpy(out, &flag, sizeof flag);
        return;
    case CONFIG_CHOICE:
        memcpy(out, &index, sizeof index);
        return;
    case CONFIG_TEXT:
        memset(out, 0, field->size);
        memcpy(out, value->text.data, value->text.size);
        return;
    }
}

/* A table that cannot be kept is a bug of ours, not of the file. */
static void field_assert(const struct config_field *field)
{
    if (field->kind == CONFIG_U32) {
        assert(field->least >= 0 && field->most <= UINT32_MAX);
    }
    if (field->kind == CONFIG_U64) {
        assert(field->least >= 0);
    }
    if (field->kind == CONFIG_TEXT) {
        assert(field->size > 0);
    }
}

/* Reads one field; with a `target`, stores it. */
static enum status field_take(struct yaml_node *node, const struct config_field *field,
                              void *target, struct refusal *refusal)
{
    field_assert(field);
    struct yaml_node *child = config_child(node, field->key);
    if (child == NULL && field->required) {
        return config_fault(node, refusal, "%s: is missing; write it in %s", field->key,
                            node->key == NULL ? "this mapping" : node->key);
    }
    if (child == NULL) {
        return STATUS_OK;
    }
    struct field_value value = { .number = 0 };
    enum status status = field_read(child, field, &value, refusal);
    if (status == STATUS_OK && target != NULL) {
        field_store(field, &value, target);
    }
    return status;
}

static enum status fields_take(struct yaml_node *node, const struct config_field *fields,
                               size_t count, void *target, struct refusal *refusal)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = field_take(node, &fields[i], target, refusal);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status config_fields_read(struct yaml_node *node, const struct config_field *fields,
                               size_t count, void *target, struct refusal *refusal)
{
    if (node->kind != YAML_MAPPING) {
        return config_fault(node, refusal, "%s: must be a mapping; write `key: value` lines",
                            node_name(node));
    }
    /* First all are checked, then all are stored: a faulty one leaves the target alone. */
    enum status status = fields_take(node, fields, count, NULL, refusal);
    return status == STATUS_OK ? fields_take(node, fields, count, target, refusal) : status;
}

struct yaml_node *config_child(struct yaml_node *node, const char *key)
{
    if (node->kind != YAML_MAPPING) {
        return NULL;
    }
    yaml_node_know(node, key);
    struct yaml_node *child = node->first;
    while (child != NULL && strcmp(child->key, key) != 0) {
        child = child->next;
    }
    if (child != NULL) {
        child->used = true;
    }
    return child;
}

/* ---- unknown keys */

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to change, add or take away (Levenshtein). Both at most PROPOSAL_KEY_BYTES_MAX. */
static size_t edit_distance(const char *from, const char *to)
{
    size_t row[PROPOSAL_KEY_BYTES_MAX + 1] = { 0 };
    size_t to_size = strlen(to);
    for (size_t j = 0; j <= to_size; j++) {
        row[j] = j;
    }
    for (size_t i = 0; from[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < to_size; j++) {
            size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = least_of(changed, least_of(diagonal, row[j]) + 1);
        }
    }
    return row[to_size];
}

/* NULL: none is near. A key of two letters is near to nothing: the distance has to be
 * smaller than the key. */
static const char *nearest_known(const struct yaml_node *mapping, const char *key)
{
    const char *nearest = NULL;
    size_t best = least_of(PROPOSAL_DISTANCE_MAX + 1, strlen(key));
    const struct yaml_known *known = strlen(key) > PROPOSAL_KEY_BYTES_MAX ? NULL : mapping->known;
    for (; known != NULL; known = known->next) {
        bool comparable = strlen(known->key) <= PROPOSAL_KEY_BYTES_MAX;
        size_t distance = comparable ? edit_distance(key, known->key) : SIZE_MAX;
        if (distance < best) {
            best = distance;
            nearest = known->key;
        }
    }
    return nearest;
}

static enum status unknown_fault(const struct yaml_node *mapping, const struct yaml_node *child,
                                 struct refusal *refusal)
{
    struct yaml_place place = { .file = child->file, .line = child->key_line };
    char shown[YAML_SHOWN_BYTES] = { 0 };
    (void)yaml_text_show(child->key, shown);
    const char *nearest = nearest_known(mapping, child->key);
    if (nearest != NULL) {
        return yaml_fault(refusal, place, "%s: unknown key; did you mean '%s'?", shown, nearest);
    }
    return yaml_fault(refusal, place, "%s: unknown key; take it out", shown);
}

static bool child_is_unknown(const struct yaml_node *child)
{
    return child->key != NULL && !child->used;
}

enum status config_keys_check(const struct yaml_node *node, struct refusal *refusal)
{
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        if (child_is_unknown(child)) {
            return unknown_fault(node, child, refusal);
        }
    }
    return STATUS_OK;
}

enum status config_unused_check(const struct yaml_node *node, struct refusal *refusal)
{
    /* Depth first, in the file's order; the tree is no deeper than this. */
    struct {
        const struct yaml_node *parent;
        const struct yaml_node *next;
    } levels[YAML_DEPTH_MAX + 1] = { { node, node == NULL ? NULL : node->first } };
    size_t depth = 1;
    while (depth > 0) {
        const struct yaml_node *child = levels[depth - 1].next;
        if (child == NULL) {
            depth--;
            continue;
        }
        if (child_is_unknown(child)) {
            return unknown_fault(levels[depth - 1].parent, child, refusal);
        }
        levels[depth - 1].next = child->next;
        assert(depth <= YAML_DEPTH_MAX);
        levels[depth].parent = child;
        levels[depth].next = child->first;
        depth++;
    }
    return STATUS_OK;
}
