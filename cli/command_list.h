/* All commands, table after table, in the order in which they are listed. */
#ifndef KITH_CLI_COMMAND_LIST_H
#define KITH_CLI_COMMAND_LIST_H

#include "cli/command.h"

#include <stddef.h>

struct command_cursor {
    size_t table;
    size_t index; /* of the next one */
};

/* Begins with a zeroed cursor. NULL: that was the last. */
const struct command *command_next(struct command_cursor *cursor);

#endif
