#include "common/service/admin.h"

#include <arpa/inet.h>
#include <assert.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES_MAX (256 * 1024)
#define IDLE_SECONDS 10

struct admin {
    struct MHD_Daemon *daemon;
    struct admin_source source;
    unsigned port;
    int descriptor;
    struct buffer page;
};

struct answer {
    unsigned code;
    const char *type;
};

static struct answer page_write(struct admin *admin, const char *path)
{
    static const char text[] = "text/plain; charset=utf-8";
    char why[256] = "";
    buffer_clear(&admin->page);
    if (strcmp(path, "/metrics") == 0) {
        admin->source.metrics(admin->source.context, &admin->page);
        return (struct answer){ MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8" };
    }
    if (strcmp(path, "/healthz") == 0) {
        (void)!buffer_append(&admin->page, span_of_text("alive\n"));
        return (struct answer){ MHD_HTTP_OK, text };
    }
    if (strcmp(path, "/readyz") == 0) {
        bool ready = admin->source.is_ready(admin->source.context, why, sizeof why);
        (void)!buffer_append(&admin->page, span_of_text(ready ? "ready" : why));
        (void)!buffer_append(&admin->page, span_of_text("\n"));
        return (struct answer){ ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, text };
    }
    (void)!buffer_append(&admin->page, span_of_text("try /metrics, /healthz or /readyz\n"));
    return (struct answer){ MHD_HTTP_NOT_FOUND, text };
}

/* NOLINTBEGIN(readability-function-size,readability-non-const-parameter): the signature is
 * libmicrohttpd's */
static enum MHD_Result request_answer(void *context, struct MHD_Connection *connection,
                                      const char *path, const char *method, const char *version,
                                      const char *upload, size_t *upload_size, void **state)
/* NOLINTEND(readability-function-size,readability-non-const-parameter) */
{
    struct admin *admin = context;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return MHD_NO;
    }
    struct answer answer = page_write(admin, path);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(admin->page.size, admin->page.data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", answer.type);
    enum MHD_Result queued = MHD_queue_response(connection, answer.code, response);
    MHD_destroy_response(response);
    return queued;
}

static enum status daemon_start(struct admin *admin, struct refusal *refusal)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = 0,
                                   .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    admin->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, request_answer, admin, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    if (admin->daemon == NULL) {
        return refusal_set(refusal, STATUS_INTERNAL, "cannot listen on 127.0.0.1 for admin HTTP");
    }
    const union MHD_DaemonInfo *port =
        MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const union MHD_DaemonInfo *epoll =
        MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    assert(port != NULL && epoll != NULL);
    admin->port = port->port;
    admin->descriptor = epoll->epoll_fd;
    return STATUS_OK;
}

enum status admin_open(struct admin **admin, const struct admin_source *source,
                       struct refusal *refusal)
{
    assert(*admin == NULL);
    struct admin *opened = memory_allocate(sizeof *opened);
    opened->source = *source;
    buffer_init(&opened->page, PAGE_BYTES_MAX);
    enum status status = daemon_start(opened, refusal);
    if (status != STATUS_OK) {
        admin_close(&opened);
        return status;
    }
    *admin = opened;
    return STATUS_OK;
}

void admin_close(struct admin **admin)
{
    if (*admin == NULL) {
        return;
    }
    if ((*admin)->daemon != NULL) {
        MHD_stop_daemon((*admin)->daemon);
    }
    buffer_release(&(*admin)->page);
    free(*admin);
    *admin = NULL;
}

unsigned admin_port(const struct admin *admin)
{
    return admin->port;
}

int admin_descriptor(const struct admin *admin)
{
    return admin->descriptor;
}

void admin_step(struct admin *admin)
{
    (void)MHD_run(admin->daemon);
}

int64_t admin_wait_ms(const struct admin *admin)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(admin->daemon, &wait_ms) != MHD_YES) {
        return -1;
    }
    return (int64_t)wait_ms;
}
