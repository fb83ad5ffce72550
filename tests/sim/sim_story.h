/*
 * What clients make up.
 */
#ifndef KITH_TESTS_SIM_STORY_H
#define KITH_TESTS_SIM_STORY_H

#include "tests/sim/sim_clients.h"

/* Fills a command that has its number and key already: what it says, and whom it asks. */
void sim_command_draw(struct sim_clients *clients, struct sim_client *client,
                      struct sim_command *command);
/* About command->customer and command->subject; the node is the caller's to choose. */
void sim_question_encode(const struct sim_clients *clients, struct sim_command *command,
                         enum sim_question question);
/* To go on with a feed after command->from. */
void sim_accept_encode(const char *feed, uint32_t shard, struct sim_command *command);

#endif
