/* link: kith_test_support common_store */
#include "tests/unit/store_fixture.h"

#define MAP_BYTES (16U << 20)
#define VALUE_BYTES 1000
#define RECORDS_A_TURN 16
#define TURN_BYTES (64U << 10)
/* So many turns without a word of room, and nothing that still writes: it is full. */
#define FULL_TURNS 200

struct filling {
    struct store *store;
    struct change change;
    uint32_t records;
    uint32_t full_turns;
    uint64_t block;
};

static void records_put(struct filling *filling)
{
    uint8_t value[VALUE_BYTES] = { 0 };
    for (int i = 0; i < RECORDS_A_TURN; i++) {
        uint32_t number = filling->records++;
        struct hash128 key = hash128_of_span(span_of(&number, sizeof number));
        change_put(&filling->change, TABLE_LOW, span_of(key.bytes, 16),
                   span_of(value, sizeof value));
    }
}

/* A turn as a service takes it: it writes only where there is room for all that comes of it. */
static void turn_take(struct filling *filling)
{
    struct store *store = filling->store;
    bool has_room = store_reserve(store, TURN_BYTES) == STATUS_OK;
    filling->full_turns = has_room ? 0 : filling->full_turns + 1;
    if (has_room) {
        records_put(filling);
    }
    ck_assert_int_eq(store_turn_end(store), STATUS_OK);
    if (!store_checkpoint_running(store) && (store_wants_checkpoint(store) || !has_room)) {
        struct journal_position position = position_of(++filling->block);
        store_checkpoint_begin(store, &position);
    }
    if (store_checkpoint_running(store)) {
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
    }
}

START_TEST(a_map_that_nears_its_end_says_so_before_it_ends)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.map_bytes = MAP_BYTES;
    options.has_flush_thread = _i == 1;
    struct filling filling = { .store = store_make(&options) };
    filling.change = store_change(filling.store);
    while (filling.full_turns < FULL_TURNS) {
        turn_take(&filling);
        ck_assert_uint_lt(filling.records, MAP_BYTES / VALUE_BYTES);
    }
    size_t used = 0;
    size_t map = 0;
    store_space(filling.store, &used, &map);
    ck_assert_uint_gt(used, map / 2);
    struct journal_position position = position_of(++filling.block);
    ck_assert_int_eq(store_checkpoint_whole(filling.store, &position), STATUS_OK);
    struct view view = store_view(filling.store);
    for (uint32_t i = 0; i < filling.records; i++) {
        struct hash128 key = hash128_of_span(span_of(&i, sizeof i));
        struct span value = { NULL, 0 };
        ck_assert(view_get(&view, TABLE_LOW, span_of(key.bytes, 16), &value));
    }
    store_close(&filling.store);
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_room");
    TCase *tests = tcase_create("full maps");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_map_that_nears_its_end_says_so_before_it_ends, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
