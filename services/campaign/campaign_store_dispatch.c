/* Records about dispatches: what is known of one, decisions in order, open messages. */
#include "common/base/record.h"
#include "services/campaign/campaign_store.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 1

/* Sizes of values, version byte included. */
#define NAME_BYTES (1 + LIMIT_ID_BYTES)
#define DISPATCH_BYTES                                                                             \
    (1 + 1 + NAME_BYTES + 16 + 1 + 1 + CAMPAIGN_STEP_BYTES + 8 + NAME_BYTES + 1 + 1 + 1 +          \
     CAMPAIGN_DETAIL_BYTES + 8)
#define DECISION_BYTES (1 + 16)
#define PLACES_BYTES (1 + 4)
#define OPEN_BYTES (1 + 8 + 16 + 16 + NAME_BYTES + 16 + 8 + 4 + CAMPAIGN_SEALED_BYTES)

_Static_assert(DISPATCH_BYTES <= LIMIT_STATE_VALUE_BYTES, "a dispatch is one record");
_Static_assert(OPEN_BYTES <= LIMIT_STATE_VALUE_BYTES, "an open message is one record");

struct campaign_step campaign_step_of(struct span text)
{
    assert(text.size <= CAMPAIGN_STEP_BYTES);
    struct campaign_step step = { .size = (uint8_t)text.size };
    if (text.size > 0) {
        memcpy(step.text, text.data, text.size);
    }
    return step;
}

struct campaign_detail campaign_detail_of(struct span text)
{
    assert(text.size <= CAMPAIGN_DETAIL_BYTES);
    struct campaign_detail detail = { .size = (uint8_t)text.size };
    if (text.size > 0) {
        memcpy(detail.text, text.data, text.size);
    }
    return detail;
}

static void text_write(struct record_writer *writer, const char *text, uint8_t size)
{
    record_write8(writer, size);
    record_write_bytes(writer, span_of(text, size));
}

/* `out` is zeroed and has room for `most` bytes and a NUL. */
static uint8_t text_read(struct record_reader *reader, char *out, size_t most)
{
    uint8_t size = record_read8(reader);
    assert(size <= most);
    record_read_into(reader, out, size);
    return size;
}

/* ---- dispatches */

bool campaign_dispatch_load(const struct view *view, struct hash128 id,
                            struct campaign_dispatch *dispatch)
{
    struct span value = { 0 };
    *dispatch = (struct campaign_dispatch){ .state = CAMPAIGN_PLANNED };
    if (!view_get(view, CAMPAIGN_TABLE_DISPATCH, span_of(id.bytes, sizeof id.bytes), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    uint8_t state = record_read8(&reader);
    dispatch->campaign.size = text_read(&reader, dispatch->campaign.text, LIMIT_ID_BYTES);
    record_read_into(&reader, dispatch->customer.bytes, sizeof dispatch->customer.bytes);
    uint8_t trigger = record_read8(&reader);
    dispatch->step.size = text_read(&reader, dispatch->step.text, CAMPAIGN_STEP_BYTES);
    dispatch->number = record_read64(&reader);
    dispatch->channel.size = text_read(&reader, dispatch->channel.text, LIMIT_ID_BYTES);
    dispatch->place = record_read8(&reader);
    uint8_t reason = record_read8(&reader);
    dispatch->detail.size = text_read(&reader, dispatch->detail.text, CAMPAIGN_DETAIL_BYTES);
    dispatch->decided_at_ms = record_read_signed(&reader);
    record_read_end(&reader);
    assert(state <= CAMPAIGN_UNKNOWN && trigger <= CAMPAIGN_BY_COMMAND &&
           reason <= CAMPAIGN_REFUSED);
    dispatch->state = (enum campaign_dispatch_state)state;
    dispatch->trigger = (enum campaign_trigger)trigger;
    dispatch->reason = (enum campaign_reason)reason;
    return true;
}

void campaign_dispatch_put(const struct change *change, struct hash128 id,
                           const struct campaign_dispatch *dispatch)
{
    uint8_t value[DISPATCH_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write8(&writer, (uint8_t)dispatch->state);
    text_write(&writer, dispatch->campaign.text, dispatch->campaign.size);
    record_write_bytes(&writer, span_of(dispatch->customer.bytes, sizeof dispatch->customer.bytes));
    record_write8(&writer, (uint8_t)dispatch->trigger);
    text_write(&writer, dispatch->step.text, dispatch->step.size);
    record_write64(&writer, dispatch->number);
    text_write(&writer, dispatch->channel.text, dispatch->channel.size);
    record_write8(&writer, dispatch->place);
    record_write8(&writer, (uint8_t)dispatch->reason);
    text_write(&writer, dispatch->detail.text, dispatch->detail.size);
    record_write_signed(&writer, dispatch->decided_at_ms);
    change_put(change, CAMPAIGN_TABLE_DISPATCH, span_of(id.bytes, sizeof id.bytes),
               record_written(&writer));
}

/* ---- decisions */

bool campaign_decision_load(const struct view *view, struct span campaign, uint64_t number,
                            struct hash128 *dispatch)
{
    struct campaign_key key = campaign_key_of_number(campaign, number);
    struct span value = { 0 };
    *dispatch = (struct hash128){ .bytes = { 0 } };
    if (!view_get(view, CAMPAIGN_TABLE_DECISION, campaign_key_span(&key), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    record_read_into(&reader, dispatch->bytes, sizeof dispatch->bytes);
    record_read_end(&reader);
    return true;
}

void campaign_decision_put(const struct change *change, struct span campaign, uint64_t number,
                           struct hash128 dispatch)
{
    uint8_t value[DECISION_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write_bytes(&writer, span_of(dispatch.bytes, sizeof dispatch.bytes));
    struct campaign_key key = campaign_key_of_number(campaign, number);
    change_put(change, CAMPAIGN_TABLE_DECISION, campaign_key_span(&key), record_written(&writer));
}

/* ---- channels */

static uint32_t places_decode(struct span value)
{
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    uint32_t places = record_read32(&reader);
    record_read_end(&reader);
    return places;
}

uint32_t campaign_places_load(const struct view *view, struct span channel)
{
    struct campaign_key key = campaign_key_of_name(channel);
    struct span value = { 0 };
    if (!view_get(view, CAMPAIGN_TABLE_CHANNEL, campaign_key_span(&key), &value)) {
        return 0;
    }
    return places_decode(value);
}

void campaign_places_put(const struct change *change, struct span channel, uint32_t places)
{
    uint8_t value[PLACES_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write32(&writer, places);
    struct campaign_key key = campaign_key_of_name(channel);
    change_put(change, CAMPAIGN_TABLE_CHANNEL, campaign_key_span(&key), record_written(&writer));
}

struct places_walk {
    campaign_places_visit visit;
    void *argument;
};

static bool places_visit(void *argument, struct span key, struct span value)
{
    const struct places_walk *walk = argument;
    struct span channel = { 0 };
    enum status status = campaign_key_name_decode(key, &channel);
    assert(status == STATUS_OK);
    walk->visit(walk->argument, channel, places_decode(value));
    return true;
}

void campaign_places_walk(const struct view *view, campaign_places_visit visit, void *argument)
{
    struct places_walk walk = { visit, argument };
    view_scan(view, CAMPAIGN_TABLE_CHANNEL, span_of(NULL, 0), places_visit, &walk);
}

/* ---- open messages */

bool campaign_open_load(const struct view *view, struct span channel, uint8_t place,
                        struct campaign_open *open)
{
    struct campaign_key key = campaign_key_of_place(channel, place);
    struct span value = { 0 };
    *open = (struct campaign_open){ 0 };
    if (!view_get(view, CAMPAIGN_TABLE_OPEN, campaign_key_span(&key), &value)) {
        return false;
    }
    struct record_reader reader = record_reader_of(value, RECORD_VERSION);
    open->seq = record_read64(&reader);
    record_read_into(&reader, open->dispatch.bytes, sizeof open->dispatch.bytes);
    record_read_into(&reader, open->channel_identity.bytes, sizeof open->channel_identity.bytes);
    open->campaign.size = text_read(&reader, open->campaign.text, LIMIT_ID_BYTES);
    record_read_into(&reader, open->customer.bytes, sizeof open->customer.bytes);
    open->at_ms = record_read_signed(&reader);
    open->key_id = record_read32(&reader);
    struct span message = record_read_rest(&reader);
    assert(message.size <= CAMPAIGN_SEALED_BYTES);
    open->size = (uint16_t)message.size;
    if (message.size > 0) {
        memcpy(open->message, message.data, message.size);
    }
    return true;
}

void campaign_open_put(const struct change *change, struct span channel, uint8_t place,
                       const struct campaign_open *open)
{
    uint8_t value[OPEN_BYTES] = { 0 };
    struct record_writer writer = record_writer_of(value, sizeof value, RECORD_VERSION);
    record_write64(&writer, open->seq);
    record_write_bytes(&writer, span_of(open->dispatch.bytes, sizeof open->dispatch.bytes));
    record_write_bytes(&writer,
                       span_of(open->channel_identity.bytes, sizeof open->channel_identity.bytes));
    text_write(&writer, open->campaign.text, open->campaign.size);
    record_write_bytes(&writer, span_of(open->customer.bytes, sizeof open->customer.bytes));
    record_write_signed(&writer, open->at_ms);
    record_write32(&writer, open->key_id);
    record_write_bytes(&writer, span_of(open->message, open->size));
    struct campaign_key key = campaign_key_of_place(channel, place);
    change_put(change, CAMPAIGN_TABLE_OPEN, campaign_key_span(&key), record_written(&writer));
}

void campaign_open_delete(const struct change *change, struct span channel, uint8_t place)
{
    struct campaign_key key = campaign_key_of_place(channel, place);
    change_delete(change, CAMPAIGN_TABLE_OPEN, campaign_key_span(&key));
}
