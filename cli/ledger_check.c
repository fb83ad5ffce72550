#include "cli/ledger_check.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMMES_MAX 256
#define SLOTS_FIRST 1024

struct account {
    bool is_used;
    bool is_compared;
    bool is_customer;
    uint16_t programme;
    uint32_t own;
    struct customer_id customer;
    int64_t balance;
    uint64_t postings;
    uint64_t first_seq;
};

/* Accounts by open addressing: at most half of the slots are in use. */
struct ledger_check {
    struct account *slots;
    size_t slot_count; /* a power of two */
    size_t used;
    size_t programme_count;
    char programmes[PROGRAMMES_MAX][LIMIT_ID_BYTES + 1];
    uint64_t postings;
    int64_t sum;
};

void ledger_check_open(struct ledger_check **check)
{
    assert(*check == NULL);
    struct ledger_check *opened = memory_allocate(sizeof *opened);
    opened->slot_count = SLOTS_FIRST;
    opened->slots = memory_allocate(opened->slot_count * sizeof *opened->slots);
    *check = opened;
}

void ledger_check_close(struct ledger_check **check)
{
    if (*check == NULL) {
        return;
    }
    free((*check)->slots);
    free(*check);
    *check = NULL;
}

/* ---- finding */

/* Every bit of what tells accounts apart reaches the low bits, which choose the slot. */
static size_t slot_begin(const struct ledger_check *check, const struct account *account)
{
    uint64_t hash = account->is_customer ? be64_get(account->customer.bytes) : account->own;
    hash = (hash + account->programme) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)((hash >> 32U) & (check->slot_count - 1));
}

static bool account_is(const struct account *a, const struct account *b)
{
    return a->is_customer == b->is_customer && a->programme == b->programme && a->own == b->own &&
           customer_id_equal(a->customer, b->customer);
}

/* The account's slot, or the free one where it belongs. */
static struct account *slot_find(const struct ledger_check *check, const struct account *wanted)
{
    size_t at = slot_begin(check, wanted);
    while (check->slots[at].is_used && !account_is(&check->slots[at], wanted)) {
        at = (at + 1) & (check->slot_count - 1);
    }
    return &check->slots[at];
}

static void slots_double(struct ledger_check *check)
{
    struct account *old = check->slots;
    size_t old_count = check->slot_count;
    check->slot_count = 2 * old_count;
    check->slots = memory_allocate(check->slot_count * sizeof *check->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].is_used) {
            *slot_find(check, &old[i]) = old[i];
        }
    }
    free(old);
}

/* PROGRAMMES_MAX: no such programme, and `add` is false or there is no room. */
static size_t programme_find(struct ledger_check *check, struct span name, bool add)
{
    for (size_t i = 0; i < check->programme_count; i++) {
        if (span_equal(span_of_text(check->programmes[i]), name)) {
            return i;
        }
    }
    if (!add || check->programme_count == PROGRAMMES_MAX || name.size > LIMIT_ID_BYTES ||
        name.size == 0) {
        return PROGRAMMES_MAX;
    }
    size_t added = check->programme_count++;
    memcpy(check->programmes[added], name.data, name.size);
    return added;
}

/* What tells the account apart from others; false: its programme is not known. */
static bool identity_make(struct ledger_check *check, const struct ledger_owner *owner, bool add,
                          struct account *identity)
{
    size_t programme = programme_find(check, owner->programme, add);
    *identity = (struct account){ .is_used = true,
                                  .is_customer = owner->is_customer,
                                  .programme = (uint16_t)programme };
    if (owner->is_customer) {
        identity->customer = owner->customer;
    } else {
        identity->own = owner->own;
    }
    return programme < PROGRAMMES_MAX;
}

/* ---- sentences */

struct account_text {
    char text[160];
};

static struct account_text account_text(const struct ledger_check *check,
                                        const struct account *account)
{
    struct account_text named = { "" };
    const char *programme = check->programmes[account->programme];
    if (account->is_customer) {
        char digits[2 * sizeof account->customer.bytes + 1];
        hex_encode(span_of(account->customer.bytes, sizeof account->customer.bytes), digits);
        (void)snprintf(named.text, sizeof named.text, "account of customer %s in %s", digits,
                       programme);
    } else {
        (void)snprintf(named.text, sizeof named.text, "account %s of %s",
                       account->own == 0 ? "issued" : "spent", programme);
    }
    return named;
}

static enum status programme_refuse(struct span programme, uint64_t seq, struct refusal *refusal)
{
    return refusal_set(refusal, STATUS_CORRUPT,
                       "seq %" PRIu64 ": programme '%.*s' cannot be, or is one too many", seq,
                       (int)(programme.size > LIMIT_ID_BYTES ? LIMIT_ID_BYTES : programme.size),
                       programme.size > 0 ? (const char *)programme.data : "");
}

/* ---- postings */

/* Adds to one account and to the sum of all. */
static enum status account_add(struct ledger_check *check, const struct account *identity,
                               int64_t points, uint64_t seq, struct account **found)
{
    if (2 * (check->used + 1) > check->slot_count) {
        slots_double(check);
    }
    struct account *account = slot_find(check, identity);
    if (!account->is_used) {
        *account = *identity;
        account->first_seq = seq;
        check->used++;
    }
    *found = account;
    account->postings++;
    if (__builtin_add_overflow(account->balance, points, &account->balance) ||
        __builtin_add_overflow(check->sum, points, &check->sum)) {
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

static enum status account_refuse(const struct ledger_check *check,
                                  const struct ledger_posting *posting,
                                  const struct account *account, struct refusal *refusal)
{
    struct account_text named = account_text(check, account);
    if (account->balance != posting->balance_after) {
        return refusal_set(refusal, STATUS_CORRUPT,
                           "seq %" PRIu64 ": %s: the posting says balance %" PRId64
                           ", its postings add up to %" PRId64,
                           posting->seq, named.text, posting->balance_after, account->balance);
    }
    return refusal_set(refusal, STATUS_CORRUPT,
                       "seq %" PRIu64 ": %s: the posting has number %" PRIu64
                       ", and it is number %" PRIu64,
                       posting->seq, named.text, posting->number, account->postings);
}

enum status ledger_check_post(struct ledger_check *check, const struct ledger_posting *posting,
                              struct refusal *refusal)
{
    struct account customer;
    struct account counter;
    struct ledger_owner own = { .programme = posting->owner.programme, .own = posting->counter };
    assert(posting->owner.is_customer);
    if (!identity_make(check, &posting->owner, true, &customer) ||
        !identity_make(check, &own, true, &counter)) {
        return programme_refuse(posting->owner.programme, posting->seq, refusal);
    }
    if (posting->points < -LIMIT_AMOUNT || posting->points > LIMIT_AMOUNT) {
        return refusal_set(refusal, STATUS_CORRUPT,
                           "seq %" PRIu64 ": %" PRId64 " points are more than can be", posting->seq,
                           posting->points);
    }
    struct account *account = NULL;
    struct account *other = NULL;
    enum status status = account_add(check, &counter, -posting->points, posting->seq, &other);
    if (status == STATUS_OK) {
        status = account_add(check, &customer, posting->points, posting->seq, &account);
    }
    check->postings++;
    if (status != STATUS_OK || check->sum != 0) {
        return refusal_set(refusal, STATUS_CORRUPT,
                           "seq %" PRIu64 ": the accounts do not add up to zero", posting->seq);
    }
    if (account->balance != posting->balance_after || account->postings != posting->number) {
        return account_refuse(check, posting, account, refusal);
    }
    return STATUS_OK;
}

/* ---- comparing */

enum status ledger_check_compare(struct ledger_check *check, const struct ledger_owner *owner,
                                 int64_t balance, uint64_t seq, struct refusal *refusal)
{
    struct account identity;
    if (!identity_make(check, owner, false, &identity)) {
        /* A programme whose accounts nobody posted to yet. */
        return balance == 0 ? STATUS_OK : programme_refuse(owner->programme, seq, refusal);
    }
    struct account *account = slot_find(check, &identity);
    struct account_text named = account_text(check, &identity);
    int64_t expected = account->is_used ? account->balance : 0;
    if (balance != expected) {
        return refusal_set(refusal, STATUS_CORRUPT,
                           "seq %" PRIu64 ": %s: the service has balance %" PRId64
                           ", the postings add up to %" PRId64,
                           seq, named.text, balance, expected);
    }
    if (account->is_used && account->is_compared) {
        return refusal_set(refusal, STATUS_CORRUPT, "seq %" PRIu64 ": %s: the service has it twice",
                           seq, named.text);
    }
    account->is_compared = account->is_used;
    return STATUS_OK;
}

enum status ledger_check_complete(const struct ledger_check *check, uint64_t seq,
                                  struct refusal *refusal)
{
    for (size_t i = 0; i < check->slot_count; i++) {
        const struct account *account = &check->slots[i];
        if (account->is_used && !account->is_compared && account->first_seq <= seq) {
            struct account_text named = account_text(check, account);
            return refusal_set(refusal, STATUS_CORRUPT,
                               "seq %" PRIu64 ": %s: the service does not have it, the postings "
                               "add up to %" PRId64,
                               seq, named.text, account->balance);
        }
    }
    return STATUS_OK;
}

struct ledger_totals ledger_check_totals(const struct ledger_check *check)
{
    return (struct ledger_totals){ .postings = check->postings,
                                   .accounts = check->used,
                                   .sum = check->sum };
}
