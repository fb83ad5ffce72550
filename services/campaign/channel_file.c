/*
 * Messages as lines of a file, for whatever takes them from there.
 *
 *   {"dispatch":"HEX","campaign":"...","customer":"...","to":"...","subject":"...",
 *    "text":"...","at":"..."}
 *
 * on one line, without "to" and "subject" where there are none. A line is sent once it is on
 * disk. What was not synced when the process ended is either found again by its dispatch, which
 * begins the line, or not there: so nothing is ever unknown here.
 */
#include "common/base/disk.h"
#include "common/base/time_text.h"
#include "services/campaign/channel_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISPATCH_HEX_BYTES (2 * sizeof(struct hash128) + 1)
#define LINE_HEAD "{\"dispatch\":\""
/* No line of ours is longer: JSON at most doubles what may stand in it. */
#define LINE_BYTES_MAX (8 * 1024)
static_assert(2 * (CAMPAIGNS_MESSAGE_BYTES + LIMIT_TEXT_BYTES + 2 * LIMIT_ID_BYTES) + 256 <
                  LINE_BYTES_MAX,
              "message, address, names and keys fit a line");
/* An intent without outcome has fewer than two windows of lines behind it. */
#define TAIL_BYTES (1024 * 1024)
static_assert(2 * CAMPAIGNS_IN_FLIGHT_MAX * LINE_BYTES_MAX < TAIL_BYTES,
              "what is looked for is in the tail");
/* Lines of one sync that were not synced: a loss of power may leave their lengths without their
 * ends. */
#define TORN_BYTES_MAX (CAMPAIGNS_IN_FLIGHT_MAX * LINE_BYTES_MAX)

struct channel_file {
    char path[PATH_MAX];
    int descriptor;
    off_t size;   /* of what is whole and synced */
    bool is_torn; /* there may be more behind it, which must go */
    /* The end of the file as it was found; NULL once recovering is over. */
    char *tail;
    size_t tail_size;
};

/* ---- opening */

static enum status host_fault(struct refusal *refusal, const char *path, const char *what)
{
    return refusal_set(refusal, STATUS_INTERNAL, "%s: cannot be %s: %s", path, what,
                       strerror(errno));
}

static enum status path_make(struct channel_file *file, const struct channel_options *options,
                             struct refusal *refusal)
{
    const struct campaign_channel *channel = options->channel;
    char folder[PATH_MAX] = { 0 };
    bool is_own = channel->folder[0] == '\0';
    int size = snprintf(folder, sizeof folder, "%s%s", is_own ? options->data : channel->folder,
                        is_own ? "/outbox" : "");
    if (size >= 0 && (size_t)size < sizeof folder) {
        size = snprintf(file->path, sizeof file->path, "%s/%s-%u.ndjson", folder, channel->name,
                        options->shard);
    }
    if (size < 0 || (size_t)size >= sizeof file->path) {
        return refusal_set(refusal, STATUS_INTERNAL, "channel %s: its path is too long",
                           channel->name);
    }
    return disk_folder_make(folder, refusal);
}

static enum status descriptor_open(struct channel_file *file, struct refusal *refusal)
{
    file->descriptor = open(file->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (file->descriptor < 0) {
        return host_fault(refusal, file->path, "opened");
    }
    struct stat found;
    if (fstat(file->descriptor, &found) != 0) {
        return host_fault(refusal, file->path, "looked at");
    }
    if (!S_ISREG(found.st_mode)) {
        return refusal_set(refusal, STATUS_INTERNAL, "%s: is no file; take it away", file->path);
    }
    if (flock(file->descriptor, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? refusal_set(refusal, STATUS_REFUSED,
                                                  "%s: another process writes to it", file->path)
                                    : host_fault(refusal, file->path, "locked");
    }
    return disk_name_sync(file->path) == STATUS_OK ? STATUS_OK
                                                   : host_fault(refusal, file->path, "synced");
}

static enum status tail_read(struct channel_file *file, struct refusal *refusal)
{
    struct stat found;
    if (fstat(file->descriptor, &found) != 0) {
        return host_fault(refusal, file->path, "looked at");
    }
    file->size = found.st_size;
    off_t begin = file->size > TAIL_BYTES ? file->size - TAIL_BYTES : 0;
    size_t wanted = (size_t)(file->size - begin);
    file->tail = memory_allocate(wanted + 1);
    while (file->tail_size < wanted) {
        ssize_t got = pread(file->descriptor, file->tail + file->tail_size,
                            wanted - file->tail_size, begin + (off_t)file->tail_size);
        if (got <= 0) {
            errno = got == 0 ? EIO : errno; /* cut short since its size was looked at */
            return host_fault(refusal, file->path, "read");
        }
        file->tail_size += (size_t)got;
    }
    return STATUS_OK;
}

/* Lines that were being written when all ended. A line of ours holds no zero: where one stands,
 * a sector never reached the disk, and nothing from there on was ever synced, though later
 * sectors may be there. */
static enum status torn_cut(struct channel_file *file, struct refusal *refusal)
{
    size_t written = strnlen(file->tail, file->tail_size);
    const char *end = memrchr(file->tail, '\n', written);
    size_t whole = end == NULL ? 0 : (size_t)(end - file->tail) + 1;
    size_t torn = file->tail_size - whole;
    if (torn > TORN_BYTES_MAX) {
        return refusal_set(refusal, STATUS_INTERNAL,
                           "%s: ends in %zu bytes that are no line of ours; take it away",
                           file->path, torn);
    }
    file->size -= (off_t)torn;
    file->tail_size = whole;
    if (torn > 0 && ftruncate(file->descriptor, file->size) != 0) {
        return host_fault(refusal, file->path, "cut to its whole lines");
    }
    /* Lines that are there need not be on disk yet; those found are sent only then. */
    return fdatasync(file->descriptor) == 0 ? STATUS_OK : host_fault(refusal, file->path, "synced");
}

static void channel_file_close(void *state)
{
    struct channel_file *file = state;
    if (file->descriptor >= 0) {
        (void)close(file->descriptor); /* what counts is synced */
    }
    free(file->tail);
    free(file);
}

enum status channel_file_open(void **state, const struct channel_options *options,
                              struct refusal *refusal)
{
    struct channel_file *file = memory_allocate(sizeof *file);
    file->descriptor = -1;
    enum status status = path_make(file, options, refusal);
    if (status == STATUS_OK) {
        status = descriptor_open(file, refusal);
    }
    if (status == STATUS_OK) {
        status = tail_read(file, refusal);
    }
    if (status == STATUS_OK) {
        status = torn_cut(file, refusal);
    }
    if (status != STATUS_OK) {
        channel_file_close(file);
        return status;
    }
    *state = file;
    return STATUS_OK;
}

/* ---- lines */

/* The quote before a key or a value is escaped in a text, so these bytes begin lines only. */
static bool tail_has(const struct channel_file *file, struct hash128 dispatch)
{
    char head[sizeof LINE_HEAD + DISPATCH_HEX_BYTES + 1] = LINE_HEAD;
    size_t size = sizeof LINE_HEAD - 1;
    hex_encode(span_of(dispatch.bytes, sizeof dispatch.bytes), head + size);
    size += DISPATCH_HEX_BYTES - 1;
    head[size] = '"';
    size++;
    const char *begin = memmem(file->tail, file->tail_size, head, size);
    if (begin == NULL) {
        return false;
    }
    const char *end = memchr(begin, '\n', file->tail_size - (size_t)(begin - file->tail));
    assert(end != NULL);
    /* After a loss of power a line may have its length but not all of its bytes. */
    json_t *line = json_loadb(begin, (size_t)(end - begin), 0, NULL);
    json_decref(line);
    return line != NULL;
}

static bool text_set(json_t *line, const char *key, struct span text)
{
    json_t *value = json_stringn((const char *)text.data, text.size);
    return value != NULL && json_object_set_new(line, key, value) == 0;
}

static bool optional_set(json_t *line, const char *key, struct span text)
{
    return text.size == 0 || text_set(line, key, text);
}

/* On the heap, with its line end. NULL: a text is not UTF-8, or all are too long. */
static char *line_make(const struct channel_intent *intent)
{
    char dispatch[DISPATCH_HEX_BYTES] = { 0 };
    char at[TIME_TEXT_BYTES] = { 0 };
    hex_encode(span_of(intent->dispatch.bytes, sizeof intent->dispatch.bytes), dispatch);
    time_format(intent->at_ms, at);
    json_t *line = json_object();
    bool is_whole = line != NULL && text_set(line, "dispatch", span_of_text(dispatch)) &&
                    text_set(line, "campaign", intent->campaign) &&
                    text_set(line, "customer", intent->customer) &&
                    optional_set(line, "to", intent->address) &&
                    optional_set(line, "subject", intent->subject) &&
                    text_set(line, "text", intent->text) && text_set(line, "at", span_of_text(at));
    char *made = is_whole ? json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(line);
    size_t size = made == NULL ? 0 : strlen(made);
    if (size + 1 > LINE_BYTES_MAX || made == NULL) {
        free(made);
        return NULL;
    }
    made = memory_resize(made, size + 2);
    memcpy(made + size, "\n", 2);
    return made;
}

/* One append, so that readers of the file see whole lines. */
static bool line_write(const struct channel_file *file, const char *line, size_t size)
{
    ssize_t written = write(file->descriptor, line, size);
    if (written >= 0 && (size_t)written < size) {
        errno = ENOSPC;
    }
    return written == (ssize_t)size;
}

/* ---- sending */

/* Appends it where it is not there yet; adds its bytes to *added. */
static bool job_write(const struct channel_file *file, struct channel_job *job, off_t *added)
{
    assert(!job->is_recovered || file->tail != NULL);
    if (job->is_recovered && tail_has(file, job->intent.dispatch)) {
        return true;
    }
    char *line = line_make(&job->intent);
    if (line == NULL) {
        job->outcome.result = CHANNEL_REFUSED;
        (void)snprintf(job->outcome.detail, sizeof job->outcome.detail,
                       "the message is not UTF-8, or too long for a line");
        return true;
    }
    size_t size = strlen(line);
    bool is_written = line_write(file, line, size);
    if (is_written) {
        *added += (off_t)size;
    }
    free(line);
    return is_written;
}

/* What a failed attempt left behind its last whole line. */
static bool torn_drop(struct channel_file *file)
{
    if (file->is_torn) {
        file->is_torn = ftruncate(file->descriptor, file->size) != 0;
    }
    return !file->is_torn;
}

static size_t fault_tell(const struct channel_file *file, int error, char why[CHANNEL_DETAIL_BYTES])
{
    const char *name = strrchr(file->path, '/');
    (void)snprintf(why, CHANNEL_DETAIL_BYTES, "%.100s cannot be written: %s",
                   name == NULL ? file->path : name + 1, strerror(error));
    return 0;
}

/* All or none: a sync that fails says nothing of which lines are on disk, and may never again,
 * so all of them are cut off and written anew. */
static size_t channel_file_send(void *state, struct channel_job *const *jobs, size_t count,
                                char why[CHANNEL_DETAIL_BYTES])
{
    struct channel_file *file = state;
    if (!torn_drop(file)) {
        return fault_tell(file, errno, why);
    }
    if (!jobs[0]->is_recovered) { /* nor is any behind it */
        free(file->tail);
        file->tail = NULL;
        file->tail_size = 0;
    }
    off_t added = 0;
    file->is_torn = true;
    for (size_t i = 0; i < count; i++) {
        if (!job_write(file, jobs[i], &added)) {
            int error = errno;
            (void)torn_drop(file);
            return fault_tell(file, error, why);
        }
    }
    if (added > 0 && fdatasync(file->descriptor) != 0) {
        int error = errno;
        (void)torn_drop(file);
        return fault_tell(file, error, why);
    }
    file->size += added;
    file->is_torn = false;
    return count;
}

const struct channel_kind channel_file_kind = {
    .timing = { .delay_first_ms = 100, .delay_most_ms = 5000 },
    .jobs_max = CAMPAIGNS_IN_FLIGHT_MAX,
    .send = channel_file_send,
    .close = channel_file_close,
};
