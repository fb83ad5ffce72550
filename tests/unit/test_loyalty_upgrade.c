/* link: loyalty_service common_store */
/*
 * State of version 1, where all tables were trees and an entry said itself what had taken it
 * back, under a ledger of today. A list of what was posted says what must be found.
 */
#include "services/loyalty/loyalty_service.h"
#include "tests/unit/loyalty_fixture.h"
#include "tests/unit/store_fixture.h"

#define SCHEMA_OLD 1
#define TABLES_MAX 16
#define POSTINGS_MAX 64
#define CUSTOMERS 3

struct posted {
    uint64_t seq;
    uint8_t customer;
    uint64_t reverses;
    uint64_t reversed_by;
};

struct upgrade {
    struct folder folder;
    struct store_table tables[TABLES_MAX];
    struct store_options options;
    struct store *store;
    struct ledger ledger;
    struct posted posted[POSTINGS_MAX];
    size_t count;
};

/* ---- the file */

static void state_open(struct upgrade *upgrade)
{
    upgrade->store = store_make(&upgrade->options);
    upgrade->ledger.view = store_view(upgrade->store);
    upgrade->ledger.change = store_change(upgrade->store);
}

static void state_close(struct upgrade *upgrade, uint64_t block)
{
    checkpoint_make(upgrade->store, block);
    store_close(&upgrade->store);
}

static void upgrade_open(struct upgrade *upgrade)
{
    *upgrade = (struct upgrade){ .folder = folder_make() };
    ck_assert_uint_le(loyalty_definition.table_count, TABLES_MAX);
    for (size_t i = 0; i < loyalty_definition.table_count; i++) {
        upgrade->tables[i] = loyalty_definition.tables[i];
        upgrade->tables[i].kind = STORE_TABLE_TREE;
    }
    upgrade->options = options_of(&upgrade->folder);
    upgrade->options.schema = SCHEMA_OLD;
    upgrade->options.tables = upgrade->tables;
    upgrade->options.table_count = loyalty_definition.table_count;
    state_open(upgrade);
    struct loyalty_rules rules = { .programme_count = 1 };
    rules.programmes[0] = programme_of("bonus", rule_of("purchase", 1, 100, LOYALTY_ROUND_FLOOR));
    ledger_rules_put(&upgrade->ledger, &rules);
}

static void program_renew(struct upgrade *upgrade)
{
    upgrade->options.schema = loyalty_definition.schema;
    upgrade->options.tables = loyalty_definition.tables;
}

static void upgrade_close(struct upgrade *upgrade)
{
    store_close(&upgrade->store);
    folder_remove(&upgrade->folder);
}

/* ---- what is posted */

static void posted_add(struct upgrade *upgrade, struct posted posted)
{
    ck_assert_uint_lt(upgrade->count, POSTINGS_MAX);
    upgrade->posted[upgrade->count++] = posted;
}

static void earnings_make(struct upgrade *upgrade)
{
    for (int i = 0; i < 3 * CUSTOMERS; i++) {
        uint8_t customer = (uint8_t)(i % CUSTOMERS);
        uint64_t seq = ledger_earn(&upgrade->ledger, 0, customer, 1000);
        ck_assert_uint_ne(seq, 0);
        posted_add(upgrade, (struct posted){ .seq = seq, .customer = customer });
    }
}

static struct loyalty_entry_key key_of(struct upgrade *upgrade, uint64_t seq)
{
    struct loyalty_entry_key key = { .number = 0 };
    ck_assert(loyalty_posting_load(&upgrade->ledger.view, seq, &key));
    return key;
}

static void reversal_make(struct upgrade *upgrade, struct posted *posted)
{
    ck_assert_int_eq(ledger_reverse(&upgrade->ledger, posted->seq), STATUS_OK);
    posted->reversed_by = upgrade->ledger.seq;
    posted_add(upgrade, (struct posted){ .seq = upgrade->ledger.seq,
                                         .customer = posted->customer,
                                         .reverses = posted->seq });
}

/* What a program of then left: no record of the reversal, but its seq, eight bytes, at the end
 * of the entry. */
static void reversal_make_old(struct upgrade *upgrade, struct posted *posted)
{
    reversal_make(upgrade, posted);
    struct loyalty_entry_key_bytes key = loyalty_entry_key_encode(key_of(upgrade, posted->seq));
    struct span key_span = span_of(key.bytes, sizeof key.bytes);
    struct span value = { 0 };
    uint8_t bytes[128];
    ck_assert(view_get(&upgrade->ledger.view, LOYALTY_TABLE_ENTRY, key_span, &value));
    ck_assert_uint_le(value.size, sizeof bytes);
    memcpy(bytes, value.data, value.size);
    be64_put(bytes + value.size - 8, posted->reversed_by);
    change_put(&upgrade->ledger.change, LOYALTY_TABLE_ENTRY, key_span, span_of(bytes, value.size));
    struct loyalty_posting_key_bytes reversed = loyalty_posting_key_encode(posted->seq);
    change_delete(&upgrade->ledger.change, LOYALTY_TABLE_REVERSAL,
                  span_of(reversed.bytes, sizeof reversed.bytes));
}

/* ---- what is found */

static void posted_check(struct upgrade *upgrade, const struct posted *posted)
{
    struct loyalty_entry entry = { .posting = 0 };
    struct loyalty_entry_key key = key_of(upgrade, posted->seq);
    ck_assert(customer_id_equal(key.account.customer, customer_of(posted->customer)));
    ck_assert(loyalty_entry_load(&upgrade->ledger.view, key, &entry));
    ck_assert_uint_eq(entry.posting, posted->seq);
    ck_assert_uint_eq(entry.reverses, posted->reverses);
    ck_assert_uint_eq(entry.reversed_by, posted->reversed_by);
}

struct walk_check {
    struct upgrade *upgrade;
    uint8_t customer;
    size_t at; /* in the list of what was posted */
};

static bool walk_visit(void *argument, struct span key, struct span value)
{
    struct walk_check *check = argument;
    const struct upgrade *upgrade = check->upgrade;
    struct loyalty_entry_key entry_key = { .number = 0 };
    struct loyalty_entry entry = { .posting = 0 };
    ck_assert_int_eq(loyalty_entry_key_decode(key, &entry_key), STATUS_OK);
    loyalty_entry_decode(&upgrade->ledger.view, value, &entry);
    while (check->at < upgrade->count && upgrade->posted[check->at].customer != check->customer) {
        check->at++;
    }
    ck_assert_uint_lt(check->at, upgrade->count);
    ck_assert_uint_eq(entry.posting, upgrade->posted[check->at].seq);
    ck_assert_uint_eq(entry.reversed_by, upgrade->posted[check->at].reversed_by);
    check->at++;
    return true;
}

/* A customer's entries lie in the order in which they were posted, whichever program did it. */
static void customer_walk_check(struct upgrade *upgrade, uint8_t customer)
{
    struct walk_check check = { upgrade, customer, 0 };
    struct loyalty_account_key account = { 1, customer_of(customer) };
    struct loyalty_account_key_bytes prefix = loyalty_account_key_encode(account);
    view_walk(&upgrade->ledger.view, LOYALTY_TABLE_ENTRY,
              span_of(prefix.bytes, sizeof prefix.bytes), walk_visit, &check);
    while (check.at < upgrade->count) {
        ck_assert_uint_ne(upgrade->posted[check.at++].customer, customer);
    }
}

static void all_check(struct upgrade *upgrade)
{
    for (size_t i = 0; i < upgrade->count; i++) {
        posted_check(upgrade, &upgrade->posted[i]);
    }
    for (uint8_t customer = 0; customer < CUSTOMERS; customer++) {
        customer_walk_check(upgrade, customer);
    }
}

static void all_is_reversed_once(struct upgrade *upgrade)
{
    size_t count = upgrade->count;
    for (size_t i = 0; i < count; i++) {
        struct posted *posted = &upgrade->posted[i];
        if (posted->reverses == 0 && posted->reversed_by == 0) {
            reversal_make(upgrade, posted);
        }
        ck_assert_int_eq(ledger_reverse(&upgrade->ledger, posted->seq), STATUS_REFUSED);
    }
    for (uint8_t customer = 0; customer < CUSTOMERS; customer++) {
        ck_assert_int_eq(ledger_account(&upgrade->ledger, "bonus", customer).balance, 0);
    }
}

/* ---- the tests */

START_TEST(what_an_older_state_says_is_reversed_stays_reversed)
{
    struct upgrade upgrade;
    upgrade_open(&upgrade);
    earnings_make(&upgrade);
    reversal_make_old(&upgrade, &upgrade.posted[1]);
    state_close(&upgrade, 1);

    program_renew(&upgrade);
    state_open(&upgrade);
    all_check(&upgrade);
    ck_assert_int_eq(ledger_reverse(&upgrade.ledger, upgrade.posted[1].seq), STATUS_REFUSED);
    char sentence[128];
    (void)snprintf(sentence, sizeof sentence, "posting %llu was reversed before, by posting %llu",
                   (unsigned long long)upgrade.posted[1].seq,
                   (unsigned long long)upgrade.posted[1].reversed_by);
    ck_assert_str_eq(upgrade.ledger.refusal.message, sentence);
    upgrade_close(&upgrade);
}
END_TEST

START_TEST(old_and_new_postings_are_walked_and_reversed_alike)
{
    struct upgrade upgrade;
    upgrade_open(&upgrade);
    earnings_make(&upgrade);
    reversal_make_old(&upgrade, &upgrade.posted[4]);
    state_close(&upgrade, 1);

    program_renew(&upgrade);
    state_open(&upgrade);
    earnings_make(&upgrade);
    reversal_make(&upgrade, &upgrade.posted[0]); /* an old one */
    reversal_make(&upgrade, &upgrade.posted[upgrade.count - 2]);
    all_check(&upgrade);
    state_close(&upgrade, 2); /* from here on some are in a tree and some in a run */
    state_open(&upgrade);
    all_check(&upgrade);
    all_is_reversed_once(&upgrade);
    state_close(&upgrade, 3);
    state_open(&upgrade);
    all_check(&upgrade);
    upgrade_close(&upgrade);
}
END_TEST

START_TEST(a_program_of_then_does_not_open_what_one_of_today_has_opened)
{
    struct upgrade upgrade;
    upgrade_open(&upgrade);
    state_close(&upgrade, 1);
    struct store_options old = upgrade.options;
    program_renew(&upgrade);
    state_open(&upgrade);
    store_close(&upgrade.store);
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(store_open(&upgrade.store, &old, &refusal), STATUS_REFUSED);
    ck_assert_ptr_null(upgrade.store);
    upgrade_close(&upgrade);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loyalty_upgrade");
    TCase *tcase = tcase_create("loyalty_upgrade");
    tcase_add_test(tcase, what_an_older_state_says_is_reversed_stays_reversed);
    tcase_add_test(tcase, old_and_new_postings_are_walked_and_reversed_alike);
    tcase_add_test(tcase, a_program_of_then_does_not_open_what_one_of_today_has_opened);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
