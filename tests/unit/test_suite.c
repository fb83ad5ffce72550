/* link: common_config */
#include "common/config/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[64];
};

static struct folder folder_make(void)
{
    struct folder folder = { "/tmp/kith-suite-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(folder.path));
    return folder;
}

static const char *file_path(const struct folder *folder, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", folder->path, name);
    return out;
}

static void file_write(const struct folder *folder, const char *name, const char *text)
{
    char path[128] = { 0 };
    FILE *file = fopen(file_path(folder, name, path), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

/* Fails where anything else was left behind. */
static void folder_remove(const struct folder *folder)
{
    static const char *const names[] = { "s.yaml", "b.yaml", "suite.key" };
    char path[128] = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unlink(file_path(folder, names[i], path));
    }
    ck_assert_int_eq(rmdir(folder->path), 0);
}

static enum status load(const char *text, struct suite_config *config, struct refusal *refusal)
{
    struct folder folder = folder_make();
    char path[128] = { 0 };
    file_write(&folder, "s.yaml", text);
    refusal_init(refusal);
    enum status status = suite_config_load(config, file_path(&folder, "s.yaml", path), refusal);
    folder_remove(&folder);
    return status;
}

/* ---- the file */

START_TEST(a_short_file_gets_the_defaults)
{
    struct suite_config config = { .service_count = 99 };
    struct refusal refusal;
    enum status status =
        load("version: 1\nservices: {ingestion: {}, reporting: }\n", &config, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    ck_assert_int_eq(config.clock, SUITE_CLOCK_WALL);
    ck_assert_str_eq(config.time_zone, "UTC");
    ck_assert_uint_eq(config.restart.first_delay_ms, 100);
    ck_assert_uint_eq(config.restart.most_delay_ms, 5000);
    ck_assert_uint_eq(config.service_count, 2);
    ck_assert_ptr_null(config.programmes);
    ck_assert_ptr_null(config.segments);

    const struct suite_service *ingestion = suite_service_find(&config, "ingestion");
    ck_assert_ptr_nonnull(ingestion);
    ck_assert_str_eq(ingestion->name, "ingestion");
    ck_assert_uint_eq(ingestion->shards, 1);
    ck_assert_uint_eq(ingestion->journal_map_bytes, UINT64_C(16) << 30);
    ck_assert_uint_eq(ingestion->state_map_bytes, UINT64_C(16) << 30);
    ck_assert_uint_eq(ingestion->memtable_bytes_max, UINT64_C(256) << 20);
    ck_assert_uint_eq(ingestion->disk_reserve_bytes, UINT64_C(8) << 20);
    ck_assert_uint_eq(ingestion->turn_requests_max, 64);
    ck_assert_uint_eq(ingestion->turn_bytes_max, 8388608);
    ck_assert_uint_eq(ingestion->checkpoint_interval_ms, 5000);
    ck_assert_uint_eq(ingestion->checkpoint_records, 5000);
    ck_assert_ptr_nonnull(ingestion->own);
    ck_assert_ptr_null(suite_service_find(&config, "reporting")->own);
    ck_assert_ptr_null(suite_service_find(&config, "loyalty"));
    ck_assert_ptr_null(suite_service_find(&config, "ingest"));
    suite_config_release(&config);
    ck_assert_ptr_null(config.tree);
    suite_config_release(&config);
}
END_TEST

START_TEST(all_shared_keys_are_read_and_a_services_own_stay_for_it)
{
    struct suite_config config;
    struct refusal refusal;
    enum status status = load("version: 1\n"
                              "suite:\n"
                              "  clock: event\n"
                              "  time_zone: Europe/Berlin\n"
                              "  restart: {first_delay_ms: 1, most_delay_ms: 2}\n"
                              "services:\n"
                              "  ingestion: {listen: ipc}\n"
                              "  reporting:\n"
                              "    shards: 64\n"
                              "    journal_map_bytes: 1048576\n"
                              "    state_map_bytes: 34359738368\n"
                              "    memtable_bytes_max: 8589934592\n"
                              "    disk_reserve_bytes: 0\n"
                              "    turn_requests_max: 1\n"
                              "    turn_bytes_max: 65536\n"
                              "    checkpoint_interval_ms: 3600000\n"
                              "    checkpoint_records: 1\n"
                              "    attributes: [cds]\n"
                              "programmes: [{name: p}]\n"
                              "segments: []\n",
                              &config, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    ck_assert_int_eq(config.clock, SUITE_CLOCK_EVENT);
    ck_assert_str_eq(config.time_zone, "Europe/Berlin");
    ck_assert_uint_eq(config.restart.first_delay_ms, 1);
    ck_assert_uint_eq(config.restart.most_delay_ms, 2);
    const struct suite_service *reporting = suite_service_find(&config, "reporting");
    ck_assert_uint_eq(reporting->shards, 64);
    ck_assert_uint_eq(reporting->journal_map_bytes, UINT64_C(1) << 20);
    ck_assert_uint_eq(reporting->state_map_bytes, UINT64_C(32) << 30);
    ck_assert_uint_eq(reporting->memtable_bytes_max, UINT64_C(8) << 30);
    ck_assert_uint_eq(reporting->disk_reserve_bytes, 0);
    ck_assert_uint_eq(reporting->turn_requests_max, 1);
    ck_assert_uint_eq(reporting->turn_bytes_max, 65536);
    ck_assert_uint_eq(reporting->checkpoint_interval_ms, 3600000);
    ck_assert_uint_eq(reporting->checkpoint_records, 1);

    ck_assert_int_eq(config_unused_check(reporting->own, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "s.yaml:18: attributes: unknown key"));
    ck_assert_ptr_nonnull(config_child(reporting->own, "attributes"));
    ck_assert_int_eq(config_unused_check(reporting->own, &refusal), STATUS_OK);
    ck_assert_int_eq(config_unused_check(config.programmes, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(config_child(config.programmes->first, "name")->text, "p");
    ck_assert_int_eq(config_unused_check(yaml_tree_root(config.tree), &refusal), STATUS_OK);
    ck_assert_ptr_null(config.segments->first);
    suite_config_release(&config);
}
END_TEST

START_TEST(rules_come_from_included_files_too)
{
    struct folder folder = folder_make();
    file_write(&folder, "s.yaml",
               "version: 1\ninclude: [b.yaml]\nservices: {loyalty: {}}\n"
               "segments: [{name: a}]\n");
    file_write(&folder, "b.yaml", "segments: [{name: b}]\nprogrammes: [{name: c}]\n");
    struct suite_config config;
    struct refusal refusal;
    refusal_init(&refusal);
    char path[128] = { 0 };
    enum status status = suite_config_load(&config, file_path(&folder, "s.yaml", path), &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    ck_assert_str_eq(config_child(config.segments->first->next, "name")->text, "b");
    ck_assert_str_eq(config_child(config.programmes->first, "name")->text, "c");
    suite_config_release(&config);

    file_write(&folder, "b.yaml", "segments: []\nsegmentz: []\n");
    ck_assert_int_eq(suite_config_load(&config, path, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(
        strstr(refusal.message, "/b.yaml:2: segmentz: unknown key; did you mean 'segments'?"));
    folder_remove(&folder);
}
END_TEST

START_TEST(each_suite_that_we_ship_is_accepted)
{
    glob_t found = { 0 };
    ck_assert_int_eq(glob("config/*.yaml", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 2);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct suite_config config;
        struct refusal refusal;
        refusal_init(&refusal);
        enum status status = suite_config_load(&config, found.gl_pathv[i], &refusal);
        ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
        ck_assert_uint_ge(config.service_count, 1);
        suite_config_release(&config);
    }
    globfree(&found);
}
END_TEST

START_TEST(each_map_that_we_ship_is_a_tree)
{
    glob_t found = { 0 };
    ck_assert_int_eq(glob("config/maps/*.yaml", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 1);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct yaml_tree *tree = NULL;
        struct refusal refusal;
        refusal_init(&refusal);
        enum status status = yaml_tree_load(&tree, found.gl_pathv[i], false, &refusal);
        ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
        ck_assert_ptr_nonnull(config_child(yaml_tree_root(tree), "version"));
        yaml_tree_close(&tree);
    }
    globfree(&found);
}
END_TEST

struct fault {
    const char *text;
    const char *message; /* after the file's name */
};

/* What the files below have in common. */
#define V "version: 1\n"
#define S "services: {ingestion: {}}\n"
#define I V "services:\n  ingestion: "

static const struct fault faults[] = {
    { S, ":1: version: is missing" },
    { "version: 2\n" S, ":1: version: 2 is not known" },
    { "version: 0\n" S, ":1: version: 0 is not known" },
    { "version: one\n" S, ":1: version: 'one' is not a whole number" },
    { "version: '1'\n" S, ":1: version: '1' is not a whole number" },
    { "- version: 1\n", ":1: must be a mapping" },
    { V, ":1: services: is missing" },
    { V "services:\n", ":2: services: must be a mapping" },
    { V "services: [ingestion]\n", ":2: services: must be a mapping" },
    { V "services: {}\n", ":2: services: names none" },
    { V S "sevices: {}\n", ":3: sevices: unknown key; did you mean 'services'?" },
    { V S "includes: []\n", ":3: includes: unknown key; did you mean 'include'?" },
    { V S "suit: {}\n", ":3: suit: unknown key; did you mean 'suite'?" },
    { V S "programs: []\n", ":3: programs: unknown key; did you mean 'programmes'?" },
    { V S "key_file: x\n", ":3: key_file: unknown key; take it out" },
    { V S "programmes: {}\n", ":3: programmes: must be a list" },
    { V S "programmes:\n", ":3: programmes: must be a list" },
    { V S "channels: {}\n", ":3: channels: must be a list" },
    { V S "campaigns: thanks\n", ":3: campaigns: must be a list" },
    { V S "segments: spend\n", ":3: segments: must be a list" },
    { V S "suite: []\n", ":3: suite: must be a mapping" },
    { V S "suite:\n  clocks: wall\n", ":4: clocks: unknown key; did you mean 'clock'?" },
    { V S "suite: {timezone: UTC}\n", ":3: timezone: unknown key; did you mean 'time_zone'?" },
    { V S "suite: {clock: sun}\n", ":3: clock: 'sun' is not known; write one of: wall, event" },
    { V S "suite: {time_zone: ''}\n", ":3: time_zone: has 0 bytes; write 1 to 63" },
    { V S "suite: {time_zone: Mars/Base}\n",
      ":3: time_zone: there is no time zone 'Mars/Base' in /usr/share/zoneinfo/" },
    { V S "suite: {time_zone: \"a\\nb\"}\n", ":3: time_zone: holds a line break" },
    { V S "suite: {restart: 5}\n", ":3: restart: must be a mapping" },
    { V S "suite: {restart: {first_delay: 5}}\n", ":3: first_delay: unknown key" },
    { V S "suite: {restart: {first_delay_ms: 0}}\n", ":3: first_delay_ms: 0 is not in 1..3600000" },
    { V S "suite: {restart: {most_delay_ms: 3600001}}\n", ":3: most_delay_ms: 3600001 is not in" },
    { V S "suite: {restart: {first_delay_ms: 5001}}\n",
      ":3: restart: first_delay_ms 5001 is more" },
    { V S "suite: {restart: {first_delay_ms: 5001}}\nsuite: {}\n", ":4: suite: a doubled key" },
    { V "services: {campain: }\n", ":2: campain: unknown key; did you mean 'campaign'?" },
    { V "services: {gateway: {}}\n", ":2: gateway: unknown key" },
    { V "services: {loyality: {}}\n", ":2: loyality: unknown key; did you mean 'loyalty'?" },
    { I "5\n", ":3: ingestion: must be a mapping" },
    { I "[]\n", ":3: ingestion: must be a mapping" },
    { I "''\n", ":3: ingestion: must be a mapping" },
    { I "{shards: 0}\n", ":3: shards: 0 is not in 1..64" },
    { I "{shards: 65}\n", ":3: shards: 65 is not in 1..64" },
    { I "{journal_map_bytes: 1048575}\n", ":3: journal_map_bytes: 1048575 is not in" },
    { I "{journal_map_bytes: 34359738369}\n", ":3: journal_map_bytes: 34359738369 is not in" },
    { I "{journal_map_bytes: 16G}\n", ":3: journal_map_bytes: '16G' is not a whole number" },
    { I "{state_map_bytes: 1048575}\n", ":3: state_map_bytes: 1048575 is not in" },
    { I "{state_map_bytes: 34359738369}\n", ":3: state_map_bytes: 34359738369 is not in" },
    { I "{memtable_bytes_max: 1048575}\n", ":3: memtable_bytes_max: 1048575 is not in" },
    { I "{memtable_bytes_max: 8589934593}\n", ":3: memtable_bytes_max: 8589934593 is not in" },
    { I "{disk_reserve_bytes: 1099511627777}\n", ":3: disk_reserve_bytes: 1099511627777 is not" },
    { I "{turn_requests_max: 0}\n", ":3: turn_requests_max: 0 is not in 1..64" },
    { I "{turn_requests_max: 65}\n", ":3: turn_requests_max: 65 is not in 1..64" },
    { I "{turn_bytes_max: 65535}\n", ":3: turn_bytes_max: 65535 is not in 65536..8388608" },
    { I "{turn_bytes_max: 8388609}\n", ":3: turn_bytes_max: 8388609 is not in 65536..8388608" },
    { I "{checkpoint_interval_ms: 99}\n", ":3: checkpoint_interval_ms: 99 is not in 100..3600000" },
    { I "{checkpoint_interval_ms: 3600001}\n", ":3: checkpoint_interval_ms: 3600001 is not in" },
    { I "{checkpoint_records: 0}\n", ":3: checkpoint_records: 0 is not in 1..5000" },
    { I "{checkpoint_records: 5001}\n", ":3: checkpoint_records: 5001 is not in 1..5000" },
    { I "{listen: 'tcp://*:7400'}\n", ":3: listen: TCP needs CURVE, which comes with the gateway" },
    { I "{listen: udp}\n", ":3: listen: must be ipc" },
    { I "{listen: [ipc]}\n", ":3: listen: must be ipc" },
    { I "\n    shards: 2\nsuite: {clock: event}\n", ":4: shards: clock: event needs one" },
};

START_TEST(each_fault_is_told_with_its_line)
{
    const struct fault *fault = &faults[_i];
    struct suite_config config = { .service_count = 99 };
    struct refusal refusal;
    ck_assert_int_eq(load(fault->text, &config, &refusal), STATUS_MALFORMED);
    const char *rest = strchr(refusal.message, ':');
    ck_assert_ptr_nonnull(rest);
    ck_assert_msg(strncmp(rest, fault->message, strlen(fault->message)) == 0,
                  "wanted \"%s\", got \"%s\"", fault->message, refusal.message);
    ck_assert_uint_eq(config.service_count, 99);
}
END_TEST

START_TEST(a_missing_file_is_not_found)
{
    struct suite_config config;
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(suite_config_load(&config, "/nonexistent/kith.yaml", &refusal),
                     STATUS_NOT_FOUND);
}
END_TEST

/* ---- endpoints */

START_TEST(an_endpoint_is_an_absolute_path_below_run)
{
    char endpoint[SUITE_ENDPOINT_BYTES] = { 0 };
    ck_assert_int_eq(
        suite_endpoint("/var/lib/kith", "loyalty", 12, "feed", endpoint, sizeof endpoint, NULL),
        STATUS_OK);
    ck_assert_str_eq(endpoint, "ipc:///var/lib/kith/run/loyalty-12.feed");
    char folder[256] = { 0 };
    char wanted[300] = { 0 };
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(before, 0);
    ck_assert_int_eq(chdir("/tmp"), 0);
    ck_assert_ptr_nonnull(getcwd(folder, sizeof folder));
    (void)snprintf(wanted, sizeof wanted, "ipc://%s/data/run/ingestion-0.cmd", folder);
    ck_assert_int_eq(suite_endpoint("data", "ingestion", 0, "cmd", endpoint, sizeof endpoint, NULL),
                     STATUS_OK);
    ck_assert_str_eq(endpoint, wanted);
    ck_assert_int_eq(fchdir(before), 0);
    ck_assert_int_eq(close(before), 0);
}
END_TEST

START_TEST(a_path_of_107_bytes_is_taken_and_one_of_108_is_refused)
{
    static const char rest[] = "/run/loyalty-0.cmd";
    char data[SUITE_PATH_BYTES] = "/";
    size_t size = SUITE_PATH_BYTES - sizeof rest;
    memset(data + 1, 'd', size - 1);
    char endpoint[SUITE_ENDPOINT_BYTES] = "untouched";
    struct refusal refusal;
    refusal_init(&refusal);
    data[size] = 'd';
    ck_assert_int_eq(suite_endpoint(data, "loyalty", 0, "cmd", endpoint, sizeof endpoint, &refusal),
                     STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "has 108 bytes, 1 more than the 107"));
    ck_assert_str_eq(endpoint, "untouched");
    data[size] = '\0';
    ck_assert_int_eq(suite_endpoint(data, "loyalty", 0, "cmd", endpoint, sizeof endpoint, &refusal),
                     STATUS_OK);
    ck_assert_uint_eq(strlen(endpoint), strlen("ipc://") + SUITE_PATH_BYTES - 1);
}
END_TEST

/* ---- the key */

START_TEST(a_key_is_made_once_and_loaded_as_it_was_made)
{
    struct folder folder = folder_make();
    struct refusal refusal;
    refusal_init(&refusal);
    uint8_t key[SUITE_KEY_BYTES] = { 0 };
    uint8_t again[SUITE_KEY_BYTES] = { 0 };
    ck_assert_int_eq(suite_key_load(folder.path, key, &refusal), STATUS_NOT_FOUND);
    mode_t mask = umask(0);
    ck_assert_int_eq(suite_key_create(folder.path, &refusal), STATUS_OK);
    (void)umask(mask);
    char path[128] = { 0 };
    struct stat found;
    ck_assert_int_eq(stat(file_path(&folder, "suite.key", path), &found), 0);
    ck_assert_uint_eq(found.st_mode & 07777U, 0600);
    ck_assert_uint_eq(found.st_nlink, 1);
    ck_assert_int_eq(suite_key_load(folder.path, key, &refusal), STATUS_OK);
    ck_assert_int_ne(memcmp(key, again, sizeof key), 0);

    ck_assert_int_eq(suite_key_create(folder.path, &refusal), STATUS_EXISTS);
    ck_assert_int_eq(suite_key_load(folder.path, again, &refusal), STATUS_OK);
    ck_assert_int_eq(memcmp(key, again, sizeof key), 0);
    folder_remove(&folder);
}
END_TEST

START_TEST(two_suites_have_two_keys)
{
    struct folder one = folder_make();
    struct folder two = folder_make();
    uint8_t first[SUITE_KEY_BYTES] = { 0 };
    uint8_t second[SUITE_KEY_BYTES] = { 0 };
    ck_assert_int_eq(suite_key_create(one.path, NULL), STATUS_OK);
    ck_assert_int_eq(suite_key_create(two.path, NULL), STATUS_OK);
    ck_assert_int_eq(suite_key_load(one.path, first, NULL), STATUS_OK);
    ck_assert_int_eq(suite_key_load(two.path, second, NULL), STATUS_OK);
    ck_assert_int_ne(memcmp(first, second, sizeof first), 0);
    folder_remove(&one);
    folder_remove(&two);
}
END_TEST

START_TEST(a_key_of_another_size_is_refused)
{
    static const char text[] = "0123456789abcdef0123456789abcdef+";
    for (size_t size = 0; size <= 33; size++) {
        struct folder folder = folder_make();
        char path[128] = { 0 };
        file_write(&folder, "suite.key", text);
        ck_assert_int_eq(truncate(file_path(&folder, "suite.key", path), (off_t)size), 0);
        ck_assert_int_eq(chmod(path, 0600), 0);
        uint8_t key[SUITE_KEY_BYTES] = { 7 };
        enum status wanted = size == SUITE_KEY_BYTES ? STATUS_OK : STATUS_REFUSED;
        ck_assert_int_eq(suite_key_load(folder.path, key, NULL), wanted);
        ck_assert_int_eq(key[0], size == SUITE_KEY_BYTES ? '0' : 7);
        folder_remove(&folder);
    }
}
END_TEST

START_TEST(a_key_that_others_may_touch_is_refused)
{
    static const mode_t open_modes[] = { 0640, 0620, 0610, 0604, 0602, 0601, 0644, 0666 };
    struct folder folder = folder_make();
    char path[128] = { 0 };
    uint8_t key[SUITE_KEY_BYTES] = { 7 };
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(suite_key_create(folder.path, &refusal), STATUS_OK);
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        ck_assert_int_eq(chmod(file_path(&folder, "suite.key", path), open_modes[i]), 0);
        ck_assert_int_eq(suite_key_load(folder.path, key, &refusal), STATUS_REFUSED);
        ck_assert_ptr_nonnull(strstr(refusal.message, "chmod 600"));
    }
    ck_assert_int_eq(key[0], 7);
    ck_assert_int_eq(chmod(path, 0400), 0);
    ck_assert_int_eq(suite_key_load(folder.path, key, &refusal), STATUS_OK);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_folder_in_the_keys_place_is_refused_and_kept)
{
    struct folder folder = folder_make();
    char path[128] = { 0 };
    uint8_t key[SUITE_KEY_BYTES] = { 0 };
    ck_assert_int_eq(mkdir(file_path(&folder, "suite.key", path), 0700), 0);
    ck_assert_int_eq(suite_key_load(folder.path, key, NULL), STATUS_REFUSED);
    ck_assert_int_eq(suite_key_create(folder.path, NULL), STATUS_EXISTS);
    ck_assert_int_eq(rmdir(path), 0);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_missing_data_folder_is_told)
{
    struct refusal refusal;
    refusal_init(&refusal);
    uint8_t key[SUITE_KEY_BYTES] = { 0 };
    ck_assert_int_eq(suite_key_create("/nonexistent/kith", &refusal), STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(refusal.message, strerror(ENOENT)));
    ck_assert_int_eq(suite_key_load("/nonexistent/kith", key, &refusal), STATUS_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("suite");
    TCase *files = tcase_create("file");
    tcase_add_test(files, a_short_file_gets_the_defaults);
    tcase_add_test(files, all_shared_keys_are_read_and_a_services_own_stay_for_it);
    tcase_add_test(files, rules_come_from_included_files_too);
    tcase_add_test(files, each_suite_that_we_ship_is_accepted);
    tcase_add_test(files, each_map_that_we_ship_is_a_tree);
    tcase_add_loop_test(files, each_fault_is_told_with_its_line, 0,
                        sizeof faults / sizeof faults[0]);
    tcase_add_test(files, a_missing_file_is_not_found);
    suite_add_tcase(suite, files);

    TCase *endpoints = tcase_create("endpoint");
    tcase_add_test(endpoints, an_endpoint_is_an_absolute_path_below_run);
    tcase_add_test(endpoints, a_path_of_107_bytes_is_taken_and_one_of_108_is_refused);
    suite_add_tcase(suite, endpoints);

    TCase *keys = tcase_create("key");
    tcase_add_test(keys, a_key_is_made_once_and_loaded_as_it_was_made);
    tcase_add_test(keys, two_suites_have_two_keys);
    tcase_add_test(keys, a_key_of_another_size_is_refused);
    tcase_add_test(keys, a_key_that_others_may_touch_is_refused);
    tcase_add_test(keys, a_folder_in_the_keys_place_is_refused_and_kept);
    tcase_add_test(keys, a_missing_data_folder_is_told);
    suite_add_tcase(suite, keys);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
