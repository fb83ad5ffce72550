#include "clients/c/kith_status.h"

#include "clients/c/kith_text.h"
#include "kith_version.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define CODE_MAX 16

static const char *const names[CODE_MAX + 1] = {
    [KITH_OK] = "OK",
    [KITH_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [KITH_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [KITH_NOT_FOUND] = "NOT_FOUND",
    [KITH_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [KITH_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [KITH_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [KITH_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [KITH_ABORTED] = "ABORTED",
    [KITH_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [KITH_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [KITH_INTERNAL] = "INTERNAL",
    [KITH_UNAVAILABLE] = "UNAVAILABLE",
    [KITH_DATA_LOSS] = "DATA_LOSS",
    [KITH_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

static const char *name_of(uint32_t code)
{
    return code <= CODE_MAX ? names[code] : NULL;
}

const char *kith_status_name(enum kith_status status)
{
    const char *name = name_of((uint32_t)status);
    return name == NULL ? "UNKNOWN" : name;
}

enum kith_status kith_status_of_code(uint32_t code)
{
    return name_of(code) == NULL ? KITH_INTERNAL : (enum kith_status)code;
}

const char *kith_version(void)
{
    return KITH_VERSION;
}

enum kith_status kith_error_set(struct kith_error *error, enum kith_status status,
                                const char *format, ...)
{
    assert(status != KITH_OK);
    if (error == NULL) {
        return status;
    }
    *error = (struct kith_error){ .status = status };
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    /* A text that was cut, or that quotes the caller, may end within a character. */
    kith_text_clean(error->text);
    return status;
}

enum kith_status kith_error_id(struct kith_error *error, const char *what)
{
    return kith_error_set(error, KITH_INVALID_ARGUMENT,
                          "%s must be 1 to %d bytes of UTF-8 without control characters", what,
                          KITH_ID_BYTES);
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now = { 0 };
    int result = clock_gettime(clock, &now);
    assert(result == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t kith_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t kith_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t kith_timeout_within(int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        return 0;
    }
    return timeout_ms > KITH_TIMEOUT_MS_MAX ? KITH_TIMEOUT_MS_MAX : timeout_ms;
}
