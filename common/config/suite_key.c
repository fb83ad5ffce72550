#include "common/base/disk.h"
#include "common/config/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longer ones open() refuses anyway. */
struct key_path {
    char text[PATH_MAX];
};

static enum status path_join(const char *data, const char *name, struct key_path *path,
                             struct refusal *refusal)
{
    int size = snprintf(path->text, sizeof path->text, "%s/%s", data, name);
    if (size < 0 || (size_t)size >= sizeof path->text) {
        return refusal_set(refusal, STATUS_REFUSED, "the data folder's path has %d bytes or more",
                           PATH_MAX);
    }
    return STATUS_OK;
}

static enum status host_fault(struct refusal *refusal, const char *path, const char *what)
{
    int error = errno;
    enum status status = error == EACCES || error == EPERM ? STATUS_DENIED : STATUS_INTERNAL;
    return refusal_set(refusal, status, "%s: cannot be %s: %s", path, what, strerror(error));
}

/* ---- load */

static enum status form_check(int descriptor, const char *path, struct refusal *refusal)
{
    struct stat found;
    if (fstat(descriptor, &found) != 0) {
        return host_fault(refusal, path, "looked at");
    }
    if (!S_ISREG(found.st_mode)) {
        return refusal_set(refusal, STATUS_REFUSED, "%s: not a file; restore the suite's key",
                           path);
    }
    if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "%s: open to group or others (mode %04o); chmod 600 it", path,
                           (unsigned)found.st_mode & 07777U);
    }
    if (found.st_size != SUITE_KEY_BYTES) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "%s: has %lld bytes instead of %d; restore the suite's key", path,
                           (long long)found.st_size, SUITE_KEY_BYTES);
    }
    return STATUS_OK;
}

static enum status key_read(int descriptor, const char *path, uint8_t key[SUITE_KEY_BYTES],
                            struct refusal *refusal)
{
    enum status status = form_check(descriptor, path, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    uint8_t read_key[SUITE_KEY_BYTES] = { 0 };
    ssize_t got = read(descriptor, read_key, sizeof read_key);
    if (got != (ssize_t)sizeof read_key) {
        errno = got < 0 ? errno : EIO; /* cut short since its size was looked at */
        return host_fault(refusal, path, "read");
    }
    memcpy(key, read_key, sizeof read_key);
    sodium_memzero(read_key, sizeof read_key);
    return STATUS_OK;
}

enum status suite_key_load(const char *data, uint8_t key[SUITE_KEY_BYTES], struct refusal *refusal)
{
    struct key_path path = { { 0 } };
    enum status status = path_join(data, "suite.key", &path, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    int descriptor = open(path.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 && errno == ENOENT) {
        return refusal_set(refusal, STATUS_NOT_FOUND,
                           "%s: no such file; create the suite first, or name its data folder",
                           path.text);
    }
    if (descriptor < 0) {
        return host_fault(refusal, path.text, "opened");
    }
    status = key_read(descriptor, path.text, key, refusal);
    (void)close(descriptor); /* only read from: a failure loses nothing */
    return status;
}

/* ---- create */

/* A key that was lost would orphan every customer's id: it is on disk before it is used. */
static enum status key_write(int descriptor, const char *path, struct refusal *refusal)
{
    uint8_t key[SUITE_KEY_BYTES] = { 0 };
    randombytes_buf(key, sizeof key);
    ssize_t written = write(descriptor, key, sizeof key);
    sodium_memzero(key, sizeof key);
    if (written >= 0 && written != (ssize_t)sizeof key) {
        errno = ENOSPC;
    }
    if (written != (ssize_t)sizeof key || fsync(descriptor) != 0) {
        return host_fault(refusal, path, "written");
    }
    return STATUS_OK;
}

/* link() does what O_EXCL does, and puts a whole file there or none. */
static enum status key_publish(const char *made, const char *path, struct refusal *refusal)
{
    if (link(made, path) == 0) {
        return STATUS_OK;
    }
    if (errno == EEXIST) {
        return refusal_set(refusal, STATUS_EXISTS, "%s: is there already; it is kept as it is",
                           path);
    }
    return host_fault(refusal, path, "made");
}

enum status suite_key_create(const char *data, struct refusal *refusal)
{
    struct key_path path = { { 0 } };
    struct key_path made = { { 0 } };
    enum status status = path_join(data, "suite.key", &path, refusal);
    if (status == STATUS_OK) {
        status = path_join(data, "suite.key.XXXXXX", &made, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (sodium_init() < 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "the host has no source of random bytes");
    }
    int descriptor = mkostemp(made.text, O_CLOEXEC); /* O_EXCL, mode 0600 */
    if (descriptor < 0) {
        return host_fault(refusal, made.text, "made");
    }
    status = key_write(descriptor, made.text, refusal);
    (void)close(descriptor); /* it is synced already */
    if (status == STATUS_OK) {
        status = key_publish(made.text, path.text, refusal);
    }
    (void)unlink(made.text); /* its other name stays */
    if (status == STATUS_OK && disk_name_sync(path.text) != STATUS_OK) {
        status = host_fault(refusal, data, "synced");
    }
    return status;
}
