/*
 * An event as the caller gives it, and as it goes to ingestion.
 */
#ifndef KITH_CLIENT_EVENT_H
#define KITH_CLIENT_EVENT_H

#include "clients/c/kith.h"
#include "clients/c/kith_memory.h"

/* Appends a packed kith.v1.Event. KITH_INVALID_ARGUMENT: a field is missing or passes a bound. */
KITH_MUST_USE enum kith_status kith_event_pack(const struct kith_event *event,
                                               struct kith_bytes *out, struct kith_error *error);

#endif
