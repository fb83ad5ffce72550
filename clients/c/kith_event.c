#include "clients/c/kith_event.h"

#include "clients/c/kith_status.h"
#include "clients/c/kith_text.h"
#include "kith/v1/event.pb-c.h"

#include <string.h>

/* An attribute with the money that it may hold. */
struct attribute {
    Kith__V1__Attribute message;
    Kith__V1__Money money;
};

static enum kith_status type_fault(struct kith_error *error, const char *what)
{
    return kith_error_set(error, KITH_INVALID_ARGUMENT, "%s must be 1 to %d of a-z 0-9 _ .", what,
                          KITH_ID_BYTES);
}

/* What the service would find wrong with the bytes; what a fact must mean it judges itself. */
static enum kith_status event_check(const struct kith_event *event, struct kith_error *error)
{
    if (!kith_id_is_valid(event->source)) {
        return kith_error_id(error, "source");
    }
    if (!kith_id_is_valid(event->id)) {
        return kith_error_id(error, "id");
    }
    if (!kith_type_is_valid(event->type)) {
        return type_fault(error, "type");
    }
    if (!kith_id_is_valid(event->customer)) {
        return kith_error_id(error, "customer");
    }
    if (event->attribute_count > KITH_EVENT_ATTRIBUTES) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "the event has %zu attributes, and at most %d can be",
                              event->attribute_count, KITH_EVENT_ATTRIBUTES);
    }
    return KITH_OK;
}

static void money_fill(const struct kith_money *given, Kith__V1__Money *money)
{
    kith__v1__money__init(money);
    money->has_minor = true;
    money->minor = given->minor;
    money->currency = kith_unconst_text(given->currency);
}

static enum kith_status text_check(const struct kith_attribute *given, struct kith_error *error)
{
    const char *text = given->value.text;
    size_t size = text == NULL ? 0 : strlen(text);
    if (size > KITH_TEXT_BYTES) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "attribute %s has %zu bytes, and at most %d can be", given->name,
                              size, KITH_TEXT_BYTES);
    }
    if (text == NULL || !kith_text_is_clean(text, size)) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "attribute %s must be UTF-8 without control characters", given->name);
    }
    return KITH_OK;
}

static enum kith_status value_fill(const struct kith_attribute *given, struct attribute *attribute,
                                   struct kith_error *error)
{
    Kith__V1__Attribute *message = &attribute->message;
    switch (given->kind) {
    case KITH_ATTRIBUTE_TEXT:
        message->value_case = KITH__V1__ATTRIBUTE__VALUE_TEXT;
        message->text = kith_unconst_text(given->value.text);
        return text_check(given, error);
    case KITH_ATTRIBUTE_INTEGER:
        message->value_case = KITH__V1__ATTRIBUTE__VALUE_INTEGER;
        message->integer = given->value.integer;
        return KITH_OK;
    case KITH_ATTRIBUTE_FLAG:
        message->value_case = KITH__V1__ATTRIBUTE__VALUE_FLAG;
        message->flag = given->value.flag;
        return KITH_OK;
    case KITH_ATTRIBUTE_TIME:
        message->value_case = KITH__V1__ATTRIBUTE__VALUE_AT_MS;
        message->at_ms = given->value.at_ms;
        return KITH_OK;
    case KITH_ATTRIBUTE_MONEY:
        message->value_case = KITH__V1__ATTRIBUTE__VALUE_MONEY;
        message->money = &attribute->money;
        money_fill(&given->value.money, &attribute->money);
        return KITH_OK;
    }
    return kith_error_set(error, KITH_INVALID_ARGUMENT, "attribute %s is of no kind", given->name);
}

static enum kith_status attribute_fill(const struct kith_attribute *given,
                                       struct attribute *attribute, struct kith_error *error)
{
    if (!kith_type_is_valid(given->name)) {
        return type_fault(error, "an attribute's name");
    }
    kith__v1__attribute__init(&attribute->message);
    attribute->message.name = kith_unconst_text(given->name);
    attribute->message.has_personal = given->personal;
    attribute->message.personal = given->personal;
    return value_fill(given, attribute, error);
}

static void event_fill(const struct kith_event *event, Kith__V1__Event *message,
                       Kith__V1__Money *amount)
{
    kith__v1__event__init(message);
    message->source = kith_unconst_text(event->source);
    message->id = kith_unconst_text(event->id);
    message->type = kith_unconst_text(event->type);
    message->customer = kith_unconst_text(event->customer);
    message->has_occurred_at_ms = true;
    message->occurred_at_ms = event->occurred_at_ms;
    message->has_schema_version = true;
    message->schema_version = event->schema_version == 0 ? 1 : event->schema_version;
    if (event->amount.currency != NULL) {
        money_fill(&event->amount, amount);
        message->amount = amount;
    }
}

enum kith_status kith_event_pack(const struct kith_event *event, struct kith_bytes *out,
                                 struct kith_error *error)
{
    enum kith_status status = event_check(event, error);
    if (status != KITH_OK) {
        return status;
    }
    Kith__V1__Event message;
    Kith__V1__Money amount;
    struct attribute attributes[KITH_EVENT_ATTRIBUTES];
    Kith__V1__Attribute *list[KITH_EVENT_ATTRIBUTES];
    event_fill(event, &message, &amount);
    for (size_t i = 0; i < event->attribute_count; i++) {
        status = attribute_fill(&event->attributes[i], &attributes[i], error);
        if (status != KITH_OK) {
            return status;
        }
        list[i] = &attributes[i].message;
    }
    message.attributes = list;
    message.n_attributes = event->attribute_count;
    kith_bytes_pack(out, &message.base);
    return KITH_OK;
}
