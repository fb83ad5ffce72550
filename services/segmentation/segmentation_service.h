/* What segmentation is to the shell: one page that says which message goes where. */
#ifndef KITH_SEGMENTATION_SERVICE_H
#define KITH_SEGMENTATION_SERVICE_H

#include "common/service/service.h"

extern const struct service_definition segmentation_definition;

#endif
