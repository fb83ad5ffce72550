/*
 * A configuration checked whole: what all share by us, the rest by each service's program.
 */
#ifndef KITH_CLI_CONFIG_CHECK_H
#define KITH_CLI_CONFIG_CHECK_H

#include "common/config/suite.h"

/* Says what is wrong on stderr ("FILE:LINE: ...") and returns the exit code. On EXIT_DONE
 * `config` is loaded and the caller's to release. */
int config_check(const char *path, struct suite_config *config);

#endif
