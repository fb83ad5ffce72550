/* link: kith_parts campaign_service */
/* covers: cli/suite_file.c cli/run_file.c services/campaign/channel_file.c */
/*
 * Any bytes as files that our own programs wrote and read again: suite.json, a run's file, the
 * file of a channel with a tail that was being written. They are used, or refused with their
 * path; nobody is hurt by what a full disk or an editor left there.
 *
 * Input: which of the three (1 byte) | the file.
 */
#include "cli/run_file.h"
#include "cli/suite_file.h"
#include "services/campaign/channel_internal.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS INT64_C(899164800000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void file_write(const char *folder, const char *name, struct span bytes)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(descriptor >= 0);
    ssize_t written = write(descriptor, bytes.data, bytes.size);
    assert(written == (ssize_t)bytes.size);
    (void)close(descriptor);
}

/* One level of it. */
static void folder_remove(const char *path)
{
    char name[PATH_BYTES];
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        (void)unlink(name);
    }
    (void)closedir(folder);
    (void)rmdir(path);
}

static void suite_try(const char *data, struct span bytes)
{
    char folder[PATH_BYTES];
    struct refusal refusal;
    struct suite_file *file = memory_allocate(2 * sizeof *file);
    refusal_init(&refusal);
    (void)snprintf(folder, sizeof folder, "%s/run", data);
    int failed = mkdir(folder, 0700);
    assert(failed == 0);
    file_write(folder, "suite.json", bytes);
    enum status status = suite_file_load(file, data, &refusal);
    assert(status == STATUS_OK || (status == STATUS_CORRUPT && refusal.message[0] != '\0'));
    if (status == STATUS_OK) {
        assert(file->member_count <= SUITE_MEMBERS_MAX);
        for (size_t i = 0; i < file->member_count; i++) {
            assert(file->members[i].shard < file->members[i].shards);
        }
        status = suite_file_save(file, data, &refusal);
        assert(status == STATUS_OK);
        status = suite_file_load(file + 1, data, &refusal);
        assert(status == STATUS_OK && suite_file_equal(file, file + 1));
    }
    free(file);
    folder_remove(folder);
}

/* The file's name is the run's key: one that is saved says it. */
static void run_try(const char *data, struct span bytes)
{
    static const struct hash128 content = { .bytes = { 1 } };
    static const char *const names[] = { "a.csv" };
    struct run_identity identity = {
        .files = &content, .names = names, .file_count = 1, .batch_rows = 10
    };
    char folder[PATH_BYTES];
    char key[64] = "";
    struct refusal refusal;
    struct run_file *run = NULL;
    refusal_init(&refusal);
    enum status status = run_file_open(&run, data, &identity, NOW_MS, &refusal);
    assert(status == STATUS_OK && run_file_past(run) == RUN_NEW);
    status = run_file_save(run, NOW_MS, &refusal);
    assert(status == STATUS_OK);
    run_file_close(&run);

    (void)snprintf(folder, sizeof folder, "%s/runs", data);
    DIR *opened = opendir(folder);
    assert(opened != NULL);
    for (const struct dirent *entry = readdir(opened); entry != NULL; entry = readdir(opened)) {
        if (strstr(entry->d_name, ".json") != NULL) {
            (void)snprintf(key, sizeof key, "%s", entry->d_name);
        }
    }
    (void)closedir(opened);
    file_write(folder, key, bytes);
    status = run_file_open(&run, data, &identity, NOW_MS, &refusal);
    assert(status == STATUS_OK || (status == STATUS_CORRUPT && refusal.message[0] != '\0'));
    if (status == STATUS_OK) {
        const struct run_state *state = run_file_state(run);
        assert(state->batch >= 1 && strlen(state->id) == RUN_ID_BYTES - 1);
        status = run_file_save(run, NOW_MS, &refusal);
        assert(status == STATUS_OK);
    }
    run_file_close(&run);
    (void)snprintf(folder, sizeof folder, "%s/runs/names", data);
    folder_remove(folder);
    (void)snprintf(folder, sizeof folder, "%s/runs", data);
    folder_remove(folder);
}

/* Sends a message over a channel's file that holds the bytes. A message that stood open is sent
 * or was sent, and the file ends with a whole line. */
static void channel_try(const char *data, struct span bytes)
{
    static const struct campaign_channel channel = { .name = "outbox", .in_flight_max = 1 };
    struct channel_options options = { .channel = &channel, .data = data, .wake = -1 };
    char folder[PATH_BYTES];
    char why[CHANNEL_DETAIL_BYTES];
    struct refusal refusal;
    void *state = NULL;
    refusal_init(&refusal);
    (void)snprintf(folder, sizeof folder, "%s/outbox", data);
    int failed = mkdir(folder, 0700);
    assert(failed == 0);
    file_write(folder, "outbox-0.ndjson", bytes);
    enum status status = channel_file_open(&state, &options, &refusal);
    assert(status == STATUS_OK || (status == STATUS_INTERNAL && refusal.message[0] != '\0'));
    if (status == STATUS_OK) {
        struct channel_job job = { .is_recovered = true };
        job.intent = (struct channel_intent){ .campaign = span_of_text("thanks"),
                                              .customer = span_of_text("ann"),
                                              .text = span_of_text("hello"),
                                              .at_ms = NOW_MS };
        struct channel_job *jobs[] = { &job };
        size_t done = channel_file_kind.send(state, jobs, 1, why);
        assert(done == 1 && job.outcome.result == CHANNEL_SENT);
        channel_file_kind.close(state);
    }
    folder_remove(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[PATH_BYTES];
    const char *parent = getenv("TMPDIR");
    if (size == 0) {
        return 0;
    }
    struct span bytes = span_of(data + 1, size - 1);
    (void)snprintf(folder, sizeof folder, "%s/kith-own-XXXXXX", parent == NULL ? "/tmp" : parent);
    const char *made = mkdtemp(folder);
    assert(made != NULL);
    switch (data[0] % 3) {
    case 0:
        suite_try(folder, bytes);
        break;
    case 1:
        run_try(folder, bytes);
        break;
    default:
        channel_try(folder, bytes);
        break;
    }
    folder_remove(folder);
    return 0;
}
