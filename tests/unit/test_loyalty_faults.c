/* link: loyalty_service loyalty_core common_wire */
/* Every field of loyalty's messages at fault, one at a time. */
#include "common/wire/pb.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/loyalty_private.pb-c.h"
#include "services/loyalty/loyalty_codec.h"
#include "services/loyalty/loyalty_request.h"
#include "tests/unit/message_faults.h"

#include <stdlib.h>

/* ---- postings, one kind each */

static bool posting_is_taken(struct span bytes, struct arena *arena, uint32_t type)
{
    (void)arena;
    struct fact fact = { .type = type, .version = 1, .has_customer = true, .body = bytes };
    struct loyalty_posting posting = { .points = 0 };
    return loyalty_posting_decode(&fact, &posting) == STATUS_OK;
}

static bool earned_is_taken(struct span bytes, struct arena *arena)
{
    return posting_is_taken(bytes, arena, FACT_POINTS_EARNED);
}

static bool spent_is_taken(struct span bytes, struct arena *arena)
{
    return posting_is_taken(bytes, arena, FACT_POINTS_SPENT);
}

static bool reversed_is_taken(struct span bytes, struct arena *arena)
{
    return posting_is_taken(bytes, arena, FACT_POINTS_REVERSED);
}

static bool granted_is_taken(struct span bytes, struct arena *arena)
{
    return posting_is_taken(bytes, arena, FACT_POINTS_GRANTED);
}

/* Of every kind. */
#define TAKEN                                                                                      \
    "number most\noccurred_at_ms least\noccurred_at_ms most\nsource absent\nevent_id absent\n"

struct posting_row {
    const char *name;
    bool (*is_taken)(struct span bytes, struct arena *arena);
    int64_t points;
    Kith__V1__LedgerAccount counter;
    uint64_t reverses;
    bool has_reference;
    const char *taken;
};

static const struct posting_row postings[] = {
    { "earned", earned_is_taken, 5, KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED, 0, false,
      TAKEN "reverses absent\nreference absent\n" },
    { "granted", granted_is_taken, 5, KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED, 0, true,
      TAKEN "reverses absent\nreference absent\n" },
    { "spent", spent_is_taken, -5, KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT, 0, true,
      TAKEN "reverses absent\nreference absent\n" },
    { "earning taken back", reversed_is_taken, -5, KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED, 3,
      false, TAKEN "reverses most\nreference absent\n" },
    { "spending given back", reversed_is_taken, 5, KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT, 3, false,
      TAKEN "reverses most\nreference absent\n" },
};
#define POSTING_COUNT (sizeof postings / sizeof postings[0])

START_TEST(a_posting_with_a_field_at_fault_is_corrupt)
{
    const struct posting_row *row = &postings[_i];
    char programme[] = "bonus";
    char id[] = "e1";
    Kith__V1__PointsPosted posted = KITH__V1__POINTS_POSTED__INIT;
    posted.programme = programme;
    posted.has_points = 1;
    posted.points = row->points;
    posted.has_balance_after = 1;
    posted.balance_after = 7;
    posted.has_number = 1;
    posted.number = 2;
    posted.has_counter = 1;
    posted.counter = row->counter;
    posted.has_occurred_at_ms = 1;
    posted.source = id;
    posted.event_id = id;
    posted.has_reverses = row->reverses > 0;
    posted.reverses = row->reverses;
    posted.reference = row->has_reference ? id : NULL;
    struct message_faults faults = { .is_taken = row->is_taken };
    message_faults_expect(&faults, &posted.base, row->taken);
}
END_TEST

/* What is one kind's is no other's. */
START_TEST(a_posting_of_another_kind_is_corrupt)
{
    char programme[] = "bonus";
    Kith__V1__PointsPosted posted = KITH__V1__POINTS_POSTED__INIT;
    struct arena arena;
    struct buffer bytes;
    arena_init(&arena, (size_t)1024 * 1024);
    buffer_init(&bytes, LIMIT_RECORD_BYTES);
    posted.programme = programme;
    posted.has_points = 1;
    posted.has_balance_after = 1;
    posted.has_number = 1;
    posted.number = 1;
    posted.has_counter = 1;
    posted.has_occurred_at_ms = 1;
    posted.points = -5; /* issued, and less: neither earned, nor granted, nor spent */
    ck_assert_int_eq(pb_pack(&posted.base, &bytes), STATUS_OK);
    ck_assert(!earned_is_taken(buffer_span(&bytes), &arena));
    ck_assert(!granted_is_taken(buffer_span(&bytes), &arena));
    ck_assert(!spent_is_taken(buffer_span(&bytes), &arena));
    ck_assert(!reversed_is_taken(buffer_span(&bytes), &arena)); /* of nothing */
    buffer_release(&bytes);
    arena_release(&arena);
}
END_TEST

/* ---- rules and records */

static bool rules_is_taken(struct span bytes, struct arena *arena)
{
    struct loyalty_rules rules = { .programme_count = 0 };
    return loyalty_rules_decode(bytes, arena, &rules) == STATUS_OK;
}

static ProtobufCMessage *programme_of(ProtobufCMessage *message)
{
    return &((Kith__V1__Programmes *)(void *)message)->programmes[0]->base;
}

static ProtobufCMessage *earn_of(ProtobufCMessage *message)
{
    return &((Kith__V1__Programmes *)(void *)message)->programmes[0]->earn[0]->base;
}

START_TEST(rules_with_a_field_at_fault_are_corrupt)
{
    char name[] = "bonus";
    char type[] = "purchase";
    Kith__V1__EarnRule earn = KITH__V1__EARN_RULE__INIT;
    Kith__V1__EarnRule *earns[] = { &earn };
    earn.event_type = type;
    earn.has_points = 1;
    earn.points = 1;
    earn.has_unit_minor = 1;
    earn.unit_minor = 100;
    Kith__V1__Programme programme = KITH__V1__PROGRAMME__INIT;
    Kith__V1__Programme *programmes[] = { &programme };
    programme.name = name;
    programme.n_earn = 1;
    programme.earn = earns;
    Kith__V1__Programmes rules = KITH__V1__PROGRAMMES__INIT;
    rules.n_programmes = 1;
    rules.programmes = programmes;
    struct message_faults faults = { .is_taken = rules_is_taken };
    message_faults_expect(&faults, &rules.base, "programmes absent\n");
    faults.inner = programme_of;
    message_faults_expect(&faults, &rules.base, "earn absent\n");
    faults.inner = earn_of;
    message_faults_expect(&faults, &rules.base, "rounding absent\n");
}
END_TEST

static bool seen_is_taken(struct span bytes, struct arena *arena)
{
    struct customer_id customer = { .bytes = { 0 } };
    return loyalty_customer_seen_decode(bytes, arena, &customer) == STATUS_OK;
}

static ProtobufCMessage *seen_of(ProtobufCMessage *message)
{
    return &((Kith__V1__LoyaltyRecord *)(void *)message)->customer_seen->base;
}

START_TEST(a_private_record_with_a_field_at_fault_is_corrupt)
{
    uint8_t customer[16] = { 3 };
    Kith__V1__LoyaltyCustomerSeen seen = KITH__V1__LOYALTY_CUSTOMER_SEEN__INIT;
    Kith__V1__LoyaltyRecord record = KITH__V1__LOYALTY_RECORD__INIT;
    seen.has_customer = 1;
    seen.customer = (ProtobufCBinaryData){ .len = sizeof customer, .data = customer };
    record.record_case = KITH__V1__LOYALTY_RECORD__RECORD_CUSTOMER_SEEN;
    record.customer_seen = &seen;
    struct message_faults faults = { .is_taken = seen_is_taken };
    message_faults_expect(&faults, &record.base, "");
    faults.inner = seen_of;
    message_faults_expect(&faults, &record.base, "");
}
END_TEST

/* ---- requests */

static bool spend_is_taken(struct span bytes, struct arena *arena)
{
    struct loyalty_spend_request request = { .points = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return loyalty_spend_decode(bytes, arena, &request, &refusal) == STATUS_OK;
}

static bool reverse_is_taken(struct span bytes, struct arena *arena)
{
    uint64_t posting = 0;
    struct refusal refusal;
    refusal_init(&refusal);
    return loyalty_reverse_decode(bytes, arena, &posting, &refusal) == STATUS_OK;
}

static bool balance_is_taken(struct span bytes, struct arena *arena)
{
    struct loyalty_balance_request request = { .customer = { 0 } };
    struct refusal refusal;
    refusal_init(&refusal);
    return loyalty_balance_decode(bytes, arena, &request, &refusal) == STATUS_OK;
}

static bool statement_is_taken(struct span bytes, struct arena *arena)
{
    struct loyalty_statement_request request = { .limit = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return loyalty_statement_decode(bytes, arena, &request, &refusal) == STATUS_OK;
}

static bool accounts_is_taken(struct span bytes, struct arena *arena)
{
    struct loyalty_accounts_request request = { .limit = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    return loyalty_accounts_decode(bytes, arena, &request, &refusal) == STATUS_OK;
}

START_TEST(a_request_with_a_field_at_fault_is_refused)
{
    char customer[] = "ann";
    char name[] = "bonus";
    struct message_faults faults = { .is_taken = spend_is_taken };
    Kith__V1__SpendRequest spend = KITH__V1__SPEND_REQUEST__INIT;
    spend.customer = customer;
    spend.programme = name;
    spend.has_points = 1;
    spend.points = 5;
    message_faults_expect(&faults, &spend.base, "programme absent\n");
    Kith__V1__ReverseRequest reverse = KITH__V1__REVERSE_REQUEST__INIT;
    reverse.has_posting = 1;
    reverse.posting = 5;
    faults.is_taken = reverse_is_taken;
    message_faults_expect(&faults, &reverse.base, "posting most\n");
    Kith__V1__BalanceRequest balance = KITH__V1__BALANCE_REQUEST__INIT;
    balance.customer = customer;
    balance.programme = name;
    faults.is_taken = balance_is_taken;
    message_faults_expect(&faults, &balance.base, "programme absent\n");
    Kith__V1__StatementRequest statement = KITH__V1__STATEMENT_REQUEST__INIT;
    statement.customer = customer;
    statement.programme = name;
    faults.is_taken = statement_is_taken;
    message_faults_expect(
        &faults, &statement.base,
        "programme absent\nafter_number absent\nafter_number least\nafter_number most\n"
        "limit absent\nlimit least\n");
    Kith__V1__AccountsRequest accounts = KITH__V1__ACCOUNTS_REQUEST__INIT;
    faults.is_taken = accounts_is_taken;
    message_faults_expect(&faults, &accounts.base, "after absent\nlimit absent\nlimit least\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loyalty_faults");
    TCase *tests = tcase_create("loyalty_faults");
    tcase_add_loop_test(tests, a_posting_with_a_field_at_fault_is_corrupt, 0, (int)POSTING_COUNT);
    tcase_add_test(tests, a_posting_of_another_kind_is_corrupt);
    tcase_add_test(tests, rules_with_a_field_at_fault_are_corrupt);
    tcase_add_test(tests, a_private_record_with_a_field_at_fault_is_corrupt);
    tcase_add_test(tests, a_request_with_a_field_at_fault_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
