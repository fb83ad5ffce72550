#include "common/service/refold.h"

#include "common/service/clock_os.h"
#include "common/service/shell_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000

struct fold {
    struct process_peers peers;
    uint64_t stop_at[LIMIT_FEEDS];
    char consumer[64];
    struct transport_zmq *zmq;
    struct transport transport;
    struct shell *shell;
    void *service;
};

bool refold_cursor_note(void *argument, struct span key, struct span value)
{
    struct refold_cursors *cursors = argument;
    struct feed_cursor cursor = { 0 };
    struct feed_name feed = { .shard = 0 };
    if (cursors->count < LIMIT_FEEDS && ledger_cursor_decode(key, value, &feed, &cursor)) {
        cursors->cursors[cursors->count].feed = feed;
        cursors->cursors[cursors->count].to = cursor.to;
        cursors->count += 1;
    }
    return true;
}

static uint64_t stop_of(const struct refold_cursors *cursors, const struct feed_name *feed)
{
    for (size_t i = 0; i < cursors->count; i++) {
        if (strcmp(cursors->cursors[i].feed.name, feed->name) == 0 &&
            cursors->cursors[i].feed.shard == feed->shard) {
            return cursors->cursors[i].to;
        }
    }
    return 0;
}

static enum status fold_open(struct fold *fold, struct process *process, struct store *store,
                             const struct refold_cursors *cursors, struct refusal *refusal)
{
    const char *endpoints[LIMIT_FEEDS];
    enum status status = process_peers_fill(process, &fold->peers, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    for (unsigned i = 0; i < fold->peers.count; i++) {
        endpoints[i] = fold->peers.endpoints[i];
        fold->stop_at[i] = stop_of(cursors, &fold->peers.peers[i].feed);
    }
    (void)snprintf(fold->consumer, sizeof fold->consumer, "verify-%s-%ld",
                   process->definition->name, (long)getpid());
    struct transport_zmq_options zmq = { .peers = endpoints, .peer_count = fold->peers.count };
    status = transport_zmq_open(&fold->zmq, &zmq, refusal);
    if (status == STATUS_OK) {
        fold->transport = transport_of_zmq(fold->zmq);
        status = process->definition->open(&fold->service, &process->environment, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct shell_options options = { .definition = process->definition,
                                     .service = fold->service,
                                     .shard = process->environment.shard,
                                     .clock = clock_os(),
                                     .transport = &fold->transport,
                                     .store = store,
                                     .limits = process->own,
                                     .event_clock = process->config.clock == SUITE_CLOCK_EVENT,
                                     .peers = fold->peers.peers,
                                     .peer_count = fold->peers.count,
                                     .consumer = fold->consumer,
                                     .stop_at = fold->stop_at };
    return shell_open(&fold->shell, &options, refusal);
}

static enum status fold_run(struct fold *fold, struct refusal *refusal)
{
    struct clock clock = clock_os();
    int64_t patience_until = clock.monotonic_ms(clock.context) + PATIENCE_MS;
    uint64_t progress = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !shell_is_at_stop(fold->shell)) {
        char why[256] = "";
        status = shell_turn(fold->shell);
        int64_t now = clock.monotonic_ms(clock.context);
        if (shell_progress(fold->shell) != progress) {
            progress = shell_progress(fold->shell);
            patience_until = now + PATIENCE_MS;
        }
        if (status == STATUS_OK && !shell_is_ready(fold->shell, why, sizeof why)) {
            return refusal_set(refusal, STATUS_CORRUPT, "%s", why);
        }
        if (now > patience_until) {
            return refusal_set(refusal, STATUS_UNREACHABLE,
                               "the feeds brought nothing for %d s; are the producers up?",
                               PATIENCE_MS / 1000);
        }
        fold->transport.wait(fold->transport.context, shell_wait_ms(fold->shell));
    }
    return status;
}

enum status refold(struct process *process, struct store *store,
                   const struct refold_cursors *cursors, struct refusal *refusal)
{
    struct fold fold = { .zmq = NULL };
    enum status status = fold_open(&fold, process, store, cursors, refusal);
    if (status == STATUS_OK) {
        status = fold_run(&fold, refusal);
    }
    shell_close(&fold.shell);
    if (fold.service != NULL) {
        process->definition->close(&fold.service);
    }
    transport_zmq_close(&fold.zmq);
    return status;
}
