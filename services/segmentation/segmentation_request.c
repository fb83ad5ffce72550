#include "services/segmentation/segmentation_request.h"

#include "common/wire/message.h"
#include "kith/v1/segmentation.pb-c.h"

#include <assert.h>

/* Repeated fields, written one by one. */
#define FIELD_LIST_CUSTOMERS 1
#define FIELD_POSITIONS 3 /* of a count and of a list */
#define FIELD_WHY_CLAUSES 6
#define FIELD_WHY_POSITIONS 7

/* ---- requests */

static bool segment_check(const char *segment, struct refusal *refusal)
{
    return request_id_check(segment, "segment", "name a segment of the configuration", refusal);
}

static bool customer_check(const char *customer, struct refusal *refusal)
{
    return request_id_check(customer, "customer", "name the customer as its source does", refusal);
}

static bool after_check(const char *after, struct refusal *refusal)
{
    return pb_text(after).size == 0 ||
           request_id_check(after, "after",
                            "leave it away, or name the last customer of the page before", refusal);
}

enum status segmentation_count_decode(struct span body, struct arena *arena, struct span *segment,
                                      struct refusal *refusal)
{
    const Kith__V1__CountRequest *message =
        request_unpack(&kith__v1__count_request__descriptor, body, arena, refusal);
    if (message == NULL || !segment_check(message->segment, refusal)) {
        return STATUS_MALFORMED;
    }
    *segment = pb_text(message->segment);
    return STATUS_OK;
}

enum status segmentation_list_decode(struct span body, struct arena *arena,
                                     struct segmentation_list_request *request,
                                     struct refusal *refusal)
{
    const Kith__V1__ListRequest *message =
        request_unpack(&kith__v1__list_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    uint32_t limit = 0;
    bool valid = segment_check(message->segment, refusal);
    valid = after_check(message->after, refusal) && valid;
    valid = request_limit_check(message->limit, &limit, refusal) && valid;
    if (!valid) {
        return STATUS_MALFORMED;
    }
    *request = (struct segmentation_list_request){
        .segment = pb_text(message->segment),
        .after = pb_text(message->after),
        .limit = limit,
    };
    return STATUS_OK;
}

enum status segmentation_why_decode(struct span body, struct arena *arena,
                                    struct segmentation_why_request *request,
                                    struct refusal *refusal)
{
    const Kith__V1__WhyRequest *message =
        request_unpack(&kith__v1__why_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    bool valid = segment_check(message->segment, refusal);
    valid = customer_check(message->customer, refusal) && valid;
    if (!valid) {
        return STATUS_MALFORMED;
    }
    *request = (struct segmentation_why_request){
        .segment = pb_text(message->segment),
        .customer = pb_text(message->customer),
    };
    return STATUS_OK;
}

/* ---- replies */

static uint32_t positions_field(enum segmentation_reply reply)
{
    switch (reply) {
    case SEGMENTATION_COUNT:
    case SEGMENTATION_LIST:
        return FIELD_POSITIONS;
    case SEGMENTATION_WHY:
        return FIELD_WHY_POSITIONS;
    }
    assert(false);
    return 0;
}

void segmentation_positions_append(enum segmentation_reply reply,
                                   const struct turn_position *positions, size_t count,
                                   struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        message_position_append(positions_field(reply), positions[i].feed, positions[i].seq, out);
    }
}

void segmentation_count_reply_encode(struct span segment, uint64_t count, struct buffer *out)
{
    struct segmentation_name name = segmentation_name_of(segment);
    Kith__V1__CountReply message = KITH__V1__COUNT_REPLY__INIT;
    message.segment = name.text;
    message.has_count = true;
    message.count = count;
    message_append(&message.base, out);
}

void segmentation_list_customer_append(struct span text, struct buffer *out)
{
    enum status status = pb_field_begin(out, FIELD_LIST_CUSTOMERS, text.size);
    assert(status == STATUS_OK);
    status = buffer_append(out, text);
    assert(status == STATUS_OK);
}

void segmentation_list_end_append(bool more, struct buffer *out)
{
    Kith__V1__ListReply message = KITH__V1__LIST_REPLY__INIT;
    message.has_more = true;
    message.more = more;
    message_append(&message.base, out);
}

void segmentation_why_head_append(const struct segmentation_why_head *head, struct buffer *out)
{
    struct segmentation_name segment = segmentation_name_of(head->segment);
    struct segmentation_name customer = segmentation_name_of(head->customer);
    Kith__V1__WhyReply message = KITH__V1__WHY_REPLY__INIT;
    message.segment = segment.text;
    message.customer = customer.text;
    message.has_member = true;
    message.member = head->member;
    message.has_rules_version = true;
    message.rules_version = head->rules_version;
    message.has_since_ms = head->member;
    message.since_ms = head->since_ms;
    message_append(&message.base, out);
}

void segmentation_clause_append(char *text, char *value, bool holds, struct buffer *out)
{
    Kith__V1__ClauseValue message = KITH__V1__CLAUSE_VALUE__INIT;
    message.text = text;
    message.value = value;
    message.has_holds = true;
    message.holds = holds;
    message_element_append(FIELD_WHY_CLAUSES, &message.base, out);
}
