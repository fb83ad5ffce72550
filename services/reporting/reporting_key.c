#include "services/reporting/reporting_key.h"

#include <assert.h>
#include <string.h>

/* Where the parts of a key stand. */
#define DAY_AT 2
#define KIND_AT 10

struct reporting_day_key_bytes reporting_day_key_encode(const struct reporting_day_key *key)
{
    assert(key->value.size <= REPORTING_VALUE_BYTES);
    struct reporting_day_key_bytes out = { .size = REPORTING_DAY_KEY_LEAST };
    be16_put(out.bytes, key->attribute);
    be_time_put(out.bytes + DAY_AT, key->day);
    out.bytes[KIND_AT] = key->value.present ? 1 : 0;
    if (key->value.present) {
        memcpy(out.bytes + REPORTING_DAY_KEY_LEAST, key->value.text, key->value.size);
        out.size += key->value.size;
    }
    return out;
}

enum status reporting_day_key_decode(struct span bytes, struct reporting_day_key *key)
{
    if (bytes.size < REPORTING_DAY_KEY_LEAST || bytes.size > REPORTING_DAY_KEY_BYTES) {
        return STATUS_MALFORMED;
    }
    size_t size = bytes.size - REPORTING_DAY_KEY_LEAST;
    uint8_t kind = bytes.data[KIND_AT];
    if (kind > 1 || (kind == 0 && size > 0)) {
        return STATUS_MALFORMED;
    }
    *key = (struct reporting_day_key){
        .attribute = be16_get(bytes.data),
        .day = be_time_get(bytes.data + DAY_AT),
        .value = { .present = kind == 1, .size = (uint8_t)size },
    };
    memcpy(key->value.text, bytes.data + REPORTING_DAY_KEY_LEAST, size);
    return STATUS_OK;
}
