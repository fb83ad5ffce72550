/*
 * Whole numbers from text, exact and strict. No floating point anywhere.
 */
#ifndef KITH_BASE_MONEY_H
#define KITH_BASE_MONEY_H

#include "common/base/bytes.h"

/* An optional minus and digits, nothing else. STATUS_MALFORMED: not that;
 * STATUS_RANGE: does not fit. */
MUST_USE enum status integer_parse(struct span text, int64_t *value);
/* "29.33" with `digits` 2 is 2933; "29" is 2900; "29.3" is 2930. More fraction digits
 * than `digits` are MALFORMED unless zero. Past LIMIT_AMOUNT either way: STATUS_RANGE. */
MUST_USE enum status decimal_parse(struct span text, unsigned digits, int64_t *minor);
/* Writes 2933 as "29.33"; `out` holds 32. */
void decimal_format(int64_t minor, unsigned digits, char *out);

#endif
