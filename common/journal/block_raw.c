#include "common/journal/block_raw.h"

#include <endian.h>
#include <string.h>

static bool fixed64_take(const struct field *field, uint64_t *value)
{
    uint64_t little = 0;
    if (field->kind != FIELD_FIXED || field->bytes.size != sizeof little) {
        return false;
    }
    memcpy(&little, field->bytes.data, sizeof little);
    *value = le64toh(little);
    return true;
}

static bool value_take(enum raw_kind kind, const struct field *field, struct raw_value *value)
{
    switch (kind) {
    case RAW_ABSENT:
        return false;
    case RAW_U32:
        value->number = field->value;
        return field->kind == FIELD_VARINT && field->value <= UINT32_MAX;
    case RAW_U64:
        value->number = field->value;
        return field->kind == FIELD_VARINT;
    case RAW_FIXED64:
        return fixed64_take(field, &value->number);
    case RAW_BYTES:
        value->bytes = field->bytes;
        return field->kind == FIELD_BYTES;
    }
    return false;
}

bool raw_message_decode(const struct raw_shape *shape, struct span bytes, struct raw_value *values)
{
    struct span rest = bytes;
    struct field field = { 0 };
    uint32_t last = 0;
    unsigned present = 0;
    while (rest.size > 0) {
        if (!raw_field_take(&rest, &field) || field.number <= last) {
            return false;
        }
        last = field.number;
        enum raw_kind kind = (enum raw_kind)shape->kinds[last];
        if (!value_take(kind, &field, &values[last])) {
            return false;
        }
        present |= 1U << last;
    }
    return (present & shape->required) == shape->required;
}

bool raw_item_take(struct span *rest, uint32_t field, struct span *item)
{
    struct span left = *rest;
    struct field taken = { 0 };
    if (left.size == 0 || !raw_field_take(&left, &taken) || taken.number != field ||
        taken.kind != FIELD_BYTES) {
        return false;
    }
    *rest = left;
    *item = taken.bytes;
    return true;
}
