#include "services/campaign/campaign_store.h"

#include "common/base/record.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 1
#define HEAD_KEY 1

/* Sizes of values, version byte included. */
#define HEAD_BYTES (1 + 4 + 16 + 3 * 8)
#define STANDING_BYTES (1 + 4 + 3 * 8 + 3 + 4 + 16 + 7 * 8)
#define SUBJECT_BYTES (1 + 4 + 1 + CAMPAIGN_SUBJECT_BYTES)
#define CONTACT_BYTES (1 + 4 + CAMPAIGN_CONTACT_BYTES)
#define TIME_BYTES (1 + 8)
#define QUEUED_BYTES (1 + 16 + 8 + 8)
#define CAP_BYTES (1 + 1 + CAMPAIGNS_CAP_MESSAGES_MAX * (8 + 8 + 1))

_Static_assert(CONTACT_BYTES <= LIMIT_STATE_VALUE_BYTES, "an attribute is one record");

/* ---- values */

struct campaign_name campaign_name_of(struct span text)
{
    assert(text.size <= LIMIT_ID_BYTES);
    struct campaign_name name = { .size = (uint8_t)text.size };
    if (text.size > 0) {
        memcpy(name.text, text.data, text.size);
    }
    return name;
}

struct span campaign_name_span(const struct campaign_name *name)
{
    return span_of(name->text, name->size);
}

struct campaign_subject campaign_subject_of(struct sealed sealed)
{
    assert(sealed.bytes.size <= CAMPAIGN_SUBJECT_BYTES);
    struct campaign_subject subject = { .key_id = sealed.key_id,
                                        .size = (uint8_t)sealed.bytes.size };
    if (sealed.bytes.size > 0) {
        memcpy(subject.bytes, sealed.bytes.data, sealed.bytes.size);
    }
    return subject;
}

struct sealed campaign_subject_sealed(const struct campaign_subject *subject)
{
    return (struct sealed){ .key_id = subject->key_id,
                            .bytes = span_of(subject->bytes, subject->size) };
}

/* ---- head */

bool campaign_head_load(const struct view *view, struct campaign_head *head)
{
    uint8_t key = HEAD_KEY;
    struct span value = { 0 };
    *head = (struct campaign_head){ 0 };
    if (!view_get(view, CAMPAIGN_TABLE_HEAD, span_of(&key, sizeof key), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    head->rules_version = record_read32(&reader);
    record_read_into(&reader, head->rules_hash.bytes, sizeof head->rules_hash.bytes);
    head->orders = record_read64(&reader);
    head->planned = record_read64(&reader);
    head->open = record_read64(&reader);
    record_read_end(&reader);
    return true;
}

void campaign_head_put(const struct change *change, const struct campaign_head *head)
{
    uint8_t value[HEAD_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, head->rules_version);
    record_write_bytes(&writer, span_of(head->rules_hash.bytes, sizeof head->rules_hash.bytes));
    record_write64(&writer, head->orders);
    record_write64(&writer, head->planned);
    record_write64(&writer, head->open);
    uint8_t key = HEAD_KEY;
    change_put(change, CAMPAIGN_TABLE_HEAD, span_of(&key, sizeof key), record_written(&writer));
}

/* ---- campaigns */

void campaign_standing_decode(struct span value, struct campaign_standing *standing)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    standing->rules_version = record_read32(&reader);
    standing->since_ms = record_read_signed(&reader);
    standing->has_schedule = record_read8(&reader) != 0;
    standing->first_ms = record_read_signed(&reader);
    standing->every_days = record_read32(&reader);
    standing->after_ms = record_read_signed(&reader);
    standing->is_running = record_read8(&reader) != 0;
    standing->has_cursor = record_read8(&reader) != 0;
    record_read_into(&reader, standing->cursor.bytes, sizeof standing->cursor.bytes);
    standing->queued = record_read64(&reader);
    standing->taken = record_read64(&reader);
    standing->decided = record_read64(&reader);
    standing->sent = record_read64(&reader);
    standing->suppressed = record_read64(&reader);
    standing->unknown = record_read64(&reader);
    standing->open = record_read64(&reader);
    record_read_end(&reader);
}

bool campaign_standing_load(const struct view *view, struct span campaign,
                            struct campaign_standing *standing)
{
    struct campaign_key key = campaign_key_of_name(campaign);
    struct span value = { 0 };
    *standing = (struct campaign_standing){ 0 };
    if (!view_get(view, CAMPAIGN_TABLE_CAMPAIGN, campaign_key_span(&key), &value)) {
        return false;
    }
    campaign_standing_decode(value, standing);
    return true;
}

void campaign_standing_put(const struct change *change, struct span campaign,
                           const struct campaign_standing *standing)
{
    uint8_t value[STANDING_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, standing->rules_version);
    record_write_signed(&writer, standing->since_ms);
    record_write8(&writer, standing->has_schedule);
    record_write_signed(&writer, standing->first_ms);
    record_write32(&writer, standing->every_days);
    record_write_signed(&writer, standing->after_ms);
    record_write8(&writer, standing->is_running);
    record_write8(&writer, standing->has_cursor);
    record_write_bytes(&writer, span_of(standing->cursor.bytes, sizeof standing->cursor.bytes));
    record_write64(&writer, standing->queued);
    record_write64(&writer, standing->taken);
    record_write64(&writer, standing->decided);
    record_write64(&writer, standing->sent);
    record_write64(&writer, standing->suppressed);
    record_write64(&writer, standing->unknown);
    record_write64(&writer, standing->open);
    struct campaign_key key = campaign_key_of_name(campaign);
    change_put(change, CAMPAIGN_TABLE_CAMPAIGN, campaign_key_span(&key), record_written(&writer));
}

/* ---- members */

bool campaign_member_load(const struct view *view, struct span segment, struct customer_id customer,
                          int64_t *since_ms)
{
    struct campaign_key key = campaign_key_of_customer(segment, customer);
    struct span value = { 0 };
    *since_ms = 0;
    if (!view_get(view, CAMPAIGN_TABLE_MEMBER, campaign_key_span(&key), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    *since_ms = record_read_signed(&reader);
    record_read_end(&reader);
    return true;
}

void campaign_member_put(const struct change *change, struct span segment,
                         struct customer_id customer, int64_t since_ms)
{
    uint8_t value[TIME_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_signed(&writer, since_ms);
    struct campaign_key key = campaign_key_of_customer(segment, customer);
    change_put(change, CAMPAIGN_TABLE_MEMBER, campaign_key_span(&key), record_written(&writer));
}

void campaign_member_delete(const struct change *change, struct span segment,
                            struct customer_id customer)
{
    struct campaign_key key = campaign_key_of_customer(segment, customer);
    change_delete(change, CAMPAIGN_TABLE_MEMBER, campaign_key_span(&key));
}

struct member_search {
    struct span segment;
    const struct customer_id *after;
    struct customer_id found;
    bool is_found;
};

static bool member_visit(void *argument, struct span key, struct span value)
{
    (void)value;
    struct member_search *search = argument;
    struct span segment = { 0 };
    struct customer_id customer = { .bytes = { 0 } };
    enum status status = campaign_key_customer_decode(key, &segment, &customer);
    assert(status == STATUS_OK);
    if (!span_equal(segment, search->segment)) {
        return false;
    }
    if (search->after != NULL && customer_id_equal(customer, *search->after)) {
        return true;
    }
    search->found = customer;
    search->is_found = true;
    return false;
}

bool campaign_member_next(const struct view *view, struct span segment,
                          const struct customer_id *after, struct customer_id *customer)
{
    struct member_search search = { .segment = segment, .after = after };
    struct campaign_key from =
        after == NULL ? campaign_key_of_name(segment) : campaign_key_of_customer(segment, *after);
    view_scan(view, CAMPAIGN_TABLE_MEMBER, campaign_key_span(&from), member_visit, &search);
    if (search.is_found) {
        *customer = search.found;
    }
    return search.is_found;
}

/* ---- customers */

bool campaign_customer_load(const struct view *view, struct customer_id customer,
                            struct campaign_subject *subject)
{
    struct span value = { 0 };
    *subject = (struct campaign_subject){ 0 };
    if (!view_get(view, CAMPAIGN_TABLE_CUSTOMER, span_of(customer.bytes, sizeof customer.bytes),
                  &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    subject->key_id = record_read32(&reader);
    subject->size = record_read8(&reader);
    assert(subject->size <= CAMPAIGN_SUBJECT_BYTES);
    record_read_into(&reader, subject->bytes, subject->size);
    record_read_end(&reader);
    return true;
}

void campaign_customer_put(const struct change *change, struct customer_id customer,
                           const struct campaign_subject *subject)
{
    uint8_t value[SUBJECT_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, subject->key_id);
    record_write8(&writer, subject->size);
    record_write_bytes(&writer, span_of(subject->bytes, subject->size));
    change_put(change, CAMPAIGN_TABLE_CUSTOMER, span_of(customer.bytes, sizeof customer.bytes),
               record_written(&writer));
}

bool campaign_contact_load(const struct view *view, struct customer_id customer,
                           struct span attribute, struct campaign_contact *contact)
{
    struct campaign_key key = campaign_key_of_contact(customer, attribute);
    struct span value = { 0 };
    *contact = (struct campaign_contact){ 0 };
    if (!view_get(view, CAMPAIGN_TABLE_CONTACT, campaign_key_span(&key), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    contact->key_id = record_read32(&reader);
    struct span rest = record_read_rest(&reader);
    assert(rest.size <= CAMPAIGN_CONTACT_BYTES);
    contact->size = (uint16_t)rest.size;
    if (rest.size > 0) {
        memcpy(contact->bytes, rest.data, rest.size);
    }
    return true;
}

void campaign_contact_put(const struct change *change, struct customer_id customer,
                          struct span attribute, struct sealed sealed)
{
    assert(sealed.bytes.size <= CAMPAIGN_CONTACT_BYTES);
    uint8_t value[CONTACT_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, sealed.key_id);
    record_write_bytes(&writer, sealed.bytes);
    struct campaign_key key = campaign_key_of_contact(customer, attribute);
    change_put(change, CAMPAIGN_TABLE_CONTACT, campaign_key_span(&key), record_written(&writer));
}

/* ---- queues */

bool campaign_queued_load(const struct view *view, struct span campaign, uint64_t number,
                          struct campaign_queued *queued)
{
    struct campaign_key key = campaign_key_of_number(campaign, number);
    struct span value = { 0 };
    *queued = (struct campaign_queued){ 0 };
    if (!view_get(view, CAMPAIGN_TABLE_QUEUE, campaign_key_span(&key), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    record_read_into(&reader, queued->dispatch.bytes, sizeof queued->dispatch.bytes);
    queued->order = record_read64(&reader);
    queued->planned_at_ms = record_read_signed(&reader);
    record_read_end(&reader);
    return true;
}

void campaign_queued_put(const struct change *change, struct span campaign, uint64_t number,
                         const struct campaign_queued *queued)
{
    uint8_t value[QUEUED_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_bytes(&writer, span_of(queued->dispatch.bytes, sizeof queued->dispatch.bytes));
    record_write64(&writer, queued->order);
    record_write_signed(&writer, queued->planned_at_ms);
    struct campaign_key key = campaign_key_of_number(campaign, number);
    change_put(change, CAMPAIGN_TABLE_QUEUE, campaign_key_span(&key), record_written(&writer));
}

void campaign_queued_delete(const struct change *change, struct span campaign, uint64_t number)
{
    struct campaign_key key = campaign_key_of_number(campaign, number);
    change_delete(change, CAMPAIGN_TABLE_QUEUE, campaign_key_span(&key));
}

/* ---- caps */

bool campaign_cap_load(const struct view *view, struct span campaign, struct customer_id customer,
                       struct campaign_cap *cap)
{
    struct campaign_key key = campaign_key_of_customer(campaign, customer);
    struct span value = { 0 };
    *cap = (struct campaign_cap){ 0 };
    if (!view_get(view, CAMPAIGN_TABLE_CAP, campaign_key_span(&key), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    cap->count = record_read8(&reader);
    assert(cap->count <= CAMPAIGNS_CAP_MESSAGES_MAX);
    for (size_t i = 0; i < cap->count; i++) {
        cap->intents[i].number = record_read64(&reader);
        cap->intents[i].at_ms = record_read_signed(&reader);
        cap->intents[i].is_open = record_read8(&reader) != 0;
    }
    record_read_end(&reader);
    return true;
}

void campaign_cap_put(const struct change *change, struct span campaign,
                      struct customer_id customer, const struct campaign_cap *cap)
{
    assert(cap->count <= CAMPAIGNS_CAP_MESSAGES_MAX);
    uint8_t value[CAP_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write8(&writer, cap->count);
    for (size_t i = 0; i < cap->count; i++) {
        record_write64(&writer, cap->intents[i].number);
        record_write_signed(&writer, cap->intents[i].at_ms);
        record_write8(&writer, cap->intents[i].is_open);
    }
    struct campaign_key key = campaign_key_of_customer(campaign, customer);
    change_put(change, CAMPAIGN_TABLE_CAP, campaign_key_span(&key), record_written(&writer));
}
