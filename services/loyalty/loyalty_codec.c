#include "services/loyalty/loyalty_codec.h"

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

void loyalty_posting_encode(const struct loyalty_posting *posting, struct buffer *out)
{
    /* Copies, since protobuf-c's text is not const. */
    struct loyalty_name programme = posting->programme;
    struct loyalty_name source = loyalty_name_of(posting->source);
    struct loyalty_name event_id = loyalty_name_of(posting->event_id);
    struct loyalty_name reference = loyalty_name_of(posting->reference);
    Kith__V1__PointsPosted message = KITH__V1__POINTS_POSTED__INIT;
    message.programme = programme.text;
    message.has_points = true;
    message.points = posting->points;
    message.has_balance_after = true;
    message.balance_after = posting->balance_after;
    message.has_number = true;
    message.number = posting->number;
    message.has_counter = true;
    message.counter = (Kith__V1__LedgerAccount)posting->counter;
    message.has_occurred_at_ms = true;
    message.occurred_at_ms = posting->occurred_at_ms;
    message.source = source.size > 0 ? source.text : NULL;
    message.event_id = event_id.size > 0 ? event_id.text : NULL;
    message.has_reverses = posting->reverses != 0;
    message.reverses = posting->reverses;
    message.reference = reference.size > 0 ? reference.text : NULL;
    enum status status = pb_pack(&message.base, out);
    assert(status == STATUS_OK);
}

/* Empty or an id. */
static bool text_is_optional_id(const char *text)
{
    return text == NULL || id_text_is_valid(pb_text(text));
}

static bool posted_is_whole(const Kith__V1__PointsPosted *message)
{
    return message->programme != NULL && message->has_points && message->has_balance_after &&
           message->has_number && message->has_counter && message->has_occurred_at_ms;
}

static bool posted_is_in_range(const Kith__V1__PointsPosted *message)
{
    return message->points != 0 && message->points >= -LIMIT_AMOUNT &&
           message->points <= LIMIT_AMOUNT && message->balance_after >= 0 &&
           message->balance_after <= LIMIT_AMOUNT && message->number >= 1 &&
           (int)message->counter >= LOYALTY_OWN_ISSUED &&
           (int)message->counter <= LOYALTY_OWN_SPENT;
}

/* Earnings and grants come from what is issued, spendings go to what is spent, reversals name
 * what they take back. */
static bool posted_fits_kind(const Kith__V1__PointsPosted *message, enum loyalty_kind kind)
{
    bool issued = (int)message->counter == LOYALTY_OWN_ISSUED;
    bool reverses = message->has_reverses && message->reverses > 0;
    switch (kind) {
    case LOYALTY_EARNED:
        return message->points > 0 && issued && !reverses && message->reference == NULL;
    case LOYALTY_GRANTED:
        return message->points > 0 && issued && !reverses;
    case LOYALTY_SPENT:
        return message->points < 0 && !issued && !reverses;
    case LOYALTY_REVERSED:
        return (message->points < 0) == issued && reverses && message->reference == NULL;
    }
    return false;
}

enum status loyalty_posting_decode(const struct fact *fact, struct arena *arena,
                                   struct loyalty_posting *posting)
{
    enum loyalty_kind kind = LOYALTY_EARNED;
    if (!kind_of_type(fact->type, &kind) || !fact->has_customer ||
        fact->subject.bytes.size > LOYALTY_SUBJECT_BYTES) {
        return STATUS_CORRUPT;
    }
    const Kith__V1__PointsPosted *message =
        pb_unpack(&kith__v1__points_posted__descriptor, arena, fact->body);
    if (message == NULL || !posted_is_whole(message) || !posted_is_in_range(message) ||
        !posted_fits_kind(message, kind)) {
        return STATUS_CORRUPT;
    }
    struct span programme = pb_text(message->programme);
    if (!id_text_is_valid(programme) || !text_is_optional_id(message->source) ||
        !text_is_optional_id(message->event_id) || !text_is_optional_id(message->reference)) {
        return STATUS_CORRUPT;
    }
    *posting = (struct loyalty_posting){
        .kind = kind,
        .programme = loyalty_name_of(programme),
        .customer = fact->customer,
        .subject = loyalty_subject_of(fact->subject),
        .points = message->points,
        .balance_after = message->balance_after,
        .number = message->number,
        .counter = (enum loyalty_own_kind)message->counter,
        .occurred_at_ms = message->occurred_at_ms,
        .source = pb_text(message->source),
        .event_id = pb_text(message->event_id),
        .reverses = message->has_reverses ? message->reverses : 0,
        .reference = pb_text(message->reference),
    };
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
