/* What loyalty is to the shell: one page that says which message goes where. */
#ifndef KITH_LOYALTY_SERVICE_H
#define KITH_LOYALTY_SERVICE_H

#include "common/service/service.h"

extern const struct service_definition loyalty_definition;

#endif
