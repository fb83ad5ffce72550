#include "cli/run_file.h"

#include "cli/input_file.h"
#include "cli/output.h"
#include "cli/suite_file.h"
#include "common/base/disk.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FILE_BYTES_MAX (4 * 1024 * 1024)
#define DIGEST_TEXT_BYTES (2 * sizeof(struct hash128) + 1)

struct run_file {
    struct run_identity identity;
    struct path folder;
    struct path path;
    int lock;
    enum run_past past;
    struct run_state state;
};

struct digest_text {
    char text[DIGEST_TEXT_BYTES];
};

static struct digest_text digest_text_of(struct hash128 digest)
{
    struct digest_text text = { { 0 } };
    hex_encode(span_of(digest.bytes, sizeof digest.bytes), text.text);
    return text;
}

static enum status host_fault(struct refusal *refusal, const char *path, const char *what)
{
    enum status status =
        errno == EACCES || errno == EPERM || errno == EROFS ? STATUS_DENIED : STATUS_INTERNAL;
    return refusal_set(refusal, status, "%s: cannot be %s: %s", path, what, strerror(errno));
}

/* ---- folders and files */

enum status run_folder_make(const char *data, char *folder, size_t size, struct refusal *refusal)
{
    struct path path;
    struct path names;
    enum status status = path_make(&path, refusal, "%s/runs", data);
    if (status == STATUS_OK) {
        status = path_make(&names, refusal, "%s/names", path.text);
    }
    if (status == STATUS_OK) {
        status = disk_folder_make(path.text, refusal);
    }
    if (status == STATUS_OK) {
        status = disk_folder_make(names.text, refusal);
    }
    if (status == STATUS_OK) {
        size_t length = strlen(path.text);
        assert(length < size);
        memcpy(folder, path.text, length + 1);
    }
    return status;
}

/* Old or new after a crash, never between; new when it returns STATUS_OK. */
static enum status text_replace(const char *path, struct span text, struct refusal *refusal)
{
    struct path made;
    enum status status = path_make(&made, refusal, "%s.new", path);
    if (status != STATUS_OK) {
        return status;
    }
    int descriptor = open(made.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return host_fault(refusal, made.text, "made");
    }
    status = input_write(descriptor, text, refusal);
    if (status == STATUS_OK && fsync(descriptor) != 0) {
        status = host_fault(refusal, made.text, "synced");
    }
    (void)close(descriptor);
    if (status == STATUS_OK && rename(made.text, path) != 0) {
        status = host_fault(refusal, path, "replaced");
    }
    if (status == STATUS_OK && disk_name_sync(path) != STATUS_OK) {
        status = host_fault(refusal, path, "synced");
    }
    return status;
}

static enum status json_replace(const char *path, json_t *root, struct refusal *refusal)
{
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    assert(text != NULL);
    enum status status = text_replace(path, span_of_text(text), refusal);
    free(text);
    return status;
}

/* *root stays NULL when there is no such file. */
static enum status json_load_path(const char *path, json_t **root, struct refusal *refusal)
{
    struct buffer text;
    buffer_init(&text, FILE_BYTES_MAX);
    struct refusal found;
    refusal_init(&found);
    enum status status = input_text_read(path, &text, &found);
    if (status == STATUS_NOT_FOUND) {
        buffer_release(&text);
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        buffer_release(&text);
        return refusal_set(refusal, status, "%s", found.message);
    }
    *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    buffer_release(&text);
    return *root != NULL ? STATUS_OK
                         : refusal_set(refusal, STATUS_CORRUPT,
                                       "%s: cannot be read; remove it, and the files are loaded "
                                       "from their first row",
                                       path);
}

/* ---- state and its JSON */

static bool number_take(const json_t *object, const char *key, uint64_t *number)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static bool state_take(const json_t *root, struct run_state *state)
{
    const json_t *place = json_object_get(root, "place");
    const char *id = json_string_value(json_object_get(root, "run"));
    const char *saved_at = json_string_value(json_object_get(root, "saved_at"));
    struct run_counts *counts = &state->counts;
    uint8_t id_bytes[RUN_ID_BYTES / 2];
    bool whole = id != NULL && saved_at != NULL &&
                 hex_decode(span_of_text(id), id_bytes, sizeof id_bytes) == STATUS_OK &&
                 time_parse(span_of_text(saved_at), &state->saved_at_ms) == STATUS_OK &&
                 number_take(root, "batch", &state->batch) && state->batch >= 1 &&
                 number_take(place, "file", &state->place.file) &&
                 number_take(place, "offset", &state->place.offset) &&
                 number_take(place, "rows", &state->place.rows) &&
                 number_take(root, "rows", &counts->rows) &&
                 number_take(root, "accepted", &counts->accepted) &&
                 number_take(root, "duplicate", &counts->duplicate) &&
                 number_take(root, "rejected", &counts->rejected) &&
                 counts->rows == counts->accepted + counts->duplicate + counts->rejected;
    if (whole) {
        memcpy(state->id, id, sizeof state->id);
        state->finished = json_is_true(json_object_get(root, "finished"));
    }
    return whole;
}

static json_t *files_json(const struct run_identity *identity)
{
    json_t *files = json_array();
    assert(files != NULL);
    for (size_t i = 0; i < identity->file_count; i++) {
        json_t *file = json_object();
        output_put(file, "name", output_text_or_null(identity->names[i]));
        output_put(file, "digest", json_string(digest_text_of(identity->files[i]).text));
        int result = json_array_append_new(files, file);
        assert(result == 0);
    }
    return files;
}

static json_t *state_json(const struct run_file *run)
{
    const struct run_state *state = &run->state;
    json_t *root = json_object();
    json_t *place = json_object();
    assert(root != NULL && place != NULL);
    output_put(place, "file", output_unsigned(state->place.file));
    output_put(place, "offset", output_unsigned(state->place.offset));
    output_put(place, "rows", output_unsigned(state->place.rows));
    output_put(root, "run", json_string(state->id));
    output_put(root, "finished", json_boolean(state->finished));
    output_put(root, "saved_at", output_time(state->saved_at_ms));
    output_put(root, "rows", output_unsigned(state->counts.rows));
    output_put(root, "accepted", output_unsigned(state->counts.accepted));
    output_put(root, "duplicate", output_unsigned(state->counts.duplicate));
    output_put(root, "rejected", output_unsigned(state->counts.rejected));
    output_put(root, "batch", output_unsigned(state->batch));
    output_put(root, "batch_rows", output_unsigned(run->identity.batch_rows));
    output_put(root, "order", json_string(run->identity.by_time ? "time" : "file"));
    output_put(root, "place", place);
    output_put(root, "map", json_string(digest_text_of(run->identity.map).text));
    output_put(root, "files", files_json(&run->identity));
    return root;
}

/* ---- opening */

static struct hash128 identity_key(const struct run_identity *identity)
{
    uint8_t form[9] = { identity->by_time ? 1 : 0 };
    be64_put(form + 1, identity->batch_rows);
    struct span parts[] = {
        span_of(identity->files, identity->file_count * sizeof *identity->files),
        span_of(identity->map.bytes, sizeof identity->map.bytes),
        span_of(form, sizeof form),
    };
    return hash128_of(span_of(NULL, 0), parts, sizeof parts / sizeof parts[0]);
}

static enum status run_lock(struct run_file *run, const char *key, struct refusal *refusal)
{
    struct path path;
    enum status status = path_make(&path, refusal, "%s/%s.lock", run->folder.text, key);
    if (status != STATUS_OK) {
        return status;
    }
    run->lock = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (run->lock < 0) {
        return host_fault(refusal, path.text, "opened");
    }
    if (flock(run->lock, LOCK_EX | LOCK_NB) == 0) {
        return STATUS_OK;
    }
    return errno == EWOULDBLOCK
               ? refusal_set(refusal, STATUS_EXISTS,
                             "another kith ingest loads these files with this map right now; "
                             "wait until it is done")
               : host_fault(refusal, path.text, "locked");
}

void run_file_restart(struct run_file *run)
{
    uint8_t id[RUN_ID_BYTES / 2];
    randombytes_buf(id, sizeof id);
    run->state = (struct run_state){ .batch = 1 };
    hex_encode(span_of(id, sizeof id), run->state.id);
}

static enum status past_load(struct run_file *run, int64_t now_ms, struct refusal *refusal)
{
    json_t *root = NULL;
    enum status status = json_load_path(run->path.text, &root, refusal);
    struct run_state state = { .batch = 1 };
    if (status == STATUS_OK && root != NULL && !state_take(root, &state)) {
        status = refusal_set(refusal, STATUS_CORRUPT,
                             "%s: is no run file of this program; remove it, and the files are "
                             "loaded from their first row",
                             run->path.text);
    }
    run->past = RUN_NEW;
    if (root != NULL && !state.finished) {
        run->past = now_ms - state.saved_at_ms > RUN_AGE_MS_MAX ? RUN_TOO_OLD : RUN_RESUMED;
    }
    json_decref(root);
    if (run->past == RUN_RESUMED) {
        run->state = state;
    } else {
        run_file_restart(run);
    }
    return status;
}

enum status run_file_open(struct run_file **run, const char *data,
                          const struct run_identity *identity, int64_t now_ms,
                          struct refusal *refusal)
{
    assert(*run == NULL);
    if (sodium_init() < 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "the host has no source of random bytes");
    }
    struct run_file *opened = memory_allocate(sizeof *opened);
    opened->identity = *identity;
    opened->lock = -1;
    struct digest_text key = digest_text_of(identity_key(identity));
    enum status status =
        run_folder_make(data, opened->folder.text, sizeof opened->folder.text, refusal);
    if (status == STATUS_OK) {
        status = path_make(&opened->path, refusal, "%s/%s.json", opened->folder.text, key.text);
    }
    if (status == STATUS_OK) {
        status = run_lock(opened, key.text, refusal);
    }
    if (status == STATUS_OK) {
        status = past_load(opened, now_ms, refusal);
    }
    if (status != STATUS_OK) {
        run_file_close(&opened);
        return status;
    }
    *run = opened;
    return STATUS_OK;
}

void run_file_close(struct run_file **run)
{
    if (*run == NULL) {
        return;
    }
    if ((*run)->lock >= 0) {
        (void)close((*run)->lock); /* the lock goes with it */
    }
    free(*run);
    *run = NULL;
}

enum run_past run_file_past(const struct run_file *run)
{
    return run->past;
}

struct run_state *run_file_state(struct run_file *run)
{
    return &run->state;
}

enum status run_file_save(struct run_file *run, int64_t now_ms, struct refusal *refusal)
{
    run->state.saved_at_ms = now_ms;
    json_t *root = state_json(run);
    enum status status = json_replace(run->path.text, root, refusal);
    json_decref(root);
    return status;
}

/* ---- names */

/* The last part of a path: an export may come in another folder each day. */
static const char *name_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash == NULL ? name : slash + 1;
}

static enum status name_write(const char *path, const struct run_name *name,
                              struct refusal *refusal)
{
    json_t *root = json_object();
    assert(root != NULL);
    output_put(root, "source", output_text_or_null(name->source));
    output_put(root, "name", output_text_or_null(name_part(name->name)));
    output_put(root, "digest", json_string(digest_text_of(name->content).text));
    enum status status = json_replace(path, root, refusal);
    json_decref(root);
    return status;
}

enum status run_name_note(const char *folder, const struct run_name *name, bool *is_other,
                          struct refusal *refusal)
{
    struct span parts[] = { span_of_text(name->source), span_of_text(name_part(name->name)) };
    struct digest_text key = digest_text_of(hash128_of(span_of(NULL, 0), parts, 2));
    struct digest_text digest = digest_text_of(name->content);
    struct path names;
    struct path path;
    json_t *before = NULL;
    enum status status = path_make(&names, refusal, "%s/names", folder);
    if (status == STATUS_OK) {
        status = path_make(&path, refusal, "%s/%s", names.text, key.text);
    }
    if (status == STATUS_OK) {
        status = json_load_path(path.text, &before, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const char *known = json_string_value(json_object_get(before, "digest"));
    bool is_same = known != NULL && strcmp(known, digest.text) == 0;
    *is_other = known != NULL && !is_same;
    json_decref(before);
    return is_same ? STATUS_OK : name_write(path.text, name, refusal);
}
