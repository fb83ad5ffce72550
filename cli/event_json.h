/*
 * Parts of an event as JSON, for all commands that show events.
 */
#ifndef KITH_CLI_EVENT_JSON_H
#define KITH_CLI_EVENT_JSON_H

#include "common/base/event.h"

#include <jansson.h>

/* {"minor", "currency"} */
json_t *money_json(const struct money *money);
/* Its value alone. */
json_t *attribute_json(const struct attribute *attribute);

#endif
