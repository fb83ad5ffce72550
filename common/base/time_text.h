/*
 * Times and dates as text: RFC 3339 in UTC, days of the proleptic Gregorian calendar,
 * ISO 8601 durations. Pure arithmetic, no zone database, no C library calendar.
 */
#ifndef KITH_BASE_TIME_TEXT_H
#define KITH_BASE_TIME_TEXT_H

#include "common/base/bytes.h"

#define MS_PER_DAY INT64_C(86400000)
#define TIME_TEXT_BYTES 32 /* "1998-06-30T00:00:00.000Z" and the NUL */

/* Days since 1970-01-01; month 1..12, day 1..31 as checked by date_is_valid. */
int64_t days_from_civil(int year, int month, int day);
void civil_from_days(int64_t days, int *year, int *month, int *day);
bool date_is_valid(int year, int month, int day);
/* The day that holds the instant, rounding down (also before 1970). */
int64_t day_of_ms(int64_t at_ms);

/* "1998-06-30T12:00:00Z", milliseconds only when there are any. */
void time_format(int64_t at_ms, char out[TIME_TEXT_BYTES]);
void date_format(int64_t day, char out[TIME_TEXT_BYTES]);
/* RFC 3339 with Z or an offset, up to 3 fraction digits kept, more are cut.
 * STATUS_MALFORMED otherwise; year 0 too. */
MUST_USE enum status time_parse(struct span text, int64_t *at_ms);
/* YYYY-MM-DD. */
MUST_USE enum status date_parse(struct span text, int64_t *day);
/* ISO 8601 duration of weeks, days, hours, minutes, seconds: "P1D", "PT90M", "P2W".
 * Also the short "1d", "90m", "30s", "2w", "500ms". */
MUST_USE enum status duration_parse(struct span text, int64_t *duration_ms);

#endif
