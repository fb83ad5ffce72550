/* link: kith_test_support common_service lmdb */
#include "common/service/shell_internal.h"
#include "common/store/store_internal.h"
#include "tests/unit/shell_fixture.h"

#include <sys/stat.h>

/* ---- bounds of a turn */

START_TEST(a_turn_takes_so_many_requests_and_no_more)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    send_adds(&bench, LIMIT_TURN_REQUESTS + 30);
    toy_node_turn(&bench.node);
    ck_assert_uint_eq(hear_all(&bench), LIMIT_TURN_REQUESTS);
    toy_node_turn(&bench.node);
    ck_assert_uint_eq(hear_all(&bench), 30);
    ck_assert_uint_eq(blocks_of(&bench), 2);
    bench_end(&bench);
}
END_TEST

START_TEST(a_turn_may_be_told_to_take_fewer_requests)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ .turn_requests_max = 3 });
    send_adds(&bench, 7);
    toy_node_turn(&bench.node);
    ck_assert_uint_eq(hear_all(&bench), 3);
    toy_node_turn(&bench.node);
    toy_node_turn(&bench.node);
    ck_assert_uint_eq(hear_all(&bench), 4);
    bench_end(&bench);
}
END_TEST

START_TEST(a_turn_takes_so_many_bytes_and_no_more)
{
    struct bench bench;
    char key[16];
    uint8_t *bytes = memory_allocate(LIMIT_BODY_BYTES);
    memset(bytes, 'x', LIMIT_BODY_BYTES);
    bench_begin(&bench, &(struct toy_node_options){ .turn_bytes_max = 64 * 1024 });
    for (int i = 0; i < 4; i++) { /* nobody can read them, but they count */
        (void)snprintf(key, sizeof key, "k%d", i);
        buffer_clear(&bench.client.body);
        ck_assert_int_eq(buffer_append(&bench.client.body, span_of(bytes, LIMIT_BODY_BYTES)),
                         STATUS_OK);
        (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Add", key);
    }
    for (int i = 0; i < 4; i++) {
        toy_node_turn(&bench.node);
        ck_assert_uint_eq(hear_all(&bench), 1);
    }
    free(bytes);
    bench_end(&bench);
}
END_TEST

/* ---- many who ask at once */

/* Stands in for those who ask again while a turn waits for them. */
static struct {
    struct bench *bench;
    int coming; /* how many will still ask, one each time */
    unsigned waits;
} crowd;

static bool crowd_linger(void *context, enum transport_server server, int64_t timeout_us)
{
    char key[16];
    (void)context;
    ck_assert_int_eq(server, TRANSPORT_COMMAND);
    ck_assert_int_gt(timeout_us, 0);
    crowd.waits += 1;
    if (crowd.coming == 0) {
        return false;
    }
    crowd.coming -= 1;
    (void)snprintf(key, sizeof key, "c%u", crowd.waits);
    send_add(crowd.bench, key, "anna", 1);
    return true;
}

/* After a turn that has answered `before`, one that finds a request and in which `coming` more
 * come. Returns how many it answered. */
static size_t crowd_turn(struct bench *bench, int before, int coming)
{
    bench_begin(bench, &(struct toy_node_options){ 0 });
    send_adds(bench, before);
    toy_node_turn(&bench->node);
    ck_assert_uint_eq(hear_all(bench), (size_t)before);
    crowd.bench = bench;
    crowd.coming = coming;
    crowd.waits = 0;
    bench->node.transport.linger = crowd_linger;
    send_add(bench, "first", "anna", 1);
    toy_node_turn(&bench->node);
    return hear_all(bench);
}

START_TEST(where_many_ask_a_turn_waits_for_who_asks_again)
{
    struct bench bench;
    ck_assert_uint_eq(crowd_turn(&bench, CROWD_LEAST, 5), 6);
    ck_assert_uint_eq(crowd.waits, 6);
    ck_assert_uint_eq(blocks_of(&bench), 2);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(where_few_ask_no_turn_waits)
{
    struct bench bench;
    ck_assert_uint_eq(crowd_turn(&bench, CROWD_LEAST - 1, 5), 1);
    ck_assert_uint_eq(crowd.waits, 0);
    bench_end(&bench);
}
END_TEST

START_TEST(a_turn_waits_for_no_more_than_it_takes)
{
    struct bench bench;
    ck_assert_uint_eq(crowd_turn(&bench, CROWD_LEAST, 1000), LIMIT_TURN_REQUESTS);
    ck_assert_uint_eq(crowd.waits, LIMIT_TURN_REQUESTS - 1);
    bench_end(&bench);
}
END_TEST

START_TEST(a_turn_with_nothing_to_sync_waits_for_nobody)
{
    struct bench bench;
    (void)crowd_turn(&bench, CROWD_LEAST, CROWD_LEAST - 1);
    crowd.waits = 0;
    (void)get(&bench, "anna");
    ck_assert_uint_eq(crowd.waits, 0);
    bench_end(&bench);
}
END_TEST

static bool deaf_linger(void *context, enum transport_server server, int64_t timeout_us)
{
    (void)context;
    (void)server;
    (void)timeout_us;
    crowd.waits += 1;
    return true;
}

START_TEST(news_without_a_request_do_not_hold_a_turn)
{
    struct bench bench;
    (void)crowd_turn(&bench, CROWD_LEAST, CROWD_LEAST - 1);
    bench.node.transport.linger = deaf_linger;
    crowd.waits = 0;
    ck_assert_int_eq(add(&bench, "last", "anna", 1).status, STATUS_OK);
    ck_assert_uint_eq(crowd.waits, LIMIT_TURN_REQUESTS);
    bench_end(&bench);
}
END_TEST

struct measure {
    uint64_t blocks;
    uint64_t facts;
    size_t largest;
    uint64_t whole; /* blocks that hold a largest batch */
};

static bool block_measure(void *argument, const struct block *block)
{
    struct measure *measure = argument;
    size_t size = block->public_part.size + block->private_part.size;
    measure->blocks += 1;
    measure->facts += block->header.count;
    measure->largest = size > measure->largest ? size : measure->largest;
    measure->whole += block->header.count >= LIMIT_BATCH_ITEMS ? 1 : 0;
    return true;
}

static struct measure journal_measure(const struct bench *bench)
{
    struct measure measure = { 0 };
    struct refusal refusal;
    struct journal_position start = { 0 };
    ck_assert_int_eq(journal_read(bench->node.journal, &start, block_measure, &measure, &refusal),
                     STATUS_OK);
    return measure;
}

START_TEST(a_turn_makes_as_many_blocks_as_it_needs_in_one_commit)
{
    struct bench bench;
    struct watch watch = { .bench = &bench };
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    memory_network_judge(bench.network, watch_judge, &watch);
    ck_assert_int_eq(many(&bench, "k1", 100, 60000).sum, 100);
    struct measure measure = journal_measure(&bench);
    ck_assert_uint_eq(measure.facts, 100);
    ck_assert_uint_eq(measure.blocks, 6);
    ck_assert_uint_le(measure.largest, LIMIT_BLOCK_BYTES);
    bench_agrees(&bench);
    bench_crash(&bench);
    ck_assert_int_eq(many(&bench, "k1", 100, 60000).sum, 100); /* the stored reply */
    ck_assert_uint_eq(journal_measure(&bench).blocks, 6);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(facts_that_belong_together_stand_in_one_block)
{
    struct bench bench;
    char key[16];
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    for (uint32_t i = 0; i < 3; i++) { /* what comes before fills the block by half */
        (void)snprintf(key, sizeof key, "k%u", i);
        toy_many_encode(8, 60000, &bench.client.body);
        (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Many", key);
        (void)snprintf(key, sizeof key, "t%u", i);
        toy_many_encode(LIMIT_BATCH_ITEMS, 128, &bench.client.body);
        (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Together", key);
    }
    toy_node_turn(&bench.node);
    ck_assert_uint_eq(hear_all(&bench), 6);
    struct measure measure = journal_measure(&bench);
    ck_assert_uint_eq(measure.facts, 3 * (8 + LIMIT_BATCH_ITEMS));
    ck_assert_uint_eq(measure.whole, 3);
    ck_assert_uint_le(measure.largest, LIMIT_BLOCK_BYTES);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(facts_that_no_block_holds_are_refused_before_the_first)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    toy_many_encode(LIMIT_BATCH_ITEMS, 256, &bench.client.body);
    (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Together", "k1");
    struct said said = turn(&bench);
    ck_assert_int_eq(said.status, STATUS_REFUSED);
    ck_assert_uint_eq(journal_measure(&bench).facts, 0);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(outcomes_are_found_in_each_block_of_a_turn)
{
    struct bench bench;
    char key[16];
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    for (uint32_t i = 0; i < 6; i++) {
        (void)snprintf(key, sizeof key, "k%u", i);
        toy_many_encode(10 + i, 40000, &bench.client.body);
        (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Many", key);
    }
    toy_node_turn(&bench.node);
    ck_assert_uint_eq(hear_all(&bench), 6);
    ck_assert_uint_gt(journal_measure(&bench).blocks, 2);
    bench_agrees(&bench);
    for (uint32_t i = 0; i < 12; i++) {
        if (i == 6) {
            bench_crash(&bench);
        }
        (void)snprintf(key, sizeof key, "k%u", i % 6);
        ck_assert_int_eq(many(&bench, key, 10 + i % 6, 40000).sum, 10 + i % 6);
    }
    ck_assert_uint_eq(bench.node.toy.decided, 0);
    bench_end(&bench);
}
END_TEST

/* Much comes of little: intake stops while there is room for what one request may cause. */
START_TEST(a_turn_whose_blocks_are_many_leaves_requests_for_the_next)
{
    struct bench bench;
    char key[16];
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    for (int i = 0; i < 60; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        toy_many_encode(17, 61000, &bench.client.body);
        (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Many", key);
    }
    toy_node_turn(&bench.node);
    size_t first = hear_all(&bench);
    ck_assert_uint_gt(first, 10);
    ck_assert_uint_lt(first, 60);
    toy_node_settle(&bench.node);
    ck_assert_uint_eq(first + hear_all(&bench), 60);
    struct measure measure = journal_measure(&bench);
    ck_assert_uint_eq(measure.facts, 60 * 17);
    ck_assert_uint_le(measure.largest, LIMIT_BLOCK_BYTES);
    bench_end(&bench);
}
END_TEST

START_TEST(replies_of_the_largest_size_are_kept_too)
{
    struct bench bench;
    struct said first[4];
    char key[16];
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    for (int i = 0; i < 4; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        toy_add_encode(&(struct toy_add){ "anna", LIMIT_BODY_BYTES - i, 0 }, &bench.client.body);
        (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Wide", key);
    }
    toy_node_turn(&bench.node);
    for (int i = 0; i < 4; i++) {
        first[i] = hear(&bench);
        ck_assert_int_eq(first[i].status, STATUS_OK);
        ck_assert_uint_eq(first[i].body_size, (size_t)(LIMIT_BODY_BYTES - i));
    }
    bench_crash(&bench);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        toy_add_encode(&(struct toy_add){ "anna", LIMIT_BODY_BYTES - i, 0 }, &bench.client.body);
        (void)toy_client_send(&bench.client, TRANSPORT_COMMAND, "toy.Wide", key);
        struct said again = turn(&bench);
        same(&first[i], &again);
    }
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(a_full_store_refuses_commands_and_goes_on_with_the_rest)
{
    struct bench bench;
    char key[16];
    int taken = 0;
    bench_begin(&bench, &(struct toy_node_options){ .journal_map_bytes = 8 * 1024 * 1024 });
    struct said first = add(&bench, "first", "anna", 5);
    struct said said = first;
    while (said.status == STATUS_OK && taken < 100) {
        (void)snprintf(key, sizeof key, "k%d", taken);
        bench.clock.monotonic_ms += 1000;
        said = many(&bench, key, 4, 60000);
        taken += said.status == STATUS_OK ? 1 : 0;
    }
    ck_assert_int_gt(taken, 10);
    ck_assert_int_lt(taken, 100);
    ck_assert_int_eq(said.status, STATUS_LIMIT);
    ck_assert_uint_gt(said.refusal.retry_after_ms, 0);
    char why[256] = "";
    ck_assert(!shell_is_ready(bench.node.shell, why, sizeof why));
    ck_assert_str_ne(why, "");
    struct said again = add(&bench, "first", "anna", 5);
    same(&first, &again);
    ck_assert_int_eq(get(&bench, "anna").sum, 5);
    bench_end(&bench);
}
END_TEST

START_TEST(a_disk_at_its_reserve_refuses_commands_until_there_is_room)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    struct said first = add(&bench, "first", "anna", 5);
    set_timer(&bench, "timer", &(struct toy_add){ "anna", 7, TOY_WALL_MS + 500 });
    ck_assert_int_eq(turn(&bench).status, STATUS_OK);
    bench.node.limits.disk_reserve_bytes = UINT64_MAX;
    uint64_t blocks = blocks_of(&bench);
    struct said refused = add(&bench, "second", "anna", 1);
    ck_assert_int_eq(refused.status, STATUS_LIMIT);
    ck_assert_ptr_nonnull(strstr(refused.refusal.message, "disk"));
    ck_assert_uint_gt(refused.refusal.retry_after_ms, 0);
    ck_assert_uint_eq(blocks_of(&bench), blocks);
    char why[256] = "";
    ck_assert(!shell_is_ready(bench.node.shell, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "disk"));

    struct said again = add(&bench, "first", "anna", 5);
    same(&first, &again);
    bench.clock.wall_ms += 500; /* time passes all the same */
    toy_node_settle(&bench.node);
    ck_assert_int_eq(get(&bench, "anna").sum, 12);

    bench.node.limits.disk_reserve_bytes = 0;
    ck_assert_int_eq(add(&bench, "second", "anna", 1).status, STATUS_OK);
    ck_assert(shell_is_ready(bench.node.shell, why, sizeof why));
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

/* ---- time */

START_TEST(a_timer_rings_when_its_time_has_come)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    set_timer(&bench, "k1", &(struct toy_add){ "anna", 7, TOY_WALL_MS + 500 });
    ck_assert_int_eq(turn(&bench).status, STATUS_OK);
    ck_assert_int_eq(get(&bench, "anna").sum, 0);
    ck_assert_int_le(shell_wait_ms(bench.node.shell), 500);
    ck_assert_int_gt(shell_wait_ms(bench.node.shell), 0);
    bench.clock.wall_ms += 499;
    toy_node_settle(&bench.node);
    ck_assert_int_eq(get(&bench, "anna").sum, 0);
    bench.clock.wall_ms += 1;
    ck_assert_int_eq(shell_wait_ms(bench.node.shell), 0);
    toy_node_settle(&bench.node);
    ck_assert_int_eq(get(&bench, "anna").sum, 7);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

struct seen_facts {
    size_t count;
    uint32_t types[16];
    int64_t recorded_at_ms[16];
    int64_t amounts[16];
};

static bool facts_see(void *argument, const struct block *block)
{
    struct seen_facts *seen = argument;
    struct arena arena;
    struct block_facts facts;
    arena_init(&arena, 1024 * 1024);
    ck_assert_int_eq(block_facts_decode(block, &arena, &facts), STATUS_OK);
    for (size_t i = 0; i < facts.count && seen->count < 16; i++) {
        seen->types[seen->count] = facts.facts[i].type;
        seen->recorded_at_ms[seen->count] = facts.facts[i].recorded_at_ms;
        seen->amounts[seen->count] =
            facts.facts[i].type == FACT_RULES_CHANGED ? 0 : toy_fact_amount(&facts.facts[i]);
        seen->count += 1;
    }
    arena_release(&arena);
    return true;
}

static struct seen_facts journal_see(const struct bench *bench)
{
    struct seen_facts seen = { 0 };
    struct refusal refusal;
    struct journal_position start = { 0 };
    ck_assert_int_eq(journal_read(bench->node.journal, &start, facts_see, &seen, &refusal),
                     STATUS_OK);
    return seen;
}

START_TEST(what_is_due_comes_before_a_command_each_with_its_own_time)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    set_timer(&bench, "k1", &(struct toy_add){ "anna", 1, TOY_WALL_MS + 300 });
    set_timer(&bench, "k2", &(struct toy_add){ "anna", 2, TOY_WALL_MS + 100 });
    toy_node_turn(&bench.node);
    (void)hear_all(&bench);
    bench.clock.wall_ms += 1000;
    ck_assert_int_eq(add(&bench, "k3", "anna", 10).sum, 13);
    struct seen_facts seen = journal_see(&bench);
    static const uint32_t types[] = { TOY_TIMED, TOY_TIMED, TOY_RANG, TOY_RANG, TOY_ADDED };
    static const int64_t after_ms[] = { 0, 0, 100, 300, 1000 };
    ck_assert_uint_eq(seen.count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(seen.types[i], types[i]);
        ck_assert_int_eq(seen.recorded_at_ms[i], TOY_WALL_MS + after_ms[i]);
    }
    bench_end(&bench);
}
END_TEST

START_TEST(a_timer_set_in_the_past_rings_now)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    set_timer(&bench, "k1", &(struct toy_add){ "anna", 1, TOY_WALL_MS - 5000 });
    toy_node_settle(&bench.node);
    struct seen_facts seen = journal_see(&bench);
    ck_assert_uint_eq(seen.count, 2);
    ck_assert_int_eq(seen.recorded_at_ms[1], TOY_WALL_MS);
    bench_end(&bench);
}
END_TEST

/* Sends timers for many customers, `due_step_ms` apart. */
static void set_timers(struct bench *bench, int count, int64_t due_step_ms)
{
    char customer[16];
    for (int i = 0; i < count; i++) {
        (void)snprintf(customer, sizeof customer, "c%d", i);
        struct toy_add timer = { customer, 1, TOY_WALL_MS + 1000 + i * due_step_ms };
        set_timer(bench, customer, &timer);
    }
    toy_node_settle(&bench->node);
    ck_assert_uint_eq(hear_all(bench), (size_t)count);
    toy_client_close(&bench->client);
    toy_client_open(&bench->client, bench->network, &bench->clock, "client", "loyalty");
}

START_TEST(ticks_are_spread_over_turns_and_a_command_waits_for_them)
{
    struct bench bench;
    int64_t due_step_ms = _i; /* 0: all at one instant */
    int count = 2 * LIMIT_TURN_TICK_FACTS + 500;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    set_timers(&bench, count, due_step_ms);
    uint64_t seq = journal_end(bench.node.journal).seq;
    bench.clock.wall_ms += 1000 + count * due_step_ms;
    send_add(&bench, "k", "anna", 1);
    for (uint64_t slice = 1; slice <= 2; slice++) {
        toy_node_turn(&bench.node);
        ck_assert_uint_eq(journal_end(bench.node.journal).seq, seq + slice * LIMIT_TURN_TICK_FACTS);
        ck_assert(!hear(&bench).is_there);
        ck_assert_int_eq(shell_wait_ms(bench.node.shell), 0);
    }
    toy_node_turn(&bench.node);
    ck_assert_uint_eq(journal_end(bench.node.journal).seq, seq + (uint64_t)count + 1);
    ck_assert_int_eq(hear(&bench).sum, 1);
    ck_assert_int_gt(shell_wait_ms(bench.node.shell), 0);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(nothing_to_do_is_a_long_wait)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    toy_node_settle(&bench.node);
    ck_assert_int_ge(shell_wait_ms(bench.node.shell), 1000);
    bench_end(&bench);
}
END_TEST

/* ---- rules, recovery, checkpoints */

START_TEST(rules_are_journalled_when_they_are_new)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ .toy.rules = "2" });
    ck_assert_uint_eq(journal_end(bench.node.journal).seq, 1);
    bench_crash(&bench);
    toy_node_stop(&bench.node);
    toy_node_reopen(&bench.node);
    ck_assert_uint_eq(journal_end(bench.node.journal).seq, 1);
    toy_node_crash(&bench.node);
    bench.node.options.toy.rules = "3";
    toy_node_reopen(&bench.node);
    ck_assert_uint_eq(journal_end(bench.node.journal).seq, 2);
    ck_assert_uint_eq(journal_see(&bench).types[1], FACT_RULES_CHANGED);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(new_rules_that_cannot_be_committed_are_told)
{
    struct bench bench;
    struct refusal refusal;
    char rules[LIMIT_STATE_VALUE_BYTES] = "";
    bench_begin(&bench, &(struct toy_node_options){ .toy.rules = "2" });
    toy_node_crash(&bench.node);
    memset(rules, '3', sizeof rules - 1);
    bench.node.options.toy.rules = rules;
    bench.node.options.journal_map_bytes = 4096; /* LMDB makes it what the file has */
    refusal_init(&refusal);
    ck_assert_int_eq(toy_node_try(&bench.node, &refusal), STATUS_LIMIT);
    ck_assert_int_eq(refusal.status, STATUS_LIMIT);
    ck_assert_ptr_nonnull(strstr(refusal.message, "rules"));
    ck_assert_ptr_nonnull(strstr(refusal.message, status_text(STATUS_LIMIT)));
    bench.node.options.journal_map_bytes = 0;
    toy_node_reopen(&bench.node);
    ck_assert_uint_eq(journal_end(bench.node.journal).seq, 2);
    bench_agrees(&bench);
    bench_end(&bench);
}
END_TEST

START_TEST(a_start_has_room_reserved_before_its_first_turn)
{
    struct bench bench;
    struct stat file;
    bench_begin(&bench, &(struct toy_node_options){ .toy.rules = "2" });
    ck_assert_int_eq(stat(bench.node.journal_path, &file), 0);
    ck_assert_int_gt(file.st_blocks * 512, file.st_size + LIMIT_BODY_BYTES);
    bench_end(&bench);
}
END_TEST

START_TEST(a_checkpoint_is_made_after_its_interval_and_shortens_recovery)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ .checkpoint_records = 2,
                                                    .checkpoint_interval_ms = 1000 });
    send_adds(&bench, 20);
    toy_node_settle(&bench.node);
    ck_assert_uint_eq(store_checkpoint(bench.node.store).seq, 0);
    ck_assert_int_le(shell_wait_ms(bench.node.shell), 1000);
    bench.clock.monotonic_ms += 1000;
    toy_node_turn(&bench.node);
    ck_assert(store_checkpoint_running(bench.node.store));
    ck_assert_int_eq(shell_wait_ms(bench.node.shell), 0);
    (void)hear_all(&bench);
    ck_assert_int_eq(add(&bench, "between", "anna", 1).sum, 21); /* commands go on meanwhile */
    toy_node_settle(&bench.node);
    ck_assert_uint_eq(store_checkpoint(bench.node.store).seq, 20);
    ck_assert_int_gt(shell_wait_ms(bench.node.shell), 0);
    bench_crash(&bench);
    ck_assert_int_eq(get(&bench, "anna").sum, 21);
    bench_agrees(&bench);
    bench.clock.monotonic_ms += 1000;
    toy_node_settle(&bench.node);
    ck_assert_uint_eq(store_checkpoint(bench.node.store).seq, 21);
    bench.clock.monotonic_ms += 5000;
    toy_node_settle(&bench.node); /* nothing has changed: no checkpoint, no waking for one */
    ck_assert_int_gt(shell_wait_ms(bench.node.shell), 1000);
    bench_end(&bench);
}
END_TEST

START_TEST(a_checkpoint_that_outlasts_its_interval_does_not_keep_the_loop_awake)
{
    struct bench bench;
    bench_begin(&bench, &(struct toy_node_options){ .checkpoint_interval_ms = 1000,
                                                    .has_flush_thread = true });
    send_adds(&bench, 20);
    toy_node_settle(&bench.node);
    MDB_txn *held = NULL; /* the flush thread waits for it */
    ck_assert_int_eq(store_file_write_begin(&bench.node.store->file, &held), STATUS_OK);
    bench.clock.monotonic_ms += 1000;
    toy_node_turn(&bench.node);
    (void)hear_all(&bench);
    ck_assert_int_eq(add(&bench, "between", "anna", 1).sum, 21);
    bench.clock.monotonic_ms += 1000;
    toy_node_turn(&bench.node);
    ck_assert(store_checkpoint_running(bench.node.store));
    ck_assert_int_gt(shell_wait_ms(bench.node.shell), 0);
    mdb_txn_abort(held);
    bench_end(&bench);
}
END_TEST

START_TEST(state_that_is_ahead_of_its_journal_is_refused)
{
    struct bench bench;
    struct refusal refusal;
    bench_begin(&bench, &(struct toy_node_options){ 0 });
    (void)add(&bench, "k1", "anna", 1);
    toy_node_stop(&bench.node);
    char kept[128];
    (void)snprintf(kept, sizeof kept, "%s.kept", bench.node.journal_path);
    ck_assert_int_eq(rename(bench.node.journal_path, kept), 0);
    refusal_init(&refusal);
    ck_assert_int_eq(toy_node_try(&bench.node, &refusal), STATUS_CORRUPT);
    ck_assert_ptr_null(bench.node.shell);
    ck_assert_str_ne(refusal.message, "");
    ck_assert_int_eq(rename(kept, bench.node.journal_path), 0);
    toy_node_reopen(&bench.node);
    ck_assert_int_eq(get(&bench, "anna").sum, 1);
    bench_end(&bench);
}
END_TEST
static Suite *shell_turn_suite(void)
{
    Suite *suite = suite_create("shell_turn");
    TCase *bounds = tcase_create("bounds");
    tcase_add_test(bounds, a_turn_takes_so_many_requests_and_no_more);
    tcase_add_test(bounds, a_turn_may_be_told_to_take_fewer_requests);
    tcase_add_test(bounds, a_turn_takes_so_many_bytes_and_no_more);
    tcase_add_test(bounds, where_many_ask_a_turn_waits_for_who_asks_again);
    tcase_add_test(bounds, where_few_ask_no_turn_waits);
    tcase_add_test(bounds, a_turn_waits_for_no_more_than_it_takes);
    tcase_add_test(bounds, a_turn_with_nothing_to_sync_waits_for_nobody);
    tcase_add_test(bounds, news_without_a_request_do_not_hold_a_turn);
    tcase_add_test(bounds, a_turn_makes_as_many_blocks_as_it_needs_in_one_commit);
    tcase_add_test(bounds, outcomes_are_found_in_each_block_of_a_turn);
    tcase_add_test(bounds, facts_that_belong_together_stand_in_one_block);
    tcase_add_test(bounds, facts_that_no_block_holds_are_refused_before_the_first);
    tcase_add_test(bounds, a_turn_whose_blocks_are_many_leaves_requests_for_the_next);
    tcase_add_test(bounds, replies_of_the_largest_size_are_kept_too);
    tcase_add_test(bounds, a_full_store_refuses_commands_and_goes_on_with_the_rest);
    tcase_add_test(bounds, a_disk_at_its_reserve_refuses_commands_until_there_is_room);
    suite_add_tcase(suite, bounds);
    TCase *ticking = tcase_create("ticking");
    tcase_add_test(ticking, a_timer_rings_when_its_time_has_come);
    tcase_add_test(ticking, what_is_due_comes_before_a_command_each_with_its_own_time);
    tcase_add_test(ticking, a_timer_set_in_the_past_rings_now);
    tcase_add_loop_test(ticking, ticks_are_spread_over_turns_and_a_command_waits_for_them, 0, 2);
    tcase_add_test(ticking, nothing_to_do_is_a_long_wait);
    suite_add_tcase(suite, ticking);
    TCase *recovering = tcase_create("recovering");
    tcase_add_test(recovering, rules_are_journalled_when_they_are_new);
    tcase_add_test(recovering, new_rules_that_cannot_be_committed_are_told);
    tcase_add_test(recovering, a_start_has_room_reserved_before_its_first_turn);
    tcase_add_test(recovering, a_checkpoint_is_made_after_its_interval_and_shortens_recovery);
    tcase_add_test(recovering,
                   a_checkpoint_that_outlasts_its_interval_does_not_keep_the_loop_awake);
    tcase_add_test(recovering, state_that_is_ahead_of_its_journal_is_refused);
    suite_add_tcase(suite, recovering);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(shell_turn_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
