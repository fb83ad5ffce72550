#include "tests/faults/preload/write_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_VARIABLE "KITH_FAULTS_LOG"

struct mapped {
    _Atomic uint32_t is_tried;
    struct write_log_header *header;
};

static struct write_log_header *log_map(void)
{
    const char *path = getenv(LOG_VARIABLE);
    int file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct stat facts;
    if (file < 0 || fstat(file, &facts) != 0) {
        return NULL;
    }
    void *memory = mmap(NULL, (size_t)facts.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    (void)close(file);
    struct write_log_header *header = memory;
    if (memory == MAP_FAILED || header->magic != WRITE_LOG_MAGIC) {
        return NULL;
    }
    return header;
}

/* A library that others load has nowhere else to keep what it knows. */
static struct mapped *mapped(void)
{
    static struct mapped the_one;
    return &the_one;
}

/* Before main() there is one thread, and the first call comes from there. */
__attribute__((constructor)) static void log_open(void)
{
    struct mapped *one = mapped();
    if (atomic_exchange(&one->is_tried, 1) == 0) {
        int error = errno;
        one->header = log_map();
        errno = error;
    }
}

struct write_log_header *write_log(void)
{
    log_open();
    return mapped()->header;
}

/* ---- what is logged */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

bool write_log_is_logged(const char *path)
{
    const struct write_log_header *header = write_log();
    if (header == NULL) {
        return false;
    }
    size_t size = strlen(header->root);
    if (strncmp(path, header->root, size) != 0 || (path[size] != '/' && path[size] != '\0')) {
        return false;
    }
    const char *below = path + size;
    return strncmp(below, "/run/", 5) != 0 && strncmp(below, "/log/", 5) != 0 &&
           !ends_with(below, "-lock");
}

static bool socket_path(int file, char path[WRITE_LOG_PATH_BYTES])
{
    struct sockaddr_un name = { .sun_family = AF_UNSPEC };
    socklen_t size = sizeof name;
    union {
        struct sockaddr_un *local;
        struct sockaddr *any;
    } address = { .local = &name };
    if (getsockname(file, address.any, &size) != 0 || name.sun_family != AF_UNIX ||
        size <= offsetof(struct sockaddr_un, sun_path) || name.sun_path[0] == '\0') {
        return false;
    }
    int length = snprintf(path, WRITE_LOG_PATH_BYTES, "%.*s",
                          (int)(size - offsetof(struct sockaddr_un, sun_path)), name.sun_path);
    return length > 0 && length < WRITE_LOG_PATH_BYTES &&
           (ends_with(path, ".cmd") || ends_with(path, ".feed"));
}

bool write_log_path_of(int file, char path[WRITE_LOG_PATH_BYTES])
{
    char name[32];
    int error = errno;
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t size = readlink(name, path, WRITE_LOG_PATH_BYTES - 1);
    bool is_ours = false;
    if (size > 0) {
        path[size] = '\0';
        is_ours =
            strncmp(path, "socket:", 7) == 0 ? socket_path(file, path) : write_log_is_logged(path);
    }
    errno = error;
    return is_ours;
}

/* ---- records */

struct record *write_log_append(const struct record *record, const char *path, const void *data)
{
    struct write_log_header *header = write_log();
    if (header == NULL || atomic_load(&header->is_logging) == 0) {
        return NULL;
    }
    size_t path_size = strlen(path);
    size_t size = (sizeof *record + path_size + record->data_size + 7) / 8 * 8;
    uint64_t place = atomic_fetch_add(&header->used, size);
    if (size > UINT32_MAX || place + size > header->capacity) {
        atomic_fetch_add(&header->lost, 1);
        return NULL;
    }
    uint8_t *bytes = (uint8_t *)header + place;
    union {
        uint8_t *bytes;
        struct record *record;
    } made = { .bytes = bytes };
    made.record->size = (uint32_t)size;
    made.record->kind = record->kind;
    made.record->process = (uint32_t)getpid();
    made.record->stream = record->stream;
    made.record->offset = record->offset;
    made.record->file_size = record->file_size;
    made.record->covers = record->covers;
    atomic_store(&made.record->result, INT64_MIN);
    made.record->path_size = (uint32_t)path_size;
    made.record->data_size = record->data_size;
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): its size stands beside it */
    memcpy(bytes + sizeof *record, path, path_size);
    if (record->data_size > 0 && data != NULL) {
        memcpy(bytes + sizeof *record + path_size, data, record->data_size);
    }
    atomic_store(&made.record->is_whole, 1);
    return made.record;
}

uint64_t write_log_place(const struct record *record)
{
    return (uint64_t)((const uint8_t *)record - (const uint8_t *)write_log());
}

/* ---- faults */

bool write_log_fault_strikes(const char *path, enum fault_kind kind)
{
    struct write_log_header *header = write_log();
    if (header == NULL) {
        return false;
    }
    struct fault *fault = &header->fault;
    if (atomic_load(&fault->kind) != (uint32_t)kind || !ends_with(path, fault->file)) {
        return false;
    }
    int32_t before = atomic_fetch_sub(&fault->before, 1);
    if (before > 0 || (before < 0 && fault->forever == 0)) {
        return false;
    }
    atomic_fetch_add(&fault->struck, 1);
    return true;
}
