/*
 * DIR/run/supervisor.cmd: a socket over which a command asks the supervisor to stop or
 * start one service. One line of text each way: "stop loyalty", "ok" or "error: WHY".
 */
#ifndef KITH_CLI_SUPERVISOR_CONTROL_H
#define KITH_CLI_SUPERVISOR_CONTROL_H

#include "common/base/refusal.h"

#include <poll.h>
#include <stdbool.h>

#define CONTROL_CONNECTIONS_MAX 16
#define CONTROL_LINE_BYTES 64
/* How long to wait for an answer: longer than a service may take to start or to stop. */
#define CONTROL_ANSWER_MS 90000
#define CONTROL_DESCRIPTORS_MAX (CONTROL_CONNECTIONS_MAX + 1)

enum control_verb { CONTROL_STOP, CONTROL_START };

struct control_request {
    enum control_verb verb;
    char service[24];
};

/* ---- the supervisor's side; nothing blocks */

struct control;

MUST_USE enum status control_open(struct control **control, const char *data,
                                  struct refusal *refusal);
void control_close(struct control **control);

/* Fills what to poll; returns how many, at most CONTROL_DESCRIPTORS_MAX. */
size_t control_descriptors(const struct control *control, struct pollfd *descriptors);
/* Takes connections and lines that wait. */
void control_step(struct control *control);

/* Looks at each request that is not answered yet. `answer` returns NULL as long as there is
 * nothing to say, or the line; `is_new` on the first look at it. */
typedef const char *(*control_answer)(void *argument, const struct control_request *request,
                                      bool is_new);
void control_answer_all(struct control *control, control_answer answer, void *argument);

/* ---- the command's side */

/* Sends a line and waits for the answer. STATUS_UNREACHABLE: no supervisor, or none that
 * answers in time; STATUS_REFUSED: it says no. */
MUST_USE enum status control_ask(const char *data, enum control_verb verb, const char *service,
                                 int64_t timeout_ms, struct refusal *refusal);

#endif
