/* What reporting is to the shell: one page that says which message goes where. */
#ifndef KITH_REPORTING_SERVICE_H
#define KITH_REPORTING_SERVICE_H

#include "common/service/service.h"

extern const struct service_definition reporting_definition;

#endif
