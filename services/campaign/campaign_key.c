#include "services/campaign/campaign_key.h"

#include <assert.h>
#include <string.h>

#define NUMBER_BYTES 8
#define CUSTOMER_BYTES 16

_Static_assert(1 + LIMIT_ID_BYTES + CUSTOMER_BYTES <= LIMIT_STATE_KEY_BYTES,
               "the longest key fits");
_Static_assert(sizeof(struct customer_id) == CUSTOMER_BYTES, "a customer is 16 bytes");

static void key_append(struct campaign_key *key, struct span bytes)
{
    assert(key->size + bytes.size <= sizeof key->bytes);
    memcpy(key->bytes + key->size, bytes.data, bytes.size);
    key->size = (uint8_t)(key->size + bytes.size);
}

struct span campaign_key_span(const struct campaign_key *key)
{
    return span_of(key->bytes, key->size);
}

struct campaign_key campaign_key_of_name(struct span name)
{
    assert(name.size >= 1 && name.size <= LIMIT_ID_BYTES);
    struct campaign_key key = { .size = 1, .bytes = { (uint8_t)name.size } };
    key_append(&key, name);
    return key;
}

struct campaign_key campaign_key_of_number(struct span campaign, uint64_t number)
{
    struct campaign_key key = campaign_key_of_name(campaign);
    uint8_t bytes[NUMBER_BYTES] = { 0 };
    be64_put(bytes, number);
    key_append(&key, span_of(bytes, sizeof bytes));
    return key;
}

struct campaign_key campaign_key_of_customer(struct span name, struct customer_id customer)
{
    struct campaign_key key = campaign_key_of_name(name);
    key_append(&key, span_of(customer.bytes, sizeof customer.bytes));
    return key;
}

struct campaign_key campaign_key_of_contact(struct customer_id customer, struct span attribute)
{
    assert(attribute.size >= 1 && attribute.size <= LIMIT_ID_BYTES);
    struct campaign_key key = { .size = 0 };
    key_append(&key, span_of(customer.bytes, sizeof customer.bytes));
    key_append(&key, attribute);
    return key;
}

struct campaign_key campaign_key_of_place(struct span channel, uint8_t place)
{
    struct campaign_key key = campaign_key_of_name(channel);
    key_append(&key, span_of(&place, sizeof place));
    return key;
}

/* The name at the front, with `rest` bytes behind it. */
static enum status name_decode(struct span bytes, size_t rest, struct span *name)
{
    if (bytes.size < 2 || bytes.data[0] < 1 || bytes.data[0] > LIMIT_ID_BYTES ||
        bytes.size != 1U + bytes.data[0] + rest) {
        return STATUS_MALFORMED;
    }
    *name = span_of(bytes.data + 1, bytes.data[0]);
    return STATUS_OK;
}

enum status campaign_key_name_decode(struct span bytes, struct span *name)
{
    return name_decode(bytes, 0, name);
}

enum status campaign_key_customer_decode(struct span bytes, struct span *name,
                                         struct customer_id *customer)
{
    enum status status = name_decode(bytes, CUSTOMER_BYTES, name);
    if (status == STATUS_OK) {
        memcpy(customer->bytes, name->data + name->size, CUSTOMER_BYTES);
    }
    return status;
}
