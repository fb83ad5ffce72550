/* link: kith_parts */
#include "cli/load_source.h"
#include "cli/order.h"
#include "ingest_fixture.h"

#include <time.h>

struct item {
    int64_t at_ms;
    uint32_t number;
    uint32_t size;
};

/* A generator of its own: small, and the same everywhere. */
struct chance {
    uint64_t state;
};

static uint32_t chance_below(struct chance *chance, uint32_t bound)
{
    chance->state = chance->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(chance->state >> 33) % bound;
}

static struct chance chance_begin(void)
{
    const char *given = getenv("KITH_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    (void)printf("seed %llu (KITH_SEED)\n", (unsigned long long)seed);
    return (struct chance){ .state = seed };
}

/* Two sorted neighbours of `half` items (the second may be shorter) into one. */
static void items_merge(struct item *items, struct item *scratch, size_t count, size_t half)
{
    size_t left = 0;
    size_t right = half;
    for (size_t i = 0; i < count; i++) {
        bool take_left = right == count || (left < half && items[left].at_ms <= items[right].at_ms);
        scratch[i] = take_left ? items[left++] : items[right++];
    }
    memcpy(items, scratch, count * sizeof *items);
}

/* The simplest stable sort there is. */
static void items_sort(struct item *items, struct item *scratch, size_t count)
{
    for (size_t half = 1; half < count; half *= 2) {
        for (size_t begin = 0; begin + half < count; begin += 2 * half) {
            size_t left = count - begin;
            items_merge(items + begin, scratch, left < 2 * half ? left : 2 * half, half);
        }
    }
}

static void payload_make(const struct item *item, uint8_t *payload)
{
    memset(payload, (int)(item->number & 0xFF), item->size);
    be32_put(payload, item->number);
}

static void order_check(struct item *items, size_t count, size_t memory_bytes)
{
    struct test_folder folder = folder_open();
    struct order *order = NULL;
    uint8_t *payload = malloc(ORDER_PAYLOAD_BYTES);
    struct item *scratch = calloc(count + 1, sizeof *scratch);
    ck_assert(payload != NULL && scratch != NULL);
    order_open(&order, folder.path, memory_bytes);
    for (size_t i = 0; i < count; i++) {
        payload_make(&items[i], payload);
        ck_assert_int_eq(order_add(order, items[i].at_ms, span_of(payload, items[i].size), NULL),
                         STATUS_OK);
    }
    ck_assert_int_eq(order_finish(order, NULL), STATUS_OK);
    items_sort(items, scratch, count);
    struct span got = { NULL, 0 };
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq((int)order_next(order, &got, NULL), ROW_READ);
        payload_make(&items[i], payload);
        ck_assert_msg(span_equal(got, span_of(payload, items[i].size)), "row %zu of %zu", i, count);
    }
    ck_assert_int_eq((int)order_next(order, &got, NULL), ROW_END);
    ck_assert_int_eq((int)order_next(order, &got, NULL), ROW_END);
    order_close(&order);
    free(payload);
    free(scratch);
    folder_close(&folder); /* its files had no names */
}

static void items_fill(struct item *items, size_t count, struct chance *chance, uint32_t times)
{
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct item){ .at_ms = (int64_t)chance_below(chance, times) - times / 2,
                                  .number = (uint32_t)i,
                                  .size = 4 + chance_below(chance, 60) };
    }
}

/* Few different times, so that most rows are equal to many others; so little memory that
 * pieces are merged in more than one pass. */
START_TEST(rows_come_out_as_a_stable_sort_has_them)
{
    static const size_t memories[] = { 1, 200, 1000, 20000, 1 << 24 };
    struct chance chance = chance_begin();
    struct item *items = calloc(20000, sizeof *items);
    ck_assert_ptr_nonnull(items);
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++) {
        size_t count = memories[i] == 1 ? 300 : 20000;
        uint32_t times = 1U << chance_below(&chance, 16);
        items_fill(items, count, &chance, times);
        order_check(items, count, memories[i]);
    }
    free(items);
}
END_TEST

START_TEST(few_rows_need_no_file)
{
    struct item items[] = { { .at_ms = 5, .number = 0, .size = 4 },
                            { .at_ms = INT64_MIN, .number = 1, .size = 4 },
                            { .at_ms = 5, .number = 2, .size = 4 },
                            { .at_ms = INT64_MAX, .number = 3, .size = 4 } };
    for (size_t count = 0; count <= 4; count++) {
        order_check(items, count, 1 << 20);
    }
}
END_TEST

/* The largest payloads, in pieces of one row each, and more of them than merge at a time. */
START_TEST(the_largest_payloads_fit)
{
    struct item items[ORDER_FAN_IN + 3];
    size_t count = sizeof items / sizeof items[0];
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct item){ .at_ms = (int64_t)(i % 3),
                                  .number = (uint32_t)i,
                                  .size = i % 2 == 0 ? ORDER_PAYLOAD_BYTES : 4 };
    }
    order_check(items, count, ORDER_PAYLOAD_BYTES);
}
END_TEST

START_TEST(a_folder_that_takes_no_file_is_told)
{
    struct order *order = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    order_open(&order, "/nowhere", 1);
    ck_assert_int_eq(order_add(order, 1, BYTES("a"), &refusal), STATUS_OK);
    ck_assert_int_eq(order_add(order, 1, BYTES("b"), &refusal), STATUS_NOT_FOUND);
    order_close(&order);
}
END_TEST

/* ---- rows of files by time */

#define SOURCE_MAP                                                                                 \
    "version: 1\nsource: s\nformat: columns\nheader: false\n"                                      \
    "event: {type: visit, id: [2], customer: 2, occurred_at: {column: 1, format: unix_s}}\n"

struct source_fixture {
    struct test_folder folder;
    struct map *map;
    struct zone *zone;
    struct input_file files[2];
    struct load_source *source;
};

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void source_open(struct source_fixture *fixture, bool by_time)
{
    struct load_source_options options = { .files = fixture->files,
                                           .file_count = 2,
                                           .map = fixture->map,
                                           .zone = fixture->zone,
                                           .by_time = by_time,
                                           .folder = fixture->folder.path,
                                           .memory_bytes = 100 };
    load_source_close(&fixture->source);
    ck_assert_int_eq(load_source_open(&fixture->source, &options, NULL), STATUS_OK);
}

static void source_fixture_open(struct source_fixture *fixture)
{
    static char paths[2][64];
    static const char *const texts[] = { "x a1\n5 a2\nx a3\n3 a4\n9 a5", "5 b1\n1 b2\nx b3\n" };
    *fixture = (struct source_fixture){ .folder = folder_open(), .map = map_of(SOURCE_MAP) };
    ck_assert_int_eq(zone_open(&fixture->zone, "UTC", NULL), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/%d", fixture->folder.path, i);
        file_write(paths[i], texts[i]);
        ck_assert_int_eq(input_file_open(&fixture->files[i], paths[i], fixture->folder.path, NULL),
                         STATUS_OK);
    }
}

static void source_fixture_close(struct source_fixture *fixture)
{
    load_source_close(&fixture->source);
    input_file_close(&fixture->files[0]);
    input_file_close(&fixture->files[1]);
    zone_close(&fixture->zone);
    map_close(&fixture->map);
    folder_close(&fixture->folder);
}

/* The ids of all rows that follow, each with a blank behind it. */
static void source_tell(struct source_fixture *fixture, char *told, size_t size)
{
    struct load_row row = { .item = { NULL, 0 } };
    size_t used = 0;
    told[0] = '\0';
    while (load_source_next(fixture->source, &row, NULL) == ROW_READ) {
        used += (size_t)snprintf(told + used, size - used, "%.*s ", (int)row.id.size,
                                 (const char *)row.id.data);
    }
}

START_TEST(rows_that_cannot_be_mapped_stay_behind_the_row_before_them)
{
    static const char *const orders[] = { "a1 a2 a3 a4 a5 b1 b2 b3 ", "a1 b2 b3 a4 a2 a3 b1 a5 " };
    struct source_fixture fixture;
    source_fixture_open(&fixture);
    char told[128];
    source_open(&fixture, _i == 1);
    source_tell(&fixture, told, sizeof told);
    ck_assert_str_eq(told, orders[_i]);
    source_fixture_close(&fixture);
}
END_TEST

START_TEST(a_source_goes_on_at_any_place)
{
    struct source_fixture fixture;
    source_fixture_open(&fixture);
    char whole[128];
    source_open(&fixture, _i == 1);
    source_tell(&fixture, whole, sizeof whole);
    for (size_t rows = 0; rows <= 8; rows++) {
        char told[128];
        struct load_row row = { .item = { NULL, 0 } };
        source_open(&fixture, _i == 1);
        for (size_t i = 0; i < rows; i++) {
            ck_assert_int_eq((int)load_source_next(fixture.source, &row, NULL), ROW_READ);
        }
        struct load_place place = load_source_place(fixture.source);
        source_open(&fixture, _i == 1);
        ck_assert_int_eq(load_source_seek(fixture.source, place, NULL), STATUS_OK);
        source_tell(&fixture, told, sizeof told);
        ck_assert_str_eq(told, whole + 3 * rows);
    }
    source_fixture_close(&fixture);
}
END_TEST

START_TEST(a_file_that_changes_while_it_is_read_is_told)
{
    struct source_fixture fixture;
    source_fixture_open(&fixture);
    source_open(&fixture, /* by_time= */ false);
    file_write(fixture.files[1].name, "5 b1\n2 b2\nx b3\n");
    struct load_row row = { .item = { NULL, 0 } };
    struct refusal refusal;
    refusal_init(&refusal);
    enum row_step step = ROW_READ;
    while (step == ROW_READ) {
        step = load_source_next(fixture.source, &row, &refusal);
    }
    ck_assert_int_eq((int)step, ROW_BROKEN);
    ck_assert_int_eq(refusal.status, STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(refusal.message, "was changed while it was read"));
    source_fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("order");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, rows_come_out_as_a_stable_sort_has_them);
    tcase_add_test(cases, few_rows_need_no_file);
    tcase_add_test(cases, the_largest_payloads_fit);
    tcase_add_test(cases, a_folder_that_takes_no_file_is_told);
    tcase_add_loop_test(cases, rows_that_cannot_be_mapped_stay_behind_the_row_before_them, 0, 2);
    tcase_add_loop_test(cases, a_source_goes_on_at_any_place, 0, 2);
    tcase_add_test(cases, a_file_that_changes_while_it_is_read_is_told);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
