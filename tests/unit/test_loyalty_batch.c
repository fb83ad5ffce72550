/* link: loyalty_service */
#include "common/wire/pb.h"
#include "kith/v1/loyalty.pb-c.h"
#include "services/loyalty/loyalty_batch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (4 * 1024 * 1024)

struct codec {
    struct arena arena;
    struct buffer bytes;
    struct refusal refusal;
};

static struct codec codec;

static void setup(void)
{
    arena_init(&codec.arena, ARENA_BYTES);
    buffer_init(&codec.bytes, LIMIT_BODY_BYTES);
    refusal_init(&codec.refusal);
}

static void teardown(void)
{
    arena_release(&codec.arena);
    buffer_release(&codec.bytes);
}

/* ---- the request */

static enum status decode(const Kith__V1__PostRequest *request, struct loyalty_batch *batch)
{
    arena_reset(&codec.arena);
    buffer_clear(&codec.bytes);
    refusal_init(&codec.refusal);
    ck_assert_int_eq(pb_pack(&request->base, &codec.bytes), STATUS_OK);
    return loyalty_batch_decode(buffer_span(&codec.bytes), &codec.arena, batch, &codec.refusal);
}

static char customer[] = "ann";
static char reference[] = "order 8";
static char control[] = "a\nb";

static Kith__V1__Posting posting_example(void)
{
    Kith__V1__Posting posting = KITH__V1__POSTING__INIT;
    posting.has_kind = true;
    posting.kind = KITH__V1__POSTING_KIND__POSTING_GRANT;
    posting.customer = customer;
    posting.reference = reference;
    posting.has_points = true;
    posting.points = LIMIT_AMOUNT;
    return posting;
}

START_TEST(a_batch_comes_back_as_it_was_sent)
{
    Kith__V1__Posting granted = posting_example();
    Kith__V1__Posting spent = posting_example();
    spent.kind = KITH__V1__POSTING_KIND__POSTING_SPEND;
    spent.points = 1;
    spent.reference = NULL;
    Kith__V1__Posting *postings[] = { &granted, &spent };
    Kith__V1__PostRequest request = KITH__V1__POST_REQUEST__INIT;
    request.n_postings = 2;
    request.postings = postings;
    struct loyalty_batch batch = { .count = 0 };
    ck_assert_int_eq(decode(&request, &batch), STATUS_OK);
    ck_assert_uint_eq(batch.count, 2);
    ck_assert(!batch.all_or_nothing);
    ck_assert_int_eq(batch.items[0].kind, LOYALTY_GRANTED);
    ck_assert_int_eq(batch.items[0].points, LIMIT_AMOUNT);
    ck_assert(span_equal(batch.items[0].reference, span_of_text("order 8")));
    ck_assert_int_eq(batch.items[1].kind, LOYALTY_SPENT);
    ck_assert(span_equal(batch.items[1].customer, span_of_text("ann")));
    ck_assert_uint_eq(batch.items[1].programme.size, 0);
    ck_assert_uint_eq(batch.items[1].reference.size, 0);
    request.has_all_or_nothing = true;
    request.all_or_nothing = true;
    ck_assert_int_eq(decode(&request, &batch), STATUS_OK);
    ck_assert(batch.all_or_nothing);
}
END_TEST

typedef void (*spoil)(Kith__V1__Posting *posting);

static void spoil_kind(Kith__V1__Posting *posting)
{
    posting->kind = (Kith__V1__PostingKind)3;
}
static void spoil_no_kind(Kith__V1__Posting *posting)
{
    posting->has_kind = false;
}
static void spoil_no_customer(Kith__V1__Posting *posting)
{
    posting->customer = NULL;
}
static void spoil_customer(Kith__V1__Posting *posting)
{
    posting->customer = control;
}
static void spoil_programme(Kith__V1__Posting *posting)
{
    posting->programme = control;
}
static void spoil_reference(Kith__V1__Posting *posting)
{
    posting->reference = control;
}
static void spoil_zero(Kith__V1__Posting *posting)
{
    posting->points = 0;
}
static void spoil_large(Kith__V1__Posting *posting)
{
    posting->points = LIMIT_AMOUNT + 1;
}

static const struct {
    spoil spoil;
    const char *field;
} spoils[] = {
    { spoil_kind, "postings[1].kind" },
    { spoil_no_kind, "postings[1].kind" },
    { spoil_no_customer, "postings[1].customer" },
    { spoil_customer, "postings[1].customer" },
    { spoil_programme, "postings[1].programme" },
    { spoil_reference, "postings[1].reference" },
    { spoil_zero, "postings[1].points" },
    { spoil_large, "postings[1].points" },
};

START_TEST(one_fault_of_form_refuses_the_whole_batch_and_names_its_place)
{
    Kith__V1__Posting good = posting_example();
    Kith__V1__Posting bad = posting_example();
    spoils[_i].spoil(&bad);
    Kith__V1__Posting *postings[] = { &good, &bad };
    Kith__V1__PostRequest request = KITH__V1__POST_REQUEST__INIT;
    request.n_postings = 2;
    request.postings = postings;
    struct loyalty_batch batch = { .count = 4711 };
    ck_assert_int_eq(decode(&request, &batch), STATUS_MALFORMED);
    ck_assert_uint_eq(batch.count, 4711);
    ck_assert_uint_eq(codec.refusal.violation_count, 1);
    ck_assert_str_eq(codec.refusal.violations[0].field, spoils[_i].field);
}
END_TEST

START_TEST(bytes_that_are_no_batch_are_refused)
{
    struct loyalty_batch batch = { .count = 0 };
    struct span unknown = span_of_text("\x1a\x01x");
    ck_assert_int_eq(loyalty_batch_decode(unknown, &codec.arena, &batch, &codec.refusal),
                     STATUS_MALFORMED);
    struct span broken = span_of_text("\x0a\x7fx");
    ck_assert_int_eq(loyalty_batch_decode(broken, &codec.arena, &batch, &codec.refusal),
                     STATUS_MALFORMED);
    const struct span twisted[] = {
        span_of("\x0a\x04\x08\x02\x08\x02", 6),         /* a kind twice */
        span_of("\x0a\x03\x0a\x01x", 5),                /* a kind of text */
        span_of("\x0a\x02\x12\x09", 4),                 /* a customer that is cut short */
        span_of("\x08\x01", 2),                         /* postings that are a number */
        span_of("\x0a\x00\x10\x02", 4),                 /* neither all nor nothing */
        span_of("\x0a\x00\x10\x01\x10\x01", 6),         /* said twice */
        span_of("\x0a\x00\x12\x01x", 5),                /* said in a text */
        span_of("\x0a\x07\x08\x82\x80\x80\x80\x10", 8), /* a kind past 32 bits */
    };
    for (size_t i = 0; i < sizeof twisted / sizeof twisted[0]; i++) {
        refusal_init(&codec.refusal);
        enum status status = loyalty_batch_decode(twisted[i], &codec.arena, &batch, &codec.refusal);
        ck_assert_msg(status == STATUS_MALFORMED, "row %zu", i);
        ck_assert_int_eq(codec.refusal.status, STATUS_MALFORMED);
    }
    uint8_t *hollow = memory_allocate(LIMIT_BODY_BYTES);
    for (size_t i = 0; i < LIMIT_BODY_BYTES; i += 2) {
        hollow[i] = 0x0a; /* a posting without anything, half a million times */
    }
    ck_assert_int_eq(loyalty_batch_decode(span_of(hollow, LIMIT_BODY_BYTES), &codec.arena, &batch,
                                          &codec.refusal),
                     STATUS_MALFORMED);
    free(hollow);
}
END_TEST

/* ---- the reply */

static const Kith__V1__PostBatchReply *reply_of(const struct loyalty_result *list, size_t count)
{
    struct loyalty_results results = { .out = &codec.bytes };
    buffer_clear(&codec.bytes);
    for (size_t i = 0; i < count; i++) {
        loyalty_results_add(&results, &list[i]);
    }
    loyalty_results_end(&results);
    const Kith__V1__PostBatchReply *reply =
        pb_unpack(&kith__v1__post_batch_reply__descriptor, &codec.arena, buffer_span(&codec.bytes));
    ck_assert_ptr_nonnull(reply);
    return reply;
}

START_TEST(neighbours_of_one_outcome_are_one_run)
{
    const struct loyalty_result list[] = {
        { STATUS_OK, 7, "" },
        { STATUS_OK, 8, "" },
        { STATUS_OK, 10, "" },
        { STATUS_REFUSED, 0, "no" },
        { STATUS_REFUSED, 0, "no" },
        { STATUS_REFUSED, 0, "never" },
        { STATUS_NOT_FOUND, 0, "never" },
    };
    const uint32_t counts[] = { 2, 1, 2, 1, 1 };
    const Kith__V1__PostBatchReply *reply = reply_of(list, 7);
    ck_assert_uint_eq(reply->n_results, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(reply->results[i]->count, counts[i]);
    }
    ck_assert_uint_eq(reply->results[1]->first_posting, 10);
    ck_assert_str_eq(reply->results[2]->message, "no");
    ck_assert_uint_eq(reply->results[4]->code, STATUS_NOT_FOUND);
    ck_assert_uint_eq(reply_of(list, 0)->n_results, 0);
}
END_TEST

START_TEST(sentences_stop_at_their_bound_and_codes_do_not)
{
    char sentences[2][200];
    memset(sentences, 'x', sizeof sentences);
    sentences[0][199] = '\0';
    sentences[1][199] = '\0';
    sentences[1][0] = 'y';
    struct loyalty_result *list = memory_allocate(LIMIT_BATCH_ITEMS * sizeof *list);
    for (size_t i = 0; i < LIMIT_BATCH_ITEMS; i++) {
        list[i] = (struct loyalty_result){ STATUS_REFUSED, 0, sentences[i % 2] };
    }
    const Kith__V1__PostBatchReply *reply = reply_of(list, LIMIT_BATCH_ITEMS);
    ck_assert_uint_eq(reply->n_results, LIMIT_BATCH_ITEMS);
    size_t told = LOYALTY_SENTENCES_BYTES / 199;
    ck_assert_ptr_nonnull(reply->results[told - 1]->message);
    ck_assert_ptr_null(reply->results[told]->message);
    ck_assert_uint_eq(reply->results[LIMIT_BATCH_ITEMS - 1]->code, STATUS_REFUSED);
    free(list);
}
END_TEST

static Suite *loyalty_batch_suite(void)
{
    TCase *tests = tcase_create("loyalty_batch");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_batch_comes_back_as_it_was_sent);
    tcase_add_loop_test(tests, one_fault_of_form_refuses_the_whole_batch_and_names_its_place, 0,
                        (int)(sizeof spoils / sizeof spoils[0]));
    tcase_add_test(tests, bytes_that_are_no_batch_are_refused);
    tcase_add_test(tests, neighbours_of_one_outcome_are_one_run);
    tcase_add_test(tests, sentences_stop_at_their_bound_and_codes_do_not);
    Suite *suite = suite_create("loyalty_batch");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(loyalty_batch_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
