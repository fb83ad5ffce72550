#include "common/base/time_text.h"

#include "common/base/limits.h"
#include "common/base/text_reader.h"

#include <assert.h>

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR (60 * MS_PER_MINUTE)
#define MS_PER_WEEK (7 * MS_PER_DAY)

/* The calendar repeats after 400 years. Counted from 1 March of year 0, a leap day is the
 * last day of its year, so no month needs to know about it. */
#define DAYS_PER_ERA 146097
#define YEARS_PER_ERA 400
#define DAYS_0000_03_01_TO_1970 719468

static int64_t divide_down(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

int64_t days_from_civil(int year, int month, int day)
{
    int64_t march_year = (int64_t)year - (month <= 2);
    int64_t era = divide_down(march_year, YEARS_PER_ERA);
    int64_t year_of_era = march_year - era * YEARS_PER_ERA;
    int64_t march_month = month > 2 ? month - 3 : month + 9;
    /* The days before a month, from March on: 31 30 31 30 31 repeats, 153 days in 5 months. */
    int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_0000_03_01_TO_1970;
}

void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    /* Every day that an instant can fall on; its year fits an int with room. */
    assert(days >= INT64_MIN / MS_PER_DAY - 1 && days <= INT64_MAX / MS_PER_DAY);
    int64_t shifted = days + DAYS_0000_03_01_TO_1970;
    int64_t era = divide_down(shifted, DAYS_PER_ERA);
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t leap_days = day_of_era / 1460 - day_of_era / 36524 + day_of_era / (DAYS_PER_ERA - 1);
    int64_t year_of_era = (day_of_era - leap_days) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int)(year_of_era + era * YEARS_PER_ERA + (*month <= 2));
}

bool date_is_valid(int year, int month, int day)
{
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31) {
        return false;
    }
    int same_year = 0;
    int same_month = 0;
    int same_day = 0;
    /* 31 February has a number too, but it is that of a day in March. */
    civil_from_days(days_from_civil(year, month, day), &same_year, &same_month, &same_day);
    return same_month == month;
}

int64_t day_of_ms(int64_t at_ms)
{
    return divide_down(at_ms, MS_PER_DAY);
}

/* Writes `value` with at least `width` digits and `after` behind them; returns the end. */
static char *number_put(char *out, int64_t value, unsigned width, char after)
{
    char reversed[20] = { 0 };
    size_t size = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; size < width || rest > 0; size++) {
        reversed[size] = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (value < 0) {
        *out++ = '-';
    }
    while (size > 0) {
        *out++ = reversed[--size];
    }
    *out++ = after;
    return out;
}

static char *date_put(char *out, int64_t day_number, char after)
{
    int year = 0;
    int month = 0;
    int day = 0;
    civil_from_days(day_number, &year, &month, &day);
    out = number_put(out, year, 4, '-');
    out = number_put(out, month, 2, '-');
    return number_put(out, day, 2, after);
}

void time_format(int64_t at_ms, char out[TIME_TEXT_BYTES])
{
    int64_t day = day_of_ms(at_ms);
    /* Not at_ms - day * MS_PER_DAY: on the least of days the product does not fit. */
    int64_t ms = at_ms % MS_PER_DAY + (at_ms % MS_PER_DAY < 0 ? MS_PER_DAY : 0);
    char *end = date_put(out, day, 'T');
    end = number_put(end, ms / MS_PER_HOUR, 2, ':');
    end = number_put(end, ms / MS_PER_MINUTE % 60, 2, ':');
    bool has_fraction = ms % MS_PER_SECOND != 0;
    end = number_put(end, ms / MS_PER_SECOND % 60, 2, has_fraction ? '.' : 'Z');
    if (has_fraction) {
        end = number_put(end, ms % MS_PER_SECOND, 3, 'Z');
    }
    *end = '\0';
}

void date_format(int64_t day, char out[TIME_TEXT_BYTES])
{
    (void)date_put(out, day, '\0');
}

/* Exactly `width` digits. */
static bool reader_take_digits(struct text_reader *reader, unsigned width, int *value)
{
    int taken = 0;
    for (unsigned i = 0; i < width; i++) {
        if (!text_reader_at_digit(reader)) {
            return false;
        }
        taken = taken * 10 + text_reader_take_digit(reader);
    }
    *value = taken;
    return true;
}

static bool reader_take_date(struct text_reader *reader, int64_t *day_number)
{
    int year = 0;
    int month = 0;
    int day = 0;
    bool has_form = reader_take_digits(reader, 4, &year) && text_reader_take(reader, '-') &&
                    reader_take_digits(reader, 2, &month) && text_reader_take(reader, '-') &&
                    reader_take_digits(reader, 2, &day);
    if (!has_form || !date_is_valid(year, month, day)) {
        return false;
    }
    *day_number = days_from_civil(year, month, day);
    return true;
}

/* A point and digits, of which three count; none is a fraction of 0. */
static bool reader_take_fraction(struct text_reader *reader, int64_t *ms)
{
    *ms = 0;
    if (!text_reader_take(reader, '.')) {
        return true;
    }
    if (!text_reader_at_digit(reader)) {
        return false;
    }
    for (int64_t worth = 100; text_reader_at_digit(reader); worth /= 10) {
        *ms += worth * text_reader_take_digit(reader);
    }
    return true;
}

static bool reader_take_clock(struct text_reader *reader, int64_t *ms)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    int64_t fraction_ms = 0;
    bool has_form = reader_take_digits(reader, 2, &hour) && text_reader_take(reader, ':') &&
                    reader_take_digits(reader, 2, &minute) && text_reader_take(reader, ':') &&
                    reader_take_digits(reader, 2, &second) &&
                    reader_take_fraction(reader, &fraction_ms);
    if (!has_form || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *ms = hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * MS_PER_SECOND + fraction_ms;
    return true;
}

static bool reader_take_offset(struct text_reader *reader, int64_t *ms)
{
    if (text_reader_take(reader, 'Z')) {
        *ms = 0;
        return true;
    }
    bool is_west = text_reader_take(reader, '-');
    if (!is_west && !text_reader_take(reader, '+')) {
        return false;
    }
    int hour = 0;
    int minute = 0;
    bool has_form = reader_take_digits(reader, 2, &hour) && text_reader_take(reader, ':') &&
                    reader_take_digits(reader, 2, &minute);
    if (!has_form || hour > 23 || minute > 59) {
        return false;
    }
    int64_t size_ms = hour * MS_PER_HOUR + minute * MS_PER_MINUTE;
    *ms = is_west ? -size_ms : size_ms;
    return true;
}

enum status time_parse(struct span text, int64_t *at_ms)
{
    struct text_reader reader = text_reader_of(text);
    int64_t day = 0;
    int64_t clock_ms = 0;
    int64_t offset_ms = 0;
    bool has_form = reader_take_date(&reader, &day) && text_reader_take(&reader, 'T') &&
                    reader_take_clock(&reader, &clock_ms) &&
                    reader_take_offset(&reader, &offset_ms) && text_reader_at_end(&reader);
    if (!has_form) {
        return STATUS_MALFORMED;
    }
    int64_t parsed_ms = day * MS_PER_DAY + clock_ms - offset_ms;
    /* An offset can lead out of the years that a UTC text can name. */
    if (parsed_ms < LIMIT_TIME_LEAST_MS || parsed_ms > LIMIT_TIME_MOST_MS) {
        return STATUS_MALFORMED;
    }
    *at_ms = parsed_ms;
    return STATUS_OK;
}

enum status date_parse(struct span text, int64_t *day)
{
    struct text_reader reader = text_reader_of(text);
    int64_t parsed = 0;
    if (!reader_take_date(&reader, &parsed) || !text_reader_at_end(&reader)) {
        return STATUS_MALFORMED;
    }
    *day = parsed;
    return STATUS_OK;
}

/* One or more digits; longer than all of time is refused. */
static bool reader_take_count(struct text_reader *reader, int64_t *count)
{
    int64_t taken = 0;
    if (!text_reader_at_digit(reader)) {
        return false;
    }
    while (text_reader_at_digit(reader)) {
        taken = taken * 10 + text_reader_take_digit(reader);
        if (taken > LIMIT_TIME_MOST_MS) {
            return false;
        }
    }
    *count = taken;
    return true;
}

static bool duration_add(int64_t *total_ms, int64_t count, int64_t unit_ms)
{
    int64_t product_ms = 0;
    int64_t sum_ms = 0;
    if (__builtin_mul_overflow(count, unit_ms, &product_ms) ||
        __builtin_add_overflow(*total_ms, product_ms, &sum_ms) || sum_ms > LIMIT_TIME_MOST_MS) {
        return false;
    }
    *total_ms = sum_ms;
    return true;
}

struct duration_unit {
    const char *letters;
    int64_t unit_ms;
};

/* The unit among `units`, from *from on, that the text goes on with. NULL: none. What
 * stands before it may no longer follow, so units come in order and once. */
static const struct duration_unit *reader_take_unit(struct text_reader *reader,
                                                    const struct duration_unit *units,
                                                    size_t unit_count, size_t *from)
{
    for (size_t i = *from; i < unit_count; i++) {
        struct text_reader ahead = *reader;
        const char *letter = units[i].letters;
        while (*letter != '\0' && text_reader_take(&ahead, *letter)) {
            letter++;
        }
        if (*letter == '\0') {
            *reader = ahead;
            *from = i + 1;
            return &units[i];
        }
    }
    return NULL;
}

/* Counts with units until the end or a 'T'; at least one. */
static bool reader_take_duration_part(struct text_reader *reader, const struct duration_unit *units,
                                      size_t unit_count, int64_t *total_ms)
{
    size_t from = 0;
    do {
        int64_t count = 0;
        if (!reader_take_count(reader, &count)) {
            return false;
        }
        const struct duration_unit *unit = reader_take_unit(reader, units, unit_count, &from);
        if (unit == NULL || !duration_add(total_ms, count, unit->unit_ms)) {
            return false;
        }
    } while (text_reader_at_digit(reader));
    return true;
}

static bool reader_take_iso_duration(struct text_reader *reader, int64_t *total_ms)
{
    static const struct duration_unit of_days[] = { { "W", MS_PER_WEEK }, { "D", MS_PER_DAY } };
    static const struct duration_unit of_clock[] = { { "H", MS_PER_HOUR },
                                                     { "M", MS_PER_MINUTE },
                                                     { "S", MS_PER_SECOND } };
    bool has_days = text_reader_at_digit(reader);
    if (has_days && !reader_take_duration_part(reader, of_days, 2, total_ms)) {
        return false;
    }
    if (text_reader_take(reader, 'T')) {
        return reader_take_duration_part(reader, of_clock, 3, total_ms);
    }
    return has_days;
}

static bool reader_take_short_duration(struct text_reader *reader, int64_t *total_ms)
{
    /* "ms" before "m", which it begins with. */
    static const struct duration_unit units[] = {
        { "ms", 1 },          { "s", MS_PER_SECOND }, { "m", MS_PER_MINUTE },
        { "h", MS_PER_HOUR }, { "d", MS_PER_DAY },    { "w", MS_PER_WEEK },
    };
    int64_t count = 0;
    size_t from = 0;
    if (!reader_take_count(reader, &count)) {
        return false;
    }
    const struct duration_unit *unit =
        reader_take_unit(reader, units, sizeof units / sizeof units[0], &from);
    return unit != NULL && duration_add(total_ms, count, unit->unit_ms);
}

enum status duration_parse(struct span text, int64_t *duration_ms)
{
    struct text_reader reader = text_reader_of(text);
    int64_t total_ms = 0;
    bool has_form = text_reader_take(&reader, 'P') ? reader_take_iso_duration(&reader, &total_ms)
                                                   : reader_take_short_duration(&reader, &total_ms);
    if (!has_form || !text_reader_at_end(&reader)) {
        return STATUS_MALFORMED;
    }
    *duration_ms = total_ms;
    return STATUS_OK;
}
