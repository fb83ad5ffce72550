/*
 * `kith loyalty verify`: the ledger added up from its feed, beside the service.
 */
#ifndef KITH_CLI_LEDGER_VERIFY_H
#define KITH_CLI_LEDGER_VERIFY_H

#include "cli/command.h"

int loyalty_verify_run(const struct invocation *invocation);

#endif
