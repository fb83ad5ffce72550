#include "cli/suite_file.h"

#include "cli/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A suite of SUITE_MEMBERS_MAX shards needs a third of it. */
#define FILE_BYTES_MAX (256 * 1024)

enum status path_make(struct path *path, struct refusal *refusal, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct path formed = { { 0 } };
    int size = vsnprintf(formed.text, sizeof formed.text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof formed.text) {
        return refusal_set(refusal, STATUS_LIMIT,
                           "a path would be longer than %d bytes; choose a shorter folder",
                           PATH_BYTES - 1);
    }
    *path = formed;
    return STATUS_OK;
}

static enum status host_fault(struct refusal *refusal, const char *path, const char *what)
{
    enum status status =
        errno == EACCES || errno == EPERM || errno == EROFS ? STATUS_DENIED : STATUS_INTERNAL;
    return refusal_set(refusal, status, "%s: cannot be %s: %s", path, what, strerror(errno));
}

/* ---- reading */

static bool text_take(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || strlen(text) >= size) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool number_take(const json_t *object, const char *key, int64_t most, int64_t *number)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > most) {
        return false;
    }
    *number = json_integer_value(value);
    return true;
}

static bool member_take(const json_t *object, struct suite_member *member)
{
    int64_t shard = 0;
    int64_t shards = 0;
    int64_t restarts = 0;
    bool whole = text_take(object, "name", member->name, sizeof member->name) &&
                 text_take(object, "state", member->state, sizeof member->state) &&
                 number_take(object, "shards", LIMIT_SHARDS, &shards) &&
                 number_take(object, "shard", shards - 1, &shard) &&
                 number_take(object, "pid", INT32_MAX, &member->pid) &&
                 number_take(object, "restarts", INT64_MAX, &restarts);
    member->shard = (uint32_t)shard;
    member->shards = (uint32_t)shards;
    member->restarts = (uint64_t)restarts;
    return whole;
}

static bool file_take(const json_t *root, struct suite_file *file)
{
    char clock[16];
    const json_t *services = json_object_get(root, "services");
    if (!text_take(root, "config", file->config, sizeof file->config) ||
        !text_take(root, "clock", clock, sizeof clock) ||
        !number_take(root, "pid", INT32_MAX, &file->pid) || !json_is_array(services) ||
        json_array_size(services) > SUITE_MEMBERS_MAX) {
        return false;
    }
    file->event_clock = strcmp(clock, "event") == 0;
    for (size_t i = 0; i < json_array_size(services); i++) {
        if (!member_take(json_array_get(services, i), &file->members[i])) {
            return false;
        }
    }
    file->member_count = json_array_size(services);
    return true;
}

static enum status bytes_load(const char *path, struct buffer *out, struct refusal *refusal)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "%s: no such file", path);
    }
    if (descriptor < 0) {
        return host_fault(refusal, path, "opened");
    }
    ssize_t size = 1;
    enum status status = STATUS_OK;
    while (size > 0 && status == STATUS_OK) {
        uint8_t piece[4096];
        size = read(descriptor, piece, sizeof piece);
        if (size > 0) {
            status = buffer_append(out, span_of(piece, (size_t)size));
        }
    }
    if (size < 0) {
        status = host_fault(refusal, path, "read");
    } else if (status != STATUS_OK) {
        status = refusal_set(refusal, STATUS_CORRUPT, "%s: is too large to be ours", path);
    }
    (void)close(descriptor); /* only read from: a failure loses nothing */
    return status;
}

enum status suite_file_load(struct suite_file *file, const char *data, struct refusal *refusal)
{
    struct path path;
    struct buffer bytes;
    enum status status = path_make(&path, refusal, "%s/run/suite.json", data);
    if (status != STATUS_OK) {
        return status;
    }
    buffer_init(&bytes, FILE_BYTES_MAX);
    status = bytes_load(path.text, &bytes, refusal);
    if (status == STATUS_OK) {
        json_t *root = json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES,
                                  /* error= */ NULL);
        struct suite_file loaded = { 0 };
        if (root == NULL || !file_take(root, &loaded)) {
            status = refusal_set(refusal, STATUS_CORRUPT,
                                 "%s: was not written by this version of Kith", path.text);
        } else {
            *file = loaded;
        }
        json_decref(root);
    }
    buffer_release(&bytes);
    return status;
}

const struct suite_member *suite_file_find(const struct suite_file *file, const char *name)
{
    for (size_t i = 0; i < file->member_count; i++) {
        if (strcmp(file->members[i].name, name) == 0) {
            return &file->members[i];
        }
    }
    return NULL;
}

/* ---- writing */

static json_t *file_json(const struct suite_file *file)
{
    json_t *root = json_object();
    json_t *services = json_array();
    assert(root != NULL && services != NULL);
    output_put(root, "config", output_text(span_of_text(file->config)));
    output_put(root, "clock", json_string(file->event_clock ? "event" : "wall"));
    output_put(root, "pid", json_integer(file->pid));
    for (size_t i = 0; i < file->member_count; i++) {
        const struct suite_member *member = &file->members[i];
        json_t *object = json_object();
        assert(object != NULL);
        output_put(object, "name", json_string(member->name));
        output_put(object, "shard", json_integer(member->shard));
        output_put(object, "shards", json_integer(member->shards));
        output_put(object, "pid", json_integer(member->pid));
        output_put(object, "restarts", output_unsigned(member->restarts));
        output_put(object, "state", json_string(member->state));
        int result = json_array_append_new(services, object);
        assert(result == 0);
    }
    output_put(root, "services", services);
    return root;
}

enum status suite_file_save(const struct suite_file *file, const char *data,
                            struct refusal *refusal)
{
    struct path path;
    struct path made;
    enum status status = path_make(&path, refusal, "%s/run/suite.json", data);
    if (status == STATUS_OK) {
        status = path_make(&made, refusal, "%s/run/suite.json.new", data);
    }
    if (status != STATUS_OK) {
        return status;
    }
    json_t *root = file_json(file);
    int result = json_dump_file(root, made.text, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    json_decref(root);
    if (result != 0 || rename(made.text, path.text) != 0) {
        return host_fault(refusal, path.text, "written");
    }
    return STATUS_OK;
}

static bool member_equal(const struct suite_member *a, const struct suite_member *b)
{
    return strcmp(a->name, b->name) == 0 && a->shard == b->shard && a->shards == b->shards &&
           a->pid == b->pid && a->restarts == b->restarts && strcmp(a->state, b->state) == 0;
}

bool suite_file_equal(const struct suite_file *a, const struct suite_file *b)
{
    bool equal = strcmp(a->config, b->config) == 0 && a->event_clock == b->event_clock &&
                 a->pid == b->pid && a->member_count == b->member_count;
    for (size_t i = 0; i < a->member_count && equal; i++) {
        equal = member_equal(&a->members[i], &b->members[i]);
    }
    return equal;
}

void suite_file_remove(const char *data)
{
    struct path path;
    if (path_make(&path, NULL, "%s/run/suite.json", data) == STATUS_OK) {
        (void)unlink(path.text); /* not there is as good */
    }
}

/* ---- the lock */

/* Of the open file, not of the process: asking who holds it neither takes nor loses it. */
static struct flock whole_file(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static int64_t pid_read(int descriptor)
{
    char text[32] = { 0 };
    ssize_t size = pread(descriptor, text, sizeof text - 1, 0);
    return size > 0 ? strtol(text, NULL, 10) : 0;
}

enum status supervisor_lock(const char *data, int *descriptor, struct refusal *refusal)
{
    struct path path;
    enum status status = path_make(&path, refusal, "%s/run/supervisor.lock", data);
    if (status != STATUS_OK) {
        return status;
    }
    int opened = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (opened < 0) {
        return host_fault(refusal, path.text, "opened");
    }
    struct flock lock = whole_file();
    if (fcntl(opened, F_OFD_SETLK, &lock) != 0) {
        status = errno == EAGAIN || errno == EACCES
                     ? refusal_set(refusal, STATUS_EXISTS,
                                   "the suite in %s runs already, its supervisor is process "
                                   "%" PRId64 "; see kith status, or stop it with kith down",
                                   data, pid_read(opened))
                     : host_fault(refusal, path.text, "locked");
        (void)close(opened);
        return status;
    }
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(opened, 0) != 0 || pwrite(opened, text, (size_t)size, 0) != size) {
        status = host_fault(refusal, path.text, "written");
        (void)close(opened);
        return status;
    }
    *descriptor = opened;
    return STATUS_OK;
}

int64_t supervisor_lock_holder(const char *data)
{
    struct path path;
    if (path_make(&path, NULL, "%s/run/supervisor.lock", data) != STATUS_OK) {
        return 0;
    }
    int opened = open(path.text, O_RDWR | O_CLOEXEC);
    if (opened < 0) {
        return 0;
    }
    struct flock lock = whole_file();
    bool held = fcntl(opened, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    int64_t pid = held ? pid_read(opened) : 0;
    (void)close(opened);
    return pid;
}
