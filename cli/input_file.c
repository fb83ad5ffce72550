#include "cli/input_file.h"

#include "cli/suite_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (256 * 1024)

static enum status host_fault(struct refusal *refusal, const char *path, const char *what)
{
    enum status status = STATUS_INTERNAL;
    if (errno == ENOENT || errno == ENOTDIR) {
        status = STATUS_NOT_FOUND;
    } else if (errno == EACCES || errno == EPERM || errno == EROFS) {
        status = STATUS_DENIED;
    }
    return refusal_set(refusal, status, "%s: cannot be %s: %s", path, what, strerror(errno));
}

enum status input_write(int descriptor, struct span bytes, struct refusal *refusal)
{
    size_t written = 0;
    while (written < bytes.size) {
        ssize_t count = write(descriptor, bytes.data + written, bytes.size - written);
        if (count < 0 && errno != EINTR) {
            return host_fault(refusal, "a temporary file", "written");
        }
        written += count > 0 ? (size_t)count : 0;
    }
    return STATUS_OK;
}

enum status input_read_at(int descriptor, uint64_t offset, uint8_t *out, size_t *size,
                          struct refusal *refusal)
{
    size_t read_bytes = 0;
    while (read_bytes < *size) {
        ssize_t count =
            pread(descriptor, out + read_bytes, *size - read_bytes, (off_t)(offset + read_bytes));
        if (count == 0) {
            break;
        }
        if (count < 0 && errno != EINTR) {
            return host_fault(refusal, "a file", "read");
        }
        read_bytes += count > 0 ? (size_t)count : 0;
    }
    *size = read_bytes;
    return STATUS_OK;
}

enum status input_nameless_open(const char *folder, int *descriptor, struct refusal *refusal)
{
    struct path path;
    enum status status = path_make(&path, refusal, "%s/spool.XXXXXX", folder);
    if (status != STATUS_OK) {
        return status;
    }
    int opened = mkostemp(path.text, O_CLOEXEC);
    if (opened < 0) {
        return host_fault(refusal, path.text, "made");
    }
    (void)unlink(path.text); /* whoever looks sees it for a moment, and it is empty */
    *descriptor = opened;
    return STATUS_OK;
}

/* ---- copying what has no offsets */

static enum status pipe_copy(int from, int to, const char *name, struct refusal *refusal)
{
    uint8_t *piece = memory_allocate(PIECE_BYTES);
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        ssize_t count = read(from, piece, PIECE_BYTES);
        if (count == 0) {
            break;
        }
        if (count > 0) {
            status = input_write(to, span_of(piece, (size_t)count), refusal);
        } else if (errno != EINTR) {
            status = host_fault(refusal, name, "read");
        }
    }
    free(piece);
    return status;
}

/* Puts a copy in the place of `file`'s descriptor. */
static enum status file_spool(struct input_file *file, const char *folder, struct refusal *refusal)
{
    int copy = -1;
    enum status status = input_nameless_open(folder, &copy, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    status = pipe_copy(file->descriptor, copy, file->name, refusal);
    if (status != STATUS_OK) {
        (void)close(copy);
        return status;
    }
    (void)close(file->descriptor);
    file->descriptor = copy;
    file->is_spooled = true;
    return STATUS_OK;
}

/* ---- digest */

static enum status content_digest(const struct input_file *file, uint64_t size,
                                  struct hash128 *hash, uint64_t *seen)
{
    struct hash_stream stream;
    hash_stream_init(&stream);
    uint8_t *piece = memory_allocate(PIECE_BYTES);
    uint64_t done = 0;
    enum status status = STATUS_OK;
    size_t count = PIECE_BYTES;
    while (status == STATUS_OK && done < size && count > 0) {
        count = size - done < PIECE_BYTES ? (size_t)(size - done) : PIECE_BYTES;
        status = input_read_at(file->descriptor, done, piece, &count, NULL);
        if (status == STATUS_OK) {
            hash_stream_add(&stream, span_of(piece, count));
            done += count;
        }
    }
    free(piece);
    *hash = hash_stream_end128(&stream);
    *seen = done;
    return status;
}

static int64_t changed_at_ns(const struct stat *state)
{
    return (int64_t)state->st_mtim.tv_sec * INT64_C(1000000000) + state->st_mtim.tv_nsec;
}

static enum status file_digest(struct input_file *file, struct refusal *refusal)
{
    struct stat state = { 0 };
    if (fstat(file->descriptor, &state) != 0) {
        return host_fault(refusal, file->name, "looked at");
    }
    file->changed_at_ns = changed_at_ns(&state);
    if (content_digest(file, (uint64_t)state.st_size, &file->digest, &file->size) != STATUS_OK) {
        return host_fault(refusal, file->name, "read");
    }
    return STATUS_OK;
}

static enum status file_make_plain(struct input_file *file, bool is_standard, const char *folder,
                                   struct refusal *refusal)
{
    struct stat state = { 0 };
    if (fstat(file->descriptor, &state) != 0) {
        return host_fault(refusal, file->name, "looked at");
    }
    if (S_ISDIR(state.st_mode)) {
        return refusal_set(refusal, STATUS_MALFORMED, "%s: is a folder; name the files in it",
                           file->name);
    }
    /* Of standard input somebody may have read a part already. */
    return S_ISREG(state.st_mode) && !is_standard ? STATUS_OK : file_spool(file, folder, refusal);
}

enum status input_file_open(struct input_file *file, const char *name, const char *folder,
                            struct refusal *refusal)
{
    bool is_standard = strcmp(name, "-") == 0;
    struct input_file opened = { .name = is_standard ? "standard input" : name };
    opened.descriptor =
        is_standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(name, O_RDONLY | O_CLOEXEC);
    if (opened.descriptor < 0) {
        return host_fault(refusal, opened.name, "opened");
    }
    enum status status = file_make_plain(&opened, is_standard, folder, refusal);
    if (status == STATUS_OK) {
        status = file_digest(&opened, refusal);
    }
    if (status != STATUS_OK) {
        input_file_close(&opened);
        return status;
    }
    *file = opened;
    return STATUS_OK;
}

void input_file_close(struct input_file *file)
{
    if (file->descriptor >= 0) {
        (void)close(file->descriptor); /* only read from: a failure loses nothing */
    }
    file->descriptor = -1;
}

enum status input_file_recheck(const struct input_file *file, struct refusal *refusal)
{
    struct stat state = { 0 };
    if (fstat(file->descriptor, &state) == 0 && changed_at_ns(&state) == file->changed_at_ns) {
        return STATUS_OK;
    }
    struct hash128 digest = { { 0 } };
    uint64_t seen = 0;
    if (content_digest(file, file->size, &digest, &seen) == STATUS_OK && seen == file->size &&
        hash128_equal(digest, file->digest)) {
        return STATUS_OK;
    }
    return refusal_set(refusal, STATUS_CORRUPT,
                       "%s: was changed while it was read, so rows may be of either content; "
                       "load a copy that nobody writes to",
                       file->name);
}

enum status input_text_read(const char *path, struct buffer *text, struct refusal *refusal)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return host_fault(refusal, path, "opened");
    }
    enum status status = STATUS_OK;
    ssize_t count = 1;
    while (status == STATUS_OK && count > 0) {
        uint8_t piece[4096];
        count = read(descriptor, piece, sizeof piece);
        if (count > 0 && buffer_append(text, span_of(piece, (size_t)count)) != STATUS_OK) {
            status = refusal_set(refusal, STATUS_LIMIT, "%s: is longer than %zu bytes", path,
                                 text->limit);
        } else if (count < 0) {
            status = host_fault(refusal, path, "read");
        }
    }
    (void)close(descriptor);
    return status;
}
