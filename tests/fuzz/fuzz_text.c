/* link: common_base */
/* covers: common/base/time_text.c common/base/money.c common/base/id.c common/base/text_reader.c
 *         common/base/zone_rule.c common/base/bytes.c */
/*
 * Small texts from any bytes: times, dates, durations, numbers, amounts, ids, hexadecimal, rules
 * of time zones. What is read is written and read again as the same.
 */
#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/base/time_text.h"
#include "common/base/zone_rule.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void time_try(struct span text)
{
    int64_t at_ms = 0;
    int64_t again_ms = 0;
    char out[TIME_TEXT_BYTES];
    if (time_parse(text, &at_ms) == STATUS_OK) {
        assert(at_ms >= LIMIT_TIME_LEAST_MS && at_ms <= LIMIT_TIME_MOST_MS);
        time_format(at_ms, out);
        enum status status = time_parse(span_of_text(out), &again_ms);
        assert(status == STATUS_OK && again_ms == at_ms);
    }
}

static void date_try(struct span text)
{
    int64_t day = 0;
    int64_t again = 0;
    char out[TIME_TEXT_BYTES];
    if (date_parse(text, &day) == STATUS_OK) {
        date_format(day, out);
        enum status status = date_parse(span_of_text(out), &again);
        assert(status == STATUS_OK && again == day && span_equal(span_of_text(out), text));
        assert(day_of_ms(day * MS_PER_DAY) == day && day_of_ms(day * MS_PER_DAY - 1) == day - 1);
    }
}

static void duration_try(struct span text)
{
    int64_t duration_ms = -1;
    if (duration_parse(text, &duration_ms) == STATUS_OK) {
        assert(duration_ms >= 0);
    } else {
        assert(duration_ms == -1);
    }
}

static void numbers_try(struct span text)
{
    int64_t value = 0;
    int64_t minor = 0;
    int64_t again = 0;
    char out[32];
    bool is_integer = integer_parse(text, &value) == STATUS_OK;
    for (unsigned digits = 0; digits <= 4; digits++) {
        if (decimal_parse(text, digits, &minor) != STATUS_OK) {
            continue;
        }
        assert(minor >= -LIMIT_AMOUNT && minor <= LIMIT_AMOUNT);
        assert(digits > 0 || !is_integer || minor == value);
        decimal_format(minor, digits, out);
        enum status status = decimal_parse(span_of_text(out), digits, &again);
        assert(status == STATUS_OK && again == minor);
    }
}

static void ids_try(struct span text)
{
    bool is_id = id_text_is_valid(text);
    assert(!is_id || (text_is_clean(text) && text.size >= 1 && text.size <= LIMIT_ID_BYTES));
    assert(!type_text_is_valid(text) || is_id);
    uint8_t bytes[32] = { 0 };
    char out[2 * sizeof bytes + 1];
    if (text.size % 2 == 0 && text.size / 2 <= sizeof bytes &&
        hex_decode(text, bytes, text.size / 2) == STATUS_OK) {
        hex_encode(span_of(bytes, text.size / 2), out);
        assert(strncasecmp(out, (const char *)text.data, text.size) == 0);
    }
}

static void rule_try(struct span text)
{
    struct zone_rule rule = { .has_daylight = false };
    if (zone_rule_parse(text, &rule) != STATUS_OK) {
        return;
    }
    int64_t at_s = INT64_C(899164800);
    for (int i = 0; i < 8; i++) {
        struct zone_period period = zone_rule_period(&rule, at_s);
        assert(period.end_s > at_s);
        assert(period.offset_s == rule.standard_offset_s ||
               (rule.has_daylight && period.offset_s == rule.daylight_offset_s));
        if (period.end_s == INT64_MAX) {
            return;
        }
        at_s = period.end_s;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    time_try(text);
    date_try(text);
    duration_try(text);
    numbers_try(text);
    ids_try(text);
    rule_try(text);
    return 0;
}
