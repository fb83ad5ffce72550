/* What the supervisor wrote of each service, joined with what the service says of itself. */
#ifndef KITH_CLI_STATUS_BOARD_H
#define KITH_CLI_STATUS_BOARD_H

#include "cli/suite.h"

#include <jansson.h>

struct status_board {
    struct suite *suite;
    bool has_now;
    int64_t now_ms; /* the newest of all services */
};

/* Asks all services at the same time and waits a second at most: an array with an object for
 * each shard, also for those that do not answer. The caller gives the array back. Sets
 * board->now_ms. */
json_t *status_board_read(struct status_board *board);

#endif
