#include "common/service/process.h"

#include "common/base/disk.h"
#include "common/base/limits.h"
#include "common/service/admin.h"
#include "common/service/clock_os.h"
#include "common/service/shell_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A turn's outcome is unknown: whoever asked must ask again, so nothing more is said. */
#define EXIT_OUTCOME_UNKNOWN 75
/* A stop takes 5 s at most, a checkpoint included. */
#define EFFECTS_AWAIT_MS 3000
/* While it recovers: how long a stop or a question by HTTP may wait. */
#define RECOVERY_LOOK_MS 20
/* A service that has waited for nine tenths of so long has time to give back memory. */
#define REST_LOOK_MS 2000

/* ---- where things lie */

static void paths_fill(struct process *process, const struct process_options *options)
{
    (void)snprintf(process->folder, sizeof process->folder, "%s/%s/%" PRIu32, options->data,
                   process->definition->name, options->shard);
    (void)snprintf(process->journal_path, sizeof process->journal_path, "%s/journal.mdb",
                   process->folder);
    (void)snprintf(process->state_path, sizeof process->state_path, "%s/state.mdb",
                   process->folder);
}

static void store_options_fill(struct process *process, uint32_t shard)
{
    const struct service_definition *definition = process->definition;
    memcpy(process->tables, shell_tables, sizeof shell_tables);
    process->table_count = SHELL_TABLES;
    for (size_t i = 0; i < SHELL_TABLES && definition->keeps_keys_for_ever; i++) {
        if (process->tables[i].id == SHELL_TABLE_REQUEST) {
            process->tables[i].kind = STORE_TABLE_PERMANENT;
        }
    }
    for (size_t i = 0; i < definition->table_count; i++) {
        assert(process->table_count < sizeof process->tables / sizeof process->tables[0]);
        assert(definition->tables[i].id >= SERVICE_TABLE_FIRST);
        process->tables[process->table_count++] = definition->tables[i];
    }
    process->store_options = (struct store_options){
        .path = process->state_path,
        .service = definition->name,
        .shard = shard,
        .schema = definition->schema,
        .tables = process->tables,
        .table_count = process->table_count,
        .map_bytes = process->own->state_map_bytes,
        .memtable_bytes_max = process->own->memtable_bytes_max,
        .checkpoint_records = process->own->checkpoint_records,
    };
    process->journal_options = (struct journal_options){
        .path = process->journal_path,
        .service = definition->name,
        .shard = shard,
        .map_bytes = process->own->journal_map_bytes,
    };
}

enum status process_init(struct process *process, const struct service_definition *definition,
                         const struct process_options *options, struct refusal *refusal)
{
    process->definition = definition;
    enum status status = suite_config_load(&process->config, options->config, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    process->own = suite_service_find(&process->config, definition->name);
    if (process->own == NULL) {
        process_release(process);
        return refusal_set(refusal, STATUS_REFUSED, "%s: services has no entry for %s",
                           options->config, definition->name);
    }
    if (options->shard >= process->own->shards) {
        status =
            refusal_set(refusal, STATUS_REFUSED, "%s has %" PRIu32 " shards; there is no %" PRIu32,
                        definition->name, process->own->shards, options->shard);
    }
    if (status == STATUS_OK && options->data != NULL) {
        status = suite_key_load(options->data, process->suite_key, refusal);
    }
    if (status != STATUS_OK) {
        process_release(process);
        return status;
    }
    process->environment = (struct service_environment){
        .config = &process->config,
        .own = process->own,
        .data = options->data,
        .shard = options->shard,
        .suite_key = span_of(process->suite_key, sizeof process->suite_key),
    };
    if (options->data != NULL) {
        paths_fill(process, options);
        store_options_fill(process, options->shard);
    }
    return STATUS_OK;
}

void process_release(struct process *process)
{
    suite_config_release(&process->config);
}

/* ---- the producers */

static enum status peer_add(struct process_peers *peers, const char *data,
                            const struct suite_service *producer, uint32_t shard,
                            struct refusal *refusal)
{
    if (peers->count == LIMIT_FEEDS) {
        return refusal_set(refusal, STATUS_REFUSED, "a service reads at most %d producer shards",
                           LIMIT_FEEDS);
    }
    unsigned i = peers->count++;
    struct feed_name *feed = &peers->peers[i].feed;
    (void)snprintf(feed->name, sizeof feed->name, "%s", producer->name);
    feed->shard = shard;
    return suite_endpoint(data, producer->name, shard, "feed", peers->endpoints[i],
                          sizeof peers->endpoints[i], refusal);
}

enum status process_peers_fill(const struct process *process, struct process_peers *peers,
                               struct refusal *refusal)
{
    const struct service_definition *definition = process->definition;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < definition->feed_count; i++) {
        const struct suite_service *producer =
            suite_service_find(&process->config, definition->feeds[i].name);
        uint32_t shards = producer != NULL ? producer->shards : 0;
        for (uint32_t shard = 0; shard < shards && status == STATUS_OK; shard++) {
            status = peer_add(peers, process->environment.data, producer, shard, refusal);
        }
    }
    return status;
}

/* ---- serving */

struct server {
    struct process *process;
    const struct log *log;
    struct clock clock;
    int pid_file;
    int signals;
    struct journal *journal;
    struct store *store;
    struct transport_zmq *zmq;
    struct transport transport;
    struct admin *admin;
    struct shell *shell;
    void *service;
    struct process_peers peers;
    char endpoints[TRANSPORT_SERVER_COUNT][SUITE_ENDPOINT_BYTES];
    bool must_stop;              /* SIGTERM or SIGINT has come while it recovered */
    int64_t recovery_look_at_ms; /* monotonic */
    int64_t rest_look_at_ms;     /* monotonic */
    int64_t waited_ms;           /* since it was last looked at */
    bool has_worked;             /* since it last gave back memory */
};

static void server_metrics(void *context, struct buffer *out)
{
    const struct server *server = context;
    if (server->shell != NULL) {
        shell_metrics(server->shell, out);
    }
}

static bool server_is_ready(void *context, char *why, size_t size)
{
    const struct server *server = context;
    if (server->shell == NULL) {
        (void)snprintf(why, size, "recovering");
        return false;
    }
    return shell_is_ready(server->shell, why, size);
}

/* Locks DATA/run/SERVICE-SHARD.pid: a second instance must never reach bind, since ZeroMQ
 * would take the endpoint over without a word. */
static enum status pid_file_lock(struct server *server, const struct process_options *options,
                                 struct refusal *refusal)
{
    char path[PROCESS_PATH_BYTES + 64];
    char text[32];
    (void)snprintf(path, sizeof path, "%s/run", options->data);
    enum status status = disk_folder_make(path, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    (void)snprintf(path, sizeof path, "%s/run/%s-%" PRIu32 ".pid", options->data,
                   server->process->definition->name, options->shard);
    server->pid_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (server->pid_file < 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "cannot open %s: %s", path,
                           strerrorname_np(errno));
    }
    if (flock(server->pid_file, LOCK_EX | LOCK_NB) != 0) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "another process serves this shard already (%s is locked)", path);
    }
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Written over and then cut: on a full disk the room that it has would not come back. */
    if (pwrite(server->pid_file, text, (size_t)size, 0) != (ssize_t)size ||
        ftruncate(server->pid_file, size) != 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "cannot write %s: %s", path,
                           strerrorname_np(errno));
    }
    return STATUS_OK;
}

static enum status stores_open(struct server *server, const struct process_options *options,
                               struct refusal *refusal)
{
    struct process *process = server->process;
    char folder[PROCESS_PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s/%s", options->data, process->definition->name);
    enum status status = disk_folder_make(folder, refusal);
    if (status == STATUS_OK) {
        status = disk_folder_make(process->folder, refusal);
    }
    if (status == STATUS_OK) {
        status = disk_kind_check(process->folder, refusal);
    }
    if (status == STATUS_OK && process->definition->keeps_journal) {
        do {
            randombytes_buf(&process->journal_options.epoch, sizeof process->journal_options.epoch);
        } while (process->journal_options.epoch == 0);
        status = journal_open(&server->journal, &process->journal_options, refusal);
    }
    if (status == STATUS_OK) {
        process->store_options.has_flush_thread = true;
        status = store_open(&server->store, &process->store_options, refusal);
    }
    return status;
}

static enum status transport_start(struct server *server, const struct process_options *options,
                                   struct refusal *refusal)
{
    static const char *const kinds[TRANSPORT_SERVER_COUNT] = { "cmd", "feed" };
    const char *endpoints[LIMIT_FEEDS];
    const struct service_effects *effects = server->process->definition->effects;
    int effect = effects != NULL ? effects->descriptor(server->service) : -1;
    int wake[3] = { server->signals, admin_descriptor(server->admin), effect };
    struct transport_zmq_options zmq = { .peers = endpoints,
                                         .peer_count = server->peers.count,
                                         .wake_descriptors = wake,
                                         .wake_count = effect >= 0 ? 3 : 2 };
    for (unsigned i = 0; i < TRANSPORT_SERVER_COUNT; i++) {
        enum status status =
            suite_endpoint(options->data, server->process->definition->name, options->shard,
                           kinds[i], server->endpoints[i], sizeof server->endpoints[i], refusal);
        if (status != STATUS_OK) {
            return status;
        }
        zmq.servers[i] = server->endpoints[i];
    }
    for (unsigned i = 0; i < server->peers.count; i++) {
        endpoints[i] = server->peers.endpoints[i];
    }
    enum status status = transport_zmq_open(&server->zmq, &zmq, refusal);
    if (status == STATUS_OK) {
        server->transport = transport_of_zmq(server->zmq);
    }
    return status;
}

static bool stop_was_asked(const struct server *server)
{
    struct signalfd_siginfo info;
    return read(server->signals, &info, sizeof info) == (ssize_t)sizeof info;
}

/* The loop does not run yet, and blocks may be small: a look costs more than one of them. */
static bool recovery_goes_on(void *context)
{
    struct server *server = context;
    int64_t now_ms = server->clock.monotonic_ms(server->clock.context);
    if (now_ms >= server->recovery_look_at_ms) {
        server->recovery_look_at_ms = now_ms + RECOVERY_LOOK_MS;
        admin_step(server->admin);
        server->must_stop = stop_was_asked(server);
    }
    return !server->must_stop;
}

/* What is on disk decides; the next start looks. */
static _Noreturn void outcome_unknown_exit(const struct server *server, enum status status)
{
    /* A disk without room says EIO more often than ENOSPC. */
    log_line(server->log, LOG_LEVEL_ERROR, "a commit failed, its outcome is unknown",
             "status=%s disk_free_bytes=%" PRIu64, status_code_text(status),
             store_disk_free_bytes(server->store));
    _exit(EXIT_OUTCOME_UNKNOWN);
}

static enum status shell_start(struct server *server, const struct process_options *options,
                               struct refusal *refusal)
{
    struct process *process = server->process;
    struct shell_options shell = {
        .definition = process->definition,
        .service = server->service,
        .shard = options->shard,
        .clock = server->clock,
        .transport = &server->transport,
        .journal = server->journal,
        .store = server->store,
        .log = server->log,
        .limits = process->own,
        .event_clock = process->config.clock == SUITE_CLOCK_EVENT,
        .epoch = server->journal != NULL ? journal_epoch(server->journal) : 0,
        .peers = server->peers.peers,
        .peer_count = server->peers.count,
        .admin_port = admin_port(server->admin),
        .watch = { .context = server, .goes_on = recovery_goes_on },
    };
    enum status status = shell_open(&server->shell, &shell, refusal);
    if (status != STATUS_OK && server->shell != NULL) {
        outcome_unknown_exit(server, status);
    }
    return status == STATUS_OK ? shell_effects_start(server->shell, refusal) : status;
}

/* Each connection takes a descriptor, and libzmq 4.3.4 ends the process where an accept on ipc
 * finds none left. What a login shell leaves at 1,024 may mostly be raised a lot. */
static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* then it stays as it is */
    }
}

static enum status server_open(struct server *server, const struct process_options *options,
                               struct refusal *refusal)
{
    sigset_t signals;
    descriptors_raise();
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    server->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    assert(server->signals >= 0);
    struct admin_source source = { .context = server,
                                   .metrics = server_metrics,
                                   .is_ready = server_is_ready };
    enum status status = pid_file_lock(server, options, refusal);
    if (status == STATUS_OK) {
        status = stores_open(server, options, refusal);
    }
    if (status == STATUS_OK) {
        status = process_peers_fill(server->process, &server->peers, refusal);
    }
    if (status == STATUS_OK) {
        status = admin_open(&server->admin, &source, refusal);
    }
    if (status == STATUS_OK) {
        status = server->process->definition->open(&server->service, &server->process->environment,
                                                   refusal);
    }
    if (status == STATUS_OK) {
        status = transport_start(server, options, refusal);
    }
    if (status == STATUS_OK) {
        status = shell_start(server, options, refusal);
    }
    return status;
}

static void server_close(struct server *server)
{
    shell_close(&server->shell);
    if (server->service != NULL) {
        server->process->definition->close(&server->service);
    }
    transport_zmq_close(&server->zmq);
    admin_close(&server->admin);
    store_close(&server->store);
    journal_close(&server->journal);
    if (server->signals >= 0) {
        (void)close(server->signals);
    }
    if (server->pid_file >= 0) {
        (void)close(server->pid_file);
    }
}

/* What a crowd of connections has left is hundreds of MB. It goes back when there is time: waits
 * end at the next look, so that nobody who asks then finds the loop at it. */
static void rest_consider(struct server *server, int64_t now_ms)
{
    if (now_ms < server->rest_look_at_ms) {
        return;
    }
    int64_t looked_at_ms = server->rest_look_at_ms - REST_LOOK_MS;
    if (server->has_worked && server->waited_ms > (now_ms - looked_at_ms) / 10 * 9) {
        memory_give_back();
        server->has_worked = false;
    }
    server->rest_look_at_ms = now_ms + REST_LOOK_MS;
    server->waited_ms = 0;
}

static void wait_for_work(struct server *server)
{
    int64_t begun_ms = server->clock.monotonic_ms(server->clock.context);
    int64_t wait_ms = shell_wait_ms(server->shell);
    int64_t admin_ms = admin_wait_ms(server->admin);
    int64_t look_ms = server->rest_look_at_ms > begun_ms ? server->rest_look_at_ms - begun_ms : 0;
    wait_ms = admin_ms >= 0 && admin_ms < wait_ms ? admin_ms : wait_ms;
    wait_ms = server->has_worked && look_ms < wait_ms ? look_ms : wait_ms;
    server->transport.wait(server->transport.context, wait_ms);
    int64_t now_ms = server->clock.monotonic_ms(server->clock.context);
    server->waited_ms += now_ms - begun_ms;
    server->has_worked = server->has_worked || wait_ms == 0 || now_ms - begun_ms < wait_ms;
    rest_consider(server, now_ms);
}

static enum status loop(struct server *server)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !stop_was_asked(server)) {
        status = shell_turn(server->shell);
        if (status == STATUS_OK) {
            wait_for_work(server);
            admin_step(server->admin);
        }
    }
    return status;
}

/* What is handed over is waited for a while: its outcome could be unknown for ever. */
static enum status effects_await(struct server *server)
{
    enum status status = STATUS_OK;
    int64_t now_ms = server->clock.monotonic_ms(server->clock.context);
    int64_t until_ms = now_ms + EFFECTS_AWAIT_MS;
    while (status == STATUS_OK && now_ms < until_ms && shell_effects_are_out(server->shell)) {
        const struct service_effects *effects = server->process->definition->effects;
        struct pollfd outcome = { .fd = effects->descriptor(server->service), .events = POLLIN };
        (void)poll(&outcome, 1, (int)(until_ms - now_ms));
        status = shell_effects_turn(server->shell);
        now_ms = server->clock.monotonic_ms(server->clock.context);
    }
    return status;
}

/* Without a checkpoint more, which may take longer than a stop: the next start goes on from the
 * newest one. */
static void recovery_stop(struct server *server, uint32_t shard)
{
    log_line(server->log, LOG_LEVEL_INFO, "stopped",
             "shard=%" PRIu32 " seq=%" PRIu64 " recovering=true", shard,
             store_checkpoint(server->store).seq);
    server_close(server);
}

int process_serve(struct process *process, const struct process_options *options,
                  const struct log *log)
{
    struct server server = {
        .process = process, .log = log, .clock = clock_os(), .pid_file = -1, .signals = -1
    };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = server_open(&server, options, &refusal);
    if (server.must_stop) {
        recovery_stop(&server, options->shard);
        return EXIT_SUCCESS;
    }
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "kith-%s: %s\n", process->definition->name, refusal.message);
        server_close(&server);
        return EXIT_FAILURE;
    }
    log_line(log, LOG_LEVEL_INFO, "serving",
             "shard=%" PRIu32 " seq=%" PRIu64 " recovered_blocks=%" PRIu64, options->shard,
             server.shell->position.seq, server.shell->counters.recovered_blocks);
    status = loop(&server);
    if (status == STATUS_OK) {
        status = effects_await(&server);
    }
    if (status == STATUS_OK) {
        status = shell_stop(server.shell);
    }
    if (status != STATUS_OK) {
        outcome_unknown_exit(&server, status);
    }
    log_line(log, LOG_LEVEL_INFO, "stopped", "shard=%" PRIu32 " seq=%" PRIu64, options->shard,
             server.shell->position.seq);
    server_close(&server);
    return EXIT_SUCCESS;
}
