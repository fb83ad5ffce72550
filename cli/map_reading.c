#include "cli/map_reading.h"

#include "common/base/id.h"
#include "common/base/money.h"
#include "common/config/config.h"

#include <assert.h>
#include <string.h>

/* ---- scalars */

enum status map_scalar_read(const struct map_reading *reading, struct yaml_node *parent,
                            const char *key, bool required, struct map_scalar *scalar)
{
    struct config_field field = { .key = key,
                                  .kind = CONFIG_TEXT,
                                  .size = sizeof scalar->text,
                                  .required = required,
                                  .least = 1 };
    *scalar = (struct map_scalar){ "" };
    return config_fields_read(parent, &field, 1, scalar, reading->refusal);
}

enum status map_item_read(const struct map_reading *reading, struct yaml_node *node,
                          struct map_scalar *scalar)
{
    node->used = true;
    if (node->kind != YAML_SCALAR || node->text[0] == '\0') {
        return config_fault(node, reading->refusal, "must be one text; write it in quotes");
    }
    struct span text = span_of_text(node->text);
    if (text.size > MAP_COLUMN_BYTES || !text_is_clean(text)) {
        return config_fault(node, reading->refusal, "is no clean text of 1 to %d bytes; shorten it",
                            MAP_COLUMN_BYTES);
    }
    memcpy(scalar->text, text.data, text.size);
    scalar->text[text.size] = '\0';
    return STATUS_OK;
}

enum status map_type_check(const struct map_reading *reading, const struct yaml_node *node,
                           const char *text)
{
    if (type_text_is_valid(span_of_text(text))) {
        return STATUS_OK;
    }
    return config_fault(node, reading->refusal,
                        "'%s' is no type of event; write 1 to 64 of a-z, 0-9, _ and .", text);
}

void map_type_set(struct map_type_text *type, const char *text)
{
    size_t size = strlen(text);
    assert(size < sizeof type->text); /* it was checked */
    memcpy(type->text, text, size + 1);
}

/* ---- columns */

static bool is_column_number(const char *name)
{
    int64_t number = 0;
    return name[0] >= '1' && name[0] <= '9' &&
           integer_parse(span_of_text(name), &number) == STATUS_OK && number <= MAP_NUMBER_MAX;
}

enum status map_column_take(const struct map_reading *reading, const struct yaml_node *node,
                            const char *name, size_t *column)
{
    struct map *map = reading->map;
    if (!map->header && map->format != MAP_NDJSON && !is_column_number(name)) {
        return config_fault(node, reading->refusal,
                            "'%s' is no column: without a header they are 1 to %d; write the "
                            "number, or header: true",
                            name, MAP_NUMBER_MAX);
    }
    size_t found = 0;
    while (found < map->column_count && strcmp(map->columns[found], name) != 0) {
        found++;
    }
    if (found == MAP_COLUMNS_MAX) {
        return config_fault(node, reading->refusal, "is one column too many; name at most %d",
                            MAP_COLUMNS_MAX);
    }
    if (found == map->column_count) {
        memcpy(map->columns[found], name, strlen(name) + 1); /* both hold 128 bytes */
        map->column_count++;
    }
    *column = found;
    return STATUS_OK;
}

enum status map_column_read(const struct map_reading *reading, struct yaml_node *parent,
                            const char *key, bool required, size_t *column)
{
    struct map_scalar name = { "" };
    enum status status = map_scalar_read(reading, parent, key, required, &name);
    *column = MAP_NO_COLUMN;
    if (status != STATUS_OK || name.text[0] == '\0') {
        return status;
    }
    return map_column_take(reading, config_child(parent, key), name.text, column);
}
