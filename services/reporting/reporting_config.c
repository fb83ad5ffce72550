#include "services/reporting/reporting_config.h"

#include <string.h>

static bool is_named(const struct reporting_attributes *attributes, struct span name)
{
    for (size_t i = 0; i < attributes->count; i++) {
        if (span_equal(span_of(attributes->names[i].text, attributes->names[i].size), name)) {
            return true;
        }
    }
    return false;
}

static enum status attribute_read(const struct yaml_node *node,
                                  struct reporting_attributes *attributes, struct refusal *refusal)
{
    if (node->kind != YAML_SCALAR || !id_text_is_valid(span_of_text(node->text))) {
        return config_fault(node, refusal,
                            "attributes: each is a name of 1 to %d bytes; write it as it stands in "
                            "events",
                            LIMIT_ID_BYTES);
    }
    struct span name = span_of_text(node->text);
    if (is_named(attributes, name)) {
        return config_fault(node, refusal, "attributes: '%s' is named twice; leave one away",
                            node->text);
    }
    if (attributes->count == REPORTING_ATTRIBUTES_MAX) {
        return config_fault(node, refusal, "attributes: more than %d names; leave some away",
                            REPORTING_ATTRIBUTES_MAX);
    }
    struct reporting_name *read = &attributes->names[attributes->count];
    *read = (struct reporting_name){ .size = (uint8_t)name.size };
    memcpy(read->text, name.data, name.size);
    attributes->count += 1;
    return STATUS_OK;
}

enum status reporting_config_read(struct yaml_node *own, struct reporting_attributes *attributes,
                                  struct refusal *refusal)
{
    struct reporting_attributes read = { .count = 0 };
    struct yaml_node *list = own == NULL ? NULL : config_child(own, "attributes");
    if (list != NULL && list->kind != YAML_SEQUENCE) {
        return config_fault(
            list, refusal, "attributes: must be a list; write [name, name] or one behind each '-'");
    }
    struct yaml_node *item = list == NULL ? NULL : list->first;
    for (; item != NULL; item = item->next) {
        enum status status = attribute_read(item, &read, refusal);
        if (status != STATUS_OK) {
            return status;
        }
    }
    enum status status = own == NULL ? STATUS_OK : config_unused_check(own, refusal);
    if (status == STATUS_OK) {
        *attributes = read;
    }
    return status;
}
