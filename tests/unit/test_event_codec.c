/* link: common_event common_wire */
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "kith/v1/event.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static struct buffer encoded;
static struct refusal refusal;

static void setup(void)
{
    arena_init(&arena, 1024 * 1024);
    buffer_init(&encoded, LIMIT_RECORD_BYTES);
    refusal_init(&refusal);
}

static void teardown(void)
{
    arena_release(&arena);
    buffer_release(&encoded);
}

static const struct attribute sample_attributes[] = {
    { .name = { (const uint8_t *)"shop", 4 },
      .kind = ATTRIBUTE_TEXT,
      .text = { (const uint8_t *)"Z\xc3\xbcrich", 7 } },
    { .name = { (const uint8_t *)"items", 5 }, .kind = ATTRIBUTE_INTEGER, .integer = INT64_MIN },
    { .name = { (const uint8_t *)"online", 6 }, .kind = ATTRIBUTE_FLAG, .integer = 1 },
    { .name = { (const uint8_t *)"paid_at", 7 },
      .kind = ATTRIBUTE_AT,
      .integer = LIMIT_TIME_LEAST_MS },
    { .name = { (const uint8_t *)"refund", 6 },
      .kind = ATTRIBUTE_MONEY,
      .money = { .minor = -LIMIT_AMOUNT, .currency = "CHF" } },
    { .name = { (const uint8_t *)"phone", 5 },
      .kind = ATTRIBUTE_TEXT,
      .text = { (const uint8_t *)"+41 44", 6 },
      .personal = true },
};
#define ATTRIBUTE_COUNT (sizeof sample_attributes / sizeof sample_attributes[0])
#define PERSONAL_COUNT 1

static struct event purchase(void)
{
    return (struct event){
        .source = span_of_text("till"),
        .id = span_of_text("7-1"),
        .type = span_of_text(EVENT_PURCHASE),
        .customer = span_of_text("anna"),
        .occurred_at_ms = INT64_C(899208000000),
        .schema_version = 1,
        .has_amount = true,
        .amount = { .minor = 2933, .currency = "EUR" },
        .attribute_count = ATTRIBUTE_COUNT,
        .attributes = sample_attributes,
    };
}

static void attribute_assert_equal(const struct attribute *left, const struct attribute *right)
{
    ck_assert(span_equal(left->name, right->name));
    ck_assert_int_eq(left->kind, right->kind);
    ck_assert(span_equal(left->text, right->text));
    ck_assert_int_eq(left->integer, right->integer);
    ck_assert_int_eq(left->money.minor, right->money.minor);
    ck_assert_str_eq(left->money.currency, right->money.currency);
    ck_assert_int_eq(left->personal, right->personal);
}

static void event_assert_equal(const struct event *left, const struct event *right)
{
    ck_assert(span_equal(left->source, right->source));
    ck_assert(span_equal(left->id, right->id));
    ck_assert(span_equal(left->type, right->type));
    ck_assert(span_equal(left->customer, right->customer));
    ck_assert_int_eq(left->occurred_at_ms, right->occurred_at_ms);
    ck_assert_uint_eq(left->schema_version, right->schema_version);
    ck_assert_int_eq(left->has_amount, right->has_amount);
    ck_assert_int_eq(left->amount.minor, right->amount.minor);
    ck_assert_str_eq(left->amount.currency, right->amount.currency);
    ck_assert_uint_eq(left->attribute_count, right->attribute_count);
    for (size_t i = 0; i < left->attribute_count; i++) {
        attribute_assert_equal(&left->attributes[i], &right->attributes[i]);
    }
}

static enum status decode_again(struct event *event)
{
    arena_reset(&arena);
    return event_decode(buffer_span(&encoded), &arena, event, &refusal);
}

START_TEST(an_event_comes_back_as_it_was)
{
    struct event event = purchase();
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    struct event decoded = { .attribute_count = 0 };
    ck_assert_int_eq(decode_again(&decoded), STATUS_OK);
    event_assert_equal(&decoded, &event);
}
END_TEST

START_TEST(equal_events_have_equal_bytes_and_are_appended)
{
    struct event event = purchase();
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    size_t size = encoded.size;
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    ck_assert_uint_eq(encoded.size, 2 * size);
    ck_assert_mem_eq(encoded.data, encoded.data + size, size);
}
END_TEST

START_TEST(generated_code_reads_and_writes_the_same_bytes)
{
    struct event event = purchase();
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    Kith__V1__Event *message =
        pb_unpack(&kith__v1__event__descriptor, &arena, buffer_span(&encoded));
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(message->base.n_unknown_fields, 0);
    ck_assert_str_eq(message->id, "7-1");
    ck_assert_int_eq(message->amount->minor, 2933);
    ck_assert_uint_eq(message->n_attributes, ATTRIBUTE_COUNT);
    ck_assert_int_eq(message->attributes[1]->integer, INT64_MIN);
    ck_assert_int_eq(message->attributes[3]->at_ms, LIMIT_TIME_LEAST_MS);
    struct buffer packed = { .limit = LIMIT_RECORD_BYTES };
    ck_assert_int_eq(pb_pack(&message->base, &packed), STATUS_OK);
    ck_assert(span_equal(buffer_span(&packed), buffer_span(&encoded)));
    buffer_release(&packed);
}
END_TEST

START_TEST(an_accepted_event_comes_back_without_its_sealed_values)
{
    struct event event = purchase();
    struct hash128 hash = hash128_of_span(span_of_text("content"));
    ck_assert_int_eq(accepted_event_encode(&event, true, hash, &encoded), STATUS_OK);
    struct accepted_event accepted = { .attribute_count = 0 };
    ck_assert_int_eq(accepted_event_decode(buffer_span(&encoded), &arena, &accepted), STATUS_OK);
    ck_assert(span_equal(accepted.source, event.source));
    ck_assert(span_equal(accepted.id, event.id));
    ck_assert(span_equal(accepted.type, event.type));
    ck_assert_int_eq(accepted.occurred_at_ms, event.occurred_at_ms);
    ck_assert_uint_eq(accepted.schema_version, 1);
    ck_assert(accepted.has_amount);
    ck_assert_int_eq(accepted.amount.minor, 2933);
    ck_assert_str_eq(accepted.amount.currency, "EUR");
    ck_assert(accepted.new_customer);
    ck_assert(hash128_equal(accepted.content_hash, hash));
    ck_assert_uint_eq(accepted.attribute_count, ATTRIBUTE_COUNT - PERSONAL_COUNT);
    for (size_t i = 0; i < accepted.attribute_count; i++) {
        attribute_assert_equal(&accepted.attributes[i], &sample_attributes[i]);
    }
}
END_TEST

START_TEST(personal_attributes_are_there_for_who_opens_them)
{
    struct event event = purchase();
    struct hash128 hash = hash128_of_span(span_of_text("content"));
    ck_assert_int_eq(accepted_event_encode(&event, true, hash, &encoded), STATUS_OK);
    struct accepted_event accepted = { .attribute_count = 0 };
    ck_assert_int_eq(accepted_event_decode(buffer_span(&encoded), &arena, &accepted), STATUS_OK);
    ck_assert_uint_eq(accepted.personal_count, 0);
    ck_assert_int_eq(accepted_event_open(buffer_span(&encoded), &arena, &accepted), STATUS_OK);
    ck_assert_uint_eq(accepted.personal_count, PERSONAL_COUNT);
    attribute_assert_equal(&accepted.personal[0],
                           &sample_attributes[ATTRIBUTE_COUNT - PERSONAL_COUNT]);
    ck_assert_uint_eq(accepted.attribute_count, ATTRIBUTE_COUNT - PERSONAL_COUNT);
}
END_TEST

/* An accepted event's body with one sealed attribute, as generated code writes it. */
static void sealed_put(uint32_t key_id, const char *inside, size_t size)
{
    char name[] = "phone";
    Kith__V1__Sealed value = KITH__V1__SEALED__INIT;
    value.has_key_id = key_id != 0;
    value.key_id = key_id;
    value.has_bytes = 1;
    value.bytes = pb_bytes(span_of(inside, size));
    Kith__V1__SealedAttribute sealed = KITH__V1__SEALED_ATTRIBUTE__INIT;
    Kith__V1__SealedAttribute *sealed_all[1] = { &sealed };
    sealed.name = name;
    sealed.value = &value;
    Kith__V1__EventAccepted message = KITH__V1__EVENT_ACCEPTED__INIT;
    message.n_sealed = 1;
    message.sealed = sealed_all;
    buffer_clear(&encoded);
    ck_assert_int_eq(pb_pack(&message.base, &encoded), STATUS_OK);
}

START_TEST(a_value_under_a_key_that_is_not_at_hand_is_left_out)
{
    struct accepted_event accepted = { .personal_count = 77 };
    sealed_put(3, "whatever it says", 16);
    ck_assert_int_eq(accepted_event_open(buffer_span(&encoded), &arena, &accepted), STATUS_OK);
    ck_assert_uint_eq(accepted.personal_count, 0);
}
END_TEST

START_TEST(a_sealed_value_that_is_no_attribute_is_corrupt)
{
    struct accepted_event accepted = { .personal_count = 77 };
    sealed_put(0, "whatever it says", 16);
    ck_assert_int_eq(accepted_event_open(buffer_span(&encoded), &arena, &accepted), STATUS_CORRUPT);
    sealed_put(0, "", 0);
    ck_assert_int_eq(accepted_event_open(buffer_span(&encoded), &arena, &accepted), STATUS_CORRUPT);
    sealed_put(0, "\x0a\x01n\x12\x01v", 6);
    ck_assert_int_eq(accepted_event_open(buffer_span(&encoded), &arena, &accepted), STATUS_OK);
    ck_assert_uint_eq(accepted.personal_count, 1);
    accepted = (struct accepted_event){ .attribute_count = LIMIT_ATTRIBUTES, .personal_count = 77 };
    ck_assert_int_eq(accepted_event_open(buffer_span(&encoded), &arena, &accepted), STATUS_CORRUPT);
    ck_assert_uint_eq(accepted.personal_count, 77);
}
END_TEST

START_TEST(generated_code_finds_the_sealed_attribute_whole)
{
    struct event event = purchase();
    struct hash128 hash = hash128_of_span(span_of_text("content"));
    ck_assert_int_eq(accepted_event_encode(&event, false, hash, &encoded), STATUS_OK);
    Kith__V1__EventAccepted *message =
        pb_unpack(&kith__v1__event_accepted__descriptor, &arena, buffer_span(&encoded));
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(message->base.n_unknown_fields, 0);
    ck_assert_uint_eq(message->n_sealed, PERSONAL_COUNT);
    ck_assert_str_eq(message->sealed[0]->name, "phone");
    ck_assert_uint_eq(message->sealed[0]->value->key_id, 0);
    Kith__V1__Attribute *attribute = pb_unpack(&kith__v1__attribute__descriptor, &arena,
                                               pb_span(message->sealed[0]->value->bytes));
    ck_assert_ptr_nonnull(attribute);
    ck_assert_str_eq(attribute->text, "+41 44");
    ck_assert(attribute->personal);
}
END_TEST

/* ---- faults: one row each, `spoil` makes it */

struct fault_row {
    const char *name;
    void (*spoil)(struct event *event);
    const char *field; /* NULL: no fault */
};

static uint8_t long_text[LIMIT_TEXT_BYTES + 1];
static struct attribute one;
static struct attribute many[LIMIT_ATTRIBUTES + 1];
static char many_names[LIMIT_ATTRIBUTES + 1][24];

static struct span letters(size_t size)
{
    memset(long_text, 'a', sizeof long_text);
    return span_of(long_text, size);
}

static struct attribute *one_attribute(struct event *event)
{
    one = (struct attribute){ .name = span_of_text("a"), .kind = ATTRIBUTE_TEXT };
    one.text = span_of_text("b");
    event->attributes = &one;
    event->attribute_count = 1;
    return &one;
}

static void many_attributes(struct event *event, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(many_names[i], sizeof many_names[i], "a%zu", i);
        many[i] = (struct attribute){ .kind = ATTRIBUTE_INTEGER };
        many[i].name = span_of_text(many_names[i]);
    }
    event->attributes = many;
    event->attribute_count = count;
}

static void spoil_nothing(struct event *event)
{
    (void)event;
}
static void spoil_source_missing(struct event *event)
{
    event->source = span_of(NULL, 0);
}
static void spoil_id_longest(struct event *event)
{
    event->id = letters(LIMIT_ID_BYTES);
}
static void spoil_id_too_long(struct event *event)
{
    event->id = letters(LIMIT_ID_BYTES + 1);
}
static void spoil_id_control(struct event *event)
{
    event->id = span_of_text("a\nb");
}
static void spoil_customer_nul(struct event *event)
{
    event->customer = span_of("a\0b", 3);
}
static void spoil_customer_not_utf8(struct event *event)
{
    event->customer = span_of_text("\xc3(");
}
static void spoil_type_capital(struct event *event)
{
    event->type = span_of_text("Purchase");
}
static void spoil_type_missing(struct event *event)
{
    event->type = span_of(NULL, 0);
}
static void spoil_time_first(struct event *event)
{
    event->occurred_at_ms = LIMIT_TIME_LEAST_MS;
}
static void spoil_time_before(struct event *event)
{
    event->occurred_at_ms = LIMIT_TIME_LEAST_MS - 1;
}
static void spoil_time_last(struct event *event)
{
    event->occurred_at_ms = LIMIT_TIME_MOST_MS;
}
static void spoil_time_after(struct event *event)
{
    event->occurred_at_ms = LIMIT_TIME_MOST_MS + 1;
}
static void spoil_amount_missing(struct event *event)
{
    event->has_amount = false;
    event->amount = (struct money){ .minor = 0 };
}
static void spoil_bill_without_amount(struct event *event)
{
    spoil_amount_missing(event);
    event->type = span_of_text(EVENT_BILL_PAID);
}
static void spoil_recharge_without_amount(struct event *event)
{
    spoil_amount_missing(event);
    event->type = span_of_text(EVENT_RECHARGE);
}
static void spoil_rating_without_amount(struct event *event)
{
    spoil_amount_missing(event);
    event->type = span_of_text(EVENT_RATING);
}
static void spoil_own_type_without_amount(struct event *event)
{
    spoil_amount_missing(event);
    event->type = span_of_text("purchases");
}
static void spoil_amount_zero(struct event *event)
{
    event->amount.minor = 0;
}
static void spoil_amount_negative(struct event *event)
{
    event->amount.minor = -1;
}
static void spoil_amount_most(struct event *event)
{
    event->amount.minor = LIMIT_AMOUNT;
}
static void spoil_amount_too_large(struct event *event)
{
    event->amount.minor = LIMIT_AMOUNT + 1;
}
static void spoil_currency_small(struct event *event)
{
    memcpy(event->amount.currency, "eur", 4);
}
static void spoil_currency_short(struct event *event)
{
    memcpy(event->amount.currency, "EU", 3);
}
static void spoil_currency_missing(struct event *event)
{
    event->amount.currency[0] = '\0';
}
static void spoil_attributes_most(struct event *event)
{
    many_attributes(event, LIMIT_ATTRIBUTES);
}
static void spoil_attributes_too_many(struct event *event)
{
    many_attributes(event, LIMIT_ATTRIBUTES + 1);
}
static void spoil_attributes_twice(struct event *event)
{
    many_attributes(event, 3);
    many[2].name = many[0].name;
}
static void spoil_attribute_name(struct event *event)
{
    one_attribute(event)->name = span_of_text("a b");
}
static void spoil_attribute_without_name(struct event *event)
{
    one_attribute(event)->name = span_of(NULL, 0);
}
static void spoil_attribute_text_empty(struct event *event)
{
    one_attribute(event)->text = span_of(NULL, 0);
}
static void spoil_attribute_text_longest(struct event *event)
{
    one_attribute(event)->text = letters(LIMIT_TEXT_BYTES);
}
static void spoil_attribute_text_too_long(struct event *event)
{
    one_attribute(event)->text = letters(LIMIT_TEXT_BYTES + 1);
}
static void spoil_attribute_text_unclean(struct event *event)
{
    one_attribute(event)->text = span_of_text("\x1b[2J");
}
static void spoil_attribute_time(struct event *event)
{
    one_attribute(event)->kind = ATTRIBUTE_AT;
    one.text = span_of(NULL, 0);
    one.integer = INT64_MAX;
}
static void spoil_attribute_money(struct event *event)
{
    one_attribute(event)->kind = ATTRIBUTE_MONEY;
    one.text = span_of(NULL, 0);
    one.money = (struct money){ .minor = -LIMIT_AMOUNT - 1, .currency = "EUR" };
}

static const struct fault_row fault_rows[] = {
    { "whole", spoil_nothing, NULL },
    { "no source", spoil_source_missing, "source" },
    { "longest id", spoil_id_longest, NULL },
    { "id too long", spoil_id_too_long, "id" },
    { "line break in id", spoil_id_control, "id" },
    { "NUL in customer", spoil_customer_nul, "customer" },
    { "customer is no UTF-8", spoil_customer_not_utf8, "customer" },
    { "capital in type", spoil_type_capital, "type" },
    { "no type", spoil_type_missing, "type" },
    { "first time", spoil_time_first, NULL },
    { "before the first time", spoil_time_before, "occurred_at_ms" },
    { "last time", spoil_time_last, NULL },
    { "after the last time", spoil_time_after, "occurred_at_ms" },
    { "purchase without amount", spoil_amount_missing, "amount" },
    { "bill without amount", spoil_bill_without_amount, "amount" },
    { "recharge without amount", spoil_recharge_without_amount, "amount" },
    { "rating without amount", spoil_rating_without_amount, NULL },
    { "own type without amount", spoil_own_type_without_amount, NULL },
    { "amount of zero", spoil_amount_zero, NULL },
    { "negative amount", spoil_amount_negative, "amount.minor" },
    { "largest amount", spoil_amount_most, NULL },
    { "amount too large", spoil_amount_too_large, "amount.minor" },
    { "small letters in currency", spoil_currency_small, "amount.currency" },
    { "short currency", spoil_currency_short, "amount.currency" },
    { "no currency", spoil_currency_missing, "amount.currency" },
    { "64 attributes", spoil_attributes_most, NULL },
    { "65 attributes", spoil_attributes_too_many, "attributes" },
    { "attribute twice", spoil_attributes_twice, "attributes[2].name" },
    { "blank in attribute's name", spoil_attribute_name, "attributes[0].name" },
    { "attribute without name", spoil_attribute_without_name, "attributes[0].name" },
    { "empty text", spoil_attribute_text_empty, NULL },
    { "longest text", spoil_attribute_text_longest, NULL },
    { "text too long", spoil_attribute_text_too_long, "attributes[0].text" },
    { "control in text", spoil_attribute_text_unclean, "attributes[0].text" },
    { "attribute's time", spoil_attribute_time, "attributes[0].at_ms" },
    { "attribute's money", spoil_attribute_money, "attributes[0].money.minor" },
};

static void fault_assert(const struct fault_row *row, enum status status, const char *how)
{
    if (row->field == NULL) {
        ck_assert_msg(status == STATUS_OK, "%s, %s: %s", row->name, how, refusal.message);
        ck_assert_msg(refusal.status == STATUS_OK, "%s, %s: refusal touched", row->name, how);
        return;
    }
    ck_assert_msg(status == STATUS_MALFORMED, "%s, %s: taken", row->name, how);
    ck_assert_msg(refusal.violation_count == 1, "%s, %s: %zu faults", row->name, how,
                  refusal.violation_count);
    ck_assert_msg(strcmp(refusal.violations[0].field, row->field) == 0, "%s, %s: blames %s",
                  row->name, how, refusal.violations[0].field);
    ck_assert_msg(refusal.violations[0].mend[0] != '\0', "%s: no advice", row->name);
}

START_TEST(each_fault_is_found_in_structs_and_in_bytes)
{
    const struct fault_row *row = &fault_rows[_i];
    struct event event = purchase();
    row->spoil(&event);
    fault_assert(row, event_validate(&event, &refusal), "struct");
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    refusal_init(&refusal);
    struct event decoded = { .attribute_count = 77 };
    fault_assert(row, decode_again(&decoded), "bytes");
    if (row->field != NULL) {
        ck_assert_uint_eq(decoded.attribute_count, 77);
    }
}
END_TEST

START_TEST(all_faults_are_told_at_once)
{
    struct event event = purchase();
    event.source = span_of(NULL, 0);
    event.type = span_of_text("A");
    event.amount.minor = -1;
    memcpy(event.amount.currency, "eur", 4);
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    struct event decoded = { .attribute_count = 0 };
    ck_assert_int_eq(decode_again(&decoded), STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 4);
    ck_assert_str_eq(refusal.message, "source is missing: send 1 to 64 bytes of text");
}
END_TEST

/* ---- bytes that no encoder of ours writes */

struct bytes_row {
    const char *name;
    const char *bytes; /* after a whole event without amount and attributes */
    size_t size;
    const char *field;
};

#define BYTES(text) (text), sizeof(text) - 1
static const struct bytes_row odd_rows[] = {
    { "unknown field", BYTES("\x48\x01"), "field 9" },
    { "large unknown field", BYTES("\xfa\xff\xff\xff\x0f\x00"), "field 536870911" },
    { "field twice", BYTES("\x12\x01x"), "id" },
    { "text as number", BYTES("\x30\x01\x0a\x01x"), "source" },
    { "number as text", BYTES("\x32\x01x"), "schema_version" },
    { "fixed number", BYTES("\x35\x01\x00\x00\x00"), "schema_version" },
    { "version past 32 bits", BYTES("\x30\xff\xff\xff\xff\x1f"), "schema_version" },
    { "field number 0", BYTES("\x00\x00"), "bytes" },
    { "group", BYTES("\x4b\x4c"), "bytes" },
    { "cut in the tag", BYTES("\x80"), "bytes" },
    { "cut in the text",
      BYTES("\x42\x05"
            "ab"),
      "bytes" },
    { "length past 64 bits", BYTES("\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "bytes" },
    { "length past the end", BYTES("\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "bytes" },
    { "amount without minor",
      BYTES("\x3a\x05\x12\x03"
            "EUR"),
      "amount.minor" },
    { "currency of four",
      BYTES("\x3a\x08\x08\x02\x12\x04"
            "EURO"),
      "amount.currency" },
    { "unknown field in money",
      BYTES("\x3a\x09\x08\x02\x12\x03"
            "EUR\x18\x01"),
      "amount.field 3" },
    { "attribute without value", BYTES("\x42\x03\x0a\x01q"), "attributes[0].value" },
    { "attribute of two values", BYTES("\x42\x08\x0a\x01q\x12\x01t\x18\x02"),
      "attributes[0].value" },
    { "attribute's text twice", BYTES("\x42\x09\x0a\x01q\x12\x01t\x12\x01t"),
      "attributes[0].text" },
    { "unknown field in attribute", BYTES("\x42\x07\x0a\x01q\x18\x02\x40\x01"),
      "attributes[0].field 8" },
    { "broken attribute", BYTES("\x42\x06\x0a\x01q\x18\x02\x40"), "attributes[0].bytes" },
};

START_TEST(odd_bytes_are_refused_by_the_field)
{
    const struct bytes_row *row = &odd_rows[_i];
    struct event event = purchase();
    event.type = span_of_text(EVENT_RATING);
    event.has_amount = false;
    event.schema_version = 0;
    event.attribute_count = 0;
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    ck_assert_int_eq(buffer_append(&encoded, span_of(row->bytes, row->size)), STATUS_OK);
    struct event decoded = { .attribute_count = 0 };
    ck_assert_msg(decode_again(&decoded) == STATUS_MALFORMED, "%s: taken", row->name);
    ck_assert_msg(refusal.violation_count >= 1, "%s: no fault", row->name);
    ck_assert_msg(strcmp(refusal.violations[0].field, row->field) == 0, "%s: blames %s", row->name,
                  refusal.violations[0].field);
}
END_TEST

START_TEST(a_time_that_is_missing_is_not_1970)
{
    ck_assert_int_eq(buffer_append(&encoded, span_of_text("\x0a\x01s\x12\x01i\x1a\x01t\x22\x01"
                                                          "c")),
                     STATUS_OK);
    struct event decoded = { .attribute_count = 0 };
    ck_assert_int_eq(decode_again(&decoded), STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 1);
    ck_assert_str_eq(refusal.violations[0].field, "occurred_at_ms");
}
END_TEST

START_TEST(no_bytes_are_an_event_without_anything)
{
    struct event decoded = { .attribute_count = 0 };
    ck_assert_int_eq(decode_again(&decoded), STATUS_MALFORMED);
    ck_assert_uint_eq(refusal.violation_count, 5);
}
END_TEST

/* An event of exactly `size` bytes, by texts of its attributes. */
static struct event sized_event(size_t size)
{
    struct event event = purchase();
    many_attributes(&event, 20);
    for (size_t i = 0; i < event.attribute_count; i++) {
        many[i].kind = ATTRIBUTE_TEXT;
        many[i].text = letters(700);
    }
    buffer_clear(&encoded);
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    size_t missing = size - encoded.size;
    for (size_t i = 0; missing > 0; i++) {
        size_t more = missing < 300 ? missing : 300;
        many[i].text.size += more;
        missing -= more;
    }
    buffer_clear(&encoded);
    return event;
}

START_TEST(the_longest_event_is_taken_and_a_longer_one_is_not)
{
    struct event event = sized_event(LIMIT_EVENT_BYTES);
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    ck_assert_uint_eq(encoded.size, LIMIT_EVENT_BYTES);
    struct event decoded = { .attribute_count = 0 };
    ck_assert_int_eq(decode_again(&decoded), STATUS_OK);
    event_assert_equal(&decoded, &event);

    many[19].text.size += 1;
    buffer_clear(&encoded);
    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_LIMIT);
    ck_assert_uint_eq(encoded.size, 0);
    ck_assert_int_eq(buffer_append(&encoded, letters(1000)), STATUS_OK);
    while (encoded.size <= LIMIT_EVENT_BYTES) {
        ck_assert_int_eq(buffer_append(&encoded, letters(1000)), STATUS_OK);
    }
    ck_assert_int_eq(decode_again(&decoded), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "event");
}
END_TEST

START_TEST(a_full_buffer_or_arena_is_told)
{
    struct event event = purchase();
    struct buffer small = { .limit = 10 };
    ck_assert_int_eq(event_encode(&event, &small), STATUS_LIMIT);
    ck_assert_int_eq(accepted_event_encode(&event, true, hash128_of_span(event.id), &small),
                     STATUS_LIMIT);
    ck_assert_uint_eq(small.size, 0);
    buffer_release(&small);

    ck_assert_int_eq(event_encode(&event, &encoded), STATUS_OK);
    struct arena tiny;
    arena_init(&tiny, ATTRIBUTE_COUNT * sizeof(struct attribute) - 16);
    struct event decoded = { .attribute_count = 0 };
    ck_assert_int_eq(event_decode(buffer_span(&encoded), &tiny, &decoded, &refusal), STATUS_LIMIT);
    arena_release(&tiny);
}
END_TEST

START_TEST(an_accepted_event_that_is_cut_anywhere_is_corrupt)
{
    struct event event = purchase();
    struct hash128 hash = hash128_of_span(span_of_text("content"));
    ck_assert_int_eq(accepted_event_encode(&event, false, hash, &encoded), STATUS_OK);
    struct accepted_event accepted = { .attribute_count = 77 };
    for (size_t size = 0; size < encoded.size; size++) {
        arena_reset(&arena);
        ck_assert_int_eq(accepted_event_decode(span_of(encoded.data, size), &arena, &accepted),
                         STATUS_CORRUPT);
    }
    ck_assert_uint_eq(accepted.attribute_count, 77);
}
END_TEST

START_TEST(rules_of_today_are_not_held_against_facts_of_yesterday)
{
    struct event event = purchase();
    event.has_amount = false;
    struct hash128 hash = hash128_of_span(span_of_text("content"));
    ck_assert_int_eq(accepted_event_encode(&event, false, hash, &encoded), STATUS_OK);
    struct accepted_event accepted = { .attribute_count = 0 };
    ck_assert_int_eq(accepted_event_decode(buffer_span(&encoded), &arena, &accepted), STATUS_OK);
    ck_assert(!accepted.has_amount);
    ck_assert(!accepted.new_customer);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("event codec");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_event_comes_back_as_it_was);
    tcase_add_test(tests, equal_events_have_equal_bytes_and_are_appended);
    tcase_add_test(tests, generated_code_reads_and_writes_the_same_bytes);
    tcase_add_test(tests, an_accepted_event_comes_back_without_its_sealed_values);
    tcase_add_test(tests, personal_attributes_are_there_for_who_opens_them);
    tcase_add_test(tests, a_value_under_a_key_that_is_not_at_hand_is_left_out);
    tcase_add_test(tests, a_sealed_value_that_is_no_attribute_is_corrupt);
    tcase_add_test(tests, generated_code_finds_the_sealed_attribute_whole);
    tcase_add_loop_test(tests, each_fault_is_found_in_structs_and_in_bytes, 0,
                        (int)(sizeof fault_rows / sizeof fault_rows[0]));
    tcase_add_test(tests, all_faults_are_told_at_once);
    tcase_add_loop_test(tests, odd_bytes_are_refused_by_the_field, 0,
                        (int)(sizeof odd_rows / sizeof odd_rows[0]));
    tcase_add_test(tests, a_time_that_is_missing_is_not_1970);
    tcase_add_test(tests, no_bytes_are_an_event_without_anything);
    tcase_add_test(tests, the_longest_event_is_taken_and_a_longer_one_is_not);
    tcase_add_test(tests, a_full_buffer_or_arena_is_told);
    tcase_add_test(tests, an_accepted_event_that_is_cut_anywhere_is_corrupt);
    tcase_add_test(tests, rules_of_today_are_not_held_against_facts_of_yesterday);
    Suite *suite = suite_create("event codec");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
