/* The host's clocks: the only place that reads one for a service. */
#ifndef KITH_SERVICE_CLOCK_OS_H
#define KITH_SERVICE_CLOCK_OS_H

#include "common/base/clock.h"

struct clock clock_os(void);

#endif
