/* `verify-journal` and `verify-state`: a look from beside, while the service runs or not. */
#include "common/base/limits.h"
#include "common/service/process.h"
#include "common/service/refold.h"
#include "common/service/replay.h"
#include "common/service/shell_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLES_MAX 64

/* Text from a refusal inside JSON: it holds no control character but may hold quotes. */
static void json_text_print(const char *text)
{
    (void)putchar('"');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            (void)putchar('\\');
        }
        (void)putchar((unsigned char)*at < 0x20 ? ' ' : *at);
    }
    (void)putchar('"');
}

static int failure_print(const struct process *process, bool json, const struct refusal *refusal)
{
    if (json) {
        (void)printf("{\"service\":\"%s\",\"ok\":false,\"code\":\"%s\",\"reason\":",
                     process->definition->name, status_code_text(refusal->status));
        json_text_print(refusal->message);
        (void)printf("}\n");
    } else {
        (void)printf("%s: NOT OK: %s\n", process->definition->name, refusal->message);
    }
    return EXIT_FAILURE;
}

/* ---- the journal */

int verify_journal(struct process *process, const struct process_options *options)
{
    struct refusal refusal;
    struct journal *journal = NULL;
    struct journal_report report = { 0 };
    refusal_init(&refusal);
    if (!process->definition->keeps_journal) {
        (void)refusal_set(&refusal, STATUS_REFUSED, "%s keeps no journal: it reads the feeds",
                          process->definition->name);
        return failure_print(process, options->json, &refusal);
    }
    process->journal_options.read_only = true;
    enum status status = journal_open(&journal, &process->journal_options, &refusal);
    if (status == STATUS_OK) {
        status = journal_verify(journal, &report, &refusal);
    }
    journal_close(&journal);
    if (status != STATUS_OK) {
        refusal.status = status;
        return failure_print(process, options->json, &refusal);
    }
    (void)printf(options->json ? "{\"service\":\"%s\",\"ok\":true,\"blocks\":%" PRIu64
                                 ",\"facts\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n"
                               : "%s: ok, %" PRIu64 " blocks, %" PRIu64 " facts, %" PRIu64
                                 " bytes\n",
                 process->definition->name, report.blocks, report.facts, report.bytes);
    return EXIT_SUCCESS;
}

/* ---- the state */

struct comparison {
    struct store_digest stored[TABLES_MAX];
    struct store_digest rebuilt[TABLES_MAX];
    struct journal_position position;
    struct refold_cursors cursors; /* of a service without a journal */
};

static void folder_remove(const char *folder)
{
    static const char *const files[] = { "state.mdb", "state.mdb-lock" };
    char path[PROCESS_PATH_BYTES + 32];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static enum status replay_into(struct process *process, struct store *store,
                               const struct journal_position *position, struct refusal *refusal)
{
    struct journal *journal = NULL;
    void *service = NULL;
    struct replay replay;
    process->journal_options.read_only = true;
    enum status status = journal_open(&journal, &process->journal_options, refusal);
    if (status == STATUS_OK) {
        status = journal_position_check(journal, position);
        if (status == STATUS_CORRUPT) {
            (void)refusal_set(refusal, status,
                              "the state stands at block %" PRIu64 ", seq %" PRIu64
                              ", which the journal beside it does not hold",
                              position->block, position->seq);
        } else if (status != STATUS_OK) {
            (void)refusal_set(refusal, status, "the journal cannot be read: %s",
                              status_text(status));
        }
    }
    if (status == STATUS_OK) {
        status = process->definition->open(&service, &process->environment, refusal);
    }
    if (status == STATUS_OK) {
        replay_init(&replay, process->definition, service, store);
        status = replay_run(&replay, journal, position->block, refusal);
        replay_release(&replay);
        process->definition->close(&service);
    }
    journal_close(&journal);
    return status;
}

/* Rebuilds the state as of `position` in an empty folder beside the service's own. */
static enum status state_rebuild(struct process *process, struct comparison *comparison,
                                 struct refusal *refusal)
{
    char folder[PROCESS_PATH_BYTES];
    char path[PROCESS_PATH_BYTES + 16];
    struct store *store = NULL;
    struct store_options options = process->store_options;
    if (snprintf(folder, sizeof folder, "%s.verify-%ld", process->folder, (long)getpid()) >=
        (int)sizeof folder) {
        return refusal_set(refusal, STATUS_REFUSED, "the path of --data is too long");
    }
    if (mkdir(folder, 0700) != 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "cannot make folder %s: %s", folder,
                           strerrorname_np(errno));
    }
    (void)snprintf(path, sizeof path, "%s/state.mdb", folder);
    options.path = path;
    enum status status = store_open(&store, &options, refusal);
    if (status == STATUS_OK) {
        status = process->definition->keeps_journal
                     ? replay_into(process, store, &comparison->position, refusal)
                     : refold(process, store, &comparison->cursors, refusal);
    }
    if (status == STATUS_OK) {
        store_digests(store, comparison->rebuilt);
    }
    store_close(&store);
    folder_remove(folder);
    return status;
}

/* Without a journal the shell's own tables say how the feeds were read, block by block,
 * which is no part of the result. */
static size_t first_table(const struct process *process)
{
    return process->definition->keeps_journal ? 0 : SHELL_TABLES;
}

static bool table_print(const struct comparison *comparison, size_t i, bool json, bool first)
{
    char stored[33];
    char rebuilt[33];
    hex_encode(span_of(comparison->stored[i].digest.bytes, 16), stored);
    hex_encode(span_of(comparison->rebuilt[i].digest.bytes, 16), rebuilt);
    bool equal = strcmp(stored, rebuilt) == 0 &&
                 comparison->stored[i].records == comparison->rebuilt[i].records;
    if (json) {
        (void)printf("%s{\"table\":\"%s\",\"records\":%" PRIu64
                     ",\"digest\":\"%s\",\"rebuilt\":\"%s\",\"equal\":%s}",
                     first ? "" : ",", comparison->stored[i].table, comparison->stored[i].records,
                     stored, rebuilt, equal ? "true" : "false");
    } else {
        (void)printf("  %-24s %12" PRIu64 " records  %s  %s\n", comparison->stored[i].table,
                     comparison->stored[i].records, stored, equal ? "equal" : "DIFFERS");
    }
    return equal;
}

static int comparison_print(const struct process *process, const struct comparison *comparison,
                            bool json)
{
    bool ok = true;
    size_t first = first_table(process);
    if (json) {
        (void)printf("{\"service\":\"%s\",\"seq\":%" PRIu64 ",\"block\":%" PRIu64 ",\"tables\":[",
                     process->definition->name, comparison->position.seq,
                     comparison->position.block);
    } else {
        (void)printf("%s at seq %" PRIu64 ", block %" PRIu64 ":\n", process->definition->name,
                     comparison->position.seq, comparison->position.block);
    }
    for (size_t i = first; i < process->table_count; i++) {
        ok = table_print(comparison, i, json, i == first) && ok;
    }
    (void)printf(json ? "],\"ok\":%s}\n" : "  %s\n",
                 json ? (ok ? "true" : "false") : (ok ? "ok" : "NOT OK"));
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int verify_state(struct process *process, const struct process_options *options)
{
    struct refusal refusal;
    struct comparison comparison = { 0 };
    refusal_init(&refusal);
    assert(process->table_count <= TABLES_MAX);
    struct store_watch watch = { .table = SHELL_TABLE_CURSOR,
                                 .visit = refold_cursor_note,
                                 .argument = &comparison.cursors };
    enum status status = store_digests_of_file(&process->store_options, &watch, comparison.stored,
                                               &comparison.position, &refusal);
    if (status == STATUS_OK) {
        status = state_rebuild(process, &comparison, &refusal);
    }
    if (status != STATUS_OK) {
        refusal.status = status;
        return failure_print(process, options->json, &refusal);
    }
    return comparison_print(process, &comparison, options->json);
}
