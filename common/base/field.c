#include "common/base/field.h"

static bool bytes_take(struct span *rest, uint64_t size, struct span *bytes)
{
    if (size > rest->size) {
        return false;
    }
    *bytes = (struct span){ rest->data, (size_t)size };
    rest->data += size;
    rest->size -= (size_t)size;
    return true;
}

static bool value_take(struct span *rest, uint64_t wire, struct field *field)
{
    uint64_t size = 0;
    switch (wire) {
    case FIELD_WIRE_VARINT:
        field->kind = FIELD_VARINT;
        return field_varint_take(rest, &field->value);
    case FIELD_WIRE_BYTES:
        field->kind = FIELD_BYTES;
        return field_varint_take(rest, &size) && bytes_take(rest, size, &field->bytes);
    case FIELD_WIRE_FIXED64:
    case FIELD_WIRE_FIXED32:
        field->kind = FIELD_FIXED;
        return bytes_take(rest, wire == FIELD_WIRE_FIXED64 ? 8 : 4, &field->bytes);
    default:
        return false;
    }
}

enum field_step field_next_any(struct span *rest, struct field *field)
{
    uint64_t tag = 0;
    if (!field_varint_take(rest, &tag) || tag >> 3U == 0 || tag >> 3U > FIELD_NUMBER_MAX ||
        !value_take(rest, tag & 7U, field)) {
        return FIELD_BROKEN;
    }
    field->number = (uint32_t)(tag >> 3U);
    return FIELD_READ;
}
