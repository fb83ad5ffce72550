#include "cli/command_list.h"

static const struct command *const tables[] = {
    commands_suite,      commands_top,     commands_ingest,     commands_gen,  commands_report,
    commands_loyalty,    commands_segment, commands_campaign,   commands_tail, commands_clock,
    commands_quarantine, commands_check,   commands_completion,
};
#define TABLE_COUNT (sizeof tables / sizeof tables[0])

const struct command *command_next(struct command_cursor *cursor)
{
    while (cursor->table < TABLE_COUNT) {
        const struct command *command = &tables[cursor->table][cursor->index++];
        if (command->name != NULL) {
            return command;
        }
        *cursor = (struct command_cursor){ .table = cursor->table + 1 };
    }
    return NULL;
}
