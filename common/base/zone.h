/*
 * The time zone that people live in: instants to local days and back. It reads the host's
 * zone database (TZif) itself, once, and depends neither on TZ nor on the C library.
 *
 * Instants are milliseconds since 1970, UTC. A local time is written the same way, as if
 * the clock on the wall showed UTC. Instants and local times that it is given lie in the
 * years 1 to 9999, a few days more on either side.
 */
#ifndef KITH_BASE_ZONE_H
#define KITH_BASE_ZONE_H

#include "common/base/bytes.h"
#include "common/base/refusal.h"

struct zone; /* the rules of one zone; does not change once it is open */

/* `name` is a name of the IANA database ("Europe/Madrid"); "UTC" needs no database.
 * *zone must be NULL before; the caller ends it with zone_close.
 *
 *   STATUS_MALFORMED  `name` cannot be the name of a zone
 *   STATUS_NOT_FOUND  the database has no such zone
 *   STATUS_CORRUPT    its file cannot be used; `refusal` says why
 */
MUST_USE enum status zone_open(struct zone **zone, const char *name, struct refusal *refusal);
void zone_close(struct zone **zone);

/* How far local clocks are ahead of UTC at an instant; always defined. */
int64_t zone_offset_ms(const struct zone *zone, int64_t at_ms);
int64_t zone_local_ms(const struct zone *zone, int64_t at_ms);
/* The local day that holds the instant, as days since 1970-01-01. */
int64_t zone_day(const struct zone *zone, int64_t at_ms);

/* The first instant at which local clocks show `local_ms` or later: of a time that comes
 * twice the first, of a time that is skipped the first instant after the gap. */
int64_t zone_instant_ms(const struct zone *zone, int64_t local_ms);
/* The first instant of a local day; [start of d, start of d + 1) is the whole day. */
int64_t zone_day_start_ms(const struct zone *zone, int64_t day);

#endif
