/* link: loyalty_core */
#include "tests/unit/loyalty_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- how many points */

struct points_row {
    const char *name;
    int64_t points;
    int64_t unit_minor;
    int64_t amount_minor;
    int64_t floor;
    int64_t half_up;
    int64_t ceiling;
};

/* clang-format off */
static const struct points_row points_rows[] = {
    { "nothing",              1, 100,            0,                 0,  0,  0 },
    { "less than nothing",    1, 100,        -5000,                 0,  0,  0 },
    { "the least amount",     1, 100,    INT64_MIN,                 0,  0,  0 },
    { "one minor unit",       1, 100,            1,                 0,  0,  1 },
    { "just below half",      1, 100,           49,                 0,  0,  1 },
    { "half",                 1, 100,           50,                 0,  1,  1 },
    { "just below one",       1, 100,           99,                 0,  1,  1 },
    { "one",                  1, 100,          100,                 1,  1,  1 },
    { "just above one",       1, 100,          101,                 1,  1,  2 },
    { "one and a half",       1, 100,          150,                 1,  2,  2 },
    { "three for two hundred", 3, 200,         133,                 1,  2,  2 },
    { "three for two hundred, below half", 3, 200, 99,              1,  1,  2 },
    { "an odd unit below half", 1, 3,            1,                 0,  0,  1 },
    { "an odd unit above half", 1, 3,            2,                 0,  1,  1 },
    { "many points each",  1000,   1,            7,              7000, 7000, 7000 },
    { "rounded once, not for each point", 10, 3, 1,                 3,  3,  4 },
    { "the most of both", 1, 1, LIMIT_AMOUNT, LIMIT_AMOUNT, LIMIT_AMOUNT, LIMIT_AMOUNT },
    { "a sum past the cap", 2, 1, LIMIT_AMOUNT, LIMIT_AMOUNT, LIMIT_AMOUNT, LIMIT_AMOUNT },
    { "a product past 63 bits", LIMIT_AMOUNT, 1, LIMIT_AMOUNT, LIMIT_AMOUNT, LIMIT_AMOUNT,
      LIMIT_AMOUNT },
    { "a product past 63 bits that divides to little", 9000, LIMIT_AMOUNT, LIMIT_AMOUNT, 9000,
      9000, 9000 },
};
/* clang-format on */

START_TEST(points_are_rounded_once_and_exactly)
{
    const struct points_row *row = &points_rows[_i];
    const int64_t wanted[] = { row->floor, row->half_up, row->ceiling };
    for (int rounding = LOYALTY_ROUND_FLOOR; rounding <= LOYALTY_ROUND_CEILING; rounding++) {
        struct loyalty_earn_rule rule =
            rule_of("purchase", row->points, row->unit_minor, (enum loyalty_rounding)rounding);
        ck_assert_msg(loyalty_core_rule_is_valid(&rule), "%s", row->name);
        int64_t points = loyalty_core_points(&rule, row->amount_minor);
        ck_assert_msg(points == wanted[rounding], "%s, rounding %d: %lld", row->name, rounding,
                      (long long)points);
    }
}
END_TEST

START_TEST(a_rule_is_valid_within_its_bounds_only)
{
    const struct {
        int64_t points;
        int64_t unit_minor;
        bool valid;
    } rows[] = {
        { 1, 1, true },
        { LIMIT_AMOUNT, 1, true },
        { 1, LIMIT_AMOUNT, true },
        { 9223, LIMIT_AMOUNT, true },
        { 9224, LIMIT_AMOUNT, false },
        { LIMIT_AMOUNT, LIMIT_AMOUNT, false },
        { 0, 100, false },
        { 1, 0, false },
        { -1, 100, false },
        { LIMIT_AMOUNT + 1, 1, false },
        { 1, LIMIT_AMOUNT + 1, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct loyalty_earn_rule rule =
            rule_of("purchase", rows[i].points, rows[i].unit_minor, LOYALTY_ROUND_FLOOR);
        ck_assert_msg(loyalty_core_rule_is_valid(&rule) == rows[i].valid, "row %zu", i);
    }
}
END_TEST

/* ---- earning */

START_TEST(an_earning_moves_points_from_what_is_issued)
{
    struct ledger ledger;
    ledger_open(&ledger);
    ck_assert_uint_ne(ledger_earn(&ledger, 0, 1, 2950), 0);
    struct loyalty_account account = ledger_account(&ledger, "bonus", 1);
    ck_assert_int_eq(account.balance, 29);
    ck_assert_int_eq(account.earned, 29);
    ck_assert_int_eq(account.spent, 0);
    ck_assert_uint_eq(account.postings, 1);
    ck_assert_uint_eq(account.subject.size, 1);
    ck_assert_uint_eq(account.subject.bytes[0], 'b');
    ck_assert_int_eq(ledger_own(&ledger, "bonus", LOYALTY_OWN_ISSUED), -29);
    ck_assert_int_eq(ledger_own(&ledger, "bonus", LOYALTY_OWN_SPENT), 0);
    ck_assert_int_eq(ledger_account(&ledger, "travel", 1).balance, 0);
    ledger_close(&ledger);
}
END_TEST

START_TEST(an_event_that_no_rule_names_or_without_an_amount_earns_nothing)
{
    struct ledger ledger;
    ledger_open(&ledger);
    struct accepted_event event = { .type = span_of_text("purchase"),
                                    .amount = { .minor = 5000, .currency = "EUR" } };
    struct loyalty_earning earning = { .customer = customer_of(1), .event = &event };
    struct loyalty_found found = { .key = { .programme = 0 } };
    struct loyalty_posting posting = { .points = -4711 };
    const struct loyalty_programme *bonus = &ledger.rules.programmes[0];
    ck_assert(!loyalty_core_earn(&ledger.view, bonus, &earning, &found, &posting));
    event.has_amount = true;
    event.type = span_of_text("purchases");
    ck_assert(!loyalty_core_earn(&ledger.view, bonus, &earning, &found, &posting));
    event.type = span_of_text("purchas");
    ck_assert(!loyalty_core_earn(&ledger.view, bonus, &earning, &found, &posting));
    event.type = span_of_text("purchase");
    event.amount.minor = 99; /* rounds to no point */
    ck_assert(!loyalty_core_earn(&ledger.view, bonus, &earning, &found, &posting));
    event.amount.minor = -5000;
    ck_assert(!loyalty_core_earn(&ledger.view, bonus, &earning, &found, &posting));
    ck_assert_int_eq(posting.points, -4711);
    event.amount.minor = 100;
    ck_assert(loyalty_core_earn(&ledger.view, bonus, &earning, &found, &posting));
    ck_assert_int_eq(posting.points, 1);
    ledger_close(&ledger);
}
END_TEST

START_TEST(an_earning_past_the_cap_is_cut_to_what_still_fits)
{
    struct ledger ledger;
    ledger_open(&ledger);
    struct loyalty_rules rules = ledger.rules;
    rules.programmes[0] = programme_of("bonus", rule_of("purchase", 1, 1, LOYALTY_ROUND_FLOOR));
    ledger_rules_put(&ledger, &rules);
    ck_assert_uint_ne(ledger_earn(&ledger, 0, 1, LIMIT_AMOUNT - 10), 0);
    ck_assert_uint_ne(ledger_earn(&ledger, 0, 1, 11), 0);
    ck_assert_int_eq(ledger_account(&ledger, "bonus", 1).balance, LIMIT_AMOUNT);
    ck_assert_int_eq(ledger_own(&ledger, "bonus", LOYALTY_OWN_ISSUED), -LIMIT_AMOUNT);
    ck_assert_msg(ledger_earn(&ledger, 0, 1, 1) == 0, "a full account takes nothing");
    ck_assert_int_eq(ledger_spend(&ledger, "bonus", 1, 1), STATUS_OK);
    ck_assert_msg(ledger_earn(&ledger, 0, 1, 5) != 0, "room again, but for one point only");
    ck_assert_int_eq(ledger_account(&ledger, "bonus", 1).balance, LIMIT_AMOUNT);
    ledger_close(&ledger);
}
END_TEST

START_TEST(a_programme_gives_out_no_more_than_its_bound)
{
    struct ledger ledger;
    ledger_open(&ledger);
    struct loyalty_rules rules = ledger.rules;
    rules.programmes[0] = programme_of("bonus", rule_of("purchase", 1, 1, LOYALTY_ROUND_FLOOR));
    ledger_rules_put(&ledger, &rules);
    for (int i = 0; i < 999; i++) {
        ck_assert_uint_ne(ledger_earn(&ledger, 0, 1, LIMIT_AMOUNT), 0);
        ck_assert_int_eq(ledger_spend(&ledger, "bonus", 1, LIMIT_AMOUNT), STATUS_OK);
    }
    ck_assert_uint_ne(ledger_earn(&ledger, 0, 2, LIMIT_AMOUNT - 7), 0);
    ck_assert_uint_ne(ledger_earn(&ledger, 0, 3, 100), 0);
    ck_assert_int_eq(ledger_account(&ledger, "bonus", 3).balance, 7);
    ck_assert_uint_eq(ledger_earn(&ledger, 0, 4, 100), 0);
    ck_assert_int_eq(ledger_own(&ledger, "bonus", LOYALTY_OWN_ISSUED), -LOYALTY_ISSUED_MAX);
    ck_assert_msg(ledger_earn(&ledger, 1, 4, 100) != 0, "another programme is not held up");
    ledger_close(&ledger);
}
END_TEST

/* ---- finding and spending */

struct spend_row {
    const char *name;
    int64_t earned_minor; /* by customer 1 in bonus */
    const char *programme;
    uint8_t customer;
    int64_t points;
    enum status status;
    const char *sentence; /* NULL: none */
    int64_t balance;      /* of customer 1 in bonus afterwards */
};

static const struct spend_row spend_rows[] = {
    { "all but one", 1000, "bonus", 1, 9, STATUS_OK, NULL, 1 },
    { "to zero", 1000, "bonus", 1, 10, STATUS_OK, NULL, 0 },
    { "the first programme unnamed", 1000, "", 1, 4, STATUS_OK, NULL, 6 },
    { "one past zero", 1000, "bonus", 1, 11, STATUS_REFUSED, "the account has 10 points, 11 asked",
      10 },
    { "the most of all", 1000, "bonus", 1, LIMIT_AMOUNT, STATUS_REFUSED,
      "the account has 10 points, 1000000000000000 asked", 10 },
    { "of a neighbour", 1000, "bonus", 2, 1, STATUS_NOT_FOUND, "there is no such customer", 10 },
    { "in the other programme", 1000, "travel", 1, 1, STATUS_NOT_FOUND, "there is no such customer",
      10 },
    { "in an unknown programme", 1000, "nectar", 1, 1, STATUS_NOT_FOUND,
      "there is no programme 'nectar'", 10 },
    { "in an unknown programme by an unknown customer", 1000, "nectar", 9, 1, STATUS_NOT_FOUND,
      "there is no programme 'nectar'", 10 },
    { "before anything was earned", 0, "bonus", 1, 1, STATUS_NOT_FOUND, "there is no such customer",
      0 },
};

START_TEST(a_spending_is_held_against_the_balance)
{
    const struct spend_row *row = &spend_rows[_i];
    struct ledger ledger;
    ledger_open(&ledger);
    (void)ledger_earn(&ledger, 0, 1, row->earned_minor);
    uint64_t writes = memory_view_writes(ledger.memory);
    enum status status = ledger_spend(&ledger, row->programme, row->customer, row->points);
    ck_assert_msg(status == row->status, "%s: %s", row->name, status_code_text(status));
    if (row->sentence != NULL) {
        ck_assert_str_eq(ledger.refusal.message, row->sentence);
        ck_assert_msg(memory_view_writes(ledger.memory) == writes, "%s: wrote", row->name);
    } else {
        ck_assert_int_eq(ledger_own(&ledger, "bonus", LOYALTY_OWN_SPENT), row->points);
        ck_assert_int_eq(ledger_account(&ledger, "bonus", 1).spent, row->points);
    }
    ck_assert_int_eq(ledger_account(&ledger, "bonus", 1).balance, row->balance);
    ledger_close(&ledger);
}
END_TEST

START_TEST(without_any_programme_a_request_must_name_one)
{
    struct ledger ledger;
    ledger_open(&ledger);
    static const struct loyalty_rules none = { .programme_count = 0 };
    (void)ledger_earn(&ledger, 0, 1, 500);
    ledger_rules_put(&ledger, &none);
    ck_assert_int_eq(ledger_spend(&ledger, "", 1, 1), STATUS_REFUSED);
    ck_assert_str_eq(ledger.refusal.message, "there is no programme; the configuration names them");
    ck_assert_msg(ledger_spend(&ledger, "bonus", 1, 5) == STATUS_OK,
                  "points of a programme that left the rules can be spent");
    ledger_close(&ledger);
}
END_TEST

/* ---- reversing */

/* What is done, in this order; a reversal names the place of another step, from 0. */
enum act { ACT_END, ACT_EARN, ACT_SPEND, ACT_REVERSE };

struct step {
    enum act act;
    int64_t number; /* points, or the step to reverse; 99: none */
};

#define STEPS_MAX 6

struct reverse_row {
    const char *name;
    struct step steps[STEPS_MAX];
    enum status status;   /* of the last step */
    const char *sentence; /* NULL: none */
    int64_t balance;
    int64_t earned;
    int64_t spent;
};

/* Step n stands at seq n + 2: the rules are the first fact. */
static const struct reverse_row reverse_rows[] = {
    { "an earning", { { ACT_EARN, 50 }, { ACT_REVERSE, 0 } }, STATUS_OK, NULL, 0, 0, 0 },
    { "a spending",
      { { ACT_EARN, 50 }, { ACT_SPEND, 20 }, { ACT_REVERSE, 1 } },
      STATUS_OK,
      NULL,
      50,
      50,
      0 },
    { "an earning of which just enough is left",
      { { ACT_EARN, 50 }, { ACT_EARN, 30 }, { ACT_SPEND, 30 }, { ACT_REVERSE, 0 } },
      STATUS_OK,
      NULL,
      0,
      30,
      30 },
    { "an earning of which one point too many is spent",
      { { ACT_EARN, 50 }, { ACT_EARN, 30 }, { ACT_SPEND, 31 }, { ACT_REVERSE, 0 } },
      STATUS_REFUSED,
      "reversing takes 50 points back, the account has 49",
      49,
      80,
      31 },
    { "an earning after its spending was given back",
      { { ACT_EARN, 50 }, { ACT_SPEND, 50 }, { ACT_REVERSE, 1 }, { ACT_REVERSE, 0 } },
      STATUS_OK,
      NULL,
      0,
      0,
      0 },
    { "twice",
      { { ACT_EARN, 50 }, { ACT_EARN, 50 }, { ACT_REVERSE, 0 }, { ACT_REVERSE, 0 } },
      STATUS_REFUSED,
      "posting 2 was reversed before, by posting 4",
      50,
      50,
      0 },
    { "a reversal",
      { { ACT_EARN, 50 }, { ACT_REVERSE, 0 }, { ACT_REVERSE, 1 } },
      STATUS_REFUSED,
      "posting 3 is itself a reversal, of posting 2, and stays",
      0,
      0,
      0 },
    { "a posting that is not there",
      { { ACT_EARN, 50 }, { ACT_REVERSE, 99 } },
      STATUS_NOT_FOUND,
      "there is no posting 101",
      50,
      50,
      0 },
    { "a spending after which the account was filled up",
      { { ACT_EARN, LIMIT_AMOUNT }, { ACT_SPEND, 5 }, { ACT_EARN, 1 }, { ACT_REVERSE, 1 } },
      STATUS_REFUSED,
      "reversing gives 5 points back, the account has 999999999999996 and holds at most "
      "1000000000000000",
      LIMIT_AMOUNT - 4,
      LIMIT_AMOUNT + 1,
      5 },
};

static enum status step_take(struct ledger *ledger, const struct step *step)
{
    switch (step->act) {
    case ACT_EARN:
        return ledger_earn(ledger, 0, 1, step->number) != 0 ? STATUS_OK : STATUS_REFUSED;
    case ACT_SPEND:
        return ledger_spend(ledger, "bonus", 1, step->number);
    case ACT_REVERSE:
        return ledger_reverse(ledger, (uint64_t)step->number + 2);
    case ACT_END:
        break;
    }
    return STATUS_INTERNAL;
}

START_TEST(a_posting_is_reversed_once_and_whole)
{
    const struct reverse_row *row = &reverse_rows[_i];
    struct ledger ledger;
    ledger_open(&ledger);
    struct loyalty_rules rules = ledger.rules;
    rules.programmes[0].rules[0].unit_minor = 1;
    ledger.rules = rules;
    enum status status = STATUS_OK;
    uint64_t writes = 0;
    for (size_t i = 0; i < STEPS_MAX && row->steps[i].act != ACT_END; i++) {
        ck_assert_msg(status == STATUS_OK, "%s: step %zu: %s", row->name, i - 1,
                      ledger.refusal.message);
        writes = memory_view_writes(ledger.memory);
        status = step_take(&ledger, &row->steps[i]);
    }
    ck_assert_msg(status == row->status, "%s: %s", row->name, status_code_text(status));
    if (row->sentence != NULL) {
        ck_assert_str_eq(ledger.refusal.message, row->sentence);
        ck_assert_uint_eq(memory_view_writes(ledger.memory), writes);
    }
    struct loyalty_account account = ledger_account(&ledger, "bonus", 1);
    ck_assert_msg(account.balance == row->balance, "%s", row->name);
    ck_assert_int_eq(account.earned, row->earned);
    ck_assert_int_eq(account.spent, row->spent);
    ck_assert_int_eq(ledger_own(&ledger, "bonus", LOYALTY_OWN_ISSUED), -row->earned);
    ck_assert_int_eq(ledger_own(&ledger, "bonus", LOYALTY_OWN_SPENT), row->spent);
    ledger_close(&ledger);
}
END_TEST

START_TEST(a_reversal_goes_to_the_account_of_the_posting_it_names)
{
    struct ledger ledger;
    ledger_open(&ledger);
    uint64_t first = ledger_earn(&ledger, 0, 1, 1000);
    uint64_t second = ledger_earn(&ledger, 1, 2, 1000);
    struct loyalty_posting posting = { .points = 0 };
    ck_assert_int_eq(
        loyalty_core_reverse(&ledger.view, second, FIXTURE_NOW_MS, &posting, &ledger.refusal),
        STATUS_OK);
    ck_assert_str_eq(posting.programme.text, "travel");
    ck_assert(customer_id_equal(posting.customer, customer_of(2)));
    ck_assert_int_eq(posting.points, -15);
    ck_assert_uint_eq(posting.number, 2);
    ck_assert_uint_eq(posting.reverses, second);
    ck_assert_uint_eq(posting.subject.bytes[0], 'c');
    uint64_t reversal = ledger_post(&ledger, &posting);
    ck_assert_int_eq(ledger_account(&ledger, "travel", 2).balance, 0);
    ck_assert_int_eq(ledger_account(&ledger, "bonus", 1).balance, 10);

    struct loyalty_entry_key key = { .number = 0 };
    struct loyalty_entry entry = { .posting = 0 };
    ck_assert(loyalty_posting_load(&ledger.view, second, &key));
    ck_assert(loyalty_entry_load(&ledger.view, key, &entry));
    ck_assert_uint_eq(entry.reversed_by, reversal);
    ck_assert(loyalty_posting_load(&ledger.view, first, &key));
    ck_assert(loyalty_entry_load(&ledger.view, key, &entry));
    ck_assert_msg(entry.reversed_by == 0, "the neighbour's posting stands");
    ledger_close(&ledger);
}
END_TEST

/* ---- rules */

START_TEST(a_programme_keeps_its_number_through_all_rules)
{
    struct ledger ledger;
    ledger_open(&ledger);
    uint32_t bonus = 0;
    uint32_t travel = 0;
    uint32_t number = 0;
    ck_assert(loyalty_programme_load(&ledger.view, span_of_text("bonus"), &bonus));
    ck_assert(loyalty_programme_load(&ledger.view, span_of_text("travel"), &travel));
    ck_assert_uint_ne(bonus, travel);

    struct loyalty_rules rules = ledger.rules;
    rules.programmes[0] = programme_of("nectar", rule_of("usage", 1, 1, LOYALTY_ROUND_FLOOR));
    rules.programmes[1] = programme_of("travel", rule_of("usage", 1, 1, LOYALTY_ROUND_FLOOR));
    ledger_rules_put(&ledger, &rules);
    ck_assert(loyalty_programme_load(&ledger.view, span_of_text("travel"), &number));
    ck_assert_uint_eq(number, travel);
    ck_assert(loyalty_programme_load(&ledger.view, span_of_text("bonus"), &number));
    ck_assert_uint_eq(number, bonus);
    ck_assert(loyalty_programme_load(&ledger.view, span_of_text("nectar"), &number));
    ck_assert_uint_ne(number, bonus);
    ck_assert_uint_ne(number, travel);
    ck_assert_str_eq(loyalty_programme_name_load(&ledger.view, number).text, "nectar");
    ck_assert(!loyalty_programme_load(&ledger.view, span_of_text("bonu"), &number));
    ledger_close(&ledger);
}
END_TEST

START_TEST(compiled_rules_of_any_size_come_back_whole)
{
    const size_t sizes[] = { 0,
                             1,
                             LIMIT_STATE_VALUE_BYTES - 1,
                             LIMIT_STATE_VALUE_BYTES,
                             LIMIT_STATE_VALUE_BYTES + 1,
                             LOYALTY_COMPILED_BYTES };
    static uint8_t compiled[LOYALTY_COMPILED_BYTES];
    static const struct loyalty_rules none = { .programme_count = 0 };
    for (size_t i = 0; i < sizeof compiled; i++) {
        compiled[i] = (uint8_t)(i * 31 + i / 256);
    }
    struct ledger ledger;
    ledger_open(&ledger);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct loyalty_rules_change change = { .version = 2 + (uint32_t)i,
                                               .compiled = span_of(compiled, sizes[i]),
                                               .rules = &none };
        loyalty_core_rules_evolve(&ledger.change, &change);
        struct loyalty_head head = { .rules_version = 0 };
        ck_assert(loyalty_head_load(&ledger.view, &head));
        ck_assert_uint_eq(head.rules_version, 2 + i);
        ck_assert_uint_eq(head.programme_count, 2);
        struct buffer read;
        buffer_init(&read, LOYALTY_COMPILED_BYTES);
        loyalty_rules_load(&ledger.view, &head, &read);
        ck_assert_msg(span_equal(buffer_span(&read), change.compiled), "%zu bytes", sizes[i]);
        buffer_release(&read);
    }
    ledger_close(&ledger);
}
END_TEST

/* ---- all of it, against a model that cannot be wrong */

#define MODEL_CUSTOMERS 4
#define MODEL_PROGRAMMES 2
#define MODEL_POSTINGS 4096
#define MODEL_ACTS 1500

/* A list of all postings; every balance is added up anew. */
struct model_posting {
    uint64_t seq;
    size_t programme;
    uint8_t customer;
    int64_t points;
    bool reversal;
    bool reversed;
};

struct model {
    struct model_posting postings[MODEL_POSTINGS];
    size_t count;
    uint64_t random;
};

static const char *const model_programmes[MODEL_PROGRAMMES] = { "bonus", "travel" };

/* xorshift64: the seed alone says what happens. */
static uint64_t model_random(struct model *model, uint64_t below)
{
    model->random ^= model->random << 13U;
    model->random ^= model->random >> 7U;
    model->random ^= model->random << 17U;
    return model->random % below;
}

static int64_t model_balance(const struct model *model, size_t programme, uint8_t customer)
{
    int64_t balance = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_posting *posting = &model->postings[i];
        if (posting->programme == programme && posting->customer == customer) {
            balance += posting->points;
        }
    }
    return balance;
}

static void model_add(struct model *model, const struct model_posting *posting)
{
    ck_assert_uint_lt(model->count, MODEL_POSTINGS);
    model->postings[model->count] = *posting;
    model->count += 1;
}

static void model_earn(struct model *model, struct ledger *ledger)
{
    size_t programme = model_random(model, MODEL_PROGRAMMES);
    uint8_t customer = (uint8_t)model_random(model, MODEL_CUSTOMERS);
    int64_t amount = (int64_t)model_random(model, 3000);
    int64_t points = programme == 0 ? amount / 100 : (amount * 3 + 199) / 200;
    uint64_t seq = ledger_earn(ledger, programme, customer, amount);
    ck_assert_int_eq(seq != 0, points > 0);
    if (seq != 0) {
        model_add(model,
                  &(struct model_posting){
                      .seq = seq, .programme = programme, .customer = customer, .points = points });
    }
}

static void model_spend(struct model *model, struct ledger *ledger)
{
    size_t programme = model_random(model, MODEL_PROGRAMMES);
    uint8_t customer = (uint8_t)model_random(model, MODEL_CUSTOMERS);
    int64_t points = 1 + (int64_t)model_random(model, 60);
    bool may = points <= model_balance(model, programme, customer);
    enum status status = ledger_spend(ledger, model_programmes[programme], customer, points);
    ck_assert_int_eq(status == STATUS_OK, may);
    if (may) {
        model_add(model, &(struct model_posting){ .seq = ledger->seq,
                                                  .programme = programme,
                                                  .customer = customer,
                                                  .points = -points });
    }
}

static void model_reverse(struct model *model, struct ledger *ledger)
{
    if (model->count == 0) {
        return;
    }
    struct model_posting *posting = &model->postings[model_random(model, model->count)];
    bool may = !posting->reversal && !posting->reversed &&
               posting->points <= model_balance(model, posting->programme, posting->customer);
    ck_assert_int_eq(ledger_reverse(ledger, posting->seq) == STATUS_OK, may);
    if (may) {
        posting->reversed = true;
        model_add(model, &(struct model_posting){ .seq = ledger->seq,
                                                  .programme = posting->programme,
                                                  .customer = posting->customer,
                                                  .points = -posting->points,
                                                  .reversal = true });
    }
}

/* One programme's accounts against the model's; returns the customers' sum. */
static int64_t model_accounts_compare(const struct model *model, struct ledger *ledger,
                                      size_t programme)
{
    int64_t sum = 0;
    for (uint8_t customer = 0; customer < MODEL_CUSTOMERS; customer++) {
        struct loyalty_account account =
            ledger_account(ledger, model_programmes[programme], customer);
        ck_assert_int_eq(account.balance, model_balance(model, programme, customer));
        ck_assert_int_eq(account.balance, account.earned - account.spent);
        sum += account.balance;
    }
    return sum;
}

static void model_compare(const struct model *model, struct ledger *ledger)
{
    for (size_t programme = 0; programme < MODEL_PROGRAMMES; programme++) {
        const char *name = model_programmes[programme];
        int64_t own = ledger_own(ledger, name, LOYALTY_OWN_ISSUED) +
                      ledger_own(ledger, name, LOYALTY_OWN_SPENT);
        ck_assert_int_eq(own + model_accounts_compare(model, ledger, programme), 0);
    }
}

START_TEST(sums_are_zero_and_balances_are_the_models_after_anything)
{
    static struct model model;
    uint64_t seed = UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(_i + 1);
    model = (struct model){ .random = seed };
    (void)printf("loyalty, seed %#llx\n", (unsigned long long)seed);
    struct ledger ledger;
    ledger_open(&ledger);
    void (*const acts[])(struct model *, struct ledger *) = { model_earn, model_earn, model_spend,
                                                              model_spend, model_reverse };
    for (int i = 0; i < MODEL_ACTS; i++) {
        acts[model_random(&model, sizeof acts / sizeof acts[0])](&model, &ledger);
        model_compare(&model, &ledger);
    }
    ck_assert_uint_gt(model.count, 100);
    ck_assert_uint_eq(memory_view_count(ledger.memory, LOYALTY_TABLE_POSTING), model.count);
    ck_assert_uint_eq(memory_view_count(ledger.memory, LOYALTY_TABLE_ENTRY), model.count);
    ledger_close(&ledger);
}
END_TEST

/* ---- keys */

START_TEST(keys_come_back_and_lie_in_the_order_of_their_numbers)
{
    struct loyalty_entry_key low = { { 1, customer_of(1) }, 255 };
    struct loyalty_entry_key high = { { 1, customer_of(1) }, 256 };
    struct loyalty_entry_key next = { { 1, customer_of(2) }, 1 };
    struct loyalty_entry_key_bytes a = loyalty_entry_key_encode(low);
    struct loyalty_entry_key_bytes b = loyalty_entry_key_encode(high);
    struct loyalty_entry_key_bytes c = loyalty_entry_key_encode(next);
    ck_assert_int_lt(memcmp(a.bytes, b.bytes, sizeof a.bytes), 0);
    ck_assert_int_lt(memcmp(b.bytes, c.bytes, sizeof b.bytes), 0);
    struct loyalty_entry_key back = { .number = 0 };
    ck_assert_int_eq(loyalty_entry_key_decode(span_of(b.bytes, sizeof b.bytes), &back), STATUS_OK);
    ck_assert_uint_eq(back.number, 256);
    ck_assert_uint_eq(back.account.programme, 1);
    ck_assert(customer_id_equal(back.account.customer, customer_of(1)));
}
END_TEST

START_TEST(bytes_that_are_no_key_are_told_apart)
{
    uint8_t bytes[LOYALTY_ENTRY_KEY_BYTES + 1] = { 0 };
    struct loyalty_entry_key entry = { .number = 4711 };
    struct loyalty_account_key account = { .programme = 4711 };
    struct loyalty_own_key own = { .programme = 4711 };
    ck_assert_int_eq(loyalty_entry_key_decode(span_of(bytes, 27), &entry), STATUS_MALFORMED);
    ck_assert_int_eq(loyalty_entry_key_decode(span_of(bytes, 29), &entry), STATUS_MALFORMED);
    ck_assert_msg(loyalty_entry_key_decode(span_of(bytes, 28), &entry) == STATUS_MALFORMED,
                  "there is no posting 0");
    ck_assert_int_eq(loyalty_account_key_decode(span_of(bytes, 19), &account), STATUS_MALFORMED);
    ck_assert_int_eq(loyalty_account_key_decode(span_of(bytes, 21), &account), STATUS_MALFORMED);
    ck_assert_int_eq(loyalty_own_key_decode(span_of(bytes, 4), &own), STATUS_MALFORMED);
    bytes[4] = 2;
    ck_assert_int_eq(loyalty_own_key_decode(span_of(bytes, 5), &own), STATUS_MALFORMED);
    ck_assert_uint_eq(entry.number, 4711);
    ck_assert_uint_eq(account.programme, 4711);
    ck_assert_uint_eq(own.programme, 4711);
}
END_TEST

START_TEST(a_grant_counts_as_earned_and_is_refused_rather_than_cut)
{
    struct ledger ledger;
    ledger_open(&ledger);
    ck_assert_int_eq(ledger_grant(&ledger, "bonus", 1, 5), STATUS_NOT_FOUND);
    loyalty_customer_put(&ledger.change, customer_of(1));
    ck_assert_int_eq(ledger_grant(&ledger, "bonus", 1, 5), STATUS_OK);
    struct loyalty_account account = ledger_account(&ledger, "bonus", 1);
    ck_assert_int_eq(account.balance, 5);
    ck_assert_int_eq(account.earned, 5);
    ck_assert_msg(account.subject.bytes[0] == 'g', "a first posting names the customer");
    (void)ledger_earn(&ledger, 0, 1, 100);
    ck_assert_int_eq(ledger_grant(&ledger, "bonus", 1, 1), STATUS_OK);
    account = ledger_account(&ledger, "bonus", 1);
    ck_assert_msg(account.subject.bytes[0] == 'b', "a later one leaves the name as it is");
    uint64_t writes = memory_view_writes(ledger.memory);
    ck_assert_int_eq(ledger_grant(&ledger, "bonus", 1, LIMIT_AMOUNT - 6), STATUS_REFUSED);
    ck_assert_str_eq(ledger.refusal.message,
                     "the account has 7 points and holds at most 1000000000000000, "
                     "999999999999994 are granted");
    ck_assert_uint_eq(memory_view_writes(ledger.memory), writes);
    ck_assert_int_eq(ledger_grant(&ledger, "bonus", 1, LIMIT_AMOUNT - 7), STATUS_OK);
    ck_assert_int_eq(ledger_own(&ledger, "bonus", LOYALTY_OWN_ISSUED), -LIMIT_AMOUNT);
    ledger_close(&ledger);
}
END_TEST

START_TEST(a_grant_past_what_the_programme_may_give_is_refused)
{
    struct ledger ledger;
    ledger_open(&ledger);
    loyalty_customer_put(&ledger.change, customer_of(1));
    for (int i = 0; i < 1000; i++) {
        int64_t points = i == 0 ? LIMIT_AMOUNT - 1 : LIMIT_AMOUNT;
        ck_assert_int_eq(ledger_grant(&ledger, "bonus", 1, points), STATUS_OK);
        ck_assert_int_eq(ledger_spend(&ledger, "bonus", 1, points), STATUS_OK);
    }
    ck_assert_int_eq(ledger_grant(&ledger, "bonus", 1, 2), STATUS_REFUSED);
    ck_assert_str_eq(ledger.refusal.message,
                     "the programme may give out 1 more points, 2 are granted");
    ck_assert_int_eq(ledger_grant(&ledger, "bonus", 1, 1), STATUS_OK);
    ck_assert_int_eq(ledger_grant(&ledger, "travel", 1, 2), STATUS_OK);
    ledger_close(&ledger);
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

static Suite *loyalty_core_suite(void)
{
    TCase *tests = tcase_create("loyalty_core");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, points_are_rounded_once_and_exactly, 0, COUNT(points_rows));
    tcase_add_test(tests, a_rule_is_valid_within_its_bounds_only);
    tcase_add_test(tests, an_earning_moves_points_from_what_is_issued);
    tcase_add_test(tests, an_event_that_no_rule_names_or_without_an_amount_earns_nothing);
    tcase_add_test(tests, an_earning_past_the_cap_is_cut_to_what_still_fits);
    tcase_add_test(tests, a_programme_gives_out_no_more_than_its_bound);
    tcase_add_test(tests, a_grant_counts_as_earned_and_is_refused_rather_than_cut);
    tcase_add_test(tests, a_grant_past_what_the_programme_may_give_is_refused);
    tcase_add_loop_test(tests, a_spending_is_held_against_the_balance, 0, COUNT(spend_rows));
    tcase_add_test(tests, without_any_programme_a_request_must_name_one);
    tcase_add_loop_test(tests, a_posting_is_reversed_once_and_whole, 0, COUNT(reverse_rows));
    tcase_add_test(tests, a_reversal_goes_to_the_account_of_the_posting_it_names);
    tcase_add_test(tests, a_programme_keeps_its_number_through_all_rules);
    tcase_add_test(tests, compiled_rules_of_any_size_come_back_whole);
    tcase_add_loop_test(tests, sums_are_zero_and_balances_are_the_models_after_anything, 0, 3);
    tcase_add_test(tests, keys_come_back_and_lie_in_the_order_of_their_numbers);
    tcase_add_test(tests, bytes_that_are_no_key_are_told_apart);
    Suite *suite = suite_create("loyalty_core");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(loyalty_core_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
