#include "common/base/refusal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void refusal_init(struct refusal *refusal)
{
    /* Places for violations are 3 KB, and each request has one of these that stays empty. */
    refusal->status = STATUS_OK;
    refusal->message[0] = '\0';
    refusal->violation_count = 0;
    refusal->retry_after_ms = 0;
}

/* Where a text that was cut after `size` bytes has to end, so that its last character is
 * whole: half of one would make the message invalid UTF-8, which readers refuse. */
static size_t whole_characters_size(const char *text, size_t size)
{
    size_t start = size;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return 0;
    }
    unsigned char first = (unsigned char)text[start - 1];
    size_t needed = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return size - start + 1 < needed ? start - 1 : size;
}

static void text_put(char *out, size_t out_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void text_put_list(char *out, size_t out_size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void text_put_list(char *out, size_t out_size, const char *format, va_list arguments)
{
    int length = vsnprintf(out, out_size, format, arguments);
    assert(length >= 0);
    if ((size_t)length >= out_size) {
        out[whole_characters_size(out, out_size - 1)] = '\0';
    }
}

static void text_put(char *out, size_t out_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_put_list(out, out_size, format, arguments);
    va_end(arguments);
}

enum status refusal_set(struct refusal *refusal, enum status status, const char *format, ...)
{
    assert(status != STATUS_OK);
    if (refusal == NULL) {
        return status;
    }
    refusal->status = status;
    va_list arguments;
    va_start(arguments, format);
    text_put_list(refusal->message, sizeof refusal->message, format, arguments);
    va_end(arguments);
    return status;
}

void refusal_violation(struct refusal *refusal, const char *field, const char *rule,
                       const char *mend)
{
    if (refusal == NULL) {
        return;
    }
    if (refusal->status == STATUS_OK) {
        (void)refusal_set(refusal, STATUS_MALFORMED, "%s", status_text(STATUS_MALFORMED));
    }
    if (refusal->violation_count == REFUSAL_VIOLATIONS_MAX) {
        return;
    }
    struct violation *violation = &refusal->violations[refusal->violation_count];
    text_put(violation->field, sizeof violation->field, "%s", field);
    text_put(violation->rule, sizeof violation->rule, "%s", rule);
    text_put(violation->mend, sizeof violation->mend, "%s", mend);
    refusal->violation_count++;
}
