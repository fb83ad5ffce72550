#include "services/loyalty/loyalty_codec.h"

#include "common/base/field.h"
#include "common/wire/pb.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/loyalty_private.pb-c.h"

#include <assert.h>
#include <string.h>

_Static_assert(LOYALTY_OWN_ISSUED == (int)KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED, "same numbers");
_Static_assert(LOYALTY_OWN_SPENT == (int)KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT, "same numbers");
_Static_assert(LOYALTY_ROUND_FLOOR == (int)KITH__V1__ROUNDING__ROUND_FLOOR, "same numbers");
_Static_assert(LOYALTY_ROUND_HALF_UP == (int)KITH__V1__ROUNDING__ROUND_HALF_UP, "same numbers");
_Static_assert(LOYALTY_ROUND_CEILING == (int)KITH__V1__ROUNDING__ROUND_CEILING, "same numbers");

/* The number of the field `programmes` in Programmes. */
#define FIELD_PROGRAMMES 1

/* ---- postings */

uint32_t loyalty_posting_type(enum loyalty_kind kind)
{
    switch (kind) {
    case LOYALTY_EARNED:
        return FACT_POINTS_EARNED;
    case LOYALTY_SPENT:
        return FACT_POINTS_SPENT;
    case LOYALTY_REVERSED:
        return FACT_POINTS_REVERSED;
    case LOYALTY_GRANTED:
        return FACT_POINTS_GRANTED;
    }
    assert(false);
    return FACT_NONE;
}

static bool kind_of_type(uint32_t type, enum loyalty_kind *kind)
{
    for (enum loyalty_kind each = LOYALTY_EARNED; each <= LOYALTY_GRANTED; each++) {
        if (loyalty_posting_type(each) == type) {
            *kind = each;
            return true;
        }
    }
    return false;
}

/* Field by field, both ways, because postings pass here by the million. The numbers are those
 * of PointsPosted in loyalty.proto. */
enum posted_field {
    POSTED_PROGRAMME = 1,
    POSTED_POINTS,
    POSTED_BALANCE_AFTER,
    POSTED_NUMBER,
    POSTED_COUNTER,
    POSTED_OCCURRED_AT_MS,
    POSTED_SOURCE,
    POSTED_EVENT_ID,
    POSTED_REVERSES,
    POSTED_REFERENCE,
    POSTED_COUNT,
};

/* The first six, in every posting. */
#define POSTED_REQUIRED 0x7eU

static const enum field_kind posted_kinds[POSTED_COUNT] = {
    [POSTED_PROGRAMME] = FIELD_BYTES,      [POSTED_POINTS] = FIELD_VARINT,
    [POSTED_BALANCE_AFTER] = FIELD_VARINT, [POSTED_NUMBER] = FIELD_VARINT,
    [POSTED_COUNTER] = FIELD_VARINT,       [POSTED_OCCURRED_AT_MS] = FIELD_VARINT,
    [POSTED_SOURCE] = FIELD_BYTES,         [POSTED_EVENT_ID] = FIELD_BYTES,
    [POSTED_REVERSES] = FIELD_VARINT,      [POSTED_REFERENCE] = FIELD_BYTES,
};

static void optional_text_put(struct field_writer *writer, uint32_t number, struct span text)
{
    if (text.size > 0) {
        field_put_bytes(writer, number, text);
    }
}

static void posted_write(struct field_writer *writer, const struct loyalty_posting *posting)
{
    field_put_bytes(writer, POSTED_PROGRAMME, loyalty_name_span(&posting->programme));
    field_put_signed(writer, POSTED_POINTS, posting->points);
    field_put_signed(writer, POSTED_BALANCE_AFTER, posting->balance_after);
    field_put_unsigned(writer, POSTED_NUMBER, posting->number);
    field_put_unsigned(writer, POSTED_COUNTER, posting->counter);
    field_put_signed(writer, POSTED_OCCURRED_AT_MS, posting->occurred_at_ms);
    optional_text_put(writer, POSTED_SOURCE, posting->source);
    optional_text_put(writer, POSTED_EVENT_ID, posting->event_id);
    if (posting->reverses != 0) {
        field_put_unsigned(writer, POSTED_REVERSES, posting->reverses);
    }
    optional_text_put(writer, POSTED_REFERENCE, posting->reference);
}

static size_t posted_size(const struct loyalty_posting *posting)
{
    struct field_writer counter = { .out = NULL };
    posted_write(&counter, posting);
    return counter.size;
}

void loyalty_posting_encode(const struct loyalty_posting *posting, struct buffer *out)
{
    enum status status = buffer_reserve(out, posted_size(posting));
    assert(status == STATUS_OK);
    struct field_writer writer = { .out = out->data + out->size };
    posted_write(&writer, posting);
    out->size += writer.size;
}

/* A posting while it is read. */
struct posted {
    struct loyalty_posting *posting;
    unsigned seen;        /* bit n: field n */
    size_t unknown_bytes; /* of fields that only a newer ledger knows */
};

static void posted_number_set(uint32_t number, uint64_t value, struct loyalty_posting *posting)
{
    switch (number) {
    case POSTED_POINTS:
        posting->points = field_signed(value);
        break;
    case POSTED_BALANCE_AFTER:
        posting->balance_after = field_signed(value);
        break;
    case POSTED_NUMBER:
        posting->number = value;
        break;
    case POSTED_COUNTER:
        posting->counter = (enum loyalty_own_kind)value;
        break;
    case POSTED_OCCURRED_AT_MS:
        posting->occurred_at_ms = field_signed(value);
        break;
    default:
        posting->reverses = value;
        break;
    }
}

/* `text` is an id. */
static void posted_text_set(uint32_t number, struct span text, struct loyalty_posting *posting)
{
    switch (number) {
    case POSTED_PROGRAMME:
        posting->programme = loyalty_name_of(text);
        break;
    case POSTED_SOURCE:
        posting->source = text;
        break;
    case POSTED_EVENT_ID:
        posting->event_id = text;
        break;
    default:
        posting->reference = text;
        break;
    }
}

/* False: not as any ledger writes it. */
static bool posted_field_read(const struct field *field, struct posted *posted)
{
    if (field->kind != posted_kinds[field->number] ||
        (field->number == POSTED_COUNTER && field->value > LOYALTY_OWN_SPENT)) {
        return false;
    }
    posted->seen |= 1U << field->number;
    if (field->kind == FIELD_VARINT) {
        posted_number_set(field->number, field->value, posted->posting);
        return true;
    }
    if (!id_text_is_valid(field->bytes)) {
        return false;
    }
    posted_text_set(field->number, field->bytes, posted->posting);
    return true;
}

static bool posted_read(struct span body, struct posted *posted)
{
    struct span rest = body;
    struct field field = { .number = 0 };
    enum field_step step = FIELD_READ;
    size_t before = body.size;
    while ((step = field_next(&rest, &field)) == FIELD_READ) {
        if (field.number >= POSTED_COUNT) {
            posted->unknown_bytes += before - rest.size;
        } else if (!posted_field_read(&field, posted)) {
            return false;
        }
        before = rest.size;
    }
    return step == FIELD_END && (posted->seen & POSTED_REQUIRED) == POSTED_REQUIRED;
}

static bool posting_is_in_range(const struct loyalty_posting *posting)
{
    return posting->points != 0 && posting->points >= -LIMIT_AMOUNT &&
           posting->points <= LIMIT_AMOUNT && posting->balance_after >= 0 &&
           posting->balance_after <= LIMIT_AMOUNT && posting->number >= 1;
}

/* Earnings and grants come from what is issued, spendings go to what is spent, reversals name
 * what they take back. */
static bool posting_fits_kind(const struct loyalty_posting *posting)
{
    bool issued = posting->counter == LOYALTY_OWN_ISSUED;
    bool reverses = posting->reverses > 0;
    bool has_reference = posting->reference.size > 0;
    switch (posting->kind) {
    case LOYALTY_EARNED:
        return posting->points > 0 && issued && !reverses && !has_reference;
    case LOYALTY_GRANTED:
        return posting->points > 0 && issued && !reverses;
    case LOYALTY_SPENT:
        return posting->points < 0 && !issued && !reverses;
    case LOYALTY_REVERSED:
        return (posting->points < 0) == issued && reverses && !has_reference;
    }
    return false;
}

enum status loyalty_posting_decode(const struct fact *fact, struct loyalty_posting *posting)
{
    struct loyalty_posting decoded = { .customer = fact->customer };
    struct posted posted = { .posting = &decoded };
    if (!kind_of_type(fact->type, &decoded.kind) || !fact->has_customer ||
        fact->subject.bytes.size > LOYALTY_SUBJECT_BYTES || !posted_read(fact->body, &posted)) {
        return STATUS_CORRUPT;
    }
    /* A field that stands twice and a number in more bytes than it takes are seen by the size
     * that all has when it is written again. */
    if (!posting_is_in_range(&decoded) || !posting_fits_kind(&decoded) ||
        posted_size(&decoded) + posted.unknown_bytes != fact->body.size) {
        return STATUS_CORRUPT;
    }
    decoded.subject = loyalty_subject_of(fact->subject);
    *posting = decoded;
    return STATUS_OK;
}

/* ---- rules */

static enum status programme_encode(const struct loyalty_programme *programme, struct buffer *out)
{
    struct loyalty_programme copy = *programme;
    Kith__V1__EarnRule rules[LOYALTY_EARN_RULES_MAX];
    Kith__V1__EarnRule *pointers[LOYALTY_EARN_RULES_MAX];
    for (size_t i = 0; i < copy.rule_count; i++) {
        struct loyalty_earn_rule *rule = &copy.rules[i];
        kith__v1__earn_rule__init(&rules[i]);
        rules[i].event_type = rule->event_type.text;
        rules[i].has_points = true;
        rules[i].points = rule->points;
        rules[i].has_unit_minor = true;
        rules[i].unit_minor = rule->unit_minor;
        rules[i].has_rounding = true;
        rules[i].rounding = (Kith__V1__Rounding)rule->rounding;
        pointers[i] = &rules[i];
    }
    Kith__V1__Programme message = KITH__V1__PROGRAMME__INIT;
    message.name = copy.name.text;
    message.n_earn = copy.rule_count;
    message.earn = pointers;
    enum status status =
        pb_field_begin(out, FIELD_PROGRAMMES, kith__v1__programme__get_packed_size(&message));
    return status == STATUS_OK ? pb_pack(&message.base, out) : status;
}

enum status loyalty_rules_encode(const struct loyalty_rules *rules, struct buffer *out)
{
    for (size_t i = 0; i < rules->programme_count; i++) {
        enum status status = programme_encode(&rules->programmes[i], out);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status earn_rule_decode(const Kith__V1__EarnRule *message,
                                    struct loyalty_earn_rule *rule)
{
    struct span type = pb_text(message->event_type);
    if (!type_text_is_valid(type) || (int)message->rounding < LOYALTY_ROUND_FLOOR ||
        (int)message->rounding > LOYALTY_ROUND_CEILING) {
        return STATUS_CORRUPT;
    }
    *rule = (struct loyalty_earn_rule){
        .event_type = loyalty_name_of(type),
        .points = message->points,
        .unit_minor = message->unit_minor,
        .rounding = (enum loyalty_rounding)message->rounding,
    };
    return loyalty_core_rule_is_valid(rule) ? STATUS_OK : STATUS_CORRUPT;
}

static enum status programme_decode(const Kith__V1__Programme *message,
                                    struct loyalty_programme *programme)
{
    struct span name = pb_text(message->name);
    if (!id_text_is_valid(name) || message->n_earn > LOYALTY_EARN_RULES_MAX) {
        return STATUS_CORRUPT;
    }
    *programme = (struct loyalty_programme){
        .name = loyalty_name_of(name),
        .rule_count = message->n_earn,
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < message->n_earn && status == STATUS_OK; i++) {
        status = earn_rule_decode(message->earn[i], &programme->rules[i]);
    }
    return status;
}

enum status loyalty_rules_decode(struct span compiled, struct arena *arena,
                                 struct loyalty_rules *rules)
{
    if (compiled.size > LOYALTY_COMPILED_BYTES) {
        return STATUS_CORRUPT;
    }
    const Kith__V1__Programmes *message =
        pb_unpack(&kith__v1__programmes__descriptor, arena, compiled);
    if (message == NULL || message->n_programmes > LOYALTY_PROGRAMMES_MAX) {
        return STATUS_CORRUPT;
    }
    struct loyalty_rules decoded = { .programme_count = message->n_programmes };
    for (size_t i = 0; i < message->n_programmes; i++) {
        enum status status = programme_decode(message->programmes[i], &decoded.programmes[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *rules = decoded;
    return STATUS_OK;
}

/* ---- private records */

void loyalty_customer_seen_encode(struct customer_id customer, struct buffer *out)
{
    Kith__V1__LoyaltyCustomerSeen seen = KITH__V1__LOYALTY_CUSTOMER_SEEN__INIT;
    Kith__V1__LoyaltyRecord record = KITH__V1__LOYALTY_RECORD__INIT;
    seen.has_customer = 1;
    seen.customer = pb_bytes(span_of(customer.bytes, sizeof customer.bytes));
    record.record_case = KITH__V1__LOYALTY_RECORD__RECORD_CUSTOMER_SEEN;
    record.customer_seen = &seen;
    enum status status = pb_pack(&record.base, out);
    assert(status == STATUS_OK);
}

enum status loyalty_customer_seen_decode(struct span record, struct arena *arena,
                                         struct customer_id *customer)
{
    const Kith__V1__LoyaltyRecord *message =
        pb_unpack(&kith__v1__loyalty_record__descriptor, arena, record);
    if (message == NULL || message->record_case != KITH__V1__LOYALTY_RECORD__RECORD_CUSTOMER_SEEN ||
        message->customer_seen->customer.len != sizeof customer->bytes) {
        return STATUS_CORRUPT;
    }
    memcpy(customer->bytes, message->customer_seen->customer.data, sizeof customer->bytes);
    return STATUS_OK;
}
