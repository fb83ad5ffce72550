/* How the services of a suite are, once. */
#include "cli/command_status.h"

#include "cli/options.h"
#include "cli/output.h"
#include "cli/status_board.h"

#include <stdio.h>

/* What a person looks for; the rest is in --json. */
static json_t *person_row(json_t *service)
{
    static const char *const keys[] = { "name", "shard", "pid",         "state",    "ready",
                                        "seq",  "lag",   "lag_seconds", "restarts", "not_ready" };
    json_t *row = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        output_put(row, keys[i], json_incref(json_object_get(service, keys[i])));
    }
    return row;
}

static void people_print(const struct invocation *invocation, const struct status_board *board,
                         const json_t *services)
{
    struct listing *listing = NULL;
    listing_open(&listing, invocation);
    for (size_t i = 0; i < json_array_size(services); i++) {
        listing_add(listing, person_row(json_array_get(services, i)));
    }
    json_t *now = board->has_now ? output_time(board->now_ms) : json_string("unknown");
    (void)printf("now %s\n\n", json_string_value(now));
    json_decref(now);
    listing_close(&listing, "this suite has no services");
}

int status_run(const struct invocation *invocation)
{
    struct option_form form = { 0 };
    int code = options_read(invocation, &form, /* words= */ NULL);
    struct suite *suite = code == EXIT_DONE ? suite_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    struct status_board board = { .suite = suite };
    json_t *services = status_board_read(&board);
    if (invocation->json) {
        const struct suite_file *facts = suite_facts(suite);
        json_t *object = json_object();
        output_put(object, "now", board.has_now ? output_time(board.now_ms) : json_null());
        output_put(object, "clock", json_string(facts->event_clock ? "event" : "wall"));
        output_put(object, "supervisor", json_integer(facts->pid));
        output_put(object, "services", json_incref(services));
        output_line(object);
    } else {
        people_print(invocation, &board, services);
    }
    json_decref(services);
    suite_close(&suite);
    return EXIT_DONE;
}
