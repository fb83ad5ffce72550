#include "common/wire/wire.h"

#include "common/base/field.h"
#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/wire/pb.h"
#include "kith/v1/wire.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/*
 * Headers are read field by field and not by protobuf-c: that costs no memory, sees a NUL
 * inside a text, and finds the request id even where the rest is wrong.
 */

/* Fields of RequestHeader. */
enum request_field {
    REQUEST_VERSION = 1,
    REQUEST_ID = 2,
    REQUEST_METHOD = 3,
    REQUEST_TIMEOUT = 4,
    REQUEST_KEY = 5,
    REQUEST_ISSUED_AT = 6,
    REQUEST_TRACEPARENT = 7,
    REQUEST_FIELD_END,
};

/* Fields of ReplyHeader and of its Violation. */
enum reply_field {
    REPLY_ID = 1,
    REPLY_CODE = 2,
    REPLY_MESSAGE = 3,
    REPLY_VIOLATION = 4,
    REPLY_RETRY_AFTER = 5,
};
enum violation_field {
    VIOLATION_FIELD = 1,
    VIOLATION_RULE = 2,
    VIOLATION_MEND = 3,
};

/* A request's header as it stands on the wire: the newest of each field that is there. */
struct request_fields {
    bool there[REQUEST_FIELD_END];
    struct field at[REQUEST_FIELD_END];
    uint32_t unknown; /* a field that is none of ours; 0: none */
    uint32_t twice;   /* a field that was there before; 0: none */
    bool broken;      /* what follows is not protobuf */
};

static const char *const request_field_names[REQUEST_FIELD_END] = {
    [REQUEST_VERSION] = "version",
    [REQUEST_ID] = "request_id",
    [REQUEST_METHOD] = "method",
    [REQUEST_TIMEOUT] = "timeout_ms",
    [REQUEST_KEY] = "key",
    [REQUEST_ISSUED_AT] = "issued_at_ms",
    [REQUEST_TRACEPARENT] = "traceparent",
};

_Static_assert(sizeof(((struct request_header *)0)->key) > LIMIT_ID_BYTES, "a key has its NUL");
/* Each text of a header costs its bytes and at most 6 more. */
_Static_assert(sizeof(struct refusal) + 6 * (3 * REFUSAL_VIOLATIONS_MAX + 3) < LIMIT_HEADER_BYTES,
               "the largest refusal fits a header");

static enum field_kind request_field_kind(uint32_t field)
{
    bool is_text = field == REQUEST_METHOD || field == REQUEST_KEY || field == REQUEST_TRACEPARENT;
    return is_text ? FIELD_BYTES : FIELD_VARINT;
}

static void request_fields_read(struct span bytes, struct request_fields *fields)
{
    while (bytes.size > 0) {
        struct field field = { 0 };
        if (field_next(&bytes, &field) != FIELD_READ) {
            fields->broken = true;
            return;
        }
        if (field.number >= REQUEST_FIELD_END) {
            fields->unknown = field.number;
        } else if (field.kind != request_field_kind(field.number)) {
            fields->broken = true;
        } else {
            fields->twice = fields->there[field.number] ? field.number : fields->twice;
            fields->there[field.number] = true;
            fields->at[field.number] = field;
        }
    }
}

static bool method_is_valid(struct span method)
{
    if (method.size == 0 || method.size >= WIRE_METHOD_BYTES) {
        return false;
    }
    for (size_t i = 0; i < method.size; i++) {
        uint8_t byte = method.data[i];
        bool is_letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        if (!is_letter && !(byte >= '0' && byte <= '9') && byte != '_' && byte != '.') {
            return false;
        }
    }
    return true;
}

/* The first fault of a header whose fields could be read. */
static enum status request_fault(struct refusal *refusal, const char *field, const char *rule,
                                 const char *mend)
{
    enum status status =
        refusal_set(refusal, STATUS_MALFORMED, "the request's header is wrong: %s %s", field, rule);
    refusal_violation(refusal, field, rule, mend);
    return status;
}

static enum status envelope_check(const struct request_fields *fields, struct refusal *refusal)
{
    if (fields->broken) {
        return request_fault(refusal, "header", "must be an encoded kith.v1.RequestHeader",
                             "encode the header with proto/kith/v1/wire.proto");
    }
    if (!fields->there[REQUEST_VERSION] || fields->at[REQUEST_VERSION].value != WIRE_VERSION) {
        return request_fault(refusal, "version", "must be 1",
                             "set it to 1, the version of the protocol that is spoken here");
    }
    if (fields->unknown != 0) {
        char name[32] = { 0 };
        (void)snprintf(name, sizeof name, "%u", (unsigned)fields->unknown);
        return request_fault(refusal, name, "is a field that version 1 does not have",
                             "leave it out, or upgrade the service");
    }
    if (fields->twice != 0) {
        return request_fault(refusal, request_field_names[fields->twice], "stands twice",
                             "send each field once");
    }
    if (!text_is_clean(fields->at[REQUEST_TRACEPARENT].bytes)) {
        return request_fault(refusal, "traceparent", "must be UTF-8 without control characters",
                             "send what W3C Trace Context says, or leave it out");
    }
    return STATUS_OK;
}

static enum status method_check(const struct request_fields *fields, struct refusal *refusal)
{
    if (!method_is_valid(fields->at[REQUEST_METHOD].bytes)) {
        return request_fault(refusal, "method", "must be 1 to 63 of A-Z a-z 0-9 _ .",
                             "name the service and the method, such as loyalty.Spend");
    }
    if (fields->at[REQUEST_TIMEOUT].value > UINT32_MAX) {
        return request_fault(refusal, "timeout_ms", "must be at most 4294967295",
                             "give milliseconds, or leave it out for no time-out");
    }
    return STATUS_OK;
}

static enum status key_check(const struct request_fields *fields, struct refusal *refusal)
{
    bool has_key = fields->there[REQUEST_KEY];
    if (has_key && !id_text_is_valid(fields->at[REQUEST_KEY].bytes)) {
        return request_fault(refusal, "key",
                             "must be 1 to 64 bytes of UTF-8 without control characters",
                             "make a key anew for each command and keep it for its retries");
    }
    if (has_key && !fields->there[REQUEST_ISSUED_AT]) {
        return request_fault(refusal, "issued_at_ms", "must be there when there is a key",
                             "give the time when the key was made, in milliseconds since 1970");
    }
    int64_t issued_at_ms = field_signed(fields->at[REQUEST_ISSUED_AT].value);
    if (issued_at_ms < LIMIT_TIME_LEAST_MS || issued_at_ms > LIMIT_TIME_MOST_MS) {
        return request_fault(refusal, "issued_at_ms", "must lie in the years 1 to 9999",
                             "give milliseconds since 1970, not micro- or nanoseconds");
    }
    return STATUS_OK;
}

/* `out` is all NUL and keeps one after the text. */
static void text_copy(char *out, struct span text)
{
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
}

enum status request_header_decode(struct span bytes, struct request_header *header,
                                  struct refusal *refusal)
{
    bool is_too_large = bytes.size > LIMIT_HEADER_BYTES;
    struct request_fields fields = { 0 };
    request_fields_read(is_too_large ? span_of(bytes.data, LIMIT_HEADER_BYTES) : bytes, &fields);
    *header = (struct request_header){ .request_id = fields.at[REQUEST_ID].value };

    if (is_too_large) {
        return request_fault(refusal, "header", "must have at most 4096 bytes",
                             "put what belongs to the method into the body");
    }
    enum status status = envelope_check(&fields, refusal);
    if (status == STATUS_OK) {
        status = method_check(&fields, refusal);
    }
    if (status == STATUS_OK) {
        status = key_check(&fields, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }

    text_copy(header->method, fields.at[REQUEST_METHOD].bytes);
    text_copy(header->key, fields.at[REQUEST_KEY].bytes);
    header->key_size = fields.at[REQUEST_KEY].bytes.size;
    header->timeout_ms = (uint32_t)fields.at[REQUEST_TIMEOUT].value;
    header->issued_at_ms = field_signed(fields.at[REQUEST_ISSUED_AT].value);
    return STATUS_OK;
}

/* Headers are bounded, and so is whoever gives the buffer for one. */
static void header_pack(const ProtobufCMessage *message, struct buffer *out)
{
    enum status status = pb_pack(message, out);
    assert(status == STATUS_OK);
    assert(out->size <= LIMIT_HEADER_BYTES);
}

/* protobuf-c never writes to what it packs, but its type does not say so. */
static char *pb_text_of(const char *text)
{
    union {
        const char *read_only;
        char *plain;
    } pointer = { .read_only = text };
    return pointer.plain;
}

void request_header_encode(const struct request_header *header, struct buffer *out)
{
    assert(header->key_size < sizeof header->key && header->key[header->key_size] == '\0');
    Kith__V1__RequestHeader message = KITH__V1__REQUEST_HEADER__INIT;
    message.has_version = true;
    message.version = WIRE_VERSION;
    message.has_request_id = true;
    message.request_id = header->request_id;
    message.method = pb_text_of(header->method);
    message.has_timeout_ms = header->timeout_ms != 0;
    message.timeout_ms = header->timeout_ms;
    if (header->key_size > 0) {
        message.key = pb_text_of(header->key);
        message.has_issued_at_ms = true;
        message.issued_at_ms = header->issued_at_ms;
    }
    buffer_clear(out);
    header_pack(&message.base, out);
}

/* What a terminal would act on becomes a question mark; what does not fit is cut. */
static void reply_text_take(struct span text, char *out, size_t capacity)
{
    size_t size = text.size < capacity ? text.size : capacity - 1;
    memset(out, 0, capacity);
    text_copy(out, span_of(text.data, size));
    for (size_t i = 0; i < size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7F) {
            out[i] = '?';
        }
    }
}

static bool violation_read(struct span bytes, struct violation *violation)
{
    while (bytes.size > 0) {
        struct field field = { 0 };
        if (field_next(&bytes, &field) != FIELD_READ) {
            return false;
        }
        switch (field.number) {
        case VIOLATION_FIELD:
            reply_text_take(field.bytes, violation->field, sizeof violation->field);
            break;
        case VIOLATION_RULE:
            reply_text_take(field.bytes, violation->rule, sizeof violation->rule);
            break;
        case VIOLATION_MEND:
            reply_text_take(field.bytes, violation->mend, sizeof violation->mend);
            break;
        default: /* of a later version */
            break;
        }
    }
    return true;
}

/* Violations past the most are dropped, like those that are added. */
static bool reply_violation_take(const struct field *field, struct refusal *refusal)
{
    if (field->kind != FIELD_BYTES) {
        return false;
    }
    if (refusal->violation_count == REFUSAL_VIOLATIONS_MAX) {
        return true;
    }
    return violation_read(field->bytes, &refusal->violations[refusal->violation_count++]);
}

static bool reply_number_take(const struct field *field, uint32_t *number)
{
    if (field->kind != FIELD_VARINT || field->value > UINT32_MAX) {
        return false;
    }
    *number = (uint32_t)field->value;
    return true;
}

/* STATUS_INTERNAL for a code that we do not know: of a later version. */
static bool reply_code_take(const struct field *field, struct refusal *refusal)
{
    uint32_t code = 0;
    if (!reply_number_take(field, &code)) {
        return false;
    }
    refusal->status = status_from_code(code);
    return true;
}

static bool reply_field_take(const struct field *field, struct reply_header *header)
{
    struct refusal *refusal = &header->refusal;
    switch (field->number) {
    case REPLY_ID:
        header->request_id = field->value;
        return field->kind == FIELD_VARINT;
    case REPLY_CODE:
        return reply_code_take(field, refusal);
    case REPLY_MESSAGE:
        reply_text_take(field->bytes, refusal->message, sizeof refusal->message);
        return field->kind == FIELD_BYTES;
    case REPLY_VIOLATION:
        return reply_violation_take(field, refusal);
    case REPLY_RETRY_AFTER:
        return reply_number_take(field, &refusal->retry_after_ms);
    default: /* of a later version */
        return true;
    }
}

enum status reply_header_decode(struct span bytes, struct reply_header *header)
{
    if (bytes.size > LIMIT_HEADER_BYTES) {
        return STATUS_MALFORMED;
    }
    struct reply_header read = { 0 };
    bool has_code = false;
    while (bytes.size > 0) {
        struct field field = { 0 };
        if (field_next(&bytes, &field) != FIELD_READ || !reply_field_take(&field, &read)) {
            return STATUS_MALFORMED;
        }
        has_code = has_code || field.number == REPLY_CODE;
    }
    if (!has_code) {
        return STATUS_MALFORMED; /* or no bytes at all would mean that all went well */
    }
    *header = read;
    return STATUS_OK;
}

void violation_write(struct field_writer *writer, const struct violation *violation)
{
    field_put_bytes(writer, VIOLATION_FIELD, span_of_text(violation->field));
    field_put_bytes(writer, VIOLATION_RULE, span_of_text(violation->rule));
    field_put_bytes(writer, VIOLATION_MEND, span_of_text(violation->mend));
}

static void reply_write(struct field_writer *writer, const struct reply_header *header)
{
    const struct refusal *refusal = &header->refusal;
    if (header->request_id != 0) {
        field_put_unsigned(writer, REPLY_ID, header->request_id);
    }
    field_put_unsigned(writer, REPLY_CODE, refusal->status);
    if (refusal->message[0] != '\0') {
        field_put_bytes(writer, REPLY_MESSAGE, span_of_text(refusal->message));
    }
    for (size_t i = 0; i < refusal->violation_count; i++) {
        struct field_writer counter = { .out = NULL };
        violation_write(&counter, &refusal->violations[i]);
        field_put_head(writer, REPLY_VIOLATION, counter.size);
        violation_write(writer, &refusal->violations[i]);
    }
    if (refusal->retry_after_ms != 0) {
        field_put_unsigned(writer, REPLY_RETRY_AFTER, refusal->retry_after_ms);
    }
}

void reply_header_encode(const struct reply_header *header, struct buffer *out)
{
    assert(header->refusal.violation_count <= REFUSAL_VIOLATIONS_MAX);
    struct field_writer counter = { .out = NULL };
    reply_write(&counter, header);
    assert(counter.size <= LIMIT_HEADER_BYTES);
    buffer_clear(out);
    enum status status = buffer_reserve(out, counter.size);
    assert(status == STATUS_OK);
    struct field_writer writer = { .out = out->data };
    reply_write(&writer, header);
    out->size = writer.size;
}

void reply_header_compose(struct span stored, uint64_t request_id, struct buffer *out)
{
    /* The fields of a message may stand in any order, so the id goes last. */
    uint8_t field[1 + FIELD_VARINT_BYTES_MAX];
    struct field_writer writer = { .out = field };
    field_put_unsigned(&writer, REPLY_ID, request_id);
    assert(stored.size + writer.size <= LIMIT_HEADER_BYTES);
    buffer_clear(out);
    enum status status = buffer_append(out, stored);
    assert(status == STATUS_OK);
    status = buffer_append(out, span_of(field, writer.size));
    assert(status == STATUS_OK);
}
