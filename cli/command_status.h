/*
 * `kith status`.
 */
#ifndef KITH_CLI_COMMAND_STATUS_H
#define KITH_CLI_COMMAND_STATUS_H

#include "cli/command.h"

int status_run(const struct invocation *invocation);

#endif
