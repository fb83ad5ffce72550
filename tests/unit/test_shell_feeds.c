/* link: kith_test_support common_service */
#include "common/feed/feed_reader.h"
#include "common/wire/pb.h"
#include "kith/v1/feed.pb-c.h"
#include "tests/unit/feeds_fixture.h"

static const struct toy_node_options ingestion = { .toy.name = "ingestion" };
static const struct toy_node_options loyalty = {
    .toy = { .name = "loyalty", .reads = { "ingestion" }, .read_count = 1 }
};
static const struct toy_node_options segmentation = { .toy = { .name = "segmentation",
                                                               .reads = { "ingestion", "loyalty" },
                                                               .read_count = 2,
                                                               .folds_echoes = true } };

static void ready(const struct town *town, size_t i)
{
    char why[256] = "";
    ck_assert_msg(shell_is_ready(town->nodes[i].shell, why, sizeof why), "%s", why);
}

static void not_ready(const struct town *town, size_t i, const char *text)
{
    char why[256] = "";
    ck_assert(!shell_is_ready(town->nodes[i].shell, why, sizeof why));
    ck_assert_msg(strstr(why, text) != NULL, "%s", why);
}

/* ---- folding */

START_TEST(what_one_adds_another_folds)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &loyalty);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 5);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 5);
    struct seen_facts seen = town_see(&town, 1);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.facts[0].cause, 1);
    ck_assert_uint_eq(seen.facts[0].source, 1);
    free(seen.facts);
    town_agrees(&town, 1);
    town_end(&town);
}
END_TEST

/* Holds what the first of the names says to the second, once it is a reply. */
struct blockade {
    const char *from;
    const char *to;
};

static enum memory_fate blockade_judge(void *context, const struct memory_passage *passage)
{
    const struct blockade *blockade = context;
    bool is_it = passage->is_reply && strcmp(passage->from, blockade->from) == 0 &&
                 strcmp(passage->to, blockade->to) == 0;
    return is_it ? MEMORY_DROP : MEMORY_PASS;
}

START_TEST(a_derived_fact_waits_for_its_cause)
{
    struct town town;
    struct blockade blockade = { "ingestion", "segmentation" };
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &loyalty);
    town_add(&town, &segmentation);
    town_run(&town, 5);
    memory_network_judge(town.network, blockade_judge, &blockade);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 50);
    ck_assert_uint_eq(journal_end(town.nodes[1].journal).seq, 1);
    ck_assert_uint_eq(journal_end(town.nodes[2].journal).seq, 0);
    memory_network_judge(town.network, NULL, NULL);
    town_run(&town, 200);
    struct seen_facts seen = town_see(&town, 2);
    ck_assert_uint_eq(seen.count, 2);
    ck_assert_int_eq(town_sum(&town, 2, "anna"), 10); /* from both feeds */
    free(seen.facts);
    town_end(&town);
}
END_TEST

/* The cause is a number of one of ingestion's shards, and does not say of which. */
START_TEST(a_derived_fact_does_not_wait_for_what_another_shard_never_had)
{
    struct town town;
    struct toy_node_options second = ingestion;
    struct toy_node_options reads_both = loyalty;
    struct toy_node_options consumer = segmentation;
    second.shard = 1;
    second.shards = 2;
    reads_both.read_shards = 2;
    consumer.read_shards = 2;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &second);
    town_add(&town, &reads_both);
    town_add(&town, &consumer);
    for (int i = 0; i < 5; i++) {
        town_send_add(&town, 0, &(struct toy_add){ "anna", 1, 0 });
    }
    town_send_add(&town, 1, &(struct toy_add){ "berta", 1, 0 });
    town_run(&town, 50);
    ck_assert_int_eq(town_sum(&town, 2, "anna"), 5);
    ck_assert_int_eq(town_sum(&town, 3, "anna"), 10);
    ck_assert_int_eq(town_sum(&town, 3, "berta"), 2);
    town_end(&town);
}
END_TEST

START_TEST(shards_fold_their_own_customers_each)
{
    static const char *const names[] = { "anna", "berta", "clara", "dora", "emil", "fritz" };
    struct town town;
    struct toy_node_options first = loyalty;
    struct toy_node_options second = loyalty;
    first.shards = 2;
    second.shards = 2;
    second.shard = 1;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &first);
    town_add(&town, &second);
    for (size_t i = 0; i < 6; i++) {
        town_send_add(&town, 0, &(struct toy_add){ names[i], 3, 0 });
        town_run(&town, 3); /* a block for each */
    }
    town_run(&town, 100);
    size_t both = 0;
    for (size_t i = 0; i < 6; i++) {
        int64_t one = town_sum(&town, 1, names[i]);
        int64_t other = town_sum(&town, 2, names[i]);
        ck_assert_int_eq(one + other, 3);
        both += one == 3 ? 1 : 0;
    }
    ck_assert_uint_gt(both, 0);
    ck_assert_uint_lt(both, 6);
    ready(&town, 1);
    ready(&town, 2);
    town_end(&town);
}
END_TEST

START_TEST(facts_from_before_a_change_of_rules_stay_as_they_were)
{
    struct town town;
    struct toy_node_options ruled = loyalty;
    ruled.toy.rules = "2";
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &ruled);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 5);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 10);
    toy_node_crash(&town.nodes[1]);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 5);
    town.nodes[1].options.toy.rules = "3";
    toy_node_reopen(&town.nodes[1]);
    town_run(&town, 5);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 25);
    struct seen_facts seen = town_see(&town, 1);
    ck_assert_uint_eq(seen.count, 4);
    ck_assert_int_eq(seen.facts[1].amount, 10);
    ck_assert_uint_eq(seen.facts[2].type, FACT_RULES_CHANGED);
    ck_assert_int_eq(seen.facts[3].amount, 15);
    free(seen.facts);
    town_agrees(&town, 1);
    town_end(&town);
}
END_TEST

/* What the only consumer of ingestion has made durable, as ingestion tells it. */
static uint64_t durable_of_consumer(struct town *town)
{
    struct toy_answer answer;
    (void)town_hear(town, 0);
    buffer_clear(&town->clients[0].body);
    (void)toy_client_send(&town->clients[0], TRANSPORT_COMMAND, "service.Status", NULL);
    toy_node_turn(&town->nodes[0]);
    ck_assert(toy_client_answer(&town->clients[0], TRANSPORT_COMMAND, &answer));
    Kith__V1__StatusReply *reply =
        kith__v1__status_reply__unpack(NULL, answer.body.size, answer.body.data);
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_consumers, 1);
    uint64_t durable = reply->consumers[0]->durable_position;
    kith__v1__status_reply__free_unpacked(reply, NULL);
    toy_answer_release(&answer);
    return durable;
}

START_TEST(a_service_without_journal_reads_again_from_its_checkpoint)
{
    struct town town;
    struct toy_node_options reporting = loyalty;
    reporting.toy.name = "reporting";
    reporting.toy.keeps_no_journal = true;
    reporting.checkpoint_interval_ms = 100;
    reporting.checkpoint_records = 2;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &reporting);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 50);
    ck_assert(!store_checkpoint_running(town.nodes[1].store));
    town_run(&town, 60);
    ck_assert_uint_eq(durable_of_consumer(&town), 1);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 6, 0 });
    town_run(&town, 3);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 11);
    ck_assert_uint_eq(durable_of_consumer(&town), 1);
    for (int i = 0; i < 3; i++) { /* what is not in a checkpoint is folded once more */
        toy_node_crash(&town.nodes[1]);
        toy_node_reopen(&town.nodes[1]);
        town_run(&town, 1 + 30 * i);
    }
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 11);
    toy_node_stop(&town.nodes[1]);
    toy_node_reopen(&town.nodes[1]);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 11);
    town_end(&town);
}
END_TEST

START_TEST(a_wait_is_answered_when_the_shell_has_folded)
{
    struct town town;
    struct toy_answer answer;
    Kith__V1__WaitRequest request = KITH__V1__WAIT_REQUEST__INIT;
    Kith__V1__Position position = KITH__V1__POSITION__INIT;
    Kith__V1__Position *positions[1] = { &position };
    char feed[] = "ingestion";
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &loyalty);
    position.feed = feed;
    position.has_seq = 1;
    position.seq = 1;
    request.positions = positions;
    request.n_positions = 1;
    request.has_timeout_ms = 1;
    request.timeout_ms = 30000;
    struct toy_client *client = &town.clients[1];
    buffer_clear(&client->body);
    ck_assert_int_eq(pb_pack(&request.base, &client->body), STATUS_OK);
    (void)toy_client_send(client, TRANSPORT_FEED, "feed.Wait", NULL);
    town_run(&town, 5);
    ck_assert(!toy_client_answer(client, TRANSPORT_FEED, &answer));
    town_send_add(&town, 0, &(struct toy_add){ "anna", 0, 0 }); /* without effect */
    town_run(&town, 5);
    ck_assert(toy_client_answer(client, TRANSPORT_FEED, &answer));
    ck_assert_int_eq(answer.header.refusal.status, STATUS_OK);
    toy_answer_release(&answer);
    town_end(&town);
}
END_TEST

/* ---- quiet */

START_TEST(passing_facts_without_effect_writes_no_block)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &loyalty);
    for (int i = 0; i < 20; i++) {
        town_send_add(&town, 0, &(struct toy_add){ "anna", 0, 0 });
        town_run(&town, 2);
    }
    town_run(&town, 10);
    ck_assert_uint_eq(journal_end(town.nodes[0].journal).seq, 20);
    ck_assert_uint_eq(town_blocks(&town, 1), 0);
    toy_node_stop(&town.nodes[1]);
    toy_node_reopen(&town.nodes[1]);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 4, 0 });
    town_run(&town, 20);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 4);
    ck_assert_uint_eq(town_blocks(&town, 1), 1);
    town_agrees(&town, 1);
    town_end(&town);
}
END_TEST

/* Or after a crash all of it would be fetched again. */
START_TEST(many_facts_without_effect_are_worth_a_block)
{
    struct town town;
    struct toy_node_options idle = loyalty;
    idle.toy.folds_to_nothing = true;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &idle);
    for (int i = 0; i < 20; i++) {
        char key[16];
        ck_assert_uint_eq(town_blocks(&town, 1), 0);
        key_make(&town, key);
        toy_many_encode(5000, 16, &town.clients[0].body);
        (void)toy_client_send(&town.clients[0], TRANSPORT_COMMAND, "toy.Many", key);
        town_run(&town, 4);
    }
    town_run(&town, 20);
    ck_assert_uint_eq(town_blocks(&town, 1), 1);
    ck_assert_uint_eq(journal_end(town.nodes[1].journal).seq, 0);
    town_agrees(&town, 1);
    town_end(&town);
}
END_TEST

START_TEST(services_that_read_each_other_go_quiet)
{
    struct town town;
    struct toy_node_options one = { .toy = { "alpha", .reads = { "beta" }, .read_count = 1 } };
    struct toy_node_options other = { .toy = { "beta", .reads = { "alpha" }, .read_count = 1 } };
    town_begin(&town);
    town_add(&town, &one);
    town_add(&town, &other);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_send_add(&town, 1, &(struct toy_add){ "berta", 6, 0 });
    town_run(&town, 150);
    ck_assert_int_eq(town_sum(&town, 0, "berta"), 6);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 5);
    uint64_t blocks[2] = { town_blocks(&town, 0), town_blocks(&town, 1) };
    ck_assert_uint_le(blocks[0] + blocks[1], 4);
    town_run(&town, 300);
    ck_assert_uint_eq(town_blocks(&town, 0), blocks[0]);
    ck_assert_uint_eq(town_blocks(&town, 1), blocks[1]);
    ck_assert_int_gt(shell_wait_ms(town.nodes[0].shell), 0);
    ck_assert_int_gt(shell_wait_ms(town.nodes[1].shell), 0);
    town_end(&town);
}
END_TEST

/* ---- what stands still, and how it goes on */

static enum status accept(struct town *town, size_t i, uint64_t from, const char *reason)
{
    struct toy_answer answer;
    char key[16];
    key_make(town, key);
    town_send_accept(town, i, key,
                     &(struct acceptance){ .feed = "ingestion", .from = from, .reason = reason });
    toy_node_settle(&town->nodes[i]);
    ck_assert(toy_client_answer(&town->clients[i], TRANSPORT_COMMAND, &answer));
    enum status status = answer.header.refusal.status;
    toy_answer_release(&answer);
    return status;
}

/* Ingestion is put back from elsewhere: another journal, with 3 facts. */
static void ingestion_replace(struct town *town)
{
    toy_node_remove(&town->nodes[0]);
    toy_node_open(&town->nodes[0], town->network, &town->clock, &ingestion);
    for (int i = 0; i < 3; i++) {
        town_send_add(town, 0, &(struct toy_add){ "anna", 100, 0 });
    }
    town_run(town, 300);
}

START_TEST(data_loss_stops_one_feed_and_the_rest_goes_on)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &loyalty);
    town_add(&town, &segmentation);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 50);
    ck_assert_int_eq(town_sum(&town, 2, "anna"), 10);
    ready(&town, 1);
    ingestion_replace(&town);
    not_ready(&town, 1, "ingestion/0");
    not_ready(&town, 2, "ingestion/0");
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 5);
    town_send_add(&town, 1, &(struct toy_add){ "anna", 1, 0 }); /* commands go on */
    town_run(&town, 100);
    ck_assert_uint_eq(town_hear(&town, 1), 1);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 6);
    ck_assert_int_eq(town_sum(&town, 2, "anna"), 11); /* and so does the other feed */
    town_end(&town);
}
END_TEST

START_TEST(an_operator_leads_a_stopped_feed_on)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &loyalty);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 50);
    ingestion_replace(&town);
    not_ready(&town, 1, "ingestion/0");
    ck_assert_int_eq(accept(&town, 1, 1, "restored from the backup of Monday"), STATUS_OK);
    ready(&town, 1);
    town_agrees(&town, 1);
    toy_node_crash(&town.nodes[1]); /* before anything was fetched */
    toy_node_reopen(&town.nodes[1]);
    town_run(&town, 200);
    ready(&town, 1);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 205); /* 2 of the 3 facts of the new one */
    town_agrees(&town, 1);
    toy_node_crash(&town.nodes[1]);
    toy_node_reopen(&town.nodes[1]);
    town_run(&town, 200);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 205);
    town_end(&town);
}
END_TEST

START_TEST(a_service_without_journal_is_led_on_too)
{
    struct town town;
    struct toy_node_options reporting = loyalty;
    reporting.toy.name = "reporting";
    reporting.toy.keeps_no_journal = true;
    reporting.checkpoint_interval_ms = 100;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &reporting);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 50);
    ingestion_replace(&town);
    not_ready(&town, 1, "ingestion/0");
    ck_assert_int_eq(accept(&town, 1, 2, "restored"), STATUS_OK);
    town_run(&town, 100);
    ready(&town, 1);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 105);
    toy_node_crash(&town.nodes[1]);
    toy_node_reopen(&town.nodes[1]);
    town_run(&town, 100);
    ready(&town, 1);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 105);
    town_end(&town);
}
END_TEST

START_TEST(accepting_needs_a_known_feed_and_a_reason)
{
    struct town town;
    char *reason = memory_allocate(LIMIT_RECORD_BYTES + 1024);
    memset(reason, 'x', LIMIT_RECORD_BYTES + 1000);
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &loyalty);
    town_run(&town, 5);
    ck_assert_int_eq(accept(&town, 1, 0, NULL), STATUS_MALFORMED);
    ck_assert_int_eq(accept(&town, 1, 0, ""), STATUS_MALFORMED);
    ck_assert_int_eq(accept(&town, 0, 0, "ingestion reads nobody"), STATUS_NOT_FOUND);
    ck_assert_int_eq(accept(&town, 1, 0, reason), STATUS_MALFORMED);
    reason[LIMIT_RECORD_BYTES - 40] = '\0';
    ck_assert_int_eq(accept(&town, 1, 0, reason), STATUS_MALFORMED);
    reason[LIMIT_TEXT_BYTES + 1] = '\0';
    ck_assert_int_eq(accept(&town, 1, 0, reason), STATUS_MALFORMED);
    ck_assert_uint_eq(town_blocks(&town, 1), 0);
    reason[LIMIT_TEXT_BYTES] = '\0';
    ck_assert_int_eq(accept(&town, 1, 0, reason), STATUS_OK);
    town_agrees(&town, 1);
    free(reason);
    town_end(&town);
}
END_TEST

/* ---- time under the wall clock */

START_TEST(a_command_is_decided_by_the_wall_clock_where_no_producer_is_heard)
{
    struct town town;
    struct toy_answer answer;
    town_begin(&town);
    town_add(&town, &loyalty); /* nobody is there to read from */
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    toy_node_turn(&town.nodes[0]);
    ck_assert(!toy_client_answer(&town.clients[0], TRANSPORT_COMMAND, &answer));
    ck_assert_int_gt(shell_wait_ms(town.nodes[0].shell), 0); /* no turning in circles */
    town_run(&town, 110);
    ck_assert_uint_eq(town_hear(&town, 0), 1);
    struct seen_facts seen = town_see(&town, 0);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_int_ge(seen.facts[0].recorded_at_ms, TOY_WALL_MS);
    free(seen.facts);
    town_send_at(&town, 0, &(struct toy_add){ "anna", 6, town.clock.wall_ms + 50 });
    town_run(&town, 10);
    ck_assert_int_eq(town_sum(&town, 0, "anna"), 11); /* and time goes on */
    town_end(&town);
}
END_TEST

START_TEST(each_command_of_a_turn_has_the_time_at_which_it_is_decided)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    for (int i = 0; i < 4; i++) {
        town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    }
    int64_t begin_ms = town.clock.wall_ms;
    town.clock.wall_step_ms = 1;
    toy_node_turn(&town.nodes[0]);
    town.clock.wall_step_ms = 0;
    ck_assert_uint_eq(town_blocks(&town, 0), 1);
    struct seen_facts seen = town_see(&town, 0);
    ck_assert_uint_eq(seen.count, 4);
    for (size_t i = 0; i < seen.count; i++) {
        ck_assert_int_gt(seen.facts[i].recorded_at_ms,
                         i == 0 ? begin_ms : seen.facts[i - 1].recorded_at_ms);
    }
    free(seen.facts);
    town_agrees(&town, 0);
    town_end(&town);
}
END_TEST

START_TEST(a_command_whose_time_is_over_while_it_waits_is_not_decided)
{
    struct town town;
    struct toy_answer answer;
    town_begin(&town);
    town_add(&town, &loyalty); /* it has no now yet, and waits to hear one */
    town.clients[0].timeout_ms = 50;
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 6);
    ck_assert(!toy_client_answer(&town.clients[0], TRANSPORT_COMMAND, &answer));
    town_run(&town, 1);
    ck_assert(toy_client_answer(&town.clients[0], TRANSPORT_COMMAND, &answer));
    ck_assert_int_eq(answer.header.refusal.status, STATUS_TIMEOUT);
    toy_answer_release(&answer);
    town_run(&town, 110);
    ck_assert_int_eq(town_sum(&town, 0, "anna"), 0);
    town_end(&town);
}
END_TEST

START_TEST(a_new_service_folds_history_at_the_time_of_history)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 1);
    int64_t then = TOY_WALL_MS;
    town_pass(&town, 1000000);
    town_add(&town, &loyalty);
    town_send_add(&town, 1, &(struct toy_add){ "berta", 1, 0 });
    town_run(&town, 20);
    ck_assert_uint_eq(town_hear(&town, 1), 1);
    struct seen_facts seen = town_see(&town, 1);
    ck_assert_uint_eq(seen.count, 2);
    for (size_t i = 0; i < seen.count; i++) {
        ck_assert_int_ge(seen.facts[i].recorded_at_ms, then);
        if (seen.facts[i].type == TOY_ECHOED) {
            ck_assert_int_eq(seen.facts[i].recorded_at_ms, then);
        }
    }
    free(seen.facts);
    town_end(&town);
}
END_TEST

START_TEST(time_goes_on_while_a_feed_stands_still)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &loyalty);
    town_send_add(&town, 0, &(struct toy_add){ "anna", 5, 0 });
    town_run(&town, 50);
    ingestion_replace(&town);
    not_ready(&town, 1, "ingestion/0");
    town_send_at(&town, 1, &(struct toy_add){ "anna", 6, town.clock.wall_ms + 500 });
    town_run(&town, 40);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 5);
    town_run(&town, 20);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 11);
    toy_node_crash(&town.nodes[1]); /* and then it never hears how far its producer is */
    toy_node_reopen(&town.nodes[1]);
    town_run(&town, 5);
    not_ready(&town, 1, "ingestion/0");
    town_send_at(&town, 1, &(struct toy_add){ "anna", 7, town.clock.wall_ms + 200 });
    town_run(&town, 30);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 18);
    town_end(&town);
}
END_TEST

/* While a turn of loyalty waits for its sync, ingestion answers, and more time passes than a Fetch
 * has. */
static enum memory_fate slow_sync_judge(void *context, const struct memory_passage *passage)
{
    struct town *town = context;
    if (passage->is_reply && strcmp(passage->from, "loyalty") == 0) {
        town_pass(town, FEED_FETCH_LOST_MS + 500);
        toy_node_turn(&town->nodes[0]);
    }
    return MEMORY_PASS;
}

START_TEST(turns_that_outlast_a_fetch_do_not_take_its_producer_for_gone)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    for (int i = 0; i < 6; i++) {
        char key[16];
        key_make(&town, key);
        toy_many_encode(17, 60000, &town.clients[0].body);
        (void)toy_client_send(&town.clients[0], TRANSPORT_COMMAND, "toy.Many", key);
    }
    town_run(&town, 1);
    int64_t written_ms = town.clock.wall_ms;
    town_pass(&town, DAY_MS);
    town_add(&town, &loyalty);
    toy_node_turn(&town.nodes[1]);
    toy_node_turn(&town.nodes[0]);
    memory_network_judge(town.network, slow_sync_judge, &town);
    for (int i = 0; i < 20; i++) {
        toy_add_encode(&(struct toy_add){ "anna", 0, 0 }, &town.clients[1].body);
        (void)toy_client_send(&town.clients[1], TRANSPORT_COMMAND, "toy.Get", NULL);
        toy_node_turn(&town.nodes[1]);
    }
    memory_network_judge(town.network, NULL, NULL);
    struct seen_facts seen = town_see(&town, 1);
    ck_assert_uint_eq(seen.count, 102);
    for (size_t i = 0; i < seen.count; i++) {
        ck_assert_int_le(seen.facts[i].recorded_at_ms, written_ms);
    }
    free(seen.facts);
    town_end(&town);
}
END_TEST

START_TEST(time_goes_on_while_a_producer_with_more_to_say_is_gone)
{
    struct town town;
    town_begin(&town);
    town_add(&town, &ingestion);
    for (int i = 0; i < 4; i++) {
        char key[16];
        key_make(&town, key);
        toy_many_encode(17, 60000, &town.clients[0].body);
        (void)toy_client_send(&town.clients[0], TRANSPORT_COMMAND, "toy.Many", key);
    }
    town_run(&town, 1);
    town_add(&town, &loyalty);
    toy_node_turn(&town.nodes[1]);
    toy_node_turn(&town.nodes[0]);
    toy_node_turn(&town.nodes[1]); /* the first of several replies */
    toy_node_crash(&town.nodes[0]);
    town_send_at(&town, 1, &(struct toy_add){ "anna", 6, town.clock.wall_ms + 200 });
    town_run(&town, 300);
    ck_assert_int_eq(town_sum(&town, 1, "anna"), 6);
    toy_node_reopen(&town.nodes[0]);
    town_run(&town, 200);
    ck_assert_int_eq(town_sum(&town, 1, "many"), 68);
    town_end(&town);
}
END_TEST

/* A customer of the first or second of two shards. */
static void customer_of_shard(bool second, char name[16])
{
    bool is_found = false;
    for (int i = 0; i < 100 && !is_found; i++) {
        (void)snprintf(name, 16, "c%d", i);
        is_found = (customer_partition(toy_customer(name)) >= PARTITION_COUNT / 2) == second;
    }
    ck_assert(is_found);
}

/* Loyalty's later block is about a customer of another shard: it says nothing about the time
 * at which what ingestion told before is folded. */
START_TEST(a_block_that_the_filter_left_out_does_not_move_time)
{
    struct town town;
    struct toy_node_options shard = segmentation;
    struct toy_node_options silent = loyalty;
    char own[16];
    char other[16];
    customer_of_shard(false, own);
    customer_of_shard(true, other);
    shard.shards = 2;
    silent.toy.folds_to_nothing = true;
    town_begin(&town);
    town_add(&town, &ingestion);
    town_add(&town, &silent);
    town_run(&town, 5);
    int64_t then = town.clock.wall_ms;
    town_send_add(&town, 0, &(struct toy_add){ own, 5, 0 });
    town_run(&town, 1);
    town_pass(&town, 1000);
    town_send_add(&town, 1, &(struct toy_add){ other, 5, 0 });
    town_run(&town, 20);
    size_t i = town_add(&town, &shard);
    town_run(&town, 20);
    struct seen_facts seen = town_see(&town, i);
    ck_assert_uint_ge(seen.count, 1);
    ck_assert_int_eq(seen.facts[0].amount, 5);
    ck_assert_int_eq(seen.facts[0].recorded_at_ms, then);
    free(seen.facts);
    town_end(&town);
}
END_TEST

static Suite *shell_feeds_suite(void)
{
    Suite *suite = suite_create("shell_feeds");
    TCase *folding = tcase_create("folding");
    tcase_set_timeout(folding, 30);
    tcase_add_test(folding, what_one_adds_another_folds);
    tcase_add_test(folding, a_derived_fact_waits_for_its_cause);
    tcase_add_test(folding, a_derived_fact_does_not_wait_for_what_another_shard_never_had);
    tcase_add_test(folding, shards_fold_their_own_customers_each);
    tcase_add_test(folding, facts_from_before_a_change_of_rules_stay_as_they_were);
    tcase_add_test(folding, a_service_without_journal_reads_again_from_its_checkpoint);
    tcase_add_test(folding, a_wait_is_answered_when_the_shell_has_folded);
    suite_add_tcase(suite, folding);
    TCase *quiet = tcase_create("quiet");
    tcase_set_timeout(quiet, 30);
    tcase_add_test(quiet, passing_facts_without_effect_writes_no_block);
    tcase_add_test(quiet, many_facts_without_effect_are_worth_a_block);
    tcase_add_test(quiet, services_that_read_each_other_go_quiet);
    suite_add_tcase(suite, quiet);
    TCase *stopped = tcase_create("stopped");
    tcase_set_timeout(stopped, 30);
    tcase_add_test(stopped, data_loss_stops_one_feed_and_the_rest_goes_on);
    tcase_add_test(stopped, an_operator_leads_a_stopped_feed_on);
    tcase_add_test(stopped, a_service_without_journal_is_led_on_too);
    tcase_add_test(stopped, accepting_needs_a_known_feed_and_a_reason);
    suite_add_tcase(suite, stopped);
    TCase *timing = tcase_create("timing");
    tcase_set_timeout(timing, 30);
    tcase_add_test(timing, a_command_is_decided_by_the_wall_clock_where_no_producer_is_heard);
    tcase_add_test(timing, each_command_of_a_turn_has_the_time_at_which_it_is_decided);
    tcase_add_test(timing, a_command_whose_time_is_over_while_it_waits_is_not_decided);
    tcase_add_test(timing, a_new_service_folds_history_at_the_time_of_history);
    tcase_add_test(timing, time_goes_on_while_a_feed_stands_still);
    tcase_add_test(timing, time_goes_on_while_a_producer_with_more_to_say_is_gone);
    tcase_add_test(timing, turns_that_outlast_a_fetch_do_not_take_its_producer_for_gone);
    tcase_add_test(timing, a_block_that_the_filter_left_out_does_not_move_time);
    suite_add_tcase(suite, timing);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(shell_feeds_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
