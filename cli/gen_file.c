#include "cli/gen_file.h"

#include "cli/gen_text.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (1024 * 1024)

static enum status host_fault(struct refusal *refusal, const char *path, const char *what)
{
    bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    bool is_denied = errno == EACCES || errno == EPERM || errno == EROFS;
    enum status status = is_full ? STATUS_LIMIT : (is_denied ? STATUS_DENIED : STATUS_INTERNAL);
    return refusal_set(refusal, status, "%s: cannot be %s: %s", path, what, strerror(errno));
}

/* ---- the folder */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

enum status gen_folder_make(const char *folder, struct refusal *refusal)
{
    if (mkdir(folder, 0777) == 0) {
        return STATUS_OK;
    }
    if (errno != EEXIST) {
        return host_fault(refusal, folder, "made");
    }
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return errno == ENOTDIR
                   ? refusal_set(refusal, STATUS_EXISTS,
                                 "%s: is a file; name a folder that is new or empty", folder)
                   : host_fault(refusal, folder, "read");
    }
    const struct dirent *entry = readdir(directory);
    while (entry != NULL && is_dots(entry->d_name)) {
        entry = readdir(directory);
    }
    bool is_empty = entry == NULL;
    (void)closedir(directory);
    return is_empty
               ? STATUS_OK
               : refusal_set(refusal, STATUS_EXISTS,
                             "%s: holds files already; name a folder that is new or empty", folder);
}

/* ---- a file */

enum status gen_file_open(struct gen_file *file, const char *folder, const char *name,
                          struct refusal *refusal)
{
    struct gen_file opened = { .descriptor = -1 };
    enum status status = path_make(&opened.path, refusal, "%s/%s", folder, name);
    if (status != STATUS_OK) {
        return status;
    }
    opened.descriptor = open(opened.path.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (opened.descriptor < 0) {
        return host_fault(refusal, opened.path.text, "made");
    }
    opened.piece = memory_allocate(PIECE_BYTES);
    *file = opened;
    return STATUS_OK;
}

void gen_file_close(struct gen_file *file)
{
    if (file->piece != NULL) {
        free(file->piece);
        (void)close(file->descriptor);
        *file = (struct gen_file){ .descriptor = -1 };
    }
}

/* Cuts away what was written of a piece that did not find room as a whole. */
static enum status piece_drop(struct gen_file *file, struct refusal *refusal)
{
    enum status status = host_fault(refusal, file->path.text, "written");
    char reason[sizeof refusal->message];
    memcpy(reason, refusal->message, sizeof reason);
    bool is_cut = ftruncate(file->descriptor, (off_t)file->bytes) == 0;
    return refusal_set(refusal, status, "%.160s; %s %" PRIu64 " whole lines", reason,
                       is_cut ? "it ends behind" : "of it count the first", file->lines);
}

enum status gen_file_flush(struct gen_file *file, struct refusal *refusal)
{
    size_t written = 0;
    while (written < file->piece_size) {
        ssize_t count = write(file->descriptor, file->piece + written, file->piece_size - written);
        if (count < 0 && errno != EINTR) {
            return piece_drop(file, refusal);
        }
        written += count > 0 ? (size_t)count : 0;
    }
    file->bytes += file->piece_size;
    file->lines += file->piece_lines;
    file->piece_size = 0;
    file->piece_lines = 0;
    return STATUS_OK;
}

enum status gen_file_line(struct gen_file *file, char **line, struct refusal *refusal)
{
    if (PIECE_BYTES - file->piece_size < GEN_LINE_BYTES) {
        enum status status = gen_file_flush(file, refusal);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *line = file->piece + file->piece_size;
    return STATUS_OK;
}

void gen_file_take(struct gen_file *file, size_t size)
{
    assert(size <= GEN_LINE_BYTES && size <= PIECE_BYTES - file->piece_size);
    file->piece_size += size;
    file->piece_lines++;
}

enum status gen_file_write(const char *folder, const char *name, struct span bytes,
                           struct refusal *refusal)
{
    struct gen_file file = { .descriptor = -1 };
    enum status status = gen_file_open(&file, folder, name, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    assert(file.piece != NULL && bytes.size <= PIECE_BYTES);
    memcpy(file.piece, bytes.data, bytes.size);
    file.piece_size = bytes.size;
    status = gen_file_flush(&file, refusal);
    gen_file_close(&file);
    return status;
}
