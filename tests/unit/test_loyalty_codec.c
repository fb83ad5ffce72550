/* link: loyalty_service */
#include "common/wire/message.h"
#include "common/wire/pb.h"
#include "common/wire/rules_fact.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"
#include "services/loyalty/loyalty_codec.h"
#include "services/loyalty/loyalty_config.h"
#include "services/loyalty/loyalty_request.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (4 * 1024 * 1024)

struct codec {
    struct arena arena;
    struct buffer bytes;
    struct refusal refusal;
};

static void codec_init(struct codec *codec)
{
    arena_init(&codec->arena, ARENA_BYTES);
    buffer_init(&codec->bytes, LIMIT_BODY_BYTES);
    refusal_init(&codec->refusal);
}

static void codec_release(struct codec *codec)
{
    arena_release(&codec->arena);
    buffer_release(&codec->bytes);
}

/* ---- postings */

static struct loyalty_posting posting_example(void)
{
    return (struct loyalty_posting){
        .kind = LOYALTY_EARNED,
        .programme = loyalty_name_of(span_of_text("bonus")),
        .customer = { .bytes = { 1, 2, 3 } },
        .subject = { .key_id = 0, .size = 3, .bytes = { 'a', 'n', 'n' } },
        .points = 29,
        .balance_after = 129,
        .number = 7,
        .counter = LOYALTY_OWN_ISSUED,
        .occurred_at_ms = -5,
        .source = span_of_text("pos"),
        .event_id = span_of_text("receipt 7"),
    };
}

static struct fact fact_of(const struct loyalty_posting *posting, struct buffer *bytes)
{
    buffer_clear(bytes);
    loyalty_posting_encode(posting, bytes);
    return (struct fact){
        .seq = 12,
        .type = loyalty_posting_type(posting->kind),
        .version = 1,
        .has_customer = true,
        .customer = posting->customer,
        .subject = loyalty_subject_sealed(&posting->subject),
        .body = buffer_span(bytes),
    };
}

static void posting_compare(const struct loyalty_posting *a, const struct loyalty_posting *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_str_eq(a->programme.text, b->programme.text);
    ck_assert(customer_id_equal(a->customer, b->customer));
    ck_assert_uint_eq(a->subject.size, b->subject.size);
    ck_assert_mem_eq(a->subject.bytes, b->subject.bytes, a->subject.size);
    ck_assert_int_eq(a->points, b->points);
    ck_assert_int_eq(a->balance_after, b->balance_after);
    ck_assert_uint_eq(a->number, b->number);
    ck_assert_int_eq(a->counter, b->counter);
    ck_assert_int_eq(a->occurred_at_ms, b->occurred_at_ms);
    ck_assert(span_equal(a->source, b->source));
    ck_assert(span_equal(a->event_id, b->event_id));
    ck_assert_uint_eq(a->reverses, b->reverses);
    ck_assert(span_equal(a->reference, b->reference));
}

START_TEST(a_posting_comes_back_from_its_fact)
{
    struct loyalty_posting earned = posting_example();
    struct loyalty_posting spent = posting_example();
    spent.kind = LOYALTY_SPENT;
    spent.counter = LOYALTY_OWN_SPENT;
    spent.points = -LIMIT_AMOUNT;
    spent.balance_after = 0;
    spent.source = span_of_text("");
    spent.event_id = span_of_text("");
    struct loyalty_posting reversed = spent;
    reversed.kind = LOYALTY_REVERSED;
    reversed.points = 5;
    reversed.reverses = 11;
    struct loyalty_posting granted = earned;
    granted.kind = LOYALTY_GRANTED;
    granted.reference = span_of_text("campaign 7");
    spent.reference = span_of_text("order 8");
    const struct loyalty_posting *all[] = { &earned, &spent, &reversed, &granted };
    struct codec codec;
    codec_init(&codec);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct fact fact = fact_of(all[i], &codec.bytes);
        struct loyalty_posting back = { .points = 0 };
        ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_OK);
        posting_compare(all[i], &back);
    }
    codec_release(&codec);
}
END_TEST

START_TEST(a_posting_has_the_bytes_that_generated_code_gives_it)
{
    struct loyalty_posting posting = posting_example();
    posting.reverses = UINT64_MAX;
    posting.reference = span_of_text("campaign 7");
    struct codec codec;
    codec_init(&codec);
    struct fact fact = fact_of(&posting, &codec.bytes);
    const Kith__V1__PointsPosted *message =
        pb_unpack(&kith__v1__points_posted__descriptor, &codec.arena, fact.body);
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(message->base.n_unknown_fields, 0);
    ck_assert_str_eq(message->programme, posting.programme.text);
    ck_assert_int_eq(message->points, posting.points);
    ck_assert_int_eq(message->balance_after, posting.balance_after);
    ck_assert_uint_eq(message->number, posting.number);
    ck_assert_int_eq((int)message->counter, (int)posting.counter);
    ck_assert_int_eq(message->occurred_at_ms, posting.occurred_at_ms);
    ck_assert(span_equal(pb_text(message->source), posting.source));
    ck_assert(span_equal(pb_text(message->event_id), posting.event_id));
    ck_assert_uint_eq(message->reverses, posting.reverses);
    ck_assert(span_equal(pb_text(message->reference), posting.reference));
    struct buffer again;
    buffer_init(&again, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(pb_pack(&message->base, &again), STATUS_OK);
    ck_assert(span_equal(buffer_span(&again), fact.body));
    buffer_release(&again);
    codec_release(&codec);
}
END_TEST

START_TEST(a_field_of_a_newer_ledger_is_passed_over_and_one_given_twice_is_not)
{
    struct loyalty_posting posting = posting_example();
    struct codec codec;
    codec_init(&codec);
    struct fact fact = fact_of(&posting, &codec.bytes);
    struct loyalty_posting back = { .points = 0 };
    ck_assert_int_eq(buffer_append(&codec.bytes, span_of("\x58\x2a\x62\x01x", 5)), STATUS_OK);
    fact.body = buffer_span(&codec.bytes);
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_OK);
    posting_compare(&posting, &back);
    ck_assert_int_eq(buffer_append(&codec.bytes, span_of("\x20\x02", 2)), STATUS_OK);
    fact.body = buffer_span(&codec.bytes);
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_CORRUPT);
    codec_release(&codec);
}
END_TEST

/* A valid message with one thing wrong. */
typedef void (*spoil)(Kith__V1__PointsPosted *message);

static void spoil_programme(Kith__V1__PointsPosted *message)
{
    message->programme = NULL;
}
static void spoil_points(Kith__V1__PointsPosted *message)
{
    message->has_points = false;
}
static void spoil_zero(Kith__V1__PointsPosted *message)
{
    message->points = 0;
}
static void spoil_sign(Kith__V1__PointsPosted *message)
{
    message->points = -29;
}
static void spoil_large(Kith__V1__PointsPosted *message)
{
    message->points = LIMIT_AMOUNT + 1;
}
static void spoil_least(Kith__V1__PointsPosted *message)
{
    message->points = INT64_MIN;
}
static void spoil_balance(Kith__V1__PointsPosted *message)
{
    message->balance_after = -1;
}
static void spoil_balance_large(Kith__V1__PointsPosted *message)
{
    message->balance_after = LIMIT_AMOUNT + 1;
}
static void spoil_number(Kith__V1__PointsPosted *message)
{
    message->number = 0;
}
static void spoil_counter(Kith__V1__PointsPosted *message)
{
    message->counter = (Kith__V1__LedgerAccount)2;
}
static void spoil_counter_negative(Kith__V1__PointsPosted *message)
{
    message->counter = (Kith__V1__LedgerAccount)-1;
}
static void spoil_counter_other(Kith__V1__PointsPosted *message)
{
    message->counter = KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT;
}
static void spoil_reverses(Kith__V1__PointsPosted *message)
{
    message->has_reverses = true;
    message->reverses = 3;
}
static void spoil_time(Kith__V1__PointsPosted *message)
{
    message->has_occurred_at_ms = false;
}
static void spoil_source(Kith__V1__PointsPosted *message)
{
    static char control[] = "a\nb";
    message->source = control;
}

static void spoil_reference(Kith__V1__PointsPosted *message)
{
    static char order[] = "order 8";
    message->reference = order;
}

static const spoil spoils[] = {
    spoil_reference,
    spoil_programme,
    spoil_points,
    spoil_zero,
    spoil_sign,
    spoil_large,
    spoil_least,
    spoil_balance,
    spoil_number,
    spoil_counter,
    spoil_counter_negative,
    spoil_reverses,
    spoil_balance_large,
    spoil_time,
    spoil_source,
    spoil_counter_other,
};

START_TEST(a_posting_that_no_ledger_wrote_is_corrupt)
{
    struct codec codec;
    codec_init(&codec);
    struct loyalty_posting posting = posting_example();
    struct fact fact = fact_of(&posting, &codec.bytes);
    Kith__V1__PointsPosted *message =
        pb_unpack(&kith__v1__points_posted__descriptor, &codec.arena, fact.body);
    ck_assert_ptr_nonnull(message);
    spoils[_i](message);
    buffer_clear(&codec.bytes);
    ck_assert_int_eq(pb_pack(&message->base, &codec.bytes), STATUS_OK);
    fact.body = buffer_span(&codec.bytes);
    struct loyalty_posting back = { .points = -4711 };
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_CORRUPT);
    ck_assert_int_eq(back.points, -4711);
    codec_release(&codec);
}
END_TEST

START_TEST(a_posting_in_the_wrong_envelope_is_corrupt)
{
    struct codec codec;
    codec_init(&codec);
    struct loyalty_posting posting = posting_example();
    struct loyalty_posting back = { .points = -4711 };
    struct fact fact = fact_of(&posting, &codec.bytes);
    fact.has_customer = false;
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_CORRUPT);
    fact.has_customer = true;
    fact.type = FACT_POINTS_SPENT;
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_CORRUPT);
    fact.type = FACT_EVENT_ACCEPTED;
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_CORRUPT);
    fact.type = FACT_POINTS_EARNED;
    fact.body.size -= 1;
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_CORRUPT);
    fact.body.size += 1;
    static const uint8_t long_subject[LOYALTY_SUBJECT_BYTES + 1];
    fact.subject.bytes = span_of(long_subject, sizeof long_subject);
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_CORRUPT);
    fact.subject.bytes.size -= 1;
    ck_assert_int_eq(loyalty_posting_decode(&fact, &back), STATUS_OK);
    codec_release(&codec);
}
END_TEST

/* ---- rules */

/* As many and as long as may be. */
static void rules_fill(struct loyalty_rules *rules)
{
    memset(rules, 0, sizeof *rules);
    rules->programme_count = LOYALTY_PROGRAMMES_MAX;
    char name[LIMIT_ID_BYTES];
    memset(name, 'x', sizeof name);
    for (size_t i = 0; i < LOYALTY_PROGRAMMES_MAX; i++) {
        struct loyalty_programme *programme = &rules->programmes[i];
        name[0] = (char)('a' + i);
        programme->name = loyalty_name_of(span_of(name, sizeof name));
        programme->rule_count = LOYALTY_EARN_RULES_MAX;
        for (size_t j = 0; j < LOYALTY_EARN_RULES_MAX; j++) {
            name[0] = (char)('a' + j);
            programme->rules[j] = (struct loyalty_earn_rule){
                .event_type = loyalty_name_of(span_of(name, sizeof name)),
                .points = 9223,
                .unit_minor = LIMIT_AMOUNT,
                .rounding = LOYALTY_ROUND_CEILING,
            };
        }
    }
}

START_TEST(the_largest_rules_fit_a_fact_and_come_back)
{
    struct codec codec;
    codec_init(&codec);
    static struct loyalty_rules rules;
    static struct loyalty_rules back;
    rules_fill(&rules);
    memset(&back, 0, sizeof back);
    struct buffer compiled;
    struct buffer text;
    struct buffer body;
    buffer_init(&compiled, LOYALTY_COMPILED_BYTES);
    buffer_init(&text, LOYALTY_RULES_TEXT_BYTES);
    buffer_init(&body, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(loyalty_rules_encode(&rules, &compiled), STATUS_OK);
    ck_assert_int_eq(loyalty_config_text(&rules, &text), STATUS_OK);
    struct rules_fact changed = { .version = 3,
                                  .hash = hash128_of_span(buffer_span(&compiled)),
                                  .compiled = buffer_span(&compiled),
                                  .text = buffer_span(&text) };
    rules_fact_encode(&changed, LOYALTY_RULES_NAME, &body);
    struct rules_fact read = { .version = 0 };
    ck_assert_int_eq(rules_fact_decode(buffer_span(&body), LOYALTY_RULES_NAME, &codec.arena, &read),
                     STATUS_OK);
    ck_assert_uint_eq(read.version, 3);
    ck_assert(hash128_equal(read.hash, changed.hash));
    ck_assert(span_equal(read.compiled, changed.compiled));
    ck_assert(span_equal(read.text, changed.text));
    ck_assert_int_eq(loyalty_rules_decode(read.compiled, &codec.arena, &back), STATUS_OK);
    buffer_clear(&codec.bytes);
    ck_assert_int_eq(loyalty_rules_encode(&back, &codec.bytes), STATUS_OK);
    ck_assert(span_equal(buffer_span(&codec.bytes), read.compiled));
    ck_assert_int_eq(back.programmes[7].rules[15].rounding, LOYALTY_ROUND_CEILING);

    body.data[body.size / 4] ^= 1U;
    ck_assert_msg(rules_fact_decode(buffer_span(&body), LOYALTY_RULES_NAME, &codec.arena, &read) ==
                      STATUS_CORRUPT,
                  "a changed byte of the rules");
    buffer_release(&compiled);
    buffer_release(&text);
    buffer_release(&body);
    codec_release(&codec);
}
END_TEST

START_TEST(equal_rules_compile_to_equal_bytes_and_none_to_nothing)
{
    static struct loyalty_rules rules;
    rules_fill(&rules);
    struct buffer first;
    struct buffer second;
    buffer_init(&first, LOYALTY_COMPILED_BYTES);
    buffer_init(&second, LOYALTY_COMPILED_BYTES);
    ck_assert_int_eq(loyalty_rules_encode(&rules, &first), STATUS_OK);
    ck_assert_int_eq(loyalty_rules_encode(&rules, &second), STATUS_OK);
    ck_assert(span_equal(buffer_span(&first), buffer_span(&second)));
    buffer_clear(&first);
    memset(&rules, 0, sizeof rules);
    ck_assert_int_eq(loyalty_rules_encode(&rules, &first), STATUS_OK);
    ck_assert_uint_eq(first.size, 0);
    buffer_release(&first);
    buffer_release(&second);
}
END_TEST

/* Encodes rules of one programme with one rule after `message` was made of them. */
static enum status rules_try(Kith__V1__Programme *programme, size_t programmes, size_t rules)
{
    struct codec codec;
    codec_init(&codec);
    Kith__V1__EarnRule *rule = programme->earn[0];
    Kith__V1__EarnRule *all_rules[LOYALTY_EARN_RULES_MAX + 1];
    Kith__V1__Programme *all[LOYALTY_PROGRAMMES_MAX + 1];
    for (size_t i = 0; i < rules; i++) {
        all_rules[i] = rule;
    }
    for (size_t i = 0; i < programmes; i++) {
        all[i] = programme;
    }
    programme->n_earn = rules;
    programme->earn = all_rules;
    Kith__V1__Programmes message = KITH__V1__PROGRAMMES__INIT;
    message.n_programmes = programmes;
    message.programmes = all;
    ck_assert_int_eq(pb_pack(&message.base, &codec.bytes), STATUS_OK);
    static struct loyalty_rules read;
    enum status status = loyalty_rules_decode(buffer_span(&codec.bytes), &codec.arena, &read);
    codec_release(&codec);
    return status;
}

START_TEST(compiled_rules_past_any_bound_are_corrupt)
{
    char name[] = "bonus";
    char type[] = "purchase";
    char bad_type[] = "Purchase";
    Kith__V1__EarnRule rule = KITH__V1__EARN_RULE__INIT;
    rule.event_type = type;
    rule.has_points = true;
    rule.points = 1;
    rule.has_unit_minor = true;
    rule.unit_minor = 100;
    rule.has_rounding = true;
    Kith__V1__EarnRule *rules[] = { &rule };
    Kith__V1__Programme programme = KITH__V1__PROGRAMME__INIT;
    programme.name = name;
#define TRY(programmes, count) (programme.earn = rules, rules_try(&programme, programmes, count))
    ck_assert_int_eq(TRY(1, 1), STATUS_OK);
    ck_assert_int_eq(TRY(LOYALTY_PROGRAMMES_MAX, LOYALTY_EARN_RULES_MAX), STATUS_OK);
    ck_assert_int_eq(TRY(LOYALTY_PROGRAMMES_MAX + 1, 1), STATUS_CORRUPT);
    ck_assert_int_eq(TRY(1, LOYALTY_EARN_RULES_MAX + 1), STATUS_CORRUPT);
    rule.points = 0;
    ck_assert_int_eq(TRY(1, 1), STATUS_CORRUPT);
    rule.points = 1;
    rule.unit_minor = -100;
    ck_assert_int_eq(TRY(1, 1), STATUS_CORRUPT);
    rule.unit_minor = 100;
    rule.rounding = (Kith__V1__Rounding)3;
    ck_assert_int_eq(TRY(1, 1), STATUS_CORRUPT);
    rule.rounding = KITH__V1__ROUNDING__ROUND_FLOOR;
    rule.event_type = bad_type;
    ck_assert_int_eq(TRY(1, 1), STATUS_CORRUPT);
    rule.event_type = NULL;
    ck_assert_int_eq(TRY(1, 1), STATUS_CORRUPT);
    rule.event_type = type;
    programme.name = NULL;
    ck_assert_int_eq(TRY(1, 1), STATUS_CORRUPT);
#undef TRY
}
END_TEST

/* ---- requests */

struct spend_row {
    const char *name;
    const char *customer;
    const char *programme;
    int64_t points;
    size_t violations;
    const char *field; /* of the first one */
};

#define SIXTY_FOUR "0123456789012345678901234567890123456789012345678901234567890123"

static const struct spend_row spend_rows[] = {
    { "usual", "ann", "bonus", 10, 0, NULL },
    { "no programme", "ann", NULL, 10, 0, NULL },
    { "the most points", SIXTY_FOUR, SIXTY_FOUR, LIMIT_AMOUNT, 0, NULL },
    { "one point too many", "ann", "bonus", LIMIT_AMOUNT + 1, 1, "points" },
    { "no point", "ann", "bonus", 0, 1, "points" },
    { "less than none", "ann", "bonus", -1, 1, "points" },
    { "no customer", NULL, "bonus", 1, 1, "customer" },
    { "an empty customer", "", "bonus", 1, 1, "customer" },
    { "a long customer", SIXTY_FOUR "4", "bonus", 1, 1, "customer" },
    { "a control character", "a\tb", "bonus", 1, 1, "customer" },
    { "half a character", "a\xC3", "bonus", 1, 1, "customer" },
    { "an empty programme", "ann", "", 1, 1, "programme" },
    { "a long programme", "ann", SIXTY_FOUR "4", 1, 1, "programme" },
    { "all wrong", "", "", 0, 3, "customer" },
};

/* Text for protobuf-c, which wants it writable. */
static char *text_copy(struct arena *arena, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *copy = arena_allocate(arena, size);
    memcpy(copy, text, size);
    return copy;
}

START_TEST(a_spend_request_is_taken_whole_or_each_fault_is_named)
{
    const struct spend_row *row = &spend_rows[_i];
    struct codec codec;
    codec_init(&codec);
    Kith__V1__SpendRequest message = KITH__V1__SPEND_REQUEST__INIT;
    message.customer = text_copy(&codec.arena, row->customer);
    message.programme = text_copy(&codec.arena, row->programme);
    message.has_points = true;
    message.points = row->points;
    ck_assert_int_eq(pb_pack(&message.base, &codec.bytes), STATUS_OK);
    struct loyalty_spend_request request = { .points = -4711 };
    enum status status =
        loyalty_spend_decode(buffer_span(&codec.bytes), &codec.arena, &request, &codec.refusal);
    ck_assert_msg(codec.refusal.violation_count == row->violations, "%s: %zu violations", row->name,
                  codec.refusal.violation_count);
    if (row->violations == 0) {
        ck_assert_int_eq(status, STATUS_OK);
        ck_assert_int_eq(request.points, row->points);
        ck_assert(span_equal(request.customer, span_of_text(row->customer)));
        ck_assert_uint_eq(request.programme.size,
                          row->programme == NULL ? 0 : strlen(row->programme));
    } else {
        ck_assert_int_eq(status, STATUS_MALFORMED);
        ck_assert_int_eq(request.points, -4711);
        ck_assert_str_eq(codec.refusal.violations[0].field, row->field);
    }
    codec_release(&codec);
}
END_TEST

START_TEST(a_request_with_an_unknown_field_or_too_long_is_refused)
{
    struct codec codec;
    codec_init(&codec);
    const uint8_t body[] = { 0x0A, 1, 'a', 0x18, 2, /* customer, points */
                             0x48, 1 };             /* and field 9 */
    struct loyalty_spend_request request = { .points = -4711 };
    ck_assert_int_eq(loyalty_spend_decode(span_of(body, 5), &codec.arena, &request, &codec.refusal),
                     STATUS_OK);
    ck_assert_int_eq(request.points, 1);
    ck_assert_int_eq(loyalty_spend_decode(span_of(body, 7), &codec.arena, &request, &codec.refusal),
                     STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.message, "the body is not a SpendRequest");

    /* A customer of so many bytes that the whole has exactly the bound; then one more. */
    static uint8_t longest[REQUEST_BYTES_MAX + 1];
    memset(longest, 'a', sizeof longest);
    longest[0] = 0x0A;
    size_t text = REQUEST_BYTES_MAX - 3;
    longest[1] = (uint8_t)(text % 128 + 128);
    longest[2] = (uint8_t)(text / 128);
    refusal_init(&codec.refusal);
    struct loyalty_balance_request balance = { .customer = { .size = 0 } };
    ck_assert_int_eq(loyalty_balance_decode(span_of(longest, REQUEST_BYTES_MAX), &codec.arena,
                                            &balance, &codec.refusal),
                     STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.violations[0].field, "customer");
    refusal_init(&codec.refusal);
    ck_assert_int_eq(loyalty_balance_decode(span_of(longest, REQUEST_BYTES_MAX + 1), &codec.arena,
                                            &balance, &codec.refusal),
                     STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.message,
                     "the body has 1025 bytes, a BalanceRequest has at most 1024");
    codec_release(&codec);
}
END_TEST

START_TEST(a_page_has_a_default_and_a_most)
{
    struct codec codec;
    codec_init(&codec);
    struct loyalty_accounts_request request = { .limit = 4711 };
    ck_assert_int_eq(
        loyalty_accounts_decode(span_of(NULL, 0), &codec.arena, &request, &codec.refusal),
        STATUS_OK);
    ck_assert_uint_eq(request.limit, REQUEST_PAGE_DEFAULT);
    Kith__V1__AccountsRequest message = KITH__V1__ACCOUNTS_REQUEST__INIT;
    message.has_limit = true;
    message.limit = REQUEST_PAGE_MAX;
    ck_assert_int_eq(pb_pack(&message.base, &codec.bytes), STATUS_OK);
    ck_assert_int_eq(
        loyalty_accounts_decode(buffer_span(&codec.bytes), &codec.arena, &request, &codec.refusal),
        STATUS_OK);
    ck_assert_uint_eq(request.limit, REQUEST_PAGE_MAX);
    message.limit = REQUEST_PAGE_MAX + 1;
    buffer_clear(&codec.bytes);
    ck_assert_int_eq(pb_pack(&message.base, &codec.bytes), STATUS_OK);
    ck_assert_int_eq(
        loyalty_accounts_decode(buffer_span(&codec.bytes), &codec.arena, &request, &codec.refusal),
        STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.violations[0].field, "limit");
    codec_release(&codec);
}
END_TEST

START_TEST(a_reversal_names_its_posting)
{
    struct codec codec;
    codec_init(&codec);
    uint64_t posting = 4711;
    ck_assert_int_eq(
        loyalty_reverse_decode(span_of(NULL, 0), &codec.arena, &posting, &codec.refusal),
        STATUS_MALFORMED);
    ck_assert_str_eq(codec.refusal.violations[0].field, "posting");
    ck_assert_uint_eq(posting, 4711);
    const uint8_t body[] = { 0x08, 7 };
    ck_assert_int_eq(
        loyalty_reverse_decode(span_of(body, sizeof body), &codec.arena, &posting, &codec.refusal),
        STATUS_OK);
    ck_assert_uint_eq(posting, 7);
    codec_release(&codec);
}
END_TEST

/* ---- replies */

START_TEST(a_reply_names_the_customer_unless_the_name_is_sealed)
{
    struct codec codec;
    codec_init(&codec);
    struct loyalty_posting posting = posting_example();
    loyalty_post_reply_encode(&posting, 12, &codec.bytes);
    const Kith__V1__PostReply *reply =
        pb_unpack(&kith__v1__post_reply__descriptor, &codec.arena, buffer_span(&codec.bytes));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->posting, 12);
    ck_assert_str_eq(reply->customer, "ann");
    ck_assert_str_eq(reply->programme, "bonus");
    ck_assert_int_eq(reply->points, 29);
    ck_assert_int_eq(reply->balance, 129);
    posting.subject.key_id = 1;
    buffer_clear(&codec.bytes);
    loyalty_post_reply_encode(&posting, 12, &codec.bytes);
    reply = pb_unpack(&kith__v1__post_reply__descriptor, &codec.arena, buffer_span(&codec.bytes));
    ck_assert_ptr_nonnull(reply);
    ck_assert_ptr_null(reply->customer);
    codec_release(&codec);
}
END_TEST

START_TEST(a_balance_says_which_positions_it_includes)
{
    struct codec codec;
    codec_init(&codec);
    struct loyalty_found found = {
        .programme = loyalty_name_of(span_of_text("bonus")),
        .account = { .balance = 7, .earned = 10, .spent = 3, .postings = 2 },
    };
    struct turn_position positions[] = { { { "ingestion", 0 }, 41 }, { { "loyalty", 1 }, 2 } };
    loyalty_balance_reply_encode(&found, span_of_text("ann"), &codec.bytes);
    loyalty_balance_positions_append(positions, 2, &codec.bytes);
    const Kith__V1__BalanceReply *reply =
        pb_unpack(&kith__v1__balance_reply__descriptor, &codec.arena, buffer_span(&codec.bytes));
    ck_assert_ptr_nonnull(reply);
    ck_assert_str_eq(reply->customer, "ann");
    ck_assert_int_eq(reply->available, 7);
    ck_assert_int_eq(reply->earned, 10);
    ck_assert_int_eq(reply->spent, 3);
    ck_assert_uint_eq(reply->postings, 2);
    ck_assert_uint_eq(reply->n_positions, 2);
    ck_assert_str_eq(reply->positions[0]->feed, "ingestion");
    ck_assert_uint_eq(reply->positions[0]->seq, 41);
    ck_assert_str_eq(reply->positions[1]->feed, "loyalty");
    ck_assert_uint_eq(reply->positions[1]->shard, 1);
    codec_release(&codec);
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

static Suite *loyalty_codec_suite(void)
{
    TCase *tests = tcase_create("loyalty_codec");
    tcase_add_test(tests, a_posting_comes_back_from_its_fact);
    tcase_add_test(tests, a_posting_has_the_bytes_that_generated_code_gives_it);
    tcase_add_test(tests, a_field_of_a_newer_ledger_is_passed_over_and_one_given_twice_is_not);
    tcase_add_loop_test(tests, a_posting_that_no_ledger_wrote_is_corrupt, 0, COUNT(spoils));
    tcase_add_test(tests, a_posting_in_the_wrong_envelope_is_corrupt);
    tcase_add_test(tests, the_largest_rules_fit_a_fact_and_come_back);
    tcase_add_test(tests, equal_rules_compile_to_equal_bytes_and_none_to_nothing);
    tcase_add_test(tests, compiled_rules_past_any_bound_are_corrupt);
    tcase_add_loop_test(tests, a_spend_request_is_taken_whole_or_each_fault_is_named, 0,
                        COUNT(spend_rows));
    tcase_add_test(tests, a_request_with_an_unknown_field_or_too_long_is_refused);
    tcase_add_test(tests, a_page_has_a_default_and_a_most);
    tcase_add_test(tests, a_reversal_names_its_posting);
    tcase_add_test(tests, a_reply_names_the_customer_unless_the_name_is_sealed);
    tcase_add_test(tests, a_balance_says_which_positions_it_includes);
    Suite *suite = suite_create("loyalty_codec");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(loyalty_codec_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
