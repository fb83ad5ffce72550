#include "services/loyalty/loyalty_core.h"

#include <assert.h>
#include <inttypes.h>

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* part / unit_minor, rounded as the rule says; both are zero or more. */
static int64_t divide_rounded(const struct loyalty_earn_rule *rule, int64_t part)
{
    int64_t whole = part / rule->unit_minor;
    int64_t rest = part % rule->unit_minor;
    switch (rule->rounding) {
    case LOYALTY_ROUND_FLOOR:
        return whole;
    case LOYALTY_ROUND_HALF_UP:
        /* rest * 2 could pass 63 bits; this cannot. */
        return rest >= rule->unit_minor - rest ? whole + 1 : whole;
    case LOYALTY_ROUND_CEILING:
        return rest > 0 ? whole + 1 : whole;
    }
    assert(false);
    return 0;
}

bool loyalty_core_rule_is_valid(const struct loyalty_earn_rule *rule)
{
    int64_t product = 0;
    return rule->points >= 1 && rule->points <= LIMIT_AMOUNT && rule->unit_minor >= 1 &&
           rule->unit_minor <= LIMIT_AMOUNT &&
           !__builtin_mul_overflow(rule->points, rule->unit_minor, &product);
}

const struct loyalty_earn_rule *loyalty_core_rule_find(const struct loyalty_programme *programme,
                                                       struct span event_type)
{
    for (size_t i = 0; i < programme->rule_count; i++) {
        const struct loyalty_earn_rule *rule = &programme->rules[i];
        if (span_equal(loyalty_name_span(&rule->event_type), event_type)) {
            return rule;
        }
    }
    return NULL;
}

int64_t loyalty_core_points(const struct loyalty_earn_rule *rule, int64_t amount_minor)
{
    assert(loyalty_core_rule_is_valid(rule));
    if (amount_minor <= 0) {
        return 0;
    }
    /* Whole units apart from the rest: the rest's product fits by the rule's own bound, and a
     * product of whole units that does not fit is past the cap in any case. */
    int64_t whole = 0;
    if (__builtin_mul_overflow(amount_minor / rule->unit_minor, rule->points, &whole)) {
        return LIMIT_AMOUNT;
    }
    int64_t part = 0;
    bool part_overflows =
        __builtin_mul_overflow(amount_minor % rule->unit_minor, rule->points, &part);
    assert(!part_overflows);
    int64_t points = 0;
    if (__builtin_add_overflow(whole, divide_rounded(rule, part), &points)) {
        return LIMIT_AMOUNT;
    }
    return smaller(points, LIMIT_AMOUNT);
}

/* What `programme` may still give out, by what it has `issued`, which is loaded. */
static int64_t issued_room(const struct view *view, uint32_t programme, struct loyalty_own *issued)
{
    struct loyalty_own_key key = { .programme = programme, .kind = LOYALTY_OWN_ISSUED };
    (void)loyalty_own_load(view, key, issued);
    assert(issued->balance <= 0 && issued->balance >= -LOYALTY_ISSUED_MAX);
    return LOYALTY_ISSUED_MAX + issued->balance;
}

bool loyalty_core_earn(const struct view *view, const struct loyalty_programme *programme,
                       const struct loyalty_earning *earning, struct loyalty_found *found,
                       struct loyalty_posting *posting)
{
    assert(programme->number > 0);
    const struct accepted_event *event = earning->event;
    const struct loyalty_earn_rule *rule = loyalty_core_rule_find(programme, event->type);
    if (rule == NULL || !event->has_amount) {
        return false;
    }
    struct loyalty_account_key key = { .programme = programme->number,
                                       .customer = earning->customer };
    struct loyalty_account account = { 0 };
    (void)loyalty_account_load(view, key, &account);

    int64_t points = loyalty_core_points(rule, event->amount.minor);
    points = smaller(points, LIMIT_AMOUNT - account.balance);
    struct loyalty_own issued = { 0 };
    points = smaller(points, issued_room(view, key.programme, &issued));
    assert(points >= 0);
    if (points == 0) {
        return false;
    }
    *found = (struct loyalty_found){ programme->name, key, account, issued, true };
    *posting = (struct loyalty_posting){
        .kind = LOYALTY_EARNED,
        .programme = programme->name,
        .customer = earning->customer,
        .subject = earning->subject,
        .points = points,
        .balance_after = account.balance + points,
        .number = account.postings + 1,
        .counter = LOYALTY_OWN_ISSUED,
        .occurred_at_ms = event->occurred_at_ms,
        .source = event->source,
        .event_id = event->id,
    };
    return true;
}

/* NULL: the rules in force do not name it. */
static const struct loyalty_programme *programme_of_rules(const struct loyalty_rules *rules,
                                                          struct span name)
{
    for (size_t i = 0; i < rules->programme_count; i++) {
        if (span_equal(loyalty_name_span(&rules->programmes[i].name), name)) {
            return &rules->programmes[i];
        }
    }
    return NULL;
}

/* The programme's number and name; an empty `name` means the first of the rules. */
static enum status programme_find(const struct view *view, const struct loyalty_rules *rules,
                                  struct span name, struct loyalty_found *found,
                                  struct refusal *refusal)
{
    if (name.size == 0 && rules->programme_count == 0) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "there is no programme; the configuration names them");
    }
    const struct loyalty_programme *programme =
        name.size == 0 ? &rules->programmes[0] : programme_of_rules(rules, name);
    if (programme != NULL) {
        assert(programme->number > 0);
        found->key.programme = programme->number;
        found->programme = programme->name;
        return STATUS_OK;
    }
    if (!loyalty_programme_load(view, name, &found->key.programme)) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no programme '%.*s'",
                           (int)name.size, (const char *)name.data);
    }
    found->programme = loyalty_name_of(name);
    return STATUS_OK;
}

enum status loyalty_core_account_find(const struct view *view, const struct loyalty_rules *rules,
                                      const struct loyalty_asked *asked,
                                      struct loyalty_found *found, struct refusal *refusal)
{
    struct loyalty_found decided = { .key.customer = asked->customer };
    enum status status = programme_find(view, rules, asked->programme, &decided, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    if (!loyalty_account_load(view, decided.key, &decided.account) &&
        !loyalty_customer_is_known(view, asked->customer)) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no such customer");
    }
    *found = decided;
    return STATUS_OK;
}

enum status loyalty_core_spend(const struct loyalty_found *found, int64_t points, int64_t now_ms,
                               struct loyalty_posting *posting, struct refusal *refusal)
{
    assert(points >= 1 && points <= LIMIT_AMOUNT);
    const struct loyalty_account *account = &found->account;
    if (points > account->balance) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "the account has %" PRId64 " points, %" PRId64 " asked",
                           account->balance, points);
    }
    *posting = (struct loyalty_posting){
        .kind = LOYALTY_SPENT,
        .programme = found->programme,
        .customer = found->key.customer,
        .subject = account->subject,
        .points = -points,
        .balance_after = account->balance - points,
        .number = account->postings + 1,
        .counter = LOYALTY_OWN_SPENT,
        .occurred_at_ms = now_ms,
    };
    return STATUS_OK;
}

enum status loyalty_core_grant(const struct view *view, struct loyalty_found *found,
                               const struct loyalty_grant *grant, struct loyalty_posting *posting,
                               struct refusal *refusal)
{
    assert(grant->points >= 1 && grant->points <= LIMIT_AMOUNT);
    const struct loyalty_account *account = &found->account;
    if (grant->points > LIMIT_AMOUNT - account->balance) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "the account has %" PRId64 " points and holds at most %" PRId64
                           ", %" PRId64 " are granted",
                           account->balance, LIMIT_AMOUNT, grant->points);
    }
    struct loyalty_own issued = { 0 };
    int64_t room = issued_room(view, found->key.programme, &issued);
    if (grant->points > room) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "the programme may give out %" PRId64 " more points, %" PRId64
                           " are granted",
                           room, grant->points);
    }
    found->issued = issued;
    found->has_issued = true;
    *posting = (struct loyalty_posting){
        .kind = LOYALTY_GRANTED,
        .programme = found->programme,
        .customer = found->key.customer,
        .subject = account->subject.size > 0 ? account->subject : grant->subject,
        .points = grant->points,
        .balance_after = account->balance + grant->points,
        .number = account->postings + 1,
        .counter = LOYALTY_OWN_ISSUED,
        .occurred_at_ms = grant->now_ms,
    };
    return STATUS_OK;
}

/* Whether this entry may be taken back from an account that has `balance` points. */
static enum status reversal_check(const struct loyalty_entry *entry, int64_t balance,
                                  struct refusal *refusal)
{
    if (entry->kind == LOYALTY_REVERSED) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "posting %" PRIu64 " is itself a reversal, of posting %" PRIu64
                           ", and stays",
                           entry->posting, entry->reverses);
    }
    if (entry->reversed_by != 0) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "posting %" PRIu64 " was reversed before, by posting %" PRIu64,
                           entry->posting, entry->reversed_by);
    }
    if (entry->points > balance) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "reversing takes %" PRId64 " points back, the account has %" PRId64,
                           entry->points, balance);
    }
    if (balance - entry->points > LIMIT_AMOUNT) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "reversing gives %" PRId64 " points back, the account has %" PRId64
                           " and holds at most %" PRId64,
                           -entry->points, balance, LIMIT_AMOUNT);
    }
    return STATUS_OK;
}

enum status loyalty_core_reverse(const struct view *view, uint64_t seq, int64_t now_ms,
                                 struct loyalty_posting *posting, struct refusal *refusal)
{
    struct loyalty_entry_key key = { 0 };
    if (!loyalty_posting_load(view, seq, &key)) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no posting %" PRIu64, seq);
    }
    struct loyalty_entry entry = { 0 };
    struct loyalty_account account = { 0 };
    bool found = loyalty_entry_load(view, key, &entry);
    found = loyalty_account_load(view, key.account, &account) && found;
    assert(found && entry.posting == seq);
    enum status status = reversal_check(&entry, account.balance, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    *posting = (struct loyalty_posting){
        .kind = LOYALTY_REVERSED,
        .programme = loyalty_programme_name_load(view, key.account.programme),
        .customer = key.account.customer,
        .subject = account.subject,
        .points = -entry.points,
        .balance_after = account.balance - entry.points,
        .number = account.postings + 1,
        .counter = entry.counter,
        .occurred_at_ms = now_ms,
        .reverses = seq,
    };
    return STATUS_OK;
}

/* The account that the posting goes to, as it stands before. */
static void account_take(const struct view *view, const struct loyalty_posted *posted,
                         struct loyalty_account_key *key, struct loyalty_account *account)
{
    const struct loyalty_posting *posting = posted->posting;
    const struct loyalty_found *found = posted->found;
    if (found != NULL) {
        assert(customer_id_equal(found->key.customer, posting->customer));
        assert(span_equal(loyalty_name_span(&found->programme),
                          loyalty_name_span(&posting->programme)));
        *key = found->key;
        *account = found->account;
        return;
    }
    key->customer = posting->customer;
    bool known =
        loyalty_programme_load(view, loyalty_name_span(&posting->programme), &key->programme);
    assert(known);
    (void)loyalty_account_load(view, *key, account);
}

static void account_evolve(const struct change *change, struct loyalty_account_key key,
                           struct loyalty_account *account, const struct loyalty_posting *posting)
{
    account->balance += posting->points;
    account->postings += 1;
    if (posting->counter == LOYALTY_OWN_ISSUED) {
        account->earned += posting->points;
    } else {
        account->spent -= posting->points;
    }
    if (posting->subject.size > 0) {
        account->subject = posting->subject;
    }
    assert(account->balance >= 0 && account->balance <= LIMIT_AMOUNT);
    assert(account->earned >= 0 && account->spent >= 0);
    assert(account->balance == account->earned - account->spent);
    assert(account->balance == posting->balance_after);
    assert(account->postings == posting->number);
    loyalty_account_put(change, key, account);
}

/* The other half: as many points the other way, so that the sum stays zero. */
static void own_evolve(const struct change *change, struct loyalty_own_key key,
                       const struct loyalty_posted *posted)
{
    const struct loyalty_found *found = posted->found;
    struct loyalty_own own = { 0 };
    if (found != NULL && found->has_issued && key.kind == LOYALTY_OWN_ISSUED) {
        own = found->issued;
    } else {
        (void)loyalty_own_load(&change->view, key, &own);
    }
    own.balance -= posted->posting->points;
    own.postings += 1;
    if (key.kind == LOYALTY_OWN_ISSUED) {
        assert(own.balance <= 0 && own.balance >= -LOYALTY_ISSUED_MAX);
    } else {
        assert(own.balance >= 0 && own.balance <= LOYALTY_ISSUED_MAX);
    }
    loyalty_own_put(change, key, &own);
}

/* Says of the posting that `seq` takes back that it is. */
static void reversed_evolve(const struct change *change, const struct loyalty_posting *posting,
                            uint64_t seq)
{
    struct loyalty_entry_key key = { 0 };
    struct loyalty_entry entry = { 0 };
    bool found = loyalty_posting_load(&change->view, posting->reverses, &key) &&
                 loyalty_entry_load(&change->view, key, &entry);
    assert(found && entry.kind != LOYALTY_REVERSED && entry.reversed_by == 0);
    assert(entry.points == -posting->points && entry.counter == posting->counter);
    assert(customer_id_equal(key.account.customer, posting->customer));
    loyalty_reversal_put(change, posting->reverses, seq);
}

void loyalty_core_posting_evolve(const struct change *change, const struct loyalty_posted *posted)
{
    const struct loyalty_posting *posting = posted->posting;
    uint64_t seq = posted->seq;
    assert(posting->points != 0 && seq > posting->reverses);
    assert((posting->kind == LOYALTY_REVERSED) == (posting->reverses != 0));
    struct loyalty_account_key key = { 0 };
    struct loyalty_account account = { 0 };
    account_take(&change->view, posted, &key, &account);
    account_evolve(change, key, &account, posting);
    struct loyalty_own_key own = { .programme = key.programme, .kind = posting->counter };
    own_evolve(change, own, posted);
    if (posting->kind == LOYALTY_REVERSED) {
        reversed_evolve(change, posting, seq);
    }
    struct loyalty_entry_key entry_key = { .account = key, .number = posting->number };
    struct loyalty_entry entry = {
        .posting = seq,
        .kind = posting->kind,
        .counter = posting->counter,
        .points = posting->points,
        .balance_after = posting->balance_after,
        .occurred_at_ms = posting->occurred_at_ms,
        .recorded_at_ms = posted->recorded_at_ms,
        .reverses = posting->reverses,
    };
    loyalty_entry_put(change, entry_key, &entry);
    loyalty_posting_put(change, seq, entry_key);
}

void loyalty_core_rules_evolve(const struct change *change,
                               const struct loyalty_rules_change *rules_change)
{
    struct loyalty_head head = { 0 };
    (void)loyalty_head_load(&change->view, &head);
    assert(rules_change->version == head.rules_version + 1);
    head.rules_version = rules_change->version;
    head.rules_bytes = (uint32_t)rules_change->compiled.size;
    head.rules_hash = rules_change->hash;
    loyalty_rules_put(change, rules_change->version, rules_change->compiled);
    for (size_t i = 0; i < rules_change->rules->programme_count; i++) {
        const struct loyalty_name *name = &rules_change->rules->programmes[i].name;
        uint32_t number = 0;
        if (!loyalty_programme_load(&change->view, loyalty_name_span(name), &number)) {
            head.programme_count += 1;
            loyalty_programme_put(change, name, head.programme_count);
        }
    }
    loyalty_head_put(change, &head);
}

void loyalty_core_rules_number(const struct view *view, struct loyalty_rules *rules)
{
    for (size_t i = 0; i < rules->programme_count; i++) {
        struct loyalty_programme *programme = &rules->programmes[i];
        bool known =
            loyalty_programme_load(view, loyalty_name_span(&programme->name), &programme->number);
        assert(known && programme->number > 0);
    }
}
