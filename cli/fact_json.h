/*
 * A fact of any feed as a JSON object, for `kith tail`.
 */
#ifndef KITH_CLI_FACT_JSON_H
#define KITH_CLI_FACT_JSON_H

#include "common/base/arena.h"
#include "common/base/fact.h"
#include "common/base/position.h"

#include <jansson.h>

/* {"feed", "shard", "seq", "type", "customer", "occurred_at", "recorded_at", ...}; what is
 * absent is left out, but for customer, which is null. `arena` is reset. */
json_t *fact_json(const struct feed_name *feed, const struct fact *fact, struct arena *arena);

/* "points.earned"; of a type that this program does not know, its number. */
json_t *fact_type_json(uint32_t type);
/* What messages are named by, and what became of them: "2f0c...", "not_in_segment" or null,
 * "entry", "sent". */
json_t *dispatch_json(struct span dispatch);
json_t *dispatch_reason_json(bool has_reason, int reason);
json_t *dispatch_trigger_json(int trigger);
json_t *dispatch_state_json(int state);

#endif
