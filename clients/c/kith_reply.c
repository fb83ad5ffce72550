#include "clients/c/kith_reply.h"

#include "clients/c/kith_memory.h"
#include "clients/c/kith_status.h"
#include "clients/c/kith_text.h"
#include "kith/v1/wire.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 4096

struct kith_reply {
    struct kith_budget budget;
    Kith__V1__ReplyHeader *header;
    enum kith_status status;
    size_t body_bytes;
    uint8_t body[]; /* and a byte more, so that it is never nothing */
};

static void text_clean(char *text)
{
    if (text != NULL) {
        kith_text_clean(text);
    }
}

static void header_clean(const Kith__V1__ReplyHeader *header)
{
    text_clean(header->message);
    for (size_t i = 0; i < header->n_violations; i++) {
        text_clean(header->violations[i]->field);
        text_clean(header->violations[i]->rule);
        text_clean(header->violations[i]->mend);
    }
}

bool kith_reply_open(struct kith_reply **reply, const struct kith_message *message)
{
    if (message->header.size > HEADER_BYTES) {
        return false;
    }
    struct kith_reply *opened = kith_allocate(sizeof *opened + message->body.size + 1);
    opened->header = kith_unpack(&opened->budget, &kith__v1__reply_header__descriptor,
                                 message->header.data, message->header.size);
    /* Without a code no bytes at all would mean that all went well. */
    if (opened->header == NULL || !opened->header->has_code || !opened->header->has_request_id) {
        kith_reply_close(&opened);
        return false;
    }
    header_clean(opened->header);
    opened->status = kith_status_of_code(opened->header->code);
    opened->body_bytes = message->body.size;
    if (message->body.size > 0) {
        memcpy(opened->body, message->body.data, message->body.size);
    }
    *reply = opened;
    return true;
}

void kith_reply_close(struct kith_reply **reply)
{
    if (*reply != NULL) {
        kith_unpacked_free(&(*reply)->budget, (*reply)->header);
        free(*reply);
        *reply = NULL;
    }
}

uint64_t kith_reply_request_id(const struct kith_reply *reply)
{
    return reply->header->request_id;
}

enum kith_status kith_reply_status(const struct kith_reply *reply)
{
    return reply->status;
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

const char *kith_reply_message(const struct kith_reply *reply)
{
    return text_or_empty(reply->header->message);
}

uint32_t kith_reply_retry_after_ms(const struct kith_reply *reply)
{
    return reply->header->retry_after_ms;
}

size_t kith_reply_violation_count(const struct kith_reply *reply)
{
    return reply->header->n_violations;
}

struct kith_violation kith_reply_violation(const struct kith_reply *reply, size_t index)
{
    if (index >= reply->header->n_violations) {
        return (struct kith_violation){ .field = "", .rule = "", .mend = "" };
    }
    const Kith__V1__Violation *violation = reply->header->violations[index];
    return (struct kith_violation){
        .field = text_or_empty(violation->field),
        .rule = text_or_empty(violation->rule),
        .mend = text_or_empty(violation->mend),
    };
}

const void *kith_reply_body(const struct kith_reply *reply, size_t *body_bytes)
{
    *body_bytes = reply->body_bytes;
    return reply->body;
}

/* Adds to the sentence what still fits. */
static void text_add(struct kith_error *error, const char *before, const char *text)
{
    size_t size = strlen(error->text);
    if (text[0] != '\0') {
        (void)snprintf(error->text + size, sizeof error->text - size, "%s%s", before, text);
    }
}

enum kith_status kith_reply_tell(const struct kith_reply *reply, struct kith_error *error)
{
    if (reply->status == KITH_OK || error == NULL) {
        return reply->status;
    }
    const char *message = kith_reply_message(reply);
    (void)kith_error_set(error, reply->status, "%s",
                         message[0] == '\0' ? "the service gives no reason" : message);
    error->retry_after_ms = reply->header->retry_after_ms;
    for (size_t i = 0; i < reply->header->n_violations; i++) {
        struct kith_violation violation = kith_reply_violation(reply, i);
        text_add(error, "; ", violation.field);
        text_add(error, " ", violation.rule);
        text_add(error, ": ", violation.mend);
    }
    kith_text_clean(error->text);
    return reply->status;
}

enum kith_status kith_reply_senseless(const char *method, const char *why, struct kith_error *error)
{
    return kith_error_set(error, KITH_INTERNAL, "the reply to %s makes no sense: %s", method, why);
}
