#include "cli/supervisor_control.h"

#include "cli/suite.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REPLY_BYTES 256

struct connection {
    int descriptor; /* -1: free */
    size_t size;
    char line[CONTROL_LINE_BYTES];
    bool is_asked; /* `request` is whole and not answered yet */
    bool is_seen;  /* by the supervisor */
    struct control_request request;
};

struct control {
    int listener;
    struct sockaddr_un address;
    struct connection connections[CONTROL_CONNECTIONS_MAX];
};

static const char *const verb_texts[] = { "stop", "start" };

static enum status address_make(const char *data, struct sockaddr_un *address,
                                struct refusal *refusal)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int size = snprintf(address->sun_path, sizeof address->sun_path, "%s/run/supervisor.cmd", data);
    if (size < 0 || (size_t)size >= sizeof address->sun_path) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "the socket's path %s/run/supervisor.cmd is longer than %zu bytes; "
                           "choose a shorter data folder",
                           data, sizeof address->sun_path - 1);
    }
    return STATUS_OK;
}

/* ---- the supervisor's side */

enum status control_open(struct control **control, const char *data, struct refusal *refusal)
{
    assert(*control == NULL);
    struct sockaddr_un address;
    enum status status = address_make(data, &address, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    /* What lies there was left by a supervisor that was killed: we hold its lock. */
    (void)unlink(address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, CONTROL_CONNECTIONS_MAX) != 0) {
        status = refusal_set(refusal, STATUS_INTERNAL, "%s: cannot be made: %s", address.sun_path,
                             strerror(errno));
        if (listener >= 0) {
            (void)close(listener);
        }
        return status;
    }
    struct control *opened = memory_allocate(sizeof *opened);
    opened->listener = listener;
    opened->address = address;
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        opened->connections[i].descriptor = -1;
    }
    *control = opened;
    return STATUS_OK;
}

static void connection_end(struct connection *connection)
{
    if (connection->descriptor >= 0) {
        (void)close(connection->descriptor);
    }
    *connection = (struct connection){ .descriptor = -1 };
}

void control_close(struct control **control)
{
    struct control *closing = *control;
    if (closing == NULL) {
        return;
    }
    *control = NULL;
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        connection_end(&closing->connections[i]);
    }
    (void)close(closing->listener);
    (void)unlink(closing->address.sun_path);
    free(closing);
}

/* A reader that is gone or has no room for a line loses it. */
static void reply_send(struct connection *connection, const char *reply)
{
    char line[REPLY_BYTES];
    int size = snprintf(line, sizeof line, "%s\n", reply);
    assert(size > 0 && (size_t)size < sizeof line);
    (void)send(connection->descriptor, line, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    connection_end(connection);
}

size_t control_descriptors(const struct control *control, struct pollfd *descriptors)
{
    size_t count = 0;
    bool has_place = false;
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        const struct connection *connection = &control->connections[i];
        has_place = has_place || connection->descriptor < 0;
        if (connection->descriptor >= 0 && !connection->is_asked) {
            descriptors[count++] =
                (struct pollfd){ .fd = connection->descriptor, .events = POLLIN };
        }
    }
    if (has_place) {
        descriptors[count++] = (struct pollfd){ .fd = control->listener, .events = POLLIN };
    }
    return count;
}

static void connections_accept(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        struct connection *connection = &control->connections[i];
        if (connection->descriptor >= 0) {
            continue;
        }
        connection->descriptor =
            accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection->descriptor < 0) {
            return;
        }
    }
    /* No place is left: whoever comes waits in the listener's queue. */
}

static bool line_decode(const char *line, struct control_request *request)
{
    for (size_t i = 0; i < sizeof verb_texts / sizeof verb_texts[0]; i++) {
        size_t size = strlen(verb_texts[i]);
        if (strncmp(line, verb_texts[i], size) == 0 && line[size] == ' ' &&
            strlen(line + size + 1) < sizeof request->service) {
            request->verb = (enum control_verb)i;
            memcpy(request->service, line + size + 1, strlen(line + size + 1) + 1);
            return true;
        }
    }
    return false;
}

static void line_read(struct connection *connection)
{
    size_t room = sizeof connection->line - 1 - connection->size;
    ssize_t size =
        recv(connection->descriptor, connection->line + connection->size, room, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size <= 0) {
        connection_end(connection);
        return;
    }
    connection->size += (size_t)size;
    char *end = memchr(connection->line, '\n', connection->size);
    if (end == NULL && connection->size + 1 < sizeof connection->line) {
        return; /* the rest is on its way */
    }
    if (end != NULL) {
        *end = '\0';
    }
    if (end == NULL || !line_decode(connection->line, &connection->request)) {
        reply_send(connection, "error: say stop SERVICE or start SERVICE");
        return;
    }
    connection->is_asked = true;
}

void control_step(struct control *control)
{
    connections_accept(control);
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        struct connection *connection = &control->connections[i];
        if (connection->descriptor >= 0 && !connection->is_asked) {
            line_read(connection);
        }
    }
}

void control_answer_all(struct control *control, control_answer answer, void *argument)
{
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        struct connection *connection = &control->connections[i];
        if (!connection->is_asked) {
            continue;
        }
        const char *reply = answer(argument, &connection->request, !connection->is_seen);
        connection->is_seen = true;
        if (reply != NULL) {
            reply_send(connection, reply);
        }
    }
}

/* ---- the command's side */

/* False: nothing can be read within the time. */
static bool reply_await(int descriptor, int64_t until_ms)
{
    for (;;) {
        int64_t left_ms = until_ms - suite_monotonic_ms();
        left_ms = left_ms < 0 ? 0 : left_ms;
        struct pollfd waiting = { .fd = descriptor, .events = POLLIN };
        int ready = poll(&waiting, 1, (int)(left_ms < INT_MAX ? left_ms : INT_MAX));
        if (ready >= 0 || errno != EINTR) {
            return ready > 0;
        }
    }
}

/* Until the line is whole, the other end is closed, or the time is over. */
static bool reply_receive(int descriptor, int64_t timeout_ms, char reply[REPLY_BYTES])
{
    int64_t until_ms = suite_monotonic_ms() + timeout_ms;
    size_t size = 0;
    while (size + 1 < REPLY_BYTES && reply_await(descriptor, until_ms)) {
        ssize_t taken = recv(descriptor, reply + size, REPLY_BYTES - 1 - size, 0);
        if (taken <= 0) {
            return false;
        }
        size += (size_t)taken;
        reply[size] = '\0';
        char *end = strchr(reply, '\n');
        if (end != NULL) {
            *end = '\0';
            return true;
        }
    }
    return false;
}

static enum status line_exchange(int descriptor, const struct sockaddr_un *address,
                                 const char *line, int64_t timeout_ms, struct refusal *refusal)
{
    char reply[REPLY_BYTES] = "";
    if (connect(descriptor, (const struct sockaddr *)address, sizeof *address) != 0 ||
        send(descriptor, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line)) {
        return refusal_set(refusal, STATUS_UNREACHABLE, "the supervisor does not answer at %s: %s",
                           address->sun_path, strerror(errno));
    }
    if (!reply_receive(descriptor, timeout_ms, reply)) {
        return refusal_set(refusal, STATUS_UNREACHABLE,
                           "the supervisor did not answer within %d s; see kith status",
                           (int)(timeout_ms / 1000));
    }
    if (strcmp(reply, "ok") == 0) {
        return STATUS_OK;
    }
    const char *why = strncmp(reply, "error: ", 7) == 0 ? reply + 7 : reply;
    return refusal_set(refusal, STATUS_REFUSED, "%s", why);
}

enum status control_ask(const char *data, enum control_verb verb, const char *service,
                        int64_t timeout_ms, struct refusal *refusal)
{
    struct sockaddr_un address;
    char line[CONTROL_LINE_BYTES];
    enum status status = address_make(data, &address, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    int size = snprintf(line, sizeof line, "%s %s\n", verb_texts[verb], service);
    if (size < 0 || (size_t)size >= sizeof line) {
        return refusal_set(refusal, STATUS_REFUSED, "this suite has no service '%s'", service);
    }
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "no socket can be made: %s", strerror(errno));
    }
    status = line_exchange(descriptor, &address, line, timeout_ms, refusal);
    (void)close(descriptor);
    return status;
}
