/*
 * Campaign's page: its tables, feeds, methods and what the shell calls.
 */
#ifndef KITH_CAMPAIGN_SERVICE_H
#define KITH_CAMPAIGN_SERVICE_H

#include "common/service/service.h"

extern const struct service_definition campaign_definition;

#endif
