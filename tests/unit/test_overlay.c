/* link: common_store */
#include "common/store/overlay.h"
#include "tests/unit/store_fixture.h"

/* ---- a view of a model: what lies below */

struct below {
    struct model *model;
    struct model_value value; /* of the newest get or visit */
};

static bool below_get(void *context, uint8_t table, struct span key, struct span *value)
{
    struct below *below = context;
    size_t place = model_place(below->model, table, key);
    if (!model_has(below->model, place, table, key)) {
        return false;
    }
    model_value_make(&below->model->records[place], &below->value);
    *value = below->value.span;
    return true;
}

static void below_scan(void *context, const struct view_range *range, view_visit visit,
                       void *argument)
{
    struct below *below = context;
    for (size_t i = model_place(below->model, range->table, range->from); i < below->model->count;
         i++) {
        const struct model_record *record = &below->model->records[i];
        model_value_make(record, &below->value);
        if (record->table != range->table ||
            !visit(argument, model_key(record), below->value.span)) {
            break;
        }
    }
}

static struct view below_view(struct below *below)
{
    return (struct view){ .context = below, .get = below_get, .scan = below_scan };
}

/* ---- a change that keeps count: the target */

struct target {
    struct below below;
    size_t puts;
    size_t deletes;
    uint8_t table;
    uint8_t key[MODEL_KEY_BYTES_MAX];
    size_t key_size;
};

static void order_check(struct target *target, uint8_t table, struct span key)
{
    if (target->puts + target->deletes > 0) {
        struct span before = span_of(target->key, target->key_size);
        ck_assert(target->table < table ||
                  (target->table == table && span_compare(before, key) < 0));
    }
    target->table = table;
    target->key_size = key.size;
    ck_assert_uint_le(key.size, sizeof target->key);
    if (key.size > 0) {
        memcpy(target->key, key.data, key.size);
    }
}

static void target_put(void *context, uint8_t table, struct span key, struct span value)
{
    struct target *target = context;
    order_check(target, table, key);
    ck_assert_uint_le(value.size, LIMIT_STATE_VALUE_BYTES);
    target->puts++;
}

static void target_delete(void *context, uint8_t table, struct span key)
{
    struct target *target = context;
    order_check(target, table, key);
    target->deletes++;
}

static struct change target_change(struct target *target)
{
    return (struct change){
        .view = below_view(&target->below),
        .context = target,
        .put = target_put,
        .delete = target_delete,
    };
}

/* ---- tests */

static bool never_visit(void *argument, struct span key, struct span value)
{
    (void)argument;
    ck_assert_msg(false, "a record of %zu and %zu bytes", key.size, value.size);
    return false;
}

START_TEST(an_overlay_over_nothing_is_empty_and_closes)
{
    struct model *model = memory_allocate(sizeof *model);
    struct below below = { .model = model };
    struct view view = below_view(&below);
    struct overlay *overlay = NULL;
    overlay_open(&overlay, &view);
    struct change change = overlay_change(overlay);
    view_scan(&change.view, TABLE_LOW, (struct span){ 0 }, never_visit, NULL);
    change_delete(&change, TABLE_LOW, span_of_text("a"));
    view_scan(&change.view, TABLE_LOW, (struct span){ 0 }, never_visit, NULL);
    overlay_close(&overlay);
    ck_assert_ptr_null(overlay);
    overlay_close(&overlay);
    free(model);
}
END_TEST

START_TEST(an_overlay_shows_its_changes_over_the_view_below)
{
    struct chance chance = chance_draw("overlay");
    struct model *base = memory_allocate(sizeof *base);
    struct model *model = memory_allocate(sizeof *model);
    for (size_t i = 0; i < 100; i++) {
        struct model_record record = record_draw(&chance);
        model_put(base, &record);
    }
    struct below below = { .model = base };
    struct view view = below_view(&below);
    for (size_t round = 0; round < 20; round++) {
        struct overlay *overlay = NULL;
        overlay_open(&overlay, &view);
        struct change change = overlay_change(overlay);
        *model = *base;
        for (size_t i = 0; i < 60; i++) {
            change_draw(&chance, model, &change);
            model_check_some(&chance, model, &change.view);
        }
        model_check(model, &change.view);
        model_check(base, &view);
        overlay_close(&overlay);
    }
    free(model);
    free(base);
}
END_TEST

START_TEST(an_overlay_may_lie_over_another)
{
    struct chance chance = chance_draw("overlays");
    struct model *base = memory_allocate(sizeof *base);
    struct model *model = memory_allocate(sizeof *model);
    struct below below = { .model = base };
    struct view view = below_view(&below);
    struct overlay *lower = NULL;
    struct overlay *upper = NULL;
    overlay_open(&lower, &view);
    struct change lower_change = overlay_change(lower);
    for (size_t i = 0; i < 100; i++) {
        change_draw(&chance, model, &lower_change);
    }
    overlay_open(&upper, &lower_change.view);
    struct change upper_change = overlay_change(upper);
    for (size_t i = 0; i < 100; i++) {
        change_draw(&chance, model, &upper_change);
    }
    model_check(model, &upper_change.view);
    overlay_keep(upper, &lower_change);
    overlay_close(&upper);
    model_check(model, &lower_change.view);
    overlay_close(&lower);
    free(model);
    free(base);
}
END_TEST

START_TEST(kept_changes_arrive_in_key_order_and_once)
{
    struct chance chance = chance_draw("keep");
    struct model *base = memory_allocate(sizeof *base);
    struct model *model = memory_allocate(sizeof *model);
    struct target target = { .below = { .model = base } };
    struct change into = target_change(&target);
    struct overlay *overlay = NULL;
    overlay_open(&overlay, &into.view);
    struct change change = overlay_change(overlay);
    for (size_t i = 0; i < 300; i++) {
        change_draw(&chance, model, &change);
    }
    ck_assert_uint_eq(target.puts + target.deletes, 0);
    overlay_keep(overlay, &into);
    ck_assert_uint_eq(target.puts, model->count);
    ck_assert_uint_gt(target.deletes, 0);
    overlay_close(&overlay);
    free(model);
    free(base);
}
END_TEST

START_TEST(over_a_store_a_batch_is_kept_or_dropped_whole)
{
    struct chance chance = chance_draw("batch");
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.checkpoint_records = 5;
    struct store *store = store_make(&options);
    struct model *model = memory_allocate(sizeof *model);
    struct model *tried = memory_allocate(sizeof *tried);
    struct change into = store_change(store);
    for (uint64_t round = 1; round < 60; round++) {
        struct overlay *overlay = NULL;
        overlay_open(&overlay, &into.view);
        struct change change = overlay_change(overlay);
        *tried = *model;
        uint64_t before = store_touched(store);
        for (size_t i = 0; i < 20; i++) {
            change_draw(&chance, tried, &change);
        }
        model_check(tried, &change.view);
        ck_assert_uint_eq(store_touched(store), before);
        if (chance_below(&chance, 2) == 0) {
            overlay_keep(overlay, &into);
            *model = *tried;
        }
        overlay_close(&overlay);
        model_check(model, &into.view);
        if (round % 15 == 0) {
            checkpoint_make(store, round);
        }
        ck_assert_int_eq(store_turn_end(store), STATUS_OK);
    }
    store_close(&store);
    free(tried);
    free(model);
    folder_remove(&folder);
}
END_TEST

static bool putting_visit(void *argument, struct span key, struct span value)
{
    const struct change *change = argument;
    change_put(change, TABLE_LOW, key, value);
    return true;
}

static void put_during_scan(void *argument)
{
    struct overlay *overlay = argument;
    struct change change = overlay_change(overlay);
    view_scan(&change.view, TABLE_LOW, (struct span){ 0 }, putting_visit, &change);
}

static void oversized_put(void *argument)
{
    struct overlay *overlay = argument;
    struct change change = overlay_change(overlay);
    uint8_t value[LIMIT_STATE_VALUE_BYTES + 1] = { 0 };
    change_put(&change, TABLE_LOW, span_of_text("a"), span_of(value, sizeof value));
}

START_TEST(a_put_during_a_scan_and_one_past_the_bound_are_bugs)
{
    struct model *model = memory_allocate(sizeof *model);
    struct below below = { .model = model };
    struct view view = below_view(&below);
    struct overlay *overlay = NULL;
    overlay_open(&overlay, &view);
    struct change change = overlay_change(overlay);
    change_put(&change, TABLE_LOW, span_of_text("a"), span_of_text("1"));
    ck_assert(child_aborts(put_during_scan, overlay));
    ck_assert(child_aborts(oversized_put, overlay));
    overlay_close(&overlay);
    free(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("overlay");
    TCase *tcase = tcase_create("overlay");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_overlay_over_nothing_is_empty_and_closes);
    tcase_add_test(tcase, an_overlay_shows_its_changes_over_the_view_below);
    tcase_add_test(tcase, an_overlay_may_lie_over_another);
    tcase_add_test(tcase, kept_changes_arrive_in_key_order_and_once);
    tcase_add_test(tcase, over_a_store_a_batch_is_kept_or_dropped_whole);
    tcase_add_test(tcase, a_put_during_a_scan_and_one_past_the_bound_are_bugs);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
