/*
 * The suite's configuration that every service and the command line share: which services,
 * which clock, where things lie. What belongs to some services alone (programmes, segments,
 * channels, campaigns) stays a node for their own config files to read.
 */
#ifndef KITH_CONFIG_SUITE_H
#define KITH_CONFIG_SUITE_H

#include "common/config/config.h"

#define SUITE_SERVICES_MAX 8
#define SUITE_PATH_BYTES 108                        /* sockaddr_un */
#define SUITE_ENDPOINT_BYTES (SUITE_PATH_BYTES + 6) /* "ipc://" */
#define SUITE_KEY_BYTES 32

enum suite_clock { SUITE_CLOCK_WALL, SUITE_CLOCK_EVENT };

struct suite_service {
    char name[24];
    uint32_t shards;
    uint64_t journal_map_bytes;
    uint64_t state_map_bytes;
    uint64_t memtable_bytes_max;
    uint64_t disk_reserve_bytes; /* less left on the disk: no new commands */
    uint32_t turn_requests_max;
    uint32_t turn_bytes_max;
    uint32_t checkpoint_interval_ms;
    uint32_t checkpoint_records;
    /* The mapping services.NAME, its shared keys marked as used: the service reads its own
     * from it, then calls config_unused_check(own). NULL: nothing stands there. */
    struct yaml_node *own;
};

struct suite_restart {
    uint32_t first_delay_ms; /* 100 */
    uint32_t most_delay_ms;  /* 5000 */
};

struct suite_config {
    enum suite_clock clock;
    char time_zone[64];
    struct suite_restart restart;
    struct suite_service services[SUITE_SERVICES_MAX];
    size_t service_count;
    struct yaml_tree *tree;       /* owned */
    struct yaml_node *programmes; /* a list; NULL: none */
    struct yaml_node *segments;   /* a list; NULL: none */
    struct yaml_node *channels;   /* a list; NULL: none */
    struct yaml_node *campaigns;  /* a list; NULL: none */
};

/* Reads and checks the file's shared parts; the caller ends it with suite_config_release.
 * Unknown keys are refused at the top, in `suite` and in `services`; the services' own
 * parts are checked by their owners, who then call config_unused_check on them.
 *   STATUS_MALFORMED  with FILE:LINE
 *   STATUS_NOT_FOUND, STATUS_DENIED  as yaml_tree_load */
MUST_USE enum status suite_config_load(struct suite_config *config, const char *path,
                                       struct refusal *refusal);
void suite_config_release(struct suite_config *config);
/* NULL: the suite has no such service. */
const struct suite_service *suite_service_find(const struct suite_config *config, const char *name);

/* DATA/run/SERVICE-SHARD.cmd or .feed (`kind` is "cmd" or "feed") as "ipc:///...", also where
 * `data` is relative to the working folder. STATUS_REFUSED: the path is longer than 107
 * bytes; the sentence says so and by how much. `size` is SUITE_ENDPOINT_BYTES or more. */
MUST_USE enum status suite_endpoint(const char *data, const char *service, uint32_t shard,
                                    const char *kind, char *out, size_t size,
                                    struct refusal *refusal);

/* DATA/suite.key: 32 bytes, mode 0600, made at first use by whoever creates the suite.
 * load:   STATUS_NOT_FOUND  there is none yet
 *         STATUS_REFUSED    not 32 bytes, not a file, or open to group or others
 * create: STATUS_EXISTS     there is one, and it is left alone
 * both:   STATUS_DENIED, STATUS_INTERNAL  the host says no
 * After create's STATUS_OK the key is on disk, and so is its name. */
MUST_USE enum status suite_key_load(const char *data, uint8_t key[SUITE_KEY_BYTES],
                                    struct refusal *refusal);
MUST_USE enum status suite_key_create(const char *data, struct refusal *refusal);

#endif
