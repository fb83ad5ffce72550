/* What ingestion is to the shell: one page that says which message goes where. */
#ifndef KITH_INGESTION_SERVICE_H
#define KITH_INGESTION_SERVICE_H

#include "common/service/service.h"

extern const struct service_definition ingestion_definition;

#endif
