#include "common/wire/message.h"

#include "common/base/id.h"
#include "kith/v1/wire.pb-c.h"

#include <assert.h>
#include <string.h>

void *request_unpack(const ProtobufCMessageDescriptor *descriptor, struct span body,
                     struct arena *arena, struct refusal *refusal)
{
    if (body.size > REQUEST_BYTES_MAX) {
        (void)refusal_set(refusal, STATUS_MALFORMED, "the body has %zu bytes, a %s has at most %d",
                          body.size, descriptor->short_name, REQUEST_BYTES_MAX);
        refusal_violation(refusal, "body", "is larger than such a request can be",
                          "send what the method asks for and no more");
        return NULL;
    }
    ProtobufCMessage *message = pb_unpack(descriptor, arena, body);
    if (message == NULL || message->n_unknown_fields > 0) {
        (void)refusal_set(refusal, STATUS_MALFORMED, "the body is not a %s",
                          descriptor->short_name);
        refusal_violation(refusal, "body", "must be the method's encoded message, all of it known",
                          "encode it with proto/kith/v1");
        return NULL;
    }
    return message;
}

bool request_id_check(const char *id, const char *field, const char *mend, struct refusal *refusal)
{
    if (id_text_is_valid(pb_text(id))) {
        return true;
    }
    refusal_violation(refusal, field, REQUEST_ID_RULE, mend);
    return false;
}

bool request_limit_check(uint32_t given, uint32_t *limit, struct refusal *refusal)
{
    if (given <= REQUEST_PAGE_MAX) {
        *limit = given == 0 ? REQUEST_PAGE_DEFAULT : given;
        return true;
    }
    refusal_violation(refusal, "limit", "at most 1000", "ask for the next page instead");
    return false;
}

char *message_text(struct arena *arena, struct span text)
{
    char *copy = arena_allocate(arena, text.size + 1);
    assert(copy != NULL);
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    return copy;
}

void message_append(const ProtobufCMessage *message, struct buffer *out)
{
    enum status status = pb_pack(message, out);
    assert(status == STATUS_OK);
}

void message_element_append(uint32_t field, const ProtobufCMessage *message, struct buffer *out)
{
    enum status status = pb_field_begin(out, field, protobuf_c_message_get_packed_size(message));
    assert(status == STATUS_OK);
    message_append(message, out);
}

void message_position_append(uint32_t field, struct feed_name feed, uint64_t seq,
                             struct buffer *out)
{
    Kith__V1__Position message = KITH__V1__POSITION__INIT;
    message.feed = feed.name;
    message.has_shard = true;
    message.shard = feed.shard;
    message.has_seq = true;
    message.seq = seq;
    message_element_append(field, &message.base, out);
}
