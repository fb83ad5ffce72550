#include "services/loyalty/loyalty_key.h"

#include <string.h>

/* Where the parts of a key stand. */
#define CUSTOMER_AT 4
#define OWN_AT 4
#define NUMBER_AT LOYALTY_ACCOUNT_KEY_BYTES
#define CHUNK_AT 4

struct loyalty_account_key_bytes loyalty_account_key_encode(struct loyalty_account_key key)
{
    struct loyalty_account_key_bytes out = { 0 };
    be32_put(out.bytes, key.programme);
    memcpy(out.bytes + CUSTOMER_AT, key.customer.bytes, sizeof key.customer.bytes);
    return out;
}

struct loyalty_own_key_bytes loyalty_own_key_encode(struct loyalty_own_key key)
{
    struct loyalty_own_key_bytes out = { 0 };
    be32_put(out.bytes, key.programme);
    out.bytes[OWN_AT] = (uint8_t)key.kind;
    return out;
}

struct loyalty_entry_key_bytes loyalty_entry_key_encode(struct loyalty_entry_key key)
{
    struct loyalty_entry_key_bytes out = { 0 };
    struct loyalty_account_key_bytes account = loyalty_account_key_encode(key.account);
    memcpy(out.bytes, account.bytes, sizeof account.bytes);
    be64_put(out.bytes + NUMBER_AT, key.number);
    return out;
}

struct loyalty_posting_key_bytes loyalty_posting_key_encode(uint64_t seq)
{
    struct loyalty_posting_key_bytes out = { 0 };
    be64_put(out.bytes, seq);
    return out;
}

struct loyalty_rules_key_bytes loyalty_rules_key_encode(uint32_t version, uint16_t chunk)
{
    struct loyalty_rules_key_bytes out = { 0 };
    be32_put(out.bytes, version);
    be16_put(out.bytes + CHUNK_AT, chunk);
    return out;
}

struct loyalty_programme_name_key_bytes loyalty_programme_name_key_encode(uint32_t number)
{
    struct loyalty_programme_name_key_bytes out = { 0 };
    be32_put(out.bytes, number);
    return out;
}

enum status loyalty_account_key_decode(struct span bytes, struct loyalty_account_key *key)
{
    if (bytes.size != LOYALTY_ACCOUNT_KEY_BYTES) {
        return STATUS_MALFORMED;
    }
    key->programme = be32_get(bytes.data);
    memcpy(key->customer.bytes, bytes.data + CUSTOMER_AT, sizeof key->customer.bytes);
    return STATUS_OK;
}

enum status loyalty_own_key_decode(struct span bytes, struct loyalty_own_key *key)
{
    if (bytes.size != LOYALTY_OWN_KEY_BYTES || bytes.data[OWN_AT] > LOYALTY_OWN_SPENT) {
        return STATUS_MALFORMED;
    }
    key->programme = be32_get(bytes.data);
    key->kind = (enum loyalty_own_kind)bytes.data[OWN_AT];
    return STATUS_OK;
}

enum status loyalty_entry_key_decode(struct span bytes, struct loyalty_entry_key *key)
{
    if (bytes.size != LOYALTY_ENTRY_KEY_BYTES) {
        return STATUS_MALFORMED;
    }
    uint64_t number = be64_get(bytes.data + NUMBER_AT);
    if (number == 0) {
        return STATUS_MALFORMED;
    }
    key->number = number;
    return loyalty_account_key_decode(span_of(bytes.data, NUMBER_AT), &key->account);
}
