#include "common/journal/block_raw.h"

/* NULL: past the end, past 64 bits, or longer than it had to be. */
static const uint8_t *varint_get(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    uint64_t sum = 0;
    for (unsigned shift = 0; at != end && shift < 64; shift += 7) {
        uint8_t byte = *at++;
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            bool shortest = byte != 0 || shift == 0;
            bool fits = shift < 63 || byte == 1;
            *value = sum;
            return shortest && fits ? at : NULL;
        }
    }
    return NULL;
}

static const uint8_t *bytes_get(const uint8_t *at, const uint8_t *end, struct span *bytes)
{
    uint64_t size = 0;
    at = varint_get(at, end, &size);
    if (at == NULL || size > (size_t)(end - at)) {
        return NULL;
    }
    *bytes = span_of(at, (size_t)size);
    return at + size;
}

static const uint8_t *fixed64_get(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    uint64_t little = 0;
    if ((size_t)(end - at) < sizeof little) {
        return NULL;
    }
    memcpy(&little, at, sizeof little);
    *value = le64toh(little);
    return at + sizeof little;
}

/* Reads tag and value. `last` is the number of the field before, and gets this one's. */
static const uint8_t *field_get(const struct raw_shape *shape, const uint8_t *at,
                                const uint8_t *end, struct raw_value *values, unsigned *last)
{
    uint8_t tag = *at++;
    unsigned number = tag >> 3;
    unsigned wire = tag & 7;
    if (tag >= 0x80 || number <= *last) {
        return NULL;
    }
    *last = number;
    struct raw_value *value = &values[number];
    switch ((enum raw_kind)shape->kinds[number]) {
    case RAW_ABSENT:
        return NULL;
    case RAW_U32:
        at = wire == RAW_WIRE_VARINT ? varint_get(at, end, &value->number) : NULL;
        return value->number <= UINT32_MAX ? at : NULL;
    case RAW_U64:
        return wire == RAW_WIRE_VARINT ? varint_get(at, end, &value->number) : NULL;
    case RAW_FIXED64:
        return wire == RAW_WIRE_FIXED64 ? fixed64_get(at, end, &value->number) : NULL;
    case RAW_BYTES:
        return wire == RAW_WIRE_BYTES ? bytes_get(at, end, &value->bytes) : NULL;
    }
    return NULL;
}

bool raw_message_decode(const struct raw_shape *shape, struct span bytes, struct raw_value *values)
{
    if (bytes.size == 0) {
        return shape->required == 0;
    }
    const uint8_t *at = bytes.data;
    const uint8_t *end = bytes.data + bytes.size;
    unsigned last = 0;
    unsigned present = 0;
    while (at != end) {
        at = field_get(shape, at, end, values, &last);
        if (at == NULL) {
            return false;
        }
        present |= 1U << last;
    }
    return (present & shape->required) == shape->required;
}

const uint8_t *raw_item_get(const uint8_t *at, const uint8_t *end, struct span *item)
{
    return bytes_get(at + 1, end, item);
}
