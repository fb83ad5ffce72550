/*
 * The services' programs: where they are, and running one of their verbs.
 */
#ifndef KITH_CLI_PROGRAM_H
#define KITH_CLI_PROGRAM_H

#include "cli/suite_file.h"

/* kith-SERVICE beside this program, or else in PATH. STATUS_NOT_FOUND: in neither. */
MUST_USE enum status program_find(const char *service, struct path *path, struct refusal *refusal);

/* Runs `argv` (argv[0] is the path, NULL at the end) with our own output until it ends.
 * *code is its exit code; 128 + N when signal N ended it. */
MUST_USE enum status program_run(char *const *argv, int *code, struct refusal *refusal);

#endif
