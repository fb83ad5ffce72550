/*
 * How a failure is told: a status, and a sentence where the caller has room for one.
 */
#ifndef KITH_CLIENT_STATUS_H
#define KITH_CLIENT_STATUS_H

#include "clients/c/kith.h"

/* Fills `error`, unless it is NULL, and returns the status. */
enum kith_status kith_error_set(struct kith_error *error, enum kith_status status,
                                const char *format, ...) __attribute__((format(printf, 3, 4)));
/* KITH_INVALID_ARGUMENT: "WHAT must be 1 to 64 bytes of ...". */
KITH_MUST_USE enum kith_status kith_error_id(struct kith_error *error, const char *what);

/* A number from the wire; KITH_INTERNAL for a code that none has. */
enum kith_status kith_status_of_code(uint32_t code);

/* On the monotonic clock, and the wall clock's. */
int64_t kith_monotonic_ms(void);
int64_t kith_wall_ms(void);
/* The time-out brought within 0 and KITH_TIMEOUT_MS_MAX. */
int64_t kith_timeout_within(int64_t timeout_ms);

#endif
