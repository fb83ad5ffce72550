#include "common/base/money.h"

#include "common/base/limits.h"

#include <assert.h>
#include <string.h>

/* 10^15, which LIMIT_AMOUNT is, has one whole unit left with so many fraction digits. */
#define DECIMAL_DIGITS_MAX 15

static bool digits_only(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.size > 0;
}

/* Takes a minus off the front of `text`; true if there was one. */
static bool sign_take(struct span *text)
{
    if (text->size == 0 || text->data[0] != '-') {
        return false;
    }
    *text = span_of(text->data + 1, text->size - 1);
    return true;
}

/* Writes `digits` after those of *value. Counting below zero, where one number more fits.
 * False: no room. */
static bool digits_push_below_zero(int64_t *value, struct span digits)
{
    for (size_t i = 0; i < digits.size; i++) {
        int digit = digits.data[i] - '0';
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_sub_overflow(*value, digit, value)) {
            return false;
        }
    }
    return true;
}

enum status integer_parse(struct span text, int64_t *value)
{
    bool is_negative = sign_take(&text);
    if (!digits_only(text)) {
        return STATUS_MALFORMED;
    }
    int64_t below_zero = 0;
    if (!digits_push_below_zero(&below_zero, text)) {
        return STATUS_RANGE;
    }
    if (!is_negative && below_zero == INT64_MIN) {
        return STATUS_RANGE;
    }
    *value = is_negative ? below_zero : -below_zero;
    return STATUS_OK;
}

/* Cuts `text` at its point. A point wants digits on both sides of it. */
static bool decimal_split(struct span text, struct span *whole, struct span *fraction)
{
    *whole = text;
    *fraction = span_of(NULL, 0);
    const uint8_t *point = text.size == 0 ? NULL : memchr(text.data, '.', text.size);
    if (point == NULL) {
        return digits_only(text);
    }
    size_t before = (size_t)(point - text.data);
    *whole = span_of(text.data, before);
    *fraction = span_of(point + 1, text.size - before - 1);
    return digits_only(*whole) && digits_only(*fraction);
}

static bool zeros_only(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '0') {
            return false;
        }
    }
    return true;
}

/* The fraction with exactly `digits` digits, in `out`; false: some would be lost. */
static bool fraction_fit(struct span fraction, unsigned digits, uint8_t *out)
{
    size_t kept = fraction.size < digits ? fraction.size : digits;
    memset(out, '0', digits);
    if (kept > 0) {
        memcpy(out, fraction.data, kept);
    }
    return fraction.size == kept || zeros_only(span_of(fraction.data + kept, fraction.size - kept));
}

enum status decimal_parse(struct span text, unsigned digits, int64_t *minor)
{
    assert(digits <= DECIMAL_DIGITS_MAX);
    bool is_negative = sign_take(&text);
    struct span whole = { 0 };
    struct span fraction = { 0 };
    uint8_t fitted[DECIMAL_DIGITS_MAX] = { 0 };
    if (!decimal_split(text, &whole, &fraction) || !fraction_fit(fraction, digits, fitted)) {
        return STATUS_MALFORMED;
    }
    int64_t below_zero = 0;
    if (!digits_push_below_zero(&below_zero, whole) ||
        !digits_push_below_zero(&below_zero, span_of(fitted, digits)) ||
        below_zero < -LIMIT_AMOUNT) {
        return STATUS_RANGE;
    }
    *minor = is_negative ? below_zero : -below_zero;
    return STATUS_OK;
}

void decimal_format(int64_t minor, unsigned digits, char *out)
{
    assert(digits <= DECIMAL_DIGITS_MAX);
    /* Also right for the least number, whose negative does not fit. */
    uint64_t rest = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    char reversed[32] = { 0 };
    size_t size = 0;
    /* At least one digit stands before the point. */
    for (unsigned place = 0; place <= digits || rest > 0; place++) {
        if (place == digits && digits > 0) {
            reversed[size++] = '.';
        }
        reversed[size++] = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (minor < 0) {
        reversed[size++] = '-';
    }
    assert(size < sizeof reversed);
    for (size_t i = 0; i < size; i++) {
        out[i] = reversed[size - 1 - i];
    }
    out[size] = '\0';
}
