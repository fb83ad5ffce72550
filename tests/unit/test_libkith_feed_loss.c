/* link: kith_client libzmq libsodium */
#include "tests/unit/libkith_feed_fixture.h"

/* ---- a journal that is not the one that was read */

/* Reads the first `before` facts; then the feed must stop. */
static void loss_is_told(struct journal *journal, uint64_t before, const char *words)
{
    struct server server;
    server_prepare(&server);
    server_begin(&server, producer, journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, before);
    feed_stops(feed, KITH_DATA_LOSS, words);
    stage_end(&server, journal, &feed);
}

START_TEST(a_gap_is_told)
{
    struct journal journal;
    journal_fill(&journal);
    block_seal(&journal, 1, 3, 4); /* a block's number is left out */
    loss_is_told(&journal, 3, "a gap: block 3 at seq 4 came, and block 2 at seq 4 should be next");
    journal_fill(&journal);
    block_seal(&journal, 1, 2, 5); /* a seq is left out */
    loss_is_told(&journal, 3, "a gap: block 2 at seq 5");
    journal_fill(&journal);
    block_seal(&journal, 1, 2, 3); /* a seq comes twice */
    loss_is_told(&journal, 3, "a gap: block 2 at seq 3");
    journal_fill(&journal);
    block_seal(&journal, 0, 1, 2);
    loss_is_told(&journal, 0, "a gap: block 1 at seq 2");
}
END_TEST

START_TEST(a_gap_after_a_cursor_without_chain_is_told)
{
    struct server server;
    struct journal journal;
    struct kith_cursor cursor = { .epoch = EPOCH, .seq = 3 };
    journal_fill(&journal);
    block_seal(&journal, 1, 2, 5);
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    struct kith_feed *feed = feed_open(&server, &cursor);
    feed_stops(feed, KITH_DATA_LOSS, "a gap: block 2 begins at seq 5, and 4 should come next");
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(changed_facts_are_told)
{
    struct journal journal;
    journal_fill(&journal);
    journal.blocks[1].public_part[7] ^= 1;
    loss_is_told(&journal, 3, "the facts of block 2 have another hash");

    journal_fill(&journal); /* fewer facts than announced, and the hash holds */
    journal.blocks[1].public_bytes = 0;
    block_seal(&journal, 1, 2, 4);
    loss_is_told(&journal, 3, "the facts of block 2 cannot be read");

    journal_fill(&journal);
    memset(journal.blocks[1].public_part, 0xff, 20);
    block_seal(&journal, 1, 2, 4);
    loss_is_told(&journal, 3, "the facts of block 2 cannot be read");

    journal_fill(&journal);
    memset(journal.blocks[1].header, 0xff, journal.blocks[1].header_bytes);
    loss_is_told(&journal, 3, "a block's header cannot be read");

    journal_fill(&journal);
    journal.blocks[1].header_bytes = 0;
    loss_is_told(&journal, 3, "a block's header is not of this version");
}
END_TEST

START_TEST(a_changed_chain_is_told)
{
    struct server server;
    struct journal journal;
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, 3);
    struct kith_cursor cursor = kith_feed_cursor(feed);
    kith_feed_close(&feed);
    cursor.chain[0] ^= 1;
    feed = feed_open(&server, &cursor);
    feed_stops(feed, KITH_DATA_LOSS, "the chain differs");
    stage_end(&server, &journal, &feed);

    journal_fill(&journal);
    journal.is_chain_wrong = true;
    loss_is_told(&journal, 0, "the chain differs");
}
END_TEST

START_TEST(another_epoch_is_told)
{
    struct server server;
    struct journal journal;
    struct kith_cursor cursor = { .epoch = EPOCH + 1, .seq = 3 };
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, &cursor);
    feed_stops(feed, KITH_DATA_LOSS, "another epoch");
    stage_end(&server, &journal, &feed);

    journal_fill(&journal);
    journal.epoch = 0;
    loss_is_told(&journal, 0, "another epoch");
}
END_TEST

START_TEST(a_journal_that_ends_before_the_cursor_is_told)
{
    struct server server;
    struct journal journal;
    stage_begin(&server, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, 8);
    struct kith_cursor cursor = kith_feed_cursor(feed);
    kith_feed_close(&feed);
    server_end(&server);
    journal.end = 7;
    server_begin(&server, producer, &journal);
    feed = feed_open(&server, &cursor);
    feed_stops(feed, KITH_DATA_LOSS, "ends before what was read");
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_fact_about_no_proper_customer_is_told)
{
    static const struct fact_plan plans[] = {
        { .type = 16, .customer_bytes = 15 },
        { .type = 16,
          .customer_bytes = 16,
          .subject = "a subject of more than sixty-four bytes, which no identifier can ever have" },
        { .type = 16, .customer_bytes = 16, .subject = "a\x1b[2J" },
    };
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct journal journal;
        journal_fill(&journal);
        block_append_plans(&journal, &plans[i], 1);
        loss_is_told(&journal, 8, "a fact's customer cannot be read");
    }
}
END_TEST

/* ---- refusals */

START_TEST(what_the_service_refuses_for_good_stops_the_feed)
{
    static const enum kith_status codes[] = { KITH_DATA_LOSS, KITH_NOT_FOUND, KITH_OUT_OF_RANGE,
                                              KITH_PERMISSION_DENIED };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct server server;
        struct journal journal;
        journal_fill(&journal);
        journal.refusal = codes[i];
        journal.refusals = 1;
        server_prepare(&server);
        server_begin(&server, producer, &journal);
        struct kith_feed *feed = feed_open(&server, NULL);
        feed_stops(feed, codes[i], "it says no");
        stage_end(&server, &journal, &feed);
    }
}
END_TEST

START_TEST(what_the_service_cannot_do_now_it_is_asked_again)
{
    struct server server;
    struct journal journal;
    journal_fill(&journal);
    journal.refusal = KITH_RESOURCE_EXHAUSTED;
    journal.refusals = 2;
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    facts_come(feed, 1, 8);
    stage_end(&server, &journal, &feed);
}
END_TEST

START_TEST(a_reply_that_cannot_be_read_is_told_and_asked_for_again)
{
    struct server server;
    struct journal journal;
    struct kith_fact fact;
    struct kith_error error;
    journal_fill(&journal);
    journal.is_rubbish = true;
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    struct kith_feed *feed = feed_open(&server, NULL);
    ck_assert_int_eq(kith_feed_next(feed, SOON_MS, &fact, &error), KITH_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot be read"));
    server_end(&server);
    journal.is_rubbish = false;
    server_begin(&server, producer, &journal);
    while (kith_feed_next(feed, SOON_MS, &fact, &error) != KITH_OK) {
        ck_assert_int_eq(error.status, KITH_UNAVAILABLE);
    }
    ck_assert_uint_eq(fact.seq, 1);
    stage_end(&server, &journal, &feed);
}
END_TEST

/* ---- hostile bytes */

START_TEST(no_spoiled_reply_gets_a_wrong_fact_through)
{
    struct server server;
    struct journal journal;
    journal_fill(&journal);
    journal.spoil_times = SIZE_MAX;
    server_prepare(&server);
    server_begin(&server, producer, &journal);
    for (int i = 0; i < 150; i++) {
        struct kith_feed *feed = feed_open(&server, NULL);
        struct kith_fact fact;
        uint64_t seq = 1;
        while (kith_feed_next(feed, 20, &fact, NULL) == KITH_OK) {
            char body[32];
            (void)snprintf(body, sizeof body, "body %u", (unsigned)seq);
            ck_assert_uint_eq(fact.seq, seq);
            ck_assert_uint_eq(fact.body_bytes, strlen(body));
            ck_assert_mem_eq(fact.body, body, fact.body_bytes);
            ck_assert_uint_le(seq, 8);
            seq += 1;
        }
        kith_feed_close(&feed);
    }
    server_clear(&server);
    newest_forget(&journal);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libkith_feed_loss");
    TCase *loss = tcase_create("loss");
    tcase_set_timeout(loss, 60);
    tcase_add_test(loss, a_gap_is_told);
    tcase_add_test(loss, a_gap_after_a_cursor_without_chain_is_told);
    tcase_add_test(loss, changed_facts_are_told);
    tcase_add_test(loss, a_changed_chain_is_told);
    tcase_add_test(loss, another_epoch_is_told);
    tcase_add_test(loss, a_journal_that_ends_before_the_cursor_is_told);
    tcase_add_test(loss, a_fact_about_no_proper_customer_is_told);
    tcase_add_test(loss, what_the_service_refuses_for_good_stops_the_feed);
    tcase_add_test(loss, what_the_service_cannot_do_now_it_is_asked_again);
    tcase_add_test(loss, a_reply_that_cannot_be_read_is_told_and_asked_for_again);
    tcase_add_test(loss, no_spoiled_reply_gets_a_wrong_fact_through);
    suite_add_tcase(suite, loss);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
