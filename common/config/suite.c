#include "common/config/suite.h"

#include "common/base/limits.h"
#include "common/base/zone.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define MAP_BYTES_LEAST (1 * MIB)
#define MAP_BYTES_MOST (32 * GIB)
#define DISK_RESERVE_BYTES_MOST (1024 * GIB)
#define RESTART_DELAY_MS_MOST 3600000

#define ENDPOINT_SCHEME "ipc://"
static_assert(SUITE_PATH_BYTES - 1 + sizeof ENDPOINT_SCHEME == SUITE_ENDPOINT_BYTES,
              "the longest path, the scheme and the zero fit exactly");

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const known_services[] = { "ingestion", "loyalty", "segmentation", "campaign",
                                              "reporting" };
static_assert(COUNT_OF(known_services) <= SUITE_SERVICES_MAX, "each service has its place");

static const char *const clock_names[] = { "wall", "event", NULL };
static_assert(SUITE_CLOCK_WALL == 0 && SUITE_CLOCK_EVENT == 1, "clock_names is in their order");

/* clang-format off */
#define FIELD(owner, name, form, low, high) \
    { .key = #name, .kind = (form), .offset = offsetof(struct owner, name), .least = (low), .most = (high) }

static const struct config_field service_fields[] = {
    FIELD(suite_service, shards,                 CONFIG_U32, 1, LIMIT_SHARDS),
    FIELD(suite_service, journal_map_bytes,      CONFIG_U64, MAP_BYTES_LEAST, MAP_BYTES_MOST),
    FIELD(suite_service, state_map_bytes,        CONFIG_U64, MAP_BYTES_LEAST, MAP_BYTES_MOST),
    FIELD(suite_service, memtable_bytes_max,     CONFIG_U64, 1 * MIB, 8 * GIB),
    FIELD(suite_service, disk_reserve_bytes,     CONFIG_U64, 0, DISK_RESERVE_BYTES_MOST),
    FIELD(suite_service, turn_requests_max,      CONFIG_U32, 1, LIMIT_TURN_REQUESTS),
    FIELD(suite_service, turn_bytes_max,         CONFIG_U32, 64 * KIB, LIMIT_TURN_BYTES),
    FIELD(suite_service, checkpoint_interval_ms, CONFIG_U32, 100, 3600000),
    FIELD(suite_service, checkpoint_records,     CONFIG_U32, 1, LIMIT_CHECKPOINT_RECORDS),
};

static const struct config_field restart_fields[] = {
    FIELD(suite_restart, first_delay_ms, CONFIG_U32, 1, RESTART_DELAY_MS_MOST),
    FIELD(suite_restart, most_delay_ms,  CONFIG_U32, 1, RESTART_DELAY_MS_MOST),
};
/* clang-format on */

static const struct config_field suite_fields[] = {
    { .key = "clock",
      .kind = CONFIG_CHOICE,
      .offset = offsetof(struct suite_config, clock),
      .choices = clock_names },
    { .key = "time_zone",
      .kind = CONFIG_TEXT,
      .offset = offsetof(struct suite_config, time_zone),
      .size = sizeof(((struct suite_config *)NULL)->time_zone),
      .least = 1 },
};
static_assert(sizeof(enum suite_clock) == sizeof(int), "a choice is stored as an int");

static struct suite_service service_defaults(const char *name)
{
    struct suite_service service = {
        .shards = 1,
        .journal_map_bytes = 16 * GIB,
        .state_map_bytes = 16 * GIB,
        .memtable_bytes_max = 256 * MIB,
        .disk_reserve_bytes = 8 * MIB,
        .turn_requests_max = LIMIT_TURN_REQUESTS,
        .turn_bytes_max = LIMIT_TURN_BYTES,
        .checkpoint_interval_ms = 5000,
        .checkpoint_records = LIMIT_CHECKPOINT_RECORDS,
    };
    (void)snprintf(service.name, sizeof service.name, "%s", name);
    return service;
}

/* `name:` with nothing behind it. */
static bool node_is_empty(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && !node->quoted && node->text[0] == '\0';
}

/* ---- version */

static enum status version_check(struct yaml_node *root, struct refusal *refusal)
{
    struct yaml_node *version = config_child(root, "version");
    if (version == NULL) {
        return config_fault(root, refusal, "version: is missing; begin the file with `version: 1`");
    }
    int64_t number = 0;
    enum status status = config_integer(version, INT64_MIN, INT64_MAX, &number, refusal);
    if (status == STATUS_OK && number != 1) {
        return config_fault(version, refusal,
                            "version: %s is not known to this program; write 1, or upgrade Kith",
                            version->text);
    }
    return status;
}

/* ---- suite */

static enum status restart_read(struct yaml_node *node, struct suite_restart *restart,
                                struct refusal *refusal)
{
    enum status status =
        config_fields_read(node, restart_fields, COUNT_OF(restart_fields), restart, refusal);
    if (status == STATUS_OK) {
        status = config_keys_check(node, refusal);
    }
    if (status == STATUS_OK && restart->first_delay_ms > restart->most_delay_ms) {
        return config_fault(
            node, refusal, "restart: first_delay_ms %u is more than most_delay_ms %u; make it less",
            restart->first_delay_ms, restart->most_delay_ms);
    }
    return status;
}

/* A zone that is not there must be an error at once: elsewhere it would be UTC. */
static enum status time_zone_check(struct yaml_node *suite, const char *name,
                                   struct refusal *refusal)
{
    struct zone *zone = NULL;
    struct refusal why;
    refusal_init(&why);
    if (zone_open(&zone, name, &why) != STATUS_OK) {
        const struct yaml_node *node = config_child(suite, "time_zone");
        return config_fault(node != NULL ? node : suite, refusal, "time_zone: %s", why.message);
    }
    zone_close(&zone);
    return STATUS_OK;
}

static enum status suite_read(struct yaml_node *root, struct suite_config *config,
                              struct refusal *refusal)
{
    struct yaml_node *suite = config_child(root, "suite");
    if (suite == NULL) {
        return STATUS_OK;
    }
    enum status status =
        config_fields_read(suite, suite_fields, COUNT_OF(suite_fields), config, refusal);
    if (status == STATUS_OK) {
        status = time_zone_check(suite, config->time_zone, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct yaml_node *restart = config_child(suite, "restart");
    if (restart != NULL) {
        status = restart_read(restart, &config->restart, refusal);
    }
    return status == STATUS_OK ? config_keys_check(suite, refusal) : status;
}

/* ---- services */

static enum status listen_check(struct yaml_node *service, struct refusal *refusal)
{
    struct yaml_node *listen = config_child(service, "listen");
    if (listen == NULL) {
        return STATUS_OK;
    }
    bool scalar = listen->kind == YAML_SCALAR;
    if (scalar && strcmp(listen->text, "ipc") == 0) {
        return STATUS_OK;
    }
    if (scalar && strncmp(listen->text, "tcp:", 4) == 0) {
        return config_fault(listen, refusal,
                            "listen: TCP needs CURVE, which comes with the gateway; write ipc, or "
                            "take the line out");
    }
    return config_fault(listen, refusal, "listen: must be ipc; write ipc, or take the line out");
}

static enum status service_read(struct yaml_node *node, struct suite_service *service,
                                struct refusal *refusal)
{
    if (node_is_empty(node)) {
        return STATUS_OK;
    }
    enum status status =
        config_fields_read(node, service_fields, COUNT_OF(service_fields), service, refusal);
    if (status == STATUS_OK) {
        status = listen_check(node, refusal);
    }
    if (status == STATUS_OK) {
        service->own = node;
    }
    return status;
}

static enum status known_service_take(struct yaml_node *services, const char *name,
                                      struct suite_config *config, struct refusal *refusal)
{
    struct yaml_node *node = config_child(services, name);
    if (node == NULL) {
        return STATUS_OK;
    }
    struct suite_service *service = &config->services[config->service_count];
    *service = service_defaults(name);
    config->service_count++;
    return service_read(node, service, refusal);
}

static enum status services_read(struct yaml_node *root, struct suite_config *config,
                                 struct refusal *refusal)
{
    struct yaml_node *services = config_child(root, "services");
    if (services == NULL) {
        return config_fault(root, refusal,
                            "services: is missing; name the services of this suite below it");
    }
    if (services->kind != YAML_MAPPING) {
        return config_fault(services, refusal,
                            "services: must be a mapping; write `ingestion: {}`");
    }
    for (size_t i = 0; i < COUNT_OF(known_services); i++) {
        enum status status = known_service_take(services, known_services[i], config, refusal);
        if (status != STATUS_OK) {
            return status;
        }
    }
    enum status status = config_keys_check(services, refusal);
    if (status == STATUS_OK && config->service_count == 0) {
        return config_fault(services, refusal, "services: names none; write `ingestion: {}`");
    }
    return status;
}

/* The event clock is the newest time that one feed has shown; two would race. */
static enum status clock_check(const struct suite_config *config, struct refusal *refusal)
{
    const struct suite_service *ingestion = suite_service_find(config, "ingestion");
    if (config->clock != SUITE_CLOCK_EVENT || ingestion == NULL || ingestion->shards == 1) {
        return STATUS_OK;
    }
    return config_fault(config_child(ingestion->own, "shards"), refusal,
                        "shards: clock: event needs one ingestion shard; write 1, or clock: wall");
}

/* ---- what belongs to some services alone */

static enum status list_take(struct yaml_node *root, const char *key, struct yaml_node **list,
                             struct refusal *refusal)
{
    struct yaml_node *node = config_child(root, key);
    if (node != NULL && node->kind != YAML_SEQUENCE) {
        return config_fault(node, refusal, "%s: must be a list; begin each entry with a dash", key);
    }
    *list = node;
    return STATUS_OK;
}

static enum status root_read(struct yaml_node *root, struct suite_config *config,
                             struct refusal *refusal)
{
    if (root->kind != YAML_MAPPING) {
        return config_fault(root, refusal, "must be a mapping; begin the file with `version: 1`");
    }
    enum status status = version_check(root, refusal);
    if (status == STATUS_OK) {
        status = suite_read(root, config, refusal);
    }
    if (status == STATUS_OK) {
        status = services_read(root, config, refusal);
    }
    if (status == STATUS_OK) {
        status = clock_check(config, refusal);
    }
    if (status == STATUS_OK) {
        status = list_take(root, "programmes", &config->programmes, refusal);
    }
    if (status == STATUS_OK) {
        status = list_take(root, "segments", &config->segments, refusal);
    }
    if (status == STATUS_OK) {
        status = list_take(root, "channels", &config->channels, refusal);
    }
    if (status == STATUS_OK) {
        status = list_take(root, "campaigns", &config->campaigns, refusal);
    }
    yaml_node_know(root, "include");
    return status == STATUS_OK ? config_keys_check(root, refusal) : status;
}

/* ---- public */

enum status suite_config_load(struct suite_config *config, const char *path,
                              struct refusal *refusal)
{
    struct suite_config loaded = { .clock = SUITE_CLOCK_WALL,
                                   .time_zone = "UTC",
                                   .restart = { .first_delay_ms = 100, .most_delay_ms = 5000 } };
    enum status status = yaml_tree_load(&loaded.tree, path, true, refusal);
    if (status == STATUS_OK) {
        status = root_read(yaml_tree_root(loaded.tree), &loaded, refusal);
    }
    if (status != STATUS_OK) {
        suite_config_release(&loaded);
        return status;
    }
    *config = loaded;
    return STATUS_OK;
}

void suite_config_release(struct suite_config *config)
{
    yaml_tree_close(&config->tree);
    memset(config, 0, sizeof *config);
}

const struct suite_service *suite_service_find(const struct suite_config *config, const char *name)
{
    for (size_t i = 0; i < config->service_count; i++) {
        if (strcmp(config->services[i].name, name) == 0) {
            return &config->services[i];
        }
    }
    return NULL;
}

/* NOLINTNEXTLINE(readability-function-size): four parts of a name, room for it, and why not. */
enum status suite_endpoint(const char *data, const char *service, uint32_t shard, const char *kind,
                           char *out, size_t size, struct refusal *refusal)
{
    assert(size >= SUITE_ENDPOINT_BYTES);
    char folder[PATH_MAX] = { 0 };
    bool relative = data[0] != '/';
    if (relative && getcwd(folder, sizeof folder) == NULL) {
        return refusal_set(refusal, STATUS_INTERNAL, "the working folder is gone; go to another");
    }
    int length = snprintf(NULL, 0, "%s%s%s/run/%s-%u.%s", folder, relative ? "/" : "", data,
                          service, shard, kind);
    assert(length > 0);
    if (length >= SUITE_PATH_BYTES) {
        return refusal_set(
            refusal, STATUS_REFUSED,
            "the socket's path %s/run/%s-%u.%s has %d bytes, %d more than the %d that "
            "a socket may have; choose a shorter data folder",
            data, service, shard, kind, length, length - (SUITE_PATH_BYTES - 1),
            SUITE_PATH_BYTES - 1);
    }
    (void)snprintf(out, size, ENDPOINT_SCHEME "%s%s%s/run/%s-%u.%s", folder, relative ? "/" : "",
                   data, service, shard, kind);
    return STATUS_OK;
}
