/* link: reporting_core */
#include "tests/unit/reporting_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY INT64_C(10000)

/* ---- totals */

struct revenue_row {
    const char *type;
    int64_t revenue_minor; /* of an amount of 2933 */
};

static const struct revenue_row revenue_rows[] = {
    { EVENT_PURCHASE, 2933 },   { EVENT_BILL_PAID, 2933 },
    { EVENT_RECHARGE, 2933 },   { EVENT_USAGE, 0 },
    { EVENT_COMPLAINT, 0 },     { EVENT_CUSTOMER_REGISTERED, 0 },
    { "purchase.returned", 0 }, { "bill", 0 },
};

START_TEST(revenue_is_purchases_bills_paid_and_recharges)
{
    const struct revenue_row *row = &revenue_rows[_i];
    struct board board;
    board_open(&board, NULL, NULL);
    board_event(&board, 1, &(struct board_event){ .type = row->type, .day = DAY });
    board_event(&board, 1,
                &(struct board_event){ .type = row->type, .day = DAY, .amount_minor = 2933 });
    struct reporting_total total = board_total(&board);
    ck_assert_uint_eq(total.events, 2);
    ck_assert_msg(total.revenue_minor == row->revenue_minor, "%s", row->type);
    ck_assert_int_eq(board_day(&board, NULL, DAY, NULL).revenue_minor, row->revenue_minor);
    board_close(&board);
}
END_TEST

START_TEST(an_amount_below_zero_lowers_the_revenue)
{
    struct board board;
    board_open(&board, NULL, NULL);
    board_event(&board, 1, &(struct board_event){ EVENT_PURCHASE, DAY, 100, NULL, NULL, true });
    board_event(&board, 1, &(struct board_event){ EVENT_PURCHASE, DAY, -300, NULL, NULL, false });
    ck_assert_int_eq(board_total(&board).revenue_minor, -200);
    board_close(&board);
}
END_TEST

START_TEST(a_customer_is_counted_with_the_first_event_only)
{
    struct board board;
    board_open(&board, NULL, NULL);
    board_event(&board, 1, &(struct board_event){ EVENT_USAGE, DAY, 0, NULL, NULL, true });
    board_event(&board, 1, &(struct board_event){ EVENT_USAGE, DAY, 0, NULL, NULL, false });
    board_event(&board, 2, &(struct board_event){ EVENT_USAGE, DAY, 0, NULL, NULL, true });
    ck_assert_uint_eq(board_total(&board).customers, 2);
    ck_assert_uint_eq(board_total(&board).events, 3);
    board_close(&board);
}
END_TEST

START_TEST(a_reversal_is_taken_from_what_it_reverses)
{
    struct board board;
    board_open(&board, NULL, NULL);
    board_points(&board, 1, false, 100, DAY); /* earned */
    board_points(&board, 1, true, -30, DAY);  /* spent */
    struct reporting_total total = board_total(&board);
    ck_assert_int_eq(total.points_issued, 100);
    ck_assert_int_eq(total.points_spent, 30);
    ck_assert_int_eq(reporting_core_outstanding(&total), 70);
    board_points(&board, 1, true, 30, DAY + 1); /* the spending reversed */
    total = board_total(&board);
    ck_assert_int_eq(total.points_issued, 100);
    ck_assert_int_eq(total.points_spent, 0);
    board_points(&board, 1, false, -100, DAY + 2); /* the earning reversed */
    total = board_total(&board);
    ck_assert_int_eq(total.points_issued, 0);
    ck_assert_int_eq(total.points_spent, 0);
    ck_assert_int_eq(reporting_core_outstanding(&total), 0);
    ck_assert_uint_eq(total.events, 0);
    ck_assert_int_eq(board_day(&board, NULL, DAY, NULL).points_issued, 100);
    ck_assert_int_eq(board_day(&board, NULL, DAY, NULL).points_spent, 30);
    ck_assert_int_eq(board_day(&board, NULL, DAY + 1, NULL).points_spent, -30);
    ck_assert_int_eq(board_day(&board, NULL, DAY + 2, NULL).points_issued, -100);
    board_close(&board);
}
END_TEST

START_TEST(quarantined_events_entries_and_exits_are_counted_apart)
{
    struct board board;
    board_open(&board, NULL, NULL);
    reporting_core_quarantined_fold(&board.change);
    reporting_core_membership_fold(&board.change, true);
    reporting_core_membership_fold(&board.change, true);
    reporting_core_membership_fold(&board.change, true);
    reporting_core_membership_fold(&board.change, false);
    reporting_core_membership_fold(&board.change, false);
    struct reporting_total total = board_total(&board);
    ck_assert_uint_eq(total.quarantined, 1);
    ck_assert_uint_eq(total.segment_entries, 3);
    ck_assert_uint_eq(total.segment_exits, 2);
    ck_assert_uint_eq(total.events, 0);
    board_close(&board);
}
END_TEST

START_TEST(what_became_of_messages_is_counted_apart)
{
    struct board board;
    board_open(&board, NULL, NULL);
    reporting_core_dispatch_fold(&board.change, REPORTING_SENT);
    reporting_core_dispatch_fold(&board.change, REPORTING_UNKNOWN);
    reporting_core_dispatch_fold(&board.change, REPORTING_SENT);
    reporting_core_dispatch_fold(&board.change, REPORTING_SENT);
    reporting_core_dispatch_fold(&board.change, REPORTING_SUPPRESSED);
    reporting_core_dispatch_fold(&board.change, REPORTING_UNKNOWN);
    struct reporting_total total = board_total(&board);
    ck_assert_uint_eq(total.sent, 3);
    ck_assert_uint_eq(total.suppressed, 1);
    ck_assert_uint_eq(total.unknown, 2);
    ck_assert_uint_eq(total.events, 0);
    board_close(&board);
}
END_TEST

/* The record as a program wrote it that knew of no messages. */
static struct span total_before_messages(uint8_t bytes[1 + 8 * 8])
{
    bytes[0] = 1;
    for (uint8_t i = 0; i < 8; i++) {
        be64_put(bytes + 1 + (size_t)8 * i, (uint64_t)i + 1);
    }
    return span_of(bytes, 1 + 8 * 8);
}

START_TEST(a_total_from_before_there_were_messages_has_none)
{
    struct board board;
    board_open(&board, NULL, NULL);
    uint8_t bytes[1 + 8 * 8] = { 0 };
    uint8_t key = 1;
    struct span written = total_before_messages(bytes);
    change_put(&board.change, REPORTING_TABLE_TOTAL, span_of(&key, 1), written);
    struct reporting_total total = board_total(&board);
    ck_assert_uint_eq(total.events, 1);
    ck_assert_uint_eq(total.segment_exits, 8);
    ck_assert_uint_eq(total.sent + total.suppressed + total.unknown, 0);
    reporting_total_put(&board.change, &total);
    struct span value = { 0 };
    ck_assert(view_get(&board.view, REPORTING_TABLE_TOTAL, span_of(&key, 1), &value));
    ck_assert_msg(span_equal(value, written), "without messages it keeps its bytes");
    reporting_core_dispatch_fold(&board.change, REPORTING_UNKNOWN);
    total = board_total(&board);
    ck_assert_uint_eq(total.unknown, 1);
    ck_assert_uint_eq(total.sent + total.suppressed, 0);
    ck_assert_uint_eq(total.events, 1);
    ck_assert_uint_eq(total.segment_exits, 8);
    board_close(&board);
}
END_TEST

/* ---- sums at their bounds */

struct add_row {
    int64_t a;
    int64_t b;
    int64_t sum;
};

static const struct add_row add_rows[] = {
    { 1, 2, 3 },
    { -1, 1, 0 },
    { INT64_MAX - 1, 1, INT64_MAX },
    { INT64_MAX - 1, 2, INT64_MAX },
    { INT64_MAX, -1, INT64_MAX }, /* it said "at least", and goes on saying so */
    { INT64_MIN + 1, -1, INT64_MIN },
    { INT64_MIN + 1, -2, INT64_MIN },
    { INT64_MIN, 1, INT64_MIN },
    { INT64_MIN + 1, INT64_MAX, 0 },
    { 5, INT64_MIN, INT64_MIN + 5 },
};

START_TEST(a_sum_stays_at_its_bound)
{
    const struct add_row *row = &add_rows[_i];
    ck_assert_int_eq(reporting_core_add(row->a, row->b), row->sum);
}
END_TEST

START_TEST(outstanding_points_have_no_overflow_either)
{
    struct reporting_total total = { .points_issued = 1, .points_spent = INT64_MIN };
    ck_assert_int_eq(reporting_core_outstanding(&total), INT64_MAX);
    total = (struct reporting_total){ .points_issued = -2, .points_spent = INT64_MAX };
    ck_assert_int_eq(reporting_core_outstanding(&total), INT64_MIN);
}
END_TEST

START_TEST(revenue_past_63_bits_is_at_least_that)
{
    struct board board;
    board_open(&board, NULL, NULL);
    struct board_event event = { EVENT_PURCHASE, DAY, LIMIT_AMOUNT, NULL, NULL, false };
    for (int i = 0; i < 9224; i++) {
        board_event(&board, 1, &event);
    }
    ck_assert_int_eq(board_total(&board).revenue_minor, INT64_MAX);
    ck_assert_int_eq(board_day(&board, NULL, DAY, NULL).revenue_minor, INT64_MAX);
    ck_assert_uint_eq(board_total(&board).events, 9224);
    board_close(&board);
}
END_TEST

/* ---- splits */

START_TEST(an_event_counts_under_its_own_value_then_its_profiles_then_none)
{
    struct board board;
    board_open(&board, "region", "tariff");
    board_event(&board, 1, &(struct board_event){ EVENT_PURCHASE, DAY, 1, NULL, NULL, true });
    ck_assert_uint_eq(board_day(&board, "region", DAY, NULL).events, 1);

    board_event(
        &board, 1,
        &(struct board_event){ EVENT_CUSTOMER_REGISTERED, DAY, 0, "region", "north", false });
    ck_assert_uint_eq(board_day(&board, "region", DAY, "north").events, 1);
    ck_assert_uint_eq(board_day(&board, "tariff", DAY, NULL).events, 2);

    board_event(&board, 1, &(struct board_event){ EVENT_PURCHASE, DAY, 20, NULL, NULL, false });
    ck_assert_int_eq(board_day(&board, "region", DAY, "north").revenue_minor, 20);

    board_event(&board, 1,
                &(struct board_event){ EVENT_PURCHASE, DAY, 300, "region", "south", false });
    ck_assert_int_eq(board_day(&board, "region", DAY, "south").revenue_minor, 300);
    ck_assert_msg(board_day(&board, "region", DAY, "north").revenue_minor == 20,
                  "an event's own value is that event's alone");

    board_event(&board, 1,
                &(struct board_event){ EVENT_PROFILE_CHANGED, DAY, 0, "tariff", "flat", false });
    board_event(&board, 1, &(struct board_event){ EVENT_PURCHASE, DAY, 4000, NULL, NULL, false });
    ck_assert_msg(board_day(&board, "region", DAY, "north").revenue_minor == 4020,
                  "a change of one attribute leaves the other in force");
    ck_assert_int_eq(board_day(&board, "tariff", DAY, "flat").revenue_minor, 4000);

    board_event(&board, 2, &(struct board_event){ EVENT_PURCHASE, DAY, 50000, NULL, NULL, true });
    ck_assert_msg(board_day(&board, "region", DAY, NULL).revenue_minor == 50001,
                  "a profile is its customer's alone");
    ck_assert_int_eq(board_day(&board, NULL, DAY, NULL).revenue_minor, 54321);
    ck_assert_uint_eq(board_day(&board, NULL, DAY, NULL).events, 7);
    board_close(&board);
}
END_TEST

START_TEST(only_profile_events_change_a_profile)
{
    struct board board;
    board_open(&board, "region", NULL);
    board_event(&board, 1, &(struct board_event){ EVENT_USAGE, DAY, 0, "region", "north", true });
    board_event(&board, 1,
                &(struct board_event){ EVENT_PROFILE_CHANGED, DAY, 0, "colour", "red", false });
    ck_assert_uint_eq(memory_view_count(board.memory, REPORTING_TABLE_PROFILE), 0);
    ck_assert_uint_eq(board_day(&board, "region", DAY, NULL).events, 1);
    board_close(&board);
}
END_TEST

START_TEST(points_go_by_the_profile_in_force)
{
    struct board board;
    board_open(&board, "region", NULL);
    board_points(&board, 1, false, 1, DAY);
    board_event(
        &board, 1,
        &(struct board_event){ EVENT_CUSTOMER_REGISTERED, DAY, 0, "region", "north", true });
    board_points(&board, 1, false, 20, DAY);
    board_points(&board, 2, false, 300, DAY);
    board_event(&board, 1,
                &(struct board_event){ EVENT_PROFILE_CHANGED, DAY, 0, "region", "south", false });
    board_points(&board, 1, true, -4, DAY);
    ck_assert_int_eq(board_day(&board, "region", DAY, NULL).points_issued, 301);
    ck_assert_int_eq(board_day(&board, "region", DAY, "north").points_issued, 20);
    ck_assert_int_eq(board_day(&board, "region", DAY, "north").points_spent, 0);
    ck_assert_int_eq(board_day(&board, "region", DAY, "south").points_spent, 4);
    ck_assert_int_eq(board_day(&board, NULL, DAY, NULL).points_issued, 321);
    board_close(&board);
}
END_TEST

START_TEST(an_empty_text_is_a_value_of_its_own)
{
    struct board board;
    board_open(&board, "region", NULL);
    board_event(&board, 1, &(struct board_event){ EVENT_USAGE, DAY, 0, "region", "", true });
    ck_assert_uint_eq(board_day(&board, "region", DAY, "").events, 1);
    ck_assert_uint_eq(board_day(&board, "region", DAY, NULL).events, 0);
    board_close(&board);
}
END_TEST

START_TEST(days_are_those_of_utc_also_before_1970)
{
    struct board board;
    board_open(&board, NULL, NULL);
    const struct {
        int64_t at_ms;
        int64_t day;
    } rows[] = { { 0, 0 },
                 { -1, -1 },
                 { MS_PER_DAY - 1, 0 },
                 { MS_PER_DAY, 1 },
                 { LIMIT_TIME_LEAST_MS, LIMIT_TIME_LEAST_MS / MS_PER_DAY },
                 { LIMIT_TIME_MOST_MS, LIMIT_TIME_MOST_MS / MS_PER_DAY } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t before = board_day(&board, NULL, rows[i].day, NULL).events;
        struct accepted_event event = { .type = span_of_text("usage"),
                                        .occurred_at_ms = rows[i].at_ms };
        reporting_core_event_fold(&board.change, &board.attributes, customer_of(1), &event);
        ck_assert_msg(board_day(&board, NULL, rows[i].day, NULL).events == before + 1, "row %zu",
                      i);
    }
    board_close(&board);
}
END_TEST

START_TEST(each_split_of_a_day_adds_up_to_the_whole)
{
    struct board board;
    board_open(&board, "region", "tariff");
    const char *values[] = { "a", "b", "c" };
    for (int i = 0; i < 60; i++) {
        uint8_t customer = (uint8_t)(i % 7);
        struct board_event event = { i % 5 == 0 ? EVENT_PROFILE_CHANGED : EVENT_PURCHASE,
                                     DAY,
                                     i + 1,
                                     i % 3 == 0 ? "region" : "tariff",
                                     values[i % 3],
                                     false };
        board_event(&board, customer, &event);
        board_points(&board, customer, i % 2 == 0, 10 + i, DAY);
    }
    struct reporting_day whole = board_day(&board, NULL, DAY, NULL);
    const char *splits[] = { "region", "tariff" };
    for (size_t i = 0; i < 2; i++) {
        struct reporting_day sum = board_day(&board, splits[i], DAY, NULL);
        for (size_t j = 0; j < 3; j++) {
            struct reporting_day part = board_day(&board, splits[i], DAY, values[j]);
            sum.events += part.events;
            sum.revenue_minor += part.revenue_minor;
            sum.points_issued += part.points_issued;
            sum.points_spent += part.points_spent;
        }
        ck_assert_uint_eq(sum.events, whole.events);
        ck_assert_int_eq(sum.revenue_minor, whole.revenue_minor);
        ck_assert_int_eq(sum.points_issued, whole.points_issued);
        ck_assert_int_eq(sum.points_spent, whole.points_spent);
    }
    ck_assert_uint_eq(whole.events, 60);
    board_close(&board);
}
END_TEST

/* ---- values */

#define SIXTY_THREE "012345678901234567890123456789012345678901234567890123456789012"

struct value_row {
    struct attribute attribute;
    const char *text;
};

static const struct value_row value_rows[] = {
    { { .kind = ATTRIBUTE_INTEGER, .integer = 0 }, "0" },
    { { .kind = ATTRIBUTE_INTEGER, .integer = INT64_MIN }, "-9223372036854775808" },
    { { .kind = ATTRIBUTE_FLAG, .integer = 1 }, "true" },
    { { .kind = ATTRIBUTE_FLAG, .integer = 0 }, "false" },
    { { .kind = ATTRIBUTE_AT, .integer = 0 }, "1970-01-01T00:00:00Z" },
    { { .kind = ATTRIBUTE_MONEY, .money = { 2933, "EUR" } }, "2933 EUR" },
    { { .kind = ATTRIBUTE_MONEY, .money = { -LIMIT_AMOUNT, "EUR" } }, "-1000000000000000 EUR" },
};

START_TEST(every_kind_of_value_has_one_text)
{
    const struct value_row *row = &value_rows[_i];
    struct reporting_value value = reporting_core_value(&row->attribute);
    ck_assert(value.present);
    ck_assert_msg(span_equal(span_of(value.text, value.size), span_of_text(row->text)), "%.*s",
                  value.size, value.text);
}
END_TEST

START_TEST(a_long_text_is_cut_before_the_character_that_does_not_fit)
{
    const struct {
        const char *text;
        size_t size;
    } rows[] = {
        { SIXTY_THREE, 63 },
        { SIXTY_THREE "3", 64 },
        { SIXTY_THREE "34", 64 },
        { SIXTY_THREE "\xC3\xA9", 63 },             /* two bytes, one of them past */
        { SIXTY_THREE "3\xC3\xA9", 64 },            /* past altogether */
        { "1" SIXTY_THREE "\xF0\x9F\x98\x80", 64 }, /* four bytes, past altogether */
        { SIXTY_THREE "\xF0\x9F\x98\x80", 63 },     /* four bytes, three of them past */
        { "\xE2\x82\xAC" SIXTY_THREE "\xE2\x82\xAC", 64 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attribute attribute = text_attribute("region", rows[i].text);
        struct reporting_value value = reporting_core_value(&attribute);
        ck_assert_msg(value.size == rows[i].size, "row %zu: %u bytes", i, value.size);
        ck_assert_mem_eq(value.text, rows[i].text, value.size);
        ck_assert(text_is_clean(span_of(value.text, value.size)));
    }
}
END_TEST

/* ---- attributes and keys */

START_TEST(an_attribute_keeps_its_number_through_all_configurations)
{
    struct board board;
    board_open(&board, "region", "tariff");
    uint16_t region = board.attributes.numbers[0];
    uint16_t tariff = board.attributes.numbers[1];
    ck_assert_uint_ne(region, tariff);
    ck_assert_uint_ne(region, REPORTING_ATTRIBUTE_NONE);
    ck_assert_uint_ne(tariff, REPORTING_ATTRIBUTE_NONE);
    struct reporting_attributes later = { .count = 2,
                                          .names = { { 6, "colour" }, { 6, "tariff" } } };
    reporting_core_attributes_number(&board.change, &later);
    ck_assert_uint_eq(later.numbers[1], tariff);
    ck_assert_uint_ne(later.numbers[0], region);
    ck_assert_uint_ne(later.numbers[0], tariff);
    uint16_t number = 4711;
    ck_assert(!reporting_attribute_load(&board.view, span_of_text("regio"), &number));
    ck_assert_uint_eq(number, 4711);
    board_close(&board);
}
END_TEST

START_TEST(the_largest_profile_fits_its_record)
{
    struct board board;
    board_open(&board, NULL, NULL);
    struct reporting_profile profile = { .count = REPORTING_ATTRIBUTES_MAX };
    for (size_t i = 0; i < profile.count; i++) {
        profile.items[i].attribute = (uint16_t)(i + 1);
        profile.items[i].value.present = true;
        profile.items[i].value.size = REPORTING_VALUE_BYTES;
        memset(profile.items[i].value.text, (int)('a' + i), REPORTING_VALUE_BYTES);
    }
    reporting_profile_put(&board.change, customer_of(1), &profile);
    struct reporting_profile back = { .count = 0 };
    reporting_profile_load(&board.view, customer_of(1), &back);
    ck_assert_uint_eq(back.count, profile.count);
    for (size_t i = 0; i < profile.count; i++) {
        ck_assert_uint_eq(back.items[i].attribute, i + 1);
        ck_assert_uint_eq(back.items[i].value.size, REPORTING_VALUE_BYTES);
        ck_assert_mem_eq(back.items[i].value.text, profile.items[i].value.text,
                         REPORTING_VALUE_BYTES);
    }
    board_close(&board);
}
END_TEST

START_TEST(rows_lie_in_the_order_of_split_day_and_value)
{
    const struct reporting_day_key rows[] = {
        { 0, -5, { false, 0, "" } },  { 0, 0, { false, 0, "" } },  { 0, 5, { false, 0, "" } },
        { 1, -5, { true, 1, "z" } },  { 1, 5, { false, 0, "" } },  { 1, 5, { true, 0, "" } },
        { 1, 5, { true, 1, "a" } },   { 1, 5, { true, 2, "aa" } }, { 1, 5, { true, 1, "b" } },
        { 256, 0, { true, 1, "a" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reporting_day_key_bytes bytes = reporting_day_key_encode(&rows[i]);
        struct reporting_day_key back = { .attribute = 4711 };
        ck_assert_int_eq(reporting_day_key_decode(span_of(bytes.bytes, bytes.size), &back),
                         STATUS_OK);
        ck_assert_uint_eq(back.attribute, rows[i].attribute);
        ck_assert_int_eq(back.day, rows[i].day);
        ck_assert_int_eq(back.value.present, rows[i].value.present);
        ck_assert_uint_eq(back.value.size, rows[i].value.size);
        ck_assert_mem_eq(back.value.text, rows[i].value.text, back.value.size);
        if (i > 0) {
            struct reporting_day_key_bytes before = reporting_day_key_encode(&rows[i - 1]);
            ck_assert_msg(span_compare(span_of(before.bytes, before.size),
                                       span_of(bytes.bytes, bytes.size)) < 0,
                          "row %zu", i);
        }
    }
}
END_TEST

START_TEST(bytes_that_are_no_key_are_told_apart)
{
    uint8_t bytes[REPORTING_DAY_KEY_BYTES + 1] = { 0 };
    struct reporting_day_key key = { .attribute = 4711 };
    ck_assert_int_eq(reporting_day_key_decode(span_of(bytes, 10), &key), STATUS_MALFORMED);
    ck_assert_msg(reporting_day_key_decode(span_of(bytes, 12), &key) == STATUS_MALFORMED,
                  "no value, but bytes of one");
    bytes[10] = 2;
    ck_assert_int_eq(reporting_day_key_decode(span_of(bytes, 12), &key), STATUS_MALFORMED);
    bytes[10] = 1;
    ck_assert_int_eq(reporting_day_key_decode(span_of(bytes, sizeof bytes), &key),
                     STATUS_MALFORMED);
    ck_assert_uint_eq(key.attribute, 4711);
    ck_assert_int_eq(reporting_day_key_decode(span_of(bytes, sizeof bytes - 1), &key), STATUS_OK);
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

static Suite *reporting_core_suite(void)
{
    TCase *tests = tcase_create("reporting_core");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, revenue_is_purchases_bills_paid_and_recharges, 0,
                        COUNT(revenue_rows));
    tcase_add_test(tests, an_amount_below_zero_lowers_the_revenue);
    tcase_add_test(tests, a_customer_is_counted_with_the_first_event_only);
    tcase_add_test(tests, a_reversal_is_taken_from_what_it_reverses);
    tcase_add_test(tests, quarantined_events_entries_and_exits_are_counted_apart);
    tcase_add_test(tests, what_became_of_messages_is_counted_apart);
    tcase_add_test(tests, a_total_from_before_there_were_messages_has_none);
    tcase_add_loop_test(tests, a_sum_stays_at_its_bound, 0, COUNT(add_rows));
    tcase_add_test(tests, outstanding_points_have_no_overflow_either);
    tcase_add_test(tests, revenue_past_63_bits_is_at_least_that);
    tcase_add_test(tests, an_event_counts_under_its_own_value_then_its_profiles_then_none);
    tcase_add_test(tests, only_profile_events_change_a_profile);
    tcase_add_test(tests, points_go_by_the_profile_in_force);
    tcase_add_test(tests, an_empty_text_is_a_value_of_its_own);
    tcase_add_test(tests, days_are_those_of_utc_also_before_1970);
    tcase_add_test(tests, each_split_of_a_day_adds_up_to_the_whole);
    tcase_add_loop_test(tests, every_kind_of_value_has_one_text, 0, COUNT(value_rows));
    tcase_add_test(tests, a_long_text_is_cut_before_the_character_that_does_not_fit);
    tcase_add_test(tests, an_attribute_keeps_its_number_through_all_configurations);
    tcase_add_test(tests, the_largest_profile_fits_its_record);
    tcase_add_test(tests, rows_lie_in_the_order_of_split_day_and_value);
    tcase_add_test(tests, bytes_that_are_no_key_are_told_apart);
    Suite *suite = suite_create("reporting_core");
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(reporting_core_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
