/* The calls that are seen on their way to the C library. Loaded before it by LD_PRELOAD. */
#include "tests/faults/preload/memory.h"
#include "tests/faults/preload/next_call.h"
#include "tests/faults/preload/write_log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define VECTOR_BYTES_MAX ((size_t)64 << 20)

typedef ssize_t write_call(int, const void *, size_t);
typedef ssize_t pwrite_call(int, const void *, size_t, off_t);
typedef ssize_t writev_call(int, const struct iovec *, int);
typedef ssize_t pwritev_call(int, const struct iovec *, int, off_t);
typedef int file_call(int);
typedef int truncate_call(int, off_t);
typedef int mkdir_call(const char *, mode_t);
typedef int open_call(const char *, int, ...);
typedef int rename_call(const char *, const char *);
typedef int unlink_call(const char *);
typedef ssize_t send_call(int, const void *, size_t, int);
typedef int clock_call(clockid_t, struct timespec *);

/* A call that writes, from before it is made until it has come back. */
struct writing {
    char path[WRITE_LOG_PATH_BYTES];
    struct record *record; /* NULL: not logged */
    bool is_ours;
    bool is_synced;
    bool fails;
    bool is_short;
};

static bool is_on(void)
{
    return write_log() != NULL;
}

static bool syncs_count(void)
{
    return atomic_load(&write_log()->syncs_swallowed) == 0;
}

/* `offset` < 0: where the file stands. */
static void writing_place(int file, off_t offset, struct record *record)
{
    struct stat facts = { 0 };
    (void)fstat(file, &facts);
    record->file_size = (uint64_t)facts.st_size;
    if (offset < 0) {
        bool appends = ((unsigned)fcntl(file, F_GETFL) & (unsigned)O_APPEND) != 0;
        offset = appends ? facts.st_size : lseek(file, 0, SEEK_CUR);
    }
    record->offset = (uint64_t)offset;
}

static struct writing writing_begin(int file, const void *data, size_t size, off_t offset)
{
    struct writing writing = { .record = NULL };
    writing.is_ours =
        is_on() && write_log_path_of(file, writing.path) && write_log_is_logged(writing.path);
    if (!writing.is_ours) {
        return writing;
    }
    int error = errno;
    int flags = fcntl(file, F_GETFL);
    writing.is_synced = flags >= 0 && ((unsigned)flags & (unsigned)O_DSYNC) != 0;
    writing.fails = write_log_fault_strikes(writing.path, FAULT_WRITE) ||
                    (writing.is_synced && write_log_fault_strikes(writing.path, FAULT_SYNC));
    writing.is_short =
        !writing.fails && size > 1 && write_log_fault_strikes(writing.path, FAULT_SHORT_WRITE);
    size_t taken = writing.is_short ? size / 2 : size;
    if (!writing.fails) {
        struct record record = { .kind = RECORD_WRITE, .data_size = (uint32_t)taken };
        writing_place(file, offset, &record);
        writing.record = write_log_append(&record, writing.path, data);
    }
    errno = error;
    return writing;
}

static ssize_t writing_end(const struct writing *writing, ssize_t result)
{
    if (writing->record == NULL) {
        return result;
    }
    int error = errno;
    atomic_store(&writing->record->result, result);
    if (writing->is_synced && write_log_fault_strikes(writing->path, FAULT_KILL)) {
        (void)raise(SIGKILL);
    }
    if (writing->is_synced && syncs_count() && result >= 0) {
        struct record mark = { .kind = RECORD_MARK, .covers = write_log_place(writing->record) };
        (void)write_log_append(&mark, writing->path, NULL);
    }
    errno = error;
    return result;
}

static ssize_t write_failed(void)
{
    errno = (int)write_log()->fault.error;
    return -1;
}

ssize_t write(int file, const void *data, size_t size)
{
    NEXT(write_call, "write")
    struct writing writing = writing_begin(file, data, size, -1);
    if (writing.fails) {
        return write_failed();
    }
    return writing_end(&writing, next.call(file, data, writing.is_short ? size / 2 : size));
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    NEXT(pwrite_call, "pwrite")
    struct writing writing = writing_begin(file, data, size, offset);
    if (writing.fails) {
        return write_failed();
    }
    return writing_end(&writing, next.call(file, data, writing.is_short ? size / 2 : size, offset));
}

/* off_t has 64 bits here. */
ssize_t pwrite64(int file, const void *data, size_t size, off_t offset)
{
    return pwrite(file, data, size, offset);
}

/* ---- several pieces: gathered, and written as one */

static size_t vector_size(const struct iovec *pieces, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += pieces[i].iov_len;
    }
    return size;
}

static bool vector_is_ours(int file, const struct iovec *pieces, int count)
{
    char path[WRITE_LOG_PATH_BYTES];
    return is_on() && write_log_path_of(file, path) && write_log_is_logged(path) &&
           vector_size(pieces, count) <= VECTOR_BYTES_MAX;
}

static void *vector_gather(const struct iovec *pieces, int count)
{
    memory_exempt(true);
    uint8_t *bytes = malloc(vector_size(pieces, count) + 1);
    memory_exempt(false);
    if (bytes == NULL) {
        abort();
    }
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > 0) {
            memcpy(bytes + at, pieces[i].iov_base, pieces[i].iov_len);
            at += pieces[i].iov_len;
        }
    }
    return bytes;
}

ssize_t writev(int file, const struct iovec *pieces, int count)
{
    NEXT(writev_call, "writev")
    if (!vector_is_ours(file, pieces, count)) {
        return next.call(file, pieces, count);
    }
    void *bytes = vector_gather(pieces, count);
    ssize_t result = write(file, bytes, vector_size(pieces, count));
    free(bytes);
    return result;
}

ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t offset)
{
    NEXT(pwritev_call, "pwritev")
    if (!vector_is_ours(file, pieces, count)) {
        return next.call(file, pieces, count, offset);
    }
    void *bytes = vector_gather(pieces, count);
    ssize_t result = pwrite(file, bytes, vector_size(pieces, count), offset);
    free(bytes);
    return result;
}

ssize_t pwritev64(int file, const struct iovec *pieces, int count, off_t offset)
{
    return pwritev(file, pieces, count, offset);
}

/* ---- syncs */

static int synced(int file, file_call *next)
{
    char path[WRITE_LOG_PATH_BYTES];
    if (!is_on() || !write_log_path_of(file, path) || !write_log_is_logged(path)) {
        return next(file);
    }
    if (write_log_fault_strikes(path, FAULT_SYNC)) {
        return (int)write_failed();
    }
    if (!syncs_count()) {
        return 0;
    }
    struct record record = { .kind = RECORD_SYNC, .covers = atomic_load(&write_log()->used) };
    int result = next(file);
    if (result == 0) {
        (void)write_log_append(&record, path, NULL);
    }
    return result;
}

int fdatasync(int file)
{
    NEXT(file_call, "fdatasync")
    return synced(file, next.call);
}

int fsync(int file)
{
    NEXT(file_call, "fsync")
    return synced(file, next.call);
}

/* ---- what else changes files and folders */

int ftruncate(int file, off_t size)
{
    NEXT(truncate_call, "ftruncate")
    char path[WRITE_LOG_PATH_BYTES];
    if (is_on() && write_log_path_of(file, path) && write_log_is_logged(path)) {
        struct record record = { .kind = RECORD_TRUNCATE, .offset = (uint64_t)size };
        (void)write_log_append(&record, path, NULL);
    }
    return next.call(file, size);
}

int ftruncate64(int file, off_t size)
{
    return ftruncate(file, size);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir_call, "mkdir")
    int result = next.call(path, mode);
    if (result == 0 && is_on() && write_log_is_logged(path)) {
        struct record record = { .kind = RECORD_FOLDER };
        (void)write_log_append(&record, path, NULL);
    }
    return result;
}

/* The mode is the third of its arguments, where there is one. */
static int opened(open_call *next, const char *path, int flags, mode_t mode)
{
    int error = errno;
    bool may_create = ((unsigned)flags & (unsigned)O_CREAT) != 0 && is_on() &&
                      write_log_is_logged(path) && access(path, F_OK) != 0;
    errno = error;
    int file = next(path, flags, mode);
    if (may_create && file >= 0) {
        struct record record = { .kind = RECORD_CREATE };
        (void)write_log_append(&record, path, NULL);
    }
    return file;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return ((unsigned)flags & (unsigned)O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    NEXT(open_call, "open")
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(next.call, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    NEXT(open_call, "open64")
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(next.call, path, flags, mode);
}

int rename(const char *from, const char *to)
{
    NEXT(rename_call, "rename")
    if (is_on() && write_log_is_logged(from)) {
        struct record record = { .kind = RECORD_RENAME, .data_size = (uint32_t)strlen(to) };
        (void)write_log_append(&record, from, to);
    }
    return next.call(from, to);
}

int unlink(const char *path)
{
    NEXT(unlink_call, "unlink")
    int result = next.call(path);
    if (result == 0 && is_on() && write_log_is_logged(path)) {
        struct record record = { .kind = RECORD_REMOVE };
        (void)write_log_append(&record, path, NULL);
    }
    return result;
}

/* ---- what others are told */

ssize_t send(int file, const void *data, size_t size, int flags)
{
    NEXT(send_call, "send")
    char path[WRITE_LOG_PATH_BYTES];
    if (!is_on() || !write_log_path_of(file, path)) {
        return next.call(file, data, size, flags);
    }
    int error = errno;
    struct stat facts = { 0 };
    (void)fstat(file, &facts);
    struct record told = { .kind = RECORD_SEND,
                           .stream = facts.st_ino,
                           .data_size = (uint32_t)size };
    struct record *record = write_log_append(&told, path, data);
    errno = error;
    ssize_t result = next.call(file, data, size, flags);
    if (record != NULL) {
        atomic_store(&record->result, result);
    }
    return result;
}

/* ---- the wall clock */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    NEXT(clock_call, "clock_gettime")
    int result = next.call(clock, now);
    if (result != 0 || clock != CLOCK_REALTIME || !is_on()) {
        return result;
    }
    int64_t ahead_ms = atomic_load(&write_log()->clock_ahead_ms);
    int64_t ms = (int64_t)now->tv_sec * 1000 + now->tv_nsec / 1000000 + ahead_ms;
    now->tv_sec = ms / 1000;
    now->tv_nsec = (ms % 1000) * 1000000 + now->tv_nsec % 1000000;
    return 0;
}
