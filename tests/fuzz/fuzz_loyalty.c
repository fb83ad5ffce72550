/* link: loyalty_service */
/* covers: services/loyalty/loyalty_codec.c services/loyalty/loyalty_request.c
 *         services/loyalty/loyalty_batch.c services/loyalty/loyalty_key.c */
/*
 * Bodies of commands, questions and facts from any bytes. The first byte chooses; what is
 * taken must be within the ledger's bounds, and a fact must come back from its own encoding.
 */
#include "common/wire/message.h"
#include "common/wire/rules_fact.h"
#include "kith/v1/block.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/loyalty_private.pb-c.h"
#include "services/loyalty/loyalty_batch.h"
#include "services/loyalty/loyalty_codec.h"
#include "services/loyalty/loyalty_request.h"
#include "tests/fuzz/message_cases.h"

#include <assert.h>
#include <string.h>

static void account_check(struct span customer, struct span programme)
{
    assert(id_text_is_valid(customer));
    assert(programme.size == 0 || id_text_is_valid(programme));
}

static void spend_try(struct span body, struct arena *arena)
{
    struct refusal refusal = { 0 };
    struct loyalty_spend_request request = { 0 };
    enum status status = loyalty_spend_decode(body, arena, &request, &refusal);
    request_outcome_check(status, &refusal);
    if (status == STATUS_OK) {
        account_check(request.customer, request.programme);
        assert(request.points >= 1 && request.points <= LIMIT_AMOUNT);
    }
}

static void reverse_try(struct span body, struct arena *arena)
{
    struct refusal refusal = { 0 };
    uint64_t posting = 0;
    enum status status = loyalty_reverse_decode(body, arena, &posting, &refusal);
    request_outcome_check(status, &refusal);
    assert((status == STATUS_OK) == (posting > 0));
}

static void batch_try(struct span body, struct arena *arena)
{
    struct refusal refusal = { 0 };
    struct loyalty_batch batch = { 0 };
    enum status status = loyalty_batch_decode(body, arena, &batch, &refusal);
    request_outcome_check(status, &refusal);
    assert(batch.count <= LIMIT_BATCH_ITEMS && (status == STATUS_OK) == (batch.count > 0));
    for (size_t i = 0; i < batch.count; i++) {
        const struct loyalty_item *item = &batch.items[i];
        account_check(item->customer, item->programme);
        assert(item->points >= 1 && item->points <= LIMIT_AMOUNT);
        assert(item->kind == LOYALTY_SPENT || item->kind == LOYALTY_GRANTED);
    }
}

static void questions_try(struct span body, struct arena *arena)
{
    struct refusal refusal = { 0 };
    struct loyalty_balance_request balance = { 0 };
    enum status status = loyalty_balance_decode(body, arena, &balance, &refusal);
    request_outcome_check(status, &refusal);
    if (status == STATUS_OK) {
        account_check(balance.customer, balance.programme);
    }
    struct loyalty_statement_request statement = { 0 };
    refusal_init(&refusal);
    status = loyalty_statement_decode(body, arena, &statement, &refusal);
    request_outcome_check(status, &refusal);
    if (status == STATUS_OK) {
        account_check(statement.customer, statement.programme);
        assert(statement.limit >= 1 && statement.limit <= REQUEST_PAGE_MAX);
    }
    struct loyalty_accounts_request accounts = { 0 };
    refusal_init(&refusal);
    status = loyalty_accounts_decode(body, arena, &accounts, &refusal);
    request_outcome_check(status, &refusal);
    assert(status != STATUS_OK || (accounts.limit >= 1 && accounts.limit <= REQUEST_PAGE_MAX));
}

/* The encoding of what was read reads as the same. */
static void posting_try(struct span body, struct arena *arena, uint32_t type)
{
    (void)arena;
    struct fact fact = { .type = type, .version = 1, .has_customer = true, .body = body };
    struct loyalty_posting posting = { 0 };
    if (loyalty_posting_decode(&fact, &posting) != STATUS_OK) {
        return;
    }
    struct buffer again;
    buffer_init(&again, LIMIT_RECORD_BYTES);
    loyalty_posting_encode(&posting, &again);
    fact.body = buffer_span(&again);
    struct loyalty_posting back = { 0 };
    enum status status = loyalty_posting_decode(&fact, &back);
    assert(status == STATUS_OK);
    assert(back.points == posting.points && back.number == posting.number);
    assert(back.counter == posting.counter && back.reverses == posting.reverses);
    assert(strcmp(back.programme.text, posting.programme.text) == 0);
    buffer_release(&again);
}

static void rules_try(struct span body, struct arena *arena)
{
    struct rules_fact changed = { 0 };
    if (rules_fact_decode(body, LOYALTY_RULES_NAME, arena, &changed) == STATUS_OK) {
        assert(changed.version > 0);
    }
    struct loyalty_rules rules = { 0 };
    if (loyalty_rules_decode(body, arena, &rules) != STATUS_OK) {
        return;
    }
    struct buffer again;
    buffer_init(&again, LOYALTY_COMPILED_BYTES);
    enum status status = loyalty_rules_encode(&rules, &again);
    assert(status == STATUS_OK || status == STATUS_LIMIT);
    if (status == STATUS_OK) {
        struct loyalty_rules back = { 0 };
        status = loyalty_rules_decode(buffer_span(&again), arena, &back);
        assert(status == STATUS_OK && back.programme_count == rules.programme_count);
    }
    buffer_release(&again);
    for (size_t i = 0; i < rules.programme_count; i++) {
        for (size_t j = 0; j < rules.programmes[i].rule_count; j++) {
            const struct loyalty_earn_rule *rule = &rules.programmes[i].rules[j];
            int64_t points = loyalty_core_points(rule, LIMIT_AMOUNT - 1);
            assert(points >= 0 && points <= LIMIT_AMOUNT);
        }
    }
}

static void record_try(struct span body, struct arena *arena)
{
    struct customer_id customer = { .bytes = { 0 } };
    if (loyalty_customer_seen_decode(body, arena, &customer) == STATUS_OK) {
        struct buffer again;
        buffer_init(&again, LIMIT_RECORD_BYTES);
        loyalty_customer_seen_encode(customer, &again);
        struct customer_id back = { .bytes = { 0 } };
        enum status status = loyalty_customer_seen_decode(buffer_span(&again), arena, &back);
        assert(status == STATUS_OK && customer_id_equal(back, customer));
        buffer_release(&again);
    }
}

/* A key has one encoding. */
static void keys_try(struct span bytes, struct arena *arena)
{
    (void)arena;
    struct loyalty_account_key account = { .programme = 0 };
    struct loyalty_own_key own = { .programme = 0 };
    struct loyalty_entry_key entry = { .number = 0 };
    if (loyalty_account_key_decode(bytes, &account) == STATUS_OK) {
        struct loyalty_account_key_bytes again = loyalty_account_key_encode(account);
        assert(span_equal(span_of(again.bytes, sizeof again.bytes), bytes));
    }
    if (loyalty_own_key_decode(bytes, &own) == STATUS_OK) {
        struct loyalty_own_key_bytes again = loyalty_own_key_encode(own);
        assert(span_equal(span_of(again.bytes, sizeof again.bytes), bytes));
    }
    if (loyalty_entry_key_decode(bytes, &entry) == STATUS_OK) {
        struct loyalty_entry_key_bytes again = loyalty_entry_key_encode(entry);
        assert(span_equal(span_of(again.bytes, sizeof again.bytes), bytes));
    }
}

static const struct message_case cases[] = {
    { &kith__v1__spend_request__descriptor, spend_try, NULL, 0 },
    { &kith__v1__reverse_request__descriptor, reverse_try, NULL, 0 },
    { &kith__v1__statement_request__descriptor, questions_try, NULL, 0 },
    { &kith__v1__programmes__descriptor, rules_try, NULL, 0 },
    { &kith__v1__post_request__descriptor, batch_try, NULL, 0 },
    { &kith__v1__points_posted__descriptor, NULL, posting_try, FACT_POINTS_EARNED },
    { &kith__v1__points_posted__descriptor, NULL, posting_try, FACT_POINTS_SPENT },
    { &kith__v1__points_posted__descriptor, NULL, posting_try, FACT_POINTS_REVERSED },
    { &kith__v1__points_posted__descriptor, NULL, posting_try, FACT_POINTS_GRANTED },
    { &kith__v1__rules_changed__descriptor, rules_try, NULL, 0 },
    { &kith__v1__accounts_request__descriptor, questions_try, NULL, 0 },
    { &kith__v1__loyalty_record__descriptor, record_try, NULL, 0 },
    { NULL, keys_try, NULL, 0 },
};

static const struct message_cases target = {
    .cases = cases,
    .count = sizeof cases / sizeof cases[0],
    .arena_bytes = (size_t)4 * 1024 * 1024,
    .inner = &kith__v1__programmes__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return message_cases_try(&target, data, size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return message_cases_mutate(&target, data, size, size_max, seed);
}
