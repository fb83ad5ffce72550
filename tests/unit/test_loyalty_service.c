/* link: loyalty_service loyalty_core common_event common_store common_wire */
/*
 * Loyalty's handlers over a turn in memory. The functions of a turn are defined here, so the
 * linker takes none of the shell: what is tested is the service alone. After each test the
 * facts are replayed into an empty state by a service without configuration, and the state
 * must come out the same.
 */
#include "common/event/event_codec.h"
#include "common/wire/pb.h"
#include "common/wire/rules_fact.h"
#include "kith/v1/loyalty.pb-c.h"
#include "services/loyalty/loyalty_codec.h"
#include "services/loyalty/loyalty_service.h"
#include "tests/support/memory_view.h"

#include <assert.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(899164800000)
#define FACTS_MAX (LIMIT_BATCH_ITEMS + 64)

/* ---- a turn in memory */

struct kept {
    struct fact fact;
    struct buffer body;
    struct buffer subject;
};

struct turn {
    void *service;
    struct memory_view *memory;
    struct view view;
    struct kept kept[FACTS_MAX];
    size_t kept_count;
    struct buffer records[FACTS_MAX]; /* private ones, which no fact depends on */
    size_t record_count;
    size_t together_bytes_most; /* what a block holds */
};

const struct view *turn_view(struct turn *turn)
{
    return &turn->view;
}

int64_t turn_now(const struct turn *turn)
{
    (void)turn;
    return NOW_MS;
}

uint64_t turn_next_seq(const struct turn *turn)
{
    return turn->kept_count + 1;
}

bool turn_together(struct turn *turn, size_t count, size_t bytes)
{
    (void)count;
    return bytes <= turn->together_bytes_most;
}

size_t turn_positions(const struct turn *turn, struct turn_position *positions, size_t max)
{
    assert(max >= 1);
    positions[0] = (struct turn_position){ { "loyalty", 0 }, turn->kept_count };
    return 1;
}

static struct span copy_into(struct buffer *buffer, struct span bytes)
{
    buffer_init(buffer, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(buffer_append(buffer, bytes), STATUS_OK);
    return buffer_span(buffer);
}

uint64_t turn_emit(struct turn *turn, struct fact *fact)
{
    ck_assert_uint_lt(turn->kept_count, FACTS_MAX);
    struct kept *kept = &turn->kept[turn->kept_count++];
    fact->seq = turn->kept_count;
    fact->recorded_at_ms = NOW_MS;
    kept->fact = *fact;
    kept->fact.body = copy_into(&kept->body, fact->body);
    kept->fact.subject.bytes = copy_into(&kept->subject, fact->subject.bytes);
    struct change change = memory_view_writer(turn->memory);
    struct record record = { .fact = *fact };
    loyalty_definition.evolve(turn->service, &change, &record);
    return fact->seq;
}

void turn_record(struct turn *turn, struct span bytes)
{
    ck_assert_uint_lt(turn->record_count, FACTS_MAX);
    struct change change = memory_view_writer(turn->memory);
    struct record record = { .is_private = true,
                             .private_record =
                                 copy_into(&turn->records[turn->record_count++], bytes) };
    loyalty_definition.evolve(turn->service, &change, &record);
}

/* ---- the fixture */

static const uint8_t suite_key[32] = { 1, 2, 3 };

static struct turn turn;
static struct arena arena;
static struct buffer body;
static struct buffer answer;
static struct refusal refusal;

static const char one_for_hundred[] = "programmes:\n"
                                      "  - name: bonus\n"
                                      "    earn:\n"
                                      "      - { event: purchase, unit_minor: 100 }\n"
                                      "  - name: travel\n"
                                      "    earn:\n"
                                      "      - { event: purchase, points: 3, unit_minor: 200 }\n";
static const char two_for_hundred[] = "programmes:\n"
                                      "  - name: bonus\n"
                                      "    earn:\n"
                                      "      - { event: purchase, points: 2, unit_minor: 100 }\n";

static enum status service_open(const char *text, void **service)
{
    struct yaml_tree *tree = NULL;
    ck_assert_int_eq(yaml_tree_parse(&tree, "suite.yaml", text, strlen(text), &refusal), STATUS_OK);
    struct suite_config config = { .programmes = config_child(yaml_tree_root(tree), "programmes") };
    struct suite_service own = { .own = config_child(yaml_tree_root(tree), "loyalty") };
    struct service_environment environment = {
        .config = &config,
        .own = &own,
        .suite_key = span_of(suite_key, sizeof suite_key),
    };
    enum status status = loyalty_definition.open(service, &environment, &refusal);
    yaml_tree_close(&tree);
    return status;
}

/* A process that starts over the state there is. */
static void restart(const char *text)
{
    loyalty_definition.close(&turn.service);
    ck_assert_int_eq(service_open(text, &turn.service), STATUS_OK);
    loyalty_definition.start(turn.service, &turn);
}

static void setup(void)
{
    memset(&turn, 0, sizeof turn);
    turn.together_bytes_most = LIMIT_BLOCK_BYTES;
    memory_view_open(&turn.memory);
    turn.view = memory_view_reader(turn.memory);
    arena_init(&arena, 1024 * 1024);
    buffer_init(&body, LIMIT_BODY_BYTES);
    buffer_init(&answer, LIMIT_BODY_BYTES);
    restart(one_for_hundred);
}

static void replay_compare(void)
{
    struct memory_view *replayed = NULL;
    memory_view_open(&replayed);
    struct change change = memory_view_writer(replayed);
    void *service = NULL;
    ck_assert_int_eq(service_open("version: 1\n", &service), STATUS_OK);
    for (size_t i = 0; i < turn.record_count; i++) {
        struct record record = { .is_private = true,
                                 .private_record = buffer_span(&turn.records[i]) };
        loyalty_definition.evolve(service, &change, &record);
    }
    for (size_t i = 0; i < turn.kept_count; i++) {
        struct record record = { .fact = turn.kept[i].fact };
        loyalty_definition.evolve(service, &change, &record);
    }
    ck_assert(memory_view_equal(turn.memory, replayed));
    loyalty_definition.close(&service);
    memory_view_close(&replayed);
}

static void teardown(void)
{
    replay_compare();
    for (size_t i = 0; i < turn.kept_count; i++) {
        buffer_release(&turn.kept[i].body);
        buffer_release(&turn.kept[i].subject);
    }
    for (size_t i = 0; i < turn.record_count; i++) {
        buffer_release(&turn.records[i]);
    }
    loyalty_definition.close(&turn.service);
    memory_view_close(&turn.memory);
    arena_release(&arena);
    buffer_release(&body);
    buffer_release(&answer);
}

/* A purchase as ingestion's feed says it. */
static void event_fold(const char *customer, int64_t amount_minor, bool new_customer)
{
    struct event event = {
        .source = span_of_text("pos"),
        .id = span_of_text("receipt 7"),
        .type = span_of_text("purchase"),
        .customer = span_of_text(customer),
        .occurred_at_ms = NOW_MS - 1000,
        .has_amount = true,
        .amount = { amount_minor, "EUR" },
    };
    struct hash128 hash = { { 0 } };
    buffer_clear(&body);
    ck_assert_int_eq(accepted_event_encode(&event, new_customer, hash, &body), STATUS_OK);
    struct feed_name feed = { "ingestion", 0 };
    struct fact fact = {
        .seq = 1,
        .type = FACT_EVENT_ACCEPTED,
        .version = 1,
        .has_customer = true,
        .customer =
            customer_id_of(span_of(suite_key, sizeof suite_key), "customer", event.customer),
        .subject = { .bytes = event.customer },
        .body = buffer_span(&body),
    };
    loyalty_definition.fold(turn.service, &turn, &feed, &fact);
}

static void purchase_fold(const char *customer, int64_t amount_minor)
{
    event_fold(customer, amount_minor, false);
}

static enum status call(const char *method, const ProtobufCMessage *message)
{
    buffer_clear(&body);
    buffer_clear(&answer);
    arena_reset(&arena);
    refusal_init(&refusal);
    ck_assert_int_eq(pb_pack(message, &body), STATUS_OK);
    struct reply reply = { .body = &answer, .refusal = &refusal };
    size_t facts = turn.kept_count;
    for (size_t i = 0; i < loyalty_definition.method_count; i++) {
        if (strcmp(loyalty_definition.methods[i].name, method) == 0) {
            enum status status = loyalty_definition.methods[i].handle(turn.service, &turn,
                                                                      buffer_span(&body), &reply);
            ck_assert_msg(status == STATUS_OK || turn.kept_count == facts,
                          "who refuses emits nothing");
            return status;
        }
    }
    ck_abort_msg("no method %s", method);
    return STATUS_UNIMPLEMENTED;
}

static enum status spend(const char *customer, int64_t points, const Kith__V1__PostReply **reply)
{
    struct loyalty_name name = loyalty_name_of(span_of_text(customer));
    Kith__V1__SpendRequest request = KITH__V1__SPEND_REQUEST__INIT;
    request.customer = name.text;
    request.has_points = true;
    request.points = points;
    enum status status = call("loyalty.Spend", &request.base);
    *reply = pb_unpack(&kith__v1__post_reply__descriptor, &arena, buffer_span(&answer));
    return status;
}

static enum status reverse(uint64_t posting, const Kith__V1__PostReply **reply)
{
    Kith__V1__ReverseRequest request = KITH__V1__REVERSE_REQUEST__INIT;
    request.has_posting = true;
    request.posting = posting;
    enum status status = call("loyalty.Reverse", &request.base);
    *reply = pb_unpack(&kith__v1__post_reply__descriptor, &arena, buffer_span(&answer));
    return status;
}

/* What a customer has; -1: no account. */
static int64_t balance(const char *customer, const char *programme)
{
    struct loyalty_name name = loyalty_name_of(span_of_text(customer));
    struct loyalty_name programme_name = loyalty_name_of(span_of_text(programme));
    Kith__V1__BalanceRequest request = KITH__V1__BALANCE_REQUEST__INIT;
    request.customer = name.text;
    request.programme = programme_name.text;
    enum status status = call("loyalty.Balance", &request.base);
    if (status == STATUS_NOT_FOUND) {
        return -1;
    }
    ck_assert_int_eq(status, STATUS_OK);
    const Kith__V1__BalanceReply *reply =
        pb_unpack(&kith__v1__balance_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_positions, 1);
    ck_assert_uint_eq(reply->positions[0]->seq, turn.kept_count);
    return reply->available;
}

/* ---- many at once */

static void posting_put(Kith__V1__Posting *posting, Kith__V1__PostingKind kind, char *customer,
                        int64_t points)
{
    kith__v1__posting__init(posting);
    posting->has_kind = true;
    posting->kind = kind;
    posting->customer = customer;
    posting->has_points = true;
    posting->points = points;
}

static enum status post(Kith__V1__Posting *postings, size_t count, bool all_or_nothing,
                        const Kith__V1__PostBatchReply **reply)
{
    static Kith__V1__Posting *places[LIMIT_BATCH_ITEMS + 1];
    for (size_t i = 0; i < count; i++) {
        places[i] = &postings[i];
    }
    Kith__V1__PostRequest request = KITH__V1__POST_REQUEST__INIT;
    request.n_postings = count;
    request.postings = places;
    request.has_all_or_nothing = true;
    request.all_or_nothing = all_or_nothing;
    enum status status = call("loyalty.Post", &request.base);
    *reply = pb_unpack(&kith__v1__post_batch_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(*reply);
    return status;
}

#define SPEND KITH__V1__POSTING_KIND__POSTING_SPEND
#define GRANT KITH__V1__POSTING_KIND__POSTING_GRANT

static void run_is(const Kith__V1__PostRun *run, uint32_t count, uint32_t code, uint64_t first)
{
    ck_assert_uint_eq(run->count, count);
    ck_assert_uint_eq(run->code, code);
    ck_assert_uint_eq(run->first_posting, first);
    ck_assert((code == 0) == (run->message == NULL));
}

/* ---- tests */

START_TEST(an_event_earns_in_each_programme_and_its_facts_say_all)
{
    purchase_fold("ann", 1250);
    ck_assert_uint_eq(turn.kept_count, 3);
    const struct fact *fact = &turn.kept[1].fact;
    ck_assert_uint_eq(fact->type, FACT_POINTS_EARNED);
    ck_assert_uint_eq(fact->version, 1);
    ck_assert(span_equal(fact->subject.bytes, span_of_text("ann")));
    struct loyalty_posting posting = { .points = 0 };
    ck_assert_int_eq(loyalty_posting_decode(fact, &posting), STATUS_OK);
    ck_assert_int_eq(posting.points, 12);
    ck_assert_int_eq(posting.balance_after, 12);
    ck_assert_int_eq(posting.occurred_at_ms, NOW_MS - 1000);
    ck_assert(span_equal(posting.source, span_of_text("pos")));
    ck_assert(span_equal(posting.event_id, span_of_text("receipt 7")));
    ck_assert_int_eq(balance("ann", "bonus"), 12);
    ck_assert_int_eq(balance("ann", "travel"), 18);
    ck_assert_int_eq(balance("bob", "bonus"), -1);
    purchase_fold("ann", 50);
    ck_assert_msg(turn.kept_count == 3, "no point, no fact");
}
END_TEST

START_TEST(points_are_spent_given_back_and_taken_back)
{
    const Kith__V1__PostReply *reply = NULL;
    purchase_fold("ann", 1000);
    ck_assert_int_eq(spend("ann", 11, &reply), STATUS_REFUSED);
    ck_assert_str_eq(refusal.message, "the account has 10 points, 11 asked");
    ck_assert_int_eq(spend("bob", 1, &reply), STATUS_NOT_FOUND);
    ck_assert_int_eq(spend("ann", 0, &reply), STATUS_MALFORMED);
    ck_assert_int_eq(spend("ann", 4, &reply), STATUS_OK);
    ck_assert_str_eq(reply->customer, "ann");
    ck_assert_str_eq(reply->programme, "bonus");
    ck_assert_int_eq(reply->points, -4);
    ck_assert_int_eq(reply->balance, 6);
    uint64_t spending = reply->posting;
    ck_assert_uint_eq(spending, turn.kept_count);
    ck_assert_uint_eq(turn.kept[turn.kept_count - 1].fact.type, FACT_POINTS_SPENT);
    ck_assert_int_eq(reverse(2, &reply), STATUS_REFUSED);
    ck_assert_str_eq(refusal.message, "reversing takes 10 points back, the account has 6");
    ck_assert_int_eq(reverse(spending, &reply), STATUS_OK);
    ck_assert_int_eq(reply->points, 4);
    ck_assert_int_eq(reply->balance, 10);
    ck_assert_str_eq(reply->customer, "ann");
    ck_assert_uint_eq(turn.kept[turn.kept_count - 1].fact.type, FACT_POINTS_REVERSED);
    ck_assert_int_eq(reverse(spending, &reply), STATUS_REFUSED);
    ck_assert_int_eq(reverse(2, &reply), STATUS_OK);
    ck_assert_int_eq(reply->balance, 0);
    ck_assert_msg(reverse(1, &reply) == STATUS_NOT_FOUND, "a fact that is no posting");
}
END_TEST

START_TEST(a_restart_with_the_same_file_says_nothing)
{
    ck_assert_uint_eq(turn.kept_count, 1);
    ck_assert_uint_eq(turn.kept[0].fact.type, FACT_RULES_CHANGED);
    restart(one_for_hundred);
    ck_assert_uint_eq(turn.kept_count, 1);
    purchase_fold("ann", 1000);
    ck_assert_msg(balance("ann", "bonus") == 10, "the rules come from state");
}
END_TEST

START_TEST(a_restart_with_another_file_changes_only_what_comes_after)
{
    const Kith__V1__PostReply *reply = NULL;
    purchase_fold("ann", 1000);
    restart(two_for_hundred);
    const struct kept *newest = &turn.kept[turn.kept_count - 1];
    ck_assert_uint_eq(newest->fact.type, FACT_RULES_CHANGED);
    struct rules_fact changed = { .version = 0 };
    ck_assert_int_eq(rules_fact_decode(newest->fact.body, LOYALTY_RULES_NAME, &arena, &changed),
                     STATUS_OK);
    ck_assert_uint_eq(changed.version, 2);
    ck_assert(span_has_prefix(changed.text, span_of_text("- name: bonus\n")));
    ck_assert_int_eq(balance("ann", "bonus"), 10);
    purchase_fold("ann", 1000);
    ck_assert_int_eq(balance("ann", "bonus"), 30);
    ck_assert_msg(balance("ann", "travel") == 15, "earned before travel left the rules");
    ck_assert_msg(reverse(3, &reply) == STATUS_OK, "and can be taken back after");
    ck_assert_int_eq(balance("ann", "travel"), 0);
    restart(one_for_hundred);
    newest = &turn.kept[turn.kept_count - 1];
    ck_assert_int_eq(rules_fact_decode(newest->fact.body, LOYALTY_RULES_NAME, &arena, &changed),
                     STATUS_OK);
    ck_assert_msg(changed.version == 3, "rules of old are rules anew");
    purchase_fold("ann", 200);
    ck_assert_int_eq(balance("ann", "travel"), 3);
}
END_TEST

START_TEST(a_restart_without_programmes_ends_earning_and_nothing_else)
{
    const Kith__V1__PostReply *reply = NULL;
    purchase_fold("ann", 1000);
    restart("version: 1\n");
    size_t facts = turn.kept_count;
    purchase_fold("ann", 1000);
    ck_assert_uint_eq(turn.kept_count, facts);
    ck_assert_int_eq(balance("ann", "bonus"), 10);
    ck_assert_int_eq(spend("ann", 1, &reply), STATUS_REFUSED);
    restart("version: 1\n");
    ck_assert_msg(turn.kept_count == facts, "none again is no change");
}
END_TEST

START_TEST(a_customer_who_never_earned_is_known_with_no_points)
{
    event_fold("zoe", 0, true);
    ck_assert_uint_eq(turn.record_count, 1);
    ck_assert_int_eq(balance("zoe", "bonus"), 0);
    ck_assert_int_eq(balance("zoe", "travel"), 0);
    const Kith__V1__PostReply *reply = NULL;
    ck_assert_int_eq(spend("zoe", 1, &reply), STATUS_REFUSED);
    ck_assert_str_eq(refusal.message, "the account has 0 points, 1 asked");
}
END_TEST

START_TEST(postings_of_a_batch_see_those_before_and_are_refused_one_by_one)
{
    char ann[] = "ann";
    char bob[] = "bob";
    char zoe[] = "zoe";
    char travel[] = "travel";
    char ticket[] = "ticket 9";
    Kith__V1__Posting postings[7];
    purchase_fold("ann", 1000);
    event_fold("zoe", 0, true);
    uint64_t before = turn.kept_count;
    posting_put(&postings[0], GRANT, zoe, 5);
    posting_put(&postings[1], SPEND, zoe, 4);
    posting_put(&postings[2], SPEND, ann, 11);
    posting_put(&postings[3], SPEND, bob, 1);
    posting_put(&postings[4], GRANT, bob, 1);
    posting_put(&postings[5], SPEND, ann, 10);
    posting_put(&postings[6], GRANT, ann, 3);
    postings[6].programme = travel;
    postings[6].reference = ticket;
    const Kith__V1__PostBatchReply *reply = NULL;
    ck_assert_int_eq(post(postings, 7, false, &reply), STATUS_OK);
    ck_assert_uint_eq(reply->n_results, 4);
    run_is(reply->results[0], 2, 0, before + 1);
    run_is(reply->results[1], 1, STATUS_REFUSED, 0);
    ck_assert_str_eq(reply->results[1]->message, "the account has 10 points, 11 asked");
    run_is(reply->results[2], 2, STATUS_NOT_FOUND, 0);
    ck_assert_str_eq(reply->results[2]->message, "there is no such customer");
    run_is(reply->results[3], 2, 0, before + 3);
    const struct fact *granted = &turn.kept[before].fact;
    ck_assert_uint_eq(granted->type, FACT_POINTS_GRANTED);
    ck_assert_msg(span_equal(granted->subject.bytes, span_of_text("zoe")),
                  "who never earned is named by who grants");
    struct loyalty_posting posting = { .points = 0 };
    ck_assert_int_eq(loyalty_posting_decode(&turn.kept[before + 3].fact, &posting), STATUS_OK);
    ck_assert(span_equal(posting.reference, span_of_text("ticket 9")));
    ck_assert_str_eq(posting.programme.text, "travel");
    ck_assert_int_eq(balance("zoe", "bonus"), 1);
    ck_assert_int_eq(balance("ann", "bonus"), 0);
    ck_assert_int_eq(balance("ann", "travel"), 18);
    const Kith__V1__PostReply *reversed = NULL;
    ck_assert_msg(reverse(before + 4, &reversed) == STATUS_OK, "a grant can be taken back");
    ck_assert_int_eq(balance("ann", "travel"), 15);
}
END_TEST

START_TEST(all_or_nothing_posts_nothing_when_one_is_refused)
{
    char ann[] = "ann";
    Kith__V1__Posting postings[3];
    purchase_fold("ann", 1000);
    posting_put(&postings[0], GRANT, ann, 5);
    posting_put(&postings[1], SPEND, ann, 15);
    posting_put(&postings[2], SPEND, ann, 1);
    uint64_t before = turn.kept_count;
    uint64_t writes = memory_view_writes(turn.memory);
    const Kith__V1__PostBatchReply *reply = NULL;
    ck_assert_int_eq(post(postings, 3, true, &reply), STATUS_REFUSED);
    ck_assert_str_eq(refusal.message,
                     "postings[2]: the account has 0 points, 1 asked; nothing was posted");
    ck_assert_uint_eq(memory_view_writes(turn.memory), writes);
    ck_assert_int_eq(post(postings, 2, true, &reply), STATUS_OK);
    ck_assert_uint_eq(reply->n_results, 1);
    run_is(reply->results[0], 2, 0, before + 1);
    ck_assert_int_eq(balance("ann", "bonus"), 0);
}
END_TEST

START_TEST(all_or_nothing_is_refused_when_no_block_holds_it)
{
    char ann[] = "ann";
    Kith__V1__Posting postings[2];
    purchase_fold("ann", 1000);
    posting_put(&postings[0], GRANT, ann, 5);
    posting_put(&postings[1], GRANT, ann, 5);
    turn.together_bytes_most = 40;
    const Kith__V1__PostBatchReply *reply = NULL;
    ck_assert_int_eq(post(postings, 2, true, &reply), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "all_or_nothing");
    ck_assert_int_eq(balance("ann", "bonus"), 10);
    ck_assert_int_eq(post(postings, 2, false, &reply), STATUS_OK);
    ck_assert_int_eq(balance("ann", "bonus"), 20);
}
END_TEST

START_TEST(a_batch_has_a_bound_and_up_to_there_all_are_posted)
{
    char ann[] = "ann";
    Kith__V1__Posting *postings = memory_allocate((LIMIT_BATCH_ITEMS + 1) * sizeof *postings);
    for (size_t i = 0; i <= LIMIT_BATCH_ITEMS; i++) {
        posting_put(&postings[i], i % 2 == 0 ? GRANT : SPEND, ann, 7);
    }
    purchase_fold("ann", 1000);
    uint64_t before = turn.kept_count;
    const Kith__V1__PostBatchReply *reply = NULL;
    ck_assert_int_eq(post(postings, LIMIT_BATCH_ITEMS + 1, false, &reply), STATUS_MALFORMED);
    ck_assert_int_eq(post(postings, 0, false, &reply), STATUS_MALFORMED);
    ck_assert_int_eq(post(postings, LIMIT_BATCH_ITEMS, true, &reply), STATUS_OK);
    ck_assert_uint_eq(reply->n_results, 1);
    run_is(reply->results[0], LIMIT_BATCH_ITEMS, 0, before + 1);
    ck_assert_uint_le(answer.size, 20);
    ck_assert_int_eq(balance("ann", "bonus"), 10);
    free(postings);
}
END_TEST

START_TEST(a_faulty_file_or_an_unknown_key_opens_nothing)
{
    void *service = NULL;
    ck_assert_int_eq(service_open("programmes: 3\n", &service), STATUS_MALFORMED);
    ck_assert_ptr_null(service);
    ck_assert_int_eq(service_open("loyalty: { tiers: 3 }\n", &service), STATUS_MALFORMED);
    ck_assert_ptr_null(service);
    loyalty_definition.close(&service);
}
END_TEST

START_TEST(all_accounts_can_be_listed_as_of_the_journals_end)
{
    purchase_fold("ann", 1000);
    Kith__V1__AccountsRequest request = KITH__V1__ACCOUNTS_REQUEST__INIT;
    ck_assert_int_eq(call("loyalty.Accounts", &request.base), STATUS_OK);
    const Kith__V1__AccountsReply *reply =
        pb_unpack(&kith__v1__accounts_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_accounts, 4);
    ck_assert_uint_eq(reply->seq, 3);
    char name[] = "ann";
    Kith__V1__StatementRequest statement = KITH__V1__STATEMENT_REQUEST__INIT;
    statement.customer = name;
    ck_assert_int_eq(call("loyalty.Statement", &statement.base), STATUS_OK);
    const Kith__V1__StatementReply *lines =
        pb_unpack(&kith__v1__statement_reply__descriptor, &arena, buffer_span(&answer));
    ck_assert_ptr_nonnull(lines);
    ck_assert_uint_eq(lines->n_lines, 1);
    name[0] = 'b';
    ck_assert_int_eq(call("loyalty.Statement", &statement.base), STATUS_NOT_FOUND);
}
END_TEST

static Suite *loyalty_service_suite(void)
{
    TCase *tests = tcase_create("loyalty_service");
    tcase_set_timeout(tests, 60); /* the largest batch, with sanitizers */
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_customer_who_never_earned_is_known_with_no_points);
    tcase_add_test(tests, an_event_earns_in_each_programme_and_its_facts_say_all);
    tcase_add_test(tests, points_are_spent_given_back_and_taken_back);
    tcase_add_test(tests, a_restart_with_the_same_file_says_nothing);
    tcase_add_test(tests, a_restart_with_another_file_changes_only_what_comes_after);
    tcase_add_test(tests, a_restart_without_programmes_ends_earning_and_nothing_else);
    tcase_add_test(tests, a_faulty_file_or_an_unknown_key_opens_nothing);
    tcase_add_test(tests, all_accounts_can_be_listed_as_of_the_journals_end);
    tcase_add_test(tests, postings_of_a_batch_see_those_before_and_are_refused_one_by_one);
    tcase_add_test(tests, all_or_nothing_posts_nothing_when_one_is_refused);
    tcase_add_test(tests, all_or_nothing_is_refused_when_no_block_holds_it);
    tcase_add_test(tests, a_batch_has_a_bound_and_up_to_there_all_are_posted);
    Suite *suite = suite_create("loyalty_service");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(loyalty_service_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
