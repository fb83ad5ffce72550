/* link: kith_client libzmq */
#include "common/base/limits.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/event.pb-c.h"
#include "kith/v1/feed.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"
#include "tests/unit/libkith_fixture.h"

/* The client has the protocol's bounds written down by itself; they must be the services'.
 * NOLINTBEGIN(misc-redundant-expression): that both sides are equal is what is asserted. */
_Static_assert(KITH_ID_BYTES == LIMIT_ID_BYTES, "ids");
_Static_assert(KITH_BODY_BYTES == LIMIT_BODY_BYTES, "bodies");
_Static_assert(KITH_BATCH_EVENTS == LIMIT_BATCH_ITEMS, "batches");
_Static_assert(KITH_EVENT_BYTES == LIMIT_EVENT_BYTES, "events");
_Static_assert(KITH_EVENT_ATTRIBUTES == LIMIT_ATTRIBUTES, "attributes");
_Static_assert(KITH_TEXT_BYTES == LIMIT_TEXT_BYTES, "texts");
_Static_assert(KITH_WAIT_POSITIONS == LIMIT_FEEDS, "positions");
/* NOLINTEND(misc-redundant-expression) */

#define SHORT_MS 300
#define RUNS_MAX 8

static struct kith_connection *connect_to(const struct server *server)
{
    struct kith_connection *connection = NULL;
    ck_assert_int_eq(kith_open(&connection, server->endpoint, NULL), KITH_OK);
    return connection;
}

static struct kith_event purchase(const char *id)
{
    return (struct kith_event){
        .source = "shop",
        .id = id,
        .type = "purchase",
        .customer = "c1",
        .occurred_at_ms = 1000,
        .amount = { 250, "EUR" },
    };
}

/* ---- an ingestion that answers with the runs that a test wants */

struct answer {
    size_t run_count;
    Kith__V1__IngestRun runs[RUNS_MAX];
    enum kith_status first; /* what the first request is answered with; KITH_OK: the runs too */
    char key[2][KITH_ID_BYTES + 1]; /* of the first two requests */
    size_t item_count;              /* of the newest request */
    uint8_t event[KITH_EVENT_BYTES];
    size_t event_bytes; /* its first event */
};

static void run_set(struct answer *answer, uint32_t count, int outcome, uint64_t first_seq)
{
    Kith__V1__IngestRun *run = &answer->runs[answer->run_count++];
    kith__v1__ingest_run__init(run);
    run->has_count = true;
    run->count = count;
    run->has_outcome = true;
    run->outcome = (Kith__V1__IngestOutcome)outcome;
    run->has_first_seq = first_seq != 0;
    run->first_seq = first_seq;
}

static void request_note(struct answer *answer, unsigned number, const struct request *request)
{
    ck_assert_str_eq(request->header->method, "ingestion.Ingest");
    ck_assert_ptr_nonnull(request->header->key);
    if (number < 2) {
        (void)snprintf(answer->key[number], sizeof answer->key[number], "%s", request->header->key);
    }
    Kith__V1__IngestRequest *asked =
        kith__v1__ingest_request__unpack(NULL, request->body_bytes, request->body);
    ck_assert_ptr_nonnull(asked);
    ck_assert_uint_gt(asked->n_items, 0);
    ck_assert_int_eq(asked->items[0]->item_case, KITH__V1__INGEST_ITEM__ITEM_EVENT);
    answer->item_count = asked->n_items;
    answer->event_bytes = asked->items[0]->event.len;
    memcpy(answer->event, asked->items[0]->event.data, answer->event_bytes);
    kith__v1__ingest_request__free_unpacked(asked, NULL);
}

static void ingestion(struct server *server)
{
    struct answer *answer = server->argument;
    struct request request;
    for (unsigned i = 0; server_take(server, &request); i++) {
        Kith__V1__IngestReply reply = KITH__V1__INGEST_REPLY__INIT;
        Kith__V1__IngestRun *runs[RUNS_MAX];
        for (size_t j = 0; j < answer->run_count; j++) {
            runs[j] = &answer->runs[j];
        }
        reply.results = runs;
        reply.n_results = answer->run_count;
        request_note(answer, i, &request);
        if (i == 0 && answer->first != KITH_OK) {
            server_refuse(server, &request, answer->first, 2 * KITH_TIMEOUT_MS);
        } else {
            server_answer_message(server, &request, &reply.base);
        }
        request_release(&request);
    }
}

/* Sends a batch of `count` events and gives what came of it. */
static enum kith_status batch_try(struct answer *answer, size_t count, struct kith_batch **batch,
                                  struct kith_totals *totals)
{
    struct server server;
    struct kith_error error;
    server_prepare(&server);
    server_begin(&server, ingestion, answer);
    struct kith_connection *connection = connect_to(&server);
    kith_batch_open(batch);
    for (size_t i = 0; i < count; i++) {
        struct kith_event event = purchase("e");
        ck_assert_int_eq(kith_batch_add(*batch, &event, NULL), KITH_OK);
    }
    enum kith_status status = kith_batch_send(connection, *batch, totals, &error);
    if (status == KITH_INTERNAL) {
        ck_assert_ptr_nonnull(strstr(error.text, "makes no sense"));
    }
    kith_close(&connection);
    server_clear(&server);
    return status;
}

START_TEST(each_event_of_a_batch_has_its_outcome)
{
    struct answer answer = { .run_count = 0 };
    char text[] = "amount\n";
    Kith__V1__Violation violation = KITH__V1__VIOLATION__INIT;
    Kith__V1__Violation *violations[] = { &violation };
    violation.field = text;
    run_set(&answer, 2, KITH_ACCEPTED, 7);
    run_set(&answer, 1, KITH_DUPLICATE, 3);
    run_set(&answer, 1, KITH_INVALID, 0);
    answer.runs[2].violations = violations;
    answer.runs[2].n_violations = 1;
    run_set(&answer, 1, KITH_REJECTED, 9);

    struct kith_batch *batch = NULL;
    struct kith_totals totals;
    ck_assert_int_eq(batch_try(&answer, 5, &batch, &totals), KITH_OK);
    ck_assert_uint_eq(totals.accepted, 2);
    ck_assert_uint_eq(totals.duplicate, 1);
    ck_assert_uint_eq(totals.invalid, 1);
    ck_assert_uint_eq(totals.rejected, 1);
    ck_assert_uint_eq(totals.seq_max, 9);
    static const struct kith_result expected[] = {
        { .outcome = KITH_ACCEPTED, .seq = 7 },  { .outcome = KITH_ACCEPTED, .seq = 8 },
        { .outcome = KITH_DUPLICATE, .seq = 3 }, { .outcome = KITH_INVALID, .seq = 0 },
        { .outcome = KITH_REJECTED, .seq = 9 },
    };
    struct kith_result result;
    for (size_t i = 0; i < 5; i++) {
        ck_assert(kith_batch_result(batch, i, &result));
        ck_assert_int_eq(result.outcome, expected[i].outcome);
        ck_assert_uint_eq(result.seq, expected[i].seq);
        ck_assert_str_eq(result.violation.field, i == 3 ? "amount?" : "");
        ck_assert_str_eq(result.violation.mend, "");
    }
    ck_assert(!kith_batch_result(batch, 5, &result));
    kith_batch_clear(batch);
    ck_assert_uint_eq(kith_batch_count(batch), 0);
    ck_assert(!kith_batch_result(batch, 0, &result));
    kith_batch_close(&batch);
    ck_assert_ptr_null(batch);
}
END_TEST

START_TEST(a_reply_that_does_not_fit_the_batch_is_not_believed)
{
    static const struct {
        const char *name;
        uint32_t count[2];
        int outcome;
        uint64_t first_seq;
    } cases[] = {
        { "too few", { 1, 1 }, KITH_ACCEPTED, 1 },
        { "too many", { 2, 2 }, KITH_ACCEPTED, 1 },
        { "far too many", { 2, UINT32_MAX }, KITH_ACCEPTED, 1 },
        { "an empty run", { 0, 3 }, KITH_ACCEPTED, 1 },
        { "seqs without end", { 2, 1 }, KITH_ACCEPTED, UINT64_MAX },
        { "an unknown outcome", { 2, 1 }, 4, 1 },
        { "a negative outcome", { 2, 1 }, -1, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer answer = { .run_count = 0 };
        struct kith_totals totals = { .accepted = 42 };
        struct kith_batch *batch = NULL;
        struct kith_result result;
        run_set(&answer, cases[i].count[0], cases[i].outcome, cases[i].first_seq);
        run_set(&answer, cases[i].count[1], cases[i].outcome, cases[i].first_seq);
        ck_assert_msg(batch_try(&answer, 3, &batch, &totals) == KITH_INTERNAL, "%s", cases[i].name);
        ck_assert_uint_eq(totals.accepted, 42);
        ck_assert(!kith_batch_result(batch, 0, &result));
        kith_batch_close(&batch);
    }
}
END_TEST

START_TEST(a_batch_of_unknown_outcome_is_sent_again_with_its_key)
{
    struct server server;
    struct answer answer = { .first = KITH_UNAVAILABLE };
    struct kith_batch *batch = NULL;
    struct kith_event event = purchase("e1");
    server_prepare(&server);
    run_set(&answer, 1, KITH_DUPLICATE, 1);
    server_begin(&server, ingestion, &answer);
    struct kith_connection *connection = connect_to(&server);
    kith_batch_open(&batch);
    ck_assert_int_eq(kith_batch_send(connection, batch, NULL, NULL), KITH_INVALID_ARGUMENT);
    ck_assert_int_eq(kith_batch_add(batch, &event, NULL), KITH_OK);
    ck_assert_int_eq(kith_batch_send(connection, batch, NULL, NULL), KITH_UNAVAILABLE);
    ck_assert_int_eq(kith_batch_add(batch, &event, NULL), KITH_FAILED_PRECONDITION);
    ck_assert_int_eq(kith_batch_send(connection, batch, NULL, NULL), KITH_OK);
    kith_batch_clear(batch);
    ck_assert_int_eq(kith_batch_add(batch, &event, NULL), KITH_OK);
    kith_batch_close(&batch);
    kith_close(&connection);
    server_clear(&server);
    ck_assert_str_eq(answer.key[0], answer.key[1]);
    ck_assert_uint_eq(answer.item_count, 1);
}
END_TEST

START_TEST(an_event_goes_out_with_all_its_fields)
{
    struct server server;
    struct answer answer = { .run_count = 0 };
    static const struct kith_attribute attributes[] = {
        { .name = "channel", .kind = KITH_ATTRIBUTE_TEXT, .value.text = "caf\xc3\xa9" },
        { .name = "size", .kind = KITH_ATTRIBUTE_INTEGER, .value.integer = -3 },
        { .name = "new", .kind = KITH_ATTRIBUTE_FLAG, .value.flag = true },
        { .name = "due", .kind = KITH_ATTRIBUTE_TIME, .value.at_ms = 99 },
        { .name = "fee",
          .kind = KITH_ATTRIBUTE_MONEY,
          .personal = true,
          .value.money = { 5, "USD" } },
    };
    struct kith_event event = purchase("e1");
    struct kith_batch *batch = NULL;
    event.attributes = attributes;
    event.attribute_count = 5;
    event.schema_version = 2;
    server_prepare(&server);
    run_set(&answer, 1, KITH_ACCEPTED, 1);
    server_begin(&server, ingestion, &answer);
    struct kith_connection *connection = connect_to(&server);
    kith_batch_open(&batch);
    ck_assert_int_eq(kith_batch_add(batch, &event, NULL), KITH_OK);
    ck_assert_int_eq(kith_batch_send(connection, batch, NULL, NULL), KITH_OK);
    kith_batch_close(&batch);
    kith_close(&connection);
    server_clear(&server);

    Kith__V1__Event *sent = kith__v1__event__unpack(NULL, answer.event_bytes, answer.event);
    ck_assert_ptr_nonnull(sent);
    ck_assert_str_eq(sent->source, "shop");
    ck_assert_str_eq(sent->id, "e1");
    ck_assert_str_eq(sent->type, "purchase");
    ck_assert_str_eq(sent->customer, "c1");
    ck_assert_int_eq(sent->occurred_at_ms, 1000);
    ck_assert_uint_eq(sent->schema_version, 2);
    ck_assert_int_eq(sent->amount->minor, 250);
    ck_assert_str_eq(sent->amount->currency, "EUR");
    ck_assert_uint_eq(sent->n_attributes, 5);
    ck_assert_str_eq(sent->attributes[0]->text, "caf\xc3\xa9");
    ck_assert(!sent->attributes[0]->has_personal);
    ck_assert_int_eq(sent->attributes[1]->integer, -3);
    ck_assert(sent->attributes[2]->flag);
    ck_assert_int_eq(sent->attributes[3]->at_ms, 99);
    ck_assert_int_eq(sent->attributes[4]->money->minor, 5);
    ck_assert(sent->attributes[4]->personal);
    kith__v1__event__free_unpacked(sent, NULL);
}
END_TEST

/* ---- bounds of events and batches */

static void event_is_refused(const struct kith_event *event, const char *words)
{
    struct kith_batch *batch = NULL;
    struct kith_error error;
    kith_batch_open(&batch);
    ck_assert_int_eq(kith_batch_add(batch, event, &error), KITH_INVALID_ARGUMENT);
    ck_assert_msg(strstr(error.text, words) != NULL, "'%s' lacks '%s'", error.text, words);
    ck_assert_uint_eq(kith_batch_count(batch), 0);
    kith_batch_close(&batch);
}

START_TEST(events_out_of_bounds_are_refused_here)
{
    char id[KITH_ID_BYTES + 2];
    memset(id, 'i', sizeof id);
    id[KITH_ID_BYTES + 1] = '\0';
    struct kith_event event = purchase(id);
    event_is_refused(&event, "id must be 1 to 64 bytes");
    event = purchase(NULL);
    event_is_refused(&event, "id must");
    event = purchase("e");
    event.source = "a\tb";
    event_is_refused(&event, "source must");
    event = purchase("e");
    event.customer = "";
    event_is_refused(&event, "customer must");
    event = purchase("e");
    event.type = "Purchase";
    event_is_refused(&event, "type must");
    event = purchase("e");
    event.attribute_count = KITH_EVENT_ATTRIBUTES + 1;
    event_is_refused(&event, "65 attributes, and at most 64");

    static char text[KITH_TEXT_BYTES + 2];
    memset(text, 't', KITH_TEXT_BYTES + 1);
    struct kith_attribute attribute = { .name = "a", .value.text = text };
    event.attributes = &attribute;
    event.attribute_count = 1;
    event_is_refused(&event, "a has 1025 bytes, and at most 1024");
    attribute.value.text = "a\x7f";
    event_is_refused(&event, "control characters");
    attribute.value.text = NULL;
    event_is_refused(&event, "control characters");
    attribute.kind = (enum kith_attribute_kind)9;
    event_is_refused(&event, "no kind");
    attribute.name = "A";
    event_is_refused(&event, "attribute's name");
}
END_TEST

START_TEST(an_event_at_the_bound_is_taken_and_one_byte_more_is_not)
{
    struct kith_batch *batch = NULL;
    struct kith_error error;
    static uint8_t event[KITH_EVENT_BYTES + 1];
    kith_batch_open(&batch);
    ck_assert_int_eq(kith_batch_add_packed(batch, event, KITH_EVENT_BYTES, NULL), KITH_OK);
    ck_assert_int_eq(kith_batch_add_packed(batch, event, KITH_EVENT_BYTES + 1, &error),
                     KITH_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.text, "16385 bytes, and at most 16384"));
    ck_assert_int_eq(kith_batch_add_packed(batch, event, 0, NULL), KITH_INVALID_ARGUMENT);
    ck_assert_uint_eq(kith_batch_count(batch), 1);
    kith_batch_close(&batch);
}
END_TEST

START_TEST(a_batch_takes_the_most_events_and_no_more)
{
    struct answer answer = { .run_count = 0 };
    struct kith_batch *batch = NULL;
    struct kith_totals totals;
    struct kith_event event = purchase("e");
    struct kith_error error;
    run_set(&answer, KITH_BATCH_EVENTS, KITH_ACCEPTED, 1);
    ck_assert_int_eq(batch_try(&answer, KITH_BATCH_EVENTS, &batch, &totals), KITH_OK);
    ck_assert_uint_eq(totals.accepted, KITH_BATCH_EVENTS);
    ck_assert_uint_eq(totals.seq_max, KITH_BATCH_EVENTS);
    kith_batch_clear(batch);
    for (size_t i = 0; i < KITH_BATCH_EVENTS; i++) {
        ck_assert_int_eq(kith_batch_add(batch, &event, NULL), KITH_OK);
    }
    ck_assert_int_eq(kith_batch_add(batch, &event, &error), KITH_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(error.text, "4096 events"));
    kith_batch_close(&batch);
}
END_TEST

START_TEST(a_batch_never_grows_beyond_a_body)
{
    struct server server;
    struct answer answer = { .run_count = 0 };
    struct kith_batch *batch = NULL;
    struct kith_error error;
    static uint8_t event[KITH_EVENT_BYTES];
    uint32_t count = 0;
    kith_batch_open(&batch);
    while (kith_batch_add_packed(batch, event, sizeof event, &error) == KITH_OK) {
        count += 1;
    }
    ck_assert_int_eq(error.status, KITH_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(error.text, "at most 1048576"));
    ck_assert_uint_eq(count, 63);
    server_prepare(&server);
    run_set(&answer, count, KITH_INVALID, 0);
    server_begin(&server, ingestion, &answer);
    struct kith_connection *connection = connect_to(&server);
    ck_assert_int_eq(kith_batch_send(connection, batch, NULL, NULL), KITH_OK);
    kith_batch_close(&batch);
    kith_close(&connection);
    server_clear(&server);
    ck_assert_uint_eq(answer.item_count, count);
}
END_TEST

/* ---- balances */

/* By the customer that is asked for. */
static void balance_answer(struct server *server, const struct request *request)
{
    Kith__V1__BalanceRequest *asked =
        kith__v1__balance_request__unpack(NULL, request->body_bytes, request->body);
    Kith__V1__BalanceReply reply = KITH__V1__BALANCE_REPLY__INIT;
    char programme[] = "points";
    ck_assert_str_eq(request->header->method, "loyalty.Balance");
    reply.programme = programme;
    reply.has_available = strcmp(asked->customer, "nobody") != 0;
    reply.available = asked->programme == NULL ? 70 : 7;
    reply.has_earned = true;
    reply.earned = 100;
    reply.has_spent = true;
    reply.spent = 30;
    reply.has_postings = true;
    reply.postings = 4;
    if (strcmp(asked->customer, "rubbish") == 0) {
        server_answer(server, request, (struct bytes){ "\x0a\xff\xff", 3 });
    } else if (strcmp(asked->customer, "unknown") == 0) {
        server_refuse(server, request, KITH_NOT_FOUND, 0);
    } else {
        server_answer_message(server, request, &reply.base);
    }
    kith__v1__balance_request__free_unpacked(asked, NULL);
}

static void loyalty(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        balance_answer(server, &request);
        request_release(&request);
    }
}

START_TEST(a_balance_is_read)
{
    struct server server;
    struct kith_balance balance;
    struct kith_error error;
    server_prepare(&server);
    server_begin(&server, loyalty, NULL);
    struct kith_connection *connection = connect_to(&server);
    ck_assert_int_eq(kith_balance_read(connection, "c1", NULL, &balance, NULL), KITH_OK);
    ck_assert_str_eq(balance.programme, "points");
    ck_assert_int_eq(balance.available_points, 70);
    ck_assert_int_eq(balance.earned_points, 100);
    ck_assert_int_eq(balance.spent_points, 30);
    ck_assert_uint_eq(balance.postings, 4);
    ck_assert_int_eq(kith_balance_read(connection, "c1", "other", &balance, NULL), KITH_OK);
    ck_assert_int_eq(balance.available_points, 7);
    ck_assert_int_eq(kith_balance_read(connection, "unknown", NULL, &balance, NULL),
                     KITH_NOT_FOUND);
    ck_assert_int_eq(kith_balance_read(connection, "nobody", NULL, &balance, &error),
                     KITH_INTERNAL);
    ck_assert_int_eq(kith_balance_read(connection, "rubbish", NULL, &balance, &error),
                     KITH_INTERNAL);
    ck_assert_int_eq(balance.available_points, 7);
    ck_assert_int_eq(kith_balance_read(connection, "", NULL, &balance, NULL),
                     KITH_INVALID_ARGUMENT);
    ck_assert_int_eq(kith_balance_read(connection, "c", "", &balance, NULL), KITH_INVALID_ARGUMENT);
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

/* ---- campaigns */

/* A campaign that decides with the third question. */
struct desk {
    Kith__V1__DispatchState state;
    unsigned questions;
};

static void campaign(struct server *server)
{
    struct desk *desk = server->argument;
    struct request request;
    while (server_take(server, &request)) {
        uint8_t id[] = "0123456789abcdef";
        char detail[] = "so it is";
        Kith__V1__DispatchReply reply = KITH__V1__DISPATCH_REPLY__INIT;
        bool is_trigger = strcmp(request.header->method, "campaign.Trigger") == 0;
        desk->questions += is_trigger ? 0 : 1;
        reply.has_dispatch = true;
        reply.dispatch.data = id;
        reply.dispatch.len = is_trigger && strcmp(request.header->key, "short") == 0 ? 15 : 16;
        reply.has_state = true;
        reply.state =
            desk->questions < 3 ? KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING : desk->state;
        reply.has_reason = true;
        reply.reason = KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAP_REACHED;
        reply.detail = detail;
        reply.has_number = true;
        reply.number = 5;
        server_answer_message(server, &request, &reply.base);
        request_release(&request);
    }
}

static enum kith_status campaign_try(Kith__V1__DispatchState state, struct kith_dispatch *dispatch)
{
    struct server server;
    struct kith_dispatch_id id;
    struct desk desk = { .state = state };
    struct kith_key key;
    struct kith_trigger trigger = { .campaign = "hello", .customer = "c1", .key = &key };
    server_prepare(&server);
    server_begin(&server, campaign, &desk);
    struct kith_connection *connection = connect_to(&server);
    kith_key_make(&key);
    ck_assert_int_eq(kith_campaign_trigger(connection, &trigger, &id, NULL), KITH_OK);
    ck_assert_mem_eq(id.bytes, "0123456789abcdef", 16);
    enum kith_status status = kith_dispatch_wait(connection, &id, 20000, dispatch, NULL);
    kith_close(&connection);
    server_clear(&server);
    ck_assert_uint_eq(desk.questions, 3);
    return status;
}

START_TEST(a_campaign_is_triggered_and_its_outcome_awaited)
{
    struct kith_dispatch dispatch;
    ck_assert_int_eq(campaign_try(KITH__V1__DISPATCH_STATE__DISPATCH_IS_SENT, &dispatch), KITH_OK);
    ck_assert_int_eq(dispatch.state, KITH_DISPATCH_SENT);
    ck_assert_str_eq(dispatch.reason, "");
    ck_assert_str_eq(dispatch.detail, "so it is");
    ck_assert_uint_eq(dispatch.number, 5);
    ck_assert_int_eq(campaign_try(KITH__V1__DISPATCH_STATE__DISPATCH_IS_SUPPRESSED, &dispatch),
                     KITH_OK);
    ck_assert_int_eq(dispatch.state, KITH_DISPATCH_SUPPRESSED);
    ck_assert_str_eq(dispatch.reason, "CAP_REACHED");
    ck_assert_int_eq(campaign_try(KITH__V1__DISPATCH_STATE__DISPATCH_IS_UNKNOWN, &dispatch),
                     KITH_OK);
    ck_assert_int_eq(dispatch.state, KITH_DISPATCH_UNKNOWN);
    ck_assert_int_eq(campaign_try((Kith__V1__DispatchState)77, &dispatch), KITH_INTERNAL);
}
END_TEST

START_TEST(an_outcome_that_is_not_known_in_time_is_pending)
{
    struct server server;
    struct desk desk = { .state = KITH__V1__DISPATCH_STATE__DISPATCH_IS_SENT };
    struct kith_dispatch dispatch = { .state = KITH_DISPATCH_SENT };
    struct kith_dispatch_id id = { { 0 } };
    server_prepare(&server);
    server_begin(&server, campaign, &desk);
    struct kith_connection *connection = connect_to(&server);
    ck_assert_int_eq(kith_dispatch_wait(connection, &id, 0, &dispatch, NULL), KITH_OK);
    ck_assert_int_eq(dispatch.state, KITH_DISPATCH_PENDING);
    kith_close(&connection);
    server_clear(&server);
    ck_assert_uint_eq(desk.questions, 1);
}
END_TEST

START_TEST(a_trigger_without_its_parts_is_refused)
{
    struct server server;
    struct desk desk = { .state = KITH__V1__DISPATCH_STATE__DISPATCH_IS_SENT };
    struct kith_dispatch_id id;
    struct kith_key key = { .text = "short", .issued_at_ms = 1 };
    server_prepare(&server);
    server_begin(&server, campaign, &desk);
    struct kith_connection *connection = connect_to(&server);
    const struct kith_trigger triggers[] = {
        { .campaign = NULL, .customer = "c1", .key = &key },
        { .campaign = "hello", .customer = "", .key = &key },
        { .campaign = "hello", .customer = "c1", .key = NULL },
    };
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(kith_campaign_trigger(connection, &triggers[i], &id, NULL),
                         KITH_INVALID_ARGUMENT);
    }
    /* And a reply whose id has 15 bytes is none. */
    struct kith_trigger whole = { .campaign = "hello", .customer = "c1", .key = &key };
    ck_assert_int_eq(kith_campaign_trigger(connection, &whole, &id, NULL), KITH_INTERNAL);
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

/* ---- waiting for positions */

/* It has folded ingestion up to 7. */
static void wait_answer(struct server *server, const struct request *request)
{
    Kith__V1__WaitRequest *asked =
        kith__v1__wait_request__unpack(NULL, request->body_bytes, request->body);
    Kith__V1__WaitReply reply = KITH__V1__WAIT_REPLY__INIT;
    ck_assert_str_eq(request->header->method, "feed.Wait");
    reply.has_reached = true;
    reply.reached = asked->n_positions == 1 && asked->positions[0]->seq <= 7 &&
                    strcmp(asked->positions[0]->feed, "ingestion") == 0;
    server_answer_message(server, request, &reply.base);
    kith__v1__wait_request__free_unpacked(asked, NULL);
}

static void folder(struct server *server)
{
    struct request request;
    while (server_take(server, &request)) {
        wait_answer(server, &request);
        request_release(&request);
    }
}

START_TEST(positions_are_waited_for)
{
    struct server server;
    struct kith_error error;
    server_prepare(&server);
    server_begin(&server, folder, NULL);
    struct kith_connection *connection = connect_to(&server);
    struct kith_position position = { .feed = "ingestion", .shard = 0, .seq = 7 };
    ck_assert_int_eq(kith_wait(connection, &position, 1, SHORT_MS, NULL), KITH_OK);
    position.seq = 8;
    ck_assert_int_eq(kith_wait(connection, &position, 1, SHORT_MS, &error), KITH_DEADLINE_EXCEEDED);
    ck_assert_int_eq(kith_wait(connection, &position, 1, 0, &error), KITH_DEADLINE_EXCEEDED);
    position.feed = "";
    ck_assert_int_eq(kith_wait(connection, &position, 1, 0, NULL), KITH_INVALID_ARGUMENT);
    ck_assert_int_eq(kith_wait(connection, &position, KITH_WAIT_POSITIONS + 1, 0, &error),
                     KITH_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.text, "65 positions are given, and at most 64"));
    kith_close(&connection);
    server_clear(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libkith_events");
    TCase *events = tcase_create("events");
    tcase_set_timeout(events, 60);
    tcase_add_test(events, each_event_of_a_batch_has_its_outcome);
    tcase_add_test(events, a_reply_that_does_not_fit_the_batch_is_not_believed);
    tcase_add_test(events, a_batch_of_unknown_outcome_is_sent_again_with_its_key);
    tcase_add_test(events, an_event_goes_out_with_all_its_fields);
    tcase_add_test(events, events_out_of_bounds_are_refused_here);
    tcase_add_test(events, an_event_at_the_bound_is_taken_and_one_byte_more_is_not);
    tcase_add_test(events, a_batch_takes_the_most_events_and_no_more);
    tcase_add_test(events, a_batch_never_grows_beyond_a_body);
    suite_add_tcase(suite, events);
    TCase *questions = tcase_create("questions");
    tcase_set_timeout(questions, 60);
    tcase_add_test(questions, a_balance_is_read);
    tcase_add_test(questions, a_campaign_is_triggered_and_its_outcome_awaited);
    tcase_add_test(questions, an_outcome_that_is_not_known_in_time_is_pending);
    tcase_add_test(questions, a_trigger_without_its_parts_is_refused);
    tcase_add_test(questions, positions_are_waited_for);
    suite_add_tcase(suite, questions);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
