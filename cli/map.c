#include "cli/map.h"

#include "cli/input_file.h"
#include "cli/map_reading.h"
#include "common/base/id.h"
#include "common/config/config.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const char *const format_names[] = { "columns", "csv", "ndjson", NULL };
static const char *const time_names[] = { "auto",   "yyyymmdd", "yyyy-mm-dd", "rfc3339",
                                          "unix_s", "unix_ms",  NULL };
static const char *const kind_names[] = { "text", "integer", "flag", "at", "money", NULL };

/* ---- parts of an event */

static enum status values_read(const struct map_reading *reading, struct yaml_node *values)
{
    struct map *map = reading->map;
    if (values->kind != YAML_MAPPING || values->first == NULL) {
        return config_fault(values, reading->refusal,
                            "values: must say which value means which type; write {A: purchase}");
    }
    for (struct yaml_node *node = values->first; node != NULL; node = node->next) {
        struct map_scalar type = { "" };
        enum status status = map_item_read(reading, node, &type);
        if (status == STATUS_OK) {
            status = map_type_check(reading, node, type.text);
        }
        if (status != STATUS_OK) {
            return status;
        }
        size_t size = strlen(node->key);
        if (map->value_count == MAP_VALUES_MAX || size > MAP_VALUE_BYTES) {
            return config_fault(node, reading->refusal,
                                "values: are at most %d of at most %d bytes each; leave some out",
                                MAP_VALUES_MAX, MAP_VALUE_BYTES);
        }
        struct map_value *value = &map->values[map->value_count++];
        memcpy(value->value, node->key, size + 1);
        map_type_set(&value->type, type.text);
    }
    return STATUS_OK;
}

static enum status type_read(const struct map_reading *reading, struct yaml_node *event)
{
    struct map *map = reading->map;
    map->type_column = MAP_NO_COLUMN;
    struct yaml_node *node = config_child(event, "type");
    if (node != NULL && node->kind == YAML_MAPPING) {
        enum status status =
            map_column_read(reading, node, "column", /* required= */ true, &map->type_column);
        struct yaml_node *values = config_child(node, "values");
        return status == STATUS_OK && values != NULL ? values_read(reading, values) : status;
    }
    struct map_scalar type = { "" };
    enum status status = map_scalar_read(reading, event, "type", /* required= */ true, &type);
    if (status == STATUS_OK) {
        status = map_type_check(reading, node, type.text);
    }
    if (status == STATUS_OK) {
        map_type_set(&map->type, type.text);
    }
    return status;
}

static enum status id_columns_read(const struct map_reading *reading, struct yaml_node *list)
{
    struct map *map = reading->map;
    if (list->kind != YAML_SEQUENCE || list->first == NULL) {
        return config_fault(list, reading->refusal,
                            "must be a list of columns that tell rows apart; write [a, b]");
    }
    for (struct yaml_node *node = list->first; node != NULL; node = node->next) {
        if (map->id_column_count == MAP_ID_COLUMNS_MAX) {
            return config_fault(node, reading->refusal, "is one column too many; name at most %d",
                                MAP_ID_COLUMNS_MAX);
        }
        struct map_scalar name = { "" };
        enum status status = map_item_read(reading, node, &name);
        if (status == STATUS_OK) {
            status =
                map_column_take(reading, node, name.text, &map->id_columns[map->id_column_count]);
        }
        if (status != STATUS_OK) {
            return status;
        }
        map->id_column_count++;
    }
    return STATUS_OK;
}

static enum status id_read(const struct map_reading *reading, struct yaml_node *event)
{
    struct map *map = reading->map;
    struct yaml_node *node = config_child(event, "id");
    if (node != NULL && node->kind == YAML_SEQUENCE) {
        return id_columns_read(reading, node);
    }
    if (node != NULL && node->kind == YAML_MAPPING) {
        struct config_field prefix = { .key = "prefix",
                                       .kind = CONFIG_TEXT,
                                       .offset = offsetof(struct map, id_prefix),
                                       .size = sizeof map->id_prefix,
                                       .least = 1 };
        enum status status = config_fields_read(node, &prefix, 1, map, reading->refusal);
        struct yaml_node *columns = config_child(node, "columns");
        if (status != STATUS_OK) {
            return status;
        }
        return columns != NULL ? id_columns_read(reading, columns)
                               : config_fault(node, reading->refusal,
                                              "id: names no columns; write columns: [a, b]");
    }
    struct map_scalar word = { "" };
    enum status status = map_scalar_read(reading, event, "id", /* required= */ true, &word);
    if (status != STATUS_OK) {
        return status;
    }
    if (strcmp(word.text, "row") != 0) {
        return config_fault(node, reading->refusal,
                            "id: '%s' is not known; write row, or a list of columns: [%s]",
                            word.text, word.text);
    }
    map->id_is_row = true;
    return STATUS_OK;
}

static enum status time_read(const struct map_reading *reading, struct yaml_node *event)
{
    struct map *map = reading->map;
    struct yaml_node *node = config_child(event, "occurred_at");
    if (node == NULL || node->kind != YAML_MAPPING) {
        return map_column_read(reading, event, "occurred_at", /* required= */ true,
                               &map->time_column);
    }
    int chosen = MAP_TIME_AUTO;
    struct config_field format = { .key = "format", .kind = CONFIG_CHOICE, .choices = time_names };
    enum status status = config_fields_read(node, &format, 1, &chosen, reading->refusal);
    map->time = (enum map_time)chosen;
    return status == STATUS_OK ? map_column_read(reading, node, "column", true, &map->time_column)
                               : status;
}

static bool is_currency(const char *text)
{
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

/* currency or currency_column, and digits; the column was read. */
static enum status money_read(const struct map_reading *reading, struct yaml_node *node,
                              struct map_money *money)
{
    struct map_scalar currency = { "" };
    uint32_t digits = 2;
    struct config_field field = {
        .key = "digits", .kind = CONFIG_U32, .least = 0, .most = MAP_DIGITS_MAX
    };
    enum status status = config_fields_read(node, &field, 1, &digits, reading->refusal);
    if (status == STATUS_OK) {
        status = map_scalar_read(reading, node, "currency", /* required= */ false, &currency);
    }
    if (status == STATUS_OK) {
        status = map_column_read(reading, node, "currency_column", /* required= */ false,
                                 &money->currency_column);
    }
    if (status != STATUS_OK) {
        return status;
    }
    money->digits = digits;
    if ((currency.text[0] == '\0') == (money->currency_column == MAP_NO_COLUMN)) {
        return config_fault(node, reading->refusal,
                            "must name one of currency and currency_column; write currency: USD");
    }
    if (currency.text[0] != '\0' && !is_currency(currency.text)) {
        return config_fault(config_child(node, "currency"), reading->refusal,
                            "currency: '%s' is not three capital letters; write an ISO 4217 code",
                            currency.text);
    }
    memcpy(money->currency, currency.text, sizeof money->currency);
    return STATUS_OK;
}

static enum status amount_types_read(const struct map_reading *reading, struct yaml_node *list)
{
    struct map *map = reading->map;
    if (list->kind != YAML_SEQUENCE || list->first == NULL) {
        return config_fault(list, reading->refusal,
                            "event_types: must be a list; write [purchase, bill_paid]");
    }
    for (struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct map_scalar type = { "" };
        enum status status = map_item_read(reading, node, &type);
        if (status == STATUS_OK) {
            status = map_type_check(reading, node, type.text);
        }
        if (status == STATUS_OK && map->amount_type_count == MAP_TYPES_MAX) {
            status = config_fault(node, reading->refusal, "is one too many; name at most %d",
                                  MAP_TYPES_MAX);
        }
        if (status != STATUS_OK) {
            return status;
        }
        map_type_set(&map->amount_types[map->amount_type_count++], type.text);
    }
    return STATUS_OK;
}

static enum status amount_read(const struct map_reading *reading, struct yaml_node *event)
{
    struct map *map = reading->map;
    struct yaml_node *node = config_child(event, "amount");
    if (node == NULL) {
        return STATUS_OK;
    }
    if (node->kind != YAML_MAPPING) {
        return config_fault(node, reading->refusal,
                            "amount: must say more than a column; write {column: price, "
                            "currency: USD, digits: 2}");
    }
    map->has_amount = true;
    enum status status = map_column_read(reading, node, "column", true, &map->amount.column);
    if (status == STATUS_OK) {
        status = money_read(reading, node, &map->amount);
    }
    struct yaml_node *types = config_child(node, "event_types");
    return status == STATUS_OK && types != NULL ? amount_types_read(reading, types) : status;
}

/* ---- attributes */

/* What belongs to one kind only may not stand at another. */
static enum status attribute_keys_check(const struct map_reading *reading, struct yaml_node *node,
                                        enum attribute_kind kind)
{
    static const struct {
        const char *key;
        enum attribute_kind kind;
    } owned[] = {
        { "format", ATTRIBUTE_AT },
        { "digits", ATTRIBUTE_MONEY },
        { "currency", ATTRIBUTE_MONEY },
        { "currency_column", ATTRIBUTE_MONEY },
    };
    for (size_t i = 0; i < COUNT_OF(owned); i++) {
        struct yaml_node *child = config_child(node, owned[i].key);
        if (child != NULL && owned[i].kind != kind) {
            return config_fault(child, reading->refusal,
                                "%s: is for attributes of type %s; take it out, or write type: %s",
                                owned[i].key, kind_names[owned[i].kind], kind_names[owned[i].kind]);
        }
    }
    return STATUS_OK;
}

static enum status attribute_name_check(const struct map_reading *reading, struct yaml_node *node,
                                        const char *name)
{
    const struct map *map = reading->map;
    if (!type_text_is_valid(span_of_text(name))) {
        return config_fault(config_child(node, "name"), reading->refusal,
                            "name: '%s' is no name; write 1 to 64 of a-z, 0-9, _ and .", name);
    }
    for (size_t i = 0; i < map->attribute_count; i++) {
        if (strcmp(map->attributes[i].name, name) == 0) {
            return config_fault(config_child(node, "name"), reading->refusal,
                                "name: %s stands twice; an event has each attribute once", name);
        }
    }
    return STATUS_OK;
}

struct attribute_fields {
    char name[LIMIT_ID_BYTES + 1];
    int kind;
    int time;
    bool personal;
};

static enum status attribute_fields_read(const struct map_reading *reading, struct yaml_node *node,
                                         struct attribute_fields *read)
{
    static const struct config_field fields[] = {
        { .key = "name",
          .kind = CONFIG_TEXT,
          .offset = offsetof(struct attribute_fields, name),
          .size = LIMIT_ID_BYTES + 1,
          .required = true,
          .least = 1 },
        { .key = "type",
          .kind = CONFIG_CHOICE,
          .offset = offsetof(struct attribute_fields, kind),
          .choices = kind_names },
        { .key = "format",
          .kind = CONFIG_CHOICE,
          .offset = offsetof(struct attribute_fields, time),
          .choices = time_names },
        { .key = "personal",
          .kind = CONFIG_BOOL,
          .offset = offsetof(struct attribute_fields, personal) },
    };
    return config_fields_read(node, fields, COUNT_OF(fields), read, reading->refusal);
}

static enum status attribute_read(const struct map_reading *reading, struct yaml_node *node)
{
    struct map *map = reading->map;
    if (node->kind != YAML_MAPPING || map->attribute_count == LIMIT_ATTRIBUTES) {
        return config_fault(node, reading->refusal,
                            "attributes: are at most %d mappings; write {name: n, column: c}",
                            LIMIT_ATTRIBUTES);
    }
    struct attribute_fields read = { .kind = ATTRIBUTE_TEXT, .time = MAP_TIME_AUTO };
    enum status status = attribute_fields_read(reading, node, &read);
    if (status == STATUS_OK) {
        status = attribute_name_check(reading, node, read.name);
    }
    struct map_attribute *attribute = &map->attributes[map->attribute_count];
    if (status == STATUS_OK) {
        status = attribute_keys_check(reading, node, (enum attribute_kind)read.kind);
    }
    if (status == STATUS_OK) {
        status = map_column_read(reading, node, "column", /* required= */ true, &attribute->column);
    }
    if (status == STATUS_OK && read.kind == ATTRIBUTE_MONEY) {
        attribute->money.column = attribute->column;
        status = money_read(reading, node, &attribute->money);
    }
    if (status != STATUS_OK) {
        return status;
    }
    memcpy(attribute->name, read.name, sizeof attribute->name);
    attribute->kind = (enum attribute_kind)read.kind;
    attribute->time = (enum map_time)read.time;
    attribute->personal = read.personal;
    map->attribute_count++;
    return STATUS_OK;
}

static enum status attributes_read(const struct map_reading *reading, struct yaml_node *event)
{
    struct yaml_node *list = config_child(event, "attributes");
    if (list == NULL) {
        return STATUS_OK;
    }
    if (list->kind != YAML_SEQUENCE) {
        return config_fault(list, reading->refusal,
                            "attributes: must be a list; begin each with a dash");
    }
    enum status status = STATUS_OK;
    for (struct yaml_node *node = list->first; node != NULL && status == STATUS_OK;
         node = node->next) {
        node->used = true;
        status = attribute_read(reading, node);
    }
    return status;
}

/* ---- the whole */

static enum status delimiter_read(const struct map_reading *reading, struct yaml_node *root)
{
    struct map *map = reading->map;
    struct yaml_node *node = config_child(root, "delimiter");
    map->delimiter = ',';
    if (node == NULL) {
        return STATUS_OK;
    }
    if (map->format != MAP_CSV) {
        return config_fault(node, reading->refusal, "delimiter: is for format: csv; take it out");
    }
    bool is_tab = node->kind == YAML_SCALAR && strcmp(node->text, "tab") == 0;
    bool is_one = node->kind == YAML_SCALAR && strlen(node->text) == 1 &&
                  strchr("\"\r\n", node->text[0]) == NULL && ((uint8_t)node->text[0] & 0x80U) == 0;
    if (!is_tab && !is_one) {
        return config_fault(node, reading->refusal,
                            "delimiter: must be one character, no quote; write \";\" or tab");
    }
    map->delimiter = node->text[0];
    if (is_tab) {
        map->delimiter = '\t';
    }
    return STATUS_OK;
}

static enum status header_check(const struct map_reading *reading, struct yaml_node *root)
{
    struct yaml_node *node = config_child(root, "header");
    if (reading->map->format != MAP_NDJSON) {
        return STATUS_OK;
    }
    reading->map->header = false;
    return node == NULL ? STATUS_OK
                        : config_fault(node, reading->refusal,
                                       "header: JSON names its values itself; take it out");
}

struct top_fields {
    uint32_t version;
    char source[LIMIT_ID_BYTES + 1];
    int format;
    bool header;
};

static enum status top_read(const struct map_reading *reading, struct yaml_node *root)
{
    static const struct config_field fields[] = {
        { .key = "version", .kind = CONFIG_U32, .required = true, .least = 1, .most = 1 },
        { .key = "source",
          .kind = CONFIG_TEXT,
          .offset = offsetof(struct top_fields, source),
          .size = LIMIT_ID_BYTES + 1,
          .required = true,
          .least = 1 },
        { .key = "format",
          .kind = CONFIG_CHOICE,
          .offset = offsetof(struct top_fields, format),
          .required = true,
          .choices = format_names },
        { .key = "header", .kind = CONFIG_BOOL, .offset = offsetof(struct top_fields, header) },
    };
    struct top_fields top = { .header = true };
    enum status status = config_fields_read(root, fields, COUNT_OF(fields), &top, reading->refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct map *map = reading->map;
    memcpy(map->source, top.source, sizeof map->source);
    map->format = (enum map_format)top.format;
    map->header = top.header;
    status = header_check(reading, root);
    return status == STATUS_OK ? delimiter_read(reading, root) : status;
}

static enum status event_read(const struct map_reading *reading, struct yaml_node *root)
{
    struct yaml_node *event = config_child(root, "event");
    if (event == NULL || event->kind != YAML_MAPPING) {
        return config_fault(event == NULL ? root : event, reading->refusal,
                            "event: must say what becomes of a row; write event: and below it "
                            "type, id, customer and occurred_at");
    }
    enum status status = type_read(reading, event);
    if (status == STATUS_OK) {
        status = id_read(reading, event);
    }
    if (status == STATUS_OK) {
        status = map_column_read(reading, event, "customer", true, &reading->map->customer_column);
    }
    if (status == STATUS_OK) {
        status = time_read(reading, event);
    }
    if (status == STATUS_OK) {
        status = amount_read(reading, event);
    }
    return status == STATUS_OK ? attributes_read(reading, event) : status;
}

bool map_needs_zone(const struct map *map)
{
    static const bool is_local[] = { [MAP_TIME_AUTO] = true,
                                     [MAP_TIME_YYYYMMDD] = true,
                                     [MAP_TIME_YYYY_MM_DD] = true,
                                     [MAP_TIME_UNIX_MS] = false };
    bool needs = is_local[map->time];
    for (size_t i = 0; i < map->attribute_count; i++) {
        needs =
            needs || (map->attributes[i].kind == ATTRIBUTE_AT && is_local[map->attributes[i].time]);
    }
    return needs;
}

enum status map_parse(struct map **map, const char *name, struct span text, struct refusal *refusal)
{
    assert(*map == NULL);
    struct yaml_tree *tree = NULL;
    enum status status = yaml_tree_parse(&tree, name, (const char *)text.data, text.size, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct map *read = memory_allocate(sizeof *read);
    struct map_reading reading = { .map = read, .refusal = refusal };
    struct yaml_node *root = yaml_tree_root(tree);
    read->digest = hash128_of_span(text);
    status = top_read(&reading, root);
    if (status == STATUS_OK) {
        status = event_read(&reading, root);
    }
    if (status == STATUS_OK) {
        status = config_unused_check(root, refusal);
    }
    yaml_tree_close(&tree);
    if (status != STATUS_OK) {
        map_close(&read);
        return status;
    }
    *map = read;
    return STATUS_OK;
}

enum status map_open(struct map **map, const char *path, struct refusal *refusal)
{
    struct buffer text;
    buffer_init(&text, YAML_FILE_BYTES_MAX);
    enum status status = input_text_read(path, &text, refusal);
    if (status == STATUS_OK) {
        status = map_parse(map, path, buffer_span(&text), refusal);
    }
    buffer_release(&text);
    return status;
}

void map_close(struct map **map)
{
    free(*map);
    *map = NULL;
}
