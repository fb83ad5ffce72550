#include "services/segmentation/segmentation_key.h"

#include <assert.h>
#include <string.h>

/* Where the parts of a key stand. */
#define AFTER_CUSTOMER SEGMENTATION_CUSTOMER_BYTES
#define AFTER_NUMBER 4
#define AFTER_TIME 8

#define EVENT_KEY_BYTES (AFTER_CUSTOMER + 16)
#define FEATURE_KEY_BYTES (AFTER_CUSTOMER + 2)
#define MEMBERSHIP_KEY_BYTES (AFTER_CUSTOMER + AFTER_NUMBER)
#define DUE_KEY_BYTES (AFTER_TIME + SEGMENTATION_CUSTOMER_BYTES)
#define RULES_KEY_BYTES (AFTER_NUMBER + 2)
#define HEAD_KEY 1

struct span segmentation_key_span(const struct segmentation_key *key)
{
    return span_of(key->bytes, key->size);
}

struct segmentation_key segmentation_customer_key(struct customer_id customer)
{
    struct segmentation_key key = { .size = AFTER_CUSTOMER };
    memcpy(key.bytes, customer.bytes, sizeof customer.bytes);
    return key;
}

struct segmentation_key segmentation_profile_key(struct customer_id customer, struct span name)
{
    assert(name.size >= 1 && name.size <= LIMIT_ID_BYTES);
    struct segmentation_key key = segmentation_customer_key(customer);
    memcpy(key.bytes + key.size, name.data, name.size);
    key.size += name.size;
    return key;
}

struct segmentation_key segmentation_event_key_encode(struct segmentation_event_key key)
{
    struct segmentation_key out = segmentation_customer_key(key.customer);
    be_time_put(out.bytes + AFTER_CUSTOMER, key.at_ms);
    be64_put(out.bytes + AFTER_CUSTOMER + AFTER_TIME, key.number);
    out.size = EVENT_KEY_BYTES;
    return out;
}

struct segmentation_key segmentation_feature_key(struct customer_id customer, uint16_t feature)
{
    struct segmentation_key key = segmentation_customer_key(customer);
    be16_put(key.bytes + AFTER_CUSTOMER, feature);
    key.size = FEATURE_KEY_BYTES;
    return key;
}

struct segmentation_key segmentation_latest_key(struct customer_id customer, struct hash128 what)
{
    struct segmentation_key key = segmentation_customer_key(customer);
    memcpy(key.bytes + AFTER_CUSTOMER, what.bytes, sizeof what.bytes);
    key.size = AFTER_CUSTOMER + sizeof what.bytes;
    return key;
}

struct segmentation_key segmentation_membership_key(struct customer_id customer, uint32_t segment)
{
    struct segmentation_key key = segmentation_customer_key(customer);
    be32_put(key.bytes + AFTER_CUSTOMER, segment);
    key.size = MEMBERSHIP_KEY_BYTES;
    return key;
}

struct segmentation_key segmentation_due_key_encode(struct segmentation_due_key key)
{
    struct segmentation_key out = { .size = DUE_KEY_BYTES };
    be_time_put(out.bytes, key.at_ms);
    memcpy(out.bytes + AFTER_TIME, key.customer.bytes, sizeof key.customer.bytes);
    return out;
}

struct segmentation_key segmentation_member_key(uint32_t segment, struct span text)
{
    assert(text.size <= LIMIT_ID_BYTES);
    struct segmentation_key key = segmentation_segment_key(segment);
    if (text.size > 0) {
        memcpy(key.bytes + key.size, text.data, text.size);
    }
    key.size += text.size;
    return key;
}

struct segmentation_key segmentation_segment_key(uint32_t number)
{
    struct segmentation_key key = { .size = AFTER_NUMBER };
    be32_put(key.bytes, number);
    return key;
}

struct segmentation_key segmentation_rules_key(uint32_t version, uint16_t chunk)
{
    struct segmentation_key key = segmentation_rules_prefix(version);
    be16_put(key.bytes + AFTER_NUMBER, chunk);
    key.size = RULES_KEY_BYTES;
    return key;
}

struct segmentation_key segmentation_rules_prefix(uint32_t version)
{
    return segmentation_segment_key(version);
}

struct segmentation_key segmentation_head_key(void)
{
    return (struct segmentation_key){ .size = 1, .bytes = { HEAD_KEY } };
}

static struct customer_id customer_of_bytes(const uint8_t *bytes)
{
    struct customer_id customer = { { 0 } };
    memcpy(customer.bytes, bytes, sizeof customer.bytes);
    return customer;
}

enum status segmentation_customer_key_decode(struct span bytes, struct customer_id *customer)
{
    if (bytes.size != AFTER_CUSTOMER) {
        return STATUS_MALFORMED;
    }
    *customer = customer_of_bytes(bytes.data);
    return STATUS_OK;
}

enum status segmentation_event_key_decode(struct span bytes, struct segmentation_event_key *key)
{
    if (bytes.size != EVENT_KEY_BYTES) {
        return STATUS_MALFORMED;
    }
    uint64_t number = be64_get(bytes.data + AFTER_CUSTOMER + AFTER_TIME);
    if (number == 0) {
        return STATUS_MALFORMED;
    }
    *key = (struct segmentation_event_key){ .customer = customer_of_bytes(bytes.data),
                                            .at_ms = be_time_get(bytes.data + AFTER_CUSTOMER),
                                            .number = number };
    return STATUS_OK;
}

enum status segmentation_feature_key_decode(struct span bytes, uint16_t *feature)
{
    if (bytes.size != FEATURE_KEY_BYTES) {
        return STATUS_MALFORMED;
    }
    *feature = be16_get(bytes.data + AFTER_CUSTOMER);
    return STATUS_OK;
}

enum status segmentation_membership_key_decode(struct span bytes, uint32_t *segment)
{
    if (bytes.size != MEMBERSHIP_KEY_BYTES) {
        return STATUS_MALFORMED;
    }
    *segment = be32_get(bytes.data + AFTER_CUSTOMER);
    return STATUS_OK;
}

enum status segmentation_due_key_decode(struct span bytes, struct segmentation_due_key *key)
{
    if (bytes.size != DUE_KEY_BYTES) {
        return STATUS_MALFORMED;
    }
    *key = (struct segmentation_due_key){ .at_ms = be_time_get(bytes.data),
                                          .customer = customer_of_bytes(bytes.data + AFTER_TIME) };
    return STATUS_OK;
}

enum status segmentation_member_key_decode(struct span bytes, uint32_t *segment, struct span *text)
{
    if (bytes.size <= AFTER_NUMBER || bytes.size > AFTER_NUMBER + LIMIT_ID_BYTES) {
        return STATUS_MALFORMED;
    }
    *segment = be32_get(bytes.data);
    *text = span_of(bytes.data + AFTER_NUMBER, bytes.size - AFTER_NUMBER);
    return STATUS_OK;
}
