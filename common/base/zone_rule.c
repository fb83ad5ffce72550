#include "common/base/zone_rule.h"

#include "common/base/text_reader.h"
#include "common/base/time_text.h"

#define SECONDS_PER_MINUTE INT64_C(60)
#define SECONDS_PER_HOUR INT64_C(3600)
#define SECONDS_PER_DAY INT64_C(86400)
#define HOURS_OF_OFFSET_MOST 24
/* RFC 9636 lets a change lie a week away from its day: "the Thursday before the last Sunday". */
#define HOURS_OF_CHANGE_MOST 167

/* One to three digits, up to `most`. */
static bool reader_take_number(struct text_reader *reader, int most, int *number)
{
    int taken = 0;
    int digits = 0;
    while (digits < 3 && text_reader_at_digit(reader)) {
        taken = taken * 10 + text_reader_take_digit(reader);
        digits++;
    }
    *number = taken;
    return digits > 0 && taken <= most;
}

/* An abbreviation: letters, or anything between < and >. It says nothing that we need. */
static bool reader_skip_name(struct text_reader *reader)
{
    const uint8_t *start = reader->next;
    if (text_reader_take(reader, '<')) {
        while (!text_reader_at_end(reader) && *reader->next != '>') {
            reader->next++;
        }
        return text_reader_take(reader, '>');
    }
    while (text_reader_at(reader, 'A', 'Z') || text_reader_at(reader, 'a', 'z')) {
        reader->next++;
    }
    return reader->next != start;
}

/* [+-]hours[:minutes[:seconds]] */
static bool reader_take_hours(struct text_reader *reader, int hours_most, int64_t *seconds)
{
    bool is_negative = text_reader_take(reader, '-');
    if (!is_negative) {
        (void)text_reader_take(reader, '+');
    }
    int hours = 0;
    int minutes = 0;
    int rest = 0;
    bool has_form = reader_take_number(reader, hours_most, &hours);
    if (has_form && text_reader_take(reader, ':')) {
        has_form = reader_take_number(reader, 59, &minutes);
        if (has_form && text_reader_take(reader, ':')) {
            has_form = reader_take_number(reader, 59, &rest);
        }
    }
    int64_t size = hours * SECONDS_PER_HOUR + minutes * SECONDS_PER_MINUTE + rest;
    *seconds = is_negative ? -size : size;
    return has_form;
}

/* POSIX counts offsets to the west of Greenwich. */
static bool reader_take_offset(struct text_reader *reader, int64_t *offset_s)
{
    int64_t west_s = 0;
    bool has_form = reader_take_hours(reader, HOURS_OF_OFFSET_MOST, &west_s);
    *offset_s = -west_s;
    return has_form;
}

static bool reader_take_change(struct text_reader *reader, struct zone_change *change)
{
    change->time_s = 2 * SECONDS_PER_HOUR;
    bool has_form = text_reader_take(reader, ',') && text_reader_take(reader, 'M') &&
                    reader_take_number(reader, 12, &change->month) &&
                    text_reader_take(reader, '.') && reader_take_number(reader, 5, &change->week) &&
                    text_reader_take(reader, '.') &&
                    reader_take_number(reader, 6, &change->weekday);
    if (!has_form || change->month == 0 || change->week == 0) {
        return false;
    }
    return !text_reader_take(reader, '/') ||
           reader_take_hours(reader, HOURS_OF_CHANGE_MOST, &change->time_s);
}

static bool reader_take_daylight(struct text_reader *reader, struct zone_rule *rule)
{
    rule->has_daylight = true;
    rule->daylight_offset_s = rule->standard_offset_s + SECONDS_PER_HOUR;
    if (!reader_skip_name(reader)) {
        return false;
    }
    bool has_offset = !text_reader_at(reader, ',', ',');
    if (has_offset && !reader_take_offset(reader, &rule->daylight_offset_s)) {
        return false;
    }
    return reader_take_change(reader, &rule->to_daylight) &&
           reader_take_change(reader, &rule->to_standard);
}

enum status zone_rule_parse(struct span text, struct zone_rule *rule)
{
    struct zone_rule parsed = { 0 };
    struct text_reader reader = text_reader_of(text);
    if (!reader_skip_name(&reader) || !reader_take_offset(&reader, &parsed.standard_offset_s)) {
        return STATUS_MALFORMED;
    }
    if (!text_reader_at_end(&reader) && !reader_take_daylight(&reader, &parsed)) {
        return STATUS_MALFORMED;
    }
    if (!text_reader_at_end(&reader)) {
        return STATUS_MALFORMED;
    }
    *rule = parsed;
    return STATUS_OK;
}

/* 1970-01-01 was a Thursday. */
static int weekday_of(int64_t day)
{
    int weekday = (int)((day + 4) % 7);
    return weekday < 0 ? weekday + 7 : weekday;
}

/* The instant of a change in a year; `offset_s` holds before it. */
static int64_t change_at(const struct zone_change *change, int year, int64_t offset_s)
{
    int64_t first = days_from_civil(year, change->month, 1);
    int64_t next_month = change->month == 12 ? days_from_civil(year + 1, 1, 1)
                                             : days_from_civil(year, change->month + 1, 1);
    int64_t day = first + (change->weekday - weekday_of(first) + 7) % 7;
    day += (int64_t)7 * (change->week - 1);
    /* Week 5 is the last one, also where the month has only four such days. */
    day -= day >= next_month ? 7 : 0;
    return day * SECONDS_PER_DAY + change->time_s - offset_s;
}

static int year_of(int64_t at_s)
{
    int year = 0;
    int month = 0;
    int day = 0;
    civil_from_days(day_of_ms(at_s * 1000), &year, &month, &day);
    return year;
}

struct zone_period zone_rule_period(const struct zone_rule *rule, int64_t at_s)
{
    struct zone_period period = { .offset_s = rule->standard_offset_s, .end_s = INT64_MAX };
    if (!rule->has_daylight) {
        return period;
    }
    int64_t latest_s = INT64_MIN;
    int year = year_of(at_s);
    /* The years on both sides too, so that one change lies before the instant and one after
     * it, wherever the local year begins. */
    for (int i = 0; i < 6; i++) {
        bool to_daylight = i % 2 == 0;
        const struct zone_change *change = to_daylight ? &rule->to_daylight : &rule->to_standard;
        int64_t before_s = to_daylight ? rule->standard_offset_s : rule->daylight_offset_s;
        int64_t change_s = change_at(change, year - 1 + i / 2, before_s);
        if (change_s <= at_s && change_s > latest_s) {
            latest_s = change_s;
            period.offset_s = to_daylight ? rule->daylight_offset_s : rule->standard_offset_s;
        }
        if (change_s > at_s && change_s < period.end_s) {
            period.end_s = change_s;
        }
    }
    return period;
}
