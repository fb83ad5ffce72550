/*
 * Why something was refused: a status, a sentence, and for each field at fault the rule
 * that it broke and how to mend it. A plain value, no memory of its own.
 */
#ifndef KITH_BASE_REFUSAL_H
#define KITH_BASE_REFUSAL_H

#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define REFUSAL_VIOLATIONS_MAX 8

struct violation {
    char field[80];
    char rule[128];
    char mend[160];
};

struct refusal {
    enum status status; /* STATUS_OK: nothing refused */
    char message[256];
    struct violation violations[REFUSAL_VIOLATIONS_MAX];
    size_t violation_count; /* further ones are dropped */
    uint32_t retry_after_ms;
};

void refusal_init(struct refusal *refusal);
/* Sets status and message (printf form) and returns the status. NULL is taken. */
enum status refusal_set(struct refusal *refusal, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a field's fault; the status becomes MALFORMED unless one is set. NULL is taken. */
void refusal_violation(struct refusal *refusal, const char *field, const char *rule,
                       const char *mend);

#endif
